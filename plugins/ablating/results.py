"""What the runs of an ablation show, as plain rows: means and spreads, cost and time, and what lies beyond chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..training.seeds import difference, spread
from .variants import Variant

Row = dict[str, Any]
Scores = Mapping[int, Mapping[str, Any]]
"""By seed, a run's result."""

METRICS = ("map50", "map")
TIMES = {"network_ms": "ms", "network_speedup": "speedup"}
"""A comparison's columns, each with its `_low` and `_high`, and what they are called here."""

COLUMNS = (
    "model", "file", "seeds", "params", "gflops", "runtime", "ms", "ms_low", "ms_high", "speedup", "speedup_low",
    "speedup_high", "map50", "map50_spread", "best_map50", "map", "map_spread", "best_map", "difference",
    "difference_low", "difference_high", "beyond_chance", "note", "by_seed",
)  # fmt: skip
"""Beside one for each change, true where the model has it."""


@dataclass(frozen=True)
class Ablation:
    """A finished ablation: a row for each model, the changes' names, and how it was done.

    Images have `imgsz` pixels a side; networks were timed in `rounds` rounds with `threads` threads; `facts` are
    labelled lines of all else.
    """

    rows: list[Row]
    names: list[str]
    task: str
    imgsz: int
    rounds: int
    threads: int
    facts: Mapping[str, str]


def rows(models: Sequence[Variant], scores: Sequence[Scores], times: Sequence[Mapping[str, Any]]) -> list[Row]:
    """A row for each model, the base first; what is not known is None.

    `difference` is of `map` beside the base, the mean of seeds that both have, with its 95 % interval; `beyond_chance`
    whether that leaves out zero. `best_…` is true where a model is better than every other one beyond chance.

    Args:
        models: The base and its variants.
        scores: Of each.
        times: Of each, the row of a comparison.
    """
    names = models[-1].changes  # which has all of them
    return [_row(i, names, models, scores, times[i]) for i in range(len(models))]


def _row(
    i: int, names: Sequence[str], models: Sequence[Variant], scores: Sequence[Scores], time: Mapping[str, Any]
) -> Row:
    model, own = models[i], scores[i]
    row: Row = {"model": model.label, "file": model.name, **{name: name in model.changes for name in names}}
    row |= dict.fromkeys(COLUMNS[2:]) | {key: time.get(key) for key in ("params", "gflops", "runtime")}
    row |= {"seeds": len(own), "note": _note(time), "by_seed": {str(seed): _figures(run) for seed, run in own.items()}}
    for theirs, ours in TIMES.items():
        row |= {f"{ours}{end}": time.get(f"{theirs}{end}") for end in ("", "_low", "_high")}
    for metric in METRICS:
        found = spread(_of(own, metric))
        row |= {metric: found.mean, f"{metric}_spread": found.deviation, f"best_{metric}": _best(i, scores, metric)}
    if i:
        beside = difference(_of(own, "map"), _of(scores[0], "map"))
        known = beside.low is not None
        row |= {"difference": beside.mean, "difference_low": beside.low, "difference_high": beside.high}
        row["beyond_chance"] = beside.beyond_chance if known else None
    return row


def _best(i: int, scores: Sequence[Scores], metric: str) -> bool:
    others = [other for j, other in enumerate(scores) if j != i]
    found = [difference(_of(scores[i], metric), _of(other, metric)) for other in others]
    return bool(found) and all(beside.low is not None and beside.low > 0 for beside in found)


def _of(scores: Scores, metric: str) -> dict[int, float]:
    return {seed: float(run["val"][metric]) for seed, run in scores.items()}


def _figures(run: Mapping[str, Any]) -> Row:
    kept = ("val", "test", "best epoch", "seconds", "versions")
    return {key: run[key] for key in kept if key in run}


def _note(time: Mapping[str, Any]) -> str:
    """What is wrong with the file that was timed."""
    return "" if time.get("state", "ok") == "ok" else f"{time['state']}: {time['reason']}"
