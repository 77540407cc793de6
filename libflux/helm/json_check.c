/* The grammar of JSON with the error texts of encoding/json. */
#include "funcs.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>

/* encoding/json takes 10000 levels; the tree that is read next takes no more than these. */
#define JSON_DEPTH_MAX 1000

struct scan {
	struct fx_render *x;
	const char *s;
	size_t n, i;
	const char *why; /* set: stop */
};

static const char in_string[] = "in string literal";

/* The byte at the cursor does not fit. */
static bool bad(struct scan *sc, const char *where)
{
	if (sc->why)
		return false;
	if (sc->i >= sc->n) {
		sc->why = "unexpected end of JSON input";
		return false;
	}
	unsigned char c = (unsigned char)sc->s[sc->i];
	struct fx_text rune = {.x = sc->x}, t = {.x = sc->x}, quoted = {.x = sc->x};
	if (c == '\'' || c == '"') {
		fx_text_str(&quoted, c == '"' ? "\"" : "\\'");
	} else {
		fx_text_rune(&rune, c);
		fx_fmt_quote(&quoted, rune.data, rune.len, false);
		quoted.data[quoted.len - 1] = 0;
	}
	const char *shown = c == '\'' || c == '"' ? quoted.data : quoted.data + 1;
	fx_text_addf(&t, "invalid character '%s' %s", shown, where);
	sc->why = fx_text_c(&t);
	return false;
}

static char peek(const struct scan *sc)
{
	return sc->i < sc->n ? sc->s[sc->i] : 0;
}

static void skip_space(struct scan *sc)
{
	while (sc->i < sc->n && strchr(" \t\r\n", sc->s[sc->i]) && sc->s[sc->i])
		sc->i++;
}

static bool digits(struct scan *sc, const char *where)
{
	if (!isdigit((unsigned char)peek(sc)))
		return bad(sc, where);
	while (isdigit((unsigned char)peek(sc)))
		sc->i++;
	return true;
}

static bool number(struct scan *sc)
{
	size_t from = sc->i;
	if (peek(sc) == '-')
		sc->i++;
	if (peek(sc) == '0')
		sc->i++;
	else if (!digits(sc, "in numeric literal"))
		return false;
	if (peek(sc) == '.') {
		sc->i++;
		if (!digits(sc, "after decimal point in numeric literal"))
			return false;
	}
	if (peek(sc) == 'e' || peek(sc) == 'E') {
		sc->i++;
		if (peek(sc) == '+' || peek(sc) == '-')
			sc->i++;
		if (!digits(sc, "in exponent of numeric literal"))
			return false;
	}
	return sc->i > from;
}

static bool string(struct scan *sc)
{
	for (sc->i++; sc->i < sc->n && sc->s[sc->i] != '"'; sc->i++) {
		unsigned char c = (unsigned char)sc->s[sc->i];
		if (c < 0x20)
			return bad(sc, in_string);
		if (c != '\\')
			continue;
		sc->i++;
		if (sc->i >= sc->n || !sc->s[sc->i] || !strchr("bfnrt\\/\"u", sc->s[sc->i]))
			return bad(sc, "in string escape code");
		if (sc->s[sc->i] != 'u')
			continue;
		for (int k = 0; k < 4; k++) {
			sc->i++;
			if (!isxdigit((unsigned char)peek(sc)))
				return bad(sc, "in \\u hexadecimal character escape");
		}
	}
	if (sc->i >= sc->n)
		return bad(sc, in_string);
	sc->i++;
	return true;
}

static bool word(struct scan *sc, const char *want)
{
	for (size_t k = 0; want[k]; k++, sc->i++) {
		if (peek(sc) != want[k]) {
			struct fx_text where = {.x = sc->x};
			fx_text_addf(&where, "in literal %s (expecting '%c')", want, want[k]);
			return bad(sc, fx_text_c(&where));
		}
	}
	return true;
}

static bool value(struct scan *sc, int depth);

static bool members(struct scan *sc, int depth, char close)
{
	bool object = close == '}';
	sc->i++;
	skip_space(sc);
	if (peek(sc) == close) {
		sc->i++;
		return true;
	}
	for (;;) {
		skip_space(sc);
		if (object) {
			if (peek(sc) != '"')
				return bad(sc, "looking for beginning of object key string");
			if (!string(sc))
				return false;
			skip_space(sc);
			if (peek(sc) != ':')
				return bad(sc, "after object key");
			sc->i++;
		}
		if (!value(sc, depth + 1))
			return false;
		skip_space(sc);
		char c = peek(sc);
		if (c != close && c != ',')
			return bad(sc, object ? "after object key:value pair" : "after array element");
		sc->i++;
		if (c == close)
			return true;
	}
}

static bool value(struct scan *sc, int depth)
{
	skip_space(sc);
	char c = peek(sc);
	switch (c) {
	case '{':
	case '[':
		if (depth >= JSON_DEPTH_MAX) {
			sc->why = "exceeded max depth";
			return false;
		}
		return members(sc, depth, c == '{' ? '}' : ']');
	case '"':
		return string(sc);
	case 't':
		return word(sc, "true");
	case 'f':
		return word(sc, "false");
	case 'n':
		return word(sc, "null");
	default:
		if (c == '-' || isdigit((unsigned char)c))
			return number(sc);
		return bad(sc, "looking for beginning of value");
	}
}

const char *fx_go_json_check(struct fx_render *x, const char *s, size_t n)
{
	struct scan sc = {.x = x, .s = s, .n = n};
	if (value(&sc, 0)) {
		skip_space(&sc);
		if (sc.i < sc.n)
			bad(&sc, "after top-level value");
	}
	return sc.why;
}

size_t fx_go_json_first(struct fx_render *x, const char *s, size_t n, const char **why)
{
	struct scan sc = {.x = x, .s = s, .n = n};
	value(&sc, 0);
	*why = sc.why;
	return sc.i;
}
