/*
 * HTTP server on libmicrohttpd: artifacts, metrics, probes, and the embedded API server of
 * the tests. Handlers run on the server's own threads, one request at a time each.
 */
#ifndef FX_NET_SERVER_H
#define FX_NET_SERVER_H

#include "core/buf.h"
#include "core/error.h"

#include <stddef.h>
#include <stdint.h>

struct fx_server;
struct fx_server_request;

struct fx_server_options {
	const char *listen;             /* "host:port", ":port"; port 0: any free one */
	int threads;                    /* 0: 1 */
	int max_connections;            /* 0: 256 */
	int idle_timeout_s;             /* 0: 60; a connection without traffic is closed */
	size_t max_body_bytes;          /* 413 above; 0: 3 MiB */
	const char *cert_pem, *key_pem; /* both: TLS */
	/* Called once the whole request is there. It must answer with one of the fx_server_reply
	 * functions before it returns. */
	void (*handle)(void *arg, struct fx_server_request *request);
	void *arg;
};

int fx_server_new(
        const struct fx_server_options *options, struct fx_server **out, struct fx_error *err) fx_must_use;
/* Port it listens on. */
int fx_server_port(const struct fx_server *server);
/* Stops accepting, gives running answers up to grace_ms, closes, frees. Accepts NULL. */
void fx_server_free(struct fx_server *server, int grace_ms);

/* What was asked. All borrowed until the handler returns. path is decoded once and starts
 * with '/'; "//", "." and ".." are left as they came: whoever maps it to files must check. */
const char *fx_server_method(const struct fx_server_request *request);
const char *fx_server_path(const struct fx_server_request *request);
const char *fx_server_raw_query(const struct fx_server_request *request); /* without '?', "" when none */
const char *fx_server_query(
        const struct fx_server_request *request, const char *key); /* decoded, NULL: none */
const char *fx_server_header(
        const struct fx_server_request *request, const char *name); /* any case; NULL: none */
const char *fx_server_body(const struct fx_server_request *request, size_t *out_len);

/* Adds a header to the coming answer. */
void fx_server_add_header(struct fx_server_request *request, const char *name, const char *value);
/* Whole answer from memory (copied). content_type may be NULL. */
void fx_server_reply(struct fx_server_request *request, int status, const char *content_type,
        const void *body, size_t len);
/* The same with a formatted text/plain body. */
void fx_server_replyf(struct fx_server_request *request, int status, const char *fmt, ...) fx_printf(3, 4);
/* Part [offset, offset+len) of an open file; takes the descriptor. HEAD sends no body. */
void fx_server_reply_fd(struct fx_server_request *request, int status, const char *content_type, int fd,
        uint64_t offset, uint64_t len);

/*
 * An answer that is written over time (a watch). Push adds bytes (copied) to what is sent,
 * from any thread, and gives false when the peer has gone or more than the limit is waiting
 * (the stream is then dead: close it). close ends the body; cut drops the connection in the
 * middle. Either must be called, once; after it the stream is not valid. max_pending_bytes
 * 0: no limit. NULL without memory, or when the server is stopping: then answer in another way.
 */
struct fx_server_stream;
struct fx_server_stream *fx_server_reply_stream(
        struct fx_server_request *request, int status, const char *content_type, size_t max_pending_bytes);
bool fx_server_stream_push(struct fx_server_stream *stream, const void *data, size_t len);
/* True when the peer has gone or the limit was passed; noticed without a push, too. */
bool fx_server_stream_is_gone(struct fx_server_stream *stream);
void fx_server_stream_close(struct fx_server_stream *stream);
void fx_server_stream_cut(struct fx_server_stream *stream);

#endif
