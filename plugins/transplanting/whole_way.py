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


def transplant_and_train(
    checkpoint: Path,
    data: Path,
    output: Path,
    light: Light,
    epochs: int,
    *,
    images: Path | None = None,
    imgsz: int | None = None,
    schedule: Schedule | None = None,
    arguments: Mapping[str, Any] | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
    note: Callable[[str], object] = print,
    **options: Any,
) -> Outcome:
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
        progress: Told of the transplant's steps.
        note: Told of each stage.
        options: Further ones of `transplant_checkpoint`.

    Raises:
        ValueError, OSError: as `transplant_checkpoint`; data that do not fit; a stopped run of other settings.
    """
    writable(output)
    content, (teacher, train_args) = description(data), load(checkpoint)
    light, schedule = replace(light, names=class_names(content)), schedule or Schedule()
    size = imgsz or int(train_args.get("imgsz") or 640)
    tuning = {**TUNING, "epochs": epochs, "imgsz": size, "seed": schedule.seed, "device": device, **(arguments or {})}
    files = images or split_images(content, data, "train")
    settings = {
        "teacher": hashlib.sha256(checkpoint.read_bytes()).hexdigest(),
        "to learn": [repr(light), str(files), asdict(schedule), options],
        "to train": [str(data.resolve()), tuning],
    }
    folder = _folder(output, json.loads(json.dumps(settings, default=str)))

    def score(model: Path) -> dict[str, float]:
        seen = {"imgsz": size, "device": device, "project": str(folder / "val"), "verbose": False}
        return validate(model, data, workers=0, **seen)

    first, stages = folder / "light.pt", _Stages(folder / "stages.json")
    if not stages.done("transplant"):
        note(f"learning from {checkpoint}, without labels")
        report, counts = transplant_checkpoint(
            checkpoint, files, first, light,
            imgsz=size, schedule=schedule, device=device, progress=progress, **options,
        )  # fmt: skip
        stages.keep("transplant", {"report": asdict(report), "parameters": counts})
    done = stages.found["transplant"]
    outcome = Outcome(TransplantReport(**done["report"]), tuple(done["parameters"]))
    if outcome.report.classes:
        outcome.notes.append("the teacher has other classes, so it is not measured")
    elif not stages.done("teacher"):
        stages.keep("teacher", score(checkpoint))
    if not stages.done("transplanted"):
        stages.keep("transplanted", score(first))
    if reason := no_distillation(load(first)[0], teacher):
        outcome.notes.append(f"trained without the teacher: {reason}")
    else:
        tuning["distill_model"] = str(checkpoint.resolve())
    note(f"training with labels, epochs: {epochs}")
    best = trained(folder, str(first), data, **tuning)
    if not stages.done("trained"):
        stages.keep("trained", score(best))
    outcome.scores = {name: stages.found[name] for name in ("teacher", "transplanted", "trained") if stages.done(name)}
    outcome.kept = max(("trained", "transplanted"), key=lambda name: outcome.scores[name]["map"])
    if outcome.kept == "transplanted":
        outcome.notes.append("no epoch was better than the transplant itself, which is kept")
    write_bytes(output, (best if outcome.kept == "trained" else first).read_bytes())
    shutil.rmtree(folder)
    outcome.memory = peak_memory()
    return outcome


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

    def done(self, name: str) -> bool:
        return name in self.found

    def keep(self, name: str, result: Any) -> None:
        self.found[name] = result
        write_text(self.file, json.dumps(self.found, indent=2) + "\n")
