/* The formats of strings that a schema can ask for, and why a text is not of one. */
#include "schema_internal.h"

#include <stdlib.h>

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool hex(char c)
{
	return digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static size_t digits(const char *s, size_t n)
{
	size_t i = 0;
	while (i < n && digit(s[i]))
		i++;
	return i;
}

/* "text 'c'tail" for the rune at s. */
static const char *bad_rune(struct fx_render *x, const char *text, const char *s, size_t n, const char *tail)
{
	struct fx_text t = {.x = x};
	size_t w;
	fx_rune_at(s, n, &w);
	fx_text_str(&t, text);
	fx_text_char(&t, ' ');
	fx_schema_quote(&t, s, w);
	fx_text_str(&t, tail);
	return fx_text_c(&t);
}

static const char *prefixed(struct fx_render *x, const char *prefix, const char *why)
{
	struct fx_text t = {.x = x};
	if (!why)
		return NULL;
	fx_text_addf(&t, "%s: %s", prefix, why);
	return fx_text_c(&t);
}

/* The next part up to sep; *i is behind it, n + 1 after the last. */
static size_t next_part(const char *s, size_t n, char sep, size_t *i)
{
	const char *p = *i < n ? memchr(s + *i, sep, n - *i) : NULL;
	size_t len = (p ? (size_t)(p - s) : n) - *i;
	*i += len + 1;
	return len;
}

/* ---- addresses ---- */

static const char *atoi_problem(struct fx_render *x, const char *s, size_t n)
{
	struct fx_text t = {.x = x};
	size_t sign = n && (s[0] == '-' || s[0] == '+');
	bool number = n > sign && digits(s + sign, n - sign) == n - sign;
	if (number && n - sign < 19)
		return NULL;
	fx_text_str(&t, "strconv.Atoi: parsing ");
	fx_fmt_quote(&t, s, n, false);
	fx_text_str(&t, number ? ": value out of range" : ": invalid syntax");
	return fx_text_c(&t);
}

static const char *ipv4(struct fx_render *x, const char *s, size_t n)
{
	size_t groups = 1;
	for (size_t i = 0; i < n; i++)
		groups += s[i] == '.';
	if (groups != 4)
		return "expected four decimals";
	for (size_t i = 0; i <= n;) {
		const char *g = s + i;
		size_t len = next_part(s, n, '.', &i);
		if (len > 1 && g[0] == '0')
			return "leading zeros";
		const char *why = atoi_problem(x, g, len);
		if (why)
			return why;
		long long v = strtoll(fx_v_dup(x, g, len).s, NULL, 10);
		if (v < 0 || v > 255)
			return "decimal must be between 0 and 255";
	}
	return NULL;
}

static const char *addr_problem(
        struct fx_render *x, const char *s, size_t n, const char *msg, const char *at, size_t at_len)
{
	struct fx_text t = {.x = x};
	fx_text_str(&t, "ParseAddr(");
	fx_fmt_quote(&t, s, n, false);
	fx_text_addf(&t, "): %s", msg);
	if (at_len) {
		fx_text_str(&t, " (at ");
		fx_fmt_quote(&t, at, at_len, false);
		fx_text_char(&t, ')');
	}
	return fx_text_c(&t);
}

/* The IPv4 fields of an address whose whole text is in. */
static const char *ipv4_fields(struct fx_render *x, const char *in, size_t in_len, const char *s, size_t n)
{
	unsigned val = 0, len = 0, pos = 0;
	for (size_t i = 0; i < n; i++) {
		if (digit(s[i])) {
			if (len == 1 && val == 0)
				return addr_problem(
				        x, in, in_len, "IPv4 field has octet with leading zero", NULL, 0);
			val = val * 10 + (unsigned)(s[i] - '0');
			len++;
			if (val > 255)
				return addr_problem(x, in, in_len, "IPv4 field has value >255", NULL, 0);
		} else if (s[i] == '.') {
			if (i == 0 || i == n - 1 || s[i - 1] == '.')
				return addr_problem(x, in, in_len, "IPv4 field must have at least one digit",
				        s + i, n - i);
			if (pos++ == 3)
				return addr_problem(x, in, in_len, "IPv4 address too long", NULL, 0);
			val = len = 0;
		} else {
			return addr_problem(x, in, in_len, "unexpected character", s + i, n - i);
		}
	}
	return pos < 3 ? addr_problem(x, in, in_len, "IPv4 address too short", NULL, 0) : NULL;
}

/* Go's netip.ParseAddr of a text with a colon before any dot and no zone. */
static const char *ipv6_groups(struct fx_render *x, const char *in, size_t in_len, const char *s, size_t n)
{
	int ellipsis = -1, i = 0;
	if (n >= 2 && s[0] == ':' && s[1] == ':') {
		ellipsis = 0;
		s += 2;
		n -= 2;
	}
	while (i < 16 && (n || i || ellipsis < 0)) {
		size_t off = 0;
		for (; off < n && hex(s[off]); off++) {
			if (off > 3)
				return addr_problem(
				        x, in, in_len, "each group must have 4 or less digits", s, n);
		}
		if (off == 0)
			return addr_problem(x, in, in_len,
			        "each colon-separated field must have at least one digit", s, n);
		if (off < n && s[off] == '.') {
			if (ellipsis < 0 && i != 12)
				return addr_problem(x, in, in_len,
				        "embedded IPv4 address must replace the final 2 fields of the "
				        "address",
				        s, n);
			if (i + 4 > 16)
				return addr_problem(x, in, in_len,
				        "too many hex fields to fit an embedded IPv4 at the end of the "
				        "address",
				        s, n);
			const char *why = ipv4_fields(x, in, in_len, s, n);
			if (why)
				return why;
			n = 0;
			i += 4;
			break;
		}
		i += 2;
		s += off;
		n -= off;
		if (!n)
			break;
		if (s[0] != ':')
			return addr_problem(x, in, in_len, "unexpected character, want colon", s, n);
		if (n == 1)
			return addr_problem(x, in, in_len, "colon must be followed by more characters", s, n);
		s++;
		n--;
		if (s[0] != ':')
			continue;
		if (ellipsis >= 0)
			return addr_problem(x, in, in_len, "multiple :: in address", s, n);
		ellipsis = i;
		s++;
		n--;
		if (!n)
			break;
	}
	if (n)
		return addr_problem(x, in, in_len, "trailing garbage after address", s, n);
	if (i < 16 && ellipsis < 0)
		return addr_problem(x, in, in_len, "address string too short", NULL, 0);
	if (i >= 16 && ellipsis >= 0)
		return addr_problem(
		        x, in, in_len, "the :: must expand to at least one field of zeros", NULL, 0);
	return NULL;
}

static const char *ipv6(struct fx_render *x, const char *s, size_t n)
{
	if (!memchr(s, ':', n))
		return "missing colon";
	size_t i = 0;
	while (i < n && s[i] != '.' && s[i] != ':' && s[i] != '%')
		i++;
	if (s[i] == '.')
		return ipv4_fields(x, s, n, s, n);
	if (s[i] == '%')
		return addr_problem(x, s, n, "missing IPv6 address", NULL, 0);
	const char *zone = memchr(s, '%', n), *why;
	if (zone && zone + 1 == s + n)
		return addr_problem(x, s, n, "zone must be a non-empty string", NULL, 0);
	why = ipv6_groups(x, s, n, s, zone ? (size_t)(zone - s) : n);
	return why ? why : zone ? "zone id is not a part of ipv6 address" : NULL;
}

static const char *hostname(struct fx_render *x, const char *s, size_t n)
{
	if (n && s[n - 1] == '.')
		n--;
	if (n > 253)
		return "more than 253 characters long";
	for (size_t i = 0; i <= n;) {
		const char *l = s + i;
		size_t len = next_part(s, n, '.', &i);
		if (len < 1 || len > 63)
			return "label must be 1 to 63 characters long";
		if (l[0] == '-')
			return "label starts with hyphen";
		if (l[len - 1] == '-')
			return "label ends with hyphen";
		for (size_t k = 0; k < len; k++) {
			if (!letter(l[k]) && !digit(l[k]) && l[k] != '-')
				return bad_rune(x, "invalid character", l + k, len - k, "");
		}
	}
	return NULL;
}

static const char *local_part(struct fx_render *x, const char *s, size_t n)
{
	if (n > 64)
		return "local part more than 64 characters long";
	if (n > 1 && s[0] == '"')
		return memchr(s + 1, '\\', n - 2) || memchr(s + 1, '"', n - 2)
		               ? "backslash and quote are not allowed within quoted local part"
		               : NULL;
	if (n && s[0] == '.')
		return "starts with dot";
	if (n && s[n - 1] == '.')
		return "ends with dot";
	if (memmem(s, n, "..", 2))
		return "consecutive dots";
	for (size_t i = 0; i < n; i++) {
		if (!letter(s[i]) && !digit(s[i]) && !(s[i] && strchr(".!#$%&'*+-/=?^_`{|}~", s[i])))
			return bad_rune(x, "invalid character", s + i, n - i, "");
	}
	return NULL;
}

static const char *email(struct fx_render *x, const char *s, size_t n)
{
	if (n > 254)
		return "more than 255 characters long";
	const char *at = n ? memrchr(s, '@', n) : NULL;
	if (!at)
		return "missing @";
	const char *why = local_part(x, s, (size_t)(at - s)), *domain = at + 1;
	size_t len = n - (size_t)(domain - s);
	if (why)
		return why;
	if (len >= 2 && domain[0] == '[' && domain[len - 1] == ']') {
		if (len >= 7 && memcmp(domain + 1, "IPv6:", 5) == 0)
			return prefixed(x, "invalid ipv6 address", ipv6(x, domain + 6, len - 7));
		return prefixed(x, "invalid ipv4 address", ipv4(x, domain + 1, len - 2));
	}
	return prefixed(x, "invalid domain", hostname(x, domain, len));
}

/* ---- times ---- */

static const char *date_problem(
        struct fx_render *x, const char *s, size_t n, size_t at, const char *layout, const char *why)
{
	struct fx_text t = {.x = x};
	fx_text_str(&t, "parsing time ");
	fx_fmt_quote(&t, s, n, false);
	if (layout) {
		fx_text_str(&t, " as \"2006-01-02\": cannot parse ");
		fx_fmt_quote(&t, s + at, n - at, false);
		fx_text_addf(&t, " as \"%s\"", layout);
	} else {
		fx_text_addf(&t, ": %s", why);
		if (at) {
			fx_text_char(&t, ' ');
			fx_fmt_quote(&t, s + at, n - at, false);
		}
	}
	return fx_text_c(&t);
}

static const char *date(struct fx_render *x, const char *s, size_t n)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	static const char *const layout[] = {"2006", "-", "01", "-", "02"};
	int part[3] = {0};
	size_t at = 0;
	for (size_t i = 0; i < FX_COUNT(layout); i++) {
		size_t len = strlen(layout[i]);
		bool ok = i % 2 ? at < n && s[at] == '-' : digits(s + at, n - at) >= len;
		if (!ok)
			return date_problem(x, s, n, at, layout[i], NULL);
		for (size_t k = at; i % 2 == 0 && k < at + len; k++)
			part[i / 2] = part[i / 2] * 10 + (s[k] - '0');
		at += len;
		if (i == 2 && (part[1] < 1 || part[1] > 12))
			return date_problem(x, s, n, 0, NULL, "month out of range");
	}
	if (at < n)
		return date_problem(x, s, n, at, NULL, "extra text:");
	bool leap = part[0] % 4 == 0 && (part[0] % 100 != 0 || part[0] % 400 == 0);
	if (part[2] < 1 || part[2] > days[part[1] - 1] + (leap && part[1] == 2))
		return date_problem(x, s, n, 0, NULL, "day out of range");
	return NULL;
}

/* A number of two characters as Atoi takes it: a sign may stand there. -1: none, -2: negative. */
static int two(const char *s)
{
	if (digit(s[0]) && digit(s[1]))
		return (s[0] - '0') * 10 + (s[1] - '0');
	if ((s[0] == '+' || s[0] == '-') && digit(s[1]))
		return s[0] == '-' && s[1] != '0' ? -2 : s[1] - '0';
	return -1;
}

static const char *offset(const char *s, size_t n, int *minutes)
{
	if (n != 6)
		return "offset must be 6 characters long";
	if (s[0] != '+' && s[0] != '-')
		return "offset must begin with plus/minus";
	if (s[3] != ':')
		return "missing colon in offset in correct place";
	int h = two(s + 1), m = h < 0 ? 0 : two(s + 4);
	if (h == -1 || m == -1)
		return "invalid hour/min in offset";
	if (h == -2 || m == -2)
		return "non-positive hour/min in offset";
	if (h > 23 || m > 59)
		return "hour/min in offset out of range";
	*minutes = (s[0] == '+' ? -1 : 1) * (h * 60 + m);
	return NULL;
}

static const char *time_of_day(struct fx_render *x fx_unused, const char *s, size_t n)
{
	if (n < 9)
		return "less than 9 characters long";
	if (s[2] != ':' || s[5] != ':')
		return "missing colon in correct place";
	int hms[3], shift = 0;
	for (int i = 0; i < 3; i++) {
		hms[i] = two(s + 3 * i);
		if (hms[i] < 0)
			return hms[i] == -1 ? "invalid hour/min/sec" : "non-positive hour/min/sec";
	}
	if (hms[0] > 23 || hms[1] > 59 || hms[2] > 60)
		return "hour/min/sec out of range";
	s += 8;
	n -= 8;
	if (s[0] == '.') {
		size_t d = digits(s + 1, n - 1);
		if (!d)
			return "no digits in second fraction";
		s += d + 1;
		n -= d + 1;
	}
	if (!(n == 1 && (*s == 'z' || *s == 'Z'))) {
		const char *why = offset(s, n, &shift);
		if (why)
			return why;
	}
	int minute = hms[0] * 60 + hms[1] + shift;
	if (minute < 0)
		minute += 24 * 60;
	return hms[2] >= 60 && minute != 23 * 60 + 59 ? "invalid leap second" : NULL;
}

static const char *date_time(struct fx_render *x, const char *s, size_t n)
{
	if (n < 20)
		return "less than 20 characters long";
	if (s[10] != 't' && s[10] != 'T')
		return "11th character must be t or T";
	const char *why = prefixed(x, "invalid date element", date(x, s, 10));
	return why ? why : prefixed(x, "invalid time element", time_of_day(x, s + 11, n - 11));
}

static const char *units(struct fx_render *x, const char *s, size_t n, const char *all)
{
	const char *left = all;
	while (n) {
		size_t d = digits(s, n);
		if (!d)
			return "missing number";
		if (d == n)
			return "missing unit";
		const char *u = s[d] ? strchr(left, s[d]) : NULL;
		if (!u)
			return s[d] && strchr(all, s[d]) ? bad_rune(x, "unit", s + d, 1, " out of order")
			                                 : bad_rune(x, "invalid unit", s + d, 1, "");
		left = u + 1;
		s += d + 1;
		n -= d + 1;
	}
	return NULL;
}

static const char *duration(struct fx_render *x, const char *s, size_t n)
{
	static const char *const all[] = {"YMD", "HMS"};
	if (!n || s[0] != 'P')
		return "must start with P";
	s++;
	n--;
	if (!n)
		return "nothing after P";
	if (s[n - 1] == 'W')
		return n == 1 ? "no number in week" : digits(s, n - 1) < n - 1 ? "invalid week" : NULL;
	for (size_t i = 0, part = 0; i <= n; part++) {
		const char *p = s + i, *why;
		size_t len = next_part(s, n, 'T', &i);
		if (part && !len)
			return "no time elements";
		if (part >= FX_COUNT(all))
			return "more than one T";
		if ((why = units(x, p, len, all[part])))
			return why;
	}
	return NULL;
}

static const char *period(struct fx_render *x, const char *s, size_t n)
{
	const char *slash = memchr(s, '/', n), *why;
	if (!slash)
		return "missing slash";
	size_t a = (size_t)(slash - s), b = n - a - 1;
	if (a && s[0] == 'P') {
		why = prefixed(x, "invalid start duration", duration(x, s, a));
		return why ? why : prefixed(x, "invalid end date-time", date_time(x, slash + 1, b));
	}
	why = prefixed(x, "invalid start date-time", date_time(x, s, a));
	if (why)
		return why;
	if (b && slash[1] == 'P')
		return prefixed(x, "invalid end duration", duration(x, slash + 1, b));
	return prefixed(x, "invalid end date-time", date_time(x, slash + 1, b));
}

/* ---- pointers, URLs, names ---- */

static const char *json_pointer(struct fx_render *x fx_unused, const char *s, size_t n)
{
	if (!n)
		return NULL;
	if (s[0] != '/')
		return "not starting with /";
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '~' && (i + 1 >= n || (s[i + 1] != '0' && s[i + 1] != '1')))
			return "~ must be followed by 0 or 1";
	}
	return NULL;
}

static const char *relative_json_pointer(struct fx_render *x, const char *s, size_t n)
{
	size_t d = digits(s, n);
	if (!d)
		return "must start with non-negative integer";
	if (d > 1 && s[0] == '0')
		return "starts with zero";
	if (n - d == 1 && s[d] == '#')
		return NULL;
	return json_pointer(x, s + d, n - d);
}

static const char *uuid(struct fx_render *x, const char *s, size_t n)
{
	static const size_t want[] = {8, 4, 4, 4, 12};
	struct fx_text t = {.x = x};
	size_t parts = 1, i = 0;
	for (size_t k = 0; k < n; k++)
		parts += s[k] == '-';
	if (parts != FX_COUNT(want))
		return "must have 5 elements";
	for (size_t k = 0; k < FX_COUNT(want); k++) {
		const char *g = s + i;
		size_t len = next_part(s, n, '-', &i);
		if (len != want[k]) {
			fx_text_addf(&t, "element %zu must be %zu characters long", k + 1, want[k]);
			return fx_text_c(&t);
		}
		for (size_t h = 0; h < len; h++) {
			if (!hex(g[h]))
				return bad_rune(x, "non-hex character", g + h, len - h, "");
		}
	}
	return NULL;
}

static const char *uri(struct fx_render *x, const char *s, size_t n)
{
	return fx_uri_check(x, s, n, true);
}

static const char *uri_reference(struct fx_render *x, const char *s, size_t n)
{
	return memchr(s, '\\', n) ? "contains \\" : fx_uri_check(x, s, n, false);
}

static const char *uri_template(struct fx_render *x, const char *s, size_t n)
{
	const char *why = fx_uri_check(x, s, n, false);
	if (why)
		return why;
	const char *end = memchr(s, '?', n), *hash = memchr(s, '#', n);
	if (!end || (hash && hash < end))
		end = hash ? hash : s + n;
	bool open = false;
	for (const char *p = s; p < end; p++) {
		if (*p == '/' && open)
			break;
		if (*p != '{' && *p != '}')
			continue;
		if ((*p == '{') == open)
			return "nested curly braces";
		open = !open;
	}
	return open ? "no matching closing brace" : NULL;
}

static const char *identifiers(struct fx_render *x, const char *s, size_t n, const char *what, bool zero)
{
	struct fx_text t = {.x = x};
	for (size_t i = 0; i <= n;) {
		const char *p = s + i;
		size_t len = next_part(s, n, '.', &i);
		if (!len) {
			fx_text_addf(&t, "%s identifier is empty", what);
			return fx_text_c(&t);
		}
		fx_text_addf(&t, " in %s identifier", what);
		for (size_t k = 0; k < len; k++) {
			if (!letter(p[k]) && !digit(p[k]) && p[k] != '-')
				return bad_rune(x, "invalid character", p + k, len - k, fx_text_c(&t));
		}
		t.len = 0;
		if (zero && len > 1 && p[0] == '0' && digits(p, len) == len)
			return "pre-release numeric identifier starts with zero";
	}
	return NULL;
}

static const char *version_core(struct fx_render *x, const char *s, size_t n)
{
	static const char *const names[] = {"major", "minor", "patch"};
	struct fx_text t = {.x = x};
	size_t parts = 1;
	for (size_t i = 0; i < n; i++)
		parts += s[i] == '.';
	if (parts != 3)
		return "versionCore must have 3 numbers separated by dot";
	for (size_t i = 0, k = 0; k < 3; k++) {
		const char *p = s + i;
		size_t len = next_part(s, n, '.', &i);
		const char *why = !len                     ? "is empty"
		                  : len > 1 && p[0] == '0' ? "starts with zero"
		                  : digits(p, len) < len   ? "contains non-digit"
		                                           : NULL;
		if (!why)
			continue;
		fx_text_addf(&t, "%s %s", names[k], why);
		return fx_text_c(&t);
	}
	return NULL;
}

static const char *semver(struct fx_render *x, const char *s, size_t n)
{
	const char *plus = memchr(s, '+', n), *why;
	if (plus) {
		size_t len = n - (size_t)(plus - s) - 1;
		if (!len)
			return "build is empty";
		if ((why = identifiers(x, plus + 1, len, "build", false)))
			return why;
		n = (size_t)(plus - s);
	}
	const char *dash = memchr(s, '-', n);
	if (dash) {
		why = identifiers(x, dash + 1, n - (size_t)(dash - s) - 1, "pre-release", true);
		if (why)
			return why;
		n = (size_t)(dash - s);
	}
	return version_core(x, s, n);
}

static const char *regex(struct fx_render *x, const char *s, size_t n)
{
	const char *why = NULL;
	return fx_render_regex(x, fx_v_strn(s, n), &why) ? NULL : why;
}

fx_format_check *fx_format_find(const char *name, size_t len)
{
	static const struct {
		const char *name;
		fx_format_check *check;
	} formats[] = {{"date", date}, {"date-time", date_time}, {"duration", duration}, {"email", email},
	        {"hostname", hostname}, {"ipv4", ipv4}, {"ipv6", ipv6}, {"iri", uri},
	        {"iri-reference", uri_reference}, {"json-pointer", json_pointer}, {"period", period},
	        {"regex", regex}, {"relative-json-pointer", relative_json_pointer}, {"semver", semver},
	        {"time", time_of_day}, {"uri", uri}, {"uri-reference", uri_reference},
	        {"uri-template", uri_template}, {"uuid", uuid}};
	for (size_t i = 0; i < FX_COUNT(formats); i++) {
		if (strlen(formats[i].name) == len && memcmp(formats[i].name, name, len) == 0)
			return formats[i].check;
	}
	return NULL;
}
