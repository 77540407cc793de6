/* Values to and from the document tree. */
#include "funcs.h"

#include "data/json.h"
#include "data/scalar.h"
#include "data/yaml_text.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>

static struct fx_val scalar_from_node(struct fx_render *x, const struct fx_node *n)
{
	switch (n->tag) {
	case FX_TAG_NULL:
		return fx_v_nil();
	case FX_TAG_BOOL:
		return fx_v_bool(n->len > 0 && n->text[0] == 't');
	case FX_TAG_INT:
	case FX_TAG_FLOAT:
		return fx_v_float(strtod(fx_v_cstr(x, fx_v_strn(n->text, n->len)), NULL));
	default:
		return fx_v_strn(n->text, n->len);
	}
}

static int entry_compare(const void *a, const void *b)
{
	const struct fx_entry *p = a, *q = b;
	int c = memcmp(p->key, q->key, p->len < q->len ? p->len : q->len);
	return c ? c : p->len < q->len ? -1 : p->len > q->len;
}

struct fx_val fx_v_from_node(struct fx_render *x, const struct fx_node *n)
{
	if (!n)
		return fx_v_nil();
	if (n->kind == FX_NODE_SCALAR)
		return scalar_from_node(x, n);
	if (n->kind == FX_NODE_SEQ) {
		struct fx_val list = fx_v_list(x, 0);
		for (size_t i = 0; i < n->len; i++)
			fx_v_push(x, list, fx_v_from_node(x, n->items[i]));
		return list;
	}
	struct fx_val map = fx_v_map(x);
	if (n->len == 0)
		return map;
	struct fx_vmap *m = map.map;
	m->entries = fx_render_alloc(x, n->len * sizeof(*m->entries));
	m->cap = n->len;
	bool sorted = true;
	for (size_t i = 0; i < n->len; i++) {
		const struct fx_node *key = n->pairs[i].key;
		m->entries[m->len++] =
		        (struct fx_entry){key->text, key->len, fx_v_from_node(x, n->pairs[i].value)};
		sorted = sorted && (i == 0 || entry_compare(&m->entries[i - 1], &m->entries[i]) < 0);
	}
	if (!sorted)
		qsort(m->entries, m->len, sizeof(*m->entries), entry_compare);
	return map;
}

static void *need(struct fx_render *x, void *p)
{
	if (!p)
		fx_render_throw(x, "out of memory");
	return p;
}

static bool text_is_integer(const char *s)
{
	if (*s == '-')
		s++;
	size_t n = strspn(s, "0123456789");
	return s[n] == 0 && n > 0;
}

/* The text is what the JSON encoder writes; its type is found again as the YAML reader would. */
static struct fx_node *float_node(struct fx_render *x, double f)
{
	char text[FX_NUMBER_TEXT];
	size_t n = fx_double_json(f, text);
	struct fx_scalar s = fx_scalar_resolve(FX_YAML_V2, text, n);
	bool whole = text_is_integer(text) && s.tag == FX_TAG_INT;
	if (whole && s.i == 0 && !s.is_unsigned)
		n = (size_t)snprintf(text, sizeof(text), "0");
	else if (!whole)
		n = fx_double_g(f, text);
	return need(x, fx_node_new_scalar_len(fx_render_arena(x), whole ? FX_TAG_INT : FX_TAG_FLOAT,
	                       fx_v_dup(x, text, n).s, n));
}

static struct fx_node *string_node(struct fx_render *x, struct fx_val v)
{
	/* What JSON cannot carry becomes U+FFFD on the way. */
	struct fx_text t = {.x = x};
	for (size_t i = 0, w; i < v.len; i += w) {
		unsigned r = fx_rune_at(v.s + i, v.len - i, &w);
		if (w == 1 && r == 0xfffd)
			fx_text_rune(&t, r);
		else
			fx_text_add(&t, v.s + i, w);
	}
	struct fx_val s = fx_text_val(&t);
	struct fx_node *n = need(x, fx_node_new_scalar_len(fx_render_arena(x), FX_TAG_STR, s.s, s.len));
	n->style = FX_STYLE_DOUBLE;
	return n;
}

static struct fx_node *to_node(struct fx_render *x, struct fx_val v, int depth, const char **why)
{
	/* `set` can put a map into itself. */
	if (depth > FX_VALUE_DEPTH_MAX) {
		*why = "values are nested too deeply";
		return NULL;
	}
	struct fx_arena *a = fx_render_arena(x);
	switch (v.kind) {
	case FX_VAL_NIL:
		return need(x, fx_node_new_null(a));
	case FX_VAL_BOOL:
		return need(x, fx_node_new_bool(a, v.b));
	case FX_VAL_INT:
		return need(x, fx_node_new_int(a, v.i));
	case FX_VAL_FLOAT:
		if (isnan(v.f) || isinf(v.f)) {
			*why = fx_arena_printf(a, "json: unsupported value: %s",
			        isnan(v.f) ? "NaN"
			        : v.f > 0  ? "+Inf"
			                   : "-Inf");
			return NULL;
		}
		return float_node(x, v.f);
	case FX_VAL_STR:
		return string_node(x, v);
	case FX_VAL_LIST: {
		if (!v.list)
			return need(x, fx_node_new_null(a));
		struct fx_node *seq = need(x, fx_node_new_seq(a));
		for (size_t i = 0; i < v.list->len; i++) {
			struct fx_node *item = to_node(x, v.list->items[i], depth + 1, why);
			if (!item)
				return NULL;
			if (!fx_node_append(a, seq, item))
				need(x, NULL);
		}
		return seq;
	}
	case FX_VAL_MAP: {
		if (!v.map)
			return need(x, fx_node_new_null(a));
		struct fx_node *map = need(x, fx_node_new_map(a));
		for (size_t i = 0; i < v.map->len; i++) {
			const struct fx_entry *e = &v.map->entries[i];
			struct fx_node *val = to_node(x, e->val, depth + 1, why);
			if (!val)
				return NULL;
			if (!fx_node_add_pair(a, map, string_node(x, fx_v_strn(e->key, e->len)), val))
				need(x, NULL);
		}
		return map;
	}
	default: {
		/* Structs, times and bytes have their JSON form only. */
		struct fx_text t = {.x = x};
		*why = fx_v_json(&t, v, true, 0);
		if (*why)
			return NULL;
		struct fx_node *n = NULL;
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;

		if (fx_json_read(a, t.data, t.len, &n, &err) != 0)
			*why = fx_arena_strdup(a, fx_error_message(&err));
		return n;
	}
	}
}

struct fx_node *fx_v_to_node(struct fx_render *x, struct fx_val v, const char **why)
{
	return to_node(x, v, 0, why);
}

/* ---- for go-yaml v3, which sees Go values and not their JSON ---- */

static struct fx_node *pretty_node(struct fx_render *x, struct fx_val v, int depth);

static struct fx_node *pretty_scalar(struct fx_render *x, enum fx_tag tag, struct fx_val text)
{
	return need(x, fx_node_new_scalar_len(fx_render_arena(x), tag, text.s, text.len));
}

static struct fx_node *pretty_string(struct fx_render *x, struct fx_val s)
{
	if (fx_utf8_valid(s.s, s.len))
		return pretty_scalar(x, FX_TAG_STR, s);
	struct fx_node *n = pretty_scalar(x, FX_TAG_BINARY, fx_v_base64(x, s.s, s.len));
	n->tagged = true;
	return n;
}

static void pretty_pair(
        struct fx_render *x, struct fx_node *map, struct fx_val key, struct fx_val val, int depth)
{
	struct fx_node *k = pretty_string(x, key);
	/* Quotes until the styles are set: the text is no key of another type. */
	k->style = FX_STYLE_DOUBLE;
	if (!fx_node_add_pair(fx_render_arena(x), map, k, pretty_node(x, val, depth + 1)))
		need(x, NULL);
}

/* Fields in their order, by the names that go-yaml gives them. */
static struct fx_node *pretty_struct(struct fx_render *x, struct fx_val v, int depth)
{
	struct fx_node *map = need(x, fx_node_new_map(fx_render_arena(x)));
	map->tag = FX_TAG_OTHER;
	struct fx_val fields = fx_obj_fields(x, v);
	for (size_t i = 0; i + 1 < fx_v_len(fields); i += 2) {
		struct fx_val name = fields.list->items[i];
		if (name.s[0] >= 'a')
			continue;
		struct fx_text lower = {.x = x};
		for (uint32_t k = 0; k < name.len; k++)
			fx_text_char(&lower, (char)tolower((unsigned char)name.s[k]));
		pretty_pair(x, map, fx_text_val(&lower), fields.list->items[i + 1], depth);
	}
	return map;
}

static struct fx_node *pretty_obj(struct fx_render *x, struct fx_val v, int depth)
{
	struct fx_text t = {.x = x};
	struct fx_val text;
	if (v.type == FX_T_TIME) {
		fx_time_format(&t, v.obj, FX_TIME_RFC3339_NANO, strlen(FX_TIME_RFC3339_NANO));
		return pretty_scalar(x, FX_TAG_TIME, fx_text_val(&t));
	}
	if (v.type == FX_T_SEMVER && fx_obj_string(x, v, &text))
		return pretty_string(x, text);
	return pretty_struct(x, v, depth);
}

static struct fx_node *pretty_number(struct fx_render *x, struct fx_val v)
{
	char text[FX_NUMBER_TEXT];
	if (v.kind == FX_VAL_FLOAT && !isfinite(v.f))
		return pretty_scalar(x, FX_TAG_FLOAT,
		        fx_v_str(isnan(v.f) ? ".nan"
		                 : v.f > 0  ? ".inf"
		                            : "-.inf"));
	if (v.kind == FX_VAL_FLOAT) {
		size_t n = fx_double_g(v.f, text);
		return pretty_scalar(
		        x, strpbrk(text, ".e") ? FX_TAG_FLOAT : FX_TAG_INT, fx_v_dup(x, text, n));
	}
	char duration[40];
	if (v.type == FX_T_DURATION) {
		const char *s = fx_fmt_duration(v.i, duration);
		return pretty_string(x, fx_v_dup(x, s, strlen(s)));
	}
	return need(x, fx_node_new_int(fx_render_arena(x), v.i));
}

static struct fx_node *pretty_node(struct fx_render *x, struct fx_val v, int depth)
{
	struct fx_arena *a = fx_render_arena(x);
	if (depth > FX_VALUE_DEPTH_MAX)
		fx_render_throw(x, "values are nested too deeply");
	switch (v.kind) {
	case FX_VAL_NIL:
		return need(x, fx_node_new_null(a));
	case FX_VAL_BOOL:
		return need(x, fx_node_new_bool(a, v.b));
	case FX_VAL_INT:
	case FX_VAL_FLOAT:
		return pretty_number(x, v);
	case FX_VAL_COMPLEX:
		fx_render_throw(x, "cannot marshal type: complex128");
	case FX_VAL_STR:
		return pretty_string(x, v);
	case FX_VAL_LIST:
	case FX_VAL_BYTES: {
		struct fx_node *seq = need(x, fx_node_new_seq(a));
		for (size_t i = 0; i < fx_v_len(v); i++)
			if (!fx_node_append(a, seq, pretty_node(x, fx_v_item(v, i), depth + 1)))
				need(x, NULL);
		return seq;
	}
	case FX_VAL_MAP: {
		struct fx_node *map = need(x, fx_node_new_map(a));
		for (size_t i = 0; i < fx_v_len(v); i++) {
			const struct fx_entry *e = &v.map->entries[i];
			pretty_pair(x, map, fx_v_strn(e->key, e->len), e->val, depth);
		}
		return map;
	}
	default:
		return pretty_obj(x, v, depth);
	}
}

struct fx_node *fx_v_to_pretty_node(struct fx_render *x, struct fx_val v)
{
	return pretty_node(x, v, 0);
}
