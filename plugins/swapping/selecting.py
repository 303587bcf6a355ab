"""Which modules of a model a user means: by name, glob, regular expression, or part of an Ultralytics model."""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Sequence
from typing import Any

from torch import nn

from ..rows.description import rows_of

PARTS = ("backbone", "neck", "head")


def chosen_names(model: nn.Module, where: str | Sequence[str]) -> set[str]:
    """Names of the modules that `where` matches, with all that is in them.

    Raises:
        ValueError: a pattern that matches none, with the nearest names, or that is no regular expression.
    """
    names = [name for name, _ in model.named_modules() if name]
    chosen: set[str] = set()
    for pattern in [where] if isinstance(where, str) else where:
        found = _part(model, pattern, names) if pattern in PARTS else _named(pattern, names)
        if not found:
            bare = pattern.removeprefix("re:").rstrip(".*")
            near = difflib.get_close_matches(bare, names, n=3, cutoff=0.5)
            hint = f"the nearest are {', '.join(near)}" if near else f"there are {', '.join(names[:3])}, …"
            raise ValueError(f"where={pattern!r} matches no module of {type(model).__name__}; {hint}")
        chosen |= found
    return chosen


def _named(pattern: str, names: list[str]) -> set[str]:
    if pattern.startswith("re:"):
        try:
            expression = re.compile(pattern[3:])
        except re.error as error:
            raise ValueError(f"where={pattern!r} is not a regular expression: {error}") from error
        return {name for name in names if expression.search(name)}
    if not set(pattern) & set("*?["):
        return {name for name in names if name == pattern or name.startswith(f"{pattern}.")}
    return {name for name in names if fnmatch.fnmatchcase(name, pattern)}


def _part(model: nn.Module, part: str, names: list[str]) -> set[str]:
    rows = described_rows(model)
    if rows is None:
        return _named(part, names)
    yaml: Any = model.yaml
    first, last = len(yaml["backbone"]), len(rows) - 1
    span = {"backbone": range(first), "neck": range(first, last), "head": range(last, last + 1)}[part]
    return {name for name in names if (m := re.match(r"model\.(\d+)(?=\.|$)", name)) and int(m[1]) in span}


def described_rows(model: nn.Module) -> list[list[Any]] | None:
    """The rows of an Ultralytics model's YAML, or None for another model."""
    yaml = getattr(model, "yaml", None)
    if not isinstance(yaml, dict) or not isinstance(getattr(model, "model", None), nn.Sequential):
        return None
    return rows_of(yaml)
