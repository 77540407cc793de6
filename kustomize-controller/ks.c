#include "ks.h"
#include "history.h"

#include "core/clock.h"
#include "kube/object.h"

#include <string.h>

#define SECOND_NS 1000000000LL
/* Health checks get at least this long. */
#define TIMEOUT_MIN_NS (30 * SECOND_NS)
/* A phase that begins after so long is shown in the status. */
#define SLOW_NS (SECOND_NS / 2)

static int64_t duration_at(const json_t *spec, const char *key)
{
	const char *text = json_string_value(json_object_get(spec, key));
	int64_t ns;
	return text && fx_duration_parse(text, &ns, NULL) == 0 ? ns : 0;
}

int64_t fx_ks_interval_ns(const json_t *spec)
{
	return duration_at(spec, "interval");
}

int64_t fx_ks_retry_ns(const json_t *spec)
{
	int64_t ns = duration_at(spec, "retryInterval");
	return ns ? ns : fx_ks_interval_ns(spec);
}

int64_t fx_ks_timeout_ns(const json_t *spec)
{
	int64_t ns = duration_at(spec, "timeout");
	if (!ns)
		ns = fx_ks_interval_ns(spec) - TIMEOUT_MIN_NS;
	return ns < TIMEOUT_MIN_NS ? TIMEOUT_MIN_NS : ns;
}

static struct fx_condition_clock clock_of(const struct fx_ks_run *run)
{
	return (struct fx_condition_clock){
	        .generation = fx_object_generation(run->object), .wall_ns = fx_wall_ns()};
}

void fx_ks_set(
        struct fx_ks_run *run, const char *type, const char *status, const char *reason, const char *fmt, ...)
{
	fx_cleanup(fx_auto_buf) struct fx_buf message = FX_BUF_INIT;
	struct fx_condition_clock clock = clock_of(run);
	va_list ap;
	va_start(ap, fmt);
	fx_buf_addv(&message, fmt, ap);
	va_end(ap);
	fx_conditions_set(run->conditions, &clock, type, status, reason, "%s", fx_buf_str(&message));
}

void fx_ks_stall(struct fx_ks_run *run, const char *reason, const char *message)
{
	struct fx_condition_clock clock = clock_of(run);
	fx_ks_set(run, FX_CONDITION_READY, "False", reason, "%s", message);
	fx_conditions_mark_stalled(run->conditions, &clock, reason, "%s", message);
}

void fx_ks_progress(struct fx_ks_run *run, const char *fmt, ...)
{
	fx_cleanup(fx_auto_buf) struct fx_buf message = FX_BUF_INIT;
	struct fx_condition_clock clock = clock_of(run);
	va_list ap;
	va_start(ap, fmt);
	fx_buf_addv(&message, fmt, ap);
	va_end(ap);
	fx_ks_set(run, FX_CONDITION_READY, "Unknown", FX_REASON_PROGRESSING, "Reconciliation in progress");
	fx_conditions_mark_reconciling(
	        run->conditions, &clock, FX_REASON_PROGRESSING, "%s", fx_buf_str(&message));
}

int fx_ks_write(struct fx_ks_run *run, struct fx_error *err)
{
	run->shown = true;
	int rc = fx_reconcile_write_status(run->reconcile, run->status, err);
	if (rc < 0)
		fx_error_wrap(err, "failed to update status");
	return rc;
}

int fx_ks_write_if_slow(struct fx_ks_run *run, struct fx_error *err)
{
	return fx_now_ns() - run->state->run_started_ns < SLOW_NS ? 0 : fx_ks_write(run, err);
}

void fx_ks_event(struct fx_ks_run *run, enum fx_ks_severity severity, const char *revision,
        const char *origin_revision, bool commit_status, const char *fmt, ...)
{
	fx_cleanup(fx_auto_buf) struct fx_buf message = FX_BUF_INIT;
	va_list ap;
	va_start(ap, fmt);
	fx_buf_addv(&message, fmt, ap);
	va_end(ap);

	fx_auto(json) json_t *metadata = json_object();
	if (revision && *revision)
		json_object_set_new(metadata, FX_KS_GROUP "/revision", json_string(revision));
	if (origin_revision && *origin_revision)
		json_object_set_new(metadata, FX_KS_GROUP "/originRevision", json_string(origin_revision));
	if (commit_status)
		json_object_set_new(metadata, FX_KS_GROUP "/commit_status", json_string("update"));
	const char *reason = fx_conditions_reason(run->conditions, FX_CONDITION_READY);
	if (!*reason)
		reason = severity == FX_KS_ERROR ? "error" : "info";
	fx_events_emit(run->ks->manager->events, run->reconcile->object, metadata,
	        severity == FX_KS_ERROR ? FX_EVENT_WARNING : FX_EVENT_NORMAL, reason, fx_buf_str(&message));
}

const char *fx_ks_status_text(const struct fx_ks_run *run, const char *key)
{
	const char *text = json_string_value(json_object_get(run->status, key));
	return text ? text : "";
}

void fx_ks_history(struct fx_ks_run *run, const char *outcome)
{
	json_t *history = json_object_get(run->status, "history");
	if (!json_is_array(history)) {
		history = json_array();
		json_object_set_new(run->status, "history", history);
	}
	struct fx_history_entry entry = {.digest = run->state->digest,
	        .status = outcome,
	        .wall_ns = fx_wall_ns(),
	        .duration_ns = fx_now_ns() - run->state->run_started_ns,
	        .revision = run->artifact.revision,
	        .origin_revision = run->artifact.origin_revision};
	/* Without memory the history lacks an entry; the write itself will say so. */
	bool ok = fx_history_upsert(history, &entry);
	(void)ok;
}
