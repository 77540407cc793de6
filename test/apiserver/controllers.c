#include "controllers.h"

#include "core/cleanup.h"
#include "core/clock.h"
#include "gc.h"
#include "obj.h"
#include "rest.h"
#include "sim.h"
#include "watch.h"

#include <errno.h>
#include <string.h>

enum job_type { JOB_GONE, JOB_LOOK, JOB_BEGIN, JOB_SETTLE, JOB_FURNISH };

struct job {
	struct job *next;
	enum job_type type;
	int64_t due_ms;
	struct fx_as_resource *resource;
	char *ns, *name, *uid;
	json_int_t generation; /* SETTLE: of the object it was started for */
};

struct fx_as_controllers {
	pthread_t thread;
	pthread_cond_t wake;
	struct job *jobs; /* by due time */
	bool stop;
};

static void job_free(struct job *j)
{
	free(j->ns);
	free(j->name);
	free(j->uid);
	free(j);
}

static void add(struct fx_as *as, enum job_type type, struct fx_as_resource *r, const json_t *o, int delay_ms)
{
	struct job *j = calloc(1, sizeof(*j));
	const char *uid = fx_json_str_at(o, "metadata", "uid");
	if (!j)
		abort();
	*j = (struct job){.type = type,
	        .due_ms = fx_now_ms() + delay_ms,
	        .resource = r,
	        .ns = strdup(fx_as_namespace(o)),
	        .name = strdup(fx_as_name(o)),
	        .uid = strdup(uid ? uid : ""),
	        .generation = fx_json_int_at(o, 0, "metadata", "generation")};
	struct job **at = &as->controllers->jobs;
	while (*at && (*at)->due_ms <= j->due_ms)
		at = &(*at)->next;
	j->next = *at;
	*at = j;
	pthread_cond_signal(&as->controllers->wake);
}

void fx_as_controllers_wake(struct fx_as *as)
{
	if (as->controllers)
		pthread_cond_signal(&as->controllers->wake);
}

void fx_as_controllers_change(struct fx_as *as, const struct fx_as_change *c)
{
	const json_t *o = c->now->json;
	if (!as->controllers || as->controllers->stop)
		return;
	if (c->type == FX_AS_DELETED) {
		add(as, JOB_GONE, c->resource, o, 0);
		return;
	}
	if (c->type == FX_AS_ADDED && !c->resource->custom && strcmp(c->resource->kind, "Namespace") == 0)
		add(as, JOB_FURNISH, c->resource, o, 0);
	if (fx_json_at(o, "metadata", "deletionTimestamp") || fx_json_at(o, "metadata", "ownerReferences"))
		add(as, JOB_LOOK, c->resource, o, 0);
	int delay = fx_as_sim_delay(c->resource, o);
	bool fresh = !c->before ||
	             fx_json_int_at(c->before->json, 0, "metadata", "generation") !=
	                     fx_json_int_at(o, 0, "metadata", "generation") ||
	             !json_equal(fx_json_at(c->before->json, "metadata", "annotations") ?: json_null(),
	                     fx_json_at(o, "metadata", "annotations") ?: json_null());
	if (delay < 0 || !fresh)
		return;
	add(as, JOB_BEGIN, c->resource, o, 0);
	add(as, JOB_SETTLE, c->resource, o, delay);
}

/* What may have waited for an object to go. */
static void after_removal(struct fx_as *as, const struct job *j)
{
	fx_as_gc_owner_gone(as, j->uid);
	struct fx_as_resource *namespaces = fx_as_registry_find(&as->kinds, "", "namespaces");
	struct fx_as_object *ns = *j->ns ? fx_as_store_get(namespaces, "", j->ns) : NULL;
	if (ns && fx_json_at(ns->json, "metadata", "deletionTimestamp"))
		add(as, JOB_LOOK, namespaces, ns->json, 0);
	/* Owners in foreground deletion and definitions that go: few, so all of them are looked at. */
	fx_vec_foreach (struct fx_as_resource *, r, &as->kinds.all) {
		bool definitions = strcmp((*r)->plural, "customresourcedefinitions") == 0;
		for (struct fx_map_slot *s = NULL; (s = fx_map_next(&(*r)->objects, s));) {
			const json_t *o = ((struct fx_as_object *)s->value)->json;
			if (fx_json_at(o, "metadata", "deletionTimestamp") &&
			        (definitions || fx_as_array_has(fx_json_at(o, "metadata", "finalizers"),
			                                "foregroundDeletion")))
				add(as, JOB_LOOK, *r, o, 0);
		}
	}
}

/* What every namespace has. */
static void furnish(struct fx_as *as, const char *ns)
{
	static const struct {
		const char *plural, *name, *data;
	} things[] = {{"serviceaccounts", "default", NULL}, {"configmaps", "kube-root-ca.crt", "ca.crt"}};
	for (size_t i = 0; i < FX_COUNT(things); i++) {
		struct fx_as_resource *r = fx_as_registry_find(&as->kinds, "", things[i].plural);
		struct fx_as_op op = {.as = as,
		        .resource = r,
		        .version = fx_as_resource_version(r, NULL),
		        .ns = ns,
		        .name = "",
		        .subresource = "",
		        .manager = "kube-controller-manager"};
		fx_auto(json) json_t *object = json_pack("{s:{s:s}}", "metadata", "name", things[i].name);
		if (things[i].data)
			fx_as_put(object, json_string(as->ca ? as->ca : ""), "data", things[i].data, NULL);
		json_t *status = NULL;
		json_decref(fx_as_rest_create(&op, object, &status));
		json_decref(status);
	}
}

static void run(struct fx_as *as, const struct job *j)
{
	if (j->type == JOB_GONE) {
		after_removal(as, j);
		return;
	}
	struct fx_as_object *o = fx_as_store_get(j->resource, j->ns, j->name);
	const char *uid = o ? fx_json_str_at(o->json, "metadata", "uid") : NULL;
	if (!uid || strcmp(uid, j->uid) != 0)
		return;
	fx_auto(json) json_t *object = json_incref(o->json);
	if (j->type == JOB_FURNISH)
		furnish(as, j->name);
	else if (j->type == JOB_LOOK)
		fx_as_gc_look_at(as, j->resource, object);
	else if (fx_json_int_at(object, 0, "metadata", "generation") != j->generation)
		return;
	else if (j->type == JOB_BEGIN)
		fx_as_sim_begin(as, j->resource, object);
	else
		fx_as_sim_settle(as, j->resource, object);
}

static void sleep_until(struct fx_as *as, int64_t due_ms)
{
	if (due_ms == INT64_MAX) {
		pthread_cond_wait(&as->controllers->wake, &as->lock);
		return;
	}
	struct timespec ts = {.tv_sec = due_ms / 1000, .tv_nsec = due_ms % 1000 * 1000000};
	pthread_cond_timedwait(&as->controllers->wake, &as->lock, &ts);
}

static void *work(void *arg)
{
	struct fx_as *as = arg;
	struct fx_as_controllers *c = as->controllers;
	fx_as_lock(as);
	while (!c->stop) {
		int64_t now = fx_now_ms();
		int64_t next = fx_as_watch_tick(as, now);
		struct job *j = c->jobs;
		if (j && j->due_ms <= now) {
			c->jobs = j->next;
			run(as, j);
			job_free(j);
			/* Requests come between two jobs. */
			fx_as_unlock(as);
			fx_as_lock(as);
			continue;
		}
		sleep_until(as, j && j->due_ms < next ? j->due_ms : next);
	}
	fx_as_unlock(as);
	return NULL;
}

int fx_as_controllers_start(struct fx_as *as, struct fx_error *err)
{
	struct fx_as_controllers *c = calloc(1, sizeof(*c));
	if (!c)
		return fx_fail_nomem(err);
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&c->wake, &attr);
	pthread_condattr_destroy(&attr);
	as->controllers = c;
	int rc = pthread_create(&c->thread, NULL, work, as);
	if (rc) {
		as->controllers = NULL;
		free(c);
		errno = rc;
		return fx_fail_errno(err, "start the controller thread");
	}
	return 0;
}

void fx_as_controllers_stop(struct fx_as *as)
{
	struct fx_as_controllers *c = as->controllers;
	if (!c)
		return;
	fx_as_lock(as);
	c->stop = true;
	pthread_cond_signal(&c->wake);
	fx_as_unlock(as);
	pthread_join(c->thread, NULL);
	for (struct job *j = c->jobs, *next; j; j = next) {
		next = j->next;
		job_free(j);
	}
	pthread_cond_destroy(&c->wake);
	as->controllers = NULL;
	free(c);
}
