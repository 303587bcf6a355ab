"""The blocks that a YAML row may name: one table, name → class, ours and the user's."""

from __future__ import annotations

import sys
from importlib.metadata import entry_points
from typing import TypeVar

from torch import nn

from .checkpoint_format import CLASS_PATHS, resolve
from .rows import READERS

BLOCKS: dict[str, type[nn.Module]] = {}
"""Every block by the name that YAML rows give after `plugins.`."""

ENTRY_POINT_GROUP = "yolo_plugins.blocks"

Block = TypeVar("Block", bound=type[nn.Module])


def register(cls: Block) -> Block:
    """Let YAML rows name `cls` as `plugins.<its name>`; also usable as a decorator.

    The class says how its row reads in an attribute `row`, one of the keys of `yolo_plugins.rows.READERS`. Registering
    the same class twice changes nothing.

    Raises:
        TypeError: `cls` is not a class of `torch.nn.Module`, or its `row` is missing or unknown.
        ValueError: another class has that name already.
    """
    if not (isinstance(cls, type) and issubclass(cls, nn.Module)):
        raise TypeError(f"register() takes a class derived from torch.nn.Module, not {cls!r}")
    row = getattr(cls, "row", None)
    if row not in READERS:
        raise TypeError(f"{cls.__name__}.row = {row!r} must say how its YAML row reads: one of {', '.join(READERS)}")
    owner = BLOCKS.setdefault(cls.__name__, cls)
    if owner is not cls:
        raise ValueError(
            f"plugins.{cls.__name__} is {owner.__module__}.{owner.__qualname__} already; "
            f"give {cls.__module__}.{cls.__qualname__} another name"
        )
    return cls


def unregister(cls: type[nn.Module]) -> None:
    """Take back `register(cls)`; a class that is not registered is left alone."""
    if BLOCKS.get(cls.__name__) is cls:
        del BLOCKS[cls.__name__]


def checkpoint_classes() -> list[tuple[type[nn.Module], str]]:
    """Every class that a checkpoint may hold, inner parts of registered blocks included, with the path it has there."""
    paths = dict.fromkeys(CLASS_PATHS)
    for module in sorted({cls.__module__ for cls in BLOCKS.values()}):
        for name, cls in vars(sys.modules[module]).items():
            if isinstance(cls, type) and issubclass(cls, nn.Module) and cls.__module__ == module:
                paths[f"{module}.{name}"] = None
    return [(resolve(path), path) for path in paths]


def register_installed() -> None:
    """Register the blocks that installed packages offer under the entry-point group `yolo_plugins.blocks`."""
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        register(entry.load())
