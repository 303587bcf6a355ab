"""Show what a block costs beside the plain convolution (for a C2f… stage: the plain C2f) that it would replace.

Parameters, multiply-adds of convolutions and linear layers (one multiply-add is one; Ultralytics' GFLOPs are twice
that), activations (elements written by these layers), elements written by all operations, peak memory of the maps alive
at once, and the median latency of several runs on this machine in eval mode. A column with × says how many times less
than the plain one the block is; "theory ×" is what its paper's formula predicts for the multiply-adds.

  yolo-plugins cost GhostConv 64 128 --k 3 --size 32
  yolo-plugins cost all 64 64 --size 32 --format markdown
  yolo-plugins cost --reference      the figures that other tools and the literature give for these blocks
"""

from __future__ import annotations

import argparse
import ast
from typing import Any

HELP = "show what a block costs beside the convolution it would replace"

OPTIONS = (
    "k",
    "s",
    "g",
    "d",
    "n",
    "r",
    "mid",
    "ratio",
    "divisor",
    "se",
    "expand",
    "squeeze",
    "e",
    "act",
    "shortcut",
    "group_first",
)
"""Arguments of the blocks that can be given as `--name value`."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("block", metavar="BLOCK", nargs="?", help="a block's name, or all; see `yolo-plugins list`")
    parser.add_argument("c1", metavar="C1", type=int, nargs="?", help="input channels")
    parser.add_argument("c2", metavar="C2", type=int, nargs="?", help="output channels (default: C1)")
    parser.add_argument("--size", type=int, default=32, help="side of the input map (default 32)")
    parser.add_argument("--runs", type=int, default=20, help="timed runs, of which the median counts (default 20)")
    parser.add_argument("--format", choices=("text", "markdown", "json", "csv"), default="text")
    parser.add_argument("--reference", action="store_true", help="known figures, as counted here and by other tools")
    arguments = parser.add_argument_group("arguments of the block")
    for name in OPTIONS:
        arguments.add_argument(f"--{name}", type=_value, metavar=name.upper())


def run(args: argparse.Namespace) -> int:
    from ..block_costs import compare, compare_all, reference_figures
    from ..counters import CONVENTIONS
    from ..tables import table

    if args.reference:
        print(table(reference_figures(), args.format))
        if args.format == "text":
            print("\n" + "\n".join(f"{tool}: {text}" for tool, text in CONVENTIONS.items()))
        return 0
    if args.block is None or args.c1 is None:
        raise ValueError("give a block and its channels, as in: yolo-plugins cost GhostConv 64 128 --k 3")
    options = {name: value for name in OPTIONS if (value := getattr(args, name)) is not None}
    c2, refused = args.c2 or args.c1, []
    if args.block == "all":
        rows, refused = compare_all(args.c1, c2, args.size, args.runs, options)
    else:
        rows = compare(args.block, args.c1, c2, args.size, args.runs, **options)
    print(table(rows, args.format))
    if args.format == "text":
        print(f"\ninput 1×{args.c1}×{args.size}×{args.size}; ms is the median of {args.runs} runs", *refused, sep="\n")
    return 0


def _value(text: str) -> Any:
    """A number, True or False, or else the text itself, as in a YAML row."""
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text
