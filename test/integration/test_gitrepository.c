/* source-controller with GitRepositories of a real Git server, on the embedded API server or a real one. */
#include "artifact/fetch.h"
#include "core/clock.h"
#include "kube/object.h"
#include "kube/reflector.h"
#include "net/server.h"
#include "test/harness/apiserver.h"
#include "test/harness/cluster.h"
#include "test/harness/gitserver.h"
#include "test/harness/port.h"
#include "test/unit/unit.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

/* No event of a test takes longer on a loaded machine. */
#define WAIT_MS 60000
#define ACCOUNT "system:serviceaccount:flux-system:source-controller"

static struct fx_test_cluster cluster;
static struct fx_test_apiserver embedded;
static char *controller_kubeconfig;

/* Of each case. */
static struct fx_test_git git;
static struct fx_loop *loop;
static struct fx_http_client *http;
static struct fx_kube *kube;
static struct fx_reflector *repositories;
static struct fx_test_process controller;
static char storage[64];
static int storage_port;
static char hash[41];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static const struct fx_test_file files[] = {{"app/a.yaml", "a: 1\n"}, {"app/b.yaml", "b: 1\n"}, {NULL, NULL}};

static const char *admin_kubeconfig(void)
{
	return embedded.kubeconfig ? embedded.kubeconfig : cluster.kubeconfig;
}

static void on_change(void *arg, const struct fx_reflector_event *event)
{
	(void)arg;
	(void)event;
	pthread_mutex_lock(&lock);
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static struct fx_kube_path repository(const char *name)
{
	return (struct fx_kube_path){.group = "source.toolkit.fluxcd.io",
	        .version = "v1",
	        .resource = "gitrepositories",
	        .namespace_ = "default",
	        .name = name};
}

static void start_clients(void)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(kube_config) struct fx_kube_config *config = NULL;
	ck_assert_ok(fx_loop_new(&loop, &err), &err);
	ck_assert_ok(fx_http_client_new(loop, "test", &http, &err), &err);
	ck_assert_ok(fx_kube_config_read(admin_kubeconfig(), NULL, &config, &err), &err);
	const struct fx_kube_options options = {.http = http};
	ck_assert_ok(fx_kube_new(config, &options, &kube, &err), &err);
	const struct fx_reflector_options watch = {.loop = loop,
	        .kube = kube,
	        .path = repository(NULL),
	        .pack = fx_reflector_pack_json,
	        .on_change = on_change};
	ck_assert_ok(fx_reflector_new(&watch, &repositories, &err), &err);
	fx_reflector_start(repositories);
}

static void start_controller(void)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const char *build = getenv("FX_BUILD");
	fx_autofree char *program = NULL, *config = NULL, *path = NULL, *addr = NULL, *log = NULL,
	                 *tmp = NULL;
	ck_assert_int_gt(asprintf(&tmp, "TMPDIR=%s", storage), 0);
	ck_assert_int_gt(asprintf(&program, "%s/bin/source-controller", build ? build : "build"), 0);
	ck_assert_int_gt(asprintf(&config, "KUBECONFIG=%s", controller_kubeconfig), 0);
	ck_assert_int_gt(asprintf(&path, "--storage-path=%s/data", storage), 0);
	ck_assert_int_gt(asprintf(&addr, "--storage-addr=127.0.0.1:%d", storage_port), 0);
	ck_assert_int_gt(asprintf(&log, "%s/log", storage), 0);
	const char *const argv[] = {program, path, addr, "--metrics-addr=0", "--health-addr=0",
	        "--min-retry-delay=100ms", "--requeue-dependency=200ms", "--artifact-retention-ttl=1h", NULL};
	const char *const env[] = {config, tmp, NULL};
	const struct fx_test_command command = {.argv = argv, .env = env};
	ck_assert_ok(fx_test_process_start(&controller, &command, log, &err), &err);
}

static void stop_controller(int *status)
{
	fx_test_process_signal(&controller, SIGTERM);
	ck_assert_ok(fx_test_process_wait(&controller, 20000, status, NULL), NULL);
}

static void start_with(const struct fx_test_git_options *options)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	char data[80];
	snprintf(storage, sizeof(storage), "/tmp/fx-storage-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(storage));
	snprintf(data, sizeof(data), "%s/data", storage);
	ck_assert_int_eq(mkdir(data, 0755), 0);
	ck_assert_ok(fx_test_git_start(&git, options, &err), &err);
	ck_assert_ok(fx_test_git_create(&git, "app", &err), &err);
	ck_assert_ok(fx_test_git_commit(&git, "app", "main", "first", files, hash, &err), &err);
	ck_assert_ok(fx_test_free_port(&storage_port, &err), &err);
	start_clients();
	start_controller();
}

static void start(void)
{
	start_with(NULL);
}

static void start_tls(void)
{
	static const struct fx_test_git_options options = {.tls = true, .client_certificates = true};
	start_with(&options);
}

static void delete_all(void);

static void stop(void)
{
	int status;
	char command[128];
	delete_all();
	stop_controller(&status);
	ck_assert_int_eq(status, 0);
	fx_test_process_release(&controller);
	fx_reflector_free(repositories);
	fx_kube_unref(kube);
	fx_http_client_free(http);
	fx_loop_free(loop);
	fx_test_git_stop(&git);
	snprintf(command, sizeof(command), "rm -rf %s", storage);
	ck_assert_int_eq(system(command), 0);
}

static json_t *get(const char *name)
{
	json_t *object = NULL;
	return fx_reflector_get_json(repositories, "default", name, &object, NULL) == 0 ? object : NULL;
}

static char *show(const char *name)
{
	fx_auto(json) json_t *object = get(name);
	return object ? json_dumps(json_object_get(object, "status"), JSON_INDENT(1)) : strdup("(not there)");
}

struct want {
	const char *type, *status, *reason, *text; /* a condition; NULL: any */
	const char *handled;                       /* lastHandledReconcileAt */
	const char *revision;                      /* of the artifact */
	int64_t generation;                        /* observed; 0: any */
	bool gone;
};

static bool matches(const json_t *have, const char *want)
{
	return !want || (json_string_value(have) && strcmp(json_string_value(have), want) == 0);
}

static bool has_condition(const json_t *object, const struct want *w)
{
	size_t i;
	json_t *c;
	if (!w->type)
		return true;
	json_array_foreach (fx_json_at(object, "status", "conditions"), i, c) {
		const char *message = json_string_value(json_object_get(c, "message"));
		if (matches(json_object_get(c, "type"), w->type) &&
		        matches(json_object_get(c, "status"), w->status) &&
		        matches(json_object_get(c, "reason"), w->reason) &&
		        (!w->text || (message && strstr(message, w->text))) &&
		        json_integer_value(json_object_get(c, "observedGeneration")) ==
		                fx_object_generation(object))
			return true;
	}
	return false;
}

static bool is_so(const char *name, const struct want *w)
{
	fx_auto(json) json_t *object = get(name);
	if (!object)
		return w->gone;
	return !w->gone && has_condition(object, w) &&
	       (!w->generation ||
	               fx_json_int_at(object, -1, "status", "observedGeneration") == w->generation) &&
	       matches(fx_json_at(object, "status", "lastHandledReconcileAt"), w->handled) &&
	       matches(fx_json_at(object, "status", "artifact", "revision"), w->revision);
}

static void wait_until(const char *name, struct want w)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WAIT_MS / 1000;
	int rc = 0;
	pthread_mutex_lock(&lock);
	while (!is_so(name, &w) && rc == 0)
		rc = pthread_cond_timedwait(&changed, &lock, &until);
	pthread_mutex_unlock(&lock);
	fx_autofree char *status = show(name);
	ck_assert_msg(rc == 0, "%s: no %s=%s %s '%s' (revision %s): %s", name, w.type ? w.type : "-",
	        w.status ? w.status : "", w.reason ? w.reason : "", w.text ? w.text : "",
	        w.revision ? w.revision : "any", status);
}

/* Makes a GitRepository; spec: further fields as JSON, with `url` filled in when path is given. */
static void create(const char *name, const char *path, const char *spec)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(json) json_t *object = json_pack("{s:s,s:s,s:{s:s,s:s},s:o}", "apiVersion",
	        "source.toolkit.fluxcd.io/v1", "kind", "GitRepository", "metadata", "name", name, "namespace",
	        "default", "spec", json_loads(spec, 0, NULL));
	json_t *s = json_object_get(object, "spec");
	ck_assert_ptr_nonnull(s);
	if (path)
		json_object_set_new(s, "url", json_sprintf("%s%s", git.url, path));
	if (!json_object_get(s, "interval"))
		json_object_set_new(s, "interval", json_string("1h"));
	if (!json_object_get(s, "ref"))
		json_object_set_new(s, "ref", json_pack("{s:s}", "branch", "main"));
	const struct fx_kube_path at = repository(NULL);
	ck_assert_ok(fx_kube_create(kube, &at, object, NULL, NULL, NULL, &err), &err);
}

static void patch(const char *name, const char *text)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(json) json_t *body = json_loads(text, 0, NULL);
	const struct fx_kube_path at = repository(name);
	ck_assert_ptr_nonnull(body);
	ck_assert_ok(fx_kube_patch(kube, &at, FX_KUBE_MERGE_PATCH, body, NULL, NULL, NULL, &err), &err);
}

static void request(const char *name, const char *token)
{
	char text[200];
	snprintf(text, sizeof(text),
	        "{\"metadata\":{\"annotations\":{\"reconcile.fluxcd.io/requestedAt\":\"%s\"}}}", token);
	patch(name, text);
}

static void create_secret(const char *name, json_t *data)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_kube_path at = {.version = "v1", .resource = "secrets", .namespace_ = "default"};
	fx_auto(json) json_t *object = json_pack("{s:s,s:s,s:{s:s,s:s},s:o}", "apiVersion", "v1", "kind",
	        "Secret", "metadata", "name", name, "namespace", "default", "stringData", data);
	ck_assert_ok(fx_kube_create(kube, &at, object, NULL, NULL, NULL, &err), &err);
}

static int delete_one(void *arg, json_t *item, struct fx_error *err)
{
	(void)err;
	json_array_append_new(arg, json_string(fx_object_name(item)));
	return 0;
}

static void delete_kind(struct fx_kube_path at)
{
	fx_auto(json) json_t *names = json_array();
	size_t i;
	json_t *name;
	ck_assert_ok(fx_kube_list(kube, &at, NULL, NULL, delete_one, names, NULL), NULL);
	json_array_foreach (names, i, name) {
		at.name = json_string_value(name);
		int rc = fx_kube_delete(kube, &at, NULL, NULL, NULL);
		ck_assert(rc == 0 || rc == -FX_E_NOT_FOUND);
		if (strcmp(at.resource, "gitrepositories") == 0)
			wait_until(at.name, (struct want){.gone = true});
	}
}

static void delete_all(void)
{
	delete_kind(repository(NULL));
	delete_kind((struct fx_kube_path){.version = "v1", .resource = "secrets", .namespace_ = "default"});
}

static char text_of[200];
static const char *revision(const char *name, const char *commit)
{
	snprintf(text_of, sizeof(text_of), "%s@sha1:%s", name, commit);
	return text_of;
}

/* What consumers get: downloaded, with its digest checked. */
static struct fx_tree *download(const char *name)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(fetcher) struct fx_fetcher *fetcher = NULL;
	fx_auto(json) json_t *object = get(name);
	const json_t *artifact = fx_json_at(object, "status", "artifact");
	struct fx_tree *tree = NULL;
	const struct fx_fetcher_options options = {.http = http};
	ck_assert_ok(fx_fetcher_new(&options, &fetcher, &err), &err);
	ck_assert_ok(fx_fetch(fetcher, name, fx_json_str_at(artifact, "url"),
	                     fx_json_str_at(artifact, "digest"), NULL, &tree, &err),
	        &err);
	return tree;
}

struct event_search {
	const char *reason, *text, *type;
	bool found;
};

static int look_at_event(void *arg, json_t *item, struct fx_error *err)
{
	struct event_search *s = arg;
	(void)err;
	const char *message = fx_json_str_at(item, "message");
	s->found = s->found || (matches(json_object_get(item, "reason"), s->reason) &&
	                               matches(json_object_get(item, "type"), s->type) && message &&
	                               strstr(message, s->text));
	return 0;
}

/* Events are written in the background: asks again until the deadline. */
static void expect_event(const char *type, const char *reason, const char *text)
{
	const struct fx_kube_path at = {.version = "v1", .resource = "events", .namespace_ = "default"};
	struct event_search s = {.reason = reason, .text = text, .type = type};
	for (int64_t deadline = fx_now_ms() + WAIT_MS; !s.found && fx_now_ms() < deadline;)
		ck_assert_ok(fx_kube_list(kube, &at, NULL, NULL, look_at_event, &s, NULL), NULL);
	ck_assert_msg(s.found, "no %s event %s '%s'", type, reason, text);
}

#define READY(rev)                                                                                           \
	((struct want){.type = "Ready", .status = "True", .reason = "Succeeded", .revision = (rev)})

START_TEST(commit_becomes_artifact)
{
	char second[41], path[200];
	static const struct fx_test_file more[] = {{"app/a.yaml", "a: 2\n"}, {NULL, NULL}};
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	create("app", "/app.git", "{}");
	wait_until("app", READY(revision("main", hash)));
	fx_auto(json) json_t *object = get("app");
	ck_assert(fx_object_has_finalizer(object, "finalizers.fluxcd.io"));
	snprintf(path, sizeof(path), "gitrepository/default/app/%s.tar.gz", hash);
	ck_assert_str_eq(fx_json_str_at(object, "status", "artifact", "path"), path);
	ck_assert_int_eq(fx_json_int_at(object, -2, "status", "observedGeneration"), 1);
	ck_assert_uint_eq(json_array_size(fx_json_at(object, "status", "conditions")), 2);
	fx_auto(tree) struct fx_tree *tree = download("app");
	ck_assert_str_eq(fx_tree_find(tree, "app/a.yaml")->data, "a: 1\n");
	expect_event("Normal", "NewArtifact", "stored artifact for commit 'first'");

	ck_assert_ok(fx_test_git_commit(&git, "app", "main", "second", more, second, &err), &err);
	request("app", "1");
	wait_until("app", READY(revision("main", second)));
	wait_until("app", (struct want){.handled = "1"});
	fx_auto(tree) struct fx_tree *newer = download("app");
	ck_assert_str_eq(fx_tree_find(newer, "app/a.yaml")->data, "a: 2\n");
}
END_TEST

START_TEST(nothing_new)
{
	create("app", "/app.git", "{}");
	wait_until("app", READY(revision("main", hash)));
	fx_auto(json) json_t *before = get("app");
	request("app", "again");
	wait_until("app", (struct want){.handled = "again"});
	fx_auto(json) json_t *after = get("app");
	ck_assert(json_equal(
	        fx_json_at(before, "status", "artifact"), fx_json_at(after, "status", "artifact")));
	ck_assert(json_equal(
	        fx_json_at(before, "status", "conditions"), fx_json_at(after, "status", "conditions")));
	expect_event(
	        "Normal", "GitOperationSucceeded", "no changes since last reconciliation: observed revision");
}
END_TEST

START_TEST(ignore_makes_another_artifact)
{
	create("app", "/app.git", "{}");
	wait_until("app", READY(revision("main", hash)));
	patch("app", "{\"spec\":{\"ignore\":\"b.yaml\\n\"}}");
	wait_until("app", (struct want){.type = "Ready", .status = "True", .generation = 2});
	fx_auto(json) json_t *object = get("app");
	ck_assert_str_eq(fx_json_str_at(object, "status", "observedIgnore"), "b.yaml\n");
	fx_auto(tree) struct fx_tree *tree = download("app");
	ck_assert_ptr_null(fx_tree_find(tree, "app/b.yaml"));
	ck_assert_ptr_nonnull(fx_tree_find(tree, "app/a.yaml"));
}
END_TEST

START_TEST(credentials)
{
	create("private", "/private/app.git", "{\"secretRef\":{\"name\":\"login\"}}");
	wait_until("private", (struct want){.type = "FetchFailed",
	                              .status = "True",
	                              .reason = "AuthenticationFailed",
	                              .text = "failed to get secret 'default/login'"});
	create_secret("login", json_pack("{s:s,s:s}", "username", "fx", "password", "wrong-one"));
	wait_until("private", (struct want){.type = "Ready",
	                              .status = "False",
	                              .reason = "GitOperationFailed",
	                              .text = "authentication required"});
	wait_until("private", (struct want){.type = "Reconciling", .reason = "ProgressingWithRetry"});
	fx_autofree char *status = show("private");
	ck_assert_ptr_null(strstr(status, "wrong-one"));
	expect_event("Warning", "GitOperationFailed", "failed to checkout and determine revision");

	const struct fx_kube_path at = {
	        .version = "v1", .resource = "secrets", .namespace_ = "default", .name = "login"};
	fx_auto(json) json_t *right = json_pack("{s:{s:s}}", "stringData", "password", "secret");
	ck_assert_ok(fx_kube_patch(kube, &at, FX_KUBE_MERGE_PATCH, right, NULL, NULL, NULL, NULL), NULL);
	wait_until("private", READY(revision("main", hash)));

	create_secret("half", json_pack("{s:s}", "password", "x"));
	create("half", "/private/app.git", "{\"secretRef\":{\"name\":\"half\"}}");
	wait_until("half", (struct want){.type = "FetchFailed",
	                           .reason = "AuthenticationFailed",
	                           .text = "'password' requires 'username' to be set"});
}
END_TEST

START_TEST(client_certificates)
{
	create("bare", "/app.git", "{}");
	wait_until("bare",
	        (struct want){.type = "FetchFailed", .status = "True", .reason = "GitOperationFailed"});
	create_secret("half", json_pack("{s:s,s:s}", "ca.crt", git.ca_pem, "tls.crt", git.cert_pem));
	create("half", "/app.git", "{\"secretRef\":{\"name\":\"half\"}}");
	wait_until("half", (struct want){.type = "FetchFailed",
	                           .reason = "AuthenticationFailed",
	                           .text = "contains 'tls.crt' but missing 'tls.key'"});
	create_secret("tls", json_pack("{s:s,s:s,s:s}", "ca.crt", git.ca_pem, "tls.crt", git.cert_pem,
	                             "tls.key", git.key_pem));
	create("tls", "/app.git", "{\"secretRef\":{\"name\":\"tls\"}}");
	wait_until("tls", READY(revision("main", hash)));
}
END_TEST

START_TEST(mistakes)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	ck_assert_ok(fx_test_git_create(&git, "empty", &err), &err);
	create("ssh", NULL, "{\"url\":\"ssh://git@example.com/app.git\"}");
	wait_until("ssh", (struct want){.type = "Stalled", .status = "True", .text = "not supported yet"});
	wait_until("ssh", (struct want){.type = "Ready", .status = "False", .text = "not supported yet"});
	create("empty", "/empty.git", "{}");
	wait_until("empty", (struct want){.type = "Ready",
	                            .status = "False",
	                            .reason = "EmptyGitRepository",
	                            .text = "git repository is empty"});
	create("branch", "/app.git", "{\"ref\":{\"branch\":\"nope\"}}");
	wait_until("branch",
	        (struct want){.type = "FetchFailed", .text = "couldn't find remote ref \"refs/heads/nope\""});
	create("range", "/app.git", "{\"ref\":{\"semver\":\">=1.0\"}}");
	wait_until("range", (struct want){.type = "FetchFailed", .text = "no match found for semver: >=1.0"});
	create("nowhere", "/nope.git", "{}");
	wait_until("nowhere", (struct want){.type = "FetchFailed", .text = "repository not found"});
	create("url", NULL, "{\"url\":\"http://[bad/x\"}");
	wait_until("url", (struct want){.type = "Stalled",
	                          .status = "True",
	                          .reason = "URLInvalid",
	                          .text = "failed to parse url"});
	create("submodules", "/app.git", "{\"recurseSubmodules\":true}");
	wait_until("submodules", (struct want){.type = "Stalled", .text = "not supported yet"});
}
END_TEST

static void answer_garbage(void *arg, struct fx_server_request *r)
{
	(void)arg;
	fx_server_reply(r, 200, "application/x-git-upload-pack-advertisement", "zzzz garbage", 12);
}

START_TEST(hostile_servers)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct fx_server *garbage = NULL;
	const struct fx_server_options options = {.listen = "127.0.0.1:0", .handle = answer_garbage};
	char spec[200];
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	ck_assert_ok(fx_server_new(&options, &garbage, &err), &err);
	snprintf(spec, sizeof(spec), "{\"url\":\"http://127.0.0.1:%d/x.git\"}", fx_server_port(garbage));
	create("garbage", NULL, spec);
	wait_until("garbage", (struct want){.type = "FetchFailed", .text = "invalid pkt-len found"});
	/* Takes connections and says nothing. */
	fx_auto(fd) int silent = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(silent, (struct sockaddr *)&address, len), 0);
	ck_assert_int_eq(listen(silent, 16), 0);
	ck_assert_int_eq(getsockname(silent, (struct sockaddr *)&address, &len), 0);
	snprintf(spec, sizeof(spec), "{\"url\":\"http://127.0.0.1:%d/x.git\",\"timeout\":\"1s\"}",
	        ntohs(address.sin_port));
	create("silent", NULL, spec);
	/* What the controller is at is seen while it waits. */
	wait_until("silent", (struct want){.type = "Reconciling",
	                             .status = "True",
	                             .reason = "Progressing",
	                             .text = "processing object: new generation -1 -> 1"});
	wait_until("silent", (struct want){.type = "FetchFailed", .reason = "GitOperationFailed"});
	fx_server_free(garbage, 0);
}
END_TEST

START_TEST(server_comes_back)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	create("app", "/app.git", "{}");
	wait_until("app", READY(revision("main", hash)));
	fx_test_git_down(&git);
	request("app", "down");
	wait_until("app", (struct want){.type = "Ready", .status = "False", .reason = "GitOperationFailed"});
	/* What was stored is still served. */
	fx_auto(tree) struct fx_tree *tree = download("app");
	ck_assert_ptr_nonnull(fx_tree_find(tree, "app/a.yaml"));
	ck_assert_ok(fx_test_git_up(&git, &err), &err);
	wait_until("app", READY(revision("main", hash)));
	expect_event("Normal", "Succeeded", "stored artifact for commit");
}
END_TEST

START_TEST(includes)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	static const struct fx_test_file other_files[] = {{"lib/x.yaml", "x: 1\n"}, {NULL, NULL}};
	create("app", "/app.git",
	        "{\"include\":[{\"repository\":{\"name\":\"other\"},\"fromPath\":\"lib\",\"toPath\":\"vendor/"
	        "lib\"}]}");
	wait_until(
	        "app", (struct want){.type = "IncludeUnavailable", .status = "True", .reason = "NotFound"});
	ck_assert_ok(fx_test_git_create(&git, "other", &err), &err);
	ck_assert_ok(fx_test_git_commit(&git, "other", "main", "other", other_files, NULL, &err), &err);
	create("other", "/other.git", "{}");
	wait_until("app", READY(revision("main", hash)));
	fx_auto(tree) struct fx_tree *tree = download("app");
	ck_assert_str_eq(fx_tree_find(tree, "vendor/lib/x.yaml")->data, "x: 1\n");
	fx_auto(json) json_t *object = get("app");
	ck_assert_uint_eq(json_array_size(fx_json_at(object, "status", "includedArtifacts")), 1);
	ck_assert_uint_eq(json_array_size(fx_json_at(object, "status", "observedInclude")), 1);
}
END_TEST

START_TEST(damage_is_found)
{
	char path[200];
	create("app", "/app.git", "{}");
	wait_until("app", READY(revision("main", hash)));
	snprintf(path, sizeof(path), "%s/data/gitrepository/default/app/%s.tar.gz", storage, hash);
	fx_auto(fd) int fd = open(path, O_WRONLY);
	ck_assert_int_eq(pwrite(fd, "XX", 2, 20), 2);
	request("app", "damaged");
	wait_until("app", (struct want){.handled = "damaged", .type = "Ready", .status = "True"});
	fx_auto(tree) struct fx_tree *tree = download("app");
	ck_assert_ptr_nonnull(fx_tree_find(tree, "app/a.yaml"));
	expect_event("Warning", "ArtifactVerificationFailed", "failed to verify integrity of artifact");

	ck_assert_int_eq(unlink(path), 0);
	request("app", "missing");
	wait_until("app", (struct want){.handled = "missing", .type = "Ready", .status = "True"});
	ck_assert_int_eq(access(path, F_OK), 0);
}
END_TEST

START_TEST(suspend_and_delete)
{
	char second[41], path[200];
	static const struct fx_test_file more[] = {{"app/a.yaml", "a: 2\n"}, {NULL, NULL}};
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	create("app", "/app.git", "{}");
	wait_until("app", READY(revision("main", hash)));
	patch("app", "{\"spec\":{\"suspend\":true}}");
	ck_assert_ok(fx_test_git_commit(&git, "app", "main", "second", more, second, &err), &err);
	request("app", "while suspended");
	wait_until("app", (struct want){.handled = "while suspended", .revision = revision("main", hash)});
	snprintf(path, sizeof(path), "%s/data/gitrepository/default/app", storage);
	ck_assert_int_eq(access(path, F_OK), 0);
	const struct fx_kube_path at = repository("app");
	ck_assert_ok(fx_kube_delete(kube, &at, NULL, NULL, &err), &err);
	wait_until("app", (struct want){.gone = true});
	ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

START_TEST(empty_storage_after_restart)
{
	int status;
	char command[128];
	create("app", "/app.git", "{}");
	wait_until("app", READY(revision("main", hash)));
	fx_auto(json) json_t *before = get("app");
	stop_controller(&status);
	ck_assert_int_eq(status, 0);
	snprintf(command, sizeof(command), "rm -rf %s/data/*", storage);
	ck_assert_int_eq(system(command), 0);
	fx_test_process_release(&controller);
	start_controller();
	request("app", "restarted");
	wait_until("app", (struct want){.handled = "restarted", .type = "Ready", .status = "True"});
	fx_auto(json) json_t *after = get("app");
	ck_assert_str_eq(fx_json_str_at(before, "status", "artifact", "digest"),
	        fx_json_str_at(after, "status", "artifact", "digest"));
	fx_auto(tree) struct fx_tree *tree = download("app");
	ck_assert_ptr_nonnull(fx_tree_find(tree, "app/a.yaml"));
}
END_TEST

static int proxied;

/* A proxy that lets through who knows the password. */
static void proxy(void *arg, struct fx_server_request *r)
{
	(void)arg;
	fx_auto(http_response) struct fx_http_response *answer = NULL;
	char target[400];
	size_t len;
	const char *path = fx_server_path(r), *body = fx_server_body(r, &len),
	           *host = fx_server_header(r, "Host");
	const char *login = fx_server_header(r, "Proxy-Authorization");
	const char *type = fx_server_header(r, "Content-Type");
	if (!login || strcmp(login, "Basic cHJveHk6cGFzcw==") != 0) {
		fx_server_replyf(r, 407, "who are you?\n");
		return;
	}
	__atomic_add_fetch(&proxied, 1, __ATOMIC_RELAXED);
	const char *rest = strncmp(path, "http://", 7) == 0 ? strchr(path + 7, '/') : path;
	snprintf(target, sizeof(target), "http://%s%s?%s", host, rest, fx_server_raw_query(r));
	const struct fx_http_header headers[] = {
	        {"Git-Protocol", "version=2"}, {"Content-Type", type ? type : ""}};
	const struct fx_http_request request = {.method = fx_server_method(r),
	        .url = target,
	        .headers = headers,
	        .header_count = type ? 2 : 1,
	        .body = len ? body : NULL,
	        .body_len = len};
	if (fx_http_do(http, &request, NULL, &answer, NULL) != 0)
		fx_server_replyf(r, 502, "no answer\n");
	else
		fx_server_reply(r, answer->status, fx_http_response_header(answer, "content-type"),
		        answer->body, answer->body_len);
}

START_TEST(through_a_proxy)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct fx_server *server = NULL;
	const struct fx_server_options options = {.listen = "127.0.0.1:0", .handle = proxy, .threads = 2};
	char address[64];
	ck_assert_ok(fx_server_new(&options, &server, &err), &err);
	snprintf(address, sizeof(address), "http://127.0.0.1:%d", fx_server_port(server));
	create_secret("proxy",
	        json_pack("{s:s,s:s,s:s}", "address", address, "username", "proxy", "password", "pass"));
	create("app", "/app.git", "{\"proxySecretRef\":{\"name\":\"proxy\"}}");
	wait_until("app", READY(revision("main", hash)));
	ck_assert_int_gt(__atomic_load_n(&proxied, __ATOMIC_RELAXED), 0);
	create_secret("bad", json_pack("{s:s}", "address", "ftp://x"));
	create("bad", "/app.git", "{\"proxySecretRef\":{\"name\":\"bad\"}}");
	wait_until("bad", (struct want){.type = "FetchFailed",
	                          .reason = "AuthenticationFailed",
	                          .text = "failed to configure proxy options"});
	create("none", "/app.git", "{\"proxySecretRef\":{\"name\":\"nope\"}}");
	wait_until("none", (struct want){.type = "FetchFailed",
	                           .reason = "AuthenticationFailed",
	                           .text = "failed to configure proxy options: secret"});
	delete_all();
	fx_server_free(server, 0);
}
END_TEST

START_TEST(bad_start)
{
	static const struct {
		const char *flag;
		int status;
	} cases[] = {{"--storage-path=/does/not/exist", 1}, {"--artifact-digest-algo=md5", 1},
	        {"--interval-jitter-percentage=100", 1}, {"--feature-gates=NoSuchGate=true", 1},
	        {"--no-such-flag", 2}, {"--artifact-retention-ttl=soon", 2}};
	fx_autofree char *program = NULL, *path = NULL;
	const char *build = getenv("FX_BUILD");
	ck_assert_int_gt(asprintf(&program, "%s/bin/source-controller", build ? build : "build"), 0);
	ck_assert_int_gt(asprintf(&path, "--storage-path=%s/data", storage), 0);
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		int status = -1;
		const char *const argv[] = {
		        program, path, "--metrics-addr=0", "--health-addr=0", cases[i].flag, NULL};
		const struct fx_test_command command = {.argv = argv, .timeout_ms = 20000};
		ck_assert_ok(fx_test_run(&command, NULL, &status, &err), &err);
		ck_assert_msg(status == cases[i].status, "%s: exit status %d, want %d", cases[i].flag, status,
		        cases[i].status);
	}
}
END_TEST

#define KILLS 20

/* Killed at any moment while the repository changes, the controller always ends with what Git has. */
START_TEST(killed_again_and_again)
{
	char last[41], content[32], command[160];
	unsigned seed = 42;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	create("app", "/app.git", "{}");
	for (int i = 0; i < KILLS; i++) {
		char token[32];
		snprintf(content, sizeof(content), "a: %d\n", i);
		const struct fx_test_file change[] = {{"app/a.yaml", content}, {NULL, NULL}};
		ck_assert_ok(fx_test_git_commit(&git, "app", "main", "change", change, last, &err), &err);
		snprintf(token, sizeof(token), "kill-%d", i);
		request("app", token);
		/* Where in the run the signal comes is up to chance; that is the point. */
		struct timespec pause = {.tv_nsec = rand_r(&seed) % 60 * 1000000};
		nanosleep(&pause, NULL);
		fx_test_process_signal(&controller, SIGKILL);
		ck_assert_ok(fx_test_process_wait(&controller, 20000, NULL, &err), &err);
		fx_test_process_release(&controller);
		start_controller();
	}
	request("app", "last");
	wait_until("app", (struct want){.type = "Ready",
	                          .status = "True",
	                          .handled = "last",
	                          .revision = revision("main", last)});
	fx_auto(tree) struct fx_tree *tree = download("app");
	ck_assert_str_eq(fx_tree_find(tree, "app/a.yaml")->data, content);
	/* A run that still ends has its own folder: only a stopped controller has none. */
	int status;
	stop_controller(&status);
	ck_assert_int_eq(status, 0);
	snprintf(command, sizeof(command), "test -z \"$(ls -d %s/gitrepository-* 2>/dev/null)\"", storage);
	ck_assert_int_eq(system(command), 0);
	start_controller();
}
END_TEST

START_TEST(api_server_fails)
{
	static const char *const faults[] = {"{\"type\":\"409\",\"verb\":\"patch\",\"count\":3}",
	        "{\"type\":\"503\",\"verb\":\"patch\",\"count\":4,\"retryAfter\":1}",
	        "{\"type\":\"500\",\"verb\":\"patch\",\"count\":3}",
	        "{\"type\":\"reset\",\"verb\":\"patch\",\"count\":2}",
	        "{\"type\":\"429\",\"count\":5,\"retryAfter\":1}", "{\"type\":\"cut\"}"};
	char name[32];
	for (size_t i = 0; i < FX_COUNT(faults); i++) {
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		fx_auto(json) json_t *fault = json_loads(faults[i], 0, NULL);
		json_object_set_new(fault, "user", json_string(ACCOUNT));
		fx_autofree char *text = json_dumps(fault, 0);
		ck_assert_ok(
		        fx_test_apiserver_request(&embedded, "POST", "/_faults", text, NULL, &err), &err);
		snprintf(name, sizeof(name), "fault-%zu", i);
		create(name, "/app.git", "{}");
		wait_until(name, READY(revision("main", hash)));
		ck_assert_ok(
		        fx_test_apiserver_request(&embedded, "DELETE", "/_faults", NULL, NULL, &err), &err);
	}
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("gitrepository");
	TCase *plain = tcase_create("http"), *tls = tcase_create("https");
	tcase_set_timeout(plain, 120);
	tcase_set_timeout(tls, 120);
	tcase_add_checked_fixture(plain, start, stop);
	tcase_add_checked_fixture(tls, start_tls, stop);
	tcase_add_test(plain, commit_becomes_artifact);
	tcase_add_test(plain, nothing_new);
	tcase_add_test(plain, ignore_makes_another_artifact);
	tcase_add_test(plain, credentials);
	tcase_add_test(plain, mistakes);
	tcase_add_test(plain, hostile_servers);
	tcase_add_test(plain, server_comes_back);
	tcase_add_test(plain, includes);
	tcase_add_test(plain, damage_is_found);
	tcase_add_test(plain, suspend_and_delete);
	tcase_add_test(plain, empty_storage_after_restart);
	tcase_add_test(plain, through_a_proxy);
	tcase_add_test(plain, bad_start);
	tcase_add_test(plain, killed_again_and_again);
	/* A real server does not fail when it is told to. */
	if (embedded.url)
		tcase_add_test(plain, api_server_fails);
	tcase_add_test(tls, client_certificates);
	suite_add_tcase(suite, plain);
	suite_add_tcase(suite, tls);
	return suite;
}

static int start_embedded(struct fx_error *err)
{
	const char *const args[] = {"--crds", "manifests/crds", NULL};
	int rc = fx_test_apiserver_start(&embedded, args, err);
	return rc ? rc : fx_test_apiserver_kubeconfig(&embedded, ACCOUNT, &controller_kubeconfig, err);
}

static int start_real(struct fx_error *err)
{
	int rc = fx_test_cluster_start(&cluster, NULL, err);
	if (rc == 0)
		rc = fx_test_kubectl(&cluster, NULL, NULL, err, "apply", "-k", "manifests/");
	return rc ? rc
	          : fx_test_cluster_kubeconfig(
	                    &cluster, "flux-system", "source-controller", &controller_kubeconfig, err);
}

int main(void)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const char *api = getenv("FX_TEST_API");
	bool real = api && strcmp(api, "real") == 0;
	int rc = real ? start_real(&err) : start_embedded(&err);
	if (rc != 0) {
		fprintf(stderr, "test_gitrepository: %s\n", fx_error_message(&err));
		return rc == -FX_E_UNSUPPORTED ? FX_TEST_EXIT_SKIPPED : EXIT_FAILURE;
	}
	SRunner *runner = srunner_create(make_suite());
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	free(controller_kubeconfig);
	failed += !fx_test_apiserver_stop(&embedded);
	fx_test_cluster_stop(&cluster);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
