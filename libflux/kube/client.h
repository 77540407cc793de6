/*
 * REST client of the Kubernetes API. Workers call it and block for one request; the loop's own
 * users (reflector, lease, events) start requests with callbacks. All requests and watches
 * of one client share the connections of the HTTP client below it.
 *
 * [worker] functions must not be called on the loop thread; [any] from every thread. Clients are
 * counted and immutable: a view with another identity (fx_kube_as) shares all but the headers.
 *
 * API errors (a Status answer) become an fx_error with the server's message and the code below;
 * reason, details and causes are in struct fx_kube_status when the caller asks for it.
 *
 *   400 Invalid request INVALID      401 UNAUTHORIZED   403 FORBIDDEN    404 NOT_FOUND
 *   405, 406, 415 UNSUPPORTED        408, 504 TIMEOUT   409 CONFLICT, or EXISTS for AlreadyExists
 *   410 GONE   413 LIMIT   422 INVALID   429 TOO_MANY   500 INTERNAL (kind transient)   502, 503 UNAVAILABLE
 */
#ifndef FX_KUBE_CLIENT_H
#define FX_KUBE_CLIENT_H

#include "core/cancel.h"
#include "core/error.h"
#include "data/jansson.h"
#include "data/json_slim.h"
#include "kube/config.h"
#include "net/http.h"

#include <stdbool.h>
#include <stdint.h>

/* A single answer that is kept whole (objects, discovery). Lists are streamed. */
#define FX_KUBE_BODY_MAX (64 * 1024 * 1024)
/* Objects asked for in one page of a list. */
#define FX_KUBE_PAGE 500
/* Tries of one request that the server turns away with Retry-After, and how long it may ask to wait. */
#define FX_KUBE_TRIES_MAX 10
#define FX_KUBE_RETRY_WAIT_MAX_MS (30 * 1000)

struct fx_kube;

struct fx_kube_options {
	struct fx_http_client *http; /* borrowed for the client's life */
	double qps;                  /* 0: no client-side limit */
	int burst;
	bool ask_flow_control; /* no limit when the server has priority and fairness (one HEAD request) */
	int timeout_ms;        /* of one request; 0: 30 s */
	/* Bearer token, asked for before each request (remote clusters with cloud identity). *out is
	 * freed by the client. Runs on the calling worker; such clients cannot serve loop users. May be NULL.
	 */
	int (*token)(void *arg, struct fx_cancel *cancel, char **out, struct fx_error *err);
	void *token_arg;
	/* After each request: code "200" or "<error>", for rest_client_requests_total. Any thread. May be
	 * NULL. */
	void (*on_request)(void *arg, const char *code, const char *method, const char *host);
	void *on_request_arg;
};

/* [worker] config is copied. FX_E_UNSUPPORTED when it has a credential plugin. */
int fx_kube_new(const struct fx_kube_config *config, const struct fx_kube_options *options,
        struct fx_kube **out, struct fx_error *err) fx_must_use;
struct fx_kube *fx_kube_ref(struct fx_kube *kube);
void fx_kube_unref(struct fx_kube *kube);
FX_DEFINE_AUTO(kube, struct fx_kube, fx_kube_unref)

/* [any] The same server, connections and limits, acting as user (Impersonate-User), e.g.
 * "system:serviceaccount:ns:name". Owned by the caller. */
int fx_kube_as(
        struct fx_kube *kube, const char *user, struct fx_kube **out, struct fx_error *err) fx_must_use;

/* [any] "https://host:port", borrowed. */
const char *fx_kube_server(const struct fx_kube *kube);

/* What the server said about a failed request. Release with fx_kube_status_release(). */
struct fx_kube_status {
	int code;     /* HTTP status, 0: no answer */
	char *reason; /* "AlreadyExists", owned, NULL: none */
	json_t *body; /* the whole Status object (details.causes ...), owned, may be NULL */
};
#define FX_KUBE_STATUS_INIT                                                                                  \
	{                                                                                                    \
		0                                                                                            \
	}
void fx_kube_status_release(struct fx_kube_status *status);
static inline void fx_auto_kube_status(struct fx_kube_status *status)
{
	fx_kube_status_release(status);
}
/* "" when there is none. */
const char *fx_kube_status_reason(const struct fx_kube_status *status);
/* True when details.causes has an entry with this reason ("FieldManagerConflict"). */
bool fx_kube_status_has_cause(const struct fx_kube_status *status, const char *reason);

/* Code for a status answer; body (Status object) may be NULL. Fills err and, when given, out. Returns -code.
 */
int fx_kube_status_fail(
        int code, const json_t *body, int retry_after_ms, struct fx_kube_status *out, struct fx_error *err);

/*
 * A place in the API. All borrowed. Empty and NULL are the same.
 * {"apps", "v1", "deployments", "ns", "name", "status"}
 */
struct fx_kube_path {
	const char *group;
	const char *version;
	const char *resource; /* plural, lower case */
	const char *namespace_;
	const char *name;
	const char *subresource;
};
/* "/apis/apps/v1/namespaces/ns/deployments/name/status", segments escaped. Owned, NULL without memory. */
char *fx_kube_path_text(const struct fx_kube_path *path) fx_must_use;

/* Query strings: "a=b&c=d". Starts with an empty buffer; a NULL or empty value adds nothing. */
void fx_kube_query_add(struct fx_buf *query, const char *key, const char *value);
void fx_kube_query_add_int(struct fx_buf *query, const char *key, int64_t value);

#define FX_KUBE_JSON "application/json"
#define FX_KUBE_MERGE_PATCH "application/merge-patch+json"
#define FX_KUBE_JSON_PATCH "application/json-patch+json"
#define FX_KUBE_APPLY_PATCH "application/apply-patch+yaml"
/* Accept headers of metadata-only requests. */
#define FX_KUBE_METADATA "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
#define FX_KUBE_METADATA_LIST "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

/* Any request. All borrowed until the function returns. */
struct fx_kube_request {
	const char *method; /* NULL: GET */
	const char *path;   /* "/apis/..." */
	const char *query;  /* NULL: none */
	const char *accept; /* NULL: FX_KUBE_JSON */
	const char *content_type;
	const char *body; /* NULL: none */
	size_t body_len;
	int timeout_ms;         /* 0: the client's */
	enum fx_json_slim slim; /* fx_kube_do(): what the parsed answer may lack */
};

/* [worker] Sends, retries what may be retried, and gives the parsed answer (new reference; json null when the
 * body is empty). out and status may be NULL. */
int fx_kube_do(struct fx_kube *kube, const struct fx_kube_request *request, struct fx_cancel *cancel,
        struct fx_kube_status *status, json_t **out, struct fx_error *err) fx_must_use;
/* [worker] The same, the body as text: parse it as it suits. Release with fx_http_response_free(). */
int fx_kube_do_text(struct fx_kube *kube, const struct fx_kube_request *request, struct fx_cancel *cancel,
        struct fx_kube_status *status, struct fx_http_response **out, struct fx_error *err) fx_must_use;

/* [any] Starts a request with callbacks on the loop thread: no retries, no client-side limit. idle_timeout_ms
 * as in struct fx_http_request. The call is valid until on_done. */
int fx_kube_start(struct fx_kube *kube, const struct fx_kube_request *request, int idle_timeout_ms,
        const struct fx_http_handler *handler, struct fx_http_call **out, struct fx_error *err) fx_must_use;

/* [worker] One object. metadata_only: PartialObjectMetadata. */
int fx_kube_get(struct fx_kube *kube, const struct fx_kube_path *path, struct fx_cancel *cancel, json_t **out,
        struct fx_error *err) fx_must_use;
int fx_kube_get_metadata(struct fx_kube *kube, const struct fx_kube_path *path, struct fx_cancel *cancel,
        json_t **out, struct fx_error *err) fx_must_use;

struct fx_kube_list_options {
	const char *label_selector;
	const char *field_selector;
	bool metadata_only;
	bool from_cache; /* resourceVersion=0: whatever the server's cache has */
	int page;        /* 0: FX_KUBE_PAGE */
	/* Out, may be NULL: resourceVersion of the list, owned by the caller. */
	char **resource_version;
};
/* [worker] Every object of a list, page by page, parsed one at a time as they arrive. each borrows item
 * (json_incref to keep it); a negative result ends the list and is returned. options may be NULL. */
int fx_kube_list(struct fx_kube *kube, const struct fx_kube_path *path,
        const struct fx_kube_list_options *options, struct fx_cancel *cancel,
        int (*each)(void *arg, json_t *item, struct fx_error *err), void *arg,
        struct fx_error *err) fx_must_use;

struct fx_kube_write_options {
	const char *field_manager;
	bool force;                    /* apply only: take fields over */
	bool dry_run;                  /* dryRun=All */
	bool metadata_only;            /* the answer need not have more: PartialObjectMetadata */
	enum fx_json_slim slim;        /* of the answer */
	const char *field_validation;  /* "Strict", "Warn", "Ignore"; NULL: the server's default */
	struct fx_kube_status *status; /* out, may be NULL */
	int timeout_ms;                /* 0: the client's */
};
/* [worker] out may be NULL (the answer is then not parsed); options may be NULL. create: path without a name.
 */
int fx_kube_create(struct fx_kube *kube, const struct fx_kube_path *path, const json_t *object,
        const struct fx_kube_write_options *options, struct fx_cancel *cancel, json_t **out,
        struct fx_error *err) fx_must_use;
int fx_kube_update(struct fx_kube *kube, const struct fx_kube_path *path, const json_t *object,
        const struct fx_kube_write_options *options, struct fx_cancel *cancel, json_t **out,
        struct fx_error *err) fx_must_use;
/* type: FX_KUBE_MERGE_PATCH, FX_KUBE_JSON_PATCH or FX_KUBE_APPLY_PATCH. */
int fx_kube_patch(struct fx_kube *kube, const struct fx_kube_path *path, const char *type,
        const json_t *patch, const struct fx_kube_write_options *options, struct fx_cancel *cancel,
        json_t **out, struct fx_error *err) fx_must_use;

struct fx_kube_delete_options {
	const char *propagation; /* "Background", "Foreground", "Orphan"; NULL: the server's default */
	const char *uid;         /* preconditions, NULL: none */
	const char *resource_version;
	bool dry_run;
	struct fx_kube_status *status;
};
/* [worker] FX_E_NOT_FOUND when it is not there. */
int fx_kube_delete(struct fx_kube *kube, const struct fx_kube_path *path,
        const struct fx_kube_delete_options *options, struct fx_cancel *cancel,
        struct fx_error *err) fx_must_use;

#endif
