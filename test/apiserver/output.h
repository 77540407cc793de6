/*
 * Objects and lists as text in the form that a client asked for. Pure, but for the ages in tables.
 */
#ifndef FX_TEST_APISERVER_OUTPUT_H
#define FX_TEST_APISERVER_OUTPUT_H

#include "core/buf.h"
#include "request.h"
#include "rest.h"
#include "selector.h"

struct fx_as_view {
	struct fx_as_resource *resource;
	struct fx_as_version *version;
	enum fx_as_form form;
	const char *include; /* of a table: None, Metadata, Object; NULL: Metadata */
};

/* Appends one object. columns: a table names its columns (not in the later events of a watch). */
void fx_as_output_object(
        const struct fx_as_view *view, const json_t *object, bool columns, struct fx_buf *out);
/* The same for what is stored, by its ready text where that will do. */
void fx_as_output_stored(
        const struct fx_as_view *view, const struct fx_as_object *object, struct fx_buf *out);

struct fx_as_list {
	const char *ns;
	const struct fx_as_selector *labels, *fields;
	size_t limit;               /* 0: none */
	const char *continue_token; /* NULL or "": from the start */
};

/* Appends a list; NULL, or a Status (new reference) when the token is no good. */
json_t *fx_as_output_list(
        struct fx_as *as, const struct fx_as_view *view, const struct fx_as_list *list, struct fx_buf *out);

#endif
