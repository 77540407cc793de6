/*
 * Makes the text of an API object smaller before it is parsed: metadata.managedFields is half of most
 * objects, and a tree of it takes more time and memory than all the rest. Pure.
 */
#ifndef FX_DATA_JSON_SLIM_H
#define FX_DATA_JSON_SLIM_H

#include "core/buf.h"

#include <stdbool.h>
#include <stdint.h>

enum fx_json_slim {
	FX_SLIM_NOTHING,
	FX_SLIM_DROP, /* managedFields becomes an empty list */
	FX_SLIM_HASH, /* fieldsV1 of each entry becomes its hash, a string: see fx_json_fields_hash() */
};

/* Writes the slim text of an object, or of a watch event with one, to out (cleared before). False when there
 * is nothing to make smaller, when the text is no such JSON, or without memory: then the text itself is to be
 * parsed. */
bool fx_json_slim(const char *text, size_t len, enum fx_json_slim how, struct fx_buf *out);

/* The hash of a JSON object's text, whatever the order of its members, the white space between them and the
 * escapes in their keys. 0 when it is no JSON object, or deeper than FX_JSON_HASH_DEPTH_MAX. */
#define FX_JSON_HASH_DEPTH_MAX 64
uint64_t fx_json_fields_hash(const char *text, size_t len);

#endif
