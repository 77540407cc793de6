/*
 * URLs as texts: redaction for messages. Pure functions, usable from any thread.
 */
#ifndef FX_NET_URL_H
#define FX_NET_URL_H

#include "core/error.h"

#include <stddef.h>

/* The URL without userinfo, query and fragment: what may stand in a log or an error. Works on
 * anything, parseable or not. Owned by the caller; NULL without memory. */
char *fx_url_redact(const char *url) fx_must_use;

#endif
