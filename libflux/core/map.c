#include "core/map.h"

#include <pthread.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define CAP_FIRST 16

static uint64_t seed[2];
static pthread_once_t seed_once = PTHREAD_ONCE_INIT;

static void make_seed(void)
{
	if (getrandom(seed, sizeof(seed), GRND_NONBLOCK) == (ssize_t)sizeof(seed))
		return;
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	seed[0] = (uint64_t)ts.tv_nsec;
	seed[1] = (uint64_t)getpid();
}

static inline uint64_t rotl(uint64_t x, int b)
{
	return (x << b) | (x >> (64 - b));
}

static inline void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

uint64_t fx_hash(const void *data, size_t len)
{
	pthread_once(&seed_once, make_seed);
	const unsigned char *p = data;
	uint64_t v[4] = {seed[0] ^ 0x736f6d6570736575ULL, seed[1] ^ 0x646f72616e646f6dULL,
	        seed[0] ^ 0x6c7967656e657261ULL, seed[1] ^ 0x7465646279746573ULL};
	uint64_t last = (uint64_t)len << 56;
	for (; len >= 8; len -= 8, p += 8) {
		uint64_t m;
		memcpy(&m, p, 8);
		v[3] ^= m;
		sip_round(v);
		v[0] ^= m;
	}
	for (size_t i = 0; i < len; i++)
		last |= (uint64_t)p[i] << (8 * i);
	v[3] ^= last;
	sip_round(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void fx_map_release(struct fx_map *map)
{
	if (!map)
		return;
	for (size_t i = 0; i < map->cap; i++) {
		if (!map->slots[i].key)
			continue;
		free(map->slots[i].key);
		if (map->free_value)
			map->free_value(map->slots[i].value);
	}
	free(map->slots);
	*map = (struct fx_map){.free_value = map->free_value};
}

/* The slot of key, or the empty slot where it would go. */
static struct fx_map_slot *find(const struct fx_map *map, const char *key, uint64_t hash)
{
	size_t mask = map->cap - 1;
	for (size_t i = hash & mask;; i = (i + 1) & mask) {
		struct fx_map_slot *s = &map->slots[i];
		if (!s->key || (s->hash == hash && strcmp(s->key, key) == 0))
			return s;
	}
}

static struct fx_map_slot *lookup(const struct fx_map *map, const char *key)
{
	if (map->len == 0)
		return NULL;
	struct fx_map_slot *s = find(map, key, fx_hash(key, strlen(key)));
	return s->key ? s : NULL;
}

void *fx_map_get(const struct fx_map *map, const char *key)
{
	struct fx_map_slot *s = lookup(map, key);
	return s ? s->value : NULL;
}

bool fx_map_has(const struct fx_map *map, const char *key)
{
	return lookup(map, key) != NULL;
}

static bool grow(struct fx_map *map)
{
	size_t cap = map->cap ? map->cap * 2 : CAP_FIRST;
	struct fx_map_slot *slots = calloc(cap, sizeof(*slots));
	if (!slots)
		return false;
	struct fx_map bigger = {.slots = slots, .cap = cap};
	for (size_t i = 0; i < map->cap; i++) {
		if (map->slots[i].key)
			*find(&bigger, map->slots[i].key, map->slots[i].hash) = map->slots[i];
	}
	free(map->slots);
	map->slots = slots;
	map->cap = cap;
	return true;
}

bool fx_map_set(struct fx_map *map, const char *key, void *value)
{
	if ((map->len + 1) * 4 > map->cap * 3 && !grow(map))
		return false;
	uint64_t hash = fx_hash(key, strlen(key));
	struct fx_map_slot *s = find(map, key, hash);
	if (s->key) {
		if (map->free_value && s->value != value)
			map->free_value(s->value);
		s->value = value;
		return true;
	}
	char *copy = strdup(key);
	if (!copy)
		return false;
	*s = (struct fx_map_slot){.key = copy, .hash = hash, .value = value};
	map->len++;
	return true;
}

/* Empties a slot and moves later entries of its probe run up, so that no lookup breaks. */
static void close_gap(struct fx_map *map, size_t gap)
{
	size_t mask = map->cap - 1;
	for (size_t i = (gap + 1) & mask; map->slots[i].key; i = (i + 1) & mask) {
		size_t home = map->slots[i].hash & mask;
		if (((i - home) & mask) < ((i - gap) & mask))
			continue;
		map->slots[gap] = map->slots[i];
		gap = i;
	}
	map->slots[gap] = (struct fx_map_slot){0};
}

static bool remove_slot(struct fx_map *map, const char *key, void **out_value)
{
	struct fx_map_slot *s = lookup(map, key);
	if (!s)
		return false;
	*out_value = s->value;
	free(s->key);
	close_gap(map, (size_t)(s - map->slots));
	map->len--;
	return true;
}

bool fx_map_del(struct fx_map *map, const char *key)
{
	void *value = NULL;
	if (!remove_slot(map, key, &value))
		return false;
	if (map->free_value)
		map->free_value(value);
	return true;
}

void *fx_map_take(struct fx_map *map, const char *key)
{
	void *value = NULL;
	return remove_slot(map, key, &value) ? value : NULL;
}

struct fx_map_slot *fx_map_next(const struct fx_map *map, struct fx_map_slot *after)
{
	size_t i = after ? (size_t)(after - map->slots) + 1 : 0;
	for (; i < map->cap; i++) {
		if (map->slots[i].key)
			return &map->slots[i];
	}
	return NULL;
}
