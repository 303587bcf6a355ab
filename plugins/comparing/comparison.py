"""The comparison from end to end: check, load, train, export, measure, time in turns, report."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from .. import quantizing
from ..training.environment import environment
from . import formats
from .candidates import gather
from .cells import Cell, export, opened
from .choosing import Budget, Row
from .dataset import read, samples, spread_out
from .machine import command, describe
from .measuring import measure
from .models import Model, Setup, load_all
from .process import Worker, WorkerError
from .progress import Board
from .report import write
from .rows import row
from .settings import Settings
from .store import Store
from .timing import Times, take_turns
from .training import trained
from .variants import OURS, RUNTIMES, Variant, variants

PHOTOS = 4
"""Images that outputs and boxes are compared on, and that are timed one after another."""
PLAIN = {"bits": 32, "name": "32 bits"}
ASKING = 120
"""Seconds that a runtime may take to say what it computes with."""
CHECKED = 32
"""Images that the boxes of fewer bits are looked for on."""


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
    rows = [found for form in chosen for found in _rows(setup.variants[form], loaded, setup)]
    facts["took"] = f"{time.time() - started:.0f} s (steps kept from an earlier run are not repeated)"
    write(rows, loaded, settings.budget or Budget(), facts, Path(settings.output))
    return rows


def _begin(settings: Settings, models: Sequence[str], forms: Sequence[str]) -> Setup:
    """Read the data and open the folder."""
    dataset = read(settings.data) if settings.data else None
    folder = _open(Path(settings.output))
    threads = settings.threads or max(1, (os.cpu_count() or 2) - 1)
    around = environment(threads, folder / "settings")
    defaults = {
        form: _default(form, folder, around) for form in forms if form == "openvino" and not formats.absent(form)
    }
    compared = {form: variants(form, settings.quantize, defaults.get(form, PLAIN)["bits"]) for form in forms}
    photographs = dataset.images if dataset else samples()
    return Setup(
        settings=settings,
        dataset=dataset,
        images=[str(path.resolve()) for path in spread_out(photographs, PHOTOS)],
        checked=[str(path.resolve()) for path in spread_out(photographs, CHECKED)],
        folder=folder,
        store=Store(folder / "measured.jsonl", fresh=settings.force),
        threads=threads,
        environment=around,
        board=Board(models, [variant.key for form in forms for variant in compared[form]]),
        variants=compared,
        defaults={form: default["name"] for form, default in defaults.items()},
    )


def _default(form: str, folder: Path, around: dict[str, str]) -> dict[str, Any]:
    """What a runtime computes a 32-bit file with by itself on this processor."""
    with Worker(folder / "logs" / f"{form}-default.log", around) as worker:
        return worker.ask("default_bits", ASKING, form=form)


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
    for form, name in setup.defaults.items():
        facts[f"{RUNTIMES[form]}'s default"] = name
    facts["command"] = command()
    return facts


def _rows(compared: Sequence[Variant], models: Sequence[Model], setup: Setup) -> list[Row]:
    """A row for each model in each precision of one format."""
    cells = [Cell(model, variant, setup) for model in models for variant in compared]
    for cell in cells:
        if lacking := cell.variant.lacking:
            cell.lack(lacking, "none")
        elif lacking := _missing(cell.variant):
            cell.lack(lacking, "missing")
    there = [cell for cell in cells if not cell.failure]
    times = _measured(there, setup) if there else {}
    plain = {cell.name: cell for cell in cells if cell.variant.plain}
    rows = [row(cell, cells[0], plain[cell.name], times) for cell in cells]
    for cell, result in zip(cells, rows, strict=True):
        cell.say(_said(result), done=True, quiet=result["state"] == "failed")  # a failure is said when it happens
    return rows


def _missing(variant: Variant) -> str:
    """The packages that a format, or its 8 bits, lacks here."""
    absent = formats.absent(variant.form)
    if variant.bits == 8 and variant.form in formats.NEEDS:
        exported = "onnx" if variant.form == "dnn" else variant.form
        absent += [name for name in quantizing.missing(exported, ours=variant.recipe == OURS) if name not in absent]
    return formats.not_installed(absent) if absent else ""


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
