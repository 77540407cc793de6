#include "patch.h"

#include "obj.h"

#include <string.h>

/* Operations of one JSON patch: the limit of kube-apiserver. */
#define OPERATIONS_MAX 10000

static char *unescape(const char *text, size_t len)
{
	char *out = malloc(len + 1), *to = out;
	if (!out)
		return NULL;
	for (size_t i = 0; i < len; i++) {
		bool escape = text[i] == '~' && i + 1 < len && (text[i + 1] == '0' || text[i + 1] == '1');
		*to++ = escape ? (text[i + 1] == '1' ? '/' : '~') : text[i];
		i += escape;
	}
	*to = '\0';
	return out;
}

/* An index of a list; "-" is one past the end. */
static int parse_index(const json_t *array, const char *token, size_t *out)
{
	if (strcmp(token, "-") == 0) {
		*out = json_array_size(array);
		return 0;
	}
	char *end;
	unsigned long n = strtoul(token, &end, 10);
	if (!*token || *end || (token[0] == '0' && token[1]))
		return -1;
	*out = n;
	return 0;
}

static json_t *member(const json_t *parent, const char *token)
{
	size_t i;
	if (json_is_object(parent))
		return json_object_get(parent, token);
	return json_is_array(parent) && parse_index(parent, token, &i) == 0 ? json_array_get(parent, i)
	                                                                    : NULL;
}

/* The container that the last token of the pointer is in. NULL when the way there is missing. */
static json_t *walk(json_t *root, const char *pointer, char **out_token)
{
	json_t *at = root;
	for (const char *p = pointer; *p == '/';) {
		size_t len = strcspn(++p, "/");
		fx_autofree char *token = unescape(p, len);
		p += len;
		if (!*p) {
			*out_token = fx_take(token);
			return at;
		}
		at = token ? member(at, token) : NULL;
		if (!at)
			return NULL;
	}
	return NULL;
}

static int add(json_t *parent, const char *token, json_t *value)
{
	size_t i;
	if (json_is_object(parent))
		return json_object_set(parent, token, value);
	if (!json_is_array(parent) || parse_index(parent, token, &i) < 0)
		return -1;
	return json_array_insert(parent, i, value);
}

static int take_away(json_t *parent, const char *token)
{
	size_t i;
	if (json_is_object(parent))
		return json_object_del(parent, token);
	if (!json_is_array(parent) || parse_index(parent, token, &i) < 0)
		return -1;
	return json_array_remove(parent, i);
}

static int missing(struct fx_error *err, const char *op, const char *path)
{
	return fx_fail(err, FX_E_INVALID,
	        "%s operation does not apply: doc is missing path: %s: missing value", op, path);
}

static int apply_one(json_t **root, const json_t *operation, struct fx_error *err)
{
	const char *op = fx_json_str_at(operation, "op"), *path = fx_json_str_at(operation, "path");
	json_t *value = json_object_get(operation, "value");
	if (!op || !path)
		return fx_fail(err, FX_E_INVALID, "Unexpected kind: unknown");
	fx_auto(json) json_t *moved = NULL;
	bool is_move = strcmp(op, "move") == 0;
	if (is_move || strcmp(op, "copy") == 0) {
		const char *from = fx_json_str_at(operation, "from");
		fx_autofree char *token = NULL;
		json_t *parent = from ? walk(*root, from, &token) : NULL;
		moved = json_deep_copy(parent ? member(parent, token) : NULL);
		if (!moved || (is_move && take_away(parent, token) < 0))
			return missing(err, op, from ? from : "");
		value = moved;
		op = "add";
	}
	if (!*path) {
		if (strcmp(op, "test") == 0)
			return json_equal(*root, value) ? 0
			                                : fx_fail(err, FX_E_INVALID, "testing path  failed");
		if (!value)
			return missing(err, op, path);
		json_decref(*root);
		*root = json_deep_copy(value);
		return 0;
	}
	fx_autofree char *token = NULL;
	json_t *parent = walk(*root, path, &token);
	json_t *have = parent ? member(parent, token) : NULL;
	if (strcmp(op, "test") == 0) {
		bool equal = have ? value && json_equal(have, value) : !value || json_is_null(value);
		return equal ? 0 : fx_fail(err, FX_E_INVALID, "testing value %s failed: test failed", path);
	}
	if (!parent)
		return missing(err, op, path);
	if (strcmp(op, "remove") == 0)
		return have && take_away(parent, token) == 0 ? 0
		                                             : fx_fail(err, FX_E_INVALID,
		                                                       "remove operation does not apply: doc "
		                                                       "is missing path: %s: missing value",
		                                                       path);
	if (!value)
		return fx_fail(err, FX_E_INVALID, "missing value");
	fx_auto(json) json_t *copy = json_deep_copy(value);
	if (strcmp(op, "replace") == 0) {
		if (!have)
			return fx_fail(err, FX_E_INVALID,
			        "replace operation does not apply: doc is missing key: %s: missing value",
			        path);
		if (json_is_array(parent))
			take_away(parent, token);
		return add(parent, token, copy) == 0 ? 0 : missing(err, op, path);
	}
	if (strcmp(op, "add") != 0)
		return fx_fail(err, FX_E_INVALID, "Unexpected kind: %s", op);
	return add(parent, token, copy) == 0 ? 0 : missing(err, op, path);
}

int fx_as_patch_json(const json_t *object, const json_t *patch, json_t **out, struct fx_error *err)
{
	if (!json_is_array(patch) || json_array_size(patch) > OPERATIONS_MAX)
		return fx_fail(
		        err, FX_E_INVALID, "a JSON patch is a list of at most %d operations", OPERATIONS_MAX);
	fx_auto(json) json_t *root = json_deep_copy(object);
	size_t i;
	json_t *operation;
	json_array_foreach (patch, i, operation) {
		if (apply_one(&root, operation, err) < 0)
			return -(int)FX_E_INVALID;
	}
	*out = fx_take(root);
	return 0;
}

json_t *fx_as_patch_merge(const json_t *object, const json_t *patch)
{
	if (!json_is_object(patch))
		return json_deep_copy(patch);
	json_t *out = json_is_object(object) ? json_deep_copy(object) : json_object();
	const char *key;
	json_t *value;
	json_object_foreach ((json_t *)patch, key, value) {
		if (json_is_null(value))
			json_object_del(out, key);
		else
			json_object_set_new(out, key, fx_as_patch_merge(json_object_get(out, key), value));
	}
	return out;
}
