"""The models that are looked into: a network, the layers chosen, and the scores that gradients begin at."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..models.building import load
from ..training.images import find_images

Layer = int | str
"""A row's number, or a submodule's name."""


class Scored(nn.Module):
    """A network that gives (B, classes): how much each class is seen, or for end-to-end heads each detection's score.

    Of a detector's anchors the squared scores are summed, so that every level on which an object is seen counts, and
    the many anchors of the background do not.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        rows = getattr(self.network, "model", None)
        head = rows[-1] if isinstance(rows, nn.Sequential) else None
        return scores(self.network(x), head)


def scores(y: Any, head: nn.Module | None) -> Tensor:
    """A network's output as (B, classes)."""
    names = {cls.__name__ for cls in type(head).__mro__}
    if "Classify" in names and isinstance(y, (tuple, list)):
        return y[1]  # logits, beside probabilities
    if "RTDETRDecoder" in names:
        return (y[1][1][-1].sigmoid() ** 2).sum(1)  # the last decoder layer's, beside what is left of them
    while isinstance(y, (tuple, list)):
        y = y[0]
    nc: Any = getattr(head, "nc", None)
    if y.ndim == 3 and getattr(head, "end2end", False):
        return y[..., 4]
    if y.ndim == 3 and nc:
        return (y[:, 4 : 4 + nc] ** 2).sum(2)
    return y.flatten(2).mean(2) if y.ndim > 2 else y


@dataclass(frozen=True)
class Subject:
    """A model: the name to print, a copy of its network, and the layers to look into with what to call them."""

    name: str
    network: nn.Module
    layers: list[tuple[str, nn.Module]]


def subjects(models: Any, layers: Sequence[Layer] | None) -> list[Subject]:
    """The models with their layers.

    Raises:
        ValueError: no model, or a layer that one does not have.
        OSError: no such checkpoint.
    """
    if isinstance(models, Mapping):
        given = list(models.items())
    else:
        several = list(models) if isinstance(models, (list, tuple)) else [models]
        given = [("", model) for model in several]
    if not given:
        raise ValueError("no model is given")
    found = [_subject(str(name), model, layers) for name, model in given]
    names = [subject.name for subject in found]
    if len(set(names)) < len(names):  # two best.pt: their folders tell them apart
        long = [name or _long_name(model) or found[i].name for i, (name, model) in enumerate(given)]
        found = [Subject(name, subject.network, subject.layers) for name, subject in zip(long, found, strict=True)]
    return found


def _long_name(model: Any) -> str:
    parts = Path(str(model)).parts if isinstance(model, (str, Path)) else ()
    folders = [part for part in parts[:-1] if part not in ("weights", "/", ".")]
    return "/".join([*folders[-1:], *parts[-1:]])


def _subject(name: str, model: Any, layers: Sequence[Layer] | None) -> Subject:
    if isinstance(model, (str, Path)):
        if not str(model).endswith(".pt"):
            raise ValueError(f"{model} is no trained model; give a .pt")
        name, network = name or Path(model).name, load(model)[0]
    else:
        network = model if isinstance(getattr(model, "model", None), nn.Sequential) else getattr(model, "model", model)
        if not isinstance(network, nn.Module):
            raise ValueError(f"{type(model).__name__} is no model; give a .pt, an Ultralytics model or a torch module")
        described = getattr(network, "yaml", None)
        name = name or Path(str((described or {}).get("yaml_file", type(network).__name__))).stem
    network = copy.deepcopy(network).float().eval()
    rows = getattr(network, "model", None)
    rows = rows if isinstance(rows, nn.Sequential) and hasattr(rows[-1], "f") else None
    chosen = list(layers) if layers else _before_head(name, rows)
    return Subject(name, network, [_layer(name, network, rows, layer) for layer in chosen])


def _before_head(name: str, rows: nn.Sequential | None) -> list[Layer]:
    """The rows that the head is given."""
    if rows is None:
        raise ValueError(f"{name} has no rows of a model YAML: say which layers, by the names of its submodules")
    source: Any = rows[-1].f
    last = len(rows) - 1
    return [f if f >= 0 else last + f for f in (source if isinstance(source, list) else [source])]


def _layer(name: str, network: nn.Module, rows: nn.Sequential | None, layer: Layer) -> tuple[str, nn.Module]:
    if rows is None or not str(layer).lstrip("-").isdecimal():
        try:
            return str(layer), network.get_submodule(str(layer))
        except AttributeError:
            near = difflib.get_close_matches(str(layer), [path for path, _ in network.named_modules() if path], n=3)
            hint = f"did you mean {' or '.join(near)}?" if near else "give a row's number or a submodule's name"
            raise ValueError(f"{name} has no layer {layer!r}; {hint}") from None
    number = int(layer)
    if not -len(rows) <= number < len(rows):
        raise ValueError(f"layer {layer}: {name} has rows 0 to {len(rows) - 1}")
    number %= len(rows)
    return f"{number} {type(rows[number]).__name__}", rows[number]


def refuse_flat(subject: Subject, x: Tensor) -> None:
    """Refuse layers that give no map of an image.

    Raises:
        ValueError: naming the layer.
    """
    given: dict[str, Any] = {}
    handles = [
        layer.register_forward_hook(lambda layer, inputs, out, name=name: given.update({name: out}))
        for name, layer in subject.layers
    ]
    try:
        with torch.no_grad():
            subject.network(x)
    finally:
        for handle in handles:
            handle.remove()
    for name, _ in subject.layers:
        out = given.get(name)
        if not isinstance(out, Tensor) or out.ndim != 4 or max(out.shape[2:]) < 2:
            what = "×".join(map(str, out.shape[1:])) if isinstance(out, Tensor) else "no single map"
            raise ValueError(f"layer {name} of {subject.name} gives {what}; choose one that gives maps, C×H×W")


def image_files(images: str | Path | Sequence[str | Path]) -> list[Path]:
    """The images of a folder, or those given.

    Raises:
        OSError: there is no such file.
        ValueError: none is given, or none is in the folder.
    """
    several = [images] if isinstance(images, (str, Path)) else list(images)
    files: list[Path] = []
    for path in map(Path, several):
        if path.is_dir():
            files += find_images(path)
        elif path.is_file():
            files.append(path)
        else:
            raise FileNotFoundError(f"{path} is neither an image nor a folder of images")
    if not files:
        raise ValueError("no image is given")
    return files
