"""`yolo-plugins yaml --backbone timm:…`: a network of timm under the neck and head of a stock YAML."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
import yolo_plugins as yp
from recipe_table import train_a_step, without_weights
from yolo_plugins import cli
from yolo_plugins.models.building import build, from_text
from yolo_plugins.rows.description import rows_of
from yolo_plugins.rows.yaml_files import stock_files, with_scale
from yolo_plugins.swapping.yaml_writing import SwappedYAML

timm = pytest.importorskip("timm")
pytestmark = pytest.mark.usefixtures("patched")

NETWORK = "timm:mobilenetv4_conv_small"


def made(swapped: SwappedYAML, scale: str = "n") -> Any:
    """The model of a YAML, without asking for timm's weights."""
    with from_text(without_weights(swapped.text), with_scale(swapped.name, scale)) as yolo:
        return yolo.model


@pytest.fixture(scope="module")
def swapped() -> SwappedYAML:
    return yp.swap_yaml("yolo26.yaml", backbone=NETWORK, figures=False)


def test_index_rows_give_the_neck_the_maps_of_timms_strides(swapped: SwappedYAML) -> None:
    info = timm.create_model("mobilenetv4_conv_small", features_only=True).feature_info
    channels = dict(zip(info.reduction(), info.channels(), strict=True))
    rows = rows_of(yaml.safe_load(swapped.text))
    assert rows[0] == [-1, 1, "plugins.Timm", ["mobilenetv4_conv_small", True]]
    assert rows[1:4] == [[0, 1, "Index", [channels[s], i]] for i, s in enumerate((8, 16, 32))]
    with torch.no_grad():
        model = made(swapped)
        maps = model.model[0](torch.rand(1, 3, 64, 96))
    assert [tuple(m.shape[2:]) for m in maps] == [(8, 12), (4, 6), (2, 3)]
    assert model.stride.tolist() == [8, 16, 32]


def test_the_rows_behind_it_are_the_stock_ones_renumbered(swapped: SwappedYAML) -> None:
    model, stock = made(swapped), build("yolo26n.yaml")
    assert swapped.backbone is not None
    kept = swapped.backbone.kept
    assert next(iter(kept.items())) == (9, 4)
    for old, new in kept.items():
        ours, theirs = model.model[new], stock.model[old]
        assert type(ours) is type(theirs)
        assert {k for k, _ in ours.named_parameters()} == {k for k, _ in theirs.named_parameters()}
    assert model.model[-1].f == [kept[i] for i in stock.model[-1].f]
    assert "# 8\n" in swapped.text  # stock row 13's comment, with its number of now


def test_pretrained_rows_of_the_neck_find_their_place(swapped: SwappedYAML) -> None:
    torch.manual_seed(0)
    model, stock = made(swapped), build("yolo26n.yaml")
    model.load(stock)
    assert swapped.backbone is not None
    for old in (10, 19, 22):
        ours, theirs = model.model[swapped.backbone.kept[old]], stock.model[old]
        for (name, mine), other in zip(ours.state_dict().items(), theirs.state_dict().values(), strict=True):
            assert torch.equal(mine, other), name


def test_a_model_on_it_trains_and_fuses_to_the_same(swapped: SwappedYAML) -> None:
    torch.manual_seed(0)
    model = made(swapped)
    train_a_step(model)
    x = torch.rand(1, 3, 64, 64)
    plain = model.eval()(x)[0]
    torch.testing.assert_close(model.fuse(verbose=False)(x)[0], plain, rtol=1e-3, atol=1e-3)


FITTED = [
    ("yolov8-p2.yaml", [4, 8, 16, 32], "SPPF"),
    *(
        pytest.param(*case, marks=pytest.mark.slow)
        for case in [
            ("yolov8-p6.yaml", [8, 16, 32], "Conv"),
            ("yolov8-cls.yaml", [32], "Classify"),
            ("yolov9e.yaml", [8, 16, 32], "SPPELAN"),
            ("yolo12-seg.yaml", [8, 16, 32], "nn.Upsample"),
            ("rtdetr-resnet50.yaml", [8, 16, 32], "Conv"),
            ("yolo11-cls-resnet18.yaml", [32], "Classify"),
        ]
    ),
]


@pytest.mark.parametrize(("stock", "strides", "first"), FITTED)
def test_a_neck_takes_the_strides_that_it_needs_and_keeps_what_comes_after(
    stock: str, strides: list[int], first: str
) -> None:
    swapped = yp.swap_yaml(stock, backbone="timm:resnet18", figures=False)
    rows = rows_of(yaml.safe_load(swapped.text))
    assert [row[2] for row in rows].count("Index") == len(strides)
    assert rows[0][3][2:] == ([strides] if strides != [8, 16, 32] else [])
    assert rows[1 + len(strides)][2] == first
    model = made(swapped)
    train_a_step(model)
    if "cls" not in stock and "rtdetr" not in stock:
        assert model.stride.tolist()[: len(strides)] == strides


@pytest.mark.slow
@pytest.mark.parametrize("stock", [path.name for path in stock_files()])
def test_every_stock_yaml_takes_a_backbone_or_says_why_not(stock: str) -> None:
    if stock in ("yolo11-cls.yaml", "yolo26-cls.yaml"):
        with pytest.raises(ValueError, match=r"row 2 \(C2PSA\): does not hold: c1 == c2"):
            yp.swap_yaml(stock, backbone="timm:resnet18", figures=False)
        return
    train_a_step(made(yp.swap_yaml(stock, backbone="timm:resnet18", figures=False)))


def test_a_backbone_goes_with_blocks_in_the_neck(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    options = "--stage FasterBlock --up DySample --from-stride 16 --backbone timm:resnet18"
    assert cli.main(["yaml", "yolov9t.yaml", *options.split(), "-o", "mine.yaml"]) == 0
    text = Path("mine.yaml").read_text()
    assert f"`yolo-plugins yaml yolov9t.yaml {options}`" in text
    names = [row[2] for row in rows_of(yaml.safe_load(text))]
    assert names.count("plugins.C2f") == 4
    assert names.count("plugins.DySample") == 2
    assert re.search(r"nc: 80 # .*; [\d,]+ parameters, [\d.]+ GFLOPs", text)  # nothing was fetched for them
