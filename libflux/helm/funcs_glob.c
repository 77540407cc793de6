/* The globs of .Files: gobwas/glob with `/` as its separator. */
#include "funcs.h"

bool fx_files_glob_valid(const char *p)
{
	for (; *p; p++) {
		if (*p == '\\') {
			if (!*++p)
				return true;
		} else if (*p == '[') {
			if (p[1] == '!')
				p++;
			if (p[1] == ']' || !p[1])
				return false;
			p = strchr(p, ']');
			if (!p)
				return false;
		}
	}
	return true;
}

static bool glob(const char *p, const char *s, unsigned depth);

/* One alternative after the other, each followed by what stands behind the brace. */
static bool glob_brace(const char *p, const char *s, unsigned depth)
{
	int level = 0;
	const char *start = p + 1, *end = NULL;
	for (const char *k = p; *k && !end; k++) {
		level += *k == '{';
		level -= *k == '}';
		if (level == 0)
			end = k;
	}
	if (!end || strlen(p) > 1000)
		return false;
	level = 0;
	for (const char *k = start; k <= end; k++) {
		level += *k == '{';
		if (k == end || (*k == ',' && level == 0)) {
			char joined[2048];
			snprintf(joined, sizeof(joined), "%.*s%s", (int)(k - start), start, end + 1);
			if (glob(joined, s, depth + 1))
				return true;
			start = k + 1;
		}
		level -= *k == '}';
	}
	return false;
}

static bool glob_class(const char **p, unsigned char c)
{
	const char *k = *p + 1;
	bool negate = *k == '!', in = false;
	k += negate;
	for (; *k && *k != ']'; k++) {
		if (k[1] == '-' && k[2] && k[2] != ']') {
			in = in || (c >= (unsigned char)k[0] && c <= (unsigned char)k[2]);
			k += 2;
		} else {
			in = in || (unsigned char)*k == c;
		}
	}
	*p = *k ? k + 1 : k;
	return in != negate;
}

static bool glob(const char *p, const char *s, unsigned depth)
{
	if (depth > 200)
		return false;
	for (;;) {
		if (!*p)
			return !*s;
		if (*p == '*') {
			bool super = p[1] == '*';
			while (*p == '*')
				p++;
			for (;; s++) {
				if (glob(p, s, depth + 1))
					return true;
				if (!*s || (!super && *s == '/'))
					return false;
			}
		}
		if (*p == '{')
			return glob_brace(p, s, depth);
		if (!*s)
			return false;
		if (*p == '?') {
			if (*s == '/')
				return false;
			p++;
			s++;
			continue;
		}
		if (*p == '[') {
			if (!glob_class(&p, (unsigned char)*s))
				return false;
			s++;
			continue;
		}
		if (*p == '\\')
			p++;
		if (!*p || *p != *s)
			return false;
		p++;
		s++;
	}
}

/* text, `**`, text: a beginning and an end that may overlap. */
bool fx_files_glob_match(const char *p, const char *s)
{
	const char *stars = strstr(p, "**");
	size_t plain = strcspn(p, "*?[{\\");
	if (stars && stars == p + plain && plain && stars[2] &&
	        strcspn(stars + 2, "*?[{\\") == strlen(stars + 2)) {
		size_t tail = strlen(stars + 2), n = strlen(s);
		return n >= plain && n >= tail && memcmp(s, p, plain) == 0 &&
		       memcmp(s + n - tail, stars + 2, tail) == 0;
	}
	return glob(p, s, 0);
}
