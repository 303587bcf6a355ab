"""The model YAMLs, each beside its stock counterpart row for row; found by bare name once the pack is active."""

from __future__ import annotations

import re
from difflib import get_close_matches
from pathlib import Path

FOLDER = Path(__file__).parent


def names() -> list[str]:
    """File names of all model YAMLs of the pack."""
    return sorted(path.name for path in FOLDER.glob("*.yaml"))


def find(name: str) -> Path | None:
    """The file for a bare name with or without a scale letter (`yolov8n-ghost.yaml` → `yolov8-ghost.yaml`), or None."""
    for candidate in (name, re.sub(r"^(yolov?\d+)[nslmx](?=[-.])", r"\1", name)):
        path = FOLDER / candidate
        if candidate == path.name and path.suffix == ".yaml" and path.is_file():
            return path
    return None


def nearest(name: str) -> list[str]:
    """Names of ours that a misspelt name may mean, with its scale letter."""
    scale = re.match(r"yolov?\d+([nslmx])(?=[-.])", name)
    letter = scale[1] if scale else "n"
    return get_close_matches(
        name, [re.sub(r"^(yolov?\d+)", rf"\1{letter}", known) for known in names()], n=2, cutoff=0.8
    )


def title(name: str) -> str:
    """What the model is, from the first line of its file."""
    with open(FOLDER / name, encoding="utf-8") as file:
        return file.readline().lstrip("# ").rstrip(".\n")
