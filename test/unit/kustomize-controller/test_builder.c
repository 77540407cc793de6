#include "kustomize-controller/builder.h"
#include "kustomize-controller/state.h"

#include "../unit.h"

#include <string.h>

#define CONFIG(name, value)                                                                                  \
	"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " name "}\ndata: {key: " value "}\n"

struct file {
	const char *path, *text;
};

/* A tree in memory; directories are listed from a table. */
struct tree {
	struct fx_fs *fs;
	const struct file *files;
	struct fx_tree_view view;
};

static int list(void *arg, const char *dir, struct fx_arena *arena, struct fx_ksfile_entry **out,
        size_t *count, struct fx_error *err)
{
	const struct tree *t = arg;
	size_t len = strcmp(dir, "/") ? strlen(dir) : 0, n = 0;
	struct fx_ksfile_entry *entries = fx_arena_alloc(arena, 16 * sizeof(*entries));
	(void)err;
	/* The files of the tests are sorted. */
	for (const struct file *f = t->files; f->path; f++) {
		if (strncmp(f->path, dir, len) != 0 || f->path[len] != '/')
			continue;
		const char *rest = f->path + len + 1, *slash = strchr(rest, '/');
		char *name = fx_arena_strndup(arena, rest, slash ? (size_t)(slash - rest) : strlen(rest));
		if (n && !strcmp(entries[n - 1].name, name))
			continue;
		entries[n++] = (struct fx_ksfile_entry){name, slash != NULL};
	}
	*out = entries;
	*count = n;
	return 0;
}

static void make_tree(struct tree *t, const struct file *files)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	*t = (struct tree){.fs = fx_fs_new_memory(), .files = files};
	for (const struct file *f = files; f->path; f++)
		ck_assert_ok(fx_fs_memory_add(t->fs, f->path, f->text, strlen(f->text), &err), &err);
	t->view = (struct fx_tree_view){.fs = t->fs, .list = list, .list_arg = t};
}

static int build(struct tree *t, const char *dir, const char *spec_text, struct fx_vars *vars,
        struct fx_build_output *out, struct fx_error *err)
{
	json_t *spec = json_loads(spec_text, 0, NULL);
	ck_assert_ptr_nonnull(spec);
	struct fx_build_input in = {.tree = &t->view, .dir = dir, .spec = spec, .vars = vars, .strict = true};
	int rc = fx_builder_build(&in, out, err);
	json_decref(spec);
	return rc;
}

static const char *name_of(const struct fx_build_output *out, size_t i)
{
	return fx_json_str_at(json_array_get(out->objects, i), "metadata", "name");
}

static const struct file plain[] = {{"/a.yaml", CONFIG("a", "1")}, {"/b.yml", CONFIG("b", "2")},
        {"/note.txt", "no: [yaml"}, {"/sub/kustomization.yaml", "resources: [s.yaml]\nnamePrefix: sub-\n"},
        {"/sub/s.yaml", CONFIG("s", "3")}, {NULL, NULL}};

START_TEST(test_generated_file)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_cleanup(fx_auto_build_output) struct fx_build_output out = FX_BUILD_OUTPUT_INIT;
	struct tree t;
	make_tree(&t, plain);
	ck_assert_ok(build(&t, "/", "{\"targetNamespace\":\"apps\"}", NULL, &out, &err), &err);
	ck_assert_uint_eq(json_array_size(out.objects), 3);
	ck_assert_str_eq(name_of(&out, 0), "a");
	ck_assert_str_eq(name_of(&out, 1), "b");
	ck_assert_str_eq(name_of(&out, 2), "sub-s");
	ck_assert_str_eq(fx_json_str_at(json_array_get(out.objects, 0), "metadata", "namespace"), "apps");
	ck_assert_int_eq(strncmp(out.digest, "sha256:", 7), 0);
	fx_fs_free(t.fs);
}
END_TEST

START_TEST(test_empty_directory)
{
	static const struct file empty[] = {{"/README.md", "nothing\n"}, {NULL, NULL}};
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_cleanup(fx_auto_build_output) struct fx_build_output out = FX_BUILD_OUTPUT_INIT;
	struct tree t;
	make_tree(&t, empty);
	ck_assert_ok(build(&t, "/", "{}", NULL, &out, &err), &err);
	ck_assert_uint_eq(json_array_size(out.objects), 0);
	fx_fs_free(t.fs);
}
END_TEST

static const struct file app[] = {
        {"/app/d.yaml", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {template: {spec: "
                        "{containers: [{name: c, image: \"img:1\"}]}}}\n"},
        {"/app/kustomization.yaml",
                "resources: [d.yaml]\nunknownField: 1\nimages: [{name: img, newTag: '2'}]\n"},
        {NULL, NULL}};

static const struct {
	const char *name, *spec, *image;
} images[] = {
        {"file", "{}", "img:2"},
        {"new tag", "{\"images\":[{\"name\":\"img\",\"newTag\":\"3\"}]}", "img:3"},
        {"new name", "{\"images\":[{\"name\":\"img\",\"newName\":\"other\"}]}", "other:2"},
        {"digest clears the tag", "{\"images\":[{\"name\":\"img\",\"digest\":\"sha256:1\"}]}",
                "img@sha256:1"},
};

START_TEST(test_images)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_cleanup(fx_auto_build_output) struct fx_build_output out = FX_BUILD_OUTPUT_INIT;
	struct tree t;
	make_tree(&t, app);
	ck_assert_ok(build(&t, "/app", images[_i].spec, NULL, &out, &err), &err);
	const json_t *containers =
	        fx_json_at(json_array_get(out.objects, 0), "spec", "template", "spec", "containers");
	ck_assert_str_eq(fx_json_str_at(json_array_get(containers, 0), "image"), images[_i].image);
	fx_fs_free(t.fs);
}
END_TEST

START_TEST(test_substitution_types)
{
	static const struct file files[] = {{"/a.yaml", "apiVersion: v1\nkind: Thing\nmetadata: {name: "
	                                                "a}\nspec:\n  n: ${n}\n  s: \"${s}\"\n  b: ${b}\n"},
	        {"/b.yaml", "apiVersion: v1\nkind: Thing\nmetadata: {name: b, annotations: "
	                    "{kustomize.toolkit.fluxcd.io/substitute: disabled}}\nspec: {s: \"${s}\"}\n"},
	        {NULL, NULL}};
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_cleanup(fx_auto_build_output) struct fx_build_output out = FX_BUILD_OUTPUT_INIT;
	fx_cleanup(fx_auto_vars) struct fx_vars vars = FX_VARS_INIT;
	struct tree t;
	make_tree(&t, files);
	ck_assert_ok(fx_vars_set(&vars, "n", "7", &err), &err);
	ck_assert_ok(fx_vars_set(&vars, "s", "li\nne", &err), &err);
	ck_assert_ok(fx_vars_set(&vars, "b", "yes", &err), &err);
	ck_assert_ok(build(&t, "/", "{\"postBuild\":{}}", &vars, &out, &err), &err);
	const json_t *spec = json_object_get(json_array_get(out.objects, 0), "spec");
	ck_assert_int_eq(json_integer_value(json_object_get(spec, "n")), 7);
	ck_assert_str_eq(fx_json_str_at(spec, "s"), "line");
	ck_assert(json_is_true(json_object_get(spec, "b")));
	ck_assert_str_eq(fx_json_str_at(json_array_get(out.objects, 1), "spec", "s"), "${s}");
	fx_fs_free(t.fs);
}
END_TEST

START_TEST(test_names_of_variables)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_cleanup(fx_auto_vars) struct fx_vars vars = FX_VARS_INIT;
	ck_assert_ok(fx_vars_set(&vars, "a-b", "secret", &err), &err);
	ck_assert_int_lt(fx_vars_check(&vars, &err), 0);
	ck_assert_ptr_nonnull(strstr(fx_error_message(&err), "'a-b' var name is invalid"));
	ck_assert_ptr_null(strstr(fx_error_message(&err), "secret"));
}
END_TEST

START_TEST(test_trace)
{
	static const struct file other[] = {{"/a.yaml", CONFIG("a", "1")}, {"/b.yml", CONFIG("b", "2")},
	        {"/note.txt", "changed"},
	        {"/sub/kustomization.yaml", "resources: [s.yaml]\nnamePrefix: sub-\n"},
	        {"/sub/s.yaml", CONFIG("s", "4")}, {NULL, NULL}};
	static const struct file more[] = {{"/a.yaml", CONFIG("a", "1")}, {"/b.yml", CONFIG("b", "2")},
	        {"/c.yaml", CONFIG("c", "3")}, {"/note.txt", "no: [yaml"},
	        {"/sub/kustomization.yaml", "resources: [s.yaml]\nnamePrefix: sub-\n"},
	        {"/sub/s.yaml", CONFIG("s", "3")}, {NULL, NULL}};
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_cleanup(fx_auto_build_output) struct fx_build_output all = FX_BUILD_OUTPUT_INIT,
	                                                        sub = FX_BUILD_OUTPUT_INIT;
	struct tree t, changed, added;
	make_tree(&t, plain);
	make_tree(&changed, other);
	make_tree(&added, more);
	ck_assert_ok(build(&t, "/", "{}", NULL, &all, &err), &err);
	ck_assert_ok(build(&t, "/sub", "{}", NULL, &sub, &err), &err);
	ck_assert(fx_trace_matches(all.trace, all.trace_len, &t.view));
	ck_assert(!fx_trace_matches(all.trace, all.trace_len, &changed.view));
	ck_assert(!fx_trace_matches(all.trace, all.trace_len, &added.view));
	/* A new file outside of what a build looks at does not matter to it, a changed one inside does. */
	ck_assert(fx_trace_matches(sub.trace, sub.trace_len, &added.view));
	ck_assert(!fx_trace_matches(sub.trace, sub.trace_len, &changed.view));
	fx_fs_free(t.fs);
	fx_fs_free(changed.fs);
	fx_fs_free(added.fs);
}
END_TEST

START_TEST(test_local_components)
{
	static const char *const remote[] = {"https://example.com/x", "HTTP://x", "git::x", "gh:x", "ssh://x",
	        "git@x:y", "github.com/x", "GitHub.com:x", "/abs", "file:///abs"};
	for (size_t i = 0; i < FX_COUNT(remote); i++)
		ck_assert_msg(!fx_ksfile_is_local(remote[i]), "%s", remote[i]);
	ck_assert(fx_ksfile_is_local("../components/a"));
}
END_TEST

START_TEST(test_pauses_of_fights)
{
	struct fx_applied a = {0};
	int64_t now = 1000, pause = 0;
	for (int i = 0; i < FX_FIGHT_FREE; i++)
		ck_assert_int_eq(fx_applied_pause_ms(&a, now++), 0);
	ck_assert_int_eq(fx_applied_pause_ms(&a, now++), FX_FIGHT_PAUSE_MIN_MS);
	ck_assert_int_eq(fx_applied_pause_ms(&a, now++), 2 * FX_FIGHT_PAUSE_MIN_MS);
	for (int i = 0; i < 100; i++)
		pause = fx_applied_pause_ms(&a, now++);
	ck_assert_int_eq(pause, FX_FIGHT_PAUSE_MAX_MS);
	ck_assert_int_eq(fx_applied_pause_ms(&a, now + FX_FIGHT_WINDOW_MS + 1), 0);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("builder");
	TCase *tc = tcase_create("builder");
	tcase_add_test(tc, test_generated_file);
	tcase_add_test(tc, test_empty_directory);
	tcase_add_loop_test(tc, test_images, 0, FX_COUNT(images));
	tcase_add_test(tc, test_substitution_types);
	tcase_add_test(tc, test_names_of_variables);
	tcase_add_test(tc, test_trace);
	tcase_add_test(tc, test_local_components);
	tcase_add_test(tc, test_pauses_of_fights);
	suite_add_tcase(suite, tc);
	return suite;
}

FX_UNIT_MAIN(make_suite)
