/*
 * What the controller asks of an API object that it applies: its identity, labels and
 * annotations, and the control marks of Flux among these. Objects are jansson values of one
 * reconcile; texts are borrowed from them. Pure, thread safe for different objects.
 */
#ifndef KUSTOMIZE_CONTROLLER_MANIFEST_H
#define KUSTOMIZE_CONTROLLER_MANIFEST_H

#include "core/buf.h"
#include "core/error.h"

#include <jansson.h>

#define FX_KS_GROUP "kustomize.toolkit.fluxcd.io"
#define FX_KS_OWNER_NAME FX_KS_GROUP "/name"
#define FX_KS_OWNER_NAMESPACE FX_KS_GROUP "/namespace"

/* Labels and annotations that users put on objects. */
#define FX_MARK_RECONCILE FX_KS_GROUP "/reconcile"
#define FX_MARK_SSA FX_KS_GROUP "/ssa"
#define FX_MARK_FORCE FX_KS_GROUP "/force"
#define FX_MARK_PRUNE FX_KS_GROUP "/prune"
#define FX_MARK_SUBSTITUTE FX_KS_GROUP "/substitute"

/* Identity of an object. Group is empty for the core group, namespace for cluster-wide
 * objects. All borrowed. */
struct fx_ref {
	const char *group;
	size_t group_len; /* group is a prefix of apiVersion: not NUL-terminated */
	const char *version;
	const char *kind;
	const char *namespace;
	const char *name;
};

/* The identity; missing parts are "". */
struct fx_ref fx_manifest_ref(const json_t *object);

/* A text at metadata.KEY, "" when absent. */
const char *fx_manifest_meta(const json_t *object, const char *key);
/* metadata.labels[key] or metadata.annotations[key], NULL when absent. */
const char *fx_manifest_label(const json_t *object, const char *key);
const char *fx_manifest_annotation(const json_t *object, const char *key);

/* True when a label or annotation has this value, case ignored. object may be NULL. */
bool fx_manifest_is_marked(const json_t *object, const char *key, const char *value);

/* True when a mark says that it is not to be applied: reconcile disabled, ssa Ignore. */
bool fx_manifest_is_left_alone(const json_t *object);

bool fx_ref_is(const struct fx_ref *ref, const char *group, const char *kind);
bool fx_ref_group_is(const struct fx_ref *ref, const char *group);

/* Appends "Kind/namespace/name", or "Kind/name" without a namespace. */
void fx_ref_add_subject(const struct fx_ref *ref, struct fx_buf *out);

/* Sets each pair of a JSON object of strings in metadata.labels (or annotations). False
 * without memory. pairs may be NULL. */
bool fx_manifest_set_labels(json_t *object, const json_t *pairs);
bool fx_manifest_set_annotations(json_t *object, const json_t *pairs);
bool fx_manifest_set_label(json_t *object, const char *key, const char *value);

#endif
