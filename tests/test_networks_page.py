"""docs/networks.md says what the commands that it names give today."""

import json
import re
from pathlib import Path

import pytest
import yolo_plugins as yp
from counters import reference_figures
from network_agreement import NETWORKS
from yolo_plugins import cli
from yolo_plugins.blocks.counting import parameters
from yolo_plugins.inspection.block_costs import compare_all
from yolo_plugins.inspection.info import describe, render
from yolo_plugins.tables import table

PAGE = (Path(__file__).parents[1] / "docs" / "networks.md").read_text(encoding="utf-8")


def test_the_networks_have_the_parameters_and_multiply_adds_of_the_page() -> None:
    for build, options, package, name in NETWORKS:
        network = build(*options)
        counted = yp.cost(network.to("meta"), (3, 224, 224), runs=0)  # counted without computing
        line = f"| {network.name} | {counted.params:,} | {counted.macs:,} | {package.split('.')[0]} {name} | 0.0e+00 |"
        assert line in PAGE


def test_the_command_shows_those_with_published_weights(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["networks", "--format", "json"]) == 0
    rows = {row.pop("network"): row for row in json.loads(capsys.readouterr().out)}
    assert rows["GhostNet 1×"] == {"params": 5_182_508, "MACs": 141_150_512, "weights": "timm ghostnet_100"}
    assert all(row["weights"] for row in rows.values())


def test_the_blocks_cost_what_the_page_says() -> None:
    rows, refused = compare_all(32, 0, {"c1": 48, "c2": 48, "k": 3})
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
    total = next(line for line in render(describe("yolov8n-ghostnet.yaml")).splitlines() if " total " in line)
    params, gflops = re.findall(r"([+−]\d+ %)", total)
    assert f"{params} parameters and {gflops} GFLOPs" in PAGE.replace("\n", " ")


def test_the_mapping_of_weights_runs_as_printed() -> None:
    pytest.importorskip("timm")
    program = next(code for code in re.findall(r"```python\n(.*?)```", PAGE, re.S) if "convert_weights" in code)
    scope: dict[str, object] = {}
    exec(program, scope)
    assert parameters(scope["network"]) == 7_358_820
