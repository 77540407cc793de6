/*
 * What the files of the REST client share: the client itself and a request made ready for the
 * HTTP client. Private to kube/client*.c.
 */
#ifndef FX_KUBE_CLIENT_INTERNAL_H
#define FX_KUBE_CLIENT_INTERNAL_H

#include "kube/client.h"
#include "kube/limiter.h"

#include <pthread.h>
#include <stdatomic.h>

/* Files with credentials are read again after so long, as client-go does: kubelet renews tokens at 80 % of
 * their life. */
#define FX_KUBE_FILE_AGE_MS (60 * 1000)
/* A service account token has 1 to 2 KiB, a set of CAs some dozen. */
#define FX_KUBE_FILE_MAX (1024 * 1024)

/* A file that is replaced while we run: a token, the server's CA. */
struct fx_kube_file {
	const char *path;                                     /* borrowed */
	int (*check)(const char *text, struct fx_error *err); /* what does not pass is not taken; or NULL */
	char *text;                                           /* last good content */
	int64_t read_ms;
};

/* All that views of one server share. */
struct fx_kube_shared {
	atomic_int refs;
	struct fx_kube_options options;
	struct fx_kube_config *config;
	char *host; /* "host:port", for metrics */
	struct fx_limiter limiter;
	pthread_mutex_t lock; /* of what follows */
	struct fx_kube_file token_file, ca_file;
};

struct fx_kube {
	atomic_int refs;
	struct fx_kube_shared *shared;
	char *user; /* Impersonate-User, NULL: none */
};

#define FX_KUBE_HEADERS_MAX 4

/* A request with all it borrows; release with fx_kube_prepared_release(). */
struct fx_kube_prepared {
	struct fx_http_request http;
	struct fx_http_header headers[FX_KUBE_HEADERS_MAX];
	struct fx_tls tls;
	char *url;
	char *token;
	char *ca;
};

/* [any] unless the client has a token function: then [worker]. */
int fx_kube_prepare(struct fx_kube *kube, const struct fx_kube_request *request, struct fx_cancel *cancel,
        struct fx_kube_prepared *out, struct fx_error *err) fx_must_use;
void fx_kube_prepared_release(struct fx_kube_prepared *prepared);

/* A copy of the file's content without the white space at its end, at most FX_KUBE_FILE_AGE_MS old; the last
 * good one when it cannot be read. NULL when there was none yet. [any] */
char *fx_kube_file_text(struct fx_kube_shared *shared, struct fx_kube_file *file);
void fx_kube_file_release(struct fx_kube_file *file);
/* Reads it at once, for a content that the server (or we) refused (NULL: that which was read last). True when
 * it has another one now. */
bool fx_kube_file_renew(struct fx_kube_shared *shared, struct fx_kube_file *file, const char *refused);

/* Reports a finished request to the metrics: status 0 is an error. */
void fx_kube_count(struct fx_kube *kube, int status, const char *method);

/* [worker] As fx_kube_do_text(), the body to be read from a stream. */
int fx_kube_open(struct fx_kube *kube, const struct fx_kube_request *request, struct fx_cancel *cancel,
        struct fx_kube_status *status, struct fx_http_stream **out, struct fx_error *err) fx_must_use;

#endif
