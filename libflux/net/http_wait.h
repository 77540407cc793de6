/*
 * Private to the HTTP client: a worker that sleeps until the loop thread has something for
 * it, its token fires or a deadline passes.
 */
#ifndef FX_NET_HTTP_WAIT_H
#define FX_NET_HTTP_WAIT_H

#include "core/cancel.h"

#include <pthread.h>
#include <stdbool.h>

struct fx_http_wait {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct fx_cancel *cancel; /* borrowed; may be NULL */
	struct fx_cancel_hook hook;
	bool fired;
};

void fx_http_wait_init(struct fx_http_wait *wait, struct fx_cancel *cancel);
void fx_http_wait_release(struct fx_http_wait *wait);

/* Between begin and end the token can wake the waiter. False when it has fired already. */
bool fx_http_wait_begin(struct fx_http_wait *wait);
void fx_http_wait_end(struct fx_http_wait *wait);

/* With the lock held: sleeps until something changes. False when the token has fired or its
 * deadline passed. */
bool fx_http_wait_once(struct fx_http_wait *wait);

#endif
