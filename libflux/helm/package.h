/*
 * Chart archives as `helm package` and source-controller's HelmChart write them: the same chart and options
 * give the same bytes, everywhere and always.
 *
 * Source: pkg/chart/v2/util of Helm 4.2.4.
 */
#ifndef FX_HELM_PACKAGE_H
#define FX_HELM_PACKAGE_H

#include "core/buf.h"
#include "helm/chart.h"

struct fx_chart_package_options {
	const char *version, *app_version; /* NULL: those of the chart */
	struct fx_val values;              /* a map that becomes values.yaml; nil: values.yaml as it is */
	int64_t mod_time;                  /* of every entry, seconds since 1970 */
};

/* Appends the archive to out. The chart must be as it was loaded, without any rendering in between. */
int fx_chart_package(const struct fx_chart *chart, const struct fx_chart_package_options *options,
        struct fx_buf *out, struct fx_error *err) fx_must_use;

/* "NAME-VERSION.tgz"; NULL without memory. */
const char *fx_chart_package_name(
        struct fx_arena *arena, const struct fx_chart *chart, const struct fx_chart_package_options *options);

#endif
