/* Sprig's string functions. Source: Sprig 3.3 strings.go, xstrings 1.5, goutils 1.1. */
#include "funcs.h"

#include <ctype.h>
#include <stdlib.h>

/* ---- cutting ---- */

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
	return fx_v_part(a[0], from, to);
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
	return fx_v_part(a[1], from, to);
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
	return starts(a[1], a[0]) ? fx_v_part(a[1], a[0].len, a[1].len) : a[1];
}

static struct fx_val fn_trim_suffix(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)x, (void)n;
	return ends(a[1], a[0]) ? fx_v_part(a[1], 0, a[1].len - a[0].len) : a[1];
}

static struct fx_val fn_trunc(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)x, (void)n;
	int64_t c = a[0].i, len = a[1].len;
	if (c < 0 && len + c > 0)
		return fx_v_part(a[1], (size_t)(len + c), (size_t)len);
	if (c >= 0 && len > c)
		return fx_v_part(a[1], 0, (size_t)c);
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
	return fx_v_part(s, (size_t)from, (size_t)to);
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
	return dotted(x, "", fx_v_part(s, 0, (size_t)width - 3), "...");
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
		return dotted(x, "", fx_v_part(a[2], 0, (size_t)right - 3), "...");
	if (off + right - 3 < len) {
		struct fx_val rest = abbrev(x, fx_v_part(a[2], (size_t)off, (size_t)len), right - 3);
		return dotted(x, "...", rest, "");
	}
	return dotted(x, "...", fx_v_part(a[2], (size_t)(len - (right - 3)), (size_t)len), "");
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
			fx_v_push(x, out, fx_v_part(s, i, i + w));
		}
		return out;
	}
	while (limit < 0 || (int64_t)fx_v_len(out) + 1 < limit) {
		const char *p = s.len - i >= sep.len ? memmem(s.s + i, s.len - i, sep.s, sep.len) : NULL;
		if (!p)
			break;
		fx_v_push(x, out, fx_v_part(s, i, (size_t)(p - s.s)));
		i = (size_t)(p - s.s) + sep.len;
	}
	fx_v_push(x, out, fx_v_part(s, i, s.len));
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
        {"randAlphaNum", "I", fn_rand_alpha_num},
        {"randAlpha", "I", fn_rand_alpha},
        {"randNumeric", "I", fn_rand_numeric},
        {"randAscii", "I", fn_rand_ascii},
        {"shuffle", "S", fn_shuffle},
        {"hello", "", fn_hello},
        {NULL, NULL, NULL},
};
