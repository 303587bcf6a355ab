"""A model YAML's text with other rows and figures in it, everything else kept as it stands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

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


def written(description: Mapping[str, Any], edits: Iterable[RowEdit], head: str) -> str:
    """A model's description with rows edited, as a text: `head` as comments, then a key and a row a line."""
    swaps = {edit.row: edit for edit in edits if edit.block}
    lines = [f"# {line}" for line in head.splitlines()] + [""]
    for key, value in description.items():
        if isinstance(value, dict):
            lines += [f"{key}:", *(f"  {name}: {_plain(one)}" for name, one in value.items())]
        elif key not in ("backbone", "head", "scale", "yaml_file"):
            lines.append(f"{key}: {_plain(value)}")
    for part, first in (("backbone", 0), ("head", len(description["backbone"]))):
        lines += ["", f"{part}:"]
        for i, (source, n, module, args) in enumerate(description[part], first):
            row = [source, n, swaps[i].module, swaps[i].args] if i in swaps else [source, n, module, args]
            lines.append(row_line(row, f"was {swaps[i].stock}" if i in swaps else ""))
    return "\n".join(lines) + "\n"


def _plain(value: Any) -> str:
    """A value in one line of YAML."""
    import yaml

    return str(yaml.safe_dump([value], default_flow_style=True, width=10**6)).strip()[1:-1]


def _line(line: str, match: re.Match[str], i: int, edit: RowEdit | None, backbone: Backbone | None) -> str:
    """A row's line: as it stands, where neither its block nor its number is another."""
    import yaml

    if edit is None and backbone is None:
        return line
    (source, n, module, args), comment = yaml.safe_load(match[1])[0], match[2]
    if backbone:
        source, comment = backbone.sources(source, i), _renumbered(comment, backbone.kept[i])
    notes = [comment, f"was {edit.stock}" if edit else None]
    module, args = (edit.module, edit.args) if edit else (module, args)
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
