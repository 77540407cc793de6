#include "data/schema.h"

#include "data/schema_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct kind_key {
	const char *api_version, *kind;
};

static int compare_kind(const void *key, const void *entry)
{
	const struct kind_key *k = key;
	const struct fx_schema_kind *e = entry;
	int order = strcmp(k->kind, e->kind);
	return order ? order : strcmp(k->api_version, e->api_version);
}

static const struct fx_schema_kind *find_kind(const char *api_version, const char *kind)
{
	struct kind_key key = {api_version, kind};
	return bsearch(&key, fx_schema_kinds, fx_schema_n_kinds, sizeof(fx_schema_kinds[0]), compare_kind);
}

/* ---- custom documents ---- */

static int compare_name(const void *key, const void *entry)
{
	return strcmp(key, ((const struct fx_schema_name *)entry)->name);
}

/* A built-in type that a custom document refers to without defining it. */
static struct fx_schema_at builtin_by_name(const struct fx_schema_set *set, const char *name)
{
	const struct fx_schema_name *found = NULL;
	if (set->builtin)
		found = bsearch(
		        name, fx_schema_names, fx_schema_n_names, sizeof(fx_schema_names[0]), compare_name);
	return (struct fx_schema_at){.type = found ? &fx_schema_types[found->type] : NULL};
}

/* Follows references; the place may turn out to be a built-in type. */
static struct fx_schema_at resolve(const struct fx_schema_set *set, struct fx_schema_at at)
{
	static const char prefix[] = "#/definitions/";
	/* A chain of references cannot be longer than this without a loop that matters. */
	for (int i = 0; at.custom && i < 16; i++) {
		const char *ref = fx_node_get_text(at.custom, "$ref");
		if (!ref)
			return at;
		if (strncmp(ref, prefix, sizeof(prefix) - 1) != 0)
			break;
		at.custom = fx_node_get(set->definitions, ref + sizeof(prefix) - 1);
		if (!at.custom)
			return builtin_by_name(set, ref + sizeof(prefix) - 1);
	}
	return (struct fx_schema_at){0};
}

static bool gvk_is(const struct fx_node *gvk, const char *api_version, const char *kind)
{
	const char *group = fx_node_get_text(gvk, "group"), *version = fx_node_get_text(gvk, "version");
	char text[512];
	if (!version)
		return false;
	snprintf(text, sizeof(text), "%s%s%s", group ? group : "", group && *group ? "/" : "", version);
	const char *k = fx_node_get_text(gvk, "kind");
	return k && strcmp(k, kind) == 0 && strcmp(text, api_version) == 0;
}

static const struct fx_node *find_definition(
        const struct fx_schema_set *set, const char *api_version, const char *kind)
{
	const struct fx_node *found = NULL;
	for (uint32_t i = 0; set->definitions && i < set->definitions->len; i++) {
		const struct fx_node *def = set->definitions->pairs[i].value;
		const struct fx_node *gvks = fx_node_get(def, "x-kubernetes-group-version-kind");
		for (uint32_t k = 0; fx_node_is_seq(gvks) && k < gvks->len; k++)
			if (gvk_is(gvks->items[k], api_version, kind))
				found = def;
	}
	return found;
}

struct fx_schema_at fx_schema_kind(const struct fx_schema_set *set, const char *api_version, const char *kind)
{
	struct fx_schema_at at = {0};
	at.custom = find_definition(set, api_version, kind);
	if (at.custom || !set->builtin)
		return at;
	const struct fx_schema_kind *k = find_kind(api_version, kind);
	if (k)
		at.type = &fx_schema_types[k->type];
	return at;
}

struct fx_schema_at fx_schema_field(const struct fx_schema_set *set, struct fx_schema_at at, const char *name)
{
	struct fx_schema_at out = {0};
	if (at.custom)
		at = resolve(set, at);
	if (at.custom) {
		out.custom = fx_node_at(at.custom, "properties", name, NULL);
		if (!out.custom)
			out.custom = fx_node_get(at.custom, "additionalProperties");
		if (out.custom && !fx_node_is_map(out.custom))
			out.custom = NULL;
		return out;
	}
	if (!at.type || at.keys)
		return out;
	for (size_t i = at.type[0].first; i < at.type[1].first; i++) {
		const struct fx_schema_field *f = &fx_schema_fields[i];
		if (strcmp(f->name, name) != 0)
			continue;
		out.type = &fx_schema_types[f->type];
		out.keys = f->keys;
		break;
	}
	return out;
}

struct fx_schema_at fx_schema_items(const struct fx_schema_set *set, struct fx_schema_at at)
{
	struct fx_schema_at out = {0};
	if (at.custom)
		at = resolve(set, at);
	if (at.custom) {
		out.custom = fx_node_get(at.custom, "items");
		return out;
	}
	out.type = at.type;
	return out;
}

static void add_key(char keys[FX_SCHEMA_MAX_KEYS][64], int *n, const char *key, size_t len)
{
	if (*n < FX_SCHEMA_MAX_KEYS && len < 64 && len > 0) {
		memcpy(keys[*n], key, len);
		keys[(*n)++][len] = '\0';
	}
}

bool fx_schema_merges(struct fx_schema_at at, char keys[FX_SCHEMA_MAX_KEYS][64], int *n)
{
	*n = 0;
	if (at.custom) {
		const char *strategy = fx_node_get_text(at.custom, "x-kubernetes-patch-strategy");
		if (!strategy || !strstr(strategy, "merge"))
			return false;
		const struct fx_node *list = fx_node_get(at.custom, "x-kubernetes-list-map-keys");
		for (uint32_t i = 0; fx_node_is_seq(list) && i < list->len; i++)
			if (fx_node_is_scalar(list->items[i]))
				add_key(keys, n, list->items[i]->text, list->items[i]->len);
		const char *key = fx_node_get_text(at.custom, "x-kubernetes-patch-merge-key");
		if (*n == 0 && key)
			add_key(keys, n, key, strlen(key));
		return true;
	}
	if (!at.keys)
		return false;
	for (const char *s = at.keys; *s;) {
		size_t w = strcspn(s, ",");
		add_key(keys, n, s, w);
		s += w + (s[w] == ',');
	}
	return true;
}

/* Paths of the custom document: a GET below /namespaces/{namespace}/ makes a kind namespaced. */
static enum fx_scope custom_scope(const struct fx_schema_set *set, const char *api_version, const char *kind)
{
	enum fx_scope scope = FX_SCOPE_UNKNOWN;
	for (uint32_t i = 0; set->paths && i < set->paths->len; i++) {
		const struct fx_node *gvk = fx_node_at(
		        set->paths->pairs[i].value, "get", "x-kubernetes-group-version-kind", NULL);
		if (!gvk || !gvk_is(gvk, api_version, kind))
			continue;
		if (strstr(set->paths->pairs[i].key->text, "namespaces/{namespace}"))
			return FX_SCOPE_NAMESPACED;
		scope = FX_SCOPE_CLUSTER;
	}
	return scope;
}

bool fx_schema_knows_scope(const char *api_version, const char *kind)
{
	const struct fx_schema_kind *k = find_kind(api_version, kind);
	return k && k->scope != FX_SCOPE_UNKNOWN;
}

bool fx_schema_is_cluster_scoped(const struct fx_schema_set *set, const char *api_version, const char *kind)
{
	const struct fx_schema_kind *k = find_kind(api_version, kind);
	if (k && k->scope != FX_SCOPE_UNKNOWN)
		return k->scope == FX_SCOPE_CLUSTER;
	return set && set->paths && custom_scope(set, api_version, kind) == FX_SCOPE_CLUSTER;
}
