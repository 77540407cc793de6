#include "template.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>

enum token_kind {
	TK_EOF,
	TK_ERROR,
	TK_TEXT,
	TK_LEFT,
	TK_RIGHT,
	TK_SPACE,
	TK_IDENT,
	TK_KEYWORD,
	TK_BOOL,
	TK_FIELD,
	TK_VAR,
	TK_DOT,
	TK_NIL,
	TK_STRING,
	TK_RAW,
	TK_CHAR_CONST,
	TK_NUMBER,
	TK_LPAREN,
	TK_RPAREN,
	TK_PIPE,
	TK_DECLARE,
	TK_ASSIGN,
	TK_CHAR,
};

struct token {
	enum token_kind kind;
	uint32_t pos, len;
	const char *s; /* source text, or the error's text */
};

struct parser {
	struct fx_render *x;
	const char *file;
	const char *src;
	size_t len;
	struct token *tokens;
	size_t ntokens, cap, at;
	struct fx_tname *vars;
	size_t nvars, cap_vars;
	unsigned range_depth, nest;
	struct fx_template_set *mine; /* defined by this file */
};

/* Helm shows what stands after the last ": " of the parser's message. */
static _Noreturn void parse_error(struct parser *p, uint32_t pos, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *msg = fx_arena_vprintf(p->x->arena, fmt, ap);
	va_end(ap);
	unsigned line = 1;
	for (uint32_t i = 0; i < pos && i < p->len; i++)
		line += p->src[i] == '\n';
	fx_render_throw(p->x, "\1%s:%u: %s", p->file, line, msg ? msg : "out of memory");
}

/* ---- tokens ---- */

static void add_token(struct parser *p, enum token_kind kind, size_t pos, size_t end)
{
	if (p->ntokens == p->cap) {
		size_t cap = p->cap ? p->cap * 2 : 256;
		struct token *t = fx_render_alloc(p->x, cap * sizeof(*t));
		if (p->ntokens)
			memcpy(t, p->tokens, p->ntokens * sizeof(*t));
		p->tokens = t;
		p->cap = cap;
	}
	p->tokens[p->ntokens++] = (struct token){kind, (uint32_t)pos, (uint32_t)(end - pos), p->src + pos};
}

static bool lex_fail(struct parser *p, size_t pos, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	const char *msg = fx_arena_vprintf(p->x->arena, fmt, ap);
	va_end(ap);
	add_token(p, TK_ERROR, pos, pos);
	p->tokens[p->ntokens - 1].s = msg ? msg : "out of memory";
	return false;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool word_at(struct parser *p, size_t i, size_t *width)
{
	if (i >= p->len)
		return false;
	unsigned char c = (unsigned char)p->src[i];
	*width = 1;
	if (c < 0x80)
		return isalnum(c) || c == '_';
	unsigned r = fx_rune_at(p->src + i, p->len - i, width);
	/* Letters and digits outside ASCII: everything printable but the punctuation and symbol blocks. */
	return r != 0xfffd && fx_rune_is_print(r) && r >= 0xaa && !(r >= 0x2000 && r < 0x2c00) && r != 0xab &&
	       r != 0xbb && r != 0xd7 && r != 0xf7 && !(r >= 0x1f000 && r < 0x1fb00);
}

static size_t word_end(struct parser *p, size_t i)
{
	size_t w;
	while (word_at(p, i, &w))
		i += w;
	return i;
}

static bool at_right(struct parser *p, size_t i)
{
	return i + 1 < p->len && p->src[i] == '}' && p->src[i + 1] == '}';
}

static bool at_right_trim(struct parser *p, size_t i)
{
	return i + 3 < p->len && is_space(p->src[i]) && p->src[i + 1] == '-' && at_right(p, i + 2);
}

static bool at_terminator(struct parser *p, size_t i)
{
	if (i >= p->len || is_space(p->src[i]))
		return true;
	return strchr(".,|:)(", p->src[i]) || at_right(p, i);
}

static bool lex_terminated(struct parser *p, size_t end)
{
	if (at_terminator(p, end))
		return true;
	size_t w;
	unsigned r = fx_rune_at(p->src + end, p->len - end, &w);
	struct fx_text t = {.x = p->x};
	fx_text_rune(&t, r);
	return lex_fail(p, end, "bad character U+%04X '%s'", r, fx_text_c(&t));
}

static bool lex_quote(struct parser *p, size_t *i, char q, enum token_kind kind, const char *what)
{
	size_t start = *i, k = start + 1;
	for (;; k++) {
		if (k >= p->len || p->src[k] == '\n')
			return lex_fail(p, start, "unterminated %s", what);
		if (p->src[k] == '\\') {
			k++;
			if (k >= p->len || p->src[k] == '\n')
				return lex_fail(p, start, "unterminated %s", what);
		} else if (p->src[k] == q) {
			break;
		}
	}
	add_token(p, kind, start, k + 1);
	*i = k + 1;
	return true;
}

static size_t scan_number(struct parser *p, size_t i)
{
	const char *s = p->src, *digits = "0123456789_";
	if (i < p->len && (s[i] == '+' || s[i] == '-'))
		i++;
	bool hex = false, other = false;
	if (i < p->len && s[i] == '0') {
		i++;
		char c = i < p->len ? (char)tolower(s[i]) : 0;
		if (c == 'x')
			digits = "0123456789abcdefABCDEF_", hex = true, i++;
		else if (c == 'o')
			digits = "01234567_", other = true, i++;
		else if (c == 'b')
			digits = "01_", other = true, i++;
	}
#define TAKE(set)                                                                                            \
	while (i < p->len && s[i] && strchr(set, s[i]))                                                      \
	i++
	TAKE(digits);
	if (i < p->len && s[i] == '.') {
		i++;
		TAKE(digits);
	}
	if (!hex && !other && i < p->len && (s[i] == 'e' || s[i] == 'E')) {
		i++;
		if (i < p->len && (s[i] == '+' || s[i] == '-'))
			i++;
		TAKE("0123456789_");
	}
	if (hex && i < p->len && (s[i] == 'p' || s[i] == 'P')) {
		i++;
		if (i < p->len && (s[i] == '+' || s[i] == '-'))
			i++;
		TAKE("0123456789_");
	}
#undef TAKE
	if (i < p->len && s[i] == 'i')
		i++;
	return i;
}

static bool lex_number(struct parser *p, size_t *i)
{
	size_t start = *i, end = scan_number(p, start), w;
	if (end < p->len && (p->src[end] == '+' || p->src[end] == '-') && p->src[end - 1] != 'i') {
		size_t second = scan_number(p, end);
		if (p->src[second - 1] == 'i')
			end = second;
	}
	if (word_at(p, end, &w)) {
		end = end + w;
		struct fx_text t = {.x = p->x};
		fx_fmt_quote(&t, p->src + start, end - start, false);
		return lex_fail(p, start, "bad number syntax: %s", fx_text_c(&t));
	}
	add_token(p, TK_NUMBER, start, end);
	*i = end;
	return true;
}

static bool lex_word(struct parser *p, size_t *i)
{
	static const char *const keywords[] = {
	        "block", "break", "continue", "define", "else", "end", "if", "range", "template", "with"};
	size_t start = *i, end = word_end(p, start), n = end - start;
	if (!lex_terminated(p, end))
		return false;
	const char *s = p->src + start;
	enum token_kind kind = TK_IDENT;
	for (size_t k = 0; k < FX_COUNT(keywords); k++) {
		if (strlen(keywords[k]) == n && memcmp(keywords[k], s, n) == 0)
			kind = TK_KEYWORD;
	}
	if (n == 3 && memcmp(s, "nil", 3) == 0)
		kind = TK_NIL;
	if ((n == 4 && memcmp(s, "true", 4) == 0) || (n == 5 && memcmp(s, "false", 5) == 0))
		kind = TK_BOOL;
	add_token(p, kind, start, end);
	*i = end;
	return true;
}

/* One token inside an action. */
static bool lex_inside(struct parser *p, size_t *at, int *parens)
{
	size_t i = *at, w;
	char c = p->src[i];
	if (is_space(c)) {
		while (i < p->len && is_space(p->src[i])) {
			if (at_right_trim(p, i))
				break;
			i++;
		}
		if (i > *at)
			add_token(p, TK_SPACE, *at, i);
		*at = i;
		return true;
	}
	if (c == ':') {
		if (i + 1 >= p->len || p->src[i + 1] != '=')
			return lex_fail(p, i, "expected :=");
		add_token(p, TK_DECLARE, i, i + 2);
		*at = i + 2;
		return true;
	}
	if (c == '"')
		return lex_quote(p, at, '"', TK_STRING, "quoted string");
	if (c == '\'')
		return lex_quote(p, at, '\'', TK_CHAR_CONST, "character constant");
	if (c == '`') {
		const char *e = memchr(p->src + i + 1, '`', p->len - i - 1);
		if (!e)
			return lex_fail(p, i, "unterminated raw quoted string");
		*at = (size_t)(e - p->src) + 1;
		add_token(p, TK_RAW, i, *at);
		return true;
	}
	if (c == '$' || (c == '.' && !(i + 1 < p->len && isdigit((unsigned char)p->src[i + 1])))) {
		size_t end = word_end(p, i + 1);
		if (end > i + 1 || (c == '$' && !at_terminator(p, i + 1))) {
			if (!lex_terminated(p, end))
				return false;
		}
		add_token(p, c == '$' ? TK_VAR : end > i + 1 ? TK_FIELD : TK_DOT, i, end);
		*at = end;
		return true;
	}
	if (c == '.' || c == '+' || c == '-' || isdigit((unsigned char)c))
		return lex_number(p, at);
	if (word_at(p, i, &w))
		return lex_word(p, at);
	if (c == '(')
		(*parens)++;
	if (c == ')' && --*parens < 0)
		return lex_fail(p, i, "unexpected right paren");
	if ((unsigned char)c >= 0x80 || !isprint((unsigned char)c))
		return lex_fail(p, i, "unrecognized character in action: U+%04X",
		        fx_rune_at(p->src + i, p->len - i, &w));
	add_token(p,
	        c == '='   ? TK_ASSIGN
	        : c == '|' ? TK_PIPE
	        : c == '(' ? TK_LPAREN
	        : c == ')' ? TK_RPAREN
	                   : TK_CHAR,
	        i, i + 1);
	*at = i + 1;
	return true;
}

static size_t skip_spaces(struct parser *p, size_t i)
{
	while (i < p->len && is_space(p->src[i]))
		i++;
	return i;
}

/* A comment after its delimiter; *at moves behind the closing delimiter. */
static bool lex_comment(struct parser *p, size_t *at, bool *trim_right)
{
	const char *e = memmem(p->src + *at + 2, p->len - *at - 2, "*/", 2);
	if (!e)
		return lex_fail(p, *at, "unclosed comment");
	size_t i = (size_t)(e - p->src) + 2;
	if (at_right_trim(p, i)) {
		*trim_right = true;
		*at = i + 4;
	} else if (at_right(p, i)) {
		*at = i + 2;
	} else {
		return lex_fail(p, i, "comment ends before closing delimiter");
	}
	return true;
}

static bool lex_action(struct parser *p, size_t *at, bool *trim_right)
{
	size_t i = *at, open = i;
	int parens = 0;
	i += 2;
	if (i + 1 < p->len && p->src[i] == '-' && is_space(p->src[i + 1]))
		i += 2;
	if (i + 1 < p->len && p->src[i] == '/' && p->src[i + 1] == '*') {
		*at = i;
		return lex_comment(p, at, trim_right);
	}
	add_token(p, TK_LEFT, open, open + 2);
	for (;;) {
		if (i >= p->len)
			return lex_fail(p, i,
			        memchr(p->src + open, '\n', p->len - open) ? "unclosed action started at %s"
			                                                   : "unclosed action",
			        p->file);
		bool trim = at_right_trim(p, i);
		if (trim || at_right(p, i)) {
			if (parens > 0)
				return lex_fail(p, i, "unclosed left paren");
			size_t k = trim ? i + 2 : i;
			add_token(p, TK_RIGHT, k, k + 2);
			*trim_right = trim;
			*at = k + 2;
			return true;
		}
		if (!lex_inside(p, &i, &parens))
			return false;
	}
}

static void lex_file(struct parser *p)
{
	size_t i = 0;
	while (i < p->len) {
		const char *open = memmem(p->src + i, p->len - i, "{{", 2);
		size_t end = open ? (size_t)(open - p->src) : p->len, text_end = end;
		if (open && end + 3 < p->len && p->src[end + 2] == '-' && is_space(p->src[end + 3])) {
			while (text_end > i && is_space(p->src[text_end - 1]))
				text_end--;
		}
		if (text_end > i)
			add_token(p, TK_TEXT, i, text_end);
		if (!open)
			break;
		bool trim_right = false;
		i = end;
		if (!lex_action(p, &i, &trim_right))
			return;
		if (trim_right)
			i = skip_spaces(p, i);
	}
	add_token(p, TK_EOF, p->len, p->len);
}

/* ---- parser ---- */

static struct token *peek(struct parser *p)
{
	return &p->tokens[p->at];
}

static struct token *next(struct parser *p)
{
	struct token *t = &p->tokens[p->at];
	if (p->at + 1 < p->ntokens)
		p->at++;
	return t;
}

static struct token *peek_solid(struct parser *p)
{
	while (peek(p)->kind == TK_SPACE)
		p->at++;
	return peek(p);
}

static struct token *next_solid(struct parser *p)
{
	peek_solid(p);
	return next(p);
}

static bool token_is(const struct token *t, const char *word)
{
	return t->kind == TK_KEYWORD && strlen(word) == t->len && memcmp(t->s, word, t->len) == 0;
}

static _Noreturn void unexpected(struct parser *p, const struct token *t, const char *context)
{
	if (t->kind == TK_ERROR)
		parse_error(p, t->pos, "%s", t->s);
	if (t->kind == TK_EOF)
		parse_error(p, t->pos, "unexpected EOF");
	if (t->kind == TK_KEYWORD || t->kind == TK_NIL)
		parse_error(p, t->pos, "unexpected <%.*s> in %s", (int)t->len, t->s, context);
	if (t->kind == TK_DOT)
		parse_error(p, t->pos, "unexpected <.> in %s", context);
	struct fx_text q = {.x = p->x};
	fx_fmt_quote(&q, t->s, t->len > 10 ? 10 : t->len, false);
	parse_error(p, t->pos, "unexpected %s%s in %s", fx_text_c(&q), t->len > 10 ? "..." : "", context);
}

static struct fx_tnode *node(struct parser *p, enum fx_tnode_kind kind, uint32_t pos)
{
	struct fx_tnode *n = fx_render_zalloc(p->x, sizeof(*n));
	n->kind = (uint8_t)kind;
	n->pos = pos;
	return n;
}

static void *grown(struct parser *p, void *items, size_t n, size_t size)
{
	/* Powers of two: room is there unless n is one. */
	if (n & (n - 1) && n)
		return items;
	void *more = fx_render_alloc(p->x, (n ? n * 2 : 1) * size);
	if (n)
		memcpy(more, items, n * size);
	return more;
}

static void add_name(struct parser *p, struct fx_tnode *n, const char *s, size_t len)
{
	n->names = grown(p, n->names, n->nnames, sizeof(*n->names));
	n->names[n->nnames++] = (struct fx_tname){s, (uint32_t)len};
}

static void add_item(struct parser *p, struct fx_tnode *n, struct fx_tnode *item)
{
	n->items = grown(p, n->items, n->nitems, sizeof(struct fx_tnode *));
	n->items[n->nitems++] = item;
}

static void declare(struct parser *p, const char *s, size_t len)
{
	p->vars = grown(p, p->vars, p->nvars, sizeof(*p->vars));
	p->vars[p->nvars++] = (struct fx_tname){s, (uint32_t)len};
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
	                              : -1;
}

/* One escape after its backslash. raw: the value is a byte, no rune. */
static bool unescape(const char *s, size_t n, size_t *i, char quote, unsigned *out, bool *raw)
{
	static const char names[] = "abfnrtv\\", values[] = "\a\b\f\n\r\t\v\\";
	if (*i >= n)
		return false;
	char c = s[(*i)++];
	const char *k = c ? strchr(names, c) : NULL;
	*raw = false;
	if (k) {
		*out = (unsigned char)values[k - names];
		return true;
	}
	if (c == quote) {
		*out = (unsigned char)c;
		return true;
	}
	unsigned v = 0;
	if (c == 'x' || c == 'u' || c == 'U') {
		size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : 8;
		for (size_t d = 0; d < digits; d++, (*i)++) {
			int h = *i < n ? hex_digit(s[*i]) : -1;
			if (h < 0)
				return false;
			v = v << 4 | (unsigned)h;
		}
		*raw = c == 'x';
		*out = v;
		return c == 'x' || (v <= 0x10ffff && !(v >= 0xd800 && v < 0xe000));
	}
	if (c >= '0' && c <= '7') {
		v = (unsigned)(c - '0');
		for (int d = 0; d < 2; d++, (*i)++) {
			if (*i >= n || s[*i] < '0' || s[*i] > '7')
				return false;
			v = v << 3 | (unsigned)(s[*i] - '0');
		}
		*raw = true;
		*out = v;
		return v <= 255;
	}
	return false;
}

static struct fx_val unquote(struct parser *p, const struct token *t)
{
	struct fx_text out = {.x = p->x};
	fx_text_add(&out, "", 0);
	const char *s = t->s + 1;
	size_t n = t->len - 2;
	if (t->kind == TK_RAW) {
		for (size_t i = 0; i < n; i++) {
			if (s[i] != '\r')
				fx_text_char(&out, s[i]);
		}
		return fx_text_val(&out);
	}
	for (size_t i = 0; i < n;) {
		if (s[i] != '\\') {
			fx_text_char(&out, s[i++]);
			continue;
		}
		unsigned r;
		bool raw;
		i++;
		if (!unescape(s, n, &i, '"', &r, &raw))
			parse_error(p, t->pos, "invalid syntax");
		if (raw)
			fx_text_char(&out, (char)r);
		else
			fx_text_rune(&out, r);
	}
	return fx_text_val(&out);
}

/* ---- numbers ---- */

/* Go allows `_` between digits, and after a base prefix. */
static bool strip_underscores(const char *s, size_t n, char *out, size_t cap)
{
	size_t k = 0;
	bool prefixed = false;
	size_t start = n && (s[0] == '+' || s[0] == '-');
	if (n > start + 1 && s[start] == '0' && isalpha((unsigned char)s[start + 1]) &&
	        tolower(s[start + 1]) != 'e')
		prefixed = true;
	for (size_t i = 0; i < n && k + 1 < cap; i++) {
		if (s[i] != '_') {
			out[k++] = s[i];
			continue;
		}
		if (i == 0 || i + 1 >= n)
			return false;
		bool before = hex_digit(s[i - 1]) >= 0 || (prefixed && i == start + 2);
		if (!before || hex_digit(s[i + 1]) < 0)
			return false;
	}
	out[k] = 0;
	return n < cap;
}

static bool parse_uint(const char *s, uint64_t *out)
{
	int base = 10;
	if (s[0] == '0' && s[1]) {
		char c = (char)tolower(s[1]);
		base = c == 'x' ? 16 : c == 'o' ? 8 : c == 'b' ? 2 : 8;
		s += c == 'x' || c == 'o' || c == 'b' ? 2 : 1;
	}
	if (!isxdigit((unsigned char)*s))
		return false;
	char *end;
	errno = 0;
	*out = strtoull(s, &end, base);
	return *end == 0 && errno == 0;
}

static bool parse_float(const char *s, double *out)
{
	const char *t = s + (*s == '+' || *s == '-');
	if (t[0] == '0' && (t[1] == 'x' || t[1] == 'X') && !strpbrk(t, "pP"))
		return false;
	if (!isdigit((unsigned char)*t) && *t != '.')
		return false;
	char *end;
	*out = strtod(s, &end);
	return *end == 0 && end > s && !isinf(*out);
}

static void number_ints(struct fx_tnode *n, const char *text)
{
	uint64_t u;
	bool negative = *text == '-';
	if (!parse_uint(text + (*text == '-' || *text == '+'), &u))
		return;
	if (!negative && *text != '+')
		n->is_uint = true, n->u = u;
	if (negative ? u <= (uint64_t)1 << 63 : u <= INT64_MAX) {
		n->is_int = true;
		n->value = fx_v_int(negative ? (int64_t)(0 - u) : (int64_t)u);
		if (u == 0)
			n->is_uint = true, n->u = 0;
	}
}

static void number_floats(struct fx_tnode *n, const char *text)
{
	if (n->is_int) {
		n->is_float = true;
		n->f = (double)n->value.i;
		return;
	}
	if (n->is_uint) {
		n->is_float = true;
		n->f = (double)n->u;
		return;
	}
	if (!strpbrk(text, ".eEpP") || !parse_float(text, &n->f))
		return;
	n->is_float = true;
	if (n->f == trunc(n->f) && fabs(n->f) < 9.2e18) {
		n->is_int = true;
		n->value = fx_v_int((int64_t)n->f);
		if (n->f >= 0)
			n->is_uint = true, n->u = (uint64_t)n->f;
	}
}

static bool number_complex(struct parser *p, struct fx_tnode *n, char *text)
{
	size_t len = strlen(text);
	if (len == 0 || text[len - 1] != 'i')
		return false;
	text[len - 1] = 0;
	double *c = fx_render_zalloc(p->x, 2 * sizeof(double));
	char *sign = text + len - 1;
	while (sign > text &&
	        !((*sign == '+' || *sign == '-') && sign[-1] != 'e' && sign[-1] != 'E' && sign[-1] != 'p'))
		sign--;
	if (!parse_float(sign, &c[1]))
		return false;
	if (sign > text) {
		*sign = 0;
		if (!parse_float(text, &c[0]))
			return false;
	}
	n->is_complex = true;
	n->complex = c;
	if (c[1] == 0) {
		n->is_float = true;
		n->f = c[0];
		if (c[0] == trunc(c[0]) && fabs(c[0]) < 9.2e18)
			n->is_int = true, n->value = fx_v_int((int64_t)c[0]);
	}
	return true;
}

static struct fx_tnode *number(struct parser *p, const struct token *t)
{
	struct fx_tnode *n = node(p, FX_TN_NUMBER, t->pos);
	n->text = t->s;
	n->len = t->len;
	if (t->kind == TK_CHAR_CONST) {
		const char *s = t->s + 1;
		size_t len = t->len - 2, i = 0;
		unsigned r = 0;
		bool raw = false;
		if (len && s[0] == '\\') {
			i = 1;
			if (!unescape(s, len, &i, '\'', &r, &raw))
				parse_error(p, t->pos, "invalid syntax");
		} else if (len) {
			r = fx_rune_at(s, len, &i);
		} else {
			parse_error(p, t->pos, "invalid syntax");
		}
		if (i != len)
			parse_error(p, t->pos, "malformed character constant: %.*s", (int)t->len, t->s);
		n->is_int = n->is_float = n->is_uint = n->is_char = true;
		n->value = fx_v_int(r);
		n->f = r;
		n->u = r;
		return n;
	}
	char text[512];
	if (strip_underscores(t->s, t->len, text, sizeof(text))) {
		if (text[0] && text[strlen(text) - 1] == 'i') {
			number_complex(p, n, text);
		} else {
			number_ints(n, text);
			number_floats(n, text);
		}
	}
	if (!n->is_int && !n->is_uint && !n->is_float && !n->is_complex)
		parse_error(p, t->pos, "illegal number syntax: \"%.*s\"", (int)t->len, t->s);
	return n;
}

/* ---- expressions ---- */

static struct fx_tnode *pipeline(struct parser *p, const char *context, enum token_kind end);

static struct fx_tnode *variable(struct parser *p, const struct token *t)
{
	for (size_t i = p->nvars; i > 0; i--) {
		if (p->vars[i - 1].len == t->len && memcmp(p->vars[i - 1].s, t->s, t->len) == 0) {
			struct fx_tnode *n = node(p, FX_TN_VAR, t->pos);
			add_name(p, n, t->s, t->len);
			return n;
		}
	}
	parse_error(p, t->pos, "undefined variable \"%.*s\"", (int)t->len, t->s);
}

static struct fx_tnode *term(struct parser *p)
{
	struct token *t = next_solid(p);
	struct fx_tnode *n;
	switch (t->kind) {
	case TK_IDENT:
		n = node(p, FX_TN_IDENT, t->pos);
		n->text = t->s;
		n->len = t->len;
		n->fn = fx_fn_find(t->s, t->len);
		if (!n->fn)
			parse_error(p, t->pos, "function \"%.*s\" not defined", (int)t->len, t->s);
		return n;
	case TK_DOT:
		return node(p, FX_TN_DOT, t->pos);
	case TK_NIL:
		return node(p, FX_TN_NIL, t->pos);
	case TK_VAR:
		return variable(p, t);
	case TK_FIELD:
		n = node(p, FX_TN_FIELD, t->pos);
		add_name(p, n, t->s + 1, t->len - 1);
		return n;
	case TK_BOOL:
		n = node(p, FX_TN_BOOL, t->pos);
		n->value = fx_v_bool(t->s[0] == 't');
		return n;
	case TK_NUMBER:
	case TK_CHAR_CONST:
		return number(p, t);
	case TK_LPAREN:
		if (++p->nest > FX_TEMPLATE_NEST_MAX)
			parse_error(p, t->pos, "max expression depth exceeded");
		n = pipeline(p, "parenthesized pipeline", TK_RPAREN);
		p->nest--;
		return n;
	case TK_STRING:
	case TK_RAW:
		n = node(p, FX_TN_STRING, t->pos);
		n->value = unquote(p, t);
		n->text = t->s;
		n->len = t->len;
		return n;
	default:
		p->at = (size_t)(t - p->tokens);
		return NULL;
	}
}

static struct fx_tnode *operand(struct parser *p)
{
	struct fx_tnode *n = term(p);
	if (!n || peek(p)->kind != TK_FIELD)
		return n;
	uint32_t pos = peek(p)->pos;
	if (n->kind == FX_TN_BOOL || n->kind == FX_TN_STRING || n->kind == FX_TN_NUMBER ||
	        n->kind == FX_TN_NIL || n->kind == FX_TN_DOT) {
		struct fx_text src = {.x = p->x}, q = {.x = p->x};
		fx_tnode_print(&src, n);
		fx_fmt_quote(&q, fx_text_c(&src), src.len, false);
		parse_error(p, pos, "unexpected . after term %s", fx_text_c(&q));
	}
	if (n->kind != FX_TN_FIELD && n->kind != FX_TN_VAR) {
		struct fx_tnode *chain = node(p, FX_TN_CHAIN, pos);
		chain->pipe = n;
		n = chain;
	}
	n->pos = pos;
	while (peek(p)->kind == TK_FIELD) {
		struct token *t = next(p);
		add_name(p, n, t->s + 1, t->len - 1);
	}
	return n;
}

static struct fx_tnode *command(struct parser *p)
{
	struct fx_tnode *c = node(p, FX_TN_COMMAND, peek_solid(p)->pos);
	for (;;) {
		peek_solid(p);
		struct fx_tnode *o = operand(p);
		if (o)
			add_item(p, c, o);
		struct token *t = next(p);
		if (t->kind == TK_SPACE)
			continue;
		if (t->kind == TK_RIGHT || t->kind == TK_RPAREN)
			p->at = (size_t)(t - p->tokens);
		else if (t->kind != TK_PIPE)
			unexpected(p, t, "operand");
		break;
	}
	if (c->nitems == 0)
		parse_error(p, c->pos, "empty command");
	return c;
}

static void check_pipeline(struct parser *p, struct fx_tnode *pipe, const char *context)
{
	if (pipe->nitems == 0)
		parse_error(p, peek(p)->pos, "missing value for %s", context);
	for (uint32_t i = 1; i < pipe->nitems; i++) {
		switch (pipe->items[i]->items[0]->kind) {
		case FX_TN_BOOL:
		case FX_TN_DOT:
		case FX_TN_NIL:
		case FX_TN_NUMBER:
		case FX_TN_STRING:
			parse_error(
			        p, pipe->items[i]->pos, "non executable command in pipeline stage %u", i + 1);
		default:
			break;
		}
	}
}

static void declarations(struct parser *p, struct fx_tnode *pipe, const char *context)
{
	for (;;) {
		struct token *v = peek_solid(p);
		size_t mark = p->at;
		if (v->kind != TK_VAR)
			return;
		next(p);
		struct token *t = peek_solid(p);
		if (t->kind == TK_ASSIGN || t->kind == TK_DECLARE) {
			next(p);
			pipe->is_assign = t->kind == TK_ASSIGN;
			add_name(p, pipe, v->s, v->len);
			declare(p, v->s, v->len);
			return;
		}
		if (t->kind == TK_CHAR && t->s[0] == ',') {
			next(p);
			add_name(p, pipe, v->s, v->len);
			declare(p, v->s, v->len);
			if (strcmp(context, "range") == 0 && pipe->nnames < 2) {
				enum token_kind k = peek_solid(p)->kind;
				if (k == TK_VAR || k == TK_RIGHT || k == TK_RPAREN)
					continue;
				parse_error(p, t->pos, "range can only initialize variables");
			}
			parse_error(p, t->pos, "too many declarations in %s", context);
		}
		p->at = mark;
		return;
	}
}

static struct fx_tnode *pipeline(struct parser *p, const char *context, enum token_kind end)
{
	struct fx_tnode *pipe = node(p, FX_TN_PIPE, peek_solid(p)->pos);
	declarations(p, pipe, context);
	for (;;) {
		struct token *t = next_solid(p);
		if (t->kind == end) {
			check_pipeline(p, pipe, context);
			return pipe;
		}
		switch (t->kind) {
		case TK_BOOL:
		case TK_CHAR_CONST:
		case TK_DOT:
		case TK_FIELD:
		case TK_IDENT:
		case TK_NUMBER:
		case TK_NIL:
		case TK_RAW:
		case TK_STRING:
		case TK_VAR:
		case TK_LPAREN:
			p->at = (size_t)(t - p->tokens);
			add_item(p, pipe, command(p));
			break;
		default:
			unexpected(p, t, context);
		}
	}
}

/* ---- statements ---- */

enum stop {
	STOP_EOF,
	STOP_END,
	STOP_ELSE,
};

static struct fx_tnode *list(struct parser *p, enum stop *stop, bool top);

static void expect_right(struct parser *p, const char *context)
{
	struct token *t = next_solid(p);
	if (t->kind != TK_RIGHT)
		unexpected(p, t, context);
}

static struct fx_tnode *body_until(struct parser *p, enum stop *stop)
{
	if (++p->nest > FX_TEMPLATE_NEST_MAX)
		parse_error(p, peek(p)->pos, "blocks are nested too deeply");
	struct fx_tnode *n = list(p, stop, false);
	if (*stop == STOP_EOF)
		unexpected(p, peek(p), "input");
	p->nest--;
	return n;
}

static struct fx_tnode *control(struct parser *p, enum fx_tnode_kind kind, const char *context)
{
	size_t mark = p->nvars;
	struct fx_tnode *n = node(p, kind, peek(p)->pos);
	n->pipe = pipeline(p, context, TK_RIGHT);
	p->range_depth += kind == FX_TN_RANGE;
	enum stop stop;
	n->body = body_until(p, &stop);
	p->range_depth -= kind == FX_TN_RANGE;
	if (stop == STOP_ELSE) {
		struct token *t = peek(p);
		if (kind != FX_TN_RANGE && token_is(t, context)) {
			next(p);
			if (++p->nest > FX_TEMPLATE_NEST_MAX)
				parse_error(p, t->pos, "blocks are nested too deeply");
			n->otherwise = control(p, kind, context);
			p->nest--;
		} else {
			expect_right(p, "else");
			n->otherwise = body_until(p, &stop);
			if (stop != STOP_END)
				parse_error(p, peek(p)->pos, "expected end; found {{else}}");
		}
	}
	p->nvars = mark;
	return n;
}

static bool is_blank(const struct fx_tnode *n)
{
	for (; n; n = n->next) {
		if (n->kind != FX_TN_TEXT)
			return false;
		for (uint32_t i = 0; i < n->len; i++) {
			size_t w = 1;
			if (!fx_rune_is_space(fx_rune_at(n->text + i, n->len - i, &w)))
				return false;
		}
	}
	return true;
}

static void define(struct parser *p, const char *name, size_t len, struct fx_tnode *body)
{
	struct fx_template *old = fx_template_find(p->mine, name, len);
	bool empty = is_blank(body);
	if (old && !old->empty) {
		if (!empty)
			parse_error(p, peek(p)->pos, "template: multiple definition of template \"%.*s\"",
			        (int)len, name);
		return;
	}
	struct fx_template *t = fx_render_zalloc(p->x, sizeof(*t));
	*t = (struct fx_template){.name = name,
	        .name_len = (uint32_t)len,
	        .file = p->file,
	        .source = p->src,
	        .body = body,
	        .empty = empty,
	        .has_body = true};
	fx_template_set_add(p->x, p->mine, t);
}

/* The body of a define or block with variables of its own. */
static void definition(struct parser *p, struct fx_val name, const char *context)
{
	struct fx_tname *vars = p->vars;
	size_t nvars = p->nvars;
	unsigned depth = p->range_depth;
	p->vars = NULL;
	p->nvars = 0;
	p->range_depth = 0;
	declare(p, "$", 1);
	enum stop stop;
	struct fx_tnode *body = body_until(p, &stop);
	if (stop != STOP_END)
		parse_error(p, peek(p)->pos, "unexpected {{else}} in %s", context);
	define(p, name.s, name.len, body);
	p->vars = vars;
	p->nvars = nvars;
	p->range_depth = depth;
}

static struct fx_val name_token(struct parser *p, const char *context)
{
	struct token *t = next_solid(p);
	if (t->kind != TK_STRING && t->kind != TK_RAW)
		unexpected(p, t, context);
	return unquote(p, t);
}

static struct fx_tnode *template_call(struct parser *p)
{
	struct fx_tnode *n = node(p, FX_TN_TEMPLATE, peek_solid(p)->pos);
	n->value = name_token(p, "template clause");
	if (peek_solid(p)->kind == TK_RIGHT)
		next(p);
	else
		n->pipe = pipeline(p, "template clause", TK_RIGHT);
	return n;
}

static struct fx_tnode *block(struct parser *p)
{
	struct fx_tnode *n = node(p, FX_TN_TEMPLATE, peek_solid(p)->pos);
	n->value = name_token(p, "block clause");
	n->pipe = pipeline(p, "block clause", TK_RIGHT);
	definition(p, n->value, "block clause");
	return n;
}

static struct fx_tnode *leave_loop(struct parser *p, enum fx_tnode_kind kind, const char *what)
{
	struct fx_tnode *n = node(p, kind, peek(p)->pos);
	struct token *t = next_solid(p);
	if (t->kind != TK_RIGHT)
		unexpected(p, t, what);
	if (p->range_depth == 0)
		parse_error(p, n->pos, "%s outside {{range}}", what);
	return n;
}

/* The statement after a left delimiter; NULL at {{end}} and {{else}} with *stop set, and after a define. */
static struct fx_tnode *action(struct parser *p, enum stop *stop, bool top)
{
	struct token *t = next_solid(p);
	if (token_is(t, "if"))
		return control(p, FX_TN_IF, "if");
	if (token_is(t, "with"))
		return control(p, FX_TN_WITH, "with");
	if (token_is(t, "range"))
		return control(p, FX_TN_RANGE, "range");
	if (token_is(t, "template"))
		return template_call(p);
	if (token_is(t, "block"))
		return block(p);
	if (token_is(t, "break"))
		return leave_loop(p, FX_TN_BREAK, "{{break}}");
	if (token_is(t, "continue"))
		return leave_loop(p, FX_TN_CONTINUE, "{{continue}}");
	if (token_is(t, "end")) {
		expect_right(p, "end");
		*stop = STOP_END;
		return NULL;
	}
	if (token_is(t, "else")) {
		struct token *after = peek_solid(p);
		if (!token_is(after, "if") && !token_is(after, "with") && after->kind != TK_RIGHT)
			unexpected(p, after, "else");
		*stop = STOP_ELSE;
		return NULL;
	}
	if (top && token_is(t, "define")) {
		struct fx_val name = name_token(p, "define clause");
		expect_right(p, "define clause");
		definition(p, name, "define clause");
		return NULL;
	}
	p->at = (size_t)(t - p->tokens);
	struct fx_tnode *n = node(p, FX_TN_ACTION, t->pos);
	n->pipe = pipeline(p, "command", TK_RIGHT);
	return n;
}

static struct fx_tnode *list(struct parser *p, enum stop *stop, bool top)
{
	struct fx_tnode *first = NULL, **tail = &first;
	for (;;) {
		struct token *t = peek(p);
		*stop = STOP_EOF;
		if (t->kind == TK_EOF)
			return first;
		struct fx_tnode *n = NULL;
		if (t->kind == TK_TEXT) {
			n = node(p, FX_TN_TEXT, t->pos);
			n->text = t->s;
			n->len = t->len;
			next(p);
		} else if (t->kind == TK_LEFT) {
			next(p);
			n = action(p, stop, top);
			if (!n && *stop != STOP_EOF)
				return first;
		} else {
			unexpected(p, t, "input");
		}
		if (n) {
			*tail = n;
			tail = &n->next;
		}
	}
}

static void merge_definitions(struct fx_render *x, const struct fx_template_set *mine)
{
	for (size_t i = 0; i < mine->cap; i++) {
		struct fx_template *t = mine->slots[i];
		while (t) {
			struct fx_template *after = t->next;
			struct fx_template *old = fx_template_find(x->set, t->name, t->name_len);
			if (!old || !t->empty || !old->has_body || old->empty)
				fx_template_set_add(x, x->set, t);
			t = after;
		}
	}
}

struct fx_template *fx_template_parse(struct fx_render *x, const char *name, const char *text, size_t len)
{
	struct fx_template_set mine = {0};
	struct parser p = {.x = x, .file = name, .len = len, .mine = &mine};
	p.src = fx_v_dup(x, text, len).s;
	declare(&p, "$", 1);
	lex_file(&p);
	enum stop stop;
	struct fx_tnode *body = list(&p, &stop, true);
	if (stop == STOP_END)
		parse_error(&p, peek(&p)->pos, "unexpected {{end}}");
	if (stop == STOP_ELSE)
		parse_error(&p, peek(&p)->pos, "unexpected {{else}}");
	define(&p, name, strlen(name), body);
	struct fx_template *own = fx_template_find(&mine, name, strlen(name));
	merge_definitions(x, &mine);
	return own;
}

/* ---- sets ---- */

static size_t name_hash(const char *s, size_t n)
{
	size_t h = 1469598103934665603u;
	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)s[i]) * 1099511628211u;
	return h;
}

struct fx_template *fx_template_find(const struct fx_template_set *set, const char *name, size_t len)
{
	for (size_t h = name_hash(name, len); set; set = set->parent) {
		if (!set->cap)
			continue;
		for (struct fx_template *t = set->slots[h % set->cap]; t; t = t->next) {
			if (t->name_len == len && memcmp(t->name, name, len) == 0)
				return t;
		}
	}
	return NULL;
}

void fx_template_set_add(struct fx_render *x, struct fx_template_set *set, struct fx_template *t)
{
	if (!set->cap || set->len > set->cap * 2) {
		size_t cap = set->cap ? set->cap * 8 : 8;
		struct fx_template **slots = fx_render_zalloc(x, cap * sizeof(struct fx_template *));
		for (size_t i = 0; i < set->cap; i++) {
			for (struct fx_template *e = set->slots[i], *after; e; e = after) {
				after = e->next;
				size_t h = name_hash(e->name, e->name_len) % cap;
				e->next = slots[h];
				slots[h] = e;
			}
		}
		set->slots = slots;
		set->cap = cap;
	}
	struct fx_template **at = &set->slots[name_hash(t->name, t->name_len) % set->cap];
	for (struct fx_template **e = at; *e; e = &(*e)->next) {
		if ((*e)->name_len == t->name_len && memcmp((*e)->name, t->name, t->name_len) == 0) {
			*e = (*e)->next;
			set->len--;
			break;
		}
	}
	t->next = *at;
	*at = t;
	set->len++;
}

/* ---- source form ---- */

static void print_names(struct fx_text *out, const struct fx_tnode *n, uint32_t from)
{
	for (uint32_t i = from; i < n->nnames; i++) {
		fx_text_char(out, '.');
		fx_text_add(out, n->names[i].s, n->names[i].len);
	}
}

void fx_tnode_print(struct fx_text *out, const struct fx_tnode *n)
{
	switch (n->kind) {
	case FX_TN_DOT:
		fx_text_char(out, '.');
		return;
	case FX_TN_NIL:
		fx_text_str(out, "nil");
		return;
	case FX_TN_BOOL:
		fx_text_str(out, n->value.b ? "true" : "false");
		return;
	case FX_TN_IDENT:
	case FX_TN_NUMBER:
	case FX_TN_STRING:
		fx_text_add(out, n->text, n->len);
		return;
	case FX_TN_FIELD:
		print_names(out, n, 0);
		return;
	case FX_TN_VAR:
		fx_text_add(out, n->names[0].s, n->names[0].len);
		print_names(out, n, 1);
		return;
	case FX_TN_CHAIN:
		fx_text_str(out, n->pipe->kind == FX_TN_PIPE ? "(" : "");
		fx_tnode_print(out, n->pipe);
		fx_text_str(out, n->pipe->kind == FX_TN_PIPE ? ")" : "");
		print_names(out, n, 0);
		return;
	case FX_TN_COMMAND:
		for (uint32_t i = 0; i < n->nitems; i++) {
			bool paren = n->items[i]->kind == FX_TN_PIPE;
			fx_text_str(out, i ? " " : "");
			fx_text_str(out, paren ? "(" : "");
			fx_tnode_print(out, n->items[i]);
			fx_text_str(out, paren ? ")" : "");
		}
		return;
	case FX_TN_PIPE:
		for (uint32_t i = 0; i < n->nnames; i++) {
			fx_text_str(out, i ? ", " : "");
			fx_text_add(out, n->names[i].s, n->names[i].len);
		}
		if (n->nnames)
			fx_text_str(out, n->is_assign ? " = " : " := ");
		for (uint32_t i = 0; i < n->nitems; i++) {
			fx_text_str(out, i ? " | " : "");
			fx_tnode_print(out, n->items[i]);
		}
		return;
	case FX_TN_TEMPLATE:
		fx_text_str(out, "{{template ");
		fx_fmt_quote(out, n->value.s, n->value.len, false);
		if (n->pipe) {
			fx_text_char(out, ' ');
			fx_tnode_print(out, n->pipe);
		}
		fx_text_str(out, "}}");
		return;
	default:
		if (n->pipe)
			fx_tnode_print(out, n->pipe);
	}
}
