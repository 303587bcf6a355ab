"""A format in one precision: 32 bits, the runtime's own default, 16 or 8, and whose recipe made the file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

THEIRS, OURS, DEFAULT = "ultralytics", "yolo-plugins", "default"
"""Recipes: Ultralytics' export with its own settings; `yolo_plugins.quantizing`; the 32-bit file, computed as the
runtime does by default."""

RUNTIMES = {
    "torch": "PyTorch",
    "torchscript": "TorchScript",
    "onnx": "ONNX Runtime",
    "openvino": "OpenVINO",
    "ncnn": "NCNN",
    "mnn": "MNN",
    "dnn": "OpenCV",
}
"""What runs a format, where that has another name."""


@dataclass(frozen=True)
class Variant:
    """A format, the bits that it computes with, and the recipe, which 32 bits have none of."""

    form: str
    bits: int = 32
    recipe: str = ""

    @property
    def key(self) -> str:
        """Its name in files' names and on the terminal."""
        return self.form if self.plain else f"{self.form}-{self.bits}-{self.recipe}"

    @property
    def plain(self) -> bool:
        return not self.recipe

    @property
    def lacking(self) -> str:
        """Why there is no such file, as a sentence, or nothing."""
        runtime = RUNTIMES.get(self.form, self.form)
        if self.recipe != THEIRS:
            return ""
        if self.form == "torchscript" and self.bits == 16:
            return f"{runtime} has 16 bits on a GPU only"
        from ..quantizing import has_bits

        exported = "onnx" if self.form == "dnn" else self.form
        return "" if has_bits(exported, self.bits) else f"{runtime} has no {self.bits} bits in Ultralytics' export"


def variants(form: str, bits: Sequence[int], default: int = 32) -> list[Variant]:
    """What a format is compared in, 32 bits first.

    Args:
        form: A format; `torch` is what the others are held against, and has no others.
        bits: Those asked for beside 32.
        default: Those that the runtime computes a 32-bit file with by itself, on this processor.
    """
    from ..quantizing import OURS as ours

    found = [Variant(form)]
    if form == "torch" or not bits:
        return found
    if default != 32:
        found.append(Variant(form, default, DEFAULT))
    for count in sorted(bits, reverse=True):
        found.append(Variant(form, count, THEIRS))
        if count == 8 and form in ours:
            found.append(Variant(form, 8, OURS))
    return found
