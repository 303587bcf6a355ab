"""What the README shows is what happens: its program is run, its tables are counted again."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yolo_plugins as yp
from conftest import Environment
from yolo_plugins import model_yamls
from yolo_plugins.tables import change

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def table(mark: str) -> list[list[str]]:
    """Cells of the table after a comment, without its heading."""
    lines = README.split(f"<!-- {mark} -->\n")[1].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def code(mark: str) -> str:
    found = re.search(rf"<!-- {mark} -->\n```\w*\n(.*?)```", README, re.S)
    assert found is not None
    return found[1]


def test_the_program_prints_what_the_readme_says(environment: Environment, tmp_path: Path) -> None:
    environment.run("python", "-c", "import ultralytics", cwd=tmp_path)  # says once that it writes its settings
    assert environment.run("python", "-c", code("program"), cwd=tmp_path).stdout == code("output")


@pytest.mark.parametrize("row", [pytest.param(row, id=row[0].strip("`")) for row in table("blocks")])
def test_the_cost_of_a_block_is_what_thop_counts(row: list[str]) -> None:
    thop, modules = pytest.importorskip("thop"), pytest.importorskip("ultralytics.nn.modules")
    import torch

    name, arguments = re.fullmatch(r"`(\w+)\((.*)\)`", row[0]).groups()
    args = [eval(argument) for argument in arguments.split(", ")]
    image = torch.zeros(1, args[0], 32, 32)

    def cost(module: torch.nn.Module) -> tuple[int, float]:
        return sum(p.numel() for p in module.parameters()), thop.profile(module, inputs=[image], verbose=False)[0]

    params, macs = cost(yp.BLOCKS[name](*args))
    assert row[3:5] == [f"{params:,}", f"{macs / 1e6:.1f}"]
    if row[5]:
        plain = modules.C2f(128, 128, 1, True) if yp.BLOCKS[name].row == "stage" else yp.ConvBNAct(64, 128, 3)
        assert row[5] == f"{100 * macs / cost(plain)[1]:.0f} %"


def test_every_block_that_costs_something_is_in_the_table() -> None:
    named = {re.match(r"`(\w+)", row[0])[1] for row in table("blocks")}
    assert named == {name for name, cls in yp.BLOCKS.items() if cls.row != "network"} - {"HSwish"}


@pytest.mark.usefixtures("patched")
def test_the_models_cost_what_ultralytics_counts() -> None:
    from ultralytics.nn.tasks import DetectionModel, SegmentationModel
    from ultralytics.utils.torch_utils import get_flops

    stock: tuple[int, float] = (0, 0.0)
    for name, *cells in table("models"):
        if name.startswith("Ultralytics"):
            assert cells[:2] == ["1,865,316", "5.8"]
            continue
        cls = SegmentationModel if name.endswith("-seg") else DetectionModel
        model = cls(f"{name}.yaml", verbose=False)
        cost = sum(p.numel() for p in model.parameters()), get_flops(model, 640)
        assert cells[:2] == [f"{cost[0]:,}", f"{cost[1]:.1f}"], name
        if not cells[2]:
            stock = cost
        else:
            assert cells[2] == f"{change(cost[0], stock[0])} / {change(cost[1], stock[1])}", name


def test_every_model_is_in_the_table_or_on_the_page_of_the_networks() -> None:
    names = {re.sub(r"^yolov8", "yolov8n", name).removesuffix(".yaml") for name in model_yamls.names()}
    page = (ROOT / "docs" / "networks.md").read_text(encoding="utf-8")
    elsewhere = {name for name in names if name in page or name.replace("yolov8n", "yolov8") in page}
    assert names <= {row[0] for row in table("models")} | elsewhere


def test_the_test_command_is_the_one_that_ci_runs() -> None:
    command = re.search(r'pip install -e "\.\[dev\]"\n(.*)\n```', README)
    assert command is not None
    assert command[1] in (ROOT / ".ci" / "run").read_text().splitlines()
