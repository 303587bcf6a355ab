"""Draw a block's data flow as Mermaid text, recorded from a forward pass: for a README, a thesis, or mermaid.live.

yolo-plugins draw GhostConv 64 128 --k 3 --size 32
yolo-plugins draw all > docs/blocks.md      a page with every block's card and drawing
"""

from __future__ import annotations

import argparse

from ..block_arguments import add, given

HELP = "draw a block's data flow"


def configure(parser: argparse.ArgumentParser) -> None:
    add(parser)


def run(args: argparse.Namespace) -> None:
    arguments = {} if args.block == "all" else given(args)
    from ...inspection.block_costs import build
    from ...inspection.cards import page
    from ...inspection.drawing import draw

    if args.block == "all":
        print(page(), end="")
    else:
        print(draw(build(args.block, arguments)[0], (args.c1, args.size, args.size)))
