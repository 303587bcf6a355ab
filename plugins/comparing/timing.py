"""Timing in turns: A B C A B C …, each process waiting while another runs."""

from __future__ import annotations

from collections.abc import Sequence

from .cells import Cell
from .models import Setup
from .process import Worker, WorkerError
from .store import fingerprint

WARM_UP = 3

Times = dict[str, list[dict[str, float] | None]]
"""By a cell's `stem`, an entry a round: milliseconds of the network alone and end to end; None: there was no answer."""


def take_turns(running: Sequence[tuple[Cell, Worker]], setup: Setup) -> Times:
    """Time every running cell of one format once a round, in order; rounds that are kept from before are not repeated.

    A cell whose process fails is left out from then on.
    """
    rounds = setup.settings.rounds
    cells = [cell for cell, _ in running]
    group = fingerprint([cell.key for cell in cells], setup.threads, setup.settings.imgsz, setup.images)
    kept: list[dict[str, dict[str, float]]] = []
    while len(kept) < rounds and (record := setup.store.get(f"round/{group}/{len(kept)}")) is not None:
        kept.append(record)
    if len(kept) < rounds:
        for _ in range(WARM_UP):
            _round(running, 0, f"warming up, {len(kept)}/{rounds}")
    for number in range(len(kept), rounds):
        times = _round(running, number, f"timing {number + 1}/{rounds}")
        setup.store.put(f"round/{group}/{number}", times)
        kept.append(times)
    return {cell.stem: [record.get(cell.stem) for record in kept] for cell in cells if not cell.failure}


def _round(running: Sequence[tuple[Cell, Worker]], number: int, text: str) -> dict[str, dict[str, float]]:
    times = {}
    for cell, worker in running:
        if cell.failure:
            continue
        cell.say(text, quiet=number > 0)
        try:
            times[cell.stem] = cell.ask(worker, "time", number=number)
        except WorkerError as error:
            cell.fail(error)
    return times
