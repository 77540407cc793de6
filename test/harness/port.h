/* Free ports for servers of a test. */
#ifndef FX_TEST_PORT_H
#define FX_TEST_PORT_H

#include "core/error.h"

/*
 * A port of 127.0.0.1 that nobody listens on, that no other test program of this machine is given while this
 * process lives, and that no outgoing connection takes by chance. It is for servers that are told their port;
 * those that can report it listen on port 0.
 */
int fx_test_free_port(int *out, struct fx_error *err) fx_must_use;

#endif
