"""Training the candidates without weights, all with the same arguments and seeds, through Ultralytics' trainer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..files import write_bytes
from .models import Model, Setup, load
from .process import Worker, WorkerError
from .ray_runs import spread
from .store import content, fingerprint


@dataclass(frozen=True)
class Job:
    """A model to train with a seed; what a process needs to do it, here or on another machine, is in `order`."""

    model: Model
    seed: int
    key: str
    order: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.order["name"])


def trained(models: Sequence[Model], setup: Setup) -> list[Model]:
    """The models, with trained weights where there were none: of every seed, unless that was done before.

    Raises:
        RuntimeError: a run failed, or Ray is asked for and not installed.
    """
    jobs = [_job(model, seed, setup) for model in models if not model.accurate for seed in setup.settings.seeds]
    known = {job.name: setup.store.get(job.key) for job in jobs}
    runs = {name: run for name, run in known.items() if run and Path(run["weights"]).exists()}
    for job, (weights, accuracy) in _finished([job for job in jobs if job.name not in runs], setup):
        path = setup.folder / "trained" / f"{job.name}.pt"
        path.parent.mkdir(exist_ok=True)
        write_bytes(path, weights)
        runs[job.name] = {"seed": job.seed, "weights": str(path), **accuracy}
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
    candidate, data, arguments = model.candidate, setup.dataset, dict(setup.settings.train or {})
    parts = (model.name, content(candidate.file), candidate.source, data.source, data.state, arguments, seed)
    # By path from any folder; by name where it is found by name.
    source = str(Path(candidate.source).absolute()) if "/" in candidate.source else candidate.source
    order = {
        "source": source, "data": data.source, "seed": seed, "name": f"{candidate.stem}-seed{seed}",
        "imgsz": setup.settings.imgsz, "arguments": arguments,
    }  # fmt: skip
    return Job(model, seed, f"train/{fingerprint(*parts)}", order)


def _finished(jobs: Sequence[Job], setup: Setup) -> Iterator[tuple[Job, tuple[bytes, dict[str, float]]]]:
    """Jobs with their weights and accuracy, as they are done."""
    calls = {job.name: (job.order, str(setup.folder), setup.environment) for job in jobs}
    if setup.settings.ray and jobs:
        by_name = {job.name: job for job in jobs}
        yield from ((by_name[name], result) for name, result in spread(train_one, calls, setup.board.note))
        return
    for job in jobs:
        setup.board.note(f"training {job.name}")
        yield job, train_one(*calls[job.name])


def train_one(order: Mapping[str, Any], folder: str, environment: dict[str, str]) -> tuple[bytes, dict[str, float]]:
    """One training run in a process of its own: the weights, and what Ultralytics' val says of them."""
    log = Path(folder, "logs", f"{order['name']}-train.log")
    # Training uses the threads that the machine has; the limit is for what is timed.
    free = {key: value for key, value in environment.items() if not key.endswith("_THREADS")}
    with Worker(log, free) as worker:
        try:
            result = worker.ask("train", None, project=str(Path(folder, "runs")), **order)
        except WorkerError as error:
            raise RuntimeError(f"training {order['name']} failed: {error}; its output is in {log}") from error
    return Path(result.pop("weights")).read_bytes(), result
