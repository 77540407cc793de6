/*
 * Event recorder: Kubernetes Events with deduplication, aggregation and a spam filter, and the
 * forwarding of events to notification-controller. Recording copies and returns; a bounded queue is written
 * in the background by the loop, and a full queue or a dead receiver never holds or fails a reconcile.
 *
 * Source: runtime reference, section 7. Unlike upstream the forwarding does not block the reconcile.
 */
#ifndef FX_KUBE_EVENTS_H
#define FX_KUBE_EVENTS_H

#include "kube/client.h"

/* Events waiting to be written; more are dropped. */
#define FX_EVENTS_QUEUE_MAX 1000

struct fx_events;

enum fx_event_type {
	FX_EVENT_NORMAL,  /* forwarded with severity info */
	FX_EVENT_WARNING, /* forwarded with severity error */
	FX_EVENT_TRACE,   /* a Normal Kubernetes Event, not forwarded */
};

struct fx_events_options {
	struct fx_loop *loop;
	struct fx_kube *kube;        /* a reference is kept */
	struct fx_http_client *http; /* for the forwarding */
	const char *component;       /* "source-controller", copied */
	const char *instance; /* reportingInstance of what is forwarded: the host name, copied, may be NULL */
	const char *events_addr; /* http(s) URL, copied; NULL or "": not forwarded */
	/* An event could not be delivered ("unable to record event"); any thread; may be NULL. */
	void (*on_failure)(void *arg, const char *namespace_, const char *name, const char *kind,
	        const struct fx_error *err);
	void *arg;
};

/* FX_E_INVALID for an events_addr that is no URL. Owned by the caller. */
int fx_events_new(
        const struct fx_events_options *options, struct fx_events **out, struct fx_error *err) fx_must_use;
/* [worker] Gives what is waiting up to grace_ms, then drops the rest. Accepts NULL. */
void fx_events_free(struct fx_events *events, int grace_ms);

/* [any] Records an event about object (kind, apiVersion and metadata are used; borrowed). metadata: map of
 * strings with prefixed keys, borrowed, may be NULL; the object's annotations event.toolkit.fluxcd.io/ are
 * added. The Kubernetes Event's message is cut at FX_EVENT_MESSAGE_MAX bytes (a condition's limit),
 * what is forwarded is not. */
#define FX_EVENT_MESSAGE_MAX 32768
void fx_events_emit(struct fx_events *events, const json_t *object, const json_t *metadata,
        enum fx_event_type type, const char *reason, const char *message);
void fx_events_emitf(struct fx_events *events, const json_t *object, const json_t *metadata,
        enum fx_event_type type, const char *reason, const char *fmt, ...) fx_printf(6, 7);

/* Events dropped because the queue was full. */
uint64_t fx_events_dropped(const struct fx_events *events);

#endif
