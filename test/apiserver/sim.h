/*
 * The simulated kubelet and workload controllers: a status for Deployments, ReplicaSets, StatefulSets,
 * DaemonSets, Jobs, Pods, claims and load balancers. Annotations on the object say otherwise:
 * `sim.flux/delay-ms` (until it is ready), `sim.flux/fail` (it never is; the value is the message).
 */
#ifndef FX_TEST_APISERVER_SIM_H
#define FX_TEST_APISERVER_SIM_H

#include "state.h"

/* Milliseconds until the status is due after a change; -1 when the kind has no simulated status. */
int fx_as_sim_delay(const struct fx_as_resource *resource, const json_t *object);

/* The status as soon as the object is there (in progress), and when it is due. Called with the lock held. */
void fx_as_sim_begin(struct fx_as *as, struct fx_as_resource *resource, const json_t *object);
void fx_as_sim_settle(struct fx_as *as, struct fx_as_resource *resource, const json_t *object);

#endif
