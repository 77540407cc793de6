#include "crd.h"

#include "core/cleanup.h"
#include "obj.h"
#include "rest.h"
#include "yaml.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

/* Bytes of one file that is loaded at start. */
#define FILE_MAX (16 * 1024 * 1024)

static json_t *condition(const char *type, const char *reason, const char *message)
{
	return json_pack("{s:s,s:s,s:o,s:s,s:s}", "type", type, "status", "True", "lastTransitionTime",
	        fx_as_now(), "reason", reason, "message", message);
}

void fx_as_crd_complete(json_t *crd, const json_t *old)
{
	json_t *names = fx_json_at(crd, "spec", "names");
	json_t *status = json_deep_copy(json_object_get(old, "status"));
	if (!json_array_size(json_object_get(status, "conditions"))) {
		json_decref(status);
		status = json_pack("{s:[o,o]}", "conditions",
		        condition("NamesAccepted", "NoConflicts", "no conflicts found"),
		        condition("Established", "InitialNamesAccepted",
		                "the initial names have been accepted"));
	}
	json_object_set_new(status, "acceptedNames", json_deep_copy(names));
	json_t *stored = json_object_get(status, "storedVersions");
	if (!stored) {
		stored = json_array();
		json_object_set_new(status, "storedVersions", stored);
	}
	size_t i;
	json_t *version;
	json_array_foreach (fx_json_at(crd, "spec", "versions"), i, version) {
		const char *name = fx_json_str_at(version, "name");
		if (json_is_true(json_object_get(version, "storage")) && name &&
		        !fx_as_array_has(stored, name))
			json_array_append_new(stored, json_string(name));
	}
	json_object_set_new(crd, "status", status);
}

static int create(struct fx_as *as, const json_t *object, struct fx_error *err)
{
	const char *api_version = fx_json_str_at(object, "apiVersion"),
	           *kind = fx_json_str_at(object, "kind");
	if (!api_version || !kind)
		return fx_fail(err, FX_E_INVALID, "an object without apiVersion and kind");
	struct fx_as_resource *r = fx_as_registry_of(&as->kinds, api_version, kind);
	const char *version = NULL;
	fx_autofree char *group = fx_as_api_group(api_version, &version);
	/* A kustomization.yaml lies beside the files it names. */
	if (strcmp(group, "kustomize.config.k8s.io") == 0)
		return 0;
	struct fx_as_op op = {.as = as,
	        .resource = r,
	        .version = r ? fx_as_resource_version(r, version) : NULL,
	        .ns = *fx_as_namespace(object) || !r || !r->namespaced ? fx_as_namespace(object) : "default",
	        .name = "",
	        .subresource = "",
	        .manager = "apiserver",
	        .user = "system:apiserver"};
	if (!op.version)
		return fx_fail(err, FX_E_NOT_FOUND, "no kind \"%s\" in version \"%s\"", kind, api_version);
	json_t *status = NULL;
	fx_auto(json) json_t *made = fx_as_rest_create(&op, object, &status);
	if (made)
		return 0;
	fx_auto(json) json_t *failure = status;
	return fx_fail(err, FX_E_INVALID, "%s", fx_json_str_at(failure, "message"));
}

static int load_file(struct fx_as *as, const char *path, struct fx_error *err)
{
	fx_auto(file) FILE *f = fopen(path, "re");
	if (!f)
		return fx_fail_errno(err, "open %s", path);
	fx_autofree char *text = malloc(FILE_MAX);
	if (!text)
		return fx_fail_nomem(err);
	size_t len = fread(text, 1, FILE_MAX, f);
	fx_auto(json) json_t *objects = NULL;
	if (fx_as_yaml_all(text, len, &objects, err) < 0)
		return fx_error_wrap(err, "%s", path);
	size_t i;
	json_t *object;
	json_array_foreach (objects, i, object) {
		fx_as_lock(as);
		int rc = create(as, object, err);
		fx_as_unlock(as);
		if (rc < 0)
			return fx_error_wrap(err, "%s", path);
	}
	return 0;
}

static int is_manifest(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');
	return dot && entry->d_name[0] != '.' &&
	       (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0 || strcmp(dot, ".json") == 0);
}

int fx_as_load_path(struct fx_as *as, const char *path, struct fx_error *err)
{
	struct stat st;
	if (stat(path, &st) < 0)
		return fx_fail_errno(err, "%s", path);
	if (!S_ISDIR(st.st_mode))
		return load_file(as, path, err);
	struct dirent **entries = NULL;
	int count = scandir(path, &entries, is_manifest, alphasort);
	int rc = count < 0 ? fx_fail_errno(err, "%s", path) : 0;
	for (int i = 0; i < count; i++) {
		fx_autofree char *file = NULL;
		if (rc == 0 && asprintf(&file, "%s/%s", path, entries[i]->d_name) >= 0)
			rc = load_file(as, file, err);
		free(entries[i]);
	}
	free(entries);
	return rc;
}
