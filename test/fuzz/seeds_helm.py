#!/usr/bin/env python3
"""Makes the first inputs of the targets of fuzz_helm.c from the tables of the unit tests: seeds_helm.py OUT."""
import ast
import hashlib
import pathlib
import re
import sys

OUT = pathlib.Path(sys.argv[1])
STRING = r'"(?:[^"\\]|\\.)*"'
OWN = {12: ["\0a.b[1].c=x,d={1,2}", "\1a=1", '\2a={"b":[1]}', "\3a=b,c"], 13: [">=1.0 <2 || ~3.x\x001.2.3-rc.1+b"]}


def seed(target, text):
    folder = OUT / f"corpus{target}"
    folder.mkdir(parents=True, exist_ok=True)
    data = text.encode("utf-8", "surrogateescape")
    (folder / hashlib.sha1(data).hexdigest()).write_bytes(data)


def main():
    for target, texts in OWN.items():
        for text in texts:
            seed(target, text)
    for path in pathlib.Path("test/unit/helm").glob("test_*.c"):
        for found in re.finditer(rf"\{{({STRING}(?:\s*{STRING})*),", path.read_text()):
            template = "".join(ast.literal_eval(s) for s in re.findall(STRING, found.group(1)))
            seed(11, template)
            for text in re.findall(STRING, template):
                inner = text[1:-1].replace('\\"', '"').replace("\\n", "\n").replace("\\\\", "\\")
                seed(14, inner + "\0text")
                seed(15, inner)


main()
