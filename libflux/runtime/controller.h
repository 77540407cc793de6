/*
 * A controller: the image of one kind, a work queue, and workers that run a reconcile function
 * as plain blocking code. The function gets the object as last seen or written (a reconcile
 * never reads something older than what the controller itself wrote), and says when it wants to
 * be called again. What it waits for in the world is a state it keeps itself: it returns, and
 * whoever sees the event calls fx_controller_enqueue().
 *
 * Queued by the image: new objects; a new generation; a new token in the annotation
 * reconcile.fluxcd.io/requestedAt; a deletion. Changes of status alone are not.
 *
 * Source: runtime reference, sections 4 and 5.1.
 */
#ifndef FX_RUNTIME_CONTROLLER_H
#define FX_RUNTIME_CONTROLLER_H

#include "core/log.h"
#include "kube/reflector.h"
#include "runtime/manager.h"
#include "runtime/queue.h"

#define FX_ANNOTATION_REQUESTED_AT "reconcile.fluxcd.io/requestedAt"
#define FX_FINALIZER "finalizers.fluxcd.io"

struct fx_controller;

/* One run of the reconcile function. */
struct fx_reconcile {
	struct fx_manager *manager;
	struct fx_controller *controller;
	const char *key; /* "ns/name" */
	const char *namespace_;
	const char *name;
	/* Ours to read; replaced by the functions below. What was borrowed from it stays good until the run
	 * ends: it is kept in `past`. */
	json_t *object;
	json_t *past;             /* private */
	struct fx_cancel *cancel; /* fires when the process must end now */
	int priority;
	int64_t started_ns; /* fx_now_ns() */
	char id[37];        /* reconcileID of the log records */
};

/* When to come back. All zero: when something changes. */
struct fx_result {
	int64_t requeue_after_ms; /* > 0: then; forgets earlier failures */
	bool requeue;             /* with backoff, as after an error, but without one */
};

struct fx_controller_options {
	const char *name; /* label of the metrics: "gitrepository" */
	const char *kind;
	const char *group, *version, *resource;
	const char *field_manager; /* of status and finalizer writes */
	int workers;               /* 0: --concurrent */
	/* [worker] 0, or an error: then it comes back with backoff, or not at all when the error's kind is
	 * FX_KIND_STALLED. The error is logged as `Reconciler error` and must not be logged before. */
	int (*reconcile)(void *arg, struct fx_reconcile *run, struct fx_result *out, struct fx_error *err);
	/* [loop] An object was seen (object borrowed), before it is queued: keep packed indexes here. May be
	 * NULL. */
	void (*on_seen)(void *arg, const char *namespace_, const char *name, const json_t *object);
	/* [loop] It is gone. May be NULL. */
	void (*on_gone)(void *arg, const char *namespace_, const char *name);
	void *arg;
};

/* Strings are borrowed for life. Give it to fx_manager_add(). */
int fx_controller_new(const struct fx_controller_options *options, struct fx_controller **out,
        struct fx_error *err) fx_must_use;
void fx_controller_free(struct fx_controller *controller);

/* [any] Queues an object now, or delay_ms from now. Unknown objects are dropped by the worker. */
void fx_controller_enqueue(
        struct fx_controller *controller, const char *namespace_, const char *name, int priority);
void fx_controller_enqueue_after(struct fx_controller *controller, const char *namespace_, const char *name,
        int priority, int64_t delay_ms);

/* [any] True when other objects could be worked on at this moment. */
bool fx_controller_has_work(struct fx_controller *controller);

/* [any] The object as last seen or written (new reference). FX_E_NOT_FOUND. */
int fx_controller_get(struct fx_controller *controller, const char *namespace_, const char *name,
        json_t **out, struct fx_error *err) fx_must_use;

/* For the manager: image on; workers on; no new work; wait for the workers. */
int fx_controller_watch(
        struct fx_controller *controller, struct fx_manager *manager, struct fx_error *err) fx_must_use;
int fx_controller_wait_synced(struct fx_controller *controller, struct fx_error *err) fx_must_use;
int fx_controller_start(struct fx_controller *controller, struct fx_error *err) fx_must_use;
void fx_controller_drain(struct fx_controller *controller);
/* True when all workers have ended before the deadline (fx_now_ms()); false leaves them running. */
bool fx_controller_join(struct fx_controller *controller, int64_t deadline_ms);

/*
 * Writes of one run. Each sends one merge patch with only what differs, or nothing; the answer
 * becomes run->object and is what later runs see.
 */

/* [worker] Makes status the object's status (borrowed). The patch carries the resourceVersion when
 * conditions differ; a conflict reads the object again and repeats, five times at most. An object that
 * is gone while it was being deleted is no error. Source: runtime reference, section 2.1. */
int fx_reconcile_write_status(
        struct fx_reconcile *run, const json_t *status, struct fx_error *err) fx_must_use;

/* [worker] Add or remove the finalizer, guarded by the resourceVersion. Nothing is sent when it is so
 * already. *out_changed may be NULL. */
int fx_reconcile_add_finalizer(
        struct fx_reconcile *run, const char *finalizer, bool *out_changed, struct fx_error *err) fx_must_use;
int fx_reconcile_remove_finalizer(
        struct fx_reconcile *run, const char *finalizer, struct fx_error *err) fx_must_use;

/* The object's place in the API; the manager name of our writes; both borrow from the run. */
struct fx_kube_path fx_reconcile_path(const struct fx_reconcile *run, const char *subresource);
const char *fx_reconcile_field_manager(const struct fx_reconcile *run);

/* What the server answered to a write of the object: becomes run->object (reference taken) and what
 * later runs see. */
void fx_reconcile_replace(struct fx_reconcile *run, json_t *object);

/* Borrowed. */
const struct fx_controller_options *fx_controller_options_of(const struct fx_controller *controller);

/* A deep copy of the object's status ({} when there is none) with a `conditions` array in it: what a run
 * changes and then writes. New reference, NULL without memory. */
json_t *fx_reconcile_copy_status(const struct fx_reconcile *run);

/* Log record with the fields of section 10. error may be NULL. */
void fx_reconcile_log(
        const struct fx_reconcile *run, enum fx_log_level level, const char *msg, const char *error);
void fx_reconcile_logf(const struct fx_reconcile *run, enum fx_log_level level, const char *fmt, ...)
        fx_printf(3, 4);

#endif
