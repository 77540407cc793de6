/*
 * The kustomization.yaml that is built: the one of the source, or one made from the manifests
 * below the directory when there is none, with the fields of the Kustomization's spec merged in.
 * Pure: the file is returned as text and laid over the tree by the builder.
 *
 * Source: the Kustomization API, "Generate kustomization.yaml" and the fields that are merged.
 */
#ifndef KUSTOMIZE_CONTROLLER_KSFILE_H
#define KUSTOMIZE_CONTROLLER_KSFILE_H

#include "core/arena.h"
#include "core/buf.h"
#include "core/error.h"
#include "kustomize/fs.h"

#include <jansson.h>

/* Directories below one another that the scan for manifests follows. */
#define FX_KSFILE_DEPTH_MAX 100
/* Manifests and directories that a generated file may list. */
#define FX_KSFILE_RESOURCES_MAX 100000

/* Entries of a directory: names sorted by bytes, in the arena. */
struct fx_ksfile_entry {
	const char *name;
	bool is_dir;
};

struct fx_ksfile_input {
	const struct fx_fs *fs;
	const char *dir; /* absolute and clean: where spec.path leads */
	const json_t *spec;
	int (*list)(void *arg, const char *dir, struct fx_arena *arena, struct fx_ksfile_entry **out,
	        size_t *count, struct fx_error *err);
	void *list_arg;
};

/* *out_path: the file's absolute path, in the arena; text: the YAML, appended. */
int fx_ksfile_make(const struct fx_ksfile_input *in, struct fx_arena *arena, const char **out_path,
        struct fx_buf *text, struct fx_error *err) fx_must_use;

/* True for component paths that are neither remote nor absolute. */
bool fx_ksfile_is_local(const char *component);

#endif
