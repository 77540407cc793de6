#include "net/http_call.h"

#include "data/digest.h"
#include "net/tls.h"
#include "net/url.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

/* A peer that vanished without a word is noticed within a minute, on idle watches too. */
#define KEEPALIVE_IDLE_S 30L
#define KEEPALIVE_INTERVAL_S 10L
#define UNACKNOWLEDGED_MAX_MS 60000
#define CONNECT_TIMEOUT_MS 30000L
/* curl's smallest, each handle that sends a body has one: its own choice is 64 KiB. */
#define UPLOAD_BUFFER_BYTES (16L * 1024)

static bool same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_tls(const struct fx_http_tls *a, const struct fx_tls *b)
{
	return same(a->ca_pem, b->ca_pem) && same(a->cert_pem, b->cert_pem) && same(a->key_pem, b->key_pem) &&
	       same(a->server_name, b->server_name) && a->system_ca_too == b->system_ca_too &&
	       a->insecure == b->insecure;
}

static void wipe_and_free(char *secret)
{
	if (secret)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

static void free_tls(struct fx_http_tls *tls)
{
	if (tls->trust != tls->ca_pem)
		free(tls->trust);
	free(tls->ca_pem);
	free(tls->cert_pem);
	free(tls->marked_cert);
	wipe_and_free(tls->key_pem);
	free(tls->server_name);
	free(tls);
}

static bool copy_text(char **out, const char *text)
{
	*out = text ? strdup(text) : NULL;
	return !text || *out;
}

/*
 * The certificate as curl is given it, with a digest of the key behind: curl compares
 * certificates, not keys, before it reuses a connection, and who knows only the
 * certificate of somebody else must not get theirs.
 */
static bool mark_cert(struct fx_http_tls *tls)
{
	struct fx_digest digest;
	if (!tls->cert_pem || !tls->key_pem)
		return copy_text(&tls->marked_cert, tls->cert_pem);
	if (fx_digest_bytes(FX_DIGEST_SHA256, tls->key_pem, strlen(tls->key_pem), &digest, NULL) != 0)
		return false;
	fx_auto(buf) struct fx_buf buf = FX_BUF_INIT;
	fx_buf_addf(&buf, "%s\n%s\n", tls->cert_pem, digest.text);
	tls->marked_cert = fx_buf_take(&buf, NULL);
	return tls->marked_cert;
}

static int make_tls(const struct fx_tls *from, struct fx_http_tls **out, struct fx_error *err)
{
	struct fx_http_tls *tls = calloc(1, sizeof(*tls));
	if (!tls)
		return fx_fail_nomem(err);
	tls->refs = 1;
	tls->system_ca_too = from->system_ca_too;
	tls->insecure = from->insecure;
	bool ok = copy_text(&tls->ca_pem, from->ca_pem) && copy_text(&tls->cert_pem, from->cert_pem) &&
	          copy_text(&tls->key_pem, from->key_pem) &&
	          copy_text(&tls->server_name, from->server_name) && mark_cert(tls);
	tls->trust = tls->ca_pem;
	int rc = ok ? 0 : fx_fail_nomem(err);
	if (rc == 0 && tls->ca_pem && tls->system_ca_too) {
		tls->trust = NULL;
		rc = fx_tls_system_and(tls->ca_pem, &tls->trust, err);
	}
	if (rc) {
		free_tls(tls);
		return rc;
	}
	*out = tls;
	return 0;
}

int fx_http_tls_ref(struct fx_http_client *client, const struct fx_tls *tls, struct fx_http_tls **out,
        struct fx_error *err)
{
	int rc = 0;
	pthread_mutex_lock(&client->lock);
	struct fx_http_tls *known = client->tls;
	while (known && !same_tls(known, tls))
		known = known->next;
	if (known) {
		known->refs++;
	} else {
		rc = make_tls(tls, &known, err);
		if (rc == 0) {
			known->next = client->tls;
			client->tls = known;
		}
	}
	pthread_mutex_unlock(&client->lock);
	if (rc == 0)
		*out = known;
	return rc;
}

void fx_http_tls_unref(struct fx_http_client *client, struct fx_http_tls *tls)
{
	if (!tls)
		return;
	pthread_mutex_lock(&client->lock);
	bool last = --tls->refs == 0;
	if (last) {
		struct fx_http_tls **at = &client->tls;
		while (*at != tls)
			at = &(*at)->next;
		*at = tls->next;
	}
	pthread_mutex_unlock(&client->lock);
	if (last)
		free_tls(tls);
}

static int tune_socket(fx_unused void *arg, curl_socket_t fd, curlsocktype purpose)
{
	if (purpose != CURLSOCKTYPE_IPCXN)
		return CURL_SOCKOPT_OK;
	unsigned int ms = UNACKNOWLEDGED_MAX_MS;
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
	return CURL_SOCKOPT_OK;
}

static void set_blob(CURL *easy, CURLoption option, char *text)
{
	struct curl_blob blob = {.data = text, .len = strlen(text), .flags = CURL_BLOB_NOCOPY};
	fx_curl()->easy_setopt(easy, option, &blob);
}

/* The texts belong to call->tls, which outlives the transfer: nothing is copied per call. */
static void set_tls(CURL *easy, const struct fx_http_tls *tls)
{
	fx_curl()->easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, tls->insecure ? 0L : 1L);
	fx_curl()->easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, tls->insecure ? 0L : 2L);
	if (tls->trust) {
		fx_curl()->easy_setopt(easy, CURLOPT_CAINFO, NULL);
		fx_curl()->easy_setopt(easy, CURLOPT_CAPATH, NULL);
		set_blob(easy, CURLOPT_CAINFO_BLOB, tls->trust);
	}
	if (tls->cert_pem)
		set_blob(easy, CURLOPT_SSLCERT_BLOB, tls->marked_cert);
	if (tls->key_pem)
		set_blob(easy, CURLOPT_SSLKEY_BLOB, tls->key_pem);
}

/* What the system trusts, looked up once in a client's life. */
static int set_system_trust(struct fx_http_call *call, struct fx_error *err)
{
	struct fx_http_client *client = call->client;
	int rc = 0;
	pthread_mutex_lock(&client->lock);
	if (!client->trust_known)
		rc = fx_tls_system_trust(&client->trust_file, &client->trust_pem, err);
	client->trust_known = rc == 0;
	pthread_mutex_unlock(&client->lock);
	if (rc)
		return rc;
	fx_curl()->easy_setopt(call->easy, CURLOPT_CAPATH, NULL);
	fx_curl()->easy_setopt(call->easy, CURLOPT_CAINFO, client->trust_file);
	if (client->trust_pem)
		set_blob(call->easy, CURLOPT_CAINFO_BLOB, client->trust_pem);
	return 0;
}

static bool needs_system_trust(const struct fx_http_call *call, const struct fx_http_request *request)
{
	if (call->tls && (call->tls->insecure || call->tls->trust))
		return false;
	return request->follow_redirects || strncasecmp(request->url, "https", 5) == 0;
}

static bool is_token(const char *s)
{
	if (!*s)
		return false;
	for (; *s; s++)
		if ((unsigned char)*s <= ' ' || *s == ':' || *s == ';' || (unsigned char)*s >= 0x7f)
			return false;
	return true;
}

static bool is_field_value(const char *s)
{
	for (; *s; s++)
		if (*s == '\r' || *s == '\n')
			return false;
	return true;
}

static int check_request(const struct fx_http_request *request, struct fx_error *err)
{
	if (!request->url || (strncasecmp(request->url, "https://", 8) != 0 &&
	                             strncasecmp(request->url, "http://", 7) != 0)) {
		fx_autofree char *url = fx_url_redact(request->url ? request->url : "");
		return fx_fail(err, FX_E_INVALID, "'%s' is not an http or https URL", url ? url : "");
	}
	if (request->method && !is_token(request->method))
		return fx_fail(err, FX_E_INVALID, "invalid HTTP method");
	for (size_t i = 0; i < request->header_count; i++)
		if (!is_token(request->headers[i].name) || !is_field_value(request->headers[i].value))
			return fx_fail(err, FX_E_INVALID, "invalid HTTP header '%.100s'",
			        is_token(request->headers[i].name) ? request->headers[i].name : "");
	if (request->bearer && !is_field_value(request->bearer))
		return fx_fail(err, FX_E_INVALID, "invalid bearer token");
	return 0;
}

/* Host, and port with its default, of a URL that curl can parse. Owned by the caller. */
static int split_url(const char *url, char **out_host, char **out_port, char **out_renamed,
        const char *new_host, struct fx_error *err)
{
	CURLU *u = fx_curl()->url();
	char *host = NULL, *port = NULL, *renamed = NULL;
	CURLUcode rc = u ? fx_curl()->url_set(u, CURLUPART_URL, url, 0) : CURLUE_OUT_OF_MEMORY;
	if (rc == CURLUE_OK)
		rc = fx_curl()->url_get(u, CURLUPART_HOST, &host, 0);
	if (rc == CURLUE_OK)
		rc = fx_curl()->url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT);
	if (rc == CURLUE_OK)
		rc = fx_curl()->url_set(u, CURLUPART_HOST, new_host, 0);
	if (rc == CURLUE_OK)
		rc = fx_curl()->url_get(u, CURLUPART_URL, &renamed, 0);
	fx_curl()->url_cleanup(u);
	if (rc == CURLUE_OK) {
		*out_host = host;
		*out_port = port;
		*out_renamed = renamed;
		return 0;
	}
	fx_curl()->free(host);
	fx_curl()->free(port);
	return fx_fail(err, FX_E_INVALID, "invalid URL: %s", fx_curl()->url_strerror(rc));
}

static void curl_free_text(char **text)
{
	fx_curl()->free(*text);
}

struct lines {
	struct fx_buf text; /* NUL-terminated lines, one after the other */
	struct curl_slist *nodes;
	size_t count;
};

static void add_line(struct lines *lines, const char *fmt, ...) fx_printf(2, 3);
static void add_line(struct lines *lines, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fx_buf_addv(&lines->text, fmt, ap);
	va_end(ap);
	fx_buf_add_char(&lines->text, '\0');
	lines->count++;
}

static bool has(const struct fx_http_request *request, const char *name)
{
	for (size_t i = 0; i < request->header_count; i++)
		if (strcasecmp(request->headers[i].name, name) == 0)
			return true;
	return false;
}

static void add_headers(struct lines *lines, const struct fx_http_request *request)
{
	for (size_t i = 0; i < request->header_count; i++) {
		const struct fx_http_header *h = &request->headers[i];
		/* curl's spelling of a header without a value. */
		if (*h->value)
			add_line(lines, "%s: %s", h->name, h->value);
		else
			add_line(lines, "%s;", h->name);
	}
	/* curl keeps this one from other hosts after a redirect. */
	if (request->bearer && !has(request, "authorization"))
		add_line(lines, "Authorization: Bearer %s", request->bearer);
	if (request->body_len && !has(request, "content-type"))
		add_line(lines, "Content-Type:");
	if (!has(request, "expect"))
		add_line(lines, "Expect:");
	if (!has(request, "accept"))
		add_line(lines, "Accept: */*");
}

/*
 * Lays the strings of the call out in one block: list nodes, then lines, method and URL.
 * connect_to is NULL, or what curl is to connect to instead of the URL's host.
 */
static int keep_strings(struct fx_http_call *call, struct lines *lines, const char *method, const char *url,
        const char *connect_to)
{
	size_t nodes = lines->count + (connect_to ? 1 : 0);
	size_t headers_len = lines->text.len;
	fx_buf_add(&lines->text, method, strlen(method) + 1);
	fx_buf_add(&lines->text, url, strlen(url) + 1);
	if (connect_to)
		fx_buf_add(&lines->text, connect_to, strlen(connect_to) + 1);
	if (fx_buf_failed(&lines->text))
		return -FX_E_NOMEM;
	call->strings_size = nodes * sizeof(struct curl_slist) + lines->text.len;
	call->strings = malloc(call->strings_size);
	if (!call->strings)
		return -FX_E_NOMEM;
	struct curl_slist *node = (struct curl_slist *)call->strings;
	char *text = memcpy(node + nodes, lines->text.data, lines->text.len);
	explicit_bzero(lines->text.data, lines->text.len);
	call->headers = node;
	for (size_t i = 0; i < lines->count; i++) {
		node[i].data = text;
		node[i].next = i + 1 < lines->count ? &node[i + 1] : NULL;
		text += strlen(text) + 1;
	}
	call->method = (char *)(node + nodes) + headers_len;
	call->url = call->method + strlen(call->method) + 1;
	if (connect_to) {
		call->connect_to = &node[nodes - 1];
		call->connect_to->data = call->url + strlen(call->url) + 1;
		call->connect_to->next = NULL;
	}
	return 0;
}

static int set_address(struct fx_http_call *call, const struct fx_http_request *request, struct fx_error *err)
{
	const char *method = request->method ? request->method : "GET";
	const char *name = request->tls ? request->tls->server_name : NULL;
	fx_auto(buf) struct fx_buf connect_to = FX_BUF_INIT;
	struct lines lines = {.text = FX_BUF_INIT};
	fx_cleanup(curl_free_text) char *host = NULL, *port = NULL, *renamed = NULL;
	if (name) {
		/* The name that is asked for and verified is that of the URL: put it there,
		 * and send the connection and the Host header where they belong. */
		int rc = split_url(request->url, &host, &port, &renamed, name, err);
		if (rc)
			return rc;
		fx_buf_addf(&connect_to, "%s:%s:%s:%s", name, port, host, port);
		if (!has(request, "host"))
			add_line(&lines, "Host: %s:%s", host, port);
	}
	add_headers(&lines, request);
	int rc = keep_strings(call, &lines, method, request->url, name ? fx_buf_str(&connect_to) : NULL);
	fx_buf_release(&lines.text);
	if (rc)
		return fx_fail_nomem(err);
	fx_curl()->easy_setopt(call->easy, CURLOPT_URL, renamed ? renamed : call->url);
	fx_curl()->easy_setopt(call->easy, CURLOPT_HTTPHEADER, call->headers);
	if (call->connect_to)
		fx_curl()->easy_setopt(call->easy, CURLOPT_CONNECT_TO, call->connect_to);
	return 0;
}

static int set_body(
        struct fx_http_call *call, const struct fx_http_request *request, bool borrow, struct fx_error *err)
{
	CURL *easy = call->easy;
	const char *m = call->method;
	bool sends = request->body_len || strcmp(m, "POST") == 0 || strcmp(m, "PUT") == 0 ||
	             strcmp(m, "PATCH") == 0;
	if (strcmp(m, "HEAD") == 0)
		fx_curl()->easy_setopt(easy, CURLOPT_NOBODY, 1L);
	else if (!sends)
		fx_curl()->easy_setopt(easy, CURLOPT_HTTPGET, 1L);
	if (!sends) {
		if (strcmp(m, "GET") != 0 && strcmp(m, "HEAD") != 0)
			fx_curl()->easy_setopt(easy, CURLOPT_CUSTOMREQUEST, m);
		return 0;
	}
	const char *body = request->body_len ? request->body : "";
	if (request->body_len && !borrow) {
		call->body = malloc(request->body_len);
		if (!call->body)
			return fx_fail_nomem(err);
		body = memcpy(call->body, request->body, request->body_len);
	}
	fx_curl()->easy_setopt(easy, CURLOPT_POST, 1L);
	/* Left to curl, so that a 303 after a POST turns into a GET. */
	if (strcmp(m, "POST") != 0)
		fx_curl()->easy_setopt(easy, CURLOPT_CUSTOMREQUEST, m);
	fx_curl()->easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);
	fx_curl()->easy_setopt(easy, CURLOPT_POSTFIELDS, body);
	return 0;
}

static void set_limits(struct fx_http_call *call, const struct fx_http_request *request)
{
	CURL *easy = call->easy;
	call->follow = request->follow_redirects;
	call->idle_timeout_ms = request->idle_timeout_ms;
	call->max_body_bytes = request->max_body_bytes;
	fx_curl()->easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
	fx_curl()->easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
	        request->connect_timeout_ms ? (long)request->connect_timeout_ms : CONNECT_TIMEOUT_MS);
	fx_curl()->easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	fx_curl()->easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
	fx_curl()->easy_setopt(easy, CURLOPT_FOLLOWLOCATION, request->follow_redirects ? 1L : 0L);
	fx_curl()->easy_setopt(easy, CURLOPT_MAXREDIRS, (long)FX_HTTP_REDIRECTS_MAX);
}

static void set_proxy(struct fx_http_call *call, const struct fx_http_request *request)
{
	static const char socks[] = "socks5://";
	const char *proxy =
	        request->proxy ? request->proxy : fx_proxy_env_for(&call->client->proxies, request->url);
	/* As in Go, the proxy resolves names; and what the environment excludes is decided above. */
	if (strncasecmp(proxy, socks, strlen(socks)) == 0) {
		fx_auto(buf) struct fx_buf buf = FX_BUF_INIT;
		fx_buf_addf(&buf, "socks5h://%s", proxy + strlen(socks));
		fx_curl()->easy_setopt(call->easy, CURLOPT_PROXY, fx_buf_str(&buf));
	} else {
		fx_curl()->easy_setopt(call->easy, CURLOPT_PROXY, proxy);
	}
	fx_curl()->easy_setopt(call->easy, CURLOPT_NOPROXY, "");
}

static void set_connection(
        struct fx_http_call *call, const struct fx_http_request *request, long buffer_bytes)
{
	CURL *easy = call->easy;
	bool h2 = call->engine->kind != FX_HTTP_SEPARATE && strncasecmp(request->url, "https", 5) == 0;
	fx_curl()->easy_setopt(
	        easy, CURLOPT_HTTP_VERSION, h2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1);
	/* Wait for the first connection's verdict instead of opening one for each request. */
	fx_curl()->easy_setopt(easy, CURLOPT_PIPEWAIT, h2 ? 1L : 0L);
	fx_curl()->easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	fx_curl()->easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
	fx_curl()->easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
	fx_curl()->easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, tune_socket);
	fx_curl()->easy_setopt(easy, CURLOPT_BUFFERSIZE, buffer_bytes);
	fx_curl()->easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, UPLOAD_BUFFER_BYTES);
	fx_curl()->easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
	set_proxy(call, request);
	if (request->proxy_user)
		fx_curl()->easy_setopt(easy, CURLOPT_PROXYUSERNAME, request->proxy_user);
	if (request->proxy_password)
		fx_curl()->easy_setopt(easy, CURLOPT_PROXYPASSWORD, request->proxy_password);
	fx_curl()->easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
}

int fx_http_call_setup(struct fx_http_call *call, const struct fx_http_request *request,
        const struct fx_http_call_options *options, struct fx_error *err)
{
	CURL *easy = call->easy;
	int rc = check_request(request, err);
	if (rc == 0 && request->tls)
		rc = fx_http_tls_ref(call->client, request->tls, &call->tls, err);
	if (rc == 0)
		rc = set_address(call, request, err);
	if (rc == 0)
		rc = set_body(call, request, options->borrow_body, err);
	if (rc == 0 && needs_system_trust(call, request))
		rc = set_system_trust(call, err);
	if (rc)
		return rc;
	if (call->tls)
		set_tls(easy, call->tls);
	set_limits(call, request);
	set_connection(call, request, options->buffer_bytes);
	if (request->user) {
		fx_curl()->easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
		fx_curl()->easy_setopt(easy, CURLOPT_USERNAME, request->user);
		fx_curl()->easy_setopt(easy, CURLOPT_PASSWORD, request->password ? request->password : "");
	}
	if (request->accept_gzip)
		fx_curl()->easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
	fx_curl()->easy_setopt(easy, CURLOPT_USERAGENT, call->client->user_agent);
	fx_curl()->easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	fx_curl()->easy_setopt(easy, CURLOPT_ERRORBUFFER, call->errbuf);
	fx_curl()->easy_setopt(easy, CURLOPT_HEADERFUNCTION, fx_http_call_on_header);
	fx_curl()->easy_setopt(easy, CURLOPT_HEADERDATA, call);
	fx_curl()->easy_setopt(easy, CURLOPT_WRITEFUNCTION, fx_http_call_on_body);
	fx_curl()->easy_setopt(easy, CURLOPT_WRITEDATA, call);
	fx_curl()->easy_setopt(easy, CURLOPT_PRIVATE, call);
	return 0;
}
