#include "envsubst.h"
#include "envsubst_ops.h"

#include "core/vec.h"

#include <string.h>

/* One pass over the text. The first pass only checks the syntax, the second one expands. */
struct pass {
	const char *text;
	size_t len, pos;
	bool dry;
	bool strict;
	int depth;
	fx_envsubst_lookup lookup;
	void *arg;
	struct fx_error *err;
};

/* Which characters a run of an argument stops at, and whether it has escapes. */
struct run {
	const char *stops;
	bool escapes;
};

static const struct run run_word = {"}", false};
static const struct run run_offset = {":}", false};
static const struct run run_pattern = {"/", true};
static const struct run run_replacement = {"}", true};

static int parse_name_error(struct pass *p)
{
	return fx_fail(p->err, FX_E_PARSE, "unable to parse variable name");
}

static int brace_error(struct pass *p)
{
	return fx_fail(p->err, FX_E_PARSE, "missing closing brace");
}

static int substitution_error(struct pass *p)
{
	return fx_fail(p->err, FX_E_PARSE, "bad substitution");
}

static int argument_error(struct pass *p)
{
	return fx_fail(p->err, FX_E_PARSE, "unable to parse substitution within function");
}

/* The byte at an offset from here; 0 at the end. */
static char peek_at(const struct pass *p, size_t offset)
{
	return p->pos + offset < p->len ? p->text[p->pos + offset] : 0;
}

static char peek(const struct pass *p)
{
	return peek_at(p, 0);
}

static bool at_expansion(const struct pass *p)
{
	return peek(p) == '$' && peek_at(p, 1) == '{';
}

static void emit(struct pass *p, struct fx_buf *out, const char *data, size_t len)
{
	if (!p->dry)
		fx_buf_add(out, data, len);
}

static int expect_close(struct pass *p)
{
	if (peek(p) != '}')
		return substitution_error(p);
	p->pos++;
	return 0;
}

static int scan_name(struct pass *p, char **out)
{
	size_t len = fx_envsubst_name_length(p->text + p->pos, p->len - p->pos);
	*out = strndup(p->text + p->pos, len);
	p->pos += len;
	return *out ? 0 : fx_fail_nomem(p->err);
}

static bool is_escape(const struct pass *p)
{
	char c = peek(p), next = peek_at(p, 1);
	return (c == '$' && next == '$') || (c == '\\' && (next == '/' || next == '\\'));
}

static int expand(struct pass *p, struct fx_buf *out);

/* One argument: a run of text or one nested expansion. */
static int scan_argument(struct pass *p, const struct run *run, struct fx_buf *out)
{
	if (at_expansion(p)) {
		p->pos += 2;
		return expand(p, out);
	}
	size_t start = p->pos;
	while (peek(p) && !at_expansion(p)) {
		if (run->escapes && is_escape(p)) {
			emit(p, out, p->text + p->pos + 1, 1);
			p->pos += 2;
			continue;
		}
		if (strchr(run->stops, peek(p)))
			break;
		emit(p, out, p->text + p->pos, 1);
		p->pos++;
	}
	return p->pos == start ? argument_error(p) : 0;
}

/* What an expansion has been parsed to. Arguments are evaluated whether they are used or not. */
struct expansion {
	char *name;
	enum fx_envsubst_op op;
	int args;
	struct fx_buf arg[2];
};

static void expansion_release(struct expansion *e)
{
	free(e->name);
	fx_buf_release(&e->arg[0]);
	fx_buf_release(&e->arg[1]);
}

static int scan_default(struct pass *p, struct expansion *e)
{
	p->pos += peek(p) == '=' ? 1 : 2;
	e->op = FX_ENVSUBST_DEFAULT;
	e->args = 1;
	while (peek(p) != '}') {
		int rc = scan_argument(p, &run_word, &e->arg[0]);
		if (rc < 0)
			return rc;
	}
	return expect_close(p);
}

static int scan_substring(struct pass *p, struct expansion *e)
{
	p->pos++;
	e->op = FX_ENVSUBST_SUBSTRING;
	e->args = 1;
	int rc = scan_argument(p, &run_offset, &e->arg[0]);
	if (rc < 0)
		return rc;
	if (peek(p) == ':') {
		/* Every colon of a row belongs to the delimiter. */
		while (peek(p) == ':')
			p->pos++;
		e->args = 2;
		rc = scan_argument(p, &run_word, &e->arg[1]);
		if (rc < 0)
			return rc;
	}
	return expect_close(p);
}

static int scan_trim(struct pass *p, struct expansion *e)
{
	char c = peek(p);
	bool longest = peek_at(p, 1) == c;
	p->pos += longest ? 2 : 1;
	if (c == '#')
		e->op = longest ? FX_ENVSUBST_TRIM_PREFIX_LONGEST : FX_ENVSUBST_TRIM_PREFIX;
	else
		e->op = longest ? FX_ENVSUBST_TRIM_SUFFIX_LONGEST : FX_ENVSUBST_TRIM_SUFFIX;
	e->args = 1;
	int rc = scan_argument(p, &run_word, &e->arg[0]);
	return rc < 0 ? rc : expect_close(p);
}

static int scan_replace(struct pass *p, struct expansion *e)
{
	static const struct {
		char mark;
		enum fx_envsubst_op op;
	} forms[] = {{'/', FX_ENVSUBST_REPLACE_ALL}, {'#', FX_ENVSUBST_REPLACE_PREFIX},
	        {'%', FX_ENVSUBST_REPLACE_SUFFIX}};

	p->pos++;
	e->op = FX_ENVSUBST_REPLACE;
	for (size_t i = 0; i < FX_COUNT(forms); i++) {
		if (peek(p) == forms[i].mark) {
			e->op = forms[i].op;
			p->pos++;
			break;
		}
	}
	e->args = 1;
	int rc = scan_argument(p, &run_pattern, &e->arg[0]);
	if (rc < 0)
		return rc;
	if (peek(p) != '/')
		return substitution_error(p);
	p->pos++;
	if (peek(p) != '}') {
		e->args = 2;
		rc = scan_argument(p, &run_replacement, &e->arg[1]);
		if (rc < 0)
			return rc;
	}
	return expect_close(p);
}

static int scan_casing(struct pass *p, struct expansion *e)
{
	static const struct {
		char text[3];
		enum fx_envsubst_op op;
	} forms[] = {{"^", FX_ENVSUBST_UPPER_FIRST}, {"^^", FX_ENVSUBST_UPPER},
	        {",", FX_ENVSUBST_LOWER_FIRST}, {",,", FX_ENVSUBST_LOWER}};
	char text[3] = {0};
	for (size_t i = 0; i < 2 && (peek(p) == '^' || peek(p) == ','); i++)
		text[i] = p->text[p->pos++];
	e->op = FX_ENVSUBST_PLAIN; /* "^," and ",^" change nothing */
	for (size_t i = 0; i < FX_COUNT(forms); i++)
		if (!strcmp(text, forms[i].text))
			e->op = forms[i].op;
	return expect_close(p);
}

static int scan_length(struct pass *p, struct expansion *e)
{
	p->pos++;
	e->op = FX_ENVSUBST_LENGTH;
	int rc = scan_name(p, &e->name);
	if (rc < 0)
		return rc;
	return *e->name ? expect_close(p) : substitution_error(p);
}

static int scan_expansion(struct pass *p, struct expansion *e)
{
	if (peek(p) == '#')
		return scan_length(p, e);
	int rc = scan_name(p, &e->name);
	if (rc < 0)
		return rc;
	if (!*e->name)
		return parse_name_error(p);
	switch (peek(p)) {
	case ':':
		return peek_at(p, 1) && strchr("=-?+", peek_at(p, 1)) ? scan_default(p, e)
		                                                      : scan_substring(p, e);
	case '=':
		return scan_default(p, e);
	case ',':
	case '^':
		return scan_casing(p, e);
	case '/':
		return scan_replace(p, e);
	case '#':
	case '%':
		return scan_trim(p, e);
	case '}':
		p->pos++;
		e->op = FX_ENVSUBST_PLAIN;
		return 0;
	default:
		return brace_error(p);
	}
}

static int evaluate(struct pass *p, struct expansion *e, struct fx_buf *out)
{
	if (fx_buf_failed(&e->arg[0]) || fx_buf_failed(&e->arg[1]))
		return fx_fail(p->err, FX_E_LIMIT, "the result of the substitution is too large");
	const char *value = p->lookup(p->arg, e->name);
	if (!value && p->strict && e->op != FX_ENVSUBST_DEFAULT)
		return fx_fail(p->err, FX_E_INVALID, "variable not set (strict mode): \"%s\"", e->name);
	const char *args[2] = {fx_buf_str(&e->arg[0]), fx_buf_str(&e->arg[1])};
	return fx_envsubst_apply(e->op, value ? value : "", args, e->args, out, p->err);
}

/* After "${". */
static int expand(struct pass *p, struct fx_buf *out)
{
	if (p->depth >= FX_ENVSUBST_DEPTH_MAX)
		return fx_fail(p->err, FX_E_LIMIT, "substitutions are nested more than %d deep",
		        FX_ENVSUBST_DEPTH_MAX);
	p->depth++;
	struct expansion e = {
	        .arg = {FX_BUF_INIT_MAX(FX_ENVSUBST_OUT_MAX), FX_BUF_INIT_MAX(FX_ENVSUBST_OUT_MAX)}};
	int rc = scan_expansion(p, &e);
	if (rc == 0 && !p->dry)
		rc = evaluate(p, &e, out);
	expansion_release(&e);
	p->depth--;
	return rc;
}

static int run_pass(struct pass *p, struct fx_buf *out)
{
	while (peek(p)) {
		if (at_expansion(p)) {
			p->pos += 2;
			int rc = expand(p, out);
			if (rc < 0)
				return rc;
			continue;
		}
		if (peek(p) == '$') {
			emit(p, out, "$", 1);
			p->pos += peek_at(p, 1) == '$' ? 2 : 1;
			continue;
		}
		size_t n = 0;
		while (peek_at(p, n) && peek_at(p, n) != '$')
			n++;
		emit(p, out, p->text + p->pos, n);
		p->pos += n;
	}
	return 0;
}

int fx_envsubst(const char *text, size_t len, fx_envsubst_lookup lookup, void *arg, bool strict,
        struct fx_buf *out, struct fx_error *err)
{
	struct pass p = {.text = text,
	        .len = len,
	        .dry = true,
	        .strict = strict,
	        .lookup = lookup,
	        .arg = arg,
	        .err = err};
	int rc = run_pass(&p, out);
	if (rc < 0)
		return rc;
	p.dry = false;
	p.pos = 0;
	rc = run_pass(&p, out);
	if (rc < 0)
		return rc;
	if (fx_buf_failed(out))
		return fx_fail(err, FX_E_LIMIT, "the result of the substitution is too large");
	return 0;
}
