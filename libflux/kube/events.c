#include "kube/events_internal.h"

#include "core/clock.h"
#include "core/map.h"
#include "kube/object.h"
#include "net/loop.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

/* Kubernetes Events. Source: client-go, tools/record. */
#define WRITE_TRIES 12
#define WRITE_PAUSE_MS (10 * 1000)
#define WRITE_TIMEOUT_MS (30 * 1000)
/* Requests under way at once. All events of one object go through one lane, so that they keep their
 * order and a count never overtakes what it counts. */
#define WRITE_LANES 4
/* Forwarding. Source: runtime reference, section 7.3. */
#define FORWARD_TRIES 5
#define FORWARD_PAUSE_MIN_MS 1000
#define FORWARD_PAUSE_MAX_MS (30 * 1000)
#define FORWARD_TIMEOUT_MS 5000
/* Answers are looked at only for their message. */
#define ANSWER_MAX (64 * 1024)

/* A queue and the one request of it that is under way; the loop thread's but for the queue. */
struct lane {
	struct fx_events *events;
	struct fx_event *first, **last; /* under the lock; the first one is the one under way */
	size_t count;                   /* under the lock */
	struct fx_timer *timer;
	struct fx_http_call *call;
	bool busy;    /* a request or a pause is under way */
	bool failing; /* the last event ran out of tries: the next one gets a single try */
	int status;
	struct fx_buf answer;
	int (*send)(struct lane *lane, struct fx_event *event, struct fx_error *err);
	/* Milliseconds until the next try; negative: give up. rc as of the request, status 0: no answer. */
	int64_t (*pause)(struct lane *lane, struct fx_event *event, int rc);
	/* Says an answer that there is nothing more to do? 0: nothing was asked. */
	bool (*is_taken)(int status);
};

struct fx_events {
	struct fx_events_options options; /* its strings are owned */
	struct fx_event_filter *filter;   /* the loop thread's */
	pthread_mutex_t lock;
	pthread_cond_t drained;
	struct lane write[WRITE_LANES], forward;
	size_t waiting; /* under the lock: events in all lanes */
	struct fx_loop_task task;
	bool task_posted;    /* under the lock */
	atomic_bool closing; /* nothing more is taken or followed up */
	atomic_uint_fast64_t dropped;
};

static void lane_next(struct lane *lane);

static void lane_push(struct lane *lane, struct fx_event *event)
{
	*lane->last = event;
	lane->last = &event->next;
	lane->count++;
	lane->events->waiting++;
}

static struct fx_event *lane_first(struct lane *lane)
{
	pthread_mutex_lock(&lane->events->lock);
	struct fx_event *event = lane->first;
	pthread_mutex_unlock(&lane->events->lock);
	return event;
}

/* The first event is done with. */
static void lane_pop(struct lane *lane)
{
	struct fx_events *events = lane->events;
	pthread_mutex_lock(&events->lock);
	struct fx_event *event = lane->first;
	lane->first = event->next;
	if (!lane->first)
		lane->last = &lane->first;
	lane->count--;
	events->waiting--;
	if (events->waiting == 0)
		pthread_cond_broadcast(&events->drained);
	pthread_mutex_unlock(&events->lock);
	fx_event_free(event);
}

static void report(struct fx_events *events, const struct fx_event *event, const struct fx_error *err)
{
	const char *namespace_ = fx_json_str_at(event->reference, "namespace");
	const char *name = fx_json_str_at(event->reference, "name"),
	           *kind = fx_json_str_at(event->reference, "kind");
	if (events->options.on_failure)
		events->options.on_failure(events->options.arg, namespace_ ? namespace_ : "",
		        name ? name : "", kind ? kind : "", err);
}

static int on_head(void *arg, const struct fx_http_response *head)
{
	((struct lane *)arg)->status = head->status;
	return 0;
}

static int on_data(void *arg, const char *data, size_t len)
{
	fx_buf_add(&((struct lane *)arg)->answer, data, len);
	return 0;
}

/* A try has ended: done, again later, or given up. */
static void lane_tried(struct lane *lane, struct fx_event *event, int rc, const struct fx_error *err)
{
	if (rc == 0 && lane->is_taken(lane->status)) {
		lane->failing = false;
		lane_pop(lane);
		lane->busy = false;
		lane_next(lane);
		return;
	}
	int64_t pause_ms = lane->pause(lane, event, rc);
	if (pause_ms >= 0) {
		fx_timer_start(lane->timer, pause_ms);
		return;
	}
	if (err->code != FX_OK)
		report(lane->events, event, err);
	lane_pop(lane);
	lane->busy = false;
	lane_next(lane);
}

static void on_done(void *arg, const struct fx_error *err)
{
	struct lane *lane = arg;
	fx_auto(error) struct fx_error failure = FX_ERROR_INIT;
	fx_auto(json) json_t *body = NULL;
	int rc = 0;
	lane->call = NULL;
	struct fx_event *event = lane_first(lane);
	if (!event || atomic_load(&lane->events->closing))
		return;
	if (err->code != FX_OK) {
		rc = fx_fail_kind(&failure, err->code, err->kind, "%s", fx_error_message(err));
	} else if (lane->status >= 400) {
		if (fx_json_parse(fx_buf_str(&lane->answer), lane->answer.len, &body, NULL) < 0)
			body = NULL;
		fx_kube_status_fail(lane->status, body, 0, NULL, &failure);
	}
	lane_tried(lane, event, rc, &failure);
}

static struct fx_http_handler lane_handler(struct lane *lane)
{
	lane->status = 0;
	fx_buf_release(&lane->answer);
	lane->answer = (struct fx_buf)FX_BUF_INIT_MAX(ANSWER_MAX);
	return (struct fx_http_handler){
	        .on_head = on_head, .on_data = on_data, .on_done = on_done, .arg = lane};
}

/* [loop] Sends the first event of the queue. */
static void lane_send(void *arg)
{
	struct lane *lane = arg;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct fx_event *event = lane_first(lane);
	if (!event)
		return;
	event->tries++;
	lane->status = 0;
	int rc = lane->send(lane, event, &err);
	if (rc != 0)
		lane_tried(lane, event, rc < 0 ? rc : 0, &err);
}

static void lane_next(struct lane *lane)
{
	if (lane->busy || !lane_first(lane))
		return;
	lane->busy = true;
	/* Through the timer: a row of dropped events must not become a deep recursion. */
	fx_timer_start(lane->timer, 0);
}

/* Kubernetes Events. */

/* 1: the filter drops it. */
static int write_send(struct lane *lane, struct fx_event *event, struct fx_error *err)
{
	struct fx_events *events = lane->events;
	if (!event->decided) {
		char name[256];
		fx_autofree char *source = fx_event_source_key(event, events->options.component);
		if (!source)
			return fx_fail_nomem(err);
		fx_event_make_name(event, name);
		fx_event_filter_check(events->filter, source, fx_event_type_name(event->type), event->reason,
		        event->message, name, event->wall_ns, &event->decision);
		event->decided = true;
	}
	if (event->decision.verdict == FX_EVENT_DROP)
		return 1;
	bool patch = event->decision.verdict == FX_EVENT_COUNT;
	fx_auto(json) json_t *body =
	        patch ? fx_event_patch(event) : fx_event_object(event, events->options.component);
	fx_autofree char *text = body ? fx_json_text(body, NULL) : NULL;
	const char *namespace_ = fx_json_str_at(event->reference, "namespace");
	const struct fx_kube_path path = {
	        .version = "v1",
	        .resource = "events",
	        .namespace_ = namespace_ ? namespace_ : "default",
	        .name = patch ? event->decision.name : NULL,
	};
	fx_autofree char *path_text = fx_kube_path_text(&path);
	if (!text || !path_text)
		return fx_fail_nomem(err);
	const struct fx_kube_request request = {
	        .method = patch ? "PATCH" : "POST",
	        .path = path_text,
	        .content_type = patch ? FX_KUBE_MERGE_PATCH : FX_KUBE_JSON,
	        .body = text,
	        .body_len = strlen(text),
	        .timeout_ms = WRITE_TIMEOUT_MS,
	};
	const struct fx_http_handler handler = lane_handler(lane);
	return fx_kube_start(events->options.kube, &request, 0, &handler, &lane->call, err);
}

static bool write_is_taken(int status)
{
	return status < 400;
}

static int64_t write_pause(struct lane *lane, struct fx_event *event, int rc)
{
	uint32_t r = 0;
	/* The counted event is gone (they live for an hour): a new one takes its name. */
	if (lane->status == 404 && event->decision.verdict == FX_EVENT_COUNT) {
		event->decision.verdict = FX_EVENT_CREATE;
		return 0;
	}
	/* What the server has refused it will refuse again. */
	if (lane->status != 0 || rc == 0 || event->tries >= (lane->failing ? 1 : WRITE_TRIES)) {
		lane->failing = rc < 0;
		return -1;
	}
	if (event->tries > 1 || getrandom(&r, sizeof(r), 0) != sizeof(r))
		return WRITE_PAUSE_MS;
	return r % WRITE_PAUSE_MS;
}

/* Forwarding. */

static int forward_send(struct lane *lane, struct fx_event *event, struct fx_error *err)
{
	const struct fx_events_options *options = &lane->events->options;
	fx_auto(json) json_t *body = fx_event_forward_body(event, options->component, options->instance);
	fx_autofree char *text = body ? fx_json_text(body, NULL) : NULL;
	const struct fx_http_header type = {"Content-Type", "application/json"};
	if (!text)
		return fx_fail_nomem(err);
	const struct fx_http_request request = {
	        .method = "POST",
	        .url = options->events_addr,
	        .headers = &type,
	        .header_count = 1,
	        .body = text,
	        .body_len = strlen(text),
	        .timeout_ms = FORWARD_TIMEOUT_MS,
	        .follow_redirects = true,
	};
	const struct fx_http_handler handler = lane_handler(lane);
	return fx_http_start(options->http, &request, &handler, &lane->call, err);
}

/* A receiver that refuses (429: it has the event already) has still received. */
static bool forward_is_taken(int status)
{
	return status < 500 || status == 501;
}

static int64_t forward_pause(struct lane *lane, struct fx_event *event, int rc)
{
	bool broken =
	        rc < 0 && rc != -FX_E_TLS && rc != -FX_E_INVALID && rc != -FX_E_LIMIT && rc != -FX_E_NOMEM;
	bool refused = !forward_is_taken(lane->status);
	int64_t pause_ms = FORWARD_PAUSE_MIN_MS;
	if (!broken && !refused) {
		lane->failing = false;
		return -1;
	}
	/* While the receiver is away the events behind must not each take all tries. */
	if (event->tries >= (lane->failing ? 1 : FORWARD_TRIES)) {
		lane->failing = true;
		return -1;
	}
	for (int i = 1; i < event->tries && pause_ms < FORWARD_PAUSE_MAX_MS; i++)
		pause_ms *= 2;
	return pause_ms < FORWARD_PAUSE_MAX_MS ? pause_ms : FORWARD_PAUSE_MAX_MS;
}

/* The recorder. */

static void wake(struct fx_loop_task *task)
{
	struct fx_events *events = (struct fx_events *)((char *)task - offsetof(struct fx_events, task));
	pthread_mutex_lock(&events->lock);
	events->task_posted = false;
	pthread_mutex_unlock(&events->lock);
	for (size_t i = 0; i < WRITE_LANES; i++)
		lane_next(&events->write[i]);
	lane_next(&events->forward);
}

static void queue(struct fx_events *events, struct lane *lane, struct fx_event *event)
{
	bool post = false;
	pthread_mutex_lock(&events->lock);
	/* The two deliveries have a limit each: a dead receiver must not cost the cluster its events. */
	size_t count = lane == &events->forward ? lane->count : events->waiting - events->forward.count;
	bool full = !event || atomic_load(&events->closing) || count >= FX_EVENTS_QUEUE_MAX;
	if (!full) {
		lane_push(lane, event);
		post = !events->task_posted;
		events->task_posted = true;
	}
	pthread_mutex_unlock(&events->lock);
	if (full) {
		atomic_fetch_add(&events->dropped, 1);
		fx_event_free(event);
	}
	if (post)
		fx_loop_post(events->options.loop, &events->task);
}

/* The receiver needs all of these. */
static bool is_complete(const struct fx_event *event)
{
	return event && fx_json_str_at(event->reference, "kind") &&
	       fx_json_str_at(event->reference, "name") && fx_json_str_at(event->reference, "namespace");
}

static struct lane *write_lane(struct fx_events *events, const json_t *object)
{
	const char *uid = fx_object_uid(object), *name = fx_object_name(object);
	const char *key = *uid ? uid : name;
	return &events->write[fx_hash(key, strlen(key)) % WRITE_LANES];
}

void fx_events_emit(struct fx_events *events, const json_t *object, const json_t *metadata,
        enum fx_event_type type, const char *reason, const char *message)
{
	queue(events, write_lane(events, object), fx_event_new(object, metadata, type, reason, message));
	if (!events->options.events_addr || type == FX_EVENT_TRACE)
		return;
	struct fx_event *event = fx_event_new(object, metadata, type, reason, message);
	if (is_complete(event)) {
		queue(events, &events->forward, event);
		return;
	}
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_fail(&err, FX_E_INVALID, "the object has no kind, name or namespace");
	if (event)
		report(events, event, &err);
	fx_event_free(event);
}

void fx_events_emitf(struct fx_events *events, const json_t *object, const json_t *metadata,
        enum fx_event_type type, const char *reason, const char *fmt, ...)
{
	struct fx_buf text = FX_BUF_INIT;
	va_list ap;
	va_start(ap, fmt);
	fx_buf_addv(&text, fmt, ap);
	va_end(ap);
	fx_events_emit(events, object, metadata, type, reason, fx_buf_str(&text));
	fx_buf_release(&text);
}

uint64_t fx_events_dropped(const struct fx_events *events)
{
	return atomic_load(&events->dropped);
}

static bool is_http_url(const char *url)
{
	const char *host = strncmp(url, "http://", 7) == 0    ? url + 7
	                   : strncmp(url, "https://", 8) == 0 ? url + 8
	                                                      : "";
	return *host && *host != '/' && !strpbrk(url, " \t\r\n");
}

static int lane_init(struct lane *lane, struct fx_events *events,
        int (*send)(struct lane *lane, struct fx_event *event, struct fx_error *err),
        int64_t (*pause)(struct lane *lane, struct fx_event *event, int rc), bool (*is_taken)(int status),
        struct fx_error *err)
{
	lane->events = events;
	lane->last = &lane->first;
	lane->send = send;
	lane->pause = pause;
	lane->is_taken = is_taken;
	return fx_timer_new(events->options.loop, lane_send, lane, &lane->timer, err);
}

static void lane_release(struct lane *lane)
{
	fx_timer_free(lane->timer);
	while (lane->first) {
		struct fx_event *event = lane->first;
		lane->first = event->next;
		fx_event_free(event);
	}
	fx_buf_release(&lane->answer);
}

static void abort_on_loop(void *arg)
{
	struct fx_events *events = arg;
	for (size_t i = 0; i <= WRITE_LANES; i++) {
		struct lane *lane = i < WRITE_LANES ? &events->write[i] : &events->forward;
		if (lane->timer)
			fx_timer_stop(lane->timer);
		if (lane->call)
			fx_http_call_abort(lane->call);
	}
}

/* Waits for empty queues, then takes nothing more. */
static void drain(struct fx_events *events, int grace_ms)
{
	int64_t until = fx_now_ms() + grace_ms;
	const struct timespec deadline = {.tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000};
	pthread_mutex_lock(&events->lock);
	while (events->waiting > 0 && fx_now_ms() < until)
		pthread_cond_timedwait(&events->drained, &events->lock, &deadline);
	atomic_store(&events->closing, true);
	pthread_mutex_unlock(&events->lock);
}

void fx_events_free(struct fx_events *events, int grace_ms)
{
	if (!events)
		return;
	drain(events, grace_ms);
	/* Posted tasks run before: after this nothing of ours is on the loop. */
	fx_loop_call(events->options.loop, abort_on_loop, events);
	for (size_t i = 0; i < WRITE_LANES; i++)
		lane_release(&events->write[i]);
	lane_release(&events->forward);
	fx_event_filter_free(events->filter);
	fx_kube_unref(events->options.kube);
	free((char *)events->options.component);
	free((char *)events->options.instance);
	free((char *)events->options.events_addr);
	pthread_cond_destroy(&events->drained);
	pthread_mutex_destroy(&events->lock);
	free(events);
}

int fx_events_new(const struct fx_events_options *options, struct fx_events **out, struct fx_error *err)
{
	bool forwards = options->events_addr && *options->events_addr;
	pthread_condattr_t attr;
	if (forwards && !is_http_url(options->events_addr))
		return fx_fail(err, FX_E_INVALID, "the events address is no http or https URL");
	struct fx_events *events = calloc(1, sizeof(*events));
	if (!events)
		return fx_fail_nomem(err);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_mutex_init(&events->lock, NULL);
	pthread_cond_init(&events->drained, &attr);
	pthread_condattr_destroy(&attr);
	events->task.fn = wake;
	events->options = *options;
	fx_kube_ref(options->kube);
	events->options.component = strdup(options->component);
	events->options.instance = options->instance ? strdup(options->instance) : NULL;
	events->options.events_addr = forwards ? strdup(options->events_addr) : NULL;
	events->filter = fx_event_filter_new();
	int rc = 0;
	if (!events->options.component || !events->filter || (forwards && !events->options.events_addr) ||
	        (options->instance && !events->options.instance))
		rc = fx_fail_nomem(err);
	for (size_t i = 0; i < WRITE_LANES && rc == 0; i++)
		rc = lane_init(&events->write[i], events, write_send, write_pause, write_is_taken, err);
	if (rc == 0)
		rc = lane_init(&events->forward, events, forward_send, forward_pause, forward_is_taken, err);
	if (rc == 0)
		*out = events;
	else
		fx_events_free(events, 0);
	return rc;
}
