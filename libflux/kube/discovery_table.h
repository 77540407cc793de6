/*
 * The packed table of resources that discovery documents are turned into: strings interned in
 * one arena, a record a resource. Pure. Private to discovery.
 */
#ifndef FX_KUBE_DISCOVERY_TABLE_H
#define FX_KUBE_DISCOVERY_TABLE_H

#include "core/arena.h"
#include "core/map.h"
#include "core/vec.h"
#include "kube/discovery.h"

struct fx_discovery_entry {
	const char *group, *version, *kind, *resource; /* interned */
	bool namespaced, listable;
};

/* Entries stand in the server's order: a group's preferred version first. */
struct fx_discovery_table {
	struct fx_arena *arena;
	struct fx_map strings; /* interned text to itself */
	FX_VEC(struct fx_discovery_entry) entries;
};

struct fx_discovery_table *fx_discovery_table_new(void);
void fx_discovery_table_free(struct fx_discovery_table *table);
FX_DEFINE_AUTO(discovery_table, struct fx_discovery_table, fx_discovery_table_free)

/* One item of an APIGroupDiscoveryList. FX_E_LIMIT, FX_E_NOMEM; malformed parts are skipped. */
int fx_discovery_table_add_group(
        struct fx_discovery_table *table, const json_t *group, struct fx_error *err) fx_must_use;
/* An APIResourceList of the legacy form. */
int fx_discovery_table_add_list(struct fx_discovery_table *table, const char *group, const char *version,
        const json_t *list, struct fx_error *err) fx_must_use;

/* Adds what the table lacks. */
int fx_discovery_table_merge(struct fx_discovery_table *table, const struct fx_discovery_table *from,
        struct fx_error *err) fx_must_use;
void fx_discovery_table_remove(
        struct fx_discovery_table *table, const char *group, const char *version, const char *kind);

/* version NULL: the first one that has the kind. NULL when there is none. */
const struct fx_discovery_entry *fx_discovery_table_find(
        const struct fx_discovery_table *table, const char *group, const char *version, const char *kind);

#endif
