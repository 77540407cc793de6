#include "kube/config.h"

#include "data/jansson.h"
#include "kube/config_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define SERVICE_ACCOUNT_DIRECTORY "/var/run/secrets/kubernetes.io/serviceaccount"

static void list_free(char **list)
{
	for (char **item = list; item && *item; item++)
		free(*item);
	free(list);
}

/* Frees a text that may be a secret. */
static void secret_free(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

void fx_kube_config_free(struct fx_kube_config *config)
{
	if (!config)
		return;
	free(config->server);
	free(config->namespace_);
	free(config->ca_pem);
	free(config->ca_file);
	free(config->cert_pem);
	secret_free(config->key_pem);
	free(config->tls_server_name);
	secret_free(config->token);
	free(config->token_file);
	free(config->username);
	secret_free(config->password);
	free(config->proxy_url);
	free(config->impersonate_user);
	if (config->exec) {
		free(config->exec->api_version);
		free(config->exec->command);
		list_free(config->exec->args);
		list_free(config->exec->env);
		free(config->exec);
	}
	free(config);
}

int fx_kube_read_file(const char *path, struct fx_buf *out, struct fx_error *err)
{
	fx_auto(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fx_fail_errno(err, "cannot open %s", path);
	for (;;) {
		char piece[8192];
		ssize_t n = read(fd, piece, sizeof(piece));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fx_fail_errno(err, "cannot read %s", path);
		if (n == 0)
			break;
		if (out->len + (size_t)n > FX_KUBE_CONFIG_MAX)
			return fx_fail(
			        err, FX_E_LIMIT, "%s is larger than %d bytes", path, FX_KUBE_CONFIG_MAX);
		fx_buf_add(out, piece, (size_t)n);
	}
	return fx_buf_failed(out) ? fx_fail_nomem(err) : 0;
}

/* A file of the service account as a text without white space at its end. */
static int read_account_file(const char *directory, const char *name, char **out, struct fx_error *err)
{
	struct fx_buf path = FX_BUF_INIT, text = FX_BUF_INIT;
	fx_buf_addf(&path, "%s/%s", directory, name);
	int rc = fx_buf_failed(&path) ? fx_fail_nomem(err) : fx_kube_read_file(fx_buf_str(&path), &text, err);
	fx_buf_release(&path);
	if (rc == 0) {
		while (text.len > 0 && strchr(" \t\r\n", text.data[text.len - 1]))
			fx_buf_truncate(&text, text.len - 1);
		*out = strdup(fx_buf_str(&text));
		rc = *out ? 0 : fx_fail_nomem(err);
	}
	fx_buf_release(&text);
	return rc;
}

static char *join(const char *a, const char *b, const char *c, const char *d)
{
	struct fx_buf buf = FX_BUF_INIT;
	fx_buf_addf(&buf, "%s%s%s%s", a, b, c, d);
	char *text = fx_buf_take(&buf, NULL);
	fx_buf_release(&buf);
	return text;
}

int fx_kube_config_in_cluster(const char *directory, struct fx_kube_config **out, struct fx_error *err)
{
	const char *host = getenv("KUBERNETES_SERVICE_HOST");
	const char *port = getenv("KUBERNETES_SERVICE_PORT");
	if (!host || !*host || !port || !*port)
		return fx_fail(err, FX_E_NOT_FOUND,
		        "not in a cluster: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set");
	if (!directory)
		directory = SERVICE_ACCOUNT_DIRECTORY;
	fx_auto(kube_config) struct fx_kube_config *config = calloc(1, sizeof(*config));
	if (!config)
		return fx_fail_nomem(err);
	/* An IPv6 address stands in brackets in a URL. */
	bool is_ipv6 = strchr(host, ':') != NULL;
	fx_autofree char *address = join(is_ipv6 ? "[" : "", host, is_ipv6 ? "]" : "", "");
	config->server = address ? join("https://", address, ":", port) : NULL;
	config->token_file = join(directory, "/", "token", "");
	config->ca_file = join(directory, "/", "ca.crt", "");
	if (!config->server || !config->token_file || !config->ca_file)
		return fx_fail_nomem(err);
	fx_autofree char *token = NULL;
	int rc = read_account_file(directory, "token", &token, err);
	if (rc == 0)
		rc = read_account_file(directory, "ca.crt", &config->ca_pem, err);
	if (rc < 0)
		return rc;
	/* A pod may run without the namespace file; its absence matters only to who asks for it. */
	if (read_account_file(directory, "namespace", &config->namespace_, NULL) < 0)
		config->namespace_ = NULL;
	*out = fx_take(config);
	return 0;
}

int fx_kube_config_load(const char *path, struct fx_kube_config **out, struct fx_error *err)
{
	const char *list = getenv("KUBECONFIG");
	const char *home = getenv("HOME");
	if (path && *path)
		return fx_kube_config_read(path, NULL, out, err);
	if (list && *list)
		return fx_kube_config_read(list, NULL, out, err);
	if (getenv("KUBERNETES_SERVICE_HOST"))
		return fx_kube_config_in_cluster(NULL, out, err);
	fx_autofree char *own = home ? join(home, "/.kube/config", "", "") : NULL;
	if (own && access(own, F_OK) == 0)
		return fx_kube_config_read(own, NULL, out, err);
	return fx_fail(err, FX_E_NOT_FOUND,
	        "no Kubernetes configuration: KUBECONFIG is not set, there is no ~/.kube/config, and this is "
	        "no pod");
}

int fx_kube_own_namespace(char **out, struct fx_error *err)
{
	const char *name = getenv("RUNTIME_NAMESPACE");
	if (name && *name) {
		*out = strdup(name);
		return *out ? 0 : fx_fail_nomem(err);
	}
	return read_account_file(SERVICE_ACCOUNT_DIRECTORY, "namespace", out, err);
}
