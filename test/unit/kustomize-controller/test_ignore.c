#include "kustomize-controller/ignore.h"

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

/* The rest of an object of which a case says spec and managedFields. */
static json_t *object_of(const char *spec, const char *managed)
{
	json_t *object = parse("{'apiVersion':'apps/v1','kind':'Deployment','metadata':{'name':'app',"
	                       "'namespace':'ns','resourceVersion':'7','labels':{'tier':'web'}}}");
	json_object_set_new(object, "spec", parse(spec));
	json_object_set_new(json_object_get(object, "metadata"), "managedFields", parse(managed));
	return object;
}

#define OTHER "[{'manager':'scaler','operation':'Apply','fieldsV1':{'f:spec':{'f:replicas':{}}}}]"
#define ITEM                                                                                                 \
	"[{'manager':'scaler','operation':'Apply','fieldsV1':{'f:spec':{'f:c':{'k:{\\'name\\':\\'b\\'}':"    \
	"{'f:cpu':{}}}}}}]"
#define REPLICAS "[{'paths':['/spec/replicas']}]"

/* live and sent: spec in the cluster and in what is applied; want: spec of the payload. */
static const struct {
	const char *name, *rules, *managed, *live, *sent, *want;
	bool drifted;
} payloads[] = {
        {"adopt", REPLICAS, "[]", "{'replicas':5}", "{'replicas':1}", "{'replicas':5}", false},
        {"strip", REPLICAS, OTHER, "{'replicas':5}", "{'replicas':1}", "{}", false},
        {"equal stays", REPLICAS, OTHER, "{'replicas':1,'a':1}", "{'replicas':1,'a':2}",
                "{'replicas':1,'a':2}", true},
        {"other drift", REPLICAS, "[]", "{'replicas':5,'a':1}", "{'replicas':1,'a':2}",
                "{'replicas':5,'a':2}", true},
        {"gone from live", REPLICAS, "[]", "{}", "{'replicas':1}", "{}", false},
        {"only in live", REPLICAS, "[]", "{'replicas':5}", "{}", "{'replicas':5}", false},
        {"leads nowhere", "[{'paths':['/spec/x/0/y','/spec/-','spec','']}]", "[]", "{'replicas':5}",
                "{'replicas':1}", "{'replicas':1}", true},
        {"escapes", "[{'paths':['/spec/a~1b~0c~01']}]", "[]", "{'a/b~c~1':2}", "{'a/b~c~1':1}",
                "{'a/b~c~1':2}", false},
        {"item of another applier", "[{'paths':['/spec/c/1/cpu']}]", ITEM,
                "{'c':[{'name':'a'},{'name':'b','cpu':2}]}", "{'c':[{'name':'a'},{'name':'b','cpu':1}]}",
                "{'c':[{'name':'a'},{'name':'b'}]}", false},
        {"item", "[{'paths':['/spec/c/0/cpu']}]", ITEM, "{'c':[{'name':'a','cpu':2}]}",
                "{'c':[{'name':'a','cpu':1}]}", "{'c':[{'name':'a','cpu':2}]}", false},
        {"last rule without target", "[{'paths':['/spec/replicas']},{'paths':['/spec/a']}]", "[]",
                "{'replicas':5,'a':5}", "{'replicas':1,'a':1}", "{'replicas':1,'a':5}", true},
        {"no rule", "[]", "[]", "{'replicas':5}", "{'replicas':1}", "{'replicas':1}", true},
};

START_TEST(test_payload)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(drift_ignore) struct fx_drift_ignore *ignore = NULL;
	json_t *rules = parse(payloads[_i].rules), *out = NULL;
	json_t *live = object_of(payloads[_i].live, payloads[_i].managed);
	json_t *sent = object_of(payloads[_i].sent, payloads[_i].managed);
	json_t *want = object_of(payloads[_i].want, payloads[_i].managed);
	bool drifted = false;
	ck_assert_ok(fx_drift_ignore_new(rules, &ignore, &err), &err);
	ck_assert_ok(fx_drift_ignore_has_drifted(ignore, live, sent, &drifted, &err), &err);
	ck_assert_msg(drifted == payloads[_i].drifted, "%s: drift", payloads[_i].name);
	ck_assert_ok(fx_drift_ignore_resolve(ignore, sent, live, sent, &out, &err), &err);
	fx_autofree char *got = json_dumps(json_object_get(out, "spec"), JSON_SORT_KEYS);
	ck_assert_msg(json_equal(out, want), "%s: %s", payloads[_i].name, got);
	json_decref(rules);
	json_decref(live);
	json_decref(sent);
	json_decref(want);
	json_decref(out);
}
END_TEST

static const struct {
	const char *target;
	bool selected;
} targets[] = {
        {"{}", true},
        {"{'kind':'Deployment','group':'apps','version':'v1','name':'app','namespace':'ns'}", true},
        {"{'kind':'Deploy'}", false},
        {"{'kind':'Deploy.*'}", true},
        {"{'name':'a|app'}", true},
        {"{'name':'pp'}", false},
        {"{'group':'batch'}", false},
        {"{'version':'v2'}", false},
        {"{'namespace':'n'}", false},
        {"{'labelSelector':'tier in (web, db)'}", true},
        {"{'labelSelector':'tier!=web'}", false},
        {"{'annotationSelector':'team'}", false},
        {"{'annotationSelector':'!team'}", true},
};

START_TEST(test_target)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(drift_ignore) struct fx_drift_ignore *ignore = NULL;
	json_t *rules = parse(REPLICAS);
	json_object_set_new(json_array_get(rules, 0), "target", parse(targets[_i].target));
	json_t *live = object_of("{'replicas':5}", "[]"), *sent = object_of("{'replicas':1}", "[]");
	bool drifted = false;
	ck_assert_ok(fx_drift_ignore_new(rules, &ignore, &err), &err);
	ck_assert_ok(fx_drift_ignore_has_drifted(ignore, live, sent, &drifted, &err), &err);
	ck_assert_msg(drifted != targets[_i].selected, "%s", targets[_i].target);
	json_decref(rules);
	json_decref(live);
	json_decref(sent);
}
END_TEST

static const char *const bad_targets[] = {"{'name':'(a'}", "{'labelSelector':'a b'}", "{'kind':'(?=a)'}"};

START_TEST(test_bad_target)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(drift_ignore) struct fx_drift_ignore *ignore = NULL;
	json_t *rules = parse(REPLICAS);
	json_object_set_new(json_array_get(rules, 0), "target", parse(bad_targets[_i]));
	ck_assert_int_eq(fx_drift_ignore_new(rules, &ignore, &err), -FX_E_INVALID);
	ck_assert_ptr_nonnull(strstr(fx_error_message(&err), "failed to create ignore rule selector: "));
	json_decref(rules);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("ignore");
	TCase *tc = tcase_create("ignore");
	tcase_add_loop_test(tc, test_payload, 0, FX_COUNT(payloads));
	tcase_add_loop_test(tc, test_target, 0, FX_COUNT(targets));
	tcase_add_loop_test(tc, test_bad_target, 0, FX_COUNT(bad_targets));
	suite_add_tcase(suite, tc);
	return suite;
}

FX_UNIT_MAIN(make_suite)
