"""What a teacher's modules were given and what they made of it, and which of them a light block stands for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ..blocks.registry import spec_of

Record = dict[str, tuple[tuple[Any, ...], Tensor]]
"""By name, what a module was given and what came of it; modules that did not run are not in it."""


def recorded(
    model: Callable[[Tensor], Any],
    x: Tensor,
    modules: Mapping[str, nn.Module],
    last: Mapping[str, nn.Module] | None = None,
) -> Record:
    """Run a model on `x` and keep what some of its modules were given and made, or what those of `last` made of it."""
    ends = {**modules, **(last or {})}
    inputs: dict[str, tuple[Any, ...]] = {}
    record: Record = {}

    def keep_inputs(name: str, _: nn.Module, given: tuple[Any, ...]) -> None:
        inputs[name] = given

    def keep_output(name: str, _: nn.Module, __: tuple[Any, ...], output: Any) -> None:
        # A copy, as what comes next may work in place: an activation, or a sum with the shortcut.
        record[name] = inputs[name], output.clone() if isinstance(output, Tensor) else output

    hooks = [m.register_forward_pre_hook(partial(keep_inputs, name)) for name, m in modules.items()]
    hooks += [m.register_forward_hook(partial(keep_output, name)) for name, m in ends.items()]
    try:
        model(x)
    finally:
        for hook in hooks:
            hook.remove()
    return record


class Pair:
    """A trained model and the same with swapped blocks, which are matched by name: blocks first, then outputs.

    Attributes:
        blocks: The student's swapped blocks, of a head's branches with what they share before them.
        replaced: What each of them stands for: a module, or a convolution with what came after it.
    """

    def __init__(self, teacher: nn.Module, student: nn.Module, names: Iterable[str], outputs: Iterable[str]) -> None:
        self.teacher, self.student = teacher, student
        ours, self._heads = dict(student.named_modules()), _heads(student)
        parts = {f"{name}.{part}": m for name, head in self._heads.items() for part, m in head.branches().items()}
        self.blocks = {name: (ours | parts)[name] for name in names}
        spans = {name: _taken_in(teacher, student, name) for name in self.blocks}
        self.replaced = {name: span[0] if len(span) == 1 else nn.Sequential(*span) for name, span in spans.items()}
        self._last = {name: span[-1] for name, span in spans.items()}
        self._theirs = {name: teacher.get_submodule(name) for name in (*self.blocks, *outputs)}
        self._ours = {name: ours[name] for name in self._theirs if name in ours}

    @torch.no_grad()
    def theirs(self, images: Tensor) -> Record:
        """What the teacher's modules are given for images, and what must come of it in the student."""
        record = recorded(self.teacher, images, self._theirs, self._last)
        for head, own in self._heads.items():
            for name in [name for name in record if name.startswith(f"{head}.")]:
                given, made = record[name]
                record[name] = given, own.matched(name.removeprefix(f"{head}."), made)
        return record

    def ours(self, images: Tensor) -> Record:
        """What the student's are given in their places, and make of it."""
        return recorded(self.student, images, self._ours)

    def check(self, images: Tensor) -> None:
        """Refuse blocks that make other shapes than what they stand for.

        Raises:
            ValueError: channels or stride differ, with both shapes, or a block that does not run.
        """
        record = self.theirs(images)
        self.student.eval()
        for name, block in self.blocks.items():
            if name not in record:
                raise ValueError(f"{name} does not run when the model does, so there is nothing to learn from")
            check_shape(name, self._theirs[name], block, *record[name])


def _heads(student: nn.Module) -> dict[str, Any]:
    """The light heads in a model, which tell of their branches."""
    return {name: m for name, m in student.named_modules() if hasattr(m, "branches") and hasattr(m, "matched")}


def swapped_blocks(model: nn.Module) -> list[str]:
    """Names of the registered blocks in a model, none inside another; a head is its branches, a map in and out each."""
    names: list[str] = []
    heads = _heads(model)
    for name, module in model.named_modules():
        if spec_of(type(module)) is None or any(name.startswith(f"{outer}.") for outer in [*names, *heads]):
            continue
        names += [f"{name}.{branch}" for branch in heads[name].branches()] if name in heads else [name]
    return names


def _taken_in(teacher: nn.Module, student: nn.Module, name: str) -> list[nn.Module]:
    """What a swapped block stands for: the teacher's module of its name, and the norm and activation taken into it."""
    parent, _, first = name.rpartition(".")
    theirs, ours = teacher.get_submodule(parent)._modules, student.get_submodule(parent)._modules
    span = [teacher.get_submodule(name)]
    for sibling in list(ours)[list(ours).index(first) + 1 :]:
        old = theirs.get(sibling)
        if type(ours[sibling]) is not nn.Identity or isinstance(old, nn.Identity) or old is None:
            break
        span.append(old)
    return span


@torch.no_grad()
def check_shape(name: str, old: nn.Module, new: nn.Module, given: tuple[Any, ...], target: Tensor) -> None:
    """Refuse a module that makes another shape of what the one it replaces was given.

    Raises:
        ValueError: channels or stride differ, with both shapes.
    """
    ours, theirs = type(new).__name__, type(old).__name__
    try:
        shape = new(*given).shape
    except RuntimeError as error:
        raise ValueError(f"{name}: {ours} cannot take what the teacher's {theirs} takes: {error}") from error
    if shape != target.shape:
        raise ValueError(
            f"{name}: {ours} makes {tuple(shape[1:])} of an input of which the teacher's "
            f"{theirs} makes {tuple(target.shape[1:])}; channels and strides must be the same"
        )
