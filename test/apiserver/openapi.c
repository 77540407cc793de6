/* OpenAPI v3: what `kubectl explain` and client-side validation read. */
#include "discovery.h"

#include "core/cleanup.h"
#include "obj.h"
#include "schema.h"
#include "types.h"

#include <string.h>

#define COMPONENTS "#/components/schemas/"

json_t *fx_as_openapi_index(const struct fx_as *as)
{
	json_t *paths = json_object();
	fx_vec_foreach (struct fx_as_resource *, r, &as->kinds.all) {
		fx_vec_foreach (struct fx_as_version *, v, &(*r)->versions) {
			if ((*r)->removed || !(*v)->served)
				continue;
			fx_autofree char *gv = fx_as_api_version((*r)->group, (*v)->name);
			fx_autofree char *path = NULL, *url = NULL;
			const char *root = *(*r)->group ? "apis" : "api";
			if (asprintf(&path, "%s/%s", root, gv) < 0 ||
			        asprintf(&url, "/openapi/v3/%s", path) < 0)
				continue;
			json_object_set_new(paths, path, json_pack("{s:s}", "serverRelativeURL", url));
		}
	}
	return json_pack("{s:o}", "paths", paths);
}

static json_t *published(const json_t *schema, json_t *schemas);

/* A reference as the published form has it, and the type it names. */
static json_t *published_ref(const json_t *schema, json_t *schemas)
{
	const char *name = fx_json_str_at(schema, "$ref");
	fx_autofree char *ref = NULL;
	if (asprintf(&ref, COMPONENTS "%s", name) < 0)
		return json_object();
	if (!json_object_get(schemas, name) && fx_as_type(name)) {
		json_object_set_new(schemas, name, json_object());
		fx_auto(json) json_t *type = published(fx_as_type(name), schemas);
		json_object_update(json_object_get(schemas, name), type);
	}
	if (json_object_size(schema) == 1)
		return json_pack("{s:s}", "$ref", ref);
	json_t *out = json_pack("{s:[{s:s}]}", "allOf", "$ref", ref);
	json_t *standard = json_object_get(schema, "default");
	if (standard)
		json_object_set(out, "default", standard);
	return out;
}

static json_t *published(const json_t *schema, json_t *schemas)
{
	if (json_object_get(schema, "$ref"))
		return published_ref(schema, schemas);
	json_t *out = json_copy((json_t *)schema);
	const char *key;
	json_t *child;
	json_t *properties = json_object_get(schema, "properties");
	if (properties) {
		json_t *copy = json_object();
		json_object_foreach (properties, key, child)
			json_object_set_new(copy, key, published(child, schemas));
		json_object_set_new(out, "properties", copy);
	}
	static const char *const nested[] = {"items", "additionalProperties"};
	for (size_t i = 0; i < FX_COUNT(nested); i++) {
		json_t *inner = json_object_get(schema, nested[i]);
		if (json_is_object(inner))
			json_object_set_new(out, nested[i], published(inner, schemas));
	}
	return out;
}

static json_t *parameter(const char *name)
{
	return json_pack("{s:s,s:s,s:{s:s,s:b}}", "name", name, "in", "query", "schema", "type", "string",
	        "uniqueItems", 1);
}

static void add_path(json_t *paths, const struct fx_as_resource *r, const char *version)
{
	fx_autofree char *gv = fx_as_api_version(r->group, version);
	fx_autofree char *path = NULL;
	if (asprintf(&path, "/%s/%s%s/%s/{name}", *r->group ? "apis" : "api", gv,
	            r->namespaced ? "/namespaces/{namespace}" : "", r->plural) < 0)
		return;
	json_t *kind = json_pack("{s:s,s:s,s:s}", "group", r->group, "version", version, "kind", r->kind);
	json_object_set_new(paths, path,
	        json_pack("{s:{s:s,s:o,s:[o,o,o,o],s:{}}}", "patch", "x-kubernetes-action", "patch",
	                "x-kubernetes-group-version-kind", kind, "parameters", parameter("dryRun"),
	                parameter("fieldManager"), parameter("fieldValidation"), parameter("force"),
	                "responses"));
}

json_t *fx_as_openapi_document(const struct fx_as *as, const char *group, const char *version)
{
	json_t *schemas = json_object(), *paths = json_object();
	fx_vec_foreach (struct fx_as_resource *, r, &as->kinds.all) {
		const struct fx_as_version *v = fx_as_resource_version(*r, version);
		if ((*r)->removed || !v || strcmp((*r)->group, group) != 0)
			continue;
		add_path(paths, *r, version);
		json_t *type = published((*r)->custom ? v->schema : fx_as_schema_resolve(v->schema), schemas);
		json_object_set_new(type, "x-kubernetes-group-version-kind",
		        json_pack("[{s:s,s:s,s:s}]", "group", group, "version", version, "kind", (*r)->kind));
		json_object_set_new(schemas, (*r)->kind, type);
	}
	json_t *document = json_object_size(paths)
	                           ? json_pack("{s:s,s:{s:s,s:s},s:O,s:{s:O}}", "openapi", "3.0.0", "info",
	                                     "title", "Kubernetes", "version", "v1.36.3", "paths", paths,
	                                     "components", "schemas", schemas)
	                           : NULL;
	json_decref(paths);
	json_decref(schemas);
	return document;
}
