/* Dependencies of a Kustomization (reconciler.h). */
#include "reconciler.h"

#include "kube/object.h"

#include <string.h>

struct dependency {
	char *key; /* owned */
	bool same_source;
	bool found, ready;
	char *last_applied; /* owned */
};

/* What the image says; true when it has the object. */
static bool look_up(struct fx_ks *ks, struct dependency *d, const char *source)
{
	pthread_mutex_lock(&ks->states.lock);
	const struct fx_ks_facts *f = fx_map_get(&ks->states.facts, d->key);
	if (f) {
		d->found = true;
		d->ready = f->has_conditions && f->observed && f->ready;
		d->same_source = !strcmp(f->source ? f->source : "", source);
		fx_ks_state_set_text(&d->last_applied, f->last_applied ? f->last_applied : "");
	}
	pthread_mutex_unlock(&ks->states.lock);
	return f != NULL;
}

/* A dependency outside of what this controller watches (another shard or namespace). */
static int ask(struct fx_ks_run *run, struct dependency *d, const char *ns, const char *name,
        const char *source, struct fx_error *err)
{
	fx_auto(json) json_t *object = NULL;
	struct fx_kube_path path = {.group = FX_KS_GROUP,
	        .version = "v1",
	        .resource = "kustomizations",
	        .namespace_ = ns,
	        .name = name};
	int rc = fx_kube_get(run->ks->manager->kube, &path, run->reconcile->cancel, &object, err);
	if (rc < 0)
		return rc;
	struct fx_ks_facts *f = fx_ks_facts_of(object);
	if (!f)
		return fx_fail_nomem(err);
	d->found = true;
	d->ready = f->has_conditions && f->observed && f->ready;
	d->same_source = !strcmp(f->source ? f->source : "", source);
	fx_ks_state_set_text(&d->last_applied, f->last_applied ? f->last_applied : "");
	fx_ks_facts_free(f);
	return 0;
}

static int check_one(struct fx_ks_run *run, const json_t *ref, const char *source, struct fx_error *err)
{
	const char *name = fx_json_str_at(ref, "name"), *ns = fx_json_str_at(ref, "namespace");
	if (!ns || !*ns)
		ns = run->reconcile->namespace_;
	struct dependency d = {.key = fx_object_key(ns, name ? name : "")};
	if (!d.key)
		return fx_fail_nomem(err);
	fx_autofree char *key = d.key;
	fx_auto(error) struct fx_error failure = FX_ERROR_INIT;
	int rc = 0;
	if (!look_up(run->ks, &d, source) && ask(run, &d, ns, name ? name : "", source, &failure) < 0) {
		fx_fail(err, FX_E_NOT_FOUND, "dependency '%s' not found: %s", key,
		        fx_error_message(&failure));
		rc = 1;
	} else if (!d.ready) {
		fx_fail(err, FX_E_UNAVAILABLE, "dependency '%s' is not ready", key);
		rc = 1;
	} else if (d.same_source && strcmp(d.last_applied, run->artifact.revision) != 0) {
		fx_fail(err, FX_E_UNAVAILABLE, "dependency '%s' revision is not up to date", key);
		rc = 1;
	}
	free(d.last_applied);
	return rc;
}

int fx_ks_check_dependencies(struct fx_ks_run *run, struct fx_error *err)
{
	const json_t *list = json_object_get(run->spec, "dependsOn");
	if (json_array_size(list) == 0)
		return 0;
	struct fx_ks_facts *own = fx_ks_facts_of(run->object);
	if (!own)
		return fx_fail_nomem(err);
	int rc = 0;
	size_t i;
	json_t *ref;
	json_array_foreach (list, i, ref) {
		rc = check_one(run, ref, own->source ? own->source : "", err);
		if (rc)
			break;
	}
	fx_ks_facts_free(own);
	return rc;
}
