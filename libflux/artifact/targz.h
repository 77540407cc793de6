/*
 * Writes the artifact archive: tar.gz, the same bytes for the same entries on every run and
 * machine (with one zlib). Entries are written in the order they come: parents before children,
 * names of a directory sorted. One writer, one thread.
 *
 * Source: source-controller reference, section 3.4.
 */
#ifndef FX_ARTIFACT_TARGZ_H
#define FX_ARTIFACT_TARGZ_H

#include "data/digest.h"

/* A longer path is refused. */
#define FX_TARGZ_PATH_MAX 4096

struct fx_targz;

/* Writes to fd (borrowed) from its position on. Owned by the caller. */
int fx_targz_new(int fd, enum fx_digest_algo algo, struct fx_targz **out, struct fx_error *err) fx_must_use;
void fx_targz_free(struct fx_targz *targz);
FX_DEFINE_AUTO(targz, struct fx_targz, fx_targz_free)

/* path: relative ("a/b"), "." for the root; no slash at the end. Errors: IO, INVALID (path), NOMEM. */
int fx_targz_add_dir(struct fx_targz *targz, const char *path, struct fx_error *err) fx_must_use;
/* A file whose size bytes follow through fx_targz_write(). */
int fx_targz_add_file(struct fx_targz *targz, const char *path, bool is_exec, uint64_t size,
        struct fx_error *err) fx_must_use;
int fx_targz_write(struct fx_targz *targz, const void *data, size_t len, struct fx_error *err) fx_must_use;

/* Ends the archive: digest and size of the compressed bytes. */
int fx_targz_finish(
        struct fx_targz *targz, struct fx_digest *out, uint64_t *out_size, struct fx_error *err) fx_must_use;

#endif
