"""docs/networks.md says what the commands that it names give today."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
import yolo_plugins as yp
from yolo_plugins.inspection.block_costs import compare_all
from yolo_plugins.networks import agreement
from yolo_plugins.inspection.reference_figures import reference_figures
from yolo_plugins.tables import table

PAGE = (Path(__file__).parents[1] / "docs" / "networks.md").read_text(encoding="utf-8")


def test_the_networks_have_the_parameters_and_multiply_adds_of_the_page() -> None:
    for build, options, package, name in agreement._networks():
        network = build(*options)
        counted = yp.cost(network.to("meta"), (3, 224, 224), runs=0)  # counted without computing
        line = f"| {network.name} | {counted.params:,} | {counted.macs:,} | {package.split('.')[0]} {name} | 0.0e+00 |"
        assert line in PAGE


@pytest.mark.slow
def test_the_networks_agree_as_the_page_says() -> None:
    for package in ("timm", "torchvision", "pytorchcv"):
        pytest.importorskip(package)
    rows = agreement.agreement()
    assert len(rows) == 14
    assert all(float(row["max difference"]) <= 1e-5 for row in rows)


def test_the_agreement_shows_a_network_that_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torchvision")
    published = agreement._published("torchvision.models", "mobilenet_v3_small")
    network = yp.mobilenet_v3("small")
    assert published is not None
    assert agreement._difference(network, published) <= 1e-5
    stem = next(m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d))
    stem.eps = 0.1
    assert agreement._difference(network, published) > 1e-3


def test_the_blocks_cost_what_the_page_says() -> None:
    rows, refused = compare_all(48, 48, 32, 0, {"k": 3})
    assert not refused
    for row in rows:
        start = table([{key: row[key] for key in list(row)[:6]}], "markdown").splitlines()[2].removesuffix(" |")
        assert start in PAGE


@pytest.mark.slow
def test_the_counts_of_other_tools_are_those_of_the_page() -> None:
    for package in ("ptflops", "fvcore"):
        pytest.importorskip(package)
    assert table(reference_figures(), "markdown") in PAGE


def test_the_change_from_yolov8n_is_what_info_says() -> None:
    from yolo_plugins.inspection.info import describe, render

    import patch_ultralytics

    try:
        total = next(line for line in render(describe("yolov8n-ghostnet.yaml")).splitlines() if " total " in line)
    finally:
        patch_ultralytics.revert()
    params, gflops = re.findall(r"([+−]\d+ %)", total)
    assert f"{params} parameters and {gflops} GFLOPs" in PAGE.replace("\n", " ")


def test_the_mapping_of_weights_runs_as_printed() -> None:
    pytest.importorskip("timm")
    program = next(code for code in re.findall(r"```python\n(.*?)```", PAGE, re.S) if "convert_weights" in code)
    scope: dict[str, object] = {}
    exec(program, scope)
    assert sum(p.numel() for p in scope["network"].parameters()) == 7_358_820
