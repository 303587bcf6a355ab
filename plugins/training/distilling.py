"""Whether Ultralytics can train a model with a teacher beside it (`distill_model=`)."""

from __future__ import annotations

from typing import Any


def no_distillation(student: Any, teacher: Any) -> str:
    """Why a student cannot be trained with this teacher as `distill_model`, or nothing where it can.

    Ultralytics compares the maps that the two heads are given, each through a projection to the teacher's channels,
    weighed by the teacher's confidences; so both need a head of boxes, over as many maps.
    """
    from ultralytics import __version__
    from ultralytics.nn.modules import Detect
    from ultralytics.utils import DEFAULT_CFG_DICT

    if "distill_model" not in DEFAULT_CFG_DICT:
        return f"Ultralytics {__version__} has no distill_model"
    maps: list[int] = []
    for model in (teacher, student):
        head: Any = model.model[-1]
        if not isinstance(head, Detect):
            return f"distill_model takes models with boxes, and {type(head).__name__} has none"
        rows: Any = head.f
        maps.append(len(rows))
    if maps[0] != maps[1]:
        return f"the teacher's head takes {maps[0]} maps, the light model's {maps[1]}"
    return ""
