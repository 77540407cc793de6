#include "sim.h"

#include "core/cleanup.h"
#include "core/clock.h"
#include "obj.h"
#include "rest.h"

#include <string.h>

/* The longest delay that an annotation can ask for. */
#define DELAY_MAX_MS 600000
#define REVISION "deployment.kubernetes.io/revision"

static const char *const workloads[] = {"Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "Pod",
        "PersistentVolumeClaim", "Service", "Ingress"};

static bool is(const struct fx_as_resource *r, const char *kind)
{
	return strcmp(r->kind, kind) == 0;
}

static const char *annotation(const json_t *object, const char *key)
{
	const char *s = fx_json_str_at(object, "metadata", "annotations", key);
	return s ? s : fx_json_str_at(object, "spec", "template", "metadata", "annotations", key);
}

int fx_as_sim_delay(const struct fx_as_resource *r, const json_t *object)
{
	bool known = false;
	for (size_t i = 0; !r->custom && i < FX_COUNT(workloads); i++)
		known |= is(r, workloads[i]);
	if (!known || fx_json_at(object, "metadata", "deletionTimestamp"))
		return -1;
	const char *delay = annotation(object, "sim.flux/delay-ms");
	long ms = delay ? strtol(delay, NULL, 10) : 0;
	return ms < 0 ? 0 : ms > DELAY_MAX_MS ? DELAY_MAX_MS : (int)ms;
}

static json_t *condition(const char *type, const char *status, const char *reason, const char *message)
{
	return json_pack("{s:s,s:s,s:o,s:o,s:s,s:s}", "type", type, "status", status, "lastTransitionTime",
	        fx_as_now(), "lastUpdateTime", fx_as_now(), "reason", reason, "message", message);
}

/* Conditions that say the same keep their times. */
static void keep_times(json_t *status, const json_t *old)
{
	size_t i, j;
	json_t *now, *was;
	json_array_foreach (json_object_get(status, "conditions"), i, now) {
		json_array_foreach (json_object_get(old, "conditions"), j, was) {
			if (!json_equal(json_object_get(now, "type"), json_object_get(was, "type")) ||
			        !json_equal(json_object_get(now, "status"), json_object_get(was, "status")))
				continue;
			json_object_set(
			        now, "lastTransitionTime", json_object_get(was, "lastTransitionTime"));
			if (json_equal(json_object_get(now, "reason"), json_object_get(was, "reason")))
				json_object_set(
				        now, "lastUpdateTime", json_object_get(was, "lastUpdateTime"));
		}
	}
}

static void write_status(struct fx_as *as, struct fx_as_resource *r, const json_t *object, json_t *status)
{
	const json_t *old = json_object_get(object, "status");
	keep_times(status, old);
	if (old && json_equal(old, status)) {
		json_decref(status);
		return;
	}
	json_t *copy = json_deep_copy(object);
	json_object_set_new(copy, "status", status);
	if (is(r, "Deployment") && !fx_json_at(copy, "metadata", "annotations", REVISION))
		fx_as_put(copy, json_string("1"), "metadata", "annotations", REVISION, NULL);
	fx_as_rest_store_as(as, r, "kube-controller-manager", object, copy);
}

static json_t *deployment_status(const json_t *o, bool ready, const char *failure)
{
	json_int_t want = fx_json_int_at(o, 1, "spec", "replicas");
	json_t *s = json_pack("{s:I}", "observedGeneration", fx_json_int_at(o, 0, "metadata", "generation"));
	json_t *conditions = json_array();
	const char *name = fx_as_name(o);
	fx_autofree char *text = NULL;
	if (want) {
		json_object_set_new(s, "replicas", json_integer(want));
		json_object_set_new(s, "updatedReplicas", json_integer(want));
		json_object_set_new(s, ready ? "readyReplicas" : "unavailableReplicas", json_integer(want));
		if (ready)
			json_object_set_new(s, "availableReplicas", json_integer(want));
	}
	bool available = ready || !want;
	json_array_append_new(
	        conditions, condition("Available", available ? "True" : "False",
	                            available ? "MinimumReplicasAvailable" : "MinimumReplicasUnavailable",
	                            available ? "Deployment has minimum availability."
	                                      : "Deployment does not have minimum availability."));
	if (asprintf(&text,
	            failure ? "ReplicaSet \"%s\" has timed out progressing.%s%s" : "ReplicaSet \"%s\" %s%s",
	            name,
	            failure     ? " "
	            : available ? "has successfully progressed."
	                        : "is progressing.",
	            failure ? failure : "") >= 0)
		json_array_append_new(conditions, condition("Progressing", failure ? "False" : "True",
		                                          failure     ? "ProgressDeadlineExceeded"
		                                          : available ? "NewReplicaSetAvailable"
		                                                      : "ReplicaSetUpdated",
		                                          text));
	json_object_set_new(s, "conditions", conditions);
	json_object_set_new(s, "terminatingReplicas", json_integer(0));
	return s;
}

static json_t *stateful_status(const json_t *o, bool ready)
{
	json_int_t want = fx_json_int_at(o, 1, "spec", "replicas"),
	           generation = fx_json_int_at(o, 0, "metadata", "generation");
	char revision[64];
	snprintf(revision, sizeof(revision), "rev-%lld", (long long)generation);
	json_t *s = json_pack("{s:I,s:I,s:I,s:I,s:s,s:s,s:i,s:I}", "observedGeneration", generation,
	        "replicas", want, "currentReplicas", want, "updatedReplicas", want, "currentRevision",
	        revision, "updateRevision", revision, "collisionCount", 0, "availableReplicas",
	        ready ? want : 0);
	if (ready)
		json_object_set_new(s, "readyReplicas", json_integer(want));
	return s;
}

static json_t *daemon_status(const json_t *o, bool ready)
{
	json_t *s = json_pack("{s:I,s:i,s:i,s:i,s:i,s:i}", "observedGeneration",
	        fx_json_int_at(o, 0, "metadata", "generation"), "currentNumberScheduled", 1,
	        "desiredNumberScheduled", 1, "updatedNumberScheduled", 1, "numberMisscheduled", 0,
	        "numberReady", ready ? 1 : 0);
	json_object_set_new(s, ready ? "numberAvailable" : "numberUnavailable", json_integer(1));
	return s;
}

static json_t *replica_set_status(const json_t *o, bool ready)
{
	json_int_t want = fx_json_int_at(o, 1, "spec", "replicas");
	return json_pack("{s:I,s:I,s:I,s:I,s:I}", "observedGeneration",
	        fx_json_int_at(o, 0, "metadata", "generation"), "replicas", want, "fullyLabeledReplicas",
	        want, "readyReplicas", ready ? want : 0, "availableReplicas", ready ? want : 0);
}

static json_t *job_status(const json_t *o, bool ready, const char *failure)
{
	const char *started = fx_json_str_at(o, "status", "startTime");
	json_t *s = json_pack("{s:o}", "startTime", started ? json_string(started) : fx_as_now());
	if (json_is_true(fx_json_at(o, "spec", "suspend"))) {
		json_decref(s);
		return json_pack("{s:[o]}", "conditions",
		        condition("Suspended", "True", "JobSuspended", "Job suspended"));
	}
	if (failure) {
		json_object_set_new(s, "failed", json_integer(1));
		json_object_set_new(s, "conditions",
		        json_pack("[o,o]",
		                condition("FailureTarget", "True", "BackoffLimitExceeded", failure),
		                condition("Failed", "True", "BackoffLimitExceeded", failure)));
	} else if (ready) {
		json_int_t completions = fx_json_int_at(o, 1, "spec", "completions");
		const char *done = fx_json_str_at(o, "status", "completionTime");
		json_object_set_new(s, "completionTime", done ? json_string(done) : fx_as_now());
		json_object_set_new(s, "succeeded", json_integer(completions));
		json_object_set_new(s, "ready", json_integer(0));
		json_object_set_new(s, "conditions",
		        json_pack("[o,o]",
		                condition("SuccessCriteriaMet", "True", "CompletionsReached",
		                        "Reached expected number of succeeded pods"),
		                condition("Complete", "True", "CompletionsReached",
		                        "Reached expected number of succeeded pods")));
	} else {
		json_object_set_new(s, "active", json_integer(1));
	}
	return s;
}

static json_t *container_statuses(const json_t *o, bool ready, const char *failure)
{
	json_t *list = json_array();
	size_t i;
	json_t *container;
	json_array_foreach (fx_json_at(o, "spec", "containers"), i, container) {
		const char *image = fx_json_str_at(container, "image");
		json_t *state = ready ? json_pack("{s:{s:o}}", "running", "startedAt", fx_as_now())
		                      : json_pack("{s:{s:s}}", "waiting", "reason",
		                                failure ? "CrashLoopBackOff" : "ContainerCreating");
		json_array_append_new(
		        list, json_pack("{s:s,s:b,s:b,s:i,s:s,s:s,s:o,s:{}}", "name",
		                      fx_json_str_at(container, "name"), "ready", ready, "started", ready,
		                      "restartCount", 0, "image", image ? image : "", "imageID", "", "state",
		                      state, "lastState"));
	}
	return list;
}

static json_t *pod_status(const json_t *o, bool ready, const char *failure)
{
	const char *flag = ready ? "True" : "False";
	const char *reason = ready ? "" : "ContainersNotReady", *text = failure ? failure : "";
	return json_pack("{s:s,s:s,s:[o,o,o,o],s:o,s:o}", "phase", ready ? "Running" : "Pending", "qosClass",
	        "BestEffort", "conditions", condition("Initialized", "True", "", ""),
	        condition("Ready", flag, reason, text), condition("ContainersReady", flag, reason, text),
	        condition("PodScheduled", "True", "", ""), "containerStatuses",
	        container_statuses(o, ready, failure), "startTime", fx_as_now());
}

/* NULL: nothing to say (yet). */
static json_t *status_of(const struct fx_as_resource *r, const json_t *o, bool ready, const char *failure)
{
	if (is(r, "Deployment"))
		return deployment_status(o, ready, failure);
	if (is(r, "StatefulSet"))
		return stateful_status(o, ready);
	if (is(r, "DaemonSet"))
		return daemon_status(o, ready);
	if (is(r, "ReplicaSet"))
		return replica_set_status(o, ready);
	if (is(r, "Job"))
		return job_status(o, ready, failure);
	if (is(r, "Pod"))
		return pod_status(o, ready, failure);
	if (!ready)
		return NULL;
	if (is(r, "PersistentVolumeClaim")) {
		json_t *modes = fx_json_at(o, "spec", "accessModes");
		json_t *capacity = fx_json_at(o, "spec", "resources", "requests");
		return json_pack("{s:s,s:o,s:o}", "phase", "Bound", "accessModes",
		        modes ? json_deep_copy(modes) : json_array(), "capacity",
		        capacity ? json_deep_copy(capacity) : json_object());
	}
	const char *type = fx_json_str_at(o, "spec", "type");
	if (is(r, "Ingress") || (type && strcmp(type, "LoadBalancer") == 0))
		return json_pack("{s:{s:[{s:s}]}}", "loadBalancer", "ingress", "ip", "192.0.2.1");
	return NULL;
}

/* True when the status already speaks of this generation in its final form. */
static bool is_settled(const struct fx_as_resource *r, const json_t *o)
{
	if (is(r, "Pod"))
		return fx_json_at(o, "status", "containerStatuses");
	if (is(r, "Job"))
		return json_array_size(fx_json_at(o, "status", "conditions"));
	return fx_json_int_at(o, -1, "status", "observedGeneration") ==
	       fx_json_int_at(o, -2, "metadata", "generation");
}

void fx_as_sim_begin(struct fx_as *as, struct fx_as_resource *r, const json_t *object)
{
	json_t *status = is_settled(r, object) ? NULL : status_of(r, object, false, NULL);
	if (status)
		write_status(as, r, object, status);
}

void fx_as_sim_settle(struct fx_as *as, struct fx_as_resource *r, const json_t *object)
{
	const char *failure = annotation(object, "sim.flux/fail");
	json_t *status =
	        is(r, "Pod") && is_settled(r, object) &&
	                        json_is_true(fx_json_at(
	                                json_array_get(fx_json_at(object, "status", "containerStatuses"), 0),
	                                "ready"))
	                ? NULL
	                : status_of(r, object, !failure, failure);
	if (status)
		write_status(as, r, object, status);
}
