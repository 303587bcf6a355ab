"""Light, plug-and-play blocks for YOLO and for any other torch model.

`import yolo_plugins` costs nothing: what a name stands for, and torch with it, is imported when it is first used.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

if __name__ != "yolo_plugins":
    # A second set of classes under another name would not be the ones that checkpoints refer to.
    raise ImportError(
        f"this folder was imported as {__name__!r}; its name is 'yolo_plugins': "
        "run `pip install -e .` in the folder above it, then `import yolo_plugins`"
    )

__version__ = "0.1.0"

FUNCTIONS = {
    "BLOCKS": "blocks.registry",
    "Budget": "comparing",
    "Cost": "inspection.costs",
    "Match": "swapping",
    "Report": "swapping",
    "Schedule": "transplanting",
    "Spec": "blocks.registry",
    "TransplantReport": "transplanting",
    "ablate": "ablating.ablation",
    "activation": "blocks.activation",
    "channel_shuffle": "blocks.shuffle",
    "compare": "comparing",
    "compose": "swapping",
    "convert_weights": "networks.weights",
    "cost": "inspection.costs",
    "fuse": "blocks.fusing",
    "ghostnet": "networks.ghostnet",
    "heatmap": "heatmaps",
    "make_divisible": "blocks.geometry",
    "mobilenet_v3": "networks.mobilenetv3",
    "quantize": "quantizing",
    "register": "blocks.registry",
    "replace": "swapping",
    "shufflenet_v1": "networks.shufflenet",
    "swap_yaml": "swapping",
    "transplant": "transplanting",
    "unregister": "blocks.registry",
}
"""What `yolo_plugins.<name>` gives beside the blocks, and where it is; blocks are found by themselves."""

ROOMS = ("blocks", "networks", "heads")
"""Where classes with a public name live, heads last, since they need Ultralytics."""


def __getattr__(name: str) -> Any:
    if name in FUNCTIONS:
        return getattr(import_module(f".{FUNCTIONS[name]}", __name__), name)
    if name == "__all__":
        return __dir__()
    if name.startswith("_"):
        raise AttributeError(f"module 'yolo_plugins' has no attribute {name!r}")
    for room in ROOMS:
        import_module(f".{room}", __name__)
        if found := import_module(".blocks.registry", __name__).PUBLIC.get(name):
            return found
    # An unpickler would put a message of its own in an AttributeError's place.
    kind = ImportError if sys._getframe(1).f_code.co_name == "find_class" else AttributeError
    raise kind(
        f"yolo-plugins {__version__} has no {name}; a checkpoint that needs it was made by another version: "
        "pip install -U yolo-plugins"
    )


def __dir__() -> list[str]:
    for room in ROOMS[:2]:
        import_module(f".{room}", __name__)
    return sorted([*FUNCTIONS, *import_module(".blocks.registry", __name__).PUBLIC])
