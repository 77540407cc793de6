/*
 * The artifact storage of source-controller: a directory with one file for each artifact,
 * `<kind>/<namespace>/<name>/<file>`. Files appear whole (temporary file and rename), are found
 * by path beneath the root and nowhere else, and are removed by age and number. Thread safe;
 * writers of one artifact exclude each other by a lock file, also between processes.
 *
 * Source: source-controller reference, sections 2.7 and 3.
 */
#ifndef FX_ARTIFACT_STORE_H
#define FX_ARTIFACT_STORE_H

#include "data/digest.h"

#include <sys/types.h>

/* Files that one garbage collection looks at, and how long it may take. */
#define FX_STORE_GC_FILES_MAX 1000
#define FX_STORE_GC_MS 5000

struct fx_store;

struct fx_store_options {
	const char *path;     /* must exist */
	const char *addr;     /* --storage-addr */
	const char *adv_addr; /* --storage-adv-addr; NULL, "": from addr */
	int64_t retention_ttl_ms;
	int retention_records;
	enum fx_digest_algo algo;
};

/* Strings are copied. FX_E_INVALID when path is not a directory. */
int fx_store_new(
        const struct fx_store_options *options, struct fx_store **out, struct fx_error *err) fx_must_use;
void fx_store_free(struct fx_store *store);
FX_DEFINE_AUTO(store, struct fx_store, fx_store_free)

enum fx_digest_algo fx_store_algo(const struct fx_store *store);
const char *fx_store_hostname(const struct fx_store *store);

/* "http://<hostname>/<path>". Owned by the caller, NULL without memory. */
char *fx_store_url(const struct fx_store *store, const char *path) fx_must_use;

/* Opens a file or directory beneath the root; flags as of open(2). A descriptor, or -1 and errno. */
int fx_store_open(const struct fx_store *store, const char *path, int flags) fx_must_use;

/* Is the file there and a regular one? */
bool fx_store_has(const struct fx_store *store, const char *path);

/* Compares a stored file with its digest; a file that has not been touched since it was last
 * compared is not read again. FX_E_DIGEST, FX_E_INVALID (digest text), FX_E_IO, FX_E_NOT_FOUND. */
int fx_store_verify(
        struct fx_store *store, const char *path, const char *digest, struct fx_error *err) fx_must_use;

/* Makes the directory of an artifact (mode 0700, with its parents). */
int fx_store_make_dir(struct fx_store *store, const char *path, struct fx_error *err) fx_must_use;

/* Waits for the advisory lock of an artifact's file; *out_fd holds it until closed. */
int fx_store_lock(struct fx_store *store, const char *path, int *out_fd, struct fx_error *err) fx_must_use;

/* A file being written; its directory must exist. */
struct fx_store_file;
int fx_store_create(struct fx_store *store, const char *path, struct fx_store_file **out,
        struct fx_error *err) fx_must_use;
/* Descriptor to write to. */
int fx_store_file_fd(const struct fx_store_file *file);
/* Makes it the artifact's file (mode 0600). digest: of its bytes, remembered as verified. */
int fx_store_file_commit(
        struct fx_store_file *file, const struct fx_digest *digest, struct fx_error *err) fx_must_use;
/* Removes it when it was not committed. */
void fx_store_file_free(struct fx_store_file *file);
FX_DEFINE_AUTO(store_file, struct fx_store_file, fx_store_file_free)

int fx_store_remove(struct fx_store *store, const char *path, struct fx_error *err) fx_must_use;
/* Removes a directory and all below it; not there is fine. */
int fx_store_remove_all(struct fx_store *store, const char *dir, struct fx_error *err) fx_must_use;

/* Removes what is too old or too much in the directory of `current` (path of the artifact in
 * use, never removed), and what a killed process left unfinished there: nobody else may be
 * writing in it. *out_count: artifacts removed. */
int fx_store_collect(
        struct fx_store *store, const char *current, size_t *out_count, struct fx_error *err) fx_must_use;

#endif
