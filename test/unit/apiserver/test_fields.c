/* Patches, selectors, field sets and the schema rules of the embedded API server. */
#include "../unit.h"

#include "test/apiserver/cel.h"
#include "test/apiserver/fields.h"
#include "test/apiserver/jsonpath.h"
#include "test/apiserver/managed.h"
#include "test/apiserver/obj.h"
#include "test/apiserver/patch.h"
#include "test/apiserver/request.h"
#include "test/apiserver/schema.h"
#include "test/apiserver/selector.h"
#include "test/apiserver/table.h"
#include "test/apiserver/types.h"

#include <string.h>

/* Parses JSON written with single quotes. */
static json_t *json(const char *text)
{
	char *copy = strdup(text);
	for (char *p = copy; *p; p++)
		*p = *p == '\'' ? '"' : *p;
	json_error_t error;
	json_t *value = json_loads(copy, JSON_DECODE_ANY, &error);
	ck_assert_msg(value, "%s: %s", error.text, copy);
	free(copy);
	return value;
}

static void expect(const char *name, const json_t *have, const char *want)
{
	fx_auto(json) json_t *value = json(want);
	fx_autofree char *text = fx_as_text(have);
	ck_assert_msg(have && json_equal(have, value), "%s: have %s, want %s", name, text, want);
}

START_TEST(patches)
{
	static const struct {
		const char *name, *object, *patch, *want; /* want NULL: refused */
	} cases[] = {
	        {"add", "{'a':1}", "[{'op':'add','path':'/b','value':2}]", "{'a':1,'b':2}"},
	        {"append", "{'l':[1]}", "[{'op':'add','path':'/l/-','value':2}]", "{'l':[1,2]}"},
	        {"replace missing", "{}", "[{'op':'replace','path':'/x','value':1}]", NULL},
	        {"remove missing", "{}", "[{'op':'remove','path':'/x'}]", NULL},
	        {"escaped", "{'a/b':1}", "[{'op':'remove','path':'/a~1b'}]", "{}"},
	        {"test fails", "{'a':1}", "[{'op':'test','path':'/a','value':2}]", NULL},
	        {"move", "{'a':1}", "[{'op':'move','from':'/a','path':'/b'}]", "{'b':1}"},
	        {"through a list", "{'l':[{'a':1},{'a':2}]}", "[{'op':'replace','path':'/l/1/a','value':3}]",
	                "{'l':[{'a':1},{'a':3}]}"},
	};
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		fx_auto(json) json_t *object = json(cases[i].object);
		fx_auto(json) json_t *patch = json(cases[i].patch);
		fx_auto(json) json_t *out = NULL;
		int rc = fx_as_patch_json(object, patch, &out, NULL);
		ck_assert_msg((rc == 0) == (cases[i].want != NULL), "%s: %d", cases[i].name, rc);
		if (cases[i].want)
			expect(cases[i].name, out, cases[i].want);
	}
}
END_TEST

START_TEST(strategic_patches)
{
	static const struct {
		const char *name, *object, *patch, *want;
	} cases[] = {
	        {"merge by name", "{'containers':[{'name':'a','image':'1'},{'name':'b'}]}",
	                "{'containers':[{'name':'a','image':'2'}]}",
	                "{'containers':[{'name':'a','image':'2'},{'name':'b'}]}"},
	        {"delete directive", "{'containers':[{'name':'a'},{'name':'b'}]}",
	                "{'containers':[{'name':'a','$patch':'delete'}]}", "{'containers':[{'name':'b'}]}"},
	        {"atomic list", "{'tolerations':[{'key':'a'}]}", "{'tolerations':[{'key':'b'}]}",
	                "{'tolerations':[{'key':'b'}]}"},
	        {"order", "{'containers':[{'name':'a'},{'name':'b'}]}",
	                "{'$setElementOrder/containers':[{'name':'b'},{'name':'a'}]}",
	                "{'containers':[{'name':'b'},{'name':'a'}]}"},
	        {"retain keys", "{'volumes':[{'name':'v','emptyDir':{}}]}",
	                "{'volumes':[{'name':'v','$retainKeys':['name','secret'],'secret':{'secretName':'s'}}"
	                "]}",
	                "{'volumes':[{'name':'v','secret':{'secretName':'s'}}]}"},
	        {"null deletes", "{'hostNetwork':true}", "{'hostNetwork':null}", "{}"},
	};
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		fx_auto(json) json_t *object = json(cases[i].object);
		fx_auto(json) json_t *patch = json(cases[i].patch);
		fx_auto(json) json_t *out = fx_as_patch_strategic(fx_as_type("PodSpec"), object, patch);
		expect(cases[i].name, out, cases[i].want);
	}
}
END_TEST

START_TEST(label_selectors)
{
	static const struct {
		const char *selector;
		int want; /* -1: refused */
	} cases[] = {{"", 1}, {"a=1", 1}, {"a==2", 0}, {"a!=2", 1}, {"missing!=2", 1}, {"a in (1,3)", 1},
	        {"a notin (1)", 0}, {"a", 1}, {"!a", 0}, {"!z,a=1", 1}, {"a=1,z", 0}, {"a in 1", -1},
	        {"=1", -1}};
	fx_auto(json) json_t *object = json("{'metadata':{'labels':{'a':'1','b':''}}}");
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		fx_auto(as_selector) struct fx_as_selector *s = NULL;
		int rc = fx_as_labels_parse(cases[i].selector, &s, NULL);
		int have = rc < 0 ? -1 : fx_as_labels_match(s, object);
		ck_assert_msg(have == cases[i].want, "%s: %d", cases[i].selector, have);
	}
}
END_TEST

START_TEST(field_sets_of_objects)
{
	static const struct {
		const char *name, *type, *object, *want;
	} cases[] = {
	        {"map keys are members", "ConfigMap", "{'data':{'a':'1'}}", "{'f:data':{'f:a':{}}}"},
	        {"list by keys with default", "PodSpec",
	                "{'containers':[{'name':'c','ports':[{'containerPort':80}]}]}",
	                "{'f:containers':{'k:{\"name\":\"c\"}':{'.':{},'f:name':{},'f:ports':{"
	                "'k:{\"containerPort\":80,\"protocol\":\"TCP\"}':{'.':{},'f:containerPort':{}}}}}}"},
	        {"atomic", "DeploymentSpec", "{'selector':{'matchLabels':{'a':'b'}}}", "{'f:selector':{}}"},
	        {"set", "ObjectMeta", "{'finalizers':['x']}", "{'f:finalizers':{'v:\"x\"':{}}}"},
	};
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		fx_auto(json) json_t *object = json(cases[i].object);
		fx_auto(json) json_t *set = fx_as_fields_of(fx_as_type(cases[i].type), object);
		fx_auto(json) json_t *text = fx_as_fields_encode(set);
		/* Path elements hold quotes of their own. */
		fx_autofree char *have = fx_as_text(text);
		char plain[512], want[512];
		size_t n = 0, m = 0;
		for (const char *p = have; *p; p++)
			if (*p != '\\' && *p != '"')
				plain[n++] = *p;
		for (const char *p = cases[i].want; *p; p++)
			if (*p != '\'' && *p != '"')
				want[m++] = *p;
		plain[n] = want[m] = '\0';
		ck_assert_msg(strcmp(plain, want) == 0, "%s: have %s, want %s", cases[i].name, plain, want);
	}
}
END_TEST

static struct fx_as_writer writer(const char *manager)
{
	return (struct fx_as_writer){.manager = manager,
	        .subresource = "",
	        .api_version = "v1",
	        .schema = fx_as_type("ConfigMap")};
}

static json_t *applied(
        const char *manager, const json_t *live, const char *config, bool force, json_t **status)
{
	struct fx_as_writer w = writer(manager);
	fx_auto(json) json_t *value = json(config);
	json_t *out = NULL;
	fx_as_managed_apply(&w, live, value, force, &out, status);
	return out;
}

START_TEST(apply_conflicts_and_takes_over)
{
	fx_auto(json) json_t *status = NULL;
	fx_auto(json) json_t *one = applied("one", NULL, "{'data':{'a':'1','b':'1'}}", false, &status);
	ck_assert_ptr_nonnull(one);
	fx_auto(json) json_t *refused = applied("two", one, "{'data':{'a':'2'}}", false, &status);
	ck_assert_ptr_null(refused);
	ck_assert_str_eq(fx_json_str_at(status, "message"),
	        "Apply failed with 1 conflict: conflict with \"one\": .data.a");
	json_decref(status);
	status = NULL;
	fx_auto(json) json_t *two = applied("two", one, "{'data':{'a':'2'}}", true, &status);
	expect("forced", json_object_get(two, "data"), "{'a':'2','b':'1'}");
	fx_auto(json) json_t *less = applied("one", two, "{'data':{}}", false, &status);
	ck_assert_msg(less, "%s", fx_json_str_at(status, "message"));
	expect("what is no longer applied goes, what another owns stays", json_object_get(less, "data"),
	        "{'a':'2'}");
}
END_TEST

START_TEST(equal_values_are_shared)
{
	fx_auto(json) json_t *status = NULL;
	fx_auto(json) json_t *one = applied("one", NULL, "{'data':{'a':'1'}}", false, &status);
	fx_auto(json) json_t *two = applied("two", one, "{'data':{'a':'1'}}", false, &status);
	ck_assert_ptr_nonnull(two);
	fx_auto(json) json_t *three = applied("one", two, "{'metadata':{}}", false, &status);
	expect("still owned by two", json_object_get(three, "data"), "{'a':'1'}");
}
END_TEST

START_TEST(identity_survives_the_last_label)
{
	fx_auto(json) json_t *status = NULL;
	fx_auto(json) json_t *one = applied(
	        "one", NULL, "{'metadata':{'name':'x','labels':{'a':'1'}},'data':{'a':'1'}}", false, &status);
	fx_auto(json) json_t *less =
	        applied("one", one, "{'metadata':{'name':'x'},'data':{'a':'1'}}", false, &status);
	ck_assert_str_eq(fx_as_name(less), "x");
	ck_assert_ptr_null(fx_json_at(less, "metadata", "labels"));
}
END_TEST

START_TEST(updates_take_fields)
{
	fx_auto(json) json_t *status = NULL;
	fx_auto(json) json_t *one = applied("one", NULL, "{'data':{'a':'1','b':'1'}}", false, &status);
	fx_auto(json) json_t *edited = json_deep_copy(one);
	fx_as_put(edited, json_string("2"), "data", "a", NULL);
	struct fx_as_writer w = writer("edit");
	fx_as_managed_update(&w, one, edited);
	const json_t *managed = fx_json_at(edited, "metadata", "managedFields");
	ck_assert_uint_eq(json_array_size(managed), 2);
	expect("one keeps b", json_object_get(json_array_get(managed, 0), "fieldsV1"),
	        "{'f:data':{'f:b':{}}}");
	expect("edit has a", json_object_get(json_array_get(managed, 1), "fieldsV1"),
	        "{'f:data':{'f:a':{}}}");
	ck_assert(!fx_as_managed_same(one, edited));
}
END_TEST

START_TEST(lists_keep_their_order)
{
	static const struct {
		const char *live, *config, *want;
	} cases[] = {
	        {"[{'name':'a'},{'name':'b'}]", "[{'name':'b','value':'1'}]",
	                "[{'name':'a'},{'name':'b','value':'1'}]"},
	        {"[{'name':'a'},{'name':'b'}]", "[{'name':'b'},{'name':'a'}]", "[{'name':'b'},{'name':'a'}]"},
	        {"[{'name':'a'},{'name':'x'},{'name':'b'}]", "[{'name':'a'},{'name':'n'},{'name':'b'}]",
	                "[{'name':'a'},{'name':'x'},{'name':'n'},{'name':'b'}]"},
	};
	fx_auto(json) json_t *schema =
	        json("{'type':'array','x-kubernetes-list-type':'map','x-kubernetes-list-map-keys':"
	             "['name'],'items':{'$ref':'EnvVar'}}");
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		fx_auto(json) json_t *live = json(cases[i].live);
		fx_auto(json) json_t *config = json(cases[i].config);
		fx_auto(json) json_t *out = fx_as_fields_merge(schema, live, config);
		expect(cases[i].config, out, cases[i].want);
	}
}
END_TEST

START_TEST(validation_texts)
{
	static const struct {
		const char *value, *field, *message; /* NULL: valid */
	} cases[] = {
	        {"{'interval':'1m'}", NULL, NULL},
	        {"{}", "interval", "Required value"},
	        {"{'interval':'x'}", "interval",
	                "Invalid value: \"x\": interval in body should match '^[0-9]+m$'"},
	        {"{'interval':1}", "interval",
	                "Invalid value: \"integer\": interval in body must be of type string: \"integer\""},
	        {"{'interval':'1m','mode':'c'}", "mode",
	                "Unsupported value: \"c\": supported values: \"a\", \"b\""},
	};
	fx_auto(json) json_t *schema =
	        json("{'type':'object','required':['interval'],'properties':{'interval':{'type':"
	             "'string','pattern':'^[0-9]+m$'},'mode':{'type':'string','enum':['a','b']}}}");
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		fx_auto(json) json_t *value = json(cases[i].value);
		fx_auto(json) json_t *problems = json_array();
		fx_as_schema_validate(schema, value, "", problems);
		const json_t *first = json_array_get(problems, 0);
		ck_assert_msg(!first == !cases[i].message, "%s", cases[i].value);
		if (first) {
			ck_assert_str_eq(fx_json_str_at(first, "field"), cases[i].field);
			ck_assert_str_eq(fx_json_str_at(first, "message"), cases[i].message);
		}
	}
}
END_TEST

START_TEST(defaults_and_pruning)
{
	fx_auto(json) json_t *schema =
	        json("{'type':'object','properties':{'a':{'type':'string','default':'x'},'o':{'type':"
	             "'object','properties':{'b':{'type':'integer','default':2}}},'l':{'type':'array',"
	             "'items':{'type':'object','properties':{'c':{'type':'string'}}}}}}");
	fx_auto(json) json_t *value = json("{'o':{},'l':[{'c':'1','d':'2'}],'z':1}");
	fx_auto(json) json_t *unknown = json_array();
	fx_as_schema_prune(schema, value, "", unknown);
	fx_as_schema_default(schema, value);
	expect("unknown", unknown, "['l[0].d','z']");
	expect("value", value, "{'a':'x','o':{'b':2},'l':[{'c':'1'}]}");
}
END_TEST

START_TEST(cel_rules)
{
	static const struct {
		const char *rule;
		int want;
	} cases[] = {{"self.p == 'aws'", 1}, {"!has(self.q)", 1}, {"has(self.q) || self.p != 'aws'", 0},
	        {"self.q == 'x' || self.p == 'aws'", 1}, {"self.q == 'x'", -1}, {"self.p in ['a', 'aws']", 1},
	        {"size(self.l) > 1 && self.l.size() == 2", 1}, {"self.p.startsWith('a')", 1},
	        {"self == oldSelf", -1}, {"self.l.all(x, x > 0)", -1}};
	fx_auto(json) json_t *self = json("{'p':'aws','l':[1,2]}");
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		int have = fx_as_cel_rule(cases[i].rule, self, NULL);
		ck_assert_msg(have == cases[i].want, "%s: %d", cases[i].rule, have);
	}
}
END_TEST

START_TEST(paths)
{
	static const struct {
		const char *path, *group, *version, *ns, *plural, *name, *subresource;
		bool is_resource;
	} cases[] = {
	        {"/api/v1/namespaces", "", "v1", "", "namespaces", "", "", true},
	        {"/api/v1/namespaces/a", "", "v1", "", "namespaces", "a", "", true},
	        {"/api/v1/namespaces/a/status", "", "v1", "", "namespaces", "a", "status", true},
	        {"/api/v1/namespaces/a/pods", "", "v1", "a", "pods", "", "", true},
	        {"/apis/apps/v1/namespaces/a/deployments/d/status", "apps", "v1", "a", "deployments", "d",
	                "status", true},
	        {"/apis/apps/v1", "", "", "", "", "", "", false},
	        {"/healthz", "", "", "", "", "", "", false},
	};
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		struct fx_as_path p;
		ck_assert_msg(fx_as_path_parse(cases[i].path, &p), "%s", cases[i].path);
		ck_assert_msg(p.is_resource == cases[i].is_resource && !strcmp(p.group, cases[i].group) &&
		                      !strcmp(p.version, cases[i].version) && !strcmp(p.ns, cases[i].ns) &&
		                      !strcmp(p.plural, cases[i].plural) && !strcmp(p.name, cases[i].name) &&
		                      !strcmp(p.subresource, cases[i].subresource),
		        "%s", cases[i].path);
	}
	ck_assert(!fx_as_path_parse("/apis/a/b/namespaces/c/d/e/f/g", &(struct fx_as_path){0}));
}
END_TEST

START_TEST(json_paths)
{
	static const struct {
		const char *path, *want;
	} cases[] = {{".a.b", "'x'"}, {".c[?(@.type==\"Ready\")].status", "'True'"}, {".l[1]", "2"},
	        {".l[-1]", "3"}, {"['a']['b']", "'x'"}, {".a\\.b", "'dot'"}, {".missing.b", NULL}};
	fx_auto(json) json_t *o =
	        json("{'a':{'b':'x'},'a.b':'dot','l':[1,2,3],'c':[{'type':'Other','status':'?'},{'type':"
	             "'Ready','status':'True'}]}");
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		const json_t *have = fx_as_jsonpath(o, cases[i].path);
		if (cases[i].want)
			expect(cases[i].path, have, cases[i].want);
		else
			ck_assert_ptr_null(have);
	}
}
END_TEST

START_TEST(human_durations)
{
	static const struct {
		long long seconds;
		const char *want;
	} cases[] = {{0, "0s"}, {119, "119s"}, {125, "2m5s"}, {600, "10m"}, {3 * 3600, "3h"},
	        {3 * 3600 + 60, "3h1m"}, {47 * 3600, "47h"}, {50 * 3600, "2d2h"}, {10 * 86400, "10d"}};
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		char text[32];
		ck_assert_str_eq(fx_as_human_duration(cases[i].seconds, text), cases[i].want);
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("apiserver");
	TCase *c = tcase_create("rules");
	tcase_add_test(c, patches);
	tcase_add_test(c, strategic_patches);
	tcase_add_test(c, label_selectors);
	tcase_add_test(c, field_sets_of_objects);
	tcase_add_test(c, apply_conflicts_and_takes_over);
	tcase_add_test(c, equal_values_are_shared);
	tcase_add_test(c, identity_survives_the_last_label);
	tcase_add_test(c, updates_take_fields);
	tcase_add_test(c, lists_keep_their_order);
	tcase_add_test(c, validation_texts);
	tcase_add_test(c, defaults_and_pruning);
	tcase_add_test(c, cel_rules);
	tcase_add_test(c, paths);
	tcase_add_test(c, json_paths);
	tcase_add_test(c, human_durations);
	suite_add_tcase(s, c);
	return s;
}

FX_UNIT_MAIN(suite)
