"""Every argument of every block, given what it cannot be: refused in one sentence, or built and run.

How large something may be is the user's business: no value here asks for much memory.
"""

import inspect
import math
import re
from typing import Any

import pytest
import torch
import yolo_plugins as yp
from cases import CASES, Case
from conftest import mostly_slow
from torch import nn

BAD = (
    *(0, -1, -64, 2, 7, 63, 65, 0.5, 1.0, -0.5, math.inf, -math.inf, math.nan, None, True, False),
    *("", "3", "relu", "SE", "x" * 1000, b"3", [1], [], (2, 2), {}, {"a": 1}, object, ValueError("x")),
)
FIRST = {case.build: case for case in reversed(CASES)}


def fault(build: Any, arguments: dict[str, Any]) -> str:
    """What is wrong with how it ended; empty if it was refused in one sentence, or builds and runs."""
    try:
        module = build(**arguments)
    except ValueError as error:
        message = str(error)
        named = any(re.search(rf"\b{name}\b", message) for name in yp.BLOCKS) or re.search("act=|×|no block", message)
        one_line = "\n" not in message and len(message) < 1500
        return "" if named and one_line else f"not a sentence about a block: {message[:300]}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:300]
    c1 = arguments.get("c1", 8)
    maps = [torch.zeros(1, c, 8, 8) for c in c1] if isinstance(c1, (list, tuple)) else torch.zeros(1, c1, 8, 8)
    try:
        with torch.no_grad():
            module.eval()(maps)
    except Exception as error:
        return f"built, but does not run: {type(error).__name__}: {error}"[:300]
    return ""


def faults(build: type[nn.Module], arguments: dict[str, Any]) -> str:
    """The faults with each of a block's arguments replaced by each of the bad values, a line each."""
    replaced = [(name, value, {**arguments, name: value}) for name in arguments for value in BAD]
    found = [
        (f"{name}={str(value)[:40]} of {type(value).__name__}", fault(build, args)) for name, value, args in replaced
    ]
    return "\n".join(f"{what}: {reason}" for what, reason in found if reason)


@pytest.mark.parametrize(
    "case", mostly_slow(FIRST.values(), list(FIRST.values())[::3]), ids=lambda case: case.build.__name__
)
def test_an_argument_that_cannot_be_is_refused_in_one_sentence(case: Case) -> None:
    bound = inspect.signature(case.build).bind(*case.args, **case.options)
    bound.apply_defaults()
    assert not faults(case.build, dict(bound.arguments))


@pytest.mark.parametrize(("name", "more"), [("ClassifyHead", {}), ("LiteClassify", {"hidden": 8, "act": "relu"})])
def test_the_classifiers_head_too(name: str, more: dict[str, Any], patched: None) -> None:
    assert not faults(yp.BLOCKS[name], {"c1": 8, "nc": 3, "dropout": 0.0, **more})
