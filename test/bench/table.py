"""The figures of several runs side by side, one column a run."""


def per_object(case, value):
    return None if case is None or value is None else value / case["n"]


def text(value, unit=""):
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    digits = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 0.1 else 4
    return f"{value:.{digits}f}{unit}"


def total(case, user):
    return None if case is None else sum(case["requests"].get(user, {}).values())


class Figures:
    """What the table's rows ask of one run; None where a case was not run or did not end."""

    def __init__(self, results):
        self.case = {r["case"]: r for r in results}

    def requests(self):
        scale, noop = (per_object(c, total(c, "kustomize-controller")) for c in (self.case.get("scale"), self.case.get("noop")))
        interval = self.case.get("interval", {}).get("per_object")
        return " / ".join(text(x) for x in (scale, noop, interval))

    def status_patches(self):
        case = self.case.get("scale")
        patches = case and case["requests"].get("kustomize-controller", {}).get("patch kustomizations/status", 0)
        return text(per_object(case, patches))

    def cpu(self, name, user="kustomize"):
        case = self.case.get(name)
        return text(per_object(case, case and case["cpu"][user]), " s")

    def wall(self, name, key="wall"):
        case = self.case.get(name)
        return "-" if case is None else text(case[key], " s") if case.get(key) is not None else "not in time"

    def memory(self, name, *keys):
        case = self.case.get(name)
        if case is None:
            return "-"
        return " / ".join(" and ".join(text(case["memory"][c][k]) for k in keys) for c in ("source", "kustomize"))

    def peak(self):
        cases = [c for c in self.case.values() if "memory" in c]
        if not cases:
            return "-"
        return " / ".join(text(max(c["memory"][name]["private_peak"] for c in cases)) for name in ("source", "kustomize"))

    def ready(self):
        case = self.case.get("start")
        return "-" if case is None else " / ".join(text(case["ready"][c], " s") for c in ("source", "kustomize"))

    def one_folder(self):
        return f"{self.wall('onefolder', 'applied')} / {self.wall('onefolder')}"


ROWS = [
    ("API requests per Kustomization: first apply / asked, nothing changed / interval", Figures.requests),
    ("status patches per Kustomization, first apply", Figures.status_patches),
    ("controller CPU per Kustomization, first apply", lambda f: f.cpu("scale")),
    ("the same, asked to reconcile, nothing changed", lambda f: f.cpu("noop")),
    ("API server CPU per Kustomization, first apply", lambda f: f.cpu("scale", "apiserver")),
    ("wall time, first apply", lambda f: f.wall("scale")),
    ("wall time, asked to reconcile, nothing changed", lambda f: f.wall("noop")),
    ("one folder changed: until applied / until all are ready at the new revision", Figures.one_folder),
    ("CPU of that, kustomize-controller, per Kustomization", lambda f: f.cpu("onefolder")),
    ("chain of ten dependsOn", lambda f: f.wall("chain")),
    ("edit by hand put right", lambda f: f.wall("drift")),
    ("first artifact", lambda f: f.wall("git")),
    ("all deleted, until pruned and gone", lambda f: f.wall("prune")),
    ("memory idle, private and resident: source / kustomize, MB", lambda f: f.memory("start", "private", "resident")),
    ("private peak: source / kustomize, MB", Figures.peak),
    ("exec to ready: source / kustomize", Figures.ready),
]


def markdown(runs):
    """runs: {(implementation, n): results}. A table with a column for each."""
    figures = {key: Figures(results) for key, results in runs.items()}
    lines = ["| figure | " + " | ".join(f"{name}, {n}" for name, n in runs) + " |",
             "| --- |" + " --- |" * len(runs)]
    for title, row in ROWS:
        lines.append(f"| {title} | " + " | ".join(row(f) for f in figures.values()) + " |")
    return "\n".join(lines)
