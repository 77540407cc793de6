#include "test/harness/env.h"

#include "test/harness/env_private.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

static int make_folders(struct fx_test_env *env, const char *storage, struct fx_error *err)
{
	const char *tmp = getenv("TMPDIR");
	if (asprintf(&env->dir, "%s/fx-env-XXXXXX", tmp && *tmp ? tmp : "/tmp") < 0)
		return fx_fail_nomem(err);
	if (!mkdtemp(env->dir))
		return fx_fail_errno(err, "making %s", env->dir);
	if (storage)
		env->storage = strdup(storage);
	else if (asprintf(&env->storage, "%s/storage", env->dir) < 0 || mkdir(env->storage, 0700) < 0)
		return fx_fail_errno(err, "making the storage");
	return env->storage ? 0 : fx_fail_nomem(err);
}

static int start_clients(struct fx_test_env *env, struct fx_error *err)
{
	fx_auto(kube_config) struct fx_kube_config *config = NULL;
	int rc = fx_kube_config_read(env->kubeconfig, NULL, &config, err);
	if (rc == 0)
		rc = fx_loop_new(&env->loop, err);
	if (rc == 0)
		rc = fx_http_client_new(env->loop, "test", &env->http, err);
	if (rc == 0)
		rc = fx_kube_new(config, &(struct fx_kube_options){.http = env->http}, &env->kube, err);
	if (rc == 0)
		rc = fx_discovery_new(env->kube, &env->discovery, err);
	return rc;
}

static int start_real(struct fx_test_env *env, const struct fx_test_env_options *o, struct fx_error *err)
{
	const struct fx_test_cluster_options options = {.pods = o->pods, .audit = o->audit};
	int rc = fx_test_cluster_start(&env->cluster, &options, err);
	if (rc == 0)
		rc = fx_test_kubectl(
		        &env->cluster, NULL, NULL, err, "apply", "--server-side", "-k", "manifests");
	if (rc == 0)
		rc = fx_test_kubectl(&env->cluster, NULL, NULL, err, "wait", "crd", "--all",
		        "--for=condition=Established", "--timeout=30s");
	if (rc == 0 && !(env->kubeconfig = strdup(env->cluster.kubeconfig)))
		rc = fx_fail_nomem(err);
	return rc == 0 ? start_clients(env, err) : rc;
}

static int start_embedded(struct fx_test_env *env, struct fx_error *err)
{
	int rc = fx_test_apiserver_start(
	        &env->embedded, (const char *const[]){"--crds", "manifests/crds", NULL}, err);
	if (rc == 0 && !(env->kubeconfig = strdup(env->embedded.kubeconfig)))
		rc = fx_fail_nomem(err);
	if (rc == 0)
		rc = start_clients(env, err);
	if (rc == 0)
		rc = fx_test_env_apply(env, err,
		        "apiVersion: v1\nkind: Namespace\nmetadata: {name: " FX_TEST_NAMESPACE "}\n");
	return rc;
}

int fx_test_env_start(
        struct fx_test_env *env, const struct fx_test_env_options *options, struct fx_error *err)
{
	static const struct fx_test_env_options none;
	const struct fx_test_env_options *o = options ? options : &none;
	const char *api = getenv("FX_TEST_API");
	fx_auto(error) struct fx_error ignored = FX_ERROR_INIT;

	*env = (struct fx_test_env){.real = api && strcmp(api, "real") == 0};
	env->embedded.process = env->source.process = env->kustomize.process =
	        (struct fx_test_process)FX_TEST_PROCESS_INIT;
	int rc = make_folders(env, o->storage, err);
	if (rc == 0)
		rc = env->real ? start_real(env, o, err) : start_embedded(env, err);
	if (rc == 0)
		rc = fx_test_git_start(&env->git, o->git, err);
	if (rc == 0)
		rc = fx_test_controller_init(env, &env->source, "source-controller", o->source_args, err);
	if (rc == 0 && o->kustomize)
		rc = fx_test_controller_init(
		        env, &env->kustomize, "kustomize-controller", o->kustomize_args, err);
	if (rc == 0 && !o->idle)
		rc = fx_test_controller_start(env, &env->source, err);
	if (rc == 0 && !o->idle && o->kustomize)
		rc = fx_test_controller_start(env, &env->kustomize, err);
	if (rc < 0 && fx_test_env_stop(env, &ignored) < 0)
		fprintf(stderr, "%s\n", fx_error_message(&ignored));
	return rc;
}

static void remove_folder(const char *dir)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_test_command command = {.argv = (const char *const[]){"rm", "-rf", dir, NULL}};
	if (!getenv("FX_TEST_KEEP") && fx_test_run(&command, NULL, NULL, &err) < 0)
		fprintf(stderr, "%s\n", fx_error_message(&err));
}

int fx_test_env_stop(struct fx_test_env *env, struct fx_error *err)
{
	int rc = fx_test_controller_end(&env->kustomize, err);
	/* The first complaint is the one that is told. */
	int source = fx_test_controller_end(&env->source, rc < 0 ? NULL : err);
	rc = rc < 0 ? rc : source;
	fx_test_git_stop(&env->git);
	fx_discovery_free(env->discovery);
	fx_kube_unref(env->kube);
	fx_http_client_free(env->http);
	fx_loop_free(env->loop);
	bool well = fx_test_apiserver_stop(&env->embedded);
	fx_test_cluster_stop(&env->cluster);
	if (env->dir)
		remove_folder(env->dir);
	free(env->dir);
	free(env->storage);
	free(env->kubeconfig);
	*env = (struct fx_test_env){0};
	env->embedded.process = env->source.process = env->kustomize.process =
	        (struct fx_test_process)FX_TEST_PROCESS_INIT;
	return rc == 0 && !well ? fx_fail(err, FX_E_INTERNAL, "the embedded API server did not end well")
	                        : rc;
}

static int break_answers(struct fx_test_env *env, const char *name, struct fx_error *err)
{
	char body[256];
	snprintf(body, sizeof(body),
	        "{\"type\":\"reset\",\"count\":-1,\"user\":\"system:serviceaccount:" FX_TEST_NAMESPACE
	        ":%s\"}",
	        name);
	return fx_test_apiserver_request(&env->embedded, "POST", "/_faults", body, NULL, err);
}

int fx_test_env_api_down(struct fx_test_env *env, struct fx_error *err)
{
	if (env->real)
		return fx_test_cluster_down(&env->cluster, "apiserver", err);
	int rc = break_answers(env, "source-controller", err);
	if (rc == 0)
		rc = break_answers(env, "kustomize-controller", err);
	/* The watches that are open. */
	if (rc == 0)
		rc = fx_test_apiserver_request(
		        &env->embedded, "POST", "/_faults", "{\"type\":\"cut\",\"path\":\"/\"}", NULL, err);
	return rc;
}

int fx_test_env_api_up(struct fx_test_env *env, struct fx_error *err)
{
	if (env->real)
		return fx_test_cluster_up(&env->cluster, "apiserver", err);
	return fx_test_apiserver_request(&env->embedded, "DELETE", "/_faults", NULL, NULL, err);
}

int fx_test_env_download(
        struct fx_test_env *env, int port, const char *path, struct fx_buf *out, struct fx_error *err)
{
	fx_autofree char *url = NULL;
	fx_auto(http_response) struct fx_http_response *response = NULL;
	if (asprintf(&url, "http://127.0.0.1:%d/%s", port, *path == '/' ? path + 1 : path) < 0)
		return fx_fail_nomem(err);
	const struct fx_http_request request = {.url = url, .proxy = "", .timeout_ms = FX_TEST_WAIT_MS};
	int rc = fx_http_do(env->http, &request, NULL, &response, err);
	if (rc == 0 && response->status != 200)
		rc = fx_fail(err, FX_E_INVALID, "%s: status %d", url, response->status);
	if (rc == 0)
		fx_buf_add(out, response->body, response->body_len);
	return rc;
}
