/*
 * meta.k8s.io/v1 Tables: the columns that `kubectl get` shows. Pure, but for the time of ages.
 */
#ifndef FX_TEST_APISERVER_TABLE_H
#define FX_TEST_APISERVER_TABLE_H

#include "kinds.h"

/* columnDefinitions of a kind; a new reference. */
json_t *fx_as_table_columns(const struct fx_as_resource *resource, const struct fx_as_version *version);

/* One row: {"cells":[..],"object":..}; include is None, Metadata (NULL too) or Object. A new reference. */
json_t *fx_as_table_row(const struct fx_as_resource *resource, const struct fx_as_version *version,
        const json_t *object, const char *include);

/* "5s", "3m12s", "2d3h": duration.HumanDuration of k8s.io/apimachinery. */
char *fx_as_human_duration(long long seconds, char out[32]);

#endif
