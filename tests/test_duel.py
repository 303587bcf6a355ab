"""The duel of ways to a light model: what is pruned, how a way is as fast, and all of them on a drawn dataset."""

import argparse
import json
from pathlib import Path
from typing import Any

import pytest
import torch

pytest.importorskip("torch_pruning")
import duel
import duel_ways
from duel_table import UNTRAINED, merged, table
from duel_ways import WAYS, Duel, first
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


def test_times_are_measured_anew_when_asked_and_what_was_chosen_stays(
    teacher: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "run" / "train" / "weights"
    place.mkdir(parents=True)
    save(teacher, place / "best.pt", {"imgsz": 64})
    measured: list[set[str]] = []

    def timed(nets: dict[str, tuple[float, list[int]]], *how: Any) -> dict[str, list[float]]:
        assert how == ("torch", 3, 1)
        measured.append(set(nets))
        return {name: [100 * len(measured) + weight * side**2] for name, (weight, [side]) in nets.items()}

    stubs = {
        "timed": timed, "deployed": lambda net, *_: net, "image": lambda _, side: side,
        "load": lambda _: (1.0, {}), "network": lambda _: 0.31, "pruned": lambda _, ratio: 1 - ratio,
    }  # fmt: skip
    for name, stub in stubs.items():
        monkeypatch.setattr(duel_ways, name, stub)
    monkeypatch.setattr(Duel, "trained", lambda *_: [{"folder": str(tmp_path / "run")}])
    args = argparse.Namespace(
        store=tmp_path, light="ghost", device="cpu", imgsz=128, teacher_epochs=1, runtime="torch", rounds=1,
        timing_threads=3, times=False,
    )  # fmt: skip
    chosen = Duel(args, "data.yaml", "", 0).choices()
    assert (chosen["ratio"], chosen["imgsz"]) == (0.7, 64), "the least that is no slower"
    assert measured[-1] == {"teacher", "light", "b", "g"}
    taken = len(measured)
    assert Duel(args, "data.yaml", "", 1).choices() == chosen, "another seed is as fast"
    assert len(measured) == taken
    args.times = True
    again = [Duel(args, "data.yaml", "", seed).choices() for seed in (0, 1)]
    assert len(measured) == taken + 1
    assert again[0] == again[1] == {**chosen, "ms": again[0]["ms"]}
    assert again[0]["ms"]["light"] == chosen["ms"]["light"] + 100


def row(way: str, ms: float, seed: int = 0, score: float = 0.5) -> dict[str, Any]:
    scores = {"val": {"map": score}, "test": {"map": score - 0.1}}
    return {"light": "lite", "way": way, "seed": seed, **scores, "minutes": 1.0, "labels": "10", "ms": ms}


def test_the_table_says_what_is_slower_than_the_light_model() -> None:
    rows = [row("teacher", 9.0), row(UNTRAINED, 2.0), row("a", 2.0), row("b", 2.2)]
    lines = table(rows, {"held out": "val", "test": "test"}).splitlines()
    assert [line.split(" | ")[4] for line in lines[2:]] == ["9.0", "2.0", "2.0", "2.2, over"]
    assert [line.split(" | ")[1:3] for line in lines[2:3]] == [["0.500", "0.400"]]


def test_further_seeds_stand_beside_what_was_there_and_others_in_its_place() -> None:
    before = [row("a", 2.0), row("b", 2.0)]
    after = merged(before, [row("b", 3.0), row("a", 2.0, seed=1, score=0.7)])
    assert [(found["way"], found["seed"], found["ms"]) for found in after] == [
        ("a", 0, 2.0),
        ("b", 0, 3.0),
        ("a", 1, 2.0),
    ]
    assert "| a | 0.600 ± 0.141 | 2 |" in table([row(UNTRAINED, 2.0), *after], {"mAP50-95": "val"})


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
