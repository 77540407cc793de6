#include "test/unit/fail_alloc.h"
#include "test/unit/unit.h"

#include "kustomize/kustomize.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <string.h>

/* ---- trees ---- */

static const char *const small_tree[][2] = {
        {"/base/kustomization.yaml",
                "resources: [r.yaml]\nconfigMapGenerator:\n- {name: gen, literals: [a=b]}\n"},
        {"/base/r.yaml", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n "
                         "   spec:\n"
                         "      containers:\n      - name: c\n        image: nginx\n        envFrom:\n"
                         "        - configMapRef: {name: gen}\n"},
        {"/over/kustomization.yaml",
                "resources: [../base]\nnamespace: prod\nnamePrefix: p-\nlabels:\n- {pairs: {t: a}, "
                "includeSelectors: true}\n"
                "images: [{name: nginx, newTag: '1'}]\npatches:\n"
                "- {target: {kind: 'D.*'}, patch: "
                "'[{\"op\":\"add\",\"path\":\"/spec/replicas\",\"value\":3}]'}\n"
                "- patch: |\n    apiVersion: apps/v1\n    kind: Deployment\n    metadata: {name: web}\n    "
                "spec: {paused: true}\n"
                "replacements:\n- source: {kind: Deployment, name: web, fieldPath: spec.replicas}\n  "
                "targets:\n"
                "  - {select: {kind: ConfigMap}, fieldPaths: [data.n], options: {create: true}}\n"},
};

static const char small_output[] = "apiVersion: v1\ndata:\n  a: b\n  \"n\": 3\nkind: ConfigMap\nmetadata:\n  "
                                   "labels:\n    t: a\n  name: p-gen-%s\n"
                                   "  namespace: prod\n---\n";

static struct fx_fs *make_tree(const char *const (*files)[2], size_t n)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct fx_fs *fs = fx_fs_new_memory();
	for (size_t i = 0; i < n; i++)
		ck_assert_ok(fx_fs_memory_add(fs, files[i][0], files[i][1], strlen(files[i][1]), &err), &err);
	return fs;
}

static int build(const struct fx_fs *fs, const char *path, struct fx_buf *out, struct fx_error *err)
{
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(0);
	struct fx_node *resources;
	if (!arena)
		return fx_fail_nomem(err);
	int rc = fx_kustomize_build(fs, path, NULL, arena, &resources, err);
	return rc < 0 ? rc : fx_kustomize_print(resources, out, err);
}

START_TEST(builds_an_overlay)
{
	fx_auto(fs) struct fx_fs *fs = make_tree(small_tree, FX_COUNT(small_tree));
	fx_auto(buf) struct fx_buf out = FX_BUF_INIT;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	ck_assert_ok(build(fs, "/over", &out, &err), &err);
	const char *name = strstr(fx_buf_str(&out), "name: p-gen-");
	ck_assert_ptr_nonnull(name);
	char want[1000], suffix[11] = "";
	memcpy(suffix, name + strlen("name: p-gen-"), 10);
	snprintf(want, sizeof(want), small_output, suffix);
	ck_assert_msg(strncmp(fx_buf_str(&out), want, strlen(want)) == 0, "expected\n%s\ngot\n%s", want,
	        fx_buf_str(&out));
	/* The reference follows the generated name. */
	snprintf(want, sizeof(want), "            name: p-gen-%s\n", suffix);
	ck_assert_ptr_nonnull(strstr(fx_buf_str(&out), want));
}
END_TEST

/* Every allocation of a build fails once: an error, no crash, no leak. */
START_TEST(survives_failing_allocations)
{
#ifndef SANITIZED
	fx_auto(fs) struct fx_fs *fs = make_tree(small_tree, FX_COUNT(small_tree));
	long n = 1;
	/* libcrypto sets itself up at its first use and keeps that. */
	fx_auto(buf) struct fx_buf first = FX_BUF_INIT;
	ck_assert_int_eq(build(fs, "/over", &first, NULL), 0);
	for (;; n++) {
		struct fx_buf out = FX_BUF_INIT;
		struct fx_error err = FX_ERROR_INIT;
		OPENSSL_thread_stop();
		allocations = live = 0;
		fail_at = n;
		counting = true;
		int rc = build(fs, "/over", &out, &err);
		enum fx_error_code code = err.code;
		char message[200];
		snprintf(message, sizeof(message), "%s", fx_error_message(&err));
		fx_buf_release(&out);
		fx_error_release(&err);
		/* libcrypto's error queue of this thread. */
		OPENSSL_thread_stop();
		counting = false;
		ck_assert_msg(live == 0, "allocation %ld: %ld blocks leaked (rc %d of %ld)", n, live, rc,
		        allocations);
		ck_assert_msg(rc == 0 || code == FX_E_NOMEM, "allocation %ld: %s", n, message);
		if (allocations < n)
			break;
	}
	ck_assert_int_gt(n, 20);
#endif
}
END_TEST

static const struct {
	const char *name;
	const char *files[4][2];
	const char *text; /* part of the message */
} failures[] = {
        {"no kustomization", {{"/over/x", ""}}, "unable to find one of 'kustomization.yaml'"},
        {"unknown field", {{"/over/kustomization.yaml", "foo: bar\n"}}, "json: unknown field \"foo\""},
        {"wrong type", {{"/over/kustomization.yaml", "namePrefix: 12\n"}},
                "cannot unmarshal number into Go struct field Kustomization.namePrefix of type string"},
        {"empty", {{"/over/kustomization.yaml", "resources:\n"}}, "kustomization.yaml is empty"},
        {"missing file", {{"/over/kustomization.yaml", "resources: [x.yaml]\n"}},
                "accumulating resources: accumulation err='accumulating resources from 'x.yaml'"},
        {"file outside the root",
                {{"/over/kustomization.yaml", "resources: [../r.yaml]\n"}, {"/r.yaml", "kind: X\n"}},
                "security; file '/r.yaml' is not in or below '/over'"},
        {"cycle",
                {{"/over/kustomization.yaml", "resources: [../b]\n"},
                        {"/b/kustomization.yaml", "resources: [../over]\n"}},
                "cycle detected: candidate root '/over' contains visited root '/over'"},
        {"helm", {{"/over/kustomization.yaml", "helmCharts: [{name: x}]\n"}}, "must specify --enable-helm"},
        {"remote base", {{"/over/kustomization.yaml", "resources: ['https://example.com/a/b?ref=v1']\n"}},
                "example.com"},
        {"bad expression",
                {{"/over/kustomization.yaml",
                         "resources: [r.yaml]\npatches:\n- {target: {name: '('}, patch: '[]'}\n"},
                        {"/over/r.yaml", "kind: X\nmetadata: {name: x}\n"}},
                NULL},
        {"id twice",
                {{"/over/kustomization.yaml", "resources: [r.yaml, s.yaml]\n"},
                        {"/over/r.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"},
                        {"/over/s.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, namespace: "
                                         "default}\n"}},
                "may not add resource with an already registered id: ConfigMap.v1.[noGrp]/x.default"},
};

START_TEST(fails_with_a_message)
{
	size_t n = 0;
	while (n < 4 && failures[_i].files[n][0])
		n++;
	fx_auto(fs) struct fx_fs *fs = make_tree(failures[_i].files, n);
	fx_auto(buf) struct fx_buf out = FX_BUF_INIT;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	int rc = build(fs, "/over", &out, &err);
	if (!failures[_i].text)
		return;
	ck_assert_msg(rc < 0, "%s: built", failures[_i].name);
	ck_assert_msg(strstr(fx_error_message(&err), failures[_i].text) != NULL, "%s: expected '%s' in '%s'",
	        failures[_i].name, failures[_i].text, fx_error_message(&err));
}
END_TEST

/* A diamond of each level over the next doubles the work each time. */
START_TEST(base_bomb_ends_in_a_limit)
{
	fx_auto(fs) struct fx_fs *fs = fx_fs_new_memory();
	fx_auto(buf) struct fx_buf out = FX_BUF_INIT;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	char path[64], text[128];
	for (int i = 0; i < 24; i++) {
		snprintf(path, sizeof(path), "/d%d/kustomization.yaml", i);
		snprintf(text, sizeof(text), "resources: [../d%d, ../d%d]\n", i + 1, i + 1);
		if (i == 23)
			snprintf(text, sizeof(text), "resources: []\n");
		ck_assert_ok(fx_fs_memory_add(fs, path, text, strlen(text), &err), &err);
	}
	ck_assert_int_lt(build(fs, "/d0", &out, &err), 0);
	ck_assert_int_eq(err.code, FX_E_LIMIT);
}
END_TEST

/* A schema of one build is not seen by the next. */
START_TEST(builds_are_isolated)
{
	static const char *const tree[][2] = {
	        {"/a/kustomization.yaml", "resources: [r.yaml]\nopenapi: {path: s.json}\nnamespace: ns\n"},
	        {"/a/s.json", "{\"definitions\": {}, \"paths\": {\"/apis/x/v1/foos\": {\"get\": "
	                      "{\"x-kubernetes-group-version-kind\":"
	                      " {\"group\": \"x\", \"version\": \"v1\", \"kind\": \"Foo\"}}}}}"},
	        {"/a/r.yaml", "apiVersion: x/v1\nkind: Foo\nmetadata: {name: f}\n"},
	        {"/b/kustomization.yaml", "resources: [r.yaml]\nnamespace: ns\n"},
	        {"/b/r.yaml", "apiVersion: x/v1\nkind: Foo\nmetadata: {name: f}\n"},
	};
	fx_auto(fs) struct fx_fs *fs = make_tree(tree, FX_COUNT(tree));
	fx_auto(buf) struct fx_buf a = FX_BUF_INIT;
	fx_auto(buf) struct fx_buf b = FX_BUF_INIT;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	ck_assert_ok(build(fs, "/a", &a, &err), &err);
	ck_assert_ok(build(fs, "/b", &b, &err), &err);
	ck_assert_str_eq(fx_buf_str(&a), "apiVersion: x/v1\nkind: Foo\nmetadata:\n  name: f\n");
	ck_assert_str_eq(
	        fx_buf_str(&b), "apiVersion: x/v1\nkind: Foo\nmetadata:\n  name: f\n  namespace: ns\n");
}
END_TEST

struct job {
	const struct fx_fs *fs;
	struct fx_buf out;
	int rc;
};

static void *run_job(void *arg)
{
	struct job *job = arg;
	for (int i = 0; i < 20 && job->rc == 0; i++) {
		fx_buf_clear(&job->out);
		job->rc = build(job->fs, "/over", &job->out, NULL);
	}
	return NULL;
}

START_TEST(builds_run_at_once)
{
	fx_auto(fs) struct fx_fs *fs = make_tree(small_tree, FX_COUNT(small_tree));
	struct job jobs[4] = {{0}};
	pthread_t threads[4];
	for (int i = 0; i < 4; i++) {
		jobs[i].fs = fs;
		ck_assert_int_eq(pthread_create(&threads[i], NULL, run_job, &jobs[i]), 0);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		ck_assert_int_eq(jobs[i].rc, 0);
		ck_assert_str_eq(fx_buf_str(&jobs[i].out), fx_buf_str(&jobs[0].out));
	}
	for (int i = 0; i < 4; i++)
		fx_buf_release(&jobs[i].out);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("kustomize");
	TCase *tc = tcase_create("build");
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, builds_an_overlay);
	tcase_add_test(tc, survives_failing_allocations);
	tcase_add_loop_test(tc, fails_with_a_message, 0, (int)FX_COUNT(failures));
	tcase_add_test(tc, base_bomb_ends_in_a_limit);
	tcase_add_test(tc, builds_are_isolated);
	tcase_add_test(tc, builds_run_at_once);
	suite_add_tcase(suite, tc);
	return suite;
}

FX_UNIT_MAIN(make_suite)
