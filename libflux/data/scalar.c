#include "data/scalar.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Longest text that can be a number or a date: with more digits it is a string for us. */
#define NUMBER_MAX 512

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Words with a fixed meaning. */
struct word {
	const char *text;
	enum fx_tag tag;
	double value;
	bool v2_only;
};

static const struct word words[] = {
        {"true", FX_TAG_BOOL, 1, false},
        {"True", FX_TAG_BOOL, 1, false},
        {"TRUE", FX_TAG_BOOL, 1, false},
        {"false", FX_TAG_BOOL, 0, false},
        {"False", FX_TAG_BOOL, 0, false},
        {"FALSE", FX_TAG_BOOL, 0, false},
        {"~", FX_TAG_NULL, 0, false},
        {"null", FX_TAG_NULL, 0, false},
        {"Null", FX_TAG_NULL, 0, false},
        {"NULL", FX_TAG_NULL, 0, false},
        {".nan", FX_TAG_FLOAT, NAN, false},
        {".NaN", FX_TAG_FLOAT, NAN, false},
        {".NAN", FX_TAG_FLOAT, NAN, false},
        {".inf", FX_TAG_FLOAT, INFINITY, false},
        {".Inf", FX_TAG_FLOAT, INFINITY, false},
        {".INF", FX_TAG_FLOAT, INFINITY, false},
        {"+.inf", FX_TAG_FLOAT, INFINITY, false},
        {"+.Inf", FX_TAG_FLOAT, INFINITY, false},
        {"+.INF", FX_TAG_FLOAT, INFINITY, false},
        {"-.inf", FX_TAG_FLOAT, -INFINITY, false},
        {"-.Inf", FX_TAG_FLOAT, -INFINITY, false},
        {"-.INF", FX_TAG_FLOAT, -INFINITY, false},
        {"<<", FX_TAG_MERGE, 0, false},
        {"y", FX_TAG_BOOL, 1, true},
        {"Y", FX_TAG_BOOL, 1, true},
        {"yes", FX_TAG_BOOL, 1, true},
        {"Yes", FX_TAG_BOOL, 1, true},
        {"YES", FX_TAG_BOOL, 1, true},
        {"on", FX_TAG_BOOL, 1, true},
        {"On", FX_TAG_BOOL, 1, true},
        {"ON", FX_TAG_BOOL, 1, true},
        {"n", FX_TAG_BOOL, 0, true},
        {"N", FX_TAG_BOOL, 0, true},
        {"no", FX_TAG_BOOL, 0, true},
        {"No", FX_TAG_BOOL, 0, true},
        {"NO", FX_TAG_BOOL, 0, true},
        {"off", FX_TAG_BOOL, 0, true},
        {"Off", FX_TAG_BOOL, 0, true},
        {"OFF", FX_TAG_BOOL, 0, true},
};

static bool find_word(enum fx_yaml_dialect dialect, const char *text, size_t len, struct fx_scalar *out)
{
	if (len > 5)
		return false;
	for (size_t i = 0; i < FX_COUNT(words); i++) {
		const struct word *w = &words[i];
		if (w->text[0] != text[0] || strlen(w->text) != len || memcmp(w->text, text, len) != 0 ||
		        (w->v2_only && dialect != FX_YAML_V2))
			continue;
		*out = (struct fx_scalar){.tag = w->tag};
		if (w->tag == FX_TAG_BOOL)
			out->b = w->value != 0;
		else
			out->f = w->value;
		return true;
	}
	return false;
}

/* Go's ParseInt/ParseUint for one base: digits only, 64 bits. */
static bool parse_digits(const char *s, size_t len, unsigned base, uint64_t *out)
{
	uint64_t v = 0;
	if (len == 0)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = s[i];
		unsigned d;
		if (is_digit(c))
			d = (unsigned)(c - '0');
		else if (c >= 'a' && c <= 'f')
			d = (unsigned)(c - 'a') + 10;
		else if (c >= 'A' && c <= 'F')
			d = (unsigned)(c - 'A') + 10;
		else
			return false;
		if (d >= base || v > (UINT64_MAX - d) / base)
			return false;
		v = v * base + d;
	}
	*out = v;
	return true;
}

static bool set_int(bool negative, uint64_t magnitude, struct fx_scalar *out)
{
	*out = (struct fx_scalar){.tag = FX_TAG_INT};
	if (negative) {
		if (magnitude > (uint64_t)INT64_MAX + 1)
			return false;
		out->i = (int64_t)(0 - magnitude);
	} else if (magnitude > INT64_MAX) {
		out->is_unsigned = true;
		out->u = magnitude;
	} else {
		out->i = (int64_t)magnitude;
	}
	return true;
}

/* Base by prefix as in Go; a sign is possible. Unsigned values take no sign. */
static bool parse_int(const char *s, size_t len, struct fx_scalar *out)
{
	bool sign = len > 0 && (s[0] == '-' || s[0] == '+');
	bool negative = sign && s[0] == '-';
	if (sign) {
		s++;
		len--;
	}
	unsigned base = 10;
	if (len >= 2 && s[0] == '0') {
		char p = (char)(s[1] | 0x20);
		base = p == 'x' ? 16 : p == 'b' ? 2 : 8;
		size_t skip = p == 'x' || p == 'b' || p == 'o' ? 2 : 1;
		s += skip;
		len -= skip;
	}
	uint64_t v;
	if (!parse_digits(s, len, base, &v))
		return false;
	if (sign && !negative && v > INT64_MAX)
		return false;
	return set_int(negative, v, out);
}

/* ^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$ */
static bool looks_like_float(const char *s)
{
	if (*s == '-' || *s == '+')
		s++;
	if (*s == '.') {
		if (!is_digit(*++s))
			return false;
		while (is_digit(*s))
			s++;
	} else {
		if (!is_digit(*s))
			return false;
		while (is_digit(*s))
			s++;
		if (*s == '.')
			while (is_digit(*++s))
				;
	}
	if (*s == 'e' || *s == 'E') {
		s++;
		if (*s == '-' || *s == '+')
			s++;
		if (!is_digit(*s))
			return false;
		while (is_digit(*s))
			s++;
	}
	return *s == '\0';
}

static bool parse_float(const char *s, struct fx_scalar *out)
{
	if (!looks_like_float(s))
		return false;
	double f = strtod(s, NULL);
	if (isinf(f))
		return false;
	*out = (struct fx_scalar){.tag = FX_TAG_FLOAT, .f = f};
	return true;
}

struct fx_scalar fx_scalar_resolve(enum fx_yaml_dialect dialect, const char *text, size_t len)
{
	struct fx_scalar out = {.tag = FX_TAG_STR};
	if (len == 0)
		return (struct fx_scalar){.tag = FX_TAG_NULL};
	char c = text[0];
	bool numeric = is_digit(c) || c == '+' || c == '-' || c == '.';
	if (!numeric) {
		/* Only words that start with one of these mean something. */
		if (strchr("tTfF~nN<yYoO", c))
			find_word(dialect, text, len, &out);
		return out;
	}
	if (len >= NUMBER_MAX || memchr(text, '\0', len))
		return out;
	if (find_word(dialect, text, len, &out))
		return out;
	char plain[NUMBER_MAX];
	if (c == '.') {
		memcpy(plain, text, len);
		plain[len] = '\0';
		parse_float(plain, &out);
		return out;
	}
	char time[FX_NUMBER_TEXT];
	if (fx_scalar_time(text, len, time))
		return (struct fx_scalar){.tag = FX_TAG_TIME};
	size_t n = 0;
	for (size_t i = 0; i < len; i++)
		if (text[i] != '_')
			plain[n++] = text[i];
	plain[n] = '\0';
	struct fx_scalar number;
	if (parse_int(plain, n, &number) || parse_float(plain, &number))
		return number;
	return out;
}

enum fx_tag fx_scalar_tag(enum fx_yaml_dialect dialect, const char *text, size_t len)
{
	return fx_scalar_resolve(dialect, text, len).tag;
}

static const char *tag_name(enum fx_tag tag)
{
	static const char *const names[] = {
	        [FX_TAG_NONE] = "",
	        [FX_TAG_STR] = "!!str",
	        [FX_TAG_INT] = "!!int",
	        [FX_TAG_FLOAT] = "!!float",
	        [FX_TAG_BOOL] = "!!bool",
	        [FX_TAG_NULL] = "!!null",
	        [FX_TAG_TIME] = "!!timestamp",
	        [FX_TAG_BINARY] = "!!binary",
	        [FX_TAG_MERGE] = "!!merge",
	        [FX_TAG_MAP] = "!!map",
	        [FX_TAG_SEQ] = "!!seq",
	        [FX_TAG_OTHER] = "!other",
	};
	return names[tag];
}

int fx_scalar_value(const struct fx_node *node, bool in_flow, struct fx_scalar *out, struct fx_error *err)
{
	enum fx_tag tag = node->tag;
	bool quoted = node->style != FX_STYLE_PLAIN;
	*out = (struct fx_scalar){.tag = FX_TAG_STR};
	if (tag == FX_TAG_STR || tag == FX_TAG_OTHER || tag == FX_TAG_BINARY || tag == FX_TAG_MERGE)
		return 0;
	if (!quoted && node->len && memchr(node->text, '\n', node->len))
		quoted = true;
	/* Plain text with a colon is quoted inside flow collections. */
	if (!quoted && in_flow && node->len && memchr(node->text, ':', node->len) && !node->tagged)
		quoted = true;
	if (tag == FX_TAG_NONE && quoted)
		return 0;
	struct fx_scalar v = fx_scalar_resolve(FX_YAML_V3, node->text, node->len);
	if (v.tag == FX_TAG_MERGE)
		v.tag = FX_TAG_STR;
	if (tag == FX_TAG_NONE || v.tag == tag) {
		if (!quoted || node->tagged)
			*out = v;
		return 0;
	}
	if (tag == FX_TAG_FLOAT && v.tag == FX_TAG_INT && !v.is_unsigned) {
		*out = (struct fx_scalar){.tag = FX_TAG_FLOAT, .f = (double)v.i};
		return 0;
	}
	return fx_fail(err, FX_E_INVALID, "yaml: cannot decode %s `%s` as a %s", tag_name(v.tag), node->text,
	        tag_name(tag));
}

/* ---- numbers as text ---- */

/* Shortest decimal digits that give the value back: digits without dot, exponent of the first digit. */
static size_t shortest(double value, char digits[32], int *exp10)
{
	char text[64];
	for (int precision = 0; precision < 18; precision++) {
		snprintf(text, sizeof(text), "%.*e", precision, value);
		if (strtod(text, NULL) == value)
			break;
	}
	size_t n = 0;
	const char *s = text;
	for (; *s && *s != 'e'; s++)
		if (is_digit(*s))
			digits[n++] = *s;
	*exp10 = *s == 'e' ? atoi(s + 1) : 0;
	while (n > 1 && digits[n - 1] == '0')
		n--;
	digits[n] = '\0';
	return n;
}

static size_t write_e(bool negative, const char *digits, size_t n, int exp10, int exp_digits, char *out)
{
	size_t at = 0;
	if (negative)
		out[at++] = '-';
	out[at++] = digits[0];
	if (n > 1) {
		out[at++] = '.';
		memcpy(out + at, digits + 1, n - 1);
		at += n - 1;
	}
	return at + (size_t)sprintf(out + at, "e%c%0*d", exp10 < 0 ? '-' : '+', exp_digits, abs(exp10));
}

static size_t write_f(bool negative, const char *digits, size_t n, int exp10, char *out)
{
	size_t at = 0;
	if (negative)
		out[at++] = '-';
	if (exp10 < 0) {
		out[at++] = '0';
		out[at++] = '.';
		for (int i = -1; i > exp10; i--)
			out[at++] = '0';
		memcpy(out + at, digits, n);
		at += n;
	} else {
		for (int i = 0; i <= exp10; i++)
			out[at++] = (size_t)i < n ? digits[i] : '0';
		if (n > (size_t)exp10 + 1) {
			out[at++] = '.';
			memcpy(out + at, digits + exp10 + 1, n - (size_t)exp10 - 1);
			at += n - (size_t)exp10 - 1;
		}
	}
	out[at] = '\0';
	return at;
}

size_t fx_double_json(double value, char out[FX_NUMBER_TEXT])
{
	char digits[32];
	int exp10;
	size_t n = shortest(fabs(value), digits, &exp10);
	double a = fabs(value);
	if (a != 0 && (a < 1e-6 || a >= 1e21))
		return write_e(signbit(value), digits, n, exp10, exp10 < 0 && exp10 > -10 ? 1 : 2, out);
	return write_f(signbit(value), digits, n, exp10, out);
}

size_t fx_double_g(double value, char out[FX_NUMBER_TEXT])
{
	char digits[32];
	int exp10;
	size_t n = shortest(fabs(value), digits, &exp10);
	/* Go decides about the exponent as if the precision were 6 when it prints the shortest form. */
	if (value != 0 && (exp10 < -4 || exp10 >= 6))
		return write_e(signbit(value), digits, n, exp10, 2, out);
	return write_f(signbit(value), digits, n, exp10, out);
}

size_t fx_double_f(double value, char *out)
{
	char digits[32];
	int exp10;
	size_t n = shortest(fabs(value), digits, &exp10);
	return write_f(signbit(value), digits, n, exp10, out);
}

/* ---- timestamps ---- */

static bool take_number(const char **s, const char *end, int min_digits, int max_digits, int *out)
{
	int n = 0, v = 0;
	while (*s < end && n < max_digits && is_digit(**s)) {
		v = v * 10 + (**s - '0');
		(*s)++;
		n++;
	}
	*out = v;
	return n >= min_digits;
}

static bool take_char(const char **s, const char *end, char c)
{
	if (*s >= end || **s != c)
		return false;
	(*s)++;
	return true;
}

static int days_of(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return month == 2 && leap ? 29 : days[month - 1];
}

/* ".123" or ",123": keeps nine digits, without trailing zeros. */
static void take_fraction(const char **s, const char *end, char fraction[10])
{
	size_t n = 0;
	if (end - *s >= 2 && (**s == '.' || **s == ',') && is_digit((*s)[1])) {
		(*s)++;
		while (*s < end && is_digit(**s)) {
			if (n < 9)
				fraction[n++] = **s;
			(*s)++;
		}
	}
	while (n > 0 && fraction[n - 1] == '0')
		n--;
	fraction[n] = '\0';
}

static bool take_zone(const char **s, const char *end, char zone[8])
{
	if (take_char(s, end, 'Z')) {
		strcpy(zone, "Z");
		return true;
	}
	int h, m;
	if (*s >= end || (**s != '+' && **s != '-'))
		return false;
	char sign = *(*s)++;
	if (!take_number(s, end, 2, 2, &h) || !take_char(s, end, ':') || !take_number(s, end, 2, 2, &m) ||
	        h > 24 || m > 60)
		return false;
	if (h == 0 && m == 0)
		strcpy(zone, "Z");
	else {
		zone[0] = sign;
		zone[1] = (char)('0' + h / 10);
		zone[2] = (char)('0' + h % 10);
		zone[3] = ':';
		zone[4] = (char)('0' + m / 10);
		zone[5] = (char)('0' + m % 10);
		zone[6] = '\0';
	}
	return true;
}

bool fx_scalar_time(const char *text, size_t len, char out[FX_NUMBER_TEXT])
{
	const char *s = text, *end = text + len;
	if (len < 8 || len > 64 || text[4] != '-')
		return false;
	int year, month, day, hour = 0, minute = 0, second = 0;
	char fraction[10] = "", zone[8] = "Z";
	if (!take_number(&s, end, 4, 4, &year) || !take_char(&s, end, '-') ||
	        !take_number(&s, end, 1, 2, &month) || !take_char(&s, end, '-') ||
	        !take_number(&s, end, 1, 2, &day))
		return false;
	if (month < 1 || month > 12 || day < 1 || day > days_of(year, month))
		return false;
	if (s < end) {
		char sep = *s++;
		if (sep != 'T' && sep != 't' && sep != ' ')
			return false;
		if (!take_number(&s, end, 1, 2, &hour) || !take_char(&s, end, ':') ||
		        !take_number(&s, end, 1, 2, &minute) || !take_char(&s, end, ':') ||
		        !take_number(&s, end, 1, 2, &second))
			return false;
		if (hour > 23 || minute > 59 || second > 59)
			return false;
		take_fraction(&s, end, fraction);
		if (sep != ' ' && !take_zone(&s, end, zone))
			return false;
		if (s != end)
			return false;
	}
	int at = snprintf(out, FX_NUMBER_TEXT, "%04d-%02d-%02dT%02d:%02d:%02d", year % 10000, month % 100,
	        day % 100, hour % 100, minute % 100, second % 100);
	if (fraction[0])
		out[at++] = '.';
	strcpy(stpcpy(out + at, fraction), zone);
	return true;
}

/* ^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$ */
bool fx_scalar_is_base60(const char *text, size_t len)
{
	const char *s = text, *end = text + len;
	if (len == 0 || !memchr(text, ':', len))
		return false;
	if (*s == '-' || *s == '+')
		s++;
	if (s >= end || !is_digit(*s))
		return false;
	while (s < end && (is_digit(*s) || *s == '_'))
		s++;
	int groups = 0;
	while (s < end && *s == ':') {
		s++;
		if (s + 1 < end && *s >= '0' && *s <= '5' && is_digit(s[1]))
			s += 2;
		else if (s < end && is_digit(*s))
			s++;
		else
			return false;
		groups++;
	}
	if (groups == 0)
		return false;
	if (s < end && *s == '.')
		for (s++; s < end && (is_digit(*s) || *s == '_'); s++)
			;
	return s == end;
}
