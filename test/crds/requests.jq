# Makes the requests of test/crds/run.sh, one a line, each with what is expected of its answer.
# Input: the array of examples. $cases: cases.jsonl. $kinds: kinds.jsonl.

# JSON merge patch, RFC 7396.
def merge($patch):
  if ($patch | type) == "object" then
    (if type == "object" then . else {} end)
    | reduce ($patch | to_entries[]) as $e (.;
        if $e.value == null then del(.[$e.key]) else .[$e.key] = (.[$e.key] | merge($e.value)) end)
  else $patch end;

# The text "@N" stands for N letters.
def filled: walk(if type == "string" and test("^@[0-9]+$") then "x" * (.[1:] | tonumber) else . end);

def plural: (ascii_downcase | sub("y$"; "ie")) + "s";
def collection: "/apis/\(.apiVersion)/namespaces/default/\(.kind | plural)";
def create($name): {method: "POST", type: "application/json", path: "\(collection)?dryRun=All", body: (.metadata.name = $name)};
def patch($suffix; $body):
  {method: "PATCH", type: "application/merge-patch+json", path: "\(collection)/\(.metadata.name)\($suffix)?dryRun=All", body: $body};

map(del(.metadata.namespace)) as $examples
| ($examples | map({(.metadata.name): .}) | add) as $named
| ($kinds | map({(.kind): $named[.of]}) | add) as $first
| ($examples[] | . as $e
    | (create("new") + {case: "\(.kind) example \(.metadata.name)", gives: {spec}}),
      # No field is immutable: the same spec is accepted on an object that has another.
      ($first[.kind] | patch(""; {spec: $e.spec}))
        + {case: "\(.kind) \($first[.kind].metadata.name) becomes \(.metadata.name)", gives: {spec}}),
  ($cases[] | filled | . as $c | $named[.of] // error("no example \(.of)")
    | (if $c.status then patch("/status"; {status: $c.status})
       else . as $e | merge($c.patch) | . as $new | $e | create("new") | .body = ($new | .metadata.name = "new") end)
      + ($c | {case, gives, refused} | with_entries(select(.value != null)))),
  ($kinds[] | . as $k | $named[.of] | {method: "GET", path: "\(collection)/\(.metadata.name)",
      type: "application/json", accept: "application/json;as=Table;v=v1;g=meta.k8s.io",
      case: "\(.kind) columns", columns: $k.columns, cells: $k.cells}),
  ($kinds[] | . as $k | $named[.of] | {method: "GET", path: "/apis/\(.apiVersion)", type: "application/json",
      case: "\(.kind) names", names: ($k | {name, singularName, shortNames, categories} + {namespaced: true, kind})}),
  ($kinds[] | . as $k | $named[.of] | {method: "GET", type: "application/json",
      path: "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/\($k.name).\(.apiVersion | split("/")[0])",
      case: "\(.kind) is left alone by substitution",
      gives: {metadata: {annotations: {"kustomize.toolkit.fluxcd.io/substitute": "disabled"}}}}),
  ($examples | map(.apiVersion) | unique[] | {method: "GET", path: "/apis/\(split("/")[0])", type: "application/json",
      case: "\(split("/")[0]) serves v1 only", versions: ["v1"]})
