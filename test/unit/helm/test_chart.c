#include "test/unit/unit.h"

#include "helm/package.h"
#include "helm/strvals.h"

#include <archive.h>
#include <archive_entry.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Charts as "== PATH" lines with the text of each file below; values of --set; whether it fails, and what
 * Helm 4.2.4 prints. A number in a name is that of the feature row. */
static const struct {
	const char *name, *files, *set;
	bool fails;
	const char *want;
} cases[] = {
        {"001 lexical walk",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n"
                "== templates/b/x.yaml\n"
                "n: 1\n"
                "== templates/a.yaml\n"
                "n: 2\n"
                "== templates/B.yaml\n"
                "n: 3\n",
                NULL, false,
                "---\n"
                "# Source: c/templates/B.yaml\n"
                "n: 3\n"
                "\n"
                "---\n"
                "# Source: c/templates/a.yaml\n"
                "n: 2\n"
                "\n"
                "---\n"
                "# Source: c/templates/b/x.yaml\n"
                "n: 1\n"
                "\n"
                "---\n"
                "# Source: c/templates/v.yaml\n"
                "v: {}\n"},
        {"006 marks of UTF-8",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n"
                "== values.yaml\n"
                "\357\273\277a: 1\n",
                NULL, false,
                "---\n"
                "# Source: c/templates/v.yaml\n"
                "v: {\"a\":1}\n"},
        {"007 comments and blanks",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n"
                "== .helmignore\n"
                "# c\n"
                "\n"
                "  a.txt  \n"
                "== a.txt\n"
                "== b.txt\n"
                "== templates/f.yaml\n"
                "f: {{ range $k, $v := .Files }}{{ $k }} {{ end }}\n",
                NULL, false,
                "---\n"
                "# Source: c/templates/f.yaml\n"
                "f: .helmignore b.txt \n"
                "\n"
                "---\n"
                "# Source: c/templates/v.yaml\n"
                "v: {}\n"},
        {"008 names and paths",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n"
                "== .helmignore\n"
                "x.txt\n"
                "d/y.txt\n"
                "== x.txt\n"
                "== d/x.txt\n"
                "== d/y.txt\n"
                "== e/d/y.txt\n"
                "== templates/f.yaml\n"
                "f: {{ range $k, $v := .Files }}{{ $k }} {{ end }}\n",
                NULL, false,
                "---\n"
                "# Source: c/templates/f.yaml\n"
                "f: .helmignore e/d/y.txt \n"
                "\n"
                "---\n"
                "# Source: c/templates/v.yaml\n"
                "v: {}\n"},
        {"009 leading slash",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n"
                "== .helmignore\n"
                "/x\n"
                "== x\n"
                "== d/x\n"
                "== templates/f.yaml\n"
                "f: {{ range $k, $v := .Files }}{{ $k }} {{ end }}\n",
                NULL, false,
                "---\n"
                "# Source: c/templates/f.yaml\n"
                "f: .helmignore d/x \n"
                "\n"
                "---\n"
                "# Source: c/templates/v.yaml\n"
                "v: {}\n"},
        {"010 folders only",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n"
                "== .helmignore\n"
                "d/\n"
                "== e/d\n"
                "== d/x\n"
                "== templates/f.yaml\n"
                "f: {{ range $k, $v := .Files }}{{ $k }} {{ end }}\n",
                NULL, false,
                "---\n"
                "# Source: c/templates/f.yaml\n"
                "f: .helmignore e/d \n"
                "\n"
                "---\n"
                "# Source: c/templates/v.yaml\n"
                "v: {}\n"},
        {"012 two stars",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n"
                "== .helmignore\n"
                "a/**\n",
                NULL, true, "double-star (**) syntax is not supported"},
        {"013 bad pattern",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n"
                "== .helmignore\n"
                "[\n",
                NULL, true, "syntax error in pattern"},
        {"014 default rule",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n"
                "== templates/.x\n"
                "{{ fail \"x\" }}\n"
                "== templates/d/.x\n"
                "d: 1\n",
                NULL, false,
                "---\n"
                "# Source: c/templates/d/.x\n"
                "d: 1\n"
                "\n"
                "---\n"
                "# Source: c/templates/v.yaml\n"
                "v: {}\n"},
        {"015 of a child",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "dependencies:\n"
                "- {name: s, version: 0.x.x, repository: \"\"}\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n"
                "== charts/s/Chart.yaml\n"
                "apiVersion: v2\n"
                "name: s\n"
                "version: 0.1.0\n"
                "== charts/s/templates/s.yaml\n"
                "s: {{ .Chart.Name }} {{ .Values | toJson }}\n"
                "== charts/s/.helmignore\n"
                "*\n",
                NULL, false,
                "---\n"
                "# Source: c/charts/s/templates/s.yaml\n"
                "s: s {\"global\":{}}\n"
                "\n"
                "---\n"
                "# Source: c/templates/v.yaml\n"
                "v: {\"s\":{\"global\":{}}}\n"},
        {"016 Chart.yaml ignored",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n"
                "== .helmignore\n"
                "Chart.yaml\n",
                NULL, true, "Chart.yaml file is missing"},
        {"034 no apiVersion",
                "== Chart.yaml\n"
                "name: c\n"
                "version: 0.1.0\n"
                "== templates/v.yaml\n"
                "v: {{ .Chart.APIVersion }}\n",
                NULL, false,
                "---\n"
                "# Source: c/templates/v.yaml\n"
                "v: v1\n"},
        {"036 case of keys",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "HOME: a\n"
                "== templates/v.yaml\n"
                "v: {{ .Chart.Home }}\n",
                NULL, false,
                "---\n"
                "# Source: c/templates/v.yaml\n"
                "v: a\n"},
        {"037 short floats",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "appVersion: 12345678.9\n"
                "annotations: {a: 1.10, b: 1e10, c: 10000000000, d: 0x1F}\n"
                "== templates/v.yaml\n"
                "v: {{ .Chart.AppVersion }} {{ .Chart.Annotations | toJson }}\n",
                NULL, false,
                "---\n"
                "# Source: c/templates/v.yaml\n"
                "v: 1.2345679e+07 {\"a\":\"1.1\",\"b\":\"1e+10\",\"c\":\"10000000000\",\"d\":\"31\"}\n"},
        {"038 null and bool",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "appVersion: true\n"
                "home: null\n"
                "== templates/v.yaml\n"
                "v: {{ .Chart.AppVersion }} {{ .Chart.Home | quote }}\n",
                NULL, false,
                "---\n"
                "# Source: c/templates/v.yaml\n"
                "v: true \"\"\n"},
        {"039 wrong type",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: [a]\n"
                "version: 0.1.0\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n",
                NULL, true,
                "cannot load Chart.yaml: error unmarshaling JSON: while decoding JSON: json: cannot "
                "unmarshal array into Go struct field Metadata.name of type string"},
        {"039 wrong list",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "keywords: a\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n",
                NULL, true,
                "cannot load Chart.yaml: error unmarshaling JSON: while decoding JSON: json: cannot "
                "unmarshal string into Go struct field Metadata.keywords of type []string"},
        {"040 odd characters",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "description: \"a\\u00a0b\\u0007c\"\n"
                "== templates/v.yaml\n"
                "v: {{ .Chart.Description | toJson }}\n",
                NULL, false,
                "---\n"
                "# Source: c/templates/v.yaml\n"
                "v: \"a bc\"\n"},
        {"041 no name",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "version: 0.1.0\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n",
                NULL, true, "validation: chart.metadata.name is required"},
        {"041 no version",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n",
                NULL, true, "validation: chart.metadata.version is required"},
        {"042 dots",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: ..\n"
                "version: 0.1.0\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n",
                NULL, true, "validation: chart.metadata.name \"..\" is not allowed"},
        {"042 slash",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: a/b\n"
                "version: 0.1.0\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n",
                NULL, true, "validation: chart.metadata.name \"a/b\" is invalid"},
        {"043 no version number",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: x\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n",
                NULL, true, "validation: chart.metadata.version \"x\" is invalid"},
        {"043 loose version",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: \"1.2\"\n"
                "== templates/v.yaml\n"
                "v: {{ .Chart.Version }}\n",
                NULL, false,
                "---\n"
                "# Source: c/templates/v.yaml\n"
                "v: 1.2\n"},
        {"044 type",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "type: Library\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n",
                NULL, true, "validation: chart.metadata.type must be application or library"},
        {"045 null maintainer",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "maintainers: [null]\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n",
                NULL, true, "validation: maintainers must not contain empty or null nodes"},
        {"045 null dependency",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "dependencies: [null]\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n",
                NULL, true, "validation: dependencies must not contain empty or null nodes"},
        {"046 alias",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "dependencies:\n"
                "- {name: s, version: 0.x.x, repository: \"\", alias: a.b}\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n"
                "== charts/s/Chart.yaml\n"
                "apiVersion: v2\n"
                "name: s\n"
                "version: 0.1.0\n"
                "== charts/s/templates/s.yaml\n"
                "s: {{ .Chart.Name }} {{ .Values | toJson }}\n",
                NULL, true, "validation: dependency \"s\" has disallowed characters in the alias"},
        {"047 twice",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "dependencies:\n"
                "- {name: s}\n"
                "- {name: s}\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n",
                NULL, true, "validation: more than one dependency with name or alias \"s\""},
        {"048 requirements.yaml",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n"
                "== charts/s/Chart.yaml\n"
                "apiVersion: v2\n"
                "name: s\n"
                "version: 0.1.0\n"
                "== charts/s/templates/s.yaml\n"
                "s: {{ .Chart.Name }} {{ .Values | toJson }}\n"
                "== requirements.yaml\n"
                "dependencies:\n"
                "- {name: s, version: 0.x.x, condition: s.on}\n",
                "s.on=false", false,
                "---\n"
                "# Source: c/templates/v.yaml\n"
                "v: {\"s\":{\"on\":false}}\n"},
        {"049 requirements in files",
                "== Chart.yaml\n"
                "apiVersion: v1\n"
                "name: c\n"
                "version: 0.1.0\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n"
                "== requirements.yaml\n"
                "dependencies: []\n"
                "== templates/f.yaml\n"
                "f: {{ range $k, $v := .Files }}{{ $k }} {{ end }}\n",
                NULL, false,
                "---\n"
                "# Source: c/templates/f.yaml\n"
                "f: requirements.yaml \n"
                "\n"
                "---\n"
                "# Source: c/templates/v.yaml\n"
                "v: {}\n"},
        {"050 bad lock",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n"
                "== Chart.lock\n"
                "- a\n",
                NULL, true,
                "cannot load Chart.lock: error unmarshaling JSON: while decoding JSON: json: cannot "
                "unmarshal array into Go value of type v2.Lock"},
        {"051 documents merge",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n"
                "== values.yaml\n"
                "a: {b: 1, c: 2}\n"
                "---\n"
                "a: {b: 3}\n"
                "d: null\n",
                NULL, false,
                "---\n"
                "# Source: c/templates/v.yaml\n"
                "v: {\"a\":{\"b\":3,\"c\":2}}\n"},
        {"052 no map",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n"
                "== values.yaml\n"
                "- a\n",
                NULL, true,
                "cannot load values.yaml: cannot unmarshal yaml document: error unmarshaling JSON: while "
                "decoding JSON: json: cannot unmarshal array into Go value of type map[string]interface {}"},
        {"053 no values",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n",
                NULL, false,
                "---\n"
                "# Source: c/templates/v.yaml\n"
                "v: {}\n"},
        {"055 schema is no file",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n"
                "== values.schema.json\n"
                "{}\n"
                "== templates/f.yaml\n"
                "f: {{ range $k, $v := .Files }}{{ $k }} {{ end }}\n",
                NULL, false,
                "---\n"
                "# Source: c/templates/f.yaml\n"
                "f: \n"
                "\n"
                "---\n"
                "# Source: c/templates/v.yaml\n"
                "v: {}\n"},
        {"056 provenance",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n"
                "== charts/x.prov\n"
                "== templates/f.yaml\n"
                "f: {{ range $k, $v := .Files }}{{ $k }} {{ end }}\n",
                NULL, false,
                "---\n"
                "# Source: c/templates/f.yaml\n"
                "f: charts/x.prov \n"
                "\n"
                "---\n"
                "# Source: c/templates/v.yaml\n"
                "v: {}\n"},
        {"057 hidden children",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n"
                "== charts/_x/Chart.yaml\n"
                "bad\n"
                "== charts/.y/Chart.yaml\n"
                "bad\n",
                NULL, false,
                "---\n"
                "# Source: c/templates/v.yaml\n"
                "v: {}\n"},
        {"059 plain file",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n"
                "== charts/README.md\n",
                NULL, true, "error unpacking subchart README.md in c: Chart.yaml file is missing"},
        {"060 name of a child",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n"
                "== charts/dir/Chart.yaml\n"
                "apiVersion: v2\n"
                "name: s\n"
                "version: 1.0.0\n"
                "== charts/dir/templates/x.yaml\n"
                "x: 1\n",
                NULL, false,
                "---\n"
                "# Source: c/charts/s/templates/x.yaml\n"
                "x: 1\n"
                "\n"
                "---\n"
                "# Source: c/templates/v.yaml\n"
                "v: {\"s\":{\"global\":{}}}\n"},
        {"061 error inside",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n"
                "== charts/s/Chart.yaml\n"
                "apiVersion: v2\n"
                "name: s\n"
                "version: 0.1.0\n"
                "== charts/s/charts/t/Chart.yaml\n"
                "name: t\n",
                NULL, true,
                "error unpacking subchart s in c: error unpacking subchart t in s: validation: "
                "chart.metadata.version is required"},
        {"064 files",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n"
                "== LICENSE\n"
                "== ci/v.yaml\n"
                "== crds/x.txt\n"
                "== .d\n"
                "== templates/f.yaml\n"
                "f: {{ range $k, $v := .Files }}{{ $k }} {{ end }}\n",
                NULL, false,
                "---\n"
                "# Source: c/templates/f.yaml\n"
                "f: .d LICENSE ci/v.yaml crds/x.txt \n"
                "\n"
                "---\n"
                "# Source: c/templates/v.yaml\n"
                "v: {}\n"},
        {"065 missing dependency",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "dependencies:\n"
                "- {name: s, version: 0.x.x, repository: \"\"}\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n",
                NULL, true,
                "an error occurred while checking for chart dependencies. You may need to run 'helm "
                "dependency build' to fetch missing dependencies: found in Chart.yaml, but missing in "
                "charts/ directory: s"},
        {"067 version fits",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "dependencies:\n"
                "- {name: s, version: 0.x.x, repository: \"\"}\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n"
                "== charts/s/Chart.yaml\n"
                "apiVersion: v2\n"
                "name: s\n"
                "version: 0.1.0\n"
                "== charts/s/templates/s.yaml\n"
                "s: {{ .Chart.Name }} {{ .Values | toJson }}\n",
                NULL, false,
                "---\n"
                "# Source: c/charts/s/templates/s.yaml\n"
                "s: s {\"global\":{}}\n"
                "\n"
                "---\n"
                "# Source: c/templates/v.yaml\n"
                "v: {\"s\":{\"global\":{}}}\n"},
        {"068 version does not fit",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "dependencies:\n"
                "- {name: s, version: \">9\", condition: s.on}\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n"
                "== charts/s/Chart.yaml\n"
                "apiVersion: v2\n"
                "name: s\n"
                "version: 0.1.0\n"
                "== charts/s/templates/s.yaml\n"
                "s: {{ .Chart.Name }} {{ .Values | toJson }}\n",
                "s.on=false", false,
                "---\n"
                "# Source: c/templates/v.yaml\n"
                "v: {\"s\":{\"on\":false}}\n"},
        {"condition",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "dependencies:\n"
                "- {name: s, version: 0.x.x, repository: \"\", condition: s.on}\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n"
                "== charts/s/Chart.yaml\n"
                "apiVersion: v2\n"
                "name: s\n"
                "version: 0.1.0\n"
                "== charts/s/templates/s.yaml\n"
                "s: {{ .Chart.Name }} {{ .Values | toJson }}\n",
                "s.on=false", false,
                "---\n"
                "# Source: c/templates/v.yaml\n"
                "v: {\"s\":{\"on\":false}}\n"},
        {"condition of two",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "dependencies:\n"
                "- {name: s, version: 0.x.x, repository: \"\", condition: \"a.x,s.on\"}\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n"
                "== charts/s/Chart.yaml\n"
                "apiVersion: v2\n"
                "name: s\n"
                "version: 0.1.0\n"
                "== charts/s/templates/s.yaml\n"
                "s: {{ .Chart.Name }} {{ .Values | toJson }}\n",
                "s.on=false", false,
                "---\n"
                "# Source: c/templates/v.yaml\n"
                "v: {\"s\":{\"on\":false}}\n"},
        {"tags",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "dependencies:\n"
                "- {name: s, version: 0.x.x, repository: \"\", tags: [t]}\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n"
                "== charts/s/Chart.yaml\n"
                "apiVersion: v2\n"
                "name: s\n"
                "version: 0.1.0\n"
                "== charts/s/templates/s.yaml\n"
                "s: {{ .Chart.Name }} {{ .Values | toJson }}\n",
                "tags.t=false", false,
                "---\n"
                "# Source: c/templates/v.yaml\n"
                "v: {\"tags\":{\"t\":false}}\n"},
        {"condition before tags",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "dependencies:\n"
                "- {name: s, version: 0.x.x, repository: \"\", tags: [t], condition: s.on}\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n"
                "== charts/s/Chart.yaml\n"
                "apiVersion: v2\n"
                "name: s\n"
                "version: 0.1.0\n"
                "== charts/s/templates/s.yaml\n"
                "s: {{ .Chart.Name }} {{ .Values | toJson }}\n",
                "tags.t=false,s.on=true", false,
                "---\n"
                "# Source: c/charts/s/templates/s.yaml\n"
                "s: s {\"global\":{},\"on\":true}\n"
                "\n"
                "---\n"
                "# Source: c/templates/v.yaml\n"
                "v: {\"s\":{\"global\":{},\"on\":true},\"tags\":{\"t\":false}}\n"},
        {"alias in values",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "dependencies:\n"
                "- {name: s, version: 0.x.x, repository: \"\", alias: z}\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n"
                "== charts/s/Chart.yaml\n"
                "apiVersion: v2\n"
                "name: s\n"
                "version: 0.1.0\n"
                "== charts/s/templates/s.yaml\n"
                "s: {{ .Chart.Name }} {{ .Values | toJson }}\n",
                "z.a=1", false,
                "---\n"
                "# Source: c/charts/z/templates/s.yaml\n"
                "s: z {\"a\":1,\"global\":{}}\n"
                "\n"
                "---\n"
                "# Source: c/templates/v.yaml\n"
                "v: {\"z\":{\"a\":1,\"global\":{}}}\n"},
        {"import a table",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "dependencies:\n"
                "- {name: s, version: 0.x.x, repository: \"\", import-values: [{child: data, parent: got}]}\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n"
                "== charts/s/Chart.yaml\n"
                "apiVersion: v2\n"
                "name: s\n"
                "version: 0.1.0\n"
                "== charts/s/templates/s.yaml\n"
                "s: {{ .Chart.Name }} {{ .Values | toJson }}\n"
                "== charts/s/values.yaml\n"
                "data: {k: 1}\n",
                "s.data.k=2", false,
                "---\n"
                "# Source: c/charts/s/templates/s.yaml\n"
                "s: s {\"data\":{\"k\":2},\"global\":{}}\n"
                "\n"
                "---\n"
                "# Source: c/templates/v.yaml\n"
                "v: {\"got\":{\"k\":1},\"s\":{\"data\":{\"k\":2},\"global\":{}}}\n"},
        {"import exports",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "dependencies:\n"
                "- {name: s, version: 0.x.x, repository: \"\", import-values: [data]}\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n"
                "== charts/s/Chart.yaml\n"
                "apiVersion: v2\n"
                "name: s\n"
                "version: 0.1.0\n"
                "== charts/s/templates/s.yaml\n"
                "s: {{ .Chart.Name }} {{ .Values | toJson }}\n"
                "== charts/s/values.yaml\n"
                "exports: {data: {k: 1}}\n"
                "== values.yaml\n"
                "k: 5\n",
                NULL, false,
                "---\n"
                "# Source: c/charts/s/templates/s.yaml\n"
                "s: s {\"exports\":{\"data\":{\"k\":1}},\"global\":{}}\n"
                "\n"
                "---\n"
                "# Source: c/templates/v.yaml\n"
                "v: {\"k\":5,\"s\":{\"exports\":{\"data\":{\"k\":1}},\"global\":{}}}\n"},
        {"globals",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "dependencies:\n"
                "- {name: s, version: 0.x.x, repository: \"\"}\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n"
                "== charts/s/Chart.yaml\n"
                "apiVersion: v2\n"
                "name: s\n"
                "version: 0.1.0\n"
                "== charts/s/templates/s.yaml\n"
                "s: {{ .Chart.Name }} {{ .Values | toJson }}\n"
                "== values.yaml\n"
                "global: {a: 1, m: {x: 1}}\n"
                "== charts/s/values.yaml\n"
                "global: {a: 2, m: {y: 2}}\n",
                NULL, false,
                "---\n"
                "# Source: c/charts/s/templates/s.yaml\n"
                "s: s {\"global\":{\"a\":1,\"m\":{\"true\":2,\"x\":1}}}\n"
                "\n"
                "---\n"
                "# Source: c/templates/v.yaml\n"
                "v: "
                "{\"global\":{\"a\":1,\"m\":{\"x\":1}},\"s\":{\"global\":{\"a\":1,\"m\":{\"true\":2,\"x\":1}}"
                "}}\n"},
        {"null default",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n"
                "== values.yaml\n"
                "a: null\n"
                "m: {n: null, k: 1}\n",
                NULL, false,
                "---\n"
                "# Source: c/templates/v.yaml\n"
                "v: {\"m\":{\"k\":1}}\n"},
        {"null of the user",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n"
                "== values.yaml\n"
                "a: 1\n"
                "m: {n: 1, k: 1}\n",
                "a=null,m.n=null,z=null", false,
                "---\n"
                "# Source: c/templates/v.yaml\n"
                "v: {\"m\":{\"false\":1,\"k\":1,\"n\":null},\"z\":null}\n"},
        {"null in a child",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "dependencies:\n"
                "- {name: s, version: 0.x.x, repository: \"\"}\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n"
                "== charts/s/Chart.yaml\n"
                "apiVersion: v2\n"
                "name: s\n"
                "version: 0.1.0\n"
                "== charts/s/templates/s.yaml\n"
                "s: {{ .Chart.Name }} {{ .Values | toJson }}\n"
                "== values.yaml\n"
                "s: {k: null}\n"
                "== charts/s/values.yaml\n"
                "k: 1\n",
                NULL, false,
                "---\n"
                "# Source: c/charts/s/templates/s.yaml\n"
                "s: s {\"global\":{},\"k\":1}\n"
                "\n"
                "---\n"
                "# Source: c/templates/v.yaml\n"
                "v: {\"s\":{\"global\":{},\"k\":1}}\n"},
        {"child is no map",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "dependencies:\n"
                "- {name: s, version: 0.x.x, repository: \"\"}\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n"
                "== charts/s/Chart.yaml\n"
                "apiVersion: v2\n"
                "name: s\n"
                "version: 0.1.0\n"
                "== charts/s/templates/s.yaml\n"
                "s: {{ .Chart.Name }} {{ .Values | toJson }}\n",
                "s=5", true, "chart dependencies processing failed: type mismatch on s: %!t(int64=5)"},
        {"list replaces",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n"
                "== values.yaml\n"
                "l: [1, 2]\n",
                "l={3}", false,
                "---\n"
                "# Source: c/templates/v.yaml\n"
                "v: {\"l\":[3]}\n"},
        {"schema of a child",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "dependencies:\n"
                "- {name: s, version: 0.x.x, repository: \"\"}\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n"
                "== charts/s/Chart.yaml\n"
                "apiVersion: v2\n"
                "name: s\n"
                "version: 0.1.0\n"
                "== charts/s/templates/s.yaml\n"
                "s: {{ .Chart.Name }} {{ .Values | toJson }}\n"
                "== charts/s/values.schema.json\n"
                "{\"required\": [\"k\"]}\n",
                NULL, true,
                "values don't meet the specifications of the schema(s) in the following chart(s):\n"
                "s:\n"
                "- at '': missing property 'k'\n"},
        {"411 separators",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "== templates/v.yaml\n"
                "a: 1\n"
                "--- # c\n"
                "b: 2\n"
                "---\n"
                "\n"
                "---\n"
                " c: 3\n"
                "---\td: 4\n",
                NULL, false,
                "---\n"
                "# Source: c/templates/v.yaml\n"
                "a: 1\n"
                "\n"
                "---\n"
                "# Source: c/templates/v.yaml\n"
                "# c\n"
                "b: 2\n"
                "\n"
                "---\n"
                "# Source: c/templates/v.yaml\n"
                "c: 3\n"
                "\n"
                "---\n"
                "# Source: c/templates/v.yaml\n"
                "d: 4\n"},
        {"415 head is a list",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "== templates/v.yaml\n"
                "- a\n",
                NULL, true,
                "YAML parse error on c/templates/v.yaml: error unmarshaling JSON: while decoding JSON: json: "
                "cannot unmarshal array into Go value of type util.SimpleHead"},
        {"415 annotations",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "== templates/v.yaml\n"
                "metadata: {annotations: {a: [1]}}\n",
                NULL, true,
                "YAML parse error on c/templates/v.yaml: error unmarshaling JSON: while decoding JSON: json: "
                "cannot unmarshal array into Go struct field .metadata.annotations of type string"},
        {"416 case and numbers in heads",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "== templates/v.yaml\n"
                "KIND: 1.50\n",
                NULL, false,
                "---\n"
                "# Source: c/templates/v.yaml\n"
                "KIND: 1.50\n"},
        {"417 blank and hidden files",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n"
                "== templates/_x.yaml\n"
                "x: 1\n"
                "== templates/y.yaml\n"
                "\n"
                " \n",
                NULL, false,
                "---\n"
                "# Source: c/templates/v.yaml\n"
                "v: {}\n"},
        {"418 events",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "== templates/v.yaml\n"
                "kind: A\n"
                "metadata: {annotations: {helm.sh/hook: \" Pre-Install , TEST\"}}\n",
                NULL, false,
                "\n"
                "---\n"
                "# Source: c/templates/v.yaml\n"
                "kind: A\n"
                "metadata: {annotations: {helm.sh/hook: \" Pre-Install , TEST\"}}\n"
                "\n"},
        {"420 unknown event",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "== templates/v.yaml\n"
                "kind: A\n"
                "metadata: {annotations: {helm.sh/hook: \"pre-install,x\"}}\n",
                NULL, false, "\n"},
        {"422 order of kinds",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "== templates/v.yaml\n"
                "kind: Zz\n"
                "---\n"
                "kind: Ingress\n"
                "---\n"
                "kind: Aa\n"
                "---\n"
                "kind: Secret\n"
                "---\n"
                "kind: Namespace\n"
                "---\n"
                "kind: Service\n"
                "---\n"
                "kind: CustomResourceDefinition\n"
                "---\n"
                "kind: Deployment\n",
                NULL, false,
                "---\n"
                "# Source: c/templates/v.yaml\n"
                "kind: Namespace\n"
                "\n"
                "---\n"
                "# Source: c/templates/v.yaml\n"
                "kind: Secret\n"
                "\n"
                "---\n"
                "# Source: c/templates/v.yaml\n"
                "kind: CustomResourceDefinition\n"
                "\n"
                "---\n"
                "# Source: c/templates/v.yaml\n"
                "kind: Service\n"
                "\n"
                "---\n"
                "# Source: c/templates/v.yaml\n"
                "kind: Deployment\n"
                "\n"
                "---\n"
                "# Source: c/templates/v.yaml\n"
                "kind: Ingress\n"
                "\n"
                "---\n"
                "# Source: c/templates/v.yaml\n"
                "kind: Aa\n"
                "\n"
                "---\n"
                "# Source: c/templates/v.yaml\n"
                "kind: Zz\n"},
        {"library chart",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "type: library\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n",
                NULL, true, "library charts are not installable"},
        {"library child",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "dependencies:\n"
                "- {name: s, version: 0.x.x, repository: \"\"}\n"
                "== templates/v.yaml\n"
                "v: {{ include \"h\" . }}\n"
                "== charts/s/Chart.yaml\n"
                "apiVersion: v2\n"
                "name: s\n"
                "version: 0.1.0\n"
                "type: library\n"
                "== charts/s/templates/s.yaml\n"
                "s: {{ .Chart.Name }} {{ .Values | toJson }}\n"
                "== charts/s/templates/_h.tpl\n"
                "{{ define \"h\" }}lib{{ end }}\n",
                NULL, false,
                "---\n"
                "# Source: c/templates/v.yaml\n"
                "v: lib\n"},
        {"433 kubeVersion",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "kubeVersion: \"<1.20\"\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n",
                NULL, true,
                "chart requires kubeVersion: <1.20 which is incompatible with Kubernetes v1.36.0"},
        {"456 prefix",
                "== Chart.yaml\n"
                "apiVersion: v2\n"
                "name: c\n"
                "version: 0.1.0\n"
                "dependencies:\n"
                "- {name: s, version: 0.x.x, repository: \"\"}\n"
                "== templates/v.yaml\n"
                "v: {{ .Values | toJson }}\n"
                "== charts/s/Chart.yaml\n"
                "apiVersion: v2\n"
                "name: s\n"
                "version: 0.1.0\n"
                "== charts/s/templates/s.yaml\n"
                "s: {{ .Chart.Name }} {{ .Values | toJson }}\n",
                "s=x", true, "chart dependencies processing failed: type mismatch on s: %!t(string=x)"},
};

static char dir[64];

static int remove_one(
        const char *path, const struct stat *st fx_unused, int flag fx_unused, struct FTW *f fx_unused)
{
	return remove(path);
}

static void setup(void)
{
	snprintf(dir, sizeof(dir), "/tmp/fx-chart-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void teardown(void)
{
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void write_file(const char *path, const char *text, size_t len)
{
	char full[512];
	snprintf(full, sizeof(full), "%s/%s", dir, path);
	for (char *p = full + strlen(dir) + 1; (p = strchr(p, '/')); p++) {
		*p = 0;
		mkdir(full, 0755);
		*p = '/';
	}
	FILE *f = fopen(full, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(text, 1, len, f), len);
	fclose(f);
}

static void write_chart(const char *files)
{
	for (const char *p = files; *p;) {
		char path[256];
		const char *nl = strchr(p, '\n'), *text = nl + 1, *next = strstr(text, "\n== ");
		bool empty = strncmp(text, "== ", 3) == 0;
		const char *end = empty ? text : next ? next + 1 : text + strlen(text);
		snprintf(path, sizeof(path), "%.*s", (int)(nl - p - 3), p + 3);
		write_file(path, text, (size_t)(end - text));
		p = end;
	}
}

static int render(
        struct fx_arena *arena, const char *path, const char *set, struct fx_val *out, struct fx_error *err)
{
	const struct fx_value_source source = {FX_VALUES_SET, set};
	const struct fx_chart_options options = {.release = "rel", .ns = "default", .revision = 1};
	struct fx_chart *chart;
	struct fx_val values;
	int rc = fx_values_read(arena, &source, set ? 1 : 0, &values, err);
	if (rc == 0)
		rc = fx_chart_load(arena, path, &chart, err);
	return rc == 0 ? fx_chart_template(arena, chart, values, &options, out, err) : rc;
}

START_TEST(as_helm)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(0);
	struct fx_val out;
	write_chart(cases[_i].files);
	int rc = render(arena, dir, cases[_i].set, &out, &err);
	const char *got = rc == 0 ? fx_arena_strndup(arena, out.s, out.len) : fx_error_message(&err);
	ck_assert_msg((rc < 0) == cases[_i].fails && strcmp(got, cases[_i].want) == 0,
	        "%s:\ngot: %s\nwant: %s", cases[_i].name, got, cases[_i].want);
}
END_TEST

/* Each amount of memory that is too little ends in that error. */
START_TEST(memory_runs_out)
{
	bool done = false;
	write_chart(cases[_i].files);
	for (size_t limit = 4096; !done && limit < 16u * 1024 * 1024; limit += limit / 4) {
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		fx_auto(arena) struct fx_arena *arena = fx_arena_new(limit);
		struct fx_val out;
		done = render(arena, dir, cases[_i].set, &out, &err) == 0 || err.code != FX_E_NOMEM;
		if (done && cases[_i].fails)
			ck_assert_str_eq(fx_error_message(&err), cases[_i].want);
	}
	ck_assert(done);
}
END_TEST

/* ---- archives ---- */

#define META "apiVersion: v2\nname: c\nversion: 0.1.0\n"

struct entry {
	const char *path, *text; /* text NULL: a symbolic link */
};

static void write_archive(const struct entry *entries, size_t n)
{
	char path[128];
	struct archive *a = archive_write_new();
	archive_write_set_format_pax(a);
	archive_write_add_filter_gzip(a);
	snprintf(path, sizeof(path), "%s/c.tgz", dir);
	ck_assert_int_eq(archive_write_open_filename(a, path), ARCHIVE_OK);
	for (size_t i = 0; i < n && entries[i].path; i++) {
		struct archive_entry *e = archive_entry_new();
		archive_entry_set_pathname(e, entries[i].path);
		archive_entry_set_perm(e, 0644);
		archive_entry_set_filetype(e, entries[i].text ? AE_IFREG : AE_IFLNK);
		archive_entry_set_size(e, entries[i].text ? (la_int64_t)strlen(entries[i].text) : 0);
		if (!entries[i].text)
			archive_entry_set_symlink(e, "/etc/passwd");
		ck_assert_int_eq(archive_write_header(a, e), ARCHIVE_OK);
		if (entries[i].text)
			archive_write_data(a, entries[i].text, strlen(entries[i].text));
		archive_entry_free(e);
	}
	ck_assert_int_eq(archive_write_close(a), ARCHIVE_OK);
	archive_write_free(a);
}

static const struct {
	const char *name;
	struct entry entries[5];
	bool fails;
	const char *want; /* part of what comes */
} archives[] = {
        {"017 any first component", {{"x/Chart.yaml", META}, {"x/templates/a.yaml", "a: 1\n"}}, false,
                "a: 1"},
        {"018 several of them",
                {{"x/Chart.yaml", META}, {"y/templates/a.yaml", "a: 1\n"}, {"z/templates/b.yaml", "b: 1\n"}},
                false, "b: 1"},
        {"019 backslashes", {{"c\\Chart.yaml", META}, {"c\\templates\\a.yaml", "a: 1\n"}}, false, "a: 1"},
        {"020 absolute", {{"c/Chart.yaml", META}, {"c//abs", "x"}}, true, "unable to load chart archive"},
        {"021 parent", {{"c/Chart.yaml", META}, {"c/../../x", "x"}}, true, "unable to load chart archive"},
        {"021 looks like a parent", {{"c/Chart.yaml", META}, {"c/..foo", "x"}}, true,
                "unable to load chart archive"},
        {"022 drive", {{"c/Chart.yaml", META}, {"c/C:/x", "x"}}, true, "unable to load chart archive"},
        {"023 no folder", {{"c/Chart.yaml", META}, {"x", "x"}}, true, "unable to load chart archive"},
        {"024 Chart.yaml outside", {{"Chart.yaml", META}}, true, "unable to load chart archive"},
        {"027 nothing", {{NULL, NULL}}, true, "unable to load chart archive"},
        {"028 links are empty files",
                {{"c/Chart.yaml", META}, {"c/l", NULL},
                        {"c/templates/a.yaml", "a: \"{{ .Files.Get \"l\" }}\"\n"}},
                false, "a: \"\""},
        {"029 the last counts",
                {{"c/Chart.yaml", META}, {"c/templates/a.yaml", "a: 1\n"}, {"c/templates/a.yaml", "a: 2\n"}},
                false, "a: 2"},
};

START_TEST(archives_as_helm)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(0);
	char path[128];
	struct fx_val out;
	write_archive(archives[_i].entries, FX_COUNT(archives[_i].entries));
	snprintf(path, sizeof(path), "%s/c.tgz", dir);
	int rc = render(arena, path, NULL, &out, &err);
	const char *got = rc == 0 ? fx_arena_strndup(arena, out.s, out.len) : fx_error_message(&err);
	ck_assert_msg((rc < 0) == archives[_i].fails && strstr(got, archives[_i].want), "%s: %s",
	        archives[_i].name, got);
}
END_TEST

START_TEST(file_limit)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(0);
	size_t n = FX_CHART_FILE_MAX + 1;
	char *text = fx_arena_zalloc(arena, n);
	struct fx_chart *chart;
	write_chart("== Chart.yaml\n" META);
	write_file("big.txt", text, n - 1);
	ck_assert_ok(fx_chart_load(arena, dir, &chart, &err), &err);
	write_file("big.txt", text, n);
	ck_assert_int_lt(fx_chart_load(arena, dir, &chart, &err), 0);
	ck_assert_str_eq(fx_error_message(&err),
	        "chart file \"big.txt\" is larger than the maximum file size 5242880");
}
END_TEST

/* ---- packages ---- */

START_TEST(package_and_back)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(0);
	fx_auto(buf) struct fx_buf one = FX_BUF_INIT;
	fx_auto(buf) struct fx_buf two = FX_BUF_INIT;
	const struct fx_value_source set = {FX_VALUES_SET, "a=2"};
	struct fx_chart_package_options o = {.version = "9.0.0", .app_version = "7", .mod_time = 1700000000};
	struct fx_chart *chart;
	char path[128];
	struct fx_val out;
	write_chart(
	        "== Chart.yaml\n" META "== values.yaml\na: 1\n== README.md\n== templates/a.yaml\n"
	        "v: {{ .Chart.Version }} {{ .Chart.AppVersion }} {{ .Values.a }}\n== charts/s/Chart.yaml\n"
	        "name: s\nversion: 1.0.0\n== charts/s/templates/b.yaml\nb: {{ .Chart.Version }}\n");
	ck_assert_ok(fx_chart_load(arena, dir, &chart, &err), &err);
	ck_assert_ok(fx_values_read(arena, &set, 1, &o.values, &err), &err);
	ck_assert_ok(fx_chart_package(chart, &o, &one, &err), &err);
	ck_assert_ok(fx_chart_package(chart, &o, &two, &err), &err);
	ck_assert_uint_eq(one.len, two.len);
	ck_assert_mem_eq(one.data, two.data, one.len);
	ck_assert_str_eq(fx_chart_package_name(arena, chart, &o), "c-9.0.0.tgz");
	write_file("out/c.tgz", one.data, one.len);
	snprintf(path, sizeof(path), "%s/out/c.tgz", dir);
	ck_assert_ok(render(arena, path, NULL, &out, &err), &err);
	ck_assert_str_eq(fx_arena_strndup(arena, out.s, out.len),
	        "---\n# Source: c/charts/s/templates/b.yaml\nb: 1.0.0\n\n---\n# Source: c/templates/a.yaml\n"
	        "v: 9.0.0 7 2\n");
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("chart");
	TCase *tc = tcase_create("chart");
	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, as_helm, 0, FX_COUNT(cases));
	tcase_add_loop_test(tc, memory_runs_out, 0, FX_COUNT(cases));
	tcase_add_loop_test(tc, archives_as_helm, 0, FX_COUNT(archives));
	tcase_add_test(tc, file_limit);
	tcase_add_test(tc, package_and_back);
	suite_add_tcase(s, tc);
	return s;
}

FX_UNIT_MAIN(make_suite)
