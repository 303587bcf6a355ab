"""`replace`: light blocks in any torch model."""

import copy
from typing import Any

import pytest
import torch
import torchvision
from conftest import mostly_slow
from replacement_cases import cases, own_model
from replacement_table import Trial, detections_difference, difference
from torch import nn
from yolo_plugins import DWConv, GhostBottleneck, GhostConv, Match, register, replace, unregister
from yolo_plugins.blocks.counting import parameters
from yolo_plugins.models.building import build

vision = torchvision.models
CASES = {case.name: case for case in cases()}
QUICK = (
    "torchvision ResNet-18",
    "timm efficientnet_b0, 1×1 too",
    "yolo12n-obb, head",
    "own Sequential",
)


pytestmark = pytest.mark.usefixtures("patched")


@pytest.mark.parametrize("name", mostly_slow(CASES, QUICK))
def test_a_swapped_model_keeps_its_shapes_trains_is_restored_and_exports(name: str) -> None:
    trial = Trial(CASES[name])
    report = trial.report
    assert parameters(trial.model) == report.params[1] < report.params[0]
    assert report.macs[1] < report.macs[0]
    assert trial.keeps_shapes()
    assert trial.trains()
    assert trial.is_restored()
    assert trial.onnx_difference() < 5e-3


def test_a_difference_is_seen_where_values_are_small_and_where_shapes_are_other() -> None:
    boxes = torch.tensor([[10.0, 20.0, 0.4], [30.0, 90.0, 0.5], [1.0, 2.0, 0.1], [3.0, 4.0, 0.2]])
    other = boxes.clone()
    other[1, 2] = 0.3
    assert difference(boxes, boxes) == 0
    assert difference(other, boxes) == pytest.approx(0.4)
    assert difference(boxes[:3], boxes) == float("inf")


def test_boxes_of_like_scores_may_change_places_and_no_others() -> None:
    boxes, scores, labels = torch.rand(6, 4), torch.tensor([0.9, 0.9, 0.8, 0.7, 0.6, 0.5]), torch.arange(6)
    expected = [boxes, scores, labels]
    assert detections_difference([t[[1, 0, 2, 3, 4, 5]] for t in expected], expected) == 0
    assert detections_difference([boxes, scores, labels.flip(0)], expected) > 0.1
    assert detections_difference([t[:5] for t in expected], expected) == float("inf")


def test_swapping_by_hand_gives_the_model_that_the_yaml_builds() -> None:
    model, light = build("yolov8n.yaml"), build("yolov8n-ghost.yaml")
    replace(model, "C2fGhost")
    replace(model, "GhostConv", ["model.3", "model.5", "model.7", "model.16", "model.19"])
    assert {n: p.shape for n, p in model.named_parameters()} == {n: p.shape for n, p in light.named_parameters()}


@pytest.mark.parametrize(
    ("stage", "options", "row_6"),
    [
        ("C2fGhost", {}, [512, True, 0.5, 0.5, "silu"]),
        ("C2f", {"inner": "GhostBottleneck", "gate": "SE"}, [512, True, "GhostBottleneck", "SE", 0.5, "silu"]),
        ("C2f", {"inner": GhostBottleneck, "gate": "SE(r=4)"}, [512, True, "GhostBottleneck", "SE(r=4)", 0.5, "silu"]),
        ("C2f", {"inner": "DWConv(d=2)", "act": "relu"}, [512, True, "DWConv(d=2)", None, 0.5, "relu"]),
        ("C3k2", {"inner": "GhostBottleneck", "gate": "SE"}, [512, True, "GhostBottleneck", "SE", 0.5, "silu"]),
    ],
    ids=["a named stage", "inner block and gate", "a class, and a gate with arguments", "without a gate", "chains"],
)
def test_an_ultralytics_models_yaml_follows_so_that_training_builds_the_same(
    stage: str, options: dict[str, Any], row_6: list[Any]
) -> None:
    model = build("yolo11n.yaml")
    report = replace(model, stage, **options)
    assert {swap.now for swap in report.swapped} == {stage}
    assert report.params[1] < report.params[0]
    assert model.yaml["backbone"][6] == [-1, 2, f"plugins.{stage}", row_6]
    again = type(model)(copy.deepcopy(model.yaml), verbose=False)
    again.load_state_dict(model.state_dict())
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(model.eval()(x)[0], again.eval()(x)[0])


def test_swaps_inside_a_row_are_said_to_be_lost_by_a_rebuild() -> None:
    assert "lie inside a row" in str(replace(build("yolov8n.yaml"), "GhostConv", "model.2"))


def test_a_sequentials_batch_norm_and_activation_go_into_the_block() -> None:
    model = own_model()
    assert replace(model, GhostConv).names == ["3"]
    assert isinstance(model[3].primary.act, nn.SiLU)
    assert [type(model[i]) for i in (1, 4, 5)] == [nn.BatchNorm2d, nn.Identity, nn.Identity]


def test_a_module_that_does_more_than_call_its_convolution_keeps_the_rest() -> None:
    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.bn, self.act = nn.Conv2d(16, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + self.act(self.bn(self.conv(x)))

    model = nn.Sequential(Residual(), nn.Conv2d(16, 4, 1)).eval()
    assert replace(model, GhostConv).names == ["0.conv"]
    x, rest = torch.randn(1, 16, 8, 8), model[0]
    assert torch.equal(rest(x), x + rest.act(rest.bn(rest.conv(x))))


def test_a_convolution_whose_norm_is_elsewhere_ends_without_activation() -> None:
    model = vision.resnet18()
    replace(model, "DWConv", "layer1.0.conv1")
    assert isinstance(model.layer1[0].conv1.pointwise.act, nn.Identity)
    assert isinstance(model.layer1[0].bn1, nn.BatchNorm2d)


def test_dilation_stride_dtype_and_mode_are_kept() -> None:
    model = nn.Sequential(nn.Conv2d(16, 32, 3, 2, padding=2, dilation=2, bias=False)).double().eval()
    replace(model, "DWConv")
    depthwise = model[0].depthwise.conv
    assert (depthwise.stride, depthwise.dilation, depthwise.weight.dtype) == ((2, 2), (2, 2), torch.float64)
    assert not model[0].training
    assert model(torch.rand(1, 16, 9, 9).double()).shape == (1, 32, 5, 5)


@pytest.mark.parametrize(
    ("conv", "reason"),
    [
        (nn.Conv2d(16, 16, 4, 2, 1), "even kernel of 4"),
        (nn.Conv2d(16, 16, 3), "padded by 0"),
        (nn.Conv2d(16, 16, 3, padding=1, groups=4), "4 groups"),
        (nn.Conv2d(16, 16, (1, 3), padding=(0, 1)), "1×3 kernel"),
        (nn.Conv2d(16, 16, 3, padding=2, dilation=2, bias=False), "dilation"),
        (nn.Conv2d(16, 16, 3, padding=1), "bias"),
    ],
)
def test_what_the_block_cannot_keep_is_left_with_the_reason(conv: nn.Module, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        replace(nn.Sequential(conv), "GhostConv")


def test_a_dry_run_only_reports() -> None:
    model = vision.resnet18()
    report = replace(model, "GhostConv", dry_run=True)
    assert parameters(model) == report.params[0] > report.params[1]
    assert isinstance(model.layer1[0].conv1, nn.Conv2d)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"where": "layr2"}, "nearest are layer2"),
        ({"where": "re:("}, "not a regular expression"),
        ({"where": "neck"}, "matches no module"),
        ({"block": "GostConv"}, "did you mean GhostConv"),
        ({"block": "SE"}, "keeps its input's channels"),
        ({"block": "LiteDetect"}, r"is a head, .* a recipe with a rule \{head: LiteDetect\}"),
        ({"ratios": 2}, "GhostConv has no argument ratios; it has k, s, ratio, cheap_k, act"),
        ({"match": Match(channels=4096)}, "match begins at 4096"),
    ],
)
def test_what_cannot_be_done_is_said(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(vision.resnet18(), **{"block": "GhostConv", **arguments})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"inner": "GostBottleneck"}, "did you mean GhostBottleneck"),
        ({"gate": "DWConv"}, "DWConv is no gate; gates are SE"),
        ({"inner": "ShuffleUnit(g=5)"}, "cannot be divided into 5 groups"),
    ],
)
def test_parts_that_no_stage_can_be_made_of_are_said_and_nothing_is_swapped(options: Any, message: str) -> None:
    model = build("yolov8n.yaml")
    before = copy.deepcopy(model.yaml)
    with pytest.raises(ValueError, match=message):
        replace(model, "C2f", **options)
    assert model.yaml == before


def test_a_users_own_block_can_be_put_in() -> None:
    @register("conv")
    class Thin(nn.Sequential):
        def __init__(self, c1: int, c2: int, k: int = 3, s: int = 1) -> None:
            super().__init__(DWConv(c1, c2, k, s))

    try:
        report = replace(vision.resnet18(), "Thin", "layer3")
        assert {swap.now for swap in report.swapped} == {"Thin"}
    finally:
        unregister(Thin)
