#include "types.h"

#include "core/cleanup.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

static json_t *definitions;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static json_t *parse_type(const char **p);

static json_t *scalar(char c)
{
	switch (c) {
	case 's':
		return json_pack("{s:s}", "type", "string");
	case 'q':
		return json_pack("{s:s,s:b}", "format", "quantity", "x-kubernetes-int-or-string", 1);
	case 'i':
		return json_pack("{s:s,s:s}", "type", "integer", "format", "int32");
	case 'l':
		return json_pack("{s:s,s:s}", "type", "integer", "format", "int64");
	case 'b':
		return json_pack("{s:s}", "type", "boolean");
	case 'n':
		return json_pack("{s:s}", "type", "number");
	case 'p':
		return json_pack("{s:s,s:b}", "format", "int-or-string", "x-kubernetes-int-or-string", 1);
	case 't':
	case 'u':
		return json_pack("{s:s,s:s}", "type", "string", "format", "date-time");
	case 'y':
		return json_pack("{s:s,s:s}", "type", "string", "format", "byte");
	default:
		return json_pack("{s:b}", "x-kubernetes-preserve-unknown-fields", 1);
	}
}

static json_t *parse_name(const char **p)
{
	size_t len = strspn(*p, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789");
	json_t *node = json_object();
	json_object_set_new(node, "$ref", json_stringn(*p, len));
	*p += len;
	return node;
}

static json_t *parse_map(const char **p)
{
	json_t *node = json_pack("{s:s,s:o}", "type", "object", "additionalProperties", parse_type(p));
	(*p)++;
	if (**p == '!') {
		(*p)++;
		json_object_set_new(node, "x-kubernetes-map-type", json_string("atomic"));
	}
	return node;
}

static json_t *parse_list(const char **p)
{
	json_t *node = json_pack("{s:s,s:o}", "type", "array", "items", parse_type(p));
	const char *kind = "atomic";
	if (**p == '|') {
		(*p)++;
		size_t len = strcspn(*p, "]");
		if (strncmp(*p, "set]", 4) == 0) {
			kind = "set";
		} else {
			kind = "map";
			json_t *keys = json_array();
			for (const char *at = *p, *end = *p + len; at < end;) {
				size_t n = strcspn(at, ",]");
				json_array_append_new(keys, json_stringn(at, n));
				at += n + 1;
			}
			json_object_set_new(node, "x-kubernetes-list-map-keys", keys);
		}
		*p += len;
	}
	(*p)++;
	json_object_set_new(node, "x-kubernetes-list-type", json_string(kind));
	return node;
}

static json_t *parse_type(const char **p)
{
	if (**p == '{') {
		(*p)++;
		return parse_map(p);
	}
	if (**p == '[') {
		(*p)++;
		return parse_list(p);
	}
	if (**p == '.') {
		(*p)++;
		json_t *node = parse_name(p);
		json_object_set_new(node, "default", json_object());
		json_object_set_new(node, FX_AS_BY_VALUE, json_true());
		return node;
	}
	if (**p >= 'A' && **p <= 'Z')
		return parse_name(p);
	return scalar(*(*p)++);
}

static json_t *parse_default(const char **p)
{
	size_t len = strcspn(*p, " ");
	fx_autofree char *text = strndup(*p, len);
	*p += len;
	json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
	return value ? value : json_string(text);
}

static json_t *parse_row(const struct fx_as_type_row *row)
{
	json_t *properties = json_object();
	json_t *required = json_array();
	for (const char *p = row->fields; *p;) {
		p += strspn(p, " ");
		if (!*p)
			break;
		size_t len = strcspn(p, "*:");
		fx_autofree char *name = strndup(p, len);
		p += len;
		if (*p == '*') {
			json_array_append_new(required, json_string(name));
			p++;
		}
		p++;
		json_t *node = parse_type(&p);
		if (*p == '=') {
			p++;
			json_object_set_new(node, "default", parse_default(&p));
		}
		json_object_set_new(properties, name, node);
	}
	json_t *type = json_pack("{s:s,s:o}", "type", "object", "properties", properties);
	if (json_array_size(required))
		json_object_set(type, "required", required);
	json_decref(required);
	return type;
}

static void add_rows(const struct fx_as_type_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		json_t *type = parse_row(&rows[i]);
		size_t len = strlen(rows[i].name);
		bool atomic = rows[i].name[len - 1] == '!';
		if (atomic)
			json_object_set_new(type, "x-kubernetes-map-type", json_string("atomic"));
		fx_autofree char *name = strndup(rows[i].name, len - atomic);
		json_object_set_new(definitions, name, type);
	}
}

static void make(void)
{
	definitions = json_object();
	add_rows(fx_as_types_core, fx_as_types_core_count);
	add_rows(fx_as_types_groups, fx_as_types_groups_count);
}

const json_t *fx_as_types(void)
{
	pthread_once(&once, make);
	return definitions;
}

const json_t *fx_as_type(const char *name)
{
	return json_object_get(fx_as_types(), name);
}
