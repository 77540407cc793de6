#include "reconciler.h"
#include "apply.h"
#include "health.h"
#include "prune.h"
#include "source.h"

#include "core/clock.h"
#include "kube/object.h"
#include "runtime/requeue.h"

#include <string.h>

/* A wait for health that ends within this time is not shown in the status. */
#define WAIT_QUIET_MS 1000

/* What one run has found out on its way from the source to the cluster. */
struct work {
	struct fx_tree *tree;
	struct fx_vars vars;
	struct fx_arena *arena;
	const char *dir;
	bool known; /* the last build's result holds for this tree */
	bool quick; /* and all objects are as it left them */
	struct fx_inventory before, now;
};

static void work_release(struct work *w)
{
	fx_vars_release(&w->vars);
	fx_inventory_release(&w->before);
	fx_inventory_release(&w->now);
	fx_tree_unref(w->tree);
	fx_arena_free(w->arena);
}

static void set_wait(struct fx_ks_run *run, enum fx_ks_wait wait)
{
	fx_ks_state_set_wait(&run->ks->states, run->state, wait);
}

static const char *requested_at(const struct fx_ks_run *run)
{
	return fx_object_annotation(run->object, FX_ANNOTATION_REQUESTED_AT);
}

static int64_t generation(const struct fx_ks_run *run)
{
	return fx_object_generation(run->object);
}

/* What every pass ends with. */
static int finish(struct fx_ks_run *run, struct fx_error *err)
{
	const char *token = requested_at(run);
	if (token)
		json_object_set_new(run->status, "lastHandledReconcileAt", json_string(token));
	if (fx_conditions_is(run->conditions, FX_CONDITION_READY, "True")) {
		fx_conditions_delete(run->conditions, FX_CONDITION_RECONCILING);
		json_object_set_new(run->status, "observedGeneration", json_integer(generation(run)));
	} else if (fx_conditions_is(run->conditions, FX_CONDITION_READY, "False") &&
	           fx_conditions_get(run->conditions, FX_CONDITION_RECONCILING)) {
		fx_autofree char *message =
		        strdup(fx_conditions_message(run->conditions, FX_CONDITION_RECONCILING));
		fx_ks_set(run, FX_CONDITION_RECONCILING, "True", FX_REASON_PROGRESSING_WITH_RETRY, "%s",
		        message ? message : "");
	}
	return fx_ks_write(run, err);
}

static void requeue_jittered(struct fx_ks_run *run)
{
	run->result->requeue_after_ms = fx_interval_jitter(fx_ks_interval_ns(run->spec) / 1000000,
	        (int)run->ks->options->interval_jitter_percentage, fx_random_unit());
}

/* A failure of the run itself: condition, event, and again after the retry interval. */
static int fail_run(struct fx_ks_run *run, const char *reason, bool with_history, struct fx_error *failure,
        struct fx_error *err)
{
	char took[FX_TIME_TEXT], next[FX_TIME_TEXT];
	set_wait(run, FX_KS_IDLE);
	run->state->build_is_known = false;
	fx_ks_state_set_text(&run->state->changes, NULL);
	fx_ks_set(run, FX_CONDITION_READY, "False", reason, "%s", fx_error_message(failure));
	if (with_history)
		fx_ks_history(run, reason);
	fx_duration_format(fx_now_ns() - run->state->run_started_ns, took);
	fx_duration_format(fx_ks_retry_ns(run->spec), next);
	fx_autofree char *text = NULL;
	if (asprintf(&text, "Reconciliation failed after %s, next try in %s", took, next) < 0)
		text = NULL;
	fx_reconcile_log(run->reconcile, FX_LOG_ERROR, text ? text : "", fx_error_message(failure));
	fx_ks_event(run, FX_KS_ERROR, run->artifact.revision, run->artifact.origin_revision, false, "%s",
	        fx_error_message(failure));
	run->result->requeue_after_ms = fx_ks_retry_ns(run->spec) / 1000000;
	return finish(run, err);
}

static int stall(struct fx_ks_run *run, const char *reason, const char *message, const char *revision,
        struct fx_error *err)
{
	set_wait(run, FX_KS_IDLE);
	fx_ks_stall(run, reason, message);
	fx_ks_event(run, FX_KS_ERROR, revision, run->artifact.origin_revision, false, "%s", message);
	int rc = finish(run, err);
	return rc < 0 ? rc : fx_fail_kind(err, FX_E_UNSUPPORTED, FX_KIND_STALLED, "%s", message);
}

/* ---- the end: success ---- */

static void note_success(struct fx_ks_run *run)
{
	struct fx_ks_state *s = run->state;
	char took[FX_TIME_TEXT], next[FX_TIME_TEXT];
	fx_duration_format(fx_now_ns() - s->run_started_ns, took);
	fx_duration_format(fx_ks_interval_ns(run->spec), next);
	fx_reconcile_logf(
	        run->reconcile, FX_LOG_INFO, "Reconciliation finished in %s, next run in %s", took, next);
	fx_ks_event(run, FX_KS_INFO, run->artifact.revision, run->artifact.origin_revision, true,
	        "Reconciliation finished in %s, next run in %s", took, next);
}

static int succeed(struct fx_ks_run *run, struct fx_error *err)
{
	set_wait(run, FX_KS_IDLE);
	fx_ks_state_set_text(&run->state->changes, NULL);
	json_object_set_new(run->status, "lastAppliedRevision", json_string(run->artifact.revision));
	if (*run->artifact.origin_revision)
		json_object_set_new(
		        run->status, "lastAppliedOriginRevision", json_string(run->artifact.origin_revision));
	else
		json_object_del(run->status, "lastAppliedOriginRevision");
	fx_ks_set(run, FX_CONDITION_READY, "True", FX_REASON_RECONCILIATION_SUCCEEDED, "Applied revision: %s",
	        run->artifact.revision);
	fx_conditions_delete(run->conditions, FX_CONDITION_RECONCILING);
	fx_conditions_delete(run->conditions, FX_CONDITION_STALLED);
	fx_ks_history(run, FX_REASON_RECONCILIATION_SUCCEEDED);
	int rc = finish(run, err);
	if (rc < 0)
		return rc;
	note_success(run);
	requeue_jittered(run);
	return 0;
}

static void progress(struct fx_ks_run *run, const char *what)
{
	char timeout[FX_TIME_TEXT];
	fx_duration_format(run->timeout_ns, timeout);
	fx_ks_progress(run, "%s for revision %s with a timeout of %s", what, run->artifact.revision, timeout);
}

/* ---- health ---- */

static int health_passed(struct fx_ks_run *run, struct fx_error *err)
{
	struct fx_ks_state *s = run->state;
	char took[FX_TIME_TEXT];
	bool new_revision =
	        strcmp(fx_ks_status_text(run, "lastAppliedRevision"), run->artifact.revision) != 0;
	fx_duration_format(fx_now_ns() - s->wait_started_ns, took);
	fx_ks_set(run, FX_CONDITION_HEALTHY, "True", FX_REASON_SUCCEEDED, "Health check passed in %s", took);
	if (!s->was_healthy || (new_revision && s->drifted))
		fx_ks_event(run, FX_KS_INFO, run->artifact.revision, run->artifact.origin_revision, false,
		        "Health check passed in %s", took);
	return succeed(run, err);
}

static int health_failed(struct fx_ks_run *run, struct fx_error *failure, struct fx_error *err)
{
	char took[FX_TIME_TEXT];
	progress(run, "Running health checks");
	fx_duration_format(fx_now_ns() - run->state->wait_started_ns, took);
	fx_ks_set(run, FX_CONDITION_HEALTHY, "False", FX_REASON_HEALTH_CHECK_FAILED, "%s",
	        fx_error_message(failure));
	fx_error_wrap(failure, "health check failed after %s", took);
	return fail_run(run, FX_REASON_HEALTH_CHECK_FAILED, true, failure, err);
}

static int show_wait(struct fx_ks_run *run, struct fx_error *err)
{
	char timeout[FX_TIME_TEXT];
	fx_duration_format(run->timeout_ns, timeout);
	run->state->wait_is_shown = true;
	fx_ks_progress(run, "Running health checks for revision %s with a timeout of %s",
	        run->artifact.revision, timeout);
	fx_ks_set(run, FX_CONDITION_HEALTHY, "Unknown", FX_REASON_PROGRESSING,
	        "Running health checks for revision %s with a timeout of %s", run->artifact.revision,
	        timeout);
	return fx_ks_write(run, err);
}

/* A wait is shown when it has lasted a moment, for most end sooner; at once when the status lacks what this
 * run has applied or pruned. */
static int keep_waiting(struct fx_ks_run *run, struct fx_error *err)
{
	const json_t *stored = fx_json_at(run->reconcile->object, "status", "inventory");
	int64_t left_ms = (run->state->wait_started_ns - fx_now_ns()) / 1000000 + WAIT_QUIET_MS;
	if (run->state->wait_is_shown)
		return 0;
	if (left_ms <= 0 || !stored || !json_equal(stored, json_object_get(run->status, "inventory")))
		return show_wait(run, err);
	if (!run->result->requeue_after_ms || run->result->requeue_after_ms > left_ms)
		run->result->requeue_after_ms = left_ms;
	return 0;
}

/* Keeps what the next pass needs. */
static int start_waiting(struct fx_ks_run *run, struct fx_error *err)
{
	struct fx_ks_state *s = run->state;
	s->generation = generation(run);
	fx_ks_state_set_text(&s->revision, run->artifact.revision);
	fx_ks_state_set_text(&s->origin_revision, run->artifact.origin_revision);
	fx_ks_state_set_text(&s->requested, requested_at(run));
	s->wait_is_shown = false;
	return keep_waiting(run, err);
}

static enum fx_health_result look_at_health(
        struct fx_ks_run *run, struct fx_inventory *entries, int64_t deadline_ns, struct fx_error *failure)
{
	struct fx_health_set set = {.entries = *entries,
	        .kube = run->kube,
	        .fail_fast = !fx_ks_gate(run->ks, FX_KS_GATE_NO_FAIL_FAST)};
	enum fx_health_result result =
	        fx_health_check(run, &set, run->state->wait_started_ns, deadline_ns, failure);
	if (result == FX_HEALTH_WAIT)
		run->result->requeue_after_ms = set.next_ms;
	return result;
}

static int check_health(struct fx_ks_run *run, const struct fx_inventory *inventory, struct fx_error *err)
{
	struct fx_ks_state *s = run->state;
	bool resumed = s->wait == FX_KS_WAIT_HEALTH;
	fx_auto(inventory) struct fx_inventory entries = {0};
	fx_auto(error) struct fx_error failure = FX_ERROR_INIT;
	int rc = fx_health_entries(run, inventory, &entries, &failure);
	if (rc < 0)
		return fail_run(run, FX_REASON_RECONCILIATION_FAILED, true, &failure, err);
	if (entries.len == 0) {
		fx_conditions_delete(run->conditions, FX_CONDITION_HEALTHY);
		return succeed(run, err);
	}
	if (!resumed) {
		s->wait_started_ns = fx_now_ns();
		s->wait_deadline_ns = s->wait_started_ns + run->timeout_ns;
		s->was_healthy = fx_conditions_is(run->conditions, FX_CONDITION_HEALTHY, "True");
		/* Events from now on must wake it. */
		set_wait(run, FX_KS_WAIT_HEALTH);
	}
	switch (look_at_health(run, &entries, s->wait_deadline_ns, &failure)) {
	case FX_HEALTH_OK:
		return health_passed(run, err);
	case FX_HEALTH_FAILED:
		return health_failed(run, &failure, err);
	default:
		return resumed ? keep_waiting(run, err) : start_waiting(run, err);
	}
}

/* ---- apply and prune ---- */

/* Forgets objects that the new set does not have. */
static void purge_applied(struct fx_ks_run *run)
{
	struct fx_ks_state *s = run->state;
	fx_auto(inventory) struct fx_inventory old = {0};
	pthread_mutex_lock(&run->ks->states.lock);
	bool ok = true;
	for (struct fx_map_slot *slot = NULL; (slot = fx_map_next(&s->applied, slot));)
		if (((struct fx_applied *)slot->value)->run != s->run)
			ok = fx_inventory_add(&old, slot->key, "") && ok;
	for (size_t i = 0; i < old.len; i++)
		fx_map_del(&s->applied, old.items[i].id);
	pthread_mutex_unlock(&run->ks->states.lock);
}

/* The part of the status' inventory that belongs to the last apply, in its order. */
static int known_inventory(struct fx_ks_run *run, const struct fx_inventory *before, struct fx_inventory *out,
        struct fx_error *err)
{
	struct fx_ks_state *s = run->state;
	bool ok = true;
	pthread_mutex_lock(&run->ks->states.lock);
	for (size_t i = 0; i < before->len; i++) {
		const struct fx_applied *a = fx_map_get(&s->applied, before->items[i].id);
		if (a && a->run == s->run)
			ok = fx_inventory_add(out, before->items[i].id, before->items[i].version) && ok;
	}
	size_t current = 0;
	for (struct fx_map_slot *slot = NULL; (slot = fx_map_next(&s->applied, slot));)
		current += ((struct fx_applied *)slot->value)->run == s->run;
	pthread_mutex_unlock(&run->ks->states.lock);
	if (!ok)
		return fx_fail_nomem(err);
	/* A status that lost entries is made whole by a full pass. */
	return current == out->len ? 0 : 1;
}

static int set_inventory(struct fx_ks_run *run, const struct fx_inventory *inventory, struct fx_error *err)
{
	json_t *json = fx_inventory_to_json(inventory);
	if (!json || json_object_set_new(run->status, "inventory", json) < 0)
		return fx_fail_nomem(err);
	return 0;
}

static int prune_stale(struct fx_ks_run *run, struct work *w, struct fx_error *failure)
{
	fx_auto(inventory) struct fx_inventory stale = {0};
	fx_cleanup(fx_auto_prune_result) struct fx_prune_result pruned = {0};
	int rc = fx_inventory_diff(&w->before, &w->now, &stale, failure);
	if (rc < 0 || stale.len == 0 || !fx_json_bool_at(run->spec, "prune"))
		return rc;
	rc = fx_prune(run, &stale, &pruned, failure);
	if (rc < 0) {
		for (size_t i = 0; i < pruned.kept.len; i++)
			if (!fx_inventory_add(&w->now, pruned.kept.items[i].id, pruned.kept.items[i].version))
				return rc;
		int set = set_inventory(run, &w->now, NULL);
		return set < 0 ? set : rc;
	}
	if (pruned.lines.len) {
		fx_reconcile_logf(run->reconcile, FX_LOG_INFO, "garbage collection completed: %s",
		        fx_buf_str(&pruned.lines));
		fx_ks_event(run, FX_KS_INFO, run->artifact.revision, run->artifact.origin_revision, false,
		        "%s", fx_buf_str(&pruned.lines));
	}
	return 0;
}

/* The subjects of one action in the lines of changes: "created: [A, B]". */
static void add_group(const char *lines, const char *action, struct fx_buf *out)
{
	size_t action_len = strlen(action), count = 0;
	for (const char *line = lines; *line;) {
		size_t len = strcspn(line, "\n");
		if (len > action_len + 1 && line[len - action_len - 1] == ' ' &&
		        !strncmp(line + len - action_len, action, action_len)) {
			if (count == 0)
				fx_buf_addf(out, "%s%s: [", out->len ? "; " : "", action);
			fx_buf_addf(out, "%s%.*s", count++ ? ", " : "", (int)(len - action_len - 1), line);
		}
		line += len + (line[len] == '\n');
	}
	if (count)
		fx_buf_add_char(out, ']');
}

static void log_changes(struct fx_ks_run *run)
{
	fx_cleanup(fx_auto_buf) struct fx_buf text = FX_BUF_INIT;
	if (fx_ks_gate(run->ks, FX_KS_GATE_GROUP_CHANGE_LOG)) {
		add_group(fx_buf_str(&run->changes), fx_ssa_action_name(FX_SSA_CREATED), &text);
		add_group(fx_buf_str(&run->changes), fx_ssa_action_name(FX_SSA_CONFIGURED), &text);
	} else {
		fx_buf_add(&text, fx_buf_str(&run->changes), run->changes.len);
	}
	fx_reconcile_logf(run->reconcile, FX_LOG_INFO, "server-side apply completed: %s", fx_buf_str(&text));
}

static void note_changes(struct fx_ks_run *run)
{
	struct fx_ks_state *s = run->state;
	s->drifted = run->changes.len > 0;
	fx_ks_state_set_text(&s->changes, NULL);
	if (!run->changes.len)
		return;
	log_changes(run);
	fx_ks_event(run, FX_KS_INFO, run->artifact.revision, run->artifact.origin_revision, false, "%s",
	        fx_buf_str(&run->changes));
}

/* True when the status says all that could be said: a pass that changes nothing then writes nothing. */
static bool status_is_settled(const struct fx_ks_run *run)
{
	const char *token = requested_at(run);
	return fx_conditions_is_ready(run->conditions) &&
	       fx_json_int_at(run->status, -1, "observedGeneration") == generation(run) &&
	       !strcmp(fx_ks_status_text(run, "lastAppliedRevision"), run->artifact.revision) &&
	       (!token || !strcmp(fx_ks_status_text(run, "lastHandledReconcileAt"), token));
}

/* Nothing was applied; is there nothing to say either? */
static bool is_silent(struct fx_ks_run *run, const struct work *w)
{
	fx_auto(inventory) struct fx_inventory entries = {0}, added = {0};
	fx_auto(error) struct fx_error ignored = FX_ERROR_INIT;
	if (!run->settled || run->shown || run->changes.len || w->now.len != w->before.len)
		return false;
	if (fx_inventory_diff(&w->now, &w->before, &added, &ignored) < 0 || added.len)
		return false;
	if (fx_health_entries(run, &w->now, &entries, &ignored) < 0)
		return false;
	run->state->wait_started_ns = fx_now_ns();
	bool healthy = entries.len == 0 || look_at_health(run, &entries, INT64_MAX, &ignored) == FX_HEALTH_OK;
	return healthy &&
	       (entries.len > 0) == (fx_conditions_get(run->conditions, FX_CONDITION_HEALTHY) != NULL);
}

/* After all objects have been applied, or are known to be as they should. */
static int finish_apply(struct fx_ks_run *run, struct work *w, struct fx_error *err)
{
	fx_auto(error) struct fx_error failure = FX_ERROR_INIT;
	if (is_silent(run, w)) {
		set_wait(run, FX_KS_IDLE);
		requeue_jittered(run);
		return 0;
	}
	int rc = set_inventory(run, &w->now, err);
	if (rc < 0)
		return rc;
	rc = prune_stale(run, w, &failure);
	if (rc < 0)
		return fail_run(run, FX_REASON_PRUNE_FAILED, true, &failure, err);
	return check_health(run, &w->now, err);
}

static int build(struct fx_ks_run *run, struct work *w, struct fx_build_output *out, struct fx_error *failure)
{
	struct fx_ks_tree_fs fs;
	fx_ks_tree_fs_init(&fs, w->tree);
	struct fx_build_input input = {.tree = &fs.view,
	        .dir = w->dir,
	        .spec = run->spec,
	        .vars = json_object_get(run->spec, "postBuild") ? &w->vars : NULL,
	        .strict = fx_ks_gate(run->ks, FX_KS_GATE_STRICT_SUBSTITUTIONS)};
	return fx_builder_build(&input, out, failure);
}

static uint64_t build_key(const struct fx_ks_run *run, const struct work *w)
{
	fx_autofree char *text = json_dumps(run->spec, JSON_COMPACT | JSON_SORT_KEYS);
	uint64_t parts[2] = {text ? fx_hash(text, strlen(text)) : 0, fx_vars_hash(&w->vars)};
	return fx_hash(parts, sizeof(parts));
}

static void remember_build(struct fx_ks_run *run, const struct work *w, struct fx_build_output *built)
{
	struct fx_ks_state *s = run->state;
	free(s->trace);
	s->trace = fx_take(built->trace);
	s->trace_len = built->trace_len;
	s->build_key = build_key(run, w);
	/* Other objects get the whole time of a stage for themselves. */
	if (strcmp(s->digest, built->digest) != 0)
		memset(s->stage_started_ns, 0, sizeof(s->stage_started_ns));
	memcpy(s->digest, built->digest, sizeof(s->digest));
	/* Known only once all of it has been applied. */
	s->build_is_known = false;
}

/* Adds the objects that the status does not list yet; *out_new tells whether there are any. */
static int plan_inventory(const struct work *w, const json_t *objects, struct fx_inventory *out,
        bool *out_new, struct fx_error *err)
{
	fx_auto(map) struct fx_map known = FX_MAP_INIT;
	fx_auto(buf) struct fx_buf id = FX_BUF_INIT;
	size_t i;
	json_t *object;
	for (i = 0; i < w->before.len; i++)
		if (!fx_map_set(&known, w->before.items[i].id, &known) ||
		        !fx_inventory_add(out, w->before.items[i].id, w->before.items[i].version))
			return fx_fail_nomem(err);
	json_array_foreach (objects, i, object) {
		struct fx_ref ref = fx_manifest_ref(object);
		fx_buf_clear(&id);
		fx_entry_id(&ref, &id);
		if (fx_map_has(&known, fx_buf_str(&id)))
			continue;
		*out_new = true;
		if (fx_buf_failed(&id) || !fx_inventory_add(out, fx_buf_str(&id), ref.version))
			return fx_fail_nomem(err);
	}
	return 0;
}

/* Before anything new is created the status lists it: a controller that is killed in between must not
 * leave objects behind that nobody knows of. What was planned and never applied is no harm: pruning takes
 * only objects with the owner's labels. */
static int write_planned(
        struct fx_ks_run *run, const struct work *w, const json_t *objects, struct fx_error *err)
{
	fx_auto(inventory) struct fx_inventory planned = {0};
	bool is_new = false;
	int rc = plan_inventory(w, objects, &planned, &is_new, err);
	if (rc < 0 || !is_new)
		return rc;
	rc = set_inventory(run, &planned, err);
	return rc < 0 ? rc : fx_ks_write(run, err);
}

/* After an apply that failed half-way: what was there, and what was written until then. */
static void keep_applied(struct fx_ks_run *run, const struct work *w)
{
	fx_auto(inventory) struct fx_inventory fresh = {0}, kept = {0};
	bool ok = fx_inventory_diff(&w->now, &w->before, &fresh, NULL) == 0;
	for (size_t i = 0; i < w->before.len; i++)
		ok = ok && fx_inventory_add(&kept, w->before.items[i].id, w->before.items[i].version);
	for (size_t i = 0; i < fresh.len; i++)
		ok = ok && fx_inventory_add(&kept, fresh.items[i].id, fresh.items[i].version);
	/* Without memory the planned list stays, which names too much rather than too little. */
	if (ok && set_inventory(run, &kept, NULL) < 0)
		return;
	if (ok && kept.len == 0)
		json_object_del(run->status, "inventory");
}

static int apply_objects(struct fx_ks_run *run, struct work *w, struct fx_error *err)
{
	struct fx_ks_state *s = run->state;
	fx_auto(error) struct fx_error failure = FX_ERROR_INIT;
	fx_cleanup(fx_auto_build_output) struct fx_build_output built = FX_BUILD_OUTPUT_INIT;
	enum fx_apply_outcome outcome = FX_APPLY_DONE;
	progress(run, "Building manifests");
	int rc = fx_ks_write_if_slow(run, err);
	if (rc < 0)
		return rc;
	if (build(run, w, &built, &failure) < 0)
		return fail_run(run, FX_REASON_BUILD_FAILED, false, &failure, err);
	remember_build(run, w, &built);
	progress(run, "Detecting drift");
	rc = fx_ks_write_if_slow(run, err);
	if (rc < 0)
		return rc;
	s->run++;
	rc = fx_apply_prepare(run, built.objects, &failure);
	if (rc == 0) {
		rc = write_planned(run, w, built.objects, err);
		if (rc < 0)
			return rc;
		rc = fx_apply(run, built.objects, &w->now, &outcome, &failure);
	}
	if (rc < 0) {
		keep_applied(run, w);
		return fail_run(run, FX_REASON_RECONCILIATION_FAILED, true, &failure, err);
	}
	if (outcome == FX_APPLY_WAITING) {
		fx_ks_state_set_text(&s->changes, fx_buf_str(&run->changes));
		return 0;
	}
	purge_applied(run);
	note_changes(run);
	s->build_is_known = s->trace != NULL;
	return finish_apply(run, w, err);
}

/* ---- from the source to the objects ---- */

static int prepare_work(struct fx_ks_run *run, struct work *w, const char **reason, struct fx_error *failure)
{
	*reason = FX_REASON_ARTIFACT_FAILED;
	w->arena = fx_arena_new(0);
	const char *path = fx_json_str_at(run->spec, "path");
	w->dir = w->arena ? fx_path_join(w->arena, "/", fx_arena_printf(w->arena, "./%s", path ? path : ""))
	                  : NULL;
	if (!w->dir)
		return fx_fail_nomem(failure);
	int rc = fx_ks_source_tree(run, &w->tree, failure);
	if (rc < 0)
		return rc;
	const struct fx_tree_node *node = fx_tree_find(w->tree, w->dir + 1);
	if (!node || !node->is_dir) {
		/* Not FX_E_NOT_FOUND: that is an artifact which the server does not have. */
		return fx_fail(failure, FX_E_INVALID,
		        "kustomization path not found: stat %s: no such file or directory", w->dir);
	}
	json_object_set_new(run->status, "lastAttemptedRevision", json_string(run->artifact.revision));
	*reason = FX_REASON_RECONCILIATION_FAILED;
	rc = fx_ks_make_client(run, failure);
	if (rc < 0)
		return rc;
	*reason = FX_REASON_BUILD_FAILED;
	return fx_vars_load(&w->vars, run->ks->manager->kube, run->reconcile->namespace_,
	        json_object_get(run->spec, "postBuild"), run->reconcile->cancel, failure);
}

static bool build_still_holds(struct fx_ks_run *run, const struct work *w)
{
	struct fx_ks_state *s = run->state;
	struct fx_ks_tree_fs fs;
	if (!s->build_is_known || s->build_key != build_key(run, w))
		return false;
	fx_ks_tree_fs_init(&fs, w->tree);
	return fx_trace_matches(s->trace, s->trace_len, &fs.view);
}

/* A new revision that changes nothing here: those for whom it changes something go first, the status can
 * wait until all have been looked at. */
static bool steps_back(const struct fx_ks_run *run)
{
	const struct fx_reconcile *r = run->reconcile;
	if (r->priority != FX_PRIORITY_NORMAL || !fx_controller_has_work(r->controller) ||
	        !strcmp(fx_ks_status_text(run, "lastAppliedRevision"), run->artifact.revision))
		return false;
	fx_controller_enqueue(r->controller, r->namespace_, r->name, FX_PRIORITY_SETTLED);
	return true;
}

static int run_work(struct fx_ks_run *run, struct work *w, struct fx_error *err)
{
	int rc = fx_inventory_read(json_object_get(run->status, "inventory"), &w->before, err);
	if (rc < 0)
		return rc;
	w->known = build_still_holds(run, w);
	w->quick =
	        w->known && fx_apply_is_untouched(run) && known_inventory(run, &w->before, &w->now, err) == 0;
	run->settled = status_is_settled(run);
	if (w->quick && steps_back(run))
		return 0;
	if (w->quick) {
		run->state->drifted = false;
		progress(run, "Detecting drift");
		return finish_apply(run, w, err);
	}
	fx_inventory_release(&w->now);
	return apply_objects(run, w, err);
}

/* A download that may succeed at the next try: 1 when there is one left, and when it is due. */
static int retry_fetch(struct fx_ks_run *run, struct fx_error *failure)
{
	struct fx_ks_state *s = run->state;
	if (!s->fetch_url || strcmp(s->fetch_url, run->artifact.url) != 0) {
		fx_ks_state_set_text(&s->fetch_url, run->artifact.url);
		s->fetch_failures = 0;
	}
	if (!fx_fetch_is_transient(failure))
		return 0;
	if (s->fetch_failures++ < run->ks->flags->http_retry) {
		run->result->requeue_after_ms = failure->retry_after_ms
		                                        ? failure->retry_after_ms
		                                        : fx_fetch_retry_ms(s->fetch_failures);
		return 1;
	}
	fx_error_wrap(failure, "failed to download archive: GET %s giving up after %d attempt(s)",
	        run->artifact.url, s->fetch_failures);
	s->fetch_failures = 0;
	return 0;
}

/* No artifact yet: the condition says why, and the next pass tries again. */
static int wait_for_artifact(struct fx_ks_run *run, const struct fx_error *failure, struct fx_error *err)
{
	char wait[FX_TIME_TEXT];
	set_wait(run, FX_KS_WAIT_ARTIFACT);
	progress(run, "Fetching manifests");
	fx_ks_set(
	        run, FX_CONDITION_READY, "False", FX_REASON_ARTIFACT_FAILED, "%s", fx_error_message(failure));
	fx_duration_format(run->result->requeue_after_ms * 1000000, wait);
	fx_reconcile_logf(run->reconcile, FX_LOG_INFO, "artifact cannot be fetched, retrying in %s: %s", wait,
	        fx_error_message(failure));
	return finish(run, err);
}

static int reconcile_artifact(struct fx_ks_run *run, struct fx_error *err)
{
	struct fx_ks_state *s = run->state;
	fx_cleanup(work_release) struct work w = {.vars = FX_VARS_INIT};
	fx_auto(error) struct fx_error failure = FX_ERROR_INIT;
	const char *reason;
	if (s->wait == FX_KS_WAIT_STAGE) {
		fx_buf_add_str(&run->changes, s->changes ? s->changes : "");
	} else {
		memset(s->stage_started_ns, 0, sizeof(s->stage_started_ns));
		s->kind_missed_ns = 0;
		if (s->wait != FX_KS_WAIT_ARTIFACT)
			s->run_started_ns = run->reconcile->started_ns;
		set_wait(run, FX_KS_IDLE);
	}
	/* The start of a run is shown only by what comes of it, unless that takes long: every write is
	 * seen by each client that watches. */
	int rc = prepare_work(run, &w, &reason, &failure);
	if (rc == -FX_E_NOT_FOUND && !strcmp(reason, FX_REASON_ARTIFACT_FAILED)) {
		char wait[FX_TIME_TEXT];
		fx_duration_format(run->ks->options->requeue_dependency_ns, wait);
		fx_ks_set(run, FX_CONDITION_READY, "False", FX_REASON_ARTIFACT_FAILED,
		        "Source is not ready, artifact not found, retrying in %s", wait);
		run->result->requeue_after_ms = run->ks->options->requeue_dependency_ns / 1000000;
		return finish(run, err);
	}
	if (rc < 0 && !strcmp(reason, FX_REASON_ARTIFACT_FAILED) && retry_fetch(run, &failure))
		return wait_for_artifact(run, &failure, err);
	if (rc < 0) {
		progress(run, "Fetching manifests");
		return fail_run(run, reason, false, &failure, err);
	}
	s->fetch_failures = 0;
	return run_work(run, &w, err);
}

/* ---- checks before a run ---- */

static bool has_expressions(const json_t *spec)
{
	size_t i;
	json_t *dep;
	json_array_foreach (json_object_get(spec, "dependsOn"), i, dep) {
		const char *expr = fx_json_str_at(dep, "readyExpr");
		if (expr && *expr)
			return true;
	}
	return json_array_size(json_object_get(spec, "healthCheckExprs")) > 0;
}

/* Fields of the API whose work is not there yet: a clear condition, nothing applied. 1: stalled. */
static int check_supported(struct fx_ks_run *run, struct fx_error *err)
{
	const char *account = fx_json_str_at(run->spec, "decryption", "serviceAccountName");
	const char *reason = NULL, *message = NULL;
	if (account && *account && !fx_ks_gate(run->ks, FX_KS_GATE_OBJECT_IDENTITY)) {
		reason = FX_REASON_FEATURE_GATE_DISABLED;
		message = "to use spec.decryption.serviceAccountName for decryption authentication please "
		          "enable the "
		          "ObjectLevelWorkloadIdentity feature gate in the controller";
	} else if (json_is_object(json_object_get(run->spec, "decryption"))) {
		reason = FX_REASON_BUILD_FAILED;
		message = "spec.decryption is not supported by this version of the controller, nothing was "
		          "applied";
	} else if (json_is_object(json_object_get(run->spec, "kubeConfig"))) {
		reason = FX_REASON_RECONCILIATION_FAILED;
		message = "spec.kubeConfig is not supported by this version of the controller, nothing was "
		          "applied";
	} else if (has_expressions(run->spec)) {
		reason = FX_REASON_INVALID_CEL;
		message = "CEL expressions are not supported by this version of the controller, nothing was "
		          "applied";
	}
	if (!reason)
		return 0;
	int rc = stall(run, reason, message, NULL, err);
	if (err && err->kind == FX_KIND_STALLED && !strcmp(reason, FX_REASON_FEATURE_GATE_DISABLED)) {
		fx_error_release(err);
		rc = 1;
	}
	return rc;
}

/* 0: go on; 1: the pass has ended; negative: with an error. */
static int check_source(struct fx_ks_run *run, struct fx_error *err)
{
	fx_auto(error) struct fx_error failure = FX_ERROR_INIT;
	char wait[FX_TIME_TEXT];
	enum fx_ks_source_result result = fx_ks_source_find(run, &failure);
	if (result == FX_KS_SOURCE_OK)
		return 0;
	if (result == FX_KS_SOURCE_DENIED)
		return stall(run, FX_REASON_ACCESS_DENIED, fx_error_message(&failure), NULL, err);
	if (result == FX_KS_SOURCE_NO_ARTIFACT) {
		fx_duration_format(run->ks->options->requeue_dependency_ns, wait);
		fx_ks_set(run, FX_CONDITION_READY, "False", FX_REASON_ARTIFACT_FAILED,
		        "Source artifact not found, retrying in %s", wait);
		run->result->requeue_after_ms = run->ks->options->requeue_dependency_ns / 1000000;
	} else {
		fx_ks_set(run, FX_CONDITION_READY, "False", FX_REASON_ARTIFACT_FAILED, "%s",
		        fx_error_message(&failure));
		if (result == FX_KS_SOURCE_NOT_FOUND)
			run->result->requeue_after_ms = fx_ks_retry_ns(run->spec) / 1000000;
	}
	fx_reconcile_log(run->reconcile, FX_LOG_INFO,
	        fx_conditions_message(run->conditions, FX_CONDITION_READY), NULL);
	int rc = finish(run, err);
	if (rc == 0 && result == FX_KS_SOURCE_FAILED) {
		rc = -(int)failure.code;
		fx_error_move(err, &failure);
	}
	return rc < 0 ? rc : 1;
}

static int check_dependencies(struct fx_ks_run *run, struct fx_error *err)
{
	fx_auto(error) struct fx_error failure = FX_ERROR_INIT;
	char wait[FX_TIME_TEXT];
	if (json_array_size(json_object_get(run->spec, "dependsOn")) == 0)
		return 0;
	enum fx_ks_wait before = run->state->wait;
	/* First the state, then the look: a change in between queues this object again. */
	set_wait(run, FX_KS_WAIT_DEPENDENCY);
	int rc = fx_ks_check_dependencies(run, &failure);
	if (rc == 0) {
		set_wait(run, before == FX_KS_WAIT_DEPENDENCY ? FX_KS_IDLE : before);
		return 0;
	}
	if (rc < 0) {
		fx_error_move(err, &failure);
		return rc;
	}
	bool news = strcmp(fx_conditions_message(run->conditions, FX_CONDITION_READY),
	                    fx_error_message(&failure)) != 0;
	fx_ks_set(run, FX_CONDITION_READY, "False", FX_REASON_DEPENDENCY_NOT_READY, "%s",
	        fx_error_message(&failure));
	fx_duration_format(run->ks->options->requeue_dependency_ns, wait);
	if (news) {
		fx_reconcile_logf(run->reconcile, FX_LOG_INFO,
		        "Dependencies do not meet ready condition, retrying in %s: %s", wait,
		        fx_error_message(&failure));
		fx_ks_event(run, FX_KS_INFO, run->artifact.revision, run->artifact.origin_revision, false,
		        "Dependencies do not meet ready condition, retrying in %s", wait);
	}
	run->result->requeue_after_ms = run->ks->options->requeue_dependency_ns / 1000000;
	rc = finish(run, err);
	return rc < 0 ? rc : 1;
}

/* ---- waiting for health ---- */

static bool same_text(const char *a, const char *b)
{
	return !strcmp(a ? a : "", b ? b : "");
}

static char *take_cancel(struct fx_ks_run *run)
{
	pthread_mutex_lock(&run->ks->states.lock);
	char *by = fx_take(run->state->cancel_by);
	pthread_mutex_unlock(&run->ks->states.lock);
	return by;
}

/* Ends the wait in favour of a new run, and says who asked for it. */
static int cancel_wait(struct fx_ks_run *run, const char *by, struct fx_error *err)
{
	set_wait(run, FX_KS_IDLE);
	fx_ks_set(run, FX_CONDITION_READY, "False", FX_REASON_HEALTH_CHECK_CANCELED,
	        "New reconciliation triggered by %s", by);
	fx_ks_event(run, FX_KS_INFO, run->artifact.revision, run->artifact.origin_revision, false,
	        "Health checks canceled due to new reconciliation triggered by %s", by);
	run->result->requeue_after_ms = 1;
	return finish(run, err);
}

/* Objects that were changed while the others come up are put right, those that somebody fights over when
 * their pause is over. */
static bool something_is_dirty(struct fx_ks_run *run)
{
	bool dirty = false;
	int64_t now_ms = fx_now_ms();
	pthread_mutex_lock(&run->ks->states.lock);
	for (struct fx_map_slot *slot = NULL; (slot = fx_map_next(&run->state->applied, slot));)
		dirty = dirty || (((struct fx_applied *)slot->value)->dirty &&
		                         ((struct fx_applied *)slot->value)->paused_ms <= now_ms);
	pthread_mutex_unlock(&run->ks->states.lock);
	return dirty;
}

/* 1: the wait goes on or has ended here; 0: a new run is due. */
static int resume_health(struct fx_ks_run *run, struct fx_error *err)
{
	struct fx_ks_state *s = run->state;
	fx_autofree char *by = take_cancel(run);
	fx_auto(inventory) struct fx_inventory inventory = {0};
	if (s->generation != generation(run) || !same_text(s->requested, requested_at(run))) {
		if (!by && asprintf(&by, "%s/%s", FX_KS_KIND, run->reconcile->key) < 0)
			by = NULL;
		if (!fx_ks_gate(run->ks, FX_KS_GATE_CANCEL_HEALTH_CHECK))
			return 0;
	}
	if (something_is_dirty(run))
		return 0;
	fx_ks_state_set_text(&run->artifact.revision, s->revision ? s->revision : "");
	fx_ks_state_set_text(&run->artifact.origin_revision, s->origin_revision ? s->origin_revision : "");
	if (!run->artifact.revision || !run->artifact.origin_revision)
		return fx_fail_nomem(err);
	json_object_set_new(run->status, "lastAttemptedRevision", json_string(run->artifact.revision));
	int rc;
	if (by && fx_ks_gate(run->ks, FX_KS_GATE_CANCEL_HEALTH_CHECK)) {
		rc = cancel_wait(run, by, err);
		return rc < 0 ? rc : 1;
	}
	rc = fx_ks_make_client(run, err);
	if (rc == 0)
		rc = fx_inventory_read(json_object_get(run->status, "inventory"), &inventory, err);
	if (rc == 0)
		rc = check_health(run, &inventory, err);
	return rc < 0 ? rc : 1;
}

/* ---- one pass ---- */

static int pass_suspended(struct fx_ks_run *run, struct fx_error *err)
{
	set_wait(run, FX_KS_IDLE);
	fx_reconcile_log(run->reconcile, FX_LOG_INFO, "Reconciliation is suspended for this object", NULL);
	return finish(run, err);
}

static int pass(struct fx_ks_run *run, struct fx_error *err)
{
	if (fx_object_is_deleting(run->object))
		return fx_object_has_finalizer(run->object, FX_FINALIZER) ? fx_ks_finalize(run, err) : 0;
	int rc = fx_reconcile_add_finalizer(run->reconcile, FX_FINALIZER, NULL, err);
	if (rc < 0)
		return rc;
	if (fx_json_bool_at(run->spec, "suspend"))
		return pass_suspended(run, err);
	rc = check_supported(run, err);
	if (rc == 0 && run->state->wait == FX_KS_WAIT_HEALTH)
		rc = resume_health(run, err);
	if (rc == 0)
		rc = check_source(run, err);
	if (rc == 0)
		rc = check_dependencies(run, err);
	if (rc == 0)
		rc = reconcile_artifact(run, err);
	return rc < 0 ? rc : 0;
}

int fx_ks_reconcile(void *arg, struct fx_reconcile *reconcile, struct fx_result *out, struct fx_error *err)
{
	struct fx_ks *ks = arg;
	struct fx_ks_run run = {.ks = ks,
	        .reconcile = reconcile,
	        .result = out,
	        .object = json_incref(reconcile->object),
	        .status = fx_reconcile_copy_status(reconcile),
	        .state = fx_ks_state_begin(&ks->states, reconcile->key)};
	run.spec = json_object_get(run.object, "spec");
	run.conditions = json_object_get(run.status, "conditions");
	run.timeout_ns = fx_ks_timeout_ns(run.spec);
	int rc = run.state && run.conditions ? pass(&run, err) : fx_fail_nomem(err);
	int64_t again_ms = run.state ? fx_ks_state_end(&ks->states, run.state) : -1;
	if (again_ms >= 0)
		fx_controller_enqueue_after(
		        ks->controller, reconcile->namespace_, reconcile->name, FX_PRIORITY_NORMAL, again_ms);
	fx_buf_release(&run.changes);
	fx_ks_artifact_release(&run.artifact);
	fx_kube_unref(run.kube);
	json_decref(run.status);
	json_decref(run.object);
	return rc;
}
