/* The artifact storage: names it gives out, locks, modes, and how much one collection takes on. */
#include "../unit.h"
#include "artifact/store.h"
#include "core/clock.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

static char dir[64];

static void make_dir(void)
{
	snprintf(dir, sizeof(dir), "/tmp/fx-store-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void remove_dir(void)
{
	char command[128];
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static struct fx_store *make_store(const char *addr, const char *adv_addr)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct fx_store *store = NULL;
	const struct fx_store_options options = {.path = dir,
	        .addr = addr,
	        .adv_addr = adv_addr,
	        .retention_ttl_ms = 60000,
	        .retention_records = 2,
	        .algo = FX_DIGEST_SHA256};
	ck_assert_ok(fx_store_new(&options, &store, &err), &err);
	return store;
}

START_TEST(addresses)
{
	char own[256] = "", own_port[300];
	gethostname(own, sizeof(own) - 1);
	snprintf(own_port, sizeof(own_port), "http://%s:9090/k/f", own);
	const struct {
		const char *addr, *adv_addr, *hostname, *url; /* hostname: of the environment */
	} cases[] = {
	        {":9090", "", NULL, "http://localhost:9090/k/f"},
	        {":9090", NULL, NULL, "http://localhost:9090/k/f"},
	        {"10.0.0.1:80", "", "pod-1", "http://10.0.0.1:80/k/f"},
	        {"0.0.0.0:9090", "", "pod-1", "http://pod-1:9090/k/f"},
	        {"0.0.0.0:9090", "", NULL, own_port},
	        {"0.0.0.0:9090", "", "", own_port},
	        {":9090", "source.ns.svc.", "pod-1", "http://source.ns.svc./k/f"},
	        {":9090", "http://h:1", NULL, "http://h:1/k/f"},
	        {":9090", "https://h/x", NULL, "https://h/x/k/f"},
	};
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		if (cases[i].hostname)
			setenv("HOSTNAME", cases[i].hostname, 1);
		else
			unsetenv("HOSTNAME");
		fx_auto(store) struct fx_store *store = make_store(cases[i].addr, cases[i].adv_addr);
		fx_autofree char *url = fx_store_url(store, "k/f");
		ck_assert_msg(strcmp(url, cases[i].url) == 0, "%zu: %s, want %s", i, url, cases[i].url);
	}
}
END_TEST

static void put_file(struct fx_store *store, const char *path, const char *text, int age_s)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(store_file) struct fx_store_file *file = NULL;
	struct fx_digest digest;
	struct timespec times[2] = {{.tv_sec = fx_wall_ns() / 1000000000 - age_s}};
	times[1] = times[0];
	ck_assert_ok(fx_store_create(store, path, &file, &err), &err);
	ck_assert_int_eq(write(fx_store_file_fd(file), text, strlen(text)), (ssize_t)strlen(text));
	ck_assert_ok(fx_digest_bytes(FX_DIGEST_SHA256, text, strlen(text), &digest, &err), &err);
	ck_assert_int_eq(futimens(fx_store_file_fd(file), times), 0);
	ck_assert_ok(fx_store_file_commit(file, &digest, &err), &err);
}

static char *full_path(const char *path)
{
	char *out = NULL;
	ck_assert_int_gt(asprintf(&out, "%s/%s", dir, path), 0);
	return out;
}

static mode_t mode_of(const char *path)
{
	struct stat st = {0};
	fx_autofree char *full = full_path(path);
	return lstat(full, &st) == 0 ? st.st_mode : 0;
}

/* Whoever reads sees the old file or the new one, and only we may read it on disk. */
START_TEST(replaced_as_a_whole)
{
	fx_auto(store) struct fx_store *store = make_store(":9090", NULL);
	fx_auto(store_file) struct fx_store_file *file = NULL;
	struct fx_digest digest;
	char text[16] = "";
	ck_assert_ok(fx_store_make_dir(store, "k/ns/name", NULL), NULL);
	put_file(store, "k/ns/name/f", "old", 0);
	ck_assert_int_eq(mode_of("k/ns/name") & 07777, 0700);
	ck_assert_int_eq(mode_of("k/ns/name/f") & 07777, 0600);
	ck_assert_ok(fx_store_create(store, "k/ns/name/f", &file, NULL), NULL);
	ck_assert_int_eq(write(fx_store_file_fd(file), "newer", 5), 5);
	fx_auto(fd) int before = fx_store_open(store, "k/ns/name/f", O_RDONLY);
	ck_assert_int_eq(read(before, text, sizeof(text)), 3);
	ck_assert_ok(fx_digest_bytes(FX_DIGEST_SHA256, "newer", 5, &digest, NULL), NULL);
	ck_assert_ok(fx_store_file_commit(file, &digest, NULL), NULL);
	fx_auto(fd) int after = fx_store_open(store, "k/ns/name/f", O_RDONLY);
	ck_assert_int_eq(read(after, text, sizeof(text)), 5);
	ck_assert_int_eq(mode_of("k/ns/name/f") & 07777, 0600);
}
END_TEST

START_TEST(locks)
{
	fx_auto(store) struct fx_store *store = make_store(":9090", NULL);
	ck_assert_ok(fx_store_make_dir(store, "k/ns/name", NULL), NULL);
	fx_autofree char *path = full_path("k/ns/name/f.lock");
	fx_auto(fd) int lock = -1;
	ck_assert_ok(fx_store_lock(store, "k/ns/name/f", &lock, NULL), NULL);
	fx_auto(fd) int other = open(path, O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(other, 0);
	ck_assert_int_ne(flock(other, LOCK_EX | LOCK_NB), 0);
	close(fx_take_fd(&lock));
	ck_assert_int_eq(flock(other, LOCK_EX | LOCK_NB), 0);
	/* The file itself stays. */
	ck_assert_int_eq(access(path, F_OK), 0);
}
END_TEST

/* Locks go with their artifacts; links and locks of others are no artifacts. */
START_TEST(collection_and_locks)
{
	fx_auto(store) struct fx_store *store = make_store(":9090", NULL);
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	size_t removed = 0;
	ck_assert_ok(fx_store_make_dir(store, "k/ns/name", NULL), NULL);
	put_file(store, "k/ns/name/old", "x", 500);
	put_file(store, "k/ns/name/old.lock", "", 500);
	put_file(store, "k/ns/name/now", "x", 500);
	put_file(store, "k/ns/name/now.lock", "", 500);
	put_file(store, "k/ns/name/alone.lock", "", 500);
	fx_autofree char *link = full_path("k/ns/name/latest");
	ck_assert_int_eq(symlink("old", link), 0);
	ck_assert_ok(fx_store_collect(store, "k/ns/name/now", &removed, &err), &err);
	ck_assert_uint_eq(removed, 1);
	static const char *const gone[] = {"k/ns/name/old", "k/ns/name/old.lock"};
	static const char *const left[] = {
	        "k/ns/name/now", "k/ns/name/now.lock", "k/ns/name/alone.lock", "k/ns/name/latest"};
	for (size_t i = 0; i < FX_COUNT(gone); i++)
		ck_assert_msg(!mode_of(gone[i]), "%s is there", gone[i]);
	for (size_t i = 0; i < FX_COUNT(left); i++)
		ck_assert_msg(mode_of(left[i]), "%s is gone", left[i]);
}
END_TEST

/* One run takes on so many files and leaves the rest to the next. */
START_TEST(collection_in_parts)
{
	fx_auto(store) struct fx_store *store = make_store(":9090", NULL);
	size_t removed = 0, total = 0;
	int runs = 0;
	ck_assert_ok(fx_store_make_dir(store, "k/ns/name", NULL), NULL);
	put_file(store, "k/ns/name/now", "x", 0);
	for (int i = 0; i < FX_STORE_GC_FILES_MAX + 200; i++) {
		char path[64];
		snprintf(path, sizeof(path), "k/ns/name/f%d", i);
		put_file(store, path, "x", 500);
	}
	do {
		ck_assert_ok(fx_store_collect(store, "k/ns/name/now", &removed, NULL), NULL);
		ck_assert_uint_le(removed, FX_STORE_GC_FILES_MAX);
		total += removed;
		runs++;
	} while (removed);
	ck_assert_uint_eq(total, FX_STORE_GC_FILES_MAX + 200);
	ck_assert_int_ge(runs, 3);
	ck_assert(fx_store_has(store, "k/ns/name/now"));
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("store");
	TCase *tc = tcase_create("store");
	tcase_add_checked_fixture(tc, make_dir, remove_dir);
	tcase_add_test(tc, addresses);
	tcase_add_test(tc, replaced_as_a_whole);
	tcase_add_test(tc, locks);
	tcase_add_test(tc, collection_and_locks);
	tcase_add_test(tc, collection_in_parts);
	suite_add_tcase(suite, tc);
	return suite;
}

FX_UNIT_MAIN(make_suite)
