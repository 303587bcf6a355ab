"""Everything that can be known about a model YAML without training it: `yolo-plugins check`."""

from __future__ import annotations

import os
import tempfile
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

import patch_ultralytics

from ..blocks.counting import parameters
from ..blocks.registry import PREFIX
from ..models.building import from_text, quiet
from ..models.dry_run import RowError, Shapes, build, offline, run
from ..rows.description import ModelYAMLError, Problem, image_channels, problems, read, rows_of, scales_by_size
from ..rows.errors import reason_of, row_of
from ..rows.names import names
from ..rows.stock_base import find_base, lost_rows
from ..rows.yaml_files import locate, stock_files, with_scale
from .advice import beyond_trying, foreign_activation, too_large

HEADS = ("Detect", "Classify", "RTDETRDecoder", "SemanticSegment", "Depth")


@dataclass
class Verdict:
    """What was found in one file: what it is, errors, and warnings."""

    file: str
    facts: list[str] = field(default_factory=list)
    errors: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"{self.file}: {'; '.join(self.facts) or 'not a model that can be built'}"]
        for level, found in (("error", self.errors), ("warning", self.warnings)):
            lines += [f"  {level:<8}{problem}" for problem in found]
        return "\n".join(lines)


@dataclass(frozen=True)
class Dry:
    """A model's smallest scale, built and run without memory."""

    scale: str
    layers: nn.Sequential
    maps: list[Shapes]


def check_model(model: str, base: str | None = None, quick: bool = False) -> Verdict:
    """Check one model YAML.

    Args:
        model: A model YAML, by bare name or path.
        base: The stock YAML whose pretrained weights it is to take; by default the one that its name and rows point to.
        quick: The smallest scale alone, and no export.

    Raises:
        FileNotFoundError: no such file, or no such base.
    """
    path = locate(model)
    base_path = locate(base) if base else None
    patch_ultralytics.apply()
    verdict = Verdict(model)
    description = _read(verdict, path)
    if description is None:
        return verdict
    dry = _check_scales(verdict, description, quick)
    if dry is None:
        return verdict
    _check_use(verdict, description, dry.layers)
    large = list(too_large(parameters(dry.layers), dry.maps, description))
    verdict.warnings += large
    if not verdict.errors and not quick and not large:
        _check_export(verdict, description, path.name, dry.scale)
    if not verdict.errors:
        _check_base(verdict, description, dry, path, base_path)
    return verdict


def _read(verdict: Verdict, path: Path) -> dict[str, Any] | None:
    """The description in a file, if it is one that may be built; nothing in it is executed."""
    from ultralytics.nn import tasks

    try:
        description = read(path)
    except ModelYAMLError as error:
        verdict.errors.append(error.problem)
        return None
    verdict.errors += problems(description, names(tasks, layers_only=True))
    if verdict.errors:
        return None
    beyond = list(beyond_trying(description))
    verdict.warnings += beyond
    if problem := foreign_activation(description.get("activation")):
        verdict.warnings.append(problem)
        description = {**description, "activation": None}
    return None if beyond else description


def _check_scales(verdict: Verdict, description: dict[str, Any], quick: bool) -> Dry | None:
    """Build and run every scale without memory; the smallest one, if all is well."""
    scales = scales_by_size(description)[: 1 if quick else None]
    found: dict[Problem, list[str]] = {}
    smallest: Dry | None = None
    for scale in scales:
        try:
            with quiet():
                layers = build({**description, "scale": scale, "yaml_file": "model"})
                maps = run(layers, image_channels(description))
            smallest = smallest or Dry(scale, layers, maps)
        except ModelYAMLError as error:
            found.setdefault(error.problem, []).append(scale)
        except RowError as error:
            found.setdefault(_meeting(error, rows_of(description)), []).append(scale)
    for problem, where in found.items():
        at = f" (at scale {', '.join(where)} of {', '.join(scales)})" if len(where) < len(scales) else ""
        verdict.errors.append(Problem(problem.reason + at, problem.row, problem.module))
    if found or smallest is None:
        return None
    _check_levels(verdict, smallest.maps, rows_of(description))
    plugins = sum(row[2].startswith(PREFIX) for row in rows_of(description))
    verdict.facts.append(f"{len(rows_of(description))} rows, {plugins} plug-ins")
    if scales != [""]:
        verdict.facts.append(f"scale{'s' if len(scales) > 1 else ''} {' '.join(scales)} build")
    return smallest


def _check_levels(verdict: Verdict, maps: list[Shapes], described: list[list[Any]]) -> None:
    """Warn of maps of one size among those that the head is given."""
    sources = described[-1][0]
    if not isinstance(sources, list):
        return
    sides = [maps[f][0][-1] for f in sources if maps[f] and len(maps[f][0]) == 4]
    if len(sides) != len(set(sides)):
        sizes = ", ".join(f"row {f % len(maps)}: {side}×{side}" for f, side in zip(sources, sides, strict=False))
        verdict.warnings.append(_problem(f"levels of the head are of one stride at 256×256: {sizes}", -1, described))


def _meeting(error: RowError, described: list[list[Any]]) -> Problem:
    """Why a row does not run on what it is given, and which rows would fit the first of them."""
    source = described[error.row][0]
    sources = [f % error.row if f < 0 and error.row else f for f in (source if isinstance(source, list) else [source])]
    given = ", ".join(
        f"{'the image' if f < 0 else f'row {f}'}: {'×'.join(map(str, shape[1:]))}"
        for f, shape in zip(sources, error.inputs, strict=False)
    )
    reason = f"{error.reason}; it is given {given}" if given else error.reason
    sides = [shape[2:] for shape in error.inputs if len(shape) == 4]
    if len(set(sides)) > 1:
        fit = [str(i) for i, shapes in enumerate(error.maps) if [shape[2:] for shape in shapes] == [sides[0]]]
        reason += f"; {'×'.join(map(str, sides[0]))} maps come from rows {', '.join(fit)}"
    return _problem(reason, error.row, described)


def _check_use(verdict: Verdict, description: dict[str, Any], layers: nn.Sequential) -> None:
    """The task that the head stands for, and rows whose output goes nowhere."""
    from ultralytics.nn import tasks

    described = rows_of(description)
    heads = [getattr(tasks, name) for name in HEADS if hasattr(tasks, name)]
    if not isinstance(layers[-1], tuple(heads)):
        reason = "the last row is no head, so its task is not known; end with Detect, Segment, Pose, OBB or Classify"
        verdict.errors.append(_problem(reason, -1, described))
    else:
        decoder = described[-1][2] == "RTDETRDecoder"
        task = "detect, for ultralytics.RTDETR" if decoder else str(tasks.guess_model_task(description))
        verdict.facts.insert(0, task)
    used = {len(described) - 1}
    for i in reversed(range(len(described))):
        if i in used:
            source = described[i][0]
            used |= {f if f >= 0 else i + f for f in (source if isinstance(source, list) else [source])}
    for i in sorted(set(range(len(described))) - used):
        verdict.warnings.append(_problem("no row takes its output; are the `from` numbers off by one?", i, described))


def _check_export(verdict: Verdict, description: dict[str, Any], name: str, scale: str) -> None:
    """Export the smallest scale to TorchScript, as `yolo export` does."""
    import yaml

    head = rows_of(description)[-1][2]
    here = Path.cwd()
    text = yaml.safe_dump(offline({**description}), sort_keys=False)
    with tempfile.TemporaryDirectory(prefix="yolo-plugins-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer's, on shapes that blocks look at
        try:
            os.chdir(folder)
            with from_text(text, with_scale(name, scale)) as yolo:
                stride = int(max(yolo.model.stride))
                size = 160 if head == "RTDETRDecoder" else max(64, 2 * stride)
                exported = Path(yolo.export(format="torchscript", imgsz=size, device="cpu"))
                torch.jit.load(exported)(torch.zeros(1, image_channels(description), size, size))
            verdict.facts.append(f"exported to TorchScript at {size}×{size}")
        except ModelYAMLError as error:
            verdict.errors.append(error.problem)
        except Exception as error:
            reason = f"its export fails: {reason_of(error)}"
            verdict.errors.append(_problem(reason, row_of(error), rows_of(description)))
        finally:
            os.chdir(here)


def _check_base(verdict: Verdict, description: dict[str, Any], dry: Dry, path: Path, base: Path | None) -> None:
    """Whether the rows are those of the stock base, so that its pretrained weights are found."""
    if path in stock_files() and base is None:
        verdict.facts.append("a stock YAML")
        return
    base = base or find_base(description, path.name)
    if base is None:
        return
    stock = read(base)
    scale = dry.scale if dry.scale in (stock.get("scales") or {}) else ""
    with quiet():
        same = {"scale": scale, "nc": description["nc"], "yaml_file": base.name}
        base_layers = build({**stock, **same, "channels": image_channels(description)})
    aligned, lost = lost_rows(description, dry.layers, stock, base_layers, base.name)
    if aligned:
        verdict.facts.append(f"rows aligned with {base.name}")
    if lost:
        verdict.warnings.append(Problem(lost))


def _problem(reason: str, row: int | None, described: list[list[Any]]) -> Problem:
    if row is None:
        return Problem(reason)
    row %= len(described)
    return Problem(reason, row, described[row][2])
