"""Ultralytics' heads made light: their branches replaced, and shared within each half."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Sequence
from typing import Any, cast

import ultralytics
from torch import Tensor, nn
from ultralytics.nn.modules import DFL, Detect, head

from ..blocks.geometry import require_odd, require_positive
from .branches import LightBranches

HALF = "one2one_stem"
"""What the branches of an end-to-end head's one-to-one half share, where those of the other share a `stem`."""


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
        """As Ultralytics' head; of a head of one half, on maps that have passed what its branches share."""
        return super().forward(x if HALF in self._modules else self._stemmed("stem", x))  # type: ignore[misc]

    def forward_head(self, x: list[Tensor], box_head: nn.Module | None = None, *heads: Any, **more: Any) -> Any:
        """One half, as Ultralytics' from 8.4 on; of two halves, each on maps that have passed what its own branches
        share."""
        given = x
        if HALF in self._modules and box_head is not None:
            x = self._stemmed(HALF if box_head is self._modules.get("one2one_cv2") else "stem", x)
        found = super().forward_head(x, box_head, *heads, **more)  # type: ignore[misc]
        return {**found, "feats": given} if found and x is not given else found

    def _stemmed(self, name: str, x: list[Tensor]) -> list[Tensor]:
        stem: Any = self._modules.get(name)  # checkpoints of 0.1 have none
        return x if stem is None else [layers(m) for layers, m in zip(stem, x, strict=True)]

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
        of an end-to-end head begins as a copy of the other, as Ultralytics' does, with what its branches share: a box
        apiece is not read off maps that were made for many.

        Raises:
            ValueError: a `reg_max` below 1, or two halves that share something each where the release cannot.
        """
        require_positive(type(self).__name__, reg_max=reg_max)
        first = make.c1[0]
        boxes = max(first // 4, 4 * reg_max, 16) if reg_max > 1 else first
        self.reg_max, self.no = reg_max, self.nc + 4 * reg_max
        self.dfl = DFL(reg_max) if reg_max > 1 else nn.Identity()
        if make.shares:
            self.stem = make.stem()
            if self.halves == 2:
                self._require_halves(make.form)
                setattr(self, HALF, self.stem)  # `mirror` copies it
        for name, (hidden, c2) in {"cv2": (boxes, 4 * reg_max), "cv3": (first, self.nc), **more}.items():
            setattr(self, name, make(hidden, c2))
        self.mirror()

    @property
    def halves(self) -> int:
        """How many there are: one, or two of a head that is end to end."""
        return 1 + any(name.startswith("one2one_") for name in self._modules)

    def _require_halves(self, form: str) -> None:
        if not hasattr(super(), "forward_head"):
            raise ValueError(
                f'{type(self).__name__}: form="{form}" of two halves needs Ultralytics 8.4 or newer, and this is '
                f'{ultralytics.__version__}; write "separate", or pip install -U ultralytics'
            )

    def mirror(self) -> None:
        """Make the one-to-one half, where there is one, from the one-to-many half."""
        for name in [name for name in self._modules if name.startswith("one2one_")]:
            setattr(self, name, copy.deepcopy(getattr(self, name.removeprefix("one2one_"))))
