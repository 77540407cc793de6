/*
 * FieldsV1, the trees of metadata.managedFields: keys "f:name", "k:{...}", "v:...", "." with
 * an object below. Pure.
 */
#ifndef FX_KUBE_FIELDS_H
#define FX_KUBE_FIELDS_H

#include "core/error.h"
#include "data/jansson.h"

/* Nesting that is looked into; the API server has a limit of its own far above real schemas. */
#define FX_FIELDS_DEPTH_MAX 256

/* Adds all of from to into (changed in place). False without memory or when nested too deep. */
bool fx_fields_union(json_t *into, const json_t *from) fx_must_use;

/*
 * Takes over the fields of other managers: entries of managed_fields (borrowed) without a subresource for
 * which is_taken says true are merged into the `manager` Apply entry, which moves to the end; when there is
 * none the first of them becomes it. *out: the new list (new reference), NULL when no entry is taken.
 */
int fx_fields_take_over(const json_t *managed_fields, const char *manager,
        bool (*is_taken)(const void *arg, const char *manager, const char *operation), const void *arg,
        json_t **out, struct fx_error *err) fx_must_use;

#endif
