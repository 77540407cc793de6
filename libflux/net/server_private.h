/*
 * Private to the HTTP server.
 *
 * Locks, outermost first: server->lock, stream->lock, those of libmicrohttpd.
 */
#ifndef FX_NET_SERVER_PRIVATE_H
#define FX_NET_SERVER_PRIVATE_H

#include "net/server.h"

#include "net/microhttpd.h"
#include <pthread.h>

struct fx_server {
	struct MHD_Daemon *daemon;
	int port;
	size_t max_body_bytes;
	void (*handle)(void *arg, struct fx_server_request *request);
	void *arg;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int running; /* requests being read or answered, streams not counted */
	bool stopping;
	/* Streams, and the thread that sees their peers leave; started with the first one. */
	struct fx_server_stream *streams;
	uint64_t next_stream_id;
	bool has_watcher;
	pthread_t watcher;
	int epoll_fd, stop_fd;
};

struct fx_server_field {
	struct fx_server_field *next;
	const char *name; /* a NUL-terminated copy follows the struct; value after it */
	const char *value;
};

struct fx_server_request {
	struct fx_server *server;
	struct MHD_Connection *connection;
	const char *method;
	char *path;  /* owned, decoded; NULL when the target was not valid */
	char *query; /* owned, raw */
	struct fx_buf body;
	size_t excess_bytes;             /* of the body, dropped above the limit */
	struct fx_server_field *fields;  /* of the coming answer, newest first */
	struct fx_server_field *queries; /* decoded, those that were asked for */
	bool seen, answered, is_stream, counted;
	enum MHD_Result queued;
};

/* Adds the collected headers and queues the answer; takes the response. */
void fx_server_queue(struct fx_server_request *request, int status, const char *content_type,
        struct MHD_Response *response);

/* Ends every stream and the watcher: nothing is suspended any more when it returns. */
void fx_server_stop_streams(struct fx_server *server);

#endif
