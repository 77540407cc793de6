#include "../unit.h"

#include "data/jansson.h"
#include "data/json_slim.h"

#include <string.h>

#define FIELDS "{\"f:data\":{\".\":{},\"f:key\":{}},\"f:list\":{\"k:{\\\"name\\\":\\\"x\\\"}\":{}}}"

static const struct slim_case {
	const char *name;
	const char *text;
	enum fx_json_slim how;
	const char *want; /* NULL: left alone */
} slim_cases[] = {
        {"object",
                "{\"kind\":\"A\",\"metadata\":{\"managedFields\":[{\"manager\":\"m\",\"fieldsV1\":" FIELDS
                "}],\"name\":\"n\"},\"spec\":{}}",
                FX_SLIM_DROP,
                "{\"kind\":\"A\",\"metadata\":{\"managedFields\":[],\"name\":\"n\"},\"spec\":{}}"},
        {"event", "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"managedFields\":[ ] , \"name\":\"n\"}}}\n",
                FX_SLIM_DROP,
                "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"managedFields\":[] , \"name\":\"n\"}}}\n"},
        {"last member", "{\"metadata\":{\"name\":\"]\\\"}\",\"managedFields\":[[{\"a\":\"]\"}]]}}",
                FX_SLIM_DROP, "{\"metadata\":{\"name\":\"]\\\"}\",\"managedFields\":[]}}"},
        {"elsewhere",
                "{\"spec\":{\"metadata\":{\"managedFields\":[1]},\"managedFields\":[2]},\"metadata\":{}}",
                FX_SLIM_DROP, NULL},
        {"in a text", "{\"data\":{\"metadata\":\"{\\\"managedFields\\\":[1]}\"}}", FX_SLIM_DROP, NULL},
        {"no list", "{\"metadata\":{\"managedFields\":null}}", FX_SLIM_DROP, NULL},
        {"not asked for", "{\"metadata\":{\"managedFields\":[1]}}", FX_SLIM_NOTHING, NULL},
        {"truncated", "{\"metadata\":{\"managedFields\":[{\"a\":\"b", FX_SLIM_DROP, NULL},
        {"no value", "{\"metadata\":{\"managedFields\":[],\"a\":}", FX_SLIM_DROP, NULL},
        {"closed twice", "{\"a\":]}", FX_SLIM_DROP, NULL},
        {"list", "[1]", FX_SLIM_DROP, NULL},
        {"empty", "", FX_SLIM_DROP, NULL},
        {"no fields", "{\"metadata\":{\"managedFields\":[{\"manager\":\"m\"}]}}", FX_SLIM_HASH, NULL},
};

START_TEST(slims)
{
	const struct slim_case *c = &slim_cases[_i];
	fx_auto(buf) struct fx_buf out = FX_BUF_INIT;
	bool done = fx_json_slim(c->text, strlen(c->text), c->how, &out);
	ck_assert_msg(done == (c->want != NULL), "%s", c->name);
	if (c->want)
		ck_assert_msg(!strcmp(fx_buf_str(&out), c->want), "%s: %s", c->name, fx_buf_str(&out));
}
END_TEST

START_TEST(fields_become_their_hash)
{
	static const char text[] = "{\"metadata\":{\"managedFields\":[{\"fieldsV1\":" FIELDS
	                           ",\"manager\":\"a\"},{\"fieldsV1\":{}}]}}";
	fx_auto(buf) struct fx_buf out = FX_BUF_INIT;
	fx_auto(json) json_t *object = NULL;
	char hash[24];
	ck_assert(fx_json_slim(text, strlen(text), FX_SLIM_HASH, &out));
	ck_assert_int_eq(fx_json_parse(out.data, out.len, &object, NULL), 0);
	const json_t *entry = json_array_get(fx_json_at(object, "metadata", "managedFields"), 0);
	snprintf(hash, sizeof(hash), "%016llx",
	        (unsigned long long)fx_json_fields_hash(FIELDS, strlen(FIELDS)));
	ck_assert_str_eq(fx_json_str_at(entry, "fieldsV1"), hash);
	ck_assert_str_eq(fx_json_str_at(entry, "manager"), "a");
}
END_TEST

static const struct hash_case {
	const char *name;
	const char *a, *b;
	bool equal;
} hash_cases[] = {
        {"order", "{\"a\":{\"b\":{},\"c\":{}}}", "{\"a\":{\"c\":{},\"b\":{}}}", true},
        {"space", "{\"a\":{\"b\":{}}}", " { \"a\" : { \"b\" : { } } }", true},
        {"escapes", "{\"k:{\\\"a\\\":\\\"<\\\"}\":{}}", "{\"k:{\\\"a\\\":\\\"\\u003c\\\"}\":{}}", true},
        {"another key", "{\"a\":{\"b\":{}}}", "{\"a\":{\"c\":{}}}", false},
        {"one more key", "{\"a\":{}}", "{\"a\":{},\"b\":{}}", false},
        {"another place", "{\"a\":{\"b\":{}},\"c\":{}}", "{\"a\":{},\"c\":{\"b\":{}}}", false},
        {"deeper", "{\"a\":{\"b\":{}}}", "{\"a\":{\"b\":{\"c\":{}}}}", false},
        {"empty", "{}", "{\"a\":{}}", false},
};

START_TEST(hashes)
{
	const struct hash_case *c = &hash_cases[_i];
	uint64_t a = fx_json_fields_hash(c->a, strlen(c->a)), b = fx_json_fields_hash(c->b, strlen(c->b));
	ck_assert_msg(a && b, "%s", c->name);
	ck_assert_msg((a == b) == c->equal, "%s", c->name);
}
END_TEST

START_TEST(what_is_no_object_has_no_hash)
{
	char deep[3 * (FX_JSON_HASH_DEPTH_MAX + 10)];
	size_t len = 0;
	while (len < sizeof(deep) - 5) {
		memcpy(deep + len, "{\"\":", 4);
		len += 4;
	}
	ck_assert_uint_eq(fx_json_fields_hash(deep, len), 0);
	static const char *const texts[] = {"", "[]", "1", "{", "{\"a\":", "{\"a\"}", "{a:1}", "{\"a\":\"\\"};
	for (size_t i = 0; i < FX_COUNT(texts); i++)
		ck_assert_msg(fx_json_fields_hash(texts[i], strlen(texts[i])) == 0, "%s", texts[i]);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("data/json_slim");
	TCase *t = tcase_create("json_slim");
	tcase_add_loop_test(t, slims, 0, FX_COUNT(slim_cases));
	tcase_add_test(t, fields_become_their_hash);
	tcase_add_loop_test(t, hashes, 0, FX_COUNT(hash_cases));
	tcase_add_test(t, what_is_no_object_has_no_hash);
	suite_add_tcase(suite, t);
	return suite;
}

FX_UNIT_MAIN(make_suite)
