#include "kustomize-controller/state.h"

#include "../unit.h"

static struct fx_applied *add_applied(struct fx_ks_state *state, const char *id)
{
	struct fx_applied *a = calloc(1, sizeof(*a));
	ck_assert(a && fx_map_set(&state->applied, id, a));
	return a;
}

START_TEST(test_run_without_events)
{
	struct fx_ks_states states;
	fx_ks_states_init(&states);
	struct fx_ks_state *state = fx_ks_state_begin(&states, "ns/name");
	add_applied(state, "a")->dirty = true;
	ck_assert_int_eq(fx_ks_state_end(&states, state), -1);
	fx_ks_states_release(&states);
}
END_TEST

/* A controller that changes an object back while each run still goes on must not keep it running. */
START_TEST(test_fight_during_runs_is_slowed_down)
{
	struct fx_ks_states states;
	fx_ks_states_init(&states);
	int64_t last_ms = 0;
	for (int i = 0; i < FX_FIGHT_FREE + 3; i++) {
		struct fx_ks_state *state = fx_ks_state_begin(&states, "ns/name");
		struct fx_applied *a = fx_map_get(&state->applied, "a");
		if (!a)
			a = add_applied(state, "a");
		a->dirty = true;
		a->paused_ms = 0;
		state->wake = true;
		last_ms = fx_ks_state_end(&states, state);
		ck_assert_int_eq(
		        last_ms, i < FX_FIGHT_FREE ? 0 : FX_FIGHT_PAUSE_MIN_MS << (i - FX_FIGHT_FREE));
	}
	/* What the run waits for does not wait for the pause, which goes on, counted once. */
	struct fx_ks_state *waiting = fx_ks_state_begin(&states, "ns/name");
	waiting->wake_health = true;
	ck_assert_int_eq(fx_ks_state_end(&states, waiting), 0);
	ck_assert_ptr_eq(fx_ks_state_begin(&states, "ns/name"), waiting);
	int64_t left_ms = fx_ks_state_end(&states, waiting);
	ck_assert_msg(left_ms > 0 && left_ms <= last_ms, "%lld ms", (long long)left_ms);
	/* Something else, changed for the first time, does not wait for it. */
	struct fx_ks_state *state = fx_ks_state_begin(&states, "ns/name");
	add_applied(state, "b")->dirty = true;
	state->wake = true;
	ck_assert_int_eq(fx_ks_state_end(&states, state), 0);
	fx_ks_states_release(&states);
}
END_TEST

/* An object that moves to another Kustomization is left alone for a while. */
START_TEST(test_taken_objects_wait_longer)
{
	struct fx_applied a = {.taken = true};
	int64_t now_ms = 1000;
	ck_assert_int_eq(fx_applied_pause_ms(&a, now_ms), FX_TAKEN_PAUSE_MIN_MS);
	ck_assert_int_eq(a.paused_ms, now_ms + FX_TAKEN_PAUSE_MIN_MS);
	ck_assert_int_eq(fx_applied_pause_ms(&a, now_ms), 2 * FX_TAKEN_PAUSE_MIN_MS);
	for (int i = 0; i < 10; i++)
		ck_assert_int_le(fx_applied_pause_ms(&a, now_ms), FX_FIGHT_PAUSE_MAX_MS);
}
END_TEST

START_TEST(test_deleted_object_is_not_run_again)
{
	struct fx_ks_states states;
	fx_ks_states_init(&states);
	struct fx_ks_state *state = fx_ks_state_begin(&states, "ns/name");
	state->wake = true;
	fx_ks_states_forget(&states, "ns/name");
	ck_assert_int_eq(fx_ks_state_end(&states, state), -1);
	fx_ks_states_release(&states);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("state");
	TCase *tc = tcase_create("state");
	tcase_add_test(tc, test_run_without_events);
	tcase_add_test(tc, test_fight_during_runs_is_slowed_down);
	tcase_add_test(tc, test_taken_objects_wait_longer);
	tcase_add_test(tc, test_deleted_object_is_not_run_again);
	suite_add_tcase(suite, tc);
	return suite;
}

FX_UNIT_MAIN(make_suite)
