/* TOML in, as BurntSushi/toml reads it into a map of interfaces: TOML 1.1, int64 and float64 apart. */
#include "funcs.h"

#include "data/yaml_text.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

/* How a table came to be: decides who may still add to it. */
enum made {
	MADE_BY_PATH,   /* on the way of a header: its own header may follow */
	MADE_BY_HEADER, /* [a] */
	MADE_BY_DOTS,   /* a.b = 1 */
	MADE_INLINE,    /* closed */
};

/* Each map of the document stands at the start of one of these. */
struct table {
	struct fx_vmap map;
	enum made made;
	const void *scope; /* of MADE_BY_DOTS: the table whose lines may go on with it */
};

struct reader {
	struct fx_render *x;
	const char *s;
	size_t n, i;
	unsigned line;
	struct fx_val root, current;
	const char *last_key;
	int depth;
};

/* The error is the value of fromToml: it leaves by the reader's own way. */
struct escape {
	jmp_buf jump;
	const char *why;
};

struct toml {
	struct reader r;
	struct escape escape;
};

static _Noreturn void fail_at(struct toml *t, const char *fmt, ...) fx_printf(2, 3);

static _Noreturn void fail_at(struct toml *t, const char *fmt, ...)
{
	struct fx_text out = {.x = t->r.x};
	va_list ap;
	va_start(ap, fmt);
	char *msg = fx_arena_vprintf(fx_render_arena(t->r.x), fmt, ap);
	va_end(ap);
	if (!msg)
		fx_render_throw(t->r.x, "out of memory");
	fx_text_addf(&out, "toml: line %u", t->r.line);
	if (t->r.last_key && *t->r.last_key) {
		fx_text_str(&out, " (last key ");
		fx_fmt_quote(&out, t->r.last_key, strlen(t->r.last_key), false);
		fx_text_str(&out, ")");
	}
	fx_text_addf(&out, ": %s", msg);
	t->escape.why = fx_text_c(&out);
	longjmp(t->escape.jump, 1);
}

/* ---- characters ---- */

static int peek_at(const struct toml *t, size_t ahead)
{
	size_t i = t->r.i + ahead;
	return i < t->r.n ? (unsigned char)t->r.s[i] : -1;
}

static int peek(const struct toml *t)
{
	return peek_at(t, 0);
}

static void skip_blanks(struct toml *t)
{
	while (peek(t) == ' ' || peek(t) == '\t')
		t->r.i++;
}

static bool at_newline(const struct toml *t)
{
	return peek(t) == '\n' || (peek(t) == '\r' && peek_at(t, 1) == '\n');
}

static void take_newline(struct toml *t)
{
	t->r.i += peek(t) == '\r' ? 2 : 1;
	t->r.line++;
}

static const char *shown(struct toml *t)
{
	struct fx_text out = {.x = t->r.x};
	if (peek(t) < 0)
		return "EOF";
	size_t w;
	unsigned c = fx_rune_at(t->r.s + t->r.i, t->r.n - t->r.i, &w);
	fx_text_char(&out, '\'');
	if (c == '\n')
		fx_text_str(&out, "\\n");
	else
		fx_text_rune(&out, c);
	fx_text_char(&out, '\'');
	return fx_text_c(&out);
}

static void check_control(struct toml *t, int c)
{
	if ((c < 0x20 && c != '\t') || c == 0x7f)
		fail_at(t, "control characters are not allowed inside %s: '0x%02x'",
		        "strings and comments; use escapes", (unsigned)c);
}

static void skip_comment(struct toml *t)
{
	if (peek(t) != '#')
		return;
	while (peek(t) >= 0 && !at_newline(t)) {
		check_control(t, peek(t));
		t->r.i++;
	}
}

static void skip_space(struct toml *t)
{
	for (;;) {
		skip_blanks(t);
		skip_comment(t);
		if (!at_newline(t))
			return;
		take_newline(t);
	}
}

static void end_of_line(struct toml *t, const char *after)
{
	skip_blanks(t);
	skip_comment(t);
	if (peek(t) < 0)
		return;
	if (!at_newline(t))
		fail_at(t, "expected a %s to end with a newline, comment, or EOF, but got %s instead", after,
		        shown(t));
	take_newline(t);
}

/* ---- strings ---- */

static unsigned hex_digits(struct toml *t, int n)
{
	unsigned v = 0;
	for (int k = 0; k < n; k++) {
		int c = peek(t);
		if (c < 0 || !isxdigit(c))
			fail_at(t, "expected %d hexadecimal digits after an escape, but got %s instead", n,
			        shown(t));
		v = v << 4 | (unsigned)(isdigit(c) ? c - '0' : (c | 32) - 'a' + 10);
		t->r.i++;
	}
	return v;
}

static void escape(struct toml *t, struct fx_text *out)
{
	static const char from[] = "btnfre\"\\", to[] = "\b\t\n\f\r\x1b\"\\";
	int c = peek(t);
	const char *k = c > 0 ? strchr(from, c) : NULL;
	t->r.i++;
	if (k) {
		fx_text_char(out, to[k - from]);
		return;
	}
	if (c != 'x' && c != 'u' && c != 'U') {
		t->r.i--;
		fail_at(t,
		        "invalid escape character %s; only the following escape characters are allowed: "
		        "\\b, \\t, \\n, \\f, \\r, \\\", \\\\, \\uXXXX, and \\UXXXXXXXX",
		        shown(t));
	}
	unsigned v = hex_digits(t, c == 'x' ? 2 : c == 'u' ? 4 : 8);
	if (v > 0x10ffff || (v >= 0xd800 && v < 0xe000))
		fail_at(t, "Escaped character '\\%c%x' is not valid UTF-8.", c, v);
	fx_text_rune(out, v);
}

/* A backslash at the end of a line: it, the break and all space after it go. */
static bool line_ending_backslash(struct toml *t)
{
	size_t i = t->r.i;
	while (i < t->r.n && (t->r.s[i] == ' ' || t->r.s[i] == '\t'))
		i++;
	if (i < t->r.n && t->r.s[i] == '\r')
		i++;
	if (i >= t->r.n || t->r.s[i] != '\n')
		return false;
	for (;;) {
		skip_blanks(t);
		if (!at_newline(t))
			return true;
		take_newline(t);
	}
}

static struct fx_val text_of(struct toml *t, struct fx_text *out)
{
	struct fx_val v = fx_text_val(out);
	if (!fx_utf8_valid(v.s, v.len))
		fail_at(t, "invalid UTF-8 byte");
	return v;
}

static struct fx_val long_string(struct toml *t, int quote)
{
	struct fx_text out = {.x = t->r.x};
	fx_text_add(&out, "", 0);
	t->r.i += 3;
	if (at_newline(t))
		take_newline(t);
	for (;;) {
		int c = peek(t);
		if (c < 0)
			fail_at(t, "unexpected EOF; expected '%s'", quote == '"' ? "\"\"\"" : "'''");
		if (c == quote && peek_at(t, 1) == quote && peek_at(t, 2) == quote) {
			/* One or two quotes may stand right before the closing three. */
			int more = 0;
			while (more < 2 && peek_at(t, (size_t)(3 + more)) == quote)
				more++;
			for (int k = 0; k < more; k++)
				fx_text_char(&out, (char)quote);
			t->r.i += (size_t)(3 + more);
			return text_of(t, &out);
		}
		if (at_newline(t)) {
			fx_text_char(&out, '\n');
			take_newline(t);
			continue;
		}
		check_control(t, c);
		t->r.i++;
		if (c != '\\' || quote != '"')
			fx_text_char(&out, (char)c);
		else if (!line_ending_backslash(t))
			escape(t, &out);
	}
}

static struct fx_val string(struct toml *t, bool may_be_long)
{
	int quote = peek(t);
	if (may_be_long && peek_at(t, 1) == quote && peek_at(t, 2) == quote)
		return long_string(t, quote);
	struct fx_text out = {.x = t->r.x};
	fx_text_add(&out, "", 0);
	for (t->r.i++;;) {
		int c = peek(t);
		if (c < 0)
			fail_at(t, "unexpected EOF; expected '%c'", quote);
		if (at_newline(t))
			fail_at(t, "strings cannot contain newlines");
		t->r.i++;
		if (c == quote)
			return text_of(t, &out);
		check_control(t, c);
		if (c == '\\' && quote == '"')
			escape(t, &out);
		else
			fx_text_char(&out, (char)c);
	}
}

/* ---- keys ---- */

static bool bare(int c)
{
	return c >= 0 && (isalnum(c) || c == '_' || c == '-') && c < 0x80;
}

static struct fx_val key_part(struct toml *t)
{
	if (peek(t) == '"' || peek(t) == '\'') {
		if (peek_at(t, 1) == peek(t) && peek_at(t, 2) == peek(t))
			fail_at(t, "unexpected '%c%c'; keys cannot be multi-line strings", peek(t), peek(t));
		return string(t, false);
	}
	size_t from = t->r.i;
	while (bare(peek(t)))
		t->r.i++;
	if (t->r.i == from) {
		if (peek(t) < 0)
			fail_at(t, "unexpected EOF; expected key separator '='");
		fail_at(t, "bare keys cannot contain %s", shown(t));
	}
	return fx_v_dup(t->r.x, t->r.s + from, t->r.i - from);
}

/* a.b."c d": a list of strings. */
static struct fx_val key(struct toml *t)
{
	struct fx_val parts = fx_v_list(t->r.x, 2);
	for (;;) {
		skip_blanks(t);
		fx_v_push(t->r.x, parts, key_part(t));
		if (fx_v_len(parts) > FX_VALUE_DEPTH_MAX)
			fail_at(t, "keys are nested too deeply");
		skip_blanks(t);
		if (peek(t) != '.')
			return parts;
		t->r.i++;
	}
}

static const char *key_text(struct toml *t, struct fx_val parts)
{
	struct fx_text out = {.x = t->r.x};
	for (size_t i = 0; i < fx_v_len(parts); i++) {
		fx_text_str(&out, i ? "." : "");
		fx_text_add(&out, parts.list->items[i].s, parts.list->items[i].len);
	}
	return fx_text_c(&out);
}

/* ---- tables ---- */

static struct fx_val new_table(struct toml *t, enum made made, const void *scope)
{
	struct table *e = fx_render_zalloc(t->r.x, sizeof(*e));
	e->made = made;
	e->scope = scope ? scope : &e->map;
	return fx_v_mapof(&e->map, FX_T_PLAIN);
}

static struct table *table_of(struct fx_val v)
{
	return v.kind == FX_VAL_MAP ? (struct table *)v.map : NULL;
}

static struct fx_val add_table(
        struct toml *t, struct fx_val in, struct fx_val name, enum made made, const void *scope)
{
	struct fx_val m = new_table(t, made, scope);
	fx_v_setn(t->r.x, in, name.s, name.len, m);
	return m;
}

static _Noreturn void already(struct toml *t, const char *what)
{
	fail_at(t, "Key '%s' has already been defined.", what);
}

/* The table that a header goes through. */
static struct fx_val step(struct toml *t, struct fx_val in, struct fx_val name)
{
	struct fx_val *have = fx_v_find(in, name.s, name.len);
	if (!have)
		return add_table(t, in, name, MADE_BY_PATH, NULL);
	struct fx_val v = *have;
	if (v.kind == FX_VAL_LIST && v.type == FX_T_MAPS)
		v = v.list->items[v.list->len - 1];
	struct table *e = table_of(v);
	if (!e || e->made == MADE_INLINE)
		fail_at(t, "Key '%s' was already created as a hash.", t->r.last_key);
	return v;
}

static void header(struct toml *t)
{
	bool array = peek_at(t, 1) == '[';
	t->r.i += array ? 2 : 1;
	skip_blanks(t);
	if (peek(t) == ']')
		fail_at(t, "unexpected end of table name (table names cannot be empty)");
	struct fx_val parts = key(t), in = t->r.root;
	if (peek(t) != ']' || (array && peek_at(t, 1) != ']'))
		fail_at(t, "expected '.' or ']' to end table name, but got %s instead", shown(t));
	t->r.i += array ? 2 : 1;
	t->r.last_key = key_text(t, parts);
	size_t n = fx_v_len(parts);
	for (size_t i = 0; i + 1 < n; i++)
		in = step(t, in, parts.list->items[i]);
	struct fx_val name = parts.list->items[n - 1], *have = fx_v_find(in, name.s, name.len);
	if (array) {
		struct fx_val list = have ? *have : fx_v_list(t->r.x, 1);
		list.type = have ? list.type : FX_T_MAPS;
		if (list.kind != FX_VAL_LIST || list.type != FX_T_MAPS)
			fail_at(t, "Key '%s' was already created and cannot be used as an array.",
			        t->r.last_key);
		t->r.current = new_table(t, MADE_BY_HEADER, NULL);
		fx_v_push(t->r.x, list, t->r.current);
		if (!have)
			fx_v_setn(t->r.x, in, name.s, name.len, list);
	} else if (have) {
		struct table *e = table_of(*have);
		if (!e || e->made != MADE_BY_PATH)
			already(t, t->r.last_key);
		e->made = MADE_BY_HEADER;
		t->r.current = *have;
	} else {
		t->r.current = add_table(t, in, name, MADE_BY_HEADER, NULL);
	}
	end_of_line(t, "table header");
}

static struct fx_val value(struct toml *t);

/* One `key = value` into in. */
static void key_value(struct toml *t, struct fx_val in)
{
	struct fx_val parts = key(t);
	const void *scope = in.map;
	t->r.last_key = key_text(t, parts);
	if (peek(t) < 0)
		fail_at(t, "unexpected EOF; expected key separator '='");
	if (peek(t) != '=')
		fail_at(t, "expected '.' or '=', but got %s instead", shown(t));
	t->r.i++;
	size_t n = fx_v_len(parts);
	for (size_t i = 0; i + 1 < n; i++) {
		struct fx_val name = parts.list->items[i], *have = fx_v_find(in, name.s, name.len);
		if (!have) {
			in = add_table(t, in, name, MADE_BY_DOTS, scope);
			continue;
		}
		struct table *e = table_of(*have);
		if (!e || e->made == MADE_INLINE || e->made == MADE_BY_HEADER ||
		        (e->made == MADE_BY_DOTS && e->scope != scope))
			already(t, t->r.last_key);
		in = *have;
	}
	skip_blanks(t);
	struct fx_val name = parts.list->items[n - 1], v = value(t);
	if (fx_v_find(in, name.s, name.len))
		already(t, t->r.last_key);
	fx_v_setn(t->r.x, in, name.s, name.len, v);
}

/* ---- values ---- */

static void separator(struct toml *t, int close, const char *what)
{
	skip_space(t);
	if (peek(t) == ',')
		t->r.i++;
	else if (peek(t) < 0)
		fail_at(t, "unexpected EOF; expected '%c' or '%c'", ',', close);
	else if (peek(t) != close)
		fail_at(t, "expected a comma (',') or %s terminator ('%c'), but got %s", what, close,
		        shown(t));
}

static struct fx_val array(struct toml *t)
{
	struct fx_val list = fx_v_list(t->r.x, 0);
	for (t->r.i++;;) {
		skip_space(t);
		if (peek(t) == ']') {
			t->r.i++;
			return list;
		}
		if (peek(t) == ',')
			fail_at(t, "unexpected comma");
		fx_v_push(t->r.x, list, value(t));
		separator(t, ']', "array");
	}
}

static void close_tables(struct fx_val v)
{
	struct table *e = table_of(v);
	if (!e)
		return;
	e->made = MADE_INLINE;
	for (size_t i = 0; i < fx_v_len(v); i++)
		close_tables(v.map->entries[i].val);
}

static struct fx_val inline_table(struct toml *t)
{
	struct fx_val m = new_table(t, MADE_BY_DOTS, NULL);
	const char *outer = t->r.last_key;
	for (t->r.i++;;) {
		skip_space(t);
		if (peek(t) == '}') {
			t->r.i++;
			close_tables(m);
			t->r.last_key = outer;
			return m;
		}
		if (peek(t) == ',')
			fail_at(t, "unexpected comma");
		key_value(t, m);
		separator(t, '}', "an inline table");
	}
}

/* The word at the cursor: a number, a date, true or inf. */
static struct fx_val word_at(struct toml *t)
{
	size_t from = t->r.i;
	while (peek(t) >= 0 && (isalnum(peek(t)) || strchr("_+-.:", peek(t))))
		t->r.i++;
	/* A date may go on after one space. */
	size_t n = t->r.i - from;
	if (n == 10 && t->r.s[from + 4] == '-' && peek(t) == ' ' && peek_at(t, 1) >= 0 &&
	        isdigit(peek_at(t, 1))) {
		t->r.i++;
		while (peek(t) >= 0 && (isalnum(peek(t)) || strchr("+-.:", peek(t))))
			t->r.i++;
	}
	return fx_v_dup(t->r.x, t->r.s + from, t->r.i - from);
}

static bool underscores_between_digits(struct fx_val w)
{
	for (uint32_t i = 0; i < w.len; i++) {
		if (w.s[i] == '_' && (i == 0 || i + 1 == w.len || !isxdigit((unsigned char)w.s[i - 1]) ||
		                             !isxdigit((unsigned char)w.s[i + 1])))
			return false;
	}
	return true;
}

static bool integer(struct fx_val w, struct fx_val *out, bool *range)
{
	char buf[128];
	size_t n = 0;
	int base = 10;
	const char *s = w.s;
	if (w.len > 2 && s[0] == '0' && strchr("xob", s[1])) {
		base = s[1] == 'x' ? 16 : s[1] == 'o' ? 8 : 2;
		s += 2;
		if (!isxdigit((unsigned char)*s))
			return false;
	}
	for (; *s; s++)
		if (*s != '_' && n + 1 < sizeof(buf))
			buf[n++] = *s;
	buf[n] = 0;
	const char *digits = buf + (base == 10 && (buf[0] == '-' || buf[0] == '+'));
	if (!*digits || !isxdigit((unsigned char)*digits) || (base == 10 && digits[0] == '0' && digits[1]))
		return false;
	char *end;
	errno = 0;
	long long v = strtoll(buf, &end, base);
	*range = errno == ERANGE;
	*out = fx_v_int64(v);
	return !*end;
}

static bool floating(struct fx_val w, struct fx_val *out)
{
	const char *p = w.s + (w.s[0] == '-' || w.s[0] == '+');
	if (strcmp(p, "inf") == 0 || strcmp(p, "nan") == 0) {
		*out = fx_v_float(*p == 'n' ? NAN : *w.s == '-' ? -INFINITY : INFINITY);
		return true;
	}
	size_t whole = strspn(p, "0123456789_");
	if (!whole || (p[0] == '0' && whole > 1))
		return false;
	const char *q = p + whole;
	if (*q == '.') {
		size_t frac = strspn(++q, "0123456789_");
		if (!frac)
			return false;
		q += frac;
	}
	if (*q == 'e' || *q == 'E') {
		q++;
		q += *q == '+' || *q == '-';
		size_t exp = strspn(q, "0123456789_");
		if (!exp)
			return false;
		q += exp;
	}
	double f;
	if (*q || !fx_go_float_parse(w.s, w.len, &f))
		return false;
	*out = fx_v_float(f);
	return true;
}

static bool date_time(struct toml *t, struct fx_val w, struct fx_val *out)
{
	static const struct {
		const char *layout, *zone;
	} forms[] = {
	        {FX_TIME_RFC3339_NANO, NULL},
	        {"2006-01-02T15:04:05.999999999", "datetime-local"},
	        {"2006-01-02", "date-local"},
	        {"15:04:05.999999999", "time-local"},
	        {"2006-01-02T15:04Z07:00", NULL},
	        {"2006-01-02T15:04", "datetime-local"},
	        {"15:04", "time-local"},
	};
	struct fx_text text = {.x = t->r.x};
	for (uint32_t i = 0; i < w.len; i++) {
		char c = w.s[i];
		fx_text_char(&text, i == 10 && (c == ' ' || c == 't') ? 'T' : c == 'z' ? 'Z' : c);
	}
	for (size_t i = 0; i < FX_COUNT(forms); i++) {
		struct fx_time tm;
		const char *why;
		if (!fx_go_time_parse(t->r.x, fx_v_str(forms[i].layout), fx_text_val(&text), &tm, &why))
			continue;
		if (forms[i].zone)
			snprintf(tm.zone, sizeof(tm.zone), "%s", forms[i].zone);
		*out = fx_time_val(t->r.x, tm);
		return true;
	}
	return false;
}

static bool looks_like_date(struct fx_val w)
{
	return (w.len > 4 && w.s[4] == '-' && isdigit((unsigned char)w.s[3])) || (w.len > 2 && w.s[2] == ':');
}

static struct fx_val scalar(struct toml *t)
{
	struct fx_val w = word_at(t), out;
	bool range = false;
	if (w.len == 0) {
		if (peek(t) < 0)
			fail_at(t, "unexpected EOF; expected value");
		fail_at(t, "expected value but found %s instead", shown(t));
	}
	if (fx_v_eq_str(w, "true") || fx_v_eq_str(w, "false"))
		return fx_v_bool(w.len == 4);
	if (looks_like_date(w)) {
		if (date_time(t, w, &out))
			return out;
		fail_at(t, "Invalid TOML Datetime: \"%s\".", w.s);
	}
	if (!underscores_between_digits(w))
		fail_at(t, "Invalid float %s: underscores must be surrounded by digits", w.s);
	if (integer(w, &out, &range)) {
		if (range)
			fail_at(t, "%s is out of range for int64", w.s);
		return out;
	}
	if (floating(w, &out))
		return out;
	if (isalpha((unsigned char)w.s[0]))
		fail_at(t, "expected value but found \"%s\" instead", w.s);
	fail_at(t, "Invalid integer: \"%s\"", w.s);
}

static struct fx_val value(struct toml *t)
{
	if (t->r.depth == FX_TOML_DEPTH_MAX)
		fail_at(t, "values are nested too deeply");
	t->r.depth++;
	struct fx_val v;
	switch (peek(t)) {
	case '"':
	case '\'':
		v = string(t, true);
		break;
	case '[':
		v = array(t);
		break;
	case '{':
		v = inline_table(t);
		break;
	default:
		v = scalar(t);
	}
	t->r.depth--;
	return v;
}

static void document(struct toml *t)
{
	for (;;) {
		skip_space(t);
		if (peek(t) < 0)
			return;
		if (peek(t) == '[') {
			header(t);
			continue;
		}
		if (peek(t) == '=')
			fail_at(t, "unexpected '=': key name appears blank");
		key_value(t, t->r.current);
		end_of_line(t, "top-level item");
	}
}

const char *fx_v_toml_parse(struct fx_render *x, struct fx_val text, struct fx_val *out)
{
	struct toml *t = fx_render_zalloc(x, sizeof(*t));
	t->r = (struct reader){.x = x, .s = text.s, .n = text.len, .line = 1};
	t->r.current = t->r.root = new_table(t, MADE_BY_HEADER, NULL);
	if (t->r.n >= 3 && memcmp(t->r.s, "\xef\xbb\xbf", 3) == 0)
		t->r.i = 3;
	else if (t->r.n >= 2 && (memcmp(t->r.s, "\xff\xfe", 2) == 0 || memcmp(t->r.s, "\xfe\xff", 2) == 0))
		t->r.i = 2;
	if (setjmp(t->escape.jump) == 0) {
		document(t);
		*out = t->r.root;
		return NULL;
	}
	return t->escape.why;
}
