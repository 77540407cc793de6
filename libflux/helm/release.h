/*
 * The record of a release as Helm keeps it in a Secret: base64 of gzip of JSON, both ways, without a cluster.
 * Records of Helm 3 and 4 are read; what is written has the fields, their order and what is left out of Helm
 * 4.2. Everything that is read lives in the arena.
 *
 * Source: pkg/release/v1 and pkg/storage/driver of Helm 4.2.4.
 */
#ifndef FX_HELM_RELEASE_H
#define FX_HELM_RELEASE_H

#include "core/buf.h"
#include "helm/chart.h"

#include <jansson.h>

/* The API server takes no larger Secret. */
#define FX_RELEASE_SECRET_MAX (1024u * 1024)
/* Bytes of JSON that one record may unpack to: what stops a gzip bomb. */
#define FX_RELEASE_JSON_MAX (128u * 1024 * 1024)

/* Times are RFC 3339 texts; NULL: not set. */
struct fx_release_info {
	const char *first_deployed, *last_deployed, *deleted;
	const char *description;
	const char *status; /* "deployed", "failed", "pending-install" ... */
	struct fx_val notes;
	struct fx_val resources; /* nil, or a map of lists */
};

struct fx_release {
	const char *name, *ns;
	int version;
	struct fx_release_info info;
	struct fx_chart *chart; /* without its children: Helm does not keep them. NULL: none */
	struct fx_val config;   /* the user's values; nil: none */
	struct fx_val manifest; /* text */
	struct fx_hook *hooks;
	size_t nhooks;
	const char *apply_method; /* "ssa", "csa" or "" */
	struct fx_val labels;     /* map of texts: those of the user, kept at the Secret; nil: none */
};

/* The JSON of a record, appended to out. */
int fx_release_json(const struct fx_release *r, struct fx_buf *out, struct fx_error *err) fx_must_use;
/* A record from its JSON. */
int fx_release_parse(struct fx_arena *arena, const char *json, size_t len, struct fx_release *out,
        struct fx_error *err) fx_must_use;

/* What stands in data.release of the Secret before the API's own base64, appended to out. FX_E_LIMIT when no
 * Secret can hold it. */
int fx_release_encode(const struct fx_release *r, struct fx_buf *out, struct fx_error *err) fx_must_use;
/* The inverse; JSON that is not packed is read too, as old records are. */
int fx_release_decode(struct fx_arena *arena, const char *text, size_t len, struct fx_release *out,
        struct fx_error *err) fx_must_use;

/* "sh.helm.release.v1.NAME.vVERSION"; NULL without memory. */
const char *fx_release_key(struct fx_arena *arena, const char *name, int version);

/* The Secret of a record: name, labels (the user's, then name, owner, status and version), type and data. The
 * labels createdAt and modifiedAt are the writer's. A new reference owned by the caller; NULL with err set.
 */
json_t *fx_release_secret(const struct fx_release *r, struct fx_error *err) fx_must_use;
/* The record in a Secret as the API gives it, with the user's labels. FX_E_INVALID when it holds none. */
int fx_release_from_secret(struct fx_arena *arena, const json_t *secret, struct fx_release *out,
        struct fx_error *err) fx_must_use;

#endif
