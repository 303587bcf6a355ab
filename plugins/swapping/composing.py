"""A recipe from the names of blocks, without a file: which stage, gate, down- and upsampling a model is to have."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

import patch_ultralytics

from ..blocks.composition import choice
from .recipes import Recipe, Rule, recipe
from .rules import check, with_options

FROM_STRIDE = 16

WORDS = {
    "stage": "{} stages",
    "gate": "{} gates",
    "down": "{} for downsampling",
    "up": "{} for upsampling",
    "join": "{} for joining",
}


def compose(
    *,
    stage: str | None = None,
    gate: str | None = None,
    down: str | None = None,
    up: str | None = None,
    join: str | None = None,
    from_stride: int | None = None,
    swap: str | Path | None = None,
) -> Recipe:
    """A recipe that puts registered blocks, by name and with arguments if need be, `ShuffleUnit(g=4)`, into a model.

    Args:
        stage: A stage, or a block for the inside of stages, which then keep their shape: C2f, C3 or C3k2.
        gate: What weighs the maps of each inner block; without `stage`, stages keep the inner blocks that they have.
        down: In place of rows that halve a map.
        up: In place of rows that enlarge one.
        join: In place of concatenations; it gives as many channels as the row that it leads to.
        from_stride: Where in the backbone this begins, by default at 16; the neck is always part of it.
        swap: A recipe's name or file, for what the other arguments leave.

    Raises:
        ValueError: nothing given; a block that is not registered, or cannot be what is asked of it, with those that
            can; a stride below 1.
    """
    patch_ultralytics.apply()  # which knows the heads, and the blocks of other packages
    asked = {"stage": stage, "gate": gate, "down": down, "up": up, "join": join}
    given = {kind: text for kind, text in asked.items() if text is not None}
    base = None if swap is None else recipe(swap)
    if from_stride is not None and not given:
        raise ValueError("a stride to begin at goes with a stage, a gate, or what goes down, up or joins")
    if not given:
        if base is None:
            raise ValueError("give a recipe, or which blocks go where, such as a stage and a gate")
        return check(base)
    stride = FROM_STRIDE if from_stride is None else from_stride
    if stride < 1:
        raise ValueError(f"stride {stride}, from which on blocks are swapped, must be at least 1")
    if base and gate and not stage and any(rule.kind == "stage" for rule in base.rules):
        raise ValueError(f"{swap} has stages of its own; name the stage that {gate} is to be in as well")
    own = Recipe(
        "; ".join(_words(given)),
        f"From stride {stride} on and in the neck.",
        tuple(_rules(given, stride)),
        label="-".join(choice(text).block.__name__.lower() for text in given.values()),
        asked=" ".join([*(f"--{kind} {shlex.quote(text)}" for kind, text in given.items()), f"--from-stride {stride}"]),
    )
    return check(own if base is None else _followed(own, base))


def _rules(given: Mapping[str, str], stride: int) -> list[Rule]:
    """A rule for each block; a gate that has a stage is an option of it."""
    rules = {kind: with_options(Rule(kind, "", stride), text) for kind, text in given.items()}
    if "stage" in rules and "gate" in rules:
        del rules["gate"]
        rules["stage"] = with_options(
            Rule("stage", "", stride, options={"gate": str(choice(given["gate"]))}), given["stage"]
        )
    return list(rules.values())


def _words(given: Mapping[str, str]) -> list[str]:
    words = {kind: WORDS[kind].format(text) for kind, text in given.items()}
    if "stage" in words and "gate" in words:
        words["stage"] += f" with {words.pop('gate')}"
    return list(words.values())


def _followed(own: Recipe, base: Recipe) -> Recipe:
    """A recipe, and another for what it leaves."""
    return Recipe(
        f"{own.title}; {base.title}",
        f"{own.where} Otherwise: {base.where}",
        own.rules + base.rules,
        base.own_activations,
        f"{base.label}-{own.label}",
        f"{base.asked} {own.asked}",
        base.finest,
    )
