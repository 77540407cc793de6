#include "fields.h"

#include "data/json_slim.h"

#include <string.h>

struct cleanup_key {
	const char *map;
	const char *key;
	const char *path;
};

static const struct cleanup_key cleanup_keys[] = {
        {"annotations", "kubectl.kubernetes.io/last-applied-configuration",
                "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration"},
        {"annotations", "kustomize.toolkit.fluxcd.io/checksum",
                "/metadata/annotations/kustomize.toolkit.fluxcd.io~1checksum"},
        {"annotations", "fluxcd.io/sync-checksum", "/metadata/annotations/fluxcd.io~1sync-checksum"},
        {"labels", "fluxcd.io/sync-gc-mark", "/metadata/labels/fluxcd.io~1sync-gc-mark"},
};

struct takeover {
	const char *prefix;
	const char *operation;
};

static const struct takeover takeovers[] = {{"kubectl", "Apply"}, {"kubectl", "Update"},
        {"before-first-apply", "Update"}, {FX_FIELD_MANAGER, "Update"}};

static const char *text_at(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : "";
}

static const json_t *managed_fields(const json_t *object)
{
	return json_object_get(json_object_get(object, "metadata"), "managedFields");
}

static bool is_main(const json_t *entry)
{
	return !*text_at(entry, "subresource");
}

static bool is_ours(const json_t *entry)
{
	return is_main(entry) && !strcmp(text_at(entry, "manager"), FX_FIELD_MANAGER) &&
	       !strcmp(text_at(entry, "operation"), "Apply");
}

static bool has_prefix(const char *text, const char *prefix)
{
	return !strncmp(text, prefix, strlen(prefix));
}

static bool is_taken_over(const json_t *entry, const struct fx_overrides *overrides)
{
	if (!is_main(entry))
		return false;
	const char *manager = text_at(entry, "manager"), *operation = text_at(entry, "operation");
	for (size_t i = 0; i < FX_COUNT(takeovers); i++)
		if (has_prefix(manager, takeovers[i].prefix) && !strcmp(operation, takeovers[i].operation))
			return true;
	for (size_t i = 0; overrides && i < overrides->count; i++)
		if (has_prefix(manager, overrides->names[i]))
			return true;
	return false;
}

uint64_t fx_fields_hash(const json_t *object)
{
	size_t i;
	json_t *entry;
	json_array_foreach (managed_fields(object), i, entry) {
		if (!is_ours(entry))
			continue;
		const json_t *fields = json_object_get(entry, "fieldsV1");
		if (json_is_string(fields)) /* FX_SLIM_HASH */
			return strtoull(json_string_value(fields), NULL, 16);
		fx_autofree char *text = json_dumps(fields, JSON_COMPACT);
		return text ? fx_json_fields_hash(text, strlen(text)) : 0;
	}
	return 0;
}

static bool has_cleanup_key(const json_t *object, const struct cleanup_key *k)
{
	return json_object_get(json_object_get(json_object_get(object, "metadata"), k->map), k->key) != NULL;
}

bool fx_fields_need_cleanup(const json_t *object, const struct fx_overrides *overrides)
{
	for (size_t i = 0; i < FX_COUNT(cleanup_keys); i++)
		if (has_cleanup_key(object, &cleanup_keys[i]))
			return true;
	size_t i;
	json_t *entry;
	json_array_foreach (managed_fields(object), i, entry) {
		if (is_taken_over(entry, overrides))
			return true;
	}
	return false;
}

/* Adds the set from to the set to. */
static bool unite(json_t *to, const json_t *from)
{
	const char *key;
	json_t *value;
	json_object_foreach ((json_t *)from, key, value) {
		json_t *own = json_object_get(to, key);
		if (json_is_object(own)) {
			if (!unite(own, value))
				return false;
		} else if (json_object_set_new(to, key, json_deep_copy(value)) < 0) {
			return false;
		}
	}
	return true;
}

/* managedFields after the take-over: new array, NULL without memory. */
static json_t *take_over(const json_t *fields, const struct fx_overrides *overrides)
{
	json_t *out = json_array(), *ours = NULL, *entry;
	size_t i;
	json_array_foreach (fields, i, entry) {
		if (is_ours(entry))
			ours = json_deep_copy(entry);
	}
	bool ok = out != NULL;
	json_array_foreach (fields, i, entry) {
		if (is_ours(entry))
			continue;
		if (!is_taken_over(entry, overrides)) {
			ok = ok && json_array_append_new(out, json_deep_copy(entry)) == 0;
			continue;
		}
		if (!ours) {
			ours = json_deep_copy(entry);
			ok = ok && json_object_set_new(ours, "manager", json_string(FX_FIELD_MANAGER)) == 0 &&
			     json_object_set_new(ours, "operation", json_string("Apply")) == 0;
			continue;
		}
		ok = ok && unite(json_object_get(ours, "fieldsV1"), json_object_get(entry, "fieldsV1"));
	}
	if (ours)
		ok = json_array_append_new(out, ours) == 0 && ok;
	if (!ok) {
		json_decref(out);
		return NULL;
	}
	return out;
}

static bool any_taken_over(const json_t *fields, const struct fx_overrides *overrides)
{
	size_t i;
	json_t *entry;
	json_array_foreach (fields, i, entry) {
		if (is_taken_over(entry, overrides))
			return true;
	}
	return false;
}

static int finish_patch(json_t *patch, bool ok, json_t **out, struct fx_error *err)
{
	if (!ok || !patch) {
		json_decref(patch);
		return fx_fail_nomem(err);
	}
	if (json_array_size(patch) == 0) {
		json_decref(patch);
		patch = NULL;
	}
	*out = patch;
	return 0;
}

int fx_fields_cleanup_patch(
        const json_t *live, const struct fx_overrides *overrides, json_t **out, struct fx_error *err)
{
	json_t *patch = json_array();
	bool ok = patch != NULL;
	for (size_t i = 0; i < FX_COUNT(cleanup_keys); i++)
		if (has_cleanup_key(live, &cleanup_keys[i]))
			ok = ok && json_array_append_new(patch, json_pack("{s:s, s:s}", "op", "remove",
			                                                "path", cleanup_keys[i].path)) == 0;
	const json_t *fields = managed_fields(live);
	if (any_taken_over(fields, overrides))
		ok = ok && json_array_append_new(patch, json_pack("{s:s, s:s, s:o}", "op", "replace", "path",
		                                                "/metadata/managedFields", "value",
		                                                take_over(fields, overrides))) == 0;
	return finish_patch(patch, ok, out, err);
}

int fx_fields_migrate_patch(const json_t *live, const char *api_version, json_t **out, struct fx_error *err)
{
	json_t *fields = json_deep_copy(managed_fields(live)), *entry;
	json_t *patch = json_array();
	bool changed = false, ok = patch != NULL;
	size_t i;
	json_array_foreach (fields, i, entry) {
		if (!strcmp(text_at(entry, "apiVersion"), api_version))
			continue;
		changed = true;
		ok = ok && json_object_set_new(entry, "apiVersion", json_string(api_version)) == 0;
	}
	if (changed)
		ok = ok &&
		     json_array_append_new(patch, json_pack("{s:s, s:s, s:O}", "op", "replace", "path",
		                                          "/metadata/managedFields", "value", fields)) == 0;
	json_decref(fields);
	return finish_patch(patch, ok, out, err);
}

/* One step of a JSON pointer, unescaped into buf; the rest in *rest. False when it does not fit. */
static bool pointer_step(const char *pointer, char *buf, size_t size, const char **rest)
{
	size_t n = 0;
	const char *c = pointer + 1;
	for (; *c && *c != '/'; c++) {
		char out = *c;
		if (*c == '~' && (c[1] == '0' || c[1] == '1'))
			out = *++c == '0' ? '~' : '/';
		if (n + 2 > size)
			return false;
		buf[n++] = out;
	}
	buf[n] = 0;
	*rest = c;
	return true;
}

/* The set of a list item: the first `k:{...}` whose keys all equal those of the item. */
static const json_t *item_fields(const json_t *fields, const json_t *item)
{
	const char *key;
	json_t *value;
	json_object_foreach ((json_t *)fields, key, value) {
		if (strncmp(key, "k:", 2) != 0)
			continue;
		json_t *keys = json_loads(key + 2, 0, NULL), *want;
		const char *name;
		bool equal = json_object_size(keys) > 0;
		json_object_foreach (keys, name, want) {
			equal = equal && json_equal(want, json_object_get(item, name));
		}
		json_decref(keys);
		if (equal)
			return value;
	}
	return NULL;
}

static bool owns(const json_t *fields, const json_t *live, const char *pointer)
{
	while (*pointer == '/') {
		char step[512], key[520];
		if (!pointer_step(pointer, step, sizeof(step), &pointer))
			return false;
		if (json_is_array(live)) {
			live = json_array_get(live, strtoul(step, NULL, 10));
			fields = item_fields(fields, live);
		} else {
			snprintf(key, sizeof(key), "f:%s", step);
			fields = json_object_get(fields, key);
			live = json_object_get(live, step);
		}
		if (!fields)
			return false;
	}
	return true;
}

bool fx_fields_other_applier_owns(const json_t *live, const char *pointer)
{
	size_t i;
	json_t *entry;
	json_array_foreach (managed_fields(live), i, entry) {
		if (!is_main(entry) || strcmp(text_at(entry, "operation"), "Apply") != 0 ||
		        !strcmp(text_at(entry, "manager"), FX_FIELD_MANAGER))
			continue;
		if (owns(json_object_get(entry, "fieldsV1"), live, pointer))
			return true;
	}
	return false;
}

const char *fx_fields_last_other_manager(const json_t *object)
{
	const char *manager = "", *time = "";
	size_t i;
	json_t *entry;
	json_array_foreach (managed_fields(object), i, entry) {
		if (!is_main(entry) || is_ours(entry) || strcmp(text_at(entry, "time"), time) < 0)
			continue;
		time = text_at(entry, "time");
		manager = text_at(entry, "manager");
	}
	return manager;
}
