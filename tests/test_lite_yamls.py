"""The lite YAMLs of every family and task, through whatever else Ultralytics does with a model while it trains it."""

import signal
from pathlib import Path

import pytest
import torch
from conftest import Environment
from task_datasets import data_for
from yolo_plugins.model_yamls import names
from yolo_plugins.models.building import build
from yolo_plugins.rows.yaml_files import with_scale

LITE = [with_scale(name, "n") for name in names() if "-lite" in name]
QUICK = ("yolov8n-lite.yaml", "yolo11n-lite-obb.yaml", "yolo26n-lite-pose.yaml", "yolo26n-lite-cls.yaml")


@pytest.mark.usefixtures("patched")
@pytest.mark.parametrize("name", [pytest.param(n, marks=() if n in QUICK else pytest.mark.slow) for n in LITE])
def test_stock_weights_are_taken_row_by_row_and_leave_the_head(name: str) -> None:
    stock, light = build(name.replace("-lite", "")), build(name)
    head = len(light.model) - 1
    before = [type(m) for m in light.model[-1].modules()]
    light.load(stock)
    assert [type(m) for m in light.model[-1].modules()] == before
    ours, theirs = light.state_dict(), stock.state_dict()
    fitting = {n for n in ours if n in theirs and ours[n].shape == theirs[n].shape}
    taken = {n for n in fitting if torch.equal(ours[n], theirs[n])}
    untouched = {i for i, layer in enumerate(stock.model) if type(layer) is type(light.model[i])}
    wanted = {n for n in theirs if int(n.split(".")[1]) in untouched} | {"model.0.conv.weight", "model.1.conv.weight"}
    assert wanted <= taken
    assert {n for n in fitting if not n.startswith(f"model.{head}.")} <= taken


@pytest.mark.slow
@pytest.mark.parametrize("model", LITE)
def test_a_lite_model_trains_in_a_ddp_worker_and_after_a_kill_and_loads_where_loading_is_restricted(
    model: str, active: Environment, shapes: Path, folders: Path, tmp_path: Path
) -> None:
    data, image = data_for(model, shapes, folders, tmp_path)
    options = f"data=r'{data}', imgsz=64, batch=4, workers=0, plots=False, amp=False, project=r'{tmp_path}'"
    generate = f"""
from ultralytics import YOLO
from ultralytics.utils.dist import generate_ddp_file
yolo = YOLO('{model}')
overrides = dict(model='{model}', task=yolo.task, epochs=1, name='ddp', device='cpu', {options})
print('FILE', generate_ddp_file(yolo._smart_load('trainer')(overrides=overrides)))
"""
    file = active.run("python", "-c", generate, cwd=tmp_path).stdout.split("FILE")[1].strip()
    done = active.run("python", file, cwd=tmp_path)
    assert "yolo_plugins.RepGhostStage" in done.stdout + done.stderr
    interrupt = f"""
import os, signal
from ultralytics import YOLO
model = YOLO(r'{tmp_path / "ddp" / "weights" / "last.pt"}')
kill = lambda trainer: os.kill(os.getpid(), signal.SIGKILL) if trainer.epoch == 1 else None
model.add_callback('on_train_batch_end', kill)
model.train(epochs=2, name='r', {options})
"""
    assert active.run("python", "-c", interrupt, cwd=tmp_path, check=False).returncode == -signal.SIGKILL
    last = tmp_path / "r" / "weights" / "last.pt"
    done = active.run("yolo", "train", "resume", f"model={last}", cwd=tmp_path)
    assert "Resuming training" in done.stdout + done.stderr
    assert len((tmp_path / "r" / "results.csv").read_text().splitlines()) == 3
    predict = ["yolo", "predict", f"model={last}", f"source={image}", "imgsz=64", f"project={tmp_path}", "name=p"]
    active.run(*predict, cwd=tmp_path, ULTRALYTICS_SAFE_LOAD="1")
    assert list((tmp_path / "p").iterdir())
