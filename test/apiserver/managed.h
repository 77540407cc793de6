/*
 * metadata.managedFields: who set what, for updates and for server-side apply (the rules of
 * Kubernetes' field manager). Pure, but for the time stamps.
 */
#ifndef FX_TEST_APISERVER_MANAGED_H
#define FX_TEST_APISERVER_MANAGED_H

#include <jansson.h>
#include <stdbool.h>

struct fx_as_writer {
	const char *manager;     /* field manager */
	const char *subresource; /* "status" or "" */
	const char *api_version;
	const json_t *schema; /* of the kind */
	bool has_status;      /* the kind's status is a subresource */
	bool custom;          /* a kind of a CustomResourceDefinition */
};

/* Sets new's managedFields after a create (live NULL) or an update. */
void fx_as_managed_update(const struct fx_as_writer *writer, const json_t *live, json_t *new);

/* Server-side apply of config to live (NULL: create). *out is the new object (a new reference) with its
 * managedFields; on conflict NULL, and *status is the Status. */
void fx_as_managed_apply(const struct fx_as_writer *writer, const json_t *live, const json_t *config,
        bool force, json_t **out, json_t **status);

/* True when two objects differ in nothing but the times of managedFields. */
bool fx_as_managed_same(const json_t *a, const json_t *b);

#endif
