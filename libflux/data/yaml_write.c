#include "data/yaml.h"

#include "data/values.h"
#include "data/yaml_text.h"

#include <math.h>
#include <stdio.h>

struct writer {
	struct fx_buf *out;
	struct fx_error *err;
	size_t line_start; /* offset of the current line in out */
};

/* Where a node stands: decides whether it starts on the same line and how far its content is indented. */
enum place {
	AT_ROOT,
	AFTER_KEY,
	AFTER_DASH, /* also after the `:` of an explicit key */
};

static int write_node(
        struct writer *w, const struct fx_node *n, int indent, enum place place, bool in_flow, int depth);

static void put(struct writer *w, char c)
{
	fx_buf_add_char(w->out, c);
}

static void new_line(struct writer *w)
{
	fx_buf_add_char(w->out, '\n');
	w->line_start = w->out->len;
}

static void put_indent(struct writer *w, int indent)
{
	static const char spaces[] = "                                                                ";
	while (indent > 0) {
		int n = indent < (int)sizeof(spaces) - 1 ? indent : (int)sizeof(spaces) - 1;
		fx_buf_add(w->out, spaces, (size_t)n);
		indent -= n;
	}
}

static size_t column(const struct writer *w)
{
	size_t n = 0;
	for (size_t i = w->line_start; i < w->out->len; i++)
		n += ((unsigned char)w->out->data[i] & 0xc0) != 0x80;
	return n;
}

/* Writes s and turns single spaces behind the width into line breaks. */
static void put_plain(struct writer *w, const char *s, size_t len, int indent, bool breaks_allowed)
{
	size_t col = column(w);
	if (!breaks_allowed || col + len <= FX_YAML_WIDTH || !memchr(s, ' ', len)) {
		fx_buf_add(w->out, s, len);
		return;
	}
	bool after_space = false;
	for (size_t i = 0; i < len; i++) {
		if (s[i] == ' ') {
			if (!after_space && col > FX_YAML_WIDTH && !(i + 1 < len && s[i + 1] == ' ')) {
				new_line(w);
				put_indent(w, indent);
				col = (size_t)indent;
			} else {
				put(w, ' ');
				col++;
			}
			after_space = true;
			continue;
		}
		put(w, s[i]);
		col += ((unsigned char)s[i] & 0xc0) != 0x80;
		after_space = false;
	}
}

/* Line and paragraph separators are written as they are and end the line. */
static bool is_wide_break(const char *s, size_t len, size_t i)
{
	return i + 2 < len && memcmp(s + i, "\xe2\x80", 2) == 0 && (s[i + 2] == '\xa8' || s[i + 2] == '\xa9');
}

static void put_single(struct writer *w, const char *s, size_t len, int indent, bool breaks_allowed)
{
	put(w, '\'');
	bool after_space = false, after_break = false;
	size_t col = column(w);
	for (size_t i = 0; i < len; i++) {
		if (s[i] == ' ') {
			if (breaks_allowed && !after_space && col > FX_YAML_WIDTH && i > 0 && i + 1 < len &&
			        s[i + 1] != ' ') {
				new_line(w);
				put_indent(w, indent);
				col = (size_t)indent;
			} else {
				put(w, ' ');
				col++;
			}
			after_space = true;
			continue;
		}
		after_space = false;
		if (is_wide_break(s, len, i)) {
			fx_buf_add(w->out, s + i, 3);
			i += 2;
			w->line_start = w->out->len;
			col = 0;
			after_break = true;
			continue;
		}
		if (after_break) {
			put_indent(w, indent);
			col = (size_t)indent;
		}
		after_break = false;
		if (s[i] == '\'') {
			put(w, '\'');
			col++;
		}
		put(w, s[i]);
		col += ((unsigned char)s[i] & 0xc0) != 0x80;
	}
	put(w, '\'');
}

static size_t put_escape(struct writer *w, unsigned c)
{
	static const struct {
		unsigned c;
		char letter;
	} named[] = {{0, '0'}, {7, 'a'}, {8, 'b'}, {9, 't'}, {10, 'n'}, {11, 'v'}, {12, 'f'}, {13, 'r'},
	        {0x1b, 'e'}, {'"', '"'}, {'\\', '\\'}, {0x85, 'N'}, {0xa0, '_'}, {0x2028, 'L'},
	        {0x2029, 'P'}};
	put(w, '\\');
	for (size_t i = 0; i < FX_COUNT(named); i++) {
		if (named[i].c == c) {
			put(w, named[i].letter);
			return 2;
		}
	}
	int digits = c <= 0xff ? 2 : c <= 0xffff ? 4 : 8;
	fx_buf_addf(w->out, "%c%0*X", digits == 2 ? 'x' : digits == 4 ? 'u' : 'U', digits, c);
	return (size_t)digits + 2;
}

static void put_double(struct writer *w, const char *s, size_t len, int indent, bool breaks_allowed)
{
	/* go-yaml looks for the byte order mark at the start of the text, not at the current place. */
	bool escape_all = len >= 3 && memcmp(s, "\xef\xbb\xbf", 3) == 0;
	put(w, '"');
	size_t col = column(w);
	bool after_space = false;
	for (size_t i = 0, width; i < len; i += width) {
		width = fx_utf8_width((unsigned char)s[i]);
		if (i + width > len)
			width = 1;
		unsigned c = width == 1 ? (unsigned char)s[i] : fx_utf8_decode(s + i, width);
		if (escape_all || !fx_yaml_is_printable(c) || fx_yaml_is_break(c) || c == '"' || c == '\\') {
			col += put_escape(w, c);
			after_space = false;
		} else if (c == ' ') {
			if (breaks_allowed && !after_space && col > FX_YAML_WIDTH && i > 0 && i + 1 < len) {
				new_line(w);
				put_indent(w, indent);
				col = (size_t)indent;
				if (s[i + 1] == ' ') {
					put(w, '\\');
					col++;
				}
			} else {
				put(w, ' ');
				col++;
			}
			after_space = true;
		} else {
			fx_buf_add(w->out, s + i, width);
			col++;
			after_space = false;
		}
	}
	put(w, '"');
}

/* Ends with a line break: the text's own one, or one more. */
static void put_literal(struct writer *w, const char *s, size_t len, int indent)
{
	put(w, '|');
	if (s[0] == ' ' || s[0] == '\n' || is_wide_break(s, len, 0))
		put(w, '2');
	if (s[len - 1] != '\n' && !(len >= 3 && is_wide_break(s, len, len - 3)))
		put(w, '-');
	else if (len == 1 || s[len - 2] == '\n')
		put(w, '+');
	new_line(w);
	bool after_break = true;
	for (size_t i = 0; i < len; i++) {
		if (s[i] == '\n') {
			new_line(w);
			after_break = true;
			continue;
		}
		if (is_wide_break(s, len, i)) {
			fx_buf_add(w->out, s + i, 3);
			i += 2;
			after_break = true;
			continue;
		}
		if (after_break)
			put_indent(w, indent);
		after_break = false;
		put(w, s[i]);
	}
	if (s[len - 1] != '\n')
		new_line(w);
}

/* Letters, digits and a few signs: a text of only these needs no further look. */
static bool is_simple_text(const char *s, size_t len)
{
	if (len == 0 || s[0] == '-' || s[0] == '.')
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		            c == '-' || c == '_' || c == '.' || c == '/'))
			return false;
	}
	return true;
}

/* Writes a string; a value also ends its line. */
static void put_string(struct writer *w, const char *s, size_t len, int indent, bool is_key)
{
	enum fx_tag tag = fx_scalar_tag(FX_YAML_V2, s, len);
	bool plain = (tag == FX_TAG_STR || tag == FX_TAG_MERGE) && !fx_scalar_is_base60(s, len);
	if (plain && is_simple_text(s, len)) {
		fx_buf_add(w->out, s, len);
	} else {
		struct fx_yaml_text t = fx_yaml_text_analyze(s, len, false);
		bool literal = len && memchr(s, '\n', len);
		if (literal && t.block && !is_key) {
			put_literal(w, s, len, indent);
			return;
		}
		if (literal || !(plain || len) || (!plain && !literal))
			put_double(w, s, len, indent, !is_key);
		else if (t.block_plain)
			put_plain(w, s, len, indent, !is_key);
		else if (t.single_quoted)
			put_single(w, s, len, indent, !is_key);
		else
			put_double(w, s, len, indent, !is_key);
	}
	if (!is_key)
		new_line(w);
}

static int write_scalar(struct writer *w, const struct fx_node *n, int indent, bool in_flow)
{
	struct fx_value_text v;
	if (fx_value_text_make(n, in_flow, &v, w->err) < 0)
		return -1;
	if (v.is_string) {
		put_string(w, v.text, v.len, indent, false);
	} else if (v.tag == FX_TAG_FLOAT) {
		char number[FX_NUMBER_TEXT];
		fx_buf_add(w->out, number, fx_double_g(strtod(v.text, NULL), number));
		new_line(w);
	} else if (v.tag == FX_TAG_INT && v.len == 2 && memcmp(v.text, "-0", 2) == 0) {
		fx_buf_add(w->out, "0", 1);
		new_line(w);
	} else {
		fx_buf_add(w->out, v.text, v.len);
		new_line(w);
	}
	fx_value_text_release(&v);
	return 0;
}

static int write_pair(struct writer *w, const struct fx_value_pair *p, int indent, bool in_flow, int depth)
{
	bool simple = p->len <= FX_YAML_SIMPLE_KEY && !memchr(p->key, '\n', p->len);
	if (p->len > FX_VALUE_MAX_KEY)
		return fx_fail(w->err, FX_E_INVALID, "yaml: did not find expected ',' or '}'");
	if (simple) {
		put_string(w, p->key, p->len, indent, true);
		put(w, ':');
		return write_node(w, p->value, indent, AFTER_KEY, in_flow, depth + 1);
	}
	fx_buf_add(w->out, "? ", 2);
	put_string(w, p->key, p->len, indent + 2, false);
	put_indent(w, indent);
	put(w, ':');
	return write_node(w, p->value, indent, AFTER_DASH, in_flow, depth + 1);
}

static int write_map(
        struct writer *w, const struct fx_node *n, int indent, enum place place, bool in_flow, int depth)
{
	fx_auto(value_pairs) struct fx_value_pairs pairs = {0};
	if (fx_value_pairs_make(n, in_flow, &pairs, w->err) < 0)
		return -1;
	fx_value_pairs_sort_yaml(&pairs);
	if (fx_value_pairs_check(&pairs, n, w->err) < 0)
		return -1;
	int inner = place == AT_ROOT ? 0 : indent + 2;
	if (place == AFTER_KEY)
		new_line(w);
	else if (place == AFTER_DASH)
		put(w, ' ');
	for (size_t i = 0; i < pairs.len; i++) {
		if (i > 0 || place == AFTER_KEY)
			put_indent(w, inner);
		if (write_pair(w, &pairs.items[i], inner, in_flow, depth) < 0)
			return -1;
	}
	return 0;
}

static int write_seq(
        struct writer *w, const struct fx_node *n, int indent, enum place place, bool in_flow, int depth)
{
	int inner = place == AT_ROOT ? 0 : place == AFTER_KEY ? indent : indent + 2;
	if (place == AFTER_KEY)
		new_line(w);
	else if (place == AFTER_DASH)
		put(w, ' ');
	for (uint32_t i = 0; i < n->len; i++) {
		if (i > 0 || place == AFTER_KEY)
			put_indent(w, inner);
		put(w, '-');
		if (write_node(w, n->items[i], inner, AFTER_DASH, in_flow, depth + 1) < 0)
			return -1;
	}
	return 0;
}

static int write_node(
        struct writer *w, const struct fx_node *n, int indent, enum place place, bool in_flow, int depth)
{
	if (depth > FX_YAML_MAX_DEPTH)
		return fx_fail(w->err, FX_E_LIMIT, "yaml: nested deeper than %d levels", FX_YAML_MAX_DEPTH);
	if (n->kind == FX_NODE_SCALAR || n->len == 0) {
		if (place != AT_ROOT)
			put(w, ' ');
		if (n->kind == FX_NODE_SCALAR)
			return write_scalar(w, n, place == AT_ROOT ? 2 : indent + 2, in_flow);
		fx_buf_add(w->out, n->kind == FX_NODE_MAP ? "{}" : "[]", 2);
		new_line(w);
		return 0;
	}
	in_flow |= n->style == FX_STYLE_FLOW;
	return n->kind == FX_NODE_MAP ? write_map(w, n, indent, place, in_flow, depth)
	                              : write_seq(w, n, indent, place, in_flow, depth);
}

int fx_yaml_write(const struct fx_node *node, struct fx_buf *out, struct fx_error *err)
{
	struct writer w = {.out = out, .err = err, .line_start = out->len};
	if (write_node(&w, node, 0, AT_ROOT, false, 0) < 0)
		return err ? -(int)err->code : -1;
	return fx_buf_failed(out) ? fx_fail_nomem(err) : 0;
}
