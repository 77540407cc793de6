/*
 * JSON merge patch (RFC 7396) on jansson values: applying one, and finding the smallest one
 * that turns one value into another. Pure; inputs are not changed unless said.
 */
#ifndef FX_DATA_MERGEPATCH_H
#define FX_DATA_MERGEPATCH_H

#include "core/error.h"

#include <jansson.h>
#include <stdint.h>

/* The patch that turns before into after: arrays are replaced whole. Returns a new reference
 * (an empty object when they are equal), or NULL without memory. */
json_t *fx_merge_patch_diff(const json_t *before, const json_t *after);

/* Applies patch to target and returns the result (new reference; parts may be shared with both,
 * so that neither may be changed in place afterwards). NULL without memory. */
json_t *fx_merge_patch_apply(const json_t *target, const json_t *patch);

#endif
