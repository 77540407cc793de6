#include "core/buf.h"
#include "core/vec.h"
#include "data/semver.h"

#include <string.h>

/* What of a comparison's version was left open: "1" leaves the minor, "1.2" the patch version. */
enum open_part { OPEN_NONE, OPEN_ALL, OPEN_MINOR, OPEN_PATCH };

struct comparison {
	bool (*check)(const struct fx_semver *v, const struct comparison *c);
	struct fx_semver version;
	enum open_part open;
};

/* Comparisons that must all hold. */
struct alternative {
	FX_VEC(struct comparison) all;
	bool names_prerelease;
};

struct fx_semver_constraint {
	FX_VEC(struct alternative) any;
};

static bool check_tilde(const struct fx_semver *v, const struct comparison *c)
{
	const struct fx_semver *w = &c->version;
	if (fx_semver_compare(v, w) < 0)
		return false;
	bool zero = w->major == 0 && w->minor == 0 && w->patch == 0;
	if (zero && c->open != OPEN_MINOR && c->open != OPEN_PATCH)
		return true; /* `*`, and by tradition also ~0.0.0 */
	return v->major == w->major && (v->minor == w->minor || c->open == OPEN_MINOR);
}

static bool check_equal(const struct fx_semver *v, const struct comparison *c)
{
	return c->open ? check_tilde(v, c) : fx_semver_compare(v, &c->version) == 0;
}

static bool check_not_equal(const struct fx_semver *v, const struct comparison *c)
{
	const struct fx_semver *w = &c->version;
	if (c->open && v->major != w->major)
		return true;
	if (c->open == OPEN_MINOR)
		return false;
	if (c->open == OPEN_PATCH) {
		/* The patch version is open, so only a prerelease can tell the two apart. */
		return v->minor != w->minor || strcmp(v->pre, w->pre) != 0;
	}
	return fx_semver_compare(v, w) != 0;
}

static bool check_greater(const struct fx_semver *v, const struct comparison *c)
{
	const struct fx_semver *w = &c->version;
	if (c->open && v->major != w->major)
		return v->major > w->major;
	if (c->open == OPEN_MINOR)
		return false;
	if (c->open == OPEN_PATCH)
		return v->minor > w->minor;
	return fx_semver_compare(v, w) > 0;
}

static bool check_less(const struct fx_semver *v, const struct comparison *c)
{
	return fx_semver_compare(v, &c->version) < 0;
}

static bool check_greater_equal(const struct fx_semver *v, const struct comparison *c)
{
	return fx_semver_compare(v, &c->version) >= 0;
}

static bool check_less_equal(const struct fx_semver *v, const struct comparison *c)
{
	const struct fx_semver *w = &c->version;
	if (!c->open)
		return fx_semver_compare(v, w) <= 0;
	if (v->major != w->major)
		return v->major < w->major;
	return v->minor <= w->minor || c->open == OPEN_MINOR;
}

static bool check_caret(const struct fx_semver *v, const struct comparison *c)
{
	const struct fx_semver *w = &c->version;
	if (fx_semver_compare(v, w) < 0)
		return false;
	if (w->major > 0 || c->open == OPEN_MINOR)
		return v->major == w->major;
	if (v->major > 0)
		return false;
	if (w->minor > 0 || c->open == OPEN_PATCH)
		return v->minor == w->minor;
	return v->minor == 0 && v->patch == w->patch;
}

/* Longest first, so that a prefix does not win. */
static const struct operator
{
	const char *text;
	bool (*check)(const struct fx_semver *v, const struct comparison *c);
}
operators[] = {
        {"!=", check_not_equal},
        {">=", check_greater_equal},
        {"=>", check_greater_equal},
        {"<=", check_less_equal},
        {"=<", check_less_equal},
        {"~>", check_tilde},
        {"=", check_equal},
        {">", check_greater},
        {"<", check_less},
        {"~", check_tilde},
        {"^", check_caret},
        {"", check_equal},
};

static bool is_space(char c)
{
	return c != '\0' && strchr(" \t\n\v\f\r", c) != NULL;
}

static const char *skip_space(const char *p)
{
	while (is_space(*p))
		p++;
	return p;
}

static size_t identifiers_span(const char *p)
{
	static const char chars[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-";
	size_t len = strspn(p, chars);
	while (len > 0 && p[len] == '.') {
		size_t more = strspn(p + len + 1, chars);
		if (more == 0)
			break;
		len += 1 + more;
	}
	return len;
}

/* A version in a constraint, cut into its numbers and the rest ("-rc.1+meta"). */
struct cut {
	size_t len; /* of all; 0: no version here */
	size_t number_at[3], number_len[3];
	size_t rest_at;
};

static struct cut cut_version(const char *p)
{
	static const char number_chars[] = "0123456789xX*|";
	struct cut cut = {0};
	size_t at = *p == 'v';
	for (int i = 0; i < 3; i++) {
		size_t dot = i > 0;
		if (dot && p[at] != '.')
			break;
		size_t len = strspn(p + at + dot, number_chars);
		if (len == 0)
			break;
		cut.number_at[i] = at + dot;
		cut.number_len[i] = len;
		at += dot + len;
	}
	if (cut.number_len[0] == 0)
		return (struct cut){0};
	cut.rest_at = at;
	for (const char *mark = "-+"; *mark; mark++) {
		size_t len = p[at] == *mark ? identifiers_span(p + at + 1) : 0;
		at += len ? len + 1 : 0;
	}
	cut.len = at;
	return cut;
}

static bool is_open(const char *p, const struct cut *cut, int i)
{
	return cut->number_len[i] == 0 || (cut->number_len[i] == 1 && strchr("xX*", p[cut->number_at[i]]));
}

static int comparison_parse(const char *p, const struct cut *cut, struct comparison *c, struct fx_error *err)
{
	char text[FX_SEMVER_TEXT_MAX];
	int numbers = 3, at = 0;
	static const enum open_part open[] = {OPEN_ALL, OPEN_MINOR, OPEN_PATCH};
	for (int i = 2; i >= 0; i--) {
		if (is_open(p, cut, i)) {
			numbers = i;
			c->open = open[i];
		}
	}
	if (cut->len >= sizeof(text) - 8)
		return fx_fail(err, FX_E_LIMIT, "a version in the constraint is too long");
	for (int i = 0; i < 3; i++) {
		if (i < numbers)
			at += snprintf(text + at, sizeof(text) - (size_t)at, "%s%.*s", i ? "." : "",
			        (int)cut->number_len[i], p + cut->number_at[i]);
		else
			at += snprintf(text + at, sizeof(text) - (size_t)at, "%s0", i ? "." : "");
	}
	snprintf(text + at, sizeof(text) - (size_t)at, "%.*s", (int)(cut->len - cut->rest_at),
	        p + cut->rest_at);
	return fx_semver_parse(text, &c->version, err);
}

static int improper(struct fx_error *err, const char *text, size_t len)
{
	return fx_fail(err, FX_E_PARSE, "improper constraint: \"%.*s\"", (int)len, text);
}

/* Reads one comparison at *p; gives *p behind it. */
static int read_comparison(const char **p, struct alternative *alternative, struct fx_error *err)
{
	struct comparison c = {0};
	*p = skip_space(*p);
	for (size_t i = 0; i < FX_COUNT(operators); i++) {
		size_t len = strlen(operators[i].text);
		if (strncmp(*p, operators[i].text, len) != 0)
			continue;
		c.check = operators[i].check;
		*p = skip_space(*p + len);
		break;
	}
	struct cut cut = cut_version(*p);
	if (cut.len == 0)
		return fx_fail(err, FX_E_PARSE, "no version");
	int rc = comparison_parse(*p, &cut, &c, err);
	if (rc != 0)
		return rc;
	*p += cut.len;
	if (alternative->all.len >= FX_SEMVER_COMPARISONS_MAX)
		return fx_fail(err, FX_E_LIMIT, "more than %d comparisons in a constraint",
		        FX_SEMVER_COMPARISONS_MAX);
	alternative->names_prerelease = alternative->names_prerelease || *c.version.pre;
	return fx_vec_push(&alternative->all, c) ? 0 : fx_fail_nomem(err);
}

/* One side of `||`, NUL-terminated. An empty one stands for any version. */
static int alternative_parse(const char *text, struct alternative *alternative, struct fx_error *err)
{
	const char *p = text;
	for (;;) {
		if (read_comparison(&p, alternative, err) != 0)
			return improper(err, text, strlen(text));
		const char *after = skip_space(p);
		if (!*after)
			return 0;
		if (*after == ',')
			p = after + 1;
		else if (after == p)
			return improper(err, text, strlen(text));
		else
			p = after;
	}
}

/* Writes text with every "a - b" turned into ">= a, <= b". */
static void rewrite_ranges(const char *text, struct fx_buf *out)
{
	while (*text) {
		const char *low = skip_space(text);
		struct cut a = cut_version(low);
		const char *dash = skip_space(low + a.len);
		const char *high = dash + (*dash == '-');
		if (a.len > 0 && dash > low + a.len && *dash == '-' && is_space(*high)) {
			high = skip_space(high);
			struct cut b = cut_version(high);
			if (b.len > 0) {
				fx_buf_addf(out, ">= %.*s, <= %.*s", (int)a.len, low, (int)b.len, high);
				text = skip_space(high + b.len);
				continue;
			}
		}
		fx_buf_add_char(out, *text++);
	}
}

void fx_semver_constraint_free(struct fx_semver_constraint *constraint)
{
	if (!constraint)
		return;
	fx_vec_foreach (struct alternative, a, &constraint->any)
		fx_vec_release(&a->all);
	fx_vec_release(&constraint->any);
	free(constraint);
}

int fx_semver_constraint_parse(const char *text, struct fx_semver_constraint **out, struct fx_error *err)
{
	if (strnlen(text, FX_SEMVER_CONSTRAINT_MAX) >= FX_SEMVER_CONSTRAINT_MAX)
		return fx_fail(
		        err, FX_E_LIMIT, "a constraint is longer than %d bytes", FX_SEMVER_CONSTRAINT_MAX);
	fx_auto(buf) struct fx_buf rewritten = FX_BUF_INIT;
	rewrite_ranges(text, &rewritten);
	fx_auto(semver_constraint) struct fx_semver_constraint *constraint = calloc(1, sizeof(*constraint));
	if (!constraint || !fx_buf_reserve(&rewritten, 1) || fx_buf_failed(&rewritten))
		return fx_fail_nomem(err);
	rewritten.data[rewritten.len] = '\0';
	for (char *at = rewritten.data, *next; at; at = next) {
		next = strstr(at, "||");
		if (next) {
			*next = '\0';
			next += 2;
		}
		struct alternative a = {0};
		int rc = alternative_parse(at, &a, err);
		if (!fx_vec_push(&constraint->any, a)) {
			fx_vec_release(&a.all);
			return fx_fail_nomem(err);
		}
		if (rc != 0)
			return rc;
	}
	*out = fx_take(constraint);
	return 0;
}

static bool alternative_check(const struct alternative *a, const struct fx_semver *v)
{
	if (*v->pre && !a->names_prerelease)
		return false;
	fx_vec_foreach (struct comparison, c, &a->all) {
		if (!c->check(v, c))
			return false;
	}
	return true;
}

bool fx_semver_constraint_check(
        const struct fx_semver_constraint *constraint, const struct fx_semver *version)
{
	fx_vec_foreach (struct alternative, a, &constraint->any) {
		if (alternative_check(a, version))
			return true;
	}
	return false;
}
