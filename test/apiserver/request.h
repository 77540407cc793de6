/*
 * What a request asks for: the path taken apart, the verb, and the form that the Accept header wants. Pure.
 */
#ifndef FX_TEST_APISERVER_REQUEST_H
#define FX_TEST_APISERVER_REQUEST_H

#include <stdbool.h>

#define FX_AS_SEGMENT_MAX 260

struct fx_as_path {
	bool is_resource; /* /api/v1/... or /apis/GROUP/VERSION/... with a resource */
	char group[FX_AS_SEGMENT_MAX], version[FX_AS_SEGMENT_MAX], ns[FX_AS_SEGMENT_MAX];
	char plural[FX_AS_SEGMENT_MAX], name[FX_AS_SEGMENT_MAX], subresource[FX_AS_SEGMENT_MAX];
};

/* False when a segment is too long or there are too many. */
bool fx_as_path_parse(const char *path, struct fx_as_path *out);

/* get, list, watch, create, update, patch, delete, deletecollection, as RBAC calls them. */
const char *fx_as_verb(const char *method, const struct fx_as_path *path, bool watch);

enum fx_as_form {
	FX_AS_FORM_JSON,
	FX_AS_FORM_TABLE,
	FX_AS_FORM_METADATA,
	FX_AS_FORM_DISCOVERY,
	FX_AS_FORM_NONE
};

/* The first form in an Accept header that the server has; NONE when there is no such. */
enum fx_as_form fx_as_accept(const char *accept);

#endif
