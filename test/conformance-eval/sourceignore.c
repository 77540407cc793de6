#include "artifact/ignore.h"
#include "eval.h"

#include <string.h>

#define NAMES_MAX 256

static struct fx_ignore_path names_of(const json_t *list, const char *names[NAMES_MAX])
{
	struct fx_ignore_path path = {names, 0};
	size_t i;
	json_t *name;
	json_array_foreach (list, i, name) {
		if (path.depth < NAMES_MAX)
			names[path.depth++] = json_string_value(name);
	}
	return path;
}

static int add_rules(struct fx_ignore *ignore, const json_t *input, struct fx_error *err)
{
	const char *names[NAMES_MAX];
	struct fx_ignore_path scope;
	if (json_is_true(json_object_get(input, "defaults"))) {
		scope = names_of(json_object_get(input, "defaults_domain"), names);
		int rc = fx_ignore_add_defaults(ignore, true, &scope, err);
		if (rc != 0)
			return rc;
	}
	size_t i;
	json_t *rule;
	json_array_foreach (json_object_get(input, "patterns"), i, rule) {
		const char *pattern = fx_eval_string(rule, "pattern");
		scope = names_of(json_object_get(rule, "domain"), names);
		int rc = fx_ignore_add_pattern(ignore, pattern, strlen(pattern), &scope, err);
		if (rc != 0)
			return rc;
	}
	return 0;
}

int fx_eval_sourceignore(const json_t *input, json_t **out, struct fx_error *err)
{
	static const char *const words[] = {"nomatch", "exclude", "include"};
	fx_auto(ignore) struct fx_ignore *ignore = fx_ignore_new();
	fx_autofree char *path_text = strdup(fx_eval_string(input, "path"));
	if (!ignore || !path_text)
		return fx_fail_nomem(err);
	int rc = add_rules(ignore, input, err);
	if (rc != 0)
		return rc;
	const char *names[NAMES_MAX];
	struct fx_ignore_path path = {names, 0};
	for (char *save, *name = strtok_r(path_text, "/", &save); name && path.depth < NAMES_MAX;
	        name = strtok_r(NULL, "/", &save))
		names[path.depth++] = name;
	enum fx_ignore_result result =
	        fx_ignore_match(ignore, &path, json_is_true(json_object_get(input, "dir")));
	if (strcmp(fx_eval_string(input, "kind"), "pattern") == 0)
		*out = json_string(words[result]);
	else
		*out = json_boolean(result == FX_IGNORE_EXCLUDE);
	return 0;
}
