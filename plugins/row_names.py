"""Which modules a row may name: registered blocks, Ultralytics' layers, torch.nn's and torchvision.ops'."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from torch import nn

from .model_yaml import Names
from .registry import BLOCKS

PREFIX = "plugins."


def module(name: str, scope: Mapping[str, Any]) -> type[nn.Module] | None:
    """The class that a row's name leads to, or None; `scope` holds Ultralytics' names.

    Only layers: not functions, whole models or anything else that a name may happen to reach.
    """
    found: Any
    if name.startswith(PREFIX):
        return BLOCKS.get(name.removeprefix(PREFIX))
    if name.startswith("nn."):
        found = getattr(nn, name[3:], None)
    elif name.startswith("torchvision.ops."):
        import torchvision

        found = getattr(torchvision.ops, name[16:], None)
    else:
        found = scope.get(name)
    models = (scope["BaseModel"], scope["Ensemble"], nn.ModuleList)
    layer = isinstance(found, type) and issubclass(found, nn.Module) and found is not nn.Module
    return found if layer and not issubclass(found, models) else None


def names(tasks: ModuleType) -> Names:
    """What a row may name in the Ultralytics of this process."""
    scope = vars(tasks)
    code = tasks.parse_model.__code__
    return Names(
        known=lambda name: module(name, scope) is not None,
        near=[
            *(PREFIX + name for name in BLOCKS),
            *(name for name in scope if not name.startswith(PREFIX) and module(name, scope)),
            *(f"nn.{name}" for name in vars(nn) if module(f"nn.{name}", scope)),
        ],
        taken=frozenset(code.co_varnames + code.co_cellvars),
    )
