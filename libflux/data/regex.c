#include "data/regex.h"

#include "core/buf.h"
#include "data/yaml_text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

struct group_name {
	const char *text;
	size_t len, group;
};

struct fx_regex {
	pcre2_code *code;
	pcre2_match_data *data;
	pcre2_match_context *context;
	size_t groups;
	struct group_name *names;
	size_t nnames;
};

/* ---- from RE2's syntax to PCRE2's ---- */

/* One open parenthesis. */
struct level {
	unsigned long weight; /* largest product of repetitions in it so far */
	unsigned long atom;   /* the same for what a repetition would apply to */
	bool has_atom;
	const char *repeat; /* where the repetition before the cursor begins */
};

struct translator {
	struct fx_arena *arena;
	const char *s, *end, *p;
	struct fx_buf out;
	struct level levels[FX_REGEX_NEST_MAX + 1];
	size_t depth;
	size_t groups;
	struct group_name *names;
	size_t nnames, cap_names;
	struct fx_error *err;
};

static int refuse(struct translator *t, const char *why, const char *from, const char *to)
{
	return fx_fail(t->err, FX_E_PARSE, "error parsing regexp: %s: `%.*s`", why, (int)(to - from), from);
}

static const char bad_escape[] = "invalid escape sequence", bad_range[] = "invalid character class range",
                  bad_name[] = "invalid named capture",
                  no_argument[] = "missing argument to repetition operator",
                  bad_count[] = "invalid repeat count";

static bool at(const struct translator *t, size_t ahead, char c)
{
	return (size_t)(t->end - t->p) > ahead && t->p[ahead] == c;
}

static struct level *level(struct translator *t)
{
	return &t->levels[t->depth];
}

static void atom(struct translator *t, unsigned long weight)
{
	struct level *l = level(t);
	l->has_atom = true;
	l->atom = weight;
	l->weight = weight > l->weight ? weight : l->weight;
	l->repeat = NULL;
}

static void put_code(struct translator *t, unsigned c)
{
	fx_buf_addf(&t->out, "\\x{%x}", c);
}

/* A character that stands for itself. */
static void put_literal(struct translator *t, const char *s, size_t n)
{
	if (n == 1 && (unsigned char)*s < 0x80 && !isalnum((unsigned char)*s) && *s != '_')
		put_code(t, (unsigned char)*s);
	else
		fx_buf_add(&t->out, s, n);
}

/* After the backslash; the cursor is behind it on success. *out: the character. */
static int escape(struct translator *t, unsigned *out)
{
	static const char from[] = "afnrtv", to[] = "\a\f\n\r\t\v";
	const char *start = t->p++;
	if (t->p >= t->end)
		return fx_fail(t->err, FX_E_PARSE,
		        "error parsing regexp: trailing backslash at end of expression: ``");
	unsigned char c = (unsigned char)*t->p++;
	const char *k = strchr(from, c);
	if (c >= '0' && c <= '7' && (c == '0' || (t->p < t->end && *t->p >= '0' && *t->p <= '7'))) {
		*out = (unsigned)(c - '0');
		for (int i = 0; i < 2 && t->p < t->end && *t->p >= '0' && *t->p <= '7'; i++)
			*out = *out * 8 + (unsigned)(*t->p++ - '0');
		return 0;
	}
	if (c == 'x' && t->p < t->end) {
		bool braces = *t->p == '{';
		const char *d = t->p + braces;
		unsigned v = 0;
		size_t n = 0;
		while (d < t->end && isxdigit((unsigned char)*d) && (braces || n < 2) && v <= 0x10ffff) {
			v = v * 16 + (unsigned)(isdigit((unsigned char)*d) ? *d - '0' : (*d | 32) - 'a' + 10);
			d++;
			n++;
		}
		bool ok = braces ? n && d < t->end && *d == '}' : n == 2;
		if (ok && v <= 0x10ffff) {
			t->p = d + braces;
			*out = v;
			return 0;
		}
		return refuse(t, bad_escape, start, d < t->end ? d + 1 : d);
	}
	if (c && k) {
		*out = (unsigned char)to[k - from];
		return 0;
	}
	if (c < 0x80 && !isalnum(c)) {
		*out = c;
		return 0;
	}
	size_t w = fx_utf8_width(c);
	return refuse(t, bad_escape, start, start + 1 + w <= t->end ? start + 1 + w : t->end);
}

/* \pL, \p{Greek}, \P{^L}: given on as it stands. */
static int unicode_class(struct translator *t)
{
	const char *start = t->p, *q = t->p + 2;
	if (q >= t->end)
		return refuse(t, bad_range, start, t->end);
	if (*q == '{') {
		const char *close = memchr(q, '}', (size_t)(t->end - q));
		if (!close)
			return refuse(t, bad_range, start, t->end);
		q = close;
	}
	size_t w = *q == '}' ? 1 : fx_utf8_width((unsigned char)*q);
	t->p = q + w <= t->end ? q + w : t->end;
	/* PCRE2 knows the names. */
	int code;
	size_t where;
	pcre2_code *probe =
	        pcre2_compile((PCRE2_SPTR)start, (size_t)(t->p - start), PCRE2_UTF, &code, &where, NULL);
	if (!probe)
		return code == PCRE2_ERROR_NOMEMORY ? fx_fail_nomem(t->err)
		                                    : refuse(t, bad_range, start, t->p);
	pcre2_code_free(probe);
	fx_buf_add(&t->out, start, (size_t)(t->p - start));
	return 0;
}

/* \d \s \w and their opposites. RE2's \s has no vertical tab. */
static bool perl_class(struct translator *t, bool in_class)
{
	char c = t->p + 1 < t->end ? t->p[1] : 0;
	if (!c || !strchr("dDsSwW", c))
		return false;
	if (c == 's')
		fx_buf_add_str(&t->out, in_class ? "\\t\\n\\f\\r\\x20" : "[\\t\\n\\f\\r\\x20]");
	else if (c == 'S' && !in_class)
		fx_buf_add_str(&t->out, "[^\\t\\n\\f\\r\\x20]");
	else if (c == 'S')
		fx_buf_add_str(&t->out, "\\S\\x0b");
	else
		fx_buf_add(&t->out, t->p, 2);
	t->p += 2;
	return true;
}

static int posix_class(struct translator *t, bool *took)
{
	static const char *const known[] = {"alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph",
	        "lower", "print", "punct", "space", "upper", "word", "xdigit"};
	const char *close = memmem(t->p + 2, (size_t)(t->end - t->p) - 2, ":]", 2);
	*took = close != NULL;
	if (!close)
		return 0;
	const char *name = t->p + 2 + (t->p[2] == '^');
	for (size_t i = 0; i < FX_COUNT(known); i++) {
		if (strlen(known[i]) == (size_t)(close - name) &&
		        memcmp(known[i], name, (size_t)(close - name)) == 0) {
			fx_buf_add(&t->out, t->p, (size_t)(close + 2 - t->p));
			t->p = close + 2;
			return 0;
		}
	}
	return refuse(t, bad_range, t->p, close + 2);
}

/* A character in a class; start: of the class. */
static int class_character(struct translator *t, const char *start, unsigned *out)
{
	if (t->p >= t->end)
		return refuse(t, "missing closing ]", start, t->end);
	if (*t->p == '\\')
		return escape(t, out);
	size_t w = fx_utf8_width((unsigned char)*t->p);
	*out = w == 1 ? (unsigned char)*t->p : fx_utf8_decode(t->p, w);
	t->p += w;
	return 0;
}

static int class(struct translator *t)
{
	const char *start = t->p++;
	fx_buf_add_char(&t->out, '[');
	if (at(t, 0, '^')) {
		fx_buf_add_char(&t->out, '^');
		t->p++;
	}
	for (bool first = true; first || !at(t, 0, ']'); first = false) {
		bool took = false;
		if (at(t, 0, '[') && at(t, 1, ':') && (size_t)(t->end - t->p) > 2) {
			if (posix_class(t, &took) < 0)
				return -1;
			if (took)
				continue;
		}
		if (at(t, 0, '\\') && (at(t, 1, 'p') || at(t, 1, 'P'))) {
			if (unicode_class(t) < 0)
				return -1;
			continue;
		}
		if (at(t, 0, '\\') && perl_class(t, true))
			continue;
		const char *range = t->p;
		unsigned lo, hi;
		if (class_character(t, start, &lo) < 0)
			return -1;
		hi = lo;
		if (at(t, 0, '-') && (size_t)(t->end - t->p) > 1 && t->p[1] != ']') {
			t->p++;
			if (class_character(t, start, &hi) < 0)
				return -1;
			if (hi < lo)
				return refuse(t, bad_range, range, t->p);
		}
		put_code(t, lo);
		if (hi != lo) {
			fx_buf_add_char(&t->out, '-');
			put_code(t, hi);
		}
	}
	t->p++;
	fx_buf_add_char(&t->out, ']');
	atom(t, 1);
	return 0;
}

static int add_name(struct translator *t, const char *text, size_t len)
{
	if (t->nnames == t->cap_names) {
		size_t cap = t->cap_names ? t->cap_names * 2 : 8;
		struct group_name *more = fx_arena_realloc(
		        t->arena, t->names, t->cap_names * sizeof(*more), cap * sizeof(*more));
		if (!more)
			return fx_fail_nomem(t->err);
		t->names = more;
		t->cap_names = cap;
	}
	t->names[t->nnames++] = (struct group_name){text, len, t->groups};
	return 0;
}

static int open_group(struct translator *t, bool capture)
{
	if (t->depth == FX_REGEX_NEST_MAX)
		return refuse(t, "expression nests too deeply", t->s, t->end);
	t->groups += capture;
	t->levels[++t->depth] = (struct level){.weight = 1};
	return 0;
}

static int named_group(struct translator *t)
{
	const char *start = t->p, *name = t->p + (t->p[2] == 'P' ? 4 : 3);
	const char *close = memchr(name, '>', (size_t)(t->end - name));
	if (!close)
		return refuse(t, bad_name, start, t->end);
	bool ok = close > name;
	for (const char *k = name; k < close; k++)
		ok = ok && (unsigned char)*k < 0x80 && (isalnum((unsigned char)*k) || *k == '_');
	if (!ok)
		return refuse(t, bad_name, start, close + 1);
	t->p = close + 1;
	fx_buf_add_char(&t->out, '(');
	return open_group(t, true) < 0 ? -1 : add_name(t, name, (size_t)(close - name));
}

/* `(?i-s)`, `(?i:`, `(?:` */
static int flags(struct translator *t)
{
	const char *start = t->p;
	bool minus = false, seen = false;
	for (t->p += 2; t->p < t->end; t->p++) {
		char c = *t->p;
		if (c && strchr("imsU", c)) {
			seen = true;
		} else if (c == '-' && !minus) {
			minus = true;
			seen = false;
		} else if ((c == ':' || c == ')') && (!minus || seen)) {
			fx_buf_add(&t->out, start, (size_t)(++t->p - start));
			level(t)->repeat = NULL;
			if (c == ':')
				return open_group(t, false);
			return 0;
		} else {
			size_t w = fx_utf8_width((unsigned char)c);
			t->p = t->p + w <= t->end ? t->p + w : t->end;
			break;
		}
	}
	return refuse(t, "invalid or unsupported Perl syntax", start, t->p);
}

static int group(struct translator *t)
{
	if (!at(t, 1, '?')) {
		t->p++;
		fx_buf_add_char(&t->out, '(');
		return open_group(t, true);
	}
	if (at(t, 2, '<') || (at(t, 2, 'P') && at(t, 3, '<')))
		return named_group(t);
	return flags(t);
}

static int close_group(struct translator *t)
{
	if (t->depth == 0)
		return refuse(t, "unexpected )", t->s, t->end);
	unsigned long weight = level(t)->weight;
	t->depth--;
	t->p++;
	fx_buf_add_char(&t->out, ')');
	atom(t, weight);
	return 0;
}

/* `{2,5}`: false when it is no count. */
static bool counts(const struct translator *t, const char **end, unsigned long *lo, unsigned long *hi)
{
	const char *p = t->p + 1, *start = p;
	*lo = 0;
	while (p < t->end && isdigit((unsigned char)*p))
		*lo = *lo > FX_REGEX_REPEAT_MAX ? *lo : *lo * 10 + (unsigned long)(*p - '0'), p++;
	if (p == start || (*start == '0' && p > start + 1))
		return false;
	*hi = *lo;
	if (p < t->end && *p == ',') {
		const char *second = ++p;
		*hi = 0;
		while (p < t->end && isdigit((unsigned char)*p))
			*hi = *hi > FX_REGEX_REPEAT_MAX ? *hi : *hi * 10 + (unsigned long)(*p - '0'), p++;
		if (p == second)
			*hi = ULONG_MAX;
		else if (*second == '0' && p > second + 1)
			return false;
	}
	*end = p + 1;
	return p < t->end && *p == '}';
}

static int repetition(struct translator *t, const char *end, unsigned long lo, unsigned long hi, bool counted)
{
	struct level *l = level(t);
	const char *start = t->p;
	if (counted &&
	        (lo > FX_REGEX_REPEAT_MAX || (hi != ULONG_MAX && (hi > FX_REGEX_REPEAT_MAX || lo > hi))))
		return refuse(t, bad_count, start, end);
	const char *after = end < t->end && *end == '?' ? end + 1 : end;
	if (l->repeat)
		return refuse(t, "invalid nested repetition operator", l->repeat, after);
	if (!l->has_atom)
		return refuse(t, no_argument, start, after);
	unsigned long m = counted ? (hi == ULONG_MAX ? lo : hi) : 1;
	unsigned long weight = m > 1 ? m * l->atom : l->atom;
	if (counted && (lo >= 2 || (hi != ULONG_MAX && hi >= 2)) && weight > FX_REGEX_REPEAT_MAX)
		return refuse(t, bad_count, start, after);
	fx_buf_add(&t->out, start, (size_t)(after - start));
	t->p = after;
	atom(t, weight);
	l->repeat = start;
	return 0;
}

/* `\Q...\E`: each character for itself. */
static void quoted(struct translator *t)
{
	t->p += 2;
	const char *end = memmem(t->p, (size_t)(t->end - t->p), "\\E", 2);
	const char *stop = end ? end : t->end;
	while (t->p < stop) {
		size_t w = fx_utf8_width((unsigned char)*t->p);
		put_literal(t, t->p, w);
		t->p += w;
		atom(t, 1);
	}
	t->p = end ? end + 2 : t->end;
}

static int backslash(struct translator *t)
{
	char c = t->p + 1 < t->end ? t->p[1] : 0;
	unsigned code;
	if (c == 'Q') {
		quoted(t);
		return 0;
	}
	if (c == 'p' || c == 'P') {
		if (unicode_class(t) < 0)
			return -1;
	} else if (c && strchr("AbBz", c)) {
		/* Grouped: RE2 lets an assertion be repeated. */
		fx_buf_addf(&t->out, "(?:\\%c)", c);
		t->p += 2;
	} else if (!perl_class(t, false)) {
		if (escape(t, &code) < 0)
			return -1;
		put_code(t, code);
	}
	atom(t, 1);
	return 0;
}

static int translate(struct translator *t)
{
	t->levels[0] = (struct level){.weight = 1};
	while (t->p < t->end) {
		unsigned long lo = 0, hi = ULONG_MAX;
		const char *end = t->p + 1;
		int rc = 0;
		char c = *t->p;
		switch (c) {
		case '\\':
			rc = backslash(t);
			break;
		case '[':
			rc = class(t);
			break;
		case '(':
			rc = group(t);
			break;
		case ')':
			rc = close_group(t);
			break;
		case '|':
			fx_buf_add_char(&t->out, *t->p++);
			level(t)->has_atom = false;
			level(t)->repeat = NULL;
			break;
		case '*':
		case '+':
		case '?':
			rc = repetition(t, end, lo, hi, false);
			break;
		case '.':
			fx_buf_add_char(&t->out, *t->p++);
			atom(t, 1);
			break;
		case '^':
		case '$':
			fx_buf_addf(&t->out, "(?:%c)", *t->p++);
			atom(t, 1);
			break;
		default:
			if (c == '{' && counts(t, &end, &lo, &hi)) {
				rc = repetition(t, end, lo, hi, true);
				break;
			}
			end = t->p + fx_utf8_width((unsigned char)c);
			put_literal(t, t->p, (size_t)(end - t->p));
			t->p = end;
			atom(t, 1);
		}
		if (rc < 0)
			return rc;
	}
	return t->depth ? refuse(t, "missing closing )", t->s, t->end) : 0;
}

/* ---- PCRE2 ---- */

static void *arena_malloc(size_t size, void *arena)
{
	return fx_arena_alloc(arena, size);
}

static void arena_free(void *p fx_unused, void *arena fx_unused)
{
}

static int compile(struct fx_arena *arena, struct translator *t, struct fx_regex *re)
{
	pcre2_general_context *g = pcre2_general_context_create(arena_malloc, arena_free, arena);
	pcre2_compile_context *cc = g ? pcre2_compile_context_create(g) : NULL;
	int code = 0;
	size_t where;
	if (!cc)
		return fx_fail_nomem(t->err);
	pcre2_set_parens_nest_limit(cc, 2 * FX_REGEX_NEST_MAX);
	pcre2_set_newline(cc, PCRE2_NEWLINE_LF);
	re->code = pcre2_compile((PCRE2_SPTR)fx_buf_str(&t->out), t->out.len,
	        PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_DOLLAR_ENDONLY, &code, &where, cc);
	if (!re->code && code == PCRE2_ERROR_HEAP_FAILED)
		return fx_fail_nomem(t->err);
	if (!re->code)
		return refuse(t, "expression too large", t->s, t->end);
	re->data = pcre2_match_data_create_from_pattern(re->code, g);
	re->context = pcre2_match_context_create(g);
	if (!re->data || !re->context)
		return fx_fail_nomem(t->err);
	pcre2_set_match_limit(re->context, FX_REGEX_STEPS_MAX);
	pcre2_set_depth_limit(re->context, FX_REGEX_DEPTH_MAX);
	return 0;
}

int fx_regex_compile(struct fx_arena *arena, const char *pattern, size_t len, bool anchored,
        struct fx_regex **out, struct fx_error *err)
{
	if (len > FX_REGEX_TEXT_MAX)
		return fx_fail(
		        err, FX_E_LIMIT, "a regular expression is longer than %u bytes", FX_REGEX_TEXT_MAX);
	fx_autofree struct translator *t = calloc(1, sizeof(*t));
	struct fx_regex *re = fx_arena_zalloc(arena, sizeof(*re));
	if (!t || !re)
		return fx_fail_nomem(err);
	t->arena = arena;
	t->s = t->p = pattern;
	t->end = pattern + len;
	t->out = (struct fx_buf)FX_BUF_INIT_MAX(8 * (size_t)FX_REGEX_TEXT_MAX);
	t->err = err;
	if (anchored)
		fx_buf_add_str(&t->out, "^(?:");
	int rc = fx_utf8_valid(pattern, len) ? translate(t) : refuse(t, "invalid UTF-8", pattern, t->end);
	if (anchored)
		fx_buf_add_str(&t->out, ")$");
	if (rc == 0)
		rc = fx_buf_failed(&t->out) ? fx_fail_nomem(err) : compile(arena, t, re);
	fx_buf_release(&t->out);
	if (rc != 0)
		return rc;
	re->groups = t->groups;
	re->names = t->names;
	re->nnames = t->nnames;
	*out = re;
	return 0;
}

int fx_regex_search(struct fx_regex *re, const char *text, size_t len, size_t from, struct fx_error *err)
{
	int rc = pcre2_match(re->code, (PCRE2_SPTR)text, len, from, 0, re->data, re->context);
	if (rc == PCRE2_ERROR_NOMATCH)
		return 0;
	if (rc == PCRE2_ERROR_NOMEMORY)
		return fx_fail_nomem(err);
	if (rc < 0)
		return fx_fail(err, FX_E_LIMIT, "regexp: the match takes too long");
	return 1;
}

const size_t *fx_regex_spans(const struct fx_regex *re)
{
	return pcre2_get_ovector_pointer(re->data);
}

size_t fx_regex_groups(const struct fx_regex *re)
{
	return re->groups;
}

size_t fx_regex_group(const struct fx_regex *re, const char *name, size_t len, size_t group)
{
	for (size_t i = 0; i < re->nnames; i++) {
		const struct group_name *g = &re->names[i];
		if (g->group > group && g->len == len && memcmp(g->text, name, len) == 0)
			return g->group;
	}
	return 0;
}
