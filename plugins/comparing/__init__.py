"""Exported models side by side: cost, speed, accuracy and agreement, and which of them to deploy.

Everything that other rooms use is here. Measuring happens in worker processes (`worker`), one for each candidate and
format, which import this package and must stay as small as the runtime that they measure: so names are imported when
they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .answering import answer, warnings
    from .bench import Bench, require, timed
    from .choosing import Budget, winner
    from .comparison import compare
    from .formats import RUNTIMES
    from .intervals import Ratio, ratio
    from .machine import command, describe
    from .progress import Board
    from .settings import Settings, fit
    from .store import Store, content, fingerprint

__all__ = [
    "RUNTIMES",
    "Bench",
    "Board",
    "Budget",
    "Ratio",
    "Settings",
    "Store",
    "answer",
    "command",
    "compare",
    "content",
    "describe",
    "fingerprint",
    "fit",
    "ratio",
    "require",
    "timed",
    "warnings",
    "winner",
]

_FILES = {
    "Bench": "bench",
    "Board": "progress",
    "Budget": "choosing",
    "RUNTIMES": "formats",
    "Ratio": "intervals",
    "Settings": "settings",
    "Store": "store",
    "answer": "answering",
    "command": "machine",
    "compare": "comparison",
    "content": "store",
    "describe": "machine",
    "fingerprint": "store",
    "fit": "settings",
    "ratio": "intervals",
    "require": "bench",
    "timed": "bench",
    "warnings": "answering",
    "winner": "choosing",
}


def __getattr__(name: str) -> Any:
    if name not in _FILES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_FILES[name]}", __name__), name)
