/* URLs in schemas: references against a base (RFC 3986, section 5), and what Go's net/url refuses. */
#include "schema_internal.h"

#include <ctype.h>

struct uri {
	struct fx_val scheme, authority, path, query;
	bool has_authority, has_query;
};

static size_t scheme_len(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (s[i] == ':')
			return i;
		if (!isalnum((unsigned char)s[i]) && !(s[i] && strchr("+-.", s[i])))
			return 0;
		if (i == 0 && !isalpha((unsigned char)s[i]))
			return 0;
	}
	return 0;
}

/* Without a fragment. */
static struct uri split(const char *s, size_t n)
{
	struct uri u = {0};
	size_t k = scheme_len(s, n);
	if (k) {
		u.scheme = fx_v_strn(s, k);
		s += k + 1;
		n -= k + 1;
	}
	const char *q = memchr(s, '?', n);
	if (q) {
		u.has_query = true;
		u.query = fx_v_strn(q + 1, (size_t)(s + n - q) - 1);
		n = (size_t)(q - s);
	}
	if (n >= 2 && s[0] == '/' && s[1] == '/') {
		const char *slash = memchr(s + 2, '/', n - 2);
		size_t end = slash ? (size_t)(slash - s) : n;
		u.has_authority = true;
		u.authority = fx_v_strn(s + 2, end - 2);
		s += end;
		n -= end;
	}
	u.path = fx_v_strn(s, n);
	return u;
}

static void remove_dots(struct fx_text *out, struct fx_val path)
{
	size_t base = out->len;
	for (size_t i = 0; i < path.len;) {
		const char *slash = memchr(path.s + i + 1, '/', path.len - i - 1);
		size_t end = slash ? (size_t)(slash - path.s) : path.len, n = end - i;
		const char *seg = path.s + i;
		bool last = end == path.len;
		if (n == 2 && seg[1] == '.') {
			if (last)
				fx_text_char(out, '/');
		} else if (n == 3 && seg[1] == '.' && seg[2] == '.') {
			while (out->len > base && out->data[--out->len] != '/')
				;
			if (last)
				fx_text_char(out, '/');
		} else {
			fx_text_add(out, seg, n);
		}
		i = end;
	}
}

const char *fx_uri_join(struct fx_render *x, const char *base, const char *ref, const char **why)
{
	*why = fx_uri_check(x, ref, strlen(ref), false);
	if (*why)
		return NULL;
	struct uri b = split(base, strlen(base)), r = split(ref, strlen(ref));
	struct fx_text out = {.x = x}, path = {.x = x};
	if (r.scheme.len)
		return ref;
	if (!*ref)
		return base;
	fx_text_addf(&out, "%.*s:", (int)b.scheme.len, b.scheme.s ? b.scheme.s : "");
	/* "urn:x" has no path to go on from. */
	if (!b.has_authority && b.path.len && b.path.s[0] != '/') {
		fx_text_add(&out, b.path.s, b.path.len);
		return fx_text_c(&out);
	}
	const struct uri *a = r.has_authority ? &r : &b;
	if (a->has_authority) {
		fx_text_str(&out, "//");
		fx_text_add(&out, a->authority.s, a->authority.len);
	}
	if (r.has_authority || (r.path.len && r.path.s[0] == '/')) {
		fx_text_add(&path, r.path.s, r.path.len);
	} else if (r.path.len) {
		const char *slash = b.path.len ? memrchr(b.path.s, '/', b.path.len) : NULL;
		fx_text_add(&path, b.path.s, slash ? (size_t)(slash - b.path.s) + 1 : 0);
		if (!path.len)
			fx_text_char(&path, '/');
		fx_text_add(&path, r.path.s, r.path.len);
	} else {
		fx_text_add(&path, b.path.s, b.path.len);
	}
	if (path.len)
		remove_dots(&out, fx_text_val(&path));
	const struct uri *q = r.has_query || r.path.len ? &r : &b;
	if (q->has_query) {
		fx_text_char(&out, '?');
		fx_text_add(&out, q->query.s, q->query.len);
	}
	return fx_text_c(&out);
}

bool fx_uri_decode(struct fx_render *x, const char *s, size_t n, struct fx_val *out, const char **why)
{
	struct fx_text t = {.x = x};
	fx_text_add(&t, "", 0);
	for (size_t i = 0; i < n; i++) {
		if (s[i] != '%') {
			fx_text_char(&t, s[i]);
			continue;
		}
		if (i + 2 >= n || !isxdigit((unsigned char)s[i + 1]) || !isxdigit((unsigned char)s[i + 2])) {
			struct fx_text w = {.x = x};
			fx_text_str(&w, "invalid URL escape ");
			fx_fmt_quote(&w, s + i, n - i < 3 ? n - i : 3, false);
			*why = fx_text_c(&w);
			return false;
		}
		char hex[3] = {s[i + 1], s[i + 2], 0};
		fx_text_char(&t, (char)strtol(hex, NULL, 16));
		i += 2;
	}
	*out = fx_text_val(&t);
	return true;
}

static const char *check_authority(struct fx_render *x, struct fx_val a)
{
	const char *at = a.len ? memrchr(a.s, '@', a.len) : NULL;
	size_t from = at ? (size_t)(at - a.s) + 1 : 0;
	struct fx_text t = {.x = x};
	const char *host = a.s + from, *why;
	size_t n = a.len - from;
	struct fx_val decoded;
	for (size_t i = 0; i < from; i++) {
		if (!isalnum((unsigned char)a.s[i]) && !strchr("-._:~!$&'()*+,;=%@", a.s[i]))
			return "net/url: invalid userinfo";
	}
	const char *close = n && host[0] == '[' ? memrchr(host, ']', n) : NULL;
	if (n && host[0] == '[' && !close)
		return "missing ']' in host";
	const char *colon = close ? (close + 1 < host + n ? close + 1 : NULL) : memrchr(host, ':', n);
	if (colon) {
		bool digits = *colon == ':';
		for (const char *p = colon + 1; p < host + n; p++)
			digits = digits && isdigit((unsigned char)*p);
		if (!digits) {
			fx_text_str(&t, "invalid port ");
			fx_fmt_quote(&t, colon, (size_t)(host + n - colon), false);
			fx_text_str(&t, " after host");
			return fx_text_c(&t);
		}
	}
	for (size_t i = 0; i < n; i++) {
		if (host[i] == '%' || (unsigned char)host[i] >= 0x80 || isalnum((unsigned char)host[i]) ||
		        strchr("-_.~!$&'()*+,;=:[]<>\"", host[i]))
			continue;
		fx_text_str(&t, "invalid character ");
		fx_fmt_quote(&t, host + i, 1, false);
		fx_text_str(&t, " in host name");
		return fx_text_c(&t);
	}
	if (!fx_uri_decode(x, host, n, &decoded, &why))
		return why;
	if (close && memchr(host, ':', (size_t)(close - host))) {
		fx_format_check *v6 = fx_format_find("ipv6", 4);
		why = v6(x, host + 1, (size_t)(close - host) - 1);
		if (!why)
			return NULL;
		fx_text_addf(&t, "\1invalid ipv6 address: %s", why);
		return fx_text_c(&t);
	}
	if (!close && colon && memchr(host, ':', (size_t)(colon - host)))
		return "\1ipv6 address not enclosed in brackets";
	return NULL;
}

/* What Parse says behind `parse "S": `; a text that starts with \1 is not Parse's. */
static const char *parse_problem(struct fx_render *x, const char *s, size_t n, struct uri *u)
{
	const char *hash = memchr(s, '#', n), *why;
	struct fx_val decoded;
	size_t len = hash ? (size_t)(hash - s) : n;
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			return "net/url: invalid control character in URL";
	}
	if (n && s[0] == ':')
		return "missing protocol scheme";
	*u = split(s, len);
	if (!u->scheme.len && u->path.len && !u->has_authority) {
		const char *slash = memchr(u->path.s, '/', u->path.len);
		if (memchr(u->path.s, ':', slash ? (size_t)(slash - u->path.s) : u->path.len))
			return "first path segment in URL cannot contain colon";
	}
	if (u->has_authority && (why = check_authority(x, u->authority)))
		return why;
	bool opaque = u->scheme.len && !u->has_authority && u->path.len && u->path.s[0] != '/';
	if (!opaque && !fx_uri_decode(x, u->path.s ? u->path.s : "", u->path.len, &decoded, &why))
		return why;
	if (hash && !fx_uri_decode(x, hash + 1, n - len - 1, &decoded, &why))
		return why;
	return NULL;
}

const char *fx_uri_check(struct fx_render *x, const char *s, size_t n, bool absolute)
{
	struct uri u = {0};
	struct fx_text t = {.x = x};
	const char *why = parse_problem(x, s, n, &u);
	if (why && *why == 1)
		return why + 1;
	if (why) {
		fx_text_str(&t, "parse ");
		fx_fmt_quote(&t, s, n, false);
		fx_text_addf(&t, ": %s", why);
		return fx_text_c(&t);
	}
	return absolute && !u.scheme.len ? "relative url" : NULL;
}
