/*
 * When an object is looked at again: the interval with its jitter. Pure apart from the random
 * source of the caller.
 */
#ifndef FX_RUNTIME_REQUEUE_H
#define FX_RUNTIME_REQUEUE_H

#include <stdint.h>

/* d x (1 + p x (2r-1)): interval in ms, percentage 0..99, r uniform in [0,1). Never below 1.
 * Source: runtime reference, section 4 (--interval-jitter-percentage). */
int64_t fx_interval_jitter(int64_t interval_ms, int percentage, double r);

/* Uniform in [0,1); any thread. */
double fx_random_unit(void);

#endif
