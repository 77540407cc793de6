#include "kustomize/engine.h"

#include "data/json.h"
#include "data/jsonpatch.h"
#include "data/merge.h"
#include "data/yaml.h"
#include "data/yaml_text.h"

#include <stdlib.h>
#include <string.h>

static const char *text_at(const struct fx_node *n, const char *key)
{
	const char *t = fx_node_get_text(n, key);
	return t ? t : "";
}

static void set_kind(struct fx_build *b, struct fx_res *r, const char *key, const char *text)
{
	struct fx_node *have = fx_node_get(r->node, key);
	if (fx_node_is_scalar(have))
		fx_node_set_text(have, FX_TAG_NONE, text, strlen(text));
	else
		fx_set(b, r->node, key, fx_scalar(b, FX_TAG_NONE, text));
}

static bool is_enabled(const struct fx_res *r, const char *key)
{
	const char *v = fx_res_annotation(r, key);
	return v && strcmp(v, "enabled") == 0;
}

/* ---- strategic merge ---- */

static void merge(
        struct fx_build *b, struct fx_res *r, struct fx_node *patch, bool name_change, bool kind_change)
{
	const char *name = fx_res_name(r), *ns = fx_res_namespace(r), *kind = fx_res_kind(r);
	if (name_change || kind_change)
		fx_res_store_id(b, r);
	struct fx_error err = FX_ERROR_INIT;
	struct fx_node *out;
	b->schema_used = true;
	if (fx_strategic_merge(b->arena, &b->schema, r->node, patch, &out, &err) < 0)
		fx_throw_error(b, &err);
	r->node = out;
	if (fx_node_is_nil_or_empty(out))
		return;
	if (!kind_change)
		set_kind(b, r, "kind", kind);
	if (!name_change)
		fx_res_set_name(b, r, name);
	fx_res_set_namespace(b, r, ns);
}

static void merge_copy(struct fx_build *b, struct fx_res *r, const struct fx_res *patch)
{
	merge(b, r, fx_copy(b, patch->node), is_enabled(patch, FX_ANNO_NAME_CHANGE),
	        is_enabled(patch, FX_ANNO_KIND_CHANGE));
}

/* The form that goes through Go's string maps, so that nulls in labels and annotations become text. */
static void merge_into_selected(struct fx_build *b, struct fx_res *r, const struct fx_res *patch)
{
	struct fx_res copy = {.node = fx_copy(b, patch->node)};
	fx_res_rebuild_map(b, &copy, "labels");
	fx_res_rebuild_map(b, &copy, "annotations");
	fx_res_set_name(b, &copy, fx_res_name(patch));
	fx_res_set_namespace(b, &copy, fx_res_namespace(patch));
	const char *api_version = text_at(r->node, "apiVersion");
	set_kind(b, &copy, "apiVersion", api_version);
	merge(b, r, copy.node, is_enabled(patch, FX_ANNO_NAME_CHANGE),
	        is_enabled(patch, FX_ANNO_KIND_CHANGE));
}

static void apply_to(
        struct fx_build *b, struct fx_resmap *m, const struct fx_resmap *selected, const struct fx_res *patch)
{
	for (size_t i = 0; i < selected->len; i++)
		merge_into_selected(b, selected->items[i], patch);
	fx_resmap_drop_empty(m);
	fx_resmap_check_ids(b, m);
}

static void apply_each(struct fx_build *b, struct fx_resmap *m, const struct fx_resmap *patches)
{
	for (size_t i = 0; i < patches->len; i++) {
		struct fx_id id = fx_res_original_id(b, patches->items[i]);
		struct fx_resmap one = {0};
		struct fx_res *r = fx_resmap_get(b, m, &id);
		one.items = fx_more(b, NULL, &one.cap, 0, sizeof(*one.items));
		one.items[one.len++] = r;
		apply_to(b, m, &one, patches->items[i]);
	}
}

struct read_call {
	const struct fx_root *root;
	const char *text;
	size_t len;
	struct fx_resmap map;
	struct fx_node *ops;
};

static void read_patches(struct fx_build *b, void *arg)
{
	struct read_call *c = arg;
	fx_read_resources(b, c->text, c->len, &c->map);
}

static void append_patches(struct fx_build *b, struct fx_resmap *to, const struct fx_resmap *from)
{
	for (size_t i = 0; i < from->len; i++) {
		to->items = fx_more(b, to->items, &to->cap, to->len, sizeof(*to->items));
		to->items[to->len++] = from->items[i];
	}
}

static void read_patch_file(
        struct fx_build *b, const struct fx_root *root, const char *path, struct fx_resmap *out)
{
	size_t len;
	const char *text = fx_root_load(b, root, path, &len);
	struct fx_resmap map = {0};
	fx_read_resources(b, text, len, &map);
	append_patches(b, out, &map);
}

void fx_transform_patches_strategic(
        struct fx_build *b, const struct fx_root *root, struct fx_resmap *m, const struct fx_node *entries)
{
	struct fx_resmap patches = {0};
	for (uint32_t i = 0; i < entries->len; i++) {
		struct read_call c = {.text = entries->items[i]->text, .len = entries->items[i]->len};
		if (!fx_attempt(b, read_patches, &c))
			append_patches(b, &patches, &c.map);
		else
			read_patch_file(b, root, entries->items[i]->text, &patches);
	}
	if (patches.len == 0)
		fx_throw(b, "patch appears to be empty; files=%s, Patch=",
		        entries->len ? entries->items[0]->text : "");
	apply_each(b, m, &patches);
}

void fx_transform_patches_config(struct fx_build *b, const struct fx_root *root, struct fx_resmap *m,
        const struct fx_node *paths, const char *text)
{
	struct fx_resmap patches = {0};
	if (!fx_node_is_seq(paths) && !*text)
		fx_throw(b, "empty file path and empty patch content");
	for (uint32_t i = 0; fx_node_is_seq(paths) && i < paths->len; i++) {
		struct read_call c = {.text = paths->items[i]->text, .len = paths->items[i]->len};
		if (!fx_attempt(b, read_patches, &c))
			append_patches(b, &patches, &c.map);
		else
			read_patch_file(b, root, paths->items[i]->text, &patches);
	}
	if (*text) {
		struct fx_resmap map = {0};
		fx_read_resources(b, text, strlen(text), &map);
		append_patches(b, &patches, &map);
	}
	if (patches.len == 0)
		fx_throw(b, "patch appears to be empty; files=, Patch=%s", text);
	apply_each(b, m, &patches);
}

/* ---- JSON patches ---- */

/* Numbers as go-yaml v3 prints Go's float64, strings in the style that it chooses. */
static void as_decoded(struct fx_build *b, struct fx_node *n, int depth)
{
	if (depth > FX_YAML_MAX_DEPTH)
		fx_throw_code(b, FX_E_LIMIT, "nested deeper than %d levels", FX_YAML_MAX_DEPTH);
	if (n->kind == FX_NODE_SEQ) {
		n->style = FX_STYLE_PLAIN;
		for (uint32_t i = 0; i < n->len; i++)
			as_decoded(b, n->items[i], depth + 1);
		return;
	}
	if (n->kind == FX_NODE_MAP) {
		n->style = FX_STYLE_PLAIN;
		for (uint32_t i = 0; i < n->len; i++)
			as_decoded(b, n->pairs[i].value, depth + 1);
		return;
	}
	n->style = FX_STYLE_PLAIN;
	n->tagged = false;
	if (n->tag == FX_TAG_INT || n->tag == FX_TAG_FLOAT) {
		char text[FX_NUMBER_TEXT];
		size_t len = fx_double_g(strtod(n->text, NULL), text);
		fx_node_set_text(
		        n, strpbrk(text, ".e") ? FX_TAG_FLOAT : FX_TAG_INT, fx_strn(b, text, len), len);
	} else if (n->tag == FX_TAG_STR) {
		if (n->len && memchr(n->text, '\n', n->len))
			n->style = FX_STYLE_LITERAL;
		else if (fx_scalar_tag(FX_YAML_V2, n->text, n->len) != FX_TAG_STR ||
		         fx_scalar_is_base60(n->text, n->len))
			n->style = FX_STYLE_DOUBLE;
		else if (!fx_yaml_text_analyze(n->text, n->len, true).block_plain)
			n->style = FX_STYLE_SINGLE;
	}
}

static bool is_internal(const char *key)
{
	static const char *const legacy[] = {
	        "config.kubernetes.io/path", "config.kubernetes.io/index", "config.k8s.io/id"};
	if (strncmp(key, FX_INTERNAL, strlen(FX_INTERNAL)) == 0)
		return true;
	for (size_t i = 0; i < FX_COUNT(legacy); i++)
		if (strcmp(key, legacy[i]) == 0)
			return true;
	return false;
}

static void apply_ops(struct fx_build *b, struct fx_res *r, const struct fx_node *ops)
{
	struct fx_error err = FX_ERROR_INIT;
	struct fx_node *values;
	const struct fx_node *old = fx_copy(b, fx_node_at(r->node, "metadata", "annotations", NULL)
	                                               ? fx_node_at(r->node, "metadata", "annotations", NULL)
	                                               : fx_need(b, fx_node_new_map(b->arena)));
	if (fx_node_to_values(b->arena, r->node, &values, &err) < 0 ||
	        fx_jsonpatch_apply(b->arena, ops, &values, &err) < 0)
		fx_throw_error(b, &err);
	if (values->kind != FX_NODE_MAP)
		fx_throw(b, "json: cannot unmarshal array into Go value of type map[string]interface {}");
	as_decoded(b, values, 0);
	r->node = values;
	for (uint32_t i = 0; fx_node_is_map(old) && i < old->len; i++)
		if (is_internal(old->pairs[i].key->text))
			fx_res_set_annotation(b, r, old->pairs[i].key->text, old->pairs[i].value->text);
	fx_res_rebuild_map(b, r, "annotations");
}

static void read_ops(struct fx_build *b, void *arg)
{
	struct read_call *c = arg;
	struct fx_error err = FX_ERROR_INIT;
	if (c->len == 0)
		fx_throw(b, "empty json patch operations");
	if (fx_jsonpatch_read(b->arena, c->text, c->len, &c->ops, &err) < 0)
		fx_throw_error(b, &err);
}

void fx_transform_json6902(struct fx_build *b, const struct fx_root *root, struct fx_resmap *m,
        const struct fx_node *target, const char *path, const char *ops)
{
	struct read_call c = {.text = ops, .len = strlen(ops)};
	if (!target)
		fx_throw(b, "must specify the target");
	if (!*text_at(target, "name"))
		fx_throw(b, "must specify the target name");
	if (!*path && !*ops)
		fx_throw(b, "empty file path and empty jsonOp");
	if (*path && *ops)
		fx_throw(b, "must specify a file path or jsonOp, not both");
	if (*path) {
		c.text = fx_root_load(b, root, path, &c.len);
		if (c.len == 0)
			fx_throw(b, "patch file '%s' empty seems to be empty", path);
	}
	fx_with_prefix(b, read_ops, &c, "decoding %s: ", c.text);
	if (c.ops->len == 0)
		fx_throw(b, "patch appears to be empty; file=%s, JsonOp=%s", path, ops);
	struct fx_selector s = fx_selector_read(b, target);
	struct fx_resmap selected = {0};
	fx_resmap_select(b, m, &s, &selected);
	for (size_t i = 0; i < selected.len; i++)
		apply_ops(b, selected.items[i], c.ops);
	m->ids_valid = false;
}

/* ---- `patches` ---- */

static const char *trim(struct fx_build *b, const char *s)
{
	while (*s == ' ' || (*s >= '\t' && *s <= '\r'))
		s++;
	size_t n = strlen(s);
	while (n && (s[n - 1] == ' ' || (s[n - 1] >= '\t' && s[n - 1] <= '\r')))
		n--;
	return fx_strn(b, s, n);
}

struct select_call {
	struct fx_resmap *m, *out;
	const struct fx_selector *s;
};

static void select_targets(struct fx_build *b, void *arg)
{
	struct select_call *c = arg;
	fx_resmap_select(b, c->m, c->s, c->out);
}

static void get_target(struct fx_build *b, void *arg)
{
	struct select_call *c = arg;
	c->out->items = fx_more(b, NULL, &c->out->cap, 0, sizeof(*c->out->items));
	c->out->items[0] = fx_resmap_get(b, c->m, &c->s->id);
}

static void apply_strategic(struct fx_build *b, struct fx_resmap *m, struct fx_resmap *patches,
        const struct fx_node *target, const char *source)
{
	if (patches->len == 0)
		return;
	if (target) {
		if (patches->len > 1)
			fx_throw(b,
			        "Multiple Strategic-Merge Patches in one `patches` entry is not allowed to "
			        "set `patches.target` field: %s",
			        source);
		struct fx_selector s = fx_selector_read(b, target);
		struct fx_resmap selected = {0};
		fx_with_prefix(b, select_targets, &(struct select_call){m, &selected, &s},
		        "unable to find patch target %s in `resources`: ",
		        fx_quote(b, fx_selector_text(b, &s)));
		apply_to(b, m, &selected, patches->items[0]);
		return;
	}
	for (size_t i = 0; i < patches->len; i++) {
		struct fx_selector s = {.id = fx_res_original_id(b, patches->items[i])};
		struct fx_resmap found = {0};
		fx_with_prefix(b, get_target, &(struct select_call){m, &found, &s},
		        "no resource matches strategic merge patch %s: ", fx_quote(b, fx_id_text(b, &s.id)));
		merge_copy(b, found.items[0], patches->items[i]);
	}
	/* Resources that were deleted here are dropped after the transformer. */
	m->ids_valid = false;
}

void fx_transform_patch(
        struct fx_build *b, const struct fx_root *root, struct fx_resmap *m, const struct fx_node *entry)
{
	const char *path = text_at(entry, "path"), *inline_text = trim(b, text_at(entry, "patch"));
	const struct fx_node *target = fx_node_get(entry, "target"), *options = fx_node_get(entry, "options");
	if (target && target->tag == FX_TAG_NULL)
		target = NULL;
	if (!*path && !*inline_text)
		fx_throw(b, "must specify one of patch and path in\n%s", fx_yaml_text(b, entry));
	if (*path && *inline_text)
		fx_throw(b, "patch and path can't be set at the same time\n%s", fx_yaml_text(b, entry));
	struct read_call sm = {.text = inline_text, .len = strlen(inline_text)};
	if (*path)
		sm.text = fx_root_load(b, root, path, &sm.len);
	struct read_call json = sm;
	const char *source = *path ? fx_fmt(b, "[path: %s]", fx_quote(b, path))
	                           : fx_fmt(b, "[patch: %s]", fx_quote(b, inline_text));
	const char *sm_error = fx_attempt(b, read_patches, &sm);
	const char *json_error = fx_attempt(b, read_ops, &json);
	if (!sm_error && !json_error && sm.map.len && json.ops->len)
		fx_throw(b, "illegally qualifies as both an SM and JSON patch: %s", source);
	if (sm_error && json_error)
		fx_throw(b, "unable to parse SM or JSON patch from %s: %s", source,
		        *sm.text == '[' ? json_error : sm_error);
	if (!sm_error) {
		for (size_t i = 0; options && i < sm.map.len; i++) {
			if (strcmp(text_at(options, "allowNameChange"), "true") == 0)
				fx_res_put_annotation(b, sm.map.items[i], FX_ANNO_NAME_CHANGE, "enabled");
			if (strcmp(text_at(options, "allowKindChange"), "true") == 0)
				fx_res_put_annotation(b, sm.map.items[i], FX_ANNO_KIND_CHANGE, "enabled");
		}
		apply_strategic(b, m, &sm.map, target, source);
		return;
	}
	if (json.ops->len == 0)
		return;
	if (!target)
		fx_throw(b, "must specify a target for JSON patch %s", source);
	struct fx_selector s = fx_selector_read(b, target);
	struct fx_resmap selected = {0};
	fx_resmap_select(b, m, &s, &selected);
	for (size_t i = 0; i < selected.len; i++) {
		fx_res_store_id(b, selected.items[i]);
		apply_ops(b, selected.items[i], json.ops);
	}
	m->ids_valid = false;
}
