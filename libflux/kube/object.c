#include "kube/object.h"

#include <string.h>
#include <strings.h>

#define RBAC_GROUP "rbac.authorization.k8s.io"

/* Copies len bytes into a member of a struct; false when it does not fit. */
static bool copy_part(char *out, size_t room, const char *text, size_t len)
{
	if (len >= room)
		return false;
	memcpy(out, text, len);
	out[len] = '\0';
	return true;
}

int fx_gvk_set(struct fx_gvk *out, const char *api_version, const char *kind, struct fx_error *err)
{
	const char *slash = strchr(api_version, '/');
	const char *version = slash ? slash + 1 : api_version;
	size_t group_len = slash ? (size_t)(slash - api_version) : 0;
	struct fx_gvk gvk;

	if (!*version || strchr(version, '/') || (slash && group_len == 0))
		return fx_fail(err, FX_E_INVALID, "invalid apiVersion '%.300s'", api_version);
	if (!copy_part(gvk.group, sizeof(gvk.group), api_version, group_len) ||
	        !copy_part(gvk.version, sizeof(gvk.version), version, strlen(version)))
		return fx_fail(err, FX_E_INVALID, "apiVersion '%.300s' is too long", api_version);
	if (!*kind || !copy_part(gvk.kind, sizeof(gvk.kind), kind, strlen(kind)))
		return fx_fail(err, FX_E_INVALID, "invalid kind '%.300s'", kind);
	*out = gvk;
	return 0;
}

int fx_object_gvk(const json_t *object, struct fx_gvk *out, struct fx_error *err)
{
	const char *api_version = fx_object_api_version(object);
	const char *kind = fx_object_kind(object);
	if (!*api_version)
		return fx_fail(err, FX_E_INVALID, "object has no apiVersion");
	if (!*kind)
		return fx_fail(err, FX_E_INVALID, "object has no kind");
	return fx_gvk_set(out, api_version, kind, err);
}

char *fx_gvk_api_version(const struct fx_gvk *gvk, char out[FX_GVK_API_VERSION_MAX])
{
	snprintf(out, FX_GVK_API_VERSION_MAX, "%s%s%s", gvk->group, gvk->group[0] ? "/" : "", gvk->version);
	return out;
}

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

const char *fx_object_api_version(const json_t *object)
{
	return or_empty(fx_json_str_at(object, "apiVersion"));
}

const char *fx_object_kind(const json_t *object)
{
	return or_empty(fx_json_str_at(object, "kind"));
}

const char *fx_object_name(const json_t *object)
{
	return or_empty(fx_json_str_at(object, "metadata", "name"));
}

const char *fx_object_namespace(const json_t *object)
{
	return or_empty(fx_json_str_at(object, "metadata", "namespace"));
}

const char *fx_object_uid(const json_t *object)
{
	return or_empty(fx_json_str_at(object, "metadata", "uid"));
}

const char *fx_object_resource_version(const json_t *object)
{
	return or_empty(fx_json_str_at(object, "metadata", "resourceVersion"));
}

int64_t fx_object_generation(const json_t *object)
{
	return fx_json_int_at(object, 0, "metadata", "generation");
}

bool fx_object_is_deleting(const json_t *object)
{
	return fx_json_str_at(object, "metadata", "deletionTimestamp") != NULL;
}

const char *fx_object_label(const json_t *object, const char *key)
{
	return fx_json_str_at(object, "metadata", "labels", key);
}

const char *fx_object_annotation(const json_t *object, const char *key)
{
	return fx_json_str_at(object, "metadata", "annotations", key);
}

bool fx_object_meta_is(const json_t *object, const char *key, const char *value)
{
	const char *label = fx_object_label(object, key);
	const char *annotation = fx_object_annotation(object, key);
	return (label && *label && strcasecmp(label, value) == 0) ||
	       (annotation && *annotation && strcasecmp(annotation, value) == 0);
}

static bool set_meta(json_t *object, const char *map, const char *key, const char *value)
{
	if (value)
		return fx_json_set_at(object, json_string(value), "metadata", map, key);
	fx_json_del_at(object, "metadata", map, key);
	return true;
}

bool fx_object_set_label(json_t *object, const char *key, const char *value)
{
	return set_meta(object, "labels", key, value);
}

bool fx_object_set_annotation(json_t *object, const char *key, const char *value)
{
	return set_meta(object, "annotations", key, value);
}

/* Index of a finalizer, or the number of finalizers when it is not there. */
static size_t finalizer_index(const json_t *list, const char *finalizer)
{
	size_t count = json_array_size(list);
	for (size_t i = 0; i < count; i++) {
		const char *text = json_string_value(json_array_get(list, i));
		if (text && strcmp(text, finalizer) == 0)
			return i;
	}
	return count;
}

bool fx_object_has_finalizer(const json_t *object, const char *finalizer)
{
	const json_t *list = fx_json_at(object, "metadata", "finalizers");
	return finalizer_index(list, finalizer) < json_array_size(list);
}

bool fx_object_add_finalizer(json_t *object, const char *finalizer)
{
	json_t *list = fx_json_at(object, "metadata", "finalizers");
	if (!json_is_array(list)) {
		if (!fx_json_set_at(object, json_array(), "metadata", "finalizers"))
			return false;
		list = fx_json_at(object, "metadata", "finalizers");
	}
	if (finalizer_index(list, finalizer) < json_array_size(list))
		return true;
	return json_array_append_new(list, json_string(finalizer)) == 0;
}

bool fx_object_remove_finalizer(json_t *object, const char *finalizer)
{
	json_t *list = fx_json_at(object, "metadata", "finalizers");
	size_t i = finalizer_index(list, finalizer);
	if (i >= json_array_size(list))
		return false;
	json_array_remove(list, i);
	return true;
}

void fx_object_append_ref(struct fx_buf *buf, const char *kind, const char *namespace_, const char *name)
{
	bool has_namespace = namespace_ && *namespace_;
	fx_buf_add_str(buf, kind);
	fx_buf_add_char(buf, '/');
	if (has_namespace) {
		fx_buf_add_str(buf, namespace_);
		fx_buf_add_char(buf, '/');
	}
	fx_buf_add_str(buf, name);
}

char *fx_object_ref(const json_t *object)
{
	struct fx_buf buf = FX_BUF_INIT;
	fx_object_append_ref(
	        &buf, fx_object_kind(object), fx_object_namespace(object), fx_object_name(object));
	char *text = fx_buf_take(&buf, NULL);
	fx_buf_release(&buf);
	return text;
}

json_t *fx_object_reference(const json_t *object)
{
	const struct {
		const char *key, *value;
	} members[] = {
	        {"kind", fx_object_kind(object)},
	        {"namespace", fx_object_namespace(object)},
	        {"name", fx_object_name(object)},
	        {"uid", fx_object_uid(object)},
	        {"apiVersion", fx_object_api_version(object)},
	        {"resourceVersion", fx_object_resource_version(object)},
	};
	fx_auto(json) json_t *ref = json_object();
	for (size_t i = 0; ref && i < FX_COUNT(members); i++) {
		if (*members[i].value &&
		        json_object_set_new(ref, members[i].key, json_string(members[i].value)) < 0)
			return NULL;
	}
	return fx_take(ref);
}

char *fx_object_key(const char *namespace_, const char *name)
{
	struct fx_buf buf = FX_BUF_INIT;
	if (namespace_ && *namespace_) {
		fx_buf_add_str(&buf, namespace_);
		fx_buf_add_char(&buf, '/');
	}
	fx_buf_add_str(&buf, name);
	char *key = fx_buf_take(&buf, NULL);
	fx_buf_release(&buf);
	return key;
}

int fx_object_id_of(const json_t *object, struct fx_object_id *out, struct fx_error *err)
{
	struct fx_gvk gvk;
	struct fx_object_id id;
	const char *name = fx_object_name(object), *namespace_ = fx_object_namespace(object);
	int rc = fx_object_gvk(object, &gvk, err);
	if (rc < 0)
		return rc;
	if (!*name || !copy_part(id.name, sizeof(id.name), name, strlen(name)) ||
	        !copy_part(id.namespace_, sizeof(id.namespace_), namespace_, strlen(namespace_)))
		return fx_fail(
		        err, FX_E_INVALID, "%s has no name, or its name or namespace is too long", gvk.kind);
	memcpy(id.group, gvk.group, sizeof(id.group));
	memcpy(id.kind, gvk.kind, sizeof(id.kind));
	*out = id;
	return 0;
}

/* The name with `__` turned back to `:`. */
static bool decode_name(char *out, size_t room, const char *text, size_t len)
{
	size_t used = 0;
	for (size_t i = 0; i < len; i++) {
		if (used + 1 >= room)
			return false;
		if (text[i] == '_' && i + 1 < len && text[i + 1] == '_') {
			out[used++] = ':';
			i++;
		} else {
			out[used++] = text[i];
		}
	}
	out[used] = '\0';
	return true;
}

int fx_object_id_parse(const char *text, struct fx_object_id *out, struct fx_error *err)
{
	const char *first = strchr(text, '_');
	const char *last = strrchr(text, '_');
	const char *group = last && last > text ? memrchr(text, '_', (size_t)(last - text)) : NULL;
	struct fx_object_id id;

	if (!first || !group || group <= first)
		return fx_fail(err, FX_E_INVALID, "invalid inventory id '%.600s'", text);
	if (!copy_part(id.namespace_, sizeof(id.namespace_), text, (size_t)(first - text)) ||
	        !decode_name(id.name, sizeof(id.name), first + 1, (size_t)(group - first - 1)) ||
	        !copy_part(id.group, sizeof(id.group), group + 1, (size_t)(last - group - 1)) ||
	        !copy_part(id.kind, sizeof(id.kind), last + 1, strlen(last + 1)) || !id.kind[0] ||
	        !id.name[0])
		return fx_fail(err, FX_E_INVALID, "invalid inventory id '%.600s'", text);
	*out = id;
	return 0;
}

/* Kinds whose names may have a colon. */
static bool is_rbac(const struct fx_object_id *id)
{
	static const char *const kinds[] = {"Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"};
	if (strcmp(id->group, RBAC_GROUP) != 0)
		return false;
	for (size_t i = 0; i < FX_COUNT(kinds); i++) {
		if (strcmp(id->kind, kinds[i]) == 0)
			return true;
	}
	return false;
}

char *fx_object_id_text(const struct fx_object_id *id)
{
	struct fx_buf buf = FX_BUF_INIT;
	bool encode = is_rbac(id);
	fx_buf_addf(&buf, "%s_", id->namespace_);
	for (const char *c = id->name; *c; c++) {
		if (encode && *c == ':')
			fx_buf_add_str(&buf, "__");
		else
			fx_buf_add_char(&buf, *c);
	}
	fx_buf_addf(&buf, "_%s_%s", id->group, id->kind);
	char *text = fx_buf_take(&buf, NULL);
	fx_buf_release(&buf);
	return text;
}
