"""The report's figures as text: cells, and the answer in sentences. Takes plain rows; no torch, no Ultralytics."""

from __future__ import annotations

from collections.abc import Sequence

from .choosing import Budget, Row, accuracy, deployable, nearest_miss, pareto, winner
from .intervals import FEWEST

NONE = "–"
ACCURACY = {"classify": "top-1", "segment": "mask mAP50-95"}


def accuracy_name(task: str) -> str:
    """What the accuracy column holds for a task."""
    return ACCURACY.get(task, "mAP50-95")


def number(value: float | None, digits: int = 1) -> str:
    return NONE if value is None else f"{value:.{digits}f}"


def time_text(row: Row, prefix: str = "") -> str:
    """Median with its quartiles, in milliseconds."""
    median, low, high = (row[f"{prefix}ms{suffix}"] for suffix in ("", "_low", "_high"))
    return NONE if median is None else f"{median:.1f} ({low:.1f}–{high:.1f})"


def ratio_text(row: Row, prefix: str = "") -> str:
    """How many times as fast as the first model, or that the pairs show no difference."""
    median, low, high = (row[f"{prefix}speedup{suffix}"] for suffix in ("", "_low", "_high"))
    if median is None:
        return NONE
    if low is None:
        return f"{median:.2f}× (fewer than {FEWEST} rounds: no interval)"
    if low <= 1 <= high:
        return f"no difference shown ({low:.2f}–{high:.2f})"
    return f"{median:.2f}× ({low:.2f}–{high:.2f})"


def accuracy_text(row: Row) -> str:
    """Accuracy, over seeds where there are several, or why there is none."""
    if row["map"] is None:
        return str(row["accuracy_note"] or NONE)
    text = f"{row['map']:.3f}"
    if row["map_mean"] is not None and (row["seeds"] or 0) > 1:
        text += f" (torch, {row['seeds']} seeds: {row['map_mean']:.3f} ± {row['map_spread']:.3f})"
    return text


def agreement_text(row: Row) -> str:
    """Whether the file agrees with torch, and by how much it differs."""
    if row["state"] in ("failed", "missing", "wrong"):
        return f"{row['state']}: {row['reason']}"
    units = {"boxes_px": "boxes {:.2g} px", "scores": "scores {:.1g}", "masks": "masks {:.1g}"}
    parts = [text.format(row[column]) for column, text in units.items() if row[column]]
    if row["same_boxes"] is not None:
        parts.append(f"{row['same_boxes']:.0%} of final boxes")
    return "ok" + (f": {', '.join(parts)}" if parts else "")


def name(row: Row) -> str:
    return f"{row['model']} as {row['format']}"


def figures(row: Row) -> str:
    """A row in half a sentence."""
    parts = [f"{row['ms']:.1f} ms end to end", f"{row['mb']:.1f} MB"]
    if row["map"] is not None:
        parts.append(f"{accuracy_name(row['task'])} {row['map']:.3f}")
    return ", ".join(parts)


def answer(rows: Sequence[Row], budget: Budget) -> list[str]:
    """The report's opening: what to deploy, what that gives up, and where fewer FLOPs were not faster."""
    tasks = list(dict.fromkeys(row["task"] for row in rows))
    lines = []
    for task in tasks:
        prefix = f"{task}: " if len(tasks) > 1 else ""
        lines += [prefix + line for line in _choice([row for row in rows if row["task"] == task], budget)]
    return [*lines, *_slower(rows), *_unusable(rows)]


def _choice(rows: Sequence[Row], budget: Budget) -> list[str]:
    good, lines = deployable(rows), []
    if not good:
        return ["No file could be measured that agrees with torch."]
    if budget:
        if (best := winner(rows, budget)) is None:
            return [f"Nothing keeps the budget ({budget}): {nearest_miss(rows, budget)}."]
        lines += [f"Within {budget}: {name(best)}, {figures(best)}.", *_given_up(best, good)]
    scored = [row for row in good if row["map"] is not None]
    if scored:
        front = pareto([(row["ms"], accuracy(row)) for row in scored])
        steps = sorted((scored[i] for i in front), key=lambda row: row["ms"])
        text = "; ".join(f"from {row['ms']:.1f} ms on {name(row)} ({row['map']:.3f})" for row in steps)
        lines.append(f"Most accurate for each time allowed: {text}.")
        if not budget:
            lines += _given_up(steps[0], good)
    else:
        fastest = min(good, key=lambda row: row["ms"])
        lines.append(f"Fastest: {name(fastest)}, {figures(fastest)}. Accuracy was not measured.")
    smallest = min(good, key=lambda row: (row["mb"], row["ms"]))
    lines.append(f"Smallest: {name(smallest)}, {figures(smallest)}.")
    return lines


def _given_up(chosen: Row, rows: Sequence[Row]) -> list[str]:
    """What other choices would have had over this one."""
    parts = []
    fastest = min(rows, key=lambda row: row["ms"])
    if fastest["ms"] < chosen["ms"]:
        parts.append(f"{chosen['ms'] - fastest['ms']:.1f} ms against {name(fastest)}")
    scored = [row for row in rows if row["map"] is not None]
    best = max(scored, key=lambda row: (accuracy(row), -row["ms"]), default=chosen)
    if best is not chosen and chosen["map"] is not None and accuracy(best) > accuracy(chosen):
        points = f"{accuracy(best) - accuracy(chosen):.3f} {accuracy_name(chosen['task'])}"
        parts.append(f"{points} against {name(best)}")
    smallest = min(rows, key=lambda row: row["mb"])
    if smallest["mb"] < chosen["mb"]:
        parts.append(f"{chosen['mb'] - smallest['mb']:.1f} MB against {name(smallest)}")
    if not parts:
        return [f"{name(chosen)} gives up nothing: it is the fastest, the smallest and as accurate as any."]
    return [f"{name(chosen)} gives up {', '.join(parts)}."]


def _slower(rows: Sequence[Row]) -> list[str]:
    """Models with fewer FLOPs than the first that were not shown to be faster, by format."""
    lines = []
    first = rows[0]
    for model in dict.fromkeys(row["model"] for row in rows):
        own = [row for row in rows if row["model"] == model and row["network_ratio_low"] is not None]
        if not own or own[0]["gflops"] >= first["gflops"]:
            continue
        places = [f"{row['format']}: {ratio_text(row, 'network_')}" for row in own if row["network_ratio_high"] >= 1]
        if places:
            fewer = f"{1 - own[0]['gflops'] / first['gflops']:.0%} fewer than {first['model']}"
            takes = f"but its network takes, of {first['model']}'s time, in {'; in '.join(places)}"
            lines.append(f"Fewer FLOPs, not faster: {model} has {fewer}, {takes}.")
    return lines


def _unusable(rows: Sequence[Row]) -> list[str]:
    lines = []
    for state, word in (("wrong", "Not to be deployed"), ("failed", "Not measured")):
        found = [f"{name(row)} ({row['reason']})" for row in rows if row["state"] == state]
        if found:
            lines.append(f"{word}: {'; '.join(found)}.")
    missing = dict.fromkeys(f"{row['format']}: {row['reason']}" for row in rows if row["state"] == "missing")
    if missing:
        lines.append(f"Runtimes that are not here: {'; '.join(missing)}.")
    return lines
