#include "../unit.h"

#include "core/clock.h"
#include "net/loop.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

/* A box that the loop thread fills and the test waits for. */
struct box {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int count;
};

#define BOX_INIT                                                                                             \
	{                                                                                                    \
		.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER                       \
	}

static void box_add(void *arg)
{
	struct box *box = arg;
	pthread_mutex_lock(&box->lock);
	box->count++;
	pthread_cond_signal(&box->changed);
	pthread_mutex_unlock(&box->lock);
}

static void box_wait(struct box *box, int count)
{
	pthread_mutex_lock(&box->lock);
	while (box->count < count)
		pthread_cond_wait(&box->changed, &box->lock);
	pthread_mutex_unlock(&box->lock);
}

static struct fx_loop *make_loop(void)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct fx_loop *loop = NULL;
	ck_assert_ok(fx_loop_new(&loop, &err), &err);
	return loop;
}

struct numbered {
	struct fx_loop_task task;
	int number;
	int *next;
	bool *ok;
};

static void take_number(struct fx_loop_task *task)
{
	struct numbered *n = (struct numbered *)task;
	*n->ok = *n->ok && n->number == (*n->next)++;
}

static void nothing(fx_unused void *arg)
{
}

START_TEST(tasks_run_in_the_order_of_posting)
{
	fx_auto(loop) struct fx_loop *loop = make_loop();
	static struct numbered tasks[5000];
	int next = 0;
	bool ok = true;
	for (int i = 0; i < 5000; i++) {
		tasks[i] = (struct numbered){{take_number, NULL}, i, &next, &ok};
		fx_loop_post(loop, &tasks[i].task);
	}
	fx_loop_call(loop, nothing, NULL);
	ck_assert_int_eq(next, 5000);
	ck_assert(ok);
}
END_TEST

START_TEST(tasks_posted_before_free_still_run)
{
	struct fx_loop *loop = make_loop();
	struct numbered task;
	int next = 0;
	bool ok = true;
	task = (struct numbered){{take_number, NULL}, 0, &next, &ok};
	fx_loop_post(loop, &task.task);
	fx_loop_free(loop);
	ck_assert_int_eq(next, 1);
}
END_TEST

struct where {
	struct fx_loop *loop;
	bool outside, inside, nested;
};

static void see_nested(void *arg)
{
	((struct where *)arg)->nested = true;
}

static void see(void *arg)
{
	struct where *where = arg;
	where->inside = fx_loop_is_current(where->loop);
	fx_loop_call(where->loop, see_nested, where); /* directly: waiting would never end */
}

START_TEST(call_runs_on_the_loop_thread)
{
	fx_auto(loop) struct fx_loop *loop = make_loop();
	struct where where = {.loop = loop, .outside = fx_loop_is_current(loop)};
	fx_loop_call(loop, see, &where);
	ck_assert(!where.outside);
	ck_assert(where.inside);
	ck_assert(where.nested);
}
END_TEST

START_TEST(timer_fires_not_early_and_can_be_restarted)
{
	fx_auto(loop) struct fx_loop *loop = make_loop();
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct box box = BOX_INIT;
	fx_auto(timer) struct fx_timer *timer = NULL;
	ck_assert_ok(fx_timer_new(loop, box_add, &box, &timer, &err), &err);
	fx_timer_start(timer, 3600 * 1000);
	int64_t before_ms = fx_now_ms();
	fx_timer_start(timer, 30);
	box_wait(&box, 1);
	int64_t took_ms = fx_now_ms() - before_ms;
	ck_assert_int_ge(took_ms, 30);
	fx_timer_start(timer, 0);
	box_wait(&box, 2);
}
END_TEST

START_TEST(stopped_timer_does_not_fire)
{
	fx_auto(loop) struct fx_loop *loop = make_loop();
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct box stopped = BOX_INIT, later = BOX_INIT;
	fx_auto(timer) struct fx_timer *a = NULL;
	fx_auto(timer) struct fx_timer *b = NULL;
	ck_assert_ok(fx_timer_new(loop, box_add, &stopped, &a, &err), &err);
	ck_assert_ok(fx_timer_new(loop, box_add, &later, &b, &err), &err);
	fx_timer_start(a, 5);
	fx_timer_stop(a);
	fx_timer_start(b, 20);
	box_wait(&later, 1);
	ck_assert_int_eq(stopped.count, 0);
}
END_TEST

struct suicide {
	struct fx_timer *timer;
	struct box box;
};

static void free_own_timer(void *arg)
{
	struct suicide *s = arg;
	fx_timer_free(s->timer);
	box_add(&s->box);
}

START_TEST(timer_may_be_freed_inside_its_function)
{
	fx_auto(loop) struct fx_loop *loop = make_loop();
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct suicide s = {.box = BOX_INIT};
	ck_assert_ok(fx_timer_new(loop, free_own_timer, &s, &s.timer, &err), &err);
	fx_timer_start(s.timer, 1);
	box_wait(&s.box, 1);
}
END_TEST

struct race {
	struct fx_timer *timer;
	unsigned seed;
};

static void *start_and_stop(void *arg)
{
	struct race *race = arg;
	for (int i = 0; i < 2000; i++) {
		if (rand_r(&race->seed) & 1)
			fx_timer_start(race->timer, rand_r(&race->seed) % 2);
		else
			fx_timer_stop(race->timer);
	}
	return NULL;
}

static atomic_int fired;

static void count_fire(fx_unused void *arg)
{
	atomic_fetch_add(&fired, 1);
}

START_TEST(timer_is_safe_from_many_threads)
{
	fx_auto(loop) struct fx_loop *loop = make_loop();
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct fx_timer *timer = NULL;
	ck_assert_ok(fx_timer_new(loop, count_fire, NULL, &timer, &err), &err);
	pthread_t threads[4];
	struct race races[4];
	for (unsigned i = 0; i < 4; i++) {
		races[i] = (struct race){timer, i};
		pthread_create(&threads[i], NULL, start_and_stop, &races[i]);
	}
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	fx_timer_start(timer, 0);
	fx_timer_free(timer);
	int seen = atomic_load(&fired);
	fx_loop_call(loop, nothing, NULL);
	ck_assert_int_eq(atomic_load(&fired), seen);
}
END_TEST

struct signals {
	struct box box;
	int last;
};

static void on_signal(void *arg, int signum)
{
	struct signals *s = arg;
	s->last = signum;
	box_add(&s->box);
}

START_TEST(signals_arrive_each_time)
{
	fx_auto(loop) struct fx_loop *loop = make_loop();
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct signals s = {.box = BOX_INIT};
	ck_assert_ok(fx_loop_on_signals(loop, on_signal, &s, &err), &err);
	kill(getpid(), SIGTERM);
	box_wait(&s.box, 1);
	ck_assert_int_eq(s.last, SIGTERM);
	kill(getpid(), SIGINT);
	box_wait(&s.box, 2);
	ck_assert_int_eq(s.last, SIGINT);
	ck_assert_int_lt(fx_loop_on_signals(loop, on_signal, &s, &err), 0);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("net/loop");
	TCase *tcase = tcase_create("loop");
	tcase_set_timeout(tcase, 30);
	tcase_add_test(tcase, tasks_run_in_the_order_of_posting);
	tcase_add_test(tcase, tasks_posted_before_free_still_run);
	tcase_add_test(tcase, call_runs_on_the_loop_thread);
	tcase_add_test(tcase, timer_fires_not_early_and_can_be_restarted);
	tcase_add_test(tcase, stopped_timer_does_not_fire);
	tcase_add_test(tcase, timer_may_be_freed_inside_its_function);
	tcase_add_test(tcase, timer_is_safe_from_many_threads);
	tcase_add_test(tcase, signals_arrive_each_time);
	suite_add_tcase(suite, tcase);
	return suite;
}

FX_UNIT_MAIN(make_suite)
