/*
 * The reconcile function of Kustomizations. One pass goes as far as it can; what it waits for
 * is the state (enum fx_ks_wait) with which the next pass begins.
 *
 *            +--------------------- new generation, token, revision, drift, interval ----------+
 *            v                                                                                 |
 *   checks -> source -> dependencies -> fetch -> build -> apply (stages) -> prune -> health -> finished
 *              |            |                            |                            |
 *              |            v                            v                            v
 *              |     WAIT_DEPENDENCY               WAIT_STAGE                   WAIT_HEALTH
 *              |     a dependency changes:         an object of the stage       an object changes, 5 s where
 *              |     checks again                  changes: apply again         no watch sees it, the
 * deadline: v                                   (what is done costs nothing) health again retry later
 *
 *   fetch fails -> WAIT_ARTIFACT, tries of --http-retry with growing pauses, a new revision at once
 *
 *   deleted: finalize -> [WAIT_GONE] -> finalizer removed
 *
 * A run writes the status once at its end, once when it begins to wait for health, and before a phase
 * that begins late enough for somebody to be watching; one that changes nothing writes nothing.
 */
#ifndef KUSTOMIZE_CONTROLLER_RECONCILER_H
#define KUSTOMIZE_CONTROLLER_RECONCILER_H

#include "ks.h"

/* struct fx_controller_options.reconcile; arg is the struct fx_ks. */
int fx_ks_reconcile(void *arg, struct fx_reconcile *reconcile, struct fx_result *out, struct fx_error *err);

/* The parts that lie in files of their own. Results: 0, or negative with err. */

/* [worker] Checks spec.dependsOn. 1: not ready, err says which (USER kind); 0: all are. */
int fx_ks_check_dependencies(struct fx_ks_run *run, struct fx_error *err) fx_must_use;

/* [worker] Deletion. */
int fx_ks_finalize(struct fx_ks_run *run, struct fx_error *err) fx_must_use;

/* [worker] run->kube: the controller's identity or the one to impersonate. */
int fx_ks_make_client(struct fx_ks_run *run, struct fx_error *err) fx_must_use;

#endif
