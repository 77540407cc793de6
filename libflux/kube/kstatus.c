#include "kube/kstatus.h"

#include "core/clock.h"

#include <limits.h>
#include <string.h>

/* A Pod that cannot be scheduled for so long has failed: the scheduler may need a moment. */
#define UNSCHEDULABLE_WINDOW_NS (15 * 1000000000LL)

static const char *const names[] = {[FX_KSTATUS_UNKNOWN] = "Unknown",
        [FX_KSTATUS_IN_PROGRESS] = "InProgress",
        [FX_KSTATUS_FAILED] = "Failed",
        [FX_KSTATUS_CURRENT] = "Current",
        [FX_KSTATUS_TERMINATING] = "Terminating",
        [FX_KSTATUS_NOT_FOUND] = "NotFound"};

const char *fx_kstatus_name(enum fx_kstatus status)
{
	return names[status];
}

/* The parts of an object that the rules look at. */
struct view {
	const json_t *object, *spec, *status, *conditions;
	int64_t wall_ns;
	struct fx_error *err;
};

static const char *text_at(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : "";
}

static json_int_t int_at(const json_t *object, const char *key, json_int_t fallback)
{
	const json_t *value = json_object_get(object, key);
	return json_is_integer(value) ? json_integer_value(value) : fallback;
}

static const json_t *condition(const struct view *v, const char *type)
{
	size_t i;
	json_t *c;
	json_array_foreach (v->conditions, i, c) {
		if (!strcmp(text_at(c, "type"), type))
			return c;
	}
	return NULL;
}

static bool condition_is(const struct view *v, const char *type, const char *status)
{
	return !strcmp(text_at(condition(v, type), "status"), status);
}

static enum fx_kstatus current_if(bool current)
{
	return current ? FX_KSTATUS_CURRENT : FX_KSTATUS_IN_PROGRESS;
}

static enum fx_kstatus always_current(const struct view *v)
{
	(void)v;
	return FX_KSTATUS_CURRENT;
}

static enum fx_kstatus service_status(const struct view *v)
{
	return current_if(
	        strcmp(text_at(v->spec, "type"), "LoadBalancer") != 0 || *text_at(v->spec, "clusterIP"));
}

static enum fx_kstatus pvc_status(const struct view *v)
{
	return current_if(!strcmp(text_at(v->status, "phase"), "Bound"));
}

static bool is_crash_looping(const struct view *v)
{
	static const char *const lists[] = {
	        "initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"};
	for (size_t l = 0; l < FX_COUNT(lists); l++) {
		size_t i;
		json_t *c;
		json_array_foreach (json_object_get(v->status, lists[l]), i, c) {
			const json_t *waiting = json_object_get(json_object_get(c, "state"), "waiting");
			if (!strcmp(text_at(waiting, "reason"), "CrashLoopBackOff"))
				return true;
		}
	}
	return false;
}

static bool is_unschedulable(const struct view *v)
{
	const json_t *c = condition(v, "PodScheduled");
	return !strcmp(text_at(c, "status"), "False") && !strcmp(text_at(c, "reason"), "Unschedulable");
}

static enum fx_kstatus pending_pod_status(const struct view *v)
{
	int64_t since;
	if (!is_unschedulable(v))
		return FX_KSTATUS_IN_PROGRESS;
	if (fx_time_parse(text_at(condition(v, "PodScheduled"), "lastTransitionTime"), &since, NULL) < 0)
		return FX_KSTATUS_FAILED;
	return v->wall_ns - since > UNSCHEDULABLE_WINDOW_NS ? FX_KSTATUS_FAILED : FX_KSTATUS_IN_PROGRESS;
}

static enum fx_kstatus pod_status(const struct view *v)
{
	const char *phase = text_at(v->status, "phase");
	if (!*phase)
		return FX_KSTATUS_IN_PROGRESS;
	if (!strcmp(phase, "Succeeded") || !strcmp(phase, "Failed"))
		return FX_KSTATUS_CURRENT;
	if (!strcmp(phase, "Pending"))
		return pending_pod_status(v);
	if (strcmp(phase, "Running") != 0) {
		fx_fail(v->err, FX_E_INVALID, "unknown phase %s", phase);
		return FX_KSTATUS_UNKNOWN;
	}
	if (condition_is(v, "Ready", "True"))
		return FX_KSTATUS_CURRENT;
	return is_crash_looping(v) ? FX_KSTATUS_FAILED : FX_KSTATUS_IN_PROGRESS;
}

static enum fx_kstatus statefulset_status(const struct view *v)
{
	const json_t *strategy = json_object_get(v->spec, "updateStrategy");
	if (!strcmp(text_at(strategy, "type"), "OnDelete"))
		return FX_KSTATUS_CURRENT;
	json_int_t want = int_at(v->spec, "replicas", 1), have = int_at(v->status, "replicas", 0);
	if (want != have || want > int_at(v->status, "readyReplicas", 0))
		return FX_KSTATUS_IN_PROGRESS;
	json_int_t partition = int_at(json_object_get(strategy, "rollingUpdate"), "partition", -1);
	if (partition >= 0)
		return current_if(int_at(v->status, "updatedReplicas", 0) >= want - partition);
	if (want > int_at(v->status, "currentReplicas", 0))
		return FX_KSTATUS_IN_PROGRESS;
	return current_if(
	        !strcmp(text_at(v->status, "currentRevision"), text_at(v->status, "updateRevision")));
}

static enum fx_kstatus daemonset_status(const struct view *v)
{
	static const char *const counts[] = {
	        "currentNumberScheduled", "updatedNumberScheduled", "numberAvailable", "numberReady"};
	if (!json_object_get(v->status, "observedGeneration") ||
	        !json_object_get(json_object_get(v->object, "metadata"), "generation"))
		return FX_KSTATUS_IN_PROGRESS;
	json_int_t want = int_at(v->status, "desiredNumberScheduled", -1);
	if (want < 0)
		return FX_KSTATUS_IN_PROGRESS;
	for (size_t i = 0; i < FX_COUNT(counts); i++)
		if (want > int_at(v->status, counts[i], 0))
			return FX_KSTATUS_IN_PROGRESS;
	return FX_KSTATUS_CURRENT;
}

static enum fx_kstatus deployment_status(const struct view *v)
{
	const json_t *progressing = condition(v, "Progressing");
	const char *reason = text_at(progressing, "reason");
	if (!strcmp(reason, "ProgressDeadlineExceeded"))
		return FX_KSTATUS_FAILED;

	json_int_t want = int_at(v->spec, "replicas", 1), have = int_at(v->status, "replicas", 0);
	json_int_t updated = int_at(v->status, "updatedReplicas", 0);
	if (want != have || want > updated || updated > int_at(v->status, "availableReplicas", 0) ||
	        want > int_at(v->status, "readyReplicas", 0))
		return FX_KSTATUS_IN_PROGRESS;

	json_int_t deadline = int_at(v->spec, "progressDeadlineSeconds", INT_MAX);
	bool rolled_out = deadline == INT_MAX || (!strcmp(text_at(progressing, "status"), "True") &&
	                                                 !strcmp(reason, "NewReplicaSetAvailable"));
	return current_if(rolled_out && condition_is(v, "Available", "True"));
}

static enum fx_kstatus replicaset_status(const struct view *v)
{
	if (condition_is(v, "ReplicaFailure", "True"))
		return FX_KSTATUS_IN_PROGRESS;
	json_int_t want = int_at(v->spec, "replicas", 1);
	return current_if(want <= int_at(v->status, "fullyLabeledReplicas", 0) &&
	                  want <= int_at(v->status, "availableReplicas", 0) &&
	                  want <= int_at(v->status, "readyReplicas", 0) &&
	                  int_at(v->status, "replicas", 0) <= want);
}

static enum fx_kstatus job_status(const struct view *v)
{
	if (json_is_true(json_object_get(v->spec, "suspend")) || condition_is(v, "Complete", "True"))
		return FX_KSTATUS_CURRENT;
	return condition_is(v, "Failed", "True") ? FX_KSTATUS_FAILED : FX_KSTATUS_IN_PROGRESS;
}

static enum fx_kstatus crd_status(const struct view *v)
{
	const json_t *established = condition(v, "Established");
	if (condition_is(v, "NamesAccepted", "False"))
		return FX_KSTATUS_FAILED;
	if (!strcmp(text_at(established, "status"), "False") &&
	        strcmp(text_at(established, "reason"), "Installing") != 0)
		return FX_KSTATUS_FAILED;
	return current_if(condition_is(v, "Established", "True"));
}

static enum fx_kstatus ready_status(const struct view *v)
{
	return current_if(!condition(v, "Ready") || condition_is(v, "Ready", "True"));
}

struct rule {
	const char *group, *kind;
	enum fx_kstatus (*fn)(const struct view *v);
	bool no_generic; /* the rule alone decides */
};

static const struct rule rules[] = {
        {"", "Service", service_status, false},
        {"", "Secret", always_current, false},
        {"", "ConfigMap", always_current, false},
        {"", "PersistentVolumeClaim", pvc_status, false},
        {"", "Pod", pod_status, false},
        {"apps", "StatefulSet", statefulset_status, false},
        {"apps", "DaemonSet", daemonset_status, false},
        {"extensions", "DaemonSet", daemonset_status, false},
        {"apps", "Deployment", deployment_status, false},
        {"extensions", "Deployment", deployment_status, false},
        {"apps", "ReplicaSet", replicaset_status, false},
        {"extensions", "ReplicaSet", replicaset_status, false},
        {"policy", "PodDisruptionBudget", always_current, false},
        {"batch", "CronJob", always_current, false},
        {"batch", "Job", job_status, true},
        {"apiextensions.k8s.io", "CustomResourceDefinition", crd_status, false},
};

static const struct rule *find_rule(const char *group, size_t group_len, const char *kind)
{
	for (size_t i = 0; i < FX_COUNT(rules); i++)
		if (!strcmp(rules[i].kind, kind) && strlen(rules[i].group) == group_len &&
		        !strncmp(rules[i].group, group, group_len))
			return &rules[i];
	return NULL;
}

/* The rules that hold for every kind; false when they do not decide. */
static bool generic_status(const struct view *v, enum fx_kstatus *out)
{
	const json_t *meta = json_object_get(v->object, "metadata");
	const json_t *generation = json_object_get(meta, "generation");
	const json_t *observed = json_object_get(v->status, "observedGeneration");
	if (json_object_get(meta, "deletionTimestamp")) {
		*out = FX_KSTATUS_TERMINATING;
		return true;
	}
	if (json_is_integer(generation) && json_is_integer(observed) &&
	        json_integer_value(generation) != json_integer_value(observed)) {
		*out = FX_KSTATUS_IN_PROGRESS;
		return true;
	}
	size_t i;
	json_t *c;
	json_array_foreach (v->conditions, i, c) {
		bool reconciling = !strcmp(text_at(c, "type"), "Reconciling");
		if (!strcmp(text_at(c, "status"), "True") &&
		        (reconciling || !strcmp(text_at(c, "type"), "Stalled"))) {
			*out = reconciling ? FX_KSTATUS_IN_PROGRESS : FX_KSTATUS_FAILED;
			return true;
		}
	}
	return false;
}

enum fx_kstatus fx_kstatus_of(const json_t *object, int64_t wall_ns, struct fx_error *err)
{
	const char *api = text_at(object, "apiVersion"), *slash = strrchr(api, '/');
	return fx_kstatus_of_kind(
	        api, slash ? (size_t)(slash - api) : 0, text_at(object, "kind"), object, wall_ns, err);
}

enum fx_kstatus fx_kstatus_of_kind(const char *group, size_t group_len, const char *kind,
        const json_t *object, int64_t wall_ns, struct fx_error *err)
{
	const json_t *status = json_object_get(object, "status");
	struct view v = {.object = object,
	        .spec = json_object_get(object, "spec"),
	        .status = status,
	        .conditions = json_object_get(status, "conditions"),
	        .wall_ns = wall_ns,
	        .err = err};
	const struct rule *rule = find_rule(group, group_len, kind);
	enum fx_kstatus result;
	if (!(rule && rule->no_generic) && generic_status(&v, &result))
		return result;
	return rule ? rule->fn(&v) : ready_status(&v);
}

bool fx_kstatus_is_trivial(const char *group, size_t group_len, const char *kind)
{
	static const struct {
		const char *group, *kinds;
	} trivial[] = {
	        {"", " ConfigMap Secret ServiceAccount LimitRange Endpoints "},
	        {"rbac.authorization.k8s.io", " Role RoleBinding ClusterRole ClusterRoleBinding "},
	        {"batch", " CronJob "},
	        {"networking.k8s.io", " NetworkPolicy IngressClass "},
	        {"scheduling.k8s.io", " PriorityClass "},
	        {"storage.k8s.io", " StorageClass CSIDriver "},
	        {"node.k8s.io", " RuntimeClass "},
	        {"admissionregistration.k8s.io",
	                " MutatingWebhookConfiguration ValidatingWebhookConfiguration "},
	};
	char word[256];
	int n = snprintf(word, sizeof(word), " %s ", kind);
	if (n < 0 || (size_t)n >= sizeof(word))
		return false;
	for (size_t i = 0; i < FX_COUNT(trivial); i++)
		if (strlen(trivial[i].group) == group_len && !strncmp(trivial[i].group, group, group_len))
			return strstr(trivial[i].kinds, word) != NULL;
	return false;
}

bool fx_kstatus_has_pods(const char *group, size_t group_len, const char *kind)
{
	return group_len == 4 && !strncmp(group, "apps", 4) &&
	       (!strcmp(kind, "StatefulSet") || !strcmp(kind, "ReplicaSet"));
}

size_t fx_kstatus_failed_pods(const json_t *pods, int64_t wall_ns)
{
	size_t i, failed = 0;
	json_t *pod;
	json_array_foreach (pods, i, pod) {
		const json_t *status = json_object_get(pod, "status");
		struct view v = {
		        .object = pod, .status = status, .conditions = json_object_get(status, "conditions")};
		/* Items of a list have no apiVersion and kind of their own. */
		v.spec = json_object_get(pod, "spec");
		v.wall_ns = wall_ns;
		if (json_object_get(json_object_get(pod, "metadata"), "deletionTimestamp") ||
		        is_unschedulable(&v))
			continue;
		failed += pod_status(&v) == FX_KSTATUS_FAILED;
	}
	return failed;
}
