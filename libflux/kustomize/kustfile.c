#include "kustomize/engine.h"

#include "data/yaml.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* The types of a kustomization's fields (types.Kustomization of kustomize 5.8). */

enum type {
	STR,
	BOOL,
	INT,
	STRS, /* list of strings */
	MAP,  /* of strings */
	ANY,
	OBJECT,
	LIST, /* of objects */
};

struct field {
	const char *name;
	enum type type;
	const struct field *sub;
	const char *go; /* name of the Go struct, for messages */
};

static const struct field metadata_fields[] = {{"name", STR, NULL, NULL}, {"namespace", STR, NULL, NULL},
        {"labels", MAP, NULL, NULL}, {"annotations", MAP, NULL, NULL}, {0}};
static const struct field fieldspec_fields[] = {{"group", STR, NULL, NULL}, {"version", STR, NULL, NULL},
        {"kind", STR, NULL, NULL}, {"path", STR, NULL, NULL}, {"create", BOOL, NULL, NULL}, {0}};
static const struct field label_fields[] = {{"pairs", MAP, NULL, NULL},
        {"includeSelectors", BOOL, NULL, NULL}, {"includeTemplates", BOOL, NULL, NULL},
        {"fields", LIST, fieldspec_fields, "FieldSpec"}, {0}};
static const struct field selector_fields[] = {{"group", STR, NULL, NULL}, {"version", STR, NULL, NULL},
        {"kind", STR, NULL, NULL}, {"name", STR, NULL, NULL}, {"namespace", STR, NULL, NULL},
        {"annotationSelector", STR, NULL, NULL}, {"labelSelector", STR, NULL, NULL}, {0}};
static const struct field patch_options[] = {
        {"allowNameChange", BOOL, NULL, NULL}, {"allowKindChange", BOOL, NULL, NULL}, {0}};
static const struct field patch_fields[] = {{"path", STR, NULL, NULL}, {"patch", STR, NULL, NULL},
        {"target", OBJECT, selector_fields, "Selector"}, {"options", OBJECT, patch_options, "PatchArgs"},
        {0}};
static const struct field image_fields[] = {{"name", STR, NULL, NULL}, {"newName", STR, NULL, NULL},
        {"tagSuffix", STR, NULL, NULL}, {"newTag", STR, NULL, NULL}, {"digest", STR, NULL, NULL}, {0}};
static const struct field replica_fields[] = {{"name", STR, NULL, NULL}, {"count", INT, NULL, NULL}, {0}};
static const struct field value_options[] = {{"delimiter", STR, NULL, NULL}, {"index", INT, NULL, NULL},
        {"encoding", STR, NULL, NULL}, {"create", BOOL, NULL, NULL}, {0}};
static const struct field source_fields[] = {{"group", STR, NULL, NULL}, {"version", STR, NULL, NULL},
        {"kind", STR, NULL, NULL}, {"name", STR, NULL, NULL}, {"namespace", STR, NULL, NULL},
        {"fieldPath", STR, NULL, NULL}, {"options", OBJECT, value_options, "FieldOptions"}, {0}};
static const struct field target_fields[] = {{"select", OBJECT, selector_fields, "Selector"},
        {"reject", LIST, selector_fields, "Selector"}, {"fieldPaths", STRS, NULL, NULL},
        {"options", OBJECT, value_options, "FieldOptions"}, {0}};
static const struct field replacement_fields[] = {{"source", OBJECT, source_fields, "SourceSelector"},
        {"targets", LIST, target_fields, "TargetSelector"}, {"sourceValue", STR, NULL, NULL},
        {"path", STR, NULL, NULL}, {0}};
static const struct field objref_fields[] = {{"apiVersion", STR, NULL, NULL}, {"group", STR, NULL, NULL},
        {"version", STR, NULL, NULL}, {"kind", STR, NULL, NULL}, {"name", STR, NULL, NULL},
        {"namespace", STR, NULL, NULL}, {0}};
static const struct field fieldref_fields[] = {{"fieldPath", STR, NULL, NULL}, {0}};
static const struct field var_fields[] = {{"name", STR, NULL, NULL},
        {"objref", OBJECT, objref_fields, "Target"}, {"fieldref", OBJECT, fieldref_fields, "FieldSelector"},
        {0}};
static const struct field legacy_fields[] = {
        {"orderFirst", STRS, NULL, NULL}, {"orderLast", STRS, NULL, NULL}, {0}};
static const struct field sort_fields[] = {
        {"order", STR, NULL, NULL}, {"legacySortOptions", OBJECT, legacy_fields, "LegacySortOptions"}, {0}};
static const struct field generator_options[] = {{"labels", MAP, NULL, NULL},
        {"annotations", MAP, NULL, NULL}, {"disableNameSuffixHash", BOOL, NULL, NULL},
        {"immutable", BOOL, NULL, NULL}, {0}};
#define GENERATOR_FIELDS                                                                                     \
	{"namespace", STR, NULL, NULL}, {"name", STR, NULL, NULL}, {"behavior", STR, NULL, NULL},            \
	        {"literals", STRS, NULL, NULL}, {"files", STRS, NULL, NULL}, {"envs", STRS, NULL, NULL},     \
	        {"env", STR, NULL, NULL},                                                                    \
	{                                                                                                    \
		"options", OBJECT, generator_options, "GeneratorOptions"                                     \
	}
static const struct field configmap_fields[] = {GENERATOR_FIELDS, {0}};
static const struct field secret_fields[] = {GENERATOR_FIELDS, {"type", STR, NULL, NULL}, {0}};
static const struct field helm_globals[] = {
        {"chartHome", STR, NULL, NULL}, {"configHome", STR, NULL, NULL}, {0}};
static const struct field helm_fields[] = {{"name", STR, NULL, NULL}, {"version", STR, NULL, NULL},
        {"repo", STR, NULL, NULL}, {"releaseName", STR, NULL, NULL}, {"namespace", STR, NULL, NULL},
        {"additionalValuesFiles", STRS, NULL, NULL}, {"valuesFile", STR, NULL, NULL},
        {"valuesInline", ANY, NULL, NULL}, {"valuesMerge", STR, NULL, NULL},
        {"includeCRDs", BOOL, NULL, NULL}, {"skipHooks", BOOL, NULL, NULL}, {"apiVersions", STRS, NULL, NULL},
        {"kubeVersion", STR, NULL, NULL}, {"nameTemplate", STR, NULL, NULL}, {"skipTests", BOOL, NULL, NULL},
        {"debug", BOOL, NULL, NULL}, {"devel", BOOL, NULL, NULL}, {0}};
static const struct field old_helm_fields[] = {{"chartName", STR, NULL, NULL},
        {"chartVersion", STR, NULL, NULL}, {"chartRepoUrl", STR, NULL, NULL}, {"chartHome", STR, NULL, NULL},
        {"chartRepoName", STR, NULL, NULL}, {"helmBin", STR, NULL, NULL}, {"helmHome", STR, NULL, NULL},
        {"values", STR, NULL, NULL}, {"valuesLocal", ANY, NULL, NULL}, {"valuesMerge", STR, NULL, NULL},
        {"releaseName", STR, NULL, NULL}, {"releaseNamespace", STR, NULL, NULL},
        {"extraArgs", STRS, NULL, NULL}, {0}};

static const struct field kustomization_fields[] = {
        {"apiVersion", STR, NULL, NULL},
        {"kind", STR, NULL, NULL},
        {"metadata", OBJECT, metadata_fields, "ObjectMeta"},
        {"openapi", MAP, NULL, NULL},
        {"namePrefix", STR, NULL, NULL},
        {"nameSuffix", STR, NULL, NULL},
        {"namespace", STR, NULL, NULL},
        {"commonLabels", MAP, NULL, NULL},
        {"labels", LIST, label_fields, "Label"},
        {"commonAnnotations", MAP, NULL, NULL},
        {"patchesStrategicMerge", STRS, NULL, NULL},
        {"patchesJson6902", LIST, patch_fields, "Patch"},
        {"patches", LIST, patch_fields, "Patch"},
        {"images", LIST, image_fields, "Image"},
        {"imageTags", LIST, image_fields, "Image"},
        {"replacements", LIST, replacement_fields, "ReplacementField"},
        {"replicas", LIST, replica_fields, "Replica"},
        {"vars", LIST, var_fields, "Var"},
        {"sortOptions", OBJECT, sort_fields, "SortOptions"},
        {"resources", STRS, NULL, NULL},
        {"bases", STRS, NULL, NULL},
        {"components", STRS, NULL, NULL},
        {"crds", STRS, NULL, NULL},
        {"configMapGenerator", LIST, configmap_fields, "ConfigMapArgs"},
        {"secretGenerator", LIST, secret_fields, "SecretArgs"},
        {"helmGlobals", OBJECT, helm_globals, "HelmGlobals"},
        {"helmCharts", LIST, helm_fields, "HelmChart"},
        {"helmChartInflationGenerator", LIST, old_helm_fields, "HelmChartArgs"},
        {"generatorOptions", OBJECT, generator_options, "GeneratorOptions"},
        {"configurations", STRS, NULL, NULL},
        {"generators", STRS, NULL, NULL},
        {"transformers", STRS, NULL, NULL},
        {"validators", STRS, NULL, NULL},
        {"buildMetadata", STRS, NULL, NULL},
        {0},
};

/* ---- strict decoding ---- */

static const char *json_type(const struct fx_node *n)
{
	if (n->kind == FX_NODE_MAP)
		return "object";
	if (n->kind == FX_NODE_SEQ)
		return "array";
	return n->tag == FX_TAG_BOOL                            ? "bool"
	       : n->tag == FX_TAG_INT || n->tag == FX_TAG_FLOAT ? "number"
	                                                        : "string";
}

static fx_noreturn void wrong_type(
        struct fx_build *b, const struct fx_node *n, const char *path, const char *type)
{
	fx_throw(b, "invalid Kustomization: json: cannot unmarshal %s into Go struct field %s of type %s",
	        json_type(n), path, type);
}

static struct fx_node *decode_object(struct fx_build *b, const struct fx_node *n, const struct field *fields,
        const char *path, const char *go);

static void check_strings(struct fx_build *b, struct fx_node *n, const char *path, enum type type)
{
	bool list = type == STRS;
	if (n->kind != (list ? FX_NODE_SEQ : FX_NODE_MAP))
		wrong_type(b, n, path, list ? "[]string" : "map[string]string");
	for (uint32_t i = 0; i < n->len; i++) {
		struct fx_node **item = list ? &n->items[i] : &n->pairs[i].value;
		if ((*item)->tag == FX_TAG_NULL)
			*item = fx_scalar(b, FX_TAG_STR, "");
		if ((*item)->tag != FX_TAG_STR)
			wrong_type(b, *item, path, "string");
	}
}

static struct fx_node *decode_list(
        struct fx_build *b, const struct fx_node *n, const struct field *f, const char *path)
{
	struct fx_node *out = fx_need(b, fx_node_new_seq(b->arena));
	if (n->kind != FX_NODE_SEQ)
		wrong_type(b, n, path, fx_fmt(b, "[]types.%s", f->go));
	for (uint32_t i = 0; i < n->len; i++) {
		struct fx_node *item = n->items[i]->tag == FX_TAG_NULL
		                               ? fx_need(b, fx_node_new_map(b->arena))
		                               : decode_object(b, n->items[i], f->sub, path, f->go);
		fx_needs(b, fx_node_append(b->arena, out, item));
	}
	return out;
}

static struct fx_node *decode_value(
        struct fx_build *b, struct fx_node *n, const struct field *f, const char *path)
{
	switch (f->type) {
	case STR:
		if (n->tag != FX_TAG_STR)
			wrong_type(b, n, path, "string");
		return n;
	case BOOL:
		if (n->tag != FX_TAG_BOOL)
			wrong_type(b, n, path, "bool");
		return n;
	case INT:
		if (n->tag != FX_TAG_INT)
			wrong_type(b, n, path, "int64");
		return n;
	case STRS:
	case MAP:
		check_strings(b, n, path, f->type);
		return n;
	case ANY:
		return n;
	case OBJECT:
		return decode_object(b, n, f->sub, path, f->go);
	case LIST:
		return decode_list(b, n, f, path);
	}
	return n;
}

static int compare_pairs(const void *a, const void *b)
{
	return strcmp((*(const struct fx_pair *const *)a)->key->text,
	        (*(const struct fx_pair *const *)b)->key->text);
}

static struct fx_node *decode_object(struct fx_build *b, const struct fx_node *n, const struct field *fields,
        const char *path, const char *go)
{
	if (n->kind != FX_NODE_MAP)
		wrong_type(b, n, path, fx_fmt(b, "types.%s", go));
	struct fx_node *out = fx_need(b, fx_node_new_map(b->arena));
	/* The Go decoder sees the keys sorted: of two spellings the later one wins. */
	const struct fx_pair **pairs = fx_new(b, (n->len + 1) * sizeof(*pairs));
	for (uint32_t i = 0; i < n->len; i++)
		pairs[i] = &n->pairs[i];
	qsort(pairs, n->len, sizeof(*pairs), compare_pairs);
	for (uint32_t i = 0; i < n->len; i++) {
		const char *key = pairs[i]->key->text;
		const struct field *f = fields;
		while (f->name && strcasecmp(f->name, key) != 0)
			f++;
		if (!f->name)
			fx_throw(b, "invalid Kustomization: json: unknown field %s", fx_quote(b, key));
		if (pairs[i]->value->tag == FX_TAG_NULL)
			continue;
		const char *inner = strchr(path, '.') ? fx_fmt(b, "%s.%s", path, f->name)
		                                      : fx_fmt(b, "%s.%s", go, f->name);
		fx_set(b, out, f->name, decode_value(b, pairs[i]->value, f, inner));
	}
	return out;
}

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
	struct fx_node *k = raw && raw->tag != FX_TAG_NULL ? decode_object(b, raw, kustomization_fields,
	                                                             "Kustomization", "Kustomization")
	                                                   : fx_need(b, fx_node_new_map(b->arena));
	warn_deprecated(b, k);
	fix_up(b, k);
	if (is_empty(k))
		fx_throw(b, "kustomization.yaml is empty");
	enforce(b, k, root);
	return k;
}
