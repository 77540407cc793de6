/* Go's fmt: %v of any value and Printf. Source: fmt/print.go and fmt/format.go of Go 1.26. */
#include "data/scalar.h"
#include "funcs.h"
#include "value.h"

#include <ctype.h>
#include <math.h>

/* Go refuses wider fields too (BADWIDTH). */
#define WIDTH_MAX 1000000

unsigned fx_rune_at(const char *s, size_t n, size_t *width)
{
	const unsigned char *p = (const unsigned char *)s;
	*width = 1;
	if (p[0] < 0x80)
		return p[0];
	size_t w = p[0] >= 0xf0 && p[0] < 0xf5   ? 4
	           : p[0] >= 0xe0 && p[0] < 0xf0 ? 3
	           : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
	                                         : 0;
	if (!w || n < w)
		return 0xfffd;
	unsigned r = p[0] & (0x7fu >> w);
	for (size_t i = 1; i < w; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0xfffd;
		r = r << 6 | (p[i] & 0x3f);
	}
	if ((w == 3 && (r < 0x800 || (r >= 0xd800 && r < 0xe000))) ||
	        (w == 4 && (r < 0x10000 || r > 0x10ffff)))
		return 0xfffd;
	*width = w;
	return r;
}

bool fx_rune_is_space(unsigned r)
{
	return (r >= 9 && r <= 13) || r == 0x20 || r == 0x85 || r == 0xa0 || r == 0x1680 ||
	       (r >= 0x2000 && r <= 0x200a) || r == 0x2028 || r == 0x2029 || r == 0x202f || r == 0x205f ||
	       r == 0x3000;
}

bool fx_rune_is_print(unsigned r)
{
	if (r < 0x7f)
		return r >= 0x20;
	if (r < 0xa1 || r == 0xad || fx_rune_is_space(r))
		return false;
	/* Format characters, surrogates, private use and what is not assigned. */
	static const unsigned ranges[][2] = {{0x378, 0x379}, {0x600, 0x605}, {0x61c, 0x61c}, {0x6dd, 0x6dd},
	        {0x70f, 0x70f}, {0x180e, 0x180e}, {0x200b, 0x200f}, {0x202a, 0x202e}, {0x2060, 0x206f},
	        {0xd800, 0xf8ff}, {0xfeff, 0xfeff}, {0xfff0, 0xfffb}, {0xfffe, 0xffff}, {0x1fffe, 0x1ffff},
	        {0x323b0, 0xe00ff}, {0xe01f0, 0x10ffff}};
	for (size_t i = 0; i < FX_COUNT(ranges); i++) {
		if (r >= ranges[i][0] && r <= ranges[i][1])
			return false;
	}
	return true;
}

static void quote_rune(struct fx_text *out, unsigned r, char quote, bool ascii)
{
	static const char esc[] = "\a\b\f\n\r\t\v\\", names[] = "abfnrtv\\";
	const char *k = r && r < 0x80 ? strchr(esc, (int)r) : NULL;
	if (k) {
		fx_text_char(out, '\\');
		fx_text_char(out, names[k - esc]);
	} else if (r == (unsigned char)quote) {
		fx_text_char(out, '\\');
		fx_text_char(out, quote);
	} else if (r < 0x20 || r == 0x7f) {
		fx_text_addf(out, "\\x%02x", r);
	} else if (r < 0x7f || (!ascii && fx_rune_is_print(r))) {
		fx_text_rune(out, r);
	} else {
		fx_text_addf(out, r < 0x10000 ? "\\u%04x" : "\\U%08x", r);
	}
}

void fx_fmt_quote(struct fx_text *out, const char *s, size_t n, bool ascii)
{
	fx_text_char(out, '"');
	for (size_t i = 0, w; i < n; i += w) {
		unsigned r = fx_rune_at(s + i, n - i, &w);
		if (r == 0xfffd && w == 1)
			fx_text_addf(out, "\\x%02x", (unsigned char)s[i]);
		else
			quote_rune(out, r, '"', ascii);
	}
	fx_text_char(out, '"');
}

/* ---- one operand ---- */

struct spec {
	bool plus, minus, sharp, space, zero, has_width, has_prec;
	int width, prec;
	unsigned verb;
	bool plus_v, sharp_v;
};

static size_t rune_count(const char *s, size_t n)
{
	size_t c = 0;
	for (size_t i = 0, w; i < n; i += w, c++)
		fx_rune_at(s + i, n - i, &w);
	return c;
}

static void pad(struct fx_text *out, const struct spec *f, const char *s, size_t n)
{
	size_t have = rune_count(s, n), want = f->has_width ? (size_t)f->width : 0;
	size_t fill = want > have ? want - have : 0;
	if (f->minus)
		fx_text_add(out, s, n);
	for (size_t i = 0; i < fill; i++)
		fx_text_char(out, f->zero && !f->minus ? '0' : ' ');
	if (!f->minus)
		fx_text_add(out, s, n);
}

static void fmt_integer(
        struct fx_text *out, const struct spec *f, uint64_t u, bool negative, int base, bool upper)
{
	char digits[80], buf[160];
	size_t n = 0, k = 0;
	int prec = f->has_prec ? f->prec : 0;
	if (f->has_prec && f->prec == 0 && u == 0) {
		struct spec blank = *f;
		blank.zero = false;
		pad(out, &blank, "", 0);
		return;
	}
	bool zero = f->zero && !f->minus && !f->has_prec;
	bool sign = negative || f->plus || f->space;
	if (zero && f->has_width)
		prec = f->width - sign;
	do {
		digits[n++] = (upper ? "0123456789ABCDEF" : "0123456789abcdef")[u % (unsigned)base];
		u /= (unsigned)base;
	} while (u);
	struct fx_text t = {.x = out->x};
	if (sign)
		buf[k++] = negative ? '-' : f->plus ? '+' : ' ';
	fx_text_add(&t, buf, k);
	if (f->sharp && base == 2)
		fx_text_str(&t, "0b");
	if (f->sharp && base == 16)
		fx_text_str(&t, upper ? "0X" : "0x");
	if (f->sharp && base == 8 && digits[n - 1] != '0' && (int)n >= prec)
		fx_text_char(&t, '0');
	if (f->verb == 'O')
		fx_text_str(&t, "0o");
	for (int i = (int)n; i < prec; i++)
		fx_text_char(&t, '0');
	for (size_t i = n; i > 0; i--)
		fx_text_char(&t, digits[i - 1]);
	struct spec s = *f;
	s.zero = false;
	pad(out, &s, fx_text_c(&t), t.len);
}

static void fmt_unicode(struct fx_text *out, const struct spec *f, uint64_t u)
{
	struct fx_text t = {.x = out->x};
	fx_text_addf(&t, "U+%0*llX", f->has_prec && f->prec > 4 ? f->prec : 4, (unsigned long long)u);
	if (f->sharp && u <= 0x10ffff && fx_rune_is_print((unsigned)u)) {
		fx_text_str(&t, " '");
		fx_text_rune(&t, (unsigned)u);
		fx_text_char(&t, '\'');
	}
	struct spec s = *f;
	s.zero = false;
	pad(out, &s, fx_text_c(&t), t.len);
}

static void two_digit_exponent(struct fx_text *t, const char *s)
{
	const char *p = strpbrk(s, "pP");
	if (!p || isdigit((unsigned char)p[3]) || !p[2]) {
		fx_text_str(t, s);
		if (p && !p[2])
			return;
		return;
	}
	fx_text_add(t, s, (size_t)(p - s) + 2);
	fx_text_char(t, '0');
	fx_text_str(t, p + 2);
}

/* Digits of a float without sign padding; sign comes first when there is one. */
static void float_digits(struct fx_text *t, const struct spec *f, double v, char verb, int prec)
{
	char buf[64];
	if (isnan(v) || isinf(v)) {
		fx_text_str(t, isnan(v) ? "NaN" : v > 0 ? "+Inf" : "-Inf");
		return;
	}
	if ((verb == 'g' || verb == 'G') && prec < 0) {
		fx_double_g(v, buf);
		for (char *c = buf; verb == 'G' && *c; c++)
			*c = (char)toupper(*c);
		fx_text_str(t, buf);
		return;
	}
	if (verb == 'b') {
		int e;
		double m = frexp(fabs(v), &e);
		uint64_t mant = (uint64_t)ldexp(m, 53);
		if (v == 0)
			e = -1074 + 53;
		fx_text_addf(t, "%s%llup%+d", signbit(v) ? "-" : "", (unsigned long long)mant, e - 53);
		return;
	}
	if (verb == 'x' || verb == 'X') {
		char *s = prec < 0 ? fx_arena_printf(fx_render_arena(t->x), verb == 'x' ? "%a" : "%A", v)
		                   : fx_arena_printf(
		                             fx_render_arena(t->x), verb == 'x' ? "%.*a" : "%.*A", prec, v);
		two_digit_exponent(t, s ? s : "");
		return;
	}
	char fmt[8] = {'%', '.', '*', f->sharp && (verb == 'g' || verb == 'G') ? '#' : verb, 0};
	if (f->sharp && (verb == 'g' || verb == 'G'))
		snprintf(fmt, sizeof(fmt), "%%#.*%c", verb);
	char *s = fx_arena_printf(fx_render_arena(t->x), fmt, prec < 0 ? 6 : prec, v);
	fx_text_str(t, s ? s : "");
}

/* %#g of the shortest form: six digits at least. */
static void sharp_g(struct fx_text *t, double v, char verb)
{
	char buf[64];
	snprintf(buf, sizeof(buf), verb == 'G' ? "%#.6G" : "%#.6g", v);
	char shortest[FX_NUMBER_TEXT];
	size_t n = fx_double_g(v, shortest);
	size_t digits = 0;
	for (size_t i = 0; i < n && shortest[i] != 'e'; i++)
		digits += isdigit((unsigned char)shortest[i]) != 0;
	fx_text_str(t, digits > 6 ? shortest : buf);
}

static void fmt_float(struct fx_text *out, const struct spec *f, double v, char verb, int prec)
{
	struct fx_text t = {.x = out->x};
	if (f->has_prec)
		prec = f->prec;
	if (verb == 'F')
		verb = 'f';
	if (f->sharp && (verb == 'g' || verb == 'G') && prec < 0 && isfinite(v) && f->verb != 'v')
		sharp_g(&t, v, verb);
	else
		float_digits(&t, f, v, verb, prec);
	const char *s = fx_text_c(&t);
	size_t n = t.len;
	bool finite = isfinite(v);
	char sign = *s == '-' || *s == '+' ? *s : 0;
	if (sign)
		s++, n--;
	if (!sign && f->plus)
		sign = '+';
	if (sign == '+' && !f->plus)
		sign = finite ? 0 : isinf(v) ? '+' : 0;
	if (f->space && !f->plus && sign != '-')
		sign = ' ';
	if (isnan(v) && !f->plus && !f->space)
		sign = 0;
	struct fx_text full = {.x = out->x};
	struct spec g = *f;
	if (sign)
		fx_text_char(&full, sign);
	if (f->zero && !f->minus && finite && f->has_width && sign && (size_t)f->width > n + 1) {
		for (size_t i = n + 1; i < (size_t)f->width; i++)
			fx_text_char(&full, '0');
	}
	fx_text_add(&full, s, n);
	if (!finite)
		g.zero = false;
	pad(out, &g, fx_text_c(&full), full.len);
}

static size_t cut_runes(const char *s, size_t n, const struct spec *f)
{
	if (!f->has_prec)
		return n;
	size_t i = 0, w;
	for (int c = 0; i < n && c < f->prec; c++, i += w)
		fx_rune_at(s + i, n - i, &w);
	return i;
}

static void fmt_hex_bytes(struct fx_text *out, const struct spec *f, const char *s, size_t n)
{
	struct fx_text t = {.x = out->x};
	bool upper = f->verb == 'X';
	if (f->has_prec && (size_t)f->prec < n)
		n = (size_t)f->prec;
	for (size_t i = 0; i < n; i++) {
		if (f->space && i)
			fx_text_char(&t, ' ');
		if (f->sharp && (f->space || i == 0))
			fx_text_str(&t, upper ? "0X" : "0x");
		fx_text_addf(&t, upper ? "%02X" : "%02x", (unsigned char)s[i]);
	}
	pad(out, f, fx_text_c(&t), t.len);
}

static void fmt_quoted(struct fx_text *out, const struct spec *f, const char *s, size_t n)
{
	struct fx_text t = {.x = out->x};
	n = cut_runes(s, n, f);
	bool raw = f->sharp;
	for (size_t i = 0, w; raw && i < n; i += w) {
		unsigned r = fx_rune_at(s + i, n - i, &w);
		if ((r == 0xfffd && w == 1) || r == '`' || r == 0x7f || r == 0xfeff ||
		        (r < 0x20 && r != '\t'))
			raw = false;
	}
	if (raw) {
		fx_text_char(&t, '`');
		fx_text_add(&t, s, n);
		fx_text_char(&t, '`');
	} else {
		fx_fmt_quote(&t, s, n, f->plus);
	}
	pad(out, f, fx_text_c(&t), t.len);
}

static void fmt_value(struct fx_text *out, struct spec *f, struct fx_val v, unsigned depth);

static void bad_verb(struct fx_text *out, const struct spec *f, struct fx_val v)
{
	fx_text_str(out, "%!");
	fx_text_rune(out, f->verb);
	fx_text_char(out, '(');
	if (v.kind == FX_VAL_NIL) {
		fx_text_str(out, "<nil>");
	} else {
		fx_text_str(out, fx_v_type(v));
		fx_text_char(out, '=');
		struct spec plain = *f;
		plain.verb = 'v';
		plain.sharp_v = plain.plus_v = false;
		fmt_value(out, &plain, v, 0);
	}
	fx_text_char(out, ')');
}

static void fmt_string(struct fx_text *out, const struct spec *f, struct fx_val v)
{
	switch (f->verb) {
	case 'v':
		if (f->sharp_v) {
			struct spec q = *f;
			q.sharp = q.plus = false;
			fmt_quoted(out, &q, v.s, v.len);
			return;
		}
		/* fall through */
	case 's':
		pad(out, f, v.s, cut_runes(v.s, v.len, f));
		return;
	case 'x':
	case 'X':
		fmt_hex_bytes(out, f, v.s, v.len);
		return;
	case 'q':
		fmt_quoted(out, f, v.s, v.len);
		return;
	default:
		bad_verb(out, f, v);
	}
}

static void fmt_int_value(struct fx_text *out, const struct spec *f, struct fx_val v)
{
	bool negative = v.i < 0 && v.type != FX_T_UINT64;
	uint64_t u = negative ? 0 - (uint64_t)v.i : (uint64_t)v.i;
	switch (f->verb) {
	case 'v':
		if (f->sharp_v && (v.type == FX_T_UINT8 || v.type == FX_T_UINT32 || v.type == FX_T_UINT64)) {
			struct spec s = *f;
			s.sharp = true;
			fmt_integer(out, &s, u, false, 16, false);
			return;
		}
		/* fall through */
	case 'd':
		fmt_integer(out, f, u, negative, 10, false);
		return;
	case 'b':
		fmt_integer(out, f, u, negative, 2, false);
		return;
	case 'o':
	case 'O':
		fmt_integer(out, f, u, negative, 8, false);
		return;
	case 'x':
		fmt_integer(out, f, u, negative, 16, false);
		return;
	case 'X':
		fmt_integer(out, f, u, negative, 16, true);
		return;
	case 'c': {
		struct fx_text t = {.x = out->x};
		fx_text_rune(&t, v.i < 0 || v.i > 0x10ffff ? 0xfffd : (unsigned)v.i);
		pad(out, f, fx_text_c(&t), t.len);
		return;
	}
	case 'q': {
		struct fx_text t = {.x = out->x};
		fx_text_char(&t, '\'');
		quote_rune(&t,
		        v.i < 0 || v.i > 0x10ffff || (v.i >= 0xd800 && v.i < 0xe000) ? 0xfffd : (unsigned)v.i,
		        '\'', f->plus);
		fx_text_char(&t, '\'');
		pad(out, f, fx_text_c(&t), t.len);
		return;
	}
	case 'U':
		fmt_unicode(out, f, (uint64_t)v.i);
		return;
	default:
		bad_verb(out, f, v);
	}
}

static void fmt_float_value(struct fx_text *out, const struct spec *f, struct fx_val v)
{
	switch (f->verb) {
	case 'v':
		fmt_float(out, f, v.f, 'g', -1);
		return;
	case 'g':
	case 'G':
	case 'x':
	case 'X':
	case 'b':
		fmt_float(out, f, v.f, (char)f->verb, -1);
		return;
	case 'e':
	case 'E':
	case 'f':
	case 'F':
		fmt_float(out, f, v.f, (char)f->verb, 6);
		return;
	default:
		bad_verb(out, f, v);
	}
}

static void fmt_complex(struct fx_text *out, const struct spec *f, struct fx_val v)
{
	if (!strchr("vbgGxXfFeE", (int)f->verb)) {
		bad_verb(out, f, v);
		return;
	}
	struct spec g = *f;
	fx_text_char(out, '(');
	fmt_float_value(out, &g, fx_v_float(v.c[0]));
	g.plus = true;
	fmt_float_value(out, &g, fx_v_float(v.c[1]));
	fx_text_str(out, "i)");
}

static void fmt_map(struct fx_text *out, struct spec *f, struct fx_val v, unsigned depth)
{
	if (f->sharp_v) {
		fx_text_str(out, fx_v_type(v));
		if (!v.map) {
			fx_text_str(out, "(nil)");
			return;
		}
	}
	fx_text_str(out, f->sharp_v ? "{" : "map[");
	for (size_t i = 0; i < fx_v_len(v); i++) {
		if (i)
			fx_text_str(out, f->sharp_v ? ", " : " ");
		fmt_value(out, f, fx_v_strn(v.map->entries[i].key, v.map->entries[i].len), depth + 1);
		fx_text_char(out, ':');
		fmt_value(out, f, v.map->entries[i].val, depth + 1);
	}
	fx_text_str(out, f->sharp_v ? "}" : "]");
}

static void fmt_list(struct fx_text *out, struct spec *f, struct fx_val v, unsigned depth)
{
	if (f->sharp_v) {
		fx_text_str(out, fx_v_type(v));
		if (!v.list && v.kind == FX_VAL_LIST) {
			fx_text_str(out, "(nil)");
			return;
		}
	}
	fx_text_str(out, f->sharp_v ? "{" : "[");
	for (size_t i = 0; i < fx_v_len(v); i++) {
		if (i)
			fx_text_str(out, f->sharp_v ? ", " : " ");
		fmt_value(out, f, fx_v_item(v, i), depth + 1);
	}
	fx_text_str(out, f->sharp_v ? "}" : "]");
}

static void fmt_bytes(struct fx_text *out, struct spec *f, struct fx_val v)
{
	if (f->verb == 'v' || f->verb == 'd') {
		if (f->sharp_v)
			fx_text_str(out, "[]byte{");
		else
			fx_text_char(out, '[');
		for (size_t i = 0; i < v.len; i++) {
			if (i)
				fx_text_str(out, f->sharp_v ? ", " : " ");
			if (f->sharp_v)
				fx_text_addf(out, "0x%x", (unsigned char)v.s[i]);
			else
				fmt_integer(out, f, (unsigned char)v.s[i], false, 10, false);
		}
		fx_text_char(out, f->sharp_v ? '}' : ']');
		return;
	}
	struct fx_val s = fx_v_strn(v.s, v.len);
	if (strchr("sqxX", (int)f->verb)) {
		fmt_string(out, f, s);
		return;
	}
	fmt_list(out, f, v, 0);
}

static void fmt_struct(struct fx_text *out, struct spec *f, struct fx_val v, unsigned depth)
{
	struct fx_val names = fx_obj_fields(out->x, v);
	fx_text_str(out, f->sharp_v ? fx_v_type(v) : "");
	fx_text_char(out, '{');
	for (size_t i = 0; i + 1 < fx_v_len(names); i += 2) {
		fx_text_str(out, i ? (f->sharp_v ? ", " : " ") : "");
		if (f->plus_v || f->sharp_v) {
			fx_text_add(out, names.list->items[i].s, names.list->items[i].len);
			fx_text_char(out, ':');
		}
		fmt_value(out, f, names.list->items[i + 1], depth + 1);
	}
	fx_text_char(out, '}');
}

static void fmt_nil(struct fx_text *out, const struct spec *f, unsigned depth)
{
	if (depth) {
		if (f->sharp_v)
			fx_text_str(out, "interface {}(nil)");
		else
			pad(out,
			        &(struct spec){.width = f->width,
			                .has_width = f->has_width,
			                .minus = f->minus,
			                .zero = f->zero},
			        "<nil>", 5);
		return;
	}
	if (f->verb == 'v' || f->verb == 'T')
		pad(out, f, "<nil>", 5);
	else
		bad_verb(out, f, fx_v_nil());
}

static void fmt_value(struct fx_text *out, struct spec *f, struct fx_val v, unsigned depth)
{
	fx_render_check(out->x);
	if (depth > FX_VALUE_DEPTH_MAX)
		fx_render_throw(out->x, "values are nested too deeply");
	if (v.kind == FX_VAL_NIL) {
		fmt_nil(out, f, depth);
		return;
	}
	if (f->verb == 'T') {
		pad(out, f, fx_v_type(v), strlen(fx_v_type(v)));
		return;
	}
	if (f->verb == 'p') {
		bad_verb(out, f, v);
		return;
	}
	struct fx_val text;
	if (!f->sharp_v && strchr("vsqxX", (int)f->verb) && fx_obj_string(out->x, v, &text)) {
		fmt_string(out, f, text);
		return;
	}
	switch (v.kind) {
	case FX_VAL_BOOL:
		if (f->verb == 'v' || f->verb == 't')
			pad(out, f, v.b ? "true" : "false", v.b ? 4 : 5);
		else
			bad_verb(out, f, v);
		return;
	case FX_VAL_INT:
		fmt_int_value(out, f, v);
		return;
	case FX_VAL_FLOAT:
		fmt_float_value(out, f, v);
		return;
	case FX_VAL_COMPLEX:
		fmt_complex(out, f, v);
		return;
	case FX_VAL_STR:
		fmt_string(out, f, v);
		return;
	case FX_VAL_BYTES:
		fmt_bytes(out, f, v);
		return;
	case FX_VAL_LIST:
		fmt_list(out, f, v, depth);
		return;
	case FX_VAL_MAP:
		fmt_map(out, f, v, depth);
		return;
	default:
		fmt_struct(out, f, v, depth);
	}
}

void fx_fmt_v(struct fx_text *out, struct fx_val v)
{
	struct spec f = {.verb = 'v'};
	fmt_value(out, &f, v, 0);
}

void fx_fmt_sprint(struct fx_text *out, const struct fx_val *args, size_t n, bool line)
{
	for (size_t i = 0; i < n; i++) {
		if (i && (line || (args[i].kind != FX_VAL_STR && args[i - 1].kind != FX_VAL_STR)))
			fx_text_char(out, ' ');
		fx_fmt_v(out, args[i]);
	}
	if (line)
		fx_text_char(out, '\n');
}

struct fx_val fx_v_strval(struct fx_render *x, struct fx_val v)
{
	if (v.kind == FX_VAL_STR)
		return v;
	if (v.kind == FX_VAL_BYTES)
		return fx_v_strn(v.s, v.len);
	struct fx_text t = {.x = x};
	fx_text_add(&t, "", 0);
	fx_fmt_v(&t, v);
	return fx_text_val(&t);
}

/* ---- Printf ---- */

struct args {
	const struct fx_val *items;
	size_t n, at;
	bool reordered, good_index;
};

static bool parse_number(struct fx_val f, size_t *i, int *out)
{
	bool any = false;
	*out = 0;
	while (*i < f.len && isdigit((unsigned char)f.s[*i])) {
		if (*out > WIDTH_MAX) {
			/* Go gives the whole directive up. */
			*i = f.len;
			*out = 0;
			return false;
		}
		*out = *out * 10 + f.s[(*i)++] - '0';
		any = true;
	}
	return any;
}

/* `[3]` before a verb or a star. True when an index was found. */
static bool parse_index(struct args *a, struct fx_val f, size_t *i)
{
	if (*i >= f.len || f.s[*i] != '[')
		return false;
	a->reordered = true;
	const char *close = memchr(f.s + *i, ']', f.len - *i);
	if (!close) {
		a->good_index = false;
		(*i)++;
		return false;
	}
	size_t k = *i + 1;
	int number;
	bool ok = parse_number(f, &k, &number) && f.s + k == close;
	*i = (size_t)(close - f.s) + 1;
	if (ok && number >= 1 && (size_t)number <= a->n) {
		a->at = (size_t)number - 1;
		return true;
	}
	a->good_index = false;
	return true;
}

static bool star(struct args *a, int *out)
{
	*out = 0;
	if (a->at >= a->n)
		return false;
	struct fx_val v = a->items[a->at++];
	if (v.kind != FX_VAL_INT || v.i > WIDTH_MAX || v.i < -WIDTH_MAX)
		return false;
	*out = (int)v.i;
	return true;
}

static void parse_width(struct fx_text *out, struct args *a, struct fx_val f, size_t *i, struct spec *s)
{
	bool after_index = parse_index(a, f, i);
	if (*i < f.len && f.s[*i] == '*') {
		(*i)++;
		s->has_width = star(a, &s->width);
		if (!s->has_width)
			fx_text_str(out, "%!(BADWIDTH)");
		if (s->width < 0) {
			s->width = -s->width;
			s->minus = true;
			s->zero = false;
		}
		after_index = false;
	} else {
		s->has_width = parse_number(f, i, &s->width);
		if (after_index && s->has_width)
			a->good_index = false;
	}
	if (*i >= f.len || f.s[*i] != '.') {
		if (!after_index)
			parse_index(a, f, i);
		return;
	}
	(*i)++;
	if (after_index)
		a->good_index = false;
	after_index = parse_index(a, f, i);
	if (*i < f.len && f.s[*i] == '*') {
		(*i)++;
		s->has_prec = star(a, &s->prec);
		if (s->prec < 0) {
			s->prec = 0;
			s->has_prec = false;
		}
		if (!s->has_prec)
			fx_text_str(out, "%!(BADPREC)");
		after_index = false;
	} else {
		if (!parse_number(f, i, &s->prec))
			s->prec = 0;
		s->has_prec = true;
	}
	if (!after_index)
		parse_index(a, f, i);
}

static void parse_flags(struct fx_val f, size_t *i, struct spec *s)
{
	for (; *i < f.len; (*i)++) {
		switch (f.s[*i]) {
		case '#':
			s->sharp = true;
			break;
		case '0':
			s->zero = true;
			break;
		case '+':
			s->plus = true;
			break;
		case '-':
			s->minus = true;
			break;
		case ' ':
			s->space = true;
			break;
		default:
			return;
		}
	}
}

static void directive(struct fx_text *out, struct args *a, struct fx_val f, size_t *i)
{
	struct spec s = {0};
	a->good_index = true;
	parse_flags(f, i, &s);
	parse_width(out, a, f, i, &s);
	if (*i >= f.len) {
		fx_text_str(out, "%!(NOVERB)");
		return;
	}
	size_t w;
	s.verb = fx_rune_at(f.s + *i, f.len - *i, &w);
	*i += w;
	if (s.verb == '%') {
		fx_text_char(out, '%');
		return;
	}
	if (!a->good_index || a->at >= a->n) {
		fx_text_str(out, "%!");
		fx_text_rune(out, s.verb);
		fx_text_str(out, a->good_index ? "(MISSING)" : "(BADINDEX)");
		return;
	}
	struct fx_val v = a->items[a->at++];
	if (s.verb == 'w') {
		bad_verb(out, &s, v);
		return;
	}
	if (s.verb == 'v') {
		s.sharp_v = s.sharp;
		s.plus_v = s.plus;
		s.sharp = s.plus = false;
	}
	if (s.verb != 'T' && s.verb != 'v' && v.kind == FX_VAL_NIL) {
		bad_verb(out, &s, v);
		return;
	}
	fmt_value(out, &s, v, 0);
}

void fx_fmt_printf(struct fx_text *out, struct fx_val f, const struct fx_val *items, size_t n)
{
	struct args a = {.items = items, .n = n, .good_index = true};
	for (size_t i = 0; i < f.len;) {
		const char *p = memchr(f.s + i, '%', f.len - i);
		size_t end = p ? (size_t)(p - f.s) : f.len;
		fx_text_add(out, f.s + i, end - i);
		i = end + 1;
		if (p)
			directive(out, &a, f, &i);
	}
	if (a.reordered || a.at >= n)
		return;
	fx_text_str(out, "%!(EXTRA ");
	for (size_t i = a.at; i < n; i++) {
		fx_text_str(out, i > a.at ? ", " : "");
		if (items[i].kind == FX_VAL_NIL) {
			fx_text_str(out, "<nil>");
			continue;
		}
		fx_text_str(out, fx_v_type(items[i]));
		fx_text_char(out, '=');
		fx_fmt_v(out, items[i]);
	}
	fx_text_char(out, ')');
}

/* ---- durations ---- */

const char *fx_fmt_duration(int64_t ns, char out[40])
{
	uint64_t u = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
	char tail[24] = "";
	uint64_t unit = u < 1000 ? 1 : u < 1000000 ? 1000 : u < 1000000000 ? 1000000 : 1000000000;
	int digits = unit == 1 ? 0 : unit == 1000 ? 3 : unit == 1000000 ? 6 : 9;
	uint64_t frac = u % unit;
	if (frac) {
		snprintf(tail, sizeof(tail), ".%0*llu", digits, (unsigned long long)frac);
		for (size_t n = strlen(tail); tail[n - 1] == '0';)
			tail[--n] = 0;
	}
	const char *sign = ns < 0 ? "-" : "";
	uint64_t w = u / unit;
	if (u == 0)
		return "0s";
	if (unit < 1000000000)
		snprintf(out, 40, "%s%llu%.10s%s", sign, (unsigned long long)w, tail,
		        unit == 1      ? "ns"
		        : unit == 1000 ? "µs"
		                       : "ms");
	else if (w < 60)
		snprintf(out, 40, "%s%llu%.10ss", sign, (unsigned long long)w, tail);
	else if (w < 3600)
		snprintf(out, 40, "%s%llum%llu%.10ss", sign, (unsigned long long)w / 60,
		        (unsigned long long)w % 60, tail);
	else
		snprintf(out, 40, "%s%lluh%llum%llu%.10ss", sign, (unsigned long long)w / 3600,
		        (unsigned long long)w / 60 % 60, (unsigned long long)w % 60, tail);
	return out;
}
