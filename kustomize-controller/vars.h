/*
 * The variables of postBuild: values of ConfigMaps and Secrets in the order of substituteFrom,
 * inline ones last. Values never appear in an error.
 */
#ifndef KUSTOMIZE_CONTROLLER_VARS_H
#define KUSTOMIZE_CONTROLLER_VARS_H

#include "core/map.h"
#include "kube/client.h"

#include <stdint.h>

/* Variables of one Kustomization, and bytes of all their values. */
#define FX_VARS_MAX 20000
#define FX_VARS_BYTES_MAX (64 * 1024 * 1024)

struct fx_vars {
	struct fx_map values; /* name -> char *, owned */
	size_t bytes;
};

#define FX_VARS_INIT                                                                                         \
	{                                                                                                    \
		.values = FX_MAP_INIT_FREE(free)                                                             \
	}

void fx_vars_release(struct fx_vars *vars);
static inline void fx_auto_vars(struct fx_vars *vars)
{
	fx_vars_release(vars);
}

/* Copies a value without its newlines. */
int fx_vars_set(struct fx_vars *vars, const char *name, const char *value, struct fx_error *err) fx_must_use;

/* [worker] Loads everything that spec.postBuild names; kube is the controller's own identity. */
int fx_vars_load(struct fx_vars *vars, struct fx_kube *kube, const char *namespace_, const json_t *post_build,
        struct fx_cancel *cancel, struct fx_error *err) fx_must_use;

/* Every name must be one that can be substituted. */
int fx_vars_check(const struct fx_vars *vars, struct fx_error *err) fx_must_use;

/* Hash of names and values (of this process). */
uint64_t fx_vars_hash(const struct fx_vars *vars);

/* fx_envsubst_lookup over a struct fx_vars. */
const char *fx_vars_lookup(void *vars, const char *name);

#endif
