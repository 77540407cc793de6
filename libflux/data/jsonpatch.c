#include "data/jsonpatch.h"

#include "data/json.h"
#include "data/yaml.h"

#include <errno.h>
#include <stdlib.h>

int fx_jsonpatch_read(
        struct fx_arena *arena, const char *text, size_t len, struct fx_node **out, struct fx_error *err)
{
	static const struct fx_yaml_read opts = {.dialect = FX_YAML_V2, .values = true};
	struct fx_node *ops = NULL;
	int rc = len && text[0] == '[' ? fx_json_read(arena, text, len, &ops, err)
	                               : fx_yaml_read(arena, text, len, &opts, &ops, err);
	if (rc < 0)
		return rc;
	if (!ops || ops->tag == FX_TAG_NULL) {
		if (!(ops = fx_node_new_seq(arena)))
			return fx_fail_nomem(err);
	}
	if (!fx_node_is_seq(ops))
		return fx_fail(err, FX_E_PARSE,
		        "json: cannot unmarshal %s into Go value of type jsonpatch.Patch",
		        fx_node_is_map(ops) ? "object" : "string");
	if (ops->len > FX_JSONPATCH_MAX_OPS)
		return fx_fail(
		        err, FX_E_LIMIT, "a JSON patch has more than %d operations", FX_JSONPATCH_MAX_OPS);
	for (uint32_t i = 0; i < ops->len; i++)
		if (!fx_node_is_map(ops->items[i]))
			return fx_fail(err, FX_E_PARSE,
			        "json: cannot unmarshal %s into Go value of type jsonpatch.Operation",
			        fx_node_is_seq(ops->items[i]) ? "array" : "string");
	*out = ops;
	return 0;
}

struct patcher {
	struct fx_arena *arena;
	struct fx_node *doc;
	struct fx_error *err;
};

/* ~1 and ~0 of a pointer's part. */
static char *decode_part(struct patcher *p, const char *s, size_t len, size_t *out_len)
{
	char *out = fx_arena_alloc(p->arena, len + 1);
	size_t n = 0;
	if (!out)
		return NULL;
	for (size_t i = 0; i < len; i++) {
		if (s[i] == '~' && i + 1 < len && (s[i + 1] == '0' || s[i + 1] == '1'))
			out[n++] = s[++i] == '0' ? '~' : '/';
		else
			out[n++] = s[i];
	}
	out[n] = '\0';
	*out_len = n;
	return out;
}

static bool parse_index(const char *key, long *out)
{
	char *end;
	if (*key == '\0' || *key == ' ')
		return false;
	errno = 0;
	*out = strtol(key, &end, 10);
	return *end == '\0' && errno == 0;
}

/* The element a key names; false when there is none (an error for lists, nothing for maps). */
static bool get(const struct fx_node *container, const char *key, size_t len, struct fx_node **out)
{
	*out = NULL;
	if (container->kind == FX_NODE_MAP) {
		*out = fx_node_get_len(container, key, len);
		return true;
	}
	long i;
	if (!parse_index(key, &i))
		return false;
	if (i < 0)
		i += container->len;
	if (i < 0 || i >= (long)container->len)
		return false;
	*out = container->items[i];
	return true;
}

/* The container that a pointer's last part is looked up in, NULL when the way to it is missing. */
static struct fx_node *find(struct patcher *p, const char *path, const char **key, size_t *key_len)
{
	const char *s = strchr(path, '/');
	struct fx_node *at = p->doc;
	if (!s)
		return NULL;
	for (;;) {
		const char *start = s + 1;
		size_t len = strcspn(start, "/"), n;
		char *part = decode_part(p, start, len, &n);
		if (!part)
			return NULL;
		s = start + len;
		if (*s == '\0') {
			*key = part;
			*key_len = n;
			return at;
		}
		struct fx_node *next;
		if (!get(at, part, n, &next) || !next || next->kind == FX_NODE_SCALAR)
			return NULL;
		at = next;
	}
}

static int set_key(struct patcher *p, struct fx_node *map, const char *key, size_t len, struct fx_node *value)
{
	struct fx_pair *have = fx_node_pair(map, key, len);
	if (have) {
		have->value = value;
		return 0;
	}
	struct fx_node *k = fx_node_new_scalar_len(p->arena, FX_TAG_STR, key, len);
	return fx_node_add_pair(p->arena, map, k, value) ? 0 : fx_fail_nomem(p->err);
}

static int bad_index(struct patcher *p, const char *what, const char *path, const char *key)
{
	long i;
	if (!parse_index(key, &i))
		return fx_fail(p->err, FX_E_INVALID,
		        "error in %s for path: '%s': value was not a proper array index: '%s'", what, path,
		        key);
	return fx_fail(p->err, FX_E_INVALID,
	        "error in %s for path: '%s': Unable to access invalid index: %ld: invalid index referenced",
	        what, path, i);
}

static int add_to(struct patcher *p, const char *what, const char *path, struct fx_node *in, const char *key,
        size_t len, struct fx_node *value)
{
	if (in->kind == FX_NODE_MAP)
		return set_key(p, in, key, len, value);
	long i = (long)in->len, size = (long)in->len + 1;
	if (strcmp(key, "-") != 0) {
		if (!parse_index(key, &i))
			return bad_index(p, what, path, key);
		if (i < 0)
			i += size;
		if (i < 0 || i >= size)
			return bad_index(p, what, path, key);
	}
	return fx_node_insert(p->arena, in, (size_t)i, value) ? 0 : fx_fail_nomem(p->err);
}

static int remove_from(struct patcher *p, const char *what, const char *path, struct fx_node *in,
        const char *key, size_t len)
{
	if (in->kind == FX_NODE_MAP) {
		struct fx_pair *have = fx_node_pair(in, key, len);
		if (!have)
			return fx_fail(p->err, FX_E_INVALID,
			        "error in %s for path: '%s': Unable to remove nonexistent key: %s: missing "
			        "value",
			        what, path, key);
		fx_node_unset_at(in, (size_t)(have - in->pairs));
		return 0;
	}
	long i;
	if (!parse_index(key, &i))
		return bad_index(p, what, path, key);
	if (i < 0)
		i += in->len;
	if (i < 0 || i >= (long)in->len)
		return bad_index(p, what, path, key);
	fx_node_remove_at(in, (size_t)i);
	return 0;
}

/* The value of an operation, copied so that the patch can be used again. */
static int take_value(struct patcher *p, const struct fx_node *op, struct fx_node **out)
{
	const struct fx_node *v = fx_node_get(op, "value");
	*out = v ? fx_node_copy(p->arena, v) : fx_node_new_null(p->arena);
	return *out ? 0 : fx_fail_nomem(p->err);
}

static const char *text_of(const struct fx_node *op, const char *key)
{
	const struct fx_node *v = fx_node_get(op, key);
	return fx_node_is_scalar(v) && v->tag == FX_TAG_STR ? v->text : NULL;
}

static int op_add(struct patcher *p, const struct fx_node *op, const char *path)
{
	const char *key;
	size_t len;
	struct fx_node *value, *in = find(p, path, &key, &len);
	if (!in)
		return fx_fail(p->err, FX_E_INVALID,
		        "add operation does not apply: doc is missing path: \"%s\": missing value", path);
	if (take_value(p, op, &value) < 0)
		return -1;
	return add_to(p, "add", path, in, key, len, value);
}

static int op_remove(struct patcher *p, const char *path)
{
	const char *key;
	size_t len;
	struct fx_node *in = find(p, path, &key, &len);
	if (!in)
		return fx_fail(p->err, FX_E_INVALID,
		        "remove operation does not apply: doc is missing path: \"%s\": missing value", path);
	return remove_from(p, "remove", path, in, key, len);
}

static int op_replace(struct patcher *p, const struct fx_node *op, const char *path)
{
	const char *key;
	size_t len;
	struct fx_node *value, *old;
	if (take_value(p, op, &value) < 0)
		return -1;
	if (*path == '\0') {
		p->doc = value;
		return 0;
	}
	struct fx_node *in = find(p, path, &key, &len);
	if (!in)
		return fx_fail(p->err, FX_E_INVALID,
		        "replace operation does not apply: doc is missing path: %s: missing value", path);
	if (in->kind == FX_NODE_MAP)
		return set_key(p, in, key, len, value);
	if (!get(in, key, len, &old))
		return fx_fail(p->err, FX_E_INVALID,
		        "replace operation does not apply: doc is missing key: %s: missing value", path);
	for (uint32_t i = 0; i < in->len; i++)
		if (in->items[i] == old)
			in->items[i] = value;
	return 0;
}

static int op_move_or_copy(struct patcher *p, const struct fx_node *op, const char *path, bool move)
{
	const char *what = move ? "move" : "copy", *from = text_of(op, "from"), *key;
	size_t len;
	if (!from)
		return fx_fail(
		        p->err, FX_E_INVALID, "%s operation failed to decode from: missing value", what);
	struct fx_node *value, *in = find(p, from, &key, &len);
	if (!in)
		return fx_fail(p->err, FX_E_INVALID,
		        "%s operation does not apply: doc is missing from path: %s: missing value", what,
		        from);
	if (!get(in, key, len, &value))
		return bad_index(p, what, path, key);
	if (move && remove_from(p, "move", key, in, key, len) < 0)
		return -1;
	if (!move || !value)
		value = value ? fx_node_copy(p->arena, value) : fx_node_new_null(p->arena);
	if (!value)
		return fx_fail_nomem(p->err);
	in = find(p, path, &key, &len);
	if (!in)
		return fx_fail(p->err, FX_E_INVALID,
		        "%s operation does not apply: doc is missing destination path: %s: missing value",
		        what, path);
	return add_to(p, what, path, in, key, len, value);
}

static int op_test(struct patcher *p, const struct fx_node *op, const char *path)
{
	const char *key;
	size_t len;
	struct fx_node *have, *in = find(p, path, &key, &len);
	const struct fx_node *want = fx_node_get(op, "value");
	if (!in)
		return fx_fail(p->err, FX_E_INVALID,
		        "test operation does not apply: is missing path: %s: missing value", path);
	if (!get(in, key, len, &have))
		return bad_index(p, "test", path, key);
	if (fx_node_is_null(have) ? fx_node_is_null(want) : want && fx_node_equal(have, want))
		return 0;
	return fx_fail(p->err, FX_E_INVALID, "testing value %s failed: test failed", path);
}

static int apply_op(struct patcher *p, const struct fx_node *op)
{
	const char *kind = text_of(op, "op"), *path = text_of(op, "path");
	if (!kind)
		kind = "unknown";
	static const char *const known[] = {"add", "remove", "replace", "move", "copy", "test"};
	size_t k = 0;
	while (k < FX_COUNT(known) && strcmp(known[k], kind) != 0)
		k++;
	if (k == FX_COUNT(known))
		return fx_fail(p->err, FX_E_INVALID, "Unexpected kind: %s", kind);
	if (!path)
		return fx_fail(
		        p->err, FX_E_INVALID, "%s operation failed to decode path: missing value", kind);
	switch (k) {
	case 0:
		return op_add(p, op, path);
	case 1:
		return op_remove(p, path);
	case 2:
		return op_replace(p, op, path);
	case 3:
	case 4:
		return op_move_or_copy(p, op, path, k == 3);
	default:
		return op_test(p, op, path);
	}
}

int fx_jsonpatch_apply(
        struct fx_arena *arena, const struct fx_node *ops, struct fx_node **doc, struct fx_error *err)
{
	fx_auto(error) struct fx_error why = FX_ERROR_INIT;
	struct patcher p = {.arena = arena, .doc = *doc, .err = &why};
	for (uint32_t i = 0; i < ops->len; i++) {
		if (apply_op(&p, ops->items[i]) < 0) {
			int rc = -(int)why.code;
			if (err)
				fx_error_move(err, &why);
			return rc;
		}
		if (p.doc->kind == FX_NODE_SCALAR)
			return fx_fail(err, FX_E_INVALID,
			        "json: cannot unmarshal string into Go value of type map[string]interface "
			        "{}");
	}
	*doc = p.doc;
	return 0;
}
