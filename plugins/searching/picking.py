"""The best choice of one option a row within a budget: exact, whatever the numbers come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

STEP = 0.01
"""Milliseconds that times are rounded to; but for that the choice is exact."""


@dataclass(frozen=True)
class Option:
    """One candidate at one row: milliseconds, and what it is worth, where the row's own block is worth 1."""

    name: str
    ms: float
    worth: float


Table = Mapping[int, Sequence[Option]]
"""By row, what may stand there."""


class TooSlowError(ValueError):
    """Even the fastest options take longer than the budget."""


def pick(table: Table, budget: float, rest: float = 0.0) -> dict[int, Option]:
    """One option a row, worth the most together, within a time in milliseconds; `rest` is what the others add to it.

    Raises:
        TooSlowError: even the fastest options take longer.
    """
    room = (budget - rest) / STEP
    after = [sum(_steps(option) for option in fastest(table).values())]
    # For each row, by the steps spent up to it: the most that can be worth, its option, and the steps spent before.
    levels: list[dict[int, tuple[float, Option, int]]] = []
    ends = {0: 0.0}
    for row in table.values():
        after.append(after[-1] - min(map(_steps, row)))
        found: dict[int, tuple[float, Option, int]] = {}
        for spent, worth in ends.items():
            for option in row:
                total = spent + _steps(option)
                better = total not in found or worth + option.worth > found[total][0]
                if better and total + after[-1] <= room:
                    found[total] = (worth + option.worth, option, spent)
        levels.append(_front(found))
        ends = {total: worth for total, (worth, _, _) in levels[-1].items()}
    if not ends or after[0] > room:
        quickest = rest + sum(option.ms for option in fastest(table).values())
        raise TooSlowError(f"the fastest blocks take {quickest:.2f} ms, more than the budget of {budget:.2f} ms")
    spent, chosen = max(ends, key=lambda total: (ends[total], -total)), []
    for level in reversed(levels):
        _, option, spent = level[spent]
        chosen.append(option)
    return dict(zip(table, reversed(chosen), strict=True))


def fastest(table: Table) -> dict[int, Option]:
    """The option of each row that takes the least time."""
    return {i: min(row, key=lambda option: option.ms) for i, row in table.items()}


def _steps(option: Option) -> int:
    return round(option.ms / STEP)


def _front(found: dict[int, tuple[float, Option, int]]) -> dict[int, tuple[float, Option, int]]:
    """Without what takes longer than another and is worth no more."""
    kept: dict[int, tuple[float, Option, int]] = {}
    most = -1.0
    for total in sorted(found):
        if found[total][0] > most:
            kept[total], most = found[total], found[total][0]
    return kept
