/* .helmignore, and the patterns of Go's path/filepath.Match. Source: pkg/ignore of Helm 4.2.4. */
#include "chart_ignore.h"

/* One character of a class, escapes resolved. NULL: bad. */
static const char *class_char(const char *p, unsigned *out)
{
	size_t w;
	if (!*p || *p == '-' || *p == ']')
		return NULL;
	if (*p == '\\' && !*++p)
		return NULL;
	*out = fx_rune_at(p, strlen(p), &w);
	p += w;
	return *p ? p : NULL;
}

/* The class at p (behind its '['): the end behind ']', or NULL when it is bad. */
static const char *class_end(const char *p, unsigned rune, bool *match)
{
	bool negated = *p == '^', found = false;
	p += negated;
	for (size_t ranges = 0; ranges == 0 || *p != ']'; ranges++) {
		unsigned lo = 0, hi;
		p = class_char(p, &lo);
		if (!p)
			return NULL;
		hi = lo;
		if (*p == '-' && !(p = class_char(p + 1, &hi)))
			return NULL;
		found = found || (lo <= rune && rune <= hi);
	}
	*match = found != negated;
	return p + 1;
}

bool fx_path_pattern_valid(const char *p)
{
	bool ignored;
	while (p && *p) {
		if (*p == '\\' && !*++p)
			return false;
		else if (*p == '[')
			p = class_end(p + 1, 0, &ignored);
		else
			p++;
	}
	return p != NULL;
}

/* The pattern is valid. star: where the last `*` may take one character more. */
bool fx_path_match(const char *p, const char *s)
{
	const char *star = NULL, *star_s = NULL;
	while (*s || *p) {
		size_t w = 1;
		unsigned rune = *s ? fx_rune_at(s, strlen(s), &w) : 0;
		const char *next = p + 1;
		bool match = false;
		if (*p == '*') {
			star = p++;
			star_s = s;
			continue;
		}
		if (*p && *s) {
			if (*p == '[') {
				next = class_end(p + 1, rune, &match);
				match = match && rune != '/';
			} else if (*p == '?') {
				match = rune != '/';
			} else {
				size_t pw;
				p += *p == '\\';
				match = fx_rune_at(p, strlen(p), &pw) == rune;
				next = p + pw;
			}
		}
		if (match) {
			p = next;
			s += w;
			continue;
		}
		if (!star || !*star_s || *star_s == '/')
			return false;
		p = star + 1;
		s = ++star_s;
	}
	return true;
}

void fx_helmignore_read(struct fx_render *x, const char *text, size_t len, struct fx_helmignore *out)
{
	size_t lines = 2;
	for (size_t i = 0; i < len; i++)
		lines += text[i] == '\n';
	out->items = fx_render_alloc(x, lines * sizeof(*out->items));
	for (size_t i = 0; i < len;) {
		const char *nl = memchr(text + i, '\n', len - i);
		size_t end = nl ? (size_t)(nl - text) : len, from = i, to = end;
		i = end + 1;
		while (from < to && fx_rune_is_space((unsigned char)text[from]))
			from++;
		while (to > from && fx_rune_is_space((unsigned char)text[to - 1]))
			to--;
		if (from == to || text[from] == '#')
			continue;
		const char *p = fx_v_dup(x, text + from, to - from).s;
		if (strstr(p, "**"))
			fx_render_throw(x, "double-star (**) syntax is not supported");
		if (!fx_path_pattern_valid(p))
			fx_render_throw(x, "syntax error in pattern");
		struct fx_helmignore_rule r = {.negate = *p == '!'};
		p += r.negate;
		size_t n = strlen(p);
		if (n && p[n - 1] == '/') {
			r.dir_only = true;
			p = fx_v_dup(x, p, n - 1).s;
		}
		r.whole = strchr(p, '/') != NULL;
		r.pattern = *p == '/' ? p + 1 : p;
		out->items[out->len++] = r;
	}
	out->items[out->len++] = (struct fx_helmignore_rule){.pattern = "templates/.?*", .whole = true};
}

bool fx_helmignore_match(const struct fx_helmignore *rules, const char *path, bool dir)
{
	const char *slash = strrchr(path, '/');
	for (size_t i = 0; i < rules->len; i++) {
		const struct fx_helmignore_rule *r = &rules->items[i];
		if (r->dir_only && !dir) {
			if (r->negate)
				return true;
			continue;
		}
		if (fx_path_match(r->pattern, r->whole || !slash ? path : slash + 1) != r->negate)
			return true;
	}
	return false;
}
