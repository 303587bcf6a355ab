"""Values in messages, in a few characters."""

from __future__ import annotations

import reprlib
from typing import Any


class _Repr(reprlib.Repr):
    """`repr` of bounded length, whatever nests in what."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxlist, self.maxdict, self.maxtuple = 3, 6, 6, 6
        self.maxstring = self.maxother = self.maxlong = 60

    def repr_int(self, x: int, level: int) -> str:
        return str(x) if x.bit_length() < 200 else f"<a number of {x.bit_length()} bits>"


def short(value: Any, limit: int = 60) -> str:
    """A value in at most `limit` characters."""
    text = _Repr().repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"
