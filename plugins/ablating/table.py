"""An ablation's table for people: the same cells as text, Markdown and LaTeX, and the notes that belong to it."""

from __future__ import annotations

from .. import tables
from .results import Ablation, Row

NONE, TICK = "–", "✓"
TITLES = {
    "segment": {"map50": "mask mAP50", "map": "mask mAP50-95"},
    "classify": {"map50": "top-5", "map": "top-1"},
}
PLAIN = {"map50": "mAP50", "map": "mAP50-95"}
STAR = "*"
SHORT = {"ONNX Runtime": "ORT"}
"""Names for a narrow column."""


def title(task: str, metric: str) -> str:
    """What a metric is called for a task."""
    return TITLES.get(task, PLAIN)[metric]


def text(done: Ablation) -> str:
    """Aligned columns."""
    return tables.columns(*_table(done))


def markdown(done: Ablation) -> str:
    """A Markdown table; what is best beyond chance is bold."""
    return tables.markdown(*_table(done, bold=True))


def latex(done: Ablation) -> str:
    """A LaTeX `tabular`, narrower: a star at what is beyond chance, notes as comments."""
    needs = "Needs \\usepackage{booktabs} and \\usepackage{amssymb}."
    base, metric = done.rows[0]["model"], title(done.task, "map")
    means = (
        f"Speed: times as fast as {base}. Delta: {metric} beside {base}. A star: beyond chance, as the interval shows."
    )
    head = [f"% {line}" for line in (needs, means, *notes(done))]
    return "\n".join([*head, tables.latex(*_table(done, bold=True, brief=True))]) + "\n"


def csv(done: Ablation) -> str:
    """Every figure, unrounded; changes are 1 and 0, what is not known is empty."""
    flat = [{key: value for key, value in row.items() if key != "by_seed"} for row in done.rows]
    for row in flat:
        row |= {name: int(row[name]) for name in done.names}
    return tables.table(flat, "csv") + "\n"


def notes(done: Ablation) -> list[str]:
    """What the figures are, and what they do not show, a sentence or two each."""
    rows, (base, seeds, runtime) = done.rows, (done.rows[0][key] for key in ("model", "seeds", "runtime"))
    cores = f"{done.threads} thread{'s' * (done.threads > 1)}"
    said = [
        f"Params and GFLOPs (2 × multiply-adds) are those before fusing, at {done.imgsz}×{done.imgsz}.",
        f"ms: the network alone in {runtime} on the processor, {cores}, one image, the weights of seed 0; the median "
        f"of {done.rounds} rounds in which the models take turns. Times as fast as {base}: round by round, the median "
        "and its 95 % interval; one that spans 1 shows no difference.",
    ]
    if seeds == 1:
        said.append("One seed: whether a difference is more than chance cannot be said; --seeds 3 or more can tell.")
    else:
        said.append(
            f"Accuracy: mean ± standard deviation of {seeds} seeds. Beside {base}: the mean difference in "
            f"{title(done.task, 'map')} seed by seed, and its 95 % interval (paired t-test); beyond chance where that "
            "leaves out zero. Of twenty such comparisons one is beyond chance by chance."
        )
    said.append("Each run's best epoch was chosen on the validation images that it is judged on.")
    if any(row[f"best_{metric}"] for row in rows for metric in PLAIN):
        said.append("Bold: better than every other model, beyond chance.")
    return [*said, *(f"{row['model']} as it was timed: {row['note']}." for row in rows if row["note"])]


def _table(done: Ablation, bold: bool = False, brief: bool = False) -> tuple[list[list[str]], list[int], list[int]]:
    """Headings and cells, and which columns are aligned to the right, and which are centred: figures, and ticks."""
    base, runtime = done.rows[0]["model"], done.rows[0]["runtime"]
    heads = ["model", *done.names, "params, M", "GFLOPs", f"ms, {SHORT.get(runtime, runtime) if brief else runtime}"]
    heads += ["speed" if brief else "times as fast", *(title(done.task, metric) for metric in PLAIN)]
    heads += ["Δ"] if brief else [f"beside {base}", "beyond chance"]
    cells = [heads]
    for row in done.rows:
        line = [row["model"], *(TICK if row[name] else "" for name in done.names)]
        line += [_number(row["params"], 1e-6), _number(row["gflops"]), _number(row["ms"]), _speed(row, brief)]
        line += [_score(row, metric, bold) for metric in PLAIN]
        cells.append([*line, _difference(row, brief), *([] if brief else [_verdict(row)])])
    first = 1 + len(done.names)
    return cells, list(range(first, len(heads))), list(range(1, first))


def _number(value: float | None, scale: float = 1) -> str:
    return NONE if value is None else f"{value * scale:.2f}"


def _speed(row: Row, brief: bool) -> str:
    if row["speedup"] is None:
        return ""
    low, high, shown = row["speedup_low"], row["speedup_high"], f"{row['speedup']:.2f}×"
    if low is None:
        return shown
    return shown + STAR * (not low <= 1 <= high) if brief else f"{shown} [{low:.2f}, {high:.2f}]"


def _score(row: Row, metric: str, bold: bool) -> str:
    deviation = row[f"{metric}_spread"]
    shown = f"{row[metric]:.3f}" + ("" if deviation is None else f" ± {deviation:.3f}")
    return f"**{shown}**" if bold and row[f"best_{metric}"] else shown


def _difference(row: Row, brief: bool) -> str:
    if row["difference"] is None:
        return ""
    shown = _signed(row["difference"])
    if brief:
        return shown + (STAR if row["beyond_chance"] else "")
    low, high = row["difference_low"], row["difference_high"]
    return shown if low is None else f"{shown} [{_signed(low)}, {_signed(high)}]"


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−")


def _verdict(row: Row) -> str:
    if row["difference"] is None:
        return ""
    return {True: "yes", False: "no", None: "one seed"}[row["beyond_chance"]]
