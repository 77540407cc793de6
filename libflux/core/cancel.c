#include "core/cancel.h"

#include "core/clock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

struct fx_cancel {
	atomic_int refs;
	atomic_bool fired;
	int64_t deadline_ms;
	struct fx_cancel *parent;
	struct fx_cancel_hook in_parent; /* fires this token with its parent */
	pthread_mutex_t lock;
	struct fx_cancel_hook *hooks;
	char *reason;
};

static void fire_from_parent(struct fx_cancel_hook *hook)
{
	struct fx_cancel *cancel =
	        (struct fx_cancel *)((char *)hook - __builtin_offsetof(struct fx_cancel, in_parent));
	fx_cancel_fire(cancel, cancel->parent->reason);
}

struct fx_cancel *fx_cancel_new(struct fx_cancel *parent, int64_t deadline_ms)
{
	struct fx_cancel *cancel = calloc(1, sizeof(*cancel));
	if (!cancel)
		return NULL;
	atomic_init(&cancel->refs, 1);
	atomic_init(&cancel->fired, false);
	cancel->deadline_ms = deadline_ms;
	pthread_mutex_init(&cancel->lock, NULL);
	if (!parent)
		return cancel;
	cancel->parent = fx_cancel_ref(parent);
	if (parent->deadline_ms < deadline_ms)
		cancel->deadline_ms = parent->deadline_ms;
	cancel->in_parent.fn = fire_from_parent;
	if (!fx_cancel_add_hook(parent, &cancel->in_parent))
		fx_cancel_fire(cancel, parent->reason);
	return cancel;
}

struct fx_cancel *fx_cancel_ref(struct fx_cancel *cancel)
{
	if (cancel)
		atomic_fetch_add(&cancel->refs, 1);
	return cancel;
}

void fx_cancel_unref(struct fx_cancel *cancel)
{
	if (!cancel || atomic_fetch_sub(&cancel->refs, 1) != 1)
		return;
	fx_cancel_remove_hook(&cancel->in_parent);
	fx_cancel_unref(cancel->parent);
	pthread_mutex_destroy(&cancel->lock);
	free(cancel->reason);
	free(cancel);
}

void fx_cancel_fire(struct fx_cancel *cancel, const char *reason)
{
	if (!cancel)
		return;
	/* Hooks run under the lock: that is what lets remove_hook() promise they are over. */
	pthread_mutex_lock(&cancel->lock);
	if (!atomic_load(&cancel->fired)) {
		cancel->reason = reason ? strdup(reason) : NULL;
		atomic_store(&cancel->fired, true);
		while (cancel->hooks) {
			struct fx_cancel_hook *hook = cancel->hooks;
			cancel->hooks = hook->next;
			if (hook->next)
				hook->next->prev = NULL;
			hook->next = hook->prev = NULL;
			hook->fn(hook);
		}
	}
	pthread_mutex_unlock(&cancel->lock);
}

bool fx_cancel_is_fired(const struct fx_cancel *cancel)
{
	return cancel && (atomic_load(&cancel->fired) || fx_now_ms() >= cancel->deadline_ms);
}

int64_t fx_cancel_deadline_ms(const struct fx_cancel *cancel)
{
	return cancel ? cancel->deadline_ms : FX_NO_DEADLINE;
}

int fx_cancel_check(const struct fx_cancel *cancel, struct fx_error *err)
{
	if (!cancel)
		return 0;
	if (atomic_load(&cancel->fired))
		return fx_fail(err, FX_E_CANCELED, "%s", cancel->reason ? cancel->reason : "canceled");
	if (fx_now_ms() >= cancel->deadline_ms)
		return fx_fail(err, FX_E_TIMEOUT, "deadline exceeded");
	return 0;
}

bool fx_cancel_add_hook(struct fx_cancel *cancel, struct fx_cancel_hook *hook)
{
	hook->on = NULL;
	hook->next = hook->prev = NULL;
	if (!cancel)
		return true;
	pthread_mutex_lock(&cancel->lock);
	bool fired = atomic_load(&cancel->fired);
	if (!fired) {
		hook->on = cancel;
		hook->next = cancel->hooks;
		if (cancel->hooks)
			cancel->hooks->prev = hook;
		cancel->hooks = hook;
	}
	pthread_mutex_unlock(&cancel->lock);
	return !fired;
}

void fx_cancel_remove_hook(struct fx_cancel_hook *hook)
{
	struct fx_cancel *cancel = hook->on;
	if (!cancel)
		return;
	pthread_mutex_lock(&cancel->lock);
	if (cancel->hooks == hook)
		cancel->hooks = hook->next;
	if (hook->prev)
		hook->prev->next = hook->next;
	if (hook->next)
		hook->next->prev = hook->prev;
	hook->next = hook->prev = NULL;
	hook->on = NULL;
	pthread_mutex_unlock(&cancel->lock);
}
