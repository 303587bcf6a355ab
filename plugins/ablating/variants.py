"""The models of an ablation: the base with its changes, one after another or in every combination, as model YAMLs."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import patch_ultralytics

from ..blocks.registry import find
from ..blocks.signature import SUPPLIED, signature_of
from ..models.building import build_text
from ..rows.description import read, rows_of
from ..rows.yaml_files import locate
from ..swapping.row_edits import RowEdit
from ..swapping.yaml_text import edited, written
from ..swapping.yaml_writing import light_name
from .changes import Change, change
from .settings import MOST


@dataclass(frozen=True)
class Variant:
    """A model of the table: the changes that it has, what it is called, and its YAML's file name and text.

    `task` and `stride` are those of the network that it makes.
    """

    changes: tuple[str, ...]
    label: str
    name: str
    text: str
    task: str
    stride: int

    def write(self, folder: Path) -> Path:
        """Put the YAML into a folder, unless it is there."""
        from ..files import write_text

        file = folder / self.name
        if not file.is_file() or file.read_text(encoding="utf-8") != self.text:
            write_text(file, self.text)
        return file


def variants(model: str, asked: Mapping[str, str], every: bool, seeds: int = 1) -> list[Variant]:
    """The base, then the base with changes; each is built once, so that none fails when others are trained already.

    Args:
        model: The base's YAML, by bare name or path, with the letter of its scale.
        asked: What the changes are, by name (`changes.named`).
        every: All combinations, instead of one after another on top of the base.
        seeds: Runs of each, for the message where combinations are too many.

    Raises:
        FileNotFoundError: no such YAML; names near ones.
        ValueError: a change that the base has no row for, two that change the same row, models that are the same or
            cannot be built, or too many of them.
    """
    if not model.endswith((".yaml", ".yml")):
        raise ValueError(
            f"{model} is no model YAML; an ablation begins with one, such as yolov8n.yaml, and takes weights by "
            "pretrained=yolov8n.pt"
        )
    count = 2 ** len(asked)
    if every and len(asked) > MOST:
        raise ValueError(
            f"all combinations of {len(asked)} changes are {count} models and with {seeds} seeds {count * seeds} "
            f"trainings; {MOST} changes ({2**MOST} models) are the most; one after another, without --all, they are "
            f"{len(asked) + 1} models"
        )
    import yaml

    patch_ultralytics.apply()
    file, name = locate(model), Path(model).name
    description = read(file)
    base = build_text(file.read_text(encoding="utf-8"), description, name)
    changes = [change(called, what, description, name) for called, what in asked.items()]
    for first, second in combinations(changes, 2):
        _refuse_clash(first, second, len(rows_of(description)), name)
    if not getattr(base.model[-1], "legacy", True):
        description["legacy"] = False  # YOLO11's head, which Ultralytics tells by rows that may be swapped
    found: list[Variant] = []
    seen: dict[str, str] = {}
    for chosen in _chosen(changes, every):
        variant = _variant(chosen, description, file, name)
        other = seen.setdefault(json.dumps(yaml.safe_load(variant.text), default=str), variant.label)
        if other != variant.label:
            raise ValueError(f"{variant.label} is the same model as {other}; leave one of the changes out")
        found.append(variant)
    return found


def _chosen(changes: Sequence[Change], every: bool) -> list[tuple[Change, ...]]:
    if every:
        return [chosen for size in range(len(changes) + 1) for chosen in combinations(changes, size)]
    return [tuple(changes[:size]) for size in range(len(changes) + 1)]


def _variant(chosen: Sequence[Change], description: dict[str, Any], file: Path, name: str) -> Variant:
    import yaml

    stem, called = Path(name).stem, [one.name for one in chosen]
    label = " + ".join(["", *called]).strip() or stem
    edits = _joined(chosen)
    here = copy.deepcopy(description)
    if under := next((one.under for one in chosen if one.under), None):
        here |= yaml.safe_load(edited(file.read_text(encoding="utf-8"), file, [], under))
        edits = {under.kept[row]: edit for row, edit in edits.items()}
    renumbered = [RowEdit(i, e.stock, e.block, e.args, plugin=e.plugin) for i, e in edits.items()]
    with_what = f" with {' and '.join(called)}" if called else ""
    text = written(here, renumbered, f"{stem}{with_what}, of an ablation.")
    file_name = light_name(stem, "+".join(called)) if called else name
    network = build_text(text, yaml.safe_load(text), file_name)
    return Variant(tuple(called), label, file_name, text, network.task, int(max(network.stride)))


def _joined(chosen: Sequence[Change]) -> dict[int, RowEdit]:
    """The rows of several changes together."""
    rows: dict[int, RowEdit] = {}
    by: dict[int, Change] = {}
    for one in chosen:
        for row, edit in one.edits.items():
            shared = _shared(by[row], rows[row], one, edit) if row in rows else edit
            assert shared is not None, f"row {row} was let pass"
            rows[row], by[row] = shared, one
    return dict(sorted(rows.items()))


def _refuse_clash(first: Change, second: Change, count: int, name: str) -> None:
    both = sorted(first.rows(count) & second.rows(count))
    clashes = [
        row
        for row in both
        if row not in first.edits
        or row not in second.edits
        or _shared(first, first.edits[row], second, second.edits[row]) is None
    ]
    if not clashes:
        return
    row = clashes[0]
    words = [_told(one, row) for one in (first, second)]
    rows = f"row{'s' * (len(clashes) > 1)} {', '.join(map(str, clashes))}"
    hint = "limit one of them to other rows, or leave it out"
    if all(row in one.edits and one.edits[row].kind == "stage" for one in (first, second)):
        hint = (
            'a stage has a block and a gate together where they are asked for apart, as in ghost="--stage '
            'GhostBottleneck" se="--gate SE"'
        )
    raise ValueError(
        f"{first.name} and {second.name} both change {rows} of {name}, and row {row} cannot be {' and '.join(words)} "
        f"at once; {hint}"
    )


def _told(change: Change, row: int) -> str:
    """What a change makes of a row, in words."""
    if row not in change.edits:
        return "gone"
    edit = change.edits[row]
    return f"{edit.module} with the gate {_gate(edit)}" if change.gates and edit.kind == "stage" else edit.module


def _shared(first: Change, one: RowEdit, second: Change, other: RowEdit) -> RowEdit | None:
    """A row that two changes edit, or None where only one of them can have it."""
    if (one.module, one.args) == (other.module, other.args):
        return one
    if first.gates == second.gates or one.kind != "stage" or other.kind != "stage":
        return None
    return _gated(other, one) if first.gates else _gated(one, other)


def _gated(stage: RowEdit, gate: RowEdit) -> RowEdit | None:
    """A stage with the gate of another edit, where it takes one and has none."""
    taken, own = _parameters(stage), list(stage.args)
    if "gate" not in taken:
        return None
    at = list(taken).index("gate")
    own += [taken[name] for name in list(taken)[len(own) : at + 1]]
    if own[at] is not None:
        return None
    own[at] = _gate(gate)
    return RowEdit(stage.row, stage.stock, stage.block, tuple(own), kind=stage.kind)


def _parameters(edit: RowEdit) -> dict[str, Any]:
    """What a row of this block takes, with the defaults."""
    return {name: p.default for name, p in signature_of(find(edit.block)).items() if name not in SUPPLIED}


def _gate(edit: RowEdit) -> Any:
    """The gate of a stage that has one."""
    return edit.args[list(_parameters(edit)).index("gate")]
