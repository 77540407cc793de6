/*
 * TLS material: what the system trusts. Usable from any thread.
 */
#ifndef FX_NET_TLS_H
#define FX_NET_TLS_H

#include "core/error.h"

/* The largest set of trusted certificates that is read. */
#define FX_TLS_TRUST_MAX (4 * 1024 * 1024)

/* The certificates that the system trusts followed by ca_pem, as one PEM text. Owned by the caller. */
int fx_tls_system_and(const char *ca_pem, char **out, struct fx_error *err) fx_must_use;

#endif
