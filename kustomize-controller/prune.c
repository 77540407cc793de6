#include "prune.h"

#include "core/vec.h"
#include "kube/object.h"

#include <string.h>

void fx_prune_result_release(struct fx_prune_result *result)
{
	fx_buf_release(&result->lines);
	fx_inventory_release(&result->deleted);
	fx_inventory_release(&result->kept);
}

struct victim {
	const struct fx_entry *entry;
	struct fx_entry_parts parts;
};

static int compare_reversed(const void *a, const void *b)
{
	const struct victim *va = a, *vb = b;
	return fx_ref_compare(&vb->parts.ref, &va->parts.ref);
}

static int find_resource(
        struct fx_ks_run *run, const struct fx_ref *ref, struct fx_resource *out, struct fx_error *err)
{
	fx_autofree char *group = strndup(ref->group, ref->group_len);
	if (!group)
		return fx_fail_nomem(err);
	/* The version it was applied with may no longer be served. */
	if (fx_discovery_peek(run->ks->manager->discovery, group, ref->version, ref->kind, out))
		return 0;
	return fx_discovery_kind(
	        run->ks->manager->discovery, group, NULL, ref->kind, run->reconcile->cancel, out, err);
}

static bool is_owned(const struct fx_ks_run *run, const json_t *live)
{
	const char *name = fx_manifest_label(live, FX_KS_OWNER_NAME);
	const char *ns = fx_manifest_label(live, FX_KS_OWNER_NAMESPACE);
	return name && ns && !strcmp(name, run->reconcile->name) && !strcmp(ns, run->reconcile->namespace_);
}

static bool is_protected(const json_t *live)
{
	return fx_manifest_is_marked(live, FX_MARK_PRUNE, "disabled") || fx_manifest_is_left_alone(live);
}

/* The loop's record goes first: our own delete must not look like somebody else's. */
static void forget_applied(struct fx_ks_run *run, const char *id)
{
	pthread_mutex_lock(&run->ks->states.lock);
	fx_map_del(&run->state->applied, id);
	pthread_mutex_unlock(&run->ks->states.lock);
}

static int delete_one(
        struct fx_ks_run *run, const struct victim *v, enum fx_ssa_action *action, struct fx_error *err)
{
	struct fx_resource resource;
	fx_auto(json) json_t *live = NULL;
	fx_cleanup(fx_auto_buf) struct fx_buf subject = FX_BUF_INIT;
	fx_ref_add_subject(&v->parts.ref, &subject);
	int rc = find_resource(run, &v->parts.ref, &resource, err);
	struct fx_kube_path path = {0};
	if (rc == 0) {
		path = fx_resource_path(&resource, v->parts.ref.namespace, v->parts.ref.name);
		rc = fx_kube_get_metadata(run->kube, &path, run->reconcile->cancel, &live, err);
	}
	if (rc == -FX_E_NOT_FOUND) {
		/* The object, or its whole kind, is gone. */
		fx_error_release(err);
		forget_applied(run, v->entry->id);
		*action = FX_SSA_DELETED;
		return 0;
	}
	if (rc < 0) {
		fx_error_wrap(err, "%s query failed", fx_buf_str(&subject));
		return rc;
	}
	if (!is_owned(run, live) || is_protected(live)) {
		forget_applied(run, v->entry->id);
		*action = FX_SSA_SKIPPED;
		return 0;
	}
	forget_applied(run, v->entry->id);
	struct fx_kube_delete_options options = {.propagation = "Background"};
	rc = fx_kube_delete(run->kube, &path, &options, run->reconcile->cancel, err);
	if (rc == -FX_E_NOT_FOUND) {
		fx_error_release(err);
		rc = 0;
	}
	if (rc < 0)
		fx_error_wrap(err, "%s delete failed", fx_buf_str(&subject));
	else
		*action = FX_SSA_DELETED;
	return rc;
}

static bool note_outcome(const struct victim *v, enum fx_ssa_action action, struct fx_prune_result *out)
{
	if (action == FX_SSA_UNKNOWN)
		return fx_inventory_add(&out->kept, v->entry->id, v->entry->version);
	if (out->lines.len)
		fx_buf_add_char(&out->lines, '\n');
	fx_ref_add_subject(&v->parts.ref, &out->lines);
	fx_buf_addf(&out->lines, " %s", fx_ssa_action_name(action));
	return action != FX_SSA_DELETED || fx_inventory_add(&out->deleted, v->entry->id, v->entry->version);
}

static int prune_all(struct fx_ks_run *run, struct victim *victims, size_t count, struct fx_prune_result *out,
        struct fx_error *err)
{
	fx_cleanup(fx_auto_buf) struct fx_buf problems = FX_BUF_INIT;
	for (size_t i = 0; i < count; i++) {
		fx_auto(error) struct fx_error failure = FX_ERROR_INIT;
		enum fx_ssa_action action = FX_SSA_UNKNOWN;
		if (delete_one(run, &victims[i], &action, &failure) < 0)
			fx_buf_addf(&problems, "%s;", fx_error_message(&failure));
		if (!note_outcome(&victims[i], action, out))
			return fx_fail_nomem(err);
	}
	if (problems.len)
		return fx_fail(err, FX_E_UNAVAILABLE, "delete failed, errors: %s", fx_buf_str(&problems));
	return 0;
}

int fx_prune(struct fx_ks_run *run, const struct fx_inventory *stale, struct fx_prune_result *out,
        struct fx_error *err)
{
	fx_autofree struct victim *victims = calloc(stale->len + 1, sizeof(*victims));
	size_t count = 0;
	int rc = victims ? 0 : fx_fail_nomem(err);
	for (size_t i = 0; rc == 0 && i < stale->len; i++) {
		victims[count].entry = &stale->items[i];
		rc = fx_entry_parse(&stale->items[i], &victims[count].parts, err);
		if (rc == 0)
			count++;
	}
	if (rc == 0) {
		qsort(victims, count, sizeof(*victims), compare_reversed);
		rc = prune_all(run, victims, count, out, err);
	}
	for (size_t i = 0; i < count; i++)
		free(victims[i].parts.text);
	return rc;
}

int fx_prune_is_there(struct fx_ks_run *run, const struct fx_entry *entry, struct fx_error *err)
{
	fx_cleanup(fx_auto_entry_parts) struct fx_entry_parts parts = {0};
	struct fx_resource resource;
	fx_auto(json) json_t *live = NULL;
	fx_auto(error) struct fx_error failure = FX_ERROR_INIT;
	int rc = fx_entry_parse(entry, &parts, &failure);
	if (rc == 0)
		rc = find_resource(run, &parts.ref, &resource, &failure);
	if (rc == 0) {
		struct fx_kube_path path = fx_resource_path(&resource, parts.ref.namespace, parts.ref.name);
		rc = fx_kube_get_metadata(run->kube, &path, run->reconcile->cancel, &live, &failure);
	}
	if (rc == -FX_E_NOT_FOUND)
		return 0;
	if (rc < 0) {
		fx_error_move(err, &failure);
		return rc;
	}
	/* One that is not being deleted was left alone, or is somebody's new one. */
	return fx_object_is_deleting(live);
}
