#include "net/tls.h"

#include "core/buf.h"
#include "core/map.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define CERT_BEGIN "-----BEGIN CERTIFICATE-----"
#define CERT_END "-----END CERTIFICATE-----"
/* One file in a directory of certificates, and how many are looked at. */
#define FILE_MAX (1024 * 1024)
#define FILES_MAX 4096

/* Where distributions keep them, in the order of Go's crypto/x509. */
static const char *const bundles[] = {
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/ca-bundle.pem",
        "/etc/pki/tls/cacert.pem",
        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
        "/etc/ssl/cert.pem",
};
static const char default_dirs[] = "/etc/ssl/certs:/etc/pki/tls/certs";

/* Reads a whole regular file; false when it cannot be read or is too large. */
static bool read_file(int dir, const char *path, struct fx_buf *out)
{
	struct stat st;
	fx_auto(fd) int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || !fx_buf_reserve(out, (size_t)st.st_size))
		return false;
	for (;;) {
		if (!fx_buf_reserve(out, 4096))
			return false;
		ssize_t got = read(fd, out->data + out->len, out->cap - out->len - 1);
		if (got <= 0)
			return got == 0;
		out->len += (size_t)got;
		out->data[out->len] = '\0';
	}
}

/* Calls fn for each certificate of a PEM text: where it starts, its length with the markers. */
static bool each_cert(const char *pem, bool (*fn)(void *arg, const char *cert, size_t len), void *arg)
{
	const char *begin;
	while ((begin = strstr(pem, CERT_BEGIN))) {
		const char *end = strstr(begin, CERT_END);
		if (!end)
			return true;
		pem = end + strlen(CERT_END);
		if (!fn(arg, begin, (size_t)(pem - begin)))
			return false;
	}
	return true;
}

struct trust {
	struct fx_map seen;  /* base64 of each certificate, without white space */
	struct fx_buf extra; /* those of the directories that the bundle does not have */
	bool in_bundle;
};

static bool add_cert(void *arg, const char *cert, size_t len)
{
	struct trust *trust = arg;
	fx_auto(buf) struct fx_buf key = FX_BUF_INIT;
	fx_buf_reserve(&key, len);
	for (const char *c = cert + strlen(CERT_BEGIN); c < cert + len - strlen(CERT_END); c++)
		if (!isspace((unsigned char)*c))
			fx_buf_add_char(&key, *c);
	if (fx_buf_failed(&key))
		return false;
	if (fx_map_has(&trust->seen, fx_buf_str(&key)))
		return true;
	if (!fx_map_set(&trust->seen, fx_buf_str(&key), trust))
		return false;
	if (!trust->in_bundle) {
		fx_buf_add(&trust->extra, cert, len);
		fx_buf_add_char(&trust->extra, '\n');
	}
	return !fx_buf_failed(&trust->extra);
}

static bool add_dir(struct trust *trust, const char *path)
{
	DIR *dir = opendir(path);
	if (!dir)
		return true;
	bool ok = true;
	struct dirent *entry;
	for (int i = 0; ok && i < FILES_MAX && (entry = readdir(dir)); i++) {
		fx_auto(buf) struct fx_buf text = FX_BUF_INIT_MAX(FILE_MAX);
		if (entry->d_name[0] != '.' && read_file(dirfd(dir), entry->d_name, &text))
			ok = each_cert(fx_buf_str(&text), add_cert, trust);
	}
	closedir(dir);
	return ok;
}

static bool add_dirs(struct trust *trust, const char *dirs)
{
	bool ok = true;
	while (ok && *dirs) {
		size_t len = strcspn(dirs, ":");
		fx_autofree char *path = strndup(dirs, len);
		ok = path && (!len || add_dir(trust, path));
		dirs += len + (dirs[len] == ':');
	}
	return ok;
}

static const char *environment(const char *name)
{
	const char *value = getenv(name);
	return value && *value ? value : NULL;
}

/* The bundle's text and name; NULL when there is none. */
static const char *read_bundle(struct fx_buf *text)
{
	const char *named = environment("SSL_CERT_FILE");
	if (named)
		return read_file(AT_FDCWD, named, text) ? named : NULL;
	for (size_t i = 0; i < FX_COUNT(bundles); i++) {
		if (read_file(AT_FDCWD, bundles[i], text))
			return bundles[i];
		fx_buf_clear(text);
	}
	return NULL;
}

/* Bundle and extras; *out_file borrowed. */
static int find_trust(const char **out_file, struct fx_buf *bundle, struct trust *trust, struct fx_error *err)
{
	const char *dirs = environment("SSL_CERT_DIR");
	*out_file = read_bundle(bundle);
	trust->in_bundle = true;
	bool ok = !*out_file || each_cert(fx_buf_str(bundle), add_cert, trust);
	trust->in_bundle = false;
	ok = ok && add_dirs(trust, dirs ? dirs : default_dirs);
	if (!ok || fx_buf_failed(&trust->extra))
		return fx_fail(
		        err, FX_E_LIMIT, "more than %d bytes of trusted certificates", FX_TLS_TRUST_MAX);
	return 0;
}

static void release_trust(struct trust *trust)
{
	fx_map_release(&trust->seen);
	fx_buf_release(&trust->extra);
}

int fx_tls_system_trust(char **out_file, char **out_pem, struct fx_error *err)
{
	fx_auto(buf) struct fx_buf bundle = FX_BUF_INIT_MAX(FX_TLS_TRUST_MAX);
	fx_cleanup(release_trust) struct trust trust = {.extra = FX_BUF_INIT_MAX(FX_TLS_TRUST_MAX)};
	const char *file;
	int rc = find_trust(&file, &bundle, &trust, err);
	if (rc)
		return rc;
	char *name = NULL, *pem = NULL;
	if (trust.extra.len) {
		fx_buf_add_char(&bundle, '\n');
		fx_buf_add(&bundle, trust.extra.data, trust.extra.len);
		pem = fx_buf_take(&bundle, NULL);
	} else if (file) {
		name = strdup(file);
	}
	if ((trust.extra.len || file) && !name && !pem)
		return fx_fail_nomem(err);
	*out_file = name;
	*out_pem = pem;
	return 0;
}

int fx_tls_system_and(const char *ca_pem, char **out, struct fx_error *err)
{
	fx_auto(buf) struct fx_buf bundle = FX_BUF_INIT_MAX(FX_TLS_TRUST_MAX);
	fx_cleanup(release_trust) struct trust trust = {.extra = FX_BUF_INIT_MAX(FX_TLS_TRUST_MAX)};
	const char *file;
	int rc = find_trust(&file, &bundle, &trust, err);
	if (rc)
		return rc;
	fx_buf_addf(&bundle, "\n%s\n%s", fx_buf_str(&trust.extra), ca_pem);
	*out = fx_buf_take(&bundle, NULL);
	return *out ? 0
	            : fx_fail(err, FX_E_LIMIT, "more than %d bytes of trusted certificates",
	                      FX_TLS_TRUST_MAX);
}
