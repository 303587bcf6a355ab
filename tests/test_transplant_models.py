"""`transplant` on models that are not Ultralytics': torchvision's, timm's, a user's own."""

import copy

import pytest
import timm
import torch
from conftest import mostly_slow
from replacement_cases import own_model
from torch import nn
from torchvision.models import resnet18
from yolo_plugins import ConvBNAct, GhostConv, Schedule, replace, transplant

MODELS = {
    "torchvision resnet18": (resnet18, {"where": "layer1"}),
    "timm resnet10t": (lambda: timm.create_model("resnet10t"), {"where": "layer1"}),
    "own Sequential": (own_model, {}),
}


def images(n=4):
    return nn.functional.interpolate(torch.rand(n, 3, 8, 8), size=32, mode="bilinear")


def teacher_and_student(name):
    build, where = MODELS[name]
    torch.manual_seed(0)
    teacher = build()
    for norm in (m for m in teacher.modules() if isinstance(m, nn.BatchNorm2d)):
        nn.init.uniform_(norm.weight, 0.5, 1.5)  # some models begin with noughts, which hide what is before them
        norm.momentum = None
    with torch.no_grad():
        for _ in range(20):  # until its statistics are those of the images
            teacher.train()(images(16))
    teacher.eval()
    student = copy.deepcopy(teacher)
    replace(student, GhostConv, **where)
    return teacher, student


@pytest.mark.parametrize("name", mostly_slow(MODELS, list(MODELS)[:2]))
def test_the_blocks_learn_and_the_teacher_stays(name):
    teacher, student = teacher_and_student(name)
    before = copy.deepcopy(teacher.state_dict())
    losses = {"blocks": [], "joint": []}
    schedule = Schedule(block_steps=30, joint_steps=30, recalibration=10)
    report = transplant(
        teacher, student, images, schedule=schedule, progress=lambda phase, *rest: losses[phase].append(rest[-1])
    )
    assert all(sum(phase[-5:]) < sum(phase[:5]) for phase in losses.values())
    assert min(*report.alone.values(), *report.in_place.values()) > 0
    assert all(torch.equal(before[name], tensor) for name, tensor in teacher.state_dict().items())
    assert all(parameter.requires_grad for parameter in teacher.parameters())


class Residual(nn.Sequential):
    """A chain to which its input is added in place, as torchvision's MobileNetV3 does it."""

    def forward(self, x):
        y = super().forward(x)
        y += x
        return y


def test_what_a_model_does_in_place_after_a_block_is_not_taken_for_the_blocks_output():
    torch.manual_seed(0)
    body = Residual(nn.Sequential(nn.Conv2d(16, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)))
    teacher = nn.Sequential(nn.Conv2d(3, 16, 1), body, nn.ReLU(inplace=True)).eval()
    student = copy.deepcopy(teacher)
    replace(student, ConvBNAct, "1")
    report = transplant(teacher, student, images, schedule=Schedule(block_steps=0, joint_steps=0, recalibration=10))
    assert report.alone["1.0"] > 0.95


def test_an_interrupted_run_ends_where_one_without_interruption_does_and_only_by_the_same_settings(tmp_path):
    batch, state = images(), tmp_path / "state.pt"
    schedule = Schedule(block_steps=2, joint_steps=56, recalibration=1)

    class Interrupted(Exception):
        pass

    def stop(phase, step, steps, loss):
        if (phase, step) == ("joint", 53):
            raise Interrupted

    def run(**options):
        teacher, student = teacher_and_student("own Sequential")
        report = transplant(teacher, student, lambda: batch, schedule=schedule, **options)
        return student.state_dict(), report.alone

    expected, alone = run()
    with pytest.raises(Interrupted):
        run(state=state, progress=stop)
    other, student = teacher_and_student("own Sequential")
    with pytest.raises(ValueError, match="other settings; remove it"):
        transplant(other, student, images, schedule=Schedule(block_steps=9), state=state)
    steps = []
    found, kept = run(state=state, progress=lambda phase, step, *_: steps.append((phase, step)))
    assert steps == [("joint", step) for step in range(51, 57)]
    assert kept == pytest.approx(alone)
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, msg=name)
    assert list(tmp_path.iterdir()) == []


def test_progress_is_saved_whole_or_not_at_all(tmp_path, monkeypatch):
    teacher, student = teacher_and_student("own Sequential")
    state = tmp_path / "state.pt"
    schedule = Schedule(block_steps=1, joint_steps=60, recalibration=1)
    written = torch.save

    def full_disk(data, stream):
        if data["step"] == 50:
            stream.write(b"half")
            raise OSError("no space left on device")
        written(data, stream)

    monkeypatch.setattr(torch, "save", full_disk)
    with pytest.raises(OSError, match="no space"):
        transplant(teacher, student, images, schedule=schedule, state=state)
    assert [path.name for path in tmp_path.iterdir()] == ["state.pt"]
    assert torch.load(state, weights_only=True)["phase"] == "joint"


@pytest.mark.parametrize(
    ("geometry", "message"),
    [
        ((64, 128, 3, 1), r"GhostConv makes \(128, 8, 8\) .* Conv2d makes \(128, 4, 4\)"),
        ((64, 96, 3, 2), r"GhostConv makes \(96, 4, 4\) .* Conv2d makes \(128, 4, 4\)"),
        ((32, 128, 3, 2), r"GhostConv cannot take what the teacher's Conv2d takes"),
    ],
    ids=["stride", "channels out", "channels in"],
)
def test_a_block_of_other_geometry_is_named_with_its_numbers(geometry, message):
    teacher = resnet18()
    student = copy.deepcopy(teacher)
    student.layer2[0].conv1 = GhostConv(*geometry)
    with pytest.raises(ValueError, match=rf"layer2\.0\.conv1: {message}"):
        transplant(teacher, student, images)


def test_blocks_that_are_nowhere_or_in_another_place_than_the_teachers_are_refused():
    teacher = own_model()
    with pytest.raises(ValueError, match="no light block"):
        transplant(teacher, copy.deepcopy(teacher), images)
    student = nn.Sequential(*copy.deepcopy(teacher), GhostConv(4, 4))
    with pytest.raises(ValueError, match="9 is in the student but not in the teacher"):
        transplant(teacher, student, images)
