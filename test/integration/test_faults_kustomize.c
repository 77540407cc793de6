/* kustomize-controller when things go wrong: mistakes of users, kills, an API server or a source that is
 * away. Afterwards the cluster is what Git says and nothing is orphaned. */
#include "core/clock.h"
#include "test/integration/env_main.h"

#include <poll.h>

#define KIND "Kustomization"
#define KILLS 20
#define LIFE_MAX_MS 200
#define USER "system:serviceaccount:" FX_TEST_NAMESPACE ":kustomize-controller"
#define OWNER "kustomize.toolkit.fluxcd.io/name"

static char head[41];

static const char config_map[] =
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {key: \"%d\"}\n";
static const char deployment[] =
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: fixed}\nspec:\n"
        "  replicas: 0\n  selector: {matchLabels: {app: %s}}\n  template:\n"
        "    metadata: {labels: {app: %s}}\n    spec: {containers: [{name: c, image: example.com/c}]}\n";

static void commit(const char *path, const char *text)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_test_file files[] = {{path, text}, {NULL, NULL}};
	ck_assert_ok(fx_test_git_commit(&env.git, "fleet", "main", path, files, head, &err), &err);
}

static void add(const char *name, const char *path, const char *more)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	ck_assert_ok(fx_test_env_apply(&env, &err,
	                     "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n"
	                     "metadata: {name: %s}\nspec:\n  interval: 1h\n  retryInterval: 1s\n"
	                     "  timeout: 10s\n  prune: true\n  targetNamespace: default\n  path: %s\n"
	                     "  sourceRef: {kind: GitRepository, name: fleet}\n%s",
	                     name, path, more ? more : ""),
	        &err);
}

static void expect(const char *kind, const char *name, const struct fx_test_condition *want)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_test_ref ref = {kind, name, NULL};
	ck_assert_ok(fx_test_env_wait_condition(&env, &ref, want, 25000, NULL, &err), &err);
}

/* Git's head is the source's artifact, and then what is applied. */
static void expect_applied(const char *name)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_test_ref source = {"GitRepository", "fleet", NULL};
	char token[FX_TEST_TOKEN];
	ck_assert_ok(fx_test_env_reconcile(&env, &source, token, &err), &err);
	expect("GitRepository", "fleet", &(struct fx_test_condition){.status = "True", .revision = head});
	expect(KIND, name, &(struct fx_test_condition){.status = "True", .revision = head});
}

static void remove_object(const char *kind, const char *name)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_test_ref ref = {kind, name, NULL};
	ck_assert_ok(fx_test_env_delete(&env, &ref, &err), &err);
	ck_assert_ok(fx_test_env_wait_gone(&env, &ref, 25000, &err), &err);
}

static void setup(void)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	char text[200];
	if (*head)
		return;
	ck_assert_ok(fx_test_git_create(&env.git, "fleet", &err), &err);
	snprintf(text, sizeof(text), config_map, "good", 1);
	commit("good/cm.yaml", text);
	ck_assert_ok(fx_test_env_apply(&env, &err,
	                     "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\n"
	                     "metadata: {name: fleet}\n"
	                     "spec: {interval: 1s, url: %s/fleet.git, ref: {branch: main}}\n---\n"
	                     "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: powerless}\n",
	                     env.git.url),
	        &err);
	add("good", "./good", NULL);
	expect_applied("good");
}

/* A case that failed may have left one of them dead. */
static void ensure_running(void)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	if (!env.source.process.pid)
		ck_assert_ok(fx_test_controller_start(&env, &env.source, &err), &err);
	if (!env.kustomize.process.pid)
		ck_assert_ok(fx_test_controller_start(&env, &env.kustomize, &err), &err);
}

struct mistake {
	const char *name, *file, *text, *more;
	const char *reason, *message;
	bool real; /* only a real server refuses it */
};

static const struct mistake cases[] = {
        {"no-path", NULL, NULL, NULL, "ArtifactFailed", "kustomization path not found", false},
        {"bad-yaml", "a.yaml", "a: [1\nb: }\n", NULL, "BuildFailed", "a.yaml", false},
        {"no-kind", "a.yaml", "apiVersion: v1\nmetadata: {name: x}\n", NULL, "BuildFailed", "kind", false},
        {"outside", "kustomization.yaml", "resources: [../../../../../../etc/passwd]\n", NULL, "BuildFailed",
                "", false},
        {"root", "kustomization.yaml", "resources: [/etc/passwd]\n", NULL, "BuildFailed", "", false},
        {"bomb", "a.yaml",
                "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
                "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
                "e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n"
                "g: [*f,*f,*f,*f,*f,*f,*f,*f,*f,*f]\n",
                NULL, "BuildFailed", "", false},
        {"no-crd", "a.yaml", "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w}\n", NULL,
                "ReconciliationFailed", "no matches for kind \"Widget\" in version \"example.com/v1\"",
                false},
        {"invalid", "a.yaml",
                "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {ports: [{port: 800000}]}\n", NULL,
                "ReconciliationFailed", "Service/default/s", true},
        {"no-vars", "a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n",
                "  postBuild: {substituteFrom: [{kind: ConfigMap, name: absent}]}\n", "BuildFailed", "absent",
                false},
        {"no-source", "a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n",
                "  sourceRef: {kind: GitRepository, name: absent}\n", "ArtifactFailed", "absent", false},
        {"no-dependency", "a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n",
                "  dependsOn: [{name: absent}]\n", "DependencyNotReady", "absent", false},
        {"forbidden", "a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n",
                "  serviceAccountName: powerless\n", "ReconciliationFailed", "forbidden", true},
};

START_TEST(mistakes)
{
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		char path[100], dir[100];
		snprintf(dir, sizeof(dir), "./%s", cases[i].name);
		snprintf(path, sizeof(path), "%s/%s", cases[i].name, cases[i].file ? cases[i].file : "");
		if (cases[i].file)
			commit(path, cases[i].text);
	}
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		char dir[100];
		snprintf(dir, sizeof(dir), "./%s", cases[i].name);
		if (!cases[i].real || env.real)
			add(cases[i].name, dir, cases[i].more);
	}
	expect_applied("good");
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		if (cases[i].real && !env.real)
			continue;
		expect(KIND, cases[i].name,
		        &(struct fx_test_condition){
		                .status = "False", .reason = cases[i].reason, .message = cases[i].message});
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		const struct fx_test_ref ref = {KIND, cases[i].name, NULL};
		/* A source that is not there yet is logged and no event, as upstream has it. */
		if (strcmp(cases[i].name, "no-source") == 0)
			continue;
		/* Nor does the event name the dependency. */
		bool waits = strcmp(cases[i].reason, "DependencyNotReady") == 0;
		const char *message = waits ? NULL : cases[i].message;
		ck_assert_ok(fx_test_env_wait_event(&env, &ref, cases[i].reason, message, 0, &err), &err);
	}
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		if (!cases[i].real || env.real)
			remove_object(KIND, cases[i].name);
	}
}
END_TEST

START_TEST(immutable_field)
{
	char text[1000];
	snprintf(text, sizeof(text), deployment, "one", "one");
	commit("fixed/d.yaml", text);
	add("fixed", "./fixed", NULL);
	expect_applied("fixed");
	snprintf(text, sizeof(text), deployment, "two", "two");
	commit("fixed/d.yaml", text);
	expect(KIND, "fixed",
	        &(struct fx_test_condition){
	                .status = "False", .reason = "ReconciliationFailed", .message = "immutable"});
	add("fixed", "./fixed", "  force: true\n");
	expect_applied("fixed");
	remove_object(KIND, "fixed");
}
END_TEST

START_TEST(crd_comes_later)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	commit("gadget/g.yaml", "apiVersion: example.com/v1\nkind: Gadget\nmetadata: {name: g}\n");
	add("gadget", "./gadget", NULL);
	expect(KIND, "gadget",
	        &(struct fx_test_condition){.status = "False", .message = "no matches for kind \"Gadget\""});
	ck_assert_ok(fx_test_env_apply(&env, &err,
	                     "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n"
	                     "metadata: {name: gadgets.example.com}\nspec:\n  group: example.com\n"
	                     "  names: {kind: Gadget, plural: gadgets}\n  scope: Namespaced\n  versions:\n"
	                     "  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: "
	                     "object}}}\n"),
	        &err);
	expect_applied("gadget");
	remove_object(KIND, "gadget");
}
END_TEST

/* The object belongs to who applied it last, and stays when the first owner goes. */
START_TEST(two_owners)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(json) json_t *object = NULL;
	const struct fx_test_ref ref = {"ConfigMap", "shared", "default"};
	char text[200];
	snprintf(text, sizeof(text), config_map, "shared", 1);
	commit("first/cm.yaml", text);
	snprintf(text, sizeof(text), config_map, "shared", 2);
	commit("second/cm.yaml", text);
	add("first", "./first", NULL);
	expect_applied("first");
	ck_assert_ok(fx_test_env_patch(&env, &(struct fx_test_ref){KIND, "first", NULL}, &err,
	                     "{\"spec\":{\"suspend\":true}}"),
	        &err);
	add("second", "./second", NULL);
	expect_applied("second");
	remove_object(KIND, "first");
	ck_assert_ok(fx_test_env_get(&env, &ref, &object, &err), &err);
	ck_assert_str_eq(fx_json_str_at(object, "data", "key"), "2");
	ck_assert_str_eq(fx_object_label(object, OWNER), "second");
	remove_object(KIND, "second");
	ck_assert_ok(fx_test_env_wait_gone(&env, &ref, 0, &err), &err);
}
END_TEST

/* The names of the ConfigMaps that the Kustomization owns, sorted by the server. */
static int add_name(void *arg, json_t *item, struct fx_error *err)
{
	(void)err;
	fx_buf_addf(arg, "%s=%s ", fx_object_name(item), fx_json_str_at(item, "data", "key"));
	return 0;
}

static void expect_owned(const char *owner, const char *want)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(buf) struct fx_buf names = FX_BUF_INIT;
	char selector[100];
	snprintf(selector, sizeof(selector), OWNER "=%s", owner);
	const struct fx_kube_path path = {.version = "v1", .resource = "configmaps", .namespace_ = "default"};
	const struct fx_kube_list_options options = {.label_selector = selector};
	ck_assert_ok(fx_kube_list(env.kube, &path, &options, NULL, add_name, &names, &err), &err);
	ck_assert_str_eq(fx_buf_str(&names), want);
}

/* Each commit adds a ConfigMap and takes the one before away. */
static void turn(int i)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	char text[200], path[64], old[64];
	snprintf(text, sizeof(text), config_map, "turn", i);
	fx_auto(buf) struct fx_buf all = FX_BUF_INIT;
	fx_buf_addf(&all,
	        "%s---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: turn-%d}\ndata: {key: \"%d\"}\n",
	        text, i, i);
	snprintf(path, sizeof(path), "turn/%d.yaml", i);
	snprintf(old, sizeof(old), "turn/%d.yaml", i - 1);
	const struct fx_test_file files[] = {{path, fx_buf_str(&all)}, {i ? old : NULL, NULL}, {NULL, NULL}};
	ck_assert_ok(fx_test_git_commit(&env.git, "fleet", "main", path, files, head, &err), &err);
}

static void live_and_die(void)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	ck_assert_ok(fx_test_controller_launch(&env, &env.kustomize, &err), &err);
	struct pollfd ended = {.fd = env.kustomize.process.pidfd, .events = POLLIN};
	ck_assert_msg(poll(&ended, 1, (int)(random() % LIFE_MAX_MS)) == 0, "it ended by itself");
	fx_test_controller_kill(&env.kustomize);
}

static int count_entries(const char *dir)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(buf) struct fx_buf out = FX_BUF_INIT;
	const struct fx_test_command command = {
	        .argv = (const char *const[]){"find", dir, "-mindepth", "1", NULL}};
	int count = 0;
	ck_assert_ok(fx_test_run(&command, &out, NULL, &err), &err);
	for (const char *at = fx_buf_str(&out); (at = strchr(at, '\n')); at++)
		count++;
	return count;
}

START_TEST(killed)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_test_ref source = {"GitRepository", "fleet", NULL};
	char token[FX_TEST_TOKEN], want[64];
	unsigned seed = (unsigned)fx_wall_ns();
	srandom(seed);
	printf("seed %u\n", seed);
	turn(0);
	add("turn", "./turn", NULL);
	expect_applied("turn");
	fx_test_controller_kill(&env.kustomize);
	for (int i = 1; i <= KILLS; i++) {
		turn(i);
		ck_assert_ok(fx_test_env_reconcile(&env, &source, token, &err), &err);
		live_and_die();
	}
	ck_assert_ok(fx_test_controller_start(&env, &env.kustomize, &err), &err);
	expect_applied("turn");
	snprintf(want, sizeof(want), "turn=%d turn-%d=%d ", KILLS, KILLS, KILLS);
	expect_owned("turn", want);
	ck_assert_int_eq(count_entries(env.kustomize.tmp), 0);
	remove_object(KIND, "turn");
	expect_owned("turn", "");
}
END_TEST

START_TEST(source_is_away)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	char text[200];
	snprintf(text, sizeof(text), config_map, "good", 7);
	fx_test_controller_kill(&env.source);
	commit("good/cm.yaml", text);
	/* The artifact is still announced and cannot be fetched: a new process has no copy of it. */
	ck_assert_ok(fx_test_controller_stop(&env.kustomize, &err), &err);
	ck_assert_ok(fx_test_controller_start(&env, &env.kustomize, &err), &err);
	add("late", "./good", "  targetNamespace: kube-public\n");
	expect(KIND, "late", &(struct fx_test_condition){.status = "False", .reason = "ArtifactFailed"});
	ck_assert_ok(fx_test_controller_start(&env, &env.source, &err), &err);
	expect_applied("good");
	expect_applied("late");
	expect_owned("good", "good=7 ");
	remove_object(KIND, "late");
}
END_TEST

static const struct {
	const char *name, *fault;
	int count;
} storms[] = {
        {"watch 410", "\"type\":\"410\",\"verb\":\"watch\"", 4},
        {"conflict", "\"type\":\"409\",\"verb\":\"patch\"", 8},
        {"too many", "\"type\":\"429\",\"retryAfter\":1", 4},
        {"500", "\"type\":\"500\"", 8},
        {"503", "\"type\":\"503\"", 8},
        {"403", "\"type\":\"403\"", 5},
        {"reset", "\"type\":\"reset\"", 8},
        {"truncate", "\"type\":\"truncate\"", 8},
};

START_TEST(storm)
{
	static const char cut[] = "{\"type\":\"cut\",\"path\":\"/\"}";
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	char body[300], text[200], want[64];
	if (env.real)
		return;
	if (getenv("FX_TEST_SHOW"))
		fprintf(stderr, "%s\n", storms[_i].name);
	snprintf(body, sizeof(body), "{%s,\"user\":\"" USER "\",\"count\":%d}", storms[_i].fault,
	        storms[_i].count);
	ck_assert_ok(fx_test_apiserver_request(&env.embedded, "POST", "/_faults", body, NULL, &err), &err);
	ck_assert_ok(fx_test_apiserver_request(&env.embedded, "POST", "/_compact", NULL, NULL, &err), &err);
	ck_assert_ok(fx_test_apiserver_request(&env.embedded, "POST", "/_faults", cut, NULL, &err), &err);
	snprintf(text, sizeof(text), config_map, "good", 100 + _i);
	commit("good/cm.yaml", text);
	expect_applied("good");
	snprintf(want, sizeof(want), "good=%d ", 100 + _i);
	expect_owned("good", want);
	ck_assert_ok(fx_test_apiserver_request(&env.embedded, "DELETE", "/_faults", NULL, NULL, &err), &err);
}
END_TEST

START_TEST(api_away)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	char text[200];
	ck_assert_ok(fx_test_env_api_down(&env, &err), &err);
	snprintf(text, sizeof(text), config_map, "good", 200);
	commit("good/cm.yaml", text);
	ck_assert_ok(fx_test_env_api_up(&env, &err), &err);
	expect_applied("good");
	expect_owned("good", "good=200 ");
}
END_TEST

static TCase *add_case(Suite *suite, const char *name)
{
	TCase *tc = tcase_create(name);
	tcase_add_unchecked_fixture(tc, setup, NULL);
	tcase_add_checked_fixture(tc, ensure_running, NULL);
	suite_add_tcase(suite, tc);
	return tc;
}

static Suite *make_suite(void)
{
	Suite *suite = suite_create("faults of kustomize-controller");
	TCase *users = add_case(suite, "users"), *kills = add_case(suite, "kills");
	TCase *outages = add_case(suite, "outages");
	tcase_add_test(users, mistakes);
	tcase_add_test(users, immutable_field);
	tcase_add_test(users, crd_comes_later);
	tcase_add_test(users, two_owners);
	tcase_add_test(kills, killed);
	tcase_add_test(outages, source_is_away);
	tcase_add_loop_test(outages, storm, 0, FX_COUNT(storms));
	tcase_add_test(outages, api_away);
	return suite;
}

static const char *const args[] = {
        "--min-retry-delay=100ms", "--max-retry-delay=1s", "--requeue-dependency=1s", NULL};
static const struct fx_test_env_options options = {
        .kustomize = true, .source_args = args, .kustomize_args = args};

FX_ENV_MAIN(make_suite, &options)
