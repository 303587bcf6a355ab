"""Trained weights of any torch model into the same model with swapped blocks, without labels.

First every block alone, from the teacher's own inputs to the teacher's own outputs; then batch norms are recalibrated;
then all of them together, on the teacher's feature maps and outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from ..blocks.counting import evaluated
from .distances import Distance, unexplained
from .learning import Lessons
from .recording import Pair, swapped_blocks
from .schedule import Progress, Schedule, TransplantReport
from .starting import copy_untouched, inherit, measured


def transplant(
    teacher: nn.Module,
    student: nn.Module,
    batches: Callable[[], Tensor],
    names: Sequence[str] | None = None,
    schedule: Schedule | None = None,
    *,
    outputs: Mapping[str, Distance] | Sequence[str] = (),
    state: Path | None = None,
    progress: Progress | None = None,
) -> TransplantReport:
    """Train the swapped blocks of `student`, in place, to do what their counterparts in `teacher` do.

    Args:
        teacher: The trained model; left as it is.
        student: The same model with blocks swapped, by `replace` on a copy or built from an aligned YAML. Everything
            of the same name and shape is copied from the teacher first.
        batches: Gives a batch of images (B, C, H, W) at each call, as the models take them.
        names: Modules to train against those of the same name; by default every registered block in `student`.
        schedule: Steps and learning rates.
        outputs: Modules, not swapped, whose outputs the joint steps match too, such as a head's last convolutions; a
            mapping gives each its own distance, by default `unexplained`.
        state: A file to save progress to every 50 steps and to go on from; removed at the end.
        progress: Called after each step with phase, step, steps and loss.

    Raises:
        ValueError: nothing is swapped, a block without a counterpart, or one whose output has another shape.
    """
    schedule = schedule or Schedule()
    names = list(names) if names is not None else swapped_blocks(student)
    if not names:
        raise ValueError(f"{type(student).__name__} has no light block to train; swap some with replace() first")
    known = dict(teacher.named_modules())
    if missing := [name for name in (*names, *outputs) if name not in known]:
        raise ValueError(f"{missing[0]} is in the student but not in the teacher; their modules must be aligned")
    distances = outputs if isinstance(outputs, Mapping) else dict.fromkeys(outputs, unexplained)
    torch.manual_seed(schedule.seed)
    with evaluated(teacher), torch.enable_grad():
        pair = Pair(teacher, student, names, outputs)
        copied = copy_untouched(teacher, student)
        pair.check(batches())
        for name, block in pair.blocks.items():
            inherit(measured(teacher, pair.replaced[name], batches), block)
        alone, in_place = Lessons(pair, distances, batches, schedule, progress or (lambda *_: None), state).run()
    return TransplantReport(alone, in_place, copied)
