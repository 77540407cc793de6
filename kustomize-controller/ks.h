/*
 * The Kustomization controller: what its parts share. struct fx_ks lives as long as the process
 * and is read-only once the workers run; struct fx_ks_run is one pass of the reconcile function.
 */
#ifndef KUSTOMIZE_CONTROLLER_KS_H
#define KUSTOMIZE_CONTROLLER_KS_H

#include "builder.h"
#include "inventory.h"
#include "live.h"
#include "order.h"
#include "state.h"

#include "artifact/fetch.h"
#include "kube/ssa.h"
#include "runtime/conditions.h"
#include "runtime/controller.h"

#define FX_KS_KIND "Kustomization"
#define FX_KS_STATUS_MANAGER "gotk-kustomize-controller"

#define FX_CONDITION_HEALTHY "Healthy"

#define FX_REASON_ARTIFACT_FAILED "ArtifactFailed"
#define FX_REASON_ACCESS_DENIED "AccessDenied"
#define FX_REASON_BUILD_FAILED "BuildFailed"
#define FX_REASON_DEPENDENCY_NOT_READY "DependencyNotReady"
#define FX_REASON_FEATURE_GATE_DISABLED "FeatureGateDisabled"
#define FX_REASON_HEALTH_CHECK_CANCELED "HealthCheckCanceled"
#define FX_REASON_HEALTH_CHECK_FAILED "HealthCheckFailed"
#define FX_REASON_INVALID_CEL "InvalidCELExpression"
#define FX_REASON_PRUNE_FAILED "PruneFailed"
#define FX_REASON_RECONCILIATION_FAILED "ReconciliationFailed"
#define FX_REASON_RECONCILIATION_SUCCEEDED "ReconciliationSucceeded"

enum fx_ks_gate {
	FX_KS_GATE_CACHE_CONFIGS,
	FX_KS_GATE_NO_STATUS_CACHE,
	FX_KS_GATE_NO_FAIL_FAST,
	FX_KS_GATE_STRICT_SUBSTITUTIONS,
	FX_KS_GATE_GROUP_CHANGE_LOG,
	FX_KS_GATE_ADDITIVE_CEL,
	FX_KS_GATE_EXTERNAL_ARTIFACT,
	FX_KS_GATE_CANCEL_HEALTH_CHECK,
	FX_KS_GATE_NO_CONFIG_WATCHERS,
	FX_KS_GATE_DIRECT_SOURCE_FETCH,
	FX_KS_GATE_MIGRATE_API_VERSION,
	FX_KS_GATE_OBJECT_IDENTITY,
	FX_KS_GATE_COUNT,
};

/* Flags of its own. */
struct fx_ks_flags {
	int64_t concurrent_ssa;
	bool no_remote_bases;
	int64_t http_retry;
	bool no_cross_namespace_refs;
	bool insecure_kubeconfig_exec, insecure_kubeconfig_tls;
	const char *default_decryption_service_account;
	const char *default_kubeconfig_service_account;
	const char *sops_age_secret, *sops_vault_configmap;
	struct fx_string_list override_managers;
	const char *custom_apply_stage_kinds;
};

#define FX_KS_SOURCES 4

struct fx_ks {
	const struct fx_ks_flags *flags;
	const struct fx_options *options;
	const struct fx_gate *gates; /* index: enum fx_ks_gate */
	struct fx_stage_kinds stage_kinds;
	struct fx_overrides overrides;
	/* Made when the manager starts. */
	struct fx_manager *manager;
	struct fx_controller *controller;
	struct fx_ks_states states;
	struct fx_live *live;
	struct fx_fetcher *fetcher, *watcher_fetcher; /* by the two localhost overrides */
	struct fx_reflector *sources[FX_KS_SOURCES];
	struct fx_reflector *configs[2];
};

struct fx_ks_artifact {
	char *url, *digest, *revision, *origin_revision;
};

/* One pass. */
struct fx_ks_run {
	struct fx_ks *ks;
	struct fx_reconcile *reconcile;
	struct fx_result *result;
	const json_t *spec; /* borrowed from object */
	json_t *object;     /* reference to the object as the pass began */
	json_t *status;     /* the status to write */
	json_t *conditions; /* borrowed from status */
	struct fx_ks_state *state;
	struct fx_kube *kube; /* who applies */
	struct fx_ks_artifact artifact;
	int64_t timeout_ns;
	bool settled;          /* the status said all when the pass began */
	bool shown;            /* and has been written since */
	struct fx_buf changes; /* lines of what was created or configured */
};

static inline bool fx_ks_gate(const struct fx_ks *ks, enum fx_ks_gate gate)
{
	return ks->gates[gate].enabled;
}

/* Parsed spec.interval, retryInterval and timeout in ns. Source: API reference, derived values. */
int64_t fx_ks_interval_ns(const json_t *spec);
int64_t fx_ks_retry_ns(const json_t *spec);
int64_t fx_ks_timeout_ns(const json_t *spec);

/* Conditions of the pass. */
void fx_ks_set(struct fx_ks_run *run, const char *type, const char *status, const char *reason,
        const char *fmt, ...) fx_printf(5, 6);
void fx_ks_stall(struct fx_ks_run *run, const char *reason, const char *message);
void fx_ks_progress(struct fx_ks_run *run, const char *fmt, ...) fx_printf(2, 3);
/* [worker] Writes the status as it is now. */
int fx_ks_write(struct fx_ks_run *run, struct fx_error *err) fx_must_use;
/* The same when the pass has already taken so long that somebody may be watching. */
int fx_ks_write_if_slow(struct fx_ks_run *run, struct fx_error *err) fx_must_use;

enum fx_ks_severity { FX_KS_INFO, FX_KS_ERROR };
/* Event with the revision (NULL: none) and the reason of the Ready condition. */
void fx_ks_event(struct fx_ks_run *run, enum fx_ks_severity severity, const char *revision,
        const char *origin_revision, bool commit_status, const char *fmt, ...) fx_printf(6, 7);

/* Text of a status field, "" when absent. */
const char *fx_ks_status_text(const struct fx_ks_run *run, const char *key);

/* Adds or moves the history entry of this pass. */
void fx_ks_history(struct fx_ks_run *run, const char *outcome);

#endif
