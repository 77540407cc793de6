#include "source-controller/source.h"

#include "core/arena.h"
#include "core/clock.h"
#include "runtime/requeue.h"

#include <ctype.h>
#include <string.h>

/* Work memory of one run: conditions, paths, include lists. Bodies and packs are files. */
#define ARENA_MAX (64 * 1024 * 1024)

enum fx_step fx_source_fail(
        struct fx_source *source, enum fx_step_class class_, const char *reason, struct fx_error *err)
{
	source->failed_class = class_;
	source->failed_reason = reason;
	if (err != &source->error)
		fx_error_move(&source->error, err);
	return FX_STEP_FAILED;
}

enum fx_step fx_source_fail_with(struct fx_source *source, const char *type, enum fx_step_class class_,
        const char *reason, struct fx_error *err)
{
	fx_source_set(source, type, "True", reason, "%s", fx_error_message(err));
	return fx_source_fail(source, class_, reason, err);
}

bool fx_source_set(struct fx_source *source, const char *type, const char *status, const char *reason,
        const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *text = fx_arena_vprintf(source->arena, fmt, ap);
	va_end(ap);
	return text &&
	       fx_conditions_set(source->conditions, &source->clock, type, status, reason, "%s", text);
}

void fx_source_unset(struct fx_source *source, const char *type)
{
	fx_conditions_delete(source->conditions, type);
}

bool fx_source_progress(struct fx_source *source, bool drift, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *text = fx_arena_vprintf(source->arena, fmt, ap);
	va_end(ap);
	if (!text || !fx_conditions_mark_reconciling(
	                     source->conditions, &source->clock, FX_REASON_PROGRESSING, "%s", text))
		return false;
	const char *ready = fx_conditions_status(source->conditions, FX_CONDITION_READY);
	if (!drift && ready && strcmp(ready, "Unknown") != 0)
		return true;
	return fx_source_set(source, FX_CONDITION_READY, "Unknown", FX_REASON_PROGRESSING, "%s", text);
}

json_t *fx_source_artifact(const struct fx_source *source)
{
	json_t *artifact = json_object_get(source->status, "artifact");
	return json_is_object(artifact) ? artifact : NULL;
}

bool fx_source_has_revision(const struct fx_source *source, const char *revision)
{
	const char *have = fx_json_str_at(fx_source_artifact(source), "revision");
	return have && strcmp(have, revision) == 0;
}

char *fx_source_path(const struct fx_source *source, const char *file)
{
	char *path = fx_arena_printf(source->arena, "%s/%s/%s%s%s", source->kind->kind,
	        source->run->namespace_, source->run->name, file ? "/" : "", file ? file : "");
	for (char *p = path; p && *p && *p != '/'; p++)
		*p = (char)tolower((unsigned char)*p);
	return path;
}

void fx_source_trace(struct fx_source *source, const char *reason, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *text = fx_arena_vprintf(source->arena, fmt, ap);
	va_end(ap);
	if (text)
		fx_events_emit(source->run->manager->events, source->run->object, NULL, FX_EVENT_TRACE,
		        reason, text);
}

static void record_request(struct fx_source *source)
{
	const char *token = fx_object_annotation(source->run->object, FX_ANNOTATION_REQUESTED_AT);
	if (token)
		json_object_set_new(source->status, "lastHandledReconcileAt", json_string(token));
}

int fx_source_write(struct fx_source *source, struct fx_error *err)
{
	return fx_reconcile_write_status(source->run, source->status, err);
}

static void emit_failure(struct fx_source *source)
{
	static const enum fx_event_type types[] = {
	        [FX_STEP_GENERIC] = FX_EVENT_WARNING,
	        [FX_STEP_IGNORE] = FX_EVENT_TRACE,
	        [FX_STEP_WAITING] = FX_EVENT_TRACE,
	        [FX_STEP_STALLING] = FX_EVENT_WARNING,
	};
	if (source->failed_class == FX_STEP_PLAIN)
		return;
	fx_events_emit(source->run->manager->events, source->run->object, NULL, types[source->failed_class],
	        source->failed_reason, fx_error_message(&source->error));
}

static void log_failure(struct fx_source *source)
{
	const char *text = fx_error_message(&source->error);
	switch (source->failed_class) {
	case FX_STEP_IGNORE:
		fx_reconcile_log(source->run, FX_LOG_INFO, text, NULL);
		break;
	case FX_STEP_WAITING:
		fx_reconcile_logf(source->run, FX_LOG_INFO, "reconciliation waiting: %s", text);
		break;
	case FX_STEP_STALLING:
		fx_reconcile_log(source->run, FX_LOG_ERROR, "reconciliation stalled", text);
		break;
	default:
		break; /* the controller logs what is returned */
	}
}

/* True when the run ended as well as it can: the object is up to date. */
static bool is_good(const struct fx_source *source, enum fx_step step)
{
	return step == FX_STEP_SUCCESS || (step == FX_STEP_FAILED && source->failed_class == FX_STEP_IGNORE);
}

static void apply_outcome(struct fx_source *source, enum fx_step step)
{
	json_t *c = source->conditions;
	if (step == FX_STEP_FAILED && source->failed_class == FX_STEP_STALLING)
		fx_conditions_mark_stalled(
		        c, &source->clock, source->failed_reason, "%s", fx_error_message(&source->error));
	else
		fx_conditions_delete(c, FX_CONDITION_STALLED);
	if (is_good(source, step))
		fx_conditions_delete(c, FX_CONDITION_RECONCILING);
	else if (fx_conditions_get(c, FX_CONDITION_RECONCILING))
		fx_source_set(source, FX_CONDITION_RECONCILING, "True", FX_REASON_PROGRESSING_WITH_RETRY,
		        "%s", fx_conditions_message(c, FX_CONDITION_RECONCILING));
	struct fx_condition_summary summary = {.target = FX_CONDITION_READY,
	        .types = source->kind->summary,
	        .negatives = source->kind->negatives};
	fx_conditions_summarize(c, &source->clock, &summary);
	if (fx_conditions_is(c, FX_SOURCE_VERIFIED, "False"))
		fx_source_set(source, FX_CONDITION_READY, "False",
		        fx_conditions_reason(c, FX_SOURCE_VERIFIED), "%s",
		        fx_conditions_message(c, FX_SOURCE_VERIFIED));
	bool observed = is_good(source, step) || step == FX_STEP_EMPTY ||
	                (step == FX_STEP_FAILED && source->failed_class == FX_STEP_STALLING);
	if (observed && json_array_size(c))
		json_object_set_new(
		        source->status, "observedGeneration", json_integer(source->clock.generation));
}

static int64_t success_interval_ms(const struct fx_source *source)
{
	int64_t ns = 0;
	const char *interval = fx_json_str_at(source->run->object, "spec", "interval");
	if (!interval || fx_duration_parse(interval, &ns, NULL) < 0)
		ns = 60 * 1000000000LL;
	return fx_interval_jitter(ns / 1000000,
	        (int)source->run->manager->options->interval_jitter_percentage, fx_random_unit());
}

static int result_of(struct fx_source *source, enum fx_step step, struct fx_result *out, struct fx_error *err)
{
	if (step == FX_STEP_EMPTY)
		return 0;
	if (step == FX_STEP_REQUEUE) {
		out->requeue = true;
		return 0;
	}
	if (is_good(source, step)) {
		out->requeue_after_ms = success_interval_ms(source);
		/* Stored and up to date, and yet not Ready: whatever says so is worth another try. */
		if (!fx_conditions_is_ready(source->conditions))
			return fx_fail(err, FX_E_UNAVAILABLE, "%s",
			        fx_conditions_message(source->conditions, FX_CONDITION_READY));
		return 0;
	}
	if (source->failed_class == FX_STEP_WAITING) {
		int64_t dependency_ms = source->run->manager->options->requeue_dependency_ns / 1000000;
		out->requeue_after_ms = dependency_ms > 0 ? dependency_ms : success_interval_ms(source);
		return 0;
	}
	if (source->failed_class == FX_STEP_STALLING)
		return 0;
	fx_error_move(err, &source->error);
	err->kind = FX_KIND_TRANSIENT;
	return -(int)err->code;
}

static bool had_failure(const json_t *conditions, const char *const *types)
{
	for (; *types; types++) {
		if (fx_conditions_is(conditions, *types, "True"))
			return true;
	}
	return false;
}

/* New artifact or recovery (section 2.8). */
static void notify(struct fx_source *source, bool failed_before)
{
	const json_t *artifact = fx_source_artifact(source);
	const char *digest = fx_json_str_at(artifact, "digest");
	if (!digest || !source->summary_text)
		return;
	const char *old_digest = fx_json_str_at(source->old_artifact, "digest");
	bool is_new = !old_digest || strcmp(digest, old_digest) != 0;
	bool recovered = failed_before && !had_failure(source->conditions, source->kind->failures);
	if (!is_new && !recovered)
		return;
	fx_auto(json) json_t *metadata = json_pack("{s:s,s:s}", "source.toolkit.fluxcd.io/revision",
	        fx_json_str_at(artifact, "revision"), "source.toolkit.fluxcd.io/digest", digest);
	fx_events_emit(source->run->manager->events, source->run->object, metadata, FX_EVENT_NORMAL,
	        is_new ? "NewArtifact" : FX_REASON_SUCCEEDED, source->summary_text);
	fx_reconcile_log(source->run, FX_LOG_INFO, source->summary_text, NULL);
}

/* Checks what is stored; false when it is missing or damaged (and then removed). */
static bool check_stored(struct fx_source *source, const json_t *artifact)
{
	struct fx_store *store = source->kind->env->store;
	const char *path = fx_json_str_at(artifact, "path");
	size_t collected = 0;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	if (!path)
		return false;
	/* What cannot be removed today is tried again at the next run. */
	if (fx_store_collect(store, path, &collected, NULL) == 0 && collected)
		fx_source_trace(
		        source, "GarbageCollectionSucceeded", "garbage collected %zu artifacts", collected);
	const char *digest = fx_json_str_at(artifact, "digest");
	int rc = fx_store_verify(store, path, digest ? digest : "", &err);
	if (rc == 0 || rc == -FX_E_NOT_FOUND)
		return rc == 0;
	fx_events_emitf(source->run->manager->events, source->run->object, NULL, FX_EVENT_WARNING,
	        "ArtifactVerificationFailed", "failed to verify integrity of artifact: %s",
	        fx_error_message(&err));
	if (fx_store_remove(store, path, &err) < 0)
		fx_reconcile_log(source->run, FX_LOG_ERROR, "failed to remove artifact after digest mismatch",
		        fx_error_message(&err));
	return false;
}

/* Section 2.7: old files go, the present one is checked, its URL follows the advertised address. */
static enum fx_step reconcile_storage(struct fx_source *source)
{
	json_t *artifact = fx_source_artifact(source);
	if (artifact && check_stored(source, artifact)) {
		fx_autofree char *url =
		        fx_store_url(source->kind->env->store, fx_json_str_at(artifact, "path"));
		if (url)
			json_object_set_new(artifact, "url", json_string(url));
		return FX_STEP_SUCCESS;
	}
	bool missing = artifact != NULL;
	json_object_del(source->status, "artifact");
	fx_source_progress(source, true, "%s",
	        missing ? "building artifact: disappeared from storage" : "building artifact");
	fx_source_unset(source, FX_ARTIFACT_IN_STORAGE);
	return FX_STEP_SUCCESS;
}

static enum fx_step run_steps(struct fx_source *source)
{
	enum fx_step result = reconcile_storage(source);
	for (size_t i = 0; source->kind->steps[i] && result != FX_STEP_FAILED && result != FX_STEP_REQUEUE;
	        i++) {
		enum fx_step step = source->kind->steps[i](source);
		if (step > result)
			result = step;
	}
	return result;
}

/* The object is going: its files, then the finalizer. */
static enum fx_step finalize(struct fx_source *source)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	char *dir = fx_source_path(source, NULL);
	int rc = dir ? fx_store_remove_all(source->kind->env->store, dir, &err) : fx_fail_nomem(&err);
	if (rc < 0) {
		fx_error_wrap(&err, "garbage collection for deleted resource failed");
		return fx_source_fail(source, FX_STEP_GENERIC, "GarbageCollectionFailed", &err);
	}
	if (fx_source_artifact(source))
		fx_source_trace(source, "GarbageCollectionSucceeded",
		        "garbage collected artifacts for deleted resource");
	json_object_del(source->status, "artifact");
	if (fx_reconcile_remove_finalizer(source->run, FX_FINALIZER, &err) < 0)
		return fx_source_fail(source, FX_STEP_PLAIN, FX_REASON_FAILED, &err);
	return FX_STEP_EMPTY;
}

static bool generation_is_new(const struct fx_source *source, int64_t *out_old)
{
	*out_old = fx_json_int_at(source->status, -1, "observedGeneration");
	return *out_old != source->clock.generation;
}

static enum fx_step reconcile_spec(struct fx_source *source)
{
	int64_t old;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	if (fx_reconcile_add_finalizer(source->run, FX_FINALIZER, NULL, &err) < 0)
		return fx_source_fail(source, FX_STEP_PLAIN, FX_REASON_FAILED, &err);
	if (fx_json_bool_at(source->run->object, "spec", "suspend")) {
		fx_reconcile_log(
		        source->run, FX_LOG_INFO, "reconciliation is suspended for this object", NULL);
		return FX_STEP_EMPTY;
	}
	if (!generation_is_new(source, &old)) {
		fx_source_progress(source, false, "reconciliation in progress");
		return run_steps(source);
	}
	/* Whoever changed the object sees at once that it was noticed, however slow the remote is. */
	fx_source_progress(source, false, "processing object: new generation %lld -> %lld", (long long)old,
	        (long long)source->clock.generation);
	if (fx_source_write(source, &err) < 0)
		return fx_source_fail(source, FX_STEP_GENERIC, "PatchOperationFailed", &err);
	return run_steps(source);
}

static int finish(struct fx_source *source, enum fx_step step, bool failed_before, struct fx_result *out,
        struct fx_error *err)
{
	bool deleting = fx_object_is_deleting(source->run->object);
	if (step == FX_STEP_FAILED) {
		emit_failure(source);
		log_failure(source);
	}
	record_request(source);
	apply_outcome(source, step);
	if (is_good(source, step))
		notify(source, failed_before);
	int rc = result_of(source, step, out, err);
	/* Without its finalizer a deleted object is no longer there to be written. */
	if (deleting && step == FX_STEP_EMPTY)
		return rc;
	fx_auto(error) struct fx_error failure = FX_ERROR_INIT;
	if (fx_source_write(source, &failure) < 0 && rc == 0) {
		fx_error_wrap(&failure, "failed to patch the status");
		rc = -(int)failure.code;
		fx_error_move(err, &failure);
		err->kind = FX_KIND_TRANSIENT;
	}
	return rc;
}

int fx_source_reconcile(struct fx_source_kind *kind, struct fx_reconcile *run, void *work,
        struct fx_result *out, struct fx_error *err)
{
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(ARENA_MAX);
	fx_auto(json) json_t *status = fx_reconcile_copy_status(run);
	if (!arena || !status)
		return fx_fail_nomem(err);
	fx_auto(json) json_t *old_artifact = json_deep_copy(json_object_get(status, "artifact"));
	struct fx_source source = {
	        .kind = kind,
	        .work = work,
	        .run = run,
	        .arena = arena,
	        .status = status,
	        .conditions = json_object_get(status, "conditions"),
	        .clock = {.generation = fx_object_generation(run->object), .wall_ns = fx_wall_ns()},
	        .old_artifact = old_artifact,
	};
	bool failed_before = had_failure(source.conditions, source.kind->failures);
	enum fx_step step = fx_object_is_deleting(run->object) ? finalize(&source) : reconcile_spec(&source);
	int rc = finish(&source, step, failed_before, out, err);
	fx_error_release(&source.error);
	return rc;
}
