"""The formats to compare, by name: those of the installed Ultralytics' export table, torch, and OpenCV's DNN."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from importlib.util import find_spec

from .. import __version__
from ..installed import installed_version

NEEDS = {
    "onnx": ("onnx", "onnxslim", "onnxruntime"),
    "dnn": ("onnx", "onnxslim"),
    "openvino": ("openvino",),
    "ncnn": ("ncnn", "pnnx"),
    "mnn": ("onnx", "onnxslim", "MNN"),
}
"""Packages that exporting and running takes, each importable by its own name. What other formats need, Ultralytics
itself says when it exports them."""

RUNTIMES = ("onnx", "openvino", "ncnn", "mnn")
"""Formats that any module can be written in here, and not only an Ultralytics model."""


def known() -> list[str]:
    """Every format, in the order of Ultralytics' table."""
    from ultralytics.engine.exporter import export_formats

    return ["torch", *(name for name in export_formats()["Argument"] if name != "-"), "dnn"]


def choose(names: Sequence[str]) -> list[str]:
    """The formats of these names, each once.

    Raises:
        ValueError: an unknown name, with the nearest known one, or none at all.
    """
    every = known()
    for name in names:
        if name not in every:
            near = difflib.get_close_matches(name.lower(), every, n=1, cutoff=0.3)
            hint = f"did you mean {near[0]}? " if near else ""
            raise ValueError(f"unknown format {name!r}; {hint}this Ultralytics exports {', '.join(every)}")
    if not names:
        raise ValueError("no format to compare; give at least one, such as --formats onnx")
    return list(dict.fromkeys(names))


def absent(name: str) -> list[str]:
    """The packages that a format lacks here."""
    return [package for package in NEEDS.get(name, ()) if find_spec(package) is None]


def not_installed(packages: Sequence[str]) -> str:
    return f"{' and '.join(packages)} not installed: pip install {' '.join(packages)}"


def versions(name: str) -> dict[str, str]:
    """Installed versions of what a format runs on, the pack's own included."""
    found = {"yolo-plugins": __version__}
    for package in ("ultralytics", "torch", *(("opencv-python",) if name == "dnn" else NEEDS.get(name, ()))):
        if version := installed_version(package):
            found[package] = version
    return found
