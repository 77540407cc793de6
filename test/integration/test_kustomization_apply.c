/* What is written to the cluster and what is left alone: field managers, drift, policies of objects, order,
 * owners that fight. */
#include "test/integration/app.h"

#include "core/clock.h"
#include "kube/object.h"

#include <poll.h>

#define KS_EVENT(name) ((struct fx_test_ref){"Kustomization", name, NULL})
#define FOREIGN "someone-else"

/* JSON with ' for ". New reference. */
static json_t *json(const char *format, ...) fx_printf(1, 2);
static json_t *json(const char *format, ...)
{
	fx_auto(buf) struct fx_buf text = FX_BUF_INIT;
	va_list ap;
	va_start(ap, format);
	fx_buf_addv(&text, format, ap);
	va_end(ap);
	fx_autofree char *copy = strdup(fx_buf_str(&text));
	for (char *c = copy; *c; c++)
		if (*c == '\'')
			*c = '"';
	json_t *value = json_loads(copy, 0, NULL);
	ck_assert_msg(value != NULL, "%s", copy);
	return value;
}

static const struct fx_kube_path config_maps = {
        .version = "v1", .resource = "configmaps", .namespace_ = "default"};

static struct fx_kube_path config_map(const char *name)
{
	struct fx_kube_path path = config_maps;
	path.name = name;
	return path;
}

/* Writes a ConfigMap under the name of a field manager: an apply or an update (create, when it is not there).
 */
static void write_as(const char *manager, const char *how, const char *name, json_t *object)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_kube_write_options options = {
	        .field_manager = manager, .force = !strcmp(how, "Apply")};
	const struct fx_kube_path path = config_map(name);
	int rc;
	if (!strcmp(how, "Apply"))
		rc = fx_kube_patch(env.kube, &path, FX_KUBE_APPLY_PATCH, object, &options, NULL, NULL, &err);
	else if (!strcmp(how, "Create"))
		rc = fx_kube_create(env.kube, &config_maps, object, &options, NULL, NULL, &err);
	else
		rc = fx_kube_patch(env.kube, &path, FX_KUBE_MERGE_PATCH, object, &options, NULL, NULL, &err);
	json_decref(object);
	ck_assert_ok(rc, &err);
}

static json_t *get_config(const char *name)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	json_t *object = NULL;
	const struct fx_test_ref ref = {"ConfigMap", name, "default"};
	ck_assert_ok(fx_test_env_get(&env, &ref, &object, &err), &err);
	return object;
}

/* A run that was asked for has ended. */
static void reconcile(const struct app *app)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	char token[FX_TEST_TOKEN];
	const struct fx_test_ref ks = KS_EVENT(app->name);
	ck_assert_ok(fx_test_env_reconcile(&env, &ks, token, &err), &err);
	ck_assert_ok(fx_test_env_wait_condition(&env, &ks,
	                     &(struct fx_test_condition){.status = "True", .handled = token}, 0, NULL, &err),
	        &err);
}

static void expect_event(const struct app *app, const char *reason, const char *message)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	ck_assert_ok(fx_test_env_wait_event(&env, &KS_EVENT(app->name), reason, message, 0, &err), &err);
}

static int count_events(const struct app *app, const char *message)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	int count = 0;
	ck_assert_ok(fx_test_env_count_events(&env, &KS_EVENT(app->name), NULL, message, &count, &err), &err);
	return count;
}

/* ---- field managers ---- */

static const struct {
	const char *name, *manager, *how;
	const char *mark; /* annotation of the object in Git */
	bool stays;       /* the field that only the other manager set */
} managers[] = {
        {"kubectl client-side apply", "kubectl-client-side-apply", "Create", NULL, false},
        {"kubectl server-side apply", "kubectl", "Apply", NULL, false},
        {"kubectl edit", "kubectl-edit", "Create", NULL, false},
        {"before first apply", "before-first-apply", "Create", NULL, false},
        {"own update", "kustomize-controller", "Create", NULL, false},
        {"override, apply", "legacy-tool", "Apply", NULL, false},
        {"override, update", "legacy-tool", "Create", NULL, false},
        {"override by prefix", "legacy-tool-v2", "Create", NULL, false},
        {"another", FOREIGN, "Create", NULL, true},
        {"another, apply", FOREIGN, "Apply", NULL, true},
        {"flux cli", "flux-client-side-apply", "Apply", NULL, true},
        {"merge", "kubectl", "Apply", "ssa: Merge", true},
        {"merge in a label", "kubectl", "Apply", "SSA: merge", true},
};

START_TEST(take_over)
{
	struct app app = {0};
	char text[300], name[32];
	snprintf(app.name, sizeof(app.name), "manager-%d", _i);
	snprintf(name, sizeof(name), "%s", app.name);
	const char *mark = managers[_i].mark;
	bool is_merge = mark != NULL;
	write_as(managers[_i].manager, managers[_i].how, name,
	        json("{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'%s','annotations':{"
	             "'kubectl.kubernetes.io/last-applied-configuration':'{}','fluxcd.io/"
	             "sync-checksum':'x','kustomize.toolkit.fluxcd.io/checksum':'z'},"
	             "'labels':{'fluxcd.io/sync-gc-mark':'y'}},'data':{'key':'old','extra':'theirs'}}",
	                name));
	snprintf(text, sizeof(text),
	        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s%s%s%s}\ndata: {key: new}\n", name,
	        is_merge ? ", annotations: {kustomize.toolkit.fluxcd.io/" : "",
	        is_merge ? (strstr(mark, "SSA") ? "ssa: merge" : mark) : "", is_merge ? "}" : "");
	const struct fx_test_file files[] = {{"a.yaml", text}, {NULL, NULL}};
	commit(&app, files, "first");
	kustomization(&app, "");
	wait_ready(&app);
	fx_auto(json) json_t *object = get_config(name);
	const char *what = managers[_i].name;
	ck_assert_str_eq(fx_json_str_at(object, "data", "key"), "new");
	ck_assert_msg((fx_json_str_at(object, "data", "extra") != NULL) == managers[_i].stays, "%s", what);
	bool cleaned = !fx_object_annotation(object, "kubectl.kubernetes.io/last-applied-configuration") &&
	               !fx_object_annotation(object, "fluxcd.io/sync-checksum") &&
	               !fx_object_annotation(object, "kustomize.toolkit.fluxcd.io/checksum") &&
	               !fx_object_label(object, "fluxcd.io/sync-gc-mark");
	ck_assert_msg(cleaned == !is_merge, "%s", what);
	expect_event(&app, "Progressing", "configured");
	delete_app(&app);
}
END_TEST

/* ---- drift ---- */

static const struct {
	const char *name, *manager, *patch;
	bool reverted;
} edits[] = {
        {"data", FOREIGN, "{'data':{'key':'edited'}}", true},
        {"data removed", FOREIGN, "{'data':{'key':null}}", true},
        {"label", FOREIGN, "{'metadata':{'labels':{'app':'edited'}}}", true},
        {"annotation", FOREIGN, "{'metadata':{'annotations':{'note':null}}}", true},
        {"kubectl edit", "kubectl-edit", "{'data':{'more':'x'}}", true},
        {"kubectl label", "kubectl-label", "{'metadata':{'labels':{'more':'x'}}}", true},
        {"foreign data", FOREIGN, "{'data':{'more':'x'}}", false},
        {"foreign label", FOREIGN, "{'metadata':{'labels':{'more':'x'}}}", false},
        {"finalizer", FOREIGN, "{'metadata':{'finalizers':['example.com/f']}}", false},
        {"owner", FOREIGN,
                "{'metadata':{'ownerReferences':[{'apiVersion':'v1','kind':'Namespace','name':'default','uid'"
                ":"
                "'%s'}]}}",
                false},
};

/* What the object says, without what every write changes. */
static char *content_of(const char *name)
{
	fx_auto(json) json_t *object = get_config(name);
	json_t *metadata = json_object_get(object, "metadata");
	json_object_del(metadata, "resourceVersion");
	json_object_del(metadata, "managedFields");
	return json_dumps(object, JSON_SORT_KEYS | JSON_COMPACT);
}

static bool has_content(void *arg, const json_t *object)
{
	fx_auto(json) json_t *copy = json_deep_copy(object);
	json_t *metadata = json_object_get(copy, "metadata");
	json_object_del(metadata, "resourceVersion");
	json_object_del(metadata, "managedFields");
	fx_autofree char *text = json_dumps(copy, JSON_SORT_KEYS | JSON_COMPACT);
	return !strcmp(text, arg);
}

START_TEST(drift)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(json) json_t *space = NULL;
	struct app app = {0};
	char text[300];
	snprintf(app.name, sizeof(app.name), "drift-%d", _i);
	snprintf(text, sizeof(text),
	        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s, labels: {app: a}, annotations: {note: "
	        "n}}\n"
	        "data: {key: git}\n",
	        app.name);
	const struct fx_test_file files[] = {{"a.yaml", text}, {NULL, NULL}};
	commit(&app, files, "first");
	kustomization(&app, "");
	wait_ready(&app);
	fx_autofree char *before = content_of(app.name);
	const struct fx_test_ref ns = {"Namespace", "default", NULL};
	ck_assert_ok(fx_test_env_get(&env, &ns, &space, &err), &err);
	fx_autofree char *patch_text = NULL;
	ck_assert_int_gt(asprintf(&patch_text, "%s", edits[_i].patch), 0);
	char *uid = strstr(patch_text, "%s");
	fx_auto(buf) struct fx_buf full = FX_BUF_INIT;
	fx_buf_add(&full, patch_text, uid ? (size_t)(uid - patch_text) : strlen(patch_text));
	if (uid)
		fx_buf_addf(&full, "%s%s", fx_json_str_at(space, "metadata", "uid"), uid + 2);
	write_as(edits[_i].manager, "Update", app.name, json("%s", fx_buf_str(&full)));
	fx_autofree char *edited = content_of(app.name);
	const struct fx_test_ref ref = {"ConfigMap", app.name, "default"};
	if (edits[_i].reverted) {
		int rc = fx_test_env_wait(&env, &ref, has_content, before, 0, NULL, &err);
		ck_assert_msg(rc == 0, "%s: %s", edits[_i].name, fx_error_message(&err));
		expect_event(&app, NULL, "configured");
	} else {
		reconcile(&app);
		fx_autofree char *after = content_of(app.name);
		ck_assert_msg(!strcmp(edited, after), "%s: %s, was %s", edits[_i].name, after, edited);
		ck_assert_int_eq(count_events(&app, "configured"), 0);
	}
	write_as(
	        FOREIGN, "Update", app.name, json("{'metadata':{'finalizers':null,'ownerReferences':null}}"));
	delete_app(&app);
}
END_TEST

/* ---- owners that fight ---- */

/* A controller that always has its way again: each correction waits longer, and a warning names it. */
START_TEST(fight_with_a_controller)
{
	struct app app = {.name = "fight"};
	static const struct fx_test_file files[] = {{"a.yaml", CONFIG("fight", "git")}, {NULL, NULL}};
	commit(&app, files, "first");
	kustomization(&app, "");
	wait_ready(&app);
	int64_t started_ms = 0;
	for (int i = 0; i < 5; i++) {
		started_ms = fx_now_ms();
		write_as(FOREIGN, "Update", "fight", json("{'data':{'key':'theirs'}}"));
		wait_value("fight", "git");
	}
	/* Three are put right at once, the fourth after 1 s, the fifth after 2 s. */
	ck_assert_int_ge(fx_now_ms() - started_ms, 1900);
	expect_event(&app, NULL,
	        "ConfigMap/default/fight is changed again and again by field manager \"" FOREIGN "\"");
	delete_app(&app);
}
END_TEST

START_TEST(two_owners)
{
	struct app first = {.name = "owner-one"}, second = {.name = "owner-two"};
	static const struct fx_test_file one[] = {{"a.yaml", CONFIG("owned", "one")}, {NULL, NULL}};
	static const struct fx_test_file two[] = {{"a.yaml", CONFIG("owned", "two")}, {NULL, NULL}};
	commit(&first, one, "first");
	kustomization(&first, "");
	wait_ready(&first);
	commit(&second, two, "first");
	kustomization(&second, "");
	wait_ready(&second);
	wait_value("owned", "two");
	ck_assert_int_eq(count_events(&first, "needs one owner"), 0);
	reconcile(&first);
	wait_value("owned", "one");
	expect_event(&first, NULL,
	        "ConfigMap/default/owned is also applied by Kustomization/flux-system/owner-two");
	/* Who goes leaves the other's object alone. */
	delete_app(&second);
	wait_value("owned", "one");
	delete_app(&first);
	wait_gone("ConfigMap", "owned");
}
END_TEST

/* ---- policies of objects ---- */

static const struct {
	const char *name;
	const char *git;  /* labels or annotations in Git */
	const char *live; /* a patch of the live object before the second commit, NULL: none */
	const char *want; /* value after the second commit */
	bool stays;       /* after it has left Git */
} policies[] = {
        {"none", "", NULL, "two", false},
        {"Ignore", "annotations: {kustomize.toolkit.fluxcd.io/ssa: Ignore}", NULL, NULL, true},
        {"ignore in a label", "labels: {kustomize.toolkit.fluxcd.io/ssa: ignore}", NULL, NULL, true},
        {"reconcile", "annotations: {kustomize.toolkit.fluxcd.io/reconcile: Disabled}", NULL, NULL, true},
        {"IfNotPresent", "labels: {kustomize.toolkit.fluxcd.io/ssa: ifnotpresent}", NULL, "one", false},
        {"prune", "labels: {kustomize.toolkit.fluxcd.io/prune: DISABLED}", NULL, "two", true},
        {"live Ignore", "", "{'metadata':{'labels':{'kustomize.toolkit.fluxcd.io/ssa':'IGNORE'}}}", "one",
                true},
        {"live reconcile", "",
                "{'metadata':{'annotations':{'kustomize.toolkit.fluxcd.io/reconcile':'disabled'}}}", "one",
                true},
        {"live prune", "", "{'metadata':{'annotations':{'kustomize.toolkit.fluxcd.io/prune':'Disabled'}}}",
                "two", true},
        {"other owner", "", "{'metadata':{'labels':{'kustomize.toolkit.fluxcd.io/name':null}}}", "two",
                false},
};

static char *policy_file(const char *name, const char *marks, const char *value)
{
	char *text = NULL;
	ck_assert_int_gt(
	        asprintf(&text,
	                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s%s%s}\ndata: {key: %s}\n", name,
	                *marks ? ", " : "", marks, value),
	        0);
	return text;
}

START_TEST(policy)
{
	struct app app = {0};
	snprintf(app.name, sizeof(app.name), "policy-%d", _i);
	const char *what = policies[_i].name, *want = policies[_i].want;
	fx_autofree char *one = policy_file(app.name, policies[_i].git, "one");
	fx_autofree char *two = policy_file(app.name, policies[_i].git, "two");
	const struct fx_test_file first[] = {
	        {"a.yaml", one}, {"keep.yaml", CONFIG("policy-keep", "v")}, {NULL, NULL}};
	const struct fx_test_file second[] = {{"a.yaml", two}, {NULL, NULL}};
	static const struct fx_test_file third[] = {{"a.yaml", NULL}, {NULL, NULL}};
	commit(&app, first, "first");
	kustomization(&app, "  wait: true\n");
	wait_ready(&app);
	ck_assert_msg(exists("ConfigMap", app.name) == (want != NULL), "%s", what);
	if (!want)
		write_as(FOREIGN, "Create", app.name,
		        json("{'metadata':{'name':'%s','labels':{'kustomize.toolkit.fluxcd.io/name':'%s',"
		             "'kustomize.toolkit.fluxcd.io/namespace':'flux-system'}},'data':{'key':'mine'}}",
		                app.name, app.name));
	if (policies[_i].live)
		write_as(FOREIGN, "Update", app.name, json("%s", policies[_i].live));
	commit(&app, second, "second");
	wait_ready(&app);
	fx_auto(json) json_t *object = get_config(app.name);
	ck_assert_msg(!strcmp(fx_json_str_at(object, "data", "key"), want ? want : "mine"), "%s: %s", what,
	        fx_json_str_at(object, "data", "key"));
	/* The inventory has what was skipped too. */
	char id[64];
	snprintf(id, sizeof(id), "default_%s__ConfigMap", app.name);
	fx_auto(json) json_t *ks = NULL;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	ck_assert_ok(fx_test_env_get(&env, &KS_EVENT(app.name), &ks, &err), &err);
	fx_autofree char *status = json_dumps(json_object_get(ks, "status"), 0);
	ck_assert_msg(strstr(status, id) != NULL, "%s: %s", what, status);

	if (!want)
		write_as(FOREIGN, "Update", app.name,
		        json("{'metadata':{'annotations':{'kustomize.toolkit.fluxcd.io/ssa':'Ignore'}}}"));
	commit(&app, third, "third");
	wait_ready(&app);
	char line[80];
	snprintf(line, sizeof(line), "ConfigMap/default/%s %s", app.name,
	        policies[_i].stays ? "skipped" : "deleted");
	expect_event(&app, NULL, line);
	if (policies[_i].stays)
		ck_assert_msg(exists("ConfigMap", app.name), "%s", what);
	else
		wait_gone("ConfigMap", app.name);
	delete_app(&app);
}
END_TEST

/* Who wants to keep an object marks it with kubectl and takes it out of Git then. */
START_TEST(kept_by_hand)
{
	struct app app = {.name = "kept-by-hand"};
	static const struct fx_test_file first[] = {{"a.yaml", CONFIG("by-hand", "v")},
	        {"b.yaml", CONFIG("by-hand-other", "v")}, {NULL, NULL}},
	                                 second[] = {{"a.yaml", NULL}, {NULL, NULL}};
	commit(&app, first, "first");
	kustomization(&app, "");
	wait_ready(&app);
	write_as("kubectl-annotate", "Update", "by-hand",
	        json("{'metadata':{'annotations':{'kustomize.toolkit.fluxcd.io/prune':'disabled'}}}"));
	commit(&app, second, "second");
	wait_ready(&app);
	expect_event(&app, NULL, "ConfigMap/default/by-hand skipped");
	ck_assert(exists("ConfigMap", "by-hand"));
	delete_app(&app);
	ck_assert(exists("ConfigMap", "by-hand"));
}
END_TEST

/* A watch of a kind that goes away is given up; objects are looked after again when the kind is back. */
START_TEST(definition_comes_back)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct app app = {.name = "comesback"};
	static const char crd[] =
	        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n"
	        "metadata: {name: boxes.test.example.com}\nspec:\n  group: test.example.com\n"
	        "  scope: Namespaced\n  names: {kind: Box, plural: boxes, singular: box}\n"
	        "  versions:\n  - name: v1\n    served: true\n    storage: true\n    schema:\n"
	        "      openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}\n";
	static const struct fx_test_file files[] = {
	        {"a.yaml", "apiVersion: test.example.com/v1\nkind: Box\nmetadata: {name: b}\ndata: {key: "
	                   "git}\n"},
	        {NULL, NULL}};
	const struct fx_test_ref definition = {
	        "CustomResourceDefinition.apiextensions.k8s.io", "boxes.test.example.com", ""};
	const struct fx_test_ref box = {"Box.test.example.com", "b", "default"};
	char git[] = "git";
	ck_assert_ok(fx_test_env_apply(&env, &err, "%s", crd), &err);
	commit(&app, files, "first");
	kustomization(&app, "  retryInterval: 1s\n");
	wait_ready(&app);
	ck_assert_ok(fx_test_env_delete(&env, &definition, &err), &err);
	wait_failed(&app, "ReconciliationFailed", "");
	/* Long enough for the watch to be given up. */
	while (count_events(&app, "Box/default/b") < 6)
		poll(NULL, 0, 100);
	ck_assert_ok(fx_test_env_apply(&env, &err, "%s", crd), &err);
	wait_ready(&app);
	for (int i = 0; i < 2; i++) {
		ck_assert_ok(fx_test_env_wait(&env, &box, has_value, git, 0, NULL, &err), &err);
		ck_assert_ok(fx_test_env_patch(&env, &box, &err, "{\"data\":{\"key\":\"edited\"}}"), &err);
	}
	ck_assert_ok(fx_test_env_wait(&env, &box, has_value, git, 0, NULL, &err), &err);
	delete_app(&app);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("kustomization: apply");
	TCase *tc = tcase_create("apply");
	tcase_set_timeout(tc, 600);
	tcase_add_loop_test(tc, take_over, 0, FX_COUNT(managers));
	tcase_add_loop_test(tc, drift, 0, FX_COUNT(edits));
	tcase_add_test(tc, fight_with_a_controller);
	tcase_add_test(tc, two_owners);
	tcase_add_loop_test(tc, policy, 0, FX_COUNT(policies));
	tcase_add_test(tc, kept_by_hand);
	tcase_add_test(tc, definition_comes_back);
	suite_add_tcase(suite, tc);
	return suite;
}

static const char *const args[] = {"--override-manager=legacy-tool", NULL};
static const struct fx_test_env_options options = {.kustomize = true, .pods = true, .kustomize_args = args};

FX_ENV_MAIN(make_suite, &options)
