"""A single block as a file of each format, and what runs it: for tests of blocks and timings of them."""

import contextlib
import io
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from yolo_plugins.comparing.runtimes import LOADERS, import_mnn

Run = Callable[[Any], list[Any]]


def exported(module: nn.Module, image: Tensor, form: str, folder: Path, threads: int = 1, by_onnx: bool = False) -> Run:
    """A block in a runtime: from one image as an array to the outputs as arrays.

    Args:
        module: A fused block.
        image: An input to trace it with.
        form: One of `WRITERS`.
        folder: Where its files are put; an ONNX file that is there already is used again.
        threads: Of the runtime.
        by_onnx: Whether OpenVINO reads the ONNX file, which is quicker, and not torch's trace as Ultralytics has it.

    Raises:
        Exception: whatever exporter or runtime have to say.
    """
    with warnings.catch_warnings(), silent():
        warnings.simplefilter("ignore")  # the tracer's, of branches by shape
        write = _openvino_by_onnx if form == "openvino" and by_onnx else WRITERS[form]
        return LOADERS[form](write(module, image, folder), threads, True)


@contextlib.contextmanager
def silent() -> Any:
    """Without what exporters print, natively too."""
    kept, null = [os.dup(i) for i in (1, 2)], os.open(os.devnull, os.O_WRONLY)
    try:
        for i in (1, 2):
            os.dup2(null, i)
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        for i, fd in zip((1, 2), kept, strict=True):
            os.dup2(fd, i)
            os.close(fd)
        os.close(null)


def _onnx(module: nn.Module, image: Tensor, folder: Path) -> Path:
    file = folder / "block.onnx"
    if not file.exists():
        torch.onnx.export(module, (image,), str(file), dynamo=False, opset_version=17)
    return file


def _torchscript(module: nn.Module, image: Tensor, folder: Path) -> Path:
    torch.jit.trace(module, image, check_trace=False).save(str(folder / "block.torchscript"))
    return folder / "block.torchscript"


def _openvino(module: nn.Module, image: Tensor, folder: Path) -> Path:
    import openvino

    traced = torch.jit.trace(module, image, check_trace=False)
    model = openvino.convert_model(traced, input=[list(image.shape)], example_input=image)
    openvino.save_model(model, str(folder / "openvino" / "block.xml"), compress_to_fp16=False)
    return folder / "openvino"


def _openvino_by_onnx(module: nn.Module, image: Tensor, folder: Path) -> Path:
    import openvino

    model = openvino.Core().read_model(str(_onnx(module, image, folder)))
    openvino.save_model(model, str(folder / "openvino" / "block.xml"), compress_to_fp16=False)
    return folder / "openvino"


def _ncnn(module: nn.Module, image: Tensor, folder: Path) -> Path:
    import pnnx

    (folder / "ncnn").mkdir()
    files = {name: str(folder / f"{name}.py") for name in ("ncnnpy", "pnnxparam", "pnnxbin", "pnnxpy", "pnnxonnx")}
    files |= {f"ncnn{part}": str(folder / "ncnn" / f"block.ncnn.{part}") for part in ("param", "bin")}
    pnnx.export(module, str(folder / "block.pt"), inputs=image, fp16=False, **files)
    return folder / "ncnn"


def _mnn(module: nn.Module, image: Tensor, folder: Path) -> Path:
    import_mnn()
    from MNN.tools import mnnconvert

    file = folder / "block.mnn"
    mnnconvert.convert(["", "-f", "ONNX", "--modelFile", str(_onnx(module, image, folder)), "--MNNModel", str(file)])
    return file


WRITERS: dict[str, Callable[[nn.Module, Tensor, Path], Path]] = {
    "torchscript": _torchscript,
    "onnx": _onnx,
    "openvino": _openvino,
    "ncnn": _ncnn,
    "mnn": _mnn,
    "dnn": _onnx,
}
