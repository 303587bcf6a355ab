"""A row as a line of a model YAML."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def row_line(row: list[Any], note: str = "") -> str:
    """A row [from, repeats, module, arguments] as a line, with a comment if there is one."""
    source, n, module, args = row
    return f"  - [{_written(source)}, {n}, {module}, {listed(args)}]{f' # {note}' if note else ''}"


def listed(values: Iterable[Any]) -> str:
    """Values as a YAML's list."""
    return f"[{', '.join(map(_written, values))}]"


def _written(value: Any) -> str:
    if isinstance(value, list):
        return listed(value)
    bare = ("nc", "kpt_shape", "None", "True", "False")  # names and values that Ultralytics reads itself
    return f'"{value}"' if isinstance(value, str) and value not in bare else str(value)
