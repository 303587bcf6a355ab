"""Data-flow drawings of blocks, recorded from a forward pass, as Mermaid text that GitHub and most editors render."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

from ..blocks.conv import ConvBNAct
from ..blocks.counting import evaluated

SHOWN = {
    "cat": "concatenate",
    "add": "add",
    "mul": "multiply",
    "chunk": "split",
    "split": "split",
    "sub": "subtract",
    "square": "square",
    "truediv": "divide",
    "matmul": "product",
    "mean": "mean",
    "amax": "maximum",
    "sum": "sum",
    "softmax": "softmax",
    "transpose": "transpose",
    "avg_pool2d": "average pool",
    "interpolate": "resize",
}
"""Functions that are drawn; what else happens between layers only changes a shape."""


def draw(module: nn.Module, *shapes: Sequence[int]) -> str:
    """The data flow of one forward pass as a Mermaid flowchart.

    Convolutions with their batch norm and activation are one box, as are other layers; arrows carry the maps' C×H×W.

    Args:
        module: Any module that takes one tensor, or a list of them.
        shapes: The input's (C, H, W); for a list, that of each.

    Raises:
        ValueError: an input that the module does not take.
    """
    recorder = _Recorder()
    inputs = [torch.zeros(1, *shape) for shape in shapes]
    for x in inputs:
        recorder.made(x, recorder.node("input", "([{}])"))
    handles = [handle for layer in _layers(module) for handle in recorder.watch(layer)]
    try:
        with evaluated(module), recorder:
            y = module(inputs if len(inputs) > 1 else inputs[0])
    except RuntimeError as error:
        shown = ", ".join(str(tuple(shape)) for shape in shapes)
        raise ValueError(f"{type(module).__name__} does not take an input of shape {shown}: {error}") from error
    finally:
        for handle in handles:
            handle.remove()
    recorder.edges(y, recorder.node("output", "([{}])"))
    return "\n".join(["flowchart TD", *recorder.lines])


def _layers(module: nn.Module) -> list[nn.Module]:
    """The layers that are boxes: conv–BN–activation blocks, and what has no layers inside."""
    if isinstance(module, ConvBNAct) or not list(module.children()):
        return [module]
    return [layer for child in module.children() for layer in _layers(child)]


def _described(layer: nn.Module) -> str:
    """A layer in words: its own, `shown`; kernel, groups, stride and activation of a convolution; else its class."""
    if words := getattr(layer, "shown", ""):
        return words
    conv = layer.conv if isinstance(layer, ConvBNAct) else layer
    if not isinstance(conv, nn.Conv2d):
        kernel = getattr(layer, "kernel_size", None)
        return f"{type(layer).__name__}{f' {kernel}×{kernel}' if isinstance(kernel, int) else ''}"
    (rows, columns), g, dilation = conv.kernel_size, conv.groups, max(conv.dilation)
    kind = "depthwise " if g == conv.in_channels and g > 1 else f"{g} groups " if g > 1 else ""
    text = f"{kind}{rows}×{columns}" + (f" /{conv.stride[0]}" if conv.stride[0] > 1 else "")
    text += f" dilated {dilation}" if dilation > 1 else ""
    if not isinstance(layer, ConvBNAct):
        return text + (", bias" if conv.bias is not None else "")
    act = "" if isinstance(layer.act, nn.Identity) else f", {type(layer.act).__name__}"
    return f"{text}, BN{act}"


class _Recorder(TorchFunctionMode):
    """Notes which node made each tensor, from the layers watched and the functions called between them."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.names: dict[int, str] = {}
        self.kept: list[Any] = []  # so that no id is used twice
        self.depth = 0
        self.count = 0

    def watch(self, layer: nn.Module) -> list[RemovableHandle]:
        return [layer.register_forward_pre_hook(self._enter), layer.register_forward_hook(self._leave)]

    def _enter(self, layer: nn.Module, inputs: Any) -> None:
        self.depth += 1

    def _leave(self, layer: nn.Module, inputs: Any, output: Tensor) -> None:
        self.depth -= 1
        if isinstance(layer, nn.Identity):
            return
        name = self.node(_described(layer), '["{}"]')
        self.edges(inputs, name)
        self.made(output, name)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if self.depth:
            return out
        tensors = [t for t in _tensors(args) if id(t) in self.names]
        kind = getattr(func, "__name__", "").strip("_")
        if tensors and kind in SHOWN:
            shuffles = kind == "transpose" and tensors[0].ndim == 5
            name = self.node("shuffle" if shuffles else SHOWN[kind], "{{{{{}}}}}")
            self.edges(tensors, name)
            self.made(out, name)
        elif tensors:
            self.made(out, self.names[id(tensors[0])])
        return out

    def made(self, out: Any, name: str) -> None:
        """Note that a box made these tensors."""
        for t in _tensors(out):
            self.names[id(t)] = name
            self.kept.append(t)

    def node(self, text: str, form: str) -> str:
        name = f"n{self.count}"
        self.count += 1
        self.lines.append(f"    {name}{form.format(text)}")
        return name

    def edges(self, given: Any, target: str) -> None:
        """Add an arrow for each of these tensors that a box made."""
        for t in _tensors(given):
            if source := self.names.get(id(t)):
                self.lines.append(f"    {source} -->|{'×'.join(map(str, t.shape[1:]))}| {target}")


def _tensors(x: Any) -> Iterator[Tensor]:
    if isinstance(x, Tensor):
        yield x
    elif isinstance(x, (list, tuple)):
        for value in x:
            yield from _tensors(value)
    elif isinstance(x, dict):
        yield from _tensors(list(x.values()))
