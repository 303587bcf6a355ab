"""Everything that `yolo_plugins.<name>` gives, and the registration of the pack's own blocks."""

from .activation import HSwish, activation
from .attention import SE, SqueezeExcite
from .conv import ConvBNAct, DWConv, GroupConv
from .fusing import fuse
from .geometry import make_divisible
from .ghost import GhostBottleneck, GhostConv
from .mobilenet import InvertedResidual
from .registry import BLOCKS, register, unregister
from .shuffle import ShuffleUnit, channel_shuffle
from .stages import C2fDW, C2fGhost, C2fSE, C2fShuffle
from .swapping import Match, Report, replace
from .transplanting import Schedule, TransplantReport, transplant

__all__ = [
    "BLOCKS",
    "SE",
    "C2fDW",
    "C2fGhost",
    "C2fSE",
    "C2fShuffle",
    "ConvBNAct",
    "DWConv",
    "GhostBottleneck",
    "GhostConv",
    "GroupConv",
    "HSwish",
    "InvertedResidual",
    "Match",
    "Report",
    "Schedule",
    "ShuffleUnit",
    "SqueezeExcite",
    "TransplantReport",
    "activation",
    "channel_shuffle",
    "fuse",
    "make_divisible",
    "register",
    "replace",
    "transplant",
    "unregister",
]

for _block in (
    ConvBNAct,
    GroupConv,
    DWConv,
    GhostConv,
    GhostBottleneck,
    ShuffleUnit,
    SE,
    SqueezeExcite,
    InvertedResidual,
    HSwish,
    C2fGhost,
    C2fDW,
    C2fShuffle,
    C2fSE,
):
    register(_block)
