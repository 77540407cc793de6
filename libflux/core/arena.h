/*
 * Bump allocator for everything that belongs to one reconcile, build or render:
 * nothing is freed one by one, all goes at once. Not thread safe: one arena, one thread
 * at a time. Memory is aligned for any type and not zeroed unless the name says so.
 */
#ifndef FX_CORE_ARENA_H
#define FX_CORE_ARENA_H

#include "core/cleanup.h"

#include <stdarg.h>
#include <stddef.h>

struct fx_arena;

/* Makes an arena that hands out at most limit_bytes in all (0: no limit).
 * Returns NULL without memory. Owned by the caller: fx_arena_free(). */
struct fx_arena *fx_arena_new(size_t limit_bytes);
void fx_arena_free(struct fx_arena *arena);
FX_DEFINE_AUTO(arena, struct fx_arena, fx_arena_free)

/* Gives everything back but keeps the first chunk for reuse. */
void fx_arena_reset(struct fx_arena *arena);

/* size bytes, or NULL when the limit is reached or memory is out. size 0 gives a valid pointer. */
void *fx_arena_alloc(struct fx_arena *arena, size_t size) fx_must_use;
void *fx_arena_zalloc(struct fx_arena *arena, size_t size) fx_must_use;

/* Grows a block: in place when it is the newest one, else by a copy. old may be NULL. */
void *fx_arena_realloc(struct fx_arena *arena, void *old, size_t old_size, size_t new_size) fx_must_use;

/* Copies; the result is NUL-terminated. NULL without memory. */
char *fx_arena_strdup(struct fx_arena *arena, const char *s) fx_must_use;
char *fx_arena_strndup(struct fx_arena *arena, const char *s, size_t len) fx_must_use;
char *fx_arena_printf(struct fx_arena *arena, const char *fmt, ...) fx_printf(2, 3) fx_must_use;
char *fx_arena_vprintf(struct fx_arena *arena, const char *fmt, va_list ap) fx_must_use;

/* Bytes handed out since it was made or reset. */
size_t fx_arena_used(const struct fx_arena *arena);

#define fx_arena_new_of(arena, type) ((type *)fx_arena_zalloc((arena), sizeof(type)))

#endif
