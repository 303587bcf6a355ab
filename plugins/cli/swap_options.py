"""Which blocks go where, on the command line: a recipe, or blocks by name."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..swapping.recipes import Recipe

HELP = {
    "stage": "in place of stages: a stage, or what is to be inside of those that there are",
    "gate": "on the inner blocks of stages, which else stay as they are",
    "down": "in place of rows that halve a map",
    "up": "in place of rows that enlarge one",
    "join": "in place of concatenations",
}
NAMES = ("swap", *HELP, "from_stride")


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the recipe and the blocks."""
    group = parser.add_argument_group(
        "which blocks go where", "Any registered block, your own too; with arguments in quotes: 'ShuffleUnit(g=4)'."
    )
    group.add_argument(
        "--swap", metavar="RECIPE", help="a name of `yolo-plugins yaml --recipes`, or a YAML file of your own"
    )
    for kind, words in HELP.items():
        group.add_argument(f"--{kind}", metavar="BLOCK", help=words)
    begin = "where in the backbone these begin (default 16); the neck is always part of it"
    group.add_argument("--from-stride", type=int, metavar="STRIDE", help=begin)


def given(args: argparse.Namespace) -> dict[str, str | int]:
    """The options that the command line has."""
    return {name: value for name in NAMES if (value := getattr(args, name)) is not None}


def chosen(args: argparse.Namespace) -> Recipe | None:
    """What the options ask for, or None without any.

    Raises:
        ValueError: no such recipe or block, or one that cannot stand where it is asked to.
    """
    if not given(args):
        return None
    from ..swapping.composing import compose

    return compose(**{name: getattr(args, name) for name in NAMES})
