/*
 * The patches of the Kubernetes API that do not track fields: JSON Patch (RFC 6902), JSON
 * merge patch (RFC 7386) and strategic merge patch. Pure.
 */
#ifndef FX_TEST_APISERVER_PATCH_H
#define FX_TEST_APISERVER_PATCH_H

#include "core/error.h"

#include <jansson.h>

/* Each gives a new value and leaves object alone. FX_E_INVALID with the reason. */
int fx_as_patch_json(
        const json_t *object, const json_t *patch, json_t **out, struct fx_error *err) fx_must_use;
json_t *fx_as_patch_merge(const json_t *object, const json_t *patch);
json_t *fx_as_patch_strategic(const json_t *schema, const json_t *object, const json_t *patch);

#endif
