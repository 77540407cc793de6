/* Kustomizations from a real Git server through both controllers to the API server. */
#include "test/integration/app.h"

#include "core/clock.h"
#include "data/jansson.h"
#include "kube/object.h"

#include <poll.h>

START_TEST(life_of_an_app)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct app app = {.name = "life"};
	const struct fx_test_ref ks = {"Kustomization", "life", NULL};
	static const struct fx_test_file two[] = {{"app/a.yaml", CONFIG("life-a", "one")},
	        {"app/b.yaml", CONFIG("life-b", "one")}, {NULL, NULL}};
	static const struct fx_test_file one[] = {
	        {"app/a.yaml", CONFIG("life-a", "two")}, {"app/b.yaml", NULL}, {NULL, NULL}};
	commit(&app, two, "first");
	kustomization(&app, "  path: ./app\n  wait: true\n");
	wait_ready(&app);
	wait_value("life-a", "one");
	ck_assert_ok(
	        fx_test_env_wait_event(&env, &ks, "Progressing", "ConfigMap/default/life-a created", 0, &err),
	        &err);
	ck_assert_ok(fx_test_env_wait_event(
	                     &env, &ks, "ReconciliationSucceeded", "Reconciliation finished in", 0, &err),
	        &err);

	/* Edits and deletes by hand are put right without waiting for the interval. */
	patch("ConfigMap", "life-a", "default", "{\"data\":{\"key\":\"edited\"}}");
	wait_value("life-a", "one");
	const struct fx_test_ref b = {"ConfigMap", "life-b", "default"};
	ck_assert_ok(fx_test_env_delete(&env, &b, &err), &err);
	wait_value("life-b", "one");

	commit(&app, one, "second");
	wait_ready(&app);
	wait_value("life-a", "two");
	wait_gone("ConfigMap", "life-b");
	ck_assert_ok(
	        fx_test_env_wait_event(&env, &ks, NULL, "ConfigMap/default/life-b deleted", 0, &err), &err);
	delete_app(&app);
	wait_gone("ConfigMap", "life-a");
}
END_TEST

static const struct {
	const char *name, *spec, *file, *text, *reason, *message;
} mistakes[] = {
        {"path", "  path: ./missing\n", "a.yaml", CONFIG("m", "v"), "ArtifactFailed",
                "kustomization path not found: stat /missing: no such file or directory"},
        {"yaml", "", "a.yaml", "apiVersion: v1\nkind: [\n", "BuildFailed",
                "failed to decode Kubernetes YAML"},
        {"resource", "", "kustomization.yaml", "resources: [gone.yaml]\n", "BuildFailed", "gone.yaml"},
        {"kind", "", "a.yaml", "apiVersion: example.com/v1\nkind: Nothing\nmetadata: {name: n}\n",
                "ReconciliationFailed", "Nothing/default/n dry-run failed: no matches for kind \"Nothing\""},
        {"variable", "  postBuild: {substitute: {other: x}}\n", "a.yaml", CONFIG("m", "'${missing}'"),
                "BuildFailed", "variable not set (strict mode): \"missing\""},
        {"values", "  postBuild: {substituteFrom: [{kind: Secret, name: none}]}\n", "a.yaml",
                CONFIG("m", "v"), "BuildFailed", "substitute from 'Secret/none' error"},
        {"encrypted", "", "a.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nsops: {mac: x}\n",
                "ReconciliationFailed", "Secret/default/s is SOPS encrypted"},
        {"component", "  components: [https://example.com/c]\n", "a.yaml", CONFIG("m", "v"), "BuildFailed",
                "must be local and relative"},
        {"account", "  serviceAccountName: nobody\n", "a.yaml", CONFIG("m", "v"), "ReconciliationFailed",
                "system:serviceaccount:"},
        {"check", "  healthChecks: [{kind: Deployment, name: d}]\n", "a.yaml", CONFIG("m", "v"),
                "HealthCheckFailed",
                "can't determine status for Deployment/d: resource Deployment.apps d is namespace scoped, "
                "but "
                "namespace is not set"},
        {"depends", "  dependsOn: [{name: nothing}]\n", "a.yaml", CONFIG("m", "v"), "DependencyNotReady",
                "nothing' not found"},
        {"ignore", "  ignore: [{paths: [/data], target: {name: '(a'}}]\n", "a.yaml", CONFIG("m", "v"),
                "ReconciliationFailed", "failed to create ignore rule selector: error parsing regexp"},
        {"decrypt", "  decryption: {provider: sops}\n", "a.yaml", CONFIG("m", "v"), "BuildFailed",
                "not supported"},
};

START_TEST(mistake)
{
	/* The embedded server has no RBAC. */
	if (!env.real && !strcmp(mistakes[_i].name, "account"))
		return;
	struct app app = {0};
	snprintf(app.name, sizeof(app.name), "mistake-%s", mistakes[_i].name);
	const struct fx_test_file files[] = {{mistakes[_i].file, mistakes[_i].text}, {NULL, NULL}};
	commit(&app, files, "first");
	kustomization(&app, mistakes[_i].spec);
	wait_failed(&app, mistakes[_i].reason, mistakes[_i].message);
	delete_app(&app);
}
END_TEST

START_TEST(substitution_and_overlay)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct app app = {.name = "subst"};
	static const struct fx_test_file files[] = {{"base/kustomization.yaml", "resources: [a.yaml]\n"},
	        {"base/a.yaml", CONFIG("a", "'${who:=nobody}-${where}'")},
	        {"over/kustomization.yaml", "resources: [../base]\nnamePrefix: subst-\n"}, {NULL, NULL}};
	ck_assert_ok(fx_test_env_apply(&env, &err,
	                     "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: subst-vars, labels: "
	                     "{reconcile.fluxcd.io/watch: Enabled}}\ndata: {where: \"he\\nre\"}\n"),
	        &err);
	commit(&app, files, "first");
	kustomization(&app,
	        "  path: over\n  postBuild: {substitute: {who: me}, substituteFrom: [{kind: ConfigMap, name: "
	        "subst-vars}, {kind: Secret, name: none, optional: true}]}\n");
	wait_ready(&app);
	wait_value("subst-a", "me-here");
	patch("ConfigMap", "subst-vars", NULL, "{\"data\":{\"where\":\"there\"}}");
	wait_value("subst-a", "me-there");
	delete_app(&app);
}
END_TEST

#define GADGETS(plural, kind)                                                                                \
	"apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n"                              \
	"metadata: {name: " plural ".test.example.com}\nspec:\n  group: test.example.com\n"                  \
	"  scope: Namespaced\n  names: {kind: " kind ", plural: " plural ", singular: " plural "-one}\n"     \
	"  versions:\n  - name: v1\n    served: true\n    storage: true\n    schema:\n"                      \
	"      openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}\n"
#define GADGET(kind) "apiVersion: test.example.com/v1\nkind: " kind "\nmetadata: {name: g}\nspec: {size: 1}\n"

/* Servers show a new kind some moments after its definition is established: this one takes long. */
static void delay_discovery(const char *ms)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	char body[100];
	snprintf(body, sizeof(body), "{\"type\":\"discovery\",\"latencyMs\":%s}", ms);
	if (!env.real)
		ck_assert_ok(
		        fx_test_apiserver_request(&env.embedded, "POST", "/_faults", body, NULL, &err), &err);
}

START_TEST(definitions_before_their_objects)
{
	struct app app = {.name = "stages"};
	static const struct fx_test_file files[] = {{"crd.yaml", GADGETS("gadgets", "Gadget")},
	        {"a-gadget.yaml", GADGET("Gadget")}, {NULL, NULL}};
	delay_discovery("1500");
	commit(&app, files, "first");
	kustomization(&app, "  wait: true\n");
	wait_ready(&app);
	delay_discovery("0");
	ck_assert(exists("Gadget.test.example.com", "g"));
	delete_app(&app);
}
END_TEST

/* The objects are another Kustomization's, which begins the moment that the first one is ready. */
START_TEST(definitions_of_a_dependency)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct app first = {.name = "defines"}, second = {.name = "uses"};
	const struct fx_test_ref ks = {"Kustomization", "uses", NULL};
	static const struct fx_test_file crd[] = {{"crd.yaml", GADGETS("gizmos", "Gizmo")}, {NULL, NULL}};
	static const struct fx_test_file object[] = {{"a.yaml", GADGET("Gizmo")}, {NULL, NULL}};
	int failures = 0;
	delay_discovery("1500");
	commit(&second, object, "first");
	kustomization(&second, "  dependsOn: [{name: defines}]\n");
	wait_failed(&second, "DependencyNotReady", "not found");
	commit(&first, crd, "first");
	kustomization(&first, "  wait: true\n");
	wait_ready(&second);
	delay_discovery("0");
	ck_assert_ok(
	        fx_test_env_count_events(&env, &ks, "ReconciliationFailed", NULL, &failures, &err), &err);
	ck_assert_int_eq(failures, 0);
	delete_app(&second);
	delete_app(&first);
}
END_TEST

START_TEST(dependencies_in_order)
{
	struct app apps[3] = {{.name = "chain-0"}, {.name = "chain-1"}, {.name = "chain-2"}};
	for (int i = 2; i >= 0; i--) {
		char text[200], spec[100] = "";
		snprintf(text, sizeof(text), CONFIG("chain-%d", "v"), i);
		const struct fx_test_file files[] = {{"a.yaml", text}, {NULL, NULL}};
		if (i > 0)
			snprintf(spec, sizeof(spec), "  dependsOn: [{name: chain-%d}]\n", i - 1);
		commit(&apps[i], files, "first");
		kustomization(&apps[i], spec);
		if (i > 0)
			wait_failed(&apps[i], "DependencyNotReady", "not found");
	}
	for (int i = 0; i < 3; i++)
		wait_ready(&apps[i]);
	for (int i = 0; i < 3; i++)
		delete_app(&apps[i]);
}
END_TEST

START_TEST(policies_of_objects)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct app app = {.name = "policies"};
#define MARKED(name, mark)                                                                                   \
	"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: " name                                          \
	"\n  annotations: {kustomize.toolkit.fluxcd.io/" mark "}\ndata: {key: git}\n"
	static const struct fx_test_file files[] = {{"ignored.yaml", MARKED("pol-ignored", "ssa: Ignore")},
	        {"once.yaml", MARKED("pol-once", "ssa: IfNotPresent")},
	        {"kept.yaml", MARKED("pol-kept", "prune: disabled")},
	        {"frozen.yaml",
	                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: pol-frozen}\nimmutable: true\n"
	                "data: {key: git}\n"},
	        {NULL, NULL}};
	static const struct fx_test_file thawed[] = {
	        {"frozen.yaml",
	                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: pol-frozen}\nimmutable: true\n"
	                "data: {key: new}\n"},
	        {"kept.yaml", NULL}, {"ignored.yaml", NULL}, {NULL, NULL}};
	ck_assert_ok(
	        fx_test_env_apply(&env, &err,
	                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: pol-once, namespace: default}\n"
	                "data: {key: mine}\n"),
	        &err);
	commit(&app, files, "first");
	kustomization(&app, "");
	wait_ready(&app);
	ck_assert(!exists("ConfigMap", "pol-ignored"));
	wait_value("pol-once", "mine");

	commit(&app, thawed, "second");
	wait_failed(&app, "ReconciliationFailed", "ConfigMap/default/pol-frozen dry-run failed (Invalid)");
	patch("Kustomization", "policies", NULL, "{\"spec\":{\"force\":true}}");
	wait_ready(&app);
	wait_value("pol-frozen", "new");
	ck_assert(exists("ConfigMap", "pol-kept"));
	patch("Kustomization", "policies", NULL, "{\"spec\":{\"deletionPolicy\":\"Orphan\"}}");
	wait_ready(&app);
	delete_app(&app);
	ck_assert(exists("ConfigMap", "pol-frozen"));
}
END_TEST

static bool has_handled(void *arg, const json_t *object)
{
	const char *handled = fx_json_str_at(object, "status", "lastHandledReconcileAt");
	return handled && !strcmp(handled, arg);
}

/* A suspended object answers the request and does nothing. */
static void ask_suspended(const struct fx_test_ref *ks)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	char token[FX_TEST_TOKEN];
	ck_assert_ok(fx_test_env_reconcile(&env, ks, token, &err), &err);
	ck_assert_ok(fx_test_env_wait(&env, ks, has_handled, token, 0, NULL, &err), &err);
}

START_TEST(suspended)
{
	struct app app = {.name = "suspend"};
	const struct fx_test_ref ks = {"Kustomization", "suspend", NULL};
	static const struct fx_test_file files[] = {{"a.yaml", CONFIG("suspend-a", "one")}, {NULL, NULL}};
	commit(&app, files, "first");
	kustomization(&app, "");
	wait_ready(&app);
	patch("Kustomization", "suspend", NULL, "{\"spec\":{\"suspend\":true}}");
	ask_suspended(&ks);
	patch("ConfigMap", "suspend-a", "default", "{\"data\":{\"key\":\"edited\"}}");
	ask_suspended(&ks);
	wait_value("suspend-a", "edited");
	patch("Kustomization", "suspend", NULL, "{\"spec\":{\"suspend\":false}}");
	wait_value("suspend-a", "one");
	delete_app(&app);
}
END_TEST

/* What spec.ignore names may be changed by others; what it does not name is put right. */
START_TEST(ignored_fields)
{
	struct app app = {.name = "ignore"};
#define FREE(value, other)                                                                                   \
	"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ign-a, labels: {free: yes-it-is}, annotations: "  \
	"{example.com/note: " value "}}\ndata: {key: " value ", other: " other "}\n"
	static const struct fx_test_file files[] = {
	        {"a.yaml", FREE("git", "one")}, {"b.yaml", CONFIG("ign-b", "git")}, {NULL, NULL}};
	static const struct fx_test_file second[] = {{"a.yaml", FREE("new", "two")}, {NULL, NULL}};
	commit(&app, files, "first");
	kustomization(&app, "  ignore:\n"
	                    "  - {paths: [/data/other]}\n"
	                    "  - {paths: [/data/missing/0/deep]}\n"
	                    "  - paths: [/data/key, /metadata/annotations/example.com~1note]\n"
	                    "    target: {kind: Config.*, name: ign-., labelSelector: free=yes-it-is}\n"
	                    "  - {paths: [/data/key], target: {name: gn-b}}\n");
	wait_ready(&app);
	wait_value("ign-a", "git");

	/* The label of a and the anchored name of b leave b to the rules of none. */
	patch("ConfigMap", "ign-a", "default",
	        "{\"data\":{\"key\":\"mine\"},\"metadata\":{\"annotations\":{\"example.com/"
	        "note\":\"mine\"}}}");
	patch("ConfigMap", "ign-b", "default", "{\"data\":{\"key\":\"mine\"}}");
	wait_value("ign-b", "git");
	wait_value("ign-a", "mine");

	/* A write for another reason keeps the value. Of two rules without a target the last one counts. */
	commit(&app, second, "second");
	wait_ready(&app);
	const struct fx_test_ref a = {"ConfigMap", "ign-a", "default"};
	fx_auto(json) json_t *object = NULL;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	ck_assert_ok(fx_test_env_get(&env, &a, &object, &err), &err);
	ck_assert_str_eq(fx_json_str_at(object, "data", "other"), "two");
	ck_assert_str_eq(fx_json_str_at(object, "data", "key"), "mine");
	ck_assert_str_eq(fx_object_annotation(object, "example.com/note"), "mine");

	/* Without the rules all is as in Git again. */
	patch("Kustomization", "ignore", NULL, "{\"spec\":{\"ignore\":null}}");
	wait_value("ign-a", "new");
	delete_app(&app);
}
END_TEST

/* How often the controller has looked at a Kustomization. */
static long passes(const char *name)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_cleanup(fx_auto_buf) struct fx_buf text = FX_BUF_INIT;
	char label[64];
	snprintf(label, sizeof(label), "name=\"%s\"", name);
	ck_assert_ok(fx_test_env_download(&env, env.kustomize.metrics_port, "/metrics", &text, &err), &err);
	for (char *line = strtok((char *)fx_buf_str(&text), "\n"); line; line = strtok(NULL, "\n"))
		if (!strncmp(line, "gotk_reconcile_duration_seconds_count{", 38) && strstr(line, label))
			return strtol(strrchr(line, ' '), NULL, 10);
	return 0;
}

static void wait_passes(const char *name, long count)
{
	int64_t deadline = fx_now_ms() + 60000;
	for (long want = passes(name) + count; passes(name) < want;) {
		ck_assert_msg(fx_now_ms() < deadline, "%s is not looked at every interval", name);
		poll(NULL, 0, 50);
	}
}

/* Requests of the controller since the last call; its watches and its lease go on whatever happens. */
static json_int_t take_requests(struct fx_buf *list)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	json_int_t sum = 0;
	size_t i;
	json_t *one;
	fx_buf_clear(list);
	ck_assert_ok(
	        fx_test_apiserver_request(&env.embedded, "DELETE", "/_requests", NULL, list, &err), &err);
	fx_auto(json) json_t *counts = json_loads(fx_buf_str(list), 0, NULL);
	ck_assert(json_is_array(counts));
	json_array_foreach (counts, i, one) {
		if (strstr(fx_json_str_at(one, "user"), ":kustomize-controller") &&
		        strcmp(fx_json_str_at(one, "verb"), "watch") != 0 &&
		        strcmp(fx_json_str_at(one, "resource"), "leases") != 0)
			sum += fx_json_int_at(one, 0, "count");
	}
	return sum;
}

START_TEST(interval_without_requests)
{
	/* Only the embedded server counts at any time. */
	if (env.real)
		return;
	struct app app = {.name = "quiet"};
	fx_cleanup(fx_auto_buf) struct fx_buf list = FX_BUF_INIT;
	static const struct fx_test_file files[] = {
	        {"a.yaml", CONFIG("quiet-a", "one")}, {"b.yaml", CONFIG("quiet-b", "one")}, {NULL, NULL}};
	commit(&app, files, "first");
	kustomization(&app, "  wait: true\n");
	patch("Kustomization", "quiet", NULL, "{\"spec\":{\"interval\":\"1s\"}}");
	wait_ready(&app);
	wait_passes("quiet", 2);
	ck_assert_int_gt(take_requests(&list), 0);
	wait_passes("quiet", 3);
	json_int_t requests = take_requests(&list);
	ck_assert_msg(requests == 0, "%lld requests: %s", (long long)requests, fx_buf_str(&list));
	delete_app(&app);
}
END_TEST

static json_int_t configmap_requests(const struct fx_buf *list)
{
	json_int_t sum = 0;
	size_t i;
	json_t *one;
	fx_auto(json) json_t *counts = json_loads(fx_buf_str(list), 0, NULL);
	json_array_foreach (counts, i, one) {
		if (strstr(fx_json_str_at(one, "user"), ":kustomize-controller") &&
		        strcmp(fx_json_str_at(one, "verb"), "watch") != 0 &&
		        !strcmp(fx_json_str_at(one, "resource"), "configmaps"))
			sum += fx_json_int_at(one, 0, "count");
	}
	return sum;
}

/* The first object of a stage that changes is written at once; but nothing is when another is refused. */
START_TEST(changed_objects)
{
	struct app app = {.name = "changed"};
	fx_cleanup(fx_auto_buf) struct fx_buf list = FX_BUF_INIT;
	static const struct fx_test_file one[] = {{"a.yaml", CONFIG("changed-a", "one")},
	        {"b.yaml", CONFIG("changed-b", "one")}, {NULL, NULL}},
	                                 two[] = {{"b.yaml", CONFIG("changed-b", "two")}, {NULL, NULL}},
	                                 broken[] = {{"a.yaml", CONFIG("changed-a", "three")},
	                                         {"b.yaml", "apiVersion: v1\nkind: ConfigMap\n"
	                                                    "metadata: {name: changed-b}\n"
	                                                    "data: {not a key: x}\n"},
	                                         {NULL, NULL}};
	commit(&app, one, "first");
	kustomization(&app, "");
	wait_ready(&app);
	if (!env.real)
		take_requests(&list);
	commit(&app, two, "one object");
	wait_ready(&app);
	wait_value("changed-b", "two");
	if (!env.real) {
		take_requests(&list);
		ck_assert_msg(configmap_requests(&list) == 1, "%s", fx_buf_str(&list));
	}
	commit(&app, broken, "one good, one bad");
	wait_failed(&app, "ReconciliationFailed", "ConfigMap/default/changed-b dry-run failed");
	wait_value("changed-a", "one");
	delete_app(&app);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("kustomization");
	TCase *tc = tcase_create("kustomization");
	tcase_set_timeout(tc, 600);
	tcase_add_test(tc, life_of_an_app);
	tcase_add_test(tc, substitution_and_overlay);
	tcase_add_test(tc, definitions_before_their_objects);
	tcase_add_test(tc, definitions_of_a_dependency);
	tcase_add_test(tc, dependencies_in_order);
	tcase_add_test(tc, policies_of_objects);
	tcase_add_test(tc, suspended);
	tcase_add_test(tc, ignored_fields);
	tcase_add_test(tc, interval_without_requests);
	tcase_add_test(tc, changed_objects);
	tcase_add_loop_test(tc, mistake, 0, FX_COUNT(mistakes));
	suite_add_tcase(suite, tc);
	return suite;
}

static const struct fx_test_env_options options = {.kustomize = true, .pods = true};

FX_ENV_MAIN(make_suite, &options)
