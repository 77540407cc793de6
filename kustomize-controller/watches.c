#include "watches.h"
#include "inventory.h"
#include "source.h"

#include "core/clock.h"
#include "kube/object.h"

#include <string.h>

struct source_watch {
	struct fx_ks *ks;
	const char *kind;
};

/* What the images call back with; they live as long as the process. */
static struct source_watch source_watches[FX_KS_SOURCES];
static struct source_watch config_watches[2];

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

static void enqueue_key(struct fx_ks *ks, const char *key, int priority, int64_t delay_ms)
{
	char ns[FX_KUBE_LABEL_MAX + FX_KUBE_SUBDOMAIN_MAX + 2];
	const char *slash = strchr(key, '/');
	if (!slash || (size_t)(slash - key) >= sizeof(ns))
		return;
	memcpy(ns, key, (size_t)(slash - key));
	ns[slash - key] = 0;
	fx_controller_enqueue_after(ks->controller, ns, slash + 1, priority, delay_ms);
}

/* ---- Kustomizations: facts, dependents ---- */

static bool readiness_changed(const struct fx_ks_facts *old, const struct fx_ks_facts *now)
{
	return !old || old->ready != now->ready || old->observed != now->observed ||
	       strcmp(or_empty(old->last_applied), or_empty(now->last_applied)) != 0;
}

static bool list_has(char *const *list, const char *text)
{
	for (; list && *list; list++)
		if (!strcmp(*list, text))
			return true;
	return false;
}

/* Under the lock: those that wait for this dependency. */
static void wake_dependents(struct fx_ks *ks, const char *key)
{
	for (struct fx_map_slot *s = NULL; (s = fx_map_next(&ks->states.facts, s));) {
		const struct fx_ks_facts *f = s->value;
		if (!list_has(f->dependencies, key))
			continue;
		const struct fx_ks_state *state = fx_map_get(&ks->states.states, s->key);
		if (state && state->wait == FX_KS_WAIT_DEPENDENCY)
			enqueue_key(ks, s->key, FX_PRIORITY_WAITED, 0);
	}
}

void fx_ks_on_seen(void *arg, const char *namespace_, const char *name, const json_t *object)
{
	struct fx_ks *ks = arg;
	fx_autofree char *key = fx_object_key(namespace_, name);
	struct fx_ks_facts *facts = fx_ks_facts_of(object);
	if (!key || !facts) {
		fx_ks_facts_free(facts);
		return;
	}
	pthread_mutex_lock(&ks->states.lock);
	bool changed = readiness_changed(fx_map_get(&ks->states.facts, key), facts);
	if (!fx_map_set(&ks->states.facts, key, facts)) {
		fx_ks_facts_free(facts);
		changed = false;
	}
	if (changed)
		wake_dependents(ks, key);
	pthread_mutex_unlock(&ks->states.lock);
}

void fx_ks_on_gone(void *arg, const char *namespace_, const char *name)
{
	struct fx_ks *ks = arg;
	fx_autofree char *key = fx_object_key(namespace_, name);
	if (key)
		fx_ks_states_forget(&ks->states, key);
}

/* ---- sources ---- */

/* Says to a state that waits for health who wants a new run. Under the lock. */
static void request_cancel(struct fx_ks *ks, const char *key, const char *by)
{
	struct fx_ks_state *state = fx_map_get(&ks->states.states, key);
	if (state && state->wait == FX_KS_WAIT_HEALTH && fx_ks_gate(ks, FX_KS_GATE_CANCEL_HEALTH_CHECK))
		fx_ks_state_set_text(&state->cancel_by, by);
}

static char *revision_of(const void *record)
{
	json_t *object = record ? json_loads(record, 0, NULL) : NULL;
	const char *revision = fx_json_str_at(object, "status", "artifact", "revision");
	char *copy = revision ? strdup(revision) : NULL;
	json_decref(object);
	return copy;
}

static void on_source(void *arg, const struct fx_reflector_event *event)
{
	struct source_watch *w = arg;
	struct fx_ks *ks = w->ks;
	fx_autofree char *was = revision_of(event->old_record);
	fx_autofree char *is = revision_of(event->new_record);
	if (!is || (was && !strcmp(was, is)))
		return;
	fx_cleanup(fx_auto_buf) struct fx_buf source = FX_BUF_INIT;
	fx_buf_addf(&source, "%s/%s/%s", w->kind, event->namespace_, event->name);
	pthread_mutex_lock(&ks->states.lock);
	for (struct fx_map_slot *s = NULL; (s = fx_map_next(&ks->states.facts, s));) {
		const struct fx_ks_facts *f = s->value;
		if (strcmp(or_empty(f->source), fx_buf_str(&source)) != 0)
			continue;
		if (f->ready_or_reconciling && !strcmp(or_empty(f->last_attempted), is))
			continue;
		request_cancel(ks, s->key, fx_buf_str(&source));
		enqueue_key(ks, s->key, event->initial ? FX_PRIORITY_INITIAL : FX_PRIORITY_NORMAL, 0);
	}
	pthread_mutex_unlock(&ks->states.lock);
}

/* ---- ConfigMaps and Secrets ---- */

static void *pack_nothing(void *arg, const json_t *object)
{
	(void)arg;
	(void)object;
	return calloc(1, 1);
}

static void on_config(void *arg, const struct fx_reflector_event *event)
{
	struct source_watch *w = arg;
	struct fx_ks *ks = w->ks;
	if (event->initial)
		return;
	fx_cleanup(fx_auto_buf) struct fx_buf config = FX_BUF_INIT;
	fx_cleanup(fx_auto_buf) struct fx_buf by = FX_BUF_INIT;
	fx_cleanup(fx_auto_buf) struct fx_buf prefix = FX_BUF_INIT;
	fx_buf_addf(&config, "%s/%s", w->kind, event->name);
	fx_buf_addf(&by, "%s/%s/%s", w->kind, event->namespace_, event->name);
	fx_buf_addf(&prefix, "%s/", event->namespace_);
	pthread_mutex_lock(&ks->states.lock);
	for (struct fx_map_slot *s = NULL; (s = fx_map_next(&ks->states.facts, s));) {
		const struct fx_ks_facts *f = s->value;
		if (strncmp(s->key, fx_buf_str(&prefix), prefix.len) != 0 ||
		        !list_has(f->configs, fx_buf_str(&config)))
			continue;
		request_cancel(ks, s->key, fx_buf_str(&by));
		enqueue_key(ks, s->key, FX_PRIORITY_NORMAL, 0);
	}
	pthread_mutex_unlock(&ks->states.lock);
}

/* ---- applied objects ---- */

/* Others have changed or deleted it since we left it. Somebody who marks an object with kubectl to take it
 * out of Git next must find the mark there when it is pruned: as with Flux it stays until the next apply. */
static bool is_drift(const struct fx_live_event *event, const struct fx_applied *a)
{
	if (a->skipped)
		return false;
	if (!event->now)
		return !a->current_on_absence;
	return event->now->version > a->version &&
	       (event->now->fields != a->fields || (event->now->needs_cleanup && !event->now->kept));
}

/* An object that was current before it was written is so again without its status having changed:
 * what the wait is for is to see it at the version that was written. */
static bool tells_health(const struct fx_live_event *event)
{
	return event->status_changed || (event->now && event->now->status == FX_KSTATUS_CURRENT);
}

/* Under the lock. */
static void put_right(struct fx_ks *ks, const char *owner, struct fx_ks_state *state, struct fx_applied *a)
{
	bool first = !a->dirty;
	a->dirty = true;
	if (first)
		a->paused_ms = 0;
	if (state->running)
		state->wake = true;
	else if (first)
		enqueue_key(ks, owner, FX_PRIORITY_NORMAL, fx_applied_pause_ms(a, fx_now_ms()));
}

static bool is_of(const struct fx_resource *resource, const char *id, struct fx_entry_parts *parts)
{
	char none[] = "";
	struct fx_entry entry = {.id = (char *)id, .version = none};
	return fx_entry_parse(&entry, parts, NULL) == 0 &&
	       fx_ref_is(&parts->ref, resource->group, resource->kind);
}

/* Puts right what is missing of a resource: all objects, or those that the complete image does not have. */
static void put_missing_right(struct fx_ks *ks, const struct fx_resource *resource, bool all)
{
	pthread_mutex_lock(&ks->states.lock);
	for (struct fx_map_slot *s = NULL; (s = fx_map_next(&ks->states.states, s));) {
		struct fx_ks_state *state = s->value;
		const struct fx_ks_facts *facts = fx_map_get(&ks->states.facts, s->key);
		for (struct fx_map_slot *one = NULL; (one = fx_map_next(&state->applied, one));) {
			fx_cleanup(fx_auto_entry_parts) struct fx_entry_parts parts = {0};
			struct fx_applied *a = one->value;
			if (a->skipped || a->dirty || a->current_on_absence ||
			        !is_of(resource, one->key, &parts) ||
			        (!all && !fx_live_is_gone(ks->live, resource, parts.ref.namespace,
			                         parts.ref.name, a->version)))
				continue;
			if (facts && facts->suspended)
				a->dirty = true;
			else
				put_right(ks, s->key, state, a);
		}
	}
	pthread_mutex_unlock(&ks->states.lock);
}

/* A watch may begin long after the first object was applied, when the server is not ready for it: what was
 * deleted before has no event. */
static void on_live_synced(void *arg, const struct fx_resource *resource)
{
	put_missing_right(arg, resource, false);
}

/* Nor has every object one whose definition is deleted. */
static void on_live_gone(void *arg, const struct fx_resource *resource)
{
	put_missing_right(arg, resource, true);
}

static void on_live(void *arg, const struct fx_live_event *event)
{
	struct fx_ks *ks = arg;
	pthread_mutex_lock(&ks->states.lock);
	struct fx_ks_state *state = fx_map_get(&ks->states.states, event->owner);
	struct fx_applied *a = state ? fx_map_get(&state->applied, event->id) : NULL;
	const struct fx_ks_facts *facts = fx_map_get(&ks->states.facts, event->owner);
	if (!a || (facts && facts->suspended)) {
		/* Suspended: it is looked at when it is resumed. */
		if (a && (event->taken || is_drift(event, a)))
			a->dirty = true;
		pthread_mutex_unlock(&ks->states.lock);
		return;
	}
	if (event->taken)
		a->taken = true;
	if (event->taken || is_drift(event, a)) {
		put_right(ks, event->owner, state, a);
	} else if (tells_health(event) || state->wait == FX_KS_WAIT_STAGE) {
		if (state->running)
			state->wake_health = state->wake_health || state->wait == FX_KS_WAIT_HEALTH ||
			                     state->wait == FX_KS_WAIT_STAGE;
		else if (state->wait == FX_KS_WAIT_HEALTH || state->wait == FX_KS_WAIT_STAGE)
			enqueue_key(ks, event->owner, FX_PRIORITY_WAITED, 0);
	}
	pthread_mutex_unlock(&ks->states.lock);
}

/* ---- start and stop ---- */

static int start_source(struct fx_ks *ks, int i, struct fx_error *err)
{
	source_watches[i] = (struct source_watch){ks, fx_ks_source_kinds[i].kind};
	struct fx_reflector_options options = {.loop = ks->manager->loop,
	        .kube = ks->manager->kube,
	        .path = {.group = "source.toolkit.fluxcd.io",
	                .version = "v1",
	                .resource = fx_ks_source_kinds[i].resource,
	                .namespace_ = ks->manager->namespace_},
	        .slim = FX_SLIM_DROP,
	        .pack = fx_reflector_pack_json,
	        .on_change = on_source,
	        .arg = &source_watches[i]};
	int rc = fx_reflector_new(&options, &ks->sources[i], err);
	if (rc == 0)
		fx_reflector_start(ks->sources[i]);
	return rc;
}

static int start_config(struct fx_ks *ks, int i, const char *kind, const char *resource, struct fx_error *err)
{
	config_watches[i] = (struct source_watch){ks, kind};
	struct fx_reflector_options options = {.loop = ks->manager->loop,
	        .kube = ks->manager->kube,
	        .path = {.version = "v1", .resource = resource, .namespace_ = ks->manager->namespace_},
	        .label_selector = ks->options->watch_configs_label_selector,
	        .metadata_only = true,
	        .slim = FX_SLIM_DROP,
	        .pack = pack_nothing,
	        .on_change = on_config,
	        .arg = &config_watches[i]};
	int rc = fx_reflector_new(&options, &ks->configs[i], err);
	if (rc == 0)
		fx_reflector_start(ks->configs[i]);
	return rc;
}

int fx_ks_watches_start(struct fx_ks *ks, struct fx_error *err)
{
	struct fx_live_options options = {.loop = ks->manager->loop,
	        .kube = ks->manager->kube,
	        .overrides = ks->overrides,
	        .on_event = on_live,
	        .on_synced = on_live_synced,
	        .on_gone = on_live_gone,
	        .arg = ks};
	int rc = fx_live_new(&options, &ks->live, err);
	for (int i = 0; rc == 0 && i < FX_KS_SOURCES; i++)
		if (strcmp(fx_ks_source_kinds[i].kind, "ExternalArtifact") != 0 ||
		        fx_ks_gate(ks, FX_KS_GATE_EXTERNAL_ARTIFACT))
			rc = start_source(ks, i, err);
	if (rc < 0 || fx_ks_gate(ks, FX_KS_GATE_NO_CONFIG_WATCHERS))
		return rc;
	rc = start_config(ks, 0, "ConfigMap", "configmaps", err);
	return rc < 0 ? rc : start_config(ks, 1, "Secret", "secrets", err);
}

int fx_ks_watches_wait(struct fx_ks *ks, struct fx_error *err)
{
	/* The distribution may come without one of the source kinds: only what is there in time counts. */
	fx_auto(cancel) struct fx_cancel *limit = fx_cancel_new(ks->manager->stopping, fx_now_ms() + 3000);
	for (int i = 0; i < FX_KS_SOURCES; i++) {
		fx_auto(error) struct fx_error ignored = FX_ERROR_INIT;
		if (ks->sources[i] && fx_reflector_wait_synced(ks->sources[i], limit, &ignored) < 0)
			fx_log_info("setup", "source kind is not watched yet",
			        {"kind", fx_ks_source_kinds[i].kind, false},
			        {"reason", fx_error_message(&ignored), false});
	}
	return fx_cancel_is_fired(ks->manager->stopping) ? fx_fail(err, FX_E_CANCELED, "stopping") : 0;
}

void fx_ks_watches_stop(struct fx_ks *ks)
{
	for (int i = 0; i < FX_KS_SOURCES; i++) {
		fx_reflector_free(ks->sources[i]);
		ks->sources[i] = NULL;
	}
	for (int i = 0; i < 2; i++) {
		fx_reflector_free(ks->configs[i]);
		ks->configs[i] = NULL;
	}
	fx_live_free(ks->live);
	ks->live = NULL;
}
