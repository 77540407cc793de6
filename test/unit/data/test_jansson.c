#include "../unit.h"

#include "data/jansson.h"
#include "data/json_split.h"

#include <string.h>

static json_t *parse(const char *text)
{
	json_t *value = NULL;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	ck_assert_ok(fx_json_parse(text, strlen(text), &value, &err), &err);
	return value;
}

START_TEST(test_paths)
{
	fx_auto(json) json_t *v = parse("{\"a\":{\"b\":\"x\",\"n\":7,\"t\":true},\"s\":\"str\"}");
	ck_assert_str_eq(fx_json_str_at(v, "a", "b"), "x");
	ck_assert_ptr_null(fx_json_str_at(v, "a", "c"));
	ck_assert_ptr_null(fx_json_str_at(v, "s", "c"));
	ck_assert_ptr_null(fx_json_str_at(NULL, "s", "c"));
	ck_assert_int_eq(fx_json_int_at(v, -1, "a", "n"), 7);
	ck_assert_int_eq(fx_json_int_at(v, -1, "a", "b"), -1);
	ck_assert(fx_json_bool_at(v, "a", "t"));
	ck_assert(fx_json_set_at(v, json_integer(3), "s", "deep", "er"));
	ck_assert_int_eq(fx_json_int_at(v, 0, "s", "deep", "er"), 3);
	fx_json_del_at(v, "s", "deep", "er");
	fx_json_del_at(v, "nothing", "here");
	fx_autofree char *text = fx_json_text(v, NULL);
	ck_assert_str_eq(text, "{\"a\":{\"b\":\"x\",\"n\":7,\"t\":true},\"s\":{\"deep\":{}}}");
}
END_TEST

/* A YAML parser folds blanks before a line break and refuses some characters; written as is, data
 * would change on its way into the cluster. */
START_TEST(test_text_is_yaml_too)
{
	static const struct {
		const char *name, *value, *text;
	} cases[] = {
	        {"line separator", "a \u2028 b", "\"a \\u2028 b\""},
	        {"paragraph separator", "\u2029", "\"\\u2029\""},
	        {"next line", "a \xc2\x85", "\"a \\u0085\""},
	        {"delete", "\x7f", "\"\\u007f\""},
	        {"byte order mark", "\ufeffx", "\"\\ufeffx\""},
	        {"no-break space", "\u00a0", "\"\u00a0\""},
	        {"others", "日本 🎉 é \u2027 \ufffd", "\"日本 🎉 é \u2027 \ufffd\""},
	};
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		fx_auto(json) json_t *value = json_string(cases[i].value);
		fx_autofree char *text = fx_json_text(value, NULL);
		ck_assert_msg(strcmp(text, cases[i].text) == 0, "%s: %s", cases[i].name, text);
	}
}
END_TEST

static const struct {
	const char *name, *a, *b;
	bool equal;
} equal_cases[] = {
        {"same", "{\"a\":[1,\"x\"]}", "{\"a\":[1,\"x\"]}", true},
        {"null and empty object", "{\"a\":null}", "{\"a\":{}}", true},
        {"absent and empty object", "{\"b\":1}", "{\"b\":1,\"a\":{}}", false},
        {"null and empty array", "{\"a\":null}", "{\"a\":[]}", true},
        {"empty object and empty array", "{\"a\":{}}", "{\"a\":[]}", true},
        {"false is not absent", "{\"a\":false}", "{}", false},
        {"empty string is not absent", "{\"a\":\"\"}", "{}", false},
        {"integer and real", "{\"a\":1}", "{\"a\":1.0}", true},
        {"string and number", "{\"a\":1}", "{\"a\":\"1\"}", false},
        {"order of an array", "[1,2]", "[2,1]", false},
        {"length of an array", "[1,2]", "[1]", false},
        {"order of keys", "{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}", true},
};

START_TEST(test_equal_loose)
{
	fx_auto(json) json_t *a = parse(equal_cases[_i].a);
	fx_auto(json) json_t *b = parse(equal_cases[_i].b);
	ck_assert_msg(fx_json_equal_loose(a, b) == equal_cases[_i].equal, "%s", equal_cases[_i].name);
	ck_assert_msg(fx_json_equal_loose(b, a) == equal_cases[_i].equal, "%s, turned", equal_cases[_i].name);
}
END_TEST

START_TEST(test_parse_error_hides_text)
{
	json_t *v = NULL;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const char *text = "{\"password\": hunter2}";
	ck_assert_int_eq(fx_json_parse(text, strlen(text), &v, &err), -FX_E_PARSE);
	ck_assert_ptr_null(strstr(fx_error_message(&err), "hunter2"));
}
END_TEST

static int collect(void *arg, const char *key, const char *text, size_t len, struct fx_error *err)
{
	(void)err;
	ck_assert_uint_eq(strlen(text), len);
	fx_buf_addf(arg, "%s=%s;", key ? key : "", text);
	return 0;
}

static const struct {
	const char *name, *array, *text, *want;
	int code; /* of feed or of the end */
} split_cases[] = {
        {"empty list", "items", "{\"kind\":\"L\",\"items\":[]}\n", "kind=\"L\";", 0},
        {"items null", "items", "{\"items\":null,\"a\":1}", "items=null;a=1;", 0},
        {"two items and metadata after", "items",
                " { \"metadata\" : {\"rv\":\"1\"}, \"items\" : [ {\"a\":\"]}\\\"\"} , {\"b\":[1,{}]}], \"x\" "
                ": true }",
                "metadata={\"rv\":\"1\"};={\"a\":\"]}\\\"\"};={\"b\":[1,{}]};x=true;", 0},
        {"scalar items", "items", "{\"items\":[1,\"two\",null]}", "=1;=\"two\";=null;", 0},
        {"nested member of the same name", "items", "{\"m\":{\"items\":[1]},\"items\":[2]}",
                "m={\"items\":[1]};=2;", 0},
        {"cut short", "items", "{\"items\":[{\"a\":1}", "={\"a\":1};", FX_E_PROTOCOL},
        {"no object", "items", "[1]", "", FX_E_PARSE},
        {"text after", "items", "{}x", "", FX_E_PARSE},
        {"lines", NULL, "{\"a\":1}\n\n{\"b\":2}\n", "={\"a\":1};={\"b\":2};", 0},
        {"line cut short", NULL, "{\"a\":1}\n{\"b\"", "={\"a\":1};", FX_E_PROTOCOL},
};

/* The result must not depend on how the bytes arrive. */
START_TEST(test_split)
{
	for (size_t piece = 1; piece < 40; piece++) {
		struct fx_buf got = FX_BUF_INIT;
		struct fx_json_split split;
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		const char *text = split_cases[_i].text;
		fx_json_split_init(&split, split_cases[_i].array, collect, &got);
		int rc = 0;
		for (size_t at = 0, len = strlen(text); rc == 0 && at < len; at += piece)
			rc = fx_json_split_feed(&split, text + at, len - at < piece ? len - at : piece, &err);
		if (rc == 0)
			rc = fx_json_split_end(&split, &err);
		ck_assert_msg(rc == -split_cases[_i].code, "%s (pieces of %zu): %d %s", split_cases[_i].name,
		        piece, rc, fx_error_message(&err));
		ck_assert_str_eq(fx_buf_str(&got), split_cases[_i].want);
		fx_json_split_release(&split);
		fx_buf_release(&got);
	}
}
END_TEST

START_TEST(test_split_limit)
{
	struct fx_buf got = FX_BUF_INIT;
	struct fx_json_split split;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_json_split_init(&split, "items", collect, &got);
	int rc = fx_json_split_feed(&split, "{\"items\":[\"", 11, &err);
	char block[65536];
	memset(block, 'x', sizeof(block));
	for (size_t sent = 0; rc == 0 && sent < 2 * (size_t)FX_JSON_SPLIT_ITEM_MAX; sent += sizeof(block))
		rc = fx_json_split_feed(&split, block, sizeof(block), &err);
	ck_assert_int_eq(rc, -FX_E_LIMIT);
	fx_json_split_release(&split);
	fx_buf_release(&got);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("data/jansson");
	TCase *tc = tcase_create("jansson");
	tcase_add_test(tc, test_paths);
	tcase_add_test(tc, test_text_is_yaml_too);
	tcase_add_loop_test(tc, test_equal_loose, 0, FX_COUNT(equal_cases));
	tcase_add_test(tc, test_parse_error_hides_text);
	tcase_add_loop_test(tc, test_split, 0, FX_COUNT(split_cases));
	tcase_add_test(tc, test_split_limit);
	suite_add_tcase(suite, tc);
	return suite;
}

FX_UNIT_MAIN(make_suite)
