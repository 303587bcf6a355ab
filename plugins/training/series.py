"""Many training runs, a process each, here or on a cluster; finished ones are kept and never run again."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..files import read_yaml
from ..rows.yaml_files import locate
from . import processes
from .ray_runs import spread

PLACE = ("device", "workers", "cache")
"""Arguments that say where a run takes place, not what it is."""

EPOCHS = 100
"""Ultralytics' default."""

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
        as_it_is: As `runs.train` takes it.
    """

    label: str
    model: str
    data: str
    seed: int = 0
    arguments: Mapping[str, Any] = field(default_factory=dict)
    data_digest: str = ""
    validation: Mapping[str, Any] = field(default_factory=dict)
    as_it_is: bool = False

    def folder(self, store: Path) -> Path:
        """Where this run lies in a store: the same model, data, seed and arguments always lie in the same place."""
        kept = {key: _weights(value) for key, value in self.arguments.items() if key not in PLACE}
        kept |= {"as it is": True} if self.as_it_is else {}
        data = self.data_digest or str(Path(self.data).resolve())
        parts = [_name(self.model), _content(self.model), data, self.seed, kept]
        parts += [dict(self.validation)] if self.validation else []
        key = hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:8]
        return store / f"{Path(self.model).stem}-s{self.seed}-{key}"

    def order(self) -> dict[str, Any]:
        """What `one_run` is told."""
        model = self.model if self._by_name else str(Path(self.model).resolve())
        more: dict[str, Any] = {"validation": dict(self.validation)} if self.validation else {}
        more |= {"as it is": True} if self.as_it_is else {}
        data, arguments = str(Path(self.data).resolve()), dict(self.arguments)
        return {
            "label": self.label, "model": model, "data": data, "seed": self.seed, "arguments": arguments, **more
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
    tell = _Teller(waiting, watch)
    orders = {folder: run.order() for folder, run in waiting.items()}
    if ray is None:
        share = threads or max(1, _cores() // max(1, min(jobs, len(waiting))))
        finished = processes.here(orders, max(1, jobs), share, lambda folder: tell(folder, _progress(folder)))
    else:
        finished = spread(orders, {folder: run.content() for folder, run in waiting.items()}, ray, note)
    failed: list[Path] = []
    with closing(finished):
        for done, (folder, status) in enumerate(finished, 1):
            failed += [folder] * bool(status)
            tell(folder, "failed" if status else "done")
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


class _Teller:
    """Says how far runs are, each thing once."""

    def __init__(self, runs: Mapping[Path, Run], watch: Watch | None) -> None:
        self._runs, self._watch = runs, watch
        self._told: dict[Path, str] = {}

    def __call__(self, folder: Path, text: str) -> None:
        if self._watch and self._told.get(folder) != text:
            self._told[folder] = text
            self._watch(self._runs[folder], text)


def _cores() -> int:
    """As many as a program may use here: OMP_NUM_THREADS where it is set."""
    said = os.environ.get("OMP_NUM_THREADS", "")
    return int(said) if said.isdecimal() and int(said) else os.cpu_count() or 1


def _progress(folder: Path) -> str:
    """How many epochs are done."""
    try:
        done = len((folder / "train" / "results.csv").read_text(encoding="utf-8").splitlines()) - 1
        epochs = json.loads((folder / "run.json").read_text(encoding="utf-8"))["arguments"].get("epochs", EPOCHS)
    except (OSError, ValueError):
        return "starting"
    return f"epoch {done}/{epochs}"


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


def _weights(value: Any) -> Any:
    """An argument that names a checkpoint, such as `pretrained` and `distill_model`, as what the file holds."""
    return _content(value) if isinstance(value, str) and value.endswith(".pt") and Path(value).is_file() else value
