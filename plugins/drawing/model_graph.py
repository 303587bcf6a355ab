"""A model's rows as boxes and arrows, measured without memory at an image's size."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

import patch_ultralytics

from ..blocks.counting import parameters
from ..blocks.registry import BLOCKS, PREFIX, spec_of
from ..blocks.signature import signature_of
from ..models.building import load, quiet
from ..models.dry_run import PROMPTED, RowError, Shapes
from ..models.dry_run import build as build_dry
from ..models.dry_run import run as run_dry
from ..rows.description import ModelYAMLError, Problem, check, image_channels, read, rows_of
from ..rows.names import names
from ..rows.yaml_files import NAME, locate
from .graph import IMAGE, Edge, Graph, Node
from .looks import kind_of

SUPPLIED = ("c1", "n", "c1s")
SHOWN = ("k", "d", "g")
FLAGS = {"c3k": "c3k", "a2": "area attention", "lk": "large kernel"}
"""Flags of stages that make them something else, and what to call them."""

NEAR = 0.2
MULTIPLE = 32
LARGEST = 4096


@dataclass(frozen=True)
class Model:
    """A model to draw: its rows, their layers for details, and what its caption says.

    Attributes:
        name: The file's name, with its scale letter.
        graph: A box for each row, and one for the image.
        layers: The rows' layers on the meta device.
        params: Its parameters.
        channels: Of the image.
        imgsz: Side of the image that the shapes are for, in pixels.
    """

    name: str
    graph: Graph
    layers: nn.Sequential
    params: int
    channels: int
    imgsz: int


def model_graph(model: str, imgsz: int | None = None) -> Model:
    """Build and run a model without memory, and describe each row.

    Args:
        model: A model YAML, by bare name or path, or a `.pt` file with its YAML inside.
        imgsz: Side of the square image, in pixels; by default 640, and 224 for a classifier.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a YAML that cannot be built, or rows that do not meet.
    """
    description, name = _described(model)
    patch_ultralytics.apply()
    from ultralytics.nn import tasks

    check(description, model, names(tasks))
    described = rows_of(description)
    if imgsz is None:
        imgsz = 224 if "Classify" in described[-1][2] else 640
    if imgsz % MULTIPLE or not MULTIPLE <= imgsz <= LARGEST:
        raise ValueError(f"imgsz={imgsz} must be a multiple of {MULTIPLE} from {MULTIPLE} to {LARGEST}")
    try:
        with quiet():
            layers = build_dry(description)
            maps = run_dry(layers, image_channels(description), imgsz)
    except RowError as error:
        problem = Problem(error.args[0].partition(": ")[2], error.row, described[error.row][2])
        raise ModelYAMLError(model, problem) from error
    graph = _graph(description, layers, maps, imgsz)
    return Model(name, graph, layers, parameters(layers), image_channels(description), imgsz)


def _described(model: str) -> tuple[dict[str, Any], str]:
    """The description in a file, with the scale that its name says, and the name to print."""
    if model.endswith(".pt"):
        return load(model)[0].yaml, Path(model).name
    if not model.endswith((".yaml", ".yml")):
        raise ValueError(f"{model} is neither a model YAML nor a .pt file")
    description = read(locate(model))
    name = Path(model).name
    found = NAME.match(name)
    scales = description.get("scales") or {}
    letter = found["scale"] if found else None
    if isinstance(scales, dict) and scales:
        description["scale"] = letter if letter in scales else next(iter(scales))
        if found and not letter:
            name = f"{found['family']}{description['scale']}{name[found.end() :]}"
    return {**description, "yaml_file": Path(model).name}, name


def _graph(description: Mapping[str, Any], layers: nn.Sequential, maps: Sequence[Shapes], imgsz: int) -> Graph:
    described = rows_of(dict(description))
    image = Node(IMAGE, "image", kind="image", part="backbone")
    whole = f"{image_channels(description)}×{imgsz}×{imgsz}"
    graph = Graph([image])
    strides: dict[str, int] = {IMAGE: 1}
    backbone, last = len(description["backbone"]), len(described) - 1
    text = ""  # the row that rewrites the classes' names for rows after it
    for i, (source, repeats, module, args) in enumerate(described):
        froms = source if isinstance(source, list) else [source]
        keys = [_key(f, i) for f in froms]
        strides[str(i)] = _stride(maps[i], imgsz, strides[keys[0]])
        layer = layers[i]
        prompted = _class(layer).__name__ in PROMPTED
        own = _gives(layer) if i == last else _note(module, args, layer, strides[str(i)] / strides[keys[0]])
        note = [own, "+ text" if prompted else ""]
        node = Node(
            str(i),
            module.removeprefix(PREFIX).removeprefix("nn.").removeprefix("torchvision.ops."),
            ", ".join(filter(None, note)),
            kind=kind_of(_class(layer), len(froms)),
            number=str(i),
            times=_repeats(repeats, description, layer),
            plugin=module.startswith(PREFIX),
            part="backbone" if i < backbone else "head" if i == last else "neck",
            stride=strides[str(i)],
        )
        graph.nodes.append(node)
        for key in dict.fromkeys(keys):
            shape = _size(maps[int(key)]) if key != IMAGE else whole
            graph.edges.append(Edge(key, str(i), shape))
        if text and node.title == "C2fAttn":
            graph.edges.append(Edge(text, str(i), _size(maps[int(text)])))
        text = str(i) if node.title == "ImagePoolingAttn" else text
    return graph


GIVES = {"Segment": "masks", "YOLOESegment": "masks", "Pose": "keypoints", "OBB": "angles"}
"""What heads give besides boxes and classes."""


def _gives(layer: nn.Module) -> str:
    """What a head gives."""
    names = {cls.__name__ for cls in type(layer).__mro__}
    nc = getattr(layer, "nc", None)
    if names & {"Detect", "RTDETRDecoder"}:
        return ", ".join(["boxes", *{said: "" for name, said in GIVES.items() if name in names}, f"{nc} classes"])
    if "Depth" in names:
        return "depth"
    linear = getattr(layer, "linear", None)
    nc = nc or getattr(linear, "out_features", None)
    return f"{nc} classes" if nc else ""


def _key(source: int, row: int) -> str:
    number = source if source >= 0 else row + source
    return str(number) if number >= 0 else IMAGE


def _class(layer: nn.Module) -> type[nn.Module]:
    """A row's class, also of one that is repeated."""
    return type(layer[0]) if type(layer) is nn.Sequential and len(layer) else type(layer)


def _stride(shapes: Shapes, imgsz: int, before: int) -> int:
    """Pixels for an element of the largest map that a row gives; of what is no map, as before."""
    sides = [shape[-1] for shape in shapes if len(shape) == 4 and 1 < shape[-1] <= imgsz]
    if not sides:
        return before
    level = math.log2(imgsz / max(sides))
    near = abs(level - round(level)) < NEAR  # a map that padding made a row larger
    return max(1, 2 ** round(level) if near else round(imgsz / max(sides)))


def _size(shapes: Shapes) -> str:
    """C×H×W; several maps are named by the first, with how many there are."""
    if not shapes:
        return ""
    size = "×".join(map(str, shapes[0][1:]))
    return size if len(shapes) == 1 else f"{len(shapes)} maps"


def _repeats(repeats: int, description: Mapping[str, Any], layer: nn.Module) -> int:
    """How often a row's block is repeated at this scale, inside it or by it."""
    if type(layer) is nn.Sequential:
        return len(layer)
    if repeats == 1:
        return 1
    depth = description.get("depth_multiple", 1.0)
    if scale := description.get("scale"):
        depth = description["scales"][scale][0]
    return max(round(repeats * depth), 1)


def _note(module: str, args: Sequence[Any], layer: nn.Module, change: float) -> str:
    """What to know of a row besides its class: kernel, stride, dilation, groups, what is inside a stage."""
    words = []
    given = _arguments(module, args, layer)
    if isinstance(k := given.get("k"), int):
        words.append(f"{k}×{k}")
    if change > 1:
        words.append(f"/{change:g}")
    elif change < 1:
        words.append(f"×{1 / change:g}")
    words += [f"{name}={given[name]}" for name in SHOWN[1:] if isinstance(given.get(name), int) and given[name] > 1]
    words += [said for flag, said in FLAGS.items() if given.get(flag) is True]
    inside = [str(given[name]) for name in ("inner", "gate") if isinstance(given.get(name), str)]
    return ", ".join(filter(None, [" ".join(words), " + ".join(inside)]))


def _arguments(module: str, args: Sequence[Any], layer: nn.Module) -> dict[str, Any]:
    """A row's arguments by name."""
    cls = BLOCKS.get(module.removeprefix(PREFIX)) if module.startswith(PREFIX) else _class(layer)
    if cls is None or cls.__module__.startswith("torch."):
        return {}
    with suppress(TypeError, ValueError):
        spec = spec_of(cls)
        left_out = ("c1",) if spec and spec.row != "stage" else SUPPLIED
        return dict(zip([name for name in signature_of(cls) if name not in left_out], args, strict=False))
    return {}
