/*
 * Short ways to build API objects as jansson values, and the Status objects that
 * every failure of the embedded API server is. Pure; borrowed references unless said.
 */
#ifndef FX_TEST_APISERVER_OBJ_H
#define FX_TEST_APISERVER_OBJ_H

#include "core/cleanup.h"
#include "data/jansson.h"

#include <stdbool.h>

/* Sets value (stolen) at the path, making the objects on the way. */
void fx_as_put(json_t *object, json_t *value, ...) __attribute__((sentinel));

/* True when the array holds this string. */
bool fx_as_array_has(const json_t *array, const char *text);

/* Compact text of a value, keys sorted: the form of keys in fieldsV1. To be freed. */
char *fx_as_text(const json_t *value);

/* metadata.name and metadata.namespace, "" when there is none. */
const char *fx_as_name(const json_t *object);
const char *fx_as_namespace(const json_t *object);

/* "2026-01-02T03:04:05Z" of now, a new reference. */
json_t *fx_as_now(void);
/* The same with microseconds. */
json_t *fx_as_now_micro(void);

/* A Status with status=Failure; a new reference. reason may be "". */
json_t *fx_as_status(int code, const char *reason, const char *fmt, ...) fx_printf(3, 4);
/* Adds details (name, group, kind) to a Status; kind is the resource name for most reasons. */
json_t *fx_as_status_details(json_t *status, const char *group, const char *kind, const char *name);
/* Adds a cause to status.details.causes. NULL members are left out. */
void fx_as_status_cause(json_t *status, const char *reason, const char *field, const char *message);
int fx_as_status_code(const json_t *status);

/* `GitRepository.source.toolkit.fluxcd.io` or `ConfigMap`; to be freed. */
char *fx_as_qualified(const char *name, const char *group);

/* NotFound: `configmaps "a" not found`. */
json_t *fx_as_not_found(const char *group, const char *resource, const char *name);

#endif
