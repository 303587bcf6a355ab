"""MobileNetV3 (1905.02244), tables 1 and 2. Batch norms have ε = 0.001 and momentum 0.01, as the paper's."""

from __future__ import annotations

from typing import ClassVar

from torch import nn

from ..blocks.conv import ConvBNAct
from ..blocks.geometry import make_divisible
from ..blocks.mobilenet import InvertedResidual
from ..blocks.registry import register
from .imagenet import load_pretrained
from .network import TOP, Network, NetworkStage, Row, require_stage, require_width

HS = "hardswish"
STEM = 16
STAGES: dict[str, tuple[tuple[Row, ...], ...]] = {
    "large": (
        (Row(3, 16, 16, 0, 1),),
        (Row(3, 64, 24, 0, 2),),
        (Row(3, 72, 24, 0, 1),),
        (Row(5, 72, 40, 0.25, 2),),
        (Row(5, 120, 40, 0.25, 1), Row(5, 120, 40, 0.25, 1)),
        (Row(3, 240, 80, 0, 2, HS),),
        (
            Row(3, 200, 80, 0, 1, HS),
            Row(3, 184, 80, 0, 1, HS),
            Row(3, 184, 80, 0, 1, HS),
            Row(3, 480, 112, 0.25, 1, HS),
            Row(3, 672, 112, 0.25, 1, HS),
        ),
        (Row(5, 672, 160, 0.25, 2, HS),),
        (Row(5, 960, 160, 0.25, 1, HS), Row(5, 960, 160, 0.25, 1, HS)),
    ),
    "small": (
        (),
        (Row(3, 16, 16, 0.25, 2),),
        (),
        (Row(3, 72, 24, 0, 2),),
        (Row(3, 88, 24, 0, 1),),
        (Row(5, 96, 40, 0.25, 2, HS),),
        (
            Row(5, 240, 40, 0.25, 1, HS),
            Row(5, 240, 40, 0.25, 1, HS),
            Row(5, 120, 48, 0.25, 1, HS),
            Row(5, 144, 48, 0.25, 1, HS),
        ),
        (Row(5, 288, 96, 0.25, 2, HS),),
        (Row(5, 576, 96, 0.25, 1, HS), Row(5, 576, 96, 0.25, 1, HS)),
    ),
}
LAST = 6  # times the channels of the last map
HIDDEN = {"large": 1280, "small": 1024}


@register(
    "network",
    source="MobileNetV3, 1905.02244",
    example={"c1": 24, "stage": 3},
)
class MobileNetV3Stage(NetworkStage):
    """Stage 0–8 of MobileNetV3, at strides 2, 4, 4, 8, 8, 16, 16, 32, 32, or 9, the classifier's layers.

    The paper has nothing for stage 2 of the small one.

    Shape: (B, c1, H, W) → (B, c2, ⌈H/s⌉, ⌈W/s⌉) with the paper's channels c2. Source: 1905.02244, tables 1 and 2.

    Weak: channels are those of the paper's table: it fits behind the stage before alone, and does not scale with the
        model's width.

    Raises:
        ValueError: as `NetworkStage`, a variant other than large and small, or a width that makes zero channels.
    """

    published: ClassVar = {
        ("large", 1.0): ("torchvision", "mobilenet_v3_large"),
        ("small", 1.0): ("torchvision", "mobilenet_v3_small"),
    }
    eps = 1e-3
    momentum = 0.01

    def __init__(self, c1: int, stage: int, variant: str = "large", width: float = 1.0) -> None:
        super().__init__(c1, stage, variant, width)

    @classmethod
    def out_channels(cls, stage: int, variant: str = "large", width: float = 1.0) -> int:
        require_stage(cls.__name__, stage)
        if not isinstance(variant, str) or variant not in STAGES:
            raise ValueError(f"{cls.__name__}: variant={variant!r} is not one of {', '.join(STAGES)}")
        require_width(cls.__name__, width, STEM)
        if stage == TOP:
            return make_divisible(HIDDEN[variant] * width, 8)
        rows = [row for rows in STAGES[variant][: stage + 1] for row in rows]
        return make_divisible((rows[-1].c2 if rows else STEM) * width, 8)

    @classmethod
    def layers(cls, c1: int, stage: int, variant: str = "large", width: float = 1.0) -> list[nn.Module]:
        def scaled(c: int) -> int:
            return make_divisible(c * width, 8)

        if stage == TOP:
            c, c2 = LAST * c1, cls.out_channels(stage, variant, width)
            return [ConvBNAct(c1, c, act=HS), nn.AdaptiveAvgPool2d(1), nn.Conv2d(c, c2, 1), nn.Hardswish()]
        layers: list[nn.Module] = []
        if stage == 0:
            layers.append(ConvBNAct(c1, scaled(STEM), 3, 2, act=HS))
            c1 = scaled(STEM)
        for row in STAGES[variant][stage]:
            c2, mid = scaled(row.c2), scaled(row.mid)
            layers.append(InvertedResidual(c1, c2, row.s, k=row.k, se=row.se, act=row.act, mid=mid))
            c1 = c2
        return layers

    @classmethod
    def describe(cls, variant: str = "large", width: float = 1.0) -> str:
        return f"MobileNetV3 {variant} {width:g}×"


def mobilenet_v3(
    variant: str = "large",
    width: float = 1.0,
    num_classes: int | None = None,
    in_channels: int = 3,
    features_only: bool = False,
    pretrained: bool = False,
) -> Network:
    """MobileNetV3 (1905.02244): 5,483,032 (large) or 2,542,856 (small) parameters at width 1.0 and 1000 classes.

    Args:
        variant: "large" or "small".
        width: Multiplies the channels of every row, rounded to multiples of 8.
        num_classes, in_channels, features_only: As for `Network`.
        pretrained: Fetch torchvision's ImageNet weights (width 1.0); images are then normalised by ImageNet's mean and
            deviation. A classifier of other than 1000 classes starts at random.

    Raises:
        ValueError: another variant, an impossible width or count, classes together with `features_only`, or weights
            that nobody publishes.
        RuntimeError: the weights cannot be fetched.
    """
    network = Network(MobileNetV3Stage, (variant, width), in_channels, num_classes, features_only, dropout=0.2)
    return load_pretrained(network) if pretrained else network
