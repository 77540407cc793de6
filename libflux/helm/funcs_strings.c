/* Sprig's string functions. Source: Sprig 3.3 strings.go, xstrings 1.5, goutils 1.1. */
#include "funcs.h"

#include <ctype.h>
#include <stdlib.h>

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

/* ---- cutting ---- */

static struct fx_val part(struct fx_val s, size_t from, size_t to)
{
	return fx_v_strn(s.s + from, to - from);
}

static struct fx_val fn_trim(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)x, (void)n;
	size_t from = 0, to = a[0].len, w;
	while (from < to && fx_rune_is_space(fx_rune_at(a[0].s + from, to - from, &w)))
		from += w;
	for (;;) {
		size_t k = to;
		while (k > from && k > to - 4 && k > 0) {
			k--;
			if ((a[0].s[k] & 0xc0) != 0x80)
				break;
		}
		if (k >= to || !fx_rune_is_space(fx_rune_at(a[0].s + k, to - k, &w)) || k + w != to)
			break;
		to = k;
	}
	return part(a[0], from, to);
}

static bool in_cut(struct fx_val cut, unsigned r)
{
	for (size_t i = 0, w; i < cut.len; i += w) {
		if (fx_rune_at(cut.s + i, cut.len - i, &w) == r)
			return true;
	}
	return false;
}

static struct fx_val fn_trim_all(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)x, (void)n;
	size_t from = 0, to = a[1].len, w;
	while (from < to && in_cut(a[0], fx_rune_at(a[1].s + from, to - from, &w)))
		from += w;
	while (to > from) {
		size_t k = to - 1;
		while (k > from && k + 4 > to && ((unsigned char)a[1].s[k] & 0xc0) == 0x80)
			k--;
		if (!in_cut(a[0], fx_rune_at(a[1].s + k, to - k, &w)) || k + w != to)
			break;
		to = k;
	}
	return part(a[1], from, to);
}

static bool starts(struct fx_val s, struct fx_val p)
{
	return s.len >= p.len && memcmp(s.s, p.s, p.len) == 0;
}

static bool ends(struct fx_val s, struct fx_val p)
{
	return s.len >= p.len && memcmp(s.s + s.len - p.len, p.s, p.len) == 0;
}

static struct fx_val fn_trim_prefix(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)x, (void)n;
	return starts(a[1], a[0]) ? part(a[1], a[0].len, a[1].len) : a[1];
}

static struct fx_val fn_trim_suffix(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)x, (void)n;
	return ends(a[1], a[0]) ? part(a[1], 0, a[1].len - a[0].len) : a[1];
}

static struct fx_val fn_trunc(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)x, (void)n;
	int64_t c = a[0].i, len = a[1].len;
	if (c < 0 && len + c > 0)
		return part(a[1], (size_t)(len + c), (size_t)len);
	if (c >= 0 && len > c)
		return part(a[1], 0, (size_t)c);
	return a[1];
}

static struct fx_val slice_text(struct fx_render *x, struct fx_val s, int64_t from, int64_t to)
{
	if (to < 0)
		fx_render_throw(x, "runtime error: slice bounds out of range [:%lld]", (long long)to);
	if (to > (int64_t)s.len)
		fx_render_throw(x, "runtime error: slice bounds out of range [:%lld] with length %u",
		        (long long)to, s.len);
	if (from > to)
		fx_render_throw(x, "runtime error: slice bounds out of range [%lld:%lld]", (long long)from,
		        (long long)to);
	return part(s, (size_t)from, (size_t)to);
}

static struct fx_val fn_substr(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	int64_t from = a[0].i, to = a[1].i;
	if (from < 0)
		return slice_text(x, a[2], 0, to);
	if (to < 0 || to > (int64_t)a[2].len)
		return slice_text(x, a[2], from, a[2].len);
	return slice_text(x, a[2], from, to);
}

static struct fx_val dotted(struct fx_render *x, const char *left, struct fx_val mid, const char *right)
{
	struct fx_text t = {.x = x};
	fx_text_str(&t, left);
	fx_text_add(&t, mid.s, mid.len);
	fx_text_str(&t, right);
	return fx_text_val(&t);
}

static struct fx_val abbrev(struct fx_render *x, struct fx_val s, int64_t width)
{
	if (width < 4 || (int64_t)s.len <= width)
		return s;
	return dotted(x, "", part(s, 0, (size_t)width - 3), "...");
}

static struct fx_val fn_abbrev(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return abbrev(x, a[1], a[0].i);
}

static struct fx_val fn_abbrev_both(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	int64_t left = a[0].i, right = a[1].i, len = a[2].len;
	if (right < 4 || (left > 0 && right < 7) || len <= right)
		return a[2];
	int64_t off = left < len ? left : len;
	if (len - off < right - 3)
		off = len - (right - 3);
	if (off <= 4)
		return dotted(x, "", part(a[2], 0, (size_t)right - 3), "...");
	if (off + right - 3 < len) {
		struct fx_val rest = abbrev(x, part(a[2], (size_t)off, (size_t)len), right - 3);
		return dotted(x, "...", rest, "");
	}
	return dotted(x, "...", part(a[2], (size_t)(len - (right - 3)), (size_t)len), "");
}

/* ---- building ---- */

static struct fx_val repeat(struct fx_render *x, int64_t count, struct fx_val s)
{
	if (count < 0)
		fx_render_throw(x, "strings: negative Repeat count");
	if (s.len && (uint64_t)count > FX_FN_TEXT_MAX / s.len)
		fx_render_throw(x, "strings: Repeat output length overflow");
	char *out = fx_render_alloc(x, (size_t)count * s.len + 1);
	for (size_t i = 0; s.len && i < (size_t)count; i++)
		memcpy(out + i * s.len, s.s, s.len);
	out[(size_t)count * s.len] = 0;
	return fx_v_strn(out, (size_t)count * s.len);
}

static struct fx_val fn_repeat(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return repeat(x, a[0].i, a[1]);
}

static struct fx_val replace_all(struct fx_render *x, struct fx_val s, struct fx_val old, struct fx_val new)
{
	struct fx_text t = {.x = x};
	fx_text_add(&t, "", 0);
	if (old.len == 0) {
		for (size_t i = 0, w; i < s.len; i += w) {
			fx_rune_at(s.s + i, s.len - i, &w);
			fx_text_add(&t, new.s, new.len);
			fx_text_add(&t, s.s + i, w);
		}
		fx_text_add(&t, new.s, new.len);
		return fx_text_val(&t);
	}
	size_t i = 0;
	for (const char *p; s.len - i >= old.len && (p = memmem(s.s + i, s.len - i, old.s, old.len));) {
		fx_text_add(&t, s.s + i, (size_t)(p - s.s) - i);
		fx_text_add(&t, new.s, new.len);
		i = (size_t)(p - s.s) + old.len;
	}
	fx_text_add(&t, s.s + i, s.len - i);
	return fx_text_val(&t);
}

static struct fx_val fn_replace(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return replace_all(x, a[2], a[0], a[1]);
}

static struct fx_val fn_contains(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)x, (void)n;
	return fx_v_bool(
	        a[0].len == 0 || (a[1].len >= a[0].len && memmem(a[1].s, a[1].len, a[0].s, a[0].len)));
}

static struct fx_val fn_has_prefix(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)x, (void)n;
	return fx_v_bool(starts(a[1], a[0]));
}

static struct fx_val fn_has_suffix(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)x, (void)n;
	return fx_v_bool(ends(a[1], a[0]));
}

static struct fx_val fn_quote(struct fx_render *x, const struct fx_val *a, size_t n)
{
	struct fx_text t = {.x = x};
	fx_text_add(&t, "", 0);
	bool any = false;
	for (size_t i = 0; i < n; i++) {
		if (a[i].kind == FX_VAL_NIL)
			continue;
		if (any)
			fx_text_char(&t, ' ');
		any = true;
		struct fx_val s = fx_v_strval(x, a[i]);
		fx_fmt_quote(&t, s.s, s.len, false);
	}
	return fx_text_val(&t);
}

static struct fx_val fn_squote(struct fx_render *x, const struct fx_val *a, size_t n)
{
	struct fx_text t = {.x = x};
	fx_text_add(&t, "", 0);
	bool any = false;
	for (size_t i = 0; i < n; i++) {
		if (a[i].kind == FX_VAL_NIL)
			continue;
		fx_text_str(&t, any ? " '" : "'");
		any = true;
		fx_fmt_v(&t, a[i]);
		fx_text_char(&t, '\'');
	}
	return fx_text_val(&t);
}

static struct fx_val fn_cat(struct fx_render *x, const struct fx_val *a, size_t n)
{
	struct fx_text t = {.x = x};
	fx_text_add(&t, "", 0);
	bool any = false;
	for (size_t i = 0; i < n; i++) {
		if (a[i].kind == FX_VAL_NIL)
			continue;
		if (any)
			fx_text_char(&t, ' ');
		any = true;
		fx_fmt_v(&t, a[i]);
	}
	return fx_text_val(&t);
}

static struct fx_val indent(struct fx_render *x, int64_t count, struct fx_val s, const char *lead)
{
	struct fx_val pad = repeat(x, count, fx_v_str(" "));
	struct fx_text t = {.x = x};
	fx_text_str(&t, lead);
	fx_text_add(&t, pad.s, pad.len);
	for (size_t i = 0; i < s.len;) {
		const char *p = memchr(s.s + i, '\n', s.len - i);
		size_t end = p ? (size_t)(p - s.s) + 1 : s.len;
		fx_text_add(&t, s.s + i, end - i);
		if (p)
			fx_text_add(&t, pad.s, pad.len);
		if (t.len > FX_FN_TEXT_MAX)
			fx_render_throw(x, "the text is too long");
		i = end;
	}
	return fx_text_val(&t);
}

static struct fx_val fn_indent(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return indent(x, a[0].i, a[1], "");
}

static struct fx_val fn_nindent(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return indent(x, a[0].i, a[1], "\n");
}

static struct fx_val fn_plural(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)x, (void)n;
	return a[2].i == 1 ? a[0] : a[1];
}

/* ---- lists of strings ---- */

struct fx_val fx_v_to_strings(struct fx_render *x, struct fx_val v)
{
	struct fx_val out = fx_v_list(x, 0);
	out.type = FX_T_STRINGS;
	if (v.kind == FX_VAL_NIL)
		return out;
	if (v.kind != FX_VAL_LIST && v.kind != FX_VAL_BYTES) {
		fx_v_push(x, out, fx_v_strval(x, v));
		return out;
	}
	for (size_t i = 0; i < fx_v_len(v); i++) {
		struct fx_val e = fx_v_item(v, i);
		if (e.kind != FX_VAL_NIL)
			fx_v_push(x, out, fx_v_strval(x, e));
	}
	return out;
}

static struct fx_val fn_to_strings(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return fx_v_to_strings(x, a[0]);
}

static struct fx_val fn_to_string(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return fx_v_strval(x, a[0]);
}

static struct fx_val fn_join(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	struct fx_val l = fx_v_to_strings(x, a[1]);
	struct fx_text t = {.x = x};
	fx_text_add(&t, "", 0);
	for (size_t i = 0; i < fx_v_len(l); i++) {
		if (i)
			fx_text_add(&t, a[0].s, a[0].len);
		fx_text_add(&t, l.list->items[i].s, l.list->items[i].len);
	}
	return fx_text_val(&t);
}

static int by_bytes(const void *a, const void *b)
{
	const struct fx_val *p = a, *q = b;
	int c = memcmp(p->s, q->s, p->len < q->len ? p->len : q->len);
	return c ? c : p->len < q->len ? -1 : p->len > q->len;
}

static struct fx_val fn_sort_alpha(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	struct fx_val l;
	if (a[0].kind == FX_VAL_NIL) {
		l = fx_v_list(x, 1);
		l.type = FX_T_STRINGS;
		fx_v_push(x, l, fx_v_str("<nil>"));
		return l;
	}
	l = fx_v_to_strings(x, a[0]);
	if (fx_v_len(l))
		qsort(l.list->items, l.list->len, sizeof(struct fx_val), by_bytes);
	return l;
}

/* strings.SplitN; limit < 0: all. */
static struct fx_val split_text(struct fx_render *x, struct fx_val s, struct fx_val sep, int64_t limit)
{
	struct fx_val out = fx_v_list(x, 0);
	out.type = FX_T_STRINGS;
	if (limit == 0)
		return out;
	size_t i = 0;
	if (sep.len == 0) {
		for (size_t w; i < s.len; i += w) {
			fx_rune_at(s.s + i, s.len - i, &w);
			if (limit > 0 && (int64_t)fx_v_len(out) + 1 == limit)
				w = s.len - i;
			fx_v_push(x, out, part(s, i, i + w));
		}
		return out;
	}
	while (limit < 0 || (int64_t)fx_v_len(out) + 1 < limit) {
		const char *p = s.len - i >= sep.len ? memmem(s.s + i, s.len - i, sep.s, sep.len) : NULL;
		if (!p)
			break;
		fx_v_push(x, out, part(s, i, (size_t)(p - s.s)));
		i = (size_t)(p - s.s) + sep.len;
	}
	fx_v_push(x, out, part(s, i, s.len));
	return out;
}

static struct fx_val numbered(struct fx_render *x, struct fx_val list)
{
	struct fx_val map = fx_v_map(x);
	map.type = FX_T_STRING_MAP;
	for (size_t i = 0; i < fx_v_len(list); i++) {
		char key[24];
		snprintf(key, sizeof(key), "_%zu", i);
		fx_v_set(x, map, key, list.list->items[i]);
	}
	return map;
}

static struct fx_val fn_split(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return numbered(x, split_text(x, a[1], a[0], -1));
}

static struct fx_val fn_splitn(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return numbered(x, split_text(x, a[2], a[0], a[1].i));
}

static struct fx_val fn_split_list(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return split_text(x, a[1], a[0], -1);
}

/* ---- wrapping ---- */

static struct fx_val wrap(struct fx_render *x, struct fx_val s, int64_t width, struct fx_val sep, bool cut)
{
	struct fx_text t = {.x = x};
	fx_text_add(&t, "", 0);
	if (width < 1)
		width = 1;
	if (sep.len == 0)
		sep = fx_v_str("\n");
	size_t off = 0, len = s.len, w = (size_t)width;
	while (off < len && len - off > w) {
		if (s.s[off] == ' ') {
			off++;
			continue;
		}
		const char *j = memrchr(s.s + off, ' ', w + 1);
		size_t end;
		if (j) {
			end = (size_t)(j - s.s);
		} else if (cut) {
			fx_text_add(&t, s.s + off, w);
			fx_text_add(&t, sep.s, sep.len);
			off += w;
			continue;
		} else {
			const char *k = memchr(s.s + off + w, ' ', len - off - w);
			if (!k)
				break;
			end = (size_t)(k - s.s);
		}
		fx_text_add(&t, s.s + off, end - off);
		fx_text_add(&t, sep.s, sep.len);
		off = end + 1;
	}
	if (off < len)
		fx_text_add(&t, s.s + off, len - off);
	return fx_text_val(&t);
}

static struct fx_val fn_wrap(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return wrap(x, a[1], a[0].i, fx_v_str(""), false);
}

static struct fx_val fn_wrap_with(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return wrap(x, a[2], a[0].i, a[1], true);
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
				*out = part(s, start, k);
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
	*out = part(s, start, k);
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

/* ---- random ---- */

static struct fx_val random_text(struct fx_render *x, int64_t count, const char *set)
{
	if (count <= 0)
		return fx_v_str("");
	if (count > FX_FN_ITEMS_MAX)
		fx_render_throw(x, "more than %u characters", FX_FN_ITEMS_MAX);
	size_t n = strlen(set), i = 0;
	char *out = fx_render_alloc(x, (size_t)count + 1);
	unsigned limit = 256 - 256 % (unsigned)n;
	while (i < (size_t)count) {
		unsigned char b[64];
		fx_render_random(x, b, sizeof(b));
		for (size_t k = 0; k < sizeof(b) && i < (size_t)count; k++) {
			if (b[k] < limit)
				out[i++] = set[b[k] % n];
		}
	}
	out[i] = 0;
	return fx_v_strn(out, i);
}

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

static struct fx_val fn_rand_alpha_num(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return random_text(x, a[0].i, LETTERS DIGITS);
}

static struct fx_val fn_rand_alpha(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return random_text(x, a[0].i, LETTERS);
}

static struct fx_val fn_rand_numeric(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return random_text(x, a[0].i, DIGITS);
}

static struct fx_val fn_rand_ascii(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	char set[96];
	for (int i = 0; i < 95; i++)
		set[i] = (char)(32 + i);
	set[95] = 0;
	return random_text(x, a[0].i, set);
}

static struct fx_val fn_shuffle(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	struct fx_val l = split_text(x, a[0], fx_v_str(""), -1);
	struct fx_text t = {.x = x};
	fx_text_add(&t, "", 0);
	for (size_t i = fx_v_len(l); i > 1; i--) {
		uint64_t r;
		fx_render_random(x, &r, sizeof(r));
		struct fx_val *p = l.list->items, keep = p[i - 1];
		p[i - 1] = p[r % i];
		p[r % i] = keep;
	}
	for (size_t i = 0; i < fx_v_len(l); i++)
		fx_text_add(&t, l.list->items[i].s, l.list->items[i].len);
	return fx_text_val(&t);
}

static struct fx_val fn_hello(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)x, (void)a, (void)n;
	return fx_v_str("Hello!");
}

const struct fx_fn fx_fns_strings[] = {
        {"upper", "S", fn_upper},
        {"lower", "S", fn_lower},
        {"title", "S", fn_title},
        {"untitle", "S", fn_untitle},
        {"swapcase", "S", fn_swapcase},
        {"initials", "S", fn_initials},
        {"nospace", "S", fn_nospace},
        {"trim", "S", fn_trim},
        {"trimAll", "SS", fn_trim_all},
        {"trimall", "SS", fn_trim_all},
        {"trimPrefix", "SS", fn_trim_prefix},
        {"trimSuffix", "SS", fn_trim_suffix},
        {"trunc", "IS", fn_trunc},
        {"substr", "IIS", fn_substr},
        {"abbrev", "IS", fn_abbrev},
        {"abbrevboth", "IIS", fn_abbrev_both},
        {"repeat", "IS", fn_repeat},
        {"replace", "SSS", fn_replace},
        {"contains", "SS", fn_contains},
        {"hasPrefix", "SS", fn_has_prefix},
        {"hasSuffix", "SS", fn_has_suffix},
        {"quote", "A*", fn_quote},
        {"squote", "A*", fn_squote},
        {"cat", "A*", fn_cat},
        {"indent", "IS", fn_indent},
        {"nindent", "IS", fn_nindent},
        {"plural", "SSI", fn_plural},
        {"toStrings", "A", fn_to_strings},
        {"toString", "A", fn_to_string},
        {"join", "SA", fn_join},
        {"sortAlpha", "A", fn_sort_alpha},
        {"split", "SS", fn_split},
        {"splitn", "SIS", fn_splitn},
        {"splitList", "SS", fn_split_list},
        {"wrap", "IS", fn_wrap},
        {"wrapWith", "ISS", fn_wrap_with},
        {"camelcase", "S", fn_camelcase},
        {"snakecase", "S", fn_snakecase},
        {"kebabcase", "S", fn_kebabcase},
        {"randAlphaNum", "I", fn_rand_alpha_num},
        {"randAlpha", "I", fn_rand_alpha},
        {"randNumeric", "I", fn_rand_numeric},
        {"randAscii", "I", fn_rand_ascii},
        {"shuffle", "S", fn_shuffle},
        {"hello", "", fn_hello},
        {NULL, NULL, NULL},
};
