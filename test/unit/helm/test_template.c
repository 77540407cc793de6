/* The template language. Results and texts of errors are those of Helm 4.2.4. */
#include "test/unit/helm/render.h"
#include "test/unit/unit.h"

static const struct render_case template_lexer_and_parser[] = {
        {"{{ if }}x{{ end }}", NULL, "missing value for if"},
        {"{{ if true }}", NULL, "unexpected EOF"},
        {"{{ end }}", NULL, "unexpected {{end}}"},
        {"{{ else }}", NULL, "unexpected {{else}}"},
        {"{{ range }}{{ end }}", NULL, "missing value for range"},
        {"{{ with }}{{ end }}", NULL, "missing value for with"},
        {"{{ \"abc", NULL, "unterminated quoted string"},
        {"{{ `abc", NULL, "unterminated raw quoted string"},
        {"{{ 'a }}", NULL, "unterminated character constant"},
        {"{{ 'ab' }}", NULL, "'ab'"},
        {"{{ '' }}", NULL, "invalid syntax"},
        {"{{ nosuch }}", NULL, "function \"nosuch\" not defined"},
        {"{{ $x }}", NULL, "undefined variable \"$x\""},
        {"{{ 1 | 2 }}", NULL, "non executable command in pipeline stage 2"},
        {"{{ | quote }}", NULL, "unexpected \"|\" in command"},
        {"{{ \"a\" | }}", "a", NULL},
        {"{{ (1 }}", NULL, "unclosed left paren"},
        {"{{ 1) }}", NULL, "unexpected right paren"},
        {"{{ . .a }}", NULL, "can't give argument to non-function ."},
        {"{{ .a. }}", NULL, "unexpected <.> in operand"},
        {"{{ ..a }}", NULL, "unexpected . after term \".\""},
        {"{{ .1a }}", NULL, "\".1a\""},
        {"{{ 089 }}", NULL, "\"089\""},
        {"{{ 1e400 }}", NULL, "\"1e400\""},
        {"{{ 0x1p4 }} {{ 0b11 }} {{ 0o17 }} {{ 017 }} {{ 1_000 }} {{ '\xc3\xa9' }} {{ .1 }} {{ 5. }} {{ 1i "
         "}} {{ 1+2i }}",
                "16 3 15 15 1000 233 0.1 5 (0+1i) (1+2i)", NULL},
        {"{{ \"\\x41\\u00e9\\101\\n\\t\\\"\" }}",
                "A\xc3\xa9"
                "A\n\t\"",
                NULL},
        {"{{ \"\\q\" }}", NULL, "invalid syntax"},
        {"{{ \"\\400\" }}", NULL, "invalid syntax"},
        {"{{ \"\\ud800\" }}", NULL, "invalid syntax"},
        {"{{ a-b }}", NULL, "bad character U+002D '-'"},
        {"{{ print(1) }}", NULL, "unexpected \"(\" in operand"},
        {"{{/* c */}}x{{- /* c */ -}} y", "xy", NULL},
        {"{{ /* c */ }}", NULL, "unexpected \"/\" in command"},
        {"{{/* c }}", NULL, "unclosed comment"},
        {"{{/* c */ x }}", NULL, "comment ends before closing delimiter"},
        {"a {{- 1 -}} b", "a1b", NULL},
        {"a{{-1}}b", "a-1b", NULL},
        {"{{break}}", NULL, "{{break}} outside {{range}}"},
        {"{{continue}}", NULL, "{{continue}} outside {{range}}"},
        {"{{ range list 1 2 3 }}{{ if eq . 2 }}{{ continue }}{{ end }}{{ . }}{{ end }}", "13", NULL},
        {"{{ range list 1 2 3 }}{{ if eq . 2 }}{{ break }}{{ end }}{{ . }}{{ end }}", "1", NULL},
        {"{{ range list 1 }}{{ break 1 }}{{ end }}", NULL, "unexpected \"1\" in {{break}}"},
        {"{{ define \"x\" }}a{{ end }}{{ define \"x\" }}b{{ end }}", NULL,
                "multiple definition of template \"x\""},
        {"{{ if true }}{{ define \"x\" }}{{ end }}{{ end }}", NULL, "unexpected <define> in command"},
        {"{{ define x }}{{ end }}", NULL, "unexpected \"x\" in define clause"},
        {"{{ template x }}", NULL, "unexpected \"x\" in template clause"},
        {"{{ template \"nosuch\" }}", NULL, "template \"nosuch\" not defined"},
        {"{{ block \"x\" }}{{ end }}", NULL, "missing value for block clause"},
        {"{{ block \"x\" 1 }}{{ . }}{{ end }}", "1", NULL},
        {"{{ $a, $b := 1 }}", NULL, "too many declarations in command"},
        {"{{ range $a, $b, $c := list }}{{ end }}", NULL, "too many declarations in range"},
        {"{{ nil }}", NULL, "nil is not a command"},
        {"{{ $x := nil }}", NULL, "nil is not a command"},
        {"{{ if true }}{{ else if }}{{ end }}", NULL, "missing value for if"},
        {"{{ with 1 }}{{ else with 2 }}{{ end }}{{ with 0 }}a{{ else with 3 }}{{ . }}{{ end }}", "3", NULL},
        {"{{ with 1 }}{{ else if 2 }}{{ end }}", NULL, "unexpected <if> in input"},
        {"{{ \"a\".b }}", NULL, "unexpected . after term \"\\\"a\\\"\""},
        {"{{ true.x }}", NULL, "unexpected . after term \"true\""},
        {"{{ 9223372036854775808 }}", NULL, "9223372036854775808 overflows int"},
        {"{{ range $i, $c := \"abc\" }}{{ end }}", NULL, "range can't iterate over abc"},
        {"{{ (dict \"a\" 1).a }} {{ (list 1 2) | len }}", "1 2", NULL},
        {"}} {{ \"}}\" }}", "}} }}", NULL},
        {"{{ 1 + 2 }}", NULL, "\"+\""},
        {"{{ @ }}", NULL, "unexpected \"@\" in command"},
};

static const struct render_case scopes_and_evaluation[] = {
        {"{{ $x := 1 }}{{ if true }}{{ $x := 2 }}{{ $x }}{{ end }}{{ $x }}", "21", NULL},
        {"{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ end }}{{ $x }}", "2", NULL},
        {"{{ if $y := 3 }}{{ $y }}{{ end }}", "3", NULL},
        {"{{ if $y := 0 }}{{ else }}{{ $y }}{{ end }}", "0", NULL},
        {"{{ if true }}{{ $z := 1 }}{{ end }}{{ $z }}", NULL, "undefined variable \"$z\""},
        {"{{ range $i, $e := list \"a\" \"b\" }}{{ $i }}{{ $e }}{{ end }}", "0a1b", NULL},
        {"{{ range $k, $v := dict \"b\" 2 \"a\" 1 }}{{ $k }}{{ $v }}{{ end }}", "a1b2", NULL},
        {"{{ $i := 9 }}{{ range $i = list 1 2 }}{{ end }}{{ $i }}", "2", NULL},
        {"{{ range 3 }}{{ . }}{{ else }}none{{ end }}", "012", NULL},
        {"{{ range 0 }}{{ . }}{{ else }}none{{ end }}", "none", NULL},
        {"{{ range $a, $b := 3 }}{{ end }}", NULL, "can't use 3 to iterate over more than one variable"},
        {"{{ range .Values.f }}{{ end }}", NULL, "range can't iterate over 1.5"},
        {"{{ range .Values.nope }}{{ . }}{{ else }}none{{ end }}", "none", NULL},
        {"{{ range \"ab\" }}{{ . }}{{ end }}", NULL, "range can't iterate over ab"},
        {"{{ range true }}{{ end }}", NULL, "range can't iterate over true"},
        {"{{ with .Values.m }}{{ .a }}{{ $.Values.s }}{{ end }}", "1Hello World", NULL},
        {"{{ with .Values.nope }}x{{ else }}y{{ end }}", "y", NULL},
        {"{{ .Values.nope.x }}", NULL, "nil pointer evaluating interface {}.x"},
        {"{{ .Values.nil.x }}", NULL, "nil pointer evaluating interface {}.x"},
        {"{{ .Values.s.x }}", NULL, "can't evaluate field x in type interface {}"},
        {"{{ (.Values.nope).x }}", "", NULL},
        {"{{ $n := .Values.nope }}{{ $n.a.b }}", "", NULL},
        {"{{ .Values.m.b.c }} {{ .Values.m.b.c | len }}", "[1 2] 2", NULL},
        {"{{ .Values.m.a.x }}", NULL, "can't evaluate field x in type interface {}"},
        {"{{ .Values.l.x }}", NULL, "can't evaluate field x in type interface {}"},
        {"{{ .Values.m 1 }}", NULL, "m is not a method but has arguments"},
        {"{{ .Values.f | printf \"%v %v\" 1 }}", "1 1.5", NULL},
        {"{{ define \"t\" }}{{ . }}{{ $ }}{{ end }}{{ template \"t\" 5 }}", "55", NULL},
        {"{{ define \"t\" }}{{ $x }}{{ end }}", NULL, "undefined variable \"$x\""},
        {"{{ $x = 1 }}", NULL, "undefined variable: $x"},
        {"{{ ($q := 1) }}{{ $q }}", "11", NULL},
        {"{{ include \"nosuch\" . }}", NULL,
                "template: no template \"nosuch\" associated with template \"gotpl\""},
        {"{{ tpl \"{{ .a }}{{ define \\\"in\\\" }}x{{ end }}{{ include \\\"in\\\" . }}\" (dict \"a\" 7) }}",
                "7x", NULL},
        {"{{ tpl \"{{\" . }}", NULL, "cannot parse template \"{{\": template: gotpl:1: unclosed action"},
        {"{{ tpl \"{{ fail \\\"no\\\" }}\" . }}", NULL, "no"},
        {"{{ tpl \"<no value>\" . }}|{{ tpl \"\" . }}", "|", NULL},
        {"{{ required \"msg\" .Values.nope }}", NULL, "msg"},
        {"{{ required \"msg\" \"\" }}", NULL, "msg"},
        {"{{ required \"msg\" 0 }}", "0", NULL},
        {"{{ fail \"a: b\\nc\" }}", NULL, "c"},
        {"{{ len nil }}", NULL, "reflect: call of reflect.Value.Type on zero Value"},
        {"{{ len .Values.nope }}", NULL, "len of nil pointer"},
        {"{{ len 3 }}", NULL, "len of type int"},
        {"{{ index .Values.l 9 }}", NULL, "index out of range: 9"},
        {"{{ index .Values.l -1 }}", NULL, "index out of range: -1"},
        {"{{ index .Values.l 5 }}", NULL, "reflect: slice index out of range"},
        {"{{ index .Values.m \"b\" \"c\" 1 }}", "2", NULL},
        {"{{ index .Values.m 1 }}", NULL, "value has type int; should be string"},
        {"{{ index .Values.nope \"a\" }}", NULL, "index of untyped nil"},
        {"{{ index 1 2 }}", NULL, "can't index item of type int"},
        {"{{ eq 1 1.0 }}", NULL, "incompatible types for comparison: int and float64"},
        {"{{ eq .Values.n 1 }}", NULL, "incompatible types for comparison: float64 and int"},
        {"{{ eq .Values.n 1.0 }}", "true", NULL},
        {"{{ eq \"a\" \"b\" \"a\" }} {{ ne 1 2 }} {{ lt 1 2 }} {{ le \"a\" \"a\" }} {{ gt 2.5 1.5 }} {{ ge 1 "
         "2 }}",
                "true true true true true false", NULL},
        {"{{ eq 1 }}", NULL, "missing argument for comparison"},
        {"{{ lt nil 1 }}", NULL, "invalid type for comparison"},
        {"{{ eq (list) (list) }}", NULL, "non-comparable type []: []interface {}"},
        {"{{ eq nil .Values.nope }} {{ eq nil 1 }}", "true false", NULL},
        {"{{ and 1 0 2 }} {{ or 0 \"\" \"x\" }} {{ and }}", NULL,
                "wrong number of args for and: want at least 1 got 0"},
        {"{{ not 1 2 }}", NULL, "wrong number of args for not: want 1 got 2"},
        {"{{ quote 1 | len | printf \"%d\" }}", "3", NULL},
        {"{{ upper 1 }}", NULL, "expected string; found 1"},
        {"{{ upper .Values.f }}", NULL, "wrong type for value; expected string; got float64"},
        {"{{ upper nil }}", NULL, "cannot assign nil to string"},
        {"{{ upper .Values.nope }}", NULL, "wrong type for value; expected string; got interface {}"},
        {"{{ .Values.nope | upper }}", NULL, "invalid value; expected string"},
        {"{{ until \"3\" }}", NULL, "expected integer; found \"3\""},
        {"{{ until 2.0 }}", "[0 1]", NULL},
        {"{{ until .Values.n }}", NULL, "wrong type for value; expected int; got float64"},
        {"{{ keys 1 }}", NULL, "can't handle 1 for arg of type map[string]interface {}"},
        {"{{ keys nil }}", "[]", NULL},
        {"{{ html \"<a&'\\\">\" }} {{ js \"a'b<\\n\" }} {{ urlquery \"a b&\xc3\xa9\" }}",
                "&lt;a&amp;&#39;&#34;&gt; a\\'b\\u003C\\u000A a+b%26%C3%A9", NULL},
        {"{{ .Capabilities.Nope }}", NULL, "can't evaluate field Nope in type interface {}"},
        {"{{ .Release.Nope }}|{{ .Chart.Nope }}", "|", NULL},
        {"{{ .Values.YAML | trunc 5 }}", "big: ", NULL},
        {"{{ .Values.Table \"m.b\" | toJson }}", "{\"c\":[1,2]}", NULL},
        {"{{ .Values.Table \"s\" }}", NULL, "\"s\" is not a table"},
        {"{{ .Values.PathValue \"m.a\" }}", "1", NULL},
        {"{{ .Files.Get \"x\" | quote }}", "\"\"", NULL},
};

START_TEST(test_template_lexer_and_parser)
{
	render_check(&template_lexer_and_parser[_i]);
}
END_TEST

START_TEST(test_scopes_and_evaluation)
{
	render_check(&scopes_and_evaluation[_i]);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("template");
	TCase *tc_template_lexer_and_parser = tcase_create("template_lexer_and_parser");
	tcase_set_timeout(tc_template_lexer_and_parser, 60);
	tcase_add_loop_test(tc_template_lexer_and_parser, test_template_lexer_and_parser, 0,
	        FX_COUNT(template_lexer_and_parser));
	suite_add_tcase(s, tc_template_lexer_and_parser);
	TCase *tc_scopes_and_evaluation = tcase_create("scopes_and_evaluation");
	tcase_set_timeout(tc_scopes_and_evaluation, 60);
	tcase_add_loop_test(
	        tc_scopes_and_evaluation, test_scopes_and_evaluation, 0, FX_COUNT(scopes_and_evaluation));
	suite_add_tcase(s, tc_scopes_and_evaluation);
	return s;
}

FX_UNIT_MAIN(suite)
