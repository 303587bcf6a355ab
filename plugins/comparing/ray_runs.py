"""Training runs spread over a Ray cluster, a local one by default."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from .models import Setup
from .training import Job, train_one


def spread(jobs: Sequence[Job], setup: Setup) -> Iterator[tuple[Job, tuple[bytes, dict[str, float]]]]:
    """Jobs with their weights and accuracy, as they are done."""
    try:
        import ray
    except ImportError as error:
        raise RuntimeError("--ray needs ray: pip install 'yolo-plugins[ray]'") from error
    started = not ray.is_initialized()
    if started:
        # An existing cluster where RAY_ADDRESS names one, else a local one.
        ray.init(address=os.environ.get("RAY_ADDRESS"), log_to_driver=False, include_dashboard=False)
    try:
        share = max(1, int(ray.cluster_resources().get("CPU", 1)) // len(jobs))
        task = ray.remote(num_cpus=share, max_retries=0)(train_one)
        waiting = {task.remote(job.order, str(setup.folder), setup.environment): job for job in jobs}
        setup.board.note(f"training {len(waiting)} runs through Ray, {share} cores each")
        while waiting:
            (done,), _ = ray.wait(list(waiting), num_returns=1)
            job = waiting.pop(done)
            try:
                yield job, ray.get(done)
            except ray.exceptions.RayTaskError as error:
                raise RuntimeError(str(error.cause)) from error
            setup.board.note(f"trained {job.name}, {len(waiting)} runs left")
    finally:
        if started:
            ray.shutdown()
