#include "net/loop.h"

#include "core/clock.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <uv.h>

struct fx_loop {
	uv_loop_t uv;
	uv_async_t wake;
	uv_signal_t sigterm, sigint;
	bool has_signals;
	void (*on_signal)(void *arg, int signum);
	void *on_signal_arg;
	pthread_t thread;
	pthread_mutex_t lock; /* the queue, and the wishes of timers */
	struct fx_loop_task *head, **tail;
};

static _Thread_local const struct fx_loop *current;

bool fx_loop_is_current(const struct fx_loop *loop)
{
	return current == loop;
}

struct uv_loop_s *fx_loop_uv(struct fx_loop *loop)
{
	return &loop->uv;
}

void fx_loop_post(struct fx_loop *loop, struct fx_loop_task *task)
{
	task->next = NULL;
	pthread_mutex_lock(&loop->lock);
	bool was_empty = !loop->head;
	*loop->tail = task;
	loop->tail = &task->next;
	/* Under the lock: after it, the task may be the one that ends the loop. */
	if (was_empty)
		uv_async_send(&loop->wake);
	pthread_mutex_unlock(&loop->lock);
}

/* Tasks posted meanwhile wait for the next round, so that sockets get their turn. */
static void run_tasks(uv_async_t *wake)
{
	struct fx_loop *loop = wake->data;
	pthread_mutex_lock(&loop->lock);
	struct fx_loop_task *task = loop->head;
	loop->head = NULL;
	loop->tail = &loop->head;
	pthread_mutex_unlock(&loop->lock);
	while (task) {
		struct fx_loop_task *next = task->next;
		task->fn(task);
		task = next;
	}
}

static void close_handle(uv_handle_t *handle, fx_unused void *arg)
{
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

static void *run_loop(void *arg)
{
	struct fx_loop *loop = arg;
	current = loop;
	/* A peer that closes while curl writes to it must not end the process. */
	sigset_t pipe;
	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe, NULL);
	pthread_setname_np(pthread_self(), "fx-loop");
	uv_run(&loop->uv, UV_RUN_DEFAULT);
	uv_walk(&loop->uv, close_handle, NULL);
	uv_run(&loop->uv, UV_RUN_DEFAULT);
	return NULL;
}

int fx_loop_new(struct fx_loop **out, struct fx_error *err)
{
	struct fx_loop *loop = calloc(1, sizeof(*loop));
	if (!loop)
		return fx_fail_nomem(err);
	int rc = uv_loop_init(&loop->uv);
	if (rc < 0) {
		free(loop);
		return fx_fail(err, FX_E_IO, "cannot make an event loop: %s", uv_strerror(rc));
	}
	rc = uv_async_init(&loop->uv, &loop->wake, run_tasks);
	loop->wake.data = loop;
	loop->tail = &loop->head;
	pthread_mutex_init(&loop->lock, NULL);
	if (rc == 0)
		rc = -pthread_create(&loop->thread, NULL, run_loop, loop);
	if (rc == 0) {
		*out = loop;
		return 0;
	}
	uv_walk(&loop->uv, close_handle, NULL);
	uv_run(&loop->uv, UV_RUN_DEFAULT);
	uv_loop_close(&loop->uv);
	pthread_mutex_destroy(&loop->lock);
	free(loop);
	return fx_fail(err, FX_E_IO, "cannot start the event loop: %s", uv_strerror(rc));
}

static void stop(struct fx_loop_task *task)
{
	(void)task;
	uv_stop(&((struct fx_loop *)current)->uv);
}

void fx_loop_free(struct fx_loop *loop)
{
	if (!loop)
		return;
	struct fx_loop_task task = {.fn = stop};
	fx_loop_post(loop, &task);
	pthread_join(loop->thread, NULL);
	uv_loop_close(&loop->uv);
	pthread_mutex_destroy(&loop->lock);
	free(loop);
}

struct call {
	struct fx_loop_task task;
	void (*fn)(void *arg);
	void *arg;
	pthread_mutex_t lock;
	pthread_cond_t over;
	bool done;
};

static void run_call(struct fx_loop_task *task)
{
	struct call *call = (struct call *)task;
	call->fn(call->arg);
	pthread_mutex_lock(&call->lock);
	call->done = true;
	pthread_cond_signal(&call->over);
	pthread_mutex_unlock(&call->lock);
}

void fx_loop_call(struct fx_loop *loop, void (*fn)(void *arg), void *arg)
{
	if (fx_loop_is_current(loop)) {
		fn(arg);
		return;
	}
	struct call call = {.task.fn = run_call, .fn = fn, .arg = arg};
	pthread_mutex_init(&call.lock, NULL);
	pthread_cond_init(&call.over, NULL);
	fx_loop_post(loop, &call.task);
	pthread_mutex_lock(&call.lock);
	while (!call.done)
		pthread_cond_wait(&call.over, &call.lock);
	pthread_mutex_unlock(&call.lock);
	pthread_cond_destroy(&call.over);
	pthread_mutex_destroy(&call.lock);
}

/*
 * Any thread writes its wish (armed, due_ms) under the loop's lock and queues the timer's
 * task; the loop thread brings the libuv handle in line with the last wish.
 */
struct fx_timer {
	struct fx_loop_task task;
	uv_timer_t uv;
	struct fx_loop *loop;
	void (*fn)(void *arg);
	void *arg;
	int64_t due_ms;
	bool armed;
	bool queued; /* the task is in the loop's queue */
	bool freed;
	bool has_handle; /* uv is initialised; loop thread only */
};

static void free_timer_memory(uv_handle_t *handle)
{
	free(handle->data);
}

/* [loop] */
static void release_timer(struct fx_timer *timer)
{
	if (timer->has_handle)
		uv_close((uv_handle_t *)&timer->uv, free_timer_memory);
	else
		free(timer);
}

static void arm_timer(struct fx_timer *timer);

static void fire_timer(uv_timer_t *uv)
{
	struct fx_timer *timer = uv->data;
	pthread_mutex_lock(&timer->loop->lock);
	bool due = timer->armed && fx_now_ms() >= timer->due_ms;
	if (due)
		timer->armed = false;
	pthread_mutex_unlock(&timer->loop->lock);
	if (due)
		timer->fn(timer->arg); /* may free the timer */
	else
		arm_timer(timer);
}

/* [loop] */
static void arm_timer(struct fx_timer *timer)
{
	pthread_mutex_lock(&timer->loop->lock);
	bool armed = timer->armed;
	int64_t delay_ms = timer->due_ms - fx_now_ms();
	pthread_mutex_unlock(&timer->loop->lock);
	if (!timer->has_handle) {
		if (!armed)
			return;
		uv_timer_init(&timer->loop->uv, &timer->uv);
		timer->uv.data = timer;
		timer->has_handle = true;
	}
	if (!armed) {
		uv_timer_stop(&timer->uv);
		return;
	}
	uv_update_time(&timer->loop->uv);
	uv_timer_start(&timer->uv, fire_timer, delay_ms > 0 ? (uint64_t)delay_ms : 0, 0);
}

static void apply_timer(struct fx_loop_task *task)
{
	struct fx_timer *timer = (struct fx_timer *)task;
	pthread_mutex_lock(&timer->loop->lock);
	timer->queued = false;
	bool freed = timer->freed;
	pthread_mutex_unlock(&timer->loop->lock);
	if (freed)
		release_timer(timer);
	else
		arm_timer(timer);
}

static void wish(struct fx_timer *timer, bool armed, int64_t due_ms)
{
	bool here = fx_loop_is_current(timer->loop);
	pthread_mutex_lock(&timer->loop->lock);
	timer->armed = armed;
	timer->due_ms = due_ms;
	bool queue = !here && !timer->queued;
	if (queue)
		timer->queued = true;
	pthread_mutex_unlock(&timer->loop->lock);
	if (here)
		arm_timer(timer);
	else if (queue)
		fx_loop_post(timer->loop, &timer->task);
}

int fx_timer_new(
        struct fx_loop *loop, void (*fn)(void *arg), void *arg, struct fx_timer **out, struct fx_error *err)
{
	struct fx_timer *timer = calloc(1, sizeof(*timer));
	if (!timer)
		return fx_fail_nomem(err);
	timer->task.fn = apply_timer;
	timer->loop = loop;
	timer->fn = fn;
	timer->arg = arg;
	*out = timer;
	return 0;
}

void fx_timer_start(struct fx_timer *timer, int64_t delay_ms)
{
	int64_t now_ms = fx_now_ms();
	if (delay_ms < 0)
		delay_ms = 0;
	wish(timer, true, delay_ms > INT64_MAX - now_ms ? INT64_MAX : now_ms + delay_ms);
}

void fx_timer_stop(struct fx_timer *timer)
{
	wish(timer, false, 0);
}

static void free_timer(void *arg)
{
	struct fx_timer *timer = arg;
	pthread_mutex_lock(&timer->loop->lock);
	timer->armed = false;
	timer->freed = true;
	bool queued = timer->queued; /* then its task releases it */
	pthread_mutex_unlock(&timer->loop->lock);
	if (!queued)
		release_timer(timer);
	else if (timer->has_handle)
		uv_timer_stop(&timer->uv);
}

void fx_timer_free(struct fx_timer *timer)
{
	if (timer)
		fx_loop_call(timer->loop, free_timer, timer);
}

static void signal_came(uv_signal_t *handle, int signum)
{
	struct fx_loop *loop = handle->data;
	loop->on_signal(loop->on_signal_arg, signum);
}

struct signals_call {
	struct fx_loop *loop;
	int rc;
};

static void start_signals(void *arg)
{
	struct signals_call *call = arg;
	struct fx_loop *loop = call->loop;
	uv_signal_init(&loop->uv, &loop->sigterm);
	uv_signal_init(&loop->uv, &loop->sigint);
	loop->sigterm.data = loop->sigint.data = loop;
	call->rc = uv_signal_start(&loop->sigterm, signal_came, SIGTERM);
	if (call->rc == 0)
		call->rc = uv_signal_start(&loop->sigint, signal_came, SIGINT);
}

int fx_loop_on_signals(
        struct fx_loop *loop, void (*fn)(void *arg, int signum), void *arg, struct fx_error *err)
{
	if (loop->has_signals)
		return fx_fail(err, FX_E_INTERNAL, "signals have a handler already");
	loop->has_signals = true;
	loop->on_signal = fn;
	loop->on_signal_arg = arg;
	struct signals_call call = {.loop = loop};
	fx_loop_call(loop, start_signals, &call);
	if (call.rc < 0)
		return fx_fail(err, FX_E_IO, "cannot watch signals: %s", uv_strerror(call.rc));
	return 0;
}
