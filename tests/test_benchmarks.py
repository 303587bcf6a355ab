"""What the benchmarks compare: every variant of lite builds, every way of folding gives the same outputs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).with_name("benchmarks")))
from fusing import STEPS, Step, pair
from lite_designs import DESIGNS, write

pytestmark = pytest.mark.usefixtures("patched")


@pytest.mark.parametrize("design", DESIGNS)
def test_a_variant_of_lite_builds_and_is_named_after_its_scale(design: str, tmp_path: Path) -> None:
    from ultralytics import YOLO

    file = write(design, tmp_path)
    assert file.name.startswith("yolov8n-")
    model = YOLO(file).model
    blocks = {type(layer).__name__ for layer in model.model}
    assert ("RepGhostStage" in blocks) is not design.startswith("C2f")
    assert ("LiteDetect" in blocks) is (design != "stock head")


@pytest.mark.parametrize("step", STEPS, ids=[step.name.replace(" ", "-") for step in STEPS])
def test_a_folded_model_gives_the_same_outputs_from_other_layers(step: Step) -> None:
    before, after = pair(step)
    image = torch.rand(1, 3, 64, 64)
    expected = before(image)
    assert (after(image) - expected).abs().max() < 1e-4 * expected.abs().max()
    assert str(before) != str(after)
