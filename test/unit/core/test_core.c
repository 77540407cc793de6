#include "../unit.h"

#include "core/arena.h"
#include "core/buf.h"
#include "core/cancel.h"
#include "core/clock.h"
#include "core/map.h"
#include "core/vec.h"

#include <string.h>

START_TEST(error_wrap_reads_outside_in)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	ck_assert_int_eq(fx_fail(&err, FX_E_NOT_FOUND, "no key '%s'", "a"), -FX_E_NOT_FOUND);
	ck_assert_int_eq(fx_error_wrap(&err, "secret '%s'", "ns/n"), -FX_E_NOT_FOUND);
	ck_assert_str_eq(fx_error_message(&err), "secret 'ns/n': no key 'a'");
}
END_TEST

START_TEST(error_message_is_cut_at_its_limit)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_autofree char *big = malloc(FX_ERROR_MESSAGE_MAX + 100);
	memset(big, 'x', FX_ERROR_MESSAGE_MAX + 99);
	big[FX_ERROR_MESSAGE_MAX + 99] = '\0';
	fx_fail(&err, FX_E_INVALID, "%s", big);
	ck_assert_uint_eq(strlen(err.message), FX_ERROR_MESSAGE_MAX);
}
END_TEST

START_TEST(arena_limit_and_growth)
{
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(1024);
	char *p = fx_arena_strdup(arena, "hello");
	ck_assert_str_eq(p, "hello");
	p = fx_arena_realloc(arena, p, 6, 100);
	ck_assert_str_eq(p, "hello");
	ck_assert_ptr_null(fx_arena_alloc(arena, 2000));
	fx_arena_reset(arena);
	ck_assert_uint_eq(fx_arena_used(arena), 0);
}
END_TEST

START_TEST(buf_failure_is_sticky)
{
	struct fx_buf buf = FX_BUF_INIT_MAX(4);
	fx_buf_add_str(&buf, "abc");
	fx_buf_add_str(&buf, "def");
	fx_buf_add_str(&buf, "g");
	ck_assert(fx_buf_failed(&buf));
	ck_assert_ptr_null(fx_buf_take(&buf, NULL));
}
END_TEST

START_TEST(buf_json_string_escapes)
{
	fx_auto(buf) struct fx_buf buf = FX_BUF_INIT;
	fx_buf_add_json_string(&buf, "a\"b\\c\n\x01\xc3\xa9");
	ck_assert_str_eq(fx_buf_str(&buf), "\"a\\\"b\\\\c\\n\\u0001\xc3\xa9\"");
}
END_TEST

START_TEST(map_survives_many_changes)
{
	fx_auto(map) struct fx_map map = FX_MAP_INIT;
	char key[16];
	for (intptr_t i = 0; i < 1000; i++) {
		snprintf(key, sizeof(key), "k%d", (int)i);
		ck_assert(fx_map_set(&map, key, (void *)(i + 1)));
	}
	for (int i = 0; i < 1000; i += 2) {
		snprintf(key, sizeof(key), "k%d", i);
		ck_assert(fx_map_del(&map, key));
	}
	ck_assert_uint_eq(map.len, 500);
	for (intptr_t i = 0; i < 1000; i++) {
		snprintf(key, sizeof(key), "k%d", (int)i);
		ck_assert_ptr_eq(fx_map_get(&map, key), i % 2 ? (void *)(i + 1) : NULL);
	}
	size_t seen = 0;
	for (struct fx_map_slot *s = NULL; (s = fx_map_next(&map, s));)
		seen++;
	ck_assert_uint_eq(seen, 500);
}
END_TEST

START_TEST(vec_keeps_order)
{
	FX_VEC(int) v = {0};
	for (int i = 0; i < 100; i++)
		ck_assert(fx_vec_push(&v, i));
	int next = 0;
	fx_vec_foreach (int, it, &v)
		ck_assert_int_eq(*it, next++);
	fx_vec_release(&v);
}
END_TEST

static const struct {
	const char *text;
	int64_t ns;
	const char *printed;
} durations[] = {
        {"10m", 600000000000, "10m0s"},
        {"1h30m", 5400000000000, "1h30m0s"},
        {"1.5s", 1500000000, "1.5s"},
        {"750ms", 750000000, "750ms"},
        {"0", 0, "0s"},
        {"-2s", -2000000000, "-2s"},
        {"1500us", 1500000, "1.5ms"},
        {"90s", 90000000000, "1m30s"},
};

START_TEST(duration_round_trip)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	int64_t ns;
	char text[FX_TIME_TEXT];
	ck_assert_ok(fx_duration_parse(durations[_i].text, &ns, &err), &err);
	ck_assert_int_eq(ns, durations[_i].ns);
	ck_assert_str_eq(fx_duration_format(ns, text), durations[_i].printed);
}
END_TEST

static const char *const bad_durations[] = {"", "10", "m", "1x", "10m 5s", ".", "99999999999h"};

START_TEST(duration_refused)
{
	int64_t ns;
	ck_assert_int_lt(fx_duration_parse(bad_durations[_i], &ns, NULL), 0);
}
END_TEST

START_TEST(time_round_trip)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	int64_t ns;
	char text[FX_TIME_TEXT];
	ck_assert_ok(fx_time_parse("2023-08-16T11:36:41.286+02:00", &ns, &err), &err);
	ck_assert_str_eq(fx_time_rfc3339_milli(ns, text), "2023-08-16T09:36:41.286Z");
	ck_assert_str_eq(fx_time_rfc3339(ns, text), "2023-08-16T09:36:41Z");
	ck_assert_int_lt(fx_time_parse("2023-08-16", &ns, NULL), 0);
}
END_TEST

static int fired;
static void count_fire(struct fx_cancel_hook *hook)
{
	(void)hook;
	fired++;
}

START_TEST(cancel_reaches_children)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(cancel) struct fx_cancel *parent = fx_cancel_new(NULL, FX_NO_DEADLINE);
	fx_auto(cancel) struct fx_cancel *child = fx_cancel_new(parent, FX_NO_DEADLINE);
	struct fx_cancel_hook hook = {.fn = count_fire};
	ck_assert(fx_cancel_add_hook(child, &hook));
	fx_cancel_fire(parent, "shutting down");
	ck_assert_int_eq(fired, 1);
	ck_assert_int_eq(fx_cancel_check(child, &err), -FX_E_CANCELED);
	ck_assert_str_eq(fx_error_message(&err), "shutting down");
	fx_cancel_remove_hook(&hook);
}
END_TEST

START_TEST(cancel_deadline_passes)
{
	fx_auto(cancel) struct fx_cancel *c = fx_cancel_new(NULL, fx_now_ms() - 1);
	ck_assert(fx_cancel_is_fired(c));
	ck_assert_int_eq(fx_cancel_check(c, NULL), -FX_E_TIMEOUT);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("core");
	TCase *t = tcase_create("core");
	tcase_add_test(t, error_wrap_reads_outside_in);
	tcase_add_test(t, error_message_is_cut_at_its_limit);
	tcase_add_test(t, arena_limit_and_growth);
	tcase_add_test(t, buf_failure_is_sticky);
	tcase_add_test(t, buf_json_string_escapes);
	tcase_add_test(t, map_survives_many_changes);
	tcase_add_test(t, vec_keeps_order);
	tcase_add_loop_test(t, duration_round_trip, 0, FX_COUNT(durations));
	tcase_add_loop_test(t, duration_refused, 0, FX_COUNT(bad_durations));
	tcase_add_test(t, time_round_trip);
	tcase_add_test(t, cancel_reaches_children);
	tcase_add_test(t, cancel_deadline_passes);
	suite_add_tcase(s, t);
	return s;
}

FX_UNIT_MAIN(make_suite)
