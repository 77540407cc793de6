/* Properties of a text that decide how YAML may print it. Shared by the two writers. */
#ifndef FX_DATA_YAML_TEXT_H
#define FX_DATA_YAML_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Columns after which a space becomes a line break. */
#define FX_YAML_WIDTH 80
/* Longest key in bytes that is written without `? `. */
#define FX_YAML_SIMPLE_KEY 128

struct fx_yaml_text {
	bool multiline;
	bool flow_plain, block_plain, single_quoted, block;
};

/* go-yaml's analysis of a scalar. v3: with its rule for tabs. */
struct fx_yaml_text fx_yaml_text_analyze(const char *s, size_t len, bool v3);

/* Bytes of the UTF-8 character that starts with c (1 for an invalid one). */
size_t fx_utf8_width(unsigned char c);
/* Its code point; s points to at least width readable bytes. */
unsigned fx_utf8_decode(const char *s, size_t width);
bool fx_utf8_valid(const char *s, size_t len);

/* go-yaml's classes of characters; code points. */
bool fx_yaml_is_printable(unsigned c);
static inline bool fx_yaml_is_break(unsigned c)
{
	return c == '\n' || c == '\r' || c == 0x85 || c == 0x2028 || c == 0x2029;
}

#endif
