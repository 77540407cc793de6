#include "eval.h"
#include "helm/engine.h"
#include "helm/strvals.h"

#include <string.h>

int fx_eval_strvals(const json_t *input, json_t **out, struct fx_error *err)
{
	static const struct {
		const char *name;
		enum fx_value_source_kind kind;
	} kinds[] = {{"set", FX_VALUES_SET}, {"string", FX_VALUES_STRING}, {"json", FX_VALUES_JSON},
	        {"literal", FX_VALUES_LITERAL}};
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(FX_RENDER_ARENA_MAX);
	if (!arena)
		return fx_fail_nomem(err);
	struct fx_value_source source = {FX_VALUES_SET, fx_eval_string(input, "input")};
	for (size_t i = 0; i < FX_COUNT(kinds); i++) {
		if (strcmp(kinds[i].name, fx_eval_string(input, "kind")) == 0)
			source.kind = kinds[i].kind;
	}
	struct fx_val map, text;
	int rc = fx_values_read(arena, &source, 1, &map, err);
	if (rc == 0)
		rc = fx_values_json(arena, map, &text, err);
	if (rc == 0)
		*out = json_stringn(text.s, text.len);
	return rc;
}
