#include "net/tls.h"

#include "core/buf.h"

#include <fcntl.h>
#include <string.h>

/* Where distributions keep them, in the order of Go's crypto/x509. */
static const char *const bundles[] = {
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/ca-bundle.pem",
        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
        "/etc/ssl/cert.pem",
};

/* Appends a file; false when it cannot be read. */
static bool add_file(struct fx_buf *buf, const char *path)
{
	fx_auto(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	for (;;) {
		if (!fx_buf_reserve(buf, 64 * 1024))
			return false;
		ssize_t got = read(fd, buf->data + buf->len, 64 * 1024);
		if (got <= 0)
			return got == 0;
		buf->len += (size_t)got;
		buf->data[buf->len] = '\0';
	}
}

int fx_tls_system_and(const char *ca_pem, char **out, struct fx_error *err)
{
	fx_auto(buf) struct fx_buf buf = FX_BUF_INIT_MAX(FX_TLS_TRUST_MAX);
	const char *file = getenv("SSL_CERT_FILE");
	if (file && *file)
		add_file(&buf, file);
	for (size_t i = 0; i < FX_COUNT(bundles) && !(file && *file); i++)
		if (add_file(&buf, bundles[i]))
			break;
	fx_buf_add_char(&buf, '\n');
	fx_buf_add_str(&buf, ca_pem);
	*out = fx_buf_take(&buf, NULL);
	return *out ? 0
	            : fx_fail(err, FX_E_LIMIT, "more than %d bytes of trusted certificates",
	                      FX_TLS_TRUST_MAX);
}
