"""Every block between two convolutions, as a file of every format: equal to torch, but where its limits say no."""

import copy
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import yaml
import yolo_plugins as yp
from cases import CASES, Case, randomise
from exporting import WRITERS, exported
from torch import nn
from yolo_plugins.blocks.registry import FORMATS, spec_of
from yolo_plugins.comparing import formats
from yolo_plugins.comparing.runtimes import LOADERS
from yolo_plugins.models.building import from_text
from yolo_plugins.rows.description import read, rows_of
from yolo_plugins.rows.yaml_files import stock_file

pytestmark = pytest.mark.slow


def test_every_format_of_a_specification_is_tried() -> None:
    assert tuple(WRITERS) == FORMATS


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_block_between_convolutions_gives_the_same_in_every_format(case: Case, form: str, tmp_path: Path) -> None:
    if absent := formats.absent(form):
        pytest.skip(formats.not_installed(absent))
    layers = {
        "before": yp.ConvBNAct(case.channels, case.channels),
        "block": case(),
        "after": yp.ConvBNAct(case.c2, case.c2),
    }
    network = yp.fuse(randomise(nn.Sequential(OrderedDict(layers)))).requires_grad_(False)
    image = torch.randn(1, case.channels, 17, 12)
    spec, expected = spec_of(case.build), network(image)
    assert spec is not None
    try:
        (array,) = exported(network, image, form, tmp_path)(image.numpy())
    except Exception:
        if form not in spec.limits:
            raise
        return
    out = torch.from_numpy(array)
    agrees = out.shape == expected.shape and torch.allclose(out, expected, atol=1e-4, rtol=1e-3)
    assert agrees is not (form in spec.limits)


GATES = ("CBAM", "ECA", "SimAM", "CoordAtt", "ELA", "EMA", "LSKA", "SE")
"""A gate for each stage of yolov8n."""


def batch(data: Path) -> torch.Tensor:
    """The training images of a dataset."""
    images = [cv2.imread(str(file)) for file in sorted((data.parent / "images" / "train").iterdir())]
    return torch.from_numpy(np.stack(images)[..., ::-1].transpose(0, 3, 1, 2).copy()).float() / 255


@pytest.fixture
def gated(patched: None, shapes: Path) -> Iterator[Any]:
    """yolov8n with another gate in each of its stages, its batch norms used to the images of `shapes`."""
    torch.manual_seed(0)
    description, gates = {**read(stock_file("yolov8.yaml")), "nc": 4}, iter(GATES)
    for row in rows_of(description):
        if row[2] == "C2f":
            inner = "GhostBottleneckV2" if len(row[3]) > 1 else "ConvBNAct"
            row[2:] = ["plugins.C2f", [row[3][0], len(row[3]) > 1, inner, next(gates)]]
    with from_text(yaml.safe_dump(description), "yolov8n-gates.yaml") as yolo:
        for m in yolo.model.modules():
            if isinstance(m, nn.BatchNorm2d):
                m.momentum = None
        with torch.no_grad():
            yolo.model.train()(batch(shapes))
        yield yolo


@pytest.mark.parametrize("form", ["onnx", "openvino"])
def test_a_model_with_every_gate_is_exported_in_8_bits_by_the_plain_command_and_runs(
    gated: Any, form: str, shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip({"onnx": "onnxruntime", "openvino": "nncf"}[form])
    monkeypatch.chdir(tmp_path)
    network = copy.deepcopy(gated.model).eval()
    assert set(GATES) <= {type(m).__name__ for m in network.modules()}
    torch.manual_seed(0)
    file = Path(gated.export(format=form, quantize=8, data=str(shapes), imgsz=64))
    images = batch(shapes)
    boxes = np.stack([LOADERS[form](file, 1, True)(image[None].numpy())[0][0, :4] for image in images])
    assert np.corrcoef(boxes.ravel(), network(images)[0][:, :4].detach().ravel())[0, 1] > 0.95
