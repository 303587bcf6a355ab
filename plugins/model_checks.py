"""Everything that can be known about a model YAML without training it: `yolo-plugins check`."""

from __future__ import annotations

import math
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

import patch_ultralytics

from .dry_run import RowError, build, offline, run
from .model_yaml import ModelYAMLError, Problem, problems, read
from .row_errors import reason_of, row_of
from .row_names import PREFIX, names
from .stock_base import find_base, lost_rows, rows
from .yaml_files import locate, stock_files, with_scale
from .yaml_swapping import built

PROMPTED = {"WorldDetect", "YOLOEDetect", "YOLOESegment", "YOLOESegment26"}
"""Heads that take text besides the image, so that rows alone do not run."""


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
            lines += [f"  {level:<8}{problem.sentence('')[2:]}" for problem in found]
        return "\n".join(lines)


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
    from ultralytics.nn import tasks

    verdict = Verdict(model)
    try:
        description = read(path)
    except ModelYAMLError as error:
        verdict.errors.append(Problem(str(error).removeprefix(f"{path}").lstrip(": ")))
        return verdict
    verdict.errors += problems(description, names(tasks))
    if verdict.errors:
        return verdict
    scales = _by_size(description)
    if quick:
        scales = scales[:1]
    layers = _check_scales(verdict, description, scales)
    if layers is None:
        return verdict
    _check_use(verdict, description, layers)
    if not quick and not verdict.errors:
        _check_export(verdict, description, path.name, scales[0])
    if not verdict.errors:
        _check_base(verdict, description, layers, path, base_path, scales[0])
    return verdict


def _by_size(description: dict[str, Any]) -> list[str]:
    """The letters of a model's scales, smallest first; one empty letter for a model without."""
    scales = description.get("scales") or {"": (1, 1, 1)}
    return sorted(scales, key=lambda letter: math.prod(scales[letter][:2]))


def _check_scales(verdict: Verdict, description: dict[str, Any], scales: list[str]) -> nn.Sequential | None:
    """Build and run every scale without memory; the layers of the smallest one, if all is well."""
    found: dict[Problem, list[str]] = {}
    smallest: nn.Sequential | None = None
    with _quiet():
        for scale in scales:
            try:
                layers = build({**description, "scale": scale, "yaml_file": "model"}, _channels(description))
                _check_maps(verdict, layers, description, scale == scales[0])
                smallest = smallest or layers
            except ModelYAMLError as error:
                problem = error.problem or Problem(str(error).removeprefix("model: "))
                found.setdefault(problem, []).append(scale)
            except RowError as error:
                found.setdefault(_meeting(error, rows(description)), []).append(scale)
    for problem, where in found.items():
        at = f" (at scale {', '.join(where)} of {', '.join(scales)})" if len(where) < len(scales) else ""
        verdict.errors.append(Problem(problem.reason + at, problem.row, problem.module))
    if found:
        return None
    plugins = sum(row[2].startswith(PREFIX) for row in rows(description))
    verdict.facts.append(f"{len(rows(description))} rows, {plugins} plug-ins")
    if scales != [""]:
        verdict.facts.append(f"scale{'s' if len(scales) > 1 else ''} {' '.join(scales)} build")
    return smallest


def _check_maps(verdict: Verdict, layers: nn.Sequential, description: dict[str, Any], tell: bool) -> None:
    """Run the rows, and look at the maps that the head is given."""
    if rows(description)[-1][2] in PROMPTED:
        return  # its own model runs it while it is built, with the text that it needs
    maps = run(layers, _channels(description))
    sources = rows(description)[-1][0]
    if not tell or not isinstance(sources, list):
        return
    sides = [maps[f][0][-1] for f in sources if maps[f] and len(maps[f][0]) == 4]
    if len(sides) != len(set(sides)):
        sizes = ", ".join(f"row {f % len(maps)}: {side}×{side}" for f, side in zip(sources, sides, strict=False))
        verdict.warnings.append(
            _problem("levels of the head are of one stride at 256×256: " + sizes, -1, rows(description))
        )


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

    described = rows(description)
    heads = [getattr(tasks, name) for name in HEADS if hasattr(tasks, name)]
    if not isinstance(layers[-1], tuple(heads)):
        reason = "the last row is no head, so its task is not known; end with Detect, Segment, Pose, OBB or Classify"
        verdict.errors.append(_problem(reason, -1, described))
    else:
        decoder = described[-1][2] == "RTDETRDecoder"
        verdict.facts.insert(
            0, "detect, for ultralytics.RTDETR" if decoder else str(tasks.guess_model_task(description))
        )
    used = {len(described) - 1}
    for i in reversed(range(len(described))):
        if i in used:
            source = described[i][0]
            used |= {f if f >= 0 else i + f for f in (source if isinstance(source, list) else [source])}
    for i in sorted(set(range(len(described))) - used):
        verdict.warnings.append(_problem("no row takes its output; are the `from` numbers off by one?", i, described))


HEADS = ("Detect", "Classify", "RTDETRDecoder", "SemanticSegment", "Depth")


def _check_export(verdict: Verdict, description: dict[str, Any], name: str, scale: str) -> None:
    """Export the smallest scale to TorchScript, as `yolo export` does."""
    import yaml

    head = rows(description)[-1][2]
    here = Path.cwd()
    text = yaml.safe_dump(offline({**description}), sort_keys=False)
    with tempfile.TemporaryDirectory(prefix="yolo-plugins-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer's, on shapes that blocks look at
        try:
            os.chdir(folder)
            with built(text, with_scale(name, scale)) as yolo:
                stride = int(max(yolo.model.stride))
                size = 160 if head == "RTDETRDecoder" else max(64, 2 * stride)
                exported = Path(yolo.export(format="torchscript", imgsz=size, device="cpu"))
                torch.jit.load(exported)(torch.zeros(1, _channels(description), size, size))
            verdict.facts.append(f"exported to TorchScript at {size}×{size}")
        except ModelYAMLError as error:
            verdict.errors.append(error.problem or Problem(str(error)))
        except Exception as error:
            verdict.errors.append(_problem(f"its export fails: {reason_of(error)}", row_of(error), rows(description)))
        finally:
            os.chdir(here)


def _check_base(
    verdict: Verdict,
    description: dict[str, Any],
    layers: nn.Sequential,
    path: Path,
    base: Path | None,
    scale: str,
) -> None:
    """Whether the rows are those of the stock base, so that its pretrained weights are found."""
    if path in stock_files() and base is None:
        verdict.facts.append("a stock YAML")
        return
    base = base or find_base(description, path.name)
    if base is None:
        return
    stock = read(base)
    scales = stock.get("scales") or {}
    changes = {"scale": scale if scale in scales else "", "nc": description["nc"], "yaml_file": base.name}
    with _quiet():
        base_layers = build({**stock, **changes}, _channels(description))
    aligned, lost = lost_rows(description, layers, stock, base_layers, base.name)
    if aligned:
        verdict.facts.append(f"rows aligned with {base.name}")
    if lost:
        verdict.warnings.append(Problem(lost))


def _channels(description: dict[str, Any]) -> int:
    return int(description.get("channels") or 3)


def _problem(reason: str, row: int | None, described: list[list[Any]]) -> Problem:
    if row is None:
        return Problem(reason)
    row %= len(described)
    return Problem(reason, row, described[row][2])


@contextmanager
def _quiet() -> Iterator[None]:
    from ultralytics.utils import LOGGER

    level = LOGGER.level
    LOGGER.setLevel("ERROR")
    try:
        yield
    finally:
        LOGGER.setLevel(level)
