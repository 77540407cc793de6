/* source-controller when things go wrong: users' mistakes and Git servers on their worst days. One bad object
 * never holds up a good one. */
#include "test/harness/peer.h"
#include "test/integration/env_main.h"

static struct fx_test_peer peer;
static char head[41];

#define KIND "GitRepository"

/* Enough that does not compress, so that a pack has a middle. */
static char noise[20001];

static const struct fx_test_file files[] = {{"noise.txt", noise}, {"app/a.yaml", "a: 1\n"},
        {"app/b.yaml", "b: 1\n"}, {"README.md", "hello\n"}, {NULL, NULL}};

static const char secrets[] =
        "apiVersion: v1\nkind: Secret\nmetadata: {name: good}\nstringData: {username: fx, password: secret}\n"
        "---\n"
        "apiVersion: v1\nkind: Secret\nmetadata: {name: wrong}\nstringData: {username: fx, password: "
        "hunter2}\n"
        "---\n"
        "apiVersion: v1\nkind: Secret\nmetadata: {name: no-user}\nstringData: {password: hunter2}\n"
        "---\n"
        "apiVersion: v1\nkind: Secret\nmetadata: {name: empty}\n"
        "---\n"
        "apiVersion: v1\nkind: Secret\nmetadata: {name: bad-ca}\nstringData: {ca.crt: no certificate}\n"
        "---\n"
        "apiVersion: v1\nkind: Secret\nmetadata: {name: no-proxy}\nstringData: {username: fx}\n";

static void setup(void)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	for (size_t i = 0; i < sizeof(noise) - 1; i++)
		noise[i] = (char)('!' + random() % 90);
	ck_assert_ok(fx_test_git_create(&env.git, "app", &err), &err);
	ck_assert_ok(fx_test_git_create(&env.git, "empty", &err), &err);
	ck_assert_ok(fx_test_git_commit(&env.git, "app", "main", "first", files, head, &err), &err);
	ck_assert_ok(fx_test_peer_start(&peer, env.git.port, &err), &err);
	ck_assert_ok(fx_test_env_apply(&env, &err, "%s", secrets), &err);
}

static void teardown(void)
{
	fx_test_peer_stop(&peer);
}

/* A repository by URL; @ is our Git server and ! the broken one. */
static int add_repository(const char *name, const char *url, const char *more, struct fx_error *err)
{
	char host[300];
	if (*url == '@')
		snprintf(host, sizeof(host), "%s%s", env.git.url, url + 1);
	else if (*url == '!')
		snprintf(host, sizeof(host), "http://127.0.0.1:%d%s", peer.port, url + 1);
	else
		snprintf(host, sizeof(host), "%s", url);
	return fx_test_env_apply(&env, err,
	        "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: %s}\n"
	        "spec:\n  interval: 1h\n  timeout: 10s\n  url: %s\n%s",
	        name, host, more ? more : "");
}

/* A repository that stays good gets through at once, whatever the others do. */
static void expect_others_go_on(void)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_test_ref good = {KIND, "good-one", NULL};
	char token[FX_TEST_TOKEN];
	ck_assert_ok(add_repository("good-one", "@/app.git", "  ref: {branch: main}\n", &err), &err);
	ck_assert_ok(fx_test_env_reconcile(&env, &good, token, &err), &err);
	ck_assert_ok(
	        fx_test_env_wait_condition(&env, &good,
	                &(struct fx_test_condition){.status = "True", .revision = head, .handled = token}, 0,
	                NULL, &err),
	        &err);
}

struct mistake {
	const char *name, *url, *more;
	const char *reason, *message;
	bool stalled;
};

static void check_mistakes(const struct mistake *cases, size_t count)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	for (size_t i = 0; i < count; i++)
		ck_assert_ok(add_repository(cases[i].name, cases[i].url, cases[i].more, &err), &err);
	expect_others_go_on();
	for (size_t i = 0; i < count; i++) {
		const struct mistake *c = &cases[i];
		const struct fx_test_ref ref = {KIND, c->name, NULL};
		fx_auto(json) json_t *object = NULL;
		struct fx_test_condition want = {
		        .status = "False", .reason = c->reason, .message = c->message};
		ck_assert_ok(fx_test_env_wait_condition(&env, &ref, &want, 0, &object, &err), &err);
		fx_autofree char *text = fx_json_text(json_object_get(object, "status"), NULL);
		ck_assert_msg(!strstr(text, "hunter2"), "%s: a secret in %s", c->name, text);
		ck_assert_msg(!json_object_get(json_object_get(object, "status"), "artifact"), "%s: %s",
		        c->name, text);
		want.type = c->stalled ? "Stalled" : "Reconciling";
		want.status = "True";
		want.reason = c->stalled ? c->reason : "ProgressingWithRetry";
		want.message = NULL;
		ck_assert_ok(fx_test_env_wait_condition(&env, &ref, &want, 0, NULL, &err), &err);
		ck_assert_ok(fx_test_env_wait_event(&env, &ref, c->reason, c->message, 0, &err), &err);
		if (getenv("FX_TEST_SHOW"))
			printf("%s: %s\n", c->name, text);
	}
	for (size_t i = 0; i < count; i++) {
		const struct fx_test_ref ref = {KIND, cases[i].name, NULL};
		ck_assert_ok(fx_test_env_delete(&env, &ref, &err), &err);
		ck_assert_ok(fx_test_env_wait_gone(&env, &ref, 0, &err), &err);
	}
}

START_TEST(mistakes)
{
	static const struct mistake cases[] = {
	        {"no-repository", "@/nope.git", NULL, "GitOperationFailed", "repository not found", false},
	        {"no-branch", "@/app.git", "  ref: {branch: nope}\n", "GitOperationFailed",
	                "couldn't find remote ref \"refs/heads/nope\"", false},
	        {"empty-repository", "@/empty.git", "  ref: {branch: main}\n", "EmptyGitRepository",
	                "git repository is empty", false},
	        {"no-commit", "@/app.git", "  ref: {commit: \"0123456789012345678901234567890123456789\"}\n",
	                "GitOperationFailed", "0123456789012345678901234567890123456789", false},
	        {"bad-semver", "@/app.git", "  ref: {semver: what}\n", "GitOperationFailed",
	                "semver parse error", false},
	        {"no-host", "http://nowhere.invalid/app.git", NULL, "GitOperationFailed", "nowhere.invalid",
	                false},
	        {"refused", "http://127.0.0.1:1/app.git", NULL, "GitOperationFailed", "127.0.0.1", false},
	        {"ssh", "ssh://git@127.0.0.1:1/app.git", "  secretRef: {name: good}\n", "NotSupported",
	                "SSH URLs are not supported yet", true},
	        {"no-secret", "@/app.git", "  secretRef: {name: absent}\n", "AuthenticationFailed", "absent",
	                false},
	        {"wrong-password", "@/private/app.git", "  secretRef: {name: wrong}\n", "GitOperationFailed",
	                "authentication required", false},
	        {"no-password", "@/private/app.git", NULL, "GitOperationFailed", "authentication required",
	                false},
	        {"no-user", "@/private/app.git", "  secretRef: {name: no-user}\n", "AuthenticationFailed",
	                "'password' requires 'username' to be set", false},
	        {"empty-secret", "@/private/app.git", "  secretRef: {name: empty}\n", "GitOperationFailed",
	                "authentication required", false},
	        {"bad-ca", "https://127.0.0.1:1/app.git", "  secretRef: {name: bad-ca}\n",
	                "AuthenticationFailed", "failed to parse CA certificate", false},
	        {"no-proxy", "@/app.git", "  proxySecretRef: {name: no-proxy}\n", "AuthenticationFailed",
	                "address", false},
	        {"no-include", "@/app.git", "  include: [{repository: {name: absent}}]\n", "NotFound",
	                "could not get resource for include 'absent'", false},
	};
	check_mistakes(cases, FX_COUNT(cases));
}
END_TEST

START_TEST(bad_peers)
{
	static const struct mistake cases[] = {
	        {"hang", "!/hang/app.git", "  timeout: 1s\n", "GitOperationFailed", "deadline exceeded",
	                false},
	        {"silent", "!/silent/app.git", "  timeout: 1s\n  ref: {branch: main}\n", "GitOperationFailed",
	                "deadline exceeded", false},
	        {"reset", "!/reset/app.git", NULL, "GitOperationFailed", "reset by peer", false},
	        {"garbage", "!/garbage/app.git", NULL, "GitOperationFailed", "HTTP/0.9", false},
	        {"html", "!/html/app.git", NULL, "GitOperationFailed", "smart HTTP", false},
	        {"s500", "!/500/app.git", NULL, "GitOperationFailed", "500", false},
	        {"s503", "!/503/app.git", NULL, "GitOperationFailed", "503", false},
	        {"loop", "!/loop/app.git", NULL, "GitOperationFailed", "redirect", false},
	        {"badpkt", "!/badpkt/app.git", NULL, "GitOperationFailed", "invalid pkt-len", false},
	        /* A million references take their time under a sanitizer. */
	        {"endless", "!/endless/app.git", "  timeout: 50s\n", "GitOperationFailed", "more than",
	                false},
	        {"cut", "!/cut/app.git", "  ref: {branch: main}\n", "GitOperationFailed", "transfer closed",
	                false},
	        {"corrupt", "!/corrupt/app.git", "  ref: {branch: main}\n", "GitOperationFailed",
	                "invalid pack", false},
	        {"ghost", "!/ghost/app.git", "  ref: {branch: main}\n", "GitOperationFailed", "not our ref",
	                false},
	};
	check_mistakes(cases, FX_COUNT(cases));
}
END_TEST

/* A long fetch shows its progress, and the run goes on with what the object said when it began. */
START_TEST(slow_fetch)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_test_ref ref = {KIND, "slow", NULL};
	fx_auto(json) json_t *object = NULL;
	ck_assert_ok(
	        add_repository("slow", "!/slow/app.git",
	                "  ref: {branch: main}\n  ignore: |\n    /*\n    !/app\n    /app/b.yaml\n", &err),
	        &err);
	struct fx_test_condition want = {
	        .status = "Unknown", .reason = "Progressing", .message = "building artifact: new upstream"};
	ck_assert_ok(fx_test_env_wait_condition(&env, &ref, &want, 0, NULL, &err), &err);
	want = (struct fx_test_condition){.status = "True", .revision = head};
	ck_assert_ok(fx_test_env_wait_condition(&env, &ref, &want, 0, &object, &err), &err);
	ck_assert_str_eq(fx_json_str_at(object, "status", "observedIgnore"), "/*\n!/app\n/app/b.yaml\n");
	ck_assert_ok(fx_test_env_delete(&env, &ref, &err), &err);
	ck_assert_ok(fx_test_env_wait_gone(&env, &ref, 0, &err), &err);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("faults of source-controller");
	TCase *tc = tcase_create("mistakes");
	tcase_add_unchecked_fixture(tc, setup, teardown);
	tcase_add_test(tc, mistakes);
	tcase_add_test(tc, bad_peers);
	tcase_add_test(tc, slow_fetch);
	suite_add_tcase(suite, tc);
	return suite;
}

static const char *const source_args[] = {"--min-retry-delay=200ms", "--max-retry-delay=1s", NULL};
static const struct fx_test_env_options options = {.source_args = source_args};

FX_ENV_MAIN(make_suite, &options)
