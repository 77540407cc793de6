/*
 * Document trees to and from JSON text and jansson values. Pure functions, usable from any thread.
 */
#ifndef FX_DATA_JSON_H
#define FX_DATA_JSON_H

#include "core/arena.h"
#include "core/buf.h"
#include "core/error.h"
#include "data/node.h"

#include <jansson.h>

#define FX_JSON_SORT_KEYS 1u /* by bytes */
#define FX_JSON_HTML 2u      /* < > & and U+2028/9 escaped, as Go's encoding/json does by default */
#define FX_JSON_INDENT 4u    /* two spaces, Go's MarshalIndent */
#define FX_JSON_GO (FX_JSON_SORT_KEYS | FX_JSON_HTML)

/* Appends the tree as JSON. Same errors as fx_yaml_write(). */
int fx_json_write(
        const struct fx_node *node, unsigned flags, struct fx_buf *out, struct fx_error *err) fx_must_use;

/* Reads one JSON text (strict grammar) into a tree of plain values. Numbers keep their text. */
int fx_json_read(struct fx_arena *arena, const char *text, size_t len, struct fx_node **out,
        struct fx_error *err) fx_must_use;

/* A new reference owned by the caller; NULL with err set. Types as fx_yaml_write() sees them. */
json_t *fx_node_to_json(const struct fx_node *node, struct fx_error *err) fx_must_use;

/* A deep copy in the arena; NULL without memory. */
struct fx_node *fx_node_from_json(struct fx_arena *arena, const json_t *value) fx_must_use;

#endif
