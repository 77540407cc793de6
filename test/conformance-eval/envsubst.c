#include "eval.h"

#include "kustomize-controller/envsubst.h"

#include <string.h>

static const char *lookup(void *arg, const char *name)
{
	return json_string_value(json_object_get((const json_t *)arg, name));
}

int fx_eval_envsubst(const json_t *input, json_t **out, struct fx_error *err)
{
	fx_cleanup(fx_auto_buf) struct fx_buf text = FX_BUF_INIT;
	const char *in = fx_eval_string(input, "input");
	bool strict = json_is_true(json_object_get(input, "strict"));
	int rc = fx_envsubst(in, strlen(in), lookup, json_object_get(input, "vars"), strict, &text, err);
	if (rc < 0)
		return rc;
	*out = json_string(fx_buf_str(&text));
	return *out ? 0 : fx_fail(err, FX_E_INVALID, "the result is not UTF-8");
}
