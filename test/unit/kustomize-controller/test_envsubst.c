#include "kustomize-controller/envsubst.h"

#include "../unit.h"

#include <string.h>

static const char *const variables[][2] = {{"v", "foo/bar/baz.tar.gz"}, {"word", "hello"}, {"empty", ""},
        {"utf", "\xc3\xa4\xc3\xb6-x"}, {"neg", "-3"}, {"p", "o"}, {"2x", "two"}, {"n", "1"},
        {"lead", "aaab"}};

static const char *lookup(void *arg, const char *name)
{
	(void)arg;
	for (size_t i = 0; i < FX_COUNT(variables); i++)
		if (!strcmp(variables[i][0], name))
			return variables[i][1];
	return NULL;
}

static const struct {
	const char *input;
	const char *out; /* NULL: an error is expected */
	const char *err;
} cases[] = {
        {"plain", "plain", NULL},
        {"$$", "$", NULL},
        {"$$$$", "$$", NULL},
        {"$${word}", "${word}", NULL},
        {"$word $ {word} a\\b", "$word $ {word} a\\b", NULL},
        {"${word}!${missing}.", "hello!.", NULL},
        {"${2x}", "two", NULL},
        {"${#utf} ${#missing}", "6 0", NULL},
        {"${utf^^} ${utf^} ${word^} ${word^^}", "\xc3\x84\xc3\x96-X \xc3\x84\xc3\xb6-x Hello HELLO", NULL},
        {"${word^,}", "hello", NULL},
        {"${empty:-a}${empty:=b}${empty=c}${empty:+d}${empty:?e}${word:+f}", "abcdehello", NULL},
        {"${missing:-x ${word} $$ y}", "x hello $$ y", NULL},
        {"${missing:-a\\}b}", "a\\b}", NULL},
        {"${missing:-}", "", NULL},
        {"${word:1}|${word:1:3}|${word:9}|${word:2:99}", "ello|ell||llo", NULL},
        {"${word:${neg}}|${word: -3}", "llo|hello", NULL},
        {"${word:x}|${word:1:x}", "hello|hello", NULL},
        {"${word::1}", NULL, "unable to parse substitution within function"},
        {"${word:1::2}", "el", NULL},
        {"${v#*/}|${v##*/}|${v%.*}|${v%%.*}", "bar/baz.tar.gz|baz.tar.gz|foo/bar/baz.tar|foo/bar/baz", NULL},
        {"${word#[a-h]}|${word#[^h]}|${word#?e}|${word##h*l}", "ello|hello|llo|o", NULL},
        {"${lead##*a}|${lead#*a}|${word#\\h}", "b|aab|ello", NULL},
        {"${word#[}|${word%[o]}|${word%\\o}|${word#x}", "hello|hello|hello|hello", NULL},
        {"${utf#?}", "\xc3\xb6-x", NULL},
        {"${v/\\//-}|${v//\\//-}|${word/l/}|${word//l/}", "foo-bar/baz.tar.gz|foo-bar-baz.tar.gz|helo|heo",
                NULL},
        {"${word/#he/HE}|${word/%lo/LO}|${word/#he/}|${word/%lo/}", "HEllo|helLO|hello|hello", NULL},
        {"${word/%xx/y}|${word/$$/y}|${word/l/$$}", "hello|hello|he$lo", NULL},
        {"${word/${p}/0}", "hell0", NULL},
        {"${word/${missing}/-}|${word//${missing}/-}", "-hello|-h-e-l-l-o-", NULL},
        {"${", NULL, "unable to parse variable name"},
        {"${}", NULL, "unable to parse variable name"},
        {"${ x}", NULL, "unable to parse variable name"},
        {"${!x}", NULL, "unable to parse variable name"},
        {"${x", NULL, "missing closing brace"},
        {"${x }", NULL, "missing closing brace"},
        {"${a.b}", NULL, "missing closing brace"},
        {"${x-d}", NULL, "missing closing brace"},
        {"${x/p}", NULL, "bad substitution"},
        {"${x^^^}", NULL, "bad substitution"},
        {"${x^y}", NULL, "bad substitution"},
        {"${#x:1}", NULL, "bad substitution"},
        {"${p/a${x}/r}", NULL, "bad substitution"},
        {"${x:1", NULL, "bad substitution"},
        {"${x:}", NULL, "unable to parse substitution within function"},
        {"${x:1:}", NULL, "unable to parse substitution within function"},
        {"${x#}", NULL, "unable to parse substitution within function"},
        {"${x:=", NULL, "unable to parse substitution within function"},
        {"${word:0:-1}", NULL, "negative length"},
        {"${word} ${", NULL, "unable to parse variable name"},
};

START_TEST(test_text)
{
	fx_cleanup(fx_auto_buf) struct fx_buf out = FX_BUF_INIT;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const char *input = cases[_i].input;
	int rc = fx_envsubst(input, strlen(input), lookup, NULL, false, &out, &err);
	if (cases[_i].out) {
		ck_assert_msg(rc == 0, "%s: %s", input, fx_error_message(&err));
		ck_assert_str_eq(fx_buf_str(&out), cases[_i].out);
	} else {
		ck_assert_msg(rc < 0, "%s gives '%s'", input, fx_buf_str(&out));
		ck_assert_msg(strstr(fx_error_message(&err), cases[_i].err), "%s: %s", input,
		        fx_error_message(&err));
	}
}
END_TEST

static const struct {
	const char *input;
	bool ok;
} strict_cases[] = {{"${missing}", false}, {"${missing^}", false}, {"${#missing}", false},
        {"${missing/a/b}", false}, {"${missing:=x}", true}, {"${missing:-x}", true}, {"${missing=x}", true},
        {"${missing:+x}", true}, {"${missing:?x}", true}, {"${empty}", true}, {"${word:-${missing}}", false}};

START_TEST(test_strict)
{
	fx_cleanup(fx_auto_buf) struct fx_buf out = FX_BUF_INIT;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const char *input = strict_cases[_i].input;
	int rc = fx_envsubst(input, strlen(input), lookup, NULL, true, &out, &err);
	ck_assert_msg((rc == 0) == strict_cases[_i].ok, "%s: %s", input, fx_error_message(&err));
	if (rc < 0)
		ck_assert_str_eq(fx_error_message(&err), "variable not set (strict mode): \"missing\"");
}
END_TEST

START_TEST(test_nul_ends_the_input)
{
	fx_cleanup(fx_auto_buf) struct fx_buf out = FX_BUF_INIT;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	ck_assert_ok(fx_envsubst("a${word}\0${", 11, lookup, NULL, false, &out, &err), &err);
	ck_assert_str_eq(fx_buf_str(&out), "ahello");
}
END_TEST

START_TEST(test_depth_is_bounded)
{
	fx_cleanup(fx_auto_buf) struct fx_buf in = FX_BUF_INIT, out = FX_BUF_INIT;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	for (int i = 0; i < FX_ENVSUBST_DEPTH_MAX + 1; i++)
		fx_buf_add_str(&in, "${missing:-");
	ck_assert_int_lt(fx_envsubst(in.data, in.len, lookup, NULL, false, &out, &err), 0);
	ck_assert_int_eq(err.code, FX_E_LIMIT);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("envsubst");
	TCase *tc = tcase_create("envsubst");
	tcase_add_loop_test(tc, test_text, 0, FX_COUNT(cases));
	tcase_add_loop_test(tc, test_strict, 0, FX_COUNT(strict_cases));
	tcase_add_test(tc, test_nul_ends_the_input);
	tcase_add_test(tc, test_depth_is_bounded);
	suite_add_tcase(suite, tc);
	return suite;
}

FX_UNIT_MAIN(make_suite)
