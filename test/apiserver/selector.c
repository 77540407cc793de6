#include "selector.h"

#include "core/vec.h"
#include "obj.h"

#include <ctype.h>
#include <string.h>

enum op { OP_IN, OP_NOT_IN, OP_EXISTS, OP_MISSING };

struct requirement {
	char *key;
	enum op op;
	FX_VEC(char *) values;
};

struct fx_as_selector {
	FX_VEC(struct requirement) all;
};

static void requirement_release(struct requirement *r)
{
	free(r->key);
	fx_vec_foreach (char *, v, &r->values)
		free(*v);
	fx_vec_release(&r->values);
}

void fx_as_selector_free(struct fx_as_selector *selector)
{
	if (!selector)
		return;
	fx_vec_foreach (struct requirement, r, &selector->all)
		requirement_release(r);
	fx_vec_release(&selector->all);
	free(selector);
}

static const char *skip(const char *p)
{
	while (isspace((unsigned char)*p))
		p++;
	return p;
}

static bool is_word(char c)
{
	return c && !isspace((unsigned char)c) && !strchr("=!,()", c);
}

static char *take_word(const char **p)
{
	const char *start = *p = skip(*p);
	while (is_word(**p))
		(*p)++;
	return strndup(start, (size_t)(*p - start));
}

static bool take_text(const char **p, const char *text)
{
	const char *at = skip(*p);
	if (strncmp(at, text, strlen(text)) != 0)
		return false;
	*p = at + strlen(text);
	return true;
}

/* "(a,b,c)" */
static bool parse_set(const char **p, struct requirement *r)
{
	if (!take_text(p, "("))
		return false;
	do {
		char *word = take_word(p);
		if (!word || !fx_vec_push(&r->values, word))
			return false;
	} while (take_text(p, ","));
	return take_text(p, ")");
}

static bool parse_requirement(const char **p, struct requirement *r)
{
	if (take_text(p, "!")) {
		r->op = OP_MISSING;
		r->key = take_word(p);
		return r->key && *r->key;
	}
	r->key = take_word(p);
	if (!r->key || !*r->key)
		return false;
	*p = skip(*p);
	if (**p == '\0' || **p == ',') {
		r->op = OP_EXISTS;
		return true;
	}
	if (take_text(p, "!=")) {
		r->op = OP_NOT_IN;
	} else if (take_text(p, "==") || take_text(p, "=")) {
		r->op = OP_IN;
	} else {
		fx_autofree char *word = take_word(p);
		if (word && strcmp(word, "in") == 0)
			r->op = OP_IN;
		else if (word && strcmp(word, "notin") == 0)
			r->op = OP_NOT_IN;
		else
			return false;
		return parse_set(p, r);
	}
	char *value = take_word(p);
	if (!value || !fx_vec_push(&r->values, value))
		return false;
	*p = skip(*p);
	return **p == '\0' || **p == ',';
}

int fx_as_labels_parse(const char *text, struct fx_as_selector **out, struct fx_error *err)
{
	*out = NULL;
	if (!text || !*skip(text))
		return 0;
	fx_auto(as_selector) struct fx_as_selector *s = calloc(1, sizeof(*s));
	if (!s)
		return fx_fail_nomem(err);
	const char *p = text;
	do {
		struct requirement r = {0};
		bool ok = parse_requirement(&p, &r);
		if (!ok || !fx_vec_push(&s->all, r)) {
			requirement_release(&r);
			return fx_fail(err, FX_E_PARSE,
			        "unable to parse requirement: found '%.1s', expected: identifier", p);
		}
	} while (take_text(&p, ","));
	if (*skip(p))
		return fx_fail(err, FX_E_PARSE, "found '%s', expected: ',' or 'end of string'", p);
	*out = fx_take(s);
	return 0;
}

int fx_as_fields_parse(const char *text, struct fx_as_selector **out, struct fx_error *err)
{
	*out = NULL;
	if (!text || !*text)
		return 0;
	fx_auto(as_selector) struct fx_as_selector *s = calloc(1, sizeof(*s));
	fx_autofree char *copy = strdup(text);
	if (!s || !copy)
		return fx_fail_nomem(err);
	char *save = NULL;
	for (char *term = strtok_r(copy, ",", &save); term; term = strtok_r(NULL, ",", &save)) {
		char *eq = strchr(term, '=');
		if (!eq || eq == term)
			return fx_fail(err, FX_E_PARSE, "invalid field selector: %s; can't understand '%s'",
			        text, term);
		bool negative = eq[-1] == '!';
		struct requirement r = {.op = negative ? OP_NOT_IN : OP_IN};
		r.key = strndup(term, (size_t)(eq - term) - negative);
		char *value = strdup(eq[1] == '=' ? eq + 2 : eq + 1);
		if (!r.key || !value || !fx_vec_push(&r.values, value) || !fx_vec_push(&s->all, r)) {
			requirement_release(&r);
			return fx_fail_nomem(err);
		}
	}
	*out = fx_take(s);
	return 0;
}

static bool has_value(const struct requirement *r, const char *value)
{
	fx_vec_foreach (char *, v, &r->values)
		if (strcmp(*v, value) == 0)
			return true;
	return false;
}

static bool requirement_matches(const struct requirement *r, const char *value)
{
	switch (r->op) {
	case OP_IN:
		return value && has_value(r, value);
	case OP_NOT_IN:
		return !value || !has_value(r, value);
	case OP_EXISTS:
		return value;
	case OP_MISSING:
		return !value;
	}
	return false;
}

bool fx_as_labels_match(const struct fx_as_selector *selector, const json_t *object)
{
	if (!selector)
		return true;
	const json_t *labels = fx_json_at(object, "metadata", "labels");
	fx_vec_foreach (struct requirement, r, &selector->all) {
		if (!requirement_matches(r, json_string_value(json_object_get(labels, r->key))))
			return false;
	}
	return true;
}

/* The text of the value at a dotted path; numbers and booleans as they are written. */
static const char *field_text(const json_t *object, const char *path, char scratch[32])
{
	const json_t *at = object;
	while (path && *path) {
		size_t len = strcspn(path, ".");
		char key[128];
		if (len >= sizeof(key))
			return "";
		memcpy(key, path, len);
		key[len] = '\0';
		at = json_object_get(at, key);
		path += len + (path[len] == '.');
	}
	if (json_is_string(at))
		return json_string_value(at);
	if (json_is_boolean(at))
		return json_is_true(at) ? "true" : "false";
	if (!json_is_integer(at))
		return "";
	snprintf(scratch, 32, "%" JSON_INTEGER_FORMAT, json_integer_value(at));
	return scratch;
}

bool fx_as_fields_match(const struct fx_as_selector *selector, const json_t *object)
{
	if (!selector)
		return true;
	fx_vec_foreach (struct requirement, r, &selector->all) {
		char scratch[32];
		if (!requirement_matches(r, field_text(object, r->key, scratch)))
			return false;
	}
	return true;
}

const char *fx_as_fields_value(const struct fx_as_selector *selector, const char *field)
{
	if (!selector)
		return NULL;
	fx_vec_foreach (struct requirement, r, &selector->all) {
		if (r->op == OP_IN && strcmp(r->key, field) == 0)
			return r->values.items[0];
	}
	return NULL;
}

const char *fx_as_selector_key(const struct fx_as_selector *selector, size_t i)
{
	return selector && i < selector->all.len ? selector->all.items[i].key : NULL;
}

static bool expression_matches(const json_t *expression, const json_t *labels)
{
	const char *key = fx_json_str_at(expression, "key");
	const char *op = fx_json_str_at(expression, "operator");
	const json_t *values = json_object_get(expression, "values");
	const char *have = key ? json_string_value(json_object_get(labels, key)) : NULL;
	if (!op)
		return false;
	if (strcmp(op, "In") == 0)
		return have && fx_as_array_has(values, have);
	if (strcmp(op, "NotIn") == 0)
		return !have || !fx_as_array_has(values, have);
	if (strcmp(op, "Exists") == 0)
		return have;
	return strcmp(op, "DoesNotExist") == 0 && !have;
}

bool fx_as_label_selector_matches(const json_t *selector, const json_t *labels)
{
	if (!json_is_object(selector))
		return false;
	const char *key;
	json_t *want;
	json_object_foreach ((json_t *)json_object_get(selector, "matchLabels"), key, want) {
		const char *have = json_string_value(json_object_get(labels, key));
		if (!have || !json_is_string(want) || strcmp(have, json_string_value(want)) != 0)
			return false;
	}
	size_t i;
	json_t *expression;
	json_array_foreach (json_object_get(selector, "matchExpressions"), i, expression) {
		if (!expression_matches(expression, labels))
			return false;
	}
	return true;
}
