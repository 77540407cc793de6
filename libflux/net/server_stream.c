#include "net/server_private.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#define BLOCK_BYTES 4096

/*
 * Owned twice: by who pushes and by libmicrohttpd's response. A connection with nothing to
 * send is suspended; nobody looks at its socket then, so that the watcher thread does.
 */
struct fx_server_stream {
	atomic_int refs;
	uint64_t id;
	struct fx_server_stream *prev, *next; /* server->streams, under server->lock */
	struct fx_server *server;             /* not used once the response is gone */
	int socket;
	pthread_mutex_t lock; /* all below */
	struct MHD_Connection *connection;
	struct fx_buf pending;
	size_t sent; /* of pending */
	bool suspended, closed, dead;
};

static void unref(struct fx_server_stream *stream)
{
	if (atomic_fetch_sub(&stream->refs, 1) != 1)
		return;
	fx_buf_release(&stream->pending);
	pthread_mutex_destroy(&stream->lock);
	free(stream);
}

/* [locked] Lets libmicrohttpd ask for bytes again. */
static void wake(struct fx_server_stream *stream)
{
	if (!stream->suspended)
		return;
	stream->suspended = false;
	fx_mhd()->resume_connection(stream->connection);
}

static void kill_stream(struct fx_server_stream *stream)
{
	pthread_mutex_lock(&stream->lock);
	stream->dead = true;
	wake(stream);
	pthread_mutex_unlock(&stream->lock);
}

static ssize_t give_bytes(void *arg, fx_unused uint64_t pos, char *buf, size_t max)
{
	struct fx_server_stream *stream = arg;
	ssize_t result = 0;
	pthread_mutex_lock(&stream->lock);
	size_t left = stream->pending.len - stream->sent;
	if (stream->dead) {
		result = MHD_CONTENT_READER_END_WITH_ERROR;
	} else if (left) {
		size_t len = left < max ? left : max;
		memcpy(buf, stream->pending.data + stream->sent, len);
		stream->sent += len;
		result = (ssize_t)len;
		if (len == left) {
			/* An idle watch holds no memory. */
			fx_buf_release(&stream->pending);
			stream->sent = 0;
		}
	} else if (stream->closed) {
		result = MHD_CONTENT_READER_END_OF_STREAM;
	} else {
		fx_mhd()->suspend_connection(stream->connection);
		stream->suspended = true;
	}
	pthread_mutex_unlock(&stream->lock);
	return result;
}

/* The connection is done with the answer, for whatever reason. */
static void response_gone(void *arg)
{
	struct fx_server_stream *stream = arg;
	struct fx_server *server = stream->server;
	pthread_mutex_lock(&server->lock);
	if (server->streams == stream)
		server->streams = stream->next;
	if (stream->prev)
		stream->prev->next = stream->next;
	if (stream->next)
		stream->next->prev = stream->prev;
	if (server->has_watcher)
		epoll_ctl(server->epoll_fd, EPOLL_CTL_DEL, stream->socket, NULL);
	pthread_mutex_unlock(&server->lock);
	pthread_mutex_lock(&stream->lock);
	stream->dead = true;
	stream->suspended = false;
	stream->connection = NULL;
	fx_buf_release(&stream->pending);
	stream->sent = 0;
	pthread_mutex_unlock(&stream->lock);
	unref(stream);
}

static void peer_left(struct fx_server *server, uint64_t id)
{
	pthread_mutex_lock(&server->lock);
	for (struct fx_server_stream *s = server->streams; s; s = s->next)
		if (s->id == id) {
			kill_stream(s);
			break;
		}
	pthread_mutex_unlock(&server->lock);
}

/* Sees peers hang up; id 0 is the order to stop. */
static void *watch_peers(void *arg)
{
	struct fx_server *server = arg;
	pthread_setname_np(pthread_self(), "fx-peers");
	for (;;) {
		struct epoll_event events[32];
		int count = epoll_wait(server->epoll_fd, events, FX_COUNT(events), -1);
		for (int i = 0; i < count; i++) {
			if (events[i].data.u64 == 0)
				return NULL;
			peer_left(server, events[i].data.u64);
		}
	}
}

/* [server locked] */
static bool start_watcher(struct fx_server *server)
{
	if (server->has_watcher)
		return true;
	fx_auto(fd) int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	fx_auto(fd) int stop_fd = eventfd(0, EFD_CLOEXEC);
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = 0};
	if (epoll_fd < 0 || stop_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, stop_fd, &event) != 0)
		return false;
	server->epoll_fd = epoll_fd;
	if (pthread_create(&server->watcher, NULL, watch_peers, server) != 0)
		return false;
	fx_take_fd(&epoll_fd);
	server->stop_fd = fx_take_fd(&stop_fd);
	server->has_watcher = true;
	return true;
}

/* False when the server is stopping or cannot watch another peer. */
static bool join(struct fx_server *server, struct fx_server_stream *stream)
{
	pthread_mutex_lock(&server->lock);
	bool ok = !server->stopping && start_watcher(server);
	if (ok) {
		stream->id = ++server->next_stream_id;
		struct epoll_event event = {
		        .events = EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLONESHOT, .data.u64 = stream->id};
		ok = epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, stream->socket, &event) == 0;
	}
	if (ok) {
		stream->next = server->streams;
		if (stream->next)
			stream->next->prev = stream;
		server->streams = stream;
	}
	pthread_mutex_unlock(&server->lock);
	return ok;
}

struct fx_server_stream *fx_server_reply_stream(
        struct fx_server_request *request, int status, const char *content_type, size_t max_pending_bytes)
{
	struct fx_server *server = request->server;
	struct fx_server_stream *stream = request->answered ? NULL : calloc(1, sizeof(*stream));
	if (!stream)
		return NULL;
	const union MHD_ConnectionInfo *info =
	        fx_mhd()->get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	atomic_init(&stream->refs, 2);
	stream->server = server;
	stream->socket = info ? info->connect_fd : -1;
	stream->connection = request->connection;
	stream->pending.max = max_pending_bytes;
	pthread_mutex_init(&stream->lock, NULL);
	struct MHD_Response *response = NULL;
	if (join(server, stream)) {
		response = fx_mhd()->create_response_from_callback(
		        MHD_SIZE_UNKNOWN, BLOCK_BYTES, give_bytes, stream, response_gone);
		if (!response)
			response_gone(stream);
	} else {
		unref(stream);
	}
	if (!response) {
		unref(stream);
		return NULL;
	}
	request->counted = false;
	pthread_mutex_lock(&server->lock);
	server->running--;
	pthread_cond_broadcast(&server->changed);
	pthread_mutex_unlock(&server->lock);
	fx_server_queue(request, status, content_type, response);
	return stream;
}

/* [locked] Forgets what was sent: when it is most of the buffer, or the limit is near. */
static void make_room(struct fx_server_stream *stream, size_t len)
{
	struct fx_buf *pending = &stream->pending;
	bool near_limit = pending->max && pending->len + len > pending->max;
	if (!stream->sent || (stream->sent <= pending->len / 2 && !near_limit))
		return;
	pending->len -= stream->sent;
	memmove(pending->data, pending->data + stream->sent, pending->len);
	stream->sent = 0;
}

bool fx_server_stream_push(struct fx_server_stream *stream, const void *data, size_t len)
{
	pthread_mutex_lock(&stream->lock);
	if (!stream->dead) {
		make_room(stream, len);
		fx_buf_add(&stream->pending, data, len);
		stream->dead = fx_buf_failed(&stream->pending);
		wake(stream);
	}
	bool alive = !stream->dead;
	pthread_mutex_unlock(&stream->lock);
	return alive;
}

bool fx_server_stream_is_gone(struct fx_server_stream *stream)
{
	pthread_mutex_lock(&stream->lock);
	bool gone = stream->dead;
	pthread_mutex_unlock(&stream->lock);
	return gone;
}

void fx_server_stream_close(struct fx_server_stream *stream)
{
	if (!stream)
		return;
	pthread_mutex_lock(&stream->lock);
	stream->closed = true;
	wake(stream);
	pthread_mutex_unlock(&stream->lock);
	unref(stream);
}

void fx_server_stream_cut(struct fx_server_stream *stream)
{
	if (!stream)
		return;
	kill_stream(stream);
	unref(stream);
}

void fx_server_stop_streams(struct fx_server *server)
{
	pthread_mutex_lock(&server->lock);
	server->stopping = true;
	for (struct fx_server_stream *s = server->streams; s; s = s->next)
		kill_stream(s);
	bool has_watcher = server->has_watcher;
	pthread_mutex_unlock(&server->lock);
	if (!has_watcher)
		return;
	uint64_t one = 1;
	if (write(server->stop_fd, &one, sizeof(one)) == sizeof(one))
		pthread_join(server->watcher, NULL);
	pthread_mutex_lock(&server->lock);
	server->has_watcher = false;
	close(server->epoll_fd);
	close(server->stop_fd);
	pthread_mutex_unlock(&server->lock);
}
