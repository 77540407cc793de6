/*
 * Allocations that fail on demand: the one source of a test program that includes this replaces the allocator
 * of its process. While counting is set, allocation number fail_at is refused and live counts the blocks that
 * are held. Sanitizers have their own allocator: SANITIZED tells tests to leave theirs alone.
 */
#ifndef FX_TEST_UNIT_FAIL_ALLOC_H
#define FX_TEST_UNIT_FAIL_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif

static volatile long allocations, fail_at, live;
static volatile bool counting;

#ifndef SANITIZED
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void __libc_free(void *p);
void *malloc(size_t size);
void *calloc(size_t n, size_t size);
void *realloc(void *p, size_t size);
void free(void *p);

static bool refuse(void)
{
	return counting && ++allocations == fail_at;
}

void *malloc(size_t size)
{
	void *p = refuse() ? NULL : __libc_malloc(size);
	live += counting && p;
	return p;
}

void *calloc(size_t n, size_t size)
{
	void *p = refuse() ? NULL : __libc_calloc(n, size);
	live += counting && p;
	return p;
}

void *realloc(void *old, size_t size)
{
	void *p = refuse() ? NULL : __libc_realloc(old, size);
	live += counting && p && !old;
	return p;
}

void free(void *p)
{
	live -= counting && p;
	__libc_free(p);
}
#endif

#endif
