"""Every block between two convolutions, as a file of every format: equal to torch, but where its limits say no."""

from pathlib import Path
from typing import Any

import pytest
import torch
import yolo_plugins as yp
from cases import CASES, Case, randomise
from exporting import WRITERS, exported
from torch import nn
from yolo_plugins.blocks.registry import FORMATS, spec_of
from yolo_plugins.comparing import formats
from yolo_plugins.models.building import from_text
from yolo_plugins.rows.yaml_files import stock_file

pytestmark = pytest.mark.slow


def test_every_format_of_a_specification_is_tried() -> None:
    assert tuple(WRITERS) == FORMATS


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_block_between_convolutions_gives_the_same_in_every_format(case: Case, form: str, tmp_path: Path) -> None:
    if missing := formats.missing(form):
        pytest.skip(missing)
    network = nn.Sequential(yp.ConvBNAct(case.c1, case.c1), case(), yp.ConvBNAct(case.c2, case.c2))
    network = yp.fuse(randomise(network)).requires_grad_(False)
    image = torch.randn(1, case.c1, 17, 12)
    spec, expected = spec_of(case.build), network(image)
    assert spec is not None
    if form in spec.limits:
        with pytest.raises(Exception):  # noqa: B017  whatever a runtime says, or another output
            torch.testing.assert_close(run(network, image, form, tmp_path), expected, atol=1e-4, rtol=1e-3)
    else:
        torch.testing.assert_close(run(network, image, form, tmp_path), expected, atol=1e-4, rtol=1e-3)


def run(network: nn.Module, image: torch.Tensor, form: str, folder: Path) -> torch.Tensor:
    (out,) = exported(network, image, form, folder)(image.numpy())
    return torch.from_numpy(out)


GATED = ("CBAM", "ECA", "SimAM", "CoordAtt", "ELA", "EMA", "LSKA", "SE")
"""A gate for each stage of yolov8n."""


@pytest.fixture
def gated(patched: None, shapes: Path, tmp_path: Path) -> Any:
    """yolov8n with another gate in each of its stages, its batch norms used to the images of `shapes`."""
    text, gates = stock_file("yolov8.yaml").read_text(encoding="utf-8").replace("nc: 80", "nc: 4"), iter(GATED)
    lines = []
    for line in text.splitlines():
        if "C2f, [" in line:
            shortcut = "" if "True" in line else ", False"
            inner = "GhostBottleneckV2" if not shortcut else "ConvBNAct"
            line = line.replace("C2f, [", "plugins.C2f, [").replace("]]", "]").split("]")
            line = f"{line[0]}{shortcut}, {inner}, {next(gates)}]]"
        lines.append(line)
    with from_text("\n".join(lines), "yolov8n-gates.yaml") as yolo:
        yield yolo


@pytest.mark.parametrize("form", ["onnx", "openvino"])
def test_a_model_with_every_gate_is_exported_in_8_bits_and_still_tells_the_images(gated: Any, form: str) -> None:
    print(gated)
