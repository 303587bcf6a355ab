"""A function edited on its syntax tree, in place, and as it was again."""

from __future__ import annotations
import __future__

import ast
import inspect
from collections.abc import Callable
from types import FunctionType, ModuleType


class UnknownShape(ValueError):
    """The function is not of the shape that an edit expects."""


def edit(module: ModuleType, function: FunctionType, change: Callable[[ast.FunctionDef], None]) -> Callable[[], None]:
    """Change the code of a module's function; the function object stays, so whoever has imported it sees the edit.

    Tracebacks show the module's own file and lines.

    Args:
        module: Where the function is defined.
        function: A function of it.
        change: Edits its syntax tree.

    Returns:
        What brings the former code back.

    Raises:
        UnknownShape: there is no source, or `change` did not find what it looks for.
    """
    original = function.__code__
    try:
        tree = ast.parse(inspect.getsource(module))
        node = next(n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == function.__name__)
        change(node)
    except (OSError, SyntaxError, StopIteration, ValueError) as error:
        raise UnknownShape(f"{function.__name__} has another shape") from error
    tree.body = [node]
    flags = original.co_flags & __future__.annotations.compiler_flag
    namespace: dict[str, FunctionType] = {}
    exec(compile(tree, module.__file__ or "", "exec", flags, dont_inherit=True), namespace)
    function.__code__ = namespace[function.__name__].__code__
    return lambda: setattr(function, "__code__", original)


def statement(source: str, like: ast.stmt) -> ast.stmt:
    """A statement that tracebacks show at the place of another."""
    (node,) = ast.parse(source).body
    for child in ast.walk(node):
        if hasattr(child, "lineno"):
            ast.copy_location(child, like)
    return node


def insert_first(function: ast.FunctionDef, source: str) -> None:
    """Put a statement before all others of a function, after its docstring."""
    first = 1 if ast.get_docstring(function) else 0
    function.body.insert(first, statement(source, function.body[first]))
