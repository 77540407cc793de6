#include "artifact/fetch.h"
#include "core/clock.h"
#include "core/map.h"
#include "core/vec.h"
#include "data/digest.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#define READ_BYTES (64 * 1024)
/* Without a byte for so long a download has failed. */
#define IDLE_TIMEOUT_MS 60000

/* A digest that somebody has, wants or had last. */
struct slot {
	struct fx_tree *tree; /* NULL while it is being fetched */
	bool fetching;
	size_t users; /* sources whose newest it is, and callers that wait for it */
};

struct fx_fetcher {
	struct fx_fetcher_options options;
	char *host; /* owned, NULL: none */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct fx_map slots;   /* digest -> struct slot */
	struct fx_map sources; /* source -> owned digest text */
	uint64_t downloads;
};

int fx_fetcher_new(const struct fx_fetcher_options *options, struct fx_fetcher **out, struct fx_error *err)
{
	fx_auto(fetcher) struct fx_fetcher *f = calloc(1, sizeof(*f));
	if (!f)
		return fx_fail_nomem(err);
	pthread_condattr_t attr;
	pthread_mutex_init(&f->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&f->changed, &attr);
	pthread_condattr_destroy(&attr);
	f->options = *options;
	f->slots = (struct fx_map)FX_MAP_INIT;
	f->sources = (struct fx_map)FX_MAP_INIT_FREE(free);
	if (options->host && *options->host) {
		f->host = strdup(options->host);
		if (!f->host)
			return fx_fail_nomem(err);
	}
	*out = fx_take(f);
	return 0;
}

void fx_fetcher_free(struct fx_fetcher *fetcher)
{
	if (!fetcher)
		return;
	for (struct fx_map_slot *s = NULL; (s = fx_map_next(&fetcher->slots, s));) {
		struct slot *slot = s->value;
		fx_tree_unref(slot->tree);
		free(slot);
	}
	fx_map_release(&fetcher->slots);
	fx_map_release(&fetcher->sources);
	pthread_cond_destroy(&fetcher->changed);
	pthread_mutex_destroy(&fetcher->lock);
	free(fetcher->host);
	free(fetcher);
}

int fx_fetch_retry_ms(int failures)
{
	int ms = FX_FETCH_WAIT_MIN_MS;
	for (int i = 1; i < failures && ms < FX_FETCH_WAIT_MAX_MS; i++)
		ms *= 2;
	return ms < FX_FETCH_WAIT_MAX_MS ? ms : FX_FETCH_WAIT_MAX_MS;
}

/* Wakes whoever sleeps on the fetcher when a token fires. */
struct waker {
	struct fx_cancel_hook hook;
	struct fx_fetcher *fetcher;
};

static void wake(struct fx_cancel_hook *hook)
{
	struct fx_fetcher *f = ((struct waker *)hook)->fetcher;
	pthread_mutex_lock(&f->lock);
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

/* Sleeps until something changes, the token fires or until_ms comes. The lock is held. */
static void wait_locked(struct fx_fetcher *f, struct fx_cancel *cancel, int64_t until_ms)
{
	int64_t deadline = fx_cancel_deadline_ms(cancel);
	if (until_ms < deadline)
		deadline = until_ms;
	if (deadline == FX_NO_DEADLINE) {
		pthread_cond_wait(&f->changed, &f->lock);
		return;
	}
	struct timespec ts = {.tv_sec = deadline / 1000, .tv_nsec = deadline % 1000 * 1000000};
	pthread_cond_timedwait(&f->changed, &f->lock, &ts);
}

static int pause_for(struct fx_fetcher *f, struct fx_cancel *cancel, int ms, struct fx_error *err)
{
	struct waker waker = {.hook = {.fn = wake}, .fetcher = f};
	int64_t until = fx_now_ms() + ms;
	if (!fx_cancel_add_hook(cancel, &waker.hook))
		return fx_cancel_check(cancel, err);
	pthread_mutex_lock(&f->lock);
	while (fx_now_ms() < until && !fx_cancel_is_fired(cancel))
		wait_locked(f, cancel, until);
	pthread_mutex_unlock(&f->lock);
	fx_cancel_remove_hook(&waker.hook);
	return fx_cancel_check(cancel, err);
}

/* The URL with its host:port replaced. Owned; NULL without memory. */
static char *url_for(const struct fx_fetcher *f, const char *url)
{
	const char *authority = strstr(url, "://");
	if (!f->host || !authority)
		return strdup(url);
	authority += 3;
	const char *path = authority + strcspn(authority, "/?#");
	char *out = NULL;
	return asprintf(&out, "%.*s%s%s", (int)(authority - url), url, f->host, path) < 0 ? NULL : out;
}

static int check_status(const char *url, const struct fx_http_response *head, struct fx_error *err)
{
	int status = head->status;
	if (status == 200)
		return 0;
	if (status == 404)
		return fx_fail(err, FX_E_NOT_FOUND, "file not found");
	enum fx_error_code code = status == 429                    ? FX_E_TOO_MANY
	                          : status >= 500 && status != 501 ? FX_E_UNAVAILABLE
	                                                           : FX_E_PROTOCOL;
	int rc = fx_fail(err, code, "failed to download archive from %s (status: %d)", url, status);
	if (err && (status == 429 || status == 503))
		err->retry_after_ms = fx_http_response_retry_after_ms(head);
	return rc;
}

static const char bad_archive[] =
        "failed to extract archive (check whether file size exceeds max download size)";

/* Reads the body: every byte goes into the digest and into the tree. */
static int receive(struct fx_fetcher *f, struct fx_http_stream *stream, struct fx_digester *digester,
        struct fx_tree_builder *builder, struct fx_error *err)
{
	fx_autofree char *buf = malloc(READ_BYTES);
	uint64_t total = 0;
	if (!buf)
		return fx_fail_nomem(err);
	for (;;) {
		size_t n;
		int rc = fx_http_stream_read(stream, buf, READ_BYTES, &n, err);
		if (rc != 0 || n == 0)
			return rc;
		total += n;
		if (f->options.max_bytes && total > f->options.max_bytes)
			return fx_fail(err, FX_E_LIMIT,
			        "artifact is %llu bytes greater than the max download size of %llu bytes",
			        (unsigned long long)(total - f->options.max_bytes),
			        (unsigned long long)f->options.max_bytes);
		fx_digester_update(digester, buf, n);
		rc = fx_tree_builder_feed(builder, buf, n, err);
		if (rc != 0)
			return fx_error_wrap(err, "%s", bad_archive);
	}
}

/* A redirect may lead to https, for which the system's trust is read, half a megabyte of it: only once there
 * is one. */
static int open_artifact(struct fx_fetcher *f, const char *url, struct fx_cancel *cancel,
        struct fx_http_stream **out, struct fx_error *err)
{
	struct fx_http_request request = {.url = url,
	        .idle_timeout_ms = IDLE_TIMEOUT_MS,
	        .follow_redirects = strncasecmp(url, "http://", 7) != 0};
	fx_auto(http_stream) struct fx_http_stream *stream = NULL;
	int rc = fx_http_open(f->options.http, &request, cancel, &stream, err);
	if (rc < 0)
		return rc;
	int status = fx_http_stream_head(stream)->status;
	if (!request.follow_redirects && status >= 300 && status < 400) {
		request.follow_redirects = true;
		return fx_http_open(f->options.http, &request, cancel, out, err);
	}
	*out = fx_take(stream);
	return 0;
}

static int download(struct fx_fetcher *f, const char *url, const struct fx_digest *want,
        struct fx_cancel *cancel, struct fx_tree **out, struct fx_error *err)
{
	fx_autofree char *real_url = url_for(f, url);
	fx_auto(digester) struct fx_digester *digester = fx_digester_new(want->algo);
	fx_auto(tree_builder) struct fx_tree_builder *builder = NULL;
	fx_auto(http_stream) struct fx_http_stream *stream = NULL;
	if (!real_url || !digester)
		return fx_fail_nomem(err);
	__atomic_fetch_add(&f->downloads, 1, __ATOMIC_RELAXED);
	int rc = open_artifact(f, real_url, cancel, &stream, err);
	if (rc == 0)
		rc = check_status(url, fx_http_stream_head(stream), err);
	const struct fx_untar_options untar = {.max_bytes = FX_FETCH_TREE_BYTES_MAX};
	if (rc == 0)
		rc = fx_tree_builder_new(&untar, &builder, err);
	if (rc == 0)
		rc = receive(f, stream, digester, builder, err);
	if (rc != 0)
		return rc;
	struct fx_digest got;
	fx_digester_final(digester, &got);
	if (!fx_digest_equal(&got, want))
		return fx_fail(err, FX_E_DIGEST,
		        "failed to verify archive: computed digest doesn't match provided '%s' (check "
		        "whether file "
		        "size exceeds max download size)",
		        want->text);
	rc = fx_tree_builder_finish(builder, out, err);
	return rc != 0 ? fx_error_wrap(err, "%s", bad_archive) : 0;
}

bool fx_fetch_is_transient(const struct fx_error *err)
{
	return err->code == FX_E_CONNECT || err->code == FX_E_UNAVAILABLE || err->code == FX_E_TOO_MANY;
}

static int download_with_retries(struct fx_fetcher *f, const char *url, const struct fx_digest *want,
        struct fx_cancel *cancel, struct fx_tree **out, struct fx_error *err)
{
	for (int failures = 0;;) {
		fx_auto(error) struct fx_error try = FX_ERROR_INIT;
		int rc = download(f, url, want, cancel, out, &try);
		if (rc == 0)
			return 0;
		if (!fx_fetch_is_transient(&try) || failures++ >= f->options.retries) {
			fx_error_move(err, &try);
			return rc;
		}
		rc = pause_for(f, cancel,
		        try.retry_after_ms ? try.retry_after_ms : fx_fetch_retry_ms(failures), err);
		if (rc != 0)
			return rc;
	}
}

static void slot_leave(struct fx_fetcher *f, const char *digest)
{
	struct slot *slot = fx_map_get(&f->slots, digest);
	if (!slot || --slot->users > 0)
		return;
	fx_tree_unref(slot->tree);
	free(slot);
	fx_map_del(&f->slots, digest);
}

static struct slot *slot_enter(struct fx_fetcher *f, const char *digest)
{
	struct slot *slot = fx_map_get(&f->slots, digest);
	if (!slot) {
		slot = calloc(1, sizeof(*slot));
		if (!slot || !fx_map_set(&f->slots, digest, slot)) {
			free(slot);
			return NULL;
		}
	}
	slot->users++;
	return slot;
}

/* Makes digest the newest of a source; the one before it may go. */
static void source_set(struct fx_fetcher *f, const char *source, const char *digest)
{
	char *old = fx_map_get(&f->sources, source);
	if (old && strcmp(old, digest) == 0)
		return;
	char *copy = strdup(digest);
	if (!copy || !slot_enter(f, digest)) {
		free(copy);
		return; /* it is then fetched again the next time */
	}
	if (old)
		slot_leave(f, old);
	if (!fx_map_set(&f->sources, source, copy)) {
		free(copy);
		slot_leave(f, digest);
	}
}

/* One caller downloads without the lock, the others wait. The lock is held on entry and exit. */
static int slot_fill(struct fx_fetcher *f, struct slot *slot, const char *url, const struct fx_digest *want,
        struct fx_cancel *cancel, struct fx_error *err)
{
	while (!slot->tree) {
		int rc = fx_cancel_check(cancel, err);
		if (rc != 0)
			return rc;
		if (slot->fetching) {
			wait_locked(f, cancel, FX_NO_DEADLINE);
			continue;
		}
		struct fx_tree *tree = NULL;
		slot->fetching = true;
		pthread_mutex_unlock(&f->lock);
		rc = download_with_retries(f, url, want, cancel, &tree, err);
		pthread_mutex_lock(&f->lock);
		slot->fetching = false;
		slot->tree = tree;
		pthread_cond_broadcast(&f->changed);
		if (rc != 0)
			return rc;
	}
	return 0;
}

int fx_fetch(struct fx_fetcher *f, const char *source, const char *url, const char *digest,
        struct fx_cancel *cancel, struct fx_tree **out, struct fx_error *err)
{
	struct fx_digest want;
	int rc = fx_digest_parse(digest, &want, err);
	if (rc != 0)
		return fx_error_wrap(err, "failed to verify archive");
	struct waker waker = {.hook = {.fn = wake}, .fetcher = f};
	if (!fx_cancel_add_hook(cancel, &waker.hook))
		return fx_cancel_check(cancel, err);
	pthread_mutex_lock(&f->lock);
	struct slot *slot = slot_enter(f, want.text);
	rc = slot ? slot_fill(f, slot, url, &want, cancel, err) : fx_fail_nomem(err);
	if (rc == 0) {
		*out = fx_tree_ref(slot->tree);
		source_set(f, source, want.text);
	}
	if (slot)
		slot_leave(f, want.text);
	pthread_mutex_unlock(&f->lock);
	fx_cancel_remove_hook(&waker.hook);
	return rc;
}

void fx_fetch_forget(struct fx_fetcher *f, const char *source)
{
	pthread_mutex_lock(&f->lock);
	char *digest = fx_map_take(&f->sources, source);
	if (digest)
		slot_leave(f, digest);
	pthread_mutex_unlock(&f->lock);
	free(digest);
}

uint64_t fx_fetcher_downloads(struct fx_fetcher *fetcher)
{
	return __atomic_load_n(&fetcher->downloads, __ATOMIC_RELAXED);
}
