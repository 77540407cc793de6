/* What the status says: phases of a run that fails, waits and times, health, dependencies, history; and what
 * of the spec is seen in the objects. */
#include "test/integration/app.h"

#include "core/clock.h"
#include "kube/object.h"

#define KS(name) ((struct fx_test_ref){"Kustomization", name, NULL})

static json_t *get_ks(const char *name)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	json_t *object = NULL;
	ck_assert_ok(fx_test_env_get(&env, &KS(name), &object, &err), &err);
	return object;
}

static void wait_condition(const struct app *app, const struct fx_test_condition want)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	ck_assert_ok(fx_test_env_wait_condition(&env, &KS(app->name), &want, 0, NULL, &err), &err);
}

static void expect_event(const struct app *app, const char *message)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	ck_assert_ok(fx_test_env_wait_event(&env, &KS(app->name), NULL, message, 0, &err), &err);
}

/* The condition's member, "" when it is not there. */
static char *condition(const char *name, const char *type, const char *member)
{
	fx_auto(json) json_t *object = get_ks(name);
	size_t i;
	json_t *c;
	json_array_foreach (fx_json_at(object, "status", "conditions"), i, c) {
		if (!strcmp(fx_json_str_at(c, "type"), type))
			return strdup(json_string_value(json_object_get(c, member)));
	}
	return strdup("");
}

/* ---- runs that fail ---- */

/* Each fails in another phase; the second commit puts it right. */
static const struct {
	const char *name, *text, *spec;
	const char *phase, *reason, *message;
	const char *history; /* NULL: no entry */
} failures[] = {
        {"path", CONFIG("phase-path", "v"), "  path: none\n", "Fetching manifests for revision ",
                "ArtifactFailed", "kustomization path not found", NULL},
        {"build", "apiVersion: v1\nkind: ConfigMap\nmetadata: {}\n", "", "Building manifests for revision ",
                "BuildFailed", "", NULL},
        {"apply",
                "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: "
                "phase-role}\n---\n"
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: phase-apply}\ndata: {'a b': x}\n",
                "", "Detecting drift for revision ", "ReconciliationFailed",
                "ConfigMap/default/phase-apply dry-run failed (Invalid)", "ReconciliationFailed"},
        {"health",
                "apiVersion: test.example.com/v1\nkind: Part\nmetadata: {name: phase-health}\n"
                "data: {conditions: x}\nstatus: {}\n",
                "  wait: true\n", "Running health checks for revision ", "HealthCheckFailed",
                "health check failed after ", "HealthCheckFailed"},
};

/* Says for an object of the test's kind what its status is. */
static void set_part(const char *name, const char *type, const char *status)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_test_ref part = {"Part.test.example.com", name, "default"};
	ck_assert_ok(
	        fx_test_env_patch(&env, &part, &err,
	                "{\"status\":{\"conditions\":[{\"type\":\"%s\",\"status\":\"%s\"}]}}", type, status),
	        &err);
}

static void make_part(const char *name, const char *type, const char *status)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	ck_assert_ok(fx_test_env_apply(&env, &err,
	                     "apiVersion: test.example.com/v1\nkind: Part\nmetadata: {name: %s, namespace: "
	                     "default}\n",
	                     name),
	        &err);
	set_part(name, type, status);
}

static bool is_established(void *arg, const json_t *object)
{
	(void)arg;
	fx_autofree char *text =
	        json_dumps(fx_json_at(object, "status", "conditions"), JSON_COMPACT | JSON_ENCODE_ANY);
	return text && strstr(text, "Established") && strstr(text, "\"True\"");
}

static void setup(void)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_test_ref crd = {
	        "CustomResourceDefinition.apiextensions.k8s.io", "parts.test.example.com", ""};
	ck_assert_ok(fx_test_env_apply(&env, &err,
	                     "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n"
	                     "metadata: {name: parts.test.example.com}\nspec:\n  group: test.example.com\n"
	                     "  scope: Namespaced\n  names: {kind: Part, plural: parts, singular: part}\n"
	                     "  versions:\n  - name: v1\n    served: true\n    storage: true\n    schema:\n"
	                     "      openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: "
	                     "true}\n"),
	        &err);
	ck_assert_ok(fx_test_env_wait(&env, &crd, is_established, NULL, 0, NULL, &err), &err);
	/* Its kind is served a moment later. */
	int64_t deadline = fx_now_ms() + FX_TEST_WAIT_MS;
	while (fx_test_env_apply(&env, NULL,
	               "apiVersion: test.example.com/v1\nkind: Part\nmetadata: {name: first, namespace: "
	               "default}\n") < 0)
		ck_assert_int_lt(fx_now_ms(), deadline);
}

START_TEST(phase_of_failure)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct app app = {0};
	char token[FX_TEST_TOKEN];
	snprintf(app.name, sizeof(app.name), "phase-%s", failures[_i].name);
	if (!strcmp(failures[_i].name, "health"))
		make_part("phase-health", "Stalled", "True");
	const struct fx_test_file files[] = {{"a.yaml", failures[_i].text}, {NULL, NULL}};
	commit(&app, files, "first");
	kustomization(&app, failures[_i].spec);
	wait_failed(&app, failures[_i].reason, failures[_i].message);
	fx_autofree char *phase = condition(app.name, "Reconciling", "message");
	ck_assert_msg(!strncmp(phase, failures[_i].phase, strlen(failures[_i].phase)), "%s", phase);
	ck_assert_msg(strstr(phase, " with a timeout of 59m30s") != NULL, "%s", phase);
	fx_autofree char *reason = condition(app.name, "Reconciling", "reason");
	ck_assert_str_eq(reason, "ProgressingWithRetry");
	expect_event(&app, *failures[_i].message ? failures[_i].message : NULL);
	if (!strcmp(failures[_i].name, "apply")) {
		/* What the stages before have changed is told too. */
		expect_event(&app, "\nClusterRole/phase-role created");
	}
	fx_auto(json) json_t *ks = get_ks(app.name);
	const json_t *last = json_array_get(fx_json_at(ks, "status", "history"), 0);
	if (failures[_i].history)
		ck_assert_str_eq(fx_json_str_at(last, "lastReconciledStatus"), failures[_i].history);
	else
		ck_assert_ptr_null(last);
	ck_assert_int_eq(fx_json_int_at(ks, 0, "status", "observedGeneration"), -1);

	/* A failing run handles the request too. */
	ck_assert_ok(fx_test_env_reconcile(&env, &KS(app.name), token, &err), &err);
	wait_condition(&app, (struct fx_test_condition){.status = "False", .handled = token});
	char fine[100];
	snprintf(fine, sizeof(fine), CONFIG("%s", "v"), app.name);
	const struct fx_test_file right[] = {
	        {strcmp(failures[_i].name, "path") ? "a.yaml" : "none/a.yaml", fine}, {NULL, NULL}};
	commit(&app, right, "second");
	wait_ready(&app);
	fx_autofree char *gone = condition(app.name, "Reconciling", "message");
	ck_assert_str_eq(gone, "");
	delete_app(&app);
}
END_TEST

/* ---- times ---- */

static const struct {
	const char *spec, *timeout;
} timeouts[] = {
        {"{\"spec\":{\"interval\":\"5m\"}}", "4m30s"},
        {"{\"spec\":{\"interval\":\"10s\"}}", "30s"},
        {"{\"spec\":{\"interval\":\"1h\",\"timeout\":\"5s\"}}", "30s"},
        {"{\"spec\":{\"interval\":\"1h\",\"timeout\":\"90s\"}}", "1m30s"},
};

START_TEST(timeouts_of_checks)
{
	struct app app = {.name = "timeouts"};
	static const struct fx_test_file files[] = {
	        {"a.yaml", "apiVersion: test.example.com/v1\nkind: Part\nmetadata: {name: timed}\n"},
	        {NULL, NULL}};
	make_part("timed", "Ready", "False");
	commit(&app, files, "first");
	kustomization(&app, "  wait: true\n");
	for (size_t i = 0; i < FX_COUNT(timeouts); i++) {
		char text[64];
		patch("Kustomization", app.name, NULL, timeouts[i].spec);
		snprintf(text, sizeof(text), " with a timeout of %s", timeouts[i].timeout);
		wait_condition(&app, (struct fx_test_condition){.type = "Reconciling", .message = text});
		wait_condition(&app, (struct fx_test_condition){.type = "Healthy",
		                             .status = "Unknown",
		                             .reason = "Progressing",
		                             .message = text});
	}
	set_part("timed", "Ready", "True");
	wait_ready(&app);
	wait_condition(&app, (struct fx_test_condition){.type = "Healthy",
	                             .status = "True",
	                             .reason = "Succeeded",
	                             .message = "Health check passed in "});
	delete_app(&app);
}
END_TEST

static bool is_observed(void *arg, const json_t *object)
{
	(void)arg;
	return fx_json_int_at(object, -1, "status", "observedGeneration") == fx_object_generation(object);
}

START_TEST(suspended_generation_is_observed)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct app app = {.name = "observed"};
	static const struct fx_test_file files[] = {{"a.yaml", CONFIG("observed", "v")}, {NULL, NULL}};
	commit(&app, files, "first");
	kustomization(&app, "");
	wait_ready(&app);
	patch("Kustomization", app.name, NULL, "{\"spec\":{\"suspend\":true}}");
	ck_assert_ok(fx_test_env_wait(&env, &KS(app.name), is_observed, NULL, 0, NULL, &err), &err);
	delete_app(&app);
}
END_TEST

/* ---- health ---- */

START_TEST(health_of_objects)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct app app = {.name = "health"};
	static const struct fx_test_file files[] = {{"a.yaml", CONFIG("health", "v")}, {NULL, NULL}};
	int passed = 0;
	commit(&app, files, "first");
	/* wait leaves the list aside: what that names is not there. */
	kustomization(&app, "  wait: true\n  retryInterval: 1s\n  healthChecks: [{kind: Deployment, name: "
	                    "none, namespace: default}]\n");
	wait_ready(&app);
	wait_condition(&app, (struct fx_test_condition){.type = "Healthy", .status = "True"});
	/* Nothing to check: the condition goes. Itself is nothing to check. */
	patch("Kustomization", app.name, NULL, "{\"spec\":{\"wait\":false,\"healthChecks\":null}}");
	wait_ready(&app);
	fx_autofree char *none = condition(app.name, "Healthy", "status");
	ck_assert_str_eq(none, "");
	patch("Kustomization", app.name, NULL,
	        "{\"spec\":{\"healthChecks\":[{\"apiVersion\":\"kustomize.toolkit.fluxcd.io/v1\",\"kind\":"
	        "\"Kustomization\",\"name\":\"health\",\"namespace\":\"" FX_TEST_NAMESPACE "\"}]}}");
	wait_ready(&app);
	fx_autofree char *self = condition(app.name, "Healthy", "status");
	ck_assert_str_eq(self, "");

	/* Something named outside of the set, which is stalled: at once, with what is wrong. */
	make_part("health-a", "Stalled", "True");
	make_part("health-b", "Ready", "False");
	patch("Kustomization", app.name, NULL,
	        "{\"spec\":{\"healthChecks\":[{\"apiVersion\":\"test.example.com/"
	        "v1\",\"kind\":\"Part\",\"name\":"
	        "\"health-a\",\"namespace\":\"default\"},{\"apiVersion\":\"test.example.com/"
	        "v1\",\"kind\":\"Part\","
	        "\"name\":\"health-b\",\"namespace\":\"default\"}]}}");
	wait_failed(&app, "HealthCheckFailed",
	        "failed early due to stalled resources: [Part/default/health-a status: 'Failed'");
	wait_condition(&app, (struct fx_test_condition){.type = "Healthy",
	                             .status = "False",
	                             .reason = "HealthCheckFailed",
	                             .message = "failed early due to stalled resources"});
	expect_event(&app, "health check failed after ");
	/* Recovery is told. */
	ck_assert_ok(
	        fx_test_env_count_events(&env, &KS(app.name), NULL, "Health check passed in", &passed, &err),
	        &err);
	set_part("health-a", "Ready", "True");
	set_part("health-b", "Ready", "True");
	wait_ready(&app);
	expect_event(&app, "Health check passed in");
	delete_app(&app);
}
END_TEST

/* ---- dependencies ---- */

START_TEST(dependencies)
{
	struct app first = {.name = "dep-first"}, second = {.name = "dep-second"};
	static const struct fx_test_file files[] = {{"a.yaml", CONFIG("dep-first", "one")}, {NULL, NULL}};
	static const struct fx_test_file next[] = {{"a.yaml", CONFIG("dep-first", "two")}, {NULL, NULL}};
	commit(&first, files, "first");
	kustomization(&first, "");
	wait_ready(&first);
	/* The second one has the first one's source. */
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	ck_assert_ok(
	        fx_test_env_apply(&env, &err,
	                "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: "
	                "dep-second}\nspec: {interval: 1h, prune: true, targetNamespace: default, "
	                "namePrefix: x-, "
	                "sourceRef: {kind: GitRepository, name: dep-first}, dependsOn: [{name: "
	                "dep-first}]}\n"),
	        &err);
	snprintf(second.hash, sizeof(second.hash), "%s", first.hash);
	wait_ready(&second);
	/* The first one stays at the old revision. */
	patch("Kustomization", first.name, NULL, "{\"spec\":{\"suspend\":true}}");
	ck_assert_ok(fx_test_env_wait(&env, &KS(first.name), is_observed, NULL, 0, NULL, &err), &err);
	commit(&first, next, "second");
	wait_failed(&second, "DependencyNotReady",
	        "dependency 'flux-system/dep-first' revision is not up to date");
	expect_event(&second, "Dependencies do not meet ready condition, retrying in 1s");
	patch("Kustomization", first.name, NULL, "{\"spec\":{\"suspend\":false,\"path\":\"./none\"}}");
	wait_failed(&second, "DependencyNotReady", "dependency 'flux-system/dep-first' is not ready");
	patch("Kustomization", first.name, NULL, "{\"spec\":{\"path\":\"./\"}}");
	snprintf(second.hash, sizeof(second.hash), "%s", first.hash);
	wait_ready(&second);
	ck_assert_ok(fx_test_env_delete(&env, &KS(second.name), &err), &err);
	ck_assert_ok(fx_test_env_wait_gone(&env, &KS(second.name), 0, &err), &err);
	delete_app(&first);
}
END_TEST

/* Two that wait for each other never begin; each says for what it waits. */
START_TEST(dependency_cycle)
{
	struct app one = {.name = "cycle-one"}, two = {.name = "cycle-two"};
	static const struct fx_test_file files[] = {{"a.yaml", CONFIG("cycle", "v")}, {NULL, NULL}};
	commit(&one, files, "first");
	commit(&two, files, "first");
	kustomization(&one, "  dependsOn: [{name: cycle-two}]\n");
	kustomization(&two, "  dependsOn: [{name: cycle-one}]\n");
	wait_failed(&one, "DependencyNotReady", "dependency 'flux-system/cycle-two' is not ready");
	wait_failed(&two, "DependencyNotReady", "dependency 'flux-system/cycle-one' is not ready");
	ck_assert(!exists("ConfigMap", "cycle"));
	delete_app(&one);
	delete_app(&two);
}
END_TEST

/* ---- what the spec changes ---- */

START_TEST(build_settings)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct app app = {.name = "settings"};
	static const struct fx_test_file files[] = {
	        {"app/Kustomization", "resources: [a.yaml, b.yaml]\nunknown: {field: 1}\n"},
	        {"app/a.yaml", CONFIG("a", "git")}, {"app/b.yaml", CONFIG("b", "git")},
	        {"extra/kustomization.yml", "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: "
	                                    "Component\nresources: [c.yaml]\n"},
	        {"extra/c.yaml", CONFIG("c", "component")}, {NULL, NULL}};
	commit(&app, files, "first");
	kustomization(&app,
	        "  path: app\n  namePrefix: pre-\n  nameSuffix: -suf\n"
	        "  components: [../extra, ../none]\n  ignoreMissingComponents: true\n"
	        "  commonMetadata: {labels: {team: blue}, annotations: {note: common}}\n"
	        "  patches:\n"
	        "  - patch: |\n      - op: replace\n        path: /data/key\n        value: patched\n"
	        "    target: {kind: ConfigMap, name: a}\n"
	        "  - patch: |\n      apiVersion: v1\n      kind: ConfigMap\n      metadata: "
	        "{name: b}\n      $patch: delete\n");
	wait_ready(&app);
	wait_value("pre-a-suf", "patched");
	wait_value("pre-c-suf", "component");
	ck_assert(!exists("ConfigMap", "pre-b-suf"));
	fx_auto(json) json_t *object = NULL;
	const struct fx_test_ref ref = {"ConfigMap", "pre-a-suf", "default"};
	ck_assert_ok(fx_test_env_get(&env, &ref, &object, &err), &err);
	ck_assert_str_eq(fx_object_label(object, "team"), "blue");
	ck_assert_str_eq(fx_object_annotation(object, "note"), "common");
	/* What is taken out of the spec leaves the objects. */
	patch("Kustomization", app.name, NULL,
	        "{\"spec\":{\"commonMetadata\":null,\"patches\":null,\"namePrefix\":null,\"nameSuffix\":null}"
	        "}");
	wait_ready(&app);
	wait_value("a", "git");
	wait_value("b", "git");
	wait_gone("ConfigMap", "pre-a-suf");
	fx_auto(json) json_t *plain = NULL;
	const struct fx_test_ref a = {"ConfigMap", "a", "default"};
	ck_assert_ok(fx_test_env_get(&env, &a, &plain, &err), &err);
	ck_assert_ptr_null(fx_object_label(plain, "team"));
	/* A component that is missing is an error unless the spec says otherwise. */
	patch("Kustomization", app.name, NULL, "{\"spec\":{\"ignoreMissingComponents\":false}}");
	wait_failed(&app, "BuildFailed", "");
	delete_app(&app);
}
END_TEST

/* Values that come, change and go start a run of their own. */
START_TEST(values_from_outside)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct app app = {.name = "values"};
	const struct fx_test_ref secret = {"Secret", "values-secret", NULL};
	static const struct fx_test_file files[] = {
	        {"a.yaml", CONFIG("values", "'${who:=nobody}-${where:=nowhere}'")}, {NULL, NULL}};
	commit(&app, files, "first");
	kustomization(&app,
	        "  postBuild: {substitute: {where: inline}, substituteFrom: [{kind: ConfigMap, name: "
	        "values-config, optional: true}, {kind: Secret, name: values-secret, optional: true}]}\n");
	wait_value("values", "nobody-inline");
	ck_assert_ok(fx_test_env_apply(&env, &err,
	                     "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: values-config, labels: "
	                     "{reconcile.fluxcd.io/watch: Enabled}}\ndata: {who: config, where: config}\n"),
	        &err);
	wait_value("values", "config-inline");
	/* The later one counts, and the spec's own above all. */
	ck_assert_ok(fx_test_env_apply(&env, &err,
	                     "apiVersion: v1\nkind: Secret\nmetadata: {name: values-secret, labels: "
	                     "{reconcile.fluxcd.io/watch: Enabled}}\nstringData: {who: secret}\n"),
	        &err);
	wait_value("values", "secret-inline");
	ck_assert_ok(fx_test_env_delete(&env, &secret, &err), &err);
	wait_value("values", "config-inline");
	delete_app(&app);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("kustomization: status");
	TCase *tc = tcase_create("status");
	tcase_set_timeout(tc, 600);
	tcase_add_unchecked_fixture(tc, setup, NULL);
	tcase_add_loop_test(tc, phase_of_failure, 0, FX_COUNT(failures));
	tcase_add_test(tc, timeouts_of_checks);
	tcase_add_test(tc, suspended_generation_is_observed);
	tcase_add_test(tc, health_of_objects);
	tcase_add_test(tc, dependencies);
	tcase_add_test(tc, dependency_cycle);
	tcase_add_test(tc, build_settings);
	tcase_add_test(tc, values_from_outside);
	suite_add_tcase(suite, tc);
	return suite;
}

static const char *const args[] = {"--requeue-dependency=1s", NULL};
static const struct fx_test_env_options options = {.kustomize = true, .kustomize_args = args};

FX_ENV_MAIN(make_suite, &options)
