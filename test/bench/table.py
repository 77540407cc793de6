"""The figures of several runs side by side, one column a run, with the aims of the project."""

MISSED = "!"


def per_object(case, value):
    return None if case is None or value is None else value / case["n"]


def text(value):
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    if not value:
        return "0"
    digits = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 0.1 else 4
    return f"{value:.{digits}f}"


def total(case, user):
    return None if case is None else sum(case["requests"].get(user, {}).values())


class Figures:
    """What the table's rows ask of one run: a list of values, None where a case was not run or did not end."""

    def __init__(self, results):
        self.case = {r["case"]: r for r in results}

    def requests(self):
        scale, noop = (per_object(c, total(c, "kustomize-controller")) for c in (self.case.get("scale"), self.case.get("noop")))
        return [scale, noop, self.case.get("interval", {}).get("per_object")]

    def status_patches(self):
        case = self.case.get("scale")
        patches = case and case["requests"].get("kustomize-controller", {}).get("patch kustomizations/status", 0)
        return [per_object(case, patches)]

    def cpu(self, name, user="kustomize"):
        case = self.case.get(name)
        return [per_object(case, case and case["cpu"][user])]

    def wall(self, name, *keys):
        case = self.case.get(name)
        return [case and ("not in time" if case.get(key) is None else case[key]) for key in keys or ("wall",)]

    def chain(self):
        """Seconds that ten links take beyond what their applies take at the pace of the case scale."""
        (wall,), (scale,) = self.wall("chain"), self.wall("scale")
        if not isinstance(wall, float) or not isinstance(scale, float):
            return [wall]
        return [wall, max(0.0, wall - 10 * scale / self.case["scale"]["n"])]

    def memory(self, name, *keys):
        case = self.case.get(name)
        return [case and case["memory"][c][k] for c in ("source", "kustomize") for k in keys]

    def peak(self):
        cases = [c for c in self.case.values() if "memory" in c]
        return [max((c["memory"][name]["private_peak"] for c in cases), default=None) for name in ("source", "kustomize")]

    def ready(self):
        case = self.case.get("start")
        return [case and case["ready"][c] for c in ("source", "kustomize")]


def by_number(small, limit, large):
    """Aims that depend on the number of Kustomizations."""
    return lambda n: small if n <= limit else large


# Title, unit, values of a run, aims (a list, or a function of the number of Kustomizations; None: no aim).
ROWS = [
    ("API requests per Kustomization: first apply / asked to reconcile, nothing changed / interval came, nothing changed", "",
     Figures.requests, [14, 2, 0]),
    ("status patches per Kustomization, first apply", "", Figures.status_patches, [3]),
    ("controller CPU per Kustomization, first apply", "s", lambda f: f.cpu("scale"), [0.005]),
    ("the same, asked to reconcile, nothing changed", "s", lambda f: f.cpu("noop"), [0.001]),
    ("wall time, first apply", "s", lambda f: f.wall("scale"), by_number([15], 300, [50])),
    ("one folder changed: until applied / until all are ready at the new revision", "s", lambda f: f.wall("onefolder", "applied", "wall"),
     [0.3, 3]),
    ("chain of ten dependsOn: all / over the applies", "s", Figures.chain, [None, 2]),
    ("edit by hand put right", "s", lambda f: f.wall("drift"), [1]),
    ("memory idle, source: private / resident", "MB", lambda f: f.memory("start", "private", "resident")[:2], [3, 18]),
    ("memory idle, kustomize: private / resident", "MB", lambda f: f.memory("start", "private", "resident")[2:], [3, 18]),
    ("private peak: source / kustomize", "MB", Figures.peak, by_number([8, 10], 100, [10, 20])),
    ("exec to ready: source / kustomize", "s", Figures.ready, [0.03, 0.03]),
    ("API server CPU per Kustomization, first apply", "s", lambda f: f.cpu("scale", "apiserver"), None),
    ("wall time, asked to reconcile, nothing changed", "s", lambda f: f.wall("noop"), None),
    ("CPU of one folder changed, kustomize-controller, per Kustomization", "s", lambda f: f.cpu("onefolder"), None),
    ("first artifact", "s", lambda f: f.wall("git"), None),
    ("all deleted, until pruned and gone", "s", lambda f: f.wall("prune"), None),
]


def aims_of(aims, n):
    return aims(n) if callable(aims) else aims or []


def aim_text(aims, numbers):
    """The aim, or the aims for the numbers that were measured."""
    texts = {" / ".join("-" if a is None else f"{a:g}" for a in aims_of(aims, n)): n for n in sorted(numbers, reverse=True)}
    if len(texts) < 2:
        return next(iter(texts), "") or "-"
    return ", ".join(f"{t} (from {n})" for t, n in reversed(texts.items()))


def cell(values, aims, unit):
    """The values; what misses its aim is marked."""
    aims = aims + [None] * len(values)
    shown = [text(v) + (MISSED if a is not None and (v == "not in time" or isinstance(v, (int, float)) and round(v, 4) > a) else "")
             for v, a in zip(values, aims)]
    return " / ".join(shown) + (f" {unit}" if unit and any(isinstance(v, (int, float)) for v in values) else "")


def markdown(runs):
    """runs: {(implementation, n): results}. A table with a column for each, and one for the aims."""
    figures = {key: Figures(results) for key, results in runs.items()}
    numbers = {n for _, n in runs}
    lines = ["| figure | " + " | ".join(f"{name}, {n}" for name, n in runs) + " | aim |",
             "| --- |" + " --- |" * (len(runs) + 1)]
    for title, unit, row, aims in ROWS:
        cells = [cell(row(f), aims_of(aims, n), unit) for (_, n), f in figures.items()]
        lines.append(f"| {title} | " + " | ".join(cells) + f" | {aim_text(aims, numbers)} |")
    return "\n".join(lines) + f"\n\n{MISSED} misses the aim"
