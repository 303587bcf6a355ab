"""`replace`: light blocks in any torch model."""

import copy

import pytest
import torch
import torchvision
from torch import nn
from ultralytics import YOLO
from ultralytics.nn.tasks import DetectionModel
from yolo_plugins import DWConv, GhostConv, Match, register, replace, unregister
from yolo_plugins.demo.replacement_cases import cases, own_model
from yolo_plugins.demo.replacement_table import Trial, difference

vision = torchvision.models
CASES = {case.name: case for case in cases()}
QUICK = (
    "torchvision ResNet-18",
    "torchvision ResNet-50, layer4",
    "timm efficientnet_b0, 1×1 too",
    "yolov8n, stages",
    "yolo11n-seg, neck",
    "yolo26n-pose, stages",
    "yolo12n-obb, head",
    "yolov8n-cls, stages",
    "own Sequential",
)


pytestmark = pytest.mark.usefixtures("patched")


def params(model):
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in CASES])
def test_a_swapped_model_keeps_its_shapes_trains_is_restored_and_exports(name):
    trial = Trial(CASES[name])
    report = trial.report
    assert params(trial.model) == report.params[1] < report.params[0]
    assert report.macs[1] < report.macs[0]
    assert trial.keeps_shapes()
    assert trial.trains()
    assert trial.is_restored()
    assert trial.onnx_difference() < 5e-3


def test_a_difference_is_seen_where_values_are_small_and_where_shapes_are_other():
    boxes = torch.tensor([[10.0, 20.0, 0.4], [30.0, 90.0, 0.5], [1.0, 2.0, 0.1], [3.0, 4.0, 0.2]])
    other = boxes.clone()
    other[1, 2] = 0.3
    assert difference(boxes, boxes) == 0
    assert difference(other, boxes) == pytest.approx(0.4)
    assert difference(boxes[:3], boxes) == float("inf")


def test_swapping_by_hand_gives_the_model_that_the_yaml_builds():
    model = YOLO("yolov8n.yaml").model
    replace(model, "C2fGhost")
    replace(model, "GhostConv", ["model.3", "model.5", "model.7", "model.16", "model.19"])
    light = YOLO("yolov8n-ghost.yaml").model
    assert {n: p.shape for n, p in model.named_parameters()} == {n: p.shape for n, p in light.named_parameters()}


def test_an_ultralytics_models_yaml_follows_so_that_training_builds_the_same():
    model = YOLO("yolo11n.yaml").model
    replace(model, "C2fGhost")
    again = DetectionModel(copy.deepcopy(model.yaml), verbose=False)
    again.load_state_dict(model.state_dict())
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(model.eval()(x)[0], again.eval()(x)[0])


def test_swaps_inside_a_row_are_said_to_be_lost_by_a_rebuild():
    report = replace(YOLO("yolov8n.yaml").model, "GhostConv", "model.2")
    assert "lie inside a row" in str(report)


def test_a_sequentials_batch_norm_and_activation_go_into_the_block():
    model = own_model()
    report = replace(model, GhostConv)
    assert report.names == ["3"]
    assert isinstance(model[3].primary.act, nn.SiLU)
    assert isinstance(model[4], nn.Identity)
    assert isinstance(model[5], nn.Identity)
    assert isinstance(model[1], nn.BatchNorm2d)


def test_a_module_that_does_more_than_call_its_convolution_keeps_the_rest():
    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.bn, self.act = nn.Conv2d(16, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()

        def forward(self, x):
            return x + self.act(self.bn(self.conv(x)))

    model = nn.Sequential(Residual(), nn.Conv2d(16, 4, 1)).eval()
    assert replace(model, GhostConv).names == ["0.conv"]
    x, rest = torch.randn(1, 16, 8, 8), model[0]
    assert torch.equal(rest(x), x + rest.act(rest.bn(rest.conv(x))))


def test_a_convolution_whose_norm_is_elsewhere_ends_without_activation():
    model = vision.resnet18()
    replace(model, "DWConv", "layer1.0.conv1")
    assert isinstance(model.layer1[0].conv1.pointwise.act, nn.Identity)
    assert isinstance(model.layer1[0].bn1, nn.BatchNorm2d)


def test_dilation_stride_dtype_and_mode_are_kept():
    model = nn.Sequential(nn.Conv2d(16, 32, 3, 2, padding=2, dilation=2, bias=False)).double().eval()
    replace(model, "DWConv")
    depthwise = model[0].depthwise.conv
    assert (depthwise.stride, depthwise.dilation, depthwise.weight.dtype) == ((2, 2), (2, 2), torch.float64)
    assert not model[0].training
    assert model(torch.rand(1, 16, 9, 9).double()).shape == (1, 32, 5, 5)


@pytest.mark.parametrize(
    ("conv", "reason"),
    [
        pytest.param(nn.Conv2d(16, 16, 4, 2, 1), "even kernel of 4", id="even"),
        pytest.param(nn.Conv2d(16, 16, 3), "padded by 0", id="unpadded"),
        pytest.param(nn.Conv2d(16, 16, 3, padding=1, groups=4), "4 groups", id="grouped"),
        pytest.param(nn.Conv2d(16, 16, (1, 3), padding=(0, 1)), "1×3 kernel", id="oblong"),
        pytest.param(nn.Conv2d(16, 16, 3, padding=2, dilation=2, bias=False), "dilation", id="dilated"),
        pytest.param(nn.Conv2d(16, 16, 3, padding=1), "bias", id="prediction"),
    ],
)
def test_what_the_block_cannot_keep_is_left_with_the_reason(conv, reason):
    with pytest.raises(ValueError, match=reason):
        replace(nn.Sequential(conv), "GhostConv")


def test_a_dry_run_only_reports():
    model = vision.resnet18()
    report = replace(model, "GhostConv", dry_run=True)
    assert params(model) == report.params[0] > report.params[1]
    assert isinstance(model.layer1[0].conv1, nn.Conv2d)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param({"where": "layr2"}, "nearest are layer2", id="name"),
        pytest.param({"where": "re:("}, "not a regular expression", id="regex"),
        pytest.param({"where": "neck"}, "matches no module", id="part"),
        pytest.param({"block": "GostConv"}, "did you mean GhostConv", id="block"),
        pytest.param({"block": "SE"}, "keeps its input's channels", id="attention"),
        pytest.param({"ratios": 2}, "no option 'ratios'", id="option"),
        pytest.param({"match": Match(channels=4096)}, "match begins at 4096", id="match"),
    ],
)
def test_what_cannot_be_done_is_said(arguments, message):
    with pytest.raises(ValueError, match=message):
        replace(vision.resnet18(), **{"block": "GhostConv", **arguments})


def test_a_users_own_block_can_be_put_in():
    class Thin(nn.Sequential):
        row = "conv"

        def __init__(self, c1: int, c2: int, k: int = 3, s: int = 1) -> None:
            super().__init__(DWConv(c1, c2, k, s))

    register(Thin)
    try:
        report = replace(vision.resnet18(), "Thin", "layer3")
        assert {swap.now for swap in report.swapped} == {"Thin"}
    finally:
        unregister(Thin)
