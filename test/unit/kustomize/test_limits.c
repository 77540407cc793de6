#include "test/unit/unit.h"

#include "data/yaml.h"
#include "kustomize/kustomize.h"

#include <string.h>

/* Memory that no hostile input of this file may exceed. */
#define MEMORY_MAX ((size_t)512 * 1024 * 1024)

static int build_one(const struct fx_buf *resource, const char *kustomization, struct fx_error *err)
{
	fx_auto(fs) struct fx_fs *fs = fx_fs_new_memory();
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(MEMORY_MAX);
	fx_auto(buf) struct fx_buf out = FX_BUF_INIT;
	struct fx_node *list;
	ck_assert_int_eq(
	        fx_fs_memory_add(fs, "/kustomization.yaml", kustomization, strlen(kustomization), NULL), 0);
	ck_assert_int_eq(fx_fs_memory_add(fs, "/r.yaml", fx_buf_str(resource), resource->len, NULL), 0);
	int rc = fx_kustomize_build(fs, "/", NULL, arena, &list, err);
	return rc < 0 ? rc : fx_kustomize_print(list, &out, err);
}

static void add_head(struct fx_buf *b)
{
	fx_buf_add_str(b, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n");
}

/* Each level names the one before ten times: 10^12 nodes in 200 bytes. */
static void alias_bomb(struct fx_buf *b)
{
	add_head(b);
	fx_buf_add_str(b, "a0: &a0 [x, x]\n");
	for (int i = 1; i < 12; i++) {
		fx_buf_addf(b, "a%d: &a%d [", i, i);
		for (int k = 0; k < 10; k++)
			fx_buf_addf(b, "%s*a%d", k ? ", " : "", i - 1);
		fx_buf_add_str(b, "]\n");
	}
}

static void alias_to_itself(struct fx_buf *b)
{
	add_head(b);
	fx_buf_add_str(b, "a: &a [*a]\n");
}

static void merge_bomb(struct fx_buf *b)
{
	add_head(b);
	fx_buf_add_str(b, "a0: &a0 {x: 1}\n");
	for (int i = 1; i < 40; i++)
		fx_buf_addf(b, "a%d: &a%d {<<: [*a%d, *a%d], b%d: *a%d, c%d: *a%d}\n", i, i, i - 1, i - 1, i,
		        i - 1, i, i - 1);
}

static void deep_flow(struct fx_buf *b)
{
	add_head(b);
	fx_buf_add_str(b, "a: ");
	for (int i = 0; i < 100000; i++)
		fx_buf_add_str(b, "[");
}

static void deep_block(struct fx_buf *b)
{
	add_head(b);
	fx_buf_add_str(b, "a:\n");
	for (int i = 0; i < 12000; i++)
		fx_buf_addf(b, "%*s- \n", 1, "");
	fx_buf_add_str(b, "b: ");
	for (int i = 0; i < 20000; i++)
		fx_buf_add_str(b, "{a: ");
}

static const struct {
	const char *name;
	void (*make)(struct fx_buf *b);
} bombs[] = {
        {"aliases of aliases", alias_bomb},
        {"an alias to itself", alias_to_itself},
        {"merges of merges", merge_bomb},
        {"depth in flow style", deep_flow},
        {"depth in mixed style", deep_block},
};

START_TEST(bombs_end_in_an_error)
{
	fx_auto(buf) struct fx_buf text = FX_BUF_INIT;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	bombs[_i].make(&text);
	int rc = build_one(&text, "resources: [r.yaml]\n", &err);
	ck_assert_msg(rc < 0, "%s: built", bombs[_i].name);
	ck_assert_msg(*fx_error_message(&err), "%s: %s", bombs[_i].name, fx_error_message(&err));
}
END_TEST

START_TEST(giant_scalar_is_kept)
{
	fx_auto(buf) struct fx_buf text = FX_BUF_INIT;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	add_head(&text);
	fx_buf_add_str(&text, "data:\n  a: ");
	for (int i = 0; i < 20 * 1024 * 1024 / 64; i++)
		fx_buf_add_str(&text, "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
	fx_buf_add_str(&text, "\n");
	ck_assert_ok(build_one(&text, "resources: [r.yaml]\nnamePrefix: p-\n", &err), &err);
}
END_TEST

static void many(struct fx_buf *b, int n)
{
	for (int i = 0; i < n; i++)
		fx_buf_addf(
		        b, "%sapiVersion: v1\nkind: ConfigMap\nmetadata: {name: a%d}\n", i ? "---\n" : "", i);
}

START_TEST(resources_up_to_the_limit)
{
	fx_auto(buf) struct fx_buf text = FX_BUF_INIT, more = FX_BUF_INIT;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	many(&text, FX_KUSTOMIZE_MAX_RESOURCES);
	ck_assert_ok(build_one(&text, "resources: [r.yaml]\nnamePrefix: p-\n", &err), &err);
	many(&more, FX_KUSTOMIZE_MAX_RESOURCES + 1);
	ck_assert_int_lt(build_one(&more, "resources: [r.yaml]\nnamePrefix: p-\n", &err), 0);
	ck_assert_int_eq(err.code, FX_E_LIMIT);
}
END_TEST

START_TEST(memory_of_a_build_is_bounded)
{
	fx_auto(buf) struct fx_buf text = FX_BUF_INIT;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(fs) struct fx_fs *fs = fx_fs_new_memory();
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(1024 * 1024);
	struct fx_node *list;
	many(&text, 20000);
	ck_assert_int_eq(fx_fs_memory_add(fs, "/kustomization.yaml", "resources: [r.yaml]\n", 20, NULL), 0);
	ck_assert_int_eq(fx_fs_memory_add(fs, "/r.yaml", fx_buf_str(&text), text.len, NULL), 0);
	ck_assert_int_lt(fx_kustomize_build(fs, "/", NULL, arena, &list, &err), 0);
	ck_assert_int_eq(err.code, FX_E_NOMEM);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("kustomize/limits");
	TCase *tc = tcase_create("limits");
	tcase_set_timeout(tc, 180);
	tcase_add_loop_test(tc, bombs_end_in_an_error, 0, (int)FX_COUNT(bombs));
	tcase_add_test(tc, giant_scalar_is_kept);
	tcase_add_test(tc, resources_up_to_the_limit);
	tcase_add_test(tc, memory_of_a_build_is_bounded);
	suite_add_tcase(suite, tc);
	return suite;
}

FX_UNIT_MAIN(make_suite)
