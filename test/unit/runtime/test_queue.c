#include "../unit.h"

#include "core/clock.h"
#include "runtime/queue.h"

#include <pthread.h>
#include <stdatomic.h>

static const struct fx_queue_options options = {.min_retry_ms = 20, .max_retry_ms = 100};

START_TEST(same_key_is_one_entry)
{
	fx_auto(queue) struct fx_queue *q = fx_queue_new(&options);
	struct fx_queue_stats stats;
	fx_queue_add(q, "ns/a", FX_PRIORITY_INITIAL);
	fx_queue_add(q, "ns/a", FX_PRIORITY_USER);
	fx_queue_add_after(q, "ns/a", FX_PRIORITY_NORMAL, 10000);
	fx_queue_stats(q, &stats);
	ck_assert_uint_eq(stats.ready, 1);
	ck_assert_uint_eq(stats.waiting, 0);
	struct fx_queue_item item;
	ck_assert(fx_queue_get(q, &item));
	ck_assert_int_eq(item.priority, FX_PRIORITY_USER);
}
END_TEST

START_TEST(priority_then_order)
{
	fx_auto(queue) struct fx_queue *q = fx_queue_new(&options);
	ck_assert(!fx_queue_has_ready(q));
	fx_queue_add(q, "low", FX_PRIORITY_INITIAL);
	fx_queue_add(q, "settled", FX_PRIORITY_SETTLED);
	fx_queue_add(q, "first", FX_PRIORITY_NORMAL);
	fx_queue_add(q, "second", FX_PRIORITY_NORMAL);
	fx_queue_add(q, "user", FX_PRIORITY_USER);
	fx_queue_add(q, "first", FX_PRIORITY_NORMAL);
	static const char *const want[] = {"user", "first", "second", "settled", "low"};
	for (size_t i = 0; i < FX_COUNT(want); i++) {
		struct fx_queue_item item;
		ck_assert(fx_queue_has_ready(q));
		ck_assert(fx_queue_get(q, &item));
		ck_assert_str_eq(item.key, want[i]);
		fx_queue_done(q, want[i]);
	}
}
END_TEST

START_TEST(added_while_processed_runs_again)
{
	fx_auto(queue) struct fx_queue *q = fx_queue_new(&options);
	struct fx_queue_item item;
	struct fx_queue_stats stats;
	fx_queue_add(q, "a", 0);
	ck_assert(fx_queue_get(q, &item));
	fx_queue_add(q, "a", FX_PRIORITY_USER);
	fx_queue_stats(q, &stats);
	ck_assert_uint_eq(stats.ready, 0);
	ck_assert_uint_eq(stats.processing, 1);
	fx_queue_done(q, "a");
	ck_assert(fx_queue_get(q, &item));
	ck_assert_int_eq(item.priority, FX_PRIORITY_USER);
	fx_queue_done(q, "a");
	fx_queue_stats(q, &stats);
	ck_assert_uint_eq(stats.ready + stats.waiting + stats.processing, 0);
}
END_TEST

START_TEST(backoff_doubles_to_its_cap)
{
	fx_auto(queue) struct fx_queue *q = fx_queue_new(&options);
	static const int64_t want[] = {20, 40, 80, 100, 100};
	for (size_t i = 0; i < FX_COUNT(want); i++)
		ck_assert_int_eq(fx_queue_add_failed(q, "a", 0), want[i]);
	fx_queue_forget(q, "a");
	ck_assert_int_eq(fx_queue_add_failed(q, "a", 0), 20);
}
END_TEST

START_TEST(delayed_key_comes_in_time)
{
	fx_auto(queue) struct fx_queue *q = fx_queue_new(&options);
	int64_t start = fx_now_ms();
	struct fx_queue_item item;
	fx_queue_add_after(q, "late", 0, 30);
	ck_assert(fx_queue_get(q, &item));
	ck_assert_int_ge(fx_now_ms() - start, 30);
}
END_TEST

START_TEST(earlier_add_beats_a_timer)
{
	fx_auto(queue) struct fx_queue *q = fx_queue_new(&options);
	struct fx_queue_item item;
	fx_queue_add_after(q, "a", 0, 3600000);
	fx_queue_add(q, "a", 0);
	ck_assert(fx_queue_get(q, &item));
	ck_assert_str_eq(item.key, "a");
}
END_TEST

START_TEST(dropped_key_does_not_come)
{
	fx_auto(queue) struct fx_queue *q = fx_queue_new(&options);
	struct fx_queue_item item;
	fx_queue_add(q, "gone", FX_PRIORITY_USER);
	fx_queue_add(q, "here", 0);
	fx_queue_drop(q, "gone");
	ck_assert(fx_queue_get(q, &item));
	ck_assert_str_eq(item.key, "here");
}
END_TEST

struct shared {
	struct fx_queue *queue;
	atomic_int running[8];
	atomic_int handled;
	atomic_bool overlapped;
};

static void *work(void *arg)
{
	struct shared *s = arg;
	struct fx_queue_item item;
	while (fx_queue_get(s->queue, &item)) {
		int key = item.key[0] - '0';
		if (atomic_fetch_add(&s->running[key], 1) != 0)
			atomic_store(&s->overlapped, true);
		atomic_fetch_sub(&s->running[key], 1);
		int handled = atomic_fetch_add(&s->handled, 1);
		if (handled < 2000)
			fx_queue_add(s->queue, item.key, handled % 3);
		else
			fx_queue_shut_down(s->queue);
		fx_queue_done(s->queue, item.key);
	}
	return NULL;
}

START_TEST(one_key_is_never_worked_on_twice)
{
	struct shared s = {.queue = fx_queue_new(&options)};
	pthread_t threads[4];
	for (int k = 0; k < 8; k++)
		fx_queue_add(s.queue, (char[]){(char)('0' + k), 0}, 0);
	for (size_t i = 0; i < FX_COUNT(threads); i++)
		pthread_create(&threads[i], NULL, work, &s);
	for (size_t i = 0; i < FX_COUNT(threads); i++)
		pthread_join(threads[i], NULL);
	ck_assert(!atomic_load(&s.overlapped));
	ck_assert_int_ge(atomic_load(&s.handled), 2000);
	fx_queue_free(s.queue);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("queue");
	TCase *t = tcase_create("queue");
	tcase_add_test(t, same_key_is_one_entry);
	tcase_add_test(t, priority_then_order);
	tcase_add_test(t, added_while_processed_runs_again);
	tcase_add_test(t, backoff_doubles_to_its_cap);
	tcase_add_test(t, delayed_key_comes_in_time);
	tcase_add_test(t, earlier_add_beats_a_timer);
	tcase_add_test(t, dropped_key_does_not_come);
	tcase_add_test(t, one_key_is_never_worked_on_twice);
	suite_add_tcase(s, t);
	return s;
}

FX_UNIT_MAIN(make_suite)
