/*
 * The objects, their resource versions, and the history that watches are served from.
 * Everything here is called with the server's lock held.
 */
#ifndef FX_TEST_APISERVER_STORE_H
#define FX_TEST_APISERVER_STORE_H

#include "core/vec.h"
#include "kinds.h"

enum fx_as_change_type { FX_AS_ADDED, FX_AS_MODIFIED, FX_AS_DELETED };

struct fx_as_change {
	uint64_t rv;
	enum fx_as_change_type type;
	struct fx_as_resource *resource;
	struct fx_as_object *now;    /* the last state when deleted */
	struct fx_as_object *before; /* NULL when added */
};

/* Changes kept for watches that resume; older resource versions are "too old". */
#define FX_AS_HISTORY_MAX 20000

struct fx_as_store {
	uint64_t rv;                  /* of the last change */
	uint64_t compacted_rv;        /* changes up to here are forgotten */
	struct fx_as_change *history; /* ring of FX_AS_HISTORY_MAX */
	size_t first, count;
	struct fx_map owners; /* owner uid to the number of references to it */
	/* Called for every change, in order. */
	void (*on_change)(void *arg, const struct fx_as_change *change);
	void *arg;
};

void fx_as_store_init(struct fx_as_store *store);
void fx_as_store_release(struct fx_as_store *store);

/* Borrowed; NULL when there is none. ns "" for a cluster-wide kind. */
struct fx_as_object *fx_as_store_get(const struct fx_as_resource *resource, const char *ns, const char *name);

/* Stores an object (a reference is kept, it must not change any more) under its metadata's name, and gives it
 * its resource version. Returns what is stored, borrowed. */
struct fx_as_object *fx_as_store_put(
        struct fx_as_store *store, struct fx_as_resource *resource, json_t *object);

/* Removes one; the last state gets a new resource version. */
void fx_as_store_remove(
        struct fx_as_store *store, struct fx_as_resource *resource, const char *ns, const char *name);

/* Forgets the history: every older resource version is then gone. */
void fx_as_store_compact(struct fx_as_store *store);

/* The change number i of the history, oldest first; NULL past the end. */
const struct fx_as_change *fx_as_store_change(const struct fx_as_store *store, size_t i);

/* True when some object names this uid as an owner. */
bool fx_as_store_is_owner(const struct fx_as_store *store, const char *uid);

/* Objects of a kind (in a namespace, "" for all), ordered by namespace and name. Borrowed objects; the
 * array is to be freed. */
struct fx_as_object **fx_as_store_sorted(
        const struct fx_as_resource *resource, const char *ns, size_t *out_count);

#endif
