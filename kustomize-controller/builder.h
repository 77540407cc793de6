/*
 * From files to objects: generated kustomization.yaml, kustomize build, substitution, decoding.
 * A pure function of the tree, the spec and the variables; any number may run at once.
 *
 * Source: the Kustomization API, build and postBuild.
 */
#ifndef KUSTOMIZE_CONTROLLER_BUILDER_H
#define KUSTOMIZE_CONTROLLER_BUILDER_H

#include "trace.h"
#include "vars.h"

#include "kustomize/kustomize.h"

/* Memory of one build: a Kustomization that needs more ends with an error, the others go on. */
#define FX_BUILDER_MEMORY_MAX (512u * 1024 * 1024)
/* "sha256:" and 64 hex digits. */
#define FX_BUILDER_DIGEST_SIZE 72

struct fx_build_input {
	const struct fx_tree_view *tree;
	const char *dir; /* absolute and clean */
	const json_t *spec;
	struct fx_vars *vars; /* of postBuild; NULL when the spec has none */
	bool strict;          /* StrictPostBuildSubstitutions */
	const struct fx_remote *remote;
};

/* Release with fx_build_output_release(). */
struct fx_build_output {
	json_t *objects; /* array, in build order */
	char digest[FX_BUILDER_DIGEST_SIZE];
	char *trace; /* NULL: not to be remembered */
	size_t trace_len;
};

#define FX_BUILD_OUTPUT_INIT                                                                                 \
	{                                                                                                    \
		0                                                                                            \
	}
void fx_build_output_release(struct fx_build_output *out);
static inline void fx_auto_build_output(struct fx_build_output *out)
{
	fx_build_output_release(out);
}

int fx_builder_build(
        const struct fx_build_input *in, struct fx_build_output *out, struct fx_error *err) fx_must_use;

#endif
