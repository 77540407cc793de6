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
	const char *mod_time; /* RFC 3339; NULL: not known */
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
	bool has_values;         /* there was a values.yaml: */
	const char *values_text; /* its text */
	size_t values_len;
	const char *schema; /* values.schema.json */
	size_t schema_len;
	const char *schema_mod_time, *mod_time; /* of the schema, of Chart.yaml */
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

/* The same from the bytes of an archive, which are not needed afterwards, and from files with paths below the
 * chart's folder, which must live as long as the chart. */
int fx_chart_load_archive(struct fx_arena *arena, const char *data, size_t len, struct fx_chart **out,
        struct fx_error *err) fx_must_use;
int fx_chart_load_files(struct fx_arena *arena, const struct fx_chart_file *files, size_t n,
        struct fx_chart **out, struct fx_error *err) fx_must_use;

struct fx_chart_options {
	const char *release, *ns;
	int revision;
	bool is_upgrade;
	const char *kube_version; /* NULL: v1.36.0 */
	const char *const *api_versions;
	size_t napi_versions;
	bool include_crds, no_hooks, skip_tests;
	bool sub_notes; /* the notes of children too */
	const char *const *show_only;
	size_t nshow_only;
	bool skip_schema;
	const struct fx_engine_options *engine;
};

struct fx_manifest {
	const char *path, *api_version, *kind, *name;
	struct fx_val text;
};

struct fx_hook {
	const char *name, *kind, *path;
	struct fx_val manifest;
	struct fx_val events; /* lists of texts, as do the policies */
	struct fx_val delete_policies, output_log_policies;
	int weight;
	/* Its last run, RFC 3339: NULL and "" before it. */
	const char *started_at, *completed_at, *phase;
};

struct fx_crd {
	const char *name; /* in its chart: "crds/x.yaml" */
	const char *path; /* "chart/charts/child/crds/x.yaml" */
	const char *data;
	size_t len;
};

/* A rendered release; manifests and hooks are in the order of installation. */
struct fx_rendered {
	struct fx_manifest *manifests;
	size_t nmanifests;
	struct fx_hook *hooks;
	size_t nhooks;
	struct fx_crd *crds; /* of all charts, also when they are not part of the manifest */
	size_t ncrds;
	struct fx_val notes, values;
	struct fx_val manifest; /* the text that the release record keeps */
};

/* True when the hook runs at this event ("pre-install", "test" ...). */
bool fx_hook_on(const struct fx_hook *hook, const char *event);
/* Position of a kind in the order of installation; unknown kinds share the last one. */
size_t fx_manifest_order(const char *kind);

/* Renders as an install or upgrade does. values: a map of the user's values (helm/strvals.h).
 * The chart is changed: its dependencies are processed. All of out is in the arena. */
int fx_chart_render(struct fx_arena *arena, struct fx_chart *chart, struct fx_val values,
        const struct fx_chart_options *options, struct fx_rendered *out, struct fx_error *err) fx_must_use;

/* What `helm template` prints. out is in the arena. */
int fx_chart_template(struct fx_arena *arena, struct fx_chart *chart, struct fx_val values,
        const struct fx_chart_options *options, struct fx_val *out, struct fx_error *err) fx_must_use;

/* Renders text as the partial of a chart named expr, without any other content. */
int fx_chart_eval(struct fx_arena *arena, const char *text, size_t len, const struct fx_node *values,
        struct fx_val *out, struct fx_error *err) fx_must_use;

#endif
