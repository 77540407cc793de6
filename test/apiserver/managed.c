#include "managed.h"

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/vec.h"
#include "fields.h"
#include "obj.h"
#include "schema.h"

#include <string.h>

/* Updates by so many managers are kept apart; the oldest beyond go into one entry. */
#define UPDATE_MANAGERS_MAX 10
#define LAST_APPLIED "kubectl.kubernetes.io/last-applied-configuration"
#define ANCIENT_MANAGER "ancient-changes"

struct entry {
	char *manager, *operation, *api_version, *subresource;
	char *time;
	json_t *set; /* owned; NULL: empty */
};

struct managers {
	FX_VEC(struct entry) entries;
};

static void entry_release(struct entry *e)
{
	free(e->manager);
	free(e->operation);
	free(e->api_version);
	free(e->subresource);
	free(e->time);
	json_decref(e->set);
}

static void fx_auto_managers(struct managers *m)
{
	fx_vec_foreach (struct entry, e, &m->entries)
		entry_release(e);
	fx_vec_release(&m->entries);
}

static char *text_or(const json_t *entry, const char *key)
{
	const char *s = fx_json_str_at(entry, key);
	return strdup(s ? s : "");
}

static void decode(const json_t *list, struct managers *out)
{
	size_t i;
	json_t *item;
	json_array_foreach (list, i, item) {
		struct entry e = {.manager = text_or(item, "manager"),
		        .operation = text_or(item, "operation"),
		        .api_version = text_or(item, "apiVersion"),
		        .subresource = text_or(item, "subresource"),
		        .time = text_or(item, "time"),
		        .set = fx_as_fields_decode(json_object_get(item, "fieldsV1"))};
		if (!e.set || !fx_vec_push(&out->entries, e))
			entry_release(&e);
	}
}

static json_t *encode_entry(const struct entry *e)
{
	json_t *item = json_object();
	json_object_set_new(item, "manager", json_string(e->manager));
	json_object_set_new(item, "operation", json_string(e->operation));
	json_object_set_new(item, "apiVersion", json_string(e->api_version));
	if (*e->time)
		json_object_set_new(item, "time", json_string(e->time));
	json_object_set_new(item, "fieldsType", json_string("FieldsV1"));
	json_object_set_new(item, "fieldsV1", fx_as_fields_encode(e->set));
	if (*e->subresource)
		json_object_set_new(item, "subresource", json_string(e->subresource));
	return item;
}

/* Applies first, then by time, then by name. */
static int by_age(const void *pa, const void *pb)
{
	const struct entry *a = pa, *b = pb;
	int order = strcmp(a->operation, b->operation);
	if (order == 0)
		order = strcmp(a->time, b->time);
	if (order == 0)
		order = strcmp(a->manager, b->manager);
	if (order == 0)
		order = strcmp(a->api_version, b->api_version);
	return order ? order : strcmp(a->subresource, b->subresource);
}

static void encode(struct managers *m, json_t *object)
{
	json_t *list = json_array();
	if (m->entries.len)
		qsort(m->entries.items, m->entries.len, sizeof(struct entry), by_age);
	fx_vec_foreach (struct entry, e, &m->entries) {
		if (e->set)
			json_array_append_new(list, encode_entry(e));
	}
	if (json_array_size(list))
		fx_as_put(object, json_incref(list), "metadata", "managedFields", NULL);
	else
		fx_json_del_at(object, "metadata", "managedFields");
	json_decref(list);
}

static struct entry *find(struct managers *m, const struct fx_as_writer *w, const char *operation, bool add)
{
	fx_vec_foreach (struct entry, e, &m->entries) {
		if (strcmp(e->manager, w->manager) == 0 && strcmp(e->operation, operation) == 0 &&
		        strcmp(e->api_version, w->api_version) == 0 &&
		        strcmp(e->subresource, w->subresource) == 0)
			return e;
	}
	struct entry e = {.manager = strdup(w->manager),
	        .operation = strdup(operation),
	        .api_version = strdup(w->api_version),
	        .subresource = strdup(w->subresource),
	        .time = strdup("")};
	if (!add || !fx_vec_push(&m->entries, e)) {
		entry_release(&e);
		return NULL;
	}
	return &m->entries.items[m->entries.len - 1];
}

static void stamp(struct entry *e)
{
	fx_auto(json) json_t *now = fx_as_now();
	free(e->time);
	e->time = strdup(json_string_value(now));
}

static void set_replace(struct entry *e, json_t *set)
{
	json_decref(e->set);
	e->set = set;
}

/* What is never owned: identity, what the server itself sets, and what this write does not store. */
static json_t *stripped(const struct fx_as_writer *w, json_t *set)
{
	static const char *const meta[] = {".", "f:name", "f:namespace", "f:creationTimestamp", "f:selfLink",
	        "f:uid", "f:clusterName", "f:generation", "f:managedFields", "f:resourceVersion"};
	json_object_del(set, "f:apiVersion");
	json_object_del(set, "f:kind");
	json_t *metadata = json_object_get(set, "f:metadata");
	for (size_t i = 0; i < FX_COUNT(meta); i++)
		json_object_del(metadata, meta[i]);
	bool status = *w->subresource;
	if (metadata && (!json_object_size(metadata) || (status && w->custom)))
		json_object_del(set, "f:metadata");
	if (status)
		json_object_del(set, "f:spec");
	else if (w->has_status)
		json_object_del(set, "f:status");
	if (set && !json_object_size(set)) {
		json_decref(set);
		return NULL;
	}
	return set;
}

/* An object without its managedFields; a shallow copy. */
static json_t *unmanaged(const json_t *object)
{
	json_t *copy = json_copy((json_t *)object);
	json_t *meta = json_copy(json_object_get(object, "metadata"));
	if (meta) {
		json_object_del(meta, "managedFields");
		json_object_set_new(copy, "metadata", meta);
	}
	return copy;
}

/* The managers before a write: those of the request when it changes them, else the live ones. */
static void load(const struct fx_as_writer *w, const json_t *live, const json_t *new, struct managers *out)
{
	const json_t *asked = fx_json_at(new, "metadata", "managedFields");
	const json_t *have = fx_json_at(live, "metadata", "managedFields");
	if (!*w->subresource && json_array_size(asked) == 1 && !json_object_size(json_array_get(asked, 0)))
		return;
	if (!*w->subresource && json_array_size(asked))
		decode(asked, out);
	if (!out->entries.len)
		decode(have, out);
}

static void fold_ancient(struct managers *m, const struct fx_as_writer *w)
{
	size_t updates = 0;
	fx_vec_foreach (struct entry, e, &m->entries)
		updates += e->set && strcmp(e->operation, "Update") == 0;
	if (updates <= UPDATE_MANAGERS_MAX)
		return;
	qsort(m->entries.items, m->entries.len, sizeof(struct entry), by_age);
	struct fx_as_writer ancient = *w;
	ancient.manager = ANCIENT_MANAGER;
	ancient.subresource = "";
	if (!find(m, &ancient, "Update", true))
		return;
	struct entry *bucket = find(m, &ancient, "Update", false);
	fx_vec_foreach (struct entry, e, &m->entries) {
		if (updates < UPDATE_MANAGERS_MAX)
			break;
		if (e == bucket || !e->set || strcmp(e->operation, "Update") != 0)
			continue;
		set_replace(bucket, fx_as_fields_union(bucket->set, e->set));
		set_replace(e, NULL);
		free(bucket->time);
		bucket->time = strdup(e->time);
		updates--;
	}
}

/* Takes what changed away from everybody but `self`. */
static void take_from_others(
        struct managers *m, const struct entry *self, const json_t *changed, const json_t *removed)
{
	fx_vec_foreach (struct entry, e, &m->entries) {
		if (e == self || !e->set)
			continue;
		json_t *kept = fx_as_fields_difference(e->set, changed);
		if (kept && removed) {
			json_t *less = fx_as_fields_difference(kept, removed);
			json_decref(kept);
			kept = less;
		}
		set_replace(e, kept);
	}
}

void fx_as_managed_update(const struct fx_as_writer *w, const json_t *live, json_t *new)
{
	fx_auto(managers) struct managers m = {0};
	load(w, live, new, &m);
	fx_auto(json) json_t *before = live ? unmanaged(live) : fx_as_schema_zero(w->schema);
	fx_auto(json) json_t *after = unmanaged(new);
	fx_auto(json) json_t *changed = NULL, *removed = NULL;
	fx_as_fields_compare(w->schema, before, after, &changed, &removed);
	struct entry *self = find(&m, w, "Update", true);
	if (!self)
		return;
	take_from_others(&m, self, changed, removed);
	fx_auto(json) json_t *old_set = json_deep_copy(self->set);
	fx_auto(json) json_t *less = fx_as_fields_difference(self->set, removed);
	set_replace(self, stripped(w, fx_as_fields_union(less, changed)));
	if (!*self->time || (self->set && !(old_set && json_equal(old_set, self->set))))
		stamp(self);
	fold_ancient(&m, w);
	encode(&m, new);
}

struct conflict {
	const struct entry *entry;
	json_t *paths; /* strings, owned */
};

static char *conflict_name(const struct entry *e)
{
	fx_auto(buf) struct fx_buf text = FX_BUF_INIT;
	fx_buf_addf(&text, "\"%s\"", e->manager);
	if (*e->subresource)
		fx_buf_addf(&text, " with subresource \"%s\"", e->subresource);
	if (strcmp(e->operation, "Update") == 0)
		fx_buf_addf(&text, " using %s", e->api_version);
	return fx_buf_take(&text, NULL);
}

static json_t *conflict_status(const struct conflict *all, size_t count)
{
	fx_auto(buf) struct fx_buf text = FX_BUF_INIT;
	fx_auto(json) json_t *causes = json_array();
	size_t total = 0, i;
	for (size_t c = 0; c < count; c++)
		total += json_array_size(all[c].paths);
	fx_buf_addf(&text, "Apply failed with %zu conflict%s: ", total, total == 1 ? "" : "s");
	for (size_t c = 0; c < count; c++) {
		fx_autofree char *name = conflict_name(all[c].entry);
		json_t *path;
		fx_buf_addf(&text, "%sconflict%s with %s:", c ? "\n" : "", total == 1 ? "" : "s", name);
		json_array_foreach (all[c].paths, i, path) {
			const char *field = json_string_value(path);
			fx_buf_addf(&text, total == 1 ? " %s" : "\n- %s", field);
			fx_autofree char *message = NULL;
			if (asprintf(&message, "conflict with %s", name) < 0)
				continue;
			json_array_append_new(
			        causes, json_pack("{s:s,s:s,s:s}", "reason", "FieldManagerConflict",
			                        "message", message, "field", field));
		}
	}
	json_t *status = fx_as_status(409, "Conflict", "%s", fx_buf_str(&text));
	fx_as_put(status, json_incref(causes), "details", "causes", NULL);
	return status;
}

static int by_conflict(const void *pa, const void *pb)
{
	const struct conflict *a = pa, *b = pb;
	return strcmp(a->entry->manager, b->entry->manager);
}

static json_t *find_conflicts(struct managers *m, const struct entry *self, const json_t *changed)
{
	FX_VEC(struct conflict) all = {0};
	json_t *status = NULL;
	fx_vec_foreach (struct entry, e, &m->entries) {
		fx_auto(json) json_t *both = e == self ? NULL : fx_as_fields_intersect(e->set, changed);
		struct conflict c = {.entry = e, .paths = both ? json_array() : NULL};
		if (!both)
			continue;
		fx_as_fields_paths(both, c.paths);
		if (!fx_vec_push(&all, c))
			json_decref(c.paths);
	}
	if (all.len) {
		qsort(all.items, all.len, sizeof(struct conflict), by_conflict);
		status = conflict_status(all.items, all.len);
	}
	fx_vec_foreach (struct conflict, c, &all)
		json_decref(c->paths);
	fx_vec_release(&all);
	return status;
}

/* Removes what this manager applied before, no longer applies, and nobody else owns. */
static json_t *prune_merged(
        const struct fx_as_writer *w, struct managers *m, json_t *merged, const json_t *last)
{
	if (!last)
		return json_incref(merged);
	fx_auto(json) json_t *owned = NULL;
	fx_vec_foreach (struct entry, e, &m->entries) {
		json_t *more = fx_as_fields_union(owned, e->set);
		json_decref(owned);
		owned = more;
	}
	fx_auto(json) json_t *last_named = fx_as_fields_ensure_named(w->schema, last);
	fx_auto(json) json_t *owned_named = fx_as_fields_ensure_named(w->schema, owned);
	fx_auto(json) json_t *gone = fx_as_fields_difference(last_named, owned_named);
	return gone ? fx_as_fields_remove(w->schema, merged, gone) : json_incref(merged);
}

/* kubectl's client-side apply goes on from what its server-side apply did: the annotation is kept true. */
static void keep_last_applied(const struct fx_as_writer *w, const json_t *config, json_t *out)
{
	if (strcmp(w->manager, "kubectl") != 0 || !fx_json_at(out, "metadata", "annotations", LAST_APPLIED))
		return;
	fx_auto(json) json_t *copy = json_deep_copy(config);
	fx_json_del_at(copy, "metadata", "annotations", LAST_APPLIED);
	if (!json_object_size(fx_json_at(copy, "metadata", "annotations")))
		fx_json_del_at(copy, "metadata", "annotations");
	fx_autofree char *text = fx_as_text(copy);
	fx_autofree char *line = NULL;
	if (text && asprintf(&line, "%s\n", text) >= 0)
		fx_as_put(out, json_string(line), "metadata", "annotations", LAST_APPLIED, NULL);
}

void fx_as_managed_apply(const struct fx_as_writer *w, const json_t *live, const json_t *config, bool force,
        json_t **out, json_t **status)
{
	fx_auto(managers) struct managers m = {0};
	*out = *status = NULL;
	decode(fx_json_at(live, "metadata", "managedFields"), &m);
	fx_auto(json) json_t *before = live ? unmanaged(live) : fx_as_schema_zero(w->schema);
	struct entry *self = find(&m, w, "Apply", true);
	if (!self)
		return;
	fx_auto(json) json_t *last = fx_take(self->set);
	/* The identity counts as owned until what is no longer applied has gone. */
	self->set = fx_as_fields_of(w->schema, config);
	fx_auto(json) json_t *merged = fx_as_fields_merge(w->schema, before, config);
	fx_auto(json) json_t *pruned = prune_merged(w, &m, merged, last);
	self->set = stripped(w, fx_take(self->set));
	fx_auto(json) json_t *changed = NULL, *removed = NULL;
	fx_as_fields_compare(w->schema, before, pruned, &changed, &removed);
	changed = stripped(w, fx_take(changed));
	if (!force && (*status = find_conflicts(&m, self, changed)))
		return;
	take_from_others(&m, self, changed, removed);
	if (!live || changed || removed)
		stamp(self);
	*out = json_deep_copy(pruned);
	encode(&m, *out);
	keep_last_applied(w, config, *out);
}

static json_t *without_times(const json_t *list)
{
	json_t *copy = json_deep_copy(list);
	size_t i;
	json_t *item;
	json_array_foreach (copy, i, item)
		json_object_del(item, "time");
	return copy;
}

bool fx_as_managed_same(const json_t *a, const json_t *b)
{
	fx_auto(json) json_t *plain_a = unmanaged(a);
	fx_auto(json) json_t *plain_b = unmanaged(b);
	if (!json_equal(plain_a, plain_b))
		return false;
	fx_auto(json) json_t *times_a = without_times(fx_json_at(a, "metadata", "managedFields"));
	fx_auto(json) json_t *times_b = without_times(fx_json_at(b, "metadata", "managedFields"));
	return (!times_a && !times_b) || (times_a && times_b && json_equal(times_a, times_b));
}
