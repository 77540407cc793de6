/* What happens to objects that leave Git, and to all of them when their Kustomization is deleted. */
#include "test/integration/app.h"

#include "core/clock.h"
#include "kube/object.h"

#define USER "system:serviceaccount:" FX_TEST_NAMESPACE ":kustomize-controller"
#define KS(name) ((struct fx_test_ref){"Kustomization", name, NULL})

static void start(struct app *app, const char *spec)
{
	char text[200];
	snprintf(text, sizeof(text), CONFIG("%s", "git"), app->name);
	const struct fx_test_file files[] = {{"a.yaml", text}, {NULL, NULL}};
	commit(app, files, "first");
	kustomization(app, spec);
	wait_ready(app);
}

static void ask_deletion(const struct app *app)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	ck_assert_ok(fx_test_env_delete(&env, &KS(app->name), &err), &err);
}

static void wait_end(const struct app *app)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_test_ref git = {"GitRepository", app->name, NULL};
	ck_assert_ok(fx_test_env_wait_gone(&env, &KS(app->name), 0, &err), &err);
	ck_assert_ok(fx_test_env_delete(&env, &git, &err), &err);
}

static void expect_event(const struct app *app, const char *reason, const char *message)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	ck_assert_ok(fx_test_env_wait_event(&env, &KS(app->name), reason, message, 0, &err), &err);
}

static void remove_object(const char *kind, const char *name)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_test_ref ref = {kind, name, "default"};
	ck_assert_ok(fx_test_env_delete(&env, &ref, &err), &err);
	wait_gone(kind, name);
}

static const struct {
	const char *name, *spec, *mark;
	bool stays;
} policies[] = {
        {"default", "", NULL, false},
        {"default-no-prune", "{\"spec\":{\"prune\":false}}", NULL, true},
        {"mirror", "{\"spec\":{\"deletionPolicy\":\"MirrorPrune\"}}", NULL, false},
        {"mirror-no-prune", "{\"spec\":{\"deletionPolicy\":\"MirrorPrune\",\"prune\":false}}", NULL, true},
        {"delete-no-prune", "{\"spec\":{\"deletionPolicy\":\"Delete\",\"prune\":false}}", NULL, false},
        {"wait", "{\"spec\":{\"deletionPolicy\":\"WaitForTermination\",\"prune\":false}}", NULL, false},
        {"orphan", "{\"spec\":{\"deletionPolicy\":\"Orphan\"}}", NULL, true},
        {"suspended", "{\"spec\":{\"deletionPolicy\":\"Delete\",\"suspend\":true}}", NULL, true},
        {"marked", "", "{\"metadata\":{\"labels\":{\"kustomize.toolkit.fluxcd.io/prune\":\"Disabled\"}}}",
                true},
};

START_TEST(deletion_policy)
{
	struct app app = {0};
	snprintf(app.name, sizeof(app.name), "end-%s", policies[_i].name);
	start(&app, "");
	if (policies[_i].mark)
		patch("ConfigMap", app.name, "default", policies[_i].mark);
	if (*policies[_i].spec)
		patch("Kustomization", app.name, NULL, policies[_i].spec);
	ask_deletion(&app);
	wait_end(&app);
	if (!policies[_i].stays) {
		wait_gone("ConfigMap", app.name);
		return;
	}
	ck_assert_msg(exists("ConfigMap", app.name), "%s", policies[_i].name);
	remove_object("ConfigMap", app.name);
}
END_TEST

/* The Kustomization is there as long as its objects are, through requests that fail. */
START_TEST(waits_for_termination)
{
	static const char fault[] = "{\"type\":\"500\",\"verb\":\"get\",\"path\":\"/api/v1/namespaces/"
	                            "default/configmaps\",\"user\":\"" USER "\",\"count\":8}";
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct app app = {.name = "end-slowly"};
	start(&app, "  deletionPolicy: WaitForTermination\n");
	patch("ConfigMap", app.name, "default", "{\"metadata\":{\"finalizers\":[\"example.com/slow\"]}}");
	ask_deletion(&app);
	expect_event(&app, NULL, "ConfigMap/default/end-slowly deleted");
	if (!env.real)
		ck_assert_ok(fx_test_apiserver_request(&env.embedded, "POST", "/_faults", fault, NULL, &err),
		        &err);
	fx_auto(json) json_t *ks = NULL;
	ck_assert_ok(fx_test_env_get(&env, &KS(app.name), &ks, &err), &err);
	ck_assert(exists("ConfigMap", app.name));
	patch("ConfigMap", app.name, "default", "{\"metadata\":{\"finalizers\":null}}");
	wait_end(&app);
	int failures = 0;
	ck_assert_ok(fx_test_env_count_events(&env, &KS(app.name), NULL,
	                     "failed to wait for resources termination", &failures, &err),
	        &err);
	ck_assert_int_eq(failures, 0);
	if (!env.real)
		ck_assert_ok(fx_test_apiserver_request(&env.embedded, "DELETE", "/_faults", NULL, NULL, &err),
		        &err);
}
END_TEST

/* Who may delete them is gone: they are left, and an event lists them. */
START_TEST(account_is_gone)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct app app = {.name = "end-account"};
	ck_assert_ok(
	        fx_test_env_apply(&env, &err,
	                "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: worker}\n---\n"
	                "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\n"
	                "metadata: {name: end-worker}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: "
	                "ClusterRole, name: cluster-admin}\nsubjects: [{kind: ServiceAccount, name: worker, "
	                "namespace: " FX_TEST_NAMESPACE "}]\n"),
	        &err);
	start(&app, "  serviceAccountName: worker\n  retryInterval: 1s\n");
	const struct fx_test_ref account = {"ServiceAccount", "worker", NULL};
	ck_assert_ok(fx_test_env_delete(&env, &account, &err), &err);
	ask_deletion(&app);
	wait_end(&app);
	expect_event(&app, NULL, "unable to prune objects: \nConfigMap/default/end-account");
	remove_object("ConfigMap", app.name);
}
END_TEST

static void refuse_deletes(int count)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	char body[300];
	snprintf(body, sizeof(body),
	        "{\"type\":\"403\",\"verb\":\"delete\",\"path\":\"/api/v1/namespaces/default/"
	        "configmaps\",\"user\":\"" USER "\",\"count\":%d}",
	        count);
	ck_assert_ok(fx_test_apiserver_request(&env.embedded, "POST", "/_faults", body, NULL, &err), &err);
}

START_TEST(deletes_are_refused)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	/* Only the embedded server refuses for a while. */
	if (env.real)
		return;
	struct app app = {.name = "end-refused"};
	start(&app, "");
	refuse_deletes(2);
	ask_deletion(&app);
	expect_event(&app, NULL, "pruning for deleted resource failed");
	wait_end(&app);
	wait_gone("ConfigMap", app.name);

	/* Pruning: what could not be deleted stays in the inventory and is tried again. */
	static const struct fx_test_file none[] = {
	        {"a.yaml", NULL}, {"b.yaml", CONFIG("end-kept", "v")}, {NULL, NULL}};
	struct app other = {.name = "end-prune"};
	start(&other, "  retryInterval: 2s\n");
	refuse_deletes(1);
	commit(&other, none, "second");
	wait_failed(
	        &other, "PruneFailed", "delete failed, errors: ConfigMap/default/end-prune delete failed");
	fx_auto(json) json_t *ks = NULL;
	ck_assert_ok(fx_test_env_get(&env, &KS(other.name), &ks, &err), &err);
	fx_autofree char *inventory = json_dumps(fx_json_at(ks, "status", "inventory"), 0);
	ck_assert_ptr_nonnull(strstr(inventory, "default_end-prune__ConfigMap"));
	const json_t *last = json_array_get(fx_json_at(ks, "status", "history"), 0);
	ck_assert_str_eq(fx_json_str_at(last, "lastReconciledStatus"), "PruneFailed");
	wait_ready(&other);
	wait_gone("ConfigMap", other.name);
	expect_event(&other, NULL, "ConfigMap/default/end-prune deleted");
	delete_app(&other);
}
END_TEST

/* The objects are in another cluster, which is out of reach: nothing is forgotten without being asked for. */
START_TEST(remote_objects_stay_known)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct app app = {.name = "end-remote"};
	start(&app, "");
	patch("Kustomization", app.name, NULL,
	        "{\"spec\":{\"kubeConfig\":{\"secretRef\":{\"name\":\"there\"}}}}");
	wait_failed(&app, "ReconciliationFailed", "spec.kubeConfig is not supported");
	ask_deletion(&app);
	wait_failed(
	        &app, "PruneFailed", "deletion is blocked: 1 object(s) were applied through spec.kubeConfig");
	expect_event(&app, "PruneFailed", "set spec.deletionPolicy to Orphan");
	ck_assert_ok(fx_test_env_wait_condition(&env, &KS(app.name),
	                     &(struct fx_test_condition){.type = "Stalled", .status = "True"}, 0, NULL, &err),
	        &err);
	patch("Kustomization", app.name, NULL, "{\"spec\":{\"deletionPolicy\":\"Orphan\"}}");
	wait_end(&app);
	ck_assert(exists("ConfigMap", app.name));
	remove_object("ConfigMap", app.name);
}
END_TEST

START_TEST(leaving_git)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct app app = {.name = "end-leaving"};
	static const struct fx_test_file files[] = {
	        {"a.yaml", CONFIG("leave-a", "v")}, {"b.yaml", CONFIG("leave-b", "v")}, {NULL, NULL}};
	static const struct fx_test_file without_a[] = {{"a.yaml", NULL}, {NULL, NULL}};
	static const struct fx_test_file nothing[] = {
	        {"b.yaml", NULL}, {"README.md", "empty\n"}, {NULL, NULL}};
	commit(&app, files, "first");
	kustomization(&app, "");
	wait_ready(&app);
	/* Without pruning it is forgotten and left. */
	patch("Kustomization", app.name, NULL, "{\"spec\":{\"prune\":false}}");
	commit(&app, without_a, "second");
	wait_ready(&app);
	ck_assert(exists("ConfigMap", "leave-a"));
	patch("Kustomization", app.name, NULL, "{\"spec\":{\"prune\":true,\"suspend\":true}}");
	/* One that is gone already counts as deleted; an empty tree deletes all and leaves an empty list. */
	remove_object("ConfigMap", "leave-b");
	commit(&app, nothing, "third");
	patch("Kustomization", app.name, NULL, "{\"spec\":{\"suspend\":false}}");
	wait_ready(&app);
	expect_event(&app, NULL, "ConfigMap/default/leave-b deleted");
	fx_auto(json) json_t *ks = NULL;
	ck_assert_ok(fx_test_env_get(&env, &KS(app.name), &ks, &err), &err);
	const json_t *entries = fx_json_at(ks, "status", "inventory", "entries");
	ck_assert(json_is_array(entries) && json_array_size(entries) == 0);
	ck_assert(exists("ConfigMap", "leave-a"));
	delete_app(&app);
	remove_object("ConfigMap", "leave-a");
}
END_TEST

static bool is_deleting(void *arg, const json_t *object)
{
	(void)arg;
	return object && fx_object_is_deleting(object);
}

/* An object that cannot be changed is made anew, once the old one has really gone. */
START_TEST(forced_object_has_a_finalizer)
{
	struct app app = {.name = "end-forced"};
#define FROZEN(value)                                                                                        \
	"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: end-frozen}\nimmutable: true\ndata: {key: " value \
	"}\n"
	static const struct fx_test_file one[] = {{"a.yaml", FROZEN("one")}, {NULL, NULL}};
	static const struct fx_test_file two[] = {{"a.yaml", FROZEN("two")}, {NULL, NULL}};
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	commit(&app, one, "first");
	kustomization(&app, "  force: true\n");
	wait_ready(&app);
	patch("ConfigMap", "end-frozen", "default", "{\"metadata\":{\"finalizers\":[\"example.com/slow\"]}}");
	commit(&app, two, "second");
	const struct fx_test_ref frozen = {"ConfigMap", "end-frozen", "default"};
	ck_assert_ok(fx_test_env_wait(&env, &frozen, is_deleting, NULL, 0, NULL, &err), &err);
	wait_value("end-frozen", "one");
	patch("ConfigMap", "end-frozen", "default", "{\"metadata\":{\"finalizers\":null}}");
	wait_value("end-frozen", "two");
	wait_ready(&app);
	delete_app(&app);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("kustomization: the end of objects");
	TCase *tc = tcase_create("end");
	tcase_set_timeout(tc, 600);
	tcase_add_loop_test(tc, deletion_policy, 0, FX_COUNT(policies));
	tcase_add_test(tc, waits_for_termination);
	tcase_add_test(tc, account_is_gone);
	tcase_add_test(tc, deletes_are_refused);
	tcase_add_test(tc, remote_objects_stay_known);
	tcase_add_test(tc, leaving_git);
	tcase_add_test(tc, forced_object_has_a_finalizer);
	suite_add_tcase(suite, tc);
	return suite;
}

static const char *const args[] = {"--min-retry-delay=200ms", "--max-retry-delay=1s", NULL};
static const struct fx_test_env_options options = {.kustomize = true, .kustomize_args = args};

FX_ENV_MAIN(make_suite, &options)
