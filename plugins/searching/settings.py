"""What a search is asked for; nothing heavy is imported, so that the command line can take its defaults here."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..comparing import fit


@dataclass(frozen=True)
class Settings:
    """How blocks are tried, measured and chosen.

    Attributes:
        runtime: One of `comparing.RUNTIMES`.
        budget_ms: Milliseconds that the model may take, or
        faster: as how many times as fast as the given one it must be.
        blocks: What is tried, as `candidates.candidates` reads it.
        images: A folder, for a trained `.pt`: what blocks are worth is then what they learn of what they replace.
        steps: That each block is taught for.
        imgsz: Side of the square image, in pixels.
        threads: Of the runtime; by default all cores but one, at least one.
        cpu_time: Time the processor's work, with one thread, where the machine is busy with other things.
        rounds: How many times each network is timed, in turns with the others.
        folder: Where what was measured is kept; a second run goes on from there.
        force: Replace the YAML to write if it exists.

    Raises:
        ValueError: a number out of its range, or not one budget.
    """

    runtime: str = "onnx"
    budget_ms: float | None = None
    faster: float | None = None
    blocks: Sequence[str] = ()
    images: Path | None = None
    steps: int = 120
    imgsz: int = 640
    threads: int = max(1, (os.cpu_count() or 2) - 1)
    cpu_time: bool = False
    rounds: int = 20
    folder: Path = Path("yolo-plugins-search")
    force: bool = False

    def __post_init__(self) -> None:
        if (self.budget_ms is None) == (self.faster is None):
            raise ValueError("give a budget: --budget-ms 20, or --faster 2.5 for 2.5 times as fast")
        if self.budget_ms is not None and not self.budget_ms > 0:
            raise ValueError(f"--budget-ms {self.budget_ms:g} must be above 0")
        if self.faster is not None and not self.faster >= 1:
            raise ValueError(f"--faster {self.faster:g} must be at least 1")
        for name in ("steps", "threads", "rounds"):
            if getattr(self, name) < 1:
                raise ValueError(f"--{name} {getattr(self, name)} must be at least 1")
        if self.cpu_time and self.threads > 1:
            raise ValueError("--cpu-time is the work of all threads together: give --threads 1 with it")
        fit(self.imgsz, 32, "the stride 32")

    def limit(self, stock: float) -> float:
        """The budget in milliseconds, for a stock model that takes so many."""
        return self.budget_ms if self.budget_ms is not None else stock / float(self.faster or 1)
