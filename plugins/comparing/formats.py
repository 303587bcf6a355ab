"""The formats to compare: those of the installed Ultralytics' export table, torch, and OpenCV's DNN for ONNX files."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from .. import __version__

DEFAULT = ("torch", "torchscript", "onnx", "openvino", "ncnn", "mnn")

NOT_INSTALLED = "not installed: pip install"

NEEDS = {
    "onnx": ("onnx", "onnxslim", "onnxruntime"),
    "dnn": ("onnx", "onnxslim"),
    "openvino": ("openvino",),
    "ncnn": ("ncnn", "pnnx"),
    "mnn": ("onnx", "onnxslim", "MNN"),
}
"""Packages that exporting and running takes, each importable by its own name. What other formats need, Ultralytics
itself says when it exports them."""


@dataclass(frozen=True)
class Format:
    """A column of the comparison: its name, the export that makes its file, and how that file's name ends."""

    name: str
    export: str
    title: str
    suffix: str


def table() -> dict[str, Format]:
    """Every format by name, in the order of Ultralytics' table."""
    from ultralytics.engine.exporter import export_formats

    rows = export_formats()
    columns = rows if isinstance(rows, dict) else rows.to_dict("list")
    formats = {"torch": Format("torch", "torch", "PyTorch", ".pt")}
    for title, name, suffix in zip(columns["Format"], columns["Argument"], columns["Suffix"], strict=True):
        if name != "-":
            formats[name] = Format(name, name, title, suffix)
    formats["dnn"] = Format("dnn", "onnx", "OpenCV DNN", formats["onnx"].suffix)
    return formats


def choose(names: Iterable[str]) -> list[Format]:
    """The formats of these names, each once.

    Raises:
        ValueError: an unknown name, with the nearest known one, or none at all.
    """
    known = table()
    chosen: dict[str, Format] = {}
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.3)
            hint = f"did you mean {near[0]}? " if near else ""
            raise ValueError(f"unknown format {name!r}; {hint}this Ultralytics exports {', '.join(known)}")
        chosen[name] = known[name]
    if not chosen:
        raise ValueError("no format to compare; give at least one, such as --formats onnx")
    return list(chosen.values())


def missing(name: str) -> str | None:
    """What a format lacks here, as a sentence with the command that gets it, or None."""
    absent = [package for package in NEEDS.get(name, ()) if find_spec(package) is None]
    return f"{' and '.join(absent)} {NOT_INSTALLED} {' '.join(absent)}" if absent else None


def versions(name: str) -> dict[str, str]:
    """Installed versions of what a format runs on, the pack's own included."""
    packages = ("opencv-python",) if name == "dnn" else NEEDS.get(name, ())
    found = {"yolo-plugins": __version__}
    for package in ("ultralytics", "torch", *packages):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
