"""Models in 8 bits: `quantize` for ONNX and OpenVINO, and what other formats have by Ultralytics' own export."""

from .formats import OURS, export_arguments, has_bits, missing, require
from .quantizing import quantize
from .results import Kept, Quantized

__all__ = ["OURS", "Kept", "Quantized", "export_arguments", "has_bits", "missing", "quantize", "require"]
