#include "../unit.h"

#include "core/clock.h"
#include "data/base64.h"
#include "kube/client.h"
#include "kube/limiter.h"
#include "kube/object.h"

#include <string.h>

static json_t *parse(const char *text)
{
	json_t *value = NULL;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	ck_assert_ok(fx_json_parse(text, strlen(text), &value, &err), &err);
	return value;
}

START_TEST(test_gvk)
{
	struct fx_gvk gvk;
	char text[FX_GVK_API_VERSION_MAX];
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	ck_assert_ok(fx_gvk_set(&gvk, "apps/v1", "Deployment", &err), &err);
	ck_assert_str_eq(gvk.group, "apps");
	ck_assert_str_eq(gvk.version, "v1");
	ck_assert_str_eq(fx_gvk_api_version(&gvk, text), "apps/v1");
	ck_assert_ok(fx_gvk_set(&gvk, "v1", "Pod", &err), &err);
	ck_assert_str_eq(gvk.group, "");
	ck_assert_str_eq(fx_gvk_api_version(&gvk, text), "v1");
	static const char *const bad[] = {"", "/v1", "a/", "a/b/c"};
	for (size_t i = 0; i < FX_COUNT(bad); i++)
		ck_assert_msg(fx_gvk_set(&gvk, bad[i], "Pod", &err) == -FX_E_INVALID, "'%s'", bad[i]);
	ck_assert_int_eq(fx_gvk_set(&gvk, "v1", "", &err), -FX_E_INVALID);
}
END_TEST

START_TEST(test_metadata)
{
	fx_auto(json) json_t *o = parse(
	        "{\"kind\":\"K\",\"metadata\":{\"name\":\"n\",\"labels\":{\"l\":\"Enabled\",\"e\":\"\"}}}");
	ck_assert_str_eq(fx_object_namespace(o), "");
	ck_assert(fx_object_meta_is(o, "l", "enabled"));
	ck_assert(!fx_object_meta_is(o, "e", ""));
	ck_assert(!fx_object_meta_is(o, "none", "enabled"));
	ck_assert(!fx_object_has_finalizer(o, "f"));
	ck_assert(!fx_object_remove_finalizer(o, "f"));
	ck_assert(fx_object_add_finalizer(o, "f"));
	ck_assert(fx_object_add_finalizer(o, "f"));
	ck_assert_uint_eq(json_array_size(fx_json_at(o, "metadata", "finalizers")), 1);
	ck_assert(fx_object_remove_finalizer(o, "f"));
	ck_assert(!fx_object_has_finalizer(o, "f"));
	ck_assert(fx_object_set_annotation(o, "a", "b"));
	ck_assert_str_eq(fx_object_annotation(o, "a"), "b");
	ck_assert(fx_object_set_annotation(o, "a", NULL));
	ck_assert_ptr_null(fx_object_annotation(o, "a"));
	fx_autofree char *ref = fx_object_ref(o);
	ck_assert_str_eq(ref, "K/n");
	fx_auto(json) json_t *reference = fx_object_reference(o);
	fx_autofree char *text = fx_json_text(reference, NULL);
	ck_assert_str_eq(text, "{\"kind\":\"K\",\"name\":\"n\"}");
}
END_TEST

/* Texts of the kustomize-controller reference, section 12.1. */
static const struct {
	const char *text, *namespace_, *name, *group, *kind;
} ids[] = {
        {"default_podinfo__Service", "default", "podinfo", "", "Service"},
        {"default_podinfo_apps_Deployment", "default", "podinfo", "apps", "Deployment"},
        {"_name__Namespace", "", "name", "", "Namespace"},
        {"_system__node_rbac.authorization.k8s.io_ClusterRole", "", "system:node",
                "rbac.authorization.k8s.io", "ClusterRole"},
        {"ns_a__b__c_rbac.authorization.k8s.io_RoleBinding", "ns", "a:b:c", "rbac.authorization.k8s.io",
                "RoleBinding"},
};

START_TEST(test_inventory_id)
{
	struct fx_object_id id;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	ck_assert_ok(fx_object_id_parse(ids[_i].text, &id, &err), &err);
	ck_assert_str_eq(id.namespace_, ids[_i].namespace_);
	ck_assert_str_eq(id.name, ids[_i].name);
	ck_assert_str_eq(id.group, ids[_i].group);
	ck_assert_str_eq(id.kind, ids[_i].kind);
	fx_autofree char *text = fx_object_id_text(&id);
	ck_assert_str_eq(text, ids[_i].text);
}
END_TEST

START_TEST(test_inventory_id_bad)
{
	static const char *const bad[] = {"", "a", "a_b", "a_b_c", "a_b_c_", "a___Kind"};
	struct fx_object_id id;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	for (size_t i = 0; i < FX_COUNT(bad); i++)
		ck_assert_msg(fx_object_id_parse(bad[i], &id, &err) == -FX_E_INVALID, "'%s'", bad[i]);
}
END_TEST

static const struct {
	const char *want;
	struct fx_kube_path path;
} paths[] = {
        {"/api/v1/namespaces/ns/configmaps/a", {"", "v1", "configmaps", "ns", "a", NULL}},
        {"/apis/apps/v1/deployments", {"apps", "v1", "deployments", "", "", "status"}},
        {"/apis/apps/v1/namespaces/ns/deployments/a/status",
                {"apps", "v1", "deployments", "ns", "a", "status"}},
        {"/apis/r/v1/clusterroles/system:node%2Fx%3F",
                {"r", "v1", "clusterroles", NULL, "system:node/x?", NULL}},
        {"/api/v1/namespaces/%2E%2E/secrets/%2E", {"", "v1", "secrets", "..", ".", NULL}},
};

START_TEST(test_path)
{
	fx_autofree char *text = fx_kube_path_text(&paths[_i].path);
	ck_assert_str_eq(text, paths[_i].want);
}
END_TEST

START_TEST(test_query)
{
	fx_auto(buf) struct fx_buf query = FX_BUF_INIT;
	fx_kube_query_add(&query, "labelSelector", "a=b,c in (d, e)");
	fx_kube_query_add(&query, "none", NULL);
	fx_kube_query_add_int(&query, "limit", 500);
	ck_assert_str_eq(fx_buf_str(&query), "labelSelector=a%3Db%2Cc%20in%20%28d%2C%20e%29&limit=500");
}
END_TEST

static const struct {
	const char *name, *body;
	int status;
	enum fx_error_code code;
	const char *message, *reason;
} statuses[] = {
        {"exists", "{\"reason\":\"AlreadyExists\",\"message\":\"it is there\"}", 409, FX_E_EXISTS,
                "it is there", "AlreadyExists"},
        {"conflict", "{\"reason\":\"Conflict\",\"message\":\"changed\"}", 409, FX_E_CONFLICT, "changed",
                "Conflict"},
        {"expired", "{\"reason\":\"Expired\",\"message\":\"too old\"}", 410, FX_E_GONE, "too old", "Expired"},
        {"no body", NULL, 503, FX_E_UNAVAILABLE, "the server answered 503 ServiceUnavailable",
                "ServiceUnavailable"},
        {"unknown 5xx", NULL, 599, FX_E_UNAVAILABLE, "the server answered 599", ""},
        {"unknown 4xx", NULL, 418, FX_E_INVALID, "the server answered 418", ""},
        {"server fault", "{\"message\":\"etcdserver: leader changed\"}", 500, FX_E_INTERNAL,
                "etcdserver: leader changed", "InternalError"},
        {"Status without a reason",
                "{\"kind\":\"Status\",\"message\":\"failed to create typed patch object\"}", 500,
                FX_E_INTERNAL, "failed to create typed patch object", ""},
};

START_TEST(test_status)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(kube_status) struct fx_kube_status status = FX_KUBE_STATUS_INIT;
	fx_auto(json) json_t *body = statuses[_i].body ? parse(statuses[_i].body) : NULL;
	int rc = fx_kube_status_fail(statuses[_i].status, body, 7, &status, &err);
	ck_assert_msg(rc == -(int)statuses[_i].code, "%s: %d", statuses[_i].name, rc);
	ck_assert_str_eq(fx_error_message(&err), statuses[_i].message);
	ck_assert_str_eq(fx_kube_status_reason(&status), statuses[_i].reason);
	ck_assert_int_eq(err.kind, FX_KIND_TRANSIENT);
	ck_assert_int_eq(err.retry_after_ms, 7);
}
END_TEST

START_TEST(test_limiter)
{
	struct fx_limiter limiter;
	fx_limiter_init(&limiter, 10, 3);
	int64_t now = limiter.filled_ns;
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(fx_limiter_reserve(&limiter, now), 0);
	ck_assert_int_eq(fx_limiter_reserve(&limiter, now), 100);
	ck_assert_int_eq(fx_limiter_reserve(&limiter, now), 200);
	/* A second later both debts are paid and the bucket is full again. */
	ck_assert_int_eq(fx_limiter_reserve(&limiter, now + 1000000000), 0);
	fx_limiter_open(&limiter);
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(fx_limiter_reserve(&limiter, now + 1000000000), 0);
	fx_limiter_release(&limiter);
}
END_TEST

START_TEST(test_pause_canceled)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(cancel) struct fx_cancel *cancel = fx_cancel_new(NULL, fx_now_ms() + 20);
	int64_t start = fx_now_ms();
	ck_assert_int_eq(fx_kube_pause(60000, cancel, &err), -FX_E_TIMEOUT);
	ck_assert_int_lt(fx_now_ms() - start, 30000);
	fx_cancel_fire(cancel, "stop");
	ck_assert_int_eq(fx_kube_pause(60000, cancel, &err), -FX_E_CANCELED);
	ck_assert_ok(fx_kube_pause(1, NULL, &err), &err);
}
END_TEST

static const struct {
	const char *text, *want; /* NULL: refused */
} base64s[] = {
        {"", ""},
        {"YQ==", "a"},
        {"YWI=", "ab"},
        {"YWJj", "abc"},
        {"YW\nJj\r\n", "abc"},
        {"YQ", NULL},
        {"YQ=", NULL},
        {"Y", NULL},
        {"YQ==YQ==", NULL},
        {"====", NULL},
        {"YW=j", NULL},
        {"a-_b", NULL},
};

START_TEST(test_base64)
{
	size_t len = 99;
	fx_autofree char *out = fx_base64_decode(base64s[_i].text, strlen(base64s[_i].text), &len);
	if (!base64s[_i].want) {
		ck_assert_msg(out == NULL, "'%s' was accepted", base64s[_i].text);
		return;
	}
	ck_assert_msg(out != NULL, "'%s' was refused", base64s[_i].text);
	ck_assert_str_eq(out, base64s[_i].want);
	ck_assert_uint_eq(len, strlen(base64s[_i].want));
	fx_autofree char *back = fx_base64_encode(out, len);
	if (!strpbrk(base64s[_i].text, "\r\n"))
		ck_assert_str_eq(back, base64s[_i].text);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("kube/object");
	TCase *tc = tcase_create("object");
	tcase_add_test(tc, test_gvk);
	tcase_add_test(tc, test_metadata);
	tcase_add_loop_test(tc, test_inventory_id, 0, FX_COUNT(ids));
	tcase_add_test(tc, test_inventory_id_bad);
	tcase_add_loop_test(tc, test_path, 0, FX_COUNT(paths));
	tcase_add_test(tc, test_query);
	tcase_add_loop_test(tc, test_status, 0, FX_COUNT(statuses));
	tcase_add_test(tc, test_limiter);
	tcase_add_test(tc, test_pause_canceled);
	tcase_add_loop_test(tc, test_base64, 0, FX_COUNT(base64s));
	suite_add_tcase(suite, tc);
	return suite;
}

FX_UNIT_MAIN(make_suite)
