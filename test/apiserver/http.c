#include "http.h"

#include "core/buf.h"
#include "core/cleanup.h"
#include "discovery.h"
#include "faults.h"
#include "obj.h"
#include "output.h"
#include "protobuf.h"
#include "reviews.h"
#include "watch.h"
#include "yaml.h"

#include <string.h>
#include <time.h>

#define JSON_TYPE "application/json"
#define FLOW_UID "00000000-0000-4000-8000-000000000001"
/* A token that says who it is for: tests need no list of users. */
#define ANY_USER_TOKEN "as:"

struct call {
	struct fx_as *as;
	struct fx_server_request *http;
	const char *method, *path_text, *user, *verb;
	struct fx_as_path path;
	enum fx_as_form form;
	bool watch;
	bool truncate; /* a fault */
	struct fx_as_op op;
};

static const char *query(const struct call *c, const char *key)
{
	const char *value = fx_server_query(c->http, key);
	return value ? value : "";
}

static bool query_is(const struct call *c, const char *key, const char *want)
{
	return strcmp(query(c, key), want) == 0;
}

static void send_text(struct call *c, int code, const char *type, const char *text, size_t len)
{
	if (!c->truncate) {
		fx_server_reply(c->http, code, type, text, len);
		return;
	}
	struct fx_server_stream *stream = fx_server_reply_stream(c->http, code, type, len + 1);
	if (!stream)
		return;
	fx_server_stream_push(stream, text, len / 2);
	fx_server_stream_cut(stream);
}

static void send_json(struct call *c, int code, const char *type, const json_t *value)
{
	fx_autofree char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	send_text(c, code, type, text ? text : "", text ? strlen(text) : 0);
}

/* Takes the Status. */
static void send_status(struct call *c, json_t *status)
{
	json_int_t retry = fx_json_int_at(status, 0, "details", "retryAfterSeconds");
	if (retry) {
		char text[16];
		snprintf(text, sizeof(text), "%d", (int)retry);
		fx_server_add_header(c->http, "Retry-After", text);
	}
	send_json(c, fx_as_status_code(status), JSON_TYPE, status);
	json_decref(status);
}

static void send_not_found(struct call *c)
{
	send_text(c, 404, "text/plain; charset=utf-8", "404 page not found\n", 19);
}

/* The value is taken; NULL is not found. */
static void send_or_404(struct call *c, const char *type, json_t *value)
{
	if (value)
		send_json(c, 200, type, value);
	else
		send_not_found(c);
	json_decref(value);
}

/* --- who --- */

static json_t *authenticate(struct call *c)
{
	const char *header = fx_server_header(c->http, "Authorization");
	const char *impersonated = fx_server_header(c->http, "Impersonate-User");
	c->user = "system:anonymous";
	if (header && strncmp(header, "Bearer " ANY_USER_TOKEN, 7 + strlen(ANY_USER_TOKEN)) == 0) {
		c->user = header + 7 + strlen(ANY_USER_TOKEN);
	} else if (header && strncmp(header, "Bearer ", 7) == 0) {
		c->user = fx_map_get(&c->as->tokens, header + 7);
		if (!c->user) {
			c->user = "system:anonymous";
			return fx_as_status(401, "Unauthorized", "Unauthorized");
		}
	}
	if (impersonated && *impersonated)
		c->user = impersonated;
	return NULL;
}

static bool covers(const char *pattern, const char *value)
{
	return strcmp(pattern, "*") == 0 || strcmp(pattern, value) == 0;
}

static json_t *forbidden(const struct call *c, const char *resource)
{
	const struct fx_as_path *p = &c->path;
	fx_autofree char *qualified = fx_as_qualified(p->plural, p->group);
	fx_autofree char *scope = NULL, *name = NULL;
	if (asprintf(&scope, *p->ns ? "in the namespace \"%s\"" : "at the cluster scope", p->ns) < 0 ||
	        asprintf(&name, "%s%s%s", *p->name ? " \"" : "", p->name, *p->name ? "\"" : "") < 0)
		return NULL;
	return fx_as_status_details(
	        fx_as_status(403, "Forbidden",
	                "%s%s is forbidden: User \"%s\" cannot %s resource \"%s\" in API group \"%s\" %s",
	                qualified, name, c->user, c->verb, resource, p->group, scope),
	        p->group, p->plural, p->name);
}

static json_t *authorize(const struct call *c, const char *resource)
{
	fx_vec_foreach (struct fx_as_deny, d, &c->as->denied) {
		if (covers(d->user, c->user) && covers(d->verb, c->verb) && covers(d->resource, resource))
			return forbidden(c, resource);
	}
	return NULL;
}

/* --- what is not a resource --- */

static void version_info(struct call *c)
{
	send_or_404(c, JSON_TYPE,
	        json_pack("{s:s,s:s,s:s,s:s,s:s,s:s}", "major", "1", "minor", "36", "gitVersion", "v1.36.3",
	                "platform", "linux/amd64", "compiler", "gcc", "goVersion", "none"));
}

static void control_faults(struct call *c)
{
	if (strcmp(c->method, "DELETE") == 0) {
		fx_as_faults_clear(c->as);
	} else if (strcmp(c->method, "POST") == 0) {
		size_t len;
		const char *text = fx_server_body(c->http, &len);
		fx_auto(json) json_t *body = json_loadb(text ? text : "", len, 0, NULL);
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		const char *type = fx_json_str_at(body, "type");
		if (type && strcmp(type, "cut") == 0 && !json_object_get(body, "count")) {
			const char *path = fx_json_str_at(body, "path");
			fx_as_watch_cut(c->as, path ? path : "");
		} else if (fx_as_faults_add(c->as, body, &err) < 0) {
			send_status(c, fx_as_status(400, "BadRequest", "%s", fx_error_message(&err)));
			return;
		}
	}
	send_or_404(c, JSON_TYPE, fx_as_faults_list(c->as));
}

static void control(struct call *c)
{
	const char *p = c->path_text;
	if (strcmp(p, "/_faults") == 0) {
		control_faults(c);
		return;
	}
	if (strcmp(p, "/_requests") == 0) {
		send_or_404(c, JSON_TYPE, fx_as_count_list(c->as));
		if (strcmp(c->method, "DELETE") == 0)
			json_object_clear(c->as->counts);
		return;
	}
	if (strcmp(p, "/_compact") == 0)
		fx_as_store_compact(&c->as->store);
	else if (strcmp(p, "/_bookmarks") == 0)
		fx_as_watch_bookmark_all(c->as);
	else
		return send_not_found(c);
	send_or_404(c, JSON_TYPE, json_pack("{s:I}", "resourceVersion", (json_int_t)c->as->store.rv));
}

static void openapi(struct call *c, const char *rest)
{
	if (!*rest) {
		send_or_404(c, JSON_TYPE, fx_as_openapi_index(c->as));
		return;
	}
	char group[FX_AS_SEGMENT_MAX] = "", version[FX_AS_SEGMENT_MAX] = "";
	if (sscanf(rest, "/apis/%259[^/]/%259[^/?]", group, version) != 2) {
		group[0] = '\0';
		if (sscanf(rest, "/api/%259[^/?]", version) != 1)
			return send_not_found(c);
	}
	send_or_404(c, JSON_TYPE, fx_as_openapi_document(c->as, group, version));
}

static void discovery(struct call *c)
{
	static const char aggregated[] = JSON_TYPE ";g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
	const char *p = c->path_text;
	bool core = strcmp(p, "/api") == 0 || strcmp(p, "/api/") == 0;
	char group[FX_AS_SEGMENT_MAX] = "", version[FX_AS_SEGMENT_MAX] = "";
	if (core || strcmp(p, "/apis") == 0 || strcmp(p, "/apis/") == 0) {
		if (c->form == FX_AS_FORM_DISCOVERY)
			send_or_404(c, aggregated, fx_as_discovery_aggregated(c->as, core));
		else
			send_or_404(c, JSON_TYPE,
			        core ? fx_as_discovery_versions(c->as) : fx_as_discovery_groups(c->as));
		return;
	}
	if (sscanf(p, "/apis/%259[^/]/%259[^/]", group, version) == 2 ||
	        sscanf(p, "/api/%259[^/]", version) == 1)
		send_or_404(c, JSON_TYPE, fx_as_discovery_resources(c->as, group, version));
	else
		send_or_404(c, JSON_TYPE, fx_as_discovery_group(c->as, group));
}

static void other(struct call *c)
{
	const char *p = c->path_text;
	if (strcmp(p, "/healthz") == 0 || strncmp(p, "/livez", 6) == 0 || strncmp(p, "/readyz", 7) == 0)
		send_text(c, 200, "text/plain; charset=utf-8", "ok", 2);
	else if (strcmp(p, "/version") == 0 || strcmp(p, "/version/") == 0)
		version_info(c);
	else if (strncmp(p, "/openapi/v3", 11) == 0)
		openapi(c, p + 11);
	else if (strncmp(p, "/api", 4) == 0)
		discovery(c);
	else
		send_not_found(c);
}

/* --- resources --- */

static void send_object(struct call *c, int code, const json_t *object)
{
	struct fx_as_view view = {.resource = c->op.resource, .version = c->op.version, .form = c->form};
	const char *kind = fx_json_str_at(object, "kind"),
	           *include = fx_server_query(c->http, "includeObject");
	fx_auto(buf) struct fx_buf text = FX_BUF_INIT;
	view.include = include;
	if (kind && strcmp(kind, "Status") == 0)
		return send_json(c, code, JSON_TYPE, object);
	fx_as_output_object(&view, object, true, &text);
	send_text(c, code, c->form == FX_AS_FORM_TABLE ? JSON_TYPE ";as=Table;v=v1;g=meta.k8s.io" : JSON_TYPE,
	        fx_buf_str(&text), text.len);
}

static void add_warnings(struct call *c)
{
	size_t i;
	json_t *warning;
	json_array_foreach (c->op.warnings, i, warning) {
		fx_auto(buf) struct fx_buf text = FX_BUF_INIT;
		fx_buf_add_str(&text, "299 - ");
		fx_buf_add_json_string(&text, json_string_value(warning));
		fx_server_add_header(c->http, "Warning", fx_buf_str(&text));
	}
}

static json_t *parse_selectors(struct call *c, struct fx_as_selector **labels, struct fx_as_selector **fields)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	if (fx_as_labels_parse(query(c, "labelSelector"), labels, &err) < 0 ||
	        fx_as_fields_parse(query(c, "fieldSelector"), fields, &err) < 0)
		return fx_as_status(400, "BadRequest", "%s", fx_error_message(&err));
	static const char *const everywhere[] = {"metadata.name", "metadata.namespace"};
	const char *key;
	for (size_t i = 0; c->op.resource->custom && (key = fx_as_selector_key(*fields, i)); i++) {
		if (strcmp(key, everywhere[0]) != 0 && strcmp(key, everywhere[1]) != 0)
			return fx_as_status(400, "BadRequest", "field label not supported: %s", key);
	}
	return NULL;
}

static void list(struct call *c)
{
	fx_auto(as_selector) struct fx_as_selector *labels = NULL, *fields = NULL;
	json_t *status = parse_selectors(c, &labels, &fields);
	if (status)
		return send_status(c, status);
	struct fx_as_view view = {.resource = c->op.resource,
	        .version = c->op.version,
	        .form = c->form,
	        .include = fx_server_query(c->http, "includeObject")};
	struct fx_as_list want = {.ns = c->op.ns,
	        .labels = labels,
	        .fields = fields,
	        .limit = strtoul(query(c, "limit"), NULL, 10),
	        .continue_token = fx_server_query(c->http, "continue")};
	fx_auto(buf) struct fx_buf text = FX_BUF_INIT;
	status = fx_as_output_list(c->as, &view, &want, &text);
	if (status)
		return send_status(c, status);
	send_text(c, 200,
	        c->form == FX_AS_FORM_TABLE      ? JSON_TYPE ";as=Table;v=v1;g=meta.k8s.io"
	        : c->form == FX_AS_FORM_METADATA ? JSON_TYPE
	                ";as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
	                                         : JSON_TYPE,
	        fx_buf_str(&text), text.len);
}

static void start_watch(struct call *c)
{
	struct fx_as_watch_request q = {.view = {.resource = c->op.resource,
	                                        .version = c->op.version,
	                                        .form = c->form,
	                                        .include = fx_server_query(c->http, "includeObject")},
	        .path = c->path_text,
	        .ns = c->op.ns,
	        .rv = query(c, "resourceVersion"),
	        .bookmarks =
	                query_is(c, "allowWatchBookmarks", "true") || query_is(c, "allowWatchBookmarks", "1"),
	        .initial_events =
	                query_is(c, "sendInitialEvents", "true") || query_is(c, "sendInitialEvents", "1"),
	        .timeout_s = (int)strtol(query(c, "timeoutSeconds"), NULL, 10)};
	json_t *status = parse_selectors(c, &q.labels, &q.fields);
	if (!status && *c->path.name) {
		fx_autofree char *one = NULL;
		fx_as_selector_free(q.fields);
		q.fields = NULL;
		if (asprintf(&one, "metadata.name=%s", c->path.name) < 0 ||
		        fx_as_fields_parse(one, &q.fields, NULL) < 0)
			status = fx_as_status(400, "BadRequest", "invalid name");
	}
	if (status) {
		fx_as_selector_free(q.labels);
		fx_as_selector_free(q.fields);
		return send_status(c, status);
	}
	fx_as_watch_start(c->as, c->http, &q);
}

static void get(struct call *c)
{
	struct fx_as_object *o = fx_as_store_get(c->op.resource, c->op.ns, c->op.name);
	if (!o)
		return send_status(c, fx_as_rest_missing(&c->op));
	send_object(c, 200, o->json);
}

static json_t *read_body(struct call *c, json_t **status)
{
	size_t len;
	const char *text = fx_server_body(c->http, &len);
	const char *type = fx_server_header(c->http, "Content-Type");
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	json_t *body = NULL;
	if (fx_as_proto_is(type)) {
		if (fx_as_proto_decode(text ? text : "", len, &body, &err) < 0)
			*status = fx_as_status(400, "BadRequest", "%s", fx_error_message(&err));
		return body;
	}
	if (fx_as_yaml_one(text ? text : "", len, &body, &err) < 0)
		*status = fx_as_status(400, "BadRequest", "couldn't get version/kind; json parse error: %s",
		        fx_error_message(&err));
	return body;
}

/* DeleteOptions: the body, with the query over it. */
static json_t *delete_options(struct call *c)
{
	size_t len;
	const char *text = fx_server_body(c->http, &len);
	json_t *options = NULL;
	if (text && len && fx_as_proto_is(fx_server_header(c->http, "Content-Type"))) {
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		/* Options that cannot be read are none. */
		if (fx_as_proto_decode(text, len, &options, &err) < 0)
			options = NULL;
	} else if (text && len) {
		options = json_loadb(text, len, 0, NULL);
	}
	if (!json_is_object(options)) {
		json_decref(options);
		options = json_object();
	}
	const char *policy = fx_server_query(c->http, "propagationPolicy");
	if (policy)
		json_object_set_new(options, "propagationPolicy", json_string(policy));
	if (fx_as_array_has(json_object_get(options, "dryRun"), "All"))
		c->op.dry_run = true;
	return options;
}

static void delete_collection(struct call *c)
{
	fx_auto(as_selector) struct fx_as_selector *labels = NULL, *fields = NULL;
	json_t *status = parse_selectors(c, &labels, &fields);
	if (status)
		return send_status(c, status);
	fx_auto(json) json_t *options = delete_options(c);
	fx_auto(json) json_t *chosen = json_array();
	size_t count, i;
	fx_autofree struct fx_as_object **all = fx_as_store_sorted(c->op.resource, c->op.ns, &count);
	for (i = 0; i < count; i++) {
		if (fx_as_labels_match(labels, all[i]->json) && fx_as_fields_match(fields, all[i]->json))
			json_array_append(chosen, all[i]->json);
	}
	json_t *object;
	json_array_foreach (chosen, i, object) {
		struct fx_as_op op = c->op;
		op.ns = fx_as_namespace(object);
		op.name = fx_as_name(object);
		json_decref(fx_as_rest_delete(&op, options, &status));
		json_decref(status);
		status = NULL;
	}
	fx_autofree char *api = fx_as_api_version(c->op.resource->group, c->op.version->name);
	char rv[24];
	snprintf(rv, sizeof(rv), "%llu", (unsigned long long)c->as->store.rv);
	send_or_404(c, JSON_TYPE,
	        json_pack("{s:s,s:s,s:{s:s},s:O}", "kind", c->op.resource->list_kind, "apiVersion", api,
	                "metadata", "resourceVersion", rv, "items", chosen));
}

static void change(struct call *c)
{
	json_t *status = NULL;
	fx_auto(json) json_t *result = NULL;
	int code = 200;
	if (strcmp(c->verb, "patch") == 0) {
		size_t len;
		bool created;
		const char *text = fx_server_body(c->http, &len),
		           *type = fx_server_header(c->http, "Content-Type");
		result = fx_as_rest_patch(&c->op, type ? type : "", text ? text : "", len, &created, &status);
		code = created ? 201 : 200;
	} else if (strcmp(c->verb, "delete") == 0) {
		fx_auto(json) json_t *options = delete_options(c);
		result = fx_as_rest_delete(&c->op, options, &status);
	} else {
		fx_auto(json) json_t *body = read_body(c, &status);
		if (body && fx_as_review(c->as, &c->op, body, &result))
			code = 201;
		else if (body && strcmp(c->verb, "create") == 0)
			result = fx_as_rest_create(&c->op, body, &status), code = 201;
		else if (body)
			result = fx_as_rest_update(&c->op, body, &status);
	}
	add_warnings(c);
	if (result)
		send_object(c, code, result);
	else
		send_status(c, status);
}

static enum fx_as_strictness strictness(const struct call *c)
{
	return query_is(c, "fieldValidation", "Strict")   ? FX_AS_STRICT
	       : query_is(c, "fieldValidation", "Ignore") ? FX_AS_IGNORE
	                                                  : FX_AS_WARN;
}

/* The field manager: asked for, or the first word of the user agent. */
static char *manager_name(const struct call *c)
{
	const char *asked = query(c, "fieldManager"), *agent = fx_server_header(c->http, "User-Agent");
	if (*asked)
		return strdup(asked);
	return agent ? strndup(agent, strcspn(agent, "/")) : strdup("unknown");
}

static bool known_subresource(const struct call *c)
{
	const char *s = c->path.subresource;
	return !*s || (strcmp(s, "status") == 0 && c->op.version->has_status) ||
	       (strcmp(s, "finalize") == 0 && strcmp(c->path.plural, "namespaces") == 0) ||
	       (strcmp(s, "token") == 0 && strcmp(c->path.plural, "serviceaccounts") == 0);
}

static void resource(struct call *c)
{
	struct fx_as_resource *r = fx_as_registry_find(&c->as->kinds, c->path.group, c->path.plural);
	struct fx_as_version *v = r ? fx_as_resource_version(r, c->path.version) : NULL;
	if (!v)
		return send_not_found(c);
	fx_autofree char *manager = manager_name(c);
	fx_auto(json) json_t *warnings = json_array();
	c->op = (struct fx_as_op){.as = c->as,
	        .resource = r,
	        .version = v,
	        .ns = c->path.ns,
	        .name = c->path.name,
	        .subresource = strcmp(c->path.subresource, "finalize") == 0 ? "" : c->path.subresource,
	        .manager = manager,
	        .user = c->user,
	        .dry_run = query_is(c, "dryRun", "All"),
	        .force = query_is(c, "force", "true") || query_is(c, "force", "1"),
	        .strict = strictness(c),
	        .warnings = warnings};
	bool reads =
	        strcmp(c->verb, "get") == 0 || strcmp(c->verb, "list") == 0 || strcmp(c->verb, "watch") == 0;
	if (!known_subresource(c) || (r->namespaced && !*c->path.ns && *c->path.name) ||
	        (!r->namespaced && *c->path.ns))
		return send_not_found(c);
	if (r->is_virtual && strcmp(c->verb, "create") != 0)
		return send_status(
		        c, fx_as_status(405, "MethodNotAllowed",
		                   "the server does not allow this method on the requested resource"));
	if (strcmp(c->path.subresource, "status") == 0 && strcmp(c->verb, "patch") != 0 && !reads &&
	        strcmp(c->verb, "update") != 0)
		return send_status(
		        c, fx_as_status(405, "MethodNotAllowed",
		                   "the server does not allow this method on the requested resource"));
	if (v->deprecated && *v->deprecated)
		json_array_append_new(warnings, json_string(v->deprecated));
	if (strcmp(c->verb, "watch") == 0)
		start_watch(c);
	else if (strcmp(c->verb, "list") == 0)
		list(c);
	else if (strcmp(c->verb, "get") == 0)
		get(c);
	else if (strcmp(c->verb, "deletecollection") == 0)
		delete_collection(c);
	else
		change(c);
	c->op.warnings = NULL;
}

static void reset(struct call *c)
{
	struct fx_server_stream *stream = fx_server_reply_stream(c->http, 200, JSON_TYPE, 1);
	if (stream)
		fx_server_stream_cut(stream);
}

/* True when the fault was the answer. */
static bool suffer(struct call *c, const struct fx_as_fault_hit *hit)
{
	if (hit->latency_ms > 0) {
		struct timespec ts = {
		        .tv_sec = hit->latency_ms / 1000, .tv_nsec = hit->latency_ms % 1000 * 1000000L};
		fx_as_unlock(c->as);
		nanosleep(&ts, NULL);
		fx_as_lock(c->as);
	}
	switch (hit->type) {
	case FX_AS_FAULT_STATUS:
		send_status(c, fx_as_fault_status(hit));
		return true;
	case FX_AS_FAULT_RESET:
	case FX_AS_FAULT_CUT:
		reset(c);
		return true;
	case FX_AS_FAULT_TRUNCATE:
		c->truncate = true;
		return false;
	case FX_AS_FAULT_LATENCY:
		return false;
	}
	return false;
}

static void dispatch(struct call *c)
{
	struct fx_as_fault_hit hit;
	fx_autofree char *name = NULL;
	if (strncmp(c->path_text, "/_", 2) == 0)
		return control(c);
	/* Clients take these as the sign that the server shares its time fairly, and do without a rate limit.
	 */
	fx_server_add_header(c->http, "X-Kubernetes-PF-FlowSchema-UID", FLOW_UID);
	fx_server_add_header(c->http, "X-Kubernetes-PF-PriorityLevel-UID", FLOW_UID);
	json_t *status = authenticate(c);
	if (status)
		return send_status(c, status);
	c->watch = query_is(c, "watch", "true") || query_is(c, "watch", "1");
	c->verb = fx_as_verb(c->method, &c->path, c->watch);
	if (asprintf(&name, "%s%s%s", c->path.is_resource ? c->path.plural : c->path_text,
	            *c->path.subresource ? "/" : "", c->path.subresource) < 0)
		return;
	fx_as_count(c->as, c->user, c->verb, name);
	if (fx_as_faults_take(c->as, c->path_text, c->verb, c->user, &hit) && suffer(c, &hit))
		return;
	if (c->path.is_resource && (status = authorize(c, name)))
		return send_status(c, status);
	if (c->path.is_resource && c->form == FX_AS_FORM_NONE)
		return send_status(
		        c, fx_as_status(406, "NotAcceptable",
		                   "only the following media types are accepted: application/json"));
	if (c->path.is_resource)
		resource(c);
	else
		other(c);
}

void fx_as_http_handle(void *arg, struct fx_server_request *request)
{
	struct call c = {.as = arg,
	        .http = request,
	        .method = fx_server_method(request),
	        .path_text = fx_server_path(request),
	        .form = fx_as_accept(fx_server_header(request, "Accept"))};
	if (!fx_as_path_parse(c.path_text, &c.path)) {
		send_not_found(&c);
		return;
	}
	fx_as_lock(c.as);
	dispatch(&c);
	fx_as_unlock(c.as);
}
