"""A module's data flow as a graph, recorded from a forward pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

from ..blocks.conv import ConvBNAct
from ..blocks.counting import evaluated
from ..blocks.registry import PUBLIC, spec_of
from .graph import Edge, Graph, Node
from .looks import kind_of

SHOWN = {
    "cat": "concatenate",
    "add": "add",
    "mul": "multiply",
    "chunk": "split",
    "split": "split",
    "sub": "subtract",
    "square": "square",
    "truediv": "divide",
    **dict.fromkeys(("matmul", "bmm", "einsum"), "matrix product"),
    "mean": "mean",
    "amax": "maximum",
    "sum": "sum",
    "softmax": "softmax",
    "transpose": "transpose",
    "avg_pool2d": "average pool",
    "interpolate": "resize",
    "grid_sample": "sample",
    "pixel_shuffle": "pixels from channels",
}
"""Functions that are drawn; what else happens between layers only changes a shape."""

Boxed = Callable[[nn.Module], bool]


def flow(module: nn.Module, *shapes: Sequence[int], boxed: Boxed | None = None) -> Graph:
    """The data flow of one forward pass.

    Convolutions with their batch norm and activation are one box, as are other layers; arrows carry the maps' C×H×W.

    Args:
        module: Any module that takes one tensor, or a list of them.
        shapes: The input's (C, H, W); for a list, that of each.
        boxed: Which modules besides layers are one box, whatever is inside; by default none.

    Raises:
        ValueError: an input that the module does not take.
    """
    maps: list[Any] = [torch.zeros(1, *shape) for shape in shapes]
    try:
        with evaluated(module):
            return recorded(module, [maps] if len(maps) > 1 else maps, boxed)
    except RuntimeError as error:
        shown = ", ".join(str(tuple(shape)) for shape in shapes)
        raise ValueError(f"{type(module).__name__} does not take an input of shape {shown}: {error}") from error


def recorded(module: nn.Module, inputs: Sequence[Any], boxed: Boxed | None = None) -> Graph:
    """The data flow of one forward pass in the module's present mode.

    Args:
        module: Any module.
        inputs: What its forward takes: tensors, or lists of them.
        boxed: As for `flow`.
    """
    recorder = _Recorder()
    for x in _tensors(inputs):
        recorder.made(x, recorder.node("input", kind="image"))
    handles = [handle for path, layer in _layers(module, boxed) for handle in recorder.watch(layer, path)]
    try:
        with recorder:
            y = module(*inputs)
    finally:
        for handle in handles:
            handle.remove()
    recorder.edges(y, recorder.node("output", kind="output"))
    return recorder.graph


def _tensors(x: Any) -> Iterator[Tensor]:
    if isinstance(x, Tensor):
        yield x
    elif isinstance(x, (list, tuple)):
        for value in x:
            yield from _tensors(value)
    elif isinstance(x, dict):
        yield from _tensors(list(x.values()))


def _layers(module: nn.Module, boxed: Boxed | None, path: str = "") -> list[tuple[str, nn.Module]]:
    """The layers that are boxes, with their names: conv–BN–activation blocks, and what has no layers inside."""
    if is_conv(module) or not list(module.children()) or (path and boxed and boxed(module)):
        return [(path, module)]
    return [
        layer
        for name, child in module.named_children()
        for layer in _layers(child, boxed, f"{path}.{name}".lstrip("."))
    ]


def is_conv(module: nn.Module) -> bool:
    """Whether a module is a convolution, its batch norm and activation: the pack's or Ultralytics'."""
    own = [type(getattr(module, name, None)) for name in ("conv", "bn")]
    return isinstance(module, ConvBNAct) or own == [nn.Conv2d, nn.BatchNorm2d]


def has_name(module: nn.Module) -> bool:
    """Whether a module is a block that papers draw as one box: one of the pack's, a user's, or Ultralytics'."""
    known = spec_of(type(module)) is not None or type(module) in PUBLIC.values()
    return known or type(module).__module__.startswith("ultralytics.nn.modules")


def described(layer: nn.Module) -> str:
    """A layer in words: kernel, groups, stride and activation of a convolution, else its class."""
    conv = layer.conv if is_conv(layer) else layer
    if not isinstance(conv, nn.Conv2d):
        kernel = getattr(layer, "kernel_size", None)
        return f"{type(layer).__name__}{f' {kernel}×{kernel}' if isinstance(kernel, int) else ''}"
    (rows, columns), g, dilation = conv.kernel_size, conv.groups, max(conv.dilation)
    kind = "depthwise " if g == conv.in_channels and g > 1 else f"{g} groups " if g > 1 else ""
    text = f"{kind}{rows}×{columns}" + (f" /{conv.stride[0]}" if conv.stride[0] > 1 else "")
    text += f" dilated {dilation}" if dilation > 1 else ""
    if not is_conv(layer):
        return text + (", bias" if conv.bias is not None else "")
    act = getattr(layer, "act", None)
    shown = "" if act is None or isinstance(act, nn.Identity) else f", {type(act).__name__}"
    return f"{text}, BN{shown}"


class _Recorder(TorchFunctionMode):
    """Notes which box made each tensor, from the layers watched and the functions called between them."""

    def __init__(self) -> None:
        super().__init__()
        self.graph = Graph()
        self.names: dict[int, str] = {}
        self.kept: list[Any] = []  # so that no id is used twice
        self.depth = 0

    def watch(self, layer: nn.Module, path: str) -> list[RemovableHandle]:
        """Have a layer be a box."""

        def leave(layer: nn.Module, inputs: Any, output: Any) -> None:
            self.depth -= 1
            if isinstance(layer, nn.Identity):
                return
            title, _, note = described(layer).partition(", ")
            kind = "conv" if is_conv(layer) else kind_of(type(layer), 1)
            plugin = spec_of(type(layer)) is not None and not is_conv(layer)
            name = self.node(title, note, kind, path, plugin)
            self.edges(inputs, name)
            self.made(output, name)

        return [layer.register_forward_pre_hook(self._enter), layer.register_forward_hook(leave)]

    def _enter(self, layer: nn.Module, inputs: Any) -> None:
        self.depth += 1

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if self.depth:
            return out
        tensors = [t for t in _tensors(args) if id(t) in self.names]
        kind = getattr(func, "__name__", "").strip("_")
        if tensors and kind in SHOWN:
            shuffles = kind == "transpose" and tensors[0].ndim == 5
            name = self.node("shuffle" if shuffles else SHOWN[kind], kind="join")
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

    def node(self, title: str, note: str = "", kind: str = "layer", path: str = "", plugin: bool = False) -> str:
        """Add a box; returns its name."""
        key = f"n{len(self.graph.nodes)}"
        group = ".".join(part for part in path.split(".") if not part.isdigit())
        self.graph.nodes.append(Node(key, title, note, kind, plugin=plugin, group=group))
        return key

    def edges(self, given: Any, target: str) -> None:
        """Add an arrow for each of some tensors."""
        for t in _tensors(given):
            if source := self.names.get(id(t)):
                self.graph.edges.append(Edge(source, target, "×".join(map(str, t.shape[1:]))))
