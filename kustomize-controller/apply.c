#include "apply.h"
#include "health.h"
#include "ignore.h"
#include "normalize.h"

#include "core/clock.h"
#include "kube/object.h"

#include <string.h>

/* An object that no watch shows this long after it was applied has been deleted unnoticed. */
#define UNSEEN_MS (60 * 1000)
/* The pauses before a kind that is to come is asked for again. */
#define KIND_RETRY_MIN_MS 100
#define KIND_RETRY_MAX_MS 2000

/* One object on its way. */
struct item {
	json_t *object; /* borrowed */
	struct fx_ref ref;
	struct fx_resource resource;
	char *id;
	uint64_t desired;
	struct fx_applied before; /* what we know of it */
	bool known;
	bool apply;  /* phase B writes it */
	bool blind;  /* phase B writes it without a dry run */
	bool absent; /* no owned object of this name is there: most likely none at all */
	enum fx_ssa_action action;
	json_t *live, *dry_run;
	char *rival; /* who wrote fields of it last, besides us; NULL: not looked for or not known */
};

struct apply {
	struct fx_ks_run *run;
	const json_t *objects; /* of all stages */
	struct item *items;
	size_t count;
	bool writes; /* phase B of this stage has something to write */
	struct fx_inventory *inventory;
	struct fx_drift_ignore *ignore;
};

static void items_free(struct item *items, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(items[i].id);
		free(items[i].rival);
		json_decref(items[i].live);
		json_decref(items[i].dry_run);
	}
	free(items);
}

static bool is_encrypted(const json_t *object)
{
	struct fx_ref ref = fx_manifest_ref(object);
	const char *decrypt = fx_manifest_annotation(object, FX_KS_GROUP "/decrypt");
	return fx_ref_is(&ref, "", "Secret") && json_object_get(object, "sops") &&
	       !(decrypt && !strcasecmp(decrypt, "disabled"));
}

static int prepare_object(struct fx_ks_run *run, json_t *object, struct fx_error *err)
{
	fx_cleanup(fx_auto_buf) struct fx_buf subject = FX_BUF_INIT;
	struct fx_ref ref = fx_manifest_ref(object);
	fx_ref_add_subject(&ref, &subject);
	if (is_encrypted(object))
		return fx_fail(err, FX_E_INVALID,
		        "%s is SOPS encrypted, configuring decryption is required for this secret to be "
		        "reconciled",
		        fx_buf_str(&subject));
	const json_t *common = json_object_get(run->spec, "commonMetadata");
	if (!fx_manifest_set_label(object, FX_KS_OWNER_NAME, run->reconcile->name) ||
	        !fx_manifest_set_label(object, FX_KS_OWNER_NAMESPACE, run->reconcile->namespace_) ||
	        !fx_manifest_set_labels(object, json_object_get(common, "labels")) ||
	        !fx_manifest_set_annotations(object, json_object_get(common, "annotations")))
		return fx_fail_nomem(err);
	int rc = fx_manifest_normalize(object, err);
	if (rc < 0)
		fx_error_wrap(err, "%s normalization error", fx_buf_str(&subject));
	else
		fx_manifest_fix_ca_bundle(object);
	return rc;
}

int fx_apply_prepare(struct fx_ks_run *run, json_t *objects, struct fx_error *err)
{
	size_t i;
	json_t *object;
	json_array_foreach (objects, i, object) {
		int rc = prepare_object(run, object, err);
		if (rc < 0)
			return rc;
	}
	return fx_manifests_sort(objects, &run->ks->stage_kinds) ? 0 : fx_fail_nomem(err);
}

static bool read_applied(struct fx_ks_run *run, const char *id, struct fx_applied *out)
{
	pthread_mutex_lock(&run->ks->states.lock);
	const struct fx_applied *a = fx_map_get(&run->state->applied, id);
	if (a)
		*out = *a;
	pthread_mutex_unlock(&run->ks->states.lock);
	return a != NULL;
}

/* Remembers how an object was left; what the watch has shown meanwhile counts. */
static void note_applied(struct apply *a, const struct item *it, const json_t *live)
{
	struct fx_ks_run *run = a->run;
	struct fx_applied *fresh = calloc(1, sizeof(*fresh));
	if (!fresh)
		return;
	*fresh = it->before;
	fresh->version = live ? fx_live_version(live) : 0;
	fresh->fields = live ? fx_fields_hash(live) : 0;
	fresh->desired = it->desired;
	fresh->applied_ms = fx_now_ms();
	fresh->dirty = fresh->taken = false;
	fresh->paused_ms = 0;
	/* What others may change is no fight. */
	if (it->before.dirty && !it->apply && fresh->fights)
		fresh->fights--;
	fresh->skipped = it->action == FX_SSA_SKIPPED;
	fresh->current_on_absence = fx_ref_is(&it->ref, "batch", "Job") &&
	                            fx_json_at(it->object, "spec", "ttlSecondsAfterFinished") != NULL;
	fresh->run = run->state->run;
	/* Under the lock: a change is seen either here or by the event's handler. */
	struct fx_live_record now;
	pthread_mutex_lock(&run->ks->states.lock);
	if (fx_live_get(run->ks->live, &it->resource, it->ref.namespace, it->ref.name, &now) == 1)
		fresh->dirty = !fresh->skipped && now.version > fresh->version &&
		               (now.fields != fresh->fields || (now.needs_cleanup && !now.kept));
	else
		fresh->dirty = live && !fresh->skipped && !fresh->current_on_absence &&
		               fx_manifest_label(live, FX_KS_OWNER_NAME) &&
		               fx_live_is_gone(run->ks->live, &it->resource, it->ref.namespace, it->ref.name,
		                       fresh->version);
	run->state->wake = run->state->wake || fresh->dirty;
	bool kept = fx_map_set(&run->state->applied, it->id, fresh);
	pthread_mutex_unlock(&run->ks->states.lock);
	if (!kept)
		free(fresh);
}

/* Of all that decides what is sent. */
static uint64_t hash_object(const struct apply *a, const json_t *object)
{
	fx_autofree char *text = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
	uint64_t hash = text ? fx_hash(text, strlen(text)) : 0;
	return hash ^ fx_drift_ignore_hash(a->ignore) ^
	       (uint64_t)json_is_true(json_object_get(a->run->spec, "force"));
}

/* Nobody has touched it since we left it, and it is to be the same. */
static bool is_untouched(struct fx_ks_run *run, const struct fx_resource *resource, const struct fx_ref *ref,
        const struct fx_applied *applied)
{
	struct fx_live_record now;
	if (applied->dirty || applied->skipped || !fx_live_watch(run->ks->live, resource))
		return false;
	switch (fx_live_get(run->ks->live, resource, ref->namespace, ref->name, &now)) {
	case 1:
		return now.version <= applied->version ||
		       (now.fields == applied->fields && !now.needs_cleanup);
	case 0:
		return fx_now_ms() - applied->applied_ms < UNSEEN_MS &&
		       !fx_live_is_gone(run->ks->live, resource, ref->namespace, ref->name, applied->version);
	default:
		return false;
	}
}

bool fx_apply_is_untouched(struct fx_ks_run *run)
{
	struct fx_ks_state *s = run->state;
	bool untouched = true;
	fx_auto(inventory) struct fx_inventory list = {0};
	pthread_mutex_lock(&run->ks->states.lock);
	for (struct fx_map_slot *slot = NULL; (slot = fx_map_next(&s->applied, slot));) {
		const struct fx_applied *a = slot->value;
		if (a->run == s->run)
			untouched = untouched && !a->dirty && !a->skipped &&
			            fx_inventory_add(&list, slot->key, "");
	}
	pthread_mutex_unlock(&run->ks->states.lock);
	for (size_t i = 0; untouched && i < list.len; i++) {
		fx_cleanup(fx_auto_entry_parts) struct fx_entry_parts parts = {0};
		struct fx_resource resource;
		struct fx_applied applied;
		untouched = fx_entry_parse(&list.items[i], &parts, NULL) == 0 &&
		            fx_discovery_peek(run->ks->manager->discovery, parts.ref.group, NULL,
		                    parts.ref.kind, &resource) &&
		            read_applied(run, list.items[i].id, &applied) &&
		            is_untouched(run, &resource, &parts.ref, &applied);
	}
	return untouched;
}

static void subject_of(const struct item *it, struct fx_buf *out)
{
	fx_buf_clear(out);
	fx_ref_add_subject(&it->ref, out);
}

static int get_live(struct apply *a, struct item *it, struct fx_error *err)
{
	struct fx_kube_path path = fx_resource_path(&it->resource, it->ref.namespace, it->ref.name);
	fx_auto(error) struct fx_error missing = FX_ERROR_INIT;
	int rc = fx_kube_get(a->run->kube, &path, a->run->reconcile->cancel, &it->live, &missing);
	if (rc == -FX_E_NOT_FOUND)
		return 0;
	if (rc < 0)
		fx_error_move(err, &missing);
	else if (it->before.dirty && !it->rival)
		it->rival = strdup(fx_fields_last_other_manager(it->live));
	return rc;
}

static int dry_run_once(struct apply *a, struct item *it, struct fx_kube_status *status, struct fx_error *err)
{
	json_decref(it->dry_run);
	it->dry_run = NULL;
	struct fx_cancel *cancel = a->run->reconcile->cancel;
	if (it->absent)
		return fx_ssa_dry_run_metadata(a->run->kube, &it->resource, it->object, FX_FIELD_MANAGER,
		        cancel, status, &it->dry_run, err);
	return fx_ssa_dry_run(
	        a->run->kube, &it->resource, it->object, FX_FIELD_MANAGER, cancel, status, &it->dry_run, err);
}

static bool may_recreate(const struct apply *a, const struct item *it)
{
	return json_is_true(json_object_get(a->run->spec, "force")) ||
	       fx_manifest_is_marked(it->object, FX_MARK_FORCE, "enabled") ||
	       fx_manifest_is_marked(it->live, FX_MARK_FORCE, "enabled");
}

/* The dry run, again after what can be put right: undeclared fields, immutable fields. */
static int dry_run(struct apply *a, struct item *it, struct fx_error *err)
{
	fx_auto(kube_status) struct fx_kube_status status = FX_KUBE_STATUS_INIT;
	fx_auto(error) struct fx_error failure = FX_ERROR_INIT;
	int rc = dry_run_once(a, it, &status, &failure);
	if (rc < 0 && fx_manifest_drop_undeclared(it->object, fx_error_message(&failure))) {
		fx_error_release(&failure);
		fx_kube_status_release(&status);
		rc = dry_run_once(a, it, &status, &failure);
	}
	if (rc < 0 && fx_ssa_is_immutable_error(&failure, &status)) {
		int got = it->live ? 0 : get_live(a, it, NULL);
		if (got == 0 && it->live && may_recreate(a, it)) {
			fx_error_release(&failure);
			fx_kube_status_release(&status);
			json_decref(it->live);
			it->live = NULL;
			rc = fx_ssa_delete_and_wait(a->run->kube, &it->resource, it->ref.namespace,
			        it->ref.name, a->run->reconcile->cancel, &failure);
			if (rc == 0)
				rc = dry_run_once(a, it, &status, &failure);
		}
	}
	if (rc < 0) {
		/* The kind was taken away: the next pass asks for it anew. */
		if (rc == -FX_E_NOT_FOUND &&
		        strstr(fx_error_message(&failure), "could not find the requested resource"))
			fx_discovery_forget(a->run->ks->manager->discovery, &it->resource);
		rc = fx_ssa_wrap_dry_run_error(&failure, &status, &it->resource, it->object);
		fx_error_move(err, &failure);
	}
	return rc;
}

static int patch_live(struct apply *a, struct item *it, json_t *patch, struct fx_error *err)
{
	struct fx_kube_path path = fx_resource_path(&it->resource, it->ref.namespace, it->ref.name);
	struct fx_kube_write_options options = {.field_manager = FX_FIELD_MANAGER};
	json_t *live = NULL;
	int rc = fx_kube_patch(a->run->kube, &path, FX_KUBE_JSON_PATCH, patch, &options,
	        a->run->reconcile->cancel, &live, err);
	if (rc < 0)
		return rc;
	json_decref(it->live);
	it->live = live;
	it->apply = true;
	return 0;
}

static int migrate(struct apply *a, struct item *it, struct fx_error *err)
{
	fx_auto(json) json_t *patch = NULL;
	fx_cleanup(fx_auto_buf) struct fx_buf subject = FX_BUF_INIT;
	if (!it->live || !fx_ks_gate(a->run->ks, FX_KS_GATE_MIGRATE_API_VERSION))
		return 0;
	int rc = fx_fields_migrate_patch(it->live, fx_object_api_version(it->object), &patch, err);
	if (rc == 0 && patch)
		rc = patch_live(a, it, patch, err);
	if (rc < 0) {
		subject_of(it, &subject);
		fx_error_wrap(err, "%s failed to migrate API version", fx_buf_str(&subject));
	}
	return rc;
}

static int clean_up(struct apply *a, struct item *it, struct fx_error *err)
{
	fx_auto(json) json_t *patch = NULL;
	if (fx_manifest_is_marked(it->object, FX_MARK_SSA, "Merge") ||
	        fx_manifest_is_marked(it->live, FX_MARK_SSA, "Merge"))
		return 0;
	int rc = fx_fields_cleanup_patch(it->live, &a->run->ks->overrides, &patch, err);
	return rc == 0 && patch ? patch_live(a, it, patch, err) : rc;
}

/* Phase A for an object that exists: skip, clean up, compare. */
static int compare_live(struct apply *a, struct item *it, struct fx_error *err)
{
	int rc = it->live ? 0 : get_live(a, it, err);
	if (rc < 0 || !it->live)
		return rc;
	if (fx_manifest_is_left_alone(it->live) ||
	        fx_manifest_is_marked(it->object, FX_MARK_SSA, "IfNotPresent")) {
		it->action = FX_SSA_SKIPPED;
		return 0;
	}
	rc = clean_up(a, it, err);
	bool drifted = false;
	if (rc == 0)
		rc = fx_drift_ignore_has_drifted(a->ignore, it->live, it->dry_run, &drifted, err);
	if (rc < 0)
		return rc;
	if (drifted)
		it->apply = true;
	it->action = it->apply ? FX_SSA_CONFIGURED : FX_SSA_UNCHANGED;
	return 0;
}

static int find_resource(struct apply *a, struct item *it, struct fx_error *err)
{
	fx_cleanup(fx_auto_buf) struct fx_buf subject = FX_BUF_INIT;
	int rc = fx_discovery_object(
	        a->run->ks->manager->discovery, it->object, a->run->reconcile->cancel, &it->resource, err);
	subject_of(it, &subject);
	if (rc < 0) {
		fx_error_wrap(err, "%s dry-run failed", fx_buf_str(&subject));
		return rc;
	}
	if (it->resource.namespaced && !*it->ref.namespace)
		return fx_fail(err, FX_E_INVALID,
		        "%s namespace not specified: the server could not find the requested resource",
		        fx_buf_str(&subject));
	if (!it->resource.namespaced && *it->ref.namespace) {
		/* A targetNamespace does not belong on a cluster-wide object. */
		json_object_del(json_object_get(it->object, "metadata"), "namespace");
		it->ref = fx_manifest_ref(it->object);
	}
	return 0;
}

/* A dry run tells before the first write of a stage whether it will fail, and what it will change. The first
 * write itself says the first as well, and for an object that is as we left it the second is known. */
static bool may_go_blind(struct apply *a, const struct item *it)
{
	struct fx_live_record now;
	return fx_live_get(a->run->ks->live, &it->resource, it->ref.namespace, it->ref.name, &now) == 1 &&
	       !now.marked && !a->writes && it->known && it->before.desired &&
	       !fx_drift_ignore_hash(a->ignore) && !fx_ks_gate(a->run->ks, FX_KS_GATE_MIGRATE_API_VERSION) &&
	       !fx_manifest_is_marked(it->object, FX_MARK_SSA, "IfNotPresent") &&
	       is_untouched(a->run, &it->resource, &it->ref, &it->before);
}

/* The dry run, and what comes of it. */
static int plan_with_dry_run(struct apply *a, struct item *it, struct fx_error *err)
{
	int rc = dry_run(a, it, err);
	if (rc == 0 && it->absent && *fx_object_resource_version(it->dry_run)) {
		/* It is there, but nobody owned it: the whole of it is needed. */
		it->absent = false;
		rc = dry_run(a, it, err);
	}
	if (rc < 0)
		return rc;
	if (*fx_object_resource_version(it->dry_run))
		return compare_live(a, it, err);
	it->action = FX_SSA_CREATED;
	it->apply = true;
	return 0;
}

static int plan(struct apply *a, struct item *it, struct fx_error *err)
{
	fx_cleanup(fx_auto_buf) struct fx_buf id = FX_BUF_INIT;
	int rc = find_resource(a, it, err);
	if (rc < 0)
		return rc;
	fx_entry_id(&it->ref, &id);
	it->id = fx_buf_take(&id, NULL);
	if (!it->id)
		return fx_fail_nomem(err);
	it->desired = hash_object(a, it->object);
	it->known = read_applied(a->run, it->id, &it->before);
	if (it->known && it->before.desired == it->desired &&
	        is_untouched(a->run, &it->resource, &it->ref, &it->before)) {
		it->action = FX_SSA_UNCHANGED;
		return 0;
	}
	fx_live_watch(a->run->ks->live, &it->resource);
	if (fx_manifest_is_left_alone(it->object)) {
		it->action = FX_SSA_SKIPPED;
		return 0;
	}
	if (may_go_blind(a, it)) {
		it->blind = true;
		return 0;
	}
	if (fx_ks_gate(a->run->ks, FX_KS_GATE_MIGRATE_API_VERSION) ||
	        fx_manifest_is_marked(it->object, FX_MARK_SSA, "IfNotPresent")) {
		rc = get_live(a, it, err);
		if (rc == 0 && it->live &&
		        (fx_manifest_is_left_alone(it->live) ||
		                fx_manifest_is_marked(it->object, FX_MARK_SSA, "IfNotPresent"))) {
			it->action = FX_SSA_SKIPPED;
			return 0;
		}
		if (rc == 0)
			rc = migrate(a, it, err);
	}
	struct fx_live_record ignored;
	it->absent = !it->live && fx_live_get(a->run->ks->live, &it->resource, it->ref.namespace,
	                                  it->ref.name, &ignored) == 0;
	return rc < 0 ? rc : plan_with_dry_run(a, it, err);
}

static void warn(struct apply *a, const struct item *it, const char *text)
{
	fx_cleanup(fx_auto_buf) struct fx_buf subject = FX_BUF_INIT;
	subject_of(it, &subject);
	fx_ks_event(a->run, FX_KS_ERROR, a->run->artifact.revision, a->run->artifact.origin_revision, false,
	        "%s %s", fx_buf_str(&subject), text);
}

/* It was ours and another Kustomization has it in its set too. True when that was said. */
static bool warn_about_owner(struct apply *a, const struct item *it)
{
	const char *name = fx_manifest_label(it->live, FX_KS_OWNER_NAME);
	const char *ns = fx_manifest_label(it->live, FX_KS_OWNER_NAMESPACE);
	fx_cleanup(fx_auto_buf) struct fx_buf text = FX_BUF_INIT;
	if (!it->known || !name || !ns ||
	        (!strcmp(name, a->run->reconcile->name) && !strcmp(ns, a->run->reconcile->namespace_)))
		return false;
	fx_buf_addf(&text,
	        "is also applied by Kustomization/%s/%s, which had taken it over: an object needs one owner",
	        ns, name);
	warn(a, it, fx_buf_str(&text));
	return true;
}

/* Somebody keeps changing it: say so, and who. */
static void warn_about_fight(struct apply *a, const struct item *it)
{
	char pause[FX_TIME_TEXT];
	fx_cleanup(fx_auto_buf) struct fx_buf text = FX_BUF_INIT;
	if (warn_about_owner(a, it) || !it->known || !it->before.dirty || it->before.fights <= FX_FIGHT_FREE)
		return;
	struct fx_applied copy = it->before;
	fx_duration_format(fx_applied_pause_ms(&copy, fx_now_ms()) * 1000000, pause);
	fx_buf_addf(&text, "is changed again and again by field manager \"%s\", next correction in %s",
	        it->rival && *it->rival ? it->rival : "unknown", pause);
	warn(a, it, fx_buf_str(&text));
}

static void add_change(struct fx_ks_run *run, const struct item *it)
{
	if (it->action != FX_SSA_CREATED && it->action != FX_SSA_CONFIGURED)
		return;
	if (run->changes.len)
		fx_buf_add_char(&run->changes, '\n');
	fx_ref_add_subject(&it->ref, &run->changes);
	fx_buf_addf(&run->changes, " %s", fx_ssa_action_name(it->action));
}

/* Fields that others may change stay as they are when the object is there already. */
static int send_object(struct apply *a, const struct item *it, json_t **applied, struct fx_error *err)
{
	fx_auto(json) json_t *payload = json_incref(it->object);
	if (it->live && it->dry_run && fx_drift_ignore_hash(a->ignore)) {
		json_t *resolved = NULL;
		int rc =
		        fx_drift_ignore_resolve(a->ignore, it->object, it->live, it->dry_run, &resolved, err);
		if (rc < 0)
			return rc;
		json_decref(payload);
		payload = resolved;
	}
	return fx_ssa_apply(a->run->kube, &it->resource, payload, FX_FIELD_MANAGER, a->run->reconcile->cancel,
	        NULL, applied, err);
}

/* The first write of a stage. What goes wrong with it goes wrong with its dry run too, and has its texts and
 * ways out from there. */
static int write_blindly(struct apply *a, struct item *it, json_t **applied, struct fx_error *err)
{
	fx_auto(error) struct fx_error failure = FX_ERROR_INIT;
	if (send_object(a, it, applied, &failure) < 0)
		return plan_with_dry_run(a, it, err);
	it->action = fx_live_version(*applied) != it->before.version ? FX_SSA_CONFIGURED : FX_SSA_UNCHANGED;
	return 0;
}

/* Phase B for one object. */
static int write_object(struct apply *a, struct item *it, struct fx_error *err)
{
	fx_auto(json) json_t *applied = NULL;
	if (it->blind) {
		int rc = write_blindly(a, it, &applied, err);
		if (rc < 0)
			return rc;
	}
	if (it->apply) {
		int rc = send_object(a, it, &applied, err);
		if (rc < 0) {
			fx_cleanup(fx_auto_buf) struct fx_buf subject = FX_BUF_INIT;
			subject_of(it, &subject);
			fx_error_wrap(err, "%s apply failed", fx_buf_str(&subject));
			return rc;
		}
		warn_about_fight(a, it);
	}
	if (it->known && it->action == FX_SSA_UNCHANGED && !it->dry_run && !applied) {
		/* Nothing was asked: what we know of it still holds. */
		pthread_mutex_lock(&a->run->ks->states.lock);
		struct fx_applied *known = fx_map_get(&a->run->state->applied, it->id);
		if (known)
			known->run = a->run->state->run;
		pthread_mutex_unlock(&a->run->ks->states.lock);
	} else {
		note_applied(a, it, applied ? applied : it->live);
	}
	return fx_inventory_add(a->inventory, it->id, it->ref.version)
	               ? 0
	               : fx_fail(err, FX_E_LIMIT, "more than %d objects", FX_INVENTORY_MAX);
}

/* The first failure is the one to tell: the object that was to do without a dry run comes before. */
static int fail_plan(struct apply *a, size_t failed, int rc, struct fx_error *err)
{
	for (size_t i = 0; i < failed; i++) {
		fx_auto(error) struct fx_error earlier = FX_ERROR_INIT;
		if (!a->items[i].blind || dry_run(a, &a->items[i], &earlier) == 0)
			continue;
		rc = -(int)earlier.code;
		fx_error_move(err, &earlier);
	}
	return rc;
}

static int apply_stage(struct apply *a, struct fx_error *err)
{
	a->writes = false;
	for (size_t i = 0; i < a->count; i++) {
		int rc = plan(a, &a->items[i], err);
		if (rc < 0)
			return fail_plan(a, i, rc, err);
		a->writes = a->writes || a->items[i].apply || a->items[i].blind;
	}
	fx_cleanup(fx_auto_buf) struct fx_buf before = FX_BUF_INIT;
	fx_buf_add(&before, fx_buf_str(&a->run->changes), a->run->changes.len);
	for (size_t i = 0; i < a->count; i++) {
		int rc = write_object(a, &a->items[i], err);
		if (rc < 0) {
			/* Changes count once their whole stage has been written. */
			fx_buf_clear(&a->run->changes);
			fx_buf_add(&a->run->changes, fx_buf_str(&before), before.len);
			return rc;
		}
		add_change(a->run, &a->items[i]);
	}
	return 0;
}

/* The text of the error ends with what earlier stages have changed. */
static void add_changes_to_error(struct fx_ks_run *run, struct fx_error *err)
{
	fx_cleanup(fx_auto_buf) struct fx_buf text = FX_BUF_INIT;
	if (!run->changes.len || !err)
		return;
	fx_buf_addf(&text, "%s\n%s", fx_error_message(err), fx_buf_str(&run->changes));
	fx_fail_kind(err, err->code, err->kind, "%s", fx_buf_str(&text));
}

/* Waits for what later stages build on. Gives 1 when it is not there yet. */
static int wait_stage(struct apply *a, size_t first, enum fx_stage stage, struct fx_error *err)
{
	struct fx_ks_state *s = a->run->state;
	struct fx_health_set set = {.kube = a->run->kube, .fail_fast = false};
	for (size_t i = first; i < a->inventory->len; i++) {
		struct fx_applied applied;
		if (read_applied(a->run, a->inventory->items[i].id, &applied) && applied.skipped)
			continue;
		if (!fx_inventory_add(
		            &set.entries, a->inventory->items[i].id, a->inventory->items[i].version)) {
			fx_inventory_release(&set.entries);
			return fx_fail_nomem(err);
		}
	}
	if (!s->stage_started_ns[stage])
		s->stage_started_ns[stage] = fx_now_ns();
	/* First the state, then the look: an event in between queues this object again. */
	fx_ks_state_set_wait(&a->run->ks->states, s, FX_KS_WAIT_STAGE);
	enum fx_health_result result = fx_health_check(a->run, &set, s->stage_started_ns[stage],
	        s->stage_started_ns[stage] + FX_APPLY_STAGE_TIMEOUT_S * 1000000000LL, err);
	fx_inventory_release(&set.entries);
	if (result == FX_HEALTH_WAIT) {
		a->run->result->requeue_after_ms = set.next_ms;
		return 1;
	}
	fx_ks_state_set_wait(&a->run->ks->states, s, FX_KS_IDLE);
	return result == FX_HEALTH_OK ? 0 : -(int)FX_E_TIMEOUT;
}

/* ---- kinds whose definitions have just been applied ---- */

static bool is_definition(const struct fx_ref *ref)
{
	return fx_ref_is(ref, "apiextensions.k8s.io", "CustomResourceDefinition");
}

static bool same_text(const char *a, const char *b)
{
	return a && b && !strcmp(a, b);
}

/* True when the set itself has the definition of the kind. */
static bool defines(const json_t *objects, const struct fx_gvk *gvk)
{
	size_t i, k;
	json_t *object, *version;
	json_array_foreach ((json_t *)objects, i, object) {
		struct fx_ref ref = fx_manifest_ref(object);
		const json_t *spec = json_object_get(object, "spec");
		if (!is_definition(&ref) || !same_text(fx_json_str_at(spec, "group"), gvk->group) ||
		        !same_text(fx_json_str_at(spec, "names", "kind"), gvk->kind))
			continue;
		json_array_foreach (json_object_get(spec, "versions"), k, version) {
			if (same_text(fx_json_str_at(version, "name"), gvk->version) &&
			        fx_json_bool_at(version, "served"))
				return true;
		}
	}
	return false;
}

/* How long the kind of an object may be missing: 0 when there is no reason to wait for it. */
static int64_t kind_timeout_ms(struct apply *a, const json_t *object)
{
	struct fx_discovery *discovery = a->run->ks->manager->discovery;
	struct fx_resource ignored;
	struct fx_gvk gvk;
	if (fx_object_gvk(object, &gvk, NULL) < 0 ||
	        fx_discovery_peek(discovery, gvk.group, gvk.version, gvk.kind, &ignored))
		return 0;
	int64_t timeout_s = 0;
	if (defines(a->objects, &gvk))
		timeout_s = FX_APPLY_KIND_TIMEOUT_S;
	else if (json_array_size(json_object_get(a->run->spec, "dependsOn")))
		timeout_s = FX_APPLY_FOREIGN_KIND_TIMEOUT_S;
	if (timeout_s && !fx_discovery_is_settling(discovery))
		fx_discovery_expect_change(discovery);
	return fx_discovery_kind(discovery, gvk.group, gvk.version, gvk.kind, a->run->reconcile->cancel,
	               &ignored, NULL) == -FX_E_NOT_FOUND
	               ? timeout_s * 1000
	               : 0;
}

/* 1: a kind of the stage is not served yet, the next pass looks again. Past the limit it is an error, which
 * the dry run makes. */
static int await_kinds(struct apply *a, size_t from, size_t to)
{
	struct fx_ks_state *s = a->run->state;
	int64_t now_ns = fx_now_ns(), timeout_ms = 0;
	for (size_t i = from; i < to && !timeout_ms; i++)
		timeout_ms = kind_timeout_ms(a, json_array_get(a->objects, i));
	if (!timeout_ms)
		return 0;
	if (!s->kind_missed_ns)
		s->kind_missed_ns = now_ns;
	int64_t waited_ms = (now_ns - s->kind_missed_ns) / 1000000;
	if (waited_ms >= timeout_ms)
		return 0;
	fx_ks_state_set_wait(&a->run->ks->states, s, FX_KS_WAIT_STAGE);
	int64_t pause_ms = waited_ms < KIND_RETRY_MIN_MS ? KIND_RETRY_MIN_MS : waited_ms;
	a->run->result->requeue_after_ms = pause_ms < KIND_RETRY_MAX_MS ? pause_ms : KIND_RETRY_MAX_MS;
	return 1;
}

static void expect_kinds(struct apply *a)
{
	bool changed = false;
	for (size_t i = 0; i < a->count; i++)
		changed = changed || (a->items[i].apply && is_definition(&a->items[i].ref));
	if (changed)
		fx_discovery_expect_change(a->run->ks->manager->discovery);
}

static int run_stage(
        struct apply *a, json_t *objects, size_t from, size_t to, enum fx_stage stage, struct fx_error *err)
{
	if (await_kinds(a, from, to))
		return 1;
	a->count = to - from;
	a->items = calloc(a->count, sizeof(*a->items));
	if (!a->items)
		return fx_fail_nomem(err);
	for (size_t i = 0; i < a->count; i++) {
		a->items[i].object = json_array_get(objects, from + i);
		a->items[i].ref = fx_manifest_ref(a->items[i].object);
	}
	size_t first = a->inventory->len;
	int rc = apply_stage(a, err);
	expect_kinds(a);
	items_free(a->items, a->count);
	return rc == 0 && stage <= FX_STAGE_CLASSES ? wait_stage(a, first, stage, err) : rc;
}

int fx_apply(struct fx_ks_run *run, json_t *objects, struct fx_inventory *inventory,
        enum fx_apply_outcome *out, struct fx_error *err)
{
	fx_auto(drift_ignore) struct fx_drift_ignore *ignore = NULL;
	int rc = fx_drift_ignore_new(json_object_get(run->spec, "ignore"), &ignore, err);
	if (rc < 0)
		return rc;
	struct apply a = {.run = run, .objects = objects, .inventory = inventory, .ignore = ignore};
	size_t count = json_array_size(objects);
	for (size_t from = 0, to; from < count; from = to) {
		struct fx_ref ref = fx_manifest_ref(json_array_get(objects, from));
		enum fx_stage stage = fx_stage_of(&ref, &run->ks->stage_kinds);
		for (to = from + 1; to < count; to++) {
			struct fx_ref next = fx_manifest_ref(json_array_get(objects, to));
			if (fx_stage_of(&next, &run->ks->stage_kinds) != stage)
				break;
		}
		rc = run_stage(&a, objects, from, to, stage, err);
		if (rc < 0) {
			add_changes_to_error(run, err);
			return rc;
		}
		if (rc > 0) {
			*out = FX_APPLY_WAITING;
			return 0;
		}
	}
	*out = FX_APPLY_DONE;
	return 0;
}
