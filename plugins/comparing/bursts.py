"""Many networks of one runtime held in one process, each run a few times in its turn: the worker's half of `bench`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path
from timeit import repeat

import numpy as np

from .runtimes import LOADERS, Array


class Bursts:
    """Networks by name, ready to run on their inputs."""

    def __init__(self) -> None:
        self._runs: dict[str, partial[list[Array]]] = {}

    def load(self, name: str, path: Path, form: str, threads: int, inputs: Path) -> None:
        """Load a file and run it once, which is where a runtime fails that lacks a layer."""
        run = partial(LOADERS[form](path, threads, True), *_arrays(inputs))
        run()
        self._runs[name] = run

    def best(self, names: Sequence[str], repeats: int, cpu_time: bool) -> dict[str, float]:
        """Milliseconds of each network, or of the processor's work for it: the best of so many runs in a row."""
        clock = time.process_time if cpu_time else time.perf_counter
        return {name: 1000 * min(repeat(self._runs[name], timer=clock, repeat=repeats, number=1)) for name in names}


@lru_cache(64)
def _arrays(file: Path) -> list[Array]:
    """Inputs that were saved in order; candidates for one row share theirs."""
    with np.load(file) as arrays:
        return [np.ascontiguousarray(arrays[f"x{i}"]) for i in range(len(arrays))]
