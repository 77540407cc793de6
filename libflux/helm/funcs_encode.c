/* base64 and base32. */
#include "funcs.h"

static const char b64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char b32[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

static struct fx_val encode_bits(
        struct fx_render *x, const char *s, size_t n, const char *set, unsigned bits, size_t group)
{
	size_t cap = n * 8 / bits + group + 2, k = 0;
	char *out = fx_render_alloc(x, cap);
	unsigned acc = 0, have = 0;
	for (size_t i = 0; i < n; i++) {
		acc = acc << 8 | (unsigned char)s[i];
		have += 8;
		while (have >= bits) {
			have -= bits;
			out[k++] = set[acc >> have & ((1u << bits) - 1)];
		}
		acc &= (1u << have) - 1;
	}
	if (have)
		out[k++] = set[acc << (bits - have) & ((1u << bits) - 1)];
	while (k % group)
		out[k++] = '=';
	out[k] = 0;
	return fx_v_strn(out, k);
}

struct fx_val fx_v_base64(struct fx_render *x, const char *s, size_t n)
{
	return encode_bits(x, s, n, b64, 6, 4);
}

/* Go's strict decoder; *bad: the byte that it names. */
static bool decode_bits(struct fx_render *x, const char *s, size_t n, const char *set, unsigned bits,
        size_t group, struct fx_val *out, size_t *bad)
{
	char *o = fx_render_alloc(x, n * bits / 8 + 2);
	size_t k = 0, digits = 0, pads = 0;
	unsigned acc = 0, have = 0;
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '\n' || s[i] == '\r')
			continue;
		*bad = i;
		if (s[i] == '=') {
			size_t at = digits % group;
			bool ok = bits == 6 ? at >= 2 || pads
			                    : at == 2 || at == 4 || at == 5 || at == 7 || pads;
			if (!ok || (pads && (digits + pads) % group == 0))
				return false;
			pads++;
			continue;
		}
		const char *p = s[i] ? strchr(set, s[i]) : NULL;
		if (!p || pads)
			return false;
		digits++;
		acc = acc << bits | (unsigned)(p - set);
		have += bits;
		if (have >= 8) {
			have -= 8;
			o[k++] = (char)(acc >> have);
			acc &= (1u << have) - 1;
		}
	}
	*bad = n;
	if ((digits + pads) % group) {
		*bad = n - (digits + pads) % group;
		return false;
	}
	o[k] = 0;
	*out = fx_v_strn(o, k);
	return true;
}

bool fx_v_base64_decode(struct fx_render *x, const char *s, size_t n, struct fx_val *out, size_t *bad)
{
	return decode_bits(x, s, n, b64, 6, 4, out, bad);
}

static struct fx_val fn_b64enc(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return fx_v_base64(x, a[0].s, a[0].len);
}

static struct fx_val fn_b32enc(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return encode_bits(x, a[0].s, a[0].len, b32, 5, 8);
}

static struct fx_val decoded(struct fx_render *x, struct fx_val s, bool is32)
{
	struct fx_val out;
	size_t bad = 0;
	if (decode_bits(x, s.s, s.len, is32 ? b32 : b64, is32 ? 5 : 6, is32 ? 8 : 4, &out, &bad))
		return out;
	struct fx_text t = {.x = x};
	fx_text_addf(&t, "illegal base%s data at input byte %zu", is32 ? "32" : "64", bad);
	return fx_text_val(&t);
}

static struct fx_val fn_b64dec(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return decoded(x, a[0], false);
}

static struct fx_val fn_b32dec(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return decoded(x, a[0], true);
}

static struct fx_val fn_rand_bytes(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	if (a[0].i < 0)
		fx_render_throw(x, "runtime error: makeslice: len out of range");
	FX_FN_ITEMS_CHECK(x, a[0].i);
	char *b = fx_render_alloc(x, (size_t)a[0].i + 1);
	fx_render_random(x, b, (size_t)a[0].i);
	return fx_v_base64(x, b, (size_t)a[0].i);
}

const struct fx_fn fx_fns_encode[] = {
        {"b64enc", "S", fn_b64enc},
        {"b64dec", "S", fn_b64dec},
        {"b32enc", "S", fn_b32enc},
        {"b32dec", "S", fn_b32dec},
        {"randBytes", "I", fn_rand_bytes},
        {NULL, NULL, NULL},
};
