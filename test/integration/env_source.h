/*
 * What tests of the source-controller process share: a repository `app` on the Git server, GitRepositories of
 * it, restarts with other arguments, pages of its servers. On top of env_main.h; one test program includes
 * it.
 */
#ifndef FX_TEST_ENV_SOURCE_H
#define FX_TEST_ENV_SOURCE_H

#include "core/clock.h"
#include "test/integration/env_main.h"

#include <poll.h>

#define KIND "GitRepository"
#define WAIT_MS 60000
/* Between two looks at what has no event: a page, a log. */
#define STEP_MS 10

static char head[41];
static const struct fx_test_file files[] = {{"app/a.yaml", "a: 1\n"}, {NULL, NULL}};

/* A short lease, for a test that waits for its end. */
#define ELECT                                                                                                \
	"--enable-leader-election", "--leader-election-lease-duration=3s",                                   \
	        "--leader-election-renew-deadline=2s", "--leader-election-retry-period=500ms"
#define FAST "--min-retry-delay=100ms", "--max-retry-delay=500ms"

static const char *const usual_args[] = {FAST, NULL};

static inline void make_app(void)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	ck_assert_ok(fx_test_git_create(&env.git, "app", &err), &err);
	ck_assert_ok(fx_test_git_commit(&env.git, "app", "main", "first", files, head, &err), &err);
}

static inline void restart(const char *const *wrapper, const char *const *args)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	if (env.source.process.pid)
		ck_assert_ok(fx_test_controller_stop(&env.source, &err), &err);
	env.source.wrapper = wrapper;
	env.source.args = args;
	ck_assert_ok(fx_test_controller_start(&env, &env.source, &err), &err);
}

static inline void add(const char *name, const char *metadata, const char *more)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	ck_assert_ok(fx_test_env_apply(&env, &err,
	                     "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\n"
	                     "metadata: {name: %s%s}\n"
	                     "spec: {interval: 1h, url: %s/app.git, ref: {branch: main}%s}\n",
	                     name, metadata, env.git.url, more),
	        &err);
}

static inline void expect(const char *name, struct fx_test_condition want)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_test_ref ref = {KIND, name, NULL};
	ck_assert_ok(fx_test_env_wait_condition(&env, &ref, &want, WAIT_MS, NULL, &err), &err);
}

static inline void remove_object(const char *name)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_test_ref ref = {KIND, name, NULL};
	ck_assert_ok(fx_test_env_delete(&env, &ref, &err), &err);
	ck_assert_ok(fx_test_env_wait_gone(&env, &ref, WAIT_MS, &err), &err);
}

#define READY ((struct fx_test_condition){.status = "True", .reason = "Succeeded", .revision = head})

static inline bool page_has(int port, const char *path, const char *part)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(buf) struct fx_buf out = FX_BUF_INIT;
	return fx_test_env_download(&env, port, path, &out, &err) == 0 && strstr(fx_buf_str(&out), part);
}

/* Asks for a page until it has part (or, with want false, has it no longer). */
static inline void expect_page(int port, const char *path, const char *part, bool want)
{
	int64_t deadline = fx_now_ms() + WAIT_MS;
	while (page_has(port, path, part) != want && fx_now_ms() < deadline)
		poll(NULL, 0, STEP_MS);
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(buf) struct fx_buf out = FX_BUF_INIT;
	if (page_has(port, path, part) == want)
		return;
	int rc = fx_test_env_download(&env, port, path, &out, &err);
	ck_abort_msg("%s: %s '%s': %d %s %.6000s", path, want ? "no" : "still", part, rc,
	        fx_error_message(&err), fx_buf_str(&out));
}

#endif
