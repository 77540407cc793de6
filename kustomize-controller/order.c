#include "order.h"

#include <string.h>
#include <strings.h>

static const char *const first_kinds[] = {"CustomResourceDefinition", "Namespace", "ClusterRole",
        "ClusterClass", "RuntimeClass", "PriorityClass", "StorageClass", "VolumeSnapshotClass",
        "IngressClass", "GatewayClass", "ClusterRoleBinding", "ResourceQuota", "ServiceAccount", "Role",
        "RoleBinding", "ConfigMap", "Secret", "Service", "LimitRange", "Deployment", "StatefulSet", "CronJob",
        "PodDisruptionBudget"};
static const char *const last_kinds[] = {"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"};

int fx_stage_kinds_parse(const char *text, struct fx_stage_kinds *out, struct fx_error *err)
{
	struct fx_stage_kinds kinds = {0};
	while (*text) {
		size_t len = strcspn(text, ",");
		const char *slash = memchr(text, '/', len);
		struct fx_stage_kind k = {.group = text, .group_len = slash ? (size_t)(slash - text) : 0};
		k.kind = slash ? slash + 1 : text;
		k.kind_len = len - (size_t)(k.kind - text);
		if (!k.kind_len || memchr(k.kind, '/', k.kind_len))
			return fx_fail(
			        err, FX_E_INVALID, "invalid kind '%.*s', must be group/Kind", (int)len, text);
		if (kinds.len == FX_STAGE_KINDS_MAX)
			return fx_fail(err, FX_E_LIMIT, "more than %d kinds", FX_STAGE_KINDS_MAX);
		kinds.items[kinds.len++] = k;
		text += len + (text[len] == ',');
	}
	*out = kinds;
	return 0;
}

static bool is_definition(const struct fx_ref *ref)
{
	return (!strcasecmp(ref->kind, "CustomResourceDefinition") &&
	               fx_ref_group_is(ref, "apiextensions.k8s.io")) ||
	       (!strcasecmp(ref->kind, "Namespace") && fx_ref_group_is(ref, "")) ||
	       (!strcasecmp(ref->kind, "ClusterRole") && fx_ref_group_is(ref, "rbac.authorization.k8s.io"));
}

static bool is_custom(const struct fx_ref *ref, const struct fx_stage_kinds *custom)
{
	for (size_t i = 0; custom && i < custom->len; i++) {
		const struct fx_stage_kind *k = &custom->items[i];
		if (k->group_len == ref->group_len && !strncmp(k->group, ref->group, k->group_len) &&
		        strlen(ref->kind) == k->kind_len && !strncmp(ref->kind, k->kind, k->kind_len))
			return true;
	}
	return false;
}

enum fx_stage fx_stage_of(const struct fx_ref *ref, const struct fx_stage_kinds *custom)
{
	size_t len = strlen(ref->kind);
	if (is_definition(ref))
		return FX_STAGE_DEFINITIONS;
	if (len >= 5 && !strcmp(ref->kind + len - 5, "Class"))
		return FX_STAGE_CLASSES;
	return is_custom(ref, custom) ? FX_STAGE_CUSTOM : FX_STAGE_REST;
}

static int kind_rank(const char *kind)
{
	for (size_t i = 0; i < FX_COUNT(first_kinds); i++)
		if (!strcmp(kind, first_kinds[i]))
			return (int)i;
	for (size_t i = 0; i < FX_COUNT(last_kinds); i++)
		if (!strcmp(kind, last_kinds[i]))
			return (int)(FX_COUNT(first_kinds) + 1 + i);
	return (int)FX_COUNT(first_kinds);
}

static int compare_group(const struct fx_ref *a, const struct fx_ref *b)
{
	size_t common = a->group_len < b->group_len ? a->group_len : b->group_len;
	int order = memcmp(a->group, b->group, common);
	if (order)
		return order;
	return (a->group_len > b->group_len) - (a->group_len < b->group_len);
}

int fx_ref_compare(const struct fx_ref *a, const struct fx_ref *b)
{
	int order = kind_rank(a->kind) - kind_rank(b->kind);
	if (!order)
		order = compare_group(a, b);
	if (!order)
		order = strcmp(a->kind, b->kind);
	if (!order)
		order = strcmp(a->namespace, b->namespace);
	return order ? order : strcmp(a->name, b->name);
}

struct sort_item {
	json_t *object;
	struct fx_ref ref;
	enum fx_stage stage;
	size_t index;
};

static int compare_items(const void *pa, const void *pb)
{
	const struct sort_item *a = pa, *b = pb;
	if (a->stage != b->stage)
		return a->stage < b->stage ? -1 : 1;
	int order = fx_ref_compare(&a->ref, &b->ref);
	if (order)
		return order;
	return a->index < b->index ? -1 : 1;
}

bool fx_manifests_sort(json_t *objects, const struct fx_stage_kinds *custom)
{
	size_t count = json_array_size(objects);
	fx_autofree struct sort_item *items = calloc(count ? count : 1, sizeof(*items));
	if (!items)
		return false;
	for (size_t i = 0; i < count; i++) {
		json_t *object = json_array_get(objects, i);
		struct fx_ref ref = fx_manifest_ref(object);
		items[i] = (struct sort_item){.object = json_incref(object),
		        .ref = ref,
		        .stage = fx_stage_of(&ref, custom),
		        .index = i};
	}
	qsort(items, count, sizeof(*items), compare_items);
	for (size_t i = 0; i < count; i++)
		json_array_set_new(objects, i, items[i].object);
	return true;
}
