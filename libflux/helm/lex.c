/* Template text to tokens. */
#include "parse.h"

#include <ctype.h>
#include <stdarg.h>

/* Helm shows what stands after the last ": " of the parser's message. */
_Noreturn void fx_parse_error(struct fx_parser *p, uint32_t pos, const char *fmt, ...)
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

static void add_token(struct fx_parser *p, enum fx_token_kind kind, size_t pos, size_t end)
{
	if (p->ntokens == p->cap) {
		size_t cap = p->cap ? p->cap * 2 : 256;
		struct fx_token *t = fx_arena_alloc(p->scratch, cap * sizeof(*t));
		if (!t)
			fx_render_throw(p->x, "out of memory");
		if (p->ntokens)
			memcpy(t, p->tokens, p->ntokens * sizeof(*t));
		p->tokens = t;
		p->cap = cap;
	}
	p->tokens[p->ntokens++] = (struct fx_token){kind, (uint32_t)pos, (uint32_t)(end - pos), p->src + pos};
}

static bool lex_fail(struct fx_parser *p, size_t pos, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	const char *msg = fx_arena_vprintf(p->x->arena, fmt, ap);
	va_end(ap);
	add_token(p, FX_TK_ERROR, pos, pos);
	p->tokens[p->ntokens - 1].s = msg ? msg : "out of memory";
	return false;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool word_at(struct fx_parser *p, size_t i, size_t *width)
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

static size_t word_end(struct fx_parser *p, size_t i)
{
	size_t w;
	while (word_at(p, i, &w))
		i += w;
	return i;
}

static bool at_right(struct fx_parser *p, size_t i)
{
	return i + 1 < p->len && p->src[i] == '}' && p->src[i + 1] == '}';
}

static bool at_right_trim(struct fx_parser *p, size_t i)
{
	return i + 3 < p->len && is_space(p->src[i]) && p->src[i + 1] == '-' && at_right(p, i + 2);
}

static bool at_terminator(struct fx_parser *p, size_t i)
{
	if (i >= p->len || is_space(p->src[i]))
		return true;
	return strchr(".,|:)(", p->src[i]) || at_right(p, i);
}

static bool lex_terminated(struct fx_parser *p, size_t end)
{
	if (at_terminator(p, end))
		return true;
	size_t w;
	unsigned r = fx_rune_at(p->src + end, p->len - end, &w);
	struct fx_text t = {.x = p->x};
	fx_text_rune(&t, r);
	return lex_fail(p, end, "bad character U+%04X '%s'", r, fx_text_c(&t));
}

static bool lex_quote(struct fx_parser *p, size_t *i, char q, enum fx_token_kind kind, const char *what)
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

static size_t scan_number(struct fx_parser *p, size_t i)
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

static bool lex_number(struct fx_parser *p, size_t *i)
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
	add_token(p, FX_TK_NUMBER, start, end);
	*i = end;
	return true;
}

static bool lex_word(struct fx_parser *p, size_t *i)
{
	static const char *const keywords[] = {
	        "block", "break", "continue", "define", "else", "end", "if", "range", "template", "with"};
	size_t start = *i, end = word_end(p, start), n = end - start;
	if (!lex_terminated(p, end))
		return false;
	const char *s = p->src + start;
	enum fx_token_kind kind = FX_TK_IDENT;
	for (size_t k = 0; k < FX_COUNT(keywords); k++) {
		if (strlen(keywords[k]) == n && memcmp(keywords[k], s, n) == 0)
			kind = FX_TK_KEYWORD;
	}
	if (n == 3 && memcmp(s, "nil", 3) == 0)
		kind = FX_TK_NIL;
	if ((n == 4 && memcmp(s, "true", 4) == 0) || (n == 5 && memcmp(s, "false", 5) == 0))
		kind = FX_TK_BOOL;
	add_token(p, kind, start, end);
	*i = end;
	return true;
}

/* One token inside an action. */
static bool lex_inside(struct fx_parser *p, size_t *at, int *parens)
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
			add_token(p, FX_TK_SPACE, *at, i);
		*at = i;
		return true;
	}
	if (c == ':') {
		if (i + 1 >= p->len || p->src[i + 1] != '=')
			return lex_fail(p, i, "expected :=");
		add_token(p, FX_TK_DECLARE, i, i + 2);
		*at = i + 2;
		return true;
	}
	if (c == '"')
		return lex_quote(p, at, '"', FX_TK_STRING, "quoted string");
	if (c == '\'')
		return lex_quote(p, at, '\'', FX_TK_CHAR_CONST, "character constant");
	if (c == '`') {
		const char *e = memchr(p->src + i + 1, '`', p->len - i - 1);
		if (!e)
			return lex_fail(p, i, "unterminated raw quoted string");
		*at = (size_t)(e - p->src) + 1;
		add_token(p, FX_TK_RAW, i, *at);
		return true;
	}
	if (c == '$' || (c == '.' && !(i + 1 < p->len && isdigit((unsigned char)p->src[i + 1])))) {
		size_t end = word_end(p, i + 1);
		if (end > i + 1 || (c == '$' && !at_terminator(p, i + 1))) {
			if (!lex_terminated(p, end))
				return false;
		}
		add_token(p, c == '$' ? FX_TK_VAR : end > i + 1 ? FX_TK_FIELD : FX_TK_DOT, i, end);
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
	        c == '='   ? FX_TK_ASSIGN
	        : c == '|' ? FX_TK_PIPE
	        : c == '(' ? FX_TK_LPAREN
	        : c == ')' ? FX_TK_RPAREN
	                   : FX_TK_CHAR,
	        i, i + 1);
	*at = i + 1;
	return true;
}

static size_t skip_spaces(struct fx_parser *p, size_t i)
{
	while (i < p->len && is_space(p->src[i]))
		i++;
	return i;
}

/* A comment after its delimiter; *at moves behind the closing delimiter. */
static bool lex_comment(struct fx_parser *p, size_t *at, bool *trim_right)
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

static bool lex_action(struct fx_parser *p, size_t *at, bool *trim_right)
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
	add_token(p, FX_TK_LEFT, open, open + 2);
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
			add_token(p, FX_TK_RIGHT, k, k + 2);
			*trim_right = trim;
			*at = k + 2;
			return true;
		}
		if (!lex_inside(p, &i, &parens))
			return false;
	}
}

void fx_lex_file(struct fx_parser *p)
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
			add_token(p, FX_TK_TEXT, i, text_end);
		if (!open)
			break;
		bool trim_right = false;
		i = end;
		if (!lex_action(p, &i, &trim_right))
			return;
		if (trim_right)
			i = skip_spaces(p, i);
	}
	add_token(p, FX_TK_EOF, p->len, p->len);
}
