"""A block's parameter count as a formula of its arguments: Python's arithmetic, evaluated by tests, shown in cards.

`m = ceil(c2/ratio); k**2*c1*m + 2*m`: names given first, the count last. A stage's formula is that of the plain stage.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping
from typing import Any

from .geometry import make_divisible

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "ceil": math.ceil,
    "int": int,
    "log2": math.log2,
    "make_divisible": make_divisible,
    "max": max,
    "min": min,
    "sum": sum,
    "len": len,
}
"""What formulas may call."""


def unknown_names(formula: str, arguments: Mapping[str, Any]) -> list[str]:
    """Names in a formula that are neither arguments, functions, nor given before they are used.

    Raises:
        SyntaxError: it is not Python's arithmetic.
    """
    known, missing = {*arguments, *FUNCTIONS}, []
    for line in _lines(formula):
        names = [node for node in ast.walk(line) if isinstance(node, ast.Name)]
        given = {name.id for name in names if isinstance(name.ctx, ast.Store)}  # by the line, or a sum over items
        missing += sorted({name.id for name in names} - known - given)
        known |= given
    return missing


def evaluate(formula: str, arguments: Mapping[str, Any]) -> int:
    """The count that a formula gives for these arguments."""
    *given, last = _lines(formula)
    names: dict[str, Any] = {"__builtins__": {}, **FUNCTIONS, **arguments}
    exec(compile(ast.Module(given, []), "<formula>", "exec"), names)
    assert isinstance(last, ast.Expr)
    return int(eval(compile(ast.Expression(last.value), "<formula>", "eval"), names))


def shown(formula: str) -> str:
    """A formula as people write it: `k²·c1·m + 2·m, m = ⌈c2/ratio⌉`."""
    *given, last = _lines(formula)
    assert isinstance(last, ast.Expr)
    return ", ".join([_text(last.value), *(_given(line) for line in given)])


def _given(line: ast.stmt) -> str:
    assert isinstance(line, ast.Assign)
    return f"{ast.unparse(line.targets[0])} = {_text(line.value)}"


def _lines(formula: str) -> list[ast.stmt]:
    lines = ast.parse(formula).body
    if not lines or not isinstance(lines[-1], ast.Expr) or any(not isinstance(a, ast.Assign) for a in lines[:-1]):
        raise SyntaxError(f"{formula!r} is not `name = …; count`")
    return lines


SIGNS: dict[type[ast.AST], tuple[str, int]] = {
    ast.Add: (" + ", 1),
    ast.Sub: (" − ", 1),
    ast.Mult: ("·", 2),
    ast.Div: ("/", 3),
}
"""Signs, and how tightly they bind."""


def _text(node: ast.expr, binds: int = 0) -> str:
    """An expression; in brackets where what is around it binds more tightly."""
    if isinstance(node, ast.BinOp):
        if isinstance(node.op, ast.Pow) and isinstance(node.right, ast.Constant) and node.right.value == 2:
            return f"{_text(node.left, 4)}²"
        if isinstance(node.op, ast.FloorDiv):
            return f"⌊{_text(node.left, 3)}/{_text(node.right, 3)}⌋"
        if type(node.op) in SIGNS:
            sign, own = SIGNS[type(node.op)]
            text = f"{_text(node.left, own)}{sign}{_text(node.right, own + (own in (1, 3)))}"
            return f"({text})" if own < binds else text
    if isinstance(node, ast.IfExp):
        other = "" if ast.unparse(node.orelse) == "0" else f", else {_text(node.orelse)}"
        return f"({_text(node.body)} if {ast.unparse(node.test)}{other})"
    if isinstance(node, ast.Call) and ast.unparse(node.func) in ("ceil", "int"):
        left, right = "⌈⌉" if ast.unparse(node.func) == "ceil" else "⌊⌋"
        return f"{left}{_text(node.args[0])}{right}"
    if isinstance(node, ast.Call):
        return f"{ast.unparse(node.func)}({', '.join(_text(argument) for argument in node.args)})"
    text = ast.unparse(node)
    return f"({text})" if binds and isinstance(node, (ast.BoolOp, ast.BinOp, ast.Compare)) else text
