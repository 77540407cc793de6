/*
 * Metrics of a process in Prometheus' text form. A registry holds families, a family one
 * series for each set of label values. Thread safe.
 *
 * Names, labels and buckets: runtime reference, section 8.
 */
#ifndef FX_RUNTIME_METRICS_H
#define FX_RUNTIME_METRICS_H

#include "core/buf.h"
#include "core/error.h"

#include <stdint.h>

/* Labels of one family, and series of one family: above, new series are not recorded (a
 * guard against unbounded label values). */
#define FX_METRIC_LABELS_MAX 8
#define FX_METRIC_SERIES_MAX 100000

struct fx_metrics;
struct fx_metric;

/* NULL without memory. */
struct fx_metrics *fx_metrics_new(void);
void fx_metrics_free(struct fx_metrics *metrics);
FX_DEFINE_AUTO(metrics, struct fx_metrics, fx_metrics_free)

enum fx_metric_type { FX_METRIC_COUNTER, FX_METRIC_GAUGE, FX_METRIC_HISTOGRAM };

struct fx_metric_options {
	enum fx_metric_type type;
	const char *name;
	const char *help;
	const char *labels;    /* names, comma separated: "kind,name,namespace"; NULL: none */
	const double *buckets; /* upper bounds of a histogram, ascending, without +Inf; static */
	size_t bucket_count;
};

/* Registers a family (strings must be static); owned by the registry, valid for its life.
 * NULL without memory; every function below accepts NULL and does nothing. */
struct fx_metric *fx_metrics_register(struct fx_metrics *metrics, const struct fx_metric_options *options);

/* Label values in the order of the names, as many as there are names; NULL when there are none. */
void fx_metric_add(struct fx_metric *metric, double value, const char *const *values);
void fx_metric_set(struct fx_metric *metric, double value, const char *const *values);
void fx_metric_observe(struct fx_metric *metric, double value, const char *const *values);
/* Removes a series. */
void fx_metric_drop(struct fx_metric *metric, const char *const *values);

/* Value list for the calls above: FX_LABELS("Kustomization", name, ns). */
#define FX_LABELS(...) ((const char *const[]){__VA_ARGS__})

/* Called before each exposition, to set gauges that mirror other state. At most 16 of them.
 * free_arg: called with arg when the registry goes; may be NULL. */
void fx_metrics_on_collect(
        struct fx_metrics *metrics, void (*fn)(void *arg), void *arg, void (*free_arg)(void *));

/* Appends all families, sorted by name, with HELP and TYPE lines. */
void fx_metrics_write(struct fx_metrics *metrics, struct fx_buf *out);

/* Registers process_* (CPU, memory, descriptors, start time), read from /proc at exposition. */
void fx_metrics_add_process(struct fx_metrics *metrics);

#endif
