"""An ablation from end to end: checked, trained, timed, judged, written."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .. import comparing
from ..training import data_yaml
from ..training.series import Run, result, train_all, weights
from .changes import named
from .report import write
from .results import COLUMNS, Ablation, Row, rows
from .settings import Settings
from .variants import Variant, variants

SIDES = {"classify": 224}
"""Ultralytics' default sizes of images, in pixels, where it is not 640."""

RUNTIMES = {"onnx": "ONNX Runtime", "torch": "PyTorch"}


@dataclass(frozen=True)
class Plan:
    """What is trained: the models with their YAMLs' files, and their runs, all seeds of the first model first."""

    models: list[Variant]
    runs: list[Run]
    folder: Path
    imgsz: int

    @property
    def store(self) -> Path:
        return self.folder / "runs"


def ablate(model: str, add: Sequence[str], settings: Settings | None = None, **changes: Any) -> list[Row]:
    """Train a base model and the base with named changes, and write what that showed as tables.

    Args:
        model: The base's YAML, with the letter of its scale: `yolov8n.yaml`.
        add: The changes, in their order: `ghost`, `se=--gate SE`, `head=22=plugins.LiteDetect`.
        settings: How to go about it; `data` at least.
        changes: Single settings by name, in place of those; `Settings` tells them all.

    Returns:
        A row for each model, the same as in results.json.

    Raises:
        TypeError: a setting that does not exist.
        ValueError: anything in the arguments that cannot be done, before any long work.
        OSError: a file is missing or cannot be written.
        RuntimeError: runs failed; those that did not are kept, and the same call goes on.
    """
    return run(model, add, replace(settings, **changes) if settings else Settings(**changes)).rows


def run(model: str, add: Sequence[str], settings: Settings) -> Ablation:
    """`ablate`, and how it was done."""
    asked = named(add, COLUMNS)
    plan = _plan(model, variants(model, asked, settings.every, settings.seeds), settings)
    results = _trained(plan, settings)
    by_model = [results[i : i + settings.seeds] for i in range(0, len(results), settings.seeds)]
    scores = [{run["seed"]: run for run in own} for own in by_model]
    times = _timed(plan, [own[0]["folder"] for own in by_model], settings)
    done = Ablation(
        rows=rows(plan.models, scores, times),
        names=list(asked),
        task=plan.models[0].task,
        imgsz=plan.imgsz,
        rounds=settings.rounds,
        threads=_threads(settings),
        facts=_facts(model, asked, settings),
    )
    write(done, plan.folder)
    return done


def _plan(model: str, models: list[Variant], settings: Settings) -> Plan:
    task, train = models[0].task, dict(settings.train)
    imgsz = int(train.get("imgsz", SIDES.get(task, 640)))
    for variant in models:
        comparing.fit(imgsz, variant.stride, f"the stride {variant.stride} of {variant.name}")
    data = data_yaml.find(settings.data)
    digest = f"{data.resolve()} {_state(data, task, model)}"
    folder = Path(settings.output)
    try:
        (folder / "models").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"cannot write into {folder} ({error.strerror}); choose another folder with -o") from error
    runs = []
    for variant in models:
        file = str(variant.write(folder / "models"))
        runs += [Run(variant.label, file, str(data), seed, train, digest) for seed in range(settings.seeds)]
    return Plan(models, runs, folder, imgsz)


def _state(data: Path, task: str, model: str) -> str:
    """What changes when the data do; data that cannot be trained on are refused."""
    if data.is_dir() != (task == "classify") and data.exists():
        wanted = "a folder with the folders train and val" if task == "classify" else "a data YAML"
        raise ValueError(f"{model} is for the task {task}, whose data is {wanted}, not {data}")
    if data.is_dir():
        if not (data / "train").is_dir():
            raise ValueError(f"{data} has no folder train with a folder of images for each class")
        return data_yaml.state(data_yaml.inside(data))
    content = data_yaml.description(data, "data= ")
    if not content.get("train"):
        raise ValueError(f"{data} must name its training images (train)")
    return data_yaml.state([path for part in ("train", "val") for path in data_yaml.split_images(content, data, part)])


def _trained(plan: Plan, settings: Settings) -> list[dict[str, Any]]:
    board = comparing.Board([model.label for model in plan.models], [_seed(run) for run in plan.runs[: settings.seeds]])

    def watch(run: Run, text: str) -> None:
        ended = text in ("done", "failed")
        if text == "done":
            text = f"{result(run.folder(plan.store))['val']['map']:.3f}"
        board.set(run.label, _seed(run), text, done=ended, quiet=True)

    kept = [run for run in plan.runs if (run.folder(plan.store) / "result.json").is_file()]
    for run in kept:
        watch(run, "done")
    count = f"{len(plan.models)} models with {settings.seeds} seeds, {len(plan.runs)} trainings"
    board.note(f"{count}, {len(kept)} of them done before")
    found = train_all(
        plan.runs, plan.store, jobs=settings.jobs, ray=settings.ray, note=board.note, watch=watch
    )  # fmt: skip
    board.note("trained")
    return found


def _seed(run: Run) -> str:
    return f"seed {run.seed}"


def _timed(plan: Plan, folders: Sequence[str], settings: Settings) -> list[dict[str, Any]]:
    """A comparison's row for each model, in turns; the comparison itself is kept in the folder `speed`."""
    form, runtime = _format()
    models = [f"{Path(model.name).stem}={weights(folder)}" for model, folder in zip(plan.models, folders, strict=True)]
    asked = comparing.Settings(
        formats=[form],
        imgsz=plan.imgsz,
        rounds=settings.rounds,
        threads=_threads(settings),
        output=str(plan.folder / "speed"),
    )
    found = comparing.compare(models, asked)
    return [{**row, "runtime": runtime} for row in found]


def _format() -> tuple[str, str]:
    """The format that networks are timed in, and what runs it: torch where ONNX Runtime cannot be had."""
    try:
        comparing.require("onnx")
    except RuntimeError:
        return "torch", RUNTIMES["torch"]
    return "onnx", RUNTIMES["onnx"]


def _threads(settings: Settings) -> int:
    return settings.threads or max(1, (os.cpu_count() or 2) - 1)


def _facts(model: str, asked: dict[str, str], settings: Settings) -> dict[str, str]:
    arguments = " ".join(f"{key}={value}" for key, value in settings.train.items())
    return {
        "base": model,
        **{f"change {name}": what for name, what in asked.items()},
        "data": settings.data,
        "training": f"{arguments or 'as Ultralytics does by default'}, seeds 0 to {settings.seeds - 1}",
        **comparing.describe([_format()[0]], _threads(settings)),
        "command": comparing.command(),
    }
