#include "kustomize/kustomize.h"

#include "data/yaml.h"
#include "kustomize/engine.h"

#include <string.h>

static const char *text_at(const struct fx_node *n, const char *key)
{
	const char *t = fx_node_get_text(n, key);
	return t ? t : "";
}

struct fx_build_options fx_build_options_flux(void)
{
	return (struct fx_build_options){
	        .load_restrictor = FX_LOAD_NONE, .order = FX_ORDER_FIFO, .openapi = FX_OPENAPI_ADD};
}

static bool has_metadata_option(const struct fx_node *k, const char *option)
{
	const struct fx_node *list = fx_node_get(k, "buildMetadata");
	for (uint32_t i = 0; fx_node_is_seq(list) && i < list->len; i++)
		if (strcmp(list->items[i]->text, option) == 0)
			return true;
	return false;
}

static void drop_local(struct fx_build *b, struct fx_resmap *m)
{
	size_t n = 0;
	for (size_t i = 0; i < m->len; i++) {
		const char *local = fx_res_annotation(m->items[i], "config.kubernetes.io/local-config");
		const char *kind = fx_res_kind(m->items[i]);
		size_t len = strlen(kind);
		if (!*fx_res_name(m->items[i]) && !(len >= 4 && strcmp(kind + len - 4, "List") == 0))
			fx_throw(b, "missing metadata.name in object {{%s %s} {{ } map[] map[]}}",
			        text_at(m->items[i]->node, "apiVersion"), kind);
		if (!local || strcmp(local, "false") == 0)
			m->items[n++] = m->items[i];
	}
	m->len = n;
	fx_resmap_check_ids(b, m);
}

static void sort(struct fx_build *b, struct fx_resmap *m, const struct fx_node *k)
{
	const struct fx_node *options = fx_node_get(k, "sortOptions");
	const char *order = text_at(options, "order");
	if (!options) {
		if (b->opts->order == FX_ORDER_LEGACY)
			fx_sort_legacy(b, m, NULL);
		return;
	}
	bool legacy = strcmp(order, "legacy") == 0;
	if (!legacy && strcmp(order, "fifo") != 0)
		fx_throw(b, "the field 'sortOptions.order' must be one of [fifo, legacy]");
	if (!legacy && fx_node_get(options, "legacySortOptions"))
		fx_throw(b, "the field 'sortOptions.legacySortOptions' is set but the selected sort order is "
		            "'fifo', not 'legacy'");
	if (legacy)
		fx_sort_legacy(b, m, fx_node_get(options, "legacySortOptions"));
}

static void add_managed_by(struct fx_build *b, struct fx_resmap *m)
{
	struct fx_node *label = fx_need(b, fx_node_new_map(b->arena));
	struct fx_fieldspecs specs = {0};
	struct fx_fieldspec spec = {
	        .gvk = {.group = "", .version = "", .kind = ""}, .path = "metadata/labels", .create = true};
	fx_fieldspecs_add(b, &specs, &spec);
	fx_set(b, label, "app.kubernetes.io/managed-by",
	        fx_scalar(b, FX_TAG_STR, b->opts->managed_by ? b->opts->managed_by : "kustomize-v5.8.1"));
	fx_transform_map(b, m, label, &specs);
}

static void clean_annotations(struct fx_build *b, struct fx_resmap *m, const struct fx_node *k)
{
	bool keep_origin = has_metadata_option(k, "originAnnotations");
	bool keep_transformations = has_metadata_option(k, "transformerAnnotations");
	for (size_t i = 0; i < m->len; i++) {
		struct fx_node *meta = fx_need_map(b, m->items[i]->node, "metadata");
		struct fx_node *annotations = fx_node_get(meta, "annotations");
		/* Build annotations are only taken out where there are any; the other two steps rebuild
		 * always. */
		if ((!fx_node_is_map(annotations) || annotations->len == 0) && keep_origin &&
		        keep_transformations)
			continue;
		fx_res_rebuild_map(b, m->items[i], "annotations");
		annotations = fx_node_get(meta, "annotations");
		if (!annotations)
			continue;
		uint32_t n = 0;
		for (uint32_t a = 0; a < annotations->len; a++) {
			const char *key = annotations->pairs[a].key->text;
			bool drop = (!keep_origin && strcmp(key, FX_ANNO_ORIGIN) == 0) ||
			            (!keep_transformations && strcmp(key, FX_ANNO_TRANSFORMATIONS) == 0);
			for (size_t s = 0; fx_build_annotations[s] && !drop; s++)
				drop = strcmp(key, fx_build_annotations[s]) == 0;
			if (!drop)
				annotations->pairs[n++] = annotations->pairs[a];
		}
		annotations->len = n;
		if (n == 0)
			fx_node_unset(meta, "annotations");
	}
}

/* Keys at the top of a resource are read into strings, whatever they look like. */
static void fix_top_keys(struct fx_build *b, struct fx_node *n)
{
	for (uint32_t i = 0; i < n->len; i++) {
		struct fx_node *k = n->pairs[i].key;
		if (k->kind != FX_NODE_SCALAR)
			fx_throw(b, "yaml: unmarshal errors:\n  line %u: cannot unmarshal !!seq into string",
			        k->line);
		if (k->tag == FX_TAG_NULL)
			fx_throw(b,
			        "yaml: unmarshal errors:\n  line %u: mapping key \"null\" already defined at "
			        "line %u",
			        k->line, k->line);
		struct fx_node *copy = fx_copy(b, k);
		copy->tag = FX_TAG_STR;
		n->pairs[i].key = copy;
	}
}

struct call {
	const struct fx_fs *fs;
	const char *path;
	struct fx_node *out;
};

static void run(struct fx_build *b, void *arg)
{
	struct call *c = arg;
	struct fx_resmap m = {0};
	struct fx_config *config;
	struct fx_vars vars = {0};
	const struct fx_node *k;
	b->root = fx_root_first(b, c->fs, c->path);
	fx_accumulate(b, b->root, &m, &config, &vars, &k);
	if (b->first_problem)
		fx_throw(b, "%s", b->first_problem);
	fx_transform_hash(b, &m);
	fx_fix_name_references(b, &m, config);
	fx_resolve_vars(b, &m, &vars, config);
	drop_local(b, &m);
	sort(b, &m, k);
	if (b->opts->managed_by_label || has_metadata_option(k, "managedByLabel"))
		add_managed_by(b, &m);
	clean_annotations(b, &m, k);
	struct fx_node *list = fx_need(b, fx_node_new_seq(b->arena));
	for (size_t i = 0; i < m.len; i++) {
		fix_top_keys(b, m.items[i]->node);
		fx_needs(b, fx_node_append(b->arena, list, m.items[i]->node));
	}
	c->out = list;
}

int fx_kustomize_build(const struct fx_fs *fs, const char *path, const struct fx_build_options *opts,
        struct fx_arena *arena, struct fx_node **out, struct fx_error *err)
{
	static const struct fx_build_options none;
	struct fx_build b = {.arena = arena, .opts = opts ? opts : &none, .schema = FX_SCHEMA_BUILTIN};
	struct call c = {.fs = fs, .path = path};
	struct fx_catch last;
	b.top = &last;
	last.outer = NULL;
	/* Out of memory and limits come here directly, past fx_attempt(). */
	if (setjmp(last.jump) != 0)
		return b.message ? fx_fail(err, b.code, "%s", b.message) : fx_fail_nomem(err);
	run(&b, &c);
	*out = c.out;
	return 0;
}

int fx_kustomize_print(const struct fx_node *resources, struct fx_buf *out, struct fx_error *err)
{
	for (uint32_t i = 0; i < resources->len; i++) {
		const struct fx_node *r = resources->items[i];
		if (i)
			fx_buf_add_str(out, "---\n");
		int rc = fx_yaml_write(r, out, err);
		if (rc == 0)
			continue;
		const struct fx_node *meta = fx_node_get(r, "metadata");
		fx_error_wrap(err, "%s/%s", text_at(r, "kind"), text_at(meta, "name"));
		return rc;
	}
	return fx_buf_failed(out) ? fx_fail_nomem(err) : 0;
}
