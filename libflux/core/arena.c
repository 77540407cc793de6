#include "core/arena.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A small first chunk keeps small work small; later chunks double up to the maximum. */
#define CHUNK_FIRST (16 * 1024)
#define CHUNK_MAX (1024 * 1024)
#define ALIGNMENT alignof(max_align_t)

struct chunk {
	struct chunk *next; /* older chunk */
	size_t size;
	size_t used;
	alignas(max_align_t) char data[];
};

struct fx_arena {
	struct chunk *current;
	size_t limit;
	size_t total;
	size_t next_size;
};

struct fx_arena *fx_arena_new(size_t limit_bytes)
{
	struct fx_arena *arena = calloc(1, sizeof(*arena));
	if (!arena)
		return NULL;
	arena->limit = limit_bytes ? limit_bytes : SIZE_MAX;
	arena->next_size = CHUNK_FIRST;
	return arena;
}

static void free_chunks(struct chunk *c)
{
	while (c) {
		struct chunk *next = c->next;
		free(c);
		c = next;
	}
}

void fx_arena_free(struct fx_arena *arena)
{
	if (!arena)
		return;
	free_chunks(arena->current);
	free(arena);
}

void fx_arena_reset(struct fx_arena *arena)
{
	struct chunk *c = arena->current;
	if (!c)
		return;
	while (c->next) {
		struct chunk *older = c->next;
		free(c);
		c = older;
	}
	c->used = 0;
	arena->current = c;
	arena->total = 0;
	arena->next_size = CHUNK_FIRST * 2;
}

static bool add_chunk(struct fx_arena *arena, size_t need)
{
	size_t size = arena->next_size > need ? arena->next_size : need;
	struct chunk *c = malloc(sizeof(*c) + size);
	if (!c)
		return false;
	*c = (struct chunk){.next = arena->current, .size = size};
	arena->current = c;
	if (arena->next_size < CHUNK_MAX)
		arena->next_size *= 2;
	return true;
}

void *fx_arena_alloc(struct fx_arena *arena, size_t size)
{
	if (size > SIZE_MAX / 2)
		return NULL;
	size_t rounded = (size + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
	if (rounded == 0)
		rounded = ALIGNMENT;
	if (rounded > arena->limit - arena->total)
		return NULL;
	if (!arena->current || arena->current->size - arena->current->used < rounded) {
		if (!add_chunk(arena, rounded))
			return NULL;
	}
	void *p = arena->current->data + arena->current->used;
	arena->current->used += rounded;
	arena->total += rounded;
	return p;
}

void *fx_arena_zalloc(struct fx_arena *arena, size_t size)
{
	void *p = fx_arena_alloc(arena, size);
	if (p)
		memset(p, 0, size);
	return p;
}

void *fx_arena_realloc(struct fx_arena *arena, void *old, size_t old_size, size_t new_size)
{
	if (!old)
		return fx_arena_alloc(arena, new_size);
	if (new_size <= old_size)
		return old;
	size_t old_rounded = (old_size + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
	struct chunk *c = arena->current;
	if (old_rounded && (char *)old + old_rounded == c->data + c->used && new_size < SIZE_MAX / 2) {
		size_t more = ((new_size + ALIGNMENT - 1) & ~(ALIGNMENT - 1)) - old_rounded;
		if (more <= c->size - c->used && more <= arena->limit - arena->total) {
			c->used += more;
			arena->total += more;
			return old;
		}
	}
	void *p = fx_arena_alloc(arena, new_size);
	if (p)
		memcpy(p, old, old_size);
	return p;
}

char *fx_arena_strndup(struct fx_arena *arena, const char *s, size_t len)
{
	char *copy = fx_arena_alloc(arena, len + 1);
	if (!copy)
		return NULL;
	if (len)
		memcpy(copy, s, len);
	copy[len] = '\0';
	return copy;
}

char *fx_arena_strdup(struct fx_arena *arena, const char *s)
{
	return fx_arena_strndup(arena, s, strlen(s));
}

char *fx_arena_vprintf(struct fx_arena *arena, const char *fmt, va_list ap)
{
	va_list again;
	va_copy(again, ap);
	int len = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (len < 0)
		return NULL;
	char *out = fx_arena_alloc(arena, (size_t)len + 1);
	if (out)
		vsnprintf(out, (size_t)len + 1, fmt, ap);
	return out;
}

char *fx_arena_printf(struct fx_arena *arena, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *out = fx_arena_vprintf(arena, fmt, ap);
	va_end(ap);
	return out;
}

size_t fx_arena_used(const struct fx_arena *arena)
{
	return arena->total;
}
