"""What light heads are made of: branches of depthwise-separable convolutions, and how much of them tasks share."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn
from ultralytics.nn.modules import DFL

from ..blocks.activation import Act
from ..blocks.conv import ConvBNAct
from ..blocks.geometry import require_odd, require_positive
from ..blocks.registry import part

FORMS = {
    "separate": "each of boxes, classes and what else there is has a depthwise k×k and a 1×1 convolution of its own",
    "shared": "one depthwise k×k convolution of a map serves them all, its 1×1 convolutions do not",
    "merged": "one depthwise k×k and one 1×1 convolution of a map serve them all",
    "zero": "the outputs alone, 1×1 on the neck's maps (ZeroHead of DAMO-YOLO, 2211.15444)",
}
"""What lies between a map of the neck and the outputs."""


class LightHead:
    """What makes a head of Ultralytics' light; stands before it among the bases.

    The head itself is built by Ultralytics first, so that all its attributes are there, and its branches are replaced.
    """

    _modules: dict[str, nn.Module | None]

    def forward(self, x: list[Tensor]) -> Any:
        """As Ultralytics' head, on maps that have passed what its branches share."""
        stem: Any = self._modules.get("stem")  # checkpoints of 0.1 have none
        return super().forward(x if stem is None else [layers(m) for layers, m in zip(stem, x, strict=True)])  # type: ignore[misc]

    def lighten(self: Any, c1: Sequence[int], reg_max: int, k: int, act: Act, form: str) -> LightBranches:
        """Put light branches for boxes and classes, and the number of distances, in place of what is there."""
        make = LightBranches(c1, max(c1[0], 4 * reg_max), k, act, form)
        self.reg_max = reg_max
        self.no = self.nc + 4 * reg_max
        self.dfl = DFL(reg_max) if reg_max > 1 else nn.Identity()
        boxes = max(c1[0] // 4, 4 * reg_max, 16) if reg_max > 1 else c1[0]
        if form in ("shared", "merged"):
            self.stem = make.stem()
        self.cv2 = make(boxes, 4 * reg_max)
        self.cv3 = make(c1[0], self.nc)
        return make

    def mirror(self) -> None:
        """Make the one-to-one half of an end-to-end head from its one-to-many half, as Ultralytics does."""
        for name in [name for name in self._modules if name.startswith("one2one_")]:
            setattr(self, name, copy.deepcopy(getattr(self, name.removeprefix("one2one_"))))

    def branches(self: Any) -> list[str]:
        """Names of its parts that each make one map of one, as they are called in the stock head."""
        own = [name for name in self._modules if name.startswith("cv")]
        return [f"{name}.{i}" for name in own for i in range(self.nl)]


class LightBranches:
    """Makes a head's branches for maps of c1[i] channels; `merged` are the channels of a merged branch.

    Raises:
        ValueError: an even kernel, or an unknown form.
    """

    def __init__(self, c1: Sequence[int], merged: int, k: int, act: Act, form: str) -> None:
        if form not in FORMS:
            raise ValueError(f"form={form!r} is none of {', '.join(FORMS)}")
        self.k, self.act, self.form = k, act, form
        self.c1 = list(c1)
        self.inputs = [merged] * len(self.c1) if form == "merged" else self.c1

    def stem(self) -> nn.ModuleList:
        """What every map passes before its branches, of the forms that share something."""
        return nn.ModuleList(
            nn.Sequential(*separable(c, c2, self.k, self.act)[: 1 + (self.form == "merged")])
            for c, c2 in zip(self.c1, self.inputs, strict=True)
        )

    def __call__(self, hidden: int, c2: int) -> nn.ModuleList:
        """A branch for each map, of so many hidden channels and outputs; the last layer is a plain convolution."""
        # Flat, as Ultralytics looks for `[0].conv.in_channels` and `[-1].bias`.
        return nn.ModuleList(nn.Sequential(*self._layers(c, hidden, c2)) for c in self.inputs)

    def _layers(self, c: int, hidden: int, c2: int) -> list[nn.Module]:
        if self.form in ("merged", "zero"):
            return [Unchanged(c), nn.Conv2d(c, c2, 1)]
        layers = separable(c, hidden, self.k, self.act)[self.form == "shared" :]
        return [*layers, nn.Conv2d(hidden, c2, 1)]


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


def require_maps(block: str, c1: Sequence[int], k: int, **counts: Any) -> None:
    """Refuse counts below 1, of maps' channels too, and even kernels.

    Raises:
        ValueError: naming the block, the argument and its value.
    """
    require_positive(block, **counts, **{f"c1[{i}]": c for i, c in enumerate(c1)})
    require_odd(block, k=k)
