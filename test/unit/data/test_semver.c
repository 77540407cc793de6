#include "../unit.h"
#include "data/semver.h"

#include <string.h>

START_TEST(order)
{
	/* Ascending, as the specification lists them. */
	static const char *const versions[] = {"0.9.9", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta",
	        "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.1", "1.10.0",
	        "2.0.0"};
	for (size_t i = 0; i < FX_COUNT(versions); i++) {
		for (size_t j = 0; j < FX_COUNT(versions); j++) {
			struct fx_semver a, b;
			ck_assert_ok(fx_semver_parse_strict(versions[i], &a, NULL), NULL);
			ck_assert_ok(fx_semver_parse_strict(versions[j], &b, NULL), NULL);
			int c = fx_semver_compare(&a, &b);
			int want = (i > j) - (i < j);
			ck_assert_msg(
			        (c > 0) - (c < 0) == want, "%s and %s: %d", versions[i], versions[j], c);
		}
	}
}
END_TEST

START_TEST(parsing)
{
	static const struct {
		const char *text;
		bool loose, strict;
		const char *formatted;
	} cases[] = {
	        {"1.2.3", true, true, "1.2.3"},
	        {"v1.2.3", true, false, "1.2.3"},
	        {"1.2", true, false, "1.2.0"},
	        {"1", true, false, "1.0.0"},
	        {"01.02.03", true, false, "1.2.3"},
	        {"1.2.3-rc.1+b.7", true, true, "1.2.3-rc.1+b.7"},
	        {"1.2.3-01", false, false, NULL},
	        {"1.2.3+01", true, true, "1.2.3+01"},
	        {"1.2.3-", false, false, NULL},
	        {"1.2.3.4", false, false, NULL},
	        {"18446744073709551615.0.0", true, true, "18446744073709551615.0.0"},
	        {"18446744073709551616.0.0", false, false, NULL},
	        {"", false, false, NULL},
	        {"latest", false, false, NULL},
	};
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		struct fx_semver v;
		char text[FX_SEMVER_FORMAT_MAX];
		ck_assert_msg((fx_semver_parse_strict(cases[i].text, &v, NULL) == 0) == cases[i].strict,
		        "strict '%s'", cases[i].text);
		ck_assert_msg((fx_semver_parse(cases[i].text, &v, NULL) == 0) == cases[i].loose, "loose '%s'",
		        cases[i].text);
		if (cases[i].loose)
			ck_assert_str_eq(fx_semver_format(&v, text), cases[i].formatted);
	}
}
END_TEST

START_TEST(constraints)
{
	static const struct {
		const char *constraint, *version;
		int want; /* -1: not a constraint */
	} cases[] = {
	        {">=1.0.0 <2.0.0", "1.5.0", 1},
	        {">=1.0.0 <2.0.0", "2.0.0", 0},
	        {"1.0 - 2.0", "2.0.0", 1},
	        {"1.0 - 2.0 || ^4", "4.7.0", 1},
	        {"^0.2.3", "0.3.0", 0},
	        {"~1.2", "1.2.9", 1},
	        {"*", "1.0.0-rc.1", 0},
	        {">=1.0.0-0", "1.0.0-rc.1", 1},
	        {"", "3.1.4", -1},
	        {"1.2.3,", "1.2.3", -1},
	        {"abc", "1.2.3", -1},
	        {"1.2.3.4", "1.2.3", -1},
	};
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		fx_auto(semver_constraint) struct fx_semver_constraint *c = NULL;
		struct fx_semver v;
		ck_assert_ok(fx_semver_parse(cases[i].version, &v, NULL), NULL);
		int rc = fx_semver_constraint_parse(cases[i].constraint, &c, NULL);
		ck_assert_msg((rc == 0) == (cases[i].want >= 0), "'%s': %d", cases[i].constraint, rc);
		if (rc == 0)
			ck_assert_msg(fx_semver_constraint_check(c, &v) == cases[i].want,
			        "'%s' and %s, want %d", cases[i].constraint, cases[i].version, cases[i].want);
	}
}
END_TEST

START_TEST(limits)
{
	char text[FX_SEMVER_CONSTRAINT_MAX + 16];
	struct fx_semver v;
	struct fx_semver_constraint *c = NULL;
	memset(text, '1', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	ck_assert_int_ne(fx_semver_parse(text, &v, NULL), 0);
	ck_assert_int_eq(fx_semver_constraint_parse(text, &c, NULL), -FX_E_LIMIT);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("semver");
	TCase *tc = tcase_create("semver");
	tcase_add_test(tc, order);
	tcase_add_test(tc, parsing);
	tcase_add_test(tc, constraints);
	tcase_add_test(tc, limits);
	suite_add_tcase(suite, tc);
	return suite;
}

FX_UNIT_MAIN(make_suite)
