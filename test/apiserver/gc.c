#include "gc.h"

#include "core/cleanup.h"
#include "crd.h"
#include "obj.h"
#include "rest.h"

#include <string.h>

#define NAMESPACE_FINALIZER "kubernetes"

struct dependent {
	struct fx_as_resource *resource;
	json_t *object; /* a reference */
};

struct dependents {
	FX_VEC(struct dependent) all;
};

static void fx_auto_dependents(struct dependents *d)
{
	fx_vec_foreach (struct dependent, it, &d->all)
		json_decref(it->object);
	fx_vec_release(&d->all);
}

static const json_t *owner_ref(const json_t *object, const char *uid)
{
	size_t i;
	json_t *ref;
	json_array_foreach (fx_json_at(object, "metadata", "ownerReferences"), i, ref) {
		const char *have = fx_json_str_at(ref, "uid");
		if (have && strcmp(have, uid) == 0)
			return ref;
	}
	return NULL;
}

/* Objects of the given kind (NULL: any) that an owner has (NULL: any), in a namespace (NULL: any). */
static void find(struct fx_as *as, const struct fx_as_resource *kind, const char *uid, const char *ns,
        struct dependents *out)
{
	fx_vec_foreach (struct fx_as_resource *, r, &as->kinds.all) {
		if ((kind && *r != kind) || (ns && !(*r)->namespaced))
			continue;
		for (struct fx_map_slot *s = NULL; (s = fx_map_next(&(*r)->objects, s));) {
			const struct fx_as_object *o = s->value;
			if ((uid && !owner_ref(o->json, uid)) ||
			        (ns && strcmp(fx_as_namespace(o->json), ns) != 0))
				continue;
			struct dependent d = {.resource = *r, .object = json_incref(o->json)};
			if (!fx_vec_push(&out->all, d))
				abort();
		}
	}
}

static void delete (struct fx_as *as, const struct dependent *d, const char *policy)
{
	struct fx_as_op op = {.as = as,
	        .resource = d->resource,
	        .version = fx_as_resource_version(d->resource, NULL),
	        .ns = fx_as_namespace(d->object),
	        .name = fx_as_name(d->object),
	        .subresource = "",
	        .manager = "garbage-collector"};
	fx_auto(json) json_t *options = json_pack("{s:s}", "propagationPolicy", policy);
	json_t *status = NULL;
	json_decref(fx_as_rest_delete(&op, options, &status));
	json_decref(status);
}

static bool exists(struct fx_as *as, const json_t *ref, const char *ns)
{
	const char *api = fx_json_str_at(ref, "apiVersion"), *kind = fx_json_str_at(ref, "kind");
	const char *name = fx_json_str_at(ref, "name"), *uid = fx_json_str_at(ref, "uid");
	struct fx_as_resource *r = api && kind ? fx_as_registry_of(&as->kinds, api, kind) : NULL;
	struct fx_as_object *o = r && name ? fx_as_store_get(r, r->namespaced ? ns : "", name) : NULL;
	const char *have = o ? fx_json_str_at(o->json, "metadata", "uid") : NULL;
	return have && uid && strcmp(have, uid) == 0;
}

static void drop_owner(struct fx_as *as, const struct dependent *d, const char *uid)
{
	json_t *copy = json_deep_copy(d->object);
	json_t *refs = fx_json_at(copy, "metadata", "ownerReferences");
	for (size_t i = json_array_size(refs); i-- > 0;) {
		const char *have = fx_json_str_at(json_array_get(refs, i), "uid");
		if (have && strcmp(have, uid) == 0)
			json_array_remove(refs, i);
	}
	if (!json_array_size(refs))
		fx_json_del_at(copy, "metadata", "ownerReferences");
	fx_as_rest_store(as, d->resource, copy);
}

static bool has_live_owner(struct fx_as *as, const json_t *object)
{
	size_t i;
	json_t *ref;
	json_array_foreach (fx_json_at(object, "metadata", "ownerReferences"), i, ref) {
		if (exists(as, ref, fx_as_namespace(object)))
			return true;
	}
	return false;
}

void fx_as_gc_owner_gone(struct fx_as *as, const char *uid)
{
	if (!fx_as_store_is_owner(&as->store, uid))
		return;
	fx_auto(dependents) struct dependents d = {0};
	find(as, NULL, uid, NULL, &d);
	fx_vec_foreach (struct dependent, it, &d.all) {
		if (has_live_owner(as, it->object))
			drop_owner(as, it, uid);
		else
			delete (as, it, "Background");
	}
}

static void foreground(struct fx_as *as, struct fx_as_resource *r, const json_t *object, const char *uid)
{
	fx_auto(dependents) struct dependents d = {0};
	bool blocked = false;
	find(as, NULL, uid, NULL, &d);
	fx_vec_foreach (struct dependent, it, &d.all) {
		blocked |= json_is_true(json_object_get(owner_ref(it->object, uid), "blockOwnerDeletion"));
		if (!fx_json_at(it->object, "metadata", "deletionTimestamp"))
			delete (as, it, "Foreground");
	}
	/* What went at once no longer blocks; the rest comes back here when it has gone. */
	if (!blocked || !fx_as_store_is_owner(&as->store, uid))
		fx_as_rest_drop_finalizer(as, r, object, "foregroundDeletion");
}

static void orphan(struct fx_as *as, struct fx_as_resource *r, const json_t *object, const char *uid)
{
	fx_auto(dependents) struct dependents d = {0};
	find(as, NULL, uid, NULL, &d);
	fx_vec_foreach (struct dependent, it, &d.all)
		drop_owner(as, it, uid);
	fx_as_rest_drop_finalizer(as, r, object, "orphan");
}

static void namespace_goes(struct fx_as *as, struct fx_as_resource *r, const json_t *object)
{
	fx_auto(dependents) struct dependents d = {0}, left = {0};
	find(as, NULL, NULL, fx_as_name(object), &d);
	fx_vec_foreach (struct dependent, it, &d.all) {
		if (!fx_json_at(it->object, "metadata", "deletionTimestamp"))
			delete (as, it, "Background");
	}
	find(as, NULL, NULL, fx_as_name(object), &left);
	struct fx_as_object *now = fx_as_store_get(r, "", fx_as_name(object));
	if (left.all.len || !now || !json_array_size(fx_json_at(now->json, "spec", "finalizers")))
		return;
	json_t *copy = json_deep_copy(now->json);
	json_t *finalizers = fx_json_at(copy, "spec", "finalizers");
	for (size_t i = json_array_size(finalizers); i-- > 0;) {
		if (strcmp(json_string_value(json_array_get(finalizers, i)), NAMESPACE_FINALIZER) == 0)
			json_array_remove(finalizers, i);
	}
	fx_as_rest_store(as, r, copy);
}

static void definition_goes(struct fx_as *as, struct fx_as_resource *r, const json_t *object)
{
	const char *group = fx_json_str_at(object, "spec", "group");
	const char *plural = fx_json_str_at(object, "spec", "names", "plural");
	struct fx_as_resource *kind = group && plural ? fx_as_registry_find(&as->kinds, group, plural) : NULL;
	if (kind) {
		fx_auto(dependents) struct dependents d = {0};
		find(as, kind, NULL, NULL, &d);
		fx_vec_foreach (struct dependent, it, &d.all) {
			if (!fx_json_at(it->object, "metadata", "deletionTimestamp"))
				delete (as, it, "Background");
		}
		if (kind->objects.len)
			return;
		kind->removed = true;
	}
	fx_as_rest_drop_finalizer(as, r, object, FX_AS_CRD_FINALIZER);
}

static void goes(struct fx_as *as, struct fx_as_resource *r, const json_t *object)
{
	const char *uid = fx_json_str_at(object, "metadata", "uid");
	const json_t *finalizers = fx_json_at(object, "metadata", "finalizers");
	if (fx_as_array_has(finalizers, "orphan"))
		orphan(as, r, object, uid);
	else if (fx_as_array_has(finalizers, "foregroundDeletion"))
		foreground(as, r, object, uid);
	else if (fx_as_array_has(finalizers, FX_AS_CRD_FINALIZER) && !r->custom)
		definition_goes(as, r, object);
	else if (!r->custom && strcmp(r->kind, "Namespace") == 0)
		namespace_goes(as, r, object);
}

void fx_as_gc_look_at(struct fx_as *as, struct fx_as_resource *r, const json_t *object)
{
	if (fx_json_at(object, "metadata", "deletionTimestamp")) {
		goes(as, r, object);
	} else if (json_array_size(fx_json_at(object, "metadata", "ownerReferences")) &&
	           !has_live_owner(as, object)) {
		struct dependent d = {.resource = r, .object = (json_t *)object};
		delete (as, &d, "Background");
	}
}
