/* A template rendered as the partial of a chart, and what has to come of it. */
#ifndef FX_TEST_UNIT_HELM_RENDER_H
#define FX_TEST_UNIT_HELM_RENDER_H

#include "data/json.h"
#include "helm/chart.h"

#include <check.h>
#include <string.h>

struct render_case {
	const char *template;
	const char *want;  /* its output, or */
	const char *error; /* the end of the error's text */
};

/* The values that the templates of the tables see. */
static const char render_values[] =
        "{\"s\":\"Hello "
        "World\",\"e\":\"\",\"n\":1,\"f\":1.5,\"neg\":-3,\"zero\":0,\"t\":true,\"fa\":false,\"nil\":null,"
        "\"l\":[\"b\",\"a\",1,null,\"a\"],\"el\":[],\"m\":{\"a\":1,\"b\":{\"c\":[1,2]}},\"em\":{},\"u\":"
        "\"h\xc3\xa9llo w\xc3\xb6rld \xc3\xb1 "
        "\xe6\x97\xa5\xe6\x9c\xac\",\"big\":1.2345678901234567e19,\"num\":\"42\",\"ls\":[\"x\",\"y\",\"z\"],"
        "\"nl\":[3,1,2],\"ml\":\"a\\nb\\n\\nc\\n\",\"mm\":{\"a\":{\"x\":1},\"b\":null}}";

static inline int render_text(
        struct fx_arena *arena, const char *text, struct fx_val *out, struct fx_error *err)
{
	struct fx_node *values = NULL;
	int rc = fx_json_read(arena, render_values, sizeof(render_values) - 1, &values, err);
	return rc ? rc : fx_chart_eval(arena, text, strlen(text), values, out, err);
}

/* White space of an error counts as one space. */
static inline bool render_ends_with(const char *text, const char *end)
{
	size_t i = strlen(text), k = strlen(end);
	while (k > 0 && i > 0) {
		bool space = text[i - 1] == ' ' || text[i - 1] == '\n';
		if (space != (end[k - 1] == ' ') || (!space && text[i - 1] != end[k - 1]))
			return false;
		i--;
		k--;
		while (space && i > 0 && (text[i - 1] == ' ' || text[i - 1] == '\n'))
			i--;
	}
	return k == 0;
}

static inline void render_check(const struct render_case *c)
{
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(FX_RENDER_ARENA_MAX);
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct fx_val out;
	int rc = render_text(arena, c->template, &out, &err);
	if (c->error) {
		ck_assert_msg(rc < 0, "%s: no error but '%.*s'", c->template, rc ? 0 : (int)out.len,
		        rc ? "" : out.s);
		ck_assert_msg(render_ends_with(fx_error_message(&err), c->error),
		        "%s: '%s' does not end with '%s'", c->template, fx_error_message(&err), c->error);
		return;
	}
	ck_assert_msg(rc == 0, "%s: %s", c->template, fx_error_message(&err));
	ck_assert_msg(out.len == strlen(c->want) && memcmp(out.s, c->want, out.len) == 0,
	        "%s: '%.*s', not '%s'", c->template, (int)out.len, out.s, c->want);
}

#endif
