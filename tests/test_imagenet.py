"""ImageNet weights: fetched through the packages that publish them, put into networks and into detectors' backbones."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import yolo_plugins
from published import trained
from test_network_yamls import built
from torch import nn
from yolo_plugins import cli
from yolo_plugins.networks import imagenet
from yolo_plugins.networks.weights import DEVIATION, MEAN

pytestmark = pytest.mark.usefixtures("patched")
SOURCES = {
    "ghostnet": ("timm", "ghostnet_100", lambda **o: yolo_plugins.ghostnet(**o)),
    "mobilenetv3": ("torchvision.models", "mobilenet_v3_large", lambda **o: yolo_plugins.mobilenet_v3(**o)),
    "shufflenetv1": ("pytorchcv.model_provider", "shufflenet_g3_w1", lambda **o: yolo_plugins.shufflenet_v1(**o)),
}


@pytest.fixture(params=SOURCES)
def published(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A network whose package offers "ImageNet" weights that need no download."""
    module, model_name, build = SOURCES[request.param]
    package = pytest.importorskip(module)
    create = package.create_model if module == "timm" else package.get_model
    model = create(model_name)
    if module.startswith("pytorchcv"):
        model.features.final_pool = nn.AdaptiveAvgPool2d(1)  # for images of other sizes than 224×224
    model = trained(model)
    asked: list[str] = []

    def offer(name: str, **options: Any) -> nn.Module:
        assert options in ({"pretrained": True}, {"weights": "DEFAULT"})
        asked.append(name)
        return model

    monkeypatch.setattr(package, create.__name__, offer)
    return SimpleNamespace(name=request.param, model_name=model_name, trained=model, build=build, asked=asked)


def test_a_pretrained_network_is_the_published_one(published: SimpleNamespace) -> None:
    network = published.build(pretrained=True).eval()
    x = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        torch.testing.assert_close(network(x), published.trained(x), rtol=0, atol=1e-5)
    assert published.asked == [published.model_name]


def test_pretrained_features_and_other_classes_take_what_fits(published: SimpleNamespace) -> None:
    whole = published.build(pretrained=True).state_dict()
    few = published.build(num_classes=5, pretrained=True).state_dict()
    features = published.build(features_only=True, pretrained=True).state_dict()
    assert all(torch.equal(tensor, whole[name]) for name, tensor in features.items())
    assert {
        name for name in whole if not torch.equal(few[name], whole[name]) if few[name].shape == whole[name].shape
    } == set()
    assert {name for name in whole if few[name].shape != whole[name].shape} == {
        "model.10.linear.weight",
        "model.10.linear.bias",
    }


def test_init_writes_a_detector_that_sees_what_the_published_network_sees(
    published: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "init.pt"
    assert cli.main(["init", f"yolov8n-{published.name}.yaml", "--imagenet", "-o", str(output)]) == 0
    said = capsys.readouterr().out
    from ultralytics import YOLO

    model = YOLO(output).model.eval()
    network = published.build(features_only=True, pretrained=True).eval()
    tensors = [name for name in model.state_dict() if int(name.split(".")[1]) < 9]
    assert f"{len(tensors)} of {len(model.state_dict())} tensors" in said
    assert published.model_name in said
    assert "rows that start at random: 9, 12, 15, 16, 18, 19, 21, 22" in said
    rgb = torch.rand(1, 3, 64, 64)
    normalised = (rgb - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(DEVIATION).view(3, 1, 1)
    with torch.no_grad():
        ours, theirs = model.model[0][0](rgb), network.model[0][0](normalised)
    torch.testing.assert_close(ours[..., 1:, 1:], theirs[..., 1:, 1:], rtol=1e-4, atol=1e-5)


def test_init_gives_a_classifier_all_its_tensors(
    published: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["init", f"{published.name}-cls.yaml", "--imagenet", "-o", str(tmp_path / "init.pt")]) == 0
    total = len(built(f"{published.name}-cls.yaml").state_dict())
    assert capsys.readouterr().out.startswith(f"{total} of {total} tensors")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        pytest.param(
            lambda: yolo_plugins.ghostnet(0.5, pretrained=True), "GhostNet 0.5×; they exist for GhostNet 1×", id="w"
        ),
        pytest.param(
            lambda: yolo_plugins.shufflenet_v1(1, 2.0, pretrained=True),
            "nobody publishes.*2× with 1 groups",
            id="groups",
        ),
        pytest.param(lambda: yolo_plugins.ghostnet(in_channels=1, pretrained=True), "3 input channels.*=1", id="grey"),
    ],
)
def test_weights_that_do_not_exist_are_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("name", SOURCES)
def test_a_missing_extra_is_named_in_one_sentence(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    package, _, build = SOURCES[name]
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(RuntimeError, match=r"pip install yolo-plugins\[imagenet\]"):
        build(pretrained=True)


@pytest.mark.parametrize("name", SOURCES)
def test_offline_there_is_one_sentence_and_no_file(name: str, tmp_path: Path) -> None:
    pytest.importorskip(SOURCES[name][0])
    # A closed port of this machine in place of the internet, and empty caches.
    closed = {f"{scheme}_proxy": "http://127.0.0.1:9" for scheme in ("http", "https")}
    caches = {name: str(tmp_path / "cache") for name in ("HOME", "TORCH_HOME", "HF_HOME", "YOLO_CONFIG_DIR")}
    offline = {"HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [sys.executable, "-m", "yolo_plugins.cli", "init", f"yolov8n-{name}.yaml", "--imagenet", "-o", "init.pt"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, **closed, **caches, **offline},
        timeout=120,
    )
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if line.startswith("yolo-plugins")]
    assert len(lines) == 1
    assert "which needs the internet once" in lines[0]
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "init.pt").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["yolov8n-ghost.yaml"], "rows of exactly one published network are needed"),
        (["yolov8n-ghostnet.pt"], "is not a model YAML"),
        (["nothing.yaml"], "nothing.yaml"),
        (["yolov8n-ghostnet.yaml", "-o", "missing/init.pt"], "missing is not a folder that can be written"),
        (["yolov8n-ghostnet.yaml", "-o", "init.onnx"], "init.onnx must end in .pt"),
    ],
    ids=["no network", "no YAML", "no file", "no folder", "no pt"],
)
def test_init_refuses_in_one_line_before_any_download(
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(imagenet, "fetch", lambda *_: pytest.fail("fetched"))
    assert cli.main(["init", "--imagenet", *arguments]) == 1
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert list(tmp_path.glob("*.pt")) == []
