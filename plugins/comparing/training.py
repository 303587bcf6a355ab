"""Training the candidates without weights, all with the same arguments and seeds, through Ultralytics' trainer."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..files import write_bytes
from .candidates import folder_name
from .cells import Model, Setup
from .process import Worker, WorkerError
from .progress import Board
from .store import content, fingerprint

LONGEST = 1e7
"""Seconds; a training run has no timeout of its own."""

Run = dict[str, Any]


def train_all(
    models: Sequence[Model], setup: Setup, board: Board, arguments: dict[str, Any], seeds: Sequence[int], ray: bool
) -> dict[str, list[Run]]:
    """Train every model with every seed, unless that was done before.

    Returns:
        By model, for each seed the weights and their mAP50-95 (or top-1) by torch.

    Raises:
        RuntimeError: a run failed, or Ray is asked for and not installed.
        OSError: weights cannot be kept.
    """
    jobs = [(model, seed) for model in models for seed in seeds]
    runs: dict[str, Run] = {}
    left = []
    for model, seed in jobs:
        known = setup.store.get(_key(model, seed, setup, arguments))
        if known and Path(known["weights"]).exists():
            runs[_name(model, seed)] = known
        else:
            left.append((model, seed))
    for (model, seed), (weights, accuracy) in _finished(left, setup, board, arguments, ray):
        path = setup.folder / "trained" / f"{_name(model, seed)}.pt"
        path.parent.mkdir(exist_ok=True)
        write_bytes(path, weights)
        runs[_name(model, seed)] = {"seed": seed, "weights": str(path), **accuracy}
        setup.store.put(_key(model, seed, setup, arguments), runs[_name(model, seed)])
    return {model.name: [runs[_name(model, seed)] for seed in seeds] for model in models}


def _name(model: Model, seed: int) -> str:
    return f"{folder_name(model.name)}-seed{seed}"


def _key(model: Model, seed: int, setup: Setup, arguments: dict[str, Any]) -> str:
    assert setup.dataset is not None
    candidate = model.candidate
    parts = (
        model.name,
        content(candidate.file),
        candidate.source,
        setup.dataset.source,
        setup.dataset.state,
        arguments,
        seed,
    )
    return f"train/{fingerprint(*parts)}"


def _finished(
    jobs: Sequence[tuple[Model, int]], setup: Setup, board: Board, arguments: dict[str, Any], ray: bool
) -> Any:
    """Jobs with their weights and accuracy, as they are done."""
    assert setup.dataset is not None
    orders = {
        _name(model, seed): (
            {
                "source": _source(model), "data": setup.dataset.source, "seed": seed, "arguments": arguments,
                "name": _name(model, seed), "imgsz": setup.imgsz,
            },
            (model, seed),
        )
        for model, seed in jobs
    }  # fmt: skip
    if ray and orders:
        yield from _by_ray(orders, setup, board)
        return
    for name, (order, job) in orders.items():
        board.note(f"training {name}")
        yield job, train_one(order, str(setup.folder), setup.environment)


def _source(model: Model) -> str:
    return model.candidate.source if "/" not in model.candidate.source else str(model.candidate.file.resolve())


def train_one(order: dict[str, Any], folder: str, environment: Mapping[str, str]) -> tuple[bytes, dict[str, float]]:
    """One training run in a process of its own: the weights, and what Ultralytics' val says of them.

    Raises:
        RuntimeError: the run failed; its log is named.
    """
    log = Path(folder, "logs", f"{order['name']}-train.log")
    project = str(Path(folder, "runs"))
    with Worker(log, _training_environment(environment)) as worker:
        try:
            result = worker.ask("train", LONGEST, project=project, **order)
        except WorkerError as error:
            raise RuntimeError(f"training {order['name']} failed: {error}; its output is in {log}") from error
    return Path(result.pop("weights")).read_bytes(), result


def _training_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Training uses the threads that the machine has; the limit is for what is timed."""
    return {key: value for key, value in environment.items() if not key.endswith("_THREADS")}


def _by_ray(orders: dict[str, tuple[dict[str, Any], Any]], setup: Setup, board: Board) -> Any:
    try:
        import ray
    except ImportError as error:
        raise RuntimeError("--ray needs ray: pip install 'yolo-plugins[ray]'") from error
    started = not ray.is_initialized()
    if started:
        # An existing cluster where RAY_ADDRESS names one, else a local one.
        ray.init(address=os.environ.get("RAY_ADDRESS"), log_to_driver=False, include_dashboard=False)
    try:
        cores = ray.cluster_resources().get("CPU", 1)
        share = max(1, int(cores) // max(1, len(orders)))
        task = ray.remote(num_cpus=share, max_retries=0)(train_one)
        waiting = {task.remote(order, str(setup.folder), setup.environment): job for order, job in orders.values()}
        board.note(f"training {len(waiting)} runs through Ray, {share} cores each")
        while waiting:
            (done,), _ = ray.wait(list(waiting), num_returns=1)
            job = waiting.pop(done)
            try:
                yield job, ray.get(done)
            except ray.exceptions.RayTaskError as error:
                raise RuntimeError(str(error.cause)) from error
            board.note(f"trained {_name(*job)}, {len(waiting)} runs left")
    finally:
        if started:
            ray.shutdown()
