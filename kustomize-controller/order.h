/*
 * In which order objects are applied: stages, and the order of kinds inside a stage. Deletion
 * goes the other way round. Pure.
 *
 * Source: server-side apply rules of Flux (kinds, stages, `--custom-apply-stage-kinds`).
 */
#ifndef KUSTOMIZE_CONTROLLER_ORDER_H
#define KUSTOMIZE_CONTROLLER_ORDER_H

#include "manifest.h"

enum fx_stage {
	FX_STAGE_DEFINITIONS, /* CRDs, Namespaces, ClusterRoles: waited for */
	FX_STAGE_CLASSES,     /* kinds named *Class: waited for */
	FX_STAGE_CUSTOM,      /* kinds of --custom-apply-stage-kinds */
	FX_STAGE_REST,
	FX_STAGE_COUNT,
};

/* Kinds of the custom stage. group "" is the core group. */
struct fx_stage_kind {
	const char *group;
	size_t group_len;
	const char *kind;
	size_t kind_len;
};

#define FX_STAGE_KINDS_MAX 64

struct fx_stage_kinds {
	struct fx_stage_kind items[FX_STAGE_KINDS_MAX];
	size_t len;
};

/* Reads "group/Kind,Kind". text is borrowed for the life of the list. FX_E_INVALID for an
 * entry without kind, FX_E_LIMIT. */
int fx_stage_kinds_parse(const char *text, struct fx_stage_kinds *out, struct fx_error *err) fx_must_use;

/* custom may be NULL. */
enum fx_stage fx_stage_of(const struct fx_ref *ref, const struct fx_stage_kinds *custom);

/* <0, 0, >0: order of two objects inside a stage. */
int fx_ref_compare(const struct fx_ref *a, const struct fx_ref *b);

/* Sorts an array of objects by stage and order; equal ones keep theirs. False without memory. */
bool fx_manifests_sort(json_t *objects, const struct fx_stage_kinds *custom);

#endif
