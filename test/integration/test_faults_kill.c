/* source-controller killed at any moment of a changing repository: what it serves afterwards is Git's head,
 * and nothing of the runs that did not end is left. */
#include "core/clock.h"
#include "data/digest.h"
#include "test/integration/env_main.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>

#define KIND "GitRepository"
#define KILLS 20
/* A start takes some 30 ms and a run as long: kills fall before, into and after them. */
#define LIFE_MAX_MS 150
/* Artifacts that the storage may hold of one object: those retained, and one that came since. */
#define ARTIFACTS_MAX 3

static char noise[60001];
static char head[41];

static void commit(int number)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	char text[64];
	snprintf(text, sizeof(text), "count: %d\n", number);
	for (size_t i = 0; i < sizeof(noise) - 1; i++)
		noise[i] = (char)('!' + random() % 90);
	const struct fx_test_file files[] = {{"app/a.yaml", text}, {"noise.txt", noise}, {NULL, NULL}};
	ck_assert_ok(fx_test_git_commit(&env.git, "app", "main", text, files, head, &err), &err);
}

/* Lives for a random moment, then is killed; the end of the process ends the wait too. */
static void live_and_die(void)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	ck_assert_ok(fx_test_controller_launch(&env, &env.source, &err), &err);
	struct pollfd ended = {.fd = env.source.process.pidfd, .events = POLLIN};
	ck_assert_msg(poll(&ended, 1, (int)(random() % LIFE_MAX_MS)) == 0, "it ended by itself");
	fx_test_controller_kill(&env.source);
}

static int count_files(const char *dir, const char *part)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(buf) struct fx_buf out = FX_BUF_INIT;
	const struct fx_test_command command = {
	        .argv = (const char *const[]){"find", dir, "-mindepth", "1", "-name", part, NULL}};
	int count = 0;
	ck_assert_ok(fx_test_run(&command, &out, NULL, &err), &err);
	for (const char *at = fx_buf_str(&out); (at = strchr(at, '\n')); at++)
		count++;
	return count;
}

/* The artifact of the status is what the server gives, and has that digest. */
static void expect_served(const json_t *object)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(buf) struct fx_buf body = FX_BUF_INIT;
	struct fx_digest digest;
	const json_t *artifact = fx_json_at(object, "status", "artifact");
	ck_assert_ok(
	        fx_test_env_download(&env, env.source.port, fx_json_str_at(artifact, "path"), &body, &err),
	        &err);
	ck_assert_int_eq(body.len, (size_t)fx_json_int_at(artifact, -1, "size"));
	ck_assert_ok(fx_digest_bytes(FX_DIGEST_SHA256, body.data, body.len, &digest, &err), &err);
	ck_assert_str_eq(digest.text, fx_json_str_at(artifact, "digest"));
}

START_TEST(killed)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_test_ref ref = {KIND, "app", NULL};
	char token[FX_TEST_TOKEN];
	unsigned seed = (unsigned)fx_wall_ns();
	srandom(seed);
	printf("seed %u\n", seed);
	ck_assert_ok(fx_test_git_create(&env.git, "app", &err), &err);
	commit(0);
	ck_assert_ok(fx_test_env_apply(&env, &err,
	                     "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\n"
	                     "metadata: {name: app}\n"
	                     "spec: {interval: 1s, url: %s/app.git, ref: {branch: main}}\n",
	                     env.git.url),
	        &err);
	for (int i = 1; i <= KILLS; i++) {
		live_and_die();
		commit(i);
	}
	ck_assert_ok(fx_test_controller_start(&env, &env.source, &err), &err);
	for (int i = 0; i < 2; i++) {
		fx_auto(json) json_t *object = NULL;
		ck_assert_ok(fx_test_env_reconcile(&env, &ref, token, &err), &err);
		const struct fx_test_condition want = {.status = "True", .revision = head, .handled = token};
		ck_assert_ok(fx_test_env_wait_condition(&env, &ref, &want, 0, &object, &err), &err);
		expect_served(object);
	}
	/* It looks every second, and a run has files of its own: only a stopped one has none. */
	ck_assert_ok(fx_test_controller_stop(&env.source, &err), &err);
	ck_assert_int_eq(count_files(env.storage, "*.tmp-*"), 0);
	ck_assert_int_le(count_files(env.storage, "*.tar.gz"), ARTIFACTS_MAX);
	ck_assert_int_le(count_files(env.storage, "*.lock"), ARTIFACTS_MAX);
	ck_assert_int_eq(count_files(env.source.tmp, "*"), 0);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("kills");
	TCase *tc = tcase_create("source-controller");
	tcase_add_test(tc, killed);
	suite_add_tcase(suite, tc);
	return suite;
}

static const char *const source_args[] = {"--min-retry-delay=100ms", "--max-retry-delay=1s", NULL};
static const struct fx_test_env_options options = {.idle = true, .source_args = source_args};

FX_ENV_MAIN(make_suite, &options)
