/* What the files of the reflector share: image (reflector_image.c) and list and watch
 * (reflector.c). Private to them. */
#ifndef FX_KUBE_REFLECTOR_INTERNAL_H
#define FX_KUBE_REFLECTOR_INTERNAL_H

#include "core/map.h"
#include "data/json_split.h"
#include "kube/reflector.h"

#include <pthread.h>
#include <stdatomic.h>

struct fx_reflector_record {
	void *packed;
	uint64_t seen; /* number of the list that had it last */
	char resource_version[];
};

enum fx_reflector_state {
	FX_REFLECTOR_STOPPED,
	FX_REFLECTOR_LISTING,
	FX_REFLECTOR_WATCHING,
	FX_REFLECTOR_WAITING
};

struct fx_reflector {
	struct fx_reflector_options options; /* its strings are owned */
	char *path;                          /* of the list */
	char *what;                          /* "helmreleases.helm.toolkit.fluxcd.io", for errors */

	/* Image. Written on the loop thread under the lock, read under it. */
	pthread_mutex_t lock;
	pthread_cond_t changed; /* synced, or a waiter is to look again */
	struct fx_map records;  /* "ns/name" to struct fx_reflector_record */
	atomic_bool synced;
	_Atomic uint64_t version; /* resource_version as a number, once the image is at it */
	char *last_error;         /* of the last failure before the sync */

	/* The loop thread's. */
	enum fx_reflector_state state;
	struct fx_timer *timer;
	struct fx_http_call *call;
	struct fx_json_split split;
	struct fx_buf failure; /* body of an answer that is no success */
	struct fx_buf slim;    /* of the object or event at hand */
	int status;
	char *resource_version; /* where a watch goes on; NULL: list first */
	char *list_version;     /* of the list under way */
	char *token;            /* continue token of the list under way */
	bool list_fresh;        /* list past the server's cache: the last one expired */
	uint64_t list_number;
	int backoff_ms;
	int64_t watch_started_ms;
	bool watch_progress; /* something came */
	bool stopping;       /* the end of the call is ours */
	struct fx_error stream_error;
};

/* [loop] The list or the watch has this object now. False without memory. */
bool fx_reflector_put(struct fx_reflector *reflector, const json_t *object) fx_must_use;
/* [loop] The watch says it is deleted. */
void fx_reflector_remove(struct fx_reflector *reflector, const json_t *object);
/* [loop] Removes what the list just completed did not have. */
void fx_reflector_sweep(struct fx_reflector *reflector);
/* [loop] The first list is complete. */
void fx_reflector_set_synced(struct fx_reflector *reflector);
/* [loop] Keeps the error for those who wait for the sync. */
void fx_reflector_set_error(struct fx_reflector *reflector, const struct fx_error *err);

void fx_reflector_image_init(struct fx_reflector *reflector);
void fx_reflector_image_release(struct fx_reflector *reflector);

#endif
