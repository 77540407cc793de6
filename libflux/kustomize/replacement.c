#include "kustomize/engine.h"

#include "data/json.h"
#include "data/yaml.h"

#include <stdlib.h>
#include <string.h>

static const char *text_at(const struct fx_node *n, const char *key)
{
	const char *t = fx_node_get_text(n, key);
	return t ? t : "";
}

static const struct fx_node *object_at(const struct fx_node *n, const char *key)
{
	const struct fx_node *v = fx_node_get(n, key);
	return v && v->tag != FX_TAG_NULL ? v : NULL;
}

/* ---- paths ---- */

static bool is_index(const char *part)
{
	if (!*part)
		return false;
	for (; *part; part++)
		if (*part < '0' || *part > '9')
			return false;
	return true;
}

static bool is_bracket(const char *part)
{
	size_t n = strlen(part);
	return n >= 2 && part[0] == '[' && part[n - 1] == ']';
}

/* ---- matching (kyaml's PathMatcher) ---- */

struct matcher {
	struct fx_texts path;
	int create;            /* kind of the leaf, -1: never */
	struct fx_node *found; /* sequence */
	int depth;
};

static void match(struct fx_build *b, struct matcher *m, struct fx_node *n, size_t at);

static struct fx_node *new_of_kind(struct fx_build *b, int kind)
{
	if (kind == FX_NODE_MAP)
		return fx_need(b, fx_node_new_map(b->arena));
	if (kind == FX_NODE_SEQ)
		return fx_need(b, fx_node_new_seq(b->arena));
	return fx_scalar(b, FX_TAG_NONE, "");
}

static int kind_for(const struct matcher *m, size_t next)
{
	if (next >= m->path.len)
		return m->create;
	const char *part = m->path.items[next];
	return is_index(part) || is_bracket(part) || strcmp(part, "-") == 0 ? FX_NODE_SEQ : FX_NODE_MAP;
}

static struct fx_node *parse_text(struct fx_build *b, const struct fx_node *scalar)
{
	struct fx_error err = FX_ERROR_INIT;
	struct fx_node *doc = NULL;
	static const struct fx_yaml_read opts = {.dialect = FX_YAML_V3, .comments = true, .anchors = true};
	if (fx_yaml_read(b->arena, scalar->text, scalar->len, &opts, &doc, &err) < 0)
		fx_throw_error(b, &err);
	return doc;
}

static void need_seq(struct fx_build *b, const struct fx_node *n)
{
	if (!n || n->kind != FX_NODE_SEQ)
		fx_wrong_kind(b, "SequenceNode", n);
}

static const char *element_text(struct fx_build *b, const struct fx_node *n)
{
	struct fx_buf buf = FX_BUF_INIT;
	struct fx_error err = FX_ERROR_INIT;
	if (fx_yaml_write_node(n, &buf, &err) < 0) {
		fx_buf_release(&buf);
		fx_throw_error(b, &err);
	}
	size_t len = buf.len;
	while (len && (buf.data[len - 1] == '\n' || buf.data[len - 1] == ' '))
		len--;
	char *text = fx_arena_strndup(b->arena, fx_buf_str(&buf), len);
	fx_buf_release(&buf);
	fx_needs(b, text);
	return text;
}

static void match_bracket(struct fx_build *b, struct matcher *m, struct fx_node *n, size_t at, bool again)
{
	const char *part = m->path.items[at], *eq = strchr(part, '=');
	need_seq(b, n);
	if (!eq)
		fx_throw(b, "list path element must contain fieldName=fieldValue for element to match");
	const char *field = fx_strn(b, part + 1, (size_t)(eq - part - 1));
	const char *pattern = fx_strn(b, eq + 1, strlen(eq + 1) - 1);
	struct fx_pattern *re = fx_pattern_new(b, pattern, false);
	uint32_t before = m->found->len;
	for (uint32_t i = 0, len = n->len; i < len; i++) {
		struct fx_node *item = n->items[i];
		const struct fx_node *value = *field ? fx_node_get(item, field) : item;
		if (!value || !fx_pattern_match(b, re, element_text(b, value)))
			continue;
		if (*field)
			match(b, m, item, at + 1);
		else
			fx_needs(b, fx_node_append(b->arena, m->found, item));
	}
	if (m->found->len > before || m->create < 0)
		return;
	if (again)
		fx_throw(b, "cannot create an element that matches '%s'", part);
	struct fx_node *value = fx_scalar(b, FX_TAG_NONE, pattern), *item = value;
	if (*field) {
		item = fx_need(b, fx_node_new_map(b->arena));
		fx_set(b, item, field, value);
	}
	fx_needs(b, fx_node_append(b->arena, n, item));
	match_bracket(b, m, n, at, true);
}

static void match_index(struct fx_build *b, struct matcher *m, struct fx_node *n, size_t at)
{
	need_seq(b, n);
	unsigned long i = strtoul(m->path.items[at], NULL, 10);
	if (i == n->len && m->create >= 0)
		fx_needs(b, fx_node_append(b->arena, n, new_of_kind(b, kind_for(m, at + 1))));
	if (i >= n->len)
		fx_throw(b, "index %lu specified but only %u elements found", i, n->len);
	match(b, m, n->items[i], at + 1);
}

static void match(struct fx_build *b, struct matcher *m, struct fx_node *n, size_t at)
{
	if (at == m->path.len) {
		fx_needs(b, fx_node_append(b->arena, m->found, n));
		return;
	}
	const char *part = m->path.items[at];
	if (is_index(part)) {
		match_index(b, m, n, at);
		return;
	}
	if (is_bracket(part)) {
		match_bracket(b, m, n, at, false);
		return;
	}
	if (strcmp(part, "*") == 0) {
		need_seq(b, n);
		for (uint32_t i = 0; i < n->len; i++)
			match(b, m, n->items[i], at + 1);
		return;
	}
	if (!n)
		fx_wrong_kind(b, "MappingNode", n);
	/* An empty part means a scalar itself. */
	if (n->kind != (*part ? FX_NODE_MAP : FX_NODE_SCALAR) && n->tag != FX_TAG_NULL)
		fx_wrong_kind(b, *part ? "MappingNode" : "ScalarNode", n);
	struct fx_node *field = *part                                  ? fx_node_get(n, part)
	                        : n->tag != FX_TAG_NULL && n->len == 0 ? n
	                                                               : NULL;
	if (!field) {
		if (m->create < 0)
			return;
		if (n->kind != FX_NODE_MAP)
			fx_wrong_kind(b, "MappingNode", n);
		field = new_of_kind(b, kind_for(m, at + 1));
		fx_set(b, n, part, field);
	}
	if (field->kind == FX_NODE_SCALAR && at + 1 < m->path.len) {
		/* The rest of the path leads into a copy that nobody sees; it only must exist. */
		struct fx_node *inner = parse_text(b, field);
		if (!inner)
			fx_wrong_kind(b, "MappingNode", NULL);
		match(b, m, inner, at + 1);
		return;
	}
	match(b, m, field, at + 1);
}

/* ---- sources ---- */

static const char *source_text(struct fx_build *b, const struct fx_node *source)
{
	struct fx_selector s = fx_selector_read(b, source);
	const char *path = text_at(source, "fieldPath"), *id = fx_id_text(b, &s.id);
	const struct fx_node *options = object_at(source, "options");
	const char *out = *path ? fx_fmt(b, "%s:%s", id, path) : id;
	if (options)
		out = fx_fmt(b, "%s:%s(%s), create=%s", out, text_at(options, "delimiter"),
		        *text_at(options, "index") ? text_at(options, "index") : "0",
		        *text_at(options, "create") ? text_at(options, "create") : "false");
	return out;
}

static struct fx_res *find_source(struct fx_build *b, const struct fx_resmap *m, const struct fx_node *source)
{
	struct fx_selector s = fx_selector_read(b, source);
	struct fx_res *found = NULL;
	for (size_t i = 0; i < m->len; i++) {
		struct fx_id *ids;
		size_t n = fx_res_all_ids(b, m->items[i], &ids);
		for (size_t k = 0; k < n; k++) {
			if (!fx_id_selected(&ids[k], &s.id))
				continue;
			if (found)
				fx_throw(b, "multiple matches for selector %s", source_text(b, source));
			found = m->items[i];
			break;
		}
	}
	if (!found)
		fx_throw(b, "nothing selected by %s", source_text(b, source));
	return found;
}

static long option_index(const struct fx_node *options)
{
	return strtol(text_at(options, "index"), NULL, 10);
}

static struct fx_texts split_by(struct fx_build *b, const char *text, const char *delimiter)
{
	struct fx_texts out = {0};
	size_t n = strlen(delimiter);
	for (const char *s; (s = strstr(text, delimiter)); text = s + n)
		fx_texts_add(b, &out, fx_strn(b, text, (size_t)(s - text)));
	fx_texts_add(b, &out, text);
	return out;
}

static struct fx_node *refine(struct fx_build *b, struct fx_node *n, const struct fx_node *options)
{
	const char *delimiter = text_at(options, "delimiter");
	if (!*delimiter)
		return n;
	if (n->kind != FX_NODE_SCALAR)
		fx_throw(b, "delimiter option can only be used with scalar nodes");
	struct fx_texts parts = split_by(b, n->text, delimiter);
	long i = option_index(options);
	if (i < 0 || (size_t)i >= parts.len)
		fx_throw(b, "options.index %ld is out of bounds for value %s", i, n->text);
	struct fx_node *copy = fx_copy(b, n);
	copy->text = parts.items[i];
	copy->len = (uint32_t)strlen(copy->text);
	return copy;
}

struct lookup_call {
	struct fx_node *n;
	struct fx_texts path;
};

static void lookup(struct fx_build *b, void *arg)
{
	struct lookup_call *c = arg;
	c->n = fx_path_lookup(b, c->n, &c->path);
}

static struct fx_node *source_value(struct fx_build *b, const struct fx_resmap *m, const struct fx_node *r)
{
	const struct fx_node *source = object_at(r, "source"), *value = object_at(r, "sourceValue");
	if (source && value)
		fx_throw(b, "value and resource selectors are mutually exclusive");
	if (value)
		return fx_need(b, fx_node_new_scalar_len(b->arena, FX_TAG_NONE, value->text, value->len));
	struct fx_res *res = find_source(b, m, source);
	const char *path = *text_at(source, "fieldPath") ? text_at(source, "fieldPath") : "metadata.name";
	struct lookup_call c = {res->node, fx_path_split(b, path)};
	fx_with_prefix(b, lookup, &c, "error looking up replacement source: ");
	if (fx_node_is_nil_or_empty(c.n)) {
		struct fx_selector s = fx_selector_read(b, source);
		fx_throw(
		        b, "fieldPath `%s` is missing for replacement source %s", path, fx_id_text(b, &s.id));
	}
	return refine(b, c.n, object_at(source, "options"));
}

/* ---- targets ---- */

struct compile_call {
	const struct fx_node *node;
	struct fx_patterns *out;
};

static void compile_select(struct fx_build *b, void *arg)
{
	struct compile_call *c = arg;
	struct fx_selector s = fx_selector_read(b, c->node);
	*c->out = fx_patterns_new(b, &s.id);
}

static bool has_pattern(const struct fx_patterns *p)
{
	return p->group || p->version || p->kind || p->name || p->ns;
}

static bool id_fits(struct fx_build *b, const struct fx_patterns *p, const struct fx_id *id)
{
	return fx_patterns_fit_gvk(b, p, &id->gvk) && fx_pattern_fits(b, p->name, id->name) &&
	       fx_pattern_fits(b, p->ns, id->ns);
}

static bool labels_fit(struct fx_build *b, const struct fx_node *selector, const struct fx_res *r)
{
	const char *labels = text_at(selector, "labelSelector"),
	           *annotations = text_at(selector, "annotationSelector");
	const struct fx_node *meta = fx_node_get(r->node, "metadata");
	if (*annotations && !fx_label_selector_match(
	                            fx_label_selector_new(b, annotations), fx_node_get(meta, "annotations")))
		return false;
	return !*labels ||
	       fx_label_selector_match(fx_label_selector_new(b, labels), fx_node_get(meta, "labels"));
}

struct target {
	const struct fx_node *node, *options;
	struct fx_patterns select;
	struct fx_patterns *rejects;
	const struct fx_node *reject_nodes;
	size_t n_rejects;
	struct fx_texts paths;
};

static bool is_target(struct fx_build *b, const struct target *t, const struct fx_res *r)
{
	struct fx_id *ids;
	size_t n = fx_res_all_ids(b, r, &ids);
	if (!labels_fit(b, fx_node_get(t->node, "select"), r))
		return false;
	for (size_t k = 0; k < t->n_rejects; k++) {
		const struct fx_node *reject = t->reject_nodes->items[k];
		if ((*text_at(reject, "annotationSelector") || *text_at(reject, "labelSelector")) &&
		        labels_fit(b, reject, r))
			return false;
	}
	for (size_t k = 0; k < t->n_rejects; k++)
		for (size_t i = 0; has_pattern(&t->rejects[k]) && i < n; i++)
			if (id_fits(b, &t->rejects[k], &ids[i]))
				return false;
	for (size_t i = 0; i < n; i++)
		if (id_fits(b, &t->select, &ids[i]))
			return true;
	return false;
}

static void set_field(
        struct fx_build *b, const struct fx_node *options, struct fx_node *at, const struct fx_node *value)
{
	const char *delimiter = text_at(options, "delimiter");
	const char *text = value->kind == FX_NODE_SCALAR ? value->text : "";
	size_t len = value->kind == FX_NODE_SCALAR ? value->len : 0;
	if (*delimiter) {
		if (at->kind != FX_NODE_SCALAR)
			fx_throw(b, "delimiter option can only be used with scalar nodes");
		struct fx_texts parts = split_by(b, at->text, delimiter), joined = {0};
		long i = option_index(options);
		if (i < 0)
			fx_texts_add(b, &joined, text);
		for (size_t k = 0; k < parts.len; k++)
			fx_texts_add(b, &joined, (size_t)i == k && i >= 0 ? text : parts.items[k]);
		if (i >= (long)parts.len)
			fx_texts_add(b, &joined, text);
		text = fx_texts_join(b, &joined, delimiter);
		len = strlen(text);
	}
	if (at->kind == FX_NODE_SCALAR)
		fx_node_set_text(at, at->tag, text, len);
	else
		*at = *fx_copy(b, value);
}

/* ---- structured text inside scalars ---- */

struct structured_call {
	struct fx_node *node;
	struct fx_node *value;
	struct fx_texts path;
	int create;
};

static struct fx_node *find_host(
        struct fx_build *b, struct structured_call *c, size_t *used, struct fx_node **doc)
{
	for (size_t i = 1; i < c->path.len; i++) {
		struct lookup_call l = {c->node, {c->path.items, i, i}};
		if (fx_attempt(b, lookup, &l) || !l.n || l.n->kind != FX_NODE_SCALAR)
			continue;
		struct fx_error err = FX_ERROR_INIT;
		static const struct fx_yaml_read opts = {
		        .dialect = FX_YAML_V3, .comments = true, .anchors = true};
		*doc = NULL;
		if (fx_yaml_read(b->arena, l.n->text, l.n->len, &opts, doc, &err) < 0) {
			if (err.code == FX_E_NOMEM || err.code == FX_E_LIMIT)
				fx_throw_error(b, &err);
			fx_error_release(&err);
			continue;
		}
		*used = i;
		return l.n;
	}
	fx_throw(b, "no structured data found in path");
}

static const char *serialize(struct fx_build *b, const struct fx_node *doc, const char *old)
{
	const char *first = old + strspn(old, " \t\r\n");
	if (*first == '{' || *first == '[') {
		bool pretty = strchr(old, '\n') && strstr(old, "  ");
		return fx_node_json(b, doc, FX_JSON_GO | (pretty ? FX_JSON_INDENT : 0));
	}
	const char *text = element_text(b, doc);
	return text + strspn(text, " \t\r\n");
}

static void set_in_text(struct fx_build *b, void *arg)
{
	struct structured_call *c = arg;
	size_t used;
	struct fx_node *doc, *host = find_host(b, c, &used, &doc);
	if (!doc || host->text[strspn(host->text, " \t\r\n")] == '\0')
		fx_throw(b, "no structured data");
	struct matcher m = {.path = {c->path.items + used, c->path.len - used, c->path.len - used},
	        .create = c->create,
	        .found = fx_need(b, fx_node_new_seq(b->arena))};
	match(b, &m, doc, 0);
	if (m.found->len == 0)
		fx_throw(b, "unable to find field in structured data");
	for (uint32_t i = 0; i < m.found->len; i++) {
		struct fx_node *n = m.found->items[i];
		if (n->kind == FX_NODE_SCALAR)
			fx_node_set_text(n, n->tag, c->value->kind == FX_NODE_SCALAR ? c->value->text : "",
			        c->value->kind == FX_NODE_SCALAR ? c->value->len : 0);
		else
			*n = *c->value;
	}
	const char *text = serialize(b, doc, host->text);
	fx_node_set_text(host, host->tag, text, strlen(text));
}

struct match_call {
	struct matcher m;
	struct fx_node *node;
};

static void run_match(struct fx_build *b, void *arg)
{
	struct match_call *c = arg;
	match(b, &c->m, c->node, 0);
}

static void copy_to(struct fx_build *b, const struct target *t, struct fx_res *r, struct fx_node *value)
{
	bool create = strcmp(text_at(t->options, "create"), "true") == 0;
	for (size_t i = 0; i < t->paths.len; i++) {
		struct structured_call s = {
		        r->node, value, fx_path_split(b, t->paths.items[i]), create ? value->kind : -1};
		if (s.path.len >= 2 && !fx_attempt(b, set_in_text, &s))
			continue;
		struct match_call c = {
		        {.path = s.path, .create = s.create, .found = fx_need(b, fx_node_new_seq(b->arena))},
		        r->node};
		const char *what = fx_fmt(b, "unable to find%s field %s in replacement target",
		        create ? " or create" : "", fx_quote(b, t->paths.items[i]));
		fx_with_prefix(b, run_match, &c, "%s: ", what);
		if (c.m.found->len == 0)
			fx_throw(b, "%s", what);
		for (uint32_t k = 0; k < c.m.found->len; k++)
			set_field(b, t->options, c.m.found->items[k], value);
	}
}

static void read_target(struct fx_build *b, const struct fx_node *node, struct target *t)
{
	const struct fx_node *paths = fx_node_get(node, "fieldPaths"), *rejects = object_at(node, "reject");
	*t = (struct target){.node = node, .options = object_at(node, "options")};
	if (!object_at(node, "select"))
		fx_throw(b, "target must specify resources to select");
	for (uint32_t i = 0; fx_node_is_seq(paths) && i < paths->len; i++)
		fx_texts_add(b, &t->paths, paths->items[i]->text);
	if (t->paths.len == 0)
		fx_texts_add(b, &t->paths, "metadata.name");
	fx_with_prefix(b, compile_select, &(struct compile_call){fx_node_get(node, "select"), &t->select},
	        "error creating target selector: ");
	if (!fx_node_is_seq(rejects))
		return;
	t->reject_nodes = rejects;
	t->n_rejects = rejects->len;
	t->rejects = fx_new(b, (rejects->len + 1) * sizeof(*t->rejects));
	for (uint32_t i = 0; i < rejects->len; i++)
		fx_with_prefix(b, compile_select, &(struct compile_call){rejects->items[i], &t->rejects[i]},
		        "error creating target selector: ");
}

static void replace(struct fx_build *b, struct fx_resmap *m, const struct fx_node *r)
{
	const struct fx_node *targets = object_at(r, "targets");
	if ((!object_at(r, "source") && !object_at(r, "sourceValue")) || !targets)
		fx_throw(b, "replacements must specify a source and at least one target");
	struct fx_node *value = source_value(b, m, r);
	for (uint32_t i = 0; i < targets->len; i++) {
		struct target t;
		read_target(b, targets->items[i], &t);
		for (size_t k = 0; k < m->len; k++)
			if (is_target(b, &t, m->items[k]))
				copy_to(b, &t, m->items[k], value);
	}
}

static void add_decoded(struct fx_build *b, const struct fx_node *doc, struct fx_node *out)
{
	fx_needs(b, fx_node_append(b->arena, out,
	                    fx_decode(b, &fx_decoding_yaml, doc, fx_replacement_fields, "Replacement")));
}

/* Inline ones and those of files, in their order. */
static void collect(
        struct fx_build *b, const struct fx_root *root, const struct fx_node *list, struct fx_node *out)
{
	static const struct fx_yaml_read opts = {.dialect = FX_YAML_V2, .values = true};
	for (uint32_t i = 0; i < list->len; i++) {
		struct fx_node *r = list->items[i];
		const char *path = text_at(r, "path");
		if (!*path) {
			fx_needs(b, fx_node_append(b->arena, out, r));
			continue;
		}
		if (object_at(r, "source") || object_at(r, "targets"))
			fx_throw(b, "cannot specify both path and inline replacement");
		size_t len;
		const char *text = fx_root_load(b, root, path, &len);
		struct fx_error err = FX_ERROR_INIT;
		struct fx_node *doc = NULL;
		if (fx_yaml_read(b->arena, text, len, &opts, &doc, &err) < 0)
			fx_throw_error(b, &err);
		if (fx_node_is_map(doc)) {
			add_decoded(b, doc, out);
		} else if (fx_node_is_seq(doc)) {
			for (uint32_t k = 0; k < doc->len; k++)
				add_decoded(b, doc->items[k], out);
		} else {
			fx_throw(b, "unsupported replacement type encountered within replacement path: %s",
			        fx_node_is_null(doc) ? "invalid" : "string");
		}
	}
}

void fx_transform_replacements(
        struct fx_build *b, const struct fx_root *root, struct fx_resmap *m, const struct fx_node *list)
{
	struct fx_node *all = fx_need(b, fx_node_new_seq(b->arena));
	collect(b, root, list, all);
	for (uint32_t i = 0; i < all->len; i++)
		replace(b, m, all->items[i]);
	m->ids_valid = false;
}
