#include "source-controller/git/scratch.h"

#include <git2/sys/alloc.h>
#include <stdlib.h>
#include <string.h>

/* A file that may be read whole, and what libgit2 puts around it. */
#define ALLOCATION_MAX (FX_GIT_BLOB_MAX + 64 * 1024)

/*
 * A pack of a few hundred kilobytes can hold a delta that makes gigabytes, and libgit2 has no limit for what
 * it unpacks while it indexes: a block larger than any file that is read anyway is refused here, which it
 * reports as an error of that pack.
 */
static void *checked(void *block)
{
	if (!block)
		git_error_set_oom();
	return block;
}

static void *bounded_malloc(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return checked(size > ALLOCATION_MAX ? NULL : malloc(size ? size : 1));
}

static void *bounded_realloc(void *old, size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return checked(size > ALLOCATION_MAX ? NULL : realloc(old, size ? size : 1));
}

/* The first versions ask for more functions than these three. */
#if LIBGIT2_VER_MAJOR == 1 && LIBGIT2_VER_MINOR < 6
static void *bounded_calloc(size_t count, size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return checked(
	        size && count > ALLOCATION_MAX / size ? NULL : calloc(count ? count : 1, size ? size : 1));
}

static void *bounded_mallocarray(size_t count, size_t size, const char *file, int line)
{
	return size && count > ALLOCATION_MAX / size ? checked(NULL)
	                                             : bounded_malloc(count * size, file, line);
}

static void *bounded_reallocarray(void *old, size_t count, size_t size, const char *file, int line)
{
	return size && count > ALLOCATION_MAX / size ? checked(NULL)
	                                             : bounded_realloc(old, count * size, file, line);
}

static char *copy(const char *text, size_t len, const char *file, int line)
{
	char *out = bounded_malloc(len + 1, file, line);
	if (out) {
		memcpy(out, text, len);
		out[len] = '\0';
	}
	return out;
}

static char *copy_text(const char *text, const char *file, int line)
{
	return copy(text, strlen(text), file, line);
}

static char *copy_start(const char *text, size_t max, const char *file, int line)
{
	return copy(text, strnlen(text, max), file, line);
}
#endif

void fx_git_bound_memory(void)
{
	static git_allocator allocator = {
		.gmalloc = bounded_malloc,
		.grealloc = bounded_realloc,
		.gfree = free,
#if LIBGIT2_VER_MAJOR == 1 && LIBGIT2_VER_MINOR < 6
		.gcalloc = bounded_calloc,
		.gmallocarray = bounded_mallocarray,
		.greallocarray = bounded_reallocarray,
		.gstrdup = copy_text,
		.gstrndup = copy_start,
		.gsubstrdup = copy,
#endif
	};
	git_libgit2_opts(GIT_OPT_SET_ALLOCATOR, &allocator);
}
