/*
 * HTTP in front of the API: who asks, what for, and the answer. Handlers run on the server's threads.
 */
#ifndef FX_TEST_APISERVER_HTTP_H
#define FX_TEST_APISERVER_HTTP_H

#include "net/server.h"
#include "state.h"

/* The handler of fx_server_options; arg is the struct fx_as. */
void fx_as_http_handle(void *arg, struct fx_server_request *request);

#endif
