#include "net/http_call.h"
#include "net/http_wait.h"

#include <string.h>

/* What waits for a slow reader; when it is full the transfer pauses. */
#define STREAM_BUFFER_BYTES (128 * 1024)

struct fx_http_stream {
	struct fx_loop_task resume; /* posted when the reader has made room */
	struct fx_loop *loop;
	struct fx_cancel *token;
	struct fx_http_call *call; /* loop thread only; NULL when over */
	struct fx_http_wait wait;  /* its lock guards the rest */
	struct fx_http_response *head;
	struct fx_error err;
	bool done, paused;
	char *ring;
	size_t cap, start, len;
};

static int take_head(void *arg, fx_unused const struct fx_http_response *head)
{
	struct fx_http_stream *stream = arg;
	pthread_mutex_lock(&stream->wait.lock);
	stream->head = fx_take(stream->call->response);
	pthread_cond_signal(&stream->wait.changed);
	pthread_mutex_unlock(&stream->wait.lock);
	return 0;
}

/* [locked] */
static void put_bytes(struct fx_http_stream *stream, const char *data, size_t len)
{
	size_t at = (stream->start + stream->len) % stream->cap;
	size_t first = len < stream->cap - at ? len : stream->cap - at;
	memcpy(stream->ring + at, data, first);
	memcpy(stream->ring, data + first, len - first);
	stream->len += len;
}

static int take_bytes(void *arg, const char *data, size_t len)
{
	struct fx_http_stream *stream = arg;
	int rc = 0;
	pthread_mutex_lock(&stream->wait.lock);
	if (len > stream->cap && stream->len == 0) {
		/* More in one piece than ever fits; curl gives at most some 16 KiB, but does not promise it.
		 */
		char *bigger = realloc(stream->ring, len);
		if (bigger) {
			stream->ring = bigger;
			stream->cap = len;
		} else {
			rc = fx_fail_nomem(&stream->call->err);
		}
	}
	if (rc == 0 && len > stream->cap - stream->len) {
		stream->paused = true;
		rc = FX_HTTP_PAUSE;
	} else if (rc == 0) {
		put_bytes(stream, data, len);
		pthread_cond_signal(&stream->wait.changed);
	}
	pthread_mutex_unlock(&stream->wait.lock);
	return rc;
}

static void take_end(void *arg, const struct fx_error *err)
{
	struct fx_http_stream *stream = arg;
	pthread_mutex_lock(&stream->wait.lock);
	if (err->code != FX_OK)
		fx_fail_kind(&stream->err, err->code, err->kind, "%s", fx_error_message(err));
	else if (!stream->head)
		fx_fail(&stream->err, FX_E_PROTOCOL, "no answer");
	stream->call = NULL;
	stream->done = true;
	pthread_cond_signal(&stream->wait.changed);
	pthread_mutex_unlock(&stream->wait.lock);
}

static void resume(struct fx_loop_task *task)
{
	struct fx_http_stream *stream = (struct fx_http_stream *)task;
	if (stream->call)
		fx_http_call_resume(stream->call);
}

static void abort_stream(void *arg)
{
	struct fx_http_stream *stream = arg;
	if (stream->call)
		fx_http_call_abort(stream->call);
}

/* Waits for the head, then (as the reader) for bytes. False when the token has fired. */
static bool wait_for(struct fx_http_stream *stream, bool bytes)
{
	bool awake = fx_http_wait_begin(&stream->wait);
	pthread_mutex_lock(&stream->wait.lock);
	while (awake && !stream->done && !(bytes ? stream->len > 0 : stream->head != NULL))
		awake = fx_http_wait_once(&stream->wait);
	pthread_mutex_unlock(&stream->wait.lock);
	fx_http_wait_end(&stream->wait);
	return awake;
}

static int fail_stream(struct fx_http_stream *stream, struct fx_error *err)
{
	pthread_mutex_lock(&stream->wait.lock);
	int rc = fx_fail_kind(err, stream->err.code, stream->err.kind, "%s", fx_error_message(&stream->err));
	pthread_mutex_unlock(&stream->wait.lock);
	return rc;
}

static int fail_canceled(struct fx_http_stream *stream, struct fx_error *err)
{
	int rc = fx_cancel_check(stream->token, err);
	return rc ? rc : fx_fail(err, FX_E_CANCELED, "canceled");
}

static int make_stream(struct fx_http_client *client, struct fx_cancel *cancel, struct fx_http_stream **out,
        struct fx_error *err)
{
	struct fx_http_stream *stream = calloc(1, sizeof(*stream));
	char *ring = malloc(STREAM_BUFFER_BYTES);
	if (!stream || !ring) {
		free(stream);
		free(ring);
		return fx_fail_nomem(err);
	}
	stream->ring = ring;
	stream->cap = STREAM_BUFFER_BYTES;
	stream->resume.fn = resume;
	stream->loop = client->loop;
	stream->token = fx_cancel_ref(cancel);
	fx_http_wait_init(&stream->wait, cancel);
	*out = stream;
	return 0;
}

int fx_http_open(struct fx_http_client *client, const struct fx_http_request *request,
        struct fx_cancel *cancel, struct fx_http_stream **out, struct fx_error *err)
{
	static const struct fx_http_call_options options = {.may_pause = true, .buffer_bytes = 64 * 1024};
	if (fx_loop_is_current(client->loop))
		return fx_fail(err, FX_E_INTERNAL, "a blocking request on the loop thread");
	fx_auto(http_stream) struct fx_http_stream *stream = NULL;
	int rc = fx_cancel_check(cancel, err);
	if (rc == 0)
		rc = make_stream(client, cancel, &stream, err);
	if (rc)
		return rc;
	struct fx_http_handler handler = {take_head, take_bytes, take_end, stream};
	rc = fx_http_call_new(client, request, &handler, &options, &stream->call, err);
	if (rc)
		return rc;
	fx_http_call_post(stream->call);
	if (!wait_for(stream, false))
		return fail_canceled(stream, err);
	if (!stream->head)
		return fail_stream(stream, err);
	*out = fx_take(stream);
	return 0;
}

const struct fx_http_response *fx_http_stream_head(const struct fx_http_stream *stream)
{
	return stream->head;
}

int fx_http_stream_read(
        struct fx_http_stream *stream, char *buf, size_t cap, size_t *out_len, struct fx_error *err)
{
	if (!wait_for(stream, true))
		return fail_canceled(stream, err);
	pthread_mutex_lock(&stream->wait.lock);
	size_t len = stream->len < cap ? stream->len : cap;
	bool failed = stream->len == 0 && stream->err.code != FX_OK;
	size_t first = len < stream->cap - stream->start ? len : stream->cap - stream->start;
	memcpy(buf, stream->ring + stream->start, first);
	memcpy(buf + first, stream->ring, len - first);
	stream->len -= len;
	stream->start = stream->len ? (stream->start + len) % stream->cap : 0;
	/* Half full, so that the two threads do not wake each other for every piece. */
	bool go_on = stream->paused && stream->len <= stream->cap / 2;
	if (go_on)
		stream->paused = false;
	pthread_mutex_unlock(&stream->wait.lock);
	if (go_on)
		fx_loop_post(stream->loop, &stream->resume);
	if (failed)
		return fail_stream(stream, err);
	*out_len = len;
	return 0;
}

void fx_http_stream_close(struct fx_http_stream *stream)
{
	if (!stream)
		return;
	/* Also waits until a posted resume has run. */
	fx_loop_call(stream->loop, abort_stream, stream);
	fx_http_wait_release(&stream->wait);
	fx_cancel_unref(stream->token);
	fx_http_response_free(stream->head);
	fx_error_release(&stream->err);
	free(stream->ring);
	free(stream);
}
