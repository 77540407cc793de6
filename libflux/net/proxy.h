/*
 * Which proxy a request goes through: HTTP_PROXY, HTTPS_PROXY and NO_PROXY (and their
 * lower-case names), read as Go's httpproxy package does, so that a Deployment's environment
 * means the same as for upstream; and the proxy of a Secret.
 *
 * Rules: the proxy is that of the request's scheme. "localhost" and loopback addresses are
 * never proxied. NO_PROXY is a list of hosts with an optional port: "example.com" stands for
 * the host and all below, ".example.com" and "*.example.com" only for those below, an address
 * or a CIDR block for addresses, "*" for everything.
 */
#ifndef FX_NET_PROXY_H
#define FX_NET_PROXY_H

#include "core/error.h"

/* Characters of a proxy's address in a Secret (runtime reference, section 18). */
#define FX_PROXY_ADDRESS_MAX 2048

struct fx_proxy_env {
	char *http, *https, *no_proxy; /* owned; NULL when not set */
};

/* A copy of the environment; without memory a part of it is missing. */
void fx_proxy_env_load(struct fx_proxy_env *env);
void fx_proxy_env_release(struct fx_proxy_env *env);

/* The proxy's URL for this one, "" for none. Borrowed from env. */
const char *fx_proxy_env_for(const struct fx_proxy_env *env, const char *url);

/* Checks the address of a proxy Secret: http, https or socks5, with a host. The message holds
 * no credentials. */
int fx_proxy_check(const char *address, struct fx_error *err) fx_must_use;

#endif
