"""One line that tells how far a long run is: redrawn on a terminal, printed now and then elsewhere."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TextIO

QUIET = 10.0
"""Seconds between lines where nothing can be redrawn."""


class Line:
    """Counts steps of a stage, with the time that it took and about how much is left.

    Args:
        stream: Where to, standard error by default.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._live = self._stream.isatty()
        self._stage, self._first, self._start, self._said = "", 1, 0.0, 0.0

    def step(self, stage: str, number: int, total: int, what: str = "") -> None:
        """Begin step `number` of `total`, counted from 1."""
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._first, self._start, self._said = stage, number, now, -QUIET
        took, done = now - self._start, number - self._first
        left = f", about {_clock(took / done * (total - number + 1))} left" if done > 0 else ""
        text = f"{stage} {number}/{total}{f' {what}' if what else ''}, {_clock(took)}{left}"
        if self._live:
            self._stream.write(f"\r\x1b[K{text[: shutil.get_terminal_size().columns - 1]}")
            self._stream.flush()
        elif now - self._said >= QUIET or number == total:
            print(text, file=self._stream, flush=True)
            self._said = now

    def say(self, text: str) -> None:
        """A line that stays."""
        if self._live:
            self._stream.write("\r\x1b[K")
        print(text, file=self._stream, flush=True)


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"
