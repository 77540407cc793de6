/* What the tests of the shared runtime (test_runtime.c, test_kustomization_process.c) have in common: an app
 * in Git with a GitRepository and a Kustomization of its name, and a look at the metrics. `env` is that of
 * env_main.h. */
#ifndef FX_TEST_HOUSE_H
#define FX_TEST_HOUSE_H

#include "test/integration/env_main.h"

#include "core/clock.h"
#include "data/jansson.h"

#include <poll.h>

/* Between two looks at what has no watch: metrics, logs. */
#define LOOK_MS 50

#define OK(call) ck_assert_ok(call, &err)

static inline void house_apply(const char *yaml)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	OK(fx_test_env_apply(&env, &err, "%s", yaml));
}

static inline void house_wait(const char *kind, const char *name, struct fx_test_condition want)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_test_ref ref = {kind, name, NULL};
	OK(fx_test_env_wait_condition(&env, &ref, &want, 0, NULL, &err));
}

/* Repository and GitRepository `name` with a ConfigMap `name`; ready when it returns. */
static inline void house_source(const char *name)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	char text[300], hash[41];
	snprintf(text, sizeof(text),
	        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {key: \"${word:=none}\"}\n",
	        name);
	const struct fx_test_file files[] = {{"a.yaml", text}, {NULL, NULL}};
	OK(fx_test_git_create(&env.git, name, &err));
	OK(fx_test_git_commit(&env.git, name, "main", "first", files, hash, &err));
	OK(fx_test_env_apply(&env, &err,
	        "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: %s}\n"
	        "spec: {interval: 1h, url: %s/%s.git, ref: {branch: main}}\n",
	        name, env.git.url, name));
	house_wait("GitRepository", name, (struct fx_test_condition){.status = "True", .revision = hash});
}

/* metadata and spec: further members in YAML's flow style, each begun by a comma. */
static inline void house_kustomization(
        const char *name, const char *source, const char *metadata, const char *spec)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	OK(fx_test_env_apply(&env, &err,
	        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: %s%s}\n"
	        "spec: {interval: 1h, prune: true, targetNamespace: default,\n"
	        "  sourceRef: {kind: GitRepository, name: %s}%s}\n",
	        name, metadata, source, spec));
}

static inline void house_delete(const char *kind, const char *name)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_test_ref ref = {kind, name, NULL};
	OK(fx_test_env_delete(&env, &ref, &err));
	OK(fx_test_env_wait_gone(&env, &ref, 0, &err));
}

static inline void house_patch(const char *kind, const char *name, const char *namespace_, const char *body)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_test_ref ref = {kind, name, namespace_};
	OK(fx_test_env_patch(&env, &ref, &err, "%s", body));
}

static inline json_t *house_get(const char *kind, const char *name, const char *namespace_)
{
	json_t *object = NULL;
	const struct fx_test_ref ref = {kind, name, namespace_};
	return fx_test_env_get(&env, &ref, &object, NULL) == 0 ? object : NULL;
}

/* What `metrics` says, as text. Owned by the caller. */
static inline char *house_metrics(const struct fx_test_controller *c)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct fx_buf out = FX_BUF_INIT;
	OK(fx_test_env_download(&env, c->metrics_port, "metrics", &out, &err));
	return fx_buf_take(&out, NULL);
}

/* The sum of all series that begin so. */
static inline double house_metric(const struct fx_test_controller *c, const char *series)
{
	fx_autofree char *text = house_metrics(c);
	double sum = 0;
	size_t len = strlen(series);
	for (const char *line = text; line && *line;
	        line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
		if (strncmp(line, series, len) == 0)
			sum += strtod(strchrnul(line + len, ' '), NULL);
	return sum;
}

static inline void house_wait_metric(const struct fx_test_controller *c, const char *series, double least)
{
	int64_t deadline = fx_now_ms() + FX_TEST_WAIT_MS;
	while (house_metric(c, series) < least) {
		ck_assert_msg(fx_now_ms() < deadline, "%s stays below %g", series, least);
		poll(NULL, 0, LOOK_MS);
	}
}

/* The whole log of a controller. Owned by the caller. */
static inline char *house_log(const struct fx_test_controller *c)
{
	struct fx_buf out = FX_BUF_INIT;
	char part[4096];
	fx_auto(file) FILE *f = fopen(c->log_path, "re");
	for (size_t n; f && (n = fread(part, 1, sizeof(part), f)) > 0;)
		fx_buf_add(&out, part, n);
	return fx_buf_take(&out, NULL);
}

static inline void house_restart(struct fx_test_controller *c, const char *const *args)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	if (c->process.pid)
		OK(fx_test_controller_stop(c, &err));
	c->args = args;
	OK(fx_test_controller_start(&env, c, &err));
}

#endif
