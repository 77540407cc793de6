/*
 * A tree of files that remembers what a build has looked at: the files it read (by a hash of their
 * bytes), the paths it asked for, the directories it listed. When all of this is the same in
 * another tree, the build's result is the same and need not be made: that is how a new revision of a
 * monorepo costs a build only where something changed.
 *
 * A tracing tree belongs to one thread; a finished trace is immutable and packed.
 */
#ifndef KUSTOMIZE_CONTROLLER_TRACE_H
#define KUSTOMIZE_CONTROLLER_TRACE_H

#include "ksfile.h"

#include "core/map.h"

#include <stdint.h>

/* Bytes that a kept trace may take; a build that looks at more is not remembered. */
#define FX_TRACE_MAX (64 * 1024)

/* What a build reads from. */
struct fx_tree_view {
	const struct fx_fs *fs;
	int (*list)(void *arg, const char *dir, struct fx_arena *arena, struct fx_ksfile_entry **out,
	        size_t *count, struct fx_error *err);
	void *list_arg;
};

struct fx_trace_fs {
	struct fx_fs fs; /* hand this to the build */
	const struct fx_tree_view *base;
	const char *overlay_path; /* a file that is laid over the tree, NULL: none */
	const char *overlay_data;
	size_t overlay_len;
	struct fx_map seen;
	struct fx_buf packed;
};

/* base is borrowed for the life of the tracing tree. */
void fx_trace_fs_init(struct fx_trace_fs *fs, const struct fx_tree_view *base);
void fx_trace_fs_release(struct fx_trace_fs *fs);
static inline void fx_auto_trace_fs(struct fx_trace_fs *fs)
{
	fx_trace_fs_release(fs);
}

/* Lays a file over the tree; path and data are borrowed. */
void fx_trace_fs_overlay(struct fx_trace_fs *fs, const char *path, const char *data, size_t len);

/* The list function for struct fx_ksfile_input; arg is the struct fx_trace_fs. */
int fx_trace_list(void *arg, const char *dir, struct fx_arena *arena, struct fx_ksfile_entry **out,
        size_t *count, struct fx_error *err);

/* Takes the trace out: owned by the caller (free(3)), NULL when it is too large or without memory. */
char *fx_trace_take(struct fx_trace_fs *fs, size_t *out_len);

/* True when a build that left this trace would see the same in view. */
bool fx_trace_matches(const char *trace, size_t len, const struct fx_tree_view *view);

#endif
