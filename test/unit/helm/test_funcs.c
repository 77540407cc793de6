/* The functions of Sprig and Helm, a table for each family. Results and texts of errors are those of
 * Helm 4.2.4. */
#include "test/unit/helm/render.h"
#include "test/unit/unit.h"

static const struct render_case strings[] = {
        {"{{ trunc 3 \"abcdef\" }} {{ trunc -3 \"abcdef\" }} {{ trunc 10 \"abc\" }}", "abc def abc", NULL},
        {"{{ substr 1 3 \"abcdef\" }} {{ substr -1 2 \"abc\" }} {{ substr 1 -1 \"abc\" }}", "bc ab bc", NULL},
        {"{{ substr 6 5 \"abcdef\" }}", NULL, "runtime error: slice bounds out of range [6:5]"},
        {"{{ abbrev 6 \"abcdefghij\" }} {{ abbrevboth 5 10 \"1234 5678 9123\" }}", "abc... ...5678...", NULL},
        {"{{ title \"foo bar-baz it's\" }} {{ untitle \"FOO BAR\" }} {{ swapcase \"Ab Cd\" }} {{ initials "
         "\"First Try\" }}",
                "Foo Bar-Baz It'S fOO bAR aB cD FT", NULL},
        {"{{ camelcase \"foo_bar-baz\" }} {{ camelcase \"_\" }} {{ snakecase \"HTTPServerOK2x\" }} {{ "
         "kebabcase \"FooBar baz\" }}",
                "FooBarBaz __ http_server_ok_2x foo-bar-baz", NULL},
        {"{{ wrap 5 \"aaa bbb ccccccc d\" }}", "aaa\nbbb\nccccccc\nd", NULL},
        {"{{ wrapWith 3 \"|\" \"aaaaaaa bb\" }}", "aaa|aaa|a|bb", NULL},
        {"{{ nospace \" a b \" }} {{ trim \"  a \" }} {{ trimAll \"$\" \"$5$\" }} {{ trimPrefix \"-\" \"-a\" "
         "}} {{ trimSuffix \"-\" \"a-\" }}",
                "ab a 5 a a", NULL},
        {"{{ indent 2 \"a\\nb\" }}{{ nindent 2 \"a\" }}", "  a\n  b\n  a", NULL},
        {"{{ indent -1 \"a\" }}", NULL, "strings: negative Repeat count"},
        {"{{ repeat 3 \"ab\" }}", "ababab", NULL},
        {"{{ repeat -1 \"a\" }}", NULL, "strings: negative Repeat count"},
        {"{{ replace \"\" \"-\" \"abc\" }} {{ replace \"a\" \"b\" \"aaa\" }}", "-a-b-c- bbb", NULL},
        {"{{ quote \"a\" nil 1 \"b\\\"\" }} {{ squote \"a\" 1 nil }} {{ cat \"a\" nil 1 }}",
                "\"a\" \"1\" \"b\\\"\" 'a' '1' a 1", NULL},
        {"{{ plural \"one\" \"many\" 1 }} {{ plural \"one\" \"many\" 2 }}", "one many", NULL},
        {"{{ split \"$\" \"a$b\" | toJson }} {{ splitn \"$\" 2 \"a$b$c\" | toJson }} {{ splitList \",\" "
         "\"a,b\" | toJson }}",
                "{\"_0\":\"a\",\"_1\":\"b\"} {\"_0\":\"a\",\"_1\":\"b$c\"} [\"a\",\"b\"]", NULL},
        {"{{ join \"-\" (list 1 nil \"a\") }} {{ join \"-\" \"x\" }} {{ sortAlpha (list 3 1 2) | toJson }}",
                "1-a x [\"1\",\"2\",\"3\"]", NULL},
        {"{{ contains \"a\" \"abc\" }} {{ hasPrefix \"a\" \"abc\" }} {{ hasSuffix \"a\" \"abc\" }}",
                "true true false", NULL},
        {"{{ toString nil }} {{ toString 1.0 }} {{ toStrings (list 1 nil \"a\") | toJson }}",
                "<nil> 1 [\"1\",\"a\"]", NULL},
        {"{{ upper \"h\xc3\xa9\xc3\x9f\" }} {{ lower \"H\xc3\x89\xc4\xb0\" }}",
                "H\xc3\x89\xc3\x9f h\xc3\xa9i", NULL},
};

static const struct render_case numbers[] = {
        {"{{ add 1 \"2\" 3.9 }} {{ sub 5 3 }} {{ mul 2 3 4 }} {{ div 7 2 }} {{ mod 7 -3 }} {{ add1 1 }}",
                "6 2 24 3 1 2", NULL},
        {"{{ div 1 0 }}", NULL, "runtime error: integer divide by zero"},
        {"{{ mod 1 0 }}", NULL, "runtime error: integer divide by zero"},
        {"{{ addf 0.1 0.2 }} {{ subf 1.5 1 }} {{ mulf 1.5 2 }} {{ divf 10 3 }} {{ add1f 1.5 }}",
                "0.3 0.5 3 3.3333333333333335 2.5", NULL},
        {"{{ divf 1 0 }}", NULL, "decimal division by 0"},
        {"{{ max 1 5 3 }} {{ min 1 5 3 }} {{ biggest 2 1 }} {{ maxf 1.5 2 }} {{ minf 1.5 2 }}", "5 1 2 2 1.5",
                NULL},
        {"{{ floor 1.9 }} {{ ceil 1.1 }} {{ round 2.5 0 }} {{ round -2.5 0 }} {{ round 123.5555 3 }} {{ "
         "round 1.25 1 0.6 }}",
                "1 2 3 -3 123.556 1.2", NULL},
        {"{{ int \"0x1F\" }} {{ int \"017\" }} {{ int \"12.5\" }} {{ int \"12.0\" }} {{ int 1.9 }} {{ int "
         "true }} {{ int nil }} {{ int64 \"-5\" }}",
                "31 15 0 12 1 1 0 -5", NULL},
        {"{{ float64 \"1_0\" }} {{ float64 \"1e3\" }} {{ float64 \"x\" }} {{ float64 \"0x1F\" }} {{ float64 "
         "\"inf\" }}",
                "10 1000 0 0 +Inf", NULL},
        {"{{ atoi \"12\" }} {{ atoi \"x\" }} {{ atoi \"99999999999999999999\" }} {{ toDecimal \"777\" }}",
                "12 0 9223372036854775807 511", NULL},
        {"{{ until 3 }} {{ until -3 }} {{ untilStep 0 10 3 }} {{ untilStep 1 0 1 }} {{ seq 3 }} {{ seq 0 }} "
         "{{ seq 1 2 5 }}",
                "[0 1 2] [0 -1 -2] [0 3 6 9] [] 1 2 3 1 0 1 3 5", NULL},
};

static const struct render_case lists_and_dicts[] = {
        {"{{ list 1 2 3 | first }} {{ rest (list 1 2) }} {{ last (list 1 2) }} {{ initial (list 1 2) }} {{ "
         "first (list) }}",
                "1 [2] 2 [1] ", NULL},
        {"{{ first \"a\" }}", NULL, "Cannot find first on type string"},
        {"{{ first nil }}", NULL, "runtime error: invalid memory address or nil pointer dereference"},
        {"{{ append (list 1) 2 }} {{ prepend (list 1) 0 }} {{ concat (list 1) (list 2) }} {{ reverse (list 1 "
         "2) }} {{ uniq (list 1 1 2) }}",
                "[1 2] [0 1] [1 2] [2 1] [1 2]", NULL},
        {"{{ without (list 1 2 3) 2 }} {{ has 2 (list 1 2) }} {{ has 1 nil }} {{ compact (list 0 1 \"\" nil) "
         "}}",
                "[1 3] true false [1]", NULL},
        {"{{ chunk 2 (list 1 2 3) | toJson }}", "[[1,2],[3]]", NULL},
        {"{{ chunk 0 (list 1) }}", NULL, "runtime error: makeslice: len out of range"},
        {"{{ slice (list 1 2 3) 1 2 }} {{ slice (list 1 2 3) 1 }} {{ slice (list) 0 1 | toJson }}",
                "[2] [2 3] null", NULL},
        {"{{ slice (list 1) 5 }}", NULL, "reflect.Value.Slice: slice index out of bounds"},
        {"{{ append \"a\" 1 }}", NULL, "Cannot push on type string"},
        {"{{ dict \"a\" 1 \"b\" | toJson }} {{ get (dict \"a\" 1) \"a\" }} {{ get (dict) \"x\" | quote }} {{ "
         "hasKey (dict \"a\" nil) \"a\" }}",
                "{\"a\":1,\"b\":\"\"} 1 \"\" true", NULL},
        {"{{ set (dict) \"a\" 1 | toJson }} {{ unset (dict \"a\" 1) \"a\" | toJson }} {{ pick (dict \"a\" 1 "
         "\"b\" 2) \"a\" | toJson }} {{ omit (dict \"a\" 1 \"b\" 2) \"a\" | toJson }}",
                "{\"a\":1} {} {\"a\":1} {\"b\":2}", NULL},
        {"{{ set nil \"a\" 1 }}", NULL, "assignment to entry in nil map"},
        {"{{ pluck \"a\" (dict \"a\" 1) (dict \"b\" 2) (dict \"a\" 3) | toJson }} {{ dig \"a\" \"b\" \"d\" "
         "(dict \"a\" (dict \"b\" 1)) }} {{ dig \"x\" \"d\" (dict) }}",
                "[1,3] 1 d", NULL},
        {"{{ dig \"a\" \"b\" \"d\" (dict \"a\" \"s\") }}", NULL,
                "interface conversion: interface {} is string, not map[string]interface {}"},
        {"{{ merge (dict \"a\" 1 \"n\" (dict \"x\" nil)) (dict \"a\" 2 \"b\" nil \"n\" (dict \"x\" 5)) | "
         "toJson }}",
                "{\"a\":1,\"n\":{\"x\":5}}", NULL},
        {"{{ mergeOverwrite (dict \"a\" 1) (dict \"a\" nil \"b\" 0) | toJson }}", "{\"a\":null,\"b\":0}",
                NULL},
        {"{{ deepCopy (dict \"a\" (list 1)) | toJson }} {{ deepEqual (list 1) (list 1.0) }} {{ deepEqual "
         "(dict) (dict) }}",
                "{\"a\":[1]} false true", NULL},
        {"{{ deepCopy nil }}", NULL, "reflect: call of reflect.Value.Type on zero Value"},
        {"{{ default 1 0 }} {{ default 1 nil }} {{ default 1 2 }} {{ coalesce nil 0 \"x\" }} {{ ternary 1 2 "
         "true }} {{ empty (dict) }} {{ all 1 \"\" }} {{ any 0 1 }}",
                "1 1 2 x 1 true false true", NULL},
        {"{{ ternary 1 2 1 }}", NULL, "expected bool; found 1"},
        {"{{ typeOf 1 }} {{ typeOf \"a\" }} {{ typeOf nil }} {{ typeOf (list) }} {{ typeOf .Values }} {{ "
         "kindOf (dict) }} {{ kindIs \"int\" 1 }} {{ typeIs \"int\" 1 }} {{ typeIsLike \"string\" \"a\" }}",
                "int string <nil> []interface {} common.Values map true true true", NULL},
};

static const struct render_case encoding[] = {
        {"{{ toJson (dict \"a\" \"<b>&\" \"c\" 1.0 \"d\" 1e21 \"e\" nil) }} {{ toRawJson \"<\" }} {{ "
         "toPrettyJson (dict \"a\" (list 1)) }}",
                "{\"a\":\"\\u003cb\\u003e\\u0026\",\"c\":1,\"d\":1e+21,\"e\":null} \"<\" {\n  \"a\": [\n    "
                "1\n  ]\n}",
                NULL},
        {"{{ toJson 1i | quote }}", "\"\"", NULL},
        {"{{ mustToJson 1i }}", NULL, "json: unsupported type: complex128"},
        {"{{ fromJson \"{\\\"a\\\":[1,2]}\" | toJson }} {{ fromJson \"[1]\" }} {{ fromJsonArray \"[1]\" }} "
         "{{ mustFromJson \"1\" }}",
                "{\"a\":[1,2]} map[Error:json: cannot unmarshal array into Go value of type "
                "map[string]interface {}] [1] 1",
                NULL},
        {"{{ fromJson \"{\\\"a\\\":1,}\" }} {{ fromJson \"\" }} {{ fromJson \"{\\\"a\\\":tru}\" }} {{ "
         "fromJson \"{\\\"a\\\":1e999}\" }} {{ fromJson \"{a:1}\" }} {{ fromJson \"[1 2]\" }} {{ fromJson "
         "\"\\\"\\\\x\\\"\" }}",
                "map[Error:invalid character '}' looking for beginning of object key string] "
                "map[Error:unexpected end of JSON input] map[Error:invalid character '}' in literal true "
                "(expecting 'e')] map[Error:json: cannot unmarshal number 1e999 into Go value of type "
                "float64 a:<nil>] map[Error:invalid character 'a' looking for beginning of object key "
                "string] map[Error:invalid character '2' after array element] map[Error:invalid character "
                "'x' in string escape code]",
                NULL},
        {"{{ mustFromJson \"{\" }}", NULL, "unexpected end of JSON input"},
        {"{{ toYaml (dict \"a\" (list 1 \"x\" nil) \"b\" \"yes\" \"c\" \"a: b\" \"d\" \"l1\\nl2\\n\") }}",
                "a:\n- 1\n- x\n- null\nb: \"yes\"\nc: 'a: b'\nd: |\n  l1\n  l2", NULL},
        {"{{ toYamlPretty (dict \"a\" (list 1 (dict \"k\" \"v\")) \"b\" \"yes\" \"c\" 1e6) }}",
                "a:\n  - 1\n  - k: v\nb: \"yes\"\nc: 1e+06", NULL},
        {"{{ toYamlPretty 1i }}", NULL, "cannot marshal type: complex128"},
        {"{{ toYaml \"\\x7f\" | quote }} {{ toYaml \"a\\nb\" }} {{ toYaml \" a\\nb\" }}",
                "\"\" |-\n  a\n  b |2-\n   a\n  b", NULL},
        {"{{ mustToYaml 1i }}", NULL, "error marshaling into JSON: json: unsupported type: complex128"},
        {"{{ fromYaml \"a: 1\\nb: [x, y]\" | toJson }} {{ fromYaml \"- a\" }} {{ fromYaml \"a: b: c\" }} {{ "
         "fromYaml \"v: .inf\" }} {{ fromYaml \"\" }} {{ fromYamlArray \"[1]\" }} {{ fromYamlArray \"a: 1\" "
         "}}",
                "{\"a\":1,\"b\":[\"x\",true]} map[Error:error unmarshaling JSON: while decoding JSON: json: "
                "cannot unmarshal array into Go value of type map[string]interface {}] map[Error:error "
                "converting YAML to JSON: yaml: mapping values are not allowed in this context] "
                "map[Error:error converting YAML to JSON: json: unsupported value: +Inf] map[] [1] [error "
                "unmarshaling JSON: while decoding JSON: json: cannot unmarshal object into Go value of type "
                "[]interface {}]",
                NULL},
        {"{{ fromYaml \"a: 1\\nb: [\" }}",
                "map[Error:error converting YAML to JSON: yaml: line 2: did not find expected node content]",
                NULL},
        {"{{ toToml (dict \"a\" 1 \"t\" (dict \"b\" 1.0 \"u\" (dict \"c\" \"x\")) \"l\" (list (dict \"k\" 1) "
         "(dict \"k\" 2)) \"m\" (list 1 \"a\")) }}",
                "a = 1\nm = [1, \"a\"]\n\n[[l]]\n  k = 1\n\n[[l]]\n  k = 2\n\n[t]\n  b = 1.0\n  [t.u]\n    c "
                "= \"x\"\n",
                NULL},
        {"{{ toToml (list nil) }} {{ toToml (list (dict \"a\" 1)) }}",
                "toml: cannot encode array with nil element toml: top-level values must be Go maps or "
                "structs",
                NULL},
        {"{{ mustToToml (dict \"a\" (list nil)) }}", NULL, "toml: cannot encode array with nil element"},
        {"{{ toToml nil }}", NULL, "reflect: call of reflect.Value.Type on zero Value"},
        {"{{ fromToml \"a = 1\\nb = 1.5\\nc = [1, 2]\\nd = { x = 1 }\\n[t]\\ne = 2020-01-01\\n[[l]]\\nk = "
         "'v'\" | toJson }}",
                "{\"a\":1,\"b\":1.5,\"c\":[1,2],\"d\":{\"x\":1},\"l\":[{\"k\":\"v\"}],\"t\":{\"e\":\"2020-01-"
                "01T00:00:00Z\"}}",
                NULL},
        {"{{ fromToml \"a = 1\\na = 2\" }}",
                "map[Error:toml: line 2 (last key \"a\"): Key 'a' has already been defined.]", NULL},
        {"{{ fromToml \"a = \" }}",
                "map[Error:toml: line 1 (last key \"a\"): unexpected EOF; expected value]", NULL},
        {"{{ fromToml \"x = 0x1F\\ny = 1_000\\nz = -inf\\nw = \\\"\\\"\\\"a\\\\\\n  b\\\"\\\"\\\"\\n\\\"q "
         "k\\\".r = true\" }}",
                "map[q k:map[r:true] w:ab x:31 y:1000 z:-Inf]", NULL},
        {"{{ b64enc \"abc\" }} {{ b64dec \"YWJj\" }} {{ b64dec \"!\" }} {{ b64dec \"YWJ\" }} {{ b32enc "
         "\"abc\" }} {{ b32dec \"MFRGG===\" }}",
                "YWJj abc illegal base64 data at input byte 0 illegal base64 data at input byte 0 MFRGG=== "
                "abc",
                NULL},
        {"{{ sha1sum \"a\" }} {{ sha256sum \"a\" | trunc 8 }} {{ sha512sum \"a\" | trunc 8 }} {{ adler32sum "
         "\"a\" }}",
                "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8 ca978112 1f40fc92 6422626", NULL},
        {"{{ base \"a/b\" }} {{ dir \"a/b\" }} {{ clean \"a/../b/.\" }} {{ ext \"a.b.c\" }} {{ isAbs \"/a\" "
         "}} {{ base \"\" }} {{ dir \"\" }} {{ clean \"\" }}",
                "b a b .c true . . .", NULL},
        {"{{ urlParse \"http://u:p@h:80/p%20q?q=1#f\" | toJson }} {{ urlJoin (urlParse "
         "\"http://u:p@[::1]:80/p%20q?q=1#f\") }}",
                "{\"fragment\":\"f\",\"host\":\"h:80\",\"hostname\":\"h\",\"opaque\":\"\",\"path\":\"/p "
                "q\",\"query\":\"q=1\",\"scheme\":\"http\",\"userinfo\":\"u:p\"} "
                "http://u:p@[::1]:80/p%20q?q=1#f",
                NULL},
        {"{{ urlParse \":x\" }}", NULL, "unable to parse url: parse \":x\": missing protocol scheme"},
        {"{{ urlParse \"http://a b/\" }}", NULL,
                "unable to parse url: parse \"http://a b/\": invalid character \" \" in host name"},
        {"{{ urlParse \"http://h:x/\" }}", NULL,
                "unable to parse url: parse \"http://h:x/\": invalid port \":x\" after host"},
        {"{{ urlParse \"http://h/%zz\" }}", NULL,
                "unable to parse url: parse \"http://h/%zz\": invalid URL escape \"%zz\""},
        {"{{ urlParse \"a:b/c\" | toJson }} {{ urlJoin (dict \"host\" \"h\" \"path\" \"p q\") }} {{ urlJoin "
         "(dict \"path\" \"a:b\") }}",
                "{\"fragment\":\"\",\"host\":\"\",\"hostname\":\"\",\"opaque\":\"b/"
                "c\",\"path\":\"\",\"query\":\"\",\"scheme\":\"a\",\"userinfo\":\"\"} //h/p%20q ./a:b",
                NULL},
        {"{{ urlJoin (dict \"host\" 1) }}", NULL,
                "unable to parse host key, must be of type string, but int found"},
        {"{{ urlJoin (dict \"userinfo\" \"a b\" \"host\" \"h\") }}", NULL,
                "unable to parse userinfo in dict: parse \"proto://a b@host\": net/url: invalid userinfo"},
};

static const struct render_case crypto[] = {
        {"{{ derivePassword 1 \"long\" \"password\" \"user\" \"example.com\" }} {{ derivePassword 1 \"pin\" "
         "\"password\" \"user\" \"example.com\" }} {{ derivePassword 1 \"zz\" \"p\" \"u\" \"s\" }}",
                "ZedaFaxcZaso9* 6685 cannot find password template zz", NULL},
        {"{{ encryptAES \"k\" \"text\" | decryptAES \"k\" }} {{ encryptAES \"k\" \"\" | quote }}",
                "text \"\"", NULL},
        {"{{ decryptAES \"k\" \"!\" }}", NULL, "illegal base64 data at input byte 0"},
        {"{{ decryptAES \"k\" \"YWJj\" }}", NULL,
                "runtime error: slice bounds out of range [:16] with capacity 3"},
        {"{{ htpasswd \"u:x\" \"p\" }} {{ htpasswd \"u\" \"p\" | trunc 9 }} {{ bcrypt \"p\" | len }} {{ "
         "bcrypt (repeat 73 \"x\") }}",
                "invalid username: u:x u:$2a$10$ 60 failed to encrypt string with bcrypt: bcrypt: password "
                "length exceeds 72 bytes",
                NULL},
        {"{{ genPrivateKey \"nope\" }} {{ genPrivateKey \"ecdsa\" | trunc 30 }} {{ genPrivateKey \"ed25519\" "
         "| trunc 27 }}",
                "Unknown type nope -----BEGIN EC PRIVATE KEY----- -----BEGIN PRIVATE KEY-----", NULL},
        {"{{ $k := genPrivateKey \"ecdsa\" }}{{ $ca := genCAWithKey \"ca\" 10 $k }}{{ $c := "
         "genSignedCertWithKey \"x\" (list \"1.2.3.4\") (list \"a.b\") 5 $ca $k }}{{ $c.Cert | trunc 27 }} "
         "{{ (buildCustomCert (b64enc $c.Cert) (b64enc $c.Key)).Key | trunc 30 }}",
                "-----BEGIN CERTIFICATE----- -----BEGIN EC PRIVATE KEY-----", NULL},
        {"{{ genSelfSignedCert \"x\" (list \"bad\") nil 1 }}", NULL, "error parsing ip: bad"},
        {"{{ genSelfSignedCert \"x\" nil (list 1) 1 }}", NULL,
                "error processing alternate dns name: 1 is not a string"},
        {"{{ genCAWithKey \"x\" 1 \"nokey\" }}", NULL, "parsing private key: no PEM data in input"},
        {"{{ buildCustomCert \"!\" \"x\" }}", NULL, "unable to decode base64 certificate"},
        {"{{ buildCustomCert (b64enc \"x\") (b64enc \"y\") }}", NULL, "unable to decode certificate"},
        {"{{ uuidv4 | len }} {{ randAlphaNum 5 | len }} {{ randBytes 3 | len }} {{ randAlpha 0 | len }} {{ "
         "shuffle \"aaa\" }} {{ randNumeric 4 | regexMatch \"^[0-9]{4}$\" }}",
                "36 5 4 0 aaa true", NULL},
};

static const struct render_case dates[] = {
        {"{{ date \"2006-01-02\" 0 }} {{ dateInZone \"2006-01-02 15:04 MST\" 0 \"Europe/Berlin\" }} {{ "
         "htmlDate 86400 }}",
                "1970-01-01 1970-01-01 01:00 CET 1970-01-02", NULL},
        {"{{ toDate \"2006-01-02\" \"2021-03-04\" | date \"02 Jan 2006 Mon\" }} {{ toDate \"2006-01-02\" "
         "\"bad\" }}",
                "04 Mar 2021 Thu 0001-01-01 00:00:00 +0000 UTC", NULL},
        {"{{ mustToDate \"2006-01-02\" \"2021-02-30\" }}", NULL,
                "parsing time \"2021-02-30\": day out of range"},
        {"{{ mustToDate \"2006-01-02\" \"bad\" }}", NULL,
                "parsing time \"bad\" as \"2006-01-02\": cannot parse \"bad\" as \"2006\""},
        {"{{ toDate \"2006-01-02\" \"2021-03-04\" | dateModify \"36h\" }} {{ toDate \"2006-01-02\" "
         "\"2021-03-04\" | unixEpoch }}",
                "2021-03-05 12:00:00 +0000 UTC 1614816000", NULL},
        {"{{ toDate \"2006-01-02\" \"2021-03-04\" | mustDateModify \"1x\" }}", NULL,
                "time: unknown unit \"x\" in duration \"1x\""},
        {"{{ duration 3661 }} {{ duration \"95\" }} {{ durationRound \"2h10m\" }} {{ durationRound \"25h\" "
         "}} {{ durationRound 3600000000000 }}",
                "0s 1m35s 2h 1d 0s", NULL},
        {"{{ (toDate \"2006-01-02\" \"2021-03-04\").Year }} {{ (toDate \"2006-01-02\" "
         "\"2021-03-04\").Weekday }} {{ (toDate \"2006-01-02\" \"2021-03-04\").Format \"Jan _2\" }}",
                "2021 Thursday Mar  4", NULL},
        {"{{ (toDate \"2006-01-02\" \"2021-03-04\").Nope }}", NULL,
                "can't evaluate field Nope in type time.Time"},
        {"{{ (toDate \"2006-01-02\" \"2021-03-04\").wall }}", NULL,
                "wall is an unexported field of struct type time.Time"},
        {"{{ (toDate \"2006-01-02\" \"2021-03-04\").Date }}", NULL,
                "function Date has 3 return values; should be 1 or 2"},
};

static const struct render_case regex_and_semver[] = {
        {"{{ regexMatch \"^a+$\" \"aaa\" }} {{ regexFind \"a+\" \"baac\" }} {{ regexFindAll \"a.\" "
         "\"abacad\" -1 }} {{ regexFindAll \"a\" \"b\" 1 | toJson }}",
                "true aa [ab ac ad] null", NULL},
        {"{{ regexReplaceAll \"a(x*)b\" \"-ab-axxb-\" \"${1}W\" }} {{ regexReplaceAll \"a(x*)b\" "
         "\"-ab-axxb-\" \"$1W\" }} {{ regexReplaceAllLiteral \"a\" \"bab\" \"$1\" }} {{ regexSplit \"z+\" "
         "\"pizzza\" -1 }} {{ regexQuoteMeta \"1.2*\" }}",
                "-W-xxW- --- b$1b [pi a] 1\\.2\\*", NULL},
        {"{{ regexFind \"[\" \"a\" }}", NULL,
                "regexp: Compile(`[`): error parsing regexp: missing closing ]: `[`"},
        {"{{ mustRegexFind \"[\" \"a\" }}", NULL, "error parsing regexp: missing closing ]: `[`"},
        {"{{ mustRegexMatch \"a(?=b)\" \"ab\" }}", NULL,
                "error parsing regexp: invalid or unsupported Perl syntax: `(?=`"},
        {"{{ mustRegexMatch \"(a)\\\\1\" \"aa\" }}", NULL,
                "error parsing regexp: invalid escape sequence: `\\1`"},
        {"{{ mustRegexMatch \"a++\" \"aa\" }}", NULL,
                "error parsing regexp: invalid nested repetition operator: `++`"},
        {"{{ mustRegexMatch \"a{1001}\" \"a\" }}", NULL,
                "error parsing regexp: invalid repeat count: `{1001}`"},
        {"{{ regexMatch \"\\\\pL+\" \"\xc3\xa9\" }} {{ regexMatch \"(?i)K\" \"K\" }} {{ regexMatch \"a$\" "
         "\"a\\n\" }} {{ regexReplaceAll \"a*\" \"baac\" \"X\" }}",
                "true true false XbXcX", NULL},
        {"{{ semverCompare \"^1.2\" \"1.3.0\" }} {{ semverCompare \">=1.0-0 <2\" \"1.5.0-rc.1\" }} {{ "
         "semverCompare \"~1.2\" \"1.3\" }} {{ semver \"v1.2.3-a+b\" }} {{ (semver \"v1.2\").Original }} {{ "
         "(semver \"1.2.3\").IncMinor }} {{ (semver \"1.2.3\").Compare (semver \"1.2.4\") }}",
                "true true false 1.2.3-a+b v1.2 1.3.0 -1", NULL},
        {"{{ semver \"x\" }}", NULL, "invalid semantic version"},
        {"{{ semverCompare \"x\" \"1\" }}", "true", NULL},
        {"{{ (semver \"1.2.3\").SetPrerelease \"rc.1\" }} {{ (semver \"1.2.3-a\").Prerelease }}",
                "1.2.3-rc.1 a", NULL},
};

START_TEST(test_strings)
{
	render_check(&strings[_i]);
}
END_TEST

START_TEST(test_numbers)
{
	render_check(&numbers[_i]);
}
END_TEST

START_TEST(test_lists_and_dicts)
{
	render_check(&lists_and_dicts[_i]);
}
END_TEST

START_TEST(test_encoding)
{
	render_check(&encoding[_i]);
}
END_TEST

START_TEST(test_crypto)
{
	render_check(&crypto[_i]);
}
END_TEST

START_TEST(test_dates)
{
	render_check(&dates[_i]);
}
END_TEST

START_TEST(test_regex_and_semver)
{
	render_check(&regex_and_semver[_i]);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("funcs");
	TCase *tc_strings = tcase_create("strings");
	tcase_set_timeout(tc_strings, 60);
	tcase_add_loop_test(tc_strings, test_strings, 0, FX_COUNT(strings));
	suite_add_tcase(s, tc_strings);
	TCase *tc_numbers = tcase_create("numbers");
	tcase_set_timeout(tc_numbers, 60);
	tcase_add_loop_test(tc_numbers, test_numbers, 0, FX_COUNT(numbers));
	suite_add_tcase(s, tc_numbers);
	TCase *tc_lists_and_dicts = tcase_create("lists_and_dicts");
	tcase_set_timeout(tc_lists_and_dicts, 60);
	tcase_add_loop_test(tc_lists_and_dicts, test_lists_and_dicts, 0, FX_COUNT(lists_and_dicts));
	suite_add_tcase(s, tc_lists_and_dicts);
	TCase *tc_encoding = tcase_create("encoding");
	tcase_set_timeout(tc_encoding, 60);
	tcase_add_loop_test(tc_encoding, test_encoding, 0, FX_COUNT(encoding));
	suite_add_tcase(s, tc_encoding);
	TCase *tc_crypto = tcase_create("crypto");
	tcase_set_timeout(tc_crypto, 60);
	tcase_add_loop_test(tc_crypto, test_crypto, 0, FX_COUNT(crypto));
	suite_add_tcase(s, tc_crypto);
	TCase *tc_dates = tcase_create("dates");
	tcase_set_timeout(tc_dates, 60);
	tcase_add_loop_test(tc_dates, test_dates, 0, FX_COUNT(dates));
	suite_add_tcase(s, tc_dates);
	TCase *tc_regex_and_semver = tcase_create("regex_and_semver");
	tcase_set_timeout(tc_regex_and_semver, 60);
	tcase_add_loop_test(tc_regex_and_semver, test_regex_and_semver, 0, FX_COUNT(regex_and_semver));
	suite_add_tcase(s, tc_regex_and_semver);
	return s;
}

FX_UNIT_MAIN(suite)
