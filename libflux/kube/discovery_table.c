#include "kube/discovery_table.h"

#include <string.h>

/* All strings of a table: a bound for hostile servers, far above the largest cluster. */
#define TABLE_BYTES_MAX (32 * 1024 * 1024)

struct fx_discovery_table *fx_discovery_table_new(void)
{
	struct fx_discovery_table *table = calloc(1, sizeof(*table));
	if (!table)
		return NULL;
	table->arena = fx_arena_new(TABLE_BYTES_MAX);
	if (table->arena)
		return table;
	free(table);
	return NULL;
}

void fx_discovery_table_free(struct fx_discovery_table *table)
{
	if (!table)
		return;
	fx_vec_release(&table->entries);
	fx_map_release(&table->strings);
	fx_arena_free(table->arena);
	free(table);
}

static const char *intern(struct fx_discovery_table *table, const char *text)
{
	char *known = fx_map_get(&table->strings, text);
	if (known)
		return known;
	known = fx_arena_strdup(table->arena, text);
	if (!known || !fx_map_set(&table->strings, known, known))
		return NULL;
	return known;
}

static bool fits(const char *text, size_t max)
{
	return text && strlen(text) <= max;
}

static int add(struct fx_discovery_table *table, const struct fx_discovery_entry *from, struct fx_error *err)
{
	/* A kind that no struct fx_resource could hold does not exist in a real server. */
	if (!fits(from->group, FX_KUBE_SUBDOMAIN_MAX) || !fits(from->version, FX_KUBE_LABEL_MAX) ||
	        !fits(from->kind, FX_KUBE_LABEL_MAX) || !fits(from->resource, FX_KUBE_LABEL_MAX) ||
	        !*from->resource)
		return 0;
	if (table->entries.len >= FX_DISCOVERY_RESOURCES_MAX)
		return fx_fail(
		        err, FX_E_LIMIT, "the server has more than %d resources", FX_DISCOVERY_RESOURCES_MAX);
	struct fx_discovery_entry entry = *from;
	entry.group = intern(table, from->group);
	entry.version = intern(table, from->version);
	entry.kind = intern(table, from->kind);
	entry.resource = intern(table, from->resource);
	if (!entry.group || !entry.version || !entry.kind || !entry.resource ||
	        !fx_vec_push(&table->entries, entry))
		return fx_fail_nomem(err);
	return 0;
}

static bool has_verb(const json_t *verbs, const char *verb)
{
	for (size_t i = 0; i < json_array_size(verbs); i++) {
		const char *text = json_string_value(json_array_get(verbs, i));
		if (text && strcmp(text, verb) == 0)
			return true;
	}
	return false;
}

static bool is_listable(const json_t *verbs)
{
	return has_verb(verbs, "list") && has_verb(verbs, "watch");
}

static int add_version(
        struct fx_discovery_table *table, const char *group, const json_t *version, struct fx_error *err)
{
	const char *name = fx_json_str_at(version, "version");
	const json_t *resources = fx_json_at(version, "resources");
	int rc = 0;
	for (size_t i = 0; rc == 0 && name && i < json_array_size(resources); i++) {
		const json_t *resource = json_array_get(resources, i);
		const char *scope = fx_json_str_at(resource, "scope");
		const struct fx_discovery_entry entry = {
		        .group = group,
		        .version = name,
		        .kind = fx_json_str_at(resource, "responseKind", "kind"),
		        .resource = fx_json_str_at(resource, "resource"),
		        .namespaced = scope && strcmp(scope, "Namespaced") == 0,
		        .listable = is_listable(fx_json_at(resource, "verbs")),
		};
		if (entry.kind && entry.resource)
			rc = add(table, &entry, err);
	}
	return rc;
}

int fx_discovery_table_add_group(struct fx_discovery_table *table, const json_t *group, struct fx_error *err)
{
	const char *name = fx_object_name(group); /* "" for the core group */
	const json_t *versions = fx_json_at(group, "versions");
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < json_array_size(versions); i++)
		rc = add_version(table, name, json_array_get(versions, i), err);
	return rc;
}

int fx_discovery_table_add_list(struct fx_discovery_table *table, const char *group, const char *version,
        const json_t *list, struct fx_error *err)
{
	const json_t *resources = fx_json_at(list, "resources");
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < json_array_size(resources); i++) {
		const json_t *resource = json_array_get(resources, i);
		const struct fx_discovery_entry entry = {
		        .group = group,
		        .version = version,
		        .kind = fx_json_str_at(resource, "kind"),
		        .resource = fx_json_str_at(resource, "name"),
		        .namespaced = fx_json_bool_at(resource, "namespaced"),
		        .listable = is_listable(fx_json_at(resource, "verbs")),
		};
		/* "pods/log" is a subresource. */
		if (entry.kind && entry.resource && !strchr(entry.resource, '/'))
			rc = add(table, &entry, err);
	}
	return rc;
}

const struct fx_discovery_entry *fx_discovery_table_find(
        const struct fx_discovery_table *table, const char *group, const char *version, const char *kind)
{
	for (size_t i = 0; i < table->entries.len; i++) {
		const struct fx_discovery_entry *entry = &table->entries.items[i];
		if (strcmp(entry->kind, kind) == 0 && strcmp(entry->group, group) == 0 &&
		        (!version || !*version || strcmp(entry->version, version) == 0))
			return entry;
	}
	return NULL;
}

int fx_discovery_table_merge(
        struct fx_discovery_table *table, const struct fx_discovery_table *from, struct fx_error *err)
{
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < from->entries.len; i++) {
		const struct fx_discovery_entry *e = &from->entries.items[i];
		if (!fx_discovery_table_find(table, e->group, e->version, e->kind))
			rc = add(table, e, err);
	}
	return rc;
}

void fx_discovery_table_remove(
        struct fx_discovery_table *table, const char *group, const char *version, const char *kind)
{
	size_t kept = 0;
	for (size_t i = 0; i < table->entries.len; i++) {
		const struct fx_discovery_entry *e = &table->entries.items[i];
		if (strcmp(e->kind, kind) != 0 || strcmp(e->group, group) != 0 ||
		        strcmp(e->version, version) != 0)
			table->entries.items[kept++] = *e;
	}
	table->entries.len = kept;
}
