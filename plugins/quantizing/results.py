"""What came of a quantisation: the file, which layers stayed float and what each would have cost, and the accuracy."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Kept:
    """A convolution left in 32 bits; `error` is how far the outputs move, relatively, with it alone in 8 bits."""

    layer: str
    error: float


@dataclass(frozen=True)
class Quantized:
    """An exported model in 8 bits.

    `before` and `after` are its accuracy in 32 and in 8 bits by Ultralytics' `val`, as `training.runs.validate` gives
    it (`map`, of masks for segmentation, `box_map` then, and `map50`), and empty where there were no labels.
    """

    file: Path
    layers: int
    kept_float: list[Kept] = field(default_factory=list)
    before: dict[str, float] = field(default_factory=dict)
    after: dict[str, float] = field(default_factory=dict)

    @property
    def loss(self) -> float | None:
        """Largest loss of mAP50-95, of boxes or masks, from 0 to 1; None where it was not measured."""
        return loss(self.before, self.after) if self.after else None


def loss(before: dict[str, float], after: dict[str, float]) -> float:
    """How much lower the worse of boxes' and masks' mAP50-95 is."""
    return max(before[key] - after[key] for key in ("map", "box_map") if key in before)
