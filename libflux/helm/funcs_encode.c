/* YAML, JSON, TOML out, base64 and base32, paths. */
#include "funcs.h"

#include "data/json.h"
#include "data/scalar.h"
#include "data/yaml.h"

#include <math.h>

/* ---- JSON out ---- */

static void put_json_string(struct fx_text *out, const char *s, size_t n, bool html)
{
	fx_text_char(out, '"');
	for (size_t i = 0, w; i < n; i += w) {
		unsigned r = fx_rune_at(s + i, n - i, &w);
		static const char esc[] = "\"\\\n\r\t\b\f", names[] = "\"\\nrtbf";
		const char *k = r && r < 0x80 ? strchr(esc, (int)r) : NULL;
		if (k)
			fx_text_addf(out, "\\%c", names[k - esc]);
		else if (r < 0x20 || (html && (r == '<' || r == '>' || r == '&')) || r == 0x2028 ||
		         r == 0x2029)
			fx_text_addf(out, "\\u%04x", r);
		else if (r == 0xfffd && w == 1)
			fx_text_str(out, "\\ufffd");
		else
			fx_text_add(out, s + i, w);
	}
	fx_text_char(out, '"');
}

static void json_line(struct fx_text *out, int indent, int depth)
{
	if (!indent)
		return;
	fx_text_char(out, '\n');
	for (int i = 0; i < indent * depth; i++)
		fx_text_char(out, ' ');
}

static const char *json_value(struct fx_text *out, struct fx_val v, bool html, int indent, int depth);

static const char *json_list(struct fx_text *out, struct fx_val v, bool html, int indent, int depth)
{
	fx_text_char(out, '[');
	for (size_t i = 0; i < fx_v_len(v); i++) {
		fx_text_str(out, i ? "," : "");
		json_line(out, indent, depth + 1);
		const char *why = json_value(out, fx_v_item(v, i), html, indent, depth + 1);
		if (why)
			return why;
	}
	if (fx_v_len(v))
		json_line(out, indent, depth);
	fx_text_char(out, ']');
	return NULL;
}

static const char *json_map(struct fx_text *out, struct fx_val v, bool html, int indent, int depth)
{
	fx_text_char(out, '{');
	for (size_t i = 0; i < fx_v_len(v); i++) {
		const struct fx_entry *e = &v.map->entries[i];
		fx_text_str(out, i ? "," : "");
		json_line(out, indent, depth + 1);
		put_json_string(out, e->key, e->len, html);
		fx_text_str(out, indent ? ": " : ":");
		const char *why = json_value(out, e->val, html, indent, depth + 1);
		if (why)
			return why;
	}
	if (fx_v_len(v))
		json_line(out, indent, depth);
	fx_text_char(out, '}');
	return NULL;
}

/* Structs keep the order of their fields. */
static const char *json_struct(struct fx_text *out, struct fx_val v, bool html, int indent, int depth)
{
	struct fx_val text;
	if (v.type == FX_T_TIME) {
		struct fx_text t = {.x = out->x};
		fx_time_format(&t, v.obj, FX_TIME_RFC3339_NANO, strlen(FX_TIME_RFC3339_NANO));
		put_json_string(out, fx_text_c(&t), t.len, html);
		return NULL;
	}
	if (v.type == FX_T_SEMVER && fx_obj_string(out->x, v, &text)) {
		put_json_string(out, text.s, text.len, html);
		return NULL;
	}
	struct fx_val f = fx_obj_fields(out->x, v);
	fx_text_char(out, '{');
	bool any = false;
	for (size_t i = 0; i + 1 < fx_v_len(f); i += 2) {
		struct fx_val name = f.list->items[i], val = f.list->items[i + 1];
		if (name.s[0] >= 'a')
			continue;
		if (v.type == FX_T_HELM_VERSION) {
			static const char *const json_names[][2] = {{"Version", "version"},
			        {"GitCommit", "git_commit"}, {"GitTreeState", "git_tree_state"},
			        {"GoVersion", "go_version"}, {"KubeClientVersion", "kube_client_version"}};
			if (fx_v_empty(val))
				continue;
			name = fx_v_str(json_names[i / 2][1]);
		}
		fx_text_str(out, any ? "," : "");
		any = true;
		json_line(out, indent, depth + 1);
		put_json_string(out, name.s, name.len, html);
		fx_text_str(out, indent ? ": " : ":");
		const char *why = json_value(out, val, html, indent, depth + 1);
		if (why)
			return why;
	}
	if (any)
		json_line(out, indent, depth);
	fx_text_char(out, '}');
	return NULL;
}

static const char *json_value(struct fx_text *out, struct fx_val v, bool html, int indent, int depth)
{
	char num[FX_NUMBER_TEXT];
	if (depth > 1000)
		fx_render_throw(out->x, "values are nested too deeply");
	switch (v.kind) {
	case FX_VAL_NIL:
		fx_text_str(out, "null");
		return NULL;
	case FX_VAL_BOOL:
		fx_text_str(out, v.b ? "true" : "false");
		return NULL;
	case FX_VAL_INT:
		fx_text_addf(out, "%lld", (long long)v.i);
		return NULL;
	case FX_VAL_FLOAT:
		if (!isfinite(v.f))
			return isnan(v.f) ? "json: unsupported value: NaN"
			       : v.f > 0  ? "json: unsupported value: +Inf"
			                  : "json: unsupported value: -Inf";
		fx_double_json(v.f, num);
		fx_text_str(out, num);
		return NULL;
	case FX_VAL_COMPLEX:
		return "json: unsupported type: complex128";
	case FX_VAL_STR:
		put_json_string(out, v.s, v.len, html);
		return NULL;
	case FX_VAL_BYTES: {
		struct fx_val b = fx_v_base64(out->x, v.s, v.len);
		put_json_string(out, b.s, b.len, html);
		return NULL;
	}
	case FX_VAL_LIST:
		if (v.list)
			return json_list(out, v, html, indent, depth);
		fx_text_str(out, "null");
		return NULL;
	case FX_VAL_MAP:
		if (v.map)
			return json_map(out, v, html, indent, depth);
		fx_text_str(out, "null");
		return NULL;
	default:
		return json_struct(out, v, html, indent, depth);
	}
}

const char *fx_v_json(struct fx_text *out, struct fx_val v, bool html, int indent)
{
	fx_text_add(out, "", 0);
	return json_value(out, v, html, indent, 0);
}

static struct fx_val to_json(struct fx_render *x, struct fx_val v, bool html, int indent, bool must)
{
	struct fx_text t = {.x = x};
	const char *why = fx_v_json(&t, v, html, indent);
	if (why && must)
		fx_render_throw(x, "%s", why);
	return why ? fx_v_str("") : fx_text_val(&t);
}

static struct fx_val fn_to_json(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return to_json(x, a[0], true, 0, false);
}

static struct fx_val fn_must_to_json(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return to_json(x, a[0], true, 0, true);
}

static struct fx_val fn_to_pretty_json(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return to_json(x, a[0], true, 2, false);
}

static struct fx_val fn_must_to_pretty_json(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return to_json(x, a[0], true, 2, true);
}

static struct fx_val fn_to_raw_json(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return to_json(x, a[0], false, 0, true);
}

/* ---- JSON in ---- */

static const char *json_kind(struct fx_val v)
{
	switch (v.kind) {
	case FX_VAL_BOOL:
		return "bool";
	case FX_VAL_FLOAT:
		return "number";
	case FX_VAL_STR:
		return "string";
	case FX_VAL_LIST:
		return "array";
	default:
		return "object";
	}
}

bool fx_v_json_parse(struct fx_render *x, struct fx_val text, struct fx_val *out, const char **why)
{
	struct fx_error err = FX_ERROR_INIT;
	struct fx_node *n = NULL;
	if (fx_json_read(fx_render_arena(x), text.s, text.len, &n, &err) != 0) {
		*why = fx_v_dup(x, fx_error_message(&err), strlen(fx_error_message(&err))).s;
		fx_error_release(&err);
		return false;
	}
	*out = fx_v_from_node(x, n);
	return true;
}

static struct fx_val error_map(struct fx_render *x, const char *why)
{
	struct fx_val m = fx_v_map(x);
	fx_v_set(x, m, "Error", fx_v_str(why));
	return m;
}

static struct fx_val error_list(struct fx_render *x, const char *why)
{
	struct fx_val l = fx_v_list(x, 1);
	fx_v_push(x, l, fx_v_str(why));
	return l;
}

static struct fx_val mismatch_map(struct fx_render *x, struct fx_val v, const char *prefix)
{
	struct fx_text t = {.x = x};
	fx_text_addf(&t, "%sjson: cannot unmarshal %s into Go value of type map[string]interface {}", prefix,
	        json_kind(v));
	return error_map(x, fx_text_c(&t));
}

static struct fx_val mismatch_list(struct fx_render *x, struct fx_val v, const char *prefix)
{
	struct fx_text t = {.x = x};
	fx_text_addf(
	        &t, "%sjson: cannot unmarshal %s into Go value of type []interface {}", prefix, json_kind(v));
	return error_list(x, fx_text_c(&t));
}

static struct fx_val fn_from_json(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	struct fx_val v;
	const char *why;
	if (!fx_v_json_parse(x, a[0], &v, &why))
		return error_map(x, why);
	if (v.kind == FX_VAL_NIL)
		return fx_v_mapof(NULL, FX_T_PLAIN);
	return v.kind == FX_VAL_MAP ? v : mismatch_map(x, v, "");
}

static struct fx_val fn_from_json_array(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	struct fx_val v;
	const char *why;
	if (!fx_v_json_parse(x, a[0], &v, &why))
		return error_list(x, why);
	if (v.kind == FX_VAL_NIL)
		return fx_v_nil_list();
	return v.kind == FX_VAL_LIST ? v : mismatch_list(x, v, "");
}

static struct fx_val fn_must_from_json(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	struct fx_val v;
	const char *why;
	if (!fx_v_json_parse(x, a[0], &v, &why))
		fx_render_throw(x, "%s", why);
	return v;
}

/* ---- YAML ---- */

struct fx_val fx_v_yaml_text(struct fx_render *x, struct fx_val v, const char **why)
{
	struct fx_node *n = fx_v_to_node(x, v, why);
	if (!n)
		return fx_v_str("");
	struct fx_buf out = FX_BUF_INIT_MAX(FX_FN_TEXT_MAX);
	struct fx_error err = FX_ERROR_INIT;
	if (fx_yaml_write(n, &out, &err) != 0 || fx_buf_failed(&out)) {
		char *text = fx_arena_strdup(fx_render_arena(x), fx_error_message(&err));
		*why = text ? text : "out of memory";
		fx_error_release(&err);
		fx_buf_release(&out);
		return fx_v_str("");
	}
	char *copy = fx_arena_strndup(fx_render_arena(x), fx_buf_str(&out), out.len);
	size_t len = out.len;
	fx_buf_release(&out);
	if (!copy)
		fx_render_throw(x, "out of memory");
	return fx_v_strn(copy, len);
}

static struct fx_val without_newline(struct fx_val s)
{
	if (s.len && s.s[s.len - 1] == '\n')
		s.len--;
	return s;
}

static struct fx_val fn_to_yaml(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	const char *why = NULL;
	return without_newline(fx_v_yaml_text(x, a[0], &why));
}

static struct fx_val fn_must_to_yaml(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	const char *why = NULL;
	struct fx_val v = fx_v_yaml_text(x, a[0], &why);
	if (why)
		fx_render_throw(x, "error marshaling into JSON: %s", why);
	return without_newline(v);
}

bool fx_v_yaml_parse(struct fx_render *x, struct fx_val text, struct fx_val *out, const char **why)
{
	struct fx_error err = FX_ERROR_INIT;
	struct fx_node *n = NULL;
	struct fx_yaml_read opts = {.dialect = FX_YAML_V2, .values = true};
	if (fx_yaml_read(fx_render_arena(x), text.s, text.len, &opts, &n, &err) != 0) {
		char *copy = fx_arena_printf(
		        fx_render_arena(x), "error converting YAML to JSON: %s", fx_error_message(&err));
		fx_error_release(&err);
		*why = copy ? copy : "out of memory";
		return false;
	}
	*out = fx_v_from_node(x, n);
	return true;
}

#define UNMARSHAL "error unmarshaling JSON: while decoding JSON: "

static struct fx_val fn_from_yaml(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	struct fx_val v;
	const char *why;
	if (!fx_v_yaml_parse(x, a[0], &v, &why))
		return error_map(x, why);
	if (v.kind == FX_VAL_NIL)
		return fx_v_map(x);
	return v.kind == FX_VAL_MAP ? v : mismatch_map(x, v, UNMARSHAL);
}

static struct fx_val fn_from_yaml_array(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	struct fx_val v;
	const char *why;
	if (!fx_v_yaml_parse(x, a[0], &v, &why))
		return error_list(x, why);
	if (v.kind == FX_VAL_NIL)
		return fx_v_list(x, 0);
	return v.kind == FX_VAL_LIST ? v : mismatch_list(x, v, UNMARSHAL);
}

/* ---- base64, base32 ---- */

static const char b64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char b32[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

static struct fx_val encode_bits(
        struct fx_render *x, const char *s, size_t n, const char *set, unsigned bits, size_t group)
{
	size_t cap = n * 8 / bits + group + 2, k = 0;
	char *out = fx_render_alloc(x, cap);
	unsigned acc = 0, have = 0;
	for (size_t i = 0; i < n; i++) {
		acc = acc << 8 | (unsigned char)s[i];
		have += 8;
		while (have >= bits) {
			have -= bits;
			out[k++] = set[acc >> have & ((1u << bits) - 1)];
		}
		acc &= (1u << have) - 1;
	}
	if (have)
		out[k++] = set[acc << (bits - have) & ((1u << bits) - 1)];
	while (k % group)
		out[k++] = '=';
	out[k] = 0;
	return fx_v_strn(out, k);
}

struct fx_val fx_v_base64(struct fx_render *x, const char *s, size_t n)
{
	return encode_bits(x, s, n, b64, 6, 4);
}

/* Go's strict decoder; *bad: the byte that it names. */
static bool decode_bits(struct fx_render *x, const char *s, size_t n, const char *set, unsigned bits,
        size_t group, struct fx_val *out, size_t *bad)
{
	char *o = fx_render_alloc(x, n * bits / 8 + 2);
	size_t k = 0, digits = 0, pads = 0;
	unsigned acc = 0, have = 0;
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '\n' || s[i] == '\r')
			continue;
		*bad = i;
		if (s[i] == '=') {
			size_t at = digits % group;
			bool ok = bits == 6 ? at >= 2 || pads
			                    : at == 2 || at == 4 || at == 5 || at == 7 || pads;
			if (!ok || (pads && (digits + pads) % group == 0))
				return false;
			pads++;
			continue;
		}
		const char *p = s[i] ? strchr(set, s[i]) : NULL;
		if (!p || pads)
			return false;
		digits++;
		acc = acc << bits | (unsigned)(p - set);
		have += bits;
		if (have >= 8) {
			have -= 8;
			o[k++] = (char)(acc >> have);
			acc &= (1u << have) - 1;
		}
	}
	*bad = n;
	if ((digits + pads) % group) {
		*bad = n - (digits + pads) % group;
		return false;
	}
	o[k] = 0;
	*out = fx_v_strn(o, k);
	return true;
}

bool fx_v_base64_decode(struct fx_render *x, const char *s, size_t n, struct fx_val *out, size_t *bad)
{
	return decode_bits(x, s, n, b64, 6, 4, out, bad);
}

static struct fx_val fn_b64enc(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return fx_v_base64(x, a[0].s, a[0].len);
}

static struct fx_val fn_b32enc(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return encode_bits(x, a[0].s, a[0].len, b32, 5, 8);
}

static struct fx_val decoded(struct fx_render *x, struct fx_val s, bool is32)
{
	struct fx_val out;
	size_t bad = 0;
	if (decode_bits(x, s.s, s.len, is32 ? b32 : b64, is32 ? 5 : 6, is32 ? 8 : 4, &out, &bad))
		return out;
	struct fx_text t = {.x = x};
	fx_text_addf(&t, "illegal base%s data at input byte %zu", is32 ? "32" : "64", bad);
	return fx_text_val(&t);
}

static struct fx_val fn_b64dec(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return decoded(x, a[0], false);
}

static struct fx_val fn_b32dec(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return decoded(x, a[0], true);
}

static struct fx_val fn_rand_bytes(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	if (a[0].i < 0)
		fx_render_throw(x, "runtime error: makeslice: len out of range");
	FX_FN_ITEMS_CHECK(x, a[0].i);
	char *b = fx_render_alloc(x, (size_t)a[0].i + 1);
	fx_render_random(x, b, (size_t)a[0].i);
	return fx_v_base64(x, b, (size_t)a[0].i);
}

/* ---- paths ---- */

static struct fx_val fn_base(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)x, (void)n;
	struct fx_val s = a[0];
	if (s.len == 0)
		return fx_v_str(".");
	while (s.len && s.s[s.len - 1] == '/')
		s.len--;
	const char *p = memrchr(s.s, '/', s.len);
	if (p) {
		s.len -= (uint32_t)(p + 1 - s.s);
		s.s = p + 1;
	}
	return s.len ? s : fx_v_str("/");
}

struct fx_val fx_fns_clean(struct fx_render *x, struct fx_val s)
{
	struct fx_text t = {.x = x};
	bool rooted = s.len && s.s[0] == '/';
	fx_text_str(&t, rooted ? "/" : "");
	size_t base = t.len, dotdot = t.len;
	for (size_t i = 0; i < s.len;) {
		size_t end = i;
		while (end < s.len && s.s[end] != '/')
			end++;
		size_t n = end - i;
		if (n == 2 && memcmp(s.s + i, "..", 2) == 0) {
			if (t.len > dotdot) {
				size_t k = t.len - 1;
				while (k > dotdot && t.data[k] != '/')
					k--;
				t.len = k;
			} else if (!rooted) {
				fx_text_str(&t, t.len ? "/.." : "..");
				dotdot = t.len;
			}
		} else if (n && !(n == 1 && s.s[i] == '.')) {
			if (t.len > base || (!rooted && t.len))
				fx_text_char(&t, '/');
			fx_text_add(&t, s.s + i, n);
		}
		i = end + 1;
	}
	return t.len ? fx_text_val(&t) : fx_v_str(".");
}

static struct fx_val fn_clean(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return fx_fns_clean(x, a[0]);
}

static struct fx_val fn_dir(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	const char *p = memrchr(a[0].s, '/', a[0].len);
	return fx_fns_clean(x, fx_v_strn(a[0].s, p ? (size_t)(p + 1 - a[0].s) : 0));
}

static struct fx_val fn_ext(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)x, (void)n;
	for (size_t i = a[0].len; i > 0 && a[0].s[i - 1] != '/'; i--) {
		if (a[0].s[i - 1] == '.')
			return fx_v_strn(a[0].s + i - 1, a[0].len - i + 1);
	}
	return fx_v_str("");
}

static struct fx_val fn_is_abs(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)x, (void)n;
	return fx_v_bool(a[0].len && a[0].s[0] == '/');
}

/* ---- TOML out ---- */

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

static bool toml_is_tables(struct fx_val v)
{
	if (v.kind != FX_VAL_LIST || fx_v_len(v) == 0)
		return false;
	for (size_t i = 0; i < fx_v_len(v); i++) {
		if (v.list->items[i].kind != FX_VAL_MAP)
			return false;
	}
	return true;
}

static const char *toml_inline(struct fx_text *out, struct fx_val v)
{
	char num[FX_NUMBER_TEXT];
	switch (v.kind) {
	case FX_VAL_BOOL:
		fx_text_str(out, v.b ? "true" : "false");
		return NULL;
	case FX_VAL_INT:
		if (v.type == FX_T_DURATION)
			toml_string(out, fx_fmt_duration(v.i, (char[40]){0}),
			        strlen(fx_fmt_duration(v.i, (char[40]){0})));
		else
			fx_text_addf(out, "%lld", (long long)v.i);
		return NULL;
	case FX_VAL_FLOAT:
		if (!isfinite(v.f)) {
			fx_text_str(out, isnan(v.f) ? "nan" : v.f > 0 ? "inf" : "-inf");
			return NULL;
		}
		fx_double_g(v.f, num);
		fx_text_str(out, num);
		if (!strpbrk(num, ".e"))
			fx_text_str(out, ".0");
		return NULL;
	case FX_VAL_STR:
		toml_string(out, v.s, v.len);
		return NULL;
	case FX_VAL_LIST:
	case FX_VAL_BYTES:
		fx_text_char(out, '[');
		for (size_t i = 0; i < fx_v_len(v); i++) {
			struct fx_val e = fx_v_item(v, i);
			if (e.kind == FX_VAL_NIL)
				return "toml: cannot encode array with nil element";
			fx_text_str(out, i ? ", " : "");
			const char *why = toml_inline(out, e);
			if (why)
				return why;
		}
		fx_text_char(out, ']');
		return NULL;
	case FX_VAL_MAP: {
		bool any = false;
		fx_text_char(out, '{');
		for (size_t i = 0; i < fx_v_len(v); i++) {
			const struct fx_entry *e = &v.map->entries[i];
			if (e->val.kind == FX_VAL_NIL)
				continue;
			fx_text_str(out, any ? ", " : "");
			any = true;
			toml_key(out, e->key, e->len);
			fx_text_str(out, " = ");
			const char *why = toml_inline(out, e->val);
			if (why)
				return why;
		}
		fx_text_char(out, '}');
		return NULL;
	}
	case FX_VAL_OBJ:
		if (v.type == FX_T_TIME) {
			fx_time_format(out, v.obj, FX_TIME_RFC3339_NANO, strlen(FX_TIME_RFC3339_NANO));
			return NULL;
		}
		return "toml: unsupported type";
	default:
		return "toml: unsupported type";
	}
}

static void toml_indent(struct fx_text *out, int depth)
{
	for (int i = 0; i < depth; i++)
		fx_text_str(out, "  ");
}

static const char *toml_table(struct fx_text *out, struct fx_val map, const char *path, int depth);

static void toml_header(struct fx_text *out, const char *path, int depth, bool array)
{
	if (out->len)
		fx_text_char(out, '\n');
	toml_indent(out, depth - 1);
	fx_text_addf(out, array ? "[[%s]]\n" : "[%s]\n", path);
}

static const char *toml_sub(struct fx_text *out, const struct fx_entry *e, const char *path, int depth)
{
	struct fx_text p = {.x = out->x};
	fx_text_str(&p, path);
	fx_text_str(&p, *path ? "." : "");
	toml_key(&p, e->key, e->len);
	if (e->val.kind == FX_VAL_MAP) {
		toml_header(out, fx_text_c(&p), depth + 1, false);
		return toml_table(out, e->val, fx_text_c(&p), depth + 1);
	}
	for (size_t i = 0; i < fx_v_len(e->val); i++) {
		toml_header(out, fx_text_c(&p), depth + 1, true);
		const char *why = toml_table(out, e->val.list->items[i], fx_text_c(&p), depth + 1);
		if (why)
			return why;
	}
	return NULL;
}

static const char *toml_table(struct fx_text *out, struct fx_val map, const char *path, int depth)
{
	if (depth > 500)
		fx_render_throw(out->x, "values are nested too deeply");
	for (int tables = 0; tables < 2; tables++) {
		for (size_t i = 0; i < fx_v_len(map); i++) {
			const struct fx_entry *e = &map.map->entries[i];
			bool sub = e->val.kind == FX_VAL_MAP || toml_is_tables(e->val);
			if (sub != (tables == 1) || e->val.kind == FX_VAL_NIL)
				continue;
			const char *why = NULL;
			if (sub) {
				why = toml_sub(out, e, path, depth);
			} else {
				toml_indent(out, depth);
				toml_key(out, e->key, e->len);
				fx_text_str(out, " = ");
				why = toml_inline(out, e->val);
				fx_text_char(out, '\n');
			}
			if (why)
				return why;
		}
	}
	return NULL;
}

static const char *toml_write(struct fx_text *out, struct fx_val v)
{
	if (v.kind == FX_VAL_NIL)
		fx_render_throw(out->x, "reflect: call of reflect.Value.Type on zero Value");
	fx_text_add(out, "", 0);
	return v.kind == FX_VAL_MAP ? toml_table(out, v, "", 0) : toml_inline(out, v);
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

const struct fx_fn fx_fns_encode[] = {
        {"toJson", "A", fn_to_json},
        {"mustToJson", "A", fn_must_to_json},
        {"toPrettyJson", "A", fn_to_pretty_json},
        {"mustToPrettyJson", "A", fn_must_to_pretty_json},
        {"toRawJson", "A", fn_to_raw_json},
        {"mustToRawJson", "A", fn_to_raw_json},
        {"fromJson", "S", fn_from_json},
        {"fromJsonArray", "S", fn_from_json_array},
        {"mustFromJson", "S", fn_must_from_json},
        {"toYaml", "A", fn_to_yaml},
        {"mustToYaml", "A", fn_must_to_yaml},
        {"fromYaml", "S", fn_from_yaml},
        {"fromYamlArray", "S", fn_from_yaml_array},
        {"toToml", "A", fn_to_toml},
        {"mustToToml", "A", fn_must_to_toml},
        {"b64enc", "S", fn_b64enc},
        {"b64dec", "S", fn_b64dec},
        {"b32enc", "S", fn_b32enc},
        {"b32dec", "S", fn_b32dec},
        {"randBytes", "I", fn_rand_bytes},
        {"base", "S", fn_base},
        {"dir", "S", fn_dir},
        {"clean", "S", fn_clean},
        {"ext", "S", fn_ext},
        {"isAbs", "S", fn_is_abs},
        {"osBase", "S", fn_base},
        {"osDir", "S", fn_dir},
        {"osClean", "S", fn_clean},
        {"osExt", "S", fn_ext},
        {"osIsAbs", "S", fn_is_abs},
        {NULL, NULL, NULL},
};
