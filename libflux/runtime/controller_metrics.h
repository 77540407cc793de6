/*
 * The metrics of one controller: controller_runtime_*, workqueue_* and
 * gotk_reconcile_duration_seconds. Thread safe.
 *
 * Source: runtime reference, section 8.
 */
#ifndef FX_RUNTIME_CONTROLLER_METRICS_H
#define FX_RUNTIME_CONTROLLER_METRICS_H

#include "runtime/metrics.h"
#include "runtime/queue.h"

enum fx_reconcile_outcome {
	FX_OUTCOME_SUCCESS,
	FX_OUTCOME_ERROR,
	FX_OUTCOME_TERMINAL_ERROR,
	FX_OUTCOME_REQUEUE,
	FX_OUTCOME_REQUEUE_AFTER,
};

/* The families, shared by the controllers of a process. */
struct fx_controller_families;

/* Registers them; owned by the registry. NULL without memory: the functions below accept that. */
struct fx_controller_families *fx_controller_families_new(struct fx_metrics *metrics);

struct fx_controller_metrics {
	struct fx_controller_families *families;
	const char *name;
	struct fx_queue *queue;
};

/* name and queue are borrowed for life; the gauges that mirror the queue are set at each exposition. */
void fx_controller_metrics_init(struct fx_controller_metrics *m, struct fx_controller_families *families,
        const char *name, int workers, struct fx_queue *queue);
void fx_controller_metrics_begin(struct fx_controller_metrics *m, int64_t waited_ns);
void fx_controller_metrics_end(
        struct fx_controller_metrics *m, int64_t took_ns, enum fx_reconcile_outcome outcome);
/* Duration of one run of one object, and the end of its series. */
void fx_controller_metrics_object(struct fx_controller_metrics *m, const char *kind, const char *namespace_,
        const char *name, int64_t took_ns);
void fx_controller_metrics_drop(
        struct fx_controller_metrics *m, const char *kind, const char *namespace_, const char *name);

#endif
