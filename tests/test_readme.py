"""What the README and the documentation show is what happens: programs are run, tables are made again."""

import re
import runpy
from pathlib import Path

import pytest
import yaml
import yolo_plugins as yp
from conftest import Environment

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def code(mark: str, page: str = README) -> str:
    found = re.search(rf"<!-- {mark} -->\n```\w*\n(.*?)```", page, re.S)
    assert found is not None
    return found[1]


def test_the_program_prints_what_the_readme_says(environment: Environment, tmp_path: Path) -> None:
    environment.run("python", "-c", "import ultralytics", cwd=tmp_path)  # says once that it writes its settings
    assert environment.run("python", "-c", code("program"), cwd=tmp_path).stdout == code("output")


def test_the_tables_are_what_the_code_gives(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("ultralytics")
    tables = runpy.run_path(str(ROOT / "docs" / "tables.py"))
    assert tables["main"](["--check"]) == 0, capsys.readouterr().out


def test_the_blocks_of_ones_own_do_what_the_page_says(patched: None) -> None:
    tasks = pytest.importorskip("ultralytics.nn.tasks")
    own: dict[str, type] = {"__name__": "mypackage"}
    exec(code("own block", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")), own)
    backbone = [[-1, 1, "Conv", [16, 3, 2]], [-1, 3, "plugins.C2f", [16, True, "GhostBottleneck", "Scale"]]]
    head = [[[0, 1], 1, "plugins.Blend", [16]], [[2], 1, "Detect", ["nc"]]]
    try:
        model = tasks.DetectionModel({"nc": 1, "backbone": backbone, "head": head}, verbose=False).model
        assert isinstance(model[2], own["Blend"])
        assert isinstance(model[1].m[2].gate, own["Scale"])
    finally:
        yp.unregister(own["Blend"])
        yp.unregister(own["Scale"])


def test_the_workflow_and_the_hooks_run_what_ci_runs() -> None:
    (command,) = (line for line in (ROOT / ".ci" / "run").read_text().splitlines() if line.startswith("ruff check"))
    assert f"- run: {command}\n" in (ROOT / ".github" / "workflows" / "tests.yml").read_text()
    (repo,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    *linters, tests = command.split(" && ")
    assert tests == "pytest"
    assert {hook["name"] for hook in repo["hooks"]} == {
        linter.removesuffix(" .").replace(" --check", "") for linter in linters
    }


def test_the_citation_has_the_version_that_is_installed() -> None:
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == yp.__version__


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_the_test_command_is_the_one_that_ci_runs(page: str) -> None:
    command = re.search(r'pip install -e "\.\[dev\]"\n(.*)\n```', (ROOT / page).read_text(encoding="utf-8"))
    assert command is not None
    assert command[1] in (ROOT / ".ci" / "run").read_text().splitlines()
