/* Builtins of text/template, Helm's own functions, defaults and reflection. */
#include "funcs.h"

#include <ctype.h>

const struct fx_fn *fx_fn_find(const char *name, size_t len)
{
	static const struct fx_fn *const tables[] = {fx_fns_core, fx_fns_strings, fx_fns_case, fx_fns_lists,
	        fx_fns_math, fx_fns_dates, fx_fns_regex, fx_fns_encode, fx_fns_json, fx_fns_yaml, fx_fns_toml,
	        fx_fns_paths, fx_fns_url, fx_fns_crypto, fx_fns_secrets, fx_fns_certs};
	for (size_t i = 0; i < FX_COUNT(tables); i++) {
		for (const struct fx_fn *f = tables[i]; f->name; f++) {
			if (f->name[0] == name[0] && strlen(f->name) == len &&
			        memcmp(f->name, name, len) == 0)
				return f;
		}
	}
	return NULL;
}

/* ---- truth, length, index ---- */

static struct fx_val fn_not(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)x, (void)n;
	return fx_v_bool(!fx_v_truth(a[0]));
}

static struct fx_val fn_len(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	switch (a[0].kind) {
	case FX_VAL_STR:
	case FX_VAL_BYTES:
	case FX_VAL_LIST:
	case FX_VAL_MAP:
		return fx_v_int((int64_t)fx_v_len(a[0]));
	case FX_VAL_NIL:
		fx_render_throw(x, a[0].nil ? "reflect: call of reflect.Value.Type on zero Value"
		                            : "len of nil pointer");
	default:
		fx_render_throw(x, "len of type %s", fx_v_type(a[0]));
	}
}

static struct fx_val index_list(struct fx_render *x, struct fx_val v, struct fx_val key)
{
	if (key.kind == FX_VAL_NIL)
		fx_render_throw(x, "cannot index slice/array with nil");
	if (key.kind != FX_VAL_INT)
		fx_render_throw(x, "cannot index slice/array with type %s", fx_v_type(key));
	if (key.i < 0 || (uint64_t)key.i > fx_v_len(v))
		fx_render_throw(x, "index out of range: %lld", (long long)key.i);
	if ((uint64_t)key.i == fx_v_len(v))
		fx_render_throw(
		        x, "reflect: %s index out of range", v.kind == FX_VAL_STR ? "string" : "slice");
	return fx_v_item(v, (size_t)key.i);
}

static struct fx_val fn_index(struct fx_render *x, const struct fx_val *a, size_t n)
{
	struct fx_val v = a[0];
	if (v.kind == FX_VAL_NIL)
		fx_render_throw(x, "index of untyped nil");
	for (size_t i = 1; i < n; i++) {
		if (v.kind == FX_VAL_NIL)
			fx_render_throw(x, "index of nil pointer");
		if (v.kind == FX_VAL_LIST || v.kind == FX_VAL_BYTES || v.kind == FX_VAL_STR) {
			v = index_list(x, v, a[i]);
			continue;
		}
		if (v.kind != FX_VAL_MAP)
			fx_render_throw(x, "can't index item of type %s", fx_v_type(v));
		if (a[i].kind == FX_VAL_NIL)
			fx_render_throw(x, "value is nil; should be of type string");
		if (a[i].kind != FX_VAL_STR)
			fx_render_throw(x, "value has type %s; should be string", fx_v_type(a[i]));
		struct fx_val *e = fx_v_find(v, a[i].s, a[i].len);
		v = e                           ? *e
		    : v.type == FX_T_STRING_MAP ? fx_v_str("")
		    : v.type == FX_T_FILES      ? (struct fx_val){.kind = FX_VAL_BYTES, .s = ""}
		                                : fx_v_nil();
	}
	return v;
}

static struct fx_val fn_call(struct fx_render *x, const struct fx_val *a, size_t n)
{
	if (n == 0 || a[0].kind == FX_VAL_NIL)
		fx_render_throw(x, "call of nil");
	fx_render_throw(x, "non-function of type %s", fx_v_type(a[0]));
}

/* ---- printing ---- */

static struct fx_val fn_print(struct fx_render *x, const struct fx_val *a, size_t n)
{
	struct fx_text t = {.x = x};
	fx_fmt_sprint(&t, a, n, false);
	return fx_text_val(&t);
}

static struct fx_val fn_println(struct fx_render *x, const struct fx_val *a, size_t n)
{
	struct fx_text t = {.x = x};
	fx_fmt_sprint(&t, a, n, true);
	return fx_text_val(&t);
}

static struct fx_val fn_printf(struct fx_render *x, const struct fx_val *a, size_t n)
{
	struct fx_text t = {.x = x};
	fx_fmt_printf(&t, a[0], a + 1, n - 1);
	return fx_text_val(&t);
}

/* text/template's evalArgs: a nil operand becomes "<no value>". */
static struct fx_val joined(struct fx_render *x, const struct fx_val *a, size_t n)
{
	struct fx_val *copy = fx_render_alloc(x, n * sizeof(*copy) + 1);
	for (size_t i = 0; i < n; i++)
		copy[i] = a[i].kind == FX_VAL_NIL ? fx_v_str("<no value>") : a[i];
	return fn_print(x, copy, n);
}

static struct fx_val fn_html(struct fx_render *x, const struct fx_val *a, size_t n)
{
	struct fx_val s = joined(x, a, n);
	struct fx_text t = {.x = x};
	for (size_t i = 0; i < s.len; i++) {
		switch (s.s[i]) {
		case 0:
			fx_text_str(&t, "\xef\xbf\xbd");
			break;
		case '&':
			fx_text_str(&t, "&amp;");
			break;
		case '<':
			fx_text_str(&t, "&lt;");
			break;
		case '>':
			fx_text_str(&t, "&gt;");
			break;
		case '"':
			fx_text_str(&t, "&#34;");
			break;
		case '\'':
			fx_text_str(&t, "&#39;");
			break;
		default:
			fx_text_char(&t, s.s[i]);
		}
	}
	return fx_text_val(&t);
}

static struct fx_val fn_js(struct fx_render *x, const struct fx_val *a, size_t n)
{
	struct fx_val s = joined(x, a, n);
	struct fx_text t = {.x = x};
	for (size_t i = 0, w; i < s.len; i += w) {
		unsigned r = fx_rune_at(s.s + i, s.len - i, &w);
		if (r == '\\' || r == '\'' || r == '"')
			fx_text_addf(&t, "\\%c", (char)r);
		else if (r == '<' || r == '>' || r == '&' || r == '=' || r < 0x20)
			fx_text_addf(&t, "\\u%04X", r);
		else if (r >= 0x80 && !fx_rune_is_print(r))
			fx_text_addf(&t, "\\u%04X", r);
		else
			fx_text_add(&t, s.s + i, w);
	}
	return fx_text_val(&t);
}

static struct fx_val fn_urlquery(struct fx_render *x, const struct fx_val *a, size_t n)
{
	struct fx_val s = joined(x, a, n);
	struct fx_text t = {.x = x};
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.s[i];
		if (isalnum(c) || (c && strchr("-_.~", c)))
			fx_text_char(&t, (char)c);
		else if (c == ' ')
			fx_text_char(&t, '+');
		else
			fx_text_addf(&t, "%%%02X", c);
	}
	return fx_text_val(&t);
}

/* ---- comparisons ---- */

enum basic {
	B_NONE,
	B_BOOL,
	B_INT,
	B_UINT,
	B_FLOAT,
	B_COMPLEX,
	B_STRING,
};

static enum basic basic_of(struct fx_val v)
{
	switch (v.kind) {
	case FX_VAL_BOOL:
		return B_BOOL;
	case FX_VAL_INT:
		return v.type == FX_T_UINT8 || v.type == FX_T_UINT32 || v.type == FX_T_UINT64 ? B_UINT
		                                                                              : B_INT;
	case FX_VAL_FLOAT:
		return B_FLOAT;
	case FX_VAL_COMPLEX:
		return B_COMPLEX;
	case FX_VAL_STR:
		return B_STRING;
	default:
		return B_NONE;
	}
}

static _Noreturn void incompatible(struct fx_render *x, struct fx_val a, struct fx_val b)
{
	fx_render_throw(x, "incompatible types for comparison: %s and %s", fx_v_type(a), fx_v_type(b));
}

static bool equal(struct fx_render *x, struct fx_val a, struct fx_val b)
{
	enum basic ka = basic_of(a), kb = basic_of(b);
	if (a.kind == FX_VAL_NIL || b.kind == FX_VAL_NIL)
		return a.kind == b.kind;
	if (ka != kb) {
		if ((ka == B_INT && kb == B_UINT) || (ka == B_UINT && kb == B_INT))
			return a.i == b.i && a.i >= 0;
		incompatible(x, a, b);
	}
	if (ka != B_NONE) {
		if (ka == B_INT || ka == B_UINT)
			return a.i == b.i;
		return fx_v_deep_equal((struct fx_val){.kind = a.kind, .len = a.len, .i = a.i},
		        (struct fx_val){.kind = b.kind, .len = b.len, .i = b.i});
	}
	bool comparable = a.kind == FX_VAL_OBJ && b.kind == FX_VAL_OBJ;
	if (comparable)
		return fx_v_deep_equal(a, b);
	struct fx_text ta = {.x = x}, tb = {.x = x};
	fx_fmt_printf(&ta, fx_v_str("%s"), &a, 1);
	fx_fmt_v(&tb, b);
	if (strcmp(fx_v_type(a), fx_v_type(b)) != 0)
		fx_render_throw(x, "non-comparable types %s: %s, %s: %s", fx_text_c(&ta), fx_v_type(a),
		        fx_v_type(b), fx_text_c(&tb));
	fx_render_throw(x, "non-comparable type %s: %s", fx_text_c(&ta), fx_v_type(a));
}

static struct fx_val fn_eq(struct fx_render *x, const struct fx_val *a, size_t n)
{
	if (n == 1)
		fx_render_throw(x, "missing argument for comparison");
	for (size_t i = 1; i < n; i++) {
		if (equal(x, a[0], a[i]))
			return fx_v_bool(true);
	}
	return fx_v_bool(false);
}

static struct fx_val fn_ne(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return fx_v_bool(!equal(x, a[0], a[1]));
}

static bool less(struct fx_render *x, struct fx_val a, struct fx_val b)
{
	enum basic ka = basic_of(a), kb = basic_of(b);
	if (ka == B_NONE || kb == B_NONE)
		fx_render_throw(x, "invalid type for comparison");
	if (ka != kb) {
		if (ka == B_INT && kb == B_UINT)
			return a.i < 0 || a.i < b.i;
		if (ka == B_UINT && kb == B_INT)
			return b.i >= 0 && a.i < b.i;
		incompatible(x, a, b);
	}
	switch (ka) {
	case B_INT:
	case B_UINT:
		return a.i < b.i;
	case B_FLOAT:
		return a.f < b.f;
	case B_STRING: {
		int c = memcmp(a.s, b.s, a.len < b.len ? a.len : b.len);
		return c ? c < 0 : a.len < b.len;
	}
	default:
		fx_render_throw(x, "invalid type for comparison");
	}
}

static struct fx_val fn_lt(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return fx_v_bool(less(x, a[0], a[1]));
}

static struct fx_val fn_le(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return fx_v_bool(less(x, a[0], a[1]) || equal(x, a[0], a[1]));
}

static struct fx_val fn_gt(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return fx_v_bool(!less(x, a[0], a[1]) && !equal(x, a[0], a[1]));
}

static struct fx_val fn_ge(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return fx_v_bool(!less(x, a[0], a[1]));
}

/* ---- Helm's own ---- */

static struct fx_include_count *count_of(struct fx_render *x, struct fx_val name)
{
	for (size_t i = 0; i < x->nincludes; i++) {
		if (x->includes[i].len == name.len && memcmp(x->includes[i].name, name.s, name.len) == 0)
			return &x->includes[i];
	}
	if (x->nincludes == x->cap_includes) {
		size_t cap = x->cap_includes ? x->cap_includes * 2 : 32;
		struct fx_include_count *more = fx_render_alloc(x, cap * sizeof(*more));
		if (x->nincludes)
			memcpy(more, x->includes, x->nincludes * sizeof(*more));
		x->includes = more;
		x->cap_includes = cap;
	}
	x->includes[x->nincludes] = (struct fx_include_count){name.s, name.len, 0};
	return &x->includes[x->nincludes++];
}

static struct fx_val fn_include(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	size_t slot = (size_t)(count_of(x, a[0]) - x->includes);
	if (x->includes[slot].live > FX_INCLUDE_DEPTH_MAX)
		fx_render_throw(x,
		        "rendering template has a nested reference name: %s: unable to execute template",
		        fx_v_cstr(x, a[0]));
	const struct fx_template *t = fx_template_find(x->set, a[0].s, a[0].len);
	if (!t) {
		struct fx_text q = {.x = x};
		fx_fmt_quote(&q, a[0].s, a[0].len, false);
		fx_render_throw(
		        x, "template: no template %s associated with template \"gotpl\"", fx_text_c(&q));
	}
	x->includes[slot].live++;
	struct fx_val out = fx_template_text(x, t, a[1], false);
	x->includes[slot].live--;
	return out;
}

static struct fx_val fn_tpl(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	struct fx_template_set clone = {.parent = x->set};
	struct fx_text quoted = {.x = x}, prefix = {.x = x};
	fx_fmt_quote(&quoted, a[0].s, a[0].len, false);
	struct fx_template_set *outer = x->set;
	const char *outer_prefix = x->frame ? x->frame->prefix : NULL;
	x->set = &clone;
	if (x->frame) {
		fx_text_addf(&prefix, "cannot parse template %s: ", fx_text_c(&quoted));
		x->frame->prefix = fx_text_c(&prefix);
	}
	const struct fx_template *t = fx_template_parse(x, "gotpl", a[0].s, a[0].len);
	if (x->frame) {
		struct fx_text p = {.x = x};
		fx_text_addf(&p, "error during tpl function execution for %s: ", fx_text_c(&quoted));
		x->frame->prefix = fx_text_c(&p);
	}
	struct fx_val out = fx_template_text(x, t, a[1], true);
	if (x->frame)
		x->frame->prefix = outer_prefix;
	x->set = outer;
	return out;
}

static struct fx_val fn_fail(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	x->user_error = true;
	fx_render_throw(x, "%s", fx_v_cstr(x, a[0]));
}

static struct fx_val fn_required(struct fx_render *x, const struct fx_val *a, size_t n)
{
	if (a[1].kind == FX_VAL_NIL || (a[1].kind == FX_VAL_STR && a[1].len == 0))
		return fn_fail(x, a, n);
	return a[1];
}

static struct fx_val fn_lookup(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	if (!x->options->lookup)
		return fx_v_map(x);
	struct fx_node *node = NULL;
	struct fx_error err = FX_ERROR_INIT;
	if (x->options->lookup(x->options->context, x->arena, fx_v_cstr(x, a[0]), fx_v_cstr(x, a[1]),
	            fx_v_cstr(x, a[2]), fx_v_cstr(x, a[3]), &node, &err) != 0)
		fx_render_throw_err(x, &err);
	return node ? fx_v_from_node(x, node) : fx_v_map(x);
}

static struct fx_val fn_get_host(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)x, (void)a, (void)n;
	return fx_v_str("");
}

/* ---- defaults ---- */

static struct fx_val fn_default(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)x;
	return n > 1 && !fx_v_empty(a[1]) ? a[1] : a[0];
}

static struct fx_val fn_empty(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)x, (void)n;
	return fx_v_bool(fx_v_empty(a[0]));
}

static struct fx_val fn_coalesce(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)x;
	for (size_t i = 0; i < n; i++) {
		if (!fx_v_empty(a[i]))
			return a[i];
	}
	return fx_v_nil();
}

static struct fx_val fn_all(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)x;
	for (size_t i = 0; i < n; i++) {
		if (fx_v_empty(a[i]))
			return fx_v_bool(false);
	}
	return fx_v_bool(true);
}

static struct fx_val fn_any(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)x;
	for (size_t i = 0; i < n; i++) {
		if (!fx_v_empty(a[i]))
			return fx_v_bool(true);
	}
	return fx_v_bool(false);
}

static struct fx_val fn_ternary(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)x, (void)n;
	return a[2].b ? a[0] : a[1];
}

static struct fx_val fn_type_of(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)x, (void)n;
	return fx_v_str(fx_v_type(a[0]));
}

static struct fx_val fn_kind_of(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)x, (void)n;
	return fx_v_str(fx_v_kind(a[0]));
}

static struct fx_val fn_type_is(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)x, (void)n;
	return fx_v_bool(fx_v_eq_str(a[0], fx_v_type(a[1])));
}

static struct fx_val fn_type_is_like(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)x, (void)n;
	const char *t = fx_v_type(a[1]);
	return fx_v_bool(fx_v_eq_str(a[0], t) || (*t == '*' && fx_v_eq_str(a[0], t + 1)));
}

static struct fx_val fn_kind_is(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)x, (void)n;
	return fx_v_bool(fx_v_eq_str(a[0], fx_v_kind(a[1])));
}

static struct fx_val fn_deep_equal(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)x, (void)n;
	return fx_v_bool(fx_v_deep_equal(a[0], a[1]));
}

const struct fx_fn fx_fns_core[] = {
        {"and", "AA*", NULL},
        {"or", "AA*", NULL},
        {"not", "A", fn_not},
        {"len", "A", fn_len},
        {"index", "AA*", fn_index},
        {"call", "AA*", fn_call},
        {"print", "A*", fn_print},
        {"println", "A*", fn_println},
        {"printf", "SA*", fn_printf},
        {"html", "A*", fn_html},
        {"js", "A*", fn_js},
        {"urlquery", "A*", fn_urlquery},
        {"eq", "AA*", fn_eq},
        {"ne", "AA", fn_ne},
        {"lt", "AA", fn_lt},
        {"le", "AA", fn_le},
        {"gt", "AA", fn_gt},
        {"ge", "AA", fn_ge},
        {"include", "SA", fn_include},
        {"tpl", "SA", fn_tpl},
        {"required", "SA", fn_required},
        {"fail", "S", fn_fail},
        {"lookup", "SSSS", fn_lookup},
        {"getHostByName", "S", fn_get_host},
        {"default", "AA*", fn_default},
        {"empty", "A", fn_empty},
        {"coalesce", "A*", fn_coalesce},
        {"all", "A*", fn_all},
        {"any", "A*", fn_any},
        {"ternary", "AAB", fn_ternary},
        {"typeOf", "A", fn_type_of},
        {"kindOf", "A", fn_kind_of},
        {"typeIs", "SA", fn_type_is},
        {"typeIsLike", "SA", fn_type_is_like},
        {"kindIs", "SA", fn_kind_is},
        {"deepEqual", "AA", fn_deep_equal},
        {NULL, NULL, NULL},
};
