"""What blocks say of themselves: formulas are right, cards have every fact, what is measured is comparable."""

import inspect
from typing import Any

import pytest
import yolo_plugins as yp
from cases import CASES, Case
from yolo_plugins.blocks.counting import parameters
from yolo_plugins.blocks.formula import evaluate, shown
from yolo_plugins.blocks.registry import PACKAGE, spec_of

pytest.importorskip("ultralytics")
import yolo_plugins.heads
import yolo_plugins.networks

OWN = [name for name, cls in yp.BLOCKS.items() if cls.__module__ == PACKAGE]
COUNTED = [name for name in OWN if spec_of(yp.BLOCKS[name]).row != "network"]
"""All but stages of networks, whose channels a table says."""


def arguments(build: Any, *args: Any, **options: Any) -> dict[str, Any]:
    bound = inspect.signature(build).bind(*args, **options)
    bound.apply_defaults()
    return dict(bound.arguments)


def is_plain(case: Case) -> bool:
    given = arguments(case.build, *case.args, **case.options)
    return given.get("inner", "ConvBNAct") == "ConvBNAct" and not given.get("gate")


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.build.__name__ in COUNTED and is_plain(case)], ids=lambda case: case.id
)
def test_a_blocks_formula_gives_its_count_for_any_arguments(case: Case) -> None:
    formula = spec_of(case.build).params
    assert formula, f"{case.build.__name__} lacks params= in its registration"
    assert evaluate(formula, arguments(case.build, *case.args, **case.options)) == parameters(case())


@pytest.mark.parametrize("reg_max", [1, 16])
@pytest.mark.parametrize("c1", [[16, 32, 64], [128, 160]])
@pytest.mark.parametrize("name", ["LiteDetect", "LiteSegment"])
def test_a_heads_formula_gives_its_count(name: str, c1: list[int], reg_max: int) -> None:
    head = yp.BLOCKS[name]
    given = arguments(head, c1, 7, reg_max=reg_max)
    assert evaluate(spec_of(head).params, given) == parameters(head(**given))


@pytest.mark.parametrize(
    ("formula", "text"),
    [
        ("m = ceil(c2/ratio); k**2*c1*m//g + 2*m", "⌊k²·c1·m/g⌋ + 2·m, m = ⌈c2/ratio⌉"),
        ("a - (b - c) + 2*(a + b)", "a − (b − c) + 2·(a + b)"),
        ("(c1*m if m != c1 else 0) + (g if first else 1)", "(c1·m if m ≠ c1) + (g if first, else 1)"),
        ("len(c1) + sum(c*c2 + 2 for c in c1 if c != c2)", "len(c1) + Σ(c·c2 + 2 for c in c1 if c ≠ c2)"),
        ("k or max(3, t + 1 - t % 2)", "k or max(3, t + 1 − t mod 2)"),
        ("c1[0]*npr + a/(b*c)", "c1[0]·npr + a/(b·c)"),
    ],
)
def test_a_formula_is_shown_as_people_write_it(formula: str, text: str) -> None:
    assert shown(formula) == text
