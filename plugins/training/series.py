"""Many training runs, a process each, here or on a cluster; finished ones are kept and never run again."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen
from typing import Any

from ..files import read_yaml
from ..rows.yaml_files import locate
from . import processes
from .ray_runs import spread

PLACE = ("device", "workers", "cache")
"""Arguments that say where a run takes place, not what it is."""

EPOCHS = 100
"""Ultralytics' default."""

LOOKING = 0.5
"""Seconds between looks at what is running."""

Watch = Callable[["Run", str], object]


@dataclass(frozen=True)
class Run:
    """A model trained with a seed.

    Args:
        label: What tables call the model.
        model: A model YAML by bare name or path, or a checkpoint.
        data: A data YAML, or a folder of classes.
        seed: Of Ultralytics' training.
        arguments: Further ones of Ultralytics' `train`, such as `epochs`, `imgsz` and `device`.
        data_digest: What the data are (`held_out.digest`), so that the same images elsewhere are the same run.
        validation: Arguments of Ultralytics' `val` afterwards, where they are to be others than those of `train`.
    """

    label: str
    model: str
    data: str
    seed: int = 0
    arguments: Mapping[str, Any] = field(default_factory=dict)
    data_digest: str = ""
    validation: Mapping[str, Any] = field(default_factory=dict)

    def folder(self, store: Path) -> Path:
        """Where this run lies in a store: the same model, data, seed and arguments always lie in the same place."""
        kept = {key: value for key, value in self.arguments.items() if key not in PLACE}
        data = self.data_digest or str(Path(self.data).resolve())
        parts = [_name(self.model), _content(self.model), data, self.seed, kept]
        parts += [dict(self.validation)] if self.validation else []
        key = hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:8]
        return store / f"{Path(self.model).stem}-s{self.seed}-{key}"

    def order(self) -> dict[str, Any]:
        """What `one_run` is told."""
        model = self.model if self._by_name else str(Path(self.model).resolve())
        validation = {"validation": dict(self.validation)} if self.validation else {}
        data, arguments = str(Path(self.data).resolve()), dict(self.arguments)
        return {
            "label": self.label, "model": model, "data": data, "seed": self.seed, "arguments": arguments, **validation
        }  # fmt: skip

    def content(self) -> bytes | None:
        """The model's file, for a machine that may not have it; None for one that every installation finds by name."""
        if self._by_name:
            return None
        return (locate(self.model) if _is_yaml(self.model) else Path(self.model)).read_bytes()

    @property
    def _by_name(self) -> bool:
        bare = _is_yaml(self.model) and Path(self.model).parent == Path(".")
        return bare and locate(self.model).is_absolute()  # and not in the working directory


def train_all(
    runs: Sequence[Run],
    store: Path,
    *,
    jobs: int = 1,
    threads: int | None = None,
    ray: str | None = None,
    note: Callable[[str], object] = print,
    watch: Watch | None = None,
) -> list[dict[str, Any]]:
    """Train what the store does not hold yet.

    Args:
        runs: What to train.
        store: Folder of runs; made if need be. A run that was stopped goes on from its last epoch.
        jobs: How many at a time, on this machine.
        threads: Of each; by default the processor's, shared among the jobs.
        ray: Spread the runs over the Ray cluster of this address; with an empty one over that in RAY_ADDRESS, or over
            this machine. It decides how many run at a time. Data lie at the same path on every machine.
        note: Told of each run as it is done.
        watch: Told how far a run is, whenever that changes: "epoch 3/10", at last "done" or "failed".

    Returns:
        The runs' results in their order: `label`, `model`, `seed`, `arguments`, the accuracy on `val` (and `test` where
        the data YAML has one), `best epoch`, `seconds` and `versions`.

    Raises:
        RuntimeError: runs failed; the message names them, their logs and the first one's reason. The others are kept.
    """
    store = store.resolve()  # Ultralytics puts a relative folder below its own
    store.mkdir(parents=True, exist_ok=True)
    folders = [run.folder(store) for run in runs]
    waiting = {folder: run for run, folder in zip(runs, folders, strict=True) if not (folder / "result.json").is_file()}
    tell = watch or (lambda run, text: None)
    if ray is None:
        share = threads or max(1, _cores() // max(1, min(jobs, len(waiting))))
        finished = _here(waiting, max(1, jobs), share, tell)
    else:
        finished = _by_ray(waiting, ray, note)
    failed: list[Path] = []
    with closing(finished):
        for done, (folder, status) in enumerate(finished, 1):
            if status:
                failed.append(folder)
            tell(waiting[folder], "failed" if status else "done")
            note(f"{done} of {len(waiting)}: {_said(folder)}")
    if failed:
        names = ", ".join(folder.name for folder in failed)
        raise RuntimeError(f"{len(failed)} of {len(runs)} runs failed: {names}; {_why(failed[0])}")
    return [{**result(folder), "label": run.label} for run, folder in zip(runs, folders, strict=True)]


def result(folder: Path) -> dict[str, Any]:
    """What a finished run came to.

    Raises:
        OSError: it is not finished.
    """
    found: dict[str, Any] = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    return {**found, "folder": str(folder)}


def weights(folder: Path | str) -> Path:
    """The weights of a finished run: its best epoch's, or the last where none was kept as the best."""
    best, last = (Path(folder) / "train" / "weights" / f"{name}.pt" for name in ("best", "last"))
    return best if best.is_file() else last


def _here(waiting: Mapping[Path, Run], jobs: int, threads: int, tell: Watch) -> Generator[tuple[Path, int], None, None]:
    """Runs on this machine; none is left running when this ends."""
    queue = list(waiting.items())
    running: dict[Path, Popen[bytes]] = {}
    told: dict[Path, str] = {}
    try:
        while queue or running:
            while queue and len(running) < jobs:
                folder, run = queue.pop(0)
                running[folder] = processes.start(folder, run.order(), threads)
            for folder, process in list(running.items()):
                if (status := process.poll()) is not None:
                    processes.stop(running.pop(folder))
                    yield folder, status
                elif (text := _progress(folder, waiting[folder])) != told.get(folder):
                    told[folder] = text
                    tell(waiting[folder], text)
            if running:
                time.sleep(LOOKING)
    finally:
        for process in running.values():
            processes.stop(process)


def _by_ray(
    waiting: Mapping[Path, Run], address: str, note: Callable[[str], object]
) -> Generator[tuple[Path, int], None, None]:
    if waiting:
        yield from spread({folder: (run.order(), run.content()) for folder, run in waiting.items()}, address, note)


def _cores() -> int:
    """As many as a program may use here: OMP_NUM_THREADS where it is set."""
    said = os.environ.get("OMP_NUM_THREADS", "")
    return int(said) if said.isdecimal() and int(said) else os.cpu_count() or 1


def _progress(folder: Path, run: Run) -> str:
    """How many epochs are done."""
    table, epochs = folder / "train" / "results.csv", run.arguments.get("epochs", EPOCHS)
    try:
        done = len(table.read_text(encoding="utf-8").splitlines()) - 1
    except (OSError, ValueError):
        done = 0
    return f"epoch {done}/{epochs}" if done > 0 else "starting"


def _said(folder: Path) -> str:
    if not (folder / "result.json").is_file():
        return f"{folder.name} failed; its output is in {folder / 'log.txt'}"
    found = result(folder)
    return f"{folder.name} mAP50-95 {found['val']['map']:.3f}, {found['seconds']:.0f} s"


def _why(folder: Path) -> str:
    lines = (folder / "log.txt").read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return f"{lines[-1] if lines else 'it said nothing'} ({folder / 'log.txt'})"


def _is_yaml(model: str) -> bool:
    return model.endswith((".yaml", ".yml"))


def _name(model: str) -> str:
    """The name, whose letter is the scale; a checkpoint's says nothing of what it is."""
    return Path(model).name if _is_yaml(model) else "checkpoint"


def _content(model: str) -> Any:
    """What a model YAML says, whatever its comments, or a digest of a checkpoint."""
    if _is_yaml(model):
        return read_yaml(locate(model))
    return hashlib.sha256(Path(model).read_bytes()).hexdigest()[:16]
