/*
 * The event loop of a process: one libuv loop on one thread that owns every client
 * socket, every timer and the signals. Workers hand it work with fx_loop_post() and never
 * touch what it owns.
 *
 * Functions marked [any] may be called from any thread, [loop] only on the loop thread.
 */
#ifndef FX_NET_LOOP_H
#define FX_NET_LOOP_H

#include "core/error.h"

#include <stdint.h>

struct fx_loop;
struct uv_loop_s;

/* Makes the loop and starts its thread. Owned by the caller. */
int fx_loop_new(struct fx_loop **out, struct fx_error *err) fx_must_use;

/* Stops the thread after the tasks posted so far and joins it; whoever uses the loop
 * (clients, timers) must have been freed before. Accepts NULL. Not on the loop thread. */
void fx_loop_free(struct fx_loop *loop);
FX_DEFINE_AUTO(loop, struct fx_loop, fx_loop_free)

/* [any] Runs fn(arg) on the loop thread, in the order of posting. The caller embeds the
 * task: it must stay valid until fn runs; fn may free it. Never fails. */
struct fx_loop_task {
	void (*fn)(struct fx_loop_task *task);
	struct fx_loop_task *next; /* private */
};
void fx_loop_post(struct fx_loop *loop, struct fx_loop_task *task);

/* [any] Runs fn(arg) on the loop thread and returns when it is done. On the loop thread it
 * is called directly. */
void fx_loop_call(struct fx_loop *loop, void (*fn)(void *arg), void *arg);

/* [any] */
bool fx_loop_is_current(const struct fx_loop *loop);

/* [loop] The libuv loop below, for modules of net/ only. */
struct uv_loop_s *fx_loop_uv(struct fx_loop *loop);

/* One-shot timer. fn runs on the loop thread. */
struct fx_timer;

/* [any] Owned by the caller. */
int fx_timer_new(struct fx_loop *loop, void (*fn)(void *arg), void *arg, struct fx_timer **out,
        struct fx_error *err) fx_must_use;
/* [any] Starts or restarts it: fn runs delay_ms from now (0: as soon as possible). */
void fx_timer_start(struct fx_timer *timer, int64_t delay_ms);
/* [any] Stops it; called on the loop thread, fn does not run after this returns. */
void fx_timer_stop(struct fx_timer *timer);
/* [any] Stops and frees; when this returns fn is not running and will not run. Accepts NULL.
 * May be called inside fn itself. */
void fx_timer_free(struct fx_timer *timer);
FX_DEFINE_AUTO(timer, struct fx_timer, fx_timer_free)

/* [any] Calls fn(arg, signum) on the loop thread for SIGTERM and SIGINT, each time one comes.
 * Once per loop. */
int fx_loop_on_signals(
        struct fx_loop *loop, void (*fn)(void *arg, int signum), void *arg, struct fx_error *err) fx_must_use;

#endif
