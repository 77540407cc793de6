/* Strategic merge patch: lists merge by the keys that the schema names, with the $ directives. */
#include "patch.h"

#include "obj.h"
#include "schema.h"

#include <string.h>

#define DELETE_PREFIX "$deleteFromPrimitiveList/"
#define ORDER_PREFIX "$setElementOrder/"

static json_t *merge_map(const json_t *schema, const json_t *object, const json_t *patch);

/* The field that items of this list are told apart by; NULL when it is no list of objects to merge. */
static const char *merge_key(const json_t *schema)
{
	const json_t *keys = json_object_get(fx_as_schema_resolve(schema), "x-kubernetes-list-map-keys");
	return json_string_value(json_array_get(keys, 0));
}

static bool is_set(const json_t *schema)
{
	const char *type = fx_json_str_at(fx_as_schema_resolve(schema), "x-kubernetes-list-type");
	return type && strcmp(type, "set") == 0;
}

static ssize_t find(const json_t *list, const char *key, const json_t *item)
{
	size_t i;
	json_t *have;
	const json_t *want = key ? json_object_get(item, key) : item;
	json_array_foreach (list, i, have) {
		const json_t *value = key ? json_object_get(have, key) : have;
		if (value && want && json_equal(value, want))
			return (ssize_t)i;
	}
	return -1;
}

static bool is_directive(const json_t *item, const char *directive)
{
	const char *s = fx_json_str_at(item, "$patch");
	return s && strcmp(s, directive) == 0;
}

static json_t *merge_list(const json_t *schema, const json_t *object, const json_t *patch)
{
	const char *key = merge_key(schema);
	json_t *out = json_is_array(object) ? json_copy((json_t *)object) : json_array();
	size_t i;
	json_t *item;
	bool replace = false;
	json_array_foreach (patch, i, item)
		replace |= is_directive(item, "replace");
	if (replace)
		json_array_clear(out);
	json_array_foreach (patch, i, item) {
		if (is_directive(item, "replace"))
			continue;
		ssize_t at = find(out, key, item);
		if (is_directive(item, "delete")) {
			if (at >= 0)
				json_array_remove(out, (size_t)at);
			continue;
		}
		if (!key) {
			if (at < 0)
				json_array_append(out, item);
			continue;
		}
		const json_t *items = fx_as_schema_items(schema);
		json_t *merged = merge_map(items, at >= 0 ? json_array_get(out, (size_t)at) : NULL, item);
		if (at >= 0)
			json_array_set_new(out, (size_t)at, merged);
		else
			json_array_append_new(out, merged);
	}
	return out;
}

/* Items that the order names stand in that order, in the places such items had; the others stay. */
static json_t *reorder(const json_t *list, const char *key, const json_t *order)
{
	json_t *out = json_array();
	size_t i, next = 0;
	json_t *item;
	json_array_foreach (list, i, item) {
		if (find(order, key, item) < 0) {
			json_array_append(out, item);
			continue;
		}
		for (; next < json_array_size(order); next++) {
			ssize_t at = find(list, key, json_array_get(order, next));
			if (at >= 0) {
				json_array_append(out, json_array_get(list, (size_t)at));
				next++;
				break;
			}
		}
	}
	return out;
}

static void delete_primitives(json_t *out, const char *name, const json_t *values)
{
	json_t *list = json_copy(json_object_get(out, name));
	size_t i;
	json_t *value;
	if (!list)
		return;
	json_array_foreach (values, i, value) {
		ssize_t at = find(list, NULL, value);
		if (at >= 0)
			json_array_remove(list, (size_t)at);
	}
	json_object_set_new(out, name, list);
}

static void retain_keys(json_t *out, const json_t *keys)
{
	const char *key;
	json_t *value;
	void *next;
	json_object_foreach_safe(out, next, key, value)
	{
		if (!fx_as_array_has(keys, key))
			json_object_del(out, key);
	}
}

static void merge_field(const json_t *schema, json_t *out, const char *key, const json_t *value)
{
	struct fx_as_field field = fx_as_schema_field(schema, key);
	json_t *have = json_object_get(out, key);
	if (json_is_null(value))
		json_object_del(out, key);
	else if (json_is_object(value))
		json_object_set_new(
		        out, key, merge_map(field.schema, json_is_object(have) ? have : NULL, value));
	else if (json_is_array(value) && (merge_key(field.schema) || is_set(field.schema)))
		json_object_set_new(out, key, merge_list(field.schema, have, value));
	else
		json_object_set(out, key, (json_t *)value);
}

static json_t *merge_map(const json_t *schema, const json_t *object, const json_t *patch)
{
	if (is_directive(patch, "delete"))
		return json_object();
	json_t *out = object && !is_directive(patch, "replace") ? json_copy((json_t *)object) : json_object();
	const char *key;
	json_t *value;
	const json_t *retain = json_object_get(patch, "$retainKeys");
	if (retain)
		retain_keys(out, retain);
	json_object_foreach ((json_t *)patch, key, value) {
		if (strncmp(key, DELETE_PREFIX, strlen(DELETE_PREFIX)) == 0)
			delete_primitives(out, key + strlen(DELETE_PREFIX), value);
		else if (key[0] != '$')
			merge_field(schema, out, key, value);
	}
	json_object_foreach ((json_t *)patch, key, value) {
		if (strncmp(key, ORDER_PREFIX, strlen(ORDER_PREFIX)) != 0)
			continue;
		const char *name = key + strlen(ORDER_PREFIX);
		const json_t *list = json_object_get(out, name);
		if (list)
			json_object_set_new(out, name,
			        reorder(list, merge_key(fx_as_schema_field(schema, name).schema), value));
	}
	return out;
}

json_t *fx_as_patch_strategic(const json_t *schema, const json_t *object, const json_t *patch)
{
	fx_auto(json) json_t *shallow = merge_map(schema, object, patch);
	return json_deep_copy(shallow);
}
