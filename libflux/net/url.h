/*
 * URLs: parts, resolution of references, redaction for messages. Pure functions, usable from
 * any thread. Parsing is curl's, so that what is checked is what is connected to.
 */
#ifndef FX_NET_URL_H
#define FX_NET_URL_H

#include "core/error.h"

#include <stddef.h>

/* Parts of an absolute URL of any scheme (https, ssh, oci, s3 ...). NULL where there is none. */
struct fx_url {
	char *scheme;           /* lower case */
	char *user, *password;  /* decoded */
	char *host;             /* lower case, an IPv6 address without brackets */
	int port;               /* as given, else that of the scheme, else 0 */
	char *path;             /* as given, starts with '/' */
	char *query, *fragment; /* as given, without '?' and '#' */
};

/* FX_E_INVALID (the message holds no credentials). Release with fx_url_release(). */
int fx_url_parse(const char *text, struct fx_url *out, struct fx_error *err) fx_must_use;
void fx_url_release(struct fx_url *url);
static inline void fx_auto_url(struct fx_url *url)
{
	fx_url_release(url);
}

/* Resolves a reference ("../x", "/x", "//host/x", absolute) against a base, RFC 3986 section 5.
 * Owned by the caller. */
int fx_url_resolve(const char *base, const char *reference, char **out, struct fx_error *err) fx_must_use;

/* Puts path behind the URL's path with exactly one '/' between; query and fragment are dropped.
 * Owned by the caller; NULL without memory. */
char *fx_url_join(const char *url, const char *path) fx_must_use;

/* Percent-encodes all but letters, digits and -._~ (and '/' when keep_slash). Owned by the
 * caller; NULL without memory. */
char *fx_url_escape(const char *text, bool keep_slash) fx_must_use;

/* The URL without userinfo, query and fragment: what may stand in a log or an error. Works on
 * anything, parseable or not. Owned by the caller; NULL without memory. */
char *fx_url_redact(const char *url) fx_must_use;

#endif
