"""Light blocks in place of convolutions, bottlenecks and stages of any model, in place and with the shapes kept."""

from __future__ import annotations

import copy
import difflib
import fnmatch
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from .activation import ACTIVATIONS
from .places import NoPlace, Place, arguments, conv_group, is_activation, is_norm, kinds, place_of, refusal, standing
from .places import row_arguments as row_arguments_of
from .registry import BLOCKS
from .tables import change, columns

PARTS = ("backbone", "neck", "head")


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


@dataclass(frozen=True)
class Swap:
    """One module: what it was, and the block that it is now or the reason why it was left."""

    name: str
    was: str
    now: str = ""
    reason: str = ""
    params: tuple[int, int] = (0, 0)


@dataclass
class Report:
    """What `replace` did. `params` and `macs` (multiply-adds of one image) are before and after; `macs` may be None.

    `notes` says what a user must know beyond the table.
    """

    swapped: list[Swap]
    left: list[Swap]
    params: tuple[int, int]
    macs: tuple[int, int] | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """The swapped modules."""
        return [swap.name for swap in self.swapped]

    def __str__(self) -> str:
        rows = [["module", "was", "now", "params", "before", "change"]]
        for swap in self.swapped:
            old, new = swap.params
            rows.append([swap.name, swap.was, swap.now, f"{new:,}", f"{old:,}", change(new, old)])
        rows += [[swap.name, swap.was, "left", swap.reason, "", ""] for swap in self.left]
        old, new = self.params
        total = f"{len(self.swapped)} swapped, {len(self.left)} left; parameters {old:,} → {new:,} ({change(new, old)})"
        if self.macs:
            total += f"; multiply-adds {self.macs[0]:,} → {self.macs[1]:,} ({change(self.macs[1], self.macs[0])})"
        return "\n".join([columns(rows), "", total, *self.notes])


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
    cls = _block(block)
    match = match or Match()
    if dry_run:
        model = copy.deepcopy(model)
    counted_before = _macs(model, inputs)
    total = _parameters(model)
    chosen = _chosen_names(model, where)
    swapped: list[Swap] = []
    left: list[Swap] = []
    for name, module, follow in list(_candidates(model, cls)):
        if name in chosen:
            swap = _swap(model, name, module, follow, cls, match, options)
            (swapped if swap.now else left).append(swap)
    if not swapped:
        reasons = "; ".join(dict.fromkeys(f"{swap.name} {swap.reason}" for swap in left[:4]))
        more = f"; and {len(left) - 4} more" if len(left) > 4 else ""
        raise ValueError(
            f"{cls.__name__} can stand for none of the modules that match: "
            f"{reasons + more or 'it stands for a ' + ' or a '.join(kinds(cls))}"
        )
    macs = _macs(model, inputs) if counted_before else None
    report = Report(
        swapped, left, (total, _parameters(model)), (counted_before, macs) if counted_before and macs else None
    )
    if _rows(model) is not None and (inner := [s.name for s in swapped if not re.fullmatch(r"model\.\d+", s.name)]):
        report.notes.append(
            f"{len(inner)} of them, such as {inner[0]}, lie inside a row: the model's YAML cannot say so, and "
            "`yolo train` builds anew from it; train this model with your own loop, or swap whole rows"
        )
    return report


def _block(block: str | type[nn.Module]) -> type[nn.Module]:
    from . import public  # noqa: F401  registers the pack's own

    if isinstance(block, str):
        name = block.removeprefix("plugins.")
        if name not in BLOCKS:
            near = difflib.get_close_matches(name, BLOCKS, n=2)
            hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(BLOCKS)}"
            raise ValueError(f"no block is called {block!r}; {hint}")
        block = BLOCKS[name]
    if not kinds(block):
        raise ValueError(f"{block.__name__} keeps its input's channels and stands for no convolution or stage")
    return block


def _candidates(model: nn.Module, cls: type[nn.Module], prefix: str = "") -> Iterator[tuple[str, nn.Module, list[str]]]:
    """Name, module and the names that follow it into the block, outermost first and none inside another."""
    children = list(model.named_children())
    for i, (child, module) in enumerate(children):
        name = f"{prefix}{child}"
        if type(module) in BLOCKS.values():
            continue
        try:
            place = place_of(module)
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
    names = []
    if after and is_norm(after[0][1]):
        names.append(after.pop(0)[0])
    if after and is_activation(after[0][1]):
        names.append(after[0][0])
    return names


def _swap(
    model: nn.Module,
    name: str,
    module: nn.Module,
    follow: list[str],
    cls: type[nn.Module],
    match: Match,
    options: dict[str, Any],
) -> Swap:
    was = type(module).__name__
    modules = dict(model.named_modules())
    try:
        place = place_of(module)
        assert place is not None
    except NoPlace as error:
        return Swap(name, was, reason=str(error))
    place = standing(cls, place)
    acts = [modules[n] for n in follow if is_activation(modules[n])]
    reason = _unwanted(module, follow, place, match)
    chosen = dict(options)
    if "act" in _parameter_names(cls):
        chosen.setdefault("act", _act(acts[0] if acts else place.act))
    try:
        told = arguments(cls, place, chosen)  # a wrong option is an error, not a reason to leave a module
    except NoPlace as error:
        return Swap(name, was, reason=reason or str(error))
    reason = reason or refusal(cls, place, chosen)
    if reason:
        return Swap(name, was, reason=reason)
    reference = next(module.parameters())
    new = cls(place.c1, place.c2, **told).to(reference.device, reference.dtype).train(module.training)
    if hasattr(module, "i"):  # what Ultralytics hangs on a row
        kept = {"i": module.i, "f": module.f, "np": _parameters(new), "type": f"{cls.__module__}.{cls.__name__}"}
        new.__dict__.update(kept)
    before = _parameters(module) + sum(_parameters(modules[n]) for n in follow)
    _put(model, name, new)
    for n in follow:
        _put(model, n, nn.Identity())
    _record(model, name, cls, place, chosen)
    return Swap(name, was, cls.__name__, params=(before, _parameters(new)))


def _unwanted(module: nn.Module, follow: list[str], place: Place, match: Match) -> str | None:
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
    named = [name for name, cls in ACTIVATIONS.items() if type(module) is cls]
    return named[0] if named else module


def _record(model: nn.Module, name: str, cls: type[nn.Module], place: Place, options: dict[str, Any]) -> None:
    """Edit the row of an Ultralytics model's YAML that a swapped module was built from."""
    rows, match = _rows(model), re.fullmatch(r"model\.(\d+)", name)
    if rows is None or match is None:
        return
    row = rows[int(match[1])]
    given = row_arguments_of(cls, place, {k: str(v) if isinstance(v, nn.Module) else v for k, v in options.items()})
    row[2], row[3] = f"plugins.{cls.__name__}", [row[3][0], *given]
    yaml: Any = model.yaml
    yaml["legacy"] = getattr(list(model.model.children())[-1], "legacy", True)  # type: ignore[union-attr]


def _rows(model: nn.Module) -> list[list[Any]] | None:
    """The rows of an Ultralytics model's YAML, or None for another model."""
    yaml = getattr(model, "yaml", None)
    if not isinstance(yaml, dict) or not isinstance(getattr(model, "model", None), nn.Sequential):
        return None
    return [*yaml["backbone"], *yaml["head"]]


def _chosen_names(model: nn.Module, where: str | Sequence[str]) -> set[str]:
    names = [name for name, _ in model.named_modules() if name]
    chosen: set[str] = set()
    for pattern in [where] if isinstance(where, str) else where:
        found = _part(model, pattern, names) if pattern in PARTS else _named(pattern, names)
        if not found:
            bare = pattern.removeprefix("re:").rstrip(".*")
            near = difflib.get_close_matches(bare, names, n=3, cutoff=0.5)
            hint = f"the nearest are {', '.join(near)}" if near else f"there are {', '.join(names[:3])}, …"
            raise ValueError(f"where={pattern!r} matches no module of {type(model).__name__}; {hint}")
        chosen |= found
    return chosen


def _named(pattern: str, names: list[str]) -> set[str]:
    if pattern.startswith("re:"):
        try:
            expression = re.compile(pattern[3:])
        except re.error as error:
            raise ValueError(f"where={pattern!r} is not a regular expression: {error}") from error
        return {name for name in names if expression.search(name)}
    if not set(pattern) & set("*?["):
        return {name for name in names if name == pattern or name.startswith(f"{pattern}.")}
    return {name for name in names if fnmatch.fnmatchcase(name, pattern)}


def _part(model: nn.Module, part: str, names: list[str]) -> set[str]:
    rows = _rows(model)
    if rows is None:
        return _named(part, names)
    yaml: Any = model.yaml
    first, last = len(yaml["backbone"]), len(rows) - 1
    span = {"backbone": range(first), "neck": range(first, last), "head": range(last, last + 1)}[part]
    return {name for name in names if (m := re.match(r"model\.(\d+)(?=\.|$)", name)) and int(m[1]) in span}


def _put(model: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    setattr(model.get_submodule(parent), child, module)


def _parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def _parameter_names(cls: type[nn.Module]) -> list[str]:
    import inspect

    return list(inspect.signature(cls).parameters)


def _macs(model: nn.Module, inputs: Any) -> int | None:
    """Multiply-adds of one image, or None where the model does not run on `inputs`."""
    from torch.utils.flop_counter import FlopCounterMode

    if inputs is None:
        first = next((m for m in model.modules() if isinstance(m, nn.Conv2d)), None)
        if first is None:
            return None
        inputs = torch.zeros(1, first.in_channels, 224, 224, device=first.weight.device, dtype=first.weight.dtype)
    modes = {m: m.training for m in model.modules()}
    counter = FlopCounterMode(display=False)
    try:
        with torch.no_grad(), counter:
            model.eval()(inputs)
    except Exception:
        return None
    finally:
        for module, training in modes.items():
            module.training = training
    return int(counter.get_total_flops()) // 2
