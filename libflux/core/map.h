/*
 * Hash map from strings to pointers. Keys are copied, values are borrowed unless a
 * free function is given at init. Hashing is keyed by a random seed of the process, so
 * that chosen keys cannot make it slow; the order of iteration is therefore arbitrary:
 * sort before anything visible. Not thread safe.
 */
#ifndef FX_CORE_MAP_H
#define FX_CORE_MAP_H

#include "core/cleanup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fx_map_slot {
	char *key; /* NULL: empty */
	uint64_t hash;
	void *value;
};

struct fx_map {
	struct fx_map_slot *slots;
	size_t cap; /* 0 or a power of two */
	size_t len;
	void (*free_value)(void *);
};

#define FX_MAP_INIT                                                                                          \
	{                                                                                                    \
		0                                                                                            \
	}
#define FX_MAP_INIT_FREE(fn)                                                                                 \
	{                                                                                                    \
		.free_value = (fn)                                                                           \
	}

void fx_map_release(struct fx_map *map);
static inline void fx_auto_map(struct fx_map *map)
{
	fx_map_release(map);
}

/* The value, or NULL when there is none. */
void *fx_map_get(const struct fx_map *map, const char *key);
bool fx_map_has(const struct fx_map *map, const char *key);

/* Sets; an old value is freed with free_value. False without memory (value stays the caller's). */
bool fx_map_set(struct fx_map *map, const char *key, void *value) fx_must_use;

/* Removes and frees the value; true when there was one. */
bool fx_map_del(struct fx_map *map, const char *key);

/* Removes and hands out the value without freeing it; NULL when there is none. */
void *fx_map_take(struct fx_map *map, const char *key);

/* for (struct fx_map_slot *s = NULL; (s = fx_map_next(&map, s));) visits every entry.
 * The map must not be changed on the way. */
struct fx_map_slot *fx_map_next(const struct fx_map *map, struct fx_map_slot *after);

/* Keyed 64-bit hash of bytes (SipHash-1-3 with the seed of the process). */
uint64_t fx_hash(const void *data, size_t len);

#endif
