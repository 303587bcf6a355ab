"""Many training runs, some at a time, each in a process of its own; finished ones are kept and never run again."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..files import read_yaml, write_text
from ..rows.yaml_files import locate
from .environment import environment

PLACE = ("device", "workers", "cache")
"""Arguments that say where a run takes place, not what it is."""

KEEP_MEMORY = {
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1:glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=17179869184"
}
"""The C library gives large maps back after each layer and asks for them again; on a CPU that is a fifth of the time."""


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
        as_it_is: As `runs.train` takes it.
    """

    label: str
    model: str
    data: str
    seed: int = 0
    arguments: Mapping[str, Any] = field(default_factory=dict)
    data_digest: str = ""
    as_it_is: bool = False

    def folder(self, store: Path) -> Path:
        """Where this run lies in a store: the same model, data, seed and arguments always lie in the same place."""
        kept = {key: _weights(value) for key, value in self.arguments.items() if key not in PLACE}
        kept |= {"as it is": True} if self.as_it_is else {}
        data = self.data_digest or str(Path(self.data).resolve())
        parts = [_name(self.model), _content(self.model), data, self.seed, kept]
        key = hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:8]
        return store / f"{Path(self.model).stem}-s{self.seed}-{key}"


def train_all(
    runs: Sequence[Run],
    store: Path,
    *,
    jobs: int = 1,
    threads: int = 1,
    note: Callable[[str], object] = print,
) -> list[dict[str, Any]]:
    """Train what the store does not hold yet.

    Args:
        runs: What to train.
        store: Folder of runs; made if need be. A run that was stopped goes on from its last epoch.
        jobs: How many at a time.
        threads: Of each.
        note: Told of each run as it is done.

    Returns:
        The runs' results in their order: `label`, `model`, `seed`, `arguments`, the accuracy on `val` (and `test` where
        the data YAML has one), `best epoch`, `seconds` and `versions`.

    Raises:
        RuntimeError: runs failed; the message names them, their logs and the first one's reason. The others are kept.
    """
    store.mkdir(parents=True, exist_ok=True)
    folders = [run.folder(store) for run in runs]
    waiting = {folder: run for run, folder in zip(runs, folders, strict=True) if not (folder / "result.json").is_file()}
    settings = {**environment(threads, store / "settings"), **KEEP_MEMORY}
    failed: list[Path] = []
    with ThreadPoolExecutor(max(1, jobs)) as pool:
        started = {pool.submit(_train, run, folder, settings): folder for folder, run in waiting.items()}
        for done, future in enumerate(as_completed(started), 1):
            folder = started[future]
            if future.result():
                failed.append(folder)
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


def _train(run: Run, folder: Path, settings: Mapping[str, str]) -> int:
    """The exit status of the process that trains."""
    folder.mkdir(exist_ok=True)
    source = str(Path(run.model).resolve()) if Path(run.model).parent != Path(".") else run.model
    data = str(Path(run.data).resolve())
    order = {"label": run.label, "model": source, "data": data, "seed": run.seed, "arguments": dict(run.arguments)}
    order |= {"as it is": True} if run.as_it_is else {}
    write_text(folder / "run.json", json.dumps(order, indent=2) + "\n")
    with open(folder / "log.txt", "ab") as log:
        return subprocess.run(
            [sys.executable, "-m", "yolo_plugins.training.one_run", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **settings},
        ).returncode


def _said(folder: Path) -> str:
    if not (folder / "result.json").is_file():
        return f"{folder.name} failed; its output is in {folder / 'log.txt'}"
    found = result(folder)
    return f"{folder.name} mAP50-95 {found['val']['map']:.3f}, {found['seconds']:.0f} s"


def _why(folder: Path) -> str:
    lines = (folder / "log.txt").read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return f"{lines[-1] if lines else 'it said nothing'} ({folder / 'log.txt'})"


def _name(model: str) -> str:
    """The name, whose letter is the scale; a checkpoint's says nothing of what it is."""
    return Path(model).name if model.endswith((".yaml", ".yml")) else "checkpoint"


def _content(model: str) -> Any:
    """What a model YAML says, whatever its comments, or a digest of a checkpoint."""
    if model.endswith((".yaml", ".yml")):
        return read_yaml(locate(model))
    return hashlib.sha256(Path(model).read_bytes()).hexdigest()[:16]


def _weights(value: Any) -> Any:
    """An argument that names a checkpoint, such as `pretrained` and `distill_model`, as what the file holds."""
    return _content(value) if isinstance(value, str) and value.endswith(".pt") and Path(value).is_file() else value
