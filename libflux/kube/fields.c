#include "kube/fields.h"

#include <string.h>

static bool union_at(json_t *into, const json_t *from, int depth)
{
	const char *key;
	json_t *value;
	if (depth > FX_FIELDS_DEPTH_MAX)
		return false;
	json_object_foreach ((json_t *)from, key, value) {
		json_t *mine = json_object_get(into, key);
		if (!mine) {
			if (json_object_set_new(into, key, json_deep_copy(value)) < 0)
				return false;
		} else if (json_is_object(mine) && json_is_object(value) &&
		           !union_at(mine, value, depth + 1)) {
			return false;
		}
	}
	return true;
}

bool fx_fields_union(json_t *into, const json_t *from)
{
	return union_at(into, from, 0);
}

static const char *text_of(const json_t *entry, const char *key)
{
	const char *text = json_string_value(json_object_get(entry, key));
	return text ? text : "";
}

static bool is_own(const json_t *entry, const char *manager)
{
	return strcmp(text_of(entry, "manager"), manager) == 0 &&
	       strcmp(text_of(entry, "operation"), "Apply") == 0 && !*text_of(entry, "subresource");
}

int fx_fields_take_over(const json_t *managed_fields, const char *manager,
        bool (*is_taken)(const void *arg, const char *manager, const char *operation), const void *arg,
        json_t **out, struct fx_error *err)
{
	fx_auto(json) json_t *rest = json_array();
	fx_auto(json) json_t *own = NULL;
	fx_auto(json) json_t *taken = json_object();
	size_t count = 0;

	if (!rest || !taken)
		return fx_fail_nomem(err);
	for (size_t i = 0; i < json_array_size(managed_fields); i++) {
		json_t *entry = json_array_get(managed_fields, i);
		if (!own && is_own(entry, manager)) {
			own = json_deep_copy(entry);
			continue;
		}
		if (*text_of(entry, "subresource") ||
		        !is_taken(arg, text_of(entry, "manager"), text_of(entry, "operation"))) {
			if (json_array_append(rest, entry) < 0)
				return fx_fail_nomem(err);
			continue;
		}
		/* Without an entry of our own the first one becomes it, its time and version included. */
		if (count++ == 0 && !fx_json_set_at(taken, json_deep_copy(entry), "entry"))
			return fx_fail_nomem(err);
		const json_t *fields = json_object_get(entry, "fieldsV1");
		json_t *all = json_object_get(taken, "fields");
		if (!all && json_object_set_new(taken, "fields", all = json_object()) < 0)
			return fx_fail_nomem(err);
		if (!fx_fields_union(all, fields))
			return fx_fail_nomem(err);
	}
	if (count == 0) {
		*out = NULL;
		return 0;
	}
	if (!own) {
		own = json_incref(json_object_get(taken, "entry"));
		if (json_object_set_new(own, "manager", json_string(manager)) < 0 ||
		        json_object_set_new(own, "operation", json_string("Apply")) < 0)
			return fx_fail_nomem(err);
	}
	json_t *fields = json_object_get(own, "fieldsV1");
	if (!json_is_object(fields) && json_object_set_new(own, "fieldsV1", fields = json_object()) < 0)
		return fx_fail_nomem(err);
	if (!fx_fields_union(fields, json_object_get(taken, "fields")) || json_array_append(rest, own) < 0)
		return fx_fail_nomem(err);
	*out = fx_take(rest);
	return 0;
}
