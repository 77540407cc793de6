/*
 * libFuzzer targets of the kustomize engine, chosen by FX_FUZZ at compile time: 1 YAML in and out,
 * 2 JSON patch (patch, NUL, document), 3 strategic merge (the same), 4 a kustomization, 5 a replacement's
 * path.
 */
#include "data/json.h"
#include "data/jsonpatch.h"
#include "data/merge.h"
#include "data/yaml.h"
#include "kustomize/kustomize.h"

#include <string.h>

#define MEMORY_MAX (256u * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Text in front of the first NUL, and what follows it. */
static const char *second_part(const uint8_t *data, size_t size, size_t *first, size_t *second)
{
	const uint8_t *nul = memchr(data, 0, size);
	*first = nul ? (size_t)(nul - data) : size;
	*second = nul ? size - *first - 1 : 0;
	return (const char *)data + (nul ? *first + 1 : 0);
}

static fx_unused void fuzz_yaml(struct fx_arena *arena, const uint8_t *data, size_t size)
{
	fx_auto(buf) struct fx_buf out = FX_BUF_INIT;
	struct fx_yaml_read opts = {.comments = true, .anchors = size & 1};
	struct fx_node *n = NULL;
	if (fx_yaml_read(arena, (const char *)data, size, &opts, &n, NULL) < 0 || !n)
		return;
	if (fx_yaml_write(n, &out, NULL) == 0 && fx_yaml_write_node(n, &out, NULL) == 0)
		json_decref(fx_node_to_json(n, NULL));
}

static fx_unused void fuzz_patch(struct fx_arena *arena, const uint8_t *data, size_t size)
{
	size_t n, m;
	const char *text = second_part(data, size, &n, &m);
	struct fx_node *ops, *doc = NULL, *values;
	if (fx_jsonpatch_read(arena, (const char *)data, n, &ops, NULL) < 0 ||
	        fx_yaml_read(arena, text, m, NULL, &doc, NULL) < 0)
		return;
	if (fx_node_is_map(doc) && ops->len < 20 && fx_node_to_values(arena, doc, &values, NULL) == 0)
		(void)!fx_jsonpatch_apply(arena, ops, &values, NULL);
}

static fx_unused void fuzz_merge(struct fx_arena *arena, const uint8_t *data, size_t size)
{
	size_t n, m;
	const char *text = second_part(data, size, &n, &m);
	struct fx_schema_set schema = FX_SCHEMA_BUILTIN;
	struct fx_node *patch = NULL, *doc = NULL, *out;
	if (fx_yaml_read(arena, (const char *)data, n, NULL, &patch, NULL) < 0 ||
	        fx_yaml_read(arena, text, m, NULL, &doc, NULL) < 0)
		return;
	if (fx_node_is_map(patch) && fx_node_is_map(doc))
		(void)!fx_strategic_merge(arena, &schema, doc, patch, &out, NULL);
}

static fx_unused void fuzz_build(struct fx_arena *arena, const char *kustomization, size_t size)
{
	static const char resource[] =
	        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {template: {spec: "
	        "{containers: [{name: c, image: 'a:1', args: [x]}]}}}\n---\napiVersion: v1\nkind: ConfigMap\n"
	        "metadata: {name: cm}\ndata: {k: v, j: '{\"a\": [1]}', y: 'a: [1] # c'}\n";
	fx_auto(fs) struct fx_fs *fs = fx_fs_new_memory();
	fx_auto(buf) struct fx_buf out = FX_BUF_INIT;
	struct fx_node *list;
	if (!fs || fx_fs_memory_add(fs, "/kustomization.yaml", kustomization, size, NULL) < 0 ||
	        fx_fs_memory_add(fs, "/r.yaml", resource, strlen(resource), NULL) < 0)
		return;
	if (fx_kustomize_build(fs, "/", NULL, arena, &list, NULL) == 0)
		(void)!fx_kustomize_print(list, &out, NULL);
}

static fx_unused void fuzz_path(struct fx_arena *arena, const uint8_t *data, size_t size)
{
	fx_auto(buf) struct fx_buf path = FX_BUF_INIT, text = FX_BUF_INIT;
	fx_buf_add(&path, data, size);
	fx_buf_add_str(&text,
	        "resources: [r.yaml]\nreplacements:\n- source: {kind: ConfigMap, name: cm, fieldPath: "
	        "data.k}\n"
	        "  targets:\n  - select: {name: '.*'}\n    options: {create: true}\n    fieldPaths: [");
	fx_buf_add_json_string(&text, fx_buf_str(&path));
	fx_buf_add_str(&text, "]\n");
	fuzz_build(arena, fx_buf_str(&text), text.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(MEMORY_MAX);
	if (!arena)
		return 0;
#if FX_FUZZ == 1
	fuzz_yaml(arena, data, size);
#elif FX_FUZZ == 2
	fuzz_patch(arena, data, size);
#elif FX_FUZZ == 3
	fuzz_merge(arena, data, size);
#elif FX_FUZZ == 4
	fuzz_build(arena, (const char *)data, size);
#else
	fuzz_path(arena, data, size);
#endif
	return 0;
}
