#include "state.h"
#include "manifest.h"

#include "core/clock.h"
#include "core/vec.h"
#include "data/jansson.h"
#include "kube/object.h"
#include "runtime/conditions.h"

#include <string.h>

static void state_free(struct fx_ks_state *s)
{
	free(s->revision);
	free(s->requested);
	free(s->origin_revision);
	free(s->changes);
	free(s->cancel_by);
	free(s->fetch_url);
	free(s->trace);
	fx_map_release(&s->applied);
	free(s);
}

/* Under the lock. */
static void state_unref(void *p)
{
	struct fx_ks_state *s = p;
	if (--s->refs == 0)
		state_free(s);
}

static void free_facts(void *p)
{
	fx_ks_facts_free(p);
}

void fx_ks_states_init(struct fx_ks_states *states)
{
	pthread_mutex_init(&states->lock, NULL);
	states->states = (struct fx_map)FX_MAP_INIT_FREE(state_unref);
	states->facts = (struct fx_map)FX_MAP_INIT_FREE(free_facts);
}

void fx_ks_states_release(struct fx_ks_states *states)
{
	fx_map_release(&states->states);
	fx_map_release(&states->facts);
	pthread_mutex_destroy(&states->lock);
}

static struct fx_ks_state *new_state(struct fx_ks_states *states, const char *key)
{
	struct fx_ks_state *s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->refs = 1;
	s->applied = (struct fx_map)FX_MAP_INIT_FREE(free);
	if (fx_map_set(&states->states, key, s))
		return s;
	state_free(s);
	return NULL;
}

struct fx_ks_state *fx_ks_state_begin(struct fx_ks_states *states, const char *key)
{
	pthread_mutex_lock(&states->lock);
	struct fx_ks_state *s = fx_map_get(&states->states, key);
	if (!s)
		s = new_state(states, key);
	if (s) {
		s->refs++;
		s->running = true;
		s->wake = s->wake_health = false;
	}
	pthread_mutex_unlock(&states->lock);
	return s;
}

/* What was changed while the run went on counts like what is changed at other times. Milliseconds until the
 * first pause ends, -1 when none does. */
static int64_t pause_of_dirty(struct fx_ks_state *s)
{
	int64_t now_ms = fx_now_ms(), least_ms = -1;
	for (struct fx_map_slot *slot = NULL; (slot = fx_map_next(&s->applied, slot));) {
		struct fx_applied *a = slot->value;
		if (!a->dirty)
			continue;
		bool is_new = !a->paused_ms && s->wake;
		int64_t left_ms = is_new ? fx_applied_pause_ms(a, now_ms) : a->paused_ms - now_ms;
		/* A pause that is over has had its run, which could not help. */
		if ((is_new || left_ms > 0) && (least_ms < 0 || left_ms < least_ms))
			least_ms = left_ms;
	}
	return least_ms;
}

int64_t fx_ks_state_end(struct fx_ks_states *states, struct fx_ks_state *state)
{
	pthread_mutex_lock(&states->lock);
	int64_t again_ms = state->gone ? -1 : pause_of_dirty(state);
	if (!state->gone && state->wake_health)
		again_ms = 0;
	state->running = state->wake = state->wake_health = false;
	state_unref(state);
	pthread_mutex_unlock(&states->lock);
	return again_ms;
}

void fx_ks_state_set_wait(struct fx_ks_states *states, struct fx_ks_state *state, enum fx_ks_wait wait)
{
	pthread_mutex_lock(&states->lock);
	state->wait = wait;
	pthread_mutex_unlock(&states->lock);
}

void fx_ks_states_forget(struct fx_ks_states *states, const char *key)
{
	pthread_mutex_lock(&states->lock);
	struct fx_ks_state *s = fx_map_get(&states->states, key);
	if (s)
		s->gone = true;
	fx_map_del(&states->states, key);
	fx_map_del(&states->facts, key);
	pthread_mutex_unlock(&states->lock);
}

void fx_ks_state_set_text(char **slot, const char *text)
{
	char *copy = text ? strdup(text) : NULL;
	free(*slot);
	*slot = copy;
}

static void free_list(char **list)
{
	for (char **p = list; p && *p; p++)
		free(*p);
	free(list);
}

void fx_ks_facts_free(struct fx_ks_facts *facts)
{
	if (!facts)
		return;
	free(facts->source);
	free_list(facts->dependencies);
	free_list(facts->configs);
	free(facts->last_applied);
	free(facts->last_attempted);
	free(facts);
}

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

static const char *namespace_or(const json_t *ref, const char *own)
{
	const char *ns = fx_json_str_at(ref, "namespace");
	return ns && *ns ? ns : own;
}

/* Formatted text, NULL without memory. */
static char *join3(const char *a, const char *b, const char *c)
{
	char *text;
	return asprintf(&text, "%s%s%s%s%s", a, *a ? "/" : "", b, *b && *c ? "/" : "", c) < 0 ? NULL : text;
}

static char **dependencies_of(const json_t *spec, const char *ns)
{
	const json_t *list = json_object_get(spec, "dependsOn");
	size_t count = json_array_size(list);
	char **out = count ? calloc(count + 1, sizeof(*out)) : NULL;
	for (size_t i = 0; out && i < count; i++) {
		const json_t *d = json_array_get(list, i);
		out[i] = join3(namespace_or(d, ns), or_empty(fx_json_str_at(d, "name")), "");
		if (!out[i])
			break;
	}
	return out;
}

static void add_config(char **out, size_t *n, const char *kind, const char *name)
{
	if (name && (out[*n] = join3(kind, name, "")))
		++*n;
}

static char **configs_of(const json_t *spec)
{
	const json_t *from = fx_json_at(spec, "postBuild", "substituteFrom");
	char **out = calloc(json_array_size(from) + 4, sizeof(*out));
	size_t n = 0, i;
	json_t *ref;
	if (!out)
		return NULL;
	add_config(out, &n, "ConfigMap", fx_json_str_at(spec, "kubeConfig", "configMapRef", "name"));
	add_config(out, &n, "Secret", fx_json_str_at(spec, "kubeConfig", "secretRef", "name"));
	add_config(out, &n, "Secret", fx_json_str_at(spec, "decryption", "secretRef", "name"));
	json_array_foreach (from, i, ref) {
		add_config(out, &n, or_empty(fx_json_str_at(ref, "kind")), fx_json_str_at(ref, "name"));
	}
	if (n)
		return out;
	free(out);
	return NULL;
}

struct fx_ks_facts *fx_ks_facts_of(const json_t *object)
{
	struct fx_ks_facts *f = calloc(1, sizeof(*f));
	if (!f)
		return NULL;
	const json_t *spec = json_object_get(object, "spec"), *status = json_object_get(object, "status");
	const json_t *source = json_object_get(spec, "sourceRef"),
	             *conditions = json_object_get(status, "conditions");
	const char *ns = fx_object_namespace(object);
	f->source = join3(or_empty(fx_json_str_at(source, "kind")), namespace_or(source, ns),
	        or_empty(fx_json_str_at(source, "name")));
	f->dependencies = dependencies_of(spec, ns);
	f->configs = configs_of(spec);
	fx_ks_state_set_text(&f->last_applied, fx_json_str_at(status, "lastAppliedRevision"));
	fx_ks_state_set_text(&f->last_attempted, fx_json_str_at(status, "lastAttemptedRevision"));
	f->has_conditions = json_array_size(conditions) > 0;
	f->observed = fx_json_int_at(status, -1, "observedGeneration") == fx_object_generation(object);
	f->ready = fx_conditions_is(conditions, FX_CONDITION_READY, "True");
	f->ready_or_reconciling =
	        fx_conditions_is_ready(conditions) || fx_conditions_is_reconciling(conditions);
	f->suspended = fx_json_bool_at(spec, "suspend");
	return f;
}

void fx_ks_states_note(struct fx_ks_states *states, const char *key, const json_t *object)
{
	struct fx_ks_facts *facts = fx_ks_facts_of(object);
	pthread_mutex_lock(&states->lock);
	if (facts && !fx_map_set(&states->facts, key, facts))
		fx_ks_facts_free(facts);
	pthread_mutex_unlock(&states->lock);
}

int64_t fx_applied_pause_ms(struct fx_applied *applied, int64_t now_ms)
{
	if (applied->fights && now_ms - applied->drifted_ms > FX_FIGHT_WINDOW_MS)
		applied->fights = 0;
	applied->drifted_ms = now_ms;
	if (applied->fights < UINT16_MAX)
		applied->fights++;
	int step = applied->fights - 1 - (applied->taken ? 0 : FX_FIGHT_FREE);
	int64_t first = applied->taken ? FX_TAKEN_PAUSE_MIN_MS : FX_FIGHT_PAUSE_MIN_MS, pause = 0;
	if (step >= 0)
		pause = step < 20 && first << step < FX_FIGHT_PAUSE_MAX_MS ? first << step
		                                                           : FX_FIGHT_PAUSE_MAX_MS;
	applied->paused_ms = now_ms + pause;
	return pause;
}
