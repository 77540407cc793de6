/*
 * What the files of the event recorder share: the texts of events (event_text.c) and their
 * delivery (events.c). Private to them.
 */
#ifndef FX_KUBE_EVENTS_INTERNAL_H
#define FX_KUBE_EVENTS_INTERNAL_H

#include "kube/event_filter.h"
#include "kube/events.h"

/* One event on its way. All owned. */
struct fx_event {
	struct fx_event *next;
	json_t *reference;   /* ObjectReference */
	json_t *annotations; /* may be NULL */
	enum fx_event_type type;
	char *reason;
	char *message;
	int64_t wall_ns;
	int tries;
	/* Kubernetes Events: once the filter has spoken. */
	bool decided;
	struct fx_event_decision decision;
};

/* NULL without memory. */
struct fx_event *fx_event_new(const json_t *object, const json_t *metadata, enum fx_event_type type,
        const char *reason, const char *message);
void fx_event_free(struct fx_event *event);
FX_DEFINE_AUTO(event, struct fx_event, fx_event_free)

/* "Normal" or "Warning". */
const char *fx_event_type_name(enum fx_event_type type);
/* Source and object, for the filter. Owned, NULL without memory. */
char *fx_event_source_key(const struct fx_event *event, const char *component);
/* `<object name>.<hex of wall_ns>`, or a random UUID when that is no name. */
void fx_event_make_name(const struct fx_event *event, char out[256]);

/* The body of a POST or PATCH to the API server by the decision; of a POST to the receiver. New reference,
 * NULL without memory. */
json_t *fx_event_object(const struct fx_event *event, const char *component);
json_t *fx_event_patch(const struct fx_event *event);
json_t *fx_event_forward_body(const struct fx_event *event, const char *component, const char *instance);

#endif
