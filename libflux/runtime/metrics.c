#include "runtime/metrics.h"

#include "core/map.h"
#include "core/vec.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

#define COLLECTORS_MAX 16

struct series {
	char *labels;       /* `a="x",b="y"`, escaped */
	double value;       /* sum of a histogram */
	uint64_t count;     /* of a histogram */
	uint64_t buckets[]; /* not cumulative */
};

struct fx_metric {
	struct fx_metrics *registry;
	struct fx_metric_options options;
	struct fx_map series;
};

struct collector {
	void (*fn)(void *arg);
	void *arg;
	void (*free_arg)(void *);
};

struct fx_metrics {
	pthread_mutex_t lock;
	FX_VEC(struct fx_metric *) families;
	struct collector collectors[COLLECTORS_MAX];
	size_t collector_count;
};

struct fx_metrics *fx_metrics_new(void)
{
	struct fx_metrics *m = calloc(1, sizeof(*m));
	if (m)
		pthread_mutex_init(&m->lock, NULL);
	return m;
}

static void free_series(void *p)
{
	struct series *s = p;
	free(s->labels);
	free(s);
}

void fx_metrics_free(struct fx_metrics *metrics)
{
	if (!metrics)
		return;
	for (size_t i = 0; i < metrics->families.len; i++) {
		fx_map_release(&metrics->families.items[i]->series);
		free(metrics->families.items[i]);
	}
	fx_vec_release(&metrics->families);
	for (size_t i = 0; i < metrics->collector_count; i++) {
		if (metrics->collectors[i].free_arg)
			metrics->collectors[i].free_arg(metrics->collectors[i].arg);
	}
	pthread_mutex_destroy(&metrics->lock);
	free(metrics);
}

struct fx_metric *fx_metrics_register(struct fx_metrics *metrics, const struct fx_metric_options *options)
{
	struct fx_metric *m = calloc(1, sizeof(*m));
	if (!m)
		return NULL;
	m->registry = metrics;
	m->options = *options;
	m->series.free_value = free_series;
	pthread_mutex_lock(&metrics->lock);
	bool ok = fx_vec_push(&metrics->families, m);
	pthread_mutex_unlock(&metrics->lock);
	if (!ok) {
		free(m);
		return NULL;
	}
	return m;
}

static void add_escaped(struct fx_buf *out, const char *value)
{
	for (; *value; value++) {
		if (*value == '\\' || *value == '"')
			fx_buf_add_char(out, '\\');
		if (*value == '\n')
			fx_buf_add_str(out, "\\n");
		else
			fx_buf_add_char(out, *value);
	}
}

static void format_labels(const struct fx_metric *m, const char *const *values, struct fx_buf *out)
{
	const char *name = m->options.labels;
	for (size_t i = 0; name && *name; i++) {
		size_t len = strcspn(name, ",");
		if (i)
			fx_buf_add_char(out, ',');
		fx_buf_add(out, name, len);
		fx_buf_add_str(out, "=\"");
		add_escaped(out, values && values[i] ? values[i] : "");
		fx_buf_add_char(out, '"');
		name += len + (name[len] == ',');
	}
}

/* The series of these labels, made when missing. Called with the lock held. */
static struct series *series_of(struct fx_metric *m, const char *const *values)
{
	fx_auto(buf) struct fx_buf labels = FX_BUF_INIT;
	format_labels(m, values, &labels);
	if (fx_buf_failed(&labels))
		return NULL;
	struct series *s = fx_map_get(&m->series, fx_buf_str(&labels));
	if (s || m->series.len >= FX_METRIC_SERIES_MAX)
		return s;
	s = calloc(1, sizeof(*s) + m->options.bucket_count * sizeof(s->buckets[0]));
	if (!s)
		return NULL;
	s->labels = fx_buf_take(&labels, NULL);
	if (!s->labels || !fx_map_set(&m->series, s->labels, s)) {
		free_series(s);
		return NULL;
	}
	return s;
}

void fx_metric_add(struct fx_metric *metric, double value, const char *const *values)
{
	if (!metric)
		return;
	pthread_mutex_lock(&metric->registry->lock);
	struct series *s = series_of(metric, values);
	if (s)
		s->value += value;
	pthread_mutex_unlock(&metric->registry->lock);
}

void fx_metric_set(struct fx_metric *metric, double value, const char *const *values)
{
	if (!metric)
		return;
	pthread_mutex_lock(&metric->registry->lock);
	struct series *s = series_of(metric, values);
	if (s)
		s->value = value;
	pthread_mutex_unlock(&metric->registry->lock);
}

void fx_metric_observe(struct fx_metric *metric, double value, const char *const *values)
{
	if (!metric)
		return;
	pthread_mutex_lock(&metric->registry->lock);
	struct series *s = series_of(metric, values);
	if (s) {
		s->value += value;
		s->count++;
		for (size_t i = 0; i < metric->options.bucket_count; i++) {
			if (value <= metric->options.buckets[i]) {
				s->buckets[i]++;
				break;
			}
		}
	}
	pthread_mutex_unlock(&metric->registry->lock);
}

void fx_metric_drop(struct fx_metric *metric, const char *const *values)
{
	if (!metric)
		return;
	fx_auto(buf) struct fx_buf labels = FX_BUF_INIT;
	format_labels(metric, values, &labels);
	pthread_mutex_lock(&metric->registry->lock);
	fx_map_del(&metric->series, fx_buf_str(&labels));
	pthread_mutex_unlock(&metric->registry->lock);
}

void fx_metrics_on_collect(
        struct fx_metrics *metrics, void (*fn)(void *arg), void *arg, void (*free_arg)(void *))
{
	pthread_mutex_lock(&metrics->lock);
	if (metrics->collector_count < COLLECTORS_MAX)
		metrics->collectors[metrics->collector_count++] = (struct collector){fn, arg, free_arg};
	pthread_mutex_unlock(&metrics->lock);
}

static void add_number(struct fx_buf *out, double value)
{
	if (isinf(value))
		fx_buf_add_str(out, value > 0 ? "+Inf" : "-Inf");
	else if (value == floor(value) && fabs(value) < 1e15)
		fx_buf_addf(out, "%.0f", value);
	else {
		/* The shortest text that reads back as the same number. */
		char text[32];
		for (int precision = 6; precision <= 17; precision++) {
			snprintf(text, sizeof(text), "%.*g", precision, value);
			if (strtod(text, NULL) == value)
				break;
		}
		fx_buf_add_str(out, text);
	}
}

static void write_sample(
        struct fx_buf *out, const char *name, const char *suffix, const char *labels, double value)
{
	fx_buf_addf(out, "%s%s", name, suffix);
	if (*labels)
		fx_buf_addf(out, "{%s}", labels);
	fx_buf_add_char(out, ' ');
	add_number(out, value);
	fx_buf_add_char(out, '\n');
}

static void write_bucket(
        struct fx_buf *out, const char *name, const char *labels, double bound, uint64_t count)
{
	fx_buf_addf(out, "%s_bucket{%s%sle=\"", name, labels, *labels ? "," : "");
	add_number(out, bound);
	fx_buf_addf(out, "\"} %llu\n", (unsigned long long)count);
}

static void write_series(struct fx_buf *out, const struct fx_metric *m, const struct series *s)
{
	const char *name = m->options.name;
	if (m->options.type != FX_METRIC_HISTOGRAM) {
		write_sample(out, name, "", s->labels, s->value);
		return;
	}
	uint64_t below = 0;
	for (size_t i = 0; i < m->options.bucket_count; i++) {
		below += s->buckets[i];
		write_bucket(out, name, s->labels, m->options.buckets[i], below);
	}
	write_bucket(out, name, s->labels, INFINITY, s->count);
	write_sample(out, name, "_sum", s->labels, s->value);
	write_sample(out, name, "_count", s->labels, (double)s->count);
}

static int by_labels(const void *a, const void *b)
{
	return strcmp((*(struct series *const *)a)->labels, (*(struct series *const *)b)->labels);
}

static void write_family(struct fx_buf *out, const struct fx_metric *m)
{
	static const char *const types[] = {"counter", "gauge", "histogram"};
	if (!m->series.len)
		return;
	struct series **sorted = malloc(m->series.len * sizeof(struct series *));
	if (!sorted)
		return;
	size_t n = 0;
	for (struct fx_map_slot *s = NULL; (s = fx_map_next(&m->series, s));)
		sorted[n++] = s->value;
	qsort(sorted, n, sizeof(struct series *), by_labels);
	fx_buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", m->options.name, m->options.help, m->options.name,
	        types[m->options.type]);
	for (size_t i = 0; i < n; i++)
		write_series(out, m, sorted[i]);
	free(sorted);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(
	        (*(struct fx_metric *const *)a)->options.name, (*(struct fx_metric *const *)b)->options.name);
}

void fx_metrics_write(struct fx_metrics *metrics, struct fx_buf *out)
{
	/* Collectors set gauges, which takes the lock: run them before it is held. One may be added
	 * meanwhile; those that are there stay where they are. */
	pthread_mutex_lock(&metrics->lock);
	size_t count = metrics->collector_count;
	pthread_mutex_unlock(&metrics->lock);
	for (size_t i = 0; i < count; i++)
		metrics->collectors[i].fn(metrics->collectors[i].arg);
	pthread_mutex_lock(&metrics->lock);
	if (metrics->families.len)
		qsort(metrics->families.items, metrics->families.len, sizeof(struct fx_metric *), by_name);
	for (size_t i = 0; i < metrics->families.len; i++)
		write_family(out, metrics->families.items[i]);
	pthread_mutex_unlock(&metrics->lock);
}
