/*
 * Private to the HTTP client: one request under way.
 *
 *   made (any thread) --post--> active (in a multi handle) --end or abort--> over --> freed
 *
 * A call belongs to the loop thread from the moment it is posted. Aborting inside a curl
 * callback gives on_done at once and leaves the rest (over, waiting in client->reap) until
 * curl has returned: curl does not allow a transfer to be taken out from below it.
 */
#ifndef FX_NET_HTTP_CALL_H
#define FX_NET_HTTP_CALL_H

#include "core/buf.h"
#include "net/http.h"
#include "net/proxy.h"

#include "net/curl.h"
#include <pthread.h>
#include <uv.h>

/* What on_data returns to have the same bytes again after fx_http_call_resume(). */
#define FX_HTTP_PAUSE INT32_MIN

/* Multiplexed transfers never pause: one slow reader would stall all that share its
 * connection. Whatever may pause runs on HTTP/1.1 connections of its own. */
enum fx_http_engine_kind { FX_HTTP_SEPARATE, FX_HTTP_WATCHES, FX_HTTP_REQUESTS, FX_HTTP_KINDS };

/* Each time that a connection becomes readable curl looks at all of its transfers, with a system call each: a
 * few connections with few transfers are several times cheaper than one with many. A lane has one connection
 * to an origin; the next one is used when those before are full, and when all are, that with the least load.
 * Watches (transfers without a time limit) have lanes apart, so that requests do not wake them. */
#define FX_HTTP_ENGINES 11

struct fx_http_engine {
	enum fx_http_engine_kind kind;
	int load; /* calls that have it; under the client's lock */
	CURLM *multi;
	uv_timer_t timer;
	struct fx_http_client *client;
};

/* A copy of TLS material, shared by the calls that use the same. */
struct fx_http_tls {
	struct fx_http_tls *next;
	int refs; /* under the client's lock */
	char *ca_pem, *cert_pem, *key_pem, *server_name;
	char *marked_cert; /* cert_pem and a digest of the key */
	char *trust;       /* what curl is given: ca_pem, or the system's and ca_pem */
	bool system_ca_too, insecure;
};

struct fx_http_client {
	struct fx_loop *loop;
	char *user_agent;
	struct fx_proxy_env proxies;
	struct fx_http_engine engines[FX_HTTP_ENGINES];
	pthread_mutex_t lock; /* pool, tls, trust, loads */
	CURL *pool[32];
	size_t pool_len;
	struct fx_http_tls *tls;
	bool trust_known; /* the system's, looked up when it is first needed, then constant */
	char *trust_file, *trust_pem;
	/* Loop thread only from here. */
	struct fx_http_call *active;
	struct fx_http_call *reap;
	int in_curl;
	uv_timer_t idle;
	int handles; /* libuv handles that are not closed yet */
};

/* Receive buffer of a request that a worker waits for. */
#define FX_HTTP_DO_BUFFER_BYTES (16L * 1024)

struct fx_http_call {
	struct fx_loop_task task;
	struct fx_http_client *client;
	struct fx_http_engine *engine;
	struct fx_http_handler handler;
	CURL *easy;
	long buffer_bytes; /* its receive buffer */
	struct fx_http_tls *tls;
	struct fx_http_call *prev, *next; /* client->active */
	struct fx_http_call *next_reap;
	char *strings; /* one block: header lines, method, URL, connect-to */
	size_t strings_size;
	char *method, *url;
	struct curl_slist *headers, *connect_to;
	char *body;   /* owned copy, or NULL */
	bool started; /* its task has run: before that the loop's list holds it */
	bool in_multi, over, paused, follow;
	/* The answer. */
	struct fx_buf head; /* name NUL value NUL ... of the current head */
	size_t header_count;
	size_t head_bytes;
	struct fx_http_response *response;   /* from the final head on; a handler may take it */
	uint64_t body_bytes, max_body_bytes; /* max 0: none */
	struct fx_error err;                 /* why we ended it, when it was us */
	int idle_timeout_ms;
	int64_t active_ms; /* last sign of life */
	char errbuf[CURL_ERROR_SIZE];
};

/* What differs between the three ways to send. */
struct fx_http_call_options {
	bool borrow_body; /* the body outlives the call */
	bool may_pause;
	long buffer_bytes;
};

/* [any] Makes a call ready to be posted. */
int fx_http_call_new(struct fx_http_client *client, const struct fx_http_request *request,
        const struct fx_http_handler *handler, const struct fx_http_call_options *options,
        struct fx_http_call **out, struct fx_error *err) fx_must_use;
/* [any] Starts it; it is the loop's from here. */
void fx_http_call_post(struct fx_http_call *call);
/* Frees one that was not posted. */
void fx_http_call_free(struct fx_http_call *call);
/* [loop] Goes on after FX_HTTP_PAUSE. */
void fx_http_call_resume(struct fx_http_call *call);

/* The options of the curl handle: http_setup.c. */
int fx_http_call_setup(struct fx_http_call *call, const struct fx_http_request *request,
        const struct fx_http_call_options *options, struct fx_error *err) fx_must_use;
int fx_http_tls_ref(struct fx_http_client *client, const struct fx_tls *tls, struct fx_http_tls **out,
        struct fx_error *err) fx_must_use;
void fx_http_tls_unref(struct fx_http_client *client, struct fx_http_tls *tls);

/* Curl's callbacks and the error it ends with: http_answer.c. */
size_t fx_http_call_on_header(char *data, size_t size, size_t count, void *arg);
size_t fx_http_call_on_body(char *data, size_t size, size_t count, void *arg);
/* Fills err for a transfer that ended with result; leaves it alone when all is well. */
void fx_http_call_error(struct fx_http_call *call, CURLcode result, struct fx_error *err);

#endif
