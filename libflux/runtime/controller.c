#include "runtime/controller.h"

#include "core/clock.h"
#include "core/map.h"
#include "runtime/controller_metrics.h"

#include <pthread.h>
#include <string.h>
#include <sys/random.h>

/* Reconcilers and engines keep big things in arenas; this is for call depth alone. */
#define WORKER_STACK_BYTES (1024 * 1024)

/* What the image keeps of an object: what the queueing rules need, and its text. */
struct record {
	int64_t generation;
	uint64_t version; /* resourceVersion as a number */
	bool deleting;
	uint32_t requested_at; /* offset in text of the token; 0: none */
	char text[];           /* JSON, NUL, token, NUL */
};

/* An object as we wrote it, until the image has caught up. */
struct written {
	uint64_t version;
	char *text;
};

struct fx_controller {
	struct fx_controller_options options;
	struct fx_manager *manager;
	struct fx_queue *queue;
	struct fx_reflector *image;
	struct fx_controller_metrics metrics;
	pthread_mutex_t lock;
	pthread_cond_t ended;
	struct fx_map written; /* key -> struct written */
	pthread_t *threads;
	size_t thread_count;
	size_t running;
};

static void free_written(void *p)
{
	struct written *w = p;
	free(w->text);
	free(w);
}

static uint64_t version_number(const char *resource_version)
{
	return strtoull(resource_version, NULL, 10);
}

/* Compact text without managedFields, which are half of an object and nobody's input here. */
static char *object_text(const json_t *object, size_t *out_len)
{
	fx_auto(json) json_t *copy = json_copy((json_t *)(uintptr_t)object);
	const json_t *metadata = json_object_get(object, "metadata");
	if (copy && json_object_get(metadata, "managedFields")) {
		json_t *slim = json_copy((json_t *)(uintptr_t)metadata);
		json_object_del(slim, "managedFields");
		json_object_set_new(copy, "metadata", slim);
	}
	return fx_json_text(copy, out_len);
}

static void *pack(void *arg, const json_t *object)
{
	struct fx_controller *c = arg;
	if (c->options.on_seen)
		c->options.on_seen(
		        c->options.arg, fx_object_namespace(object), fx_object_name(object), object);
	size_t len = 0;
	fx_autofree char *text = object_text(object, &len);
	const char *token = fx_object_annotation(object, FX_ANNOTATION_REQUESTED_AT);
	size_t token_len = token ? strlen(token) + 1 : 0;
	struct record *r = text ? malloc(sizeof(*r) + len + 1 + token_len) : NULL;
	if (!r)
		return NULL;
	*r = (struct record){
	        .generation = fx_object_generation(object),
	        .version = version_number(fx_object_resource_version(object)),
	        .deleting = fx_object_is_deleting(object),
	        .requested_at = token ? (uint32_t)len + 1 : 0,
	};
	memcpy(r->text, text, len + 1);
	if (token)
		memcpy(r->text + len + 1, token, token_len);
	return r;
}

static const char *token_of(const struct record *r)
{
	return r->requested_at ? r->text + r->requested_at : NULL;
}

/* True when the change is one that a user made. */
static bool is_asked_for(const struct record *old, const struct record *now)
{
	const char *was = token_of(old), *is = token_of(now);
	return old->generation != now->generation || old->deleting != now->deleting ||
	       (is && (!was || strcmp(was, is) != 0));
}

static void forget_written(struct fx_controller *c, const char *key, uint64_t seen_version)
{
	pthread_mutex_lock(&c->lock);
	struct written *w = fx_map_get(&c->written, key);
	if (w && w->version <= seen_version)
		fx_map_del(&c->written, key);
	pthread_mutex_unlock(&c->lock);
}

static void on_change(void *arg, const struct fx_reflector_event *event)
{
	struct fx_controller *c = arg;
	const struct record *old = event->old_record, *now = event->new_record;
	fx_autofree char *key = fx_object_key(event->namespace_, event->name);
	if (!key)
		return;
	if (event->change == FX_OBJECT_DELETED) {
		forget_written(c, key, UINT64_MAX);
		fx_queue_drop(c->queue, key);
		fx_controller_metrics_drop(&c->metrics, c->options.kind, event->namespace_, event->name);
		if (c->options.on_gone)
			c->options.on_gone(c->options.arg, event->namespace_, event->name);
		return;
	}
	forget_written(c, key, now->version);
	if (!old)
		fx_queue_add(c->queue, key, event->initial ? FX_PRIORITY_INITIAL : FX_PRIORITY_NORMAL);
	else if (is_asked_for(old, now))
		fx_queue_add(c->queue, key, FX_PRIORITY_USER);
}

int fx_controller_new(
        const struct fx_controller_options *options, struct fx_controller **out, struct fx_error *err)
{
	struct fx_controller *c = calloc(1, sizeof(*c));
	if (!c)
		return fx_fail_nomem(err);
	c->options = *options;
	c->written.free_value = free_written;
	pthread_mutex_init(&c->lock, NULL);
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&c->ended, &attr);
	pthread_condattr_destroy(&attr);
	*out = c;
	return 0;
}

void fx_controller_free(struct fx_controller *controller)
{
	if (!controller)
		return;
	fx_reflector_free(controller->image);
	fx_queue_free(controller->queue);
	fx_map_release(&controller->written);
	free(controller->threads);
	pthread_cond_destroy(&controller->ended);
	pthread_mutex_destroy(&controller->lock);
	free(controller);
}

void fx_controller_enqueue_after(struct fx_controller *controller, const char *namespace_, const char *name,
        int priority, int64_t delay_ms)
{
	fx_autofree char *key = fx_object_key(namespace_, name);
	if (key && controller->queue)
		fx_queue_add_after(controller->queue, key, priority, delay_ms);
}

void fx_controller_enqueue(
        struct fx_controller *controller, const char *namespace_, const char *name, int priority)
{
	fx_controller_enqueue_after(controller, namespace_, name, priority, 0);
}

bool fx_controller_has_work(struct fx_controller *controller)
{
	return fx_queue_has_ready(controller->queue);
}

struct found {
	uint64_t version;
	char *text;
	bool present;
};

static void copy_record(void *arg, const void *record)
{
	struct found *f = arg;
	const struct record *r = record;
	*f = (struct found){.version = r->version, .text = strdup(r->text), .present = true};
}

int fx_controller_get(struct fx_controller *controller, const char *namespace_, const char *name,
        json_t **out, struct fx_error *err)
{
	fx_autofree char *key = fx_object_key(namespace_, name);
	if (!key)
		return fx_fail_nomem(err);
	struct found f = {0};
	fx_reflector_read(controller->image, namespace_, name, copy_record, &f);
	pthread_mutex_lock(&controller->lock);
	const struct written *w = fx_map_get(&controller->written, key);
	if (w && f.present && w->version > f.version) {
		free(f.text);
		f.text = strdup(w->text);
	}
	pthread_mutex_unlock(&controller->lock);
	fx_autofree char *text = f.text;
	if (!f.present)
		return fx_fail(err, FX_E_NOT_FOUND, "%s '%s' not found", controller->options.kind, key);
	if (!text)
		return fx_fail_nomem(err);
	return fx_json_parse(text, strlen(text), out, err);
}

/* What later runs see until the image shows it or something newer. */
static void remember_written(struct fx_controller *c, const char *key, const json_t *object)
{
	struct written *w = calloc(1, sizeof(*w));
	if (!w)
		return;
	w->version = version_number(fx_object_resource_version(object));
	w->text = object_text(object, NULL);
	pthread_mutex_lock(&c->lock);
	bool kept = w->text && fx_map_set(&c->written, key, w);
	pthread_mutex_unlock(&c->lock);
	if (!kept)
		free_written(w);
	struct found f = {0};
	fx_reflector_read(c->image, fx_object_namespace(object), fx_object_name(object), copy_record, &f);
	free(f.text);
	/* The watch may have been faster than the answer, or the object is gone already. */
	if (!f.present)
		forget_written(c, key, UINT64_MAX);
	else
		forget_written(c, key, f.version);
}

int fx_controller_watch(struct fx_controller *controller, struct fx_manager *manager, struct fx_error *err)
{
	struct fx_controller *c = controller;
	c->manager = manager;
	c->queue = fx_queue_new(&(struct fx_queue_options){
	        .min_retry_ms = manager->options->min_retry_ns / 1000000,
	        .max_retry_ms = manager->options->max_retry_ns / 1000000,
	});
	if (!c->queue)
		return fx_fail_nomem(err);
	if (c->options.workers == 0)
		c->options.workers = (int)manager->options->concurrent;
	fx_controller_metrics_init(
	        &c->metrics, fx_manager_families(manager), c->options.name, c->options.workers, c->queue);
	struct fx_reflector_options options = {
	        .loop = manager->loop,
	        .kube = manager->kube,
	        .path = {.group = c->options.group,
	                .version = c->options.version,
	                .resource = c->options.resource,
	                .namespace_ = manager->namespace_},
	        .label_selector = manager->options->watch_label_selector,
	        .slim = FX_SLIM_DROP,
	        .pack = pack,
	        .on_change = on_change,
	        .arg = c,
	};
	int rc = fx_reflector_new(&options, &c->image, err);
	if (rc < 0)
		return rc;
	fx_reflector_start(c->image);
	return 0;
}

int fx_controller_wait_synced(struct fx_controller *controller, struct fx_error *err)
{
	fx_auto(cancel) struct fx_cancel *limit =
	        fx_cancel_new(controller->manager->stopping, fx_now_ms() + 120 * 1000);
	return fx_reflector_wait_synced(controller->image, limit, err);
}

static void make_id(char out[37])
{
	unsigned char b[16] = {0};
	ssize_t got = getrandom(b, sizeof(b), 0);
	(void)got;
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
	snprintf(out, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
	        b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

/* Queues the object again as the outcome says. */
static enum fx_reconcile_outcome settle(struct fx_controller *c, const struct fx_queue_item *item,
        const struct fx_result *result, int rc, const struct fx_error *err)
{
	if (rc < 0 && err->kind == FX_KIND_STALLED) {
		fx_queue_forget(c->queue, item->key);
		return FX_OUTCOME_TERMINAL_ERROR;
	}
	if (rc < 0) {
		fx_queue_add_failed(c->queue, item->key, item->priority);
		return FX_OUTCOME_ERROR;
	}
	if (result->requeue_after_ms > 0) {
		fx_queue_forget(c->queue, item->key);
		fx_queue_add_after(c->queue, item->key, FX_PRIORITY_NORMAL, result->requeue_after_ms);
		return FX_OUTCOME_REQUEUE_AFTER;
	}
	if (result->requeue) {
		fx_queue_add_failed(c->queue, item->key, item->priority);
		return FX_OUTCOME_REQUEUE;
	}
	fx_queue_forget(c->queue, item->key);
	return FX_OUTCOME_SUCCESS;
}

static bool finalizer_is_gone(const json_t *object)
{
	return fx_object_is_deleting(object) && !fx_object_has_finalizer(object, FX_FINALIZER);
}

static void reconcile_one(struct fx_controller *c, const struct fx_queue_item *item)
{
	fx_autofree char *namespace_ = strdup(item->key);
	char *slash = namespace_ ? strchr(namespace_, '/') : NULL;
	if (!slash)
		return;
	*slash = '\0';
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct fx_reconcile run = {
	        .manager = c->manager,
	        .controller = c,
	        .key = item->key,
	        .namespace_ = namespace_,
	        .name = slash + 1,
	        .cancel = c->manager->killed,
	        .priority = item->priority,
	        .started_ns = fx_now_ns(),
	};
	/* Gone: what is left in the queue of it is no error. */
	if (fx_controller_get(c, namespace_, slash + 1, &run.object, &err) < 0)
		return;
	make_id(run.id);
	fx_controller_metrics_begin(&c->metrics, item->waited_ns);
	struct fx_result result = {0};
	int rc = c->options.reconcile(c->options.arg, &run, &result, &err);
	if (rc < 0)
		fx_reconcile_log(&run, FX_LOG_ERROR, "Reconciler error", fx_error_message(&err));
	enum fx_reconcile_outcome outcome = settle(c, item, &result, rc, &err);
	fx_controller_metrics_end(&c->metrics, fx_now_ns() - run.started_ns, outcome);
	if (finalizer_is_gone(run.object))
		fx_controller_metrics_drop(&c->metrics, c->options.kind, run.namespace_, run.name);
	else
		fx_controller_metrics_object(
		        &c->metrics, c->options.kind, run.namespace_, run.name, fx_now_ns() - run.started_ns);
	json_decref(run.object);
	json_decref(run.past);
}

static void *work(void *arg)
{
	struct fx_controller *c = arg;
	struct fx_queue_item item;
	while (fx_queue_get(c->queue, &item)) {
		reconcile_one(c, &item);
		fx_queue_done(c->queue, item.key);
	}
	pthread_mutex_lock(&c->lock);
	c->running--;
	pthread_cond_broadcast(&c->ended);
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

int fx_controller_start(struct fx_controller *controller, struct fx_error *err)
{
	struct fx_controller *c = controller;
	c->threads = calloc((size_t)c->options.workers, sizeof(pthread_t));
	if (!c->threads)
		return fx_fail_nomem(err);
	pthread_attr_t attr;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, WORKER_STACK_BYTES);
	int rc = 0;
	for (int i = 0; i < c->options.workers && rc == 0; i++) {
		pthread_mutex_lock(&c->lock);
		rc = pthread_create(&c->threads[c->thread_count], &attr, work, c);
		if (rc == 0) {
			c->thread_count++;
			c->running++;
		}
		pthread_mutex_unlock(&c->lock);
	}
	pthread_attr_destroy(&attr);
	return rc == 0 ? 0 : fx_fail(err, FX_E_NOMEM, "cannot start worker threads: %s", strerror(rc));
}

void fx_controller_drain(struct fx_controller *controller)
{
	if (controller->queue)
		fx_queue_shut_down(controller->queue);
}

bool fx_controller_join(struct fx_controller *controller, int64_t deadline_ms)
{
	struct fx_controller *c = controller;
	struct timespec ts = {.tv_sec = deadline_ms / 1000, .tv_nsec = deadline_ms % 1000 * 1000000};
	pthread_mutex_lock(&c->lock);
	while (c->running && pthread_cond_timedwait(&c->ended, &c->lock, &ts) == 0)
		;
	bool all = c->running == 0;
	pthread_mutex_unlock(&c->lock);
	if (!all)
		return false;
	for (size_t i = 0; i < c->thread_count; i++)
		pthread_join(c->threads[i], NULL);
	c->thread_count = 0;
	return true;
}

struct fx_kube_path fx_reconcile_path(const struct fx_reconcile *run, const char *subresource)
{
	const struct fx_controller_options *o = &run->controller->options;
	return (struct fx_kube_path){
	        o->group, o->version, o->resource, run->namespace_, run->name, subresource};
}

const char *fx_reconcile_field_manager(const struct fx_reconcile *run)
{
	return run->controller->options.field_manager;
}

void fx_reconcile_replace(struct fx_reconcile *run, json_t *object)
{
	/* Reconcilers hold on to texts of the object across their writes. Without memory for the list it is
	 * leaked rather than pulled away under them. */
	if (!run->past)
		run->past = json_array();
	if (run->past && json_array_append(run->past, run->object) == 0)
		json_decref(run->object);
	run->object = object;
	remember_written(run->controller, run->key, object);
}

const struct fx_controller_options *fx_controller_options_of(const struct fx_controller *controller)
{
	return &controller->options;
}
