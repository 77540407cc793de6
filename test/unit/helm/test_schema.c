#include "test/unit/unit.h"

#include "core/buf.h"
#include "helm/engine.h"
#include "helm/schema.h"

#include <stdio.h>

#define D4 "\"$schema\": \"http://json-schema.org/draft-04/schema#\", "
#define D7 "\"$schema\": \"http://json-schema.org/draft-07/schema#\", "
#define D2019 "\"$schema\": \"https://json-schema.org/draft/2019-09/schema\", "

/* Reports as Helm 4.2.4 prints them for the same schema and values. report NULL: valid. */
static const struct {
	const char *name, *schema, *value, *report;
} cases[] = {
        {"empty schema", "{}", "{\"a\": 1}", NULL},
        {"true", "true", "{}", NULL},
        {"false", "false", "{}", "- at '': false schema\n"},
        {"type", "{\"properties\": {\"a\": {\"type\": \"integer\"}}}", "{\"a\": \"x\"}",
                "- at '/a': got string, want integer\n"},
        {"types in order", "{\"properties\": {\"a\": {\"type\": [\"string\", \"null\"]}}}", "{\"a\": 1}",
                "- at '/a': got number, want null or string\n"},
        {"whole float is integer", "{\"properties\": {\"a\": {\"type\": \"integer\"}}}", "{\"a\": 1.0}",
                NULL},
        {"required", "{\"required\": [\"b\", \"c\"]}", "{}", "- at '': missing properties 'b', 'c'\n"},
        {"pointer escapes", "{\"properties\": {\"a/b~c\": {\"type\": \"null\"}}}", "{\"a/b~c\": 1}",
                "- at '/a~1b~0c': got number, want null\n"},
        {"additional properties", "{\"additionalProperties\": false}", "{\"z\": 1, \"a\": 2}",
                "- at '': additional properties 'a', 'z' not allowed\n"},
        {"quotes", "{\"properties\": {\"a\": {\"const\": \"x\"}}}", "{\"a\": 1}",
                "- at '/a': value must be 'x'\n"},
        {"quote in quotes", "{\"properties\": {\"a\": {\"pattern\": \"^'\\\"$\"}}}", "{\"a\": \"b\"}",
                "- at '/a': 'b' does not match pattern '^\\'\"$'\n"},
        {"enum keeps number text", "{\"properties\": {\"a\": {\"enum\": [1.50, null, true]}}}", "{\"a\": 2}",
                "- at '/a': value must be one of 1.50, <nil>, true\n"},
        {"enum with object", "{\"properties\": {\"a\": {\"enum\": [{}]}}}", "{\"a\": {\"x\": 1}}",
                "- at '/a': 'enum' failed\n"},
        {"equal numbers", "{\"properties\": {\"a\": {\"const\": 100}}}", "{\"a\": 1e2}", NULL},
        {"thousands", "{\"properties\": {\"a\": {\"minimum\": 1234}}}", "{\"a\": 1000.5}",
                "- at '/a': minimum: got 1,000.5, want 1,234\n"},
        {"large numbers", "{\"properties\": {\"a\": {\"maximum\": 1234567}}}", "{\"a\": 12345678901}",
                "- at '/a': maximum: got 1.2345678901×10¹⁰, want 1.234567×10⁰⁶\n"},
        {"decimal multiple", "{\"properties\": {\"a\": {\"multipleOf\": 0.1}}}", "{\"a\": 0.3}", NULL},
        {"no multiple", "{\"properties\": {\"a\": {\"multipleOf\": 3}}}", "{\"a\": 1e30}",
                "- at '/a': multipleOf: got 1×10³⁰, want 3\n"},
        {"draft 4 exclusive", "{" D4 "\"properties\": {\"a\": {\"minimum\": 1, \"exclusiveMinimum\": true}}}",
                "{\"a\": 1}", "- at '/a': exclusiveMinimum: got 1, want 1\n"},
        {"runes", "{\"properties\": {\"a\": {\"maxLength\": 2}}}", "{\"a\": \"äöü\"}",
                "- at '/a': maxLength: got 3, want 2\n"},
        {"unique", "{\"properties\": {\"a\": {\"uniqueItems\": true}}}", "{\"a\": [1, {\"x\": 1}, 1.0]}",
                "- at '/a': items at 0 and 2 are equal\n"},
        {"anyOf", "{\"properties\": {\"a\": {\"anyOf\": [{\"type\": \"null\"}, {\"minimum\": 9}]}}}",
                "{\"a\": 1}",
                "- at '/a': 'anyOf' failed\n  - at '/a': got number, want null\n  - at '/a': minimum: got 1, "
                "want 9\n"},
        {"oneOf", "{\"oneOf\": [true, {}]}", "{}", "- at '': 'oneOf' failed, subschemas 0, 1 matched\n"},
        {"not", "{\"not\": {}}", "{}", "- at '': 'not' failed\n"},
        {"if", "{\"if\": {\"required\": [\"a\"]}, \"then\": {\"required\": [\"b\"]}}", "{\"a\": 1}",
                "- at '': missing property 'b'\n"},
        {"names", "{\"propertyNames\": {\"pattern\": \"^[a-z]+$\"}}", "{\"A\": 1}",
                "- at '': invalid propertyName 'A'\n  - at '': 'A' does not match pattern '^[a-z]+$'\n"},
        {"dependent", "{\"dependentRequired\": {\"a\": [\"b\"]}}", "{\"a\": 1}",
                "- at '': properties 'b' required, if 'a' exists\n"},
        {"contains", "{\"properties\": {\"a\": {\"contains\": {\"const\": 1}, \"minContains\": 2}}}",
                "{\"a\": [1, 2]}",
                "- at '/a': min 2 items required to match contains schema, but matched 1 items at 0\n  - at "
                "'/a/1': "
                "value must be 1\n"},
        {"unevaluated", "{\"allOf\": [{\"properties\": {\"a\": true}}], \"unevaluatedProperties\": false}",
                "{\"a\": 1, \"b\": 2}", "- at '/b': false schema\n"},
        {"reference",
                "{\"$defs\": {\"p\": {\"minimum\": 1}}, \"properties\": {\"a\": {\"$ref\": \"#/$defs/p\"}}}",
                "{\"a\": 0}", "- at '/a': minimum: got 0, want 1\n"},
        {"two causes below a reference",
                "{\"$defs\": {\"p\": {\"required\": [\"x\"], \"minProperties\": 1}}, \"properties\": {\"a\": "
                "{\"$ref\": \"#/$defs/p\"}}}",
                "{\"a\": {}}",
                "- at '/a': validation failed\n  - at '/a': minProperties: got 0, want 1\n  - at '/a': "
                "missing "
                "property 'x'\n"},
        {"anchor", "{\"$defs\": {\"p\": {\"$anchor\": \"q\", \"type\": \"null\"}}, \"$ref\": \"#q\"}", "{}",
                "- at '': got object, want null\n"},
        {"dynamic reference",
                "{\"$id\": \"https://x.test/list\", \"$dynamicAnchor\": \"n\", \"type\": \"object\", "
                "\"properties\": {\"c\": {\"$dynamicRef\": \"#n\"}}}",
                "{\"c\": {\"c\": 1}}", "- at '/c/c': got number, want object\n"},
        {"recursive reference",
                "{" D2019 "\"type\": \"object\", \"additionalProperties\": {\"$recursiveRef\": \"#\"}}",
                "{\"c\": {\"c\": 1}}", "- at '/c/c': got number, want object\n"},
        {"siblings of a reference in draft 7",
                "{" D7
                "\"definitions\": {\"p\": true}, \"properties\": {\"a\": {\"$ref\": \"#/definitions/p\", "
                "\"minimum\": 5}}}",
                "{\"a\": 1}", NULL},
        {"format in draft 7", "{" D7 "\"properties\": {\"a\": {\"format\": \"ipv4\"}}}", "{\"a\": \"1.2.3\"}",
                "- at '/a': '1.2.3' is not valid ipv4: expected four decimals\n"},
        {"format describes in 2020-12", "{\"properties\": {\"a\": {\"format\": \"ipv4\"}}}",
                "{\"a\": \"1.2.3\"}", NULL},
        {"date", "{" D7 "\"properties\": {\"a\": {\"format\": \"date\"}}}", "{\"a\": \"2023-02-30\"}",
                "- at '/a': '2023-02-30' is not valid date: parsing time \"2023-02-30\": day out of range\n"},
        {"lost reference", "{\"$ref\": \"#/$defs/no\"}", "{}",
                "json-pointer in \"file:///values.schema.json#/$defs/no\" not found"},
        {"lost anchor", "{\"$ref\": \"#no\"}", "{}",
                "anchor in \"file:///values.schema.json#no\" not found in schema "
                "\"file:///values.schema.json\""},
        {"nothing is fetched", "{\"$ref\": \"https://example.com/s.json\"}", "{}",
                "failing loading \"https://example.com/s.json\": schemas are not fetched"},
        {"no file is read", "{\"$ref\": \"other.json\"}", "{}",
                "failing loading \"file:///other.json\": open /other.json: no such file or directory"},
        {"unknown scheme", "{\"$ref\": \"ftp://x/y\"}", "{}",
                "failing loading \"ftp://x/y\": no URLLoader registered for \"ftp://x/y\""},
        {"urn lets everything pass", "{\"$ref\": \"urn:x:y\"}", "{}", NULL},
        {"metaschema", "{\"type\": \"nope\"}", "{}",
                "\"file:///values.schema.json#\" is not valid against metaschema: jsonschema validation "
                "failed "
                "with 'https://json-schema.org/draft/2020-12/schema#'\n- at '': 'allOf' failed\n  - at "
                "'/type': "
                "'anyOf' failed\n    - at '/type': value must be one of 'array', 'boolean', 'integer', "
                "'null', "
                "'number', 'object', 'string'\n    - at '/type': got string, want array"},
        {"cycle", "{\"$ref\": \"#\"}", "{}",
                "- at '': both /$ref and  resolve to \"file:///values.schema.json#\" causing reference "
                "cycle\n"},
        {"no text", "", "{}", "EOF"},
        {"text that ends", "{\"a\":", "{}", "unexpected EOF"},
};

struct job {
	const char *schema, *value, *report;
};

static void body(struct fx_render *x, void *arg)
{
	struct job *j = arg;
	j->report = fx_schema_check_json(x, j->schema, strlen(j->schema), j->value, strlen(j->value));
}

static int check(struct fx_arena *arena, const char *schema, const char *value, const char **report,
        struct fx_error *err)
{
	struct job j = {schema, value, NULL};
	int rc = fx_render_run(arena, NULL, body, &j, err);
	*report = j.report;
	return rc;
}

START_TEST(reports)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(0);
	const char *report, *want = cases[_i].report;
	ck_assert_ok(check(arena, cases[_i].schema, cases[_i].value, &report, &err), &err);
	ck_assert_msg((!want && !report) || (want && report && strcmp(want, report) == 0),
	        "%s:\ngot:  %s\nwant: %s", cases[_i].name, report ? report : "valid", want ? want : "valid");
}
END_TEST

/* A schema whose branches multiply ends in an error, soon. */
START_TEST(bombs_end)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(0);
	fx_auto(buf) struct fx_buf s = FX_BUF_INIT;
	const char *report;
	fx_buf_add_str(&s, "{\"$defs\": {\"d0\": {\"not\": {}}");
	for (int i = 1; i < 40; i++)
		fx_buf_addf(&s,
		        ", \"d%d\": {\"anyOf\": [{\"$ref\": \"#/$defs/d%d\"}, {\"$ref\": \"#/$defs/d%d\"}]}",
		        i, i - 1, i - 1);
	fx_buf_add_str(&s, "}, \"$ref\": \"#/$defs/d39\"}");
	ck_assert_int_lt(check(arena, fx_buf_str(&s), "{}", &report, &err), 0);
	ck_assert_str_eq(
	        fx_error_message(&err), "the values take too many steps to check against the schema");
}
END_TEST

/* Each amount of memory that is too little ends in an error, and the next one can be tried. */
START_TEST(memory_runs_out)
{
	const char *schema = cases[_i].schema, *report;
	bool done = false;
	for (size_t limit = 1024; !done && limit < 4u * 1024 * 1024; limit += limit / 8) {
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		fx_auto(arena) struct fx_arena *arena = fx_arena_new(limit);
		done = check(arena, schema, cases[_i].value, &report, &err) == 0;
		if (!done)
			ck_assert_msg(err.code == FX_E_NOMEM, "%s: %zu bytes: %s", cases[_i].name, limit,
			        fx_error_message(&err));
	}
	ck_assert(done);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("schema");
	TCase *tc = tcase_create("schema");
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, reports, 0, FX_COUNT(cases));
	tcase_add_test(tc, bombs_end);
	tcase_add_loop_test(tc, memory_runs_out, 0, FX_COUNT(cases));
	suite_add_tcase(s, tc);
	return s;
}

FX_UNIT_MAIN(make_suite)
