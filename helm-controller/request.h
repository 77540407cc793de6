/* The flags that the commands on charts share: those of `helm template`. */
#ifndef HELM_CONTROLLER_REQUEST_H
#define HELM_CONTROLLER_REQUEST_H

#include "helm/chart.h"
#include "helm/strvals.h"

/* Flags that may be given more than once, each. */
#define FX_REPEATS_MAX 256

struct fx_strings {
	const char *items[FX_REPEATS_MAX];
	size_t len;
};

/* What the flags of template and lint say. */
struct fx_chart_request {
	struct fx_strings show, apis;
	struct fx_value_source sources[FX_REPEATS_MAX];
	size_t nsources;
	struct fx_chart_options options;
	const char *name_template;
	const char *path; /* of the chart */
};

/* Reads flags and arguments ([NAME] CHART). All texts live in arena or argv. Unknown flags are reported on
 * stderr by getopt: -FX_E_INVALID without a message then. */
int fx_chart_request_parse(struct fx_arena *arena, int argc, char **argv, struct fx_chart_request *out,
        struct fx_error *err) fx_must_use;

/* Reads the values, then the chart, in the order in which Helm finds fault with them. */
int fx_chart_request_load(struct fx_arena *arena, const struct fx_chart_request *r, struct fx_chart **chart,
        struct fx_val *values, struct fx_error *err) fx_must_use;

#endif
