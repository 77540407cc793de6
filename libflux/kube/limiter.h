/*
 * Client-side rate limit: a token bucket whose callers wait their turn, and waiting that a
 * cancellation ends. Thread safe; waiting functions are for workers.
 */
#ifndef FX_KUBE_LIMITER_H
#define FX_KUBE_LIMITER_H

#include "core/cancel.h"
#include "core/error.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct fx_limiter {
	pthread_mutex_t lock;
	double qps; /* tokens a second; 0: no limit */
	double burst;
	double tokens; /* below zero: so many are waiting for their turn */
	int64_t filled_ns;
};

void fx_limiter_init(struct fx_limiter *limiter, double qps, int burst);
void fx_limiter_release(struct fx_limiter *limiter);

/* Takes the limit away. */
void fx_limiter_open(struct fx_limiter *limiter);

/* Takes a token and returns for how many milliseconds to wait before using it. now_ns: fx_now_ns()'s clock.
 */
int64_t fx_limiter_reserve(struct fx_limiter *limiter, int64_t now_ns);

/* Takes a token and waits for it. FX_E_CANCELED, FX_E_TIMEOUT. */
int fx_limiter_wait(struct fx_limiter *limiter, struct fx_cancel *cancel, struct fx_error *err) fx_must_use;

/* Waits ms milliseconds, or until cancel fires or its deadline comes (FX_E_CANCELED, FX_E_TIMEOUT).
 * [worker] */
int fx_kube_pause(int64_t ms, struct fx_cancel *cancel, struct fx_error *err) fx_must_use;

#endif
