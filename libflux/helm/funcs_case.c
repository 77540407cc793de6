/* Upper and lower case, and the words of a name. */
#include "funcs.h"

#include <ctype.h>

/* ---- Unicode's simple case mapping, for the alphabets that have cases ---- */

struct case_range {
	unsigned from, to; /* upper case */
	int delta;         /* to lower case; 1 with pairs: alternating upper, lower */
	bool pairs;
};

static const struct case_range cases[] = {{'A', 'Z', 32, false}, {0xc0, 0xd6, 32, false},
        {0xd8, 0xde, 32, false}, {0x100, 0x12e, 1, true}, {0x132, 0x136, 1, true}, {0x139, 0x147, 1, true},
        {0x14a, 0x176, 1, true}, {0x178, 0x178, -121, false}, {0x179, 0x17d, 1, true},
        {0x1cd, 0x1db, 1, true}, {0x1de, 0x1ee, 1, true}, {0x1f8, 0x21e, 1, true}, {0x222, 0x232, 1, true},
        {0x386, 0x386, 38, false}, {0x388, 0x38a, 37, false}, {0x38c, 0x38c, 64, false},
        {0x38e, 0x38f, 63, false}, {0x391, 0x3a1, 32, false}, {0x3a3, 0x3ab, 32, false},
        {0x3d8, 0x3ee, 1, true}, {0x400, 0x40f, 80, false}, {0x410, 0x42f, 32, false},
        {0x460, 0x480, 1, true}, {0x48a, 0x4be, 1, true}, {0x4c0, 0x4c0, 15, false}, {0x4c1, 0x4cd, 1, true},
        {0x4d0, 0x52e, 1, true}, {0x531, 0x556, 48, false}, {0x10a0, 0x10c5, 7264, false},
        {0x1e00, 0x1e94, 1, true}, {0x1ea0, 0x1efe, 1, true}, {0x2160, 0x216f, 16, false},
        {0x24b6, 0x24cf, 26, false}, {0x2c00, 0x2c2f, 48, false}, {0x2c80, 0x2ce2, 1, true},
        {0xa640, 0xa66c, 1, true}, {0xa680, 0xa69a, 1, true}, {0xa722, 0xa72e, 1, true},
        {0xa732, 0xa76e, 1, true}, {0xff21, 0xff3a, 32, false}, {0x10400, 0x10427, 40, false}};

unsigned fx_rune_lower(unsigned r)
{
	if (r == 0x130)
		return 'i';
	if (r == 0x1e9e)
		return 0xdf;
	if (r == 0x212a)
		return 'k';
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		const struct case_range *c = &cases[i];
		if (r < c->from)
			break;
		if (r <= c->to && (!c->pairs || (r - c->from) % 2 == 0))
			return (unsigned)((int)r + c->delta);
	}
	return r;
}

unsigned fx_rune_upper(unsigned r)
{
	if (r == 0xb5)
		return 0x39c;
	if (r == 0x131)
		return 'I';
	if (r == 0x17f)
		return 'S';
	if (r == 0x3c2)
		return 0x3a3;
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		const struct case_range *c = &cases[i];
		unsigned up = (unsigned)((int)r - c->delta);
		if (up >= c->from && up <= c->to && (!c->pairs || (up - c->from) % 2 == 0))
			return up;
	}
	return r;
}

static bool rune_is_upper(unsigned r)
{
	return fx_rune_lower(r) != r;
}

static bool rune_is_lower(unsigned r)
{
	return fx_rune_upper(r) != r || r == 0xdf || r == 0x138;
}

static bool rune_is_digit(unsigned r)
{
	return (r >= '0' && r <= '9') || (r >= 0x660 && r <= 0x669) || (r >= 0xff10 && r <= 0xff19) ||
	       r == 0xb2 || r == 0xb3 || r == 0xb9 || (r >= 0xbc && r <= 0xbe) ||
	       (r >= 0x2160 && r <= 0x2188);
}

static bool rune_is_punct(unsigned r)
{
	if (r < 0x80)
		return r && strchr("!\"#%&'()*,-./:;?@[\\]_{}", (int)r);
	return r == 0xa1 || r == 0xa7 || r == 0xab || r == 0xb6 || r == 0xb7 || r == 0xbb || r == 0xbf ||
	       (r >= 0x2010 && r <= 0x2027) || (r >= 0x2030 && r <= 0x205e && r != 0x2044 && r != 0x2052) ||
	       (r >= 0x3001 && r <= 0x3003) || (r >= 0x3008 && r <= 0x3011);
}

static struct fx_val map_runes(struct fx_render *x, struct fx_val s, unsigned (*f)(unsigned))
{
	struct fx_text t = {.x = x};
	fx_text_add(&t, "", 0);
	for (size_t i = 0, w; i < s.len; i += w)
		fx_text_rune(&t, f(fx_rune_at(s.s + i, s.len - i, &w)));
	return fx_text_val(&t);
}

static struct fx_val fn_upper(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return map_runes(x, a[0], fx_rune_upper);
}

static struct fx_val fn_lower(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return map_runes(x, a[0], fx_rune_lower);
}

static bool title_separator(unsigned r)
{
	if (r < 0x80)
		return !isalnum((int)r) && r != '_';
	return fx_rune_is_space(r);
}

static struct fx_val fn_title(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	struct fx_text t = {.x = x};
	unsigned prev = ' ';
	for (size_t i = 0, w; i < a[0].len; i += w) {
		unsigned r = fx_rune_at(a[0].s + i, a[0].len - i, &w);
		fx_text_rune(&t, title_separator(prev) ? fx_rune_upper(r) : r);
		prev = r;
	}
	return fx_text_val(&t);
}

static struct fx_val fn_untitle(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	struct fx_text t = {.x = x};
	bool start = true;
	for (size_t i = 0, w; i < a[0].len; i += w) {
		unsigned r = fx_rune_at(a[0].s + i, a[0].len - i, &w);
		fx_text_rune(&t, start ? fx_rune_lower(r) : r);
		start = fx_rune_is_space(r);
	}
	return fx_text_val(&t);
}

static struct fx_val fn_swapcase(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	struct fx_text t = {.x = x};
	bool space = true;
	for (size_t i = 0, w; i < a[0].len; i += w) {
		unsigned r = fx_rune_at(a[0].s + i, a[0].len - i, &w), o = r;
		if (rune_is_upper(r)) {
			o = fx_rune_lower(r);
			space = false;
		} else if (rune_is_lower(r)) {
			o = fx_rune_upper(r);
			space = false;
		} else {
			space = fx_rune_is_space(r);
		}
		fx_text_rune(&t, o);
	}
	(void)space;
	return fx_text_val(&t);
}

static bool space_byte(unsigned char c)
{
	return fx_rune_is_space(c);
}

static struct fx_val fn_initials(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	struct fx_text t = {.x = x};
	bool start = true;
	for (size_t i = 0; i < a[0].len; i++) {
		unsigned char c = (unsigned char)a[0].s[i];
		bool sp = space_byte(c);
		if (start && !sp)
			fx_text_rune(&t, c);
		start = sp;
	}
	return fx_text_val(&t);
}

static struct fx_val fn_nospace(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	struct fx_text t = {.x = x};
	bool removed = false;
	for (size_t i = 0; i < a[0].len; i++) {
		unsigned char c = (unsigned char)a[0].s[i];
		if (space_byte(c))
			removed = true;
		else
			fx_text_rune(&t, c);
	}
	return removed ? fx_text_val(&t) : a[0];
}

/* ---- camelCase and the like ---- */

static bool connector(unsigned r)
{
	return r == '-' || r == '_' || fx_rune_is_space(r);
}

static struct fx_val fn_camelcase(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	struct fx_text t = {.x = x};
	fx_text_add(&t, "", 0);
	const char *s = a[0].s;
	size_t i = 0, len = a[0].len, w;
	unsigned r0 = 0, r1;
	bool first = false;
	if (len == 0)
		return a[0];
	while (i < len) {
		r0 = fx_rune_at(s + i, len - i, &w);
		i += w;
		if (!connector(r0)) {
			first = rune_is_upper(r0);
			r0 = fx_rune_upper(r0);
			break;
		}
		fx_text_rune(&t, r0);
	}
	if (i >= len) {
		fx_text_rune(&t, r0);
		return fx_text_val(&t);
	}
	while (i < len) {
		r1 = r0;
		r0 = fx_rune_at(s + i, len - i, &w);
		i += w;
		if (connector(r0) && connector(r1)) {
			fx_text_rune(&t, r1);
		} else if (connector(r1)) {
			first = rune_is_upper(r0);
			r0 = fx_rune_upper(r0);
		} else {
			if (first && rune_is_upper(r0))
				r0 = fx_rune_lower(r0);
			else
				first = false;
			fx_text_rune(&t, r1);
		}
	}
	fx_text_rune(&t, r0);
	return fx_text_val(&t);
}

enum word {
	W_NONE,
	W_NUMBER,
	W_UPPER,
	W_ALPHA,
	W_CONNECTOR,
	W_PUNCT,
	W_OTHER,
};

static bool rune_is_letter(unsigned r)
{
	return r < 0x80 ? isalpha((int)r)
	                : rune_is_upper(r) || rune_is_lower(r) ||
	                          (r >= 0xaa && fx_rune_is_print(r) && !rune_is_punct(r) &&
	                                  !rune_is_digit(r) && !(r >= 0x2000 && r < 0x2c00) && r != 0xd7 &&
	                                  r != 0xf7 && (r >= 0xc0 || r == 0xaa || r == 0xb5 || r == 0xba) &&
	                                  !(r >= 0x1f000 && r < 0x1fb00));
}

/* Ideographs are no alphabet to the library behind Sprig. */
static bool rune_is_ideograph(unsigned r)
{
	return (r >= 0x4e00 && r <= 0x9fcc) || (r >= 0x3400 && r <= 0x4d85) || (r >= 0x20000 && r <= 0x2b81d);
}

static enum word rune_word(unsigned r)
{
	if (connector(r))
		return W_CONNECTOR;
	if (rune_is_upper(r))
		return W_UPPER;
	if (rune_is_digit(r))
		return W_NUMBER;
	if (rune_is_punct(r))
		return W_PUNCT;
	if (rune_is_letter(r) && !rune_is_ideograph(r))
		return W_ALPHA;
	return W_OTHER;
}

/* The next word of s from *i on. */
static enum word next_word(struct fx_val s, size_t *i, struct fx_val *out)
{
	size_t start = *i, w, k = start;
	if (start >= s.len) {
		*out = fx_v_str("");
		return W_NONE;
	}
	unsigned r = fx_rune_at(s.s + k, s.len - k, &w);
	enum word kind = rune_word(r);
	k += w;
	size_t last = start;
	unsigned count = 1;
	while (k < s.len) {
		unsigned q = fx_rune_at(s.s + k, s.len - k, &w);
		enum word next = rune_word(q);
		if (kind == W_UPPER && next == W_ALPHA) {
			if (count == 1) {
				kind = W_ALPHA;
				while (k < s.len && rune_word(fx_rune_at(s.s + k, s.len - k, &w)) == W_ALPHA)
					k += w;
				*i = k;
				*out = fx_v_part(s, start, k);
				return W_UPPER;
			}
			k = last;
			break;
		}
		if (next != kind)
			break;
		last = k;
		k += w;
		count++;
	}
	*i = k;
	*out = fx_v_part(s, start, k);
	return kind;
}

static void put_word(struct fx_text *t, enum word kind, struct fx_val s, char conn)
{
	for (size_t i = 0, w; i < s.len; i += w) {
		unsigned r = fx_rune_at(s.s + i, s.len - i, &w);
		fx_text_rune(t, kind == W_CONNECTOR ? (unsigned)conn
		                : kind == W_UPPER   ? fx_rune_lower(r)
		                                    : r);
	}
}

static bool wants_connector(enum word next)
{
	return next != W_NONE && next != W_PUNCT && next != W_CONNECTOR;
}

static struct fx_val to_words(struct fx_render *x, struct fx_val s, char conn)
{
	struct fx_text t = {.x = x};
	fx_text_add(&t, "", 0);
	size_t i = 0;
	struct fx_val word, next;
	enum word kind = next_word(s, &i, &word);
	while (kind != W_NONE) {
		put_word(&t, kind, word, conn);
		enum word prev = kind;
		kind = next_word(s, &i, &word);
		if (prev == W_NUMBER) {
			while (kind == W_ALPHA || kind == W_NUMBER) {
				put_word(&t, kind, word, conn);
				kind = next_word(s, &i, &word);
			}
			if (wants_connector(kind))
				fx_text_char(&t, conn);
			continue;
		}
		if (prev == W_CONNECTOR || prev == W_PUNCT)
			continue;
		if (kind != W_NUMBER) {
			if (wants_connector(kind))
				fx_text_char(&t, conn);
			continue;
		}
		size_t k = i;
		enum word after = next_word(s, &k, &next);
		if (after == W_ALPHA) {
			fx_text_char(&t, conn);
			while (kind == W_ALPHA || kind == W_NUMBER) {
				put_word(&t, kind, word, conn);
				kind = next_word(s, &i, &word);
			}
		} else {
			put_word(&t, kind, word, conn);
			kind = next_word(s, &i, &word);
		}
		if (wants_connector(kind))
			fx_text_char(&t, conn);
	}
	return fx_text_val(&t);
}

static struct fx_val fn_snakecase(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return to_words(x, a[0], '_');
}

static struct fx_val fn_kebabcase(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return to_words(x, a[0], '-');
}

const struct fx_fn fx_fns_case[] = {
        {"upper", "S", fn_upper},
        {"lower", "S", fn_lower},
        {"title", "S", fn_title},
        {"untitle", "S", fn_untitle},
        {"swapcase", "S", fn_swapcase},
        {"initials", "S", fn_initials},
        {"nospace", "S", fn_nospace},
        {"camelcase", "S", fn_camelcase},
        {"snakecase", "S", fn_snakecase},
        {"kebabcase", "S", fn_kebabcase},
        {NULL, NULL, NULL},
};
