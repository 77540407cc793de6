#include "kustomize/engine.h"

#include "data/yaml.h"

#include <string.h>

/* CRLF becomes LF; a copy is made only when there is one. */
static const char *normalize_lines(struct fx_build *b, const char *text, size_t *len)
{
	if (!memmem(text, *len, "\r\n", 2))
		return text;
	char *out = fx_new(b, *len + 1);
	size_t n = 0;
	for (size_t i = 0; i < *len; i++)
		if (!(text[i] == '\r' && i + 1 < *len && text[i + 1] == '\n'))
			out[n++] = text[i];
	*len = n;
	return out;
}

struct documents {
	struct fx_node **items;
	size_t len, cap;
	size_t chunks;
};

static void add_document(struct fx_build *b, struct documents *d, const char *text, size_t len)
{
	struct fx_error err = FX_ERROR_INIT;
	struct fx_node *node = NULL;
	d->chunks++;
	/* Comments only count where they may hold a schema (see data/merge.c). */
	struct fx_yaml_read opts = {.dialect = FX_YAML_V3, .comments = memmem(text, len, "# {\"", 4) != NULL};
	if (fx_yaml_read(b->arena, text, len, &opts, &node, &err) < 0) {
		if (err.code == FX_E_PARSE)
			fx_error_wrap(&err, "MalformedYAMLError");
		fx_throw_error(b, &err);
	}
	if (fx_node_is_null(node))
		return;
	d->items = fx_more(b, d->items, &d->cap, d->len, sizeof(*d->items));
	d->items[d->len++] = node;
}

/* A line that starts with `---` splits; only blanks or a comment may follow it. */
static void check_separator(struct fx_build *b, const char *line, size_t len)
{
	size_t i = 3;
	while (i < len &&
	        (line[i] == ' ' || line[i] == '\t' || line[i] == '\r' || line[i] == '\v' || line[i] == '\f'))
		i++;
	if (i < len && line[i] != '#')
		fx_throw(b, "invalid document separator: %.*s", (int)len, line);
}

static void split_documents(struct fx_build *b, const char *text, size_t len, struct documents *out)
{
	const char *end = text + len, *start = text, *at = text;
	while ((at = memmem(at, (size_t)(end - at), "\n---", 4))) {
		const char *line = at + 1, *stop = memchr(line, '\n', (size_t)(end - line));
		if (!stop)
			break;
		check_separator(b, line, (size_t)(stop - line));
		/* The chunk keeps the line break in front of the separator. */
		add_document(b, out, start, (size_t)(line - start));
		start = at = stop + 1;
		/* A separator right behind this one has used up its own line break. */
	}
	add_document(b, out, start, (size_t)(end - start));
}

static void unwrap_list(struct fx_build *b, struct documents *d)
{
	if (d->len != 1 || d->chunks != 1 || !fx_node_is_map(d->items[0]))
		return;
	struct fx_node *list = d->items[0];
	const char *kind = fx_node_get_text(list, "kind");
	if (!kind || (strcmp(kind, "List") != 0 && strcmp(kind, "ResourceList") != 0))
		return;
	struct fx_node *items = fx_node_get(list, "items");
	if (!items && !fx_node_get(list, "functionConfig"))
		return;
	d->len = 0;
	for (uint32_t i = 0; items && items->kind != FX_NODE_SCALAR && i < items->len; i++) {
		struct fx_node *item = items->kind == FX_NODE_SEQ ? items->items[i] : items->pairs[i].value;
		d->items = fx_more(b, d->items, &d->cap, d->len, sizeof(*d->items));
		d->items[d->len++] = item;
	}
}

/* ---- validation and lists ---- */

static const char *text_at(const struct fx_node *map, const char *key)
{
	const char *t = fx_node_get_text(map, key);
	return t ? t : "";
}

static const char *go_map(struct fx_build *b, const struct fx_node *map)
{
	struct fx_texts parts = {0};
	for (uint32_t i = 0; fx_node_is_map(map) && i < map->len; i++)
		fx_texts_add(b, &parts,
		        fx_fmt(b, "%s:%s",
		                map->pairs[i].key->kind == FX_NODE_SCALAR ? map->pairs[i].key->text : "",
		                map->pairs[i].value->kind == FX_NODE_SCALAR ? map->pairs[i].value->text
		                                                            : ""));
	return fx_fmt(b, "map[%s]", fx_texts_join(b, &parts, " "));
}

static const char *go_object(struct fx_build *b, const struct fx_node *n)
{
	const struct fx_node *meta = fx_node_get(n, "metadata");
	return fx_fmt(b, "{{%s %s} {{%s %s} %s %s}}", text_at(n, "apiVersion"), text_at(n, "kind"),
	        text_at(meta, "name"), text_at(meta, "namespace"), go_map(b, fx_node_get(meta, "labels")),
	        go_map(b, fx_node_get(meta, "annotations")));
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);
	return n >= m && strcmp(s + n - m, end) == 0;
}

/* What upstream cannot read, or crashes on. Labels and a namespace of another shape count as missing. */
static void check_metadata_types(struct fx_build *b, const struct fx_node *n)
{
	const struct fx_node *meta = fx_node_get(n, "metadata"), *annotations;
	if (meta && meta->tag != FX_TAG_NULL && meta->kind != FX_NODE_MAP)
		fx_throw(b, "yaml: unmarshal errors:\n  line %u: cannot unmarshal into yaml.ObjectMeta",
		        meta->line);
	const struct fx_node *name = fx_node_get(meta, "name");
	if (name && name->kind != FX_NODE_SCALAR)
		fx_throw(b, "yaml: unmarshal errors:\n  line %u: cannot unmarshal metadata.name into string",
		        name->line);
	annotations = fx_node_get(meta, "annotations");
	if (fx_node_is_seq(annotations) && annotations->len)
		fx_throw(b,
		        "yaml: unmarshal errors:\n  line %u: cannot unmarshal metadata.annotations into "
		        "map[string]string",
		        annotations->line);
}

static void validate(struct fx_build *b, const struct fx_node *n)
{
	if (!fx_node_is_map(n))
		fx_throw(b, "missing Resource metadata");
	const struct fx_node *meta = fx_node_get(n, "metadata");
	bool has_meta = fx_node_is_map(meta) && meta->len;
	if (!fx_node_get(n, "apiVersion") && !fx_node_get(n, "kind") && !has_meta)
		fx_throw(b, "missing Resource metadata");
	check_metadata_types(b, n);
	const char *kind = text_at(n, "kind");
	if (!*kind)
		fx_throw(b, "missing kind in object %s", go_object(b, n));
	if (!*text_at(meta, "name") && !ends_with(kind, "List"))
		fx_throw(b, "missing metadata.name in object %s", go_object(b, n));
}

static const char *go_type(const struct fx_node *n)
{
	if (n->kind == FX_NODE_MAP)
		return "map[string]interface {}";
	return n->tag == FX_TAG_INT ? "int" : n->tag == FX_TAG_BOOL ? "bool" : "string";
}

/* Replaces a node of a kind ...List by its items, which go to the end of the queue. */
static void expand_list(
        struct fx_build *b, struct documents *d, const struct fx_node *items, const char *kind)
{
	if (items->tag == FX_TAG_NULL)
		return;
	if (items->kind != FX_NODE_SEQ)
		fx_throw(b, "expected array in %s/items, but found %s", kind, go_type(items));
	for (uint32_t i = 0; i < items->len; i++) {
		struct fx_error err = FX_ERROR_INIT;
		struct fx_node *copy;
		if (fx_node_to_values(b->arena, items->items[i], &copy, &err) < 0)
			fx_throw_error(b, &err);
		d->items = fx_more(b, d->items, &d->cap, d->len, sizeof(*d->items));
		d->items[d->len++] = copy;
	}
}

void fx_read_resources(struct fx_build *b, const char *text, size_t len, struct fx_resmap *out)
{
	struct documents d = {0};
	text = normalize_lines(b, text, &len);
	split_documents(b, text, len, &d);
	unwrap_list(b, &d);
	for (size_t i = 0; i < d.len; i++) {
		struct fx_node *n = d.items[i];
		if (fx_node_is_nil_or_empty(n))
			continue;
		validate(b, n);
		const char *kind = text_at(n, "kind");
		const struct fx_node *items = ends_with(kind, "List") ? fx_node_get(n, "items") : NULL;
		if (items) {
			expand_list(b, &d, items, kind);
			continue;
		}
		if (++b->resources > FX_KUSTOMIZE_MAX_RESOURCES)
			fx_throw_code(b, FX_E_LIMIT, "more than %d resources", FX_KUSTOMIZE_MAX_RESOURCES);
		out->items = fx_more(b, out->items, &out->cap, out->len, sizeof(*out->items));
		out->items[out->len++] = fx_res_new(b, n);
	}
}
