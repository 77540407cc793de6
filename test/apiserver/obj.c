#include "obj.h"

#include "core/clock.h"

#include <string.h>

void fx_as_put(json_t *object, json_t *value, ...)
{
	va_list ap;
	va_start(ap, value);
	const char *key = va_arg(ap, const char *);
	for (const char *next; (next = va_arg(ap, const char *)); key = next) {
		json_t *child = json_object_get(object, key);
		if (!json_is_object(child)) {
			child = json_object();
			json_object_set_new(object, key, child);
		}
		object = child;
	}
	va_end(ap);
	json_object_set_new(object, key, value);
}

bool fx_as_array_has(const json_t *array, const char *text)
{
	size_t i;
	json_t *item;
	json_array_foreach (array, i, item) {
		const char *s = json_string_value(item);
		if (s && strcmp(s, text) == 0)
			return true;
	}
	return false;
}

char *fx_as_text(const json_t *value)
{
	return json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
}

const char *fx_as_name(const json_t *object)
{
	const char *s = fx_json_str_at(object, "metadata", "name");
	return s ? s : "";
}

const char *fx_as_namespace(const json_t *object)
{
	const char *s = fx_json_str_at(object, "metadata", "namespace");
	return s ? s : "";
}

json_t *fx_as_now(void)
{
	char text[FX_TIME_TEXT];
	return json_string(fx_time_rfc3339(fx_wall_ns(), text));
}

json_t *fx_as_now_micro(void)
{
	char text[FX_TIME_TEXT];
	return json_string(fx_time_rfc3339_micro(fx_wall_ns(), text));
}

json_t *fx_as_status(int code, const char *reason, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fx_autofree char *message = NULL;
	if (vasprintf(&message, fmt, ap) < 0)
		message = NULL;
	va_end(ap);
	json_t *status = json_pack("{s:s,s:s,s:{},s:s,s:s}", "kind", "Status", "apiVersion", "v1", "metadata",
	        "status", "Failure", "message", message ? message : "");
	if (*reason)
		json_object_set_new(status, "reason", json_string(reason));
	json_object_set_new(status, "code", json_integer(code));
	return status;
}

json_t *fx_as_status_details(json_t *status, const char *group, const char *kind, const char *name)
{
	json_t *details = json_object_get(status, "details");
	if (!details) {
		details = json_object();
		json_object_set_new(status, "details", details);
	}
	if (name && *name)
		json_object_set_new(details, "name", json_string(name));
	if (group && *group)
		json_object_set_new(details, "group", json_string(group));
	if (kind && *kind)
		json_object_set_new(details, "kind", json_string(kind));
	return status;
}

void fx_as_status_cause(json_t *status, const char *reason, const char *field, const char *message)
{
	json_t *causes = fx_json_at(status, "details", "causes");
	if (!causes) {
		causes = json_array();
		fx_as_put(status, causes, "details", "causes", NULL);
	}
	json_t *cause = json_object();
	if (reason)
		json_object_set_new(cause, "reason", json_string(reason));
	if (message)
		json_object_set_new(cause, "message", json_string(message));
	if (field)
		json_object_set_new(cause, "field", json_string(field));
	json_array_append_new(causes, cause);
}

int fx_as_status_code(const json_t *status)
{
	return (int)fx_json_int_at(status, 500, "code");
}

char *fx_as_qualified(const char *name, const char *group)
{
	char *text = NULL;
	if (asprintf(&text, "%s%s%s", name, *group ? "." : "", group) < 0)
		return NULL;
	return text;
}

json_t *fx_as_not_found(const char *group, const char *resource, const char *name)
{
	fx_autofree char *qualified = fx_as_qualified(resource, group);
	return fx_as_status_details(
	        fx_as_status(404, "NotFound", "%s \"%s\" not found", qualified, name), group, resource, name);
}
