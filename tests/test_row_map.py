"""Pretrained weights by name, and by a row map where rows were put in."""

from pathlib import Path

import pytest
import torch
import yaml
from conftest import Environment, mostly_slow
from yolo_plugins.models.building import build
from yolo_plugins.rows.description import read
from yolo_plugins.rows.row_map import row_map
from yolo_plugins.rows.yaml_files import stock_file

import patch_ultralytics


@pytest.fixture
def with_a_row_put_in(tmp_path: Path) -> str:
    """YOLOv8 with an SE gate as row 10, and every later `from` moved on."""
    model = read(stock_file("yolov8.yaml"))
    for row in model["head"]:
        sources = row[0] if isinstance(row[0], list) else [row[0]]
        moved = [f + 1 if f >= 10 else f for f in sources]
        row[0] = moved if isinstance(row[0], list) else moved[0]
    model["backbone"].append([-1, 1, "plugins.SE", [16]])
    file = tmp_path / "yolov8n-gate.yaml"
    file.write_text(yaml.safe_dump(model))
    return str(file)


def test_a_row_put_in_keeps_every_later_layers_weights(patched: None, with_a_row_put_in: str) -> None:
    pretrained, model = build("yolov8n.yaml"), build(with_a_row_put_in)
    before = list(pretrained.state_dict())
    model.load(pretrained)
    ours, theirs = model.state_dict(), pretrained.state_dict()
    assert list(theirs) == before, "the pretrained model itself is left as it was"
    for row, stock, name in ((9, 9, "cv1.conv.weight"), (13, 12, "cv1.conv.weight"), (23, 22, "cv3.2.2.weight")):
        assert torch.equal(ours[f"model.{row}.{name}"], theirs[f"model.{stock}.{name}"])


def test_stock_models_load_as_ever() -> None:
    from ultralytics.nn.tasks import DetectionModel

    other, expected, model = (DetectionModel("yolov8n.yaml", verbose=False) for _ in range(3))
    expected.load(other)
    patch_ultralytics.apply()
    model.load(other)
    states = zip(model.state_dict().values(), expected.state_dict().values(), strict=True)
    assert all(torch.equal(ours, theirs) for ours, theirs in states)


@pytest.mark.parametrize(
    ("ours", "theirs", "mapping"),
    [
        pytest.param("abc", "abc", {0: 0, 1: 1, 2: 2}, id="the same"),
        pytest.param("aXbc", "abc", {0: 0, 2: 1, 3: 2}, id="one put in"),
        pytest.param("ac", "abc", {0: 0, 1: 2}, id="one left out"),
        pytest.param("Xbcc", "abc", {1: 1, 2: 2}, id="one swapped and one put in"),
    ],
)
def test_rows_are_matched_in_their_order(ours: str, theirs: str, mapping: dict[int, int]) -> None:
    rows = {letter: {"weight": (ord(letter), 1)} for letter in "abcX"}
    found, fitting = row_map([rows[x] for x in ours], [rows[x] for x in theirs])
    assert fitting == len(mapping)
    assert set(found.values()) == set(mapping.values())
    assert all(ours[i] == theirs[j] for i, j in found.items())


TRAIN = ("epochs=1", "imgsz=64", "batch=4", "workers=0", "plots=False", "amp=False", "val=False", "device=cpu")
STILL = ("optimizer=SGD", "lr0=0", "warmup_epochs=0", "weight_decay=0")


@pytest.fixture(scope="module")
def trained(active: Environment, shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stock model trained for one epoch; its checkpoint."""
    folder = tmp_path_factory.mktemp("stock")
    active.run("yolo", "train", "model=yolov8n.yaml", f"data={shapes}", *TRAIN, f"project={folder}", cwd=folder)
    return folder / "train" / "weights" / "last.pt"


@pytest.mark.parametrize("put_in", mostly_slow([False, True], [True]), ids=["aligned", "one row put in"])
def test_yolo_train_takes_a_trained_stock_models_tensors_and_says_how_many(
    put_in: bool, active: Environment, shapes: Path, trained: Path, with_a_row_put_in: str, tmp_path: Path
) -> None:
    file = with_a_row_put_in if put_in else "yolov8n-ghost.yaml"
    done = active.run(
        "yolo", "train", f"model={file}", f"pretrained={trained}", f"data={shapes}", *TRAIN, *STILL,
        f"project={tmp_path}", cwd=tmp_path,
    )  # fmt: skip
    light, stock = (
        torch.load(path, map_location="cpu", weights_only=False)["model"].float()
        for path in (tmp_path / "train" / "weights" / "last.pt", trained)
    )
    theirs = {
        f"model.{i + (put_in and i > 9)}.{name}": tensor
        for i, row in enumerate(stock.model)
        for name, tensor in row.state_dict().items()
    }
    taken = [n for n, tensor in light.state_dict().items() if n in theirs and theirs[n].shape == tensor.shape]
    said = done.stdout + done.stderr
    assert f"Transferred {len(taken)}/{len(light.state_dict())} items" in said
    assert ("rows 11 ← 10" in said or "13 ← 12" in said) == put_in
    parameters = dict(light.named_parameters())  # statistics move on, even where nothing is learnt
    assert all(torch.equal(parameters[name], theirs[name]) for name in taken if name in parameters)
    assert len(taken) > 100
