#include "artifact/untar.h"
#include "core/buf.h"

#include <inttypes.h>
#include <string.h>
#include <zlib.h>

#define BLOCK 512
#define INFLATE_BYTES (64 * 1024)
/* Window of 32 KiB, gzip header required. */
#define GZIP_WINDOW_BITS (15 + 16)

struct header { /* POSIX ustar */
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100], magic[6],
	        version[2], uname[32], gname[32], major[8], minor[8], prefix[155], pad[12];
};

enum content { CONTENT_SKIP, CONTENT_FILE, CONTENT_PAX, CONTENT_LONG_NAME };

struct fx_untar {
	struct fx_untar_options options;
	z_stream z;
	bool z_ready, gzip_ended, tar_ended;
	unsigned char block[BLOCK];
	size_t block_len;
	enum content content; /* of the entry under way */
	uint64_t left;        /* its bytes to come */
	size_t padding;       /* behind them */
	struct fx_buf meta;   /* pax records or long name being read */
	struct fx_buf name;   /* for the next entry, from those; empty: from its header */
	bool has_size;
	uint64_t size;
	uint64_t total;
	size_t entries;
	struct fx_buf path; /* cleaned */
};

struct fx_untar *fx_untar_new(const struct fx_untar_options *options)
{
	struct fx_untar *u = calloc(1, sizeof(*u));
	if (!u)
		return NULL;
	u->options = *options;
	if (u->options.max_bytes == 0)
		u->options.max_bytes = FX_UNTAR_BYTES_MAX;
	u->meta.max = FX_UNTAR_PAX_MAX + 1;
	u->z_ready = inflateInit2(&u->z, GZIP_WINDOW_BITS) == Z_OK;
	if (!u->z_ready) {
		fx_untar_free(u);
		return NULL;
	}
	return u;
}

void fx_untar_free(struct fx_untar *untar)
{
	if (!untar)
		return;
	if (untar->z_ready)
		inflateEnd(&untar->z);
	fx_buf_release(&untar->meta);
	fx_buf_release(&untar->name);
	fx_buf_release(&untar->path);
	free(untar);
}

/* Octal text, or GNU's base-256 form for what does not fit. */
static int parse_number(const char *field, size_t len, uint64_t *out, struct fx_error *err)
{
	const unsigned char *f = (const unsigned char *)field;
	uint64_t value = 0;
	if (f[0] & 0x80) {
		value = f[0] & 0x7F;
		for (size_t i = 1; i < len; i++) {
			if (value >> 55)
				return fx_fail(
				        err, FX_E_PARSE, "tar header with a negative or too large number");
			value = value << 8 | f[i];
		}
		*out = value;
		return 0;
	}
	size_t i = 0;
	while (i < len && f[i] == ' ')
		i++;
	for (; i < len && f[i] >= '0' && f[i] <= '7'; i++)
		value = value << 3 | (uint64_t)(f[i] - '0');
	if (i < len && f[i] != ' ' && f[i] != '\0')
		return fx_fail(err, FX_E_PARSE, "tar header with a number that is not octal");
	*out = value;
	return 0;
}

static bool checksum_holds(const unsigned char *block)
{
	const struct header *h = (const struct header *)block;
	uint64_t want, got = 0;
	size_t from = offsetof(struct header, checksum), to = from + sizeof(h->checksum);
	for (size_t i = 0; i < BLOCK; i++)
		got += i >= from && i < to ? ' ' : block[i];
	return parse_number(h->checksum, sizeof(h->checksum), &want, NULL) == 0 && want == got;
}

/* Name of the entry: from a pax or GNU record, else from its header. */
static int take_name(struct fx_untar *u, const struct header *h, struct fx_buf *name, struct fx_error *err)
{
	if (u->name.len > 0) {
		fx_buf_add(name, u->name.data, u->name.len);
		fx_buf_clear(&u->name);
	} else {
		bool ustar = memcmp(h->magic, "ustar\0", 6) == 0; /* GNU's magic has a space there */
		size_t prefix = ustar ? strnlen(h->prefix, sizeof(h->prefix)) : 0;
		if (prefix > 0) {
			fx_buf_add(name, h->prefix, prefix);
			fx_buf_add_char(name, '/');
		}
		fx_buf_add(name, h->name, strnlen(h->name, sizeof(h->name)));
	}
	if (fx_buf_failed(name))
		return fx_fail_nomem(err);
	if (name->len > FX_UNTAR_NAME_MAX)
		return fx_fail(
		        err, FX_E_LIMIT, "tar entry with a name of more than %d bytes", FX_UNTAR_NAME_MAX);
	return 0;
}

/* Refuses what could leave the root; u->path becomes the name without `.` and empty elements. */
static int clean_name(struct fx_untar *u, const struct fx_buf *name, struct fx_error *err)
{
	const char *text = fx_buf_str(name);
	if (name->len == 0 || *text == '/' || strchr(text, '\\') || strlen(text) != name->len)
		return fx_fail(err, FX_E_INVALID, "tar contained invalid name error \"%s\"", text);
	fx_buf_clear(&u->path);
	while (*text) {
		size_t len = strcspn(text, "/");
		if (len == 2 && memcmp(text, "..", 2) == 0)
			return fx_fail(err, FX_E_INVALID, "tar contained invalid name error \"%s\"",
			        fx_buf_str(name));
		if (len > 0 && !(len == 1 && *text == '.')) {
			if (u->path.len > 0)
				fx_buf_add_char(&u->path, '/');
			fx_buf_add(&u->path, text, len);
		}
		text += len + (text[len] == '/');
	}
	return fx_buf_failed(&u->path) ? fx_fail_nomem(err) : 0;
}

static int start_entry(struct fx_untar *u, const struct header *h, uint64_t size, struct fx_error *err)
{
	fx_auto(buf) struct fx_buf name = FX_BUF_INIT;
	uint64_t mode;
	int rc = take_name(u, h, &name, err);
	if (rc == 0)
		rc = clean_name(u, &name, err);
	if (rc == 0)
		rc = parse_number(h->mode, sizeof(h->mode), &mode, err);
	if (rc != 0)
		return rc;
	if (++u->entries > FX_UNTAR_ENTRIES_MAX)
		return fx_fail(err, FX_E_LIMIT, "tar with more than %d entries", FX_UNTAR_ENTRIES_MAX);
	/* Old archives mark a directory by the slash at the end of its name. */
	bool is_dir = h->type == '5' || (h->type == '\0' && fx_buf_str(&name)[name.len - 1] == '/');
	struct fx_untar_entry entry = {
	        fx_buf_str(&u->path), is_dir, (uint32_t)(mode & 0777), is_dir ? 0 : size};
	if (!is_dir && u->path.len == 0)
		return fx_fail(
		        err, FX_E_INVALID, "tar contained invalid name error \"%s\"", fx_buf_str(&name));
	u->total += entry.size;
	if (entry.size > u->options.max_bytes || u->total > u->options.max_bytes)
		return fx_fail(err, FX_E_LIMIT, "tar unpacks to more than the limit of %" PRIu64 " bytes",
		        u->options.max_bytes);
	u->content = is_dir ? CONTENT_SKIP : CONTENT_FILE;
	return u->options.on_entry(u->options.arg, &entry, err);
}

static int start_symlink(struct fx_untar *u, const struct header *h, struct fx_error *err)
{
	fx_auto(buf) struct fx_buf name = FX_BUF_INIT;
	int rc = take_name(u, h, &name, err);
	if (rc == 0 && u->options.symlinks_fail)
		return fx_fail(err, FX_E_INVALID,
		        "tar file entry %s is a symlink, which is not allowed in this context",
		        fx_buf_str(&name));
	return rc;
}

static int on_header(struct fx_untar *u, struct fx_error *err)
{
	static const unsigned char zeros[BLOCK];
	const struct header *h = (const struct header *)u->block;
	uint64_t size;
	if (memcmp(u->block, zeros, BLOCK) == 0) {
		u->tar_ended = true;
		return 0;
	}
	if (!checksum_holds(u->block))
		return fx_fail(err, FX_E_PARSE, "tar error: invalid header");
	int rc = parse_number(h->size, sizeof(h->size), &size, err);
	if (rc != 0)
		return rc;
	bool is_meta = h->type && strchr("xgLK", h->type);
	if (u->has_size && !is_meta) {
		size = u->size;
		u->has_size = false;
	}
	if (size > INT64_MAX - BLOCK)
		return fx_fail(err, FX_E_PARSE, "tar error: invalid header");
	u->left = size;
	u->padding = (size_t)((BLOCK - size % BLOCK) % BLOCK);
	u->content = CONTENT_SKIP;
	fx_buf_clear(&u->meta);
	switch (h->type) {
	case '\0':
	case '0':
	case '1': /* a hard link becomes an empty file, as in Flux */
	case '5':
	case '7':
		return start_entry(u, h, size, err);
	case '2':
		return start_symlink(u, h, err);
	case 'x':
	case 'L':
		if (size > FX_UNTAR_PAX_MAX)
			return fx_fail(err, FX_E_LIMIT, "tar extended header of more than %d bytes",
			        FX_UNTAR_PAX_MAX);
		u->content = h->type == 'x' ? CONTENT_PAX : CONTENT_LONG_NAME;
		return 0;
	case 'g':
	case 'K':
		return 0;
	}
	return fx_fail(err, FX_E_INVALID, "tar file entry %.100s contained unsupported file type '%c'",
	        h->name, h->type >= ' ' && h->type <= '~' ? h->type : '?');
}

static int pax_record(
        struct fx_untar *u, const char *key, const char *value, size_t len, struct fx_error *err)
{
	if (strcmp(key, "path") == 0) {
		fx_buf_clear(&u->name);
		fx_buf_add(&u->name, value, len);
	} else if (strcmp(key, "size") == 0) {
		char *end;
		u->size = strtoull(value, &end, 10);
		u->has_size = true;
		if (end != value + len || len == 0)
			return fx_fail(err, FX_E_PARSE, "tar error: invalid pax size");
	} else if (strncmp(key, "GNU.sparse.", 11) == 0) {
		return fx_fail(err, FX_E_INVALID, "tar contained a sparse file, which is not supported");
	}
	return 0;
}

/* Records of the form "<length> <key>=<value>\n". */
static int on_pax(struct fx_untar *u, struct fx_error *err)
{
	char *at = u->meta.data, *end = u->meta.data + u->meta.len;
	while (at < end) {
		char *after;
		unsigned long len = strtoul(at, &after, 10);
		if (after == at || *after != ' ' || len > (size_t)(end - at) ||
		        len < (size_t)(after - at) + 4 || at[len - 1] != '\n')
			return fx_fail(err, FX_E_PARSE, "tar error: invalid pax record");
		char *key = after + 1, *stop = at + len - 1;
		char *equal = memchr(key, '=', (size_t)(stop - key));
		if (!equal)
			return fx_fail(err, FX_E_PARSE, "tar error: invalid pax record");
		*equal = *stop = '\0';
		int rc = pax_record(u, key, equal + 1, (size_t)(stop - equal - 1), err);
		if (rc != 0)
			return rc;
		at += len;
	}
	return 0;
}

/* The last byte of an entry's content has come. */
static int on_content_end(struct fx_untar *u, struct fx_error *err)
{
	enum content content = u->content;
	u->content = CONTENT_SKIP;
	if (fx_buf_failed(&u->meta))
		return fx_fail_nomem(err);
	if (content == CONTENT_PAX && u->meta.len > 0)
		return on_pax(u, err);
	if (content == CONTENT_LONG_NAME) {
		fx_buf_clear(&u->name);
		fx_buf_add(&u->name, fx_buf_str(&u->meta), strlen(fx_buf_str(&u->meta)));
	}
	return 0;
}

/* Takes what it can of data; gives the number of bytes taken. */
static int take_content(
        struct fx_untar *u, const unsigned char *data, size_t len, size_t *taken, struct fx_error *err)
{
	int rc = 0;
	*taken = u->left < len ? (size_t)u->left : len;
	if (u->content == CONTENT_FILE)
		rc = u->options.on_data(u->options.arg, data, *taken, err);
	else if (u->content != CONTENT_SKIP)
		fx_buf_add(&u->meta, data, *taken);
	u->left -= *taken;
	if (rc == 0 && u->left == 0)
		rc = on_content_end(u, err);
	return rc;
}

static int feed_tar(struct fx_untar *u, const unsigned char *data, size_t len, struct fx_error *err)
{
	while (len > 0 && !u->tar_ended) {
		size_t n;
		int rc = 0;
		if (u->left > 0) {
			rc = take_content(u, data, len, &n, err);
		} else if (u->padding > 0) {
			n = u->padding < len ? u->padding : len;
			u->padding -= n;
		} else {
			n = BLOCK - u->block_len < len ? BLOCK - u->block_len : len;
			memcpy(u->block + u->block_len, data, n);
			u->block_len += n;
			if (u->block_len == BLOCK) {
				u->block_len = 0;
				rc = on_header(u, err);
			}
		}
		if (rc != 0)
			return rc;
		data += n;
		len -= n;
	}
	return 0;
}

int fx_untar_feed(struct fx_untar *u, const void *data, size_t len, struct fx_error *err)
{
	unsigned char out[INFLATE_BYTES];
	u->z.next_in = (unsigned char *)data;
	u->z.avail_in = (unsigned)len;
	/* What follows the end of the tar archive is read to its end but without meaning. */
	while (!u->gzip_ended) {
		u->z.next_out = out;
		u->z.avail_out = sizeof(out);
		int zrc = inflate(&u->z, Z_NO_FLUSH);
		if (zrc == Z_BUF_ERROR)
			return 0;
		if (zrc != Z_OK && zrc != Z_STREAM_END)
			return fx_fail(err, FX_E_PARSE, "requires gzip-compressed body: %s",
			        u->z.msg ? u->z.msg : "invalid data");
		int rc = feed_tar(u, out, sizeof(out) - u->z.avail_out, err);
		if (rc != 0)
			return rc;
		u->gzip_ended = zrc == Z_STREAM_END;
		if (u->z.avail_in == 0 && u->z.avail_out > 0)
			return 0;
	}
	return 0;
}

int fx_untar_finish(struct fx_untar *u, struct fx_error *err)
{
	if (!u->gzip_ended)
		return fx_fail(err, FX_E_PARSE, "requires gzip-compressed body: unexpected end of data");
	if (u->left > 0 || u->block_len > 0)
		return fx_fail(err, FX_E_PARSE, "tar error: unexpected end of data");
	return 0;
}
