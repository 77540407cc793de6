/*
 * Garbage collection by owner references, foreground and orphan deletion, and the end of namespaces and
 * definitions. Called with the lock held.
 */
#ifndef FX_TEST_APISERVER_GC_H
#define FX_TEST_APISERVER_GC_H

#include "state.h"

/* The owner with this uid is gone: its dependents go, unless they have another owner. */
void fx_as_gc_owner_gone(struct fx_as *as, const char *uid);

/* Goes on with an object that is being deleted or was made with owners that may not exist. */
void fx_as_gc_look_at(struct fx_as *as, struct fx_as_resource *resource, const json_t *object);

#endif
