"""Blocks trained for 8 bits (`yolo train quantize=8`) fold as they round: with a stand-in, and with ModelOpt."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from yolo_plugins import ConvBNAct, GhostConv, RepGhostConv, fuse
from yolo_plugins.models.building import yolo

BLOCKS = {block.__name__: block for block in (ConvBNAct, GhostConv, RepGhostConv)}


def ready(name: str) -> nn.Module:
    """A block in eval mode with batch norms that do something, some with a negative factor."""
    torch.manual_seed(0)
    block = BLOCKS[name](8, 16, 3).eval()
    for norm in (m for m in block.modules() if isinstance(m, nn.BatchNorm2d)):
        for values in (norm.running_mean, norm.weight, norm.bias):
            nn.init.normal_(values)
        nn.init.uniform_(norm.running_var, 0.2, 3)
    return block


class Rounding(nn.Module):
    """A stand-in for ModelOpt's quantiser: a range for each filter."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.amax = weight.abs().amax((1, 2, 3), keepdim=True).detach()

    def forward(self, weight: Tensor) -> Tensor:
        return (weight / self.amax * 127).round().clamp(-127, 127) * self.amax / 127


class RoundingConv(nn.Conv2d):
    def forward(self, x: Tensor) -> Tensor:
        return self._conv_forward(x, self.weight_quantizer(self.weight), self.bias)


def rounding(block: nn.Module) -> nn.Module:
    for conv in [m for m in block.modules() if isinstance(m, nn.Conv2d)]:
        conv.__class__ = RoundingConv
        conv.weight_quantizer = Rounding(conv.weight)
    return block


def by_modelopt(block: nn.Module) -> Any:
    mtq = pytest.importorskip("modelopt.torch.quantization")
    return mtq.quantize(block, mtq.INT8_DEFAULT_CFG, lambda model: model(torch.randn(4, 8, 16, 16)))


@pytest.mark.filterwarnings("ignore")  # ModelOpt's
@pytest.mark.parametrize("prepare", [rounding, by_modelopt], ids=["stand-in", "modelopt"])
@pytest.mark.parametrize("name", BLOCKS)
def test_what_rounds_its_filters_gives_the_same_once_folded(name: str, prepare: Any) -> None:
    x = torch.randn(2, 8, 16, 16)
    with torch.no_grad():
        float_output = ready(name)(x)
        block = prepare(ready(name))
        before = block(x)
        after = fuse(block)(x)
    assert (before - float_output).abs().max() > 1e-4, "it rounds"
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-4)


def test_a_repghost_merge_waits_where_filters_have_ranges_and_nothing_is_left_to_fold() -> None:
    block: Any = fuse(rounding(ready("RepGhostConv")))
    assert isinstance(block.skip, nn.BatchNorm2d)
    assert block.is_folded
    assert fuse(copy.deepcopy(ready("RepGhostConv"))).skip is None  # type: ignore[comparison-overlap]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["lite", "ghost"])
def test_a_model_trains_for_8_bits_on_a_cpu_and_its_onnx_rounds_as_it_does(
    name: str, shapes: Path, tmp_path: Path
) -> None:
    pytest.importorskip("modelopt.torch.quantization")
    onnxruntime = pytest.importorskip("onnxruntime")
    model = yolo(f"yolov8n-{name}.yaml")
    small = {"imgsz": 64, "batch": 4, "device": "cpu", "workers": 0, "plots": False, "project": str(tmp_path)}
    model.train(data=str(shapes), quantize=8, epochs=1, **small)
    best = str(model.trainer.best)
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        expected = yolo(best).model.eval().fuse(verbose=False)(x)[0]
    file = yolo(best).export(format="onnx", imgsz=64)
    (output,) = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"]).run(None, {"images": x.numpy()})
    assert b"QuantizeLinear" in Path(file).read_bytes()
    torch.testing.assert_close(torch.from_numpy(output), expected, rtol=0.01, atol=0.5)
