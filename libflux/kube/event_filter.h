/*
 * What keeps a controller from flooding the API server with Events: equal ones are counted,
 * similar ones combined, and an object that never stops is cut off. Pure: the time is handed in. Not
 * thread safe.
 *
 * Source: runtime reference, section 7.1 (client-go's event correlator and its defaults).
 */
#ifndef FX_KUBE_EVENT_FILTER_H
#define FX_KUBE_EVENT_FILTER_H

#include "core/cleanup.h"

#include <stdbool.h>
#include <stdint.h>

/* Entries of each of the three memories; the least recently used one goes. */
#define FX_EVENT_FILTER_MAX 4096
/* So many different messages with one reason within the interval are combined. */
#define FX_EVENT_SIMILAR_MAX 10
#define FX_EVENT_SIMILAR_S 600
/* Events of one object: burst, and seconds for one more. */
#define FX_EVENT_SPAM_BURST 25
#define FX_EVENT_SPAM_REFILL_S 300
#define FX_EVENT_COMBINED_PREFIX "(combined from similar events): "

struct fx_event_filter;

/* NULL without memory. */
struct fx_event_filter *fx_event_filter_new(void);
void fx_event_filter_free(struct fx_event_filter *filter);
FX_DEFINE_AUTO(event_filter, struct fx_event_filter, fx_event_filter_free)

enum fx_event_verdict {
	FX_EVENT_CREATE,
	FX_EVENT_COUNT, /* patch the existing event */
	FX_EVENT_DROP,
};

struct fx_event_decision {
	enum fx_event_verdict verdict;
	bool combined;    /* message gets the prefix, annotations are left out */
	int count;        /* of the event */
	int64_t first_ns; /* its firstTimestamp */
	char name[256];   /* of the event to patch; when created: the given one */
};

/* Decides about an event. object: a text that names source and object with uid; name: for the Event when it
 * is created. now_ns: wall clock. Remembers the decision as carried out. */
void fx_event_filter_check(struct fx_event_filter *filter, const char *object, const char *type,
        const char *reason, const char *message, const char *name, int64_t now_ns,
        struct fx_event_decision *out);

#endif
