#include "cel.h"

#include "core/cleanup.h"
#include "obj.h"
#include "schema.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

/* Nesting of a rule: deeper ones are not evaluated. */
#define DEPTH_MAX 64

/* A value of an expression is an owned jansson value; NULL is an evaluation error (absent field, wrong type).
 */
struct parser {
	const char *p;
	const json_t *self, *old_self;
	bool unsupported;
	int depth;
};

static json_t *expression(struct parser *ps);

static void space(struct parser *ps)
{
	while (isspace((unsigned char)*ps->p))
		ps->p++;
}

static bool accept(struct parser *ps, const char *text)
{
	space(ps);
	size_t len = strlen(text);
	if (strncmp(ps->p, text, len) != 0)
		return false;
	if (isalpha((unsigned char)text[0]) && (isalnum((unsigned char)ps->p[len]) || ps->p[len] == '_'))
		return false;
	ps->p += len;
	return true;
}

static char *identifier(struct parser *ps)
{
	space(ps);
	const char *start = ps->p;
	while (isalnum((unsigned char)*ps->p) || *ps->p == '_')
		ps->p++;
	return strndup(start, (size_t)(ps->p - start));
}

static json_t *unsupported(struct parser *ps)
{
	ps->unsupported = true;
	return NULL;
}

static json_t *string_literal(struct parser *ps)
{
	char quote = *ps->p++;
	const char *start = ps->p;
	while (*ps->p && *ps->p != quote) {
		if (*ps->p == '\\')
			return unsupported(ps);
		ps->p++;
	}
	if (!*ps->p)
		return unsupported(ps);
	return json_stringn(start, (size_t)(ps->p++ - start));
}

static json_t *list_literal(struct parser *ps)
{
	json_t *list = json_array();
	if (accept(ps, "]"))
		return list;
	do {
		json_t *item = expression(ps);
		if (item)
			json_array_append_new(list, item);
	} while (accept(ps, ","));
	if (!accept(ps, "]"))
		ps->unsupported = true;
	return list;
}

static json_t *call(struct parser *ps, json_t *on, const char *name)
{
	fx_auto(json) json_t *target = on;
	fx_auto(json) json_t *argument = accept(ps, ")") ? NULL : expression(ps);
	if (argument && !accept(ps, ")"))
		return unsupported(ps);
	if (strcmp(name, "size") == 0) {
		const json_t *v = target ? target : argument;
		if (json_is_string(v))
			return json_integer((json_int_t)strlen(json_string_value(v)));
		return v ? json_integer(
		                   (json_int_t)(json_is_array(v) ? json_array_size(v) : json_object_size(v)))
		         : NULL;
	}
	const char *s = json_string_value(target), *t = json_string_value(argument);
	size_t ls = s ? strlen(s) : 0, lt = t ? strlen(t) : 0;
	if (strcmp(name, "startsWith") == 0)
		return s && t ? json_boolean(strncmp(s, t, lt) == 0) : NULL;
	if (strcmp(name, "endsWith") == 0)
		return s && t ? json_boolean(ls >= lt && strcmp(s + ls - lt, t) == 0) : NULL;
	if (strcmp(name, "contains") == 0)
		return s && t ? json_boolean(strstr(s, t)) : NULL;
	return unsupported(ps);
}

static json_t *selectors(struct parser *ps, json_t *value)
{
	for (;;) {
		if (accept(ps, ".")) {
			fx_autofree char *name = identifier(ps);
			if (accept(ps, "(")) {
				value = call(ps, value, name);
				continue;
			}
			json_t *child = json_incref(json_object_get(value, name));
			json_decref(value);
			value = child;
		} else if (accept(ps, "[")) {
			return json_decref(value), unsupported(ps);
		} else {
			return value;
		}
	}
}

static json_t *number(struct parser *ps)
{
	char *end;
	long long n = strtoll(ps->p, &end, 10);
	if (*end == '.')
		return unsupported(ps);
	ps->p = end;
	return json_integer(n);
}

static json_t *primary(struct parser *ps)
{
	space(ps);
	if (*ps->p == '\'' || *ps->p == '"')
		return selectors(ps, string_literal(ps));
	if (isdigit((unsigned char)*ps->p) || (*ps->p == '-' && isdigit((unsigned char)ps->p[1])))
		return number(ps);
	if (accept(ps, "(")) {
		json_t *inner = expression(ps);
		if (!accept(ps, ")"))
			ps->unsupported = true;
		return selectors(ps, inner);
	}
	if (accept(ps, "["))
		return list_literal(ps);
	if (accept(ps, "true"))
		return json_true();
	if (accept(ps, "false"))
		return json_false();
	if (accept(ps, "has")) {
		if (!accept(ps, "("))
			return unsupported(ps);
		fx_auto(json) json_t *value = expression(ps);
		return accept(ps, ")") ? json_boolean(value) : unsupported(ps);
	}
	if (accept(ps, "size"))
		return accept(ps, "(") ? call(ps, NULL, "size") : unsupported(ps);
	if (accept(ps, "self"))
		return selectors(ps, json_incref((json_t *)ps->self));
	if (accept(ps, "oldSelf"))
		return ps->old_self ? selectors(ps, json_incref((json_t *)ps->old_self)) : unsupported(ps);
	return unsupported(ps);
}

static json_t *unary(struct parser *ps)
{
	space(ps);
	if (ps->p[0] != '!' || ps->p[1] == '=')
		return primary(ps);
	ps->p++;
	fx_auto(json) json_t *value = unary(ps);
	return json_is_boolean(value) ? json_boolean(!json_is_true(value)) : NULL;
}

static json_t *compare(struct parser *ps, json_t *left, const char *op)
{
	fx_auto(json) json_t *a = left;
	fx_auto(json) json_t *b = unary(ps);
	if (!a || !b)
		return NULL;
	if (strcmp(op, "==") == 0)
		return json_boolean(json_equal(a, b));
	if (strcmp(op, "!=") == 0)
		return json_boolean(!json_equal(a, b));
	if (strcmp(op, "in") == 0) {
		size_t i;
		json_t *item;
		if (json_is_object(b))
			return json_boolean(json_is_string(a) && json_object_get(b, json_string_value(a)));
		json_array_foreach (b, i, item)
			if (json_equal(item, a))
				return json_true();
		return json_false();
	}
	int order =
	        json_is_string(a) && json_is_string(b) ? strcmp(json_string_value(a), json_string_value(b))
	        : json_number_value(a) < json_number_value(b) ? -1
	                                                      : json_number_value(a) > json_number_value(b);
	bool equal_counts = op[1] == '=';
	return json_boolean((op[0] == '<' ? order < 0 : order > 0) || (equal_counts && order == 0));
}

static json_t *relation(struct parser *ps)
{
	static const char *const ops[] = {"==", "!=", "<=", ">=", "<", ">", "in"};
	json_t *left = unary(ps);
	for (size_t i = 0; i < FX_COUNT(ops); i++) {
		if (accept(ps, ops[i]))
			return compare(ps, left, ops[i]);
	}
	return left;
}

/* `true || error` is true, `false && error` is false, on either side. */
static json_t *logic(json_t *left, json_t *right, bool decisive)
{
	fx_auto(json) json_t *a = left;
	fx_auto(json) json_t *b = right;
	bool decided = (json_is_boolean(a) && json_is_true(a) == decisive) ||
	               (json_is_boolean(b) && json_is_true(b) == decisive);
	if (decided)
		return json_boolean(decisive);
	return json_is_boolean(a) && json_is_boolean(b) ? json_boolean(!decisive) : NULL;
}

static json_t *conjunction(struct parser *ps)
{
	json_t *value = relation(ps);
	while (accept(ps, "&&"))
		value = logic(value, relation(ps), false);
	return value;
}

static json_t *expression(struct parser *ps)
{
	if (++ps->depth > DEPTH_MAX) {
		ps->depth--;
		return unsupported(ps);
	}
	json_t *value = conjunction(ps);
	while (accept(ps, "||"))
		value = logic(value, conjunction(ps), true);
	ps->depth--;
	return value;
}

int fx_as_cel_rule(const char *rule, const json_t *self, const json_t *old_self)
{
	struct parser ps = {.p = rule, .self = self, .old_self = old_self};
	fx_auto(json) json_t *value = expression(&ps);
	space(&ps);
	if (ps.unsupported || *ps.p || !json_is_boolean(value))
		return -1;
	return json_is_true(value);
}

static void run_rules(
        const json_t *schema, const json_t *value, const json_t *old, const char *path, json_t *problems)
{
	size_t i;
	json_t *rule;
	json_array_foreach (json_object_get(schema, "x-kubernetes-validations"), i, rule) {
		const char *text = fx_json_str_at(rule, "rule"), *message = fx_json_str_at(rule, "message");
		if (!text || fx_as_cel_rule(text, value, old) != 0)
			continue;
		fx_autofree char *full = NULL;
		int n = message ? asprintf(&full, "Invalid value: %s", message)
		                : asprintf(&full, "Invalid value: failed rule: %s", text);
		if (n >= 0)
			json_array_append_new(
			        problems, json_pack("{s:s,s:s,s:s}", "reason", "FieldValueInvalid", "field",
			                          *path ? path : "<nil>", "message", full));
	}
}

void fx_as_cel_validate(
        const json_t *schema, const json_t *value, const json_t *old, const char *path, json_t *problems)
{
	schema = fx_as_schema_resolve(schema);
	if (!schema)
		return;
	run_rules(schema, value, old, path, problems);
	const char *key;
	size_t i;
	json_t *child;
	json_object_foreach ((json_t *)value, key, child) {
		struct fx_as_field field = fx_as_schema_field(schema, key);
		fx_autofree char *below = NULL;
		if (field.schema && asprintf(&below, "%s%s%s", path, *path ? "." : "", key) >= 0)
			fx_as_cel_validate(field.schema, child, json_object_get(old, key), below, problems);
	}
	json_array_foreach (value, i, child) {
		fx_autofree char *below = NULL;
		if (asprintf(&below, "%s[%zu]", path, i) >= 0)
			fx_as_cel_validate(fx_as_schema_items(schema), child, NULL, below, problems);
	}
}
