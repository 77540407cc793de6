/*
 * YAML in and out of document trees. Reading goes through libyaml, aliases become deep copies
 * and merge keys are resolved, within the limits below. Writing follows go-yaml v2 through
 * sigs.k8s.io/yaml (what kustomize, kubectl and Helm print) or go-yaml v3 as kyaml sets it up.
 * Pure functions, usable from any thread.
 */
#ifndef FX_DATA_YAML_H
#define FX_DATA_YAML_H

#include "core/arena.h"
#include "core/buf.h"
#include "core/error.h"
#include "data/node.h"
#include "data/scalar.h"

/* Deeper nesting than this is refused, it would exhaust the stack of any recursive walk. */
#define FX_YAML_MAX_DEPTH 1000
/* Nodes that aliases may add to one document: stops "billion laughs" documents. */
#define FX_YAML_MAX_ALIAS_NODES 1000000
/* Bytes of one input. */
#define FX_YAML_MAX_BYTES (256u * 1024 * 1024)

struct fx_yaml_read {
	enum fx_yaml_dialect dialect;
	/* Turn the tree into plain JSON values as the sigs.k8s.io/yaml package does: keys and
	 * values are untagged of their source form, scalars are STR, INT, FLOAT, BOOL or NULL with
	 * canonical text (`0x10` becomes 16, `yes` true), keys are strings, and of two equal keys the
	 * last stays. */
	bool values;
	/* values: two equal keys are an error, as UnmarshalStrict has it. */
	bool unique_keys;
	/* Keep comments (go-yaml v3 rules for the usual places). Slower. */
	bool comments;
	/* Keep the names of anchors and aliases, and merge keys as they are written. */
	bool anchors;
};

/* Reads the first document of text. *out is NULL when there is none. The text is copied once
 * into the arena, scalars point into that copy. opts NULL: go-yaml v3 dialect, nothing else.
 * FX_E_PARSE "yaml: line 3: did not find expected key", FX_E_LIMIT, FX_E_NOMEM. */
int fx_yaml_read(struct fx_arena *arena, const char *text, size_t len, const struct fx_yaml_read *opts,
        struct fx_node **out, struct fx_error *err) fx_must_use;

/* Reads all documents of text, as the items of a new sequence node; empty documents are null nodes. */
int fx_yaml_read_all(struct fx_arena *arena, const char *text, size_t len, const struct fx_yaml_read *opts,
        struct fx_node **out, struct fx_error *err) fx_must_use;

/* Turns a tree into plain JSON values as described at fx_yaml_read.values, into new nodes.
 * FX_E_INVALID for values that JSON does not have, for keys that are no strings and for duplicate keys. */
int fx_node_to_values(struct fx_arena *arena, const struct fx_node *node, struct fx_node **out,
        struct fx_error *err) fx_must_use;

/*
 * Appends the document as sigs.k8s.io/yaml prints it (JSON values through go-yaml v2): keys
 * sorted, comments and styles dropped, 2 spaces, lines folded at 80. Ends with a newline.
 * Accepts any tree: types come from fx_scalar_value(). FX_E_INVALID for values that cannot be
 * printed (duplicate keys, keys that are no strings, .inf, tags that do not fit).
 */
int fx_yaml_write(const struct fx_node *node, struct fx_buf *out, struct fx_error *err) fx_must_use;

/* Appends the document as kyaml prints a node through go-yaml v3: order, styles and comments kept, 2
 * spaces, sequences not indented in maps, no folding. Ends with a newline. */
int fx_yaml_write_node(const struct fx_node *node, struct fx_buf *out, struct fx_error *err) fx_must_use;

/* Appends values of a program as go-yaml v3 prints them with an indent of 2 (Helm's toYamlPretty): keys
 * sorted, quotes where the text needs them, sequences indented in maps, no folding. Keys are STR scalars in
 * double quotes. A map with the tag FX_TAG_OTHER keeps its order. The tree is changed: its maps are
 * sorted, its styles set. */
int fx_yaml_write_values(struct fx_node *node, struct fx_buf *out, struct fx_error *err) fx_must_use;

#endif
