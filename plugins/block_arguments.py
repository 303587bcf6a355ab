"""A block's constructor arguments from the command line: `BLOCK C1 [C2] --k 3 --act silu`."""

from __future__ import annotations

import argparse
import ast
from typing import Any

MAX_ELEMENTS = 64_000_000
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


def add(parser: argparse.ArgumentParser) -> None:
    """Declare block, channels, input size and options."""
    parser.add_argument("block", metavar="BLOCK", nargs="?", help="a block's name, or all; see `yolo-plugins list`")
    parser.add_argument("c1", metavar="C1", type=int, nargs="?", help="input channels")
    parser.add_argument("c2", metavar="C2", type=int, nargs="?", help="output channels (default: C1)")
    parser.add_argument("--size", type=int, default=32, help="side of the input map (default 32)")
    arguments = parser.add_argument_group("arguments of the block")
    for name in OPTIONS:
        arguments.add_argument(f"--{name}", type=_value, metavar=name.upper())


def given(args: argparse.Namespace) -> dict[str, Any]:
    """The options that were given."""
    return {name: value for name in OPTIONS if (value := getattr(args, name)) is not None}


def require(args: argparse.Namespace) -> None:
    """Refuse a missing block or channels, and an input that is empty or too large.

    Raises:
        ValueError: with an example of what to give.
    """
    if args.block is None or args.c1 is None:
        example = f"yolo-plugins {args.command} GhostConv 64 128 --k 3"
        raise ValueError(f"give a block and its channels, as in: {example}")
    if args.size < 1:
        raise ValueError(f"--size {args.size} must be at least 1")
    if args.c1 * args.size**2 > MAX_ELEMENTS:
        raise ValueError(
            f"an input of {args.c1}×{args.size}×{args.size} has more than {MAX_ELEMENTS:,} elements; "
            "give fewer channels or a smaller --size"
        )


def _value(text: str) -> Any:
    """A number, True or False, or else the text itself, as in a YAML row."""
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text
