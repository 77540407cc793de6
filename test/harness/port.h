/* Free ports for servers of a test. */
#ifndef FX_TEST_PORT_H
#define FX_TEST_PORT_H

#include "core/error.h"

/* A port of 127.0.0.1 that nobody listens on at this moment. */
int fx_test_free_port(int *out, struct fx_error *err) fx_must_use;

#endif
