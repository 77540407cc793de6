/*
 * Kubernetes' merge keys and scopes as schema_gen.py makes them. Only what leads to a list that is merged is
 * in it. Private to schema.c.
 */
#ifndef FX_DATA_SCHEMA_TABLE_H
#define FX_DATA_SCHEMA_TABLE_H

#include <stddef.h>
#include <stdint.h>

/* keys: NULL for an object, "" for a merged list of scalars, else the merge keys of a list, joined by commas.
 * type: of the object or the elements. */
struct fx_schema_field {
	const char *name, *keys;
	uint16_t type;
};

/* Its fields: from first up to the next type's. Type 0 has none; behind the last one is an end mark. */
struct fx_schema_type {
	uint16_t first;
};

enum fx_scope {
	FX_SCOPE_UNKNOWN,
	FX_SCOPE_NAMESPACED,
	FX_SCOPE_CLUSTER,
};

struct fx_schema_kind {
	const char *api_version, *kind;
	uint16_t type;
	uint8_t scope; /* enum fx_scope */
};

/* A definition of the document, by its full name. */
struct fx_schema_name {
	const char *name;
	uint16_t type;
};

extern const struct fx_schema_field fx_schema_fields[];
extern const struct fx_schema_type fx_schema_types[];
extern const struct fx_schema_kind fx_schema_kinds[]; /* by kind, then version */
extern const size_t fx_schema_n_kinds;
extern const struct fx_schema_name fx_schema_names[]; /* by name */
extern const size_t fx_schema_n_names;

#endif
