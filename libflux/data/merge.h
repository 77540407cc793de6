/*
 * Strategic merge as kustomize does it (kyaml's walker, which is not apimachinery's): patch elements
 * of merging lists go in front, `$setElementOrder` and friends are ordinary keys.
 */
#ifndef FX_DATA_MERGE_H
#define FX_DATA_MERGE_H

#include "core/arena.h"
#include "core/error.h"
#include "data/node.h"
#include "data/schema.h"

/*
 * Merges patch into dest. Both trees are changed and become one: hand in copies of what is needed later. *out
 * is dest, or NULL when the patch deletes it (`$patch: replace` at the top changes nothing, as upstream).
 * FX_E_INVALID "wrong node kind: expected MappingNode but got SequenceNode", "unknown patch strategy 'x'".
 */
int fx_strategic_merge(struct fx_arena *arena, const struct fx_schema_set *schema, struct fx_node *dest,
        struct fx_node *patch, struct fx_node **out, struct fx_error *err) fx_must_use;

#endif
