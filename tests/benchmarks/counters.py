"""Known figures of these blocks: parameters and multiply-adds as counted here, and by the tools that gave them.

Usage: python tests/benchmarks/counters.py [--format markdown]

Asks thop, ptflops and fvcore, where they are installed (pip install ptflops fvcore). One multiply-add counts as one.
"""

import argparse
import contextlib
import copy
import io
import logging
import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from yolo_plugins import ConvBNAct, DWConv, GhostConv, cost
from yolo_plugins.tables import FORMATS, table

CONVENTIONS = {
    "thop": "multiply-adds, 4 an element for batch norm, pools by window",
    "ptflops": "multiply-adds, biases, 2 an element for batch norm, 2 for ReLU, pools twice",
    "fvcore": "multiply-adds, 2 an element for batch norm, 1 for adaptive pools",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--format", choices=FORMATS, default="text")
    args = parser.parse_args()
    print(table(reference_figures(), args.format))
    if args.format == "text":
        print("\n" + "\n".join(f"{tool}: {text}" for tool, text in CONVENTIONS.items()))


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
        ours = {"params": counted.params, "MACs": counted.macs}
        rows.append({"module": name, "input": "×".join(map(str, shape)), **ours, **count(module, shape)})
    return rows


def count(module: nn.Module, shape: Sequence[int]) -> dict[str, int | None]:
    """What each tool counts for one image of the shape (C, H, W); None where it is not installed."""
    counts: dict[str, int | None] = {}
    for counter in (thop, ptflops, fvcore):
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings(), contextlib.suppress(ImportError):
            warnings.simplefilter("ignore")
            counts[counter.__name__] = None
            counts[counter.__name__] = int(counter(copy.deepcopy(module).eval(), tuple(shape)))
    return counts


def thop(module: nn.Module, shape: tuple[int, ...]) -> Any:
    from thop import profile

    image = torch.zeros(1, *shape, device="meta")  # counted without computing
    return profile(module.to("meta"), inputs=[image], verbose=False)[0]


def ptflops(module: nn.Module, shape: tuple[int, ...]) -> Any:
    from ptflops import get_model_complexity_info

    options = {"as_strings": False, "print_per_layer_stat": False, "verbose": False, "backend": "pytorch"}
    return get_model_complexity_info(module.to("meta"), shape, **options)[0] or 0


def fvcore(module: nn.Module, shape: tuple[int, ...]) -> Any:
    from fvcore.nn import FlopCountAnalysis

    logging.getLogger("fvcore").setLevel(logging.ERROR)
    analysis = FlopCountAnalysis(module, torch.zeros(1, *shape))
    return analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False).total()


if __name__ == "__main__":
    main()
