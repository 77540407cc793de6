#include "test/unit/unit.h"

#include "kustomize/kustomize.h"

#include <string.h>

/* What stands in for the network: answers from a table and remembers what it was asked. */
struct remote {
	struct fx_buf asked;
	struct fx_fs *checkout;
};

static int get(void *ctx, const char *url, struct fx_arena *arena, const char **data, size_t *len,
        struct fx_error *err)
{
	struct remote *r = ctx;
	(void)arena;
	fx_buf_addf(&r->asked, "get %s\n", url);
	/* A repository's address gives a page, which is no resource. */
	if (!strstr(url, ".yaml"))
		return fx_fail(err, FX_E_NOT_FOUND, "URL is a git repository");
	*data = strstr(url, "patch") ? "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cm}\ndata: {a: b}\n"
	                             : "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cm}\n";
	*len = strlen(*data);
	return 0;
}

static int clone(void *ctx, const char *url, const char *ref, bool submodules, int timeout_ms,
        struct fx_arena *arena, const struct fx_fs **fs, const char **root, struct fx_error *err)
{
	struct remote *r = ctx;
	(void)arena;
	(void)err;
	fx_buf_addf(&r->asked, "clone %s ref %s%s timeout %d\n", url, ref ? ref : "-",
	        submodules ? "" : " no submodules", timeout_ms);
	*fs = r->checkout;
	*root = "/";
	return 0;
}

static void add(struct fx_fs *fs, const char *path, const char *text)
{
	ck_assert_int_eq(fx_fs_memory_add(fs, path, text, strlen(text), NULL), 0);
}

#define CM "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cm}\n"

/* Builds "resources: [ENTRY]"; *remote NULL: without a remote. The text of the result or of the error. */
static int build(struct remote *remote, const char *kustomization, struct fx_buf *out, struct fx_error *err)
{
	fx_auto(fs) struct fx_fs *fs = fx_fs_new_memory();
	fx_auto(fs) struct fx_fs *checkout = fx_fs_new_memory();
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(0);
	struct fx_remote api = {.ctx = remote, .get = get, .clone = clone};
	struct fx_build_options opts = {.remote = remote ? &api : NULL};
	struct fx_node *list;
	add(fs, "/k/kustomization.yaml", kustomization);
	add(checkout, "/kustomization.yaml", "resources: [r.yaml]\n");
	add(checkout, "/r.yaml", CM);
	add(checkout, "/deep/kustomization.yaml", "resources: [../r.yaml, ../base]\nnamePrefix: deep-\n");
	add(checkout, "/base/kustomization.yaml", "resources: [s.yaml]\n");
	add(checkout, "/base/s.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n");
	add(checkout, "/outside/kustomization.yaml", "resources: [../../k]\n");
	if (remote)
		remote->checkout = checkout;
	int rc = fx_kustomize_build(fs, "/k", &opts, arena, &list, err);
	return rc < 0 ? rc : fx_kustomize_print(list, out, err);
}

/* Source: the table of repospec in kustomize's tests; KUST-033. */
static const struct {
	const char *entry, *asked;
} urls[] = {
        {"https://example.com/r.yaml", "get https://example.com/r.yaml\n"},
        {"https://github.com/owner/repo", "clone https://github.com/owner/repo ref - timeout 27000\n"},
        {"github.com/owner/repo?ref=v1", "clone https://github.com/owner/repo ref v1 timeout 27000\n"},
        {"https://example.com/owner/repo.git//base?ref=main&timeout=5",
                "clone https://example.com/owner/repo.git ref main timeout 5000\n"},
        {"https://example.com/owner/repo//base?version=v2&submodules=false",
                "clone https://example.com/owner/repo ref v2 no submodules timeout 27000\n"},
        {"git@example.com:owner/repo.git//base",
                "clone git@example.com:owner/repo.git ref - timeout 27000\n"},
        {"ssh://git@example.com/owner/repo.git",
                "clone ssh://git@example.com/owner/repo.git ref - timeout 27000\n"},
        {"https://example.com/org/project/_git/repo/base",
                "clone https://example.com/org/project/_git/repo ref - timeout 27000\n"},
};

START_TEST(remote_is_asked)
{
	struct remote remote = {.asked = FX_BUF_INIT};
	fx_auto(buf) struct fx_buf out = FX_BUF_INIT, text = FX_BUF_INIT;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_buf_addf(&text, "resources: ['%s']\n", urls[_i].entry);
	ck_assert_ok(build(&remote, fx_buf_str(&text), &out, &err), &err);
	/* What could be a file is asked for as one first. */
	const char *asked = fx_buf_str(&remote.asked);
	if (strncmp(asked, "get ", 4) == 0 && strchr(asked, '\n')[1])
		asked = strchr(asked, '\n') + 1;
	ck_assert_str_eq(asked, urls[_i].asked);
	fx_buf_release(&remote.asked);
}
END_TEST

START_TEST(without_a_remote_it_is_refused)
{
	fx_auto(buf) struct fx_buf out = FX_BUF_INIT, text = FX_BUF_INIT;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_buf_addf(&text, "resources: ['%s']\n", urls[_i].entry);
	ck_assert_int_lt(build(NULL, fx_buf_str(&text), &out, &err), 0);
	ck_assert_msg(strstr(fx_error_message(&err), "accumulating resources: accumulation err='") ==
	                      fx_error_message(&err),
	        "got '%s'", fx_error_message(&err));
	ck_assert_msg(strstr(fx_error_message(&err), "remote files are disabled") ||
	                      strstr(fx_error_message(&err), "no 'git' program on path"),
	        "got '%s'", fx_error_message(&err));
}
END_TEST

START_TEST(checkout_is_a_wall)
{
	struct remote remote = {.asked = FX_BUF_INIT};
	fx_auto(buf) struct fx_buf out = FX_BUF_INIT;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	ck_assert_int_lt(build(&remote, "resources: ['git@example.com:o/r.git//outside']\n", &out, &err), 0);
	/* Not even the local tree that asked: a checkout has files of its own only. */
	ck_assert_msg(strstr(fx_error_message(&err), "'/k'") != NULL, "got '%s'", fx_error_message(&err));
	fx_buf_release(&remote.asked);
}
END_TEST

START_TEST(patches_may_be_remote)
{
	struct remote remote = {.asked = FX_BUF_INIT};
	fx_auto(buf) struct fx_buf out = FX_BUF_INIT;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	ck_assert_ok(build(&remote,
	                     "resources: ['https://example.com/r.yaml']\n"
	                     "patches: [{path: 'https://example.com/patch.yaml'}]\n",
	                     &out, &err),
	        &err);
	ck_assert_str_eq(
	        fx_buf_str(&out), "apiVersion: v1\ndata:\n  a: b\nkind: ConfigMap\nmetadata:\n  name: cm\n");
	fx_buf_release(&remote.asked);
}
END_TEST

START_TEST(repo_cycle_is_found)
{
	struct remote remote = {.asked = FX_BUF_INIT};
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(fs) struct fx_fs *fs = fx_fs_new_memory();
	fx_auto(fs) struct fx_fs *checkout = fx_fs_new_memory();
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(0);
	struct fx_remote api = {.ctx = &remote, .get = get, .clone = clone};
	struct fx_build_options opts = {.remote = &api};
	struct fx_node *list;
	add(fs, "/k/kustomization.yaml", "resources: ['git@example.com:o/r.git']\n");
	add(checkout, "/kustomization.yaml", "resources: ['git@example.com:o/r.git']\n");
	remote.checkout = checkout;
	ck_assert_int_lt(fx_kustomize_build(fs, "/k", &opts, arena, &list, &err), 0);
	ck_assert_msg(strstr(fx_error_message(&err), "cycle detected: URI 'git@example.com:o/r.git'") != NULL,
	        "got '%s'", fx_error_message(&err));
	fx_buf_release(&remote.asked);
}
END_TEST

/* ---- other options of a build ---- */

static void note_problem(void *ctx, const char *dir, const char *message)
{
	fx_buf_addf(ctx, "%s: %.60s\n", dir, message);
}

START_TEST(all_problems_at_once)
{
	fx_auto(fs) struct fx_fs *fs = fx_fs_new_memory();
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(0);
	fx_auto(buf) struct fx_buf told = FX_BUF_INIT;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct fx_build_options opts = {.problem = note_problem, .problem_ctx = &told};
	struct fx_node *list;
	add(fs, "/k/kustomization.yaml",
	        "resources: [none.yaml, ../base, r.yaml]\nconfigMapGenerator: [{name: g, literals: "
	        "[bad]}]\n");
	add(fs, "/k/r.yaml", "just text\n");
	add(fs, "/base/kustomization.yaml", "resources: [gone.yaml]\n");
	ck_assert_int_lt(fx_kustomize_build(fs, "/k", &opts, arena, &list, &err), 0);
	ck_assert_str_eq(fx_buf_str(&told),
	        "/k: accumulating resources: accumulation err='accumulating resou\n"
	        "/base: accumulating resources: accumulation err='accumulating resou\n"
	        "/k: accumulating resources: accumulation err='accumulating resou\n"
	        "/k: loading KV pairs: literal sources [bad]: invalid literal sou\n");
	ck_assert_ptr_nonnull(strstr(fx_error_message(&err), "none.yaml"));
}
END_TEST

START_TEST(all_patches_that_fail)
{
	fx_auto(fs) struct fx_fs *fs = fx_fs_new_memory();
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(0);
	fx_auto(buf) struct fx_buf told = FX_BUF_INIT;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct fx_build_options opts = {.problem = note_problem, .problem_ctx = &told};
	struct fx_node *list;
	add(fs, "/kustomization.yaml",
	        "resources: [r.yaml]\npatches:\n- patch: '{kind: A, metadata: {name: x}}'\n"
	        "- target: {kind: ConfigMap}\n  patch: '[{\"op\": \"remove\", \"path\": \"/none\"}]'\n"
	        "- target: {kind: ConfigMap}\n  patch: '[{\"op\": \"add\", \"path\": \"/data\", \"value\": "
	        "{}}]'\n"
	        "replicas: [{name: none, count: 1}]\n");
	add(fs, "/r.yaml", CM);
	ck_assert_int_lt(fx_kustomize_build(fs, "/", &opts, arena, &list, &err), 0);
	int lines = 0;
	for (const char *s = fx_buf_str(&told); (s = strchr(s, '\n')); s++)
		lines++;
	ck_assert_msg(lines == 3, "expected 3 problems, got\n%s", fx_buf_str(&told));
}
END_TEST

/* Flux adds a schema to the built-in one where the command line replaces it. */
START_TEST(schema_adds_in_flux_mode)
{
	fx_auto(fs) struct fx_fs *fs = fx_fs_new_memory();
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct fx_build_options modes[2] = {{0}, fx_build_options_flux()};
	add(fs, "/kustomization.yaml",
	        "resources: [r.yaml]\nopenapi: {path: s.json}\npatches:\n- patch: '{apiVersion: v1, kind: "
	        "Pod, "
	        "metadata: {name: p}, spec: {containers: [{name: a, y: 2}]}}'\n");
	add(fs, "/s.json", "{\"definitions\": {}}");
	add(fs, "/r.yaml",
	        "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n"
	        "spec: {containers: [{name: a, x: 1}, {name: b}]}\n");
	for (int i = 0; i < 2; i++) {
		fx_auto(arena) struct fx_arena *arena = fx_arena_new(0);
		fx_auto(buf) struct fx_buf out = FX_BUF_INIT;
		struct fx_node *list;
		ck_assert_ok(fx_kustomize_build(fs, "/", &modes[i], arena, &list, &err), &err);
		ck_assert_ok(fx_kustomize_print(list, &out, &err), &err);
		bool merged = strstr(fx_buf_str(&out), "name: b") != NULL;
		ck_assert_msg(merged == (i == 1), "mode %d\n%s", i, fx_buf_str(&out));
	}
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("kustomize/remote");
	TCase *tc = tcase_create("remote");
	tcase_add_loop_test(tc, remote_is_asked, 0, (int)FX_COUNT(urls));
	tcase_add_loop_test(tc, without_a_remote_it_is_refused, 0, (int)FX_COUNT(urls));
	tcase_add_test(tc, checkout_is_a_wall);
	tcase_add_test(tc, patches_may_be_remote);
	tcase_add_test(tc, repo_cycle_is_found);
	suite_add_tcase(suite, tc);
	tc = tcase_create("options");
	tcase_add_test(tc, all_problems_at_once);
	tcase_add_test(tc, all_patches_that_fail);
	tcase_add_test(tc, schema_adds_in_flux_mode);
	suite_add_tcase(suite, tc);
	return suite;
}

FX_UNIT_MAIN(make_suite)
