#include "eval.h"

#include <string.h>

static const struct {
	const char *name;
	fx_eval_fn *fn;
} kinds[] = {
        {"envsubst", fx_eval_envsubst},
        {"expr", fx_eval_expr},
        {"semver", fx_eval_semver},
        {"sourceignore", fx_eval_sourceignore},
        {"strvals", fx_eval_strvals},
};

const char *fx_eval_string(const json_t *input, const char *key)
{
	const char *s = json_string_value(json_object_get(input, key));
	return s ? s : "";
}

static int answer(fx_eval_fn *fn, const char *line)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	json_t *input = json_loads(line, JSON_ALLOW_NUL, NULL);
	if (!input)
		return -1;
	json_t *reply = json_object();
	json_t *out = NULL;
	json_object_set(reply, "id", json_object_get(input, "id"));
	bool ok = fn(input, &out, &err) == 0;
	if (ok && json_is_object(out))
		json_object_update(reply, out);
	if (ok)
		json_is_object(out) ? json_decref(out) : (void)json_object_set_new(reply, "out", out);
	if (!ok && json_object_set_new(reply, "err", json_string(fx_error_message(&err))) != 0)
		json_object_set_new(reply, "err", json_string("an error whose text is no UTF-8"));
	int rc = json_dumpf(reply, stdout, JSON_COMPACT);
	putchar('\n');
	fflush(stdout);
	json_decref(reply);
	json_decref(input);
	return rc;
}

int main(int argc, char **argv)
{
	fx_eval_fn *fn = NULL;
	for (size_t i = 0; argc == 2 && i < FX_COUNT(kinds); i++) {
		if (strcmp(kinds[i].name, argv[1]) == 0)
			fn = kinds[i].fn;
	}
	if (!fn) {
		fprintf(stderr, "usage: conformance-eval KIND\nkinds:");
		for (size_t i = 0; i < FX_COUNT(kinds); i++)
			fprintf(stderr, " %s", kinds[i].name);
		fprintf(stderr, "\n");
		return 2;
	}
	fx_autofree char *line = NULL;
	size_t cap = 0;
	while (getline(&line, &cap, stdin) > 0) {
		if (answer(fn, line) != 0) {
			fprintf(stderr, "conformance-eval: a line is not a JSON object\n");
			return 1;
		}
	}
	return 0;
}
