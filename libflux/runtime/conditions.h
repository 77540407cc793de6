/*
 * Conditions of an API object: the `status.conditions` list, as a jansson array that the
 * caller owns. Pure functions; use an array from one thread at a time.
 *
 * Source of the rules: runtime reference, section 1.
 */
#ifndef FX_RUNTIME_CONDITIONS_H
#define FX_RUNTIME_CONDITIONS_H

#include "core/cleanup.h"

#include <jansson.h>
#include <stdint.h>

#define FX_CONDITION_READY "Ready"
#define FX_CONDITION_RECONCILING "Reconciling"
#define FX_CONDITION_STALLED "Stalled"

#define FX_REASON_SUCCEEDED "Succeeded"
#define FX_REASON_FAILED "Failed"
#define FX_REASON_PROGRESSING "Progressing"
#define FX_REASON_PROGRESSING_WITH_RETRY "ProgressingWithRetry"

/* A longer message is cut here, ending in "...". */
#define FX_CONDITION_MESSAGE_MAX 32768

/* Who sets: what every condition of one reconcile has in common. */
struct fx_condition_clock {
	int64_t generation; /* metadata.generation: becomes observedGeneration */
	int64_t wall_ns;    /* becomes lastTransitionTime when something changed */
};

/* The condition of this type, borrowed, or NULL. */
json_t *fx_conditions_get(const json_t *conditions, const char *type);

/* Its status ("True", "False", "Unknown"; NULL when absent), reason and message ("" when absent). */
const char *fx_conditions_status(const json_t *conditions, const char *type);
const char *fx_conditions_reason(const json_t *conditions, const char *type);
const char *fx_conditions_message(const json_t *conditions, const char *type);
bool fx_conditions_is(const json_t *conditions, const char *type, const char *status);

/* Sets a condition and sorts the list. The transition time is renewed when status, reason or
 * message differ from what was there. False without memory. */
bool fx_conditions_set(json_t *conditions, const struct fx_condition_clock *clock, const char *type,
        const char *status, const char *reason, const char *fmt, ...) fx_printf(6, 7);
void fx_conditions_delete(json_t *conditions, const char *type);

/* Reconciling=True without Stalled, and the other way round. */
bool fx_conditions_mark_reconciling(json_t *conditions, const struct fx_condition_clock *clock,
        const char *reason, const char *fmt, ...) fx_printf(4, 5);
bool fx_conditions_mark_stalled(json_t *conditions, const struct fx_condition_clock *clock,
        const char *reason, const char *fmt, ...) fx_printf(4, 5);

/* The predicates of section 1.4. */
bool fx_conditions_is_stalled(const json_t *conditions);
bool fx_conditions_is_reconciling(const json_t *conditions);
bool fx_conditions_is_ready(const json_t *conditions);

struct fx_condition_summary {
	const char *target;           /* the condition to set */
	const char *const *types;     /* in order of importance; NULL-terminated */
	const char *const *negatives; /* types whose True is bad; NULL-terminated */
};

/* Sets the target from the others (section 1.5). No other condition present: nothing happens. */
bool fx_conditions_summarize(json_t *conditions, const struct fx_condition_clock *clock,
        const struct fx_condition_summary *summary);

#endif
