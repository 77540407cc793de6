#include "kustomize/engine.h"

#include <string.h>

const char *const fx_build_annotations[] = {
        FX_ANNO_KINDS,
        FX_ANNO_NAMES,
        FX_ANNO_PREFIXES,
        FX_ANNO_SUFFIXES,
        FX_ANNO_NAMESPACES,
        FX_ANNO_NAME_CHANGE,
        FX_ANNO_KIND_CHANGE,
        FX_INTERNAL "refBy",
        FX_ANNO_BEHAVIOR,
        FX_ANNO_HASH,
        FX_INTERNAL "path",
        FX_INTERNAL "index",
        FX_INTERNAL "seqindent",
        FX_INTERNAL "id",
        FX_INTERNAL "annotations-migration-resource-id",
        "config.kubernetes.io/path",
        "config.kubernetes.io/index",
        "config.k8s.io/id",
        FX_ANNO_HELM,
        NULL,
};

/* ---- group, version, kind ---- */

void fx_gvk_split(struct fx_build *b, const char *api_version, struct fx_gvk *out)
{
	const char *slash = strchr(api_version, '/');
	out->group = slash ? fx_strn(b, api_version, (size_t)(slash - api_version)) : "";
	out->version = slash ? slash + 1 : api_version;
}

static const char *text_at(const struct fx_node *map, const char *key)
{
	const struct fx_node *n = fx_node_get(map, key);
	return n && n->kind == FX_NODE_SCALAR && n->tag != FX_TAG_NULL ? n->text : "";
}

struct fx_gvk fx_gvk_of(struct fx_build *b, const struct fx_node *n)
{
	struct fx_gvk gvk = {.kind = text_at(n, "kind")};
	const char *api_version = text_at(n, "apiVersion");
	fx_gvk_split(b, api_version, &gvk);
	if (!b->schema_used)
		b->schema_used = !fx_schema_knows_scope(api_version, gvk.kind);
	gvk.cluster = fx_schema_is_cluster_scoped(&b->schema, api_version, gvk.kind);
	return gvk;
}

static bool is_or_any(const char *value, const char *wanted)
{
	return !wanted || !*wanted || strcmp(value, wanted) == 0;
}

bool fx_gvk_selected(const struct fx_gvk *gvk, const struct fx_gvk *sel)
{
	return is_or_any(gvk->group, sel->group) && is_or_any(gvk->version, sel->version) &&
	       is_or_any(gvk->kind, sel->kind);
}

bool fx_gvk_equal(const struct fx_gvk *a, const struct fx_gvk *b)
{
	return strcmp(a->group, b->group) == 0 && strcmp(a->version, b->version) == 0 &&
	       strcmp(a->kind, b->kind) == 0;
}

static const char *or_none(const char *text, const char *none)
{
	return text && *text ? text : none;
}

const char *fx_gvk_text(struct fx_build *b, const struct fx_gvk *gvk)
{
	return fx_fmt(b, "%s.%s.%s", or_none(gvk->kind, "[noKind]"), or_none(gvk->version, "[noVer]"),
	        or_none(gvk->group, "[noGrp]"));
}

/* ---- ids ---- */

const char *fx_id_text(struct fx_build *b, const struct fx_id *id)
{
	return fx_fmt(b, "%s/%s.%s", fx_gvk_text(b, &id->gvk), or_none(id->name, "[noName]"),
	        or_none(id->ns, "[noNs]"));
}

const char *fx_id_namespace(const struct fx_id *id)
{
	if (id->gvk.cluster)
		return "_non_namespaceable_";
	return *id->ns ? id->ns : "default";
}

const char *fx_id_key(struct fx_build *b, const struct fx_id *id)
{
	return fx_fmt(b, "%s|%s|%s|%s|%s", id->gvk.group, id->gvk.version, id->gvk.kind, fx_id_namespace(id),
	        id->name);
}

bool fx_id_equal(const struct fx_id *a, const struct fx_id *b)
{
	return strcmp(a->name, b->name) == 0 && fx_gvk_equal(&a->gvk, &b->gvk) &&
	       strcmp(fx_id_namespace(a), fx_id_namespace(b)) == 0;
}

bool fx_id_selected(const struct fx_id *id, const struct fx_id *sel)
{
	if (!is_or_any(id->name, sel->name) || !fx_gvk_selected(&id->gvk, &sel->gvk))
		return false;
	return !sel->ns || !*sel->ns || strcmp(fx_id_namespace(id), sel->ns) == 0;
}

/* ---- resources ---- */

struct fx_res *fx_res_new(struct fx_build *b, struct fx_node *node)
{
	struct fx_res *r = fx_new(b, sizeof(*r));
	r->node = node;
	return r;
}

static struct fx_node *meta_of(const struct fx_res *r)
{
	return fx_node_get(r->node, "metadata");
}

const char *fx_res_name(const struct fx_res *r)
{
	return text_at(meta_of(r), "name");
}

const char *fx_res_namespace(const struct fx_res *r)
{
	return text_at(meta_of(r), "namespace");
}

const char *fx_res_kind(const struct fx_res *r)
{
	return text_at(r->node, "kind");
}

static void set_text(struct fx_build *b, struct fx_node *map, const char *key, const char *text)
{
	struct fx_node *have = fx_node_get(map, key);
	if (!have) {
		fx_set(b, map, key, fx_scalar(b, FX_TAG_NONE, text));
		return;
	}
	uint8_t style = have->kind == FX_NODE_SCALAR ? have->style : FX_STYLE_PLAIN;
	*have = (struct fx_node){.kind = FX_NODE_SCALAR, .tag = FX_TAG_NONE, .style = style};
	fx_node_set_text(have, FX_TAG_NONE, text, strlen(text));
}

void fx_res_set_name(struct fx_build *b, struct fx_res *r, const char *name)
{
	set_text(b, fx_need_map(b, r->node, "metadata"), "name", name);
}

void fx_res_set_namespace(struct fx_build *b, struct fx_res *r, const char *ns)
{
	struct fx_node *meta = fx_need_map(b, r->node, "metadata");
	if (*ns)
		set_text(b, meta, "namespace", ns);
	else
		fx_node_unset(meta, "namespace");
}

struct fx_id fx_res_id(struct fx_build *b, const struct fx_res *r)
{
	return (struct fx_id){fx_gvk_of(b, r->node), fx_res_name(r), fx_res_namespace(r)};
}

const char *fx_res_annotation(const struct fx_res *r, const char *key)
{
	const struct fx_node *n = fx_node_get(fx_node_get(meta_of(r), "annotations"), key);
	return n ? n->kind == FX_NODE_SCALAR ? n->text : "" : NULL;
}

size_t fx_res_previous_ids(struct fx_build *b, const struct fx_res *r, struct fx_id **out)
{
	const char *names = fx_res_annotation(r, FX_ANNO_NAMES);
	if (!names)
		return 0;
	const char *namespaces = fx_res_annotation(r, FX_ANNO_NAMESPACES),
	           *kinds = fx_res_annotation(r, FX_ANNO_KINDS);
	struct fx_texts n = fx_texts_split(b, names, ','),
	                s = fx_texts_split(b, namespaces ? namespaces : "", ','),
	                k = fx_texts_split(b, kinds ? kinds : "", ',');
	if (n.len != s.len || n.len != k.len)
		fx_throw(b, "number of previous names, number of previous namespaces, number of previous "
		            "kinds not equal");
	struct fx_gvk gvk = fx_gvk_of(b, r->node);
	gvk.cluster = false;
	*out = fx_new(b, n.len * sizeof(**out));
	for (size_t i = 0; i < n.len; i++) {
		gvk.kind = k.items[i];
		(*out)[i] = (struct fx_id){gvk, n.items[i], s.items[i]};
	}
	return n.len;
}

size_t fx_res_all_ids(struct fx_build *b, const struct fx_res *r, struct fx_id **out)
{
	struct fx_id *previous = NULL;
	size_t n = fx_res_previous_ids(b, r, &previous);
	*out = fx_new(b, (n + 1) * sizeof(**out));
	(*out)[0] = fx_res_id(b, r);
	if (n)
		memcpy(*out + 1, previous, n * sizeof(**out));
	return n + 1;
}

struct fx_id fx_res_original_id(struct fx_build *b, const struct fx_res *r)
{
	struct fx_id *previous;
	return fx_res_previous_ids(b, r, &previous) ? previous[0] : fx_res_id(b, r);
}

/* ---- annotations ---- */

void fx_res_set_annotation(struct fx_build *b, struct fx_res *r, const char *key, const char *value)
{
	struct fx_node *meta = fx_need_map(b, r->node, "metadata"),
	               *annotations = fx_node_get(meta, "annotations");
	/* What is no map counts as missing. */
	if (!fx_node_is_map(annotations)) {
		annotations = fx_need(b, fx_node_new_map(b->arena));
		fx_set(b, meta, "annotations", annotations);
	}
	struct fx_node *have = fx_node_get(annotations, key);
	if (have && have->kind == FX_NODE_SCALAR) {
		fx_node_set_text(have, FX_TAG_STR, value, strlen(value));
		return;
	}
	fx_set(b, annotations, key, fx_scalar(b, FX_TAG_STR, value));
}

void fx_res_add_to_list(struct fx_build *b, struct fx_res *r, const char *key, const char *value)
{
	if (!*value)
		return;
	const char *old = fx_res_annotation(r, key);
	fx_res_set_annotation(b, r, key, old ? fx_fmt(b, "%s,%s", old, value) : value);
}

void fx_res_store_id(struct fx_build *b, struct fx_res *r)
{
	struct fx_id id = fx_res_id(b, r);
	fx_res_add_to_list(b, r, FX_ANNO_NAMES, id.name);
	fx_res_add_to_list(b, r, FX_ANNO_NAMESPACES, fx_id_namespace(&id));
	fx_res_add_to_list(b, r, FX_ANNO_KINDS, id.gvk.kind);
}

/* Same keys, fresh string values: what Go's map[string]string makes of it. */
static struct fx_node *string_map(struct fx_build *b, const struct fx_node *old)
{
	struct fx_node *map = fx_need(b, fx_node_new_map(b->arena));
	for (uint32_t i = 0; fx_node_is_map(old) && i < old->len; i++) {
		const struct fx_node *k = old->pairs[i].key, *v = old->pairs[i].value;
		if (k->kind != FX_NODE_SCALAR)
			continue;
		bool scalar = v->kind == FX_NODE_SCALAR;
		struct fx_node *value = fx_need(b, fx_node_new_scalar_len(b->arena, FX_TAG_STR,
		                                           scalar ? v->text : "", scalar ? v->len : 0));
		struct fx_node *key =
		        fx_need(b, fx_node_new_scalar_len(b->arena, FX_TAG_NONE, k->text, k->len));
		struct fx_pair *have = fx_node_pair(map, k->text, k->len);
		if (have)
			have->value = value;
		else
			fx_needs(b, fx_node_add_pair(b->arena, map, key, value));
	}
	return map;
}

static void put_map(struct fx_build *b, struct fx_res *r, const char *field, struct fx_node *map)
{
	struct fx_node *meta = fx_need_map(b, r->node, "metadata");
	fx_node_unset(meta, field);
	if (map->len)
		fx_set(b, meta, field, map);
}

void fx_res_rebuild_map(struct fx_build *b, struct fx_res *r, const char *field)
{
	put_map(b, r, field, string_map(b, fx_node_get(meta_of(r), field)));
}

void fx_res_drop_annotation(struct fx_build *b, struct fx_res *r, const char *key)
{
	struct fx_node *map = string_map(b, fx_node_get(meta_of(r), "annotations"));
	if (key)
		fx_node_unset(map, key);
	put_map(b, r, "annotations", map);
}

void fx_res_put_annotation(struct fx_build *b, struct fx_res *r, const char *key, const char *value)
{
	struct fx_node *map = string_map(b, fx_node_get(meta_of(r), "annotations"));
	fx_set(b, map, key, fx_scalar(b, FX_TAG_STR, value));
	put_map(b, r, "annotations", map);
}

/* ---- lists of resources ---- */

static void add_item(struct fx_build *b, struct fx_resmap *m, struct fx_res *r)
{
	m->items = fx_more(b, m->items, &m->cap, m->len, sizeof(*m->items));
	m->items[m->len++] = r;
	if (m->len > FX_KUSTOMIZE_MAX_RESOURCES)
		fx_throw_code(b, FX_E_LIMIT, "more than %d resources", FX_KUSTOMIZE_MAX_RESOURCES);
}

static void index_item(struct fx_build *b, struct fx_resmap *m, struct fx_res *r)
{
	struct fx_id id = fx_res_id(b, r);
	const char *key = fx_id_key(b, &id);
	if (fx_index_get(&m->ids, key))
		fx_throw(b, "may not add resource with an already registered id: %s", fx_id_text(b, &id));
	fx_index_set(b, &m->ids, key, r);
}

void fx_resmap_check_ids(struct fx_build *b, struct fx_resmap *m)
{
	m->ids = (struct fx_index){0};
	for (size_t i = 0; i < m->len; i++)
		index_item(b, m, m->items[i]);
	m->ids_valid = true;
}

void fx_resmap_append(struct fx_build *b, struct fx_resmap *m, struct fx_res *r)
{
	if (!m->ids_valid) {
		/* Transformers may have made ids equal; only the new one is looked at here. */
		m->ids = (struct fx_index){0};
		for (size_t i = 0; i < m->len; i++) {
			struct fx_id id = fx_res_id(b, m->items[i]);
			fx_index_set(b, &m->ids, fx_id_key(b, &id), m->items[i]);
		}
		m->ids_valid = true;
	}
	index_item(b, m, r);
	add_item(b, m, r);
}

void fx_resmap_append_all(struct fx_build *b, struct fx_resmap *m, const struct fx_resmap *other)
{
	for (size_t i = 0; i < other->len; i++)
		fx_resmap_append(b, m, other->items[i]);
}

void fx_resmap_drop_empty(struct fx_resmap *m)
{
	size_t n = 0;
	for (size_t i = 0; i < m->len; i++)
		if (!fx_node_is_nil_or_empty(m->items[i]->node))
			m->items[n++] = m->items[i];
	m->len = n;
	m->ids_valid = false;
}

/* old's labels and annotations below r's. */
static void merge_maps(
        struct fx_build *b, struct fx_res *r, const struct fx_res *old, const char *field, bool annotations)
{
	struct fx_node *merged = string_map(b, fx_node_get(meta_of(old), field));
	struct fx_node *own = string_map(b, fx_node_get(meta_of(r), field));
	bool hash = fx_node_get(own, FX_ANNO_HASH) != NULL;
	if (annotations)
		for (size_t i = 0; fx_build_annotations[i]; i++)
			fx_node_unset(own, fx_build_annotations[i]);
	for (uint32_t i = 0; i < own->len; i++)
		fx_set(b, merged, own->pairs[i].key->text, own->pairs[i].value);
	if (annotations && !hash)
		fx_node_unset(merged, FX_ANNO_HASH);
	put_map(b, r, field, merged);
}

static void merge_metadata(struct fx_build *b, struct fx_res *r, const struct fx_res *old)
{
	merge_maps(b, r, old, "labels", false);
	merge_maps(b, r, old, "annotations", true);
	fx_res_set_name(b, r, fx_res_name(old));
	fx_res_set_namespace(b, r, fx_res_namespace(old));
	r->vars = old->vars;
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(((const struct fx_pair *)a)->key->text, ((const struct fx_pair *)b)->key->text);
}

static void merge_data(struct fx_build *b, struct fx_res *r, const struct fx_res *old, const char *field)
{
	struct fx_node *merged = string_map(b, fx_node_get(old->node, field));
	struct fx_node *own = string_map(b, fx_node_get(r->node, field));
	for (uint32_t i = 0; i < own->len; i++)
		fx_set(b, merged, own->pairs[i].key->text, own->pairs[i].value);
	qsort(merged->pairs, merged->len, sizeof(*merged->pairs), compare_keys);
	fx_node_unset(r->node, field);
	if (merged->len)
		fx_set(b, r->node, field, merged);
}

static void absorb(struct fx_build *b, struct fx_resmap *m, struct fx_res *r)
{
	struct fx_id id = fx_res_id(b, r);
	size_t found = 0, at = 0;
	for (size_t i = 0; i < m->len; i++) {
		struct fx_id *ids;
		size_t n = fx_res_all_ids(b, m->items[i], &ids);
		for (size_t k = 0; k < n; k++)
			if (fx_id_equal(&ids[k], &id)) {
				found++;
				at = i;
				break;
			}
	}
	const char *behavior = fx_res_annotation(r, FX_ANNO_BEHAVIOR);
	if (!behavior ||
	        (strcmp(behavior, "merge") && strcmp(behavior, "replace") && strcmp(behavior, "create")))
		behavior = "unspecified";
	bool merge = strcmp(behavior, "merge") == 0, replace = strcmp(behavior, "replace") == 0;
	const char *go = fx_fmt(b,
	        "resid.ResId{Gvk:resid.Gvk{Group:%s, Version:%s, Kind:%s, isClusterScoped:false}, Name:%s, "
	        "Namespace:%s}",
	        fx_quote(b, id.gvk.group), fx_quote(b, id.gvk.version), fx_quote(b, id.gvk.kind),
	        fx_quote(b, id.name), fx_quote(b, id.ns));
	if (found == 0) {
		if (merge || replace)
			fx_throw(b, "id %s does not exist; cannot merge or replace", go);
		fx_resmap_append(b, m, r);
		return;
	}
	if (found > 1)
		fx_throw(b, "found multiple objects that could accept merge of %s", fx_id_text(b, &id));
	if (!merge && !replace)
		fx_throw(b, "id %s exists; can not use behavior: '%s', behavior must be merge or replace", go,
		        behavior);
	struct fx_res *old = m->items[at];
	const char *origin = fx_res_annotation(old, FX_ANNO_ORIGIN);
	merge_metadata(b, r, old);
	if (merge) {
		merge_data(b, r, old, "data");
		merge_data(b, r, old, "binaryData");
		if (b->track && origin)
			fx_res_put_annotation(b, r, FX_ANNO_ORIGIN, origin);
	}
	m->items[at] = r;
	m->ids_valid = false;
}

void fx_resmap_absorb(struct fx_build *b, struct fx_resmap *m, const struct fx_resmap *generated)
{
	for (size_t i = 0; i < generated->len; i++)
		absorb(b, m, generated->items[i]);
}

struct fx_res *fx_resmap_get(struct fx_build *b, const struct fx_resmap *m, const struct fx_id *id)
{
	struct fx_res *found = NULL;
	for (size_t i = 0; i < m->len; i++) {
		struct fx_res *r = m->items[i];
		/* The kind or a name can only match when it is written somewhere in the resource's identity.
		 */
		struct fx_id *ids;
		if (!fx_res_annotation(r, FX_ANNO_NAMES) && strcmp(fx_res_name(r), id->name) != 0)
			continue;
		size_t n = fx_res_all_ids(b, r, &ids);
		for (size_t k = 0; k < n; k++) {
			if (!fx_id_equal(&ids[k], id))
				continue;
			if (found)
				fx_throw(b,
				        "multiple matches for Id %s; failed to find unique target for patch "
				        "%s",
				        fx_id_text(b, id), fx_id_text(b, id));
			found = r;
			break;
		}
	}
	if (!found)
		fx_throw(b, "no matches for Id %s; failed to find unique target for patch %s",
		        fx_id_text(b, id), fx_id_text(b, id));
	return found;
}

/* ---- selectors ---- */

static const char *field_text(const struct fx_node *n, const char *key)
{
	const char *t = fx_node_get_text(n, key);
	return t ? t : "";
}

struct fx_selector fx_selector_read(struct fx_build *b fx_unused, const struct fx_node *n)
{
	return (struct fx_selector){
	        .id = {.gvk = {.group = field_text(n, "group"),
	                       .version = field_text(n, "version"),
	                       .kind = field_text(n, "kind")},
	                .name = field_text(n, "name"),
	                .ns = field_text(n, "namespace")},
	        .annotations = field_text(n, "annotationSelector"),
	        .labels = field_text(n, "labelSelector"),
	};
}

const char *fx_selector_text(struct fx_build *b, const struct fx_selector *s)
{
	return fx_fmt(b, "%s:a=%s:l=%s", fx_id_text(b, &s->id), s->annotations, s->labels);
}

static struct fx_pattern *compile(struct fx_build *b, const char *pattern)
{
	return *pattern ? fx_pattern_new(b, pattern, true) : NULL;
}

struct fx_patterns fx_patterns_new(struct fx_build *b, const struct fx_id *id)
{
	return (struct fx_patterns){
	        .group = compile(b, id->gvk.group),
	        .version = compile(b, id->gvk.version),
	        .kind = compile(b, id->gvk.kind),
	        .name = compile(b, id->name),
	        .ns = compile(b, id->ns),
	};
}

bool fx_pattern_fits(struct fx_build *b, const struct fx_pattern *re, const char *text)
{
	return !re || fx_pattern_match(b, re, text);
}

bool fx_patterns_fit_gvk(struct fx_build *b, const struct fx_patterns *p, const struct fx_gvk *gvk)
{
	return fx_pattern_fits(b, p->kind, gvk->kind) && fx_pattern_fits(b, p->group, gvk->group) &&
	       fx_pattern_fits(b, p->version, gvk->version);
}

struct compiled {
	struct fx_patterns patterns;
	struct fx_label_selector *annotations, *labels;
};

static bool selected(struct fx_build *b, const struct compiled *c, const struct fx_res *r)
{
	const struct fx_patterns *p = &c->patterns;
	struct fx_id cur = fx_res_id(b, r);
	if (!fx_patterns_fit_gvk(b, p, &cur.gvk))
		return false;
	struct fx_id org = fx_res_original_id(b, r);
	if (!fx_pattern_fits(b, p->ns, fx_id_namespace(&org)) &&
	        !fx_pattern_fits(b, p->ns, fx_id_namespace(&cur)))
		return false;
	if (!fx_pattern_fits(b, p->name, org.name) && !fx_pattern_fits(b, p->name, cur.name))
		return false;
	if (c->labels && !fx_label_selector_match(c->labels, fx_node_get(meta_of(r), "labels")))
		return false;
	return !c->annotations ||
	       fx_label_selector_match(c->annotations, fx_node_get(meta_of(r), "annotations"));
}

void fx_resmap_select(
        struct fx_build *b, const struct fx_resmap *m, const struct fx_selector *s, struct fx_resmap *out)
{
	struct compiled c = {
	        .patterns = fx_patterns_new(b, &s->id),
	        .labels = *s->labels ? fx_label_selector_new(b, s->labels) : NULL,
	        .annotations = *s->annotations ? fx_label_selector_new(b, s->annotations) : NULL,
	};
	for (size_t i = 0; i < m->len; i++)
		if (selected(b, &c, m->items[i]))
			add_item(b, out, m->items[i]);
}
