/* JSON in and out, as encoding/json does it. */
#include "funcs.h"

#include "data/json.h"
#include "data/scalar.h"
#include "data/yaml_text.h"

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
	fx_render_check(out->x);
	if (depth > FX_VALUE_DEPTH_MAX)
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

/* Numbers that a float64 cannot hold become null. The text of the first, or NULL. */
static const char *drop_huge(struct fx_node *n)
{
	if (n->kind == FX_NODE_SCALAR) {
		if ((n->tag != FX_TAG_FLOAT && n->tag != FX_TAG_INT) || !isinf(strtod(n->text, NULL)))
			return NULL;
		const char *text = n->text;
		fx_node_set_text(n, FX_TAG_NULL, "null", 4);
		return text;
	}
	const char *first = NULL;
	for (uint32_t i = 0; i < n->len; i++) {
		const char *text = drop_huge(n->kind == FX_NODE_SEQ ? n->items[i] : n->pairs[i].value);
		first = first ? first : text;
	}
	return first;
}

/* Bytes that are no UTF-8 become U+FFFD. */
static struct fx_val valid_utf8(struct fx_render *x, struct fx_val s)
{
	if (fx_utf8_valid(s.s, s.len))
		return s;
	struct fx_text t = {.x = x};
	for (size_t i = 0, w; i < s.len; i += w)
		fx_text_rune(&t, fx_rune_at(s.s + i, s.len - i, &w));
	return fx_text_val(&t);
}

bool fx_v_json_parse(struct fx_render *x, struct fx_val text, struct fx_val *out, const char **why)
{
	struct fx_error err = FX_ERROR_INIT;
	struct fx_node *n = NULL;
	*why = fx_go_json_check(x, text.s, text.len);
	if (*why)
		return false;
	text = valid_utf8(x, text);
	if (fx_json_read(fx_render_arena(x), text.s, text.len, &n, &err) != 0) {
		char *copy = fx_arena_strdup(fx_render_arena(x), fx_error_message(&err));
		bool nomem = err.code == FX_E_NOMEM || !copy;
		fx_error_release(&err);
		if (nomem)
			fx_render_throw(x, "out of memory");
		*why = copy;
		return false;
	}
	const char *huge = drop_huge(n);
	if (huge) {
		struct fx_text t = {.x = x};
		fx_text_addf(&t, "json: cannot unmarshal number %s into Go value of type float64", huge);
		*why = fx_text_c(&t);
	}
	*out = fx_v_from_node(x, n);
	return !*why;
}

struct fx_val fx_v_error_map(struct fx_render *x, const char *why)
{
	struct fx_val m = fx_v_map(x);
	fx_v_set(x, m, "Error", fx_v_str(why));
	return m;
}

struct fx_val fx_v_error_list(struct fx_render *x, const char *why)
{
	struct fx_val l = fx_v_list(x, 1);
	fx_v_push(x, l, fx_v_str(why));
	return l;
}

struct fx_val fx_v_mismatch_map(struct fx_render *x, struct fx_val v, const char *prefix)
{
	struct fx_text t = {.x = x};
	fx_text_addf(&t, "%sjson: cannot unmarshal %s into Go value of type map[string]interface {}", prefix,
	        json_kind(v));
	return fx_v_error_map(x, fx_text_c(&t));
}

struct fx_val fx_v_mismatch_list(struct fx_render *x, struct fx_val v, const char *prefix)
{
	struct fx_text t = {.x = x};
	fx_text_addf(
	        &t, "%sjson: cannot unmarshal %s into Go value of type []interface {}", prefix, json_kind(v));
	return fx_v_error_list(x, fx_text_c(&t));
}

static struct fx_val fn_from_json(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	struct fx_val v = fx_v_nil();
	const char *why;
	if (!fx_v_json_parse(x, a[0], &v, &why)) {
		/* A number out of range leaves the rest of the map. */
		if (v.kind != FX_VAL_MAP)
			return fx_v_error_map(x, why);
		fx_v_set(x, v, "Error", fx_v_str(why));
		return v;
	}
	if (v.kind == FX_VAL_NIL)
		return fx_v_mapof(NULL, FX_T_PLAIN);
	return v.kind == FX_VAL_MAP ? v : fx_v_mismatch_map(x, v, "");
}

static struct fx_val fn_from_json_array(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	struct fx_val v;
	const char *why;
	if (!fx_v_json_parse(x, a[0], &v, &why))
		return fx_v_error_list(x, why);
	if (v.kind == FX_VAL_NIL)
		return fx_v_nil_list();
	return v.kind == FX_VAL_LIST ? v : fx_v_mismatch_list(x, v, "");
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

const struct fx_fn fx_fns_json[] = {
        {"toJson", "A", fn_to_json},
        {"mustToJson", "A", fn_must_to_json},
        {"toPrettyJson", "A", fn_to_pretty_json},
        {"mustToPrettyJson", "A", fn_must_to_pretty_json},
        {"toRawJson", "A", fn_to_raw_json},
        {"mustToRawJson", "A", fn_to_raw_json},
        {"fromJson", "S", fn_from_json},
        {"fromJsonArray", "S", fn_from_json_array},
        {"mustFromJson", "S", fn_must_from_json},
        {NULL, NULL, NULL},
};
