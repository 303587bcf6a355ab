"""GhostNet (1911.11907), table 1."""

from __future__ import annotations

from typing import ClassVar

from torch import nn

from ..blocks.conv import ConvBNAct
from ..blocks.geometry import make_divisible
from ..blocks.ghost import GhostBottleneck
from ..blocks.registry import register
from .imagenet import load_pretrained
from .network import TOP, Network, NetworkStage, Row, require_stage, require_width

STEM = 16
STAGES = (
    (Row(3, 16, 16, 0, 1),),
    (Row(3, 48, 24, 0, 2),),
    (Row(3, 72, 24, 0, 1),),
    (Row(5, 72, 40, 0.25, 2),),
    (Row(5, 120, 40, 0.25, 1),),
    (Row(3, 240, 80, 0, 2),),
    (
        Row(3, 200, 80, 0, 1),
        Row(3, 184, 80, 0, 1),
        Row(3, 184, 80, 0, 1),
        Row(3, 480, 112, 0.25, 1),
        Row(3, 672, 112, 0.25, 1),
    ),
    (Row(5, 672, 160, 0.25, 2),),
    (Row(5, 960, 160, 0, 1), Row(5, 960, 160, 0.25, 1), Row(5, 960, 160, 0, 1), Row(5, 960, 160, 0.25, 1)),
)
LAST, HIDDEN = 960, 1280


@register(
    "network",
    source="GhostNet, 1911.11907",
    example={"c1": 24, "stage": 3},
)
class GhostNetStage(NetworkStage):
    """Stage 0–8 of GhostNet, at strides 2, 4, 4, 8, 8, 16, 16, 32, 32, or 9, the classifier's layers.

    Shape: (B, c1, H, W) → (B, c2, ⌈H/s⌉, ⌈W/s⌉) with the paper's channels c2. Source: GhostNet, 1911.11907, table 1.

    Weak: channels are those of the paper's table: it fits behind the stage before alone, and does not scale with the
        model's width.

    Raises:
        ValueError: as `NetworkStage`, or a width that makes zero channels.
    """

    published: ClassVar = {(1.0,): ("timm", "ghostnet_100")}

    def __init__(self, c1: int, stage: int, width: float = 1.0) -> None:
        super().__init__(c1, stage, width)

    @classmethod
    def out_channels(cls, stage: int, width: float = 1.0) -> int:
        require_stage(cls.__name__, stage)
        require_width(cls.__name__, width, STEM)
        return HIDDEN if stage == TOP else make_divisible(STAGES[stage][-1].c2 * width, 4)

    @classmethod
    def layers(cls, c1: int, stage: int, width: float = 1.0) -> list[nn.Module]:
        def scaled(c: int) -> int:
            return make_divisible(c * width, 4)

        if stage == TOP:
            c = scaled(LAST)
            return [ConvBNAct(c1, c), nn.AdaptiveAvgPool2d(1), nn.Conv2d(c, HIDDEN, 1), nn.ReLU()]
        layers: list[nn.Module] = []
        if stage == 0:
            layers.append(ConvBNAct(c1, scaled(STEM), 3, 2))
            c1 = scaled(STEM)
        for row in STAGES[stage]:
            layers.append(GhostBottleneck(c1, scaled(row.c2), scaled(row.mid), row.k, row.s, row.se))
            c1 = scaled(row.c2)
        return layers

    @classmethod
    def describe(cls, width: float = 1.0) -> str:
        return f"GhostNet {width:g}×"


def ghostnet(
    width: float = 1.0,
    num_classes: int | None = None,
    in_channels: int = 3,
    features_only: bool = False,
    pretrained: bool = False,
) -> Network:
    """GhostNet (1911.11907): 5,182,508 parameters and 141 M multiply-adds at width 1.0, 224×224, 1000 classes.

    Args:
        width: Multiplies the channels of every row, rounded to multiples of 4.
        num_classes, in_channels, features_only: As for `Network`.
        pretrained: Fetch timm's ImageNet weights (width 1.0); images are then normalised by ImageNet's mean and
            deviation. A classifier of other than 1000 classes starts at random.

    Raises:
        ValueError: an impossible width or count, classes together with `features_only`, or weights that nobody
            publishes.
        RuntimeError: the weights cannot be fetched.
    """
    network = Network(GhostNetStage, (width,), in_channels, num_classes, features_only, dropout=0.2)
    return load_pretrained(network) if pretrained else network
