#include "data/regex.h"
#include "kustomize/engine.h"

struct fx_pattern {
	const char *literal; /* the whole pattern has no operators */
	bool anchored;
	struct fx_regex *re;
};

static void throw_err(struct fx_build *b, struct fx_error *err)
{
	char *message = fx_arena_strdup(b->arena, fx_error_message(err));
	enum fx_error_code code = err->code == FX_E_PARSE ? FX_E_INVALID : err->code;
	fx_error_release(err);
	if (!message)
		fx_throw_code(b, FX_E_NOMEM, "out of memory");
	fx_throw_code(b, code, "%s", message);
}

struct fx_pattern *fx_pattern_new(struct fx_build *b, const char *pattern, bool anchored)
{
	struct fx_pattern *p = fx_new(b, sizeof(*p));
	struct fx_error err = FX_ERROR_INIT;
	p->anchored = anchored;
	if (!strpbrk(pattern, "\\.+*?()[]{}|^$"))
		p->literal = pattern;
	else if (fx_regex_compile(b->arena, pattern, strlen(pattern), anchored, &p->re, &err) != 0)
		throw_err(b, &err);
	return p;
}

bool fx_pattern_match(struct fx_build *b, const struct fx_pattern *p, const char *text)
{
	if (p->literal)
		return p->anchored ? strcmp(p->literal, text) == 0 : strstr(text, p->literal) != NULL;
	struct fx_error err = FX_ERROR_INIT;
	int rc = fx_regex_search(p->re, text, strlen(text), 0, &err);
	if (rc < 0)
		throw_err(b, &err);
	return rc > 0;
}
