#include "apache.h"

static struct apache apache;
static struct net net;

static void start_apache(void)
{
	apache_start(&apache);
}

static void stop_apache(void)
{
	apache_stop(&apache);
}

static void open_net(void)
{
	net_open(&net);
}

static void close_net(void)
{
	net_close(&net);
}

enum where { HTTP, HTTPS, MTLS, NOWHERE };

static const char *url_of(enum where where, const char *path, char out[256])
{
	const int ports[] = {apache.http, apache.https, apache.mtls, 1};
	snprintf(out, 256, "%s://127.0.0.1:%d%s", where == HTTP || where == NOWHERE ? "http" : "https",
	        ports[where], path);
	return out;
}

static struct fx_http_response *fetch(
        struct fx_http_request *request, enum where where, const char *path, struct fx_error *err)
{
	char url[256];
	struct fx_tls tls = {.ca_pem = apache.ca};
	struct fx_http_response *response = NULL;
	request->url = url_of(where, path, url);
	if (!request->tls)
		request->tls = &tls;
	if (!request->proxy)
		request->proxy = "";
	if (fx_http_do(net.client, request, NULL, &response, err) != 0)
		ck_assert_int_ne(err->code, FX_OK);
	return response;
}

START_TEST(answer_over_http2)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct fx_http_request request = {0};
	fx_auto(http_response) struct fx_http_response *r = fetch(&request, HTTPS, "/hello", &err);
	ck_assert_msg(r != NULL, "%s", fx_error_message(&err));
	ck_assert_int_eq(r->status, 200);
	ck_assert_str_eq(r->body, "hello");
	ck_assert_uint_eq(r->body_len, 5);
	ck_assert_str_eq(fx_http_response_header(r, "content-length"), "5");
	ck_assert_ptr_nonnull(fx_http_response_header(r, "last-modified"));
	ck_assert_ptr_null(fx_http_response_header(r, "Content-Length"));
	char url[256];
	ck_assert_str_eq(r->effective_url, url_of(HTTPS, "/hello", url));
}
END_TEST

START_TEST(methods_bodies_and_headers)
{
	static const struct {
		const char *name;
		enum where where;
		struct fx_http_request request;
		const char *want[3];
	} cases[] = {
	        {"get", HTTPS, {0}, {"GET proto=HTTP/2.0", "auth= type= "}},
	        {"get 1.1", HTTPS, {.http1_only = true}, {"GET proto=HTTP/1.1"}},
	        {"get plain", HTTP, {0}, {"GET proto=HTTP/1.1"}},
	        {"post", HTTPS, {.method = "POST", .body = "abc", .body_len = 3}, {"POST", "type= ", " abc"}},
	        {"patch", HTTPS, {.method = "PATCH", .body = "{}", .body_len = 2}, {"PATCH", " {}"}},
	        {"patch plain", HTTP, {.method = "PATCH", .body = "{}", .body_len = 2}, {"PATCH", " {}"}},
	        {"put nothing", HTTP, {.method = "PUT"}, {"PUT"}},
	        {"delete", HTTPS, {.method = "DELETE"}, {"DELETE"}},
	        {"delete body", HTTPS, {.method = "DELETE", .body = "x", .body_len = 1}, {"DELETE", " x"}},
	        {"bearer", HTTPS, {.bearer = "t0ken"}, {"auth=Bearer t0ken "}},
	        {"basic", HTTPS, {.user = "u", .password = "p"}, {"auth=Basic dTpw "}},
	        {"basic no password", HTTP, {.user = "u"}, {"auth=Basic dTo= "}},
	};
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		struct fx_http_request request = cases[i].request;
		fx_auto(http_response) struct fx_http_response *r =
		        fetch(&request, cases[i].where, "/echo", &err);
		ck_assert_msg(r != NULL, "%s: %s", cases[i].name, fx_error_message(&err));
		for (size_t k = 0; k < 3 && cases[i].want[k]; k++)
			ck_assert_msg(strstr(r->body, cases[i].want[k]) != NULL, "%s: no '%s' in '%s'",
			        cases[i].name, cases[i].want[k], r->body);
	}
}
END_TEST

START_TEST(content_type_is_sent)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct fx_http_header headers[] = {{"Content-Type", "application/json"}, {"X-Empty", ""}};
	struct fx_http_request request = {
	        .method = "POST", .body = "{}", .body_len = 2, .headers = headers, .header_count = 2};
	fx_auto(http_response) struct fx_http_response *r = fetch(&request, HTTPS, "/echo", &err);
	ck_assert_msg(r != NULL, "%s", fx_error_message(&err));
	ck_assert_ptr_nonnull(strstr(r->body, "type=application/json "));
}
END_TEST

START_TEST(large_body_is_sent_whole)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	size_t len = 1500 * 1000;
	fx_autofree char *body = malloc(len);
	for (size_t i = 0; i < len; i++)
		body[i] = (char)('a' + i % 23);
	for (enum where where = HTTP; where <= HTTPS; where++) {
		struct fx_http_request request = {.method = "POST", .body = body, .body_len = len};
		fx_auto(http_response) struct fx_http_response *r = fetch(&request, where, "/echo", &err);
		ck_assert_msg(r != NULL, "%s", fx_error_message(&err));
		ck_assert_uint_gt(r->body_len, len);
		ck_assert_int_eq(memcmp(r->body + r->body_len - len, body, len), 0);
	}
}
END_TEST

static void *fetch_ports(void *arg)
{
	char(*seen)[16] = arg;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	for (int i = 0; i < 3; i++) {
		struct fx_http_request request = {0};
		fx_auto(http_response) struct fx_http_response *r = fetch(&request, HTTPS, "/echo", &err);
		if (!r)
			return strdup(fx_error_message(&err));
		sscanf(strstr(r->body, "port="), "port=%15s", seen[i]);
	}
	return NULL;
}

START_TEST(parallel_requests_share_few_connections)
{
	enum { THREADS = 40, CONNECTIONS_MAX = 6 };
	static char seen[THREADS][3][16];
	pthread_t threads[THREADS];
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, fetch_ports, seen[i]);
	for (int i = 0; i < THREADS; i++) {
		void *failed;
		pthread_join(threads[i], &failed);
		ck_assert_msg(!failed, "%s", (char *)failed);
	}
	int distinct = 0;
	for (int i = 0; i < THREADS * 3; i++) {
		bool first = true;
		for (int j = 0; j < i && first; j++)
			first = strcmp(seen[i / 3][i % 3], seen[j / 3][j % 3]) != 0;
		distinct += first;
	}
	ck_assert_int_le(distinct, CONNECTIONS_MAX);
}
END_TEST

START_TEST(connections_are_shared_only_between_equal_tls)
{
	struct fx_tls tls[] = {{.ca_pem = apache.ca}, {.insecure = true},
	        {.ca_pem = apache.ca, .cert_pem = apache.client_cert, .key_pem = apache.client_key},
	        {.ca_pem = apache.ca}};
	char port[4][16];
	for (int i = 0; i < 4; i++) {
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		struct fx_http_request request = {.tls = &tls[i]};
		fx_auto(http_response) struct fx_http_response *r = fetch(&request, HTTPS, "/echo", &err);
		ck_assert_msg(r != NULL, "%s", fx_error_message(&err));
		sscanf(strstr(r->body, "port="), "port=%15s", port[i]);
	}
	ck_assert_str_ne(port[0], port[1]);
	ck_assert_str_ne(port[0], port[2]);
	ck_assert_str_ne(port[1], port[2]);
	ck_assert_str_eq(port[0], port[3]);
}
END_TEST

START_TEST(tls_material)
{
	const struct {
		const char *name;
		enum where where;
		struct fx_tls tls;
		enum fx_error_code want;
	} cases[] = {
	        {"own CA", HTTPS, {.ca_pem = apache.ca}, FX_OK},
	        {"another CA", HTTPS, {.ca_pem = apache.other_ca}, FX_E_TLS},
	        {"system only", HTTPS, {0}, FX_E_TLS},
	        {"own CA and system", HTTPS, {.ca_pem = apache.ca, .system_ca_too = true}, FX_OK},
	        {"another CA and system", HTTPS, {.ca_pem = apache.other_ca, .system_ca_too = true},
	                FX_E_TLS},
	        {"not verified", HTTPS, {.insecure = true}, FX_OK},
	        {"name of the certificate", HTTPS, {.ca_pem = apache.ca, .server_name = "other.test"}, FX_OK},
	        {"wrong name", HTTPS, {.ca_pem = apache.ca, .server_name = "wrong.test"}, FX_E_TLS},
	        {"no PEM", HTTPS, {.ca_pem = "nonsense"}, FX_E_TLS},
	        {"client certificate missing", MTLS, {.ca_pem = apache.ca}, FX_E_TLS},
	        {"client certificate", MTLS,
	                {.ca_pem = apache.ca, .cert_pem = apache.client_cert, .key_pem = apache.client_key},
	                FX_OK},
	        {"certificate without its key", MTLS,
	                {.ca_pem = apache.ca, .cert_pem = apache.client_cert, .key_pem = "nonsense"},
	                FX_E_TLS},
	};
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		struct fx_http_request request = {.tls = &cases[i].tls};
		fx_auto(http_response) struct fx_http_response *r =
		        fetch(&request, cases[i].where, "/hello", &err);
		/* The reset that follows the server's alert may overtake it. */
		bool reset = cases[i].where == MTLS && cases[i].want == FX_E_TLS && err.code == FX_E_CONNECT;
		ck_assert_msg(err.code == cases[i].want || reset, "%s: %s: %s", cases[i].name,
		        fx_error_code_name(err.code), fx_error_message(&err));
		ck_assert((r != NULL) == (err.code == FX_OK));
	}
}
END_TEST

START_TEST(server_name_keeps_the_host_header)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct fx_tls tls = {.ca_pem = apache.ca, .server_name = "localhost"};
	struct fx_http_request request = {.tls = &tls};
	fx_auto(http_response) struct fx_http_response *r = fetch(&request, HTTPS, "/echo", &err);
	ck_assert_msg(r != NULL, "%s", fx_error_message(&err));
	char want[64], url[256];
	snprintf(want, sizeof(want), "host=127.0.0.1:%d ", apache.https);
	ck_assert_msg(strstr(r->body, want) != NULL, "%s", r->body);
	ck_assert_str_eq(r->effective_url, url_of(HTTPS, "/echo", url));
}
END_TEST

START_TEST(basic_auth)
{
	static const struct {
		const char *user, *password;
		int want;
	} cases[] = {{"user", "p:w%d", 200}, {"user", "wrong", 401}, {NULL, NULL, 401}};
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		struct fx_http_request request = {.user = cases[i].user, .password = cases[i].password};
		fx_auto(http_response) struct fx_http_response *r =
		        fetch(&request, HTTPS, "/auth/file", &err);
		ck_assert_msg(r != NULL, "%s", fx_error_message(&err));
		ck_assert_int_eq(r->status, cases[i].want);
	}
}
END_TEST

START_TEST(redirects)
{
	static const struct {
		const char *path;
		struct fx_http_request request;
		enum fx_error_code code;
		int status;
		const char *want; /* in the body */
	} cases[] = {
	        {"/r/3", {0}, FX_OK, 302, NULL},
	        {"/r/3", {.follow_redirects = true}, FX_OK, 200, "hello"},
	        {"/tls", {.follow_redirects = true}, FX_OK, 200, "hello"},
	        {"/loop", {.follow_redirects = true}, FX_E_PROTOCOL, 0, NULL},
	        {"/ftp", {.follow_redirects = true}, FX_E_PROTOCOL, 0, NULL},
	        {"/see-other", {.method = "POST", .body = "x", .body_len = 1, .follow_redirects = true},
	                FX_OK, 200, "GET "},
	        {"/see-other", {.bearer = "t0ken", .follow_redirects = true}, FX_OK, 200,
	                "auth=Bearer t0ken "},
	        {"/away", {.bearer = "t0ken", .follow_redirects = true}, FX_OK, 200, "auth= "},
	        {"/away", {.user = "u", .password = "p", .follow_redirects = true}, FX_OK, 200, "auth= "},
	};
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		struct fx_http_request request = cases[i].request;
		fx_auto(http_response) struct fx_http_response *r =
		        fetch(&request, HTTP, cases[i].path, &err);
		ck_assert_msg(err.code == cases[i].code, "%s: %s", cases[i].path, fx_error_message(&err));
		if (!r)
			continue;
		ck_assert_int_eq(r->status, cases[i].status);
		if (cases[i].want)
			ck_assert_msg(strstr(r->body, cases[i].want) != NULL, "%zu: '%s'", i, r->body);
	}
}
END_TEST

START_TEST(effective_url_is_that_of_the_last_answer)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct fx_http_request request = {.follow_redirects = true};
	fx_auto(http_response) struct fx_http_response *r = fetch(&request, HTTP, "/r/2", &err);
	ck_assert_msg(r != NULL, "%s", fx_error_message(&err));
	char url[256];
	ck_assert_str_eq(r->effective_url, url_of(HTTP, "/hello", url));
}
END_TEST

START_TEST(limits_of_the_body)
{
	static const struct {
		const char *name, *path;
		struct fx_http_request request;
		enum fx_error_code code;
	} cases[] = {
	        {"at the limit", "/random", {.max_body_bytes = 3000000}, FX_OK},
	        {"above", "/random", {.max_body_bytes = 2999999}, FX_E_LIMIT},
	        {"unpacked at the limit", "/gz/zero", {.accept_gzip = true, .max_body_bytes = 3000000},
	                FX_OK},
	        {"unpacked above", "/gz/zero", {.accept_gzip = true, .max_body_bytes = 2999999}, FX_E_LIMIT},
	        {"not asked to be packed", "/gz/zero", {.max_body_bytes = 2999999}, FX_E_LIMIT},
	        {"head is no body", "/random", {.method = "HEAD", .max_body_bytes = 10}, FX_OK},
	};
	for (size_t i = 0; i < FX_COUNT(cases); i++)
		for (enum where where = HTTP; where <= HTTPS; where++) {
			fx_auto(error) struct fx_error err = FX_ERROR_INIT;
			struct fx_http_request request = cases[i].request;
			fx_auto(http_response) struct fx_http_response *r =
			        fetch(&request, where, cases[i].path, &err);
			ck_assert_msg(
			        err.code == cases[i].code, "%s: %s", cases[i].name, fx_error_message(&err));
			if (r && !request.method)
				ck_assert_uint_eq(r->body_len, 3000000);
		}
}
END_TEST

START_TEST(retry_after)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct fx_http_request request = {0};
	fx_auto(http_response) struct fx_http_response *r = fetch(&request, HTTPS, "/later", &err);
	ck_assert_msg(r != NULL, "%s", fx_error_message(&err));
	ck_assert_int_eq(r->status, 503);
	ck_assert_int_eq(fx_http_response_retry_after_ms(r), 7000);
}
END_TEST

START_TEST(retry_after_forms)
{
	static const struct {
		const char *value;
		int at_least, at_most;
	} cases[] = {
	        {"0", 0, 0},
	        {"1", 1000, 1000},
	        {"-1", 0, 0},
	        {"", 0, 0},
	        {"soon", 0, 0},
	        {"99999999999999999999", INT32_MAX, INT32_MAX},
	        {"Fri, 31 Dec 1999 23:59:59 GMT", 0, 0},
	        {"Fri, 31 Dec 2099 23:59:59 GMT", INT32_MAX, INT32_MAX},
	};
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		struct fx_http_header header = {"retry-after", cases[i].value};
		struct fx_http_response r = {.headers = &header, .header_count = 1};
		int ms = fx_http_response_retry_after_ms(&r);
		ck_assert_msg(
		        ms >= cases[i].at_least && ms <= cases[i].at_most, "'%s': %d", cases[i].value, ms);
	}
}
END_TEST

START_TEST(refused_requests)
{
	static const struct fx_http_header split = {"X", "a\r\nInjected: 1"}, bad_name = {"X Y", "1"};
	static const struct {
		const char *name;
		struct fx_http_request request;
	} cases[] = {
	        {"no URL", {0}},
	        {"ftp", {.url = "ftp://u:secret@127.0.0.1/x"}},
	        {"file", {.url = "file:///etc/passwd"}},
	        {"no host", {.url = "http://"}},
	        {"space", {.url = "http://a b:secret@/"}},
	        {"port", {.url = "http://secret@127.0.0.1:99999/"}},
	        {"header value", {.url = "http://127.0.0.1/", .headers = &split, .header_count = 1}},
	        {"header name", {.url = "http://127.0.0.1/", .headers = &bad_name, .header_count = 1}},
	        {"method", {.url = "http://127.0.0.1/", .method = "GET /x"}},
	        {"token", {.url = "http://127.0.0.1/", .bearer = "secret\nX: y"}},
	};
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		struct fx_http_response *r = NULL;
		ck_assert_int_lt(fx_http_do(net.client, &cases[i].request, NULL, &r, &err), 0);
		ck_assert_msg(err.code == FX_E_INVALID, "%s: %s", cases[i].name, fx_error_message(&err));
		ck_assert_msg(!strstr(fx_error_message(&err), "secret"), "%s", fx_error_message(&err));
	}
}
END_TEST

START_TEST(messages_hold_no_credentials)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct fx_http_request request = {
	        .url = "http://user:secret@127.0.0.1:1/path?token=secret#secret", .proxy = ""};
	struct fx_http_response *r = NULL;
	ck_assert_int_eq(fx_http_do(net.client, &request, NULL, &r, &err), -FX_E_CONNECT);
	ck_assert_ptr_null(strstr(err.message, "secret"));
	ck_assert_msg(strstr(err.message, "GET http://127.0.0.1:1/path: ") == err.message, "%s", err.message);
	ck_assert_msg(strstr(err.message, "Connection refused") != NULL, "%s", err.message);
	/* No time that it took: the same failure has the same text. */
	ck_assert_ptr_null(strstr(err.message, " after "));
}
END_TEST

START_TEST(proxies)
{
	char proxy[64], with_user[96];
	snprintf(proxy, sizeof(proxy), "http://localhost:%d", apache.proxy);
	snprintf(with_user, sizeof(with_user), "http://user:p%%3Aw%%25d@localhost:%d", apache.proxy);
	const struct {
		const char *name;
		enum where where;
		struct fx_http_request request;
		enum fx_error_code code;
		int status;
	} cases[] = {
	        {"http", HTTP, {.proxy = proxy, .proxy_user = "user", .proxy_password = "p:w%d"}, FX_OK, 200},
	        {"https", HTTPS, {.proxy = proxy, .proxy_user = "user", .proxy_password = "p:w%d"}, FX_OK,
	                200},
	        {"in its URL", HTTPS, {.proxy = with_user}, FX_OK, 200},
	        {"http refused", HTTP, {.proxy = proxy, .proxy_user = "user", .proxy_password = "bad"}, FX_OK,
	                407},
	        {"https refused", HTTPS, {.proxy = proxy}, FX_E_CONNECT, 0},
	        {"nobody there", HTTPS, {.proxy = "http://127.0.0.1:1"}, FX_E_CONNECT, 0},
	};
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		struct fx_http_request request = cases[i].request;
		fx_auto(http_response) struct fx_http_response *r =
		        fetch(&request, cases[i].where, "/hello", &err);
		ck_assert_msg(err.code == cases[i].code, "%s: %s: %s", cases[i].name,
		        fx_error_code_name(err.code), fx_error_message(&err));
		if (r)
			ck_assert_int_eq(r->status, cases[i].status);
	}
}
END_TEST

START_TEST(download_is_read_piece_by_piece)
{
	char url[256];
	fx_autofree char *want = malloc(3000000), *got = malloc(3000000);
	char path[128];
	snprintf(path, sizeof(path), "%s/www/random", apache.dir);
	FILE *f = fopen(path, "r");
	ck_assert_uint_eq(fread(want, 1, 3000000, f), 3000000);
	fclose(f);
	struct fx_tls tls = {.ca_pem = apache.ca};
	for (size_t piece = 777; piece < 1000000; piece *= 30) {
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		struct fx_http_request request = {
		        .url = url_of(HTTPS, "/random", url), .tls = &tls, .proxy = ""};
		fx_auto(http_stream) struct fx_http_stream *stream = NULL;
		ck_assert_ok(fx_http_open(net.client, &request, NULL, &stream, &err), &err);
		ck_assert_int_eq(fx_http_stream_head(stream)->status, 200);
		size_t total = 0, len = 1;
		while (len) {
			size_t room = 3000000 - total < piece ? 3000000 - total : piece;
			char end;
			ck_assert_ok(fx_http_stream_read(
			                     stream, room ? got + total : &end, room ? room : 1, &len, &err),
			        &err);
			total += len;
		}
		ck_assert_uint_eq(total, 3000000);
		ck_assert_int_eq(memcmp(want, got, total), 0);
	}
}
END_TEST

START_TEST(download_left_in_the_middle)
{
	char url[256], buf[10];
	struct fx_tls tls = {.ca_pem = apache.ca};
	for (int i = 0; i < 20; i++) {
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		struct fx_http_request request = {
		        .url = url_of(HTTPS, "/random", url), .tls = &tls, .proxy = ""};
		fx_auto(http_stream) struct fx_http_stream *stream = NULL;
		size_t len;
		ck_assert_ok(fx_http_open(net.client, &request, NULL, &stream, &err), &err);
		ck_assert_ok(fx_http_stream_read(stream, buf, sizeof(buf), &len, &err), &err);
		ck_assert_uint_eq(len, 10);
	}
}
END_TEST

START_TEST(download_above_its_limit)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	char url[256], buf[65536];
	struct fx_tls tls = {.ca_pem = apache.ca};
	struct fx_http_request request = {.url = url_of(HTTPS, "/gz/zero", url),
	        .tls = &tls,
	        .proxy = "",
	        .accept_gzip = true,
	        .max_body_bytes = 2000000};
	fx_auto(http_stream) struct fx_http_stream *stream = NULL;
	ck_assert_ok(fx_http_open(net.client, &request, NULL, &stream, &err), &err);
	size_t len = 1, total = 0;
	int rc = 0;
	while (rc == 0 && len) {
		rc = fx_http_stream_read(stream, buf, sizeof(buf), &len, &err);
		total += rc == 0 ? len : 0;
	}
	ck_assert_int_eq(rc, -FX_E_LIMIT);
	ck_assert_uint_le(total, 2000000);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("net/http");
	TCase *tcase = tcase_create("apache");
	tcase_set_timeout(tcase, 60);
	tcase_add_unchecked_fixture(tcase, start_apache, stop_apache);
	tcase_add_checked_fixture(tcase, open_net, close_net);
	tcase_add_test(tcase, answer_over_http2);
	tcase_add_test(tcase, methods_bodies_and_headers);
	tcase_add_test(tcase, content_type_is_sent);
	tcase_add_test(tcase, large_body_is_sent_whole);
	tcase_add_test(tcase, parallel_requests_share_few_connections);
	tcase_add_test(tcase, connections_are_shared_only_between_equal_tls);
	tcase_add_test(tcase, tls_material);
	tcase_add_test(tcase, server_name_keeps_the_host_header);
	tcase_add_test(tcase, basic_auth);
	tcase_add_test(tcase, redirects);
	tcase_add_test(tcase, effective_url_is_that_of_the_last_answer);
	tcase_add_test(tcase, limits_of_the_body);
	tcase_add_test(tcase, retry_after);
	tcase_add_test(tcase, retry_after_forms);
	tcase_add_test(tcase, refused_requests);
	tcase_add_test(tcase, messages_hold_no_credentials);
	tcase_add_test(tcase, proxies);
	tcase_add_test(tcase, download_is_read_piece_by_piece);
	tcase_add_test(tcase, download_left_in_the_middle);
	tcase_add_test(tcase, download_above_its_limit);
	suite_add_tcase(suite, tcase);
	return suite;
}

FX_UNIT_MAIN(make_suite)
