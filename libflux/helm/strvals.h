/*
 * Values of the user: files and the grammar of --set and its kin. Results live in the arena.
 * Source: pkg/strvals and pkg/cli/values of Helm 4.2.4.
 */
#ifndef FX_HELM_STRVALS_H
#define FX_HELM_STRVALS_H

#include "helm/value.h"

/* Highest index of a list, and dots in one key. */
#define FX_STRVALS_INDEX_MAX 65536
#define FX_STRVALS_NEST_MAX 30
/* `a[0][0]...`: Helm has no limit, the reader recurses. */
#define FX_STRVALS_LISTS_MAX 1000

enum fx_value_source_kind {
	FX_VALUES_FILE,
	FX_VALUES_JSON,
	FX_VALUES_SET,
	FX_VALUES_STRING,
	FX_VALUES_SET_FILE,
	FX_VALUES_LITERAL,
};

struct fx_value_source {
	enum fx_value_source_kind kind;
	const char *text;
};

/* All sources in Helm's order of their kinds. out: a map. */
int fx_values_read(struct fx_arena *arena, const struct fx_value_source *sources, size_t n,
        struct fx_val *out, struct fx_error *err) fx_must_use;

/* A value as toRawJson prints it. */
int fx_values_json(
        struct fx_arena *arena, struct fx_val value, struct fx_val *out, struct fx_error *err) fx_must_use;

#endif
