"""`yolo-plugins quantize`: what is made alike, ranked, left in 32 bits and written, and what is refused."""

import ast
import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from yolo_plugins.cli import main
from yolo_plugins.models.building import yolo
from yolo_plugins.quantizing import quantize, quantizing
from yolo_plugins.quantizing.equalizing import equalize
from yolo_plugins.quantizing.rounding import costs, quantizable, shifts
from yolo_plugins.training.norm_statistics import measured_norms

pytestmark = pytest.mark.filterwarnings("ignore")  # the tracer's


def images(count: int = 2, size: int = 64) -> list[Tensor]:
    return [torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(i)) for i in range(count)]


def network(name: str, on: Sequence[Tensor] = ()) -> Any:
    """A model whose maps say something, without training."""
    torch.manual_seed(0)
    model = yolo(name)
    with torch.no_grad(), measured_norms(model.model):
        for image in on or images():
            model.model(image)
    return model


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A .pt of four classes, as the drawn images have."""
    from yolo_plugins.model_yamls import __file__ as yamls

    folder = tmp_path_factory.mktemp("quantizing")
    text = (Path(yamls).parent / "yolov8-lite.yaml").read_text(encoding="utf-8").replace("nc: 80", "nc: 4")
    (folder / "yolov8n-four.yaml").write_text(text, encoding="utf-8")
    model = network(str(folder / "yolov8n-four.yaml"))
    model.model.names = dict(enumerate(("disc", "box", "triangle", "star")))
    model.save(folder / "best.pt")
    return folder / "best.pt"


def conv(c1: int, c2: int, k: int = 1, g: int = 1) -> nn.Conv2d:
    return nn.Conv2d(c1, c2, k, padding=k // 2, groups=g)


class Twice(nn.Module):
    """A map that a convolution and a sum use."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.then = conv(3, 8), conv(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x).relu()
        return y + self.then(y)


CHAINS = {
    "a separable layer": (nn.Sequential(conv(3, 8, 3), nn.ReLU(True), conv(8, 8, 3, 8), nn.ReLU(), conv(8, 4)), 2),
    "groups, and nothing between": (nn.Sequential(conv(3, 8, 3), conv(8, 16, 3, 2)), 1),
    "SiLU between": (nn.Sequential(conv(3, 8), nn.SiLU(), conv(8, 4)), 0),
    "a map that is used twice": (Twice(), 0),
}


@pytest.mark.parametrize("name", CHAINS)
def test_channels_are_made_alike_where_that_is_exact_and_outputs_stay(name: str) -> None:
    model, count = CHAINS[name]
    with torch.no_grad():
        before = model(images()[0])
        assert len(equalize(model, images())) == count
        torch.testing.assert_close(model(images()[0]), before)


def test_a_small_channel_before_a_depthwise_layer_takes_the_range_of_the_others() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(conv(3, 8, 3), nn.ReLU(), conv(8, 8, 3, 8))
    with torch.no_grad():
        model[0].weight[2] /= 20
        model[0].bias[2] /= 20
        equalize(model, images())
        ranges = torch.cat([model[:2](x) for x in images()]).amax((0, 2, 3))
    torch.testing.assert_close(ranges, ranges.mean().expand(8), rtol=1e-4, atol=1e-4)


def test_of_a_whole_light_detector_the_outputs_stay() -> None:
    model = network("yolov8n-lite.yaml").model.eval().fuse(verbose=False).requires_grad_(False)
    before = copy.deepcopy(model)(images()[0])[0]
    assert len(equalize(model, images())) > 20
    torch.testing.assert_close(model(images()[0])[0], before, rtol=1e-3, atol=1e-2)


@pytest.fixture
def uneven() -> nn.Module:
    """Three convolutions, the second with an input that one value stretches."""
    torch.manual_seed(0)
    model = nn.Sequential(conv(3, 8, 3), conv(8, 8, 3), conv(8, 8, 3)).eval().requires_grad_(False)
    model[0].weight[0] *= 300
    model[1].weight[:, 0] /= 300
    return model


def test_the_layer_that_rounds_worst_costs_most_and_the_model_is_left_as_it_is(uneven: nn.Module) -> None:
    before = copy.deepcopy(uneven.state_dict())
    ranked = costs(uneven, quantizable(uneven), images())
    assert ranked[0].layer == "1"
    assert [kept.error for kept in ranked] == sorted((kept.error for kept in ranked), reverse=True)
    assert all(torch.equal(before[name], tensor) for name, tensor in uneven.state_dict().items())


def test_a_bias_less_by_the_shift_leaves_the_mean_of_the_rounded_map_where_it_was(uneven: Any) -> None:
    from yolo_plugins.quantizing.rounding import _input_ranges, _rounded

    layers = quantizable(uneven)
    moved, ranges = shifts(uneven, layers, images()), _input_ranges(uneven, layers, images())
    x = [uneven[0](image) for image in images()]
    with _rounded(uneven[1], *ranges["1"]):
        rounded = torch.cat([uneven[1](image) for image in x]).mean((0, 2, 3))
    expected = torch.cat([uneven[1](image) for image in x]).mean((0, 2, 3))
    assert (rounded - expected).abs().max() > 1e-4
    torch.testing.assert_close(rounded - moved["1"], expected, rtol=1e-4, atol=1e-5)


def tensors(file: Path) -> dict[str, Any]:
    import onnx

    return {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load(file).graph.initializer}


def test_an_onnx_file_has_8_bits_a_scale_for_each_filter_unsigned_maps_and_ultralytics_metadata(
    checkpoint: Path, shapes: Path, tmp_path: Path
) -> None:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("nncf")
    files = [tmp_path / f"{i}.onnx" for i in range(2)]
    for file in files:
        result = quantize(checkpoint, shapes, "onnx", out=file, imgsz=64, images=4, max_drop=None)
        assert (result.file, result.kept_float, result.loss) == (file, [], None)
    model = onnx.load(files[0])
    rounding = [node for node in model.graph.node if node.op_type == "QuantizeLinear"]
    values = tensors(files[0])
    assert {values[node.input[2]].dtype for node in rounding} == {np.dtype(np.uint8)}
    filters = [values[name] for name in values if name.endswith("weight_quantized")]
    scales = [values[name] for name in values if name.endswith("weight_scale")]
    assert len(filters) == len(scales) == result.layers
    assert all(len(scale) == len(weight) for scale, weight in zip(scales, filters, strict=True))
    of_the_head = {n.input[0].split("/")[-1] for n in rounding if n.input[0].startswith("/model.22/")}
    assert of_the_head == {"Relu_output_0", "Conv_output_0"}, "it decodes in 32 bits"
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert ast.literal_eval(metadata["names"])[3] == "star"
    assert ast.literal_eval(metadata["args"])["quantize"] == 8
    again = tensors(files[1])
    assert all(np.array_equal(value, again[name]) for name, value in values.items()), "the same seed, the same file"
    assert len(yolo(files[0], "detect").predict(np.zeros((64, 64, 3), np.uint8), imgsz=64, verbose=False)) == 1


def test_layers_are_left_in_32_bits_by_rank_until_the_loss_is_small_enough(
    checkpoint: Path, shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("nncf")
    measured = iter([0.5, 0.4, 0.45, 0.492])
    monkeypatch.setattr(quantizing._Job, "accuracy", lambda self, file: {"map": next(measured), "map50": 0.0})
    out = tmp_path / "some_int8.onnx"
    asked = ["--data", str(shapes), "--format", "onnx", "--imgsz", "64", "--images", "4", "-o", str(out)]
    assert main(["quantize", str(checkpoint), *asked]) == 0
    said = capsys.readouterr().out
    left = [line.split()[0] for line in said.splitlines() if "is left in 32" in line]
    assert len(left) == 2, said
    assert "loss of mAP50-95: 0.80 points" in said
    floats = [name for name in tensors(out) if name.endswith(".weight")]
    assert sorted(floats) == sorted(f"{layer}.weight" for layer in left)


def refused(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """What the command says, in one line."""
    assert main(["quantize", *map(str, arguments)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.mark.parametrize(
    ("format", "said"),
    [("ncnn", "ncnn cannot be quantised here (it has no 8 bits)"), ("mnn", "yolo export quantize=8"), ("onxn", "onnx")],
)
def test_a_format_that_is_not_written_is_refused(
    format: str, said: str, checkpoint: Path, shapes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in refused(capsys, checkpoint, "--data", shapes, "--format", format)


def test_what_cannot_be_quantised_is_refused_in_a_sentence(
    checkpoint: Path, shapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("nncf")
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.onnx").write_bytes(b"QuantizeLinear")
    (tmp_path / "b.onnx").write_bytes(b"Conv")
    torch.save({"model": None, "modelopt": {"ranges": {}}}, tmp_path / "qat.pt")
    yolo("yolov8n-lite.yaml").save(tmp_path / "eighty.pt")
    yolo("mobilenetv3-small-cls.yaml").save(tmp_path / "cls.pt")
    ordinary: Sequence[str | Path] = ("--data", shapes, "--format", "onnx", "--imgsz", "64")
    pictures = shapes.parent / "images"
    for expected, arguments in {
        "a.onnx is quantised already": (tmp_path / "a.onnx", *ordinary),
        "b.onnx is exported already": (tmp_path / "b.onnx", *ordinary),
        "qat.pt is quantised already, by its training": (tmp_path / "qat.pt", *ordinary),
        "none.pt does not exist": (tmp_path / "none.pt", *ordinary),
        "knows 80 classes": (tmp_path / "eighty.pt", *ordinary),
        "task classify": (tmp_path / "cls.pt", "--data", pictures, "--format", "onnx", "--max-drop", "none"),
        "no image is in": (checkpoint, "--data", tmp_path / "empty", "--format", "onnx"),
        "no labels": (checkpoint, "--data", pictures, "--format", "onnx"),
        "must end in .onnx": (checkpoint, *ordinary, "-o", tmp_path / "x.xml"),
        "--images 0": (checkpoint, *ordinary, "--images", "0"),
        "imgsz=65 is no multiple": (checkpoint, "--data", shapes, "--format", "onnx", "--imgsz", "65"),
        "best.pt must end in": (checkpoint, *ordinary, "-o", checkpoint),
    }.items():
        assert expected in refused(capsys, *arguments)


def test_missing_packages_are_named_with_the_command(
    checkpoint: Path, shapes: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from yolo_plugins.quantizing import formats

    monkeypatch.setattr(formats, "find_spec", lambda name: None if name == "onnxruntime" else object())
    said = refused(capsys, checkpoint, "--data", shapes, "--format", "onnx")
    assert "onnxruntime not installed: pip install 'yolo-plugins[quantize]'" in said
