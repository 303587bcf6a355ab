"""The images and labels that a data YAML names, found as Ultralytics finds them.

Its own reader of data YAMLs is not asked: that one downloads a font, and newer ones make a split where one is missing.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..files import read_yaml

WORDS = {"train": "training", "val": "validation"}


def find(data: str) -> Path:
    """The data YAML or folder of that path, or the YAML of that bare name that the installed Ultralytics ships."""
    path = Path(data)
    if path.exists() or path.parent != Path("."):
        return path
    spec = importlib.util.find_spec("ultralytics")
    shipped = Path(spec.origin).parent / "cfg" / "datasets" / path.name if spec and spec.origin else path
    return shipped if shipped.is_file() else path


def description(path: Path, option: str = "--data ") -> dict[str, Any]:
    """What a data YAML says.

    Args:
        path: Where it is.
        option: What it was given with, for messages.

    Raises:
        OSError: there is no such file.
        ValueError: it names no validation images or no classes.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist; {option}takes a data YAML with train, val and names")
    content = read_yaml(path)
    if not isinstance(content, dict) or not content.get("val") or not (content.get("names") or content.get("nc")):
        raise ValueError(f"{path} must name its validation images (val) and its classes (names)")
    return content


def class_names(content: dict[str, Any]) -> dict[int, str]:
    """The classes of a data YAML by number; those without names are called after their numbers."""
    names = content.get("names") or range(int(content["nc"]))
    pairs = names.items() if isinstance(names, dict) else enumerate(names)
    return {int(number): str(name) for number, name in pairs}


def split_images(content: dict[str, Any], path: Path, split: str) -> list[Path]:
    """The images of a split, `train` or `val`, of the data YAML at `path` that says `content`.

    Raises:
        OSError: the place that it names does not exist.
        ValueError: no image is there.
    """
    root = Path(content.get("path") or path.parent)
    if not root.is_absolute() and not root.exists():
        from ultralytics.utils import SETTINGS

        root = Path(SETTINGS["datasets_dir"]) / root
    found: list[Path] = []
    for entry in content[split] if isinstance(content[split], list) else [content[split]]:
        place = (root / entry).resolve()
        if place.is_dir():
            found += inside(place)
        elif place.is_file():
            lines = place.read_text(encoding="utf-8").split()
            found += [place.parent / line if line.startswith("./") else Path(line) for line in lines]
        else:
            raise FileNotFoundError(f"{path}: its {WORDS[split]} images {place} do not exist")
    if not found:
        raise ValueError(f"{path}: there are no images in {root / str(content[split])}")
    return found


def labels(images: Sequence[Path]) -> list[Path]:
    """Where the label file of each image is, if it has one."""
    from ultralytics.data.utils import img2label_paths

    return [Path(label) for label in img2label_paths([str(image) for image in images])]


def inside(folder: Path) -> list[Path]:
    """The images in a folder and in the folders in it."""
    from ultralytics.data.utils import IMG_FORMATS

    return [path for path in sorted(folder.rglob("*")) if path.suffix[1:].lower() in IMG_FORMATS]


def state(images: Sequence[Path]) -> str:
    """A short text that changes when an image or label file is added, removed or written again."""
    times = [file.stat().st_mtime_ns for file in [*images, *labels(images)] if file.exists()]
    return f"{len(images)} {len(times)} {max(times, default=0)}"
