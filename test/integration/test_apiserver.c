/* The embedded API server as the controllers meet it: faults on demand, counts, watches, garbage collection.
 */
#include "test/harness/apiserver.h"
#include "test/harness/cluster.h"
#include "test/unit/unit.h"

#include "core/clock.h"

#include <curl/curl.h>
#include <string.h>

/* For what happens by itself: far above what it takes. */
#define WAIT_MS 20000

static struct fx_test_apiserver server;

#define CONFIGMAPS "/api/v1/namespaces/default/configmaps"
#define DEPLOYMENTS "/apis/apps/v1/namespaces/default/deployments"

static int ask(
        const char *method, const char *path, const char *body, struct fx_buf *out, struct fx_error *err)
{
	return fx_test_apiserver_request(&server, method, path, body, out, err);
}

/* The request works, and the answer has this text. */
static void expect(const char *method, const char *path, const char *body, const char *text)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(buf) struct fx_buf out = FX_BUF_INIT;
	ck_assert_ok(ask(method, path, body, &out, &err), &err);
	ck_assert_msg(
	        strstr(fx_buf_str(&out), text), "%s %s: no %s in: %s", method, path, text, fx_buf_str(&out));
}

static void expect_failure(const char *method, const char *path, const char *body, const char *text)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	ck_assert_msg(ask(method, path, body, NULL, &err) < 0, "%s %s worked", method, path);
	ck_assert_msg(strstr(fx_error_message(&err), text), "%s %s: no %s in: %s", method, path, text,
	        fx_error_message(&err));
}

/* A watch that is read to the first line with a text. */
struct reading {
	const char *until;
	struct fx_buf lines;
	bool found;
};

static size_t on_line(char *data, size_t size, size_t count, void *arg)
{
	struct reading *r = arg;
	fx_buf_add(&r->lines, data, size * count);
	r->found = r->until && strstr(fx_buf_str(&r->lines), r->until);
	return r->found ? 0 : size * count;
}

/* Gives curl's result: CURLE_WRITE_ERROR when the text came, what ended the watch otherwise. */
static CURLcode watch(const char *path, const char *until, struct reading *r)
{
	fx_auto(buf) struct fx_buf url = FX_BUF_INIT;
	*r = (struct reading){.until = until};
	CURL *curl = curl_easy_init();
	fx_buf_addf(&url, "%s%s", server.url, path);
	curl_easy_setopt(curl, CURLOPT_URL, fx_buf_str(&url));
	curl_easy_setopt(curl, CURLOPT_CAINFO, server.ca);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)WAIT_MS);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_line);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, r);
	CURLcode code = curl_easy_perform(curl);
	curl_easy_cleanup(curl);
	return code;
}

START_TEST(faults_come_as_often_as_asked)
{
	static const struct {
		const char *fault, *text;
	} cases[] = {
	        {"{\"type\":\"503\",\"path\":\"" CONFIGMAPS "\",\"verb\":\"list\"}", "503"},
	        {"{\"type\":\"429\",\"path\":\"" CONFIGMAPS "\",\"retryAfter\":1}",
	                "\"retryAfterSeconds\":1"},
	        {"{\"type\":\"410\",\"path\":\"" CONFIGMAPS "\"}", "Expired"},
	        {"{\"type\":\"409\"}", "Conflict"},
	        {"{\"type\":\"500\",\"user\":\"admin\"}", "InternalError"},
	        {"{\"type\":\"reset\"}", "GET"},
	        {"{\"type\":\"truncate\"}", "GET"},
	};
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		expect("POST", "/_faults", cases[i].fault, "count");
		expect_failure("GET", CONFIGMAPS, NULL, cases[i].text);
		expect("GET", CONFIGMAPS, NULL, "ConfigMapList");
	}
	expect("POST", "/_faults", "{\"type\":\"503\",\"verb\":\"watch\",\"count\":-1}", "watch");
	expect("GET", CONFIGMAPS, NULL, "ConfigMapList");
	expect("DELETE", "/_faults", NULL, "[]");
	int64_t start = fx_now_ms();
	expect("POST", "/_faults", "{\"type\":\"latency\",\"latencyMs\":50}", "50");
	expect("GET", CONFIGMAPS, NULL, "ConfigMapList");
	ck_assert_int_ge(fx_now_ms() - start, 50);
}
END_TEST

START_TEST(requests_are_counted_by_user)
{
	expect("DELETE", "/_requests", NULL, "[");
	expect("GET", CONFIGMAPS, NULL, "ConfigMapList");
	expect("GET", CONFIGMAPS, NULL, "ConfigMapList");
	expect("GET", "/_requests", NULL,
	        "[{\"user\":\"admin\",\"verb\":\"list\",\"resource\":\"configmaps\",\"count\":2}]");
}
END_TEST

START_TEST(some_users_may_not)
{
	expect_failure("GET", "/api/v1/namespaces/default/secrets/x", NULL,
	        "secrets \\\"x\\\" is forbidden: User \\\"admin\\\" cannot get resource \\\"secrets\\\" in "
	        "API group "
	        "\\\"\\\" in the namespace \\\"default\\\"");
}
END_TEST

START_TEST(watches_resume_expire_and_are_cut)
{
	struct reading r;
	expect("POST", CONFIGMAPS, "{\"metadata\":{\"name\":\"w1\",\"labels\":{\"w\":\"1\"}}}", "w1");
	ck_assert_int_eq(watch(CONFIGMAPS "?watch=1&resourceVersion=1&labelSelector=w", "\"ADDED\"", &r),
	        CURLE_WRITE_ERROR);
	ck_assert_ptr_nonnull(strstr(fx_buf_str(&r.lines), "\"w1\""));
	fx_buf_release(&r.lines);
	ck_assert_int_eq(watch(CONFIGMAPS "?watch=1&sendInitialEvents=true&allowWatchBookmarks=true&"
	                                  "resourceVersionMatch=NotOlderThan",
	                         "initial-events-end", &r),
	        CURLE_WRITE_ERROR);
	fx_buf_release(&r.lines);
	ck_assert_int_eq(
	        watch(CONFIGMAPS "?watch=1&timeoutSeconds=1&allowWatchBookmarks=true&labelSelector=none",
	                NULL, &r),
	        CURLE_OK);
	ck_assert_ptr_nonnull(strstr(fx_buf_str(&r.lines), "BOOKMARK"));
	fx_buf_release(&r.lines);
	expect("POST", "/_compact", "{}", "resourceVersion");
	ck_assert_int_eq(watch(CONFIGMAPS "?watch=1&resourceVersion=1", NULL, &r), CURLE_OK);
	ck_assert_ptr_nonnull(strstr(fx_buf_str(&r.lines), "\"Expired\""));
	fx_buf_release(&r.lines);
	expect("POST", "/_faults", "{\"type\":\"cut\",\"verb\":\"watch\",\"count\":1}", "cut");
	CURLcode code = watch(CONFIGMAPS "?watch=1", NULL, &r);
	ck_assert_msg(code != CURLE_OK && code != CURLE_OPERATION_TIMEDOUT, "%s", curl_easy_strerror(code));
	fx_buf_release(&r.lines);
}
END_TEST

/* Watches an object until it is gone. */
static void expect_gone(const char *collection, const char *name)
{
	fx_auto(buf) struct fx_buf path = FX_BUF_INIT;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct reading r;
	fx_buf_addf(&path, "%s/%s", collection, name);
	if (ask("GET", fx_buf_str(&path), NULL, NULL, &err) < 0)
		return;
	fx_buf_clear(&path);
	/* The history holds its end when it went meanwhile. */
	fx_buf_addf(
	        &path, "%s?watch=1&resourceVersion=1&fieldSelector=metadata.name%%3D%s", collection, name);
	ck_assert_int_eq(watch(fx_buf_str(&path), "\"DELETED\"", &r), CURLE_WRITE_ERROR);
	fx_buf_release(&r.lines);
}

static void create_owned(const char *name, const char *owner)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(buf) struct fx_buf out = FX_BUF_INIT;
	fx_auto(buf) struct fx_buf body = FX_BUF_INIT;
	char uid[40] = "";
	fx_buf_addf(&body, "{\"metadata\":{\"name\":\"%s\"}}", owner);
	ck_assert_ok(ask("POST", CONFIGMAPS, fx_buf_str(&body), &out, &err), &err);
	const char *at = strstr(fx_buf_str(&out), "\"uid\":\"");
	ck_assert_ptr_nonnull(at);
	snprintf(uid, sizeof(uid), "%.36s", at + 7);
	fx_buf_clear(&body);
	fx_buf_addf(&body,
	        "{\"metadata\":{\"name\":\"%s\",\"ownerReferences\":[{\"apiVersion\":\"v1\",\"kind\":"
	        "\"ConfigMap\",\"name\":"
	        "\"%s\",\"uid\":\"%s\",\"blockOwnerDeletion\":true}]}}",
	        name, owner, uid);
	ck_assert_ok(ask("POST", CONFIGMAPS, fx_buf_str(&body), NULL, &err), &err);
}

START_TEST(owned_objects_go_or_stay)
{
	create_owned("kid-1", "owner-1");
	expect("DELETE", CONFIGMAPS "/owner-1", NULL, "Success");
	expect_gone(CONFIGMAPS, "kid-1");
	create_owned("kid-2", "owner-2");
	expect("DELETE", CONFIGMAPS "/owner-2?propagationPolicy=Foreground", NULL, "foregroundDeletion");
	expect_gone(CONFIGMAPS, "owner-2");
	expect_failure("GET", CONFIGMAPS "/kid-2", NULL, "not found");
	create_owned("kid-3", "owner-3");
	expect("DELETE", CONFIGMAPS "/owner-3?propagationPolicy=Orphan", NULL, "orphan");
	expect_gone(CONFIGMAPS, "owner-3");
	expect("GET", CONFIGMAPS "/kid-3", NULL, "kid-3");
}
END_TEST

START_TEST(namespaces_take_their_objects_along)
{
	expect("POST", "/api/v1/namespaces", "{\"metadata\":{\"name\":\"n1\"}}", "Active");
	expect("POST", "/api/v1/namespaces/n1/configmaps",
	        "{\"metadata\":{\"name\":\"c\",\"finalizers\":[\"x.y/z\"]}}", "c");
	expect("DELETE", "/api/v1/namespaces/n1", NULL, "Terminating");
	expect_failure("POST", "/api/v1/namespaces/n1/configmaps", "{\"metadata\":{\"name\":\"d\"}}",
	        "because it is being terminated");
	expect("GET", "/api/v1/namespaces/n1", NULL, "Terminating");
	expect("PUT", "/api/v1/namespaces/n1/configmaps/c", "{\"metadata\":{\"name\":\"c\"}}", "c");
	expect_gone("/api/v1/namespaces", "n1");
}
END_TEST

#define DEPLOYMENT(name, annotations)                                                                        \
	"{\"metadata\":{\"name\":\"" name "\",\"annotations\":{" annotations                                 \
	"}},\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{\"metadata\":{\"labels\":{" \
	"\"a\":\"b\"}},"                                                                                     \
	"\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}}}"

START_TEST(deployments_become_ready_or_fail)
{
	struct reading r;
	expect("POST", DEPLOYMENTS, DEPLOYMENT("ok", "\"sim.flux/delay-ms\":\"100\""), "ok");
	ck_assert_int_eq(
	        watch(DEPLOYMENTS "?watch=1&fieldSelector=metadata.name%3Dok", "\"availableReplicas\":1", &r),
	        CURLE_WRITE_ERROR);
	ck_assert_ptr_nonnull(strstr(fx_buf_str(&r.lines), "MinimumReplicasUnavailable"));
	fx_buf_release(&r.lines);
	expect("POST", DEPLOYMENTS, DEPLOYMENT("bad", "\"sim.flux/fail\":\"no image\""), "bad");
	ck_assert_int_eq(watch(DEPLOYMENTS "?watch=1&fieldSelector=metadata.name%3Dbad",
	                         "ProgressDeadlineExceeded", &r),
	        CURLE_WRITE_ERROR);
	fx_buf_release(&r.lines);
}
END_TEST

START_TEST(lists_come_in_pages)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(buf) struct fx_buf out = FX_BUF_INIT;
	fx_auto(buf) struct fx_buf path = FX_BUF_INIT;
	for (char c = 'a'; c <= 'e'; c++) {
		fx_auto(buf) struct fx_buf body = FX_BUF_INIT;
		fx_buf_addf(&body, "{\"metadata\":{\"name\":\"page-%c\",\"labels\":{\"page\":\"1\"}}}", c);
		ck_assert_ok(ask("POST", CONFIGMAPS, fx_buf_str(&body), NULL, &err), &err);
	}
	fx_buf_add_str(&path, CONFIGMAPS "?limit=2&labelSelector=page");
	int pages = 0;
	for (bool more = true; more; pages++) {
		fx_buf_clear(&out);
		ck_assert_ok(ask("GET", fx_buf_str(&path), NULL, &out, &err), &err);
		const char *token = strstr(fx_buf_str(&out), "\"continue\":\"");
		more = token;
		fx_buf_clear(&path);
		if (token)
			fx_buf_addf(&path, CONFIGMAPS "?limit=2&labelSelector=page&continue=%.*s",
			        (int)strcspn(token + 12, "\""), token + 12);
	}
	ck_assert_int_eq(pages, 3);
	ck_assert_ptr_nonnull(strstr(fx_buf_str(&out), "page-e"));
	ck_assert_ptr_null(strstr(fx_buf_str(&out), "page-d"));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("apiserver");
	TCase *c = tcase_create("embedded");
	tcase_set_timeout(c, 120);
	tcase_add_test(c, faults_come_as_often_as_asked);
	tcase_add_test(c, requests_are_counted_by_user);
	tcase_add_test(c, some_users_may_not);
	tcase_add_test(c, watches_resume_expire_and_are_cut);
	tcase_add_test(c, owned_objects_go_or_stay);
	tcase_add_test(c, namespaces_take_their_objects_along);
	tcase_add_test(c, deployments_become_ready_or_fail);
	tcase_add_test(c, lists_come_in_pages);
	suite_add_tcase(s, c);
	return s;
}

int main(void)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const char *api = getenv("FX_TEST_API");
	if (api && strcmp(api, "real") == 0) {
		puts("this is about the embedded API server");
		return FX_TEST_EXIT_SKIPPED;
	}
	const char *const args[] = {"--deny", "*:get:secrets", NULL};
	if (fx_test_apiserver_start(&server, args, &err) < 0) {
		fprintf(stderr, "%s\n", fx_error_message(&err));
		return EXIT_FAILURE;
	}
	SRunner *runner = srunner_create(suite());
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	failed += !fx_test_apiserver_stop(&server);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
