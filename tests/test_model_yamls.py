"""The shipped model YAMLs: aligned with stock row for row, figures recomputed, buildable at every scale."""

import copy
import re
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from conftest import mostly_slow
from replacement_cases import mean_square, tensors
from yolo_plugins import model_yamls
from yolo_plugins.blocks.counting import parameters
from yolo_plugins.inspection.info import describe
from yolo_plugins.models import dry_run
from yolo_plugins.models.building import build, from_text
from yolo_plugins.rows.description import read, rows_of
from yolo_plugins.rows.yaml_files import own_file, stock_file, with_scale

pytestmark = pytest.mark.usefixtures("patched")
LITE = [
    f"{family}-lite{t}.yaml" for family in ("yolov8", "yolo11", "yolo26") for t in ("", "-seg", "-pose", "-obb", "-cls")
]
ALIGNED = [f"yolov8-{kind}{t}.yaml" for kind in ("ghost", "dwconv", "shuffle", "se") for t in ("", "-seg")] + LITE
ON_NETWORKS = [f"yolov8-{net}{t}.yaml" for net in ("ghostnet", "shufflenetv1", "mobilenetv3") for t in ("", "-seg")]
aligned = pytest.mark.parametrize("name", ALIGNED)
some_aligned = pytest.mark.parametrize("name", mostly_slow(ALIGNED, ALIGNED[::3]))


def ours(name: str) -> dict[str, Any]:
    return read(model_yamls.FOLDER / name)


def stock(name: str) -> dict[str, Any]:
    return read(stock_file(re.sub(r"-(?!seg|pose|obb|cls)[a-z0-9]+", "", name)))


def cost(model: Any) -> tuple[int, float]:
    from ultralytics.utils.torch_utils import get_flops

    return parameters(model), get_flops(model, 640)


def test_every_shipped_yaml_is_one_of_these() -> None:
    others = {"ghostnet-cls.yaml", "shufflenetv1-cls.yaml", "mobilenetv3-cls.yaml", "mobilenetv3-small-cls.yaml"}
    assert {*ALIGNED, *ON_NETWORKS, *others} == set(model_yamls.names())


@aligned
def test_rows_are_those_of_the_stock_yaml_one_for_one(name: str) -> None:
    assert ours(name)["scales"] == stock(name)["scales"]
    for part in ("backbone", "head"):
        for mine, base in zip(ours(name)[part], stock(name)[part], strict=True):
            assert mine[:2] == base[:2], "from and repeats"
            if mine[2].startswith("plugins."):
                assert mine[3][0] == base[3][0], "output channels"
            else:
                assert mine == base


@pytest.mark.parametrize("name", mostly_slow([*ALIGNED, *ON_NETWORKS], [*ALIGNED[::3], *ON_NETWORKS[::3]]))
def test_rows_keep_the_from_and_stride_of_stock_and_its_channels_unless_they_are_a_networks(name: str) -> None:
    seen = []
    for description in (ours(name), stock(name)):
        layers = dry_run.build({**description, "scale": "n"})
        sides = slice(1, None) if name in ALIGNED else slice(2, None)
        maps = dry_run.run(layers, channels=3)[:-1]
        seen.append([(layer.f, shape[sides]) for layer, (shape,) in zip(layers[:-1], maps, strict=True)])
    assert seen[0] == seen[1]


# Networks at their smaller scales: the larger ones take long and differ in nothing.
FIGURES = [*product(ALIGNED, "nsmlx"), *product(ON_NETWORKS, "ns")]


@pytest.mark.parametrize(("name", "scale"), mostly_slow(FIGURES, [pair for pair in FIGURES if pair[1] == "n"]))
def test_the_figures_in_the_head_are_what_ultralytics_counts(name: str, scale: str) -> None:
    text = (model_yamls.FOLDER / name).read_text(encoding="utf-8")
    params, gflops = cost(build(with_scale(name, scale)))
    assert re.search(rf"^  {scale}: \[.*\] # {params:,} parameters, {gflops:.1f} GFLOPs$", text, re.M)


@pytest.mark.parametrize("scale", "nsmlx")
def test_ghost_is_no_larger_and_no_dearer_than_ultralytics_own(scale: str) -> None:
    params, gflops = cost(build(f"yolov8{scale}-ghost.yaml"))
    with from_text(stock_file("yolov8-ghost.yaml").read_text(encoding="utf-8"), f"yolov8{scale}-ghost.yaml") as yolo:
        theirs = cost(yolo.model)
    assert params <= theirs[0]
    assert gflops <= theirs[1]


@some_aligned
def test_a_training_step_reaches_every_parameter_of_our_rows(name: str) -> None:
    model = build(with_scale(name, "n")).train()
    torch.manual_seed(0)
    mean_square([t * torch.randn_like(t) for t in tensors(model(torch.randn(2, 3, 64, 64)))]).backward()
    without = [
        name
        for row, layer in zip(rows_of(model.yaml), model.model, strict=True)
        if row[2].startswith("plugins.")
        for name, p in layer.named_parameters(prefix=str(layer.i))
        if p.requires_grad and (p.grad is None or not p.grad.abs().sum() > 0)
    ]
    without = [name for name in without if "flow_model" not in name]  # YOLO26's for keypoints, called by the loss
    assert not without


@some_aligned
def test_fusing_through_ultralytics_keeps_outputs_and_leaves_no_batch_norm(name: str) -> None:
    torch.manual_seed(0)
    model = build(with_scale(name, "n")).train()
    for _ in range(3):
        model(torch.randn(4, 3, 64, 64))  # so that statistics are not the initial ones
    fused = copy.deepcopy(model.eval()).fuse(verbose=False)
    assert fused.is_fused()
    assert not model.is_fused()
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in fused.modules())
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        before, after = (next(tensors(m(x))) for m in (model, fused))
    assert (before - after).abs().max() < 1e-3 * before.abs().max()


@pytest.mark.parametrize("changes", [{}, {"activation": "torch.nn.ReLU()"}], ids=["as it is", "ReLU"])
def test_an_activation_key_changes_stock_and_plug_in_rows_alike(changes: dict[str, str]) -> None:
    with from_text(yaml.safe_dump({**ours("yolov8-se.yaml"), **changes}), "yolov8n-se.yaml") as yolo:
        layers = {type(m) for row in yolo.model.model[:-1] for m in row.modules()}
    assert (torch.nn.SiLU in layers) is not bool(changes)


def test_the_number_of_classes_is_overridden_as_in_stock_models() -> None:
    from ultralytics.nn.tasks import DetectionModel

    assert DetectionModel("yolov8n-se.yaml", nc=7, verbose=False).model[-1].nc == 7


def test_info_adds_up_to_ultralytics_own_totals() -> None:
    info = describe("yolov8n-ghost.yaml")
    assert info.base_name == "yolov8n.yaml"
    assert sum(row.params for row in info.rows) == 1_686_196
    assert round(sum(row.gflops for row in info.base or []), 1) == 8.9
    assert sum(row.plugin for row in info.rows) == 13


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("yolov8n-ghost.yaml", "yolov8-ghost.yaml"),
        ("yolov8-ghost.yaml", "yolov8-ghost.yaml"),
        ("yolov8x-se-seg.yaml", "yolov8-se-seg.yaml"),
        *((other, None) for other in ("yolov8n.yaml", "../model_yamls/yolov8-se.yaml", "yolov8n-ghost.txt", "ghost")),
    ],
)
def test_bare_names_are_found_with_and_without_a_scale(name: str, found: str | None) -> None:
    assert own_file(name) == (model_yamls.FOLDER / found if found else None)


def test_a_scale_letter_is_taken_from_the_file_not_from_a_folder_of_its_path(tmp_path: Path) -> None:
    from ultralytics import YOLO

    folder = tmp_path / "v5s-runs"
    folder.mkdir()
    (folder / "yolov8-mine.yaml").write_text((model_yamls.FOLDER / "yolov8-ghost.yaml").read_text())
    small, nano = (str(folder / f"yolov8{scale}-mine.yaml") for scale in "sn")
    assert parameters(build(small)) > 2 * parameters(build(nano))
    assert YOLO(small).model.yaml["scale"] == "s", "as it is trained"
