"""The light heads: Ultralytics' in every way but their branches."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from cases import randomise
from torch import nn
from yolo_plugins import cost, fuse
from yolo_plugins.blocks.dfl import ExpectedDistance

pytestmark = pytest.mark.usefixtures("patched")
MAPS = [(64, 8), (128, 4), (256, 2)]
CLOSE = 1e-4


def maps() -> list[torch.Tensor]:
    return [torch.randn(2, c, size, size) for c, size in MAPS]


def heads(nc: int = 5, **options: Any) -> list[Any]:
    """Each light head and the stock one that it stands in for."""
    from ultralytics.nn.modules import Detect, Segment
    from yolo_plugins import LiteDetect, LiteSegment

    channels = [c for c, _ in MAPS]
    torch.manual_seed(0)
    built = [
        (LiteDetect(channels, nc, **options), Detect(nc=nc, ch=channels)),
        (LiteSegment(channels, nc, 32, 64, **options), Segment(nc=nc, nm=32, npr=64, ch=channels)),
    ]
    for pair in built:
        for head in pair:
            head.stride = torch.tensor([8.0, 16.0, 32.0])
    return built


detect_and_segment = pytest.mark.parametrize("which", [0, 1], ids=["detect", "segment"])


def shapes(x: object) -> object:
    if isinstance(x, torch.Tensor):
        return tuple(x.shape)
    if isinstance(x, dict):
        return {key: shapes(v) for key, v in x.items()}
    return [shapes(v) for v in x] if isinstance(x, (list, tuple)) else x


@detect_and_segment
@pytest.mark.parametrize("training", [True, False], ids=["training", "inference"])
def test_outputs_have_the_shapes_of_the_stock_heads(which: int, training: bool) -> None:
    light, stock = (head.train(training) for head in heads()[which])
    assert shapes(light(maps())) == shapes(stock(maps()))


@pytest.mark.parametrize("task", ["", "-seg"], ids=["detect", "segment"])
def test_a_light_head_is_a_fifth_of_the_stock_one_in_yolov8n(task: str) -> None:
    from ultralytics import YOLO

    light, stock = (YOLO(f"yolov8n{name}{task}.yaml").model.model[-1] for name in ("-lite", ""))
    assert 5 * count(light) < count(stock)


@pytest.mark.parametrize("task", ["", "-seg"], ids=["detect", "segment"])
def test_the_maps_of_a_light_model_take_less_memory_than_stocks_as_the_page_says(task: str) -> None:
    from ultralytics import YOLO

    quarter = (3, 160, 160)  # a sixteenth of the memory at 640 pixels
    models = [f"yolov8n{name}{task}.yaml" for name in ("", "-lite")]
    peaks = [16 * cost(YOLO(name).model.eval().fuse(verbose=False), quarter).peak_bytes / 1e6 for name in models]
    assert peaks[1] < peaks[0]
    page = " ".join((Path(__file__).parents[1] / "docs" / "speed.md").read_text(encoding="utf-8").split())
    assert f"{models[0][:-5]} {peaks[0]:.1f} MB, lite{task} {peaks[1]:.1f} MB" in page


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@detect_and_segment
@pytest.mark.parametrize("reg_max", [1, 16])
def test_fused_it_gives_the_same_boxes_without_softmax_and_batch_norm(which: int, reg_max: int) -> None:
    head = heads(reg_max=reg_max)[which][0]
    fused = fuse(copy.deepcopy(randomise(head)))
    assert not any(isinstance(m, nn.BatchNorm2d) for m in fused.modules())
    assert isinstance(fused.dfl, ExpectedDistance if reg_max > 1 else nn.Identity)
    x = maps()
    before, after = head([m.clone() for m in x])[0], fused([m.clone() for m in x])[0]
    for a, b in zip(*((y if isinstance(y, tuple) else (y,)) for y in (before, after)), strict=True):
        torch.testing.assert_close(a, b, rtol=CLOSE, atol=CLOSE)


@pytest.mark.parametrize("scale", [1, 30, 300], ids=["ordinary logits", "sure", "overflowing exponentials"])
def test_distances_are_those_of_ultralytics_dfl(scale: float) -> None:
    from ultralytics.nn.modules import DFL

    torch.manual_seed(0)
    logits = scale * torch.randn(2, 64, 50)
    torch.testing.assert_close(ExpectedDistance(16)(logits), DFL(16)(logits), rtol=1e-5, atol=1e-5)


def test_stock_weights_leave_the_light_head_as_it_is(tmp_path: Any) -> None:
    """Upstream rebuilds a head's class branches at the width of the pretrained ones."""
    from ultralytics import YOLO

    stock = YOLO("yolov8n.yaml")
    stock.save(tmp_path / "stock.pt")
    light = YOLO("yolov8n-lite.yaml")
    before = [type(m).__name__ for m in light.model.model[-1].modules()]
    light.load(tmp_path / "stock.pt")
    assert [type(m).__name__ for m in light.model.model[-1].modules()] == before
    assert torch.equal(light.model.model[0].conv.weight, stock.model.model[0].conv.weight.half().float())


def test_a_light_detector_gives_its_head_to_a_light_segmenter() -> None:
    from ultralytics import YOLO

    source, target = YOLO("yolov8n-lite.yaml"), YOLO("yolov8n-lite-seg.yaml")
    target.model.load(source.model)
    torch.testing.assert_close(
        target.model.model[-1].cv3[0][0].conv.weight, source.model.model[-1].cv3[0][0].conv.weight
    )


def model(head: list[Any], **keys: Any) -> dict[str, Any]:
    rows = [[-1, 1, "Conv", [16 * 2**i, 3, 2]] for i in range(5)]
    return {"nc": 2, "backbone": rows, "head": [[[2, 3, 4], 1, *head]], **keys}


def build(description: dict[str, Any]) -> Any:
    from ultralytics.nn.tasks import DetectionModel, SegmentationModel

    cls = SegmentationModel if "Segment" in description["head"][0][2] else DetectionModel
    return cls(description, verbose=False).model[-1]


def test_reg_max_is_the_rows_or_else_the_yamls() -> None:
    assert build(model(["plugins.LiteDetect", ["nc"]])).reg_max == 16
    assert build(model(["plugins.LiteDetect", ["nc"]], reg_max=1)).reg_max == 1
    assert build(model(["plugins.LiteDetect", ["nc", 8]], reg_max=1)).reg_max == 8


def test_hidden_channels_of_the_prototypes_scale_with_the_models_width() -> None:
    row = ["plugins.LiteSegment", ["nc", 32, 128]]
    scaled = build(model(row, scales={"n": [1.0, 0.25, 1024]}, scale="n"))
    assert scaled.npr == 32
    assert build(model(row)).npr == 128


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        pytest.param([0], "nc=0", id="no classes"),
        pytest.param(["nc", 0], "reg_max=0", id="no distances"),
        pytest.param(["nc", 16, 4], "k=4 is even", id="even kernel"),
        pytest.param(["nc", 16, 3, "sulu"], "sulu", id="activation"),
    ],
)
def test_a_head_that_cannot_be_built_is_refused_with_its_row_and_numbers(args: list[Any], reason: str) -> None:
    with pytest.raises(ValueError, match=rf"row 5 \(plugins.LiteDetect\): .*{reason}"):
        build(model(["plugins.LiteDetect", args]))
