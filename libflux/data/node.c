#include "data/node.h"

#include "data/scalar.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

static struct fx_node *new_node(struct fx_arena *arena, enum fx_node_kind kind, enum fx_tag tag)
{
	struct fx_node *n = fx_arena_alloc(arena, sizeof(*n));
	if (n)
		*n = (struct fx_node){.kind = (uint8_t)kind, .tag = (uint8_t)tag};
	return n;
}

struct fx_node *fx_node_new_map(struct fx_arena *arena)
{
	return new_node(arena, FX_NODE_MAP, FX_TAG_MAP);
}

struct fx_node *fx_node_new_seq(struct fx_arena *arena)
{
	return new_node(arena, FX_NODE_SEQ, FX_TAG_SEQ);
}

struct fx_node *fx_node_new_scalar_len(struct fx_arena *arena, enum fx_tag tag, const char *text, size_t len)
{
	if (len > UINT32_MAX)
		return NULL;
	struct fx_node *n = new_node(arena, FX_NODE_SCALAR, tag);
	if (n) {
		n->text = text;
		n->len = (uint32_t)len;
	}
	return n;
}

struct fx_node *fx_node_new_scalar(struct fx_arena *arena, enum fx_tag tag, const char *text)
{
	return fx_node_new_scalar_len(arena, tag, text, strlen(text));
}

struct fx_node *fx_node_new_str(struct fx_arena *arena, const char *text)
{
	char *copy = fx_arena_strdup(arena, text);
	return copy ? fx_node_new_scalar(arena, FX_TAG_STR, copy) : NULL;
}

struct fx_node *fx_node_new_int(struct fx_arena *arena, int64_t value)
{
	char *text = fx_arena_printf(arena, "%" PRId64, value);
	return text ? fx_node_new_scalar(arena, FX_TAG_INT, text) : NULL;
}

struct fx_node *fx_node_new_bool(struct fx_arena *arena, bool value)
{
	return fx_node_new_scalar(arena, FX_TAG_BOOL, value ? "true" : "false");
}

struct fx_node *fx_node_new_null(struct fx_arena *arena)
{
	return fx_node_new_scalar(arena, FX_TAG_NULL, "null");
}

static size_t element_size(const struct fx_node *n)
{
	return n->kind == FX_NODE_MAP ? sizeof(struct fx_pair) : sizeof(struct fx_node *);
}

struct fx_node *fx_node_copy(struct fx_arena *arena, const struct fx_node *node)
{
	if (!node)
		return NULL;
	struct fx_node *n = fx_arena_alloc(arena, sizeof(*n));
	if (!n)
		return NULL;
	*n = *node;
	if (n->kind == FX_NODE_SCALAR)
		return n;
	n->cap = n->len;
	n->items = NULL;
	if (n->len == 0)
		return n;
	void *elements = fx_arena_alloc(arena, element_size(n) * n->len);
	if (!elements)
		return NULL;
	if (n->kind == FX_NODE_SEQ) {
		n->items = elements;
		for (uint32_t i = 0; i < n->len; i++) {
			if (!(n->items[i] = fx_node_copy(arena, node->items[i])))
				return NULL;
		}
		return n;
	}
	n->pairs = elements;
	for (uint32_t i = 0; i < n->len; i++) {
		n->pairs[i].key = fx_node_copy(arena, node->pairs[i].key);
		n->pairs[i].value = fx_node_copy(arena, node->pairs[i].value);
		if (!n->pairs[i].key || !n->pairs[i].value)
			return NULL;
	}
	return n;
}

struct fx_pair *fx_node_pair(const struct fx_node *node, const char *key, size_t len)
{
	if (!fx_node_is_map(node))
		return NULL;
	for (uint32_t i = 0; i < node->len; i++) {
		const struct fx_node *k = node->pairs[i].key;
		if (k->kind == FX_NODE_SCALAR && k->len == len && memcmp(k->text, key, len) == 0)
			return &node->pairs[i];
	}
	return NULL;
}

struct fx_node *fx_node_get_len(const struct fx_node *node, const char *key, size_t len)
{
	struct fx_pair *p = fx_node_pair(node, key, len);
	return p ? p->value : NULL;
}

struct fx_node *fx_node_get(const struct fx_node *node, const char *key)
{
	return fx_node_get_len(node, key, strlen(key));
}

struct fx_node *fx_node_at(const struct fx_node *node, ...)
{
	va_list ap;
	va_start(ap, node);
	const struct fx_node *n = node;
	for (const char *key; n && (key = va_arg(ap, const char *));)
		n = fx_node_get(n, key);
	va_end(ap);
	return (struct fx_node *)n;
}

const char *fx_node_get_text(const struct fx_node *node, const char *key)
{
	const struct fx_node *v = fx_node_get(node, key);
	return fx_node_is_scalar(v) && v->tag != FX_TAG_NULL ? v->text : NULL;
}

/* Doubles the room when it is full. */
static bool grow(struct fx_arena *arena, struct fx_node *n)
{
	if (n->len < n->cap)
		return true;
	if (n->cap >= UINT32_MAX / 2)
		return false;
	uint32_t cap = n->cap ? n->cap * 2 : 4;
	void *p = fx_arena_realloc(arena, n->items, element_size(n) * n->cap, element_size(n) * cap);
	if (!p)
		return false;
	n->items = p;
	n->cap = cap;
	return true;
}

bool fx_node_add_pair(struct fx_arena *arena, struct fx_node *map, struct fx_node *key, struct fx_node *value)
{
	if (!key || !value || !grow(arena, map))
		return false;
	map->pairs[map->len++] = (struct fx_pair){key, value};
	return true;
}

bool fx_node_set(struct fx_arena *arena, struct fx_node *map, const char *key, struct fx_node *value)
{
	if (!value)
		return false;
	struct fx_pair *p = fx_node_pair(map, key, strlen(key));
	if (p) {
		p->value = value;
		return true;
	}
	struct fx_node *k = fx_node_new_str(arena, key);
	if (k)
		k->tag = FX_TAG_NONE;
	return fx_node_add_pair(arena, map, k, value);
}

void fx_node_unset_at(struct fx_node *map, size_t index)
{
	map->len--;
	memmove(map->pairs + index, map->pairs + index + 1, (map->len - index) * sizeof(*map->pairs));
}

struct fx_node *fx_node_unset(struct fx_node *map, const char *key)
{
	struct fx_pair *p = fx_node_pair(map, key, strlen(key));
	if (!p)
		return NULL;
	struct fx_node *value = p->value;
	fx_node_unset_at(map, (size_t)(p - map->pairs));
	return value;
}

bool fx_node_insert(struct fx_arena *arena, struct fx_node *seq, size_t index, struct fx_node *item)
{
	if (!item || !grow(arena, seq))
		return false;
	memmove(seq->items + index + 1, seq->items + index, (seq->len - index) * sizeof(*seq->items));
	seq->items[index] = item;
	seq->len++;
	return true;
}

bool fx_node_append(struct fx_arena *arena, struct fx_node *seq, struct fx_node *item)
{
	return fx_node_insert(arena, seq, seq->len, item);
}

void fx_node_remove_at(struct fx_node *seq, size_t index)
{
	seq->len--;
	memmove(seq->items + index, seq->items + index + 1, (seq->len - index) * sizeof(*seq->items));
}

void fx_node_set_text(struct fx_node *scalar, enum fx_tag tag, const char *text, size_t len)
{
	scalar->tag = (uint8_t)tag;
	scalar->text = text;
	scalar->len = (uint32_t)len;
}

static enum fx_tag tag_of(const struct fx_node *n)
{
	if (n->tag != FX_TAG_NONE || n->kind != FX_NODE_SCALAR)
		return n->tag;
	return n->style == FX_STYLE_PLAIN ? fx_scalar_tag(FX_YAML_V3, n->text, n->len) : FX_TAG_STR;
}

static bool maps_equal(const struct fx_node *a, const struct fx_node *b)
{
	for (uint32_t i = 0; i < a->len; i++) {
		const struct fx_node *key = a->pairs[i].key;
		if (key->kind != FX_NODE_SCALAR)
			return false;
		const struct fx_node *other = fx_node_get_len(b, key->text, key->len);
		if (!other || !fx_node_equal(a->pairs[i].value, other))
			return false;
	}
	return true;
}

bool fx_node_equal(const struct fx_node *a, const struct fx_node *b)
{
	if (a == b)
		return true;
	if (!a || !b || a->kind != b->kind || a->len != b->len)
		return false;
	if (a->kind == FX_NODE_SCALAR)
		return memcmp(a->text, b->text, a->len) == 0 && tag_of(a) == tag_of(b);
	if (a->kind == FX_NODE_MAP)
		return maps_equal(a, b);
	for (uint32_t i = 0; i < a->len; i++) {
		if (!fx_node_equal(a->items[i], b->items[i]))
			return false;
	}
	return true;
}
