#include "test/unit/unit.h"

#include "data/json.h"
#include "data/jsonpatch.h"
#include "data/merge.h"
#include "data/yaml.h"

#include <string.h>

static struct fx_node *parse(struct fx_arena *arena, const char *text)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct fx_node *n = NULL;
	ck_assert_msg(
	        fx_yaml_read(arena, text, strlen(text), NULL, &n, &err) == 0, "%s", fx_error_message(&err));
	return n;
}

/* Input, and what kustomize prints for it (version 5.8.1). */
static const struct {
	const char *name, *in, *out;
} printed[] = {
        {"keys are sorted", "b: 1\na: 2\n", "a: 2\nb: 1\n"},
        {"digit runs by number", "a10: x\na2: x\na1: x\n", "a1: x\na2: x\na10: x\n"},
        {"lists are not indented", "a:\n  - x\n  - - w\n    - z\n", "a:\n- x\n- - w\n  - z\n"},
        {"yaml 1.1 words are quoted", "a: [yes, on, 'y', maybe]\n",
                "a:\n- \"yes\"\n- \"on\"\n- \"y\"\n- maybe\n"},
        {"numbers", "a: [0x10, 017, 1.0, 1e3, 1e-7, -0.0]\n", "a:\n- 16\n- 15\n- 1\n- 1000\n- 1e-07\n- 0\n"},
        {"dates become text", "a: 2020-01-01\n", "a: \"2020-01-01T00:00:00Z\"\n"},
        {"empty things", "a: {}\nb: []\nc:\nd: ''\n", "a: {}\nb: []\nc: null\nd: \"\"\n"},
        {"block text", "a: |+\n  x\n\n  y\n\n", "a: |+\n  x\n\n  y\n\n"},
        {"trailing blank", "a: \"x \"\n", "a: 'x '\n"},
        {"emoji", "a: \"\xf0\x9f\x98\x80\"\n", "a: \"\\U0001F600\"\n"},
        {"alias", "a: &x {k: v}\nb: *x\n", "a:\n  k: v\nb:\n  k: v\n"},
        {"merge key", "a: &x {k: v, l: w}\nb:\n  <<: *x\n  k: own\n",
                "a:\n  k: v\n  l: w\nb:\n  k: own\n  l: w\n"},
        {"folding",
                "a: aaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb cccccccccccccccccccccccccccc dddd "
                "eeee\n",
                "a: aaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb cccccccccccccccccccccccccccc\n  dddd "
                "eeee\n"},
};

START_TEST(prints_as_go)
{
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(0);
	fx_auto(buf) struct fx_buf out = FX_BUF_INIT;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	ck_assert_ok(fx_yaml_write(parse(arena, printed[_i].in), &out, &err), &err);
	ck_assert_msg(strcmp(fx_buf_str(&out), printed[_i].out) == 0, "%s:\nexpected\n%sgot\n%s",
	        printed[_i].name, printed[_i].out, fx_buf_str(&out));
}
END_TEST

static const struct {
	const char *name, *in;
} refused[] = {
        {"duplicate key", "a: 1\nb: 2\na: 3\n"},
        {"key that is no string", "a: {1: x}\n"},
        {"infinity", "a: .inf\n"},
        {"tag that does not fit", "a: !!int foo\n"},
};

/* What editors and shells of Windows write. */
START_TEST(byte_order_marks)
{
	static const struct {
		const char *name, *text;
		size_t len;
	} cases[] = {
	        {"UTF-8", "\xef\xbb\xbfk: \xc3\xbc\nl: 1\n", 14},
	        {"UTF-16, little",
	                "\xff\xfek\0:\0 \0\xfc\0\n\0l\0:\0 \0"
	                "1\0\n\0",
	                22},
	        {"UTF-16, big",
	                "\xfe\xff\0k\0:\0 \0\xfc\0\n\0l\0:\0 \0"
	                "1\0\n",
	                22},
	};
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		fx_auto(arena) struct fx_arena *arena = fx_arena_new(0);
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		struct fx_node *n = NULL;
		int rc = fx_yaml_read(arena, cases[i].text, cases[i].len, NULL, &n, &err);
		ck_assert_msg(rc == 0, "%s: %s", cases[i].name, fx_error_message(&err));
		ck_assert_str_eq(fx_node_get_text(n, "k"), "\xc3\xbc");
		ck_assert_str_eq(fx_node_get_text(n, "l"), "1");
	}
}
END_TEST

START_TEST(broken_utf16)
{
	static const struct {
		const char *name, *text;
		size_t len;
	} cases[] = {
	        {"half a character", "\xff\xfek\0:", 5},
	        {"half a surrogate pair", "\xff\xfe\x3c\xd8", 4},
	        {"surrogates turned", "\xff\xfe\0\xdc\x3c\xd8", 6},
	};
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		fx_auto(arena) struct fx_arena *arena = fx_arena_new(0);
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		struct fx_node *n = NULL;
		int rc = fx_yaml_read(arena, cases[i].text, cases[i].len, NULL, &n, &err);
		ck_assert_msg(rc < 0, "%s is taken", cases[i].name);
	}
}
END_TEST

START_TEST(refuses_to_print)
{
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(0);
	fx_auto(buf) struct fx_buf out = FX_BUF_INIT;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	ck_assert_msg(fx_yaml_write(parse(arena, refused[_i].in), &out, &err) < 0, "%s", refused[_i].name);
	ck_assert_int_eq(err.code, FX_E_INVALID);
}
END_TEST

/* Each alias level multiplies by ten. */
START_TEST(alias_bomb_ends_in_a_limit)
{
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(0);
	fx_auto(buf) struct fx_buf in = FX_BUF_INIT;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct fx_node *n = NULL;
	fx_buf_add_str(&in, "a0: &a0 x\n");
	for (int i = 1; i < 12; i++) {
		fx_buf_addf(&in, "a%d: &a%d [", i, i);
		for (int k = 0; k < 10; k++)
			fx_buf_addf(&in, "%s*a%d", k ? ", " : "", i - 1);
		fx_buf_add_str(&in, "]\n");
	}
	ck_assert_int_lt(fx_yaml_read(arena, fx_buf_str(&in), in.len, NULL, &n, &err), 0);
	ck_assert_int_eq(err.code, FX_E_LIMIT);
}
END_TEST

START_TEST(self_reference_is_refused)
{
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(0);
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	static const char in[] = "a: &x\n  b: *x\n";
	struct fx_node *n = NULL;
	ck_assert_int_lt(fx_yaml_read(arena, in, strlen(in), NULL, &n, &err), 0);
	ck_assert_int_eq(err.code, FX_E_PARSE);
}
END_TEST

START_TEST(depth_is_limited)
{
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(0);
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	char in[4001];
	struct fx_node *n = NULL;
	memset(in, '[', 2000);
	memset(in + 2000, ']', 2000);
	in[4000] = '\0';
	ck_assert_int_lt(fx_yaml_read(arena, in, strlen(in), NULL, &n, &err), 0);
	ck_assert_int_eq(err.code, FX_E_LIMIT);
}
END_TEST

static const struct {
	const char *name, *dest, *patch, *out;
} merges[] = {
        {"patch elements go in front",
                "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - {name: a, image: x}\n  - {name: b, "
                "image: y}\n",
                "spec:\n  containers:\n  - {name: c}\n  - {name: b, image: z}\n",
                "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - name: c\n  - image: z\n    name: b\n"
                "  - image: x\n    name: a\n"},
        {"unknown kinds replace lists", "apiVersion: x/v1\nkind: Foo\nlist: [{name: a}]\n",
                "list: [{name: b}]\n", "apiVersion: x/v1\nkind: Foo\nlist:\n- name: b\n"},
        {"null removes", "a: {b: 1, c: 2}\n", "a: {b: null}\n", "a:\n  c: 2\n"},
        {"delete directive", "a: {b: 1}\nc: 2\n", "a: {$patch: delete}\n", "c: 2\n"},
        {"a quoted scalar stays one", "a: \"80\"\n", "a: 8080\n", "a: \"8080\"\n"},
};

START_TEST(merges_strategically)
{
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(0);
	fx_auto(buf) struct fx_buf out = FX_BUF_INIT;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct fx_schema_set schema = FX_SCHEMA_BUILTIN;
	struct fx_node *n;
	ck_assert_ok(fx_strategic_merge(arena, &schema, parse(arena, merges[_i].dest),
	                     parse(arena, merges[_i].patch), &n, &err),
	        &err);
	ck_assert_ok(fx_yaml_write(n, &out, &err), &err);
	ck_assert_msg(strcmp(fx_buf_str(&out), merges[_i].out) == 0, "%s:\nexpected\n%sgot\n%s",
	        merges[_i].name, merges[_i].out, fx_buf_str(&out));
}
END_TEST

/* out NULL: the patch fails. */
static const struct {
	const char *name, *ops, *out;
} patches[] = {
        {"add to a list", "[{\"op\":\"add\",\"path\":\"/l/-\",\"value\":3}]",
                "{\"l\":[1,2,3],\"m\":{\"k\":\"v\"}}"},
        {"negative index", "[{\"op\":\"remove\",\"path\":\"/l/-1\"}]", "{\"l\":[1],\"m\":{\"k\":\"v\"}}"},
        {"replace of nothing adds", "[{\"op\":\"replace\",\"path\":\"/m/x\",\"value\":1}]",
                "{\"l\":[1,2],\"m\":{\"k\":\"v\",\"x\":1}}"},
        {"escapes", "- {op: add, path: /m/a~1b~0c, value: x}",
                "{\"l\":[1,2],\"m\":{\"a/b~c\":\"x\",\"k\":\"v\"}}"},
        {"move", "- {op: move, from: /m/k, path: /k}", "{\"k\":\"v\",\"l\":[1,2],\"m\":{}}"},
        {"test", "- {op: test, path: /m/k, value: w}", NULL},
        {"remove of nothing", "- {op: remove, path: /m/x}", NULL},
        {"unknown operation", "- {op: jump, path: /m}", NULL},
};

START_TEST(applies_json_patches)
{
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(0);
	fx_auto(buf) struct fx_buf out = FX_BUF_INIT;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct fx_node *doc = parse(arena, "l: [1, 2]\nm: {k: v}\n"), *ops;
	ck_assert_ok(fx_jsonpatch_read(arena, patches[_i].ops, strlen(patches[_i].ops), &ops, &err), &err);
	if (!patches[_i].out) {
		ck_assert_msg(fx_jsonpatch_apply(arena, ops, &doc, &err) < 0, "%s", patches[_i].name);
		return;
	}
	ck_assert_ok(fx_jsonpatch_apply(arena, ops, &doc, &err), &err);
	ck_assert_ok(fx_json_write(doc, FX_JSON_GO, &out, &err), &err);
	ck_assert_msg(strcmp(fx_buf_str(&out), patches[_i].out) == 0, "%s: expected %s, got %s",
	        patches[_i].name, patches[_i].out, fx_buf_str(&out));
}
END_TEST

START_TEST(jansson_and_back)
{
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(0);
	fx_auto(buf) struct fx_buf out = FX_BUF_INIT;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	json_t *json = fx_node_to_json(parse(arena, "a: [1, 1.5, yes, true, ~]\nb: {c: 0x10}\n"), &err);
	ck_assert_ptr_nonnull(json);
	struct fx_node *n = fx_node_from_json(arena, json);
	json_decref(json);
	ck_assert_ok(fx_json_write(n, FX_JSON_GO, &out, &err), &err);
	ck_assert_str_eq(fx_buf_str(&out), "{\"a\":[1,1.5,\"yes\",true,null],\"b\":{\"c\":16}}");
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("yaml");
	TCase *tc = tcase_create("yaml");
	tcase_add_loop_test(tc, prints_as_go, 0, (int)FX_COUNT(printed));
	tcase_add_test(tc, byte_order_marks);
	tcase_add_test(tc, broken_utf16);
	tcase_add_loop_test(tc, refuses_to_print, 0, (int)FX_COUNT(refused));
	tcase_add_test(tc, alias_bomb_ends_in_a_limit);
	tcase_add_test(tc, self_reference_is_refused);
	tcase_add_test(tc, depth_is_limited);
	tcase_add_loop_test(tc, merges_strategically, 0, (int)FX_COUNT(merges));
	tcase_add_loop_test(tc, applies_json_patches, 0, (int)FX_COUNT(patches));
	tcase_add_test(tc, jansson_and_back);
	suite_add_tcase(suite, tc);
	return suite;
}

FX_UNIT_MAIN(make_suite)
