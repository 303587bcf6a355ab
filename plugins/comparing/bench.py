"""Torch modules in one runtime, timed in turns in one process that holds them all, in bursts.

A burst finds its weights in the cache, as a camera's stream does. A comparison's models, in contrast, run once each in
processes of their own.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..training.environment import environment
from .converting import CONVERTED, write
from .formats import RUNTIMES, absent, not_installed
from .process import NotInstalledError, Worker, WorkerError

WARM_UP = 2
REPEATS = 3
"""Runs of a network in each of its turns, of which the fastest counts."""


class Bench:
    """A runtime with the networks that were added to it.

    Args:
        runtime: One of `RUNTIMES`.
        threads: Of the runtime.
        folder: For the files that it loads, which are kept, and a log.
        cpu_time: Time the processor's work instead of waiting: of one thread what a quiet machine would take, on one
            that is busy with other things.

    Raises:
        ValueError: no such runtime, no threads, or more than one thread with `cpu_time`.
        NotInstalledError: as `require`.
    """

    def __init__(self, runtime: str, threads: int, folder: Path, cpu_time: bool = False) -> None:
        require(runtime)
        if threads < 1:
            raise ValueError(f"threads={threads} must be at least 1")
        if cpu_time and threads > 1:
            raise ValueError(f"cpu_time is the work of all {threads} threads together; give it with one thread")
        self.runtime, self.threads, self.folder, self.cpu_time = runtime, threads, folder, cpu_time
        variables = environment(threads, folder / "settings")
        self._converter = Worker(folder / "logs" / "convert.log", variables)
        self._runner = Worker(folder / "logs" / "run.log", variables)
        self._files: dict[str, tuple[Path, Path]] = {}

    def add(self, name: str, module: Any, inputs: Sequence[Any], key: str | None = None) -> None:
        """Export a module that takes these tensors, unless a file of this key is there, and load it.

        Raises:
            WorkerError: the runtime cannot take it; whatever was added before stays.
        """
        folder = self.folder / (key or f"{len(self._files):03}")
        done = folder / "done"
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            shapes = [list(x.shape) for x in inputs]
            source = write(module, inputs, self.runtime, folder)
            made = source.name
            if self.runtime in CONVERTED:
                made = self._converter.ask("convert", None, source=source, form=self.runtime, shapes=shapes)["path"]
            done.write_text(made, encoding="utf-8")
        self._load(name, folder / done.read_text(encoding="utf-8"), self._saved(inputs))

    def _saved(self, inputs: Sequence[Any]) -> Path:
        """The file of these inputs, which candidates for one row share."""
        arrays = [x.numpy() for x in inputs]
        digest = hashlib.sha256(b"".join(x.tobytes() for x in arrays)).hexdigest()[:16]
        file = self.folder / f"inputs-{digest}.npz"
        if not file.exists():
            np.savez(file, **{f"x{i}": x for i, x in enumerate(arrays)})
        return file

    def _load(self, name: str, path: Path, inputs: Path) -> None:
        try:
            self._ask_load(name, path, inputs)
        except WorkerError:
            if not self._runner.running:  # it took the others with it
                for other, files in self._files.items():
                    self._ask_load(other, *files)
            raise
        self._files[name] = (path, inputs)

    def _ask_load(self, name: str, path: Path, inputs: Path) -> None:
        self._runner.ask(
            "load_burst", None, name=name, path=path, form=self.runtime, threads=self.threads, inputs=inputs
        )

    def round(self, names: Sequence[str] | None = None) -> dict[str, float]:
        """Milliseconds of each network, or of those named, in turns: the best of `REPEATS` runs."""
        wanted = list(names or self._files)
        return self._runner.ask("burst", None, names=wanted, repeats=REPEATS, cpu_time=self.cpu_time)

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *exception: object) -> None:
        self._converter.close()
        self._runner.close()


def require(runtime: str) -> None:
    """Refuse a runtime that cannot be had, before long work.

    Raises:
        ValueError: there is none of this name.
        NotInstalledError: packages are missing; with the command that installs them.
    """
    if runtime not in RUNTIMES:
        raise ValueError(f"no runtime is called {runtime!r}; there are {', '.join(RUNTIMES)}")
    if lacking := absent(runtime):
        raise NotInstalledError(f"{runtime} cannot run here: {not_installed(lacking)}")


def timed(
    modules: Mapping[str, tuple[Any, Sequence[Any]]],
    runtime: str,
    threads: int = 2,
    rounds: int = 20,
    cpu_time: bool = False,
) -> dict[str, list[float]]:
    """Milliseconds of modules, each with its inputs, round by round; nothing is left on disk.

    Raises:
        ValueError, NotInstalledError, WorkerError: as `Bench`.
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as name, Bench(runtime, threads, Path(name), cpu_time) as bench:
        for name, (module, inputs) in modules.items():
            bench.add(name, module, inputs)
        kept = [bench.round() for _ in range(WARM_UP + rounds)][WARM_UP:]
    return {name: [times[name] for times in kept] for name in modules}
