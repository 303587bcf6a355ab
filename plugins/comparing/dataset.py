"""The images to compare on, and whether they have labels, found as Ultralytics finds them.

Its own reader of data YAMLs is not asked: that one downloads a font, and newer ones make a split where one is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..files import read_yaml


@dataclass(frozen=True)
class Dataset:
    """A labelled validation set: what Ultralytics is given, its images, and its number of classes.

    `state` changes with the images, and with the labels' and images' times of change.
    """

    source: str
    images: list[Path]
    classes: int
    state: str


def read(data: str) -> Dataset:
    """Find the validation images of a data YAML, or of a folder of classes for classification.

    Raises:
        OSError: the YAML or its images do not exist.
        ValueError: not a data YAML, or no labels.
    """
    path = Path(data)
    images, classes = _of_classes(path) if path.is_dir() else _of_yaml(path)
    return Dataset(str(path.resolve()), images, classes, state(images))


def _of_yaml(path: Path) -> tuple[list[Path], int]:
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist; --data takes a data YAML with train, val and names")
    content = read_yaml(path)
    if not isinstance(content, dict) or not content.get("val") or not (content.get("names") or content.get("nc")):
        raise ValueError(f"{path} must name its validation images (val) and its classes (names)")
    images = _images(content, path)
    labels = _labels(images)
    if not any(label.is_file() for label in labels):
        raise ValueError(
            f"{path}: none of its {len(images)} validation images has a label file, such as {labels[0]}; "
            "without --data, cost and speed are compared alone"
        )
    return images, len(content.get("names") or range(int(content["nc"])))


def _of_classes(root: Path) -> tuple[list[Path], int]:
    split = next((root / name for name in ("val", "test") if (root / name).is_dir()), None)
    if split is None:
        raise FileNotFoundError(f"{root} has no folder val or test; for classification --data is a folder of them")
    classes = sorted(folder for folder in split.iterdir() if folder.is_dir())
    images = [image for folder in classes for image in _inside(folder)]
    if not images:
        raise ValueError(f"{split} has no images in folders named after their classes")
    return images, len(classes)


def _images(content: dict[str, Any], path: Path) -> list[Path]:
    root = Path(content.get("path") or path.parent)
    if not root.is_absolute() and not root.exists():
        from ultralytics.utils import SETTINGS

        root = Path(SETTINGS["datasets_dir"]) / root
    found: list[Path] = []
    for entry in content["val"] if isinstance(content["val"], list) else [content["val"]]:
        place = (root / entry).resolve()
        if place.is_dir():
            found += _inside(place)
        elif place.is_file():
            lines = place.read_text(encoding="utf-8").split()
            found += [place.parent / line if line.startswith("./") else Path(line) for line in lines]
        else:
            raise FileNotFoundError(f"{path}: its validation images {place} do not exist")
    if not found:
        raise ValueError(f"{path}: there are no images in {root / str(content['val'])}")
    return found


def _inside(folder: Path) -> list[Path]:
    """The images in a folder and in the folders in it."""
    from ultralytics.data.utils import IMG_FORMATS

    return [path for path in sorted(folder.rglob("*")) if path.suffix[1:].lower() in IMG_FORMATS]


def _labels(images: Sequence[Path]) -> list[Path]:
    from ultralytics.data.utils import img2label_paths

    return [Path(label) for label in img2label_paths([str(image) for image in images])]


def state(images: Sequence[Path]) -> str:
    """A short text that changes when an image or label file is added, removed or written again."""
    times = [file.stat().st_mtime_ns for file in [*images, *_labels(images)] if file.exists()]
    return f"{len(images)} {len(times)} {max(times, default=0)}"


def spread_out(images: Sequence[Path], count: int) -> list[Path]:
    """So many images, evenly from the whole set."""
    count = min(count, len(images))
    return [images[i * len(images) // count] for i in range(count)]


def samples() -> list[Path]:
    """The photographs that come with Ultralytics, for a comparison without data."""
    from ultralytics.utils import ASSETS

    return _inside(Path(ASSETS))
