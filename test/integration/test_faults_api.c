/* source-controller while the API server fails it: away for a while, watches cut, every kind of bad answer.
 * Afterwards statuses tell what Git has, and what was held for the failures is given back. */
#include "test/integration/env_main.h"

#define KIND "GitRepository"
#define REPOSITORIES 5
#define USER "system:serviceaccount:" FX_TEST_NAMESPACE ":source-controller"
/* What the malloc arenas may keep of a storm. */
#define MEMORY_SLACK_KB 4096
#define FILES_SLACK 8

static char head[41];
static struct fx_test_memory before;

static void commit(void)
{
	static int count;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	char text[64];
	snprintf(text, sizeof(text), "count: %d\n", ++count);
	const struct fx_test_file files[] = {{"app/a.yaml", text}, {NULL, NULL}};
	ck_assert_ok(fx_test_git_commit(&env.git, "app", "main", text, files, head, &err), &err);
}

static void name_of(int i, char name[32])
{
	snprintf(name, 32, "app-%d", i);
}

/* Every repository gets to the head. token: of each, when a reconcile was asked for. */
static void expect_head(char tokens[REPOSITORIES][FX_TEST_TOKEN], const char *what)
{
	for (int i = 0; i < REPOSITORIES; i++) {
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		char name[32];
		name_of(i, name);
		const struct fx_test_ref ref = {KIND, name, NULL};
		const struct fx_test_condition want = {
		        .status = "True", .revision = head, .handled = tokens ? tokens[i] : NULL};
		int rc = fx_test_env_wait_condition(&env, &ref, &want, 15000, NULL, &err);
		ck_assert_msg(rc == 0, "%s: %s", what, fx_error_message(&err));
	}
}

static void ask_all(char tokens[REPOSITORIES][FX_TEST_TOKEN])
{
	for (int i = 0; i < REPOSITORIES; i++) {
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		char name[32];
		name_of(i, name);
		const struct fx_test_ref ref = {KIND, name, NULL};
		ck_assert_ok(fx_test_env_reconcile(&env, &ref, tokens[i], &err), &err);
	}
}

static void setup(void)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	ck_assert_ok(fx_test_git_create(&env.git, "app", &err), &err);
	commit();
	for (int i = 0; i < REPOSITORIES; i++)
		ck_assert_ok(fx_test_env_apply(&env, &err,
		                     "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\n"
		                     "metadata: {name: app-%d}\n"
		                     "spec: {interval: %s, url: %s/app.git, ref: {branch: main}}\n",
		                     i, i ? "1h" : "1s", env.git.url),
		        &err);
	expect_head(NULL, "start");
	before = fx_test_controller_memory(&env.source);
}

static void expect_memory_back(void)
{
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	struct fx_test_memory now = fx_test_controller_memory(&env.source);
	ck_assert_msg(now.private_kb <= before.private_kb + MEMORY_SLACK_KB, "memory: %ld kB, %ld kB before",
	        now.private_kb, before.private_kb);
	ck_assert_msg(
	        now.files <= before.files + FILES_SLACK, "files: %d, %d before", now.files, before.files);
#endif
}

START_TEST(away)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	char tokens[REPOSITORIES][FX_TEST_TOKEN];
	ck_assert_ok(fx_test_env_api_down(&env, &err), &err);
	/* Found by the repository that is looked at each second, and not to be told to anybody. */
	commit();
	commit();
	ck_assert_ok(fx_test_env_api_up(&env, &err), &err);
	ask_all(tokens);
	expect_head(tokens, "after the outage");
	expect_memory_back();
}
END_TEST

static const struct {
	const char *name, *fault;
	int count; /* -1: while the case lasts a moment */
} storms[] = {
        {"cut", "\"type\":\"cut\",\"path\":\"/apis/source.toolkit.fluxcd.io\"", 0},
        {"gone", "\"type\":\"410\",\"verb\":\"watch\"", 2},
        {"watch 500", "\"type\":\"500\",\"verb\":\"watch\"", 2},
        {"list 503", "\"type\":\"503\",\"verb\":\"list\"", 2},
        {"conflict", "\"type\":\"409\",\"verb\":\"patch\"", 10},
        {"too many", "\"type\":\"429\",\"retryAfter\":1", 4},
        {"500", "\"type\":\"500\"", 5},
        {"503", "\"type\":\"503\"", 5},
        {"504", "\"type\":\"504\"", 5},
        {"401", "\"type\":\"401\"", 5},
        {"403", "\"type\":\"403\"", 5},
        {"404", "\"type\":\"404\",\"verb\":\"patch\"", 5},
        {"reset", "\"type\":\"reset\"", 5},
        {"truncate", "\"type\":\"truncate\"", 10},
        {"latency", "\"type\":\"latency\",\"latencyMs\":200", 20},
};

/* A fault for the controller alone; watches are opened again so that they meet it too. */
static void start_storm(size_t i)
{
	static const char cut[] = "{\"type\":\"cut\",\"path\":\"/apis/source.toolkit.fluxcd.io\"}";
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	char body[300];
	if (storms[i].count) {
		snprintf(body, sizeof(body), "{%s,\"user\":\"" USER "\",\"count\":%d}", storms[i].fault,
		        storms[i].count);
		ck_assert_ok(
		        fx_test_apiserver_request(&env.embedded, "POST", "/_faults", body, NULL, &err), &err);
	}
	ck_assert_ok(fx_test_apiserver_request(&env.embedded, "POST", "/_compact", NULL, NULL, &err), &err);
	ck_assert_ok(fx_test_apiserver_request(&env.embedded, "POST", "/_faults", cut, NULL, &err), &err);
}

START_TEST(storm)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	char tokens[REPOSITORIES][FX_TEST_TOKEN];
	if (env.real)
		return;
	if (getenv("FX_TEST_SHOW"))
		fprintf(stderr, "%s\n", storms[_i].name);
	start_storm((size_t)_i);
	commit();
	ask_all(tokens);
	expect_head(tokens, storms[_i].name);
	ck_assert_ok(fx_test_apiserver_request(&env.embedded, "DELETE", "/_faults", NULL, NULL, &err), &err);
}
END_TEST

START_TEST(afterwards)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	expect_memory_back();
	for (int i = 0; i < REPOSITORIES; i++) {
		char name[32];
		name_of(i, name);
		const struct fx_test_ref ref = {KIND, name, NULL};
		ck_assert_ok(fx_test_env_delete(&env, &ref, &err), &err);
		ck_assert_ok(fx_test_env_wait_gone(&env, &ref, 0, &err), &err);
	}
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("faults of the API server");
	TCase *tc = tcase_create("source-controller");
	tcase_add_unchecked_fixture(tc, setup, NULL);
	tcase_add_test(tc, away);
	tcase_add_loop_test(tc, storm, 0, FX_COUNT(storms));
	tcase_add_test(tc, afterwards);
	suite_add_tcase(suite, tc);
	return suite;
}

static const char *const source_args[] = {"--min-retry-delay=100ms", "--max-retry-delay=1s", NULL};
static const struct fx_test_env_options options = {.source_args = source_args};

FX_ENV_MAIN(make_suite, &options)
