/* Artifact server and consumers' download, over real sockets. */
#include "../unit.h"
#include "artifact/fetch.h"
#include "artifact/server.h"
#include "artifact/targz.h"
#include "core/clock.h"
#include "net/server.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

static char dir[64], url[200];
static struct fx_store *store;
static struct fx_artifact_server *server;
static struct fx_loop *loop;
static struct fx_http_client *http;
static struct fx_digest digest;

#define ARTIFACT "gitrepository/ns/app/abc.tar.gz"

static void put_artifact(void)
{
	fx_auto(store_file) struct fx_store_file *file = NULL;
	fx_auto(targz) struct fx_targz *t = NULL;
	uint64_t size;
	ck_assert_ok(fx_store_make_dir(store, "gitrepository/ns/app", NULL), NULL);
	ck_assert_ok(fx_store_create(store, ARTIFACT, &file, NULL), NULL);
	ck_assert_ok(fx_targz_new(fx_store_file_fd(file), FX_DIGEST_SHA256, &t, NULL), NULL);
	ck_assert_ok(fx_targz_add_file(t, "a.yaml", false, 5, NULL), NULL);
	ck_assert_ok(fx_targz_write(t, "a: 1\n", 5, NULL), NULL);
	ck_assert_ok(fx_targz_finish(t, &digest, &size, NULL), NULL);
	ck_assert_ok(fx_store_file_commit(file, &digest, NULL), NULL);
}

static void start(void)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	snprintf(dir, sizeof(dir), "/tmp/fx-fetch-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	const struct fx_store_options options = {.path = dir, .addr = ":0", .algo = FX_DIGEST_SHA256};
	ck_assert_ok(fx_store_new(&options, &store, &err), &err);
	ck_assert_ok(fx_artifact_server_new(store, "127.0.0.1:0", &server, &err), &err);
	ck_assert_ok(fx_loop_new(&loop, &err), &err);
	ck_assert_ok(fx_http_client_new(loop, "test", &http, &err), &err);
	put_artifact();
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/" ARTIFACT, fx_artifact_server_port(server));
}

static void stop(void)
{
	char command[128];
	fx_http_client_free(http);
	fx_loop_free(loop);
	fx_artifact_server_free(server);
	fx_store_free(store);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static struct fx_http_response *request(
        const char *method, const char *path, const char *header, const char *value)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	char full[300];
	struct fx_http_response *response = NULL;
	struct fx_http_header headers[] = {{header, value}};
	snprintf(full, sizeof(full), "http://127.0.0.1:%d%s", fx_artifact_server_port(server), path);
	const struct fx_http_request r = {
	        .method = method, .url = full, .headers = headers, .header_count = header ? 1 : 0};
	ck_assert_ok(fx_http_do(http, &r, NULL, &response, &err), &err);
	return response;
}

START_TEST(served_as_files)
{
	static const struct {
		const char *what, *method, *path, *header, *value;
		int status;
		int length; /* of the body; -1: any */
	} cases[] = {
	        {"whole", "GET", "/" ARTIFACT, NULL, NULL, 200, -1},
	        {"head", "HEAD", "/" ARTIFACT, NULL, NULL, 200, 0},
	        {"first bytes", "GET", "/" ARTIFACT, "Range", "bytes=0-3", 206, 4},
	        {"last bytes", "GET", "/" ARTIFACT, "Range", "bytes=-5", 206, 5},
	        {"outside", "GET", "/" ARTIFACT, "Range", "bytes=100000-", 416, -1},
	        {"nonsense range", "GET", "/" ARTIFACT, "Range", "lines=1-2", 200, -1},
	        {"not modified", "GET", "/" ARTIFACT, "If-Modified-Since", "Fri, 01 Jan 2100 00:00:00 GMT",
	                304, 0},
	        {"modified", "GET", "/" ARTIFACT, "If-Modified-Since", "Thu, 01 Jan 1970 00:00:00 GMT", 200,
	                -1},
	        {"root", "GET", "/", NULL, NULL, 200, -1},
	        {"folder", "GET", "/gitrepository/ns/", NULL, NULL, 200, -1},
	        {"folder without slash", "GET", "/gitrepository/ns", NULL, NULL, 301, 0},
	        {"not there", "GET", "/gitrepository/ns/x", NULL, NULL, 404, -1},
	        {"outside of the root", "GET", "/..%2f..%2fetc/passwd", NULL, NULL, 404, -1},
	        {"through a link", "GET", "/out/passwd", NULL, NULL, 404, -1},
	        {"writing", "PUT", "/" ARTIFACT, NULL, NULL, 405, -1},
	        {"deleting", "DELETE", "/" ARTIFACT, NULL, NULL, 405, -1},
	};
	char link[100];
	snprintf(link, sizeof(link), "%s/out", dir);
	ck_assert_int_eq(symlink("/etc", link), 0);
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		fx_auto(http_response) struct fx_http_response *r =
		        request(cases[i].method, cases[i].path, cases[i].header, cases[i].value);
		ck_assert_msg(r->status == cases[i].status, "%s: %d, want %d", cases[i].what, r->status,
		        cases[i].status);
		ck_assert_msg(cases[i].length < 0 || r->body_len == (size_t)cases[i].length, "%s: %zu bytes",
		        cases[i].what, r->body_len);
	}
	fx_auto(http_response) struct fx_http_response *list =
	        request("GET", "/gitrepository/ns/app/", NULL, NULL);
	ck_assert_ptr_nonnull(strstr(list->body, "<a href=\"abc.tar.gz\">abc.tar.gz</a>"));
}
END_TEST

static struct fx_fetcher *make_fetcher(const char *host, int retries)
{
	struct fx_fetcher *fetcher = NULL;
	const struct fx_fetcher_options options = {.http = http, .host = host, .retries = retries};
	ck_assert_ok(fx_fetcher_new(&options, &fetcher, NULL), NULL);
	return fetcher;
}

START_TEST(fetched_once)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(fetcher) struct fx_fetcher *fetcher = make_fetcher(NULL, 0);
	fx_auto(tree) struct fx_tree *one = NULL, *two = NULL;
	ck_assert_ok(fx_fetch(fetcher, "a", url, digest.text, NULL, &one, &err), &err);
	ck_assert_ok(fx_fetch(fetcher, "b", url, digest.text, NULL, &two, &err), &err);
	ck_assert_ptr_eq(one, two);
	ck_assert_uint_eq(fx_fetcher_downloads(fetcher), 1);
	ck_assert_str_eq(fx_tree_find(one, "a.yaml")->data, "a: 1\n");
	/* As long as one source has it as its newest, it stays. */
	fx_fetch_forget(fetcher, "a");
	fx_tree_unref(two);
	two = NULL;
	ck_assert_ok(fx_fetch(fetcher, "b", url, digest.text, NULL, &two, &err), &err);
	ck_assert_uint_eq(fx_fetcher_downloads(fetcher), 1);
	fx_fetch_forget(fetcher, "b");
	fx_tree_unref(two);
	two = NULL;
	ck_assert_ok(fx_fetch(fetcher, "b", url, digest.text, NULL, &two, &err), &err);
	ck_assert_uint_eq(fx_fetcher_downloads(fetcher), 2);
}
END_TEST

#define THREADS 8

struct together {
	struct fx_fetcher *fetcher;
	pthread_barrier_t barrier;
};

static void *fetch_in_thread(void *arg)
{
	struct together *t = arg;
	struct fx_tree *tree = NULL;
	pthread_barrier_wait(&t->barrier);
	int rc = fx_fetch(t->fetcher, "one source", url, digest.text, NULL, &tree, NULL);
	bool right = rc == 0 && strcmp(fx_tree_find(tree, "a.yaml")->data, "a: 1\n") == 0;
	fx_tree_unref(tree);
	return right ? t : NULL;
}

START_TEST(fetched_once_by_many)
{
	struct together t = {.fetcher = make_fetcher(NULL, 0)};
	pthread_t threads[THREADS];
	pthread_barrier_init(&t.barrier, NULL, THREADS);
	for (size_t i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, fetch_in_thread, &t), 0);
	for (size_t i = 0; i < THREADS; i++) {
		void *right;
		pthread_join(threads[i], &right);
		ck_assert_ptr_nonnull(right);
	}
	ck_assert_uint_eq(fx_fetcher_downloads(t.fetcher), 1);
	pthread_barrier_destroy(&t.barrier);
	fx_fetcher_free(t.fetcher);
}
END_TEST

START_TEST(fetch_failures)
{
	char other[sizeof(url) + 8], wrong[FX_DIGEST_TEXT], host[64];
	struct fx_tree *tree = NULL;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(fetcher) struct fx_fetcher *fetcher = make_fetcher(NULL, 0);
	snprintf(other, sizeof(other), "%s.old", url);
	snprintf(wrong, sizeof(wrong), "%s", digest.text);
	wrong[10] = wrong[10] == '0' ? '1' : '0';
	ck_assert_int_eq(fx_fetch(fetcher, "a", other, digest.text, NULL, &tree, &err), -FX_E_NOT_FOUND);
	ck_assert_str_eq(fx_error_message(&err), "file not found");
	ck_assert_int_eq(fx_fetch(fetcher, "a", url, wrong, NULL, &tree, &err), -FX_E_DIGEST);
	ck_assert_ptr_nonnull(strstr(fx_error_message(&err), "computed digest doesn't match provided"));
	ck_assert_int_eq(fx_fetch(fetcher, "a", url, "", NULL, &tree, &err), -FX_E_INVALID);
	ck_assert_str_eq(fx_error_message(&err), "failed to verify archive: empty digest");
	/* A failure is not remembered, and sha256 need not be said. */
	ck_assert_ok(fx_fetch(fetcher, "a", url, fx_digest_hex(&digest), NULL, &tree, NULL), NULL);
	fx_tree_unref(tree);

	/* Only host and port of the URL are replaced. */
	snprintf(host, sizeof(host), "127.0.0.1:%d", fx_artifact_server_port(server));
	fx_auto(fetcher) struct fx_fetcher *local = make_fetcher(host, 0);
	ck_assert_ok(fx_fetch(local, "a", "http://source-controller.invalid./" ARTIFACT, digest.text, NULL,
	                     &tree, &err),
	        &err);
	fx_tree_unref(tree);
}
END_TEST

static int answers_left;

static void fail_then_answer(void *arg, struct fx_server_request *r)
{
	(void)arg;
	if (__atomic_sub_fetch(&answers_left, 1, __ATOMIC_RELAXED) >= 0)
		fx_server_replyf(r, 503, "not now\n");
	else
		fx_server_replyf(r, 501, "never\n");
}

START_TEST(retries)
{
	struct fx_server *failing = NULL;
	struct fx_tree *tree = NULL;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_server_options options = {.listen = "127.0.0.1:0", .handle = fail_then_answer};
	fx_auto(fetcher) struct fx_fetcher *fetcher = make_fetcher(NULL, 9);
	char at[100];
	ck_assert_int_eq(fx_fetch_retry_ms(1), 5000);
	ck_assert_int_eq(fx_fetch_retry_ms(2), 10000);
	ck_assert_int_eq(fx_fetch_retry_ms(9), 30000);
	ck_assert_ok(fx_server_new(&options, &failing, &err), &err);
	snprintf(at, sizeof(at), "http://127.0.0.1:%d/x", fx_server_port(failing));
	/* The pause before the second try is longer than what the caller has time for. */
	answers_left = 1;
	fx_auto(cancel) struct fx_cancel *cancel = fx_cancel_new(NULL, fx_now_ms() + 2000);
	ck_assert_int_eq(fx_fetch(fetcher, "a", at, digest.text, cancel, &tree, &err), -FX_E_TIMEOUT);
	ck_assert_uint_eq(fx_fetcher_downloads(fetcher), 1);
	/* 501 is not worth a try. */
	ck_assert_int_eq(fx_fetch(fetcher, "a", at, digest.text, NULL, &tree, &err), -FX_E_PROTOCOL);
	ck_assert_ptr_nonnull(strstr(fx_error_message(&err), "failed to download archive from"));
	ck_assert_uint_eq(fx_fetcher_downloads(fetcher), 2);
	fx_server_free(failing, 0);
}
END_TEST

static void lead_to_artifact(void *arg, struct fx_server_request *r)
{
	fx_server_add_header(r, "Location", arg);
	fx_server_replyf(r, 307, "there\n");
}

START_TEST(redirected)
{
	struct fx_server *leading = NULL;
	struct fx_tree *tree = NULL;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_server_options options = {
	        .listen = "127.0.0.1:0", .handle = lead_to_artifact, .arg = url};
	fx_auto(fetcher) struct fx_fetcher *fetcher = make_fetcher(NULL, 0);
	char at[100];
	ck_assert_ok(fx_server_new(&options, &leading, &err), &err);
	snprintf(at, sizeof(at), "http://127.0.0.1:%d/x", fx_server_port(leading));
	ck_assert_ok(fx_fetch(fetcher, "a", at, digest.text, NULL, &tree, &err), &err);
	fx_tree_unref(tree);
	fx_server_free(leading, 0);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("fetch");
	TCase *tc = tcase_create("fetch");
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, start, stop);
	tcase_add_test(tc, served_as_files);
	tcase_add_test(tc, fetched_once);
	tcase_add_test(tc, fetched_once_by_many);
	tcase_add_test(tc, fetch_failures);
	tcase_add_test(tc, retries);
	tcase_add_test(tc, redirected);
	suite_add_tcase(suite, tc);
	return suite;
}

FX_UNIT_MAIN(make_suite)
