/* The controllers of a test environment as processes. */
#include "core/clock.h"
#include "test/harness/env_private.h"
#include "test/harness/port.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

/* With sanitizers and a busy machine. */
#define READY_TIMEOUT_MS 30000
#define STOP_TIMEOUT_MS 20000
/* Between two looks at whether it is ready. */
#define READY_STEP_MS 5
/* Bytes of a log that a message quotes. */
#define LOG_TAIL 4000

int fx_test_controller_init(struct fx_test_env *env, struct fx_test_controller *c, const char *name,
        const char *const *args, struct fx_error *err)
{
	c->name = name;
	c->args = args;
	if (asprintf(&c->log_path, "%s/%s.log", env->dir, name) < 0 ||
	        asprintf(&c->tmp, "%s/%s.tmp", env->dir, name) < 0)
		return fx_fail_nomem(err);
	if (mkdir(c->tmp, 0700) < 0)
		return fx_fail_errno(err, "making %s", c->tmp);
	int rc = fx_test_free_port(&c->health_port, err);
	if (rc == 0)
		rc = fx_test_free_port(&c->metrics_port, err);
	if (rc == 0 && strcmp(name, "source-controller") == 0)
		rc = fx_test_free_port(&c->port, err);
	if (rc < 0)
		return rc;
	if (env->real)
		return fx_test_cluster_kubeconfig(
		        &env->cluster, FX_TEST_NAMESPACE, name, &c->kubeconfig, err);
	char user[128];
	snprintf(user, sizeof(user), "system:serviceaccount:" FX_TEST_NAMESPACE ":%s", name);
	return fx_test_apiserver_kubeconfig(&env->embedded, user, &c->kubeconfig, err);
}

char *fx_test_controller_log(const struct fx_test_controller *c)
{
	fx_auto(buf) struct fx_buf out = FX_BUF_INIT;
	char part[4096];
	fx_auto(file) FILE *f = c->log_path ? fopen(c->log_path, "re") : NULL;
	if (f && fseek(f, -LOG_TAIL, SEEK_END) < 0)
		rewind(f);
	for (size_t n; f && (n = fread(part, 1, sizeof(part), f)) > 0;)
		fx_buf_add(&out, part, n);
	return strdup(fx_buf_str(&out));
}

static int fail_with_log(
        const struct fx_test_controller *c, enum fx_error_code code, const char *what, struct fx_error *err)
{
	fx_autofree char *log = fx_test_controller_log(c);
	return fx_fail(err, code, "%s %s: %s", c->name, what, log ? log : "");
}

/* Asks for /readyz until the answer is ok; the end of the process ends that too. */
static int wait_ready(struct fx_test_env *env, struct fx_test_controller *c, struct fx_error *err)
{
	int64_t deadline = fx_now_ms() + READY_TIMEOUT_MS;
	struct pollfd ended = {.fd = c->process.pidfd, .events = POLLIN};
	for (;;) {
		fx_auto(error) struct fx_error not_yet = FX_ERROR_INIT;
		fx_auto(buf) struct fx_buf out = FX_BUF_INIT;
		if (fx_test_env_download(env, c->health_port, "readyz", &out, &not_yet) == 0 &&
		        (!c->port || fx_test_env_download(env, c->port, "", &out, &not_yet) == 0))
			return 0;
		if (poll(&ended, 1, READY_STEP_MS) > 0)
			return fail_with_log(c, FX_E_UNAVAILABLE, "ended", err);
		if (fx_now_ms() > deadline)
			return fail_with_log(c, FX_E_TIMEOUT, "does not get ready", err);
	}
}

static void add_args(const char **argv, size_t *count, const char *const *more)
{
	for (; more && *more && *count < FX_TEST_CONTROLLER_ARGS_MAX - 1; more++)
		argv[(*count)++] = *more;
}

int fx_test_controller_launch(struct fx_test_env *env, struct fx_test_controller *c, struct fx_error *err)
{
	const char *build = getenv("FX_BUILD");
	fx_autofree char *program = NULL, *health = NULL, *metrics = NULL, *storage = NULL, *addr = NULL;
	fx_autofree char *kubeconfig = NULL, *tmp = NULL;
	if (asprintf(&program, "%s/bin/%s", build && *build ? build : "build", c->name) < 0 ||
	        asprintf(&health, "--health-addr=127.0.0.1:%d", c->health_port) < 0 ||
	        asprintf(&metrics, "--metrics-addr=127.0.0.1:%d", c->metrics_port) < 0 ||
	        asprintf(&storage, "--storage-path=%s", env->storage) < 0 ||
	        asprintf(&addr, "--storage-addr=127.0.0.1:%d", c->port) < 0 ||
	        asprintf(&kubeconfig, "KUBECONFIG=%s", c->kubeconfig) < 0 ||
	        asprintf(&tmp, "TMPDIR=%s", c->tmp) < 0)
		return fx_fail_nomem(err);
	const char *argv[FX_TEST_CONTROLLER_ARGS_MAX] = {NULL};
	const char *const env_vars[] = {kubeconfig, tmp, "RUNTIME_NAMESPACE=" FX_TEST_NAMESPACE, NULL};
	size_t count = 0;
	add_args(argv, &count, c->wrapper);
	add_args(argv, &count, (const char *const[]){program, health, metrics, "--events-addr=", NULL});
	if (c->port)
		add_args(argv, &count, (const char *const[]){storage, addr, NULL});
	add_args(argv, &count, c->args);
	const struct fx_test_command command = {.argv = argv, .env = env_vars};
	return fx_test_process_start(&c->process, &command, c->log_path, err);
}

int fx_test_controller_start(struct fx_test_env *env, struct fx_test_controller *c, struct fx_error *err)
{
	int rc = fx_test_controller_launch(env, c, err);
	return rc == 0 ? wait_ready(env, c, err) : rc;
}

int fx_test_controller_stop(struct fx_test_controller *c, struct fx_error *err)
{
	int status = 0;
	fx_test_process_signal(&c->process, SIGTERM);
	int rc = fx_test_process_wait(&c->process, STOP_TIMEOUT_MS, &status, err);
	if (rc < 0)
		return fx_error_wrap(err, "%s", c->name);
	if (status == 0)
		return 0;
	char what[64];
	snprintf(what, sizeof(what), "ended with status %d", status);
	return fail_with_log(c, FX_E_INTERNAL, what, err);
}

void fx_test_controller_kill(struct fx_test_controller *c)
{
	fx_test_process_release(&c->process);
}

int fx_test_controller_end(struct fx_test_controller *c, struct fx_error *err)
{
	int rc = c->process.pid > 0 ? fx_test_controller_stop(c, err) : 0;
	if (rc == 0 && c->log_path)
		rc = fx_test_complaints(c->name, c->log_path, err);
	fx_test_process_release(&c->process);
	free(c->kubeconfig);
	free(c->log_path);
	free(c->tmp);
	*c = (struct fx_test_controller){.process = FX_TEST_PROCESS_INIT};
	return rc;
}

static int count_entries(const char *path)
{
	DIR *dir = opendir(path);
	int count = 0;
	for (struct dirent *e; dir && (e = readdir(dir));)
		count += e->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return count;
}

struct fx_test_memory fx_test_controller_memory(const struct fx_test_controller *c)
{
	struct fx_test_memory memory = {0};
	char path[64], line[256];
	snprintf(path, sizeof(path), "/proc/%d/status", (int)c->process.pid);
	fx_auto(file) FILE *f = c->process.pid > 0 ? fopen(path, "re") : NULL;
	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, "RssAnon:", 8) == 0)
			memory.private_kb = strtol(line + 8, NULL, 10);
		if (strncmp(line, "VmRSS:", 6) == 0)
			memory.resident_kb = strtol(line + 6, NULL, 10);
	}
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)c->process.pid);
	memory.files = f ? count_entries(path) : 0;
	return memory;
}
