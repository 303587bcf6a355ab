"""The images to compare on, and whether they have labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..training.data_yaml import description, inside, labels, split_images, state


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
    content = description(path)
    images = split_images(content, path, "val")
    files = labels(images)
    if not any(file.is_file() for file in files):
        raise ValueError(
            f"{path}: none of its {len(images)} validation images has a label file, such as {files[0]}; "
            "without --data, cost and speed are compared alone"
        )
    return images, len(content.get("names") or range(int(content["nc"])))


def _of_classes(root: Path) -> tuple[list[Path], int]:
    split = next((root / name for name in ("val", "test") if (root / name).is_dir()), None)
    if split is None:
        raise FileNotFoundError(f"{root} has no folder val or test; for classification --data is a folder of them")
    classes = sorted(folder for folder in split.iterdir() if folder.is_dir())
    images = [image for folder in classes for image in inside(folder)]
    if not images:
        raise ValueError(f"{split} has no images in folders named after their classes")
    return images, len(classes)


def spread_out(images: Sequence[Path], count: int) -> list[Path]:
    """So many images, evenly from the whole set."""
    count = min(count, len(images))
    return [images[i * len(images) // count] for i in range(count)]


def samples() -> list[Path]:
    """The photographs that come with Ultralytics, for a comparison without data."""
    from ultralytics.utils import ASSETS

    return inside(Path(ASSETS))
