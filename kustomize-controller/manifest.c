#include "manifest.h"

#include <string.h>
#include <strings.h>

static const char *text_at(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : "";
}

struct fx_ref fx_manifest_ref(const json_t *object)
{
	const char *api = text_at(object, "apiVersion");
	const char *slash = strrchr(api, '/');
	const json_t *meta = json_object_get(object, "metadata");
	return (struct fx_ref){.group = api,
	        .group_len = slash ? (size_t)(slash - api) : 0,
	        .version = slash ? slash + 1 : api,
	        .kind = text_at(object, "kind"),
	        .namespace = text_at(meta, "namespace"),
	        .name = text_at(meta, "name")};
}

const char *fx_manifest_meta(const json_t *object, const char *key)
{
	return text_at(json_object_get(object, "metadata"), key);
}

static const char *meta_map_value(const json_t *object, const char *map, const char *key)
{
	return json_string_value(
	        json_object_get(json_object_get(json_object_get(object, "metadata"), map), key));
}

const char *fx_manifest_label(const json_t *object, const char *key)
{
	return meta_map_value(object, "labels", key);
}

const char *fx_manifest_annotation(const json_t *object, const char *key)
{
	return meta_map_value(object, "annotations", key);
}

bool fx_manifest_is_marked(const json_t *object, const char *key, const char *value)
{
	const char *label = fx_manifest_label(object, key);
	if (label && !strcasecmp(label, value))
		return true;
	const char *annotation = fx_manifest_annotation(object, key);
	return annotation && !strcasecmp(annotation, value);
}

bool fx_manifest_is_left_alone(const json_t *object)
{
	return fx_manifest_is_marked(object, FX_MARK_RECONCILE, "disabled") ||
	       fx_manifest_is_marked(object, FX_MARK_SSA, "Ignore");
}

bool fx_ref_group_is(const struct fx_ref *ref, const char *group)
{
	return strlen(group) == ref->group_len && !strncmp(ref->group, group, ref->group_len);
}

bool fx_ref_is(const struct fx_ref *ref, const char *group, const char *kind)
{
	return !strcmp(ref->kind, kind) && fx_ref_group_is(ref, group);
}

void fx_ref_add_subject(const struct fx_ref *ref, struct fx_buf *out)
{
	fx_buf_addf(out, "%s/", ref->kind);
	if (*ref->namespace)
		fx_buf_addf(out, "%s/", ref->namespace);
	fx_buf_add_str(out, ref->name);
}

/* metadata.MAP of the object, made when it is not there. Borrowed. */
static json_t *meta_map(json_t *object, const char *map)
{
	json_t *meta = json_object_get(object, "metadata");
	if (!json_is_object(meta)) {
		meta = json_object();
		if (json_object_set_new(object, "metadata", meta) < 0)
			return NULL;
	}
	json_t *value = json_object_get(meta, map);
	if (!json_is_object(value)) {
		value = json_object();
		if (json_object_set_new(meta, map, value) < 0)
			return NULL;
	}
	return value;
}

static bool set_pairs(json_t *object, const char *map, const json_t *pairs)
{
	if (!pairs || json_object_size(pairs) == 0)
		return true;
	json_t *to = meta_map(object, map);
	return to && json_object_update(to, (json_t *)pairs) == 0;
}

bool fx_manifest_set_labels(json_t *object, const json_t *pairs)
{
	return set_pairs(object, "labels", pairs);
}

bool fx_manifest_set_annotations(json_t *object, const json_t *pairs)
{
	return set_pairs(object, "annotations", pairs);
}

bool fx_manifest_set_label(json_t *object, const char *key, const char *value)
{
	json_t *to = meta_map(object, "labels");
	return to && json_object_set_new(to, key, json_string(value)) == 0;
}
