/* Peers that hang, lie and break off, and what callers do meanwhile. */
#include "net_test.h"

#include <stdatomic.h>

/* A peer that serves one connection after the other as its function says. */
struct peer {
	int listener, port;
	pthread_t thread;
	void (*serve)(int fd);
	struct box asked; /* heads of requests that were read */
};

static struct net net;
static struct peer peer = {.asked = BOX_INIT};

static void *run_peer(fx_unused void *arg)
{
	int fd;
	while ((fd = accept(peer.listener, NULL, NULL)) >= 0) {
		char buf[4096];
		raw_read_until(fd, "\r\n\r\n", buf, sizeof(buf));
		box_add(&peer.asked);
		peer.serve(fd);
		close(fd);
	}
	return NULL;
}

static const char *start_peer(void (*serve)(int fd))
{
	static char url[64];
	peer.listener = raw_listen(&peer.port);
	peer.serve = serve;
	pthread_create(&peer.thread, NULL, run_peer, NULL);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/x", peer.port);
	return url;
}

static void open_net(void)
{
	peer.listener = -1;
	net_open(&net);
}

static void close_net(void)
{
	if (net.client)
		net_close(&net);
	if (peer.listener < 0)
		return;
	shutdown(peer.listener, SHUT_RDWR);
	pthread_join(peer.thread, NULL);
	close(peer.listener);
}

static void say(int fd, const char *text)
{
	raw_send(fd, text, strlen(text));
}

/* Says no more until the other side leaves. */
static void hold(int fd)
{
	char buf[256];
	while (recv(fd, buf, sizeof(buf), 0) > 0)
		;
}

static void hang(int fd)
{
	hold(fd);
}

static void hang_in_head(int fd)
{
	say(fd, "HTTP/1.1 200 OK\r\nContent-Ty");
	hold(fd);
}

static void hang_in_body(int fd)
{
	say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
	hold(fd);
}

static void leave_at_once(fx_unused int fd)
{
}

static void reset(int fd)
{
	struct linger linger = {.l_onoff = 1};
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

static void truncate_body(int fd)
{
	say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
}

static void truncate_chunked(int fd)
{
	say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
}

static void bad_chunk(int fd)
{
	say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\nhello\r\n");
}

static void bad_gzip(int fd)
{
	say(fd, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 8\r\n\r\nnot gzip");
}

static void garbage(int fd)
{
	say(fd, "\x16\x03\x01 SSH-2.0 nonsense\r\n\r\n");
}

static void nul_in_head(int fd)
{
	static const char head[] = "HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n";
	raw_send(fd, head, sizeof(head) - 1);
}

static void bad_length(int fd)
{
	say(fd, "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello");
}

static void endless_head(int fd)
{
	say(fd, "HTTP/1.1 200 OK\r\n");
	char line[1024];
	memset(line, 'x', sizeof(line));
	memcpy(line, "X-Y: ", 5);
	memcpy(line + sizeof(line) - 2, "\r\n", 2);
	while (send(fd, line, sizeof(line), MSG_NOSIGNAL) > 0)
		;
}

static void endless_interim(int fd)
{
	const char text[] = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n";
	while (send(fd, text, sizeof(text) - 1, MSG_NOSIGNAL) > 0)
		;
}

static void endless_body(int fd)
{
	char data[4096] = {0};
	say(fd, "HTTP/1.1 200 OK\r\n\r\n");
	while (send(fd, data, sizeof(data), MSG_NOSIGNAL) > 0)
		;
}

static void interim_then_answer(int fd)
{
	say(fd, "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
	        "HTTP/1.1 200 OK\r\nX-A:  padded \t\r\nX-Empty:\r\nContent-Length: 2\r\n\r\nok");
}

static int get(const char *url, struct fx_http_request request, struct fx_cancel *cancel,
        struct fx_http_response **out, struct fx_error *err)
{
	request.url = url;
	request.proxy = "";
	return fx_http_do(net.client, &request, cancel, out, err);
}

static const struct bad_peer {
	const char *name;
	void (*serve)(int fd);
	struct fx_http_request request;
	enum fx_error_code code;
} bad_peers[] = {
        {"silent, whole time", hang, {.timeout_ms = 50}, FX_E_TIMEOUT},
        {"silent, idle time", hang, {.idle_timeout_ms = 50}, FX_E_TIMEOUT},
        {"silent in the head", hang_in_head, {.idle_timeout_ms = 50}, FX_E_TIMEOUT},
        {"silent in the body", hang_in_body, {.idle_timeout_ms = 50}, FX_E_TIMEOUT},
        {"silent in the body, whole time", hang_in_body, {.timeout_ms = 50}, FX_E_TIMEOUT},
        {"leaves", leave_at_once, {0}, FX_E_CONNECT},
        {"resets", reset, {0}, FX_E_CONNECT},
        {"short body", truncate_body, {0}, FX_E_PROTOCOL},
        {"short chunked body", truncate_chunked, {0}, FX_E_PROTOCOL},
        {"bad chunk", bad_chunk, {0}, FX_E_PROTOCOL},
        {"bad gzip", bad_gzip, {.accept_gzip = true}, FX_E_PROTOCOL},
        {"garbage", garbage, {0}, FX_E_PROTOCOL},
        {"NUL in the head", nul_in_head, {0}, FX_E_PROTOCOL},
        {"bad length", bad_length, {0}, FX_E_PROTOCOL},
        {"endless head", endless_head, {0}, FX_E_LIMIT},
        {"endless interim answers", endless_interim, {0}, FX_E_LIMIT},
        {"endless body", endless_body, {.max_body_bytes = 100000}, FX_E_LIMIT},
};

START_TEST(bad_peer)
{
	const struct bad_peer *p = &bad_peers[_i];
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct fx_http_response *r = NULL;
	int rc = get(start_peer(p->serve), p->request, NULL, &r, &err);
	ck_assert_msg(rc == -(int)p->code, "%s: %d %s: %s", p->name, rc, fx_error_code_name(err.code),
	        fx_error_message(&err));
	ck_assert_ptr_null(r);
	ck_assert_int_eq(err.kind, p->code == FX_E_LIMIT ? FX_KIND_USER : FX_KIND_TRANSIENT);
}
END_TEST

START_TEST(bad_peer_read_as_stream)
{
	const struct bad_peer *p = &bad_peers[_i];
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct fx_http_request request = p->request;
	request.url = start_peer(p->serve);
	request.proxy = "";
	fx_auto(http_stream) struct fx_http_stream *stream = NULL;
	int rc = fx_http_open(net.client, &request, NULL, &stream, &err);
	size_t len = 1;
	while (rc == 0 && len) {
		char buf[5000];
		rc = fx_http_stream_read(stream, buf, sizeof(buf), &len, &err);
	}
	ck_assert_msg(rc == -(int)p->code, "%s: %d %s: %s", p->name, rc, fx_error_code_name(err.code),
	        fx_error_message(&err));
}
END_TEST

START_TEST(interim_answers_are_skipped)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(http_response) struct fx_http_response *r = NULL;
	ck_assert_ok(get(start_peer(interim_then_answer), (struct fx_http_request){0}, NULL, &r, &err), &err);
	ck_assert_int_eq(r->status, 200);
	ck_assert_str_eq(r->body, "ok");
	ck_assert_ptr_null(fx_http_response_header(r, "link"));
	ck_assert_str_eq(fx_http_response_header(r, "x-a"), "padded");
	ck_assert_str_eq(fx_http_response_header(r, "x-empty"), "");
}
END_TEST

static void *fire_when_asked(void *cancel)
{
	box_wait(&peer.asked, 1);
	fx_cancel_fire(cancel, "a newer revision came");
	return NULL;
}

START_TEST(cancel_wakes_the_waiter)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(cancel) struct fx_cancel *cancel = fx_cancel_new(NULL, FX_NO_DEADLINE);
	const char *url = start_peer(_i ? hang_in_body : hang);
	struct fx_http_response *r = NULL;
	pthread_t thread;
	pthread_create(&thread, NULL, fire_when_asked, cancel);
	ck_assert_int_eq(get(url, (struct fx_http_request){0}, cancel, &r, &err), -FX_E_CANCELED);
	ck_assert_str_eq(err.message, "a newer revision came");
	pthread_join(thread, NULL);
	/* A token that has fired: nothing is sent. */
	ck_assert_int_eq(get(url, (struct fx_http_request){0}, cancel, &r, &err), -FX_E_CANCELED);
	ck_assert_int_eq(peer.asked.count, 1);
}
END_TEST

START_TEST(deadline_wakes_the_waiter)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(cancel) struct fx_cancel *cancel = fx_cancel_new(NULL, fx_now_ms() + 60);
	struct fx_http_response *r = NULL;
	ck_assert_int_eq(get(start_peer(hang), (struct fx_http_request){0}, cancel, &r, &err), -FX_E_TIMEOUT);
	ck_assert(fx_now_ms() >= fx_cancel_deadline_ms(cancel));
}
END_TEST

START_TEST(cancel_wakes_the_reader)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(cancel) struct fx_cancel *cancel = fx_cancel_new(NULL, FX_NO_DEADLINE);
	struct fx_http_request request = {.url = start_peer(hang_in_body), .proxy = ""};
	fx_auto(http_stream) struct fx_http_stream *stream = NULL;
	ck_assert_ok(fx_http_open(net.client, &request, cancel, &stream, &err), &err);
	char buf[10];
	size_t len, total = 0;
	while (total < 4) {
		ck_assert_ok(fx_http_stream_read(stream, buf, sizeof(buf), &len, &err), &err);
		total += len;
	}
	pthread_t thread;
	pthread_create(&thread, NULL, fire_when_asked, cancel);
	ck_assert_int_eq(fx_http_stream_read(stream, buf, sizeof(buf), &len, &err), -FX_E_CANCELED);
	pthread_join(thread, NULL);
}
END_TEST

static void *get_in_thread(void *arg)
{
	struct fx_error *err = arg;
	struct fx_http_response *r = NULL;
	char url[64];
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/x", peer.port);
	ck_assert_int_lt(get(url, (struct fx_http_request){0}, NULL, &r, err), 0);
	return NULL;
}

START_TEST(freeing_the_client_wakes_the_waiter)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	start_peer(hang);
	pthread_t thread;
	pthread_create(&thread, NULL, get_in_thread, &err);
	box_wait(&peer.asked, 1);
	fx_http_client_free(net.client);
	pthread_join(thread, NULL);
	fx_loop_free(net.loop);
	net.client = NULL;
	ck_assert_int_eq(err.code, FX_E_CANCELED);
}
END_TEST

static void *cancel_at_random(void *arg)
{
	fx_cancel_fire(arg, NULL);
	return NULL;
}

static void answer_quickly(int fd)
{
	say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
}

START_TEST(cancel_races_with_the_answer)
{
	const char *url = start_peer(answer_quickly);
	for (int i = 0; i < 200; i++) {
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		fx_auto(cancel) struct fx_cancel *cancel = fx_cancel_new(NULL, FX_NO_DEADLINE);
		fx_auto(http_response) struct fx_http_response *r = NULL;
		pthread_t thread;
		pthread_create(&thread, NULL, cancel_at_random, cancel);
		int rc = get(url, (struct fx_http_request){0}, cancel, &r, &err);
		ck_assert_msg(rc == 0 || rc == -FX_E_CANCELED, "%s", fx_error_message(&err));
		ck_assert((rc == 0) == (r != NULL));
		pthread_join(thread, NULL);
	}
}
END_TEST

/* What the callbacks of a call saw. */
struct seen {
	struct fx_http_call *call, *other;
	struct box done;
	int heads, pieces, status;
	enum fx_error_code code;
	int head_result, data_result;
	bool abort_self, abort_other;
	struct fx_http_request request;
};

static int see_head(void *arg, const struct fx_http_response *head)
{
	struct seen *seen = arg;
	seen->heads++;
	seen->status = head->status;
	return seen->head_result;
}

static int see_data(void *arg, fx_unused const char *data, fx_unused size_t len)
{
	struct seen *seen = arg;
	seen->pieces++;
	if (seen->abort_other)
		fx_http_call_abort(fx_take(seen->other));
	if (seen->abort_self)
		fx_http_call_abort(seen->call);
	return seen->data_result;
}

static void see_done(void *arg, const struct fx_error *err)
{
	struct seen *seen = arg;
	seen->code = err->code;
	box_add(&seen->done);
}

static void start_call(struct seen *seen)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct fx_http_handler handler = {see_head, see_data, see_done, seen};
	char url[64];
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/x", peer.port);
	seen->request.url = url;
	seen->request.proxy = "";
	ck_assert_ok(fx_http_start(net.client, &seen->request, &handler, &seen->call, &err), &err);
}

static void abort_call(void *arg)
{
	fx_http_call_abort(((struct seen *)arg)->call);
}

START_TEST(calls_end_once_however_they_end)
{
	static const struct {
		const char *name;
		void (*serve)(int fd);
		struct seen setup;
		bool abort_outside;
		int heads, pieces;
		enum fx_error_code code;
	} cases[] = {
	        {"whole", answer_quickly, {0}, false, 1, 1, FX_OK},
	        {"head refused", answer_quickly, {.head_result = 1}, false, 1, 0, FX_E_CANCELED},
	        {"data refused", answer_quickly, {.data_result = 1}, false, 1, 1, FX_E_CANCELED},
	        {"aborts itself", answer_quickly, {.abort_self = true}, false, 1, 1, FX_E_CANCELED},
	        {"short", truncate_body, {0}, false, 1, 1, FX_E_PROTOCOL},
	        {"idle", hang_in_body, {.request.idle_timeout_ms = 30}, false, 1, 1, FX_E_TIMEOUT},
	        {"aborted while it waits", hang, {0}, true, 0, 0, FX_E_CANCELED},
	};
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		struct seen seen = cases[i].setup;
		seen.done = (struct box)BOX_INIT;
		start_peer(cases[i].serve);
		peer.asked.count = 0;
		start_call(&seen);
		if (cases[i].abort_outside) {
			box_wait(&peer.asked, 1);
			fx_loop_call(net.loop, abort_call, &seen);
		}
		box_wait(&seen.done, 1);
		close_net(); /* nothing comes after on_done */
		ck_assert_int_eq(seen.done.count, 1);
		ck_assert_msg(
		        seen.code == cases[i].code, "%s: %s", cases[i].name, fx_error_code_name(seen.code));
		ck_assert_msg(seen.heads == cases[i].heads && seen.pieces == cases[i].pieces,
		        "%s: %d heads, %d pieces", cases[i].name, seen.heads, seen.pieces);
		open_net();
	}
}
END_TEST

static void start_and_abort(void *arg)
{
	start_call(arg);
	abort_call(arg);
}

static void nothing(fx_unused void *arg)
{
}

/* The loop's list of tasks still holds the call: it must not be freed under it. */
START_TEST(a_call_may_be_aborted_before_it_begins)
{
	start_peer(answer_quickly);
	struct seen seen = {.done = BOX_INIT};
	fx_loop_call(net.loop, start_and_abort, &seen);
	ck_assert_int_eq(seen.done.count, 1);
	ck_assert_int_eq(seen.code, FX_E_CANCELED);
	fx_loop_call(net.loop, nothing, NULL); /* the task has run */
	ck_assert_int_eq(seen.done.count, 1);
	ck_assert_int_eq(seen.heads, 0);
}
END_TEST

static void serve_second(int fd)
{
	/* The first connection hangs in another thread's hands: keep it open and answer the next. */
	static atomic_int count;
	if (atomic_fetch_add(&count, 1) == 0)
		dup(fd);
	else
		answer_quickly(fd);
}

START_TEST(a_callback_may_abort_another_call)
{
	start_peer(serve_second);
	struct seen waiting = {.done = BOX_INIT}, aborting = {.done = BOX_INIT, .abort_other = true};
	start_call(&waiting);
	box_wait(&peer.asked, 1);
	aborting.other = waiting.call;
	start_call(&aborting);
	box_wait(&aborting.done, 1);
	ck_assert_int_eq(waiting.done.count, 1);
	ck_assert_int_eq(waiting.code, FX_E_CANCELED);
	ck_assert_int_eq(aborting.code, FX_OK);
}
END_TEST

static void do_on_loop(void *arg)
{
	struct fx_http_response *r = NULL;
	ck_assert_int_lt(get("http://127.0.0.1:1/", (struct fx_http_request){0}, NULL, &r, arg), 0);
}

START_TEST(blocking_on_the_loop_thread_is_refused)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_loop_call(net.loop, do_on_loop, &err);
	ck_assert_int_eq(err.code, FX_E_INTERNAL);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("net/http_peers");
	TCase *tcase = tcase_create("peers");
	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, open_net, close_net);
	tcase_add_loop_test(tcase, bad_peer, 0, FX_COUNT(bad_peers));
	tcase_add_loop_test(tcase, bad_peer_read_as_stream, 0, FX_COUNT(bad_peers));
	tcase_add_test(tcase, interim_answers_are_skipped);
	tcase_add_loop_test(tcase, cancel_wakes_the_waiter, 0, 2);
	tcase_add_test(tcase, deadline_wakes_the_waiter);
	tcase_add_test(tcase, cancel_wakes_the_reader);
	tcase_add_test(tcase, freeing_the_client_wakes_the_waiter);
	tcase_add_test(tcase, cancel_races_with_the_answer);
	tcase_add_test(tcase, calls_end_once_however_they_end);
	tcase_add_test(tcase, a_call_may_be_aborted_before_it_begins);
	tcase_add_test(tcase, a_callback_may_abort_another_call);
	tcase_add_test(tcase, blocking_on_the_loop_thread_is_refused);
	suite_add_tcase(suite, tcase);
	return suite;
}

FX_UNIT_MAIN(make_suite)
