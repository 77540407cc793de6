#include "../unit.h"

#include "kube/event_filter.h"
#include "kube/secret.h"
#include "kube/ssa.h"

#include <stdio.h>
#include <string.h>

static json_t *json(const char *text)
{
	json_t *value = NULL;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	ck_assert_ok(fx_json_parse(text, strlen(text), &value, &err), &err);
	return value;
}

#define SECRET(data) "{\"metadata\":{\"namespace\":\"ns\",\"name\":\"s\"},\"data\":{" data "}}"

/* Texts of the runtime reference, section 18. */
static const struct {
	const char *name, *secret;
	int (*read)(const json_t *secret, struct fx_secret_auth *auth, struct fx_error *err);
	const char *message;
} secret_errors[] = {
        {"user alone", SECRET("\"username\":\"dQ==\""), fx_secret_basic_auth,
                "secret 'ns/s': malformed basic auth - has 'username' but missing 'password'"},
        {"password alone", SECRET("\"password\":\"dQ==\""), fx_secret_auth,
                "secret 'ns/s': malformed basic auth - has 'password' but missing 'username'"},
        {"no key", SECRET("\"tls.crt\":\"dQ==\""), fx_secret_tls,
                "secret 'ns/s' contains 'tls.crt' but missing 'tls.key'"},
        {"nothing", SECRET(""), fx_secret_tls,
                "secret 'ns/s' must contain either 'ca.crt' or both 'tls.crt' and 'tls.key'"},
        {"bad CA", SECRET("\"caFile\":\"dQ==\""), fx_secret_tls, "failed to parse CA certificate"},
};

START_TEST(test_secret_errors)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(secret_auth) struct fx_secret_auth auth = FX_SECRET_AUTH_INIT;
	fx_auto(json) json_t *secret = json(secret_errors[_i].secret);
	ck_assert_msg(secret_errors[_i].read(secret, &auth, &err) < 0, "%s", secret_errors[_i].name);
	ck_assert_str_eq(fx_error_message(&err), secret_errors[_i].message);
}
END_TEST

START_TEST(test_secret_values)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(json) json_t *secret = json(SECRET("\"address\":\"c29ja3M1Oi8vcDox\",\"username\":\"dQ==\","
	                                           "\"password\":\"cA==\",\"value\":\"a3Y=\""));
	fx_auto(secret_auth) struct fx_secret_auth auth = FX_SECRET_AUTH_INIT;
	fx_autofree char *address = NULL, *user = NULL, *password = NULL, *config = NULL, *value = NULL;
	size_t len = 0;
	ck_assert_ok(fx_secret_proxy(secret, &address, &user, &password, &err), &err);
	ck_assert_str_eq(address, "socks5://p:1");
	ck_assert_str_eq(user, "u");
	ck_assert_ok(fx_secret_auth(secret, &auth, &err), &err);
	ck_assert_str_eq(auth.password, "p");
	ck_assert_ptr_null(auth.bearer);
	ck_assert_ok(fx_secret_kubeconfig(secret, NULL, &config, &len, &err), &err);
	ck_assert_str_eq(config, "kv");
	ck_assert_int_eq(fx_secret_value(secret, "none", &value, NULL, &err), -FX_E_NOT_FOUND);
	ck_assert_str_eq(fx_error_message(&err), "secret 'ns/s': key 'none' not found");
	ck_assert_int_lt(fx_secret_kubeconfig(secret, "none", &value, NULL, &err), 0);
	ck_assert_str_eq(fx_error_message(&err),
	        "KubeConfig secret 'ns/s' does not contain a 'none' key with a kubeconfig");
}
END_TEST

/* Asks about n events that differ in their message when they should. */
static int verdicts(struct fx_event_filter *filter, int n, bool differ, int64_t now,
        enum fx_event_verdict verdict, bool combined)
{
	int count = 0;
	for (int i = 0; i < n; i++) {
		char message[32], name[32];
		struct fx_event_decision d;
		snprintf(message, sizeof(message), "message %d", differ ? i : 0);
		snprintf(name, sizeof(name), "event-%d", i);
		fx_event_filter_check(filter, "object", "Warning", "Broken", message, name, now, &d);
		count += d.verdict == verdict && d.combined == combined;
	}
	return count;
}

START_TEST(test_event_filter)
{
	fx_auto(event_filter) struct fx_event_filter *filter = fx_event_filter_new();
	struct fx_event_decision d;
	int64_t now = 1000000000000000000;
	/* Equal events: the first is created, the others counted, until the bucket is empty. */
	ck_assert_int_eq(verdicts(filter, 1, false, now, FX_EVENT_CREATE, false), 1);
	ck_assert_int_eq(verdicts(filter, 24, false, now, FX_EVENT_COUNT, false), 24);
	ck_assert_int_eq(verdicts(filter, 5, false, now, FX_EVENT_DROP, false), 5);
	/* One more every five minutes. */
	fx_event_filter_check(
	        filter, "object", "Warning", "Broken", "message 0", "x", now + 301 * 1000000000LL, &d);
	ck_assert_int_eq(d.verdict, FX_EVENT_COUNT);
	ck_assert_int_eq(d.count, 31);
	ck_assert_str_eq(d.name, "event-0");
	ck_assert_int_eq(d.first_ns, now);
	/* Another object is not affected. */
	fx_event_filter_check(filter, "other", "Warning", "Broken", "message 0", "x", now, &d);
	ck_assert_int_eq(d.verdict, FX_EVENT_CREATE);
}
END_TEST

START_TEST(test_event_filter_combines)
{
	fx_auto(event_filter) struct fx_event_filter *filter = fx_event_filter_new();
	int64_t now = 1000000000000000000;
	ck_assert_int_eq(verdicts(filter, 9, true, now, FX_EVENT_CREATE, false), 9);
	struct fx_event_decision d;
	for (int i = 0; i < 3; i++) {
		char message[32];
		snprintf(message, sizeof(message), "another %d", i);
		fx_event_filter_check(filter, "object", "Warning", "Broken", message, "combined", now, &d);
		ck_assert_msg(d.combined && d.count == i + 1, "%d: %d", i, d.count);
	}
	/* After a quiet interval it starts anew. */
	fx_event_filter_check(
	        filter, "object", "Warning", "Broken", "late", "late", now + 601 * 1000000000LL, &d);
	ck_assert(!d.combined);
}
END_TEST

#define OWN "{\"manager\":\"me\",\"operation\":\"Apply\",\"apiVersion\":\"v1\",\"fieldsV1\":{\"f:a\":{}}}"
#define KUBECTL                                                                                              \
	"{\"manager\":\"kubectl-edit\",\"operation\":\"Update\",\"apiVersion\":\"v1\",\"fieldsV1\":{\"f:"    \
	"a\":{\"f:x\":{}},\"f:b\":{}}}"
#define STATUS                                                                                               \
	"{\"manager\":\"kubectl-edit\",\"operation\":\"Update\",\"subresource\":\"status\",\"fieldsV1\":{"   \
	"\"f:s\":{}}}"
#define OTHER "{\"manager\":\"hpa\",\"operation\":\"Update\",\"fieldsV1\":{\"f:r\":{}}}"

static const struct {
	const char *name, *fields, *want; /* NULL: nothing to take */
} take_overs[] = {
        {"nothing", "[" OWN "," OTHER "]", NULL},
        {"into our own", "[" OWN "," KUBECTL "," STATUS "," OTHER "]",
                "[" STATUS "," OTHER ",{\"manager\":\"me\",\"operation\":\"Apply\",\"apiVersion\":\"v1\","
                "\"fieldsV1\":{\"f:a\":{\"f:x\":{}},\"f:b\":{}}}]"},
        {"renamed", "[" KUBECTL "," OTHER "]",
                "[" OTHER ",{\"manager\":\"me\",\"operation\":\"Apply\",\"apiVersion\":\"v1\",\"fieldsV1\":{"
                "\"f:a\":{\"f:x\":{}},\"f:b\":{}}}]"},
        {"a status alone is left", "[" STATUS "]", NULL},
};

START_TEST(test_take_over)
{
	static const struct fx_ssa_manager managers[] = {{"kubectl", "Update"}};
	const struct fx_ssa_options options = {
	        .field_manager = "me", .take_over = managers, .take_over_count = 1};
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(json) json_t *live = json_object();
	fx_auto(json) json_t *patch = NULL;
	ck_assert(fx_json_set_at(live, json(take_overs[_i].fields), "metadata", "managedFields"));
	ck_assert_ok(fx_ssa_cleanup_patch(live, &options, &patch, &err), &err);
	if (!take_overs[_i].want) {
		ck_assert_ptr_null(patch);
		return;
	}
	ck_assert_uint_eq(json_array_size(patch), 1);
	const json_t *operation = json_array_get(patch, 0);
	ck_assert_str_eq(fx_json_str_at(operation, "path"), "/metadata/managedFields");
	fx_autofree char *text = fx_json_text(json_object_get(operation, "value"), NULL);
	ck_assert_str_eq(text, take_overs[_i].want);
}
END_TEST

static const struct {
	const char *name, *live, *dry_run;
	bool drifted;
} drifts[] = {
        {"absent", NULL, "{\"metadata\":{\"resourceVersion\":\"1\"}}", true},
        {"to be created", "{}", "{\"metadata\":{}}", true},
        {"same", "{\"a\":1,\"metadata\":{\"resourceVersion\":\"1\"}}",
                "{\"a\":1,\"metadata\":{\"resourceVersion\":\"2\"}}", false},
        {"status", "{\"status\":1}", "{\"status\":2,\"metadata\":{\"resourceVersion\":\"1\"}}", false},
        {"finalizers", "{\"metadata\":{}}",
                "{\"metadata\":{\"resourceVersion\":\"1\",\"finalizers\":[\"f\"]}}", false},
        {"label", "{\"metadata\":{\"labels\":{\"a\":\"b\"}}}", "{\"metadata\":{\"resourceVersion\":\"1\"}}",
                true},
        {"empty labels", "{\"metadata\":{\"labels\":{}}}", "{\"metadata\":{\"resourceVersion\":\"1\"}}",
                false},
        {"annotation", "{}", "{\"metadata\":{\"resourceVersion\":\"1\",\"annotations\":{\"a\":\"b\"}}}",
                true},
        {"spec", "{\"spec\":{\"x\":1}}", "{\"spec\":{\"x\":2},\"metadata\":{\"resourceVersion\":\"1\"}}",
                true},
};

START_TEST(test_drift)
{
	fx_auto(json) json_t *live = drifts[_i].live ? json(drifts[_i].live) : NULL;
	fx_auto(json) json_t *dry_run = json(drifts[_i].dry_run);
	ck_assert_msg(fx_ssa_has_drifted(live, dry_run) == drifts[_i].drifted, "%s", drifts[_i].name);
}
END_TEST

static const struct {
	const char *message;
	int status;
	bool immutable;
} immutables[] = {
        {"field is immutable", 0, true},
        {"updates to immutable fields", 0, true},
        {"this is  immutable-ish", 0, false},
        {"immutable", 500, false},
        {"whatever", 422, true},
        {"whatever", 409, true},
        {"whatever", 403, false},
};

START_TEST(test_immutable)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_kube_status status = {.code = immutables[_i].status};
	fx_fail(&err, FX_E_INVALID, "%s", immutables[_i].message);
	ck_assert_msg(fx_ssa_is_immutable_error(&err, &status) == immutables[_i].immutable, "%s",
	        immutables[_i].message);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("kube/ssa");
	TCase *tc = tcase_create("ssa");
	tcase_add_loop_test(tc, test_secret_errors, 0, FX_COUNT(secret_errors));
	tcase_add_test(tc, test_secret_values);
	tcase_add_test(tc, test_event_filter);
	tcase_add_test(tc, test_event_filter_combines);
	tcase_add_loop_test(tc, test_take_over, 0, FX_COUNT(take_overs));
	tcase_add_loop_test(tc, test_drift, 0, FX_COUNT(drifts));
	tcase_add_loop_test(tc, test_immutable, 0, FX_COUNT(immutables));
	suite_add_tcase(suite, tc);
	return suite;
}

FX_UNIT_MAIN(make_suite)
