"""What the networks share: stages that are also YAML rows, the classifier or feature maps on top, refusals.

A network is cut where YOLOv8's backbone is, so that stage i is row i of a model YAML and tensors have the same names in
both: stages 0–8 lie at strides 2, 4, 4, 8, 8, 16, 16, 32, 32, and stage 9 is what the classifier has before its linear
layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from ..blocks.geometry import require_number, require_positive
from ..blocks.registry import part
from ..blocks.signature import is_count

TOP = 9
"""The stage after the last map: a classifier's layers up to the global pool and its hidden layer."""

MAPS = (4, 6, 8)
"""The stages whose maps a detector takes."""

STRIDES = (8, 16, 32)


class Row(NamedTuple):
    """A bottleneck of a table: kernel, expansion size, output channels, SE ratio, stride, activation."""

    k: int
    mid: int
    c2: int
    se: float
    s: int
    act: str = "relu"


class NetworkStage(nn.Sequential):
    """Rows of a published network that lie between two cuts; a subclass holds the table.

    Shape: (B, c1, H, W) → (B, `out_channels(stage, …)`, ⌈H/s⌉, ⌈W/s⌉), s = 2 in stages 0, 1, 3, 5 and 7, else 1;
    stage 9 gives 1×1.

    Raises:
        ValueError: a stage other than 0–9, options that the network does not have, or c1 that the stage before does not
            give.
    """

    published: ClassVar[dict[tuple[Any, ...], tuple[str, str]]]
    """Options for which ImageNet weights exist → package and name there."""

    eps = 1e-5
    momentum = 0.1

    def __init__(self, c1: int, stage: int, *options: Any) -> None:
        require_positive(type(self).__name__, c1=c1)
        own = self.out_channels(stage, *options)
        expected = self.out_channels(stage - 1, *options) if stage else c1
        if c1 != expected:
            raise ValueError(
                f"{type(self).__name__}: stage {stage} of {self.describe(*options)} takes {expected} channels "
                f"and gives {own}, got c1={c1}"
            )
        try:
            layers = self.layers(c1, stage, *options)
        except ValueError as error:
            raise ValueError(f"{self.describe(*options)} cannot be built: {error}") from error
        super().__init__(*(layers or [nn.Identity()]))
        self.stage, self.options = stage, options
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eps, module.momentum = self.eps, self.momentum

    @classmethod
    def out_channels(cls, stage: int, *options: Any) -> int:
        """Channels that a stage gives."""
        raise NotImplementedError

    @classmethod
    def layers(cls, c1: int, stage: int, *options: Any) -> list[nn.Module]:
        """The stage's layers, in the order in which they run."""
        raise NotImplementedError

    @classmethod
    def describe(cls, *options: Any) -> str:
        """The network's name with its options, for messages."""
        raise NotImplementedError


@part
class Classifier(nn.Module):
    """Flatten → dropout → linear, on the 1×1 map of stage 9.

    Shape: (B, c1, 1, 1) → (B, classes).
    """

    def __init__(self, c1: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.drop = nn.Dropout(dropout)
        self.linear = nn.Linear(c1, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.drop(x.flatten(1)))


@part
class Network(nn.Module):
    """A published network: an ImageNet classifier, or its maps at strides 8, 16 and 32.

    `channels` and `strides` describe these maps. Parameters are named as in a model made of the same YAML rows.

    Shape: (B, in_channels, H, W) → (B, num_classes) logits, or three maps (B, c, ⌈H/s⌉, ⌈W/s⌉).

    Args:
        stage: The table that it is built from.
        options: What the table takes beside channels and stage.
        in_channels: Channels of the image.
        num_classes: Classes; 1000 by default.
        features_only: Give the maps at strides 8, 16 and 32 in place of logits; their channels are `.channels`.
        dropout: Before the linear layer.

    Raises:
        ValueError: a count below 1, or classes given together with `features_only`.
    """

    def __init__(
        self,
        stage: type[NetworkStage],
        options: Sequence[Any],
        in_channels: int = 3,
        num_classes: int | None = None,
        features_only: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.name, self.stage, self.options = stage.describe(*options), stage, tuple(options)
        if features_only and num_classes is not None:
            raise ValueError(
                f"{self.name}: features_only=True leaves out the classifier, so num_classes={num_classes} has no use"
            )
        classes = 1000 if num_classes is None else num_classes
        require_positive(self.name, in_channels=in_channels, num_classes=classes)
        self.in_channels, self.features_only = in_channels, features_only
        self.channels = tuple(stage.out_channels(i, *options) for i in MAPS)
        self.strides = STRIDES
        layers: list[nn.Module] = []
        c = in_channels
        for i in range(TOP if features_only else TOP + 1):
            layers.append(stage(c, i, *options))
            c = stage.out_channels(i, *options)
        self.model = nn.Sequential(*layers, *([] if features_only else [Classifier(c, classes, dropout)]))

    def forward(self, x: Tensor) -> Tensor | list[Tensor]:
        if not torch.jit.is_tracing() and x.shape[1] != self.in_channels:
            raise ValueError(
                f"{self.name} was built for {self.in_channels} input channels, got {x.shape[1]} "
                f"in a batch of shape {tuple(x.shape)}"
            )
        if not self.features_only:
            return self.model(x)
        maps = []
        for i, stage in enumerate(self.model):
            x = stage(x)
            if i in MAPS:
                maps.append(x)
        return maps


def require_stage(block: str, stage: int) -> None:
    """Refuse a stage that networks are not cut into.

    Raises:
        ValueError: naming the block and the stage.
    """
    if not is_count(stage) or not 0 <= stage <= TOP:
        raise ValueError(f"{block}: stage={stage!r} is not one of 0 to {TOP}")


def require_width(block: str, width: float, narrowest: int) -> None:
    """Refuse widths that are no numbers, or leave no channels in the narrowest row.

    Raises:
        ValueError: naming the block, the width and the channels.
    """
    require_number(block, width=width)
    if not width > 0:
        raise ValueError(f"{block}: width={width!r} must be above 0")
    if int(narrowest * width) < 1:
        raise ValueError(
            f"{block}: width={width!r} makes zero channels of the {narrowest} in its narrowest row; "
            f"use at least {1 / narrowest:.4g}"
        )
