/*
 * conformance-eval KIND answers the line protocol of the conformance corpora: one JSON object
 * a line on stdin, one answer a line on stdout. Each kind is a function in a file of its own,
 * named in the table of main.c.
 */
#ifndef FX_TEST_CONFORMANCE_EVAL_H
#define FX_TEST_CONFORMANCE_EVAL_H

#include "core/error.h"

#include <jansson.h>

/* Answers one case (borrowed). *out: a new reference, the value of "out"; an
 * object becomes members of the answer. An error becomes "err". */
typedef int fx_eval_fn(const json_t *input, json_t **out, struct fx_error *err);

fx_eval_fn fx_eval_envsubst;
fx_eval_fn fx_eval_expr;
fx_eval_fn fx_eval_semver;
fx_eval_fn fx_eval_sourceignore;
fx_eval_fn fx_eval_strvals;

/* The string member, or "". */
const char *fx_eval_string(const json_t *input, const char *key);

#endif
