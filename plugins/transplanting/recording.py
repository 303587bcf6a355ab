"""What a teacher's modules were given and what they made of it, and which of them a light block stands for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

Record = dict[str, tuple[tuple[Any, ...], Tensor]]
"""By name, what a module was given and what came of it; modules that did not run are not in it."""


def recorded(
    model: Callable[[Any], Any],
    x: Any,
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
        # Of a head's prototypes what only training has comes second. And a copy, as what comes next may work in place:
        # an activation, or a sum with the shortcut.
        first = output[0] if isinstance(output, tuple) else output
        record[name] = inputs[name], first.clone() if isinstance(first, Tensor) else first

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
        blocks: The student's swapped blocks.
        heads: Its swapped heads, which are blocks of several outputs.
        replaced: What each of the blocks stands for: a module, or a convolution with what came after it.
    """

    def __init__(
        self,
        teacher: nn.Module,
        student: nn.Module,
        names: Iterable[str],
        outputs: Iterable[str],
        heads: Iterable[str] = (),
    ) -> None:
        self.teacher, self.student = teacher, student
        ours = dict(student.named_modules())
        self.blocks, self.heads = ({name: ours[name] for name in given} for given in (names, heads))
        spans = {name: _taken_in(teacher, student, name) for name in self.blocks}
        self.replaced = {name: span[0] if len(span) == 1 else nn.Sequential(*span) for name, span in spans.items()}
        self._last = {name: span[-1] for name, span in spans.items()}
        self._theirs = {name: teacher.get_submodule(name) for name in (*self.blocks, *outputs)}
        self._ours = {name: ours[name] for name in self._theirs if name in ours}
        self._given = {name: teacher.get_submodule(name) for name in self.heads}

    @torch.no_grad()
    def theirs(self, images: Tensor) -> Record:
        """What the teacher's modules are given for images, and what must come of it."""
        return recorded(self.teacher, images, {**self._theirs, **self._given}, self._last)

    def ours(self, images: Tensor) -> Record:
        """What the student's are given in their places, and make of it."""
        return recorded(self.student, images, self._ours)

    def of_heads(self, theirs: Record) -> Record:
        """What the student's heads make of what the teacher's were given."""
        record: Record = {}
        for name, head in self.heads.items():
            watched = {n: m for n, m in self._ours.items() if n.startswith(f"{name}.")}
            record |= recorded(head, theirs[name][0][0], watched)
        return record

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
