#include "net/http_call.h"

#include "core/clock.h"

#include <limits.h>
#include <string.h>

/* Streams of one connection, when the server allows as many (the Kubernetes API: 250). */
#define STREAMS_MAX 250L
/* Idle connections that are kept. */
#define CONNECTIONS_KEPT 32L

/* The engines by kind: FX_HTTP_ENGINES together. */
static const struct lanes {
	int first, count;
	int full;
} lanes[] = {
        [FX_HTTP_SEPARATE] = {0, 1, INT_MAX},
        [FX_HTTP_WATCHES] = {1, 4, 3},
        [FX_HTTP_REQUESTS] = {5, 6, 4},
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void init_curl(void)
{
	fx_curl()->global_init(CURL_GLOBAL_DEFAULT);
}

struct socket_watch {
	uv_poll_t poll;
	struct fx_http_engine *engine;
	curl_socket_t fd;
	int events;
	bool failed;
};

static void finish_ended(struct fx_http_engine *engine);

static void act(struct fx_http_engine *engine, curl_socket_t fd, int events)
{
	int running;
	engine->client->in_curl++;
	fx_curl()->multi_socket_action(engine->multi, fd, events, &running);
	engine->client->in_curl--;
	finish_ended(engine);
}

static void on_timer(uv_timer_t *timer)
{
	act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static int set_timer(fx_unused CURLM *multi, long timeout_ms, void *arg)
{
	struct fx_http_engine *engine = arg;
	if (timeout_ms < 0)
		uv_timer_stop(&engine->timer);
	else
		uv_timer_start(&engine->timer, on_timer, (uint64_t)timeout_ms, 0);
	return 0;
}

static void on_socket(uv_poll_t *poll, int status, int events)
{
	struct socket_watch *watch = poll->data;
	int flags = 0;
	if (status < 0) {
		/* Reading tells curl, and so the user, what is wrong. libuv has stopped watching. */
		flags = watch->failed ? CURL_CSELECT_ERR : CURL_CSELECT_IN | CURL_CSELECT_OUT;
		watch->failed = true;
		uv_poll_start(poll, watch->events, on_socket);
	}
	if (events & (UV_READABLE | UV_DISCONNECT))
		flags |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		flags |= CURL_CSELECT_OUT;
	act(watch->engine, watch->fd, flags);
}

static void free_watch(uv_handle_t *handle)
{
	free(handle->data);
}

static int watch_socket(fx_unused CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct fx_http_engine *engine = arg;
	struct socket_watch *watch = socket_arg;
	if (what == CURL_POLL_REMOVE) {
		if (watch) {
			fx_curl()->multi_assign(engine->multi, fd, NULL);
			uv_close((uv_handle_t *)&watch->poll, free_watch);
		}
		return 0;
	}
	if (!watch) {
		watch = calloc(1, sizeof(*watch));
		if (!watch)
			return -1;
		watch->engine = engine;
		watch->fd = fd;
		watch->poll.data = watch;
		if (uv_poll_init_socket(fx_loop_uv(engine->client->loop), &watch->poll, fd) < 0) {
			free(watch);
			return -1;
		}
		fx_curl()->multi_assign(engine->multi, fd, watch);
	}
	watch->events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
	uv_poll_start(&watch->poll, watch->events, on_socket);
	return 0;
}

/* curl_easy_reset() keeps the receive buffer, and HTTP/2 then writes as much into it as the next
 * BUFFERSIZE says: handles are reused only where the size is always the same. */
static bool is_pooled(long buffer_bytes)
{
	return buffer_bytes == FX_HTTP_DO_BUFFER_BYTES;
}

static CURL *take_handle(struct fx_http_client *client, long buffer_bytes)
{
	CURL *easy = NULL;
	pthread_mutex_lock(&client->lock);
	if (client->pool_len && is_pooled(buffer_bytes))
		easy = client->pool[--client->pool_len];
	pthread_mutex_unlock(&client->lock);
	if (!easy)
		return fx_curl()->easy_init();
	fx_curl()->easy_reset(easy);
	return easy;
}

static void put_handle(struct fx_http_client *client, CURL *easy, long buffer_bytes)
{
	/* Nothing of the call's may be reachable from the pool. */
	fx_curl()->easy_setopt(easy, CURLOPT_ERRORBUFFER, NULL);
	pthread_mutex_lock(&client->lock);
	bool kept = is_pooled(buffer_bytes) && client->pool_len < FX_COUNT(client->pool);
	if (kept)
		client->pool[client->pool_len++] = easy;
	pthread_mutex_unlock(&client->lock);
	if (!kept)
		fx_curl()->easy_cleanup(easy);
}

static enum fx_http_engine_kind kind_of(const struct fx_http_request *request, bool may_pause)
{
	if (may_pause || request->http1_only)
		return FX_HTTP_SEPARATE;
	return request->timeout_ms ? FX_HTTP_REQUESTS : FX_HTTP_WATCHES;
}

static struct fx_http_engine *take_engine(struct fx_http_client *client, enum fx_http_engine_kind kind)
{
	const struct lanes *l = &lanes[kind];
	struct fx_http_engine *engine = &client->engines[l->first];
	pthread_mutex_lock(&client->lock);
	for (int i = l->first + 1; engine->load >= l->full && i < l->first + l->count; i++)
		if (client->engines[i].load < engine->load)
			engine = &client->engines[i];
	engine->load++;
	pthread_mutex_unlock(&client->lock);
	return engine;
}

static void leave_engine(struct fx_http_call *call)
{
	pthread_mutex_lock(&call->client->lock);
	call->engine->load--;
	pthread_mutex_unlock(&call->client->lock);
}

void fx_http_call_free(struct fx_http_call *call)
{
	leave_engine(call);
	if (call->easy)
		put_handle(call->client, call->easy, call->buffer_bytes);
	fx_http_tls_unref(call->client, call->tls);
	fx_http_response_free(call->response);
	fx_buf_release(&call->head);
	fx_error_release(&call->err);
	if (call->strings)
		explicit_bzero(call->strings, call->strings_size);
	free(call->strings);
	free(call->body);
	free(call);
}

static void release_call(struct fx_http_call *call)
{
	struct fx_http_client *client = call->client;
	if (call->in_multi)
		fx_curl()->multi_remove_handle(call->engine->multi, call->easy);
	if (client->active == call)
		client->active = call->next;
	if (call->prev)
		call->prev->next = call->next;
	if (call->next)
		call->next->prev = call->prev;
	fx_http_call_free(call);
}

/* Tells the owner and lets go of the call, at once or when curl has returned. */
static void end_call(struct fx_http_call *call, const struct fx_error *err)
{
	call->over = true;
	call->handler.on_done(call->handler.arg, err);
	if (!call->started)
		return; /* start_call() lets go of it */
	if (call->client->in_curl) {
		call->next_reap = call->client->reap;
		call->client->reap = call;
	} else {
		release_call(call);
	}
}

static void finish_ended(struct fx_http_engine *engine)
{
	struct fx_http_client *client = engine->client;
	/* An owner's callback may abort others and so remove their messages: ask anew each time. */
	CURLMsg *msg;
	int left;
	while (!client->in_curl && (msg = fx_curl()->multi_info_read(engine->multi, &left))) {
		if (msg->msg != CURLMSG_DONE)
			continue;
		CURLcode result = msg->data.result;
		struct fx_http_call *call = NULL;
		fx_curl()->easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&call);
		if (call->over)
			continue;
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		fx_http_call_error(call, result, &err);
		end_call(call, &err);
	}
	while (!client->in_curl && client->reap) {
		struct fx_http_call *call = client->reap;
		client->reap = call->next_reap;
		release_call(call);
	}
}

static void watch_idle(struct fx_http_client *client, int64_t delay_ms);

static void on_idle(uv_timer_t *timer)
{
	struct fx_http_client *client = timer->data;
	int64_t now_ms = fx_now_ms(), next_ms = INT64_MAX;
	for (struct fx_http_call *call = client->active; call;) {
		struct fx_http_call *current = call;
		call = call->next;
		if (!current->idle_timeout_ms || current->over)
			continue;
		/* A paused one waits for its reader, not for the peer. */
		int64_t since_ms = current->paused ? now_ms : current->active_ms;
		int64_t left_ms = since_ms + current->idle_timeout_ms - now_ms;
		if (left_ms > 0) {
			next_ms = left_ms < next_ms ? left_ms : next_ms;
			continue;
		}
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		fx_fail(&current->err, FX_E_TIMEOUT, "no data for %d ms", current->idle_timeout_ms);
		fx_http_call_error(current, CURLE_OK, &err);
		end_call(current, &err);
		/* The callback may have ended any other: start again. */
		call = client->active;
	}
	if (next_ms != INT64_MAX)
		watch_idle(client, next_ms);
}

/* The next look at idle calls is at most delay_ms away. */
static void watch_idle(struct fx_http_client *client, int64_t delay_ms)
{
	if (uv_is_active((uv_handle_t *)&client->idle) &&
	        uv_timer_get_due_in(&client->idle) <= (uint64_t)delay_ms)
		return;
	uv_timer_start(&client->idle, on_idle, (uint64_t)delay_ms, 0);
}

static void start_call(struct fx_loop_task *task)
{
	struct fx_http_call *call = (struct fx_http_call *)task;
	struct fx_http_client *client = call->client;
	call->started = true;
	if (call->over) {
		fx_http_call_free(call);
		return;
	}
	call->next = client->active;
	if (client->active)
		client->active->prev = call;
	client->active = call;
	call->active_ms = fx_now_ms();
	CURLMcode rc = fx_curl()->multi_add_handle(call->engine->multi, call->easy);
	if (rc != CURLM_OK) {
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		fx_fail(&err, rc == CURLM_OUT_OF_MEMORY ? FX_E_NOMEM : FX_E_INTERNAL, "%s",
		        fx_curl()->multi_strerror(rc));
		end_call(call, &err);
		return;
	}
	call->in_multi = true;
	if (call->idle_timeout_ms)
		watch_idle(client, call->idle_timeout_ms);
}

int fx_http_call_new(struct fx_http_client *client, const struct fx_http_request *request,
        const struct fx_http_handler *handler, const struct fx_http_call_options *options,
        struct fx_http_call **out, struct fx_error *err)
{
	struct fx_http_call *call = calloc(1, sizeof(*call));
	if (!call)
		return fx_fail_nomem(err);
	call->task.fn = start_call;
	call->client = client;
	call->engine = take_engine(client, kind_of(request, options->may_pause));
	call->handler = *handler;
	call->buffer_bytes = options->buffer_bytes;
	call->easy = take_handle(client, options->buffer_bytes);
	int rc = call->easy ? fx_http_call_setup(call, request, options, err) : fx_fail_nomem(err);
	if (rc) {
		fx_http_call_free(call);
		return rc;
	}
	*out = call;
	return 0;
}

void fx_http_call_post(struct fx_http_call *call)
{
	fx_loop_post(call->client->loop, &call->task);
}

int fx_http_start(struct fx_http_client *client, const struct fx_http_request *request,
        const struct fx_http_handler *handler, struct fx_http_call **out, struct fx_error *err)
{
	/* A watch is idle most of its life: a small buffer. */
	static const struct fx_http_call_options options = {.buffer_bytes = 8 * 1024};
	struct fx_http_call *call;
	int rc = fx_http_call_new(client, request, handler, &options, &call, err);
	if (rc)
		return rc;
	if (out)
		*out = call;
	fx_http_call_post(call);
	return 0;
}

void fx_http_call_abort(struct fx_http_call *call)
{
	if (call->over)
		return;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_fail(&call->err, FX_E_CANCELED, "canceled");
	fx_http_call_error(call, CURLE_OK, &err);
	end_call(call, &err);
}

void fx_http_call_resume(struct fx_http_call *call)
{
	struct fx_http_client *client = call->client;
	struct fx_http_engine *engine = call->engine;
	if (call->over || !call->paused)
		return;
	call->paused = false;
	call->active_ms = fx_now_ms();
	client->in_curl++;
	CURLcode rc = fx_curl()->easy_pause(call->easy, CURLPAUSE_CONT);
	client->in_curl--;
	if (rc != CURLE_OK && !call->over) {
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		fx_http_call_error(call, rc, &err);
		end_call(call, &err);
	}
	finish_ended(engine); /* the call may be gone */
}

static void open_engine(struct fx_http_client *client, int i, enum fx_http_engine_kind kind)
{
	struct fx_http_engine *engine = &client->engines[i];
	CURLM *multi = engine->multi;
	engine->client = client;
	engine->kind = kind;
	fx_curl()->multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	fx_curl()->multi_setopt(multi, CURLMOPT_SOCKETDATA, engine);
	fx_curl()->multi_setopt(multi, CURLMOPT_TIMERFUNCTION, set_timer);
	fx_curl()->multi_setopt(multi, CURLMOPT_TIMERDATA, engine);
	fx_curl()->multi_setopt(
	        multi, CURLMOPT_PIPELINING, kind == FX_HTTP_SEPARATE ? CURLPIPE_NOTHING : CURLPIPE_MULTIPLEX);
	fx_curl()->multi_setopt(multi, CURLMOPT_MAX_CONCURRENT_STREAMS, STREAMS_MAX);
	fx_curl()->multi_setopt(multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_KEPT);
	uv_timer_init(fx_loop_uv(client->loop), &engine->timer);
	engine->timer.data = engine;
}

static void open_client(void *arg)
{
	struct fx_http_client *client = arg;
	for (int kind = 0; kind < FX_HTTP_KINDS; kind++)
		for (int i = 0; i < lanes[kind].count; i++)
			open_engine(client, lanes[kind].first + i, kind);
	uv_timer_init(fx_loop_uv(client->loop), &client->idle);
	client->idle.data = client;
	client->handles = FX_HTTP_ENGINES + 1;
}

static void free_client(struct fx_http_client *client)
{
	for (size_t i = 0; i < client->pool_len; i++)
		fx_curl()->easy_cleanup(client->pool[i]);
	for (int i = 0; i < FX_HTTP_ENGINES; i++)
		fx_curl()->multi_cleanup(client->engines[i].multi);
	pthread_mutex_destroy(&client->lock);
	fx_proxy_env_release(&client->proxies);
	free(client->trust_file);
	free(client->trust_pem);
	free(client->user_agent);
	free(client);
}

int fx_http_client_new(
        struct fx_loop *loop, const char *user_agent, struct fx_http_client **out, struct fx_error *err)
{
	pthread_once(&curl_once, init_curl);
	struct fx_http_client *client = calloc(1, sizeof(*client));
	if (!client)
		return fx_fail_nomem(err);
	client->loop = loop;
	client->user_agent = strdup(user_agent);
	fx_proxy_env_load(&client->proxies);
	pthread_mutex_init(&client->lock, NULL);
	bool ok = client->user_agent;
	for (int i = 0; i < FX_HTTP_ENGINES; i++) {
		client->engines[i].multi = fx_curl()->multi_init();
		ok = ok && client->engines[i].multi;
	}
	if (!ok) {
		free_client(client);
		return fx_fail_nomem(err);
	}
	fx_loop_call(loop, open_client, client);
	*out = client;
	return 0;
}

static void handle_closed(uv_handle_t *handle)
{
	struct fx_http_client *client = handle->data;
	if (--client->handles == 0)
		free_client(client);
}

static void close_client(void *arg)
{
	struct fx_http_client *client = arg;
	while (client->active)
		fx_http_call_abort(client->active);
	for (int i = 0; i < FX_HTTP_ENGINES; i++) {
		struct fx_http_engine *engine = &client->engines[i];
		fx_curl()->multi_cleanup(engine->multi); /* still tells which sockets it closes */
		engine->multi = NULL;
		engine->timer.data = client;
		uv_close((uv_handle_t *)&engine->timer, handle_closed);
	}
	uv_close((uv_handle_t *)&client->idle, handle_closed);
}

void fx_http_client_free(struct fx_http_client *client)
{
	if (client)
		fx_loop_call(client->loop, close_client, client);
}
