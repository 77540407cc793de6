/*
 * Which resource serves a kind: the REST mapping, learnt from the server's discovery documents and
 * kept as a packed table. A kind that is missing makes the table be read again (at most every
 * few seconds: a manifest with a misspelt kind must not hammer the server); callers that
 * need it at the same time share one refresh. Thread safe; functions that may refresh block: [worker].
 *
 * A server shows a new definition some moments after it is established: first in the document of its
 * group version, which is asked too before a kind counts as missing, then in the aggregated one. Callers that
 * know of a change say so (fx_discovery_expect_change()) and try again while it settles.
 *
 * Reads the aggregated form (apidiscovery.k8s.io v2, v2beta1) in two requests where the server offers it,
 * else the legacy documents, one request a group version.
 */
#ifndef FX_KUBE_DISCOVERY_H
#define FX_KUBE_DISCOVERY_H

#include "kube/client.h"
#include "kube/object.h"

/* Resources in the table; stops a server that never ends its lists. */
#define FX_DISCOVERY_RESOURCES_MAX 65536
/* The shortest time between two refreshes that missing kinds cause. */
#define FX_DISCOVERY_REFRESH_MIN_MS 2000
/* How long after an expected change a missing kind may still appear: several times what a busy server was
 * seen to take. */
#define FX_DISCOVERY_SETTLE_MS 30000

struct fx_discovery;

/* One mapping, by value. */
struct fx_resource {
	char group[FX_KUBE_SUBDOMAIN_MAX + 1];
	char version[FX_KUBE_LABEL_MAX + 1];
	char kind[FX_KUBE_LABEL_MAX + 1];
	char resource[FX_KUBE_LABEL_MAX + 1]; /* plural */
	bool namespaced;
	bool listable; /* verbs list and watch */
};

/* A place of that resource: borrows from resource. The namespace is left out when it is cluster-scoped. */
struct fx_kube_path fx_resource_path(
        const struct fx_resource *resource, const char *namespace_, const char *name);

/* kube: a reference is kept. Owned by the caller. Nothing is read yet. */
int fx_discovery_new(struct fx_kube *kube, struct fx_discovery **out, struct fx_error *err) fx_must_use;
void fx_discovery_free(struct fx_discovery *discovery);
FX_DEFINE_AUTO(discovery, struct fx_discovery, fx_discovery_free)

/* [worker] version NULL or "": the group's preferred one that has the kind. FX_E_NOT_FOUND
 * `no matches for kind "X" in version "g/v"`, or what the refresh failed with. */
int fx_discovery_kind(struct fx_discovery *discovery, const char *group, const char *version,
        const char *kind, struct fx_cancel *cancel, struct fx_resource *out,
        struct fx_error *err) fx_must_use;
/* [worker] The resource that serves an object's apiVersion and kind. */
int fx_discovery_object(struct fx_discovery *discovery, const json_t *object, struct fx_cancel *cancel,
        struct fx_resource *out, struct fx_error *err) fx_must_use;

/* [any] The same without a request: false when the table does not have it. */
bool fx_discovery_peek(struct fx_discovery *discovery, const char *group, const char *version,
        const char *kind, struct fx_resource *out);

/* [any] Makes the next missing kind refresh at once (CRDs were applied). */
void fx_discovery_expect_change(struct fx_discovery *discovery);
/* [any] True for FX_DISCOVERY_SETTLE_MS after the last expected change. */
bool fx_discovery_is_settling(struct fx_discovery *discovery);
/* [any] Takes a mapping out that the server does not serve any more. */
void fx_discovery_forget(struct fx_discovery *discovery, const struct fx_resource *resource);

#endif
