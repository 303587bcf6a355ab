"""A model built and run without memory, on torch's meta device: the shapes of its rows at any scale, in a moment."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from ..blocks.registry import BLOCKS, PREFIX
from ..blocks.signature import SUPPLIED, signature_of
from ..rows.description import ModelYAMLError, image_channels, rows_of
from ..rows.errors import reason_of, row_problem
from ..rows.parsing import file_of
from .activation_key import refuse_code

IMAGE = 256
"""Side of the image with which Ultralytics measures a detector's strides while building it."""

TEXT = 512
"""Length of a class name's embedding in all models that take text."""

PROMPTED = {"C2fAttn", "ImagePoolingAttn", "WorldDetect", "YOLOEDetect", "YOLOESegment", "YOLOESegment26"}
"""Rows that take text besides maps."""

Shapes = list[tuple[int, ...]]


class RowError(Exception):
    """A row that cannot run on what it is given: its number, the reason, what it was given, and all maps so far."""

    def __init__(self, row: int, reason: str, inputs: Shapes, maps: list[Shapes]) -> None:
        super().__init__(f"row {row}: {reason}")
        self.row, self.reason, self.inputs, self.maps = row, reason, inputs, maps


def build(description: dict[str, Any]) -> nn.Sequential:
    """The rows of a model as layers on the meta device.

    Raises:
        ModelYAMLError: a row that cannot be built, or an `activation:` that is code.
    """
    from ultralytics.nn import tasks

    refuse_code(description, file_of(description))
    try:
        with torch.device("meta"), torch.no_grad():
            return tasks.parse_model(offline(description), ch=image_channels(description), verbose=False)[0]
    except ModelYAMLError:
        raise
    except Exception as error:
        raise ModelYAMLError(file_of(description), row_problem(error, description, tasks)) from error


def run(layers: nn.Sequential, channels: int, size: int = IMAGE) -> list[Shapes]:
    """Shapes of the maps that each row gives, from an image on the meta device.

    Raises:
        RowError: a row that cannot run on what it is given.
    """
    layers.eval()
    layers[-1].training = True  # as Ultralytics has heads give their maps
    maps: list[Any] = []
    with torch.device("meta"), torch.no_grad():
        x: Any = torch.zeros(1, channels, size, size)
        text = torch.zeros(1, getattr(layers[-1], "nc", 1), TEXT)
        for i, layer in enumerate(layers):
            source: Any = layer.f
            if source != -1:
                x = maps[source] if isinstance(source, int) else [x if j == -1 else maps[j] for j in source]
            given = shapes(x)
            try:
                x = _applied(layer, x, text)
            except Exception as error:
                raise RowError(i, reason_of(error), given, [shapes(y) for y in maps]) from error
            maps.append(x)
    return [shapes(x) for x in maps]


def _applied(layer: nn.Module, x: Any, text: Tensor) -> Any:
    """A row's output; rows that look at the classes' names are given those as well, as their own models do."""
    kind = type(layer).__name__
    if kind in PROMPTED:
        return layer([*x, text]) if kind.startswith("YOLOE") else layer(x, text)
    return layer(x)


def shapes(x: Any) -> Shapes:
    """Shapes of the tensors in what a row takes or gives."""
    if isinstance(x, Tensor):
        return [tuple(x.shape)]
    values = x.values() if isinstance(x, dict) else x if isinstance(x, (list, tuple)) else ()
    return [shape for value in values for shape in shapes(value)]


def offline(description: dict[str, Any]) -> dict[str, Any]:
    """A copy whose rows of other packages' networks do not ask for weights from the network."""
    description = copy.deepcopy(description)
    for row in rows_of(description):
        block = BLOCKS.get(str(row[2]).removeprefix(PREFIX))
        if row[2] == "TorchVision" and len(row[3]) > 2:
            row[3][2] = None
        elif str(row[2]).startswith(PREFIX) and block and "pretrained" in signature_of(block):
            position = [name for name in signature_of(block) if name not in SUPPLIED].index("pretrained")
            row[3][position : position + 1] = [False] * (position < len(row[3]))
    return description
