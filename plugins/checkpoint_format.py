"""Checkpoints as a format: they hold class paths, and every path that a release has written must go on resolving.

A class that moves leaves its name behind in the old module (`from .new import GhostConv`); its old path stays here, its
new one is added. Nothing here needs torch.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

CLASS_PATHS = (
    "yolo_plugins.activation.HSwish",
    "yolo_plugins.attention.SE",
    "yolo_plugins.attention.SqueezeExcite",
    "yolo_plugins.classify.ClassifyHead",
    "yolo_plugins.conv.ConvBNAct",
    "yolo_plugins.conv.DWConv",
    "yolo_plugins.conv.GroupConv",
    "yolo_plugins.dfl.ExpectedDistance",
    "yolo_plugins.ghost.GhostBottleneck",
    "yolo_plugins.ghost.GhostConv",
    "yolo_plugins.lite_heads.LiteDetect",
    "yolo_plugins.lite_heads.LiteProto",
    "yolo_plugins.lite_heads.LiteSegment",
    "yolo_plugins.mobilenet.InvertedResidual",
    "yolo_plugins.networks.ghostnet.GhostNetStage",
    "yolo_plugins.networks.mobilenetv3.MobileNetV3Stage",
    "yolo_plugins.networks.network.Classifier",
    "yolo_plugins.networks.network.Network",
    "yolo_plugins.networks.shufflenet.ShuffleNetV1Stage",
    "yolo_plugins.repghost.RepGhostConv",
    "yolo_plugins.repghost.RepGhostStage",
    "yolo_plugins.shuffle.ShuffleUnit",
    "yolo_plugins.stages.Bottleneck",
    "yolo_plugins.stages.C2fDW",
    "yolo_plugins.stages.C2fGhost",
    "yolo_plugins.stages.C2fSE",
    "yolo_plugins.stages.C2fShuffle",
)
"""Where checkpoints of this or an earlier release look for our classes."""


def resolve(path: str) -> type[Any]:
    """The class that a checkpoint means by a path."""
    module, _, name = path.rpartition(".")
    cls: type[Any] = getattr(import_module(module), name)
    return cls


def row_names() -> set[str]:
    """What YAML rows may name after `plugins.`: the pack's classes, and those that other installed packages offer."""
    offered = {entry.name for entry in entry_points(group="yolo_plugins.blocks")}
    return {path.rpartition(".")[2] for path in CLASS_PATHS} | offered


def other_version(what: object) -> str:
    """What to say of something that this release does not have."""
    from . import __version__

    return (
        f"yolo-plugins {__version__} has no {what}; a checkpoint that needs it was made by another version: "
        "pip install -U yolo-plugins"
    )


class _MissingModules:
    """Found after all other finders, so only for modules that do not exist.

    Ultralytics would otherwise take the path in a checkpoint for a package and try to install it from the index.
    """

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name.startswith(f"{__package__}.") and not name.endswith("__"):
            raise ImportError(other_version(name), name=name)


def name_missing_modules() -> None:
    """Have the import of a module that this release lacks say so in one sentence."""
    if not any(type(finder).__name__ == _MissingModules.__name__ for finder in sys.meta_path):
        sys.meta_path.append(_MissingModules())
