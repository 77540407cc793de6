#include "data/merge.h"

#include "data/json.h"
#include "data/yaml.h"

#include <stdlib.h>

#define DIRECTIVE "$patch"

enum directive {
	D_MERGE,
	D_REPLACE,
	D_DELETE,
};

struct merger {
	struct fx_arena *arena;
	const struct fx_schema_set *set;
	struct fx_error *err;
};

static int walk(struct merger *m, struct fx_schema_at schema, struct fx_node *dest, struct fx_node *patch,
        int depth, struct fx_node **out);

static const char *kind_name(const struct fx_node *n)
{
	static const char *const names[] = {"ScalarNode", "MappingNode", "SequenceNode"};
	return n ? names[n->kind] : "";
}

static int wrong_kind(struct merger *m, enum fx_node_kind expected, const struct fx_node *got)
{
	static const char *const names[] = {"ScalarNode", "MappingNode", "SequenceNode"};
	return fx_fail(m->err, FX_E_INVALID, "wrong node kind: expected %s but got %s", names[expected],
	        kind_name(got));
}

static int directive_of(struct merger *m, const char *text, enum directive *out)
{
	if (strcmp(text, "delete") == 0)
		*out = D_DELETE;
	else if (strcmp(text, "replace") == 0)
		*out = D_REPLACE;
	else if (strcmp(text, "merge") == 0)
		*out = D_MERGE;
	else
		return fx_fail(m->err, FX_E_INVALID, "unknown patch strategy '%s'", text);
	return 0;
}

/* Takes the directive out of a map. */
static int map_directive(struct merger *m, struct fx_node *patch, enum directive *out)
{
	*out = D_MERGE;
	const struct fx_node *d = fx_node_get(patch, DIRECTIVE);
	if (fx_node_is_null(d))
		return 0;
	if (directive_of(m, d->kind == FX_NODE_SCALAR ? d->text : "", out) < 0)
		return -1;
	fx_node_unset(patch, DIRECTIVE);
	return 0;
}

/* Takes an element that is only a directive out of a list. */
static int list_directive(struct merger *m, struct fx_node *patch, enum directive *out)
{
	*out = D_MERGE;
	if (!patch)
		return 0;
	for (uint32_t i = 0; i < patch->len; i++) {
		const struct fx_node *d = fx_node_get(patch->items[i], DIRECTIVE);
		if (!d)
			continue;
		if (patch->items[i]->len > 1 || d->kind != FX_NODE_SCALAR)
			return 0;
		if (directive_of(m, d->text, out) < 0)
			return -1;
		/* Every element that carries the same directive goes. */
		const char *text = d->text;
		uint32_t n = 0;
		for (uint32_t k = 0; k < patch->len; k++) {
			struct fx_node *item = patch->items[k];
			if (fx_node_is_null(item) || (item->kind == FX_NODE_MAP && item->len == 0))
				continue;
			if (item->kind == FX_NODE_MAP && fx_node_text_is(fx_node_get(item, DIRECTIVE), text))
				continue;
			patch->items[n++] = item;
		}
		patch->len = n;
		return 0;
	}
	return 0;
}

/* ---- maps ---- */

static int compare_texts(const void *a, const void *b)
{
	const struct fx_node *x = *(const struct fx_node *const *)a, *y = *(const struct fx_node *const *)b;
	int c = memcmp(x->text, y->text, x->len < y->len ? x->len : y->len);
	return c ? c : x->len < y->len ? -1 : x->len > y->len;
}

/* The sorted union of the keys of both maps. */
static int union_of_keys(struct merger *m, const struct fx_node *a, const struct fx_node *b,
        const struct fx_node ***out, size_t *count)
{
	size_t n = 0, max = (fx_node_is_map(a) ? a->len : 0) + (fx_node_is_map(b) ? b->len : 0);
	const struct fx_node **keys = fx_arena_alloc(m->arena, (max + 1) * sizeof(*keys));
	if (!keys)
		return fx_fail_nomem(m->err);
	for (uint32_t i = 0; fx_node_is_map(a) && i < a->len; i++)
		if (a->pairs[i].key->kind == FX_NODE_SCALAR)
			keys[n++] = a->pairs[i].key;
	for (uint32_t i = 0; b != a && fx_node_is_map(b) && i < b->len; i++)
		if (b->pairs[i].key->kind == FX_NODE_SCALAR)
			keys[n++] = b->pairs[i].key;
	qsort(keys, n, sizeof(*keys), compare_texts);
	size_t unique = 0;
	for (size_t i = 0; i < n; i++)
		if (unique == 0 || !fx_node_same_text(keys[unique - 1], keys[i]))
			keys[unique++] = keys[i];
	*out = keys;
	*count = unique;
	return 0;
}

/* Writes the merged value into the map: in place and with the old style where the key is there. */
static int set_field(struct merger *m, struct fx_node *map, const struct fx_node *key, struct fx_node *value,
        bool keep_null)
{
	struct fx_pair *have = fx_node_pair(map, key->text, key->len);
	if (!value || (value->tag == FX_TAG_NULL && !keep_null)) {
		if (have)
			fx_node_unset_at(map, (size_t)(have - map->pairs));
		return 0;
	}
	if (have) {
		if (have->value != value) {
			uint8_t style = have->value->style;
			*have->value = *value;
			have->value->style = style;
		}
		return 0;
	}
	struct fx_node *k = fx_node_new_scalar_len(m->arena, FX_TAG_NONE, key->text, key->len);
	if (!k || !fx_node_add_pair(m->arena, map, k, value))
		return fx_fail_nomem(m->err);
	/* The patch's key style decides whether a key like "1" stays a string. */
	k->style = key->style;
	return 0;
}

/* An explicit null of dest stays when the patch does not speak of it. */
static bool is_kept_null(const struct fx_node *dest, const struct fx_node *patch)
{
	return !patch && dest && dest->tag == FX_TAG_NULL && dest->kind == FX_NODE_SCALAR && dest->len > 0;
}

static int choose_map(struct merger *m, struct fx_node *dest, struct fx_node *patch, struct fx_node **out)
{
	enum directive d = D_MERGE;
	*out = NULL;
	if (fx_node_is_null(dest)) {
		if (fx_node_is_map(patch)) {
			fx_auto(error) struct fx_error ignored = FX_ERROR_INIT;
			struct merger quiet = *m;
			quiet.err = &ignored;
			if (map_directive(&quiet, patch, &d) == 0 && d == D_DELETE)
				return 0;
		}
		*out = is_kept_null(dest, patch) ? dest : patch;
		return 0;
	}
	if (patch && patch->tag == FX_TAG_NULL)
		return 0;
	if (patch && map_directive(m, patch, &d) < 0)
		return -1;
	*out = d == D_DELETE ? NULL : d == D_REPLACE ? patch : dest;
	return 0;
}

/* A schema written as JSON in a comment beside the field, which overrides what the kind says (kyaml's field
 * meta). */
static struct fx_schema_at schema_in_comment(struct merger *m, const struct fx_pair *p)
{
	struct fx_schema_at at = {0};
	const struct fx_node *nodes[] = {p ? p->value : NULL, p ? p->key : NULL};
	for (size_t i = 0; i < FX_COUNT(nodes); i++) {
		const struct fx_comments *c = nodes[i] ? nodes[i]->comments : NULL;
		const char *text = c ? c->line ? c->line : c->head : NULL;
		if (!text)
			continue;
		text += strspn(text, "# ");
		struct fx_node *schema = NULL;
		if (*text == '{' && fx_json_read(m->arena, text, strlen(text), &schema, NULL) == 0 &&
		        fx_node_is_map(schema)) {
			at.custom = schema;
			return at;
		}
	}
	return at;
}

static int walk_map(struct merger *m, struct fx_schema_at schema, struct fx_node *dest, struct fx_node *patch,
        int depth, struct fx_node **out)
{
	struct fx_node *base;
	if (dest && patch && dest->kind != FX_NODE_SCALAR && dest->len == 0)
		dest->style = patch->style;
	if (choose_map(m, dest, patch, &base) < 0)
		return -1;
	*out = base;
	if (!fx_node_is_map(base))
		return 0;
	const struct fx_node **keys = NULL;
	size_t n = 0;
	if (union_of_keys(m, base, patch, &keys, &n) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		struct fx_node *d = fx_node_get_len(base, keys[i]->text, keys[i]->len);
		struct fx_pair *pp = fx_node_pair(patch, keys[i]->text, keys[i]->len);
		struct fx_node *p = pp ? pp->value : NULL, *value;
		struct fx_schema_at field =
		        schema_in_comment(m, fx_node_pair(base, keys[i]->text, keys[i]->len));
		if (!fx_schema_known(field))
			field = schema_in_comment(m, pp);
		if (!fx_schema_known(field))
			field = fx_schema_field(m->set, schema, keys[i]->text);
		if (walk(m, field, d, p, depth + 1, &value) < 0)
			return -1;
		if (set_field(m, base, pp ? pp->key : keys[i], value, is_kept_null(d, p)) < 0)
			return -1;
	}
	return 0;
}

/* ---- lists ---- */

struct tuple {
	const char *values[FX_SCHEMA_MAX_KEYS];
};

struct list_merge {
	struct merger *m;
	char key_text[FX_SCHEMA_MAX_KEYS][64];
	const char *keys[FX_SCHEMA_MAX_KEYS];
	int n_keys;
	struct tuple *tuples;
	size_t n_tuples;
};

/* Values to look for: keys[i] must have values[i]; values beyond n_values are not tested. */
struct query {
	const char *keys[FX_SCHEMA_MAX_KEYS];
	const char *values[FX_SCHEMA_MAX_KEYS];
	int n_keys, n_values;
};

static const char *scalar_text(const struct fx_node *n)
{
	return n && n->kind == FX_NODE_SCALAR ? n->text : "";
}

static bool tuples_equal(const struct tuple *a, const struct tuple *b, int n)
{
	for (int i = 0; i < n; i++)
		if (strcmp(a->values[i], b->values[i]) != 0)
			return false;
	return true;
}

static struct tuple tuple_of(const struct list_merge *lm, const struct fx_node *item)
{
	struct tuple t = {{0}};
	for (int k = 0; k < lm->n_keys; k++) {
		if (lm->keys[0][0] == '\0') {
			t.values[k] = scalar_text(item);
			continue;
		}
		const struct fx_node *v = fx_node_get(item, lm->keys[k]);
		t.values[k] = fx_node_is_nil_or_empty(v) ? "" : scalar_text(v);
	}
	return t;
}

static void collect_tuples(struct list_merge *lm, const struct fx_node *list)
{
	for (uint32_t i = 0; list && i < list->len; i++) {
		struct tuple t = tuple_of(lm, list->items[i]);
		bool seen = false;
		for (size_t k = 0; k < lm->n_tuples && !seen; k++)
			seen = tuples_equal(&lm->tuples[k], &t, lm->n_keys);
		if (!seen)
			lm->tuples[lm->n_tuples++] = t;
	}
}

/* Same element when something is equal and the rest differs only by being absent on one side. */
static bool unite(struct tuple *a, const struct tuple *b, int n)
{
	struct tuple u;
	bool common = false;
	for (int i = 0; i < n; i++) {
		if (strcmp(a->values[i], b->values[i]) == 0)
			common = true;
		else if (*a->values[i] && *b->values[i])
			return false;
		u.values[i] = *a->values[i] ? a->values[i] : b->values[i];
	}
	if (common)
		memcpy(a->values, u.values, (size_t)n * sizeof(u.values[0]));
	return common;
}

static void unite_tuples(struct list_merge *lm)
{
	for (size_t i = 0; i < lm->n_tuples; i++) {
		struct tuple first = lm->tuples[i];
		for (size_t j = 0; j < lm->n_tuples; j++) {
			struct tuple united = first;
			if (!unite(&united, &lm->tuples[j], lm->n_keys))
				continue;
			lm->tuples[i] = united;
			lm->tuples[j] = united;
		}
	}
}

/* Keys that some tuple of the set has a value for, or all. */
static struct query query_of(const struct list_merge *lm, const struct tuple *set, size_t n,
        const struct tuple *t, const char *const *keys, int n_keys)
{
	struct query q = {.n_keys = 0};
	bool used[FX_SCHEMA_MAX_KEYS] = {false};
	bool any = false;
	(void)lm;
	for (size_t i = 0; i < n; i++)
		for (int k = 0; k < n_keys; k++)
			if (*set[i].values[k])
				any = used[k] = true;
	for (int k = 0; k < n_keys; k++)
		if (used[k] || !any) {
			q.keys[q.n_keys++] = keys[k];
			q.values[q.n_values++] = t->values[k];
		}
	return q;
}

/* any: no value means any. kyaml's ElementSetter takes it so, its ElementMatcher does not. */
static bool field_matches(const struct fx_node *item, const char *key, const char *value, bool any)
{
	if (*key == '\0')
		return strcmp(scalar_text(item), value) == 0;
	const struct fx_node *v = fx_node_get(item, key);
	return v && ((any && *value == '\0') || strcmp(scalar_text(v), value) == 0);
}

static struct fx_node *find_element(const struct fx_node *list, const struct query *q)
{
	for (uint32_t i = 0; list && i < list->len; i++) {
		struct fx_node *item = list->items[i];
		/* A query has one key at least. NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
		if (*q->keys[0] && item->kind != FX_NODE_MAP)
			continue;
		bool all = true;
		for (int k = 0; k < q->n_keys && all; k++)
			all = field_matches(item, q->keys[k], q->values[k], false);
		if (all)
			return item;
	}
	return NULL;
}

/* kyaml's ElementSetter: replaces the elements that match by element, or removes them when it is NULL. */
static int set_element(struct merger *m, struct fx_node *list, struct fx_node *element, const struct query *q)
{
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
	bool maps = *q->keys[0] && q->n_values > 0 && *q->values[0];
	bool found_any = false;
	uint32_t n = 0;
	for (uint32_t i = 0; i < list->len; i++) {
		struct fx_node *item = list->items[i];
		if (fx_node_is_null(item) || (item->kind == FX_NODE_MAP && item->len == 0))
			continue;
		if (item->kind != FX_NODE_MAP && maps) {
			list->items[n++] = item;
			continue;
		}
		bool found = true, value_seen = false;
		for (int k = 0; k < q->n_keys && found; k++) {
			if (k < q->n_values) {
				if (*q->keys[k] && item->kind != FX_NODE_MAP)
					return wrong_kind(m, FX_NODE_MAP, item);
				if (!*q->keys[k] && item->kind != FX_NODE_SCALAR)
					return wrong_kind(m, FX_NODE_SCALAR, item);
				value_seen = field_matches(item, q->keys[k], q->values[k], true);
			}
			found = value_seen;
		}
		if (!found) {
			if (q->n_values > 0)
				list->items[n++] = item;
			continue;
		}
		found_any = true;
		if (element)
			list->items[n++] = element;
	}
	list->len = n;
	if (element && element->tag != FX_TAG_NULL && !found_any && !fx_node_append(m->arena, list, element))
		return fx_fail_nomem(m->err);
	return 0;
}

/* Puts what dest has behind what the patch brought. */
static int append_rest(
        struct merger *m, struct fx_node *added, const struct fx_node *dest, const struct query *last)
{
	for (uint32_t i = 0; i < dest->len; i++) {
		struct fx_node *item = dest->items[i];
		struct query q = {.n_keys = last->n_keys};
		memcpy(q.keys, last->keys, sizeof(q.keys));
		if (*q.keys[0] == '\0') {
			q.n_values = 1;
			q.values[0] = scalar_text(item);
		}
		for (int k = 0; *q.keys[0] && k < q.n_keys; k++) {
			if (item->kind != FX_NODE_MAP && !fx_node_is_null(item))
				return wrong_kind(m, FX_NODE_MAP, item);
			const struct fx_node *v = fx_node_get(item, q.keys[k]);
			if (!fx_node_is_null(v)) {
				q.values[q.n_values++] = scalar_text(v);
			} else if (!fx_node_append(m->arena, added, item)) {
				return fx_fail_nomem(m->err);
			}
		}
		if (q.n_keys > 1 && set_element(m, added, NULL, &q) < 0)
			return -1;
		if (set_element(m, added, item, &q) < 0)
			return -1;
	}
	return 0;
}

static int merge_tuple(struct list_merge *lm, struct fx_schema_at items, const struct tuple *t,
        struct fx_node *dest, struct fx_node *patch, struct fx_node *added, int depth, struct query *used)
{
	struct merger *m = lm->m;
	*used = query_of(lm, lm->tuples, lm->n_tuples, t, lm->keys, lm->n_keys);
	struct tuple valid = {{0}};
	memcpy(valid.values, used->values, sizeof(valid.values));
	struct query look = query_of(lm, &valid, 1, &valid, used->keys, used->n_keys);
	struct fx_node *value, *d = find_element(dest, &look);
	struct fx_node *p = patch == dest ? d : find_element(patch, &look);
	if (walk(m, items, d, p, depth + 1, &value) < 0)
		return -1;
	if (fx_node_is_null(value) || (value->kind == FX_NODE_MAP && value->len == 0))
		return set_element(m, dest, NULL, used);
	for (int k = 0; k < used->n_keys; k++) {
		if (!*used->keys[k] || !*used->values[k] || fx_node_get(value, used->keys[k]))
			continue;
		if (value->kind != FX_NODE_MAP)
			return wrong_kind(m, FX_NODE_MAP, value);
		struct fx_node *text = fx_node_new_scalar(m->arena, FX_TAG_NONE, used->values[k]);
		if (!fx_node_set(m->arena, value, used->keys[k], text))
			return fx_fail_nomem(m->err);
	}
	return set_element(m, added, value, used);
}

/* Lists of plain distinct keys can be large: above this many elements looking for duplicates would be slow.
 */
#define MAX_MERGE_ELEMENTS 20000

static int walk_merging_list(struct merger *m, struct fx_schema_at schema, struct fx_node *dest,
        struct fx_node *patch, int depth, struct fx_node **out)
{
	enum directive d = D_MERGE;
	struct fx_node *base = dest;
	*out = NULL;
	if (fx_node_is_null(dest)) {
		base = patch;
	} else {
		if (patch && patch->tag == FX_TAG_NULL)
			return 0;
		if (list_directive(m, patch, &d) < 0)
			return -1;
		if (d == D_DELETE)
			return 0;
		if (d == D_REPLACE)
			base = patch;
	}
	if (!base)
		return 0;
	struct list_merge lm = {.m = m};
	fx_schema_merges(schema, lm.key_text, &lm.n_keys);
	for (int i = 0; i < lm.n_keys; i++)
		lm.keys[i] = lm.key_text[i];
	if (lm.n_keys == 0) {
		lm.keys[0] = "";
		lm.n_keys = 1;
	}
	size_t max = (size_t)base->len + (patch ? patch->len : 0);
	if (max > MAX_MERGE_ELEMENTS)
		return fx_fail(
		        m->err, FX_E_LIMIT, "a merged list has more than %d elements", MAX_MERGE_ELEMENTS);
	struct fx_node *added = fx_node_new_seq(m->arena);
	lm.tuples = fx_arena_alloc(m->arena, (max + 1) * sizeof(*lm.tuples));
	if (!added || !lm.tuples)
		return fx_fail_nomem(m->err);
	collect_tuples(&lm, patch);
	collect_tuples(&lm, base);
	if (lm.n_keys > 1)
		unite_tuples(&lm);
	*out = base;
	if (lm.n_tuples == 0)
		return 0;
	struct query last = {0};
	struct fx_schema_at items = fx_schema_items(m->set, schema);
	for (size_t i = 0; i < lm.n_tuples; i++)
		if (merge_tuple(&lm, items, &lm.tuples[i], base, patch, added, depth, &last) < 0)
			return -1;
	if (append_rest(m, added, base, &last) < 0)
		return -1;
	*out = added;
	return 0;
}

/* ---- any node ---- */

static struct fx_schema_at schema_of(struct merger *m, const struct fx_node *n)
{
	const char *api_version = fx_node_is_map(n) ? fx_node_get_text(n, "apiVersion") : NULL;
	const char *kind = api_version ? fx_node_get_text(n, "kind") : NULL;
	if (!kind || !*kind || !*api_version)
		return (struct fx_schema_at){0};
	return fx_schema_kind(m->set, api_version, kind);
}

static int walk(struct merger *m, struct fx_schema_at schema, struct fx_node *dest, struct fx_node *patch,
        int depth, struct fx_node **out)
{
	if (depth > FX_YAML_MAX_DEPTH)
		return fx_fail(m->err, FX_E_LIMIT, "nested deeper than %d levels", FX_YAML_MAX_DEPTH);
	const struct fx_node *first = !fx_node_is_null(dest) ? dest : !fx_node_is_null(patch) ? patch : NULL;
	if (!first)
		return walk_map(m, schema, dest, patch, depth, out);
	if (!fx_node_is_null(dest) && !fx_node_is_null(patch) && dest->kind != patch->kind)
		return wrong_kind(m, dest->kind, patch);
	if (first->kind == FX_NODE_SCALAR) {
		*out = patch ? patch : dest;
		return 0;
	}
	if (!fx_schema_known(schema))
		schema = schema_of(m, dest);
	if (!fx_schema_known(schema))
		schema = schema_of(m, patch);
	if (first->kind == FX_NODE_MAP)
		return walk_map(m, schema, dest, patch, depth, out);
	if (dest && patch && dest->kind == FX_NODE_SEQ && dest->len == 0)
		dest->style = patch->style;
	char keys[FX_SCHEMA_MAX_KEYS][64];
	int n;
	if (fx_schema_merges(schema, keys, &n))
		return walk_merging_list(m, schema, dest, patch, depth, out);
	*out = patch ? patch : dest;
	return 0;
}

int fx_strategic_merge(struct fx_arena *arena, const struct fx_schema_set *schema, struct fx_node *dest,
        struct fx_node *patch, struct fx_node **out, struct fx_error *err)
{
	fx_auto(error) struct fx_error why = FX_ERROR_INIT;
	struct merger m = {.arena = arena, .set = schema, .err = &why};
	struct fx_node *result;
	if (walk(&m, (struct fx_schema_at){0}, dest, patch, 0, &result) < 0) {
		int rc = -(int)why.code;
		if (err)
			fx_error_move(err, &why);
		return rc;
	}
	/* kustomize drops what a `$patch: replace` at the top would put in dest's place. */
	*out = result ? dest : NULL;
	return 0;
}
