"""Pretrained weights by name, and by a row map where rows were put in."""

import os
import re
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch
import yaml
from ultralytics import YOLO
from yolo_plugins.row_map import row_map
from yolo_plugins.yaml_files import stock_file

import patch_ultralytics


@pytest.fixture(autouse=True)
def patched():
    patch_ultralytics.apply()
    yield
    patch_ultralytics.revert()


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


@pytest.mark.parametrize("model", ["yolov8n-ghost.yaml", "yolov8n-se.yaml"])
def test_yolo_train_says_how_many_stock_tensors_a_light_model_took(model, tmp_path):
    pretrained = YOLO("yolov8n.yaml")
    pretrained.save(tmp_path / "stock.pt")
    for part in ("images", "labels"):
        (tmp_path / part).mkdir()
    for i in range(2):
        cv2.imwrite(str(tmp_path / "images" / f"{i}.jpg"), np.full((64, 64, 3), 90 * i, np.uint8))
        (tmp_path / "labels" / f"{i}.txt").write_text("0 0.5 0.5 0.4 0.4\n")
    data = {"path": str(tmp_path), "train": "images", "val": "images", "nc": 80, "names": [f"c{i}" for i in range(80)]}
    (tmp_path / "data.yaml").write_text(yaml.safe_dump(data))
    code = (
        "import sys, patch_ultralytics; patch_ultralytics.apply(); from ultralytics.cfg import entrypoint; entrypoint()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "train", f"model={model}", "pretrained=stock.pt", "data=data.yaml", "epochs=1",
         "imgsz=64", "batch=2", "workers=0", "plots=False", "amp=False", "val=False", "device=cpu", "project=runs"],
        cwd=tmp_path, env={**os.environ, "YOLO_CONFIG_DIR": str(tmp_path)},
        capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    said = re.findall(r"Transferred (\d+)/(\d+) items", done.stdout + done.stderr)
    assert said, done.stderr[-2000:]
    light, stock = YOLO(model).model.model.state_dict(), pretrained.model.model.state_dict()
    fitting = sum(name in stock and stock[name].shape == tensor.shape for name, tensor in light.items())
    assert (fitting, len(light)) in [(int(taken), int(total)) for taken, total in said]
