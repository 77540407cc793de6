/*
 * `status.history`: the last reconciles of a Kustomization, newest first; runs with the same
 * digest and outcome share one entry. Pure.
 */
#ifndef KUSTOMIZE_CONTROLLER_HISTORY_H
#define KUSTOMIZE_CONTROLLER_HISTORY_H

#include "core/cleanup.h"

#include <jansson.h>
#include <stdint.h>

#define FX_HISTORY_MAX 5

struct fx_history_entry {
	const char *digest; /* of the build output */
	const char *status; /* reason of the outcome */
	int64_t wall_ns;
	int64_t duration_ns;
	const char *revision, *origin_revision; /* metadata; "" or NULL: left out */
};

/* Updates or adds the entry at the front of the array. False without memory. */
bool fx_history_upsert(json_t *history, const struct fx_history_entry *entry) fx_must_use;

#endif
