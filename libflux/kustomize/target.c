#include "kustomize/engine.h"

#include "data/yaml.h"

#include <string.h>

static const char *text_at(const struct fx_node *n, const char *key)
{
	const char *t = fx_node_get_text(n, key);
	return t ? t : "";
}

/* What a kustomization collects; a component works on its parent's. */
struct accumulator {
	struct fx_resmap *map;
	struct fx_config *config;
	struct fx_vars *vars;
};

struct level {
	const struct fx_root *root;
	const struct fx_node *k;
	const char *file;
	struct accumulator acc;
};

static void run_level(struct fx_build *b, struct level *l);

/* ---- resources ---- */

struct file_call {
	struct level *l;
	const char *path;
	struct fx_resmap map;
	bool malformed;
};

static void load_file(struct fx_build *b, void *arg)
{
	struct file_call *c = arg;
	size_t len;
	const char *text = fx_root_load(b, c->l->root, c->path, &len);
	fx_read_resources(b, text, len, &c->map);
	fx_resmap_check_ids(b, &c->map);
	fx_origin_of_file(b, &c->map, c->l->root, c->path);
}

static void append_file(struct fx_build *b, void *arg)
{
	struct file_call *c = arg;
	fx_resmap_append_all(b, c->l->acc.map, &c->map);
}

struct root_call {
	const struct fx_root *from;
	const char *path;
	struct fx_root *root;
};

static void open_root(struct fx_build *b, void *arg)
{
	struct root_call *c = arg;
	c->root = fx_root_next(b, c->from, c->path);
}

/* ---- OpenAPI ---- */

static void set_schema(struct fx_build *b, const struct fx_root *root, const struct fx_node *k)
{
	static const struct fx_yaml_read opts = {.dialect = FX_YAML_V2, .values = true};
	const struct fx_node *openapi = fx_node_get(k, "openapi");
	if (!openapi)
		return;
	const char *version = text_at(openapi, "version"), *path = text_at(openapi, "path");
	size_t len = 0;
	const char *text = fx_node_get(openapi, "path") ? fx_root_load(b, root, path, &len) : NULL;
	if (text && len && *version)
		fx_throw(b, "builtin version and custom schema provided, cannot use both");
	if (b->schema_is_set || (!(text && len) && !*version))
		return;
	if (*version) {
		if (strcmp(version, "v1.21.2") != 0 && strcmp(version, "v1212") != 0)
			fx_throw(b, "the specified OpenAPI version is not built in");
		b->schema_is_set = true;
		return;
	}
	struct fx_error err = FX_ERROR_INIT;
	struct fx_node *doc = NULL;
	if (fx_yaml_read(b->arena, text, len, &opts, &doc, &err) < 0) {
		fx_error_wrap(&err, "invalid schema file");
		fx_throw_error(b, &err);
	}
	if (!fx_node_is_map(doc))
		fx_throw(b, "invalid schema file: no map");
	const struct fx_node *definitions = fx_node_get(doc, "definitions"),
	                     *paths = fx_node_get(doc, "paths");
	if ((definitions && !fx_node_is_map(definitions)) || (paths && !fx_node_is_map(paths)))
		fx_throw(b, "invalid schema file: definitions and paths must be maps");
	b->schema.definitions = definitions;
	b->schema.paths = paths;
	b->schema.builtin = b->opts->openapi == FX_OPENAPI_ADD || b->schema_used;
	b->schema_is_set = true;
}

/* ---- bases and components ---- */

struct dir_call {
	struct level *l;
	const struct fx_root *root;
	bool component;
	struct level sub;
};

static void load_sub(struct fx_build *b, void *arg)
{
	struct dir_call *c = arg;
	c->sub.k = fx_kustomization_load(b, c->root, &c->sub.file);
}

static void run_sub(struct fx_build *b, void *arg)
{
	struct dir_call *c = arg;
	run_level(b, &c->sub);
}

static void merge_config(struct fx_build *b, struct accumulator *to, struct fx_config *from)
{
	if (from == to->config || !from)
		return;
	if (!to->config) {
		to->config = from;
		return;
	}
	struct fx_config *merged = fx_config_new(b);
	fx_config_merge(b, merged, to->config);
	fx_config_merge(b, merged, from);
	to->config = merged;
}

static void merge_sub(struct fx_build *b, void *arg)
{
	struct dir_call *c = arg;
	fx_resmap_append_all(b, c->l->acc.map, c->sub.acc.map);
	merge_config(b, &c->l->acc, c->sub.acc.config);
	fx_vars_absorb(b, c->l->acc.vars, c->sub.acc.vars);
}

static void accumulate_dir(struct fx_build *b, void *arg)
{
	struct dir_call *c = arg;
	c->sub = (struct level){.root = c->root};
	fx_with_prefix(b, load_sub, c, "couldn't make target for path '%s': ", c->root->dir);
	set_schema(b, c->root, c->sub.k);
	bool component = strcmp(text_at(c->sub.k, "kind"), "Component") == 0;
	if (c->component && !component)
		fx_throw(b, "expected kind 'Component' for path '%s' but got '%s'", c->root->dir,
		        text_at(c->sub.k, "kind"));
	if (!c->component && component)
		fx_throw(b, "expected kind != 'Component' for path '%s'", c->root->dir);
	if (component) {
		c->sub.acc = c->l->acc;
	} else {
		c->sub.acc.map = fx_new(b, sizeof(*c->sub.acc.map));
		c->sub.acc.vars = fx_new(b, sizeof(*c->sub.acc.vars));
	}
	fx_with_prefix(b, run_sub, c, "recursed accumulation of path '%s': ", c->root->dir);
	if (component) {
		c->l->acc.config = c->sub.acc.config;
		return;
	}
	fx_with_prefix(b, merge_sub, c, "recursed merging from path '%s': ", c->root->dir);
}

/* A file, or failing that a directory with a kustomization. */
static void accumulate_path(struct fx_build *b, struct level *l, const char *path)
{
	struct file_call f = {.l = l, .path = path};
	const char *error = fx_attempt(b, load_file, &f), *message;
	if (error) {
		bool malformed = strncmp(error, "MalformedYAMLError", 18) == 0;
		error = fx_fmt(b, "accumulating resources from '%s': %s%s%s", path, error,
		        malformed ? " in File: " : "", malformed ? path : "");
		struct root_call r = {.from = l->root, .path = path};
		message = fx_attempt(b, open_root, &r);
		if (message && malformed)
			fx_throw(b, "%s", error);
		if (message)
			fx_throw(b, "accumulation err='%s': %s", error, message);
		struct dir_call d = {.l = l, .root = r.root};
		fx_with_prefix(b, accumulate_dir, &d, "accumulation err='%s': ", error);
		return;
	}
	message = fx_attempt(b, append_file, &f);
	if (!message)
		return;
	error = fx_fmt(b, "merging resources from '%s': %s", path, message);
	struct root_call r = {.from = l->root, .path = path};
	if ((message = fx_attempt(b, open_root, &r)))
		fx_throw(b, "accumulation err='%s': %s", error, message);
	fx_throw(b, "%s", error);
}

/* One entry of a list of the kustomization. */
struct entry {
	struct level *l;
	struct fx_node *node;
};

/* Runs fn for each entry of the list. */
static void each(struct fx_build *b, struct level *l, const struct fx_node *list, const char *prefix,
        void (*fn)(struct fx_build *b, void *entry))
{
	for (uint32_t i = 0; list && i < list->len; i++)
		fx_go_on(b, l->root->dir, prefix, fn, &(struct entry){.l = l, .node = list->items[i]});
}

static void accumulate_resource(struct fx_build *b, void *arg)
{
	struct entry *e = arg;
	accumulate_path(b, e->l, e->node->text);
}

static void accumulate_resources(struct fx_build *b, void *arg)
{
	struct level *l = arg;
	each(b, l, fx_node_get(l->k, "resources"), "accumulating resources: ", accumulate_resource);
}

static void accumulate_component(struct fx_build *b, void *arg)
{
	struct entry *e = arg;
	struct root_call r = {.from = e->l->root, .path = e->node->text};
	const char *message = fx_attempt(b, open_root, &r);
	if (message)
		fx_throw(b, "loader.New %s", fx_quote(b, message));
	struct dir_call d = {.l = e->l, .root = r.root, .component = true};
	message = fx_attempt(b, accumulate_dir, &d);
	if (message)
		fx_throw(b, "accumulateDirectory: %s", fx_quote(b, message));
}

static void accumulate_components(struct fx_build *b, void *arg)
{
	struct level *l = arg;
	each(b, l, fx_node_get(l->k, "components"), "accumulating components: ", accumulate_component);
}

/* ---- configuration ---- */

static struct fx_config *default_config(struct fx_build *b)
{
	if (!b->defaults)
		b->defaults = fx_config_default(b);
	return b->defaults;
}

static void load_crds(struct fx_build *b, void *arg)
{
	struct level *l = arg;
	const struct fx_node *list = fx_node_get(l->k, "crds");
	for (uint32_t i = 0; list && i < list->len; i++) {
		size_t len;
		const char *text = fx_root_load(b, l->root, list->items[i]->text, &len);
		merge_config(b, &l->acc, fx_config_from_crds(b, list->items[i]->text, text, len));
	}
}

/* The files' own places come in front of the built-in ones, which they may make superfluous. */
static void load_config(struct fx_build *b, struct level *l)
{
	const struct fx_node *list = fx_node_get(l->k, "configurations"), *crds = fx_node_get(l->k, "crds");
	struct accumulator own = {0};
	for (uint32_t i = 0; list && i < list->len; i++) {
		size_t len;
		const char *text = fx_root_load(b, l->root, list->items[i]->text, &len);
		merge_config(b, &own, fx_config_read(b, text, len));
	}
	merge_config(b, &own, default_config(b));
	merge_config(b, &l->acc, own.config);
	if (crds && crds->len)
		fx_with_prefix(b, load_crds, l, "loading CRDs [%s]: ", crds->items[0]->text);
}

/* ---- generators ---- */

static struct fx_node *builtin(struct fx_build *b, const char *kind)
{
	struct fx_node *n = fx_need(b, fx_node_new_map(b->arena));
	fx_set(b, n, "apiVersion", fx_scalar(b, FX_TAG_STR, "builtin"));
	fx_set(b, n, "kind", fx_scalar(b, FX_TAG_STR, kind));
	return n;
}

struct generate_call {
	struct level *l;
	struct fx_resmap map;
};

static void absorb(struct fx_build *b, void *arg)
{
	struct generate_call *c = arg;
	fx_resmap_absorb(b, c->l->acc.map, &c->map);
}

static void run_generator(struct fx_build *b, const struct entry *e, bool secret)
{
	struct level *l = e->l;
	struct generate_call c = {.l = l};
	struct fx_res *r = fx_generate(b, l->root, e->node, fx_node_get(l->k, "generatorOptions"), secret);
	c.map.items = fx_more(b, NULL, &c.map.cap, 0, sizeof(*c.map.items));
	c.map.items[c.map.len++] = r;
	fx_origin_of_generator(
	        b, &c.map, l->root, l->file, builtin(b, secret ? "SecretGenerator" : "ConfigMapGenerator"));
	fx_with_prefix(b, absorb, &c, "merging from generator %s: ", text_at(e->node, "name"));
}

static void generate_configmap(struct fx_build *b, void *arg)
{
	run_generator(b, arg, false);
}

static void generate_secret(struct fx_build *b, void *arg)
{
	run_generator(b, arg, true);
}

static void run_generators(struct fx_build *b, struct level *l)
{
	const struct fx_node *charts = fx_node_get(l->k, "helmCharts");
	each(b, l, fx_node_get(l->k, "configMapGenerator"), "", generate_configmap);
	each(b, l, fx_node_get(l->k, "secretGenerator"), "", generate_secret);
	if (charts && charts->len)
		fx_throw(b,
		        "trouble configuring builtin HelmChartInflationGenerator with config: `\n%s`: must "
		        "specify --enable-helm",
		        fx_yaml_text(b, charts->items[0]));
	fx_run_generators(b, l->root, fx_node_get(l->k, "generators"), l->acc.map);
}

/* ---- transformers ---- */

static void after(struct fx_build *b, struct level *l, const char *kind)
{
	fx_origin_of_transformer(b, l->acc.map, l->root, l->file, builtin(b, kind));
	fx_resmap_drop_empty(l->acc.map);
}

struct label_specs {
	const struct fx_fieldspecs *a;
	struct fx_fieldspecs *to;
};

static void merge_specs(struct fx_build *b, void *arg)
{
	struct label_specs *s = arg;
	fx_fieldspecs_merge(b, s->to, s->a);
}

static void run_labels(struct fx_build *b, struct level *l)
{
	const struct fx_node *list = fx_node_get(l->k, "labels"), *common = fx_node_get(l->k, "commonLabels");
	struct fx_config *config = l->acc.config;
	for (uint32_t i = 0; list && i < list->len; i++) {
		const struct fx_node *entry = list->items[i];
		struct fx_fieldspecs specs = {0}, own = {0};
		fx_fieldspecs_read(b, fx_node_get(entry, "fields"), &own);
		fx_with_prefix(
		        b, merge_specs, &(struct label_specs){&own, &specs}, "failed to merge labels: ");
		fx_with_prefix(b, merge_specs, &(struct label_specs){&config->lists[FX_CFG_LABELS], &specs},
		        "failed to merge labels: ");
		if (strcmp(text_at(entry, "includeSelectors"), "true") == 0) {
			fx_with_prefix(b, merge_specs,
			        &(struct label_specs){&config->lists[FX_CFG_COMMON_LABELS], &specs},
			        "failed to merge labels: ");
		} else {
			if (strcmp(text_at(entry, "includeTemplates"), "true") == 0)
				fx_with_prefix(b, merge_specs,
				        &(struct label_specs){&config->lists[FX_CFG_TEMPLATE_LABELS], &specs},
				        "failed to merge template fieldSpec: ");
			struct fx_fieldspecs meta = {0};
			struct fx_fieldspec spec = {.gvk = {.group = "", .version = "", .kind = ""},
			        .path = "metadata/labels",
			        .create = true};
			fx_fieldspecs_add(b, &meta, &spec);
			fx_with_prefix(b, merge_specs, &(struct label_specs){&meta, &specs},
			        "failed to merge labels: ");
		}
		fx_transform_map(b, l->acc.map, fx_node_get(entry, "pairs"), &specs);
		after(b, l, "LabelTransformer");
	}
	if (!common && !list)
		return;
	fx_transform_map(b, l->acc.map, common, &config->lists[FX_CFG_COMMON_LABELS]);
	after(b, l, "LabelTransformer");
}

static void run_json6902(struct fx_build *b, void *arg)
{
	const struct entry *e = arg;
	fx_transform_json6902(b, e->l->root, e->l->acc.map, fx_node_get(e->node, "target"),
	        text_at(e->node, "path"), text_at(e->node, "patch"));
	after(b, e->l, "PatchJson6902Transformer");
}

static void run_replicas(struct fx_build *b, void *arg)
{
	const struct entry *e = arg;
	const char *count = text_at(e->node, "count");
	fx_transform_replicas(b, e->l->acc.map, text_at(e->node, "name"), *count ? count : "0",
	        &e->l->acc.config->lists[FX_CFG_REPLICAS]);
	after(b, e->l, "ReplicaCountTransformer");
}

static void run_image(struct fx_build *b, void *arg)
{
	const struct entry *e = arg;
	fx_transform_image(b, e->l->acc.map, e->node, &e->l->acc.config->lists[FX_CFG_IMAGES]);
	after(b, e->l, "ImageTagTransformer");
}

static void run_replacements(struct fx_build *b, void *arg)
{
	struct level *l = arg;
	fx_transform_replacements(b, l->root, l->acc.map, fx_node_get(l->k, "replacements"));
	after(b, l, "ReplacementTransformer");
}

static void run_lists(struct fx_build *b, struct level *l)
{
	const struct fx_node *replacements = fx_node_get(l->k, "replacements");
	each(b, l, fx_node_get(l->k, "patchesJson6902"), "", run_json6902);
	each(b, l, fx_node_get(l->k, "replicas"), "", run_replicas);
	each(b, l, fx_node_get(l->k, "images"), "", run_image);
	if (replacements && replacements->len)
		fx_go_on(b, l->root->dir, "", run_replacements, l);
}

static void run_patch(struct fx_build *b, void *arg)
{
	const struct entry *e = arg;
	fx_transform_patch(b, e->l->root, e->l->acc.map, e->node);
	after(b, e->l, "PatchTransformer");
}

static void run_transformers(struct fx_build *b, struct level *l)
{
	struct fx_config *config = l->acc.config;
	const struct fx_node *list = fx_node_get(l->k, "patchesStrategicMerge");
	const char *text;
	if (list && list->len) {
		fx_transform_patches_strategic(b, l->root, l->acc.map, list);
		after(b, l, "PatchStrategicMergeTransformer");
	}
	each(b, l, fx_node_get(l->k, "patches"), "", run_patch);
	if (*(text = text_at(l->k, "namespace"))) {
		fx_transform_namespace(
		        b, l->acc.map, text, &config->lists[FX_CFG_NAMESPACE], false, "defaultOnly");
		after(b, l, "NamespaceTransformer");
	}
	if (*(text = text_at(l->k, "namePrefix"))) {
		fx_transform_affix(b, l->acc.map, text, true, &config->lists[FX_CFG_NAME_PREFIX]);
		after(b, l, "PrefixTransformer");
	}
	if (*(text = text_at(l->k, "nameSuffix"))) {
		fx_transform_affix(b, l->acc.map, text, false, &config->lists[FX_CFG_NAME_SUFFIX]);
		after(b, l, "SuffixTransformer");
	}
	run_labels(b, l);
	if ((list = fx_node_get(l->k, "commonAnnotations"))) {
		fx_transform_map(b, l->acc.map, list, &config->lists[FX_CFG_COMMON_ANNOTATIONS]);
		after(b, l, "AnnotationsTransformer");
	}
	run_lists(b, l);
	fx_run_transformers(b, l->root, fx_node_get(l->k, "transformers"), l->acc.map);
}

struct vars_call {
	struct level *l;
	const struct fx_node *list;
};

static void merge_vars(struct fx_build *b, void *arg)
{
	struct vars_call *c = arg;
	fx_vars_merge(b, c->l->acc.vars, c->l->acc.map, c->list);
}

static void run_level(struct fx_build *b, struct level *l)
{
	fx_with_prefix(b, accumulate_resources, l, "accumulating resources: ");
	load_config(b, l);
	run_generators(b, l);
	fx_with_prefix(b, accumulate_components, l, "accumulating components: ");
	/* What is missing would only bring problems that are none. */
	if (b->first_problem)
		return;
	run_transformers(b, l);
	if (b->first_problem)
		return;
	fx_run_validators(b, l->root, fx_node_get(l->k, "validators"), l->acc.map);
	struct vars_call c = {l, fx_node_get(l->k, "vars")};
	if (c.list)
		fx_with_prefix(b, merge_vars, &c, "merging vars: ");
}

void fx_accumulate(struct fx_build *b, const struct fx_root *root, struct fx_resmap *out,
        struct fx_config **config, struct fx_vars *vars, const struct fx_node **kustomization)
{
	struct level l = {.root = root, .acc = {.map = out, .vars = vars}};
	l.k = fx_kustomization_load(b, root, &l.file);
	const struct fx_node *meta = fx_node_get(l.k, "buildMetadata");
	b->track = meta && meta->len;
	set_schema(b, root, l.k);
	*kustomization = l.k;
	run_level(b, &l);
	*config = l.acc.config;
}

void fx_accumulate_entry(
        struct fx_build *b, const struct fx_root *root, const char *path, struct fx_resmap *out)
{
	struct fx_vars vars = {0};
	struct level l = {
	        .root = root, .k = fx_need(b, fx_node_new_map(b->arena)), .acc = {.map = out, .vars = &vars}};
	accumulate_path(b, &l, path);
}
