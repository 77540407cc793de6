/*
 * Field ownership (`metadata.managedFields`) of applied objects: a fingerprint of what this
 * controller owns, which tells a change made by others from any event of a metadata watch, and
 * the clean-up patch that takes over fields of other tools. Pure.
 *
 * Why the fingerprint works: the API server takes a field out of an applier's set as soon as
 * somebody else changes or removes it, so an unchanged set means unchanged values.
 * Source of the clean-up rules: server-side apply rules of Flux (field manager take-over).
 */
#ifndef KUSTOMIZE_CONTROLLER_FIELDS_H
#define KUSTOMIZE_CONTROLLER_FIELDS_H

#include "core/error.h"

#include <jansson.h>
#include <stdint.h>

#define FX_FIELD_MANAGER "kustomize-controller"

/* Managers of `--override-manager`. */
struct fx_overrides {
	const char *const *names;
	size_t count;
};

/* Hash (of this process) of the field set that this controller has applied; 0: none. */
uint64_t fx_fields_hash(const json_t *object);

/* True when other tools own fields, or have left annotations, that a clean-up would take. */
bool fx_fields_need_cleanup(const json_t *object, const struct fx_overrides *overrides);

/* The clean-up as a JSON patch for the live object: a new array, or NULL in *out when there is
 * nothing to do. */
int fx_fields_cleanup_patch(const json_t *live, const struct fx_overrides *overrides, json_t **out,
        struct fx_error *err) fx_must_use;

/* A JSON patch that rewrites every entry to this API version, NULL in *out when all have it. */
int fx_fields_migrate_patch(
        const json_t *live, const char *api_version, json_t **out, struct fx_error *err) fx_must_use;

/* True when an applier other than this controller owns the JSON pointer in the live object;
 * items of lists are found by the keys that managedFields has for them. */
bool fx_fields_other_applier_owns(const json_t *live, const char *pointer);

/* The manager that last wrote fields other than ours, "" when there is none: for messages. */
const char *fx_fields_last_other_manager(const json_t *object);

#endif
