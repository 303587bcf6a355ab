"""Which formats have 8 or 16 bits, what each needs installed, and how the installed Ultralytics is asked for it."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

OURS = ("onnx", "openvino")
"""The formats that `quantize` writes."""
EIGHT = ("onnx", "openvino", "engine", "coreml", "saved_model", "edgetpu", "litert", "tflite", "mnn", "imx", "rknn")
SIXTEEN = ("torchscript", "onnx", "openvino", "engine", "coreml", "mnn", "ncnn")
OURS_NEED = {"onnx": ("onnx", "onnxslim", "onnxruntime"), "openvino": ("openvino", "nncf")}
THEIRS_NEED = {**OURS_NEED, "mnn": ("onnx", "onnxslim", "MNN")}


def has_bits(name: str, bits: int) -> bool:
    """Whether the installed Ultralytics exports a format, by its name in the export table, with so many bits.

    Args:
        name: A format, such as `"onnx"`.
        bits: 8, 16 or 32.

    Raises:
        ValueError: other bits.
    """
    if bits == 32:
        return True
    from ultralytics.engine import exporter

    table = {8: ("INT8_FORMATS", EIGHT), 16: ("FP16_FORMATS", SIXTEEN)}
    if bits not in table:
        raise ValueError(f"{bits} bits are not supported; there are 8, 16 and 32")
    theirs, known = table[bits]
    return name in getattr(exporter, theirs, known)  # before 8.4 Ultralytics had no such table


def export_arguments(bits: int) -> dict[str, int | bool]:
    """How the installed Ultralytics' `export` is asked for so many bits: `quantize=8`, or `int8=True` in older ones."""
    from ultralytics.cfg import DEFAULT_CFG_DICT

    if bits == 32:
        return {}
    return {"quantize": bits} if "quantize" in DEFAULT_CFG_DICT else {"int8" if bits == 8 else "half": True}


def missing(name: str, *, ours: bool) -> list[str]:
    """Packages, each importable by its own name, that a format's 8 bits lack here.

    Args:
        name: A format.
        ours: For `quantize`, else for Ultralytics' own export.
    """
    needs: Sequence[str] = (OURS_NEED if ours else THEIRS_NEED).get(name, ())
    return [package for package in needs if find_spec(package) is None]


def require(name: str) -> None:
    """Refuse what `quantize` cannot write here.

    Raises:
        ValueError: a format without 8 bits, or one whose 8 bits are Ultralytics' affair.
        RuntimeError: packages are missing.
    """
    if name not in OURS:
        other = "Ultralytics' own `yolo export quantize=8` writes it" if has_bits(name, 8) else "it has no 8 bits"
        raise ValueError(f"{name} cannot be quantised here ({other}); give --format {' or '.join(OURS)}")
    if absent := missing(name, ours=True):
        raise RuntimeError(f"{' and '.join(absent)} not installed: pip install 'yolo-plugins[quantize]'")
