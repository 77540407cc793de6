/* TOML, as BurntSushi/toml has it. */
#include "funcs.h"

#include "data/scalar.h"

#include <math.h>

static bool bare_key(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-", s[i]) ||
		        !s[i])
			return false;
	}
	return n > 0;
}

static void toml_string(struct fx_text *out, const char *s, size_t n)
{
	fx_text_char(out, '"');
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];
		static const char esc[] = "\"\\\n\r\t\b\f", names[] = "\"\\nrtbf";
		const char *k = c ? strchr(esc, c) : NULL;
		if (k)
			fx_text_addf(out, "\\%c", names[k - esc]);
		else if (c < 0x20 || c == 0x7f)
			fx_text_addf(out, "\\u%04x", c);
		else
			fx_text_char(out, (char)c);
	}
	fx_text_char(out, '"');
}

static void toml_key(struct fx_text *out, const char *s, size_t n)
{
	if (bare_key(s, n))
		fx_text_add(out, s, n);
	else
		toml_string(out, s, n);
}

/* What decides between `key = value`, [table] and [[tables]]. */
enum shape {
	SHAPE_NIL,
	SHAPE_PLAIN,
	SHAPE_TABLE,
	SHAPE_TABLES,
};

static const char nil_element[] = "toml: cannot encode array with nil element";

static bool is_nil(struct fx_val v)
{
	return v.kind == FX_VAL_NIL || (v.kind == FX_VAL_MAP && !v.map) || (v.kind == FX_VAL_LIST && !v.list);
}

static bool is_struct(struct fx_val v)
{
	return v.kind == FX_VAL_OBJ && v.type != FX_T_TIME && v.type != FX_T_SEMVER;
}

/* Lists are looked through to their end: a nil in one is an error at once. */
static enum shape shape_of(struct fx_text *out, struct fx_val v, int depth, const char **why)
{
	if (depth > FX_VALUE_DEPTH_MAX)
		fx_render_throw(out->x, "values are nested too deeply");
	if (is_nil(v))
		return SHAPE_NIL;
	if (v.kind == FX_VAL_COMPLEX)
		*why = "unsupported type: complex128";
	if (v.kind == FX_VAL_MAP || is_struct(v))
		return SHAPE_TABLE;
	if (v.kind != FX_VAL_LIST)
		return SHAPE_PLAIN;
	bool tables = fx_v_len(v) > 0;
	for (size_t i = 0; i < fx_v_len(v) && !*why; i++) {
		enum shape s = shape_of(out, v.list->items[i], depth + 1, why);
		if (s == SHAPE_NIL)
			*why = nil_element;
		tables = tables && s == SHAPE_TABLE;
	}
	return tables ? SHAPE_TABLES : SHAPE_PLAIN;
}

/* Exported fields of a struct in their order, or the entries of a map. */
static struct fx_list pairs_of(struct fx_render *x, struct fx_val v)
{
	struct fx_val out = fx_v_list(x, 0);
	if (v.kind == FX_VAL_MAP) {
		for (size_t i = 0; i < fx_v_len(v); i++) {
			const struct fx_entry *e = &v.map->entries[i];
			fx_v_push(x, out, fx_v_strn(e->key, e->len));
			fx_v_push(x, out, e->val);
		}
		return *out.list;
	}
	struct fx_val f = fx_obj_fields(x, v);
	for (size_t i = 0; i + 1 < fx_v_len(f); i += 2) {
		if (f.list->items[i].s[0] >= 'a')
			continue;
		fx_v_push(x, out, f.list->items[i]);
		fx_v_push(x, out, f.list->items[i + 1]);
	}
	return *out.list;
}

static const char *toml_inline(struct fx_text *out, struct fx_val v, int depth);

static const char *toml_array(struct fx_text *out, struct fx_val v, int depth)
{
	fx_text_char(out, '[');
	for (size_t i = 0; i < fx_v_len(v); i++) {
		struct fx_val e = fx_v_item(v, i);
		if (e.kind == FX_VAL_NIL)
			return nil_element;
		fx_text_str(out, i ? ", " : "");
		const char *why = toml_inline(out, e, depth + 1);
		if (why)
			return why;
	}
	fx_text_char(out, ']');
	return NULL;
}

/* Plain values first. A comma stands after each that is not the last of its kind, even when that one is nil.
 */
static const char *toml_inline_table(struct fx_text *out, struct fx_val v, int depth)
{
	struct fx_list pairs = pairs_of(out->x, v);
	size_t count[2] = {0};
	const char *why = NULL;
	for (size_t i = 0; i < pairs.len && !why; i += 2)
		count[shape_of(out, pairs.items[i + 1], depth, &why) >= SHAPE_TABLE]++;
	fx_text_char(out, '{');
	for (int sub = 0; sub < 2; sub++) {
		size_t seen = 0;
		for (size_t i = 0; i < pairs.len && !why; i += 2) {
			struct fx_val key = pairs.items[i], e = pairs.items[i + 1];
			if ((shape_of(out, e, depth, &why) >= SHAPE_TABLE) != (sub == 1))
				continue;
			seen++;
			if (is_nil(e))
				continue;
			toml_key(out, key.s, key.len);
			fx_text_str(out, " = ");
			why = toml_inline(out, e, depth + 1);
			fx_text_str(out, seen < count[sub] || (sub == 0 && count[1]) ? ", " : "");
		}
	}
	fx_text_char(out, '}');
	return why;
}

static const char *toml_time(struct fx_text *out, const struct fx_time *t)
{
	const char *layout = strcmp(t->zone, "datetime-local") == 0 ? "2006-01-02T15:04:05.999999999"
	                     : strcmp(t->zone, "date-local") == 0   ? "2006-01-02"
	                     : strcmp(t->zone, "time-local") == 0   ? "15:04:05.999999999"
	                                                            : FX_TIME_RFC3339_NANO;
	fx_time_format(out, t, layout, strlen(layout));
	return NULL;
}

static const char *toml_float(struct fx_text *out, double f)
{
	char num[FX_NUMBER_TEXT];
	if (!isfinite(f)) {
		fx_text_str(out, isnan(f) ? "nan" : f > 0 ? "inf" : "-inf");
		return NULL;
	}
	fx_double_g(f, num);
	fx_text_str(out, num);
	if (!strpbrk(num, ".e"))
		fx_text_str(out, ".0");
	return NULL;
}

static const char *toml_inline(struct fx_text *out, struct fx_val v, int depth)
{
	struct fx_val text;
	if (depth > FX_VALUE_DEPTH_MAX)
		fx_render_throw(out->x, "values are nested too deeply");
	switch (v.kind) {
	case FX_VAL_BOOL:
		fx_text_str(out, v.b ? "true" : "false");
		return NULL;
	case FX_VAL_INT:
		if (v.type == FX_T_DURATION && fx_obj_string(out->x, v, &text))
			toml_string(out, text.s, text.len);
		else
			fx_text_addf(out, "%lld", (long long)v.i);
		return NULL;
	case FX_VAL_FLOAT:
		return toml_float(out, v.f);
	case FX_VAL_STR:
		toml_string(out, v.s, v.len);
		return NULL;
	case FX_VAL_LIST:
	case FX_VAL_BYTES:
		return toml_array(out, v, depth);
	case FX_VAL_OBJ:
		if (v.type == FX_T_TIME)
			return toml_time(out, v.obj);
		if (v.type == FX_T_SEMVER && fx_obj_string(out->x, v, &text)) {
			toml_string(out, text.s, text.len);
			return NULL;
		}
		return toml_inline_table(out, v, depth);
	case FX_VAL_MAP:
		return toml_inline_table(out, v, depth);
	default:
		return "unexpected type: complex128";
	}
}

static void toml_indent(struct fx_text *out, int depth)
{
	for (int i = 0; i < depth; i++)
		fx_text_str(out, "  ");
}

static void toml_header(struct fx_text *out, const char *path, int depth, bool array)
{
	/* Only tables at the top, and those of an array, have a blank line before them. */
	if (out->len && (array || depth == 1))
		fx_text_char(out, '\n');
	toml_indent(out, depth - 1);
	fx_text_addf(out, array ? "[[%s]]\n" : "[%s]\n", path);
}

static const char *toml_table(struct fx_text *out, struct fx_val map, const char *path, int depth);

static const char *toml_sub(
        struct fx_text *out, struct fx_val key, struct fx_val v, const char *path, int depth)
{
	struct fx_text p = {.x = out->x};
	fx_text_str(&p, path);
	fx_text_str(&p, *path ? "." : "");
	toml_key(&p, key.s, key.len);
	if (v.kind != FX_VAL_LIST) {
		toml_header(out, fx_text_c(&p), depth + 1, false);
		return toml_table(out, v, fx_text_c(&p), depth + 1);
	}
	for (size_t i = 0; i < fx_v_len(v); i++) {
		toml_header(out, fx_text_c(&p), depth + 1, true);
		const char *why = toml_table(out, v.list->items[i], fx_text_c(&p), depth + 1);
		if (why)
			return why;
	}
	return NULL;
}

static const char *toml_table(struct fx_text *out, struct fx_val v, const char *path, int depth)
{
	if (depth > FX_VALUE_DEPTH_MAX)
		fx_render_throw(out->x, "values are nested too deeply");
	struct fx_list pairs = pairs_of(out->x, v);
	const char *why = NULL;
	for (int tables = 0; tables < 2; tables++) {
		for (size_t i = 0; i < pairs.len && !why; i += 2) {
			struct fx_val key = pairs.items[i], e = pairs.items[i + 1];
			enum shape shape = shape_of(out, e, depth, &why);
			if (shape == SHAPE_NIL || (shape >= SHAPE_TABLE) != (tables == 1) || why)
				continue;
			if (tables) {
				why = toml_sub(out, key, e, path, depth);
				continue;
			}
			toml_indent(out, depth);
			toml_key(out, key.s, key.len);
			fx_text_str(out, " = ");
			why = toml_inline(out, e, depth);
			fx_text_char(out, '\n');
		}
	}
	return why;
}

static const char *toml_write(struct fx_text *out, struct fx_val v)
{
	if (v.kind == FX_VAL_NIL)
		fx_render_throw(out->x, "reflect: call of reflect.Value.Type on zero Value");
	fx_text_add(out, "", 0);
	const char *why = NULL;
	enum shape shape = shape_of(out, v, 0, &why);
	if (why)
		return why;
	if (shape == SHAPE_TABLES)
		return "toml: top-level values must be Go maps or structs";
	if (shape == SHAPE_NIL)
		return v.kind == FX_VAL_LIST ? (fx_text_str(out, "[]"), NULL) : NULL;
	return shape == SHAPE_TABLE ? toml_table(out, v, "", 0) : toml_inline(out, v, 0);
}

static struct fx_val fn_to_toml(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	struct fx_text t = {.x = x};
	const char *why = toml_write(&t, a[0]);
	return why ? fx_v_str(why) : fx_text_val(&t);
}

static struct fx_val fn_must_to_toml(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	struct fx_text t = {.x = x};
	const char *why = toml_write(&t, a[0]);
	if (why)
		fx_render_throw(x, "%s", why);
	return fx_text_val(&t);
}

static struct fx_val fn_from_toml(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	struct fx_val v;
	const char *why = fx_v_toml_parse(x, a[0], &v);
	return why ? fx_v_error_map(x, why) : v;
}

const struct fx_fn fx_fns_toml[] = {
        {"toToml", "A", fn_to_toml},
        {"fromToml", "S", fn_from_toml},
        {"mustToToml", "A", fn_must_to_toml},
        {NULL, NULL, NULL},
};
