/* source-controller and its disk: full, limited, changed behind its back. The object says so, the process
 * lives, the other objects go on, and all is well when there is room again. */
#include "test/integration/env_main.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define KIND "GitRepository"
/* The small disk, and what is too much for it. */
#define DISK "size=2m"
#define BIG (6 * 1024 * 1024)

static char small_head[41], big_head[41];
static char *disk; /* NULL: none could be mounted */

static void add_from(const char *name, const char *repository, struct fx_error *err)
{
	ck_assert_ok(fx_test_env_apply(&env, err,
	                     "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\n"
	                     "metadata: {name: %s}\n"
	                     "spec: {interval: 1h, url: %s/%s.git, ref: {branch: main}}\n",
	                     name, env.git.url, repository),
	        err);
}

static void add(const char *name, struct fx_error *err)
{
	add_from(name, name, err);
}

static void expect(
        const char *name, const char *status, const char *reason, const char *message, const char *revision)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_test_ref ref = {KIND, name, NULL};
	ck_assert_ok(
	        fx_test_env_wait_condition(&env, &ref,
	                &(struct fx_test_condition){
	                        .status = status, .reason = reason, .message = message, .revision = revision},
	                0, NULL, &err),
	        &err);
}

/* Asks for a run and waits until it has ended well. */
static void expect_run(const char *name, const char *revision)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_test_ref ref = {KIND, name, NULL};
	char token[FX_TEST_TOKEN];
	ck_assert_ok(fx_test_env_reconcile(&env, &ref, token, &err), &err);
	ck_assert_ok(
	        fx_test_env_wait_condition(&env, &ref,
	                &(struct fx_test_condition){.status = "True", .revision = revision, .handled = token},
	                0, NULL, &err),
	        &err);
}

static void remove_object(const char *name)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_test_ref ref = {KIND, name, NULL};
	ck_assert_ok(fx_test_env_delete(&env, &ref, &err), &err);
	ck_assert_ok(fx_test_env_wait_gone(&env, &ref, 0, &err), &err);
}

static void setup(void)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	char *noise = malloc(BIG + 1);
	ck_assert_ptr_nonnull(noise);
	for (size_t i = 0; i < BIG; i++)
		noise[i] = (char)('!' + random() % 90);
	noise[BIG] = '\0';
	const struct fx_test_file small_files[] = {{"a.yaml", "a: 1\n"}, {NULL, NULL}};
	const struct fx_test_file big_files[] = {{"noise.txt", noise}, {NULL, NULL}};
	ck_assert_ok(fx_test_git_create(&env.git, "small", &err), &err);
	ck_assert_ok(fx_test_git_create(&env.git, "big", &err), &err);
	ck_assert_ok(fx_test_git_commit(&env.git, "small", "main", "s", small_files, small_head, &err), &err);
	ck_assert_ok(fx_test_git_commit(&env.git, "big", "main", "b", big_files, big_head, &err), &err);
	free(noise);
	if (asprintf(&disk, "%s/disk", env.dir) < 0 || mkdir(disk, 0700) < 0 ||
	        mount("tmpfs", disk, "tmpfs", MS_NOSUID | MS_NODEV, DISK) < 0)
		disk = NULL;
}

static void teardown(void)
{
	if (disk)
		umount2(disk, MNT_DETACH);
}

/* What a sanitizer keeps in the controller's temporary folder takes room too. */
static unsigned long disk_used_kb(void)
{
	struct statvfs now;
	ck_assert_int_eq(statvfs(disk, &now), 0);
	return (unsigned long)((now.f_blocks - now.f_bfree) * now.f_frsize / 1024);
}

static void resize_disk(unsigned long kb)
{
	char size[32];
	snprintf(size, sizeof(size), "size=%luk", kb);
	ck_assert_int_eq(mount("tmpfs", disk, "tmpfs", MS_REMOUNT | MS_NOSUID | MS_NODEV, size), 0);
}

/* Runs it with other arguments before the program's name. */
static void start(const char *const *wrapper, const char *const *args)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	if (env.source.process.pid)
		ck_assert_ok(fx_test_controller_stop(&env.source, &err), &err);
	env.source.wrapper = wrapper;
	env.source.args = args;
	ck_assert_ok(fx_test_controller_start(&env, &env.source, &err), &err);
}

static const char *const usual_args[] = {"--min-retry-delay=200ms", "--max-retry-delay=500ms", NULL};

START_TEST(temporary_folder_is_full)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	char tmp[300];
	if (!disk)
		return;
	snprintf(tmp, sizeof(tmp), "TMPDIR=%s", disk);
	start((const char *const[]){"env", tmp, NULL}, usual_args);
	const unsigned long used_kb = disk_used_kb();
	/* Full at another place of a page, of a block and of what is written at once. */
	for (int pages = 0; pages < 4; pages++) {
		char name[32];
		snprintf(name, sizeof(name), "big-%d", pages);
		resize_disk(used_kb + 300 + 4 * (unsigned long)pages);
		add_from(name, "big", &err);
		expect(name, "False", "GitOperationFailed", "cannot write the pack", NULL);
		remove_object(name);
	}
	add("big", &err);
	expect("big", "False", "GitOperationFailed", "cannot write the pack", NULL);
	add("small", &err);
	expect("small", "True", NULL, NULL, small_head);
	start(NULL, usual_args);
	expect("big", "True", NULL, NULL, big_head);
	remove_object("big");
	remove_object("small");
}
END_TEST

START_TEST(no_temporary_folder)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_test_ref ref = {KIND, "small", NULL};
	start((const char *const[]){"env", "TMPDIR=/does/not/exist", NULL}, usual_args);
	add("small", &err);
	expect("small", "False", "DirectoryCreationFailed", "failed to create temporary working directory",
	        NULL);
	ck_assert_ok(fx_test_env_wait_condition(&env, &ref,
	                     &(struct fx_test_condition){.type = "StorageOperationFailed",
	                             .status = "True",
	                             .reason = "DirectoryCreationFailed"},
	                     0, NULL, &err),
	        &err);
	start(NULL, usual_args);
	expect("small", "True", NULL, NULL, small_head);
	remove_object("small");
}
END_TEST

START_TEST(storage_is_full)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	char path[300];
	if (!disk)
		return;
	snprintf(path, sizeof(path), "--storage-path=%s", disk);
	start(NULL, (const char *const[]){"--min-retry-delay=200ms", "--max-retry-delay=500ms", path, NULL});
	add("big", &err);
	expect("big", "False", "ArchiveOperationFailed", "No space left on device", NULL);
	add("small", &err);
	expect("small", "True", NULL, NULL, small_head);
	resize_disk(64 * 1024);
	expect("big", "True", NULL, NULL, big_head);
	remove_object("big");
	remove_object("small");
}
END_TEST

START_TEST(files_are_limited)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	start((const char *const[]){"prlimit", "--fsize=2000000", NULL}, usual_args);
	add("big", &err);
	expect("big", "False", NULL, "File too large", NULL);
	add("small", &err);
	expect("small", "True", NULL, NULL, small_head);
	start(NULL, usual_args);
	expect("big", "True", NULL, NULL, big_head);
	remove_object("big");
	remove_object("small");
}
END_TEST

static void write_over(const char *path, const char *text)
{
	fx_auto(fd) int fd = open(path, O_WRONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pwrite(fd, text, strlen(text), 20), strlen(text));
}

START_TEST(artifact_is_changed)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(json) json_t *object = NULL;
	const struct fx_test_ref ref = {KIND, "small", NULL};
	fx_autofree char *path = NULL;
	start(NULL, usual_args);
	add("small", &err);
	expect("small", "True", NULL, NULL, small_head);
	ck_assert_ok(fx_test_env_get(&env, &ref, &object, &err), &err);
	ck_assert_int_gt(
	        asprintf(&path, "%s/%s", env.storage, fx_json_str_at(object, "status", "artifact", "path")),
	        0);
	fx_auto(buf) struct fx_buf before = FX_BUF_INIT, after = FX_BUF_INIT, again = FX_BUF_INIT;
	const char *stored = fx_json_str_at(object, "status", "artifact", "path");
	ck_assert_ok(fx_test_env_download(&env, env.source.port, stored, &before, &err), &err);

	write_over(path, "tampered");
	expect_run("small", small_head);
	ck_assert_ok(fx_test_env_wait_event(&env, &ref, "ArtifactVerificationFailed", NULL, 0, &err), &err);
	ck_assert_ok(fx_test_env_download(&env, env.source.port, stored, &after, &err), &err);
	ck_assert(after.len == before.len && memcmp(after.data, before.data, after.len) == 0);

	ck_assert_int_eq(unlink(path), 0);
	expect_run("small", small_head);
	ck_assert_ok(fx_test_env_download(&env, env.source.port, stored, &again, &err), &err);
	ck_assert(again.len == before.len && memcmp(again.data, before.data, again.len) == 0);
	remove_object("small");
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("disk of source-controller");
	TCase *tc = tcase_create("disk");
	tcase_add_unchecked_fixture(tc, setup, teardown);
	tcase_add_test(tc, no_temporary_folder);
	tcase_add_test(tc, temporary_folder_is_full);
	tcase_add_test(tc, files_are_limited);
	tcase_add_test(tc, artifact_is_changed);
	tcase_add_test(tc, storage_is_full);
	suite_add_tcase(suite, tc);
	return suite;
}

static const struct fx_test_env_options options = {.idle = true};

FX_ENV_MAIN(make_suite, &options)
