#include "kustomize/engine.h"

#include "data/scalar.h"

#include <stdlib.h>
#include <string.h>

static const char *text_at(const struct fx_node *n, const char *key)
{
	const char *t = fx_node_get_text(n, key);
	return t ? t : "";
}

static const char *field_path(const struct fx_node *var)
{
	const char *p = text_at(fx_node_get(var, "fieldref"), "fieldPath");
	return *p ? p : "metadata.name";
}

static struct fx_id var_id(struct fx_build *b, const struct fx_node *var)
{
	const struct fx_node *ref = fx_node_get(var, "objref");
	struct fx_id id = {.gvk = {.group = text_at(ref, "group"),
	                           .version = text_at(ref, "version"),
	                           .kind = text_at(ref, "kind")},
	        .name = text_at(ref, "name"),
	        .ns = text_at(ref, "namespace")};
	if (*text_at(ref, "apiVersion"))
		fx_gvk_split(b, text_at(ref, "apiVersion"), &id.gvk);
	return id;
}

static const char *var_text(struct fx_build *b, const struct fx_node *var)
{
	struct fx_id id = var_id(b, var);
	return fx_fmt(b, "{%s %s {%s}}", text_at(var, "name"), fx_gvk_text(b, &id.gvk), field_path(var));
}

static void add_var(struct fx_build *b, struct fx_vars *to, const struct fx_node *var)
{
	for (size_t i = 0; i < to->len; i++)
		if (strcmp(text_at(to->items[i], "name"), text_at(var, "name")) == 0)
			fx_throw(b, "var '%s' already encountered", text_at(var, "name"));
	to->items = fx_more(b, to->items, &to->cap, to->len, sizeof(*to->items));
	to->items[to->len++] = var;
}

void fx_vars_absorb(struct fx_build *b, struct fx_vars *to, const struct fx_vars *from)
{
	for (size_t i = 0; i < from->len; i++)
		add_var(b, to, from->items[i]);
}

static bool refers(struct fx_build *b, const struct fx_res *r, const struct fx_id *id)
{
	struct fx_id *ids;
	size_t n = fx_res_all_ids(b, r, &ids);
	for (size_t i = 0; i < n; i++) {
		if (!fx_gvk_equal(&ids[i].gvk, &id->gvk) || strcmp(ids[i].name, id->name) != 0)
			continue;
		if (!*id->ns || strcmp(fx_id_namespace(&ids[i]), id->ns) == 0)
			return true;
	}
	return false;
}

void fx_vars_merge(struct fx_build *b, struct fx_vars *to, struct fx_resmap *m, const struct fx_node *list)
{
	for (uint32_t i = 0; fx_node_is_seq(list) && i < list->len; i++) {
		const struct fx_node *var = list->items[i];
		struct fx_id id = var_id(b, var);
		struct fx_res *found = NULL;
		size_t n = 0;
		for (size_t k = 0; k < m->len; k++) {
			if (!refers(b, m->items[k], &id))
				continue;
			found = m->items[k];
			n++;
		}
		if (n > 1)
			fx_throw(b, "found %zu resId matches for var %s (unable to disambiguate)", n,
			        var_text(b, var));
		if (found)
			fx_texts_add(b, &found->vars, text_at(var, "name"));
		add_var(b, to, var);
	}
}

/* ---- values ---- */

struct values {
	struct fx_index by_name; /* struct fx_node: a copy */
	struct fx_index used;
};

/* The digits of an index at the end, as in ports[0]; NULL: none. */
static const char *index_of(const char *part)
{
	const char *open = strrchr(part, '[');
	size_t n = open ? strspn(open + 1, "0123456789") : 0;
	return n && strcmp(open + 1 + n, "]") == 0 ? open + 1 : NULL;
}

/* ports[0] is two parts. */
static struct fx_texts split_path(struct fx_build *b, const char *path)
{
	struct fx_texts parts = fx_path_split(b, path), out = {0};
	for (size_t i = 0; i < parts.len; i++) {
		const char *part = parts.items[i], *index = index_of(part);
		if (!index || index - part > 1)
			fx_texts_add(b, &out, index ? fx_strn(b, part, (size_t)(index - part) - 1) : part);
		if (index)
			fx_texts_add(b, &out, fx_strn(b, index, strlen(index) - 1));
	}
	return out;
}

static struct fx_node *value_of(struct fx_build *b, struct fx_resmap *m, const struct fx_node *var)
{
	for (size_t i = 0; i < m->len; i++) {
		const struct fx_texts *names = &m->items[i]->vars;
		for (size_t k = 0; k < names->len; k++) {
			if (strcmp(names->items[k], text_at(var, "name")) != 0)
				continue;
			struct fx_texts parts = split_path(b, field_path(var));
			struct fx_node *n = fx_path_lookup(b, m->items[i]->node, &parts);
			if (!n)
				fx_throw(b, "field specified in var '%s' not found in corresponding resource",
				        var_text(b, var));
			return fx_copy(b, n);
		}
	}
	fx_throw(b, "var '%s' cannot be mapped to a field in the set of known resources", var_text(b, var));
}

/* Go's %v of the value. */
static const char *value_text(struct fx_build *b, const struct fx_node *v)
{
	struct fx_scalar s;
	char number[FX_NUMBER_TEXT];
	if (v->style != FX_STYLE_PLAIN || fx_scalar_value(v, false, &s, NULL) < 0)
		return v->text;
	if (s.tag == FX_TAG_INT)
		return s.is_unsigned ? fx_fmt(b, "%llu", (unsigned long long)s.u)
		                     : fx_fmt(b, "%lld", (long long)s.i);
	if (s.tag == FX_TAG_FLOAT)
		return fx_strn(b, number, fx_double_g(s.f, number));
	return v->text;
}

static enum fx_tag value_tag(const struct fx_node *v)
{
	struct fx_scalar s;
	if (fx_scalar_value(v, false, &s, NULL) < 0)
		return FX_TAG_STR;
	return s.tag == FX_TAG_INT || s.tag == FX_TAG_FLOAT || s.tag == FX_TAG_BOOL ? s.tag : FX_TAG_STR;
}

/* Expands $(NAME); *whole is the value when the text is nothing but one reference. */
static const char *expand(
        struct fx_build *b, struct values *v, const char *text, const struct fx_node **whole)
{
	size_t cap = strlen(text) + 1, n = 0;
	char *out = fx_new(b, cap);
	*whole = NULL;
	for (const char *s = text; *s;) {
		const char *piece = s;
		size_t len = 1, skip = 1;
		if (s[0] == '$' && s[1] == '$') {
			skip = 2;
		} else if (s[0] == '$' && s[1] == '(' && strchr(s + 2, ')')) {
			const char *end = strchr(s + 2, ')');
			const char *name = fx_strn(b, s + 2, (size_t)(end - s - 2));
			const struct fx_node *value = fx_index_get(&v->by_name, name);
			skip = len = (size_t)(end + 1 - s);
			if (value && value->kind == FX_NODE_SCALAR) {
				fx_index_set(b, &v->used, name, v);
				piece = value_text(b, value);
				len = strlen(piece);
				if (s == text && end[1] == '\0')
					*whole = value;
			}
		}
		if (n + len + 1 > cap) {
			size_t more = (n + len + 1) * 2;
			char *bigger = fx_new(b, more);
			memcpy(bigger, out, n);
			out = bigger;
			cap = more;
		}
		memcpy(out + n, piece, len);
		n += len;
		s += skip;
	}
	out[n] = '\0';
	return out;
}

static bool is_string(const struct fx_node *n)
{
	struct fx_scalar s;
	return n->kind == FX_NODE_SCALAR && fx_scalar_value(n, false, &s, NULL) == 0 && s.tag == FX_TAG_STR;
}

static void expand_scalar(struct fx_build *b, struct values *v, struct fx_node *n)
{
	const struct fx_node *whole;
	if (!strchr(n->text, '$'))
		return;
	const char *text = expand(b, v, n->text, &whole);
	if (strcmp(text, n->text) == 0)
		return;
	enum fx_tag tag = whole ? value_tag(whole) : FX_TAG_STR;
	if (tag == FX_TAG_FLOAT) {
		char number[400];
		fx_double_f(strtod(text, NULL), number);
		text = fx_str(b, number);
	}
	n->style = FX_STYLE_PLAIN;
	n->tagged = false;
	fx_node_set_text(n, tag, text, strlen(text));
}

static void expand_node(struct fx_build *b, struct fx_node *n, void *ctx)
{
	struct values *v = ctx;
	if (fx_node_is_null(n))
		return;
	if (n->kind == FX_NODE_SCALAR) {
		if (is_string(n))
			expand_scalar(b, v, n);
	} else if (n->kind == FX_NODE_MAP) {
		for (uint32_t i = 0; i < n->len; i++) {
			if (!is_string(n->pairs[i].key))
				fx_throw(b, "invalid map key: value='%s', tag='%d'", n->pairs[i].key->text,
				        n->pairs[i].key->tag);
			if (is_string(n->pairs[i].value))
				expand_scalar(b, v, n->pairs[i].value);
		}
	} else {
		for (uint32_t i = 0; i < n->len; i++) {
			if (!is_string(n->items[i]))
				fx_throw(b, "invalid value type expect a string");
			expand_scalar(b, v, n->items[i]);
		}
	}
}

static int compare_texts(const void *x, const void *y)
{
	return strcmp(*(const char *const *)x, *(const char *const *)y);
}

void fx_resolve_vars(
        struct fx_build *b, struct fx_resmap *m, const struct fx_vars *vars, const struct fx_config *config)
{
	struct values v = {0};
	if (vars->len == 0)
		return;
	for (size_t i = 0; i < vars->len; i++)
		fx_index_set(b, &v.by_name, text_at(vars->items[i], "name"), value_of(b, m, vars->items[i]));
	const struct fx_fieldspecs *specs = &config->lists[FX_CFG_VAR_REFERENCE];
	for (size_t i = 0; i < m->len; i++)
		for (size_t s = 0; s < specs->len; s++)
			fx_fieldspec_visit(
			        b, &specs->items[s], m->items[i], -1, FX_TAG_NONE, false, expand_node, &v);
	struct fx_texts unused = {0};
	for (size_t i = 0; i < vars->len; i++)
		if (!fx_index_get(&v.used, text_at(vars->items[i], "name")))
			fx_texts_add(b, &unused, text_at(vars->items[i], "name"));
	if (unused.len == 0)
		return;
	qsort(unused.items, unused.len, sizeof(*unused.items), compare_texts);
	fx_warn(b, "well-defined vars that were never replaced: %s", fx_texts_join(b, &unused, ","));
}
