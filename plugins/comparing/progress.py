"""The live table of a comparison: what is done, running and left, with times."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Sequence
from typing import TextIO

from ..tables import columns


class Board:
    """A grid of models and formats that redraws itself on a terminal and prints lines elsewhere.

    Args:
        models: Names of the rows.
        formats: Names of the columns.
        stream: Where to, standard error by default.
    """

    def __init__(self, models: Sequence[str], formats: Sequence[str], stream: TextIO | None = None) -> None:
        self._cells = {(model, form): "" for model in models for form in formats}
        self._models, self._formats = list(models), list(formats)
        self._stream = sys.stderr if stream is None else stream
        self._live = self._stream.isatty()
        self._start = time.monotonic()
        self._drawn = 0
        self._note = ""
        self._done: set[tuple[str, str]] = set()

    def note(self, text: str) -> None:
        """Say what concerns no single cell."""
        self._note = text
        self._show(text)

    def set(self, model: str, form: str, text: str, done: bool = False, quiet: bool = False) -> None:
        """Put a cell's state; `quiet` redraws the table but prints no line where there is none."""
        self._cells[model, form] = text
        if done:
            self._done.add((model, form))
        self._show("" if quiet else f"{model} {form}: {text}")

    def _show(self, line: str) -> None:
        elapsed = _clock(time.monotonic() - self._start)
        if not self._live:
            if line:
                print(f"{elapsed} {line}", file=self._stream, flush=True)
            return
        if self._drawn:
            self._stream.write(f"\x1b[{self._drawn}A\x1b[J")
        text = f"{self.render()}\n{len(self._done)} of {len(self._cells)} done, {elapsed}  {self._note}\n"
        # A line that wraps would be two to draw over.
        width = shutil.get_terminal_size().columns
        text = "".join(line[: width - 1].rstrip() + "\n" for line in text.splitlines())
        self._stream.write(text)
        self._stream.flush()
        self._drawn = text.count("\n")

    def render(self) -> str:
        """The grid as text."""
        rows = [["", *self._formats]]
        rows += [[model, *(self._cells[model, form][:24] or "·" for form in self._formats)] for model in self._models]
        return columns(rows)


def _clock(seconds: float) -> str:
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
