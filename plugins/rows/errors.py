"""What an error from inside a block means for the row that names it: the reason in one line, and what to write."""

from __future__ import annotations

import traceback
from types import ModuleType
from typing import Any

from ..blocks.signature import described
from .description import Problem, rows_of
from .names import module


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
    """The number of the row that was being built or was running in one of Ultralytics' models, if one was."""
    found = None
    trace = error.__traceback__
    while trace is not None:
        name, scope = trace.tb_frame.f_code.co_name, trace.tb_frame.f_locals
        if name == "parse_model":
            found = scope.get("i", found)
        elif name in ("predict", "_predict_once") and "self" in scope:
            found = getattr(scope.get("m"), "i", found)
        trace = trace.tb_next
    return found


def row_problem(error: Exception, description: dict[str, Any], tasks: ModuleType) -> Problem:
    """An error in the terms of the row that it comes from, or without one where none is known."""
    i = row_of(error)
    if i is None:
        return Problem(reason_of(error))
    source, _, name, _ = rows_of(description)[i]
    return Problem(row_reason(error, module(name, tasks), source), i, name)


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
        return f"{reason}; {described(cls)}"
    return reason
