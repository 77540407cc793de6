#include "data/scalar.h"
#include "data/values.h"
#include "data/yaml.h"
#include "data/yaml_text.h"

/* The emitter of go-yaml v3 as kyaml sets it up: indent 2, compact sequences, no folding. */

struct writer {
	struct fx_buf *out;
	struct fx_error *err;
	const char *key_comment; /* of the key whose value is written next */
	bool indent_seqs;        /* those that are the value of a key */
};

enum place {
	AT_ROOT,
	AFTER_KEY,
	AFTER_DASH,
	IN_FLOW,
};

static void put(struct writer *w, const char *s)
{
	fx_buf_add_str(w->out, s);
}

static void indent_to(struct writer *w, int indent)
{
	for (int i = 0; i < indent; i++)
		fx_buf_add_char(w->out, ' ');
}

static void put_comment(struct writer *w, const char *text, int indent)
{
	while (text && *text) {
		size_t len = strcspn(text, "\n");
		indent_to(w, len ? indent : 0);
		fx_buf_add(w->out, text, len);
		put(w, "\n");
		text += len + (text[len] == '\n');
	}
}

static void put_single(struct writer *w, const char *s, size_t len)
{
	put(w, "'");
	for (size_t i = 0; i < len; i++) {
		if (s[i] == '\'')
			put(w, "'");
		fx_buf_add_char(w->out, s[i]);
	}
	put(w, "'");
}

static void put_double(struct writer *w, const char *s, size_t len)
{
	static const char letters[][2] = {{0, '0'}, {7, 'a'}, {8, 'b'}, {9, 't'}, {10, 'n'}, {11, 'v'},
	        {12, 'f'}, {13, 'r'}, {0x1b, 'e'}, {'"', '"'}, {'\\', '\\'}};
	put(w, "\"");
	for (size_t i = 0, width; i < len; i += width) {
		width = fx_utf8_width((unsigned char)s[i]);
		if (i + width > len)
			width = 1;
		unsigned c = width == 1 ? (unsigned char)s[i] : fx_utf8_decode(s + i, width);
		if (fx_yaml_is_printable(c) && !fx_yaml_is_break(c) && c != '"' && c != '\\') {
			fx_buf_add(w->out, s + i, width);
			continue;
		}
		if (c == 0x85 || c == 0x2028 || c == 0x2029) {
			put(w, c == 0x85 ? "\\N" : c == 0x2028 ? "\\L" : "\\P");
			continue;
		}
		size_t k = 0;
		while (k < FX_COUNT(letters) && (unsigned char)letters[k][0] != c)
			k++;
		if (k < FX_COUNT(letters) && c < 0x80)
			fx_buf_addf(w->out, "\\%c", letters[k][1]);
		else
			fx_buf_addf(w->out, c <= 0xff ? "\\x%02X" : c <= 0xffff ? "\\u%04X" : "\\U%08X", c);
	}
	put(w, "\"");
}

/* Literal and folded blocks; both end with a newline. */
static void put_block(
        struct writer *w, const char *s, size_t len, int indent, bool folded, const char *comment)
{
	put(w, folded ? ">" : "|");
	if (s[0] == ' ' || s[0] == '\n')
		put(w, "2");
	if (s[len - 1] != '\n')
		put(w, "-");
	else if (len == 1 || s[len - 2] == '\n')
		put(w, "+");
	if (comment)
		fx_buf_addf(w->out, " %s", comment);
	put(w, "\n");
	bool after_break = true, leading_space = true;
	size_t first = strspn(s, "\n");
	/* go-yaml looks at the start of the text here, not at what follows the break. */
	bool doubled = folded && s[first] != ' ' && s[first] != '\t' && s[first] != '\0';
	for (size_t i = 0; i < len; i++) {
		if (s[i] == '\n') {
			if (doubled && !after_break && !leading_space)
				put(w, "\n");
			put(w, "\n");
			after_break = true;
			continue;
		}
		if (after_break) {
			indent_to(w, indent);
			leading_space = s[i] == ' ';
		}
		after_break = false;
		fx_buf_add_char(w->out, s[i]);
	}
	if (s[len - 1] != '\n')
		put(w, "\n");
}

static const char *tag_text(const struct fx_node *n, bool *force_quotes)
{
	static const char *const names[] = {[FX_TAG_INT] = "!!int",
	        [FX_TAG_FLOAT] = "!!float",
	        [FX_TAG_BOOL] = "!!bool",
	        [FX_TAG_NULL] = "!!null",
	        [FX_TAG_TIME] = "!!timestamp",
	        [FX_TAG_BINARY] = "!!binary",
	        [FX_TAG_STR] = "!!str",
	        [FX_TAG_MERGE] = "!!merge"};
	*force_quotes = false;
	if (n->tag == FX_TAG_NONE || n->tag >= FX_TAG_MAP)
		return NULL;
	if (n->tagged)
		return names[n->tag];
	if (n->tag == FX_TAG_STR && n->style != FX_STYLE_PLAIN)
		return NULL;
	if (fx_scalar_tag(FX_YAML_V3, n->text, n->len) == n->tag)
		return NULL;
	*force_quotes = n->tag == FX_TAG_STR;
	return *force_quotes ? NULL : names[n->tag];
}

/* Returns true when the scalar has ended its line itself. */
static bool write_scalar(struct writer *w, const struct fx_node *n, int indent, bool in_flow, bool is_key)
{
	bool force;
	const char *tag = tag_text(n, &force);
	struct fx_yaml_text t = fx_yaml_text_analyze(n->text, n->len, true);
	enum fx_node_style style = n->style;
	bool has_break = n->len && memchr(n->text, '\n', n->len);
	if (style == FX_STYLE_PLAIN && has_break)
		style = FX_STYLE_LITERAL;
	else if (style == FX_STYLE_PLAIN && force)
		style = FX_STYLE_DOUBLE;
	if (is_key && t.multiline)
		style = FX_STYLE_DOUBLE;
	if (tag)
		fx_buf_addf(w->out, "%s%s", tag, n->len || style != FX_STYLE_PLAIN ? " " : "");
	if (style == FX_STYLE_PLAIN && (in_flow ? !t.flow_plain : !t.block_plain))
		style = FX_STYLE_SINGLE;
	if (style == FX_STYLE_PLAIN && n->len == 0 && (in_flow || is_key))
		style = FX_STYLE_SINGLE;
	if (style == FX_STYLE_SINGLE && !t.single_quoted)
		style = FX_STYLE_DOUBLE;
	if ((style == FX_STYLE_LITERAL || style == FX_STYLE_FOLDED) &&
	        (!t.block || in_flow || is_key || n->len == 0))
		style = FX_STYLE_DOUBLE;
	switch (style) {
	case FX_STYLE_SINGLE:
		put_single(w, n->text, n->len);
		return false;
	case FX_STYLE_DOUBLE:
		put_double(w, n->text, n->len);
		return false;
	case FX_STYLE_LITERAL:
	case FX_STYLE_FOLDED:
		put_block(w, n->text, n->len, indent, style == FX_STYLE_FOLDED,
		        n->comments ? n->comments->line : NULL);
		return true;
	default:
		fx_buf_add(w->out, n->text, n->len);
		return false;
	}
}

static int write_node(struct writer *w, const struct fx_node *n, int indent, enum place place, int depth);

static int write_flow(struct writer *w, const struct fx_node *n, int depth)
{
	put(w, n->kind == FX_NODE_MAP ? "{" : "[");
	for (uint32_t i = 0; i < n->len; i++) {
		if (i)
			put(w, ", ");
		const struct fx_node *value = n->kind == FX_NODE_MAP ? n->pairs[i].value : n->items[i];
		if (n->kind == FX_NODE_MAP) {
			if (write_node(w, n->pairs[i].key, 0, IN_FLOW, depth + 1) < 0)
				return -1;
			put(w, ":");
			if (value->kind != FX_NODE_SCALAR || value->len || value->style != FX_STYLE_PLAIN)
				put(w, " ");
			else
				continue;
		}
		if (write_node(w, value, 0, IN_FLOW, depth + 1) < 0)
			return -1;
	}
	put(w, n->kind == FX_NODE_MAP ? "}" : "]");
	return 0;
}

static void end_line(struct writer *w, const struct fx_node *n, const char *otherwise)
{
	const char *comment = n->comments && n->comments->line ? n->comments->line : otherwise;
	if (comment)
		fx_buf_addf(w->out, " %s", comment);
	put(w, "\n");
}

/* Comments above an item: of itself, or of the first key in it. */
static const char *head_of(const struct fx_node *n)
{
	if (n->comments && n->comments->head)
		return n->comments->head;
	if (n->kind != FX_NODE_MAP || n->len == 0 || n->style == FX_STYLE_FLOW)
		return NULL;
	return n->pairs[0].key->comments ? n->pairs[0].key->comments->head : NULL;
}

static int write_map(struct writer *w, const struct fx_node *n, int indent, enum place place, int depth)
{
	int inner = place == AT_ROOT ? 0 : indent + 2;
	for (uint32_t i = 0; i < n->len; i++) {
		const struct fx_node *key = n->pairs[i].key, *value = n->pairs[i].value;
		bool inline_first = i == 0 && place == AFTER_DASH;
		if (key->comments && !inline_first)
			put_comment(w, key->comments->head, inner);
		if (!inline_first)
			indent_to(w, inner);
		if (key->kind != FX_NODE_SCALAR)
			return fx_fail(
			        w->err, FX_E_UNSUPPORTED, "yaml: a key that is no scalar cannot be written");
		bool simple = key->len <= FX_YAML_SIMPLE_KEY && !memchr(key->text, '\n', key->len);
		if (!simple) {
			put(w, "? ");
			if (!write_scalar(w, key, inner + 2, false, false))
				put(w, "\n");
			indent_to(w, inner);
		} else {
			write_scalar(w, key, inner, false, true);
		}
		put(w, ":");
		w->key_comment = key->comments ? key->comments->line : NULL;
		if (write_node(w, value, inner, AFTER_KEY, depth + 1) < 0)
			return -1;
		if (key->comments && key->comments->foot) {
			put_comment(w, key->comments->foot, inner);
			if (i + 1 < n->len)
				put(w, "\n");
		}
	}
	return 0;
}

static int write_seq(struct writer *w, const struct fx_node *n, int indent, enum place place, int depth)
{
	int inner = place == AT_ROOT ? 0 : place == AFTER_KEY && !w->indent_seqs ? indent : indent + 2;
	for (uint32_t i = 0; i < n->len; i++) {
		const struct fx_node *item = n->items[i];
		put_comment(w, head_of(item), inner);
		if (i > 0 || place != AFTER_DASH)
			indent_to(w, inner);
		put(w, "-");
		if (write_node(w, item, inner, AFTER_DASH, depth + 1) < 0)
			return -1;
		if (item->comments)
			put_comment(w, item->comments->foot, inner);
	}
	return 0;
}

static int write_node(struct writer *w, const struct fx_node *n, int indent, enum place place, int depth)
{
	const char *key_comment = w->key_comment;
	w->key_comment = NULL;
	if (depth > FX_YAML_MAX_DEPTH)
		return fx_fail(w->err, FX_E_LIMIT, "yaml: nested deeper than %d levels", FX_YAML_MAX_DEPTH);
	if (n->comments && n->comments->alias) {
		fx_buf_addf(
		        w->out, "%s*%s", place == AT_ROOT || place == IN_FLOW ? "" : " ", n->comments->alias);
		if (place != IN_FLOW)
			end_line(w, n, NULL);
		return 0;
	}
	if (n->comments && n->comments->anchor)
		fx_buf_addf(w->out, "%s&%s%s", place == AT_ROOT || place == IN_FLOW ? "" : " ",
		        n->comments->anchor, place == AT_ROOT || place == IN_FLOW ? " " : "");
	if (place == IN_FLOW) {
		if (n->kind != FX_NODE_SCALAR)
			return write_flow(w, n, depth);
		write_scalar(w, n, 0, true, false);
		return 0;
	}
	bool empty_text = n->kind == FX_NODE_SCALAR && n->len == 0 && n->style == FX_STYLE_PLAIN;
	if (n->kind == FX_NODE_SCALAR || n->len == 0 || n->style == FX_STYLE_FLOW) {
		if (place != AT_ROOT && !empty_text)
			put(w, " ");
		if (n->kind != FX_NODE_SCALAR) {
			if (write_flow(w, n, depth) < 0)
				return -1;
		} else if (write_scalar(w, n, place == AT_ROOT ? 2 : indent + 2, false, false)) {
			return 0;
		}
		end_line(w, n, key_comment);
		return 0;
	}
	if (place == AFTER_KEY)
		end_line(w, n, key_comment);
	else if (place == AFTER_DASH)
		put(w, " ");
	return n->kind == FX_NODE_MAP ? write_map(w, n, indent, place, depth)
	                              : write_seq(w, n, indent, place, depth);
}

static int write_document(
        const struct fx_node *node, bool indent_seqs, struct fx_buf *out, struct fx_error *err)
{
	struct writer w = {.out = out, .err = err, .indent_seqs = indent_seqs};
	if (write_node(&w, node, 0, AT_ROOT, 0) < 0)
		return err ? -(int)err->code : -1;
	return fx_buf_failed(out) ? fx_fail_nomem(err) : 0;
}

int fx_yaml_write_node(const struct fx_node *node, struct fx_buf *out, struct fx_error *err)
{
	return write_document(node, false, out, err);
}

/* Sorted keys and the quotes that go-yaml v3 chooses for values of a program. */
static int set_styles(struct fx_node *n, int depth, struct fx_error *err)
{
	if (depth > FX_YAML_MAX_DEPTH)
		return fx_fail(err, FX_E_LIMIT, "yaml: nested deeper than %d levels", FX_YAML_MAX_DEPTH);
	if (n->kind == FX_NODE_SCALAR) {
		if (n->tag != FX_TAG_STR)
			return 0;
		/* Words that older YAML reads as something else are quoted too. */
		bool plain = fx_scalar_tag(FX_YAML_V3, n->text, n->len) == FX_TAG_STR &&
		             fx_scalar_tag(FX_YAML_V2, n->text, n->len) != FX_TAG_BOOL &&
		             !fx_scalar_is_base60(n->text, n->len);
		n->style = memchr(n->text, '\n', n->len) ? FX_STYLE_LITERAL
		           : plain                       ? FX_STYLE_PLAIN
		                                         : FX_STYLE_DOUBLE;
		return 0;
	}
	n->style = FX_STYLE_PLAIN;
	if (n->kind == FX_NODE_SEQ) {
		for (uint32_t i = 0; i < n->len; i++)
			if (set_styles(n->items[i], depth + 1, err) < 0)
				return -1;
		return 0;
	}
	fx_auto(value_pairs) struct fx_value_pairs pairs = {0};
	if (fx_value_pairs_make(n, false, &pairs, err) < 0)
		return -1;
	if (n->tag != FX_TAG_OTHER)
		fx_value_pairs_sort_yaml(&pairs);
	for (size_t i = 0; i < pairs.len; i++)
		n->pairs[i] = (struct fx_pair){
		        (struct fx_node *)pairs.items[i].key_node, (struct fx_node *)pairs.items[i].value};
	for (uint32_t i = 0; i < n->len; i++)
		if (set_styles(n->pairs[i].key, depth + 1, err) < 0 ||
		        set_styles(n->pairs[i].value, depth + 1, err) < 0)
			return -1;
	return 0;
}

int fx_yaml_write_values(struct fx_node *node, struct fx_buf *out, struct fx_error *err)
{
	if (set_styles(node, 0, err) < 0)
		return err ? -(int)err->code : -1;
	return write_document(node, true, out, err);
}
