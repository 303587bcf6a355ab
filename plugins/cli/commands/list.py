"""List the blocks, as YAML rows name them and with the arguments that rows give, and the model YAMLs.

yolo-plugins list
yolo-plugins list --long                 a card for every block: formula, counts, times, exports, what it is not good at
yolo-plugins list --long GhostConv EMA   the cards of some
"""

from __future__ import annotations

import argparse

from ...tables import columns

HELP = "list blocks and model YAMLs"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("blocks", metavar="BLOCK", nargs="*", help="with --long, only these")
    parser.add_argument("--long", action="store_true", help="a card for each block")


def run(args: argparse.Namespace) -> None:
    if args.blocks and not args.long:
        raise ValueError(f"cards are shown by --long: yolo-plugins list --long {' '.join(args.blocks)}")
    if args.long:
        from ...inspection.cards import text

        print(text(args.blocks))
        return
    from ...inspection.listing import blocks
    from ...model_yamls import names, title

    print("Blocks, with the arguments of a YAML row:")
    print(columns([[f"  {entry.row}", entry.summary] for entry in blocks()]))
    print("\nModel YAMLs; put a scale letter n, s, m, l or x after the version, as in yolov8n-ghost.yaml:")
    print(columns([[f"  {name}", title(name)] for name in names()]))
