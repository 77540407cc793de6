/* Documents of schemas: which parts have an address of their own, anchors, where a reference leads. */
#include "schema_internal.h"

#include <stdarg.h>
#include <stdlib.h>

#define DRAFT_LATEST 2020

void fx_schema_fail(struct fx_schemas *c, const char *fmt, ...)
{
	if (c->failed)
		return;
	va_list ap;
	va_start(ap, fmt);
	c->failed = fx_arena_vprintf(fx_render_arena(c->x), fmt, ap);
	va_end(ap);
	if (!c->failed)
		fx_render_throw(c->x, "out of memory");
}

static const char *quoted(struct fx_schemas *c, const char *s)
{
	struct fx_text t = {.x = c->x};
	fx_fmt_quote(&t, s, strlen(s), false);
	return fx_text_c(&t);
}

static const char *place(struct fx_schemas *c, const struct fx_schema_root *root, const struct fx_jval *v)
{
	struct fx_text t = {.x = c->x};
	fx_text_addf(&t, "%s#", root->url);
	fx_jval_pointer(&t, v, true);
	return quoted(c, fx_text_c(&t));
}

static const char *text_at(struct fx_schemas *c, const struct fx_jval *object, const char *key)
{
	const struct fx_jval *v = fx_jval_get(object, key);
	return v && v->type == FX_J_STRING ? fx_v_dup(c->x, v->s, v->len).s : NULL;
}

/* ---- drafts ---- */

/* 0: not one of those known. */
static int draft_of_url(const char *url)
{
	static const struct {
		const char *path;
		int draft;
	} known[] = {{"schema", DRAFT_LATEST}, {"draft/2020-12/schema", 2020}, {"draft/2019-09/schema", 2019},
	        {"draft-07/schema", 7}, {"draft-06/schema", 6}, {"draft-04/schema", 4}};
	static const char site[] = "json-schema.org/";
	size_t n = strcspn(url, "#");
	if (url[n] && url[n + 1])
		return 0;
	if (strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0) {
		size_t skip = url[4] == 's' ? 8 : 7;
		url += skip;
		n -= skip;
	}
	if (n < sizeof(site) - 1 || memcmp(url, site, sizeof(site) - 1) != 0)
		return 0;
	url += sizeof(site) - 1;
	n -= sizeof(site) - 1;
	for (size_t i = 0; i < FX_COUNT(known); i++) {
		if (strlen(known[i].path) == n && memcmp(known[i].path, url, n) == 0)
			return known[i].draft;
	}
	return 0;
}

/* Follows $schema to a draft that is known; the metaschemas on the way would have to be fetched. */
static int draft_of(
        struct fx_schemas *c, const struct fx_schema_root *root, const struct fx_jval *v, int fallback)
{
	const char *url = text_at(c, v, "$schema"), *why;
	int draft = url ? draft_of_url(url) : fallback;
	if (draft)
		return draft;
	url = fx_v_dup(c->x, url, strcspn(url, "#")).s;
	why = fx_uri_check(c->x, url, strlen(url), false);
	if (why) {
		fx_schema_fail(c, "invalid $schema in %s: %s", place(c, root, v), why);
		return fallback;
	}
	if (!v->parent && strcmp(url, root->url) == 0) {
		fx_schema_fail(c, "draft %s is not supported", quoted(c, url));
		return fallback;
	}
	struct fx_schema_root *meta = fx_schema_root_load(c, url);
	return meta && meta->doc->resource ? meta->doc->resource->draft : fallback;
}

static const char *id_of(struct fx_schemas *c, const struct fx_jval *v, int draft)
{
	if (draft < 2019 && fx_jval_get(v, "$ref"))
		return NULL;
	const char *id = text_at(c, v, draft == 4 ? "id" : "$id");
	if (!id)
		return NULL;
	id = fx_v_dup(c->x, id, strcspn(id, "#")).s;
	return *id ? id : NULL;
}

/* ---- anchors ---- */

/* Anchors and addresses are compared one by one. */
static void count_name(struct fx_schemas *c)
{
	if (++c->names > FX_SCHEMA_NAMES_MAX)
		fx_render_throw(c->x, "the schema has more than %u anchors and ids", FX_SCHEMA_NAMES_MAX);
}

static void add_anchor(struct fx_schemas *c, struct fx_schema_root *root, struct fx_schema_resource *res,
        const char *name, struct fx_jval *at, bool dynamic)
{
	for (struct fx_schema_anchor *a = res->anchors; a; a = a->next) {
		if (strcmp(a->name, name) != 0)
			continue;
		if (a->at == at) {
			a->dynamic = a->dynamic || dynamic;
			return;
		}
		struct fx_text p = {.x = c->x}, q = {.x = c->x};
		fx_text_add(&p, "", 0);
		fx_text_add(&q, "", 0);
		fx_jval_pointer(&p, a->at, false);
		fx_jval_pointer(&q, at, false);
		fx_schema_fail(c, "duplicate anchor %s in %s at %s and %s", quoted(c, name),
		        quoted(c, root->url), quoted(c, fx_text_c(&p)), quoted(c, fx_text_c(&q)));
		return;
	}
	count_name(c);
	struct fx_schema_anchor *a = fx_render_alloc(c->x, sizeof(*a));
	*a = (struct fx_schema_anchor){res->anchors, name, at, dynamic};
	res->anchors = a;
}

static void collect_anchors(
        struct fx_schemas *c, struct fx_schema_root *root, struct fx_schema_resource *res, struct fx_jval *v)
{
	const char *s;
	if (v->type != FX_J_OBJECT)
		return;
	if (res->draft < 2019) {
		if (fx_jval_get(v, "$ref"))
			return;
		s = text_at(c, v, res->draft == 4 ? "id" : "$id");
		const char *hash = s ? strchr(s, '#') : NULL, *why;
		struct fx_val name;
		if (!hash)
			return;
		if (!fx_uri_decode(c->x, hash + 1, strlen(hash + 1), &name, &why))
			fx_schema_fail(c, "error in parsing anchor at %s", place(c, root, v));
		else if (name.len && name.s[0] != '/')
			add_anchor(c, root, res, fx_v_cstr(c->x, name), v, false);
		return;
	}
	if ((s = text_at(c, v, "$anchor")))
		add_anchor(c, root, res, s, v, false);
	if (res->draft >= 2020 && (s = text_at(c, v, "$dynamicAnchor")))
		add_anchor(c, root, res, s, v, true);
}

/* ---- resources ---- */

enum { SELF = 1, MEMBERS = 2, ITEMS = 4 };

/* Where schemas stand in a schema. */
static const struct {
	const char *name;
	int draft, where;
} positions[] = {{"definitions", 4, MEMBERS}, {"not", 4, SELF}, {"allOf", 4, ITEMS}, {"anyOf", 4, ITEMS},
        {"oneOf", 4, ITEMS}, {"properties", 4, MEMBERS}, {"additionalProperties", 4, SELF},
        {"patternProperties", 4, MEMBERS}, {"items", 4, SELF | ITEMS}, {"additionalItems", 4, SELF},
        {"dependencies", 4, MEMBERS}, {"propertyNames", 6, SELF}, {"contains", 6, SELF}, {"if", 7, SELF},
        {"then", 7, SELF}, {"else", 7, SELF}, {"$defs", 2019, MEMBERS}, {"dependentSchemas", 2019, MEMBERS},
        {"unevaluatedProperties", 2019, SELF}, {"unevaluatedItems", 2019, SELF},
        {"contentSchema", 2019, SELF}, {"prefixItems", 2020, ITEMS}};

static struct fx_schema_resource *add_resource(
        struct fx_schemas *c, struct fx_schema_root *root, struct fx_jval *v, const char *id, int draft)
{
	for (struct fx_schema_resource *r = root->resources; r; r = r->next) {
		if (strcmp(r->id, id) != 0)
			continue;
		if (r->at != v) {
			struct fx_text p = {.x = c->x}, q = {.x = c->x};
			fx_text_add(&p, "", 0);
			fx_text_add(&q, "", 0);
			fx_jval_pointer(&p, v, false);
			fx_jval_pointer(&q, r->at, false);
			fx_schema_fail(c, "duplicate id %s in %s at %s and %s", quoted(c, id),
			        quoted(c, root->url), quoted(c, fx_text_c(&p)), quoted(c, fx_text_c(&q)));
		}
		return r;
	}
	count_name(c);
	struct fx_schema_resource *r = fx_render_alloc(c->x, sizeof(*r));
	*r = (struct fx_schema_resource){root->resources, v, id, draft, NULL};
	root->mixed = root->mixed || (root->resources && root->resources->draft != draft);
	root->resources = r;
	v->resource = r;
	return r;
}

static void collect(struct fx_schemas *c, struct fx_schema_root *root, struct fx_jval *v,
        struct fx_schema_resource *base, int fallback)
{
	if (v->processed || c->failed)
		return;
	v->processed = true;
	if (v->type != FX_J_OBJECT) {
		if (!v->parent)
			add_resource(c, root, v, root->url, fallback);
		return;
	}
	bool has_schema = text_at(c, v, "$schema") != NULL;
	int draft = draft_of(c, root, v, fallback);
	const char *id = id_of(c, v, draft), *why;
	if (!id && v->parent) {
		draft = fallback;
		has_schema = false;
		id = id_of(c, v, draft);
	}
	if (c->failed)
		return;
	if (id) {
		id = fx_uri_join(c->x, base ? base->id : root->url, id, &why);
		if (!id) {
			fx_schema_fail(c, "error in parsing id at %s", place(c, root, v));
			return;
		}
	}
	if (id || !v->parent)
		base = add_resource(c, root, v, id ? id : root->url, has_schema ? draft : fallback);
	collect_anchors(c, root, base, v);
	for (size_t i = 0; i < FX_COUNT(positions); i++) {
		struct fx_jval *s = positions[i].draft <= draft ? fx_jval_get(v, positions[i].name) : NULL;
		if (!s)
			continue;
		if (positions[i].where & SELF)
			collect(c, root, s, base, base->draft);
		for (uint32_t k = 0; (positions[i].where & MEMBERS) && s->type == FX_J_OBJECT && k < s->len;
		        k++)
			collect(c, root, &s->members[k].val, base, base->draft);
		for (uint32_t k = 0; (positions[i].where & ITEMS) && s->type == FX_J_ARRAY && k < s->len; k++)
			collect(c, root, &s->items[k], base, base->draft);
	}
}

struct fx_schema_resource *fx_schema_resource_of(const struct fx_jval *v)
{
	while (!v->resource && v->parent)
		v = v->parent;
	return v->resource;
}

static void check_document(struct fx_schemas *c, struct fx_schema_root *root, const struct fx_jval *v)
{
	struct fx_schema *meta = c->failed ? NULL : fx_schema_meta(c, fx_schema_resource_of(v)->draft);
	struct fx_schema_error *e = meta ? fx_schema_run(c->metaschemas, meta, v, root) : NULL;
	if (!e)
		return;
	struct fx_text t = {.x = c->x};
	fx_schema_report(&t, meta, e);
	fx_schema_fail(c, "%s is not valid against metaschema: %s", place(c, root, v), fx_text_c(&t));
}

struct fx_schema_root *fx_schema_root_add(struct fx_schemas *c, const char *url, struct fx_jval *doc)
{
	struct fx_schema_root *root = fx_render_zalloc(c->x, sizeof(*root));
	*root = (struct fx_schema_root){.next = c->roots, .url = url, .doc = doc};
	c->roots = root;
	collect(c, root, doc, NULL, DRAFT_LATEST);
	if (!c->failed && !c->meta && !fx_schema_meta_text(url))
		check_document(c, root, doc);
	return c->failed ? NULL : root;
}

static struct fx_jval *parse_meta(struct fx_schemas *c, const char *text)
{
	char *copy = (char *)fx_v_dup(c->x, text, strlen(text)).s;
	const char *why = "";
	for (char *p = copy; *p; p++)
		*p = *p == '\'' ? '"' : *p;
	struct fx_jval *doc = fx_jval_parse(c->x, copy, strlen(copy), &why);
	if (!doc)
		fx_render_throw(c->x, "metaschema: %s", why);
	return doc;
}

struct fx_schema_root *fx_schema_root_load(struct fx_schemas *c, const char *url)
{
	const char *why = "", *meta = fx_schema_meta_text(url), *q = quoted(c, url);
	for (struct fx_schema_root *r = c->roots; r; r = r->next) {
		if (strcmp(r->url, url) == 0)
			return r;
	}
	if (meta)
		return fx_schema_root_add(c, url, parse_meta(c, meta));
	if (strncmp(url, "urn:", 4) == 0)
		return fx_schema_root_add(c, url, fx_jval_parse(c->x, "true", 4, &why));
	if (strncmp(url, "file://", 7) == 0)
		fx_schema_fail(c, "failing loading %s: open %s: no such file or directory", q, url + 7);
	else if (strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0)
		fx_schema_fail(c, "failing loading %s: schemas are not fetched", q);
	else
		fx_schema_fail(c, "failing loading %s: no URLLoader registered for %s", q, q);
	return NULL;
}

void fx_schema_ensure(struct fx_schemas *c, struct fx_schema_root *root, struct fx_jval *v)
{
	if (v->processed || c->failed)
		return;
	struct fx_schema_resource *base = fx_schema_resource_of(v);
	collect(c, root, v, base, base->draft);
	if (!c->failed && !c->meta && !fx_schema_meta_text(root->url))
		check_document(c, root, v);
}

/* ---- references ---- */

/* A token of a pointer, unescaped. False for a bad escape. */
static bool unescape(struct fx_schemas *c, const char *s, size_t n, struct fx_val *out)
{
	struct fx_text t = {.x = c->x};
	fx_text_add(&t, "", 0);
	for (size_t i = 0; i < n; i++) {
		if (s[i] != '~') {
			fx_text_char(&t, s[i]);
			continue;
		}
		if (++i >= n || (s[i] != '0' && s[i] != '1'))
			return false;
		fx_text_char(&t, s[i] == '0' ? '~' : '/');
	}
	*out = fx_text_val(&t);
	return true;
}

static struct fx_jval *step(struct fx_jval *v, struct fx_val token)
{
	if (v->type == FX_J_OBJECT)
		return fx_jval_find(v, token.s, token.len);
	if (v->type != FX_J_ARRAY || token.len == 0 || strspn(token.s, "0123456789") != token.len)
		return NULL;
	unsigned long long i = strtoull(token.s, NULL, 10);
	return i < v->len ? &v->items[i] : NULL;
}

static struct fx_jval *follow(struct fx_schemas *c, const struct fx_schema_root *root,
        const struct fx_schema_resource *res, struct fx_val pointer)
{
	struct fx_jval *v = res->at;
	struct fx_val token;
	bool good = true;
	for (size_t i = 0; v && i < pointer.len;) {
		const char *slash = memchr(pointer.s + i + 1, '/', pointer.len - i - 1);
		size_t end = slash ? (size_t)(slash - pointer.s) : pointer.len;
		good = unescape(c, pointer.s + i + 1, end - i - 1, &token);
		v = good ? step(v, token) : NULL;
		i = end;
	}
	if (v)
		return v;
	struct fx_text t = {.x = c->x};
	fx_text_addf(&t, "%s#", root->url);
	fx_jval_pointer(&t, res->at, true);
	fx_uri_escape(&t, pointer.s, pointer.len);
	fx_schema_fail(c, good ? "json-pointer in %s not found" : "invalid json-pointer %s",
	        quoted(c, fx_text_c(&t)));
	return NULL;
}

struct fx_jval *fx_schema_resolve(struct fx_schemas *c, struct fx_schema_root **root,
        const struct fx_schema_resource *res, const char *ref)
{
	const char *hash = strchr(ref, '#'), *why = NULL, *url;
	struct fx_val frag = fx_v_str("");
	size_t n = hash ? (size_t)(hash - ref) : strlen(ref);
	if (hash && !fx_uri_decode(c->x, hash + 1, strlen(hash + 1), &frag, &why)) {
		fx_schema_fail(c, "error in parsing %s: %s", quoted(c, ref), why);
		return NULL;
	}
	url = fx_uri_join(c->x, res->id, fx_v_dup(c->x, ref, n).s, &why);
	if (!url) {
		fx_schema_fail(c, "error in parsing %s: %s", quoted(c, fx_v_dup(c->x, ref, n).s), why);
		return NULL;
	}
	const struct fx_schema_resource *to = strcmp(url, (*root)->url) == 0 ? (*root)->doc->resource : NULL;
	for (const struct fx_schema_resource *r = (*root)->resources; r && !to; r = r->next)
		to = strcmp(r->id, url) == 0 ? r : NULL;
	if (!to) {
		struct fx_schema_root *other = fx_schema_root_load(c, url);
		if (!other)
			return NULL;
		*root = other;
		to = other->doc->resource;
	}
	if (frag.len == 0 || frag.s[0] == '/')
		return follow(c, *root, to, frag);
	for (const struct fx_schema_anchor *a = to->anchors; a; a = a->next) {
		if (strlen(a->name) == frag.len && memcmp(a->name, frag.s, frag.len) == 0)
			return a->at;
	}
	struct fx_text t = {.x = c->x};
	fx_text_addf(&t, "%s#", to->id);
	fx_uri_escape(&t, frag.s, frag.len);
	fx_schema_fail(
	        c, "anchor in %s not found in schema %s", quoted(c, fx_text_c(&t)), quoted(c, (*root)->url));
	return NULL;
}
