#include "net/http_call.h"
#include "net/http_wait.h"

/* What a body takes at most before its first byte is there, whatever its announced length. */
#define BODY_RESERVE_MAX (1024 * 1024)

/* Lives on the worker's stack until the call is over. */
struct exchange {
	struct fx_http_wait wait;
	struct fx_http_call *call; /* loop thread only; NULL when over */
	struct fx_buf body;
	struct fx_http_response *response;
	struct fx_error err;
	bool done;
};

static int keep_head(void *arg, const struct fx_http_response *head)
{
	struct exchange *x = arg;
	const char *length = fx_http_response_header(head, "content-length");
	unsigned long long size = length ? strtoull(length, NULL, 10) : 0;
	fx_buf_reserve(&x->body, size < BODY_RESERVE_MAX ? size : BODY_RESERVE_MAX);
	return 0;
}

static int keep_body(void *arg, const char *data, size_t len)
{
	struct exchange *x = arg;
	fx_buf_add(&x->body, data, len);
	return fx_buf_failed(&x->body) ? fx_fail_nomem(&x->call->err) : 0;
}

static void finish(void *arg, const struct fx_error *err)
{
	struct exchange *x = arg;
	pthread_mutex_lock(&x->wait.lock);
	if (err->code == FX_OK && x->call->response) {
		x->response = fx_take(x->call->response);
		x->response->body = fx_buf_take(&x->body, &x->response->body_len);
	}
	if (err->code != FX_OK) {
		fx_fail_kind(&x->err, err->code, err->kind, "%s", fx_error_message(err));
	} else if (!x->response) {
		fx_fail(&x->err, FX_E_PROTOCOL, "no answer");
	} else if (!x->response->body) {
		fx_http_response_free(fx_take(x->response));
		fx_fail_nomem(&x->err);
	}
	x->call = NULL;
	x->done = true;
	pthread_cond_signal(&x->wait.changed);
	pthread_mutex_unlock(&x->wait.lock);
}

static void abort_exchange(void *arg)
{
	struct exchange *x = arg;
	if (x->call)
		fx_http_call_abort(x->call);
}

/* True when the call ended by itself. */
static bool wait_until_done(struct exchange *x, struct fx_loop *loop)
{
	bool awake = true;
	pthread_mutex_lock(&x->wait.lock);
	while (!x->done && awake)
		awake = fx_http_wait_once(&x->wait);
	bool done = x->done;
	pthread_mutex_unlock(&x->wait.lock);
	if (!done)
		fx_loop_call(loop, abort_exchange, x);
	return done;
}

int fx_http_do(struct fx_http_client *client, const struct fx_http_request *request, struct fx_cancel *cancel,
        struct fx_http_response **out, struct fx_error *err)
{
	static const struct fx_http_call_options options = {
	        .borrow_body = true, .buffer_bytes = FX_HTTP_DO_BUFFER_BYTES};
	if (fx_loop_is_current(client->loop))
		return fx_fail(err, FX_E_INTERNAL, "a blocking request on the loop thread");
	struct exchange x = {.body = FX_BUF_INIT};
	struct fx_http_handler handler = {keep_head, keep_body, finish, &x};
	struct fx_http_request limited = *request;
	if (!limited.max_body_bytes)
		limited.max_body_bytes = FX_HTTP_BODY_MAX;
	int rc = fx_cancel_check(cancel, err);
	if (rc == 0)
		rc = fx_http_call_new(client, &limited, &handler, &options, &x.call, err);
	if (rc)
		return rc;
	fx_http_wait_init(&x.wait, cancel);
	bool ended = false;
	if (fx_http_wait_begin(&x.wait)) {
		fx_http_call_post(x.call);
		ended = wait_until_done(&x, client->loop);
		fx_http_wait_end(&x.wait);
	} else {
		fx_http_call_free(x.call);
	}
	fx_http_wait_release(&x.wait);
	fx_buf_release(&x.body);
	if (x.response) {
		fx_error_release(&x.err);
		*out = x.response;
		return 0;
	}
	if (!ended) {
		fx_error_release(&x.err);
		rc = fx_cancel_check(cancel, err);
		return rc ? rc : fx_fail(err, FX_E_CANCELED, "canceled");
	}
	rc = -(int)x.err.code;
	fx_error_move(err, &x.err);
	return rc;
}
