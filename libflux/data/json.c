#include "data/json.h"

#include "data/values.h"
#include "data/yaml.h"
#include "data/yaml_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- writing ---- */

struct writer {
	struct fx_buf *out;
	unsigned flags;
	struct fx_error *err;
};

static void write_string(struct writer *w, const char *s, size_t len)
{
	fx_buf_add_char(w->out, '"');
	size_t from = 0;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];
		bool html = (w->flags & FX_JSON_HTML) && (c == '<' || c == '>' || c == '&');
		bool wide = c == 0xe2 && i + 2 < len && (unsigned char)s[i + 1] == 0x80 &&
		            ((unsigned char)s[i + 2] & 0xfe) == 0xa8;
		if (c >= 0x20 && c != '"' && c != '\\' && !html && !wide)
			continue;
		fx_buf_add(w->out, s + from, i - from);
		from = i + 1;
		if (c == '"' || c == '\\') {
			fx_buf_add_char(w->out, '\\');
			fx_buf_add_char(w->out, (char)c);
		} else if (wide) {
			fx_buf_addf(w->out, "\\u20%02x", (unsigned char)s[i + 2] - 0x80);
			i += 2;
			from = i + 1;
		} else if (c == '\n' || c == '\r' || c == '\t' || c == '\b' || c == '\f') {
			fx_buf_add_char(w->out, '\\');
			fx_buf_add_char(w->out, c == '\n'   ? 'n'
			                        : c == '\r' ? 'r'
			                        : c == '\t' ? 't'
			                        : c == '\b' ? 'b'
			                                    : 'f');
		} else {
			fx_buf_addf(w->out, "\\u%04x", c);
		}
	}
	fx_buf_add(w->out, s + from, len - from);
	fx_buf_add_char(w->out, '"');
}

static void line(struct writer *w, int depth)
{
	if (!(w->flags & FX_JSON_INDENT))
		return;
	fx_buf_add_char(w->out, '\n');
	for (int i = 0; i < depth; i++)
		fx_buf_add(w->out, "  ", 2);
}

static int write_value(struct writer *w, const struct fx_node *n, bool in_flow, int depth);

static int write_object(struct writer *w, const struct fx_node *n, bool in_flow, int depth)
{
	fx_auto(value_pairs) struct fx_value_pairs pairs = {0};
	if (fx_value_pairs_make(n, in_flow, &pairs, w->err) < 0)
		return -1;
	if (w->flags & FX_JSON_SORT_KEYS) {
		fx_value_pairs_sort_bytes(&pairs);
		if (fx_value_pairs_check(&pairs, n, w->err) < 0)
			return -1;
	}
	fx_buf_add_char(w->out, '{');
	for (size_t i = 0; i < pairs.len; i++) {
		if (i)
			fx_buf_add_char(w->out, ',');
		line(w, depth + 1);
		write_string(w, pairs.items[i].key, pairs.items[i].len);
		fx_buf_add(w->out, ": ", w->flags & FX_JSON_INDENT ? 2 : 1);
		if (write_value(w, pairs.items[i].value, in_flow, depth + 1) < 0)
			return -1;
	}
	if (pairs.len)
		line(w, depth);
	fx_buf_add_char(w->out, '}');
	return 0;
}

static int write_value(struct writer *w, const struct fx_node *n, bool in_flow, int depth)
{
	if (depth > FX_YAML_MAX_DEPTH)
		return fx_fail(w->err, FX_E_LIMIT, "json: nested deeper than %d levels", FX_YAML_MAX_DEPTH);
	if (n->kind == FX_NODE_SCALAR) {
		struct fx_value_text v;
		if (fx_value_text_make(n, in_flow, &v, w->err) < 0)
			return -1;
		if (v.is_string)
			write_string(w, v.text, v.len);
		else
			fx_buf_add(w->out, v.text, v.len);
		fx_value_text_release(&v);
		return 0;
	}
	in_flow |= n->style == FX_STYLE_FLOW;
	if (n->kind == FX_NODE_MAP)
		return write_object(w, n, in_flow, depth);
	fx_buf_add_char(w->out, '[');
	for (uint32_t i = 0; i < n->len; i++) {
		if (i)
			fx_buf_add_char(w->out, ',');
		line(w, depth + 1);
		if (write_value(w, n->items[i], in_flow, depth + 1) < 0)
			return -1;
	}
	if (n->len)
		line(w, depth);
	fx_buf_add_char(w->out, ']');
	return 0;
}

int fx_json_write(const struct fx_node *node, unsigned flags, struct fx_buf *out, struct fx_error *err)
{
	struct writer w = {.out = out, .flags = flags, .err = err};
	if (write_value(&w, node, false, 0) < 0)
		return err ? -(int)err->code : -1;
	return fx_buf_failed(out) ? fx_fail_nomem(err) : 0;
}

/* ---- plain values ---- */

static struct fx_node *value_copy(
        struct fx_arena *arena, const struct fx_node *n, bool in_flow, int depth, struct fx_error *err);

static struct fx_node *map_copy(
        struct fx_arena *arena, const struct fx_node *n, bool in_flow, int depth, struct fx_error *err)
{
	fx_auto(value_pairs) struct fx_value_pairs pairs = {0};
	struct fx_node *map = fx_node_new_map(arena);
	if (!map || fx_value_pairs_make(n, in_flow, &pairs, err) < 0)
		return NULL;
	fx_value_pairs_sort_bytes(&pairs);
	if (fx_value_pairs_check(&pairs, n, err) < 0)
		return NULL;
	for (size_t i = 0; i < pairs.len; i++) {
		struct fx_node *key =
		        fx_node_new_scalar_len(arena, FX_TAG_STR, pairs.items[i].key, pairs.items[i].len);
		struct fx_node *value = value_copy(arena, pairs.items[i].value, in_flow, depth + 1, err);
		if (!value || !fx_node_add_pair(arena, map, key, value))
			return NULL;
	}
	return map;
}

static struct fx_node *scalar_copy(
        struct fx_arena *arena, const struct fx_node *n, bool in_flow, struct fx_error *err)
{
	struct fx_value_text v;
	if (fx_value_text_make(n, in_flow, &v, err) < 0)
		return NULL;
	const char *text = v.text == n->text ? v.text : fx_arena_strndup(arena, v.text, v.len);
	struct fx_node *copy = text ? fx_node_new_scalar_len(arena, v.tag, text, v.len) : NULL;
	fx_value_text_release(&v);
	return copy;
}

static struct fx_node *value_copy(
        struct fx_arena *arena, const struct fx_node *n, bool in_flow, int depth, struct fx_error *err)
{
	if (depth > FX_YAML_MAX_DEPTH) {
		fx_fail(err, FX_E_LIMIT, "nested deeper than %d levels", FX_YAML_MAX_DEPTH);
		return NULL;
	}
	if (n->kind == FX_NODE_SCALAR)
		return scalar_copy(arena, n, in_flow, err);
	in_flow |= n->style == FX_STYLE_FLOW;
	if (n->kind == FX_NODE_MAP)
		return map_copy(arena, n, in_flow, depth, err);
	struct fx_node *seq = fx_node_new_seq(arena);
	for (uint32_t i = 0; seq && i < n->len; i++) {
		struct fx_node *item = value_copy(arena, n->items[i], in_flow, depth + 1, err);
		if (!item || !fx_node_append(arena, seq, item))
			return NULL;
	}
	return seq;
}

int fx_node_to_values(
        struct fx_arena *arena, const struct fx_node *node, struct fx_node **out, struct fx_error *err)
{
	fx_auto(error) struct fx_error why = FX_ERROR_INIT;
	struct fx_node *copy = value_copy(arena, node, false, 0, &why);
	if (!copy) {
		if (why.code == FX_OK)
			return fx_fail_nomem(err);
		int rc = -(int)why.code;
		if (err)
			fx_error_move(err, &why);
		return rc;
	}
	*out = copy;
	return 0;
}

/* ---- reading ---- */

struct reader {
	struct fx_arena *arena;
	const char *at, *end, *start;
	struct fx_error *err;
};

static int read_error(struct reader *r)
{
	return fx_fail(r->err, FX_E_PARSE, "json: invalid text at offset %zu", (size_t)(r->at - r->start));
}

static void skip_space(struct reader *r)
{
	while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r'))
		r->at++;
}

static bool take(struct reader *r, const char *token)
{
	size_t n = strlen(token);
	if ((size_t)(r->end - r->at) < n || memcmp(r->at, token, n) != 0)
		return false;
	r->at += n;
	return true;
}

static bool read_hex(struct reader *r, unsigned *out)
{
	unsigned v = 0;
	if (r->end - r->at < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		char c = *r->at++;
		unsigned d = c >= '0' && c <= '9'                 ? (unsigned)(c - '0')
		             : (c | 32) >= 'a' && (c | 32) <= 'f' ? (unsigned)((c | 32) - 'a' + 10)
		                                                  : 16;
		if (d > 15)
			return false;
		v = v << 4 | d;
	}
	*out = v;
	return true;
}

static size_t put_utf8(unsigned c, char *out)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	for (size_t i = n; --i > 0; c >>= 6)
		out[i] = (char)(0x80 | (c & 0x3f));
	out[0] = (char)((n == 2 ? 0xc0u : n == 3 ? 0xe0u : 0xf0u) | c);
	return n;
}

/* Half a surrogate pair becomes U+FFFD, as in Go. */
static bool read_unicode(struct reader *r, unsigned *out)
{
	unsigned high, low;
	if (!read_hex(r, &high))
		return false;
	*out = high;
	if (high < 0xd800 || high > 0xdfff)
		return true;
	const char *back = r->at;
	*out = 0xfffd;
	if (high > 0xdbff || !take(r, "\\u"))
		return true;
	if (!read_hex(r, &low))
		return false;
	if (low >= 0xdc00 && low <= 0xdfff)
		*out = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
	else
		r->at = back;
	return true;
}

static int read_string(struct reader *r, struct fx_node **out)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *close = r->at + 1;
	while (close < r->end && *close != '"')
		close += *close == '\\' ? 2 : 1;
	if (close >= r->end)
		return read_error(r);
	char *text = fx_arena_alloc(r->arena, (size_t)(close - r->at) + 1);
	if (!text)
		return fx_fail_nomem(r->err);
	size_t n = 0;
	for (r->at++; r->at < close;) {
		char c = *r->at++;
		if ((unsigned char)c < 0x20)
			return read_error(r);
		if (c != '\\') {
			text[n++] = c;
			continue;
		}
		unsigned u;
		const char *known = strchr(from, *r->at);
		if (*r->at == 'u') {
			r->at++;
			if (!read_unicode(r, &u))
				return read_error(r);
			n += put_utf8(u, text + n);
		} else if (*r->at && known) {
			text[n++] = to[known - from];
			r->at++;
		} else {
			return read_error(r);
		}
	}
	r->at = close + 1;
	text[n] = '\0';
	if (!fx_utf8_valid(text, n))
		return read_error(r);
	*out = fx_node_new_scalar_len(r->arena, FX_TAG_STR, text, n);
	return *out ? 0 : fx_fail_nomem(r->err);
}

static bool take_digits(struct reader *r)
{
	const char *start = r->at;
	while (r->at < r->end && *r->at >= '0' && *r->at <= '9')
		r->at++;
	return r->at > start;
}

static int read_number(struct reader *r, struct fx_node **out)
{
	const char *start = r->at;
	enum fx_tag tag = FX_TAG_INT;
	take(r, "-");
	if (!take(r, "0") && !take_digits(r))
		return read_error(r);
	if (take(r, ".")) {
		tag = FX_TAG_FLOAT;
		if (!take_digits(r))
			return read_error(r);
	}
	if (take(r, "e") || take(r, "E")) {
		tag = FX_TAG_FLOAT;
		if (!take(r, "+"))
			take(r, "-");
		if (!take_digits(r))
			return read_error(r);
	}
	size_t len = (size_t)(r->at - start);
	char *text = fx_arena_strndup(r->arena, start, len);
	/* Integers beyond 64 bits are floats in Go's YAML. */
	if (text && tag == FX_TAG_INT)
		tag = fx_scalar_tag(FX_YAML_V3, text, len);
	*out = text ? fx_node_new_scalar_len(r->arena, tag, text, len) : NULL;
	return *out ? 0 : fx_fail_nomem(r->err);
}

static int read_value(struct reader *r, int depth, struct fx_node **out);

static int read_members(struct reader *r, int depth, struct fx_node *in, const char *close)
{
	skip_space(r);
	if (take(r, close))
		return 0;
	for (;;) {
		struct fx_node *key = NULL, *value;
		skip_space(r);
		if (in->kind == FX_NODE_MAP) {
			if (r->at >= r->end || *r->at != '"')
				return read_error(r);
			if (read_string(r, &key) < 0)
				return -1;
			skip_space(r);
			if (!take(r, ":"))
				return read_error(r);
		}
		if (read_value(r, depth + 1, &value) < 0)
			return -1;
		/* Of equal keys the last one counts. */
		struct fx_pair *have = key ? fx_node_pair(in, key->text, key->len) : NULL;
		if (have)
			have->value = value;
		else if (!(key ? fx_node_add_pair(r->arena, in, key, value)
		               : fx_node_append(r->arena, in, value)))
			return fx_fail_nomem(r->err);
		skip_space(r);
		if (take(r, close))
			return 0;
		if (!take(r, ","))
			return read_error(r);
	}
}

static int read_value(struct reader *r, int depth, struct fx_node **out)
{
	static const struct {
		const char *word;
		enum fx_tag tag;
	} words[] = {{"true", FX_TAG_BOOL}, {"false", FX_TAG_BOOL}, {"null", FX_TAG_NULL}};
	if (depth > FX_YAML_MAX_DEPTH)
		return fx_fail(r->err, FX_E_LIMIT, "json: nested deeper than %d levels", FX_YAML_MAX_DEPTH);
	skip_space(r);
	if (r->at >= r->end)
		return read_error(r);
	if (*r->at == '"')
		return read_string(r, out);
	if (*r->at == '{' || *r->at == '[') {
		bool map = *r->at++ == '{';
		*out = map ? fx_node_new_map(r->arena) : fx_node_new_seq(r->arena);
		return *out ? read_members(r, depth, *out, map ? "}" : "]") : fx_fail_nomem(r->err);
	}
	for (size_t i = 0; i < FX_COUNT(words); i++) {
		if (!take(r, words[i].word))
			continue;
		*out = fx_node_new_scalar(r->arena, words[i].tag, words[i].word);
		return *out ? 0 : fx_fail_nomem(r->err);
	}
	return read_number(r, out);
}

int fx_json_read(
        struct fx_arena *arena, const char *text, size_t len, struct fx_node **out, struct fx_error *err)
{
	fx_auto(error) struct fx_error why = FX_ERROR_INIT;
	struct reader r = {.arena = arena, .at = text, .start = text, .end = text + len, .err = &why};
	struct fx_node *n = NULL;
	int rc = read_value(&r, 0, &n);
	skip_space(&r);
	if (rc == 0 && r.at != r.end)
		rc = read_error(&r);
	if (rc == 0) {
		*out = n;
		return 0;
	}
	rc = -(int)why.code;
	if (err)
		fx_error_move(err, &why);
	return rc;
}

/* ---- jansson ---- */

static json_t *to_json(const struct fx_node *n, bool in_flow, int depth, struct fx_error *err);

static json_t *to_object(const struct fx_node *n, bool in_flow, int depth, struct fx_error *err)
{
	fx_auto(value_pairs) struct fx_value_pairs pairs = {0};
	if (fx_value_pairs_make(n, in_flow, &pairs, err) < 0)
		return NULL;
	json_t *object = json_object();
	for (size_t i = 0; object && i < pairs.len; i++) {
		json_t *value = to_json(pairs.items[i].value, in_flow, depth + 1, err);
		if (!value ||
		        json_object_setn_new(object, pairs.items[i].key, pairs.items[i].len, value) < 0) {
			json_decref(object);
			return NULL;
		}
	}
	return object;
}

static json_t *to_scalar(const struct fx_node *n, bool in_flow, struct fx_error *err)
{
	struct fx_value_text v;
	if (fx_value_text_make(n, in_flow, &v, err) < 0)
		return NULL;
	json_t *out = NULL;
	switch (v.tag) {
	case FX_TAG_NULL:
		out = json_null();
		break;
	case FX_TAG_BOOL:
		out = json_boolean(v.text[0] == 't');
		break;
	case FX_TAG_INT:
		/* Beyond int64 jansson has only doubles. */
		out = v.text[0] != '-' && strtoull(v.text, NULL, 10) > INT64_MAX
		              ? json_real(strtod(v.text, NULL))
		              : json_integer(strtoll(v.text, NULL, 10));
		break;
	case FX_TAG_FLOAT:
		out = json_real(strtod(v.text, NULL));
		break;
	default:
		out = json_stringn(v.text, v.len);
		break;
	}
	fx_value_text_release(&v);
	return out;
}

static json_t *to_json(const struct fx_node *n, bool in_flow, int depth, struct fx_error *err)
{
	if (depth > FX_YAML_MAX_DEPTH) {
		fx_fail(err, FX_E_LIMIT, "nested deeper than %d levels", FX_YAML_MAX_DEPTH);
		return NULL;
	}
	if (n->kind == FX_NODE_SCALAR)
		return to_scalar(n, in_flow, err);
	in_flow |= n->style == FX_STYLE_FLOW;
	if (n->kind == FX_NODE_MAP)
		return to_object(n, in_flow, depth, err);
	json_t *array = json_array();
	for (uint32_t i = 0; array && i < n->len; i++) {
		json_t *item = to_json(n->items[i], in_flow, depth + 1, err);
		if (!item || json_array_append_new(array, item) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

json_t *fx_node_to_json(const struct fx_node *node, struct fx_error *err)
{
	fx_auto(error) struct fx_error why = FX_ERROR_INIT;
	json_t *out = to_json(node, false, 0, &why);
	if (!out && why.code == FX_OK)
		fx_fail_nomem(err);
	else if (!out && err)
		fx_error_move(err, &why);
	return out;
}

static struct fx_node *from_number(struct fx_arena *arena, const json_t *value)
{
	char text[FX_NUMBER_TEXT];
	if (json_is_integer(value))
		snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else
		fx_double_json(json_real_value(value), text);
	char *copy = fx_arena_strdup(arena, text);
	return copy ? fx_node_new_scalar(arena, json_is_integer(value) ? FX_TAG_INT : FX_TAG_FLOAT, copy)
	            : NULL;
}

struct fx_node *fx_node_from_json(struct fx_arena *arena, const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_NULL:
		return fx_node_new_null(arena);
	case JSON_TRUE:
	case JSON_FALSE:
		return fx_node_new_bool(arena, json_is_true(value));
	case JSON_INTEGER:
	case JSON_REAL:
		return from_number(arena, value);
	case JSON_STRING: {
		size_t len = json_string_length(value);
		char *text = fx_arena_strndup(arena, json_string_value(value), len);
		return text ? fx_node_new_scalar_len(arena, FX_TAG_STR, text, len) : NULL;
	}
	case JSON_ARRAY: {
		struct fx_node *seq = fx_node_new_seq(arena);
		for (size_t i = 0; seq && i < json_array_size(value); i++)
			if (!fx_node_append(arena, seq, fx_node_from_json(arena, json_array_get(value, i))))
				return NULL;
		return seq;
	}
	case JSON_OBJECT: {
		struct fx_node *map = fx_node_new_map(arena);
		const char *key;
		json_t *item;
		json_object_foreach ((json_t *)value, key, item) {
			struct fx_node *k = map ? fx_node_new_str(arena, key) : NULL;
			if (!k || !fx_node_add_pair(arena, map, k, fx_node_from_json(arena, item)))
				return NULL;
		}
		return map;
	}
	}
	return NULL;
}
