/*
 * Cancellation: a counted token with an optional deadline and an optional parent.
 * Whoever blocks on behalf of a token registers a hook; firing the token runs the hooks
 * once, in the firing thread. A child fires with its parent. Thread safe.
 *
 * A deadline does not fire the token by itself: whoever waits takes it as the latest
 * moment to wait for (fx_cancel_deadline_ms()), so that no timer thread is needed.
 */
#ifndef FX_CORE_CANCEL_H
#define FX_CORE_CANCEL_H

#include "core/error.h"

#include <stdint.h>

struct fx_cancel;

/* No deadline. */
#define FX_NO_DEADLINE INT64_MAX

/* Makes a token. parent: borrowed here, a reference is kept (NULL: none). deadline_ms: on
 * fx_now_ms()'s clock; the parent's wins when it is earlier. NULL without memory. */
struct fx_cancel *fx_cancel_new(struct fx_cancel *parent, int64_t deadline_ms);
struct fx_cancel *fx_cancel_ref(struct fx_cancel *cancel);
void fx_cancel_unref(struct fx_cancel *cancel);
FX_DEFINE_AUTO(cancel, struct fx_cancel, fx_cancel_unref)

/* Fires it and its children; only the first call counts. reason becomes the error text. */
void fx_cancel_fire(struct fx_cancel *cancel, const char *reason);

/* True when fired or past the deadline. NULL is never fired. */
bool fx_cancel_is_fired(const struct fx_cancel *cancel);

/* The deadline, FX_NO_DEADLINE when there is none (or cancel is NULL). */
int64_t fx_cancel_deadline_ms(const struct fx_cancel *cancel);

/* 0 while not fired; else FX_E_CANCELED with the reason, or FX_E_TIMEOUT when only the
 * deadline has passed. */
int fx_cancel_check(const struct fx_cancel *cancel, struct fx_error *err) fx_must_use;

/* Embedded by the waiter; must stay valid until removed. */
struct fx_cancel_hook {
	void (*fn)(struct fx_cancel_hook *hook);
	struct fx_cancel_hook *next, *prev; /* private */
	struct fx_cancel *on;               /* private */
};

/* Registers hook->fn, to be called when the token fires; false (and not registered) when it
 * has fired already. cancel may be NULL: nothing happens, true. */
bool fx_cancel_add_hook(struct fx_cancel *cancel, struct fx_cancel_hook *hook);

/* Removes it; when this returns the hook's function is not running and will not run.
 * Must not be called from inside a hook. */
void fx_cancel_remove_hook(struct fx_cancel_hook *hook);

#endif
