/*
 * What a document tree means as JSON values: the step between the tree and its printed forms.
 * Private to data/.
 */
#ifndef FX_DATA_VALUES_H
#define FX_DATA_VALUES_H

#include "core/error.h"
#include "data/scalar.h"

/* go-yaml v2 cannot read a JSON key that is longer than this. */
#define FX_VALUE_MAX_KEY 1022

/* Final text of a scalar. */
struct fx_value_text {
	bool is_string;
	enum fx_tag tag; /* STR, INT, FLOAT, BOOL, NULL */
	const char *text;
	size_t len;
	char number[FX_NUMBER_TEXT];
	char *owned;
};

/* out: release with fx_value_text_release(), also when text points into the node. */
int fx_value_text_make(
        const struct fx_node *n, bool in_flow, struct fx_value_text *out, struct fx_error *err) fx_must_use;
void fx_value_text_release(struct fx_value_text *v);

struct fx_value_pair {
	const char *key;
	size_t len;
	const struct fx_node *value;
	const struct fx_node *key_node;
};

#define FX_VALUE_SMALL 24

struct fx_value_pairs {
	struct fx_value_pair *items;
	size_t len;
	struct fx_value_pair small[FX_VALUE_SMALL];
};

/* The pairs of a map; fails when a key is no string. The struct must not be moved. */
int fx_value_pairs_make(const struct fx_node *map, bool in_flow, struct fx_value_pairs *out,
        struct fx_error *err) fx_must_use;
void fx_value_pairs_release(struct fx_value_pairs *pairs);
static inline void fx_auto_value_pairs(struct fx_value_pairs *pairs)
{
	fx_value_pairs_release(pairs);
}

/* By go-yaml v2's order for people, or by bytes. */
void fx_value_pairs_sort_yaml(struct fx_value_pairs *pairs);
void fx_value_pairs_sort_bytes(struct fx_value_pairs *pairs);

/* Sorted pairs: fails when two keys are equal. */
int fx_value_pairs_check(
        const struct fx_value_pairs *pairs, const struct fx_node *map, struct fx_error *err) fx_must_use;

#endif
