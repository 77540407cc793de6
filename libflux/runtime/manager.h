/*
 * What a controller process is made of: loop, HTTP and Kubernetes clients, event recorder,
 * metrics, probes, leader election, signals, and the controllers that run in it.
 *
 *   init -> add controllers -> run: start hook, image of the own kinds, leadership, lead hook,
 *   workers ... SIGTERM -> no new work, running reconciles get their grace -> release
 *
 * One manager a process, made and released on the main thread; its members are read-only for
 * everybody else and usable from any thread as their own headers say.
 *
 * Source: runtime reference, sections 9 to 12.
 */
#ifndef FX_RUNTIME_MANAGER_H
#define FX_RUNTIME_MANAGER_H

#include "kube/client.h"
#include "kube/discovery.h"
#include "kube/events.h"
#include "kube/lease.h"
#include "net/server.h"
#include "runtime/metrics.h"
#include "runtime/options.h"

/* Controllers of one process. */
#define FX_MANAGER_CONTROLLERS_MAX 16

struct fx_controller;
struct fx_manager_state;

struct fx_manager {
	/* Given. */
	const char *component; /* "source-controller" */
	const struct fx_options *options;
	const struct fx_gate *gates;
	/* Made by init. */
	struct fx_loop *loop;
	struct fx_http_client *http;
	struct fx_kube *kube;
	struct fx_discovery *discovery;
	struct fx_events *events;
	struct fx_metrics *metrics;
	struct fx_cancel *stopping;     /* fires with the signal: waits end */
	struct fx_cancel *killed;       /* fires when the grace is over: requests end */
	const char *namespace_;         /* what own kinds are watched in; "": everywhere */
	struct fx_manager_state *state; /* private */
};

struct fx_manager_hooks {
	/* [main] Clients are there, no worker runs yet; also on replicas that do not lead. */
	int (*start)(void *arg, struct fx_manager *manager, struct fx_error *err);
	/* [main] We lead; workers start when it returns. */
	int (*lead)(void *arg, struct fx_manager *manager, struct fx_error *err);
	/* [main] No worker runs any more; clients are still there. */
	void (*stop)(void *arg, struct fx_manager *manager);
	void *arg;
};

struct fx_manager_options {
	const char *component;
	const struct fx_options *options;
	const struct fx_gate *gates;
	struct fx_manager_hooks hooks;
	int64_t grace_ms; /* for running reconciles after SIGTERM; 0: 30 s */
};

/* Connects nothing yet but checks flow control and loads the cluster's configuration. Strings and
 * options are borrowed for the manager's life. */
int fx_manager_init(struct fx_manager *manager, const struct fx_manager_options *options,
        struct fx_error *err) fx_must_use;

/* Adds a controller (owned by the manager from now on, also on failure). */
int fx_manager_add(
        struct fx_manager *manager, struct fx_controller *controller, struct fx_error *err) fx_must_use;

/* Runs until SIGTERM or SIGINT, or until leadership is lost. 0 after a clean stop; an error is
 * what could not be started, or the lost lease. */
int fx_manager_run(struct fx_manager *manager, struct fx_error *err) fx_must_use;

/* Frees everything. Accepts a zeroed or half-made manager. */
void fx_manager_release(struct fx_manager *manager);

/* The families that the manager's controllers share; borrowed. For controllers. */
struct fx_controller_families;
struct fx_controller_families *fx_manager_families(struct fx_manager *manager);

/* [any] Starts the stop as a signal would; lost leadership and fatal errors use it. */
void fx_manager_stop(struct fx_manager *manager, const char *reason);

#endif
