"""What kinds of boxes there are, which row is of which, and their colours: legible on paper, in grey too."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from ..blocks.registry import spec_of
from .graph import JOINS


@dataclass(frozen=True)
class Look:
    """A box's colours, as matplotlib takes them."""

    fill: str
    edge: str


LOOKS = {
    "image": Look("#FFFFFF", "#6B7280"),
    "conv": Look("#DCE8F6", "#5B7FA8"),
    "stage": Look("#DDEFE0", "#5F9470"),
    "attention": Look("#EBE2F4", "#8A6BAE"),
    "pool": Look("#E2F1F2", "#4F9298"),
    "resample": Look("#FBF3D0", "#AD9440"),
    "join": Look("#FFFFFF", "#6B7280"),
    "layer": Look("#F1F2F4", "#7B818C"),
    "head": Look("#F8DDDF", "#B5606A"),
    "output": Look("#FFFFFF", "#6B7280"),
}
"""Each kind's look, in the order of the legend."""

PLUGIN = Look("#FFC98A", "#C2570C")
"""A plug-in's: the one strong colour."""

INK, QUIET = "#1F2328", "#57606A"
BANDS = ("#F6F7F9", "#FFFFFF")

CONVOLUTIONS = ("AConv", "ADown", "SCDown", "HGStem")
POOLS = ("SPP", "SPPF", "SPPELAN")
ATTENTION = ("PSA", "C2PSA", "C2fPSA", "A2C2f", "AIFI", "TransformerLayer", "C3TR", "C2fAttn")


def kind_of(cls: type[nn.Module], sources: int) -> str:
    """The kind of a row's box."""
    spec, name = spec_of(cls), cls.__name__
    if spec is not None:
        if spec.task:
            return "head"
        if spec.gate:
            return "attention"
        return {"conv": "conv", "stage": "stage", "network": "stage", "inputs": "join"}.get(spec.row, "layer")
    if name in JOINS:
        return "join"
    if name in CONVOLUTIONS:
        return "conv"
    if issubclass(cls, nn.Upsample) or "ConvTranspose" in name:
        return "resample"
    if name in POOLS or "Pool2d" in name:
        return "pool"
    if name in ATTENTION or "Attention" in name or "Attn" in name:
        return "attention"
    room = cls.__module__.rpartition(".")[2]
    if cls.__module__.startswith("ultralytics.nn.modules"):
        return {"conv": "conv", "head": "head", "block": "stage", "transformer": "attention"}.get(room, "layer")
    if issubclass(cls, nn.modules.conv._ConvNd):
        return "conv"
    return "join" if sources > 1 else "layer"
