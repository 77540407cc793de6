#include "kube/reflector_internal.h"

#include "core/clock.h"
#include "kube/object.h"
#include "net/loop.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* A Status object fits. */
#define FAILURE_MAX (64 * 1024)
/* A watch that ends sooner than this without a word is a failure: no hot loop. */
#define WATCH_TOO_SHORT_MS 1000
/* How long past the end it asked for a watch may be silent. */
#define WATCH_GRACE_S 30
/* A list is an ordinary request, but may be long. */
#define LIST_IDLE_MS (60 * 1000)

/* Capacity that the buffer of slim texts keeps. */
#define SLIM_KEPT_BYTES (64 * 1024)

static void go_on(void *arg);

/* Uniform in [0, limit). */
static int random_below(int limit)
{
	uint32_t value = 0;
	if (limit <= 0 || getrandom(&value, sizeof(value), 0) != sizeof(value))
		return 0;
	return (int)(value % (uint32_t)limit);
}

static void forget(char **text)
{
	free(*text);
	*text = NULL;
}

static void set_text(char **out, const char *text)
{
	free(*out);
	*out = text && *text ? strdup(text) : NULL;
}

/* The next step after delay_ms; also with 0 never from inside a callback of the HTTP client. */
static void schedule(struct fx_reflector *r, int delay_ms)
{
	r->state = FX_REFLECTOR_WAITING;
	fx_timer_start(r->timer, delay_ms);
}

static void fail(struct fx_reflector *r, struct fx_error *err)
{
	fx_error_wrap(err, "%s", r->what);
	fx_reflector_set_error(r, err);
	if (r->options.on_error)
		r->options.on_error(r->options.arg, err);
	if (r->state == FX_REFLECTOR_STOPPED)
		return;
	int delay_ms = r->backoff_ms;
	if (err->retry_after_ms > delay_ms && err->retry_after_ms <= FX_REFLECTOR_BACKOFF_MAX_MS)
		delay_ms = err->retry_after_ms;
	r->backoff_ms = r->backoff_ms * 2 < FX_REFLECTOR_BACKOFF_MAX_MS ? r->backoff_ms * 2
	                                                                : FX_REFLECTOR_BACKOFF_MAX_MS;
	schedule(r, delay_ms + random_below(delay_ms / 2));
}

/* The place to resume from is lost: list anew, past the server's cache. */
static void expire(struct fx_reflector *r)
{
	forget(&r->resource_version);
	forget(&r->token);
	r->list_fresh = true;
}

static void note_version(struct fx_reflector *r)
{
	atomic_store(&r->version, r->resource_version ? strtoull(r->resource_version, NULL, 10) : 0);
}

/* The object, or the event, without what nobody looks at. */
static int parse(struct fx_reflector *r, const char *text, size_t len, json_t **out, struct fx_error *err)
{
	bool slim = fx_json_slim(text, len, r->options.slim, &r->slim);
	int rc = slim ? fx_json_parse(r->slim.data, r->slim.len, out, err)
	              : fx_json_parse(text, len, out, err);
	/* One huge object must not pin its memory. */
	if (r->slim.cap > SLIM_KEPT_BYTES)
		fx_buf_release(&r->slim);
	return rc;
}

static int on_list_part(void *arg, const char *key, const char *text, size_t len, struct fx_error *err)
{
	struct fx_reflector *r = arg;
	fx_auto(json) json_t *value = NULL;
	if (key && strcmp(key, "metadata") != 0)
		return 0;
	int rc = key ? fx_json_parse(text, len, &value, err) : parse(r, text, len, &value, err);
	if (rc < 0)
		return rc;
	if (!key)
		return fx_reflector_put(r, value) ? 0 : fx_fail_nomem(err);
	set_text(&r->list_version, fx_json_str_at(value, "resourceVersion"));
	set_text(&r->token, fx_json_str_at(value, "continue"));
	return 0;
}

static int watch_error(struct fx_reflector *r, const json_t *status, struct fx_error *err)
{
	int code = (int)fx_json_int_at(status, 500, "code");
	int rc = fx_kube_status_fail(code, status, 0, NULL, err);
	if (rc == -FX_E_GONE)
		expire(r);
	return rc;
}

static int on_watch_line(void *arg, const char *key, const char *text, size_t len, struct fx_error *err)
{
	struct fx_reflector *r = arg;
	fx_auto(json) json_t *event = NULL;
	(void)key;
	int rc = parse(r, text, len, &event, err);
	if (rc < 0)
		return rc;
	const char *type = fx_json_str_at(event, "type");
	const json_t *object = fx_json_at(event, "object");
	if (!type || !object)
		return fx_fail(err, FX_E_PROTOCOL, "a watch event has no type or no object");
	if (strcmp(type, "ERROR") == 0)
		return watch_error(r, object, err);
	if (strcmp(type, "DELETED") == 0)
		fx_reflector_remove(r, object);
	else if ((strcmp(type, "ADDED") == 0 || strcmp(type, "MODIFIED") == 0) &&
	         !fx_reflector_put(r, object))
		return fx_fail_nomem(err);
	/* Only after the object is in: what comes next resumes behind it. */
	set_text(&r->resource_version, fx_object_resource_version(object));
	note_version(r);
	r->watch_progress = true;
	r->backoff_ms = FX_REFLECTOR_BACKOFF_MIN_MS;
	return 0;
}

static int on_head(void *arg, const struct fx_http_response *head)
{
	struct fx_reflector *r = arg;
	r->status = head->status;
	if (head->status >= 400)
		r->stream_error.retry_after_ms = fx_http_response_retry_after_ms(head);
	return 0;
}

static int on_data(void *arg, const char *data, size_t len)
{
	struct fx_reflector *r = arg;
	if (r->status >= 400) {
		fx_buf_add(&r->failure, data, len);
		return 0;
	}
	return fx_json_split_feed(&r->split, data, len, &r->stream_error);
}

/* What went wrong with the call that has just ended, in err; 0 when nothing. */
static int outcome(struct fx_reflector *r, const struct fx_error *err, struct fx_error *out)
{
	if (r->status >= 400) {
		fx_auto(json) json_t *body = NULL;
		if (fx_json_parse(fx_buf_str(&r->failure), r->failure.len, &body, NULL) < 0)
			body = NULL;
		return fx_kube_status_fail(r->status, body, r->stream_error.retry_after_ms, NULL, out);
	}
	if (r->stream_error.code != FX_OK) {
		int rc = -(int)r->stream_error.code;
		fx_error_move(out, &r->stream_error);
		return rc;
	}
	if (err->code != FX_OK)
		return fx_fail_kind(out, err->code, err->kind, "%s", fx_error_message(err));
	return 0;
}

static void list_done(struct fx_reflector *r, struct fx_error *err, int rc)
{
	if (rc == 0)
		rc = fx_json_split_end(&r->split, err);
	if (rc == -FX_E_GONE) {
		expire(r);
		schedule(r, r->backoff_ms);
		return;
	}
	if (rc < 0) {
		forget(&r->token);
		fail(r, err);
		return;
	}
	if (r->token) {
		schedule(r, 0);
		return;
	}
	fx_reflector_sweep(r);
	forget(&r->resource_version);
	r->resource_version = fx_take(r->list_version);
	note_version(r);
	r->list_fresh = false;
	r->backoff_ms = FX_REFLECTOR_BACKOFF_MIN_MS;
	fx_reflector_set_synced(r);
	/* The callback may have stopped us. */
	if (r->state == FX_REFLECTOR_STOPPED)
		return;
	schedule(r, 0);
}

static void watch_done(struct fx_reflector *r, struct fx_error *err, int rc)
{
	bool too_short = !r->watch_progress && fx_now_ms() - r->watch_started_ms < WATCH_TOO_SHORT_MS;
	if (rc == -FX_E_GONE) {
		expire(r);
		schedule(r, 0);
		return;
	}
	/* The watch is not refused for the moment but for good (no right, no such kind): let the list say so.
	 */
	if (r->status >= 400 && r->status < 500 && r->status != 429)
		forget(&r->resource_version);
	if (rc == 0 && too_short)
		rc = fx_fail(err, FX_E_PROTOCOL, "the watch ended at once");
	if (rc < 0 && (too_short || r->status >= 400 || rc != -FX_E_CONNECT)) {
		fail(r, err);
		return;
	}
	/* Ended by the server's time limit, or cut after it had worked: resume. */
	schedule(r, rc < 0 ? random_below(FX_REFLECTOR_BACKOFF_MIN_MS) : 0);
}

static void on_done(void *arg, const struct fx_error *err)
{
	struct fx_reflector *r = arg;
	fx_auto(error) struct fx_error failure = FX_ERROR_INIT;
	bool was_listing = r->state == FX_REFLECTOR_LISTING;
	r->call = NULL;
	if (r->stopping)
		return;
	int rc = outcome(r, err, &failure);
	if (was_listing)
		list_done(r, &failure, rc);
	else
		watch_done(r, &failure, rc);
	fx_json_split_release(&r->split);
	fx_buf_release(&r->failure);
	fx_error_release(&r->stream_error);
}

static int start_call(struct fx_reflector *r, const struct fx_buf *query, const char *accept, int idle_ms,
        struct fx_error *err)
{
	const struct fx_kube_request request = {
	        .path = r->path, .query = fx_buf_str(query), .accept = accept};
	const struct fx_http_handler handler = {
	        .on_head = on_head, .on_data = on_data, .on_done = on_done, .arg = r};
	if (fx_buf_failed(query))
		return fx_fail_nomem(err);
	r->status = 0;
	r->stopping = false;
	fx_buf_release(&r->failure);
	r->failure = (struct fx_buf)FX_BUF_INIT_MAX(FAILURE_MAX);
	fx_error_release(&r->stream_error);
	return fx_kube_start(r->options.kube, &request, idle_ms, &handler, &r->call, err);
}

static void add_selectors(struct fx_reflector *r, struct fx_buf *query)
{
	fx_kube_query_add(query, "labelSelector", r->options.label_selector);
	fx_kube_query_add(query, "fieldSelector", r->options.field_selector);
}

static int start_list(struct fx_reflector *r, struct fx_error *err)
{
	struct fx_buf query = FX_BUF_INIT;
	const char *accept = r->options.metadata_only ? FX_KUBE_METADATA_LIST "," FX_KUBE_JSON : FX_KUBE_JSON;
	add_selectors(r, &query);
	/* From the server's cache a list comes whole, streamed, and costs etcd nothing. */
	if (r->list_fresh)
		fx_kube_query_add_int(&query, "limit", FX_KUBE_PAGE);
	else
		fx_kube_query_add(&query, "resourceVersion", "0");
	if (r->token) {
		fx_buf_clear(&query);
		add_selectors(r, &query);
		fx_kube_query_add_int(&query, "limit", FX_KUBE_PAGE);
		fx_kube_query_add(&query, "continue", r->token);
	} else {
		r->list_number++;
	}
	forget(&r->token);
	r->state = FX_REFLECTOR_LISTING;
	fx_json_split_release(&r->split);
	fx_json_split_init(&r->split, "items", on_list_part, r);
	int rc = start_call(r, &query, accept, LIST_IDLE_MS, err);
	fx_buf_release(&query);
	return rc;
}

static int start_watch(struct fx_reflector *r, struct fx_error *err)
{
	struct fx_buf query = FX_BUF_INIT;
	const char *accept = r->options.metadata_only ? FX_KUBE_METADATA "," FX_KUBE_JSON : FX_KUBE_JSON;
	int seconds = FX_REFLECTOR_WATCH_S + random_below(FX_REFLECTOR_WATCH_S);
	add_selectors(r, &query);
	fx_kube_query_add(&query, "watch", "true");
	fx_kube_query_add(&query, "allowWatchBookmarks", "true");
	fx_kube_query_add(&query, "resourceVersion", r->resource_version);
	fx_kube_query_add_int(&query, "timeoutSeconds", seconds);
	r->state = FX_REFLECTOR_WATCHING;
	r->watch_progress = false;
	r->watch_started_ms = fx_now_ms();
	fx_json_split_release(&r->split);
	fx_json_split_init(&r->split, NULL, on_watch_line, r);
	int rc = start_call(r, &query, accept, (seconds + WATCH_GRACE_S) * 1000, err);
	fx_buf_release(&query);
	return rc;
}

/* [loop] The timer: the next list page, or the watch. */
static void go_on(void *arg)
{
	struct fx_reflector *r = arg;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	if (r->state != FX_REFLECTOR_WAITING)
		return;
	int rc = r->resource_version ? start_watch(r, &err) : start_list(r, &err);
	if (rc < 0)
		fail(r, &err);
}

static void start_on_loop(void *arg)
{
	struct fx_reflector *r = arg;
	if (r->state != FX_REFLECTOR_STOPPED)
		return;
	r->backoff_ms = FX_REFLECTOR_BACKOFF_MIN_MS;
	schedule(r, 0);
}

static void stop_on_loop(void *arg)
{
	struct fx_reflector *r = arg;
	r->state = FX_REFLECTOR_STOPPED;
	r->stopping = true;
	fx_timer_stop(r->timer);
	if (r->call)
		fx_http_call_abort(r->call);
	r->call = NULL;
	forget(&r->token);
	fx_json_split_release(&r->split);
	fx_buf_release(&r->failure);
	fx_error_release(&r->stream_error);
}

static void kick_on_loop(void *arg)
{
	struct fx_reflector *r = arg;
	if (r->state == FX_REFLECTOR_WAITING)
		schedule(r, 0);
}

void fx_reflector_start(struct fx_reflector *reflector)
{
	fx_loop_call(reflector->options.loop, start_on_loop, reflector);
}

void fx_reflector_stop(struct fx_reflector *reflector)
{
	fx_loop_call(reflector->options.loop, stop_on_loop, reflector);
}

void fx_reflector_kick(struct fx_reflector *reflector)
{
	fx_loop_call(reflector->options.loop, kick_on_loop, reflector);
}

static char *describe(const struct fx_kube_path *path)
{
	struct fx_buf buf = FX_BUF_INIT;
	fx_buf_add_str(&buf, path->resource);
	if (path->group && *path->group)
		fx_buf_addf(&buf, ".%s", path->group);
	if (path->namespace_ && *path->namespace_)
		fx_buf_addf(&buf, " in namespace %s", path->namespace_);
	char *text = fx_buf_take(&buf, NULL);
	fx_buf_release(&buf);
	return text;
}

int fx_reflector_new(
        const struct fx_reflector_options *options, struct fx_reflector **out, struct fx_error *err)
{
	fx_auto(reflector) struct fx_reflector *r = calloc(1, sizeof(*r));
	if (!r)
		return fx_fail_nomem(err);
	fx_reflector_image_init(r);
	r->options = *options;
	fx_kube_ref(options->kube);
	const char *label = options->label_selector, *field = options->field_selector;
	r->options.label_selector = label ? strdup(label) : NULL;
	r->options.field_selector = field ? strdup(field) : NULL;
	r->path = fx_kube_path_text(&options->path);
	r->what = describe(&options->path);
	memset(&r->options.path, 0, sizeof(r->options.path)); /* borrowed; its text is kept */
	if (!r->path || !r->what || (label && !r->options.label_selector) ||
	        (field && !r->options.field_selector))
		return fx_fail_nomem(err);
	int rc = fx_timer_new(options->loop, go_on, r, &r->timer, err);
	if (rc == 0)
		*out = fx_take(r);
	return rc;
}

void fx_reflector_free(struct fx_reflector *reflector)
{
	if (!reflector)
		return;
	if (reflector->timer)
		fx_reflector_stop(reflector);
	fx_timer_free(reflector->timer);
	fx_reflector_image_release(reflector);
	fx_kube_unref(reflector->options.kube);
	free((char *)reflector->options.label_selector);
	free((char *)reflector->options.field_selector);
	fx_buf_release(&reflector->slim);
	free(reflector->path);
	free(reflector->what);
	forget(&reflector->resource_version);
	forget(&reflector->list_version);
	free(reflector);
}
