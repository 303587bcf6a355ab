"""What the benchmarks compare: variants of lite build, foldings give equal outputs, many exports leave nothing."""

from pathlib import Path

import pytest
import torch
from fusing import STEPS, Step, pair
from lite_designs import DESIGNS, write
from soak import soak
from yolo_plugins.models.building import build


@pytest.mark.parametrize("design", DESIGNS)
def test_a_variant_of_lite_builds_and_is_named_after_its_scale(design: str, tmp_path: Path) -> None:
    file = write(design, tmp_path)
    assert file.name == f"yolov8n-lite-{design}.yaml"
    blocks = {type(layer).__name__ for layer in build(str(file)).model}
    assert ("RepGhostStage" in blocks) is not design.startswith("c2f")
    assert ("LiteDetect" in blocks) is (design != "stock-head")


@pytest.mark.parametrize("step", STEPS, ids=[step.name.replace(" ", "-") for step in STEPS])
def test_a_folded_model_gives_the_same_outputs_from_other_layers(step: Step) -> None:
    before, after = pair(step)
    image = torch.rand(1, 3, 64, 64)
    expected = before(image)
    assert (after(image) - expected).abs().max() < 1e-4 * expected.abs().max()
    assert str(before) != str(after)


@pytest.mark.filterwarnings("ignore")  # the tracer's
def test_models_built_fused_and_exported_again_and_again_leave_memory_and_registries_as_they_are() -> None:
    memory, first, last = soak(["yolov8n-ghost.yaml", "mobilenetv3-small-cls.yaml"], cycles=4, seconds=600)
    assert first == last
    assert memory[-1] - memory[1] < 3, memory
