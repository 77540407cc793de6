/*
 * The selector of `patches[].target` for objects outside a build: anchored regular expressions for the
 * identity, Kubernetes' label selectors for labels and annotations. Owned by one thread at a time.
 */
#ifndef FX_KUSTOMIZE_SELECTOR_H
#define FX_KUSTOMIZE_SELECTOR_H

#include "core/arena.h"
#include "core/error.h"

#include <jansson.h>
#include <stdbool.h>

struct fx_object_selector;

/* target: {group, version, kind, name, namespace, labelSelector, annotationSelector}, absent or empty
 * means any. The selector lives in the arena and does not refer to target. FX_E_INVALID for an expression
 * that is none, FX_E_NOMEM. */
int fx_object_selector_new(struct fx_arena *arena, const json_t *target, struct fx_object_selector **out,
        struct fx_error *err) fx_must_use;

/* Does it select the object? FX_E_LIMIT when an expression takes too long on a text. */
int fx_object_selector_match(struct fx_object_selector *selector, const json_t *object, bool *out,
        struct fx_error *err) fx_must_use;

#endif
