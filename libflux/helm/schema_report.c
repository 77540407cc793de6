/* What failed, in the lines that Helm prints; and the whole check. */
#include "schema_internal.h"

#include "data/scalar.h"

#include <stdlib.h>

#define VALUES_URL "file:///values.schema.json"

/* %q in single quotes. */
void fx_schema_quote(struct fx_text *out, const char *s, size_t n)
{
	struct fx_text t = {.x = out->x};
	fx_fmt_quote(&t, s, n, false);
	fx_text_char(out, '\'');
	for (size_t i = 1; i + 1 < t.len; i++) {
		if (t.data[i] == '\'')
			fx_text_char(out, '\\');
		/* Only the backslash of a quote goes; the next one is looked at by itself. */
		if (t.data[i] == '\\' && t.data[i + 1] == '"' && i + 2 < t.len)
			continue;
		fx_text_char(out, t.data[i]);
	}
	fx_text_char(out, '\'');
}

static void add_grouped(struct fx_text *out, const char *digits, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (i && (n - i) % 3 == 0)
			fx_text_char(out, ',');
		fx_text_char(out, digits[i]);
	}
}

void fx_schema_print_int(struct fx_text *out, int64_t v)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%lld", (long long)v);
	if (v < 0)
		fx_text_char(out, '-');
	add_grouped(out, text + (v < 0), (size_t)n - (v < 0));
}

static void add_exponent(struct fx_text *out, int exp)
{
	static const char *const raised[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
	char text[12];
	snprintf(text, sizeof(text), "%02d", abs(exp));
	fx_text_str(out, "×10");
	if (exp < 0)
		fx_text_str(out, "⁻");
	for (const char *p = text; *p; p++)
		fx_text_str(out, raised[*p - '0']);
}

void fx_schema_print_double(struct fx_text *out, double v)
{
	char text[40], digits[24];
	size_t n = 0;
	/* The shortest digits that give the same number back. */
	int precision = 0;
	do
		snprintf(text, sizeof(text), "%.*e", precision, v);
	while (strtod(text, NULL) != v && ++precision < 17);
	const char *e = strchr(text, 'e');
	int exp = e ? atoi(e + 1) : 0;
	for (const char *p = text; e && p < e; p++) {
		if (*p >= '0' && *p <= '9')
			digits[n++] = *p;
	}
	while (n > 1 && digits[n - 1] == '0')
		n--;
	if (v < 0)
		fx_text_char(out, '-');
	if (exp < -4 || exp >= 6) {
		fx_text_add(out, digits, 1);
		if (n > 1) {
			fx_text_char(out, '.');
			fx_text_add(out, digits + 1, n - 1);
		}
		add_exponent(out, exp);
		return;
	}
	size_t whole = exp < 0 ? 0 : (size_t)exp + 1;
	for (; n < whole; n++)
		digits[n] = '0';
	if (whole)
		add_grouped(out, digits, whole);
	else
		fx_text_char(out, '0');
	if (n > whole)
		fx_text_char(out, '.');
	for (int i = -1; i > exp && n > whole; i--)
		fx_text_char(out, '0');
	fx_text_add(out, digits + whole, n - whole);
}

static void print_lines(struct fx_text *out, const struct fx_schema_error *e, unsigned indent)
{
	for (; e; e = e->next) {
		/* A reference with one cause is not worth a line. */
		if (e->reference && e->causes && !e->causes->next) {
			print_lines(out, e->causes, indent);
			continue;
		}
		fx_text_char(out, '\n');
		for (unsigned i = 0; i < indent; i++)
			fx_text_str(out, "  ");
		fx_text_str(out, "- at ");
		fx_schema_quote(out, e->pointer, strlen(e->pointer));
		fx_text_addf(out, ": %s", e->message);
		print_lines(out, e->causes, indent + 1);
	}
}

static void print_causes(struct fx_text *out, const struct fx_schema_error *e)
{
	print_lines(out, e->group ? e->causes : e, 0);
}

void fx_schema_report(struct fx_text *out, const struct fx_schema *s, const struct fx_schema_error *e)
{
	const char *url = fx_schema_location(out->x, s);
	fx_text_str(out, "jsonschema validation failed with ");
	fx_schema_quote(out, url, strlen(url));
	print_causes(out, e);
}

static const char *check(struct fx_render *x, const char *schema, size_t len, const struct fx_jval *value)
{
	struct fx_schemas c = {.x = x};
	const char *why = NULL;
	struct fx_jval *doc = fx_jval_parse(x, schema, len, &why);
	if (!doc)
		return why;
	c.tail = c.todo = &c.first;
	if (!fx_schema_root_add(&c, VALUES_URL, doc))
		return c.failed;
	struct fx_schema *s = fx_schema_compile(&c, VALUES_URL);
	if (!s)
		return c.failed;
	struct fx_schema_error *e = fx_schema_run(&c, s, value, NULL);
	if (!e)
		return NULL;
	struct fx_text t = {.x = x};
	print_causes(&t, e);
	fx_text_char(&t, '\n');
	return fx_text_c(&t) + 1;
}

const char *fx_schema_check(struct fx_render *x, const char *schema, size_t len, struct fx_val values)
{
	return check(x, schema, len, fx_jval_from(x, values));
}

const char *fx_schema_check_json(
        struct fx_render *x, const char *schema, size_t len, const char *value, size_t value_len)
{
	const char *why = NULL;
	struct fx_jval *v = fx_jval_parse(x, value, value_len, &why);
	return v ? check(x, schema, len, v) : why;
}
