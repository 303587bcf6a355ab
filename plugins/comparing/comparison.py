"""The comparison from end to end: check, load, train, export, measure, time in turns, report."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from . import cells as steps
from . import formats as known
from .candidates import Candidate, folder_name, gather
from .cells import Cell, Model, Setup
from .choosing import Budget, Row
from .dataset import read, samples, spread_out
from .machine import command, describe, load
from .process import Worker, WorkerError, environment
from .progress import Board
from .report import Report, write
from .rows import row
from .store import Store, content, fingerprint
from .timing import Times, take_turns
from .training import train_all

PHOTOS = 4
"""Images that outputs and boxes are compared on, and that are timed one after another."""


def compare(
    models: Sequence[str],
    *,
    data: str | None = None,
    formats: Sequence[str] = known.DEFAULT,
    imgsz: int = 640,
    output: str = "comparison",
    threads: int | None = None,
    rounds: int = 50,
    budget: Budget | None = None,
    train: dict[str, Any] | None = None,
    seeds: Sequence[int] = (0,),
    ray: bool = False,
    timeout: float = 1800,
    conf: float = 0.25,
    force: bool = False,
) -> list[Row]:
    """Export models, measure them side by side, and write a report.

    Args:
        models: Model YAMLs and `.pt` files; `NAME=PATH` names one.
        data: Data YAML of a labelled set, or a folder of classes for classification; without it, no accuracy.
        formats: Names as in Ultralytics' export table, and `torch` and `dnn` (OpenCV's DNN on the ONNX file).
        imgsz: Side of the square image, in pixels.
        output: Folder of the report. What was measured is kept in it, and a second run goes on from there.
        threads: Of every runtime; by default all cores but one, at least one.
        rounds: How many times each model is timed, in turns with the others.
        budget: Limits that the report's choice has to keep.
        train: Ultralytics' training arguments; trains every YAML first.
        seeds: Train with each of them; the first one's weights are exported.
        ray: Spread the training runs over a Ray cluster, a local one by default.
        timeout: Seconds that any step of one model in one format may take, training apart.
        conf: Confidence from which boxes are final.
        force: Forget what `output` holds and measure everything anew.

    Returns:
        A row for each model and format, the same as in results.json.

    Raises:
        ValueError: anything in the arguments that cannot be compared, before any long work.
        OSError: a file is missing or cannot be written.
    """
    started = time.time()
    candidates = gather(models)
    chosen = known.choose(formats)
    _check_numbers(imgsz, rounds, threads, timeout, conf)
    dataset = read(data, "classify" if Path(data).is_dir() else "detect") if data else None
    if train is not None:
        _check_training(dataset is not None, seeds)
    threads = threads or max(1, (os.cpu_count() or 2) - 1)
    folder = _open(Path(output))
    pictures = spread_out(dataset.images if dataset else samples(), PHOTOS)
    setup = Setup(
        folder=folder,
        store=Store(folder / "measured.jsonl", fresh=force),
        environment=environment(threads, folder / "settings"),
        dataset=dataset,
        images=[str(path.resolve()) for path in pictures],
        imgsz=imgsz,
        threads=threads,
        conf=conf,
        timeout=timeout,
    )
    board = Board([c.name for c in candidates], [f.name for f in chosen])
    loaded = _load(candidates, setup, board)
    if train is not None:
        loaded = _trained(loaded, setup, board, train, seeds, ray)
    board.note("")
    facts = _facts(setup, chosen, rounds, data, train, seeds)
    rows: list[Row] = []
    for form in chosen:
        column = [Cell(model, form) for model in loaded]
        times = _measure(column, setup, board, rounds)
        rows += [row(cell, column[0], times, dataset is not None) for cell in column]
        for cell, result in zip(column, rows[-len(column) :], strict=True):
            said_before = result["state"] == "failed"
            board.set(cell.model.name, form.name, _said(result), done=True, quiet=said_before)
    facts["took"] = f"{time.time() - started:.0f} s (steps kept from an earlier run are not repeated)"
    write(Report(rows, loaded, budget or Budget(), facts, setup.images, imgsz), Path(output))
    return rows


def _facts(
    setup: Setup,
    chosen: Sequence[known.Format],
    rounds: int,
    data: str | None,
    train: dict[str, Any] | None,
    seeds: Sequence[int],
) -> dict[str, str]:
    """How it was measured, as labelled lines."""
    facts = describe([form.name for form in chosen], setup.threads)
    busy = load()
    facts["load before"] = "not known" if busy is None else f"{busy:.2f} processes wanted a core"
    facts["rounds"] = f"{rounds}, one image each, {len(setup.images)} images in turn, {setup.imgsz}×{setup.imgsz}"
    facts["data"] = f"{data}, {len(setup.dataset.images)} validation images" if setup.dataset else "none given"
    if train is not None:
        arguments = " ".join(f"{key}={value}" for key, value in train.items())
        facts["training"] = f"{arguments}, seeds {', '.join(map(str, seeds))}"
    facts["command"] = command()
    return facts


def _check_numbers(imgsz: int, rounds: int, threads: int | None, timeout: float, conf: float) -> None:
    if imgsz < 32 or imgsz % 32:
        near = max(32, round(imgsz / 32) * 32)
        raise ValueError(f"imgsz={imgsz} is no multiple of the stride 32; the nearest is {near}")
    if rounds < 1:
        raise ValueError(f"rounds={rounds} must be at least 1")
    if threads is not None and threads < 1:
        raise ValueError(f"threads={threads} must be at least 1")
    if not timeout > 0:
        raise ValueError(f"timeout={timeout} must be above 0 seconds")
    if not 0 < conf < 1:
        raise ValueError(f"conf={conf} must be between 0 and 1")


def _check_training(labelled: bool, seeds: Sequence[int]) -> None:
    if not labelled:
        raise ValueError("training needs --data")
    if len(set(seeds)) != len(seeds):
        raise ValueError(f"seeds {', '.join(map(str, seeds))}: one is given twice")


def _open(output: Path) -> Path:
    """The folder for what is measured, inside the report's.

    Raises:
        OSError: it cannot be written.
    """
    folder = output.resolve() / "measured"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".probe"
        probe.write_bytes(b"x")
        probe.unlink()
    except OSError as error:
        raise OSError(f"cannot write into {output} ({error.strerror}); choose another folder with -o") from error
    return folder


def _load(candidates: Sequence[Candidate], setup: Setup, board: Board) -> list[Model]:
    board.note("loading the models")
    models = [_loaded(candidate, setup) for candidate in candidates]
    for model in models:
        stride, name = model.facts["stride"], model.candidate.source
        if setup.imgsz % stride:
            near = round(setup.imgsz / stride) * stride
            raise ValueError(f"imgsz={setup.imgsz} is no multiple of {name}'s stride {stride}; the nearest is {near}")
        classes = model.facts["nc"]
        if setup.dataset and model.accurate and classes != setup.dataset.classes:
            raise ValueError(
                f"{name} knows {classes} classes, but {setup.dataset.source} has {setup.dataset.classes}; "
                "compare it on the data that it was trained for"
            )
    return models


def _loaded(candidate: Candidate, setup: Setup) -> Model:
    key = fingerprint(
        candidate.name, content(candidate.file), candidate.source, setup.imgsz, setup.conf, setup.images,
        known.versions("torch"),
    )  # fmt: skip
    model = Model(candidate, {}, setup.folder / f"{folder_name(candidate.name)}-{key}", key)
    record = setup.store.get(f"model/{key}")
    if record is None or not (model.weights.exists() and model.reference.exists()):
        model.folder.mkdir(exist_ok=True)
        try:
            with setup.worker(f"{model.stem}-model") as worker:
                record = worker.ask(
                    "prepare", setup.timeout, source=_source(candidate), weights=model.weights,
                    reference=model.reference, imgsz=setup.imgsz, images=setup.images, conf=setup.conf,
                )  # fmt: skip
        except WorkerError as error:
            said = str(error)
            where = "" if said.startswith(candidate.source) else f"{candidate.source}: "
            raise ValueError(where + said) from error
        if "gflops" in record:  # the image size fits its stride
            setup.store.put(f"model/{key}", record)
    return replace(model, facts=record)


def _source(candidate: Candidate) -> str:
    return str(candidate.file.resolve()) if candidate.trained else candidate.source


def _trained(
    models: list[Model], setup: Setup, board: Board, arguments: dict[str, Any], seeds: Sequence[int], ray: bool
) -> list[Model]:
    """The models, with trained weights where there were none."""
    wanted = [model for model in models if not model.accurate]
    runs = train_all(wanted, setup, board, arguments, seeds, ray)
    trained = []
    for model in models:
        if model.accurate:
            trained.append(model)
            continue
        candidate = replace(model.candidate, file=Path(runs[model.name][0]["weights"]))
        trained.append(replace(_loaded(candidate, setup), trainings=runs[model.name]))
    return trained


def _measure(column: list[Cell], setup: Setup, board: Board, rounds: int) -> Times:
    """Export and measure one format's cells, then time those that run, in turns."""
    form = column[0].form
    if lacking := known.missing(form.name):
        for cell in column:
            cell.failure, cell.missing = lacking, True
        return {}
    with contextlib.ExitStack() as stack:
        workers: dict[str, Worker] = {}
        for cell in column:
            name = cell.model.name
            try:
                say = partial(board.set, name, form.name)
                steps.export(cell, setup, say)
                worker = stack.enter_context(_opened(cell, setup))
                steps.measure(cell, setup, worker, say)
                workers[name] = worker
                board.set(name, form.name, "waiting for its turns")
            except WorkerError as error:
                cell.failure = str(error)
                cell.missing = known.NOT_INSTALLED in cell.failure
                board.set(name, form.name, f"failed: {error}")
        return take_turns(column, workers, setup, board, rounds)


def _opened(cell: Cell, setup: Setup) -> Worker:
    """A process that loads the cell's file when it is first asked."""
    load = {
        "path": cell.path, "form": cell.form.name, "task": cell.model.facts["task"],
        "threads": setup.threads, "imgsz": setup.imgsz, "conf": setup.conf, "images": setup.images,
    }  # fmt: skip
    return setup.worker(f"{cell.model.stem}-{cell.form.name}", ("load", load))


def _said(result: Row) -> str:
    if result["state"] == "ok" or result["state"] == "wrong":
        return f"{result['state']}, {result['ms']:.1f} ms" if result.get("ms") else result["state"]
    return f"{result['state']}: {result['reason']}"
