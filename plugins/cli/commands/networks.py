"""Show the whole networks: parameters, multiply-adds at 224×224, and where their ImageNet weights are published.

How closely they agree with the published networks: `python tests/benchmarks/network_agreement.py`.
"""

from __future__ import annotations

import argparse

from ...tables import FORMATS, table

HELP = "show the whole networks and what they cost"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=FORMATS, default="text")


def run(args: argparse.Namespace) -> None:
    from ...inspection.listing import networks

    print(table(networks(), args.format))
