"""A block's constructor arguments from the command line: `BLOCK C1 [C2] --k 3 --act silu`."""

from __future__ import annotations

import argparse
import ast
from typing import Any

MAX_ELEMENTS = 64_000_000


def add(parser: argparse.ArgumentParser) -> None:
    """Declare block, channels and input size; what is left over are arguments of the block."""
    parser.add_argument("block", metavar="BLOCK", nargs="?", help="a block's name, or all; see `yolo-plugins list`")
    parser.add_argument("c1", metavar="C1", type=int, nargs="?", help="input channels")
    parser.add_argument("c2", metavar="C2", type=int, nargs="?", help="output channels (default: C1)")
    parser.add_argument("--size", type=int, default=32, help="side of the input map (default 32)")
    parser.epilog = "Any argument of the block is an option, such as --k 3 --act silu; `yolo-plugins list` shows them."
    parser.set_defaults(takes_more=True, takes_options=True)
    parser.allow_abbrev = False  # --s is the block's stride, not --size


def given(args: argparse.Namespace) -> dict[str, Any]:
    """The block's arguments by name, `c1` and `c2` among them.

    Raises:
        ValueError: a missing block or channels, an option without a value, an input that is empty or too large.
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
    return {"c1": args.c1, "c2": args.c2 or args.c1, **_options(args.more)}


def _options(words: list[str]) -> dict[str, Any]:
    """`--k 3 --act=silu` by name."""
    options: dict[str, Any] = {}
    waiting = list(words)
    while waiting:
        word = waiting.pop(0)
        name, equals, value = word.partition("=")
        if not name.startswith("--") or not (equals or waiting):
            raise ValueError(f"{word} is no argument of a block; write --name value, as in --k 3")
        options[name[2:].replace("-", "_")] = _value(value if equals else waiting.pop(0))
    return options


def _value(text: str) -> Any:
    """A number, True or False, or else the text itself, as in a YAML row."""
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text
