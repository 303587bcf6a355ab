"""`timed` for tests/benchmarks/lite_designs.py, which is to take it from `yolo_plugins.comparing`."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from yolo_plugins import comparing


def timed(modules: Mapping[str, tuple[Any, Sequence[Any]]], args: argparse.Namespace) -> dict[str, list[float]]:
    """`comparing.timed` with the arguments of a command line."""
    return comparing.timed(modules, args.runtime, args.threads, args.rounds)
