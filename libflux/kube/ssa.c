#include "kube/ssa.h"

#include "kube/fields.h"
#include "kube/limiter.h"

#include <ctype.h>
#include <string.h>

/* How often a deleted object is looked at until it is gone: often at first, most go at once. */
#define GONE_POLL_MIN_MS 100
#define GONE_POLL_MAX_MS 2000

const char *fx_ssa_action_name(enum fx_ssa_action action)
{
	static const char *const names[] = {
	        [FX_SSA_UNKNOWN] = "unknown",
	        [FX_SSA_CREATED] = "created",
	        [FX_SSA_CONFIGURED] = "configured",
	        [FX_SSA_UNCHANGED] = "unchanged",
	        [FX_SSA_DELETED] = "deleted",
	        [FX_SSA_SKIPPED] = "skipped",
	};
	return names[action];
}

static bool is_crd(const json_t *object)
{
	return strcmp(fx_object_kind(object), "CustomResourceDefinition") == 0 &&
	       strncmp(fx_object_api_version(object), "apiextensions.k8s.io/", 21) == 0;
}

json_t *fx_ssa_payload(const json_t *object)
{
	static const char *const server_owned[] = {
	        "managedFields", "resourceVersion", "uid", "generation", "creationTimestamp", "selfLink"};
	json_t *payload = json_copy((json_t *)object);
	const json_t *metadata = json_object_get(object, "metadata");
	if (payload && metadata &&
	        json_object_set_new(payload, "metadata", json_copy((json_t *)metadata)) < 0) {
		json_decref(payload);
		return NULL;
	}
	for (size_t i = 0; payload && i < FX_COUNT(server_owned); i++)
		fx_json_del_at(payload, "metadata", server_owned[i]);
	if (payload && !is_crd(payload))
		fx_json_del_at(payload, "status");
	return payload;
}

enum purpose { DRY_RUN, DRY_RUN_METADATA, WRITE };

static int apply(struct fx_kube *kube, const struct fx_resource *resource, const json_t *object,
        const char *field_manager, enum purpose purpose, struct fx_cancel *cancel,
        struct fx_kube_status *status, json_t **out, struct fx_error *err)
{
	fx_auto(json) json_t *payload = fx_ssa_payload(object);
	const struct fx_kube_path path =
	        fx_resource_path(resource, fx_object_namespace(object), fx_object_name(object));
	const struct fx_kube_write_options options = {.field_manager = field_manager,
	        .force = true,
	        .dry_run = purpose != WRITE,
	        .metadata_only = purpose != DRY_RUN,
	        .slim = purpose != DRY_RUN ? FX_SLIM_HASH : FX_SLIM_NOTHING,
	        .status = status};
	if (!payload)
		return fx_fail_nomem(err);
	return fx_kube_patch(kube, &path, FX_KUBE_APPLY_PATCH, payload, &options, cancel, out, err);
}

int fx_ssa_dry_run(struct fx_kube *kube, const struct fx_resource *resource, const json_t *object,
        const char *field_manager, struct fx_cancel *cancel, struct fx_kube_status *status, json_t **out,
        struct fx_error *err)
{
	return apply(kube, resource, object, field_manager, DRY_RUN, cancel, status, out, err);
}

int fx_ssa_dry_run_metadata(struct fx_kube *kube, const struct fx_resource *resource, const json_t *object,
        const char *field_manager, struct fx_cancel *cancel, struct fx_kube_status *status, json_t **out,
        struct fx_error *err)
{
	return apply(kube, resource, object, field_manager, DRY_RUN_METADATA, cancel, status, out, err);
}

int fx_ssa_apply(struct fx_kube *kube, const struct fx_resource *resource, const json_t *object,
        const char *field_manager, struct fx_cancel *cancel, struct fx_kube_status *status, json_t **out,
        struct fx_error *err)
{
	return apply(kube, resource, object, field_manager, WRITE, cancel, status, out, err);
}

/* Equal but for metadata and status? */
static bool content_equal(const json_t *a, const json_t *b)
{
	fx_auto(json) json_t *left = json_copy((json_t *)a);
	fx_auto(json) json_t *right = json_copy((json_t *)b);
	static const char *const ignored[] = {"metadata", "status"};
	for (size_t i = 0; i < FX_COUNT(ignored); i++) {
		fx_json_del_at(left, ignored[i]);
		fx_json_del_at(right, ignored[i]);
	}
	return left && right && fx_json_equal_loose(left, right);
}

bool fx_ssa_has_drifted(const json_t *live, const json_t *dry_run)
{
	if (!live || !*fx_object_resource_version(dry_run))
		return true;
	return !fx_json_equal_loose(
	               fx_json_at(live, "metadata", "labels"), fx_json_at(dry_run, "metadata", "labels")) ||
	       !fx_json_equal_loose(fx_json_at(live, "metadata", "annotations"),
	               fx_json_at(dry_run, "metadata", "annotations")) ||
	       !content_equal(live, dry_run);
}

/* The pattern `is\simmutable|immutable\sfield`. */
static bool says_immutable(const char *text)
{
	for (const char *at = text; (at = strstr(at, "immutable")); at++) {
		const char *after = at + strlen("immutable");
		if (at - text >= 3 && strncmp(at - 3, "is", 2) == 0 && isspace((unsigned char)at[-1]))
			return true;
		if (isspace((unsigned char)*after) && strncmp(after + 1, "field", 5) == 0)
			return true;
	}
	return false;
}

bool fx_ssa_is_immutable_error(const struct fx_error *err, const struct fx_kube_status *status)
{
	if (status && (status->code == 409 || status->code == 422))
		return true;
	return says_immutable(fx_error_message(err));
}

int fx_ssa_wrap_dry_run_error(struct fx_error *err, const struct fx_kube_status *status,
        const struct fx_resource *resource, const json_t *object)
{
	fx_autofree char *subject = fx_object_ref(object);
	const char *reason = fx_kube_status_reason(status);
	bool has_namespace = *fx_object_namespace(object) != '\0';
	(void)resource;
	if (!subject)
		return fx_fail_nomem(err);
	if (strcmp(reason, "NotFound") == 0)
		return fx_error_wrap(
		        err, has_namespace ? "%s not found" : "%s namespace not specified", subject);
	if (fx_kube_status_has_cause(status, "FieldManagerConflict"))
		reason = "FieldManagerConflict";
	if (*reason)
		return fx_error_wrap(err, "%s dry-run failed (%s)", subject, reason);
	return fx_error_wrap(err, "%s dry-run failed", subject);
}

static bool is_taken(const void *arg, const char *manager, const char *operation)
{
	const struct fx_ssa_options *options = arg;
	for (size_t i = 0; i < options->take_over_count; i++) {
		const struct fx_ssa_manager *want = &options->take_over[i];
		if (strncmp(manager, want->prefix, strlen(want->prefix)) == 0 &&
		        strcmp(operation, want->operation) == 0)
			return true;
	}
	return false;
}

/* Appends "remove /metadata/MAP/KEY" for each of keys that the object has. */
static int add_removals(
        json_t *patch, const json_t *live, const char *map, const char *const *keys, struct fx_error *err)
{
	for (; keys && *keys; keys++) {
		struct fx_buf path = FX_BUF_INIT;
		if (!fx_json_at(live, "metadata", map, *keys))
			continue;
		fx_buf_addf(&path, "/metadata/%s/", map);
		for (const char *c = *keys; *c; c++) {
			if (*c == '/' || *c == '~')
				fx_buf_add_str(&path, *c == '/' ? "~1" : "~0");
			else
				fx_buf_add_char(&path, *c);
		}
		json_t *operation = json_pack("{s:s, s:s}", "op", "remove", "path", fx_buf_str(&path));
		fx_buf_release(&path);
		if (json_array_append_new(patch, operation) < 0)
			return fx_fail_nomem(err);
	}
	return 0;
}

int fx_ssa_cleanup_patch(
        const json_t *live, const struct fx_ssa_options *options, json_t **out, struct fx_error *err)
{
	fx_auto(json) json_t *patch = json_array();
	fx_auto(json) json_t *fields = NULL;
	if (!patch)
		return fx_fail_nomem(err);
	int rc = add_removals(patch, live, "annotations", options->annotations, err);
	if (rc == 0)
		rc = add_removals(patch, live, "labels", options->labels, err);
	if (rc == 0)
		rc = fx_fields_take_over(fx_json_at(live, "metadata", "managedFields"),
		        options->field_manager, is_taken, options, &fields, err);
	if (rc < 0)
		return rc;
	if (fields) {
		json_t *operation = json_pack("{s:s, s:s, s:O}", "op", "replace", "path",
		        "/metadata/managedFields", "value", fields);
		if (json_array_append_new(patch, operation) < 0)
			return fx_fail_nomem(err);
	}
	*out = json_array_size(patch) > 0 ? fx_take(patch) : NULL;
	return 0;
}

void fx_ssa_plan_release(struct fx_ssa_plan *plan)
{
	if (!plan)
		return;
	json_decref(plan->live);
	json_decref(plan->dry_run);
	*plan = (struct fx_ssa_plan)FX_SSA_PLAN_INIT;
}

static int wait_gone(
        struct fx_kube *kube, const struct fx_kube_path *path, struct fx_cancel *cancel, struct fx_error *err)
{
	int pause_ms = GONE_POLL_MIN_MS;
	for (;;) {
		fx_auto(json) json_t *live = NULL;
		fx_auto(error) struct fx_error failure = FX_ERROR_INIT;
		int rc = fx_kube_get_metadata(kube, path, cancel, &live, &failure);
		if (rc == -FX_E_NOT_FOUND)
			return 0;
		if (rc < 0) {
			fx_error_move(err, &failure);
			return rc;
		}
		rc = fx_kube_pause(pause_ms, cancel, err);
		if (rc < 0)
			return rc;
		pause_ms = pause_ms * 2 < GONE_POLL_MAX_MS ? pause_ms * 2 : GONE_POLL_MAX_MS;
	}
}

int fx_ssa_delete_and_wait(struct fx_kube *kube, const struct fx_resource *resource, const char *namespace_,
        const char *name, struct fx_cancel *cancel, struct fx_error *err)
{
	const struct fx_kube_path path = fx_resource_path(resource, namespace_, name);
	const struct fx_kube_delete_options options = {.propagation = "Background"};
	fx_auto(error) struct fx_error failure = FX_ERROR_INIT;
	int rc = fx_kube_delete(kube, &path, &options, cancel, &failure);
	if (rc == -FX_E_NOT_FOUND)
		return 0;
	if (rc < 0) {
		fx_error_move(err, &failure);
		return rc;
	}
	return wait_gone(kube, &path, cancel, err);
}

/* The dry run; when a field is immutable and it is allowed, the object goes and it is tried again. */
static int plan_dry_run(struct fx_kube *kube, const struct fx_resource *resource, const json_t *object,
        const struct fx_ssa_options *options, struct fx_cancel *cancel, struct fx_ssa_plan *plan,
        struct fx_error *err)
{
	fx_auto(kube_status) struct fx_kube_status status = FX_KUBE_STATUS_INIT;
	fx_auto(error) struct fx_error failure = FX_ERROR_INIT;
	int rc = fx_ssa_dry_run(
	        kube, resource, object, options->field_manager, cancel, &status, &plan->dry_run, &failure);
	if (rc < 0 && plan->live && options->recreate && fx_ssa_is_immutable_error(&failure, &status)) {
		rc = fx_ssa_delete_and_wait(
		        kube, resource, fx_object_namespace(object), fx_object_name(object), cancel, err);
		if (rc < 0)
			return rc;
		json_decref(plan->live);
		plan->live = NULL;
		plan->recreated = true;
		fx_error_release(&failure);
		rc = fx_ssa_dry_run(kube, resource, object, options->field_manager, cancel, &status,
		        &plan->dry_run, &failure);
	}
	if (rc < 0) {
		fx_ssa_wrap_dry_run_error(&failure, &status, resource, object);
		fx_error_move(err, &failure);
	}
	return rc;
}

static int plan_cleanup(struct fx_kube *kube, const struct fx_resource *resource,
        const struct fx_ssa_options *options, struct fx_cancel *cancel, struct fx_ssa_plan *plan,
        struct fx_error *err)
{
	fx_auto(json) json_t *patch = NULL;
	json_t *cleaned = NULL;
	int rc = plan->live ? fx_ssa_cleanup_patch(plan->live, options, &patch, err) : 0;
	if (rc < 0 || !patch)
		return rc;
	const struct fx_kube_path path =
	        fx_resource_path(resource, fx_object_namespace(plan->live), fx_object_name(plan->live));
	const struct fx_kube_write_options write = {.field_manager = options->field_manager};
	rc = fx_kube_patch(kube, &path, FX_KUBE_JSON_PATCH, patch, &write, cancel, &cleaned, err);
	if (rc < 0) {
		fx_autofree char *subject = fx_object_ref(plan->live);
		return fx_error_wrap(err, "%s metadata cleanup failed", subject ? subject : "");
	}
	json_decref(plan->live);
	plan->live = cleaned;
	plan->apply = true;
	return 0;
}

int fx_ssa_plan(struct fx_kube *kube, const struct fx_resource *resource, const json_t *object,
        const json_t *live, const struct fx_ssa_options *options, bool keep_metadata,
        struct fx_cancel *cancel, struct fx_ssa_plan *out, struct fx_error *err)
{
	fx_auto(ssa_plan) struct fx_ssa_plan plan = FX_SSA_PLAN_INIT;
	plan.live = json_incref((json_t *)live);
	int rc = plan_dry_run(kube, resource, object, options, cancel, &plan, err);
	if (rc == 0 && !keep_metadata)
		rc = plan_cleanup(kube, resource, options, cancel, &plan, err);
	if (rc < 0)
		return rc;
	if (fx_ssa_has_drifted(plan.live, plan.dry_run))
		plan.apply = true;
	plan.action = FX_SSA_UNCHANGED;
	if (plan.apply)
		plan.action = *fx_object_resource_version(plan.dry_run) ? FX_SSA_CONFIGURED : FX_SSA_CREATED;
	*out = plan;
	memset(&plan, 0, sizeof(plan));
	return 0;
}
