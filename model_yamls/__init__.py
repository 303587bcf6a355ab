"""The model YAMLs, each beside its stock counterpart row for row; found by bare name once the pack is active."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent


def names() -> list[str]:
    """File names of all model YAMLs of the pack."""
    return sorted(path.name for path in FOLDER.glob("*.yaml"))


def title(name: str) -> str:
    """What the model is, from the first line of its file."""
    with open(FOLDER / name, encoding="utf-8") as file:
        return file.readline().lstrip("# ").rstrip(".\n")
