#include "kustomize/engine.h"

#include "data/yaml.h"

#include <stdio.h>
#include <string.h>

/* ---- checks and old forms ---- */

static void warn_deprecated(struct fx_build *b, const struct fx_node *k)
{
	static const char *const fields[][2] = {{"bases", "resources"}, {"commonLabels", "labels"},
	        {"imageTags", "images"}, {"patchesJson6902", "patches"}, {"patchesStrategicMerge", "patches"},
	        {"vars", "replacements"}};
	for (size_t i = 0; i < FX_COUNT(fields); i++) {
		if (!fx_node_get(k, fields[i][0]))
			continue;
		fx_warn(b,
		        "# Warning: '%s' is deprecated. Please use '%s' instead. %sRun 'kustomize edit fix' "
		        "to update your "
		        "Kustomization automatically.",
		        fields[i][0], fields[i][1],
		        strcmp(fields[i][0], "vars") == 0 ? "[EXPERIMENTAL] " : "");
	}
}

static void move_list(struct fx_build *b, struct fx_node *k, const char *from, const char *to)
{
	struct fx_node *list = fx_node_unset(k, from);
	if (!list || list->len == 0)
		return;
	struct fx_node *into = fx_node_get(k, to);
	if (!into) {
		fx_set(b, k, to, list);
		return;
	}
	for (uint32_t i = 0; i < list->len; i++)
		fx_needs(b, fx_node_append(b->arena, into, list->items[i]));
}

static void fix_generators(struct fx_build *b, struct fx_node *list)
{
	for (uint32_t i = 0; list && i < list->len; i++) {
		struct fx_node *env = fx_node_unset(list->items[i], "env");
		if (!env || env->len == 0)
			continue;
		struct fx_node *envs = fx_node_get(list->items[i], "envs");
		if (!envs) {
			envs = fx_need(b, fx_node_new_seq(b->arena));
			fx_set(b, list->items[i], "envs", envs);
		}
		fx_needs(b, fx_node_append(b->arena, envs, env));
	}
}

static bool is_empty(const struct fx_node *k)
{
	for (uint32_t i = 0; i < k->len; i++) {
		const char *key = k->pairs[i].key->text;
		const struct fx_node *v = k->pairs[i].value;
		if (strcmp(key, "apiVersion") == 0 || strcmp(key, "kind") == 0)
			continue;
		if (v->kind != FX_NODE_SCALAR || v->len)
			return false;
	}
	return true;
}

static void fix_up(struct fx_build *b, struct fx_node *k)
{
	const char *kind = fx_node_get_text(k, "kind"), *version = fx_node_get_text(k, "apiVersion");
	if (!kind || !*kind)
		fx_set(b, k, "kind", fx_scalar(b, FX_TAG_STR, kind = "Kustomization"));
	bool component = strcmp(kind, "Component") == 0;
	if (!version || !*version)
		fx_set(b, k, "apiVersion",
		        fx_scalar(b, FX_TAG_STR,
		                component ? "kustomize.config.k8s.io/v1alpha1"
		                          : "kustomize.config.k8s.io/v1beta1"));
	move_list(b, k, "bases", "resources");
	move_list(b, k, "imageTags", "images");
	fix_generators(b, fx_node_get(k, "configMapGenerator"));
	fix_generators(b, fx_node_get(k, "secretGenerator"));
	move_list(b, k, "helmChartInflationGenerator", "helmCharts");
}

static void enforce(struct fx_build *b, const struct fx_node *k, const struct fx_root *root)
{
	const char *kind = fx_node_get_text(k, "kind"), *version = fx_node_get_text(k, "apiVersion");
	bool component = strcmp(kind, "Component") == 0;
	const char *want = component ? "kustomize.config.k8s.io/v1alpha1" : "kustomize.config.k8s.io/v1beta1";
	struct fx_texts problems = {0};
	if (!component && strcmp(kind, "Kustomization") != 0)
		fx_texts_add(b, &problems, "kind should be Kustomization or Component");
	if (strcmp(version, want) != 0)
		fx_texts_add(b, &problems, fx_fmt(b, "apiVersion for %s should be %s", kind, want));
	if (problems.len)
		fx_throw(b, "Failed to read kustomization file under %s:\n%s", root->dir,
		        fx_texts_join(b, &problems, "\n"));
}

struct load_call {
	const struct fx_root *root;
	const char *name, *data;
	size_t len;
};

static void load_one(struct fx_build *b, void *arg)
{
	struct load_call *c = arg;
	c->data = fx_root_load(b, c->root, c->name, &c->len);
}

struct fx_node *fx_kustomization_load(struct fx_build *b, const struct fx_root *root, const char **file)
{
	static const char *const names[] = {"kustomization.yaml", "kustomization.yml", "Kustomization"};
	static const struct fx_yaml_read opts = {.dialect = FX_YAML_V2, .values = true};
	struct load_call found = {0};
	int n = 0;
	if (++b->targets > FX_KUSTOMIZE_MAX_TARGETS)
		fx_throw_code(
		        b, FX_E_LIMIT, "more than %d kustomizations in one build", FX_KUSTOMIZE_MAX_TARGETS);
	for (size_t i = 0; i < FX_COUNT(names); i++) {
		struct load_call c = {.root = root, .name = names[i]};
		if (fx_attempt(b, load_one, &c))
			continue;
		found = c;
		n++;
	}
	if (n == 0)
		fx_throw(b,
		        "unable to find one of 'kustomization.yaml', 'kustomization.yml' or 'Kustomization' "
		        "in directory '%s'",
		        root->dir);
	if (n > 1)
		fx_throw(b, "Found multiple kustomization files under: %s\n", root->dir);
	*file = found.name;
	struct fx_error err = FX_ERROR_INIT;
	struct fx_node *raw = NULL;
	if (fx_yaml_read(b->arena, found.data, found.len, &opts, &raw, &err) < 0) {
		if (err.code == FX_E_PARSE)
			fx_error_wrap(&err, "invalid Kustomization");
		fx_throw_error(b, &err);
	}
	static const struct fx_decoding strict = {.error = "invalid Kustomization: json: ", .strict = true};
	struct fx_node *k = fx_decode(b, &strict, raw, fx_kustomization_fields, "Kustomization");
	warn_deprecated(b, k);
	fix_up(b, k);
	if (is_empty(k))
		fx_throw(b, "kustomization.yaml is empty");
	enforce(b, k, root);
	return k;
}
