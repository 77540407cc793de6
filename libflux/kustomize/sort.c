#include "kustomize/engine.h"

#include <stdlib.h>
#include <string.h>

static const char *const default_first[] = {"Namespace", "ResourceQuota", "StorageClass",
        "CustomResourceDefinition", "ServiceAccount", "PodSecurityPolicy", "Role", "ClusterRole",
        "RoleBinding", "ClusterRoleBinding", "ConfigMap", "Secret", "Endpoints", "Service", "LimitRange",
        "PriorityClass", "PersistentVolume", "PersistentVolumeClaim", "Deployment", "StatefulSet", "CronJob",
        "PodDisruptionBudget"};
static const char *const default_last[] = {"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"};

/* Everything that two resources are compared by. */
struct item {
	struct fx_res *res;
	int rank;
	struct fx_gvk gvk;
	const char *gvk_key, *full_key;
	size_t index;
};

static const char *or_mark(const char *text, const char *mark)
{
	return *text ? text : mark;
}

static int rank_in(const struct fx_texts *first, const struct fx_texts *last, const char *kind)
{
	for (size_t i = first->len; i-- > 0;)
		if (strcmp(first->items[i], kind) == 0)
			return (int)i - (int)first->len;
	for (size_t i = last->len; i-- > 0;)
		if (strcmp(last->items[i], kind) == 0)
			return (int)i + 1;
	return 0;
}

static int compare_items(const void *x, const void *y)
{
	const struct item *a = x, *b = y;
	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	if (!fx_gvk_equal(&a->gvk, &b->gvk)) {
		int c = strcmp(a->gvk_key, b->gvk_key);
		bool namespaces =
		        strcmp(a->gvk.kind, "Namespace") == 0 && strcmp(b->gvk.kind, "Namespace") == 0;
		/* The core group's Namespace goes first. */
		return namespaces && (!*a->gvk.group || !*b->gvk.group) ? -c : c;
	}
	int c = strcmp(a->full_key, b->full_key);
	return c ? c : a->index < b->index ? -1 : 1;
}

static struct fx_texts texts_of(struct fx_build *b, const struct fx_node *list)
{
	struct fx_texts t = {0};
	for (uint32_t i = 0; fx_node_is_seq(list) && i < list->len; i++)
		fx_texts_add(b, &t, list->items[i]->text);
	return t;
}

void fx_sort_legacy(struct fx_build *b, struct fx_resmap *m, const struct fx_node *options)
{
	struct fx_texts first = {.items = (const char **)default_first, .len = FX_COUNT(default_first)};
	struct fx_texts last = {.items = (const char **)default_last, .len = FX_COUNT(default_last)};
	if (options) {
		first = texts_of(b, fx_node_get(options, "orderFirst"));
		last = texts_of(b, fx_node_get(options, "orderLast"));
	}
	struct item *items = fx_new(b, (m->len + 1) * sizeof(*items));
	for (size_t i = 0; i < m->len; i++) {
		struct fx_id id = fx_res_id(b, m->items[i]);
		items[i] = (struct item){.res = m->items[i],
		        .rank = rank_in(&first, &last, id.gvk.kind),
		        .gvk = id.gvk,
		        .gvk_key = fx_fmt(b, "%s_%s_%s", or_mark(id.gvk.group, "~G"),
		                or_mark(id.gvk.version, "~V"), or_mark(id.gvk.kind, "~K")),
		        .full_key = fx_fmt(b, "%s|%s|%s", fx_gvk_text(b, &id.gvk), or_mark(id.ns, "~X"),
		                or_mark(id.name, "~N")),
		        .index = i};
	}
	qsort(items, m->len, sizeof(*items), compare_items);
	for (size_t i = 0; i < m->len; i++)
		m->items[i] = items[i].res;
}
