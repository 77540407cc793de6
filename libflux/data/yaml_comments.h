/* Finds the comments of a document and hangs them on its nodes. Private to data/. */
#ifndef FX_DATA_YAML_COMMENTS_H
#define FX_DATA_YAML_COMMENTS_H

#include "core/arena.h"
#include "data/node.h"

/* Where a node stands in the text, in the order of their ends; lines and columns count characters from 0. */
struct fx_yaml_place {
	struct fx_node *node;
	size_t line, column, end_line, end_column;
	bool entry; /* a key, or an item of a block sequence */
};

/* False without memory. */
bool fx_yaml_attach_comments(struct fx_arena *arena, const char *text, size_t len,
        const struct fx_yaml_place *places, size_t n) fx_must_use;

#endif
