"""Pretrained weights by name, and by a row map where rows were put in."""

import pytest
import torch
import yaml
from ultralytics import YOLO
from yolo_plugins.rows.row_map import row_map
from yolo_plugins.rows.yaml_files import stock_file

import patch_ultralytics

pytestmark = pytest.mark.usefixtures("patched")


def with_a_row_put_in(at):
    """YOLOv8 with an SE gate as row `at`, and every later `from` moved on."""
    cfg = yaml.safe_load(stock_file("yolov8.yaml").read_text())
    for row in cfg["backbone"][at:] + cfg["head"]:
        sources = row[0] if isinstance(row[0], list) else [row[0]]
        moved = [f + 1 if f >= at else f for f in sources]
        row[0] = moved if isinstance(row[0], list) else moved[0]
    cfg["backbone"].insert(at, [-1, 1, "plugins.SE", [16]])
    return cfg


def test_a_row_put_in_keeps_every_later_layers_weights(tmp_path):
    file = tmp_path / "yolov8n-gate.yaml"
    file.write_text(yaml.safe_dump(with_a_row_put_in(10)))
    pretrained, model = YOLO("yolov8n.yaml").model, YOLO(file).model
    model.load(pretrained)
    ours, theirs = model.state_dict(), pretrained.state_dict()
    assert torch.equal(ours["model.9.cv1.conv.weight"], theirs["model.9.cv1.conv.weight"])
    assert torch.equal(ours["model.13.cv1.conv.weight"], theirs["model.12.cv1.conv.weight"])
    assert torch.equal(ours["model.23.cv3.2.2.weight"], theirs["model.22.cv3.2.2.weight"])


def test_the_pretrained_model_itself_is_left_as_it_was(tmp_path):
    file = tmp_path / "yolov8n-gate.yaml"
    file.write_text(yaml.safe_dump(with_a_row_put_in(10)))
    pretrained = YOLO("yolov8n.yaml").model
    names = list(pretrained.state_dict())
    YOLO(file).model.load(pretrained)
    assert list(pretrained.state_dict()) == names


def test_stock_models_load_as_ever():
    from ultralytics.nn.tasks import BaseModel

    patched_load = BaseModel.load
    patch_ultralytics.revert()
    assert BaseModel.load is not patched_load
    expected = YOLO("yolov8n.yaml").model
    other = YOLO("yolov8n.yaml").model
    expected.load(other)
    patch_ultralytics.apply()
    model = YOLO("yolov8n.yaml").model
    model.load(other)
    assert all(
        torch.equal(a, b) for a, b in zip(model.state_dict().values(), expected.state_dict().values(), strict=True)
    )


@pytest.mark.parametrize(
    ("ours", "theirs", "mapping"),
    [
        pytest.param("abc", "abc", {0: 0, 1: 1, 2: 2}, id="the same"),
        pytest.param("aXbc", "abc", {0: 0, 2: 1, 3: 2}, id="one put in"),
        pytest.param("ac", "abc", {0: 0, 1: 2}, id="one left out"),
        pytest.param("Xbcc", "abc", {1: 1, 2: 2}, id="one swapped and one put in"),
    ],
)
def test_rows_are_matched_in_their_order(ours, theirs, mapping):
    rows = {letter: {"weight": (ord(letter), 1)} for letter in "abcX"}
    found, fitting = row_map([rows[x] for x in ours], [rows[x] for x in theirs])
    assert fitting == len(mapping)
    assert set(found.values()) == set(mapping.values())
    assert all(ours[i] == theirs[j] for i, j in found.items())


TRAIN = ("epochs=1", "imgsz=64", "batch=4", "workers=0", "plots=False", "amp=False", "val=False", "device=cpu")
STILL = ("optimizer=SGD", "lr0=0", "warmup_epochs=0", "weight_decay=0")


@pytest.fixture(scope="module")
def trained(active, shapes, tmp_path_factory):
    """A stock model trained for one epoch; its checkpoint."""
    folder = tmp_path_factory.mktemp("stock")
    active.run("yolo", "train", "model=yolov8n.yaml", f"data={shapes}", *TRAIN, f"project={folder}", cwd=folder)
    return folder / "train" / "weights" / "last.pt"


@pytest.mark.parametrize("rows", ["aligned", "one put in"])
def test_yolo_train_takes_a_trained_stock_models_tensors_and_says_how_many(rows, active, shapes, trained, tmp_path):
    file = "yolov8n-ghost.yaml"
    if rows == "one put in":
        file = tmp_path / "yolov8n-gate.yaml"
        file.write_text(yaml.safe_dump(with_a_row_put_in(10)))
    done = active.run(
        "yolo", "train", f"model={file}", f"pretrained={trained}", f"data={shapes}", *TRAIN, *STILL,
        f"project={tmp_path}", cwd=tmp_path,
    )  # fmt: skip
    light, stock = (
        torch.load(path, map_location="cpu", weights_only=False)["model"].float()
        for path in (tmp_path / "train" / "weights" / "last.pt", trained)
    )
    moved = {i: i - (i > 10) for i in range(24) if i != 10} if rows == "one put in" else {i: i for i in range(23)}
    theirs = {
        f"model.{ours}.{name}": tensor
        for ours, row in moved.items()
        for name, tensor in stock.model[row].state_dict().items()
    }
    taken = [n for n, tensor in light.state_dict().items() if n in theirs and theirs[n].shape == tensor.shape]
    said = done.stdout + done.stderr
    assert f"Transferred {len(taken)}/{len(light.state_dict())} items" in said
    assert ("rows 11 ← 10" in said or "13 ← 12" in said) == (rows == "one put in")
    parameters = dict(light.named_parameters())  # statistics move on, even where nothing is learnt
    assert all(torch.equal(parameters[name], theirs[name]) for name in taken if name in parameters)
    assert len(taken) > 100
