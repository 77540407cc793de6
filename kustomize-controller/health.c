#include "health.h"

#include "core/clock.h"
#include "kube/object.h"

#include <string.h>

/* A just applied object that the watch has not shown yet is on its way for so long. */
#define UNSEEN_MS 10000
/* Pods are looked at only when a set has not come up after so long. */
#define PODS_AFTER_NS (5 * 1000000000LL)

struct check {
	struct fx_ks_run *run;
	struct fx_health_set *set;
	int64_t now_ns, started_ns;
	bool poll; /* something is not seen by a watch */
};

struct verdict {
	enum fx_kstatus status;
	bool undetermined; /* there is no way to tell */
	char *error;       /* owned */
};

static int count_failed(void *arg, json_t *item, struct fx_error *err)
{
	(void)err;
	json_t *one = json_pack("[O]", item);
	*(size_t *)arg += fx_kstatus_failed_pods(one, fx_wall_ns());
	json_decref(one);
	return 0;
}

/* The Pods that an object selects: how many have failed. 0 when they cannot be listed. */
static size_t failed_pods(struct check *c, const json_t *object, const char *namespace_)
{
	fx_cleanup(fx_auto_buf) struct fx_buf selector = FX_BUF_INIT;
	const char *key;
	json_t *value;
	size_t failed = 0;
	json_object_foreach (fx_json_at(object, "spec", "selector", "matchLabels"), key, value) {
		fx_buf_addf(&selector, "%s%s=%s", selector.len ? "," : "", key, json_string_value(value));
	}
	if (!selector.len)
		return 0;
	struct fx_kube_path path = {.version = "v1", .resource = "pods", .namespace_ = namespace_};
	struct fx_kube_list_options options = {.label_selector = fx_buf_str(&selector)};
	if (fx_kube_list(c->set->kube, &path, &options, c->run->reconcile->cancel, count_failed, &failed,
	            NULL) < 0)
		return 0;
	return failed;
}

/* Asks the API server. */
static struct verdict ask(struct check *c, const struct fx_resource *resource, const struct fx_ref *ref)
{
	struct verdict v = {.status = FX_KSTATUS_UNKNOWN};
	fx_auto(json) json_t *object = NULL;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct fx_kube_path path = fx_resource_path(resource, ref->namespace, ref->name);
	c->poll = true;
	int rc = fx_kube_get(c->set->kube, &path, c->run->reconcile->cancel, &object, &err);
	if (rc == -FX_E_NOT_FOUND) {
		v.status = FX_KSTATUS_NOT_FOUND;
		return v;
	}
	if (rc == 0)
		v.status = fx_kstatus_of(object, fx_wall_ns(), &err);
	if (v.status == FX_KSTATUS_UNKNOWN) {
		v.error = strdup(fx_error_message(&err));
		return v;
	}
	if (v.status == FX_KSTATUS_IN_PROGRESS &&
	        fx_kstatus_has_pods(ref->group, ref->group_len, ref->kind) &&
	        c->now_ns - c->started_ns > PODS_AFTER_NS) {
		size_t failed = failed_pods(c, object, ref->namespace);
		if (failed) {
			v.status = FX_KSTATUS_FAILED;
			if (asprintf(&v.error, "%zu pods have failed", failed) < 0)
				v.error = NULL;
		}
	}
	return v;
}

static bool needs_request(struct check *c, const struct fx_ref *ref, enum fx_kstatus status)
{
	bool by_time =
	        fx_ref_is(ref, "", "Pod") || fx_kstatus_has_pods(ref->group, ref->group_len, ref->kind);
	if (status != FX_KSTATUS_IN_PROGRESS || !by_time)
		return false;
	c->poll = true;
	return c->now_ns - c->started_ns > PODS_AFTER_NS;
}

/* From the image, when it says something. */
static bool look(struct check *c, const struct fx_resource *resource, const struct fx_ref *ref,
        const struct fx_applied *own, struct verdict *out)
{
	struct fx_live_record record;
	*out = (struct verdict){.status = FX_KSTATUS_IN_PROGRESS};
	switch (fx_live_get(c->run->ks->live, resource, ref->namespace, ref->name, &record)) {
	case 1:
		if (!own || record.version >= own->version)
			out->status = record.status;
		return record.status != FX_KSTATUS_UNKNOWN && !needs_request(c, ref, out->status);
	case 0:
		if (!own)
			return false;
		if (own->dirty)
			out->status = FX_KSTATUS_NOT_FOUND;
		else if (fx_now_ms() - own->applied_ms > UNSEEN_MS)
			return false;
		return true;
	default:
		return false;
	}
}

static struct verdict judge(struct check *c, const struct fx_entry *entry, const struct fx_ref *ref)
{
	struct fx_resource resource;
	struct fx_applied copy, *own = NULL;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_autofree char *group = strndup(ref->group, ref->group_len);
	struct verdict v = {.status = FX_KSTATUS_UNKNOWN};
	if (!group || fx_discovery_kind(c->run->ks->manager->discovery, group, NULL, ref->kind,
	                      c->run->reconcile->cancel, &resource, &err) < 0) {
		v.error = strdup(fx_error_message(&err));
		c->poll = true;
		return v;
	}
	if (resource.namespaced && !*ref->namespace) {
		v.undetermined = true;
		if (asprintf(&v.error, "resource %s%s%s %s is namespace scoped, but namespace is not set",
		            ref->kind, *group ? "." : "", group, ref->name) < 0)
			v.error = NULL;
		return v;
	}
	pthread_mutex_lock(&c->run->ks->states.lock);
	const struct fx_applied *applied = fx_map_get(&c->run->state->applied, entry->id);
	if (applied) {
		copy = *applied;
		own = &copy;
	}
	pthread_mutex_unlock(&c->run->ks->states.lock);
	if (!look(c, &resource, ref, own, &v))
		v = ask(c, &resource, ref);
	if (v.status == FX_KSTATUS_NOT_FOUND && own && own->current_on_absence)
		v.status = FX_KSTATUS_CURRENT;
	return v;
}

static void add_problem(struct fx_buf *list, const struct fx_ref *ref, const struct verdict *v)
{
	if (list->len)
		fx_buf_add_str(list, ", ");
	if (v->undetermined) {
		fx_buf_add_str(list, "can't determine status for ");
		fx_ref_add_subject(ref, list);
		if (v->error)
			fx_buf_addf(list, ": %s", v->error);
		return;
	}
	fx_ref_add_subject(ref, list);
	fx_buf_addf(list, " status: '%s'", fx_kstatus_name(v->status));
	if (v->error)
		fx_buf_addf(list, ": %s", v->error);
}

struct tally {
	struct fx_buf failed; /* failed or without a way to tell */
	struct fx_buf open;   /* all that are not current */
	bool any_failed, any_open, any_undetermined;
};

static int check_entry(struct check *c, const struct fx_entry *entry, struct tally *t, struct fx_error *err)
{
	fx_cleanup(fx_auto_entry_parts) struct fx_entry_parts parts = {0};
	int rc = fx_entry_parse(entry, &parts, err);
	if (rc < 0)
		return rc;
	struct verdict v = judge(c, entry, &parts.ref);
	if (v.undetermined || v.status == FX_KSTATUS_FAILED)
		add_problem(&t->failed, &parts.ref, &v);
	if (v.undetermined || v.status != FX_KSTATUS_CURRENT)
		add_problem(&t->open, &parts.ref, &v);
	t->any_undetermined = t->any_undetermined || v.undetermined;
	t->any_failed = t->any_failed || v.status == FX_KSTATUS_FAILED;
	t->any_open = t->any_open ||
	              (!v.undetermined && v.status != FX_KSTATUS_FAILED && v.status != FX_KSTATUS_CURRENT);
	free(v.error);
	return 0;
}

static enum fx_health_result conclude(
        const struct check *c, const struct tally *t, int64_t deadline_ns, struct fx_error *err)
{
	if (!t->any_failed && !t->any_open && !t->any_undetermined)
		return FX_HEALTH_OK;
	if (t->any_undetermined || !t->any_open || (t->any_failed && c->set->fail_fast)) {
		fx_fail(err, FX_E_INVALID, "failed early due to stalled resources: [%s]",
		        fx_buf_str(&t->failed));
		return FX_HEALTH_FAILED;
	}
	if (c->now_ns >= deadline_ns) {
		fx_fail(err, FX_E_TIMEOUT, "timeout waiting for: [%s]", fx_buf_str(&t->open));
		return FX_HEALTH_FAILED;
	}
	int64_t left_ms = (deadline_ns - c->now_ns) / 1000000 + 1;
	c->set->next_ms = c->poll && left_ms > FX_HEALTH_POLL_MS ? FX_HEALTH_POLL_MS : left_ms;
	return FX_HEALTH_WAIT;
}

enum fx_health_result fx_health_check(struct fx_ks_run *run, struct fx_health_set *set, int64_t started_ns,
        int64_t deadline_ns, struct fx_error *err)
{
	struct check c = {.run = run, .set = set, .now_ns = fx_now_ns(), .started_ns = started_ns};
	struct tally t = {0};
	enum fx_health_result result = FX_HEALTH_OK;
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < set->entries.len; i++)
		rc = check_entry(&c, &set->entries.items[i], &t, err);
	result = rc < 0 ? FX_HEALTH_FAILED : conclude(&c, &t, deadline_ns, err);
	fx_buf_release(&t.failed);
	fx_buf_release(&t.open);
	return result;
}

static bool is_self(const struct fx_ks_run *run, const struct fx_ref *ref)
{
	return fx_ref_is(ref, FX_KS_GROUP, FX_KS_KIND) && !strcmp(ref->name, run->reconcile->name) &&
	       !strcmp(ref->namespace, run->reconcile->namespace_);
}

static int add_applied(
        struct fx_ks_run *run, const struct fx_entry *entry, struct fx_inventory *out, struct fx_error *err)
{
	fx_cleanup(fx_auto_entry_parts) struct fx_entry_parts parts = {0};
	int rc = fx_entry_parse(entry, &parts, err);
	if (rc < 0)
		return rc;
	pthread_mutex_lock(&run->ks->states.lock);
	const struct fx_applied *applied = fx_map_get(&run->state->applied, entry->id);
	bool skipped = applied && applied->skipped;
	pthread_mutex_unlock(&run->ks->states.lock);
	if (skipped || is_self(run, &parts.ref))
		return 0;
	return fx_inventory_add(out, entry->id, entry->version) ? 0 : fx_fail_nomem(err);
}

static int add_named(
        struct fx_ks_run *run, const json_t *check, struct fx_inventory *out, struct fx_error *err)
{
	const char *api = fx_json_str_at(check, "apiVersion"), *kind = fx_json_str_at(check, "kind");
	const char *name = fx_json_str_at(check, "name"), *ns = fx_json_str_at(check, "namespace");
	if (!api || !*api)
		api = "apps/v1";
	const char *slash = strrchr(api, '/');
	struct fx_ref ref = {.group = api,
	        .group_len = slash ? (size_t)(slash - api) : 0,
	        .version = slash ? slash + 1 : api,
	        .kind = kind ? kind : "",
	        .namespace = ns ? ns : "",
	        .name = name ? name : ""};
	if (is_self(run, &ref))
		return 0;
	return fx_inventory_add_ref(out, &ref) ? 0 : fx_fail_nomem(err);
}

int fx_health_entries(struct fx_ks_run *run, const struct fx_inventory *inventory, struct fx_inventory *out,
        struct fx_error *err)
{
	int rc = 0;
	if (json_is_true(json_object_get(run->spec, "wait"))) {
		for (size_t i = 0; rc == 0 && i < inventory->len; i++)
			rc = add_applied(run, &inventory->items[i], out, err);
		return rc;
	}
	size_t i;
	json_t *check;
	json_array_foreach (json_object_get(run->spec, "healthChecks"), i, check) {
		rc = add_named(run, check, out, err);
		if (rc < 0)
			return rc;
	}
	return rc;
}
