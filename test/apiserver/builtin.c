#include "builtin.h"

#include "core/cleanup.h"
#include "obj.h"

#include <string.h>

static void set_default(json_t *object, const char *key, json_t *value)
{
	if (json_object_get(object, key))
		json_decref(value);
	else
		json_object_set_new(object, key, value);
}

static char *base64(const char *text)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t len = strlen(text);
	char *out = malloc((len + 2) / 3 * 4 + 1), *to = out;
	if (!out)
		return NULL;
	for (size_t i = 0; i < len; i += 3) {
		unsigned n = (unsigned)(unsigned char)text[i] << 16;
		n |= i + 1 < len ? (unsigned)(unsigned char)text[i + 1] << 8 : 0;
		n |= i + 2 < len ? (unsigned)(unsigned char)text[i + 2] : 0;
		*to++ = digits[n >> 18];
		*to++ = digits[n >> 12 & 63];
		*to++ = i + 1 < len ? digits[n >> 6 & 63] : '=';
		*to++ = i + 2 < len ? digits[n & 63] : '=';
	}
	*to = '\0';
	return out;
}

static void prepare_containers(json_t *containers)
{
	size_t i;
	json_t *container;
	json_array_foreach (containers, i, container) {
		const char *image = fx_json_str_at(container, "image");
		if (!image)
			continue;
		const char *slash = strrchr(image, '/');
		const char *tag = strchr(slash ? slash : image, ':');
		bool latest = !strchr(image, '@') && (!tag || strcmp(tag, ":latest") == 0);
		set_default(container, "imagePullPolicy", json_string(latest ? "Always" : "IfNotPresent"));
	}
}

static void prepare_pod_spec(json_t *spec)
{
	prepare_containers(json_object_get(spec, "containers"));
	prepare_containers(json_object_get(spec, "initContainers"));
	json_t *account = json_object_get(spec, "serviceAccountName");
	if (account)
		json_object_set(spec, "serviceAccount", account);
	size_t i;
	json_t *volume;
	json_array_foreach (json_object_get(spec, "volumes"), i, volume) {
		if (json_object_size(volume) == 1)
			json_object_set_new(volume, "emptyDir", json_object());
	}
}

static void prepare_namespace(json_t *o)
{
	fx_as_put(o, json_string(fx_as_name(o)), "metadata", "labels", "kubernetes.io/metadata.name", NULL);
	if (!fx_json_at(o, "metadata", "deletionTimestamp"))
		fx_as_put(o, json_string("Active"), "status", "phase", NULL);
}

static void prepare_secret(json_t *o)
{
	const char *key;
	json_t *value;
	json_object_foreach (json_object_get(o, "stringData"), key, value) {
		fx_autofree char *text = json_is_string(value) ? base64(json_string_value(value)) : NULL;
		if (text)
			fx_as_put(o, json_string(text), "data", key, NULL);
	}
	json_object_del(o, "stringData");
}

static void prepare_service(json_t *o)
{
	json_t *spec = json_object_get(o, "spec");
	const char *type = fx_json_str_at(spec, "type");
	size_t i;
	json_t *port;
	json_array_foreach (json_object_get(spec, "ports"), i, port) {
		json_t *number = json_object_get(port, "port");
		if (number)
			set_default(port, "targetPort", json_incref(number));
	}
	set_default(spec, "internalTrafficPolicy", json_string("Cluster"));
	if (type && (strcmp(type, "NodePort") == 0 || strcmp(type, "LoadBalancer") == 0))
		set_default(spec, "externalTrafficPolicy", json_string("Cluster"));
	if (type && strcmp(type, "LoadBalancer") == 0)
		set_default(spec, "allocateLoadBalancerNodePorts", json_true());
}

static void allocate_service(json_t *o, const json_t *old, unsigned *counter)
{
	json_t *spec = json_object_get(o, "spec");
	const char *type = fx_json_str_at(spec, "type");
	size_t i;
	json_t *port;
	if (type && strcmp(type, "ExternalName") == 0)
		return;
	bool node_ports = type && (strcmp(type, "NodePort") == 0 || strcmp(type, "LoadBalancer") == 0);
	json_array_foreach (json_object_get(spec, "ports"), i, port) {
		if (node_ports)
			set_default(port, "nodePort", json_integer(30000 + (*counter)++ % 2768));
	}
	json_t *had = fx_json_at(old, "spec", "clusterIP");
	const char *asked = fx_json_str_at(spec, "clusterIP");
	if (!asked || !*asked) {
		char ip[32];
		unsigned n = ++*counter;
		snprintf(ip, sizeof(ip), "10.96.%u.%u", n / 250 % 250, n % 250 + 1);
		json_object_set_new(spec, "clusterIP", had ? json_incref(had) : json_string(ip));
	}
	set_default(spec, "clusterIPs", json_pack("[O]", json_object_get(spec, "clusterIP")));
	set_default(spec, "ipFamilies", json_pack("[s]", "IPv4"));
	set_default(spec, "ipFamilyPolicy", json_string("SingleStack"));
}

static void prepare_strategy(json_t *spec, const char *field, json_t *rolling)
{
	json_t *strategy = json_object_get(spec, field);
	const char *type = fx_json_str_at(strategy, "type");
	if (type && strcmp(type, "RollingUpdate") == 0) {
		const char *key;
		json_t *value;
		set_default(strategy, "rollingUpdate", json_object());
		json_object_foreach (rolling, key, value)
			set_default(json_object_get(strategy, "rollingUpdate"), key, json_incref(value));
	}
	json_decref(rolling);
}

static void prepare_job(json_t *o)
{
	json_t *spec = json_object_get(o, "spec");
	const char *uid = fx_json_str_at(o, "metadata", "uid");
	if (!json_object_get(spec, "completions") && fx_json_int_at(spec, 1, "parallelism") == 1)
		json_object_set_new(spec, "completions", json_integer(1));
	if (!uid || json_object_get(spec, "selector"))
		return;
	fx_as_put(spec, json_string(uid), "selector", "matchLabels", "batch.kubernetes.io/controller-uid",
	        NULL);
	static const char *const uid_labels[] = {"batch.kubernetes.io/controller-uid", "controller-uid"};
	static const char *const name_labels[] = {"batch.kubernetes.io/job-name", "job-name"};
	for (size_t i = 0; i < 2; i++) {
		fx_as_put(spec, json_string(uid), "template", "metadata", "labels", uid_labels[i], NULL);
		fx_as_put(spec, json_string(fx_as_name(o)), "template", "metadata", "labels", name_labels[i],
		        NULL);
	}
}

static void prepare_binding(json_t *o)
{
	size_t i;
	json_t *subject;
	json_array_foreach (json_object_get(o, "subjects"), i, subject) {
		const char *kind = fx_json_str_at(subject, "kind");
		if (kind && strcmp(kind, "ServiceAccount") != 0)
			set_default(subject, "apiGroup", json_string("rbac.authorization.k8s.io"));
	}
}

static void prepare_network_policy(json_t *o)
{
	json_t *types = json_pack("[s]", "Ingress");
	if (fx_json_at(o, "spec", "egress"))
		json_array_append_new(types, json_string("Egress"));
	set_default(json_object_get(o, "spec"), "policyTypes", types);
}

static void prepare_crd(json_t *o)
{
	json_t *names = fx_json_at(o, "spec", "names");
	const char *kind = fx_json_str_at(names, "kind");
	if (!kind)
		return;
	fx_autofree char *list = NULL, *singular = strdup(kind);
	for (char *p = singular; p && *p; p++)
		*p |= 0x20;
	if (asprintf(&list, "%sList", kind) < 0)
		return;
	set_default(names, "listKind", json_string(list));
	set_default(names, "singular", json_string(singular));
}

static void prepare_metrics(json_t *o)
{
	set_default(json_object_get(o, "spec"), "metrics",
	        json_pack("[{s:s,s:{s:s,s:{s:s,s:i}}}]", "type", "Resource", "resource", "name", "cpu",
	                "target", "type", "Utilization", "averageUtilization", 80));
}

static bool is_kind(const struct fx_as_resource *r, const char *kind)
{
	return !r->custom && strcmp(r->kind, kind) == 0;
}

void fx_as_builtin_allocate(const struct fx_as_resource *r, json_t *o, const json_t *old, unsigned *counter)
{
	if (is_kind(r, "Service"))
		allocate_service(o, old, counter);
}

void fx_as_builtin_prepare(const struct fx_as_resource *r, json_t *o, const json_t *old)
{
	json_t *spec = json_object_get(o, "spec");
	if (r->custom)
		return;
	prepare_pod_spec(is_kind(r, "Pod")       ? spec
	                 : is_kind(r, "CronJob") ? fx_json_at(spec, "jobTemplate", "spec", "template", "spec")
	                                         : fx_json_at(spec, "template", "spec"));
	if (is_kind(r, "Namespace")) {
		prepare_namespace(o);
		if (!old)
			fx_as_put(o, json_pack("[s]", "kubernetes"), "spec", "finalizers", NULL);
	} else if (is_kind(r, "Secret")) {
		prepare_secret(o);
	} else if (is_kind(r, "Service")) {
		prepare_service(o);
	} else if (is_kind(r, "Deployment")) {
		prepare_strategy(
		        spec, "strategy", json_pack("{s:s,s:s}", "maxUnavailable", "25%", "maxSurge", "25%"));
	} else if (is_kind(r, "StatefulSet")) {
		prepare_strategy(spec, "updateStrategy", json_pack("{s:i}", "partition", 0));
		set_default(spec, "persistentVolumeClaimRetentionPolicy",
		        json_pack("{s:s,s:s}", "whenDeleted", "Retain", "whenScaled", "Retain"));
	} else if (is_kind(r, "DaemonSet")) {
		prepare_strategy(
		        spec, "updateStrategy", json_pack("{s:i,s:i}", "maxUnavailable", 1, "maxSurge", 0));
	} else if (is_kind(r, "Job")) {
		prepare_job(o);
	} else if (is_kind(r, "NetworkPolicy")) {
		prepare_network_policy(o);
	} else if (is_kind(r, "RoleBinding") || is_kind(r, "ClusterRoleBinding")) {
		prepare_binding(o);
	} else if (is_kind(r, "CustomResourceDefinition")) {
		prepare_crd(o);
	} else if (is_kind(r, "HorizontalPodAutoscaler")) {
		prepare_metrics(o);
	} else if (is_kind(r, "PersistentVolumeClaim") || is_kind(r, "PersistentVolume")) {
		if (!fx_json_at(o, "status", "phase"))
			fx_as_put(o, json_string("Pending"), "status", "phase", NULL);
	} else if (is_kind(r, "Pod") && !old) {
		set_default(spec, "serviceAccountName", json_string("default"));
		set_default(spec, "serviceAccount", json_string("default"));
		set_default(spec, "enableServiceLinks", json_true());
		set_default(spec, "preemptionPolicy", json_string("PreemptLowerPriority"));
		set_default(spec, "priority", json_integer(0));
		fx_as_put(o, json_string("Pending"), "status", "phase", NULL);
		fx_as_put(o, json_string("BestEffort"), "status", "qosClass", NULL);
	}
}

static void problem(json_t *problems, const char *reason, const char *field, const char *fmt, ...)
        fx_printf(4, 5);
static void problem(json_t *problems, const char *reason, const char *field, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fx_autofree char *message = NULL;
	if (vasprintf(&message, fmt, ap) < 0)
		message = NULL;
	va_end(ap);
	json_array_append_new(
	        problems, json_pack("{s:s,s:s,s:s}", "reason", reason, "field", field, "message", message));
}

static bool same(const json_t *a, const json_t *b)
{
	return (!a && !b) || (a && b && json_equal(a, b));
}

static void immutable(const json_t *o, const json_t *old, const char *parent, const char *key,
        const char *text, json_t *problems)
{
	const json_t *now = json_object_get(parent ? json_object_get(o, parent) : o, key);
	const json_t *was = json_object_get(parent ? json_object_get(old, parent) : old, key);
	if (!old || same(now, was))
		return;
	fx_autofree char *value = now ? fx_as_text(now) : strdup("null");
	fx_autofree char *field = NULL;
	if (asprintf(&field, "%s%s%s", parent ? parent : "", parent ? "." : "", key) >= 0)
		problem(problems, "FieldValueInvalid", field, "Invalid value: %s: %s", value, text);
}

static void validate_selector(const json_t *o, json_t *problems)
{
	const json_t *selector = fx_json_at(o, "spec", "selector");
	const json_t *labels = fx_json_at(o, "spec", "template", "metadata", "labels");
	if (!selector)
		return;
	if (json_object_size(json_object_get(selector, "matchLabels")) +
	                json_array_size(json_object_get(selector, "matchExpressions")) ==
	        0)
		problem(problems, "FieldValueInvalid", "spec.selector",
		        "Invalid value: {}: empty selector is invalid for deployment");
	const char *key;
	json_t *want;
	json_object_foreach ((json_t *)json_object_get(selector, "matchLabels"), key, want) {
		if (same(json_object_get(labels, key), want))
			continue;
		fx_autofree char *text = labels ? fx_as_text(labels) : strdup("null");
		problem(problems, "FieldValueInvalid", "spec.template.metadata.labels",
		        "Invalid value: %s: `selector` does not match template `labels`", text);
		return;
	}
}

static void validate_containers(const json_t *spec, const char *path, json_t *problems)
{
	size_t i;
	json_t *container;
	const json_t *containers = json_object_get(spec, "containers");
	if (json_is_array(containers) && !json_array_size(containers)) {
		fx_autofree char *field = NULL;
		if (asprintf(&field, "%s.containers", path) >= 0)
			problem(problems, "FieldValueRequired", field, "Required value");
	}
	json_array_foreach (containers, i, container) {
		fx_autofree char *field = NULL;
		const char *image = fx_json_str_at(container, "image");
		if ((!image || !*image) && strstr(path, "template") == NULL &&
		        asprintf(&field, "%s.containers[%zu].image", path, i) >= 0)
			problem(problems, "FieldValueRequired", field, "Required value");
	}
}

/* What of a StatefulSet's spec may change. */
static void validate_stateful_update(const json_t *o, const json_t *old, json_t *problems)
{
	static const char *const may[] = {"replicas", "ordinals", "template", "updateStrategy",
	        "revisionHistoryLimit", "persistentVolumeClaimRetentionPolicy", "minReadySeconds"};
	fx_auto(json) json_t *now = json_copy(json_object_get(o, "spec"));
	fx_auto(json) json_t *was = json_copy(json_object_get(old, "spec"));
	for (size_t i = 0; i < FX_COUNT(may); i++) {
		json_object_del(now, may[i]);
		json_object_del(was, may[i]);
	}
	if (!same(now, was))
		problem(problems, "FieldValueForbidden", "spec",
		        "Forbidden: updates to statefulset spec for fields other than 'replicas', "
		        "'ordinals', "
		        "'template', 'updateStrategy', 'revisionHistoryLimit', "
		        "'persistentVolumeClaimRetentionPolicy' and "
		        "'minReadySeconds' are forbidden");
}

static void validate_frozen_data(const json_t *o, const json_t *old, json_t *problems)
{
	if (!json_is_true(json_object_get(old, "immutable")))
		return;
	if (!json_is_true(json_object_get(o, "immutable")))
		problem(problems, "FieldValueForbidden", "immutable",
		        "Forbidden: field is immutable when `immutable` is set");
	if (!same(json_object_get(o, "data"), json_object_get(old, "data")))
		problem(problems, "FieldValueForbidden", "data",
		        "Forbidden: field is immutable when `immutable` is set");
}

static void validate_pod_update(const json_t *o, const json_t *old, json_t *problems)
{
	fx_auto(json) json_t *now = json_deep_copy(json_object_get(o, "spec"));
	fx_auto(json) json_t *was = json_deep_copy(json_object_get(old, "spec"));
	json_t *both[] = {now, was};
	for (size_t n = 0; n < 2; n++) {
		size_t i;
		json_t *container;
		json_array_foreach (json_object_get(both[n], "containers"), i, container) {
			json_object_del(container, "image");
			json_object_del(container, "imagePullPolicy");
		}
		json_object_del(both[n], "tolerations");
		json_object_del(both[n], "nodeName");
		json_object_del(both[n], "activeDeadlineSeconds");
	}
	if (!same(now, was))
		problem(problems, "FieldValueForbidden", "spec",
		        "Forbidden: pod updates may not change fields other than "
		        "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec."
		        "activeDeadlineSeconds`,"
		        "`spec.tolerations` (only additions to existing tolerations),"
		        "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously "
		        "negative)");
}

static void validate_crd(const json_t *o, json_t *problems)
{
	const char *plural = fx_json_str_at(o, "spec", "names", "plural"),
	           *group = fx_json_str_at(o, "spec", "group");
	fx_autofree char *want = NULL;
	if (plural && group && asprintf(&want, "%s.%s", plural, group) >= 0 &&
	        strcmp(want, fx_as_name(o)) != 0)
		problem(problems, "FieldValueInvalid", "metadata.name",
		        "Invalid value: \"%s\": must be spec.names.plural+\".\"+spec.group", fx_as_name(o));
	size_t i, storage = 0;
	json_t *version;
	json_array_foreach (fx_json_at(o, "spec", "versions"), i, version) {
		storage += json_is_true(json_object_get(version, "storage"));
		if (fx_json_at(version, "schema", "openAPIV3Schema"))
			continue;
		fx_autofree char *field = NULL;
		if (asprintf(&field, "spec.versions[%zu].schema.openAPIV3Schema", i) >= 0)
			problem(problems, "FieldValueRequired", field,
			        "Required value: schemas are required");
	}
	if (storage != 1)
		problem(problems, "FieldValueInvalid", "spec.versions",
		        "Invalid value: must have exactly one version marked as storage version");
}

/* Numbers of ports, wherever an object has them in a list of ports. */
static void validate_ports(const json_t *ports, const char *path, const char *field, json_t *problems)
{
	size_t i;
	json_t *port;
	json_array_foreach (ports, i, port) {
		const json_t *number = json_object_get(port, field);
		fx_autofree char *where = NULL;
		json_int_t n = json_integer_value(number);
		if (!json_is_integer(number) || (n > 0 && n < 65536) ||
		        asprintf(&where, "%s[%zu].%s", path, i, field) < 0)
			continue;
		problem(problems, "FieldValueInvalid", where,
		        "Invalid value: %lld: must be between 1 and 65535, inclusive", (long long)n);
	}
}

/* Keys become names of files in a volume. */
static void validate_data_keys(const json_t *o, const char *field, json_t *problems)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
	const char *key;
	json_t *value;
	json_object_foreach (json_object_get(o, field), key, value) {
		fx_autofree char *where = NULL;
		if ((*key && strspn(key, allowed) == strlen(key) && strcmp(key, ".") != 0 &&
		            strncmp(key, "..", 2) != 0) ||
		        asprintf(&where, "%s[%s]", field, key) < 0)
			continue;
		problem(problems, "FieldValueInvalid", where,
		        "Invalid value: \"%s\": a valid config key must consist of alphanumeric characters, "
		        "'-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for "
		        "validation is '[-._a-zA-Z0-9]+')",
		        key);
	}
}

void fx_as_builtin_validate(
        const struct fx_as_resource *r, const json_t *o, const json_t *old, json_t *problems)
{
	static const char frozen[] = "field is immutable";
	if (r->custom)
		return;
	if (is_kind(r, "Deployment") || is_kind(r, "ReplicaSet") || is_kind(r, "DaemonSet") ||
	        is_kind(r, "StatefulSet")) {
		validate_selector(o, problems);
		validate_containers(
		        fx_json_at(o, "spec", "template", "spec"), "spec.template.spec", problems);
		if (is_kind(r, "StatefulSet")) {
			if (old)
				validate_stateful_update(o, old, problems);
		} else {
			immutable(o, old, "spec", "selector", frozen, problems);
		}
	} else if (is_kind(r, "Job")) {
		validate_containers(
		        fx_json_at(o, "spec", "template", "spec"), "spec.template.spec", problems);
		const char *restart = fx_json_str_at(o, "spec", "template", "spec", "restartPolicy");
		if (restart && strcmp(restart, "Always") == 0)
			problem(problems, "FieldValueNotSupported", "spec.template.spec.restartPolicy",
			        "Unsupported value: \"Always\": supported values: \"OnFailure\", \"Never\"");
		immutable(o, old, "spec", "selector", frozen, problems);
		immutable(o, old, "spec", "template", frozen, problems);
		immutable(o, old, "spec", "completions", frozen, problems);
	} else if (is_kind(r, "Pod")) {
		validate_containers(json_object_get(o, "spec"), "spec", problems);
		if (old)
			validate_pod_update(o, old, problems);
	} else if (is_kind(r, "Secret") || is_kind(r, "ConfigMap")) {
		validate_data_keys(o, "data", problems);
		validate_data_keys(o, "binaryData", problems);
		validate_frozen_data(o, old, problems);
		immutable(o, old, NULL, "type", frozen, problems);
	} else if (is_kind(r, "Service")) {
		validate_ports(fx_json_at(o, "spec", "ports"), "spec.ports", "port", problems);
		validate_ports(fx_json_at(o, "spec", "ports"), "spec.ports", "targetPort", problems);
		if (old && fx_json_str_at(o, "spec", "clusterIP"))
			immutable(o, old, "spec", "clusterIP", "may not change once set", problems);
	} else if (is_kind(r, "RoleBinding") || is_kind(r, "ClusterRoleBinding")) {
		immutable(o, old, NULL, "roleRef", "cannot change roleRef", problems);
	} else if (is_kind(r, "PersistentVolumeClaim") && old) {
		immutable(o, old, "spec", "storageClassName", frozen, problems);
		immutable(o, old, "spec", "accessModes", frozen, problems);
	} else if (is_kind(r, "CustomResourceDefinition")) {
		validate_crd(o, problems);
	}
}

#define LOWER_DIGITS "abcdefghijklmnopqrstuvwxyz0123456789"
#define DNS_SUBDOMAIN_MAX 253
#define DNS_LABEL_MAX 63

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_dns_label(const char *s, size_t len)
{
	return len && len <= DNS_LABEL_MAX && is_alnum(s[0]) && is_alnum(s[len - 1]) &&
	       strspn(s, LOWER_DIGITS "-") >= len;
}

static bool is_dns_subdomain(const char *s)
{
	if (!*s || strlen(s) > DNS_SUBDOMAIN_MAX)
		return false;
	for (;; s++) {
		size_t len = strcspn(s, ".");
		if (!len || !is_alnum(s[0]) || !is_alnum(s[len - 1]) || strspn(s, LOWER_DIGITS "-") < len)
			return false;
		s += len;
		if (!*s)
			return true;
	}
}

static void validate_name(const struct fx_as_resource *r, const char *name, json_t *problems)
{
	if (strcmp(r->group, "rbac.authorization.k8s.io") == 0)
		return;
	bool label = is_kind(r, "Namespace") || is_kind(r, "Service");
	if (label && !is_dns_label(name, strlen(name)))
		problem(problems, "FieldValueInvalid", "metadata.name",
		        "Invalid value: \"%s\": a lowercase RFC 1123 label must consist of lower case "
		        "alphanumeric "
		        "characters or '-', and must start and end with an alphanumeric character (e.g. "
		        "'my-name',  or "
		        "'123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
		        name);
	else if (!label && !is_dns_subdomain(name))
		problem(problems, "FieldValueInvalid", "metadata.name",
		        "Invalid value: \"%s\": a lowercase RFC 1123 subdomain must consist of lower case "
		        "alphanumeric "
		        "characters, '-' or '.', and must start and end with an alphanumeric character (e.g. "
		        "'example.com', "
		        "regex used for validation is "
		        "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
		        name);
}

static bool is_label_value(const char *s)
{
	size_t len = strlen(s);
	static const char inner[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ" LOWER_DIGITS "-_.";
	if (!len)
		return true;
	return len <= DNS_LABEL_MAX && strspn(s, inner) == len && !strchr("-_.", s[0]) &&
	       !strchr("-_.", s[len - 1]);
}

void fx_as_meta_validate(const struct fx_as_resource *r, const json_t *o, json_t *problems)
{
	validate_name(r, fx_as_name(o), problems);
	const char *key;
	json_t *value;
	json_object_foreach (fx_json_at(o, "metadata", "labels"), key, value) {
		const char *text = json_string_value(value);
		if (text && !is_label_value(text))
			problem(problems, "FieldValueInvalid", "metadata.labels",
			        "Invalid value: \"%s\": a valid label must be an empty string or consist of "
			        "alphanumeric "
			        "characters, '-', '_' or '.', and must start and end with an alphanumeric "
			        "character (e.g. "
			        "'MyValue',  or 'my_value',  or '12345', regex used for validation is "
			        "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
			        text);
	}
}
