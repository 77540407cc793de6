/*
 * The artifact server: the storage as plain files over HTTP. GET and HEAD, one byte range,
 * If-Modified-Since, listings of folders; nothing can be written, and nothing outside the
 * storage is reachable. No authentication and no TLS, as in Flux: NetworkPolicies guard it.
 *
 * Source: source-controller reference, section 3.7.
 */
#ifndef FX_ARTIFACT_SERVER_H
#define FX_ARTIFACT_SERVER_H

#include "artifact/store.h"

struct fx_artifact_server;

/* Serves store (borrowed for the server's life) on address ("host:port", port 0: any). */
int fx_artifact_server_new(struct fx_store *store, const char *address, struct fx_artifact_server **out,
        struct fx_error *err) fx_must_use;

int fx_artifact_server_port(const struct fx_artifact_server *server);

/* Gives running answers five seconds. Accepts NULL. */
void fx_artifact_server_free(struct fx_artifact_server *server);

#endif
