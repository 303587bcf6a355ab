"""Timing in turns: A B C A B C …, each process waiting while another runs."""

from __future__ import annotations

from .cells import Cell, Setup
from .process import Worker, WorkerError
from .progress import Board
from .store import fingerprint

WARM_UP = 3

Times = dict[str, list[dict[str, float] | None]]
"""By model, an entry a round: milliseconds of the network alone and end to end, None where there was no answer."""


def take_turns(column: list[Cell], workers: dict[str, Worker], setup: Setup, board: Board, rounds: int) -> Times:
    """Time every running cell of one format once a round; rounds that are kept from before are not repeated.

    Args:
        column: The format's cells, in the order of their turns.
        workers: Those that run, by model; one that fails is taken out and its cell says so.
        setup: What the comparison shares.
        board: Told of every round.
        rounds: How many.

    Raises:
        OSError: a round cannot be kept.
    """
    running = [cell for cell in column if cell.model.name in workers]
    group = fingerprint([cell.key for cell in running], setup.threads, setup.imgsz, setup.images)
    kept: list[dict[str, dict[str, float]]] = []
    for number in range(rounds):
        record = setup.store.get(f"round/{group}/{number}")
        if record is None:
            break
        kept.append(record)
    if len(kept) < rounds:
        for _ in range(WARM_UP):
            _round(running, workers, setup, board, 0, f"warming up, {len(kept)}/{rounds}")
    for number in range(len(kept), rounds):
        times = _round(running, workers, setup, board, number, f"timing {number + 1}/{rounds}")
        setup.store.put(f"round/{group}/{number}", times)
        kept.append(times)
    return {cell.model.name: [record.get(cell.model.name) for record in kept] for cell in running if not cell.failure}


def _round(
    running: list[Cell], workers: dict[str, Worker], setup: Setup, board: Board, number: int, text: str
) -> dict[str, dict[str, float]]:
    times = {}
    for cell in running:
        name = cell.model.name
        if cell.failure:
            continue
        board.set(name, cell.form.name, text, quiet=number > 0)
        try:
            times[name] = workers[name].ask("time", setup.timeout, number=number, images=setup.images)
        except WorkerError as error:
            cell.failure = str(error)
            board.set(name, cell.form.name, f"failed: {error}")
    return times
