"""The comparison from end to end: check, load, train, export, measure, time in turns, report."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..training.environment import environment
from . import formats
from .candidates import gather
from .cells import Cell, export, measure, opened
from .choosing import Budget, Row
from .dataset import read, samples, spread_out
from .machine import command, describe
from .models import Model, Setup, load_all
from .process import WorkerError
from .progress import Board
from .report import write
from .rows import row
from .settings import Settings
from .store import Store
from .timing import Times, take_turns
from .training import trained

PHOTOS = 4
"""Images that outputs and boxes are compared on, and that are timed one after another."""


def compare(models: Sequence[str], settings: Settings | None = None, **changes: Any) -> list[Row]:
    """Export models, measure them side by side, and write a report.

    Args:
        models: Model YAMLs and `.pt` files; `NAME=PATH` names one.
        settings: How to go about it.
        changes: Single settings by name, such as `data`, `formats`, `imgsz` and `output`, in place of those; `Settings`
            tells them all.

    Returns:
        A row for each model and format, the same as in results.json.

    Raises:
        TypeError: a setting that does not exist.
        ValueError: anything in the arguments that cannot be compared, before any long work.
        OSError: a file is missing or cannot be written.
    """
    started = time.time()
    settings = replace(settings or Settings(), **changes)
    candidates = gather(models)
    chosen = formats.choose(settings.formats)
    setup = _begin(settings, [candidate.name for candidate in candidates], chosen)
    loaded = load_all(candidates, setup)
    if settings.train is not None:
        loaded = trained(loaded, setup)
    setup.board.note("")
    facts = _facts(setup, chosen)
    rows = [measured for form in chosen for measured in _column(form, loaded, setup)]
    facts["took"] = f"{time.time() - started:.0f} s (steps kept from an earlier run are not repeated)"
    write(rows, loaded, settings.budget or Budget(), facts, Path(settings.output))
    return rows


def _begin(settings: Settings, models: Sequence[str], forms: Sequence[str]) -> Setup:
    """Read the data and open the folder."""
    dataset = read(settings.data) if settings.data else None
    folder = _open(Path(settings.output))
    threads = settings.threads or max(1, (os.cpu_count() or 2) - 1)
    return Setup(
        settings=settings,
        dataset=dataset,
        images=[str(path.resolve()) for path in spread_out(dataset.images if dataset else samples(), PHOTOS)],
        folder=folder,
        store=Store(folder / "measured.jsonl", fresh=settings.force),
        threads=threads,
        environment=environment(threads, folder / "settings"),
        board=Board(models, forms),
    )


def _open(output: Path) -> Path:
    """The folder for what is measured, inside the report's."""
    folder = output.resolve() / "measured"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".probe"
        probe.write_bytes(b"x")
        probe.unlink()
    except OSError as error:
        raise OSError(f"cannot write into {output} ({error.strerror}); choose another folder with -o") from error
    return folder


def _facts(setup: Setup, chosen: Sequence[str]) -> dict[str, str]:
    """How it was measured, as labelled lines."""
    settings, images = setup.settings, len(setup.images)
    facts = describe(chosen, setup.threads)
    facts["rounds"] = f"{settings.rounds}, one image each, {images} images in turn, {settings.imgsz}×{settings.imgsz}"
    facts["data"] = f"{settings.data}, {len(setup.dataset.images)} validation images" if setup.dataset else "none given"
    if settings.train is not None:
        arguments = " ".join(f"{key}={value}" for key, value in settings.train.items())
        facts["training"] = f"{arguments}, seeds {', '.join(map(str, settings.seeds))}"
    facts["command"] = command()
    return facts


def _column(form: str, models: Sequence[Model], setup: Setup) -> list[Row]:
    """A row for each model in one format."""
    cells = [Cell(model, form, setup) for model in models]
    lacking = formats.missing(form)
    for cell in cells if lacking else []:
        cell.failure, cell.missing = str(lacking), True
    times = {} if lacking else _measured(cells, setup)
    rows = [row(cell, cells[0], times) for cell in cells]
    for cell, result in zip(cells, rows, strict=True):
        cell.say(_said(result), done=True, quiet=result["state"] == "failed")  # a failure is said when it happens
    return rows


def _measured(cells: Sequence[Cell], setup: Setup) -> Times:
    """Export and measure one format's cells, then time those that run, in turns."""
    with contextlib.ExitStack() as stack:
        running = []
        for cell in cells:
            try:
                export(cell)
                worker = stack.enter_context(opened(cell))
                measure(cell, worker)
                running.append((cell, worker))
                cell.say("waiting for its turns")
            except WorkerError as error:
                cell.fail(error)
        return take_turns(running, setup)


def _said(result: Row) -> str:
    if result["state"] in ("ok", "wrong"):
        return f"{result['state']}, {result['ms']:.1f} ms" if result.get("ms") else result["state"]
    return f"{result['state']}: {result['reason']}"
