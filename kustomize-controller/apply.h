/*
 * Applying a set of objects: stages, dry runs of all objects of a stage before any is written,
 * writes of those that differ. Objects that are known to be as they were left cost nothing.
 *
 * Source: server-side apply rules of Flux.
 */
#ifndef KUSTOMIZE_CONTROLLER_APPLY_H
#define KUSTOMIZE_CONTROLLER_APPLY_H

#include "ks.h"

/* How long definitions and classes may take to become current. */
#define FX_APPLY_STAGE_TIMEOUT_S 60
/* How long a kind may be missing whose definition the set has, and any kind of a set that has dependencies
 * (which may have brought it a moment ago): servers show new kinds late. */
#define FX_APPLY_KIND_TIMEOUT_S 60
#define FX_APPLY_FOREIGN_KIND_TIMEOUT_S 10

enum fx_apply_outcome {
	FX_APPLY_DONE,
	FX_APPLY_WAITING, /* a stage is not current yet, or a kind not served: state->wait is FX_KS_WAIT_STAGE
	                   */
};

/* Sets owner labels and common metadata and normalizes: what every object needs before it is
 * compared or sent. objects: array, changed in place. */
int fx_apply_prepare(struct fx_ks_run *run, json_t *objects, struct fx_error *err) fx_must_use;

/* [worker] objects: prepared. inventory receives every object that has been looked at, in
 * order. run->changes grows by a line for each change. The error's text has those lines too. */
int fx_apply(struct fx_ks_run *run, json_t *objects, struct fx_inventory *inventory,
        enum fx_apply_outcome *out, struct fx_error *err) fx_must_use;

/* True when all objects of the last apply are known to be as they were left. */
bool fx_apply_is_untouched(struct fx_ks_run *run);

#endif
