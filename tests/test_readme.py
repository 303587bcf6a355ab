"""What the README and the documentation show is what happens: programs are run, tables are made again."""

import re
import runpy
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
import yolo_plugins as yp
from conftest import Environment

ROOT = Path(__file__).parents[1]


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def code(mark: str, text: str) -> str:
    found = re.search(rf"<!-- {mark} -->\n```\w*\n(.*?)```", text, re.S)
    assert found is not None
    return found[1]


def test_the_program_prints_what_the_page_says(environment: Environment, tmp_path: Path) -> None:
    environment.run("python", "-c", "import ultralytics", cwd=tmp_path)  # says once that it writes its settings
    rows = page("docs/rows.md")
    assert environment.run("python", "-c", code("program", rows), cwd=tmp_path).stdout == code("output", rows)


@pytest.mark.slow
def test_the_tables_are_what_the_code_gives(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("ultralytics")
    tables = runpy.run_path(str(ROOT / "docs" / "tables.py"))
    assert tables["main"](["--check"]) == 0, capsys.readouterr().out


def test_the_blocks_of_ones_own_do_what_the_page_says(patched: None) -> None:
    tasks = pytest.importorskip("ultralytics.nn.tasks")
    own: dict[str, type] = {"__name__": "mypackage"}
    exec(code("own block", page("docs/howto/own-block.md")), own)
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


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md", "CONTRIBUTING.md"])
def test_the_test_command_is_the_one_that_ci_runs(name: str) -> None:
    command = re.search(r'pip install -e "\.\[dev\]"\n(.*)\n```', page(name))
    assert command is not None
    assert command[1] in (ROOT / ".ci" / "run").read_text().splitlines()


LANGUAGES = ("README.md", "README.zh-CN.md")
BLOCK = re.compile(r"^```\w*\n.*?^```", re.S | re.M)


@pytest.mark.parametrize(
    "part",
    [
        pytest.param(lambda text: [len(hashes) for hashes in re.findall("^(#+) ", text, re.M)], id="sections"),
        pytest.param(BLOCK.findall, id="commands"),
        pytest.param(lambda text: sorted(re.findall("`[^`]+`", BLOCK.sub("", text))), id="code in the text"),
        pytest.param(lambda text: re.findall(r"\d+(?:[.,]\d+)*", BLOCK.sub("", text)), id="figures"),
        pytest.param(lambda text: re.findall(r"\]\((?!README|docs/index)([^)]+)\)", text), id="links"),
    ],
)
def test_the_chinese_readme_is_in_step_with_the_english_one(part: Callable[[str], list[str]]) -> None:
    english, chinese = (part(page(name)) for name in LANGUAGES)
    assert chinese == english


def test_the_readme_is_read_in_a_minute() -> None:
    for name in LANGUAGES:
        assert len(page(name).splitlines()) <= 120


def test_every_link_between_pages_leads_to_a_file_and_a_section() -> None:
    for file in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")):
        for target, anchor in re.findall(
            r"\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)", file.read_text(encoding="utf-8")
        ):
            other = (file.parent / target).resolve() if target else file
            assert other.exists(), f"{file.relative_to(ROOT)} links to {target}"
            if anchor:
                assert anchor in anchors(other.read_text(encoding="utf-8")), (
                    f"{file.relative_to(ROOT)}: {target}#{anchor}"
                )


def anchors(text: str) -> set[str]:
    """Of the headings, as GitHub makes them."""
    words = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in re.findall("^#+ (.*)$", BLOCK.sub("", text), re.M))
    return {heading.strip().replace(" ", "-") for heading in words}
