/* Sprig's functions on regular expressions. */
#include "funcs.h"

#include "data/regex.h"
#include "data/yaml_text.h"

#include <ctype.h>

/* Expressions that a render keeps compiled. */
#define KEPT_MAX 64

struct kept {
	struct fx_val pattern;
	struct fx_regex *re;
};

struct fx_regexes {
	struct kept items[KEPT_MAX];
	size_t next;
};

struct fx_regex *fx_render_regex(struct fx_render *x, struct fx_val pattern, const char **why)
{
	if (!x->regexes)
		x->regexes = fx_render_zalloc(x, sizeof(*x->regexes));
	for (size_t i = 0; i < KEPT_MAX && x->regexes->items[i].re; i++) {
		const struct kept *k = &x->regexes->items[i];
		if (k->pattern.len == pattern.len && memcmp(k->pattern.s, pattern.s, pattern.len) == 0)
			return k->re;
	}
	struct fx_regex *re = NULL;
	struct fx_error err = FX_ERROR_INIT;
	int rc = fx_regex_compile(fx_render_arena(x), pattern.s, pattern.len, false, &re, &err);
	if (rc != 0 && err.code == FX_E_PARSE) {
		char *copy = fx_arena_strdup(fx_render_arena(x), fx_error_message(&err));
		fx_error_release(&err);
		*why = copy ? copy : "out of memory";
		return NULL;
	}
	if (rc != 0)
		fx_render_throw_err(x, &err);
	x->regexes->items[x->regexes->next++ % KEPT_MAX] = (struct kept){pattern, re};
	return re;
}

/* strconv.CanBackquote. */
static bool can_backquote(struct fx_val s)
{
	for (uint32_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.s[i];
		if ((c < 0x20 && c != '\t') || c == 0x7f || c == '`')
			return false;
	}
	return fx_utf8_valid(s.s, s.len) && !memmem(s.s, s.len, "\xef\xbb\xbf", 3);
}

static struct fx_regex *need_regex(struct fx_render *x, struct fx_val p, bool must)
{
	const char *why;
	struct fx_regex *re = fx_render_regex(x, p, &why);
	struct fx_text quoted = {.x = x};
	if (!re && must)
		fx_render_throw(x, "%s", why);
	if (!re && !can_backquote(p))
		fx_fmt_quote(&quoted, p.s, p.len, false);
	else if (!re)
		fx_text_addf(&quoted, "`%s`", fx_v_cstr(x, p));
	if (!re)
		fx_render_throw(x, "regexp: Compile(%s): %s", fx_text_c(&quoted), why);
	return re;
}

static bool match_at(
        struct fx_render *x, struct fx_regex *re, struct fx_val s, size_t at, size_t *from, size_t *to)
{
	struct fx_error err = FX_ERROR_INIT;
	int rc = fx_regex_search(re, s.s, s.len, at, &err);
	if (rc < 0)
		fx_render_throw_err(x, &err);
	if (rc == 0)
		return false;
	*from = fx_regex_spans(re)[0];
	*to = fx_regex_spans(re)[1];
	return true;
}

bool fx_render_regex_found(struct fx_render *x, struct fx_regex *re, struct fx_val s)
{
	size_t from, to;
	return match_at(x, re, s, 0, &from, &to);
}

/* Calls each for the matches that Go finds: an empty one next to the one before does not count. */
static size_t each_match(struct fx_render *x, struct fx_regex *re, struct fx_val s, int64_t limit,
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
	const char *why;
	struct fx_regex *re = fx_render_regex(x, a[0], &why);
	if (!re && must)
		fx_render_throw(x, "%s", why);
	return fx_v_bool(re && fx_render_regex_found(x, re, a[1]));
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
	struct fx_regex *re = need_regex(x, a[0], must);
	size_t from, to;
	return match_at(x, re, a[1], 0, &from, &to) ? fx_v_strn(a[1].s + from, to - from) : fx_v_str("");
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
	struct fx_regex *re;
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
	struct fx_regex *re = need_regex(x, a[0], must);
	struct collect c = {.x = x, .s = a[1], .list = fx_v_list(x, 0)};
	c.list.type = FX_T_STRINGS;
	if (each_match(x, re, a[1], a[2].i, collect_match, &c) == 0) {
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
	const size_t *o = fx_regex_spans(c->re);
	size_t group = 0;
	if (n && strspn(name, "0123456789") >= n) {
		/* `$01` is a name, and there is none such. */
		bool number = n < 10 && (name[0] != '0' || n == 1);
		group = number ? strtoul(fx_v_dup(c->x, name, n).s, NULL, 10) : SIZE_MAX;
	} else {
		/* Of groups with one name the first that took part counts. */
		do
			group = fx_regex_group(c->re, name, n, group);
		while (group && o[2 * group] == SIZE_MAX);
		group = group ? group : SIZE_MAX;
	}
	if (group <= fx_regex_groups(c->re) && o[2 * group] != SIZE_MAX)
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
	struct fx_regex *re = need_regex(x, a[0], must);
	struct collect c = {.x = x, .re = re, .s = a[1], .repl = a[2], .out = {.x = x}, .literal = literal};
	fx_text_add(&c.out, "", 0);
	each_match(x, re, a[1], -1, replace_match, &c);
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
	struct fx_regex *re = need_regex(x, a[0], must);
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
	each_match(x, re, s, limit, collect_range, &c);
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
