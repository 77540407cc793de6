/* Sprig's numbers. Source: Sprig 3.3 numeric.go, spf13/cast 1.7, shopspring/decimal 1.4. */
#include "funcs.h"

#include "data/scalar.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>

/* Go's ParseInt with base 0. */
static bool parse_int0(const char *s, int64_t *out)
{
	bool negative = *s == '-';
	if (*s == '-' || *s == '+')
		s++;
	int base = 10;
	char digits[256];
	size_t n = 0;
	bool prefix = false;
	if (s[0] == '0' && s[1]) {
		char c = (char)tolower((unsigned char)s[1]);
		base = c == 'x' ? 16 : c == 'b' ? 2 : 8;
		s += c == 'x' || c == 'b' || c == 'o' ? 2 : 1;
		prefix = true;
	}
	bool last_digit = prefix;
	for (; *s; s++) {
		if (*s == '_') {
			if (!last_digit)
				return false;
			last_digit = false;
			continue;
		}
		if (!isxdigit((unsigned char)*s) || n + 1 >= sizeof(digits))
			return false;
		digits[n++] = *s;
		last_digit = true;
	}
	if (!n || !last_digit)
		return false;
	digits[n] = 0;
	char *end;
	errno = 0;
	uint64_t u = strtoull(digits, &end, base);
	if (*end || errno || u > (uint64_t)INT64_MAX + negative)
		return false;
	*out = negative ? (int64_t)(0 - u) : (int64_t)u;
	return true;
}

static int64_t float_to_int(double f)
{
	return f >= -9223372036854775808.0 && f < 9223372036854775808.0 ? (int64_t)f : INT64_MIN;
}

int64_t fx_v_to_int(struct fx_val v)
{
	char buf[256];
	int64_t out = 0;
	switch (v.kind) {
	case FX_VAL_BOOL:
		return v.b;
	case FX_VAL_INT:
		return v.type == FX_T_DURATION || v.type == FX_T_MONTH || v.type == FX_T_WEEKDAY
		               ? (v.type == FX_T_DURATION ? 0 : v.i)
		               : v.i;
	case FX_VAL_FLOAT:
		return float_to_int(v.f);
	case FX_VAL_STR: {
		if (v.len >= sizeof(buf) || memchr(v.s, 0, v.len))
			return 0;
		memcpy(buf, v.s, v.len);
		buf[v.len] = 0;
		char *dot = strchr(buf, '.');
		if (dot && dot[1] && strspn(dot + 1, "0") == strlen(dot + 1) && dot > buf)
			*dot = 0;
		return parse_int0(buf, &out) ? out : 0;
	}
	default:
		return 0;
	}
}

/* The rules for `_` in a number: between digits, and after the 0x. */
static bool underscores_ok(const char *s, size_t n)
{
	char seen = '^';
	size_t i = n && (s[0] == '-' || s[0] == '+');
	bool hex = i + 2 <= n && s[i] == '0' && (s[i + 1] | 32) == 'x';
	if (hex) {
		seen = '0';
		i += 2;
	}
	for (; i < n; i++) {
		if (isdigit((unsigned char)s[i]) || (hex && isxdigit((unsigned char)s[i]))) {
			seen = '0';
		} else if (s[i] == '_') {
			if (seen != '0')
				return false;
			seen = '_';
		} else {
			if (seen == '_')
				return false;
			seen = '!';
		}
	}
	return seen != '_';
}

bool fx_go_float_parse(const char *s, size_t n, double *out)
{
	char buf[512];
	size_t k = 0, sign = n && (s[0] == '-' || s[0] == '+');
	bool hex = n > sign + 1 && s[sign] == '0' && (s[sign + 1] | 32) == 'x';
	if (n == 0 || n >= sizeof(buf) || (memchr(s, '_', n) && !underscores_ok(s, n)))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (s[i] == 0 || isspace((unsigned char)s[i]) || s[i] == '(')
			return false;
		if (s[i] != '_')
			buf[k++] = s[i];
	}
	buf[k] = 0;
	if ((hex && !strpbrk(buf, "pP")) || (sign && (buf[1] | 32) == 'n'))
		return false;
	char *end;
	errno = 0;
	*out = strtod(buf, &end);
	return !*end && end > buf && !(isinf(*out) && errno == ERANGE);
}

double fx_v_to_float(struct fx_val v)
{
	double f;
	switch (v.kind) {
	case FX_VAL_BOOL:
		return v.b;
	case FX_VAL_INT:
		return v.type == FX_T_DURATION ? 0 : (double)v.i;
	case FX_VAL_FLOAT:
		return v.f;
	case FX_VAL_STR:
		return fx_go_float_parse(v.s, v.len, &f) ? f : 0;
	default:
		return 0;
	}
}

static struct fx_val fn_int(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)x, (void)n;
	return fx_v_int(fx_v_to_int(a[0]));
}

static struct fx_val fn_int64(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)x, (void)n;
	return fx_v_int64(fx_v_to_int(a[0]));
}

static struct fx_val fn_float64(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)x, (void)n;
	return fx_v_float(fx_v_to_float(a[0]));
}

static struct fx_val parse_base(struct fx_render *x, struct fx_val s, int base, bool saturate)
{
	const char *p = fx_v_cstr(x, s);
	size_t sign = *p == '-' || *p == '+';
	if (strlen(p) != s.len ||
	        strspn(p + sign, base == 8 ? "01234567" : "0123456789") != strlen(p + sign) || !p[sign])
		return fx_v_int(0);
	errno = 0;
	long long v = strtoll(p, NULL, base);
	return fx_v_int(errno && !saturate ? 0 : v);
}

static struct fx_val fn_atoi(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return parse_base(x, a[0], 10, true);
}

static struct fx_val fn_to_decimal(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	struct fx_val v = parse_base(x, fx_v_strval(x, a[0]), 8, false);
	v.type = FX_T_INT64;
	return v;
}

static struct fx_val fn_add(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)x;
	uint64_t sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += (uint64_t)fx_v_to_int(a[i]);
	return fx_v_int64((int64_t)sum);
}

static struct fx_val fn_add1(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)x, (void)n;
	return fx_v_int64((int64_t)((uint64_t)fx_v_to_int(a[0]) + 1));
}

static struct fx_val fn_sub(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)x, (void)n;
	return fx_v_int64((int64_t)((uint64_t)fx_v_to_int(a[0]) - (uint64_t)fx_v_to_int(a[1])));
}

static struct fx_val divide(struct fx_render *x, const struct fx_val *a, bool rest)
{
	int64_t p = fx_v_to_int(a[0]), q = fx_v_to_int(a[1]);
	if (q == 0)
		fx_render_throw(x, "runtime error: integer divide by zero");
	if (q == -1)
		return fx_v_int64(rest ? 0 : (int64_t)(0 - (uint64_t)p));
	return fx_v_int64(rest ? p % q : p / q);
}

static struct fx_val fn_div(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return divide(x, a, false);
}

static struct fx_val fn_mod(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return divide(x, a, true);
}

static struct fx_val fn_mul(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)x;
	uint64_t v = (uint64_t)fx_v_to_int(a[0]);
	for (size_t i = 1; i < n; i++)
		v *= (uint64_t)fx_v_to_int(a[i]);
	return fx_v_int64((int64_t)v);
}

static struct fx_val fn_max(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)x;
	int64_t best = fx_v_to_int(a[0]);
	for (size_t i = 1; i < n; i++)
		best = fx_v_to_int(a[i]) > best ? fx_v_to_int(a[i]) : best;
	return fx_v_int64(best);
}

static struct fx_val fn_min(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)x;
	int64_t best = fx_v_to_int(a[0]);
	for (size_t i = 1; i < n; i++)
		best = fx_v_to_int(a[i]) < best ? fx_v_to_int(a[i]) : best;
	return fx_v_int64(best);
}

static struct fx_val fn_maxf(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)x;
	double best = fx_v_to_float(a[0]);
	for (size_t i = 1; i < n; i++) {
		double v = fx_v_to_float(a[i]);
		best = isnan(best) || isnan(v) ? NAN : fmax(best, v);
	}
	return fx_v_float(best);
}

static struct fx_val fn_minf(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)x;
	double best = fx_v_to_float(a[0]);
	for (size_t i = 1; i < n; i++) {
		double v = fx_v_to_float(a[i]);
		best = isnan(best) || isnan(v) ? NAN : fmin(best, v);
	}
	return fx_v_float(best);
}

/* ---- exact decimals ----
 * A number is sign, digits (most significant first) and a power of ten. Arguments have at most 17
 * digits, exponents within +-400, so a sum has at most some hundred digits.
 */

#define DEC_DIGITS 2200

struct dec {
	bool negative;
	int n, exp;
	uint8_t d[DEC_DIGITS];
};

static void dec_from(struct fx_render *x, double f, struct dec *out)
{
	if (isnan(f) || isinf(f))
		fx_render_throw(x, "Cannot create a Decimal from %s",
		        isnan(f) ? "NaN"
		        : f > 0  ? "+Inf"
		                 : "-Inf");
	char text[FX_NUMBER_TEXT];
	fx_double_g(f, text);
	memset(out, 0, sizeof(*out));
	const char *p = text;
	out->negative = *p == '-';
	p += out->negative;
	bool point = false;
	for (; *p && *p != 'e'; p++) {
		if (*p == '.') {
			point = true;
			continue;
		}
		out->d[out->n++] = (uint8_t)(*p - '0');
		out->exp -= point;
	}
	if (*p == 'e')
		out->exp += atoi(p + 1);
}

static double dec_to(struct fx_render *x, const struct dec *a)
{
	char *text = fx_render_alloc(x, (size_t)a->n + 32);
	size_t k = 0;
	if (a->negative)
		text[k++] = '-';
	for (int i = 0; i < a->n; i++)
		text[k++] = (char)('0' + a->d[i]);
	if (!a->n)
		text[k++] = '0';
	snprintf(text + k, 24, "e%d", a->exp);
	double f = strtod(text, NULL);
	return f == 0 ? 0 : f;
}

/* The same value with this exponent, which must not be larger. */
static void dec_scale(struct fx_render *x, struct dec *a, int exp)
{
	while (a->exp > exp) {
		if (a->n + 1 >= DEC_DIGITS)
			fx_render_throw(x, "a number has too many digits");
		a->d[a->n++] = 0;
		a->exp--;
	}
}

static int dec_compare(const struct dec *a, const struct dec *b)
{
	int skip_a = 0, skip_b = 0;
	while (skip_a < a->n && a->d[skip_a] == 0)
		skip_a++;
	while (skip_b < b->n && b->d[skip_b] == 0)
		skip_b++;
	int na = a->n - skip_a, nb = b->n - skip_b;
	if (na != nb)
		return na < nb ? -1 : 1;
	return memcmp(a->d + skip_a, b->d + skip_b, (size_t)na);
}

/* a += b (sub: -=), exactly. */
static void dec_add(struct fx_render *x, struct dec *a, struct dec *b, bool sub)
{
	int exp = a->exp < b->exp ? a->exp : b->exp;
	dec_scale(x, a, exp);
	dec_scale(x, b, exp);
	bool bn = b->negative != sub;
	struct dec *out = fx_render_zalloc(x, sizeof(*out)), *big = a, *small = b;
	out->negative = a->negative;
	bool minus = a->negative != bn;
	if (minus && dec_compare(a, b) < 0) {
		big = b;
		small = a;
		out->negative = bn;
	}
	int n = (a->n > b->n ? a->n : b->n) + 1, carry = 0;
	if (n >= DEC_DIGITS)
		fx_render_throw(x, "a number has too many digits");
	for (int i = 0; i < n; i++) {
		int p = i < big->n ? big->d[big->n - 1 - i] : 0,
		    q = i < small->n ? small->d[small->n - 1 - i] : 0;
		int v = minus ? p - q - carry : p + q + carry;
		carry = minus ? v < 0 : v > 9;
		out->d[n - 1 - i] = (uint8_t)(minus ? (v + 10) % 10 : v % 10);
	}
	out->n = n;
	out->exp = exp;
	*a = *out;
}

static void dec_mul(struct fx_render *x, struct dec *a, const struct dec *b)
{
	struct dec *out = fx_render_zalloc(x, sizeof(*out));
	if (a->n + b->n >= DEC_DIGITS)
		fx_render_throw(x, "a number has too many digits");
	out->n = a->n + b->n;
	out->exp = a->exp + b->exp;
	out->negative = a->negative != b->negative;
	for (int i = a->n - 1; i >= 0; i--) {
		int carry = 0;
		for (int k = b->n - 1; k >= 0 || carry; k--) {
			int v = out->d[i + k + 1] + (k >= 0 ? a->d[i] * b->d[k] : 0) + carry;
			out->d[i + k + 1] = (uint8_t)(v % 10);
			carry = v / 10;
		}
	}
	*a = *out;
}

/* 16 digits behind the point, half away from zero. */
static void dec_div(struct fx_render *x, struct dec *a, const struct dec *b)
{
	bool zero = true;
	for (int i = 0; i < b->n; i++)
		zero = zero && b->d[i] == 0;
	if (zero)
		fx_render_throw(x, "decimal division by 0");
	/* quotient * 10^-17 = a / b: digits of a with exponent b->exp - 17, by long division. */
	struct dec *num = fx_render_zalloc(x, sizeof(*num)), *rem = fx_render_zalloc(x, sizeof(*rem));
	*num = *a;
	int want = b->exp - 17;
	if (num->exp > want)
		dec_scale(x, num, want);
	struct dec *q = fx_render_zalloc(x, sizeof(*q));
	struct dec *den = fx_render_zalloc(x, sizeof(*den));
	*den = *b;
	int drop = want - num->exp;
	den->negative = rem->negative = false;
	for (int i = 0; i < num->n - (drop > 0 ? drop : 0); i++) {
		rem->d[rem->n++] = num->d[i];
		int lead = 0;
		while (lead < rem->n - 1 && rem->d[lead] == 0)
			lead++;
		memmove(rem->d, rem->d + lead, (size_t)(rem->n - lead));
		rem->n -= lead;
		int digit = 0;
		rem->exp = den->exp = 0;
		while (dec_compare(rem, den) >= 0) {
			dec_add(x, rem, den, true);
			digit++;
		}
		q->d[q->n++] = (uint8_t)digit;
	}
	q->exp = -17;
	q->negative = a->negative != b->negative;
	/* Round the 17th digit away. */
	int last = q->n ? q->d[--q->n] : 0;
	q->exp = -16;
	if (last >= 5) {
		struct dec *one = fx_render_zalloc(x, sizeof(*one));
		one->d[0] = 1;
		one->n = 1;
		one->exp = -16;
		one->negative = q->negative;
		dec_add(x, q, one, false);
	}
	*a = *q;
}

static struct fx_val decimals(struct fx_render *x, const struct fx_val *a, size_t n, char op, bool add1)
{
	struct dec *acc = fx_render_zalloc(x, sizeof(*acc)), *b = fx_render_zalloc(x, sizeof(*b));
	dec_from(x, op == '+' ? 0 : fx_v_to_float(a[0]), acc);
	for (size_t i = op == '+' ? 0 : 1; i < n; i++) {
		dec_from(x, fx_v_to_float(a[i]), b);
		if (op == '+' || op == '-')
			dec_add(x, acc, b, op == '-');
		else if (op == '*')
			dec_mul(x, acc, b);
		else
			dec_div(x, acc, b);
	}
	if (add1) {
		dec_from(x, 1, b);
		dec_add(x, acc, b, false);
	}
	return fx_v_float(dec_to(x, acc));
}

static struct fx_val fn_addf(struct fx_render *x, const struct fx_val *a, size_t n)
{
	return decimals(x, a, n, '+', false);
}

static struct fx_val fn_add1f(struct fx_render *x, const struct fx_val *a, size_t n)
{
	return decimals(x, a, n, '+', true);
}

static struct fx_val fn_subf(struct fx_render *x, const struct fx_val *a, size_t n)
{
	return decimals(x, a, n, '-', false);
}

static struct fx_val fn_mulf(struct fx_render *x, const struct fx_val *a, size_t n)
{
	return decimals(x, a, n, '*', false);
}

static struct fx_val fn_divf(struct fx_render *x, const struct fx_val *a, size_t n)
{
	return decimals(x, a, n, '/', false);
}

static struct fx_val fn_floor(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)x, (void)n;
	return fx_v_float(floor(fx_v_to_float(a[0])));
}

static struct fx_val fn_ceil(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)x, (void)n;
	return fx_v_float(ceil(fx_v_to_float(a[0])));
}

static struct fx_val fn_round(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)x;
	double on = n > 2 ? a[2].f : 0.5, v = fx_v_to_float(a[0]), p = pow(10, (double)a[1].i), digit = p * v,
	       whole;
	double frac = modf(digit, &whole);
	return fx_v_float((frac >= on ? ceil(digit) : floor(digit)) / p);
}

static struct fx_val ints(struct fx_render *x, int64_t from, int64_t to, int64_t step)
{
	struct fx_val out = fx_v_list(x, 0);
	out.type = FX_T_INTS;
	if (step == 0 || (to < from && step >= 0) || (from < to && step <= 0))
		return out;
	uint64_t span = to < from ? (uint64_t)from - (uint64_t)to : (uint64_t)to - (uint64_t)from;
	/* cppcheck-suppress zerodivcond ; a step of 0 has returned */
	FX_FN_ITEMS_CHECK(x, span / (step < 0 ? 0 - (uint64_t)step : (uint64_t)step));
	for (int64_t i = from; to < from ? i > to : i < to; i += step)
		fx_v_push(x, out, fx_v_int(i));
	return out;
}

static struct fx_val fn_until(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return ints(x, 0, a[0].i, a[0].i < 0 ? -1 : 1);
}

static struct fx_val fn_until_step(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return ints(x, a[0].i, a[1].i, a[2].i);
}

static struct fx_val fn_seq(struct fx_render *x, const struct fx_val *a, size_t n)
{
	int64_t from = 1, to = 0, step = 1;
	if (n == 0 || n > 3)
		return fx_v_str("");
	if (n == 1) {
		to = a[0].i;
	} else {
		from = a[0].i;
		to = a[n - 1].i;
	}
	if (n == 3)
		step = a[1].i;
	else
		step = to < from ? -1 : 1;
	if (n == 3 && to < from && step > 0)
		return fx_v_str("");
	if (to > INT64_MAX - 1 || to < INT64_MIN + 1)
		return fx_v_str("");
	/* The end is part of the sequence. */
	struct fx_val l = ints(x, from, to + (step < 0 ? -1 : 1), step);
	struct fx_text t = {.x = x};
	fx_text_add(&t, "", 0);
	for (size_t i = 0; i < fx_v_len(l); i++)
		fx_text_addf(&t, i ? " %lld" : "%lld", (long long)l.list->items[i].i);
	return fx_text_val(&t);
}

static struct fx_val fn_rand_int(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	if (a[1].i <= a[0].i)
		fx_render_throw(x, "invalid argument to Intn");
	uint64_t r;
	fx_render_random(x, &r, sizeof(r));
	return fx_v_int((int64_t)((uint64_t)a[0].i + r % ((uint64_t)a[1].i - (uint64_t)a[0].i)));
}

const struct fx_fn fx_fns_math[] = {
        {"int", "A", fn_int},
        {"int64", "A", fn_int64},
        {"float64", "A", fn_float64},
        {"atoi", "S", fn_atoi},
        {"toDecimal", "A", fn_to_decimal},
        {"add", "A*", fn_add},
        {"add1", "A", fn_add1},
        {"sub", "AA", fn_sub},
        {"div", "AA", fn_div},
        {"mod", "AA", fn_mod},
        {"mul", "AA*", fn_mul},
        {"max", "AA*", fn_max},
        {"biggest", "AA*", fn_max},
        {"min", "AA*", fn_min},
        {"maxf", "AA*", fn_maxf},
        {"minf", "AA*", fn_minf},
        {"addf", "A*", fn_addf},
        {"add1f", "A", fn_add1f},
        {"subf", "AA*", fn_subf},
        {"mulf", "AA*", fn_mulf},
        {"divf", "AA*", fn_divf},
        {"floor", "A", fn_floor},
        {"ceil", "A", fn_ceil},
        {"round", "AIF*", fn_round},
        {"until", "I", fn_until},
        {"untilStep", "III", fn_until_step},
        {"seq", "I*", fn_seq},
        {"randInt", "II", fn_rand_int},
        {NULL, NULL, NULL},
};
