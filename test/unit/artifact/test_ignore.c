#include "../unit.h"
#include "artifact/glob.h"
#include "artifact/ignore.h"

#include <string.h>

#define NAMES_MAX 32

static bool excluded(const struct fx_ignore *ignore, const char *path_text, bool is_dir)
{
	const char *names[NAMES_MAX];
	char copy[256];
	struct fx_ignore_path path = {names, 0};
	snprintf(copy, sizeof(copy), "%s", path_text);
	for (char *save, *name = strtok_r(copy, "/", &save); name; name = strtok_r(NULL, "/", &save))
		names[path.depth++] = name;
	return fx_ignore_match(ignore, &path, is_dir) == FX_IGNORE_EXCLUDE;
}

START_TEST(globs)
{
	static const struct {
		const char *pattern, *text;
		int want; /* -1: malformed */
	} cases[] = {
	        {"abc", "abc", 1},
	        {"*", "", 1},
	        {"a*b*c", "axxbyyc", 1},
	        {"a*b*c", "axxbyy", 0},
	        {"*.tar.gz", "x.tar.tar.gz", 1},
	        {"?", "\xC3\xA9", 1},
	        {"??", "\xC3\xA9", 0},
	        {"[a-c]x", "bx", 1},
	        {"[^a-c]x", "bx", 0},
	        {"[^a-c]x", "dx", 1},
	        {"[\\]]", "]", 1},
	        {"\\*", "*", 1},
	        {"\\*", "a", 0},
	        {"[\xC3\xA0-\xC3\xAF]", "\xC3\xA9", 1},
	        {"[", "a", -1},
	        {"[]a]", "a", -1},
	        {"[a-]", "a", -1},
	        {"a\\", "a", -1},
	};
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		bool valid = fx_glob_valid(cases[i].pattern);
		ck_assert_msg(valid == (cases[i].want >= 0), "'%s' valid: %d", cases[i].pattern, valid);
		if (valid)
			ck_assert_msg(fx_glob_match(cases[i].pattern, cases[i].text) == cases[i].want,
			        "'%s' and '%s', want %d", cases[i].pattern, cases[i].text, cases[i].want);
	}
}
END_TEST

START_TEST(many_stars_end)
{
	/* Exponential in a matcher that tries every way of sharing out the text. */
	char text[4096];
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	ck_assert(!fx_glob_match("*a*a*a*a*a*a*a*a*a*a*b", text));
}
END_TEST

START_TEST(files)
{
	static const struct {
		const char *name, *rules, *path;
		bool is_dir, want;
	} cases[] = {
	        {"comment", "# a\n#b", "b", false, false},
	        {"CRLF", "a.txt\r\nb.txt\r\n", "a.txt", false, true},
	        {"no newline at the end", "a\nb", "b", false, true},
	        {"trailing blanks", "a  ", "a", false, true},
	        {"escaped blank", "a\\ ", "a ", false, true},
	        {"directory only, file", "build/", "build", false, false},
	        {"directory only, below", "build/", "x/build/y", false, true},
	        {"anchored", "/build", "x/build", false, false},
	        {"negation", "*.yaml\n!keep.yaml", "d/keep.yaml", false, false},
	        {"last one wins", "!keep.yaml\n*.yaml", "keep.yaml", false, true},
	        {"part of an excluded directory", "/*\n!/deploy", "deploy/a/b.yaml", false, false},
	        {"the rest of it", "/*\n!/deploy", "src/a", false, true},
	        {"nothing but slash and stars", "/**", "a/b", false, false},
	        {"two stars", "**", "a/b", false, true},
	        {"below, and the directory", "abc/**", "abc", true, true},
	        {"stars inside of a name", "a**/b", "ax/b", false, false},
	};
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		fx_auto(ignore) struct fx_ignore *ignore = fx_ignore_new();
		ck_assert_ok(fx_ignore_add(ignore, cases[i].rules, strlen(cases[i].rules), NULL, NULL), NULL);
		ck_assert_msg(excluded(ignore, cases[i].path, cases[i].is_dir) == cases[i].want,
		        "%s, want %d", cases[i].name, cases[i].want);
	}
}
END_TEST

START_TEST(scopes)
{
	fx_auto(ignore) struct fx_ignore *ignore = fx_ignore_new();
	const char *names[] = {"apps", "web"};
	struct fx_ignore_path scope = {names, 2};
	ck_assert_ok(fx_ignore_add(ignore, "/x\n*.md\n", 8, &scope, NULL), NULL);
	ck_assert(excluded(ignore, "apps/web/x", false));
	ck_assert(excluded(ignore, "apps/web/d/README.md", false));
	ck_assert(!excluded(ignore, "apps/README.md", false));
	ck_assert(!excluded(ignore, "apps/web", true));
	ck_assert(!excluded(ignore, "x", false));
	fx_ignore_truncate(ignore, 1);
	ck_assert(!excluded(ignore, "apps/web/d/README.md", false));
	ck_assert(excluded(ignore, "apps/web/x", false));
}
END_TEST

START_TEST(too_many_rules)
{
	fx_auto(ignore) struct fx_ignore *ignore = fx_ignore_new();
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	int rc = 0;
	for (size_t i = 0; i <= FX_IGNORE_RULES_MAX && rc == 0; i++)
		rc = fx_ignore_add_pattern(ignore, "a", 1, NULL, &err);
	ck_assert_int_eq(rc, -FX_E_LIMIT);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("ignore");
	TCase *tc = tcase_create("ignore");
	tcase_add_test(tc, globs);
	tcase_add_test(tc, many_stars_end);
	tcase_add_test(tc, files);
	tcase_add_test(tc, scopes);
	tcase_add_test(tc, too_many_rules);
	suite_add_tcase(suite, tc);
	return suite;
}

FX_UNIT_MAIN(make_suite)
