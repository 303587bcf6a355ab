"""A torch module as a file of a runtime, by the libraries that write it: whole models and single rows of them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from inspect import signature
from pathlib import Path
from typing import Any

from .runtimes import import_mnn

CONVERTED = ("ncnn", "mnn")
"""Runtimes that do not read what `write` writes, but what `convert` makes of it."""


def write(module: Any, inputs: Sequence[Any], form: str, folder: Path) -> Path:
    """Trace a module that takes `inputs` one after another, as ONNX, or for ncnn as TorchScript."""
    import torch

    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the tracer's, of shapes that are fixed here
        module(*inputs)  # a head makes its anchors once, outside the trace
        if form == "ncnn":
            file = folder / "model.torchscript"
            torch.jit.trace(module, tuple(inputs), check_trace=False).save(str(file))
        else:
            file = folder / "model.onnx"
            names = [f"x{i}" for i in range(len(inputs))]
            tracer: dict[str, Any] = {"dynamo": False} if "dynamo" in signature(torch.onnx.export).parameters else {}
            torch.onnx.export(
                module, tuple(inputs), str(file), input_names=names, opset_version=17, verbose=False, **tracer
            )
    return file


def convert(source: Path, form: str, shapes: list[list[int]]) -> Path:
    """What a runtime of `CONVERTED` loads, made of what `write` wrote.

    Raises:
        RuntimeError: the converter left no file.
    """
    return _mnn(source) if form == "mnn" else _ncnn(source, shapes)


def _mnn(source: Path) -> Path:
    import_mnn()
    from MNN.tools import mnnconvert

    target = source.with_suffix(".mnn")
    mnnconvert.convert(["", "-f", "ONNX", "--modelFile", str(source), "--MNNModel", str(target), "--bizCode", "x"])
    return _made(target)


def _ncnn(source: Path, shapes: list[list[int]]) -> Path:
    import pnnx

    def named(kind: str, suffix: str) -> str:
        return str(source.with_name(f"model.{kind}.{suffix}"))

    unused = {f"pnnx{kind}": named("pnnx", kind) for kind in ("param", "bin", "py", "onnx")}
    used = {f"ncnn{kind}": named("ncnn", kind) for kind in ("param", "bin", "py")}
    pnnx.convert(str(source), input_shapes=shapes, input_types=["f32"] * len(shapes), fp16=False, **unused, **used)
    for path in [*unused.values(), used["ncnnpy"]]:
        Path(path).unlink(missing_ok=True)
    _made(Path(used["ncnnparam"]))
    return source.parent


def _made(target: Path) -> Path:
    if not target.exists():
        raise RuntimeError(f"the converter left no {target.name}")
    return target
