"""What `check` advises where a model can be written but hardly be used: sizes, and code that it does not run."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from ..blocks.signature import is_count
from ..models.dry_run import IMAGE, Shapes
from ..rows.description import Problem, rows_of
from ..rows.shortening import short

MAX_REPEATS = 1000
MAX_NUMBER = 1_000_000
MAX_PARAMETERS = 250_000_000
MAX_ELEMENTS = 64_000_000
"""Some times what the largest models of Ultralytics have: 174 million parameters (yolov6x), 11 million elements in a
map at 256×256 (yolov5x-p6)."""


def beyond_trying(description: dict[str, Any]) -> Iterator[Problem]:
    """Numbers so large that building the model would take all memory or time, so that it is not tried."""
    for i, (_, n, module, args) in enumerate(rows_of(description)):
        if n > MAX_REPEATS:
            yield Problem(f"{short(n)} repeats are more than any model has; it is not built here", i, module)
        waiting, seen = list(args), 0
        while waiting and seen < MAX_REPEATS:
            value, seen = waiting.pop(), seen + 1
            if isinstance(value, (list, tuple)):
                waiting.extend(value[:MAX_REPEATS])
            elif is_count(value) and abs(value) > MAX_NUMBER:
                yield Problem(f"{short(value)} is more than any model has; it is not built here", i, module)


def too_large(parameters: int, maps: list[Shapes], description: dict[str, Any]) -> Iterator[Problem]:
    """More parameters, or a larger map, than small machines have memory for."""
    if parameters > MAX_PARAMETERS:
        yield Problem(f"has {parameters:,} parameters; the largest of Ultralytics' models have 174 million")
    for i, (row, shapes) in enumerate(zip(rows_of(description), maps, strict=False)):
        for shape in shapes:
            if (elements := math.prod(shape)) > MAX_ELEMENTS:
                size = "×".join(map(str, shape[1:]))
                yield Problem(f"its map of {size} at {IMAGE}×{IMAGE} has {elements:,} elements", i, row[2])


def foreign_activation(spec: Any) -> Problem | None:
    """An `activation:` that is not a torch.nn layer called plainly; Ultralytics would evaluate it as Python.

    The form that is known is `torch.nn.ReLU()` or `nn.LeakyReLU(0.1)`: one of torch's activations with literals.
    """
    import torch
    from torch import nn

    if spec in (None, False, ""):
        return None
    with suppress(Exception):
        call: Any = ast.parse(str(spec).strip(), mode="eval").body
        path = ast.unparse(call.func).split(".")
        layer = getattr(nn, path[-1])
        known = layer is nn.Identity or layer in vars(nn.modules.activation).values()
        if path[:-1] in (["nn"], ["torch", "nn"]) and known:
            with torch.device("meta"):
                layer(
                    *map(ast.literal_eval, call.args), **{str(k.arg): ast.literal_eval(k.value) for k in call.keywords}
                )
            return None
    return Problem(
        f"activation: {short(spec)} is not a torch.nn layer with plain arguments, such as torch.nn.ReLU(); "
        "it is code, which `check` does not run: the rest was checked with SiLU"
    )
