/*
 * Shared libraries that are loaded at their first use. A controller's engine command (`kustomize-controller
 * build`) has no need of libcurl and libmicrohttpd, and the thirty libraries that these bring take longer
 * to load than a build. Any thread.
 *
 * One header a library lists the functions in an X-macro, from which FX_LAZY_TABLE makes a struct of function
 * pointers with the types of the library's own header; one source makes the table with FX_LAZY_DEFINE.
 */
#ifndef FX_CORE_LAZY_H
#define FX_CORE_LAZY_H

#include "core/cleanup.h"

#include <pthread.h>
#include <stddef.h>

/*
 * Loads the library soname (never unloaded) and looks names up in it, into functions. A library or function
 * that is missing is a broken installation: as the dynamic linker does, it writes which and ends the process
 * with status 127.
 */
void fx_lazy_load(const char *soname, const char *const *names, void **functions, size_t n);

/* struct TABLE { pointers }, and TABLE(): the loaded table. FUNCTIONS(X) is X(PREFIX, name) for each. */
#define FX_LAZY_MEMBER(prefix, name) __typeof__(prefix##name) *name;
#define FX_LAZY_NAME(prefix, name) #prefix #name,
#define FX_LAZY_TABLE(table, FUNCTIONS)                                                                      \
	struct table {                                                                                       \
		FUNCTIONS(FX_LAZY_MEMBER)                                                                    \
	};                                                                                                   \
	const struct table *table(void)

#define FX_LAZY_DEFINE(table, soname, FUNCTIONS)                                                             \
	static union {                                                                                       \
		struct table typed;                                                                          \
		void *functions[sizeof(struct table) / sizeof(void *)];                                      \
	} table##_functions;                                                                                 \
	static void table##_load(void)                                                                       \
	{                                                                                                    \
		static const char *const names[] = {FUNCTIONS(FX_LAZY_NAME)};                                \
		fx_lazy_load(soname, names, table##_functions.functions, FX_COUNT(names));                   \
	}                                                                                                    \
	const struct table *table(void)                                                                      \
	{                                                                                                    \
		static pthread_once_t once = PTHREAD_ONCE_INIT;                                              \
		pthread_once(&once, table##_load);                                                           \
		return &table##_functions.typed;                                                             \
	}

#endif
