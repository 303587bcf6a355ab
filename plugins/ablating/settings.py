"""How an ablation is to go; nothing heavy is imported, so that the command line can take its defaults here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MOST = 5
"""Changes of which all combinations may be asked for."""


@dataclass(frozen=True)
class Settings:
    """How models are combined, trained and measured.

    Attributes:
        data: Data YAML, one that Ultralytics ships by its bare name, or a folder of classes for classification.
        train: Arguments of Ultralytics' training, such as `epochs`, `imgsz`, `batch` and `device`.
        seeds: How many times each model is trained, with the seeds 0, 1, 2, …
        every: All combinations of the changes, instead of one after another on top of the base.
        jobs: Runs at a time on this machine.
        ray: Address of a Ray cluster to spread the runs over; an empty one is that in RAY_ADDRESS, or this machine.
        rounds: How many times each network is timed, in turns with the others.
        threads: Of the runtime that is timed; by default all cores but one.
        output: Folder of the results, and of everything that is kept for going on after an interruption.

    Raises:
        ValueError: a number out of its range, or no data.
    """

    data: str
    train: Mapping[str, Any] = field(default_factory=dict)
    seeds: int = 3
    every: bool = False
    jobs: int = 1
    ray: str | None = None
    rounds: int = 50
    threads: int | None = None
    output: str = "ablation"

    def __post_init__(self) -> None:
        if not self.data:
            raise ValueError("an ablation trains: give its data, as in data=data.yaml")
        for name in ("seeds", "jobs", "rounds", "threads"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} {value} must be at least 1")
        if self.ray is not None and self.jobs > 1:
            raise ValueError(f"jobs {self.jobs} is for this machine; through Ray its cluster decides how many run")
        if not isinstance(imgsz := self.train.get("imgsz", 640), int):
            raise ValueError(f"imgsz={imgsz} must be one whole number, the side of square images")
