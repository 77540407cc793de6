/* A repository laid out like the Flux monorepo guide (test/integration/data/monorepo), from its first commit
 * to the end of its root Kustomization. The cases build on each other. */
#include "core/arena.h"
#include "data/json.h"
#include "data/yaml.h"
#include "data/base64.h"
#include "kube/object.h"
#include "test/integration/env_main.h"

#define TREE "test/integration/data/monorepo"
#define SOURCE "source.toolkit.fluxcd.io/v1"
#define KUSTOMIZE "kustomize.toolkit.fluxcd.io/v1"
#define OWNER "kustomize.toolkit.fluxcd.io/"
#define MANAGER "kustomize-controller"
#define ARENA_MAX (64 * 1024 * 1024)
#define PATH_MAX_BYTES 512

/* The first five Kustomizations become ready one after the other, each with pods. */
#define ALL_READY_MS 30000

static const struct fx_test_ref source = {"GitRepository", "flux-system", NULL};
static const struct fx_test_ref web = {"Deployment.apps", "web", "web"};
static char head[41];

/* The Kustomizations of the tree, in the order of their dependencies. */
static const struct part {
	const char *name;
	const char *path;  /* in the tree */
	const char *files; /* what kustomize would have to read; NULL: it builds the path */
	int objects;
} parts[] = {
        {"flux-system", "clusters/staging", "apps.yaml infrastructure.yaml", 3},
        {"infra-controllers", "infrastructure/controllers", NULL, 7},
        {"infra-configs", "infrastructure/configs", "cluster-settings.yaml gadget.yaml", 2},
        {"apps", "apps/staging", NULL, 7},
};

/* What postBuild makes of the variables of the tree. */
static const struct {
	const char *from, *to;
} variables[] = {
        {"${cluster_name}", "staging"},
        {"${region}", "north"},
        {"${replicas}", "2"},
        {"${zone:=first}", "first"},
};

static void expect_ready(const struct part *part, const char *revision, int timeout_ms)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_test_ref ref = {"Kustomization", part->name, NULL};
	const struct fx_test_condition want = {
	        .status = "True", .reason = "ReconciliationSucceeded", .revision = revision};
	ck_assert_ok(fx_test_env_wait_condition(&env, &ref, &want, timeout_ms, NULL, &err), &err);
}

static void push(const char *subject, const struct fx_test_file *files)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	char token[FX_TEST_TOKEN];
	ck_assert_ok(fx_test_git_commit(&env.git, "fleet", "main", subject, files, head, &err), &err);
	ck_assert_ok(fx_test_env_reconcile(&env, &source, token, &err), &err);
	for (size_t i = 0; i < FX_COUNT(parts); i++)
		expect_ready(&parts[i], head, ALL_READY_MS);
}

/* As a real server does while the storage of a new kind comes up: the first list of Gadgets is put off, and
 * comes only after some of them were applied, and one was deleted (delete_by_hand_is_reverted). */
static void put_off_first_list(void)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	if (env.real)
		return;
	ck_assert_ok(fx_test_apiserver_request(&env.embedded, "POST", "/_faults",
	                     "{\"type\":\"429\",\"retryAfter\":1,\"verb\":\"list\",\"count\":1,"
	                     "\"path\":\"/apis/example.com/v1/gadgets\"}",
	                     NULL, &err),
	        &err);
}

START_TEST(everything_gets_ready)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	put_off_first_list();
	ck_assert_ok(fx_test_git_create(&env.git, "fleet", &err), &err);
	ck_assert_ok(fx_test_git_import(&env.git, "fleet", "main", "first", TREE, head, &err), &err);
	ck_assert_ok(fx_test_env_apply(&env, &err,
	                     "apiVersion: " SOURCE "\nkind: GitRepository\nmetadata: {name: flux-system}\n"
	                     "spec: {interval: 1h, url: \"%s/fleet.git\", ref: {branch: main}}\n---\n"
	                     "apiVersion: " KUSTOMIZE "\nkind: Kustomization\nmetadata: {name: flux-system}\n"
	                     "spec:\n  interval: 1h\n  retryInterval: 1s\n  timeout: 1m\n  prune: true\n"
	                     "  wait: true\n  path: ./clusters/staging\n"
	                     "  sourceRef: {kind: GitRepository, name: flux-system}\n",
	                     env.git.url),
	        &err);
	/* The root waits for all the others. */
	expect_ready(&parts[0], head, ALL_READY_MS);
	for (size_t i = 1; i < FX_COUNT(parts); i++)
		expect_ready(&parts[i], head, 0);
}
END_TEST

START_TEST(inventories_list_everything)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	for (size_t i = 0; i < FX_COUNT(parts); i++) {
		const struct fx_test_ref ref = {"Kustomization", parts[i].name, NULL};
		fx_auto(json) json_t *object = NULL;
		ck_assert_ok(fx_test_env_get(&env, &ref, &object, &err), &err);
		fx_autofree char *text = fx_json_text(fx_json_at(object, "status", "inventory"), NULL);
		ck_assert_msg(json_array_size(fx_json_at(object, "status", "inventory", "entries")) ==
		                      (size_t)parts[i].objects,
		        "%s: %s", parts[i].name, text);
	}
}
END_TEST

/* kubectl kustomize of a part, after substitution, as YAML. */
static void build(const struct part *part, struct fx_buf *out)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(buf) struct fx_buf text = FX_BUF_INIT;
	char command[PATH_MAX_BYTES];
	if (part->files)
		snprintf(command, sizeof(command), "cd " TREE "/%s && for f in %s; do cat $f; echo ---; done",
		        part->path, part->files);
	else
		snprintf(command, sizeof(command), "%s/kubectl kustomize " TREE "/%s", env.cluster.bin,
		        part->path);
	const struct fx_test_command run = {.argv = (const char *const[]){"sh", "-c", command, NULL}};
	ck_assert_ok(fx_test_run(&run, &text, NULL, &err), &err);
	for (const char *p = fx_buf_str(&text); *p;) {
		size_t i = 0;
		while (i < FX_COUNT(variables) &&
		        strncmp(p, variables[i].from, strlen(variables[i].from)) != 0)
			i++;
		if (i < FX_COUNT(variables))
			fx_buf_addf(out, "%s", variables[i].to);
		else
			fx_buf_add(out, p, 1);
		p += i < FX_COUNT(variables) ? strlen(variables[i].from) : 1;
	}
}

/* What Flux adds to an object, and what the client side of an apply makes of it. */
static void expect_as_flux(const struct part *part, json_t *object)
{
	ck_assert(fx_object_set_label(object, OWNER "name", part->name));
	ck_assert(fx_object_set_label(object, OWNER "namespace", FX_TEST_NAMESPACE));
	const char *key;
	json_t *value;
	json_object_foreach (json_object_get(object, "stringData"), key, value) {
		fx_autofree char *text =
		        fx_base64_encode(json_string_value(value), json_string_length(value));
		ck_assert(fx_json_set_at(object, json_string(text), "data", key));
	}
	json_object_del(object, "stringData");
}

/* Where the two differ; path is extended on the way down. False: desired is all there. */
static bool lacks(const json_t *live, const json_t *desired, char *path)
{
	size_t end = strlen(path), i;
	const char *key;
	json_t *value;
	if (json_is_object(desired)) {
		json_object_foreach ((json_t *)desired, key, value) {
			snprintf(path + end, PATH_MAX_BYTES - end, "/%s", key);
			if (lacks(json_object_get(live, key), value, path))
				return true;
		}
	} else if (json_is_array(desired)) {
		if (json_array_size(live) != json_array_size(desired))
			return true;
		json_array_foreach (desired, i, value) {
			snprintf(path + end, PATH_MAX_BYTES - end, "/%zu", i);
			if (lacks(json_array_get(live, i), value, path))
				return true;
		}
	} else if (!live || !fx_json_equal_loose(live, desired)) {
		return true;
	}
	path[end] = '\0';
	return false;
}

/* The item of a list that a managed field's key `k:{"name":"x"}` or `v:"x"` means. */
static const json_t *find_item(const json_t *list, const char *key)
{
	fx_auto(json) json_t *want = json_loads(key + 2, JSON_DECODE_ANY, NULL);
	size_t i;
	json_t *item, *value;
	const char *name;
	json_array_foreach (list, i, item) {
		bool same = *key == 'k' || json_equal(item, want);
		json_object_foreach (*key == 'k' ? want : NULL, name, value) {
			const json_t *have = json_object_get(item, name);
			/* The one key that may be left out. */
			same = same && (have ? json_equal(have, value) : strcmp(name, "protocol") == 0);
		}
		if (same)
			return item;
	}
	return NULL;
}

/* Clients built on Go types send these without being asked to: `spec: {}` of a Namespace among them. */
static bool is_usual(const char *path, const json_t *below)
{
	static const char *const usual[] = {"/metadata/creationTimestamp", "/strategy", "/resources",
	        "/protocol", "/status/loadBalancer", "/status"};
	for (size_t i = 0; i < FX_COUNT(usual); i++) {
		size_t len = strlen(path), end = strlen(usual[i]);
		if (len >= end && strcmp(path + len - end, usual[i]) == 0)
			return true;
	}
	return strcmp(path, "/spec") == 0 && json_object_size(below) == 0;
}

/* Whether a field was sent that is not in the desired object; path says which. */
static bool sent_more(const json_t *fields, const json_t *desired, char *path)
{
	size_t end = strlen(path);
	const char *key;
	json_t *below;
	json_object_foreach ((json_t *)fields, key, below) {
		if (strcmp(key, ".") == 0)
			continue;
		bool named = strncmp(key, "f:", 2) == 0;
		const json_t *value = named ? json_object_get(desired, key + 2) : find_item(desired, key);
		snprintf(path + end, PATH_MAX_BYTES - end, "/%s", named ? key + 2 : key);
		if (!value && is_usual(path, below))
			continue;
		if (!value || sent_more(below, value, path))
			return true;
	}
	path[end] = '\0';
	return false;
}

static const json_t *fields_of(const json_t *live)
{
	size_t i;
	json_t *entry;
	json_array_foreach (fx_json_at(live, "metadata", "managedFields"), i, entry) {
		const char *manager = fx_json_str_at(entry, "manager");
		const char *operation = fx_json_str_at(entry, "operation");
		if (manager && strcmp(manager, MANAGER) == 0 && strcmp(operation, "Apply") == 0)
			return json_object_get(entry, "fieldsV1");
	}
	return NULL;
}

static void compare(const struct part *part, json_t *desired)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(json) json_t *live = NULL;
	char kind[PATH_MAX_BYTES], path[PATH_MAX_BYTES] = "";
	const char *version = fx_object_api_version(desired), *slash = strchr(version, '/');
	snprintf(kind, sizeof(kind), "%s%s%.*s", fx_object_kind(desired), slash ? "." : "",
	        slash ? (int)(slash - version) : 0, version);
	const struct fx_test_ref ref = {kind, fx_object_name(desired), fx_object_namespace(desired)};
	ck_assert_ok(fx_test_env_get(&env, &ref, &live, &err), &err);
	expect_as_flux(part, desired);
	fx_autofree char *have = fx_json_text(live, NULL);
	fx_autofree char *want = fx_json_text(desired, NULL);
	ck_assert_msg(!lacks(live, desired, path), "%s: not as built:\n%s\n%s", path, want, have);
	const json_t *fields = fields_of(live);
	ck_assert_msg(fields, "%s", have);
	ck_assert_msg(
	        !sent_more(fields, desired, path), "%s: sent, but not built:\n%s\n%s", path, want, have);
}

START_TEST(applied_is_what_kubectl_builds)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	if (!env.real) /* kubectl comes with the real cluster */
		return;
	fx_discovery_expect_change(env.discovery);
	for (size_t i = 0; i < FX_COUNT(parts); i++) {
		fx_auto(buf) struct fx_buf text = FX_BUF_INIT;
		fx_auto(arena) struct fx_arena *arena = fx_arena_new(ARENA_MAX);
		const struct fx_yaml_read read = {.values = true};
		struct fx_node *documents = NULL;
		build(&parts[i], &text);
		ck_assert_ok(
		        fx_yaml_read_all(arena, fx_buf_str(&text), text.len, &read, &documents, &err), &err);
		fx_auto(json) json_t *list = fx_node_to_json(documents, &err);
		size_t n;
		json_t *object;
		int count = 0;
		json_array_foreach (list, n, object) {
			if (!json_is_object(object))
				continue;
			compare(&parts[i], object);
			count++;
		}
		ck_assert_int_eq(count, parts[i].objects);
	}
}
END_TEST

START_TEST(substitution_and_overlay)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(json) json_t *deployment = NULL, *notes = NULL, *settings = NULL;
	ck_assert_ok(fx_test_env_get(&env, &web, &deployment, &err), &err);
	const json_t *container =
	        json_array_get(fx_json_at(deployment, "spec", "template", "spec", "containers"), 0);
	const json_t *variable = json_array_get(json_object_get(container, "env"), 0);
	ck_assert_int_eq(fx_json_int_at(deployment, 0, "spec", "replicas"), 2);
	ck_assert_str_eq(fx_json_str_at(container, "image"), "example.com/web:v2");
	ck_assert_str_eq(fx_json_str_at(variable, "value"), "staging-north");
	const struct fx_test_ref notes_ref = {"ConfigMap", "notes", "web"};
	const struct fx_test_ref settings_ref = {"ConfigMap", "settings", "web"};
	ck_assert_ok(fx_test_env_get(&env, &notes_ref, &notes, &err), &err);
	ck_assert_str_eq(fx_json_str_at(notes, "data", "text"), "${kept}");
	ck_assert_ok(fx_test_env_get(&env, &settings_ref, &settings, &err), &err);
	ck_assert_str_eq(fx_json_str_at(settings, "data", "mode"), "fast");
}
END_TEST

/* The Deployment was changed twice since: by hand, and back. */
static bool is_put_right(void *arg, const json_t *object)
{
	const int64_t *generation = arg;
	return object && fx_object_generation(object) >= *generation + 2 &&
	       fx_json_int_at(object, 0, "spec", "replicas") == 2;
}

START_TEST(edit_by_hand_is_reverted)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(json) json_t *before = NULL;
	ck_assert_ok(fx_test_env_get(&env, &web, &before, &err), &err);
	int64_t generation = fx_object_generation(before);
	ck_assert_ok(fx_test_env_patch(&env, &web, &err, "{\"spec\":{\"replicas\":5}}"), &err);
	ck_assert_ok(fx_test_env_wait(&env, &web, is_put_right, &generation, 0, NULL, &err), &err);
}
END_TEST

static bool is_another(void *arg, const json_t *object)
{
	return object && strcmp(fx_object_uid(object), fx_object_uid(arg)) != 0;
}

START_TEST(delete_by_hand_is_reverted)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_test_ref large = {"Gadget.example.com", "large", "gadgets"};
	fx_auto(json) json_t *before = NULL;
	fx_discovery_expect_change(env.discovery);
	ck_assert_ok(fx_test_env_get(&env, &large, &before, &err), &err);
	ck_assert_str_eq(fx_json_str_at(before, "spec", "colour"), "green");
	ck_assert_ok(fx_test_env_delete(&env, &large, &err), &err);
	ck_assert_ok(fx_test_env_wait(&env, &large, is_another, before, 0, NULL, &err), &err);
}
END_TEST

START_TEST(settings_in_git_reach_the_apps)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(json) json_t *deployment = NULL;
	push("another cluster name",
	        (const struct fx_test_file[]){{"infrastructure/configs/cluster-settings.yaml",
	                                              "apiVersion: v1\nkind: ConfigMap\nmetadata:\n"
	                                              "  name: cluster-settings\n  namespace: flux-system\n"
	                                              "data: {cluster_name: renamed, replicas: \"2\"}\n"},
	                {NULL, NULL}});
	ck_assert_ok(fx_test_env_get(&env, &web, &deployment, &err), &err);
	const json_t *container =
	        json_array_get(fx_json_at(deployment, "spec", "template", "spec", "containers"), 0);
	const json_t *variable = json_array_get(json_object_get(container, "env"), 0);
	ck_assert_str_eq(fx_json_str_at(variable, "value"), "renamed-north");
}
END_TEST

START_TEST(removal_in_git_prunes)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_test_ref apps = {"Kustomization", "apps", NULL};
	push("no settings", (const struct fx_test_file[]){{"apps/base/worker/settings.yaml", NULL},
	                            {"apps/base/worker/kustomization.yaml",
	                                    "apiVersion: kustomize.config.k8s.io/v1beta1\n"
	                                    "kind: Kustomization\nnamespace: web\n"
	                                    "resources: [secret.yaml]\n"},
	                            {NULL, NULL}});
	ck_assert_ok(
	        fx_test_env_wait_gone(&env, &(struct fx_test_ref){"ConfigMap", "settings", "web"}, 0, &err),
	        &err);
	ck_assert_ok(
	        fx_test_env_wait_event(&env, &apps, NULL, "ConfigMap/web/settings deleted", 0, &err), &err);
}
END_TEST

START_TEST(end_of_the_root_ends_all)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	static const struct {
		const char *kustomization, *message;
	} orders[] = {
	        {"flux-system", "Kustomization/flux-system/infra-controllers deleted\n"
	                        "Kustomization/flux-system/infra-configs deleted\n"
	                        "Kustomization/flux-system/apps deleted"},
	        {"infra-controllers", "Gadget/gadgets/default deleted\n"
	                              "Deployment/gadgets/gadget-controller deleted\n"
	                              "ServiceAccount/gadgets/gadget-controller deleted\n"
	                              "ClusterRoleBinding/gadget-controller deleted\n"
	                              "ClusterRole/gadget-controller deleted\n"
	                              "Namespace/gadgets deleted\n"
	                              "CustomResourceDefinition/gadgets.example.com deleted"},
	        {"apps", "Deployment/web/web deleted\nService/web/web deleted\nSecret/web/worker deleted\n"
	                 "ConfigMap/web/web-config-2df6gdk8tg deleted\nConfigMap/web/notes deleted\n"
	                 "Namespace/web deleted"},
	};
	static const struct fx_test_ref gone[] = {{"Kustomization", "flux-system", NULL},
	        {"Kustomization", "apps", NULL}, {"Kustomization", "infra-configs", NULL},
	        {"Kustomization", "infra-controllers", NULL}, {"ConfigMap", "cluster-settings", NULL},
	        {"Namespace", "web", NULL}, {"Namespace", "gadgets", NULL},
	        {"ClusterRole.rbac.authorization.k8s.io", "gadget-controller", NULL},
	        {"CustomResourceDefinition.apiextensions.k8s.io", "gadgets.example.com", NULL}};
	ck_assert_ok(fx_test_env_delete(&env, &gone[0], &err), &err);
	for (size_t i = 0; i < FX_COUNT(gone); i++)
		ck_assert_ok(fx_test_env_wait_gone(&env, &gone[i], ALL_READY_MS, &err), &err);
	for (size_t i = 0; i < FX_COUNT(orders); i++) {
		const struct fx_test_ref ref = {"Kustomization", orders[i].kustomization, NULL};
		ck_assert_ok(fx_test_env_wait_event(&env, &ref, NULL, orders[i].message, 0, &err), &err);
	}
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("monorepo");
	TCase *tc = tcase_create("monorepo");
	tcase_add_test(tc, everything_gets_ready);
	tcase_add_test(tc, inventories_list_everything);
	tcase_add_test(tc, applied_is_what_kubectl_builds);
	tcase_add_test(tc, substitution_and_overlay);
	tcase_add_test(tc, edit_by_hand_is_reverted);
	tcase_add_test(tc, delete_by_hand_is_reverted);
	tcase_add_test(tc, settings_in_git_reach_the_apps);
	tcase_add_test(tc, removal_in_git_prunes);
	tcase_add_test(tc, end_of_the_root_ends_all);
	suite_add_tcase(suite, tc);
	return suite;
}

static const struct fx_test_env_options options = {.kustomize = true, .pods = true};

FX_ENV_MAIN(make_suite, &options)
