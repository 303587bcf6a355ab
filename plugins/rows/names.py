"""Which modules a row may name: registered blocks, Ultralytics' layers, torch.nn's and torchvision.ops'."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Sequence
from functools import cache
from types import CodeType, ModuleType
from typing import Any

from torch import nn

from ..blocks.registry import BLOCKS, PREFIX, spec_of
from .description import Names


def module(name: str, tasks: ModuleType) -> Any:
    """What a row's name leads to in the Ultralytics whose `tasks` these are, or None."""
    if name.startswith(PREFIX):
        return BLOCKS.get(name.removeprefix(PREFIX))
    if name.startswith("nn."):
        return getattr(nn, name[3:], None)
    if name.startswith("torchvision.ops."):
        import torchvision

        return getattr(torchvision.ops, name[16:], None)
    return vars(tasks).get(name)


def is_layer(found: Any, tasks: ModuleType) -> bool:
    """Whether it is a layer: not a function, a whole model or anything else that a name may happen to reach."""
    layer = isinstance(found, type) and issubclass(found, nn.Module) and found is not nn.Module
    return layer and not issubclass(found, (tasks.BaseModel, tasks.Ensemble, nn.ModuleList))


def names(tasks: ModuleType, layers_only: bool = False) -> Names:
    """What a row may name in the Ultralytics of this process.

    Args:
        tasks: `ultralytics.nn.tasks`.
        layers_only: Refuse what upstream would call, though it is no layer: for a YAML that may come from anybody.
    """

    def known(name: str) -> bool:
        found = module(name, tasks)
        return is_layer(found, tasks) if layers_only else callable(found)

    near = [
        *(PREFIX + name for name in BLOCKS),
        *(name for name, found in vars(tasks).items() if not name.startswith(PREFIX) and is_layer(found, tasks)),
        *(f"nn.{name}" for name, found in vars(nn).items() if is_layer(found, tasks)),
    ]

    def maps(name: str, args: list[Any]) -> Sequence[int]:
        found: Any = module(name, tasks)
        spec = spec_of(found)
        try:
            return found.map_channels(*args) if spec and spec.maps else ()
        except (RuntimeError, TypeError, ValueError):
            return ()  # the row itself tells, when it is built

    return Names(known, near, _locals(tasks.parse_model.__code__), maps)


@cache
def _locals(code: CodeType) -> frozenset[str]:
    """Names that a function binds, as `locals()` has them: without a comprehension's, which Python 3.12 inlines."""
    return frozenset(_bound(ast.parse(inspect.getsource(code))))


def _bound(node: ast.AST) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store):
            yield child.id
        elif isinstance(child, (ast.arg, ast.alias)):
            yield child.arg if isinstance(child, ast.arg) else child.asname or child.name
        elif not isinstance(child, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
            yield from _bound(child)
