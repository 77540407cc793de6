#include "yaml.h"

#include "core/cleanup.h"
#include "data/json.h"
#include "data/yaml.h"
#include "obj.h"

static int read_all(const char *text, size_t len, json_t **out, struct fx_error *err)
{
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(0);
	if (!arena)
		return fx_fail_nomem(err);
	const struct fx_yaml_read options = {.values = true};
	struct fx_node *list = NULL;
	if (fx_yaml_read_all(arena, text, len, &options, &list, err) < 0)
		return -(int)FX_E_PARSE;
	*out = fx_node_to_json(list, err);
	return *out ? 0 : -(int)FX_E_PARSE;
}

int fx_as_yaml_all(const char *text, size_t len, json_t **out, struct fx_error *err)
{
	fx_auto(json) json_t *list = NULL;
	if (read_all(text, len, &list, err) < 0)
		return -(int)FX_E_PARSE;
	json_t *objects = json_array();
	size_t i;
	json_t *item;
	json_array_foreach (list, i, item) {
		if (json_is_object(item))
			json_array_append(objects, item);
	}
	*out = objects;
	return 0;
}

int fx_as_yaml_one(const char *text, size_t len, json_t **out, struct fx_error *err)
{
	/* Most clients send JSON, whose parser is faster. */
	*out = json_loadb(text, len, 0, NULL);
	if (*out)
		return 0;
	fx_auto(json) json_t *objects = NULL;
	if (fx_as_yaml_all(text, len, &objects, err) < 0)
		return -(int)FX_E_PARSE;
	if (!json_array_size(objects))
		return fx_fail(err, FX_E_PARSE, "no object");
	*out = json_incref(json_array_get(objects, 0));
	return 0;
}
