"""One candidate in one format: exported, held against torch, validated; each step kept as soon as it is done."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .agreement import TOLERANCES, judge, raw_differences, same_boxes
from .candidates import Candidate, folder_name
from .dataset import Dataset
from .formats import Format, versions
from .process import Worker, WorkerError
from .store import Store, fingerprint

Say = Callable[[str], None]


@dataclass(frozen=True)
class Setup:
    """What all cells of a comparison share."""

    folder: Path
    store: Store
    environment: dict[str, str]
    dataset: Dataset | None
    images: list[str]
    imgsz: int
    threads: int
    conf: float
    timeout: float

    def worker(self, name: str, opening: tuple[str, dict[str, Any]] | None = None) -> Worker:
        """A new process whose output goes to a log of this name."""
        return Worker(self.folder / "logs" / f"{name}.log", self.environment, opening)


@dataclass
class Model:
    """A candidate that was loaded: what it is, and the folder of its weights, torch's outputs and its exports."""

    candidate: Candidate
    facts: dict[str, Any]
    folder: Path
    key: str
    trainings: list[dict[str, Any]] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.candidate.name

    @property
    def stem(self) -> str:
        return folder_name(self.name)

    @property
    def weights(self) -> Path:
        return self.folder / f"{self.stem}.pt"

    @property
    def reference(self) -> Path:
        return self.folder / "torch.npz"

    @property
    def accurate(self) -> bool:
        """Whether it has weights whose accuracy means something."""
        return self.candidate.trained


@dataclass
class Cell:
    """A model in a format: its file and what was found, or why there is nothing."""

    model: Model
    form: Format
    path: Path | None = None
    found: dict[str, Any] = field(default_factory=dict)
    failure: str = ""
    missing: bool = False

    @property
    def key(self) -> str:
        return fingerprint(self.model.key, self.form.name, versions(self.form.name))


def export(cell: Cell, setup: Setup, say: Say) -> None:
    """Make the cell's file, unless it is there.

    Raises:
        WorkerError: the export failed.
        OSError: the file cannot be kept.
    """
    if cell.form.name == "torch":
        cell.path = cell.model.weights
        return
    folder = cell.model.folder / f"{cell.form.name}-{cell.key}"
    key = f"export/{cell.key}"
    record = setup.store.get(key)
    if record is None or not (folder / record["path"]).exists():
        say("exporting")
        part = folder.with_name(f"{folder.name}.part")
        for stale in (part, folder):
            shutil.rmtree(stale, ignore_errors=True)
        part.mkdir()
        weights = shutil.copy(cell.model.weights, part)
        with setup.worker(f"{cell.model.stem}-{cell.form.name}-export") as worker:
            record = worker.ask("export", setup.timeout, weights=weights, form=cell.form.export, imgsz=setup.imgsz)
        if not (part / record["path"]).exists():
            raise WorkerError(f"the export left no {record['path']}")
        part.rename(folder)
        setup.store.put(key, record)
    cell.path = folder / record["path"]


def measure(cell: Cell, setup: Setup, worker: Worker, say: Say) -> None:
    """Hold the loaded cell's outputs and boxes against torch's, and validate it, unless that is known.

    Raises:
        WorkerError: the runtime failed.
        OSError: a result cannot be kept.
    """
    key = f"measure/{fingerprint(cell.key, TOLERANCES, setup.threads)}"
    record = setup.store.get(key)
    if record is None:
        say("comparing")
        record = _agreement(cell, setup, worker)
        setup.store.put(key, record)
    cell.found |= record
    if setup.dataset is None or not cell.model.accurate:
        return
    key = f"validate/{fingerprint(cell.key, setup.dataset.source, setup.dataset.state)}"
    accuracy = setup.store.get(key)
    if accuracy is None:
        say("validating")
        try:
            accuracy = worker.ask(
                "validate", setup.timeout, data=setup.dataset.source, project=str(setup.folder / "val")
            )
        except WorkerError as error:
            cell.found["accuracy_note"] = str(error)
            return
        setup.store.put(key, accuracy)
    cell.found |= accuracy


def _agreement(cell: Cell, setup: Setup, worker: Worker) -> dict[str, Any]:
    model = cell.model
    save = model.folder / f"{cell.form.name}-outputs.npz"
    answer = worker.ask("outputs", setup.timeout, reference=model.reference, save=save)
    with np.load(model.reference) as theirs, np.load(save) as ours:
        names = sorted(name for name in theirs if name.startswith("output"))
        pairs = [(ours[name], theirs[name]) for name in names if name in ours]
        if len(pairs) < len(names):
            reason = f"gives {len(ours.files)} outputs instead of torch's {len(names)}"
            return {**answer, "differences": {}, "same_boxes": None, "wrong": reason}
        try:
            found = raw_differences(
                [a for a, _ in pairs], [b for _, b in pairs], model.facts["task"], model.facts["nc"]
            )
        except ValueError as error:
            return {**answer, "differences": {}, "same_boxes": None, "wrong": str(error)}
    save.unlink()
    shared = None
    if model.accurate:
        boxes = worker.ask("boxes", setup.timeout, images=setup.images)["boxes"]
        shared = same_boxes(_arrays(boxes), _arrays(model.facts["boxes"]), setup.conf)
    verdict = judge(found, shared)
    return {**answer, "differences": found, "same_boxes": shared, "wrong": verdict.reason}


def _arrays(boxes: list[Any]) -> list[Any]:
    return [np.asarray(image, float) if np.ndim(image) == 1 and image else _table(image) for image in boxes]


def _table(rows: list[Any]) -> Any:
    return np.asarray(rows, float).reshape(-1, 6)
