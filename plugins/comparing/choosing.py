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

    def __bool__(self) -> bool:
        return any(limit is not None for limit in (self.max_ms, self.max_mb, self.min_map))

    def __str__(self) -> str:
        limits = (("at most", self.max_ms, "ms"), ("at most", self.max_mb, "MB"), ("at least", self.min_map, "mAP"))
        return ", ".join(f"{word} {limit:g} {unit}" for word, limit, unit in limits if limit is not None)

    def kept_by(self, row: Row) -> bool:
        """Whether a row keeps every limit; a figure that is missing keeps none."""
        return (
            _within(row.get("ms"), self.max_ms)
            and _within(row.get("mb"), self.max_mb)
            and (self.min_map is None or (row.get("map") is not None and row["map"] >= self.min_map))
        )


def _within(value: float | None, limit: float | None) -> bool:
    return limit is None or (value is not None and value <= limit)


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


def nearest_miss(rows: Sequence[Row], budget: Budget) -> str:
    """Why nothing qualifies: for each limit, the best that was measured."""
    candidates = deployable(rows)
    if not candidates:
        return "no file could be measured that agrees with torch"

    def best(column: str, pick: Callable[..., float], limit: float | None) -> str | None:
        if limit is None:
            return None
        values = [row[column] for row in candidates if row.get(column) is not None]
        unit = {"ms": "ms", "mb": "MB", "map": "mAP"}[column]
        return (
            f"best {unit} {pick(values):.3g} (limit {limit:g})" if values else f"no {unit} measured (limit {limit:g})"
        )

    limits = (("ms", min, budget.max_ms), ("mb", min, budget.max_mb), ("map", max, budget.min_map))
    return "; ".join(text for column, pick, limit in limits if (text := best(column, pick, limit)))


def pareto(points: Sequence[tuple[float, float]]) -> list[int]:
    """Positions of the points (cost, merit) that no other point beats: none is as cheap and as good, and better in one.

    Equal points all stay.
    """

    def beaten(point: tuple[float, float]) -> bool:
        cost, merit = point
        return any(c <= cost and m >= merit and (c, m) != point for c, m in points)

    return [i for i, point in enumerate(points) if not beaten(point)]
