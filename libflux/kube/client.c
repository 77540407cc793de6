#include "kube/client_internal.h"

#include "net/tls.h"

#include <string.h>

#define TIMEOUT_MS (30 * 1000)

static void shared_unref(struct fx_kube_shared *shared)
{
	if (!shared || atomic_fetch_sub(&shared->refs, 1) != 1)
		return;
	fx_kube_config_free(shared->config);
	free(shared->host);
	fx_limiter_release(&shared->limiter);
	pthread_mutex_destroy(&shared->lock);
	fx_kube_file_release(&shared->token_file);
	fx_kube_file_release(&shared->ca_file);
	free(shared);
}

struct fx_kube *fx_kube_ref(struct fx_kube *kube)
{
	atomic_fetch_add(&kube->refs, 1);
	return kube;
}

void fx_kube_unref(struct fx_kube *kube)
{
	if (!kube || atomic_fetch_sub(&kube->refs, 1) != 1)
		return;
	shared_unref(kube->shared);
	free(kube->user);
	free(kube);
}

static struct fx_kube *view_new(struct fx_kube_shared *shared, const char *user)
{
	struct fx_kube *kube = calloc(1, sizeof(*kube));
	if (!kube)
		return NULL;
	atomic_init(&kube->refs, 1);
	kube->user = user ? strdup(user) : NULL;
	if (user && !kube->user) {
		free(kube);
		return NULL;
	}
	atomic_fetch_add(&shared->refs, 1);
	kube->shared = shared;
	return kube;
}

/* "host:port" of the server's URL. */
static char *host_of(const char *server)
{
	const char *start = strstr(server, "://");
	start = start ? start + 3 : server;
	return strndup(start, strcspn(start, "/"));
}

static char *copy(const char *text, bool *failed)
{
	char *dup = text ? strdup(text) : NULL;
	if (text && !dup)
		*failed = true;
	return dup;
}

static char **copy_list(char *const *list, bool *failed)
{
	size_t count = 0;
	while (list && list[count])
		count++;
	char **dup = calloc(count + 1, sizeof(*dup));
	for (size_t i = 0; dup && i < count; i++)
		dup[i] = copy(list[i], failed);
	if (!dup)
		*failed = true;
	return dup;
}

static struct fx_kube_config *config_copy(const struct fx_kube_config *from)
{
	bool failed = false;
	struct fx_kube_config *to = calloc(1, sizeof(*to));
	if (!to)
		return NULL;
	to->server = copy(from->server, &failed);
	to->namespace_ = copy(from->namespace_, &failed);
	to->ca_pem = copy(from->ca_pem, &failed);
	to->ca_file = copy(from->ca_file, &failed);
	to->cert_pem = copy(from->cert_pem, &failed);
	to->key_pem = copy(from->key_pem, &failed);
	to->tls_server_name = copy(from->tls_server_name, &failed);
	to->insecure_skip_tls_verify = from->insecure_skip_tls_verify;
	to->token = copy(from->token, &failed);
	to->token_file = copy(from->token_file, &failed);
	to->username = copy(from->username, &failed);
	to->password = copy(from->password, &failed);
	to->proxy_url = copy(from->proxy_url, &failed);
	to->impersonate_user = copy(from->impersonate_user, &failed);
	to->disable_compression = from->disable_compression;
	if (from->exec) {
		to->exec = calloc(1, sizeof(*to->exec));
		if (to->exec) {
			to->exec->api_version = copy(from->exec->api_version, &failed);
			to->exec->command = copy(from->exec->command, &failed);
			to->exec->args = copy_list(from->exec->args, &failed);
			to->exec->env = copy_list(from->exec->env, &failed);
		} else {
			failed = true;
		}
	}
	if (!failed)
		return to;
	fx_kube_config_free(to);
	return NULL;
}

static struct fx_kube_shared *shared_new(
        const struct fx_kube_config *config, const struct fx_kube_options *options)
{
	struct fx_kube_shared *shared = calloc(1, sizeof(*shared));
	if (!shared)
		return NULL;
	atomic_init(&shared->refs, 1);
	shared->options = *options;
	fx_limiter_init(&shared->limiter, options->qps, options->burst);
	pthread_mutex_init(&shared->lock, NULL);
	shared->config = config_copy(config);
	shared->host = host_of(config->server);
	if (!shared->config || !shared->host) {
		shared_unref(shared);
		return NULL;
	}
	shared->token_file = (struct fx_kube_file){.path = shared->config->token_file};
	shared->ca_file = (struct fx_kube_file){.path = shared->config->ca_file, .check = fx_tls_check_ca};
	return shared;
}

/* Priority and fairness on the server makes a limit here pointless. Any failure leaves the limit
 * as it is: the next real request will report it. Source: runtime reference, section 13.1. */
static void ask_flow_control(struct fx_kube *kube)
{
	const struct fx_kube_request request = {.method = "HEAD", .path = "/livez/ping"};
	fx_auto(http_response) struct fx_http_response *response = NULL;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct fx_kube_prepared prepared;

	if (fx_kube_prepare(kube, &request, NULL, &prepared, &err) < 0)
		return;
	if (fx_http_do(kube->shared->options.http, &prepared.http, NULL, &response, &err) == 0 &&
	        fx_http_response_header(response, "x-kubernetes-pf-flowschema-uid"))
		fx_limiter_open(&kube->shared->limiter);
	fx_kube_count(kube, response ? response->status : 0, "HEAD");
	fx_kube_prepared_release(&prepared);
}

int fx_kube_new(const struct fx_kube_config *config, const struct fx_kube_options *options,
        struct fx_kube **out, struct fx_error *err)
{
	if (!config->server || !*config->server)
		return fx_fail(err, FX_E_INVALID, "the Kubernetes configuration names no server");
	if (config->exec)
		return fx_fail(err, FX_E_UNSUPPORTED,
		        "the kubeconfig's user gets credentials from the plugin '%.200s', which is not "
		        "supported: use a token, a token file or a client certificate",
		        config->exec->command ? config->exec->command : "");
	struct fx_kube_shared *shared = shared_new(config, options);
	if (!shared)
		return fx_fail_nomem(err);
	struct fx_kube *kube = view_new(shared, config->impersonate_user);
	shared_unref(shared);
	if (!kube)
		return fx_fail_nomem(err);
	if (options->ask_flow_control && options->qps > 0)
		ask_flow_control(kube);
	*out = kube;
	return 0;
}

int fx_kube_as(struct fx_kube *kube, const char *user, struct fx_kube **out, struct fx_error *err)
{
	struct fx_kube *view = view_new(kube->shared, user);
	if (!view)
		return fx_fail_nomem(err);
	*out = view;
	return 0;
}

const char *fx_kube_server(const struct fx_kube *kube)
{
	return kube->shared->config->server;
}

void fx_kube_count(struct fx_kube *kube, int status, const char *method)
{
	const struct fx_kube_options *options = &kube->shared->options;
	char code[16] = "<error>";
	if (!options->on_request)
		return;
	if (status > 0)
		snprintf(code, sizeof(code), "%d", status);
	options->on_request(options->on_request_arg, code, method ? method : "GET", kube->shared->host);
}

static int find_token(struct fx_kube *kube, struct fx_cancel *cancel, char **out, struct fx_error *err)
{
	struct fx_kube_shared *shared = kube->shared;
	*out = NULL;
	if (shared->options.token)
		return shared->options.token(shared->options.token_arg, cancel, out, err);
	if (shared->config->token_file) {
		*out = fx_kube_file_text(shared, &shared->token_file);
		if (!*out)
			return fx_fail(err, FX_E_UNAUTHORIZED, "cannot read the token file %s",
			        shared->config->token_file);
	} else if (shared->config->token) {
		*out = strdup(shared->config->token);
		if (!*out)
			return fx_fail_nomem(err);
	}
	return 0;
}

static void add_header(struct fx_kube_prepared *prepared, const char *name, const char *value)
{
	prepared->headers[prepared->http.header_count++] = (struct fx_http_header){name, value};
}

static char *make_url(const struct fx_kube_config *config, const struct fx_kube_request *request)
{
	struct fx_buf url = FX_BUF_INIT;
	fx_buf_add_str(&url, config->server);
	fx_buf_add_str(&url, request->path);
	if (request->query && *request->query)
		fx_buf_addf(&url, "?%s", request->query);
	char *text = fx_buf_take(&url, NULL);
	fx_buf_release(&url);
	return text;
}

int fx_kube_prepare(struct fx_kube *kube, const struct fx_kube_request *request, struct fx_cancel *cancel,
        struct fx_kube_prepared *out, struct fx_error *err)
{
	const struct fx_kube_config *config = kube->shared->config;
	int default_ms = kube->shared->options.timeout_ms > 0 ? kube->shared->options.timeout_ms : TIMEOUT_MS;

	memset(out, 0, sizeof(*out));
	int rc = find_token(kube, cancel, &out->token, err);
	if (rc < 0)
		return rc;
	out->url = make_url(config, request);
	if (!out->url) {
		fx_kube_prepared_release(out);
		return fx_fail_nomem(err);
	}
	if (config->ca_file)
		out->ca = fx_kube_file_text(kube->shared, &kube->shared->ca_file);
	out->tls = (struct fx_tls){
	        .ca_pem = out->ca ? out->ca : config->ca_pem,
	        .cert_pem = config->cert_pem,
	        .key_pem = config->key_pem,
	        .server_name = config->tls_server_name,
	        .insecure = config->insecure_skip_tls_verify,
	};
	out->http = (struct fx_http_request){
	        .method = request->method,
	        .url = out->url,
	        .headers = out->headers,
	        .body = request->body,
	        .body_len = request->body_len,
	        .tls = &out->tls,
	        .proxy = config->proxy_url,
	        .bearer = out->token,
	        .user = out->token ? NULL : config->username,
	        .password = out->token ? NULL : config->password,
	        .timeout_ms = request->timeout_ms > 0 ? request->timeout_ms : default_ms,
	        .max_body_bytes = FX_KUBE_BODY_MAX,
	        .accept_gzip = !config->disable_compression,
	};
	add_header(out, "Accept", request->accept ? request->accept : FX_KUBE_JSON);
	if (request->body)
		add_header(out, "Content-Type", request->content_type ? request->content_type : FX_KUBE_JSON);
	if (kube->user)
		add_header(out, "Impersonate-User", kube->user);
	return 0;
}

void fx_kube_prepared_release(struct fx_kube_prepared *prepared)
{
	if (prepared->token)
		explicit_bzero(prepared->token, strlen(prepared->token));
	free(prepared->token);
	free(prepared->url);
	free(prepared->ca);
	prepared->token = prepared->url = prepared->ca = NULL;
}
