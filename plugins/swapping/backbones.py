"""A network of another package under a stock model's neck: its maps by `Index` rows, the neck's rows as they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..blocks.registry import BLOCKS, PREFIX, spec_of
from ..blocks.signature import signature_of
from ..rows.description import rows_of
from ..tables import columns
from .row_text import row_line
from .sites import Stock, sources_of


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
        return f"Rows {first} and after of {file} are rows {new} and after, where pretrained weights find them."

    def report(self) -> str:
        """The new rows."""
        return columns([["row", "now"], *([str(i), line.strip(" -")] for i, line in enumerate(self.lines))])


def backbone_of(description: dict[str, Any], stock: Stock, file: str, network: str) -> Backbone:
    """The rows that put a network under a stock model's neck.

    What comes after the stage at the network's largest stride, such as a pyramid pooling or a sixth level, stays.

    Raises:
        ValueError: no such package or network; a neck that needs a stride which the network does not give.
        RuntimeError: the package is not installed.
    """
    package, _, name = network.partition(":")
    block: Any = packages().get(package)
    if block is None or not name:
        raise ValueError(f"{network!r} is no backbone; write one as {' or '.join(f'{p}:NETWORK' for p in packages())}")
    plain = list(signature_of(block)["strides"].default)
    rows, end = rows_of(description), _end(description, stock, max(plain))
    taken = {j for i, row in enumerate(rows) if i >= end for j in sources_of(row, i) if j < end} | {end - 1}
    strides = sorted({round(stock.strides[j]) for j in taken})
    try:
        channels = block.map_channels(name, False, strides)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error
    published = getattr(block, "has_weights", lambda name: False)(name)
    given = [name, published, *([] if strides == plain else [strides])]
    lines = [row_line([-1, 1, f"{PREFIX}{block.__name__}", given])]
    for k, (stride, c) in enumerate(zip(strides, channels, strict=True)):
        lines.append(row_line([0, 1, "Index", [c, k]], f"{k + 1}-P{stride.bit_length() - 1}/{stride}"))
    kept = {i: i - end + len(lines) for i in range(end, len(rows))}
    return Backbone(network, lines, kept, {j: 1 + strides.index(round(stock.strides[j])) for j in taken})


def packages() -> dict[str, type[Any]]:
    """Blocks that give a network's maps at the strides asked for, by the name by which a command line knows them."""
    giving = [cls for cls in BLOCKS.values() if (spec := spec_of(cls)) and spec.maps and "strides" in signature_of(cls)]
    return {cls.__name__.lower(): cls for cls in giving}


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
