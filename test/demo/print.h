/* What the demo shows: coloured on a terminal, plain in a pipe. Main thread only. */
#ifndef FX_DEMO_PRINT_H
#define FX_DEMO_PRINT_H

#include "core/cleanup.h"

#include <stdint.h>

/* A numbered headline. */
void demo_step(const char *fmt, ...) fx_printf(1, 2);
/* What is done, what came of it, and what went wrong. */
void demo_do(const char *fmt, ...) fx_printf(1, 2);
void demo_ok(const char *fmt, ...) fx_printf(1, 2);
void demo_bad(const char *fmt, ...) fx_printf(1, 2);
/* Indented text: a diff, an error. */
void demo_quote(const char *text);

#endif
