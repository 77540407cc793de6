/* What the files about charts share. Private to helm/. */
#ifndef FX_HELM_CHART_INTERNAL_H
#define FX_HELM_CHART_INTERNAL_H

#include "chart.h"
#include "funcs.h"

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
/* A text of Chart.yaml, "" when it is not there. */
const char *fx_chart_meta_text(struct fx_render *x, const struct fx_chart *c, const char *key);

/* A stream of YAML maps, merged. Throws. */
struct fx_val fx_chart_parse_values(struct fx_render *x, const char *what, const char *text, size_t len);
/* Type and missing dependencies, as the command line checks them. Throws. */
void fx_chart_check(struct fx_render *x, struct fx_chart *c);
/* Conditions, tags, aliases, import-values: changes the chart. Throws. */
void fx_chart_process_deps(struct fx_render *x, struct fx_chart *c, struct fx_val user);
/* Chart defaults under the values of the user; v is changed and given back. */
struct fx_val fx_chart_coalesce(struct fx_render *x, struct fx_chart *c, struct fx_val v, bool merge);

#endif
