/*
 * Everything that one integration test program needs, in one call: an API server (FX_TEST_API: `embedded`,
 * the default, or `real`), a Git server, and the controllers as processes of their own, with service accounts
 * of manifests/ and never as admin; and ways to look at what they do by watching, without sleeps.
 *
 * Each call blocks; one thread at a time, and that the main one: started programs end with the thread that
 * started them, and client threads do not outlive a fork. Check's tests run with CK_NOFORK, see
 * test/integration/env_main.h.
 */
#ifndef FX_TEST_ENV_H
#define FX_TEST_ENV_H

#include "data/jansson.h"
#include "kube/client.h"
#include "kube/discovery.h"
#include "test/harness/apiserver.h"
#include "test/harness/cluster.h"
#include "test/harness/gitserver.h"

/* Where the controllers and the objects of tests live. */
#define FX_TEST_NAMESPACE "flux-system"
/* What a wait takes at most when the test does not say otherwise: for a machine that is busy. */
#define FX_TEST_WAIT_MS 60000
#define FX_TEST_CONTROLLER_ARGS_MAX 48

/* A controller as a process. Members are for reading. */
struct fx_test_controller {
	const char *name; /* "source-controller"; NULL: not part of this environment */
	char *kubeconfig; /* of its service account */
	char *log_path;   /* appended to by every start */
	char *tmp;        /* its TMPDIR */
	int health_port, metrics_port;
	int port; /* source-controller: of the artifact server */
	const char *const
	        *args; /* further arguments, NULL-terminated, borrowed; may be changed between starts */
	const char *const *wrapper; /* program and arguments that run it (`prlimit` ...), as args */
	struct fx_test_process process;
};

struct fx_test_env_options {
	bool kustomize; /* kustomize-controller too */
	bool idle;      /* no controller is started; fx_test_controller_start() does it */
	bool pods;      /* pods become ready (the embedded server does that always) */
	bool audit;     /* count requests */
	const struct fx_test_git_options *git;
	const char *storage; /* an existing folder for the artifacts; NULL: one of its own */
	/* Further arguments, NULL-terminated; borrowed for the environment's life. */
	const char *const *source_args, *const *kustomize_args;
};

/* All owned by it. */
struct fx_test_env {
	bool real;
	char *dir;        /* its folder: logs, storage, temporary files of the controllers; removed by stop */
	char *storage;    /* source-controller's */
	char *kubeconfig; /* the admin's */
	struct fx_test_cluster cluster;    /* when real */
	struct fx_test_apiserver embedded; /* otherwise */
	struct fx_test_git git;
	struct fx_loop *loop;
	struct fx_http_client *http;
	struct fx_kube *kube; /* the admin */
	struct fx_discovery *discovery;
	struct fx_test_controller source, kustomize;
};

/* Starts it all; the controllers are ready when it returns. FX_E_UNSUPPORTED: the real API server cannot be
 * built here, the program is to be skipped. options may be NULL. The value must not be moved. */
int fx_test_env_start(
        struct fx_test_env *env, const struct fx_test_env_options *options, struct fx_error *err) fx_must_use;
/* Ends it all. An error when a controller did not end well when asked to, or when a sanitizer has complained
 * in a log; everything is released all the same. Accepts a zeroed or half started one. */
int fx_test_env_stop(struct fx_test_env *env, struct fx_error *err) fx_must_use;

/* Starts one that does not run; for tests that end it before it is ready. */
int fx_test_controller_launch(
        struct fx_test_env *env, struct fx_test_controller *controller, struct fx_error *err) fx_must_use;
/* Starts one that does not run and waits until it is ready. */
int fx_test_controller_start(
        struct fx_test_env *env, struct fx_test_controller *controller, struct fx_error *err) fx_must_use;
/* SIGTERM, and an error when it does not end with 0. */
int fx_test_controller_stop(struct fx_test_controller *controller, struct fx_error *err) fx_must_use;
/* SIGKILL; gone when it returns. */
void fx_test_controller_kill(struct fx_test_controller *controller);
/* Memory in kB, from /proc; 0 when it does not run. */
struct fx_test_memory {
	long private_kb;  /* RssAnon */
	long resident_kb; /* VmRSS */
	int files;        /* open descriptors */
};
struct fx_test_memory fx_test_controller_memory(const struct fx_test_controller *controller);
/* The end of its log, for messages. Owned by the caller. */
char *fx_test_controller_log(const struct fx_test_controller *controller);

/* The controllers no longer reach the API server (real: it is killed; embedded: its answers to them are
 * connections that break); and they do again, the data being what it was. */
int fx_test_env_api_down(struct fx_test_env *env, struct fx_error *err) fx_must_use;
int fx_test_env_api_up(struct fx_test_env *env, struct fx_error *err) fx_must_use;

/* Server-side applies YAML documents as the admin, in their order; objects without a namespace go to
 * FX_TEST_NAMESPACE. format is printf's. */
int fx_test_env_apply(struct fx_test_env *env, struct fx_error *err, const char *format, ...)
        fx_printf(3, 4) fx_must_use;
/* An object: {"GitRepository", "name"}. */
struct fx_test_ref {
	const char *kind; /* with group when it is not one of Flux's or core's: "Deployment.apps" */
	const char *name;
	const char *namespace_; /* NULL: FX_TEST_NAMESPACE */
};
int fx_test_env_get(struct fx_test_env *env, const struct fx_test_ref *ref, json_t **out,
        struct fx_error *err) fx_must_use;
/* Asks for its deletion; does not wait. */
int fx_test_env_delete(
        struct fx_test_env *env, const struct fx_test_ref *ref, struct fx_error *err) fx_must_use;
/* Merge patch as JSON text. */
int fx_test_env_patch(struct fx_test_env *env, const struct fx_test_ref *ref, struct fx_error *err,
        const char *format, ...) fx_printf(4, 5) fx_must_use;

/* Watches one object until accept(arg, object) is true (object NULL: not there), then gives it (out may be
 * NULL). timeout_ms 0: FX_TEST_WAIT_MS. FX_E_TIMEOUT with the object's last status and the ends of the logs.
 */
int fx_test_env_wait(struct fx_test_env *env, const struct fx_test_ref *ref,
        bool (*accept)(void *arg, const json_t *object), void *arg, int timeout_ms, json_t **out,
        struct fx_error *err) fx_must_use;
int fx_test_env_wait_gone(struct fx_test_env *env, const struct fx_test_ref *ref, int timeout_ms,
        struct fx_error *err) fx_must_use;

/* What a condition is to look like, at the object's present generation. NULL members match everything. */
struct fx_test_condition {
	const char *type; /* NULL: Ready */
	const char *status, *reason;
	const char *message;  /* a part of it */
	const char *revision; /* a part of status.artifact.revision or status.lastAppliedRevision */
	const char *handled;  /* status.lastHandledReconcileAt */
};
int fx_test_env_wait_condition(struct fx_test_env *env, const struct fx_test_ref *ref,
        const struct fx_test_condition *want, int timeout_ms, json_t **out, struct fx_error *err) fx_must_use;

/* Asks for a reconcile as `flux reconcile` does; token (32 bytes) is what status.lastHandledReconcileAt will
 * be. */
#define FX_TEST_TOKEN 32
int fx_test_env_reconcile(struct fx_test_env *env, const struct fx_test_ref *ref, char token[FX_TEST_TOKEN],
        struct fx_error *err) fx_must_use;

/* Events about the object (their counts added up) with this reason (NULL: any) and part of a message (NULL:
 * any). */
int fx_test_env_count_events(struct fx_test_env *env, const struct fx_test_ref *ref, const char *reason,
        const char *message, int *out, struct fx_error *err) fx_must_use;
/* Watches the events until there is one. */
int fx_test_env_wait_event(struct fx_test_env *env, const struct fx_test_ref *ref, const char *reason,
        const char *message, int timeout_ms, struct fx_error *err) fx_must_use;

/* The body of http://127.0.0.1:port/path appended to out. FX_E_INVALID for a status other than 200. */
int fx_test_env_download(struct fx_test_env *env, int port, const char *path, struct fx_buf *out,
        struct fx_error *err) fx_must_use;

#endif
