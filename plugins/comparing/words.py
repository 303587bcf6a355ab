"""Single figures of a row as text. Takes plain rows; no torch, no Ultralytics."""

from __future__ import annotations

from .choosing import Row
from .variants import DEFAULT, OURS, RUNTIMES, THEIRS

NONE = "–"
ACCURACY = {"classify": "top-1", "segment": "mask mAP50-95"}
RECIPES = {DEFAULT: "{} bits by default", THEIRS: "{} bits by Ultralytics", OURS: "{} bits by yolo-plugins"}


def accuracy_name(task: str) -> str:
    """What the accuracy column holds for a task."""
    return ACCURACY.get(task, "mAP50-95")


def runtime(row: Row) -> str:
    return RUNTIMES.get(row["format"], str(row["format"]))


def precision(row: Row) -> str:
    """The bits and whose they are, or nothing for 32."""
    return RECIPES[row["recipe"]].format(row["bits"]) if row["recipe"] else ""


def name(row: Row) -> str:
    """What a row is about, as it reads in a sentence."""
    bits = precision(row)
    return f"{row['model']} in {runtime(row)}" + (f" with {bits}" if bits else "")


def number(value: float | None, digits: int = 1) -> str:
    return NONE if value is None else f"{value:.{digits}f}"


def signed(value: float | None) -> str:
    """A change to two digits, with its sign."""
    if value is None:
        return NONE
    text = f"{abs(value):.2f}"
    return text if float(text) == 0 else f"{'−' if value < 0 else '+'}{text}"


def times(value: float) -> str:
    """A factor to as many digits as matter."""
    return f"{value:.1f}" if value >= 1.995 else f"{value:.2f}"


def speed(row: Row, column: str) -> str:
    """How many times as fast, as a cell has it."""
    return NONE if row[column] is None else f"{row[column]:.2f}×"


def interval(row: Row, column: str, digits: int = 2) -> str:
    """From where to where a figure may lie, or nothing where that is not known."""
    low, high = row[f"{column}_low"], row[f"{column}_high"]
    return "" if low is None else f"{low:.{digits}f}–{high:.{digits}f}"


def shown_difference(row: Row, column: str) -> bool:
    """Whether the rounds show one model to be faster than the other."""
    return row[f"{column}_low"] is not None and not row[f"{column}_low"] <= 1 <= row[f"{column}_high"]


def seeds(row: Row) -> str:
    """Accuracy over several seeds, by torch."""
    if (row["seeds"] or 0) < 2:
        return ""
    return f"{row['seeds']} seeds in torch: {row['map_mean']:.3f} ± {row['map_spread']:.3f}"


STATES = {"none": "no such file", "missing": "not installed"}


def state(row: Row) -> str:
    """Whether a file agrees with torch, or why there is none, in a word or two."""
    if row["state"] == "ok" and row["recipe"] and row["same_boxes"] is None:
        return "not judged"  # without weights there are no boxes to find again
    return STATES.get(row["state"], str(row["state"]))


def agreement(row: Row) -> str:
    """By how much a file that could be run differs from torch."""
    if row["state"] not in ("ok", "wrong"):
        return ""
    units = {"boxes_px": "boxes {:.2g} px", "scores": "scores {:.1g}", "masks": "masks {:.1g}"}
    exact = not row["recipe"]
    parts = [text.format(row[column]) for column, text in units.items() if exact and row[column]]
    if row["same_boxes"] is not None:
        parts.append(f"{row['same_boxes']:.0%} of boxes")
    return ", ".join(parts)
