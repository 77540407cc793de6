/*
 * Types of YAML scalars as Go's YAML libraries see them, and Go's texts for numbers.
 * Pure functions, usable from any thread.
 *
 * Source: go-yaml v3 and v2 (resolve.go), as used by kustomize 5.8 and Helm.
 */
#ifndef FX_DATA_SCALAR_H
#define FX_DATA_SCALAR_H

#include "core/error.h"
#include "data/node.h"

/* YAML 1.2-like types of go-yaml v3, or YAML 1.1 types of go-yaml v2 (yes/no booleans). */
enum fx_yaml_dialect {
	FX_YAML_V3,
	FX_YAML_V2,
};

struct fx_scalar {
	enum fx_tag tag;  /* STR, INT, FLOAT, BOOL, NULL, TIME, MERGE */
	bool is_unsigned; /* INT: beyond int64, the value is in u */
	union {
		bool b;
		int64_t i;
		uint64_t u;
		double f;
	};
};

/* Type and value of a plain scalar without a tag. */
struct fx_scalar fx_scalar_resolve(enum fx_yaml_dialect dialect, const char *text, size_t len);

/* The type alone. */
enum fx_tag fx_scalar_tag(enum fx_yaml_dialect dialect, const char *text, size_t len);

/* Value of a scalar node after its trip through go-yaml v3's encoder and decoder, which
 * is what the node means: quoted text is a string whatever its tag, a tag must agree with the
 * text. FX_E_INVALID: "yaml: cannot decode !!str `x` as a !!int".
 * in_flow: the node stands inside a flow collection. */
int fx_scalar_value(
        const struct fx_node *node, bool in_flow, struct fx_scalar *out, struct fx_error *err) fx_must_use;

/* Room for every number text below. */
#define FX_NUMBER_TEXT 40

/* encoding/json's text of a double (must be finite). Returns its length. */
size_t fx_double_json(double value, char out[FX_NUMBER_TEXT]);
/* strconv.FormatFloat(value, 'g', -1, 64): what YAML output and %v show. */
size_t fx_double_g(double value, char out[FX_NUMBER_TEXT]);
/* strconv.FormatFloat(value, 'f', -1, 64); out must hold 400 bytes. */
size_t fx_double_f(double value, char *out);

/* RFC 3339 text with nanoseconds trimmed of a YAML timestamp; NULL-terminated in out (40 bytes).
 * False when text is no timestamp. */
bool fx_scalar_time(const char *text, size_t len, char out[FX_NUMBER_TEXT]);

/* True for YAML 1.1 base 60 numbers, which are quoted on output. */
bool fx_scalar_is_base60(const char *text, size_t len);

#endif
