"""The duel of ways to a light model: what is pruned, how a way is as fast, and all of them on a drawn dataset."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

pytest.importorskip("torch_pruning")
import duel
from duel_ways import WAYS, first
from pruning import pruned
from ultralytics import YOLO
from ultralytics.utils.callbacks.base import default_callbacks
from yolo_plugins.models.building import build, load, save
from yolo_plugins.training.resuming import trained

pytestmark = pytest.mark.usefixtures("patched")


@pytest.fixture(scope="module")
def teacher() -> Any:
    torch.manual_seed(0)
    network = build("yolov8n.yaml")
    network.args = {}
    return network.eval()


def test_a_model_of_which_nothing_is_pruned_gives_what_it_gave(teacher: Any) -> None:
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(pruned(teacher, 0.0)(x)[0], teacher(x)[0])


def test_a_pruned_model_is_made_of_stock_layers_with_fewer_channels(teacher: Any) -> None:
    light, x = pruned(teacher, 0.5), torch.rand(1, 3, 64, 64)
    assert light(x)[0].shape == teacher(x)[0].shape
    counts = [sum(p.numel() for p in network.parameters()) for network in (teacher, light)]
    assert counts[1] < 0.3 * counts[0]
    kinds = [{type(module) for module in network.modules()} for network in (teacher, light)]
    assert kinds[0] == kinds[1]
    assert [len(row.cv1.conv.weight) for row in light.model if hasattr(row, "m")][:2] == [16, 32]


def test_a_pruned_model_is_trained_as_it_is_and_goes_on_as_it_is(
    teacher: Any, shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "pruned.pt"
    save(pruned(teacher, 0.5), file, {"imgsz": 64})
    order = {"epochs": 2, "imgsz": 64, "batch": 4, "workers": 0, "amp": False}

    class Stopped(Exception):
        pass

    def stop(trainer: Any) -> None:
        if trainer.epoch == 1:
            raise Stopped

    with monkeypatch.context() as stopping:
        stopping.setitem(default_callbacks, "on_train_batch_end", [stop])
        with pytest.raises(Stopped):
            trained(tmp_path, str(file), shapes, as_it_is=True, **order)
    weights = trained(tmp_path, str(file), shapes, as_it_is=True, **order)
    light = load(weights)[0]
    assert light.model[2].cv1.conv.out_channels == 16 < teacher.model[2].cv1.conv.out_channels
    assert len((tmp_path / "train" / "results.csv").read_text().splitlines()) == 3
    assert YOLO(weights).predict(torch.zeros(1, 3, 64, 64), verbose=False)


@pytest.mark.parametrize(("limit", "expected"), [(9, 0), (3, 6), (0, 9), (-1, 9)])
def test_the_first_that_fits_is_found_and_the_last_where_none_does(limit: int, expected: int) -> None:
    costs = list(range(9, -1, -1))
    assert first(range(10), lambda i: costs[i] <= limit) == expected


@pytest.mark.slow
def test_every_way_goes_to_its_end_once(shapes: Path, tmp_path: Path, capsys: Any) -> None:
    pytest.importorskip("onnxruntime")
    words = [
        str(tmp_path / "store"), str(shapes), "--epochs", "1", "--teacher-epochs", "1", "--imgsz", "64",
        "--block-steps", "1", "--joint-steps", "1", "--runtime", "onnx", "--rounds", "1",
        "--results", str(tmp_path / "duel.json"),
    ]  # fmt: skip
    duel.main(words)
    rows = json.loads((tmp_path / "duel.json").read_text(encoding="utf-8"))
    assert [row["way"][:1] for row in rows] == ["t", "t", *WAYS]
    assert all(row["ms"] > 0 and row["minutes"] > 0 for row in rows)
    capsys.readouterr()
    duel.main(words)
    said = capsys.readouterr().out
    assert " of 7: " not in said, "nothing is trained twice"
    assert said.count("\n| ") >= 10
