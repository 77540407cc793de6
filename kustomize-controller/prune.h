/*
 * Deleting what is no longer wanted, in the reverse of the order of applying. An object goes only
 * when it carries this Kustomization's owner labels and nothing on it forbids it.
 *
 * Source: garbage collection of the Kustomization API.
 */
#ifndef KUSTOMIZE_CONTROLLER_PRUNE_H
#define KUSTOMIZE_CONTROLLER_PRUNE_H

#include "ks.h"

/* Release with fx_prune_result_release(). */
struct fx_prune_result {
	struct fx_buf lines;         /* "<subject> deleted" or "skipped" */
	struct fx_inventory deleted; /* those that were there and are going */
	struct fx_inventory kept;    /* those whose fate is not known: they stay in the inventory */
};
void fx_prune_result_release(struct fx_prune_result *result);
static inline void fx_auto_prune_result(struct fx_prune_result *result)
{
	fx_prune_result_release(result);
}

/* [worker] Goes on after an error; the error then names all. */
int fx_prune(struct fx_ks_run *run, const struct fx_inventory *stale, struct fx_prune_result *out,
        struct fx_error *err) fx_must_use;

/* [worker] 1: still going, 0: gone, negative: cannot be told. */
int fx_prune_is_there(struct fx_ks_run *run, const struct fx_entry *entry, struct fx_error *err) fx_must_use;

#endif
