/*
 * Scope-bound release through the compiler's cleanup attribute, and the
 * attributes that the whole library uses. Everything here is usable from any thread.
 */
#ifndef FX_CORE_CLEANUP_H
#define FX_CORE_CLEANUP_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define fx_must_use __attribute__((warn_unused_result))
#define fx_printf(fmt, args) __attribute__((format(printf, fmt, args)))
#define fx_unused __attribute__((unused))
#define fx_cleanup(fn) __attribute__((cleanup(fn)))

/* Number of elements of an array (not of a pointer). */
#define FX_COUNT(a) (sizeof(a) / sizeof((a)[0]))

/*
 * fx_auto(kind) declares that a variable is released by fx_auto_kind() at the end of
 * its scope; FX_DEFINE_AUTO(kind, type, free_fn) makes that function for a pointer type.
 */
#define fx_auto(kind) fx_cleanup(fx_auto_##kind)
#define FX_DEFINE_AUTO(kind, type, free_fn)                                                                  \
	static inline void fx_auto_##kind(type **p)                                                          \
	{                                                                                                    \
		if (*p)                                                                                      \
			free_fn(*p);                                                                         \
	}

static inline void fx_auto_free_pointer(void *p)
{
	free(*(void **)p);
}
/* fx_autofree char *s = ...; is given to free(3) at the end of the scope. */
#define fx_autofree fx_cleanup(fx_auto_free_pointer)

static inline void fx_auto_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void fx_auto_file(FILE **f)
{
	if (*f)
		fclose(*f);
}

/* Moves a pointer out of a scope-bound variable: the scope no longer frees it. */
#define fx_take(p)                                                                                           \
	({                                                                                                   \
		__typeof__(p) fx_taken_ = (p);                                                               \
		(p) = NULL;                                                                                  \
		fx_taken_;                                                                                   \
	})

/* The same for a file descriptor. */
static inline int fx_take_fd(int *fd)
{
	int taken = *fd;
	*fd = -1;
	return taken;
}

#endif
