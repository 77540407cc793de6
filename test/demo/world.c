#include "test/demo/world.h"

#include "core/clock.h"
#include "net/http.h"
#include "test/harness/port.h"

#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#define WAIT_MS 30000
#define STOP_MS 10000

static const struct {
	const char *group, *version, *resource;
} kinds[DEMO_KINDS] = {
        [DEMO_GITREPOSITORY] = {"source.toolkit.fluxcd.io", "v1", "gitrepositories"},
        [DEMO_KUSTOMIZATION] = {"kustomize.toolkit.fluxcd.io", "v1", "kustomizations"},
        [DEMO_CONFIGMAP] = {"", "v1", "configmaps"},
        [DEMO_DEPLOYMENT] = {"apps", "v1", "deployments"},
};

static struct fx_kube_path path_of(enum demo_kind kind, const char *name)
{
	return (struct fx_kube_path){
	        kinds[kind].group, kinds[kind].version, kinds[kind].resource, DEMO_NAMESPACE, name, NULL};
}

static const char *build_dir(void)
{
	const char *dir = getenv("FX_BUILD");
	return dir ? dir : "build";
}

static void on_change(void *arg, const struct fx_reflector_event *event)
{
	struct demo_world *w = arg;
	(void)event;
	pthread_mutex_lock(&w->lock);
	w->changes++;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

static int connect_kube(struct demo_world *w, struct fx_error *err)
{
	fx_auto(kube_config) struct fx_kube_config *config = NULL;
	int rc = fx_loop_new(&w->loop, err);
	if (rc == 0)
		rc = fx_http_client_new(w->loop, "flux-demo", &w->http, err);
	if (rc == 0)
		rc = fx_kube_config_load(w->real ? NULL : w->api.kubeconfig, &config, err);
	if (rc < 0)
		return rc;
	struct fx_kube_options options = {.http = w->http};
	return fx_kube_new(config, &options, &w->kube, err);
}

static int make_namespace(struct demo_world *w, struct fx_error *err)
{
	struct fx_kube_path path = {"", "v1", "namespaces", NULL, DEMO_NAMESPACE, NULL};
	fx_auto(json) json_t *ns = json_pack("{s:s,s:s,s:{s:s}}", "apiVersion", "v1", "kind", "Namespace",
	        "metadata", "name", DEMO_NAMESPACE);
	struct fx_kube_write_options options = {.field_manager = "flux-demo", .force = true};
	return fx_kube_patch(w->kube, &path, FX_KUBE_APPLY_PATCH, ns, &options, NULL, NULL, err);
}

static int watch_kinds(struct demo_world *w, struct fx_error *err)
{
	int rc = 0;
	for (int i = 0; i < DEMO_KINDS && rc == 0; i++) {
		struct fx_reflector_options options = {.loop = w->loop,
		        .kube = w->kube,
		        .path = path_of(i, NULL),
		        .pack = fx_reflector_pack_json,
		        .on_change = on_change,
		        .arg = w};
		rc = fx_reflector_new(&options, &w->images[i], err);
		if (rc == 0)
			fx_reflector_start(w->images[i]);
	}
	fx_auto(cancel) struct fx_cancel *limit = fx_cancel_new(NULL, fx_now_ms() + WAIT_MS);
	for (int i = 0; i < DEMO_KINDS && rc == 0; i++)
		rc = fx_reflector_wait_synced(w->images[i], limit, err);
	return rc;
}

/* Starts bin/NAME with its log in the world's folder. extra: more arguments, NULL-terminated. */
static int start_controller(struct demo_world *w, const char *name, const char *artifacts,
        const char *const *extra, struct fx_test_process *out, struct fx_error *err)
{
	fx_autofree char *program = NULL, *log = NULL, *kubeconfig = NULL, *host = NULL;
	if (asprintf(&program, "%s/bin/%s", build_dir(), name) < 0 ||
	        asprintf(&log, "%s/%s.log", w->dir, name) < 0 ||
	        asprintf(&kubeconfig, "KUBECONFIG=%s", w->real ? getenv("KUBECONFIG") : w->api.kubeconfig) <
	                0 ||
	        asprintf(&host, "SOURCE_CONTROLLER_LOCALHOST=%s", artifacts) < 0)
		return fx_fail_nomem(err);
	const char *argv[24] = {program, "--metrics-addr=0", "--health-addr=0", "--log-level=debug"};
	for (size_t i = 0, n = 4; extra[i] && n + 1 < FX_COUNT(argv); i++, n++)
		argv[n] = extra[i];
	const char *const env[] = {kubeconfig, host, "RUNTIME_NAMESPACE=" DEMO_NAMESPACE, NULL};
	struct fx_test_command command = {.argv = argv, .env = env};
	return fx_test_process_start(out, &command, log, err);
}

static int start_controllers(struct demo_world *w, struct fx_error *err)
{
	int port;
	int rc = fx_test_free_port(&port, err);
	if (rc < 0)
		return rc;
	fx_autofree char *storage = NULL, *path = NULL, *listen = NULL, *artifacts = NULL;
	if (asprintf(&storage, "%s/storage", w->dir) < 0 ||
	        asprintf(&path, "--storage-path=%s", storage) < 0 ||
	        asprintf(&listen, "--storage-addr=127.0.0.1:%d", port) < 0 ||
	        asprintf(&artifacts, "127.0.0.1:%d", port) < 0)
		return fx_fail_nomem(err);
	if (mkdir(storage, 0700) < 0)
		return fx_fail_errno(err, "making %s", storage);
	fx_autofree char *advertised = NULL;
	if (asprintf(&advertised, "--storage-adv-addr=%s", artifacts) < 0)
		return fx_fail_nomem(err);
	rc = start_controller(w, "source-controller", artifacts,
	        (const char *const[]){path, listen, advertised, NULL}, &w->source, err);
	if (rc == 0)
		rc = start_controller(w, "kustomize-controller", artifacts, (const char *const[]){NULL},
		        &w->kustomize, err);
	return rc;
}

static int start_api(struct demo_world *w, struct fx_error *err)
{
	const char *wanted = getenv("DEMO_CLUSTER");
	w->real = wanted && strcmp(wanted, "1") == 0;
	if (!w->real)
		return fx_test_apiserver_start(
		        &w->api, (const char *const[]){"--crds", "manifests/crds", NULL}, err);
	if (!getenv("KUBECONFIG"))
		return fx_fail(err, FX_E_INVALID,
		        "DEMO_CLUSTER=1 needs KUBECONFIG, and manifests/crds applied there");
	return 0;
}

int demo_world_start(struct demo_world *world, struct fx_error *err)
{
	*world = (struct demo_world){.git.apache = FX_TEST_PROCESS_INIT,
	        .source = FX_TEST_PROCESS_INIT,
	        .kustomize = FX_TEST_PROCESS_INIT};
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&world->changed, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&world->lock, NULL);
	world->dir = strdup("/tmp/flux-demo-XXXXXX");
	if (!world->dir || !mkdtemp(world->dir))
		return fx_fail_errno(err, "making a folder in /tmp");
	int rc = start_api(world, err);
	if (rc == 0)
		rc = fx_test_git_start(&world->git, NULL, err);
	if (rc == 0)
		rc = connect_kube(world, err);
	if (rc == 0)
		rc = make_namespace(world, err);
	if (rc == 0)
		rc = watch_kinds(world, err);
	return rc == 0 ? start_controllers(world, err) : rc;
}

static void stop_process(struct fx_test_process *process)
{
	fx_test_process_signal(process, SIGTERM);
	if (fx_test_process_wait(process, STOP_MS, NULL, NULL) < 0)
		fx_test_process_signal(process, SIGKILL);
	fx_test_process_release(process);
}

/* In somebody's cluster nothing of ours stays. */
static void clean_cluster(struct demo_world *w)
{
	struct fx_kube_path path = {"", "v1", "namespaces", NULL, DEMO_NAMESPACE, NULL};
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	if (w->real && w->kube && fx_kube_delete(w->kube, &path, NULL, NULL, &err) < 0)
		fprintf(stderr, "namespace %s is still there: %s\n", DEMO_NAMESPACE, fx_error_message(&err));
}

void demo_world_stop(struct demo_world *world, bool keep_logs)
{
	if (!world->dir)
		return;
	clean_cluster(world);
	stop_process(&world->kustomize);
	stop_process(&world->source);
	for (int i = 0; i < DEMO_KINDS; i++)
		fx_reflector_free(world->images[i]);
	fx_kube_unref(world->kube);
	fx_http_client_free(world->http);
	fx_loop_free(world->loop);
	fx_test_git_stop(&world->git);
	fx_test_apiserver_stop(&world->api);
	const char *const argv[] = {"rm", "-rf", world->dir, NULL};
	struct fx_test_command command = {.argv = argv};
	if (keep_logs)
		printf("The controllers' logs are in %s\n", world->dir);
	else if (fx_test_run(&command, NULL, NULL, NULL) < 0)
		printf("%s could not be removed\n", world->dir);
	free(world->dir);
	pthread_cond_destroy(&world->changed);
	pthread_mutex_destroy(&world->lock);
	world->dir = NULL;
}

json_t *demo_get(struct demo_world *world, enum demo_kind kind, const char *name)
{
	json_t *object = NULL;
	return fx_reflector_get_json(world->images[kind], DEMO_NAMESPACE, name, &object, NULL) == 0 ? object
	                                                                                            : NULL;
}

int demo_wait(struct demo_world *world, bool (*check)(struct demo_world *world, const void *arg),
        const void *arg, const char *what, int64_t *out_ms, struct fx_error *err)
{
	int64_t start = fx_now_ms(), deadline = start + WAIT_MS;
	struct timespec ts = {.tv_sec = deadline / 1000, .tv_nsec = deadline % 1000 * 1000000};
	for (;;) {
		pthread_mutex_lock(&world->lock);
		uint64_t seen = world->changes;
		pthread_mutex_unlock(&world->lock);
		if (check(world, arg)) {
			if (out_ms)
				*out_ms = fx_now_ms() - start;
			return 0;
		}
		int rc = 0;
		pthread_mutex_lock(&world->lock);
		while (world->changes == seen && rc == 0)
			rc = pthread_cond_timedwait(&world->changed, &world->lock, &ts);
		pthread_mutex_unlock(&world->lock);
		if (rc != 0)
			return fx_fail(err, FX_E_TIMEOUT, "not seen within %d s: %s", WAIT_MS / 1000, what);
	}
}

static int write_json(struct demo_world *world, enum demo_kind kind, const char *name, const char *type,
        const char *json, struct fx_error *err)
{
	fx_auto(json) json_t *body = NULL;
	int rc = fx_json_parse(json, strlen(json), &body, err);
	struct fx_kube_path path = path_of(kind, name);
	struct fx_kube_write_options options = {
	        .field_manager = "demo-user", .force = strcmp(type, FX_KUBE_APPLY_PATCH) == 0};
	return rc == 0 ? fx_kube_patch(world->kube, &path, type, body, &options, NULL, NULL, err) : rc;
}

int demo_apply(struct demo_world *world, enum demo_kind kind, const char *name, const char *json,
        struct fx_error *err)
{
	return write_json(world, kind, name, FX_KUBE_APPLY_PATCH, json, err);
}

int demo_patch(struct demo_world *world, enum demo_kind kind, const char *name, const char *json,
        struct fx_error *err)
{
	return write_json(world, kind, name, FX_KUBE_MERGE_PATCH, json, err);
}

int demo_delete(struct demo_world *world, enum demo_kind kind, const char *name, struct fx_error *err)
{
	struct fx_kube_path path = path_of(kind, name);
	return fx_kube_delete(world->kube, &path, NULL, NULL, err);
}
