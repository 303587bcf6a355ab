"""Show what is installed and active in this Python environment; paste it into a bug report."""

from __future__ import annotations

import argparse

HELP = "show what is installed and active, for a bug report"


def run(args: argparse.Namespace) -> None:
    from ..startup import status

    for label, value in status().items():
        print(f"{label:<14}{value}")
