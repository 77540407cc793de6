/* Archive writer, reader, tree and store against each other and against tar(1). */
#include "../unit.h"
#include "artifact/store.h"
#include "artifact/targz.h"
#include "artifact/tree.h"
#include "core/clock.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

static char dir[64];

static void make_dir(void)
{
	snprintf(dir, sizeof(dir), "/tmp/fx-archive-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void remove_dir(void)
{
	char command[128];
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static char long_name[300];

/* The same small archive each time; the digest of its bytes in *out. */
static int write_archive(struct fx_digest *out, uint64_t *size)
{
	int fd = open(dir, O_TMPFILE | O_RDWR, 0600);
	fx_auto(targz) struct fx_targz *t = NULL;
	memset(long_name, 'n', sizeof(long_name) - 1);
	long_name[3] = '/';
	ck_assert_ok(fx_targz_new(fd, FX_DIGEST_SHA256, &t, NULL), NULL);
	ck_assert_ok(fx_targz_add_dir(t, ".", NULL), NULL);
	ck_assert_ok(fx_targz_add_file(t, "a.txt", false, 5, NULL), NULL);
	ck_assert_ok(fx_targz_write(t, "hel", 3, NULL), NULL);
	ck_assert_ok(fx_targz_write(t, "lo", 2, NULL), NULL);
	ck_assert_ok(fx_targz_add_dir(t, "empty", NULL), NULL);
	ck_assert_ok(fx_targz_add_file(t, "run.sh", true, 0, NULL), NULL);
	ck_assert_ok(fx_targz_add_file(t, long_name, false, 1, NULL), NULL);
	ck_assert_ok(fx_targz_write(t, "x", 1, NULL), NULL);
	ck_assert_ok(fx_targz_finish(t, out, size, NULL), NULL);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

START_TEST(same_bytes_each_time)
{
	struct fx_digest a, b, whole;
	uint64_t size;
	fx_auto(fd) int one = write_archive(&a, &size);
	fx_auto(fd) int two = write_archive(&b, &size);
	ck_assert_str_eq(a.text, b.text);
	ck_assert_ok(fx_digest_fd(FX_DIGEST_SHA256, one, &whole, NULL), NULL);
	ck_assert_str_eq(a.text, whole.text);
	ck_assert_int_eq(lseek(two, 0, SEEK_END), (off_t)size);
}
END_TEST

START_TEST(tar_lists_it)
{
	struct fx_digest digest;
	uint64_t size;
	char command[128], line[400], all[2000] = "";
	fx_auto(fd) int fd = write_archive(&digest, &size);
	snprintf(command, sizeof(command), "TZ=UTC tar -tzv --numeric-owner -f /proc/self/fd/%d", fd);
	FILE *pipe = popen(command, "r");
	while (fgets(line, sizeof(line), pipe))
		strncat(all, line, sizeof(all) - strlen(all) - 1);
	ck_assert_int_eq(pclose(pipe), 0);
	char want[2000];
	snprintf(want, sizeof(want),
	        "drwxr-x--- 0/0               0 1970-01-01 00:00 .\n"
	        "-rw------- 0/0               5 1970-01-01 00:00 a.txt\n"
	        "drwxr-x--- 0/0               0 1970-01-01 00:00 empty\n"
	        "-rwx------ 0/0               0 1970-01-01 00:00 run.sh\n"
	        "-rw------- 0/0               1 1970-01-01 00:00 %s\n",
	        long_name);
	ck_assert_str_eq(all, want);
}
END_TEST

START_TEST(gzip_header)
{
	struct fx_digest digest;
	uint64_t size;
	unsigned char head[10];
	static const unsigned char want[10] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255};
	fx_auto(fd) int fd = write_archive(&digest, &size);
	ck_assert_int_eq(read(fd, head, sizeof(head)), 10);
	ck_assert_mem_eq(head, want, 10);
}
END_TEST

START_TEST(tree_has_it)
{
	struct fx_digest digest;
	uint64_t size;
	size_t count;
	fx_auto(fd) int fd = write_archive(&digest, &size);
	fx_auto(tree) struct fx_tree *tree = NULL;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	ck_assert_ok(fx_tree_read_fd(fd, NULL, &tree, &err), &err);
	const struct fx_tree_node *a = fx_tree_find(tree, "a.txt");
	ck_assert_ptr_nonnull(a);
	ck_assert_str_eq(a->data, "hello");
	ck_assert_uint_eq(a->size, 5);
	ck_assert(fx_tree_find(tree, "run.sh")->is_exec);
	ck_assert(fx_tree_find(tree, "empty")->is_dir);
	ck_assert_str_eq(fx_tree_find(tree, long_name)->data, "x");
	ck_assert_ptr_null(fx_tree_find(tree, "a.txt/b"));
	ck_assert_ptr_null(fx_tree_find(tree, "a"));
	ck_assert_ptr_null(fx_tree_find(tree, "a.txtt"));
	const struct fx_tree_node *top = fx_tree_children(tree, fx_tree_root(tree), &count);
	ck_assert_uint_eq(count, 4);
	ck_assert_str_eq(top[0].name, "a.txt");
	ck_assert_str_eq(top[3].name, "run.sh");
	ck_assert_uint_eq(fx_tree_size(tree), 6);
}
END_TEST

/* A tar archive of one crafted header (and len bytes of content), gzipped, pushed byte by byte. */
static int read_crafted(const char *name, char type, const char *content, bool symlinks_fail, bool cut)
{
	unsigned char block[512 * 4] = {0}, packed[4096];
	size_t len = strlen(content);
	unsigned sum = 0;
	snprintf((char *)block, 100, "%s", name);
	snprintf((char *)block + 100, 8, "0000644");
	snprintf((char *)block + 124, 12, "%011o", (unsigned)len);
	memcpy(block + 257, "ustar\00000", 8);
	block[156] = (unsigned char)type;
	memset(block + 148, ' ', 8);
	for (int i = 0; i < 512; i++)
		sum += block[i];
	snprintf((char *)block + 148, 8, "%06o", sum & 0777777);
	memcpy(block + 512, content, len);
	z_stream z = {
	        .next_in = block, .avail_in = sizeof(block), .next_out = packed, .avail_out = sizeof(packed)};
	ck_assert_int_eq(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, 0), Z_OK);
	ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
	size_t n = sizeof(packed) - z.avail_out - (cut ? 12 : 0);
	deflateEnd(&z);

	struct fx_untar_options options = {.symlinks_fail = symlinks_fail, .max_bytes = 100};
	fx_auto(tree_builder) struct fx_tree_builder *b = NULL;
	fx_auto(tree) struct fx_tree *tree = NULL;
	ck_assert_ok(fx_tree_builder_new(&options, &b, NULL), NULL);
	int rc = 0;
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = fx_tree_builder_feed(b, packed + i, 1, NULL);
	return rc ? rc : fx_tree_builder_finish(b, &tree, NULL);
}

START_TEST(hostile_archives)
{
	static const struct {
		const char *what, *name;
		char type;
		const char *content;
		bool symlinks_fail, cut;
		int want;
	} cases[] = {
	        {"fine", "a/b", '0', "x", false, false, 0},
	        {"dots inside a name", "a..b/c", '0', "x", false, false, 0},
	        {"absolute", "/etc/passwd", '0', "x", false, false, -FX_E_INVALID},
	        {"parent", "a/../../b", '0', "x", false, false, -FX_E_INVALID},
	        {"parent at the end", "a/..", '5', "", false, false, -FX_E_INVALID},
	        {"backslash", "a\\b", '0', "x", false, false, -FX_E_INVALID},
	        {"empty name", "", '0', "x", false, false, -FX_E_INVALID},
	        {"device", "dev", '3', "", false, false, -FX_E_INVALID},
	        {"fifo", "fifo", '6', "", false, false, -FX_E_INVALID},
	        {"symlink left out", "link", '2', "", false, false, 0},
	        {"symlink refused", "link", '2', "", true, false, -FX_E_INVALID},
	        {"hard link is an empty file", "link", '1', "", true, false, 0},
	        {"too large", "a", '0',
	                "0123456789012345678901234567890123456789012345678901234567890123456789"
	                "0123456789012345678901234567890123456789",
	                false, false, -FX_E_LIMIT},
	        {"cut short", "a", '0', "x", false, true, -FX_E_PARSE},
	};
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		int rc = read_crafted(
		        cases[i].name, cases[i].type, cases[i].content, cases[i].symlinks_fail, cases[i].cut);
		ck_assert_msg(rc == cases[i].want, "%s: %d, want %d", cases[i].what, rc, cases[i].want);
	}
	fx_auto(tree_builder) struct fx_tree_builder *b = NULL;
	ck_assert_ok(fx_tree_builder_new(NULL, &b, NULL), NULL);
	ck_assert_int_eq(fx_tree_builder_feed(b, "not gzip at all", 15, NULL), -FX_E_PARSE);
}
END_TEST

static struct fx_store *make_store(int ttl_ms, int records)
{
	struct fx_store *store = NULL;
	struct fx_store_options options = {.path = dir,
	        .addr = ":9090",
	        .retention_ttl_ms = ttl_ms,
	        .retention_records = records,
	        .algo = FX_DIGEST_SHA256};
	ck_assert_ok(fx_store_new(&options, &store, NULL), NULL);
	return store;
}

static struct fx_digest put(struct fx_store *store, const char *path, const char *text, int age_s)
{
	fx_auto(store_file) struct fx_store_file *file = NULL;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct fx_digest digest;
	fx_autofree char *parent = strdup(path);
	*strrchr(parent, '/') = '\0';
	ck_assert_ok(fx_store_make_dir(store, parent, &err), &err);
	ck_assert_ok(fx_store_create(store, path, &file, &err), &err);
	ck_assert_int_eq(write(fx_store_file_fd(file), text, strlen(text)), (ssize_t)strlen(text));
	ck_assert_ok(fx_digest_bytes(FX_DIGEST_SHA256, text, strlen(text), &digest, &err), &err);
	struct timespec times[2] = {{.tv_sec = fx_wall_ns() / 1000000000 - age_s}};
	times[1] = times[0];
	ck_assert_int_eq(futimens(fx_store_file_fd(file), times), 0);
	ck_assert_ok(fx_store_file_commit(file, &digest, &err), &err);
	return digest;
}

START_TEST(store_keeps_and_verifies)
{
	fx_auto(store) struct fx_store *store = make_store(60000, 2);
	const char *path = "gitrepository/ns/name/abc.tar.gz";
	struct fx_digest digest = put(store, path, "content", 0);
	char full[256];
	struct stat st;
	snprintf(full, sizeof(full), "%s/%s", dir, path);
	ck_assert_int_eq(stat(full, &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0600);
	ck_assert_ok(fx_store_verify(store, path, digest.text, NULL), NULL);
	fx_autofree char *url = fx_store_url(store, path);
	ck_assert_str_eq(url, "http://localhost:9090/gitrepository/ns/name/abc.tar.gz");

	fx_auto(fd) int fd = open(full, O_WRONLY);
	ck_assert_int_eq(pwrite(fd, "C", 1, 0), 1);
	ck_assert_int_eq(fx_store_verify(store, path, digest.text, NULL), -FX_E_DIGEST);
	ck_assert_int_eq(
	        fx_store_verify(store, "gitrepository/ns/name/x.tar.gz", digest.text, NULL), -FX_E_NOT_FOUND);
	ck_assert_ok(fx_store_remove_all(store, "gitrepository/ns/name", NULL), NULL);
	ck_assert(!fx_store_has(store, path));
	ck_assert_ok(fx_store_remove_all(store, "gitrepository/ns/name", NULL), NULL);
}
END_TEST

START_TEST(store_is_a_wall)
{
	fx_auto(store) struct fx_store *store = make_store(60000, 2);
	char link[128];
	snprintf(link, sizeof(link), "%s/out", dir);
	ck_assert_int_eq(symlink("/etc", link), 0);
	static const char *const paths[] = {"../etc/passwd", "/etc/passwd", "out/passwd", "out"};
	for (size_t i = 0; i < FX_COUNT(paths); i++) {
		int fd = fx_store_open(store, paths[i], O_RDONLY);
		ck_assert_msg(fd < 0, "%s was opened", paths[i]);
		ck_assert(!fx_store_has(store, paths[i]));
	}
}
END_TEST

START_TEST(store_unfinished_files_go)
{
	fx_auto(store) struct fx_store *store = make_store(60000, 2);
	struct fx_store_file *file = NULL;
	char command[128];
	ck_assert_ok(fx_store_make_dir(store, "a/b", NULL), NULL);
	ck_assert_ok(fx_store_create(store, "a/b/c", &file, NULL), NULL);
	fx_store_file_free(file);
	snprintf(command, sizeof(command), "test -z \"$(ls %s/a/b)\"", dir);
	ck_assert_int_eq(system(command), 0);

	/* Those of a process that was killed in the middle, however young. */
	size_t removed = 1;
	put(store, "a/b/now", "x", 1);
	put(store, "a/b/now.tmp-0123456789abcdef", "x", 1);
	ck_assert_ok(fx_store_collect(store, "a/b/now", &removed, NULL), NULL);
	ck_assert_uint_eq(removed, 0);
	ck_assert(fx_store_has(store, "a/b/now"));
	ck_assert(!fx_store_has(store, "a/b/now.tmp-0123456789abcdef"));
}
END_TEST

START_TEST(collection)
{
	/* Ages in seconds of files f0, f1 ...; what is left with a TTL of 60 s and 2 records. */
	static const struct {
		const char *name;
		int ages[5], count, current;
		const char *left;
	} cases[] = {
	        {"only the current", {500}, 1, 0, "f0"},
	        {"young and few", {3, 2}, 2, 1, "f0 f1"},
	        {"young and many", {5, 4, 3, 2}, 4, 3, "f2 f3"},
	        {"old ones go", {500, 400, 3}, 3, 2, "f2"},
	        {"an old current stays", {500, 400}, 2, 0, "f0"},
	        {"old ones, then too many", {500, 5, 4, 3, 2}, 5, 4, "f2 f3 f4"},
	};
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		fx_auto(store) struct fx_store *store = make_store(60000, 2);
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		char path[64], left[64] = "";
		size_t removed;
		for (int f = 0; f < cases[i].count; f++) {
			snprintf(path, sizeof(path), "k/ns/name/f%d", f);
			put(store, path, "x", cases[i].ages[f]);
		}
		snprintf(path, sizeof(path), "k/ns/name/f%d", cases[i].current);
		ck_assert_ok(fx_store_collect(store, path, &removed, &err), &err);
		for (int f = 0; f < cases[i].count; f++) {
			snprintf(path, sizeof(path), "k/ns/name/f%d", f);
			if (fx_store_has(store, path))
				snprintf(left + strlen(left), sizeof(left) - strlen(left), "%sf%d",
				        *left ? " " : "", f);
		}
		ck_assert_msg(strcmp(left, cases[i].left) == 0, "%s: left '%s', want '%s'", cases[i].name,
		        left, cases[i].left);
		ck_assert_ok(fx_store_remove_all(store, "k/ns/name", NULL), NULL);
	}
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("archive");
	TCase *tc = tcase_create("archive");
	tcase_add_checked_fixture(tc, make_dir, remove_dir);
	tcase_add_test(tc, same_bytes_each_time);
	tcase_add_test(tc, tar_lists_it);
	tcase_add_test(tc, gzip_header);
	tcase_add_test(tc, tree_has_it);
	tcase_add_test(tc, hostile_archives);
	tcase_add_test(tc, store_keeps_and_verifies);
	tcase_add_test(tc, store_is_a_wall);
	tcase_add_test(tc, store_unfinished_files_go);
	tcase_add_test(tc, collection);
	suite_add_tcase(suite, tc);
	return suite;
}

FX_UNIT_MAIN(make_suite)
