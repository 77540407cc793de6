/*
 * What all source kinds share: the skeleton of a reconcile, its steps' outcomes, and how these
 * become conditions, events and the time of the next run.
 *
 *   finalizer -> suspended? -> storage -> steps of the kind (source, include, artifact) -> notify
 *        \___________________________________________________________________________________/
 *                     always: outcome -> conditions -> Ready summary -> one status write
 *
 * Source: source-controller reference, sections 2.2 to 2.8.
 */
#ifndef FX_SOURCE_H
#define FX_SOURCE_H

#include "artifact/store.h"
#include "core/arena.h"
#include "runtime/conditions.h"
#include "runtime/controller.h"

#define FX_STORAGE_OPERATION_FAILED "StorageOperationFailed"
#define FX_FETCH_FAILED "FetchFailed"
#define FX_INCLUDE_UNAVAILABLE "IncludeUnavailable"
#define FX_ARTIFACT_OUTDATED "ArtifactOutdated"
#define FX_ARTIFACT_IN_STORAGE "ArtifactInStorage"
#define FX_SOURCE_VERIFIED "SourceVerified"

/* How a step ended; a later value wins over an earlier one. */
enum fx_step { FX_STEP_EMPTY, FX_STEP_SUCCESS, FX_STEP_REQUEUE, FX_STEP_FAILED };

/* Why it failed (section 2.3). */
enum fx_step_class {
	FX_STEP_PLAIN,    /* backoff, no event */
	FX_STEP_GENERIC,  /* backoff, Warning event */
	FX_STEP_IGNORE,   /* nothing to do: Trace event, next interval */
	FX_STEP_WAITING,  /* Trace event, looked at again after --requeue-dependency */
	FX_STEP_STALLING, /* Warning event, no retry */
};

/* What the source controllers of a process share; immutable once the manager runs. */
struct fx_source_env {
	struct fx_store *store;
	const char *scratch; /* folder for work files */
};

struct fx_source;

/* A kind of source. */
struct fx_source_kind {
	struct fx_source_env *env;
	const char *kind;             /* "GitRepository" */
	const char *const *summary;   /* condition types in order of importance */
	const char *const *negatives; /* those among them whose True is bad */
	const char *const *failures;  /* those whose end is a recovery worth an event */
	/* The kind's own steps, in order; NULL ends the list. */
	enum fx_step (*const *steps)(struct fx_source *source);
};

/* One reconcile of a source. */
struct fx_source {
	const struct fx_source_kind *kind;
	struct fx_reconcile *run;
	struct fx_arena *arena; /* ends with the run */
	json_t *status;         /* the copy that will be written */
	json_t *conditions;     /* in it */
	struct fx_condition_clock clock;
	json_t *old_artifact;     /* as the run found it; borrowed from a kept copy, may be NULL */
	const char *summary_text; /* of what was stored, for the event: set by the kind, arena */
	/* Set by fx_source_fail(). */
	enum fx_step_class failed_class;
	const char *failed_reason;
	struct fx_error error;
	void *work; /* the kind's own state of this run */
};

/* Runs one reconcile: what the controller's reconcile function of a kind calls. work: the kind's own
 * state of this run, handed to the steps. */
int fx_source_reconcile(struct fx_source_kind *kind, struct fx_reconcile *run, void *work,
        struct fx_result *out, struct fx_error *err);

/* Records why a step failed; returns FX_STEP_FAILED (FX_STEP_EMPTY never). The error's message is
 * the text of events and conditions. err is moved. */
enum fx_step fx_source_fail(
        struct fx_source *source, enum fx_step_class class_, const char *reason, struct fx_error *err);

/* The same, and the negative condition `type` is set True with reason and message. */
enum fx_step fx_source_fail_with(struct fx_source *source, const char *type, enum fx_step_class class_,
        const char *reason, struct fx_error *err);

bool fx_source_set(struct fx_source *source, const char *type, const char *status, const char *reason,
        const char *fmt, ...) fx_printf(5, 6);
void fx_source_unset(struct fx_source *source, const char *type);

/* Progress (section 2.4): Reconciling=True, and Ready=Unknown when what is served is no longer what is
 * wanted (drift) or was not known before. Not written before fx_source_write(). */
bool fx_source_progress(struct fx_source *source, bool drift, const char *fmt, ...) fx_printf(3, 4);

/* Writes the status as it is now: for steps that a user should see while they run. */
int fx_source_write(struct fx_source *source, struct fx_error *err) fx_must_use;

/* The artifact in the status, or NULL. Borrowed. */
json_t *fx_source_artifact(const struct fx_source *source);
/* True when the status' artifact has that revision. */
bool fx_source_has_revision(const struct fx_source *source, const char *revision);

/* Path of a file of this object in the storage, or of its folder (file NULL); in the arena, NULL without
 * memory. */
char *fx_source_path(const struct fx_source *source, const char *file);

/* Emits a Trace event: in the cluster, not forwarded. */
void fx_source_trace(struct fx_source *source, const char *reason, const char *fmt, ...) fx_printf(3, 4);

#endif
