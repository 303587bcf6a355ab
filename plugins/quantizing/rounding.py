"""What rounding a convolution to 8 bits does: what it costs the model, and how it moves the layer's own map."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten

from .calibration import observe
from .results import Kept

LAYERS = (nn.Conv2d, nn.ConvTranspose2d)


def quantizable(model: nn.Module) -> dict[str, nn.Module]:
    """The layers that are quantised, by name: those with filters that were learned."""
    from ultralytics.nn.modules import DFL

    fixed = {id(part) for module in model.modules() if isinstance(module, DFL) for part in module.modules()}
    return {name: m for name, m in model.named_modules() if isinstance(m, LAYERS) and id(m) not in fixed}


@torch.no_grad()
def costs(
    model: nn.Module,
    layers: dict[str, nn.Module],
    images: Sequence[Tensor],
    progress: Callable[[int, int], object] = lambda done, of: None,
) -> list[Kept]:
    """The layers, the costliest first; those that a forward pass does not run are left out.

    A layer's input is rounded to 256 values between its smallest and largest over the images, its filters to 255 for
    each output channel, as the files do it.

    Args:
        model: In eval mode, batch norms folded; it is left as it is.
        layers: Of this model, by name.
        images: Batches (B, 3, H, W).
        progress: Is told how many layers are done, of how many.
    """
    ranges = _input_ranges(model, layers, images)
    expected = [_raw(model(image)) for image in images]
    found = []
    for done, (name, bounds) in enumerate(ranges.items(), 1):
        with _rounded(layers[name], *bounds):
            errors = [distance(x, _raw(model(image))) for x, image in zip(expected, images, strict=True)]
        found.append(Kept(name, sum(errors) / len(errors)))
        progress(done, len(ranges))
    return sorted(found, key=lambda kept: (-kept.error, kept.layer))


@torch.no_grad()
def shifts(model: nn.Module, layers: dict[str, nn.Module], images: Sequence[Tensor]) -> dict[str, Tensor]:
    """By how much rounding moves each channel of each layer's map (1906.04721, section 4.2): its bias is to be less so.

    Each layer is given what it is given in 32 bits. Arguments as for `costs`.
    """
    ranges = _input_ranges(model, layers, images)
    moved = {name: torch.zeros(1) for name in ranges}

    def watch(name: str) -> Any:
        def hook(module: nn.Module, args: Any, output: Tensor) -> None:
            if name not in busy:
                busy.add(name)
                with _rounded(module, *ranges[name]):
                    moved[name] = moved[name] + (module(*args) - output).mean((0, 2, 3)) / len(images)
                busy.remove(name)

        return hook

    busy: set[str] = set()
    hooks = [layers[name].register_forward_hook(watch(name)) for name in ranges]
    observe(model, images, hooks)
    return moved


def distance(expected: Sequence[Tensor], outputs: Sequence[Tensor]) -> float:
    """Mean over the outputs of the relative distance |Δ| / |expected|."""
    apart = [float((b - a).norm() / a.norm().clamp(min=1e-12)) for a, b in zip(expected, outputs, strict=True)]
    return sum(apart) / len(apart)


def _raw(outputs: Any) -> list[Tensor]:
    """A head's maps before decoding, which follow the predictions; those of another model as they are."""
    if isinstance(outputs, (tuple, list)) and len(outputs) > 1:
        outputs = outputs[1]
    if isinstance(outputs, dict):  # newer heads give the maps that they were given, too
        outputs = {key: value for key, value in outputs.items() if key != "feats"}
    return [x for x in tree_flatten(outputs)[0] if isinstance(x, Tensor) and x.is_floating_point()]


def _input_ranges(
    model: nn.Module, layers: dict[str, nn.Module], images: Sequence[Tensor]
) -> dict[str, tuple[float, float]]:
    """Smallest and largest value that each layer is given, 0 among them, in the order in which they run."""
    ranges: dict[str, tuple[float, float]] = {}

    def watch(name: str) -> Any:
        def hook(module: nn.Module, args: Any) -> None:
            low, high = ranges.get(name, (0.0, 0.0))
            ranges[name] = min(low, float(args[0].min())), max(high, float(args[0].max()))

        return hook

    hooks = [layer.register_forward_pre_hook(watch(name)) for name, layer in layers.items()]
    observe(model, images, hooks)
    return ranges


@contextmanager
def _rounded(layer: Any, low: float, high: float) -> Iterator[None]:
    """Inside, a layer's filters and input are rounded to 8 bits."""
    weight = layer.weight.data
    dims = [d for d in range(weight.ndim) if d != (1 if isinstance(layer, nn.ConvTranspose2d) else 0)]
    step = (weight.abs().amax(dims, keepdim=True) / 127).clamp(min=1e-12)
    layer.weight.data = (weight / step).round() * step
    scale = max(high - low, 1e-12) / 255
    zero = round(-low / scale)

    def hook(module: nn.Module, args: Any) -> Any:
        return ((args[0] / scale).round().clamp(-zero, 255 - zero) * scale, *args[1:])

    handle = layer.register_forward_pre_hook(hook)
    try:
        yield
    finally:
        handle.remove()
        layer.weight.data = weight
