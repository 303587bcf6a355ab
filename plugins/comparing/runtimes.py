"""A network in each runtime, by the runtime's own library: float32 (B, C, H, W) in, list of float32 arrays out.

`exact` ones compute in 32 bits, whatever the processor could do with fewer: the same work is timed, and outputs differ
from torch's only where an export is wrong. The others compute as Ultralytics' own backend lets the runtime do it.
No Ultralytics here, so that a process that runs one of these is as large as the runtime makes it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Network = Callable[..., list[Array]]
"""Takes the inputs one after another: of a whole model the images, of a row of it one map or several."""


def _torchscript(path: Path, threads: int, exact: bool) -> Network:
    import torch

    torch.set_num_threads(threads)
    model = torch.jit.load(str(path), map_location="cpu").eval()

    def run(*inputs: Array) -> list[Array]:
        with torch.inference_mode():
            outputs = model(*map(torch.from_numpy, inputs))
        return [x.numpy() for x in (outputs if isinstance(outputs, (tuple, list)) else [outputs])]

    return run


def _onnx(path: Path, threads: int, exact: bool) -> Network:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Threads that spin on after a run would slow down whichever candidate is measured next.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [node.name for node in session.get_inputs()]
    return lambda *inputs: list(session.run(None, dict(zip(names, inputs, strict=True))))


def _dnn(path: Path, threads: int, exact: bool) -> Network:
    import cv2

    cv2.setNumThreads(threads)
    net = cv2.dnn.readNetFromONNX(str(path))
    names = net.getUnconnectedOutLayersNames()

    def run(images: Array) -> list[Array]:
        net.setInput(images)
        return list(net.forward(names))

    return run


OPENVINO_EXACT = {"INFERENCE_PRECISION_HINT": "f32"}


def exact_openvino() -> None:
    """Let every OpenVINO of this process compute in 32 bits, that of Ultralytics' validation too."""
    import openvino

    class Core(openvino.Core):  # type: ignore[misc]
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            self.set_property("CPU", OPENVINO_EXACT)

    openvino.Core = Core


def openvino_default() -> dict[str, Any]:
    """Bits that OpenVINO computes with on this processor by itself, and its name for them."""
    import openvino

    name = openvino.Core().get_property("CPU", "INFERENCE_PRECISION_HINT").to_string()
    return {
        "bits": int("".join(filter(str.isdigit, name))),
        "name": {"bf16": "bfloat16", "f16": "float16"}.get(name, name),
    }


def _openvino(path: Path, threads: int, exact: bool) -> Network:
    import openvino

    config = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1}
    if exact:
        config |= OPENVINO_EXACT
    file = next(path.glob("*.xml")) if path.is_dir() else path
    model = openvino.Core().compile_model(str(file), "CPU", config)
    return lambda *inputs: list(model(inputs).values())


def _ncnn(path: Path, threads: int, exact: bool) -> Network:
    import ncnn

    net = ncnn.Net()
    net.opt.num_threads = threads
    net.opt.use_vulkan_compute = False
    for option in (
        () if not exact else ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage")
    ):
        setattr(net.opt, option, False)
    param = next(path.glob("*.param"))
    if net.load_param(str(param)) or net.load_model(str(param.with_suffix(".bin"))):
        raise RuntimeError(f"ncnn cannot load {param}: it lacks a layer of the model")
    sources, names = sorted(net.input_names()), sorted(net.output_names())
    own = _works_in_place(param, sources)

    def run(*inputs: Array) -> list[Array]:
        results = []
        for maps in zip(*inputs, strict=True):
            with net.create_extractor() as extractor:
                for source, x in zip(sources, maps, strict=True):
                    extractor.input(source, ncnn.Mat(x).clone() if own else ncnn.Mat(x))
                codes, mats = zip(*(extractor.extract(name) for name in names), strict=True)
                if any(codes):
                    raise RuntimeError(f"ncnn cannot run {param}: code {min(codes)}")
                results.append([np.array(mat) for mat in mats])
        return [np.stack(parts) for parts in zip(*results, strict=True)]

    return run


def _works_in_place(param: Path, sources: list[str]) -> bool:
    """Whether a layer that reads an input may write over it: NCNN crashes where the memory is not its own."""
    layers = [line.split() for line in param.read_text(encoding="utf-8").splitlines()[2:]]
    readers = {kind for kind, _, count, _, *blobs in layers if set(blobs[: int(count)]) & set(sources)}
    return not readers <= {"Convolution", "ConvolutionDepthWise", "Split"}


def import_mnn() -> Any:
    """MNN without its log, whose import installs a package that breaks onnx, and which reports every conversion."""
    try:
        import MNN
    except ImportError:
        # Its library asks for an executable stack, which new C libraries refuse; Ultralytics knows how to clear that.
        from ultralytics.utils.files import import_execstack

        MNN = import_execstack("MNN", "_mnncengine*.so", "_tools*.so")
    sys.modules["MNN.tools.utils.log"] = None  # type: ignore[assignment]  # after that forgets what MNN has imported
    return MNN


def _mnn(path: Path, threads: int, exact: bool) -> Network:
    MNN = import_mnn()
    manager = MNN.nn.create_runtime_manager(
        ({"precision": "high" if exact else "low", "backend": "CPU", "numThread": threads},)
    )
    net = MNN.nn.load_module_from_file(str(path), [], [], runtime_manager=manager, rearrange=True)

    def run(*inputs: Array) -> list[Array]:
        outputs = net.onForward([MNN.expr.const(x.ctypes.data, x.shape) for x in inputs])
        if not outputs:
            raise RuntimeError(f"MNN gives no outputs for {path}")
        return [x.read().copy() for x in outputs]

    return run


LOADERS: dict[str, Callable[[Path, int, bool], Network]] = {
    "torchscript": _torchscript,
    "onnx": _onnx,
    "dnn": _dnn,
    "openvino": _openvino,
    "ncnn": _ncnn,
    "mnn": _mnn,
}
"""By format; every other one runs through Ultralytics' own backend, torch too."""


def ordered(outputs: list[Array]) -> list[Array]:
    """The outputs as torch orders them: boxes (B, rows, anchors), then prototypes (B, masks, H, W)."""
    return sorted(outputs, key=np.ndim)
