/* What the files about charts share. Private to helm/. */
#ifndef FX_HELM_CHART_INTERNAL_H
#define FX_HELM_CHART_INTERNAL_H

#include "chart.h"
#include "funcs.h"

struct fx_chart_texts {
	struct fx_named_text *items;
	size_t len, cap;
};

/* Collects the templates of c and its children; the root value of c. */
struct fx_val fx_chart_walk(struct fx_render *x, struct fx_chart *c, struct fx_val values,
        struct fx_val release, struct fx_val caps, struct fx_chart_texts *out);

/* ---- chart_manifest.c ---- */

bool fx_chart_blank(struct fx_val s);
struct fx_val fx_chart_trim_left(struct fx_val s);
/* Pieces of a file: separators are `---` and blanks at the start of any line. */
struct fx_val fx_chart_split(struct fx_render *x, struct fx_val text);
/* Splits the files, which are in the order of their names, and sorts the pieces. Throws. */
void fx_chart_sort(struct fx_render *x, const struct fx_chart_file *files, size_t n, struct fx_rendered *out);

/* ---- chart_print.c ---- */

struct fx_val fx_rendered_manifest(struct fx_render *x, const struct fx_rendered *r, bool crds);
struct fx_val fx_rendered_print(
        struct fx_render *x, const struct fx_rendered *r, const struct fx_chart_options *o);

/* "parent/charts/name" */
const char *fx_chart_path(struct fx_render *x, const struct fx_chart *c);
struct fx_val fx_chart_capabilities(struct fx_render *x, const struct fx_chart_options *o);
struct fx_val fx_chart_release(struct fx_render *x, const struct fx_chart_options *o);
/* False also for a constraint or version that cannot be read. */
bool fx_chart_version_ok(struct fx_render *x, struct fx_val constraint, struct fx_val version);
/* ---- chart_meta.c: all throw ---- */

/* Decodes Chart.yaml, or requirements.yaml over it, into meta and deps. */
void fx_chart_read_meta(struct fx_render *x, struct fx_chart *c, const char *file, struct fx_val text);
void fx_chart_read_lock(struct fx_render *x, struct fx_chart *c, const char *file, struct fx_val text);
void fx_chart_validate(struct fx_render *x, struct fx_chart *c);
/* The first document; integers and floats stay apart. False: *why not. */
bool fx_chart_parse_yaml(struct fx_render *x, struct fx_val text, struct fx_val *out, const char **why);
/* encoding/json's word for the type of a value. */
const char *fx_chart_json_name(struct fx_val v);
/* A scalar of YAML where Go has a string. */
struct fx_val fx_chart_scalar_text(struct fx_render *x, struct fx_val v);
/* A text of Chart.yaml, "" when it is not there. */
const char *fx_chart_meta_text(struct fx_render *x, const struct fx_chart *c, const char *key);

/* A stream of YAML maps, merged. Throws with prefix in front. */
struct fx_val fx_chart_parse_values(struct fx_render *x, const char *prefix, const char *text, size_t len);
/* Type and missing dependencies, as the command line checks them. Throws. */
void fx_chart_check(struct fx_render *x, struct fx_chart *c);
/* Conditions, tags, aliases, import-values: changes the chart. Throws. */
void fx_chart_process_deps(struct fx_render *x, struct fx_chart *c, struct fx_val user);
/* Chart defaults under the values of the user; v is changed and given back. */
struct fx_val fx_chart_coalesce(struct fx_render *x, struct fx_chart *c, struct fx_val v, bool merge);

#endif
