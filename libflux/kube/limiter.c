#include "kube/limiter.h"

#include "core/clock.h"

#include <math.h>
#include <time.h>

#define NS_PER_S 1e9

void fx_limiter_init(struct fx_limiter *limiter, double qps, int burst)
{
	pthread_mutex_init(&limiter->lock, NULL);
	limiter->qps = qps > 0 ? qps : 0;
	limiter->burst = burst > 0 ? burst : 1;
	limiter->tokens = limiter->burst;
	limiter->filled_ns = fx_now_ns();
}

void fx_limiter_release(struct fx_limiter *limiter)
{
	pthread_mutex_destroy(&limiter->lock);
}

void fx_limiter_open(struct fx_limiter *limiter)
{
	pthread_mutex_lock(&limiter->lock);
	limiter->qps = 0;
	pthread_mutex_unlock(&limiter->lock);
}

int64_t fx_limiter_reserve(struct fx_limiter *limiter, int64_t now_ns)
{
	int64_t wait_ms = 0;
	pthread_mutex_lock(&limiter->lock);
	if (limiter->qps > 0) {
		double gained = (double)(now_ns - limiter->filled_ns) / NS_PER_S * limiter->qps;
		limiter->filled_ns = now_ns;
		limiter->tokens = fmin(limiter->burst, limiter->tokens + gained) - 1;
		if (limiter->tokens < 0)
			wait_ms = (int64_t)ceil(-limiter->tokens / limiter->qps * 1000);
	}
	pthread_mutex_unlock(&limiter->lock);
	return wait_ms;
}

int fx_limiter_wait(struct fx_limiter *limiter, struct fx_cancel *cancel, struct fx_error *err)
{
	int64_t wait_ms = fx_limiter_reserve(limiter, fx_now_ns());
	if (wait_ms == 0)
		return 0;
	return fx_kube_pause(wait_ms, cancel, err);
}

struct pause {
	struct fx_cancel_hook hook; /* first: the hook is the pause */
	pthread_mutex_t lock;
	pthread_cond_t woken;
	bool fired;
};

static void on_fired(struct fx_cancel_hook *hook)
{
	struct pause *pause = (struct pause *)hook;
	pthread_mutex_lock(&pause->lock);
	pause->fired = true;
	pthread_cond_signal(&pause->woken);
	pthread_mutex_unlock(&pause->lock);
}

int fx_kube_pause(int64_t ms, struct fx_cancel *cancel, struct fx_error *err)
{
	struct pause pause = {.hook = {.fn = on_fired}};
	pthread_condattr_t attr;
	int64_t until = fx_now_ms() + ms;
	if (fx_cancel_deadline_ms(cancel) < until)
		until = fx_cancel_deadline_ms(cancel);

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_mutex_init(&pause.lock, NULL);
	pthread_cond_init(&pause.woken, &attr);
	pthread_condattr_destroy(&attr);
	struct timespec deadline = {.tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000};
	bool added = fx_cancel_add_hook(cancel, &pause.hook);
	pthread_mutex_lock(&pause.lock);
	while (added && !pause.fired && fx_now_ms() < until)
		pthread_cond_timedwait(&pause.woken, &pause.lock, &deadline);
	pthread_mutex_unlock(&pause.lock);
	if (added)
		fx_cancel_remove_hook(&pause.hook);
	pthread_cond_destroy(&pause.woken);
	pthread_mutex_destroy(&pause.lock);
	return fx_cancel_check(cancel, err);
}
