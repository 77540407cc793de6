/*
 * Health of a set of objects: from the image of the watches where they see the object, else by a
 * request. Looks once and says whether to go on, to come again, or to give up: waiting is a
 * state of the Kustomization, never of a worker.
 *
 * Source: health checks of the Kustomization API.
 */
#ifndef KUSTOMIZE_CONTROLLER_HEALTH_H
#define KUSTOMIZE_CONTROLLER_HEALTH_H

#include "ks.h"

/* Objects that no watch shows are asked for again after so long. */
#define FX_HEALTH_POLL_MS 5000

enum fx_health_result { FX_HEALTH_OK, FX_HEALTH_WAIT, FX_HEALTH_FAILED };

struct fx_health_set {
	struct fx_inventory entries;
	struct fx_kube *kube; /* for the requests */
	bool fail_fast;       /* one failed object ends the wait */
	int64_t next_ms;      /* out: come again after so long at the latest */
};

/* [worker] FAILED: err has upstream's text. Times as fx_now_ns(). */
enum fx_health_result fx_health_check(struct fx_ks_run *run, struct fx_health_set *set, int64_t started_ns,
        int64_t deadline_ns, struct fx_error *err);

/* The objects that a Kustomization's spec wants to be healthy: of spec.wait those applied, else
 * those of spec.healthChecks. */
int fx_health_entries(struct fx_ks_run *run, const struct fx_inventory *inventory, struct fx_inventory *out,
        struct fx_error *err) fx_must_use;

#endif
