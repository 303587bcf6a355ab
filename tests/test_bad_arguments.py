"""Every argument of every block, given what it cannot be: refused in one sentence, or built and run."""

from __future__ import annotations

import inspect
import math
import re
from typing import Any

import pytest
import torch
import yolo_plugins as yp
from cases import CASES, Case

BAD = (
    *(0, -1, -64, 2, 7, 63, 65, 10**4, 10**6, 10**9, 2**63, 2**70, 10**30),
    *(0.5, 1.0, -0.5, 1e9, 1e308, math.inf, -math.inf, math.nan),
    *(None, True, False, "", "3", "relu", "x" * 1000, b"3", [1], [], (2, 2), {}, {"a": 1}, object, ValueError("x")),
)
FIRST = {case.build: case for case in reversed(CASES)}


def ends(build: Any, arguments: dict[str, Any], c1: int) -> str:
    """What is wrong with how it ended; empty if it was refused in one sentence, or builds and runs."""
    try:
        module = build(**arguments)
    except ValueError as error:
        message = str(error)
        named = any(re.search(rf"\b{name}\b", message) for name in yp.BLOCKS) or "act=" in message or "×" in message
        one_line = "\n" not in message and len(message) < 1500
        return "" if named and one_line else f"not a sentence about a block: {message[:300]}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:300]
    side = 8 if c1 < 10**5 else 2
    try:
        with torch.no_grad():
            module.eval()(torch.zeros(1, c1, side, side))
    except Exception as error:
        return f"built, but does not run: {type(error).__name__}: {error}"[:300]
    return ""


@pytest.mark.parametrize("case", FIRST.values(), ids=lambda case: case.build.__name__)
def test_an_argument_that_cannot_be_is_refused_in_one_sentence(case: Case) -> None:
    signature = inspect.signature(case.build)
    bound = signature.bind(*case.args, **case.options)
    bound.apply_defaults()
    wrong = []
    for name in signature.parameters:
        for value in BAD:
            arguments = {**bound.arguments, name: value}
            c1 = value if name == "c1" and type(value) is int and 0 < value <= 10**6 else case.c1
            if reason := ends(case.build, arguments, c1):
                wrong.append(f"{name}={str(value)[:40]!s} of {type(value).__name__}: {reason}")
    assert not wrong, "\n".join(wrong)


def test_the_classifiers_head_too(patched: None) -> None:
    head = yp.BLOCKS["ClassifyHead"]
    wrong = []
    for name in ("c1", "nc", "dropout"):
        for value in BAD:
            c1 = value if name == "c1" and type(value) is int and 0 < value <= 10**6 else 8
            if reason := ends(head, {"c1": 8, "nc": 3, "dropout": 0.0, name: value}, c1):
                wrong.append(f"{name}={value!r}: {reason}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: yp.ConvBNAct(100_000, 100_000), r"ConvBNAct: 100000 → 100000 channels .* 10,000,000,000 weights"),
        (lambda: yp.DWConv(8, 8, 65), r"ConvBNAct: kernel k=65 at dilation 1 reaches over 65 pixels"),
        (lambda: yp.DWConv(8, 8, 3, 1, 10_000), r"kernel k=3 at dilation 10000 reaches over 20001 pixels"),
        (lambda: yp.GhostConv(8, 16, ratio=1000), r"GhostConv: ratio=1000 makes more maps than c2=16; use 16 or less"),
        (lambda: yp.C2fDW(8, 8, 101), r"C2fDW: n=101 inner blocks are too many; use at most 100"),
        (lambda: yp.C2fSE(2000, 2000, 30), r"C2fSE: c1=2000, c2=2000, n=30 needs [\d,]+ .* at most"),
        (lambda: yp.InvertedResidual(8, 8, 1.0), r"InvertedResidual: stride s=1.0 is not one of 1, 2"),
        (lambda: yp.C2fGhost(8, 8, e=math.nan), r"C2fGhost: e=nan must be a number"),
        (lambda: yp.ShuffleNetV1Stage(24, 3, groups=[3]), r"groups=\[3\] is not supported"),
    ],
)
def test_what_is_too_large_is_said_before_it_takes_memory(build: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()
