#include "normalize.h"
#include "manifest.h"

#include "data/base64.h"

#include <ctype.h>
#include <string.h>

static bool is_kind(const struct fx_ref *ref, const char *group, const char *version, const char *kind)
{
	return !strcmp(ref->version, version) && fx_ref_is(ref, group, kind);
}

/* Groups whose kinds are compiled into the API server. */
static bool is_built_in(const struct fx_ref *ref)
{
	static const char *const groups[] = {"", "admissionregistration.k8s.io", "apps", "autoscaling",
	        "batch", "certificates.k8s.io", "coordination.k8s.io", "discovery.k8s.io", "events.k8s.io",
	        "flowcontrol.apiserver.k8s.io", "networking.k8s.io", "node.k8s.io", "policy",
	        "rbac.authorization.k8s.io", "resource.k8s.io", "scheduling.k8s.io", "storage.k8s.io"};
	for (size_t i = 0; i < FX_COUNT(groups); i++)
		if (fx_ref_group_is(ref, groups[i]))
			return true;
	return false;
}

static bool add_base64(json_t *data, const char *key, const json_t *value)
{
	fx_autofree char *text = fx_base64_encode(json_string_value(value), json_string_length(value));
	return text && json_object_set_new(data, key, json_string(text)) == 0;
}

static int merge_string_data(json_t *secret, struct fx_error *err)
{
	json_t *strings = json_object_get(secret, "stringData"), *value;
	if (!strings)
		return 0;
	json_t *data = json_object_get(secret, "data");
	if (!json_is_object(data)) {
		data = json_object();
		if (json_object_set_new(secret, "data", data) < 0)
			return fx_fail_nomem(err);
	}
	const char *key;
	json_object_foreach (strings, key, value) {
		if (!json_is_string(value))
			return fx_fail(err, FX_E_INVALID, "stringData.%s is not a string", key);
		if (!add_base64(data, key, value))
			return fx_fail_nomem(err);
	}
	json_object_del(secret, "stringData");
	return 0;
}

static void default_protocols(json_t *ports)
{
	size_t i;
	json_t *port;
	json_array_foreach (ports, i, port) {
		const char *protocol = json_string_value(json_object_get(port, "protocol"));
		if (json_is_object(port) && (!protocol || !*protocol))
			json_object_set_new(port, "protocol", json_string("TCP"));
	}
}

/* The spec of the pods that an object makes, or NULL. */
static json_t *pod_spec(json_t *object, const struct fx_ref *ref)
{
	static const char *const workloads[][2] = {{"apps", "Deployment"}, {"apps", "StatefulSet"},
	        {"apps", "DaemonSet"}, {"apps", "ReplicaSet"}, {"batch", "Job"}};
	json_t *spec = json_object_get(object, "spec");
	if (is_kind(ref, "", "v1", "Pod"))
		return spec;
	if (is_kind(ref, "batch", "v1", "CronJob"))
		spec = json_object_get(json_object_get(spec, "jobTemplate"), "spec");
	else {
		bool found = false;
		for (size_t i = 0; i < FX_COUNT(workloads); i++)
			found = found || is_kind(ref, workloads[i][0], "v1", workloads[i][1]);
		if (!found)
			return NULL;
	}
	return json_object_get(json_object_get(spec, "template"), "spec");
}

static void normalize_ports(json_t *object, const struct fx_ref *ref)
{
	if (is_kind(ref, "", "v1", "Service"))
		default_protocols(json_object_get(json_object_get(object, "spec"), "ports"));
	size_t i;
	json_t *container;
	json_array_foreach (json_object_get(pod_spec(object, ref), "containers"), i, container) {
		default_protocols(json_object_get(container, "ports"));
	}
}

/* Owner of pods by template, and where the template stands in it. */
static const struct template_kind {
	const char *group, *kind, *path[4];
} template_kinds[] = {
        {"apps", "Deployment", {"spec", "template"}},
        {"apps", "StatefulSet", {"spec", "template"}},
        {"apps", "DaemonSet", {"spec", "template"}},
        {"apps", "ReplicaSet", {"spec", "template"}},
        {"batch", "Job", {"spec", "template"}},
        {"batch", "CronJob", {"spec", "jobTemplate", "spec", "template"}},
        {"", "ReplicationController", {"spec", "template"}},
        {"", "PodTemplate", {"template"}},
};

/* Structs right below an object that Flux sends even when they are empty. */
static const struct {
	const char *group, *kind, *parent, *field;
} empty_structs[] = {
        {"apps", "Deployment", "spec", "strategy"},
        {"apps", "StatefulSet", "spec", "updateStrategy"},
        {"apps", "DaemonSet", "spec", "updateStrategy"},
        {"networking.k8s.io", "NetworkPolicy", "spec", "podSelector"},
        {"coordination.k8s.io", "Lease", NULL, "spec"},
        {"", "Namespace", NULL, "spec"},
};

static void set_if_absent(json_t *parent, const char *field)
{
	if (json_is_object(parent) && !json_object_get(parent, field))
		json_object_set_new(parent, field, json_object());
}

static void add_pod_structs(json_t *pod)
{
	static const char *const lists[] = {"containers", "initContainers", "ephemeralContainers"};
	size_t i;
	json_t *item;
	for (size_t k = 0; k < FX_COUNT(lists); k++)
		json_array_foreach (json_object_get(pod, lists[k]), i, item) {
			set_if_absent(item, "resources");
		}
	json_array_foreach (json_object_get(pod, "volumes"), i, item) {
		json_t *claim = json_object_get(json_object_get(item, "ephemeral"), "volumeClaimTemplate");
		set_if_absent(claim, "metadata");
	}
}

static void add_template_structs(json_t *object, const struct template_kind *kind)
{
	json_t *template = object;
	for (size_t i = 0; i < FX_COUNT(kind->path) && kind->path[i]; i++) {
		/* A template inside a template is a struct with metadata itself. */
		if (i > 0 && strcmp(kind->path[i - 1], "jobTemplate") == 0)
			set_if_absent(template, "metadata");
		template = json_object_get(template, kind->path[i]);
	}
	set_if_absent(template, "metadata");
	add_pod_structs(json_object_get(template, "spec"));
}

/* Flux turns built-in kinds into Go structs and back, which leaves `resources: {}` where nothing was. The
 * field is owned then, and what admission put inside (a LimitRange, an autoscaler) counts as its content:
 * to send it no more would take that away, which a Pod refuses and a Deployment rolls out. */
static void add_structs(json_t *object, const struct fx_ref *ref)
{
	if (is_kind(ref, "", "v1", "Pod"))
		add_pod_structs(json_object_get(object, "spec"));
	for (size_t i = 0; i < FX_COUNT(template_kinds); i++)
		if (is_kind(ref, template_kinds[i].group, "v1", template_kinds[i].kind))
			add_template_structs(object, &template_kinds[i]);
	for (size_t i = 0; i < FX_COUNT(empty_structs); i++) {
		const char *parent = empty_structs[i].parent;
		if (is_kind(ref, empty_structs[i].group, "v1", empty_structs[i].kind))
			set_if_absent(
			        parent ? json_object_get(object, parent) : object, empty_structs[i].field);
	}
}

/* An explicit null means "not set" to a typed object. */
static void drop_nulls(json_t *value)
{
	if (json_is_array(value)) {
		size_t i;
		json_t *item;
		json_array_foreach (value, i, item) {
			drop_nulls(item);
		}
		return;
	}
	const char *key;
	json_t *child;
	void *next;
	json_object_foreach_safe(value, next, key, child)
	{
		if (json_is_null(child))
			json_object_del(value, key);
		else
			drop_nulls(child);
	}
}

int fx_manifest_normalize(json_t *object, struct fx_error *err)
{
	struct fx_ref ref = fx_manifest_ref(object);
	json_object_del(json_object_get(object, "metadata"), "creationTimestamp");
	if (!fx_ref_is(&ref, "apiextensions.k8s.io", "CustomResourceDefinition"))
		json_object_del(object, "status");
	if (is_kind(&ref, "rbac.authorization.k8s.io", "v1", "Role") ||
	        is_kind(&ref, "rbac.authorization.k8s.io", "v1", "ClusterRole"))
		return 0;
	if (is_built_in(&ref))
		drop_nulls(object);
	add_structs(object, &ref);
	normalize_ports(object, &ref);
	return is_kind(&ref, "", "v1", "Secret") ? merge_string_data(object, err) : 0;
}

/* The item of a list that has the keys of `[name="app",port=80]`; p stands behind the bracket. */
static json_t *find_item(json_t *list, const char *p, size_t *index)
{
	size_t i;
	json_t *item;
	json_array_foreach (list, i, item) {
		const char *c = p;
		bool equal = true;
		while (*c && *c != ']') {
			char key[128];
			size_t n = strcspn(c, "=]");
			if (c[n] != '=' || n >= sizeof(key))
				return NULL;
			memcpy(key, c, n);
			key[n] = 0;
			json_t *have = json_object_get(item, key);
			fx_autofree char *text = have ? json_dumps(have, JSON_ENCODE_ANY) : NULL;
			c += n + 1;
			size_t len = text ? strlen(text) : 0;
			equal = equal && text && !strncmp(c, text, len) && (c[len] == ',' || c[len] == ']');
			if (!equal)
				break;
			c += len + (c[len] == ',');
		}
		if (equal) {
			*index = i;
			return item;
		}
	}
	return NULL;
}

/* Removes the field at a path like `.spec.containers[name="app"].foo`. */
static bool remove_path(json_t *object, const char *path, size_t len)
{
	fx_autofree char *text = strndup(path, len);
	json_t *at = object;
	for (char *p = text; p && *p;) {
		if (*p == '[') {
			size_t index;
			char *end = strchr(p, ']');
			at = end ? find_item(at, p + 1, &index) : NULL;
			if (!at)
				return false;
			p = end + 1;
			continue;
		}
		if (*p++ != '.')
			return false;
		size_t n = strcspn(p, ".[");
		char last = p[n];
		p[n] = 0;
		if (!last)
			return json_object_del(at, p) == 0;
		at = json_object_get(at, p);
		p[n] = last;
		p += n;
		if (!at)
			return false;
	}
	return false;
}

bool fx_manifest_drop_undeclared(json_t *object, const char *message)
{
	static const char mark[] = ": field not declared in schema";
	struct fx_ref ref = fx_manifest_ref(object);
	if (!is_built_in(&ref))
		return false;
	bool removed = false;
	for (const char *hit = message; (hit = strstr(hit, mark)); hit += sizeof(mark) - 1) {
		const char *start = hit;
		while (start > message && !isspace((unsigned char)start[-1]))
			start--;
		removed = remove_path(object, start, (size_t)(hit - start)) || removed;
	}
	return removed;
}

static bool is_pem_bundle(const char *base64)
{
	fx_autofree char *text = fx_base64_decode(base64, strlen(base64), NULL);
	return text && strstr(text, "-----BEGIN CERTIFICATE-----") &&
	       strstr(text, "-----END CERTIFICATE-----");
}

void fx_manifest_fix_ca_bundle(json_t *object)
{
	struct fx_ref ref = fx_manifest_ref(object);
	if (!fx_ref_is(&ref, "apiextensions.k8s.io", "CustomResourceDefinition"))
		return;
	json_t *at = json_object_get(object, "spec");
	static const char *const path[] = {"conversion", "webhook", "clientConfig"};
	for (size_t i = 0; i < FX_COUNT(path); i++)
		at = json_object_get(at, path[i]);
	const char *bundle = json_string_value(json_object_get(at, "caBundle"));
	if (bundle && !is_pem_bundle(bundle))
		json_object_del(at, "caBundle");
}
