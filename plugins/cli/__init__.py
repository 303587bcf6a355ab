"""The `yolo-plugins` command: one parser over the modules of `cli.commands`, one line for each error."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from .. import __version__
from .commands import GROUPS


class CommandParser(argparse.ArgumentParser):
    """Of a command that takes options of a block, those it does not know are left over with their values.

    By itself argparse leaves their names over, and newer ones take a value for a positional argument.
    """

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        words: list[str] = list(args or ())
        more: list[str] = []
        if self.get_default("takes_options"):
            words, more = self._unknown_options(words)
        found, rest = super().parse_known_args(words, namespace)
        return found, [*more, *rest]

    def _unknown_options(self, words: list[str]) -> tuple[list[str], list[str]]:
        known: list[str] = []
        unknown: list[str] = []
        waiting = list(words)
        while waiting:
            word = waiting.pop(0)
            name, equals, _ = word.partition("=")
            ours = name.startswith("--") and name not in self._option_string_actions
            (unknown if ours else known).append(word)
            if ours and not equals and waiting and not waiting[0].startswith("--"):
                unknown.append(waiting.pop(0))
        return known, unknown


def parser(grouped: bool = True) -> argparse.ArgumentParser:
    """The parser of all commands; one that cannot be imported is left out, with a line on standard error.

    `grouped` lists commands in the description, in groups, which argparse has not for them.
    """
    look = argparse.RawDescriptionHelpFormatter
    lines = ["Light, plug-and-play blocks for an unmodified Ultralytics YOLO."]
    whole = argparse.ArgumentParser(prog="yolo-plugins", usage="yolo-plugins COMMAND …", formatter_class=look)
    whole.add_argument("--version", action="version", version=f"yolo-plugins {__version__}")
    listed = argparse.SUPPRESS if grouped else None
    commands = whole.add_subparsers(
        prog="yolo-plugins", dest="command", metavar="COMMAND", required=True, help=listed, parser_class=CommandParser
    )
    for group, names in GROUPS.items():
        lines.append(f"\n{group}:")
        for name in names:
            try:
                module = import_module(f".commands.{name}", __package__)
            except (ImportError, SyntaxError) as error:
                print(f"yolo-plugins: `{name}` is left out, since this install is damaged: {error}", file=sys.stderr)
                continue
            lines.append(f"  {name:<12}{module.HELP}")
            command = commands.add_parser(
                name, help=None if grouped else module.HELP, description=module.__doc__, formatter_class=look
            )
            if hasattr(module, "configure"):  # not of a command without options
                module.configure(command)
            command.set_defaults(run=module.run)
    whole.description = "\n".join([*lines, "\n`yolo-plugins COMMAND --help` has a command's options."])
    return whole


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code.

    Expected failures, `ValueError`, `OSError` and `RuntimeError` with a message for people, are printed as one line.
    """
    whole = parser()
    args, more = whole.parse_known_args(argv)
    args.more = more
    if more and not getattr(args, "takes_more", False):
        whole.error(f"unrecognized arguments: {' '.join(more)}")
    try:
        code = int(args.run(args) or 0)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # as of `yolo-plugins list | head`; nor is there anything to flush to at exit
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
        return 141
    except (ValueError, OSError, RuntimeError) as error:
        print(f"yolo-plugins {args.command}: {error}", file=sys.stderr)
        return 1
