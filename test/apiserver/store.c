#include "store.h"

#include "core/cleanup.h"
#include "obj.h"

#include <string.h>

void fx_as_store_init(struct fx_as_store *store)
{
	*store = (struct fx_as_store){.rv = 1, .owners = FX_MAP_INIT};
	store->history = calloc(FX_AS_HISTORY_MAX, sizeof(*store->history));
	if (!store->history)
		abort();
}

static void change_release(struct fx_as_change *c)
{
	fx_as_object_unref(c->now);
	fx_as_object_unref(c->before);
}

static void drop_oldest(struct fx_as_store *store)
{
	struct fx_as_change *oldest = &store->history[store->first];
	store->compacted_rv = oldest->rv;
	change_release(oldest);
	store->first = (store->first + 1) % FX_AS_HISTORY_MAX;
	store->count--;
}

void fx_as_store_compact(struct fx_as_store *store)
{
	while (store->count)
		drop_oldest(store);
	store->compacted_rv = store->rv;
}

void fx_as_store_release(struct fx_as_store *store)
{
	while (store->history && store->count)
		drop_oldest(store);
	free(store->history);
	fx_map_release(&store->owners);
}

static char *key_of(const char *ns, const char *name)
{
	char *key = NULL;
	if (asprintf(&key, "%s/%s", ns, name) < 0)
		abort();
	return key;
}

struct fx_as_object *fx_as_store_get(const struct fx_as_resource *resource, const char *ns, const char *name)
{
	fx_autofree char *key = key_of(ns, name);
	return fx_map_get(&resource->objects, key);
}

static void count_owners(struct fx_as_store *store, const json_t *object, intptr_t by)
{
	size_t i;
	json_t *ref;
	json_array_foreach (fx_json_at(object, "metadata", "ownerReferences"), i, ref) {
		const char *uid = fx_json_str_at(ref, "uid");
		if (!uid)
			continue;
		intptr_t count = (intptr_t)fx_map_get(&store->owners, uid) + by;
		if (count <= 0)
			fx_map_del(&store->owners, uid);
		else if (!fx_map_set(&store->owners, uid, (void *)count))
			abort();
	}
}

bool fx_as_store_is_owner(const struct fx_as_store *store, const char *uid)
{
	return fx_map_get(&store->owners, uid);
}

static struct fx_as_object *object_new(struct fx_as_store *store, json_t *json)
{
	struct fx_as_object *o = calloc(1, sizeof(*o));
	if (!o)
		abort();
	o->refs = 1;
	o->rv = ++store->rv;
	char text[24];
	snprintf(text, sizeof(text), "%llu", (unsigned long long)o->rv);
	fx_as_put(json, json_string(text), "metadata", "resourceVersion", NULL);
	o->json = json_incref(json);
	o->text = json_dumps(json, JSON_COMPACT);
	if (!o->text)
		abort();
	o->len = strlen(o->text);
	return o;
}

static void record(struct fx_as_store *store, struct fx_as_change change)
{
	if (store->count == FX_AS_HISTORY_MAX)
		drop_oldest(store);
	fx_as_object_ref(change.now);
	if (change.before)
		fx_as_object_ref(change.before);
	store->history[(store->first + store->count++) % FX_AS_HISTORY_MAX] = change;
	if (store->on_change)
		store->on_change(store->arg, &change);
}

struct fx_as_object *fx_as_store_put(
        struct fx_as_store *store, struct fx_as_resource *resource, json_t *object)
{
	fx_autofree char *key = key_of(fx_as_namespace(object), fx_as_name(object));
	struct fx_as_object *now = object_new(store, object);
	struct fx_as_object *before = fx_map_take(&resource->objects, key);
	if (before)
		count_owners(store, before->json, -1);
	count_owners(store, object, 1);
	if (!fx_map_set(&resource->objects, key, now))
		abort();
	record(store, (struct fx_as_change){.rv = now->rv,
	                      .type = before ? FX_AS_MODIFIED : FX_AS_ADDED,
	                      .resource = resource,
	                      .now = now,
	                      .before = before});
	fx_as_object_unref(before);
	return now;
}

void fx_as_store_remove(
        struct fx_as_store *store, struct fx_as_resource *resource, const char *ns, const char *name)
{
	fx_autofree char *key = key_of(ns, name);
	struct fx_as_object *before = fx_map_take(&resource->objects, key);
	if (!before)
		return;
	count_owners(store, before->json, -1);
	fx_auto(json) json_t *last = json_copy(before->json);
	json_object_set_new(last, "metadata", json_copy(json_object_get(last, "metadata")));
	struct fx_as_object *now = object_new(store, last);
	record(store, (struct fx_as_change){.rv = now->rv,
	                      .type = FX_AS_DELETED,
	                      .resource = resource,
	                      .now = now,
	                      .before = before});
	fx_as_object_unref(now);
	fx_as_object_unref(before);
}

const struct fx_as_change *fx_as_store_change(const struct fx_as_store *store, size_t i)
{
	return i < store->count ? &store->history[(store->first + i) % FX_AS_HISTORY_MAX] : NULL;
}

static int by_name(const void *pa, const void *pb)
{
	const struct fx_as_object *const *a = pa, *const *b = pb;
	int order = strcmp(fx_as_namespace((*a)->json), fx_as_namespace((*b)->json));
	return order ? order : strcmp(fx_as_name((*a)->json), fx_as_name((*b)->json));
}

struct fx_as_object **fx_as_store_sorted(
        const struct fx_as_resource *resource, const char *ns, size_t *out_count)
{
	struct fx_as_object **all = malloc((resource->objects.len + 1) * sizeof(struct fx_as_object *));
	size_t n = 0;
	if (!all)
		abort();
	for (struct fx_map_slot *s = NULL; (s = fx_map_next(&resource->objects, s));) {
		struct fx_as_object *o = s->value;
		if (!*ns || strcmp(fx_as_namespace(o->json), ns) == 0)
			all[n++] = o;
	}
	if (n)
		qsort(all, n, sizeof(struct fx_as_object *), by_name);
	*out_count = n;
	return all;
}
