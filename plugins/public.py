"""Everything that `yolo_plugins.<name>` gives, and the registration of the pack's own blocks."""

from .activation import HSwish, activation
from .attention import SE, SqueezeExcite
from .comparing.comparison import compare
from .conv import ConvBNAct, DWConv, GroupConv
from .costs import Cost, cost
from .fusing import fuse
from .geometry import make_divisible
from .ghost import GhostBottleneck, GhostConv
from .mobilenet import InvertedResidual
from .networks.ghostnet import GhostNetStage, ghostnet
from .networks.mobilenetv3 import MobileNetV3Stage, mobilenet_v3
from .networks.shufflenet import ShuffleNetV1Stage, shufflenet_v1
from .networks.weights import convert_weights
from .registry import BLOCKS, register, unregister
from .repghost import RepGhostConv, RepGhostStage
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
    "Cost",
    "DWConv",
    "GhostBottleneck",
    "GhostConv",
    "GhostNetStage",
    "GroupConv",
    "HSwish",
    "InvertedResidual",
    "Match",
    "MobileNetV3Stage",
    "RepGhostConv",
    "RepGhostStage",
    "Report",
    "Schedule",
    "ShuffleNetV1Stage",
    "ShuffleUnit",
    "SqueezeExcite",
    "TransplantReport",
    "activation",
    "channel_shuffle",
    "compare",
    "convert_weights",
    "cost",
    "fuse",
    "ghostnet",
    "make_divisible",
    "mobilenet_v3",
    "register",
    "replace",
    "shufflenet_v1",
    "transplant",
    "unregister",
]

for _block in (
    ConvBNAct,
    GroupConv,
    DWConv,
    GhostConv,
    GhostBottleneck,
    RepGhostConv,
    ShuffleUnit,
    SE,
    SqueezeExcite,
    InvertedResidual,
    HSwish,
    C2fGhost,
    C2fDW,
    C2fShuffle,
    C2fSE,
    RepGhostStage,
    GhostNetStage,
    ShuffleNetV1Stage,
    MobileNetV3Stage,
):
    register(_block)
