/*
 * A Git server that means harm: packs that blow up, that lie about what they hold, trees without an end.
 * Each ends in a clear error, soon and in little memory.
 */
#include "core/clock.h"
#include "core/vec.h"
#include "net/http.h"
#include "net/loop.h"
#include "net/server.h"
#include "source-controller/content.h"
#include "source-controller/git/checkout.h"
#include "test/unit/unit.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/resource.h>
#include <zlib.h>

#define HASH 20
#define HEX (2 * HASH + 1)
/* What one of these may cost above the tests' own needs: the largest file, and some. */
#define MEMORY_MAX_KB (FX_GIT_BLOB_MAX / 1024 + 128L * 1024)
/* On a busy machine, with sanitizers. */
#define TIME_MAX_MS 60000

enum { COMMIT = 1, TREE = 2, BLOB = 3, REF_DELTA = 7 };

static struct fx_loop *loop;
static struct fx_http_client *http;
static struct fx_server *server;
static char url[100], advertised[HEX];
static struct fx_buf pack;
static unsigned objects;

static void sha1(const void *data, size_t len, unsigned char out[HASH])
{
	ck_assert_int_eq(EVP_Digest(data, len, out, NULL, EVP_sha1(), NULL), 1);
}

static void to_hex(const unsigned char hash[HASH], char out[HEX])
{
	for (int i = 0; i < HASH; i++)
		snprintf(out + 2 * i, 3, "%02x", hash[i]);
}

/* The object's name, as Git makes it. */
static void name_object(int type, const void *data, size_t len, unsigned char out[HASH])
{
	static const char *const names[] = {[COMMIT] = "commit", [TREE] = "tree", [BLOB] = "blob"};
	fx_auto(buf) struct fx_buf whole = FX_BUF_INIT;
	fx_buf_addf(&whole, "%s %zu", names[type], len);
	fx_buf_add(&whole, "", 1);
	fx_buf_add(&whole, data, len);
	sha1(whole.data, whole.len, out);
}

static void add_header(int type, size_t size)
{
	unsigned char byte = (unsigned char)(type << 4 | (int)(size & 15));
	for (size >>= 4;; size >>= 7) {
		byte |= size ? 0x80 : 0;
		fx_buf_add(&pack, (char *)&byte, 1);
		if (!size)
			return;
		byte = size & 0x7f;
	}
}

static void add_deflated(const void *data, size_t len)
{
	uLongf out_len = compressBound(len);
	fx_autofree Bytef *out = malloc(out_len);
	ck_assert_int_eq(compress2(out, &out_len, data, len, 6), Z_OK);
	fx_buf_add(&pack, (char *)out, out_len);
}

static void begin_pack(void)
{
	fx_buf_release(&pack);
	pack = (struct fx_buf)FX_BUF_INIT;
	fx_buf_add(&pack, "PACK\0\0\0\2\0\0\0\0", 12);
	objects = 0;
}

static void add_object(int type, const void *data, size_t len, unsigned char out[HASH])
{
	add_header(type, len);
	add_deflated(data, len);
	objects++;
	if (out)
		name_object(type, data, len, out);
}

/* The count as it should be, or as it is said to be; then the checksum. */
static void end_pack(unsigned said)
{
	unsigned char sum[HASH];
	unsigned count = said ? said : objects;
	for (int i = 0; i < 4; i++)
		pack.data[8 + i] = (char)(count >> (24 - 8 * i));
	sha1(pack.data, pack.len, sum);
	fx_buf_add(&pack, (char *)sum, HASH);
}

static void add_entry(struct fx_buf *tree, const char *mode, const char *name, const unsigned char hash[HASH])
{
	fx_buf_addf(tree, "%s %s", mode, name);
	fx_buf_add(tree, "", 1);
	fx_buf_add(tree, (const char *)hash, HASH);
}

/* A commit of the tree; it is what the server says main is. */
static void add_commit(const unsigned char tree[HASH])
{
	char text[300], hex[HEX];
	unsigned char hash[HASH];
	to_hex(tree, hex);
	snprintf(text, sizeof(text),
	        "tree %s\nauthor a <a@b> 1700000000 +0000\ncommitter a <a@b> 1700000000 +0000\n\nharm\n",
	        hex);
	add_object(COMMIT, text, strlen(text), hash);
	to_hex(hash, advertised);
}

static void size_number(struct fx_buf *out, size_t value)
{
	do {
		char byte = (char)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
		fx_buf_add(out, &byte, 1);
		value >>= 7;
	} while (value);
}

/* A delta of some kilobytes that makes `size` bytes out of 64 kB. */
static void make_delta_bomb(size_t size)
{
	static char base[65536];
	unsigned char hash[HASH];
	fx_auto(buf) struct fx_buf delta = FX_BUF_INIT;
	begin_pack();
	add_object(BLOB, base, sizeof(base), hash);
	size_number(&delta, sizeof(base));
	size_number(&delta, size);
	for (size_t made = 0; made < size; made += sizeof(base))
		fx_buf_add(&delta, "\x80", 1); /* copy 64 kB from the start */
	add_header(REF_DELTA, delta.len);
	fx_buf_add(&pack, (char *)hash, HASH);
	add_deflated(delta.data, delta.len);
	objects++;
	add_commit(hash);
	end_pack(0);
}

static void delta_bomb(void)
{
	make_delta_bomb((size_t)1024 * 1024 * 1024);
}

/* A file that deflates to a thousandth. */
static void huge_file(void)
{
	size_t size = FX_GIT_BLOB_MAX + 1;
	unsigned char hash[HASH], tree_hash[HASH];
	fx_auto(buf) struct fx_buf tree = FX_BUF_INIT;
	fx_autofree char *zeros = calloc(1, size);
	begin_pack();
	add_object(BLOB, zeros, size, hash);
	add_entry(&tree, "100644", "huge", hash);
	add_object(TREE, tree.data, tree.len, tree_hash);
	add_commit(tree_hash);
	end_pack(0);
}

static void other_commit(void)
{
	unsigned char tree_hash[HASH];
	begin_pack();
	add_object(TREE, "", 0, tree_hash);
	add_commit(tree_hash);
	end_pack(0);
	memset(advertised, 'd', HEX - 1);
}

static void no_tree(void)
{
	static const unsigned char nothing[HASH] = {1, 2, 3};
	begin_pack();
	add_commit(nothing);
	end_pack(0);
}

static void no_file(void)
{
	static const unsigned char nothing[HASH] = {1, 2, 3};
	unsigned char tree_hash[HASH];
	fx_auto(buf) struct fx_buf tree = FX_BUF_INIT;
	begin_pack();
	add_entry(&tree, "100644", "a", nothing);
	add_object(TREE, tree.data, tree.len, tree_hash);
	add_commit(tree_hash);
	end_pack(0);
}

static void wrong_checksum(void)
{
	other_commit();
	pack.data[pack.len - 1] ^= 1;
}

static void too_many_objects(void)
{
	other_commit();
	pack.len -= HASH;
	end_pack(FX_GIT_OBJECTS_MAX + 1);
}

static void fewer_objects(void)
{
	other_commit();
	pack.len -= HASH;
	end_pack(9);
}

static void base_elsewhere(void)
{
	static const unsigned char nothing[HASH] = {1, 2, 3};
	static const char delta[] = "\x01\x01\x01x";
	other_commit();
	pack.len -= HASH;
	add_header(REF_DELTA, sizeof(delta) - 1);
	fx_buf_add(&pack, (const char *)nothing, HASH);
	add_deflated(delta, sizeof(delta) - 1);
	objects++;
	end_pack(0);
}

static void longer_than_said(void)
{
	static const char text[1000];
	begin_pack();
	memset(advertised, 'd', HEX - 1);
	add_header(BLOB, 10);
	add_deflated(text, sizeof(text));
	objects++;
	end_pack(0);
}

/* Folders in folders. */
static void deep_tree(void)
{
	unsigned char hash[HASH];
	begin_pack();
	add_object(BLOB, "x", 1, hash);
	for (int i = 0; i < 2000; i++) {
		fx_auto(buf) struct fx_buf tree = FX_BUF_INIT;
		add_entry(&tree, i ? "40000" : "100644", "d", hash);
		add_object(TREE, tree.data, tree.len, hash);
	}
	add_commit(hash);
	end_pack(0);
}

/* Levels of a folder that holds the next one `width` times; at the bottom a file of `size` bytes. */
static void repeated_tree(int levels, int width, size_t size)
{
	unsigned char hash[HASH];
	fx_autofree char *zeros = calloc(1, size + 1);
	begin_pack();
	add_object(BLOB, zeros, size, hash);
	for (int i = 0; i < levels; i++) {
		fx_auto(buf) struct fx_buf tree = FX_BUF_INIT;
		for (int k = 0; k < width; k++) {
			char name[16];
			snprintf(name, sizeof(name), "%08d", k);
			add_entry(&tree, i ? "40000" : "100644", name, hash);
		}
		add_object(TREE, tree.data, tree.len, hash);
	}
	add_commit(hash);
	end_pack(0);
}

/* A hundred files a folder, a thousand million in all. */
static void wide_tree(void)
{
	repeated_tree(5, 100, 0);
}

static void serve(void *arg, struct fx_server_request *r)
{
	static const char capabilities[] = "ofs-delta shallow no-progress\n";
	fx_auto(buf) struct fx_buf out = FX_BUF_INIT;
	(void)arg;
	if (strcmp(fx_server_method(r), "GET") == 0) {
		fx_buf_add_str(&out, "001e# service=git-upload-pack\n0000");
		fx_buf_addf(&out, "%04zx%s refs/heads/main",
		        4 + strlen(advertised) + strlen(" refs/heads/main") + sizeof(capabilities),
		        advertised);
		fx_buf_add(&out, "", 1);
		fx_buf_add_str(&out, capabilities);
		fx_buf_add_str(&out, "0000");
		fx_server_reply(r, 200, "application/x-git-upload-pack-advertisement", out.data, out.len);
		return;
	}
	fx_buf_add_str(&out, "00000008NAK\n");
	fx_buf_add(&out, pack.data, pack.len);
	fx_server_reply(r, 200, "application/x-git-upload-pack-result", out.data, out.len);
}

static void start(void)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_server_options options = {.listen = "127.0.0.1:0", .handle = serve};
	fx_git_init();
	ck_assert_ok(fx_loop_new(&loop, &err), &err);
	ck_assert_ok(fx_http_client_new(loop, "test", &http, &err), &err);
	ck_assert_ok(fx_server_new(&options, &server, &err), &err);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/x.git", fx_server_port(server));
}

static void stop(void)
{
	fx_server_free(server, 0);
	fx_http_client_free(http);
	fx_loop_free(loop);
	fx_buf_release(&pack);
}

/* Fetches and archives what the server has. */
static int use(struct fx_error *err)
{
	fx_auto(git_checkout) struct fx_git_checkout c = FX_GIT_CHECKOUT_INIT;
	fx_auto(content) struct fx_content *content = NULL;
	fx_auto(targz) struct fx_targz *targz = NULL;
	fx_auto(fd) int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	struct fx_digest digest;
	uint64_t size;
	const struct fx_git_checkout_options options = {.remote = {.http = http, .url = url},
	        .display_url = url,
	        .reference = {.branch = "main"},
	        .scratch_prefix = "test-git-"};
	int rc = fx_git_checkout(&options, NULL, &c, err);
	if (rc == 0)
		rc = fx_content_new(c.scratch, &c.commit.tree, &content, err);
	if (rc == 0)
		rc = fx_targz_new(fd, FX_DIGEST_SHA256, &targz, err);
	if (rc == 0)
		rc = fx_content_archive(content, NULL, targz, err);
	return rc ? rc : fx_targz_finish(targz, &digest, &size, err);
}

static long peak_kb(void)
{
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_maxrss;
}

static const struct {
	const char *what;
	void (*make)(void);
	const char *error;
} cases[] = {
        {"a delta of a gigabyte", delta_bomb, "an object is larger than 268435456 bytes"},
        {"a huge file", huge_file, "is larger than 268435456 bytes"},
        {"another commit than was advertised", other_commit,
                "object dddddddddddddddddddddddddddddddddddddddd not found"},
        {"a commit without its tree", no_tree, "object 0102030000000000000000000000000000000000 not found"},
        {"a tree without its file", no_file, "object 0102030000000000000000000000000000000000 not found"},
        {"a wrong checksum", wrong_checksum, "invalid pack"},
        {"more objects than are taken", too_many_objects, "the pack has more than 4000000 objects"},
        {"fewer objects than were said", fewer_objects, "invalid pack"},
        {"a delta without its base", base_elsewhere, "invalid pack"},
        {"an object longer than was said", longer_than_said,
                "object dddddddddddddddddddddddddddddddddddddddd not found"},
        {"folders in folders", deep_tree, "directories deeper than 256 levels"},
        {"the same folder again and again", wide_tree, "the source has more than 5000000 entries"},
};

START_TEST(hostile_pack)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	cases[_i].make();
	long before_kb = peak_kb();
	int64_t began_ms = fx_now_ms();
	int rc = use(&err);
	ck_assert_msg(rc < 0 && strstr(fx_error_message(&err), cases[_i].error), "%s: %d '%s', want '%s'",
	        cases[_i].what, rc, fx_error_message(&err), cases[_i].error);
	long cost_kb = peak_kb() - before_kb;
	ck_assert_msg(cost_kb < (long)MEMORY_MAX_KB, "%s: %ld kB", cases[_i].what, cost_kb);
	if (getenv("FX_TEST_SHOW"))
		printf("%s: %lld ms, %ld kB: %s\n", cases[_i].what, (long long)(fx_now_ms() - began_ms),
		        cost_kb, fx_error_message(&err));
}
END_TEST

/* The same server with nothing wrong: what is tested above is the harm, not the server. */
START_TEST(honest_pack)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	repeated_tree(3, 5, 100);
	ck_assert_ok(use(&err), &err);
	make_delta_bomb((size_t)1024 * 1024);
	/* The tree that its commit names is a file. */
	ck_assert_int_eq(use(&err), -FX_E_INVALID);
	ck_assert_ptr_nonnull(strstr(fx_error_message(&err), "is a blob, not a tree"));
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("hostile Git servers");
	TCase *tc = tcase_create("packs");
	tcase_set_timeout(tc, 4.0 * TIME_MAX_MS / 1000);
	tcase_add_checked_fixture(tc, start, stop);
	tcase_add_loop_test(tc, hostile_pack, 0, FX_COUNT(cases));
	tcase_add_test(tc, honest_pack);
	suite_add_tcase(suite, tc);
	return suite;
}

FX_UNIT_MAIN(make_suite)
