/* Schemas from their JSON form, all that can be reached from the first one. */
#include "schema_internal.h"

#include <stddef.h>

static struct fx_schema *enqueue(struct fx_schemas *c, struct fx_schema_root *root, struct fx_jval *at)
{
	if (at->schema)
		return at->schema;
	if (++c->count > FX_SCHEMA_NODES_MAX)
		fx_render_throw(c->x, "the schema has more than %u subschemas", FX_SCHEMA_NODES_MAX);
	struct fx_schema *s = fx_render_zalloc(c->x, sizeof(*s));
	s->root = root;
	s->at = at;
	s->boolean = -1;
	s->min_length = s->max_length = s->min_items = s->max_items = s->min_props = s->max_props = -1;
	s->min_contains = s->max_contains = -1;
	at->schema = s;
	*c->tail = s;
	c->tail = &s->next;
	return s;
}

const char *fx_schema_location(struct fx_render *x, const struct fx_schema *s)
{
	struct fx_text t = {.x = x};
	fx_text_addf(&t, "%s#", s->root->url);
	fx_jval_pointer(&t, s->at, true);
	return fx_text_c(&t);
}

/* ---- values of keywords ---- */

static struct fx_jval *typed(const struct fx_schema *s, const char *key, enum fx_jtype type)
{
	struct fx_jval *v = fx_jval_get(s->at, key);
	return v && v->type == type ? v : NULL;
}

static bool is_true(const struct fx_schema *s, const char *key)
{
	const struct fx_jval *v = typed(s, key, FX_J_BOOL);
	return v && v->b;
}

static struct fx_decimal *number(struct fx_schemas *c, const struct fx_schema *s, const char *key)
{
	const struct fx_jval *v = typed(s, key, FX_J_NUMBER);
	struct fx_decimal *d = v ? fx_render_alloc(c->x, sizeof(*d)) : NULL;
	if (d)
		*d = fx_decimal_of(c->x, v);
	return d;
}

/* -1: none. */
static int64_t count_of(struct fx_schemas *c, const struct fx_schema *s, const char *key)
{
	const struct fx_decimal *d = number(c, s, key);
	if (!d || !fx_decimal_is_integer(d) || d->sign < 0)
		return -1;
	double v = fx_decimal_double(c->x, d);
	return v > 9e18 ? INT64_MAX : (int64_t)v;
}

static struct fx_schema *child(struct fx_schemas *c, struct fx_schema *s, const char *key)
{
	struct fx_jval *v = fx_jval_get(s->at, key);
	return v ? enqueue(c, s->root, v) : NULL;
}

static struct fx_schema_list children(struct fx_schemas *c, struct fx_schema *s, const char *key)
{
	struct fx_jval *v = typed(s, key, FX_J_ARRAY);
	struct fx_schema_list out = {0};
	if (!v)
		return out;
	out.items = fx_render_alloc(c->x, (v->len + 1) * sizeof(*out.items));
	for (; out.len < v->len; out.len++)
		out.items[out.len] = enqueue(c, s->root, &v->items[out.len]);
	return out;
}

/* Schemas by name; with lists, a list of names may stand for a schema. */
static struct fx_schema_map members(struct fx_schemas *c, struct fx_schema *s, const char *key, bool lists)
{
	struct fx_jval *v = typed(s, key, FX_J_OBJECT);
	struct fx_schema_map out = {0};
	if (!v)
		return out;
	out.items = fx_render_zalloc(c->x, (v->len + 1) * sizeof(*out.items));
	for (; out.len < v->len; out.len++) {
		struct fx_jmember *m = &v->members[out.len];
		struct fx_schema_named *n = &out.items[out.len];
		n->key = m->key;
		n->len = m->len;
		if (lists && m->val.type == FX_J_ARRAY)
			n->required = &m->val;
		else
			n->schema = enqueue(c, s->root, &m->val);
	}
	return out;
}

static struct fx_regex *regex(
        struct fx_schemas *c, struct fx_schema *s, const char *key, const char *text, size_t len)
{
	const char *why = "";
	struct fx_regex *re = fx_render_regex(c->x, fx_v_strn(text, len), &why);
	if (re)
		return re;
	struct fx_text pattern = {.x = c->x}, at = {.x = c->x}, quoted = {.x = c->x};
	fx_fmt_quote(&pattern, text, len, false);
	fx_text_addf(&at, "%s/%s", fx_schema_location(c->x, s), key);
	fx_fmt_quote(&quoted, at.data, at.len, false);
	fx_schema_fail(c, "invalid regex %s at %s: %s", fx_text_c(&pattern), fx_text_c(&quoted), why);
	return NULL;
}

static struct fx_schema *reference(struct fx_schemas *c, struct fx_schema *s, const char *key)
{
	const struct fx_jval *v = typed(s, key, FX_J_STRING);
	struct fx_schema_root *root = s->root;
	if (!v)
		return NULL;
	struct fx_jval *to =
	        fx_schema_resolve(c, &root, fx_schema_resource_of(s->at), fx_v_dup(c->x, v->s, v->len).s);
	return to ? enqueue(c, root, to) : NULL;
}

static uint8_t type_named(const struct fx_jval *v)
{
	static const char *const names[] = {
	        "null", "boolean", "number", "integer", "string", "array", "object"};
	for (size_t i = 0; i < FX_COUNT(names) && v->type == FX_J_STRING; i++) {
		if (strlen(names[i]) == v->len && memcmp(names[i], v->s, v->len) == 0)
			return (uint8_t)(1 << i);
	}
	return 0;
}

static uint8_t types_of(const struct fx_jval *v)
{
	uint8_t types = v ? type_named(v) : 0;
	for (uint32_t i = 0; v && v->type == FX_J_ARRAY && i < v->len; i++)
		types |= type_named(&v->items[i]);
	return types;
}

/* ---- keywords ---- */

static void compile_applicators(struct fx_schemas *c, struct fx_schema *s)
{
	s->all_of = children(c, s, "allOf");
	s->any_of = children(c, s, "anyOf");
	s->one_of = children(c, s, "oneOf");
	s->not_ = child(c, s, "not");
	if (s->draft < 2020) {
		const struct fx_jval *more = fx_jval_get(s->at, "additionalItems");
		if (!typed(s, "items", FX_J_ARRAY)) {
			s->items = child(c, s, "items");
			s->all_items_seen = s->items != NULL;
		} else {
			s->prefix_items = children(c, s, "items");
			s->items_seen = (uint32_t)s->prefix_items.len;
			s->all_items_seen = more != NULL;
			s->no_additional_items = more && more->type == FX_J_BOOL && !more->b;
			s->additional_items =
			        more && more->type != FX_J_BOOL ? child(c, s, "additionalItems") : NULL;
		}
	}
	s->props = members(c, s, "properties", false);
	s->patterns = members(c, s, "patternProperties", false);
	for (size_t i = 0; i < s->patterns.len; i++)
		s->patterns.items[i].regex =
		        regex(c, s, "patternProperties", s->patterns.items[i].key, s->patterns.items[i].len);
	const struct fx_jval *more = fx_jval_get(s->at, "additionalProperties");
	s->all_props_seen = more != NULL;
	s->no_additional_props = more && more->type == FX_J_BOOL && !more->b;
	s->additional_props = more && more->type != FX_J_BOOL ? child(c, s, "additionalProperties") : NULL;
	s->dependencies = members(c, s, "dependencies", true);
}

static void compile_validation(struct fx_schemas *c, struct fx_schema *s)
{
	s->types = types_of(fx_jval_get(s->at, "type"));
	s->enum_ = typed(s, "enum", FX_J_ARRAY);
	for (uint32_t i = 0; s->enum_ && i < s->enum_->len; i++)
		s->enum_types |= s->enum_->items[i].type;
	s->multiple_of = number(c, s, "multipleOf");
	s->maximum = number(c, s, "maximum");
	s->minimum = number(c, s, "minimum");
	if (is_true(s, "exclusiveMaximum")) {
		s->exclusive_maximum = s->maximum;
		s->maximum = NULL;
	} else {
		s->exclusive_maximum = number(c, s, "exclusiveMaximum");
	}
	if (is_true(s, "exclusiveMinimum")) {
		s->exclusive_minimum = s->minimum;
		s->minimum = NULL;
	} else {
		s->exclusive_minimum = number(c, s, "exclusiveMinimum");
	}
	s->min_length = count_of(c, s, "minLength");
	s->max_length = count_of(c, s, "maxLength");
	s->pattern_text = typed(s, "pattern", FX_J_STRING);
	if (s->pattern_text)
		s->pattern = regex(c, s, "pattern", s->pattern_text->s, s->pattern_text->len);
	s->min_items = count_of(c, s, "minItems");
	s->max_items = count_of(c, s, "maxItems");
	s->unique_items = is_true(s, "uniqueItems");
	s->min_props = count_of(c, s, "minProperties");
	s->max_props = count_of(c, s, "maxProperties");
	s->required = typed(s, "required", FX_J_ARRAY);
	/* From 2019 on, a format only describes, unless the schema is a metaschema. */
	s->format_name = c->meta || s->draft < 2019 ? typed(s, "format", FX_J_STRING) : NULL;
	s->format = s->format_name ? fx_format_find(s->format_name->s, s->format_name->len) : NULL;
}

static void compile_later(struct fx_schemas *c, struct fx_schema *s)
{
	if (s->draft >= 6) {
		s->contains = child(c, s, "contains");
		s->prop_names = child(c, s, "propertyNames");
		s->const_ = fx_jval_get(s->at, "const");
	}
	if (s->draft >= 7 && (s->if_ = child(c, s, "if"))) {
		const struct fx_jval *b = typed(s, "if", FX_J_BOOL);
		s->then_ = !b || b->b ? child(c, s, "then") : NULL;
		s->else_ = !b || !b->b ? child(c, s, "else") : NULL;
	}
	if (s->draft >= 2019) {
		s->recursive_ref = reference(c, s, "$recursiveRef");
		s->recursive_anchor = is_true(s, "$recursiveAnchor");
		s->min_contains = s->contains ? count_of(c, s, "minContains") : -1;
		s->max_contains = s->contains ? count_of(c, s, "maxContains") : -1;
		const struct fx_jval *dr = typed(s, "dependentRequired", FX_J_OBJECT);
		s->dependent_required.items =
		        fx_render_zalloc(c->x, ((dr ? dr->len : 0) + 1) * sizeof(struct fx_schema_named));
		for (uint32_t i = 0; dr && i < dr->len; i++) {
			if (dr->members[i].val.type == FX_J_ARRAY)
				s->dependent_required.items[s->dependent_required.len++] =
				        (struct fx_schema_named){.key = dr->members[i].key,
				                .len = dr->members[i].len,
				                .required = &dr->members[i].val};
		}
		s->dependent_schemas = members(c, s, "dependentSchemas", false);
		s->unevaluated_items = child(c, s, "unevaluatedItems");
		s->unevaluated_props = child(c, s, "unevaluatedProperties");
	}
	if (s->draft >= 2020) {
		const struct fx_jval *ref = typed(s, "$dynamicRef", FX_J_STRING),
		                     *name = typed(s, "$dynamicAnchor", FX_J_STRING);
		const char *hash = ref ? memchr(ref->s, '#', ref->len) : NULL;
		s->dynamic_ref = reference(c, s, "$dynamicRef");
		if (hash && hash + 1 < ref->s + ref->len && hash[1] != '/')
			s->dynamic_ref_anchor =
			        fx_v_dup(c->x, hash + 1, (size_t)(ref->s + ref->len - hash) - 1).s;
		s->dynamic_anchor = name ? fx_v_dup(c->x, name->s, name->len).s : NULL;
		s->prefix_items = children(c, s, "prefixItems");
		s->items_seen = (uint32_t)s->prefix_items.len;
		s->items = child(c, s, "items");
		s->all_items_seen = s->items != NULL;
	}
}

static void compile_one(struct fx_schemas *c, struct fx_schema *s)
{
	fx_schema_ensure(c, s->root, s->at);
	if (c->failed)
		return;
	const struct fx_schema_resource *res = fx_schema_resource_of(s->at);
	s->draft = res->draft;
	s->base = enqueue(c, s->root, res->at);
	if (s->draft >= 2020 && s->at == res->at) {
		size_t n = 0;
		for (const struct fx_schema_anchor *a = res->anchors; a; a = a->next)
			n += a->dynamic;
		s->dynamic_anchors.items =
		        fx_render_zalloc(c->x, (n + 1) * sizeof(*s->dynamic_anchors.items));
		for (const struct fx_schema_anchor *a = res->anchors; a; a = a->next) {
			if (a->dynamic)
				s->dynamic_anchors.items[s->dynamic_anchors.len++] =
				        (struct fx_schema_named){.key = a->name,
				                .len = (uint32_t)strlen(a->name),
				                .schema = enqueue(c, s->root, a->at)};
		}
	}
	if (s->at->type == FX_J_BOOL)
		s->boolean = (int8_t)s->at->b;
	if (s->at->type != FX_J_OBJECT)
		return;
	if (s->at->len == 0) {
		s->boolean = 1;
		return;
	}
	s->ref = reference(c, s, "$ref");
	/* Up to draft 7 a reference makes the rest of these keywords void. */
	if (!s->ref || s->draft >= 2019) {
		compile_applicators(c, s);
		compile_validation(c, s);
	}
	compile_later(c, s);
}

struct fx_schema *fx_schema_compile(struct fx_schemas *c, const char *url)
{
	struct fx_schema_root *root = fx_schema_root_load(c, url);
	if (!root)
		return NULL;
	struct fx_schema *first = enqueue(c, root, root->doc);
	for (; *c->todo && !c->failed; c->todo = &(*c->todo)->next)
		compile_one(c, *c->todo);
	return c->failed ? NULL : first;
}

struct fx_schema *fx_schema_meta(struct fx_schemas *c, int draft)
{
	const char *url = draft == 4      ? "http://json-schema.org/draft-04/schema"
	                  : draft == 6    ? "http://json-schema.org/draft-06/schema"
	                  : draft == 7    ? "http://json-schema.org/draft-07/schema"
	                  : draft == 2019 ? "https://json-schema.org/draft/2019-09/schema"
	                                  : "https://json-schema.org/draft/2020-12/schema";
	if (!c->metaschemas) {
		c->metaschemas = fx_render_zalloc(c->x, sizeof(*c->metaschemas));
		c->metaschemas->x = c->x;
		c->metaschemas->meta = true;
		c->metaschemas->tail = c->metaschemas->todo = &c->metaschemas->first;
	}
	struct fx_schema *s = fx_schema_compile(c->metaschemas, url);
	if (!s)
		fx_render_throw(c->x, "metaschema: %s", c->metaschemas->failed);
	return s;
}
