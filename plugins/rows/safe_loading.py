"""Restricted loading of checkpoints: our classes are trusted, and one that this release lacks is named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import yolo_plugins

from ..blocks.registry import PACKAGE, checkpoint_classes


def trust() -> Callable[[], None]:
    """Put our classes on torch's list of safe globals; returns what takes them off again."""
    add = getattr(torch.serialization, "add_safe_globals", None)
    if add is None:  # torch before 2.4 has no such list, and Ultralytics no restricted loading with it
        return lambda: None
    before = set(torch.serialization.get_safe_globals())
    ours = [cls for cls in checkpoint_classes() if cls not in before]
    add(ours)

    def undo() -> None:
        kept = [entry for entry in torch.serialization.get_safe_globals() if entry not in ours]
        torch.serialization.clear_safe_globals()
        add(kept)

    return undo


def explaining(load: Callable[..., Any], kind: type[Exception]) -> Callable[..., Any]:
    """Ultralytics' `torch_safe_load`, raising `kind` with a sentence where a class of ours is missing."""

    def torch_safe_load(weight: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return load(weight, *args, **kwargs)
        except (ImportError, TypeError) as error:
            for name in _globals(weight):
                try:
                    getattr(yolo_plugins, name)
                except AttributeError as missing:
                    raise kind(f"{weight}: {missing}") from error
            raise

    return torch_safe_load


def _globals(weight: Any) -> list[str]:
    """Names of our package that a checkpoint holds and that are not trusted."""
    listing = getattr(torch.serialization, "get_unsafe_globals_in_checkpoint", None)
    if listing is None:
        return []
    try:
        return [name.partition(".")[2] for name in listing(weight) if name.startswith(f"{PACKAGE}.")]
    except Exception:  # not a checkpoint at all: the error that is there tells
        return []
