/*
 * Sets of fields, as managedFields has them, and the merge of server-side apply: the rules
 * of structured-merge-diff. A set is a tree of JSON objects: a key is a path element of
 * fieldsV1 (`f:name`, `k:{..}`, `v:..`), the key "." says that the path itself is in the set.
 * NULL is the empty set; results are new references. Pure.
 */
#ifndef FX_TEST_APISERVER_FIELDS_H
#define FX_TEST_APISERVER_FIELDS_H

#include <jansson.h>

/* To and from the text form of fieldsV1, where a leaf is {} without ".". */
json_t *fx_as_fields_decode(const json_t *fields_v1);
json_t *fx_as_fields_encode(const json_t *set);

json_t *fx_as_fields_union(const json_t *a, const json_t *b);
json_t *fx_as_fields_intersect(const json_t *a, const json_t *b);
json_t *fx_as_fields_difference(const json_t *a, const json_t *b);
/* Adds every struct field that has fields below it. */
json_t *fx_as_fields_ensure_named(const json_t *schema, const json_t *set);

/* The fields that a value sets. */
json_t *fx_as_fields_of(const json_t *schema, const json_t *value);

/* What differs between two values: added or modified, and removed. Either may be NULL. */
void fx_as_fields_compare(const json_t *schema, const json_t *old, const json_t *new, json_t **out_changed,
        json_t **out_removed);

/* `.spec.containers[name="a"].image` for each path of the set, appended to out as strings. */
void fx_as_fields_paths(const json_t *set, json_t *out);

/* live with config laid over it. */
json_t *fx_as_fields_merge(const json_t *schema, const json_t *live, const json_t *config);

/* value without the paths of the set. */
json_t *fx_as_fields_remove(const json_t *schema, const json_t *value, const json_t *set);

#endif
