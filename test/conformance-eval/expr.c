#include "data/base64.h"
#include "data/json.h"
#include "eval.h"
#include "helm/chart.h"

#include <string.h>

/* The template is a partial of a chart; a template of the chart includes it. */
int fx_eval_expr(const json_t *input, json_t **out, struct fx_error *err)
{
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(FX_RENDER_ARENA_MAX);
	if (!arena)
		return fx_fail_nomem(err);
	const json_t *text = json_object_get(input, "template");
	struct fx_val rendered;
	int rc = fx_chart_eval(arena, json_string_value(text), json_string_length(text),
	        fx_node_from_json(arena, json_object_get(input, "values")), &rendered, err);
	if (rc != 0)
		return rc;
	*out = json_stringn(rendered.s, rendered.len);
	if (*out)
		return 0;
	/* Text that is no UTF-8. */
	fx_autofree char *b64 = fx_base64_encode(rendered.s, rendered.len);
	*out = b64 ? json_pack("{s:s}", "out_b64", b64) : NULL;
	return *out ? 0 : fx_fail_nomem(err);
}
