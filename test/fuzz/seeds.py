#!/usr/bin/env python3
"""Makes the first inputs of the fuzz targets from conformance cases: seeds.py OUT CASES...

OUT/corpus1 YAML, 2 a JSON patch, NUL, a document, 3 a strategic merge patch, NUL, a document,
4 a kustomization, 5 a path of a replacement (see fuzz_engine.c).
"""
import hashlib
import pathlib
import re
import sys

SIZE_MAX = 20000
NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")


def main():
    out = pathlib.Path(sys.argv[1])
    for target in range(1, 6):
        (out / f"corpus{target}").mkdir(parents=True, exist_ok=True)

    def seed(target, data):
        if 0 < len(data) <= SIZE_MAX:
            (out / f"corpus{target}" / hashlib.sha1(data).hexdigest()).write_bytes(data)

    for cases in sys.argv[2:]:
        for case in pathlib.Path(cases).iterdir():
            seed_case(case, seed)


def seed_case(case, seed):
    files = {p: p.read_bytes() for p in sorted(case.rglob("*")) if p.is_file() and p.suffix in (".yaml", ".yml", ".json", "")}
    resources = [d for p, d in files.items() if b"\nkind:" in d and p.name not in NAMES and p.name != "out.yaml"]
    for path, data in files.items():
        seed(1, data)
        if path.name in NAMES:
            seed(4, data)
            for inline in re.findall(rb"^[ -]*patch: *\|-?\n((?:[ ]{4,}.*\n|\n)+)", data, re.M):
                seed_patch(inline, resources, seed)
            for paths in re.findall(rb"fieldPaths?:\s*\n((?:\s*- .*\n)+)", data):
                for one in re.findall(rb"- *(.*)", paths):
                    seed(5, one.strip(b"'\" "))
        elif re.search(rb"\bop['\"]?:|\$patch", data) or "patch" in path.name:
            seed_patch(data, resources, seed)


def seed_patch(patch, resources, seed):
    target = 2 if re.search(rb"\bop['\"]?:", patch) else 3
    for resource in resources[:2]:
        seed(target, patch + b"\0" + resource)


main()
