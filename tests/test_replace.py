"""`replace`: light blocks in any torch model."""

import copy

import pytest
import timm
import torch
import torchvision
from torch import nn
from ultralytics import YOLO
from ultralytics.nn.tasks import DetectionModel
from yolo_plugins import DWConv, GhostConv, Match, register, replace, unregister

import patch_ultralytics

vision = torchvision.models
NO_WEIGHTS = {"weights": None, "weights_backbone": None}
MODELS = {
    "torchvision resnet18": (lambda: vision.resnet18(), "GhostConv", {}),
    "torchvision resnet50, bottlenecks": (lambda: vision.resnet50(), "GhostBottleneck", {"where": "layer4"}),
    "torchvision deeplab": (lambda: vision.segmentation.deeplabv3_resnet50(**NO_WEIGHTS), "DWConv", {}),
    "timm resnet18": (lambda: timm.create_model("resnet18"), "DWConv", {}),
    "timm efficientnet": (lambda: timm.create_model("efficientnet_b0"), "GhostConv", {"match": Match(kernel=1)}),
    "yolov8 detect": (lambda: YOLO("yolov8n.yaml").model, "C2fGhost", {}),
    "yolo11 segment": (lambda: YOLO("yolo11n-seg.yaml").model, "GhostConv", {"where": "neck"}),
    "yolo12 detect": (lambda: YOLO("yolo12n.yaml").model, "GhostConv", {"where": "backbone"}),
    "yolo26 pose": (lambda: YOLO("yolo26n-pose.yaml").model, "C2fDW", {}),
    "yolo11 obb": (lambda: YOLO("yolo11n-obb.yaml").model, "DWConv", {"where": "head"}),
    "yolov8 classify": (lambda: YOLO("yolov8n-cls.yaml").model, "C2fShuffle", {}),
    "sequential": (lambda: own_model(), "GhostConv", {}),
}
DETECTORS = {
    "faster r-cnn": (vision.detection.fasterrcnn_mobilenet_v3_large_320_fpn, "GhostConv", Match(kernel=1)),
    "faster r-cnn, resnet": (vision.detection.fasterrcnn_resnet50_fpn, "GhostConv", Match()),
    "retinanet": (vision.detection.retinanet_resnet50_fpn, "DWConv", Match()),
    "ssdlite": (vision.detection.ssdlite320_mobilenet_v3_large, "GhostConv", Match(kernel=1)),
}


@pytest.fixture(autouse=True)
def patched():
    patch_ultralytics.apply()
    yield
    patch_ultralytics.revert()


def own_model():
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, 2, padding=1, bias=False),
        nn.BatchNorm2d(32),
        nn.SiLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(32, 4),
    )


def tensors(output):
    if isinstance(output, torch.Tensor):
        return [output]
    if isinstance(output, dict):
        output = output.values()
    return [t for part in output if part is not None for t in tensors(part)]


def params(model):
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("name", MODELS)
def test_a_swapped_model_keeps_its_shapes_trains_and_is_restored(name):
    build, block, options = MODELS[name]
    model = build().eval()
    x = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        shapes = [t.shape for t in tensors(model(x))]
    before = params(model)
    report = replace(model, block, inputs=x[:1], **options)
    assert report.params == (before, params(model))
    assert params(model) < before
    assert report.macs[1] < report.macs[0]
    with torch.no_grad():
        first = tensors(model(x))
    assert [t.shape for t in first] == shapes
    fresh = build()
    replace(fresh, block, **options)
    fresh.load_state_dict(model.state_dict())
    with torch.no_grad():
        assert all(torch.equal(a, b) for a, b in zip(first, tensors(fresh.eval()(x)), strict=True))
    sum(t.float().pow(2).mean() for t in tensors(model.train()(x)) if t.requires_grad).backward()
    for swapped in report.names:
        if "one2one" not in swapped:  # YOLO26's one-to-one head is fed detached
            assert all(p.grad is not None for p in model.get_submodule(swapped).parameters())


@pytest.mark.slow
@pytest.mark.parametrize("name", DETECTORS)
def test_torchvision_detectors_take_blocks_and_train(name):
    build, block, match = DETECTORS[name]
    model = build(**NO_WEIGHTS)
    images = [torch.rand(3, 96, 96) for _ in range(2)]
    report = replace(model, block, match=match, inputs=images[:1])
    assert report.swapped
    target = {"boxes": torch.tensor([[8.0, 8.0, 60.0, 60.0]]), "labels": torch.tensor([1])}
    losses = model.train()(images, [target, copy.deepcopy(target)])
    sum(losses.values()).backward()
    with torch.no_grad():
        assert set(model.eval()(images)[0]) >= {"boxes", "labels", "scores"}
    fresh = build(**NO_WEIGHTS)
    replace(fresh, block, match=match)
    fresh.load_state_dict(model.state_dict())


@pytest.mark.parametrize("name", ["torchvision resnet18", "yolov8 detect", "sequential"])
def test_a_swapped_model_exports_to_onnx_with_the_same_outputs(name, tmp_path):
    ort = pytest.importorskip("onnxruntime")
    build, block, options = MODELS[name]
    model = build()
    replace(model, block, **options)
    model.eval()
    if hasattr(model, "yaml"):
        model.model[-1].export, model.model[-1].format = True, "onnx"
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        expected = tensors(model(x))[0]
    file = tmp_path / "model.onnx"
    torch.onnx.export(model, (x,), str(file), opset_version=17, dynamo=False)
    got = ort.InferenceSession(file).run(None, {ort.InferenceSession(file).get_inputs()[0].name: x.numpy()})[0]
    torch.testing.assert_close(torch.from_numpy(got), expected, rtol=1e-3, atol=1e-3)


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
