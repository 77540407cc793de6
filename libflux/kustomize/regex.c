#include "kustomize/engine.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <string.h>

/* Steps and depth of one match: RE2 is linear, PCRE2 need not be. */
#define MATCH_LIMIT 1000000
#define DEPTH_LIMIT 100000

struct fx_regex {
	const char *literal; /* the whole pattern has no operators */
	bool anchored;
	pcre2_code *code;
	pcre2_match_context *context;
	pcre2_match_data *data;
};

static void *arena_malloc(size_t size, void *arena)
{
	return fx_arena_alloc(arena, size);
}

static void arena_free(void *p fx_unused, void *arena fx_unused)
{
}

/* What PCRE2 has and RE2 has not: look-around, back references, possessive and atomic groups, recursion. */
static const char *unsupported(const char *p)
{
	bool in_class = false;
	for (; *p; p++) {
		if (*p == '\\') {
			p++;
			if (*p == '\0')
				return "trailing backslash at end of expression: ``";
			if (*p == 'Q') {
				const char *end = strstr(p, "\\E");
				if (!end)
					return NULL;
				p = end + 1;
				continue;
			}
			if ((*p == 'p' || *p == 'P' || *p == 'x') && p[1] == '{') {
				p += strcspn(p, "}");
				if (!*p)
					return "invalid escape sequence";
				continue;
			}
			if (!in_class && *p >= '1' && *p <= '9')
				return "invalid escape sequence";
			if (strchr("GgKkRXhHVNoYyjJeEcZ", *p))
				return "invalid escape sequence";
			continue;
		}
		if (in_class) {
			in_class = *p != ']';
			continue;
		}
		if (*p == '[') {
			in_class = true;
			if (p[1] == '^')
				p++;
			if (p[1] == ']')
				p++;
			continue;
		}
		if (*p == '(' && p[1] == '*')
			return "missing argument to repetition operator: `*`";
		if (*p == '(' && p[1] == '?' && !strchr(":imsU-P<", p[2]))
			return "invalid or unsupported Perl syntax";
		if (*p == '(' && p[1] == '?' && p[2] == '<' && (p[3] == '=' || p[3] == '!'))
			return "invalid or unsupported Perl syntax";
		if (*p == '(' && p[1] == '?' && p[2] == 'P' && p[3] != '<')
			return "invalid named capture";
		if (strchr("*+?", *p) && (p[1] == '+' || p[1] == '*'))
			return "invalid nested repetition operator";
		if (*p == '}' && (p[1] == '+' || p[1] == '*'))
			return "invalid nested repetition operator";
	}
	return NULL;
}

struct fx_regex *fx_regex_new(struct fx_build *b, const char *pattern, bool anchored)
{
	struct fx_regex *re = fx_new(b, sizeof(*re));
	re->anchored = anchored;
	if (!strpbrk(pattern, "\\.+*?()[]{}|^$")) {
		re->literal = pattern;
		return re;
	}
	const char *why = unsupported(pattern);
	if (why)
		fx_throw(b, "error parsing regexp: %s: `%s`", why, pattern);
	if (!b->regex_context) {
		b->regex_context = pcre2_general_context_create(arena_malloc, arena_free, b->arena);
		if (!b->regex_context)
			fx_throw_code(b, FX_E_NOMEM, "out of memory");
	}
	const char *text = anchored ? fx_fmt(b, "^(?:%s)$", pattern) : pattern;
	int code;
	PCRE2_SIZE at;
	pcre2_compile_context *cc = pcre2_compile_context_create(b->regex_context);
	if (!cc)
		fx_throw_code(b, FX_E_NOMEM, "out of memory");
	re->code = pcre2_compile(
	        (PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_DOLLAR_ENDONLY, &code, &at, cc);
	if (!re->code && code == PCRE2_ERROR_HEAP_FAILED)
		fx_throw_code(b, FX_E_NOMEM, "out of memory");
	if (!re->code) {
		PCRE2_UCHAR message[200];
		pcre2_get_error_message(code, message, sizeof(message));
		fx_throw(b, "error parsing regexp: %s: `%s`", (const char *)message, pattern);
	}
	re->context = pcre2_match_context_create(b->regex_context);
	re->data = pcre2_match_data_create(1, b->regex_context);
	if (!re->context || !re->data)
		fx_throw_code(b, FX_E_NOMEM, "out of memory");
	pcre2_set_match_limit(re->context, MATCH_LIMIT);
	pcre2_set_depth_limit(re->context, DEPTH_LIMIT);
	return re;
}

bool fx_regex_match(struct fx_build *b, const struct fx_regex *re, const char *text)
{
	if (re->literal)
		return re->anchored ? strcmp(re->literal, text) == 0 : strstr(text, re->literal) != NULL;
	int rc = pcre2_match(re->code, (PCRE2_SPTR)text, strlen(text), 0, 0, re->data, re->context);
	if (rc == PCRE2_ERROR_NOMEMORY)
		fx_throw_code(b, FX_E_NOMEM, "out of memory");
	if (rc == PCRE2_ERROR_MATCHLIMIT || rc == PCRE2_ERROR_DEPTHLIMIT || rc == PCRE2_ERROR_HEAPLIMIT)
		fx_throw_code(b, FX_E_LIMIT, "a regular expression takes too long on '%.100s'", text);
	return rc >= 0;
}
