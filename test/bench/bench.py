#!/usr/bin/env python3
"""Measures the controllers on a real API server, ours and upstream's side by side. See README.md."""
import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile

from cases import Bench, make_repository
from cluster import TOP, Cluster
from programs import Controllers, GitServer, tools
from table import markdown

CASES = ["start", "git", "scale", "noop", "gitnoop", "onefolder", "drift", "interval", "chain", "idle", "prune"]


def arguments():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--build", default=f"{TOP}/build", help="where the programs of this project were built")
    p.add_argument("--runs", default="flux-in-c:20,flux-in-c:300,flux-in-c:1000,upstream:20",
                   help="IMPLEMENTATION:NUMBER of Kustomizations, separated by commas; a cluster of its own for each; "
                        "flux-in-c, upstream, or SOURCE+KUSTOMIZE for one controller of each")
    p.add_argument("--cases", default=",".join(CASES), help="separated by commas; git comes always")
    p.add_argument("--timeout", type=int, default=600, help="seconds after which a case is given up")
    p.add_argument("--json", help="file for all figures")
    p.add_argument("--keep", action="store_true", help="keep the folders with the logs")
    p.add_argument("--perf", help="folder for `perf record` of both controllers during the case scale")
    return p.parse_args()


def ours(build):
    programs = {n: f"{build}/bin/{n}-controller" for n in ("source", "kustomize")}
    missing = [p for p in programs.values() if not os.access(p, os.X_OK)]
    return programs, f"{', '.join(missing)} not built" if missing else None


def upstream():
    names = ["source-controller", "kustomize-controller"]
    folder = tools(*names)
    if folder is None:
        return {}, "upstream's controllers cannot be built here"
    return {n.split("-")[0]: f"{folder}/{n}" for n in names}, None


def choose(implementation, build):
    """The two programs of `NAME`, or of `SOURCE+KUSTOMIZE`."""
    source, kustomize = (implementation.split("+") * 2)[:2]
    programs = {}
    for role, name in (("source", source), ("kustomize", kustomize)):
        found, missing = upstream() if name == "upstream" else ours(build)
        if missing:
            return {}, missing
        programs[role] = found[role]
    return programs, None


def install(cluster, implementation):
    """Namespace, service accounts, roles and CRDs. Deployments are left out: the controllers
    run here. Upstream's controllers ask for all of their kinds, so they get their own CRDs."""
    crds = f"{TOP}/manifests/crds"
    if "upstream" in implementation:
        crds = f"{os.path.dirname(tools())}/crds"
        cluster.kubectl("apply", "--server-side", "-f", crds)
    else:
        cluster.kubectl("apply", "--server-side", "-k", crds)
    cluster.kubectl("apply", "--server-side", "-f", f"{TOP}/manifests/namespace.yaml")
    for name in ("source", "kustomize"):
        cluster.kubectl("apply", "--server-side", "-n", "flux-system", "-f", f"{TOP}/manifests/{name}-controller/service-account.yaml")
    cluster.kubectl("apply", "--server-side", "-k", f"{TOP}/manifests/rbac")
    cluster.kubectl("create", "namespace", "apps")
    cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")


def profile(controllers, folder):
    os.makedirs(folder, exist_ok=True)
    return [subprocess.Popen(["perf", "record", "-q", "-g", "-p", str(p.pid), "-o", f"{folder}/{name}.data"])
            for name, p in controllers.started.items()]


def one_run(args, implementation, programs, n):
    folder = tempfile.mkdtemp(prefix="fx-bench.")
    stops, results = [], []
    try:
        cluster = Cluster(f"{folder}/cluster")
        stops.append(cluster.stop)
        install(cluster, implementation)
        server = GitServer(folder)
        stops.append(server.stop)
        server.start()
        tree = make_repository(folder, n)
        controllers = Controllers(cluster, folder)
        stops.append(controllers.stop)
        controllers.start_all(programs)
        bench = Bench(cluster, controllers, server, tree, n, args.timeout)
        wanted = set(args.cases.split(",")) | {"git"}
        for case in (c for c in CASES if c in wanted):
            recorders = profile(controllers, args.perf) if args.perf and case == "scale" else []
            results.append({"implementation": implementation, **bench.measure(case)})
            print(json.dumps(results[-1]), file=sys.stderr, flush=True)
            for recorder in recorders:
                recorder.send_signal(signal.SIGINT)
                recorder.wait()
    finally:
        for stop in reversed(stops):
            stop()
        if args.keep:
            print(f"{implementation}, {n}: {folder}", file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return results


def main():
    args = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by a signal"))
    runs = {}
    for wanted in args.runs.split(","):
        implementation, n = wanted.split(":")
        programs, missing = choose(implementation, os.path.abspath(args.build))
        if missing:
            print(f"{wanted}: left out, {missing}", file=sys.stderr)
            continue
        runs[implementation, int(n)] = one_run(args, implementation, programs, int(n))
        if args.json:
            with open(args.json, "w") as f:
                json.dump([r for results in runs.values() for r in results], f, indent=1)
    if not runs:
        sys.exit("nothing could be measured")
    print(markdown(runs))


main()
