"""One candidate in one format and precision: its file, and the process that runs it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .formats import versions
from .machine import adds_in_32_bits
from .models import Model, Setup
from .process import NotInstalledError, Worker, WorkerError
from .store import fingerprint
from .variants import DEFAULT, OURS, Variant


@dataclass
class Cell:
    """A model in a format and precision: its file and what was found, or why there is nothing.

    `state` is "ok" or "wrong" where something was found, else "missing" (a runtime), "none" (there is no such file) or
    "failed".
    """

    model: Model
    variant: Variant
    setup: Setup
    path: Path | None = None
    found: dict[str, Any] = field(default_factory=dict)
    failure: str = ""
    failed: str = "failed"

    @property
    def name(self) -> str:
        return self.model.name

    @property
    def form(self) -> str:
        return self.variant.form

    @property
    def stem(self) -> str:
        return f"{self.model.candidate.stem}-{self.variant.key}"

    @property
    def state(self) -> str:
        if self.failure:
            return self.failed
        return "wrong" if self.found.get("wrong") else "ok"

    @property
    def file_key(self) -> str:
        """Of its file, which the runtime's own default shares with 32 bits."""
        variant = self.variant
        if variant.recipe in ("", DEFAULT):
            return fingerprint(self.model.key, self.form, versions(self.form))
        data = self.setup.dataset
        calibration = [data.source, data.state, adds_in_32_bits()] if data and variant.bits == 8 else []
        return fingerprint(self.model.key, variant.key, versions(self.form), calibration)

    @property
    def key(self) -> str:
        return fingerprint(self.file_key, self.variant.key)

    def say(self, text: str, done: bool = False, quiet: bool = False) -> None:
        """Put its state on the table on the terminal."""
        self.setup.board.set(self.name, self.variant.key, text, done, quiet)

    def fail(self, error: WorkerError) -> None:
        """There will be nothing more from it."""
        self.lack(str(error), "missing" if isinstance(error, NotInstalledError) else "failed")
        self.say(f"failed: {error}")

    def lack(self, reason: str, state: str) -> None:
        self.failure, self.failed = reason, state

    def ask(self, worker: Worker, request: str, **arguments: Any) -> dict[str, Any]:
        return worker.ask(request, self.setup.settings.timeout, **arguments)


def export(cell: Cell) -> None:
    """Make the cell's file, unless it is there; a `WorkerError` where the export fails."""
    model, setup = cell.model, cell.setup
    if cell.form == "torch":
        cell.path = model.weights
        return
    folder = model.folder / f"{cell.form}-{cell.file_key}"
    key = f"export/{cell.file_key}"
    record = setup.store.get(key)
    if record is None or not (folder / record["path"]).exists():
        cell.say("exporting")
        part = folder.with_name(f"{folder.name}.part")
        for stale in (part, folder):
            shutil.rmtree(stale, ignore_errors=True)
        part.mkdir()
        weights = shutil.copy(model.weights, part)
        with setup.worker(f"{cell.stem}-export") as worker:
            request, order = _order(cell, str(weights))
            record = cell.ask(worker, request, **order)
        if not (part / record["path"]).exists():
            raise WorkerError(f"the export left no {record['path']}")
        part.rename(folder)
        setup.store.put(key, record)
    cell.path = folder / record["path"]
    cell.found["kept_float"] = record.get("kept_float")


def _order(cell: Cell, weights: str) -> tuple[str, dict[str, Any]]:
    """What a worker is asked for to make the cell's file."""
    data, variant = cell.setup.dataset, cell.variant
    form, imgsz = "onnx" if cell.form == "dnn" else cell.form, cell.setup.settings.imgsz
    order: dict[str, Any] = {"weights": weights, "form": form, "imgsz": imgsz}
    if variant.bits == 8:
        order["data"] = data.source if data else None
    if variant.recipe == OURS:
        if data and not cell.model.accurate:
            # Images alone: a model that was not trained need not know the data's classes.
            order["data"] = str(data.images[0].parent)
        return "quantize", {**order, "trained": cell.model.accurate, "vnni": adds_in_32_bits()}
    return "export", {**order, "bits": 32 if variant.recipe == DEFAULT else variant.bits}


def opened(cell: Cell) -> Worker:
    """A process that loads the cell's file when it is first asked."""
    settings = cell.setup.settings
    load = {
        "path": cell.path, "form": cell.form, "task": cell.model.facts["task"], "threads": cell.setup.threads,
        "imgsz": settings.imgsz, "conf": settings.conf, "images": cell.setup.images, "exact": cell.variant.plain,
    }  # fmt: skip
    return cell.setup.worker(cell.stem, ("load", load))
