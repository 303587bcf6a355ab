"""`yolo-plugins compare` from end to end on tiny images: what it measures, keeps, refuses, and goes on with."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from yolo_plugins.cli import main
from yolo_plugins.comparing import formats
from yolo_plugins.comparing.comparison import compare
from yolo_plugins.demo.dataset import write
from yolo_plugins.model_yamls import names

FORMATS = [name for name in ("torch", "onnx", "ncnn") if formats.missing(name) is None]
ROUNDS = 7


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drawn dataset, and weights for it: two models with different weights that know its classes."""
    import patch_ultralytics

    folder = tmp_path_factory.mktemp("compare")
    write(folder / "shapes", train=4, val=6, size=64)
    import torch
    from ultralytics import YOLO

    patch_ultralytics.apply()
    try:
        for seed, name in enumerate(("ghost", "other")):
            torch.manual_seed(seed)
            yolo = YOLO("yolov8n-ghost.yaml")
            yolo.model = type(yolo.model)(yolo.model.yaml, nc=4, verbose=False)
            yolo.model.names = dict(enumerate(("disc", "box", "triangle", "star")))
            for norm in yolo.model.modules():
                if isinstance(norm, torch.nn.BatchNorm2d):
                    norm.momentum = None
            yolo.model.train()(torch.rand(4, 3, 64, 64))  # statistics with which outputs depend on the image
            yolo.save(folder / f"{name}.pt")
    finally:
        patch_ultralytics.revert()
    return folder


def command(folder: Path, *arguments: str, output: str = "report") -> list[str]:
    data = str(folder / "shapes" / "shapes.yaml")
    small = ["--imgsz", "64", "--rounds", str(ROUNDS), "--threads", "1", "-o", str(folder / output)]
    return [sys.executable, "-m", "yolo_plugins.cli", "compare", *arguments, "--data", data, *small]


@dataclass(frozen=True)
class Finished:
    """A comparison that was interrupted once, and then went on to its end."""

    output: Path
    rows: list[dict[str, Any]]
    first: list[str]
    code: int
    kept: bytes
    run: subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def finished(folder: Path) -> Finished:
    """Interrupted by Ctrl-C when torch was done and the export to ONNX began; the same command again."""
    arguments = command(folder, str(folder / "ghost.pt"), "yolov8n-shuffle-seg.yaml", "--formats", *FORMATS)
    first = []
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True, cwd=folder) as run:
        assert run.stderr is not None
        for line in run.stderr:
            first.append(line)
            if "onnx: exporting" in line:
                run.send_signal(signal.SIGINT)
                break
        code = run.wait(60)
    output = folder / "report"
    kept = (output / "measured" / "measured.jsonl").read_bytes()
    again = subprocess.run(arguments, capture_output=True, text=True, cwd=folder, check=False)
    assert again.returncode == 0, again.stderr
    return Finished(output, json.loads((output / "results.json").read_text())["rows"], first, code, kept, again)


def test_every_file_runs_and_agrees_with_torch(finished):
    rows = finished.rows
    assert [(row["model"], row["format"], row["state"]) for row in rows] == [
        (model, form, "ok") for form in FORMATS for model in ("ghost", "yolov8n-shuffle-seg")
    ]
    assert all(row["boxes_px"] < 0.5 and row["scores"] < 0.01 for row in rows)
    assert all(0 <= row["masks"] < 0.01 for row in rows if row["task"] == "segment")


def test_the_costs_are_those_that_ultralytics_counts(finished):
    from yolo_plugins.model_info import describe

    rows = finished.rows
    info = describe("yolov8n-shuffle-seg.yaml", imgsz=64)
    row = next(row for row in rows if row["model"] == "yolov8n-shuffle-seg")
    assert row["params"] == sum(part.params for part in info.rows)
    assert row["gflops"] == pytest.approx(sum(part.gflops for part in info.rows), rel=0.01)


def test_times_sizes_and_memory_are_plausible(finished):
    output, rows = finished.output, finished.rows
    for row in rows:
        assert row["rounds"] == ROUNDS
        assert 0 < row["network_ms_low"] <= row["network_ms"] <= row["network_ms_high"]
        assert 0 < row["ms_low"] <= row["ms"] <= row["ms_high"]
        assert row["memory_mb"] > row["mb"]
    (file,) = (output / "measured").rglob("ghost.onnx")
    (row,) = [row for row in rows if (row["model"], row["format"]) == ("ghost", "onnx")]
    assert row["mb"] == file.stat().st_size / 1e6
    memory = {row["format"]: row["memory_mb"] for row in rows if row["model"] == "ghost"}
    assert memory["onnx"] < memory["torch"] / 2  # the process of ONNX Runtime holds no torch


def test_accuracy_is_measured_with_weights_and_only_then(finished):
    rows = finished.rows
    for row in rows:
        if row["model"] == "ghost":
            assert 0 <= row["map"] <= 1
        else:
            assert (row["map"], row["accuracy_note"]) == (None, "no weights")


def test_the_run_prints_its_answer_and_where_the_report_is(finished):
    output, run = finished.output, finished.run
    assert "Smallest: " in run.stdout
    assert f"report: {output}/report.html" in run.stdout
    assert (output / "report.html").stat().st_size > 10_000


def test_nothing_is_written_beside_the_report(finished, folder):
    assert {path.name for path in folder.iterdir()} == {"shapes", "ghost.pt", "other.pt", "report"}


def test_a_second_run_measures_nothing_and_judges_by_its_budget(finished, folder):
    """No step is repeated; the exit code tells whether a file keeps the budget."""
    output, rows = finished.output, finished.rows
    kept = (output / "measured" / "measured.jsonl").read_bytes()
    arguments = [str(folder / "ghost.pt"), "yolov8n-shuffle-seg.yaml", "--formats", *FORMATS]
    for budget, code in ((["--max-mb", "100"], 0), (["--max-mb", "0.1"], 1)):
        run = subprocess.run(
            command(folder, *arguments, *budget), capture_output=True, text=True, cwd=folder, check=False
        )
        assert run.returncode == code, run.stderr
        assert "exporting" not in run.stderr
    assert "Nothing keeps the budget (at most 0.1 MB)" in run.stdout
    assert (output / "measured" / "measured.jsonl").read_bytes() == kept
    again = json.loads((output / "results.json").read_text())["rows"]
    assert again == rows


def test_a_file_that_is_another_models_is_marked_wrong(finished, folder, tmp_path):
    """The same shapes, other weights: it runs as fast as the right one, and must not win."""
    output = tmp_path / "report"
    shutil.copytree(finished.output, output)
    measured = output / "measured"
    lines = (measured / "measured.jsonl").read_text().splitlines(keepends=True)
    (measured / "measured.jsonl").write_text("".join(line for line in lines if '"key": "measure/' not in line))
    from ultralytics import YOLO

    import patch_ultralytics

    patch_ultralytics.apply()
    try:
        other = YOLO(shutil.copy(folder / "other.pt", tmp_path)).export(format="onnx", imgsz=64)
    finally:
        patch_ultralytics.revert()
    (file,) = measured.rglob("ghost.onnx")
    shutil.copy(other, file)
    data = str(folder / "shapes" / "shapes.yaml")
    (row,) = compare(
        [str(folder / "ghost.pt")], data=data, formats=["onnx"], imgsz=64, output=str(output), threads=1, rounds=1
    )
    assert row["state"] == "wrong"
    assert "from torch's" in row["reason"]
    assert json.loads((output / "results.json").read_text())["winner"] is None


def test_an_interrupted_run_goes_on_where_it_stopped(finished):
    assert finished.code == 130
    assert finished.kept.count(b'"round/') == ROUNDS
    assert any("torch: timing" in line for line in finished.first)
    assert "torch: timing" not in finished.run.stderr
    assert "onnx: timing" in finished.run.stderr
    assert (finished.output / "measured" / "measured.jsonl").read_bytes().startswith(finished.kept)


def test_a_missing_runtime_is_a_cell_not_a_crash(finished, folder, tmp_path, monkeypatch):
    output = tmp_path / "report"
    shutil.copytree(finished.output, output)
    monkeypatch.setitem(formats.NEEDS, "openvino", ("openvino_that_is_not_there",))
    data = str(folder / "shapes" / "shapes.yaml")
    rows = compare([str(folder / "ghost.pt")], data=data, formats=["openvino"], imgsz=64, output=str(output), threads=1)
    assert [(row["state"], row["reason"]) for row in rows] == [
        ("missing", "openvino_that_is_not_there not installed: pip install openvino_that_is_not_there")
    ]
    assert "pip install openvino_that_is_not_there" in (output / "report.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gone.pt"], "gone.pt does not exist"),
        (["yolov8n.yaml", "yolov8n.yaml"], "two models are named yolov8n"),
        (["yolov8n.yaml", "--formats", "onxx"], "unknown format 'onxx'; did you mean onnx?"),
        (["yolov8n.yaml", "--imgsz", "100"], "imgsz=100 is no multiple of the stride 32; the nearest is 96"),
        (["yolov8n.yaml", "--data", "gone.yaml"], "gone.yaml does not exist"),
        (["yolov8n.yaml", "-o", "file/report"], "cannot write into file/report"),
        (["yolov8n.yaml", "--train"], "training needs --data"),
        (["yolov8n.yaml", "--train", "epochs"], "--train takes KEY=VALUE"),
        (["yolov8n.yaml", "--rounds", "0"], "rounds=0 must be at least 1"),
        (["yolov8n.yaml", "--threads", "0"], "threads=0 must be at least 1"),
    ],
    ids=lambda value: " ".join(value[-2:]) if isinstance(value, list) else "",
)
def test_what_cannot_be_compared_is_refused_in_one_sentence_at_once(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    start = time.monotonic()
    assert main(["compare", *arguments]) == 1
    error = capsys.readouterr().err.strip()
    assert message in error
    assert "\n" not in error
    assert time.monotonic() - start < 20
    assert not (tmp_path / "comparison").exists() or not any((tmp_path / "comparison").glob("*.html"))


def test_weights_for_other_classes_are_refused(folder, tmp_path):
    path = tmp_path / "data.yaml"
    text = (folder / "shapes" / "shapes.yaml").read_text()
    path.write_text(f"path: {folder / 'shapes'}\ntrain: images/train\nval: images/val\nnames: [a, b]\n")
    assert "names" in text
    with pytest.raises(ValueError, match=r"knows 4 classes, but .*data\.yaml has 2"):
        compare([str(folder / "ghost.pt")], data=str(path), formats=["torch"], imgsz=64, output=str(tmp_path / "r"))


LIMITS: dict[tuple[str, str], str] = {}
"""Cells that a runtime cannot run, by model and format, with what their reason must say."""


@pytest.mark.slow
def test_every_model_yaml_exports_to_every_runtime_and_agrees(tmp_path):
    models = [name.replace("yolov8", "yolov8n", 1) for name in names()]
    forms = [*formats.DEFAULT, "dnn"]
    rows = compare(models, formats=forms, imgsz=64, output=str(tmp_path / "matrix"), rounds=1, threads=os.cpu_count())
    assert len(rows) == len(models) * len(forms)
    for row in rows:
        limit = LIMITS.get((row["model"], row["format"]))
        assert row["state"] == "ok" if limit is None else limit in row["reason"], row


@pytest.mark.slow
def test_training_runs_spread_over_a_local_ray(folder, tmp_path):
    pytest.importorskip("ray")
    data = str(folder / "shapes" / "shapes.yaml")
    arguments = ["--train", "epochs=1", "imgsz=64", "batch=4", "workers=0", "--seeds", "0", "1", "--ray"]
    run = subprocess.run(
        [sys.executable, "-m", "yolo_plugins.cli", "compare", "yolov8n-ghost.yaml", "--data", data,
         "--formats", "torch", "--imgsz", "64", "--rounds", "1", "-o", str(tmp_path / "r"), *arguments],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    (row,) = json.loads((tmp_path / "r" / "results.json").read_text())["rows"]
    assert (row["state"], row["seeds"]) == ("ok", 2)
    assert row["map_spread"] >= 0
    weights = [(tmp_path / "r" / "measured" / "trained" / f"yolov8n-ghost-seed{i}.pt").read_bytes() for i in (0, 1)]
    assert weights[0] != weights[1]
    assert "through Ray" in run.stderr
