/* YAML in and out: sigs.k8s.io/yaml, and go-yaml v3 for the pretty form. */
#include "funcs.h"

#include "data/scalar.h"
#include "data/yaml.h"

#include <math.h>

typedef int write_fn(struct fx_node *node, struct fx_buf *out, struct fx_error *err);

static int write_plain(struct fx_node *node, struct fx_buf *out, struct fx_error *err)
{
	return fx_yaml_write(node, out, err);
}

/* The text in the render's memory; *why when there is none. */
static struct fx_val written(struct fx_render *x, struct fx_node *n, write_fn *write, const char **why)
{
	struct fx_buf out = FX_BUF_INIT_MAX(FX_FN_TEXT_MAX);
	struct fx_error err = FX_ERROR_INIT;
	bool ok = write(n, &out, &err) == 0 && !fx_buf_failed(&out);
	const char *text = ok ? fx_buf_str(&out) : fx_error_message(&err);
	size_t len = ok ? out.len : strlen(text);
	/* Nothing may throw while the buffer is held. */
	char *copy = fx_arena_strndup(fx_render_arena(x), text, len);
	fx_error_release(&err);
	fx_buf_release(&out);
	if (!copy)
		fx_render_throw(x, "out of memory");
	if (ok)
		return fx_v_strn(copy, len);
	*why = *copy ? copy : "out of memory";
	return fx_v_str("");
}

struct fx_val fx_v_yaml_text(struct fx_render *x, struct fx_val v, const char **why)
{
	struct fx_node *n = fx_v_to_node(x, v, why);
	if (!n)
		return fx_v_str("");
	return written(x, n, write_plain, why);
}
static struct fx_val without_newline(struct fx_val s)
{
	if (s.len && s.s[s.len - 1] == '\n')
		s.len--;
	return s;
}

static struct fx_val fn_to_yaml(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	const char *why = NULL;
	return without_newline(fx_v_yaml_text(x, a[0], &why));
}

static struct fx_val fn_must_to_yaml(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	const char *why = NULL;
	struct fx_val v = fx_v_yaml_text(x, a[0], &why);
	if (why)
		fx_render_throw(x, "error marshaling into JSON: %s", why);
	return without_newline(v);
}

static struct fx_val fn_to_yaml_pretty(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	const char *why = NULL;
	return without_newline(written(x, fx_v_to_pretty_node(x, a[0]), fx_yaml_write_values, &why));
}

bool fx_v_yaml_parse(struct fx_render *x, struct fx_val text, struct fx_val *out, const char **why)
{
	struct fx_error err = FX_ERROR_INIT;
	struct fx_node *n = NULL;
	struct fx_yaml_read opts = {.dialect = FX_YAML_V2, .values = true};
	if (fx_yaml_read(fx_render_arena(x), text.s, text.len, &opts, &n, &err) != 0) {
		char *copy = fx_arena_printf(
		        fx_render_arena(x), "error converting YAML to JSON: %s", fx_error_message(&err));
		bool nomem = err.code == FX_E_NOMEM || !copy;
		fx_error_release(&err);
		if (nomem)
			fx_render_throw(x, "out of memory");
		*why = copy;
		return false;
	}
	*out = fx_v_from_node(x, n);
	return true;
}

#define UNMARSHAL "error unmarshaling JSON: while decoding JSON: "

static struct fx_val fn_from_yaml(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	struct fx_val v;
	const char *why;
	if (!fx_v_yaml_parse(x, a[0], &v, &why))
		return fx_v_error_map(x, why);
	if (v.kind == FX_VAL_NIL)
		return fx_v_map(x);
	return v.kind == FX_VAL_MAP ? v : fx_v_mismatch_map(x, v, UNMARSHAL);
}

static struct fx_val fn_from_yaml_array(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	struct fx_val v;
	const char *why;
	if (!fx_v_yaml_parse(x, a[0], &v, &why))
		return fx_v_error_list(x, why);
	if (v.kind == FX_VAL_NIL)
		return fx_v_list(x, 0);
	return v.kind == FX_VAL_LIST ? v : fx_v_mismatch_list(x, v, UNMARSHAL);
}

const struct fx_fn fx_fns_yaml[] = {
        {"toYaml", "A", fn_to_yaml},
        {"mustToYaml", "A", fn_must_to_yaml},
        {"toYamlPretty", "A", fn_to_yaml_pretty},
        {"fromYaml", "S", fn_from_yaml},
        {"fromYamlArray", "S", fn_from_yaml_array},
        {NULL, NULL, NULL},
};
