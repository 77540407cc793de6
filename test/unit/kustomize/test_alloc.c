#include "test/unit/unit.h"

#include "kustomize/kustomize.h"

#include <string.h>

/*
 * Each allocation of the engine's own code fails once, also under the address sanitizer, which then looks for
 * leaks: the calls are wrapped by the linker (--wrap), so those inside shared libraries are not counted.
 */
void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);

static long allocations, fail_at;

static bool refuse(void)
{
	return fail_at && ++allocations == fail_at;
}

void *__wrap_malloc(size_t size)
{
	return refuse() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return refuse() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	return refuse() ? NULL : __real_realloc(p, size);
}

static const char *const tree[][2] = {
        {"/base/kustomization.yaml",
                "resources: [r.yaml]\nconfigMapGenerator:\n- {name: gen, literals: [a=b], files: [f]}\n"
                "secretGenerator:\n- {name: sec, literals: [a=b]}\n"
                "vars: [{name: V, objref: {kind: Deployment, name: web, apiVersion: apps/v1}}]\n"},
        {"/base/f", "text\n"},
        {"/base/r.yaml",
                "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n"
                "    spec:\n      containers:\n      - {name: c, image: nginx, args: [$(V)], envFrom: "
                "[{configMapRef: {name: gen}}]}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: cm}\n"
                "data: {j: '{\"a\": [1]}', y: \"a:\\n  b: 1\\n\"}\n"},
        {"/over/kustomization.yaml",
                "resources: [../base]\nnamespace: prod\nnamePrefix: p-\nnameSuffix: -s\n"
                "labels: [{pairs: {t: a}, includeSelectors: true}]\ncommonAnnotations: {a: b}\n"
                "images: [{name: nginx, newTag: '1'}]\nreplicas: [{name: web, count: 3}]\n"
                "configurations: [c.yaml]\nopenapi: {path: s.json}\nbuildMetadata: [originAnnotations]\n"
                "patches:\n- target: {kind: 'D.*', labelSelector: 'a!=b'}\n  patch: '[{\"op\": \"add\", "
                "\"path\": \"/spec/paused\", \"value\": true}]'\n"
                "- patch: |\n    apiVersion: apps/v1\n    kind: Deployment\n    metadata: {name: web}\n"
                "    spec: {template: {spec: {containers: [{name: c, env: [{name: A, value: b}]}]}}}\n"
                "replacements:\n- source: {kind: Deployment, name: web, fieldPath: spec.replicas}\n"
                "  targets:\n  - {select: {kind: ConfigMap, name: cm}, fieldPaths: [data.j.a.0, data.y.a.b, "
                "data.n], options: {create: true}}\n"
                "transformers:\n- '{apiVersion: builtin, kind: AnnotationsTransformer, metadata: {name: x}, "
                "annotations: {c: d}, fieldSpecs: [{path: metadata/annotations, create: true}]}'\n"},
        {"/over/c.yaml", "namePrefix: [{path: spec/x}]\n"},
        {"/over/s.json", "{\"definitions\": {}, \"paths\": {}}"},
};

static int build(const struct fx_fs *fs, struct fx_error *err)
{
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(0);
	fx_auto(buf) struct fx_buf out = FX_BUF_INIT;
	struct fx_build_options opts = {.openapi = FX_OPENAPI_ADD};
	struct fx_node *list;
	if (!arena)
		return fx_fail_nomem(err);
	int rc = fx_kustomize_build(fs, "/over", &opts, arena, &list, err);
	return rc < 0 ? rc : fx_kustomize_print(list, &out, err);
}

START_TEST(each_allocation_fails_once)
{
	fx_auto(fs) struct fx_fs *fs = fx_fs_new_memory();
	fx_auto(error) struct fx_error first = FX_ERROR_INIT;
	for (size_t i = 0; i < FX_COUNT(tree); i++)
		ck_assert_int_eq(fx_fs_memory_add(fs, tree[i][0], tree[i][1], strlen(tree[i][1]), NULL), 0);
	ck_assert_ok(build(fs, &first), &first);
	for (long n = 1;; n++) {
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		allocations = 0;
		fail_at = n;
		int rc = build(fs, &err);
		fail_at = 0;
		ck_assert_msg(
		        rc == 0 || err.code == FX_E_NOMEM, "allocation %ld: %s", n, fx_error_message(&err));
		if (allocations < n) {
			ck_assert_int_eq(rc, 0);
			ck_assert_int_gt(n, 20);
			return;
		}
		ck_assert_msg(rc < 0, "allocation %ld failed and the build did not", n);
	}
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("kustomize/alloc");
	TCase *tc = tcase_create("alloc");
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, each_allocation_fails_once);
	suite_add_tcase(suite, tc);
	return suite;
}

FX_UNIT_MAIN(make_suite)
