#include "kinds.h"

#include "core/cleanup.h"
#include "core/clock.h"
#include "obj.h"

#include <ctype.h>
#include <string.h>

/* n namespaced, s status subresource, g counts generations, v create only, a in category "all", S scale */
struct builtin {
	const char *group, *version, *kind, *plural, *short_names, *flags;
};

#define AUTHN "authentication.k8s.io"
#define AUTHZ "authorization.k8s.io"
#define RBAC "rbac.authorization.k8s.io"
#define ADMISSION "admissionregistration.k8s.io"
#define FLOW "flowcontrol.apiserver.k8s.io"

static const struct builtin builtins[] = {
        {"", "v1", "ConfigMap", "configmaps", "cm", "n"},
        {"", "v1", "Endpoints", "endpoints", "ep", "n"},
        {"", "v1", "Event", "events", "ev", "n"},
        {"", "v1", "LimitRange", "limitranges", "limits", "n"},
        {"", "v1", "Namespace", "namespaces", "ns", "s"},
        {"", "v1", "Node", "nodes", "no", "s"},
        {"", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", "pvc", "ns"},
        {"", "v1", "PersistentVolume", "persistentvolumes", "pv", "s"},
        {"", "v1", "Pod", "pods", "po", "nsag"},
        {"", "v1", "PodTemplate", "podtemplates", "", "n"},
        {"", "v1", "ReplicationController", "replicationcontrollers", "rc", "nsagS"},
        {"", "v1", "ResourceQuota", "resourcequotas", "quota", "ns"},
        {"", "v1", "Secret", "secrets", "", "n"},
        {"", "v1", "ServiceAccount", "serviceaccounts", "sa", "n"},
        {"", "v1", "Service", "services", "svc", "nsa"},
        {ADMISSION, "v1", "MutatingWebhookConfiguration", "mutatingwebhookconfigurations", "", "g"},
        {ADMISSION, "v1", "ValidatingAdmissionPolicy", "validatingadmissionpolicies", "", "sg"},
        {ADMISSION, "v1", "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", "", "g"},
        {ADMISSION, "v1", "ValidatingWebhookConfiguration", "validatingwebhookconfigurations", "", "g"},
        {"apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", "crd,crds",
                "sg"},
        {"apiregistration.k8s.io", "v1", "APIService", "apiservices", "", "s"},
        {"apps", "v1", "ControllerRevision", "controllerrevisions", "", "n"},
        {"apps", "v1", "DaemonSet", "daemonsets", "ds", "nsga"},
        {"apps", "v1", "Deployment", "deployments", "deploy", "nsgaS"},
        {"apps", "v1", "ReplicaSet", "replicasets", "rs", "nsgaS"},
        {"apps", "v1", "StatefulSet", "statefulsets", "sts", "nsgaS"},
        {AUTHN, "v1", "SelfSubjectReview", "selfsubjectreviews", "", "v"},
        {AUTHN, "v1", "TokenReview", "tokenreviews", "", "v"},
        {AUTHZ, "v1", "LocalSubjectAccessReview", "localsubjectaccessreviews", "", "nv"},
        {AUTHZ, "v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews", "", "v"},
        {AUTHZ, "v1", "SubjectAccessReview", "subjectaccessreviews", "", "v"},
        {"autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", "hpa", "nsa"},
        {"batch", "v1", "CronJob", "cronjobs", "cj", "nsga"},
        {"batch", "v1", "Job", "jobs", "", "nsga"},
        {"certificates.k8s.io", "v1", "CertificateSigningRequest", "certificatesigningrequests", "csr", "s"},
        {"coordination.k8s.io", "v1", "Lease", "leases", "", "n"},
        {"discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", "", "ng"},
        {FLOW, "v1", "FlowSchema", "flowschemas", "", "sg"},
        {FLOW, "v1", "PriorityLevelConfiguration", "prioritylevelconfigurations", "", "sg"},
        {"networking.k8s.io", "v1", "IngressClass", "ingressclasses", "", "g"},
        {"networking.k8s.io", "v1", "Ingress", "ingresses", "ing", "nsg"},
        {"networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", "netpol", "ng"},
        {"node.k8s.io", "v1", "RuntimeClass", "runtimeclasses", "", ""},
        {"policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", "pdb", "nsg"},
        {RBAC, "v1", "ClusterRoleBinding", "clusterrolebindings", "", ""},
        {RBAC, "v1", "ClusterRole", "clusterroles", "", ""},
        {RBAC, "v1", "RoleBinding", "rolebindings", "", "n"},
        {RBAC, "v1", "Role", "roles", "", "n"},
        {"scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", "pc", "g"},
        {"storage.k8s.io", "v1", "CSIDriver", "csidrivers", "", ""},
        {"storage.k8s.io", "v1", "CSINode", "csinodes", "", ""},
        {"storage.k8s.io", "v1", "StorageClass", "storageclasses", "sc", ""},
        {"storage.k8s.io", "v1", "VolumeAttachment", "volumeattachments", "", "s"},
};

static json_t *split(const char *text)
{
	json_t *out = json_array();
	for (const char *p = text; *p;) {
		size_t len = strcspn(p, ",");
		json_array_append_new(out, json_stringn(p, len));
		p += len + (p[len] == ',');
	}
	return out;
}

static char *lower(const char *text)
{
	char *out = strdup(text);
	for (char *p = out; p && *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return out;
}

void fx_as_object_ref(struct fx_as_object *object)
{
	object->refs++;
}

void fx_as_object_unref(struct fx_as_object *object)
{
	if (!object || --object->refs > 0)
		return;
	json_decref(object->json);
	free(object->text);
	free(object);
}

static void unref_object(void *object)
{
	fx_as_object_unref(object);
}

static void version_free(struct fx_as_version *v)
{
	free(v->name);
	free(v->deprecated);
	json_decref(v->schema);
	json_decref(v->columns);
	free(v);
}

static void resource_clear(struct fx_as_resource *r)
{
	fx_vec_foreach (struct fx_as_version *, v, &r->versions)
		version_free(*v);
	fx_vec_release(&r->versions);
	free(r->group);
	free(r->kind);
	free(r->list_kind);
	free(r->plural);
	free(r->singular);
	json_decref(r->short_names);
	json_decref(r->categories);
}

static struct fx_as_resource *resource_new(struct fx_as_registry *registry)
{
	struct fx_as_resource *r = calloc(1, sizeof(*r));
	if (!r || !fx_vec_push(&registry->all, r))
		abort();
	r->objects = (struct fx_map)FX_MAP_INIT_FREE(unref_object);
	return r;
}

static void add_version(struct fx_as_resource *r, struct fx_as_version version)
{
	struct fx_as_version *v = malloc(sizeof(*v));
	if (!v || !fx_vec_push(&r->versions, v))
		abort();
	*v = version;
}

static void add_builtin(struct fx_as_registry *registry, const struct builtin *b)
{
	struct fx_as_resource *r = resource_new(registry);
	r->group = strdup(b->group);
	r->kind = strdup(b->kind);
	r->plural = strdup(b->plural);
	r->singular = lower(b->kind);
	if (asprintf(&r->list_kind, "%sList", b->kind) < 0)
		abort();
	r->short_names = split(b->short_names);
	r->categories = strchr(b->flags, 'a') ? split("all") : json_array();
	r->namespaced = strchr(b->flags, 'n');
	r->has_generation = strchr(b->flags, 'g');
	r->is_virtual = strchr(b->flags, 'v');
	add_version(r, (struct fx_as_version){.name = strdup(b->version),
	                       .schema = json_pack("{s:s}", "$ref", b->kind),
	                       .served = true,
	                       .storage = true,
	                       .has_status = strchr(b->flags, 's'),
	                       .has_scale = strchr(b->flags, 'S')});
}

void fx_as_registry_init(struct fx_as_registry *registry)
{
	for (size_t i = 0; i < FX_COUNT(builtins); i++)
		add_builtin(registry, &builtins[i]);
}

void fx_as_registry_release(struct fx_as_registry *registry)
{
	fx_vec_foreach (struct fx_as_resource *, r, &registry->all) {
		resource_clear(*r);
		fx_map_release(&(*r)->objects);
		free(*r);
	}
	fx_vec_release(&registry->all);
}

struct fx_as_resource *fx_as_registry_find(
        const struct fx_as_registry *registry, const char *group, const char *plural)
{
	fx_vec_foreach (struct fx_as_resource *, r, &registry->all) {
		if (!(*r)->removed && strcmp((*r)->group, group) == 0 && strcmp((*r)->plural, plural) == 0)
			return *r;
	}
	return NULL;
}

struct fx_as_resource *fx_as_registry_find_kind(
        const struct fx_as_registry *registry, const char *group, const char *kind)
{
	fx_vec_foreach (struct fx_as_resource *, r, &registry->all) {
		if (!(*r)->removed && strcmp((*r)->group, group) == 0 && strcmp((*r)->kind, kind) == 0)
			return *r;
	}
	return NULL;
}

char *fx_as_api_group(const char *api_version, const char **out_version)
{
	const char *slash = strchr(api_version, '/');
	if (out_version)
		*out_version = slash ? slash + 1 : api_version;
	return strndup(api_version, slash ? (size_t)(slash - api_version) : 0);
}

char *fx_as_api_version(const char *group, const char *version)
{
	char *out = NULL;
	return asprintf(&out, "%s%s%s", group, *group ? "/" : "", version) < 0 ? NULL : out;
}

struct fx_as_resource *fx_as_registry_of(
        const struct fx_as_registry *registry, const char *api_version, const char *kind)
{
	fx_autofree char *group = fx_as_api_group(api_version, NULL);
	return fx_as_registry_find_kind(registry, group, kind);
}

struct fx_as_version *fx_as_resource_version(const struct fx_as_resource *resource, const char *name)
{
	fx_vec_foreach (struct fx_as_version *, v, &resource->versions) {
		if (name ? ((*v)->served && strcmp((*v)->name, name) == 0) : (*v)->storage)
			return *v;
	}
	return NULL;
}

/* "v1beta2" gives stage 1 (v1: 2, v1alpha1: 0), major 1, minor 2; -1 for anything else. */
static int version_parts(const char *text, int *major, int *minor)
{
	char word[6] = "";
	*major = *minor = 0;
	int n = sscanf(text, "v%d%5[a-z]%d", major, word, minor);
	if (n == 1 && text[0] == 'v')
		return 2;
	if (n != 3)
		return -1;
	return strcmp(word, "beta") == 0 ? 1 : strcmp(word, "alpha") == 0 ? 0 : -1;
}

int fx_as_version_order(const char *a, const char *b)
{
	int major_a, minor_a, major_b, minor_b;
	int stage_a = version_parts(a, &major_a, &minor_a), stage_b = version_parts(b, &major_b, &minor_b);
	if (stage_a != stage_b)
		return stage_b - stage_a;
	if (stage_a < 0)
		return strcmp(a, b);
	return major_a != major_b ? major_b - major_a : minor_b - minor_a;
}

static int by_version(const void *a, const void *b)
{
	const struct fx_as_version *const *va = a, *const *vb = b;
	return fx_as_version_order((*va)->name, (*vb)->name);
}

/* The schema of a custom kind with what every object has. */
static json_t *custom_schema(const json_t *version)
{
	json_t *schema = json_deep_copy(fx_json_at(version, "schema", "openAPIV3Schema"));
	if (!schema)
		schema = json_pack("{s:s,s:b}", "type", "object", "x-kubernetes-preserve-unknown-fields", 1);
	fx_as_put(schema, json_pack("{s:s}", "type", "string"), "properties", "apiVersion", NULL);
	fx_as_put(schema, json_pack("{s:s}", "type", "string"), "properties", "kind", NULL);
	fx_as_put(schema, json_pack("{s:s}", "$ref", "ObjectMeta"), "properties", "metadata", NULL);
	return schema;
}

static char *copy_of(const json_t *object, const char *key, const char *fallback)
{
	const char *s = fx_json_str_at(object, key);
	return strdup(s && *s ? s : fallback);
}

struct fx_as_resource *fx_as_registry_define(struct fx_as_registry *registry, const json_t *crd)
{
	const json_t *spec = json_object_get(crd, "spec"), *names = json_object_get(spec, "names");
	const char *group = fx_json_str_at(spec, "group"), *plural = fx_json_str_at(names, "plural");
	const char *kind = fx_json_str_at(names, "kind"), *scope = fx_json_str_at(spec, "scope");
	if (!group || !plural || !kind || !scope)
		return NULL;
	struct fx_as_resource *r = NULL;
	fx_vec_foreach (struct fx_as_resource *, it, &registry->all) {
		if ((*it)->custom && strcmp((*it)->group, group) == 0 && strcmp((*it)->plural, plural) == 0)
			r = *it;
	}
	bool is_new = !r || r->removed;
	/* The names may point into the old values only through the definition, never into r. */
	if (r)
		resource_clear(r);
	else
		r = resource_new(registry);
	if (is_new)
		r->defined_ms = fx_now_ms();
	r->custom = r->has_generation = true;
	r->removed = false;
	r->group = strdup(group);
	r->plural = strdup(plural);
	r->kind = strdup(kind);
	fx_autofree char *list_kind = NULL, *singular = lower(kind);
	if (asprintf(&list_kind, "%sList", kind) < 0)
		abort();
	r->list_kind = copy_of(names, "listKind", list_kind);
	r->singular = copy_of(names, "singular", singular);
	r->namespaced = strcmp(scope, "Namespaced") == 0;
	json_t *short_names = json_object_get(names, "shortNames"),
	       *categories = json_object_get(names, "categories");
	r->short_names = short_names ? json_incref(short_names) : json_array();
	r->categories = categories ? json_incref(categories) : json_array();
	size_t i;
	json_t *version;
	json_array_foreach (json_object_get(spec, "versions"), i, version) {
		bool deprecated = json_is_true(json_object_get(version, "deprecated"));
		json_t *columns = json_object_get(version, "additionalPrinterColumns");
		add_version(r,
		        (struct fx_as_version){.name = copy_of(version, "name", "v1"),
		                .schema = custom_schema(version),
		                .columns = json_incref(columns),
		                .deprecated = deprecated ? copy_of(version, "deprecationWarning", "") : NULL,
		                .served = json_is_true(json_object_get(version, "served")),
		                .storage = json_is_true(json_object_get(version, "storage")),
		                .has_status = fx_json_at(version, "subresources", "status")});
	}
	if (r->versions.len)
		qsort(r->versions.items, r->versions.len, sizeof(*r->versions.items), by_version);
	return r;
}
