/* PATCH: JSON, merge and strategic merge patches, and server-side apply. */
#include "rest.h"

#include "core/cleanup.h"
#include "obj.h"
#include "patch.h"
#include "schema.h"
#include "yaml.h"

#include <string.h>

static json_t *media_type_error(const struct fx_as_op *op)
{
	return fx_as_status(415, "UnsupportedMediaType",
	        "the body of the request was in an unknown format - accepted media types include: "
	        "application/json-patch+json, application/merge-patch+json, %sapplication/apply-patch+yaml",
	        op->resource->custom ? "" : "application/strategic-merge-patch+json, ");
}

static json_t *parse_body(const char *text, size_t len, json_t **status)
{
	json_error_t error;
	json_t *body = json_loadb(text, len, 0, &error);
	if (!body)
		*status = fx_as_status(400, "BadRequest", "error decoding patch: %s", error.text);
	return body;
}

/* As the real server: the reason stays there. */
static json_t *rejected(void)
{
	json_t *status = fx_as_status(
	        422, "Invalid", "the server rejected our request due to an error in our request");
	fx_as_put(status, json_object(), "details", NULL);
	return status;
}

static json_t *patched(
        const struct fx_as_op *op, const char *type, const json_t *live, const json_t *body, json_t **status)
{
	fx_auto(json) json_t *shown = fx_as_rest_shown(op, live);
	if (strncmp(type, "application/merge-patch+json", 28) == 0)
		return fx_as_patch_merge(shown, body);
	if (strncmp(type, "application/strategic-merge-patch+json", 38) == 0 && !op->resource->custom)
		return fx_as_patch_strategic(op->version->schema, shown, body);
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	json_t *out = NULL;
	if (fx_as_patch_json(shown, body, &out, &err) < 0)
		*status = rejected();
	return out;
}

static json_t *patch_existing(
        struct fx_as_op *op, const char *type, const char *text, size_t len, json_t **status)
{
	struct fx_as_object *live = fx_as_store_get(op->resource, op->ns, op->name);
	if (!live) {
		*status = fx_as_rest_missing(op);
		return NULL;
	}
	fx_auto(json) json_t *body = parse_body(text, len, status);
	fx_auto(json) json_t *object = body ? patched(op, type, live->json, body, status) : NULL;
	if (!object)
		return NULL;
	json_t *meta = json_object_get(object, "metadata");
	if (!json_is_object(meta) || strcmp(fx_as_name(object), op->name) != 0) {
		*status = fx_as_status(400, "BadRequest",
		        "the name of the object (%s) does not match the name on the URL (%s)",
		        fx_as_name(object), op->name);
		return NULL;
	}
	bool strategic = strncmp(type, "application/strategic", 21) == 0;
	fx_autofree char *shown = strategic ? strndup(text, len) : fx_as_text(object);
	op->patch = shown;
	op->strategic = strategic;
	json_t *result = fx_as_rest_replace(op, object, live->json, status);
	op->patch = NULL;
	return result;
}

/* The configuration of an apply against the path and the schema. */
static json_t *check_config(const struct fx_as_op *op, json_t *config)
{
	fx_autofree char *want = fx_as_api_version(op->resource->group, op->version->name);
	const char *api_version = fx_json_str_at(config, "apiVersion");
	const char *kind = fx_json_str_at(config, "kind"), *name = fx_as_name(config);
	if (!json_is_object(config) || !api_version || !kind)
		return fx_as_status(400, "BadRequest",
		        "error decoding YAML: Object 'Kind' is missing in the applied configuration");
	if (strcmp(api_version, want) != 0 || strcmp(kind, op->resource->kind) != 0)
		return fx_as_status(400, "BadRequest",
		        "Incorrect version specified in apply patch. Specified patch version: %s, expected: "
		        "%s",
		        api_version, want);
	if (*name && strcmp(name, op->name) != 0)
		return fx_as_status(400, "BadRequest",
		        "the name of the object (%s) does not match the name on the URL (%s)", name,
		        op->name);
	if (json_array_size(fx_json_at(config, "metadata", "managedFields")))
		return fx_as_status(400, "BadRequest", "metadata.managedFields must be nil");
	fx_as_put(config, json_string(op->name), "metadata", "name", NULL);
	if (op->resource->namespaced)
		fx_as_put(config, json_string(op->ns), "metadata", "namespace", NULL);
	fx_auto(json) json_t *errors = json_array();
	fx_as_schema_check_typed(op->version->schema, config, "", errors);
	if (!json_array_size(errors))
		return NULL;
	fx_autofree char *joined = strdup(json_string_value(json_array_get(errors, 0)));
	if (json_array_size(errors) > 1) {
		free(joined);
		joined = strdup("errors:");
		for (size_t i = 0; i < json_array_size(errors); i++) {
			char *more = NULL;
			if (asprintf(&more, "%s\n  %s", joined,
			            json_string_value(json_array_get(errors, i))) < 0)
				break;
			free(joined);
			joined = more;
		}
	}
	const char *slash = *op->resource->group ? "" : "/";
	return fx_as_status(500, "", "failed to create typed patch object (%s/%s; %s%s, Kind=%s): %s", op->ns,
	        op->name, slash, want, kind, joined);
}

static json_t *apply(struct fx_as_op *op, const char *text, size_t len, bool *created, json_t **status)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(json) json_t *config = NULL;
	if (fx_as_yaml_one(text, len, &config, &err) < 0) {
		*status = fx_as_status(400, "BadRequest", "error decoding YAML: %s", fx_error_message(&err));
		return NULL;
	}
	if ((*status = check_config(op, config)))
		return NULL;
	struct fx_as_object *live = fx_as_store_get(op->resource, op->ns, op->name);
	const char *uid = fx_json_str_at(config, "metadata", "uid");
	if (!live && uid && *uid) {
		*status = fx_as_status(409, "Conflict",
		        "Operation cannot be fulfilled on %s \"%s\": uid mismatch: the provided object "
		        "specified uid %s, and no "
		        "existing object was found",
		        op->resource->plural, op->name, uid);
		return NULL;
	}
	fx_autofree char *api_version = NULL;
	struct fx_as_writer writer = fx_as_rest_writer(op, &api_version);
	fx_auto(json) json_t *shown = live ? fx_as_rest_shown(op, live->json) : NULL;
	fx_auto(json) json_t *object = NULL;
	fx_as_managed_apply(&writer, shown, config, op->force, &object, status);
	if (!object)
		return NULL;
	/* A configuration may name the version it was made from. */
	json_t *rv = fx_json_at(config, "metadata", "resourceVersion");
	if (rv)
		fx_as_put(object, json_incref(rv), "metadata", "resourceVersion", NULL);
	op->applied = true;
	*created = !live;
	if (!live && *op->subresource) {
		*status = fx_as_rest_missing(op);
		return NULL;
	}
	return live ? fx_as_rest_replace(op, object, live->json, status)
	            : fx_as_rest_new_object(op, object, status);
}

json_t *fx_as_rest_patch(struct fx_as_op *op, const char *content_type, const char *text, size_t len,
        bool *created, json_t **status)
{
	*created = false;
	if (strncmp(content_type, "application/apply-patch+yaml", 28) == 0)
		return apply(op, text, len, created, status);
	bool strategic = strncmp(content_type, "application/strategic-merge-patch+json", 38) == 0;
	if (strncmp(content_type, "application/json-patch+json", 27) != 0 &&
	        strncmp(content_type, "application/merge-patch+json", 28) != 0 &&
	        (!strategic || op->resource->custom)) {
		*status = media_type_error(op);
		return NULL;
	}
	return patch_existing(op, content_type, text, len, status);
}
