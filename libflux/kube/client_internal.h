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

/* Files with tokens are read again after so long, as client-go does: kubelet renews them at 80 % of their
 * life. */
#define FX_KUBE_TOKEN_FILE_AGE_MS (60 * 1000)

/* All that views of one server share. */
struct fx_kube_shared {
	atomic_int refs;
	struct fx_kube_options options;
	struct fx_kube_config *config;
	char *host; /* "host:port", for metrics */
	struct fx_limiter limiter;
	pthread_mutex_t lock; /* of what follows */
	char *token;          /* last content of the token file */
	int64_t token_read_ms;
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
};

/* [any] unless the client has a token function: then [worker]. */
int fx_kube_prepare(struct fx_kube *kube, const struct fx_kube_request *request, struct fx_cancel *cancel,
        struct fx_kube_prepared *out, struct fx_error *err) fx_must_use;
void fx_kube_prepared_release(struct fx_kube_prepared *prepared);

/* Forgets a token that the server refused. True when the file has another one now. */
bool fx_kube_renew_token(struct fx_kube *kube, const char *refused);

/* Reports a finished request to the metrics: status 0 is an error. */
void fx_kube_count(struct fx_kube *kube, int status, const char *method);

/* [worker] As fx_kube_do_text(), the body to be read from a stream. */
int fx_kube_open(struct fx_kube *kube, const struct fx_kube_request *request, struct fx_cancel *cancel,
        struct fx_kube_status *status, struct fx_http_stream **out, struct fx_error *err) fx_must_use;

#endif
