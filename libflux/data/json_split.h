/*
 * Takes a JSON stream apart while it arrives, without ever holding the whole: the items of a
 * Kubernetes list one at a time, or the lines of a watch. The bytes handed out are one
 * complete JSON value each, not yet parsed. Not thread safe.
 */
#ifndef FX_DATA_JSON_SPLIT_H
#define FX_DATA_JSON_SPLIT_H

#include "core/buf.h"
#include "core/error.h"

#include <stdbool.h>
#include <stddef.h>

/* One item or line above this is refused: etcd keeps no object larger than 1.5 MiB, its
 * JSON form with managed fields stays well below. Stops a peer that never ends a value. */
#define FX_JSON_SPLIT_ITEM_MAX (16 * 1024 * 1024)

/* Called for each value: key is NULL for an item of the split array (or a line), else the
 * name of another member of the top object. The text is NUL-terminated and borrowed. A
 * negative result stops the feeding; it is what fx_json_split_feed() returns. */
typedef int fx_json_split_fn(void *arg, const char *key, const char *text, size_t len, struct fx_error *err);

struct fx_json_split {
	/* private */
	const char *array;
	fx_json_split_fn *fn;
	void *arg;
	struct fx_buf item;
	struct fx_buf key;
	int state;
	unsigned depth;
	bool in_string, escaped, in_array;
};

/* array: the member of the top object whose items are handed out one by one ("items",
 * borrowed); NULL: the stream is lines of one value each. */
void fx_json_split_init(struct fx_json_split *split, const char *array, fx_json_split_fn *fn, void *arg);
void fx_json_split_release(struct fx_json_split *split);

/* FX_E_PARSE, FX_E_LIMIT, or what the function returned (err is then its own). */
int fx_json_split_feed(
        struct fx_json_split *split, const char *data, size_t len, struct fx_error *err) fx_must_use;

/* Call at the end of the stream: FX_E_PROTOCOL when a value is incomplete. */
int fx_json_split_end(struct fx_json_split *split, struct fx_error *err) fx_must_use;

#endif
