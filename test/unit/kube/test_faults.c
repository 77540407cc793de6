/* What a real API server does only when it is in trouble, and the receiver of events: a server whose answers
 * the test decides. */
#include "../unit.h"

#include "core/clock.h"
#include "kube/discovery.h"
#include "kube/events.h"
#include "kube/object.h"
#include "kube/reflector.h"
#include "net/loop.h"
#include "net/server.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define WAIT_S 30

static struct fx_server *server;
static struct fx_loop *loop;
static struct fx_http_client *http;
static struct fx_kube *kube;
static struct fx_cancel *cancel;

/* Requests in order, "METHOD path?query body"; the answer depends on how many came before. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t asked = PTHREAD_COND_INITIALIZER;
static struct fx_buf log_text = FX_BUF_INIT;
static int log_count;
static void (*answer)(struct fx_server_request *request, int number);
/* Under the lock: a client's last request may arrive while the test is taken down. */
static pthread_mutex_t watch_lock = PTHREAD_MUTEX_INITIALIZER;
static struct fx_server_stream *open_watch;
static bool ending;

static void handle(void *arg, struct fx_server_request *request)
{
	size_t len = 0;
	const char *body = fx_server_body(request, &len);
	(void)arg;
	pthread_mutex_lock(&lock);
	int number = log_count++;
	fx_buf_addf(&log_text, "%s %s?%s %.*s\n", fx_server_method(request), fx_server_path(request),
	        fx_server_raw_query(request), (int)len, body ? body : "");
	pthread_cond_broadcast(&asked);
	pthread_mutex_unlock(&lock);
	answer(request, number);
}

/* Waits until count requests or notes have come. */
static void wait_for(int count)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WAIT_S;
	int rc = 0;
	pthread_mutex_lock(&lock);
	while (log_count < count && rc == 0)
		rc = pthread_cond_timedwait(&asked, &lock, &until);
	fx_autofree char *all = strdup(fx_buf_str(&log_text));
	pthread_mutex_unlock(&lock);
	ck_assert_msg(rc == 0, "only: %s", all);
}

static void note(const char *fmt, ...) fx_printf(1, 2);
static void note(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	pthread_mutex_lock(&lock);
	fx_buf_addv(&log_text, fmt, ap);
	log_count++;
	pthread_cond_broadcast(&asked);
	pthread_mutex_unlock(&lock);
	va_end(ap);
}

static void reply(struct fx_server_request *request, int status, const char *json)
{
	fx_server_reply(request, status, "application/json", json, strlen(json));
}

static void setup(void)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	char url[64];
	const struct fx_server_options options = {.listen = "127.0.0.1:0", .threads = 2, .handle = handle};
	ck_assert_ok(fx_server_new(&options, &server, &err), &err);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d", fx_server_port(server));
	ck_assert_ok(fx_loop_new(&loop, &err), &err);
	ck_assert_ok(fx_http_client_new(loop, "test", &http, &err), &err);
	const struct fx_kube_config config = {.server = url, .token = (char *)"t", .proxy_url = (char *)""};
	const struct fx_kube_options client = {.http = http};
	ck_assert_ok(fx_kube_new(&config, &client, &kube, &err), &err);
	cancel = fx_cancel_new(NULL, fx_now_ms() + WAIT_S * 1000);
}

static void teardown(void)
{
	fx_cancel_unref(cancel);
	fx_kube_unref(kube);
	fx_http_client_free(http);
	pthread_mutex_lock(&watch_lock);
	ending = true;
	if (open_watch)
		fx_server_stream_close(open_watch);
	pthread_mutex_unlock(&watch_lock);
	fx_server_free(server, 0);
	fx_loop_free(loop);
	fx_buf_release(&log_text);
}

static const struct fx_kube_path place = {"", "v1", "configmaps", "ns", "a", ""};

static void answer_busy_once(struct fx_server_request *request, int number)
{
	if (number == 0) {
		fx_server_add_header(request, "Retry-After", "1");
		reply(request, 429,
		        "{\"kind\":\"Status\",\"reason\":\"TooManyRequests\",\"message\":\"slow down\"}");
		return;
	}
	reply(request, 200, "{\"metadata\":{\"name\":\"a\"}}");
}

START_TEST(test_retry_after)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(json) json_t *object = NULL;
	answer = answer_busy_once;
	int64_t start = fx_now_ms();
	ck_assert_ok(fx_kube_get(kube, &place, cancel, &object, &err), &err);
	ck_assert_int_ge(fx_now_ms() - start, 1000);
	ck_assert_int_eq(log_count, 2);
	ck_assert_str_eq(fx_object_name(object), "a");
}
END_TEST

static void answer_busy(struct fx_server_request *request, int number)
{
	(void)number;
	reply(request, 429, "{\"kind\":\"Status\",\"reason\":\"TooManyRequests\",\"message\":\"slow down\"}");
}

START_TEST(test_no_retry_without_retry_after)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(json) json_t *object = NULL;
	answer = answer_busy;
	ck_assert_int_eq(fx_kube_get(kube, &place, cancel, &object, &err), -FX_E_TOO_MANY);
	ck_assert_str_eq(fx_error_message(&err), "slow down");
	ck_assert_int_eq(log_count, 1);
}
END_TEST

static void answer_long_wait(struct fx_server_request *request, int number)
{
	(void)number;
	fx_server_add_header(request, "Retry-After", "3600");
	reply(request, 503, "");
}

START_TEST(test_no_endless_wait)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(json) json_t *object = NULL;
	answer = answer_long_wait;
	ck_assert_int_eq(fx_kube_get(kube, &place, cancel, &object, &err), -FX_E_UNAVAILABLE);
	ck_assert_int_eq(err.retry_after_ms, 3600 * 1000);
	ck_assert_int_eq(log_count, 1);
}
END_TEST

static void answer_expired_page(struct fx_server_request *request, int number)
{
	static const char *const pages[] = {
	        "{\"metadata\":{\"continue\":\"t1\"},\"items\":[{\"metadata\":{\"name\":\"a\"}}]}",
	        "{\"reason\":\"Expired\",\"metadata\":{\"continue\":\"t2\"}}",
	        "{\"metadata\":{\"resourceVersion\":\"9\"},\"items\":[{\"metadata\":{\"name\":\"b\"}}]}",
	};
	reply(request, number == 1 ? 410 : 200, pages[number]);
}

static int collect_name(void *arg, json_t *item, struct fx_error *err)
{
	(void)err;
	fx_buf_addf(arg, "%s ", fx_object_name(item));
	return 0;
}

START_TEST(test_list_goes_on_after_expiry)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(buf) struct fx_buf names = FX_BUF_INIT;
	const struct fx_kube_path all = {"", "v1", "configmaps", "", "", ""};
	answer = answer_expired_page;
	ck_assert_ok(fx_kube_list(kube, &all, NULL, cancel, collect_name, &names, &err), &err);
	ck_assert_str_eq(fx_buf_str(&names), "a b ");
	ck_assert_ptr_nonnull(strstr(fx_buf_str(&log_text), "continue=t2"));
}
END_TEST

static void answer_legacy(struct fx_server_request *request, int number)
{
	static const struct {
		const char *path, *body;
	} pages[] = {
	        {"/api", "{\"kind\":\"APIVersions\",\"versions\":[\"v1\"]}"},
	        {"/apis", "{\"kind\":\"APIGroupList\",\"groups\":[{\"name\":\"g\",\"versions\":[{\"version\":"
	                  "\"v1beta1\"},"
	                  "{\"version\":\"v1\"}],\"preferredVersion\":{\"version\":\"v1\"}},{\"name\":"
	                  "\"down\",\"versions\":[{"
	                  "\"version\":\"v1\"}]}]}"},
	        {"/api/v1", "{\"resources\":[{\"name\":\"pods\",\"kind\":\"Pod\",\"namespaced\":true,"
	                    "\"verbs\":[\"list\","
	                    "\"watch\"]},{\"name\":\"pods/log\",\"kind\":\"Pod\",\"namespaced\":true}]}"},
	        {"/apis/g/v1",
	                "{\"resources\":[{\"name\":\"things\",\"kind\":\"Thing\",\"namespaced\":false}]}"},
	        {"/apis/g/v1beta1",
	                "{\"resources\":[{\"name\":\"oldthings\",\"kind\":\"Thing\",\"namespaced\":false}]}"},
	};
	(void)number;
	for (size_t i = 0; i < FX_COUNT(pages); i++) {
		if (strcmp(fx_server_path(request), pages[i].path) == 0) {
			reply(request, 200, pages[i].body);
			return;
		}
	}
	reply(request, 503, "{}");
}

START_TEST(test_legacy_discovery)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(discovery) struct fx_discovery *discovery = NULL;
	struct fx_resource resource;
	answer = answer_legacy;
	ck_assert_ok(fx_discovery_new(kube, &discovery, &err), &err);
	ck_assert_ok(fx_discovery_kind(discovery, "", "v1", "Pod", cancel, &resource, &err), &err);
	ck_assert_str_eq(resource.resource, "pods");
	ck_assert(resource.namespaced && resource.listable);
	ck_assert_ok(fx_discovery_kind(discovery, "g", NULL, "Thing", cancel, &resource, &err), &err);
	ck_assert_str_eq(resource.version, "v1");
	ck_assert_ok(fx_discovery_kind(discovery, "g", "v1beta1", "Thing", cancel, &resource, &err), &err);
	ck_assert_str_eq(resource.resource, "oldthings");
	/* A missing kind does not hammer the server. */
	int before = log_count;
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(fx_discovery_kind(discovery, "g", "v1", "None", cancel, &resource, &err),
		        -FX_E_NOT_FOUND);
	ck_assert_int_eq(log_count, before);
}
END_TEST

/* List, a watch that expires, a list without the first object, a watch that stays. */
static void answer_gone_watch(struct fx_server_request *request, int number)
{
	(void)number;
	static int lists, watches;
	bool is_watch = fx_server_query(request, "watch") != NULL;
	if (is_watch && watches++ == 0) {
		reply(request, 200,
		        "{\"type\":\"MODIFIED\",\"object\":{\"metadata\":{\"name\":\"b\",\"resourceVersion\":"
		        "\"6\"},\"v\":\"2\"}}\n"
		        "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"8\"}}}\n"
		        "{\"type\":\"ERROR\",\"object\":{\"code\":410,\"reason\":\"Expired\",\"message\":"
		        "\"too old\"}}\n");
	} else if (is_watch) {
		/* Nothing for ever: the client hangs up. */
		pthread_mutex_lock(&watch_lock);
		if (ending || open_watch)
			reply(request, 503, "{}");
		else
			open_watch = fx_server_reply_stream(request, 200, "application/json", 4096);
		pthread_mutex_unlock(&watch_lock);
	} else if (lists++ == 0) {
		reply(request, 200,
		        "{\"items\":[{\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"1\"},\"v\":\"1\"},{"
		        "\"metadata\":{\"name\":"
		        "\"b\",\"resourceVersion\":\"2\"},\"v\":\"1\"}],\"metadata\":{\"resourceVersion\":"
		        "\"5\"}}");
	} else {
		reply(request, 200,
		        "{\"metadata\":{\"resourceVersion\":\"9\"},\"items\":[{\"metadata\":{\"name\":\"b\","
		        "\"resourceVersion\":"
		        "\"6\"},\"v\":\"2\"}]}");
	}
}

static void *pack(void *arg, const json_t *object)
{
	const char *value = fx_json_str_at(object, "v");
	(void)arg;
	return strdup(value ? value : "");
}

static void on_change(void *arg, const struct fx_reflector_event *event)
{
	(void)arg;
	note("change %d %s %s %s\n", event->change, event->name,
	        event->old_record ? (const char *)event->old_record : "-",
	        event->new_record ? (const char *)event->new_record : "-");
}

START_TEST(test_reflector_gone)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct fx_reflector *reflector = NULL;
	const struct fx_reflector_options options = {
	        .loop = loop,
	        .kube = kube,
	        .path = {"", "v1", "things", "", "", ""},
	        .pack = pack,
	        .on_change = on_change,
	};
	answer = answer_gone_watch;
	ck_assert_ok(fx_reflector_new(&options, &reflector, &err), &err);
	fx_reflector_start(reflector);
	wait_for(8); /* 4 requests, 4 changes */
	fx_reflector_free(reflector);
	/* Lines in order but for the variable watch times. */
	static const char *const parts[] = {
	        "GET /api/v1/things?resourceVersion=0 ",
	        "change 0 a - 1\nchange 0 b - 1\n",
	        "GET /api/v1/things?watch=true&allowWatchBookmarks=true&resourceVersion=5&timeoutSeconds=",
	        "change 1 b 1 2\n",
	        "GET /api/v1/things?limit=500 ",
	        "change 2 a 1 -\n",
	        "GET /api/v1/things?watch=true&allowWatchBookmarks=true&resourceVersion=9&",
	};
	const char *at = fx_buf_str(&log_text);
	for (size_t i = 0; i < FX_COUNT(parts); i++) {
		at = strstr(at, parts[i]);
		ck_assert_msg(at != NULL, "no \"%s\" in: %s", parts[i], fx_buf_str(&log_text));
	}
}
END_TEST

static void on_failure(
        void *arg, const char *namespace_, const char *name, const char *kind, const struct fx_error *err)
{
	(void)arg;
	note("failed %s/%s/%s %s\n", kind, namespace_, name, fx_error_code_name(err->code));
}

/* The first try of each forwarded event fails, the API takes all. */
static void answer_receiver(struct fx_server_request *request, int number)
{
	(void)number;
	static int tries;
	if (strcmp(fx_server_path(request), "/receiver") != 0)
		reply(request, 201, "{}");
	else
		reply(request, tries++ == 0 ? 502 : 202, "");
}

static struct fx_events *recorder(const char *path)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct fx_events *events = NULL;
	char url[64];
	snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", fx_server_port(server), path);
	const struct fx_events_options options = {
	        .loop = loop,
	        .kube = kube,
	        .http = http,
	        .component = "kustomize-controller",
	        .instance = "pod-1",
	        .events_addr = url,
	        .on_failure = on_failure,
	};
	ck_assert_ok(fx_events_new(&options, &events, &err), &err);
	return events;
}

static json_t *make_object(void)
{
	return json_pack("{s:s, s:s, s:{s:s, s:s, s:s, s:{s:s, s:s}}}", "apiVersion", "g/v1", "kind", "K",
	        "metadata", "name", "n", "namespace", "ns", "uid", "u", "annotations",
	        "event.toolkit.fluxcd.io/x", "own", "other", "no");
}

START_TEST(test_forwarding)
{
	fx_auto(json) json_t *object = make_object();
	fx_auto(json) json_t *metadata =
	        json_pack("{s:s, s:s}", "g/revision", "r", "event.toolkit.fluxcd.io/x", "caller");
	answer = answer_receiver;
	struct fx_events *events = recorder("/receiver");
	fx_events_emit(events, object, metadata, FX_EVENT_WARNING, "Failed", "it broke");
	fx_events_emit(events, object, NULL, FX_EVENT_TRACE, "Quiet", "not forwarded");
	fx_events_free(events, WAIT_S * 1000);
	const char *text = fx_buf_str(&log_text);
	const char *first = strstr(text, "POST /receiver");
	ck_assert_ptr_nonnull(first);
	ck_assert_ptr_nonnull(strstr(first + 1, "POST /receiver"));
	ck_assert_ptr_nonnull(strstr(text, "{\"involvedObject\":{\"kind\":\"K\",\"namespace\":\"ns\","
	                                   "\"name\":\"n\",\"uid\":\"u\",\"apiVersion\":\"g/v1\"},"
	                                   "\"severity\":\"error\",\"timestamp\":\""));
	ck_assert_ptr_nonnull(strstr(text,
	        "\"message\":\"it broke\",\"reason\":\"Failed\",\"metadata\":{\"g/revision\":\"r\","
	        "\"event.toolkit.fluxcd.io/x\":\"own\"},\"reportingController\":"
	        "\"kustomize-controller\",\"reportingInstance\":\"pod-1\"}"));
	ck_assert_ptr_null(strstr(text, "failed"));
	int forwarded = 0;
	for (const char *at = text; (at = strstr(at, "POST /receiver")); at++)
		forwarded++;
	ck_assert_int_eq(forwarded, 2);
}
END_TEST

static void answer_duplicate(struct fx_server_request *request, int number)
{
	(void)number;
	reply(request, strcmp(fx_server_path(request), "/receiver") == 0 ? 429 : 201, "{}");
}

/* 429 says that the receiver has it already. */
START_TEST(test_forwarding_duplicate)
{
	fx_auto(json) json_t *object = make_object();
	answer = answer_duplicate;
	struct fx_events *events = recorder("/receiver");
	fx_events_emit(events, object, NULL, FX_EVENT_NORMAL, "Done", "well");
	fx_events_free(events, WAIT_S * 1000);
	ck_assert_ptr_null(strstr(fx_buf_str(&log_text), "failed"));
	ck_assert_int_eq(log_count, 2);
}
END_TEST

static void answer_forbidden(struct fx_server_request *request, int number)
{
	(void)number;
	reply(request, 403, "{\"reason\":\"Forbidden\",\"message\":\"no\"}");
}

/* Without the right to write Events a controller goes on: reported, not repeated. */
START_TEST(test_events_forbidden)
{
	fx_auto(json) json_t *object = make_object();
	answer = answer_forbidden;
	struct fx_events *events = recorder("/receiver");
	fx_events_emit(events, object, NULL, FX_EVENT_TRACE, "Done", "well");
	fx_events_free(events, WAIT_S * 1000);
	ck_assert_ptr_nonnull(strstr(fx_buf_str(&log_text), "failed K/ns/n FORBIDDEN\n"));
	ck_assert_int_eq(log_count, 2);
}
END_TEST

START_TEST(test_events_address)
{
	static const char *const bad[] = {"notification-controller", "ftp://x", "http://", "http:// x"};
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct fx_events *events = NULL;
	for (size_t i = 0; i < FX_COUNT(bad); i++) {
		const struct fx_events_options options = {
		        .loop = loop, .kube = kube, .http = http, .component = "c", .events_addr = bad[i]};
		ck_assert_msg(fx_events_new(&options, &events, &err) == -FX_E_INVALID, "%s", bad[i]);
	}
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("kube/faults");
	TCase *tc = tcase_create("faults");
	tcase_set_timeout(tc, 2.0 * WAIT_S);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_retry_after);
	tcase_add_test(tc, test_no_retry_without_retry_after);
	tcase_add_test(tc, test_no_endless_wait);
	tcase_add_test(tc, test_list_goes_on_after_expiry);
	tcase_add_test(tc, test_legacy_discovery);
	tcase_add_test(tc, test_reflector_gone);
	tcase_add_test(tc, test_forwarding);
	tcase_add_test(tc, test_forwarding_duplicate);
	tcase_add_test(tc, test_events_forbidden);
	tcase_add_test(tc, test_events_address);
	suite_add_tcase(suite, tc);
	return suite;
}

FX_UNIT_MAIN(make_suite)
