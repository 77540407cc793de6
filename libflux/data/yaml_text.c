#include "data/yaml_text.h"

#include <string.h>

size_t fx_utf8_width(unsigned char c)
{
	if (c < 0x80)
		return 1;
	if ((c & 0xe0) == 0xc0)
		return 2;
	if ((c & 0xf0) == 0xe0)
		return 3;
	return (c & 0xf8) == 0xf0 ? 4 : 1;
}

unsigned fx_utf8_decode(const char *s, size_t width)
{
	static const unsigned char mask[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	unsigned c = (unsigned char)s[0] & mask[width];
	for (size_t i = 1; i < width; i++)
		c = c << 6 | ((unsigned char)s[i] & 0x3f);
	return c;
}

bool fx_utf8_valid(const char *s, size_t len)
{
	static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
	for (size_t i = 0; i < len;) {
		unsigned char c = (unsigned char)s[i];
		if (c < 0x80) {
			i++;
			continue;
		}
		size_t w = fx_utf8_width(c);
		if (w == 1 || i + w > len)
			return false;
		for (size_t k = 1; k < w; k++)
			if (((unsigned char)s[i + k] & 0xc0) != 0x80)
				return false;
		unsigned u = fx_utf8_decode(s + i, w);
		if (u < least[w] || u > 0x10ffff || (u >= 0xd800 && u <= 0xdfff))
			return false;
		i += w;
	}
	return true;
}

bool fx_yaml_is_printable(unsigned c)
{
	return c == '\n' || (c >= 0x20 && c <= 0x7e) || (c >= 0xa0 && c <= 0xd7ff) ||
	       (c >= 0xe000 && c <= 0xfffd && c != 0xfeff);
}

static bool is_blank_at(const char *s, size_t len, size_t i)
{
	return i >= len || s[i] == ' ' || s[i] == '\t';
}

struct scan {
	bool block_indicator, flow_indicator, breaks, special, tabs;
	bool leading_space, leading_break, trailing_space, trailing_break, break_space, space_break;
	bool preceded_by_blank, previous_space, previous_break;
};

static void scan_indicator(struct scan *sc, const char *s, size_t len, size_t i)
{
	char c = s[i];
	bool blank_follows = is_blank_at(s, len, i + 1);
	if (i == 0 && strchr("#,[]{}&*!|>'\"%@`", c) && c) {
		sc->flow_indicator = sc->block_indicator = true;
	} else if (c == ':' || (c == '?' && i == 0)) {
		sc->flow_indicator = true;
		sc->block_indicator |= blank_follows;
	} else if (c == '-' && i == 0 && blank_follows) {
		sc->flow_indicator = sc->block_indicator = true;
	} else if (i > 0 && strchr(",?[]{}", c) && c) {
		sc->flow_indicator = true;
	} else if (i > 0 && c == '#' && sc->preceded_by_blank) {
		sc->flow_indicator = sc->block_indicator = true;
	}
}

static void scan_space(struct scan *sc, unsigned c, bool first, bool last)
{
	if (c == ' ') {
		sc->leading_space |= first;
		sc->trailing_space |= last;
		sc->break_space |= sc->previous_break;
		sc->previous_space = true;
		sc->previous_break = false;
	} else if (fx_yaml_is_break(c)) {
		sc->breaks = true;
		sc->leading_break |= first;
		sc->trailing_break |= last;
		sc->space_break |= sc->previous_space;
		sc->previous_space = false;
		sc->previous_break = true;
	} else {
		sc->previous_space = sc->previous_break = false;
	}
}

struct fx_yaml_text fx_yaml_text_analyze(const char *s, size_t len, bool v3)
{
	if (len == 0)
		return (struct fx_yaml_text){.block_plain = true, .single_quoted = true};
	struct scan sc = {.preceded_by_blank = true};
	if (len >= 3 && (memcmp(s, "---", 3) == 0 || memcmp(s, "...", 3) == 0))
		sc.flow_indicator = sc.block_indicator = true;
	for (size_t i = 0, w; i < len; i += w) {
		w = fx_utf8_width((unsigned char)s[i]);
		if (i + w > len)
			w = 1;
		unsigned c = w == 1 ? (unsigned char)s[i] : fx_utf8_decode(s + i, w);
		scan_indicator(&sc, s, len, i);
		if (v3 && c == '\t')
			sc.tabs = true;
		else if (!fx_yaml_is_printable(c))
			sc.special = true;
		scan_space(&sc, c, i == 0, i + w == len);
		sc.preceded_by_blank = c == ' ' || c == '\t' || c == 0 || fx_yaml_is_break(c);
	}
	struct fx_yaml_text t = {.multiline = sc.breaks};
	bool plain = !sc.leading_space && !sc.leading_break && !sc.trailing_space && !sc.trailing_break &&
	             !sc.break_space && !sc.space_break && !sc.tabs && !sc.special && !sc.breaks;
	t.flow_plain = plain && !sc.flow_indicator;
	t.block_plain = plain && !sc.block_indicator;
	t.single_quoted = !sc.break_space && !sc.space_break && !sc.tabs && !sc.special;
	t.block = !sc.trailing_space && !sc.space_break && !sc.special;
	return t;
}
