/*
 * The files that a build sees: a directory on disk, or a tree in memory. Paths are absolute and
 * '/'-separated; each tree has a root that is a wall: nothing outside it, by `..` or by a symbolic link, can
 * be reached. Reading is safe from any number of threads while nobody changes the tree.
 */
#ifndef FX_KUSTOMIZE_FS_H
#define FX_KUSTOMIZE_FS_H

#include "core/arena.h"
#include "core/error.h"

#include <stddef.h>

/* Bytes of one file of a build: stops an accident, not a use. */
#define FX_FS_MAX_FILE (128u * 1024 * 1024)

enum fx_fs_type {
	FX_FS_FILE,
	FX_FS_DIR,
};

struct fx_fs;

/* A tree of one's own (for example an unpacked artifact) embeds struct fx_fs first and fills these in. */
struct fx_fs_ops {
	/* Follows symbolic links: the final absolute path (in the arena) and its type.
	 * FX_E_NOT_FOUND, FX_E_FORBIDDEN outside the root. path is absolute and clean (no `.`, `..`, `//`).
	 */
	int (*resolve)(const struct fx_fs *fs, const char *path, struct fx_arena *arena, const char **out,
	        enum fx_fs_type *type, struct fx_error *err);
	/* The bytes of a file, NUL-terminated behind len; in the arena or owned by the tree. */
	int (*read)(const struct fx_fs *fs, const char *path, struct fx_arena *arena, const char **data,
	        size_t *len, struct fx_error *err);
	void (*free)(struct fx_fs *fs);
};

struct fx_fs {
	const struct fx_fs_ops *ops;
};

/* The directory root (absolute or relative to the working directory) and what is below it. "/" for no wall.
 */
int fx_fs_new_disk(const char *root, struct fx_fs **out, struct fx_error *err) fx_must_use;

/* An empty tree in memory with "/" as its root. */
struct fx_fs *fx_fs_new_memory(void) fx_must_use;

/* Adds a file ("/apps/kustomization.yaml"); its directories come into being. data is copied. A second
 * file of the same path takes the first one's place. FX_E_INVALID: path not absolute and clean; FX_E_NOMEM.
 */
int fx_fs_memory_add(
        struct fx_fs *fs, const char *path, const void *data, size_t len, struct fx_error *err) fx_must_use;

void fx_fs_free(struct fx_fs *fs);
FX_DEFINE_AUTO(fs, struct fx_fs, fx_fs_free)

/* Joins and cleans lexically as Go's filepath.Join: an absolute rel is taken as it is. NULL without memory.
 */
char *fx_path_join(struct fx_arena *arena, const char *dir, const char *rel) fx_must_use;
/* Go's filepath.Clean. */
char *fx_path_clean(struct fx_arena *arena, const char *path) fx_must_use;
/* filepath.Dir of a clean absolute path. */
char *fx_path_dir(struct fx_arena *arena, const char *path) fx_must_use;
/* The last element; points into path. */
const char *fx_path_base(const char *path);
/* path is dir or lies below it; both clean and absolute. */
bool fx_path_is_below(const char *path, const char *dir);
/* path relative to dir, for display. NULL without memory. */
char *fx_path_relative(struct fx_arena *arena, const char *dir, const char *path) fx_must_use;

#endif
