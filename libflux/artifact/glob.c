#include "artifact/glob.h"

#include <stddef.h>
#include <stdint.h>

#define INVALID_CHARACTER 0xFFFD

/* Smallest value that a sequence of n bytes may encode: a shorter form is not UTF-8. */
static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};

static size_t sequence_length(unsigned char first)
{
	if (first < 0x80)
		return 1;
	if (first >= 0xC2 && first < 0xE0)
		return 2;
	if (first >= 0xE0 && first < 0xF0)
		return 3;
	return first >= 0xF0 && first < 0xF5 ? 4 : 0;
}

/* Reads one character; returns its bytes (1 for a stray byte). */
static size_t next_character(const char *text, uint32_t *out)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t n = sequence_length(s[0]);
	*out = INVALID_CHARACTER;
	if (n == 1)
		*out = s[0];
	if (n < 2)
		return 1;
	uint32_t c = s[0] & (0xFF >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xC0) != 0x80)
			return 1;
		c = c << 6 | (s[i] & 0x3F);
	}
	if (c < smallest[n] || c > 0x10FFFF || (c >= 0xD800 && c < 0xE000))
		return 1;
	*out = c;
	return n;
}

/* One end of a range inside a class; NULL when there is none. */
static const char *class_character(const char *p, uint32_t *out)
{
	if (*p == '\0' || *p == '-' || *p == ']')
		return NULL;
	if (*p == '\\' && *++p == '\0')
		return NULL;
	size_t n = next_character(p, out);
	if (n == 1 && *out == INVALID_CHARACTER)
		return NULL;
	return p[n] ? p + n : NULL;
}

/* Walks a class from behind its `[`; returns what follows the `]`, NULL when malformed.
 * *out_hit tells whether c belongs to it. */
static const char *class_walk(const char *p, uint32_t c, bool *out_hit)
{
	bool negated = *p == '^', hit = false;
	if (negated)
		p++;
	for (size_t ranges = 0;; ranges++) {
		uint32_t low = 0, high;
		if (*p == ']' && ranges > 0)
			break;
		p = class_character(p, &low);
		if (!p)
			return NULL;
		high = low;
		if (*p == '-') {
			p = class_character(p + 1, &high);
			if (!p)
				return NULL;
		}
		hit = hit || (low <= c && c <= high);
	}
	*out_hit = hit != negated;
	return p + 1;
}

bool fx_glob_valid(const char *pattern)
{
	bool hit;
	const char *p = pattern;
	while (p && *p) {
		if (*p == '[')
			p = class_walk(p + 1, 0, &hit);
		else if (*p == '\\')
			p = p[1] ? p + 2 : NULL;
		else
			p++;
	}
	return p != NULL;
}

/* Matches one element of the pattern with one character; returns what follows the element,
 * NULL when it does not match. */
static const char *match_one(const char *p, uint32_t c, const char *text, size_t text_len)
{
	bool hit = false;
	switch (*p) {
	case '?':
		return p + 1;
	case '[':
		p = class_walk(p + 1, c, &hit);
		return hit ? p : NULL;
	case '\\':
		p++;
		break;
	}
	for (size_t i = 0; i < text_len; i++) {
		if (p[i] != text[i])
			return NULL;
	}
	return p + text_len;
}

bool fx_glob_match(const char *pattern, const char *text)
{
	const char *p = pattern, *t = text;
	const char *star = NULL, *star_text = NULL; /* the last `*` and what it has not taken yet */
	while (*t || *p) {
		if (*p == '*') {
			star = ++p;
			star_text = t;
			continue;
		}
		if (*t && *p) {
			uint32_t c;
			size_t n = next_character(t, &c);
			const char *after = match_one(p, c, t, n);
			if (after) {
				p = after;
				t += n;
				continue;
			}
		}
		if (!star || !*star_text)
			return false;
		p = star;
		t = ++star_text;
	}
	return true;
}
