"""A class's parameters as rows, commands and swaps give them: one way to describe, bind and judge arguments."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

SUPPLIED = ("c1", "n")
"""What a YAML row leaves out, since the row above and the repeats say it."""

EMPTY = inspect.Parameter.empty


_KNOWN: dict[type, Mapping[str, inspect.Parameter]] = {}


def signature_of(cls: type) -> Mapping[str, inspect.Parameter]:
    """The constructor's parameters by name, with real types as annotations where they can be had."""
    if cls not in _KNOWN:
        try:
            _KNOWN[cls] = inspect.signature(cls, eval_str=True).parameters
        except NameError:  # an annotation that is there for type checkers alone
            _KNOWN[cls] = inspect.signature(cls).parameters
    return _KNOWN[cls]


def described(cls: type, supplied: Sequence[str] = SUPPLIED) -> str:
    """What a row may give to a class: `GhostConv takes [c2, k=1, …]`."""
    try:
        own = [p for name, p in signature_of(cls).items() if name not in supplied and p.kind <= p.POSITIONAL_OR_KEYWORD]
    except (TypeError, ValueError):
        return f"see the arguments of {cls.__name__}"
    return f"{cls.__name__} takes [{', '.join(map(shown, own))}]"


def shown(parameter: inspect.Parameter) -> str:
    """A parameter with its default: `k=1`."""
    return parameter.name if parameter.default is EMPTY else f"{parameter.name}={parameter.default!r}"


def refuse_unknown(cls: type, given: Mapping[str, Any]) -> None:
    """Refuse arguments that a class does not have.

    Raises:
        ValueError: naming them, and those that it has.
    """
    if unknown := [name for name in given if name not in signature_of(cls)]:
        own = ", ".join(name for name in signature_of(cls) if name not in ("c1", "c2")) or "none"
        raise ValueError(f"{cls.__name__} has no argument {' and '.join(unknown)}; it has {own}")


def bound(cls: type, given: Mapping[str, Any]) -> dict[str, Any]:
    """Every argument of a class by name: those given, else its defaults.

    Raises:
        ValueError: an argument that it does not have, or that it misses.
    """
    refuse_unknown(cls, given)
    full = {name: given.get(name, p.default) for name, p in signature_of(cls).items()}
    if missing := [name for name, value in full.items() if value is EMPTY]:
        raise ValueError(f"{cls.__name__} needs {' and '.join(missing)} as well")
    return full


def check_positional(cls: type, args: Sequence[Any], supplied: Sequence[str]) -> None:
    """Refuse positional arguments that do not fit, in a row's own terms: without what is supplied for it.

    Raises:
        ValueError: naming the class, the count or type, and its parameters.
    """
    own = list(signature_of(cls).values())
    takes, got = described(cls, supplied), len(args) - len(supplied)
    if len(args) > len(own):
        raise ValueError(f"{takes}, got {got} arguments")
    if missing := [p.name for p in own[len(args) :] if p.default is EMPTY]:
        raise ValueError(f"{takes}, got {got} without {' and '.join(missing)}")
    for parameter, value in zip(own, args, strict=False):
        if parameter.name not in supplied and not _fits(value, parameter.annotation):
            raise ValueError(f"{takes}, got {parameter.name}={value!r} of type {type(value).__name__}")


def is_count(value: Any) -> bool:
    """Whether a value is a whole number, which True is not."""
    return isinstance(value, int) and not isinstance(value, bool)


def _fits(value: Any, annotation: Any) -> bool:
    """Whether a value has the annotated type; only plain types are judged, others are the block's business."""
    if annotation is int:
        return is_count(value)
    if annotation is float:
        return isinstance(value, float) or is_count(value)
    return not (annotation in (bool, str) and not isinstance(value, annotation))
