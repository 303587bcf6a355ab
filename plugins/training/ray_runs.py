"""Training runs spread over a Ray cluster; what a run leaves comes back to the machine that asked for it."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any

from . import processes

BACK = ("log.txt", "result.json", "train/results.csv", "train/weights/best.pt", "train/weights/last.pt")
"""What comes back of a run's folder; results last, since a run with results is a finished one."""


def spread(
    orders: Mapping[Path, dict[str, Any]],
    models: Mapping[Path, bytes | None],
    address: str,
    note: Callable[[str], object],
) -> Generator[tuple[Path, int], None, None]:
    """Run these orders on a cluster; gives the folder of a run and its exit status, as they are done.

    Args:
        orders: By the run's folder, what `one_run` is to do. A machine works in a folder of the same path, where a run
            that was stopped goes on.
        models: The content of the runs' model files, where these have to travel.
        address: Of the cluster; without one that in RAY_ADDRESS, else this machine alone.
        note: Told of what begins.

    Raises:
        RuntimeError: Ray is not installed, or the cluster lost a run.
        OSError: there is no cluster at the address.
    """
    if not orders:
        return
    try:
        import ray
    except ImportError as error:
        raise RuntimeError("--ray needs ray: pip install 'yolo-plugins[ray]'") from error
    started = not ray.is_initialized()
    if started:
        where = address or os.environ.get("RAY_ADDRESS")
        ray.init(address=where, log_to_driver=False, include_dashboard=False)
    try:
        resources = ray.cluster_resources()
        share = max(1, int(resources.get("CPU", 1)) // len(orders))
        waiting = {}
        for folder, order in orders.items():
            gpus = gpus_of(order["arguments"].get("device"), any_there=resources.get("GPU", 0) > 0)
            task = ray.remote(num_cpus=share, num_gpus=gpus, max_retries=0)(one)
            waiting[task.remote(str(folder), order, models[folder], share)] = folder
        note(f"training {len(waiting)} runs through Ray, {share} cores each")
        while waiting:
            (done,), _ = ray.wait(list(waiting), num_returns=1)
            folder = waiting.pop(done)
            try:
                status, files = ray.get(done)
            except ray.exceptions.RayError as error:
                raise RuntimeError(f"{folder.name} was lost: {' '.join(str(error).split())}") from error
            _keep(folder, files)
            yield folder, status
    finally:
        if started:
            ray.shutdown()


def one(place: str, order: dict[str, Any], model: bytes | None, threads: int) -> tuple[int, dict[str, bytes]]:
    """A run on the machine of the cluster where this is called: its exit status, and what comes back of its folder."""
    import ray

    folder = Path(place)
    if model is not None:
        file = folder / "model" / Path(order["model"]).name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(model)
        order = {**order, "model": str(file)}
    order = {**order, "arguments": on_gpus(order["arguments"], ray.get_gpu_ids())}
    process = processes.start(folder, order, threads)
    try:
        status = process.wait()
    finally:
        processes.stop(process)
    return status, {name: (folder / name).read_bytes() for name in BACK if (folder / name).is_file()}


def gpus_of(device: Any, any_there: bool) -> int:
    """How many GPUs a run takes, by Ultralytics' `device`; without one, one where the cluster has any."""
    if device is None or device == "":
        return int(any_there)
    named = [part for part in str(device).strip("[]() ").split(",") if part.strip()]
    return 0 if any(part.strip(" '\"").lower() in ("cpu", "mps") for part in named) else len(named)


def on_gpus(arguments: Mapping[str, Any], given: list[Any]) -> dict[str, Any]:
    """A run's arguments with the GPUs that the cluster gave it, whatever their numbers were meant to be."""
    return {**arguments, "device": ",".join(map(str, given))} if given else dict(arguments)


def _keep(folder: Path, files: Mapping[str, bytes]) -> None:
    from ..files import write_bytes

    for name in sorted(files, key=lambda name: name == "result.json"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_bytes(folder / name, files[name])
