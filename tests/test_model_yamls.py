"""The shipped model YAMLs: aligned with stock row for row, figures recomputed, buildable at every scale."""

from __future__ import annotations

import copy
import re
from pathlib import Path

import pytest
import torch
import yaml
from yolo_plugins import model_yamls
from yolo_plugins.inspection.info import describe

pytestmark = pytest.mark.usefixtures("patched")
ALIGNED = [
    name for name in model_yamls.names() if re.match(r"yolov8-(ghost|lite|dwconv|shuffle|se)(-seg)?\.yaml", name)
]
aligned = pytest.mark.parametrize("name", ALIGNED)
every_scale = pytest.mark.parametrize("scale", "nsmlx")


def stock(name: str) -> Path:
    import ultralytics

    return Path(ultralytics.__file__).parent / "cfg" / "models" / "v8" / name


def read(path: Path) -> dict:
    return yaml.safe_load(path.read_text())


def build(path: Path, scale: str, **changes: object):
    from ultralytics.nn.tasks import DetectionModel, SegmentationModel

    cls = SegmentationModel if "-seg" in path.name else DetectionModel
    return cls({**read(path), "scale": scale, "yaml_file": path.name, **changes}, verbose=False)


def cost(model) -> tuple[int, float]:
    from ultralytics.utils.torch_utils import get_flops

    return sum(p.numel() for p in model.parameters()), get_flops(model, 640)


def test_ten_of_them_are_aligned() -> None:
    assert len(ALIGNED) == 10


@aligned
def test_rows_are_those_of_the_stock_yaml_one_for_one(name: str) -> None:
    ours, theirs = read(model_yamls.FOLDER / name), read(stock("yolov8-seg.yaml" if "-seg" in name else "yolov8.yaml"))
    for part in ("backbone", "head"):
        assert [(f, n) for f, n, _, _ in ours[part]] == [(f, n) for f, n, _, _ in theirs[part]]
    assert ours["scales"] == theirs["scales"]
    for mine, base in zip(ours["backbone"] + ours["head"], theirs["backbone"] + theirs["head"], strict=True):
        if mine[2].startswith("plugins."):
            assert mine[3][0] == base[3][0], "output channels"
        else:
            assert mine == base


@aligned
def test_strides_and_channels_of_every_row_are_stocks(name: str) -> None:
    base = stock("yolov8-seg.yaml" if "-seg" in name else "yolov8.yaml")
    shapes = []
    for path in (model_yamls.FOLDER / name, base):
        model, seen = build(path, "n").eval(), []
        for layer in model.model[:-1]:
            layer.register_forward_hook(lambda _m, _x, y, seen=seen: seen.append(tuple(y.shape)))
        model(torch.zeros(1, 3, 64, 96))
        shapes.append(seen)
    assert shapes[0] == shapes[1]


@aligned
@every_scale
def test_the_figures_in_the_head_are_what_ultralytics_counts(name: str, scale: str) -> None:
    text = (model_yamls.FOLDER / name).read_text()
    written = re.search(rf"^  {scale}: .*# ([\d,]+) parameters, ([\d.]+) GFLOPs$", text, re.M)
    assert written is not None
    params, gflops = cost(build(model_yamls.FOLDER / name, scale))
    assert (written[1], written[2]) == (f"{params:,}", f"{gflops:.1f}")


@every_scale
def test_ghost_is_no_larger_and_no_dearer_than_ultralytics_own(scale: str) -> None:
    ours, theirs = (
        cost(build(path, scale)) for path in (model_yamls.FOLDER / "yolov8-ghost.yaml", stock("yolov8-ghost.yaml"))
    )
    assert ours[0] <= theirs[0]
    assert ours[1] <= theirs[1]


@aligned
def test_a_training_step_reaches_every_parameter_of_our_rows(name: str) -> None:
    model = build(model_yamls.FOLDER / name, "n", nc=3).train()
    torch.manual_seed(0)
    outputs = model(torch.randn(2, 3, 64, 64))
    tensors = [t for t in flatten(outputs) if t.requires_grad]
    sum((t * torch.randn_like(t)).sum() for t in tensors).backward()
    without = [
        name
        for i, row in enumerate(model.yaml["backbone"] + model.yaml["head"])
        if row[2].startswith("plugins.")
        for name, p in model.model[i].named_parameters(prefix=str(i))
        if p.requires_grad and (p.grad is None or not p.grad.abs().sum() > 0)
    ]
    assert not without


def flatten(x: object) -> list[torch.Tensor]:
    if isinstance(x, torch.Tensor):
        return [x]
    values = x.values() if isinstance(x, dict) else x if isinstance(x, (list, tuple)) else []
    return [t for v in values for t in flatten(v)]


@aligned
def test_fusing_through_ultralytics_keeps_outputs_and_leaves_no_batch_norm(name: str) -> None:
    torch.manual_seed(0)
    model = build(model_yamls.FOLDER / name, "n", nc=3).train()
    for _ in range(3):
        model(torch.randn(4, 3, 64, 64))  # so that statistics are not the initial ones
    model.eval()
    fused = copy.deepcopy(model).fuse(verbose=False)
    assert fused.is_fused()
    assert not model.is_fused()
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in fused.modules())
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        before, after = (flatten(m(x))[0] for m in (model, fused))
    assert (before - after).abs().max() < 1e-3 * before.abs().max()


def test_an_activation_key_changes_stock_and_plug_in_rows_alike() -> None:
    model = build(model_yamls.FOLDER / "yolov8-dwconv.yaml", "n", activation="torch.nn.ReLU()")
    layers = {type(m) for row in model.model[:-1] for m in row.modules()}
    assert torch.nn.ReLU in layers
    assert torch.nn.SiLU not in layers
    assert torch.nn.SiLU in {type(m) for m in build(model_yamls.FOLDER / "yolov8-dwconv.yaml", "n").modules()}


def test_the_number_of_classes_is_overridden_as_in_stock_models() -> None:
    assert build(model_yamls.FOLDER / "yolov8-se.yaml", "n", nc=7).model[-1].nc == 7


def test_info_adds_up_to_ultralytics_own_totals() -> None:
    info = describe("yolov8n-ghost.yaml")
    assert info.base_name == "yolov8n.yaml"
    assert info.base is not None
    assert sum(row.params for row in info.rows) == 1_686_196
    assert round(sum(row.gflops for row in info.base), 1) == 8.9
    assert sum(row.plugin for row in info.rows) == 13


@pytest.mark.parametrize("name", ["yolov8n-ghost.yaml", "yolov8-ghost.yaml", "yolov8x-se-seg.yaml"])
def test_bare_names_are_found_with_and_without_a_scale(name: str) -> None:
    found = model_yamls.find(name)
    assert found is not None
    assert found.is_file()


@pytest.mark.parametrize("name", ["yolov8n.yaml", "../model_yamls/yolov8-ghost.yaml", "yolov8n-ghost.txt", "ghost"])
def test_other_names_are_not(name: str) -> None:
    assert model_yamls.find(name) is None
