/*
 * Walking API objects along their OpenAPI schema: the one of a CustomResourceDefinition or
 * the built-in ones of types.h. A NULL schema is "anything": objects are maps, lists are
 * replaced as a whole. Pure.
 */
#ifndef FX_TEST_APISERVER_SCHEMA_H
#define FX_TEST_APISERVER_SCHEMA_H

#include <jansson.h>
#include <stdbool.h>

/* Follows a $ref into the built-in types. */
const json_t *fx_as_schema_resolve(const json_t *schema);

struct fx_as_field {
	const json_t *schema; /* NULL: anything */
	bool named;           /* a field of the schema, not a key of a map */
	bool declared;        /* the schema allows it */
};
/* What the schema says about the member key of an object. */
struct fx_as_field fx_as_schema_field(const json_t *schema, const char *key);

/* The schema of the items of a list. */
const json_t *fx_as_schema_items(const json_t *schema);

/* True when server-side apply takes this value as a whole: a scalar, an atomic list or map. */
bool fx_as_schema_is_leaf(const json_t *schema, const json_t *value);

/* The path element of an item of a list that is merged: `k:{"name":"a"}` or `v:"a"`; to be
 * freed. NULL when the item lacks its keys. */
char *fx_as_schema_item_key(const json_t *list_schema, const json_t *item);

/* Sets the defaults in place, as apiextensions does (absent fields, and nulls that may not be null),
 * and writes quantities given as numbers as text. */
void fx_as_schema_default(const json_t *schema, json_t *value);

/* Removes undeclared fields in place; their paths ("spec.foo") are appended to unknown (may be NULL). */
void fx_as_schema_prune(const json_t *schema, json_t *value, const char *path, json_t *unknown);

/* The object that a Go struct without values is written as: fields embedded by value only. */
json_t *fx_as_schema_zero(const json_t *schema);

/* Appends to problems {"reason","field","message"} as kube-openapi's validation words them;
 * path: "" at the root. */
void fx_as_schema_validate(const json_t *schema, const json_t *value, const char *path, json_t *problems);

/* Appends the errors of structured-merge-diff's typed conversion as strings:
 * `.spec.foo: field not declared in schema`. */
void fx_as_schema_check_typed(const json_t *schema, const json_t *value, const char *path, json_t *errors);

#endif
