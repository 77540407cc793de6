/*
 * What source-controller says to a Git server: a front in front of the real one that keeps what it is asked,
 * wants credentials, redirects, and speaks as old servers do.
 */
#include "net/http.h"
#include "net/loop.h"
#include "net/server.h"
#include "source-controller/git/checkout.h"
#include "test/harness/gitserver.h"
#include "test/unit/unit.h"

#include <pthread.h>
#include <string.h>

#define HUGE_REFS 8000

static struct fx_loop *loop;
static struct fx_http_client *http;
static struct fx_test_git git;
static struct fx_server *front, *other;
static char first[41], second[41];
static char front_url[100], other_url[100];

/* What a front does, and what it has seen. */
static struct {
	const char *wanted;     /* Authorization without which the answer is 401; NULL: none */
	const char *version;    /* Git-Protocol that the real server is told; NULL: what the client says */
	const char *redirect;   /* origin that everything of the first front is redirected to */
	const char *extra;      /* capabilities added to an advertisement of version 0 */
	pthread_mutex_t lock;   /* of the rest */
	int requests, fetches;  /* seen */
	int authorized;         /* requests with an Authorization */
	char last_fetch[20000]; /* body of the last fetch, NULs and all replaced */
} seen = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void note(struct fx_server_request *r)
{
	size_t len;
	const char *body = fx_server_body(r, &len);
	pthread_mutex_lock(&seen.lock);
	seen.requests++;
	seen.authorized += fx_server_header(r, "Authorization") != NULL;
	if (len && memmem(body, len, "want ", 5)) {
		seen.fetches++;
		snprintf(seen.last_fetch, sizeof(seen.last_fetch), "%.*s", (int)len, body);
	}
	pthread_mutex_unlock(&seen.lock);
}

/* The first line of version 0 gets more capabilities: its length is in its first four digits. */
static void add_capabilities(struct fx_buf *out, const char *body, size_t len)
{
	/* "001e# service=git-upload-pack\n0000" comes before it. */
	const size_t lead = 34;
	size_t length =
	        strtoul((char[]){body[lead], body[lead + 1], body[lead + 2], body[lead + 3], '\0'}, NULL, 16);
	fx_buf_add(out, body, lead);
	fx_buf_addf(out, "%04zx", length + strlen(seen.extra));
	fx_buf_add(out, body + lead + 4, length - 5);
	fx_buf_addf(out, "%s\n", seen.extra);
	fx_buf_add(out, body + lead + length, len - lead - length);
}

static void pass_on(struct fx_server_request *r)
{
	fx_auto(http_response) struct fx_http_response *answer = NULL;
	fx_auto(buf) struct fx_buf changed = FX_BUF_INIT;
	char target[400];
	size_t len;
	const char *body = fx_server_body(r, &len), *said = fx_server_header(r, "Git-Protocol");
	const char *version = seen.version ? seen.version : said;
	const struct fx_http_header headers[] = {{"Content-Type", "application/x-git-upload-pack-request"},
	        {"Git-Protocol", version ? version : ""}};
	snprintf(target, sizeof(target), "%s%s?%s", git.url, fx_server_path(r), fx_server_raw_query(r));
	const struct fx_http_request request = {.method = fx_server_method(r),
	        .url = target,
	        .headers = headers,
	        .header_count = version && *version ? 2 : 1,
	        .body = len ? body : NULL,
	        .body_len = len};
	if (fx_http_do(http, &request, NULL, &answer, NULL) != 0) {
		fx_server_replyf(r, 502, "no answer\n");
		return;
	}
	if (seen.extra && !len && answer->status == 200)
		add_capabilities(&changed, answer->body, answer->body_len);
	fx_server_reply(r, answer->status, fx_http_response_header(answer, "content-type"),
	        changed.len ? changed.data : answer->body, changed.len ? changed.len : answer->body_len);
}

/* arg: not NULL for the first front, which may redirect. */
static void serve(void *arg, struct fx_server_request *r)
{
	const char *login = fx_server_header(r, "Authorization");
	if (arg && seen.redirect) {
		char target[400];
		snprintf(target, sizeof(target), "%s%s?%s", seen.redirect, fx_server_path(r),
		        fx_server_raw_query(r));
		fx_server_add_header(r, "Location", target);
		fx_server_reply(r, 302, NULL, NULL, 0);
		return;
	}
	note(r);
	if (seen.wanted && (!login || strcmp(login, seen.wanted) != 0)) {
		fx_server_add_header(r, "WWW-Authenticate", "Basic realm=\"git\"");
		fx_server_replyf(r, 401, "who are you?\n");
		return;
	}
	pass_on(r);
}

static const struct fx_test_file files_1[] = {{"a.yaml", "a: 1\n"}, {NULL, NULL}};
static const struct fx_test_file files_2[] = {{"a.yaml", "a: 2\n"}, {NULL, NULL}};

#define GIT(...)                                                                                             \
	do {                                                                                                 \
		fx_auto(error) struct fx_error git_err_ = FX_ERROR_INIT;                                     \
		ck_assert_ok(fx_test_git_run(&git, "app", (const char *const[]){__VA_ARGS__, NULL}, NULL,    \
		                     &git_err_),                                                             \
		        &git_err_);                                                                          \
	} while (0)

static struct fx_server *start_front(void *arg, char *url, size_t size)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct fx_server *server = NULL;
	const struct fx_server_options options = {
	        .listen = "127.0.0.1:0", .handle = serve, .arg = arg, .threads = 2};
	ck_assert_ok(fx_server_new(&options, &server, &err), &err);
	snprintf(url, size, "http://127.0.0.1:%d", fx_server_port(server));
	return server;
}

static void start(void)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_git_init();
	ck_assert_ok(fx_loop_new(&loop, &err), &err);
	ck_assert_ok(fx_http_client_new(loop, "test", &http, &err), &err);
	ck_assert_ok(fx_test_git_start(&git, NULL, &err), &err);
	ck_assert_ok(fx_test_git_create(&git, "app", &err), &err);
	ck_assert_ok(fx_test_git_commit(&git, "app", "main", "first", files_1, first, &err), &err);
	GIT("tag", "-a", "-m", "release", "v1.0.0");
	ck_assert_ok(fx_test_git_commit(&git, "app", "main", "second", files_2, second, &err), &err);
	front = start_front(&front, front_url, sizeof(front_url));
	other = start_front(NULL, other_url, sizeof(other_url));
}

static void stop(void)
{
	fx_server_free(front, 0);
	fx_server_free(other, 0);
	fx_test_git_stop(&git);
	fx_http_client_free(http);
	fx_loop_free(loop);
}

static char url[200];

static struct fx_git_checkout_options options_for(const char *origin, const char *path)
{
	snprintf(url, sizeof(url), "%s%s", origin, path);
	return (struct fx_git_checkout_options){
	        .remote = {.http = http, .url = url}, .display_url = url, .scratch_prefix = "test-git-"};
}

START_TEST(logins)
{
	static const struct {
		const char *what, *wanted, *user, *password, *bearer;
		bool ok;
	} cases[] = {
	        {"basic", "Basic Zng6c2VjcmV0", "fx", "secret", NULL, true},
	        {"user name alone", "Basic Zng6", "fx", NULL, NULL, true},
	        {"bearer", "Bearer t0ken", NULL, NULL, "t0ken", true},
	        {"wrong bearer", "Bearer t0ken", NULL, NULL, "other", false},
	        {"nothing", "Bearer t0ken", NULL, NULL, NULL, false},
	};
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		fx_auto(git_checkout) struct fx_git_checkout c = FX_GIT_CHECKOUT_INIT;
		struct fx_git_checkout_options o = options_for(front_url, "/app.git");
		o.reference.branch = "main";
		o.remote.user = cases[i].user;
		o.remote.password = cases[i].password;
		o.remote.bearer = cases[i].bearer;
		seen.wanted = cases[i].wanted;
		int rc = fx_git_checkout(&o, NULL, &c, &err);
		ck_assert_msg(
		        (rc == 0) == cases[i].ok, "%s: %d %s", cases[i].what, rc, fx_error_message(&err));
		if (!cases[i].ok)
			ck_assert_msg(strstr(fx_error_message(&err), "authentication required") &&
			                      !strstr(fx_error_message(&err), "other"),
			        "%s: %s", cases[i].what, fx_error_message(&err));
	}
}
END_TEST

/* Credentials stay with the host that they are for. */
START_TEST(redirects)
{
	static const struct {
		const char *what, *user, *bearer;
	} cases[] = {{"basic", "fx", NULL}, {"bearer", NULL, "t0ken"}};
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		fx_auto(git_checkout) struct fx_git_checkout c = FX_GIT_CHECKOUT_INIT;
		struct fx_git_checkout_options o = options_for(front_url, "/app.git");
		o.reference.branch = "main";
		o.remote.user = cases[i].user;
		o.remote.password = cases[i].user ? "secret" : NULL;
		o.remote.bearer = cases[i].bearer;
		seen.redirect = other_url;
		seen.requests = seen.authorized = 0;
		ck_assert_ok(fx_git_checkout(&o, NULL, &c, &err), &err);
		ck_assert_int_ge(seen.requests, 3);
		ck_assert_msg(seen.authorized == 0, "%s: %d of %d requests", cases[i].what, seen.authorized,
		        seen.requests);
	}
}
END_TEST

/* Every way to name the same commit, on servers of every version. */
START_TEST(history_and_nothing_new)
{
	static const char *const versions[] = {"version=2", "version=1", ""};
	const struct {
		const char *what;
		struct fx_git_reference reference;
		bool whole; /* version 0 and 1 give what no reference points to only with its branch */
	} cases[] = {
	        {"branch", {.branch = "main"}, false},
	        {"annotated tag", {.tag = "v1.0.0"}, false},
	        {"semver", {.semver = "1.x"}, false},
	        {"name", {.name = "refs/heads/main"}, false},
	        {"peeled name", {.name = "refs/tags/v1.0.0^{}"}, false},
	        {"name of the head", {.name = "HEAD"}, false},
	        {"commit", {.commit = first}, true},
	};
	for (size_t v = 0; v < FX_COUNT(versions); v++) {
		for (size_t i = 0; i < FX_COUNT(cases); i++) {
			fx_auto(error) struct fx_error err = FX_ERROR_INIT;
			fx_auto(git_checkout) struct fx_git_checkout c = FX_GIT_CHECKOUT_INIT,
			                                             again = FX_GIT_CHECKOUT_INIT;
			struct fx_git_checkout_options o = options_for(front_url, "/app.git");
			o.reference = cases[i].reference;
			seen.version = versions[v];
			seen.fetches = 0;
			int rc = fx_git_checkout(&o, NULL, &c, &err);
			ck_assert_msg(
			        rc == 0, "%s, %s: %s", versions[v], cases[i].what, fx_error_message(&err));
			bool deepens = strstr(seen.last_fetch, "deepen 1\n") != NULL;
			bool whole = cases[i].whole && v > 0;
			ck_assert_msg(seen.fetches == 1 && deepens == !whole, "%s, %s: %d fetches: %s",
			        versions[v], cases[i].what, seen.fetches, seen.last_fetch);
			ck_assert_msg(!strstr(seen.last_fetch, "thin-pack"), "%s", seen.last_fetch);

			o.last_revision = c.revision;
			ck_assert_ok(fx_git_checkout(&o, NULL, &again, &err), &err);
			ck_assert_msg(again.partial && seen.fetches == 1, "%s, %s: fetched again",
			        versions[v], cases[i].what);
		}
	}
}
END_TEST

START_TEST(branches_and_heads)
{
	char upper[41];
	fx_auto(error) struct fx_error made = FX_ERROR_INIT;
	for (int i = 0; i < 41; i++)
		upper[i] = (char)(first[i] >= 'a' ? first[i] - 32 : first[i]);
	ck_assert_ok(fx_test_git_create(&git, "unborn", &made), &made);
	ck_assert_ok(fx_test_git_commit(&git, "unborn", "trunk", "first", files_1, NULL, &made), &made);
	GIT("update-ref", "refs/heads/team/feature/x", first);
	GIT("symbolic-ref", "refs/heads/stable", "refs/heads/team/feature/x");
	GIT("symbolic-ref", "refs/heads/broken", "refs/heads/nowhere");
	GIT("tag", "-a", "-m", "of a tag", "nested", "v1.0.0");
	const struct {
		const char *what, *path;
		struct fx_git_reference reference;
		const char *name, *hash, *error;
	} cases[] = {
	        {"branch with slashes", "/app.git", {.branch = "team/feature/x"}, "team/feature/x", first,
	                NULL},
	        {"symbolic branch", "/app.git", {.branch = "stable"}, "stable", first, NULL},
	        {"symbolic branch to nowhere", "/app.git", {.branch = "broken"}, NULL, NULL,
	                "couldn't find remote ref \"refs/heads/broken\""},
	        {"tag of a tag", "/app.git", {.tag = "nested"}, "nested", first, NULL},
	        {"head", "/app.git", {.name = "HEAD"}, "HEAD", second, NULL},
	        {"head to nowhere", "/unborn.git", {.name = "HEAD"}, NULL, NULL,
	                "unable to resolve ref 'HEAD' to a specific commit"},
	        {"commit in capitals", "/app.git", {.commit = upper}, "", first, NULL},
	        {"half a commit", "/app.git", {.commit = "abc123"}, NULL, NULL,
	                "unable to resolve commit object for 'abc123': not a commit hash of 40 digits"},
	        {"no such commit", "/app.git", {.commit = "0123456789012345678901234567890123456789"}, NULL,
	                NULL,
	                "unable to resolve commit object for '0123456789012345678901234567890123456789'"},
	        {"default branch", "/app.git", {0}, NULL, NULL,
	                "couldn't find remote ref \"refs/heads/master\""},
	        {"all empty", "/app.git", {.branch = "", .tag = "", .semver = "", .name = "", .commit = ""},
	                NULL, NULL, "couldn't find remote ref \"refs/heads/master\""},
	};
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		fx_auto(git_checkout) struct fx_git_checkout c = FX_GIT_CHECKOUT_INIT;
		char want[200];
		struct fx_git_checkout_options o = options_for(git.url, cases[i].path);
		o.reference = cases[i].reference;
		int rc = fx_git_checkout(&o, NULL, &c, &err);
		ck_assert_msg(
		        (rc == 0) == !cases[i].error, "%s: %d %s", cases[i].what, rc, fx_error_message(&err));
		if (cases[i].error) {
			ck_assert_msg(strstr(fx_error_message(&err), cases[i].error), "%s: '%s', want '%s'",
			        cases[i].what, fx_error_message(&err), cases[i].error);
			continue;
		}
		snprintf(want, sizeof(want), "%s%ssha1:%s", cases[i].name, *cases[i].name ? "@" : "",
		        cases[i].hash);
		ck_assert_msg(
		        strcmp(c.revision, want) == 0, "%s: %s, want %s", cases[i].what, c.revision, want);
	}
	/* And with a branch of that name it is the one. */
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(git_checkout) struct fx_git_checkout c = FX_GIT_CHECKOUT_INIT;
	GIT("update-ref", "refs/heads/master", first);
	struct fx_git_checkout_options o = options_for(git.url, "/app.git");
	ck_assert_ok(fx_git_checkout(&o, NULL, &c, &err), &err);
	ck_assert_msg(strncmp(c.revision, "master@sha1:", 12) == 0, "%s", c.revision);
}
END_TEST

/* Versions that differ in what does not count: the newer commit is the one. */
START_TEST(equal_versions)
{
	static const char script[] =
	        "set -e; cd \"$1\"; export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory "
	        "GIT_CONFIG_VALUE_0='*' "
	        "GIT_AUTHOR_NAME=t GIT_AUTHOR_EMAIL=t@x GIT_COMMITTER_NAME=t GIT_COMMITTER_EMAIL=t@x\n"
	        "t=$(git rev-parse main^{tree})\n"
	        "git tag \"v2.0.0+$2\" $(GIT_COMMITTER_DATE='1600000000 +0000' git commit-tree -m older $t)\n"
	        "git tag -a -m x \"v2.0.0+$3\" $(GIT_COMMITTER_DATE='1700000000 +0000' git commit-tree -m "
	        "newer $t)\n";
	static const char *const names[][2] = {{"a", "b"}, {"d", "c"}};
	fx_autofree char *repository = NULL;
	ck_assert_int_gt(asprintf(&repository, "%s/repos/app.git", git.dir), 0);
	for (size_t i = 0; i < FX_COUNT(names); i++) {
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		fx_auto(git_checkout) struct fx_git_checkout c = FX_GIT_CHECKOUT_INIT;
		char want[64];
		const struct fx_test_command make = {.argv = (const char *const[]){"sh", "-c", script, "tags",
		                                             repository, names[i][0], names[i][1], NULL}};
		ck_assert_ok(fx_test_run(&make, NULL, NULL, &err), &err);
		struct fx_git_checkout_options o = options_for(git.url, "/app.git");
		o.reference.semver = "2.x";
		ck_assert_ok(fx_git_checkout(&o, NULL, &c, &err), &err);
		snprintf(want, sizeof(want), "v2.0.0+%s@sha1:", names[i][1]);
		ck_assert_msg(strncmp(c.revision, want, strlen(want)) == 0, "%s, want %s", c.revision, want);
		ck_assert_str_eq(c.commit.subject, "newer");
		for (size_t k = 0; k < 2; k++) {
			snprintf(want, sizeof(want), "v2.0.0+%s", names[i][k]);
			GIT("tag", "-d", want);
		}
	}
}
END_TEST

/* Thousands of references: those that are not asked for cost nothing in version 2, little in 0. */
START_TEST(many_references)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	static const char *const versions[] = {"version=2", ""};
	fx_auto(buf) struct fx_buf script = FX_BUF_INIT;
	fx_autofree char *repository = NULL;
	for (int i = 0; i < HUGE_REFS; i++)
		fx_buf_addf(&script, "create refs/pull/%d/head %s\n", i, first);
	ck_assert_int_gt(asprintf(&repository, "%s/repos/app.git", git.dir), 0);
	const struct fx_test_command create = {.argv = (const char *const[]){"git", "-c", "safe.directory=*",
	                                               "-C", repository, "update-ref", "--stdin", NULL},
	        .input = fx_buf_str(&script)};
	ck_assert_ok(fx_test_run(&create, NULL, NULL, &err), &err);
	GIT("pack-refs", "--all");
	for (size_t v = 0; v < FX_COUNT(versions); v++) {
		fx_auto(git_checkout) struct fx_git_checkout c = FX_GIT_CHECKOUT_INIT,
		                                             pull = FX_GIT_CHECKOUT_INIT;
		struct fx_git_checkout_options o = options_for(front_url, "/app.git");
		seen.version = versions[v];
		o.reference.branch = "main";
		ck_assert_ok(fx_git_checkout(&o, NULL, &c, &err), &err);
		o.reference = (struct fx_git_reference){.name = "refs/pull/7999/head"};
		ck_assert_ok(fx_git_checkout(&o, NULL, &pull, &err), &err);
		ck_assert_str_eq(pull.hash, first);
	}
}
END_TEST

/* Azure DevOps and CodeCommit have multi_ack and answer only who takes it. */
START_TEST(old_capabilities)
{
	static const char *const cases[] = {" multi_ack multi_ack_detailed", " multi_ack"};
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		fx_auto(git_checkout) struct fx_git_checkout c = FX_GIT_CHECKOUT_INIT;
		struct fx_git_checkout_options o = options_for(front_url, "/app.git");
		o.reference.branch = "main";
		seen.version = "";
		seen.extra = cases[i];
		ck_assert_ok(fx_git_checkout(&o, NULL, &c, &err), &err);
		ck_assert_msg(strstr(seen.last_fetch, " multi_ack"), "%s", seen.last_fetch);
	}
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("Git on the wire");
	TCase *tc = tcase_create("front");
	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, start, stop);
	tcase_add_test(tc, logins);
	tcase_add_test(tc, redirects);
	tcase_add_test(tc, history_and_nothing_new);
	tcase_add_test(tc, branches_and_heads);
	tcase_add_test(tc, equal_versions);
	tcase_add_test(tc, many_references);
	tcase_add_test(tc, old_capabilities);
	suite_add_tcase(suite, tc);
	return suite;
}

FX_UNIT_MAIN(make_suite)
