"""A model YAML's text with other rows and figures in it, everything else kept as it stands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..rows.description import rows_of
from ..rows.yaml_files import with_scale
from .backbones import Backbone
from .row_edits import RowEdit
from .row_text import row_line

ROW = re.compile(r"^(  - \[.*\])\s*(?:#\s*(.*?))?\s*$")
SCALE = re.compile(r"^  ([a-z]): (\[[^\]]*\])")


def edited(text: str, file: Path, edits: Iterable[RowEdit], backbone: Backbone | None = None) -> str:
    """The stock text from its first key on, with the edited rows; comments of a file's own head and parts go.

    With another backbone its rows come first, and those that stay are renumbered.

    Raises:
        ValueError: rows that are not written one a line.
    """
    import yaml

    swaps = {edit.row: edit for edit in edits if edit.block}
    lines, i = [], 0
    for line in text.splitlines():
        if re.match(r"^#", line):
            continue
        match = ROW.match(line)
        if match is None:
            lines.append(line)
            continue
        if backbone and i == 0:
            lines += backbone.lines
        if backbone is None or i in backbone.kept:
            lines.append(_line(line, match, i, swaps.get(i), backbone))
        i += 1
    if i != len(rows_of(yaml.safe_load(text))):
        raise ValueError(f"{file}: rows must be written one a line, as `  - [from, repeats, module, [arguments]]`")
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


def _line(line: str, match: re.Match[str], i: int, edit: RowEdit | None, backbone: Backbone | None) -> str:
    """A row's line: as it stands, where neither its block nor its number is another."""
    import yaml

    if edit is None and backbone is None:
        return line
    (source, n, module, args), comment = yaml.safe_load(match[1])[0], match[2]
    if backbone:
        source, comment = backbone.sources(source, i), _renumbered(comment, backbone.kept[i])
    notes = [comment, f"was {edit.stock}" if edit else None]
    module, args = (f"plugins.{edit.block}", edit.args) if edit else (module, args)
    return row_line([source, n, module, args], ", ".join(note for note in notes if note))


def _renumbered(comment: str | None, row: int) -> str | None:
    """A row's comment, where it begins with the row's number with the new one."""
    return comment and re.sub(r"^\d+\b", str(row), comment)


def with_figures(text: str, name: str, costs: Mapping[str, tuple[int, float]]) -> str:
    """The text with counted figures for the stock ones: a comment at each scale, or at `nc` for a model without.

    Args:
        text: The YAML.
        name: Its file name.
        costs: Parameters and GFLOPs by the letter of the scale; none for a text without figures.
    """
    first = with_scale(name, next(iter(costs), ""))
    note = f"figures before fusing at 640×640: `yolo-plugins info {first}`"
    lines = []
    for line in text.splitlines():
        match = SCALE.match(line)
        if line.strip() == "# [depth, width, max_channels]":
            continue
        if line.startswith("scales:"):
            line = f"scales: # [depth, width, max_channels]{'; ' + note if costs else ''}"
        elif match:
            line = f"  {match[1]}: {match[2]}" + (f" # {_cost(*costs[match[1]])}" if costs else "")
        elif line.startswith("nc:") and "" in costs:
            line = f"{line}; {_cost(*costs[''])}, {note}"
        lines.append(line)
    return "\n".join(lines) + "\n"


def _cost(params: int, gflops: float) -> str:
    return f"{params:,} parameters" + (f", {gflops:.1f} GFLOPs" if gflops else "")
