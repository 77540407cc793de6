/*
 * What the controller manager and the kubelets of a cluster do, in small, on one thread: garbage
 * collection by owner references, namespaces and definitions that go, and the status of workloads.
 */
#ifndef FX_TEST_APISERVER_CONTROLLERS_H
#define FX_TEST_APISERVER_CONTROLLERS_H

#include "core/error.h"
#include "state.h"

int fx_as_controllers_start(struct fx_as *as, struct fx_error *err) fx_must_use;
void fx_as_controllers_stop(struct fx_as *as);

/* With the lock held: a change to look at. */
void fx_as_controllers_change(struct fx_as *as, const struct fx_as_change *change);
/* With the lock held: deadlines may have changed. */
void fx_as_controllers_wake(struct fx_as *as);

#endif
