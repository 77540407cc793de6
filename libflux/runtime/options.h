/*
 * The flags that all controllers share, with their defaults and environment.
 *
 * Source: runtime reference, section 13.
 */
#ifndef FX_RUNTIME_OPTIONS_H
#define FX_RUNTIME_OPTIONS_H

#include "runtime/flags.h"
#include "runtime/gates.h"

#include <stdint.h>

struct fx_options {
	const char *metrics_addr;
	const char *events_addr;
	const char *health_addr;
	int64_t concurrent;
	int64_t requeue_dependency_ns;
	bool watch_all_namespaces;
	const char *watch_label_selector;
	const char *watch_configs_label_selector;
	double kube_api_qps;
	int64_t kube_api_burst;
	const char *log_encoding;
	const char *log_level;
	bool leader_election;
	bool leader_release_on_cancel;
	int64_t leader_lease_ns;
	int64_t leader_renew_ns;
	int64_t leader_retry_ns;
	int64_t min_retry_ns;
	int64_t max_retry_ns;
	int64_t interval_jitter_percentage;
	const char *feature_gates;
	int64_t token_cache_max_size;
	int64_t token_cache_max_duration_ns;
	const char *default_service_account;
	/* Environment. */
	const char *runtime_namespace; /* RUNTIME_NAMESPACE, "" when unset */
};

#define FX_OPTIONS_FLAGS_MAX 40

/* Fills in the defaults and, for source-controller, those that its environment gives. */
void fx_options_init(struct fx_options *options, int64_t default_concurrent);

/* The flag table over options, NULL-name terminated, written to table. */
void fx_options_flags(struct fx_options *options, struct fx_flag table[FX_OPTIONS_FLAGS_MAX]);

/* Checks of section 13.4 that do not need the cluster, and the feature gates (set in gates). */
int fx_options_validate(
        const struct fx_options *options, struct fx_gate *gates, struct fx_error *err) fx_must_use;

/* Everything before the manager starts: parses argv against the shared and the own flags, sets
 * up logging, validates. Prints usage or the error itself. Returns -1 to go on, else the exit
 * code of the program (0 after --help, 1 bad value, 2 unknown flag). */
int fx_options_start(struct fx_options *options, const char *program, int argc, char **argv,
        const struct fx_flag *own, struct fx_gate *gates);

#endif
