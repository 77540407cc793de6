/*
 * Typed growing array: FX_VEC(struct item) items = {0}; fx_vec_push(&items, value).
 * Elements are owned by the vector's user; fx_vec_release() frees only the array.
 */
#ifndef FX_CORE_VEC_H
#define FX_CORE_VEC_H

#include "core/cleanup.h"

#include <stdbool.h>
#include <stddef.h>

#define FX_VEC(type)                                                                                         \
	struct {                                                                                             \
		type *items;                                                                                 \
		size_t len;                                                                                  \
		size_t cap;                                                                                  \
	}

/* Makes room for one more element of size bytes. False without memory. */
bool fx_vec_grow(void *items_pointer, size_t *cap, size_t len, size_t size);

/* Appends value; true when it could. */
#define fx_vec_push(v, value)                                                                                \
	(fx_vec_grow(&(v)->items, &(v)->cap, (v)->len, sizeof(*(v)->items))                                  \
	                ? ((v)->items[(v)->len++] = (value), true)                                           \
	                : false)

#define fx_vec_release(v)                                                                                    \
	do {                                                                                                 \
		free((v)->items);                                                                            \
		(v)->items = NULL;                                                                           \
		(v)->len = (v)->cap = 0;                                                                     \
	} while (0)

/* fx_vec_foreach(struct item, it, &items) { it is a pointer to each element } */
#define fx_vec_foreach(type, it, v) for (type *it = (v)->items; it < (v)->items + (v)->len; it++)

#endif
