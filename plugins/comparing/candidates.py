"""The models to compare: found, named and told apart before anything is built."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..rows.yaml_files import locate


@dataclass(frozen=True)
class Candidate:
    """A model: its name in the report, what Ultralytics is given to load it, and the file behind that."""

    name: str
    source: str
    file: Path

    @property
    def trained(self) -> bool:
        return self.file.suffix == ".pt"

    @property
    def stem(self) -> str:
        """Its name as a file's: letters, digits, dots, - and _."""
        return re.sub(r"[^\w.-]+", "_", self.name)


def gather(models: Sequence[str]) -> list[Candidate]:
    """A candidate for each of `PATH` or `NAME=PATH`.

    Raises:
        FileNotFoundError: a model that does not exist, with the nearest name.
        ValueError: none, one that is neither YAML nor .pt, or two with one name.
    """
    if not models:
        raise ValueError("no model to compare; give at least one YAML or .pt file")
    taken: dict[str, Candidate] = {}
    for model in models:
        name, source = model.split("=", 1) if "=" in model else ("", model)
        candidate = Candidate(name or _name(source), source, _file(source))
        other = taken.setdefault(candidate.stem, candidate)
        if other is not candidate:
            raise ValueError(
                f"two models are named {candidate.name}: {other.source} and {candidate.source}; "
                f"name one of them yourself, as in other={candidate.source}"
            )
    return list(taken.values())


def _name(source: str) -> str:
    """A model's name: its file's, or for the weights of a training run the run's."""
    path = Path(source)
    if path.stem in ("best", "last") and path.resolve().parent.name == "weights":
        return f"{path.resolve().parent.parent.name}-{path.stem}"
    return path.stem


def _file(source: str) -> Path:
    path = Path(source)
    if path.suffix not in (".yaml", ".yml", ".pt"):
        raise ValueError(f"{source} is neither a model YAML nor a .pt file")
    if path.suffix == ".pt" and not path.is_file():
        raise FileNotFoundError(f"{source} does not exist; train it first, or compare its YAML")
    return locate(source)
