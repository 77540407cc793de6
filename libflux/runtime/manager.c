#include "runtime/manager.h"

#include "core/clock.h"
#include "core/log.h"
#include "runtime/controller.h"
#include "runtime/controller_metrics.h"
#include "runtime/probes.h"

#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#define GRACE_DEFAULT_MS 30000
/* After the grace: for reconciles to notice that their requests were cut. */
#define KILL_WAIT_MS 5000
#define EVENTS_GRACE_MS 2000
#define LEASE_RELEASE_MS 3000
/* Worker threads share this many malloc arenas: each keeps its own free memory. */
#define MALLOC_ARENAS 2

struct fx_manager_state {
	struct fx_manager_options options;
	struct fx_controller *controllers[FX_MANAGER_CONTROLLERS_MAX];
	size_t controller_count;
	struct fx_controller_families *families;
	struct fx_metric *requests;
	struct fx_metric *leader;
	struct fx_metric *slow_path;
	struct fx_server *metrics_server;
	struct fx_server *probe_server;
	struct fx_lease *lease;
	char *lease_name;
	char *identity; /* as a candidate; owned, as the name is */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool stop;
	bool leading;
	bool lost;
	int signals;
};

struct fx_controller_families *fx_manager_families(struct fx_manager *manager)
{
	return manager->state->families;
}

static void count_request(void *arg, const char *code, const char *method, const char *host)
{
	struct fx_manager_state *s = arg;
	fx_metric_add(s->requests, 1, FX_LABELS(code, method, host));
}

static void event_failed(
        void *arg, const char *namespace_, const char *name, const char *kind, const struct fx_error *err)
{
	(void)arg;
	fx_log_error(NULL, "unable to record event", fx_error_message(err), {"name", name, false},
	        {"namespace", namespace_, false}, {"reconciler kind", kind, false});
}

void fx_manager_stop(struct fx_manager *manager, const char *reason)
{
	struct fx_manager_state *s = manager->state;
	pthread_mutex_lock(&s->lock);
	s->stop = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	fx_cancel_fire(manager->stopping, reason);
}

static void on_signal(void *arg, int signum)
{
	struct fx_manager *manager = arg;
	(void)signum;
	/* The second one means now. */
	if (manager->state->signals++ > 0)
		_exit(1);
	fx_manager_stop(manager, "the controller is shutting down");
}

static int init_metrics(struct fx_manager *m, struct fx_error *err)
{
	struct fx_manager_state *s = m->state;
	m->metrics = fx_metrics_new();
	if (!m->metrics)
		return fx_fail_nomem(err);
	fx_metrics_add_process(m->metrics);
	s->families = fx_controller_families_new(m->metrics);
	s->requests = fx_metrics_register(m->metrics,
	        &(struct fx_metric_options){.type = FX_METRIC_COUNTER,
	                .name = "rest_client_requests_total",
	                .help = "Number of HTTP requests, partitioned by status code, method, and host.",
	                .labels = "code,method,host"});
	s->leader = fx_metrics_register(
	        m->metrics, &(struct fx_metric_options){.type = FX_METRIC_GAUGE,
	                            .name = "leader_election_master_status",
	                            .help = "Gauge of if the reporting system is master of the relevant "
	                                    "lease, 0 indicates backup, 1 "
	                                    "indicates master.",
	                            .labels = "name"});
	s->slow_path = fx_metrics_register(
	        m->metrics, &(struct fx_metric_options){.type = FX_METRIC_COUNTER,
	                            .name = "leader_election_slowpath_total",
	                            .help = "Renewals of the lease that began with a read of it.",
	                            .labels = "name"});
	return 0;
}

static int init_clients(struct fx_manager *m, struct fx_error *err)
{
	fx_autofree char *agent = NULL;
	if (asprintf(&agent, "%s/%s", m->component, FX_VERSION) < 0)
		return fx_fail_nomem(err);
	int rc = fx_loop_new(&m->loop, err);
	if (rc == 0)
		rc = fx_http_client_new(m->loop, agent, &m->http, err);
	if (rc < 0)
		return rc;
	fx_auto(kube_config) struct fx_kube_config *config = NULL;
	rc = fx_kube_config_load(NULL, &config, err);
	if (rc < 0)
		return fx_error_wrap(err, "unable to load the cluster's configuration");
	struct fx_kube_options options = {
	        .http = m->http,
	        .qps = m->options->kube_api_qps,
	        .burst = (int)m->options->kube_api_burst,
	        .ask_flow_control = true,
	        .on_request = count_request,
	        .on_request_arg = m->state,
	};
	rc = fx_kube_new(config, &options, &m->kube, err);
	if (rc == 0)
		rc = fx_discovery_new(m->kube, &m->discovery, err);
	return rc;
}

static int init_events(struct fx_manager *m, struct fx_error *err)
{
	char host[256] = "";
	gethostname(host, sizeof(host) - 1);
	struct fx_events_options options = {
	        .loop = m->loop,
	        .kube = m->kube,
	        .http = m->http,
	        .component = m->component,
	        .instance = host,
	        .events_addr = m->options->events_addr,
	        .on_failure = event_failed,
	};
	return fx_events_new(&options, &m->events, err);
}

static int init_state(struct fx_manager *m, const struct fx_manager_options *options, struct fx_error *err)
{
	struct fx_manager_state *s = calloc(1, sizeof(*s));
	if (!s)
		return fx_fail_nomem(err);
	m->state = s;
	s->options = *options;
	if (s->options.grace_ms == 0)
		s->options.grace_ms = GRACE_DEFAULT_MS;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	m->stopping = fx_cancel_new(NULL, FX_NO_DEADLINE);
	m->killed = fx_cancel_new(NULL, FX_NO_DEADLINE);
	return m->stopping && m->killed ? 0 : fx_fail_nomem(err);
}

int fx_manager_init(
        struct fx_manager *manager, const struct fx_manager_options *options, struct fx_error *err)
{
	mallopt(M_ARENA_MAX, MALLOC_ARENAS);
	signal(SIGPIPE, SIG_IGN);
	/* A file beyond the limit is an error of that write, not the end of the process. */
	signal(SIGXFSZ, SIG_IGN);
	*manager = (struct fx_manager){
	        .component = options->component,
	        .options = options->options,
	        .gates = options->gates,
	        .namespace_ =
	                options->options->watch_all_namespaces ? "" : options->options->runtime_namespace,
	};
	if (!options->options->watch_all_namespaces && !*manager->namespace_)
		return fx_fail(err, FX_E_INVALID,
		        "--watch-all-namespaces=false needs the environment variable RUNTIME_NAMESPACE");
	int rc = init_state(manager, options, err);
	if (rc == 0)
		rc = init_metrics(manager, err);
	if (rc == 0)
		rc = init_clients(manager, err);
	if (rc == 0)
		rc = init_events(manager, err);
	return rc;
}

int fx_manager_add(struct fx_manager *manager, struct fx_controller *controller, struct fx_error *err)
{
	struct fx_manager_state *s = manager->state;
	if (s->controller_count == FX_MANAGER_CONTROLLERS_MAX) {
		fx_controller_free(controller);
		return fx_fail(err, FX_E_LIMIT, "more than %d controllers in one process",
		        FX_MANAGER_CONTROLLERS_MAX);
	}
	s->controllers[s->controller_count++] = controller;
	return 0;
}

static int start_servers(struct fx_manager *m, struct fx_error *err)
{
	const struct fx_options *o = m->options;
	int rc = 0;
	if (fx_flag_address_enabled(o->metrics_addr))
		rc = fx_metrics_server_new(o->metrics_addr, m->metrics, &m->state->metrics_server, err);
	if (rc == 0 && fx_flag_address_enabled(o->health_addr))
		rc = fx_probe_server_new(o->health_addr, &m->state->probe_server, err);
	return rc;
}

static int sync_images(struct fx_manager *m, struct fx_error *err)
{
	struct fx_manager_state *s = m->state;
	for (size_t i = 0; i < s->controller_count; i++) {
		int rc = fx_controller_watch(s->controllers[i], m, err);
		if (rc < 0)
			return rc;
	}
	for (size_t i = 0; i < s->controller_count; i++) {
		int rc = fx_controller_wait_synced(s->controllers[i], err);
		if (rc < 0)
			return fx_error_wrap(err, "unable to read the %s objects",
			        fx_controller_options_of(s->controllers[i])->kind);
	}
	return 0;
}

static void set_leading(struct fx_manager *m, bool leading)
{
	struct fx_manager_state *s = m->state;
	fx_metric_set(s->leader, leading, FX_LABELS(s->lease_name));
	pthread_mutex_lock(&s->lock);
	s->leading = leading;
	s->lost = !leading;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

/* what: "became leader", "stopped leading" (section 7.5) */
static void emit_leader_event(struct fx_manager *m, const char *what)
{
	fx_autofree char *namespace_ = NULL;
	if (fx_kube_own_namespace(&namespace_, NULL) < 0)
		return;
	fx_auto(json) json_t *lease =
	        json_pack("{s:s,s:s,s:{s:s,s:s}}", "apiVersion", "coordination.k8s.io/v1", "kind", "Lease",
	                "metadata", "name", m->state->lease_name, "namespace", namespace_);
	/* Trace: an event in the cluster, nothing for notification-controller. */
	if (lease)
		fx_events_emitf(m->events, lease, NULL, FX_EVENT_TRACE, "LeaderElection", "%s %s",
		        m->state->identity, what);
}

static void on_acquired(void *arg)
{
	struct fx_manager *m = arg;
	set_leading(m, true);
}

static void on_lost(void *arg)
{
	struct fx_manager *m = arg;
	set_leading(m, false);
	fx_manager_stop(m, "leader election lost");
}

static void on_lease_error(void *arg, const struct fx_error *err)
{
	(void)arg;
	fx_log_error(
	        "runtime", "error retrieving or updating the leader election lease", fx_error_message(err));
}

/* Returns when we lead, or when the process is to stop. */
static int wait_for_leadership(struct fx_manager *m, struct fx_error *err)
{
	struct fx_manager_state *s = m->state;
	const struct fx_options *o = m->options;
	fx_autofree char *namespace_ = NULL;
	int rc = fx_kube_own_namespace(&namespace_, err);
	if (rc < 0)
		return fx_error_wrap(err, "leader election needs the controller's namespace");
	s->lease_name = fx_lease_name(m->component, o->watch_label_selector);
	s->identity = fx_lease_identity();
	if (!s->lease_name || !s->identity)
		return fx_fail_nomem(err);
	struct fx_lease_options options = {
	        .loop = m->loop,
	        .kube = m->kube,
	        .namespace_ = namespace_,
	        .name = s->lease_name,
	        .identity = s->identity,
	        .lease_duration_ms = (int)(o->leader_lease_ns / 1000000),
	        .renew_deadline_ms = (int)(o->leader_renew_ns / 1000000),
	        .retry_period_ms = (int)(o->leader_retry_ns / 1000000),
	        .release_on_stop = o->leader_release_on_cancel,
	        .on_acquired = on_acquired,
	        .on_lost = on_lost,
	        .on_error = on_lease_error,
	        .arg = m,
	};
	rc = fx_lease_new(&options, &s->lease, err);
	if (rc < 0)
		return rc;
	fx_metric_set(s->leader, 0, FX_LABELS(s->lease_name));
	fx_metric_add(s->slow_path, 0, FX_LABELS(s->lease_name));
	fx_lease_start(s->lease);
	pthread_mutex_lock(&s->lock);
	while (!s->leading && !s->stop)
		pthread_cond_wait(&s->changed, &s->lock);
	bool leading = s->leading;
	pthread_mutex_unlock(&s->lock);
	if (leading)
		emit_leader_event(m, "became leader");
	return 0;
}

static int start_work(struct fx_manager *m, struct fx_error *err)
{
	struct fx_manager_state *s = m->state;
	const struct fx_manager_hooks *hooks = &s->options.hooks;
	int rc = hooks->lead ? hooks->lead(hooks->arg, m, err) : 0;
	for (size_t i = 0; i < s->controller_count && rc == 0; i++)
		rc = fx_controller_start(s->controllers[i], err);
	return rc;
}

static void wait_for_stop(struct fx_manager_state *s)
{
	pthread_mutex_lock(&s->lock);
	while (!s->stop)
		pthread_cond_wait(&s->changed, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

/* Lets running reconciles end; false when some would not even after their requests were cut. */
static bool stop_workers(struct fx_manager *m)
{
	struct fx_manager_state *s = m->state;
	for (size_t i = 0; i < s->controller_count; i++)
		fx_controller_drain(s->controllers[i]);
	int64_t deadline = fx_now_ms() + s->options.grace_ms;
	bool all = true;
	for (size_t i = 0; i < s->controller_count; i++)
		all = fx_controller_join(s->controllers[i], deadline) && all;
	if (all)
		return true;
	fx_cancel_fire(m->killed, "the controller is shutting down");
	all = true;
	deadline = fx_now_ms() + KILL_WAIT_MS;
	for (size_t i = 0; i < s->controller_count; i++)
		all = fx_controller_join(s->controllers[i], deadline) && all;
	return all;
}

static int run(struct fx_manager *m, struct fx_error *err)
{
	struct fx_manager_state *s = m->state;
	const struct fx_manager_hooks *hooks = &s->options.hooks;
	int rc = fx_loop_on_signals(m->loop, on_signal, m, err);
	if (rc == 0)
		rc = start_servers(m, err);
	if (rc == 0 && hooks->start)
		rc = hooks->start(hooks->arg, m, err);
	if (rc == 0)
		fx_log_info("setup", "starting manager");
	if (rc == 0)
		rc = sync_images(m, err);
	if (rc == 0 && m->options->leader_election)
		rc = wait_for_leadership(m, err);
	if (rc == 0 && !fx_cancel_is_fired(m->stopping))
		rc = start_work(m, err);
	if (rc == 0)
		wait_for_stop(s);
	return rc;
}

int fx_manager_run(struct fx_manager *manager, struct fx_error *err)
{
	struct fx_manager_state *s = manager->state;
	int rc = run(manager, err);
	bool asked = fx_cancel_is_fired(manager->stopping);
	fx_cancel_fire(manager->stopping, "the controller is shutting down");
	if (!stop_workers(manager)) {
		/* A worker that hangs holds what release() would free: the kernel cleans up. */
		fx_log_error("setup", "reconciles did not end in time", "graceful shutdown timed out");
		_exit(1);
	}
	if (s->options.hooks.stop)
		s->options.hooks.stop(s->options.hooks.arg, manager);
	if (s->lease)
		fx_lease_stop(s->lease, LEASE_RELEASE_MS);
	pthread_mutex_lock(&s->lock);
	bool led = s->leading || s->lost, lost = s->lost;
	pthread_mutex_unlock(&s->lock);
	if (led)
		emit_leader_event(manager, "stopped leading");
	if (lost)
		return fx_fail(err, FX_E_UNAVAILABLE, "leader election lost");
	/* A stop that comes while something is being started is a clean stop. */
	if (rc < 0 && asked) {
		fx_error_release(err);
		return 0;
	}
	return rc;
}

void fx_manager_release(struct fx_manager *manager)
{
	struct fx_manager_state *s = manager->state;
	if (s) {
		fx_server_free(s->metrics_server, 0);
		fx_server_free(s->probe_server, 0);
		for (size_t i = 0; i < s->controller_count; i++)
			fx_controller_free(s->controllers[i]);
		fx_lease_free(s->lease);
	}
	fx_events_free(manager->events, EVENTS_GRACE_MS);
	fx_discovery_free(manager->discovery);
	fx_kube_unref(manager->kube);
	fx_http_client_free(manager->http);
	fx_loop_free(manager->loop);
	fx_metrics_free(manager->metrics);
	fx_cancel_unref(manager->stopping);
	fx_cancel_unref(manager->killed);
	if (s) {
		pthread_cond_destroy(&s->changed);
		pthread_mutex_destroy(&s->lock);
		free(s->lease_name);
		free(s->identity);
		free(s);
	}
	*manager = (struct fx_manager){0};
}
