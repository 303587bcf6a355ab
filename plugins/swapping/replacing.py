"""Light blocks in place of convolutions, bottlenecks and stages of any model, in place and with the shapes kept."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ..blocks.activation import ACTIVATIONS
from ..blocks.composition import Choice
from ..blocks.counting import multiply_adds, parameters
from ..blocks.registry import PREFIX, find, spec_of
from ..blocks.signature import refuse_unknown, signature_of
from .places import (
    NoPlace,
    Place,
    arguments,
    attends,
    conv_group,
    is_activation,
    is_norm,
    kinds,
    place_of,
    refusal,
    row_arguments,
    standing,
)
from .report import Report, Swap
from .selecting import chosen_names, described_rows

ROW = re.compile(r"model\.(\d+)")
"""The name of a whole row of an Ultralytics model."""


@dataclass(frozen=True)
class Match:
    """Which places are worth a light block.

    `kernel` and `channels` are the smallest kernel and number of channels, in and out, and `stride` the only stride
    where it is given. `predictions` takes in plain convolutions that have a bias and no norm or activation of their
    own, as the last ones of a head: what they are initialised to is lost with them.
    """

    kernel: int = 3
    channels: int = 16
    stride: int | None = None
    predictions: bool = False


def replace(
    model: nn.Module,
    block: str | type[nn.Module],
    where: str | Sequence[str] = "*",
    match: Match | None = None,
    *,
    dry_run: bool = False,
    inputs: Any = None,
    **options: Any,
) -> Report:
    """Put `block` in place of every convolution, bottleneck or stage that it can stand for and that is asked for.

    Channels, stride, dilation, device, dtype and train/eval mode are kept. A convolution takes the batch norm and
    activation that directly follow it in the same module with it, into the block; where they are not part of the same
    module (torchvision's ResNet) they stay, and the block ends without an activation. An Ultralytics model's own YAML
    is edited too, row by row, so that training, which builds anew from it, builds the swapped model.

    Args:
        model: Any module; changed in place.
        block: A registered block or its name.
        where: Modules by name, with all that is in them, as a glob (`layer3.*.conv?`) or a regular expression
            (`re:layer[34]`), or "backbone", "neck" and "head" of an Ultralytics model; or several of these.
        match: Properties of the places; by default `Match()`.
        dry_run: Only report.
        inputs: What to run the model on to count multiply-adds; by default an image of 224×224. None is counted where
            the model does not run on it.
        options: Further arguments of the block, such as `ratio=4`.

    Raises:
        ValueError: no such block or option, no module of such a name (with the nearest ones), or none that can be
            swapped (with the reasons).
    """
    order = _Order(_block(block), match or Match(), options)
    refuse_unknown(order.block, options)  # an error, not a reason to leave a module
    if dry_run:
        model = copy.deepcopy(model)
    total, counted = parameters(model), _macs(model, inputs)
    chosen = chosen_names(model, where)
    swaps = [order.swap(model, *found) for found in list(_candidates(model, order.block)) if found[0] in chosen]
    swapped, left = [swap for swap in swaps if swap.now], [swap for swap in swaps if not swap.now]
    if not swapped:
        raise ValueError(f"{order.block.__name__} can stand for none of the modules that match: {_why(left, order)}")
    after = _macs(model, inputs) if counted else None
    macs = (counted, after) if counted and after else None
    return Report(swapped, left, (total, parameters(model)), macs, _notes(model, swapped))


def _why(left: list[Swap], order: _Order) -> str:
    reasons = "; ".join(dict.fromkeys(f"{swap.name} {swap.reason}" for swap in left[:4]))
    more = f"; and {len(left) - 4} more" if len(left) > 4 else ""
    return reasons + more or "it stands for a " + " or a ".join(kinds(order.block))


def _notes(model: nn.Module, swapped: list[Swap]) -> list[str]:
    inner = [swap.name for swap in swapped if not ROW.fullmatch(swap.name)]
    if described_rows(model) is None or not inner:
        return []
    return [
        f"{len(inner)} of them, such as {inner[0]}, lie inside a row: the model's YAML cannot say so, and "
        "`yolo train` builds anew from it; train this model with your own loop, or swap whole rows"
    ]


def _block(block: str | type[nn.Module]) -> type[nn.Module]:
    cls = find(block) if isinstance(block, str) else block
    if (spec := spec_of(cls)) and spec.task:
        raise ValueError(
            f"{cls.__name__} is a head, which only a model's rows make: a recipe with a rule {{head: {cls.__name__}}}, "
            "by `yolo-plugins yaml MODEL --swap RECIPE.yaml`"
        )
    if not kinds(cls):
        raise ValueError(f"{cls.__name__} keeps its input's channels and stands for no convolution or stage")
    if {*kinds(cls)} <= {"up", "join"}:
        ask = f"`yolo-plugins yaml MODEL --{kinds(cls)[0]} {cls.__name__}`"
        raise ValueError(f"{cls.__name__} needs channels that only a model's rows tell, so it goes into a YAML: {ask}")
    return cls


def _candidates(model: nn.Module, cls: type[nn.Module], prefix: str = "") -> Iterator[tuple[str, nn.Module, list[str]]]:
    """Name, module and the names that follow it into the block, outermost first and none inside another."""
    children = list(model.named_children())
    for i, (child, module) in enumerate(children):
        name = f"{prefix}{child}"
        if spec_of(type(module)):
            continue
        try:
            place = place_of(module, attends(cls))
        except NoPlace:
            place = None
            if not isinstance(module, nn.Conv2d) and conv_group(module) is None:
                yield from _candidates(module, cls, f"{name}.")
                continue
        wanted = place is not None and standing(cls, place).kind in kinds(cls)
        if wanted or (place is None and isinstance(module, nn.Conv2d) and "conv" in kinds(cls)):
            follow = _following(model, children[i + 1 : i + 3]) if isinstance(module, nn.Conv2d) else []
            yield name, module, [f"{prefix}{n}" for n in follow]
        else:
            yield from _candidates(module, cls, f"{name}.")


def _following(parent: nn.Module, after: list[tuple[str, nn.Module]]) -> list[str]:
    """Names of the batch norm and activation that come right after a convolution in a Sequential."""
    if type(parent) is not nn.Sequential:
        return []
    norms = [name for name, module in after[:1] if is_norm(module)]
    return norms + [name for name, module in after[len(norms) :][:1] if is_activation(module)]


@dataclass(frozen=True)
class _Order:
    """What is to be put in: a block, where it is worth it, and its further arguments."""

    block: type[nn.Module]
    match: Match
    options: dict[str, Any]

    def swap(self, model: nn.Module, name: str, module: nn.Module, follow: list[str]) -> Swap:
        """Put the block in place of a module and of those that follow it into the block, or say why not."""
        cls, was = self.block, type(module).__name__
        followers = [model.get_submodule(n) for n in follow]
        try:
            place = place_of(module, attends(cls))
            assert place is not None
        except NoPlace as error:
            return Swap(name, was, reason=str(error))
        place = standing(cls, place)
        chosen = dict(self.options)
        if "act" in signature_of(cls):
            chosen.setdefault("act", _act(next((m for m in followers if is_activation(m)), place.act)))
        if reason := self._unwanted(module, follow, place) or refusal(cls, place, chosen):
            return Swap(name, was, reason=reason)
        new, reference = cls(place.c1, place.c2, **arguments(cls, place, chosen)), next(module.parameters())
        new = new.to(reference.device, reference.dtype).train(module.training)
        if hasattr(module, "i"):  # what Ultralytics hangs on a row
            kept = {"i": module.i, "f": module.f, "np": parameters(new), "type": f"{cls.__module__}.{cls.__name__}"}
            new.__dict__.update(kept)
        before = parameters(module) + sum(map(parameters, followers))
        _put(model, name, new)
        for n in follow:
            _put(model, n, nn.Identity())
        _record(model, name, cls, place, chosen)
        return Swap(name, was, cls.__name__, params=(before, parameters(new)))

    def _unwanted(self, module: nn.Module, follow: list[str], place: Place) -> str | None:
        match = self.match
        if place.kind == "conv" and place.k < match.kernel:
            return f"has a {place.k}×{place.k} kernel; match begins at {match.kernel}×{match.kernel}"
        if min(place.c1, place.c2) < match.channels:
            return f"has {place.c1} → {place.c2} channels; match begins at {match.channels}"
        if match.stride is not None and place.s != match.stride:
            return f"has stride {place.s}; match asks for {match.stride}"
        if isinstance(module, nn.Conv2d) and module.bias is not None and not follow and not match.predictions:
            return "is a plain convolution with a bias, as predictions are; Match(predictions=True) takes it in"
        return None


def _act(module: nn.Module | None) -> Any:
    """An activation as a block's argument: by name where it has one, so that a YAML row can say it."""
    if module is None:
        return "identity"
    return next((name for name, cls in ACTIVATIONS.items() if type(module) is cls), module)


def _record(model: nn.Module, name: str, cls: type[nn.Module], place: Place, options: dict[str, Any]) -> None:
    """Edit the row of an Ultralytics model's YAML that a swapped module was built from."""
    rows, match = described_rows(model), ROW.fullmatch(name)
    if rows is None or match is None:
        return
    row = rows[int(match[1])]
    given = row_arguments(cls, place, {k: _written(v) for k, v in options.items()})
    row[2], row[3] = f"{PREFIX}{cls.__name__}", [row[3][0], *given]
    yaml: Any = model.yaml
    yaml["legacy"] = getattr(list(model.model.children())[-1], "legacy", True)  # type: ignore[union-attr]


def _written(value: Any) -> Any:
    """An option as a YAML row can say it."""
    if isinstance(value, type):
        return value.__name__
    return str(value) if isinstance(value, (nn.Module, Choice)) else value


def _put(model: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    setattr(model.get_submodule(parent), child, module)


def _macs(model: nn.Module, inputs: Any) -> int | None:
    """Multiply-adds of one image, or None where the model does not run on `inputs`."""
    if inputs is None:
        first = next((m for m in model.modules() if isinstance(m, nn.Conv2d)), None)
        if first is None:
            return None
        inputs = torch.zeros(1, first.in_channels, 224, 224, device=first.weight.device, dtype=first.weight.dtype)
    try:
        return multiply_adds(model, inputs)
    except Exception:
        return None
