/*
 * The whole of one server. One lock guards everything that is below it; handlers, watch timers and the
 * controller thread take it for each step.
 */
#ifndef FX_TEST_APISERVER_STATE_H
#define FX_TEST_APISERVER_STATE_H

#include "core/map.h"
#include "core/vec.h"
#include "kinds.h"
#include "store.h"

#include <pthread.h>
#include <stdbool.h>

struct fx_as_watch;
struct fx_as_fault;
struct fx_as_controllers;

struct fx_as_deny {
	char *user, *verb, *resource; /* "*" matches all */
};

struct fx_as {
	pthread_mutex_t lock;
	struct fx_as_registry kinds;
	struct fx_as_store store;
	unsigned counter; /* of cluster addresses and ports */
	struct fx_as_watch *watches;
	struct fx_as_fault *faults;
	int64_t discovery_lag_ms; /* how long discovery does not show a new definition */
	struct fx_as_controllers *controllers;
	struct fx_map tokens; /* token to user name */
	FX_VEC(struct fx_as_deny) denied;
	json_t *counts; /* "user verb resource" to a number */
	json_t *faults_fired;
	int port;
	char *ca; /* PEM; NULL: plain HTTP */
};

static inline void fx_as_lock(struct fx_as *as)
{
	pthread_mutex_lock(&as->lock);
}

static inline void fx_as_unlock(struct fx_as *as)
{
	pthread_mutex_unlock(&as->lock);
}

#endif
