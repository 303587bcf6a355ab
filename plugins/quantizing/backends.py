"""An exported file in 32 bits to the same in 8: ONNX by ONNX Runtime's own tool, OpenVINO by NNCF.

Each knows which operations its runtime has in 8 bits: of a file by NNCF, ONNX Runtime ran half of the convolutions in
32 bits. Both give a scale to each filter. The head's arithmetic after its last convolutions stays float: it goes from
scores below 1 to hundreds of pixels.
"""

from __future__ import annotations

import ast
import contextlib
import io
import logging
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from .. import __version__
from ..files import read_yaml, write_text
from .calibration import prepared

CONVOLUTIONS = {"Conv", "ConvTranspose", "Convolution", "GroupConvolution", "ConvolutionBackpropData"}
"""In both formats."""
MARK = "quantized_by"
"""Key that our files' metadata have beside Ultralytics' own."""


@dataclass(frozen=True)
class Means:
    """What a file is quantised with: images, the side of the model's input in pixels, and the processor's way.

    `shifts` are by how much rounding moves each layer's map. Processors with VNNI add products of 8 bits in 32; others
    in 16, which are too few unless filters have 7 bits.
    """

    images: Sequence[Path]
    imgsz: int
    shifts: Mapping[str, Tensor]
    vnni: bool


class Backend(ABC):
    """A file in 32 bits, as Ultralytics exports it, whose convolutions are found by the names of torch's modules.

    Args:
        file: The `.onnx` file, or the `.xml`.
        layers: Names of the layers to quantise.
        head: Name of the last of the model's rows.

    Raises:
        RuntimeError: a layer is not found in the file.
    """

    extension: str
    """That of Ultralytics' names of such files."""

    def __init__(self, file: Path, layers: Collection[str], head: str) -> None:
        self.file = file
        modules, inside = self._names(head)
        if lost := [layer for layer in layers if layer not in modules]:
            raise RuntimeError(f"{file.name} has no node called after {lost[0]}; this Ultralytics names them otherwise")
        self.nodes = {layer: modules[layer] for layer in layers}
        self.arithmetic = sorted(set(inside) - set(self.nodes.values()))

    @abstractmethod
    def write(self, target: Path, kept: Collection[str], means: Means) -> None:
        """Write the model in 8 bits, but for the layers `kept`, with Ultralytics' metadata and a mark of ours."""

    @abstractmethod
    def _names(self, head: str) -> tuple[dict[str, str], list[str]]:
        """The node of each convolution, by its module, and all nodes of the head."""

    def _float(self, kept: Collection[str]) -> list[str]:
        return [*self.arithmetic, *(self.nodes[layer] for layer in kept)]


class Onnx(Backend):
    """Maps get eight bits without sign, which is what x86 multiplies signed filters by."""

    extension = ".onnx"

    def write(self, target: Path, kept: Collection[str], means: Means) -> None:
        import onnx
        from onnxruntime.quantization import QuantType, quantize_static

        source = target.with_name("corrected.onnx")
        onnx.save(self._corrected(kept, means.shifts), source)
        with _silent():
            quantize_static(
                source,
                target,
                _reader(means),
                per_channel=True,
                reduce_range=not means.vnni,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                nodes_to_exclude=self._float(kept),
            )
        model = onnx.load(target)
        stored = {entry.key: entry for entry in model.metadata_props}
        stored["args"].value = str({**ast.literal_eval(stored["args"].value), "quantize": 8})
        model.metadata_props.add(key=MARK, value=f"yolo-plugins {__version__}")
        onnx.checker.check_model(model)
        onnx.save(model, target)

    def _corrected(self, kept: Collection[str], shifts: Mapping[str, Tensor]) -> Any:
        """The model with biases less by what rounding is going to add."""
        import onnx
        from onnx import numpy_helper

        model = onnx.load(self.file)
        tensors = {tensor.name: tensor for tensor in model.graph.initializer}
        nodes = {node.name: node for node in model.graph.node}
        for layer, shift in shifts.items():
            inputs = nodes[self.nodes[layer]].input
            if layer not in kept and len(inputs) == 3:
                bias = tensors[inputs[2]]
                bias.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(bias) - shift.numpy(), inputs[2]))
        return model

    def _names(self, head: str) -> tuple[dict[str, str], list[str]]:
        import onnx

        nodes = onnx.load(self.file).graph.node
        layers = {n.input[1].removesuffix(".weight"): n.name for n in nodes if n.op_type in CONVOLUTIONS}
        return layers, [node.name for node in nodes if node.name.startswith(f"/{head}/")]


class OpenVino(Backend):
    """Biases are corrected by NNCF itself, which does so with the files' own rounding."""

    extension = "_openvino_model"

    def write(self, target: Path, kept: Collection[str], means: Means) -> None:
        import nncf
        import openvino

        nncf.set_log_level(logging.ERROR)
        fix = nncf.OverflowFix.DISABLE if means.vnni else nncf.OverflowFix.ENABLE
        with _silent():
            model = nncf.quantize(
                openvino.Core().read_model(self.file),
                nncf.Dataset(means.images, partial(prepared, imgsz=means.imgsz)),
                preset=nncf.QuantizationPreset.MIXED,
                subset_size=len(means.images),
                ignored_scope=nncf.IgnoredScope(names=self._float(kept), validate=False),
                advanced_parameters=nncf.AdvancedQuantizationParameters(overflow_fix=fix),
            )
        target.mkdir(exist_ok=True)
        openvino.save_model(model, target / self.file.name, compress_to_fp16=False)
        metadata = read_yaml(self.file.with_name("metadata.yaml"))
        metadata["args"] = {**metadata.get("args", {}), "quantize": 8}
        write_text(target / "metadata.yaml", _as_yaml({**metadata, MARK: f"yolo-plugins {__version__}"}))

    def _names(self, head: str) -> tuple[dict[str, str], list[str]]:
        import openvino

        model = openvino.Core().read_model(self.file)
        names = {op.get_friendly_name(): op.get_type_name() in CONVOLUTIONS for op in model.get_ordered_ops()}
        modules = {name.split("/")[0].removeprefix("__module."): name for name, is_layer in names.items() if is_layer}
        return modules, [name for name in names if name.startswith((f"__module.{head}/", f"__module.{head}."))]


BACKENDS: dict[str, type[Backend]] = {"onnx": Onnx, "openvino": OpenVino}


def _reader(means: Means) -> Any:
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.rewind()

        def rewind(self) -> None:
            self.images = iter(means.images)

        def get_next(self) -> dict[str, Any] | None:
            path = next(self.images, None)
            return None if path is None else {"images": prepared(path, means.imgsz)}

    return Reader()


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Inside, libraries show no bars of their own and give no advice."""
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(logging.NOTSET)


def _as_yaml(content: Any) -> str:
    import yaml

    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
