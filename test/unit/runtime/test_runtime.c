#include "../unit.h"

#include "data/mergepatch.h"
#include "runtime/conditions.h"
#include "runtime/flags.h"
#include "runtime/gates.h"
#include "runtime/metrics.h"
#include "runtime/requeue.h"
#include "runtime/selector.h"

#include <string.h>

static const struct fx_condition_clock at_1 = {.generation = 1, .wall_ns = 1000000000};
static const struct fx_condition_clock at_2 = {.generation = 2, .wall_ns = 2000000000};

static const char *transition(json_t *conditions, const char *type)
{
	return json_string_value(json_object_get(fx_conditions_get(conditions, type), "lastTransitionTime"));
}

START_TEST(unchanged_condition_keeps_its_time)
{
	json_t *c = json_array();
	fx_conditions_set(c, &at_1, "Ready", "True", "Succeeded", "done");
	fx_conditions_set(c, &at_2, "Ready", "True", "Succeeded", "done");
	ck_assert_str_eq(transition(c, "Ready"), "1970-01-01T00:00:01Z");
	ck_assert_int_eq(
	        json_integer_value(json_object_get(fx_conditions_get(c, "Ready"), "observedGeneration")), 2);
	fx_conditions_set(c, &at_2, "Ready", "True", "Succeeded", "done again");
	ck_assert_str_eq(transition(c, "Ready"), "1970-01-01T00:00:02Z");
	json_decref(c);
}
END_TEST

START_TEST(conditions_are_sorted)
{
	json_t *c = json_array();
	fx_conditions_set(c, &at_1, "Zeta", "True", "R", "m");
	fx_conditions_set(c, &at_2, "Healthy", "True", "R", "m");
	fx_conditions_set(c, &at_1, "Ready", "True", "R", "m");
	fx_conditions_mark_reconciling(c, &at_1, "Progressing", "m");
	static const char *const want[] = {"Reconciling", "Ready", "Healthy", "Zeta"};
	for (size_t i = 0; i < FX_COUNT(want); i++)
		ck_assert_str_eq(json_string_value(json_object_get(json_array_get(c, i), "type")), want[i]);
	json_decref(c);
}
END_TEST

START_TEST(stalled_and_reconciling_exclude_each_other)
{
	json_t *c = json_array();
	fx_conditions_mark_reconciling(c, &at_1, "Progressing", "m");
	ck_assert(fx_conditions_is_reconciling(c));
	fx_conditions_mark_stalled(c, &at_1, "InvalidPath", "m");
	ck_assert(fx_conditions_is_stalled(c));
	ck_assert_ptr_null(fx_conditions_get(c, "Reconciling"));
	json_decref(c);
}
END_TEST

static const char *const types[] = {"FetchFailed", "ArtifactOutdated", "ArtifactInStorage", NULL};
static const char *const negatives[] = {"FetchFailed", "ArtifactOutdated", NULL};
static const struct fx_condition_summary ready = {.target = "Ready", .types = types, .negatives = negatives};

START_TEST(summary_takes_the_worst_first)
{
	json_t *c = json_array();
	fx_conditions_set(c, &at_1, "ArtifactInStorage", "True", "Succeeded", "stored");
	fx_conditions_summarize(c, &at_1, &ready);
	ck_assert_str_eq(fx_conditions_status(c, "Ready"), "True");
	fx_conditions_set(c, &at_1, "ArtifactOutdated", "True", "NewRevision", "new revision");
	fx_conditions_set(c, &at_1, "FetchFailed", "True", "AuthenticationFailed", "no access");
	fx_conditions_summarize(c, &at_1, &ready);
	ck_assert_str_eq(fx_conditions_status(c, "Ready"), "False");
	ck_assert_str_eq(fx_conditions_reason(c, "Ready"), "AuthenticationFailed");
	ck_assert_str_eq(fx_conditions_message(c, "Ready"), "no access");
	json_decref(c);
}
END_TEST

/* Conditions in the order in which they are set, status for each; what Ready becomes. */
static const struct {
	const char *name;
	const char *set[4][2]; /* type, status */
	const char *status, *reason;
} summaries[] = {
        {"nothing in scope", {{"Other", "True"}}, NULL, ""},
        {"all well", {{"ArtifactInStorage", "True"}}, "True", "ArtifactInStorage"},
        {"bad beats good", {{"ArtifactInStorage", "True"}, {"ArtifactOutdated", "True"}}, "False",
                "ArtifactOutdated"},
        {"bad beats lacking", {{"ArtifactInStorage", "False"}, {"ArtifactOutdated", "True"}}, "False",
                "ArtifactOutdated"},
        {"lacking beats not bad", {{"FetchFailed", "False"}, {"ArtifactInStorage", "False"}}, "False",
                "ArtifactInStorage"},
        {"well beats not bad", {{"FetchFailed", "False"}, {"ArtifactInStorage", "True"}}, "True",
                "ArtifactInStorage"},
        {"not bad alone", {{"FetchFailed", "False"}}, "True", "FetchFailed"},
        {"not bad beats unknown", {{"ArtifactInStorage", "Unknown"}, {"FetchFailed", "False"}}, "True",
                "FetchFailed"},
        {"unknown alone", {{"ArtifactInStorage", "Unknown"}}, "Unknown", "ArtifactInStorage"},
        {"the first of the list", {{"ArtifactOutdated", "True"}, {"FetchFailed", "True"}}, "False",
                "FetchFailed"},
};

START_TEST(summary_priority)
{
	json_t *c = json_array();
	for (size_t i = 0; i < 4 && summaries[_i].set[i][0]; i++)
		fx_conditions_set(c, &at_1, summaries[_i].set[i][0], summaries[_i].set[i][1],
		        summaries[_i].set[i][0], "m");
	fx_conditions_summarize(c, &at_1, &ready);
	const char *status = fx_conditions_status(c, "Ready");
	ck_assert_msg(strcmp(status ? status : "", summaries[_i].status ? summaries[_i].status : "") == 0,
	        "%s: %s", summaries[_i].name, status);
	ck_assert_str_eq(fx_conditions_reason(c, "Ready"), summaries[_i].reason);
	json_decref(c);
}
END_TEST

START_TEST(condition_message_is_cut)
{
	json_t *c = json_array();
	fx_autofree char *big = malloc(40001);
	memset(big, 'x', 40000);
	big[40000] = '\0';
	fx_conditions_set(c, &at_1, "Ready", "False", "Failed", "%s", big);
	const char *message = fx_conditions_message(c, "Ready");
	ck_assert_uint_eq(strlen(message), FX_CONDITION_MESSAGE_MAX);
	ck_assert_str_eq(message + FX_CONDITION_MESSAGE_MAX - 4, "x...");
	json_decref(c);
}
END_TEST

static const struct {
	const char *before, *after, *patch;
} diffs[] = {
        {"{\"a\":1}", "{\"a\":1}", "{}"},
        {"{\"a\":1}", "{\"a\":2}", "{\"a\":2}"},
        {"{\"a\":{\"b\":1,\"c\":2}}", "{\"a\":{\"b\":1}}", "{\"a\":{\"c\":null}}"},
        {"{}", "{\"a\":{\"b\":[1,2]}}", "{\"a\":{\"b\":[1,2]}}"},
        {"{\"a\":[1]}", "{\"a\":[1,2]}", "{\"a\":[1,2]}"},
        {"{\"a\":1}", "{}", "{\"a\":null}"},
};

START_TEST(merge_patch_round_trip)
{
	json_t *before = json_loads(diffs[_i].before, 0, NULL), *after = json_loads(diffs[_i].after, 0, NULL);
	json_t *want = json_loads(diffs[_i].patch, 0, NULL);
	json_t *patch = fx_merge_patch_diff(before, after);
	ck_assert(json_equal(patch, want));
	json_t *result = fx_merge_patch_apply(before, patch);
	ck_assert(json_equal(result, after));
	json_decref(result);
	json_decref(patch);
	json_decref(want);
	json_decref(after);
	json_decref(before);
}
END_TEST

START_TEST(flags_of_every_type)
{
	const char *address = ":8080";
	bool election = false, help = false;
	int64_t workers = 4, interval = 0;
	struct fx_string_list managers = {0};
	const struct fx_flag table[] = {
	        {"metrics-addr", FX_FLAG_STRING, &address, ""},
	        {"enable-leader-election", FX_FLAG_BOOL, &election, ""},
	        {"concurrent", FX_FLAG_INT, &workers, ""},
	        {"requeue-dependency", FX_FLAG_DURATION, &interval, ""},
	        {"override-manager", FX_FLAG_STRINGS, &managers, ""},
	        {0},
	};
	const struct fx_flag *const tables[] = {table, NULL};
	char line[] =
	        "x --metrics-addr :9 --enable-leader-election --concurrent=7 --requeue-dependency=1m30s "
	        "--override-manager=a,b --override-manager c";
	char *argv[16], *rest = line;
	int argc = 0;
	while ((argv[argc] = strsep(&rest, " ")))
		argc++;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	ck_assert_ok(fx_flags_parse(argc, argv, tables, &help, &err), &err);
	ck_assert_str_eq(address, ":9");
	ck_assert(election);
	ck_assert_int_eq(workers, 7);
	ck_assert_int_eq(interval, 90000000000);
	ck_assert_uint_eq(managers.len, 3);
	ck_assert_str_eq(managers.items[2], "c");
	fx_vec_release(&managers);
}
END_TEST

static const struct {
	const char *arg, *message;
} bad_flags[] = {
        {"--nope", "unknown flag: --nope"},
        {"--concurrent=x", "invalid argument \"x\" for \"--concurrent\" flag"},
        {"--concurrent", "flag needs an argument: --concurrent"},
        {"stray", "unexpected argument: stray"},
};

START_TEST(bad_flag_is_named)
{
	int64_t workers = 4;
	bool help;
	const struct fx_flag table[] = {{"concurrent", FX_FLAG_INT, &workers, ""}, {0}};
	const struct fx_flag *const tables[] = {table, NULL};
	fx_autofree char *arg = strdup(bad_flags[_i].arg);
	char *argv[] = {arg, arg};
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	ck_assert_int_lt(fx_flags_parse(2, argv, tables, &help, &err), 0);
	ck_assert_str_eq(fx_error_message(&err), bad_flags[_i].message);
}
END_TEST

START_TEST(label_selectors)
{
	static const struct {
		const char *text;
		bool ok;
	} cases[] = {{"", true}, {" ", true}, {"a", true}, {"!a", true}, {"a=b", true}, {"a==b", true},
	        {"a = b , c!=d", true}, {"a=", true}, {"sharding.fluxcd.io/key=shard1", true},
	        {"!sharding.fluxcd.io/key", true}, {"a in (b,c),d", true}, {"a notin (b)", true},
	        {"a>1", true}, {"a in (", false}, {"a in b", false}, {"a b", false}, {"=b", false},
	        {"a=b,", false}, {"a,,b", false}, {"a==b==c", false}, {"-a", false}, {"a/b/c", false},
	        {"/a", false}, {"a=b c", false}, {"a in (b)c", false}, {"!", false}};
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		int rc = fx_label_selector_check(cases[i].text, &err);
		ck_assert_msg(
		        (rc == 0) == cases[i].ok, "'%s': %d %s", cases[i].text, rc, fx_error_message(&err));
	}
}
END_TEST

START_TEST(gates_are_set_and_unknown_ones_refused)
{
	struct fx_gate gates[] = {{"A", false, false}, {"B", true, false}, {0}};
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	ck_assert_ok(fx_gates_parse(gates, "A=true,B=false", &err), &err);
	ck_assert(fx_gate_enabled(gates, "A"));
	ck_assert(!fx_gate_enabled(gates, "B"));
	ck_assert_int_lt(fx_gates_parse(gates, "C=true", &err), 0);
	ck_assert_str_eq(fx_error_message(&err), "feature-gate 'C' not supported");
}
END_TEST

START_TEST(metrics_text)
{
	static const double buckets[] = {0.1, 1};
	fx_auto(metrics) struct fx_metrics *m = fx_metrics_new();
	struct fx_metric *h = fx_metrics_register(m, &(struct fx_metric_options){.type = FX_METRIC_HISTOGRAM,
	                                                     .name = "d_seconds",
	                                                     .help = "D.",
	                                                     .labels = "kind,name",
	                                                     .buckets = buckets,
	                                                     .bucket_count = 2});
	struct fx_metric *c = fx_metrics_register(
	        m, &(struct fx_metric_options){.type = FX_METRIC_COUNTER, .name = "c_total", .help = "C."});
	fx_metric_observe(h, 0.05, FX_LABELS("K", "a\"b"));
	fx_metric_observe(h, 5, FX_LABELS("K", "a\"b"));
	fx_metric_add(c, 2, NULL);
	fx_auto(buf) struct fx_buf out = FX_BUF_INIT;
	fx_metrics_write(m, &out);
	ck_assert_str_eq(fx_buf_str(&out), "# HELP c_total C.\n# TYPE c_total counter\nc_total 2\n"
	                                   "# HELP d_seconds D.\n# TYPE d_seconds histogram\n"
	                                   "d_seconds_bucket{kind=\"K\",name=\"a\\\"b\",le=\"0.1\"} 1\n"
	                                   "d_seconds_bucket{kind=\"K\",name=\"a\\\"b\",le=\"1\"} 1\n"
	                                   "d_seconds_bucket{kind=\"K\",name=\"a\\\"b\",le=\"+Inf\"} 2\n"
	                                   "d_seconds_sum{kind=\"K\",name=\"a\\\"b\"} 5.05\n"
	                                   "d_seconds_count{kind=\"K\",name=\"a\\\"b\"} 2\n");
	fx_metric_drop(h, FX_LABELS("K", "a\"b"));
	fx_buf_clear(&out);
	fx_metrics_write(m, &out);
	ck_assert_str_eq(fx_buf_str(&out), "# HELP c_total C.\n# TYPE c_total counter\nc_total 2\n");
}
END_TEST

START_TEST(jitter_stays_in_its_range)
{
	ck_assert_int_eq(fx_interval_jitter(1000, 5, 0), 950);
	ck_assert_int_eq(fx_interval_jitter(1000, 5, 0.5), 1000);
	ck_assert_int_eq(fx_interval_jitter(1000, 0, 0.9), 1000);
	for (int i = 0; i < 100; i++) {
		double r = fx_random_unit();
		ck_assert(r >= 0 && r < 1);
	}
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("runtime");
	TCase *t = tcase_create("runtime");
	tcase_add_test(t, unchanged_condition_keeps_its_time);
	tcase_add_test(t, conditions_are_sorted);
	tcase_add_test(t, stalled_and_reconciling_exclude_each_other);
	tcase_add_test(t, summary_takes_the_worst_first);
	tcase_add_loop_test(t, summary_priority, 0, FX_COUNT(summaries));
	tcase_add_test(t, condition_message_is_cut);
	tcase_add_loop_test(t, merge_patch_round_trip, 0, FX_COUNT(diffs));
	tcase_add_test(t, flags_of_every_type);
	tcase_add_loop_test(t, bad_flag_is_named, 0, FX_COUNT(bad_flags));
	tcase_add_test(t, label_selectors);
	tcase_add_test(t, gates_are_set_and_unknown_ones_refused);
	tcase_add_test(t, metrics_text);
	tcase_add_test(t, jitter_stays_in_its_range);
	suite_add_tcase(s, t);
	return s;
}

FX_UNIT_MAIN(make_suite)
