"""Data-flow drawings of blocks, recorded from a forward pass, as Mermaid text that GitHub and most editors render."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

from ..blocks.conv import ConvBNAct
from ..blocks.counting import evaluated
from ..blocks.registry import BLOCKS, PACKAGE, spec_of
from .block_costs import build, measurable

SHOWN = {"cat": "concatenate", "add": "add", "mul": "multiply", "transpose": "shuffle", "chunk": "split"}
"""Functions that are drawn; what else happens between layers only changes a shape."""


def page() -> str:
    """Every block's drawing on one Markdown page."""
    parts = [
        "# What flows through each block\n\nMade by `yolo-plugins draw all > docs/blocks.md`; C×H×W on the arrows.\n"
    ]
    for block in (name for name in measurable() if BLOCKS[name].__module__ == PACKAGE):
        spec = spec_of(BLOCKS[block])
        given = {"c1": 64, "c2": 64, **(spec.example if spec else {})}
        module, full = build(block, given)
        options = [f"--{name.replace('_', '-')} {value}" for name, value in given.items() if name not in ("c1", "c2")]
        channels = [str(given["c1"]), *([str(given["c2"])] if full.get("c2", given["c1"]) != given["c1"] else [])]
        drawing = draw(module, (given["c1"], 32, 32))
        command = " ".join(["yolo-plugins draw", block, *channels, *options])
        parts.append(f"## {block}\n\n`{command}`\n\n```mermaid\n{drawing}\n```\n")
    return "\n".join(parts)


def draw(module: nn.Module, shape: Sequence[int]) -> str:
    """The data flow of one forward pass as a Mermaid flowchart.

    Convolutions with their batch norm and activation are one box, as are other layers; arrows carry the maps' C×H×W.

    Args:
        module: Any module that takes one tensor.
        shape: The input's (C, H, W).

    Raises:
        ValueError: an input that the module does not take.
    """
    recorder = _Recorder()
    x = torch.zeros(1, *shape)
    recorder.names[id(x)] = recorder.node("input", "([{}])")
    recorder.kept.append(x)
    handles = [handle for layer in _layers(module) for handle in recorder.watch(layer)]
    try:
        with evaluated(module), recorder:
            y = module(x)
    except RuntimeError as error:
        raise ValueError(f"{type(module).__name__} does not take an input of shape {tuple(shape)}: {error}") from error
    finally:
        for handle in handles:
            handle.remove()
    recorder.edge(y, recorder.node("output", "([{}])"))
    return "\n".join(["flowchart TD", *recorder.lines])


def _layers(module: nn.Module) -> list[nn.Module]:
    """The layers that are boxes: conv–BN–activation blocks, and what has no layers inside."""
    if isinstance(module, ConvBNAct) or not list(module.children()):
        return [module]
    return [layer for child in module.children() for layer in _layers(child)]


def _described(layer: nn.Module) -> str:
    """A layer in words: kernel, groups, stride and activation of a convolution, else its class."""
    conv = layer.conv if isinstance(layer, ConvBNAct) else layer
    if not isinstance(conv, nn.Conv2d):
        kernel = getattr(layer, "kernel_size", None)
        return f"{type(layer).__name__}{f' {kernel}×{kernel}' if isinstance(kernel, int) else ''}"
    k, g = conv.kernel_size[0], conv.groups
    kind = "depthwise " if g == conv.in_channels and g > 1 else f"{g} groups " if g > 1 else ""
    text = f"{kind}{k}×{k}" + (f" /{conv.stride[0]}" if conv.stride[0] > 1 else "")
    text += f" dilated {conv.dilation[0]}" if conv.dilation[0] > 1 else ""
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
        self.edge(inputs[0], name)
        self._made(output, name)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if self.depth:
            return out
        tensors = [t for a in args for t in (a if isinstance(a, (list, tuple)) else [a]) if id(t) in self.names]
        kind = getattr(func, "__name__", "").strip("_")
        if tensors and kind in SHOWN:
            name = self.node(SHOWN[kind], "{{{{{}}}}}")
            for t in tensors:
                self.edge(t, name)
            self._made(out, name)
        elif tensors:
            self._made(out, self.names[id(tensors[0])])
        return out

    def _made(self, out: Any, name: str) -> None:
        for t in out if isinstance(out, (list, tuple)) else [out]:
            if isinstance(t, Tensor):
                self.names[id(t)] = name
                self.kept.append(t)

    def node(self, text: str, form: str) -> str:
        name = f"n{self.count}"
        self.count += 1
        self.lines.append(f"    {name}{form.format(text)}")
        return name

    def edge(self, tensor: Tensor, target: str) -> None:
        size = "×".join(map(str, tensor.shape[1:]))
        self.lines.append(f"    {self.names[id(tensor)]} -->|{size}| {target}")
