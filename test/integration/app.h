/*
 * One app: a repository, a GitRepository and a Kustomization of the same name, and what a test does with
 * them. For the test programs; a failure ends the test. The objects that it applies lie in the namespace
 * default.
 */
#ifndef FX_TEST_INTEGRATION_APP_H
#define FX_TEST_INTEGRATION_APP_H

#include "data/jansson.h"
#include "test/integration/env_main.h"

/* Each case has a repository, a GitRepository and a Kustomization of this name. */
struct app {
	char name[32];
	char hash[41];
};

#define CONFIG(name, value)                                                                                  \
	"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " name "}\ndata: {key: " value "}\n"

static inline void commit(struct app *app, const struct fx_test_file *files, const char *message)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	char token[FX_TEST_TOKEN];
	const struct fx_test_ref ref = {"GitRepository", app->name, NULL};
	bool first = !app->hash[0];
	if (first)
		ck_assert_ok(fx_test_git_create(&env.git, app->name, &err), &err);
	ck_assert_ok(fx_test_git_commit(&env.git, app->name, "main", message, files, app->hash, &err), &err);
	if (first)
		ck_assert_ok(fx_test_env_apply(&env, &err,
		                     "apiVersion: source.toolkit.fluxcd.io/v1\nkind: "
		                     "GitRepository\nmetadata: {name: %s}\n"
		                     "spec: {interval: 1h, url: %s/%s.git, ref: {branch: main}}\n",
		                     app->name, env.git.url, app->name),
		        &err);
	else
		ck_assert_ok(fx_test_env_reconcile(&env, &ref, token, &err), &err);
	ck_assert_ok(
	        fx_test_env_wait_condition(&env, &ref,
	                &(struct fx_test_condition){.status = "True", .revision = app->hash}, 0, NULL, &err),
	        &err);
}

/* spec: further lines of the spec, indented by two. */
static inline void kustomization(const struct app *app, const char *spec)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	ck_assert_ok(fx_test_env_apply(&env, &err,
	                     "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: "
	                     "{name: %s}\n"
	                     "spec:\n  interval: 1h\n  prune: true\n  targetNamespace: default\n"
	                     "  sourceRef: {kind: GitRepository, name: %s}\n%s",
	                     app->name, app->name, spec),
	        &err);
}

static inline void wait_ready(const struct app *app)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_test_ref ref = {"Kustomization", app->name, NULL};
	ck_assert_ok(
	        fx_test_env_wait_condition(&env, &ref,
	                &(struct fx_test_condition){.status = "True", .revision = app->hash}, 0, NULL, &err),
	        &err);
}

static inline void wait_failed(const struct app *app, const char *reason, const char *message)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_test_ref ref = {"Kustomization", app->name, NULL};
	ck_assert_ok(
	        fx_test_env_wait_condition(&env, &ref,
	                &(struct fx_test_condition){.status = "False", .reason = reason, .message = message},
	                0, NULL, &err),
	        &err);
}

static inline void delete_app(const struct app *app)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_test_ref ks = {"Kustomization", app->name, NULL},
	                         git = {"GitRepository", app->name, NULL};
	ck_assert_ok(fx_test_env_delete(&env, &ks, &err), &err);
	ck_assert_ok(fx_test_env_wait_gone(&env, &ks, 0, &err), &err);
	ck_assert_ok(fx_test_env_delete(&env, &git, &err), &err);
}

static inline bool has_value(void *arg, const json_t *object)
{
	const char *value = fx_json_str_at(object, "data", "key");
	return value && !strcmp(value, arg);
}

static inline void wait_value(const char *name, const char *value)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_test_ref ref = {"ConfigMap", name, "default"};
	ck_assert_ok(fx_test_env_wait(&env, &ref, has_value, (void *)(uintptr_t)value, 0, NULL, &err), &err);
}

static inline bool exists(const char *kind, const char *name)
{
	json_t *object = NULL;
	const struct fx_test_ref ref = {kind, name, "default"};
	bool there = fx_test_env_get(&env, &ref, &object, NULL) == 0;
	json_decref(object);
	return there;
}

static inline void wait_gone(const char *kind, const char *name)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_test_ref ref = {kind, name, "default"};
	ck_assert_ok(fx_test_env_wait_gone(&env, &ref, 0, &err), &err);
}

static inline void patch(const char *kind, const char *name, const char *ns, const char *body)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_test_ref ref = {kind, name, ns};
	ck_assert_ok(fx_test_env_patch(&env, &ref, &err, "%s", body), &err);
}

#endif
