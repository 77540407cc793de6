/* URLs as net/url parses and prints them, for urlParse and urlJoin. */
#include "funcs.h"

#include "core/cleanup.h"

#include <arpa/inet.h>
#include <ctype.h>

/* Parts of a URL have different characters that stand for themselves. */
enum part {
	IN_PATH,
	IN_USER,
	IN_HOST,
	IN_ZONE,
	IN_FRAGMENT,
};

struct url {
	struct fx_val scheme, opaque, user, password, host, path, query, fragment;
	bool has_user, has_password;
};

static bool stands_for_itself(unsigned char c, enum part where)
{
	if (c < 0x80 && isalnum(c))
		return true;
	if (c == 0 || c >= 0x80)
		return false;
	if ((where == IN_HOST || where == IN_ZONE) && strchr("!$&'()*+,;=:[]<>\"", c))
		return true;
	if (strchr("-_.~", c))
		return true;
	if (strchr("$&+,/:;=?@", c)) {
		if (where == IN_PATH)
			return c != '?';
		if (where == IN_USER)
			return !strchr("@/?:", c);
		return where == IN_FRAGMENT;
	}
	return where == IN_FRAGMENT && strchr("!()*", c);
}

static void escaped(struct fx_text *out, struct fx_val s, enum part where)
{
	for (uint32_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.s[i];
		if (stands_for_itself(c, where))
			fx_text_char(out, (char)c);
		else
			fx_text_addf(out, "%%%02X", c);
	}
}

static unsigned hex_value(char c)
{
	return isdigit((unsigned char)c) ? (unsigned)(c - '0') : (unsigned)((c | 32) - 'a' + 10);
}

static const char *quoted_error(struct fx_render *x, const char *before, struct fx_val s, const char *after)
{
	struct fx_text t = {.x = x};
	fx_text_str(&t, before);
	fx_fmt_quote(&t, s.s, s.len, false);
	fx_text_str(&t, after);
	return fx_text_c(&t);
}

/* NULL, or why not. */
static const char *unescape(struct fx_render *x, struct fx_val s, enum part where, struct fx_val *out)
{
	struct fx_text t = {.x = x};
	bool host = where == IN_HOST || where == IN_ZONE;
	fx_text_add(&t, "", 0);
	for (uint32_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.s[i];
		if (c != '%') {
			if (host && c < 0x80 && !stands_for_itself(c, where))
				return quoted_error(
				        x, "invalid character ", fx_v_part(s, i, i + 1), " in host name");
			fx_text_char(&t, (char)c);
			continue;
		}
		size_t end = i + 3 <= s.len ? i + 3 : s.len;
		struct fx_val code = fx_v_part(s, i, end);
		if (i + 2 >= s.len || !isxdigit((unsigned char)s.s[i + 1]) ||
		        !isxdigit((unsigned char)s.s[i + 2]))
			return quoted_error(x, "invalid URL escape ", code, "");
		unsigned v = hex_value(s.s[i + 1]) << 4 | hex_value(s.s[i + 2]);
		bool percent = fx_v_eq_str(code, "%25");
		if ((where == IN_HOST && v < 0x80 && !percent) ||
		        (where == IN_ZONE && !percent && v != ' ' &&
		                !stands_for_itself((unsigned char)v, IN_HOST)))
			return quoted_error(x, "invalid URL escape ", code, "");
		fx_text_char(&t, (char)v);
		i += 2;
	}
	*out = fx_text_val(&t);
	return NULL;
}

static bool valid_port(struct fx_val s)
{
	if (s.len == 0)
		return true;
	for (uint32_t i = 1; i < s.len; i++)
		if (!isdigit((unsigned char)s.s[i]))
			return false;
	return s.s[0] == ':';
}

static const char *bracketed_host(struct fx_render *x, struct fx_val s, struct fx_val *out)
{
	const char *close = memrchr(s.s, ']', s.len);
	if (!close)
		return "missing ']' in host";
	size_t end = (size_t)(close - s.s);
	struct fx_val port = fx_v_part(s, end + 1, s.len);
	if (!valid_port(port))
		return quoted_error(x, "invalid port ", port, " after host");
	const char *zone = memmem(s.s, end, "%25", 3);
	size_t z = zone ? (size_t)(zone - s.s) : end;
	struct fx_val a, b, c;
	const char *why = unescape(x, fx_v_part(s, 0, z), IN_HOST, &a);
	why = why ? why : unescape(x, fx_v_part(s, z, end), IN_ZONE, &b);
	why = why ? why : unescape(x, fx_v_part(s, end, s.len), IN_HOST, &c);
	if (why)
		return why;
	unsigned char addr[16];
	struct fx_val ip = fx_v_part(a, 1, a.len);
	if (inet_pton(AF_INET6, fx_v_cstr(x, ip), addr) != 1)
		return "invalid host: ParseAddr failed";
	struct fx_text t = {.x = x};
	fx_text_add(&t, a.s, a.len);
	fx_text_add(&t, b.s, b.len);
	fx_text_add(&t, c.s, c.len);
	*out = fx_text_val(&t);
	return NULL;
}

static const char *parse_host(struct fx_render *x, struct fx_val s, struct fx_val *out)
{
	if (s.len && s.s[0] == '[')
		return bracketed_host(x, s, out);
	const char *colon = memchr(s.s, ':', s.len);
	if (colon && !valid_port(fx_v_part(s, (size_t)(colon - s.s), s.len)))
		return quoted_error(
		        x, "invalid port ", fx_v_part(s, (size_t)(colon - s.s), s.len), " after host");
	return unescape(x, s, IN_HOST, out);
}

static const char *parse_user(struct fx_render *x, struct fx_val s, struct url *u)
{
	for (uint32_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.s[i];
		if (c >= 0x80 || !c || (!isalnum(c) && !strchr("-._:~!$&'()*+,;=%@", c)))
			return "net/url: invalid userinfo";
	}
	const char *colon = memchr(s.s, ':', s.len);
	size_t k = colon ? (size_t)(colon - s.s) : s.len;
	u->has_user = true;
	u->has_password = colon != NULL;
	const char *why = unescape(x, fx_v_part(s, 0, k), IN_USER, &u->user);
	return why || !colon ? why : unescape(x, fx_v_part(s, k + 1, s.len), IN_USER, &u->password);
}

static const char *parse_authority(struct fx_render *x, struct fx_val s, struct url *u)
{
	const char *at = memrchr(s.s, '@', s.len);
	size_t k = at ? (size_t)(at - s.s) : 0;
	const char *why = parse_host(x, fx_v_part(s, at ? k + 1 : 0, s.len), &u->host);
	return why || !at ? why : parse_user(x, fx_v_part(s, 0, k), u);
}

/* Length of a scheme before its colon; 0: none. */
static size_t scheme_length(struct fx_val s, const char **why)
{
	for (uint32_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.s[i];
		if (c < 0x80 && isalpha(c))
			continue;
		if ((c < 0x80 && isdigit(c)) || c == '+' || c == '-' || c == '.') {
			if (i == 0)
				return 0;
		} else if (c == ':') {
			if (i == 0)
				*why = "missing protocol scheme";
			return i;
		} else {
			return 0;
		}
	}
	return 0;
}

static const char *parse_rest(struct fx_render *x, struct fx_val s, struct url *u)
{
	const char *why = NULL;
	for (uint32_t i = 0; i < s.len; i++)
		if ((unsigned char)s.s[i] < 0x20 || s.s[i] == 0x7f)
			return "net/url: invalid control character in URL";
	if (fx_v_eq_str(s, "*")) {
		u->path = s;
		return NULL;
	}
	size_t k = scheme_length(s, &why);
	if (why)
		return why;
	if (k) {
		struct fx_text t = {.x = x};
		for (size_t i = 0; i < k; i++)
			fx_text_char(&t, (char)tolower((unsigned char)s.s[i]));
		u->scheme = fx_text_val(&t);
		s = fx_v_part(s, k + 1, s.len);
	}
	const char *mark = memchr(s.s, '?', s.len);
	if (mark) {
		size_t q = (size_t)(mark - s.s);
		u->query = fx_v_part(s, q + 1, s.len);
		s = fx_v_part(s, 0, q);
	}
	if (s.len == 0 || s.s[0] != '/') {
		if (k) {
			u->opaque = s;
			return NULL;
		}
		const char *slash = memchr(s.s, '/', s.len);
		if (memchr(s.s, ':', slash ? (size_t)(slash - s.s) : s.len))
			return "first path segment in URL cannot contain colon";
	}
	bool three = s.len >= 3 && memcmp(s.s, "///", 3) == 0;
	if ((k || !three) && s.len >= 2 && memcmp(s.s, "//", 2) == 0) {
		const char *slash = memchr(s.s + 2, '/', s.len - 2);
		size_t end = slash ? (size_t)(slash - s.s) : s.len;
		why = parse_authority(x, fx_v_part(s, 2, end), u);
		s = fx_v_part(s, end, s.len);
	}
	return why ? why : unescape(x, s, IN_PATH, &u->path);
}

static void parse_url(struct fx_render *x, const char *prefix, struct fx_val s, struct url *u)
{
	const struct fx_val none = fx_v_str("");
	*u = (struct url){none, none, none, none, none, none, none, none, false, false};
	const char *hash = memchr(s.s, '#', s.len);
	size_t k = hash ? (size_t)(hash - s.s) : s.len;
	struct fx_val shown = fx_v_part(s, 0, k);
	const char *why = parse_rest(x, shown, u);
	if (!why && hash) {
		shown = s;
		why = unescape(x, fx_v_part(s, k + 1, s.len), IN_FRAGMENT, &u->fragment);
	}
	if (why)
		fx_render_throw(x, "%s: parse %s: %s", prefix, quoted_error(x, "", shown, ""), why);
}

static void put_user(struct fx_text *out, const struct url *u)
{
	escaped(out, u->user, IN_USER);
	if (u->has_password) {
		fx_text_char(out, ':');
		escaped(out, u->password, IN_USER);
	}
}

static struct fx_val hostname(struct fx_val h)
{
	const char *colon = memrchr(h.s, ':', h.len);
	if (colon && valid_port(fx_v_part(h, (size_t)(colon - h.s), h.len)))
		h = fx_v_part(h, 0, (size_t)(colon - h.s));
	if (h.len >= 2 && h.s[0] == '[' && h.s[h.len - 1] == ']')
		h = fx_v_part(h, 1, h.len - 1);
	return h;
}

static struct fx_val fn_url_parse(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	struct url u;
	struct fx_text user = {.x = x};
	parse_url(x, "unable to parse url", a[0], &u);
	put_user(&user, &u);
	struct fx_val m = fx_v_map(x);
	fx_v_set(x, m, "scheme", u.scheme);
	fx_v_set(x, m, "host", u.host);
	fx_v_set(x, m, "hostname", hostname(u.host));
	fx_v_set(x, m, "path", u.path);
	fx_v_set(x, m, "query", u.query);
	fx_v_set(x, m, "opaque", u.opaque);
	fx_v_set(x, m, "fragment", u.fragment);
	fx_v_set(x, m, "userinfo", fx_text_val(&user));
	return m;
}

static struct fx_val key_of(struct fx_render *x, struct fx_val map, const char *key)
{
	struct fx_val *v = fx_v_get(map, key);
	if (!v)
		return fx_v_str("");
	if (v->kind == FX_VAL_NIL)
		fx_render_throw(x, "runtime error: invalid memory address or nil pointer dereference");
	if (v->kind != FX_VAL_STR)
		fx_render_throw(x, "unable to parse %s key, must be of type string, but %s found", key,
		        fx_v_kind(*v));
	return *v;
}

static struct fx_val print_url(struct fx_render *x, const struct url *u)
{
	struct fx_text t = {.x = x}, path = {.x = x};
	fx_text_add(&t, u->scheme.s, u->scheme.len);
	fx_text_str(&t, u->scheme.len ? ":" : "");
	if (u->opaque.len) {
		fx_text_add(&t, u->opaque.s, u->opaque.len);
	} else {
		bool authority = u->host.len || u->has_user || (u->scheme.len && u->path.len);
		fx_text_str(&t, authority ? "//" : "");
		if (u->has_user) {
			put_user(&t, u);
			fx_text_char(&t, '@');
		}
		escaped(&t, u->host, IN_HOST);
		if (fx_v_eq_str(u->path, "*"))
			fx_text_char(&path, '*');
		else
			escaped(&path, u->path, IN_PATH);
		if (path.len && path.data[0] != '/' && u->host.len)
			fx_text_char(&t, '/');
		const char *p = fx_text_c(&path);
		if (t.len == 0 && memchr(p, ':', strcspn(p, "/")))
			fx_text_str(&t, "./");
		fx_text_add(&t, p, path.len);
	}
	if (u->query.len) {
		fx_text_char(&t, '?');
		fx_text_add(&t, u->query.s, u->query.len);
	}
	if (u->fragment.len) {
		fx_text_char(&t, '#');
		escaped(&t, u->fragment, IN_FRAGMENT);
	}
	return fx_text_val(&t);
}

static struct fx_val fn_url_join(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	struct url u = {.scheme = key_of(x, a[0], "scheme"),
	        .host = key_of(x, a[0], "host"),
	        .path = key_of(x, a[0], "path"),
	        .query = key_of(x, a[0], "query"),
	        .opaque = key_of(x, a[0], "opaque"),
	        .fragment = key_of(x, a[0], "fragment")};
	struct fx_val user = key_of(x, a[0], "userinfo");
	if (user.len) {
		struct fx_text t = {.x = x};
		struct url of_user;
		fx_text_str(&t, "proto://");
		fx_text_add(&t, user.s, user.len);
		fx_text_str(&t, "@host");
		parse_url(x, "unable to parse userinfo in dict", fx_text_val(&t), &of_user);
		u.user = of_user.user;
		u.password = of_user.password;
		u.has_user = of_user.has_user;
		u.has_password = of_user.has_password;
	}
	return print_url(x, &u);
}

const struct fx_fn fx_fns_url[] = {
        {"urlParse", "S", fn_url_parse},
        {"urlJoin", "D", fn_url_join},
        {NULL, NULL, NULL},
};
