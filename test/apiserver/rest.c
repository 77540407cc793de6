#include "rest.h"

#include "builtin.h"
#include "cel.h"
#include "core/buf.h"
#include "core/cleanup.h"
#include "crd.h"
#include "managed.h"
#include "obj.h"
#include "schema.h"

#include <string.h>
#include <sys/random.h>

json_t *fx_as_rest_missing(const struct fx_as_op *op)
{
	return fx_as_not_found(op->resource->group, op->resource->plural, op->name);
}

json_t *fx_as_rest_shown(const struct fx_as_op *op, const json_t *object)
{
	fx_autofree char *api_version = fx_as_api_version(op->resource->group, op->version->name);
	const char *have = fx_json_str_at(object, "apiVersion");
	if (have && strcmp(have, api_version) == 0)
		return json_incref((json_t *)object);
	json_t *copy = json_copy((json_t *)object);
	json_object_set_new(copy, "apiVersion", json_string(api_version));
	return copy;
}

struct fx_as_writer fx_as_rest_writer(const struct fx_as_op *op, char **out_api_version)
{
	*out_api_version = fx_as_api_version(op->resource->group, op->version->name);
	return (struct fx_as_writer){.manager = op->manager,
	        .subresource = op->subresource,
	        .api_version = *out_api_version,
	        .schema = op->version->schema,
	        .has_status = op->version->has_status,
	        .custom = op->resource->custom};
}

static json_t *bad_request(const char *message)
{
	return fx_as_status(400, "BadRequest", "%s", message);
}

/* Kind, names and namespace of what was sent against the path. Fills in what was left out. */
static json_t *check_identity(const struct fx_as_op *op, json_t *object)
{
	const struct fx_as_resource *r = op->resource;
	fx_autofree char *want = fx_as_api_version(r->group, op->version->name);
	const char *api_version = fx_json_str_at(object, "apiVersion"),
	           *kind = fx_json_str_at(object, "kind");
	if (!json_is_object(object) || (api_version && strcmp(api_version, want) != 0) ||
	        (kind && strcmp(kind, r->kind) != 0))
		return fx_as_status(400, "BadRequest",
		        "%s in version \"%s\" cannot be handled as a %s: the API version in the data (%s) "
		        "does not match the "
		        "expected API version (%s)",
		        kind ? kind : "", api_version ? api_version : "", r->kind,
		        api_version ? api_version : "", want);
	json_object_set_new(object, "apiVersion", json_string(want));
	json_object_set_new(object, "kind", json_string(r->kind));
	json_t *meta = json_object_get(object, "metadata");
	if (!json_is_object(meta)) {
		meta = json_object();
		json_object_set_new(object, "metadata", meta);
	}
	const char *ns = fx_as_namespace(object);
	if (r->namespaced && *ns && strcmp(ns, op->ns) != 0)
		return bad_request("the namespace of the provided object does not match the namespace sent "
		                   "on the request");
	if (r->namespaced)
		json_object_set_new(meta, "namespace", json_string(op->ns));
	else
		json_object_del(meta, "namespace");
	const char *name = fx_as_name(object);
	if (*op->name && *name && strcmp(name, op->name) != 0)
		return fx_as_status(400, "BadRequest",
		        "the name of the object (%s) does not match the name on the URL (%s)", name,
		        op->name);
	if (*op->name && !*name)
		json_object_set_new(meta, "name", json_string(op->name));
	return NULL;
}

/* `unknown field "spec.a", unknown field "spec.b"` */
static char *unknown_text(const json_t *unknown)
{
	fx_auto(buf) struct fx_buf text = FX_BUF_INIT;
	size_t i;
	json_t *path;
	json_array_foreach (unknown, i, path)
		fx_buf_addf(&text, "%sunknown field \"%s\"", i ? ", " : "", json_string_value(path));
	return fx_buf_take(&text, NULL);
}

/* A patch whose result does not decode. */
static json_t *bad_patch(const struct fx_as_op *op, const char *fmt, const char *text)
{
	fx_autofree char *why = NULL;
	fx_autofree char *message = NULL;
	fx_auto(json) json_t *value = json_string(op->patch);
	fx_autofree char *quoted = fx_as_text(value);
	if (asprintf(&why, fmt, text) < 0 || asprintf(&message, "Invalid value: %s: %s", quoted, why) < 0)
		return NULL;
	json_t *status = fx_as_status(422, "Invalid", " \"\" is invalid: patch: %s", message);
	fx_as_put(status, json_object(), "details", NULL);
	fx_as_status_cause(status, "FieldValueInvalid", "patch", message);
	return status;
}

static json_t *handle_unknown(struct fx_as_op *op, json_t *object)
{
	fx_auto(json) json_t *unknown = json_array();
	fx_as_schema_prune(op->version->schema, object, "", unknown);
	if (!json_array_size(unknown) || op->strict == FX_AS_IGNORE)
		return NULL;
	if (op->strict == FX_AS_STRICT) {
		fx_autofree char *text = unknown_text(unknown);
		if (op->patch)
			return bad_patch(op, "strict decoding error: %s", text);
		return fx_as_status(400, "BadRequest",
		        "%s in version \"%s\" cannot be handled as a %s: strict decoding error: %s",
		        op->resource->kind, op->version->name, op->resource->kind, text);
	}
	size_t i;
	json_t *path;
	json_array_foreach (unknown, i, path) {
		fx_autofree char *text = NULL;
		if (op->warnings && asprintf(&text, "unknown field \"%s\"", json_string_value(path)) >= 0)
			json_array_append_new(op->warnings, json_string(text));
	}
	return NULL;
}

static json_t *invalid(const struct fx_as_op *op, const json_t *object, const json_t *problems)
{
	fx_auto(buf) struct fx_buf text = FX_BUF_INIT;
	size_t i, count = json_array_size(problems);
	json_t *p;
	json_array_foreach (problems, i, p)
		fx_buf_addf(&text, "%s%s: %s", i ? ", " : "", fx_json_str_at(p, "field"),
		        fx_json_str_at(p, "message"));
	fx_autofree char *kind = fx_as_qualified(op->resource->kind, op->resource->group);
	const char *name = fx_as_name(object);
	json_t *status = fx_as_status(422, "Invalid",
	        count > 1 ? "%s \"%s\" is invalid: [%s]" : "%s \"%s\" is invalid: %s", kind, name,
	        fx_buf_str(&text));
	fx_as_status_details(status, op->resource->group, op->resource->kind, name);
	json_array_foreach (problems, i, p)
		fx_as_status_cause(status, fx_json_str_at(p, "reason"), fx_json_str_at(p, "field"),
		        fx_json_str_at(p, "message"));
	return status;
}

/* A value of the wrong type in a built-in kind does not decode at all. */
static json_t *decode_error(const struct fx_as_op *op, const json_t *problems)
{
	size_t i;
	json_t *p;
	json_array_foreach (problems, i, p) {
		if (strcmp(fx_json_str_at(p, "reason"), "FieldValueTypeInvalid") != 0)
			continue;
		const char *field = fx_json_str_at(p, "field"), *kind = op->resource->kind;
		const char *message = fx_json_str_at(p, "message");
		const char *type = strstr(message, "must be of type ");
		fx_autofree char *have = strndup(message + strlen("Invalid value: \""),
		        strcspn(message + strlen("Invalid value: \""), "\""));
		fx_autofree char *want = type ? strndup(type + 16, strcspn(type + 16, ":")) : strdup("");
		const char *go_type = strcmp(want, "integer") == 0   ? "int32"
		                      : strcmp(want, "boolean") == 0 ? "bool"
		                                                     : want;
		fx_autofree char *why = NULL;
		if (asprintf(&why, "json: cannot unmarshal %s into Go struct field %s%s.%s of type %s", have,
		            kind, strncmp(field, "spec.", 5) == 0 ? "Spec" : "", field, go_type) < 0)
			return NULL;
		if (op->patch && op->strategic)
			return bad_patch(op, "unrecognized type: %s", go_type);
		if (op->patch)
			return bad_patch(op, "%s", why);
		return fx_as_status(400, "BadRequest", "%s in version \"%s\" cannot be handled as a %s: %s",
		        kind, op->version->name, kind, why);
	}
	return NULL;
}

static void skipped_rules_note(const json_t *schema, json_t *problems)
{
	fx_autofree char *text = fx_as_text(schema);
	if (text && strstr(text, "x-kubernetes-validations"))
		json_array_append_new(problems,
		        json_pack("{s:s,s:s,s:s}", "reason", "FieldValueInvalid", "field", "<nil>", "message",
		                "Invalid value: null: some validation rules were not checked because the "
		                "object was "
		                "invalid; correct the existing errors to complete validation"));
}

int fx_as_rest_admit(struct fx_as_op *op, json_t *object, const json_t *old, json_t **status)
{
	const json_t *schema = op->version->schema;
	if ((*status = handle_unknown(op, object)))
		return -1;
	fx_as_schema_default(schema, object);
	fx_as_builtin_prepare(op->resource, object, old);
	fx_auto(json) json_t *problems = json_array();
	fx_as_meta_validate(op->resource, object, problems);
	fx_as_schema_validate(schema, object, "", problems);
	if (!op->resource->custom && (*status = decode_error(op, problems)))
		return -1;
	if (op->resource->custom && json_array_size(problems))
		skipped_rules_note(schema, problems);
	if (!json_array_size(problems)) {
		fx_as_builtin_validate(op->resource, object, old, problems);
		fx_as_cel_validate(schema, object, old, "", problems);
	}
	if (!json_array_size(problems))
		return 0;
	*status = invalid(op, object, problems);
	return -1;
}

static json_t *new_uid(void)
{
	unsigned char b[16];
	if (getrandom(b, sizeof(b), 0) != (ssize_t)sizeof(b))
		memset(b, 0x5a, sizeof(b));
	char text[40];
	snprintf(text, sizeof(text), "%02x%02x%02x%02x-%02x%02x-4%x%02x-%x%x%02x-%02x%02x%02x%02x%02x%02x",
	        b[0], b[1], b[2], b[3], b[4], b[5], b[6] & 15, b[7], 8 + (b[8] & 3), b[8] >> 4, b[9], b[10],
	        b[11], b[12], b[13], b[14], b[15]);
	return json_string(text);
}

static void generate_name(json_t *meta)
{
	static const char letters[] = "bcdfghjklmnpqrstvwxz2456789";
	const char *prefix = fx_json_str_at(meta, "generateName"), *name = fx_json_str_at(meta, "name");
	if (!prefix || !*prefix || (name && *name))
		return;
	unsigned char random[5];
	if (getrandom(random, sizeof(random), 0) < 0)
		memset(random, 0, sizeof(random));
	for (size_t i = 0; i < sizeof(random); i++)
		random[i] = (unsigned char)letters[random[i] % (sizeof(letters) - 1)];
	fx_autofree char *full = NULL;
	if (asprintf(&full, "%s%.5s", prefix, (const char *)random) >= 0)
		json_object_set_new(meta, "name", json_string(full));
}

static json_t *check_namespace(const struct fx_as_op *op, const char *name)
{
	if (!op->resource->namespaced)
		return NULL;
	struct fx_as_resource *namespaces = fx_as_registry_find(&op->as->kinds, "", "namespaces");
	struct fx_as_object *ns = fx_as_store_get(namespaces, "", op->ns);
	if (!ns)
		return fx_as_not_found("", "namespaces", op->ns);
	if (!fx_json_at(ns->json, "metadata", "deletionTimestamp"))
		return NULL;
	fx_autofree char *qualified = fx_as_qualified(op->resource->plural, op->resource->group);
	json_t *status = fx_as_status(403, "Forbidden",
	        "%s \"%s\" is forbidden: unable to create new content in namespace %s because it is being "
	        "terminated",
	        qualified, name, op->ns);
	fx_as_status_details(status, op->resource->group, op->resource->plural, name);
	fx_autofree char *message = NULL;
	if (asprintf(&message, "namespace %s is being terminated", op->ns) >= 0)
		fx_as_status_cause(status, "NamespaceTerminating", "metadata.namespace", message);
	return status;
}

json_t *fx_as_rest_new_object(struct fx_as_op *op, json_t *object, json_t **status)
{
	struct fx_as_resource *r = op->resource;
	json_t *meta = json_object_get(object, "metadata");
	generate_name(meta);
	const char *name = fx_as_name(object);
	if (!*name) {
		fx_autofree char *kind = fx_as_qualified(r->kind, r->group);
		*status = fx_as_status(422, "Invalid",
		        "%s \"\" is invalid: metadata.name: Required value: name or generateName is required",
		        kind);
		fx_as_status_details(*status, r->group, r->kind, "");
		fx_as_status_cause(*status, "FieldValueRequired", "metadata.name",
		        "Required value: name or generateName is required");
		return NULL;
	}
	if ((*status = check_namespace(op, name)))
		return NULL;
	json_object_del(meta, "resourceVersion");
	json_object_del(meta, "deletionTimestamp");
	json_object_del(meta, "deletionGracePeriodSeconds");
	json_object_set_new(meta, "uid", new_uid());
	json_object_set_new(meta, "creationTimestamp", fx_as_now());
	if (r->has_generation)
		json_object_set_new(meta, "generation", json_integer(1));
	else
		json_object_del(meta, "generation");
	if (op->version->has_status)
		json_object_del(object, "status");
	if (fx_as_rest_admit(op, object, NULL, status) < 0)
		return NULL;
	if (fx_as_store_get(r, op->ns, name)) {
		fx_autofree char *qualified = fx_as_qualified(r->plural, r->group);
		*status = fx_as_status_details(
		        fx_as_status(409, "AlreadyExists", "%s \"%s\" already exists", qualified, name),
		        r->group, r->plural, name);
		return NULL;
	}
	return fx_as_rest_finish(op, object, NULL);
}

json_t *fx_as_rest_create(struct fx_as_op *op, const json_t *body, json_t **status)
{
	fx_auto(json) json_t *object = json_deep_copy(body);
	if ((*status = check_identity(op, object)))
		return NULL;
	fx_json_del_at(object, "metadata", "managedFields");
	return fx_as_rest_new_object(op, object, status);
}

/* What a write can never change, and what this write does not reach. */
void fx_as_rest_keep_meta(const struct fx_as_op *op, json_t *object, const json_t *old)
{
	static const char *const kept[] = {"uid", "creationTimestamp", "deletionTimestamp",
	        "deletionGracePeriodSeconds", "generation", "resourceVersion"};
	json_t *meta = json_object_get(object, "metadata"), *was = json_object_get(old, "metadata");
	bool status = strcmp(op->subresource, "status") == 0;
	if (status && op->resource->custom) {
		json_t *managed = json_incref(json_object_get(meta, "managedFields"));
		meta = json_deep_copy(was);
		json_object_set_new(object, "metadata", meta);
		if (managed)
			json_object_set_new(meta, "managedFields", managed);
	}
	for (size_t i = 0; i < FX_COUNT(kept); i++) {
		json_t *value = json_object_get(was, kept[i]);
		if (value)
			json_object_set(meta, kept[i], value);
		else
			json_object_del(meta, kept[i]);
	}
	const char *key;
	json_t *value;
	void *next;
	if (status) {
		json_object_foreach_safe(object, next, key, value)
		{
			if (strcmp(key, "status") != 0 && strcmp(key, "metadata") != 0)
				json_object_del(object, key);
		}
		json_object_foreach ((json_t *)old, key, value) {
			if (strcmp(key, "status") != 0 && strcmp(key, "metadata") != 0)
				json_object_set(object, key, value);
		}
	} else if (op->version->has_status) {
		json_t *have = json_object_get(old, "status");
		if (have)
			json_object_set(object, "status", have);
		else
			json_object_del(object, "status");
	}
}

static json_t *conflict(const struct fx_as_op *op, const char *why)
{
	fx_autofree char *qualified = fx_as_qualified(op->resource->plural, op->resource->group);
	return fx_as_status_details(
	        fx_as_status(409, "Conflict", "Operation cannot be fulfilled on %s \"%s\": %s", qualified,
	                op->name, why),
	        op->resource->group, op->resource->plural, op->name);
}

static json_t *check_preconditions(const struct fx_as_op *op, const json_t *object, const json_t *live)
{
	const char *rv = fx_json_str_at(object, "metadata", "resourceVersion");
	const char *uid = fx_json_str_at(object, "metadata", "uid");
	const char *live_uid = fx_json_str_at(live, "metadata", "uid");
	if (uid && *uid && strcmp(uid, live_uid) != 0) {
		fx_autofree char *why = NULL;
		if (asprintf(&why, "Precondition failed: UID in precondition: %s, UID in object meta: %s",
		            uid, live_uid) < 0)
			return NULL;
		return conflict(op, why);
	}
	if (rv && *rv && strcmp(rv, "0") != 0 &&
	        strcmp(rv, fx_json_str_at(live, "metadata", "resourceVersion")) != 0)
		return conflict(op, "the object has been modified; please apply your changes to the latest "
		                    "version and try again");
	return NULL;
}

/* Everything but metadata and status is what a generation counts. */
static bool spec_changed(const json_t *a, const json_t *b)
{
	static const char *const skipped[] = {"metadata", "status", "apiVersion", "kind"};
	fx_auto(json) json_t *x = json_copy((json_t *)a);
	fx_auto(json) json_t *y = json_copy((json_t *)b);
	for (size_t i = 0; i < FX_COUNT(skipped); i++) {
		json_object_del(x, skipped[i]);
		json_object_del(y, skipped[i]);
	}
	return !json_equal(x, y);
}

/* Finalizers of an object that is going can only become fewer. */
static json_t *check_finalizers(const struct fx_as_op *op, const json_t *object, const json_t *live)
{
	if (!fx_json_at(live, "metadata", "deletionTimestamp"))
		return NULL;
	size_t i;
	json_t *one;
	const json_t *had = fx_json_at(live, "metadata", "finalizers");
	json_array_foreach (fx_json_at(object, "metadata", "finalizers"), i, one) {
		if (fx_as_array_has(had, json_string_value(one)))
			continue;
		fx_autofree char *text = NULL;
		if (asprintf(&text,
		            "Forbidden: no new finalizers can be added if the object is being deleted, found "
		            "new finalizers "
		            "[]string{\"%s\"}",
		            json_string_value(one)) < 0)
			return NULL;
		fx_auto(json) json_t *problems = json_pack("[{s:s,s:s,s:s}]", "reason", "FieldValueForbidden",
		        "field", "metadata.finalizers", "message", text);
		return invalid(op, object, problems);
	}
	return NULL;
}

json_t *fx_as_rest_replace(struct fx_as_op *op, json_t *object, const json_t *live, json_t **status)
{
	if ((*status = check_preconditions(op, object, live)) ||
	        (*status = check_finalizers(op, object, live)))
		return NULL;
	fx_as_rest_keep_meta(op, object, live);
	if (fx_as_rest_admit(op, object, live, status) < 0)
		return NULL;
	return fx_as_rest_finish(op, object, live);
}

json_t *fx_as_rest_update(struct fx_as_op *op, const json_t *body, json_t **status)
{
	fx_auto(json) json_t *object = json_deep_copy(body);
	if ((*status = check_identity(op, object)))
		return NULL;
	struct fx_as_object *live = fx_as_store_get(op->resource, op->ns, op->name);
	if (!live) {
		*status = fx_as_rest_missing(op);
		return NULL;
	}
	return fx_as_rest_replace(op, object, live->json, status);
}

static bool is_done(const struct fx_as_resource *r, const json_t *object)
{
	if (!fx_json_at(object, "metadata", "deletionTimestamp"))
		return false;
	bool namespace = !r->custom && strcmp(r->kind, "Namespace") == 0;
	return !json_array_size(fx_json_at(object, "metadata", "finalizers")) &&
	       !(namespace && json_array_size(fx_json_at(object, "spec", "finalizers")));
}

void fx_as_rest_store_as(struct fx_as *as, struct fx_as_resource *resource, const char *manager,
        const json_t *old, json_t *new)
{
	struct fx_as_op op = {.resource = resource,
	        .version = fx_as_resource_version(resource, NULL),
	        .manager = manager,
	        .subresource = "status"};
	fx_autofree char *api_version = NULL;
	struct fx_as_writer writer = fx_as_rest_writer(&op, &api_version);
	fx_as_managed_update(&writer, old, new);
	fx_as_rest_store(as, resource, new);
}

void fx_as_rest_store(struct fx_as *as, struct fx_as_resource *resource, json_t *new)
{
	const char *ns = fx_as_namespace(new), *name = fx_as_name(new);
	if (is_done(resource, new))
		fx_as_store_remove(&as->store, resource, ns, name);
	else
		fx_as_store_put(&as->store, resource, new);
	json_decref(new);
}

void fx_as_rest_drop_finalizer(
        struct fx_as *as, struct fx_as_resource *resource, const json_t *object, const char *finalizer)
{
	json_t *copy = json_deep_copy(object);
	json_t *list = fx_json_at(copy, "metadata", "finalizers");
	size_t i;
	json_t *one;
	json_array_foreach (list, i, one) {
		if (strcmp(json_string_value(one), finalizer) == 0) {
			json_array_remove(list, i);
			break;
		}
	}
	if (!json_array_size(list))
		fx_json_del_at(copy, "metadata", "finalizers");
	fx_as_rest_store(as, resource, copy);
}

/* The controllers' write of a definition's status, in the same step. */
static void complete_definition(const struct fx_as_op *op, json_t *object, const json_t *old)
{
	fx_autofree char *api_version = NULL;
	struct fx_as_writer writer = fx_as_rest_writer(op, &api_version);
	fx_auto(json) json_t *before = NULL;
	writer.manager = "kube-apiserver";
	writer.subresource = "status";
	fx_as_crd_complete(object, old);
	before = json_deep_copy(object);
	if (old)
		json_object_set(before, "status", json_object_get(old, "status"));
	else
		json_object_set_new(before, "status",
		        json_pack("{s:{},s:[],s:O}", "acceptedNames", "conditions", "storedVersions",
		                fx_json_at(object, "status", "storedVersions")));
	if (!json_equal(before, object))
		fx_as_managed_update(&writer, before, object);
}

json_t *fx_as_rest_finish(struct fx_as_op *op, json_t *object, const json_t *old)
{
	struct fx_as_resource *r = op->resource;
	const struct fx_as_version *storage = fx_as_resource_version(r, NULL);
	bool status_only = strcmp(op->subresource, "status") == 0;
	fx_autofree char *api_version = NULL;
	struct fx_as_writer writer = fx_as_rest_writer(op, &api_version);
	if (!op->applied)
		fx_as_managed_update(&writer, old, object);
	if (!status_only)
		fx_as_builtin_allocate(r, object, old, &op->as->counter);
	/* Deployments count their annotations too: they are copied to ReplicaSets. */
	bool annotated = !r->custom && strcmp(r->kind, "Deployment") == 0 &&
	                 !fx_json_equal_loose(fx_json_at(object, "metadata", "annotations"),
	                         fx_json_at(old, "metadata", "annotations"));
	if (old && !status_only && r->has_generation && (annotated || spec_changed(object, old)))
		fx_as_put(object, json_integer(fx_json_int_at(old, 0, "metadata", "generation") + 1),
		        "metadata", "generation", NULL);
	if (!r->custom && strcmp(r->kind, "CustomResourceDefinition") == 0)
		complete_definition(op, object, old);
	fx_autofree char *stored_version =
	        fx_as_api_version(r->group, storage ? storage->name : op->version->name);
	json_object_set_new(object, "apiVersion", json_string(stored_version));
	if (old && fx_as_managed_same(old, object))
		return fx_as_rest_shown(op, old);
	if (op->dry_run)
		return fx_as_rest_shown(op, object);
	if (is_done(r, object)) {
		fx_as_store_remove(&op->as->store, r, fx_as_namespace(object), fx_as_name(object));
		return fx_as_rest_shown(op, object);
	}
	struct fx_as_object *stored = fx_as_store_put(&op->as->store, r, object);
	if (!r->custom && strcmp(r->kind, "CustomResourceDefinition") == 0)
		fx_as_registry_define(&op->as->kinds, stored->json);
	return fx_as_rest_shown(op, stored->json);
}
