"""Which row to deploy: budgets, the winner, and the Pareto front. Rows are plain dictionaries, as in results.json."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True)
class Budget:
    """Limits that a row must keep: median milliseconds end to end, megabytes of the file, mAP50-95 (or top-1)."""

    max_ms: float | None = None
    max_mb: float | None = None
    min_map: float | None = None

    def limits(self) -> list[tuple[str, float, str, str, Callable[..., float]]]:
        """For each limit that is set: the row's column, the limit, its words before and after, and which is better."""
        every: tuple[tuple[str, float | None, str, str, Callable[..., float]], ...] = (
            ("ms", self.max_ms, "at most", "ms", min),
            ("mb", self.max_mb, "at most", "MB", min),
            ("map", self.min_map, "at least", "mAP", max),
        )
        return [(column, limit, word, unit, better) for column, limit, word, unit, better in every if limit is not None]

    def __bool__(self) -> bool:
        return bool(self.limits())

    def __str__(self) -> str:
        return " and ".join(f"{word} {limit:g} {unit}" for _, limit, word, unit, _ in self.limits())

    def kept_by(self, row: Row) -> bool:
        """Whether a row keeps every limit; a figure that is missing keeps none."""
        return all(
            row.get(column) is not None and better(row[column], limit) == row[column]
            for column, limit, _, _, better in self.limits()
        )


def deployable(rows: Sequence[Row]) -> list[Row]:
    """Rows that were measured and agree with torch: nothing else may win."""
    return [row for row in rows if row["state"] == "ok" and row.get("ms") is not None]


def winner(rows: Sequence[Row], budget: Budget) -> Row | None:
    """The most accurate row within the budget, the faster of equals; without any accuracy, the fastest."""
    kept = [row for row in deployable(rows) if budget.kept_by(row)]
    return max(kept, key=_merit, default=None)


def accuracy(row: Row) -> float:
    """A row's accuracy to three digits: what runtimes differ by beyond them is rounding, not merit."""
    return round(float(row["map"]), 3)


def _merit(row: Row) -> tuple[float, float]:
    return (-1.0 if row.get("map") is None else accuracy(row), -row["ms"])


BEST = {
    "ms": "the fastest takes {:.3g} ms",
    "mb": "the smallest has {:.3g} MB",
    "map": "the most accurate reaches {:.3g}",
}


def nearest_miss(rows: Sequence[Row], budget: Budget) -> str:
    """Why nothing qualifies: for each limit, the best that was measured."""
    candidates = deployable(rows)
    if not candidates:
        return "no file could be measured that agrees with torch"
    parts = []
    for column, _, _, unit, better in budget.limits():
        values = [row[column] for row in candidates if row.get(column) is not None]
        parts.append(BEST[column].format(better(values)) if values else f"no {unit} was measured")
    return ", ".join(parts)


def pareto(points: Sequence[tuple[float, float]]) -> list[int]:
    """Positions of the points (cost, merit) that no other point beats: none is as cheap and as good, and better in one.

    Equal points all stay.
    """

    def beaten(point: tuple[float, float]) -> bool:
        cost, merit = point
        return any(c <= cost and m >= merit and (c, m) != point for c, m in points)

    return [i for i, point in enumerate(points) if not beaten(point)]
