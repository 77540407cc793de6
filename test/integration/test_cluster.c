/* The real API server of the tests does what the other tests rely on. */
#include "test/harness/cluster.h"
#include "test/unit/unit.h"

#include <stdio.h>
#include <string.h>

static struct fx_test_cluster cluster;

#define ck_assert_contains(text, part)                                                                       \
	ck_assert_msg(strstr((text), (part)), "no \"%s\" in: %s", (part), (text))

START_TEST(test_service_account)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(buf) struct fx_buf out = FX_BUF_INIT;
	fx_auto(buf) struct fx_buf counts = FX_BUF_INIT;
	fx_autofree char *path = NULL;

	ck_assert_ok(fx_test_kubectl(&cluster, NULL, NULL, &err, "create", "serviceaccount", "worker"), &err);
	ck_assert_ok(fx_test_cluster_kubeconfig(&cluster, "default", "worker", &path, &err), &err);
	ck_assert_ok(fx_test_kubectl(&cluster, NULL, &out, &err, "--kubeconfig", path, "auth", "whoami", "-o",
	                     "jsonpath={.status.userInfo.username} {.status.userInfo.groups}"),
	        &err);
	ck_assert_contains(fx_buf_str(&out), "system:serviceaccount:default:worker");
	ck_assert_contains(fx_buf_str(&out), "system:serviceaccounts:default");

	int rc = fx_test_kubectl(&cluster, NULL, NULL, &err, "--kubeconfig", path, "get", "secrets");
	ck_assert_int_eq(rc, -FX_E_INTERNAL);
	ck_assert_contains(fx_error_message(&err), "forbidden");

	ck_assert_ok(fx_test_cluster_requests(&cluster, &counts, &err), &err);
	ck_assert_contains(fx_buf_str(&counts), "1\tsystem:serviceaccount:default:worker\tlist\tsecrets\n");
	ck_assert_msg(!strstr(fx_buf_str(&counts), "admin"), "the admin is counted: %s", fx_buf_str(&counts));
}
END_TEST

static const char pod_manifest[] =
        "{\"apiVersion\": \"apps/v1\", \"kind\": \"Deployment\", \"metadata\": {\"name\": \"web\"}, "
        "\"spec\": {"
        "\"replicas\": 2, \"selector\": {\"matchLabels\": {\"app\": \"web\"}}, \"template\": {"
        "\"metadata\": {\"labels\": {\"app\": \"web\"}}, \"spec\": {\"containers\": ["
        "{\"name\": \"web\", \"image\": \"example.com/web:1\"}]}}}}";

START_TEST(test_pods_become_ready)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;

	ck_assert_ok(fx_test_kubectl(&cluster, pod_manifest, NULL, &err, "create", "-f", "-"), &err);
	ck_assert_ok(fx_test_kubectl(
	                     &cluster, NULL, NULL, &err, "rollout", "status", "deploy/web", "--timeout=60s"),
	        &err);
}
END_TEST

START_TEST(test_data_outlives_the_api_server)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(buf) struct fx_buf out = FX_BUF_INIT;

	ck_assert_ok(fx_test_kubectl(&cluster, NULL, NULL, &err, "create", "configmap", "kept"), &err);
	ck_assert_ok(fx_test_cluster_down(&cluster, "apiserver", &err), &err);
	int rc = fx_test_kubectl(&cluster, NULL, NULL, &err, "get", "configmap", "kept");
	ck_assert_int_eq(rc, -FX_E_INTERNAL);
	fx_error_release(&err);
	ck_assert_ok(fx_test_cluster_up(&cluster, "apiserver", &err), &err);
	ck_assert_ok(
	        fx_test_kubectl(&cluster, NULL, &out, &err, "get", "configmap", "kept", "-o", "name"), &err);
	ck_assert_str_eq(fx_buf_str(&out), "configmap/kept\n");
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("cluster");
	TCase *tc = tcase_create("real");

	tcase_set_timeout(tc, 180);
	tcase_add_test(tc, test_service_account);
	tcase_add_test(tc, test_pods_become_ready);
	tcase_add_test(tc, test_data_outlives_the_api_server);
	suite_add_tcase(s, tc);
	return s;
}

/* One cluster for all cases: they run in processes of their own, but one after another. */
int main(void)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const char *api = getenv("FX_TEST_API");

	if (api && strcmp(api, "embedded") == 0) {
		puts("this is about the real API server");
		return FX_TEST_EXIT_SKIPPED;
	}
	int rc = fx_test_cluster_start(
	        &cluster, &(struct fx_test_cluster_options){.pods = true, .audit = true}, &err);
	if (rc < 0) {
		fprintf(stderr, "%s\n", fx_error_message(&err));
		return rc == -FX_E_UNSUPPORTED ? FX_TEST_EXIT_SKIPPED : EXIT_FAILURE;
	}
	SRunner *runner = srunner_create(suite());
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	fx_test_cluster_stop(&cluster);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
