"""The models to compare: found, named and told apart before anything is built."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..model_yamls import find
from ..model_yamls import names as our_names
from ..yaml_files import stock_files


@dataclass(frozen=True)
class Candidate:
    """A model: its name in the report, what Ultralytics is given to load it, and the file behind that."""

    name: str
    source: str
    file: Path

    @property
    def trained(self) -> bool:
        return self.file.suffix == ".pt"


def gather(models: Sequence[str]) -> list[Candidate]:
    """A candidate for each of `PATH` or `NAME=PATH`.

    Raises:
        FileNotFoundError: a model that does not exist, with the nearest name.
        ValueError: none, one that is neither YAML nor .pt, or two with one name.
    """
    if not models:
        raise ValueError("no model to compare; give at least one YAML or .pt file")
    candidates = [_candidate(model) for model in models]
    taken: dict[str, Candidate] = {}
    for candidate in candidates:
        other = taken.setdefault(folder_name(candidate.name), candidate)
        if other is not candidate:
            raise ValueError(
                f"two models are named {candidate.name}: {other.source} and {candidate.source}; "
                f"name one of them yourself, as in other={candidate.source}"
            )
    return candidates


def _candidate(model: str) -> Candidate:
    name, given, source = model.partition("=")
    if not given:
        name, source = "", model
    file = _locate(source)
    return Candidate(name or file_name(source), source, file)


def file_name(source: str) -> str:
    """A model's name: its file's, or for the weights of a training run the run's."""
    path = Path(source)
    if path.stem in ("best", "last") and path.resolve().parent.name == "weights":
        return f"{path.resolve().parent.parent.name}-{path.stem}"
    return path.stem


def folder_name(name: str) -> str:
    """A model's name as a file's: letters, digits, dots, - and _."""
    return re.sub(r"[^\w.-]+", "_", name)


def _locate(source: str) -> Path:
    path = Path(source)
    if path.suffix not in (".yaml", ".yml", ".pt"):
        raise ValueError(f"{source} is neither a model YAML nor a .pt file")
    unscaled = path.with_name(_without_scale(path.name))
    if path.is_file() or (path.name != source and unscaled.is_file()):
        return path if path.is_file() else unscaled
    stock = {} if path.suffix == ".pt" or path.name != source else {file.name: file for file in stock_files()}
    found = find(source) or stock.get(_without_scale(source)) if path.name == source else None
    if found:
        return found
    if path.suffix == ".pt":
        raise FileNotFoundError(f"{source} does not exist; train it first, or compare its YAML")
    near = difflib.get_close_matches(_without_scale(path.name), [*our_names(), *stock], n=1)
    hint = f"did you mean {near[0]}?" if near else "`yolo-plugins list` shows the pack's YAMLs"
    raise FileNotFoundError(f"{source} does not exist; {hint}")


def _without_scale(name: str) -> str:
    return re.sub(r"^(yolov?\d+)[nslmx](?=[-.])", r"\1", name)
