/* A value against a compiled schema. */
#include "schema_internal.h"

/* A schema on the way down; the same value has the same number. */
struct scope {
	const struct scope *parent;
	struct fx_schema *schema;
	const char *keyword; /* of the reference that led here, or NULL */
	unsigned value;
};

/* The way to a value. */
struct step {
	const struct step *parent;
	const char *key; /* NULL: index */
	uint32_t len, index;
};

/* Members or items that no keyword has looked at; NULL when nobody asks. */
struct unseen {
	bool *marks;
	uint32_t len, left;
};

struct check {
	struct fx_schemas *c;
	const struct fx_schema_root *resources; /* of the schema that is checked, or NULL */
	unsigned steps;
};

struct frame {
	struct check *k;
	struct fx_schema *s;
	const struct fx_schema *meta; /* the metaschema, where it is what checks */
	const struct fx_jval *v;
	const struct step *at;
	struct scope scope;
	struct unseen unseen;
	struct fx_schema_error *errors, **tail;
	unsigned depth;
	bool quiet; /* only whether there is an error counts */
};

/* What boolean results are made of: never written to. */
static const struct fx_schema_error quiet_error_;
#define quiet_error (*(struct fx_schema_error *)&quiet_error_)

/* ---- errors ---- */

static void print_step(struct fx_text *out, const struct step *at)
{
	if (!at)
		return;
	print_step(out, at->parent);
	fx_text_char(out, '/');
	if (at->key)
		fx_jval_token(out, at->key, at->len);
	else
		fx_text_addf(out, "%u", at->index);
}

static struct fx_schema_error *new_error(struct frame *f, const char *message)
{
	if (f->quiet)
		return &quiet_error;
	struct fx_schema_error *e = fx_render_zalloc(f->k->c->x, sizeof(*e));
	struct fx_text t = {.x = f->k->c->x};
	fx_text_add(&t, "", 0);
	print_step(&t, f->at);
	e->pointer = fx_v_dup(f->k->c->x, t.data, t.len).s;
	e->message = message;
	e->tail = &e->causes;
	return e;
}

static void add(struct frame *f, struct fx_schema_error *e)
{
	if (!e)
		return;
	if (f->quiet) {
		f->errors = &quiet_error;
		return;
	}
	*f->tail = e;
	f->tail = &e->next;
}

static struct fx_schema_error *fail(struct frame *f, const char *message)
{
	struct fx_schema_error *e = new_error(f, message);
	add(f, e);
	return e;
}

/* The errors of several branches under one line. */
static void fail_with(struct frame *f, const char *message, struct fx_schema_error *causes)
{
	struct fx_schema_error *e = new_error(f, message);
	if (!f->quiet)
		e->causes = causes;
	add(f, e);
}

static struct fx_text text(struct frame *f)
{
	return (struct fx_text){.x = f->k->c->x};
}

static void fail_counts(struct frame *f, const char *keyword, int64_t got, int64_t want)
{
	struct fx_text t = text(f);
	if (f->quiet) {
		fail(f, "");
		return;
	}
	fx_text_addf(&t, "%s: got ", keyword);
	fx_schema_print_int(&t, got);
	fx_text_str(&t, ", want ");
	fx_schema_print_int(&t, want);
	fail(f, fx_text_c(&t));
}

static void fail_numbers(
        struct frame *f, const char *keyword, const struct fx_decimal *got, const struct fx_decimal *want)
{
	struct fx_text t = text(f);
	if (f->quiet) {
		fail(f, "");
		return;
	}
	fx_text_addf(&t, "%s: got ", keyword);
	fx_schema_print_double(&t, fx_decimal_double(f->k->c->x, got));
	fx_text_str(&t, ", want ");
	fx_schema_print_double(&t, fx_decimal_double(f->k->c->x, want));
	fail(f, fx_text_c(&t));
}

static void display(struct fx_text *out, const struct fx_jval *v)
{
	switch (v->type) {
	case FX_J_NULL:
		fx_text_str(out, "<nil>");
		break;
	case FX_J_BOOL:
		fx_text_str(out, v->b ? "true" : "false");
		break;
	case FX_J_NUMBER:
		fx_text_add(out, v->s, v->len);
		break;
	case FX_J_STRING:
		fx_schema_quote(out, v->s, v->len);
		break;
	default:
		fx_text_str(out, "value");
	}
}

/* ---- what is not looked at ---- */

static struct unseen unseen_of(
        struct fx_render *x, const struct fx_jval *v, const struct fx_schema *s, bool asked)
{
	struct unseen u = {0};
	uint32_t from = 0;
	if (v->type == FX_J_OBJECT) {
		if (s->all_props_seen || !(asked || s->unevaluated_props))
			return u;
	} else if (v->type == FX_J_ARRAY) {
		from = s->items_seen;
		if (s->all_items_seen || !(asked || s->unevaluated_items) || from >= v->len)
			return u;
	} else {
		return u;
	}
	u.marks = fx_render_zalloc(x, v->len + 1);
	u.len = v->len;
	for (uint32_t i = from; i < v->len; i++)
		u.marks[i] = true;
	u.left = v->len - from;
	return u;
}

static void see(struct unseen *u, uint32_t i)
{
	if (u->marks && u->marks[i]) {
		u->marks[i] = false;
		u->left--;
	}
}

static void merge_seen(struct unseen *u, const struct unseen *other)
{
	for (uint32_t i = 0; i < u->len; i++) {
		if (!other->marks || !other->marks[i])
			see(u, i);
	}
}

/* ---- going down ---- */

static struct fx_schema_error *run(struct frame *f);

/* A schema inside the document that is checked may be of another draft. */
static void follow_draft(struct frame *f)
{
	struct check *k = f->k;
	if (!k->resources || !k->resources->mixed || f->s != f->meta)
		return;
	const struct fx_schema_resource *r = f->v->resource;
	if (r && f->v->type == FX_J_OBJECT) {
		f->s = fx_schema_meta(k->c, r->draft);
		f->meta = f->s;
	}
}

static struct frame below(struct frame *f, struct fx_schema *s, const char *keyword)
{
	struct frame g = {.k = f->k,
	        .s = s,
	        .meta = f->meta,
	        .v = f->v,
	        .at = f->at,
	        .scope = {&f->scope, s, keyword, f->scope.value},
	        .depth = f->depth + 1,
	        .quiet = f->quiet};
	return g;
}

static struct fx_schema_error *run_self(struct frame *f, struct fx_schema *s, const char *keyword, bool quiet)
{
	struct frame g = below(f, s, keyword);
	g.unseen = unseen_of(f->k->c->x, f->v, s, f->unseen.left > 0);
	g.quiet = f->quiet || quiet;
	follow_draft(&g);
	struct fx_schema_error *e = run(&g);
	if (!e)
		merge_seen(&f->unseen, &g.unseen);
	return e;
}

static struct fx_schema_error *run_value(
        struct frame *f, struct fx_schema *s, const struct fx_jval *v, const struct step *at)
{
	struct frame g = below(f, s, NULL);
	g.v = v;
	g.at = at;
	g.scope.value = f->scope.value + 1;
	g.unseen = unseen_of(f->k->c->x, v, s, false);
	follow_draft(&g);
	return run(&g);
}

static struct fx_schema_error *run_member(
        struct frame *f, struct fx_schema *s, const struct fx_jmember *m, const struct fx_jval *v)
{
	struct step at = {f->at, m->key, m->len, 0};
	return run_value(f, s, v, &at);
}

static struct fx_schema_error *run_item(struct frame *f, struct fx_schema *s, uint32_t i)
{
	struct step at = {f->at, NULL, 0, i};
	return run_value(f, s, &f->v->items[i], &at);
}

static struct fx_schema_error *run_ref(struct frame *f, struct fx_schema *s, const char *keyword)
{
	struct fx_schema_error *e = run_self(f, s, keyword, false);
	if (!e || f->quiet)
		return e;
	struct fx_schema_error *ref = new_error(f, "validation failed");
	ref->reference = true;
	ref->causes = e->group ? e->causes : e;
	return ref;
}

/* ---- cycles ---- */

/* The way of keywords from the first schema to this one. */
static void print_way(struct fx_text *out, const struct scope *sc)
{
	if (!sc->parent)
		return;
	print_way(out, sc->parent);
	if (sc->keyword) {
		fx_text_addf(out, "/%s", sc->keyword);
		return;
	}
	const char *here = fx_schema_location(out->x, sc->schema),
	           *above = fx_schema_location(out->x, sc->parent->schema);
	size_t n = strlen(above);
	fx_text_str(out, strlen(here) >= n ? here + n : here);
}

static struct fx_schema_error *check_cycle(struct frame *f)
{
	const struct scope *sc = f->scope.parent;
	while (sc && sc->value == f->scope.value && sc->schema != f->scope.schema)
		sc = sc->parent;
	if (!sc || sc->value != f->scope.value)
		return NULL;
	if (f->quiet)
		return &quiet_error;
	struct fx_text t = text(f);
	const char *url = fx_schema_location(t.x, f->s);
	fx_text_str(&t, "both ");
	print_way(&t, &f->scope);
	fx_text_str(&t, " and ");
	print_way(&t, sc);
	fx_text_str(&t, " resolve to ");
	fx_fmt_quote(&t, url, strlen(url), false);
	fx_text_str(&t, " causing reference cycle");
	return new_error(f, fx_text_c(&t));
}

/* ---- keywords of every type ---- */

static struct fx_schema_error *wrong_type(struct frame *f)
{
	static const char *const names[] = {
	        "null", "boolean", "number", "integer", "string", "array", "object"};
	const struct fx_schema *s = f->s;
	if (!s->types || (s->types & f->v->type))
		return NULL;
	if ((s->types & FX_J_INTEGER) && f->v->type == FX_J_NUMBER) {
		struct fx_decimal d = fx_decimal_of(f->k->c->x, f->v);
		if (fx_decimal_is_integer(&d))
			return NULL;
	}
	struct fx_text t = text(f);
	for (size_t i = 0; i < FX_COUNT(names); i++) {
		if (f->v->type == 1 << i)
			fx_text_addf(&t, "got %s, want ", names[i]);
	}
	bool first = true;
	for (size_t i = 0; i < FX_COUNT(names); i++) {
		if (s->types & 1 << i)
			fx_text_addf(&t, "%s%s", first ? "" : " or ", names[i]);
		first = first && !(s->types & 1 << i);
	}
	return new_error(f, fx_text_c(&t));
}

static struct fx_schema_error *wrong_const(struct frame *f)
{
	const struct fx_jval *want = f->s->const_;
	if (!want || fx_jval_equal(f->k->c->x, f->v, want))
		return NULL;
	struct fx_text t = text(f);
	if (want->type == FX_J_ARRAY || want->type == FX_J_OBJECT)
		return new_error(f, "'const' failed");
	fx_text_str(&t, "value must be ");
	display(&t, want);
	return new_error(f, fx_text_c(&t));
}

static struct fx_schema_error *wrong_enum(struct frame *f)
{
	const struct fx_jval *want = f->s->enum_;
	if (!want)
		return NULL;
	for (uint32_t i = 0; (f->s->enum_types & f->v->type) && i < want->len; i++) {
		if (fx_jval_equal(f->k->c->x, f->v, &want->items[i]))
			return NULL;
	}
	struct fx_text t = text(f);
	if (f->s->enum_types & (FX_J_ARRAY | FX_J_OBJECT))
		return new_error(f, "'enum' failed");
	fx_text_str(&t, want->len == 1 ? "value must be " : "value must be one of ");
	for (uint32_t i = 0; i < want->len; i++) {
		if (i)
			fx_text_str(&t, ", ");
		display(&t, &want->items[i]);
	}
	return new_error(f, fx_text_c(&t));
}

static struct fx_schema_error *wrong_format(struct frame *f)
{
	const char *why = f->s->format && f->v->type == FX_J_STRING
	                          ? f->s->format(f->k->c->x, f->v->s, f->v->len)
	                          : NULL;
	if (!why)
		return NULL;
	struct fx_text t = text(f);
	display(&t, f->v);
	fx_text_addf(&t, " is not valid %.*s: %s", (int)f->s->format_name->len, f->s->format_name->s, why);
	return new_error(f, fx_text_c(&t));
}

/* ---- objects ---- */

static void list_missing(struct frame *f, const struct fx_jval *names, struct fx_text *out, size_t *count)
{
	*count = 0;
	for (uint32_t i = 0; names && i < names->len; i++) {
		const struct fx_jval *n = &names->items[i];
		if (n->type != FX_J_STRING || fx_jval_find(f->v, n->s, n->len))
			continue;
		if ((*count)++)
			fx_text_str(out, ", ");
		fx_schema_quote(out, n->s, n->len);
	}
}

static void check_required(struct frame *f)
{
	struct fx_text names = text(f), t = text(f);
	size_t n;
	list_missing(f, f->s->required, &names, &n);
	if (!n)
		return;
	fx_text_addf(&t, "missing propert%s %s", n == 1 ? "y" : "ies", fx_text_c(&names));
	fail(f, fx_text_c(&t));
}

static void check_dependency(struct frame *f, const struct fx_schema_named *d)
{
	struct fx_text names = text(f), t = text(f);
	size_t n;
	if (!fx_jval_find(f->v, d->key, d->len))
		return;
	if (d->schema) {
		add(f, run_self(f, d->schema, NULL, false));
		return;
	}
	list_missing(f, d->required, &names, &n);
	if (!n)
		return;
	fx_text_addf(&t, "properties %s required, if ", fx_text_c(&names));
	fx_schema_quote(&t, d->key, d->len);
	fx_text_str(&t, " exists");
	fail(f, fx_text_c(&t));
}

static struct fx_schema *find_named(const struct fx_schema_map *map, const char *key, size_t len)
{
	size_t lo = 0, hi = map->len;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		const struct fx_schema_named *m = &map->items[mid];
		int c = memcmp(key, m->key, len < m->len ? len : m->len);
		if (c == 0 && len == m->len)
			return m->schema;
		if (c < 0 || (c == 0 && len < m->len))
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

static void check_members(struct frame *f)
{
	struct fx_schema *s = f->s;
	struct fx_text extra = text(f);
	for (uint32_t i = 0; i < f->v->len && !(f->quiet && f->errors); i++) {
		const struct fx_jmember *m = &f->v->members[i];
		struct fx_schema *p = find_named(&s->props, m->key, m->len);
		bool seen = p != NULL;
		if (p)
			add(f, run_member(f, p, m, &m->val));
		for (size_t k = 0; k < s->patterns.len; k++) {
			if (!fx_render_regex_found(
			            f->k->c->x, s->patterns.items[k].regex, fx_v_strn(m->key, m->len)))
				continue;
			seen = true;
			add(f, run_member(f, s->patterns.items[k].schema, m, &m->val));
		}
		if (!seen && s->no_additional_props) {
			fx_text_str(&extra, extra.len ? ", " : "additional properties ");
			fx_schema_quote(&extra, m->key, m->len);
		} else if (!seen && s->additional_props) {
			add(f, run_member(f, s->additional_props, m, &m->val));
		}
		if (seen || s->all_props_seen)
			see(&f->unseen, i);
	}
	if (extra.len) {
		fx_text_str(&extra, " not allowed");
		fail(f, fx_text_c(&extra));
	}
}

/* A name is a value of its own, without a place. */
static void check_names(struct frame *f)
{
	struct fx_schema *s = f->s->prop_names;
	for (uint32_t i = 0; s && i < f->v->len; i++) {
		const struct fx_jmember *m = &f->v->members[i];
		struct fx_jval name = {.type = FX_J_STRING, .len = m->len, .s = m->key};
		struct frame g = below(f, s, NULL);
		g.v = &name;
		g.at = NULL;
		g.scope.parent = NULL;
		g.scope.value = 0;
		struct fx_schema_error *e = run(&g);
		if (!e)
			continue;
		struct fx_text t = text(f);
		fx_text_str(&t, "invalid propertyName ");
		fx_schema_quote(&t, m->key, m->len);
		g.quiet = f->quiet;
		struct fx_schema_error *line = new_error(&g, fx_text_c(&t));
		if (!f->quiet)
			line->causes = e->group ? e->causes : e;
		add(f, line);
	}
}

static void check_object(struct frame *f)
{
	const struct fx_schema *s = f->s;
	if (s->min_props >= 0 && f->v->len < (uint64_t)s->min_props)
		fail_counts(f, "minProperties", f->v->len, s->min_props);
	if (s->max_props >= 0 && f->v->len > (uint64_t)s->max_props)
		fail_counts(f, "maxProperties", f->v->len, s->max_props);
	check_required(f);
	if (f->quiet && f->errors)
		return;
	for (size_t i = 0; i < s->dependencies.len; i++)
		check_dependency(f, &s->dependencies.items[i]);
	check_members(f);
	if (s->draft == 4)
		return;
	check_names(f);
	for (size_t i = 0; i < s->dependent_schemas.len; i++)
		check_dependency(f, &s->dependent_schemas.items[i]);
	for (size_t i = 0; i < s->dependent_required.len; i++)
		check_dependency(f, &s->dependent_required.items[i]);
}

/* ---- arrays ---- */

static void check_contains(struct frame *f)
{
	struct fx_schema *s = f->s;
	struct fx_schema_error *errors = NULL, **tail = &errors;
	struct fx_text places = text(f), t = text(f);
	int64_t matched = 0;
	for (uint32_t i = 0; i < f->v->len; i++) {
		struct fx_schema_error *e = run_item(f, s->contains, i);
		if (e && !f->quiet) {
			*tail = e;
			tail = &e->next;
		}
		if (e)
			continue;
		fx_text_addf(&places, matched++ ? " %u" : "%u", i);
		if (s->draft >= 2020)
			see(&f->unseen, i);
	}
	if (s->min_contains >= 0 && matched < s->min_contains) {
		fx_text_str(&t, "min ");
		fx_schema_print_int(&t, s->min_contains);
		fx_text_str(&t, " items required to match contains schema, but ");
		if (matched == 0) {
			fx_text_str(&t, "none matched");
		} else {
			fx_text_str(&t, "matched ");
			fx_schema_print_int(&t, matched);
			fx_text_addf(&t, " items at %s", fx_text_c(&places));
		}
		fail_with(f, fx_text_c(&t), errors);
	} else if (s->min_contains < 0 && matched == 0) {
		fail_with(f, "no items match contains schema", errors);
	}
	if (s->max_contains >= 0 && matched > s->max_contains) {
		struct fx_text m = text(f);
		fx_text_str(&m, "max ");
		fx_schema_print_int(&m, s->max_contains);
		fx_text_str(&m, " items required to match contains schema, but matched ");
		fx_schema_print_int(&m, matched);
		fx_text_addf(&m, " items at %s", fx_text_c(&places));
		fail(f, fx_text_c(&m));
	}
}

static void check_unique(struct frame *f)
{
	size_t a, b;
	if (!f->s->unique_items || f->v->len < 2 || !fx_jval_duplicate(f->k->c->x, f->v, &a, &b))
		return;
	struct fx_text t = text(f);
	fx_text_str(&t, "items at ");
	fx_schema_print_int(&t, (int64_t)a);
	fx_text_str(&t, " and ");
	fx_schema_print_int(&t, (int64_t)b);
	fx_text_str(&t, " are equal");
	fail(f, fx_text_c(&t));
}

static void check_array(struct frame *f)
{
	struct fx_schema *s = f->s;
	uint32_t n = f->v->len, i = 0;
	if (s->min_items >= 0 && n < (uint64_t)s->min_items)
		fail_counts(f, "minItems", n, s->min_items);
	if (s->max_items >= 0 && n > (uint64_t)s->max_items)
		fail_counts(f, "maxItems", n, s->max_items);
	check_unique(f);
	for (; i < n && i < s->prefix_items.len; i++)
		add(f, run_item(f, s->prefix_items.items[i], i));
	if (s->no_additional_items && i < n) {
		struct fx_text t = text(f);
		fx_text_str(&t, "last ");
		fx_schema_print_int(&t, n - i);
		fx_text_str(&t, " additionalItem(s) not allowed");
		fail(f, fx_text_c(&t));
	}
	struct fx_schema *rest = s->items ? s->items : s->additional_items;
	for (; rest && i < n; i++)
		add(f, run_item(f, rest, i));
	if (s->contains)
		check_contains(f);
}

/* ---- strings and numbers ---- */

static void check_string(struct frame *f)
{
	const struct fx_schema *s = f->s;
	const struct fx_jval *v = f->v;
	int64_t runes = 0;
	for (size_t i = 0, w; (s->min_length >= 0 || s->max_length >= 0) && i < v->len; i += w, runes++)
		fx_rune_at(v->s + i, v->len - i, &w);
	if (s->min_length >= 0 && runes < s->min_length)
		fail_counts(f, "minLength", runes, s->min_length);
	if (s->max_length >= 0 && runes > s->max_length)
		fail_counts(f, "maxLength", runes, s->max_length);
	if (!s->pattern || fx_render_regex_found(f->k->c->x, s->pattern, fx_v_strn(v->s, v->len)))
		return;
	struct fx_text t = text(f);
	fx_schema_quote(&t, v->s, v->len);
	fx_text_str(&t, " does not match pattern ");
	fx_schema_quote(&t, s->pattern_text->s, s->pattern_text->len);
	fail(f, fx_text_c(&t));
}

static void check_number(struct frame *f)
{
	const struct fx_schema *s = f->s;
	if (!s->minimum && !s->maximum && !s->exclusive_minimum && !s->exclusive_maximum && !s->multiple_of)
		return;
	struct fx_decimal d = fx_decimal_of(f->k->c->x, f->v);
	if (s->minimum && fx_decimal_compare(&d, s->minimum) < 0)
		fail_numbers(f, "minimum", &d, s->minimum);
	if (s->maximum && fx_decimal_compare(&d, s->maximum) > 0)
		fail_numbers(f, "maximum", &d, s->maximum);
	if (s->exclusive_minimum && fx_decimal_compare(&d, s->exclusive_minimum) <= 0)
		fail_numbers(f, "exclusiveMinimum", &d, s->exclusive_minimum);
	if (s->exclusive_maximum && fx_decimal_compare(&d, s->exclusive_maximum) >= 0)
		fail_numbers(f, "exclusiveMaximum", &d, s->exclusive_maximum);
	if (s->multiple_of && !fx_decimal_is_multiple(&d, s->multiple_of))
		fail_numbers(f, "multipleOf", &d, s->multiple_of);
}

/* ---- schemas of schemas ---- */

static void check_dynamic_refs(struct frame *f)
{
	struct fx_schema *to = f->s->recursive_ref;
	if (to) {
		bool dynamic = to->recursive_anchor;
		for (const struct scope *sc = &f->scope; dynamic && sc; sc = sc->parent) {
			if (sc->schema->base && sc->schema->base->recursive_anchor)
				to = sc->schema;
		}
		add(f, run_ref(f, to, "$recursiveRef"));
	}
	to = f->s->dynamic_ref;
	if (!to)
		return;
	const char *name = f->s->dynamic_ref_anchor;
	if (name && to->dynamic_anchor && strcmp(to->dynamic_anchor, name) == 0) {
		for (const struct scope *sc = &f->scope; sc; sc = sc->parent) {
			const struct fx_schema_map *m =
			        sc->schema->base ? &sc->schema->base->dynamic_anchors : NULL;
			for (size_t i = 0; m && i < m->len; i++)
				to = strcmp(m->items[i].key, name) == 0 ? m->items[i].schema : to;
		}
	}
	add(f, run_ref(f, to, "$dynamicRef"));
}

static void check_one_of(struct frame *f)
{
	const struct fx_schema_list *l = &f->s->one_of;
	struct fx_schema_error *errors = NULL, **tail = &errors;
	size_t matched = l->len;
	for (size_t i = 0; i < l->len; i++) {
		bool have = matched < l->len;
		struct fx_schema_error *e = run_self(f, l->items[i], NULL, have);
		if (e && !have && !f->quiet) {
			*tail = e;
			tail = &e->next;
		}
		if (!e && have) {
			struct fx_text t = text(f);
			fx_text_str(&t, "'oneOf' failed, subschemas ");
			fx_schema_print_int(&t, (int64_t)matched);
			fx_text_str(&t, ", ");
			fx_schema_print_int(&t, (int64_t)i);
			fx_text_str(&t, " matched");
			fail(f, fx_text_c(&t));
			break;
		}
		if (!e)
			matched = i;
	}
	if (l->len && matched == l->len)
		fail_with(f, "'oneOf' failed, none matched", errors);
}

static void check_any_of(struct frame *f)
{
	const struct fx_schema_list *l = &f->s->any_of;
	struct fx_schema_error *errors = NULL, **tail = &errors;
	bool matched = l->len == 0;
	for (size_t i = 0; i < l->len; i++) {
		struct fx_schema_error *e = run_self(f, l->items[i], NULL, false);
		if (e && !f->quiet) {
			*tail = e;
			tail = &e->next;
		}
		matched = matched || !e;
		/* The others count only for what they have looked at. */
		if (!e && f->unseen.left == 0)
			break;
	}
	if (!matched)
		fail_with(f, "'anyOf' failed", errors);
}

static void check_all_of(struct frame *f)
{
	const struct fx_schema_list *l = &f->s->all_of;
	struct fx_schema_error *errors = NULL, **tail = &errors;
	for (size_t i = 0; i < l->len && !(f->quiet && errors); i++) {
		struct fx_schema_error *e = run_self(f, l->items[i], NULL, false);
		if (e && f->quiet)
			errors = e;
		if (!e || f->quiet)
			continue;
		*tail = e;
		tail = &e->next;
	}
	if (errors)
		fail_with(f, "'allOf' failed", errors);
}

static void check_branches(struct frame *f)
{
	const struct fx_schema *s = f->s;
	if (s->not_ && !run_self(f, s->not_, NULL, true))
		fail(f, "'not' failed");
	check_all_of(f);
	check_any_of(f);
	check_one_of(f);
	if (!s->if_)
		return;
	struct fx_schema *then = run_self(f, s->if_, NULL, true) ? s->else_ : s->then_;
	if (then)
		add(f, run_self(f, then, NULL, false));
}

static void check_unseen(struct frame *f)
{
	struct fx_schema *props = f->s->unevaluated_props, *items = f->s->unevaluated_items;
	bool object = f->v->type == FX_J_OBJECT && props, array = f->v->type == FX_J_ARRAY && items;
	for (uint32_t i = 0; (object || array) && i < f->unseen.len; i++) {
		if (!f->unseen.marks[i])
			continue;
		add(f, object ? run_member(f, props, &f->v->members[i], &f->v->members[i].val)
		              : run_item(f, items, i));
	}
	if (object || array)
		f->unseen = (struct unseen){0};
}

static void check_by_type(struct frame *f)
{
	switch (f->v->type) {
	case FX_J_OBJECT:
		check_object(f);
		break;
	case FX_J_ARRAY:
		check_array(f);
		break;
	case FX_J_STRING:
		check_string(f);
		break;
	case FX_J_NUMBER:
		check_number(f);
		break;
	default:
		break;
	}
}

static struct fx_schema_error *run(struct frame *f)
{
	struct fx_schema *s = f->s;
	struct fx_schema_error *e;
	f->tail = &f->errors;
	fx_render_check(f->k->c->x);
	if (++f->k->steps > FX_SCHEMA_STEPS_MAX || f->depth > FX_SCHEMA_DEPTH_MAX)
		fx_render_throw(f->k->c->x, "the values take too many steps to check against the schema");
	if (s->boolean >= 0)
		return s->boolean ? NULL : new_error(f, "false schema");
	if ((e = check_cycle(f)) || (e = wrong_type(f)) || (e = wrong_const(f)) || (e = wrong_enum(f)) ||
	        (e = wrong_format(f)))
		return e;
	if (s->ref) {
		e = run_ref(f, s->ref, "$ref");
		if (s->draft < 2019)
			return e;
		add(f, e);
	}
	check_by_type(f);
	if (!f->errors || !f->quiet) {
		if (s->draft >= 2019)
			check_dynamic_refs(f);
		check_branches(f);
		if (s->draft >= 2019)
			check_unseen(f);
	}
	if (!f->errors || f->quiet || !f->errors->next)
		return f->errors;
	e = new_error(f, "validation failed");
	e->group = true;
	e->causes = f->errors;
	return e;
}

struct fx_schema_error *fx_schema_run(struct fx_schemas *c, struct fx_schema *s, const struct fx_jval *v,
        const struct fx_schema_root *resources)
{
	struct check k = {.c = c, .resources = resources};
	struct frame f = {.k = &k, .s = s, .meta = resources ? s : NULL, .v = v, .scope = {NULL, s, NULL, 0}};
	f.unseen = unseen_of(c->x, v, s, false);
	return run(&f);
}
