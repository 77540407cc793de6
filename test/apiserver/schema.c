#include "schema.h"

#include "core/cleanup.h"
#include "obj.h"
#include "types.h"

#include <string.h>

const json_t *fx_as_schema_resolve(const json_t *schema)
{
	const char *ref = json_string_value(json_object_get(schema, "$ref"));
	return ref ? fx_as_type(ref) : schema;
}

static bool preserves(const json_t *schema)
{
	return json_is_true(json_object_get(schema, "x-kubernetes-preserve-unknown-fields"));
}

/* A schema that says nothing about the inside of a value. */
static bool is_open(const json_t *schema)
{
	return !schema || (preserves(schema) && !json_object_get(schema, "properties"));
}

struct fx_as_field fx_as_schema_field(const json_t *schema, const char *key)
{
	schema = fx_as_schema_resolve(schema);
	const json_t *property = fx_json_at(schema, "properties", key);
	if (property)
		return (struct fx_as_field){.schema = property, .named = true, .declared = true};
	if (is_open(schema))
		return (struct fx_as_field){.declared = true};
	const json_t *more = json_object_get(schema, "additionalProperties");
	if (json_is_object(more))
		return (struct fx_as_field){.schema = json_object_size(more) ? more : NULL, .declared = true};
	return (struct fx_as_field){.declared = json_is_true(more) || preserves(schema)};
}

const json_t *fx_as_schema_items(const json_t *schema)
{
	return json_object_get(fx_as_schema_resolve(schema), "items");
}

bool fx_as_schema_is_leaf(const json_t *schema, const json_t *value)
{
	schema = fx_as_schema_resolve(schema);
	if (json_is_object(value)) {
		const char *kind = fx_json_str_at(schema, "x-kubernetes-map-type");
		return kind && strcmp(kind, "atomic") == 0;
	}
	if (json_is_array(value)) {
		const char *kind = fx_json_str_at(schema, "x-kubernetes-list-type");
		return !kind || strcmp(kind, "atomic") == 0;
	}
	return true;
}

char *fx_as_schema_item_key(const json_t *list_schema, const json_t *item)
{
	list_schema = fx_as_schema_resolve(list_schema);
	const json_t *keys = json_object_get(list_schema, "x-kubernetes-list-map-keys");
	const char *prefix = keys ? "k:" : "v:";
	fx_auto(json) json_t *key = NULL;
	if (keys) {
		const json_t *items = fx_as_schema_resolve(fx_as_schema_items(list_schema));
		key = json_object();
		size_t i;
		json_t *name;
		json_array_foreach (keys, i, name) {
			const char *field = json_string_value(name);
			json_t *value = json_object_get(item, field);
			if (!value)
				value = fx_json_at(items, "properties", field, "default");
			if (value)
				json_object_set(key, field, value);
		}
		if (json_object_size(key) == 0)
			return NULL;
	} else {
		key = json_incref((json_t *)item);
	}
	fx_autofree char *text = fx_as_text(key);
	char *out = NULL;
	return text && asprintf(&out, "%s%s", prefix, text) >= 0 ? out : NULL;
}

static json_t *quantity_text(const json_t *number)
{
	char text[64];
	if (json_is_integer(number))
		snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, json_integer_value(number));
	else
		snprintf(text, sizeof(text), "%g", json_real_value(number));
	return json_string(text);
}

static json_t *defaulted(const json_t *schema, json_t *value)
{
	const char *format = fx_json_str_at(schema, "format");
	if (json_is_number(value) && format && strcmp(format, "quantity") == 0)
		return quantity_text(value);
	fx_as_schema_default(schema, value);
	return NULL;
}

static void default_object(const json_t *schema, json_t *value)
{
	const char *key;
	json_t *property;
	json_object_foreach ((json_t *)json_object_get(schema, "properties"), key, property) {
		json_t *standard = json_object_get(property, "default");
		json_t *have = json_object_get(value, key);
		bool nullable = json_is_true(json_object_get(property, "nullable"));
		if (standard && (!have || (json_is_null(have) && !nullable)))
			json_object_set_new(value, key, json_deep_copy(standard));
		else if (json_is_null(have) && !nullable && !preserves(property))
			json_object_del(value, key);
	}
	void *next;
	json_t *child;
	json_object_foreach_safe(value, next, key, child)
	{
		struct fx_as_field field = fx_as_schema_field(schema, key);
		json_t *changed = field.schema ? defaulted(field.schema, child) : NULL;
		if (changed)
			json_object_set_new(value, key, changed);
	}
}

void fx_as_schema_default(const json_t *schema, json_t *value)
{
	schema = fx_as_schema_resolve(schema);
	if (!schema)
		return;
	if (json_is_object(value)) {
		default_object(schema, value);
	} else if (json_is_array(value)) {
		size_t i;
		json_t *item;
		json_array_foreach (value, i, item) {
			json_t *changed = defaulted(fx_as_schema_items(schema), item);
			if (changed)
				json_array_set_new(value, i, changed);
		}
	}
}

static char *child_path(const char *path, const char *key)
{
	char *out = NULL;
	return asprintf(&out, "%s%s%s", path, *path ? "." : "", key) < 0 ? NULL : out;
}

static char *item_path(const char *path, size_t i)
{
	char *out = NULL;
	return asprintf(&out, "%s[%zu]", path, i) < 0 ? NULL : out;
}

void fx_as_schema_prune(const json_t *schema, json_t *value, const char *path, json_t *unknown)
{
	schema = fx_as_schema_resolve(schema);
	if (is_open(schema))
		return;
	if (json_is_array(value)) {
		size_t i;
		json_t *item;
		json_array_foreach (value, i, item) {
			fx_autofree char *below = item_path(path, i);
			fx_as_schema_prune(fx_as_schema_items(schema), item, below, unknown);
		}
		return;
	}
	const char *key;
	void *next;
	json_t *child;
	bool embedded = json_is_true(json_object_get(schema, "x-kubernetes-embedded-resource"));
	json_object_foreach_safe(value, next, key, child)
	{
		bool meta = embedded && (strcmp(key, "apiVersion") == 0 || strcmp(key, "kind") == 0 ||
		                                strcmp(key, "metadata") == 0);
		struct fx_as_field field = fx_as_schema_field(schema, key);
		fx_autofree char *below = child_path(path, key);
		if (field.declared || meta) {
			fx_as_schema_prune(field.schema, child, below, unknown);
			continue;
		}
		if (unknown)
			json_array_append_new(unknown, json_string(below));
		json_object_del(value, key);
	}
}

json_t *fx_as_schema_zero(const json_t *schema)
{
	json_t *zero = json_object();
	const char *key;
	json_t *property;
	schema = fx_as_schema_resolve(schema);
	json_object_foreach ((json_t *)json_object_get(schema, "properties"), key, property) {
		if (json_object_get(property, FX_AS_BY_VALUE))
			json_object_set_new(zero, key, fx_as_schema_zero(property));
		else if (json_object_get(property, "items") &&
		         fx_as_array_has(json_object_get(schema, "required"), key))
			json_object_set_new(zero, key, json_array());
	}
	return zero;
}
