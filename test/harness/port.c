#include "test/harness/port.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>

/* Below the range from which the kernel takes the local ports of outgoing connections. */
#define FIRST 15000
#define COUNT 17000

static bool is_free(int port)
{
	fx_auto(fd) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in address = {.sin_family = AF_INET,
	        .sin_port = htons((uint16_t)port),
	        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	return fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
}

/* Takes the port among all test programs of the machine: a name that ends with this process. */
static bool reserve(int port)
{
	fx_auto(fd) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	/* In the abstract namespace: the name begins with a NUL. */
	int len = snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "fx-test-port-%d", port);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address,
	                      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len)) < 0)
		return false;
	fx_take_fd(&fd);
	return true;
}

int fx_test_free_port(int *out, struct fx_error *err)
{
	uint32_t start = 0;
	if (getrandom(&start, sizeof(start), 0) != sizeof(start))
		return fx_fail_errno(err, "looking for a free port");
	for (uint32_t i = 0; i < COUNT; i++) {
		int port = FIRST + (int)((start % COUNT + i) % COUNT);
		if (reserve(port) && is_free(port)) {
			*out = port;
			return 0;
		}
	}
	return fx_fail(err, FX_E_UNAVAILABLE, "no free port");
}
