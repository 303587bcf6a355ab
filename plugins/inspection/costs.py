"""What a module costs on one input: parameters, multiply-adds, elements written, memory held, time.

One multiply-add counts as one, and only those of convolutions and linear layers do, as in papers and in fvcore's `conv`
and `linear`; Ultralytics' GFLOPs are twice that. Other tools also charge for batch norms, biases and pools, each in its
own way: `python tests/benchmarks/counters.py` asks them.
"""

from __future__ import annotations

import copy
import statistics
import timeit
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

from ..blocks.counting import multiply_adds, parameters


@dataclass(frozen=True)
class Cost:
    """Cost of one forward pass in eval mode.

    Attributes:
        params: Parameters, batch norms included.
        macs: Multiply-adds of convolutions and linear layers.
        activations: Elements that convolutions and linear layers write; fvcore's "activations".
        written: Elements that all operations write: what memory-bound layers pay for.
        peak_bytes: Largest memory of input, intermediate maps and output alive at once, weights not included.
        milliseconds: Median time of the runs on the module's device, or None if none was asked for.
    """

    params: int
    macs: int
    activations: int
    written: int
    peak_bytes: int
    milliseconds: float | None


def cost(module: nn.Module, shape: Sequence[int], runs: int = 20) -> Cost:
    """Count and time one forward pass of `module` in eval mode; the module itself is left as it is.

    Args:
        module: Any module that takes one tensor.
        shape: The input's shape, (C, H, W) for one image or (B, C, H, W).
        runs: Timed runs, after a quarter as many to warm up; their median is reported. 0 times nothing.

    Raises:
        ValueError: a shape that is not three or four counts of at least 1, negative runs, or an input that the module
            does not take.
    """
    shape = tuple(shape)
    if len(shape) not in (3, 4) or any(not isinstance(n, int) or n < 1 for n in shape):
        raise ValueError(f"shape={shape} must be (C, H, W) or (B, C, H, W), whole numbers of at least 1")
    if runs < 0:
        raise ValueError(f"runs={runs} must be at least 0")
    module = copy.deepcopy(module).eval()
    device = next((p.device for p in module.parameters()), torch.device("cpu"))
    x = torch.rand(shape if len(shape) == 4 else (1, *shape), device=device)
    memory = _Memory(x)
    try:
        with memory:
            macs = multiply_adds(module, x)
    except RuntimeError as error:
        refused = f"{type(module).__name__} does not take an input of shape {tuple(x.shape)}"
        raise ValueError(f"{refused}: {str(error).splitlines()[0]}") from error
    milliseconds = _median_milliseconds(module, x, runs) if runs else None
    return Cost(parameters(module), macs, memory.activations, memory.written, memory.peak, milliseconds)


class _Memory(TorchDispatchMode):
    """Adds up what operations write, and watches which of it is alive."""

    LAYERS = ("aten::convolution", "aten::addmm", "aten::linear", "aten::mm", "aten::bmm")

    def __init__(self, x: Tensor) -> None:
        super().__init__()
        self.activations = self.written = self.peak = 0
        self.alive: dict[int, tuple[Any, int]] = {}
        self._hold(x)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        known = {t.untyped_storage()._cdata for t in args if isinstance(t, Tensor)}
        for t in out if isinstance(out, (tuple, list)) else [out]:
            if isinstance(t, Tensor) and (func._schema.is_mutable or t.untyped_storage()._cdata not in known):
                self.written += t.numel()
                self.activations += t.numel() if func._schema.name in self.LAYERS else 0
                self._hold(t)
        self.alive = {key: (ref, size) for key, (ref, size) in self.alive.items() if not ref.expired()}
        self.peak = max(self.peak, sum(size for _, size in self.alive.values()))
        return out

    def _hold(self, t: Tensor) -> None:
        storage = t.untyped_storage()
        self.alive[storage._cdata] = (StorageWeakRef(storage), storage.nbytes())


@torch.no_grad()
def _median_milliseconds(module: nn.Module, x: Tensor, runs: int) -> float:
    def run() -> None:
        module(x)
        if x.is_cuda:
            torch.cuda.synchronize(x.device)

    return 1e3 * statistics.median(timeit.repeat(run, repeat=runs + runs // 4, number=1)[-runs:])
