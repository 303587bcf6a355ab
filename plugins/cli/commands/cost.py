"""Show what a block costs beside the plain convolution (for a C2f… stage: the plain C2f) that it would replace.

Parameters, multiply-adds of convolutions and linear layers (one multiply-add is one; Ultralytics' GFLOPs are twice
that), activations (elements written by these layers), elements written by all operations, peak memory of the maps alive
at once, and the median latency of several runs on this machine in eval mode. A column with × says how many times less
than the plain one the block is; "theory ×" is what its paper's formula predicts for the multiply-adds.

  yolo-plugins cost GhostConv 64 128 --k 3 --size 32
  yolo-plugins cost all 64 64 --size 32 --format markdown
"""

from __future__ import annotations

import argparse

from ...tables import FORMATS, table
from ..block_arguments import add, given

HELP = "show what a block costs beside the convolution it would replace"


def configure(parser: argparse.ArgumentParser) -> None:
    add(parser)
    parser.add_argument("--runs", type=int, default=20, help="timed runs, of which the median counts (default 20)")
    parser.add_argument("--format", choices=FORMATS, default="text")


def run(args: argparse.Namespace) -> None:
    arguments = given(args)
    if args.runs < 0:
        raise ValueError(f"--runs {args.runs} must be at least 0, which times nothing")
    from ...inspection.block_costs import compare, compare_all

    if args.block == "all":
        rows, refused = compare_all(args.size, args.runs, arguments)
    else:
        rows, refused = compare(args.block, args.size, args.runs, **arguments), []
    print(table(rows, args.format))
    if args.format == "text":
        print(f"\ninput 1×{args.c1}×{args.size}×{args.size}; ms is the median of {args.runs} runs", *refused, sep="\n")
