"""`key=value` for Ultralytics' `train`, read as its own command line reads them; it is not imported for that."""

from __future__ import annotations

import ast
import difflib
import importlib.util
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from ..files import read_yaml

OURS = ("data", "exist_ok", "mode", "model", "name", "project", "resume", "save", "save_dir", "seed")
"""What a series of runs says itself."""


@cache
def known() -> frozenset[str]:
    """The arguments that the installed Ultralytics has; none where it is not found."""
    spec = importlib.util.find_spec("ultralytics")
    file = Path(spec.origin).parent / "cfg" / "default.yaml" if spec and spec.origin else None
    return frozenset(read_yaml(file) if file and file.is_file() else ())


def parse(texts: Iterable[str], before: str = "") -> dict[str, Any]:
    """`epochs=3 optimizer=SGD device=0,1` as keyword arguments.

    Args:
        texts: One argument each.
        before: The option that they were given with, for messages.

    Raises:
        ValueError: one of another form, that Ultralytics does not have, that is given twice, or that is not for the
            user to give.
    """
    arguments: dict[str, Any] = {}
    for text in texts:
        key, given, value = text.partition("=")
        if not given or not key.isidentifier():
            raise ValueError(f"{before}takes KEY=VALUE, such as epochs=3, not {text!r}")
        if key in OURS:
            raise ValueError(f"{text}: {key} is set here by the command itself; its options say how")
        if known() and key not in known():
            near = difflib.get_close_matches(key, sorted(known()), n=2)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            raise ValueError(f"{text}: `yolo train` has no argument {key}{hint}")
        if key in arguments:
            raise ValueError(f"{text}: {key} is given twice")
        arguments[key] = _value(key, value)
    return arguments


def _value(key: str, text: str) -> Any:
    """A literal, or the text itself; devices stay as they are written."""
    words = {"none": None, "true": True, "false": False}
    if text.lower() in words:
        return words[text.lower()]
    try:
        return text if key == "device" else ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text
