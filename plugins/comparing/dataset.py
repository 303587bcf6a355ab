"""The images to compare on, and whether they have labels, found as Ultralytics finds them but without a download."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

IMAGES = {".bmp", ".dng", ".jpeg", ".jpg", ".mpo", ".png", ".tif", ".tiff", ".webp", ".pfm"}


@dataclass(frozen=True)
class Dataset:
    """A labelled validation set: what Ultralytics is given, its images, and its number of classes.

    `state` changes with the images, and with the labels' and images' times of change.
    """

    source: str
    images: list[Path]
    classes: int
    state: str


def read(data: str, task: str) -> Dataset:
    """Find the validation images of a data YAML, or of a folder of classes for classification.

    Raises:
        FileNotFoundError: the YAML or its images do not exist.
        ValueError: not a data YAML, or no labels.
    """
    if task == "classify":
        return _read_folder(data)
    path = Path(data)
    if not path.is_file():
        raise FileNotFoundError(f"{data} does not exist; --data takes a data YAML with train, val and names")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{data} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict) or not content.get("val") or not (content.get("names") or content.get("nc")):
        raise ValueError(f"{data} must name its validation images (val) and its classes (names)")
    images = _images(content, path)
    if not any(_label(image).is_file() for image in images):
        raise ValueError(
            f"{data}: none of its {len(images)} validation images has a label file, such as {_label(images[0])}; "
            "without --data, cost and speed are compared alone"
        )
    return Dataset(str(path.resolve()), images, len(content.get("names") or range(int(content["nc"]))), state(images))


def _read_folder(data: str) -> Dataset:
    root = Path(data)
    split = next((root / name for name in ("val", "test") if (root / name).is_dir()), None)
    if split is None:
        raise FileNotFoundError(f"{data} has no folder val or test; for classification --data is a folder of them")
    classes = sorted(folder for folder in split.iterdir() if folder.is_dir())
    images = [image for folder in classes for image in sorted(folder.iterdir()) if image.suffix.lower() in IMAGES]
    if not images:
        raise ValueError(f"{split} has no images in folders named after their classes")
    return Dataset(str(root.resolve()), images, len(classes), state(images))


def _images(content: dict[str, Any], path: Path) -> list[Path]:
    root = Path(content.get("path") or path.parent)
    if not root.is_absolute() and not root.exists():
        from ultralytics.utils import SETTINGS

        root = Path(SETTINGS["datasets_dir"]) / root
    found: list[Path] = []
    for entry in content["val"] if isinstance(content["val"], list) else [content["val"]]:
        place = (root / entry).resolve()
        if place.is_dir():
            found += [image for image in sorted(place.rglob("*")) if image.suffix.lower() in IMAGES]
        elif place.is_file():
            lines = place.read_text(encoding="utf-8").split()
            found += [place.parent / line if line.startswith("./") else Path(line) for line in lines]
        else:
            raise FileNotFoundError(f"{path}: its validation images {place} do not exist")
    if not found:
        raise ValueError(f"{path}: there are no images in {root / str(content['val'])}")
    return found


def _label(image: Path) -> Path:
    """The label file beside an image, by Ultralytics' rule: the last /images/ becomes /labels/."""
    before, found, after = str(image).rpartition(f"{os.sep}images{os.sep}")
    path = f"{before}{os.sep}labels{os.sep}{after}" if found else str(image)
    return Path(path).with_suffix(".txt")


def state(images: Sequence[Path]) -> str:
    """A short text that changes when an image or label file is added, removed or written again."""
    times = [file.stat().st_mtime_ns for image in images for file in (image, _label(image)) if file.exists()]
    return f"{len(images)} {len(times)} {max(times, default=0)}"


def spread_out(images: Sequence[Path], count: int) -> list[Path]:
    """So many images, evenly from the whole set."""
    count = min(count, len(images))
    return [images[i * len(images) // count] for i in range(count)]


def samples() -> list[Path]:
    """The photographs that come with Ultralytics, for a comparison without data."""
    from ultralytics.utils import ASSETS

    return sorted(path for path in Path(ASSETS).iterdir() if path.suffix.lower() in IMAGES)
