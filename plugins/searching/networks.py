"""Networks and their rows as they are deployed: batch norms folded, heads giving what an exported file gives."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from ..models.building import build, load, quiet
from ..rows.description import image_channels
from ..swapping.row_edits import RowEdit, apply_edits
from ..training.norm_statistics import measured_norms
from ..transplanting.recording import recorded
from ..transplanting.students import one_scale, rebuilt

DETECTIONS = 300
"""How many an end-to-end head gives, as Ultralytics' export has it."""


def network(model: str) -> Any:
    """The network of a model YAML, with statistics that let its maps live, or the one in a trained `.pt`.

    Raises:
        ValueError, OSError: as `build` and `load`.
    """
    torch.manual_seed(0)
    return load(model)[0].eval() if model.endswith(".pt") else settled(build(model))


def settled(network: Any) -> Any:
    """A network without training whose batch norms have seen noise, so that its maps do not fade to nothing."""
    with torch.no_grad(), measured_norms(network):
        network(image(network, 160, 4))
    return network


def edited(base: Any, edits: Iterable[RowEdit]) -> Any:
    """The base at its scale, with rows edited, without its weights."""
    description = one_scale(copy.deepcopy(base.yaml))
    apply_edits(description, edits)
    torch.manual_seed(0)
    with quiet():  # a classifier tells its layers whatever it is asked
        return settled(rebuilt(base, description))


def image(network: Any, imgsz: int, batch: int = 1) -> Tensor:
    """Noise (B, channels, imgsz, imgsz)."""
    return torch.rand(batch, image_channels(network.yaml), imgsz, imgsz, generator=torch.Generator().manual_seed(0))


def deployed(network: Any, runtime: str, imgsz: int, fuse: bool = True) -> Any:
    """A copy as it is exported for a runtime: the head gives boxes and scores alone, to ncnn without top-k."""
    network = copy.deepcopy(network).eval().requires_grad_(False)
    if runtime == "ncnn" and getattr(network, "end2end", False):
        network.end2end = False  # before folding, which drops the branch that is not used
    if fuse:
        with quiet():
            network.fuse(verbose=False)
    head = network.model[-1]
    head.export, head.format = True, runtime
    if hasattr(head, "max_det"):
        head.max_det = min(DETECTIONS, sum((imgsz // int(stride)) ** 2 for stride in network.stride))
    return network


def inputs_of_rows(network: Any, imgsz: int) -> dict[int, list[Tensor]]:
    """What each row is given for one image, by its number."""
    with torch.no_grad():
        record = recorded(network, image(network, imgsz), dict(network.model.named_children()))
    return {int(i): list(x) if isinstance(x, (list, tuple)) else [x] for i, ((x,), _) in record.items()}


def row_alone(network: Any, i: int, inputs: list[Tensor]) -> nn.Module:
    """A row as a network of its own, which takes its maps one by one."""
    return network.model[i] if len(inputs) == 1 else _OnMaps(network.model[i])


class _OnMaps(nn.Module):
    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, *maps: Tensor) -> Any:
        return self.layer(list(maps))
