/*
 * The measuring part of the benchmarks that a script cannot do itself.
 *
 * bench time RUNS PROGRAM ARG...  runs a program, output dropped: best and mean wall milliseconds, and its
 * peak resident KB (of this small process none is counted with it). bench build RUNS DIR            builds a
 * kustomization in this process, RUNS times, then with two threads the same number each: milliseconds per
 * build, and the ratio of the wall times.
 */
#include "core/clock.h"
#include "kustomize/kustomize.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static double now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int spawn(char **argv, double *out_ms, long *out_kb)
{
	struct rusage usage;
	int status;
	double start = now_ms();
	pid_t pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		execv(argv[0], argv);
		_exit(127);
	}
	if (pid < 0 || wait4(pid, &status, 0, &usage) < 0)
		return -1;
	*out_ms = now_ms() - start;
	*out_kb = usage.ru_maxrss;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int time_program(int runs, char **argv)
{
	double best = 0, sum = 0;
	long peak = 0;
	for (int i = 0; i < runs; i++) {
		double ms;
		long kb;
		int status = spawn(argv, &ms, &kb);
		if (status != 0) {
			fprintf(stderr, "bench: %s ended with status %d\n", argv[0], status);
			return 1;
		}
		best = i == 0 || ms < best ? ms : best;
		peak = kb > peak ? kb : peak;
		sum += ms;
	}
	printf("{\"best_ms\": %.3f, \"mean_ms\": %.3f, \"peak_kb\": %ld}\n", best, sum / runs, peak);
	return 0;
}

struct job {
	const struct fx_fs *fs;
	const char *dir;
	int runs;
	double best_ms; /* of one build */
	bool failed;
};

static void *build(void *arg)
{
	struct job *job = arg;
	for (int i = 0; i < job->runs && !job->failed; i++) {
		double start = now_ms();
		fx_auto(arena) struct fx_arena *arena = fx_arena_new(0);
		fx_auto(buf) struct fx_buf text = FX_BUF_INIT;
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		struct fx_node *resources;
		if (fx_kustomize_build(job->fs, job->dir, NULL, arena, &resources, &err) < 0 ||
		        fx_kustomize_print(resources, &text, &err) < 0) {
			fprintf(stderr, "bench: %s\n", fx_error_message(&err));
			job->failed = true;
		}
		double ms = now_ms() - start;
		job->best_ms = i == 0 || ms < job->best_ms ? ms : job->best_ms;
	}
	return NULL;
}

static int time_builds(int runs, const char *dir)
{
	fx_auto(fs) struct fx_fs *fs = NULL;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	char path[PATH_MAX];
	if (!realpath(dir, path) || fx_fs_new_disk("/", &fs, &err) < 0) {
		fprintf(stderr, "bench: cannot read %s\n", dir);
		return 1;
	}
	struct job jobs[2] = {{fs, path, runs, 0, false}, {fs, path, runs, 0, false}};
	pthread_t threads[2];
	double start = now_ms();
	build(&jobs[0]);
	double one = now_ms() - start;
	start = now_ms();
	for (int i = 0; i < 2; i++)
		if (pthread_create(&threads[i], NULL, build, &jobs[i]) != 0)
			return 1;
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	double two = now_ms() - start;
	if (jobs[0].failed || jobs[1].failed)
		return 1;
	printf("{\"build_ms\": %.3f, \"two_threads_ratio\": %.2f}\n", jobs[0].best_ms, two / one);
	return 0;
}

int main(int argc, char **argv)
{
	int runs = argc > 3 ? atoi(argv[2]) : 0;
	if (runs > 0 && strcmp(argv[1], "time") == 0)
		return time_program(runs, argv + 3);
	if (runs > 0 && strcmp(argv[1], "build") == 0)
		return time_builds(runs, argv[3]);
	fprintf(stderr, "usage: bench time RUNS PROGRAM ARG... | bench build RUNS DIR\n");
	return 2;
}
