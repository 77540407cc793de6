/*
 * Reads a gzip-compressed tar archive as it arrives: bytes are pushed in, entries and their
 * content come out through callbacks. Everything about an archive is hostile: names are checked
 * and cleaned, sizes and counts are bounded. One reader, one thread at a time.
 *
 * Source: source-controller reference, section 3.8; POSIX pax interchange format, with GNU long names.
 */
#ifndef FX_ARTIFACT_UNTAR_H
#define FX_ARTIFACT_UNTAR_H

#include "core/error.h"

#include <stddef.h>
#include <stdint.h>

/* Unpacked bytes, entries and bytes of one name when the options give no limit: stop an archive
 * that fills memory or disk by unpacking to many times its size. */
#define FX_UNTAR_BYTES_MAX (4ull * 1024 * 1024 * 1024)
#define FX_UNTAR_ENTRIES_MAX 2000000
#define FX_UNTAR_NAME_MAX 4096
/* One pax header block. */
#define FX_UNTAR_PAX_MAX (256 * 1024)

struct fx_untar_entry {
	const char *path; /* clean and relative: "a/b"; "" for the root. Borrowed. */
	bool is_dir;
	uint32_t mode; /* permission bits */
	uint64_t size; /* 0 for a directory */
};

struct fx_untar_options {
	uint64_t max_bytes; /* 0: FX_UNTAR_BYTES_MAX */
	bool symlinks_fail; /* else they are left out */
	/* An entry begins; its bytes follow, in pieces. Negative: stop with that error. */
	int (*on_entry)(void *arg, const struct fx_untar_entry *entry, struct fx_error *err);
	int (*on_data)(void *arg, const void *data, size_t len, struct fx_error *err);
	void *arg;
};

struct fx_untar;

/* options: copied. NULL without memory. Owned by the caller. */
struct fx_untar *fx_untar_new(const struct fx_untar_options *options);
void fx_untar_free(struct fx_untar *untar);
FX_DEFINE_AUTO(untar, struct fx_untar, fx_untar_free)

/* More compressed bytes. Errors: PARSE (no gzip, no tar, checksum), INVALID (a name or type that is not
 * allowed), LIMIT, and what the callbacks give. After an error only free is allowed. */
int fx_untar_feed(struct fx_untar *untar, const void *data, size_t len, struct fx_error *err) fx_must_use;

/* The input has ended: FX_E_PARSE when it was cut short. */
int fx_untar_finish(struct fx_untar *untar, struct fx_error *err) fx_must_use;

#endif
