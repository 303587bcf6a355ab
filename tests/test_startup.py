"""The start-up files are safe: whatever happens to them or the package, Python starts silently, and `status` tells."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import Environment, make_environment, mostly_slow
from yolo_plugins.cli import main
from yolo_plugins.cli.startup import FILES

ROOT = Path(__file__).parents[1]
LOADED = "import sys; print(*sorted({'torch', 'ultralytics', 'yolo_plugins', 'patch_ultralytics'} & set(sys.modules)))"


def written(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.name.startswith("yolo_plugins") and path.is_file()}


def status(environment: Environment, cwd: Path) -> str:
    return environment.run("yolo-plugins", "status", cwd=cwd).stdout


def loaded(environment: Environment, cwd: Path, *options: str) -> str:
    """Which of torch, Ultralytics and the pack's modules Python has imported once it has started."""
    return environment.run("python", *options, "-c", LOADED, cwd=cwd).stdout.strip()


@pytest.fixture
def copied(environment: Environment) -> Environment:
    """An activated environment with a copy of the package of its own, for tests that break it."""
    packages = environment.site_packages
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "plugins", packages / "yolo_plugins", ignore=ignore)
    for folder in ("model_yamls", "demo"):
        shutil.copytree(ROOT / folder, packages / "yolo_plugins" / folder, ignore=ignore)
    shutil.copy(ROOT / "patch_ultralytics.py", packages)
    for editable in packages.glob("__editable__*"):
        editable.unlink()
    for name, text in FILES.items():
        (packages / name).write_text(text)
    return environment


def test_many_activations_at_once_leave_whole_files_and_nothing_else(environment: Environment, tmp_path: Path) -> None:
    before = set(environment.site_packages.iterdir())
    command = [environment.python, environment.folder / "bin" / "yolo-plugins", "activate"]
    running = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for _ in range(8)]
    starts = []
    while any(process.poll() is None for process in running):
        starts.append(environment.run("python", "-c", "pass", cwd=tmp_path))
        time.sleep(0.05)
    assert [process.returncode for process in running] == [0] * 8
    assert {process.stderr.read() for process in running if process.stderr} == {b""}
    assert {start.stdout + start.stderr for start in starts} == {""}, "meanwhile Python started in silence"
    after = {path for path in environment.site_packages.iterdir() if path.name != "__pycache__"}
    assert {path.name for path in after - before} == set(FILES)
    assert all((environment.site_packages / name).read_text() == text for name, text in FILES.items())
    assert loaded(environment, tmp_path) == "patch_ultralytics"


def test_an_activation_that_was_killed_is_cleared_away(environment: Environment, tmp_path: Path) -> None:
    (environment.site_packages / "yolo_plugins.pth.123.part").write_text("import no")
    assert environment.run("python", "-c", "pass", cwd=tmp_path).stderr == ""
    environment.run("yolo-plugins", "activate", cwd=tmp_path)
    environment.run("yolo-plugins", "deactivate", cwd=tmp_path)
    assert written(environment.site_packages) == set()


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a folder for reading only")
def test_a_read_only_site_packages_is_one_sentence_and_nothing_is_left(
    environment: Environment, tmp_path: Path
) -> None:
    folder = environment.site_packages
    mount = f"mount --bind '{folder}' '{folder}' && mount -o remount,bind,ro '{folder}'"
    if subprocess.run(["unshare", "-m", "sh", "-c", mount], capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    for action, refused in (("activate", True), ("status", False), ("deactivate", False)):
        command = f"{mount} && exec '{environment.python}' '{environment.folder}/bin/yolo-plugins' {action}"
        unshare = ["unshare", "-m", "sh", "-c", command]
        done = subprocess.run(unshare, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert (done.returncode == 1) is refused, done.stderr
        if refused:
            (line,) = done.stderr.strip().splitlines()
            assert f"cannot write into {folder} (Read-only file system); use a virtual environment, or" in line
    assert written(folder) == set()


def test_activation_for_the_user_is_read_and_taken_back_but_not_by_a_virtual_environment(
    environment: Environment, tmp_path: Path
) -> None:
    system = make_environment(tmp_path / "system", system_packages=True)
    assert "activated in" in system.run("yolo-plugins", "activate", "--user", cwd=tmp_path).stdout
    (user,) = tmp_path.glob("home/.local/lib/python*/site-packages")
    assert written(user) == set(FILES)
    assert written(system.site_packages) == set()
    assert "was not active" in environment.run("yolo-plugins", "deactivate", cwd=tmp_path).stdout
    assert "not active" in status(environment, tmp_path), "an environment of its own does not read the user's folder"
    assert f"active in {user}" in status(system, tmp_path)
    assert loaded(system, tmp_path) == "patch_ultralytics"
    assert loaded(system, tmp_path, "-s") == ""
    assert system.run("yolo-plugins", "deactivate", cwd=tmp_path).stdout.count("removed") == len(FILES)
    assert written(user) == set()


def test_a_virtual_environment_with_system_packages_leaves_the_systems_activation_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own, system = tmp_path / "own", tmp_path / "system"
    for folder in (own, system):
        folder.mkdir()
        for name, text in FILES.items():
            (folder / name).write_text(text)
    monkeypatch.setattr("sysconfig.get_path", lambda _: str(own))
    monkeypatch.setattr("site.ENABLE_USER_SITE", False)
    monkeypatch.setattr("site.getsitepackages", lambda: [str(own), str(system)])
    assert main(["deactivate"]) == 0
    assert (written(own), written(system)) == (set(), set(FILES))
    assert f"still active through {system}" in capsys.readouterr().out


@pytest.mark.parametrize("option", ["-S", "-I", "-E", "-s"])
def test_pythons_options_do_what_the_page_says(option: str, active: Environment, tmp_path: Path) -> None:
    assert loaded(active, tmp_path, option) == ("" if option == "-S" else "patch_ultralytics")
    page = (ROOT / "docs" / "robustness.md").read_text(encoding="utf-8")
    assert f"| `python {option}` | {'not active' if option == '-S' else 'active'}" in page


BROKEN = {
    "the patch is gone": ("patch_ultralytics.py", None, "damaged (ModuleNotFoundError"),
    "the patch has a syntax error": ("patch_ultralytics.py", "def broken(:", "damaged (SyntaxError"),
    "the patch cannot be imported": ("patch_ultralytics.py", "raise ImportError('gone')", "damaged (ImportError: gone"),
    "the patch is another": ("patch_ultralytics.py", "install_hook = 3", "damaged (AttributeError"),
    "the patch is empty": ("patch_ultralytics.py", "", "damaged (AttributeError"),
    "a block has a syntax error": ("yolo_plugins/blocks/ghost.py", "def broken(:", "damaged (SyntaxError"),
    "a command is gone": ("yolo_plugins/cli/commands/draw.py", None, "`draw` is left out, since this install is"),
}


@pytest.mark.parametrize("broken", mostly_slow(BROKEN, list(BROKEN)[::6]))
def test_half_an_install_starts_in_silence_and_status_tells(broken: str, copied: Environment, tmp_path: Path) -> None:
    file, text, said = BROKEN[broken]
    path = copied.site_packages / file
    path.unlink() if text is None else path.write_text(text)
    start = copied.run("python", "-c", "pass", cwd=tmp_path)
    assert start.stdout + start.stderr == ""
    done = copied.run("yolo-plugins", "status", cwd=tmp_path)
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert ("without effect" in done.stdout) == file.startswith("patch")
    copied.run("yolo-plugins", "deactivate", cwd=tmp_path)
    assert not written(copied.site_packages) - {"yolo_plugins.py"}


def test_status_tells_what_is_missing_where_torch_is_not_installed(copied: Environment, tmp_path: Path) -> None:
    code = "import sys; sys.modules['torch'] = None; from yolo_plugins.cli import main; main(['status'])"
    said = copied.run("python", "-c", code, cwd=tmp_path).stdout
    assert "blocks        unknown: torch is not installed: pip install torch" in said


def test_a_broken_package_costs_one_warning_and_stock_models_work(copied: Environment, tmp_path: Path) -> None:
    (copied.site_packages / "yolo_plugins" / "rows" / "parsing.py").write_text("def broken(:")
    code = "from ultralytics import YOLO; print(YOLO('yolov8n.yaml').task)"
    done = copied.run("python", "-c", code, cwd=tmp_path)
    assert done.stdout.split()[-1] == "detect"
    warnings = [line for line in done.stderr.splitlines() if "yolo-plugins" in line]
    assert len(warnings) == 1
    assert warnings[0].startswith("WARNING yolo-plugins is not active:")
