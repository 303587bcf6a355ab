"""A data YAML whose choices are made on held-out training images, so that its own validation images stay a test."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from ..files import read_yaml, write_text
from .images import find_images


def hold_out(data: str | Path, folder: Path, share: float = 0.2, seed: int = 0) -> Path:
    """Write a data YAML with the training images parted into `train` and `val`, and the validation images as `test`.

    Args:
        data: Data YAML whose `train` and `val` are folders of images beside it, or below its `path`.
        folder: Where to write it, and the lists of images.
        share: Of the training images that are held out, between 0 and 1.
        seed: Of the parting.

    Returns:
        The data YAML. The same images, share and seed give the same lists.

    Raises:
        OSError: the YAML or its images do not exist.
        ValueError: a share that leaves one of the two parts empty, or splits that are no folders.
    """
    path = Path(data)
    content = read_yaml(path)
    root = _root(content, path)
    training = [file for entry in _folders(content, "train", path) for file in find_images(root / entry)]
    count = round(len(training) * share)
    if not 0 < count < len(training):
        raise ValueError(f"{path}: a share of {share:g} of {len(training)} training images leaves one part empty")
    picked = set(np.random.default_rng(seed).permutation(len(training))[:count].tolist())
    parts = {
        "train": [file for number, file in enumerate(training) if number not in picked],
        "val": [file for number, file in enumerate(training) if number in picked],
        "test": [file for entry in _folders(content, "val", path) for file in find_images(root / entry)],
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, files in parts.items():
        write_text(folder / f"{name}.txt", "".join(f"{file.resolve()}\n" for file in files))
    lines = {name: f"{folder.resolve() / name}.txt" for name in parts}
    import yaml

    kept = {key: value for key, value in content.items() if key not in (*parts, "path", "download")}
    written = folder / "data.yaml"
    write_text(written, yaml.safe_dump({**lines, **kept}, sort_keys=False, allow_unicode=True))
    return written


def digest(data: str | Path) -> str:
    """A short digest of what a data YAML's lists or folders hold: names and labels, wherever the folder lies."""
    from ultralytics.data.utils import img2label_paths

    content, path = read_yaml(Path(data)), Path(data)
    root, found = _root(content, path), hashlib.sha256()
    for part in ("train", "val", "test"):
        for entry in _entries(content, part):
            place = root / entry
            files = [Path(line) for line in place.read_text().split()] if place.is_file() else find_images(place)
            for file in files:
                label = Path(img2label_paths([str(file)])[0])
                found.update(f"{part} {file.name} ".encode() + (label.read_bytes() if label.is_file() else b""))
    return found.hexdigest()[:16]


def _root(content: Any, path: Path) -> Path:
    if not isinstance(content, dict) or not content.get("train") or not content.get("val"):
        raise ValueError(f"{path} must name its training images (train) and its validation images (val)")
    return (path.parent / str(content.get("path") or ".")).resolve()


def _entries(content: dict[str, Any], part: str) -> list[str]:
    entries = content.get(part) or []
    return [str(entry) for entry in (entries if isinstance(entries, list) else [entries])]


def _folders(content: dict[str, Any], part: str, path: Path) -> list[str]:
    entries = _entries(content, part)
    for entry in entries:
        if not (_root(content, path) / entry).is_dir():
            raise ValueError(f"{path}: {part} is {entry}, not a folder of images; only folders can be parted")
    return entries
