/* Regular expressions by RE2's rules on PCRE2, and the globs of .Files. */
#include "funcs.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <ctype.h>

/* RE2 is linear, PCRE2 need not be: one match ends with an error after so many steps. */
#define MATCH_LIMIT 5000000
#define DEPTH_LIMIT 100000
/* What pcre2_compile says when its memory is out. */
#define PCRE2_NO_MEMORY 121
/* RE2's own limit of a repetition. */
#define REPEAT_MAX 1000

struct regex {
	pcre2_code *code;
	pcre2_match_data *data;
	pcre2_match_context *context;
	uint32_t groups;
};

static void *arena_malloc(size_t size, void *arena)
{
	return fx_arena_alloc(arena, size);
}

static void arena_free(void *p fx_unused, void *arena fx_unused)
{
}

/* What PCRE2 accepts and RE2 does not. NULL: nothing. */
static const char *refused(const char *p, size_t n)
{
	bool in_class = false;
	char last = 0; /* 'q': a repetition came last, 'l': a lazy one */
	for (size_t i = 0; i < n; i++) {
		char c = p[i];
		if (c == '\\') {
			if (++i >= n)
				return "trailing backslash at end of expression: ``";
			c = p[i];
			if (c == 'Q' && !in_class) {
				const char *e = memmem(p + i, n - i, "\\E", 2);
				i = e ? (size_t)(e - p) + 1 : n;
				last = 0;
				continue;
			}
			if ((isalpha((unsigned char)c) &&
			            !strchr(in_class ? "dDsSwWpPafnrtvx" : "dDsSwWpPafnrtvxbBAzCQE", c)) ||
			        c == 'C' ||
			        (c >= '1' && c <= '9' &&
			                !(i + 1 < n && p[i + 1] >= '0' && p[i + 1] <= '7')) ||
			        (unsigned char)c >= 0x80)
				return "invalid escape sequence";
			last = 0;
			continue;
		}
		if (in_class) {
			if (c == '[' && i + 1 < n && p[i + 1] == ':') {
				const char *e = memmem(p + i, n - i, ":]", 2);
				i = e ? (size_t)(e - p) + 1 : i;
			} else if (c == ']') {
				in_class = false;
			}
			continue;
		}
		if (c == '[') {
			in_class = true;
			if (i + 1 < n && p[i + 1] == '^')
				i++;
			if (i + 1 < n && p[i + 1] == ']')
				i++;
			last = 0;
			continue;
		}
		if (c == '(' && i + 1 < n && p[i + 1] == '*')
			return "missing argument to repetition operator: `*`";
		if (c == '(' && i + 2 < n && p[i + 1] == '?') {
			char k = p[i + 2];
			if (k == '<' && i + 3 < n && (p[i + 3] == '=' || p[i + 3] == '!'))
				return "invalid named capture";
			if (k == 'P' && !(i + 3 < n && p[i + 3] == '<'))
				return "invalid named capture";
			if (!strchr(":imsU-P<", k))
				return "invalid or unsupported Perl syntax";
			i += 2;
			last = 0;
			continue;
		}
		bool brace = false;
		if (c == '{') {
			size_t k = i + 1;
			unsigned long lo = 0, hi = 0;
			size_t d = k;
			while (k < n && isdigit((unsigned char)p[k]) && lo < 100000)
				lo = lo * 10 + (unsigned long)(p[k++] - '0');
			bool ok = k > d;
			if (ok && k < n && p[k] == ',') {
				k++;
				while (k < n && isdigit((unsigned char)p[k]) && hi < 100000)
					hi = hi * 10 + (unsigned long)(p[k++] - '0');
			}
			brace = ok && k < n && p[k] == '}';
			if (brace && (lo > REPEAT_MAX || hi > REPEAT_MAX))
				return "invalid repeat count";
			if (brace)
				i = k;
		}
		if (c == '*' || c == '+' || c == '?' || brace) {
			if (last == 'q' && c == '?') {
				last = 'l';
				continue;
			}
			if (last)
				return "invalid nested repetition operator";
			last = 'q';
			continue;
		}
		last = 0;
	}
	return NULL;
}

static const char *pcre_message(int code)
{
	switch (code) {
	case 106:
		return "missing closing ]";
	case 114:
		return "missing closing )";
	case 122:
		return "unexpected )";
	case 109:
		return "missing argument to repetition operator";
	case 108:
		return "invalid character class range";
	case 101:
		return "trailing backslash at end of expression";
	default:
		return "invalid or unsupported Perl syntax";
	}
}

static bool compile(struct fx_render *x, struct fx_val p, struct regex *re, const char **why)
{
	struct fx_text msg = {.x = x};
	const char *no = refused(p.s, p.len);
	int code = 0;
	size_t at;
	if (!no) {
		pcre2_general_context *g =
		        pcre2_general_context_create(arena_malloc, arena_free, fx_render_arena(x));
		pcre2_compile_context *cc = g ? pcre2_compile_context_create(g) : NULL;
		if (!cc)
			fx_render_throw(x, "out of memory");
		pcre2_set_parens_nest_limit(cc, 1000);
		re->code = pcre2_compile((PCRE2_SPTR)p.s, p.len,
		        PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_DUPNAMES |
		                PCRE2_NEVER_BACKSLASH_C,
		        &code, &at, cc);
		re->data = re->code ? pcre2_match_data_create_from_pattern(re->code, g) : NULL;
		re->context = re->code ? pcre2_match_context_create(g) : NULL;
		if (re->code && (!re->data || !re->context))
			fx_render_throw(x, "out of memory");
		if (re->code) {
			pcre2_set_match_limit(re->context, MATCH_LIMIT);
			pcre2_set_depth_limit(re->context, DEPTH_LIMIT);
			pcre2_pattern_info(re->code, PCRE2_INFO_CAPTURECOUNT, &re->groups);
			return true;
		}
		if (code == PCRE2_NO_MEMORY)
			fx_render_throw(x, "out of memory");
		no = pcre_message(code);
	}
	fx_text_addf(&msg,
	        strstr(no, "``") || strchr(no, '`') ? "error parsing regexp: %s"
	                                            : "error parsing regexp: %s: `%.*s`",
	        no, (int)p.len, p.s);
	*why = fx_text_c(&msg);
	return false;
}

static struct regex need_regex(struct fx_render *x, struct fx_val p, bool must)
{
	struct regex re;
	const char *why;
	if (!compile(x, p, &re, &why)) {
		if (must)
			fx_render_throw(x, "%s", why);
		fx_render_throw(x, "regexp: Compile(`%.*s`): %s", (int)p.len, p.s, why);
	}
	return re;
}

static bool match_at(
        struct fx_render *x, struct regex *re, struct fx_val s, size_t at, size_t *from, size_t *to)
{
	int rc = pcre2_match(re->code, (PCRE2_SPTR)s.s, s.len, at, 0, re->data, re->context);
	if (rc == PCRE2_ERROR_NOMATCH)
		return false;
	if (rc == PCRE2_ERROR_NOMEMORY)
		fx_render_throw(x, "out of memory");
	if (rc < 0)
		fx_render_throw(x, "regexp: the match takes too long");
	const size_t *o = pcre2_get_ovector_pointer(re->data);
	*from = o[0];
	*to = o[1];
	return true;
}

struct fx_regex {
	struct regex re;
};

struct fx_regex *fx_regex_compile(struct fx_render *x, struct fx_val pattern, const char **why)
{
	struct fx_regex *out = fx_render_zalloc(x, sizeof(*out));
	return compile(x, pattern, &out->re, why) ? out : NULL;
}

bool fx_regex_found(struct fx_render *x, struct fx_regex *re, struct fx_val s)
{
	size_t from, to;
	return match_at(x, &re->re, s, 0, &from, &to);
}

/* Calls each for the matches that Go finds: an empty one next to the one before does not count. */
static size_t each_match(struct fx_render *x, struct regex *re, struct fx_val s, int64_t limit,
        void (*each)(void *arg, size_t from, size_t to), void *arg)
{
	size_t count = 0, at = 0, from, to;
	size_t prev = SIZE_MAX;
	while ((limit < 0 || count < (uint64_t)limit) && at <= s.len && match_at(x, re, s, at, &from, &to)) {
		bool accept = !(to == from && from == prev);
		size_t w = 1;
		if (to > at)
			at = to;
		else if (at < s.len)
			at += (fx_rune_at(s.s + at, s.len - at, &w), w);
		else
			at = s.len + 1;
		prev = to;
		if (accept) {
			each(arg, from, to);
			count++;
		}
	}
	return count;
}

static struct fx_val regex_match(struct fx_render *x, const struct fx_val *a, bool must)
{
	struct regex re;
	const char *why;
	size_t from, to;
	if (!compile(x, a[0], &re, &why)) {
		if (must)
			fx_render_throw(x, "%s", why);
		return fx_v_bool(false);
	}
	return fx_v_bool(match_at(x, &re, a[1], 0, &from, &to));
}

static struct fx_val fn_match(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return regex_match(x, a, false);
}

static struct fx_val fn_must_match(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return regex_match(x, a, true);
}

static struct fx_val find(struct fx_render *x, const struct fx_val *a, bool must)
{
	struct regex re = need_regex(x, a[0], must);
	size_t from, to;
	return match_at(x, &re, a[1], 0, &from, &to) ? fx_v_strn(a[1].s + from, to - from) : fx_v_str("");
}

static struct fx_val fn_find(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return find(x, a, false);
}

static struct fx_val fn_must_find(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return find(x, a, true);
}

struct collect {
	struct fx_render *x;
	struct regex *re;
	struct fx_val s, list, repl;
	struct fx_text out;
	size_t at;
	bool literal;
};

static void collect_match(void *arg, size_t from, size_t to)
{
	struct collect *c = arg;
	fx_v_push(c->x, c->list, fx_v_strn(c->s.s + from, to - from));
}

static struct fx_val find_all(struct fx_render *x, const struct fx_val *a, bool must)
{
	struct regex re = need_regex(x, a[0], must);
	struct collect c = {.x = x, .s = a[1], .list = fx_v_list(x, 0)};
	c.list.type = FX_T_STRINGS;
	if (each_match(x, &re, a[1], a[2].i, collect_match, &c) == 0) {
		c.list.list = NULL;
	}
	return c.list;
}

static struct fx_val fn_find_all(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return find_all(x, a, false);
}

static struct fx_val fn_must_find_all(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return find_all(x, a, true);
}

static void put_group(struct collect *c, const char *name, size_t n)
{
	const size_t *o = pcre2_get_ovector_pointer(c->re->data);
	size_t group = SIZE_MAX;
	if (n && strspn(name, "0123456789") >= n && n < 10 && (name[0] != '0' || n == 1)) {
		group = strtoul(fx_v_dup(c->x, name, n).s, NULL, 10);
	} else {
		int k = pcre2_substring_number_from_name(c->re->code, (PCRE2_SPTR)fx_v_dup(c->x, name, n).s);
		group = k >= 0 ? (size_t)k : SIZE_MAX;
	}
	if (group <= c->re->groups && o[2 * group] != PCRE2_UNSET)
		fx_text_add(&c->out, c->s.s + o[2 * group], o[2 * group + 1] - o[2 * group]);
}

static size_t name_len(const char *s, size_t n)
{
	size_t k = 0;
	while (k < n && (isalnum((unsigned char)s[k]) || s[k] == '_'))
		k++;
	return k;
}

static void expand(struct collect *c)
{
	const char *t = c->repl.s;
	size_t n = c->repl.len;
	for (size_t i = 0; i < n;) {
		if (t[i] != '$') {
			fx_text_char(&c->out, t[i++]);
			continue;
		}
		if (i + 1 < n && t[i + 1] == '$') {
			fx_text_char(&c->out, '$');
			i += 2;
			continue;
		}
		bool brace = i + 1 < n && t[i + 1] == '{';
		size_t from = i + 1 + brace, len = name_len(t + from, n - from);
		if (len == 0 || (brace && (from + len >= n || t[from + len] != '}'))) {
			fx_text_char(&c->out, t[i++]);
			continue;
		}
		put_group(c, t + from, len);
		i = from + len + brace;
	}
}

static void replace_match(void *arg, size_t from, size_t to)
{
	struct collect *c = arg;
	fx_text_add(&c->out, c->s.s + c->at, from - c->at);
	if (c->literal)
		fx_text_add(&c->out, c->repl.s, c->repl.len);
	else
		expand(c);
	if (c->out.len > FX_FN_TEXT_MAX)
		fx_render_throw(c->x, "the text is too long");
	c->at = to;
}

static struct fx_val replace(struct fx_render *x, const struct fx_val *a, bool must, bool literal)
{
	struct regex re = need_regex(x, a[0], must);
	struct collect c = {.x = x, .re = &re, .s = a[1], .repl = a[2], .out = {.x = x}, .literal = literal};
	fx_text_add(&c.out, "", 0);
	each_match(x, &re, a[1], -1, replace_match, &c);
	fx_text_add(&c.out, a[1].s + c.at, a[1].len - c.at);
	return fx_text_val(&c.out);
}

static struct fx_val fn_replace_all(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return replace(x, a, false, false);
}

static struct fx_val fn_must_replace_all(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return replace(x, a, true, false);
}

static struct fx_val fn_replace_literal(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return replace(x, a, false, true);
}

static struct fx_val fn_must_replace_literal(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return replace(x, a, true, true);
}

static void collect_range(void *arg, size_t from, size_t to)
{
	struct collect *c = arg;
	fx_v_push(c->x, c->list, fx_v_int((int64_t)from));
	fx_v_push(c->x, c->list, fx_v_int((int64_t)to));
}

/* Regexp.Split. */
static struct fx_val split(struct fx_render *x, const struct fx_val *a, bool must)
{
	struct regex re = need_regex(x, a[0], must);
	struct fx_val s = a[1], out = fx_v_list(x, 0);
	int64_t limit = a[2].i;
	out.type = FX_T_STRINGS;
	if (limit == 0) {
		out.list = NULL;
		return out;
	}
	if (a[0].len && s.len == 0) {
		fx_v_push(x, out, fx_v_str(""));
		return out;
	}
	struct collect c = {.x = x, .list = fx_v_list(x, 0)};
	each_match(x, &re, s, limit, collect_range, &c);
	size_t beg = 0, end = 0;
	for (size_t i = 0; i + 1 < fx_v_len(c.list); i += 2) {
		size_t from = (size_t)c.list.list->items[i].i, to = (size_t)c.list.list->items[i + 1].i;
		if (limit > 0 && (int64_t)fx_v_len(out) == limit - 1)
			break;
		end = from;
		if (to != 0)
			fx_v_push(x, out, fx_v_strn(s.s + beg, end - beg));
		beg = to;
	}
	if (end != s.len)
		fx_v_push(x, out, fx_v_strn(s.s + beg, s.len - beg));
	return out;
}

static struct fx_val fn_split(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return split(x, a, false);
}

static struct fx_val fn_must_split(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return split(x, a, true);
}

static struct fx_val fn_quote_meta(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	struct fx_text t = {.x = x};
	fx_text_add(&t, "", 0);
	for (size_t i = 0; i < a[0].len; i++) {
		if (a[0].s[i] && strchr("\\.+*?()|[]{}^$", a[0].s[i]))
			fx_text_char(&t, '\\');
		fx_text_char(&t, a[0].s[i]);
	}
	return fx_text_val(&t);
}

const struct fx_fn fx_fns_regex[] = {
        {"regexMatch", "SS", fn_match},
        {"mustRegexMatch", "SS", fn_must_match},
        {"regexFind", "SS", fn_find},
        {"mustRegexFind", "SS", fn_must_find},
        {"regexFindAll", "SSI", fn_find_all},
        {"mustRegexFindAll", "SSI", fn_must_find_all},
        {"regexReplaceAll", "SSS", fn_replace_all},
        {"mustRegexReplaceAll", "SSS", fn_must_replace_all},
        {"regexReplaceAllLiteral", "SSS", fn_replace_literal},
        {"mustRegexReplaceAllLiteral", "SSS", fn_must_replace_literal},
        {"regexSplit", "SSI", fn_split},
        {"mustRegexSplit", "SSI", fn_must_split},
        {"regexQuoteMeta", "S", fn_quote_meta},
        {NULL, NULL, NULL},
};

/* ---- globs ---- */

bool fx_files_glob_valid(const char *p)
{
	for (; *p; p++) {
		if (*p == '\\') {
			if (!*++p)
				return true;
		} else if (*p == '[') {
			if (p[1] == '!')
				p++;
			if (p[1] == ']' || !p[1])
				return false;
			p = strchr(p, ']');
			if (!p)
				return false;
		}
	}
	return true;
}

static bool glob(const char *p, const char *s, unsigned depth);

/* One alternative after the other, each followed by what stands behind the brace. */
static bool glob_brace(const char *p, const char *s, unsigned depth)
{
	int level = 0;
	const char *start = p + 1, *end = NULL;
	for (const char *k = p; *k && !end; k++) {
		level += *k == '{';
		level -= *k == '}';
		if (level == 0)
			end = k;
	}
	if (!end || strlen(p) > 1000)
		return false;
	level = 0;
	for (const char *k = start; k <= end; k++) {
		level += *k == '{';
		if (k == end || (*k == ',' && level == 0)) {
			char joined[2048];
			snprintf(joined, sizeof(joined), "%.*s%s", (int)(k - start), start, end + 1);
			if (glob(joined, s, depth + 1))
				return true;
			start = k + 1;
		}
		level -= *k == '}';
	}
	return false;
}

static bool glob_class(const char **p, unsigned char c)
{
	const char *k = *p + 1;
	bool negate = *k == '!', in = false;
	k += negate;
	for (; *k && *k != ']'; k++) {
		if (k[1] == '-' && k[2] && k[2] != ']') {
			in = in || (c >= (unsigned char)k[0] && c <= (unsigned char)k[2]);
			k += 2;
		} else {
			in = in || (unsigned char)*k == c;
		}
	}
	*p = *k ? k + 1 : k;
	return in != negate;
}

static bool glob(const char *p, const char *s, unsigned depth)
{
	if (depth > 200)
		return false;
	for (;;) {
		if (!*p)
			return !*s;
		if (*p == '*') {
			bool super = p[1] == '*';
			while (*p == '*')
				p++;
			for (;; s++) {
				if (glob(p, s, depth + 1))
					return true;
				if (!*s || (!super && *s == '/'))
					return false;
			}
		}
		if (*p == '{')
			return glob_brace(p, s, depth);
		if (!*s)
			return false;
		if (*p == '?') {
			if (*s == '/')
				return false;
			p++;
			s++;
			continue;
		}
		if (*p == '[') {
			if (!glob_class(&p, (unsigned char)*s))
				return false;
			s++;
			continue;
		}
		if (*p == '\\')
			p++;
		if (!*p || *p != *s)
			return false;
		p++;
		s++;
	}
}

/* text, `**`, text: a beginning and an end that may overlap. */
bool fx_files_glob_match(const char *p, const char *s)
{
	const char *stars = strstr(p, "**");
	size_t plain = strcspn(p, "*?[{\\");
	if (stars && stars == p + plain && plain && stars[2] &&
	        strcspn(stars + 2, "*?[{\\") == strlen(stars + 2)) {
		size_t tail = strlen(stars + 2), n = strlen(s);
		return n >= plain && n >= tail && memcmp(s, p, plain) == 0 &&
		       memcmp(s + n - tail, stars + 2, tail) == 0;
	}
	return glob(p, s, 0);
}
