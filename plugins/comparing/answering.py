"""The report's opening in plain sentences: what to deploy, what it costs, and what to know before the table is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from .choosing import Budget, Row, accuracy, deployable, nearest_miss, pareto, winner
from .intervals import FEWEST
from .words import accuracy_name, name, precision, runtime, shown_difference, times


def answer(rows: Sequence[Row], budget: Budget) -> list[str]:
    """What to deploy and what that costs, task by task; where fewer FLOPs were not faster; what fewer bits bring."""
    tasks = list(dict.fromkeys(row["task"] for row in rows))
    lines = []
    for task in tasks:
        own = [row for row in rows if row["task"] == task]
        prefix = f"{task}: " if len(tasks) > 1 else ""
        lines += [prefix + line for line in _choice(own, budget, rows[0]["model"])]
    return [*lines, *_not_faster(rows), *_fewer_bits(rows)]


def sentence(row: Row, rows: Sequence[Row], first: str) -> str:
    """A file, and how fast, large and accurate it is beside the first model.

    Args:
        row: A file that was timed.
        rows: Of the same task, among which the first model's accuracy is looked for.
        first: The first model's name.
    """
    parts = [_speed(row, first), f"{row['mb']:.1f} MB"]
    if row["map"] is not None:
        parts.append(_accuracy(row, rows, first))
    elif any(other["map"] is not None for other in rows):
        parts.append("accuracy not known")
    return f"{name(row)}: {', '.join(parts)}."


def _speed(row: Row, first: str) -> str:
    value = row["speedup"]
    if row["model"] == first and row["recipe"]:
        first = "in 32 bits"
    if value is None:
        return f"{row['ms']:.1f} ms an image"
    if row["speedup_low"] is not None and not shown_difference(row, "speedup"):
        return f"not measurably faster or slower than {first}"
    if value < 1:
        return f"slower than {first} ({times(value)} times as fast)"
    return f"{times(value)} times as fast as {first}"


def _accuracy(row: Row, rows: Sequence[Row], first: str) -> str:
    measured = f"{accuracy_name(row['task'])} {row['map']:.3f}"
    others = [other for other in rows if other["model"] == first and not other["recipe"] and other["map"] is not None]
    reference = next((other for other in others if other["format"] == row["format"]), others[0] if others else None)
    if reference is None or row is reference:
        return measured
    difference = round(100 * (accuracy(row) - accuracy(reference)), 1)
    if not difference:
        return f"as accurate as {first} ({measured})" if row["model"] != first else measured
    return f"{points(abs(difference))} {'more' if difference > 0 else 'less'} accurate ({measured})"


def points(value: float) -> str:
    """Points of a hundred, in words."""
    return f"{value:g} {'point' if value == 1 else 'points'}"


def _choice(rows: Sequence[Row], budget: Budget, first: str) -> list[str]:
    good = deployable(rows)
    if not good:
        return ["No file could be measured that agrees with torch."]

    def said(row: Row) -> str:
        return sentence(row, rows, first)

    lines, named = [], []
    if budget:
        if (best := winner(rows, budget)) is None:
            return [f"No file keeps the budget of {budget}: {nearest_miss(rows, budget)}."]
        lines.append(f"Within {budget}, deploy {said(best)}")
        named.append(best)
    scored = [row for row in good if row["map"] is not None]
    if len(good) == 1:
        return lines or [said(good[0])]
    fastest = min(good, key=lambda row: row["ms"])
    steps = []
    if scored:
        front = [scored[i] for i in pareto([(row["ms"], accuracy(row)) for row in scored])]
        front.sort(key=lambda row: row["ms"], reverse=True)
        steps = [("most accurate", front[0]), *(("", row) for row in front[1:])]
        if front[-1] is fastest:
            steps[-1] = ("fastest" if len(front) > 1 else "fastest and most accurate", fastest)
    steps += [("fastest", fastest), ("smallest", min(good, key=lambda row: (row["mb"], row["ms"])))]
    for title, row in steps:
        if all(row is not other for other in named):
            lines.append(f"The {title} is {said(row)}" if title else f"In between is {said(row)}")
            named.append(row)
    return lines


def _not_faster(rows: Sequence[Row]) -> list[str]:
    """Models with fewer FLOPs than the first whose network was not shown to be faster, with the runtimes."""
    lines, first = [], rows[0]
    for model in dict.fromkeys(row["model"] for row in rows):
        own = [row for row in rows if row["model"] == model and not row["recipe"]]
        timed = [row for row in own if row["network_speedup_low"] is not None]
        places = [row for row in timed if row["network_speedup_low"] <= 1]
        if not places or own[0]["gflops"] >= first["gflops"]:
            continue
        slower = [
            f"{times(row['network_speedup'])} times as fast in {runtime(row)}"
            for row in places if row["network_speedup_high"] < 1
        ]  # fmt: skip
        level = [runtime(row) for row in places if row["network_speedup_high"] >= 1]
        said = slower + ([f"no measurable difference in {_and(level)}"] if level else [])
        fewer = f"{100 - 100 * own[0]['gflops'] / first['gflops']:.0f} % fewer FLOPs than {first['model']}"
        lines.append(f"{model} has {fewer} and is not faster for it: {', '.join(said)} (the network alone).")
    return lines


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def warnings(rows: Sequence[Row]) -> list[str]:
    """What to know before the table is read, each thing once: what is wrong or lacking, and what is not shown."""
    lines = []
    for word, kind in (("Wrong, not to be deployed", "wrong"), ("Not measured", "failed")):
        for reason, own in _by_reason(rows, kind):
            lines.append(f"{word}: {_and([name(row) for row in own])} ({reason}).")
    lines += [f"{reason}." for reason, _ in _by_reason(rows, "none")]
    for reason, own in _by_reason(rows, "missing"):
        names = dict.fromkeys(f"{runtime(row)}{' in 8 bits' if row['recipe'] else ''}" for row in own)
        lines.append(f"Not to be run here: {_and(list(names))} ({reason}).")
    timed = [row for row in rows if row["ms"] is not None]
    notes = dict.fromkeys(row["accuracy_note"] for row in timed if row["accuracy_note"] not in ("", "no data"))
    for note in notes:
        own = [row for row in timed if row["accuracy_note"] == note]
        models = _and(list(dict.fromkeys(row["model"] if note == "no weights" else name(row) for row in own)))
        lines.append(f"No accuracy: {models} ({note}).")
    if timed and all(row["map"] is None and row["accuracy_note"] == "no data" for row in timed):
        lines.append("No accuracy: no labelled data was given.")
    if any(row["rounds"] < FEWEST for row in timed):
        lines.append(f"Fewer than {FEWEST} rounds were timed: speeds have no interval.")
    elif any(_level(row, column) for row in timed for column in ("speedup", "network_speedup", "own_speedup")):
        lines.append("Speeds in grey show no difference: their interval spans 1.")
    return lines


def _level(row: Row, column: str) -> bool:
    return row[column] is not None and not shown_difference(row, column)


def _by_reason(rows: Sequence[Row], state: str) -> Iterable[tuple[str, list[Row]]]:
    own = [row for row in rows if row["state"] == state]
    return [(why, [row for row in own if row["reason"] == why]) for why in dict.fromkeys(row["reason"] for row in own)]


MOVED = 0.05
"""Change of confidences from which a file needs a threshold of its own."""


def _fewer_bits(rows: Sequence[Row]) -> list[str]:
    """What 16 and 8 bits bring and cost, a sentence for each runtime and recipe; none where they were not asked for."""
    plain = {(row["model"], row["format"]): row for row in rows if not row["recipe"]}
    reduced = [row for row in deployable(rows) if row["recipe"] and row["own_speedup"] is not None]
    lines = []
    for kind in dict.fromkeys((row["format"], row["bits"], row["recipe"]) for row in reduced):
        own = [row for row in reduced if (row["format"], row["bits"], row["recipe"]) == kind]
        said = f"{runtime(own[0])} with {precision(own[0])} is {_beside_32(own)}{_lost(own, plain)}."
        lines.append(said)
        moved = [f"{row['model']} {_moved(row, plain)}" for row in own if abs(row["conf_shift"] or 0) >= MOVED]
        if moved:
            lines.append(f"Its confidences move, so it needs other thresholds: {'; '.join(moved)}.")
    return lines


def _beside_32(rows: Sequence[Row]) -> str:
    """For which models fewer bits are faster, slower or neither."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        told = row["own_speedup_low"] is None or shown_difference(row, "own_speedup")
        kind = ("faster" if row["own_speedup"] > 1 else "slower") if told else "not measurably faster or slower"
        groups.setdefault(kind, []).append(row)
    parts: list[str] = []
    for kind, own in groups.items():
        who = f" for {_and([row['model'] for row in own])}" if len(groups) > 1 else ""
        values = sorted(row["own_speedup"] for row in own)
        span = " to ".join(dict.fromkeys(map(times, (values[0], values[-1]))))
        figure = f" ({span} times as fast)" if kind in ("faster", "slower") else ""
        parts.append(f"{kind}{'' if parts else ' than 32 bits here'}{who}{figure}")
    return _and(parts)


def _lost(rows: Sequence[Row], plain: Mapping[tuple[str, str], Row]) -> str:
    """What fewer bits cost at most, in accuracy."""
    before = {row["model"]: plain[row["model"], row["format"]] for row in rows}
    scored = [row for row in rows if row["map"] is not None and before[row["model"]]["map"] is not None]
    if not scored:
        return ""
    losses = {row["model"]: round(100 * (accuracy(before[row["model"]]) - accuracy(row)), 1) for row in scored}
    worst = max(losses, key=lambda model: losses[model])
    if losses[worst] <= 0:
        return ", and no less accurate"
    most, whose = ("at most " if len(losses) > 1 else ""), (f" ({worst})" if len(rows) > 1 else "")
    return f", and {most}{points(losses[worst])} less accurate{whose}"


def _moved(row: Row, plain: Mapping[tuple[str, str], Row]) -> str:
    how = f"{'lower' if row['conf_shift'] < 0 else 'higher'} by {abs(row['conf_shift']):.2f}"
    before = plain[row["model"], row["format"]]["best_conf"]
    if before is None or row["best_conf"] is None:
        return how
    return f"{how}, best threshold {row['best_conf']:.2f} instead of {before:.2f}"
