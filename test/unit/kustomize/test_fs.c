#include "test/unit/unit.h"

#include "kustomize/fs.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

static char top[64];
static struct fx_fs *fs;

static void write_file(const char *name, const char *text)
{
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/%s", top, name);
	FILE *f = fopen(path, "we");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

static void link_to(const char *target, const char *name)
{
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/%s", top, name);
	ck_assert_int_eq(symlink(target, path), 0);
}

static void make_dir(const char *name)
{
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/%s", top, name);
	ck_assert_int_eq(mkdir(path, 0700), 0);
}

/* TOP/root is the tree; TOP/secret and TOP/rootless lie outside it. */
static void setup(void)
{
	char path[PATH_MAX], inside[PATH_MAX];
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	snprintf(top, sizeof(top), "/tmp/fx-fs-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(top));
	make_dir("root");
	make_dir("root/sub");
	make_dir("rootless");
	write_file("secret", "secret");
	write_file("rootless/x", "secret");
	write_file("root/file", "text");
	link_to("../secret", "root/up");
	link_to("/etc/passwd", "root/absolute");
	link_to("../rootless", "root/sibling");
	link_to("../file", "root/sub/inside");
	snprintf(inside, sizeof(inside), "%s/root/file", top);
	link_to(inside, "root/sub/inside-absolute");
	link_to("loop", "root/loop");
	snprintf(path, sizeof(path), "%s/root/pipe", top);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	snprintf(path, sizeof(path), "%s/root", top);
	ck_assert_ok(fx_fs_new_disk(path, &fs, &err), &err);
}

static void teardown(void)
{
	char command[128];
	fx_fs_free(fs);
	snprintf(command, sizeof(command), "rm -rf %s", top);
	ck_assert_int_eq(system(command), 0);
}

static const struct {
	const char *name, *path; /* below TOP */
	const char *text;        /* what is read, or */
	enum fx_error_code code; /* why not */
} reads[] = {
        {"a file", "root/file", "text", 0},
        {"a link inside", "root/sub/inside", "text", 0},
        {"an absolute link inside", "root/sub/inside-absolute", "text", 0},
        {"a link upwards", "root/up", NULL, FX_E_FORBIDDEN},
        {"an absolute link", "root/absolute", NULL, FX_E_FORBIDDEN},
        {"a path outside", "secret", NULL, FX_E_FORBIDDEN},
        {"dots that lead outside", "root/../secret", NULL, FX_E_FORBIDDEN},
        {"a sibling with the root's name in front", "root/sibling/x", NULL, FX_E_FORBIDDEN},
        {"a missing file", "root/none", NULL, FX_E_NOT_FOUND},
        {"a link to itself", "root/loop", NULL, FX_E_IO},
        {"a directory", "root/sub", NULL, FX_E_INVALID},
        {"a pipe", "root/pipe", NULL, FX_E_INVALID},
};

START_TEST(root_is_a_wall)
{
	char path[PATH_MAX];
	const char *data;
	size_t len;
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(0);
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	snprintf(path, sizeof(path), "%s/%s", top, reads[_i].path);
	int rc = fs->ops->read(fs, path, arena, &data, &len, &err);
	if (reads[_i].text) {
		ck_assert_ok(rc, &err);
		ck_assert_str_eq(data, reads[_i].text);
		return;
	}
	ck_assert_msg(rc < 0, "%s: read", reads[_i].name);
	ck_assert_msg(err.code == reads[_i].code, "%s: expected %d, got %d (%s)", reads[_i].name,
	        reads[_i].code, err.code, fx_error_message(&err));
	ck_assert_ptr_null(strstr(fx_error_message(&err), "root:x:"));
}
END_TEST

static const struct {
	const char *dir, *rel, *joined;
} joins[] = {
        {"/a/b", "c", "/a/b/c"},
        {"/a/b", "../c", "/a/c"},
        {"/a", "../../../c", "/c"},
        {"/a/b", "./c//d/.", "/a/b/c/d"},
        {"/a", "/c/../d", "/d"},
        {"/", "a", "/a"},
        {"/a", "", "/a"},
};

START_TEST(paths_are_joined)
{
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(0);
	ck_assert_str_eq(fx_path_join(arena, joins[_i].dir, joins[_i].rel), joins[_i].joined);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("kustomize/fs");
	TCase *tc = tcase_create("disk");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, root_is_a_wall, 0, (int)FX_COUNT(reads));
	suite_add_tcase(suite, tc);
	tc = tcase_create("paths");
	tcase_add_loop_test(tc, paths_are_joined, 0, (int)FX_COUNT(joins));
	suite_add_tcase(suite, tc);
	return suite;
}

FX_UNIT_MAIN(make_suite)
