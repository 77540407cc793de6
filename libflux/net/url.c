#include "net/url.h"

#include "core/buf.h"

#include <ctype.h>
#include "net/curl.h"
#include <string.h>

static void free_curl_url(CURLU **url)
{
	fx_curl()->url_cleanup(*url);
}

static void free_curl_text(char **text)
{
	fx_curl()->free(*text);
}

/* A copy of a part; *out stays NULL when the URL does not have it. */
static CURLUcode get_part(CURLU *u, CURLUPart part, unsigned flags, char **out)
{
	fx_cleanup(free_curl_text) char *text = NULL;
	CURLUcode rc = fx_curl()->url_get(u, part, &text, flags);
	if (rc == CURLUE_NO_SCHEME || rc == CURLUE_NO_USER || rc == CURLUE_NO_PASSWORD ||
	        rc == CURLUE_NO_HOST || rc == CURLUE_NO_PORT || rc == CURLUE_NO_QUERY ||
	        rc == CURLUE_NO_FRAGMENT)
		return CURLUE_OK;
	if (rc != CURLUE_OK)
		return rc;
	*out = strdup(text);
	return *out ? CURLUE_OK : CURLUE_OUT_OF_MEMORY;
}

static void lower(char *text)
{
	for (; text && *text; text++)
		*text = (char)tolower((unsigned char)*text);
}

static CURLUcode get_parts(CURLU *u, struct fx_url *url)
{
	fx_autofree char *port = NULL;
	CURLUcode rc = get_part(u, CURLUPART_SCHEME, 0, &url->scheme);
	if (rc == CURLUE_OK)
		rc = get_part(u, CURLUPART_USER, CURLU_URLDECODE, &url->user);
	if (rc == CURLUE_OK)
		rc = get_part(u, CURLUPART_PASSWORD, CURLU_URLDECODE, &url->password);
	if (rc == CURLUE_OK)
		rc = get_part(u, CURLUPART_HOST, 0, &url->host);
	if (rc == CURLUE_OK)
		rc = get_part(u, CURLUPART_PORT, CURLU_DEFAULT_PORT, &port);
	if (rc == CURLUE_OK)
		rc = get_part(u, CURLUPART_PATH, 0, &url->path);
	if (rc == CURLUE_OK)
		rc = get_part(u, CURLUPART_QUERY, 0, &url->query);
	if (rc == CURLUE_OK)
		rc = get_part(u, CURLUPART_FRAGMENT, 0, &url->fragment);
	url->port = port ? atoi(port) : 0;
	lower(url->scheme);
	lower(url->host);
	size_t len = url->host ? strlen(url->host) : 0;
	if (len > 2 && url->host[0] == '[') {
		url->host[len - 1] = '\0';
		memmove(url->host, url->host + 1, len - 1);
	}
	return rc;
}

static int fail_url(const char *text, CURLUcode rc, struct fx_error *err)
{
	if (rc == CURLUE_OUT_OF_MEMORY)
		return fx_fail_nomem(err);
	fx_autofree char *shown = fx_url_redact(text);
	return fx_fail(
	        err, FX_E_INVALID, "invalid URL '%s': %s", shown ? shown : "", fx_curl()->url_strerror(rc));
}

int fx_url_parse(const char *text, struct fx_url *out, struct fx_error *err)
{
	fx_cleanup(free_curl_url) CURLU *u = fx_curl()->url();
	if (!u)
		return fx_fail_nomem(err);
	/* A path is left as it is: "..", as everything, is for the server to judge. */
	CURLUcode rc = strstr(text, "://") ? fx_curl()->url_set(u, CURLUPART_URL, text,
	                                             CURLU_NON_SUPPORT_SCHEME | CURLU_PATH_AS_IS)
	                                   : CURLUE_BAD_SCHEME;
	struct fx_url url = {0};
	if (rc == CURLUE_OK)
		rc = get_parts(u, &url);
	if (rc == CURLUE_OK && (!url.host || !*url.host))
		rc = CURLUE_NO_HOST;
	if (rc != CURLUE_OK) {
		fx_url_release(&url);
		return fail_url(text, rc, err);
	}
	*out = url;
	return 0;
}

void fx_url_release(struct fx_url *url)
{
	free(url->scheme);
	free(url->user);
	if (url->password)
		explicit_bzero(url->password, strlen(url->password));
	free(url->password);
	free(url->host);
	free(url->path);
	free(url->query);
	free(url->fragment);
	*url = (struct fx_url){0};
}

int fx_url_resolve(const char *base, const char *reference, char **out, struct fx_error *err)
{
	fx_cleanup(free_curl_url) CURLU *u = fx_curl()->url();
	if (!u)
		return fx_fail_nomem(err);
	CURLUcode rc = fx_curl()->url_set(u, CURLUPART_URL, base, CURLU_NON_SUPPORT_SCHEME);
	if (rc != CURLUE_OK)
		return fail_url(base, rc, err);
	char *text = NULL;
	if (*reference)
		rc = fx_curl()->url_set(u, CURLUPART_URL, reference, CURLU_NON_SUPPORT_SCHEME);
	if (rc == CURLUE_OK)
		rc = get_part(u, CURLUPART_URL, 0, &text);
	if (rc != CURLUE_OK)
		return fail_url(reference, rc, err);
	*out = text;
	return 0;
}

char *fx_url_join(const char *url, const char *path)
{
	size_t len = strcspn(url, "?#");
	while (len > 0 && url[len - 1] == '/')
		len--;
	while (*path == '/')
		path++;
	fx_auto(buf) struct fx_buf buf = FX_BUF_INIT;
	fx_buf_add(&buf, url, len);
	fx_buf_add_char(&buf, '/');
	fx_buf_add_str(&buf, path);
	return fx_buf_take(&buf, NULL);
}

char *fx_url_escape(const char *text, bool keep_slash)
{
	fx_auto(buf) struct fx_buf buf = FX_BUF_INIT;
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		             strchr("-._~", c) || (c == '/' && keep_slash);
		if (plain)
			fx_buf_add_char(&buf, (char)c);
		else
			fx_buf_addf(&buf, "%%%02X", c);
	}
	return fx_buf_take(&buf, NULL);
}

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
