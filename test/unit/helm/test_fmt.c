/* printf and friends. Results are those of Helm 4.2.4. */
#include "test/unit/helm/render.h"
#include "test/unit/unit.h"

static const struct render_case fmt[] = {
        {"{{ printf \"%d %5d %-5d| %05d %+d %x %X %o %b %c %U %q\" 42 42 42 42 42 255 255 8 5 65 233 65 }}",
                "42    42 42   | 00042 +42 ff FF 10 101 A U+00E9 'A'", NULL},
        {"{{ printf \"%s %10s|%-10s|%.2s %q %x % x %X\" \"h\xc3\xa9llo\" \"a\" \"b\" \"h\xc3\xa9llo\" "
         "\"a\\\"b\" \"ab\" \"ab\" \"ab\" }}",
                "h\xc3\xa9llo          a|b         |h\xc3\xa9 \"a\\\"b\" 6162 61 62 6162", NULL},
        {"{{ printf \"%f %.2f %8.3f %e %g %G %v\" 1.5 2.345 3.14159 12345.678 1e21 1e-7 100000.0 }}",
                "1.500000 2.35    3.142 1.234568e+04 1e+21 1E-07 100000", NULL},
        {"{{ printf \"%v %+v %#v %T\" (dict \"a\" 1) (list 1 \"x\") (dict \"a\" (list 1 nil)) (dict) }}",
                "map[a:1] [1 x] map[string]interface {}{\"a\":[]interface {}{1, interface {}(nil)}} "
                "map[string]interface {}",
                NULL},
        {"{{ printf \"%t %v\" true false }}", "true false", NULL},
        {"{{ printf \"%d\" \"x\" }} {{ printf \"%s\" 3 }} {{ printf \"%t\" 1 }} {{ printf \"%z\" 1 }}",
                "%!d(string=x) %!s(int=3) %!t(int=1) %!z(int=1)", NULL},
        {"{{ printf \"%d\" }} {{ printf \"x\" 1 2 }} {{ printf \"%\" }} {{ printf \"%!\" }} {{ printf \"%%\" "
         "}}",
                "%!d(MISSING) x%!(EXTRA int=1, int=2) %!(NOVERB) %!!(MISSING) %", NULL},
        {"{{ printf \"%[2]d %[1]d %[3]d\" 1 2 }} {{ printf \"%*d\" 5 42 }} {{ printf \"%.*f\" 2 3.14159 }}",
                "2 1 %!d(BADINDEX)    42 3.14", NULL},
        {"{{ printf \"%s %d %v\" nil nil nil }}", "%!s(<nil>) %!d(<nil>) <nil>", NULL},
        {"{{ printf \"%v %v\" .Values.big .Values.neg }} {{ printf \"%08.3f|%+.1e|% d|%#x|%#o\" 3.14159 "
         "12345.678 5 255 8 }}",
                "1.2345678901234567e+19 -3 0003.142|+1.2e+04| 5|0xff|010", NULL},
        {"{{ printf \"%s\" (list \"a\" \"b\") }} {{ printf \"%q\" (list \"a\" \"b\") }} {{ printf \"%x\" "
         "(list 10 11) }}",
                "[a b] [\"a\" \"b\"] [a b]", NULL},
        {"{{ printf \"%1000000000d\" 1 }}", "%!(NOVERB)%!(EXTRA int=1)", NULL},
        {"{{ print 1 2 \"a\" 3 4 nil }} {{ println \"a\" 1 }}", "1 2a3 4 <nil> a 1\n", NULL},
        {"{{ 1e6 }} {{ 1e5 }} {{ 1e-5 }} {{ 100000000.0 }} {{ 1.5 }} {{ .Values.big }}",
                "1e+06 100000 1e-05 1e+08 1.5 1.2345678901234567e+19", NULL},
        {"{{ printf \"%v %s\" (duration 3661) (toDate \"2006-01-02\" \"2021-03-04\") }}",
                "0s 2021-03-04 00:00:00 +0000 UTC", NULL},
        {"{{ printf \"%6.2f%%|%-8q|%#q|%+q\" 99.5 \"a\" \"b`c\" \"\xc3\xa9\" }}",
                " 99.50%|\"a\"     |\"b`c\"|\"\\u00e9\"", NULL},
};

START_TEST(test_fmt)
{
	render_check(&fmt[_i]);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("fmt");
	TCase *tc_fmt = tcase_create("fmt");
	tcase_set_timeout(tc_fmt, 60);
	tcase_add_loop_test(tc_fmt, test_fmt, 0, FX_COUNT(fmt));
	suite_add_tcase(s, tc_fmt);
	return s;
}

FX_UNIT_MAIN(suite)
