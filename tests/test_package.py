"""What will be installed: the wheel's list of files, the only guard of a mapping from folders to names."""

import ast
import re
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
from version_matrix import order, read_table, works
from yolo_plugins import __version__, installed
from yolo_plugins.cli import startup
from yolo_plugins.comparing import formats

import patch_ultralytics

ROOT = Path(__file__).parents[1]


def test_the_wheel_holds_the_package_the_yamls_the_demo_and_the_patch(tmp_path: Path) -> None:
    pytest.importorskip("build")
    source = tmp_path / "source"
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__"))
    build = [sys.executable, "-m", "build", "-q", "-n", "--wheel", "--outdir", tmp_path, source]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        files = {name for name in archive.namelist() if ".dist-info/" not in name}
    expected = {"patch_ultralytics.py", "yolo_plugins/py.typed"}
    for folder, name in {"plugins": "", "model_yamls": "/model_yamls", "demo": "/demo"}.items():
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".css", ".js", ".json", ".py", ".yaml"):
                expected.add(f"yolo_plugins{name}/{path.relative_to(ROOT / folder)}")
    assert files == expected


BELOW_PATCH = {"blocks", "heads", "networks", "rows", "syntax", "model_yamls"}


def imported(file: Path) -> set[str]:
    """The pack's modules that a file imports, inside functions too, by room."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    named = [n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and not n.level]
    named += [alias.name for n in ast.walk(tree) if isinstance(n, ast.Import) for alias in n.names]
    named += [f"yolo_plugins.{n.module}" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.level == 2]
    return {name.split(".")[1] for name in named if name.startswith("yolo_plugins.")}


def test_the_patch_and_the_demo_keep_to_the_one_way_through_the_rooms() -> None:
    """They lie outside the folder that import-linter reads."""
    assert imported(ROOT / "patch_ultralytics.py") <= BELOW_PATCH | {"cli"}, "cli where it is run as a program"
    rooms = {path.name for path in (ROOT / "plugins").iterdir() if path.is_dir()} | {"files", "tables", "model_yamls"}
    for file in (ROOT / "demo").glob("*.py"):
        assert imported(file) <= rooms - {"cli", "__pycache__"}, file


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import yolo_plugins", {"torch", "ultralytics", "patch_ultralytics", "yolo_plugins.blocks"}),
        ("import yolo_plugins; yolo_plugins.GhostConv", {"ultralytics", "patch_ultralytics", "yolo_plugins.comparing"}),
        ("from yolo_plugins import replace, cost, fuse", {"ultralytics", "yolo_plugins.comparing"}),
        ("import ultralytics.nn.tasks, yolo_plugins; yolo_plugins.LiteDetect", {"patch_ultralytics"}),
    ],
)
def test_a_name_imports_no_more_than_it_needs(code: str, absent: set[str], tmp_path: Path) -> None:
    tell = f"import sys; print(sorted({absent} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", f"{code}; {tell}"], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_importing_the_package_puts_nothing_into_ultralytics(tmp_path: Path) -> None:
    code = (
        "from ultralytics.nn import tasks; before = dict(vars(tasks)); import yolo_plugins; yolo_plugins.LiteDetect\n"
        "print(vars(tasks) == before, [name for name in vars(tasks) if 'plugins' in name])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "True []", done.stderr


def test_no_start_up_file_comes_with_the_package() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert not [name for name in tracked.splitlines() if name.endswith((".pth", ".start"))]


def test_the_range_that_is_named_is_what_the_version_matrix_showed() -> None:
    rows = read_table()
    first, last = patch_ultralytics.TESTED
    within = [cells for release, cells in rows.items() if order(first) <= order(release) <= order(last)]
    assert {first, last} <= set(rows), "both ends were tried: python tests/version_matrix.py"
    assert all(works(cells) for cells in within), [cells for cells in within if not works(cells)]
    minors = {order(cells[0])[1] for cells in within}
    assert minors == set(range(order(first)[1], order(last)[1] + 1)), "every minor between the ends was tried"
    dependencies = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (lowest,) = re.findall(r'"ultralytics>=([\d.]+)"', dependencies)
    assert order(lowest) == order(first)[: len(order(lowest))]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(release in readme for release in patch_ultralytics.TESTED)


def test_opencv_is_left_to_ultralytics_whose_headless_distribution_is_known_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (dependencies,) = re.findall(r"^dependencies = .*", (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.M)
    assert "opencv" not in dependencies, "or a second one is installed beside the headless one"

    def version(name: str) -> str:
        if name in ("ultralytics-opencv-headless", "opencv-python-headless"):
            return "8.9"
        raise PackageNotFoundError(name)

    monkeypatch.setattr(installed, "version", version)
    assert startup.status()["ultralytics"].startswith("8.9 (tested")
    assert formats.versions("dnn") == {"yolo-plugins": __version__, "ultralytics": "8.9", "opencv-python": "8.9"}
    assert startup.status()["torch"] == "not installed: pip install torch"
