/*
 * Renders a chart in one process, as a controller does: `bench-helm CHART [RENDERS [THREADS]]`. Prints the
 * milliseconds of loading it, of its first render, of each later one (templates parsed), and the bytes
 * that they take.
 */
#include "core/clock.h"
#include "helm/chart.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define THREADS_MAX 64

struct job {
	const char *path;
	struct fx_templates *templates;
	int renders;
	double load_ms, first_ms, later_ms;
	size_t load_bytes, render_bytes;
	int rc;
};

static double now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int render_once(struct job *job, double *load_ms, double *render_ms)
{
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(FX_RENDER_ARENA_MAX);
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct fx_engine_options engine = {.templates = job->templates};
	struct fx_chart_options options = {.release = "rel", .ns = "ns", .revision = 1, .engine = &engine};
	struct fx_chart *chart;
	struct fx_val out;
	double start = now_ms();
	int rc = arena ? fx_chart_load(arena, job->path, &chart, &err) : fx_fail_nomem(&err);
	double loaded = now_ms();
	size_t bytes = rc == 0 ? fx_arena_used(arena) : 0;
	if (rc == 0)
		rc = fx_chart_template(arena, chart, (struct fx_val){0}, &options, &out, &err);
	*load_ms = loaded - start;
	*render_ms = now_ms() - loaded;
	job->load_bytes = bytes;
	job->render_bytes = rc == 0 ? fx_arena_used(arena) - bytes : 0;
	if (rc != 0)
		fprintf(stderr, "bench-helm: %s\n", fx_error_message(&err));
	return rc;
}

static void *work(void *arg)
{
	struct job *job = arg;
	double load, render, sum = 0;
	job->rc = render_once(job, &job->load_ms, &job->first_ms);
	for (int i = 0; i < job->renders && job->rc == 0; i++) {
		job->rc = render_once(job, &load, &render);
		sum += render;
		job->load_ms = load < job->load_ms ? load : job->load_ms;
	}
	job->later_ms = job->renders ? sum / job->renders : 0;
	return NULL;
}

int main(int argc, char **argv)
{
	int renders = argc > 2 ? atoi(argv[2]) : 100, threads = argc > 3 ? atoi(argv[3]) : 1;
	if (argc < 2 || renders < 1 || threads < 1 || threads > THREADS_MAX) {
		fprintf(stderr, "usage: bench-helm CHART [RENDERS [THREADS]]\n");
		return 2;
	}
	struct fx_templates *templates = fx_templates_new();
	struct job jobs[THREADS_MAX];
	pthread_t ids[THREADS_MAX];
	double start = now_ms();
	for (int i = 0; i < threads; i++) {
		jobs[i] = (struct job){.path = argv[1], .templates = templates, .renders = renders};
		if (pthread_create(&ids[i], NULL, work, &jobs[i]) != 0)
			abort();
	}
	int rc = 0;
	for (int i = 0; i < threads; i++) {
		pthread_join(ids[i], NULL);
		rc = rc ? rc : jobs[i].rc;
	}
	fx_templates_unref(templates);
	if (rc != 0)
		return 1;
	printf("load %.2f ms (%zu KB), first render %.2f ms, later %.3f ms (%zu KB), all %.0f ms\n",
	        jobs[0].load_ms, jobs[0].load_bytes / 1024, jobs[0].first_ms, jobs[0].later_ms,
	        jobs[0].render_bytes / 1024, now_ms() - start);
	return 0;
}
