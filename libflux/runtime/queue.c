#include "runtime/queue.h"

#include "core/clock.h"
#include "core/map.h"
#include "core/vec.h"

#include <pthread.h>
#include <string.h>

/* 2^n of the backoff stops growing here, far above any max_retry. */
#define FAILURES_MAX 40

enum place { PLACE_NONE, PLACE_WAITING, PLACE_READY };

struct entry {
	char *key;
	enum place place;
	size_t heap_index; /* in the heap of its place */
	int priority;
	int64_t at_ms;  /* when it becomes ready */
	uint64_t order; /* FIFO among equal priorities */
	int64_t ready_ns;
	int failures;
	bool processing;
	int64_t started_ns;
	/* What was added during processing; applied by done(). */
	bool again;
	int again_priority;
	int64_t again_at_ms;
};

typedef bool (*before_fn)(const struct entry *a, const struct entry *b);

struct heap {
	FX_VEC(struct entry *) v;
	before_fn before;
};

struct fx_queue {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct fx_queue_options options;
	struct fx_map entries; /* key -> struct entry */
	struct heap waiting;   /* earliest first */
	struct heap ready;     /* highest priority first */
	uint64_t next_order;
	uint64_t adds;
	uint64_t retries;
	size_t processing;
	bool stopped;
};

static bool earlier(const struct entry *a, const struct entry *b)
{
	return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

static bool more_urgent(const struct entry *a, const struct entry *b)
{
	return a->priority != b->priority ? a->priority > b->priority : a->order < b->order;
}

static void heap_put(struct heap *h, size_t i, struct entry *e)
{
	h->v.items[i] = e;
	e->heap_index = i;
}

static void sift_up(struct heap *h, size_t i)
{
	struct entry *e = h->v.items[i];
	while (i > 0 && h->before(e, h->v.items[(i - 1) / 2])) {
		heap_put(h, i, h->v.items[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	heap_put(h, i, e);
}

static void sift_down(struct heap *h, size_t i)
{
	struct entry *e = h->v.items[i];
	for (;;) {
		size_t child = 2 * i + 1;
		if (child >= h->v.len)
			break;
		if (child + 1 < h->v.len && h->before(h->v.items[child + 1], h->v.items[child]))
			child++;
		if (!h->before(h->v.items[child], e))
			break;
		heap_put(h, i, h->v.items[child]);
		i = child;
	}
	heap_put(h, i, e);
}

static bool heap_add(struct heap *h, struct entry *e)
{
	if (!fx_vec_push(&h->v, e))
		return false;
	e->heap_index = h->v.len - 1;
	sift_up(h, e->heap_index);
	return true;
}

static void heap_remove(struct heap *h, struct entry *e)
{
	size_t i = e->heap_index;
	struct entry *last = h->v.items[--h->v.len];
	if (last == e)
		return;
	heap_put(h, i, last);
	sift_up(h, i);
	sift_down(h, last->heap_index);
}

static void free_entry(void *p)
{
	struct entry *e = p;
	free(e->key);
	free(e);
}

struct fx_queue *fx_queue_new(const struct fx_queue_options *options)
{
	struct fx_queue *q = calloc(1, sizeof(*q));
	if (!q)
		return NULL;
	q->options = *options;
	q->entries.free_value = free_entry;
	q->waiting.before = earlier;
	q->ready.before = more_urgent;
	pthread_mutex_init(&q->lock, NULL);
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&q->changed, &attr);
	pthread_condattr_destroy(&attr);
	return q;
}

void fx_queue_free(struct fx_queue *queue)
{
	if (!queue)
		return;
	fx_map_release(&queue->entries);
	fx_vec_release(&queue->waiting.v);
	fx_vec_release(&queue->ready.v);
	pthread_cond_destroy(&queue->changed);
	pthread_mutex_destroy(&queue->lock);
	free(queue);
}

static struct entry *entry_of(struct fx_queue *q, const char *key)
{
	struct entry *e = fx_map_get(&q->entries, key);
	if (e)
		return e;
	e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	e->key = strdup(key);
	if (!e->key || !fx_map_set(&q->entries, key, e)) {
		free_entry(e);
		return NULL;
	}
	return e;
}

static void unplace(struct fx_queue *q, struct entry *e)
{
	if (e->place == PLACE_WAITING)
		heap_remove(&q->waiting, e);
	else if (e->place == PLACE_READY)
		heap_remove(&q->ready, e);
	e->place = PLACE_NONE;
}

static void drop_if_idle(struct fx_queue *q, struct entry *e)
{
	if (e->place == PLACE_NONE && !e->processing && e->failures == 0)
		fx_map_del(&q->entries, e->key);
}

/* Puts an entry that is in no heap where its time says. */
static void place(struct fx_queue *q, struct entry *e, int priority, int64_t at_ms)
{
	e->priority = priority;
	e->at_ms = at_ms;
	e->order = q->next_order++;
	bool now = at_ms <= fx_now_ms();
	if (!heap_add(now ? &q->ready : &q->waiting, e)) {
		drop_if_idle(q, e);
		return;
	}
	e->place = now ? PLACE_READY : PLACE_WAITING;
	if (now)
		e->ready_ns = fx_now_ns();
	pthread_cond_signal(&q->changed);
}

static void add_during_run(struct entry *e, int priority, int64_t at_ms)
{
	if (!e->again || priority > e->again_priority)
		e->again_priority = priority;
	if (!e->again || at_ms < e->again_at_ms)
		e->again_at_ms = at_ms;
	e->again = true;
}

static void merge(struct fx_queue *q, struct entry *e, int priority, int64_t at_ms)
{
	if (priority < e->priority)
		priority = e->priority;
	if (at_ms > e->at_ms)
		at_ms = e->at_ms;
	bool becomes_ready = e->place == PLACE_WAITING && at_ms <= fx_now_ms();
	if (priority == e->priority && at_ms == e->at_ms && !becomes_ready)
		return;
	/* It keeps its turn among those that are ready with the same priority. */
	uint64_t order = e->order;
	bool was_ready = e->place == PLACE_READY;
	unplace(q, e);
	place(q, e, priority, at_ms);
	if (was_ready && e->place == PLACE_READY) {
		e->order = order;
		sift_up(&q->ready, e->heap_index);
	}
}

static void add_locked(struct fx_queue *q, struct entry *e, int priority, int64_t at_ms)
{
	if (q->stopped)
		return;
	q->adds++;
	if (e->processing)
		add_during_run(e, priority, at_ms);
	else if (e->place == PLACE_NONE)
		place(q, e, priority, at_ms);
	else
		merge(q, e, priority, at_ms);
}

void fx_queue_add_after(struct fx_queue *queue, const char *key, int priority, int64_t delay_ms)
{
	pthread_mutex_lock(&queue->lock);
	struct entry *e = entry_of(queue, key);
	if (e)
		add_locked(queue, e, priority, fx_now_ms() + (delay_ms > 0 ? delay_ms : 0));
	pthread_mutex_unlock(&queue->lock);
}

void fx_queue_add(struct fx_queue *queue, const char *key, int priority)
{
	fx_queue_add_after(queue, key, priority, 0);
}

int64_t fx_queue_add_failed(struct fx_queue *queue, const char *key, int priority)
{
	int64_t delay = queue->options.min_retry_ms;
	pthread_mutex_lock(&queue->lock);
	struct entry *e = entry_of(queue, key);
	if (e) {
		for (int i = 0; i < e->failures && delay < queue->options.max_retry_ms; i++)
			delay *= 2;
		if (delay > queue->options.max_retry_ms)
			delay = queue->options.max_retry_ms;
		if (e->failures < FAILURES_MAX)
			e->failures++;
		queue->retries++;
		add_locked(queue, e, priority, fx_now_ms() + delay);
	}
	pthread_mutex_unlock(&queue->lock);
	return delay;
}

void fx_queue_forget(struct fx_queue *queue, const char *key)
{
	pthread_mutex_lock(&queue->lock);
	struct entry *e = fx_map_get(&queue->entries, key);
	if (e) {
		e->failures = 0;
		drop_if_idle(queue, e);
	}
	pthread_mutex_unlock(&queue->lock);
}

void fx_queue_drop(struct fx_queue *queue, const char *key)
{
	pthread_mutex_lock(&queue->lock);
	struct entry *e = fx_map_get(&queue->entries, key);
	if (e) {
		e->failures = 0;
		unplace(queue, e);
		drop_if_idle(queue, e);
	}
	pthread_mutex_unlock(&queue->lock);
}

static void wake_due(struct fx_queue *q)
{
	int64_t now = fx_now_ms();
	while (q->waiting.v.len && q->waiting.v.items[0]->at_ms <= now) {
		struct entry *e = q->waiting.v.items[0];
		unplace(q, e);
		place(q, e, e->priority, e->at_ms);
	}
}

static void wait_for_change(struct fx_queue *q)
{
	if (!q->waiting.v.len) {
		pthread_cond_wait(&q->changed, &q->lock);
		return;
	}
	int64_t at = q->waiting.v.items[0]->at_ms;
	struct timespec ts = {.tv_sec = at / 1000, .tv_nsec = at % 1000 * 1000000};
	pthread_cond_timedwait(&q->changed, &q->lock, &ts);
}

bool fx_queue_get(struct fx_queue *queue, struct fx_queue_item *out)
{
	pthread_mutex_lock(&queue->lock);
	for (;;) {
		if (queue->stopped)
			break;
		wake_due(queue);
		if (queue->ready.v.len)
			break;
		wait_for_change(queue);
	}
	bool got = !queue->stopped;
	if (got) {
		struct entry *e = queue->ready.v.items[0];
		unplace(queue, e);
		e->processing = true;
		e->started_ns = fx_now_ns();
		queue->processing++;
		*out = (struct fx_queue_item){
		        .key = e->key, .priority = e->priority, .waited_ns = e->started_ns - e->ready_ns};
		/* One signal can stand for several new entries: pass it on. */
		if (queue->ready.v.len || queue->waiting.v.len)
			pthread_cond_signal(&queue->changed);
	}
	pthread_mutex_unlock(&queue->lock);
	return got;
}

void fx_queue_done(struct fx_queue *queue, const char *key)
{
	pthread_mutex_lock(&queue->lock);
	struct entry *e = fx_map_get(&queue->entries, key);
	if (e && e->processing) {
		e->processing = false;
		queue->processing--;
		if (e->again) {
			e->again = false;
			place(queue, e, e->again_priority, e->again_at_ms);
		} else {
			drop_if_idle(queue, e);
		}
	}
	pthread_mutex_unlock(&queue->lock);
}

void fx_queue_shut_down(struct fx_queue *queue)
{
	pthread_mutex_lock(&queue->lock);
	queue->stopped = true;
	pthread_cond_broadcast(&queue->changed);
	pthread_mutex_unlock(&queue->lock);
}

bool fx_queue_has_ready(struct fx_queue *queue)
{
	pthread_mutex_lock(&queue->lock);
	bool has = queue->ready.v.len > 0;
	pthread_mutex_unlock(&queue->lock);
	return has;
}

void fx_queue_stats(struct fx_queue *queue, struct fx_queue_stats *out)
{
	pthread_mutex_lock(&queue->lock);
	wake_due(queue);
	*out = (struct fx_queue_stats){
	        .ready = queue->ready.v.len,
	        .waiting = queue->waiting.v.len,
	        .processing = queue->processing,
	        .adds = queue->adds,
	        .retries = queue->retries,
	};
	int64_t now = fx_now_ns();
	for (struct fx_map_slot *s = NULL; out->processing && (s = fx_map_next(&queue->entries, s));) {
		const struct entry *e = s->value;
		if (!e->processing)
			continue;
		int64_t age = now - e->started_ns;
		out->unfinished_ns += age;
		if (age > out->oldest_processing_ns)
			out->oldest_processing_ns = age;
	}
	pthread_mutex_unlock(&queue->lock);
}
