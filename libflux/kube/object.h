/*
 * What every Kubernetes object has, read from its jansson tree, and the texts by which
 * objects are named: group/version/kind, references, inventory ids. Pure.
 */
#ifndef FX_KUBE_OBJECT_H
#define FX_KUBE_OBJECT_H

#include "core/buf.h"
#include "core/error.h"
#include "data/jansson.h"

/* Limits of the API: DNS subdomain and DNS label. */
#define FX_KUBE_SUBDOMAIN_MAX 253
#define FX_KUBE_LABEL_MAX 63

struct fx_gvk {
	char group[FX_KUBE_SUBDOMAIN_MAX + 1]; /* "" for the core group */
	char version[FX_KUBE_LABEL_MAX + 1];
	char kind[FX_KUBE_LABEL_MAX + 1];
};

/* Splits "apps/v1" or "v1". FX_E_INVALID when it is malformed or longer than the API allows. */
int fx_gvk_set(
        struct fx_gvk *out, const char *api_version, const char *kind, struct fx_error *err) fx_must_use;

/* From apiVersion and kind of an object. FX_E_INVALID names what is missing. */
int fx_object_gvk(const json_t *object, struct fx_gvk *out, struct fx_error *err) fx_must_use;

/* "apps/v1", "v1". Room: FX_GVK_API_VERSION_MAX. Returns out. */
#define FX_GVK_API_VERSION_MAX (FX_KUBE_SUBDOMAIN_MAX + FX_KUBE_LABEL_MAX + 2)
char *fx_gvk_api_version(const struct fx_gvk *gvk, char out[FX_GVK_API_VERSION_MAX]);

/* Texts of metadata: "" when absent, never NULL. Borrowed from the object. */
const char *fx_object_api_version(const json_t *object);
const char *fx_object_kind(const json_t *object);
const char *fx_object_name(const json_t *object);
const char *fx_object_namespace(const json_t *object);
const char *fx_object_uid(const json_t *object);
const char *fx_object_resource_version(const json_t *object);

/* 0 when absent. */
int64_t fx_object_generation(const json_t *object);
/* True when metadata.deletionTimestamp is set. */
bool fx_object_is_deleting(const json_t *object);

/* NULL when absent. Borrowed. */
const char *fx_object_label(const json_t *object, const char *key);
const char *fx_object_annotation(const json_t *object, const char *key);

/* True when the label or the annotation has that value, compared without case; an empty value never
 * matches. Source: kustomize-controller reference, section 10. */
bool fx_object_meta_is(const json_t *object, const char *key, const char *value);

/* NULL value: removes. False without memory. */
bool fx_object_set_label(json_t *object, const char *key, const char *value) fx_must_use;
bool fx_object_set_annotation(json_t *object, const char *key, const char *value) fx_must_use;

bool fx_object_has_finalizer(const json_t *object, const char *finalizer);
/* Change the object in place. add: false without memory. remove: true when it was there. */
bool fx_object_add_finalizer(json_t *object, const char *finalizer) fx_must_use;
bool fx_object_remove_finalizer(json_t *object, const char *finalizer);

/* Appends "Kind/ns/name", or "Kind/name" without a namespace: the subject of messages. */
void fx_object_append_ref(struct fx_buf *buf, const char *kind, const char *namespace_, const char *name);
/* The same for an object; owned by the caller, NULL without memory. */
char *fx_object_ref(const json_t *object) fx_must_use;

/* {kind, apiVersion, name, namespace, uid, resourceVersion} (empty ones left out): an
 * ObjectReference. New reference, NULL without memory. */
json_t *fx_object_reference(const json_t *object);

/* "ns/name", or "name" without namespace: key of queues and caches. Owned, NULL without memory. */
char *fx_object_key(const char *namespace_, const char *name) fx_must_use;

/*
 * Inventory ids "<ns>_<name>_<group>_<kind>", `:` in names of RBAC kinds written `__`.
 * Source: kustomize-controller reference, section 12.1.
 */
struct fx_object_id {
	char namespace_[FX_KUBE_SUBDOMAIN_MAX + 1];
	char name[512]; /* RBAC names are path segments, not DNS names */
	char group[FX_KUBE_SUBDOMAIN_MAX + 1];
	char kind[FX_KUBE_LABEL_MAX + 1];
};
int fx_object_id_of(const json_t *object, struct fx_object_id *out, struct fx_error *err) fx_must_use;
int fx_object_id_parse(const char *text, struct fx_object_id *out, struct fx_error *err) fx_must_use;
/* Owned by the caller, NULL without memory. */
char *fx_object_id_text(const struct fx_object_id *id) fx_must_use;

#endif
