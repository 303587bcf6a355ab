"""How long a transplant teaches, and what it says of each block at the end."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from ..tables import columns

Progress = Callable[[str, int, int, float], None]
"""Called after each step with phase, step, steps and loss."""


@dataclass(frozen=True)
class Schedule:
    """How long and how fast: steps of a batch each, AdamW's learning rates (cosine, after a short warm-up), the seed.

    `outputs` and `features` weigh the model's outputs and its feature maps in the joint steps. `recalibration` is in
    batches.
    """

    block_steps: int = 80
    joint_steps: int = 1200
    block_lr: float = 1e-2
    joint_lr: float = 3e-3
    outputs: float = 1.0
    features: float = 1.0
    recalibration: int = 40
    seed: int = 0


@dataclass
class TransplantReport:
    """Share of its target's variance that each block explains: alone, on the teacher's inputs, after the block steps;
    and at the end, in its place, on what the blocks before it make. And how many of the student's tensors are the
    teacher's, of how many, and a sentence on its classes, where they are others."""

    alone: dict[str, float]
    in_place: dict[str, float] = field(default_factory=dict)
    copied: tuple[int, int] = (0, 0)
    classes: str = ""

    def __str__(self) -> str:
        rows = [["block", "explained alone", "in place"]]
        rows += [[n, f"{v:.1%}", f"{self.in_place.get(n, math.nan):.1%}"] for n, v in self.alone.items()]
        copied, tensors = self.copied
        lines = [columns(rows, right=[1, 2]), "", f"{copied} of {tensors} tensors copied from the teacher"]
        return "\n".join([*lines, self.classes] if self.classes else lines)
