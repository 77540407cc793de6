#include "inventory.h"

#include "core/map.h"
#include "core/vec.h"

#include <string.h>

static const char rbac_group[] = "rbac.authorization.k8s.io";

void fx_inventory_release(struct fx_inventory *inventory)
{
	for (size_t i = 0; i < inventory->len; i++)
		free(inventory->items[i].id);
	free(inventory->items);
	*inventory = (struct fx_inventory){0};
}

/* Only names of these kinds may hold a colon. */
static bool has_colon_names(const struct fx_ref *ref)
{
	static const char *const kinds[] = {"Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"};
	for (size_t i = 0; i < FX_COUNT(kinds); i++)
		if (fx_ref_is(ref, rbac_group, kinds[i]))
			return true;
	return false;
}

void fx_entry_id(const struct fx_ref *ref, struct fx_buf *out)
{
	bool encode = has_colon_names(ref);
	fx_buf_addf(out, "%s_", ref->namespace);
	for (const char *c = ref->name; *c; c++) {
		if (*c == ':' && encode)
			fx_buf_add_str(out, "__");
		else
			fx_buf_add_char(out, *c);
	}
	fx_buf_addf(out, "_%.*s_%s", (int)ref->group_len, ref->group, ref->kind);
}

bool fx_inventory_add(struct fx_inventory *inventory, const char *id, const char *version)
{
	if (inventory->len >= FX_INVENTORY_MAX)
		return false;
	size_t id_size = strlen(id) + 1, version_size = strlen(version) + 1;
	char *text = malloc(id_size + version_size);
	if (!text)
		return false;
	memcpy(text, id, id_size);
	memcpy(text + id_size, version, version_size);
	if (fx_vec_push(inventory, ((struct fx_entry){.id = text, .version = text + id_size})))
		return true;
	free(text);
	return false;
}

bool fx_inventory_add_ref(struct fx_inventory *inventory, const struct fx_ref *ref)
{
	fx_cleanup(fx_auto_buf) struct fx_buf id = FX_BUF_INIT;
	fx_entry_id(ref, &id);
	return !fx_buf_failed(&id) && fx_inventory_add(inventory, fx_buf_str(&id), ref->version);
}

int fx_inventory_read(const json_t *inventory, struct fx_inventory *out, struct fx_error *err)
{
	fx_auto(inventory) struct fx_inventory read = {0};
	size_t i;
	json_t *entry;
	json_array_foreach (json_object_get(inventory, "entries"), i, entry) {
		const char *id = json_string_value(json_object_get(entry, "id"));
		const char *version = json_string_value(json_object_get(entry, "v"));
		if (id && !fx_inventory_add(&read, id, version ? version : ""))
			return fx_fail(
			        err, FX_E_LIMIT, "the inventory has more than %d entries", FX_INVENTORY_MAX);
	}
	*out = read;
	read = (struct fx_inventory){0};
	return 0;
}

json_t *fx_inventory_to_json(const struct fx_inventory *inventory)
{
	json_t *entries = json_array();
	for (size_t i = 0; i < inventory->len; i++) {
		const struct fx_entry *e = &inventory->items[i];
		if (json_array_append_new(entries, json_pack("{s:s, s:s}", "id", e->id, "v", e->version)) <
		        0) {
			json_decref(entries);
			return NULL;
		}
	}
	return json_pack("{s:o}", "entries", entries);
}

int fx_inventory_diff(const struct fx_inventory *old, const struct fx_inventory *now,
        struct fx_inventory *out, struct fx_error *err)
{
	fx_cleanup(fx_auto_map) struct fx_map ids = FX_MAP_INIT;
	fx_auto(inventory) struct fx_inventory diff = {0};
	for (size_t i = 0; i < now->len; i++)
		if (!fx_map_set(&ids, now->items[i].id, now->items[i].id))
			return fx_fail_nomem(err);
	for (size_t i = 0; i < old->len; i++) {
		const struct fx_entry *e = &old->items[i];
		if (!fx_map_has(&ids, e->id) && !fx_inventory_add(&diff, e->id, e->version))
			return fx_fail_nomem(err);
	}
	*out = diff;
	diff = (struct fx_inventory){0};
	return 0;
}

/* Turns "__" into ":" in place. */
static void decode_colons(char *name)
{
	char *to = name;
	for (const char *from = name; *from; from++) {
		if (from[0] == '_' && from[1] == '_') {
			*to++ = ':';
			from++;
		} else {
			*to++ = *from;
		}
	}
	*to = 0;
}

int fx_entry_parse(const struct fx_entry *entry, struct fx_entry_parts *out, struct fx_error *err)
{
	char *text = strdup(entry->id);
	if (!text)
		return fx_fail_nomem(err);
	char *first = strchr(text, '_');
	char *last = strrchr(text, '_');
	char *middle = last && last > first ? memrchr(text, '_', (size_t)(last - text)) : NULL;
	if (!middle || middle <= first) {
		int rc = fx_fail(err, FX_E_PARSE, "unable to parse stored object metadata: %s", entry->id);
		free(text);
		return rc;
	}
	*first = *middle = *last = 0;
	decode_colons(first + 1);
	*out = (struct fx_entry_parts){.text = text,
	        .ref = {.group = middle + 1,
	                .group_len = strlen(middle + 1),
	                .version = entry->version,
	                .kind = last + 1,
	                .namespace = text,
	                .name = first + 1}};
	return 0;
}
