#include "runtime/controller_metrics.h"

/* To the last digit what Flux shows: to Prometheus another text of a bound is another series. */
static const double object_buckets[] = {0.01, 0.038363583488692544, 0.1471764538093883, 0.5646216173286169,
        2.166090855590701, 8.309900738254731, 31.879757075478317, 122.30217221643493, 469.19495946736544,
        1799.9999999999986};
static const double time_buckets[] = {0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45,
        0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.25, 1.5, 1.75, 2, 2.5, 3, 3.5, 4, 4.5, 5, 6, 7, 8, 9, 10, 15, 20, 25,
        30, 40, 50, 60};
static const double queue_buckets[] = {
        1e-8, 1e-7, 1e-6, 9.999999999999999e-06, 9.999999999999999e-05, 1e-3, 1e-2, 1e-1, 1, 10, 100, 1000};

struct fx_controller_families {
	struct fx_metrics *registry;
	struct fx_metric *object, *total, *errors, *terminal, *panics, *timeouts, *time, *max, *active;
	struct fx_metric *depth, *adds, *retries, *unfinished, *longest, *waited, *worked;
};

static struct fx_metric *simple(struct fx_metrics *m, enum fx_metric_type type, const char *name,
        const char *help, const char *labels)
{
	return fx_metrics_register(
	        m, &(struct fx_metric_options){.type = type, .name = name, .help = help, .labels = labels});
}

static struct fx_metric *histogram(struct fx_metrics *m, const char *name, const char *help,
        const char *labels, const double *buckets, size_t count)
{
	return fx_metrics_register(m, &(struct fx_metric_options){.type = FX_METRIC_HISTOGRAM,
	                                      .name = name,
	                                      .help = help,
	                                      .labels = labels,
	                                      .buckets = buckets,
	                                      .bucket_count = count});
}

static void no_gauges(void *arg)
{
	(void)arg;
}

struct fx_controller_families *fx_controller_families_new(struct fx_metrics *m)
{
	struct fx_controller_families *f = calloc(1, sizeof(*f));
	if (!f)
		return NULL;
	*f = (struct fx_controller_families){
	        .registry = m,
	        .object = histogram(m, "gotk_reconcile_duration_seconds",
	                "The duration in seconds of a GitOps Toolkit resource reconciliation.",
	                "kind,name,namespace", object_buckets, FX_COUNT(object_buckets)),
	        .total = simple(m, FX_METRIC_COUNTER, "controller_runtime_reconcile_total",
	                "Total number of reconciliations per controller", "controller,result"),
	        .errors = simple(m, FX_METRIC_COUNTER, "controller_runtime_reconcile_errors_total",
	                "Total number of reconciliation errors per controller", "controller"),
	        .terminal = simple(m, FX_METRIC_COUNTER, "controller_runtime_terminal_reconcile_errors_total",
	                "Total number of terminal reconciliation errors per controller", "controller"),
	        .panics = simple(m, FX_METRIC_COUNTER, "controller_runtime_reconcile_panics_total",
	                "Total number of reconciliation panics per controller", "controller"),
	        .timeouts = simple(m, FX_METRIC_COUNTER, "controller_runtime_reconcile_timeouts_total",
	                "Total number of reconciliation timeouts per controller", "controller"),
	        .time = histogram(m, "controller_runtime_reconcile_time_seconds",
	                "Length of time per reconciliation per controller", "controller", time_buckets,
	                FX_COUNT(time_buckets)),
	        .max = simple(m, FX_METRIC_GAUGE, "controller_runtime_max_concurrent_reconciles",
	                "Maximum number of concurrent reconciles per controller", "controller"),
	        .active = simple(m, FX_METRIC_GAUGE, "controller_runtime_active_workers",
	                "Number of currently used workers per controller", "controller"),
	        .depth = simple(m, FX_METRIC_GAUGE, "workqueue_depth",
	                "Current depth of workqueue by priority", "name,controller,priority"),
	        .adds = simple(m, FX_METRIC_COUNTER, "workqueue_adds_total",
	                "Total number of adds handled by workqueue", "name,controller"),
	        .retries = simple(m, FX_METRIC_COUNTER, "workqueue_retries_total",
	                "Total number of retries handled by workqueue", "name,controller"),
	        .unfinished = simple(m, FX_METRIC_GAUGE, "workqueue_unfinished_work_seconds",
	                "Seconds of work in progress that has not been observed by work_duration.",
	                "name,controller"),
	        .longest = simple(m, FX_METRIC_GAUGE, "workqueue_longest_running_processor_seconds",
	                "Seconds that the longest running processor has been running.", "name,controller"),
	        .waited = histogram(m, "workqueue_queue_duration_seconds",
	                "How long in seconds an item stays in workqueue before being requested",
	                "name,controller", queue_buckets, FX_COUNT(queue_buckets)),
	        .worked = histogram(m, "workqueue_work_duration_seconds",
	                "How long in seconds processing an item from workqueue takes.", "name,controller",
	                queue_buckets, FX_COUNT(queue_buckets)),
	};
	fx_metrics_on_collect(m, no_gauges, f, free);
	return f;
}

/* Mirrors the queue into the gauges before an exposition. */
static void collect(void *arg)
{
	struct fx_controller_metrics *m = arg;
	struct fx_queue_stats stats;
	fx_queue_stats(m->queue, &stats);
	const char *const *labels = FX_LABELS(m->name, m->name);
	fx_metric_set(m->families->depth, (double)stats.ready, FX_LABELS(m->name, m->name, "0"));
	fx_metric_set(m->families->adds, (double)stats.adds, labels);
	fx_metric_set(m->families->retries, (double)stats.retries, labels);
	fx_metric_set(m->families->unfinished, (double)stats.unfinished_ns / 1e9, labels);
	fx_metric_set(m->families->longest, (double)stats.oldest_processing_ns / 1e9, labels);
	fx_metric_set(m->families->active, (double)stats.processing, FX_LABELS(m->name));
}

static const char *const result_names[] = {
        [FX_OUTCOME_SUCCESS] = "success",
        [FX_OUTCOME_ERROR] = "error",
        [FX_OUTCOME_TERMINAL_ERROR] = "error",
        [FX_OUTCOME_REQUEUE] = "requeue",
        [FX_OUTCOME_REQUEUE_AFTER] = "requeue_after",
};

void fx_controller_metrics_init(struct fx_controller_metrics *m, struct fx_controller_families *families,
        const char *name, int workers, struct fx_queue *queue)
{
	*m = (struct fx_controller_metrics){.families = families, .name = name, .queue = queue};
	if (!families)
		return;
	for (size_t i = 0; i < FX_COUNT(result_names); i++)
		fx_metric_add(families->total, 0, FX_LABELS(name, result_names[i]));
	fx_metric_add(families->errors, 0, FX_LABELS(name));
	fx_metric_add(families->terminal, 0, FX_LABELS(name));
	fx_metric_add(families->panics, 0, FX_LABELS(name));
	fx_metric_add(families->timeouts, 0, FX_LABELS(name));
	fx_metric_set(families->max, workers, FX_LABELS(name));
	fx_metrics_on_collect(families->registry, collect, m, NULL);
}

void fx_controller_metrics_begin(struct fx_controller_metrics *m, int64_t waited_ns)
{
	if (m->families)
		fx_metric_observe(m->families->waited, (double)waited_ns / 1e9, FX_LABELS(m->name, m->name));
}

void fx_controller_metrics_end(
        struct fx_controller_metrics *m, int64_t took_ns, enum fx_reconcile_outcome outcome)
{
	if (!m->families)
		return;
	double took = (double)took_ns / 1e9;
	fx_metric_observe(m->families->worked, took, FX_LABELS(m->name, m->name));
	fx_metric_observe(m->families->time, took, FX_LABELS(m->name));
	fx_metric_add(m->families->total, 1, FX_LABELS(m->name, result_names[outcome]));
	if (outcome == FX_OUTCOME_ERROR || outcome == FX_OUTCOME_TERMINAL_ERROR)
		fx_metric_add(m->families->errors, 1, FX_LABELS(m->name));
	if (outcome == FX_OUTCOME_TERMINAL_ERROR)
		fx_metric_add(m->families->terminal, 1, FX_LABELS(m->name));
}

void fx_controller_metrics_object(struct fx_controller_metrics *m, const char *kind, const char *namespace_,
        const char *name, int64_t took_ns)
{
	if (m->families)
		fx_metric_observe(
		        m->families->object, (double)took_ns / 1e9, FX_LABELS(kind, name, namespace_));
}

void fx_controller_metrics_drop(
        struct fx_controller_metrics *m, const char *kind, const char *namespace_, const char *name)
{
	if (m->families)
		fx_metric_drop(m->families->object, FX_LABELS(kind, name, namespace_));
}
