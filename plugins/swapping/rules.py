"""What a recipe's rule puts in a row's place, and whether it can do so anywhere at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from torch import nn

from ..blocks.composition import Choice, Inner, choice, inners
from ..blocks.registry import BLOCKS, PREFIX, Spec, find, spec_of
from ..blocks.signature import refuse_unknown, signature_of
from .recipes import Recipe, Rule

SHAPE = "C2f"
"""The shape of a stage with an inner block or gate, where the stock one has another than those that take them."""

Fits = Callable[[type[nn.Module], Spec], bool]

FITS: dict[str, tuple[Fits, str]] = {
    "conv": (lambda cls, spec: "conv" in spec.places, "stand for a convolution"),
    "down": (lambda cls, spec: "conv" in spec.places and "s" in signature_of(cls), "downsample in place of a row"),
    "up": (lambda cls, spec: "up" in spec.places, "upsample in place of a row"),
    "join": (lambda cls, spec: "join" in spec.places, "join several rows to one map"),
    "gate": (lambda cls, spec: spec.gate, "be a gate"),
    "head": (lambda cls, spec: bool(spec.task), "be a head"),
}
"""What the block of a rule of each kind must be, and what it then can, in words; for stages, see `check`."""


def check(chosen: Recipe) -> Recipe:
    """The recipe, where each of its blocks is registered and can stand for what its rule says.

    Raises:
        ValueError: one that is not, or cannot; names those that can.
    """
    for rule in chosen.rules:
        cls = find(rule.block)
        if rule.kind == "stage":
            if not _is_stage(cls):
                Inner(_inner(rule), rule.options.get("gate"), True, "relu")  # refuses what is none
            elif "gate" in rule.options and "gate" not in signature_of(cls):
                raise ValueError(f"{rule.block} takes no gate; the stages {', '.join(shapes())} do")
            continue
        fits, words = FITS[rule.kind]
        spec = spec_of(cls)
        if spec is None or not fits(cls, spec):
            raise ValueError(f"{rule.block} cannot {words}; {', '.join(able(rule.kind))} can")
        if rule.kind == "head":
            refuse_unknown(cls, rule.options)
    return chosen


def able(kind: str) -> list[str]:
    """Names of the blocks that a rule of a kind may name."""
    if kind == "stage":
        return [*(name for name, cls in BLOCKS.items() if _is_stage(cls)), *inners()]
    fits, _ = FITS[kind]
    return [name for name, cls in BLOCKS.items() if (spec := spec_of(cls)) and fits(cls, spec)]


def shapes() -> list[str]:
    """Names of the stages that take an inner block and a gate."""
    return [name for name, cls in BLOCKS.items() if _is_stage(cls) and {"inner", "gate"} <= {*signature_of(cls)}]


def stood_in(rule: Rule, module: str) -> Choice | None:
    """The block, with its arguments, that a rule puts in place of a stock row's module; None for a gate without place.

    An inner block or gate leaves a stage its shape: that of the stock stage where it is one that takes them, else a
    `C2f`. A gate alone leaves all the rest of it too, so a stage of another shape has no place for it.
    """
    cls = find(rule.block)
    if rule.kind == "gate":
        gate = str(Choice(cls, rule.options))
        return Choice(find(module), {"gate": gate}) if module in shapes() else None
    if rule.kind != "stage" or _is_stage(cls):
        return Choice(cls, rule.options)
    about = {name: value for name, value in rule.options.items() if name not in signature_of(cls)}
    return Choice(find(module if module in shapes() else SHAPE), {"inner": _inner(rule), **about})


def with_options(rule: Rule, text: str) -> Rule:
    """A rule whose block is given as text, with arguments of its own if it has any: `ShuffleUnit(g=4)`."""
    given = choice(text)
    return replace(rule, block=given.block.__name__, options={**given.options, **rule.options})


def _is_stage(cls: type[nn.Module]) -> bool:
    spec = spec_of(cls)
    return spec is not None and "stage" in spec.places


def _inner(rule: Rule) -> str:
    """The inner block of a rule that names one: its own options go to it, what it does not take to the stage."""
    cls = find(rule.block)
    own: dict[str, Any] = {name: value for name, value in rule.options.items() if name in signature_of(cls)}
    return str(Choice(cls, own)).removeprefix(PREFIX)
