/*
 * A scratch object database: one pack, indexed as it arrives into a directory of its own, and
 * the commits, trees and blobs in it. It goes with its directory. One scratch, one worker.
 * fx_git_init() must have been called in the process.
 */
#ifndef FX_SOURCE_GIT_SCRATCH_H
#define FX_SOURCE_GIT_SCRATCH_H

#include "core/error.h"

#include <git2.h>

/* Objects of one pack (each costs some 150 bytes of memory), bytes of one tree or commit, and of one file,
 * which is held in memory: what a hostile pack may cost. */
#define FX_GIT_OBJECTS_MAX 4000000u
#define FX_GIT_TREE_MAX (64ull * 1024 * 1024)
#define FX_GIT_BLOB_MAX (256ull * 1024 * 1024)

/* Sets libgit2 up: no object cache (each object is read once), no block of memory larger than the largest
 * file. Once a process; [main]. */
void fx_git_init(void);
/* The second part of it. */
void fx_git_bound_memory(void);

/* Removes the scratch directories that a killed process of ours left in TMPDIR: those whose names
 * begin with prefix and that no process holds. [main], once. */
void fx_git_scratch_sweep(const char *prefix);

struct fx_git_scratch;

/* prefix: of the directory's name ("gitrepository-ns-name-"); it lies in TMPDIR or /tmp. */
int fx_git_scratch_new(const char *prefix, struct fx_git_scratch **out, struct fx_error *err) fx_must_use;
void fx_git_scratch_free(struct fx_git_scratch *scratch);
FX_DEFINE_AUTO(git_scratch, struct fx_git_scratch, fx_git_scratch_free)

/* A piece of the pack; arg is the scratch: fits fx_git_remote_fetch(). */
int fx_git_scratch_feed(void *arg, const void *data, size_t len, struct fx_error *err) fx_must_use;
/* The pack is complete: objects can be read. */
int fx_git_scratch_finish(struct fx_git_scratch *scratch, struct fx_error *err) fx_must_use;

/* Reads an object of this type; at most max bytes. Free it with git_odb_object_free(). */
int fx_git_scratch_read(struct fx_git_scratch *scratch, const git_oid *oid, git_object_t type, uint64_t max,
        git_odb_object **out, struct fx_error *err) fx_must_use;
static inline void fx_auto_git_object(git_odb_object **object)
{
	git_odb_object_free(*object);
}

struct fx_git_commit_info {
	git_oid tree;
	int64_t committed_s;
	char *subject; /* owned: first line of the message */
};
void fx_git_commit_info_release(struct fx_git_commit_info *info);
int fx_git_scratch_commit(struct fx_git_scratch *scratch, const char *hash, struct fx_git_commit_info *out,
        struct fx_error *err) fx_must_use;

#endif
