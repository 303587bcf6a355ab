"""What `check` advises where a model can be written but hardly be used: sizes, and code that it does not run."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from ..blocks.signature import is_count
from ..models.activation_key import foreign
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
    """An `activation:` that is more than a torch.nn layer called plainly; Ultralytics would evaluate it as Python."""
    reason = foreign(spec)
    return Problem(f"{reason}, which `check` does not run: the rest was checked with SiLU") if reason else None
