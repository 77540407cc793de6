#include "kustomize-controller/fields.h"
#include "kustomize-controller/history.h"
#include "kustomize-controller/inventory.h"
#include "kustomize-controller/manifest.h"
#include "kustomize-controller/normalize.h"
#include "kustomize-controller/order.h"

#include "../unit.h"

#include <string.h>

/* JSON with single quotes, which C texts can hold without escapes. */
static json_t *parse(const char *text)
{
	fx_autofree char *copy = strdup(text);
	for (char *c = copy; *c; c++)
		if (*c == '\'')
			*c = '"';
	json_error_t e;
	json_t *value = json_loads(copy, 0, &e);
	ck_assert_msg(value != NULL, "%s: %s", text, e.text);
	return value;
}

static void assert_json(json_t *got, const char *want_text)
{
	json_t *want = parse(want_text);
	fx_autofree char *g = json_dumps(got, JSON_SORT_KEYS | JSON_ENCODE_ANY);
	fx_autofree char *w = json_dumps(want, JSON_SORT_KEYS | JSON_ENCODE_ANY);
	ck_assert_str_eq(g, w);
	json_decref(want);
}

static const struct {
	const char *object, *id, *version, *subject;
} ids[] = {
        {"{'apiVersion':'v1','kind':'Namespace','metadata':{'name':'n'}}", "_n__Namespace", "v1",
                "Namespace/n"},
        {"{'apiVersion':'apps/v1','kind':'Deployment','metadata':{'name':'podinfo','namespace':'default'}}",
                "default_podinfo_apps_Deployment", "v1", "Deployment/default/podinfo"},
        {"{'apiVersion':'rbac.authorization.k8s.io/v1','kind':'ClusterRole','metadata':{'name':'a:b:c'}}",
                "_a__b__c_rbac.authorization.k8s.io_ClusterRole", "v1", "ClusterRole/a:b:c"},
        {"{'apiVersion':'autoscaling/"
         "v2','kind':'HorizontalPodAutoscaler','metadata':{'name':'p','namespace':'d'}}",
                "d_p_autoscaling_HorizontalPodAutoscaler", "v2", "HorizontalPodAutoscaler/d/p"},
};

START_TEST(test_entry_ids)
{
	fx_auto(inventory) struct fx_inventory inv = {0};
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_cleanup(fx_auto_buf) struct fx_buf before = FX_BUF_INIT, after = FX_BUF_INIT;
	json_t *object = parse(ids[_i].object);
	struct fx_ref ref = fx_manifest_ref(object);
	ck_assert(fx_inventory_add_ref(&inv, &ref));
	ck_assert_str_eq(inv.items[0].id, ids[_i].id);
	ck_assert_str_eq(inv.items[0].version, ids[_i].version);

	fx_cleanup(fx_auto_entry_parts) struct fx_entry_parts parts = {0};
	ck_assert_ok(fx_entry_parse(&inv.items[0], &parts, &err), &err);
	fx_ref_add_subject(&ref, &before);
	fx_ref_add_subject(&parts.ref, &after);
	ck_assert_str_eq(fx_buf_str(&before), ids[_i].subject);
	ck_assert_str_eq(fx_buf_str(&after), ids[_i].subject);
	ck_assert(fx_ref_group_is(&parts.ref, strndupa(ref.group, ref.group_len)));
	json_decref(object);
}
END_TEST

START_TEST(test_bad_entry_ids)
{
	static const char *const bad[] = {"", "x", "a_b", "a_b_c"};
	for (size_t i = 0; i < FX_COUNT(bad); i++) {
		struct fx_entry entry = {(char *)bad[i], (char *)"v1"};
		struct fx_entry_parts parts;
		ck_assert_msg(fx_entry_parse(&entry, &parts, NULL) < 0, "'%s' was accepted", bad[i]);
	}
}
END_TEST

START_TEST(test_inventory_diff)
{
	fx_auto(inventory) struct fx_inventory old = {0}, now = {0}, diff = {0};
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	json_t *a = parse(
	        "{'entries':[{'id':'_a__X','v':'v1'},{'id':'_b__X','v':'v1'},{'id':'_c__X','v':'v1'}]}");
	json_t *b = parse("{'entries':[{'id':'_b__X','v':'v2'}]}");
	ck_assert_ok(fx_inventory_read(a, &old, &err), &err);
	ck_assert_ok(fx_inventory_read(b, &now, &err), &err);
	ck_assert_ok(fx_inventory_diff(&old, &now, &diff, &err), &err);
	json_t *json = fx_inventory_to_json(&diff);
	assert_json(json, "{'entries':[{'id':'_a__X','v':'v1'},{'id':'_c__X','v':'v1'}]}");
	json_decref(json);
	json_decref(a);
	json_decref(b);
}
END_TEST

START_TEST(test_marks)
{
	json_t *o = parse("{'metadata':{'labels':{'kustomize.toolkit.fluxcd.io/prune':'Disabled'},"
	                  "'annotations':{'kustomize.toolkit.fluxcd.io/ssa':'merge'}}}");
	ck_assert(fx_manifest_is_marked(o, FX_MARK_PRUNE, "disabled"));
	ck_assert(fx_manifest_is_marked(o, FX_MARK_SSA, "Merge"));
	ck_assert(!fx_manifest_is_marked(o, FX_MARK_SSA, "Ignore"));
	ck_assert(!fx_manifest_is_marked(o, FX_MARK_FORCE, "enabled"));
	ck_assert(!fx_manifest_is_marked(NULL, FX_MARK_FORCE, "enabled"));
	json_decref(o);
}
END_TEST

START_TEST(test_order)
{
	static const char *const want[] = {"CustomResourceDefinition", "Namespace", "ClusterRole",
	        "StorageClass", "GatewayClass", "Role", "RoleBinding", "ServiceAccount", "ConfigMap",
	        "Service", "Deployment", "Alpha", "Zeta", "ValidatingWebhookConfiguration"};
	static const struct {
		const char *api, *kind;
	} in[] = {{"x/v1", "Zeta"}, {"apps/v1", "Deployment"},
	        {"admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"}, {"v1", "Service"},
	        {"rbac.authorization.k8s.io/v1", "RoleBinding"}, {"a/v1", "Alpha"}, {"v1", "ConfigMap"},
	        {"rbac.authorization.k8s.io/v1", "ClusterRole"},
	        {"gateway.networking.k8s.io/v1", "GatewayClass"}, {"v1", "ServiceAccount"},
	        {"rbac.authorization.k8s.io/v1", "Role"}, {"v1", "Namespace"},
	        {"storage.k8s.io/v1", "StorageClass"},
	        {"apiextensions.k8s.io/v1", "CustomResourceDefinition"}};
	struct fx_stage_kinds custom;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	ck_assert_ok(
	        fx_stage_kinds_parse("rbac.authorization.k8s.io/Role,rbac.authorization.k8s.io/RoleBinding",
	                &custom, &err),
	        &err);
	json_t *objects = json_array();
	for (size_t i = 0; i < FX_COUNT(in); i++)
		json_array_append_new(objects, json_pack("{s:s, s:s, s:{s:s}}", "apiVersion", in[i].api,
		                                       "kind", in[i].kind, "metadata", "name", "n"));
	ck_assert(fx_manifests_sort(objects, &custom));
	for (size_t i = 0; i < FX_COUNT(want); i++)
		ck_assert_str_eq(
		        json_string_value(json_object_get(json_array_get(objects, i), "kind")), want[i]);
	ck_assert_int_lt(fx_stage_kinds_parse("group/", &custom, NULL), 0);
	json_decref(objects);
}
END_TEST

START_TEST(test_history)
{
	json_t *history = json_array();
	struct fx_history_entry e = {.digest = "sha256:1",
	        .status = "ReconciliationSucceeded",
	        .wall_ns = 1700000000LL * 1000000000,
	        .duration_ns = 176163666,
	        .revision = "main@sha1:1"};
	ck_assert(fx_history_upsert(history, &e));
	e.wall_ns += 1000000000;
	ck_assert(fx_history_upsert(history, &e));
	assert_json(history,
	        "[{'digest':'sha256:1','firstReconciled':'2023-11-14T22:13:20Z','lastReconciled':'2023-11-"
	        "14T22:13:21Z',"
	        "'lastReconciledDuration':'176.163666ms','lastReconciledStatus':'ReconciliationSucceeded',"
	        "'totalReconciliations':2,'metadata':{'revision':'main@sha1:1'}}]");
	for (int i = 0; i < 7; i++) {
		char digest[32];
		snprintf(digest, sizeof(digest), "sha256:%d", 2 + i);
		e.digest = digest;
		ck_assert(fx_history_upsert(history, &e));
	}
	ck_assert_uint_eq(json_array_size(history), FX_HISTORY_MAX);
	ck_assert_str_eq(
	        json_string_value(json_object_get(json_array_get(history, 0), "digest")), "sha256:8");
	/* The same digest with another outcome is another entry; an old one moves to the front. */
	e.digest = "sha256:7";
	ck_assert(fx_history_upsert(history, &e));
	ck_assert_int_eq(
	        json_integer_value(json_object_get(json_array_get(history, 0), "totalReconciliations")), 2);
	e.status = "PruneFailed";
	ck_assert(fx_history_upsert(history, &e));
	ck_assert_int_eq(
	        json_integer_value(json_object_get(json_array_get(history, 0), "totalReconciliations")), 1);
	json_decref(history);
}
END_TEST

#define OURS(fields) "{'manager':'kustomize-controller','operation':'Apply','fieldsV1':" fields "}"

START_TEST(test_fields_hash)
{
	json_t *a = parse("{'metadata':{'managedFields':[" OURS("{'f:data':{'f:a':{},'f:b':{}}}") "]}}");
	json_t *b = parse(
	        "{'metadata':{'managedFields':[{'manager':'x','operation':'Update','fieldsV1':{}}," OURS(
	                "{'f:data':{'f:b':{},'f:a':{}}}") "]}}");
	json_t *c = parse("{'metadata':{'managedFields':[" OURS("{'f:data':{'f:a':{}}}") "]}}");
	json_t *none = parse("{'metadata':{}}");
	ck_assert_uint_ne(fx_fields_hash(a), 0);
	ck_assert_uint_eq(fx_fields_hash(a), fx_fields_hash(b));
	ck_assert_uint_ne(fx_fields_hash(a), fx_fields_hash(c));
	ck_assert_uint_eq(fx_fields_hash(none), 0);
	json_decref(a);
	json_decref(b);
	json_decref(c);
	json_decref(none);
}
END_TEST

START_TEST(test_cleanup_takes_kubectl_fields_over)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	json_t *patch = NULL;
	json_t *live = parse(
	        "{'metadata':{'annotations':{'kubectl.kubernetes.io/"
	        "last-applied-configuration':'x'},'managedFields':["
	        "{'manager':'kubectl-client-side-apply','operation':'Update','fieldsV1':{'f:data':{'f:a':{}}}"
	        "},"
	        "{'manager':'kubectl-edit','operation':'Update','subresource':'status','fieldsV1':{'f:status'"
	        ":{}}}," OURS(
	                "{'f:data':{'f:b':{}}}") ",{'manager':'helm','operation':'Update','fieldsV1':{}}]}}");
	ck_assert(fx_fields_need_cleanup(live, NULL));
	ck_assert_ok(fx_fields_cleanup_patch(live, NULL, &patch, &err), &err);
	assert_json(patch, "[{'op':'remove','path':'/metadata/annotations/"
	                   "kubectl.kubernetes.io~1last-applied-configuration'},"
	                   "{'op':'replace','path':'/metadata/managedFields','value':["
	                   "{'manager':'kubectl-edit','operation':'Update','subresource':'status','fieldsV1':"
	                   "{'f:status':{}}},"
	                   "{'manager':'helm','operation':'Update','fieldsV1':{}}," OURS(
	                           "{'f:data':{'f:a':{},'f:b':{}}}") "]}]");
	json_decref(patch);
	json_decref(live);
}
END_TEST

START_TEST(test_cleanup_renames_without_own_entry)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	static const char *const names[] = {"helm"};
	struct fx_overrides overrides = {names, 1};
	json_t *patch = NULL;
	json_t *live = parse("{'metadata':{'managedFields':[{'manager':'helm','operation':'Update','fieldsV1'"
	                     ":{'f:a':{}}}]}}");
	ck_assert(!fx_fields_need_cleanup(live, NULL));
	ck_assert_ok(fx_fields_cleanup_patch(live, NULL, &patch, &err), &err);
	ck_assert_ptr_null(patch);
	ck_assert_ok(fx_fields_cleanup_patch(live, &overrides, &patch, &err), &err);
	assert_json(patch,
	        "[{'op':'replace','path':'/metadata/managedFields','value':[" OURS("{'f:a':{}}") "]}]");
	json_decref(patch);
	json_decref(live);
}
END_TEST

START_TEST(test_other_applier)
{
	json_t *live = parse(
	        "{'spec':{'replicas':2,'containers':[{'name':'app','image':'i'}]},'metadata':{'managedFields'"
	        ":["
	        "{'manager':'hpa','operation':'Apply','fieldsV1':{'f:spec':{'f:replicas':{},'f:containers':"
	        "{'k:{\\'name\\':\\'app\\'}':{'f:image':{}}}}}}]}}");
	ck_assert(fx_fields_other_applier_owns(live, "/spec/replicas"));
	ck_assert(fx_fields_other_applier_owns(live, "/spec/containers/0/image"));
	ck_assert(!fx_fields_other_applier_owns(live, "/spec/containers/0/name"));
	ck_assert(!fx_fields_other_applier_owns(live, "/spec/paused"));
	json_decref(live);
}
END_TEST

static const struct {
	const char *name, *in, *out;
} normal[] = {
        {"secret",
                "{'apiVersion':'v1','kind':'Secret','metadata':{'creationTimestamp':null},'data':{'a':'MQ=='}"
                ","
                "'stringData':{'a':'2','b':'x'}}",
                "{'apiVersion':'v1','kind':'Secret','metadata':{},'data':{'a':'Mg==','b':'eA=='}}"},
        {"service",
                "{'apiVersion':'v1','kind':'Service','spec':{'ports':[{'port':1},{'port':2,'protocol':'UDP'}]"
                "}}",
                "{'apiVersion':'v1','kind':'Service','spec':{'ports':[{'port':1,'protocol':'TCP'},"
                "{'port':2,'protocol':'UDP'}]}}"},
        {"deployment",
                "{'apiVersion':'apps/"
                "v1','kind':'Deployment','status':{},'spec':{'paused':null,'template':{'spec':"
                "{'containers':[{'ports':[{'containerPort':1}]}]}}}}",
                "{'apiVersion':'apps/v1','kind':'Deployment','spec':{'strategy':{},'template':{'metadata':{},"
                "'spec':{'containers':[{'ports':[{'containerPort':1,'protocol':'TCP'}],'resources':{}}]}}}}"},
        {"structs of a pod",
                "{'apiVersion':'v1','kind':'Pod','spec':{'containers':[{'resources':null},"
                "{'resources':{'limits':{}}}],'initContainers':[{}],'volumes':[{'emptyDir':{}},"
                "{'ephemeral':{'volumeClaimTemplate':{}}}]}}",
                "{'apiVersion':'v1','kind':'Pod','spec':{'containers':[{'resources':{}},"
                "{'resources':{'limits':{}}}],'initContainers':[{'resources':{}}],'volumes':[{'emptyDir':{}},"
                "{'ephemeral':{'volumeClaimTemplate':{'metadata':{}}}}]}}"},
        {"structs of a job's template",
                "{'apiVersion':'batch/v1','kind':'CronJob','spec':{'jobTemplate':{'spec':{'template':"
                "{'spec':{'containers':[{}]}}}}}}",
                "{'apiVersion':'batch/v1','kind':'CronJob','spec':{'jobTemplate':{'metadata':{},'spec':"
                "{'template':{'metadata':{},'spec':{'containers':[{'resources':{}}]}}}}}}"},
        {"spec of a namespace", "{'apiVersion':'v1','kind':'Namespace'}",
                "{'apiVersion':'v1','kind':'Namespace','spec':{}}"},
        {"custom resource",
                "{'apiVersion':'example.com/v1','kind':'Service','spec':{'ports':[{'port':null}]}}",
                "{'apiVersion':'example.com/v1','kind':'Service','spec':{'ports':[{'port':null}]}}"},
        {"status of a custom resource",
                "{'apiVersion':'example.com/"
                "v1','kind':'Thing','metadata':{'creationTimestamp':null},'status':{"
                "'x':1}}",
                "{'apiVersion':'example.com/v1','kind':'Thing','metadata':{}}"},
        {"role",
                "{'apiVersion':'rbac.authorization.k8s.io/"
                "v1','kind':'Role','metadata':{},'rules':null,'odd':{}}",
                "{'apiVersion':'rbac.authorization.k8s.io/"
                "v1','kind':'Role','metadata':{},'rules':null,'odd':{}}"},
        {"stateful set",
                "{'apiVersion':'apps/v1','kind':'StatefulSet','spec':{'template':{'spec':{'initContainers':[{"
                "'ports':[{'containerPort':2}]}],'containers':[{'ports':[{'containerPort':1,'protocol':''}]}]"
                "}}}"
                "}",
                "{'apiVersion':'apps/"
                "v1','kind':'StatefulSet','spec':{'updateStrategy':{},'template':{'metadata'"
                ":{},'spec':{'initContainers':[{'ports':[{'containerPort':2}],'resources':{}}],'containers':["
                "{"
                "'ports':[{'containerPort':1,'protocol':'TCP'}],'resources':{}}]}}}}"},
        {"definition",
                "{'apiVersion':'apiextensions.k8s.io/v1','kind':'CustomResourceDefinition','status':{'x':1}}",
                "{'apiVersion':'apiextensions.k8s.io/"
                "v1','kind':'CustomResourceDefinition','status':{'x':1}}"},
};

START_TEST(test_normalize)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	json_t *object = parse(normal[_i].in);
	ck_assert_ok(fx_manifest_normalize(object, &err), &err);
	assert_json(object, normal[_i].out);
	json_decref(object);
}
END_TEST

START_TEST(test_drop_undeclared)
{
	json_t *object =
	        parse("{'apiVersion':'apps/v1','kind':'Deployment','spec':{'foo':1,'template':{'spec':"
	              "{'containers':[{'name':'a','bar':1},{'name':'b','bar':2}]}}}}");
	ck_assert(fx_manifest_drop_undeclared(object,
	        "failed to create typed patch object (d/n; apps/v1, Kind=Deployment): errors:\n  .spec.foo: "
	        "field not "
	        "declared in schema\n  .spec.template.spec.containers[name=\"b\"].bar: field not declared in "
	        "schema"));
	assert_json(object, "{'apiVersion':'apps/v1','kind':'Deployment','spec':{'template':{'spec':"
	                    "{'containers':[{'name':'a','bar':1},{'name':'b'}]}}}}");
	ck_assert(!fx_manifest_drop_undeclared(object, ".spec.foo: field not declared in schema"));
	json_decref(object);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("objects");
	TCase *tc = tcase_create("objects");
	tcase_add_loop_test(tc, test_entry_ids, 0, FX_COUNT(ids));
	tcase_add_test(tc, test_bad_entry_ids);
	tcase_add_test(tc, test_inventory_diff);
	tcase_add_test(tc, test_marks);
	tcase_add_test(tc, test_order);
	tcase_add_test(tc, test_history);
	tcase_add_test(tc, test_fields_hash);
	tcase_add_test(tc, test_cleanup_takes_kubectl_fields_over);
	tcase_add_test(tc, test_cleanup_renames_without_own_entry);
	tcase_add_test(tc, test_other_applier);
	tcase_add_loop_test(tc, test_normalize, 0, FX_COUNT(normal));
	tcase_add_test(tc, test_drop_undeclared);
	suite_add_tcase(suite, tc);
	return suite;
}

FX_UNIT_MAIN(make_suite)
