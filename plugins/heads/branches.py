"""What light heads are made of: branches of depthwise-separable convolutions, and how much of them tasks share."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from ..blocks.activation import Act
from ..blocks.conv import ConvBNAct
from ..blocks.registry import part

FORMS = {
    "separate": "each of boxes, classes and what else there is has a depthwise k×k and a 1×1 convolution of its own",
    "shared": "one depthwise k×k convolution of a map serves them all, its 1×1 convolutions do not",
    "merged": "one depthwise k×k and one 1×1 convolution of a map serve them all",
    "zero": "the outputs alone, 1×1 on the neck's maps (ZeroHead of DAMO-YOLO, 2211.15444)",
}
"""What lies between a map of the neck and the outputs."""

WIDTHS = "b = max(c1[0]//4, 4*reg_max, 16) if reg_max > 1 else c1[0]; r = 4*reg_max"
BOXES_AND_CLASSES = (
    "sum(2*k**2*c + 4*c + c*b + 2*b + b*r + r + c*c1[0] + 2*c1[0] + c1[0]*nc + nc for c in c1)"
    " + (reg_max if reg_max > 1 else 0)"
)
"""Formulas of the parameters of boxes and classes, each with a branch of its own."""


class LightBranches:
    """Makes a head's branches for maps of c1[i] channels; `merged` are the channels of a merged branch.

    Raises:
        ValueError: an unknown form.
    """

    def __init__(self, c1: Sequence[int], merged: int, k: int, act: Act, form: str) -> None:
        if form not in FORMS:
            raise ValueError(f"form={form!r} is none of {', '.join(FORMS)}")
        self.k, self.act, self.form = k, act, form
        self.c1 = list(c1)
        self.inputs = [merged] * len(self.c1) if form == "merged" else self.c1

    @property
    def shares(self) -> bool:
        return self.form in ("shared", "merged")

    def stem(self) -> nn.ModuleList:
        """What every map passes before its branches, of the forms that share something."""
        return nn.ModuleList(
            nn.Sequential(*separable(c, c2, self.k, self.act)[: 1 + (self.form == "merged")])
            for c, c2 in zip(self.c1, self.inputs, strict=True)
        )

    def __call__(self, hidden: int, c2: int) -> nn.ModuleList:
        """A branch for each map, of so many hidden channels and outputs; the last layer is a plain convolution."""
        # Flat, as Ultralytics looks for `[0].conv.in_channels` and `[-1].bias`.
        return nn.ModuleList(
            nn.Sequential(*self._layers(c, hidden), nn.Conv2d(out, c2, 1))
            for c, out in zip(self.inputs, self.widths(hidden), strict=True)
        )

    def features(self, hidden: int) -> nn.ModuleList:
        """Branches without their last layer, whose channels are `widths(hidden)`."""
        return nn.ModuleList(nn.Sequential(*self._layers(c, hidden)) for c in self.inputs)

    def widths(self, hidden: int) -> list[int]:
        """What each branch's last layer takes."""
        return self.inputs if self.form in ("merged", "zero") else [hidden] * len(self.inputs)

    def _layers(self, c: int, hidden: int) -> list[nn.Module]:
        # Always two, so that the outputs of every form have the name that stock's have.
        if self.form in ("merged", "zero"):
            return [Unchanged(c), nn.Identity()]
        depthwise, pointwise = separable(c, hidden, self.k, self.act)
        return [pointwise, nn.Identity()] if self.form == "shared" else [depthwise, pointwise]


def separable(c1: int, c2: int, k: int, act: Act) -> tuple[ConvBNAct, ConvBNAct]:
    """A depthwise k×k and a 1×1 convolution."""
    return ConvBNAct(c1, c1, k, g=c1, act=act), ConvBNAct(c1, c2, act=act)


@part
class Unchanged(nn.Identity):
    """Stands first in a branch without layers of its own, as Ultralytics asks a branch's first for its channels.

    Shape: (B, c, H, W) → the same.
    """

    def __init__(self, c: int) -> None:
        super().__init__()
        self.in_channels = c

    @property
    def conv(self) -> Unchanged:
        return self
