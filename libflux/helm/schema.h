/*
 * JSON schemas of values: drafts 4, 6, 7, 2019-09 and 2020-12, with the texts that Helm prints.
 * References stay inside the chart and the known metaschemas: nothing is fetched.
 *
 * Source: pkg/chart/common/util of Helm 4.2.4 and santhosh-tekuri/jsonschema 6.0.2. Where those
 * take the order of a hash map, the order here is that of the keys.
 */
#ifndef FX_HELM_SCHEMA_H
#define FX_HELM_SCHEMA_H

#include "helm/value.h"

/* Schemas asked in one check: what stops a schema whose branches multiply. */
#define FX_SCHEMA_STEPS_MAX 5000000u
/* Schemas asked inside one another: each takes C stack. */
#define FX_SCHEMA_DEPTH_MAX 2000u
/* Subschemas of one schema. */
#define FX_SCHEMA_NODES_MAX 200000u
/* Anchors and ids of one schema. */
#define FX_SCHEMA_NAMES_MAX 10000u

/* Checks values (a map) against the text of values.schema.json. NULL: they meet it. Otherwise the
 * report: a line for each failure, or why the schema cannot be used. Throws for a limit. */
const char *fx_schema_check(struct fx_render *x, const char *schema, size_t len, struct fx_val values);

/* The same for any value, given as JSON text: what test suites ask. */
const char *fx_schema_check_json(
        struct fx_render *x, const char *schema, size_t len, const char *value, size_t value_len);

#endif
