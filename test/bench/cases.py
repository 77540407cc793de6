"""The cases: each does one thing to a running set of controllers and returns its figures."""
import os
import time

from cluster import NAMESPACE
from programs import cpu_seconds, git

KUSTOMIZATIONS = f"/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/{NAMESPACE}/kustomizations"
REPOSITORIES = f"/apis/source.toolkit.fluxcd.io/v1/namespaces/{NAMESPACE}/gitrepositories"
MERGE = "application/merge-patch+json"
REQUESTED_AT = "reconcile.fluxcd.io/requestedAt"
CHAIN_LENGTH = 10
DRIFT_SECONDS = 15
IDLE_SECONDS = 15
INTERVAL_SECONDS, INTERVALS = 20, 2
# No request for so long: what a case has left behind (events are written in the background) is over.
QUIET_SECONDS, QUIET_MOST_SECONDS = 2, 60

FOLDER = """apiVersion: v1
kind: ConfigMap
metadata: {{name: cm-{i}}}
data: {{key: "value {i}{extra}", text: "{filler}"}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {{name: sa-{i}}}
---
apiVersion: v1
kind: Service
metadata: {{name: svc-{i}}}
spec: {{selector: {{app: app-{i}}}, ports: [{{name: http, port: 80, targetPort: 8080}}]}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: app-{i}}}
spec:
  replicas: 0
  selector: {{matchLabels: {{app: app-{i}}}}}
  template:
    metadata: {{labels: {{app: app-{i}}}}}
    spec:
      serviceAccountName: sa-{i}
      containers:
      - name: app
        image: example.com/app:1.0.{i}
        ports: [{{name: http, containerPort: 8080}}]
        envFrom: [{{configMapRef: {{name: cm-{i}}}}}]
"""


def folder_text(i, extra=""):
    return FOLDER.format(i=i, extra=extra, filler="x" * 200)


def make_repository(folder, n):
    """A monorepo of n folders with four objects each, and its bare copy that is served."""
    tree = f"{folder}/tree"
    for i in range(n):
        os.makedirs(f"{tree}/apps/{i:04d}")
        with open(f"{tree}/apps/{i:04d}/all.yaml", "w") as f:
            f.write(folder_text(i))
        with open(f"{tree}/apps/{i:04d}/kustomization.yaml", "w") as f:
            f.write("resources: [all.yaml]\n")
    git(tree, "init", "-q", "-b", "main")
    git(tree, "add", "-A")
    git(tree, "commit", "-qm", "one")
    git(tree, "clone", "-q", "--bare", tree, f"{folder}/git/mono.git")
    git(tree, "remote", "add", "origin", f"{folder}/git/mono.git")
    return tree


def kustomization(name, path, **spec):
    return {"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {"interval": "1h", "path": path, "prune": True, "wait": True, "timeout": "5m", "targetNamespace": "apps",
                     "sourceRef": {"kind": "GitRepository", "name": "mono"}, **spec}}


def ready(o):
    """Ready, and said about the present generation."""
    generation = o["metadata"].get("generation", 0)
    status = o.get("status", {})
    return status.get("observedGeneration") == generation and any(
        c["type"] == "Ready" and c["status"] == "True" and c.get("observedGeneration", generation) == generation
        for c in status.get("conditions", []))


class Bench:
    def __init__(self, cluster, controllers, server, tree, n, timeout):
        self.cluster, self.controllers, self.server = cluster, controllers, server
        self.tree, self.n, self.timeout = tree, n, timeout
        self.asked = 0

    def head(self):
        return git(self.tree, "rev-parse", "HEAD").strip()

    def ask(self, *paths):
        """Asks these objects for a reconcile; the predicate that says one has done it."""
        self.asked += 1
        value = f"bench-{self.asked}"
        body = {"metadata": {"annotations": {REQUESTED_AT: value}}}
        self.cluster.each([("PATCH", path, body, MERGE) for path in paths])
        return lambda o: o.get("status", {}).get("lastHandledReconcileAt") == value and ready(o)

    def names(self):
        return [o["metadata"]["name"] for o in self.cluster.api("GET", KUSTOMIZATIONS)["items"]]

    def wait_all(self, predicate, path=KUSTOMIZATIONS):
        return self.cluster.wait(path, predicate, self.timeout)

    def measure(self, name):
        """Runs a case and adds what it cost to its figures."""
        self.wait_quiet()
        pids = {n: p.pid for n, p in self.controllers.started.items()}
        pids["apiserver"] = self.cluster.pid("apiserver")
        before, cpu = self.cluster.requests(), {n: cpu_seconds(p) for n, p in pids.items()}
        self.controllers.reset_peaks()
        start = time.monotonic()
        figures = getattr(self, "case_" + name)() or {}
        figures.setdefault("wall", round(time.monotonic() - start, 3))
        figures["cpu"] = {n: round(cpu_seconds(p) - cpu[n], 2) for n, p in pids.items()}
        figures["memory"] = self.controllers.memory()
        requests = {}
        for (user, verb, resource), count in self.cluster.requests().items():
            more = count - before.get((user, verb, resource), 0)
            if more:
                requests.setdefault(user, {})[f"{verb} {resource}"] = more
        figures["requests"] = {user: dict(sorted(r.items(), key=lambda x: -x[1])) for user, r in requests.items()}
        return {"case": name, "n": self.n, **figures}

    def case_start(self):
        time.sleep(5)  # what is measured is that nothing happens
        return {"wall": None, "ready": self.controllers.ready}

    def case_git(self):
        head = self.head()
        self.cluster.api("POST", REPOSITORIES, {
            "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository", "metadata": {"name": "mono", "namespace": NAMESPACE},
            "spec": {"interval": "1h", "url": f"{self.server.url}/mono.git", "ref": {"branch": "main"}}})
        return {"wall": self.wait_all(lambda o: ready(o) and head in o["status"]["artifact"]["revision"], REPOSITORIES)}

    def case_scale(self):
        start = time.monotonic()
        self.cluster.each(("POST", KUSTOMIZATIONS, kustomization(f"app-{i:04d}", f"./apps/{i:04d}"), "application/json")
                          for i in range(self.n))
        created = round(time.monotonic() - start, 3)
        done = self.wait_all(ready)
        return {"created": created, **({"wall": None} if done is None else {})}

    def case_noop(self):
        paths = [f"{KUSTOMIZATIONS}/{name}" for name in self.names()]
        start = time.monotonic()
        done = self.wait_all(self.ask(*paths))
        return {"wall": done and round(time.monotonic() - start, 3)}

    def case_gitnoop(self):
        start = time.monotonic()
        done = self.wait_all(self.ask(REPOSITORIES + "/mono"), REPOSITORIES)
        return {"wall": done and round(time.monotonic() - start, 3)}

    def case_onefolder(self):
        with open(f"{self.tree}/apps/0000/all.yaml", "w") as f:
            f.write(folder_text(0, " changed"))
        git(self.tree, "commit", "-qam", "two")
        git(self.tree, "push", "-q", "origin", "main")
        head = self.head()
        start = time.monotonic()
        self.ask(REPOSITORIES + "/mono")
        changed = self.wait_all(lambda o: "changed" in o["data"]["key"],
                                "/api/v1/namespaces/apps/configmaps?fieldSelector=metadata.name%3Dcm-0")
        done = self.wait_all(lambda o: head in o.get("status", {}).get("lastAppliedRevision", "") and ready(o))
        return {"applied": changed, "wall": done and round(time.monotonic() - start, 3)}

    def case_drift(self):
        start = time.monotonic()
        self.cluster.api("PATCH", "/api/v1/namespaces/apps/configmaps/cm-0", {"data": {"key": "edited by hand"}}, MERGE)
        done = self.cluster.wait("/api/v1/namespaces/apps/configmaps?fieldSelector=metadata.name%3Dcm-0",
                                 lambda o: "edited" not in o["data"]["key"], DRIFT_SECONDS)
        return {"wall": done and round(time.monotonic() - start, 3)}

    def case_interval(self):
        """How many requests one interval costs when nothing changed."""
        self.set_interval(f"{INTERVAL_SECONDS}s")
        self.wait_quiet()
        before = self.spent()
        time.sleep(INTERVAL_SECONDS * (INTERVALS + 0.5))  # every object's turn came INTERVALS times
        spent = self.spent() - before
        self.set_interval("1h")
        return {"wall": None, "per_object": round(spent / INTERVALS / len(self.names()), 2)}

    def spent(self):
        """Requests of kustomize-controller so far, without its watches, which the server ends from time to time."""
        return sum(c for (user, verb, _), c in self.cluster.requests().items() if user == "kustomize-controller" and verb != "watch")

    def wait_quiet(self):
        end = time.monotonic() + QUIET_MOST_SECONDS
        before, now = -1, self.spent()
        while now != before and time.monotonic() < end:
            time.sleep(QUIET_SECONDS)
            before, now = now, self.spent()

    def set_interval(self, interval):
        self.cluster.each([("PATCH", f"{KUSTOMIZATIONS}/{name}", {"spec": {"interval": interval}}, MERGE) for name in self.names()])
        self.wait_all(ready)

    def case_chain(self):
        links = [kustomization(f"chain-{i}", f"./apps/{i:04d}", targetNamespace="default",
                               dependsOn=[{"name": f"chain-{i - 1}"}] if i else []) for i in range(CHAIN_LENGTH)]
        for link in reversed(links):
            self.cluster.api("POST", KUSTOMIZATIONS, link)
        done = self.wait_all(ready)
        return {"wall": None} if done is None else {}

    def case_idle(self):
        time.sleep(IDLE_SECONDS)

    def case_prune(self):
        """All Kustomizations are deleted: until they are gone, and what they applied with them."""
        self.cluster.each([("DELETE", f"{KUSTOMIZATIONS}/{name}", None) for name in self.names()])
        done = self.cluster.wait(KUSTOMIZATIONS, ready, self.timeout, gone=True)
        left = len(self.cluster.api("GET", "/api/v1/namespaces/apps/services")["items"])
        if left:
            raise SystemExit(f"{left} services are left after all Kustomizations are gone")
        return {"wall": None} if done is None else {}
