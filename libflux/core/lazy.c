#include "core/lazy.h"

#include <dlfcn.h>

/* What the dynamic linker ends a program with. */
#define STATUS_NOT_LOADED 127

static void *loaded(void *found)
{
	if (!found) {
		fprintf(stderr, "error while loading shared libraries: %s\n", dlerror());
		_exit(STATUS_NOT_LOADED);
	}
	return found;
}

void fx_lazy_load(const char *soname, const char *const *names, void **functions, size_t n)
{
	void *library = loaded(dlopen(soname, RTLD_NOW | RTLD_LOCAL));
	for (size_t i = 0; i < n; i++)
		functions[i] = loaded(dlsym(library, names[i]));
}
