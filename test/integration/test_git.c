/* The Git protocol, checkout and archive of source-controller against git http-backend behind Apache. */
#include "artifact/tree.h"
#include "core/clock.h"
#include "net/http.h"
#include "net/loop.h"
#include "net/server.h"
#include "source-controller/content.h"
#include "source-controller/git/checkout.h"
#include "test/harness/gitserver.h"
#include "test/unit/unit.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>

static struct fx_loop *loop;
static struct fx_http_client *http;
static struct fx_test_git git;
static char first[41], second[41];

static const struct fx_test_file files_1[] = {{"app/a.yaml", "a: 1\n"}, {"app/b.yaml", "b: 1\n"},
        {"README.md", "read me\n"}, {"logo.png", "png"}, {NULL, NULL}};
static const struct fx_test_file files_2[] = {{"app/a.yaml", "a: 2\n"}, {"app/b.yaml", NULL}, {NULL, NULL}};

#define GIT(...)                                                                                             \
	do {                                                                                                 \
		fx_auto(error) struct fx_error git_err_ = FX_ERROR_INIT;                                     \
		ck_assert_ok(fx_test_git_run(&git, "app", (const char *const[]){__VA_ARGS__, NULL}, NULL,    \
		                     &git_err_),                                                             \
		        &git_err_);                                                                          \
	} while (0)

static void start(const struct fx_test_git_options *options)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_git_init();
	ck_assert_ok(fx_loop_new(&loop, &err), &err);
	ck_assert_ok(fx_http_client_new(loop, "test", &http, &err), &err);
	ck_assert_ok(fx_test_git_start(&git, options, &err), &err);
	ck_assert_ok(fx_test_git_create(&git, "empty", &err), &err);
	ck_assert_ok(fx_test_git_create(&git, "app", &err), &err);
	ck_assert_ok(fx_test_git_commit(&git, "app", "main", "first", files_1, first, &err), &err);
	GIT("tag", "v1.0.0");
	GIT("tag", "v1.0.1-rc.1");
	ck_assert_ok(fx_test_git_commit(&git, "app", "main", "second", files_2, second, &err), &err);
	GIT("tag", "-a", "-m", "release", "v1.1.0");
	GIT("tag", "v2");
	GIT("update-ref", "refs/pull/7/head", first);
}

static void start_plain(void)
{
	start(NULL);
}

static void start_version_0(void)
{
	static const struct fx_test_git_options options = {.no_protocol_v2 = true};
	start(&options);
}

static void start_tls(void)
{
	static const struct fx_test_git_options options = {.tls = true, .client_certificates = true};
	start(&options);
}

static void stop(void)
{
	fx_test_git_stop(&git);
	fx_http_client_free(http);
	fx_loop_free(loop);
}

static char url[256];

static struct fx_git_checkout_options options_for(const char *path)
{
	snprintf(url, sizeof(url), "%s%s", git.url, path);
	return (struct fx_git_checkout_options){
	        .remote = {.http = http, .url = url}, .display_url = url, .scratch_prefix = "test-git-"};
}

static void expect_revision(
        const struct fx_git_checkout *c, const char *name, const char *hash, const char *what)
{
	char want[256];
	snprintf(want, sizeof(want), "%s%ssha1:%s", name, *name ? "@" : "", hash);
	ck_assert_msg(strcmp(c->revision, want) == 0, "%s: %s, want %s", what, c->revision, want);
}

START_TEST(references)
{
	const struct {
		const char *what;
		struct fx_git_reference reference;
		const char *name, *hash, *subject;
	} cases[] = {
	        {"branch", {.branch = "main"}, "main", second, "second"},
	        {"light tag", {.tag = "v1.0.0"}, "v1.0.0", first, "first"},
	        {"annotated tag", {.tag = "v1.1.0"}, "v1.1.0", second, "second"},
	        {"semver", {.semver = ">=1.0.0 <1.1.0"}, "v1.0.0", first, "first"},
	        {"semver, highest", {.semver = "1.x"}, "v1.1.0", second, "second"},
	        {"semver, prerelease", {.semver = ">=1.0.1-0 <1.1.0"}, "v1.0.1-rc.1", first, "first"},
	        {"name of a branch", {.name = "refs/heads/main"}, "refs/heads/main", second, "second"},
	        {"name, peeled", {.name = "refs/tags/v1.1.0^{}"}, "refs/tags/v1.1.0^{}", second, "second"},
	        {"name of a pull request", {.name = "refs/pull/7/head"}, "refs/pull/7/head", first, "first"},
	        {"commit", {.commit = first}, "", first, "first"},
	        {"commit and branch", {.commit = first, .branch = "main"}, "main", first, "first"},
	        {"commit beats name", {.commit = first, .name = "refs/heads/main"}, "refs/heads/main", first,
	                "first"},
	        {"name beats tag", {.name = "refs/heads/main", .tag = "v1.0.0"}, "refs/heads/main", second,
	                "second"},
	        {"tag beats semver", {.tag = "v1.0.0", .semver = "1.x"}, "v1.0.0", first, "first"},
	        {"semver beats branch", {.semver = "1.0.0", .branch = "main"}, "v1.0.0", first, "first"},
	};
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		fx_auto(git_checkout) struct fx_git_checkout c = FX_GIT_CHECKOUT_INIT;
		struct fx_git_checkout_options options = options_for("/app.git");
		options.reference = cases[i].reference;
		int rc = fx_git_checkout(&options, NULL, &c, &err);
		ck_assert_msg(rc == 0, "%s: %s", cases[i].what, fx_error_message(&err));
		expect_revision(&c, cases[i].name, cases[i].hash, cases[i].what);
		ck_assert_str_eq(c.commit.subject, cases[i].subject);
		ck_assert(!c.partial);
	}
}
END_TEST

START_TEST(failures)
{
	const struct {
		const char *what, *path;
		struct fx_git_reference reference;
		int code;
		const char *text;
	} cases[] = {
	        {"no branch", "/app.git", {.branch = "nope"}, FX_E_NOT_FOUND,
	                "couldn't find remote ref \"refs/heads/nope\""},
	        {"longer name only", "/app.git", {.branch = "mai"}, FX_E_NOT_FOUND,
	                "couldn't find remote ref \"refs/heads/mai\""},
	        {"no tag", "/app.git", {.tag = "v9"}, FX_E_NOT_FOUND,
	                "couldn't find remote ref \"refs/tags/v9\""},
	        {"no version", "/app.git", {.semver = "9.x"}, FX_E_NOT_FOUND,
	                "no match found for semver: 9.x"},
	        {"bad constraint", "/app.git", {.semver = "what"}, FX_E_PARSE, "semver parse error"},
	        {"no name", "/app.git", {.name = "refs/x/y"}, FX_E_NOT_FOUND,
	                "unable to resolve ref 'refs/x/y' to a specific commit"},
	        {"slash", "/app.git", {.name = "refs/heads/main/"}, FX_E_INVALID,
	                "cannot begin or end with a slash"},
	        {"no commit", "/app.git", {.commit = "0123456789012345678901234567890123456789"}, 0, ""},
	        {"empty repository", "/empty.git", {.branch = "main"}, FX_E_GONE, "git repository is empty"},
	        {"empty repository, tag", "/empty.git", {.tag = "v1"}, FX_E_NOT_FOUND,
	                "remote repository is empty"},
	        {"no repository", "/nope.git", {.branch = "main"}, FX_E_NOT_FOUND, "repository not found"},
	};
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		fx_auto(git_checkout) struct fx_git_checkout c = FX_GIT_CHECKOUT_INIT;
		struct fx_git_checkout_options options = options_for(cases[i].path);
		options.reference = cases[i].reference;
		int rc = fx_git_checkout(&options, NULL, &c, &err);
		ck_assert_msg(rc < 0, "%s: no error", cases[i].what);
		if (cases[i].code)
			ck_assert_msg(rc == -cases[i].code, "%s: %d, %s", cases[i].what, rc,
			        fx_error_message(&err));
		ck_assert_msg(strstr(fx_error_message(&err), cases[i].text), "%s: '%s', want '%s'",
		        cases[i].what, fx_error_message(&err), cases[i].text);
	}
}
END_TEST

START_TEST(nothing_moved)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(git_checkout) struct fx_git_checkout c = FX_GIT_CHECKOUT_INIT, again = FX_GIT_CHECKOUT_INIT;
	struct fx_git_checkout_options options = options_for("/app.git");
	options.reference.branch = "main";
	ck_assert_ok(fx_git_checkout(&options, NULL, &c, &err), &err);
	options.last_revision = c.revision;
	ck_assert_ok(fx_git_checkout(&options, NULL, &again, &err), &err);
	ck_assert(again.partial);
	ck_assert_ptr_null(again.scratch);
	ck_assert_str_eq(again.revision, c.revision);
}
END_TEST

START_TEST(authentication)
{
	const struct {
		const char *user, *password, *want;
	} cases[] = {{"fx", "secret", NULL}, {"fx", "wrong", "authentication required"},
	        {NULL, NULL, "authentication required"}};
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		fx_auto(git_checkout) struct fx_git_checkout c = FX_GIT_CHECKOUT_INIT;
		struct fx_git_checkout_options options = options_for("/private/app.git");
		options.reference.branch = "main";
		options.remote.user = cases[i].user;
		options.remote.password = cases[i].password;
		int rc = fx_git_checkout(&options, NULL, &c, &err);
		ck_assert_msg((rc == 0) == !cases[i].want, "case %zu: %s", i, fx_error_message(&err));
		if (cases[i].want)
			ck_assert_msg(
			        strstr(fx_error_message(&err), cases[i].want), "%s", fx_error_message(&err));
		ck_assert(!strstr(fx_error_message(&err), "wrong"));
	}
}
END_TEST

START_TEST(server_away)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(git_checkout) struct fx_git_checkout c = FX_GIT_CHECKOUT_INIT;
	struct fx_git_checkout_options options = options_for("/app.git");
	fx_test_git_down(&git);
	ck_assert_int_eq(fx_git_checkout(&options, NULL, &c, &err), -FX_E_CONNECT);
}
END_TEST

/* Writes the archive of a checkout and reads it back. */
static struct fx_tree *archive(const char *rules, struct fx_tree *include, const char *from, const char *to,
        struct fx_digest *digest)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(git_checkout) struct fx_git_checkout c = FX_GIT_CHECKOUT_INIT;
	fx_auto(content) struct fx_content *content = NULL;
	fx_auto(targz) struct fx_targz *targz = NULL;
	struct fx_git_checkout_options options = options_for("/app.git");
	struct fx_tree *tree = NULL;
	uint64_t size;
	options.reference.branch = "main";
	ck_assert_ok(fx_git_checkout(&options, NULL, &c, &err), &err);
	ck_assert_ok(fx_content_new(c.scratch, &c.commit.tree, &content, &err), &err);
	if (include)
		ck_assert_ok(fx_content_include(content, include, from, to, &err), &err);
	fx_auto(fd) int fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	ck_assert_ok(fx_targz_new(fd, FX_DIGEST_SHA256, &targz, &err), &err);
	ck_assert_ok(fx_content_archive(content, rules, targz, &err), &err);
	ck_assert_ok(fx_targz_finish(targz, digest, &size, &err), &err);
	lseek(fd, 0, SEEK_SET);
	ck_assert_ok(fx_tree_read_fd(fd, NULL, &tree, &err), &err);
	return tree;
}

START_TEST(archives)
{
	struct fx_digest a, b, other;
	fx_auto(tree) struct fx_tree *tree = archive(NULL, NULL, NULL, NULL, &a);
	fx_auto(tree) struct fx_tree *same = archive("# no rule\n", NULL, NULL, NULL, &b);
	ck_assert_str_eq(a.text, b.text);
	ck_assert_uint_eq(fx_tree_size(tree), fx_tree_size(same));
	ck_assert_str_eq(fx_tree_find(tree, "app/a.yaml")->data, "a: 2\n");
	ck_assert_ptr_null(fx_tree_find(tree, "app/b.yaml"));
	ck_assert_ptr_nonnull(fx_tree_find(tree, "README.md"));
	ck_assert_ptr_null(fx_tree_find(tree, "logo.png"));

	fx_auto(tree) struct fx_tree *part = archive("/*\n!/app\n", NULL, NULL, NULL, &other);
	ck_assert_ptr_nonnull(fx_tree_find(part, "app/a.yaml"));
	ck_assert_ptr_null(fx_tree_find(part, "README.md"));

	/* One rule, and pictures are no longer left out. */
	fx_auto(tree) struct fx_tree *picture = archive("*.md\n", NULL, NULL, NULL, &other);
	ck_assert_ptr_nonnull(fx_tree_find(picture, "logo.png"));
}
END_TEST

START_TEST(nested_rules)
{
	static const struct fx_test_file files[] = {{"app/.sourceignore", "/x.yaml\n*.tmp\n"},
	        {"app/x.yaml", "x"}, {"app/sub/x.yaml", "x"}, {"app/sub/y.tmp", "y"}, {"y.tmp", "y"},
	        {"app/sub/.gitignore", "z"}, {NULL, NULL}};
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct fx_digest digest;
	ck_assert_ok(fx_test_git_commit(&git, "app", "main", "rules", files, NULL, &err), &err);
	fx_auto(tree) struct fx_tree *tree = archive(NULL, NULL, NULL, NULL, &digest);
	ck_assert_ptr_null(fx_tree_find(tree, "app/x.yaml"));
	ck_assert_ptr_nonnull(fx_tree_find(tree, "app/sub/x.yaml"));
	ck_assert_ptr_null(fx_tree_find(tree, "app/sub/y.tmp"));
	ck_assert_ptr_nonnull(fx_tree_find(tree, "y.tmp"));
	ck_assert_ptr_null(fx_tree_find(tree, "app/sub/.gitignore"));
	ck_assert_ptr_nonnull(fx_tree_find(tree, "app/.sourceignore"));
	ck_assert_ptr_nonnull(fx_tree_find(tree, "logo.png"));
	/* spec.ignore comes last and wins. */
	fx_auto(tree) struct fx_tree *back = archive("!/app/x.yaml\n", NULL, NULL, NULL, &digest);
	ck_assert_ptr_nonnull(fx_tree_find(back, "app/x.yaml"));
}
END_TEST

START_TEST(includes)
{
	struct fx_digest digest;
	fx_auto(tree) struct fx_tree *other = archive(NULL, NULL, NULL, NULL, &digest);
	fx_auto(tree) struct fx_tree *part = archive(NULL, other, "app", "vendor/other", &digest);
	ck_assert_str_eq(fx_tree_find(part, "vendor/other/a.yaml")->data, "a: 2\n");
	ck_assert_ptr_null(fx_tree_find(part, "vendor/other/README.md"));
	fx_auto(tree) struct fx_tree *up = archive(NULL, other, "", "../../up", &digest);
	ck_assert_ptr_nonnull(fx_tree_find(up, "up/README.md"));

	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(git_checkout) struct fx_git_checkout c = FX_GIT_CHECKOUT_INIT;
	fx_auto(content) struct fx_content *content = NULL;
	struct fx_git_checkout_options options = options_for("/app.git");
	options.reference.branch = "main";
	ck_assert_ok(fx_git_checkout(&options, NULL, &c, &err), &err);
	ck_assert_ok(fx_content_new(c.scratch, &c.commit.tree, &content, &err), &err);
	ck_assert_int_eq(fx_content_include(content, other, "nope", "x", &err), -FX_E_NOT_FOUND);
	ck_assert_int_eq(fx_content_include(content, other, "", "app", &err), -FX_E_EXISTS);
	ck_assert_int_eq(fx_content_include(content, other, "", "README.md/x", &err), -FX_E_INVALID);
	ck_assert_ok(fx_content_include(content, other, "", "new", &err), &err);
	ck_assert_int_eq(fx_content_include(content, other, "", "new/app", &err), -FX_E_EXISTS);
	ck_assert_ok(fx_content_include(content, other, "", "new/inner", &err), &err);
}
END_TEST

/*
 * A server in front of the real one that passes on what it gets, but does something to packs.
 */
enum harm { HARM_NONE, HARM_SLOW, HARM_CUT, HARM_FLIP, HARM_ERROR_BAND, HARM_500 };
static enum harm harm;

static void pass_pack(struct fx_server_request *r, const char *body, size_t len)
{
	static const char band_error[] = "000dpackfile\n0015\3it broke at last";
	fx_autofree char *copy = malloc(len);
	size_t half = len / 2;
	memcpy(copy, body, len);
	if (harm == HARM_FLIP)
		copy[len - 40] ^= 1;
	if (harm == HARM_ERROR_BAND) {
		fx_server_reply(
		        r, 200, "application/x-git-upload-pack-result", band_error, sizeof(band_error) - 1);
		return;
	}
	if (harm == HARM_500) {
		fx_server_replyf(r, 500, "no\n");
		return;
	}
	if (harm != HARM_SLOW) {
		fx_server_reply(
		        r, 200, "application/x-git-upload-pack-result", copy, harm == HARM_CUT ? half : len);
		return;
	}
	struct fx_server_stream *stream =
	        fx_server_reply_stream(r, 200, "application/x-git-upload-pack-result", 1 << 24);
	fx_server_stream_push(stream, copy, half);
	/* The time itself is what is tested. */
	struct timespec pause = {.tv_sec = FX_GIT_SLOW_MS / 1000, .tv_nsec = 200 * 1000000};
	nanosleep(&pause, NULL);
	fx_server_stream_push(stream, copy + half, len - half);
	fx_server_stream_close(stream);
}

static void pass_on(void *arg, struct fx_server_request *r)
{
	(void)arg;
	fx_auto(http_response) struct fx_http_response *answer = NULL;
	char target[300];
	size_t len;
	const char *body = fx_server_body(r, &len);
	const struct fx_http_header headers[] = {
	        {"Git-Protocol", "version=2"}, {"Content-Type", "application/x-git-upload-pack-request"}};
	if (strncmp(fx_server_path(r), "/moved.git/", 11) == 0) {
		snprintf(target, sizeof(target), "%s/app.git/%s?%s", git.url, fx_server_path(r) + 11,
		        fx_server_raw_query(r));
		fx_server_add_header(r, "Location", target);
		fx_server_reply(r, 301, NULL, NULL, 0);
		return;
	}
	snprintf(target, sizeof(target), "%s%s?%s", git.url, fx_server_path(r), fx_server_raw_query(r));
	const struct fx_http_request request = {.method = fx_server_method(r),
	        .url = target,
	        .headers = headers,
	        .header_count = 2,
	        .body = len ? body : NULL,
	        .body_len = len};
	if (fx_http_do(http, &request, NULL, &answer, NULL) != 0)
		fx_server_replyf(r, 502, "no answer\n");
	else if (len && strstr(body, "command=fetch"))
		pass_pack(r, answer->body, answer->body_len);
	else
		fx_server_reply(r, answer->status, fx_http_response_header(answer, "content-type"),
		        answer->body, answer->body_len);
}

static void count_slow(void *arg, const char *slow_revision)
{
	ck_assert_ptr_nonnull(strstr(slow_revision, second));
	++*(int *)arg;
}

START_TEST(harmed_packs)
{
	static const struct {
		const char *what;
		enum harm harm;
		const char *error; /* NULL: works */
		int slow;
	} cases[] = {
	        {"as it is", HARM_NONE, NULL, 0},
	        {"slow", HARM_SLOW, NULL, 1},
	        {"cut short", HARM_CUT, "", 0},
	        {"a bit flipped", HARM_FLIP, "invalid pack", 0},
	        {"error of the server", HARM_ERROR_BAND, "the server failed: it broke at last", 0},
	        {"status 500", HARM_500, "unexpected HTTP status: 500", 0},
	};
	struct fx_server *front = NULL;
	const struct fx_server_options options = {.listen = "127.0.0.1:0", .handle = pass_on, .threads = 2};
	ck_assert_ok(fx_server_new(&options, &front, NULL), NULL);
	char front_url[100];
	snprintf(front_url, sizeof(front_url), "http://127.0.0.1:%d/app.git", fx_server_port(front));
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		fx_auto(git_checkout) struct fx_git_checkout c = FX_GIT_CHECKOUT_INIT;
		int slow = 0;
		struct fx_git_checkout_options o = options_for("");
		o.remote.url = o.display_url = front_url;
		o.reference.branch = "main";
		o.on_slow = count_slow;
		o.arg = &slow;
		harm = cases[i].harm;
		int rc = fx_git_checkout(&o, NULL, &c, &err);
		ck_assert_msg((rc == 0) == !cases[i].error, "%s: %s", cases[i].what, fx_error_message(&err));
		if (cases[i].error)
			ck_assert_msg(strstr(fx_error_message(&err), cases[i].error), "%s: '%s'",
			        cases[i].what, fx_error_message(&err));
		ck_assert_msg(slow == cases[i].slow, "%s: %d calls", cases[i].what, slow);
	}
	fx_server_free(front, 0);
}
END_TEST

START_TEST(moved_repository)
{
	struct fx_server *front = NULL;
	char front_url[100];
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(git_checkout) struct fx_git_checkout c = FX_GIT_CHECKOUT_INIT;
	const struct fx_server_options options = {.listen = "127.0.0.1:0", .handle = pass_on};
	ck_assert_ok(fx_server_new(&options, &front, NULL), NULL);
	snprintf(front_url, sizeof(front_url), "http://127.0.0.1:%d/moved.git", fx_server_port(front));
	struct fx_git_checkout_options o = options_for("");
	o.remote.url = o.display_url = front_url;
	o.reference.branch = "main";
	ck_assert_ok(fx_git_checkout(&o, NULL, &c, &err), &err);
	expect_revision(&c, "main", second, "moved");
	fx_server_free(front, 0);
}
END_TEST

START_TEST(killed_runs_leave_nothing)
{
	const char *tmp = getenv("TMPDIR");
	fx_autofree char *left = NULL, *file = NULL;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(git_scratch) struct fx_git_scratch *used = NULL;
	ck_assert_ok(fx_git_scratch_new("test-git-left-", &used, &err), &err);
	ck_assert_int_gt(asprintf(&left, "%s/test-git-left-XXXXXX", tmp && *tmp ? tmp : "/tmp"), 0);
	ck_assert_ptr_nonnull(mkdtemp(left));
	ck_assert_int_gt(asprintf(&file, "%s/pack", left), 0);
	fx_auto(fd) int fd = open(file, O_CREAT | O_WRONLY, 0600);
	ck_assert_int_ge(fd, 0);
	fx_git_scratch_sweep("test-git-left-");
	ck_assert_int_ne(access(left, F_OK), 0);
	/* The one in use is still there and good for a pack. */
	ck_assert_int_eq(fx_git_scratch_feed(used, "no pack", 7, &err), 0);
	ck_assert_int_lt(fx_git_scratch_finish(used, &err), 0);
}
END_TEST

/* A tree as no git makes it, written as an object by hand. */
START_TEST(hostile_tree)
{
	static const char script[] =
	        "set -e; cd \"$1\"; b=$(printf x | git hash-object -w --stdin); r=$(printf %s $b | sed "
	        "'s/../\\\\x&/g'); "
	        "t=$(printf \"100644 $2\\0$r\" | git hash-object -w -t tree --literally --stdin); "
	        "git update-ref refs/heads/evil $(git commit-tree -m evil $t)";
	static const char *const names[] = {"..", ".", "a/b"};
	fx_autofree char *repo = NULL;
	ck_assert_int_gt(asprintf(&repo, "%s/repos/app.git", git.dir), 0);
	for (size_t i = 0; i < FX_COUNT(names); i++) {
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		fx_auto(git_checkout) struct fx_git_checkout c = FX_GIT_CHECKOUT_INIT;
		fx_auto(content) struct fx_content *content = NULL;
		fx_auto(targz) struct fx_targz *targz = NULL;
		const char *const argv[] = {"bash", "-c", script, "hostile", repo, names[i], NULL};
		const char *const env[] = {"GIT_AUTHOR_NAME=t", "GIT_AUTHOR_EMAIL=t@example.com",
		        "GIT_COMMITTER_NAME=t", "GIT_COMMITTER_EMAIL=t@example.com", NULL};
		const struct fx_test_command command = {.argv = argv, .env = env};
		ck_assert_ok(fx_test_run(&command, NULL, NULL, &err), &err);
		struct fx_git_checkout_options options = options_for("/app.git");
		options.reference.branch = "evil";
		ck_assert_ok(fx_git_checkout(&options, NULL, &c, &err), &err);
		ck_assert_ok(fx_content_new(c.scratch, &c.commit.tree, &content, &err), &err);
		fx_auto(fd) int fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);
		ck_assert_ok(fx_targz_new(fd, FX_DIGEST_SHA256, &targz, &err), &err);
		ck_assert_msg(fx_content_archive(content, NULL, targz, &err) == -FX_E_INVALID, "'%s': %s",
		        names[i], fx_error_message(&err));
	}
}
END_TEST

START_TEST(client_certificate)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(error) struct fx_error refused = FX_ERROR_INIT;
	fx_auto(git_checkout) struct fx_git_checkout c = FX_GIT_CHECKOUT_INIT;
	struct fx_git_checkout_options options = options_for("/app.git");
	struct fx_tls tls = {.ca_pem = git.ca_pem, .system_ca_too = true};
	options.reference.branch = "main";
	ck_assert_int_eq(fx_git_checkout(&options, NULL, &c, &refused), -FX_E_TLS);
	options.remote.tls = &tls;
	ck_assert_int_lt(fx_git_checkout(&options, NULL, &c, &refused), 0);
	tls.cert_pem = git.cert_pem;
	tls.key_pem = git.key_pem;
	ck_assert_ok(fx_git_checkout(&options, NULL, &c, &err), &err);
	expect_revision(&c, "main", second, "mTLS");
}
END_TEST

static TCase *make_case(const char *name, void (*setup)(void))
{
	TCase *tc = tcase_create(name);
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, stop);
	return tc;
}

static Suite *make_suite(void)
{
	Suite *suite = suite_create("git");
	TCase *v2 = make_case("version 2", start_plain), *v0 = make_case("version 0", start_version_0);
	TCase *tls = make_case("TLS", start_tls);
	tcase_add_test(v2, references);
	tcase_add_test(v2, failures);
	tcase_add_test(v2, nothing_moved);
	tcase_add_test(v2, authentication);
	tcase_add_test(v2, server_away);
	tcase_add_test(v2, archives);
	tcase_add_test(v2, nested_rules);
	tcase_add_test(v2, includes);
	tcase_add_test(v2, harmed_packs);
	tcase_add_test(v2, moved_repository);
	tcase_add_test(v2, killed_runs_leave_nothing);
	tcase_add_test(v2, hostile_tree);
	tcase_add_test(v0, references);
	tcase_add_test(v0, failures);
	tcase_add_test(v0, nothing_moved);
	tcase_add_test(tls, client_certificate);
	suite_add_tcase(suite, v2);
	suite_add_tcase(suite, v0);
	suite_add_tcase(suite, tls);
	return suite;
}

FX_UNIT_MAIN(make_suite)
