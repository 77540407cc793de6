#!/usr/bin/env python3
"""Makes schema_table.c: which lists of the Kubernetes API are merged and by which keys, and which kinds have a namespace.

  schema_gen.py SWAGGER... >schema_table.c

SWAGGER are OpenAPI 2 documents: api/openapi-spec/swagger.json of the Go module k8s.io/kubernetes v1.21.2, the
version that kustomize 5.8.1 has built in, and kustomizationapi/swagger.json of kyaml v0.21.1, for example:

  dir() { go mod download -json "$1" | sed -n 's/^\\t"Dir": "\\(.*\\)",*$/\\1/p'; }
  libflux/data/schema_gen.py "$(dir k8s.io/kubernetes@v1.21.2)/api/openapi-spec/swagger.json" \\
      "$(dir sigs.k8s.io/kustomize/kyaml@v0.21.1)/openapi/kustomizationapi/swagger.json" >libflux/data/schema_table.c
  clang-format -i libflux/data/schema_table.c
"""
import json
import sys

PREFIX = "#/definitions/"


# What a server with its default features does not have, and so neither kustomize.
def is_off(version, kind):
    return "alpha" in version or kind == "EphemeralContainers"


class Table:
    def __init__(self, documents):
        self.definitions, self.paths = {}, {}
        for d in documents:
            self.definitions.update(d["definitions"])
            self.paths.update(d.get("paths", {}))
        self.types = {(): 0}  # fields -> number
        self.known = {}       # definition -> number
        self.open = set()

    def type_of(self, schema):
        """The number of a schema's type: 0 when no merged list can be reached through it."""
        ref = schema.get("$ref")
        if ref:
            return self.definition(ref[len(PREFIX):])
        return self.number(schema)

    def definition(self, name):
        if name not in self.known:
            if name in self.open:  # refers to itself: no such type has a merged list
                return 0
            self.open.add(name)
            self.known[name] = self.number(self.definitions.get(name, {}))
            self.open.remove(name)
        return self.known[name]

    def number(self, schema):
        fields = []
        for name, field in sorted(schema.get("properties", {}).items()):
            keys = self.keys(field)
            # The elements of a list that is replaced are never looked at.
            element = {} if keys is None and "items" in field else field.get("items", field)
            inner = self.type_of(element)
            if inner or keys is not None:
                fields.append((name, inner, keys))
        return self.types.setdefault(tuple(fields), len(self.types))

    @staticmethod
    def keys(field):
        """The merge keys of a list, "" for a list of scalars; None when it is replaced."""
        strategy = field.get("x-kubernetes-patch-strategy", "").split(",")
        if "merge" not in strategy or field.get("type") != "array":
            return None
        keys = field.get("x-kubernetes-list-map-keys") or [field.get("x-kubernetes-patch-merge-key", "")]
        return ",".join(keys)

    def scopes(self):
        """kind -> has a namespace, from the paths that can be read."""
        out = {}
        for path, operations in sorted(self.paths.items()):
            gvk = operations.get("get", {}).get("x-kubernetes-group-version-kind")
            if gvk and not is_off(gvk["version"], gvk["kind"]):
                key = api_version(gvk), gvk["kind"]
                out[key] = out.get(key, False) or "namespaces/{namespace}" in path
        return out

    def kinds(self):
        """(apiVersion, kind) -> (type, scope)."""
        scopes, out = self.scopes(), {}
        for name, schema in sorted(self.definitions.items()):
            for gvk in schema.get("x-kubernetes-group-version-kind", []):
                key = api_version(gvk), gvk["kind"]
                if is_off(*key):
                    continue
                number = self.definition(name)
                if number or key in scopes:
                    out[key] = number, scopes.pop(key, None)
        for key, scope in scopes.items():
            out.setdefault(key, (0, scope))
        return out


def api_version(gvk):
    return f"{gvk['group']}/{gvk['version']}" if gvk.get("group") else gvk["version"]


def text(value):
    return "NULL" if value is None else '"' + value + '"'


def main():
    documents = []
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as f:
            documents.append(json.load(f))
    if not documents:
        sys.exit(__doc__)
    table = Table(documents)
    kinds = table.kinds()
    for name in sorted(table.definitions):
        table.definition(name)
    print("/* Made by schema_gen.py; do not edit. */")
    print('#include "data/schema_table.h"\n\n#include "core/cleanup.h"\n')
    print("/* Of type N: from first up to that of type N + 1. */")
    print("const struct fx_schema_field fx_schema_fields[] = {")
    first = []
    ordered = sorted(table.types, key=table.types.get)
    count = 0
    for fields in ordered:
        first.append(count)
        count += len(fields)
        for name, inner, keys in fields:
            print(f"{{{text(name)}, {text(keys)}, {inner}}},")
    print("};\n\nconst struct fx_schema_type fx_schema_types[] = {")
    for start in first + [count]:
        print(f"{{{start}}},")
    print("};\n\nconst struct fx_schema_kind fx_schema_kinds[] = {")
    scopes = {None: "FX_SCOPE_UNKNOWN", True: "FX_SCOPE_NAMESPACED", False: "FX_SCOPE_CLUSTER"}
    for (version, kind), (number, scope) in sorted(kinds.items(), key=lambda k: (k[0][1], k[0][0])):
        print(f"{{{text(version)}, {text(kind)}, {number}, {scopes[scope]}}},")
    print("};\nconst size_t fx_schema_n_kinds = FX_COUNT(fx_schema_kinds);\n")
    print("const struct fx_schema_name fx_schema_names[] = {")
    for name, number in sorted(table.known.items()):
        if number:
            print(f"{{{text(name)}, {number}}},")
    print("};\nconst size_t fx_schema_n_names = FX_COUNT(fx_schema_names);")


main()
