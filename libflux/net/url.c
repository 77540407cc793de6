#include "net/url.h"

#include <string.h>

char *fx_url_redact(const char *url)
{
	size_t len = strcspn(url, "?#");
	const char *scheme_end = strstr(url, "://");
	size_t start = scheme_end && scheme_end < url + len ? (size_t)(scheme_end - url) + 3 : 0;
	size_t authority_end = start + strcspn(url + start, "/?#");
	/* The last '@': a password may hold others that nobody escaped. */
	const char *at = memrchr(url + start, '@', authority_end - start);
	size_t host = at ? (size_t)(at - url) + 1 : start;
	char *out = malloc(start + (len - host) + 1);
	if (!out)
		return NULL;
	memcpy(out, url, start);
	memcpy(out + start, url + host, len - host);
	out[start + (len - host)] = '\0';
	return out;
}
