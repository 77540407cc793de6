/* A certificate of its own for one run of the server. Pure. */
#ifndef FX_TEST_APISERVER_CERT_H
#define FX_TEST_APISERVER_CERT_H

#include "core/error.h"

/* Self-signed, for 127.0.0.1, ::1 and localhost, good for a day. Both texts are to be freed. */
int fx_as_cert_new(char **out_cert_pem, char **out_key_pem, struct fx_error *err) fx_must_use;

#endif
