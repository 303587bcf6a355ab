"""Training the candidates without weights, all with the same arguments and seeds, as a series of runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..files import write_bytes
from ..training.series import Run, train_all, weights
from .models import Model, Setup, load
from .store import content, fingerprint

VALIDATION = {"batch": 1, "rect": False}
"""As exported files are validated (`worker.VALIDATION`), whatever the model was trained with."""


@dataclass(frozen=True)
class Job:
    """A model to train with a seed, and what its record is kept under."""

    model: Model
    run: Run
    key: str

    @property
    def name(self) -> str:
        return f"{self.model.candidate.stem}-seed{self.run.seed}"


def trained(models: Sequence[Model], setup: Setup) -> list[Model]:
    """The models, with trained weights where there were none: of every seed, unless that was done before.

    Raises:
        RuntimeError: a run failed, or Ray is asked for and not installed.
    """
    jobs = [_job(model, seed, setup) for model in models if not model.accurate for seed in setup.settings.seeds]
    known = {job.name: setup.store.get(job.key) for job in jobs}
    runs = {name: run for name, run in known.items() if run and Path(run["weights"]).exists()}
    new = [job for job in jobs if job.name not in runs]
    if new:
        setup.board.note(f"training {len(new)} runs")
    ray = "" if setup.settings.ray else None
    results = train_all([job.run for job in new], setup.folder / "runs", ray=ray, note=setup.board.note)
    for job, result in zip(new, results, strict=True):
        path = setup.folder / "trained" / f"{job.name}.pt"
        path.parent.mkdir(exist_ok=True)
        write_bytes(path, weights(result["folder"]).read_bytes())
        runs[job.name] = {"seed": job.run.seed, "weights": str(path), **result["val"]}
        setup.store.put(job.key, runs[job.name])
    done = []
    for model in models:
        own = [runs[job.name] for job in jobs if job.model is model]
        if own:
            model = load(replace(model.candidate, file=Path(own[0]["weights"])), setup, own)
        done.append(model)
    return done


def _job(model: Model, seed: int, setup: Setup) -> Job:
    assert setup.dataset is not None
    candidate, data = model.candidate, setup.dataset
    arguments: dict[str, Any] = dict(setup.settings.train or {})
    parts = (model.name, content(candidate.file), candidate.source, data.source, data.state, arguments, seed)
    validation = {**VALIDATION, "imgsz": setup.settings.imgsz}
    run = Run(
        model.name, candidate.source, data.source, seed, arguments, f"{data.source} {data.state}", validation
    )  # fmt: skip
    return Job(model, run, f"train/{fingerprint(*parts)}")
