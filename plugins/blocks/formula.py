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
    ast.Div: ("/", 2),
    ast.Mod: (" mod ", 2),
}
"""Signs, and how tightly they bind."""

BRACKETS = {"ceil": ("⌈", "⌉"), "int": ("⌊", "⌋")}
COMPARED = {ast.NotEq: "≠", ast.Eq: "=", ast.Gt: ">", ast.Lt: "<"}


def _text(node: ast.expr, binds: int = 0) -> str:
    """An expression; in brackets where what is around it binds more tightly."""
    if isinstance(node, ast.BinOp):
        return _sum_or_product(node, binds)
    if isinstance(node, ast.IfExp):
        other = "" if ast.unparse(node.orelse) == "0" else f", else {_text(node.orelse)}"
        return f"({_text(node.body)} if {_text(node.test)}{other})"
    if isinstance(node, ast.Call):
        name, inside = ast.unparse(node.func), ", ".join(_text(argument) for argument in node.args)
        left, right = BRACKETS.get(name, (f"{'Σ' if name == 'sum' else name}(", ")"))
        return f"{left}{inside}{right}"
    if isinstance(node, ast.GeneratorExp):
        (loop,) = node.generators
        only = "".join(f" if {_text(test)}" for test in loop.ifs)
        return f"{_text(node.elt)} for {_text(loop.target)} in {_text(loop.iter)}{only}"
    if isinstance(node, ast.BoolOp):
        word = " or " if isinstance(node.op, ast.Or) else " and "
        return f"({text})" if (text := word.join(map(_text, node.values))) and binds else text
    if isinstance(node, ast.Compare):
        return f"{_text(node.left)} {COMPARED[type(node.ops[0])]} {_text(node.comparators[0])}"
    return ast.unparse(node)


def _sum_or_product(node: ast.BinOp, binds: int) -> str:
    if isinstance(node.op, ast.Pow):
        return f"{_text(node.left, 4)}{'²' if ast.unparse(node.right) == '2' else f'^{_text(node.right, 4)}'}"
    if isinstance(node.op, ast.FloorDiv):
        return f"⌊{_text(node.left, 2)}/{_text(node.right, 3)}⌋"
    sign, own = SIGNS[type(node.op)]
    follows = isinstance(node.op, (ast.Sub, ast.Div, ast.Mod))  # a − (b − c)
    text = f"{_text(node.left, own)}{sign}{_text(node.right, own + follows)}"
    return f"({text})" if own < binds else text
