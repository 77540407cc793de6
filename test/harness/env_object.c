/* Objects of a test environment: apply, change, delete, and waits that watch them. */
#include "core/arena.h"
#include "core/clock.h"
#include "data/json.h"
#include "data/yaml.h"
#include "kube/reflector.h"
#include "kube/ssa.h"
#include "test/harness/env_private.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#define MANAGER "test"
/* Bytes of each log in a message. */
#define LOG_PART 1500
#define ARENA_MAX (256 * 1024 * 1024)

static const char *namespace_of(const struct fx_test_ref *ref)
{
	return ref->namespace_ ? ref->namespace_ : FX_TEST_NAMESPACE;
}

static int find_resource(
        struct fx_test_env *env, const struct fx_test_ref *ref, struct fx_resource *out, struct fx_error *err)
{
	static const struct {
		const char *kind, *group;
	} own[] = {{"GitRepository", "source.toolkit.fluxcd.io"}, {"Bucket", "source.toolkit.fluxcd.io"},
	        {"OCIRepository", "source.toolkit.fluxcd.io"},
	        {"ExternalArtifact", "source.toolkit.fluxcd.io"},
	        {"Kustomization", "kustomize.toolkit.fluxcd.io"}};
	char kind[128];
	const char *dot = strchr(ref->kind, '.');
	const char *group = dot ? dot + 1 : "";
	snprintf(
	        kind, sizeof(kind), "%.*s", dot ? (int)(dot - ref->kind) : (int)strlen(ref->kind), ref->kind);
	for (size_t i = 0; i < FX_COUNT(own) && !dot; i++)
		if (strcmp(own[i].kind, kind) == 0)
			group = own[i].group;
	return fx_discovery_kind(env->discovery, group, "", kind, NULL, out, err);
}

static int apply_one(struct fx_test_env *env, json_t *object, struct fx_error *err)
{
	struct fx_resource resource;
	fx_discovery_expect_change(env->discovery);
	int rc = fx_discovery_object(env->discovery, object, NULL, &resource, err);
	if (rc == 0 && resource.namespaced && !*fx_object_namespace(object) &&
	        !fx_json_set_at(object, json_string(FX_TEST_NAMESPACE), "metadata", "namespace"))
		rc = fx_fail_nomem(err);
	if (rc == 0)
		rc = fx_ssa_apply(env->kube, &resource, object, MANAGER, NULL, NULL, NULL, err);
	return rc < 0 ? fx_error_wrap(err, "%s/%s", fx_object_kind(object), fx_object_name(object)) : 0;
}

static int apply_text(struct fx_test_env *env, const char *text, struct fx_error *err)
{
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(ARENA_MAX);
	const struct fx_yaml_read read = {.values = true};
	struct fx_node *documents = NULL;
	int rc = arena ? fx_yaml_read_all(arena, text, strlen(text), &read, &documents, err)
	               : fx_fail_nomem(err);
	if (rc < 0)
		return rc;
	fx_auto(json) json_t *list = fx_node_to_json(documents, err);
	if (!list)
		return -FX_E_PARSE;
	size_t i;
	json_t *object;
	json_array_foreach (list, i, object) {
		rc = json_is_object(object) ? apply_one(env, object, err) : 0;
		if (rc < 0)
			return rc;
	}
	return 0;
}

int fx_test_env_apply(struct fx_test_env *env, struct fx_error *err, const char *format, ...)
{
	fx_auto(buf) struct fx_buf text = FX_BUF_INIT;
	va_list ap;
	va_start(ap, format);
	fx_buf_addv(&text, format, ap);
	va_end(ap);
	return fx_buf_failed(&text) ? fx_fail_nomem(err) : apply_text(env, fx_buf_str(&text), err);
}

int fx_test_env_get(
        struct fx_test_env *env, const struct fx_test_ref *ref, json_t **out, struct fx_error *err)
{
	struct fx_resource resource;
	int rc = find_resource(env, ref, &resource, err);
	if (rc < 0)
		return rc;
	const struct fx_kube_path path = fx_resource_path(&resource, namespace_of(ref), ref->name);
	return fx_kube_get(env->kube, &path, NULL, out, err);
}

int fx_test_env_delete(struct fx_test_env *env, const struct fx_test_ref *ref, struct fx_error *err)
{
	struct fx_resource resource;
	int rc = find_resource(env, ref, &resource, err);
	if (rc < 0)
		return rc;
	const struct fx_kube_path path = fx_resource_path(&resource, namespace_of(ref), ref->name);
	return fx_kube_delete(env->kube, &path, NULL, NULL, err);
}

int fx_test_env_patch(
        struct fx_test_env *env, const struct fx_test_ref *ref, struct fx_error *err, const char *format, ...)
{
	fx_auto(buf) struct fx_buf text = FX_BUF_INIT;
	fx_auto(json) json_t *patch = NULL;
	struct fx_resource resource;
	va_list ap;
	va_start(ap, format);
	fx_buf_addv(&text, format, ap);
	va_end(ap);
	int rc = fx_json_parse(fx_buf_str(&text), text.len, &patch, err);
	if (rc == 0)
		rc = find_resource(env, ref, &resource, err);
	if (rc < 0)
		return rc;
	const struct fx_kube_path path = fx_resource_path(&resource, namespace_of(ref), ref->name);
	const struct fx_kube_write_options options = {.field_manager = MANAGER};
	return fx_kube_patch(env->kube, &path, FX_KUBE_MERGE_PATCH, patch, &options, NULL, NULL, err);
}

/* A watch that ends with the first object that is as it should be. */
struct wait {
	bool (*accept)(void *arg, const json_t *object);
	void *arg;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct fx_reflector *reflector;
	json_t *found; /* owned */
	char *last;    /* text of the object as it was seen last; owned */
	bool done;
};

static void look_at(struct wait *w, const json_t *object)
{
	pthread_mutex_lock(&w->lock);
	if (!w->done && w->accept(w->arg, object)) {
		w->done = true;
		w->found = json_deep_copy(object);
		pthread_cond_broadcast(&w->changed);
	}
	pthread_mutex_unlock(&w->lock);
}

static void on_change(void *arg, const struct fx_reflector_event *event)
{
	struct wait *w = arg;
	fx_auto(json) json_t *object = NULL;
	const char *text = event->new_record;
	if (text && fx_json_parse(text, strlen(text), &object, NULL) < 0)
		return;
	free(w->last);
	w->last = text ? strdup(text) : NULL;
	look_at(w, object);
}

static void on_synced(void *arg)
{
	struct wait *w = arg;
	if (fx_reflector_count(w->reflector) == 0)
		look_at(w, NULL);
}

static void wait_until_done(struct wait *w, int timeout_ms)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += timeout_ms % 1000 * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000L;
	}
	pthread_mutex_lock(&w->lock);
	while (!w->done && pthread_cond_timedwait(&w->changed, &w->lock, &until) == 0) {
	}
	pthread_mutex_unlock(&w->lock);
}

/* Check refuses messages of more than some 8 kB. */
static const char *end_of(const char *log)
{
	size_t len = log ? strlen(log) : 0;
	return log ? log + (len > LOG_PART ? len - LOG_PART : 0) : "";
}

static int timed_out(struct fx_test_env *env, const struct wait *w, const char *what, struct fx_error *err)
{
	fx_autofree char *source = fx_test_controller_log(&env->source);
	fx_autofree char *kustomize = fx_test_controller_log(&env->kustomize);
	return fx_fail(err, FX_E_TIMEOUT, "%s is not as it should be: %.2000s\n%s\n%s", what,
	        w->last ? w->last : "not there", end_of(source), end_of(kustomize));
}

static int watch_until(struct fx_test_env *env, const struct fx_kube_path *path, const char *selector,
        struct wait *w, int timeout_ms, json_t **out, struct fx_error *err)
{
	const struct fx_reflector_options options = {.loop = env->loop,
	        .kube = env->kube,
	        .path = *path,
	        .field_selector = selector,
	        .pack = fx_reflector_pack_json,
	        .on_change = on_change,
	        .on_synced = on_synced,
	        .arg = w};
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	int rc = fx_reflector_new(&options, &w->reflector, err);
	if (rc == 0) {
		fx_reflector_start(w->reflector);
		wait_until_done(w, timeout_ms ? timeout_ms : FX_TEST_WAIT_MS);
		fx_reflector_free(w->reflector);
		if (!w->done)
			rc = timed_out(env, w, selector, err);
	}
	if (rc == 0 && out)
		*out = fx_take(w->found);
	json_decref(w->found);
	free(w->last);
	pthread_cond_destroy(&w->changed);
	pthread_mutex_destroy(&w->lock);
	return rc;
}

int fx_test_env_wait(struct fx_test_env *env, const struct fx_test_ref *ref,
        bool (*accept)(void *arg, const json_t *object), void *arg, int timeout_ms, json_t **out,
        struct fx_error *err)
{
	struct wait w = {.accept = accept, .arg = arg};
	struct fx_resource resource;
	char selector[300];
	int rc = find_resource(env, ref, &resource, err);
	if (rc < 0)
		return rc;
	snprintf(selector, sizeof(selector), "metadata.name=%s", ref->name);
	const struct fx_kube_path path = fx_resource_path(&resource, namespace_of(ref), NULL);
	rc = watch_until(env, &path, selector, &w, timeout_ms, out, err);
	return rc < 0 ? fx_error_wrap(err, "%s", ref->kind) : 0;
}

static bool is_gone(void *arg, const json_t *object)
{
	(void)arg;
	return !object;
}

int fx_test_env_wait_gone(
        struct fx_test_env *env, const struct fx_test_ref *ref, int timeout_ms, struct fx_error *err)
{
	return fx_test_env_wait(env, ref, is_gone, NULL, timeout_ms, NULL, err);
}

static const json_t *find_condition(const json_t *object, const char *type)
{
	size_t i;
	json_t *condition;
	json_array_foreach (fx_json_at(object, "status", "conditions"), i, condition) {
		const char *name = fx_json_str_at(condition, "type");
		if (name && strcmp(name, type) == 0)
			return condition;
	}
	return NULL;
}

static bool is_text(const char *have, const char *want)
{
	return !want || (have && strcmp(have, want) == 0);
}

static bool has_part(const char *have, const char *want)
{
	return !want || (have && strstr(have, want));
}

static bool condition_is(void *arg, const json_t *object)
{
	const struct fx_test_condition *want = arg;
	const json_t *c = find_condition(object, want->type ? want->type : "Ready");
	const char *artifact = fx_json_str_at(object, "status", "artifact", "revision");
	const char *applied = fx_json_str_at(object, "status", "lastAppliedRevision");
	return c && fx_json_int_at(c, -1, "observedGeneration") == fx_object_generation(object) &&
	       is_text(fx_json_str_at(c, "status"), want->status) &&
	       is_text(fx_json_str_at(c, "reason"), want->reason) &&
	       has_part(fx_json_str_at(c, "message"), want->message) &&
	       has_part(artifact ? artifact : applied, want->revision) &&
	       is_text(fx_json_str_at(object, "status", "lastHandledReconcileAt"), want->handled);
}

int fx_test_env_wait_condition(struct fx_test_env *env, const struct fx_test_ref *ref,
        const struct fx_test_condition *want, int timeout_ms, json_t **out, struct fx_error *err)
{
	struct fx_test_condition copy = *want;
	int rc = fx_test_env_wait(env, ref, condition_is, &copy, timeout_ms, out, err);
	return rc < 0 ? fx_error_wrap(err, "waiting for %s=%s %s '%s' %s", want->type ? want->type : "Ready",
	                        want->status ? want->status : "*", want->reason ? want->reason : "*",
	                        want->message ? want->message : "", want->revision ? want->revision : "")
	              : 0;
}

int fx_test_env_reconcile(struct fx_test_env *env, const struct fx_test_ref *ref, char token[FX_TEST_TOKEN],
        struct fx_error *err)
{
	snprintf(token, FX_TEST_TOKEN, "%lld", (long long)fx_wall_ns());
	return fx_test_env_patch(env, ref, err,
	        "{\"metadata\":{\"annotations\":{\"reconcile.fluxcd.io/requestedAt\":\"%s\"}}}", token);
}

/* Events that are looked for. */
struct event_match {
	const char *kind, *reason, *message;
	int count;
};

static bool event_is(void *arg, const json_t *event)
{
	const struct event_match *m = arg;
	return event && is_text(fx_json_str_at(event, "involvedObject", "kind"), m->kind) &&
	       is_text(fx_json_str_at(event, "reason"), m->reason) &&
	       has_part(fx_json_str_at(event, "message"), m->message);
}

static int count_event(void *arg, json_t *event, struct fx_error *err)
{
	struct event_match *m = arg;
	(void)err;
	if (event_is(m, event))
		m->count += (int)fx_json_int_at(event, 1, "count");
	return 0;
}

int fx_test_env_count_events(struct fx_test_env *env, const struct fx_test_ref *ref, const char *reason,
        const char *message, int *out, struct fx_error *err)
{
	struct event_match m = {.kind = ref->kind, .reason = reason, .message = message};
	const struct fx_kube_path path = {
	        .version = "v1", .resource = "events", .namespace_ = namespace_of(ref)};
	char selector[300];
	snprintf(selector, sizeof(selector), "involvedObject.name=%s", ref->name);
	const struct fx_kube_list_options options = {.field_selector = selector};
	int rc = fx_kube_list(env->kube, &path, &options, NULL, count_event, &m, err);
	if (rc == 0)
		*out = m.count;
	return rc;
}

int fx_test_env_wait_event(struct fx_test_env *env, const struct fx_test_ref *ref, const char *reason,
        const char *message, int timeout_ms, struct fx_error *err)
{
	struct event_match m = {.kind = ref->kind, .reason = reason, .message = message};
	struct wait w = {.accept = event_is, .arg = &m};
	const struct fx_kube_path path = {
	        .version = "v1", .resource = "events", .namespace_ = namespace_of(ref)};
	char selector[300];
	snprintf(selector, sizeof(selector), "involvedObject.name=%s", ref->name);
	int rc = watch_until(env, &path, selector, &w, timeout_ms, NULL, err);
	return rc < 0 ? fx_error_wrap(err, "event %s of %s '%s'", reason ? reason : "*", ref->kind,
	                        message ? message : "")
	              : 0;
}
