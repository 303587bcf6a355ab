"""A network of timm as a row: equal to timm, whatever Ultralytics does to it; saved, loaded, trained, refused."""

import copy
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
import yolo_plugins as yp
from conftest import export_onnx, listed
from torch import nn
from yolo_plugins import cli
from yolo_plugins.networks import timm_backbone

timm = pytest.importorskip("timm")
tasks = pytest.importorskip("ultralytics.nn.tasks")
pytestmark = [
    pytest.mark.usefixtures("patched"),
    pytest.mark.skipif(not hasattr(tasks, "Index"), reason="Ultralytics has Index from 8.3.59 on"),
]

NAME = "test_resnet"


def description(name: str = NAME, pretrained: bool = False, **changed: list[Any]) -> dict[str, Any]:
    """A detector on a network's maps; `changed` are other rows by number."""
    c = yp.Timm.map_channels(name)
    backbone = [
        [-1, 1, "plugins.Timm", [name, pretrained]],
        *([0, 1, "Index", [channels, i]] for i, channels in enumerate(c)),
        [-1, 1, "Conv", [64, 1]],
    ]
    head = [
        [-1, 1, "nn.Upsample", [None, 2, "nearest"]],
        [[-1, 2], 1, "Concat", [1]],
        [-1, 1, "C2f", [64]],
        [[1, 7, 4], 1, "Detect", ["nc"]],
    ]
    rows = [changed.get(f"row{i}", row) for i, row in enumerate([*backbone, *head])]
    return {"nc": 2, "yaml_file": "mine.yaml", "backbone": rows[: len(backbone)], "head": rows[len(backbone) :]}


def model(name: str = NAME, **changed: Any) -> nn.Module:
    torch.manual_seed(0)
    return tasks.DetectionModel(description(name, **changed), verbose=False)


def image(c: int = 3) -> torch.Tensor:
    return torch.rand(2, c, 64, 96, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", [NAME, "mobilenetv4_conv_small", "mambaout_femto", "nf_resnet26"])
def test_the_maps_are_timms_of_the_normalised_image_also_inside_a_model(name: str) -> None:
    """mambaout's maps are channels last; nf_resnet26 is wrong where its activations work in place."""
    row = model(name).model[0]
    for m in row.modules():
        if isinstance(m, nn.ReLU):
            m.inplace = True  # as older releases of Ultralytics set it
    row.eval()
    theirs = timm.create_model(name, features_only=True).eval()
    theirs.load_state_dict(row.network.state_dict())
    config = timm.models.get_pretrained_cfg(name)
    mean, deviation = (torch.tensor(v).view(3, 1, 1) for v in (config.mean, config.std))
    with torch.no_grad():
        ours, all_maps = row(image()), theirs((image() - mean) / deviation)
    by_stride = dict(zip(theirs.feature_info.reduction(), all_maps, strict=True))
    for y, stride in zip(ours, (8, 16, 32), strict=True):
        expected = by_stride[stride].permute(0, 3, 1, 2) if name == "mambaout_femto" else by_stride[stride]
        torch.testing.assert_close(y, expected, rtol=0, atol=1e-5)
    assert [y.shape[1] for y in ours] == yp.Timm.map_channels(name)


def test_a_detector_has_timms_maps_at_its_strides_and_fuses() -> None:
    detector = model().eval()
    assert detector.stride.tolist() == [8, 16, 32]
    before = detector(image())[0]
    torch.testing.assert_close(detector.fuse()(image())[0], before, atol=1e-3, rtol=1e-3)


def test_width_does_not_scale_the_networks_channels() -> None:
    scaled = {**description(), "scales": {"n": [0.5, 0.25, 64]}, "scale": "n"}
    tasks.DetectionModel(scaled, verbose=False)


def test_the_rows_of_the_page_are_right() -> None:
    page = (Path(__file__).parents[1] / "docs" / "networks.md").read_text(encoding="utf-8")
    rows = yaml.safe_load(page.split("```yaml\n")[-1].split("```")[0])["backbone"]
    rows[0][3][1] = False
    head = [[[1, 2, 4], 1, "Detect", ["nc"]]]
    assert tasks.DetectionModel({"nc": 2, "backbone": rows, "head": head}, verbose=False).stride.tolist() == [8, 16, 32]


def test_strides_are_an_argument() -> None:
    assert yp.Timm.map_channels(NAME, False, [4, 32]) == [32, 96]
    assert [y.shape[2] for y in yp.Timm(3, NAME, strides=[4, 32]).eval()(image())] == [16, 2]


def test_grey_images_are_taken() -> None:
    assert len(yp.Timm(1, NAME).eval()(image(1))) == 3


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> nn.Module:
    """Weights "published" for the network in a file, in place of timm's hub; the network that has them."""
    published = timm.create_model(NAME)
    torch.save(published.state_dict(), tmp_path / "published.pth")
    create = timm.create_model

    def from_file(name: str, pretrained: bool = False, **options: Any) -> nn.Module:
        overlay = {"file": str(tmp_path / "published.pth")} if pretrained else None
        return create(name, pretrained=pretrained, pretrained_cfg_overlay=overlay, **options)

    monkeypatch.setattr(timm, "create_model", from_file)
    return published


def test_true_loads_the_published_weights(weights: nn.Module) -> None:
    row = model(pretrained=True).model[0]
    own, published = row.network.state_dict(), weights.state_dict()
    assert own.keys() <= published.keys()
    assert all(torch.equal(tensor, published[name]) for name, tensor in own.items())


def test_without_memory_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    from yolo_plugins.models.dry_run import build, run

    monkeypatch.setattr(timm_backbone, "fetching", lambda *_: pytest.fail("fetched"))
    layers = build(description(pretrained=True))
    assert [shape[2] for shape in run(layers, 3)[0]] == [32, 16, 8]


@pytest.mark.parametrize("command", ["info", "check"])
def test_commands_that_count_and_check_fetch_nothing(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(timm_backbone, "fetching", lambda *_: pytest.fail("fetched"))
    rows = description(pretrained=True)
    rows.pop("yaml_file")
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(rows))
    assert cli.main([command, str(tmp_path / "mine.yaml")]) == 0
    assert {"info": "plugins.Timm", "check": "exported to TorchScript"}[command] in capsys.readouterr().out


@listed
def test_a_checkpoint_holds_no_class_of_timm_and_loads_restricted(tmp_path: Path) -> None:
    detector = model().half()
    detector.model[0].network.requires_grad_(False)
    torch.save({"model": detector, "train_args": {}}, tmp_path / "best.pt")
    unsafe = torch.serialization.get_unsafe_globals_in_checkpoint(str(tmp_path / "best.pt"))
    assert not [name for name in unsafe if "timm" in name.lower()]
    script = (
        "import patch_ultralytics, torch; patch_ultralytics.apply(); from ultralytics import YOLO;"
        "m = YOLO('best.pt').model.float().eval(); x = torch.linspace(0, 1, 3 * 64 * 64).view(1, 3, 64, 64);"
        "torch.save(m(x)[0], 'out.pt'); print(type(m.model[0]).__name__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "ULTRALYTICS_SAFE_LOAD": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.splitlines()[-1:] == ["Timm"], done.stderr[-2000:]
    x = torch.linspace(0, 1, 3 * 64 * 64).view(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(torch.load(tmp_path / "out.pt"), detector.float().eval()(x)[0])
    again = torch.load(tmp_path / "best.pt", weights_only=False)["model"].model[0]
    assert {p.dtype for p in again.parameters()} == {torch.float16}
    assert not any(p.requires_grad for p in again.network.parameters())


def test_a_network_that_was_changed_is_saved_as_it_is(tmp_path: Path) -> None:
    row = yp.Timm(3, NAME).eval()
    row.network.layer1 = nn.Sequential(row.network.layer1, nn.Sigmoid())
    torch.save(row, tmp_path / "row.pt")
    again = torch.load(tmp_path / "row.pt", weights_only=False)
    for ours, theirs in zip(again(image()), row(image()), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_a_copy_keeps_what_was_done_to_the_network() -> None:
    row = yp.Timm(3, NAME).eval()
    row.network.layer1.register_forward_hook(lambda layer, given, made: 2 * made)
    for ours, theirs in zip(copy.deepcopy(row)(image()), row(image()), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_a_checkpoint_of_another_timm_says_which_to_install() -> None:
    state = yp.Timm(3, NAME).__getstate__()
    state["tensors"].pop("bn1.weight")
    state["timm"] = "0.9.0"
    with pytest.raises(ValueError, match=r"bn1.weight, that the checkpoint lacks; .* pip install timm==0.9.0"):
        yp.Timm.__new__(yp.Timm).__setstate__(state)


def test_a_step_of_training_reaches_every_parameter() -> None:
    detector = model().train()
    from ultralytics.utils import DEFAULT_CFG

    detector.args = DEFAULT_CFG
    batch = {
        "img": image(),
        "batch_idx": torch.tensor([0.0, 1.0]),
        "cls": torch.tensor([[0.0], [1.0]]),
        "bboxes": torch.tensor([[0.5, 0.5, 0.4, 0.4], [0.3, 0.6, 0.2, 0.5]]),
    }
    detector(batch)[0].sum().backward()
    assert not [name for name, p in detector.model[0].named_parameters() if p.requires_grad and p.grad is None]


@pytest.mark.filterwarnings("ignore")  # the exporter's
def test_onnx_runtime_gives_the_same(tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    row = yp.Timm(3, NAME).eval()
    export_onnx(row, (image(),), str(tmp_path / "row.onnx"))
    session = runtime.InferenceSession(str(tmp_path / "row.onnx"), providers=["CPUExecutionProvider"])
    for ours, theirs in zip(
        session.run(None, {session.get_inputs()[0].name: image().numpy()}), row(image()), strict=True
    ):
        torch.testing.assert_close(torch.from_numpy(ours), theirs, atol=1e-4, rtol=1e-4)


REFUSED = [
    (
        description(row0=[-1, 1, "plugins.Timm", ["tset_resnet"]]),
        r"row 0 \(plugins.Timm\): .*'tset_resnet'; did you mean test_resnet",
    ),
    (
        description(row0=[-1, 1, "plugins.Timm", ["test_vit"]]),
        r"row 0 .*test_vit has no map at stride 8 and 32; it has maps at 16",
    ),
    (description(row0=[-1, 1, "plugins.Timm", [7]]), r"row 0 .*Timm takes \[name, .*got name=7 of type int"),
    (description(row0=[-1, 2, "plugins.Timm", [NAME]]), r"row 0 .*cannot be repeated 2 times"),
    (
        description(row1=[-1, 1, "Conv", [64, 1]]),
        r"row 1 \(Conv\): row 0 gives a list of maps; `Index` picks one, with \[48, 0\], \[",
    ),
    (
        description(row2=[0, 1, "Index", [64, 1]]),
        r"row 2 \(Index\): map 1 of row 0 has 192 channels, not 64; write \[192, 1\]",
    ),
    (description(row3=[0, 1, "Index", [96, 3]]), r"row 3 \(Index\): row 0 gives a list of maps; `Index` picks one"),
    (description("swin_tiny_patch4_window7_224"), r"row 0 .*swin_tiny.* takes images of 224×224 and refuses 256×256"),
]


@pytest.mark.parametrize(("wrong", "message"), REFUSED, ids=[message[:30] for _, message in REFUSED])
def test_a_row_that_cannot_be_is_refused_in_one_sentence(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=r"mine.yaml: " + message):
        tasks.DetectionModel(copy.deepcopy(wrong), verbose=False)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: yp.Timm(3, NAME, strides=[32, 8]), r"Timm: strides=\[32, 8\] must ascend"),
        (lambda: yp.Timm(3, NAME, strides=8), r"Timm: strides=8 must be a list"),
        (lambda: yp.Timm(0, NAME), r"Timm: c1=0 must be"),
        (lambda: yp.Timm(3, "hf-hub:a/b"), r"Timm: timm .* has no network 'hf-hub:a/b'"),
        (
            lambda: yp.Timm(3, "efficientnet_lite1", True),
            r"nobody publishes weights of efficientnet_lite1 through timm; write False",
        ),
    ],
    ids=["order", "list", "channels", "hub", "no weights"],
)
def test_arguments_that_cannot_be_are_refused_in_one_sentence(build: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()


def test_a_missing_timm_is_named_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(RuntimeError, match=r"test_resnet is a network of timm: pip install yolo-plugins\[timm\]"):
        yp.Timm(3, NAME)


def test_an_ultralytics_without_index_says_from_when_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(tasks, "Index")
    with pytest.raises(ValueError, match=r"row 1 \(Index\): .*from 8.3.59 on: pip install -U ultralytics"):
        tasks.DetectionModel(description(), verbose=False)
