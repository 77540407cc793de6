/* Flags and gates of kustomize-controller: it is started again for each of them. */
#include "test/integration/app.h"
#include "test/integration/house.h"

#define KS(name) ((struct fx_test_ref){"Kustomization", name, NULL})

static const char *const plain[] = {NULL};

static void expect_event(const struct app *app, const char *message)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	ck_assert_ok(fx_test_env_wait_event(&env, &KS(app->name), NULL, message, 0, &err), &err);
}

START_TEST(changes_are_grouped_in_the_log)
{
	static const char *const args[] = {"--feature-gates=GroupChangeLog=true", NULL};
	struct app app = {.name = "group"};
	static const struct fx_test_file files[] = {
	        {"a.yaml", CONFIG("group-a", "v")}, {"b.yaml", CONFIG("group-b", "v")}, {NULL, NULL}};
	house_restart(&env.kustomize, args);
	commit(&app, files, "first");
	kustomization(&app, "");
	wait_ready(&app);
	fx_autofree char *log = house_log(&env.kustomize);
	ck_assert_ptr_nonnull(strstr(log, "server-side apply completed: created: [ConfigMap/default/group-a, "
	                                  "ConfigMap/default/group-b]"));
	delete_app(&app);
}
END_TEST

/* The wait ends with what asks for a new run, and says so. */
START_TEST(new_revision_ends_the_wait)
{
	static const char *const args[] = {"--feature-gates=CancelHealthCheckOnNewRevision=true", NULL};
	struct app app = {.name = "cancel"};
	static const struct fx_test_file one[] = {{"a.yaml", CONFIG("cancel", "one")}, {NULL, NULL}};
	static const struct fx_test_file two[] = {{"a.yaml", CONFIG("cancel", "two")}, {NULL, NULL}};
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	house_restart(&env.kustomize, args);
	commit(&app, one, "first");
	kustomization(&app, "  healthChecks: [{apiVersion: v1, kind: ConfigMap, name: cancel-other, "
	                    "namespace: default}]\n");
	house_wait("Kustomization", app.name,
	        (struct fx_test_condition){.type = "Healthy", .status = "Unknown", .reason = "Progressing"});
	commit(&app, two, "second");
	expect_event(&app, "Health checks canceled due to new reconciliation triggered by "
	                   "GitRepository/flux-system/cancel");
	wait_value("cancel", "two");
	ck_assert_ok(fx_test_env_apply(&env, &err,
	                     "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cancel-other, namespace: "
	                     "default}\n"),
	        &err);
	wait_ready(&app);
	delete_app(&app);
}
END_TEST

START_TEST(shard_by_label)
{
	static const char *const args[] = {"--watch-label-selector=shard=one", NULL};
	struct app other = {.name = "shard-other"}, own = {.name = "shard-own"};
	static const struct fx_test_file files[] = {{"a.yaml", CONFIG("shard", "v")}, {NULL, NULL}};
	house_restart(&env.kustomize, args);
	commit(&other, files, "first");
	commit(&own, files, "first");
	kustomization(&other, "");
	kustomization(&own, "");
	patch("Kustomization", own.name, NULL, "{\"metadata\":{\"labels\":{\"shard\":\"one\"}}}");
	wait_ready(&own);
	fx_auto(json) json_t *left = house_get("Kustomization", other.name, NULL);
	ck_assert_ptr_null(fx_json_at(left, "status", "conditions"));
	delete_app(&own);
	house_restart(&env.kustomize, plain);
	wait_ready(&other);
	delete_app(&other);
}
END_TEST

/* Every ConfigMap counts, labelled or not. */
START_TEST(all_configs_are_watched)
{
	static const char *const args[] = {"--watch-configs-label-selector=", NULL};
	struct app app = {.name = "configs"};
	static const struct fx_test_file files[] = {{"a.yaml", CONFIG("configs", "'${who}'")}, {NULL, NULL}};
	house_restart(&env.kustomize, args);
	house_apply("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: configs-vars}\ndata: {who: one}\n");
	commit(&app, files, "first");
	kustomization(&app, "  postBuild: {substituteFrom: [{kind: ConfigMap, name: configs-vars}]}\n");
	wait_value("configs", "one");
	patch("ConfigMap", "configs-vars", NULL, "{\"data\":{\"who\":\"two\"}}");
	wait_value("configs", "two");
	delete_app(&app);
}
END_TEST

/* Kinds that are named come before the rest: what they have changed is told when the rest fails. */
START_TEST(stage_of_named_kinds)
{
	static const char *const args[] = {"--custom-apply-stage-kinds=ConfigMap", NULL};
	struct app app = {.name = "staged"};
	static const struct fx_test_file files[] = {{"a.yaml", CONFIG("staged", "v")},
	        {"b.yaml",
	                "apiVersion: v1\nkind: Secret\nmetadata: {name: staged}\nstringData: {'a b': x}\n"},
	        {NULL, NULL}};
	house_restart(&env.kustomize, args);
	commit(&app, files, "first");
	kustomization(&app, "");
	wait_failed(&app, "ReconciliationFailed", "Secret/default/staged dry-run failed (Invalid)");
	expect_event(&app, "\nConfigMap/default/staged created");
	delete_app(&app);
}
END_TEST

/* Without an account of its own the object is applied as the default one, which may do nothing. */
START_TEST(default_account)
{
	static const char *const args[] = {"--default-service-account=powerless", NULL};
	struct app app = {.name = "powerless"};
	static const struct fx_test_file files[] = {{"a.yaml", CONFIG("powerless", "v")}, {NULL, NULL}};
	/* The embedded server has no RBAC. */
	if (!env.real)
		return;
	house_restart(&env.kustomize, args);
	house_apply("apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: powerless}\n");
	commit(&app, files, "first");
	kustomization(&app, "");
	wait_failed(&app, "ReconciliationFailed", "User \"system:serviceaccount:flux-system:powerless\"");
	house_restart(&env.kustomize, plain);
	wait_ready(&app);
	delete_app(&app);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("kustomization: flags");
	TCase *tc = tcase_create("flags");
	tcase_set_timeout(tc, 600);
	tcase_add_test(tc, changes_are_grouped_in_the_log);
	tcase_add_test(tc, new_revision_ends_the_wait);
	tcase_add_test(tc, shard_by_label);
	tcase_add_test(tc, all_configs_are_watched);
	tcase_add_test(tc, stage_of_named_kinds);
	tcase_add_test(tc, default_account);
	suite_add_tcase(suite, tc);
	return suite;
}

static const struct fx_test_env_options options = {.kustomize = true, .kustomize_args = plain};

FX_ENV_MAIN(make_suite, &options)
