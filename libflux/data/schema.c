#include "data/schema.h"

#include "core/cleanup.h"

#include <stdio.h>
#include <string.h>

/*
 * The lists that are merged, and the way to them. Types and fields that lead to no such list are
 * left out. keys: NULL for an object (or for the elements of a list that is itself replaced),
 * "" for a list of scalars, else the merge keys.
 */
enum type_id {
	T_NONE,
	T_META,
	T_OBJECT, /* metadata only */
	T_CONDITIONS,
	T_WITH_STATUS, /* metadata and status.conditions */
	T_COMPONENT_STATUS,
	T_POD,
	T_POD_SPEC,
	T_POD_STATUS,
	T_POD_TEMPLATE,
	T_POD_TEMPLATE_KIND,
	T_CONTAINER,
	T_EPHEMERAL_CONTAINER,
	T_VOLUME,
	T_EPHEMERAL_VOLUME,
	T_CLAIM_TEMPLATE,
	T_WORKLOAD,
	T_WORKLOAD_SPEC,
	T_CRON_JOB,
	T_CRON_JOB_SPEC,
	T_JOB_TEMPLATE,
	T_SERVICE,
	T_SERVICE_SPEC,
	T_SERVICE_ACCOUNT,
	T_WEBHOOKS,
	T_NODE,
	T_NODE_SPEC,
	T_NODE_STATUS,
	T_CSI_NODE,
	T_CSI_NODE_SPEC,
	T_KUSTOMIZATION,
	T_COUNT,
};

struct field {
	const char *name;
	enum type_id type;
	const char *keys;
};

struct fx_schema_type {
	struct field fields[9];
};

static const struct fx_schema_type types[T_COUNT] = {
        [T_NONE] = {{{0}}},
        [T_META] = {{{"ownerReferences", T_NONE, "uid"}, {"finalizers", T_NONE, ""}}},
        [T_OBJECT] = {{{"metadata", T_META, NULL}}},
        [T_CONDITIONS] = {{{"conditions", T_NONE, "type"}}},
        [T_WITH_STATUS] = {{{"metadata", T_META, NULL}, {"status", T_CONDITIONS, NULL}}},
        [T_COMPONENT_STATUS] = {{{"metadata", T_META, NULL}, {"conditions", T_NONE, "type"}}},
        [T_POD] = {{{"metadata", T_META, NULL}, {"spec", T_POD_SPEC, NULL}, {"status", T_POD_STATUS, NULL}}},
        [T_POD_SPEC] = {{{"containers", T_CONTAINER, "name"}, {"initContainers", T_CONTAINER, "name"},
                {"ephemeralContainers", T_EPHEMERAL_CONTAINER, "name"}, {"volumes", T_VOLUME, "name"},
                {"imagePullSecrets", T_NONE, "name"}, {"hostAliases", T_NONE, "ip"},
                {"topologySpreadConstraints", T_NONE, "topologyKey,whenUnsatisfiable"}}},
        [T_POD_STATUS] = {{{"conditions", T_NONE, "type"}, {"podIPs", T_NONE, "ip"}}},
        [T_POD_TEMPLATE] = {{{"metadata", T_META, NULL}, {"spec", T_POD_SPEC, NULL}}},
        [T_POD_TEMPLATE_KIND] = {{{"metadata", T_META, NULL}, {"template", T_POD_TEMPLATE, NULL}}},
        [T_CONTAINER] = {{{"env", T_NONE, "name"}, {"ports", T_NONE, "containerPort,protocol"},
                {"volumeMounts", T_NONE, "mountPath"}, {"volumeDevices", T_NONE, "devicePath"}}},
        [T_EPHEMERAL_CONTAINER] = {{{"env", T_NONE, "name"}, {"volumeMounts", T_NONE, "mountPath"},
                {"volumeDevices", T_NONE, "devicePath"}}},
        [T_VOLUME] = {{{"ephemeral", T_EPHEMERAL_VOLUME, NULL}}},
        [T_EPHEMERAL_VOLUME] = {{{"volumeClaimTemplate", T_CLAIM_TEMPLATE, NULL}}},
        [T_CLAIM_TEMPLATE] = {{{"metadata", T_META, NULL}}},
        [T_WORKLOAD] = {{{"metadata", T_META, NULL}, {"spec", T_WORKLOAD_SPEC, NULL},
                {"status", T_CONDITIONS, NULL}}},
        [T_WORKLOAD_SPEC] = {{{"template", T_POD_TEMPLATE, NULL}}},
        [T_CRON_JOB] = {{{"metadata", T_META, NULL}, {"spec", T_CRON_JOB_SPEC, NULL}}},
        [T_CRON_JOB_SPEC] = {{{"jobTemplate", T_JOB_TEMPLATE, NULL}}},
        [T_JOB_TEMPLATE] = {{{"metadata", T_META, NULL}, {"spec", T_WORKLOAD_SPEC, NULL}}},
        [T_SERVICE] = {{{"metadata", T_META, NULL}, {"spec", T_SERVICE_SPEC, NULL},
                {"status", T_CONDITIONS, NULL}}},
        [T_SERVICE_SPEC] = {{{"ports", T_NONE, "port,protocol"}}},
        [T_SERVICE_ACCOUNT] = {{{"metadata", T_META, NULL}, {"secrets", T_NONE, "name"}}},
        [T_WEBHOOKS] = {{{"metadata", T_META, NULL}, {"webhooks", T_NONE, "name"}}},
        [T_NODE] = {{{"metadata", T_META, NULL}, {"spec", T_NODE_SPEC, NULL},
                {"status", T_NODE_STATUS, NULL}}},
        [T_NODE_SPEC] = {{{"podCIDRs", T_NONE, ""}}},
        [T_NODE_STATUS] = {{{"conditions", T_NONE, "type"}, {"addresses", T_NONE, "type"}}},
        [T_CSI_NODE] = {{{"metadata", T_META, NULL}, {"spec", T_CSI_NODE_SPEC, NULL}}},
        [T_KUSTOMIZATION] = {{{"configMapGenerator", T_NONE, "name"}, {"secretGenerator", T_NONE, "name"}}},
        [T_CSI_NODE_SPEC] = {{{"drivers", T_NONE, "name"}}},
};

enum scope {
	S_UNKNOWN,
	S_NAMESPACED,
	S_CLUSTER,
};

/* kinds: names joined by spaces. */
struct kinds {
	const char *api_versions;
	const char *kinds;
	enum type_id type;
	enum scope scope;
};

static const struct kinds kinds[] = {
        {"v1", "ConfigMap Endpoints Event LimitRange ResourceQuota Secret", T_OBJECT, S_NAMESPACED},
        {"v1", "PodAttachOptions PodExecOptions PodPortForwardOptions PodProxyOptions ServiceProxyOptions",
                T_NONE, S_NAMESPACED},
        {"v1", "Binding", T_OBJECT, S_UNKNOWN},
        {"v1", "Pod", T_POD, S_NAMESPACED},
        {"v1", "PodTemplate", T_POD_TEMPLATE_KIND, S_NAMESPACED},
        {"v1", "PersistentVolumeClaim", T_WITH_STATUS, S_NAMESPACED},
        {"v1", "ReplicationController", T_WORKLOAD, S_NAMESPACED},
        {"v1", "Service", T_SERVICE, S_NAMESPACED},
        {"v1", "ServiceAccount", T_SERVICE_ACCOUNT, S_NAMESPACED},
        {"v1", "ComponentStatus", T_COMPONENT_STATUS, S_CLUSTER},
        {"v1", "Namespace", T_WITH_STATUS, S_CLUSTER},
        {"v1", "Node", T_NODE, S_CLUSTER},
        {"v1", "NodeProxyOptions", T_NONE, S_CLUSTER},
        {"v1", "PersistentVolume", T_OBJECT, S_CLUSTER},
        {"apps/v1", "DaemonSet Deployment ReplicaSet StatefulSet", T_WORKLOAD, S_NAMESPACED},
        {"apps/v1", "ControllerRevision", T_OBJECT, S_NAMESPACED},
        {"autoscaling/v1", "HorizontalPodAutoscaler Scale", T_OBJECT, S_NAMESPACED},
        {"autoscaling/v2beta1 autoscaling/v2beta2", "HorizontalPodAutoscaler", T_OBJECT, S_NAMESPACED},
        {"batch/v1", "Job", T_WORKLOAD, S_NAMESPACED},
        {"batch/v1 batch/v1beta1", "CronJob", T_CRON_JOB, S_NAMESPACED},
        {"coordination.k8s.io/v1 coordination.k8s.io/v1beta1", "Lease", T_OBJECT, S_NAMESPACED},
        {"discovery.k8s.io/v1 discovery.k8s.io/v1beta1", "EndpointSlice", T_OBJECT, S_NAMESPACED},
        {"events.k8s.io/v1 events.k8s.io/v1beta1", "Event", T_OBJECT, S_NAMESPACED},
        {"extensions/v1beta1 networking.k8s.io/v1 networking.k8s.io/v1beta1", "Ingress", T_OBJECT,
                S_NAMESPACED},
        {"networking.k8s.io/v1", "NetworkPolicy", T_OBJECT, S_NAMESPACED},
        {"policy/v1 policy/v1beta1", "PodDisruptionBudget", T_WITH_STATUS, S_NAMESPACED},
        {"rbac.authorization.k8s.io/v1 rbac.authorization.k8s.io/v1beta1", "Role RoleBinding", T_OBJECT,
                S_NAMESPACED},
        {"storage.k8s.io/v1beta1", "CSIStorageCapacity", T_OBJECT, S_NAMESPACED},
        {"admissionregistration.k8s.io/v1 admissionregistration.k8s.io/v1beta1",
                "MutatingWebhookConfiguration ValidatingWebhookConfiguration", T_WEBHOOKS, S_CLUSTER},
        {"apiextensions.k8s.io/v1 apiextensions.k8s.io/v1beta1", "CustomResourceDefinition", T_OBJECT,
                S_CLUSTER},
        {"apiregistration.k8s.io/v1 apiregistration.k8s.io/v1beta1", "APIService", T_WITH_STATUS, S_CLUSTER},
        {"certificates.k8s.io/v1 certificates.k8s.io/v1beta1", "CertificateSigningRequest", T_OBJECT,
                S_CLUSTER},
        {"flowcontrol.apiserver.k8s.io/v1beta1", "FlowSchema PriorityLevelConfiguration", T_OBJECT,
                S_CLUSTER},
        {"networking.k8s.io/v1 networking.k8s.io/v1beta1", "IngressClass", T_OBJECT, S_CLUSTER},
        {"node.k8s.io/v1 node.k8s.io/v1beta1", "RuntimeClass", T_OBJECT, S_CLUSTER},
        {"policy/v1beta1", "PodSecurityPolicy", T_OBJECT, S_CLUSTER},
        {"policy/v1beta1", "Eviction", T_OBJECT, S_UNKNOWN},
        {"rbac.authorization.k8s.io/v1 rbac.authorization.k8s.io/v1beta1", "ClusterRole ClusterRoleBinding",
                T_OBJECT, S_CLUSTER},
        {"scheduling.k8s.io/v1 scheduling.k8s.io/v1beta1", "PriorityClass", T_OBJECT, S_CLUSTER},
        {"storage.k8s.io/v1 storage.k8s.io/v1beta1", "CSINode", T_CSI_NODE, S_CLUSTER},
        {"storage.k8s.io/v1 storage.k8s.io/v1beta1", "CSIDriver StorageClass VolumeAttachment", T_OBJECT,
                S_CLUSTER},
        {"kustomize.config.k8s.io/v1beta1", "Kustomization", T_KUSTOMIZATION, S_UNKNOWN},
        {"authentication.k8s.io/v1 authentication.k8s.io/v1beta1", "TokenRequest TokenReview", T_OBJECT,
                S_UNKNOWN},
        {"authorization.k8s.io/v1 authorization.k8s.io/v1beta1",
                "SubjectAccessReview LocalSubjectAccessReview SelfSubjectAccessReview SelfSubjectRulesReview",
                T_OBJECT, S_UNKNOWN},
};

static bool has_word(const char *words, const char *word)
{
	size_t n = strlen(word);
	if (n == 0)
		return false;
	for (const char *s = words; (s = strstr(s, word)); s += n)
		if ((s == words || s[-1] == ' ') && (s[n] == '\0' || s[n] == ' '))
			return true;
	return false;
}

static const struct kinds *find_kind(const char *api_version, const char *kind)
{
	for (size_t i = 0; i < FX_COUNT(kinds); i++)
		if (has_word(kinds[i].kinds, kind) && has_word(kinds[i].api_versions, api_version))
			return &kinds[i];
	return NULL;
}

/* ---- custom documents ---- */

/* Built-in types that custom documents refer to without defining them. */
static const struct {
	const char *name;
	enum type_id type;
} type_names[] = {{"ObjectMeta", T_META}, {"PodSpec", T_POD_SPEC}, {"PodTemplateSpec", T_POD_TEMPLATE},
        {"Container", T_CONTAINER}, {"EphemeralContainer", T_EPHEMERAL_CONTAINER}, {"Volume", T_VOLUME},
        {"EphemeralVolumeSource", T_EPHEMERAL_VOLUME}, {"PersistentVolumeClaimTemplate", T_CLAIM_TEMPLATE},
        {"ServiceSpec", T_SERVICE_SPEC}, {"Pod", T_POD}, {"DeploymentSpec", T_WORKLOAD_SPEC},
        {"StatefulSetSpec", T_WORKLOAD_SPEC}, {"DaemonSetSpec", T_WORKLOAD_SPEC},
        {"ReplicaSetSpec", T_WORKLOAD_SPEC}, {"JobSpec", T_WORKLOAD_SPEC}, {"CronJobSpec", T_CRON_JOB_SPEC},
        {"JobTemplateSpec", T_JOB_TEMPLATE}, {"Deployment", T_WORKLOAD}, {"StatefulSet", T_WORKLOAD},
        {"DaemonSet", T_WORKLOAD}, {"ReplicaSet", T_WORKLOAD}, {"Job", T_WORKLOAD}, {"Service", T_SERVICE},
        {"PersistentVolumeClaim", T_WITH_STATUS}};

static struct fx_schema_at builtin_by_name(const struct fx_schema_set *set, const char *name)
{
	const char *dot = strrchr(name, '.');
	if (!set->builtin || strncmp(name, "io.k8s.", 7) != 0 || !dot)
		return (struct fx_schema_at){0};
	for (size_t i = 0; i < FX_COUNT(type_names); i++)
		if (strcmp(type_names[i].name, dot + 1) == 0)
			return (struct fx_schema_at){.type = &types[type_names[i].type]};
	return (struct fx_schema_at){0};
}

/* Follows references; the place may turn out to be a built-in type. */
static struct fx_schema_at resolve(const struct fx_schema_set *set, struct fx_schema_at at)
{
	static const char prefix[] = "#/definitions/";
	/* A chain of references cannot be longer than this without a loop that matters. */
	for (int i = 0; at.custom && i < 16; i++) {
		const char *ref = fx_node_get_text(at.custom, "$ref");
		if (!ref)
			return at;
		if (strncmp(ref, prefix, sizeof(prefix) - 1) != 0)
			break;
		at.custom = fx_node_get(set->definitions, ref + sizeof(prefix) - 1);
		if (!at.custom)
			return builtin_by_name(set, ref + sizeof(prefix) - 1);
	}
	return (struct fx_schema_at){0};
}

static bool gvk_is(const struct fx_node *gvk, const char *api_version, const char *kind)
{
	const char *group = fx_node_get_text(gvk, "group"), *version = fx_node_get_text(gvk, "version");
	char text[512];
	if (!version)
		return false;
	snprintf(text, sizeof(text), "%s%s%s", group ? group : "", group && *group ? "/" : "", version);
	const char *k = fx_node_get_text(gvk, "kind");
	return k && strcmp(k, kind) == 0 && strcmp(text, api_version) == 0;
}

static const struct fx_node *find_definition(
        const struct fx_schema_set *set, const char *api_version, const char *kind)
{
	const struct fx_node *found = NULL;
	for (uint32_t i = 0; set->definitions && i < set->definitions->len; i++) {
		const struct fx_node *def = set->definitions->pairs[i].value;
		const struct fx_node *gvks = fx_node_get(def, "x-kubernetes-group-version-kind");
		for (uint32_t k = 0; fx_node_is_seq(gvks) && k < gvks->len; k++)
			if (gvk_is(gvks->items[k], api_version, kind))
				found = def;
	}
	return found;
}

struct fx_schema_at fx_schema_kind(const struct fx_schema_set *set, const char *api_version, const char *kind)
{
	struct fx_schema_at at = {0};
	at.custom = find_definition(set, api_version, kind);
	if (at.custom || !set->builtin)
		return at;
	const struct kinds *k = find_kind(api_version, kind);
	if (k)
		at.type = &types[k->type];
	return at;
}

struct fx_schema_at fx_schema_field(const struct fx_schema_set *set, struct fx_schema_at at, const char *name)
{
	struct fx_schema_at out = {0};
	if (at.custom)
		at = resolve(set, at);
	if (at.custom) {
		out.custom = fx_node_at(at.custom, "properties", name, NULL);
		if (!out.custom)
			out.custom = fx_node_get(at.custom, "additionalProperties");
		if (out.custom && !fx_node_is_map(out.custom))
			out.custom = NULL;
		return out;
	}
	if (!at.type || at.keys)
		return out;
	for (const struct field *f = at.type->fields;
	        f < at.type->fields + FX_COUNT(at.type->fields) && f->name; f++) {
		if (strcmp(f->name, name) != 0)
			continue;
		out.type = &types[f->type];
		out.keys = f->keys;
		break;
	}
	return out;
}

struct fx_schema_at fx_schema_items(const struct fx_schema_set *set, struct fx_schema_at at)
{
	struct fx_schema_at out = {0};
	if (at.custom)
		at = resolve(set, at);
	if (at.custom) {
		out.custom = fx_node_get(at.custom, "items");
		return out;
	}
	out.type = at.type;
	return out;
}

static void add_key(char keys[FX_SCHEMA_MAX_KEYS][64], int *n, const char *key, size_t len)
{
	if (*n < FX_SCHEMA_MAX_KEYS && len < 64 && len > 0) {
		memcpy(keys[*n], key, len);
		keys[(*n)++][len] = '\0';
	}
}

bool fx_schema_merges(struct fx_schema_at at, char keys[FX_SCHEMA_MAX_KEYS][64], int *n)
{
	*n = 0;
	if (at.custom) {
		const char *strategy = fx_node_get_text(at.custom, "x-kubernetes-patch-strategy");
		if (!strategy || !strstr(strategy, "merge"))
			return false;
		const struct fx_node *list = fx_node_get(at.custom, "x-kubernetes-list-map-keys");
		for (uint32_t i = 0; fx_node_is_seq(list) && i < list->len; i++)
			if (fx_node_is_scalar(list->items[i]))
				add_key(keys, n, list->items[i]->text, list->items[i]->len);
		const char *key = fx_node_get_text(at.custom, "x-kubernetes-patch-merge-key");
		if (*n == 0 && key)
			add_key(keys, n, key, strlen(key));
		return true;
	}
	if (!at.keys)
		return false;
	for (const char *s = at.keys; *s;) {
		size_t w = strcspn(s, ",");
		add_key(keys, n, s, w);
		s += w + (s[w] == ',');
	}
	return true;
}

/* Paths of the custom document: a GET below /namespaces/{namespace}/ makes a kind namespaced. */
static enum scope custom_scope(const struct fx_schema_set *set, const char *api_version, const char *kind)
{
	enum scope scope = S_UNKNOWN;
	for (uint32_t i = 0; set->paths && i < set->paths->len; i++) {
		const struct fx_node *gvk = fx_node_at(
		        set->paths->pairs[i].value, "get", "x-kubernetes-group-version-kind", NULL);
		if (!gvk || !gvk_is(gvk, api_version, kind))
			continue;
		if (strstr(set->paths->pairs[i].key->text, "namespaces/{namespace}"))
			return S_NAMESPACED;
		scope = S_CLUSTER;
	}
	return scope;
}

bool fx_schema_knows_scope(const char *api_version, const char *kind)
{
	const struct kinds *k = find_kind(api_version, kind);
	return k && k->scope != S_UNKNOWN;
}

bool fx_schema_is_cluster_scoped(const struct fx_schema_set *set, const char *api_version, const char *kind)
{
	const struct kinds *k = find_kind(api_version, kind);
	if (k && k->scope != S_UNKNOWN)
		return k->scope == S_CLUSTER;
	return set && set->paths && custom_scope(set, api_version, kind) == S_CLUSTER;
}
