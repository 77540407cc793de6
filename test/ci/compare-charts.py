#!/usr/bin/env python3
"""Renders every chart below a directory with the real helm and with ours, and shows what differs.

Each chart is rendered with its default values, with every file of its ci/ folder, and with some sets of
flags. A chart whose real output changes from run to run (passwords, certificates, the clock) is compared
line by line where two real runs agree.

usage: compare-charts.py [--texts] [--only REGEX] [--helm PATH] BUILD DIR
"""
import argparse
import difflib
import os
import re
import subprocess
import sys

FLAGS = [
    [],
    ["--include-crds", "--is-upgrade", "--no-hooks", "-n", "other"],
    ["--skip-tests", "--kube-version", "1.25.3", "--api-versions", "monitoring.coreos.com/v1",
     "--api-versions", "policy/v1/PodDisruptionBudget,cert-manager.io/v1"],
]
DIFF_LINES = 30


def charts(top):
    """Folders with a Chart.yaml that are not inside another chart."""
    for folder, dirs, files in os.walk(top):
        dirs.sort()
        if "Chart.yaml" in files:
            dirs.clear()
            yield folder


def value_files(chart):
    ci = os.path.join(chart, "ci")
    if not os.path.isdir(ci):
        return []
    return [os.path.join("ci", f) for f in sorted(os.listdir(ci)) if re.search(r"values.*\.ya?ml$", f)]


def run(program, chart, args):
    command = [program, "template", "rel", "."] + args
    try:
        done = subprocess.run(command, cwd=chart, capture_output=True, timeout=120)
    except subprocess.TimeoutExpired:
        return -1, b"", "timeout"
    errors = [line for line in done.stderr.decode(errors="replace").splitlines()
              if not line.startswith("level=")]
    return done.returncode, done.stdout, "\n".join(errors)


def stable(first, second, ours):
    """Ours equals the first run on all lines where both real runs agree."""
    a, b, c = (text.split(b"\n") for text in (first, second, ours))
    return len(a) == len(b) == len(c) and all(x == z or x != y for x, y, z in zip(a, b, c))


def error_text(text):
    text = text.split("\n\nUse --debug flag")[0]
    return re.sub(r"\s+", " ", text).strip()


def compare(options, chart, args):
    """(state, what to show)"""
    rc, out, err = run(options.helm, chart, args)
    our_rc, our_out, our_err = run(options.ours, chart, args)
    if rc != 0 and our_rc != 0:
        if error_text(err) == error_text(our_err):
            return "fail alike", ""
        return "other error", "  real: %s\n  ours: %s" % (error_text(err)[:600], error_text(our_err)[:600])
    if rc != 0 or our_rc != 0:
        return "differ", "  real: %d %s\n  ours: %d %s" % (rc, error_text(err)[:600], our_rc, our_err[:600])
    if out == our_out:
        return "equal", ""
    again = run(options.helm, chart, args)[1]
    if out != again and stable(out, again, our_out):
        return "equal but for what changes", ""
    if out != again and sorted(out.split(b"\n---\n")) != sorted(again.split(b"\n---\n")) and \
            len(out.split(b"\n")) != len(again.split(b"\n")):
        return "real output changes", ""
    lines = difflib.unified_diff(out.decode(errors="replace").splitlines(),
                                 our_out.decode(errors="replace").splitlines(), "real", "ours", "", "", 2)
    return "differ", "\n".join(list(lines)[:DIFF_LINES])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--texts", action="store_true", help="errors with another text count as differences")
    parser.add_argument("--only", default="", help="charts whose path matches")
    parser.add_argument("--helm", default=os.environ.get("HELM", "helm"))
    parser.add_argument("build")
    parser.add_argument("dir")
    options = parser.parse_args()
    options.ours = os.path.join(os.path.abspath(options.build), "bin", "helm-controller")
    counts, equal, seen = {}, set(), set()
    for chart in charts(options.dir):
        name = os.path.relpath(chart, options.dir)
        if not re.search(options.only, name):
            continue
        good = True
        for args in FLAGS + [["-f", f] for f in value_files(chart)]:
            state, text = compare(options, chart, args)
            counts[state] = counts.get(state, 0) + 1
            if state == "differ" or (state == "other error" and options.texts):
                print("%s: %s %s\n%s" % (state.upper(), name, " ".join(args), text), flush=True)
            good = good and state.startswith("equal")
        seen.add(name)
        if good:
            equal.add(name)
    print("%d charts, %d equal in all runs; runs: %s" % (
        len(seen), len(equal), ", ".join("%d %s" % (n, s) for s, n in sorted(counts.items()))))
    return 1 if counts.get("differ") or (options.texts and counts.get("other error")) else 0


if __name__ == "__main__":
    sys.exit(main())
