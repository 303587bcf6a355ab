"""`demo/search.py`: the best blocks within a time budget."""

import itertools
import random
import subprocess
import sys
from pathlib import Path

import pytest
from yolo_plugins.demo.search import Option, Table, pick, render
from yolo_plugins.models.building import yolo


def rows(seed: int) -> Table:
    draw = random.Random(seed)
    return {
        i: [Option(str(k), draw.randrange(1, 400) / 100, draw.random()) for k in range(draw.randrange(1, 5))]
        for i in range(5)
    }


@pytest.mark.parametrize("seed", range(5))
def test_no_other_choice_within_the_budget_is_worth_more(seed: int) -> None:
    table = rows(seed)
    every = list(itertools.product(*table.values()))
    budget = sorted(sum(o.ms for o in choice) for choice in every)[len(every) // 2] + 1e-9
    best = max(sum(o.worth for o in choice) for choice in every if sum(o.ms for o in choice) <= budget)
    chosen = pick(table, budget)
    assert list(chosen) == list(table)
    assert sum(o.ms for o in chosen.values()) <= budget
    assert sum(o.worth for o in chosen.values()) == pytest.approx(best)


def test_a_budget_below_the_fastest_blocks_is_refused_with_both_times() -> None:
    table = {0: [Option("a", 2.0, 1.0), Option("b", 1.5, 0.5)], 1: [Option("a", 1.0, 1.0)]}
    with pytest.raises(ValueError, match=r"2\.50 ms together, more than the budget of 2\.00 ms"):
        pick(table, 2.0)
    with pytest.raises(ValueError, match=r"3\.50 ms together"):
        pick(table, 3.0, rest=1.0)


def test_the_chosen_blocks_are_starred() -> None:
    table = {4: [Option("stock", 2.0, 1.0), Option("Ghost", 0.5, 0.25)]}
    _, line = render(table, pick(table, 1.0), "onnx").splitlines()
    assert line.split() == ["4", "2.00", "/", "1.00", "0.50", "/", "0.25*"]


@pytest.mark.slow
def test_the_script_writes_a_model_that_ultralytics_builds(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "yolo_plugins.demo.search", "yolov8n.yaml", "-o", "picked.yaml"]
    quick = ["--imgsz", "64", "--rounds", "2", "--budget", "0.7"]
    out = subprocess.run([*command, *quick], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "× as fast" in out.stdout
    assert yolo(tmp_path / "picked.yaml").task == "detect"
