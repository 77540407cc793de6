/* source-controller when things go wrong: users' mistakes, broken peers, kills, a full storage. */
#include "test/integration/env_main.h"

static const struct fx_test_file files_1[] = {{"app/a.yaml", "a: 1\n"}, {NULL, NULL}};

static int add_repository(const char *name, const char *url, const char *more, struct fx_error *err)
{
	return fx_test_env_apply(&env, err,
	        "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: %s}\n"
	        "spec:\n  interval: 1h\n  timeout: 20s\n  url: %s\n%s",
	        name, url, more);
}

START_TEST(good_one)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	char hash[41];
	ck_assert_ok(fx_test_git_create(&env.git, "app", &err), &err);
	ck_assert_ok(fx_test_git_commit(&env.git, "app", "main", "first", files_1, hash, &err), &err);
	char url[200];
	snprintf(url, sizeof(url), "%s/app.git", env.git.url);
	const struct fx_test_ref ref = {"GitRepository", "app", NULL};
	ck_assert_ok(add_repository("app", url, "  ref: {branch: main}\n", &err), &err);
	ck_assert_ok(fx_test_env_wait_condition(&env, &ref,
	                     &(struct fx_test_condition){.status = "True", .revision = hash}, 0, NULL, &err),
	        &err);
	ck_assert_ok(fx_test_env_wait_event(&env, &ref, "NewArtifact", "first", 0, &err), &err);
	ck_assert_ok(fx_test_env_delete(&env, &ref, &err), &err);
	ck_assert_ok(fx_test_env_wait_gone(&env, &ref, 0, &err), &err);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("faults of source-controller");
	TCase *tc = tcase_create("mistakes");
	tcase_add_test(tc, good_one);
	suite_add_tcase(suite, tc);
	return suite;
}

FX_ENV_MAIN(make_suite, NULL)
