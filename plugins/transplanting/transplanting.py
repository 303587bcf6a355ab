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
from ..blocks.registry import Spec, spec_of
from .distances import Distance, of_head, unexplained
from .learning import Lessons
from .recording import Pair
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
            mapping gives each its own distance, by default `unexplained`. A swapped head is taught by its own outputs.
        state: A file to save progress to every 50 steps and to go on from; removed at the end.
        progress: Called after each step with phase, step, steps and loss.

    Raises:
        ValueError: nothing is swapped, a block without a counterpart, or one whose output has another shape.
    """
    schedule = schedule or Schedule()
    names = list(names) if names is not None else swapped_blocks(student)
    heads = [name for name, m in student.named_modules() if (spec := spec_of(type(m))) is not None and spec.task]
    if not names and not heads:
        raise ValueError(f"{type(student).__name__} has no light block to train; swap some with replace() first")
    known = dict(teacher.named_modules())
    if missing := [name for name in (*names, *heads, *outputs) if name not in known]:
        raise ValueError(f"{missing[0]} is in the student but not in the teacher; their modules must be aligned")
    distances = dict(outputs) if isinstance(outputs, Mapping) else dict.fromkeys(outputs, unexplained)
    for name in heads:
        if not any(watched.startswith(f"{name}.") for watched in distances):
            distances |= of_head(name, known[name], student.get_submodule(name))
    torch.manual_seed(schedule.seed)
    with evaluated(teacher), torch.enable_grad():
        pair = Pair(teacher, student, names, distances, heads)
        copied = copy_untouched(teacher, student)
        pair.check(batches())
        for name, block in pair.blocks.items():
            inherit(measured(teacher, pair.replaced[name], batches), block)
        alone, in_place = Lessons(pair, distances, batches, schedule, progress or (lambda *_: None), state).run()
    return TransplantReport(alone, in_place, copied)


def swapped_blocks(model: nn.Module) -> list[str]:
    """Names of the registered blocks in a model, none inside another or inside a head."""
    found: dict[str, Spec] = {}
    for name, module in model.named_modules():
        spec = spec_of(type(module))
        if spec is not None and not any(name.startswith(f"{outer}.") for outer in found):
            found[name] = spec
    return [name for name, spec in found.items() if not spec.task]
