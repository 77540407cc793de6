/*
 * What strategic merge needs to know of Kubernetes' types: which lists are merged, and by which keys.
 * The built-in table is that of Kubernetes 1.21.2, the OpenAPI document inside kustomize 5.8;
 * schema_gen.py makes it. A custom
 * document is part of one build only and never changes the built-in table. Read-only after it was made: any
 * thread.
 */
#ifndef FX_DATA_SCHEMA_H
#define FX_DATA_SCHEMA_H

#include "core/arena.h"
#include "core/error.h"
#include "data/node.h"

struct fx_schema_type;

/* Schemas of one build. */
struct fx_schema_set {
	const struct fx_node *definitions; /* of the custom document, NULL: none */
	const struct fx_node *paths;
	bool builtin; /* the built-in table counts, too */
};

#define FX_SCHEMA_BUILTIN                                                                                    \
	{                                                                                                    \
		.builtin = true                                                                              \
	}

/* A place in a schema; all zero: nothing is known of it. */
struct fx_schema_at {
	const struct fx_schema_type *type; /* built-in */
	const char *keys;                  /* of a built-in merging list */
	const struct fx_node *custom;
};

static inline bool fx_schema_known(struct fx_schema_at at)
{
	return at.type || at.keys || at.custom;
}

/* Most merge keys of one list. */
#define FX_SCHEMA_MAX_KEYS 4

/* Where an object of this kind begins: the custom document's definition before the built-in one; nothing
 * known when neither has it. */
struct fx_schema_at fx_schema_kind(
        const struct fx_schema_set *set, const char *api_version, const char *kind);
/* A field of the object at, references followed. */
struct fx_schema_at fx_schema_field(
        const struct fx_schema_set *set, struct fx_schema_at at, const char *name);
/* The elements of the list at. */
struct fx_schema_at fx_schema_items(const struct fx_schema_set *set, struct fx_schema_at at);

/* A list whose elements are merged. keys[i] are its merge keys, each a copy of at most 63 bytes; *n is 0 for
 * a list of scalars. */
bool fx_schema_merges(struct fx_schema_at at, char keys[FX_SCHEMA_MAX_KEYS][64], int *n);

/* Whether the built-in table says if objects of this kind have a namespace. */
bool fx_schema_knows_scope(const char *api_version, const char *kind);

/* Whether objects of this kind are known to have no namespace. */
bool fx_schema_is_cluster_scoped(const struct fx_schema_set *set, const char *api_version, const char *kind);

#endif
