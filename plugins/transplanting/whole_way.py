"""The whole way in one call: a light model transplanted without labels, then trained on with its teacher beside it."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ..files import write_bytes, write_text
from ..models.building import load, writable
from ..training.data_yaml import class_names, description, split_images
from ..training.distilling import no_distillation
from ..training.environment import peak_memory
from ..training.resuming import trained
from ..training.runs import validate
from .checkpoint import Light, transplant_checkpoint
from .schedule import Progress, Schedule, TransplantReport

TUNING: dict[str, Any] = {
    "optimizer": "AdamW", "lr0": 0.002, "lrf": 0.05, "warmup_epochs": 1, "close_mosaic": 3, "amp": False,
}  # fmt: skip
"""How what was transplanted is trained on: from trained weights, in few epochs."""


@dataclass
class Outcome:
    """What came of it.

    Attributes:
        report: Of the transplant.
        parameters: Of the teacher and of the light model.
        scores: `map` and `map50` on the validation images: of the teacher, if it has these classes, and of the light
            model transplanted and trained.
        kept: Which of the latter two the output is.
        notes: What else there is to know, a sentence each.
        memory: The most that this process took, in megabytes.
    """

    report: TransplantReport
    parameters: tuple[int, int]
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    kept: str = ""
    notes: list[str] = field(default_factory=list)
    memory: float = 0.0


@dataclass
class WholeWay:
    """Transplant, train with labels, and keep what is best on the validation images.

    All of it lies in a hidden folder beside the output until the end, and the same call takes it up from there.

    Args:
        checkpoint: The trained `.pt`; it is only read.
        data: Data YAML; its training images are those without labels too, unless `images` names others.
        output: The `.pt` to write.
        light: What it is to become; its classes are the data's.
        epochs: With labels; the teacher is Ultralytics' `distill_model` in them, where that can be.
        images: A folder of images without labels.
        imgsz: Longer side of the images; by default what the checkpoint was trained at.
        schedule: Steps and learning rates of the transplant.
        arguments: Further ones of Ultralytics' `train`.
        device: As torch names it.
        options: Further ones of `transplant_checkpoint`, `batch` and `vertical_flips`.
        progress: Told of the transplant's steps.
        note: Told of each stage.
    """

    checkpoint: Path
    data: Path
    output: Path
    light: Light
    epochs: int
    images: Path | None = None
    imgsz: int | None = None
    schedule: Schedule = field(default_factory=Schedule)
    arguments: Mapping[str, Any] = field(default_factory=dict)
    device: str = "cpu"
    options: Mapping[str, Any] = field(default_factory=dict)
    progress: Progress | None = None
    note: Callable[[str], object] = print

    def run(self) -> Outcome:
        """Do what is not done yet.

        Raises:
            ValueError, OSError: as `transplant_checkpoint`; data that do not fit; a stopped run of other settings.
        """
        writable(self.output)
        content, (self._teacher, train_args) = description(self.data), load(self.checkpoint)
        self.light = replace(self.light, names=class_names(content))
        self.imgsz = self.imgsz or int(train_args.get("imgsz") or 640)
        self._files = self.images or split_images(content, self.data, "train")
        self._folder = _folder(self.output, json.loads(json.dumps(self._settings(), default=str)))
        self._stages, first = _Stages(self._folder / "stages.json"), self._folder / "light.pt"
        done = self._stages.once("transplant", lambda: self._transplanted(first))
        outcome = Outcome(TransplantReport(**done["report"]), tuple(done["parameters"]))
        measured = (
            {"transplanted": first} if outcome.report.classes else {"teacher": self.checkpoint, "transplanted": first}
        )
        if outcome.report.classes:
            outcome.notes.append("the teacher has other classes, so it is not measured")
        outcome.scores = {name: self._scored(name, file) for name, file in measured.items()}
        best = self._trained(first, outcome)
        outcome.scores["trained"] = self._scored("trained", best)
        outcome.kept = max(("trained", "transplanted"), key=lambda name: outcome.scores[name]["map"])
        if outcome.kept == "transplanted":
            outcome.notes.append("no epoch was better than the transplant itself, which is kept")
        write_bytes(self.output, (best if outcome.kept == "trained" else first).read_bytes())
        shutil.rmtree(self._folder)
        outcome.memory = peak_memory()
        return outcome

    def _tuning(self) -> dict[str, Any]:
        own = {"epochs": self.epochs, "imgsz": self.imgsz, "seed": self.schedule.seed, "device": self.device}
        return {**TUNING, **own, **self.arguments}

    def _settings(self) -> dict[str, Any]:
        """What a stopped run must have been told to be taken up."""
        return {
            "teacher": hashlib.sha256(self.checkpoint.read_bytes()).hexdigest(),
            "to learn": [repr(self.light), str(self._files), asdict(self.schedule), dict(self.options)],
            "to train": [str(self.data.resolve()), self._tuning()],
        }

    def _transplanted(self, first: Path) -> dict[str, Any]:
        self.note(f"learning from {self.checkpoint}, without labels")
        place: dict[str, Any] = {"imgsz": self.imgsz, "device": self.device, "progress": self.progress}
        report, counts = transplant_checkpoint(
            self.checkpoint, self._files, first, self.light, schedule=self.schedule, **place, **self.options
        )
        return {"report": asdict(report), "parameters": counts}

    def _scored(self, name: str, model: Path) -> dict[str, float]:
        seen: dict[str, Any] = {"imgsz": self.imgsz, "device": self.device, "workers": 0, "verbose": False}
        found: dict[str, float] = self._stages.once(
            name, lambda: validate(model, self.data, project=str(self._folder / "val"), **seen)
        )
        return found

    def _trained(self, first: Path, outcome: Outcome) -> Path:
        tuning = self._tuning()
        if reason := no_distillation(load(first)[0], self._teacher):
            outcome.notes.append(f"trained without the teacher: {reason}")
        else:
            tuning["distill_model"] = str(self.checkpoint.resolve())
        self.note(f"training with labels, epochs: {self.epochs}")
        return trained(self._folder, str(first), self.data, **tuning)


def _folder(output: Path, settings: Any) -> Path:
    """Where a run to this output lies, taken up if it was stopped.

    Raises:
        ValueError: one of other settings lies there.
    """
    folder = output.absolute().with_name(f".{output.name}.stages")
    file = folder / "settings.json"
    if file.is_file() and json.loads(file.read_text(encoding="utf-8")) != settings:
        raise ValueError(f"{folder} is of a stopped run with other settings; remove it to begin anew")
    folder.mkdir(exist_ok=True)
    write_text(file, json.dumps(settings, indent=2) + "\n")
    return folder


class _Stages:
    """What each finished stage came to, in a file."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        """What the stage came to, now or when it was made."""
        if name not in self.found:
            self.found[name] = make()
            write_text(self.file, json.dumps(self.found, indent=2) + "\n")
        return self.found[name]
