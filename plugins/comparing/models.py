"""What a comparison works on: what all of it shares, and the candidates as they were loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .candidates import Candidate
from .dataset import Dataset
from .formats import versions
from .process import Worker, WorkerError
from .progress import Board
from .settings import Settings, fit
from .store import Store, content, fingerprint
from .variants import Variant


@dataclass(frozen=True)
class Setup:
    """A comparison that has begun.

    `folder` holds what it measures. `images` are the paths that it measures on, `checked` those that the boxes of fewer
    bits are looked for on. `variants` has the precisions of each format, `defaults` the names of what runtimes compute
    with by themselves.
    """

    settings: Settings
    dataset: Dataset | None
    images: list[str]
    checked: list[str]
    folder: Path
    store: Store
    threads: int
    environment: dict[str, str]
    board: Board
    variants: dict[str, list[Variant]]
    defaults: dict[str, str]

    def worker(self, name: str, opening: tuple[str, dict[str, Any]] | None = None) -> Worker:
        """A new process whose output goes to a log of this name."""
        return Worker(self.folder / "logs" / f"{name}.log", self.environment, opening)


@dataclass(frozen=True)
class Model:
    """A loaded candidate: `folder` holds its weights, torch's outputs and its exports; `trainings` made the weights."""

    candidate: Candidate
    facts: dict[str, Any]
    folder: Path
    key: str
    trainings: Sequence[dict[str, Any]] = ()

    @property
    def name(self) -> str:
        return self.candidate.name

    @property
    def weights(self) -> Path:
        return self.folder / f"{self.candidate.stem}.pt"

    @property
    def reference(self) -> Path:
        return self.folder / "torch.npz"

    @property
    def pictures(self) -> list[Path]:
        """What torch finds on each image, drawn."""
        return sorted(self.folder.glob("picture*.jpg"))

    @property
    def accurate(self) -> bool:
        """Whether it has weights whose accuracy means something."""
        return self.candidate.trained


def load_all(candidates: Sequence[Candidate], setup: Setup) -> list[Model]:
    """Load every candidate, unless that was done before.

    Raises:
        ValueError: one cannot be loaded, its stride does not divide the image size, or it knows other classes.
    """
    setup.board.note("loading the models")
    models = [load(candidate, setup) for candidate in candidates]
    for model in models:
        name, classes = model.candidate.source, model.facts["nc"]
        fit(setup.settings.imgsz, model.facts["stride"], f"{name}'s stride {model.facts['stride']}")
        if setup.dataset and model.accurate and classes != setup.dataset.classes:
            raise ValueError(
                f"{name} knows {classes} classes, but {setup.dataset.source} has {setup.dataset.classes}; "
                "compare it on the data that it was trained for"
            )
    return models


def load(candidate: Candidate, setup: Setup, trainings: Sequence[dict[str, Any]] = ()) -> Model:
    """Load one candidate, unless that was done before."""
    imgsz, conf, images = setup.settings.imgsz, setup.settings.conf, setup.images
    file = content(candidate.file)
    key = fingerprint(candidate.name, file, candidate.source, imgsz, conf, images, versions("torch"))
    model = Model(candidate, {}, setup.folder / f"{candidate.stem}-{key}", key, trainings)
    facts = setup.store.get(f"model/{key}")
    if facts is None or not (model.weights.exists() and model.reference.exists() and model.pictures):
        model.folder.mkdir(exist_ok=True)
        source = str(candidate.file.resolve()) if candidate.trained else candidate.source
        files = {"weights": str(model.weights), "reference": str(model.reference)}
        try:
            with setup.worker(f"{candidate.stem}-model") as worker:
                facts = worker.ask(
                    "prepare", setup.settings.timeout, source=source, imgsz=imgsz, conf=conf, images=images, **files
                )
        except WorkerError as error:
            said = str(error)
            where = "" if said.startswith(candidate.source) else f"{candidate.source}: "
            raise ValueError(where + said) from error
        if "gflops" in facts:  # the image size fits its stride
            setup.store.put(f"model/{key}", facts)
    return Model(candidate, facts, model.folder, key, trainings)
