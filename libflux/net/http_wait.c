#include "net/http_wait.h"

#include <time.h>

static void token_fired(struct fx_cancel_hook *hook)
{
	struct fx_http_wait *wait =
	        (struct fx_http_wait *)((char *)hook - __builtin_offsetof(struct fx_http_wait, hook));
	pthread_mutex_lock(&wait->lock);
	wait->fired = true;
	pthread_cond_broadcast(&wait->changed);
	pthread_mutex_unlock(&wait->lock);
}

void fx_http_wait_init(struct fx_http_wait *wait, struct fx_cancel *cancel)
{
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_mutex_init(&wait->lock, NULL);
	pthread_cond_init(&wait->changed, &attr);
	pthread_condattr_destroy(&attr);
	wait->cancel = cancel;
	wait->fired = false;
	wait->hook = (struct fx_cancel_hook){.fn = token_fired};
}

void fx_http_wait_release(struct fx_http_wait *wait)
{
	pthread_cond_destroy(&wait->changed);
	pthread_mutex_destroy(&wait->lock);
}

bool fx_http_wait_begin(struct fx_http_wait *wait)
{
	return fx_cancel_add_hook(wait->cancel, &wait->hook);
}

void fx_http_wait_end(struct fx_http_wait *wait)
{
	fx_cancel_remove_hook(&wait->hook);
}

bool fx_http_wait_once(struct fx_http_wait *wait)
{
	if (wait->fired || fx_cancel_is_fired(wait->cancel))
		return false;
	int64_t deadline_ms = fx_cancel_deadline_ms(wait->cancel);
	if (deadline_ms == FX_NO_DEADLINE) {
		pthread_cond_wait(&wait->changed, &wait->lock);
	} else {
		struct timespec until = {.tv_sec = (time_t)(deadline_ms / 1000),
		        .tv_nsec = (long)(deadline_ms % 1000) * 1000000};
		pthread_cond_timedwait(&wait->changed, &wait->lock, &until);
	}
	return true;
}
