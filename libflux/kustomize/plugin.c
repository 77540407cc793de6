#include "kustomize/engine.h"

#include "data/json.h"
#include "data/yaml.h"

#include <stdlib.h>
#include <string.h>

/* `generators`, `transformers` and `validators`: built-in kinds with a configuration of their own. */

static const char *text_at(const struct fx_node *n, const char *key)
{
	const char *t = fx_node_get_text(n, key);
	return t ? t : "";
}

struct plugins {
	struct fx_resmap configs;
	struct fx_texts files; /* where each of them stands */
};

struct read_call {
	const struct fx_node *entry;
	struct fx_resmap map;
};

static void read_inline(struct fx_build *b, void *arg)
{
	struct read_call *c = arg;
	fx_read_resources(b, c->entry->text, c->entry->len, &c->map);
}

static void add_all(struct fx_build *b, struct plugins *p, const struct fx_resmap *from, const char *file)
{
	for (size_t i = 0; i < from->len; i++) {
		fx_resmap_append(b, &p->configs, from->items[i]);
		fx_texts_add(b, &p->files, file);
	}
}

/* Inline documents go first, then files and directories. */
static void load(
        struct fx_build *b, const struct fx_root *root, const struct fx_node *entries, struct plugins *p)
{
	bool *inlined = fx_new(b, entries->len + 1);
	for (uint32_t i = 0; i < entries->len; i++) {
		struct read_call c = {.entry = entries->items[i]};
		inlined[i] = !fx_attempt(b, read_inline, &c);
		if (inlined[i])
			add_all(b, p, &c.map, "");
	}
	for (uint32_t i = 0; i < entries->len; i++) {
		struct fx_resmap map = {0};
		if (inlined[i])
			continue;
		bool track = b->track;
		b->track = false;
		fx_accumulate_entry(b, root, entries->items[i]->text, &map);
		b->track = track;
		add_all(b, p, &map, entries->items[i]->text);
	}
}

struct config_call {
	const struct fx_res *res;
	struct fx_node *values;
};

/* The configuration as plain values: Go reads it from the printed YAML. */
static void read_config(struct fx_build *b, void *arg)
{
	struct config_call *c = arg;
	struct fx_error err = FX_ERROR_INIT;
	const char *kind = fx_res_kind(c->res);
	if (fx_node_to_values(b->arena, c->res->node, &c->values, &err) < 0)
		fx_throw_error(b, &err);
	const struct fx_field *fields = fx_plugin_fields(kind);
	/* These two read theirs with another library than the rest. */
	bool v3 = strcmp(kind, "PrefixTransformer") == 0 || strcmp(kind, "SuffixTransformer") == 0;
	if (fields)
		c->values = fx_decode(b, v3 ? &fx_decoding_yaml_v3 : &fx_decoding_yaml, c->values, fields,
		        fx_fmt(b, "%sPlugin", kind));
}

static struct fx_node *config_values(struct fx_build *b, const struct fx_res *r)
{
	struct config_call c = {.res = r};
	struct fx_id id = fx_res_id(b, r);
	fx_with_prefix(b, read_config, &c, "plugin %s fails configuration: ", fx_id_text(b, &id));
	return c.values;
}

static struct fx_fieldspecs specs_of(struct fx_build *b, const struct fx_node *config)
{
	struct fx_fieldspecs specs = {0};
	fx_fieldspecs_read(b, fx_node_get(config, "fieldSpecs"), &specs);
	return specs;
}

/* Takes metadata's name and namespace where the generator's own are missing. */
static struct fx_node *generator_args(struct fx_build *b, struct fx_node *config)
{
	const struct fx_node *meta = fx_node_get(config, "metadata");
	static const char *const keys[] = {"name", "namespace"};
	for (size_t i = 0; i < FX_COUNT(keys); i++)
		if (!*text_at(config, keys[i]) && *text_at(meta, keys[i]))
			fx_set(b, config, keys[i], fx_scalar(b, FX_TAG_STR, text_at(meta, keys[i])));
	struct fx_node *env = fx_node_get(config, "env");
	if (fx_node_is_scalar(env) && env->len) {
		if (!fx_node_get(config, "envs"))
			fx_set(b, config, "envs", fx_need(b, fx_node_new_seq(b->arena)));
		fx_needs(b, fx_node_append(b->arena, fx_node_get(config, "envs"), env));
	}
	return config;
}

static struct fx_res *iam_policy(struct fx_build *b, const struct fx_node *config)
{
	const char *cloud = text_at(config, "cloud");
	if (strcmp(cloud, "gke") != 0)
		fx_throw(b, "cloud provider %s not supported yet", cloud);
	const struct fx_node *service = fx_node_get(config, "kubernetesService"),
	                     *account = fx_node_get(config, "serviceAccount");
	struct fx_res *r = fx_res_new(b, fx_need(b, fx_node_new_map(b->arena)));
	fx_set(b, r->node, "apiVersion", fx_scalar(b, FX_TAG_NONE, "v1"));
	fx_set(b, r->node, "kind", fx_scalar(b, FX_TAG_NONE, "ServiceAccount"));
	fx_res_set_name(b, r, text_at(service, "name"));
	if (*text_at(service, "namespace"))
		fx_res_set_namespace(b, r, text_at(service, "namespace"));
	fx_res_set_annotation(b, r, "iam.gke.io/gcp-service-account",
	        fx_fmt(b, "%s@%s.iam.gserviceaccount.com", text_at(account, "name"),
	                text_at(account, "projectId")));
	return r;
}

/* ---- which kind does what ---- */

enum role {
	R_UNKNOWN,
	R_GENERATOR,
	R_TRANSFORMER,
};

static const char *const generator_kinds[] = {
        "ConfigMapGenerator", "SecretGenerator", "IAMPolicyGenerator", "HelmChartInflationGenerator", NULL};
static const char *const transformer_kinds[] = {"AnnotationsTransformer", "HashTransformer",
        "ImageTagTransformer", "LabelTransformer", "NamespaceTransformer", "PatchJson6902Transformer",
        "PatchStrategicMergeTransformer", "PatchTransformer", "PrefixTransformer", "PrefixSuffixTransformer",
        "ReplacementTransformer", "ReplicaCountTransformer", "SuffixTransformer", "ValueAddTransformer",
        NULL};

static bool is_one_of(const char *const *list, const char *kind)
{
	for (; *list; list++)
		if (strcmp(*list, kind) == 0)
			return true;
	return false;
}

static void check_role(struct fx_build *b, const struct fx_res *r, enum role wanted)
{
	const char *api_version = text_at(r->node, "apiVersion"), *kind = fx_res_kind(r);
	struct fx_id id = fx_res_id(b, r);
	if (strcmp(api_version, "builtin") != 0)
		fx_throw(b, "external plugins disabled; unable to load external plugin '%s'", kind);
	bool generator = is_one_of(generator_kinds, kind), transformer = is_one_of(transformer_kinds, kind);
	if (!generator && !transformer)
		fx_throw(b, "unable to load builtin %s", fx_gvk_text(b, &id.gvk));
	if (wanted == R_GENERATOR && !generator)
		fx_throw(b, "loading generator plugins: failed to load generator: plugin %s not a generator",
		        fx_id_text(b, &id));
	if (wanted == R_TRANSFORMER && !transformer)
		fx_throw(b, "plugin %s not a transformer", fx_id_text(b, &id));
}

void fx_run_generators(
        struct fx_build *b, const struct fx_root *root, const struct fx_node *entries, struct fx_resmap *m)
{
	struct plugins p = {0};
	if (!entries || entries->len == 0)
		return;
	load(b, root, entries, &p);
	for (size_t i = 0; i < p.configs.len; i++)
		check_role(b, p.configs.items[i], R_GENERATOR);
	for (size_t i = 0; i < p.configs.len; i++) {
		struct fx_node *config = config_values(b, p.configs.items[i]);
		const char *kind = fx_res_kind(p.configs.items[i]);
		struct fx_resmap out = {0};
		if (strcmp(kind, "HelmChartInflationGenerator") == 0)
			fx_throw(b, "plugin HelmChartInflationGenerator fails configuration: must specify "
			            "--enable-helm");
		struct fx_res *r = strcmp(kind, "IAMPolicyGenerator") == 0
		                           ? iam_policy(b, config)
		                           : fx_generate(b, root, generator_args(b, config), NULL,
		                                     strcmp(kind, "SecretGenerator") == 0);
		out.items = fx_more(b, NULL, &out.cap, 0, sizeof(*out.items));
		out.items[out.len++] = r;
		fx_origin_of_generator(b, &out, root,
		        *p.files.items[i] ? p.files.items[i] : "kustomization.yaml",
		        p.configs.items[i]->node);
		fx_resmap_absorb(b, m, &out);
	}
}

/* ---- transformers ---- */

static void run_namespace(struct fx_build *b, struct fx_resmap *m, const struct fx_node *c)
{
	const char *mode = text_at(c, "setRoleBindingSubjects");
	struct fx_fieldspecs specs = specs_of(b, c);
	if (*mode && strcmp(mode, "defaultOnly") && strcmp(mode, "none") &&
	        strcmp(mode, "allServiceAccounts"))
		fx_throw(b,
		        "invalid value %s for setRoleBindingSubjects: must be one of \"defaultOnly\", "
		        "\"none\" or "
		        "\"allServiceAccounts\"",
		        fx_quote(b, mode));
	fx_transform_namespace(b, m, text_at(fx_node_get(c, "metadata"), "namespace"), &specs,
	        strcmp(text_at(c, "unsetOnly"), "true") == 0, *mode ? mode : "defaultOnly");
}

static void run_affix(struct fx_build *b, struct fx_resmap *m, const struct fx_node *c, const char *kind)
{
	struct fx_fieldspecs specs = specs_of(b, c);
	bool both = strcmp(kind, "PrefixSuffixTransformer") == 0;
	if (!fx_node_get(c, "fieldSpecs"))
		fx_throw(b, "fieldSpecs is not expected to be nil");
	if (both || strcmp(kind, "PrefixTransformer") == 0)
		fx_transform_affix(b, m, text_at(c, "prefix"), true, &specs);
	if (both || strcmp(kind, "SuffixTransformer") == 0)
		fx_transform_affix(b, m, text_at(c, "suffix"), false, &specs);
}

static void run_one(struct fx_build *b, const struct fx_root *root, struct fx_resmap *m,
        const struct fx_node *c, const char *kind)
{
	struct fx_fieldspecs specs = specs_of(b, c);
	if (strcmp(kind, "AnnotationsTransformer") == 0) {
		fx_transform_map(b, m, fx_node_get(c, "annotations"), &specs);
	} else if (strcmp(kind, "LabelTransformer") == 0) {
		fx_transform_map(b, m, fx_node_get(c, "labels"), &specs);
	} else if (strcmp(kind, "HashTransformer") == 0) {
		fx_transform_hash(b, m);
	} else if (strcmp(kind, "ImageTagTransformer") == 0) {
		fx_transform_image(b, m, fx_node_get(c, "imageTag"), &specs);
	} else if (strcmp(kind, "NamespaceTransformer") == 0) {
		run_namespace(b, m, c);
	} else if (strcmp(kind, "PatchJson6902Transformer") == 0) {
		fx_transform_json6902(
		        b, root, m, fx_node_get(c, "target"), text_at(c, "path"), text_at(c, "jsonOp"));
	} else if (strcmp(kind, "PatchStrategicMergeTransformer") == 0) {
		fx_transform_patches_config(b, root, m, fx_node_get(c, "paths"), text_at(c, "patches"));
	} else if (strcmp(kind, "PatchTransformer") == 0) {
		fx_transform_patch(b, root, m, c);
	} else if (strcmp(kind, "ReplacementTransformer") == 0) {
		if (fx_node_is_seq(fx_node_get(c, "replacements")))
			fx_transform_replacements(b, root, m, fx_node_get(c, "replacements"));
	} else if (strcmp(kind, "ReplicaCountTransformer") == 0) {
		const struct fx_node *r = fx_node_get(c, "replica");
		fx_transform_replicas(
		        b, m, text_at(r, "name"), *text_at(r, "count") ? text_at(r, "count") : "0", &specs);
	} else if (strcmp(kind, "ValueAddTransformer") == 0) {
		fx_transform_value_add(b, root, m, c);
	} else {
		run_affix(b, m, c, kind);
	}
}

void fx_run_transformers(
        struct fx_build *b, const struct fx_root *root, const struct fx_node *entries, struct fx_resmap *m)
{
	struct plugins p = {0};
	if (!entries || entries->len == 0)
		return;
	load(b, root, entries, &p);
	for (size_t i = 0; i < p.configs.len; i++)
		check_role(b, p.configs.items[i], R_TRANSFORMER);
	for (size_t i = 0; i < p.configs.len; i++) {
		run_one(b, root, m, config_values(b, p.configs.items[i]), fx_res_kind(p.configs.items[i]));
		fx_origin_of_transformer(b, m, root,
		        *p.files.items[i] ? p.files.items[i] : "kustomization.yaml",
		        p.configs.items[i]->node);
		fx_resmap_drop_empty(m);
	}
}

/* ---- validators ---- */

struct snapshot {
	const char *id, *text;
};

static void take_snapshot(struct fx_build *b, const struct fx_resmap *m, struct snapshot *out)
{
	for (size_t i = 0; i < m->len; i++) {
		struct fx_res copy = {.node = fx_copy(b, m->items[i]->node)};
		struct fx_node *labels = fx_node_at(copy.node, "metadata", "labels", NULL);
		struct fx_id id = fx_res_id(b, &copy);
		fx_node_unset(labels ? labels : copy.node, "validated-by");
		if (labels && labels->len == 0)
			fx_node_unset(fx_node_get(copy.node, "metadata"), "labels");
		out[i] = (struct snapshot){fx_id_text(b, &id), fx_node_json(b, copy.node, 3)};
	}
}

void fx_run_validators(
        struct fx_build *b, const struct fx_root *root, const struct fx_node *entries, struct fx_resmap *m)
{
	struct plugins p = {0};
	if (!entries || entries->len == 0)
		return;
	load(b, root, entries, &p);
	for (size_t i = 0; i < p.configs.len; i++)
		check_role(b, p.configs.items[i], R_TRANSFORMER);
	for (size_t i = 0; i < p.configs.len; i++) {
		size_t n = m->len;
		struct snapshot *before = fx_new(b, (n + 1) * sizeof(*before)),
		                *now = fx_new(b, (n + 1) * sizeof(*now));
		take_snapshot(b, m, before);
		run_one(b, root, m, config_values(b, p.configs.items[i]), fx_res_kind(p.configs.items[i]));
		if (m->len != n)
			fx_throw(b,
			        "validator shouldn't modify the resource map: lists have different number of "
			        "entries: %zu != %zu",
			        n, m->len);
		take_snapshot(b, m, now);
		for (size_t k = 0; k < n; k++) {
			if (strcmp(before[k].id, now[k].id) != 0)
				fx_throw(b,
				        "validator shouldn't modify the resource map: id in self missing "
				        "from other; id: %s",
				        before[k].id);
			if (strcmp(before[k].text, now[k].text) != 0)
				fx_throw(b, "validator shouldn't modify the resource map: nodes unequal: %s",
				        before[k].id);
		}
	}
}

/* ---- ValueAddTransformer ---- */

struct value_add {
	const char *value;
	long position;
};

/* kyaml's InsertPathPart: part becomes element number at of a path, absolute or not, and the path is cleaned.
 */
static const char *insert_part(struct fx_build *b, const char *path, size_t at, const char *part)
{
	struct fx_texts parts = {0}, out = {0};
	bool rooted = path[0] == '/';
	if (!*part)
		return path;
	path += rooted;
	if (*path)
		parts = fx_texts_split(b, path, '/');
	for (size_t i = 0; i <= parts.len; i++) {
		if (i == at || (i == parts.len && at > i))
			fx_texts_add(b, &out, part);
		if (i < parts.len)
			fx_texts_add(b, &out, parts.items[i]);
	}
	const char *joined = fx_fmt(b, "%s%s", rooted ? "/" : "", fx_texts_join(b, &out, "/"));
	char *clean = fx_path_clean(b->arena, joined + (!rooted && *joined == '/'));
	fx_needs(b, clean);
	return clean;
}

static void add_value(struct fx_build *b, struct fx_node *n, void *ctx)
{
	const struct value_add *v = ctx;
	if (n->kind != FX_NODE_SCALAR)
		fx_wrong_kind(b, "ScalarNode", n);
	const char *text = v->value;
	if (v->position > 0)
		text = insert_part(b, n->text, (size_t)v->position - 1, v->value);
	fx_set_scalar(b, n, text, FX_TAG_NONE);
}

static const char *trimmed(struct fx_build *b, const char *text)
{
	text += strspn(text, " \t\r\n\v\f");
	size_t n = strlen(text);
	while (n && strchr(" \t\r\n\v\f", text[n - 1]))
		n--;
	return fx_strn(b, text, n);
}

void fx_transform_value_add(
        struct fx_build *b, const struct fx_root *root, struct fx_resmap *m, const struct fx_node *config)
{
	const struct fx_node *targets = fx_node_get(config, "targets");
	const char *value = text_at(config, "value"), *file = text_at(config, "targetFilePath");
	if (*file) {
		static const struct fx_yaml_read opts = {.dialect = FX_YAML_V2, .values = true};
		struct fx_error err = FX_ERROR_INIT;
		struct fx_node *doc = NULL;
		size_t len;
		const char *text = fx_root_load(b, root, file, &len);
		if (fx_yaml_read(b->arena, text, len, &opts, &doc, &err) < 0)
			fx_throw_error(b, &err);
		doc = fx_node_get(fx_decode(b, &fx_decoding_yaml, doc, fx_value_add_fields, ""), "targets");
		struct fx_node *all = fx_need(b, fx_node_new_seq(b->arena));
		for (uint32_t i = 0; targets && i < targets->len; i++)
			fx_needs(b, fx_node_append(b->arena, all, targets->items[i]));
		for (uint32_t i = 0; doc && i < doc->len; i++)
			fx_needs(b, fx_node_append(b->arena, all, doc->items[i]));
		targets = all;
	}
	value = trimmed(b, value);
	if (!*value)
		value = fx_path_base(root->dir);
	if (!fx_node_is_seq(targets) || targets->len == 0)
		fx_throw(b, "must specify at least one target");
	for (uint32_t i = 0; i < targets->len; i++) {
		const struct fx_node *t = targets->items[i];
		const char *path = text_at(t, "fieldPath");
		struct value_add v = {value, strtol(text_at(t, "filePathPosition"), NULL, 10)};
		struct fx_selector s = fx_selector_read(b, fx_node_get(t, "selector"));
		struct fx_resmap selected = {0};
		struct fx_fieldspecs none = {0};
		if (!*path)
			fx_throw(b, "fieldPath cannot be empty");
		if (v.position < 0)
			fx_throw(b, "value of FilePathPosition (%ld) cannot be negative", v.position);
		fx_resmap_select(b, m, &s, &selected);
		struct fx_fieldspec spec = {
		        .gvk = {.group = "", .version = "", .kind = ""}, .path = path, .create = true};
		fx_fieldspec_split(b, &spec);
		for (size_t k = 0; k < selected.len; k++) {
			struct fx_resmap one = {&selected.items[k], 1, 1, {0}, false};
			if (strcmp(path, "metadata/namespace") == 0)
				fx_transform_namespace(b, &one, value, &none, false, "defaultOnly");
			else
				fx_fieldspec_visit(b, &spec, selected.items[k], FX_NODE_SCALAR, FX_TAG_NONE,
				        true, add_value, &v);
		}
	}
	m->ids_valid = false;
}
