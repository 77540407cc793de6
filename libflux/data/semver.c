#include "data/semver.h"

#include <inttypes.h>
#include <string.h>

static const char identifier_chars[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-";

static int bad_version(struct fx_error *err, const char *text)
{
	return fx_fail(err, FX_E_PARSE, "invalid semantic version '%.*s'", FX_SEMVER_TEXT_MAX, text);
}

/* Reads a number at *p. False when there is none or it does not fit. */
static bool read_number(const char **p, bool strict, uint64_t *out)
{
	size_t digits = strspn(*p, "0123456789");
	if (digits == 0 || (strict && digits > 1 && **p == '0'))
		return false;
	uint64_t value = 0;
	for (size_t i = 0; i < digits; i++) {
		if (__builtin_mul_overflow(value, (uint64_t)10, &value) ||
		        __builtin_add_overflow(value, (uint64_t)((*p)[i] - '0'), &value))
			return false;
	}
	*out = value;
	*p += digits;
	return true;
}

/* Reads dot-separated identifiers at *p into out. numeric_rule: a number has no leading zero. */
static bool read_identifiers(const char **p, bool numeric_rule, char out[FX_SEMVER_TEXT_MAX])
{
	const char *start = *p;
	for (;;) {
		size_t len = strspn(*p, identifier_chars);
		if (len == 0)
			return false;
		if (numeric_rule && len > 1 && **p == '0' && strspn(*p, "0123456789") == len)
			return false;
		*p += len;
		if (**p != '.')
			break;
		(*p)++;
	}
	memcpy(out, start, (size_t)(*p - start));
	out[*p - start] = '\0';
	return true;
}

static int parse(const char *text, bool strict, struct fx_semver *out, struct fx_error *err)
{
	if (strnlen(text, FX_SEMVER_TEXT_MAX) >= FX_SEMVER_TEXT_MAX)
		return bad_version(err, text);
	struct fx_semver v = {0};
	uint64_t *const numbers[] = {&v.major, &v.minor, &v.patch};
	const char *p = text;
	if (!strict && *p == 'v')
		p++;
	for (size_t i = 0; i < FX_COUNT(numbers); i++) {
		if (i > 0 && *p != '.') {
			if (strict)
				return bad_version(err, text);
			break;
		}
		p += i > 0;
		if (!read_number(&p, strict, numbers[i]))
			return bad_version(err, text);
	}
	if (*p == '-') {
		p++;
		if (!read_identifiers(&p, true, v.pre))
			return bad_version(err, text);
	}
	if (*p == '+') {
		p++;
		if (!read_identifiers(&p, false, v.meta))
			return bad_version(err, text);
	}
	if (*p)
		return bad_version(err, text);
	*out = v;
	return 0;
}

int fx_semver_parse(const char *text, struct fx_semver *out, struct fx_error *err)
{
	return parse(text, false, out, err);
}

int fx_semver_parse_strict(const char *text, struct fx_semver *out, struct fx_error *err)
{
	return parse(text, true, out, err);
}

static int compare_numbers(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

/* Numbers come before words, and are compared by value: without leading zeros, by length first. */
static int compare_identifier(const char *a, size_t a_len, const char *b, size_t b_len)
{
	bool a_number = strspn(a, "0123456789") >= a_len, b_number = strspn(b, "0123456789") >= b_len;
	if (a_number != b_number)
		return a_number ? -1 : 1;
	if (a_number && a_len != b_len)
		return a_len < b_len ? -1 : 1;
	int c = memcmp(a, b, a_len < b_len ? a_len : b_len);
	return c ? c : compare_numbers(a_len, b_len);
}

static int compare_pre(const char *a, const char *b)
{
	if (!*a || !*b)
		return (*b != '\0') - (*a != '\0');
	while (*a && *b) {
		size_t a_len = strcspn(a, "."), b_len = strcspn(b, ".");
		int c = compare_identifier(a, a_len, b, b_len);
		if (c)
			return c;
		a += a_len + (a[a_len] == '.');
		b += b_len + (b[b_len] == '.');
	}
	return (*a != '\0') - (*b != '\0');
}

int fx_semver_compare(const struct fx_semver *a, const struct fx_semver *b)
{
	int c = compare_numbers(a->major, b->major);
	c = c ? c : compare_numbers(a->minor, b->minor);
	c = c ? c : compare_numbers(a->patch, b->patch);
	return c ? c : compare_pre(a->pre, b->pre);
}

char *fx_semver_format(const struct fx_semver *v, char out[FX_SEMVER_FORMAT_MAX])
{
	snprintf(out, FX_SEMVER_FORMAT_MAX, "%" PRIu64 ".%" PRIu64 ".%" PRIu64 "%s%s%s%s", v->major, v->minor,
	        v->patch, *v->pre ? "-" : "", v->pre, *v->meta ? "+" : "", v->meta);
	return out;
}
