/*
 * Server-side apply of one object: dry run and drift comparison, take-over of fields from
 * other managers, recreation of objects with immutable fields. What to apply, in which order and stages, is
 * the caller's business. [worker] functions block for their requests; the others are pure.
 *
 * Source: kustomize-controller reference, sections 11.4 to 11.8; runtime reference, section 21.
 */
#ifndef FX_KUBE_SSA_H
#define FX_KUBE_SSA_H

#include "kube/client.h"
#include "kube/discovery.h"

enum fx_ssa_action {
	FX_SSA_UNKNOWN,
	FX_SSA_CREATED,
	FX_SSA_CONFIGURED,
	FX_SSA_UNCHANGED,
	FX_SSA_DELETED,
	FX_SSA_SKIPPED,
};
/* "created" ...; static. */
const char *fx_ssa_action_name(enum fx_ssa_action action);

/* A field manager whose fields are taken over: entries whose manager name starts with prefix and
 * whose operation is equal. */
struct fx_ssa_manager {
	const char *prefix;
	const char *operation; /* "Apply" or "Update" */
};

struct fx_ssa_options {
	const char *field_manager; /* "kustomize-controller" */
	const struct fx_ssa_manager *take_over;
	size_t take_over_count;
	const char *const *annotations; /* removed from live objects, NULL-terminated, may be NULL */
	const char *const *labels;
	bool recreate; /* objects with changed immutable fields are deleted and made anew */
};

/* [worker] PATCH with force and dryRun=All. status may be NULL. */
int fx_ssa_dry_run(struct fx_kube *kube, const struct fx_resource *resource, const json_t *object,
        const char *field_manager, struct fx_cancel *cancel, struct fx_kube_status *status, json_t **out,
        struct fx_error *err) fx_must_use;
/* [worker] The same; of the answer only the metadata. It has no resourceVersion when the object would be
 * made. */
int fx_ssa_dry_run_metadata(struct fx_kube *kube, const struct fx_resource *resource, const json_t *object,
        const char *field_manager, struct fx_cancel *cancel, struct fx_kube_status *status, json_t **out,
        struct fx_error *err) fx_must_use;
/* [worker] The same for good; of the answer only the metadata. */
int fx_ssa_apply(struct fx_kube *kube, const struct fx_resource *resource, const json_t *object,
        const char *field_manager, struct fx_cancel *cancel, struct fx_kube_status *status, json_t **out,
        struct fx_error *err) fx_must_use;

/* Would applying change live? live may be NULL (absent): true. Compared: labels, annotations,
 * everything but metadata and status, null and empty being equal. */
bool fx_ssa_has_drifted(const json_t *live, const json_t *dry_run);

/* Says the failed dry run or apply that a field cannot be changed? (409, 422, or the texts "is
 * immutable", "immutable field".) */
bool fx_ssa_is_immutable_error(const struct fx_error *err, const struct fx_kube_status *status);

/* Texts of section 11.8, in place: `<subject> dry-run failed (<Reason>): ...`, `... not found: ...`,
 * `... namespace not specified: ...`. Returns -code. */
int fx_ssa_wrap_dry_run_error(struct fx_error *err, const struct fx_kube_status *status,
        const struct fx_resource *resource, const json_t *object);

/* The JSON patch that removes the legacy annotations and labels and moves the fields of the listed managers
 * to our own Apply entry. *out is NULL when there is nothing to do, else a new reference. api_version: of our
 * entry when one has to be made. Source: section 11.6. */
int fx_ssa_cleanup_patch(const json_t *live, const struct fx_ssa_options *options, json_t **out,
        struct fx_error *err) fx_must_use;

/* What fx_ssa_plan() found. Release with fx_ssa_plan_release(). */
struct fx_ssa_plan {
	enum fx_ssa_action action; /* created, configured or unchanged: what applying will be */
	bool apply;                /* needs fx_ssa_apply() */
	bool recreated;            /* the old object was deleted */
	json_t *live;              /* as cleaned up; NULL when it did not exist */
	json_t *dry_run;           /* the answer to the dry run */
};
#define FX_SSA_PLAN_INIT                                                                                     \
	{                                                                                                    \
		0                                                                                            \
	}
void fx_ssa_plan_release(struct fx_ssa_plan *plan);
static inline void fx_auto_ssa_plan(struct fx_ssa_plan *plan)
{
	fx_ssa_plan_release(plan);
}

/* [worker] Phase A of section 11.4 from step 5 on for one object: dry run, recreation when allowed, clean-up
 * patch (left out with keep_metadata: ssa Merge), comparison. live: what GET gave, NULL when it is not there,
 * borrowed. Errors have the texts of 11.8. */
int fx_ssa_plan(struct fx_kube *kube, const struct fx_resource *resource, const json_t *object,
        const json_t *live, const struct fx_ssa_options *options, bool keep_metadata,
        struct fx_cancel *cancel, struct fx_ssa_plan *out, struct fx_error *err) fx_must_use;

/* [worker] Deletes (background) and waits until the object is gone; not found is fine. */
int fx_ssa_delete_and_wait(struct fx_kube *kube, const struct fx_resource *resource, const char *namespace_,
        const char *name, struct fx_cancel *cancel, struct fx_error *err) fx_must_use;

/* The whole apply payload as it is sent: a copy of object (its deeper parts are shared) without status (but
 * of CRDs), managedFields, resourceVersion, uid, generation and creationTimestamp. New reference, NULL
 * without memory. */
json_t *fx_ssa_payload(const json_t *object);

#endif
