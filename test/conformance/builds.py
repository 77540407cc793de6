#!/usr/bin/env python3
"""Small builds, one or more for each row of the engine's reference, with what kustomize 5.8.1 made of them.

  builds.py BUILD            runs ours on builds/*.txt; the last line is `N passed, N failed`
  builds.py --record REAL    asks the real tool again and writes its answers into the files

A case starts with `@@@ NAME | ROWS | ARGUMENTS`; `@@ PATH` starts a file of it, `@@ PATH < NAME` takes one that a
line `@< NAME` defines for the whole file, `@@ PATH -> TARGET` makes a link. `@> out` and `@! err` hold the answer
(of an error the text without `Error: `, DIR for the case's folder); `@? err` is an error whose text is only in part
the real tool's. The first argument may be the folder to build. Text as it is, but for `\\r`, `\\t` and `\\e` (no
newline at the end of the file) in files whose name ends in a `*`.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent


class Case:
    def __init__(self, head):
        self.head = head
        name, rows, args = ([p.strip() for p in head.split("|")] + ["", ""])[:3]
        self.name, self.rows, self.args = name, rows.split(), args.split()
        self.parts = []  # [marker line, text]

    def write(self, top, snippets):
        for marker, text in self.parts:
            if not marker.startswith("@@ "):
                continue
            spec = marker[3:]
            if " -> " in spec:
                path, target = spec.split(" -> ")
                pathlib.Path(top, path).parent.mkdir(parents=True, exist_ok=True)
                os.symlink(target, f"{top}/{path}")
                continue
            path, _, snippet = spec.partition(" < ")
            text = snippets[snippet] if snippet else text
            if path.endswith("*"):
                path = path[:-1]
                text = text.replace("\\r", "\r").replace("\\t", "\t").replace("\\e\n", "")
            file = pathlib.Path(top, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text.encode())

    def answer(self):
        for marker, text in self.parts:
            if marker[:2] in ("@>", "@!", "@?"):
                return marker[:2], text
        return None, ""


def read(path):
    cases, snippets, part, head = [], {}, None, []
    for line in path.read_bytes().decode().split("\n")[:-1]:
        if line.startswith("@@@ "):
            cases.append(Case(line[4:]))
            part = None
        elif line.startswith("@< "):
            part = ["", ""]
            snippets[line[3:]] = part
        elif line.startswith(("@@ ", "@> ", "@! ", "@? ")):
            part = [line, ""]
            cases[-1].parts.append(part)
        elif part:
            part[1] += line + "\n"
        if not cases:
            head.append(line)
    return cases, {k: v[1] for k, v in snippets.items()}, head


def run(command, case, snippets):
    with tempfile.TemporaryDirectory(prefix="fx-build-") as top:
        top = os.path.realpath(top)
        case.write(top, snippets)
        args = case.args if case.args and not case.args[0].startswith("-") else ["."] + case.args
        done = subprocess.run([*command, *args], cwd=top, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        out, err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace").replace(top, "DIR")
        if done.returncode > 1:  # a panic of the real tool: any error will do
            return "@?", "crash\n"
        if done.returncode == 0:
            return "@>", err + out if "warnings" in case.head else out
        return "@!", "\n".join(re.sub(r"0x[0-9a-f]{6,}", "0x0", l) for l in err.rstrip("\n").split("\n")
                               if not l.startswith(("# Warning", "goroutine"))).replace("Error: ", "", 1).split("\n\ngoroutine")[0] + "\n"


def record(real):
    for path in sorted(HERE.glob("builds/*.txt")):
        cases, snippets, head = read(path)
        lines = head
        for c in cases:
            old, _ = c.answer()
            kind, text = run([real, "build"], c, snippets)
            lines.append("@@@ " + c.head)
            for marker, body in c.parts:
                if marker.startswith("@@ "):
                    lines += [marker] + body.split("\n")[:-1]
            if kind == "@!" and old == "@?":
                kind = "@?"
            if text and not text.endswith("\n"):
                text += "\n"
            lines += [f"{kind} {'out' if kind == '@>' else 'err'}"] + text.split("\n")[:-1]
        path.write_bytes(("\n".join(lines) + "\n").encode())


def check(build):
    passed = failed = 0
    for path in sorted(HERE.glob("builds/*.txt")):
        cases, snippets, _ = read(path)
        for c in cases:
            kind, want = c.answer()
            got_kind, got = run([f"{build}/bin/kustomize-controller", "build"], c, snippets)
            ok = got == want if kind != "@?" else bool(got.strip())
            if ok and (got_kind == "@>") == (kind == "@>"):
                passed += 1
                continue
            failed += 1
            print(f"FAIL {path.stem}/{c.name} ({' '.join(c.rows)})\n--- kustomize\n{want}+++ ours\n{got}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "--record":
        record(sys.argv[2])
    elif len(sys.argv) == 2:
        sys.exit(check(sys.argv[1]))
    else:
        sys.exit(__doc__)
