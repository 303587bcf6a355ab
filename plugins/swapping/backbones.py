"""A network of another package under a stock model's neck: its maps by `Index` rows, the neck's rows as they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from ..blocks.registry import PREFIX, find
from ..models.dry_run import IMAGE, shapes
from ..rows.description import image_channels, rows_of
from ..tables import columns
from .row_text import row_line
from .sites import Stock, sources_of

SOURCES = {"timm": "Timm"}
"""Packages of networks, and the block whose row names one of them and gives its maps."""


@dataclass(frozen=True)
class Backbone:
    """Rows in place of a stock backbone's.

    Attributes:
        network: The network, as the command line names it.
        lines: The new rows, as lines of the YAML.
        kept: Stock rows that stay, with their new number.
        given: Stock rows that are gone but that others take, with the number of the row that gives their stride.
    """

    network: str
    lines: list[str]
    kept: Mapping[int, int]
    given: Mapping[int, int]

    @property
    def title(self) -> str:
        """What a model on it is called."""
        return f"the backbone {self.network}"

    @property
    def label(self) -> str:
        """What files are called after it."""
        return self.network.partition(":")[2].partition(".")[0]

    @property
    def asked(self) -> str:
        """How a command line asks for it."""
        return f"--backbone {self.network}"

    def sources(self, source: Any, i: int) -> Any:
        """The `from` of stock row i at its new place: -1 stays where it means the row above, others are numbers."""
        if isinstance(source, list):
            return [self.sources(f, i) for f in source]
        stock = source if source >= 0 else i + source
        row = self.kept.get(stock, self.given.get(stock))
        assert row is not None, f"row {i} takes row {stock}, which is gone"
        return -1 if source < 0 and row == self.kept[i] - 1 else row

    def where(self, file: str) -> str:
        """Where the stock rows are now."""
        first, new = next(iter(self.kept.items()))
        return f"Row {first} of {file} and those after it are rows {new} and after: pretrained ones find them."

    def report(self) -> str:
        """The new rows."""
        return columns([["row", "now"], *([str(i), line.strip(" -")] for i, line in enumerate(self.lines))])


def backbone_of(description: dict[str, Any], stock: Stock, file: str, network: str) -> Backbone:
    """The rows that put a network under a stock model's neck.

    What comes after the stage at the network's largest stride, such as a pyramid pooling or a sixth level, stays.

    Raises:
        ValueError: no such package or network; a neck that needs a stride which the network does not give.
    """
    package, _, name = network.partition(":")
    if package not in SOURCES or not name:
        raise ValueError(f"{network!r} is no backbone; write one as {', '.join(f'{p}:NETWORK' for p in SOURCES)}")
    maps = _maps(SOURCES[package], name, image_channels(description))
    rows, end = rows_of(description), _end(description, stock, max(maps))
    taken = {j for i, row in enumerate(rows) if i >= end for j in sources_of(row, i) if j < end} | {end - 1}
    needed = {stock.strides[j] for j in taken}
    if missing := sorted(needed - set(maps)):
        wanted = next(j for j in sorted(taken) if stock.strides[j] == missing[0])
        raise ValueError(
            f"{file}: row {wanted} gives stride {missing[0]:g} to the neck, "
            f"but {network} has maps of stride {', '.join(f'{stride:g}' for stride in sorted(maps))}"
        )
    lines, at = [row_line([-1, 1, f"{PREFIX}{SOURCES[package]}", [name, True]])], {}
    for stride in sorted(needed):
        position, channels = maps[stride]
        at[stride] = len(lines)
        lines.append(row_line([0, 1, "Index", [channels, position]], f"{len(lines)}, stride {stride:g}"))
    kept = {i: i - end + len(lines) for i in range(end, len(rows))}
    return Backbone(network, lines, kept, {j: at[stock.strides[j]] for j in taken})


def _maps(block: str, name: str, channels: int) -> dict[float, tuple[int, int]]:
    """Position and channels of each map that a network gives, by stride; the last where several have one stride."""
    with torch.device("meta"), torch.no_grad():
        network = find(block)(channels, name, False).eval()
        given = shapes(network(torch.zeros(1, channels, IMAGE, IMAGE)))
    return {IMAGE / shape[2]: (position, shape[1]) for position, shape in enumerate(given)}


def _end(description: dict[str, Any], stock: Stock, largest: float) -> int:
    """The first row that stays: after the stage that follows the last step down to a stride that the network has."""
    rows, last = rows_of(description), len(description["backbone"])
    down = 0
    for i in range(last):
        before = [1 if j < 0 else stock.strides[j] for j in sources_of(rows[i], i)]
        if stock.strides[i] <= largest and stock.strides[i] >= 2 * max(before):
            down = i
    end = down + 1
    while end < last and isinstance(rows[end][0], list):  # what joins several on the way
        end += 1
    module = rows[end][2]
    while end < last and rows[end][2] == module:
        end += 1
    return end
