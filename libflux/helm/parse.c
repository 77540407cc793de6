/* Tokens to trees. */
#include "parse.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>

static struct fx_token *peek(struct fx_parser *p)
{
	return &p->tokens[p->at];
}

static struct fx_token *next(struct fx_parser *p)
{
	struct fx_token *t = &p->tokens[p->at];
	if (p->at + 1 < p->ntokens)
		p->at++;
	return t;
}

static struct fx_token *peek_solid(struct fx_parser *p)
{
	while (peek(p)->kind == FX_TK_SPACE)
		p->at++;
	return peek(p);
}

static struct fx_token *next_solid(struct fx_parser *p)
{
	peek_solid(p);
	return next(p);
}

static bool token_is(const struct fx_token *t, const char *word)
{
	return t->kind == FX_TK_KEYWORD && strlen(word) == t->len && memcmp(t->s, word, t->len) == 0;
}

static _Noreturn void unexpected(struct fx_parser *p, const struct fx_token *t, const char *context)
{
	if (t->kind == FX_TK_ERROR)
		fx_parse_error(p, t->pos, "%s", t->s);
	if (t->kind == FX_TK_EOF)
		fx_parse_error(p, t->pos, "unexpected EOF");
	if (t->kind == FX_TK_KEYWORD || t->kind == FX_TK_NIL)
		fx_parse_error(p, t->pos, "unexpected <%.*s> in %s", (int)t->len, t->s, context);
	if (t->kind == FX_TK_DOT)
		fx_parse_error(p, t->pos, "unexpected <.> in %s", context);
	struct fx_text q = {.x = p->x};
	fx_fmt_quote(&q, t->s, t->len > 10 ? 10 : t->len, false);
	fx_parse_error(p, t->pos, "unexpected %s%s in %s", fx_text_c(&q), t->len > 10 ? "..." : "", context);
}

static struct fx_tnode *node(struct fx_parser *p, enum fx_tnode_kind kind, uint32_t pos)
{
	struct fx_tnode *n = fx_render_zalloc(p->x, sizeof(*n));
	n->kind = (uint8_t)kind;
	n->pos = pos;
	if (kind == FX_TN_STRING || kind == FX_TN_BOOL || kind == FX_TN_NUMBER || kind == FX_TN_TEMPLATE)
		n->lit = fx_render_zalloc(p->x, sizeof(*n->lit));
	return n;
}

static void *grown(struct fx_parser *p, void *items, size_t n, size_t size)
{
	/* Powers of two: room is there unless n is one. */
	if (n & (n - 1) && n)
		return items;
	void *more = fx_render_alloc(p->x, (n ? n * 2 : 1) * size);
	if (n)
		memcpy(more, items, n * size);
	return more;
}

static void add_name(struct fx_parser *p, struct fx_tnode *n, const char *s, size_t len)
{
	n->names = grown(p, n->names, n->nnames, sizeof(*n->names));
	n->names[n->nnames++] = (struct fx_tname){s, (uint32_t)len};
}

static void add_item(struct fx_parser *p, struct fx_tnode *n, struct fx_tnode *item)
{
	n->items = grown(p, n->items, n->nitems, sizeof(struct fx_tnode *));
	n->items[n->nitems++] = item;
}

static void declare(struct fx_parser *p, const char *s, size_t len)
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

static struct fx_val unquote(struct fx_parser *p, const struct fx_token *t)
{
	const char *inner = t->s + 1;
	size_t inner_len = t->len - 2;
	/* Most have nothing to undo and are used where they stand. */
	if (!memchr(inner, t->kind == FX_TK_RAW ? '\r' : '\\', inner_len))
		return fx_v_strn(inner, inner_len);
	struct fx_text out = {.x = p->x};
	fx_text_add(&out, "", 0);
	const char *s = t->s + 1;
	size_t n = t->len - 2;
	if (t->kind == FX_TK_RAW) {
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
			fx_parse_error(p, t->pos, "invalid syntax");
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
		n->is_uint = true, n->lit->u = u;
	if (negative ? u <= (uint64_t)1 << 63 : u <= INT64_MAX) {
		n->is_int = true;
		n->lit->value = fx_v_int(negative ? (int64_t)(0 - u) : (int64_t)u);
		if (u == 0)
			n->is_uint = true, n->lit->u = 0;
	}
}

static void number_floats(struct fx_tnode *n, const char *text)
{
	if (n->is_int) {
		n->is_float = true;
		n->lit->f = (double)n->lit->value.i;
		return;
	}
	if (n->is_uint) {
		n->is_float = true;
		n->lit->f = (double)n->lit->u;
		return;
	}
	if (!strpbrk(text, ".eEpP") || !parse_float(text, &n->lit->f))
		return;
	n->is_float = true;
	if (n->lit->f == trunc(n->lit->f) && fabs(n->lit->f) < 9.2e18) {
		n->is_int = true;
		n->lit->value = fx_v_int((int64_t)n->lit->f);
		if (n->lit->f >= 0)
			n->is_uint = true, n->lit->u = (uint64_t)n->lit->f;
	}
}

static bool number_complex(struct fx_parser *p, struct fx_tnode *n, char *text)
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
	n->lit->complex = c;
	if (c[1] == 0) {
		n->is_float = true;
		n->lit->f = c[0];
		if (c[0] == trunc(c[0]) && fabs(c[0]) < 9.2e18)
			n->is_int = true, n->lit->value = fx_v_int((int64_t)c[0]);
	}
	return true;
}

static struct fx_tnode *number(struct fx_parser *p, const struct fx_token *t)
{
	struct fx_tnode *n = node(p, FX_TN_NUMBER, t->pos);
	n->text = t->s;
	n->len = t->len;
	if (t->kind == FX_TK_CHAR_CONST) {
		const char *s = t->s + 1;
		size_t len = t->len - 2, i = 0;
		unsigned r = 0;
		bool raw = false;
		if (len && s[0] == '\\') {
			i = 1;
			if (!unescape(s, len, &i, '\'', &r, &raw))
				fx_parse_error(p, t->pos, "invalid syntax");
		} else if (len) {
			r = fx_rune_at(s, len, &i);
		} else {
			fx_parse_error(p, t->pos, "invalid syntax");
		}
		if (i != len)
			fx_parse_error(p, t->pos, "malformed character constant: %.*s", (int)t->len, t->s);
		n->is_int = n->is_float = n->is_uint = n->is_char = true;
		n->lit->value = fx_v_int(r);
		n->lit->f = r;
		n->lit->u = r;
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
		fx_parse_error(p, t->pos, "illegal number syntax: \"%.*s\"", (int)t->len, t->s);
	return n;
}

/* ---- expressions ---- */

static struct fx_tnode *pipeline(struct fx_parser *p, const char *context, enum fx_token_kind end);

static struct fx_tnode *variable(struct fx_parser *p, const struct fx_token *t)
{
	for (size_t i = p->nvars; i > 0; i--) {
		if (p->vars[i - 1].len == t->len && memcmp(p->vars[i - 1].s, t->s, t->len) == 0) {
			struct fx_tnode *n = node(p, FX_TN_VAR, t->pos);
			add_name(p, n, t->s, t->len);
			return n;
		}
	}
	fx_parse_error(p, t->pos, "undefined variable \"%.*s\"", (int)t->len, t->s);
}

static struct fx_tnode *term(struct fx_parser *p)
{
	struct fx_token *t = next_solid(p);
	struct fx_tnode *n;
	switch (t->kind) {
	case FX_TK_IDENT:
		n = node(p, FX_TN_IDENT, t->pos);
		n->text = t->s;
		n->len = t->len;
		n->fn = fx_fn_find(t->s, t->len);
		if (!n->fn)
			fx_parse_error(p, t->pos, "function \"%.*s\" not defined", (int)t->len, t->s);
		return n;
	case FX_TK_DOT:
		return node(p, FX_TN_DOT, t->pos);
	case FX_TK_NIL:
		return node(p, FX_TN_NIL, t->pos);
	case FX_TK_VAR:
		return variable(p, t);
	case FX_TK_FIELD:
		n = node(p, FX_TN_FIELD, t->pos);
		add_name(p, n, t->s + 1, t->len - 1);
		return n;
	case FX_TK_BOOL:
		n = node(p, FX_TN_BOOL, t->pos);
		n->lit->value = fx_v_bool(t->s[0] == 't');
		return n;
	case FX_TK_NUMBER:
	case FX_TK_CHAR_CONST:
		return number(p, t);
	case FX_TK_LPAREN:
		fx_render_check(p->x);
		if (++p->nest > FX_TEMPLATE_NEST_MAX)
			fx_parse_error(p, t->pos, "max expression depth exceeded");
		n = pipeline(p, "parenthesized pipeline", FX_TK_RPAREN);
		p->nest--;
		return n;
	case FX_TK_STRING:
	case FX_TK_RAW:
		n = node(p, FX_TN_STRING, t->pos);
		n->lit->value = unquote(p, t);
		n->text = t->s;
		n->len = t->len;
		return n;
	default:
		p->at = (size_t)(t - p->tokens);
		return NULL;
	}
}

static struct fx_tnode *operand(struct fx_parser *p)
{
	struct fx_tnode *n = term(p);
	if (!n || peek(p)->kind != FX_TK_FIELD)
		return n;
	uint32_t pos = peek(p)->pos;
	if (n->kind == FX_TN_BOOL || n->kind == FX_TN_STRING || n->kind == FX_TN_NUMBER ||
	        n->kind == FX_TN_NIL || n->kind == FX_TN_DOT) {
		struct fx_text src = {.x = p->x}, q = {.x = p->x};
		fx_tnode_print(&src, n);
		fx_fmt_quote(&q, fx_text_c(&src), src.len, false);
		fx_parse_error(p, pos, "unexpected . after term %s", fx_text_c(&q));
	}
	if (n->kind != FX_TN_FIELD && n->kind != FX_TN_VAR) {
		struct fx_tnode *chain = node(p, FX_TN_CHAIN, pos);
		chain->pipe = n;
		n = chain;
	}
	n->pos = pos;
	while (peek(p)->kind == FX_TK_FIELD) {
		struct fx_token *t = next(p);
		add_name(p, n, t->s + 1, t->len - 1);
	}
	return n;
}

static struct fx_tnode *command(struct fx_parser *p)
{
	struct fx_tnode *c = node(p, FX_TN_COMMAND, peek_solid(p)->pos);
	for (;;) {
		peek_solid(p);
		struct fx_tnode *o = operand(p);
		if (o)
			add_item(p, c, o);
		struct fx_token *t = next(p);
		if (t->kind == FX_TK_SPACE)
			continue;
		if (t->kind == FX_TK_RIGHT || t->kind == FX_TK_RPAREN)
			p->at = (size_t)(t - p->tokens);
		else if (t->kind != FX_TK_PIPE)
			unexpected(p, t, "operand");
		break;
	}
	if (c->nitems == 0)
		fx_parse_error(p, c->pos, "empty command");
	return c;
}

static void check_pipeline(struct fx_parser *p, struct fx_tnode *pipe, const char *context)
{
	if (pipe->nitems == 0)
		fx_parse_error(p, peek(p)->pos, "missing value for %s", context);
	for (uint32_t i = 1; i < pipe->nitems; i++) {
		switch (pipe->items[i]->items[0]->kind) {
		case FX_TN_BOOL:
		case FX_TN_DOT:
		case FX_TN_NIL:
		case FX_TN_NUMBER:
		case FX_TN_STRING:
			fx_parse_error(
			        p, pipe->items[i]->pos, "non executable command in pipeline stage %u", i + 1);
		default:
			break;
		}
	}
}

static void declarations(struct fx_parser *p, struct fx_tnode *pipe, const char *context)
{
	for (;;) {
		struct fx_token *v = peek_solid(p);
		size_t mark = p->at;
		if (v->kind != FX_TK_VAR)
			return;
		next(p);
		struct fx_token *t = peek_solid(p);
		if (t->kind == FX_TK_ASSIGN || t->kind == FX_TK_DECLARE) {
			next(p);
			pipe->is_assign = t->kind == FX_TK_ASSIGN;
			add_name(p, pipe, v->s, v->len);
			declare(p, v->s, v->len);
			return;
		}
		if (t->kind == FX_TK_CHAR && t->s[0] == ',') {
			next(p);
			add_name(p, pipe, v->s, v->len);
			declare(p, v->s, v->len);
			if (strcmp(context, "range") == 0 && pipe->nnames < 2) {
				enum fx_token_kind k = peek_solid(p)->kind;
				if (k == FX_TK_VAR || k == FX_TK_RIGHT || k == FX_TK_RPAREN)
					continue;
				fx_parse_error(p, t->pos, "range can only initialize variables");
			}
			fx_parse_error(p, t->pos, "too many declarations in %s", context);
		}
		p->at = mark;
		return;
	}
}

static struct fx_tnode *pipeline(struct fx_parser *p, const char *context, enum fx_token_kind end)
{
	struct fx_tnode *pipe = node(p, FX_TN_PIPE, peek_solid(p)->pos);
	declarations(p, pipe, context);
	for (;;) {
		struct fx_token *t = next_solid(p);
		if (t->kind == end) {
			check_pipeline(p, pipe, context);
			return pipe;
		}
		switch (t->kind) {
		case FX_TK_BOOL:
		case FX_TK_CHAR_CONST:
		case FX_TK_DOT:
		case FX_TK_FIELD:
		case FX_TK_IDENT:
		case FX_TK_NUMBER:
		case FX_TK_NIL:
		case FX_TK_RAW:
		case FX_TK_STRING:
		case FX_TK_VAR:
		case FX_TK_LPAREN:
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

static struct fx_tnode *list(struct fx_parser *p, enum stop *stop, bool top);

static void expect_right(struct fx_parser *p, const char *context)
{
	struct fx_token *t = next_solid(p);
	if (t->kind != FX_TK_RIGHT)
		unexpected(p, t, context);
}

static struct fx_tnode *body_until(struct fx_parser *p, enum stop *stop)
{
	if (++p->nest > FX_TEMPLATE_NEST_MAX)
		fx_parse_error(p, peek(p)->pos, "blocks are nested too deeply");
	struct fx_tnode *n = list(p, stop, false);
	if (*stop == STOP_EOF)
		unexpected(p, peek(p), "input");
	p->nest--;
	return n;
}

static struct fx_tnode *control(struct fx_parser *p, enum fx_tnode_kind kind, const char *context)
{
	size_t mark = p->nvars;
	struct fx_tnode *n = node(p, kind, peek(p)->pos);
	n->pipe = pipeline(p, context, FX_TK_RIGHT);
	p->range_depth += kind == FX_TN_RANGE;
	enum stop stop;
	n->body = body_until(p, &stop);
	p->range_depth -= kind == FX_TN_RANGE;
	if (stop == STOP_ELSE) {
		struct fx_token *t = peek(p);
		if (kind != FX_TN_RANGE && token_is(t, context)) {
			next(p);
			fx_render_check(p->x);
			if (++p->nest > FX_TEMPLATE_NEST_MAX)
				fx_parse_error(p, t->pos, "blocks are nested too deeply");
			n->otherwise = control(p, kind, context);
			p->nest--;
		} else {
			if (token_is(t, "if") || token_is(t, "with"))
				unexpected(p, t, "input");
			expect_right(p, "else");
			n->otherwise = body_until(p, &stop);
			if (stop != STOP_END)
				fx_parse_error(p, peek(p)->pos, "expected end; found {{else}}");
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

static void define(struct fx_parser *p, const char *name, size_t len, struct fx_tnode *body)
{
	const struct fx_template *old = fx_template_find(p->mine, name, len);
	bool empty = is_blank(body);
	if (old && !old->empty) {
		if (!empty)
			fx_parse_error(p, peek(p)->pos, "template: multiple definition of template \"%.*s\"",
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
static void definition(struct fx_parser *p, struct fx_val name, const char *context)
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
		fx_parse_error(p, peek(p)->pos, "unexpected {{else}} in %s", context);
	define(p, name.s, name.len, body);
	p->vars = vars;
	p->nvars = nvars;
	p->range_depth = depth;
}

static struct fx_val name_token(struct fx_parser *p, const char *context)
{
	struct fx_token *t = next_solid(p);
	if (t->kind != FX_TK_STRING && t->kind != FX_TK_RAW)
		unexpected(p, t, context);
	return unquote(p, t);
}

static struct fx_tnode *template_call(struct fx_parser *p)
{
	struct fx_tnode *n = node(p, FX_TN_TEMPLATE, peek_solid(p)->pos);
	n->lit->value = name_token(p, "template clause");
	if (peek_solid(p)->kind == FX_TK_RIGHT)
		next(p);
	else
		n->pipe = pipeline(p, "template clause", FX_TK_RIGHT);
	return n;
}

static struct fx_tnode *block(struct fx_parser *p)
{
	struct fx_tnode *n = node(p, FX_TN_TEMPLATE, peek_solid(p)->pos);
	n->lit->value = name_token(p, "block clause");
	n->pipe = pipeline(p, "block clause", FX_TK_RIGHT);
	definition(p, n->lit->value, "block clause");
	return n;
}

static struct fx_tnode *leave_loop(struct fx_parser *p, enum fx_tnode_kind kind, const char *what)
{
	struct fx_tnode *n = node(p, kind, peek(p)->pos);
	struct fx_token *t = next_solid(p);
	if (t->kind != FX_TK_RIGHT)
		unexpected(p, t, what);
	if (p->range_depth == 0)
		fx_parse_error(p, n->pos, "%s outside {{range}}", what);
	return n;
}

/* The statement after a left delimiter; NULL at {{end}} and {{else}} with *stop set, and after a define. */
static struct fx_tnode *action(struct fx_parser *p, enum stop *stop, bool top)
{
	struct fx_token *t = next_solid(p);
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
		struct fx_token *after = peek_solid(p);
		if (!token_is(after, "if") && !token_is(after, "with") && after->kind != FX_TK_RIGHT)
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
	n->pipe = pipeline(p, "command", FX_TK_RIGHT);
	return n;
}

static struct fx_tnode *list(struct fx_parser *p, enum stop *stop, bool top)
{
	struct fx_tnode *first = NULL, **tail = &first;
	for (;;) {
		struct fx_token *t = peek(p);
		*stop = STOP_EOF;
		if (t->kind == FX_TK_EOF)
			return first;
		struct fx_tnode *n = NULL;
		if (t->kind == FX_TK_TEXT) {
			n = node(p, FX_TN_TEXT, t->pos);
			n->text = t->s;
			n->len = t->len;
			next(p);
		} else if (t->kind == FX_TK_LEFT) {
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

void fx_template_file_parse(struct fx_render *x, struct fx_arena *scratch, const char *name, const char *text,
        size_t len, struct fx_template_file *out)
{
	struct fx_template_set mine = {0};
	struct fx_parser p = {
	        .x = x, .scratch = scratch, .file = name, .src = text, .len = len, .mine = &mine};
	declare(&p, "$", 1);
	fx_lex_file(&p);
	enum stop stop;
	struct fx_tnode *body = list(&p, &stop, true);
	if (stop == STOP_END)
		fx_parse_error(&p, peek(&p)->pos, "unexpected {{end}}");
	if (stop == STOP_ELSE)
		fx_parse_error(&p, peek(&p)->pos, "unexpected {{else}}");
	define(&p, name, strlen(name), body);
	out->own = fx_template_find(&mine, name, strlen(name));
	out->items = fx_render_alloc(x, mine.len * sizeof(*out->items));
	out->len = 0;
	for (size_t i = 0; i < mine.cap; i++)
		for (struct fx_template_link *l = mine.slots[i]; l; l = l->next)
			out->items[out->len++] = l->tmpl;
}
