#include "artifact/targz.h"

#include <string.h>
#include <zlib.h>

#define BLOCK 512
#define OUT_BYTES (64 * 1024)
#define GZIP_WINDOW_BITS (15 + 16)
#define MEMORY_LEVEL 8
#define OS_UNKNOWN 255
/* What an octal size field of 11 digits can hold. */
#define USTAR_SIZE_MAX 077777777777ull
#define NAME_BYTES 100
#define PREFIX_BYTES 155

struct fx_targz {
	int fd;
	z_stream z;
	gz_header gzip_header;
	bool z_ready;
	struct fx_digester *digester;
	uint64_t written; /* compressed */
	uint64_t left;    /* of the file under way */
	uint64_t file_size;
	unsigned char out[OUT_BYTES];
};

int fx_targz_new(int fd, enum fx_digest_algo algo, struct fx_targz **out, struct fx_error *err)
{
	fx_auto(targz) struct fx_targz *t = calloc(1, sizeof(*t));
	if (!t)
		return fx_fail_nomem(err);
	t->fd = fd;
	t->digester = fx_digester_new(algo);
	t->z_ready = deflateInit2(&t->z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW_BITS, MEMORY_LEVEL,
	                     Z_DEFAULT_STRATEGY) == Z_OK;
	if (!t->digester || !t->z_ready)
		return fx_fail_nomem(err);
	t->gzip_header.os = OS_UNKNOWN;
	deflateSetHeader(&t->z, &t->gzip_header);
	t->z.next_out = t->out;
	t->z.avail_out = OUT_BYTES;
	*out = fx_take(t);
	return 0;
}

void fx_targz_free(struct fx_targz *targz)
{
	if (!targz)
		return;
	if (targz->z_ready)
		deflateEnd(&targz->z);
	fx_digester_free(targz->digester);
	free(targz);
}

static int flush_out(struct fx_targz *t, struct fx_error *err)
{
	size_t len = OUT_BYTES - t->z.avail_out;
	fx_digester_update(t->digester, t->out, len);
	for (size_t at = 0; at < len;) {
		ssize_t n = write(t->fd, t->out + at, len - at);
		if (n < 0)
			return fx_fail_errno(err, "cannot write archive");
		at += (size_t)n;
	}
	t->written += len;
	t->z.next_out = t->out;
	t->z.avail_out = OUT_BYTES;
	return 0;
}

static int compress_bytes(struct fx_targz *t, const void *data, size_t len, struct fx_error *err)
{
	const unsigned char *p = data;
	while (len > 0) {
		size_t piece = len < OUT_BYTES ? len : OUT_BYTES;
		t->z.next_in = (unsigned char *)p;
		t->z.avail_in = (unsigned)piece;
		while (t->z.avail_in > 0) {
			deflate(&t->z, Z_NO_FLUSH);
			int rc = t->z.avail_out == 0 ? flush_out(t, err) : 0;
			if (rc != 0)
				return rc;
		}
		p += piece;
		len -= piece;
	}
	return 0;
}

static void put_octal(unsigned char *field, size_t len, uint64_t value)
{
	for (size_t i = len - 1; i-- > 0; value >>= 3)
		field[i] = (unsigned char)('0' + (value & 7));
}

/* Where a path is cut into prefix and name; 0: it needs no prefix; -1: it does not fit. */
static ssize_t split_at(const char *path, size_t len)
{
	if (len <= NAME_BYTES)
		return 0;
	if (len > PREFIX_BYTES + 1 + NAME_BYTES)
		return -1;
	size_t from = len - NAME_BYTES - 1;
	for (size_t i = from > 0 ? from : 1; i < len - 1 && i <= PREFIX_BYTES; i++) {
		if (path[i] == '/')
			return (ssize_t)i;
	}
	return -1;
}

static bool is_ascii(const char *text)
{
	for (; *text; text++) {
		if (*text & 0x80)
			return false;
	}
	return true;
}

/* One header block. mode 0 for extended headers. */
static int put_header(
        struct fx_targz *t, const char *path, char type, unsigned mode, uint64_t size, struct fx_error *err)
{
	unsigned char block[BLOCK] = {0};
	size_t len = strlen(path);
	ssize_t cut = split_at(path, len);
	if (cut > 0) {
		memcpy(block + 345, path, (size_t)cut);
		memcpy(block, path + cut + 1, len - (size_t)cut - 1);
	} else {
		memcpy(block, path, len < NAME_BYTES ? len : NAME_BYTES);
	}
	put_octal(block + 100, 8, mode);
	put_octal(block + 108, 8, 0);
	put_octal(block + 116, 8, 0);
	put_octal(block + 124, 12, size <= USTAR_SIZE_MAX ? size : 0);
	put_octal(block + 136, 12, 0);
	block[156] = (unsigned char)type;
	/* Magic and version: bytes, not a text. NOLINTNEXTLINE(bugprone-not-null-terminated-result) */
	memcpy(block + 257, "ustar\00000", 8);
	put_octal(block + 329, 8, 0);
	put_octal(block + 337, 8, 0);
	memset(block + 148, ' ', 8);
	unsigned sum = 0;
	for (size_t i = 0; i < BLOCK; i++)
		sum += block[i];
	put_octal(block + 148, 7, sum);
	return compress_bytes(t, block, BLOCK, err);
}

static int put_padding(struct fx_targz *t, uint64_t size, struct fx_error *err)
{
	static const unsigned char zeros[BLOCK];
	return compress_bytes(t, zeros, (size_t)((BLOCK - size % BLOCK) % BLOCK), err);
}

/* Appends "<length> key=value\n"; the length counts its own digits. */
static size_t put_record(char *out, size_t cap, const char *key, const char *value)
{
	size_t rest = strlen(key) + strlen(value) + 3, total = rest + 1;
	while (total != rest + (size_t)snprintf(NULL, 0, "%zu", total))
		total = rest + (size_t)snprintf(NULL, 0, "%zu", total);
	return (size_t)snprintf(out, cap, "%zu %s=%s\n", total, key, value);
}

static int put_pax(struct fx_targz *t, const char *path, bool with_path, uint64_t size, struct fx_error *err)
{
	char records[FX_TARGZ_PATH_MAX + 128];
	char number[32];
	size_t len = 0;
	if (with_path)
		len += put_record(records, sizeof(records), "path", path);
	if (size > USTAR_SIZE_MAX) {
		snprintf(number, sizeof(number), "%llu", (unsigned long long)size);
		len += put_record(records + len, sizeof(records) - len, "size", number);
	}
	int rc = put_header(t, "PaxHeaders.0", 'x', 0, len, err);
	if (rc == 0)
		rc = compress_bytes(t, records, len, err);
	return rc == 0 ? put_padding(t, len, err) : rc;
}

static int put_entry(
        struct fx_targz *t, const char *path, char type, unsigned mode, uint64_t size, struct fx_error *err)
{
	size_t len = strlen(path);
	if (t->left > 0)
		return fx_fail(err, FX_E_INTERNAL, "the file before %s is not complete", path);
	if (len == 0 || len > FX_TARGZ_PATH_MAX || path[0] == '/')
		return fx_fail(err, FX_E_INVALID, "path of %zu bytes cannot be archived", len);
	bool with_path = split_at(path, len) < 0 || !is_ascii(path);
	int rc = 0;
	if (with_path || size > USTAR_SIZE_MAX)
		rc = put_pax(t, path, with_path, size, err);
	if (rc == 0)
		rc = put_header(t, path, type, mode, size, err);
	t->left = t->file_size = size;
	return rc;
}

int fx_targz_add_dir(struct fx_targz *targz, const char *path, struct fx_error *err)
{
	return put_entry(targz, path, '5', 0750, 0, err);
}

int fx_targz_add_file(
        struct fx_targz *targz, const char *path, bool is_exec, uint64_t size, struct fx_error *err)
{
	return put_entry(targz, path, '0', is_exec ? 0700 : 0600, size, err);
}

int fx_targz_write(struct fx_targz *targz, const void *data, size_t len, struct fx_error *err)
{
	if (len > targz->left)
		return fx_fail(err, FX_E_INTERNAL, "more bytes than the archived file was said to have");
	int rc = compress_bytes(targz, data, len, err);
	targz->left -= len;
	if (rc == 0 && len > 0 && targz->left == 0)
		rc = put_padding(targz, targz->file_size, err);
	return rc;
}

int fx_targz_finish(struct fx_targz *t, struct fx_digest *out, uint64_t *out_size, struct fx_error *err)
{
	static const unsigned char trailer[2 * BLOCK];
	if (t->left > 0)
		return fx_fail(err, FX_E_INTERNAL, "the last file of the archive is not complete");
	int rc = compress_bytes(t, trailer, sizeof(trailer), err);
	while (rc == 0) {
		int zrc = deflate(&t->z, Z_FINISH);
		rc = flush_out(t, err);
		if (zrc == Z_STREAM_END)
			break;
	}
	if (rc != 0)
		return rc;
	fx_digester_final(t->digester, out);
	*out_size = t->written;
	return 0;
}
