/*
 * Content digests in the form `algorithm:hex`, computed piece by piece. One context belongs
 * to one thread at a time; everything else is pure.
 *
 * Source: the artifact's digest field (source-controller reference, sections 1.1 and 3.2).
 */
#ifndef FX_DATA_DIGEST_H
#define FX_DATA_DIGEST_H

#include "core/error.h"

#include <stddef.h>
#include <stdint.h>

enum fx_digest_algo {
	FX_DIGEST_SHA1,
	FX_DIGEST_SHA256,
	FX_DIGEST_SHA384,
	FX_DIGEST_SHA512,
	FX_DIGEST_BLAKE3, /* 256 bits */
};

#define FX_DIGEST_BYTES_MAX 64
/* "sha512:" and its hexadecimal digits, with the NUL. */
#define FX_DIGEST_TEXT 160

/* "sha256" ...: the names that --artifact-digest-algo accepts. FX_E_INVALID otherwise. */
int fx_digest_algo_parse(const char *name, enum fx_digest_algo *out, struct fx_error *err) fx_must_use;
const char *fx_digest_algo_name(enum fx_digest_algo algo);
/* Bytes of a digest (half its hexadecimal digits). */
size_t fx_digest_algo_size(enum fx_digest_algo algo);

/* A parsed digest. */
struct fx_digest {
	enum fx_digest_algo algo;
	char text[FX_DIGEST_TEXT]; /* whole, lower case: "sha256:ab..." */
};

/* The digits of it. Borrowed. */
const char *fx_digest_hex(const struct fx_digest *digest);

/* Parses `algo:hex`; without an algorithm it is sha256. FX_E_INVALID for an unknown algorithm,
 * a wrong length or a character that is not a digit. */
int fx_digest_parse(const char *text, struct fx_digest *out, struct fx_error *err) fx_must_use;
bool fx_digest_equal(const struct fx_digest *a, const struct fx_digest *b);

struct fx_digester;

/* NULL without memory. Owned by the caller. */
struct fx_digester *fx_digester_new(enum fx_digest_algo algo);
void fx_digester_free(struct fx_digester *digester);
FX_DEFINE_AUTO(digester, struct fx_digester, fx_digester_free)
void fx_digester_update(struct fx_digester *digester, const void *data, size_t len);
/* Ends it; only fx_digester_free() may follow. */
void fx_digester_final(struct fx_digester *digester, struct fx_digest *out);

/* Of bytes in memory, and of what is left in an open file. */
int fx_digest_bytes(enum fx_digest_algo algo, const void *data, size_t len, struct fx_digest *out,
        struct fx_error *err) fx_must_use;
int fx_digest_fd(enum fx_digest_algo algo, int fd, struct fx_digest *out, struct fx_error *err) fx_must_use;

#endif
