#include "data/values.h"

#include "data/base64.h"
#include "data/yaml.h"
#include "data/yaml_text.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- strings ---- */

/* What go-yaml v2 does not accept in a JSON text. */
static int check_string(const char *s, size_t len, struct fx_error *err)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i], d = i + 1 < len ? (unsigned char)s[i + 1] : 0;
		bool c1 = c == 0xc2 && d >= 0x80 && d < 0xa0 && d != 0x85;
		bool non_character = c == 0xef && d == 0xbf && i + 2 < len && (unsigned char)s[i + 2] >= 0xbe;
		if (c == 0x7f || c1 || non_character)
			return fx_fail(err, FX_E_INVALID, "yaml: control characters are not allowed");
	}
	return 0;
}

static bool has_nel(const char *s, size_t len)
{
	return len >= 2 && memmem(s, len, "\xc2\x85", 2) != NULL;
}

/* NEL inside a quoted text is a line break and folds as one. */
static int fold_nel(const char *s, size_t len, struct fx_value_text *out)
{
	char *to = malloc(len + 1);
	if (!to)
		return -1;
	size_t n = 0;
	for (size_t i = 0; i < len;) {
		if (i + 1 >= len || memcmp(s + i, "\xc2\x85", 2) != 0) {
			to[n++] = s[i++];
			continue;
		}
		while (n > 0 && (to[n - 1] == ' ' || to[n - 1] == '\t'))
			n--;
		size_t breaks = 0;
		while (i < len) {
			if (i + 1 < len && memcmp(s + i, "\xc2\x85", 2) == 0) {
				breaks++;
				i += 2;
			} else if (s[i] == ' ' || s[i] == '\t') {
				i++;
			} else {
				break;
			}
		}
		if (breaks == 1)
			to[n++] = ' ';
		for (size_t k = 1; k < breaks; k++)
			to[n++] = '\n';
	}
	to[n] = '\0';
	out->owned = to;
	out->text = to;
	out->len = n;
	return 0;
}

/* Bytes that are no UTF-8 become U+FFFD, as in encoding/json. */
static size_t to_valid_utf8(const char *s, size_t len, char *out)
{
	size_t n = 0;
	for (size_t i = 0; i < len;) {
		size_t w = fx_utf8_width((unsigned char)s[i]);
		if (i + w <= len && fx_utf8_valid(s + i, w)) {
			memcpy(out + n, s + i, w);
			n += w;
			i += w;
			continue;
		}
		memcpy(out + n, "\xef\xbf\xbd", 3);
		n += 3;
		i++;
	}
	out[n] = '\0';
	return n;
}

static int decode_binary(const struct fx_node *node, struct fx_value_text *out, struct fx_error *err)
{
	size_t n = 0;
	fx_autofree char *raw = fx_base64_decode(node->text, node->len, &n);
	if (!raw)
		return fx_fail(err, FX_E_INVALID, "yaml: !!binary value contains invalid base64 data");
	char *text = malloc(n * 3 + 1);
	if (!text)
		return fx_fail_nomem(err);
	out->owned = text;
	out->len = to_valid_utf8(raw, n, text);
	out->text = text;
	return 0;
}

/* ---- scalars ---- */

/*
 * Block scalars are written and read once more on their way, which not all survive unchanged:
 * a tab in front is refused, and folded texts gain line breaks.
 */
static int reread_block(const struct fx_node *n, struct fx_value_text *out, struct fx_error *err)
{
	if (n->text[0] != '\t' && n->style != FX_STYLE_FOLDED)
		return 0;
	if (!fx_yaml_text_analyze(n->text, n->len, true).block)
		return 0;
	if (n->text[0] == '\t')
		return fx_fail(err, FX_E_INVALID,
		        "yaml: line 2: found a tab character where an indentation space is expected");
	fx_auto(buf) struct fx_buf text = FX_BUF_INIT;
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(0);
	struct fx_node *again = NULL;
	if (!arena)
		return fx_fail_nomem(err);
	if (fx_yaml_write_node(n, &text, err) < 0 ||
	        fx_yaml_read(arena, fx_buf_str(&text), text.len, NULL, &again, err) < 0)
		return -1;
	if (!fx_node_is_scalar(again))
		return 0;
	out->owned = malloc(again->len + 1);
	if (!out->owned)
		return fx_fail_nomem(err);
	memcpy(out->owned, again->text, again->len + 1);
	out->text = out->owned;
	out->len = again->len;
	return 0;
}

/* encoding/json's text. Whole numbers are integers from there on. */
static void float_text(double f, struct fx_value_text *out)
{
	out->len = fx_double_json(f, out->number);
	out->text = out->number;
	if (strpbrk(out->number, ".e"))
		return;
	errno = 0;
	bool some = out->number[0] == '-' ? strtoll(out->number, NULL, 10) != 0
	                                  : strtoull(out->number, NULL, 10) != 0;
	if (errno == 0 && (some || f == 0))
		out->tag = FX_TAG_INT;
}

int fx_value_text_make(const struct fx_node *n, bool in_flow, struct fx_value_text *out, struct fx_error *err)
{
	out->owned = NULL;
	out->is_string = false;
	out->text = n->text;
	out->len = n->len;
	struct fx_scalar v;
	if (n->tag == FX_TAG_STR)
		v.tag = FX_TAG_STR;
	else if (fx_scalar_value(n, in_flow, &v, err) < 0)
		return -1;
	out->tag = v.tag;
	switch (v.tag) {
	case FX_TAG_NULL:
		out->text = "null";
		out->len = 4;
		return 0;
	case FX_TAG_BOOL:
		out->text = v.b ? "true" : "false";
		out->len = v.b ? 4 : 5;
		return 0;
	case FX_TAG_INT:
		out->len = (size_t)snprintf(
		        out->number, sizeof(out->number), v.is_unsigned ? "%llu" : "%lld", (long long)v.i);
		out->text = out->number;
		return 0;
	case FX_TAG_FLOAT:
		if (isnan(v.f) || isinf(v.f))
			return fx_fail(err, FX_E_INVALID, "json: unsupported value: %s",
			        isnan(v.f) ? "NaN"
			        : v.f > 0  ? "+Inf"
			                   : "-Inf");
		float_text(v.f, out);
		return 0;
	case FX_TAG_TIME:
		fx_scalar_time(n->text, n->len, out->number);
		out->text = out->number;
		out->len = strlen(out->number);
		break;
	default:
		break;
	}
	out->is_string = true;
	out->tag = FX_TAG_STR;
	if (n->style != FX_STYLE_SINGLE && n->style != FX_STYLE_DOUBLE && n->len &&
	        memchr(n->text, '\n', n->len) && reread_block(n, out, err) < 0)
		return -1;
	if (n->tag == FX_TAG_BINARY && decode_binary(n, out, err) < 0) {
		fx_value_text_release(out);
		return -1;
	}
	if (check_string(out->text, out->len, err) < 0) {
		fx_value_text_release(out);
		return -1;
	}
	if (has_nel(out->text, out->len) && !out->owned && fold_nel(out->text, out->len, out) < 0)
		return fx_fail_nomem(err);
	return 0;
}

void fx_value_text_release(struct fx_value_text *v)
{
	free(v->owned);
	v->owned = NULL;
}

/* ---- maps ---- */

static int check_key(const struct fx_node *key, bool in_flow, struct fx_error *err)
{
	if (key->kind != FX_NODE_SCALAR)
		return fx_fail(err, FX_E_INVALID, "json: unsupported type: map[interface {}]interface {}");
	if (key->tag == FX_TAG_STR)
		return check_string(key->text, key->len, err);
	struct fx_scalar v;
	if (fx_scalar_value(key, in_flow, &v, err) < 0)
		return -1;
	if (v.tag != FX_TAG_STR)
		return fx_fail(err, FX_E_INVALID,
		        "json: unsupported type: map[interface {}]interface {} (key %s is no string)",
		        key->text);
	return check_string(key->text, key->len, err);
}

int fx_value_pairs_make(
        const struct fx_node *map, bool in_flow, struct fx_value_pairs *out, struct fx_error *err)
{
	out->len = 0;
	out->items = out->small;
	if (map->len > FX_VALUE_SMALL && !(out->items = malloc(map->len * sizeof(*out->items))))
		return fx_fail_nomem(err);
	for (uint32_t i = 0; i < map->len; i++) {
		const struct fx_node *key = map->pairs[i].key;
		if (check_key(key, in_flow, err) < 0)
			return -1;
		out->items[out->len++] =
		        (struct fx_value_pair){key->text, key->len, map->pairs[i].value, key};
	}
	return 0;
}

void fx_value_pairs_release(struct fx_value_pairs *pairs)
{
	if (pairs->items != pairs->small)
		free(pairs->items);
	pairs->items = NULL;
}

/* Symbols, punctuation and marks outside ASCII that are no letters; everything else there counts as one. */
static bool is_letter(unsigned c)
{
	if (c < 0x80)
		return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
	static const unsigned others[][2] = {{0x80, 0xa9}, {0xab, 0xb4}, {0xb6, 0xb9}, {0xbb, 0xbf},
	        {0xd7, 0xd7}, {0xf7, 0xf7}, {0x2c2, 0x2c5}, {0x300, 0x36f}, {0x483, 0x489}, {0x660, 0x66d},
	        {0x2000, 0x2070}, {0x2074, 0x207e}, {0x2080, 0x208f}, {0x20a0, 0x2101}, {0x2140, 0x2144},
	        {0x2190, 0x2bff}, {0x3000, 0x3004}, {0x3007, 0x3030}, {0xd800, 0xf8ff}, {0xfe00, 0xfe6f},
	        {0xff00, 0xff20}, {0xff3b, 0xff40}, {0xff5b, 0xff65}, {0xffe0, 0xffff}, {0x1d000, 0x1d3ff},
	        {0x1f000, 0x1faff}};
	for (size_t i = 0; i < FX_COUNT(others); i++)
		if (c >= others[i][0] && c <= others[i][1])
			return false;
	return true;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Go's integers wrap around. */
static uint64_t digits_at(const struct fx_value_pair *p, size_t at, uint64_t start, size_t *end)
{
	uint64_t v = start;
	for (; at < p->len && is_digit(p->key[at]); at++)
		v = v * 10 + (uint64_t)(p->key[at] - '0');
	*end = at;
	return v;
}

static int compare_numbers(const struct fx_value_pair *a, const struct fx_value_pair *b, size_t i)
{
	uint64_t start = 0;
	if (a->key[i] == '0' || b->key[i] == '0') {
		for (size_t k = i; k-- > 0 && is_digit(a->key[k]);)
			if (a->key[k] != '0') {
				start = 1;
				break;
			}
	}
	size_t a_end, b_end;
	int64_t an = (int64_t)digits_at(a, i, start, &a_end), bn = (int64_t)digits_at(b, i, start, &b_end);
	if (an != bn)
		return an < bn ? -1 : 1;
	if (a_end != b_end)
		return a_end < b_end ? -1 : 1;
	return 0;
}

/* go-yaml v2 (sorter.go): letters by code point, others before letters, digit runs by number. */
static int compare_yaml(const void *x, const void *y)
{
	const struct fx_value_pair *a = x, *b = y;
	size_t n = a->len < b->len ? a->len : b->len, i = 0;
	while (i < n && a->key[i] == b->key[i])
		i++;
	if (i == n)
		return a->len < b->len ? -1 : a->len > b->len;
	/* Back to the start of the character. */
	while (i > 0 && ((unsigned char)a->key[i] & 0xc0) == 0x80)
		i--;
	size_t aw = fx_utf8_width((unsigned char)a->key[i]), bw = fx_utf8_width((unsigned char)b->key[i]);
	unsigned ac = i + aw <= a->len ? fx_utf8_decode(a->key + i, aw) : (unsigned char)a->key[i];
	unsigned bc = i + bw <= b->len ? fx_utf8_decode(b->key + i, bw) : (unsigned char)b->key[i];
	bool al = is_letter(ac), bl = is_letter(bc);
	if (al != bl)
		return bl ? -1 : 1;
	int c = al ? 0 : compare_numbers(a, b, i);
	return c ? c : ac < bc ? -1 : 1;
}

static int compare_bytes(const void *x, const void *y)
{
	const struct fx_value_pair *a = x, *b = y;
	int c = memcmp(a->key, b->key, a->len < b->len ? a->len : b->len);
	return c ? c : a->len < b->len ? -1 : a->len > b->len;
}

static void sort_pairs(struct fx_value_pairs *pairs, int (*compare)(const void *, const void *))
{
	if (pairs->len > FX_VALUE_SMALL) {
		qsort(pairs->items, pairs->len, sizeof(*pairs->items), compare);
		return;
	}
	for (size_t i = 1; i < pairs->len; i++) {
		struct fx_value_pair p = pairs->items[i];
		size_t k = i;
		for (; k > 0 && compare(&p, &pairs->items[k - 1]) < 0; k--)
			pairs->items[k] = pairs->items[k - 1];
		pairs->items[k] = p;
	}
}

void fx_value_pairs_sort_yaml(struct fx_value_pairs *pairs)
{
	sort_pairs(pairs, compare_yaml);
}

void fx_value_pairs_sort_bytes(struct fx_value_pairs *pairs)
{
	sort_pairs(pairs, compare_bytes);
}

int fx_value_pairs_check(const struct fx_value_pairs *pairs, const struct fx_node *map, struct fx_error *err)
{
	for (size_t i = 1; i < pairs->len; i++) {
		const struct fx_value_pair *a = &pairs->items[i - 1], *b = &pairs->items[i];
		if (a->len == b->len && memcmp(a->key, b->key, a->len) == 0)
			return fx_fail(err, FX_E_INVALID,
			        "yaml: unmarshal errors:\n  line %u: mapping key \"%s\" already defined at "
			        "line %u",
			        b->key_node->line ? b->key_node->line : map->line, b->key, a->key_node->line);
	}
	return 0;
}
