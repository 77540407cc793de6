#include "kustomize/engine.h"

#include "data/yaml.h"

#include <string.h>
#include <strings.h>

/* ---- built-in places (builtinpluginconsts of kustomize 5.8) ---- */

/* One row stands for the product of its paths and kinds; lists are joined by spaces. */
struct row {
	enum fx_config_list list;
	const char *paths;
	const char *kinds; /* "": any */
	const char *group, *version;
	bool create;
};

#define AFFINITY(p)                                                                                          \
	p "/podAffinity/preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/labelSelector/"      \
	  "matchLabels " p                                                                                   \
	  "/podAffinity/requiredDuringSchedulingIgnoredDuringExecution/labelSelector/matchLabels " p         \
	  "/podAntiAffinity/preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/labelSelector/"  \
	  "matchLabels " p                                                                                   \
	  "/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution/labelSelector/matchLabels"
#define CRON "spec/jobTemplate/spec/template/spec"
#define VARS(p)                                                                                              \
	p "/containers/args " p "/containers/command " p "/containers/env/value " p                          \
	  "/containers/volumeMounts/mountPath " p "/initContainers/args " p "/initContainers/command " p     \
	  "/initContainers/env/value " p "/initContainers/volumeMounts/mountPath"

static const struct row rows[] = {
        {FX_CFG_NAMESPACE, "metadata/name", "Namespace", "", "", true},
        {FX_CFG_NAMESPACE, "spec/service/namespace", "APIService", "apiregistration.k8s.io", "", true},
        {FX_CFG_NAMESPACE, "spec/conversion/webhook/clientConfig/service/namespace",
                "CustomResourceDefinition", "apiextensions.k8s.io", "", false},
        {FX_CFG_NAME_PREFIX, "metadata/name", "", "", "", false},
        {FX_CFG_NAME_SUFFIX, "metadata/name", "", "", "", false},
        {FX_CFG_COMMON_LABELS, "spec/selector", "Service ReplicationController", "", "v1", true},
        {FX_CFG_COMMON_LABELS, "spec/selector/matchLabels", "Deployment ReplicaSet DaemonSet", "", "", true},
        {FX_CFG_COMMON_LABELS, "spec/selector/matchLabels", "StatefulSet", "apps", "", true},
        {FX_CFG_COMMON_LABELS, "spec/selector/matchLabels", "Job", "batch", "", false},
        {FX_CFG_COMMON_LABELS, "spec/selector/matchLabels", "PodDisruptionBudget", "policy", "", false},
        {FX_CFG_COMMON_LABELS, "spec/jobTemplate/spec/selector/matchLabels", "CronJob", "batch", "", false},
        {FX_CFG_COMMON_LABELS,
                AFFINITY("spec/template/spec/affinity") " spec/template/spec/topologySpreadConstraints/"
                                                        "labelSelector/matchLabels",
                "Deployment StatefulSet", "apps", "", false},
        {FX_CFG_COMMON_LABELS,
                "spec/podSelector/matchLabels spec/ingress/from/podSelector/matchLabels "
                "spec/egress/to/podSelector/matchLabels",
                "NetworkPolicy", "networking.k8s.io", "", false},
        {FX_CFG_TEMPLATE_LABELS, "metadata/labels", "", "", "", true},
        {FX_CFG_TEMPLATE_LABELS, "spec/template/metadata/labels", "ReplicationController", "", "v1", true},
        {FX_CFG_TEMPLATE_LABELS, "spec/template/metadata/labels", "Deployment ReplicaSet DaemonSet", "", "",
                true},
        {FX_CFG_TEMPLATE_LABELS, "spec/template/metadata/labels spec/volumeClaimTemplates[]/metadata/labels",
                "StatefulSet", "apps", "", true},
        {FX_CFG_TEMPLATE_LABELS, "spec/template/metadata/labels", "Job", "batch", "", true},
        {FX_CFG_TEMPLATE_LABELS,
                "spec/jobTemplate/metadata/labels spec/jobTemplate/spec/template/metadata/labels", "CronJob",
                "batch", "", true},
        {FX_CFG_COMMON_ANNOTATIONS, "metadata/annotations", "", "", "", true},
        {FX_CFG_COMMON_ANNOTATIONS, "spec/template/metadata/annotations", "ReplicationController", "", "v1",
                true},
        {FX_CFG_COMMON_ANNOTATIONS, "spec/template/metadata/annotations",
                "Deployment ReplicaSet DaemonSet StatefulSet", "", "", true},
        {FX_CFG_COMMON_ANNOTATIONS, "spec/template/metadata/annotations", "Job", "batch", "", true},
        {FX_CFG_COMMON_ANNOTATIONS,
                "spec/jobTemplate/metadata/annotations spec/jobTemplate/spec/template/metadata/annotations",
                "CronJob", "batch", "", true},
        {FX_CFG_REPLICAS, "spec/replicas", "Deployment StatefulSet ReplicaSet ReplicationController", "", "",
                true},
        {FX_CFG_IMAGES,
                "spec/containers[]/image spec/initContainers[]/image spec/volumes[]/image/reference "
                "spec/template/spec/containers[]/image spec/template/spec/initContainers[]/image "
                "spec/template/spec/volumes[]/image/reference",
                "", "", "", true},
        {FX_CFG_VAR_REFERENCE, VARS("spec"), "Pod", "", "", false},
        {FX_CFG_VAR_REFERENCE, VARS("spec/template/spec"), "DaemonSet Deployment Job ReplicaSet StatefulSet",
                "", "", false},
        {FX_CFG_VAR_REFERENCE, VARS(CRON), "CronJob", "", "", false},
        {FX_CFG_VAR_REFERENCE, "spec/volumes/nfs/server", "Pod", "", "", false},
        {FX_CFG_VAR_REFERENCE, "spec/template/spec/volumes/nfs/server", "DaemonSet Deployment Job ReplicaSet",
                "", "", false},
        {FX_CFG_VAR_REFERENCE, "spec/jobTemplate/spec/template/volumes/nfs/server", "CronJob", "", "", false},
        {FX_CFG_VAR_REFERENCE, "spec/template/metadata/annotations", "Deployment", "", "", false},
        {FX_CFG_VAR_REFERENCE, "spec/rules/host spec/tls/hosts spec/tls/secretName", "Ingress", "", "",
                false},
        {FX_CFG_VAR_REFERENCE, "spec/ports/port spec/ports/targetPort", "Service", "", "", false},
        {FX_CFG_VAR_REFERENCE, "spec/volumeClaimTemplates/spec/nfs/server", "StatefulSet", "", "", false},
        {FX_CFG_VAR_REFERENCE, "spec/nfs/server", "PersistentVolume", "", "", false},
        {FX_CFG_VAR_REFERENCE, "metadata/labels metadata/annotations", "", "", "", false},
};

/* Who refers to which kind. root P stands for the four roots of a Pod's spec. */
struct ref_row {
	const char *target; /* group/version/kind */
	const char *paths;
	const char *kinds;
	const char *group, *version;
};

#define CONFIGMAP_PATHS(p)                                                                                   \
	p "/volumes/configMap/name " p "/containers/env/valueFrom/configMapKeyRef/name " p                   \
	  "/initContainers/env/valueFrom/configMapKeyRef/name " p "/containers/envFrom/configMapRef/name " p \
	  "/initContainers/envFrom/configMapRef/name " p "/volumes/projected/sources/configMap/name"
#define SECRET_PATHS(p)                                                                                      \
	p "/volumes/secret/secretName " p "/containers/env/valueFrom/secretKeyRef/name " p                   \
	  "/initContainers/env/valueFrom/secretKeyRef/name " p "/containers/envFrom/secretRef/name " p       \
	  "/initContainers/envFrom/secretRef/name " p "/imagePullSecrets/name " p                            \
	  "/volumes/projected/sources/secret/name"
#define W5 "Deployment ReplicaSet DaemonSet StatefulSet Job"
#define W5B "StatefulSet Deployment ReplicationController Job DaemonSet"
#define T "spec/template/spec"

static const struct ref_row ref_rows[] = {
        {"storage.k8s.io/v1/StorageClass", "spec/storageClassName", "PersistentVolume PersistentVolumeClaim",
                "", ""},
        {"storage.k8s.io/v1/StorageClass", "spec/volumeClaimTemplates/spec/storageClassName", "StatefulSet",
                "", ""},
        {"/v1/ServiceAccount", "subjects", "RoleBinding ClusterRoleBinding", "rbac.authorization.k8s.io", ""},
        {"/v1/ServiceAccount", "spec/serviceAccountName", "Pod", "", ""},
        {"/v1/ServiceAccount", T "/serviceAccountName", W5B, "", ""},
        {"/v1/ServiceAccount", CRON "/serviceAccountName", "CronJob", "", ""},
        {"rbac.authorization.k8s.io//Role", "roleRef/name", "RoleBinding", "rbac.authorization.k8s.io", ""},
        {"rbac.authorization.k8s.io//ClusterRole", "roleRef/name", "RoleBinding ClusterRoleBinding",
                "rbac.authorization.k8s.io", ""},
        {"/v1/ConfigMap", CONFIGMAP_PATHS("spec"), "Pod", "", "v1"},
        {"/v1/ConfigMap", CONFIGMAP_PATHS(T), W5, "", ""},
        {"/v1/ConfigMap", CONFIGMAP_PATHS(CRON), "CronJob", "", ""},
        {"/v1/ConfigMap", CONFIGMAP_PATHS("template/spec"), "PodTemplate", "", ""},
        {"/v1/ConfigMap", "spec/configSource/configMap", "Node", "", ""},
        {"/v1/ConfigMap", "rules/resourceNames", "Role ClusterRole", "", ""},
        {"/v1/ConfigMap", "metadata/annotations/nginx.ingress.kubernetes.io\\/fastcgi-params-configmap",
                "Ingress", "", ""},
        {"/v1/Secret", SECRET_PATHS("spec"), "Pod", "", "v1"},
        {"/v1/Secret", SECRET_PATHS(T), W5, "", ""},
        {"/v1/Secret", SECRET_PATHS(CRON), "CronJob", "", ""},
        {"/v1/Secret", SECRET_PATHS("template/spec"), "PodTemplate", "", ""},
        {"/v1/Secret", T "/containers/env/valueFrom/secretKeyRef/name", "Service", "serving.knative.dev",
                "v1"},
        {"/v1/Secret",
                "spec/tls/secretName metadata/annotations/ingress.kubernetes.io\\/auth-secret "
                "metadata/annotations/nginx.ingress.kubernetes.io\\/auth-secret "
                "metadata/annotations/nginx.ingress.kubernetes.io\\/auth-tls-secret",
                "Ingress", "", ""},
        {"/v1/Secret", "imagePullSecrets/name", "ServiceAccount", "", ""},
        {"/v1/Secret",
                "parameters/secretName parameters/adminSecretName parameters/userSecretName "
                "parameters/secretRef",
                "StorageClass", "", ""},
        {"/v1/Secret", "rules/resourceNames", "Role ClusterRole", "", ""},
        {"/v1/Secret", "spec/azureFile/secretName", "PersistentVolume", "", ""},
        {"/v1/Service", "spec/serviceName", "StatefulSet", "apps", ""},
        {"/v1/Service",
                "spec/rules/http/paths/backend/serviceName spec/backend/serviceName "
                "spec/rules/http/paths/backend/service/name spec/defaultBackend/service/name",
                "Ingress", "", ""},
        {"/v1/Service", "spec/service/name", "APIService", "apiregistration.k8s.io", ""},
        {"/v1/Service", "webhooks/clientConfig/service",
                "ValidatingWebhookConfiguration MutatingWebhookConfiguration", "admissionregistration.k8s.io",
                ""},
        {"scheduling.k8s.io/v1/PriorityClass", "spec/priorityClassName", "Pod", "", ""},
        {"scheduling.k8s.io/v1/PriorityClass", T "/priorityClassName", W5B, "", ""},
        {"scheduling.k8s.io/v1/PriorityClass", CRON "/priorityClassName", "CronJob", "", ""},
        {"/v1/PersistentVolume", "spec/volumeName", "PersistentVolumeClaim", "", ""},
        {"/v1/PersistentVolume", "rules/resourceNames", "ClusterRole", "", ""},
        {"/v1/PersistentVolumeClaim", "spec/volumes/persistentVolumeClaim/claimName", "Pod", "", ""},
        {"/v1/PersistentVolumeClaim", T "/volumes/persistentVolumeClaim/claimName", W5B, "", ""},
        {"/v1/PersistentVolumeClaim", CRON "/volumes/persistentVolumeClaim/claimName", "CronJob", "", ""},
        {"//Deployment", "spec/scaleTargetRef/name", "HorizontalPodAutoscaler", "", ""},
        {"//StatefulSet", "spec/scaleTargetRef/name", "HorizontalPodAutoscaler", "", ""},
        {"admissionregistration.k8s.io//ValidatingAdmissionPolicy", "spec/policyName",
                "ValidatingAdmissionPolicyBinding", "admissionregistration.k8s.io", ""},
        {"networking.k8s.io/v1/v1/IngressClass", "spec/ingressClassName", "Ingress", "", ""},
        {"//ReplicaSet", "spec/scaleTargetRef/name", "HorizontalPodAutoscaler", "", ""},
        {"//ReplicationController", "spec/scaleTargetRef/name", "HorizontalPodAutoscaler", "", ""},
};

static struct fx_fieldspec *push_spec(
        struct fx_build *b, struct fx_fieldspecs *list, struct fx_fieldspec spec)
{
	list->items = fx_more(b, list->items, &list->cap, list->len, sizeof(*list->items));
	list->items[list->len] = spec;
	fx_fieldspec_split(b, &list->items[list->len]);
	return &list->items[list->len++];
}

static void push_product(struct fx_build *b, struct fx_fieldspecs *list, const char *paths, const char *kinds,
        const char *group, const char *version, bool create)
{
	struct fx_texts p = fx_texts_split(b, paths, ' '), k = fx_texts_split(b, kinds, ' ');
	for (size_t i = 0; i < p.len; i++)
		for (size_t j = 0; j < k.len; j++)
			push_spec(b, list,
			        (struct fx_fieldspec){
			                .gvk = {.group = group, .version = version, .kind = k.items[j]},
			                .path = p.items[i],
			                .create = create});
}

static struct fx_backref *find_ref(struct fx_build *b, struct fx_config *c, const struct fx_gvk *target)
{
	for (size_t i = 0; i < c->n_refs; i++)
		if (fx_gvk_equal(&c->refs[i].target, target))
			return &c->refs[i];
	c->refs = fx_more(b, c->refs, &c->cap_refs, c->n_refs, sizeof(*c->refs));
	c->refs[c->n_refs] = (struct fx_backref){.target = *target};
	return &c->refs[c->n_refs++];
}

static struct fx_gvk target_gvk(struct fx_build *b, const char *text)
{
	const char *kind = strrchr(text, '/');
	const char *version = kind - 1;
	while (version > text && *version != '/')
		version--;
	if (*version == '/')
		version++;
	return (struct fx_gvk){.group = fx_strn(b, text, (size_t)(version - 1 - text)),
	        .version = fx_strn(b, version, (size_t)(kind - version)),
	        .kind = kind + 1};
}

struct fx_config *fx_config_new(struct fx_build *b)
{
	return fx_new(b, sizeof(struct fx_config));
}

struct fx_config *fx_config_default(struct fx_build *b)
{
	struct fx_config *c = fx_config_new(b);
	for (size_t i = 0; i < FX_COUNT(rows); i++)
		push_product(b, &c->lists[rows[i].list], rows[i].paths, rows[i].kinds, rows[i].group,
		        rows[i].version, rows[i].create);
	/* Common labels go to all places that template labels go to. */
	struct fx_fieldspecs *t = &c->lists[FX_CFG_TEMPLATE_LABELS];
	for (size_t i = 0; i < t->len; i++)
		push_spec(b, &c->lists[FX_CFG_COMMON_LABELS], t->items[i]);
	for (size_t i = 0; i < FX_COUNT(ref_rows); i++) {
		struct fx_gvk target = target_gvk(b, ref_rows[i].target);
		struct fx_backref *ref = find_ref(b, c, &target);
		push_product(b, &ref->referrers, ref_rows[i].paths, ref_rows[i].kinds, ref_rows[i].group,
		        ref_rows[i].version, false);
	}
	return c;
}

/* ---- merging ---- */

void fx_fieldspecs_add(struct fx_build *b, struct fx_fieldspecs *to, const struct fx_fieldspec *spec)
{
	for (size_t i = 0; i < to->len; i++) {
		struct fx_fieldspec *s = &to->items[i];
		if (strcmp(s->path, spec->path) != 0 || !fx_gvk_selected(&s->gvk, &spec->gvk))
			continue;
		if (s->create != spec->create)
			fx_throw(b, "conflicting fieldspecs");
		return;
	}
	push_spec(b, to, *spec);
}

void fx_fieldspecs_merge(struct fx_build *b, struct fx_fieldspecs *to, const struct fx_fieldspecs *from)
{
	for (size_t i = 0; i < from->len; i++)
		fx_fieldspecs_add(b, to, &from->items[i]);
}

struct merge_call {
	struct fx_fieldspecs *to;
	const struct fx_fieldspecs *from;
};

static void merge_one(struct fx_build *b, void *arg)
{
	struct merge_call *c = arg;
	fx_fieldspecs_merge(b, c->to, c->from);
}

static const char *const list_names[FX_CFG_COUNT] = {"NamePrefix", "NameSuffix", "NameSpace", "CommonLabels",
        "Labels", "TemplateLabels", "CommonAnnotations", "VarReference", "Images", "Replicas"};

void fx_config_merge(struct fx_build *b, struct fx_config *to, const struct fx_config *from)
{
	for (int i = 0; i < FX_CFG_COUNT; i++)
		fx_with_prefix(b, merge_one, &(struct merge_call){&to->lists[i], &from->lists[i]},
		        "failed to merge %s fieldSpec: ", list_names[i]);
	for (size_t i = 0; i < from->n_refs; i++) {
		struct fx_backref *ref = find_ref(b, to, &from->refs[i].target);
		fx_with_prefix(b, merge_one, &(struct merge_call){&ref->referrers, &from->refs[i].referrers},
		        "failed to merge NameReference fieldSpec: ");
	}
}

/* ---- reading ---- */

static const char *text_at(const struct fx_node *n, const char *key)
{
	const char *t = fx_node_get_text(n, key);
	return t ? t : "";
}

static struct fx_fieldspec read_spec(const struct fx_node *n)
{
	return (struct fx_fieldspec){
	        .gvk = {.group = text_at(n, "group"),
	                .version = text_at(n, "version"),
	                .kind = text_at(n, "kind")},
	        .path = text_at(n, "path"),
	        .create = strcmp(text_at(n, "create"), "true") == 0,
	};
}

void fx_fieldspecs_read(struct fx_build *b, const struct fx_node *list, struct fx_fieldspecs *out)
{
	for (uint32_t i = 0; fx_node_is_seq(list) && i < list->len; i++)
		push_spec(b, out, read_spec(list->items[i]));
}

struct fx_config *fx_config_read(struct fx_build *b, const char *text, size_t len)
{
	static const struct fx_yaml_read opts = {.dialect = FX_YAML_V2, .values = true, .unique_keys = true};
	/* In the order of the lists. */
	static const char *const keys[FX_CFG_COUNT] = {"namePrefix", "nameSuffix", "namespace",
	        "commonLabels", "labels", "templateLabels", "commonAnnotations", "varReference", "images",
	        "replicas"};
	struct fx_config *c = fx_config_new(b);
	struct fx_error err = FX_ERROR_INIT;
	struct fx_node *n = NULL;
	if (fx_yaml_read(b->arena, text, len, &opts, &n, &err) < 0)
		fx_throw_error(b, &err);
	n = fx_decode(b, &fx_decoding_yaml_strict, n, fx_config_fields, "TransformerConfig");
	for (int i = 0; i < FX_CFG_COUNT; i++)
		fx_fieldspecs_read(b, fx_node_get(n, keys[i]), &c->lists[i]);
	const struct fx_node *refs = fx_node_get(n, "nameReference");
	for (uint32_t i = 0; refs && i < refs->len; i++) {
		struct fx_gvk target = read_spec(refs->items[i]).gvk;
		fx_fieldspecs_read(
		        b, fx_node_get(refs->items[i], "fieldSpecs"), &find_ref(b, c, &target)->referrers);
	}
	return c;
}

/* ---- CRD schemas ---- */

/* References between types may be circular. */
#define CRD_MAX_DEPTH 32

static void add_crd_type(struct fx_build *b, struct fx_config *c, const struct fx_node *types,
        const char *kind, const char *type, const char *path, int depth)
{
	const struct fx_node *properties = fx_node_at(types, type, "Schema", "properties", NULL);
	if (!properties)
		properties = fx_node_at(types, type, "schema", "properties", NULL);
	if (depth > CRD_MAX_DEPTH)
		fx_throw_code(b, FX_E_LIMIT, "types in a CRD are nested deeper than %d", CRD_MAX_DEPTH);
	for (uint32_t i = 0; fx_node_is_map(properties) && i < properties->len; i++) {
		const struct fx_node *p = properties->pairs[i].value;
		const char *at = fx_fmt(b, "%s%s%s", path, *path ? "/" : "", properties->pairs[i].key->text);
		struct fx_fieldspec spec = {.gvk = {.group = "", .version = "", .kind = kind}, .path = at};
		if (fx_node_get_text(p, "x-kubernetes-annotation"))
			fx_fieldspecs_add(b, &c->lists[FX_CFG_COMMON_ANNOTATIONS], &spec);
		if (fx_node_get_text(p, "x-kubernetes-label-selector"))
			fx_fieldspecs_add(b, &c->lists[FX_CFG_COMMON_LABELS], &spec);
		if (fx_node_get_text(p, "x-kubernetes-identity"))
			fx_fieldspecs_add(b, &c->lists[FX_CFG_NAME_PREFIX], &spec);
		const char *version = fx_node_get_text(p, "x-kubernetes-object-ref-api-version");
		const char *target = fx_node_get_text(p, "x-kubernetes-object-ref-kind");
		if (version && target) {
			const char *key = fx_node_get_text(p, "x-kubernetes-object-ref-name-key");
			struct fx_gvk gvk = {.group = "", .version = version, .kind = target};
			spec.path = fx_fmt(b, "%s/%s", at, key ? key : "name");
			fx_fieldspecs_add(b, &find_ref(b, c, &gvk)->referrers, &spec);
		}
		const char *ref = fx_node_get_text(p, "$ref");
		if (ref && fx_node_get(types, ref))
			add_crd_type(b, c, types, kind, ref, at, depth + 1);
	}
}

struct fx_config *fx_config_from_crds(struct fx_build *b, const char *path, const char *text, size_t len)
{
	static const struct fx_yaml_read opts = {.dialect = FX_YAML_V2, .values = true};
	struct fx_config *c = fx_config_new(b);
	struct fx_error err = FX_ERROR_INIT;
	struct fx_node *types = NULL;
	if (fx_yaml_read(b->arena, text, len, &opts, &types, &err) < 0) {
		fx_error_wrap(&err, "unable to parse open API definition from '%s'", path);
		fx_throw_error(b, &err);
	}
	if (!fx_node_is_map(types))
		fx_throw(b, "unable to parse open API definition from '%s': no map of types", path);
	for (uint32_t i = 0; i < types->len; i++) {
		const char *name = types->pairs[i].key->text;
		if (!fx_node_is_map(types->pairs[i].value))
			fx_throw(b, "unable to parse open API definition from '%s': '%s' is no type", path,
			        name);
		const struct fx_node *properties =
		        fx_node_at(types->pairs[i].value, "Schema", "properties", NULL);
		if (!properties)
			properties = fx_node_at(types->pairs[i].value, "schema", "properties", NULL);
		if (!fx_node_get(properties, "kind") || !fx_node_get(properties, "apiVersion") ||
		        !fx_node_get(properties, "metadata"))
			continue;
		const char *dot = strrchr(name, '.');
		add_crd_type(b, c, types, dot ? dot + 1 : name, name, "", 0);
	}
	return c;
}
