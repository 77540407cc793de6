/*
 * Where the manifests come from: the source object of a Kustomization, its artifact, and the
 * unpacked tree. Sources are read from the images that the controller keeps of them.
 */
#ifndef KUSTOMIZE_CONTROLLER_SOURCE_H
#define KUSTOMIZE_CONTROLLER_SOURCE_H

#include "ks.h"

/* Kinds in the order of struct fx_ks.sources. */
struct fx_ks_source_kind {
	const char *kind;
	const char *resource;
};
extern const struct fx_ks_source_kind fx_ks_source_kinds[FX_KS_SOURCES];

enum fx_ks_source_result {
	FX_KS_SOURCE_OK,
	FX_KS_SOURCE_DENIED,      /* terminal */
	FX_KS_SOURCE_NOT_FOUND,   /* again after the retry interval */
	FX_KS_SOURCE_NO_ARTIFACT, /* again after the dependency interval */
	FX_KS_SOURCE_FAILED,      /* error with backoff */
};

/* [worker] Fills run->artifact. err is set for all but OK and NO_ARTIFACT. */
enum fx_ks_source_result fx_ks_source_find(struct fx_ks_run *run, struct fx_error *err);

/* [worker] The tree of run->artifact. FX_E_NOT_FOUND: the artifact server does not have it. */
int fx_ks_source_tree(struct fx_ks_run *run, struct fx_tree **out, struct fx_error *err) fx_must_use;

void fx_ks_artifact_release(struct fx_ks_artifact *artifact);

/* A tree as builds see it; absolute paths below "/". */
struct fx_ks_tree_fs {
	struct fx_fs fs;
	const struct fx_tree *tree;
	struct fx_tree_view view;
};
void fx_ks_tree_fs_init(struct fx_ks_tree_fs *fs, const struct fx_tree *tree);

#endif
