#include "discovery.h"

#include "core/cleanup.h"
#include "core/clock.h"
#include "obj.h"

#include <string.h>

static json_t *verbs(const struct fx_as_resource *r)
{
	return r->is_virtual ? json_pack("[s]", "create")
	                     : json_pack("[s,s,s,s,s,s,s,s]", "create", "delete", "deletecollection", "get",
	                               "list", "patch", "update", "watch");
}

/* A real server shows a new definition a moment after it is established, and the aggregated document
 * later still. */
static bool is_hidden(const struct fx_as *as, const struct fx_as_resource *r, bool aggregated)
{
	int64_t lag_ms = aggregated ? 2 * as->discovery_lag_ms : as->discovery_lag_ms;
	return r->removed || (r->custom && fx_now_ms() - r->defined_ms < lag_ms);
}

/* Names of groups in the order of first appearance, each with its versions in order of preference. */
static json_t *groups(const struct fx_as *as, bool aggregated)
{
	json_t *out = json_object();
	fx_vec_foreach (struct fx_as_resource *, r, &as->kinds.all) {
		if (is_hidden(as, *r, aggregated))
			continue;
		json_t *versions = json_object_get(out, (*r)->group);
		if (!versions) {
			versions = json_array();
			json_object_set_new(out, (*r)->group, versions);
		}
		fx_vec_foreach (struct fx_as_version *, v, &(*r)->versions) {
			if (!(*v)->served || fx_as_array_has(versions, (*v)->name))
				continue;
			size_t at = 0;
			while (at < json_array_size(versions) &&
			        fx_as_version_order(
			                json_string_value(json_array_get(versions, at)), (*v)->name) < 0)
				at++;
			json_array_insert_new(versions, at, json_string((*v)->name));
		}
	}
	return out;
}

json_t *fx_as_discovery_versions(const struct fx_as *as)
{
	char address[64];
	snprintf(address, sizeof(address), "127.0.0.1:%d", as->port);
	return json_pack("{s:s,s:[s],s:[{s:s,s:s}]}", "kind", "APIVersions", "versions", "v1",
	        "serverAddressByClientCIDRs", "clientCIDR", "0.0.0.0/0", "serverAddress", address);
}

static json_t *group_entry(const char *group, const json_t *versions)
{
	json_t *list = json_array(), *entry = json_object();
	size_t i;
	json_t *version;
	json_array_foreach (versions, i, version) {
		fx_autofree char *gv = fx_as_api_version(group, json_string_value(version));
		json_array_append_new(list, json_pack("{s:s,s:O}", "groupVersion", gv, "version", version));
	}
	json_object_set_new(entry, "name", json_string(group));
	json_object_set(entry, "preferredVersion", json_array_get(list, 0));
	json_object_set_new(entry, "versions", list);
	return entry;
}

json_t *fx_as_discovery_groups(const struct fx_as *as)
{
	fx_auto(json) json_t *all = groups(as, false);
	json_t *list = json_array();
	const char *group;
	json_t *versions;
	json_object_foreach (all, group, versions) {
		if (*group)
			json_array_append_new(list, group_entry(group, versions));
	}
	return json_pack("{s:s,s:s,s:o}", "kind", "APIGroupList", "apiVersion", "v1", "groups", list);
}

json_t *fx_as_discovery_group(const struct fx_as *as, const char *group)
{
	fx_auto(json) json_t *all = groups(as, false);
	const json_t *versions = *group ? json_object_get(all, group) : NULL;
	if (!versions)
		return NULL;
	json_t *entry = group_entry(group, versions);
	json_object_set_new(entry, "kind", json_string("APIGroup"));
	json_object_set_new(entry, "apiVersion", json_string("v1"));
	return entry;
}

static json_t *resource_entry(const struct fx_as_resource *r, const char *subresource)
{
	fx_autofree char *name = NULL;
	if (asprintf(&name, "%s%s%s", r->plural, *subresource ? "/" : "", subresource) < 0)
		return NULL;
	json_t *entry = json_pack("{s:s,s:s,s:b,s:s}", "name", name, "singularName",
	        *subresource ? "" : r->singular, "namespaced", r->namespaced, "kind", r->kind);
	json_object_set_new(
	        entry, "verbs", *subresource ? json_pack("[s,s,s]", "get", "patch", "update") : verbs(r));
	if (!*subresource && json_array_size(r->short_names))
		json_object_set(entry, "shortNames", r->short_names);
	if (!*subresource && json_array_size(r->categories))
		json_object_set(entry, "categories", r->categories);
	return entry;
}

json_t *fx_as_discovery_resources(const struct fx_as *as, const char *group, const char *version)
{
	json_t *list = json_array();
	fx_vec_foreach (struct fx_as_resource *, r, &as->kinds.all) {
		const struct fx_as_version *v = fx_as_resource_version(*r, version);
		if (is_hidden(as, *r, false) || strcmp((*r)->group, group) != 0 || !v)
			continue;
		json_array_append_new(list, resource_entry(*r, ""));
		if (v->has_status)
			json_array_append_new(list, resource_entry(*r, "status"));
	}
	if (!json_array_size(list)) {
		json_decref(list);
		return NULL;
	}
	fx_autofree char *gv = fx_as_api_version(group, version);
	return json_pack("{s:s,s:s,s:s,s:o}", "kind", "APIResourceList", "apiVersion", "v1", "groupVersion",
	        gv, "resources", list);
}

static json_t *response_kind(const struct fx_as_resource *r, const char *version)
{
	return json_pack("{s:s,s:s,s:s}", "group", r->group, "version", version, "kind", r->kind);
}

static json_t *aggregated_resource(const struct fx_as_resource *r, const struct fx_as_version *v)
{
	json_t *entry = json_pack("{s:s,s:o,s:s,s:s,s:o}", "resource", r->plural, "responseKind",
	        response_kind(r, v->name), "scope", r->namespaced ? "Namespaced" : "Cluster",
	        "singularResource", r->singular, "verbs", verbs(r));
	if (json_array_size(r->short_names))
		json_object_set(entry, "shortNames", r->short_names);
	if (json_array_size(r->categories))
		json_object_set(entry, "categories", r->categories);
	if (v->has_status)
		json_object_set_new(entry, "subresources",
		        json_pack("[{s:s,s:o,s:[s,s,s]}]", "subresource", "status", "responseKind",
		                response_kind(r, v->name), "verbs", "get", "patch", "update"));
	return entry;
}

static json_t *aggregated_version(const struct fx_as *as, const char *group, const char *version)
{
	json_t *list = json_array();
	fx_vec_foreach (struct fx_as_resource *, r, &as->kinds.all) {
		const struct fx_as_version *v = fx_as_resource_version(*r, version);
		if (!is_hidden(as, *r, true) && v && strcmp((*r)->group, group) == 0)
			json_array_append_new(list, aggregated_resource(*r, v));
	}
	return json_pack("{s:s,s:o,s:s}", "version", version, "resources", list, "freshness", "Current");
}

json_t *fx_as_discovery_aggregated(const struct fx_as *as, bool core)
{
	fx_auto(json) json_t *all = groups(as, true);
	json_t *items = json_array();
	const char *group;
	json_t *versions, *version;
	json_object_foreach (all, group, versions) {
		if (core == (*group != '\0'))
			continue;
		json_t *list = json_array();
		size_t i;
		json_array_foreach (versions, i, version)
			json_array_append_new(
			        list, aggregated_version(as, group, json_string_value(version)));
		json_array_append_new(
		        items, json_pack("{s:{s:s},s:o}", "metadata", "name", group, "versions", list));
	}
	return json_pack("{s:s,s:s,s:{},s:o}", "kind", "APIGroupDiscoveryList", "apiVersion",
	        "apidiscovery.k8s.io/v2", "metadata", "items", items);
}
