"""`transplant` beyond boxes: masks, keypoints, angles, whole images; heads of another form than the teacher's."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from conftest import mostly_slow
from torch import nn
from ultralytics import YOLO
from yolo_plugins import Schedule, model_yamls
from yolo_plugins.models.building import build, load, save
from yolo_plugins.transplanting.checkpoint import Light, transplant_checkpoint
from yolo_plugins.transplanting.distances import predictions, rebinned
from yolo_plugins.transplanting.recording import recorded
from yolo_plugins.transplanting.students import light_student

pytestmark = pytest.mark.usefixtures("patched")

SHORT = Schedule(block_steps=2, joint_steps=2, recalibration=2)
BOXES = {"cv2.0", "cv2.1", "cv2.2", "cv3.0", "cv3.1", "cv3.2"}
MORE = {"cv4.0", "cv4.1", "cv4.2"}
KEYPOINTS = {f"cv4{part}.{i}" for part in ("", "_kpts", "_sigma") for i in range(3)}


def both(names: set[str]) -> set[str]:
    """Of both halves of an end-to-end head."""
    return {half + name for half in ("", "one2one_") for name in names}


TASKS = {
    "yolov8n-seg": {*BOXES, *MORE, "proto"},
    "yolov8n-pose": BOXES | MORE,
    "yolo11n-obb": BOXES | MORE,
    "yolov8n-cls": {"linear"},
    "yolo26n": both(BOXES),
    "yolo26n-seg": {*both(BOXES | MORE), "proto"},
    "yolo26n-pose": both(BOXES | KEYPOINTS),
    "yolov10n": both(BOXES),
}
"""What of each head is learned."""


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    noise = np.random.default_rng(0)
    for i in range(4):
        coarse = noise.integers(0, 255, (6, 8, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f"{i}.jpg"), cv2.resize(coarse, (64, 48), interpolation=cv2.INTER_CUBIC))
    return folder


def teacher(name: str) -> Any:
    torch.manual_seed(0)
    network = build(f"{name}.yaml")
    network.args = {}
    return network.eval()


@pytest.mark.parametrize("name", TASKS)
def test_all_that_a_light_head_gives_is_learned_from_the_teachers(name: str) -> None:
    network = teacher(name)
    student = light_student(network, name, "lite", None, False)
    head = f"model.{len(network.model) - 1}."
    assert {part.removeprefix(head) for part in predictions(network, student)} == TASKS[name]


@pytest.mark.parametrize("name", ["yolov8n-seg", "yolov8n-pose", *(
    pytest.param(name, marks=pytest.mark.slow) for name in TASKS if name not in ("yolov8n-seg", "yolov8n-pose")
)])  # fmt: skip
def test_a_teacher_of_any_task_becomes_a_light_model_that_predicts(name: str, images: Path, tmp_path: Path) -> None:
    file, output = tmp_path / "best.pt", tmp_path / "light.pt"
    save(teacher(name), file, {"imgsz": 64})
    report, (before, after) = transplant_checkpoint(file, images, output, Light("lite"), batch=2, schedule=SHORT)
    assert after < before
    assert all(np.isfinite(list(report.in_place.values())))
    light = load(output)[0]
    assert light.task == load(file)[0].task
    assert "Lite" in type(light.model[-1]).__name__
    assert YOLO(output).predict(np.zeros((64, 64, 3), np.uint8), imgsz=64, verbose=False)


def rough_yaml(folder: Path, arguments: str) -> str:
    """YOLOv8 with lite's head alone, of other arguments."""
    text = (model_yamls.FOLDER / "yolov8-ghost.yaml").read_text(encoding="utf-8")
    assert "Detect, [nc]" in text
    file = folder / "yolov8n-rough.yaml"
    file.write_text(text.replace("Detect, [nc]", f"plugins.LiteDetect, [nc, {arguments}]"), encoding="utf-8")
    return str(file)


FORMS = ['12, 3, "relu", "merged"', '20, 3, "relu", "shared"', '1, 5, "relu", "zero"']


@pytest.mark.parametrize("arguments", mostly_slow(FORMS, FORMS[:1]))
def test_a_head_of_another_form_and_reach_learns_the_boxes_all_the_same(
    arguments: str, images: Path, tmp_path: Path
) -> None:
    network = teacher("yolov8n")
    for branch in network.model[-1].cv3:  # a teacher that sees something
        nn.init.normal_(branch[-1].weight, std=0.5)
        nn.init.constant_(branch[-1].bias, -1)
    save(network, tmp_path / "best.pt", {"imgsz": 64})
    losses: dict[str, list[float]] = {"blocks": [], "joint": []}
    transplant_checkpoint(
        tmp_path / "best.pt", images, tmp_path / "light.pt", Light(model=rough_yaml(tmp_path, arguments)),
        batch=2, schedule=Schedule(block_steps=15, joint_steps=15, recalibration=2),
        progress=lambda phase, *rest: losses[phase].append(rest[-1]),
    )  # fmt: skip
    for phase in losses.values():
        assert sum(phase[-3:]) < sum(phase[:3])


def test_what_is_beyond_a_shorter_distribution_is_in_its_last_place() -> None:
    distribution = torch.tensor([0.1, 0.2, 0.3, 0.4]).view(1, 1, 4, 1, 1)
    assert rebinned(distribution, 3).flatten().tolist() == pytest.approx([0.1, 0.2, 0.7])
    assert rebinned(distribution, 6).flatten().tolist() == pytest.approx([0.1, 0.2, 0.3, 0.4, 0, 0])
    assert torch.equal(rebinned(distribution, 4), distribution)


@pytest.mark.parametrize("name", ["yolov8n", "yolov8n-seg", "yolov8n-pose", "yolov8n-cls"])
def test_a_model_is_nearer_to_itself_than_to_another(name: str) -> None:
    network, x = teacher(name), torch.rand(2, 3, 64, 64)
    watched = predictions(network, network)
    parts = {part: network.get_submodule(part) for part in watched}
    with torch.no_grad():
        targets = {part: output for part, (_, output) in recorded(network, x, parts).items()}
    for part, distance in watched.items():
        other = targets[part] + torch.randn_like(targets[part])
        assert distance(targets[part], targets[part], targets) < distance(other, targets[part], targets)
