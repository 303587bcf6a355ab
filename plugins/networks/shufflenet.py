"""ShuffleNet V1 (1707.01083), table 1.

Narrower networks take ⌊c · width⌋ channels in the stem and every stage, as the paper's s× does; only groups 1 and 3
have whole groups at 0.5× and 0.25×.
"""

from __future__ import annotations

from typing import ClassVar

from torch import nn

from ..blocks.conv import ConvBNAct
from ..blocks.registry import register
from ..blocks.shuffle import ShuffleUnit
from .imagenet import load_pretrained
from .network import TOP, Network, NetworkStage, require_stage, require_width

STEM = 24
CHANNELS = {1: 144, 2: 200, 3: 240, 4: 272, 8: 384}
"""Output channels of the paper's stage 2 by groups; stages 3 and 4 have two and four times as many."""

UNITS = {3: 1, 4: 3, 5: 1, 6: 7, 7: 1, 8: 3}
"""Units of each stage; the first of 3, 5 and 7 has stride 2."""


@register(
    "network",
    source="ShuffleNet V1, 1707.01083",
    example={"c1": 240, "stage": 5},
)
class ShuffleNetV1Stage(NetworkStage):
    """Stage 0–8 of ShuffleNet V1, at strides 2, 4, 4, 8, 8, 16, 16, 32, 32, or 9, the global pool.

    Stages 0 and 1 are the stem's convolution and max pool; the paper has nothing for stage 2.

    Shape: (B, c1, H, W) → (B, c2, ⌈H/s⌉, ⌈W/s⌉) with the paper's channels c2. Source: 1707.01083, table 1.

    Weak: channels are those of the paper's table: it fits behind the stage before alone, and does not scale with the
        model's width.

    Raises:
        ValueError: as `NetworkStage`, groups other than 1, 2, 3, 4 and 8, or a width without whole groups.
    """

    published: ClassVar = {
        **{(groups, 1.0): ("pytorchcv", f"shufflenet_g{groups}_w1") for groups in (1, 2, 3, 4, 8)},
        **{(groups, 0.75): ("pytorchcv", f"shufflenet_g{groups}_w3d4") for groups in (1, 3)},
        **{(groups, 0.5): ("pytorchcv", f"shufflenet_g{groups}_wd2") for groups in (1, 3)},
        **{(groups, 0.25): ("pytorchcv", f"shufflenet_g{groups}_wd4") for groups in (1, 3)},
    }

    def __init__(self, c1: int, stage: int, groups: int = 3, width: float = 1.0) -> None:
        super().__init__(c1, stage, groups, width)

    @classmethod
    def out_channels(cls, stage: int, groups: int = 3, width: float = 1.0) -> int:
        require_stage(cls.__name__, stage)
        if isinstance(groups, bool) or not isinstance(groups, int) or groups not in CHANNELS:
            known = ", ".join(map(str, CHANNELS))
            raise ValueError(f"{cls.__name__}: groups={groups!r} is not supported; ShuffleNet V1 exists for {known}")
        require_width(cls.__name__, width, STEM)
        scale = 2 ** ((min(stage, TOP - 1) - 3) // 2)
        return int(STEM * width) if stage < 3 else int(CHANNELS[groups] * scale * width)

    @classmethod
    def layers(cls, c1: int, stage: int, groups: int = 3, width: float = 1.0) -> list[nn.Module]:
        c2 = cls.out_channels(stage, groups, width)
        if stage == 0:
            return [ConvBNAct(c1, c2, 3, 2)]
        if stage == 1:
            return [nn.MaxPool2d(3, 2, padding=1)]
        if stage == TOP:
            return [nn.AdaptiveAvgPool2d(1)]
        if stage in (3, 5, 7):
            return [ShuffleUnit(c1, c2, 2, groups, group_first=stage > 3)]
        return [ShuffleUnit(c1, c2, 1, groups) for _ in range(UNITS.get(stage, 0))]

    @classmethod
    def describe(cls, groups: int = 3, width: float = 1.0) -> str:
        return f"ShuffleNet V1 {width:g}× with {groups} groups"


def shufflenet_v1(
    groups: int = 3,
    width: float = 1.0,
    num_classes: int | None = None,
    in_channels: int = 3,
    features_only: bool = False,
    pretrained: bool = False,
) -> Network:
    """ShuffleNet V1 (1707.01083): 1,865,728 parameters and 137 M multiply-adds with 3 groups, 224×224, 1000 classes.

    Args:
        groups: Groups of the 1×1 convolutions: 1, 2, 3, 4 or 8.
        width: Multiplies the channels of stem and stages, rounded down.
        num_classes, in_channels, features_only: As for `Network`.
        pretrained: Fetch pytorchcv's ImageNet weights; images are then normalised by ImageNet's mean and deviation. A
            classifier of other than 1000 classes starts at random.

    Raises:
        ValueError: other groups, a width that leaves broken groups or no channels, classes together with
            `features_only`, or weights that nobody publishes.
        RuntimeError: the weights cannot be fetched.
    """
    network = Network(ShuffleNetV1Stage, (groups, width), in_channels, num_classes, features_only)
    return load_pretrained(network) if pretrained else network
