#include "kustomize/engine.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Kubernetes' label selectors (labels.Parse of apimachinery). */

enum operator{
	OP_EXISTS,
	OP_NOT_EXISTS,
	OP_IN,
	OP_NOT_IN,
	OP_GREATER,
	OP_LESS,
};

struct requirement {
	const char *key;
	enum operator op;
	struct fx_texts values;
};

struct fx_label_selector {
	struct requirement *items;
	size_t len, cap;
};

struct parser {
	struct fx_build *b;
	const char *text, *at;
};

static void skip_space(struct parser *p)
{
	while (*p->at == ' ' || *p->at == '\t' || *p->at == '\r' || *p->at == '\n')
		p->at++;
}

static bool is_special(char c)
{
	return c && strchr("=!(),><", c) != NULL;
}

/* A word, or "" in front of an operator or the end. */
static const char *take_word(struct parser *p)
{
	skip_space(p);
	const char *start = p->at;
	while (*p->at && !is_special(*p->at) && !isspace((unsigned char)*p->at))
		p->at++;
	const char *word = fx_strn(p->b, start, (size_t)(p->at - start));
	skip_space(p);
	return word;
}

static bool take(struct parser *p, const char *token)
{
	size_t n = strlen(token);
	skip_space(p);
	if (strncmp(p->at, token, n) != 0)
		return false;
	p->at += n;
	return true;
}

static bool name_ok(const char *s, size_t len, size_t max)
{
	if (len == 0 || len > max || !isalnum((unsigned char)s[0]) || !isalnum((unsigned char)s[len - 1]))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)s[i]) && !strchr("-_.", s[i]))
			return false;
	return true;
}

static bool prefix_ok(const char *s, size_t len)
{
	if (len == 0 || len > 253)
		return false;
	for (size_t i = 0; i < len; i++) {
		bool alnum = islower((unsigned char)s[i]) || isdigit((unsigned char)s[i]);
		bool edge = i == 0 || i + 1 == len || s[i - 1] == '.' || s[i + 1] == '.';
		if (!alnum && (edge || (s[i] != '-' && s[i] != '.')))
			return false;
	}
	return true;
}

static void check_key(struct parser *p, const char *key)
{
	const char *slash = strchr(key, '/');
	const char *name = slash ? slash + 1 : key;
	if ((slash && !prefix_ok(key, (size_t)(slash - key))) || !name_ok(name, strlen(name), 63))
		fx_throw(p->b,
		        "unable to parse requirement: invalid label key %s: name part must consist of "
		        "alphanumeric characters",
		        fx_quote(p->b, key));
}

static void check_values(struct parser *p, const struct requirement *r)
{
	for (size_t i = 0; i < r->values.len; i++) {
		const char *v = r->values.items[i];
		if (*v && !name_ok(v, strlen(v), 63))
			fx_throw(p->b, "unable to parse requirement: invalid label value: %s: at key: %s",
			        fx_quote(p->b, v), fx_quote(p->b, r->key));
		if (r->op == OP_GREATER || r->op == OP_LESS) {
			char *end;
			strtoll(v, &end, 10);
			if (!*v || *end)
				fx_throw(p->b, "unable to parse requirement: for 'Gt', 'Lt' operators, the "
				               "value must be an integer");
		}
	}
}

static void take_set(struct parser *p, struct requirement *r)
{
	if (!take(p, "("))
		fx_throw(p->b, "unable to parse requirement: found '%s', expected: '('", p->at);
	do {
		fx_texts_add(p->b, &r->values, take_word(p));
	} while (take(p, ","));
	if (!take(p, ")"))
		fx_throw(p->b, "unable to parse requirement: found '%s', expected: ',' or ')'", p->at);
}

static void take_requirement(struct parser *p, struct requirement *r)
{
	*r = (struct requirement){.op = OP_EXISTS};
	if (take(p, "!")) {
		r->op = OP_NOT_EXISTS;
		r->key = take_word(p);
		check_key(p, r->key);
		return;
	}
	r->key = take_word(p);
	if (!*r->key)
		fx_throw(p->b, "unable to parse requirement: found '%s', expected: identifier", p->at);
	check_key(p, r->key);
	if (*p->at == '\0' || *p->at == ',')
		return;
	if (take(p, "==") || take(p, "="))
		r->op = OP_IN;
	else if (take(p, "!="))
		r->op = OP_NOT_IN;
	else if (take(p, ">"))
		r->op = OP_GREATER;
	else if (take(p, "<"))
		r->op = OP_LESS;
	else {
		const char *word = take_word(p);
		if (strcmp(word, "in") == 0)
			r->op = OP_IN;
		else if (strcmp(word, "notin") == 0)
			r->op = OP_NOT_IN;
		else
			fx_throw(p->b,
			        "unable to parse requirement: found '%s', expected: in, notin, =, ==, !=, "
			        "gt, lt",
			        *word ? word : p->at);
		take_set(p, r);
		check_values(p, r);
		return;
	}
	fx_texts_add(p->b, &r->values, take_word(p));
	check_values(p, r);
}

struct fx_label_selector *fx_label_selector_new(struct fx_build *b, const char *text)
{
	struct fx_label_selector *s = fx_new(b, sizeof(*s));
	struct parser p = {b, text, text};
	skip_space(&p);
	if (!*p.at)
		return s;
	for (;;) {
		s->items = fx_more(b, s->items, &s->cap, s->len, sizeof(*s->items));
		take_requirement(&p, &s->items[s->len++]);
		skip_space(&p);
		if (!*p.at)
			return s;
		if (!take(&p, ","))
			fx_throw(b, "found '%.1s', expected: ',' or 'end of string'", p.at);
		skip_space(&p);
		if (!*p.at)
			fx_throw(b, "found '', expected: identifier after ','");
	}
}

static bool in_set(const struct fx_texts *values, const char *value)
{
	for (size_t i = 0; i < values->len; i++)
		if (strcmp(values->items[i], value) == 0)
			return true;
	return false;
}

static bool compare_numbers(const struct requirement *r, const char *value)
{
	char *end;
	long long have = strtoll(value, &end, 10), want = strtoll(r->values.items[0], NULL, 10);
	if (!*value || *end)
		return false;
	return r->op == OP_GREATER ? have > want : have < want;
}

bool fx_label_selector_match(const struct fx_label_selector *s, const struct fx_node *labels)
{
	for (size_t i = 0; i < s->len; i++) {
		const struct requirement *r = &s->items[i];
		const struct fx_node *v = fx_node_get(labels, r->key);
		const char *value = v ? v->kind == FX_NODE_SCALAR ? v->text : "" : NULL;
		bool ok = false;
		switch (r->op) {
		case OP_EXISTS:
			ok = value != NULL;
			break;
		case OP_NOT_EXISTS:
			ok = value == NULL;
			break;
		case OP_IN:
			ok = value && in_set(&r->values, value);
			break;
		case OP_NOT_IN:
			ok = !value || !in_set(&r->values, value);
			break;
		case OP_GREATER:
		case OP_LESS:
			ok = value && compare_numbers(r, value);
			break;
		}
		if (!ok)
			return false;
	}
	return true;
}
