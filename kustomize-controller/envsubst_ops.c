#include "envsubst_ops.h"
#include "envsubst.h"

#include "core/vec.h"

#include <errno.h>
#include <limits.h>
#include <locale.h>
#include <stdint.h>
#include <string.h>
#include <wctype.h>

/* A rune that is no valid UTF-8 stands for its byte: it is kept as it is. */
#define RUNE_BYTE 0x40000000u

/* Decodes one rune of s (not at its end); bytes: how many it took. */
static uint32_t rune_at(const char *s, size_t len, size_t *bytes)
{
	const unsigned char *b = (const unsigned char *)s;
	size_t need = b[0] < 0x80 ? 1 : b[0] >= 0xf0 ? 4 : b[0] >= 0xe0 ? 3 : b[0] >= 0xc2 ? 2 : 0;
	*bytes = 1;
	if (need == 1)
		return b[0];
	if (need == 0 || need > len || b[0] > 0xf4)
		return RUNE_BYTE | b[0];
	uint32_t rune = b[0] & (0x7fu >> need);
	for (size_t i = 1; i < need; i++) {
		if ((b[i] & 0xc0) != 0x80)
			return RUNE_BYTE | b[0];
		rune = rune << 6 | (b[i] & 0x3f);
	}
	*bytes = need;
	return rune;
}

static void add_rune(struct fx_buf *out, uint32_t r)
{
	if (r < 0x80 || r & RUNE_BYTE) {
		fx_buf_add_char(out, (char)r);
	} else if (r < 0x800) {
		fx_buf_add_char(out, (char)(0xc0 | r >> 6));
		fx_buf_add_char(out, (char)(0x80 | (r & 0x3f)));
	} else if (r < 0x10000) {
		fx_buf_add_char(out, (char)(0xe0 | r >> 12));
		fx_buf_add_char(out, (char)(0x80 | (r >> 6 & 0x3f)));
		fx_buf_add_char(out, (char)(0x80 | (r & 0x3f)));
	} else {
		fx_buf_add_char(out, (char)(0xf0 | r >> 18));
		fx_buf_add_char(out, (char)(0x80 | (r >> 12 & 0x3f)));
		fx_buf_add_char(out, (char)(0x80 | (r >> 6 & 0x3f)));
		fx_buf_add_char(out, (char)(0x80 | (r & 0x3f)));
	}
}

/* Unicode classes need a locale that knows them; "C" stands in when the system has none. */
static locale_t unicode_locale(void)
{
	locale_t locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	return locale ? locale : newlocale(LC_CTYPE_MASK, "C", (locale_t)0);
}

static bool is_ascii_name_char(unsigned char c)
{
	return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

size_t fx_envsubst_name_length(const char *text, size_t len)
{
	size_t n = 0;
	while (n < len && is_ascii_name_char((unsigned char)text[n]))
		n++;
	if (n == len || (unsigned char)text[n] < 0x80)
		return n;

	locale_t locale = unicode_locale();
	while (n < len) {
		size_t bytes;
		uint32_t r = rune_at(text + n, len - n, &bytes);
		if (r != '_' && (r & RUNE_BYTE || !locale || !iswalnum_l((wint_t)r, locale)))
			break;
		n += bytes;
	}
	if (locale)
		freelocale(locale);
	return n;
}

static void change_case(const char *value, bool upper, bool first_only, struct fx_buf *out)
{
	locale_t locale = unicode_locale();
	size_t len = strlen(value), pos = 0;
	while (locale && pos < len) {
		size_t bytes;
		uint32_t r = rune_at(value + pos, len - pos, &bytes);
		if (!(r & RUNE_BYTE))
			r = upper ? towupper_l((wint_t)r, locale) : towlower_l((wint_t)r, locale);
		add_rune(out, r);
		pos += bytes;
		if (first_only)
			break;
	}
	fx_buf_add_str(out, value + pos);
	if (locale)
		freelocale(locale);
}

/* Go's strconv.Atoi. */
static bool parse_int(const char *s, long *out)
{
	const char *digits = *s == '-' || *s == '+' ? s + 1 : s;
	if (!*digits || digits[strspn(digits, "0123456789")])
		return false;
	errno = 0;
	*out = strtol(s, NULL, 10);
	return errno == 0;
}

static int substring(
        const char *value, const char *const *args, int count, struct fx_buf *out, struct fx_error *err)
{
	long len = (long)strlen(value), pos, n;
	if (!parse_int(args[0], &pos) || (count > 1 && !parse_int(args[1], &n))) {
		fx_buf_add_str(out, value);
		return 0;
	}
	if (pos < 0)
		pos = pos < -len ? 0 : len + pos;
	if (pos >= len)
		return 0;
	if (count < 2 || n > len - pos)
		n = len - pos;
	if (n < 0)
		return fx_fail(err, FX_E_INVALID, "negative length %ld in a substring expression", n);
	fx_buf_add(out, value + pos, (size_t)n);
	return 0;
}

/* Elements of a compiled glob. */
struct range {
	uint32_t low, high;
};

struct element {
	enum { GLOB_STAR, GLOB_ANY, GLOB_RUNE, GLOB_CLASS } kind;
	uint32_t rune;
	bool negated;
	size_t first, count; /* of the ranges of a class */
};

struct glob {
	FX_VEC(struct element) elements;
	FX_VEC(struct range) ranges;
};

static void glob_release(struct glob *g)
{
	fx_vec_release(&g->elements);
	fx_vec_release(&g->ranges);
}

/* One bound of a class: a rune, or an escaped one. Moves *i past it; false when malformed. */
static bool class_bound(const uint32_t *p, size_t len, size_t *i, uint32_t *out)
{
	if (*i >= len || p[*i] == '-' || p[*i] == ']')
		return false;
	if (p[*i] == '\\' && ++*i >= len)
		return false;
	*out = p[(*i)++];
	return *i < len;
}

static bool compile_class(struct glob *g, const uint32_t *p, size_t len, size_t *i)
{
	struct element e = {.kind = GLOB_CLASS, .first = g->ranges.len};
	if (*i < len && p[*i] == '^') {
		e.negated = true;
		++*i;
	}
	for (;;) {
		if (*i < len && p[*i] == ']' && e.count > 0)
			break;
		struct range r;
		if (!class_bound(p, len, i, &r.low))
			return false;
		r.high = r.low;
		if (p[*i] == '-') {
			++*i;
			if (!class_bound(p, len, i, &r.high))
				return false;
		}
		if (!fx_vec_push(&g->ranges, r))
			return false;
		e.count++;
	}
	++*i;
	return fx_vec_push(&g->elements, e);
}

/* False when the pattern is malformed. */
static bool compile_glob(struct glob *g, const uint32_t *p, size_t len)
{
	for (size_t i = 0; i < len;) {
		uint32_t c = p[i++];
		struct element e = {.kind = GLOB_RUNE, .rune = c};
		if (c == '[') {
			if (!compile_class(g, p, len, &i))
				return false;
			continue;
		}
		if (c == '\\') {
			if (i >= len)
				return false;
			e.rune = p[i++];
		} else if (c == '*') {
			e.kind = GLOB_STAR;
		} else if (c == '?') {
			e.kind = GLOB_ANY;
		}
		if (!fx_vec_push(&g->elements, e))
			return false;
	}
	return true;
}

static bool element_takes(const struct glob *g, const struct element *e, uint32_t rune)
{
	if (e->kind == GLOB_ANY)
		return true;
	if (e->kind == GLOB_RUNE)
		return e->rune == rune;
	for (size_t i = 0; i < e->count; i++) {
		const struct range *r = &g->ranges.items[e->first + i];
		if (rune >= r->low && rune <= r->high)
			return !e->negated;
	}
	return e->negated;
}

/*
 * Runs the glob over the runes and finds the prefixes that it matches as a whole: state i
 * means that the first i elements have matched. Gives the number of runes of the shortest
 * (or longest) non-empty matching prefix, 0 when there is none, -1 without memory.
 */
static ssize_t match_prefix(const struct glob *g, const uint32_t *runes, size_t len, bool longest)
{
	size_t m = g->elements.len;
	fx_autofree bool *now = calloc(m + 1, sizeof(bool));
	fx_autofree bool *next = calloc(m + 1, sizeof(bool));
	if (!now || !next)
		return -1;
	now[0] = true;
	for (size_t i = 0; i < m && g->elements.items[i].kind == GLOB_STAR; i++)
		now[i + 1] = true;
	size_t found = 0;
	for (size_t n = 0; n < len; n++) {
		memset(next, 0, m + 1);
		for (size_t i = 0; i < m; i++) {
			const struct element *e = &g->elements.items[i];
			if (e->kind == GLOB_STAR) {
				next[i] = next[i] || now[i];
				next[i + 1] = next[i + 1] || next[i];
			} else if (now[i] && element_takes(g, e, runes[n])) {
				next[i + 1] = true;
			}
		}
		memcpy(now, next, m + 1);
		if (now[m]) {
			found = n + 1;
			if (!longest)
				break;
		}
	}
	return (ssize_t)found;
}

static uint32_t *runes_of(const char *s, bool reversed, size_t *out_len)
{
	size_t len = strlen(s), n = 0;
	uint32_t *runes = malloc((len + 1) * sizeof(*runes));
	for (size_t pos = 0; runes && pos < len;) {
		size_t bytes;
		runes[n++] = rune_at(s + pos, len - pos, &bytes);
		pos += bytes;
	}
	for (size_t i = 0; runes && reversed && i < n / 2; i++) {
		uint32_t r = runes[i];
		runes[i] = runes[n - 1 - i];
		runes[n - 1 - i] = r;
	}
	*out_len = n;
	return runes;
}

/* A suffix is trimmed as the prefix of the reversed value by the reversed pattern: classes
 * and escapes do not survive that, and then nothing is trimmed. */
static int trim(const char *value, const char *pattern, bool suffix, bool longest, struct fx_buf *out,
        struct fx_error *err)
{
	size_t value_len, pattern_len;
	fx_autofree uint32_t *v = runes_of(value, suffix, &value_len);
	fx_autofree uint32_t *p = runes_of(pattern, suffix, &pattern_len);
	if (!v || !p)
		return fx_fail_nomem(err);
	if (pattern_len && value_len > FX_ENVSUBST_GLOB_WORK_MAX / pattern_len)
		return fx_fail(err, FX_E_LIMIT, "value and pattern of a trim expression are too long");

	struct glob g = {0};
	ssize_t cut = compile_glob(&g, p, pattern_len) ? match_prefix(&g, v, value_len, longest) : 0;
	glob_release(&g);
	if (cut < 0)
		return fx_fail_nomem(err);
	if (suffix)
		for (size_t i = value_len; i > (size_t)cut; i--)
			add_rune(out, v[i - 1]);
	else
		for (size_t i = (size_t)cut; i < value_len; i++)
			add_rune(out, v[i]);
	return 0;
}

/* Go's strings.Replace: an empty pattern stands before every rune and at the end. */
static void replace_empty(const char *value, const char *with, bool all, struct fx_buf *out)
{
	size_t len = strlen(value), pos = 0;
	fx_buf_add_str(out, with);
	while (all && pos < len) {
		size_t bytes;
		rune_at(value + pos, len - pos, &bytes);
		fx_buf_add(out, value + pos, bytes);
		fx_buf_add_str(out, with);
		pos += bytes;
	}
	fx_buf_add_str(out, value + pos);
}

static void replace(const char *value, const char *pattern, const char *with, bool all, struct fx_buf *out)
{
	if (!*pattern) {
		replace_empty(value, with, all, out);
		return;
	}
	const char *hit;
	while ((hit = strstr(value, pattern))) {
		fx_buf_add(out, value, (size_t)(hit - value));
		fx_buf_add_str(out, with);
		value = hit + strlen(pattern);
		if (!all || fx_buf_failed(out))
			break;
	}
	fx_buf_add_str(out, value);
}

/* An empty replacement leaves the value alone. */
static void replace_end(
        const char *value, const char *const *args, int count, bool suffix, struct fx_buf *out)
{
	size_t len = strlen(value), n = strlen(args[0]);
	const char *at = suffix && n <= len ? value + len - n : value;
	if (count < 2 || n > len || strncmp(at, args[0], n) != 0) {
		fx_buf_add_str(out, value);
		return;
	}
	fx_buf_add(out, value, suffix ? len - n : 0);
	fx_buf_add_str(out, args[1]);
	fx_buf_add_str(out, suffix ? "" : value + n);
}

int fx_envsubst_apply(enum fx_envsubst_op op, const char *value, const char *const *args, int count,
        struct fx_buf *out, struct fx_error *err)
{
	switch (op) {
	case FX_ENVSUBST_PLAIN:
		fx_buf_add_str(out, value);
		return 0;
	case FX_ENVSUBST_LENGTH:
		fx_buf_addf(out, "%zu", strlen(value));
		return 0;
	case FX_ENVSUBST_UPPER_FIRST:
	case FX_ENVSUBST_UPPER:
		change_case(value, true, op == FX_ENVSUBST_UPPER_FIRST, out);
		return 0;
	case FX_ENVSUBST_LOWER_FIRST:
	case FX_ENVSUBST_LOWER:
		change_case(value, false, op == FX_ENVSUBST_LOWER_FIRST, out);
		return 0;
	case FX_ENVSUBST_DEFAULT:
		fx_buf_add_str(out, *value ? value : args[0]);
		return 0;
	case FX_ENVSUBST_SUBSTRING:
		return substring(value, args, count, out, err);
	case FX_ENVSUBST_TRIM_PREFIX:
	case FX_ENVSUBST_TRIM_PREFIX_LONGEST:
		return trim(value, args[0], false, op == FX_ENVSUBST_TRIM_PREFIX_LONGEST, out, err);
	case FX_ENVSUBST_TRIM_SUFFIX:
	case FX_ENVSUBST_TRIM_SUFFIX_LONGEST:
		return trim(value, args[0], true, op == FX_ENVSUBST_TRIM_SUFFIX_LONGEST, out, err);
	case FX_ENVSUBST_REPLACE:
	case FX_ENVSUBST_REPLACE_ALL:
		replace(value, args[0], count > 1 ? args[1] : "", op == FX_ENVSUBST_REPLACE_ALL, out);
		return 0;
	case FX_ENVSUBST_REPLACE_PREFIX:
	case FX_ENVSUBST_REPLACE_SUFFIX:
		replace_end(value, args, count, op == FX_ENVSUBST_REPLACE_SUFFIX, out);
		return 0;
	}
	return fx_fail(err, FX_E_INTERNAL, "unknown substitution operator %d", (int)op);
}
