/*
 * What kinds the server has: the built-in table and those of CustomResourceDefinitions, and
 * the objects of each. Guarded by the lock of the server.
 */
#ifndef FX_TEST_APISERVER_KINDS_H
#define FX_TEST_APISERVER_KINDS_H

#include "core/map.h"
#include "core/vec.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct fx_as_version {
	char *name;
	json_t *schema;  /* owned; {"$ref"} for a built-in kind */
	json_t *columns; /* additionalPrinterColumns of a custom kind, NULL: Age only */
	char *deprecated;
	bool served, storage;
	bool has_status; /* status is a subresource */
	bool has_scale;
};

/* One version of one object, as watchers and lists still hold it after a change. Immutable but for the count.
 */
struct fx_as_object {
	int refs;
	uint64_t rv;
	json_t *json;
	char *text; /* JSON in the storage version */
	size_t len;
};

struct fx_as_resource {
	char *group, *kind, *list_kind, *plural, *singular;
	json_t *short_names, *categories;
	bool namespaced;
	bool custom;
	bool has_generation;
	bool is_virtual;    /* create only, nothing is stored */
	bool removed;       /* its definition is gone */
	int64_t defined_ms; /* when the definition came, fx_now_ms() */
	FX_VEC(struct fx_as_version *) versions;
	struct fx_map objects; /* "namespace/name" to struct fx_as_object */
};

struct fx_as_registry {
	FX_VEC(struct fx_as_resource *) all;
};

/* Adds the built-in kinds. */
void fx_as_registry_init(struct fx_as_registry *registry);
void fx_as_registry_release(struct fx_as_registry *registry);

/* NULL when there is none. */
struct fx_as_resource *fx_as_registry_find(
        const struct fx_as_registry *r, const char *group, const char *plural);
struct fx_as_resource *fx_as_registry_find_kind(
        const struct fx_as_registry *r, const char *group, const char *kind);
/* The kind of an object, by its apiVersion and kind. */
struct fx_as_resource *fx_as_registry_of(
        const struct fx_as_registry *r, const char *api_version, const char *kind);
/* A served version, or NULL. name NULL: the storage version. */
struct fx_as_version *fx_as_resource_version(const struct fx_as_resource *resource, const char *name);

/* "v1" or "apps/v1", to be freed. */
char *fx_as_api_version(const char *group, const char *version);
/* Splits "apps/v1"; group is to be freed, the version is borrowed from the text. */
char *fx_as_api_group(const char *api_version, const char **out_version);

/* Adds, or replaces the names and versions of, the kind of a CustomResourceDefinition. NULL without sense. */
struct fx_as_resource *fx_as_registry_define(struct fx_as_registry *registry, const json_t *crd);

void fx_as_object_ref(struct fx_as_object *object);
void fx_as_object_unref(struct fx_as_object *object);

/* Orders versions as Kubernetes does: v2, v1, v1beta2, v1beta1, v1alpha1. For qsort(). */
int fx_as_version_order(const char *a, const char *b);

#endif
