/*
 * JSON Patch (RFC 6902) on document trees, with the deviations of evanphx/json-patch v4 that
 * kustomize shows: `replace` of a missing key adds it, negative indexes count from the end, text before the
 * first '/' of a pointer is ignored.
 */
#ifndef FX_DATA_JSONPATCH_H
#define FX_DATA_JSONPATCH_H

#include "core/arena.h"
#include "core/error.h"
#include "data/node.h"

/* Operations of one patch: each may copy a large subtree. */
#define FX_JSONPATCH_MAX_OPS 10000

/* Reads a patch: JSON when text starts with '[', else YAML. *out is a sequence of maps. */
int fx_jsonpatch_read(struct fx_arena *arena, const char *text, size_t len, struct fx_node **out,
        struct fx_error *err) fx_must_use;

/*
 * Applies ops to *doc, a tree of plain values (fx_node_to_values); it is changed in place and may be
 * replaced as a whole. Stops at the first operation that fails: FX_E_INVALID with upstream's text.
 */
int fx_jsonpatch_apply(struct fx_arena *arena, const struct fx_node *ops, struct fx_node **doc,
        struct fx_error *err) fx_must_use;

#endif
