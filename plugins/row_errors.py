"""What an error from inside a block means for the row that names it: the reason in one line, and what to write."""

from __future__ import annotations

import inspect
import traceback
from typing import Any

SUPPLIED = {"self", "c1", "n"}


def reason_of(error: BaseException, limit: int = 240) -> str:
    """An error's message in one line; for an assertion without one, what it asserts."""
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    if not text and isinstance(error, AssertionError):
        frames = traceback.extract_tb(error.__traceback__)
        text = f"does not hold: {(frames[-1].line or '').removeprefix('assert ')}" if frames else ""
    if isinstance(error, KeyError):
        text = f"{text} is not known"
    text = text or type(error).__name__
    return text if len(text) <= limit else text[: limit - 1] + "…"


def row_of(error: BaseException) -> int | None:
    """The number of the row that was running in one of Ultralytics' models, if one was."""
    found = None
    trace = error.__traceback__
    while trace is not None:
        frame = trace.tb_frame
        if frame.f_code.co_name in ("predict", "_predict_once") and "self" in frame.f_locals:
            found = getattr(frame.f_locals.get("m"), "i", found)
        trace = trace.tb_next
    return found


def row_reason(error: BaseException, cls: Any, source: Any) -> str:
    """An error while a row was built, and what the row should say.

    Args:
        error: What was raised.
        cls: The class that the row names, where it is known.
        source: The row's `from`.
    """
    reason = reason_of(error)
    if isinstance(error, ValueError) or not isinstance(cls, type):
        return reason
    if isinstance(error, TypeError) and isinstance(source, int) and "'int' object is not iterable" in reason:
        return f"{cls.__name__} takes several rows; write `from` as a list, such as [-1, 6]"
    if isinstance(error, TypeError) and isinstance(source, list) and "list indices must be integers" in reason:
        return f"{cls.__name__} takes one row; write `from` as a number, or join the rows with Concat"
    if isinstance(error, (TypeError, IndexError, KeyError, AttributeError, AssertionError)):
        return f"{reason}; {signature(cls)}"
    return reason


def signature(cls: type) -> str:
    """What a row may give to a class: its parameters without those that are supplied."""
    try:
        parameters = inspect.signature(cls).parameters.values()
    except (TypeError, ValueError):
        return f"see the arguments of {cls.__name__}"
    own = [
        p.name if p.default is p.empty else f"{p.name}={p.default!r}"
        for p in parameters
        if p.name not in SUPPLIED and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    return f"{cls.__name__} takes [{', '.join(own)}]"
