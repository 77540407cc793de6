/*
 * A local, packed image of one resource of the API server: list, then watch, for ever, on the loop
 * thread, without a thread of its own. Bodies are parsed as they arrive, one object at a time; of each
 * object only what the `pack` function makes of it is kept.
 *
 *   stopped --start--> listing --complete--> watching --ends, times out--> watching (resume)
 *                        ^  |                   |
 *                        |  +--failed--> waiting +--410, failed to resume
 *                        +------(backoff)---+----+
 *
 * After a relist objects that are no longer there are reported as deleted, and those whose
 * resourceVersion is as before are not reported at all. "Initial" events are those up to the first complete
 * list.
 *
 * Source: Kubernetes API concepts, "Efficient detection of changes"; runtime reference, section 5.
 */
#ifndef FX_KUBE_REFLECTOR_H
#define FX_KUBE_REFLECTOR_H

#include "kube/client.h"

/* Wait after a failure: from, doubling to, each with up to half of it in jitter. */
#define FX_REFLECTOR_BACKOFF_MIN_MS 500
#define FX_REFLECTOR_BACKOFF_MAX_MS (30 * 1000)
/* The server ends a watch after so long; drawn between this and twice it, so that not all end together. */
#define FX_REFLECTOR_WATCH_S 300

struct fx_reflector;

enum fx_reflector_change { FX_OBJECT_ADDED, FX_OBJECT_UPDATED, FX_OBJECT_DELETED };

/* What happened to one object; all borrowed until on_change returns. */
struct fx_reflector_event {
	enum fx_reflector_change change;
	const char *namespace_; /* "" for cluster-scoped */
	const char *name;
	const void *old_record; /* NULL when added */
	const void *new_record; /* NULL when deleted */
	bool initial;
};

struct fx_reflector_options {
	struct fx_loop *loop; /* of the HTTP client below kube */
	struct fx_kube *kube; /* a reference is kept */
	/* What to watch: group, version, resource; namespace_ empty: all. Copied. */
	struct fx_kube_path path;
	const char *label_selector; /* copied, NULL: none */
	const char *field_selector;
	bool metadata_only;     /* PartialObjectMetadata */
	enum fx_json_slim slim; /* what the objects given to pack may lack */

	/* Makes the record of an object (borrowed). NULL: the object is not kept, as if it were not there. */
	void *(*pack)(void *arg, const json_t *object);
	void (*free_record)(void *arg, void *record); /* NULL: free(3) */
	/* [loop] After the image has changed. May be NULL. Must not stop or free the reflector. */
	void (*on_change)(void *arg, const struct fx_reflector_event *event);
	/* [loop] After the first complete list; may stop the reflector. May be NULL. */
	void (*on_synced)(void *arg);
	/* [loop] Each failure that is followed by a pause, FORBIDDEN and NOT_FOUND among them (the
	 * reflector goes on trying; its owner may stop it). err borrowed. May be NULL. */
	void (*on_error)(void *arg, const struct fx_error *err);
	void *arg;
};

/* [any] Owned by the caller; stopped until fx_reflector_start(). */
int fx_reflector_new(const struct fx_reflector_options *options, struct fx_reflector **out,
        struct fx_error *err) fx_must_use;
/* [any, but not in a callback of the reflector] Stops and frees; no callback runs after it. */
void fx_reflector_free(struct fx_reflector *reflector);
FX_DEFINE_AUTO(reflector, struct fx_reflector, fx_reflector_free)

/* [any] */
void fx_reflector_start(struct fx_reflector *reflector);
/* [any] Ends the watch and keeps the image; a start resumes it. */
void fx_reflector_stop(struct fx_reflector *reflector);
/* [any] Ends a pause after a failure. */
void fx_reflector_kick(struct fx_reflector *reflector);

/* [any] */
bool fx_reflector_is_synced(const struct fx_reflector *reflector);
/* [any] The resourceVersion, as a number, that the image has come to: what was written to this resource up to
 * it is in the image. 0 before the first complete list. */
uint64_t fx_reflector_version(const struct fx_reflector *reflector);
/* [worker] Until the first complete list. The last failure is in the error: FX_E_TIMEOUT or
 * FX_E_CANCELED `... not synced: <last error>`. */
int fx_reflector_wait_synced(
        struct fx_reflector *reflector, struct fx_cancel *cancel, struct fx_error *err) fx_must_use;

/* [any] Calls fn with the record under the image's lock: be quick, copy what is needed. False when there
 * is no such object. */
bool fx_reflector_read(struct fx_reflector *reflector, const char *namespace_, const char *name,
        void (*fn)(void *arg, const void *record), void *arg);
/* [any] Every record, in no order, under the lock. */
void fx_reflector_each(struct fx_reflector *reflector,
        void (*fn)(void *arg, const char *namespace_, const char *name, const void *record), void *arg);
size_t fx_reflector_count(struct fx_reflector *reflector);

/*
 * A ready-made record: the object as compact JSON text without metadata.managedFields. pack as
 * options.pack, free_record NULL.
 */
void *fx_reflector_pack_json(void *arg, const json_t *object);
/* [any] For reflectors with that pack: the object, parsed (new reference). FX_E_NOT_FOUND. */
int fx_reflector_get_json(struct fx_reflector *reflector, const char *namespace_, const char *name,
        json_t **out, struct fx_error *err) fx_must_use;

#endif
