/* Validation of values against a schema; the texts are the ones users see from a real API server. */
#include "schema.h"

#include "core/buf.h"
#include "core/cleanup.h"
#include "obj.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <string.h>

static void problem(json_t *problems, const char *reason, const char *field, const char *fmt, ...)
        fx_printf(4, 5);
static void problem(json_t *problems, const char *reason, const char *field, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fx_autofree char *message = NULL;
	if (vasprintf(&message, fmt, ap) < 0)
		message = NULL;
	va_end(ap);
	json_array_append_new(problems, json_pack("{s:s,s:s,s:s}", "reason", reason, "field",
	                                        *field ? field : "<nil>", "message", message ? message : ""));
}

static const char *type_of(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return "object";
	case JSON_ARRAY:
		return "array";
	case JSON_STRING:
		return "string";
	case JSON_INTEGER:
		return "integer";
	case JSON_REAL:
		return "number";
	case JSON_TRUE:
	case JSON_FALSE:
		return "boolean";
	default:
		return "null";
	}
}

static bool has_type(const json_t *value, const char *type)
{
	const char *have = type_of(value);
	if (strcmp(have, type) == 0)
		return true;
	if (strcmp(type, "number") == 0)
		return json_is_integer(value);
	return strcmp(type, "integer") == 0 && json_is_real(value) &&
	       json_real_value(value) == (double)(json_int_t)json_real_value(value);
}

static bool matches(const char *pattern, const char *text)
{
	int code;
	PCRE2_SIZE offset;
	pcre2_code *re = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
	        PCRE2_UTF | PCRE2_DOLLAR_ENDONLY, &code, &offset, NULL);
	if (!re)
		return true;
	pcre2_match_data *data = pcre2_match_data_create_from_pattern(re, NULL);
	int rc = data ? pcre2_match(re, (PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, 0, 0, data, NULL) : 0;
	pcre2_match_data_free(data);
	pcre2_code_free(re);
	return rc >= 0;
}

/* Code points of a UTF-8 text. */
static json_int_t text_length(const char *s)
{
	json_int_t n = 0;
	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static void validate_string(const json_t *schema, const json_t *value, const char *path, json_t *problems)
{
	const char *text = json_string_value(value);
	const char *pattern = fx_json_str_at(schema, "pattern");
	json_int_t min = fx_json_int_at(schema, 0, "minLength");
	json_int_t max = fx_json_int_at(schema, -1, "maxLength");
	json_int_t length = text_length(text);
	if (max >= 0 && length > max)
		problem(problems, "FieldValueTooLong", path, "Too long: may not be more than %lld bytes",
		        (long long)max);
	if (length < min)
		problem(problems, "FieldValueInvalid", path,
		        "Invalid value: \"%s\": %s in body should be at least %lld chars long", text, path,
		        (long long)min);
	if (pattern && !matches(pattern, text))
		problem(problems, "FieldValueInvalid", path,
		        "Invalid value: \"%s\": %s in body should match '%s'", text, path, pattern);
}

static void validate_number(const json_t *schema, const json_t *value, const char *path, json_t *problems)
{
	const json_t *min = json_object_get(schema, "minimum");
	const json_t *max = json_object_get(schema, "maximum");
	double n = json_number_value(value);
	if (min && n < json_number_value(min))
		problem(problems, "FieldValueInvalid", path,
		        "Invalid value: %g: %s in body should be greater than or equal to %g", n, path,
		        json_number_value(min));
	if (max && n > json_number_value(max))
		problem(problems, "FieldValueInvalid", path,
		        "Invalid value: %g: %s in body should be less than or equal to %g", n, path,
		        json_number_value(max));
}

static void validate_enum(const json_t *schema, const json_t *value, const char *path, json_t *problems)
{
	const json_t *allowed = json_object_get(schema, "enum");
	if (!allowed)
		return;
	fx_auto(buf) struct fx_buf names = FX_BUF_INIT;
	size_t i;
	json_t *one;
	json_array_foreach (allowed, i, one) {
		if (json_equal(one, value))
			return;
		fx_autofree char *text = fx_as_text(one);
		fx_buf_addf(&names, "%s%s", i ? ", " : "", text);
	}
	fx_autofree char *have = fx_as_text(value);
	problem(problems, "FieldValueNotSupported", path, "Unsupported value: %s: supported values: %s", have,
	        fx_buf_str(&names));
}

static void validate_array(const json_t *schema, const json_t *value, const char *path, json_t *problems)
{
	json_int_t min = fx_json_int_at(schema, 0, "minItems");
	json_int_t max = fx_json_int_at(schema, -1, "maxItems");
	size_t count = json_array_size(value);
	if (max >= 0 && (json_int_t)count > max)
		problem(problems, "FieldValueTooMany", path, "Too many: %zu: must have at most %lld items",
		        count, (long long)max);
	if ((json_int_t)count < min)
		problem(problems, "FieldValueInvalid", path,
		        "Invalid value: %zu: %s in body should have at least %lld items", count, path,
		        (long long)min);
	size_t i;
	json_t *item;
	json_array_foreach (value, i, item) {
		fx_autofree char *below = NULL;
		if (asprintf(&below, "%s[%zu]", path, i) < 0)
			return;
		fx_as_schema_validate(fx_as_schema_items(schema), item, below, problems);
	}
}

static void validate_object(const json_t *schema, const json_t *value, const char *path, json_t *problems)
{
	size_t i;
	json_t *name;
	json_array_foreach (json_object_get(schema, "required"), i, name) {
		if (json_object_get(value, json_string_value(name)))
			continue;
		fx_autofree char *below = NULL;
		if (asprintf(&below, "%s%s%s", path, *path ? "." : "", json_string_value(name)) < 0)
			return;
		problem(problems, "FieldValueRequired", below, "Required value");
	}
	const char *key;
	json_t *child;
	json_object_foreach ((json_t *)value, key, child) {
		struct fx_as_field field = fx_as_schema_field(schema, key);
		if (!field.schema || (!*path && strcmp(key, "metadata") == 0))
			continue;
		fx_autofree char *below = NULL;
		if (asprintf(&below, "%s%s%s", path, *path ? "." : "", key) < 0)
			return;
		fx_as_schema_validate(field.schema, child, below, problems);
	}
}

static void validate_type(const char *type, const json_t *value, const char *path, json_t *problems)
{
	problem(problems, "FieldValueTypeInvalid", path,
	        "Invalid value: \"%s\": %s in body must be of type %s: \"%s\"", type_of(value), path, type,
	        type_of(value));
}

void fx_as_schema_validate(const json_t *schema, const json_t *value, const char *path, json_t *problems)
{
	schema = fx_as_schema_resolve(schema);
	if (!schema || (json_is_null(value) && json_is_true(json_object_get(schema, "nullable"))))
		return;
	const char *type = fx_json_str_at(schema, "type");
	if (json_is_true(json_object_get(schema, "x-kubernetes-int-or-string"))) {
		if (!json_is_integer(value) && !json_is_string(value) && !json_is_real(value))
			validate_type("integer,string", value, path, problems);
		return;
	}
	if (type && !has_type(value, type)) {
		validate_type(type, value, path, problems);
		return;
	}
	validate_enum(schema, value, path, problems);
	if (json_is_string(value))
		validate_string(schema, value, path, problems);
	else if (json_is_number(value))
		validate_number(schema, value, path, problems);
	else if (json_is_array(value))
		validate_array(schema, value, path, problems);
	else if (json_is_object(value))
		validate_object(schema, value, path, problems);
}

static void typed_error(json_t *errors, const char *path, const char *what, const json_t *value)
{
	fx_autofree char *text = value ? fx_as_text(value) : NULL;
	fx_autofree char *message = NULL;
	int n = json_is_string(value) && what[0] == 'n'
	                ? asprintf(&message, "%s: expected %s, got string", path, what)
	        : text ? asprintf(&message, "%s: expected %s, got &value.valueUnstructured{Value:%s}", path,
	                         what, text)
	               : asprintf(&message, "%s: %s", path, what);
	if (n >= 0)
		json_array_append_new(errors, json_string(message));
}

static void check_list(const json_t *schema, const json_t *value, const char *path, json_t *errors)
{
	fx_auto(json) json_t *seen = json_object();
	bool merged = !fx_as_schema_is_leaf(schema, value);
	size_t i;
	json_t *item;
	json_array_foreach (value, i, item) {
		fx_autofree char *key = merged ? fx_as_schema_item_key(schema, item) : NULL;
		fx_autofree char *below = NULL;
		if (asprintf(&below, "%s[%zu]", path, i) < 0)
			return;
		if (merged && !key)
			typed_error(errors, below,
			        "associative list with keys has an element that omits key field", NULL);
		else if (merged && json_object_get(seen, key))
			typed_error(errors, path, "duplicate entries for key", NULL);
		else if (merged)
			json_object_set_new(seen, key, json_true());
		fx_as_schema_check_typed(fx_as_schema_items(schema), item, below, errors);
	}
}

static void check_map(const json_t *schema, const json_t *value, const char *path, json_t *errors)
{
	const char *key;
	json_t *child;
	json_object_foreach ((json_t *)value, key, child) {
		fx_autofree char *below = NULL;
		if (asprintf(&below, "%s.%s", path, key) < 0)
			return;
		struct fx_as_field field = fx_as_schema_field(schema, key);
		if (!field.declared)
			typed_error(errors, below, "field not declared in schema", NULL);
		else if (field.schema)
			fx_as_schema_check_typed(field.schema, child, below, errors);
	}
}

void fx_as_schema_check_typed(const json_t *schema, const json_t *value, const char *path, json_t *errors)
{
	schema = fx_as_schema_resolve(schema);
	if (!schema || json_is_null(value) ||
	        json_is_true(json_object_get(schema, "x-kubernetes-int-or-string")))
		return;
	const char *type = fx_json_str_at(schema, "type");
	if (!type)
		return;
	if (strcmp(type, "object") == 0) {
		if (json_is_object(value))
			check_map(schema, value, path, errors);
		else
			typed_error(errors, path, "map", value);
	} else if (strcmp(type, "array") == 0) {
		if (json_is_array(value))
			check_list(schema, value, path, errors);
		else
			typed_error(errors, path, "list", value);
	} else if (strcmp(type, "string") == 0 && !json_is_string(value)) {
		typed_error(errors, path, "string", value);
	} else if (strcmp(type, "boolean") == 0 && !json_is_boolean(value)) {
		typed_error(errors, path, "boolean", value);
	} else if ((strcmp(type, "integer") == 0 || strcmp(type, "number") == 0) && !json_is_number(value)) {
		typed_error(errors, path, "numeric (int or float)", value);
	}
}
