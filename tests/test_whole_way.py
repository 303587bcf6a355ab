"""`transplant --data --epochs`: a light model learns without labels, then with them, the teacher beside it."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import ultralytics.utils
import yaml
from conftest import Environment
from ultralytics import YOLO
from ultralytics.nn.tasks import DetectionModel
from yolo_plugins import Schedule
from yolo_plugins.cli import main
from yolo_plugins.demo.dataset import CLASSES
from yolo_plugins.models.building import load, save
from yolo_plugins.transplanting import whole_way
from yolo_plugins.transplanting.checkpoint import Light

SHORT = Schedule(block_steps=1, joint_steps=2, recalibration=1)
FEW = ["--block-steps", "1", "--joint-steps", "2", "--batch", "2", "--train", "workers=0", "batch=4"]


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("teacher") / "best.pt"
    torch.manual_seed(0)
    network: Any = DetectionModel("yolov8n.yaml", nc=len(CLASSES), verbose=False)
    network.names, network.task, network.args = dict(enumerate(CLASSES)), "detect", {}
    save(network, file, {"imgsz": 64})
    return file


def asked(teacher: Path, shapes: Path, epochs: int = 1) -> list[str]:
    return ["transplant", str(teacher), "--swap", "lite", "--data", str(shapes), "--epochs", str(epochs), *FEW]


@pytest.mark.slow
def test_one_command_goes_the_whole_way_in_a_fresh_process(
    active: Environment, teacher: Path, shapes: Path, tmp_path: Path
) -> None:
    before = teacher.read_bytes()
    done = active.run("yolo-plugins", *asked(teacher, shapes), "-o", "light.pt", cwd=tmp_path)
    said = done.stdout
    for line in ("teacher ", "transplanted, without labels ", "then 1 epoch with labels ", "peak memory ", "kept: "):
        assert line in said
    assert "dis_loss" in said + done.stderr, "the teacher was beside it"
    assert [path.name for path in tmp_path.glob("*light*")] == ["light.pt"]
    assert teacher.read_bytes() == before
    done = active.run("yolo", "val", "model=light.pt", f"data={shapes}", "imgsz=64", "workers=0", cwd=tmp_path)
    assert "mAP50-95" in done.stdout + done.stderr


@pytest.mark.slow
def test_a_command_that_is_killed_in_the_epochs_goes_on_from_the_last_one(
    teacher: Path, shapes: Path, tmp_path: Path
) -> None:
    program = "import sys; from yolo_plugins.cli import main; sys.exit(main())"
    kill = (
        "import os; from ultralytics.utils.callbacks.base import default_callbacks as callbacks; "
        "end = lambda trainer: os.kill(os.getpid(), 9) if trainer.epoch == 1 else None; "
        "callbacks['on_train_batch_end'].append(end); "
    )

    def start(code: str, *words: str) -> subprocess.CompletedProcess[str]:
        arguments = [sys.executable, "-c", code, *asked(teacher, shapes, 2), "-o", "light.pt", *words]
        return subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True, timeout=300)

    assert start(kill + program).returncode == -signal.SIGKILL
    assert [path.name for path in tmp_path.iterdir()] == [".light.pt.stages"]
    other = start(program, "--seed", "1")
    assert other.returncode == 1
    assert "is of a stopped run with other settings; remove it to begin anew" in other.stderr.splitlines()[-1]
    again = start(program)
    assert again.returncode == 0, again.stderr
    assert "learning from" not in again.stdout
    assert "Resuming training" in again.stdout + again.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["light.pt"]


class Trained:
    """In place of an actual training: what it was asked for, and the checkpoint that it was given."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **scores: float) -> None:
        self.arguments: dict[str, Any] = {}
        self.scores = scores
        monkeypatch.setattr(whole_way, "trained", self.train)
        monkeypatch.setattr(whole_way, "validate", self.validate)

    def train(self, folder: Path, model: str, data: Path, **arguments: Any) -> Path:
        self.arguments = arguments
        network, settings = load(model)
        save(network, folder / "trained.pt", settings)
        return folder / "trained.pt"

    def validate(self, model: Path, data: Path, **_: Any) -> dict[str, float]:
        score = self.scores.get(model.stem, 0.5)
        return {"map": score, "map50": score}


def whole(teacher: Path, data: Path, output: Path, **options: Any) -> whole_way.Outcome:
    options = {"schedule": SHORT, "options": {"batch": 2}, **options}
    return whole_way.WholeWay(teacher, data, output, Light("se"), 3, **options).run()


def test_the_teacher_is_beside_the_light_model_and_the_best_is_kept(
    teacher: Path, shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = Trained(monkeypatch, best=0.6, light=0.3, trained=0.4)
    outcome = whole(teacher, shapes, tmp_path / "light.pt", arguments={"lr0": 0.1})
    assert training.arguments["distill_model"] == str(teacher)
    wanted = {"epochs": 3, "imgsz": 64, "lr0": 0.1, "optimizer": "AdamW"}
    assert {key: training.arguments[key] for key in wanted} == wanted
    assert {name: score["map"] for name, score in outcome.scores.items()} == {
        "teacher": 0.6, "transplanted": 0.3, "trained": 0.4,
    }  # fmt: skip
    assert outcome.kept == "trained"
    assert outcome.notes == []
    assert outcome.memory > 50
    assert [path.name for path in tmp_path.iterdir()] == ["light.pt"]
    assert YOLO(tmp_path / "light.pt").predict(np.zeros((64, 64, 3), np.uint8), imgsz=64, verbose=False)


def test_epochs_that_make_it_worse_are_not_kept(
    teacher: Path, shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Trained(monkeypatch, light=0.5, trained=0.4)
    outcome = whole(teacher, shapes, tmp_path / "light.pt")
    assert outcome.kept == "transplanted"
    assert outcome.notes == ["no epoch was better than the transplant itself, which is kept"]


def test_an_ultralytics_without_distillation_trains_without_the_teacher_and_says_so(
    teacher: Path, shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(ultralytics.utils.DEFAULT_CFG_DICT, "distill_model")
    training = Trained(monkeypatch)
    outcome = whole(teacher, shapes, tmp_path / "light.pt")
    assert "distill_model" not in training.arguments
    assert outcome.notes == [f"trained without the teacher: Ultralytics {ultralytics.__version__} has no distill_model"]


def test_other_classes_keep_what_the_teacher_knows_of_them_by_name(
    teacher: Path, shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Trained(monkeypatch)
    data = tmp_path / "data.yaml"
    data.write_text(yaml.safe_dump({**yaml.safe_load(shapes.read_text()), "names": ["star", "ring", "Disc"]}))
    outcome = whole(teacher, data, tmp_path / "light.pt")
    assert outcome.report.classes == "classes: 4 → 3; star Disc known to the teacher, ring learned anew"
    assert outcome.notes == ["the teacher has other classes, so it is not measured"]
    assert "teacher" not in outcome.scores
    light = load(tmp_path / "light.pt")[0]
    assert light.names == {0: "star", 1: "ring", 2: "Disc"}
    assert light.yaml["nc"] == light.model[-1].nc == 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(["--data", "shapes.yaml"], "--data and --epochs go together", id="no epochs"),
        pytest.param(["--epochs", "2", "--images", "."], "--data and --epochs go together", id="no data"),
        pytest.param([], "give --images, a folder of images without labels, or --data and --epochs", id="no images"),
        pytest.param(["--data", "x.yaml", "--epochs", "2"], "x.yaml does not exist", id="no such data"),
        pytest.param(["--data", "x.yaml", "--epochs", "0"], "--epochs 0 is too small", id="no epoch"),
        pytest.param(["--data", "x.yaml", "--epochs", "1", "--nc", "2"], "names the classes itself", id="classes"),
        pytest.param(["--images", ".", "--train", "lr0=1"], "--train is for the epochs", id="no training"),
        pytest.param(["--data", "{data}", "--epochs", "1", "--train", "lr0"], "KEY=VALUE", id="no value"),
        pytest.param(["--data", "{data}", "--epochs", "1", "-o", "light.onnx"], "must end in .pt", id="ending"),
    ],
)
def test_what_does_not_go_together_is_said_in_one_line(
    teacher: Path, shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, words: list[str],
    message: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    words = [word.format(data=shapes) for word in words]
    assert main(["transplant", str(teacher), "--swap", "lite", "-o", "light.pt", *words]) == 1
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert message in said[0]
    assert os.listdir(tmp_path) == []


def test_the_light_model_is_called_after_its_teacher_and_recipe_where_no_name_is_given(
    teacher: Path, tmp_path: Path, capsys: Any
) -> None:
    (tmp_path / "best.pt").write_bytes(teacher.read_bytes())
    (tmp_path / "best-lite.pt").touch()
    assert main(["transplant", str(tmp_path / "best.pt"), "--swap", "lite", "--images", str(tmp_path)]) == 1
    assert "best-lite.pt exists; --force replaces it, -o gives another name" in capsys.readouterr().err
