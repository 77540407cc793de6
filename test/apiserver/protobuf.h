/*
 * Request bodies in Kubernetes' protobuf form, which typed Go clients send for built-in kinds (`kubectl
 * create` of most kinds among them). Answers are always JSON. Pure.
 */
#ifndef FX_TEST_APISERVER_PROTOBUF_H
#define FX_TEST_APISERVER_PROTOBUF_H

#include "core/error.h"
#include "types.h"

#include <stdbool.h>

/* Rows of {type, "field=number field=outer.inner"}. */
extern const struct fx_as_type_row fx_as_proto_numbers[];
extern const size_t fx_as_proto_numbers_count;

/* True for the content type. */
bool fx_as_proto_is(const char *content_type);

/* Decodes a body (with its envelope) into an object. Fields that are not in the tables are left out, as are
 * empty strings, and zeroes but for the fields where a zero says something. FX_E_PARSE. */
int fx_as_proto_decode(const char *data, size_t len, json_t **out, struct fx_error *err) fx_must_use;

#endif
