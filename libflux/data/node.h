/*
 * The document tree of the engines: maps that keep their order, sequences, and scalars that
 * keep their text, tag and YAML style. Nodes live in an arena and are never freed one by
 * one. A node may be shared by several parents (an in-place write is then seen at each),
 * but a tree is never cyclic. One arena, one thread at a time.
 *
 * Texts are NUL-terminated and also counted, because YAML strings may hold NUL bytes.
 * Functions that make or grow nodes return NULL or false when the arena's limit or memory
 * is exhausted; nothing else can fail in them.
 */
#ifndef FX_DATA_NODE_H
#define FX_DATA_NODE_H

#include "core/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum fx_node_kind {
	FX_NODE_SCALAR,
	FX_NODE_MAP,
	FX_NODE_SEQ,
};

/* Type of a value. FX_TAG_NONE on a plain scalar means that the text decides when the type
 * is needed (see fx_scalar_value in data/scalar.h). */
enum fx_tag {
	FX_TAG_NONE,
	FX_TAG_STR,
	FX_TAG_INT,
	FX_TAG_FLOAT,
	FX_TAG_BOOL,
	FX_TAG_NULL,
	FX_TAG_TIME,
	FX_TAG_BINARY,
	FX_TAG_MERGE,
	FX_TAG_MAP,
	FX_TAG_SEQ,
	FX_TAG_OTHER, /* an application's own tag; its text is not kept */
};

enum fx_node_style {
	FX_STYLE_PLAIN, /* also block style of maps and sequences */
	FX_STYLE_SINGLE,
	FX_STYLE_DOUBLE,
	FX_STYLE_LITERAL,
	FX_STYLE_FOLDED,
	FX_STYLE_FLOW,
};

/* Comments of a node with their '#', without indentation, lines joined by '\n'; and the name of its anchor,
 * or of the one it refers to (it then shares the other's content). NULL: none. */
struct fx_comments {
	const char *head, *line, *foot;
	const char *anchor, *alias;
};

struct fx_node;

struct fx_pair {
	struct fx_node *key;
	struct fx_node *value;
};

struct fx_node {
	uint8_t kind;   /* enum fx_node_kind */
	uint8_t tag;    /* enum fx_tag */
	uint8_t style;  /* enum fx_node_style */
	uint8_t tagged; /* the tag was written out in the source */
	uint32_t len;   /* bytes of text, or number of items or pairs */
	uint32_t cap;   /* room in items or pairs */
	uint32_t line;  /* 1-based line in the source, 0: made by a program */
	union {
		const char *text;
		struct fx_node **items;
		struct fx_pair *pairs;
	};
	struct fx_comments *comments;
};

/* ---- making ---- */

struct fx_node *fx_node_new_map(struct fx_arena *arena);
struct fx_node *fx_node_new_seq(struct fx_arena *arena);
/* Plain scalar with this tag; the text is borrowed and must outlive the tree. */
struct fx_node *fx_node_new_scalar(struct fx_arena *arena, enum fx_tag tag, const char *text);
struct fx_node *fx_node_new_scalar_len(struct fx_arena *arena, enum fx_tag tag, const char *text, size_t len);
/* String scalar; the text is copied. */
struct fx_node *fx_node_new_str(struct fx_arena *arena, const char *text);
struct fx_node *fx_node_new_int(struct fx_arena *arena, int64_t value);
struct fx_node *fx_node_new_bool(struct fx_arena *arena, bool value);
struct fx_node *fx_node_new_null(struct fx_arena *arena);

/* Deep copy; sharing inside node is not kept. Texts are shared with the original. NULL gives NULL. */
struct fx_node *fx_node_copy(struct fx_arena *arena, const struct fx_node *node);

/* ---- asking ---- */

static inline bool fx_node_is_map(const struct fx_node *n)
{
	return n && n->kind == FX_NODE_MAP;
}
static inline bool fx_node_is_seq(const struct fx_node *n)
{
	return n && n->kind == FX_NODE_SEQ;
}
static inline bool fx_node_is_scalar(const struct fx_node *n)
{
	return n && n->kind == FX_NODE_SCALAR;
}
/* No node, or one tagged as null. */
static inline bool fx_node_is_null(const struct fx_node *n)
{
	return !n || n->tag == FX_TAG_NULL;
}
/* Null, an empty map or an empty sequence. */
static inline bool fx_node_is_nil_or_empty(const struct fx_node *n)
{
	return fx_node_is_null(n) || (n->kind != FX_NODE_SCALAR && n->len == 0);
}
/* True for a scalar with exactly this text, whatever its type. */
static inline bool fx_node_text_is(const struct fx_node *n, const char *text)
{
	return fx_node_is_scalar(n) && strlen(text) == n->len && memcmp(n->text, text, n->len) == 0;
}
static inline bool fx_node_same_text(const struct fx_node *a, const struct fx_node *b)
{
	return fx_node_is_scalar(a) && fx_node_is_scalar(b) && a->len == b->len &&
	       memcmp(a->text, b->text, a->len) == 0;
}

/* ---- maps ---- */

/* The value of the first pair with this key; NULL when node is no map or has no such key. */
struct fx_node *fx_node_get(const struct fx_node *node, const char *key);
struct fx_node *fx_node_get_len(const struct fx_node *node, const char *key, size_t len);
struct fx_pair *fx_node_pair(const struct fx_node *node, const char *key, size_t len);
/* Follows keys through maps: fx_node_at(n, "metadata", "name", NULL). */
struct fx_node *fx_node_at(const struct fx_node *node, ...) __attribute__((sentinel));
/* The text of a scalar found at key, or NULL (also for null). */
const char *fx_node_get_text(const struct fx_node *node, const char *key);
/* Replaces the value of key or appends the pair (key is copied, a plain scalar without a tag). */
bool fx_node_set(
        struct fx_arena *arena, struct fx_node *map, const char *key, struct fx_node *value) fx_must_use;
/* Appends without looking for the key. */
bool fx_node_add_pair(
        struct fx_arena *arena, struct fx_node *map, struct fx_node *key, struct fx_node *value) fx_must_use;
/* Removes the first pair with this key; its value, or NULL when there was none. */
struct fx_node *fx_node_unset(struct fx_node *map, const char *key);
void fx_node_unset_at(struct fx_node *map, size_t index);

/* ---- sequences ---- */

bool fx_node_append(struct fx_arena *arena, struct fx_node *seq, struct fx_node *item) fx_must_use;
/* index <= len. */
bool fx_node_insert(
        struct fx_arena *arena, struct fx_node *seq, size_t index, struct fx_node *item) fx_must_use;
void fx_node_remove_at(struct fx_node *seq, size_t index);

/* ---- scalars ---- */

/* Overwrites the text in place and keeps the style; text is borrowed. */
void fx_node_set_text(struct fx_node *scalar, enum fx_tag tag, const char *text, size_t len);

/* Deep equality of values: kinds, texts and (resolved) tags; the order of map keys counts not. */
bool fx_node_equal(const struct fx_node *a, const struct fx_node *b);

#endif
