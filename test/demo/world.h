/*
 * The demo's world: an API server, a Git server, the two controllers, and an image of the
 * objects in the demo's namespace by which it sees what happens. Main thread only.
 */
#ifndef FX_DEMO_WORLD_H
#define FX_DEMO_WORLD_H

#include "kube/client.h"
#include "kube/reflector.h"
#include "test/harness/apiserver.h"
#include "test/harness/gitserver.h"

#include <pthread.h>

#define DEMO_NAMESPACE "flux-demo"

enum demo_kind { DEMO_GITREPOSITORY, DEMO_KUSTOMIZATION, DEMO_CONFIGMAP, DEMO_DEPLOYMENT, DEMO_KINDS };

struct demo_world {
	bool real; /* the cluster of KUBECONFIG */
	char *dir; /* logs and storage; removed at the end unless something went wrong */
	struct fx_test_apiserver api;
	struct fx_test_git git;
	struct fx_test_process source, kustomize;
	struct fx_loop *loop;
	struct fx_http_client *http;
	struct fx_kube *kube;
	struct fx_reflector *images[DEMO_KINDS];
	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint64_t changes;
};

int demo_world_start(struct demo_world *world, struct fx_error *err) fx_must_use;
/* keep_logs: leave the folder and say where it is. Accepts a zeroed one. */
void demo_world_stop(struct demo_world *world, bool keep_logs);

/* The object as last seen (new reference), or NULL. */
json_t *demo_get(struct demo_world *world, enum demo_kind kind, const char *name);

/* Waits until check(arg) is true, looking again after each change; FX_E_TIMEOUT after 30 s with what was
 * waited for. *out_ms: how long it took. */
int demo_wait(struct demo_world *world, bool (*check)(struct demo_world *world, const void *arg),
        const void *arg, const char *what, int64_t *out_ms, struct fx_error *err) fx_must_use;

/* Server-side apply of a manifest (JSON text). */
int demo_apply(struct demo_world *world, enum demo_kind kind, const char *name, const char *json,
        struct fx_error *err) fx_must_use;
/* Merge patch. */
int demo_patch(struct demo_world *world, enum demo_kind kind, const char *name, const char *json,
        struct fx_error *err) fx_must_use;
int demo_delete(
        struct demo_world *world, enum demo_kind kind, const char *name, struct fx_error *err) fx_must_use;

#endif
