"""The counts of other tools, thop, ptflops and fvcore, where they are installed."""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from torch import nn

COUNTERS: dict[str, Callable[[nn.Module, tuple[int, ...]], float]] = {}
"""Tool → its count of multiply-adds for a module and an input shape (C, H, W)."""

CONVENTIONS = {
    "thop": "multiply-adds, 4 an element for batch norm, pools by window",
    "ptflops": "multiply-adds, biases, 2 an element for batch norm, 2 for ReLU, pools twice",
    "fvcore": "multiply-adds, 2 an element for batch norm, 1 for adaptive pools",
}


def count(module: nn.Module, shape: Sequence[int]) -> dict[str, int | None]:
    """What each tool counts for one image of the shape (C, H, W); None where it is not installed."""
    counts: dict[str, int | None] = {}
    for tool, counter in COUNTERS.items():
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                counts[tool] = int(counter(copy.deepcopy(module).eval(), tuple(shape)))
            except ImportError:
                counts[tool] = None
    return counts


def _counter(function: Callable[[nn.Module, tuple[int, ...]], Any]) -> Callable[[nn.Module, tuple[int, ...]], Any]:
    COUNTERS[function.__name__.lstrip("_")] = function
    return function


@_counter
def _thop(module: nn.Module, shape: tuple[int, ...]) -> Any:
    import thop
    import torch

    image = torch.zeros(1, *shape, device="meta")  # counted without computing
    return thop.profile(module.to("meta"), inputs=[image], verbose=False)[0]


@_counter
def _ptflops(module: nn.Module, shape: tuple[int, ...]) -> Any:
    from ptflops import get_model_complexity_info

    options = {"as_strings": False, "print_per_layer_stat": False, "verbose": False, "backend": "pytorch"}
    return get_model_complexity_info(module.to("meta"), shape, **options)[0] or 0


@_counter
def _fvcore(module: nn.Module, shape: tuple[int, ...]) -> Any:
    import torch
    from fvcore.nn import FlopCountAnalysis

    logging.getLogger("fvcore").setLevel(logging.ERROR)
    analysis = FlopCountAnalysis(module, torch.zeros(1, *shape))
    return analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False).total()
