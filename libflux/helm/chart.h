/*
 * Charts: loading, values, dependencies and rendering as `helm template` of Helm 4.2.4 does it.
 * Everything lives in the arena that is handed in; nothing is shared between calls.
 *
 * Source: pkg/chart, pkg/action and pkg/engine of Helm 4.2.4.
 */
#ifndef FX_HELM_CHART_H
#define FX_HELM_CHART_H

#include "helm/engine.h"

/* Bytes of one file, and of all files of an archive. */
#define FX_CHART_FILE_MAX (5u * 1024 * 1024)
#define FX_CHART_TOTAL_MAX (100u * 1024 * 1024)
/* Charts inside charts: an archive in an archive and so on. */
#define FX_CHART_DEPTH_MAX 20

struct fx_chart_file {
	const char *name;
	const char *data;
	size_t len;
};

struct fx_chart_files {
	struct fx_chart_file *items;
	size_t len, cap;
};

struct fx_chart {
	struct fx_val meta; /* Chart.yaml: the known keys, with the types they have in Helm */
	struct fx_val lock; /* Chart.lock; nil without one */
	const char *name;
	struct fx_val values;
	const char *schema; /* values.schema.json */
	size_t schema_len;
	struct fx_chart_files templates, files;
	struct fx_val deps; /* list of maps; nil without the key */
	struct fx_chart **children;
	size_t nchildren;
	struct fx_chart *parent;
	bool library;
};

/* Reads a directory or an archive into arena. */
int fx_chart_load(
        struct fx_arena *arena, const char *path, struct fx_chart **out, struct fx_error *err) fx_must_use;

struct fx_chart_options {
	const char *release, *ns;
	int revision;
	bool is_upgrade;
	const char *kube_version; /* NULL: v1.36.0 */
	const char *const *api_versions;
	size_t napi_versions;
	bool include_crds, no_hooks, skip_tests;
	const char *const *show_only;
	size_t nshow_only;
	bool skip_schema;
	const struct fx_engine_options *engine;
};

/* What `helm template` prints. values: a map of the user's values (helm/strvals.h).
 * out is in the arena. */
int fx_chart_template(struct fx_arena *arena, struct fx_chart *chart, struct fx_val values,
        const struct fx_chart_options *options, struct fx_val *out, struct fx_error *err) fx_must_use;

/* Renders text as the partial of a chart named expr, without any other content. */
int fx_chart_eval(struct fx_arena *arena, const char *text, size_t len, const struct fx_node *values,
        struct fx_val *out, struct fx_error *err) fx_must_use;

#endif
