/*
 * Drift ignore rules (`spec.ignore`): fields of applied objects that others may change. Such a field is no
 * reason to write an object, and a write for another reason leaves it as it is. Owned by one thread at
 * a time.
 *
 * Source: server-side apply rules of Flux, drift ignore rules.
 */
#ifndef KUSTOMIZE_CONTROLLER_IGNORE_H
#define KUSTOMIZE_CONTROLLER_IGNORE_H

#include "core/cleanup.h"
#include "core/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct fx_drift_ignore;

/* rules: `spec.ignore`, may be NULL. FX_E_INVALID for a selector that is none. */
int fx_drift_ignore_new(const json_t *rules, struct fx_drift_ignore **out, struct fx_error *err) fx_must_use;
void fx_drift_ignore_free(struct fx_drift_ignore *ignore);
FX_DEFINE_AUTO(drift_ignore, struct fx_drift_ignore, fx_drift_ignore_free)

/* Hash (of this process) of the rules; 0: none. */
uint64_t fx_drift_ignore_hash(const struct fx_drift_ignore *ignore);

/* As fx_ssa_has_drifted(), without the fields that the rules name. */
int fx_drift_ignore_has_drifted(struct fx_drift_ignore *ignore, const json_t *live, const json_t *dry_run,
        bool *out, struct fx_error *err) fx_must_use;

/* What to send instead of object, of which live and dry_run are the state and what applying would
 * make of it: fields named by a rule that differ are left out when another applier owns them, else they
 * have the live value. New reference. */
int fx_drift_ignore_resolve(struct fx_drift_ignore *ignore, const json_t *object, const json_t *live,
        const json_t *dry_run, json_t **out, struct fx_error *err) fx_must_use;

#endif
