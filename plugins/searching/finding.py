"""The search itself, on whatever measures: calibrate, check on models held out, choose, measure the choice, again."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Protocol

from .candidates import STOCK
from .picking import Option, Table, TooSlowError, fastest, pick
from .predicting import Choice, Prediction, errors, fitted, uncorrected

MIXED = 12
"""Whole models with blocks drawn at random that are measured beside those with one block wherever it fits."""

HELD_OUT = 4
"""Of them, how many the check is made on."""

TRIES = 6
"""Choices that are measured at most."""

TRUSTED = 0.15
"""An error on the models held out above which times are not to be relied on."""
QUIETER = "let the machine do nothing else, give more --rounds, or time the work alone with --threads 1 --cpu-time"
MORE = "give a larger budget, a smaller --imgsz or other --blocks"

Alone = Mapping[tuple[int, str], float]
Worth = Mapping[int, Mapping[str, float]]
"""By row, the blocks that may stand there by name, with what they are worth; the first is the row's own."""


class Measure(Protocol):
    """What tells times in milliseconds: of the rows alone and of whole models in one run; of one more beside stock.

    Of what cannot be run there is no time.
    """

    def calibration(self, models: Sequence[Choice]) -> tuple[Alone, Mapping[int, float]]: ...

    def model(self, choice: Choice) -> float: ...


@dataclass
class Found:
    """The choice, its time as predicted before it was measured and as measured, and what led to it.

    `alone` and `table` tell the rows' times by themselves and inside a model; `checked` are the relative errors on the
    models held out, `number` that of the choice among those measured.
    """

    choice: Choice
    expected: float
    measured: float
    stock: float
    alone: Alone
    table: Table
    checked: list[float]
    number: int


def find(
    worth: Worth, measure: Measure, budget: Callable[[float], float], say: Callable[[str], None] = lambda _: None
) -> Found:
    """The model that is worth the most within a budget, as measured.

    Args:
        worth: What may stand at each row.
        measure: Tells times.
        budget: Milliseconds, given those of the stock model.
        say: Told what was found on the way.

    Raises:
        TooSlowError: not even the fastest model keeps the budget.
    """
    planned = calibration_models(worth)
    alone, by_number = measure.calibration(planned)
    models, times = [planned[number] for number in by_number], list(by_number.values())
    worth = {i: {name: w for name, w in row.items() if (i, name) in alone} for i, row in worth.items()}
    checked = _checked(alone, models, times, say)
    stock, chosen = times[0], len(models)
    limit = room = budget(stock)
    best: Found | None = None
    for attempt in range(TRIES):
        prediction = fitted(alone, models, times)
        table = _table(worth, prediction)
        last = attempt == TRIES - 1 and best is None
        choice = {i: option.name for i, option in _within(table, 0 if last else room, prediction.rest).items()}
        if choice in models[chosen:] or (best and _worth(worth, choice) <= _worth(worth, best.choice)):
            break
        expected, measured = prediction(choice), measure.model(choice)
        say(f"chosen: {expected:.2f} ms expected, {measured:.2f} ms measured ({measured / expected - 1:+.1%})")
        models, times = [*models, choice], [*times, measured]
        if measured <= limit:
            best = Found(choice, expected, measured, stock, alone, table, checked, attempt)
        else:
            room = min(room, expected) * limit / measured  # one model hardly moves the fit: not to choose it again
    if best is None:
        least = min(times[chosen:])
        raise TooSlowError(f"the fastest found takes {least:.2f} ms, more than the budget of {limit:.2f} ms: {MORE}")
    return best


def _checked(alone: Alone, models: Sequence[Choice], times: Sequence[float], say: Callable[[str], None]) -> list[float]:
    """Relative errors on the last models, predicted from the others; says them."""
    known = len(models) - HELD_OUT
    ours, plain = (
        errors(prediction, models[known:], times[known:])
        for prediction in (fitted(alone, models[:known], times[:known]), uncorrected(alone, models[0], times[0]))
    )
    say(
        f"{HELD_OUT} models held out are predicted from the {known} others with an error of {_sizes(ours)}; "
        f"rows alone would give {_sizes(plain)}"
    )
    if max(map(abs, ours)) > TRUSTED:
        say(f"that is more than {TRUSTED:.0%}: {QUIETER}")
    return ours


def _sizes(errors: Sequence[float]) -> str:
    sizes = [abs(error) for error in errors]
    return f"{mean(sizes):.1%} on average, {max(sizes):.1%} at most"


def _within(table: Table, room: float, rest: float) -> dict[int, Option]:
    """The best choice within a time, or the fastest where there is none."""
    try:
        return pick(table, room, rest)
    except TooSlowError:
        return fastest(table)


def calibration_models(worth: Worth) -> list[Choice]:
    """The stock model first, then one for each block wherever it fits, then mixtures, the same at every call."""
    draw = random.Random(0)
    stock = {i: next(iter(row)) for i, row in worth.items()}
    names = [name for name in dict.fromkeys(name for row in worth.values() for name in row) if name != STOCK]
    alike = [{i: name if name in row else stock[i] for i, row in worth.items()} for name in names]
    mixed = []
    for number in range(MIXED):
        # Every second one of two blocks and stock alone: near to what is deployed, where one block is at many rows.
        few = draw.sample(names, min(2, len(names))) if number % 2 else names
        mixed.append({i: draw.choice([o for o in row if o in few or o == stock[i]]) for i, row in worth.items()})
    return [stock, *alike, *mixed]


def _table(worth: Worth, prediction: Prediction) -> dict[int, list[Option]]:
    return {
        i: [Option(name, prediction.options[i, name], value) for name, value in row.items()] for i, row in worth.items()
    }


def _worth(worth: Worth, choice: Choice) -> float:
    return sum(worth[i][name] for i, name in choice.items())
