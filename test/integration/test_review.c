/* Odd but legal inputs: what users do that nobody thought of. */
#include "test/integration/app.h"

#include "data/jansson.h"
#include "kube/object.h"

/* ---- input that a build refuses ---- */

static const struct {
	const char *name, *text, *reason, *message;
} refused[] = {
        {"twice", CONFIG("twice", "a") "---\n" CONFIG("twice", "b"), "BuildFailed", "twice"},
        {"generated", "apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: gen-}\ndata: {key: a}\n",
                "BuildFailed", "name"},
        {"number", "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {key: 47110815}\n",
                "ReconciliationFailed", "Secret/default/s"},
        {"namespace", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: [a]}\n", "BuildFailed", ""},
};

START_TEST(refused_input)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(json) json_t *object = NULL;
	struct app app = {0};
	snprintf(app.name, sizeof(app.name), "refused-%s", refused[_i].name);
	const struct fx_test_ref ks = {"Kustomization", app.name, NULL};
	const struct fx_test_file files[] = {{"a.yaml", refused[_i].text}, {NULL, NULL}};
	commit(&app, files, "first");
	kustomization(&app, "");
	wait_failed(&app, refused[_i].reason, refused[_i].message);
	ck_assert_ok(fx_test_env_get(&env, &ks, &object, &err), &err);
	fx_autofree char *text = json_dumps(object, JSON_INDENT(1));
	/* Values of Secrets are in no condition. */
	ck_assert_ptr_null(strstr(text, "47110815"));
	fx_autofree char *log = fx_test_controller_log(&env.kustomize);
	ck_assert(!log || !strstr(log, "47110815"));
	delete_app(&app);
}
END_TEST

START_TEST(lists_are_unpacked)
{
	struct app app = {.name = "lists"};
	static const struct fx_test_file files[] = {
	        {"a.yaml", "apiVersion: v1\nkind: List\nitems:\n"
	                   "- {apiVersion: v1, kind: ConfigMap, metadata: {name: list-a}, data: {key: a}}\n"
	                   "- {apiVersion: v1, kind: ConfigMap, metadata: {name: list-b}, data: {key: b}}\n"},
	        {"b.yaml", "apiVersion: v1\nkind: ConfigMapList\nitems:\n"
	                   "- {apiVersion: v1, kind: ConfigMap, metadata: {name: list-c}, data: {key: c}}\n"},
	        {NULL, NULL}};
	commit(&app, files, "first");
	kustomization(&app, "");
	wait_ready(&app);
	wait_value("list-a", "a");
	wait_value("list-b", "b");
	wait_value("list-c", "c");
	delete_app(&app);
	wait_gone("ConfigMap", "list-a");
}
END_TEST

/* ---- many and large ---- */

START_TEST(thousand_objects)
{
	struct app app = {.name = "thousand"};
	struct fx_buf text = FX_BUF_INIT;
	for (int i = 0; i < 1000; i++)
		fx_buf_addf(&text, "---\n" CONFIG("many-%d", "v"), i);
	const struct fx_test_file files[] = {{"a.yaml", fx_buf_str(&text)}, {NULL, NULL}};
	commit(&app, files, "first");
	kustomization(&app, "  wait: true\n");
	wait_ready(&app);
	ck_assert(exists("ConfigMap", "many-999"));
	const struct fx_test_file less[] = {{"a.yaml", CONFIG("many-0", "w")}, {NULL, NULL}};
	commit(&app, less, "second");
	wait_ready(&app);
	ck_assert(!exists("ConfigMap", "many-999"));
	delete_app(&app);
	fx_buf_release(&text);
}
END_TEST

START_TEST(large_object)
{
	struct app app = {.name = "large"};
	struct fx_buf text = FX_BUF_INIT;
	fx_buf_add_str(
	        &text, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: large}\ndata:\n  key: v\n  big: ");
	for (int i = 0; i < 900 * 1024; i++)
		fx_buf_add_char(&text, (char)('a' + i % 26));
	fx_buf_add_char(&text, '\n');
	const struct fx_test_file files[] = {{"a.yaml", fx_buf_str(&text)}, {NULL, NULL}};
	commit(&app, files, "first");
	kustomization(&app, "  wait: true\n");
	wait_ready(&app);
	wait_value("large", "v");
	delete_app(&app);
	fx_buf_release(&text);
}
END_TEST

/* ---- owners ---- */

static bool is_owned_by(void *arg, const json_t *object)
{
	const char *name = fx_json_str_at(object, "metadata", "labels", "kustomize.toolkit.fluxcd.io/name");
	return name && !strcmp(name, arg);
}

START_TEST(object_moves_to_another_kustomization)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct app from = {.name = "move-from"}, to = {.name = "move-to"};
	const struct fx_test_ref ref = {"ConfigMap", "moved", "default"};
	static const struct fx_test_file both[] = {
	        {"a.yaml", CONFIG("move-a", "v")}, {"b.yaml", CONFIG("moved", "v")}, {NULL, NULL}};
	static const struct fx_test_file gone[] = {{"b.yaml", NULL}, {NULL, NULL}};
	static const struct fx_test_file only[] = {{"b.yaml", CONFIG("moved", "v")}, {NULL, NULL}};
	commit(&from, both, "first");
	kustomization(&from, "");
	wait_ready(&from);
	commit(&to, only, "first");
	kustomization(&to, "");
	ck_assert_ok(fx_test_env_wait(&env, &ref, is_owned_by, (void *)"move-to", 0, NULL, &err), &err);
	commit(&from, gone, "second");
	wait_ready(&from);
	wait_ready(&to);
	ck_assert_ok(fx_test_env_wait(&env, &ref, is_owned_by, (void *)"move-to", 0, NULL, &err), &err);
	delete_app(&from);
	ck_assert(exists("ConfigMap", "moved"));
	delete_app(&to);
	wait_gone("ConfigMap", "moved");
}
END_TEST

/* ---- stages ---- */

#define CLASS_CRD                                                                                            \
	"apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n"                              \
	"metadata: {name: toolclasses.test.example.com}\nspec:\n  group: test.example.com\n"                 \
	"  scope: Cluster\n  names: {kind: ToolClass, plural: toolclasses, singular: toolclass}\n"           \
	"  versions:\n  - name: v1\n    served: true\n    storage: true\n    schema:\n"                      \
	"      openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}\n"

START_TEST(class_that_never_comes)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct app app = {.name = "class"};
	const struct fx_test_ref tool = {"ToolClass.test.example.com", "tool", NULL};
	static const struct fx_test_file files[] = {
	        {"ns.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: class-ns}\n"},
	        {"crd.yaml", CLASS_CRD},
	        {"class.yaml", "apiVersion: test.example.com/v1\nkind: ToolClass\nmetadata: {name: tool}\n"},
	        {"a.yaml",
	                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: in-class, namespace: class-ns}\n"},
	        {NULL, NULL}};
	commit(&app, files, "first");
	ck_assert_ok(
	        fx_test_env_apply(&env, &err,
	                "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: "
	                "{name: class}\nspec: {interval: 1h, prune: true, sourceRef: {kind: GitRepository, "
	                "name: class}}\n"),
	        &err);
	wait_ready(&app);
	/* Another manager says that it is not ready; a new commit is behind it. */
	ck_assert_ok(fx_test_env_patch(&env, &tool, &err, "%s",
	                     "{\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"False\"}]}}"),
	        &err);
	static const struct fx_test_file more[] = {
	        {"b.yaml",
	                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: behind, namespace: class-ns}\n"},
	        {NULL, NULL}};
	commit(&app, more, "second");
	const struct fx_test_ref ks = {"Kustomization", "class", NULL};
	ck_assert_ok(fx_test_env_wait_condition(&env, &ks,
	                     &(struct fx_test_condition){.status = "False",
	                             .reason = "ReconciliationFailed",
	                             .message = "ToolClass/tool status: 'InProgress'"},
	                     75000, NULL, &err),
	        &err);
	ck_assert_ok(fx_test_env_patch(&env, &tool, &err, "%s",
	                     "{\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}}"),
	        &err);
	char token[FX_TEST_TOKEN];
	ck_assert_ok(fx_test_env_reconcile(&env, &ks, token, &err), &err);
	wait_ready(&app);
	delete_app(&app);
}
END_TEST

/* ---- while it waits for health ---- */

/* Something that never becomes current, without any server that would make it so. */
#define STUCK(name) "apiVersion: test.example.com/v1\nkind: Stuck\nmetadata: {name: " name "}\nspec: {a: 1}\n"
#define STUCK_CRD                                                                                            \
	"apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n"                              \
	"metadata: {name: stucks.test.example.com}\nspec:\n  group: test.example.com\n"                      \
	"  scope: Namespaced\n  names: {kind: Stuck, plural: stucks, singular: stuck}\n"                     \
	"  versions:\n  - name: v1\n    served: true\n    storage: true\n    schema:\n"                      \
	"      openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}\n"

static bool is_established(void *arg, const json_t *object)
{
	size_t i;
	json_t *c;
	(void)arg;
	json_array_foreach (fx_json_at(object, "status", "conditions"), i, c) {
		const char *type = fx_json_str_at(c, "type"), *status = fx_json_str_at(c, "status");
		if (type && status && !strcmp(type, "Established") && !strcmp(status, "True"))
			return true;
	}
	return false;
}

static void start_stuck(struct app *app, const struct fx_test_file *files)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_test_ref ks = {"Kustomization", app->name, NULL};
	ck_assert_ok(fx_test_env_apply(&env, &err, "%s", STUCK_CRD), &err);
	const struct fx_test_ref crd = {
	        "CustomResourceDefinition.apiextensions.k8s.io", "stucks.test.example.com", ""};
	const struct fx_test_ref stuck = {"Stuck.test.example.com", app->name, "default"};
	ck_assert_ok(fx_test_env_wait(&env, &crd, is_established, NULL, 0, NULL, &err), &err);
	ck_assert_ok(fx_test_env_apply(&env, &err,
	                     "apiVersion: test.example.com/v1\nkind: Stuck\nmetadata: {name: %s, namespace: "
	                     "default}\n",
	                     app->name),
	        &err);
	ck_assert_ok(fx_test_env_patch(&env, &stuck, &err, "%s",
	                     "{\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"False\"}]}}"),
	        &err);
	commit(app, files, "first");
	kustomization(app, "  wait: true\n  timeout: 5m\n");
	ck_assert_ok(fx_test_env_wait_condition(&env, &ks,
	                     &(struct fx_test_condition){.status = "Unknown", .reason = "Progressing"}, 0,
	                     NULL, &err),
	        &err);
}

START_TEST(suspended_while_waiting)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct app app = {.name = "stuck-suspend"};
	static const struct fx_test_file files[] = {{"a.yaml", STUCK("stuck-suspend")}, {NULL, NULL}};
	char token[FX_TEST_TOKEN];
	const struct fx_test_ref ks = {"Kustomization", app.name, NULL},
	                         stuck = {"Stuck.test.example.com", app.name, "default"};
	start_stuck(&app, files);
	patch("Kustomization", app.name, NULL, "{\"spec\":{\"suspend\":true}}");
	ck_assert_ok(fx_test_env_reconcile(&env, &ks, token, &err), &err);
	patch("Kustomization", app.name, NULL, "{\"spec\":{\"suspend\":false}}");
	ck_assert_ok(fx_test_env_patch(&env, &stuck, &err, "%s",
	                     "{\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}}"),
	        &err);
	wait_ready(&app);
	delete_app(&app);
}
END_TEST

START_TEST(deleted_while_waiting)
{
	struct app app = {.name = "stuck-delete"};
	static const struct fx_test_file files[] = {{"a.yaml", STUCK("stuck-delete")}, {NULL, NULL}};
	start_stuck(&app, files);
	delete_app(&app);
	wait_gone("Stuck.test.example.com", "stuck-delete");
}
END_TEST

START_TEST(rapid_changes)
{
	struct app app = {.name = "rapid"};
	static const struct fx_test_file files[] = {{"a.yaml", CONFIG("rapid", "'${v}'")}, {NULL, NULL}};
	commit(&app, files, "first");
	kustomization(&app, "  postBuild: {substitute: {v: start}}\n");
	for (int i = 0; i <= 100; i++) {
		char body[100];
		snprintf(
		        body, sizeof(body), "{\"spec\":{\"postBuild\":{\"substitute\":{\"v\":\"n%d\"}}}}", i);
		patch("Kustomization", "rapid", NULL, body);
	}
	wait_value("rapid", "n100");
	wait_ready(&app);
	delete_app(&app);
}
END_TEST

START_TEST(source_comes_back)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct app app = {.name = "again"};
	const struct fx_test_ref git = {"GitRepository", "again", NULL},
	                         ks = {"Kustomization", "again", NULL};
	static const struct fx_test_file files[] = {{"a.yaml", CONFIG("again", "one")}, {NULL, NULL}};
	char token[FX_TEST_TOKEN];
	commit(&app, files, "first");
	kustomization(&app, "");
	wait_ready(&app);
	ck_assert_ok(fx_test_env_delete(&env, &git, &err), &err);
	ck_assert_ok(fx_test_env_wait_gone(&env, &git, 0, &err), &err);
	ck_assert_ok(fx_test_env_reconcile(&env, &ks, token, &err), &err);
	wait_failed(&app, "ArtifactFailed", "GitRepository.source.toolkit.fluxcd.io \"again\" not found");
	ck_assert(exists("ConfigMap", "again"));
	ck_assert_ok(fx_test_env_apply(&env, &err,
	                     "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: "
	                     "again}\nspec: {interval: 1h, url: %s/again.git, ref: {branch: main}}\n",
	                     env.git.url),
	        &err);
	wait_ready(&app);
	delete_app(&app);
}
END_TEST

START_TEST(target_namespace_is_missing)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct app app = {.name = "nowhere"};
	static const struct fx_test_file files[] = {{"a.yaml", CONFIG("nowhere", "one")}, {NULL, NULL}};
	commit(&app, files, "first");
	kustomization(&app, "  retryInterval: 1s\n");
	patch("Kustomization", "nowhere", NULL, "{\"spec\":{\"targetNamespace\":\"nowhere\"}}");
	wait_failed(&app, "ReconciliationFailed", "namespaces \"nowhere\" not found");
	ck_assert_ok(
	        fx_test_env_apply(&env, &err, "apiVersion: v1\nkind: Namespace\nmetadata: {name: nowhere}\n"),
	        &err);
	wait_ready(&app);
	delete_app(&app);
}
END_TEST

START_TEST(forced_job)
{
	struct app app = {.name = "job"};
#define JOB(image)                                                                                           \
	"apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: forced\n  annotations: "                        \
	"{kustomize.toolkit.fluxcd.io/force: Enabled}\nspec:\n  template:\n    spec:\n      restartPolicy: " \
	"Never\n      containers: [{name: x, image: \"example.com/x:" image "\"}]\n"
	static const struct fx_test_file one[] = {{"a.yaml", JOB("1")}, {NULL, NULL}};
	static const struct fx_test_file two[] = {{"a.yaml", JOB("2")}, {NULL, NULL}};
	commit(&app, one, "first");
	kustomization(&app, "");
	wait_ready(&app);
	commit(&app, two, "second");
	wait_ready(&app);
	delete_app(&app);
}
END_TEST

START_TEST(short_interval)
{
	struct app app = {.name = "second"};
	static const struct fx_test_file files[] = {{"a.yaml", CONFIG("second", "one")}, {NULL, NULL}};
	commit(&app, files, "first");
	kustomization(&app, "");
	patch("Kustomization", "second", NULL, "{\"spec\":{\"interval\":\"1s\",\"wait\":true}}");
	wait_ready(&app);
	delete_app(&app);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("review");
	TCase *tc = tcase_create("review");
	tcase_set_timeout(tc, 600);
	tcase_add_loop_test(tc, refused_input, 0, FX_COUNT(refused));
	tcase_add_test(tc, lists_are_unpacked);
	tcase_add_test(tc, thousand_objects);
	tcase_add_test(tc, large_object);
	tcase_add_test(tc, object_moves_to_another_kustomization);
	tcase_add_test(tc, suspended_while_waiting);
	tcase_add_test(tc, deleted_while_waiting);
	tcase_add_test(tc, rapid_changes);
	tcase_add_test(tc, source_comes_back);
	tcase_add_test(tc, target_namespace_is_missing);
	tcase_add_test(tc, forced_job);
	tcase_add_test(tc, short_interval);
	tcase_add_test(tc, class_that_never_comes);
	suite_add_tcase(suite, tc);
	return suite;
}

static const struct fx_test_env_options options = {.kustomize = true, .pods = true};

FX_ENV_MAIN(make_suite, &options)
