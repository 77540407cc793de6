/*
 * The verbs of the API on one kind, without HTTP: what a request does to the store. Called with the
 * server's lock held. Each gives a new reference, or NULL with *status set to a Status (new reference).
 */
#ifndef FX_TEST_APISERVER_REST_H
#define FX_TEST_APISERVER_REST_H

#include "managed.h"
#include "state.h"

enum fx_as_strictness { FX_AS_IGNORE, FX_AS_WARN, FX_AS_STRICT };

struct fx_as_op {
	struct fx_as *as;
	struct fx_as_resource *resource;
	struct fx_as_version *version;
	const char *ns, *name;   /* "" when the path has none */
	const char *subresource; /* "" or "status" */
	const char *manager;
	const char *user;
	bool dry_run;
	bool force;        /* apply */
	const char *patch; /* the patch or its result as text, for errors; NULL: no patch */
	bool strategic;    /* that patch is a strategic merge patch */
	bool applied;      /* managedFields are set already */
	enum fx_as_strictness strict;
	json_t *warnings; /* array of strings, filled; may be NULL */
};

json_t *fx_as_rest_create(struct fx_as_op *op, const json_t *body, json_t **status);
json_t *fx_as_rest_update(struct fx_as_op *op, const json_t *body, json_t **status);
/* content_type says which patch it is; *created tells that an apply made the object. */
json_t *fx_as_rest_patch(struct fx_as_op *op, const char *content_type, const char *text, size_t len,
        bool *created, json_t **status);

/* options: the body's DeleteOptions with the query laid over it; may be NULL. The answer is a Status with
 * Success, or the object when it stays until its finalizers are gone. */
json_t *fx_as_rest_delete(struct fx_as_op *op, const json_t *options, json_t **status);

/* An object as the version of the request shows it; a new reference. */
json_t *fx_as_rest_shown(const struct fx_as_op *op, const json_t *object);

/* Writes a changed copy of a stored object as a controller inside the server does (no managed fields, no
 * checks); takes new. */
void fx_as_rest_store(struct fx_as *as, struct fx_as_resource *resource, json_t *new);

/* The same for a status, which manager then owns. */
void fx_as_rest_store_as(struct fx_as *as, struct fx_as_resource *resource, const char *manager,
        const json_t *old, json_t *new);

/* Removes a finalizer; the object goes when it was the last one of a deleted object. */
void fx_as_rest_drop_finalizer(
        struct fx_as *as, struct fx_as_resource *resource, const json_t *object, const char *finalizer);

/* 404 for the object of the request. */
json_t *fx_as_rest_missing(const struct fx_as_op *op);

/* Shared by create, update and patch: the end of every write. */
json_t *fx_as_rest_finish(struct fx_as_op *op, json_t *object, const json_t *old);
int fx_as_rest_admit(struct fx_as_op *op, json_t *object, const json_t *old, json_t **status);
void fx_as_rest_keep_meta(const struct fx_as_op *op, json_t *object, const json_t *old);
json_t *fx_as_rest_new_object(struct fx_as_op *op, json_t *object, json_t **status);
json_t *fx_as_rest_replace(struct fx_as_op *op, json_t *object, const json_t *live, json_t **status);
struct fx_as_writer fx_as_rest_writer(const struct fx_as_op *op, char **out_api_version);

#endif
