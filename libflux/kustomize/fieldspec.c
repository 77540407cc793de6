#include "kustomize/engine.h"

#include <stdlib.h>
#include <string.h>

void fx_fieldspec_split(struct fx_build *b, struct fx_fieldspec *spec)
{
	const char *s = spec->path;
	spec->parts = (struct fx_texts){0};
	if (*s == '/')
		s++;
	while (true) {
		char *part = fx_new(b, strlen(s) + 1);
		size_t n = 0;
		for (; *s && *s != '/'; s++) {
			if (*s == '\\' && s[1] == '/')
				s++;
			part[n++] = *s;
		}
		fx_texts_add(b, &spec->parts, part);
		if (!*s)
			return;
		s++;
	}
}

/* ---- kyaml's PathGetter ---- */

static bool is_integer(const char *part, long *out)
{
	char *end;
	const char *s = *part == '-' || *part == '+' ? part + 1 : part;
	if (*s < '0' || *s > '9')
		return false;
	*out = strtol(part, &end, 10);
	return *end == '\0';
}

static bool is_list_index(const char *part)
{
	size_t n = strlen(part);
	return n >= 2 && part[0] == '[' && part[n - 1] == ']';
}

static struct fx_node *find_by_field(struct fx_build *b, struct fx_node *n, const char *part)
{
	const char *eq = strchr(part, '=');
	size_t len = strlen(part);
	if (n->kind != FX_NODE_SEQ)
		fx_wrong_kind(b, "SequenceNode", n);
	if (!eq)
		fx_throw(b, "list path element must contain fieldName=fieldValue for element to match");
	const char *key = fx_strn(b, part + 1, (size_t)(eq - part - 1));
	const char *value = fx_strn(b, eq + 1, (size_t)(part + len - 1 - (eq + 1)));
	for (uint32_t i = 0; i < n->len; i++) {
		struct fx_node *item = n->items[i];
		if (*key == '\0' ? fx_node_text_is(item, value)
		                 : fx_node_text_is(fx_node_get(item, key), value))
			return item;
	}
	return NULL;
}

struct fx_texts fx_path_split(struct fx_build *b, const char *path)
{
	struct fx_texts parts = {0}, out = {0};
	char *part = fx_new(b, strlen(path) + 1);
	size_t n = 0;
	/* One dot in front of a path counts for nothing. */
	for (const char *s = path + (path[0] == '.');; s++) {
		if (*s == '\\' && s[1] == '.') {
			part[n++] = *++s;
			continue;
		}
		if (*s == '.' || *s == '\0') {
			fx_texts_add(b, &parts, fx_strn(b, part, n));
			n = 0;
			if (*s == '\0')
				break;
			continue;
		}
		part[n++] = *s;
	}
	for (size_t i = 0; i < parts.len; i++) {
		const char *p = parts.items[i];
		size_t len = strlen(p);
		if (p[0] != '[' || (len && p[len - 1] == ']')) {
			fx_texts_add(b, &out, p);
			continue;
		}
		/* An open bracket takes what follows up to the part that closes it. */
		const char *joined = p;
		while (++i < parts.len) {
			joined = fx_fmt(b, "%s.%s", joined, parts.items[i]);
			len = strlen(parts.items[i]);
			if (len && parts.items[i][len - 1] == ']')
				break;
		}
		if (!strchr(joined, '=')) {
			joined += strspn(joined, "[]");
			for (len = strlen(joined); len && strchr("[]", joined[len - 1]); len--)
				;
			joined = fx_strn(b, joined, len);
		}
		fx_texts_add(b, &out, joined);
	}
	return out;
}

struct fx_node *fx_path_step(struct fx_build *b, struct fx_node *n, const char *part)
{
	long index;
	if (is_integer(part, &index)) {
		if (index < 0)
			fx_throw(b, "array index %ld cannot be negative", index);
		if (n->kind != FX_NODE_SEQ)
			fx_wrong_kind(b, "SequenceNode", n);
		return index < (long)n->len ? n->items[index] : NULL;
	}
	if (strcmp(part, "-") == 0) {
		if (n->kind != FX_NODE_SEQ)
			fx_wrong_kind(b, "SequenceNode", n);
		return n->len ? n->items[n->len - 1] : NULL;
	}
	if (strcmp(part, "*") == 0)
		fx_throw(b, "wildcard is not supported in PathGetter");
	if (is_list_index(part))
		return find_by_field(b, n, part);
	if (n->tag == FX_TAG_NULL)
		return NULL;
	if (n->kind != FX_NODE_MAP)
		fx_wrong_kind(b, "MappingNode", n);
	return fx_node_get(n, part);
}

struct fx_node *fx_path_lookup(struct fx_build *b, struct fx_node *n, const struct fx_texts *parts)
{
	for (size_t i = 0; i < parts->len; i++) {
		/* Blank parts count for nothing. */
		if (parts->items[i][strspn(parts->items[i], " \t\n")] == '\0')
			continue;
		if (fx_node_is_null(n))
			return NULL;
		n = fx_path_step(b, n, parts->items[i]);
		if (!n)
			return NULL;
	}
	return n;
}

/* ---- visiting ---- */

struct visit {
	const struct fx_fieldspec *spec;
	struct fx_res *res;
	int create_kind;
	enum fx_tag create_tag;
	fx_field_fn fn;
	void *ctx;
};

static void walk(struct fx_build *b, const struct visit *v, struct fx_node *n, size_t at);

static struct fx_node *create_field(
        struct fx_build *b, const struct visit *v, struct fx_node *map, const char *name, bool last)
{
	struct fx_node *field;
	if (!last || v->create_kind == FX_NODE_MAP)
		field = fx_need(b, fx_node_new_map(b->arena));
	else if (v->create_kind == FX_NODE_SEQ)
		field = fx_need(b, fx_node_new_seq(b->arena));
	else
		field = fx_scalar(b, FX_TAG_NONE, "");
	fx_set(b, map, name, field);
	return field;
}

static void walk_map(struct fx_build *b, const struct visit *v, struct fx_node *n, size_t at)
{
	const char *part = v->spec->parts.items[at];
	size_t len = strlen(part);
	bool is_seq = len >= 2 && strcmp(part + len - 2, "[]") == 0;
	const char *name = is_seq ? fx_strn(b, part, len - 2) : part;
	bool last = at + 1 == v->spec->parts.len;
	if (!*name)
		fx_throw(b, "cannot set or create an empty field name");
	bool create = v->spec->create && v->create_kind >= 0 && !is_seq;
	struct fx_node *field = fx_path_step(b, n, name);
	if (!field && create)
		field = create_field(b, v, n, name, last);
	if (!field)
		return;
	if (field->tag == FX_TAG_NULL && (create || is_seq)) {
		enum fx_node_kind kind = is_seq ? FX_NODE_SEQ
		                         : last ? (enum fx_node_kind)v->create_kind
		                                : FX_NODE_MAP;
		uint8_t style = field->style;
		if (kind != FX_NODE_SCALAR)
			*field = (struct fx_node){.kind = (uint8_t)kind, .style = style};
		field->tag = (uint8_t)(is_seq ? FX_TAG_SEQ : last ? v->create_tag : FX_TAG_MAP);
	}
	walk(b, v, field, at + 1);
}

static void walk(struct fx_build *b, const struct visit *v, struct fx_node *n, size_t at)
{
	if (at == v->spec->parts.len) {
		v->fn(b, n, v->ctx);
		return;
	}
	if (fx_node_is_null(n))
		return;
	if (n->kind == FX_NODE_SEQ) {
		for (uint32_t i = 0; i < n->len; i++)
			walk(b, v, n->items[i], at);
		return;
	}
	if (n->kind != FX_NODE_MAP)
		fx_throw(b, "expected sequence or mapping node");
	walk_map(b, v, n, at);
}

static void walk_from_top(struct fx_build *b, void *arg)
{
	const struct visit *v = arg;
	walk(b, v, v->res->node, 0);
}

void fx_fieldspec_visit(struct fx_build *b, const struct fx_fieldspec *spec, struct fx_res *r,
        int create_kind, enum fx_tag create_tag, bool any_kind, fx_field_fn fn, void *ctx)
{
	if (!any_kind) {
		/* The kind alone rules out most specs. */
		if (*spec->gvk.kind && strcmp(spec->gvk.kind, fx_res_kind(r)) != 0)
			return;
		if (*spec->gvk.group || *spec->gvk.version) {
			struct fx_gvk gvk = fx_gvk_of(b, r->node);
			if (!fx_gvk_selected(&gvk, &spec->gvk))
				return;
		}
	}
	struct visit v = {spec, r, create_kind, create_tag, fn, ctx};
	const char *message = fx_attempt(b, walk_from_top, &v);
	if (message) {
		struct fx_id id = fx_res_id(b, r);
		fx_throw(b, "considering field '%s' of object %s: %s", spec->path, fx_id_text(b, &id),
		        message);
	}
}
