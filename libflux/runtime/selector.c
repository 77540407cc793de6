#include "runtime/selector.h"

#include <ctype.h>
#include <string.h>

#define NAME_MAX_LEN 63
#define PREFIX_MAX_LEN 253

static void skip_space(const char **p)
{
	while (isspace((unsigned char)**p))
		(*p)++;
}

static bool take(const char **p, const char *text)
{
	skip_space(p);
	size_t len = strlen(text);
	if (strncmp(*p, text, len) != 0)
		return false;
	*p += len;
	return true;
}

/* The next word; its length may be 0. */
static size_t take_word(const char **p, const char **out)
{
	skip_space(p);
	*out = *p;
	while (**p && !isspace((unsigned char)**p) && !strchr("=!,()<>", **p))
		(*p)++;
	return (size_t)(*p - *out);
}

/* Letters, digits and -_. between a letter or digit at both ends. */
static bool is_name(const char *text, size_t len, size_t max)
{
	if (len == 0 || len > max || !isalnum((unsigned char)text[0]) ||
	        !isalnum((unsigned char)text[len - 1]))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)text[i]) && !strchr("-_.", text[i]))
			return false;
	return true;
}

static bool take_key(const char **p)
{
	const char *word;
	size_t len = take_word(p, &word);
	const char *slash = memchr(word, '/', len);
	size_t prefix = slash ? (size_t)(slash - word) + 1 : 0;
	return (!slash || is_name(word, prefix - 1, PREFIX_MAX_LEN)) &&
	       is_name(word + prefix, len - prefix, NAME_MAX_LEN);
}

/* A value may be empty. */
static bool take_value(const char **p)
{
	const char *word;
	size_t len = take_word(p, &word);
	return len == 0 || is_name(word, len, NAME_MAX_LEN);
}

static bool take_set(const char **p)
{
	if (!take(p, "("))
		return false;
	do
		if (!take_value(p))
			return false;
	while (take(p, ","));
	return take(p, ")");
}

static bool take_requirement(const char **p)
{
	static const char *const operators[] = {"!=", "==", "=", "<", ">"};
	const char *word;
	if (take(p, "!"))
		return take_key(p);
	if (!take_key(p))
		return false;
	for (size_t i = 0; i < FX_COUNT(operators); i++)
		if (take(p, operators[i]))
			return take_value(p);
	const char *before = *p;
	size_t len = take_word(p, &word);
	if ((len == 2 && memcmp(word, "in", 2) == 0) || (len == 5 && memcmp(word, "notin", 5) == 0))
		return take_set(p);
	*p = before;
	return len == 0;
}

int fx_label_selector_check(const char *text, struct fx_error *err)
{
	const char *p = text;
	skip_space(&p);
	if (!*p)
		return 0;
	do {
		const char *start = p;
		if (!take_requirement(&p))
			return fx_fail(err, FX_E_INVALID, "unable to parse requirement '%.100s'", start);
	} while (take(&p, ","));
	skip_space(&p);
	return *p ? fx_fail(err, FX_E_INVALID, "unexpected '%.100s' behind a requirement", p) : 0;
}
