#!/usr/bin/env python3
"""Builds of kustomizations, whole process, beside kustomize 5.8.1 on the same input; and inside one process.

  kustomize.py [--build DIR] [--trees DIR] [--sizes 10,1000,10000] [--limit SECONDS]

The overlay has a namespace, a prefix, labels with selectors, an image and one patch over a base of N resources.
--trees: every kustomization below that folder that the real tool builds, one process each.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

from cluster import TOP
from programs import tools

# Size: how many times faster than the real tool it is meant to be, and the most memory in MB.
AIMS = {10: (20, 4), 1000: (60, None), 10000: (60, None)}
BUILD_AIM_MS = 1.0
LINEAR_AIM_MS = 600

RESOURCES = """apiVersion: apps/v1
kind: Deployment
metadata:
  name: app-{i}
  labels:
    app: app-{i}
spec:
  replicas: 2
  selector:
    matchLabels:
      app: app-{i}
  template:
    metadata:
      labels:
        app: app-{i}
    spec:
      serviceAccountName: app-{i}
      containers:
      - name: main
        image: nginx:1.25
        ports:
        - containerPort: 8080
        envFrom:
        - configMapRef:
            name: app-{i}
---
apiVersion: v1
kind: Service
metadata:
  name: app-{i}
spec:
  selector:
    app: app-{i}
  ports:
  - port: 80
    targetPort: 8080
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: app-{i}
data:
  LOG_LEVEL: info
  MODE: "production"
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: app-{i}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: app-{i}
spec:
  minAvailable: 1
  selector:
    matchLabels:
      app: app-{i}
"""
KINDS = RESOURCES.count("apiVersion:")

OVERLAY = """resources:
- base
namespace: production
namePrefix: team-
labels:
- pairs:
    team: blue
  includeSelectors: true
images:
- name: nginx
  newTag: "1.27"
patches:
- patch: |
    apiVersion: apps/v1
    kind: Deployment
    metadata:
      name: app-0
    spec:
      replicas: 3
"""


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def make_overlay(folder, size):
    files = [f"app-{i}.yaml" for i in range(max(1, size // KINDS))]
    for i, name in enumerate(files):
        write(f"{folder}/base/{name}", RESOURCES.format(i=i))
    write(f"{folder}/base/kustomization.yaml", "resources:\n" + "".join(f"- {n}\n" for n in files))
    write(f"{folder}/kustomization.yaml", OVERLAY)


class Tools:
    def __init__(self, build, limit):
        self.bench = f"{build}/bin/bench"
        self.ours = f"{build}/bin/kustomize-controller"
        folder = tools("kustomize")
        self.real = folder and f"{folder}/kustomize"
        self.limit = limit

    def time(self, runs, program, folder):
        """Best wall ms and peak KB; None when it fails or takes too long."""
        try:
            done = subprocess.run([self.bench, "time", str(runs), program, "build", folder], stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, timeout=self.limit, check=True)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
            return None
        return json.loads(done.stdout)


def verdict(ok):
    return "" if ok is None else " ok" if ok else " MISSED"


def overlay(t, size, folder):
    make_overlay(folder, size)
    runs = {10: 30, 1000: 5}.get(size, 1)
    ours = t.time(runs, t.ours, folder)
    real = t.time(max(1, runs // 3), t.real, folder) if t.real else None
    times_aim, peak_aim = AIMS.get(size, (None, None))
    row = f"{size:>7} {ours['best_ms']:>10.1f} {ours['peak_kb'] / 1024:>8.1f}"
    misses = 0
    if real:
        ratio, less = real["best_ms"] / ours["best_ms"], ours["peak_kb"] < real["peak_kb"]
        fast = None if times_aim is None else ratio >= times_aim
        misses += (fast is False) + (not less)
        row += f" {real['best_ms']:>10.1f} {real['peak_kb'] / 1024:>8.1f} {ratio:>7.0f}x"
        row += f"  speed >= {times_aim}x{verdict(fast)}; memory below the real tool's{verdict(less)}"
    else:
        row += f"  the real tool took more than {t.limit} s" if t.real else "  no real tool here"
    if peak_aim:
        small = ours["peak_kb"] <= peak_aim * 1024
        misses += not small
        row += f"; {peak_aim} MB{verdict(small)}"
    if size == 10000:
        linear = ours["best_ms"] <= LINEAR_AIM_MS
        misses += not linear
        row += f"; {LINEAR_AIM_MS} ms{verdict(linear)}"
    print(row, flush=True)
    return misses


def in_process(t, folder):
    done = subprocess.run([t.bench, "build", "2000", folder], stdout=subprocess.PIPE, check=True)
    figures = json.loads(done.stdout)
    ok = figures["build_ms"] < BUILD_AIM_MS
    print(f"in one process, 10 resources: {figures['build_ms']:.2f} ms a build (< {BUILD_AIM_MS:.0f} ms{verdict(ok)}); "
          f"two threads, as many builds each: {figures['two_threads_ratio']:.2f} times the time of one")
    return not ok


def collection(t, trees):
    names = ("kustomization.yaml", "kustomization.yml", "Kustomization")
    folders = sorted(d for d, _, files in os.walk(trees) if any(n in files for n in names))
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    built, seconds = [], {}
    for program in filter(None, (t.real, t.ours)):
        start = time.monotonic()
        done = [d for d in (built or folders) if subprocess.run([program, "build", d], **silent).returncode == 0]
        if not built:
            built = done
            start = time.monotonic()
            for d in built:
                subprocess.run([program, "build", d], **silent)
        seconds[program] = time.monotonic() - start
    line = f"{len(built)} kustomizations below {trees}, one process each: {seconds[t.ours]:.2f} s"
    print(line + (f", the real tool {seconds[t.real]:.1f} s" if t.real else ""))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", default=f"{TOP}/build")
    p.add_argument("--trees", help="folder with a collection of kustomizations")
    p.add_argument("--sizes", default="10,1000,10000")
    p.add_argument("--limit", type=int, default=300, help="seconds after which a run is given up")
    a = p.parse_args()
    t = Tools(a.build, a.limit)
    print("kustomize 5.8.1 and kustomize-controller build on the same overlay, whole process, best of several runs")
    print(f"{'N':>7} {'ours ms':>10} {'MB':>8} {'real ms':>10} {'MB':>8} {'times':>8}")
    misses = 0
    with tempfile.TemporaryDirectory(prefix="fx-bench-") as top:
        for size in map(int, a.sizes.split(",")):
            misses += overlay(t, size, f"{top}/{size}")
            if size == 10:
                misses += in_process(t, f"{top}/{size}")
    if a.trees:
        collection(t, a.trees)
    print(f"{misses} aims missed")
    return 1 if misses else 0


if __name__ == "__main__":
    sys.exit(main())
