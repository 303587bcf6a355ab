"""The `yolo-plugins` command: one parser over the modules of `cli.commands`, one line for each error."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from .. import __version__
from .commands import COMMANDS


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code.

    Expected failures, `ValueError`, `OSError` and `RuntimeError` with a message for people, are printed as one line.
    """
    parser = argparse.ArgumentParser(
        prog="yolo-plugins", description="Light, plug-and-play blocks for an unmodified Ultralytics YOLO."
    )
    parser.add_argument("--version", action="version", version=f"yolo-plugins {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in COMMANDS:
        try:
            module = import_module(f".commands.{name}", __package__)
        except (ImportError, SyntaxError) as error:
            print(f"yolo-plugins: `{name}` is left out, since this install is damaged: {error}", file=sys.stderr)
            continue
        look = argparse.RawDescriptionHelpFormatter
        command = commands.add_parser(name, help=module.HELP, description=module.__doc__, formatter_class=look)
        if hasattr(module, "configure"):  # not of a command without options
            module.configure(command)
        command.set_defaults(run=module.run)
    args, more = parser.parse_known_args(argv)
    args.more = more
    if more and not getattr(args, "takes_more", False):
        parser.error(f"unrecognized arguments: {' '.join(more)}")
    try:
        return int(args.run(args) or 0)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except (ValueError, OSError, RuntimeError) as error:
        print(f"yolo-plugins {args.command}: {error}", file=sys.stderr)
        return 1
