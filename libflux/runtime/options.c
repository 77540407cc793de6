#include "runtime/options.h"

#include "core/clock.h"
#include "core/log.h"
#include "runtime/selector.h"

#include <string.h>

#define SECONDS(n) ((int64_t)(n)*1000000000)

static const char *env_or(const char *name, const char *fallback)
{
	const char *value = getenv(name);
	return value && *value ? value : fallback;
}

void fx_options_init(struct fx_options *options, int64_t default_concurrent)
{
	*options = (struct fx_options){
	        .metrics_addr = env_or("METRICS_ADDR", ":8080"),
	        .events_addr = env_or("EVENTS_ADDR", ""),
	        .health_addr = ":9440",
	        .concurrent = default_concurrent,
	        .requeue_dependency_ns = SECONDS(30),
	        .watch_all_namespaces = true,
	        .watch_label_selector = "",
	        .watch_configs_label_selector = "reconcile.fluxcd.io/watch=Enabled",
	        .kube_api_qps = 50,
	        .kube_api_burst = 300,
	        .log_encoding = "json",
	        .log_level = "info",
	        .leader_release_on_cancel = true,
	        .leader_lease_ns = SECONDS(35),
	        .leader_renew_ns = SECONDS(30),
	        .leader_retry_ns = SECONDS(5),
	        .min_retry_ns = 750 * 1000000LL,
	        .max_retry_ns = SECONDS(15 * 60),
	        .interval_jitter_percentage = 5,
	        .feature_gates = "",
	        .token_cache_max_size = 100,
	        .token_cache_max_duration_ns = SECONDS(3600),
	        .default_service_account = "",
	        .runtime_namespace = env_or("RUNTIME_NAMESPACE", ""),
	};
}

void fx_options_flags(struct fx_options *o, struct fx_flag table[FX_OPTIONS_FLAGS_MAX])
{
	const struct fx_flag flags[] = {
	        {"metrics-addr", FX_FLAG_STRING, &o->metrics_addr, "address of the metrics server"},
	        {"events-addr", FX_FLAG_STRING, &o->events_addr, "address of the events receiver"},
	        {"health-addr", FX_FLAG_STRING, &o->health_addr, "address of the probe server"},
	        {"concurrent", FX_FLAG_INT, &o->concurrent, "objects of a kind reconciled at once"},
	        {"requeue-dependency", FX_FLAG_DURATION, &o->requeue_dependency_ns,
	                "wait before an object that misses a dependency is looked at again"},
	        {"watch-all-namespaces", FX_FLAG_BOOL, &o->watch_all_namespaces,
	                "watch every namespace, or only that of RUNTIME_NAMESPACE"},
	        {"watch-label-selector", FX_FLAG_STRING, &o->watch_label_selector,
	                "reconcile only objects with these labels"},
	        {"watch-configs-label-selector", FX_FLAG_STRING, &o->watch_configs_label_selector,
	                "ConfigMaps and Secrets with these labels trigger their users"},
	        {"kube-api-qps", FX_FLAG_DOUBLE, &o->kube_api_qps, "requests to the API server a second"},
	        {"kube-api-burst", FX_FLAG_INT, &o->kube_api_burst, "requests above that in a burst"},
	        {"log-encoding", FX_FLAG_STRING, &o->log_encoding, "json or console"},
	        {"log-level", FX_FLAG_STRING, &o->log_level, "trace, debug, info or error"},
	        {"enable-leader-election", FX_FLAG_BOOL, &o->leader_election,
	                "only the leader of several replicas works"},
	        {"leader-election-release-on-cancel", FX_FLAG_BOOL, &o->leader_release_on_cancel,
	                "give leadership up on shutdown"},
	        {"leader-election-lease-duration", FX_FLAG_DURATION, &o->leader_lease_ns,
	                "time after which a silent leader is replaced"},
	        {"leader-election-renew-deadline", FX_FLAG_DURATION, &o->leader_renew_ns,
	                "time after which a leader that cannot renew gives up"},
	        {"leader-election-retry-period", FX_FLAG_DURATION, &o->leader_retry_ns, "time between tries"},
	        {"min-retry-delay", FX_FLAG_DURATION, &o->min_retry_ns, "first wait after a failure"},
	        {"max-retry-delay", FX_FLAG_DURATION, &o->max_retry_ns, "longest wait after failures"},
	        {"interval-jitter-percentage", FX_FLAG_INT, &o->interval_jitter_percentage,
	                "random part of intervals, in percent"},
	        {"feature-gates", FX_FLAG_STRING, &o->feature_gates, "A=true,B=false"},
	        {"token-cache-max-size", FX_FLAG_INT, &o->token_cache_max_size, "tokens kept; 0: none"},
	        {"token-cache-max-duration", FX_FLAG_DURATION, &o->token_cache_max_duration_ns,
	                "longest time a token is kept"},
	        {"default-service-account", FX_FLAG_STRING, &o->default_service_account,
	                "service account of objects that name none"},
	        {0},
	};
	_Static_assert(FX_COUNT(flags) <= FX_OPTIONS_FLAGS_MAX, "the table is too small");
	memcpy(table, flags, sizeof(flags));
}

int fx_options_validate(const struct fx_options *o, struct fx_gate *gates, struct fx_error *err)
{
	int rc = fx_gates_parse(gates, o->feature_gates, err);
	if (rc < 0)
		return rc;
	rc = fx_label_selector_check(o->watch_label_selector, err);
	if (rc == 0)
		rc = fx_label_selector_check(o->watch_configs_label_selector, err);
	if (rc < 0)
		return fx_error_wrap(err, "invalid label selector (--watch-label-selector, "
		                          "--watch-configs-label-selector)");
	if (o->interval_jitter_percentage < 0 || o->interval_jitter_percentage >= 100)
		return fx_fail(err, FX_E_INVALID,
		        "invalid jitter percentage (--interval-jitter-percentage) %lld: the value must be a "
		        "non-negative value and less than 100",
		        (long long)o->interval_jitter_percentage);
	if (o->concurrent < 1 || o->concurrent > 1000)
		return fx_fail(err, FX_E_INVALID, "--concurrent %lld: the value must be between 1 and 1000",
		        (long long)o->concurrent);
	if (o->leader_election && (double)o->leader_renew_ns <= 1.2 * (double)o->leader_retry_ns)
		return fx_fail(err, FX_E_INVALID,
		        "--leader-election-renew-deadline must be greater than 1.2 times "
		        "--leader-election-retry-period");
	if (o->leader_election && o->leader_lease_ns <= o->leader_renew_ns)
		return fx_fail(err, FX_E_INVALID,
		        "--leader-election-lease-duration must be greater than "
		        "--leader-election-renew-deadline");
	return 0;
}

int fx_options_start(struct fx_options *options, const char *program, int argc, char **argv,
        const struct fx_flag *own, struct fx_gate *gates)
{
	struct fx_flag shared[FX_OPTIONS_FLAGS_MAX];
	fx_options_flags(options, shared);
	const struct fx_flag *const tables[] = {shared, own, NULL};
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	bool help = false;
	if (fx_flags_parse(argc, argv, tables, &help, &err) < 0) {
		fprintf(stderr, "%s\n", fx_error_message(&err));
		return 2;
	}
	if (help) {
		fx_flags_print(stdout, program, tables);
		return 0;
	}
	fx_log_setup(options->log_level, options->log_encoding);
	if (fx_options_validate(options, gates, &err) < 0) {
		fx_log_error("setup", "invalid flags", fx_error_message(&err));
		return 1;
	}
	for (const struct fx_gate *g = gates; g && g->name; g++) {
		if (g->given)
			fx_log_info("setup", "loading feature gate", {"name", g->name, false},
			        {"enabled", g->enabled ? "true" : "false", true});
	}
	return -1;
}
