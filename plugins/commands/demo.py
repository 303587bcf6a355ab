"""Not written yet."""

from __future__ import annotations

import argparse

HELP = "demo"


def configure(parser: argparse.ArgumentParser) -> None:
    pass


def run(args: argparse.Namespace) -> int:
    return 0
