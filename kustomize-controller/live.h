/*
 * The live objects that Kustomizations own, by one watch for each resource: a packed record of
 * what decides whether an object is as it was left and whether it is healthy. Watches start when the
 * first object of a resource is applied; they see only objects with an owner label, in metadata
 * form where the kind has no status to wait for.
 *
 * Thread safe. The callback runs on the loop thread.
 */
#ifndef KUSTOMIZE_CONTROLLER_LIVE_H
#define KUSTOMIZE_CONTROLLER_LIVE_H

#include "fields.h"
#include "manifest.h"

#include "kube/discovery.h"
#include "kube/kstatus.h"
#include "kube/reflector.h"

/* Resources watched at once; objects of more are looked at with requests. */
#define FX_LIVE_WATCHES_MAX 1000

struct fx_live;

struct fx_live_record {
	uint64_t version; /* resourceVersion as a number */
	uint64_t fields;  /* fx_fields_hash() */
	enum fx_kstatus status;
	bool marked;        /* somebody wants it left alone */
	bool kept;          /* marked against pruning */
	bool needs_cleanup; /* fields or annotations of other tools would be taken over */
};

struct fx_live_event {
	const char *owner;                /* "ns/name" of the Kustomization */
	const char *id;                   /* inventory id of the object */
	const struct fx_live_record *now; /* NULL: deleted */
	bool status_changed;
	bool taken; /* another Kustomization has put its name on it */
};

struct fx_live_options {
	struct fx_loop *loop;
	struct fx_kube *kube;
	struct fx_overrides overrides; /* borrowed for life */
	void (*on_event)(void *arg, const struct fx_live_event *event);
	/* [loop] The first image of a resource is complete: what it lacks is not there. May be NULL. */
	void (*on_synced)(void *arg, const struct fx_resource *resource);
	/* [loop] The server does not have the resource any more, nor any of its objects. May be NULL. */
	void (*on_gone)(void *arg, const struct fx_resource *resource);
	void *arg;
};

int fx_live_new(
        const struct fx_live_options *options, struct fx_live **out, struct fx_error *err) fx_must_use;
void fx_live_free(struct fx_live *live);

/* Makes sure that the resource is watched. True when its image is complete. */
bool fx_live_watch(struct fx_live *live, const struct fx_resource *resource);

/* The record of an object: 1 found, 0 not in a complete image, -1 not known (no complete image). */
int fx_live_get(struct fx_live *live, const struct fx_resource *resource, const char *namespace_,
        const char *name, struct fx_live_record *out);

/* True when an object that was last written at this version and that carries an owner label has been deleted
 * since: the image has come further and does not have it. */
bool fx_live_is_gone(struct fx_live *live, const struct fx_resource *resource, const char *namespace_,
        const char *name, uint64_t version);

/* resourceVersion of an object as a number. */
uint64_t fx_live_version(const json_t *object);

#endif
