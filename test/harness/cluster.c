#include "test/harness/cluster.h"

#include "test/harness/process.h"

#include <stdio.h>
#include <string.h>

#define SCRIPT "test/cluster/cluster.sh"
#define BUILD_SCRIPT "test/cluster/build.sh"
/* build.sh's word for "no compiler". */
#define STATUS_NO_COMPILER 3
/* Enough for every kubectl command of a test, `wait` included. */
#define KUBECTL_TIMEOUT_MS (3 * 60 * 1000)
#define KUBECTL_ARGS_MAX 60

static int script(const char *const *argv, struct fx_buf *out, struct fx_error *err)
{
	return fx_test_run(&(struct fx_test_command){.argv = argv}, out, NULL, err);
}

static int make_folder(char **out, struct fx_error *err)
{
	const char *tmp = getenv("TMPDIR");
	fx_auto(buf) struct fx_buf path = FX_BUF_INIT;

	fx_buf_addf(&path, "%s/fx-cluster.XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (fx_buf_failed(&path))
		return fx_fail_nomem(err);
	if (!mkdtemp(path.data))
		return fx_fail_errno(err, "making %s", path.data);
	*out = fx_buf_take(&path, NULL);
	return 0;
}

/* The programs are built before the start, for that is where a machine may lack something. */
static int build(bool pods, struct fx_error *err)
{
	const char *argv[] = {BUILD_SCRIPT, pods ? "--pods" : NULL, NULL};
	int status = 0;
	int rc = fx_test_run(&(struct fx_test_command){.argv = argv}, NULL, &status, err);

	if (rc < 0)
		return rc;
	if (status == STATUS_NO_COMPILER)
		return fx_fail(err, FX_E_UNSUPPORTED,
		        "no Go to build a Kubernetes API server with: install Go, or set KUBEBUILDER_ASSETS "
		        "to a folder that holds kube-apiserver, etcd and kubectl");
	return status == 0 ? 0 : fx_fail(err, FX_E_INTERNAL, BUILD_SCRIPT " ended with status %d", status);
}

/* Takes the value out of a line `export NAME='VALUE'`; true when the line has that name. */
static bool read_setting(const char *line, const char *name, char **out)
{
	static const char prefix[] = "export ";
	size_t len = strlen(name);

	if (strncmp(line, prefix, sizeof(prefix) - 1) != 0)
		return false;
	line += sizeof(prefix) - 1;
	if (strncmp(line, name, len) != 0 || line[len] != '=' || line[len + 1] != '\'')
		return false;
	line += len + 2;
	free(*out);
	*out = strndup(line, strcspn(line, "'"));
	return true;
}

static int read_env(struct fx_test_cluster *cluster, struct fx_error *err)
{
	const struct {
		const char *name;
		char **value;
	} settings[] = {
	        {"KUBE_BIN", &cluster->bin},
	        {"KUBECONFIG", &cluster->kubeconfig},
	        {"API_URL", &cluster->url},
	        {"API_CA", &cluster->ca},
	        {"ADMIN_TOKEN", &cluster->admin_token},
	};
	char line[4096];
	fx_auto(buf) struct fx_buf path = FX_BUF_INIT;

	fx_buf_addf(&path, "%s/env", cluster->dir);
	fx_auto(file) FILE *file = fopen(fx_buf_str(&path), "re");
	if (!file)
		return fx_fail_errno(err, "opening %s", fx_buf_str(&path));
	while (fgets(line, sizeof(line), file))
		for (size_t i = 0; i < FX_COUNT(settings); i++)
			if (read_setting(line, settings[i].name, settings[i].value))
				break;
	for (size_t i = 0; i < FX_COUNT(settings); i++)
		if (!*settings[i].value)
			return fx_fail(err, FX_E_INTERNAL, "%s does not set %s", fx_buf_str(&path),
			        settings[i].name);
	return 0;
}

int fx_test_cluster_start(
        struct fx_test_cluster *out, const struct fx_test_cluster_options *opt, struct fx_error *err)
{
	static const struct fx_test_cluster_options none;
	struct fx_test_cluster cluster = {0};
	char owner[16];

	opt = opt ? opt : &none;
	int rc = build(opt->pods, err);
	if (rc < 0)
		return rc;
	rc = make_folder(&cluster.dir, err);
	if (rc < 0)
		return rc;
	snprintf(owner, sizeof(owner), "%d", (int)getpid());
	const char *argv[8] = {SCRIPT, "start", cluster.dir, "--owner", owner};
	size_t n = 5;
	if (opt->pods)
		argv[n++] = "--pods";
	if (opt->audit)
		argv[n++] = "--audit";
	rc = script(argv, NULL, err);
	if (rc == 0)
		rc = read_env(&cluster, err);
	if (rc < 0) {
		fx_test_cluster_stop(&cluster);
		return rc;
	}
	*out = cluster;
	return 0;
}

void fx_test_cluster_stop(struct fx_test_cluster *cluster)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;

	if (!cluster->dir)
		return;
	if (script((const char *const[]){SCRIPT, "stop", cluster->dir, NULL}, NULL, &err) < 0)
		fprintf(stderr, "%s\n", fx_error_message(&err));
	else if (!getenv("FX_TEST_KEEP") &&
	         script((const char *const[]){"rm", "-rf", "--", cluster->dir, NULL}, NULL, &err) < 0)
		fprintf(stderr, "%s\n", fx_error_message(&err));
	free(cluster->dir);
	free(cluster->bin);
	free(cluster->kubeconfig);
	free(cluster->url);
	free(cluster->ca);
	free(cluster->admin_token);
	*cluster = (struct fx_test_cluster){0};
}

int fx_test_cluster_kubeconfig(struct fx_test_cluster *cluster, const char *namespace, const char *name,
        char **out_path, struct fx_error *err)
{
	fx_auto(buf) struct fx_buf path = FX_BUF_INIT;
	int rc = script(
	        (const char *const[]){SCRIPT, "kubeconfig", cluster->dir, namespace, name, NULL}, &path, err);

	if (rc < 0)
		return rc;
	while (path.len && path.data[path.len - 1] == '\n')
		fx_buf_truncate(&path, path.len - 1);
	char *text = fx_buf_take(&path, NULL);
	if (!text)
		return fx_fail_nomem(err);
	*out_path = text;
	return 0;
}

int fx_test_cluster_requests(struct fx_test_cluster *cluster, struct fx_buf *out, struct fx_error *err)
{
	return script((const char *const[]){SCRIPT, "requests", cluster->dir, NULL}, out, err);
}

int fx_test_cluster_down(struct fx_test_cluster *cluster, const char *program, struct fx_error *err)
{
	return script((const char *const[]){SCRIPT, "down", cluster->dir, program, NULL}, NULL, err);
}

int fx_test_cluster_up(struct fx_test_cluster *cluster, const char *program, struct fx_error *err)
{
	return script((const char *const[]){SCRIPT, "up", cluster->dir, program, NULL}, NULL, err);
}

int fx_test_cluster_kubectl(struct fx_test_cluster *cluster, const char *const *args, const char *input,
        struct fx_buf *out, struct fx_error *err)
{
	fx_auto(buf) struct fx_buf program = FX_BUF_INIT;
	fx_auto(buf) struct fx_buf home = FX_BUF_INIT;
	const char *argv[KUBECTL_ARGS_MAX + 4] = {NULL, "--kubeconfig", cluster->kubeconfig};
	size_t n = 3;

	fx_buf_addf(&program, "%s/kubectl", cluster->bin);
	/* Its cache of discovery lies below HOME, by the server's address: not to be met by another test. */
	fx_buf_addf(&home, "HOME=%s", cluster->dir);
	for (; *args; args++) {
		if (n >= KUBECTL_ARGS_MAX + 3)
			return fx_fail(
			        err, FX_E_LIMIT, "more than %d arguments for kubectl", KUBECTL_ARGS_MAX);
		argv[n++] = *args;
	}
	argv[0] = fx_buf_str(&program);
	return fx_test_run(&(struct fx_test_command){.argv = argv,
	                           .env = (const char *const[]){fx_buf_str(&home), NULL},
	                           .input = input,
	                           .timeout_ms = KUBECTL_TIMEOUT_MS},
	        out, NULL, err);
}
