"""Known figures of these blocks, counted here and by the tools that gave them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from .conv import ConvBNAct, DWConv
from .costs import cost
from .counters import count
from .ghost import GhostConv


def reference_figures() -> list[dict[str, Any]]:
    """Parameters, multiply-adds and each installed tool's count, of the cases that figures exist for."""
    dwconv, conv = DWConv(64, 128, 3, d=2, act="identity"), ConvBNAct(64, 128, 3, d=2, act="identity")
    cases: list[tuple[str, nn.Module, Sequence[int]]] = [
        ("GhostConv 64→128, k 3", GhostConv(64, 128, 3), (64, 32, 32)),
        ("convolution 64→128, k 3, bias", nn.Conv2d(64, 128, 3, padding=1), (64, 32, 32)),
        ("convolution 4→8, k 3", nn.Conv2d(4, 8, 3, padding=1, bias=False), (4, 32, 32)),
        ("convolution 4→8, k 3, bias", nn.Conv2d(4, 8, 3, padding=1), (4, 32, 32)),
        ("depthwise 4, k 3, of DWConv 4→8", DWConv(4, 8).depthwise.conv, (4, 32, 32)),
        ("pointwise 4→8 of DWConv 4→8", DWConv(4, 8).pointwise.conv, (4, 32, 32)),
        ("DWConv 64→128, k 3, d 2, no act", dwconv, (64, 256, 256)),
        ("DWConv 64→128, k 3, d 2, no act", dwconv, (64, 640, 640)),
        ("conv+BN 64→128, k 3, d 2, no act", conv, (64, 256, 256)),
        ("conv+BN 64→128, k 3, d 2, no act", conv, (64, 640, 640)),
    ]
    rows = []
    for name, module, shape in cases:
        counted = cost(module, shape, runs=0)
        size = "×".join(map(str, shape))
        rows.append(
            {"module": name, "input": size, "params": counted.params, "MACs": counted.macs, **count(module, shape)}
        )
    return rows
