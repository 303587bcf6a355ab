"""What light heads are made of: branches of depthwise-separable convolutions, and how much of them tasks share."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Sequence
from typing import Any, cast

import ultralytics
from torch import Tensor, nn
from ultralytics.nn.modules import DFL, Detect, head

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


WIDTHS = "b = max(c1[0]//4, 4*reg_max, 16) if reg_max > 1 else c1[0]; r = 4*reg_max"
BOXES_AND_CLASSES = (
    "sum(2*k**2*c + 4*c + c*b + 2*b + b*r + r + c*c1[0] + 2*c1[0] + c1[0]*nc + nc for c in c1)"
    " + (reg_max if reg_max > 1 else 0)"
)
"""Formulas of the parameters of boxes and classes, each with a branch of its own."""


def parent(name: str) -> Any:
    """Ultralytics' head of that name; where the installed release has none, one that says so when it is built."""

    def __init__(self: Any, *_: Any, **__: Any) -> None:
        raise ValueError(
            f"{type(self).__name__} derives from {name}, which Ultralytics {ultralytics.__version__} has not: "
            "pip install -U ultralytics"
        )

    missing = {"__init__": __init__, "__module__": "ultralytics.missing"}
    return getattr(head, name, None) or type(name, (Detect,), missing)


class LightHead:
    """What makes a head of Ultralytics' light; stands before it among the bases.

    Ultralytics builds the head first, so that all its attributes are there; then its branches are replaced.
    """

    _modules: dict[str, nn.Module | None]

    def forward(self, x: list[Tensor]) -> Any:
        """As Ultralytics' head, on maps that have passed what its branches share."""
        stem: Any = self._modules.get("stem")  # checkpoints of 0.1 have none
        if stem is not None:
            x = [layers(m) for layers, m in zip(stem, x, strict=True)]
        return super().forward(x)  # type: ignore[misc]

    def build(self, c1: Sequence[int], k: int, end2end: bool = False, **own: Any) -> None:
        """Have Ultralytics build its head for maps of c1 channels, by the constructor that the installed release has.

        Raises:
            ValueError: a count below 1, an even kernel, or two halves where the release has heads of one.
        """
        name, init = type(self).__name__, cast("Any", super().__init__)
        counts = {key: value for key, value in own.items() if key != "kpt_shape"}
        require_positive(name, **counts, **{f"c1[{i}]": c for i, c in enumerate(c1)})
        require_odd(name, k=k)
        if end2end:
            if "end2end" not in inspect.signature(init).parameters:
                raise ValueError(
                    f"{name} cannot be end-to-end with Ultralytics {ultralytics.__version__}, which has no such "
                    f"{next(c.__name__ for c in type(self).__mro__ if c.__module__.startswith('ultralytics.'))}; "
                    "pip install -U ultralytics"
                )
            own["end2end"] = True
        init(ch=tuple(c1), **own)

    def lighten(self: Any, make: LightBranches, reg_max: int, **more: tuple[int, int]) -> None:
        """Put light branches, and the number of distances, in place of what is there.

        `more` are hidden channels and outputs of branches beside boxes and classes, by their name. The one-to-one half
        of an end-to-end head begins as a copy of the other, as Ultralytics' does.
        """
        require_positive(type(self).__name__, reg_max=reg_max)
        first = make.c1[0]
        boxes = max(first // 4, 4 * reg_max, 16) if reg_max > 1 else first
        self.reg_max, self.no = reg_max, self.nc + 4 * reg_max
        self.dfl = DFL(reg_max) if reg_max > 1 else nn.Identity()
        if make.shares:
            self.stem = make.stem()
        for name, (hidden, c2) in {"cv2": (boxes, 4 * reg_max), "cv3": (first, self.nc), **more}.items():
            setattr(self, name, make(hidden, c2))
        self.mirror()

    def mirror(self) -> None:
        """Make the one-to-one half, where there is one, from the one-to-many half."""
        for name in [name for name in self._modules if name.startswith("one2one_")]:
            setattr(self, name, copy.deepcopy(getattr(self, name.removeprefix("one2one_"))))

    def branches(self) -> list[str]:
        """Names of its parts that each make one map of one, as they are called in the stock head."""
        if "stem" in self._modules:
            return []
        return [
            f"{name}.{i}"
            for name, branches in self._modules.items()
            if name.startswith(("cv", "one2one_cv")) and isinstance(branches, nn.ModuleList)
            for i, branch in enumerate(branches)
            if isinstance(branch, nn.Sequential)
        ]


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
        if self.form in ("merged", "zero"):
            return [Unchanged(c)]
        return list(separable(c, hidden, self.k, self.act)[self.form == "shared" :])


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
