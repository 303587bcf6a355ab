"""Which stock YAML a model YAML is a variant of, and what pretrained weights of it would be lost."""

from __future__ import annotations

from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from torch import nn

from ..blocks.registry import BLOCKS, PREFIX
from .description import rows_of
from .row_map import fitting, row_map, tensors_by_row
from .yaml_files import family_of, stock_files

ALIKE = 0.9
SAME = 0.3
"""How much of the rows' `from`, and of their modules, must agree where the name tells no family."""


def find_base(description: dict[str, Any], name: str) -> Path | None:
    """The stock YAML whose rows are most like a model's, with the same head: of its family if the name tells it."""
    import yaml

    family, head = family_of(name), stock_head(rows_of(description)[-1][2])
    best: tuple[float, Path] | None = None
    for path in sorted(stock_files(), key=lambda path: len(path.name)):  # the plain one, where several are as like
        text = path.read_text(encoding="utf-8")
        other = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        if rows_of(other)[-1][2] != head or (family and family_of(path.name) != family):
            continue
        ours, theirs = ([(str(row[0]), row[2]) for row in rows_of(model)] for model in (description, other))
        sources = SequenceMatcher(None, [f for f, _ in ours], [f for f, _ in theirs]).ratio()
        modules = SequenceMatcher(None, [m for _, m in ours], [m for _, m in theirs]).ratio()
        if (family or (sources >= ALIKE and modules >= SAME)) and (best is None or sources + modules > best[0]):
            best = (sources + modules, path)
    return best[1] if best else None


def stock_head(name: str) -> str:
    """The head of Ultralytics that a head of ours derives from; any other name is itself."""
    classes = getattr(BLOCKS.get(name.removeprefix(PREFIX)), "__mro__", ()) if name.startswith(PREFIX) else ()
    return next((cls.__name__ for cls in classes if cls.__module__.startswith("ultralytics.")), name)


def lost_rows(
    ours: dict[str, Any], layers: nn.Sequential, base: dict[str, Any], base_layers: nn.Sequential, name: str
) -> tuple[bool, str]:
    """Whether rows are aligned with the base's one for one, and a sentence on the pretrained rows that are lost.

    A row that is a plug-in where the base has its own is swapped, not lost; so is the head, whose classes differ.
    """
    mine, theirs = rows_of(ours), rows_of(base)
    aligned = [row[0] for row in mine] == [row[0] for row in theirs]
    tensors, base_tensors = tensors_by_row(layers.state_dict()), tensors_by_row(base_layers.state_dict())
    by_number = {i: i for i in range(min(len(tensors), len(base_tensors)))}
    mapping, mapped = row_map(tensors, base_tensors)
    by_numbers = sum(fitting(tensors[i], base_tensors[j]) for i, j in by_number.items())
    if mapped <= by_numbers:
        mapping = by_number
    taken = {j: i for i, j in mapping.items()}
    lost = [
        f"{j} ({theirs[j][2]})"
        for j in range(min(len(base_tensors), len(theirs) - 1))
        if base_tensors[j] and not _kept(taken.get(j), j, tensors, base_tensors, mine, aligned)
    ]
    if aligned and not lost:
        return True, ""
    total = sum(map(len, tensors))
    shape = "" if aligned else f"rows are not those of {name} one for one ({len(mine)} against {len(theirs)}); "
    moved = f", {by_numbers} by row number" if mapped > by_numbers else ""
    gone = f"; rows of {name} whose weights have no place: {', '.join(lost)}" if lost else ""
    return aligned, f"{shape}of {name}'s weights {max(mapped, by_numbers)} of {total} tensors fit{moved}{gone}"


def _kept(
    i: int | None,
    j: int,
    ours: list[dict[str, tuple[int, ...]]],
    theirs: list[dict[str, tuple[int, ...]]],
    rows: list[list[Any]],
    aligned: bool,
) -> bool:
    if i is not None and fitting(ours[i], theirs[j]) == len(theirs[j]):
        return True
    return aligned and rows[j][2].startswith(PREFIX)
