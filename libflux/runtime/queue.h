/*
 * The work queue of a controller: which objects are to be reconciled, when, in which order.
 *
 *            add / add_after / add_failed
 *                     |
 *        +------------v-----------+   time comes   +-------+   get    +------------+
 *        | waiting (until a time) | -------------> | ready | -------> | processing |
 *        +------------------------+                +-------+          +------------+
 *                     ^                                ^                    | done
 *                     +-------- added meanwhile -------+--------------------+
 *
 * One key is never handed to two workers at once; a key added several times is one entry
 * with the highest priority and the earliest time; a key added while it is processed runs
 * again after. Ready keys come by priority, then in the order they became ready. Thread safe.
 *
 * Source of the behaviour: runtime reference, section 4.
 */
#ifndef FX_RUNTIME_QUEUE_H
#define FX_RUNTIME_QUEUE_H

#include "core/error.h"

#include <stdint.h>

struct fx_queue;

enum fx_priority {
	FX_PRIORITY_INITIAL = -100, /* objects found at start, resync */
	FX_PRIORITY_SETTLED = -50,  /* nothing to do but to say so */
	FX_PRIORITY_NORMAL = 0,
	FX_PRIORITY_WAITED = 50, /* what an object waited for has come: finish it before starting new work */
	FX_PRIORITY_USER = 100,  /* somebody asked for it (requestedAt, a new generation) */
};

struct fx_queue_options {
	int64_t min_retry_ms; /* first backoff; doubles with each failure */
	int64_t max_retry_ms; /* and stays here */
};

/* NULL without memory. Owned by the caller; all workers must have returned before free. */
struct fx_queue *fx_queue_new(const struct fx_queue_options *options);
void fx_queue_free(struct fx_queue *queue);
FX_DEFINE_AUTO(queue, struct fx_queue, fx_queue_free)

/* Adds a key (copied) to be handed out now, or delay_ms from now. */
void fx_queue_add(struct fx_queue *queue, const char *key, int priority);
void fx_queue_add_after(struct fx_queue *queue, const char *key, int priority, int64_t delay_ms);

/* Adds it after its backoff, min_retry x 2^failures up to max_retry, and counts a failure.
 * Returns the delay in milliseconds. */
int64_t fx_queue_add_failed(struct fx_queue *queue, const char *key, int priority);

/* Forgets the failures of a key. */
void fx_queue_forget(struct fx_queue *queue, const char *key);

/* Forgets a key that has been deleted: its timer and failures. An ongoing run is not touched,
 * and adds that came during it stay. */
void fx_queue_drop(struct fx_queue *queue, const char *key);

/* An item being processed. The key is borrowed until fx_queue_done(). */
struct fx_queue_item {
	const char *key;
	int priority;
	int64_t waited_ns; /* from becoming ready to being handed out */
};

/* Waits for an item. False when the queue has been shut down (ready items are then left). */
bool fx_queue_get(struct fx_queue *queue, struct fx_queue_item *out);

/* Ends the processing of a key. */
void fx_queue_done(struct fx_queue *queue, const char *key);

/* Wakes all workers; fx_queue_get() gives false from now on. */
void fx_queue_shut_down(struct fx_queue *queue);

/* True when an item could be handed out now. */
bool fx_queue_has_ready(struct fx_queue *queue);

struct fx_queue_stats {
	size_t ready;   /* could be handed out now */
	size_t waiting; /* for a time to come */
	size_t processing;
	uint64_t adds;                /* since the start */
	uint64_t retries;             /* fx_queue_add_failed() calls */
	int64_t oldest_processing_ns; /* age of the longest run, 0 when idle */
	int64_t unfinished_ns;        /* ages of all runs together */
};
void fx_queue_stats(struct fx_queue *queue, struct fx_queue_stats *out);

#endif
