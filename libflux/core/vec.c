#include "core/vec.h"

#include <stdint.h>
#include <string.h>

#define CAP_FIRST 8

bool fx_vec_grow(void *items_pointer, size_t *cap, size_t len, size_t size)
{
	if (len < *cap)
		return true;
	size_t bigger = *cap ? *cap * 2 : CAP_FIRST;
	if (bigger > SIZE_MAX / 2 / size)
		return false;
	/* The caller's pointer has its own type: read and write it as bytes. */
	void *items;
	memcpy(&items, items_pointer, sizeof(items));
	items = realloc(items, bigger * size);
	if (!items)
		return false;
	memcpy(items_pointer, &items, sizeof(items));
	*cap = bigger;
	return true;
}
