/*
 * How a consumer gets an artifact: download, digest check, unpacking, once for each digest
 * however many ask for it at the same time. The trees are counted; the newest one of each
 * source stays in the cache, so that the next build finds it. Any worker thread.
 *
 * Source: runtime reference, section 20.1.
 */
#ifndef FX_ARTIFACT_FETCH_H
#define FX_ARTIFACT_FETCH_H

#include "artifact/tree.h"
#include "core/cancel.h"
#include "net/http.h"

/* Bytes of the files of one artifact: they are kept in memory, and a small archive can hold very many. */
#define FX_FETCH_TREE_BYTES_MAX (512ull * 1024 * 1024)

/* The pause before a retry: 5 s, doubled each time up to 30 s. */
#define FX_FETCH_WAIT_MIN_MS 5000
#define FX_FETCH_WAIT_MAX_MS 30000

struct fx_fetcher;

struct fx_fetcher_options {
	struct fx_http_client *http; /* borrowed for the fetcher's life */
	/* Tries after the first (--http-retry), on connection errors, 429 and 5xx but 501. The worker
	 * is held in the pauses; 0: the caller makes the wait a state, with fx_fetch_retry_ms(). */
	int retries;
	const char *host; /* replaces host:port of every URL (SOURCE_CONTROLLER_LOCALHOST); NULL, "": none */
	uint64_t max_bytes; /* of an archive as it is downloaded; 0: no limit */
};

/* options: copied. */
int fx_fetcher_new(
        const struct fx_fetcher_options *options, struct fx_fetcher **out, struct fx_error *err) fx_must_use;
/* Nobody may be fetching. Trees that were handed out stay valid. */
void fx_fetcher_free(struct fx_fetcher *fetcher);
FX_DEFINE_AUTO(fetcher, struct fx_fetcher, fx_fetcher_free)

/* The tree of an artifact; *out has a reference that is the caller's. source: whose artifact it is
 * ("GitRepository/ns/name"): the tree stays until this source asks for another digest or is
 * forgotten. url, digest: as in status.artifact.
 * Errors: NOT_FOUND `file not found` (the artifact server answered 404: come again later), DIGEST,
 * INVALID (empty or unknown digest, bad archive), LIMIT, CONNECT, UNAVAILABLE `failed to download
 * archive from <url> (status: <s>)`, CANCELED, TIMEOUT. */
int fx_fetch(struct fx_fetcher *fetcher, const char *source, const char *url, const char *digest,
        struct fx_cancel *cancel, struct fx_tree **out, struct fx_error *err) fx_must_use;

/* Lets go of a deleted source's tree. */
void fx_fetch_forget(struct fx_fetcher *fetcher, const char *source);

/* True for a failure that may be over at the next try: no connection, 429, 5xx but 501. Its
 * retry_after_ms is the server's Retry-After. */
bool fx_fetch_is_transient(const struct fx_error *err);
/* Pause after the given number of failures (1: the first). */
int fx_fetch_retry_ms(int failures);

/* Downloads made since the start; for tests and metrics. */
uint64_t fx_fetcher_downloads(struct fx_fetcher *fetcher);

#endif
