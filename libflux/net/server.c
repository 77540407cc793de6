#include "net/server_private.h"

#include "core/clock.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>

#define MAX_CONNECTIONS 256
#define IDLE_TIMEOUT_S 60
#define MAX_BODY_BYTES (3UL * 1024 * 1024)
/* Of a body above the limit so much is read and dropped, that the peer sees the 413. */
#define EXCESS_MAX_BYTES (8UL * 1024 * 1024)
/* Buffers of one connection; a request's head must fit. */
#define CONNECTION_MEMORY_BYTES (64UL * 1024)
#define BACKLOG 511

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes percent escapes; NULL for malformed ones and for NUL. */
static char *decode(const char *text, size_t len, bool plus_is_space)
{
	char *out = malloc(len + 1), *o = out;
	if (!out)
		return NULL;
	for (size_t i = 0; i < len; i++) {
		char c = text[i];
		if (c == '%') {
			int high = i + 2 < len ? hex(text[i + 1]) : -1;
			int low = i + 2 < len ? hex(text[i + 2]) : -1;
			if (high < 0 || low < 0 || (high | low) == 0) {
				free(out);
				return NULL;
			}
			c = (char)(high << 4 | low);
			i += 2;
		} else if (c == '+' && plus_is_space) {
			c = ' ';
		}
		*o++ = c;
	}
	*o = '\0';
	return out;
}

/* libmicrohttpd gives the request target as it came, before the headers are read. */
static void *begin_request(void *arg, const char *target, fx_unused struct MHD_Connection *connection)
{
	struct fx_server_request *request = calloc(1, sizeof(*request));
	if (!request)
		return NULL;
	request->server = arg;
	request->body.max = request->server->max_body_bytes;
	/* RFC 9112, section 3.2.2: a server must accept the absolute form. */
	const char *authority = strncasecmp(target, "http://", 7) == 0    ? target + 7
	                        : strncasecmp(target, "https://", 8) == 0 ? target + 8
	                                                                  : NULL;
	if (authority)
		target = authority + strcspn(authority, "/?");
	size_t len = strcspn(target, "?");
	if (target[0] == '/')
		request->path = decode(target, len, false);
	else if (authority && len == 0)
		request->path = strdup("/");
	request->query = strdup(target[len] ? target + len + 1 : "");
	return request;
}

static void free_fields(struct fx_server_field *field)
{
	while (field) {
		struct fx_server_field *next = field->next;
		free(field);
		field = next;
	}
}

static void end_request(void *arg, fx_unused struct MHD_Connection *connection, void **state,
        fx_unused enum MHD_RequestTerminationCode code)
{
	struct fx_server *server = arg;
	struct fx_server_request *request = *state;
	if (!request)
		return;
	*state = NULL;
	if (request->counted) {
		pthread_mutex_lock(&server->lock);
		server->running--;
		pthread_cond_broadcast(&server->changed);
		pthread_mutex_unlock(&server->lock);
	}
	free(request->path);
	free(request->query);
	fx_buf_release(&request->body);
	free_fields(request->fields);
	free_fields(request->queries);
	free(request);
}

static void count(struct fx_server_request *request)
{
	struct fx_server *server = request->server;
	request->counted = true;
	pthread_mutex_lock(&server->lock);
	server->running++;
	pthread_mutex_unlock(&server->lock);
}

static void answer(struct fx_server_request *request)
{
	if (request->excess_bytes || fx_buf_failed(&request->body))
		fx_server_replyf(request, MHD_HTTP_CONTENT_TOO_LARGE,
		        "request body is larger than %zu bytes\n", request->server->max_body_bytes);
	else if (!request->path || !request->query)
		fx_server_replyf(request, MHD_HTTP_BAD_REQUEST, "invalid request target\n");
	else
		request->server->handle(request->server->arg, request);
	if (!request->answered)
		fx_server_replyf(request, MHD_HTTP_INTERNAL_SERVER_ERROR, "no answer\n");
}

/* Too large by its own account: the body need not be read. */
static bool announces_too_much(struct fx_server_request *request)
{
	const char *length = fx_server_header(request, MHD_HTTP_HEADER_CONTENT_LENGTH);
	return length && strtoull(length, NULL, 10) > request->server->max_body_bytes;
}

static enum MHD_Result on_request(fx_unused void *arg, struct MHD_Connection *connection,
        fx_unused const char *url, const char *method, fx_unused const char *version, const char *data,
        size_t *data_len, void **state)
{
	struct fx_server_request *request = *state;
	if (!request)
		return MHD_NO;
	request->connection = connection;
	request->method = method;
	if (!request->seen) {
		request->seen = true;
		count(request);
		if (!announces_too_much(request))
			return MHD_YES;
		request->excess_bytes = 1;
		answer(request);
		return request->queued;
	}
	if (*data_len) {
		size_t room = request->body.max - request->body.len;
		size_t kept = *data_len < room ? *data_len : room;
		fx_buf_add(&request->body, data, kept);
		request->excess_bytes += *data_len - kept;
		*data_len = 0;
		return request->excess_bytes > EXCESS_MAX_BYTES ? MHD_NO : MHD_YES;
	}
	if (request->answered)
		return MHD_YES;
	answer(request);
	return request->queued;
}

/* Paths are decoded in begin_request(), where a NUL is seen. */
static size_t leave_escapes(fx_unused void *arg, fx_unused struct MHD_Connection *connection, char *text)
{
	return strlen(text);
}

static int bind_one(const struct addrinfo *ai)
{
	fx_auto(fd) int fd = socket(ai->ai_family, ai->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	int on = 1, off = 0;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (ai->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0)
		return -1;
	return fx_take_fd(&fd);
}

/* Splits "host:port", "[v6]:port" or ":port". */
static bool split_listen(const char *listen, char host[256], const char **out_port)
{
	const char *colon = strrchr(listen, ':');
	if (!colon || !colon[1])
		return false;
	const char *start = listen, *end = colon;
	if (*start == '[' && end > start && end[-1] == ']') {
		start++;
		end--;
	}
	if ((size_t)(end - start) >= 256)
		return false;
	memcpy(host, start, (size_t)(end - start));
	host[end - start] = '\0';
	*out_port = colon + 1;
	return true;
}

static int open_socket(const char *listen, int *out_fd, int *out_port, struct fx_error *err)
{
	char host[256];
	const char *port;
	if (!split_listen(listen, host, &port))
		return fx_fail(err, FX_E_INVALID, "'%s' is not an address to listen on", listen);
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
	struct addrinfo *found = NULL;
	int rc = getaddrinfo(*host ? host : NULL, port, &hints, &found);
	if (rc != 0)
		return fx_fail(err, FX_E_INVALID, "cannot listen on '%s': %s", listen, gai_strerror(rc));
	int fd = -1, saved = 0;
	/* With no host, IPv6 first: its socket takes both. */
	for (int pass = *host ? 1 : 0; fd < 0 && pass < 2; pass++)
		for (struct addrinfo *ai = found; ai && fd < 0; ai = ai->ai_next) {
			if (pass == 0 && ai->ai_family != AF_INET6)
				continue;
			fd = bind_one(ai);
			saved = errno;
		}
	freeaddrinfo(found);
	if (fd < 0) {
		errno = saved;
		return fx_fail_errno(err, "cannot listen on '%s'", listen);
	}
	struct sockaddr_in6 address = {0}; /* the port is at the same place in both families */
	socklen_t len = sizeof(address);
	if (getsockname(fd, (struct sockaddr *)&address, &len) < 0) {
		fx_fail_errno(err, "asking for the port of '%s'", listen);
		close(fd);
		return -FX_E_IO;
	}
	*out_fd = fd;
	*out_port = ntohs(address.sin6_port);
	return 0;
}

static struct MHD_Daemon *start_daemon(struct fx_server *server, const struct fx_server_options *o, int fd)
{
	bool tls = o->cert_pem && o->key_pem;
	struct MHD_OptionItem tls_items[] = {
	        {MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)o->cert_pem},
	        {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)o->key_pem},
	        {MHD_OPTION_END, 0, NULL},
	};
	struct MHD_OptionItem pool_items[] = {
	        {MHD_OPTION_THREAD_POOL_SIZE, o->threads, NULL},
	        {MHD_OPTION_END, 0, NULL},
	};
	struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
	unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | (tls ? MHD_USE_TLS : 0);
	return fx_mhd()->start_daemon(flags, 0, NULL, NULL, on_request, server, MHD_OPTION_LISTEN_SOCKET, fd,
	        MHD_OPTION_URI_LOG_CALLBACK, begin_request, server, MHD_OPTION_NOTIFY_COMPLETED, end_request,
	        server, MHD_OPTION_UNESCAPE_CALLBACK, leave_escapes, NULL, MHD_OPTION_CONNECTION_LIMIT,
	        (unsigned)(o->max_connections ? o->max_connections : MAX_CONNECTIONS),
	        MHD_OPTION_CONNECTION_TIMEOUT,
	        (unsigned)(o->idle_timeout_s ? o->idle_timeout_s : IDLE_TIMEOUT_S),
	        MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY_BYTES, MHD_OPTION_ARRAY,
	        tls ? tls_items : none, MHD_OPTION_ARRAY, o->threads > 1 ? pool_items : none, MHD_OPTION_END);
}

int fx_server_new(const struct fx_server_options *options, struct fx_server **out, struct fx_error *err)
{
	struct fx_server *server = calloc(1, sizeof(*server));
	if (!server)
		return fx_fail_nomem(err);
	fx_auto(fd) int fd = -1;
	int rc = open_socket(options->listen, &fd, &server->port, err);
	if (rc) {
		free(server);
		return rc;
	}
	server->max_body_bytes = options->max_body_bytes ? options->max_body_bytes : MAX_BODY_BYTES;
	server->handle = options->handle;
	server->arg = options->arg;
	server->epoll_fd = server->stop_fd = -1;
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_mutex_init(&server->lock, NULL);
	pthread_cond_init(&server->changed, &attr);
	pthread_condattr_destroy(&attr);
	server->daemon = start_daemon(server, options, fd);
	if (!server->daemon) {
		pthread_cond_destroy(&server->changed);
		pthread_mutex_destroy(&server->lock);
		free(server);
		return fx_fail(err, FX_E_IO, "cannot serve on '%s'%s", options->listen,
		        options->cert_pem ? ": is the certificate and its key valid?" : "");
	}
	fx_take_fd(&fd);
	*out = server;
	return 0;
}

int fx_server_port(const struct fx_server *server)
{
	return server->port;
}

void fx_server_free(struct fx_server *server, int grace_ms)
{
	if (!server)
		return;
	int fd = fx_mhd()->quiesce_daemon(server->daemon);
	int64_t until_ms = fx_now_ms() + grace_ms;
	struct timespec until = {
	        .tv_sec = (time_t)(until_ms / 1000), .tv_nsec = (long)(until_ms % 1000) * 1000000};
	pthread_mutex_lock(&server->lock);
	while (server->running > 0 && fx_now_ms() < until_ms)
		pthread_cond_timedwait(&server->changed, &server->lock, &until);
	pthread_mutex_unlock(&server->lock);
	fx_server_stop_streams(server);
	fx_mhd()->stop_daemon(server->daemon);
	if (fd >= 0)
		close(fd);
	pthread_cond_destroy(&server->changed);
	pthread_mutex_destroy(&server->lock);
	free(server);
}

const char *fx_server_method(const struct fx_server_request *request)
{
	return request->method;
}

const char *fx_server_path(const struct fx_server_request *request)
{
	return request->path;
}

const char *fx_server_raw_query(const struct fx_server_request *request)
{
	return request->query;
}

static struct fx_server_field *make_field(const char *name, const char *value)
{
	size_t name_size = strlen(name) + 1, value_size = strlen(value) + 1;
	struct fx_server_field *field = malloc(sizeof(*field) + name_size + value_size);
	if (!field)
		return NULL;
	char *text = (char *)(field + 1);
	field->name = memcpy(text, name, name_size);
	field->value = memcpy(text + name_size, value, value_size);
	return field;
}

/* The decoded value of the first key=value pair of that name. */
static char *find_query(const char *query, const char *key)
{
	while (*query) {
		size_t len = strcspn(query, "&");
		size_t name_len = strcspn(query, "=&");
		fx_autofree char *name = decode(query, name_len, true);
		if (name && strcmp(name, key) == 0)
			return name_len < len ? decode(query + name_len + 1, len - name_len - 1, true)
			                      : strdup("");
		query += len + (query[len] == '&');
	}
	return NULL;
}

const char *fx_server_query(const struct fx_server_request *request, const char *key)
{
	for (struct fx_server_field *q = request->queries; q; q = q->next)
		if (strcmp(q->name, key) == 0)
			return q->value;
	fx_autofree char *value = find_query(request->query, key);
	struct fx_server_field *field = value ? make_field(key, value) : NULL;
	if (!field)
		return NULL;
	/* Only a memory of what was decoded: the request itself is as it was. */
	struct fx_server_request *mutable = (struct fx_server_request *)(uintptr_t)request;
	field->next = mutable->queries;
	mutable->queries = field;
	return field->value;
}

const char *fx_server_header(const struct fx_server_request *request, const char *name)
{
	return fx_mhd()->lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

const char *fx_server_body(const struct fx_server_request *request, size_t *out_len)
{
	if (out_len)
		*out_len = request->body.len;
	return fx_buf_str(&request->body);
}

void fx_server_add_header(struct fx_server_request *request, const char *name, const char *value)
{
	struct fx_server_field *field = make_field(name, value);
	if (!field)
		return;
	struct fx_server_field **at = &request->fields;
	while (*at)
		at = &(*at)->next;
	field->next = NULL;
	*at = field;
}

void fx_server_queue(struct fx_server_request *request, int status, const char *content_type,
        struct MHD_Response *response)
{
	request->answered = true;
	request->queued = MHD_NO; /* closes the connection */
	if (!response)
		return;
	if (content_type)
		fx_mhd()->add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
	for (struct fx_server_field *f = request->fields; f; f = f->next)
		fx_mhd()->add_response_header(response, f->name, f->value);
	request->queued = fx_mhd()->queue_response(request->connection, (unsigned)status, response);
	fx_mhd()->destroy_response(response);
}

void fx_server_reply(
        struct fx_server_request *request, int status, const char *content_type, const void *body, size_t len)
{
	if (request->answered)
		return;
	fx_server_queue(request, status, content_type,
	        fx_mhd()->create_response_from_buffer(
	                len, (void *)(uintptr_t)(len ? body : ""), MHD_RESPMEM_MUST_COPY));
}

void fx_server_replyf(struct fx_server_request *request, int status, const char *fmt, ...)
{
	fx_auto(buf) struct fx_buf buf = FX_BUF_INIT;
	va_list ap;
	va_start(ap, fmt);
	fx_buf_addv(&buf, fmt, ap);
	va_end(ap);
	fx_server_reply(request, status, "text/plain; charset=utf-8", fx_buf_str(&buf), buf.len);
}

void fx_server_reply_fd(struct fx_server_request *request, int status, const char *content_type, int fd,
        uint64_t offset, uint64_t len)
{
	struct MHD_Response *response =
	        request->answered ? NULL : fx_mhd()->create_response_from_fd_at_offset64(len, fd, offset);
	if (!response)
		close(fd);
	if (!request->answered)
		fx_server_queue(request, status, content_type, response);
}
