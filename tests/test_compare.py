"""`yolo-plugins compare` from end to end on tiny images: what it measures, keeps, and goes on with."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from yolo_plugins.comparing import compare, formats
from yolo_plugins.comparing.intervals import FEWEST
from yolo_plugins.model_yamls import names
from yolo_plugins.models.building import save, yolo
from yolo_plugins.rows.yaml_files import with_scale

FORMATS = [name for name in ("torch", "onnx") if not formats.absent(name)]
ROUNDS = 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models with different weights that know the classes of `shapes`."""
    folder = tmp_path_factory.mktemp("compare")
    for seed, name in enumerate(("ghost", "other")):
        torch.manual_seed(seed)
        model = yolo("yolov8n-ghost.yaml").model
        network = type(model)(model.yaml, nc=4, verbose=False)
        network.names, network.task, network.args = dict(enumerate(("disc", "box", "triangle", "star"))), "detect", {}
        for norm in network.modules():
            if isinstance(norm, torch.nn.BatchNorm2d):
                norm.momentum = None
        network.train()(torch.rand(4, 3, 64, 64))  # statistics with which outputs depend on the image
        save(network, folder / f"{name}.pt")
    return folder


def command(folder: Path, data: Path, *arguments: str) -> list[str]:
    models = [str(folder / "ghost.pt"), "yolov8n-shuffle-seg.yaml", "--data", str(data), "--formats", *FORMATS]
    small = ["--imgsz", "64", "--rounds", str(ROUNDS), "--threads", "1", "-o", str(folder / "report")]
    return [sys.executable, "-m", "yolo_plugins.cli", "compare", *models, *small, *arguments]


def heed_ctrl_c() -> None:
    """What a program in the background starts would ignore SIGINT, as it does itself."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture(scope="module")
def finished(folder: Path, shapes: Path) -> SimpleNamespace:
    """Interrupted by Ctrl-C when torch was done and the export to ONNX began; the same command again."""
    arguments, first = command(folder, shapes), []
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True, cwd=folder, preexec_fn=heed_ctrl_c) as run:
        assert run.stderr is not None
        for line in run.stderr:
            first.append(line)
            if "onnx: exporting" in line:
                run.send_signal(signal.SIGINT)
                break
        code = run.wait(60)
    output = folder / "report"
    kept = (output / "measured" / "measured.jsonl").read_bytes()
    run = subprocess.run(arguments, capture_output=True, text=True, cwd=folder, check=False)
    assert run.returncode == 0, run.stderr
    rows = json.loads((output / "results.json").read_text())["rows"]
    return SimpleNamespace(output=output, rows=rows, first="".join(first), code=code, kept=kept, run=run)


def test_every_file_runs_and_agrees_with_torch(finished):
    rows = finished.rows
    assert [(row["model"], row["format"], row["state"]) for row in rows] == [
        (model, form, "ok") for form in FORMATS for model in ("ghost", "yolov8n-shuffle-seg")
    ]
    assert all(row["boxes_px"] < 0.5 and row["scores"] < 0.01 for row in rows)
    assert all(0 <= row["masks"] < 0.01 for row in rows if row["task"] == "segment")


def test_the_costs_are_those_that_ultralytics_counts(finished):
    from yolo_plugins.inspection.info import describe

    info = describe("yolov8n-shuffle-seg.yaml", imgsz=64)
    row = next(row for row in finished.rows if row["model"] == "yolov8n-shuffle-seg")
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
    assert all(0 <= row["map"] <= 1 for row in finished.rows if row["model"] == "ghost")
    others = {(row["map"], row["accuracy_note"]) for row in finished.rows if row["model"] != "ghost"}
    assert others == {(None, "no weights")}


def test_the_run_prints_its_answer_and_writes_its_report_and_nothing_beside_it(finished, folder):
    output, run = finished.output, finished.run
    assert "The most accurate is " in run.stdout or "The fastest" in run.stdout
    assert f"report: {output}/report.html" in run.stdout
    assert (output / "report.html").stat().st_size > 10_000
    assert {path.name for path in folder.iterdir()} == {"ghost.pt", "other.pt", "report"}


def test_an_interrupted_run_goes_on_where_it_stopped(finished):
    assert finished.code == 130
    assert finished.kept.count(b'"round/') == ROUNDS
    assert "torch: timing" in finished.first
    assert "torch: timing" not in finished.run.stderr
    assert "onnx: timing" in finished.run.stderr
    assert (finished.output / "measured" / "measured.jsonl").read_bytes().startswith(finished.kept)


def test_a_second_run_measures_nothing_and_judges_by_its_budget(finished, folder, shapes):
    """No step is repeated; the exit code tells whether a file keeps the budget."""
    kept = (finished.output / "measured" / "measured.jsonl").read_bytes()
    for budget, code in (("100", 0), ("0.1", 1)):
        arguments = command(folder, shapes, "--max-mb", budget)
        run = subprocess.run(arguments, capture_output=True, text=True, cwd=folder, check=False)
        assert run.returncode == code, run.stderr
        assert "exporting" not in run.stderr
    assert "No file keeps the budget of at most 0.1 MB: the smallest has " in run.stdout
    assert (finished.output / "measured" / "measured.jsonl").read_bytes() == kept
    assert json.loads((finished.output / "results.json").read_text())["rows"] == finished.rows


@pytest.fixture
def again(finished, folder, shapes, tmp_path) -> dict[str, Any]:
    """Arguments of a further comparison in a copy of the finished one's folder."""
    output = shutil.copytree(finished.output, tmp_path / "report")
    return {"models": [str(folder / "ghost.pt")], "data": str(shapes), "imgsz": 64, "output": str(output), "threads": 1}


def test_a_file_that_is_another_models_is_marked_wrong(again, folder, tmp_path):
    """The same shapes, other weights: it runs as fast as the right one, and must not win."""
    measured = Path(again["output"]) / "measured"
    lines = (measured / "measured.jsonl").read_text().splitlines(keepends=True)
    (measured / "measured.jsonl").write_text("".join(line for line in lines if '"key": "measure/' not in line))
    other = yolo(shutil.copy(folder / "other.pt", tmp_path)).export(format="onnx", imgsz=64)
    (file,) = measured.rglob("ghost.onnx")
    shutil.copy(other, file)
    (row,) = compare(**again, formats=["onnx"], rounds=1)
    assert row["state"] == "wrong"
    assert "from torch's" in row["reason"]
    assert json.loads((Path(again["output"]) / "results.json").read_text())["winner"] is None


def test_a_missing_runtime_is_a_cell_not_a_crash(again, monkeypatch):
    monkeypatch.setitem(formats.NEEDS, "openvino", ("openvino_that_is_not_there", "yaml"))
    rows = compare(**again, formats=["openvino"])
    assert [(row["state"], row["reason"]) for row in rows] == [
        ("missing", "openvino_that_is_not_there not installed: pip install openvino_that_is_not_there")
    ]
    assert "pip install openvino_that_is_not_there" in (Path(again["output"]) / "report.md").read_text()


@pytest.mark.skipif(bool(formats.absent("ncnn")), reason="ncnn or pnnx is not installed")
@pytest.mark.slow
def test_a_precision_that_does_not_exist_is_a_row_that_says_so(again):
    plain, eight = compare(**again, formats=["ncnn"], quantize=[8], rounds=1)
    assert (plain["state"], plain["bits"], plain["recipe"]) == ("ok", 32, "")
    assert (eight["state"], eight["bits"], eight["recipe"]) == ("none", 8, "ultralytics")
    page = (Path(again["output"]) / "report.html").read_text()
    assert "NCNN has no 8 bits in Ultralytics&#x27; export." in page


@pytest.mark.slow
def test_fewer_bits_are_compared_with_32_bits_of_the_same_format(again):
    """Ultralytics' recipe and ours apart, the runtime's own default where it is another; all run and are judged."""
    found = compare(**again, formats=["onnx", "openvino", "ncnn", "mnn"], quantize=[8, 16], rounds=FEWEST)
    rows = {(row["format"], row["bits"], row["recipe"]): row for row in found}
    wanted = [("onnx", 8, "yolo-plugins"), ("openvino", 8, "yolo-plugins"), ("ncnn", 16, "ultralytics")]
    wanted += [(form, bits, "ultralytics") for form in ("onnx", "openvino", "mnn") for bits in (8, 16)]
    assert rows.keys() >= {*wanted, ("onnx", 32, ""), ("openvino", 32, ""), ("ncnn", 32, "")}
    for row in map(rows.get, wanted):
        assert row["state"] in ("ok", "wrong"), row["reason"]
        assert row["own_speedup_low"] <= row["own_speedup"] <= row["own_speedup_high"]
        assert 0 <= row["map"] <= 1
        assert 0 <= row["same_boxes"] <= 1
        assert row["mb"] < rows[row["format"], 32, ""]["mb"]


def test_weights_for_other_classes_are_refused(again, shapes, tmp_path):
    data = tmp_path / "data.yaml"
    data.write_text(f"path: {shapes.parent}\ntrain: images/train\nval: images/val\nnames: [a, b]\n")
    with pytest.raises(ValueError, match=r"knows 4 classes, but .*data\.yaml has 2"):
        compare(**{**again, "data": str(data)}, formats=["torch"])


@pytest.mark.slow
@pytest.mark.parametrize("those", ["yolov8-lite", "yolo11-lite", "yolo26-lite", "others"])
def test_every_model_yaml_exports_to_every_runtime_and_agrees(those, tmp_path):
    lite = [name for name in names() if those in name]
    models = [with_scale(name, "n") for name in lite or names() if lite or "-lite" not in name]
    forms = ["torch", "torchscript", "onnx", "openvino", "ncnn", "mnn", "dnn"]
    rows = compare(models, formats=forms, imgsz=64, output=str(tmp_path / "matrix"), rounds=1, threads=os.cpu_count())
    assert len(rows) == len(models) * len(forms)
    assert [row for row in rows if row["state"] != "ok"] == []


@pytest.mark.slow
@pytest.mark.parametrize("where", ["here", "by Ray"])
def test_models_without_weights_are_trained_with_every_seed(where, shapes, tmp_path, capfd):
    """One after the other, or spread over a local Ray."""
    if where == "by Ray":
        pytest.importorskip("ray")
    train = {"epochs": 1, "imgsz": 64, "batch": 4, "workers": 0}
    (row,) = compare(
        ["yolov8n-ghost.yaml"], data=str(shapes), formats=["torch"], imgsz=64, rounds=1, output=str(tmp_path / "r"),
        train=train, seeds=[0, 1], ray=where == "by Ray",
    )  # fmt: skip
    assert (row["state"], row["seeds"]) == ("ok", 2)
    assert row["map_spread"] >= 0
    weights = [(tmp_path / "r" / "measured" / "trained" / f"yolov8n-ghost-seed{i}.pt").read_bytes() for i in (0, 1)]
    assert weights[0] != weights[1]
    assert ("through Ray" in capfd.readouterr().err) is (where == "by Ray")
