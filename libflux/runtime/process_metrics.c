/* process_* metrics, as Prometheus' client libraries name them. */
#include "runtime/metrics.h"

#include <dirent.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

struct process_metrics {
	struct fx_metric *cpu, *resident, *virtual_bytes, *start, *open_fds, *max_fds;
};

static double count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	if (!dir)
		return 0;
	double n = -3; /* ".", ".." and the directory itself */
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void collect_memory(struct process_metrics *p)
{
	fx_cleanup(fx_auto_file) FILE *f = fopen("/proc/self/statm", "re");
	unsigned long size, resident;
	if (!f || fscanf(f, "%lu %lu", &size, &resident) != 2)
		return;
	double page = (double)sysconf(_SC_PAGESIZE);
	fx_metric_set(p->virtual_bytes, (double)size * page, NULL);
	fx_metric_set(p->resident, (double)resident * page, NULL);
}

static void collect(void *arg)
{
	struct process_metrics *p = arg;
	struct rusage usage;
	if (getrusage(RUSAGE_SELF, &usage) == 0)
		fx_metric_set(p->cpu,
		        (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
		                (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6,
		        NULL);
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		fx_metric_set(p->max_fds, (double)limit.rlim_cur, NULL);
	fx_metric_set(p->open_fds, count_fds(), NULL);
	collect_memory(p);
}

static struct fx_metric *add(
        struct fx_metrics *metrics, enum fx_metric_type type, const char *name, const char *help)
{
	return fx_metrics_register(
	        metrics, &(struct fx_metric_options){.type = type, .name = name, .help = help});
}

void fx_metrics_add_process(struct fx_metrics *metrics)
{
	struct process_metrics *p = calloc(1, sizeof(*p));
	if (!p)
		return;
	*p = (struct process_metrics){
	        .cpu = add(metrics, FX_METRIC_COUNTER, "process_cpu_seconds_total",
	                "Total user and system CPU time spent in seconds."),
	        .resident = add(metrics, FX_METRIC_GAUGE, "process_resident_memory_bytes",
	                "Resident memory size in bytes."),
	        .virtual_bytes = add(metrics, FX_METRIC_GAUGE, "process_virtual_memory_bytes",
	                "Virtual memory size in bytes."),
	        .start = add(metrics, FX_METRIC_GAUGE, "process_start_time_seconds",
	                "Start time of the process since unix epoch in seconds."),
	        .open_fds =
	                add(metrics, FX_METRIC_GAUGE, "process_open_fds", "Number of open file descriptors."),
	        .max_fds = add(metrics, FX_METRIC_GAUGE, "process_max_fds",
	                "Maximum number of open file descriptors."),
	};
	fx_metric_set(p->start, (double)time(NULL), NULL);
	fx_metrics_on_collect(metrics, collect, p, free);
}
