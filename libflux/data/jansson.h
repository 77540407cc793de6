/*
 * What jansson leaves out and API objects need: access by path, text in and out, and the
 * loose equality that the API server itself uses. Pure; usable from any thread as long as
 * no two threads work on one value.
 */
#ifndef FX_DATA_JANSSON_H
#define FX_DATA_JANSSON_H

#include "core/buf.h"
#include "core/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* fx_auto(json) json_t *v = ...; */
FX_DEFINE_AUTO(json, json_t, json_decref)

/* The value at a path of object keys, or NULL when a step is missing or no object. Borrowed.
 * fx_json_at(pod, "spec", "nodeName"); */
#define fx_json_at(value, ...) fx_json_at_keys((value), (const char *const[]){__VA_ARGS__, NULL})
json_t *fx_json_at_keys(const json_t *value, const char *const *keys);

/* The string at a path, or NULL when there is none (or it is no string). Borrowed. */
#define fx_json_str_at(value, ...) json_string_value(fx_json_at((value), __VA_ARGS__))

/* The integer at a path, or otherwise. */
#define fx_json_int_at(value, otherwise, ...) fx_json_int_or(fx_json_at((value), __VA_ARGS__), (otherwise))
int64_t fx_json_int_or(const json_t *value, int64_t otherwise);

/* True only when the value at the path is the literal true. */
#define fx_json_bool_at(value, ...) json_is_true(fx_json_at((value), __VA_ARGS__))

/* Sets value (reference taken, also on failure) at a path, making the objects on the way; a
 * step that is no object is replaced. False without memory or with a NULL value. */
#define fx_json_set_at(root, value, ...)                                                                     \
	fx_json_set_at_keys((root), (value), (const char *const[]){__VA_ARGS__, NULL})
bool fx_json_set_at_keys(json_t *root, json_t *value, const char *const *keys) fx_must_use;

/* Removes what is at a path; nothing happens when it is not there. */
#define fx_json_del_at(root, ...) fx_json_del_at_keys((root), (const char *const[]){__VA_ARGS__, NULL})
void fx_json_del_at_keys(json_t *root, const char *const *keys);

/* Parses one JSON text of len bytes; nothing but white space may follow. New reference.
 * FX_E_PARSE. */
int fx_json_parse(const char *text, size_t len, json_t **out, struct fx_error *err) fx_must_use;

/* Appends the value as compact JSON; keys keep their order, or are sorted when asked. A NULL value
 * marks the buffer failed. The text means the same to a YAML parser, which is what the API server
 * reads an apply patch with: line breaks of Unicode and what YAML refuses are escaped. */
void fx_json_append(struct fx_buf *buf, const json_t *value, bool sorted);

/* The same as a C string owned by the caller (free(3)); NULL without memory. */
char *fx_json_text(const json_t *value, size_t *out_len) fx_must_use;

/* Equality as the API machinery means it (Semantic.DeepEqual): null, {} and [] are the same value,
 * but a key must be there on both sides (`podSelector: {}` says something); numbers are compared by
 * value. NULL is the same as null. */
bool fx_json_equal_loose(const json_t *a, const json_t *b);

#endif
