/* DELETE: preconditions, finalizers, propagation. */
#include "rest.h"

#include "core/cleanup.h"
#include "crd.h"
#include "obj.h"

#include <string.h>

static json_t *check_preconditions(const struct fx_as_op *op, const json_t *live, const json_t *options)
{
	static const struct {
		const char *field, *label;
	} checks[] = {{"uid", "UID"}, {"resourceVersion", "ResourceVersion"}};
	for (size_t i = 0; i < FX_COUNT(checks); i++) {
		const char *want = fx_json_str_at(options, "preconditions", checks[i].field);
		const char *have = fx_json_str_at(live, "metadata", checks[i].field);
		if (!want || !have || strcmp(want, have) == 0)
			continue;
		fx_autofree char *qualified = fx_as_qualified(op->resource->plural, op->resource->group);
		json_t *status = fx_as_status(409, "Conflict",
		        "Operation cannot be fulfilled on %s \"%s\": the %s in the precondition (%s) does "
		        "not match the %s in "
		        "record (%s). The object might have been deleted and then recreated",
		        qualified, op->name, checks[i].label, want, checks[i].label, have);
		return fx_as_status_details(status, op->resource->group, op->resource->plural, op->name);
	}
	return NULL;
}

static json_t *success(const struct fx_as_op *op, const json_t *object)
{
	json_t *status = json_pack(
	        "{s:s,s:s,s:{},s:s}", "kind", "Status", "apiVersion", "v1", "metadata", "status", "Success");
	fx_as_status_details(status, op->resource->group, op->resource->plural, op->name);
	json_t *uid = fx_json_at(object, "metadata", "uid");
	if (uid)
		fx_as_put(status, json_incref(uid), "details", "uid", NULL);
	return status;
}

/* The finalizer that a propagation policy asks for, NULL for Background. */
static const char *policy_finalizer(const json_t *options)
{
	const char *policy = fx_json_str_at(options, "propagationPolicy");
	if (json_is_true(json_object_get(options, "orphanDependents")))
		return "orphan";
	if (!policy)
		return NULL;
	return strcmp(policy, "Foreground") == 0 ? "foregroundDeletion"
	       : strcmp(policy, "Orphan") == 0   ? "orphan"
	                                         : NULL;
}

static void set_finalizers(json_t *object, const char *wanted)
{
	static const char *const policies[] = {"foregroundDeletion", "orphan"};
	json_t *list = json_array();
	size_t i;
	json_t *one;
	json_array_foreach (fx_json_at(object, "metadata", "finalizers"), i, one) {
		const char *name = json_string_value(one);
		if (strcmp(name, policies[0]) != 0 && strcmp(name, policies[1]) != 0)
			json_array_append(list, one);
	}
	if (wanted)
		json_array_append_new(list, json_string(wanted));
	if (json_array_size(list))
		fx_as_put(object, json_incref(list), "metadata", "finalizers", NULL);
	else
		fx_json_del_at(object, "metadata", "finalizers");
	json_decref(list);
}

static void add_finalizer(json_t *object, const char *name)
{
	json_t *list = json_copy(fx_json_at(object, "metadata", "finalizers"));
	if (!list)
		list = json_array();
	json_array_append_new(list, json_string(name));
	fx_as_put(object, list, "metadata", "finalizers", NULL);
}

static bool stays(const struct fx_as_resource *r, const json_t *object)
{
	return json_array_size(fx_json_at(object, "metadata", "finalizers")) ||
	       (!r->custom && strcmp(r->kind, "Namespace") == 0 &&
	               json_array_size(fx_json_at(object, "spec", "finalizers")));
}

static json_t *start_deletion(struct fx_as_op *op, json_t *object)
{
	fx_as_put(object, fx_as_now(), "metadata", "deletionTimestamp", NULL);
	fx_as_put(object, json_integer(0), "metadata", "deletionGracePeriodSeconds", NULL);
	json_int_t generation = fx_json_int_at(object, 0, "metadata", "generation");
	if (generation)
		fx_as_put(object, json_integer(generation + 1), "metadata", "generation", NULL);
	if (!op->resource->custom && strcmp(op->resource->kind, "Namespace") == 0)
		fx_as_put(object, json_string("Terminating"), "status", "phase", NULL);
	if (!op->dry_run)
		fx_as_store_put(&op->as->store, op->resource, object);
	return fx_as_rest_shown(op, object);
}

json_t *fx_as_rest_delete(struct fx_as_op *op, const json_t *options, json_t **status)
{
	struct fx_as_object *live = fx_as_store_get(op->resource, op->ns, op->name);
	if (!live) {
		*status = fx_as_rest_missing(op);
		return NULL;
	}
	if ((*status = check_preconditions(op, live->json, options)))
		return NULL;
	fx_auto(json) json_t *object = json_deep_copy(live->json);
	bool going = fx_json_at(object, "metadata", "deletionTimestamp");
	const char *policy = fx_json_str_at(options, "propagationPolicy");
	if (!going || policy)
		set_finalizers(object, policy_finalizer(options));
	if (!going && !op->resource->custom && strcmp(op->resource->kind, "CustomResourceDefinition") == 0)
		add_finalizer(object, FX_AS_CRD_FINALIZER);
	if (going && stays(op->resource, object)) {
		if (!op->dry_run && !json_equal(object, live->json))
			fx_as_store_put(&op->as->store, op->resource, object);
		return fx_as_rest_shown(op, object);
	}
	if (stays(op->resource, object))
		return start_deletion(op, object);
	if (!op->dry_run)
		fx_as_store_remove(&op->as->store, op->resource, op->ns, op->name);
	return success(op, object);
}
