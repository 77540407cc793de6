#include "kube/client_internal.h"

#include "core/clock.h"

#include <string.h>

/* A Status object is small; what is longer is a proxy's error page. */
#define ERROR_BODY_MAX (256 * 1024)
/* Pause before a read is repeated whose connection broke. */
#define RECONNECT_MS 100

/* One request on its way: the answer is whole, or a stream. */
struct exchange {
	struct fx_kube *kube;
	const struct fx_kube_request *request;
	struct fx_cancel *cancel;
	bool streamed;
	struct fx_http_response *response; /* whole, or the error that a stream began with */
	struct fx_http_stream *stream;
	int tries;
	int64_t waited_ms;
	char *token, *ca; /* of the last try, owned */
	bool renewed_token, renewed_ca;
};

/* Keeps what the last try was made with; NULLs: forgets it. */
static void exchange_keep(struct exchange *x, char *token, char *ca)
{
	if (x->token)
		explicit_bzero(x->token, strlen(x->token));
	free(x->token);
	free(x->ca);
	x->token = token;
	x->ca = ca;
}

static void exchange_reset(struct exchange *x)
{
	fx_http_response_free(x->response);
	x->response = NULL;
	fx_http_stream_close(x->stream);
	x->stream = NULL;
}

/* Reads what a failed stream says into a response of its own. */
static int read_error_body(struct exchange *x, struct fx_error *err)
{
	const struct fx_http_response *head = fx_http_stream_head(x->stream);
	struct fx_http_response *response = calloc(1, sizeof(*response));
	struct fx_buf body = FX_BUF_INIT_MAX(ERROR_BODY_MAX);
	char piece[4096];
	size_t len = 0;

	if (!response)
		return fx_fail_nomem(err);
	response->status = head->status;
	while (fx_http_stream_read(x->stream, piece, sizeof(piece), &len, NULL) == 0 && len > 0)
		fx_buf_add(&body, piece, len);
	response->body_len = body.len;
	response->body = fx_buf_take(&body, NULL);
	if (!response->body)
		response->body_len = 0;
	fx_buf_release(&body);
	x->response = response;
	return 0;
}

/* One try. On success the answer's head is there; *status is 0 when there was no answer. */
static int send_once(struct exchange *x, int *status, int *retry_after_ms, struct fx_error *err)
{
	struct fx_http_client *http = x->kube->shared->options.http;
	struct fx_kube_prepared prepared = {0};
	*status = *retry_after_ms = 0;
	int rc = fx_limiter_wait(&x->kube->shared->limiter, x->cancel, err);
	if (rc == 0)
		rc = fx_kube_prepare(x->kube, x->request, x->cancel, &prepared, err);
	if (rc < 0)
		return rc;
	if (x->streamed) {
		prepared.http.max_body_bytes = 0;
		rc = fx_http_open(http, &prepared.http, x->cancel, &x->stream, err);
	} else {
		rc = fx_http_do(http, &prepared.http, x->cancel, &x->response, err);
	}
	if (rc == 0) {
		const struct fx_http_response *head =
		        x->streamed ? fx_http_stream_head(x->stream) : x->response;
		*status = head->status;
		*retry_after_ms = fx_http_response_retry_after_ms(head);
	}
	fx_kube_count(x->kube, *status, x->request->method);
	if (rc == 0 && x->streamed && *status >= 400)
		rc = read_error_body(x, err);
	exchange_keep(x, fx_take(prepared.token), fx_take(prepared.ca));
	fx_kube_prepared_release(&prepared);
	return rc;
}

static bool is_read(const struct fx_kube_request *request)
{
	return !request->method || strcmp(request->method, "GET") == 0;
}

/* A credential that was refused, by the server or by us, may have been replaced in its file. */
static bool renew(struct exchange *x, int rc, int status)
{
	struct fx_kube_shared *shared = x->kube->shared;
	if (rc == 0 && status == 401 && !x->renewed_token)
		return x->renewed_token = fx_kube_file_renew(shared, &shared->token_file, x->token);
	if (rc == -FX_E_TLS && !x->renewed_ca)
		return x->renewed_ca = fx_kube_file_renew(shared, &shared->ca_file, x->ca);
	return false;
}

/* May this failure be tried again, and after how long? Negative: no. Source: client-go's
 * request retries: Retry-After with 429 and 5xx for every verb, broken connections for reads. */
static int64_t retry_pause(struct exchange *x, int rc, int status, int retry_after_ms)
{
	if (x->tries >= FX_KUBE_TRIES_MAX)
		return -1;
	if (renew(x, rc, status))
		return 0;
	if (rc < 0)
		return rc == -FX_E_CONNECT && is_read(x->request) && x->tries == 1 ? RECONNECT_MS : -1;
	if ((status == 429 || status >= 500) && retry_after_ms > 0 &&
	        x->waited_ms + retry_after_ms <= FX_KUBE_RETRY_WAIT_MAX_MS)
		return retry_after_ms;
	return -1;
}

static int fail_with_answer(
        struct exchange *x, int status, int retry_after_ms, struct fx_kube_status *out, struct fx_error *err)
{
	fx_auto(json) json_t *body = NULL;
	if (x->response && x->response->body_len > 0 &&
	        fx_json_parse(x->response->body, x->response->body_len, &body, NULL) < 0)
		body = NULL;
	return fx_kube_status_fail(status, body, retry_after_ms, out, err);
}

static int try_until_answered(struct exchange *x, struct fx_kube_status *status_out, struct fx_error *err)
{
	for (;;) {
		fx_auto(error) struct fx_error failure = FX_ERROR_INIT;
		int status, retry_after_ms;
		x->tries++;
		int rc = send_once(x, &status, &retry_after_ms, &failure);
		if (rc == 0 && status < 400)
			return 0;
		int64_t pause_ms = retry_pause(x, rc, status, retry_after_ms);
		if (pause_ms < 0) {
			if (rc == 0)
				rc = fail_with_answer(x, status, retry_after_ms, status_out, err);
			else
				fx_error_move(err, &failure);
			exchange_reset(x);
			return rc;
		}
		exchange_reset(x);
		x->waited_ms += pause_ms;
		rc = fx_kube_pause(pause_ms, x->cancel, err);
		if (rc < 0)
			return rc;
	}
}

static int run(struct exchange *x, struct fx_kube_status *status_out, struct fx_error *err)
{
	int rc = try_until_answered(x, status_out, err);
	exchange_keep(x, NULL, NULL);
	return rc;
}

int fx_kube_do_text(struct fx_kube *kube, const struct fx_kube_request *request, struct fx_cancel *cancel,
        struct fx_kube_status *status, struct fx_http_response **out, struct fx_error *err)
{
	struct exchange x = {.kube = kube, .request = request, .cancel = cancel};
	int rc = run(&x, status, err);
	if (rc == 0)
		*out = x.response;
	return rc;
}

int fx_kube_open(struct fx_kube *kube, const struct fx_kube_request *request, struct fx_cancel *cancel,
        struct fx_kube_status *status, struct fx_http_stream **out, struct fx_error *err)
{
	struct exchange x = {.kube = kube, .request = request, .cancel = cancel, .streamed = true};
	int rc = run(&x, status, err);
	if (rc == 0)
		*out = x.stream;
	return rc;
}

int fx_kube_do(struct fx_kube *kube, const struct fx_kube_request *request, struct fx_cancel *cancel,
        struct fx_kube_status *status, json_t **out, struct fx_error *err)
{
	fx_auto(http_response) struct fx_http_response *response = NULL;
	int rc = fx_kube_do_text(kube, request, cancel, status, &response, err);
	if (rc < 0 || !out || !response)
		return rc;
	if (response->body_len == 0) {
		*out = json_null();
		return 0;
	}
	fx_auto(buf) struct fx_buf slim = FX_BUF_INIT;
	if (fx_json_slim(response->body, response->body_len, request->slim, &slim))
		rc = fx_json_parse(slim.data, slim.len, out, err);
	else
		rc = fx_json_parse(response->body, response->body_len, out, err);
	if (rc < 0)
		return fx_error_wrap(err, "answer of the Kubernetes API to %s", request->path);
	return 0;
}

/* A request with callbacks that is counted when its answer begins: a watch may never end. */
struct counted {
	struct fx_http_handler handler; /* the caller's */
	struct fx_kube *kube;           /* a reference */
	char method[8];
	int status;
};

static int counted_head(void *arg, const struct fx_http_response *head)
{
	struct counted *c = arg;
	c->status = head->status;
	fx_kube_count(c->kube, c->status, c->method);
	return c->handler.on_head ? c->handler.on_head(c->handler.arg, head) : 0;
}

static int counted_data(void *arg, const char *data, size_t len)
{
	struct counted *c = arg;
	return c->handler.on_data ? c->handler.on_data(c->handler.arg, data, len) : 0;
}

static void counted_done(void *arg, const struct fx_error *err)
{
	struct counted *c = arg;
	if (!c->status)
		fx_kube_count(c->kube, 0, c->method);
	/* The caller tries again, and then with what the file has now. */
	if (err->code == FX_E_TLS)
		fx_kube_file_renew(c->kube->shared, &c->kube->shared->ca_file, NULL);
	c->handler.on_done(c->handler.arg, err);
	fx_kube_unref(c->kube);
	free(c);
}

static int start_counted(struct fx_kube *kube, const struct fx_http_request *request,
        const struct fx_http_handler *handler, struct fx_http_call **out, struct fx_error *err)
{
	struct counted *c = calloc(1, sizeof(*c));
	if (!c)
		return fx_fail_nomem(err);
	c->handler = *handler;
	c->kube = fx_kube_ref(kube);
	snprintf(c->method, sizeof(c->method), "%s", request->method ? request->method : "GET");
	const struct fx_http_handler counting = {
	        .on_head = counted_head, .on_data = counted_data, .on_done = counted_done, .arg = c};
	int rc = fx_http_start(kube->shared->options.http, request, &counting, out, err);
	if (rc < 0) {
		fx_kube_unref(c->kube);
		free(c);
	}
	return rc;
}

int fx_kube_start(struct fx_kube *kube, const struct fx_kube_request *request, int idle_timeout_ms,
        const struct fx_http_handler *handler, struct fx_http_call **out, struct fx_error *err)
{
	struct fx_kube_prepared prepared;
	if (kube->shared->options.token)
		return fx_fail(err, FX_E_INTERNAL, "this client's token cannot be had on the loop");
	int rc = fx_kube_prepare(kube, request, NULL, &prepared, err);
	if (rc < 0)
		return rc;
	prepared.http.timeout_ms = request->timeout_ms; /* a watch has none */
	prepared.http.idle_timeout_ms = idle_timeout_ms;
	prepared.http.max_body_bytes = 0;
	rc = start_counted(kube, &prepared.http, handler, out, err);
	fx_kube_prepared_release(&prepared);
	return rc;
}
