"""`transplant`: swapped blocks learn from unlabelled images what the replaced ones did."""

import copy
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch
import yaml
from torch import nn
from ultralytics import YOLO
from ultralytics.nn.modules import Detect
from yolo_plugins import ConvBNAct, GhostConv, LiteDetect, Schedule, model_yamls, replace, transplant
from yolo_plugins.cli import main
from yolo_plugins.heads.branches import FORMS
from yolo_plugins.models.building import load
from yolo_plugins.training.images import find_images, image_batches
from yolo_plugins.transplanting.checkpoint import Light, transplant_checkpoint
from yolo_plugins.transplanting.classes import with_classes
from yolo_plugins.transplanting.distances import unexplained
from yolo_plugins.transplanting.starting import inherit

SHORT = Schedule(block_steps=3, joint_steps=3, recalibration=2)

pytestmark = pytest.mark.usefixtures("patched")


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    noise = np.random.default_rng(0)
    for i in range(6):
        coarse = noise.integers(0, 255, (6, 8, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f"{i}.jpg"), cv2.resize(coarse, (96, 72), interpolation=cv2.INTER_CUBIC))
    return folder


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    file = tmp_path_factory.mktemp("teacher") / "best.pt"
    torch.manual_seed(0)
    yolo = YOLO("yolov8n.yaml")
    yolo.model.names = {i: f"class {i}" for i in range(80)}
    yolo.save(file)
    return file


def small_model():
    torch.manual_seed(0)
    layers = []
    for c1, c2, s in ((3, 16, 1), (16, 32, 2), (32, 32, 1)):
        layers += [nn.Conv2d(c1, c2, 3, s, padding=1, bias=False), nn.BatchNorm2d(c2), nn.ReLU()]
    model = nn.Sequential(*layers)
    for norm in (m for m in model if isinstance(m, nn.BatchNorm2d)):
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.uniform_(norm.bias, -0.5, 0.5)
    with torch.no_grad():
        for _ in range(100):  # until its statistics are those of the images
            model.train()(smooth())
    return model.eval()


def smooth(n=4):
    return nn.functional.interpolate(torch.rand(n, 3, 8, 8), size=32, mode="bilinear")


def test_a_block_that_can_do_the_same_learns_to():
    teacher = small_model()
    student = copy.deepcopy(teacher)
    replace(student, ConvBNAct)
    report = transplant(teacher, student, smooth, schedule=Schedule(block_steps=60, joint_steps=100))
    assert list(report.alone) == ["3", "6"]
    assert min(report.in_place.values()) > 0.95
    assert not teacher.training


def test_ghost_modules_come_nearer_to_the_replaced_convolutions_with_the_joint_steps():
    teacher = small_model()
    results = {}
    for joint in (0, 150):
        student = copy.deepcopy(teacher)
        replace(student, GhostConv)
        report = transplant(teacher, student, smooth, schedule=Schedule(block_steps=40, joint_steps=joint))
        results[joint] = report.in_place["6"]
    assert results[150] > 0.3
    assert results[150] > results[0] + 0.2


def test_a_ghost_modules_first_maps_begin_as_the_replaced_ones():
    teacher = small_model()
    group = nn.Sequential(*copy.deepcopy(teacher)[3:6])
    ghost = GhostConv(16, 32, 3, 2, act="relu")
    inherit(group, ghost.eval())
    x = torch.rand(2, 16, 16, 16)
    with torch.no_grad():
        torch.testing.assert_close(ghost(x)[:, :16], group(x)[:, :16])


def test_unexplained_is_one_for_the_mean_and_nought_for_the_target():
    target = torch.randn(8, 3, 16, 16)
    assert unexplained(target, target) == 0
    mean = target.mean((0, 2, 3), keepdim=True).expand_as(target)
    assert unexplained(mean, target) == pytest.approx(1 / 1.1, abs=0.02)


def test_a_checkpoint_becomes_a_light_one_that_ultralytics_takes(checkpoint, images, tmp_path):
    kept, output = checkpoint.read_bytes(), tmp_path / "init.pt"
    report, (before, after) = transplant_checkpoint(
        checkpoint, images, output, Light("ghost"), imgsz=64, batch=2, schedule=SHORT
    )
    assert after < before
    assert len(report.in_place) == 13
    assert checkpoint.read_bytes() == kept
    assert [path.name for path in tmp_path.iterdir()] == ["init.pt"]
    light, teacher = load(output)[0], load(checkpoint)[0]
    assert light.names == teacher.names
    assert light.yaml["backbone"][2][2] == "plugins.C2fGhost"
    rebuilt = type(light)(copy.deepcopy(light.yaml), verbose=False)
    rebuilt.load_state_dict(light.state_dict())


def test_a_light_head_learns_from_the_teachers_outputs_whatever_its_branches_share(checkpoint, images, tmp_path):
    losses = []
    arguments = {"imgsz": 64, "batch": 2, "schedule": Schedule(block_steps=12, joint_steps=3, recalibration=2)}
    transplant_checkpoint(
        checkpoint, images, tmp_path / "init.pt", Light("lite"), progress=lambda *at: losses.append(at[-1]), **arguments
    )
    assert losses[11] < losses[0]
    light = load(tmp_path / "init.pt")[0].model[-1]
    assert (light.reg_max, light.stem[0][0].conv.kernel_size) == (12, (3, 3))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("reg_max", [1, 12, 16])
def test_in_any_model_a_light_head_is_taught_by_itself(form, reg_max):
    teacher = nn.Sequential(Levels(), Detect(3, ch=(16, 32)))
    student = nn.Sequential(Levels(), LiteDetect([16, 32], 3, reg_max, 3, form=form))
    losses = []
    schedule = Schedule(block_steps=30, joint_steps=0, recalibration=1)
    x = torch.rand(2, 3, 64, 64)
    transplant(teacher, student, lambda: x, schedule=schedule, progress=lambda *at: losses.append(at[-1]))
    assert losses[-1] < losses[0]


class Levels(nn.Module):
    """Maps of two strides."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Conv2d(3, 16, 3, 8, 1), nn.Conv2d(16, 32, 3, 2, 1)

    def forward(self, x):
        x = self.first(x)
        return [x, self.second(x)]


@pytest.mark.parametrize("swap", ["dwconv-gentle", "se"])
def test_every_layer_that_is_not_swapped_is_the_teachers_before_the_joint_steps(checkpoint, images, tmp_path, swap):
    output = tmp_path / "init.pt"
    short = Schedule(block_steps=1, joint_steps=0, recalibration=1)
    transplant_checkpoint(checkpoint, images, output, Light(swap), imgsz=64, batch=2, schedule=short)
    light, teacher = (dict(load(file)[0].named_parameters()) for file in (output, checkpoint))
    untouched = [name for name in teacher if name.startswith(("model.0.", "model.3.", "model.22."))]
    assert all(torch.equal(light[name].half(), teacher[name].half()) for name in untouched)


def test_another_number_of_classes_begins_them_anew_and_says_so(checkpoint, images, tmp_path):
    output, light = tmp_path / "init.pt", Light("se", names={0: "cat", 1: "dog", 2: "class 7"})
    report, _ = transplant_checkpoint(checkpoint, images, output, light, imgsz=64, batch=2, schedule=SHORT)
    assert str(report).endswith("classes: 80 → 3; class 7 known to the teacher, cat dog learned anew")
    network = load(output)[0]
    assert network.model[-1].nc == network.yaml["nc"] == 3
    assert YOLO(output).predict(np.zeros((64, 64, 3), np.uint8), imgsz=64, verbose=False)


def test_classes_in_another_order_are_found_by_name(checkpoint):
    network = load(checkpoint)[0]
    order = {number: f"class {79 - number}" for number in range(80)}
    other, said = with_classes(network, order)
    assert said.startswith("classes: 80 → 80; class 79 class 78")
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        before, after = (model.eval()(x)[0] for model in (network, other))
    torch.testing.assert_close(after[:, 4:], before[:, 4:].flip(1))
    torch.testing.assert_close(after[:, :4], before[:, :4])
    assert with_classes(network, network.names) == (network, "")


def test_an_aligned_yaml_may_be_given_and_another_is_refused(checkpoint, images, tmp_path):
    output = tmp_path / "init.pt"
    transplant_checkpoint(checkpoint, images, output, Light(model="yolov8-se.yaml"), imgsz=64, batch=2, schedule=SHORT)
    assert output.is_file()
    with pytest.raises(ValueError, match="must be aligned"):
        transplant_checkpoint(checkpoint, images, tmp_path / "other.pt", Light(model="yolo11.yaml"), imgsz=64)


@pytest.mark.parametrize(
    ("row", "arguments", "message"),
    [
        pytest.param(6, [256, True], r"row 6: C2fSE makes \(64, 8, 8\) .* C2f makes \(128, 8, 8\)", id="channels"),
        pytest.param(5, [512, 3, 1], r"row 5: Conv makes \(128, 16, 16\) .* Conv makes \(128, 8, 8\)", id="stride"),
    ],
)
def test_a_light_yaml_of_other_channels_or_strides_is_refused_by_its_row(
    checkpoint, images, tmp_path, row, arguments, message
):
    cfg = yaml.safe_load((model_yamls.FOLDER / "yolov8-se.yaml").read_text())
    cfg["backbone"][row][3] = arguments
    file = tmp_path / "yolov8-mine.yaml"
    file.write_text(yaml.safe_dump(cfg))
    with pytest.raises(ValueError, match=message):
        transplant_checkpoint(checkpoint, images, tmp_path / "init.pt", Light(model=str(file)), imgsz=64)
    assert not (tmp_path / "init.pt").exists()


def start(*arguments, cwd):
    program = "import sys; from yolo_plugins.cli import main; sys.exit(main())"
    return subprocess.Popen(
        [sys.executable, "-c", program, "transplant", *map(str, arguments)],
        cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.slow
def test_a_killed_command_leaves_no_output_and_goes_on_when_it_is_started_again(checkpoint, images, tmp_path):
    before, arguments = checkpoint.read_bytes(), (
        checkpoint, "--swap", "ghost", "--images", images, "-o", "init.pt", "--imgsz", 32, "--batch", 2,
        "--block-steps", 1, "--joint-steps", 76,
    )  # fmt: skip
    process = start(*arguments, cwd=tmp_path)
    next(line for line in process.stdout if line.startswith("joint 75/76"))
    process.kill()
    process.communicate(timeout=60)
    assert not (tmp_path / "init.pt").exists()
    assert (tmp_path / ".init.pt.partial").is_file()
    again = start(*arguments, cwd=tmp_path)
    out, err = again.communicate(timeout=300)
    assert again.returncode == 0, err
    steps = [line.split()[1] for line in out.splitlines() if line.startswith(("blocks ", "joint "))]
    assert steps == ["75/76", "76/76"]
    assert not (tmp_path / ".init.pt.partial").exists()
    assert YOLO(tmp_path / "init.pt").predict(np.zeros((32, 32, 3), np.uint8), imgsz=32, verbose=False)
    assert checkpoint.read_bytes() == before


def test_the_command_reports_each_block_and_writes_the_checkpoint(checkpoint, images, tmp_path, capsys):
    output = tmp_path / "init.pt"
    arguments = [checkpoint, "--swap", "dwconv-gentle", "--images", images, "-o", output, "--imgsz", 64, "--batch", 2]
    assert main(["transplant", *map(str, arguments), "--block-steps", "1", "--joint-steps", "1"]) == 0
    out = capsys.readouterr().out
    assert "model.21" in out
    assert "tensors copied from the teacher" in out
    assert output.is_file()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"checkpoint": "empty.pt"}, "not a checkpoint with a model inside", id="not a checkpoint"),
        pytest.param({"images": "nowhere"}, "nowhere is not a folder of images", id="no folder"),
        pytest.param({"images": "."}, "no image is in", id="no images"),
        pytest.param({"swap": "gost"}, "did you mean ghost", id="recipe"),
    ],
)
def test_what_cannot_be_transplanted_is_said_in_one_line(
    checkpoint, images, tmp_path, monkeypatch, capsys, change, message
):
    monkeypatch.chdir(tmp_path)
    torch.save({"model": None}, tmp_path / "empty.pt")
    given = {"checkpoint": checkpoint, "swap": "ghost", "images": images, **change}
    arguments = [given["checkpoint"], "--swap", given["swap"], "--images", given["images"], "-o", "init.pt"]
    assert main(["transplant", *map(str, arguments)]) == 1
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert message in said[0]
    assert not (tmp_path / "init.pt").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_is_closed_is_named(tmp_path):
    folder = tmp_path / "closed"
    folder.mkdir(mode=0)
    with pytest.raises(PermissionError, match="closed cannot be read"):
        find_images(folder)


def test_a_file_that_is_no_image_is_named(tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"broken\.jpg cannot be read"):
        image_batches(find_images(tmp_path), 64, 1)()


def test_images_of_any_shape_become_batches_of_multiples_of_32(tmp_path):
    for i, shape in enumerate([(40, 80, 3), (200, 100, 3), (64, 64, 3)]):
        cv2.imwrite(str(tmp_path / f"{i}.png"), np.full(shape, 200, np.uint8))
    batch = image_batches(find_images(tmp_path), 96, 5)()
    assert batch.shape[:2] == (5, 3)
    assert max(batch.shape[2:]) == 96
    assert all(side % 32 == 0 for side in batch.shape[2:])
    assert 0 <= batch.min() <= batch.max() <= 1
