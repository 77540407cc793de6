#include "test/harness/peer.h"

#include "core/buf.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#define REQUEST_MAX (1024 * 1024)
/* Of a fetch's answer: behind the head and the first lines, inside of the pack. */
#define CUT_AT 5000
/* Longer than a fetch may take before its progress is shown in the status. */
#define SLOW_MS 1500

struct connection {
	struct fx_test_peer *peer;
	int fd;
	struct fx_buf request;
	char mode[32];
	const char *path; /* without the mode; in request */
	bool fetch;
};

static void send_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
		if (n <= 0)
			return;
		data += n;
		len -= (size_t)n;
	}
}

static void send_text(int fd, const char *text)
{
	send_all(fd, text, strlen(text));
}

/* Waits for bytes; false when the test stops. */
static bool wait_for(struct fx_test_peer *peer, int fd)
{
	struct pollfd p[2] = {{.fd = fd, .events = POLLIN}, {.fd = peer->stop[0], .events = POLLIN}};
	while (poll(p, 2, -1) < 0 && errno == EINTR) {
	}
	return !p[1].revents;
}

/* Lets the time pass; false when the test stops. */
static bool pause_for(struct fx_test_peer *peer, int ms)
{
	struct pollfd p = {.fd = peer->stop[0], .events = POLLIN};
	return poll(&p, 1, ms) == 0;
}

static size_t content_length(const char *head)
{
	const char *at = strcasestr(head, "\r\ncontent-length:");
	return at ? strtoul(at + 17, NULL, 10) : 0;
}

static bool read_request(struct connection *c)
{
	char part[16384];
	for (;;) {
		const char *end = c->request.len ? strstr(c->request.data, "\r\n\r\n") : NULL;
		if (end && c->request.len >=
		                   (size_t)(end + 4 - c->request.data) + content_length(c->request.data))
			return true;
		if (!wait_for(c->peer, c->fd))
			return false;
		ssize_t n = recv(c->fd, part, sizeof(part), 0);
		if (n <= 0 || c->request.len > REQUEST_MAX)
			return false;
		fx_buf_add(&c->request, part, (size_t)n);
	}
}

/* "GET /MODE/rest HTTP/1.1" */
static bool parse_request(struct connection *c)
{
	const char *slash = strchr(c->request.data, '/');
	const char *next = slash ? strchr(slash + 1, '/') : NULL;
	if (!next || (size_t)(next - slash) > sizeof(c->mode))
		return false;
	memcpy(c->mode, slash + 1, (size_t)(next - slash - 1));
	c->path = next;
	c->fetch = memmem(c->request.data, c->request.len, "command=fetch", 13) != NULL;
	return true;
}

static int connect_behind(const struct fx_test_peer *peer)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
	        .sin_port = htons((uint16_t)peer->behind),
	        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

/* The request goes on with the mode taken out and the connection for one answer. */
static void forward(struct connection *c, int fd)
{
	fx_auto(buf) struct fx_buf out = FX_BUF_INIT;
	const char *method_end = strchr(c->request.data, ' ');
	fx_buf_add(&out, c->request.data, (size_t)(method_end + 1 - c->request.data));
	const char *line_end = strstr(c->path, "\r\n");
	fx_buf_add(&out, c->path, (size_t)(line_end - c->path));
	fx_buf_add_str(&out, "\r\nConnection: close");
	fx_buf_add(&out, line_end, c->request.len - (size_t)(line_end - c->request.data));
	send_all(fd, out.data, out.len);
}

/* What the real server says, changed as the mode has it. */
static void relay(struct connection *c)
{
	fx_auto(fd) int fd = connect_behind(c->peer);
	char part[16384];
	size_t total = 0;
	bool cut = c->fetch && strcmp(c->mode, "cut") == 0;
	bool corrupt = c->fetch && strcmp(c->mode, "corrupt") == 0;
	bool slow = c->fetch && strcmp(c->mode, "slow") == 0;
	if (fd < 0)
		return;
	forward(c, fd);
	while (wait_for(c->peer, fd)) {
		ssize_t n = recv(fd, part, sizeof(part), 0);
		if (n <= 0)
			return;
		size_t len = (size_t)n;
		if (corrupt && total <= CUT_AT && total + len > CUT_AT)
			part[CUT_AT - total] ^= 0x55;
		if (cut && total + len > CUT_AT)
			len = CUT_AT - total;
		if (slow && total <= CUT_AT && total + len > CUT_AT && !pause_for(c->peer, SLOW_MS))
			return;
		send_all(c->fd, part, len);
		total += len;
		if (cut && total >= CUT_AT)
			return;
	}
}

static const char advertisement[] =
        "HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\n"
        "Connection: close\r\n\r\n";

static void send_badpkt(struct connection *c)
{
	send_text(c->fd, advertisement);
	send_text(c->fd, "zzzzthis is not a pkt-line");
}

static void send_endless(struct connection *c)
{
	enum { LINE = 0x4d, LINES = 500 };
	char block[LINE * LINES + 1];
	send_text(c->fd, advertisement);
	send_text(c->fd, "001e# service=git-upload-pack\n0000");
	/* In blocks: the other side is to be what is slow, also under a sanitizer. */
	for (unsigned i = 0;;) {
		struct pollfd p[2] = {
		        {.fd = c->fd, .events = POLLOUT}, {.fd = c->peer->stop[0], .events = POLLIN}};
		for (int at = 0; at < LINE * LINES; at += LINE, i++)
			snprintf(block + at, LINE + 1, "004d%040x refs/heads/%08x-------------", i + 1, i);
		if (poll(p, 2, -1) <= 0 || p[1].revents ||
		        send(c->fd, block, sizeof(block) - 1, MSG_NOSIGNAL) < (ssize_t)sizeof(block) - 1)
			return;
	}
}

/* Protocol 0: no further question is needed to know the head. */
static void send_ghost(struct connection *c)
{
	if (strncmp(c->request.data, "POST", 4) == 0) {
		relay(c);
		return;
	}
	static const char line[] = "dddddddddddddddddddddddddddddddddddddddd refs/heads/main";
	static const char capabilities[] = "side-band-64k ofs-delta shallow no-progress\n";
	char head[8];
	snprintf(head, sizeof(head), "%04zx", 4 + sizeof(line) + sizeof(capabilities) - 1);
	send_text(c->fd, advertisement);
	send_text(c->fd, "001e# service=git-upload-pack\n0000");
	send_text(c->fd, head);
	send_all(c->fd, line, sizeof(line));
	send_text(c->fd, capabilities);
	send_text(c->fd, "0000");
}

static void hang(struct connection *c)
{
	char byte;
	/* Until the other side or the test gives up. */
	while (wait_for(c->peer, c->fd) && recv(c->fd, &byte, 1, 0) > 0) {
	}
}

static void reset(struct connection *c)
{
	const struct linger now = {.l_onoff = 1};
	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

static void redirect_to_itself(struct connection *c)
{
	const char *target = strchr(c->request.data, '/');
	fx_auto(buf) struct fx_buf out = FX_BUF_INIT;
	fx_buf_addf(&out,
	        "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%d%.*s\r\nContent-Length: 0\r\n"
	        "Connection: close\r\n\r\n",
	        c->peer->port, (int)strcspn(target, " "), target);
	send_all(c->fd, out.data, out.len);
}

static void answer(struct connection *c)
{
	static const struct {
		const char *mode;
		void (*fn)(struct connection *c);
		const char *text;
	} modes[] = {
	        {"hang", hang, NULL},
	        {"reset", reset, NULL},
	        {"badpkt", send_badpkt, NULL},
	        {"endless", send_endless, NULL},
	        {"ghost", send_ghost, NULL},
	        {"loop", redirect_to_itself, NULL},
	        {"garbage", NULL, "\x16\x03\x01\x02 what is this\n\n\n"},
	        {"html", NULL,
	                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n"
	                "<html>Sign in</html>"},
	        {"500", NULL, "HTTP/1.1 500 Oops\r\nContent-Length: 4\r\nConnection: close\r\n\r\noops"},
	        {"503", NULL,
	                "HTTP/1.1 503 Away\r\nContent-Length: 0\r\nRetry-After: 1\r\nConnection: "
	                "close\r\n\r\n"},
	};
	if (c->fetch && strcmp(c->mode, "silent") == 0) {
		hang(c);
		return;
	}
	for (size_t i = 0; i < FX_COUNT(modes); i++) {
		if (strcmp(modes[i].mode, c->mode) != 0)
			continue;
		if (modes[i].fn)
			modes[i].fn(c);
		else
			send_text(c->fd, modes[i].text);
		return;
	}
	relay(c);
}

static void *serve(void *arg)
{
	struct connection *c = arg;
	if (read_request(c) && parse_request(c))
		answer(c);
	close(c->fd);
	fx_buf_release(&c->request);
	atomic_fetch_sub(&c->peer->open, 1);
	free(c);
	return NULL;
}

static void take_connection(struct fx_test_peer *peer)
{
	pthread_t thread;
	struct connection *c = calloc(1, sizeof(*c));
	if (!c)
		return;
	c->peer = peer;
	c->fd = accept4(peer->listener, NULL, NULL, SOCK_CLOEXEC);
	atomic_fetch_add(&peer->open, 1);
	if (c->fd >= 0 && pthread_create(&thread, NULL, serve, c) == 0) {
		pthread_detach(thread);
		return;
	}
	if (c->fd >= 0)
		close(c->fd);
	atomic_fetch_sub(&peer->open, 1);
	free(c);
}

static void *listen_on(void *arg)
{
	struct fx_test_peer *peer = arg;
	while (wait_for(peer, peer->listener))
		take_connection(peer);
	return NULL;
}

int fx_test_peer_start(struct fx_test_peer *peer, int behind, struct fx_error *err)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	*peer = (struct fx_test_peer){.behind = behind, .listener = -1};
	peer->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (peer->listener < 0 || bind(peer->listener, (struct sockaddr *)&address, len) < 0 ||
	        listen(peer->listener, 64) < 0 ||
	        getsockname(peer->listener, (struct sockaddr *)&address, &len) < 0 ||
	        pipe2(peer->stop, O_CLOEXEC) < 0)
		return fx_fail_errno(err, "listening");
	peer->port = ntohs(address.sin_port);
	if (pthread_create(&peer->thread, NULL, listen_on, peer) != 0)
		return fx_fail(err, FX_E_NOMEM, "cannot start a thread");
	return 0;
}

void fx_test_peer_stop(struct fx_test_peer *peer)
{
	if (!peer->port)
		return;
	/* The hang-up is seen by every thread. */
	close(peer->stop[1]);
	pthread_join(peer->thread, NULL);
	while (atomic_load(&peer->open) > 0)
		poll(NULL, 0, 1);
	close(peer->stop[0]);
	close(peer->listener);
	*peer = (struct fx_test_peer){0};
}
