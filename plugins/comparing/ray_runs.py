"""Calls of a function spread over a Ray cluster, a local one by default."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any


def spread(
    function: Callable[..., Any], calls: Mapping[str, tuple[Any, ...]], note: Callable[[str], object]
) -> Iterator[tuple[str, Any]]:
    """Call a function with each of these arguments; gives the name of a call and what it returned, as they are done.

    Raises:
        RuntimeError: Ray is not installed, or a call failed.
    """
    try:
        import ray
    except ImportError as error:
        raise RuntimeError("--ray needs ray: pip install 'yolo-plugins[ray]'") from error
    started = not ray.is_initialized()
    if started:
        # An existing cluster where RAY_ADDRESS names one, else a local one.
        ray.init(address=os.environ.get("RAY_ADDRESS"), log_to_driver=False, include_dashboard=False)
    try:
        share = max(1, int(ray.cluster_resources().get("CPU", 1)) // len(calls))
        task = ray.remote(num_cpus=share, max_retries=0)(function)
        waiting = {task.remote(*arguments): name for name, arguments in calls.items()}
        note(f"training {len(waiting)} runs through Ray, {share} cores each")
        while waiting:
            (done,), _ = ray.wait(list(waiting), num_returns=1)
            name = waiting.pop(done)
            try:
                yield name, ray.get(done)
            except ray.exceptions.RayTaskError as error:
                raise RuntimeError(str(error.cause)) from error
            note(f"trained {name}, {len(waiting)} runs left")
    finally:
        if started:
            ray.shutdown()
