/*
 * Feature gates: `--feature-gates=A=true,B=false` against the table of a controller.
 * Written once at start, read from any thread after.
 *
 * Source: runtime reference, section 14.
 */
#ifndef FX_RUNTIME_GATES_H
#define FX_RUNTIME_GATES_H

#include "core/error.h"

struct fx_gate {
	const char *name; /* NULL ends a table */
	bool enabled;     /* the default, then the value */
	bool given;       /* named on the command line */
};

/* Sets the gates named in text (NULL or "": none). Error: a gate that is not in the table. */
int fx_gates_parse(struct fx_gate *gates, const char *text, struct fx_error *err) fx_must_use;

/* False for an unknown name. */
bool fx_gate_enabled(const struct fx_gate *gates, const char *name);

#endif
