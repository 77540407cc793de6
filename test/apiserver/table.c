#include "table.h"

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/clock.h"
#include "jsonpath.h"
#include "obj.h"

#include <string.h>

/* A computed cell of a built-in kind, a new reference. */
typedef json_t *(*cell_fn)(const json_t *object);

struct column {
	const char *name;
	const char *type;
	const char *path; /* JSONPath, or NULL: fn */
	cell_fn fn;
	int priority;
};

struct columns {
	const char *kind;
	struct column all[10];
};

char *fx_as_human_duration(long long s, char out[32])
{
	long long m = s / 60, h = m / 60, d = h / 24, y = d / 365;
	if (s < -1)
		snprintf(out, 32, "<invalid>");
	else if (s < 0)
		snprintf(out, 32, "0s");
	else if (s < 120)
		snprintf(out, 32, "%llds", s);
	else if (m < 10)
		snprintf(out, 32, s % 60 ? "%lldm%llds" : "%lldm", m, s % 60);
	else if (m < 180)
		snprintf(out, 32, "%lldm", m);
	else if (h < 8)
		snprintf(out, 32, m % 60 ? "%lldh%lldm" : "%lldh", h, m % 60);
	else if (h < 48)
		snprintf(out, 32, "%lldh", h);
	else if (h < 192)
		snprintf(out, 32, h % 24 ? "%lldd%lldh" : "%lldd", d, h % 24);
	else if (d < 730)
		snprintf(out, 32, "%lldd", d);
	else
		snprintf(out, 32, d % 365 && y < 8 ? "%lldy%lldd" : "%lldy", y, d % 365);
	return out;
}

static json_t *age_of(const char *time)
{
	int64_t ns;
	char text[32];
	if (!time || fx_time_parse(time, &ns, NULL) < 0)
		return json_string("<unknown>");
	return json_string(fx_as_human_duration((fx_wall_ns() - ns) / 1000000000, text));
}

static json_t *cell_age(const json_t *o)
{
	return age_of(fx_json_str_at(o, "metadata", "creationTimestamp"));
}

static json_t *cell_data(const json_t *o)
{
	return json_integer((json_int_t)(json_object_size(json_object_get(o, "data")) +
	                                 json_object_size(json_object_get(o, "binaryData"))));
}

static json_t *ratio(json_int_t a, json_int_t b)
{
	char text[48];
	snprintf(text, sizeof(text), "%lld/%lld", (long long)a, (long long)b);
	return json_string(text);
}

static json_t *cell_ready(const json_t *o)
{
	return ratio(
	        fx_json_int_at(o, 0, "status", "readyReplicas"), fx_json_int_at(o, 0, "spec", "replicas"));
}

static json_t *cell_completions(const json_t *o)
{
	return ratio(
	        fx_json_int_at(o, 0, "status", "succeeded"), fx_json_int_at(o, 1, "spec", "completions"));
}

static json_t *cell_pod_ready(const json_t *o)
{
	size_t i, ready = 0;
	json_t *status;
	json_array_foreach (fx_json_at(o, "status", "containerStatuses"), i, status)
		ready += json_is_true(json_object_get(status, "ready"));
	return ratio((json_int_t)ready, (json_int_t)json_array_size(fx_json_at(o, "spec", "containers")));
}

static json_t *cell_pod_status(const json_t *o)
{
	if (fx_json_at(o, "metadata", "deletionTimestamp"))
		return json_string("Terminating");
	const char *reason =
	        json_string_value(fx_as_jsonpath(o, ".status.containerStatuses[0].state.waiting.reason"));
	const char *phase = fx_json_str_at(o, "status", "phase");
	if (phase && strcmp(phase, "Succeeded") == 0)
		phase = "Completed";
	return json_string(reason ? reason : phase ? phase : "Unknown");
}

static json_t *cell_ports(const json_t *o)
{
	fx_auto(buf) struct fx_buf text = FX_BUF_INIT;
	size_t i;
	json_t *port;
	json_array_foreach (fx_json_at(o, "spec", "ports"), i, port) {
		json_int_t node = fx_json_int_at(port, 0, "nodePort");
		fx_buf_addf(&text, "%s%lld", i ? "," : "", (long long)fx_json_int_at(port, 0, "port"));
		if (node)
			fx_buf_addf(&text, ":%lld", (long long)node);
		const char *protocol = fx_json_str_at(port, "protocol");
		fx_buf_addf(&text, "/%s", protocol ? protocol : "TCP");
	}
	return json_string(text.len ? fx_buf_str(&text) : "<none>");
}

static json_t *cell_external_ip(const json_t *o)
{
	const char *type = fx_json_str_at(o, "spec", "type");
	const char *ip = json_string_value(fx_as_jsonpath(o, ".status.loadBalancer.ingress[0].ip"));
	if (type && strcmp(type, "ExternalName") == 0)
		ip = fx_json_str_at(o, "spec", "externalName");
	return json_string(ip ? ip : "<none>");
}

static json_t *cell_event_object(const json_t *o)
{
	const char *kind = fx_json_str_at(o, "involvedObject", "kind");
	const char *name = fx_json_str_at(o, "involvedObject", "name");
	fx_autofree char *text = NULL;
	if (!kind || asprintf(&text, "%s/%s", kind, name ? name : "") < 0)
		return json_string("<unknown>");
	for (char *p = text; *p && *p != '/'; p++)
		*p |= 0x20;
	return json_string(text);
}

static json_t *cell_last_seen(const json_t *o)
{
	const char *last = fx_json_str_at(o, "lastTimestamp");
	return age_of(last ? last : fx_json_str_at(o, "eventTime"));
}

static json_t *cell_role(const json_t *o)
{
	const char *kind = fx_json_str_at(o, "roleRef", "kind"), *name = fx_json_str_at(o, "roleRef", "name");
	fx_autofree char *text = NULL;
	return asprintf(&text, "%s/%s", kind ? kind : "", name ? name : "") < 0 ? json_null()
	                                                                        : json_string(text);
}

static json_t *cell_job_status(const json_t *o)
{
	size_t i;
	json_t *c;
	json_array_foreach (fx_json_at(o, "status", "conditions"), i, c) {
		const char *type = fx_json_str_at(c, "type"), *status = fx_json_str_at(c, "status");
		if (strcmp(status, "True") == 0 &&
		        (strcmp(type, "Complete") == 0 || strcmp(type, "Failed") == 0))
			return json_string(type);
	}
	return json_string("Running");
}

static json_t *cell_node_status(const json_t *o)
{
	const char *ready =
	        json_string_value(fx_as_jsonpath(o, ".status.conditions[?(@.type==\"Ready\")].status"));
	return json_string(ready && strcmp(ready, "True") == 0 ? "Ready" : "NotReady");
}

#define NUMBER "integer"
#define TEXT "string"

static const struct columns builtins[] = {
        {"ConfigMap", {{"Data", TEXT, NULL, cell_data, 0}}},
        {"Secret", {{"Type", TEXT, ".type", NULL, 0}, {"Data", TEXT, NULL, cell_data, 0}}},
        {"Namespace", {{"Status", TEXT, ".status.phase", NULL, 0}}},
        {"Node", {{"Status", TEXT, NULL, cell_node_status, 0}}},
        {"Service", {{"Type", TEXT, ".spec.type", NULL, 0}, {"Cluster-IP", TEXT, ".spec.clusterIP", NULL, 0},
                            {"External-IP", TEXT, NULL, cell_external_ip, 0},
                            {"Port(s)", TEXT, NULL, cell_ports, 0}}},
        {"Pod", {{"Ready", TEXT, NULL, cell_pod_ready, 0}, {"Status", TEXT, NULL, cell_pod_status, 0},
                        {"Restarts", TEXT, ".status.containerStatuses[0].restartCount", NULL, 0}}},
        {"Deployment", {{"Ready", TEXT, NULL, cell_ready, 0},
                               {"Up-to-date", TEXT, ".status.updatedReplicas", NULL, 0},
                               {"Available", TEXT, ".status.availableReplicas", NULL, 0}}},
        {"ReplicaSet", {{"Desired", NUMBER, ".spec.replicas", NULL, 0},
                               {"Current", NUMBER, ".status.replicas", NULL, 0},
                               {"Ready", NUMBER, ".status.readyReplicas", NULL, 0}}},
        {"StatefulSet", {{"Ready", TEXT, NULL, cell_ready, 0}}},
        {"DaemonSet", {{"Desired", NUMBER, ".status.desiredNumberScheduled", NULL, 0},
                              {"Current", NUMBER, ".status.currentNumberScheduled", NULL, 0},
                              {"Ready", NUMBER, ".status.numberReady", NULL, 0},
                              {"Up-to-date", NUMBER, ".status.updatedNumberScheduled", NULL, 0},
                              {"Available", NUMBER, ".status.numberAvailable", NULL, 0}}},
        {"Job", {{"Status", TEXT, NULL, cell_job_status, 0},
                        {"Completions", TEXT, NULL, cell_completions, 0}}},
        {"CronJob", {{"Schedule", TEXT, ".spec.schedule", NULL, 0},
                            {"Suspend", "boolean", ".spec.suspend", NULL, 0}}},
        {"Event", {{"Last Seen", TEXT, NULL, cell_last_seen, 0}, {"Type", TEXT, ".type", NULL, 0},
                          {"Reason", TEXT, ".reason", NULL, 0}, {"Object", TEXT, NULL, cell_event_object, 0},
                          {"Message", TEXT, ".message", NULL, 0}}},
        {"PersistentVolumeClaim",
                {{"Status", TEXT, ".status.phase", NULL, 0}, {"Volume", TEXT, ".spec.volumeName", NULL, 0},
                        {"Capacity", TEXT, ".status.capacity.storage", NULL, 0}}},
        {"Ingress", {{"Class", TEXT, ".spec.ingressClassName", NULL, 0},
                            {"Hosts", TEXT, ".spec.rules[0].host", NULL, 0}}},
        {"RoleBinding", {{"Role", TEXT, NULL, cell_role, 0}}},
        {"ClusterRoleBinding", {{"Role", TEXT, NULL, cell_role, 0}}},
        {"Lease", {{"Holder", TEXT, ".spec.holderIdentity", NULL, 0}}},
        {"CustomResourceDefinition", {{"Created At", "date", ".metadata.creationTimestamp", NULL, 0}}},
};

static const struct columns *builtin_columns(const struct fx_as_resource *r)
{
	for (size_t i = 0; !r->custom && i < FX_COUNT(builtins); i++)
		if (strcmp(builtins[i].kind, r->kind) == 0)
			return &builtins[i];
	return NULL;
}

/* Events and definitions show a time of their own instead of the age. */
static bool shows_age(const struct fx_as_resource *r)
{
	return strcmp(r->kind, "Event") != 0 && strcmp(r->kind, "CustomResourceDefinition") != 0;
}

static void add_column(json_t *list, const char *name, const char *type, const char *format,
        const char *description, json_int_t priority)
{
	json_array_append_new(list, json_pack("{s:s,s:s,s:s,s:s,s:I}", "name", name, "type", type, "format",
	                                    format, "description", description, "priority", priority));
}

json_t *fx_as_table_columns(const struct fx_as_resource *r, const struct fx_as_version *version)
{
	json_t *list = json_array();
	const struct columns *builtin = builtin_columns(r);
	if (!builtin || strcmp(r->kind, "Event") != 0)
		add_column(list, "Name", "string", "name", "Name must be unique within a namespace.", 0);
	for (const struct column *c = builtin ? builtin->all : NULL; c && c->name; c++)
		add_column(list, c->name, c->type, "", c->name, c->priority);
	size_t i;
	json_t *column;
	json_array_foreach (version->columns, i, column) {
		const char *format = fx_json_str_at(column, "format"),
		           *about = fx_json_str_at(column, "description");
		add_column(list, fx_json_str_at(column, "name"), fx_json_str_at(column, "type"),
		        format ? format : "", about ? about : "", fx_json_int_at(column, 0, "priority"));
	}
	if ((builtin && shows_age(r)) || !version->columns)
		add_column(list, "Age", r->custom ? "date" : "string", "", "When it was created.", 0);
	return list;
}

static json_t *custom_cell(const json_t *object, const json_t *column)
{
	const char *type = fx_json_str_at(column, "type"), *path = fx_json_str_at(column, "jsonPath");
	const json_t *value = path ? fx_as_jsonpath(object, path) : NULL;
	if (!value)
		return json_null();
	if (type && strcmp(type, "date") == 0)
		return json_is_string(value) ? age_of(json_string_value(value)) : json_string("<unknown>");
	if (json_is_string(value) || !type || strcmp(type, "string") != 0)
		return json_incref((json_t *)value);
	fx_autofree char *text = fx_as_text(value);
	return json_string(text);
}

json_t *fx_as_table_row(const struct fx_as_resource *r, const struct fx_as_version *version,
        const json_t *object, const char *include)
{
	json_t *cells = json_array();
	const struct columns *builtin = builtin_columns(r);
	if (!builtin || strcmp(r->kind, "Event") != 0)
		json_array_append_new(cells, json_string(fx_as_name(object)));
	for (const struct column *c = builtin ? builtin->all : NULL; c && c->name; c++) {
		const json_t *value = c->path ? fx_as_jsonpath(object, c->path) : NULL;
		bool count = c->path && strncmp(c->path, ".status", 7) == 0 && strstr(c->path, "eplicas");
		json_array_append_new(cells, c->fn   ? c->fn(object)
		                             : value ? json_incref((json_t *)value)
		                             : count ? json_integer(0)
		                                     : json_string("<none>"));
	}
	size_t i;
	json_t *column;
	json_array_foreach (version->columns, i, column)
		json_array_append_new(cells, custom_cell(object, column));
	if ((builtin && shows_age(r)) || !version->columns)
		json_array_append_new(cells, cell_age(object));
	json_t *row = json_pack("{s:o}", "cells", cells);
	if (include && strcmp(include, "Object") == 0)
		json_object_set(row, "object", (json_t *)object);
	else if (!include || strcmp(include, "None") != 0)
		json_object_set_new(row, "object",
		        json_pack("{s:s,s:s,s:O}", "kind", "PartialObjectMetadata", "apiVersion",
		                "meta.k8s.io/v1", "metadata", json_object_get(object, "metadata")));
	return row;
}
