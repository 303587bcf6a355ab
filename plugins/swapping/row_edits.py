"""What a recipe makes of a model's rows: which block goes where, or why a row stays; nothing is written here."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from ..blocks.composition import Choice
from ..blocks.registry import PREFIX, find, spec_of
from ..blocks.signature import signature_of
from ..rows.arguments import MODEL_WIDE
from ..rows.description import rows_of
from ..rows.stock_base import stock_head
from .places import Place, misfit, refusal, row_arguments, standing
from .recipes import Recipe, Rule
from .rules import check, shapes, stood_in
from .sites import Site, Stock, sites_of

NOUNS = {"conv": "conv", "down": "downsampling", "up": "upsampling", "join": "join"}
"""What a row of a kind is called where a recipe has no rule for it; any other is a stage."""

PLURALS = {"down": "downsamplings", "up": "upsamplings", "join": "joins", "head": "head"}


WORDS = "compares its maps with embeddings of words or prompts, whose widths another network gives"
STAYING = {
    **dict.fromkeys(("WorldDetect", "YOLOEDetect", "YOLOESegment", "YOLOESegment26"), WORDS),
    "RTDETRDecoder": "is a transformer's decoder, which has no branches over maps that could be made light",
    "SemanticSegment": "labels pixels, for which there is no light head",
    "Depth": "gives a depth to pixels, for which there is no light head",
}
"""Why heads without a light counterpart stay."""


@dataclass(frozen=True)
class RowEdit:
    """One row: its stock module, and the block that stands in for it or the reason why none does.

    `kind` is its site's, or "head". The block is one of the pack's registry, unless `plugin` is false.
    """

    row: int
    stock: str
    block: str = ""
    args: tuple[Any, ...] = ()
    reason: str = ""
    kind: str = ""
    plugin: bool = True

    @property
    def module(self) -> str:
        """The block as a row names it."""
        return f"{PREFIX}{self.block}" if self.plugin else self.block


def edit_rows(description: dict[str, Any], name: str, chosen: Recipe) -> tuple[list[RowEdit], str]:
    """What a recipe makes of a stock model's rows, and the model's task; the description is left as it is.

    Raises:
        ValueError: a block of the recipe that is not registered, or cannot stand for what its rule says.
    """
    stock, asked = stock_of(description, name), looked_at(check(chosen))
    sites = [site for site in stock.sites if site.kind in asked or (site.halves and "down" in asked)]
    if chosen.finest < 1:
        finest = min((site.stride for site in sites if site.neck and site.kind == "stage"), default=None)
        sites = [
            _narrowed(site, chosen.finest) if site.neck and (site.kind, site.stride) == ("stage", finest) else site
            for site in sites
        ]
    return [*(_edit_row(site, chosen) for site in sites), *edit_head(description, chosen)], stock.task


def looked_at(chosen: Recipe) -> dict[str, str]:
    """The kinds of rows that a recipe is told of, and what they are called: convolutions and stages go together."""
    asked = {rule.kind for rule in chosen.rules}
    both = not asked.isdisjoint(("conv", "stage", "gate"))
    plain = {"conv": "convolutions", "stage": "stages", "": ""} if both else {}
    return plain | {kind: noun for kind, noun in PLURALS.items() if kind in asked}


def stock_of(description: dict[str, Any], name: str) -> Stock:
    """What there is in a stock model."""
    import yaml

    return sites_of(yaml.safe_dump(description), name)


def reasons(description: dict[str, Any], edits: list[RowEdit]) -> str:
    """Why rows stay as they are, rows of one reason together; or what rows there are, where none could be edited."""
    found: dict[tuple[str, str], list[str]] = {}
    for edit in edits:
        if edit.reason:
            found.setdefault((edit.stock, edit.reason), []).append(str(edit.row))
    said = [
        f"{stock} (row{'s' * (len(rows) > 1)} {', '.join(rows)}) {reason}" for (stock, reason), rows in found.items()
    ]
    return "; ".join(said) or f"there are only {', '.join(dict.fromkeys(row[2] for row in rows_of(description)))}"


def apply_edits(description: dict[str, Any], edits: Iterable[RowEdit]) -> None:
    """Put the edited rows into a model's description."""
    rows = rows_of(description)
    for edit in edits:
        if edit.block:
            rows[edit.row][2:] = [edit.module, list(edit.args)]


def _narrowed(site: Site, part: float) -> Site:
    """A site with so much of its output channels."""
    places = tuple(replace(place, c2=math.ceil(place.c2 * part)) for place in site.places)
    return replace(site, c2=math.ceil(site.c2 * part), places=places)


def _edit_row(site: Site, chosen: Recipe) -> RowEdit:
    """The first rule that fits a site, or why none does: the reason of the last that is for its kind."""
    reason = site.reason or f"has no rule in the recipe, as a {NOUNS.get(site.kind, 'stage')}"
    for rule in chosen.rules:
        places = _places(rule, site)
        if not places:
            continue
        block = stood_in(rule, site.module)
        if block is None:
            reason = f"has no place for a gate, which {', '.join(shapes())} have; name a stage as well"
            continue
        found = _out_of_reach(rule, places[0], site) or _refused(block, places)
        if found is None:
            return RowEdit(site.row, site.module, block.block.__name__, _row(block, site, places[0]), kind=site.kind)
        reason = found
    return RowEdit(site.row, site.module, reason=reason, kind=site.kind)


def _places(rule: Rule, site: Site) -> tuple[Place, ...]:
    """The places of a site, one a scale, as a rule of that kind sees them; none where it is not for such a site."""
    if rule.kind == "down":
        return site.halves if site.kind != "conv" else tuple(p for p in site.places if p.s == 2)
    return site.places if {"gate": "stage"}.get(rule.kind, rule.kind) == site.kind else ()


def _refused(block: Choice, places: tuple[Place, ...]) -> str | None:
    """Why a block cannot stand at one of the places, or None."""
    cls = block.block
    stands = [standing(cls, place) for place in dict.fromkeys(places)]
    refused = next((reason for place in stands if (reason := refusal(cls, place, block.options))), None)
    return refused or misfit(cls, stands[0], block.options)  # what it makes of a map is the same at every scale


def _row(block: Choice, site: Site, place: Place) -> tuple[Any, ...]:
    """The arguments of the row, channel counts unscaled."""
    cls = block.block
    spec = spec_of(cls)
    assert spec is not None
    given = row_arguments(cls, standing(cls, place), block.options)
    return tuple(given) if spec.row == "same" else (site.c2, *given)


def edit_head(description: dict[str, Any], chosen: Recipe) -> list[RowEdit]:
    """The head's edit, or why it stays, for recipes that have a head."""
    i, (_, _, module, args) = len(rows_of(description)) - 1, rows_of(description)[-1]
    rules = [rule for rule in chosen.rules if rule.kind == "head"]
    able = [rule for rule in rules if not rule.end2end or description.get("end2end")]
    fitting = next((rule for rule in able if stock_head(f"{PREFIX}{rule.block}") == module), None)
    if fitting is None:
        reason = STAYING.get(module, "has no head in the recipe")
        return [RowEdit(i, module, reason=reason, kind="head")] if rules else []
    return [RowEdit(i, module, fitting.block, tuple(_head_row(fitting, args, description)), kind="head")]


def _head_row(rule: Rule, args: list[Any], description: dict[str, Any]) -> list[Any]:
    """A light head's arguments up to the last given: what the YAML says for all rows, else the rule, else its row."""
    defaults = {name: p.default for name, p in signature_of(find(rule.block)).items() if name != "c1"}
    given = {**dict(zip(defaults, args, strict=False)), **rule.options}
    said = {key: description[key] for key in MODEL_WIDE if key in description}
    last = max(list(defaults).index(name) for name in given)
    return [{**defaults, **given, **said}[name] for name in list(defaults)[: last + 1]]


def _out_of_reach(rule: Rule, place: Place, site: Site) -> str | None:
    if site.neck and not rule.neck:
        return "is in the neck, which the recipe leaves"
    if not site.neck and not rule.backbone:
        return "is in the backbone, which the recipe leaves"
    if not site.neck and site.stride < rule.stride:
        return f"is at stride {site.stride:g}; the recipe begins at {rule.stride}"
    if rule.kind == "conv" and place.k < rule.kernel:
        return f"has a {place.k}×{place.k} kernel; the recipe begins at {rule.kernel}×{rule.kernel}"
    if rule.keeps and place.c1 != place.c2:
        return f"makes {place.c2} channels of {place.c1}, where the recipe wants as many"
    return None
