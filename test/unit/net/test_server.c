#include "net_test.h"

#include "net/server.h"

#include <fcntl.h>
#include <sched.h>

#define BIG (300 * 1024)

static struct net net;
static struct fx_server *server;

/* The streams that handlers opened, in order. */
static struct {
	struct box box;
	struct fx_server_stream *items[64];
} streams = {.box = BOX_INIT};
static struct box entered = BOX_INIT, leave = BOX_INIT;

static void echo(struct fx_server_request *r)
{
	fx_auto(buf) struct fx_buf out = FX_BUF_INIT;
	size_t len;
	const char *body = fx_server_body(r, &len);
	const char *a = fx_server_query(r, "a"), *header = fx_server_header(r, "x-test");
	fx_buf_addf(&out, "%s %s ?%s a=%s h=%s body=", fx_server_method(r), fx_server_path(r),
	        fx_server_raw_query(r), a ? a : "-", header ? header : "-");
	fx_buf_add(&out, body, len);
	fx_server_add_header(r, "X-One", "1");
	fx_server_add_header(r, "X-Two", "2");
	fx_server_reply(r, 201, "text/plain", out.data, out.len);
}

static void file(struct fx_server_request *r)
{
	char name[] = "/tmp/flux-server-XXXXXX";
	int fd = mkstemp(name);
	unlink(name);
	ck_assert_int_eq(write(fd, "0123456789", 10), 10);
	fx_server_reply_fd(r, 206, "application/octet-stream", fd, 3, 4);
}

static void stream(struct fx_server_request *r)
{
	const char *limit = fx_server_query(r, "limit");
	struct fx_server_stream *s = fx_server_reply_stream(
	        r, 200, "application/json", limit ? strtoul(limit, NULL, 10) : 1 << 20);
	ck_assert_ptr_nonnull(s);
	pthread_mutex_lock(&streams.box.lock);
	streams.items[streams.box.count] = s;
	pthread_mutex_unlock(&streams.box.lock);
	box_add(&streams.box);
}

static void wait_inside(struct fx_server_request *r)
{
	box_add(&entered);
	box_wait(&leave, 1);
	fx_server_replyf(r, 200, "late");
}

static void big(struct fx_server_request *r)
{
	fx_autofree char *data = malloc(BIG);
	memset(data, 'b', BIG);
	fx_server_reply(r, 200, NULL, data, BIG);
}

static void nothing(fx_unused struct fx_server_request *r)
{
}

static void handle(fx_unused void *arg, struct fx_server_request *r)
{
	static const struct {
		const char *path;
		void (*fn)(struct fx_server_request *);
	} routes[] = {{"/file", file}, {"/stream", stream}, {"/wait", wait_inside}, {"/big", big},
	        {"/nothing", nothing}};
	for (size_t i = 0; i < FX_COUNT(routes); i++)
		if (strcmp(fx_server_path(r), routes[i].path) == 0) {
			routes[i].fn(r);
			return;
		}
	echo(r);
}

static void start(void)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct fx_server_options options = {
	        .listen = "127.0.0.1:0", .threads = 2, .max_body_bytes = 1000, .handle = handle};
	ck_assert_ok(fx_server_new(&options, &server, &err), &err);
	net_open(&net);
}

static void stop(void)
{
	net_close(&net);
	fx_server_free(server, 0);
}

static struct fx_http_response *fetch(struct fx_http_request *request, const char *path)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	char url[512];
	snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", fx_server_port(server), path);
	request->url = url;
	struct fx_http_response *response = NULL;
	ck_assert_ok(fx_http_do(net.client, request, NULL, &response, &err), &err);
	return response;
}

START_TEST(what_was_asked_reaches_the_handler)
{
	static const struct {
		const char *method, *path, *body, *want;
	} cases[] = {
	        {NULL, "/p", NULL, "GET /p ? a=- h=v body="},
	        {NULL, "/p?a=1&b=2", NULL, "GET /p ?a=1&b=2 a=1 h=v body="},
	        {NULL, "/p?b&a=x%20y+z%26&a=no", NULL, "GET /p ?b&a=x%20y+z%26&a=no a=x y z& h=v body="},
	        {NULL, "/p?a", NULL, "GET /p ?a a= h=v body="},
	        {NULL, "/%41+b%2Fc", NULL, "GET /A+b/c ? a=- h=v body="},
	        {"POST", "/p", "hello", "POST /p ? a=- h=v body=hello"},
	        {"PATCH", "/p", "{}", "PATCH /p ? a=- h=v body={}"},
	        {"DELETE", "/p", "gone", "DELETE /p ? a=- h=v body=gone"},
	        {"DELETE", "/p", NULL, "DELETE /p ? a=- h=v body="},
	        {"PUT", "/p", NULL, "PUT /p ? a=- h=v body="},
	};
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		struct fx_http_header header = {"X-Test", "v"};
		struct fx_http_request request = {.method = cases[i].method,
		        .headers = &header,
		        .header_count = 1,
		        .body = cases[i].body,
		        .body_len = cases[i].body ? strlen(cases[i].body) : 0};
		fx_auto(http_response) struct fx_http_response *r = fetch(&request, cases[i].path);
		ck_assert_int_eq(r->status, 201);
		ck_assert_str_eq(r->body, cases[i].want);
		ck_assert_str_eq(fx_http_response_header(r, "x-one"), "1");
		ck_assert_str_eq(fx_http_response_header(r, "x-two"), "2");
		ck_assert_str_eq(fx_http_response_header(r, "content-type"), "text/plain");
	}
}
END_TEST

START_TEST(raw_targets)
{
	static const struct {
		const char *target, *want;
	} cases[] = {
	        {"/a%00b", " 400 "},
	        {"/a%zz", " 400 "},
	        {"/a%4", " 400 "},
	        {"*", " 400 "},
	        {"http://other/abs?a=1", "GET /abs ?a=1 a=1"},
	        {"http://other", "GET / ?"},
	        {"/a/../b//c/.", "GET /a/../b//c/. ?"},
	};
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		char buf[4096];
		fx_auto(fd) int fd = raw_connect(fx_server_port(server));
		snprintf(buf, sizeof(buf), "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		        cases[i].target);
		raw_send(fd, buf, strlen(buf));
		raw_read_until(fd, NULL, buf, sizeof(buf));
		ck_assert_msg(strstr(buf, cases[i].want) != NULL, "%s: no '%s' in: %s", cases[i].target,
		        cases[i].want, buf);
	}
}
END_TEST

START_TEST(head_sends_no_body)
{
	struct fx_http_request request = {.method = "HEAD"};
	fx_auto(http_response) struct fx_http_response *r = fetch(&request, "/big");
	ck_assert_int_eq(r->status, 200);
	ck_assert_uint_eq(r->body_len, 0);
	ck_assert_str_eq(fx_http_response_header(r, "content-length"), "307200");
}
END_TEST

START_TEST(part_of_a_file)
{
	struct fx_http_request request = {0};
	fx_auto(http_response) struct fx_http_response *r = fetch(&request, "/file");
	ck_assert_int_eq(r->status, 206);
	ck_assert_str_eq(r->body, "3456");
}
END_TEST

START_TEST(large_answer_is_whole)
{
	struct fx_http_request request = {0};
	fx_auto(http_response) struct fx_http_response *r = fetch(&request, "/big");
	ck_assert_uint_eq(r->body_len, BIG);
	for (size_t i = 0; i < r->body_len; i++)
		ck_assert(r->body[i] == 'b');
}
END_TEST

START_TEST(handler_without_answer_is_500)
{
	struct fx_http_request request = {0};
	fx_auto(http_response) struct fx_http_response *r = fetch(&request, "/nothing");
	ck_assert_int_eq(r->status, 500);
}
END_TEST

START_TEST(body_at_and_above_the_limit)
{
	char body[1001];
	memset(body, 'x', sizeof(body));
	struct fx_http_request request = {.method = "POST", .body = body, .body_len = 1000};
	fx_auto(http_response) struct fx_http_response *fits = fetch(&request, "/p");
	ck_assert_int_eq(fits->status, 201);
	request.body_len = 1001;
	fx_auto(http_response) struct fx_http_response *above = fetch(&request, "/p");
	ck_assert_int_eq(above->status, 413);
}
END_TEST

START_TEST(chunked_body_above_the_limit)
{
	fx_auto(fd) int fd = raw_connect(fx_server_port(server));
	char buf[4096];
	const char *head =
	        "POST /p HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
	raw_send(fd, head, strlen(head));
	for (int i = 0; i < 20; i++) {
		raw_send(fd, "40\r\n", 4);
		memset(buf, 'x', 64);
		raw_send(fd, buf, 64);
		raw_send(fd, "\r\n", 2);
	}
	raw_send(fd, "0\r\n\r\n", 5);
	raw_read_until(fd, NULL, buf, sizeof(buf));
	ck_assert_msg(strstr(buf, " 413 ") != NULL, "%s", buf);
}
END_TEST

START_TEST(endless_body_is_cut_off)
{
	fx_auto(fd) int fd = raw_connect(fx_server_port(server));
	const char *head = "POST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
	raw_send(fd, head, strlen(head));
	fx_autofree char *chunk = malloc(65536 + 16);
	int n = snprintf(chunk, 16, "10000\r\n");
	memset(chunk + n, 'x', 65536);
	memcpy(chunk + n + 65536, "\r\n", 2);
	ssize_t sent = 1;
	for (int i = 0; i < 10000 && sent > 0; i++)
		sent = send(fd, chunk, (size_t)n + 65538, MSG_NOSIGNAL);
	ck_assert_int_le(sent, 0);
}
END_TEST

static int open_stream_raw(const char *path, int nth, struct fx_server_stream **out)
{
	char buf[1024];
	int fd = raw_connect(fx_server_port(server));
	snprintf(buf, sizeof(buf), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
	raw_send(fd, buf, strlen(buf));
	raw_read_until(fd, "\r\n\r\n", buf, sizeof(buf));
	ck_assert_msg(strstr(buf, " 200 ") != NULL, "%s", buf);
	box_wait(&streams.box, nth);
	*out = streams.items[nth - 1];
	return fd;
}

START_TEST(stream_delivers_each_push_and_ends)
{
	struct fx_server_stream *s;
	char buf[1024];
	fx_auto(fd) int fd = open_stream_raw("/stream", 1, &s);
	for (int i = 0; i < 20; i++) {
		char text[32];
		snprintf(text, sizeof(text), "event-%d\n", i);
		ck_assert(fx_server_stream_push(s, text, strlen(text)));
		raw_read_until(fd, text, buf, sizeof(buf)); /* arrives without the next one */
		ck_assert_msg(strstr(buf, text) != NULL, "%s", buf);
	}
	fx_server_stream_close(s);
	raw_read_until(fd, "0\r\n\r\n", buf, sizeof(buf));
	ck_assert_msg(strstr(buf, "0\r\n\r\n") != NULL, "%s", buf);
}
END_TEST

START_TEST(cut_stream_has_no_end)
{
	struct fx_server_stream *s;
	char buf[1024];
	fx_auto(fd) int fd = open_stream_raw("/stream", 1, &s);
	ck_assert(fx_server_stream_push(s, "abc", 3));
	raw_read_until(fd, "abc", buf, sizeof(buf));
	fx_server_stream_cut(s);
	raw_read_until(fd, NULL, buf, sizeof(buf)); /* ends: the peer closes */
	ck_assert_ptr_null(strstr(buf, "0\r\n\r\n"));
}
END_TEST

START_TEST(client_that_leaves_an_idle_stream_is_noticed)
{
	struct fx_server_stream *s;
	int fd = open_stream_raw("/stream", 1, &s);
	ck_assert(!fx_server_stream_is_gone(s));
	close(fd);
	while (!fx_server_stream_is_gone(s))
		sched_yield();
	ck_assert(!fx_server_stream_push(s, "x", 1));
	fx_server_stream_close(s);
}
END_TEST

START_TEST(stream_above_its_limit_is_dead)
{
	struct fx_server_stream *s;
	fx_auto(fd) int fd = open_stream_raw("/stream?limit=100", 1, &s);
	char data[101] = {0};
	ck_assert(!fx_server_stream_push(s, data, sizeof(data)));
	fx_server_stream_close(s);
	char buf[256];
	raw_read_until(fd, NULL, buf, sizeof(buf));
}
END_TEST

static void *push_many(void *arg)
{
	for (int i = 0; i < 2000; i++)
		if (!fx_server_stream_push(arg, "0123456789\n", 11))
			return arg;
	return NULL;
}

START_TEST(pushes_from_many_threads_all_arrive)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	char url[64];
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/stream", fx_server_port(server));
	struct fx_http_request request = {.url = url};
	fx_auto(http_stream) struct fx_http_stream *in = NULL;
	ck_assert_ok(fx_http_open(net.client, &request, NULL, &in, &err), &err);
	ck_assert_str_eq(
	        fx_http_response_header(fx_http_stream_head(in), "content-type"), "application/json");
	box_wait(&streams.box, 1);
	pthread_t threads[4];
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, push_many, streams.items[0]);
	size_t total = 0;
	while (total < 4 * 2000 * 11) {
		char buf[1000];
		size_t len;
		ck_assert_ok(fx_http_stream_read(in, buf, sizeof(buf), &len, &err), &err);
		ck_assert_uint_gt(len, 0);
		for (size_t i = 0; i < len; i++)
			ck_assert(buf[i] == "0123456789\n"[(total + i) % 11]);
		total += len;
	}
	for (int i = 0; i < 4; i++) {
		void *failed;
		pthread_join(threads[i], &failed);
		ck_assert_ptr_null(failed);
	}
	fx_server_stream_close(streams.items[0]);
	char last;
	size_t len = 1;
	ck_assert_ok(fx_http_stream_read(in, &last, 1, &len, &err), &err);
	ck_assert_uint_eq(len, 0);
}
END_TEST

START_TEST(free_ends_open_streams)
{
	struct fx_server_stream *a, *b;
	fx_auto(fd) int fd_a = open_stream_raw("/stream", 1, &a);
	fx_auto(fd) int fd_b = open_stream_raw("/stream", 2, &b);
	fx_server_free(fx_take(server), 10000); /* streams are not waited for */
	char buf[256];
	raw_read_until(fd_a, NULL, buf, sizeof(buf));
	raw_read_until(fd_b, NULL, buf, sizeof(buf));
	ck_assert(!fx_server_stream_push(a, "x", 1));
	fx_server_stream_close(a);
	fx_server_stream_cut(b);
}
END_TEST

static void *release_handler(fx_unused void *arg)
{
	box_wait(&entered, 1);
	box_add(&leave);
	return NULL;
}

static void *get_wait(void *arg)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct fx_http_request request = {.url = arg};
	struct fx_http_response *response = NULL;
	ck_assert_ok(fx_http_do(net.client, &request, NULL, &response, &err), &err);
	return response;
}

START_TEST(free_waits_for_running_answers)
{
	char url[64];
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/wait", fx_server_port(server));
	pthread_t asker, releaser;
	pthread_create(&asker, NULL, get_wait, url);
	box_wait(&entered, 1);
	pthread_create(&releaser, NULL, release_handler, NULL);
	fx_server_free(fx_take(server), 20000);
	void *response;
	pthread_join(asker, &response);
	pthread_join(releaser, NULL);
	ck_assert_str_eq(((struct fx_http_response *)response)->body, "late");
	fx_http_response_free(response);
}
END_TEST

START_TEST(addresses_to_listen_on)
{
	static const struct {
		const char *listen;
		enum fx_error_code code;
	} cases[] = {
	        {"127.0.0.1:0", FX_OK}, {":0", FX_OK}, {"[::1]:0", FX_OK}, {"localhost:0", FX_OK},
	        {"nonsense", FX_E_INVALID}, {"127.0.0.1:", FX_E_INVALID}, {"127.0.0.1:http", FX_E_INVALID},
	        {"192.0.2.1:0", FX_E_IO}, /* not ours */
	};
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		struct fx_server *s = NULL;
		struct fx_server_options options = {.listen = cases[i].listen, .handle = handle};
		int rc = fx_server_new(&options, &s, &err);
		if (rc == 0)
			ck_assert_int_gt(fx_server_port(s), 0);
		fx_server_free(s, 0);
		ck_assert_msg(err.code == cases[i].code, "%s: %s: %s", cases[i].listen,
		        fx_error_code_name(err.code), fx_error_message(&err));
	}
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("net/server");
	TCase *tcase = tcase_create("server");
	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, start, stop);
	tcase_add_test(tcase, what_was_asked_reaches_the_handler);
	tcase_add_test(tcase, raw_targets);
	tcase_add_test(tcase, head_sends_no_body);
	tcase_add_test(tcase, part_of_a_file);
	tcase_add_test(tcase, large_answer_is_whole);
	tcase_add_test(tcase, handler_without_answer_is_500);
	tcase_add_test(tcase, body_at_and_above_the_limit);
	tcase_add_test(tcase, chunked_body_above_the_limit);
	tcase_add_test(tcase, endless_body_is_cut_off);
	tcase_add_test(tcase, stream_delivers_each_push_and_ends);
	tcase_add_test(tcase, cut_stream_has_no_end);
	tcase_add_test(tcase, client_that_leaves_an_idle_stream_is_noticed);
	tcase_add_test(tcase, stream_above_its_limit_is_dead);
	tcase_add_test(tcase, pushes_from_many_threads_all_arrive);
	tcase_add_test(tcase, free_ends_open_streams);
	tcase_add_test(tcase, free_waits_for_running_answers);
	tcase_add_test(tcase, addresses_to_listen_on);
	suite_add_tcase(suite, tcase);
	return suite;
}

FX_UNIT_MAIN(make_suite)
