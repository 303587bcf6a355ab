"""Activations by name, and h-swish (MobileNetV3, 1905.02244)."""

from __future__ import annotations

import copy

from torch import nn

from .registry import register


@register(
    "same",
    source="MobileNetV3, 1905.02244",
    params="0",
)
class HSwish(nn.Hardswish):
    """h-swish, x · ReLU6(x + 3) / 6, element by element (MobileNetV3, 1905.02244).

    Shape: (…) → the same.

    Weak: a product and a clip where ReLU is a clip alone; NCNN fuses ReLU into a convolution, this not.
    Elsewhere: torch's `Hardswish` is the same; copies that write x·sigmoid(x + 3)/6 are wrong by more than 1.
    """


ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "silu": nn.SiLU,
    "gelu": nn.GELU,
    "hardswish": nn.Hardswish,
    "identity": nn.Identity,
}

Act = str | nn.Module


def activation(act: Act) -> nn.Module:
    """A new activation layer from its name, or a copy of the module given.

    Raises:
        ValueError: `act` is neither a module nor one of the names in `ACTIVATIONS`.
    """
    if isinstance(act, nn.Module):
        return copy.deepcopy(act)
    if not isinstance(act, str) or act.lower() not in ACTIVATIONS:
        raise ValueError(f"act={act!r} is not an activation; choose one of {', '.join(ACTIVATIONS)} or pass a module")
    return ACTIVATIONS[act.lower()]()
