"""One candidate in one format: exported, held against torch, validated; each step kept as soon as it is done."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .agreement import TOLERANCES, disagreement, raw_differences, same_boxes
from .formats import versions
from .models import Model, Setup
from .process import NotInstalledError, Worker, WorkerError
from .store import fingerprint


@dataclass
class Cell:
    """A model in a format: its file and what was found, or why there is nothing."""

    model: Model
    form: str
    setup: Setup
    path: Path | None = None
    found: dict[str, Any] = field(default_factory=dict)
    failure: str = ""
    missing: bool = False

    @property
    def name(self) -> str:
        return self.model.name

    @property
    def stem(self) -> str:
        return f"{self.model.candidate.stem}-{self.form}"

    @property
    def key(self) -> str:
        return fingerprint(self.model.key, self.form, versions(self.form))

    def say(self, text: str, done: bool = False, quiet: bool = False) -> None:
        """Put its state on the table on the terminal."""
        self.setup.board.set(self.name, self.form, text, done, quiet)

    def fail(self, error: WorkerError) -> None:
        """There will be nothing more from it."""
        self.failure, self.missing = str(error), isinstance(error, NotInstalledError)
        self.say(f"failed: {error}")

    def ask(self, worker: Worker, request: str, **arguments: Any) -> dict[str, Any]:
        return worker.ask(request, self.setup.settings.timeout, **arguments)


def export(cell: Cell) -> None:
    """Make the cell's file, unless it is there; a `WorkerError` where the export fails."""
    model, setup = cell.model, cell.setup
    if cell.form == "torch":
        cell.path = model.weights
        return
    folder = model.folder / f"{cell.form}-{cell.key}"
    key = f"export/{cell.key}"
    record = setup.store.get(key)
    if record is None or not (folder / record["path"]).exists():
        cell.say("exporting")
        part = folder.with_name(f"{folder.name}.part")
        for stale in (part, folder):
            shutil.rmtree(stale, ignore_errors=True)
        part.mkdir()
        weights = shutil.copy(model.weights, part)
        with setup.worker(f"{cell.stem}-export") as worker:
            form, imgsz = "onnx" if cell.form == "dnn" else cell.form, setup.settings.imgsz
            record = cell.ask(worker, "export", weights=str(weights), form=form, imgsz=imgsz)
        if not (part / record["path"]).exists():
            raise WorkerError(f"the export left no {record['path']}")
        part.rename(folder)
        setup.store.put(key, record)
    cell.path = folder / record["path"]


def opened(cell: Cell) -> Worker:
    """A process that loads the cell's file when it is first asked."""
    settings = cell.setup.settings
    load = {
        "path": cell.path, "form": cell.form, "task": cell.model.facts["task"], "threads": cell.setup.threads,
        "imgsz": settings.imgsz, "conf": settings.conf, "images": cell.setup.images,
    }  # fmt: skip
    return cell.setup.worker(cell.stem, ("load", load))


def measure(cell: Cell, worker: Worker) -> None:
    """Hold the loaded cell's outputs and boxes against torch's, and validate it, unless that is known.

    A runtime that fails is a `WorkerError`; a validation that fails, a note.
    """
    setup, dataset = cell.setup, cell.setup.dataset
    key = f"measure/{fingerprint(cell.key, TOLERANCES, setup.threads)}"
    record = setup.store.get(key)
    if record is None:
        cell.say("comparing")
        record = _agreement(cell, worker)
        setup.store.put(key, record)
    cell.found |= record
    if dataset is None or not cell.model.accurate:
        return
    key = f"validate/{fingerprint(cell.key, dataset.source, dataset.state)}"
    accuracy = setup.store.get(key)
    if accuracy is None:
        cell.say("validating")
        try:
            accuracy = cell.ask(worker, "validate", data=dataset.source, project=str(setup.folder / "val"))
        except WorkerError as error:
            cell.found["accuracy_note"] = str(error)
            return
        setup.store.put(key, accuracy)
    cell.found |= accuracy


def _agreement(cell: Cell, worker: Worker) -> dict[str, Any]:
    model = cell.model
    answer = cell.ask(worker, "outputs", reference=model.reference)
    found: dict[str, Any] = {"memory": answer["memory"], "differences": {}, "same_boxes": None}
    ours = answer["outputs"]
    with np.load(model.reference) as arrays:
        theirs = {name: arrays[name] for name in sorted(arrays) if name.startswith("output")}
    if not theirs.keys() <= ours.keys():
        return {**found, "wrong": f"gives {len(ours)} outputs instead of torch's {len(theirs)}"}
    same = [ours[name] for name in theirs]
    try:
        found["differences"] = raw_differences(same, list(theirs.values()), model.facts["task"], model.facts["nc"])
    except ValueError as error:
        return {**found, "wrong": str(error)}
    if model.accurate:
        boxes = cell.ask(worker, "boxes")["boxes"]
        found["same_boxes"] = same_boxes(boxes, model.facts["boxes"], cell.setup.settings.conf)
    return {**found, "wrong": disagreement(found["differences"], found["same_boxes"])}
