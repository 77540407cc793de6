/*
 * What the real server does with the built-in kinds beyond their schema: values it fills in,
 * what it refuses, and what may not change. Pure, but for the address counter handed in.
 */
#ifndef FX_TEST_APISERVER_BUILTIN_H
#define FX_TEST_APISERVER_BUILTIN_H

#include "kinds.h"

/* Fills in what plain defaults cannot say; old is NULL on create. */
void fx_as_builtin_prepare(const struct fx_as_resource *resource, json_t *object, const json_t *old);

/* Hands out addresses and ports, which no manager owns. counter: the source of both. */
void fx_as_builtin_allocate(
        const struct fx_as_resource *resource, json_t *object, const json_t *old, unsigned *counter);

/* Appends problems as fx_as_schema_validate() does; old is NULL on create. */
void fx_as_builtin_validate(
        const struct fx_as_resource *resource, const json_t *object, const json_t *old, json_t *problems);

/* Problems of metadata: name, labels, annotations' size, finalizers. */
void fx_as_meta_validate(const struct fx_as_resource *resource, const json_t *object, json_t *problems);

#endif
