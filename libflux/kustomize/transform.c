#include "kustomize/engine.h"

#include <stdlib.h>
#include <string.h>

/* ---- namespace ---- */

struct ns_set {
	const char *ns;
	bool unset_only;
};

static void set_namespace(struct fx_build *b, struct fx_node *n, void *ctx)
{
	const struct ns_set *s = ctx;
	if (s->unset_only && n->kind == FX_NODE_SCALAR && n->tag != FX_TAG_NULL && n->len)
		return;
	fx_set_scalar(b, n, s->ns, FX_TAG_STR);
}

static void set_subjects(struct fx_build *b, struct fx_res *r, const char *mode, const struct ns_set *set)
{
	bool all = strcmp(mode, "allServiceAccounts") == 0;
	struct fx_node *subjects = fx_node_get(r->node, "subjects");
	if (strcmp(mode, "none") == 0 || fx_node_is_null(subjects))
		return;
	if (subjects->kind != FX_NODE_SEQ)
		fx_throw(b, "setting namespace on (cluster)role binding subjects: subjects is no list");
	for (uint32_t i = 0; i < subjects->len; i++) {
		struct fx_node *s = subjects->items[i];
		if (fx_node_is_null(s))
			continue;
		if (s->kind != FX_NODE_MAP)
			fx_throw(b,
			        "setting namespace on (cluster)role binding subjects: looking up %s on "
			        "(cluster)role binding subject: "
			        "wrong node kind",
			        all ? "kind" : "name");
		if (!fx_node_text_is(
		            fx_node_get(s, all ? "kind" : "name"), all ? "ServiceAccount" : "default"))
			continue;
		struct fx_node *ns = fx_node_get(s, "namespace");
		if (!ns)
			fx_set(b, s, "namespace", ns = fx_scalar(b, FX_TAG_NONE, ""));
		set_namespace(b, ns, (void *)set);
	}
}

static void transform_one(struct fx_build *b, struct fx_res *r, struct ns_set *set,
        const struct fx_fieldspecs *specs, const char *subjects)
{
	static struct fx_fieldspec meta = {.gvk = {.group = "", .version = "", .kind = ""},
	        .path = "metadata/namespace",
	        .create = true};
	struct fx_gvk gvk = fx_gvk_of(b, r->node);
	if (!gvk.cluster) {
		struct fx_fieldspec spec = meta;
		fx_fieldspec_split(b, &spec);
		fx_fieldspec_visit(b, &spec, r, FX_NODE_SCALAR, FX_TAG_NONE, false, set_namespace, set);
	}
	bool binding = strcmp(gvk.kind, "RoleBinding") == 0 || strcmp(gvk.kind, "ClusterRoleBinding") == 0;
	if (binding)
		set_subjects(b, r, subjects, set);
	bool v1 = !*gvk.group && strcmp(gvk.version, "v1") == 0;
	for (size_t i = 0; i < specs->len; i++) {
		const struct fx_fieldspec *s = &specs->items[i];
		bool for_binding = strcmp(s->gvk.kind, "RoleBinding") == 0 ||
		                   strcmp(s->gvk.kind, "ClusterRoleBinding") == 0;
		if (strcmp(s->path, "metadata/namespace") == 0 ||
		        (!v1 && strcmp(s->path, "metadata/name") == 0) ||
		        (binding && for_binding && strcmp(s->path, "subjects/namespace") == 0))
			continue;
		fx_fieldspec_visit(b, s, r, FX_NODE_SCALAR, FX_TAG_STR, false, set_namespace, set);
	}
}

/* Counts how many resources have each id, so that a conflict is seen at the resource where it arises. */
static void count_id(struct fx_build *b, struct fx_index *counts, const char *key, int by)
{
	size_t n = (size_t)fx_index_get(counts, key);
	fx_index_set(b, counts, key, (void *)(n + (size_t)by));
}

void fx_transform_namespace(struct fx_build *b, struct fx_resmap *m, const char *ns,
        const struct fx_fieldspecs *specs, bool unset_only, const char *subjects)
{
	struct ns_set set = {ns, unset_only};
	struct fx_index counts = {0};
	if (!*ns)
		return;
	for (size_t i = 0; i < m->len; i++) {
		struct fx_id id = fx_res_id(b, m->items[i]);
		count_id(b, &counts, fx_id_key(b, &id), 1);
	}
	for (size_t i = 0; i < m->len; i++) {
		struct fx_res *r = m->items[i];
		const char *helm = fx_res_annotation(r, FX_ANNO_HELM);
		if (fx_node_is_nil_or_empty(r->node) || (helm && strcmp(helm, "true") == 0))
			continue;
		struct fx_id old = fx_res_id(b, r);
		const char *old_key = fx_id_key(b, &old);
		fx_res_store_id(b, r);
		transform_one(b, r, &set, specs, subjects);
		struct fx_id id = fx_res_id(b, r);
		const char *key = fx_id_key(b, &id);
		count_id(b, &counts, old_key, -1);
		count_id(b, &counts, key, 1);
		if ((size_t)fx_index_get(&counts, key) == 1)
			continue;
		struct fx_texts found = {0};
		for (size_t k = 0; k < m->len; k++) {
			struct fx_id other = fx_res_id(b, m->items[k]);
			if (fx_id_equal(&other, &id))
				fx_texts_add(b, &found, fx_node_json(b, m->items[k]->node, 3));
		}
		fx_throw(b, "namespace transformation produces ID conflict: [%s]",
		        fx_texts_join(b, &found, " "));
	}
	m->ids_valid = false;
}

/* ---- prefix and suffix ---- */

struct affix {
	const char *text;
	bool prefix;
};

static void add_affix(struct fx_build *b, struct fx_node *n, void *ctx)
{
	const struct affix *a = ctx;
	if (n->kind != FX_NODE_SCALAR)
		fx_wrong_kind(b, "ScalarNode", n);
	const char *text =
	        a->prefix ? fx_fmt(b, "%s%s", a->text, n->text) : fx_fmt(b, "%s%s", n->text, a->text);
	fx_set_scalar(b, n, text, FX_TAG_NONE);
}

static bool keeps_name(const struct fx_gvk *gvk)
{
	return strcmp(gvk->kind, "CustomResourceDefinition") == 0 || strcmp(gvk->kind, "Namespace") == 0 ||
	       (strcmp(gvk->kind, "APIService") == 0 && strcmp(gvk->group, "apiregistration.k8s.io") == 0);
}

void fx_transform_affix(struct fx_build *b, struct fx_resmap *m, const char *text, bool prefix,
        const struct fx_fieldspecs *specs)
{
	struct affix a = {text, prefix};
	for (size_t i = 0; i < m->len; i++) {
		struct fx_res *r = m->items[i];
		struct fx_id org = fx_res_original_id(b, r);
		if (keeps_name(&org.gvk))
			continue;
		for (size_t k = 0; k < specs->len; k++) {
			if (!fx_gvk_selected(&org.gvk, &specs->items[k].gvk))
				continue;
			if (strcmp(specs->items[k].path, "metadata/name") == 0) {
				fx_res_add_to_list(b, r, prefix ? FX_ANNO_PREFIXES : FX_ANNO_SUFFIXES, text);
				if (*text)
					fx_res_store_id(b, r);
			}
			fx_fieldspec_visit(b, &specs->items[k], r, -1, FX_TAG_NONE, false, add_affix, &a);
		}
	}
	m->ids_valid = false;
}

/* ---- labels and annotations ---- */

struct entry {
	const struct fx_node *key;
	struct fx_node *value; /* one node for all places of a resource where the key is new */
};

static void set_entry(struct fx_build *b, struct fx_node *n, void *ctx)
{
	const struct entry *e = ctx;
	if (n->kind != FX_NODE_MAP)
		fx_wrong_kind(b, "MappingNode", n);
	struct fx_node *have = fx_node_get(n, e->key->text);
	if (have) {
		e->value->style = have->style;
		*have = *e->value;
	} else {
		fx_set(b, n, e->key->text, e->value);
	}
}

static int compare_pairs(const void *x, const void *y)
{
	return strcmp(((const struct fx_pair *)x)->key->text, ((const struct fx_pair *)y)->key->text);
}

void fx_transform_map(struct fx_build *b, struct fx_resmap *m, const struct fx_node *values,
        const struct fx_fieldspecs *specs)
{
	if (!fx_node_is_map(values) || values->len == 0)
		return;
	struct fx_node *sorted = fx_copy(b, values);
	qsort(sorted->pairs, sorted->len, sizeof(*sorted->pairs), compare_pairs);
	for (size_t i = 0; i < m->len; i++) {
		for (uint32_t k = 0; k < sorted->len; k++) {
			const struct fx_node *v = sorted->pairs[k].value;
			struct entry e = {sorted->pairs[k].key,
			        fx_need(b, fx_node_new_scalar_len(b->arena, FX_TAG_STR, v->text, v->len))};
			for (size_t s = 0; s < specs->len; s++)
				fx_fieldspec_visit(b, &specs->items[s], m->items[i], FX_NODE_MAP, FX_TAG_MAP,
				        false, set_entry, &e);
		}
	}
	m->ids_valid = false;
}

/* ---- replicas ---- */

static void set_count(struct fx_build *b, struct fx_node *n, void *ctx)
{
	fx_set_scalar(b, n, ctx, FX_TAG_INT);
}

void fx_transform_replicas(struct fx_build *b, struct fx_resmap *m, const char *name, const char *count,
        const struct fx_fieldspecs *specs)
{
	bool found = false;
	struct fx_texts kinds = {0};
	for (size_t s = 0; s < specs->len; s++) {
		const struct fx_fieldspec *spec = &specs->items[s];
		fx_texts_add(b, &kinds, fx_gvk_text(b, &spec->gvk));
		for (size_t i = 0; i < m->len; i++) {
			struct fx_id *ids;
			size_t n = fx_res_all_ids(b, m->items[i], &ids);
			bool hit = false;
			for (size_t k = 0; k < n && !hit; k++)
				hit = strcmp(ids[k].name, name) == 0 &&
				      fx_gvk_selected(&ids[k].gvk, &spec->gvk);
			if (!hit)
				continue;
			found = true;
			fx_fieldspec_visit(b, spec, m->items[i], FX_NODE_SCALAR, FX_TAG_INT, false, set_count,
			        (void *)count);
		}
	}
	if (!found)
		fx_throw(b, "resource with name %s does not match a config with the following GVK [%s]", name,
		        fx_texts_join(b, &kinds, " "));
}

/* ---- images ---- */

struct image {
	const struct fx_pattern *match;
	const char *name, *new_name, *new_tag, *tag_suffix, *digest;
};

/* Cuts an image into name, tag and digest. */
static void split_image(
        struct fx_build *b, const char *text, const char **name, const char **tag, const char **digest)
{
	const char *slash = strchr(text + (*text == '/'), '/');
	const char *from = slash && slash > text ? slash : text;
	const char *at = strchr(from, '@'), *colon = strchr(from, ':');
	*tag = *digest = "";
	if (at && (!colon || at < colon)) {
		*name = fx_strn(b, text, (size_t)(at - text));
		*digest = at + 1;
	} else if (colon) {
		*name = fx_strn(b, text, (size_t)(colon - text));
		*tag = at ? fx_strn(b, colon + 1, (size_t)(at - colon - 1)) : colon + 1;
		if (at)
			*digest = at + 1;
	} else {
		*name = text;
	}
}

static void set_image(struct fx_build *b, struct fx_node *n, void *ctx)
{
	const struct image *img = ctx;
	if (n->kind != FX_NODE_SCALAR)
		fx_wrong_kind(b, "ScalarNode", n);
	if (!fx_pattern_match(b, img->match, n->text))
		return;
	const char *name, *tag, *digest;
	split_image(b, n->text, &name, &tag, &digest);
	if (*img->new_name)
		name = img->new_name;
	if (*img->new_tag && *img->digest) {
		tag = img->new_tag;
		digest = img->digest;
	} else if (*img->new_tag) {
		tag = img->new_tag;
		digest = "";
	} else if (*img->digest) {
		tag = "";
		digest = img->digest;
	} else if (*img->tag_suffix) {
		tag = fx_fmt(b, "%s%s", tag, img->tag_suffix);
		digest = "";
	}
	fx_set_scalar(b, n, fx_fmt(b, "%s%s%s%s%s", name, *tag ? ":" : "", tag, *digest ? "@" : "", digest),
	        FX_TAG_NONE);
}

static void set_images(struct fx_build *b, struct fx_node *list, const struct image *img)
{
	for (uint32_t i = 0; i < list->len; i++) {
		if (fx_node_is_null(list->items[i]))
			continue;
		if (list->items[i]->kind != FX_NODE_MAP)
			fx_wrong_kind(b, "MappingNode", list->items[i]);
		struct fx_node *image = fx_node_get(list->items[i], "image");
		if (!fx_node_is_null(image))
			set_image(b, image, (void *)img);
	}
}

static void walk_containers(struct fx_build *b, struct fx_node *n, const struct image *img)
{
	if (n->kind == FX_NODE_SEQ) {
		for (uint32_t i = 0; i < n->len; i++)
			walk_containers(b, n->items[i], img);
		return;
	}
	if (n->kind != FX_NODE_MAP)
		return;
	for (uint32_t i = 0; i < n->len; i++) {
		struct fx_node *value = n->pairs[i].value;
		walk_containers(b, value, img);
		if (value->kind == FX_NODE_SEQ && (fx_node_text_is(n->pairs[i].key, "containers") ||
		                                          fx_node_text_is(n->pairs[i].key, "initContainers")))
			set_images(b, value, img);
	}
}

static const char *text_at(const struct fx_node *n, const char *key)
{
	const char *t = fx_node_get_text(n, key);
	return t ? t : "";
}

void fx_transform_image(struct fx_build *b, struct fx_resmap *m, const struct fx_node *image,
        const struct fx_fieldspecs *specs)
{
	struct image img = {.name = text_at(image, "name"),
	        .new_name = text_at(image, "newName"),
	        .new_tag = text_at(image, "newTag"),
	        .tag_suffix = text_at(image, "tagSuffix"),
	        .digest = text_at(image, "digest")};
	img.match = fx_pattern_new(
	        b, fx_fmt(b, "^%s(:[a-zA-Z0-9_.{}-]*)?(@sha256:[a-zA-Z0-9_.{}-]*)?$", img.name), false);
	for (size_t i = 0; i < m->len; i++) {
		struct fx_res *r = m->items[i];
		if (strcmp(fx_res_kind(r), "CustomResourceDefinition") == 0)
			continue;
		walk_containers(b, r->node, &img);
		for (size_t s = 0; s < specs->len; s++)
			fx_fieldspec_visit(b, &specs->items[s], r, -1, FX_TAG_NONE, false, set_image, &img);
	}
}
