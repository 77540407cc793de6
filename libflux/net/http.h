/*
 * HTTP/1.1 and HTTP/2 client on libcurl's multi interface, driven by the loop.
 * Requests to one origin share connections (HTTP/2 multiplexes them on a few).
 *
 * Three ways to use it:
 *   fx_http_do()      a worker sends a request and sleeps until the whole answer is there;
 *   fx_http_open()    a worker reads the body piece by piece, the transfer pausing when it
 *                     is slower than the network (downloads, packs);
 *   fx_http_start()   callbacks on the loop thread (watches).
 *
 * All limits are in the request. Redirects are followed only when asked for, only to http(s),
 * at most FX_HTTP_REDIRECTS_MAX, and credentials are never sent to another host.
 * Errors never contain credentials: userinfo and queries of URLs are left out of messages.
 */
#ifndef FX_NET_HTTP_H
#define FX_NET_HTTP_H

#include "core/cancel.h"
#include "core/error.h"
#include "net/loop.h"

#include <stddef.h>
#include <stdint.h>

#define FX_HTTP_REDIRECTS_MAX 10
/* An answer's headers together; stops a peer that never ends its head. */
#define FX_HTTP_HEAD_MAX (256 * 1024)
/* What fx_http_do() keeps when the request gives no limit. */
#define FX_HTTP_BODY_MAX (64 * 1024 * 1024)

/* TLS material. All borrowed for the time of a request; PEM texts, NUL-terminated. A
 * connection is shared only between requests with equal material. */
struct fx_tls {
	const char *ca_pem;      /* only these are trusted; NULL: the system's */
	bool system_ca_too;      /* ca_pem in addition to the system's */
	const char *cert_pem;    /* client certificate chain, NULL: none */
	const char *key_pem;     /* its key */
	const char *server_name; /* verify against this name; NULL: the URL's host */
	bool insecure;           /* no verification */
};

struct fx_http_header {
	const char *name;
	const char *value;
};

/* A request. Everything is borrowed until fx_http_do() returns, or copied by
 * fx_http_open()/fx_http_start() before they return. */
struct fx_http_request {
	const char *method; /* "GET" when NULL */
	const char *url;    /* absolute, http or https */
	const struct fx_http_header *headers;
	size_t header_count;
	const char *body; /* NULL: none */
	size_t body_len;
	const struct fx_tls *tls; /* NULL: the system's trust, no client certificate */
	const char *proxy;        /* URL; NULL: from the environment; "": none */
	const char *proxy_user, *proxy_password;
	const char *user, *password; /* basic auth; NULL: none */
	const char *bearer;          /* Authorization: Bearer; NULL: none */
	int timeout_ms;              /* whole request; 0: none */
	int connect_timeout_ms;      /* 0: 30 s */
	int idle_timeout_ms;         /* error when no byte comes for so long; 0: none */
	size_t max_body_bytes;       /* FX_E_LIMIT above; 0: FX_HTTP_BODY_MAX (do), no limit (open, start) */
	bool follow_redirects;
	bool accept_gzip; /* offers and decodes gzip */
	bool http1_only;
};

struct fx_http_response {
	int status;
	struct fx_http_header *headers; /* names in lower case, in order of arrival */
	size_t header_count;
	char *body; /* NUL-terminated */
	size_t body_len;
	char *effective_url; /* after redirects */
};

void fx_http_response_free(struct fx_http_response *response);
FX_DEFINE_AUTO(http_response, struct fx_http_response, fx_http_response_free)

/* Value of the first header with this lower-case name, or NULL. Borrowed. */
const char *fx_http_response_header(const struct fx_http_response *response, const char *name);

/* Milliseconds of Retry-After (seconds or date form), 0 when absent or in the past. */
int fx_http_response_retry_after_ms(const struct fx_http_response *response);

struct fx_http_client;

/* user_agent: copied. Loop: borrowed for the client's life. Owned by the caller. [any] */
int fx_http_client_new(struct fx_loop *loop, const char *user_agent, struct fx_http_client **out,
        struct fx_error *err) fx_must_use;
/* Aborts what is under way (their waiters get FX_E_CANCELED) and frees. Not on the loop thread. */
void fx_http_client_free(struct fx_http_client *client);
FX_DEFINE_AUTO(http_client, struct fx_http_client, fx_http_client_free)

/* Sends and waits. A status >= 400 is not an error here. Errors: CONNECT, TLS, TIMEOUT,
 * CANCELED, LIMIT, PROTOCOL, INVALID (bad URL). cancel may be NULL. Not on the loop thread. */
int fx_http_do(struct fx_http_client *client, const struct fx_http_request *request, struct fx_cancel *cancel,
        struct fx_http_response **out, struct fx_error *err) fx_must_use;

/* A body read by a worker as it comes. */
struct fx_http_stream;

/* Sends and waits for the head of the answer. Then fx_http_stream_read() until it gives 0 bytes. */
int fx_http_open(struct fx_http_client *client, const struct fx_http_request *request,
        struct fx_cancel *cancel, struct fx_http_stream **out, struct fx_error *err) fx_must_use;
/* Status and headers (body empty). Borrowed from the stream. */
const struct fx_http_response *fx_http_stream_head(const struct fx_http_stream *stream);
/* Waits for bytes: *out_len is 0 only at the end of a complete body. */
int fx_http_stream_read(struct fx_http_stream *stream, char *buf, size_t cap, size_t *out_len,
        struct fx_error *err) fx_must_use;
/* Aborts when it has not ended. Accepts NULL. */
void fx_http_stream_close(struct fx_http_stream *stream);
FX_DEFINE_AUTO(http_stream, struct fx_http_stream, fx_http_stream_close)

/* Callbacks of fx_http_start(); all on the loop thread, none after on_done. */
struct fx_http_handler {
	/* Head of the final answer; a non-zero result aborts with FX_E_CANCELED. May be NULL. */
	int (*on_head)(void *arg, const struct fx_http_response *head);
	/* A piece of the body; a non-zero result aborts. */
	int (*on_data)(void *arg, const char *data, size_t len);
	/* The end: err->code is FX_OK after a complete body. Always called once. err is borrowed. */
	void (*on_done)(void *arg, const struct fx_error *err);
	void *arg;
};

struct fx_http_call;

/* [any] The call object is valid until on_done returns. *out may be NULL when nobody aborts. */
int fx_http_start(struct fx_http_client *client, const struct fx_http_request *request,
        const struct fx_http_handler *handler, struct fx_http_call **out, struct fx_error *err) fx_must_use;
/* [loop] Ends it: on_done comes with FX_E_CANCELED, within this call. */
void fx_http_call_abort(struct fx_http_call *call);

#endif
