"""A card for each block: what its specification and docstring say, counted and drawn, with its measured times."""

from __future__ import annotations

import inspect
import re
import textwrap
from dataclasses import dataclass, field
from typing import Any

from ..blocks.counting import multiply_adds, parameters
from ..blocks.formula import shown
from ..blocks.registry import BLOCKS, FORMATS, PACKAGE, ROWS, Spec, find
from ..tables import columns, markdown
from . import latency
from .block_costs import call
from .counterparts import NEUTRAL, example, maps, pair
from .drawing import draw
from .listing import Entry, blocks

SIZE = 32
"""Side of the maps that cards count and draw on."""

WORDS = {"torchscript": "TorchScript", "mnn": "MNN", "dnn": "OpenCV's dnn", **latency.RUNTIMES}
SECTION = r"^{}: (.*(?:\n .*)*)"
"""A section of a docstring: its name, a colon, and lines that are indented below it."""


@dataclass(frozen=True)
class Card:
    """What there is to say of a block: facts by label in the order in which they are shown, and times by runtime."""

    entry: Entry
    facts: dict[str, str]
    times: list[list[str]] = field(default_factory=list)


def card(entry: Entry) -> Card:
    """The card of a block."""
    cls, spec = BLOCKS[entry.name], entry.spec
    facts = {"row": entry.row}
    if spec.source:
        facts["source"] = spec.source
    times: list[list[str]] = []
    try:
        facts |= _costs(entry, example(entry.name))
        times = _times(entry, facts)
    except (ImportError, ValueError) as error:  # of a block whose example is not given, or needs what is not installed
        facts["example"] = f"none: {error}"
    facts["exports"] = _exports(spec)
    for label, section in (("not good at", "Weak"), ("elsewhere", "Elsewhere")):
        if found := re.search(SECTION.format(section), inspect.getdoc(cls) or "", re.M):
            facts[label] = " ".join(found[1].split())
    return Card(entry, facts, times)


def _costs(entry: Entry, full: dict[str, Any]) -> dict[str, str]:
    """Parameters and multiply-adds of the example, and beside what it stands for."""
    module, formula = BLOCKS[entry.name](**full), shown(entry.spec.params) if entry.spec.params not in ("", "0") else ""
    x = maps(entry.name, full.get("c1", NEUTRAL), SIZE)
    facts = {
        "parameters": f"{parameters(module):,} of {call(entry.name, full)}{f': {formula}' if formula else ''}",
        "multiply-adds": f"{multiply_adds(module, x):,} on {SIZE}×{SIZE}",
    }
    if beside := pair(entry.name, full):
        x = maps(entry.name, beside.channels, SIZE)
        shares = {
            "parameters": (parameters(beside.ours), parameters(beside.other)),
            "multiply-adds": (multiply_adds(beside.ours, x), multiply_adds(beside.other, x)),
        }
        if words := [f"{100 * ours / other:.0f} % of its {what}" for what, (ours, other) in shares.items() if other]:
            facts[f"beside {beside.words}"] = " and ".join(words)
    return facts


def _times(entry: Entry, facts: dict[str, str]) -> list[list[str]]:
    """What was measured of the block as it is now; says so where nothing was."""
    found = latency.measured()["blocks"].get(entry.name)
    current = {}
    for stride, results in (found or {}).get("strides", {}).items():
        if results["call"] == call(entry.name, example(entry.name, latency.STRIDES[int(stride)])):
            current[stride] = results
    if current:
        facts["times as fast"] = f"as {found['beside']}, its channels doubled at each stride"
        return latency.table(current)
    return []


def _exports(spec: Spec) -> str:
    able = [WORDS[form] for form in FORMATS if form not in spec.limits]
    unable = [f"{WORDS[form]}: {why}" for form, why in spec.limits.items()]
    return "; not to ".join([f"to {', '.join(able)}", *unable])


def in_order() -> list[Entry]:
    """Every block: those in the place of convolutions, of stages, gates and others, heads, stages of networks."""
    return sorted(blocks(), key=lambda entry: (bool(entry.spec.task), list(ROWS).index(entry.spec.row)))


def text(names: list[str]) -> str:
    """The cards of these blocks, of all where none is named, for a terminal.

    Raises:
        ValueError: a name that no block has.
    """
    entries = in_order()
    wanted = {find(name).__name__ for name in names} or {entry.name for entry in entries}
    return "\n\n".join(_plain_text(card(entry)) for entry in entries if entry.name in wanted)


def _plain_text(card: Card) -> str:
    wrapper = textwrap.TextWrapper(110, subsequent_indent="    ", break_on_hyphens=False)
    lines = wrapper.wrap(f"{card.entry.name}: {card.entry.summary}.")
    wrapper.initial_indent = "  "
    for label, fact in card.facts.items():
        lines += wrapper.wrap(f"{label}: {fact}")
        if label == "times as fast":
            lines += textwrap.indent(columns(card.times), "    ").splitlines()
    return "\n".join(lines)


def page() -> str:
    """The cards of the pack's own blocks, with their drawings, on one Markdown page."""
    parts = [_head()]
    for entry in in_order():
        if BLOCKS[entry.name].__module__ == PACKAGE:
            parts.append(_markdown(card(entry)))
    return "\n".join(parts)


def _head() -> str:
    machine = latency.measured()["machine"]
    where = (
        f"Times are those of `{latency.COMMAND}`: {', '.join(f'{key} {value}' for key, value in machine.items())}. "
        "Each block is fused, exported and run in turns with what it stands for; in brackets the 95 % interval."
        if machine
        else f"No times were measured yet: `{latency.COMMAND}` does it."
    )
    return (
        "# The blocks, a card for each\n\n"
        "Made by `yolo-plugins draw all > docs/blocks.md`; `yolo-plugins list --long GhostConv` shows a card without\n"
        f"its drawing. Counts are those of the arguments named, on maps of {SIZE}×{SIZE}; a multiply-add counts as\n"
        f"one. C×H×W stand on the arrows.\n\n{where}\n"
    )


def _markdown(card: Card) -> str:
    lines = [f"## {card.entry.name}\n", f"{card.entry.summary}.\n"]
    lines += [f"- **{label}**: {_code(label, fact)}" for label, fact in card.facts.items()]
    if card.times:
        lines += ["", markdown(card.times)]
    if drawing := _drawing(card.entry.name):
        lines += ["", "```mermaid", drawing, "```"]
    return "\n".join(lines) + "\n"


def _code(label: str, fact: str) -> str:
    return f"`{fact}`" if label == "row" else fact


def _drawing(block: str) -> str:
    try:
        full = example(block)
    except ValueError:
        return ""
    x = maps(block, full.get("c1", NEUTRAL), SIZE)
    return draw(BLOCKS[block](**full), *(tuple(m.shape[1:]) for m in (x if isinstance(x, list) else [x])))
