/* What the tests of net/ share: a loop with a client, and raw sockets. */
#ifndef FX_TEST_NET_H
#define FX_TEST_NET_H

#include "../unit.h"

#include "core/clock.h"
#include "net/http.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

struct net {
	struct fx_loop *loop;
	struct fx_http_client *client;
};

static inline void net_open(struct net *net)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	ck_assert_ok(fx_loop_new(&net->loop, &err), &err);
	ck_assert_ok(fx_http_client_new(net->loop, "flux-test/1", &net->client, &err), &err);
}

static inline void net_close(struct net *net)
{
	fx_http_client_free(net->client);
	fx_loop_free(net->loop);
}

/* A box that other threads add to and the test waits for. */
struct box {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int count;
};

#define BOX_INIT                                                                                             \
	{                                                                                                    \
		.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER                       \
	}

static inline void box_add(void *arg)
{
	struct box *box = arg;
	pthread_mutex_lock(&box->lock);
	box->count++;
	pthread_cond_broadcast(&box->changed);
	pthread_mutex_unlock(&box->lock);
}

/* The deadline is that of the test case. */
static inline void box_wait(struct box *box, int count)
{
	pthread_mutex_lock(&box->lock);
	while (box->count < count)
		pthread_cond_wait(&box->changed, &box->lock);
	pthread_mutex_unlock(&box->lock);
}

/* Connects to a port of 127.0.0.1. */
static inline int raw_connect(int port)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in a = {.sin_family = AF_INET,
	        .sin_port = htons((uint16_t)port),
	        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

/* Listens on a free port of 127.0.0.1. */
static inline int raw_listen(int *out_port)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_int_eq(listen(fd, 16), 0);
	getsockname(fd, (struct sockaddr *)&a, &len);
	*out_port = ntohs(a.sin_port);
	return fd;
}

static inline void raw_send(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t sent = send(fd, data, len, MSG_NOSIGNAL);
		if (sent <= 0)
			return;
		data += sent;
		len -= (size_t)sent;
	}
}

/* Reads until the peer closes, the text is there, or the buffer is full. */
static inline size_t raw_read_until(int fd, const char *text, char *buf, size_t cap)
{
	size_t len = 0;
	buf[0] = '\0';
	while (len + 1 < cap && !(text && strstr(buf, text))) {
		ssize_t got = recv(fd, buf + len, cap - 1 - len, 0);
		if (got <= 0)
			break;
		len += (size_t)got;
		buf[len] = '\0';
	}
	return len;
}

#endif
