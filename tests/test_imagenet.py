"""ImageNet weights: fetched through the packages that publish them, put into networks and into detectors' backbones."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import network_agreement
import pytest
import torch
import yolo_plugins as yp
from conftest import mostly_slow
from published import NETWORKS, trained
from torch import nn
from yolo_plugins import cli
from yolo_plugins.models.building import build, load
from yolo_plugins.networks import imagenet
from yolo_plugins.networks.weights import DEVIATION, MEAN

pytestmark = pytest.mark.usefixtures("patched")
SOURCES = {
    "ghostnet": ("timm", "ghostnet_100"),
    "mobilenetv3": ("torchvision.models", "mobilenet_v3_large"),
    "shufflenetv1": ("pytorchcv.model_provider", "shufflenet_g3_w1"),
}


@pytest.fixture(params=SOURCES)
def published(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A network whose package offers "ImageNet" weights that need no download."""
    package, model_name = SOURCES[request.param]
    module = pytest.importorskip(package)
    model = trained(network_agreement.published(package, model_name))
    asked: list[str] = []

    def offer(name: str, **options: Any) -> nn.Module:
        assert options in ({"pretrained": True}, {"weights": "DEFAULT"})
        asked.append(name)
        return model

    monkeypatch.setattr(module, "create_model" if package == "timm" else "get_model", offer)
    return SimpleNamespace(
        name=request.param, model_name=model_name, trained=model, build=NETWORKS[request.param], asked=asked
    )


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
    other = {name for name in whole if not torch.equal(few[name], whole[name])}
    assert other == {"model.10.linear.weight", "model.10.linear.bias"}


def test_init_writes_a_detector_that_sees_what_the_published_network_sees(
    published: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "init.pt"
    assert cli.main(["init", f"yolov8n-{published.name}.yaml", "--imagenet", "-o", str(output)]) == 0
    said = capsys.readouterr().out
    model = load(output)[0].eval()
    network = published.build(features_only=True, pretrained=True).eval()
    tensors = [name for name in model.state_dict() if int(name.split(".")[1]) < 9]
    assert f"{len(tensors)} of {len(model.state_dict())} tensors are" in said
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
    total = len(build(f"{published.name}-cls.yaml").state_dict())
    assert capsys.readouterr().out.startswith(f"{total} of {total} tensors")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: yp.ghostnet(0.5, pretrained=True), "GhostNet 0.5×; they exist for GhostNet 1×"),
        (lambda: yp.shufflenet_v1(1, 2.0, pretrained=True), "nobody publishes.*2× with 1 groups"),
        (lambda: yp.ghostnet(in_channels=1, pretrained=True), "3 input channels.*=1"),
    ],
    ids=["width", "groups", "grey"],
)
def test_weights_that_do_not_exist_are_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("name", SOURCES)
def test_a_missing_extra_is_named_in_one_sentence(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, SOURCES[name][0], None)
    with pytest.raises(RuntimeError, match=r"pip install yolo-plugins\[imagenet\]"):
        NETWORKS[name](pretrained=True)


@pytest.mark.parametrize("name", mostly_slow(SOURCES, ["ghostnet"]))
def test_offline_there_is_one_sentence_and_no_file(name: str, tmp_path: Path) -> None:
    pytest.importorskip(SOURCES[name][0])
    # A closed port of this machine in place of the internet, and empty caches.
    closed = {f"{scheme}_proxy": "http://127.0.0.1:9" for scheme in ("http", "https")}
    caches = {name: str(tmp_path / "cache") for name in ("HOME", "TORCH_HOME", "HF_HOME", "YOLO_CONFIG_DIR")}
    done = subprocess.run(
        [sys.executable, "-m", "yolo_plugins.cli", "init", f"yolov8n-{name}.yaml", "--imagenet", "-o", "init.pt"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, **closed, **caches, "HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "ignore"},
        timeout=120,
    )
    assert done.returncode == 1
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("yolo-plugins"))
    assert "which needs the internet once" in line
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "init.pt").exists()


@pytest.mark.parametrize(
    "arguments", ["yolov8n-ghost.yaml", "yolov8n-ghostnet.yaml -o init.onnx", "yolov8n-ghostnet.yaml -o missing/a.pt"]
)
def test_init_refuses_before_any_download(arguments: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imagenet, "fetch", lambda *_: pytest.fail("fetched"))
    assert cli.main(["init", "--imagenet", *arguments.split()]) == 1
