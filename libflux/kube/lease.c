#include "kube/lease.h"

#include "core/clock.h"
#include "data/digest.h"
#include "kube/object.h"
#include "net/loop.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

/* Followers look again after the retry period times 1 to 2.2, so that they do not come together.
 * Source: client-go's JitterFactor 1.2. */
#define FOLLOWER_JITTER 1.2
/* The Lease object has less than a kilobyte. */
#define ANSWER_MAX (256 * 1024)
#define MIN_TIMEOUT_MS 1000

enum step {
	IDLE,
	GETTING,
	CREATING,
	UPDATING,
	RELEASING,
	REREADING, /* after a conflict of the release */
};

struct fx_lease {
	struct fx_lease_options options; /* its strings are owned */
	char *path;                      /* of the Lease */
	char *collection;
	atomic_bool leader;

	/* The loop thread's. */
	struct fx_timer *timer;
	struct fx_http_call *call;
	enum step step;
	int status;
	struct fx_buf answer;
	json_t *lease;      /* as last seen, NULL: never */
	char *seen;         /* its spec as text, to notice a change */
	int64_t seen_ms;    /* when it changed last */
	int64_t began_ms;   /* when the write under way began */
	int64_t renewed_ms; /* when our last renewal began */
	bool running, ended, aborting;

	pthread_mutex_t lock;
	pthread_cond_t stopped;
	bool released; /* the release has ended, well or not */
};

static void get_lease(struct fx_lease *lease);

static const char *holder_of(const json_t *lease)
{
	const char *holder = fx_json_str_at(lease, "spec", "holderIdentity");
	return holder ? holder : "";
}

static bool is_ours(const struct fx_lease *lease)
{
	return strcmp(holder_of(lease->lease), lease->options.identity) == 0;
}

static double random_unit(void)
{
	uint32_t value = 0;
	if (getrandom(&value, sizeof(value), 0) != sizeof(value))
		return 0.5;
	return value / 4294967296.0;
}

/* How long a leader still has to renew. */
static int64_t time_left_ms(const struct fx_lease *lease)
{
	int64_t left = lease->renewed_ms + lease->options.renew_deadline_ms - fx_now_ms();
	return left > 0 ? left : 0;
}

/* A leader never sleeps past its deadline: its successor counts on that. */
static void schedule(struct fx_lease *lease)
{
	int64_t delay_ms = lease->options.retry_period_ms;
	lease->step = IDLE;
	if (!atomic_load(&lease->leader))
		delay_ms = (int64_t)((double)delay_ms * (1 + FOLLOWER_JITTER * random_unit()));
	else if (time_left_ms(lease) < delay_ms)
		delay_ms = time_left_ms(lease);
	fx_timer_start(lease->timer, delay_ms);
}

static void lose(struct fx_lease *lease)
{
	lease->ended = true;
	atomic_store(&lease->leader, false);
	lease->options.on_lost(lease->options.arg);
}

/* Our lease is no longer sure: another holds it, or it is too long since we could write it. */
static bool must_lose(const struct fx_lease *lease, bool taken)
{
	if (!atomic_load(&lease->leader))
		return false;
	return taken || time_left_ms(lease) == 0;
}

/* Remembers the record; its clock starts anew when it has changed. */
static void observe(struct fx_lease *lease, json_t *object)
{
	const json_t *spec = json_object_get(object, "spec");
	char *text = spec ? fx_json_text(spec, NULL) : strdup("");
	const char *before = holder_of(lease->lease), *holder = holder_of(object);
	bool new_holder = *holder && strcmp(before, holder) != 0;
	if (!lease->seen || !text || strcmp(lease->seen, text) != 0)
		lease->seen_ms = fx_now_ms();
	free(lease->seen);
	lease->seen = text;
	json_decref(lease->lease);
	lease->lease = json_incref(object);
	if (new_holder && lease->options.on_leader)
		lease->options.on_leader(lease->options.arg, holder);
}

static void report(struct fx_lease *lease, const struct fx_error *err)
{
	if (lease->options.on_error)
		lease->options.on_error(lease->options.arg, err);
}

/* Ours, empty, or not renewed for its whole duration while we watched. */
static bool may_take(const struct fx_lease *lease)
{
	int64_t duration_ms = fx_json_int_at(lease->lease, 0, "spec", "leaseDurationSeconds") * 1000;
	if (!*holder_of(lease->lease) || is_ours(lease))
		return true;
	return fx_now_ms() - lease->seen_ms >= duration_ms;
}

/* The object to write: spec as the current holder, or released. */
static json_t *make_lease(const struct fx_lease *lease, bool release)
{
	char now[FX_TIME_TEXT];
	fx_time_rfc3339_micro(fx_wall_ns(), now);
	json_t *object = lease->lease ? json_deep_copy(lease->lease)
	                              : json_pack("{s:s, s:s, s:{s:s, s:s}}", "apiVersion",
	                                        "coordination.k8s.io/v1", "kind", "Lease", "metadata", "name",
	                                        lease->options.name, "namespace", lease->options.namespace_);
	bool renews = lease->lease && is_ours(lease);
	int64_t transitions =
	        fx_json_int_at(lease->lease, 0, "spec", "leaseTransitions") + (lease->lease && !renews);
	int64_t seconds = release ? 1 : (lease->options.lease_duration_ms + 999) / 1000;
	fx_json_del_at(object, "metadata", "managedFields");
	bool ok = object &&
	          fx_json_set_at(object, json_string(release ? "" : lease->options.identity), "spec",
	                  "holderIdentity") &&
	          fx_json_set_at(object, json_integer(seconds), "spec", "leaseDurationSeconds") &&
	          fx_json_set_at(object, json_string(now), "spec", "renewTime") &&
	          fx_json_set_at(object, json_integer(transitions), "spec", "leaseTransitions") &&
	          ((renews && !release) || fx_json_set_at(object, json_string(now), "spec", "acquireTime"));
	if (ok)
		return object;
	json_decref(object);
	return NULL;
}

static int on_head(void *arg, const struct fx_http_response *head)
{
	((struct fx_lease *)arg)->status = head->status;
	return 0;
}

static int on_data(void *arg, const char *data, size_t len)
{
	fx_buf_add(&((struct fx_lease *)arg)->answer, data, len);
	return 0;
}

static void on_done(void *arg, const struct fx_error *err);

static int send(struct fx_lease *lease, enum step step, const char *method, const char *path,
        const json_t *body, struct fx_error *err)
{
	const struct fx_http_handler handler = {
	        .on_head = on_head, .on_data = on_data, .on_done = on_done, .arg = lease};
	fx_autofree char *text = body ? fx_json_text(body, NULL) : NULL;
	int64_t timeout_ms = lease->options.renew_deadline_ms / 2;
	if (timeout_ms < MIN_TIMEOUT_MS)
		timeout_ms = MIN_TIMEOUT_MS;
	if (atomic_load(&lease->leader) && time_left_ms(lease) < timeout_ms)
		timeout_ms = time_left_ms(lease) + 1;
	const struct fx_kube_request request = {
	        .method = method,
	        .path = path,
	        .body = text,
	        .body_len = text ? strlen(text) : 0,
	        .timeout_ms = (int)timeout_ms,
	};
	if (body && !text)
		return fx_fail_nomem(err);
	lease->step = step;
	lease->status = 0;
	fx_buf_release(&lease->answer);
	lease->answer = (struct fx_buf)FX_BUF_INIT_MAX(ANSWER_MAX);
	return fx_kube_start(lease->options.kube, &request, 0, &handler, &lease->call, err);
}

/* A try has failed: say so, and go on unless the lease is lost. */
static void try_again(struct fx_lease *lease, const struct fx_error *err)
{
	if (err->code != FX_OK)
		report(lease, err);
	if (must_lose(lease, false))
		lose(lease);
	else
		schedule(lease);
}

static void write_lease(struct fx_lease *lease)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(json) json_t *object = make_lease(lease, false);
	bool exists = lease->lease != NULL;
	lease->began_ms = fx_now_ms();
	int rc = object ? send(lease, exists ? UPDATING : CREATING, exists ? "PUT" : "POST",
	                          exists ? lease->path : lease->collection, object, &err)
	                : fx_fail_nomem(&err);
	if (rc < 0)
		try_again(lease, &err);
}

static void get_lease(struct fx_lease *lease)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	if (send(lease, GETTING, "GET", lease->path, NULL, &err) < 0)
		try_again(lease, &err);
}

/* The timer. A leader writes over what it wrote last, without a read before. */
static void on_timer(void *arg)
{
	struct fx_lease *lease = arg;
	if (!lease->running || lease->ended || lease->step != IDLE)
		return;
	if (must_lose(lease, false)) {
		lose(lease);
		return;
	}
	if (atomic_load(&lease->leader)) {
		write_lease(lease);
		return;
	}
	get_lease(lease);
}

static void written(struct fx_lease *lease, json_t *object)
{
	observe(lease, object);
	/* The lease counts from when it was asked for: its renewTime is from then. */
	lease->renewed_ms = lease->began_ms;
	bool acquired = !atomic_exchange(&lease->leader, true);
	schedule(lease);
	if (acquired)
		lease->options.on_acquired(lease->options.arg);
}

static void got(struct fx_lease *lease, json_t *object)
{
	observe(lease, object);
	if (must_lose(lease, !is_ours(lease)))
		lose(lease);
	else if (may_take(lease))
		write_lease(lease);
	else
		schedule(lease);
}

static int outcome(struct fx_lease *lease, const struct fx_error *err, json_t **out, struct fx_error *failure)
{
	fx_auto(json) json_t *body = NULL;
	if (err->code != FX_OK)
		return fx_fail_kind(failure, err->code, err->kind, "%s", fx_error_message(err));
	int rc = fx_json_parse(fx_buf_str(&lease->answer), lease->answer.len, &body, failure);
	if (lease->status >= 400) {
		fx_error_release(failure);
		return fx_kube_status_fail(lease->status, rc == 0 ? body : NULL, 0, NULL, failure);
	}
	if (rc == 0)
		*out = fx_take(body);
	return rc;
}

static void end_release(struct fx_lease *lease)
{
	pthread_mutex_lock(&lease->lock);
	lease->released = true;
	pthread_cond_broadcast(&lease->stopped);
	pthread_mutex_unlock(&lease->lock);
}

/* The release was written or not. A renewal that was cut off may have reached the server, and then the
 * release is refused for its old version: it is read again and released, if it still is ours. fx_lease_stop()
 * bounds the wait. */
static void go_on_releasing(struct fx_lease *lease, enum step step, int rc, json_t *object)
{
	fx_auto(json) json_t *released = NULL;
	if (step == RELEASING && rc == -FX_E_CONFLICT &&
	        send(lease, REREADING, "GET", lease->path, NULL, NULL) == 0)
		return;
	if (step == REREADING && rc == 0) {
		observe(lease, object);
		released = is_ours(lease) ? make_lease(lease, true) : NULL;
		if (released && send(lease, RELEASING, "PUT", lease->path, released, NULL) == 0)
			return;
	}
	end_release(lease);
}

/* The end of a request: what it means depends on the step. */
static void on_done(void *arg, const struct fx_error *err)
{
	struct fx_lease *lease = arg;
	fx_auto(json) json_t *object = NULL;
	fx_auto(error) struct fx_error failure = FX_ERROR_INIT;
	enum step step = lease->step;
	int rc = outcome(lease, err, &object, &failure);
	lease->call = NULL;
	lease->step = IDLE;
	if (!lease->aborting && (step == RELEASING || step == REREADING)) {
		go_on_releasing(lease, step, rc, object);
		return;
	}
	if (lease->aborting || !lease->running)
		return;
	if (rc == 0 && step == GETTING) {
		got(lease, object);
	} else if (rc == 0) {
		written(lease, object);
	} else if (rc == -FX_E_NOT_FOUND && step != CREATING) {
		json_decref(lease->lease);
		lease->lease = NULL;
		write_lease(lease);
	} else if (rc == -FX_E_CONFLICT && step == UPDATING && atomic_load(&lease->leader)) {
		/* Somebody wrote it: see who, and go on if it is still ours. */
		get_lease(lease);
	} else {
		try_again(lease, &failure);
	}
}

static void start_on_loop(void *arg)
{
	struct fx_lease *lease = arg;
	if (lease->running)
		return;
	lease->running = true;
	lease->ended = lease->aborting = false;
	get_lease(lease);
}

void fx_lease_start(struct fx_lease *lease)
{
	fx_loop_call(lease->options.loop, start_on_loop, lease);
}

static void abort_call(struct fx_lease *lease)
{
	lease->running = false;
	lease->aborting = true;
	fx_timer_stop(lease->timer);
	if (lease->call)
		fx_http_call_abort(lease->call);
	lease->call = NULL;
	lease->aborting = false;
}

static void stop_on_loop(void *arg)
{
	struct fx_lease *lease = arg;
	bool holds = atomic_exchange(&lease->leader, false) && !lease->ended;
	fx_auto(json) json_t *object = NULL;
	abort_call(lease);
	if (holds && lease->options.release_on_stop && lease->lease)
		object = make_lease(lease, true);
	if (!object || send(lease, RELEASING, "PUT", lease->path, object, NULL) < 0)
		end_release(lease);
}

static void abort_on_loop(void *arg)
{
	abort_call(arg);
}

void fx_lease_stop(struct fx_lease *lease, int timeout_ms)
{
	int64_t until = fx_now_ms() + timeout_ms;
	const struct timespec deadline = {.tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000};
	lease->released = false;
	fx_loop_call(lease->options.loop, stop_on_loop, lease);
	pthread_mutex_lock(&lease->lock);
	while (!lease->released && fx_now_ms() < until)
		pthread_cond_timedwait(&lease->stopped, &lease->lock, &deadline);
	pthread_mutex_unlock(&lease->lock);
	fx_loop_call(lease->options.loop, abort_on_loop, lease);
}

void fx_lease_free(struct fx_lease *lease)
{
	if (!lease)
		return;
	if (lease->timer)
		fx_loop_call(lease->options.loop, abort_on_loop, lease);
	fx_timer_free(lease->timer);
	fx_kube_unref(lease->options.kube);
	free((char *)lease->options.namespace_);
	free((char *)lease->options.name);
	free((char *)lease->options.identity);
	free(lease->path);
	free(lease->collection);
	free(lease->seen);
	json_decref(lease->lease);
	fx_buf_release(&lease->answer);
	pthread_cond_destroy(&lease->stopped);
	pthread_mutex_destroy(&lease->lock);
	free(lease);
}

bool fx_lease_is_leader(const struct fx_lease *lease)
{
	return atomic_load(&lease->leader);
}

static int check_times(const struct fx_lease_options *options, struct fx_error *err)
{
	if (options->lease_duration_ms <= options->renew_deadline_ms)
		return fx_fail(err, FX_E_INVALID, "leaseDuration must be greater than renewDeadline");
	if (options->renew_deadline_ms <= FOLLOWER_JITTER * options->retry_period_ms)
		return fx_fail(
		        err, FX_E_INVALID, "renewDeadline must be greater than retryPeriod*JitterFactor");
	if (options->retry_period_ms < 1)
		return fx_fail(err, FX_E_INVALID, "retryPeriod must be greater than zero");
	return 0;
}

int fx_lease_new(const struct fx_lease_options *options, struct fx_lease **out, struct fx_error *err)
{
	struct fx_kube_path path = {"coordination.k8s.io", "v1", "leases", options->namespace_, NULL, NULL};
	pthread_condattr_t attr;
	int rc = check_times(options, err);
	if (rc < 0)
		return rc;
	fx_auto(lease) struct fx_lease *lease = calloc(1, sizeof(*lease));
	if (!lease)
		return fx_fail_nomem(err);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_mutex_init(&lease->lock, NULL);
	pthread_cond_init(&lease->stopped, &attr);
	pthread_condattr_destroy(&attr);
	lease->options = *options;
	fx_kube_ref(options->kube);
	lease->options.namespace_ = strdup(options->namespace_);
	lease->options.name = strdup(options->name);
	lease->options.identity = strdup(options->identity);
	lease->collection = fx_kube_path_text(&path);
	path.name = options->name;
	lease->path = fx_kube_path_text(&path);
	if (!lease->options.namespace_ || !lease->options.name || !lease->options.identity ||
	        !lease->collection || !lease->path)
		return fx_fail_nomem(err);
	rc = fx_timer_new(options->loop, on_timer, lease, &lease->timer, err);
	if (rc == 0)
		*out = fx_take(lease);
	return rc;
}

char *fx_lease_identity(void)
{
	char host[256] = "";
	unsigned char r[16];
	struct fx_buf text = FX_BUF_INIT;
	if (gethostname(host, sizeof(host) - 1) < 0 || getrandom(r, sizeof(r), 0) != sizeof(r))
		return NULL;
	r[6] = (r[6] & 0x0f) | 0x40; /* a random UUID, RFC 9562 */
	r[8] = (r[8] & 0x3f) | 0x80;
	fx_buf_addf(&text, "%s_", host);
	for (size_t i = 0; i < sizeof(r); i++)
		fx_buf_addf(&text, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", r[i]);
	char *identity = fx_buf_take(&text, NULL);
	fx_buf_release(&text);
	return identity;
}

char *fx_lease_name(const char *controller, const char *selector)
{
	struct fx_digest digest;
	struct fx_buf text = FX_BUF_INIT;
	fx_buf_addf(&text, "%s-leader-election", controller);
	if (selector && *selector) {
		if (fx_digest_bytes(FX_DIGEST_SHA256, selector, strlen(selector), &digest, NULL) < 0)
			text.failed = true;
		else
			fx_buf_addf(&text, "-%.8s", fx_digest_hex(&digest));
	}
	char *name = fx_buf_take(&text, NULL);
	fx_buf_release(&text);
	return name;
}
