#include "test/harness/port.h"

#include <arpa/inet.h>
#include <sys/socket.h>

int fx_test_free_port(int *out, struct fx_error *err)
{
	fx_auto(fd) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) < 0 ||
	        getsockname(fd, (struct sockaddr *)&address, &len) < 0)
		return fx_fail_errno(err, "looking for a free port");
	*out = ntohs(address.sin_port);
	return 0;
}
