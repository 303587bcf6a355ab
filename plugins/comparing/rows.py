"""A measured cell as a plain row: what the report, results.csv and results.json show."""

from __future__ import annotations

import math
import statistics
from pathlib import Path

import numpy as np

from .cells import Cell
from .choosing import Row
from .intervals import ratio
from .timing import Times

COLUMNS = (
    "model", "format", "bits", "recipe", "state", "reason", "task", "classes", "params", "gflops", "mb", "memory_mb",
    "network_ms", "network_ms_low", "network_ms_high", "ms", "ms_low", "ms_high",
    "network_speedup", "network_speedup_low", "network_speedup_high", "speedup", "speedup_low", "speedup_high",
    "own_speedup", "own_speedup_low", "own_speedup_high", "rounds",
    "map", "map50", "box_map", "best_conf", "accuracy_note", "seeds", "map_mean", "map_spread",
    "boxes_px", "scores", "masks", "same_boxes", "conf_shift", "kept_float",
)  # fmt: skip


def row(cell: Cell, first: Cell, plain: Cell, times: Times) -> Row:
    """One row; what was not measured is None.

    Args:
        cell: What it is about.
        first: The first model in 32 bits of the same format: `speedup` is how many times as fast as this.
        plain: The same model in 32 bits of the same format: `own_speedup` is how many times as fast as this.
        times: Of that format's cells.
    """
    found, facts = cell.found, cell.model.facts
    differences = found.get("differences", {})
    result: Row = dict.fromkeys(COLUMNS) | {
        "model": cell.name, "format": cell.form, "bits": cell.variant.bits, "recipe": cell.variant.recipe,
        "state": cell.state,
        "reason": cell.failure or found.get("wrong", ""),
        "task": facts["task"], "classes": facts["nc"], "params": facts["params"], "gflops": facts["gflops"],
        "mb": megabytes(cell.path) if cell.path else None, "memory_mb": found.get("memory"),
        "map": found.get("map"), "map50": found.get("map50"), "box_map": found.get("box_map"),
        "best_conf": found.get("best_conf"),
        "accuracy_note": _accuracy_note(cell), "boxes_px": differences.get("boxes"),
        "scores": differences.get("scores"), "masks": differences.get("masks"), "same_boxes": found.get("same_boxes"),
        "conf_shift": found.get("shift"), "kept_float": found.get("kept_float"),
    }  # fmt: skip
    if not cell.failure:
        result |= _speed(cell.stem, times)
        result |= _speedups(cell.stem, first.stem, times, ("network_speedup", "speedup"))
        result |= _speedups(cell.stem, plain.stem, times, ("", "own_speedup"))
    accuracies = [run["map"] for run in cell.model.trainings if run.get("map") is not None]
    if accuracies:
        result["seeds"] = len(accuracies)
        result["map_mean"] = statistics.mean(accuracies)
        result["map_spread"] = statistics.stdev(accuracies) if len(accuracies) > 1 else None
    # JSON has no infinity, which is what outputs that are no numbers differ by; the reason tells.
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in result.items()}


def _accuracy_note(cell: Cell) -> str:
    if not cell.model.accurate:
        return "no weights"
    return str(cell.found.get("accuracy_note", "")) if cell.setup.dataset else "no data"


def _speed(name: str, times: Times) -> Row:
    mine = [entry for entry in times.get(name, []) if entry]
    if not mine:
        return {}
    result: Row = {"rounds": len(mine)}
    for column, prefix in (("network", "network_"), ("ms", "")):
        low, median, high = np.percentile([entry[column] for entry in mine], [25, 50, 75]).tolist()
        result |= {f"{prefix}ms": median, f"{prefix}ms_low": low, f"{prefix}ms_high": high}
    return result


def _speedups(name: str, before: str, times: Times, columns: tuple[str, str]) -> Row:
    """How many times as fast as another, round by round: of the network and end to end, into these columns."""
    pairs = [(a, b) for a, b in zip(times.get(before, []), times.get(name, []), strict=False) if a and b]
    result: Row = {}
    for timed, column in zip(("network", "ms"), columns, strict=True):
        if column and pairs and name != before:
            found = ratio([a[timed] for a, _ in pairs], [b[timed] for _, b in pairs])
            result |= {column: found.median, f"{column}_low": found.low, f"{column}_high": found.high}
    return result


def megabytes(path: Path) -> float:
    """Size of a file, or of a folder's files together, in megabytes (10⁶ bytes)."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file()) / 1e6
